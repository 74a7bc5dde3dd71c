/*-------------------------------------------------------------------------
 *
 * operator.c
 *		What people do with messages: ask, cancel, retry, release.
 *
 * A wish is a row of wa.request that the worker carries out: nobody but the
 * worker changes a row that the worker may be changing, so these functions
 * wait for nothing, and fail for nothing, under any isolation level.
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

#include "admin/story.h"
#include "pg/call.h"
#include "pg/query.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(wa_sql_result);
PG_FUNCTION_INFO_V1(wa_sql_cancel);
PG_FUNCTION_INFO_V1(wa_sql_retry);
PG_FUNCTION_INFO_V1(wa_sql_cancel_many);
PG_FUNCTION_INFO_V1(wa_sql_retry_many);
PG_FUNCTION_INFO_V1(wa_sql_release);

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
		WA_STATEMENT("SELECT CASE WHEN state IN ('sent', 'delivered', 'read') THEN 'true'"
					 " WHEN state IN ('queued', 'sending', 'held') THEN 'null' ELSE 'false' END,"
					 " state, provider, provider_message_id,"
					 " CASE WHEN state NOT IN ('sent', 'delivered', 'read') THEN coalesce(detail, reason) END"
					 " FROM wa.message WHERE id = $1");
	WaCall		call;
	WaStory		story;
	WaArgs		args = {0};
	Datum		result = (Datum) 0;
	bool		isnull = true;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	wa_arg_int8(&args, PG_GETARG_INT64(0));
	if (wa_query(&read, &args) > 0)
	{
		char	   *error = wa_row_text(0, 5);
		StringInfoData json;

		initStringInfo(&json);
		appendStringInfo(&json, "{\"success\": %s", wa_row_text(0, 1));
		add_text(&json, "state", wa_row_text(0, 2));
		add_text(&json, "provider", wa_row_text(0, 3));
		add_text(&json, "message_id", wa_row_text(0, 4));
		/* a provider's sentence may contain the number */
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
	WaStatement put;			/* for one message: $1 id, $2 role */
	WaStatement look;			/* why not for this one: $1 id */
	WaStatement put_many;		/* see MANY */
	const char *what;			/* for which messages it is */
	const char *what_many;
} Wish;

/*
 * In what follows: why the wish does nothing for the message m, in words that
 * can follow a number of messages; NULL where it does something.
 */
#define WAITS \
	" WHEN m.state IN ('queued', 'held') OR (m.state = 'unknown' AND m.due_at IS NOT NULL) THEN NULL"

/* A retry that the worker has yet to carry out can be taken back. */
#define WHY_NOT_CANCEL \
	"CASE" WAITS " WHEN m.state NOT IN ('sending', 'sent', 'delivered', 'read')" \
	" AND EXISTS (SELECT FROM wa.request AS r WHERE r.message_id = m.id AND r.action = 'retry') THEN NULL" \
	" ELSE m.state END"

/* Reading wa.request here would make one of two SERIALIZABLE callers fail. */
#define WHY_NOT_CANCEL_MANY \
	"CASE" WAITS " ELSE m.state END"

#define WHY_NOT_REACHED \
	" WHEN m.number IS NULL AND m.body IS NULL THEN 'without number and text'" \
	" WHEN m.number IS NULL AND m.partner_id IS NULL THEN 'without a number'"

#define WHY_NOT_RETRY \
	"CASE WHEN m.state = 'queued' AND m.attempts > 0 AND m.due_at IS NOT NULL THEN NULL" \
	" WHEN m.state NOT IN ('failed', 'unknown', 'skipped', 'expired', 'cancelled') THEN m.state" \
	WHY_NOT_REACHED " END"

/* Many together are not taken out of an end that somebody meant. */
#define WHY_NOT_RETRY_MANY \
	"CASE WHEN m.state = 'queued' AND m.attempts > 0 AND m.due_at IS NOT NULL THEN NULL" \
	" WHEN m.state = 'unknown' AND m.due_at IS NOT NULL THEN 'unknown and waiting'" \
	" WHEN m.state = 'skipped' AND m.reason = 'no_number' AND m.partner_id IS NOT NULL AND m.body IS NOT NULL THEN NULL" \
	" WHEN m.state NOT IN ('failed', 'unknown', 'expired') THEN m.state" \
	WHY_NOT_REACHED " END"

#define PUT(action, why_not) \
	WA_STATEMENT("INSERT INTO wa.request (action, message_id, requested_by)" \
				 " SELECT '" action "', id, $2 FROM wa.message AS m WHERE id = $1 AND " why_not " IS NULL")

#define LOOK(why_not) \
	WA_STATEMENT("SELECT state, " why_not " FROM wa.message AS m WHERE id = $1")

/*
 * $1 scenario, $2 since, $3 until, $4 provider (each NULL for any), $5 role.
 * One look at the ledger, which may be large: how many are asked for, how many
 * are left, and why.
 */
#define MANY(action, why_not) \
	WA_STATEMENT("WITH c AS MATERIALIZED (SELECT id, " why_not " AS why FROM wa.message AS m" \
				 " WHERE ($1 IS NULL OR scenario = $1) AND ($2 IS NULL OR created_at >= $2)" \
				 " AND ($3 IS NULL OR created_at < $3)" \
				 " AND ($4 IS NULL OR coalesce(provider, wanted_provider) = $4))," \
				 " put AS (INSERT INTO wa.request (action, message_id, requested_by)" \
				 " SELECT '" action "', id, $5 FROM c WHERE why IS NULL ORDER BY id RETURNING id)," \
				 " rest AS (SELECT why, count(*) AS n FROM c WHERE why IS NOT NULL GROUP BY why)" \
				 " SELECT (SELECT count(*) FROM put), (SELECT sum(n) FROM rest)::bigint," \
				 " (SELECT string_agg(n || ' ' || why, ', ' ORDER BY why) FROM rest)")

static Wish cancel = {
	"cancel", PUT("cancel", WHY_NOT_CANCEL), LOOK(WHY_NOT_CANCEL), MANY("cancel", WHY_NOT_CANCEL_MANY),
	"Only messages that wait can be cancelled: queued, held, or unknown and to be repeated.",
	"Only messages that wait can be cancelled: queued, held, or unknown and to be repeated."
};

static Wish retry = {
	"retry", PUT("retry", WHY_NOT_RETRY), LOOK(WHY_NOT_RETRY), MANY("retry", WHY_NOT_RETRY_MANY),
	"Only messages that are over without having been sent, or wait for another attempt, can be tried again.",
	"Tried again together is what has failed or expired, has an unknown outcome, had no number, or waits for another attempt."
};

/*
 * Write down a wish about a message; else say why not.
 */
static int64
request(Wish *wish, int64 id)
{
	WaArgs		args = {0};
	char	   *state;
	char	   *why;

	wa_arg_int8(&args, id);
	wa_arg_text(&args, wa_call_role());
	if (wa_query(&wish->put, &args) > 0)
	{
		wa_worker_wake_at_commit();
		return 1;
	}
	args.n = 1;
	if (wa_query(&wish->look, &args) == 0)
	{
		ereport(NOTICE,
				(errmsg("message " INT64_FORMAT " does not exist", id)));
		return 0;
	}
	state = wa_row_text(0, 1);
	why = wa_row_text(0, 2);
	if (why && strcmp(why, state) != 0)
		ereport(NOTICE,
				(errmsg("message " INT64_FORMAT " is left alone: it is %s", id, why),
				 strcmp(why, "without a number") == 0 ?
				 errdetail("It has no contact whose number could be looked up.") :
				 errdetail("They were removed after the retention period, or could not be made."),
				 errhint("Send a new message with wa_send().")));
	else
		ereport(NOTICE,
				(errmsg("message " INT64_FORMAT " is left alone: its state is %s", id, state),
				 strcmp(state, "sending") == 0 ?
				 errdetail("It is on the wire; what becomes of it is known when the provider has answered.") :
				 errdetail("%s", wish->what),
				 strcmp(state, "held") == 0 ? errhint("SELECT wa_release() lets held messages go.") : 0));
	return 0;
}

/*
 * wa_cancel(): see operator.sql.
 */
Datum
wa_sql_cancel(PG_FUNCTION_ARGS)
{
	WaCall		call;
	int64		n;

	wa_call_begin(&call, WA_LEVEL_SEND);
	n = request(&cancel, PG_GETARG_INT64(0));
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}

/*
 * wa_retry(): see operator.sql.
 */
Datum
wa_sql_retry(PG_FUNCTION_ARGS)
{
	WaCall		call;
	int64		n;

	wa_call_begin(&call, WA_LEVEL_SEND);
	n = request(&retry, PG_GETARG_INT64(0));
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}

/* A name that is in no row is a mistake, and most likely one of spelling. */
static void
require_known(WaStatement *find, const char *what, const char *name)
{
	WaArgs		args = {0};

	if (name == NULL)
		return;
	wa_arg_text(&args, name);
	if (wa_query(find, &args) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s \"%s\" does not exist", what, name),
				 strcmp(what, "scenario") == 0 ?
				 errhint("SELECT key FROM wa.scenario lists the scenarios.") :
				 errhint("SELECT name FROM wa.provider lists the providers.")));
}

/*
 * The same wish for many messages: those of a scenario or a provider, made in
 * a span of time.
 */
static Datum
request_many(FunctionCallInfo fcinfo, Wish *wish)
{
	static WaStatement scenario_known =
		WA_STATEMENT("SELECT FROM wa.scenario WHERE key = $1"
					 " UNION ALL (SELECT FROM wa.message WHERE scenario = $1 LIMIT 1)");
	static WaStatement provider_known =
		WA_STATEMENT("SELECT FROM wa.provider WHERE name = $1"
					 " UNION ALL (SELECT FROM wa.message WHERE provider = $1 LIMIT 1)");
	char	   *scenario = wa_call_arg_text(fcinfo, 0);
	char	   *provider = wa_call_arg_text(fcinfo, 3);
	WaCall		call;
	WaArgs		args = {0};
	int64		n;

	if (scenario == NULL && provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("scenario and provider are both null"),
				 errdetail("Without one of them this would concern everything."),
				 errhint("For any other choice: SELECT wa_%s(id) FROM wa.message WHERE ...", wish->action)));
	wa_call_begin(&call, WA_LEVEL_SEND);
	require_known(&scenario_known, "scenario", scenario);
	require_known(&provider_known, "provider", provider);
	wa_arg_text(&args, scenario);
	wa_arg_timestamptz(&args, PG_ARGISNULL(1) ? 0 : PG_GETARG_TIMESTAMPTZ(1));
	wa_arg_timestamptz(&args, PG_ARGISNULL(2) ? 0 : PG_GETARG_TIMESTAMPTZ(2));
	wa_arg_text(&args, provider);
	wa_arg_text(&args, wa_call_role());
	wa_query(&wish->put_many, &args);
	n = wa_row_int8(0, 1);
	if (n > 0)
		wa_worker_wake_at_commit();
	if (!wa_row_isnull(0, 2))
		ereport(NOTICE,
				(errmsg_plural(INT64_FORMAT " message of %s \"%s\" is left alone: %s",
							   INT64_FORMAT " messages of %s \"%s\" are left alone: %s",
							   (unsigned long) wa_row_int8(0, 2),
							   wa_row_int8(0, 2), scenario ? "scenario" : "provider",
							   scenario ? scenario : provider, wa_row_text(0, 3)),
				 errdetail("%s", wish->what_many)));
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}

/* wa_cancel() of many: see operator.sql. */
Datum
wa_sql_cancel_many(PG_FUNCTION_ARGS)
{
	return request_many(fcinfo, &cancel);
}

/* wa_retry() of many: see operator.sql. */
Datum
wa_sql_retry_many(PG_FUNCTION_ARGS)
{
	return request_many(fcinfo, &retry);
}

/*
 * wa_release(): see operator.sql.
 */
Datum
wa_sql_release(PG_FUNCTION_ARGS)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.request (action, message_id, requested_by)"
					 " SELECT 'release', id, $3 FROM wa.message"
					 " WHERE state = 'held' AND ($1 IS NULL OR scenario = $1)"
					 " AND NOT EXISTS (SELECT FROM wa.request AS r WHERE r.message_id = wa.message.id)"
					 " ORDER BY id LIMIT $2");
	WaCall		call;
	WaArgs		args = {0};
	int64		n;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	if (!PG_ARGISNULL(1) && PG_GETARG_INT32(1) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("maximum must not be negative")));
	wa_arg_text(&args, wa_call_arg_text(fcinfo, 0));
	wa_arg_int8_or_null(&args, PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1), PG_ARGISNULL(1));
	wa_arg_text(&args, wa_call_role());
	n = (int64) wa_query(&put, &args);
	if (n > 0)
		wa_worker_wake_at_commit();
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}
