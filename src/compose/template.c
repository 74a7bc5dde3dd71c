/*-------------------------------------------------------------------------
 *
 * template.c
 *		From values to the text that the citizen reads, and to parameters.
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

#include "compose/json_values.h"
#include "pg/call.h"
#include "pg/grow.h"
#include "text/text.h"

PG_FUNCTION_INFO_V1(wa_sql_render);
PG_FUNCTION_INFO_V1(wa_sql_convert_params);

/* A malloc()ed string as a palloc()ed one. */
static char *
take(char *string)
{
	char	   *copy;

	if (string == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	copy = pstrdup(string);
	free(string);
	return copy;
}

/* Of the values of a message those are cleaned that its text asks for. */
typedef struct Cleaning
{
	const WaValues *values;
	WaPair	   *pairs;			/* one for each */
} Cleaning;

static void
clean(const char *name, size_t len, void *arg)
{
	Cleaning   *cleaning = arg;

	for (int i = 0; i < cleaning->values->n; i++)
	{
		const WaValue *value = &cleaning->values->list[i];

		if (strncmp(value->name, name, len) != 0 || value->name[len] != '\0')
			continue;
		/* an empty value reads "-"; one that no setting gives is missing */
		if (value->value && cleaning->pairs[i].value == NULL)
			cleaning->pairs[i].value = take(wa_text_clean_value(value->value));
		return;
	}
}

/*
 * The text of a template with these values, palloc()ed.  If one is not known,
 * returns NULL with the names in *missing and, where a setting of the office
 * would have given it, the name of the first such setting in *setting.
 */
char *
wa_compose_template_render(const WaTemplate *template, const WaValues *values,
						   char **missing, const char **setting)
{
	WaPair	   *pairs = palloc0(sizeof(WaPair) * Max(values->n, 1));
	Cleaning	cleaning = {values, pairs};
	char	   *lacking = NULL;
	char	   *text;

	*missing = NULL;
	*setting = NULL;
	for (int i = 0; i < values->n; i++)
		pairs[i].name = values->list[i].name;
	(void) wa_text_placeholders(template->body, clean, &cleaning);
	text = wa_text_render(template->body, pairs, values->n, &lacking);
	if (text)
		return take(text);
	*missing = take(lacking);
	for (int i = 0; i < values->n && *setting == NULL; i++)
	{
		const WaValue *value = &values->list[i];
		const char *found;
		size_t		len = strlen(value->name);

		if (value->value || value->setting == NULL)
			continue;
		for (found = strstr(*missing, value->name); found && *setting == NULL;
			 found = strstr(found + 1, value->name))
			if ((found == *missing || found[-1] == ' ' || found[-1] == ',') &&
				(found[len] == '\0' || found[len] == ',' || found[len] == ' '))
				*setting = value->setting;
	}
	return NULL;
}

/* Add a member to an object in the making, once. */
static void
add_param(StringInfo json, WaValues *written, const WaValues *values, const char *name)
{
	const WaValue *value = wa_compose_values_find(values, name);

	if (value == NULL || value->value == NULL || wa_compose_values_find(written, name))
		return;
	if (written->n > 0)
		appendStringInfoString(json, ", ");
	escape_json(json, name);
	appendStringInfoString(json, ": ");
	escape_json(json, take(wa_text_clean_value(value->value)));
	wa_compose_values_add(written, name, value->value);
}

/*
 * The values that this template, or any provider's mapping of it, asks for,
 * as the text of a JSON object; kept with the message.
 */
char *
wa_compose_template_params(const WaTemplate *template, const WaMapping *mappings, int nmappings,
						   const WaValues *values)
{
	StringInfoData json;
	WaValues	written = {0};

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < template->nparameters; i++)
		add_param(&json, &written, values, template->parameters[i]);
	for (int m = 0; m < nmappings; m++)
	{
		if (strcmp(mappings[m].template_key, template->key) != 0)
			continue;
		for (int i = 0; i < mappings[m].nparameters; i++)
			add_param(&json, &written, values, mappings[m].parameters[i]);
	}
	appendStringInfoChar(&json, '}');
	return wa_pg_fitted(&json);
}

static WaTemplate *
require_template(const char *key)
{
	WaTemplate *template = wa_route_load_template(key);

	if (template == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("template \"%s\" does not exist", key),
				 errhint("SELECT key, name FROM wa.template_view lists the templates; wa_setup() makes the standard ones.")));
	return template;
}

/*
 * wa_render(): see compose.sql.
 */
Datum
wa_sql_render(PG_FUNCTION_ARGS)
{
	char	   *key = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb	   *params = PG_GETARG_JSONB_P(1);
	WaCall		call;
	WaValues	values = {0};
	WaTemplate *template;
	char	   *text;
	char	   *missing;
	const char *setting;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	template = require_template(key);
	wa_compose_values_from_json(&values, params);
	text = wa_compose_template_render(template, &values, &missing, &setting);
	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameters are missing for template \"%s\": %s", key, missing)));
	result = wa_call_text(&call, text);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}

static const WaMapping *
find_mapping(const WaMapping *mappings, int n, const char *key, const char *kind)
{
	WaProviders providers;

	wa_route_load_providers(&providers, false);
	for (int i = 0; i < n; i++)
	{
		WaProvider *provider = wa_route_find_provider(&providers, mappings[i].provider);

		if (provider && strcmp(provider->kind, kind) == 0 &&
			strcmp(mappings[i].template_key, key) == 0 && !mappings[i].is_text)
			return &mappings[i];
	}
	return NULL;
}

/*
 * wa_convert_params(): see compose.sql.
 */
Datum
wa_sql_convert_params(PG_FUNCTION_ARGS)
{
	char	   *key = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *kind = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Jsonb	   *params = PG_GETARG_JSONB_P(2);
	WaCall		call;
	WaValues	values = {0};
	WaTemplate *template;
	WaMapping  *mappings;
	const WaMapping *mapping;
	int			nmappings;
	char	  **names;
	int			nnames;
	WaPair	   *pairs;
	const WaGateway *gateway = wa_gateway_find(kind);
	char	   *json;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	if (gateway == NULL)
	{
		char		kinds[256] = "";

		wa_gateway_kinds(kinds, sizeof(kinds));
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("provider kind \"%s\" is not known", kind),
				 errhint("Known kinds: %s.", kinds)));
	}
	template = require_template(key);
	mappings = wa_route_load_mappings(&nmappings);
	mapping = find_mapping(mappings, nmappings, key, kind);
	names = mapping && mapping->parameters ? mapping->parameters : template->parameters;
	nnames = mapping && mapping->parameters ? mapping->nparameters : template->nparameters;

	wa_compose_values_from_json(&values, params);
	pairs = palloc(sizeof(WaPair) * Max(nnames, 1));
	for (int i = 0; i < nnames; i++)
	{
		const WaValue *value = wa_compose_values_find(&values, names[i]);

		if (value == NULL || value->value == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter \"%s\" is missing for template \"%s\"", names[i], key)));
		pairs[i].name = names[i];
		pairs[i].value = take(wa_text_clean_value(value->value));
	}
	json = take(wa_gateway_params(gateway, pairs, nnames, mapping && mapping->named));
	result = wa_call_datum(&call, DirectFunctionCall1(jsonb_in, CStringGetDatum(json)), false, -1);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
