/*-------------------------------------------------------------------------
 *
 * fact.c
 *		What composers ask of a value of Odoo's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/batch.h"
#include "text/text.h"

/*
 * Is this the number of a permit or document?  Odoo's word for a number that
 * is yet to be drawn is none.
 */
bool
wa_compose_numbered(const char *number)
{
	return wa_compose_filled(number) && pg_strcasecmp(number, "New") != 0 &&
		strcmp(number, "/") != 0;
}

/*
 * Remember that a table of the batch could not be had; the batch is put off.
 * Returns true if it was locked.  Raises an error for one that may not be read.
 */
bool
wa_compose_add_locked(WaBatch *batch, const WaAppTable *table, const char *name)
{
	wa_app_require(table);
	if (table->state != WA_APP_LOCKED)
		return false;
	batch->locked = true;
	batch->locked_table = name;
	batch->locked_why = table->why;
	return true;
}

/*
 * Is there a text that says something?
 */
bool
wa_compose_filled(const char *given)
{
	return !wa_text_is_nothing(given);
}

/*
 * Is there a text, and is it this one?
 */
bool
wa_compose_is(const char *given, const char *value)
{
	return given != NULL && strcmp(given, value) == 0;
}

/*
 * A value as a sentence names it.
 */
const char *
wa_compose_shown(const char *given)
{
	return given && given[0] ? given : "empty";
}
