/*-------------------------------------------------------------------------
 *
 * settle.c
 *		Noting what a provider tells later about an attempt.
 *
 * The answer to a request may get lost; what the provider reports afterwards
 * (Meta sends our mark along, mark.c) says what
 * became of it.  It is noted like a wish of a person and carried out by the
 * worker, since the message may be on the wire again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "pg/call.h"
#include "pg/query.h"
#include "queue/state.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(wa_sql_settle);

/*
 * Note that the provider has, or has not, accepted this attempt of a message.
 * provider_message_id and detail (a sentence) may be NULL.  Returns false
 * where there is nothing to settle: no such message, or it is known already.
 * SPI connected, the database's owner acting; waits for nobody.
 */
static bool
settle(int64 message, int attempt, const char *provider_message_id,
	   bool accepted, const char *detail)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.request (action, message_id, requested_by, detail)"
					 " SELECT 'settle', id, 'provider', jsonb_strip_nulls(jsonb_build_object('attempt', $2::integer,"
					 " 'provider_message_id', $3::text, 'accepted', $4::boolean, 'detail', $5::text))"
					 " FROM wa.message WHERE id = $1 AND (state NOT IN " WA_SQL_STATES(WA_SENT)
					 " OR (provider_message_id IS NULL AND $3 IS NOT NULL AND $4))");
	WaArgs		args = {0};

	wa_arg_int8(&args, message);
	wa_arg_int4(&args, attempt);
	wa_arg_text(&args, provider_message_id);
	wa_arg_bool(&args, accepted);
	wa_arg_text(&args, detail);
	if (wa_query(&put, &args).n == 0)
		return false;
	wa_wake_at_commit();
	return true;
}

/*
 * wa._settle(): see operator.sql.
 */
Datum
wa_sql_settle(PG_FUNCTION_ARGS)
{
	char	   *provider_message_id = wa_call_arg_text(fcinfo, 2);
	char	   *detail = wa_call_arg_text(fcinfo, 4);
	WaCall		call;
	bool		noted;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("message, attempt and accepted must not be null")));
	if (PG_GETARG_INT32(1) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("attempts are numbered from 1")));
	wa_call_begin(&call, WA_LEVEL_ADMIN);
	noted = settle(PG_GETARG_INT64(0), PG_GETARG_INT32(1), provider_message_id,
				   PG_GETARG_BOOL(3), detail);
	wa_call_end(&call);
	PG_RETURN_BOOL(noted);
}
