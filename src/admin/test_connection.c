/*-------------------------------------------------------------------------
 *
 * test_connection.c
 *		wa_test_connection(): ask a provider, and keep what it said.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "deliver/module.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/route.h"

PG_FUNCTION_INFO_V1(wa_sql_test_connection);

/*
 * wa_test_connection(): see deliver.sql.
 */
Datum
wa_sql_test_connection(PG_FUNCTION_ARGS)
{
	static WaStatement put =
		WA_STATEMENT("UPDATE wa.provider SET state = CASE WHEN $2 THEN 'configured' ELSE 'error' END,"
					 " last_error = CASE WHEN NOT $2 THEN $3 END, last_error_said = CASE WHEN NOT $2 THEN $4 END,"
					 " last_error_at = CASE WHEN NOT $2 THEN clock_timestamp() END,"
					 " tested_at = clock_timestamp(), failed_probes = 0,"
					 " probe_at = CASE WHEN NOT $2 THEN clock_timestamp() + $5 * interval '1 second' END"
					 " WHERE name = $1 RETURNING state");
	static WaStatement describe =
		WA_STATEMENT("SELECT CASE WHEN $2 IS NOT NULL THEN jsonb_build_object('reason', $2) ELSE '{}' END || $1::jsonb"
					 " || CASE WHEN $3 IS NOT NULL THEN jsonb_build_object('exposed_file', $3) ELSE '{}' END");
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	WaCall		call;
	WaProviders providers;
	WaProvider *provider;
	WaArgs		args = {0};
	WaHealth	health = {0};
	char	   *reason;
	Datum		detail;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	wa_route_load_providers(&providers, true);
	provider = wa_route_find_provider(&providers, name);
	if (provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("provider \"%s\" does not exist", name),
				 errhint("wa_configure() creates one.")));
	health.quota_left = health.daily_limit = -1;
	if (provider->problem)
		wa_text_say_copy(&health.said, provider->problem);
	else
		wa_deliver_load()->test(provider, &health);
	reason = wa_said_english(WA_SAID_IN(&health.said));
	wa_arg_text(&args, name);
	wa_arg_bool(&args, health.ok);
	wa_arg_said(&args, WA_SAID_IN(&health.said));
	wa_arg_int4(&args, WA_FIRST_PROBE_S);
	wa_query(&put, &args);
	wa_route_note_quota(name, &health);
	if (!health.ok)
		ereport(WARNING,
				(errmsg("provider \"%s\" cannot be used: %s", name, reason)));
	if (provider->exposed)
		ereport(WARNING,
				(errmsg("credential file \"%s\" may be read or written by others on this server",
						provider->exposed),
				 errhint("Take the right away: chmod go-rwx.")));
	memset(&args, 0, sizeof(args));
	wa_arg_text(&args, health.detail ? health.detail : "{}");
	wa_arg_text(&args, health.ok ? NULL : reason);
	wa_arg_text(&args, provider->exposed);
	detail = wa_row_datum(wa_query(&describe, &args), 0, 1);
	values[0] = BoolGetDatum(health.ok);
	values[1] = wa_call_text(&call, wa_route_state_names[health.ok ? WA_PROVIDER_CONFIGURED : WA_PROVIDER_ERROR]);
	values[2] = wa_call_datum(&call, detail, false, -1);
	wa_gateway_health_free(&health);
	wa_call_end(&call);
	PG_RETURN_DATUM(wa_call_record(fcinfo, values, nulls));
}
