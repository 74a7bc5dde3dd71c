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
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "pg/call.h"
#include "pg/query.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(wa_sql_result);
PG_FUNCTION_INFO_V1(wa_sql_cancel);
PG_FUNCTION_INFO_V1(wa_sql_retry);
PG_FUNCTION_INFO_V1(wa_sql_cancel_many);
PG_FUNCTION_INFO_V1(wa_sql_retry_many);
PG_FUNCTION_INFO_V1(wa_sql_release);

/*
 * wa_result(): see operator.sql.
 */
Datum
wa_sql_result(PG_FUNCTION_ARGS)
{
	static WaStatement read =
		WA_STATEMENT("SELECT jsonb_build_object("
					 "'success', CASE WHEN state IN ('sent', 'delivered', 'read') THEN true"
					 " WHEN state IN ('queued', 'sending', 'held') THEN NULL ELSE false END,"
					 " 'state', state, 'provider', provider, 'message_id', provider_message_id,"
					 " 'error', CASE WHEN state NOT IN ('sent', 'delivered', 'read') THEN coalesce(detail, reason) END)"
					 " FROM wa.message WHERE id = $1");
	WaCall		call;
	WaArgs		args = {0};
	Datum		result = (Datum) 0;
	bool		isnull = true;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_arg_int8(&args, PG_GETARG_INT64(0));
	if (wa_query(&read, &args) > 0)
		result = wa_call_datum(&call, SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull),
							   false, -1);
	wa_call_end(&call);
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/*
 * Write down a wish about a message if its state is among "states" (a text
 * array); else say why not.
 */
static int64
request(int64 id, const char *action, const char *states, const char *what)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.request (action, message_id, requested_by)"
					 " SELECT $2, id, $3 FROM wa.message WHERE id = $1 AND state = ANY ($4::text[])"
					 " AND (number IS NOT NULL OR $2 = 'cancel')");
	static WaStatement look =
		WA_STATEMENT("SELECT state, state = ANY ($2::text[]) FROM wa.message WHERE id = $1");
	WaArgs		args = {0};

	wa_arg_int8(&args, id);
	wa_arg_text(&args, action);
	wa_arg_text(&args, wa_call_role());
	wa_arg_text(&args, states);
	if (wa_query(&put, &args) > 0)
	{
		wa_worker_wake_at_commit();
		return 1;
	}
	memset(&args, 0, sizeof(args));
	wa_arg_int8(&args, id);
	wa_arg_text(&args, states);
	if (wa_query(&look, &args) == 0)
		ereport(NOTICE,
				(errmsg("message " INT64_FORMAT " does not exist", id)));
	else if (wa_row_bool(0, 2))
		ereport(NOTICE,
				(errmsg("message " INT64_FORMAT " is left alone: it has no number", id),
				 errhint("Correct the contact's number and send a new message.")));
	else
		ereport(NOTICE,
				(errmsg("message " INT64_FORMAT " is left alone: its state is %s", id, wa_row_text(0, 1)),
				 errdetail("%s", what)));
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
	n = request(PG_GETARG_INT64(0), "cancel", "{queued,held}",
				"Only queued and held messages can be cancelled.");
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
	n = request(PG_GETARG_INT64(0), "retry", "{failed,unknown,skipped,expired,cancelled}",
				"Only messages that are over without having been sent can be tried again.");
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}

/* Arguments: scenario, since and until, either of them NULL for no bound. */
static void
bind_range(WaArgs *args, const char *scenario, TimestampTz since, TimestampTz until,
		   const char *states)
{
	wa_arg_text(args, scenario);
	wa_arg_timestamptz(args, since);
	wa_arg_timestamptz(args, until);
	wa_arg_text(args, states);
}

/* Tell how many of the range are left alone, and why: their states. */
static void
tell_left(const char *scenario, TimestampTz since, TimestampTz until,
		  const char *states, const char *what)
{
	static WaStatement look =
		WA_STATEMENT("SELECT sum(n)::bigint, string_agg(n || ' ' || why, ', ' ORDER BY why) FROM"
					 " (SELECT CASE WHEN state = ANY ($4::text[]) THEN 'without a number' ELSE state END AS why,"
					 " count(*) AS n FROM wa.message AS m WHERE scenario = $1"
					 " AND ($2 IS NULL OR created_at >= $2) AND ($3 IS NULL OR created_at < $3)"
					 " AND NOT EXISTS (SELECT FROM wa.request AS r WHERE r.message_id = m.id)"
					 " GROUP BY 1) AS s");
	WaArgs		args = {0};

	bind_range(&args, scenario, since, until, states);
	wa_query(&look, &args);
	if (!wa_row_isnull(0, 1))
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " messages of scenario \"%s\" are left alone: %s",
						wa_row_int8(0, 1), scenario, wa_row_text(0, 2)),
				 errdetail("%s", what)));
}

/*
 * The same wish for many messages: those of a scenario, made in a span of
 * time.
 */
static Datum
request_many(FunctionCallInfo fcinfo, const char *action, const char *states, const char *what)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.request (action, message_id, requested_by)"
					 " SELECT $5, id, $6 FROM wa.message AS m WHERE scenario = $1"
					 " AND ($2 IS NULL OR created_at >= $2) AND ($3 IS NULL OR created_at < $3)"
					 " AND state = ANY ($4::text[]) AND (number IS NOT NULL OR $5 = 'cancel')"
					 " AND NOT EXISTS (SELECT FROM wa.request AS r WHERE r.message_id = m.id AND r.action = $5)"
					 " ORDER BY id");
	static WaStatement known =
		WA_STATEMENT("SELECT FROM wa.scenario WHERE key = $1"
					 " UNION ALL (SELECT FROM wa.message WHERE scenario = $1 LIMIT 1)");
	char	   *scenario = wa_call_arg_text(fcinfo, 0);
	TimestampTz since = PG_ARGISNULL(1) ? 0 : PG_GETARG_TIMESTAMPTZ(1);
	TimestampTz until = PG_ARGISNULL(2) ? 0 : PG_GETARG_TIMESTAMPTZ(2);
	WaCall		call;
	WaArgs		args = {0};
	int64		n;

	if (scenario == NULL)
		PG_RETURN_NULL();
	wa_call_begin(&call, WA_LEVEL_SEND);
	wa_arg_text(&args, scenario);
	if (wa_query(&known, &args) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("scenario \"%s\" does not exist", scenario),
				 errhint("SELECT key, name FROM wa.scenario lists the scenarios.")));
	memset(&args, 0, sizeof(args));
	bind_range(&args, scenario, since, until, states);
	wa_arg_text(&args, action);
	wa_arg_text(&args, wa_call_role());
	n = (int64) wa_query(&put, &args);
	if (n > 0)
		wa_worker_wake_at_commit();
	tell_left(scenario, since, until, states, what);
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}

/* wa_cancel() by scenario: see operator.sql. */
Datum
wa_sql_cancel_many(PG_FUNCTION_ARGS)
{
	return request_many(fcinfo, "cancel", "{queued,held}",
						"Only queued and held messages can be cancelled.");
}

/* wa_retry() by scenario: see operator.sql. */
Datum
wa_sql_retry_many(PG_FUNCTION_ARGS)
{
	return request_many(fcinfo, "retry", "{failed,unknown,expired}",
						"Only messages that have failed or expired, or have an unknown outcome, are tried again together.");
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
