/*-------------------------------------------------------------------------
 *
 * template.c
 *		Templates, and how each provider knows them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/query.h"
#include "route/provider.h"

/*
 * Names in an array column; elements that are NULL are dropped.  NULL for SQL
 * NULL.
 */
static char **
load_names(uint64 row, int column, int *n)
{
	int			all;
	char	  **names = wa_row_text_array(row, column, &all);

	*n = 0;
	for (int i = 0; i < all; i++)
		if (names[i])
			names[(*n)++] = names[i];
	return names;
}

/*
 * The template of this key, or NULL.
 */
WaTemplate *
wa_route_load_template(const char *key)
{
	static WaStatement load =
		WA_STATEMENT("SELECT key, body, language, active, parameters"
					 " FROM wa.template WHERE key = $1");
	WaArgs		args = {0};
	WaTemplate *template;

	wa_arg_text(&args, key);
	if (wa_query(&load, &args) == 0)
		return NULL;
	template = palloc0(sizeof(WaTemplate));
	template->key = wa_row_text(0, 1);
	template->body = wa_row_text(0, 2);
	template->language = wa_row_text(0, 3);
	template->active = wa_row_bool(0, 4);
	template->parameters = load_names(0, 5, &template->nparameters);
	SPI_freetuptable(SPI_tuptable);
	return template;
}

/* In the order of WaMappingState; any other word is a draft. */
const char *const wa_route_mapping_states[WA_MAPPING_STATES] = {
	[WA_MAPPING_DRAFT] = "draft",
	[WA_MAPPING_CONFIGURED] = "configured",
	[WA_MAPPING_APPROVED] = "approved",
	[WA_MAPPING_ERROR] = "error",
};

static WaMappingState
mapping_state(const char *name)
{
	for (int i = 0; i < WA_MAPPING_STATES; i++)
		if (strcmp(wa_route_mapping_states[i], name) == 0)
			return (WaMappingState) i;
	return WA_MAPPING_DRAFT;
}

/*
 * All mappings, by template and provider; *n of them.
 */
WaMapping *
wa_route_load_mappings(int *n)
{
	static WaStatement load =
		WA_STATEMENT("SELECT template_key, provider, mode = 'text', name, language,"
					 " format = 'named', parameters, status, last_error"
					 " FROM wa.template_mapping"
					 " ORDER BY template_key COLLATE \"C\", provider COLLATE \"C\"");
	uint64		rows = wa_query(&load, NULL);
	WaMapping  *mappings = palloc0(sizeof(WaMapping) * Max(rows, 1));

	*n = (int) rows;
	for (uint64 i = 0; i < rows; i++)
	{
		WaMapping  *mapping = &mappings[i];

		mapping->template_key = wa_row_text(i, 1);
		mapping->provider = wa_row_text(i, 2);
		mapping->is_text = wa_row_bool(i, 3);
		mapping->name = wa_row_text(i, 4);
		mapping->language = wa_row_text(i, 5);
		mapping->named = wa_row_bool(i, 6);
		mapping->parameters = load_names(i, 7, &mapping->nparameters);
		mapping->status = mapping_state(wa_row_text(i, 8));
		mapping->last_error = wa_row_text(i, 9);
	}
	SPI_freetuptable(SPI_tuptable);
	return mappings;
}
