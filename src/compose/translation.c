/*-------------------------------------------------------------------------
 *
 * translation.c
 *		Odoo's translations of names, before its version 16.
 *
 * Since then a translated name is jsonb in its own table.  Before, the column
 * holds the text in the source language, and table ir_translation the others:
 * a row for each language, column ("model,field") and record.  That table is
 * large and has an index on the record's id, so it is read by ids.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/permit.h"


/*
 * The Indonesian values of a column ("model,field") for the records with
 * these ids, in their order; NULL for a record without one.
 */
char	  **
wa_compose_translations_read(const WaAppTable *translations, const char *column,
							 const int64 *ids, int n)
{
	static const char *const columns[] = {"res_id", "name", "lang", "type", "value"};
	char	  **values = palloc0(sizeof(char *) * Max(n, 1));
	WaAppRows	rows;

	if (translations->state != WA_APP_READY || n == 0)
		return values;
	wa_app_read_by_id(&rows, translations, columns, lengthof(columns), "res_id", ids, n);
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];

		if (row[1] == NULL || strcmp(row[1], column) != 0 ||
			row[2] == NULL || strcmp(row[2], "id_ID") != 0 ||
			row[3] == NULL || strcmp(row[3], "model") != 0 ||
			row[4] == NULL || row[4][0] == '\0')
			continue;
		for (int i = 0; i < n; i++)
			if (ids[i] == strtoll(row[0], NULL, 10))
				values[i] = row[4];
	}
	return values;
}
