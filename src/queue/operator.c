/*-------------------------------------------------------------------------
 *
 * operator.c
 *		What people do with messages: ask, cancel, retry, release.
 *
 * A wish is a row of wa.request that the worker carries out: nobody but the
 * worker changes a row that the worker may be changing, so these functions wait
 * for no row and fail for none.  (At isolation level SERIALIZABLE of two that read
 * and write the same at one time one may have to be repeated, as anywhere.)
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "identity/identity.h"
#include "pg/call.h"
#include "pg/query.h"
#include "queue/queue.h"
#include "wake/wake.h"
#include "words/story.h"

PG_FUNCTION_INFO_V1(wa_sql_result);
PG_FUNCTION_INFO_V1(wa_sql_cancel);
PG_FUNCTION_INFO_V1(wa_sql_retry);
PG_FUNCTION_INFO_V1(wa_sql_cancel_many);
PG_FUNCTION_INFO_V1(wa_sql_retry_many);
PG_FUNCTION_INFO_V1(wa_sql_release);
PG_FUNCTION_INFO_V1(wa_sql_release_many);

/* Add a member to an object that has begun; value may be NULL. */
static void
add_text(StringInfo json, const char *name, const char *value)
{
	appendStringInfo(json, ", \"%s\": ", name);
	if (value)
		escape_json(json, value);
	else
		appendStringInfoString(json, "null");
}

/*
 * wa_result(): see operator.sql.
 */
Datum
wa_sql_result(PG_FUNCTION_ARGS)
{
	static WaStatement read =
		WA_STATEMENT("SELECT CASE WHEN state IN " WA_SQL_STATES(WA_SENT) " THEN 'true'"
					 " WHEN state IN " WA_SQL_STATES(WA_ABOUT_TO_SAY) " THEN 'null' ELSE 'false' END,"
					 " state, provider, provider_message_id,"
					 " CASE WHEN state NOT IN " WA_SQL_STATES(WA_SENT) " THEN coalesce(detail, reason) END"
					 " FROM wa.message WHERE id = $1");
	WaCall		call;
	WaStory		story;
	WaArgs		args = {0};
	WaRows		rows;
	Datum		result = (Datum) 0;
	bool		isnull = true;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	wa_arg_int8(&args, PG_GETARG_INT64(0));
	rows = wa_query(&read, &args);
	if (rows.n > 0)
	{
		char	   *message_id = wa_row_text(rows, 0, 4);
		char	   *error = wa_row_text(rows, 0, 5);
		StringInfoData json;

		initStringInfo(&json);
		appendStringInfo(&json, "{\"success\": %s", wa_row_text(rows, 0, 1));
		add_text(&json, "state", wa_row_text(rows, 0, 2));
		add_text(&json, "provider", wa_row_text(rows, 0, 3));
		/* a provider's id or sentence may contain the number */
		add_text(&json, "message_id", message_id ? wa_story_masked(&story, message_id) : NULL);
		add_text(&json, "error", error ? wa_story_masked(&story, error) : NULL);
		appendStringInfoChar(&json, '}');
		result = wa_call_datum(&call, DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)), false, -1);
		isnull = false;
	}
	wa_call_end(&call);
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/* One kind of wish. */
typedef struct Wish
{
	const char *action;
	WaLevel		level;
	WaStatement put;			/* for one message: $1 id, $2 role */
	WaStatement look;			/* why not for this one: $1 id */
	WaStatement put_many;		/* see MANY */
	WaStatement *in_copy;		/* the same in a copy; NULL: as elsewhere */
	const char *what;			/* for which messages it is */
	const char *what_many;
} Wish;

/*
 * In what follows: why the wish does nothing for the message m, in words that
 * can follow a number of messages; NULL where it does something.
 */
#define WAITS \
	" WHEN " WA_SQL_WAITS("m") " THEN NULL"

/* A retry that the worker has yet to carry out can be taken back. */
#define WHY_NOT_CANCEL \
	"CASE" WAITS " WHEN m.state <> " WA_SQL_STATE(SENDING) " AND m.state NOT IN " WA_SQL_STATES(WA_SENT) \
	" AND EXISTS (SELECT FROM wa.request AS r WHERE r.message_id = m.id AND r.action = 'retry') THEN NULL" \
	" WHEN m.state = " WA_SQL_STATE(SENDING) " AND " WA_QUEUE_ADRIFT " THEN NULL" \
	" ELSE m.state END"

/* Reading wa.request here would make one of two SERIALIZABLE callers fail. */
#define WHY_NOT_CANCEL_MANY \
	"CASE" WAITS " ELSE m.state END"

#define WHY_NOT_REACHED \
	" WHEN m.number IS NULL AND m.body IS NULL THEN 'without number and text'" \
	" WHEN m.number IS NULL AND m.partner_id IS NULL THEN 'without a number'"

#define WHY_NOT_RETRY \
	"CASE WHEN m.state = " WA_SQL_STATE(QUEUED) " AND m.attempts > 0 AND m.due_at IS NOT NULL THEN NULL" \
	" WHEN m.state NOT IN " WA_SQL_STATES(WA_REPEATABLE) \
	" AND (m.state NOT IN " WA_SQL_STATES(WA_AT_WORK) " OR NOT " WA_QUEUE_ADRIFT ") THEN m.state" \
	WHY_NOT_REACHED " END"

/*
 * Many together are not taken out of an end that somebody meant.  What was
 * only shown in mode observe was never meant to end, but it is news no longer
 * than its time-to-live.
 */
#define WHY_NOT_RETRY_MANY \
	"CASE WHEN m.state = " WA_SQL_STATE(QUEUED) " AND m.attempts > 0 AND m.due_at IS NOT NULL THEN NULL" \
	" WHEN " WA_SQL_IN_DOUBT("m") " THEN 'unknown and waiting'" \
	" WHEN m.state = " WA_SQL_STATE(SKIPPED) " AND m.reason = " WA_SQL_REASON(NO_NUMBER) " AND m.partner_id IS NOT NULL AND m.body IS NOT NULL THEN NULL" \
	" WHEN m.state = " WA_SQL_STATE(SKIPPED) " AND m.reason = " WA_SQL_REASON(OBSERVE) " AND m.expires_at <= now() THEN 'of mode observe and too old'" \
	" WHEN m.state NOT IN " WA_SQL_STATES(WA_WRONG) \
	" AND (m.state <> " WA_SQL_STATE(SKIPPED) " OR m.reason IS DISTINCT FROM " WA_SQL_REASON(OBSERVE) ") THEN m.state" \
	WHY_NOT_REACHED " END"

/* What the message m waits for: the setting that its text needs. */
#define SETTING_OF WA_QUEUE_SETTING_OF("m.detail_said")

#define WHY_NOT_RELEASE \
	"CASE WHEN m.state <> " WA_SQL_STATE(HELD) " THEN m.state" \
	" WHEN m.number IS NULL THEN 'without a number'" \
	" WHEN m.reason = " WA_SQL_REASON(SETTING_MISSING) " AND NOT EXISTS (SELECT FROM wa.setting AS s WHERE s.name = " SETTING_OF ")" \
	" THEN 'without the setting ' || coalesce(" SETTING_OF ", '') END"

/* Whether it is the same person only a look at each can tell. */
#define WHY_NOT_RELEASE_MANY \
	"CASE WHEN m.reason = " WA_SQL_REASON(NAME_MISMATCH) " THEN 'held for name_mismatch, each to be looked at'" \
	" ELSE " WHY_NOT_RELEASE " END"

#define PUT(action, why_not) \
	WA_STATEMENT("INSERT INTO wa.request (action, message_id, requested_by)" \
				 " SELECT '" action "', id, $2 FROM wa.message AS m WHERE id = $1 AND " why_not " IS NULL")

#define LOOK(why_not) \
	WA_STATEMENT("SELECT state, " why_not ", reason, " SETTING_OF " FROM wa.message AS m WHERE id = $1")

/*
 * $1 scenario, $2 since, $3 until, $4 provider, $5 reason (each NULL for any).
 */
#define ASKED_FOR \
	"($1 IS NULL OR m.scenario = $1) AND ($2 IS NULL OR m.created_at >= $2)" \
	" AND ($3 IS NULL OR m.created_at < $3)" \
	" AND ($4 IS NULL OR coalesce(m.provider, m.wanted_provider) = $4)" \
	" AND ($5 IS NULL OR m.reason = $5)"

/*
 * $6 role, $7 at most (NULL: all).  How many are asked for, how many are left, and
 * why; and whether there may be more of the latter.  looked_at: those of the ledger
 * that it can be for, with ASKED_FOR, and why not (id, why).
 */
#define MANY(action, looked_at, partly) \
	WA_STATEMENT("WITH c AS MATERIALIZED (" looked_at ")," \
				 " put AS (INSERT INTO wa.request (action, message_id, requested_by)" \
				 " SELECT '" action "', id, $6 FROM c WHERE why IS NULL ORDER BY id LIMIT $7 RETURNING id)," \
				 " rest AS (SELECT why, count(*) AS n FROM c WHERE why IS NOT NULL GROUP BY why)" \
				 " SELECT (SELECT count(*) FROM put), (SELECT sum(n) FROM rest)::bigint," \
				 " (SELECT string_agg(n || ' ' || why, ', ' ORDER BY why) FROM rest), " partly)

/* What is over may be of any age, and no index knows it. */
#define IN_THE_LEDGER(why_not) \
	"SELECT m.id, " why_not " AS why FROM wa.message AS m WHERE " ASKED_FOR

/*
 * Who cancels is in a hurry, and the ledger may be large: what waits is in these
 * tables (unattended.c), and of what is over the last ones say what the caller
 * came too late for.
 */
#define LAST_ONES	"100000"
#define OLDER \
	"(SELECT id FROM wa.message ORDER BY id DESC OFFSET " LAST_ONES " LIMIT 1)"
#define WAITING_OR_LATE(why_not) \
	"SELECT m.id, " why_not " AS why FROM (SELECT * FROM wa.message ORDER BY id DESC LIMIT " LAST_ONES ") AS m WHERE " ASKED_FOR \
	" UNION ALL SELECT m.id, " why_not " FROM (SELECT message_id FROM wa.ready UNION SELECT message_id FROM wa.due" \
	" UNION SELECT message_id FROM wa.unattended) AS w JOIN wa.message AS m ON m.id = w.message_id" \
	" WHERE m.id <= " OLDER " AND " why_not " IS NULL AND " ASKED_FOR

/* One that was asked for before is not asked for again. */
#define STILL_HELD \
	" AND m.state = " WA_SQL_STATE(HELD) " AND NOT EXISTS (SELECT FROM wa.request AS r WHERE r.message_id = m.id)"
#define HELD(why_not) \
	"SELECT m.id, " why_not " AS why FROM (SELECT DISTINCT message_id FROM wa.unattended) AS u" \
	" JOIN wa.message AS m ON m.id = u.message_id WHERE " ASKED_FOR STILL_HELD

/*
 * What came with a backup waits in no other table before the copy is armed, and
 * is noted in none where the triggers were disabled meanwhile.
 */
static WaStatement cancel_in_copy = MANY("cancel", IN_THE_LEDGER(WHY_NOT_CANCEL_MANY), "false");
static WaStatement release_in_copy = MANY("release", IN_THE_LEDGER(WHY_NOT_RELEASE_MANY) STILL_HELD, "false");

static Wish cancel = {
	"cancel", WA_LEVEL_SEND, PUT("cancel", WHY_NOT_CANCEL), LOOK(WHY_NOT_CANCEL),
	MANY("cancel", WAITING_OR_LATE(WHY_NOT_CANCEL_MANY), OLDER " IS NOT NULL"), &cancel_in_copy,
	"Only messages that wait can be cancelled: queued, held, or unknown and to be repeated.",
	"Only messages that wait can be cancelled: queued, held, or unknown and to be repeated."
};

static Wish retry = {
	"retry", WA_LEVEL_SEND, PUT("retry", WHY_NOT_RETRY), LOOK(WHY_NOT_RETRY),
	MANY("retry", IN_THE_LEDGER(WHY_NOT_RETRY_MANY), "false"), NULL,
	"Only messages that are over without having been sent, or wait for another attempt, can be tried again.",
	"Tried again together is what has failed or expired, has an unknown outcome, had no number, was only shown in mode observe, or waits for another attempt."
};

static Wish release = {
	"release", WA_LEVEL_ADMIN, PUT("release", WHY_NOT_RELEASE), LOOK(WHY_NOT_RELEASE),
	MANY("release", HELD(WHY_NOT_RELEASE_MANY), "false"), &release_in_copy,
	"Only messages that are held can be released.",
	"What is held for name_mismatch is released one at a time, with SELECT wa_release(id); what is without a setting goes by itself when wa_set() has set it."
};

/*
 * What one can do instead, where a message is left alone for its state; NULL:
 * nothing.
 */
static char *
what_instead(const Wish *wish, int64 id, const char *state, const char *reason, const char *setting)
{
	WaState		is = wa_queue_state_read(state, false);

	if (is == WA_STATE_HELD && wa_queue_reason_read(reason) == WA_REASON_SETTING_MISSING && setting)
		return psprintf("SELECT wa_set('%s', '...'); its text is written then, and it goes by itself.", setting);
	if (is == WA_STATE_HELD)
		return psprintf("SELECT wa_release(" INT64_FORMAT ") lets it go, SELECT wa_cancel(" INT64_FORMAT ") ends it.", id, id);
	if (wish == &release && WA_STATE_IS(is, WA_REPEATABLE))
		return psprintf("SELECT wa_retry(" INT64_FORMAT ") sends it again.", id);
	return NULL;
}

/*
 * Write down a wish about a message; else say why not.
 */
static int64
request(Wish *wish, int64 id)
{
	WaArgs		args = {0};
	WaRows		rows;
	char	   *state;
	char	   *why;
	char	   *setting;
	char	   *instead;

	wa_arg_int8(&args, id);
	wa_arg_text(&args, wa_call_role());
	if (wa_query(&wish->put, &args).n > 0)
	{
		wa_wake_at_commit();
		return 1;
	}
	args.n = 1;
	rows = wa_query(&wish->look, &args);
	if (rows.n == 0)
	{
		ereport(NOTICE,
				(errmsg("message " INT64_FORMAT " does not exist", id)));
		return 0;
	}
	state = wa_row_text(rows, 0, 1);
	why = wa_row_text(rows, 0, 2);
	setting = wa_row_text(rows, 0, 4);
	instead = what_instead(wish, id, state, wa_row_text(rows, 0, 3), setting);
	if (why && strncmp(why, "without the setting", strlen("without the setting")) == 0)
		ereport(NOTICE,
				(errmsg("message " INT64_FORMAT " is left alone: it is %s", id, why),
				 errdetail("It has no text without it."),
				 instead ? errhint("%s", instead) : 0));
	else if (why && strcmp(why, state) != 0)
		ereport(NOTICE,
				(errmsg("message " INT64_FORMAT " is left alone: it is %s", id, why),
				 strcmp(why, "without a number") == 0 ?
				 errdetail("It has no contact whose number could be looked up.") :
				 errdetail("They were removed after the retention period, or could not be made."),
				 errhint("Send a new message with wa_send().")));
	else
		ereport(NOTICE,
				(errmsg("message " INT64_FORMAT " is left alone: its state is %s", id, state),
				 strcmp(state, WA_STATE_NAME_SENDING) == 0 ?
				 errdetail("It is on the wire; what becomes of it is known when the provider has answered.") :
				 errdetail("%s", wish->what),
				 instead ? errhint("%s", instead) : 0));
	return 0;
}

static Datum
request_one(FunctionCallInfo fcinfo, Wish *wish)
{
	WaCall		call;
	int64		n;

	wa_call_begin(&call, wish->level);
	n = request(wish, PG_GETARG_INT64(0));
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}

/* wa_cancel(): see operator.sql. */
Datum
wa_sql_cancel(PG_FUNCTION_ARGS)
{
	return request_one(fcinfo, &cancel);
}

/* wa_retry(): see operator.sql. */
Datum
wa_sql_retry(PG_FUNCTION_ARGS)
{
	return request_one(fcinfo, &retry);
}

/* wa_release(): see operator.sql. */
Datum
wa_sql_release(PG_FUNCTION_ARGS)
{
	return request_one(fcinfo, &release);
}

/* A name that is in no row is a mistake, and most likely one of spelling. */
static void
require_known(WaStatement *find, const char *what, const char *name)
{
	WaArgs		args = {0};

	if (name == NULL)
		return;
	wa_arg_text(&args, name);
	if (wa_query(find, &args).n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s \"%s\" does not exist", what, name),
				 strcmp(what, "scenario") == 0 ?
				 errhint("SELECT key FROM wa.scenario_view lists the scenarios.") :
				 errhint("SELECT name FROM wa.provider_view lists the providers.")));
}

/* A reason that is not in the ledger may be none that is there at the moment. */
static void
require_known_reason(const char *reason)
{
	static WaStatement find =
		WA_STATEMENT("SELECT FROM wa.message WHERE reason = $1 LIMIT 1");
	WaArgs		args = {0};

	if (reason == NULL || wa_story_knows_reason(reason))
		return;
	wa_arg_text(&args, reason);
	if (wa_query(&find, &args).n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("reason \"%s\" does not exist", reason),
				 errhint("SELECT DISTINCT state, reason FROM wa.figures lists the reasons.")));
}

/* What a wish for many names, for people. */
static char *
named(const char *scenario, const char *provider, const char *reason, bool in_span)
{
	char	   *words = pstrdup("");

	if (scenario)
		words = psprintf(" of scenario \"%s\"", scenario);
	if (provider)
		words = psprintf("%s of provider \"%s\"", words, provider);
	if (reason)
		words = psprintf("%s with reason \"%s\"", words, reason);
	if (in_span)
		words = psprintf("%s made in that time", words);
	return words;
}

/*
 * Is something that was there when a copy was armed not held yet?  The worker
 * may be at it, and changes that nobody has read make messages that will be.
 * (Of those changes none is there any more a week later.)
 */
static bool
still_to_be_held(void)
{
	static WaStatement armed =
		WA_STATEMENT("SELECT hold_message_id > 0 FROM wa.identity WHERE hold_snapshot IS NOT NULL");
	static WaStatement unread =
		WA_STATEMENT("SELECT FROM wa.identity AS i, wa.event AS e WHERE e.id <= i.hold_event_id"
					 " AND NOT EXISTS (SELECT FROM wa.read_position AS p WHERE pg_visible_in_snapshot(e.xact, p.snapshot)) LIMIT 1");
	WaRows		rows = wa_query(&armed, NULL);

	return rows.n > 0 && (wa_row_bool(rows, 0, 1) || wa_query(&unread, NULL).n > 0);
}

/*
 * The same wish for many messages: those of a scenario or a provider, or of
 * one reason, made in a span of time.
 */
static int64
request_many(Wish *wish, const char *scenario, TimestampTz since, TimestampTz until,
			 const char *provider, const char *reason, int32 maximum)
{
	static WaStatement scenario_known =
		WA_STATEMENT("SELECT WHERE EXISTS (SELECT FROM wa.scenario WHERE key = $1)"
					 " OR EXISTS (SELECT FROM wa.message WHERE scenario = $1)");
	static WaStatement provider_known =
		WA_STATEMENT("SELECT WHERE EXISTS (SELECT FROM wa.provider WHERE name = $1)"
					 " OR EXISTS (SELECT FROM wa.message WHERE provider = $1)");
	WaIdentity	identity;
	WaArgs		args = {0};
	WaRows		rows;
	int64		n;
	int64		left;
	bool		partly;
	char	   *those = named(scenario, provider, reason, since != 0 || until != 0);

	require_known(&scenario_known, "scenario", scenario);
	require_known(&provider_known, "provider", provider);
	require_known_reason(reason);
	wa_arg_text(&args, scenario);
	wa_arg_timestamptz(&args, since);
	wa_arg_timestamptz(&args, until);
	wa_arg_text(&args, provider);
	wa_arg_text(&args, reason);
	wa_arg_text(&args, wa_call_role());
	wa_arg_int8_or_null(&args, maximum, maximum < 0);
	wa_identity_check(&identity);
	rows = wa_query(identity.is_copy && wish->in_copy ? wish->in_copy : &wish->put_many, &args);
	n = wa_row_int8(rows, 0, 1);
	if (n > 0)
		wa_wake_at_commit();
	left = wa_row_isnull(rows, 0, 2) ? 0 : wa_row_int8(rows, 0, 2);
	partly = wa_row_bool(rows, 0, 4);
	if (left > 0)
		ereport(NOTICE,
				(errmsg_plural(INT64_FORMAT " message%s is left alone: %s",
							   INT64_FORMAT " messages%s are left alone: %s",
							   (unsigned long) left, left, those, wa_row_text(rows, 0, 3)),
				 errdetail("%s%s", wish->what_many,
						   partly ? " Of what is over only the last " LAST_ONES " messages were looked at." : "")));
	else if (n == 0 && wish == &release && maximum != 0)
		ereport(NOTICE,
				(errmsg("no message%s waits to be released", those)));
	else if (n == 0 && wish == &cancel)
		ereport(NOTICE,
				(errmsg("no message%s waits", those)));
	if (wish == &release && maximum < 0 && (reason == NULL || wa_queue_reason_read(reason) == WA_REASON_COPY) &&
		still_to_be_held())
		ereport(NOTICE,
				(errmsg("not all that was here when this database was armed is held yet"),
				 errdetail("What is held after this call stays so."),
				 errhint("Call wa_release() again in a moment.")));
	return n;
}

static TimestampTz
time_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? 0 : PG_GETARG_TIMESTAMPTZ(n);
}

/* Cancel and retry take the same arguments. */
static Datum
cancel_or_retry(FunctionCallInfo fcinfo, Wish *wish)
{
	char	   *scenario = wa_call_arg_text(fcinfo, 0);
	char	   *provider = wa_call_arg_text(fcinfo, 3);
	char	   *reason = wa_call_arg_text(fcinfo, 4);
	WaCall		call;
	int64		n;

	if (scenario == NULL && provider == NULL && reason == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("scenario, provider and reason are all null"),
				 errdetail("Without one of them this would concern everything."),
				 errhint("For any other choice: SELECT wa_%s(id) FROM wa.message_view WHERE ...", wish->action)));
	wa_call_begin(&call, wish->level);
	n = request_many(wish, scenario, time_argument(fcinfo, 1), time_argument(fcinfo, 2),
					 provider, reason, -1);
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}

/* wa_cancel() of many: see operator.sql. */
Datum
wa_sql_cancel_many(PG_FUNCTION_ARGS)
{
	return cancel_or_retry(fcinfo, &cancel);
}

/* wa_retry() of many: see operator.sql. */
Datum
wa_sql_retry_many(PG_FUNCTION_ARGS)
{
	return cancel_or_retry(fcinfo, &retry);
}

/*
 * wa_release() of many: see operator.sql.
 */
Datum
wa_sql_release_many(PG_FUNCTION_ARGS)
{
	char	   *scenario = wa_call_arg_text(fcinfo, 0);
	int32		maximum = PG_ARGISNULL(1) ? -1 : PG_GETARG_INT32(1);
	char	   *reason = wa_call_arg_text(fcinfo, 2);
	WaCall		call;
	int64		n;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	if (!PG_ARGISNULL(1) && maximum < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("maximum must not be negative")));
	if (scenario == NULL && reason == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("scenario and reason are both null"),
				 errdetail("Without one of them this would let everything go, whatever it is held for."),
				 errhint("SELECT * FROM wa_check() names each reason with its statement, such as SELECT wa_release(reason => 'bulk').")));
	if (wa_queue_reason_read(reason) == WA_REASON_NAME_MISMATCH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("messages held for name_mismatch are released one at a time"),
				 errdetail("Whether contact and applicant are the same person only a look at each can tell."),
				 errhint("SELECT id, detail FROM wa.message_view WHERE state = 'held' AND reason = 'name_mismatch'; then SELECT wa_release(id) with the id of each that is right.")));
	n = request_many(&release, scenario, time_argument(fcinfo, 3), time_argument(fcinfo, 4),
					 NULL, reason, maximum);
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}
