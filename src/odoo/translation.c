/*-------------------------------------------------------------------------
 *
 * translation.c
 *		Names that Odoo translates.
 *
 * Since then a translated name is jsonb in its own table.  Before, the column
 * holds the text in the source language, and table ir_translation the others:
 * a row for each language, column ("model,field") and record.  That table is
 * large and has an index on the record's id, so it is read by ids.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "odoo/odoo.h"
#include "pg/json_text.h"

/*
 * A name that may be translated: Odoo keeps {"en_US": .., "id_ID": ..} since
 * version 16, plain text before.  Indonesian first, then English, then any.
 */
char *
wa_odoo_translated(const char *text, bool is_jsonb)
{
	static const char *const languages[] = {"id_ID", "en_US"};
	struct json_object *object;
	struct json_object *value = NULL;
	char	   *result = NULL;

	if (text == NULL || !is_jsonb)
		return text ? pstrdup(text) : NULL;
	object = wa_pg_json_read(text);
	if (json_object_is_type(object, json_type_object))
	{
		for (size_t i = 0; i < lengthof(languages) && value == NULL; i++)
			(void) json_object_object_get_ex(object, languages[i], &value);
		if (value == NULL)
		{
			json_object_object_foreach(object, key, any)
			{
				(void) key;
				value = any;
				break;
			}
		}
	}
	else if (json_object_is_type(object, json_type_string))
		value = object;
	if (value)
		result = pstrdup(json_object_get_string(value));
	if (object)
		json_object_put(object);
	return result;
}

/*
 * The Indonesian values of a column ("model,field") for the records with
 * these ids, in their order; NULL for a record without one.
 */
char	  **
wa_odoo_translations(const WaAppTable *translations, const char *column,
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

		if (!wa_odoo_is(row[1], column) || !wa_odoo_is(row[2], "id_ID") || !wa_odoo_is(row[3], "model") ||
			row[4] == NULL || row[4][0] == '\0')
			continue;
		for (int i = 0; i < n; i++)
			if (ids[i] == wa_odoo_id(row[0]))
				values[i] = row[4];
	}
	return values;
}
