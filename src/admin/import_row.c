/*-------------------------------------------------------------------------
 *
 * import_row.c
 *		What the parts of wa_import_odoo() do with a row of Odoo's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "admin/import.h"
#include "compose/values.h"
#include "odoo/odoo.h"
#include "pg/call.h"
#include "pg/subtransaction.h"

/*
 * Does a column of Odoo's say anything?
 */
bool
wa_admin_import_filled(const char *text)
{
	/* Odoo's False may have become a word */
	return text && text[0] != '\0' && strcmp(text, "False") != 0 && strcmp(text, "false") != 0;
}

/*
 * Columns that Odoo keeps in several languages (jsonb) in Indonesian, else
 * English, else any; others, and lists, stay as they are.
 */
void
wa_admin_import_translate(const WaAppTable *table, WaAppRows *rows, const char *const *columns, int ncolumns)
{
	for (int c = 0; c < ncolumns; c++)
	{
		if (!wa_app_has_column(table, columns[c]) ||
			get_atttype(table->relid, get_attnum(table->relid, columns[c])) != JSONBOID)
			continue;
		for (uint64 r = 0; r < rows->n; r++)
			if (rows->values[r][c] && rows->values[r][c][0] == '{')
				rows->values[r][c] = wa_odoo_translated(rows->values[r][c], true);
	}
}

/*
 * Add a member to the text of a JSON object that has begun.  A quoted value
 * that says nothing is left out.
 */
void
wa_admin_import_add_member(StringInfo json, const char *name, const char *value, bool quoted)
{
	if (!wa_admin_import_filled(value) && quoted)
		return;
	appendStringInfoString(json, json->len > 1 ? ", " : "");
	escape_json(json, name);
	appendStringInfoString(json, ": ");
	if (quoted)
		escape_json(json, value);
	else
		appendStringInfoString(json, value);
}

/* A call of one of our functions: (first, json) or (first, second, json). */
typedef struct Attempt
{
	PGFunction	function;
	const char *first;
	const char *second;			/* or NULL */
	const char *json;
} Attempt;

static bool
call_function(void *argument)
{
	const Attempt *call = argument;
	Datum		object = DirectFunctionCall1(jsonb_in, CStringGetDatum(call->json));

	if (call->second)
		(void) DirectFunctionCall3(call->function, CStringGetTextDatum(call->first),
								   CStringGetTextDatum(call->second), object);
	else
		(void) DirectFunctionCall2(call->function, CStringGetTextDatum(call->first), object);
	return true;
}

/*
 * Call one of our functions as a person would.  Returns NULL, or what it
 * objected, with everything that it did undone.
 */
char *
wa_admin_import_attempt(PGFunction function, const char *first, const char *second, const char *json)
{
	Attempt		call = {function, first, second, json};
	ErrorData  *error = wa_pg_subtransaction(call_function, &call);

	if (error == NULL)
		return NULL;
	/* a lock or a full disk is no objection: the whole import again, later */
	if (wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	return error->detail ? psprintf("%s: %s", error->message, error->detail) : error->message;
}

/*
 * Open a table of the module's; if it cannot be read, a row says why.
 */
bool
wa_admin_import_open_table(FunctionCallInfo fcinfo, WaAppTable *table, const char *schema, const char *name)
{
	wa_app_open(table, schema, name);
	if (table->state == WA_APP_READY)
		return true;
	wa_call_say(fcinfo, psprintf("table %s", name), "not taken",
				table->state == WA_APP_LOCKED ? "it is locked at the moment; call again" :
				table->state == WA_APP_MISSING ? "there is no such table" :
				table->state == WA_APP_FORBIDDEN ? wa_said_english(table->why) : "it is not a table");
	return false;
}
