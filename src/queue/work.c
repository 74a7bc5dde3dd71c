/*-------------------------------------------------------------------------
 *
 * work.c
 *		The sender's side of the ledger: load, claim, record.
 *
 * There is one sender per database, so nothing here has to compete; but each
 * step is a set-based statement, because the number of statements and commits
 * is what a message costs.  A claim is committed before the first byte of its
 * request leaves: whatever a crash leaves claimed has an unknown outcome.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/columns.h"
#include "queue/law.h"
#include "queue/queue.h"
#include "queue/stored.h"
#include "queue/work.h"
#include "wake/stat.h"

static const WaColumn ready_columns[] = {
	WA_COLUMN(WaReadyRow, int8, id, "m.id"),
	WA_COLUMN(WaReadyRow, state, state, WA_SQL_STATE_OF("m")),
	WA_COLUMN(WaReadyRow, reason, reason, "m.reason"),
	WA_COLUMN(WaReadyRow, time, claimed_at, "r.claimed_at"),
	WA_COLUMN(WaReadyRow, text, claimed_provider, "r.provider"),
	WA_COLUMN(WaReadyRow, int4, attempt, "r.attempt"),
	WA_COLUMN(WaReadyRow, text, only_by, "r.only_by"),
	WA_COLUMN(WaReadyRow, int4, lane, "r.lane::int4"),
	WA_COLUMN(WaReadyRow, text, scenario, "m.scenario"),
	WA_COLUMN(WaReadyRow, boolean, high, "m.priority = 'high'"),
	WA_COLUMN(WaReadyRow, boolean, low, "m.priority = 'low'"),
	WA_COLUMN(WaReadyRow, text, number, "m.number"),
	WA_COLUMN(WaReadyRow, text, template_key, "m.template_key"),
	WA_COLUMN(WaReadyRow, text, wanted_provider, "m.wanted_provider"),
	WA_COLUMN(WaReadyRow, boolean, despite_opt_out, "m.despite_opt_out"),
	WA_COLUMN(WaReadyRow, int8, partner_id, "m.partner_id"),
	WA_COLUMN(WaReadyRow, boolean, of_contact, "starts_with(m.number_source, 'res_partner.')"),
	WA_COLUMN(WaReadyRow, boolean, requires_opt_in, "m.requires_opt_in"),
	WA_COLUMN(WaReadyRow, time, expires_at, "m.expires_at"),
	WA_COLUMN(WaReadyRow, text, dedupe_key, "m.dedupe_key"),
	WA_COLUMN(WaReadyRow, int4, attempts, "m.attempts"),
	WA_COLUMN(WaReadyRow, time, created_at, "m.created_at"),
	WA_COLUMN(WaReadyRow, text, provider, "m.provider"),
	WA_COLUMN(WaReadyRow, text, unknown_policy, "m.unknown_policy"),
	WA_COLUMN(WaReadyRow, boolean, fallback, "m.fallback"),
	WA_COLUMN(WaReadyRow, boolean, fallback_when_paced, "m.fallback_when_paced"),
	WA_COLUMN(WaReadyRow, texts, tried, "m.refused_by"),
	WA_COLUMN(WaReadyRow, int4, waits, "m.backoffs"),
	WA_COLUMN(WaReadyRow, int4, repeats, "m.repeats"),
};
static const WaRowType ready_row = WA_ROW_TYPE(WaReadyRow, ready_columns);

static int
read_ready(WaRows rows, WaReadyRow **list)
{
	int			n;

	*list = wa_rows_read(rows, &ready_row, &n);
	for (int i = 0; i < n; i++)
	{
		WaReadyRow *row = &(*list)[i];

		row->claimed = row->claimed_at != 0 && row->state == WA_STATE_SENDING;
		row->in_doubt = row->state == WA_STATE_DOUBT;
		row->over = !row->claimed && !row->in_doubt && row->state != WA_STATE_QUEUED;
		row->by_hand = row->scenario == NULL;
	}
	return n;
}

/*
 * Ready messages with an id above "after_id", in the order of ids, at most
 * "limit".  Rows are palloc()ed in the current context.  A message that has
 * lost its row in wa.message is not returned.
 */
int
wa_queue_load(int64 after_id, int limit, WaReadyRow **rows)
{
	static WaStatement load =
		WA_STATEMENT_OF(&ready_row, "SELECT {columns}"
						" FROM (SELECT * FROM wa.ready WHERE message_id > $1 ORDER BY message_id LIMIT $2) AS r"
						" JOIN wa.message AS m ON m.id = r.message_id ORDER BY m.id");
	WaArgs		args = {0};

	wa_arg_int8(&args, after_id);
	wa_arg_int8(&args, limit);
	return read_ready(wa_query(&load, &args), rows);
}

static const WaColumn key_columns[] = {
	WA_COLUMN(WaReadyKey, int8, id, "message_id"),
	WA_COLUMN(WaReadyKey, boolean, claimed, "claimed_at IS NOT NULL"),
	WA_COLUMN(WaReadyKey, text, only_by, "only_by"),
	WA_COLUMN(WaReadyKey, int4, lane, "lane::int4"),
};
static const WaRowType key_row = WA_ROW_TYPE(WaReadyKey, key_columns);

/*
 * The rows of wa.ready alone, with an id above "after_id", in the order of ids,
 * at most "limit"; palloc()ed.  What of them is to be loaded is told by their
 * line, at a fraction of the price.
 */
int
wa_queue_look(int64 after_id, int limit, WaReadyKey **keys)
{
	static WaStatement look =
		WA_STATEMENT_OF(&key_row, "SELECT {columns} FROM wa.ready WHERE message_id > $1 ORDER BY message_id LIMIT $2");
	WaArgs		args = {0};
	int			n;

	wa_arg_int8(&args, after_id);
	wa_arg_int8(&args, limit);
	*keys = wa_rows_read(wa_query(&look, &args), &key_row, &n);
	return n;
}

/*
 * The same of one line: what may go by this provider only (NULL: by whichever
 * can take it), of this priority.
 */
int
wa_queue_look_in_line(const char *only_by, int lane, int64 after_id, int limit, WaReadyKey **keys)
{
	static WaStatement of_one =
		WA_STATEMENT_OF(&key_row, "SELECT {columns} FROM wa.ready WHERE only_by = $4 AND lane = $3 AND message_id > $1"
						" ORDER BY message_id LIMIT $2");
	static WaStatement of_any =
		WA_STATEMENT_OF(&key_row, "SELECT {columns} FROM wa.ready WHERE message_id > $1 AND only_by IS NULL AND lane = $3"
						" ORDER BY message_id LIMIT $2");
	WaArgs		args = {0};
	int			n;

	wa_arg_int8(&args, after_id);
	wa_arg_int8(&args, limit);
	wa_arg_int4(&args, lane);
	if (only_by)
		wa_arg_text(&args, only_by);
	*keys = wa_rows_read(wa_query(only_by ? &of_one : &of_any, &args), &key_row, &n);
	return n;
}

/*
 * Which of these messages would overtake an earlier one of the same priority to
 * the same number, that waits in the table: in one of these lines, with an id
 * from that line's "from" on?  Returns how many.
 */
int
wa_queue_overtake(const int64 *ids, int n, const char *const *only_by, const int32 *lanes,
				  const int64 *from, int nlines, bool *overtakes)
{
	static WaStatement look =
		WA_STATEMENT("SELECT m.id FROM wa.message AS m WHERE m.id = ANY ($1) AND EXISTS"
					 " (SELECT FROM wa.message AS e JOIN wa.ready AS r ON r.message_id = e.id"
					 " JOIN unnest($2, $3, $4) AS l(only_by, lane, first) ON l.only_by IS NOT DISTINCT FROM r.only_by"
					 " AND l.lane = r.lane AND l.first <= e.id"
					 " WHERE e.number = m.number AND e.priority = m.priority AND e.id < m.id AND e.id >= $5"
					 " AND e.state = " WA_SQL_STATE(QUEUED) " AND r.claimed_at IS NULL)");
	WaArgs		args = {0};
	WaRows		rows;
	int64		first = PG_INT64_MAX;

	memset(overtakes, 0, sizeof(bool) * n);
	for (int l = 0; l < nlines; l++)
		first = Min(first, from[l]);
	wa_arg_int8_array(&args, ids, n);
	wa_arg_text_array(&args, only_by, nlines);
	wa_arg_int4_array(&args, lanes, nlines);
	wa_arg_int8_array(&args, from, nlines);
	wa_arg_int8(&args, first);
	rows = wa_query(&look, &args);
	for (uint64 r = 0; r < rows.n; r++)
		for (int i = 0; i < n; i++)
			overtakes[i] = overtakes[i] || ids[i] == wa_row_int8(rows, r, 1);
	wa_rows_free(rows);
	return (int) rows.n;
}

/*
 * The same as wa_queue_load() for these ids, which may lie behind what was
 * loaded before.
 */
int
wa_queue_load_these(const int64 *ids, int n, WaReadyRow **rows)
{
	static WaStatement load =
		WA_STATEMENT_OF(&ready_row, "SELECT {columns} FROM wa.ready AS r JOIN wa.message AS m ON m.id = r.message_id"
						" WHERE r.message_id = ANY ($1) ORDER BY m.id");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, n);
	return read_ready(wa_query(&load, &args), rows);
}

/*
 * The oldest transaction that is still running and the next one to start, as
 * seen by a statement of its own.  Ids are drawn after a transaction has its
 * own id (wa_queue_insert): once every transaction that was running when a
 * message id was seen is over, no lower id can appear any more.  (The next one
 * is not the snapshot's xmax, which is one past the last that has *ended*:
 * transactions from there on may be running.)
 */
void
wa_queue_horizon(uint64 *oldest_running, uint64 *next)
{
	static WaStatement horizon =
		WA_STATEMENT("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::numeric::int8");
	WaRows		rows = wa_query(&horizon, NULL);

	*oldest_running = (uint64) wa_row_int8(rows, 0, 1);
	*next = U64FromFullTransactionId(ReadNextFullTransactionId());
	wa_rows_free(rows);
}

/*
 * Which rows of these messages has somebody locked at the moment (a person who
 * edits one and goes to lunch)?  The others are locked for us, without waiting,
 * so that one locked row never stops the rest.  Returns how many.
 */
int
wa_queue_locked_rows(const int64 *ids, int n, bool *locked)
{
	static WaStatement lock =
		WA_STATEMENT("SELECT FROM wa.message WHERE id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED");

	/* which they are is asked only if it is not all of them */
	static WaStatement look =
		WA_STATEMENT("WITH free AS MATERIALIZED (SELECT id FROM wa.message WHERE id = ANY ($1)"
					 " FOR NO KEY UPDATE SKIP LOCKED)"
					 " SELECT id FROM wa.message WHERE id = ANY ($1) AND id NOT IN (SELECT id FROM free)");
	WaArgs		args = {0};
	WaRows		rows;

	memset(locked, 0, sizeof(bool) * n);
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&lock, &args);
	wa_rows_free(rows);
	if (rows.n == (uint64) n)
		return 0;
	rows = wa_query(&look, &args);
	for (uint64 r = 0; r < rows.n; r++)
		for (int i = 0; i < n; i++)
			locked[i] = locked[i] || ids[i] == wa_row_int8(rows, r, 1);
	wa_rows_free(rows);
	return (int) rows.n;
}

/*
 * Which of these automatic messages must not overtake an earlier one about the
 * same record to the same number, which has been on the wire and waits for its
 * next attempt or for news of the last one?  until[i]: when to look again, 0:
 * need not wait.  Returns how many wait.
 */
int
wa_queue_behind(const int64 *ids, int n, TimestampTz *until)
{
	static WaStatement look =
		WA_STATEMENT("SELECT m.id, max(coalesce(e.due_at, clock_timestamp()))"
					 " FROM wa.message AS m JOIN wa.message AS e ON e.res_id = m.res_id"
					 " AND e.res_model = m.res_model AND e.number = m.number AND e.id < m.id"
					 " WHERE m.id = ANY ($1) AND m.scenario IS NOT NULL AND e.attempts > 0"
					 " AND (e.state IN " WA_SQL_STATES(WA_AT_WORK) " OR " WA_SQL_IN_DOUBT("e") ")"
					 " GROUP BY m.id");
	WaArgs		args = {0};
	WaRows		rows;

	memset(until, 0, sizeof(TimestampTz) * n);
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&look, &args);
	for (uint64 r = 0; r < rows.n; r++)
		for (int i = 0; i < n; i++)
			if (ids[i] == wa_row_int8(rows, r, 1))
				until[i] = wa_row_timestamptz(rows, r, 2);
	wa_rows_free(rows);
	return (int) rows.n;
}

/*
 * Messages that have ended otherwise (a person has written their state) need
 * no sender any more.
 */
void
wa_queue_forget_ready(const int64 *ids, int n)
{
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.ready WHERE message_id = ANY ($1)");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_query(&forget, &args);
}

static const WaColumn claimed_columns[] = {
	WA_COLUMN(WaClaimed, int8, id, "m.id"),
	WA_COLUMN(WaClaimed, text, number, "coalesce(c.number, m.number)"),
	WA_COLUMN(WaClaimed, text, template_key, "m.template_key"),
	WA_COLUMN(WaClaimed, json, params, "m.params"),
	WA_COLUMN(WaClaimed, text, body, "m.body"),
	WA_COLUMN(WaClaimed, int4, attempt, "m.attempts"),
	WA_COLUMN(WaClaimed, text, provider, "m.provider"),
};
static const WaRowType claimed_row = WA_ROW_TYPE(WaClaimed, claimed_columns);

/*
 * Mark messages as on the wire and fetch what the wire needs.  Only those that
 * are still queued are claimed and returned.  numbers[i] NULL: the message's
 * own number (mode test puts another one).
 */
int
wa_queue_claim(const int64 *ids, const char *const *providers,
			   const WaSaid *routes, const char *const *numbers,
			   int n, WaClaimed **claimed)
{
	static WaStatement mark =
		WA_STATEMENT("UPDATE wa.ready AS r SET claimed_at = clock_timestamp(), provider = c.provider, attempt = c.attempt"
					 " FROM (SELECT unnest($1), unnest($2), unnest($3)) AS c(id, provider, attempt) WHERE r.message_id = c.id");
	static WaStatement claim =
		WA_STATEMENT_OF(&claimed_row, "UPDATE wa.message AS m SET state = " WA_SQL_STATE(SENDING) ", provider = c.provider, route = c.route,"
						" route_said = c.said, reason = NULL, detail = NULL, detail_said = NULL, due_at = NULL, failed_at = NULL, attempts = attempts + 1"
						" FROM (SELECT unnest($1), unnest($2), unnest($3), unnest($4), unnest($5)) AS c(id, provider, route, said, number)"
						" WHERE m.id = c.id AND m.state = " WA_SQL_STATE(QUEUED)
						" RETURNING {columns}");
	WaArgs		args = {0};
	int			got;

	wa_arg_int8_array(&args, ids, n);
	wa_arg_text_array(&args, providers, n);
	wa_arg_said_array(&args, routes, n);
	wa_arg_text_array(&args, numbers, n);
	*claimed = wa_rows_read(wa_queue_change(WA_CHANGE_CLAIM, &claim, &args), &claimed_row, &got);
	memset(&args, 0, sizeof(args));
	wa_arg_members(&args, &wa_row_type_int8, &(*claimed)->id, sizeof(WaClaimed), got);
	wa_arg_members(&args, &wa_row_type_text, &(*claimed)->provider, sizeof(WaClaimed), got);
	wa_arg_members(&args, &wa_row_type_int4, &(*claimed)->attempt, sizeof(WaClaimed), got);
	wa_query(&mark, &args);
	wa_wake_stat_at_commit(WA_STAT_CLAIMS, got);
	return got;
}

static const WaColumn attempt_columns[] = {
	WA_COLUMN(WaAttemptRow, int8, message_id, "message_id"),
	WA_COLUMN(WaAttemptRow, int4, attempt, "attempt"),
	WA_COLUMN(WaAttemptRow, text, provider, "provider"),
	WA_COLUMN(WaAttemptRow, time, started_at, "started_at"),
	WA_COLUMN(WaAttemptRow, time, finished_at, "finished_at"),
	WA_COLUMN(WaAttemptRow, int4, http_status, "nullif(http_status, 0)"),
	WA_COLUMN(WaAttemptRow, text, provider_code, "nullif(provider_code, '')"),
	WA_COLUMN(WaAttemptRow, text, outcome, "outcome"),
	WA_SAID_COLUMNS(WaAttemptRow, response),
	WA_COLUMN(WaAttemptRow, text, unlisted, "nullif(unlisted, '')"),
	WA_COLUMN(WaAttemptRow, text, provider_message_id, "nullif(provider_message_id, '')"),
};
static const WaRowType attempt_row = WA_ROW_TYPE(WaAttemptRow, attempt_columns);

/*
 * Write attempts that are over.  Where some may be there (a person has written
 * one), these stay as they are; otherwise that is an error: to look first costs
 * a third as much again.
 */
void
wa_queue_record_attempts(const WaAttemptRow *attempts, int n, bool some_may_be_there)
{
	static WaStatement insert =
		WA_STATEMENT_OF(&attempt_row, "INSERT INTO wa.attempt ({members}) SELECT {columns} FROM {arrays} AS a({members})");
	static WaStatement insert_missing =
		WA_STATEMENT_OF(&attempt_row, "INSERT INTO wa.attempt ({members}) SELECT {columns} FROM {arrays} AS a({members})"
						" ON CONFLICT (message_id, attempt) DO NOTHING");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_rows(&args, &attempt_row, attempts, n);
	wa_wake_stat_at_commit(WA_STAT_ATTEMPTS, wa_query(some_may_be_there ? &insert_missing : &insert, &args).n);
}

/*
 * What this attempt of a message, which is in the ledger, has come to, as it is
 * called there; palloc()ed.  *at: when.
 */
char *
wa_queue_attempt_outcome(int64 id, int attempt, TimestampTz *at)
{
	static WaStatement look =
		WA_STATEMENT("SELECT outcome, finished_at FROM wa.attempt WHERE message_id = $1 AND attempt = $2");
	WaArgs		args = {0};
	WaRows		rows;
	char	   *outcome = NULL;

	wa_arg_int8(&args, id);
	wa_arg_int4(&args, attempt);
	rows = wa_query(&look, &args);
	if (rows.n > 0)
	{
		outcome = wa_row_text(rows, 0, 1);
		*at = wa_row_timestamptz(rows, 0, 2);
	}
	wa_rows_free(rows);
	return outcome ? outcome : pstrdup("");
}

/*
 * The states that a message may be in, for a verdict to be its next state, for
 * that reason, a comma before and behind each (an array would be read anew for
 * each row).
 */
static const char *
legal_from(WaStateChange change, WaState to, WaReason reason)
{
	static char *all_known[2][WA_NSTATES][WA_NREASONS];
	char	   *(*known)[WA_NREASONS] = all_known[change == WA_CHANGE_TELL];
	StringInfoData list;
	uint32_t	from;

	if (known[to][reason])
		return known[to][reason];
	from = wa_queue_from(change, to, reason);
	initStringInfo(&list);
	appendStringInfoChar(&list, ',');
	for (int state = 1; state < WA_NSTATES; state++)
		if (from & WA_IN(state))
			appendStringInfo(&list, "%s,", state == WA_STATE_DOUBT ? WA_STATE_NAME_DOUBT : wa_queue_state_name(state));
	known[to][reason] = MemoryContextStrdup(TopMemoryContext, list.data);
	return known[to][reason];
}

static const WaColumn verdict_columns[] = {
	WA_COLUMN(WaVerdictRow, int8, id, "id"),
	WA_COLUMN(WaVerdictRow, state, state, "state"),
	WA_COLUMN(WaVerdictRow, reason, reason, "reason"),
	WA_SAID_COLUMNS(WaVerdictRow, detail),
	WA_COLUMN(WaVerdictRow, text, provider_message_id, "provider_message_id"),
	WA_COLUMN(WaVerdictRow, text, provider, "provider"),
	WA_SAID_COLUMNS(WaVerdictRow, route),
	WA_COLUMN(WaVerdictRow, time, due_at, "due_at"),
	WA_COLUMN(WaVerdictRow, time, sent_at, "sent_at"),
	WA_COLUMN(WaVerdictRow, tried, tried, "tried"),
	WA_COLUMN(WaVerdictRow, int4, waits, "waits"),
	WA_COLUMN(WaVerdictRow, int4, repeats, "repeats"),
	WA_COLUMN(WaVerdictRow, text, legal_from, "legal_from"),
};
static const WaRowType verdict_row = WA_ROW_TYPE(WaVerdictRow, verdict_columns);

static void
conclude(WaStateChange change, WaVerdictRow *verdicts, int n)
{
	static WaStatement update =
		WA_STATEMENT_OF(&verdict_row, "UPDATE wa.message AS m SET state = v.state, reason = v.reason, detail = v.detail,"
						" detail_said = v.detail_said, provider_message_id = coalesce(v.provider_message_id, m.provider_message_id),"
						" provider = coalesce(v.provider, m.provider), route = coalesce(v.route, m.route),"
						" route_said = CASE WHEN v.route IS NULL THEN m.route_said ELSE v.route_said END,"
						" due_at = v.due_at, sent_at = coalesce(v.sent_at, m.sent_at),"
						" refused_by = CASE v.tried WHEN 0 THEN m.refused_by WHEN 1 THEN array_append(m.refused_by, m.provider) END,"
						" backoffs = m.backoffs + v.waits, repeats = m.repeats + v.repeats,"
						" finished_at = CASE WHEN v.state IN " WA_SQL_STATES(WA_WAITING) " OR v.due_at IS NOT NULL THEN NULL"
						" ELSE clock_timestamp() END"
						" FROM {arrays} AS v({members})"
						" WHERE m.id = v.id AND strpos(v.legal_from, ',' || " WA_SQL_STATE_OF("m") " || ',') > 0");
	static WaStatement remove =
		WA_STATEMENT("DELETE FROM wa.ready WHERE message_id = ANY ($1)");
	static WaStatement release =
		WA_STATEMENT("UPDATE wa.ready SET claimed_at = NULL, provider = NULL, attempt = NULL"
					 " WHERE message_id = ANY ($1) AND claimed_at IS NOT NULL");

	/* what was sent has no row there any more */
	static WaStatement ready =
		WA_STATEMENT("INSERT INTO wa.ready (message_id, only_by, lane) SELECT m.id, " WA_QUEUE_LINE("m")
					 " FROM wa.message AS m WHERE m.id = ANY ($1)"
					 " ON CONFLICT (message_id) DO UPDATE SET claimed_at = NULL, provider = NULL, attempt = NULL");
	static WaStatement due =
		WA_STATEMENT("INSERT INTO wa.due (message_id, due_at) SELECT * FROM unnest($1, $2)"
					 " ON CONFLICT (message_id) DO UPDATE SET due_at = excluded.due_at");

	/* and one that was in doubt waits for nothing any more */
	static WaStatement forget_due =
		WA_STATEMENT("DELETE FROM wa.due WHERE message_id = ANY ($1)");
	int64	   *removed;
	int64	   *again;
	int64	   *due_ids;
	TimestampTz *due_times;
	int			nremoved = 0;
	int			nagain = 0;
	int			ndue = 0;
	WaArgs		args = {0};

	if (n == 0)
		return;
	removed = palloc(sizeof(int64) * n);
	again = palloc(sizeof(int64) * n);
	due_ids = palloc(sizeof(int64) * n);
	due_times = palloc(sizeof(TimestampTz) * n);
	for (int i = 0; i < n; i++)
	{
		WaVerdictRow *v = &verdicts[i];

		v->legal_from = legal_from(change, v->state, v->reason);
		if (v->state == WA_STATE_QUEUED && v->due_at == 0)
			again[nagain++] = v->id;
		else
			removed[nremoved++] = v->id;
		if (v->due_at != 0)
		{
			due_ids[ndue] = v->id;
			due_times[ndue++] = v->due_at;
		}
	}
	wa_arg_rows(&args, &verdict_row, verdicts, n);
	wa_queue_change(change, &update, &args);
	if (nremoved > 0)
	{
		memset(&args, 0, sizeof(args));
		wa_arg_int8_array(&args, removed, nremoved);
		wa_query(&remove, &args);
		if (change == WA_CHANGE_TELL)
			wa_query(&forget_due, &args);
	}
	if (nagain > 0)
	{
		memset(&args, 0, sizeof(args));
		wa_arg_int8_array(&args, again, nagain);
		if (change == WA_CHANGE_TELL)
			wa_query(&forget_due, &args);
		wa_query(change == WA_CHANGE_TELL ? &ready : &release, &args);
	}
	if (ndue > 0)
	{
		memset(&args, 0, sizeof(args));
		wa_arg_int8_array(&args, due_ids, ndue);
		wa_arg_timestamptz_array(&args, due_times, ndue);
		wa_query(&due, &args);
	}
}

/*
 * Set how messages go on: at an end, ready again (queued, due_at 0), or due
 * later (queued or in doubt, due_at set).  One from whose state that is no legal
 * change any more (a person has written it meanwhile, or made the row anew)
 * stays as it is, and those beside it go on; sent is told of all.
 */
void
wa_queue_conclude(WaVerdictRow *verdicts, int n)
{
	conclude(WA_CHANGE_CONCLUDE, verdicts, n);
}

/*
 * The same for messages that were sent, or are in doubt, and of which the
 * provider has told since that they were not delivered.
 */
void
wa_queue_conclude_told(WaVerdictRow *verdicts, int n)
{
	conclude(WA_CHANGE_TELL, verdicts, n);
}
