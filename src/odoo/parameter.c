/*-------------------------------------------------------------------------
 *
 * parameter.c
 *		Odoo's system parameters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "odoo/odoo.h"

/*
 * The values of these parameters, palloc()ed, in their order; NULL for one
 * that is not set.  Returns what became of their table, which is in *table: if
 * it is not WA_APP_READY, nothing is known.
 */
WaAppState
wa_odoo_parameters(WaAppTable *table, const char *schema, const char *const *keys, int n, char **values)
{
	static const char *const columns[] = {"key", "value"};
	WaAppRows	rows;

	memset(values, 0, sizeof(char *) * n);
	if (wa_app_open(table, schema, "ir_config_parameter") != WA_APP_READY)
		return table->state;
	wa_app_read_by_text(&rows, table, columns, lengthof(columns), "key", keys, n);
	for (uint64 r = 0; r < rows.n; r++)
		for (int i = 0; i < n; i++)
			if (wa_odoo_is(rows.values[r][0], keys[i]))
				values[i] = rows.values[r][1];
	return table->state;
}

/*
 * The value of one parameter, palloc()ed; NULL if it is not set, or is one of
 * Odoo's words for nothing, or cannot be read now.
 */
char *
wa_odoo_parameter(const char *schema, const char *key)
{
	WaAppTable	table;
	char	   *value;

	(void) wa_odoo_parameters(&table, schema, &key, 1, &value);
	return wa_odoo_filled(value) ? value : NULL;
}
