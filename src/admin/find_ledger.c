/*-------------------------------------------------------------------------
 *
 * find_ledger.c
 *		Findings in what the ledger tells: what waits, was held, or went wrong.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "admin/findings.h"
#include "compose/compose.h"
#include "office/setting.h"
#include "pg/columns.h"
#include "pg/query.h"
#include "queue/queue.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

/* A reason code, and what it means. */
static const char *
reason_in_words(const WaFindings *findings, const char *reason)
{
	const char *words = wa_story_reason(findings->story, reason);

	return words == reason ? reason : psprintf("%s (%s)", words, reason);
}

/*
 * The statement that lets these messages go, or ends them, and no others;
 * NULL: there is none.
 */
static WaSaid
what_to_do(WaState state, const char *reason, const char *setting)
{
	if (state != WA_STATE_HELD)
		return reason == NULL || state == WA_STATE_UNKNOWN ? NULL : wa_say(WA_SAY_MEND_AND_RETRY, reason);
	if (reason == NULL)
		return wa_say(WA_SAY_RELEASE_WITHOUT_REASON);
	if (wa_queue_reason_read(reason) == WA_REASON_NAME_MISMATCH)
		return wa_say(WA_SAY_RELEASE_EACH);
	return setting ? wa_say(WA_SAY_SET_TO_RELEASE, setting) : wa_say(WA_SAY_LOOK_AND_RELEASE, reason);
}

/* SQL: those in a state. */
#define SUCH_MESSAGES	"SELECT * FROM wa.message_view WHERE state = '%s' ORDER BY id DESC LIMIT 20"

/* Messages in one state for one reason. */
#define TALLY_COLUMNS(X, row) \
	X(row, text, state, "state") \
	X(row, text, reason, "reason") \
	X(row, int8, made, "made") /* today or yesterday */ \
	X(row, int8, counted, "counted") /* to be told of */ \
	X(row, int8, last, "last") /* the last one of these */ \
	X(row, text, setting, "setting")	/* that held ones wait for */
WA_DEFINE_ROW(Tally, tally_row, TALLY_COLUMNS);

/*
 * Of one state and reason: that a number has no WhatsApp, or that its owner
 * must not be written to now, happens every day and is no fault, unless it
 * happens to most of them.
 */
static bool
is_fine(const Tally * tally, int64 sent)
{
	WaReason	reason = tally->reason ? wa_queue_reason_read(tally->reason) : WA_REASON_NONE;

	return wa_queue_state_read(tally->state, false) == WA_STATE_FAILED &&
		(reason == WA_REASON_RECIPIENT || reason == WA_REASON_POLICY) &&
		(tally->counted < 5 || tally->counted < sent);
}

/* How many, for what reason, and where to look at one. */
static WaSaid
ended_so(const WaFindings *findings, const Tally * tally)
{
	const char *count = WA_NUMBER(tally->counted);
	const char *reason = tally->reason ? reason_in_words(findings, tally->reason) : "-";

	return tally->last ? wa_say(WA_SAY_ENDED_SO, count, reason, WA_NUMBER(tally->last)) :
		wa_say(WA_SAY_ENDED_SO_LONG_AGO, count, reason, psprintf(SUCH_MESSAGES, tally->state));
}

/* What is held, by reason, and what ended badly today or yesterday. */
static void
find_messages(WaFindings *findings, const Tally * tallies, int n)
{
	int64		sent = 0;
	bool		any = false;

	for (int i = 0; i < n; i++)
		if (WA_STATE_IS(wa_queue_state_read(tallies[i].state, false), WA_SENT))
			sent += tallies[i].made;
	for (int i = 0; i < n; i++)
	{
		const		Tally *tally = &tallies[i];
		WaState		is = wa_queue_state_read(tally->state, false);
		bool		fine = is_fine(tally, sent);

		if (tally->counted == 0)
			continue;
		any = true;
		wa_admin_find(findings, is == WA_STATE_HELD ? WA_WARNING_HELD : fine ? WA_FINE : WA_WARNING_FAILED,
					  psprintf("log: messages %s", tally->state),
					  tally->last ? wa_said_statement("SELECT * FROM wa_why(" INT64_FORMAT ")", tally->last) :
					  wa_said_statement(SUCH_MESSAGES, tally->state),
					  wa_said_and(ended_so(findings, tally), fine ? NULL : what_to_do(is, tally->reason, tally->setting)));
	}
	if (!any)
		wa_admin_find(findings, WA_FINE, "log: messages", NULL, wa_say(WA_SAY_NOTHING_FAILED));
}

/* How many were made within a day, by what has become of them. */
static void
show_messages(WaFindings *findings, const Tally * tallies, int n)
{
	bool		any = false;

	for (int i = 0; i < n; i++)
	{
		int64		made = tallies[i].made;

		/* reasons of one state stand together */
		while (i + 1 < n && strcmp(tallies[i + 1].state, tallies[i].state) == 0)
			made += tallies[++i].made;
		if (made == 0)
			continue;
		any = true;
		wa_admin_show(findings, psprintf("messages %s", tallies[i].state), psprintf(INT64_FORMAT, made),
					  wa_say(WA_SAY_SHOWN_MADE));
	}
	if (!any)
		wa_admin_show(findings, "messages", "0", wa_say(WA_SAY_SHOWN_MADE));
}

/* SQL: a day of the office. */
#define YESTERDAY	"((now() AT TIME ZONE $1)::date - 1)"

/* So many messages at most are looked at. */
#define MOST_LOOKED_AT	"10000"

/* SQL: m is a message with the state and the reason of f. */
#define SUCH	"m.id, m.state, m.reason, m.body, m.detail_said"
#define IS_SUCH	"m.state = f.figure AND m.reason IS NOT DISTINCT FROM nullif(f.detail, '')"

/*
 * Of those that are held, by reason, and those of today and yesterday, by state
 * and reason; from the figures, since a day may have a million.  Which is the
 * last one they nearly know: where that is such a one no more, it is looked for
 * among those before it, up to a limit.
 */
static Tally *
read_tallies(const WaFindings *findings, int *n)
{
	static WaStatement read =
		WA_STATEMENT_OF(&tally_row,
						"SELECT {columns} FROM (SELECT f.figure AS state, nullif(f.detail, '') AS reason, f.made, f.counted, l.id AS last,"
						" CASE WHEN f.figure <> " WA_SQL_STATE(HELD) " OR f.counted = 0 THEN NULL"
						" WHEN f.detail = " WA_SQL_REASON(SETTING_MISSING) " THEN coalesce((SELECT min(w.setting) FROM wa.unwritten AS w"
						" WHERE w.setting <> '' AND NOT EXISTS (SELECT FROM wa.setting AS g WHERE g.name = w.setting)), l.setting)"
						" ELSE l.setting END AS setting"
						" FROM (SELECT figure, detail, coalesce(sum(n) FILTER (WHERE day >= " YESTERDAY "), 0)::bigint AS made,"
						" CASE WHEN figure IN " WA_SQL_STATES(WA_WRONG) " THEN coalesce(sum(n) FILTER (WHERE day >= " YESTERDAY "), 0)"
						" WHEN figure = " WA_SQL_STATE(HELD) " THEN sum(n) ELSE 0 END::bigint AS counted, max(last) AS last"
						" FROM (SELECT * FROM wa._figure WHERE day >= " YESTERDAY " AND figure IN " WA_SQL_STATES(WA_ANY)
						" UNION ALL SELECT * FROM wa._figure WHERE day < " YESTERDAY " AND figure = " WA_SQL_STATE(HELD) ") AS f"
						" GROUP BY figure, detail HAVING sum(n) > 0) AS f"
						" LEFT JOIN LATERAL (SELECT m.id, CASE WHEN m.body IS NULL AND NOT EXISTS"
						" (SELECT FROM wa.setting AS g WHERE g.name = " WA_QUEUE_SETTING_OF("m.detail_said") ") THEN " WA_QUEUE_SETTING_OF("m.detail_said") " END AS setting"
						" FROM (SELECT " SUCH " FROM wa.message AS m WHERE m.id = f.last"
						" UNION ALL (SELECT " SUCH " FROM wa.unattended AS u JOIN wa.message AS m ON m.id = u.message_id"
						" WHERE f.figure = " WA_SQL_STATE(HELD) " ORDER BY u.id DESC)"
						" UNION ALL SELECT " SUCH " FROM (SELECT * FROM wa.message WHERE id < f.last ORDER BY id DESC LIMIT " MOST_LOOKED_AT ") AS m"
						" WHERE f.figure <> " WA_SQL_STATE(HELD) " AND m.created_at >= " YESTERDAY "::timestamp AT TIME ZONE $1) AS m"
						" WHERE " IS_SUCH " LIMIT 1) AS l ON f.counted > 0) AS t ORDER BY state, reason");
	WaArgs		args = {0};

	wa_arg_text(&args, findings->story->time_zone);
	return wa_rows_read(wa_query(&read, &args), &tally_row, n);
}

/* What waits and no provider takes. */
static void
find_waiting(WaFindings *findings)
{
	static WaStatement stuck =
		WA_STATEMENT("SELECT count(*)::text, (array_agg(m.detail ORDER BY m.id))[1], (array_agg(m.detail_said ORDER BY m.id))[1], min(m.id)"
					 " FROM (SELECT message_id FROM wa.ready ORDER BY message_id LIMIT 1000) AS r"
					 " JOIN wa.message AS m ON m.id = r.message_id"
					 " WHERE m.reason = " WA_SQL_REASON(NO_PROVIDER) " AND m.detail IS NOT NULL HAVING count(*) > 0");
	WaRows		rows = wa_query(&stuck, NULL);

	if (rows.n == 0)
		wa_admin_find(findings, WA_FINE, "log: messages waiting", NULL, NULL);
	else
	{
		int64		first = wa_row_int8(rows, 0, 4);

		wa_admin_find(findings, WA_WARNING_WAITING, "log: messages waiting",
					  wa_said_statement("SELECT * FROM wa_why(" INT64_FORMAT ")", first),
					  wa_say(WA_SAY_WAIT_FOR_PROVIDER, wa_row_text(rows, 0, 1),
							 wa_row_said(rows, 0, 2), WA_NUMBER(first)));
	}
}

/* So many are counted. */
#define MOST_ADRIFT	"10000"

/* SQL: what the retention has passed waits for nobody any more. */
#define NOT_PURGED "(id > coalesce((SELECT purged_message_id FROM wa.read_position), 0)" \
	" OR id = ANY ((SELECT unpurged FROM wa.read_position)::bigint[]))"

/*
 * What claims to wait, or to be on the wire, though nobody has it.  In a copy
 * that is all that waited; arming it holds them.  What somebody else than the
 * worker may have left so is in wa.unattended; the last messages are looked at all
 * the same, if the figures say that anything is.
 */
static void
find_adrift(WaFindings *findings)
{
	static WaStatement adrift =
		WA_STATEMENT("SELECT CASE WHEN count(*) > " MOST_ADRIFT " THEN '> " MOST_ADRIFT "' ELSE count(DISTINCT id)::text END FROM (SELECT id"
					 " FROM (SELECT id, state, due_at FROM (SELECT id, state, due_at FROM wa.message ORDER BY id DESC LIMIT " MOST_LOOKED_AT ") AS l WHERE (SELECT coalesce(sum(n), 0) > 0 FROM (SELECT n FROM wa._figure"
					 " WHERE figure IN (" WA_SQL_STATE(QUEUED) ", " WA_SQL_STATE(SENDING) ")"
					 " UNION ALL SELECT n FROM wa._figure WHERE figure = " WA_SQL_STATE(UNKNOWN) " AND day >= " YESTERDAY ") AS f)"
					 " UNION ALL SELECT m.id, m.state, m.due_at FROM (SELECT message_id FROM wa.unattended ORDER BY id DESC) AS u"
					 " JOIN wa.message AS m ON m.id = u.message_id) AS m"
					 " WHERE " NOT_PURGED " AND state IN " WA_SQL_STATES(WA_MAY_BE_READY) " AND " WA_QUEUE_ADRIFT
					 " LIMIT " MOST_ADRIFT " + 1) AS a HAVING count(*) > 0");
	WaRows		rows = {0};
	WaArgs		args = {0};

	wa_arg_text(&args, findings->story->time_zone);
	if (!findings->identity.is_copy)
		rows = wa_query(&adrift, &args);
	if (rows.n == 0)
		wa_admin_find(findings, WA_FINE, "log: messages adrift", NULL, NULL);
	else
		wa_admin_find(findings, WA_ERROR_DEAD_LETTER, "log: messages adrift", wa_said_statement("SELECT wa_retry(id) FROM wa.adrift"),
					  wa_say(WA_SAY_MESSAGES_ADRIFT, wa_row_text(rows, 0, 1)));
}

/* What waits because a table of Odoo's cannot be read. */
static void
find_unreadable(WaFindings *findings)
{
	static WaStatement stuck =
		WA_STATEMENT("SELECT count(*)::text, (array_agg(m.detail ORDER BY m.id))[1], (array_agg(m.detail_said ORDER BY m.id))[1]"
					 " FROM (SELECT message_id FROM wa.ready ORDER BY message_id LIMIT 1000) AS r"
					 " JOIN wa.message AS m ON m.id = r.message_id"
					 " WHERE m.state = " WA_SQL_STATE(QUEUED) " AND m.reason = " WA_SQL_REASON(FACTS_UNREADABLE) " HAVING count(*) > 0");
	WaRows		rows = wa_query(&stuck, NULL);

	if (rows.n == 0)
		wa_admin_find(findings, WA_FINE, "log: Odoo's tables", NULL, NULL);
	else
	{
		WaSaid		why = wa_row_said(rows, 0, 2);

		wa_admin_find(findings, WA_ERROR_UNREADABLE, "log: Odoo's tables",
					  wa_say(WA_SAY_MEND_WHAT_THEY_WAIT_FOR, why),
					  wa_say(WA_SAY_WAIT_FOR_TABLE, wa_row_text(rows, 0, 1), why));
	}
}

/* What waits, and for what. */
static void
show_waiting(WaFindings *findings)
{
	static WaStatement waiting =
		WA_STATEMENT("SELECT (SELECT count(*) FROM wa.ready WHERE claimed_at IS NULL)::text,"
					 " (SELECT " WA_SQL_TIME("created_at", "$1") " || ' (' || date_trunc('second', now() - created_at) || ')' FROM wa.message"
					 " WHERE id = (SELECT min(message_id) FROM wa.ready WHERE claimed_at IS NULL)),"
					 " (SELECT count(*) FROM wa.ready WHERE claimed_at IS NOT NULL)::text,"
					 " (SELECT count(*) FROM wa.due)::text,"
					 " (SELECT " WA_SQL_TIME("min(due_at)", "$1") " FROM wa.due)");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, findings->story->time_zone);
	rows = wa_query(&waiting, &args);
	wa_admin_show(findings, "waiting now", wa_row_text(rows, 0, 1),
				  wa_row_isnull(rows, 0, 2) ? NULL : wa_say(WA_SAY_SHOWN_OLDEST, wa_row_text(rows, 0, 2)));
	wa_admin_show(findings, "on the wire", wa_row_text(rows, 0, 3), NULL);
	wa_admin_show(findings, "waiting for a time", wa_row_text(rows, 0, 4),
				  wa_row_isnull(rows, 0, 5) ? NULL : wa_say(WA_SAY_SHOWN_NEXT, wa_row_text(rows, 0, 5)));
}

/* Changes that were recorded and that nobody has read. */
static void
find_unread(WaFindings *findings)
{
	static WaStatement unread =
		WA_STATEMENT("SELECT count(*), " WA_SQL_TIME("min(e.at)", "$1") ","
					 " count(*) FILTER (WHERE e.at < now() - interval '10 minutes') FROM wa.event AS e"
					 " WHERE " WA_SQL_UNREAD("e"));
	WaArgs		args = {0};
	WaRows		rows;
	int64		n;
	int64		late;
	char	   *oldest;

	wa_arg_text(&args, findings->story->time_zone);
	rows = wa_query(&unread, &args);
	n = wa_row_int8(rows, 0, 1);
	oldest = wa_row_text(rows, 0, 2);
	late = wa_row_int8(rows, 0, 3);
	wa_admin_show(findings, "events unread", psprintf(INT64_FORMAT, n),
				  !wa_wake_preloaded() && n >= wa_guc_max_unread ?
				  wa_said_and(wa_say(WA_SAY_SHOWN_OLDEST, oldest ? oldest : "-"), wa_say(WA_SAY_SHOWN_NO_MORE_RECORDED)) :
				  oldest ? wa_say(WA_SAY_SHOWN_OLDEST, oldest) : NULL);
	if (late == 0)
		wa_admin_find(findings, WA_FINE, "log: events", NULL, NULL);
	else
		wa_admin_find(findings, WA_WARNING_EVENTS, "log: events", NULL,
					  wa_say(WA_SAY_EVENTS_UNREAD, WA_NUMBER(late)));
}

/*
 * Changes that were dropped: those of the table, and those that sessions have
 * counted since and no worker has written down yet.
 */
static void
find_gaps(WaFindings *findings)
{
	static WaStatement gaps =
		WA_STATEMENT("SELECT coalesce(sum(events), 0)::bigint, count(*),"
					 " " WA_SQL_TIME("min(first_at)", "$1") ","
					 " " WA_SQL_TIME("max(last_at)", "$1") " FROM wa.capture_gap WHERE reason <> ALL ('{off,known}')");
	WaArgs		args = {0};
	WaRows		rows;
	WaSlotInfo	slot;
	int64		lost;
	int64		fresh = 0;
	bool		written;
	char	   *total;

	wa_arg_text(&args, findings->story->time_zone);
	rows = wa_query(&gaps, &args);
	lost = wa_row_int8(rows, 0, 1);
	written = wa_row_int8(rows, 0, 2) > 0;
	if (wa_wake_slot_info(MyDatabaseId, &slot))
		for (int i = 0; i < WA_DROP_COUNT; i++)
			fresh += i == WA_DROP_OFF ? 0 : (int64) slot.dropped[i];
	total = psprintf(INT64_FORMAT, lost + fresh);
	if (written)
	{
		wa_admin_show(findings, "capture gaps", total,
					  wa_say(WA_SAY_SHOWN_DROPPED, wa_row_text(rows, 0, 3), wa_row_text(rows, 0, 4)));
		wa_admin_find(findings, WA_WARNING_GAP, "log: capture gaps", wa_said_statement("SELECT * FROM wa.capture_gap"),
					  wa_say(WA_SAY_EVENTS_DROPPED, total));
	}
	else if (fresh > 0)
	{
		char	   *since = wa_office_time_words(slot.first_drop, findings->story->time_zone);

		wa_admin_show(findings, "capture gaps", total,
					  wa_say(WA_SAY_SHOWN_DROPPED_SINCE, since));
		wa_admin_find(findings, WA_WARNING_GAP, "log: capture gaps", NULL,
					  wa_say(WA_SAY_EVENTS_DROPPED_SINCE, total, since));
	}
	else
	{
		wa_admin_show(findings, "capture gaps", "0", NULL);
		wa_admin_find(findings, WA_FINE, "log: capture gaps", NULL, NULL);
	}
}

static void
find_dead_letters(WaFindings *findings)
{
	static WaStatement dead =
		WA_STATEMENT("SELECT count(*)::text, (SELECT error FROM wa.dead_letter ORDER BY id DESC LIMIT 1),"
					 " (SELECT error_said FROM wa.dead_letter ORDER BY id DESC LIMIT 1) FROM wa.dead_letter");
	char	   *n;
	bool		none;
	WaRows		rows = wa_query(&dead, NULL);

	n = wa_row_text(rows, 0, 1);
	none = strcmp(n, "0") == 0;
	wa_admin_show(findings, "dead letters", n,
				  none ? NULL : wa_say(WA_SAY_SHOWN_DEAD_LETTERS));
	if (none)
		wa_admin_find(findings, WA_FINE, "log: dead letters", NULL, NULL);
	else
		wa_admin_find(findings, WA_ERROR_DEAD_LETTER, "log: dead letters",
					  wa_said_statement("SELECT * FROM wa.dead_letter_view ORDER BY id"),
					  wa_say(WA_SAY_DEAD_LETTERS, n, wa_row_said(rows, 0, 2)));
}

/* Daily scenarios of which the latest run has failed. */
static void
find_calendar(WaFindings *findings)
{
	static WaStatement failed =
		WA_STATEMENT("SELECT s.key, c.day::text, c.error, c.error_said FROM wa.scenario AS s, LATERAL"
					 " (SELECT day, error, error_said FROM wa.daily_run WHERE scenario = s.key ORDER BY day DESC LIMIT 1) AS c"
					 " WHERE s.active AND s.daily_at IS NOT NULL AND c.error IS NOT NULL ORDER BY s.key COLLATE \"C\"");
	WaRows		rows = wa_query(&failed, NULL);

	for (uint64 i = 0; i < rows.n; i++)
		wa_admin_find(findings, WA_ERROR_CALENDAR, "log: calendar",
					  wa_said_statement("SELECT wa_run_scenario('%s')", wa_row_text(rows, i, 1)),
					  wa_say(WA_SAY_DAILY_RUN_FAILED, wa_row_text(rows, i, 1), wa_row_text(rows, i, 2),
							 wa_row_said(rows, i, 3)));
	if (rows.n == 0)
		wa_admin_find(findings, WA_FINE, "log: calendar", NULL, NULL);
}

void
wa_admin_find_ledger(WaFindings *findings)
{
	int			n;
	Tally	   *tallies = read_tallies(findings, &n);

	show_messages(findings, tallies, n);
	show_waiting(findings);
	find_messages(findings, tallies, n);
	find_waiting(findings);
	find_adrift(findings);
	find_unreadable(findings);
	find_unread(findings);
	find_gaps(findings);
	find_dead_letters(findings);
	find_calendar(findings);
}
