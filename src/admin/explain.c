/*-------------------------------------------------------------------------
 *
 * explain.c
 *		What would happen now: the routing decision, the connection test.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "admin/setting.h"
#include "compose/compose.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/route.h"
#include "worker/deliver_module.h"

PG_FUNCTION_INFO_V1(wa_sql_determine_provider);
PG_FUNCTION_INFO_V1(wa_sql_test_connection);

static HeapTuple
form_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return heap_form_tuple(BlessTupleDesc(desc), values, nulls);
}

/*
 * wa_determine_provider(): see explain.sql.
 */
Datum
wa_sql_determine_provider(PG_FUNCTION_ARGS)
{
	int64		partner_id = PG_GETARG_INT64(0);
	char	   *template_key = text_to_cstring(PG_GETARG_TEXT_PP(1));
	WaCall		call;
	WaBatch		batch = {0};
	WaRoute		route = {0};
	WaProviders providers;
	WaRecipient *recipient;
	const char *locked = NULL;
	Datum		values[4] = {0};
	bool		nulls[4] = {true, true, false, false};

	wa_call_begin(&call, WA_LEVEL_VIEW);
	batch.schema = wa_setting_get("odoo_schema");
	if (wa_route_load_template(template_key) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("template \"%s\" does not exist", template_key)));
	if (!wa_people_load_partners(&batch, &partner_id, 1))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("table \"%s\" is locked at the moment", batch.locked_table)));
	recipient = wa_people_partner(&batch, partner_id);
	if (recipient == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("partner " INT64_FORMAT " does not exist", partner_id)));

	route.number = recipient->number;
	route.partner_id = partner_id;
	route.template_key = template_key;
	route.requires_opt_in = true;
	batch.mappings = wa_route_load_mappings(&batch.nmappings);
	wa_route_load_providers(&providers, false);
	if (!wa_route_load_facts(&route, 1, batch.schema, &locked, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("table \"%s\" is locked at the moment", locked)));
	if (route.number == NULL)
		route.reason = psprintf("no message: no usable number in %s", recipient->tried);
	else if (route.refusal)
		route.reason = psprintf("no message: %s", route.refusal);
	else
		wa_route_decide(&route, &providers, batch.mappings, batch.nmappings, NULL);
	if (route.provider)
	{
		nulls[0] = nulls[1] = false;
		values[0] = wa_call_text(&call, route.provider->name);
		values[1] = wa_call_text(&call, route.provider->kind);
	}
	values[2] = wa_call_text(&call, route.reason);
	values[3] = BoolGetDatum(route.provider && route.use_window);
	wa_call_end(&call);
	PG_RETURN_DATUM(HeapTupleGetDatum(form_row(fcinfo, values, nulls)));
}

/*
 * wa_test_connection(): see deliver.sql.
 */
Datum
wa_sql_test_connection(PG_FUNCTION_ARGS)
{
	static WaStatement put =
		WA_STATEMENT("UPDATE wa.provider SET state = CASE WHEN $2 THEN 'configured' ELSE 'error' END,"
					 " last_error = CASE WHEN NOT $2 THEN $3 END,"
					 " last_error_at = CASE WHEN NOT $2 THEN clock_timestamp() END,"
					 " tested_at = clock_timestamp(), failed_probes = 0,"
					 " probe_at = CASE WHEN NOT $2 THEN clock_timestamp() + $4 * interval '1 second' END"
					 " WHERE name = $1 RETURNING state");
	static WaStatement describe =
		WA_STATEMENT("SELECT CASE WHEN $2 IS NOT NULL THEN jsonb_build_object('reason', $2) ELSE '{}' END || $1::jsonb"
					 " || CASE WHEN $3 IS NOT NULL THEN jsonb_build_object('exposed_file', $3) ELSE '{}' END");
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	WaCall		call;
	WaProviders providers;
	WaProvider *provider;
	WaArgs		args = {0};
	bool		isnull;
	WaHealth	health = {0};
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
		strlcpy(health.reason, provider->problem, sizeof(health.reason));
	else
		wa_load_deliver()->test(provider, &health);
	wa_arg_text(&args, name);
	wa_arg_bool(&args, health.ok);
	wa_arg_text(&args, health.reason);
	wa_arg_int4(&args, WA_FIRST_PROBE_S);
	wa_query(&put, &args);
	wa_route_note_quota(name, &health);
	if (!health.ok)
		ereport(WARNING,
				(errmsg("provider \"%s\" cannot be used: %s", name, health.reason)));
	if (provider->exposed)
		ereport(WARNING,
				(errmsg("credential file \"%s\" may be read or written by others on this server",
						provider->exposed),
				 errhint("Take the right away: chmod go-rwx.")));
	memset(&args, 0, sizeof(args));
	wa_arg_text(&args, health.detail ? health.detail : "{}");
	wa_arg_text(&args, health.ok ? NULL : health.reason);
	wa_arg_text(&args, provider->exposed);
	wa_query(&describe, &args);
	detail = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	values[0] = BoolGetDatum(health.ok);
	values[1] = wa_call_text(&call, health.ok ? "configured" : "error");
	values[2] = wa_call_datum(&call, detail, false, -1);
	wa_health_free(&health);
	wa_call_end(&call);
	PG_RETURN_DATUM(HeapTupleGetDatum(form_row(fcinfo, values, nulls)));
}
