/*-------------------------------------------------------------------------
 *
 * determine_provider.c
 *		wa_determine_provider(): the routing decision as it would be now.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "odoo/people.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/route.h"

PG_FUNCTION_INFO_V1(wa_sql_determine_provider);

/*
 * wa_determine_provider(): see explain.sql.
 */
Datum
wa_sql_determine_provider(PG_FUNCTION_ARGS)
{
	int64		partner_id = PG_GETARG_INT64(0);
	char	   *template_key = text_to_cstring(PG_GETARG_TEXT_PP(1));
	WaCall		call;
	WaOdoo		odoo = {0};
	WaRoute		route = {0};
	WaProviders providers;
	WaMapping  *mappings;
	int			nmappings;
	WaRecipient *recipient;
	const char *reason;
	const char *locked = NULL;
	Datum		values[4] = {0};
	bool		nulls[4] = {true, true, false, false};

	wa_call_begin(&call, WA_LEVEL_VIEW);
	odoo.schema = wa_office_get("odoo_schema");
	if (wa_route_load_template(template_key) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("template \"%s\" does not exist", template_key)));
	if (!wa_odoo_load_partners(&odoo, &partner_id, 1))
		wa_call_table_locked(odoo.locked_table);
	recipient = wa_odoo_partner(&odoo, partner_id);
	if (recipient == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("partner " INT64_FORMAT " does not exist", partner_id)));

	route.number = recipient->number;
	route.partner_id = partner_id;
	route.template_key = template_key;
	route.requires_opt_in = true;
	mappings = wa_route_load_mappings(&nmappings);
	wa_route_load_providers(&providers, false);
	if (!wa_route_load_facts(&route, 1, odoo.schema, &locked, NULL))
		wa_call_table_locked(locked);
	if (route.number == NULL)
		reason = psprintf("no message: no usable number in %s", recipient->tried ? wa_said_english(recipient->tried) : "");
	else if (route.refusal)
		reason = psprintf("no message: %s", wa_said_english(route.refusal));
	else
	{
		wa_route_decide(&route, &providers, mappings, nmappings, NULL);
		reason = wa_said_english(route.reason);
	}
	if (route.provider)
	{
		nulls[0] = nulls[1] = false;
		values[0] = wa_call_text(&call, route.provider->name);
		values[1] = wa_call_text(&call, route.provider->kind);
	}
	values[2] = wa_call_text(&call, reason);
	values[3] = BoolGetDatum(route.provider && route.use_window);
	wa_call_end(&call);
	PG_RETURN_DATUM(wa_call_record(fcinfo, values, nulls));
}
