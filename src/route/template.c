/*-------------------------------------------------------------------------
 *
 * template.c
 *		Templates, and how each provider knows them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/query.h"
#include "route/providers.h"

/*
 * Names in an array column; elements that are NULL are dropped.  NULL for SQL
 * NULL.
 */
static char **
load_names(WaRows rows, uint64 row, int column, int *n)
{
	int			all;
	char	  **names = wa_row_text_array(rows, row, column, &all);

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
		WA_STATEMENT("SELECT key, body, language, active, parameters, category"
					 " FROM wa.template WHERE key = $1");
	WaArgs		args = {0};
	WaRows		rows;
	WaTemplate *template;

	wa_arg_text(&args, key);
	rows = wa_query(&load, &args);
	if (rows.n == 0)
		return NULL;
	template = palloc0(sizeof(WaTemplate));
	template->key = wa_row_text(rows, 0, 1);
	template->body = wa_row_text(rows, 0, 2);
	template->language = wa_row_text(rows, 0, 3);
	template->active = wa_row_bool(rows, 0, 4);
	template->parameters = load_names(rows, 0, 5, &template->nparameters);
	template->category = wa_row_text(rows, 0, 6);
	wa_rows_free(rows);
	return template;
}

/* In the order of WaMappingState; any other word is a draft. */
const char *const wa_route_mapping_states[WA_MAPPING_STATES] = {
	[WA_MAPPING_DRAFT] = "draft",
	[WA_MAPPING_CONFIGURED] = "configured",
	[WA_MAPPING_APPROVED] = "approved",
	[WA_MAPPING_ERROR] = "error",
};

/* The state of this name. */
WaMappingState
wa_route_mapping_state(const char *name)
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
					 " format = 'named', parameters, status, last_error, last_error_said,"
					 " provider_status, provider_category, quality, provider_note, provider_note_said"
					 " FROM wa.template_mapping"
					 " ORDER BY template_key COLLATE \"C\", provider COLLATE \"C\"");
	WaRows		rows = wa_query(&load, NULL);
	WaMapping  *mappings = palloc0(sizeof(WaMapping) * Max(rows.n, 1));

	*n = (int) rows.n;
	for (uint64 i = 0; i < rows.n; i++)
	{
		WaMapping  *mapping = &mappings[i];

		mapping->template_key = wa_row_text(rows, i, 1);
		mapping->provider = wa_row_text(rows, i, 2);
		mapping->is_text = wa_row_bool(rows, i, 3);
		mapping->name = wa_row_text(rows, i, 4);
		mapping->language = wa_row_text(rows, i, 5);
		mapping->named = wa_row_bool(rows, i, 6);
		mapping->parameters = load_names(rows, i, 7, &mapping->nparameters);
		mapping->status = wa_route_mapping_state(wa_row_text(rows, i, 8));
		mapping->last_error = wa_row_said(rows, i, 9);
		mapping->provider_status = wa_row_text(rows, i, 11);
		mapping->provider_category = wa_row_text(rows, i, 12);
		mapping->quality = wa_row_text(rows, i, 13);
		mapping->note = wa_row_said(rows, i, 14);
	}
	wa_rows_free(rows);
	return mappings;
}
