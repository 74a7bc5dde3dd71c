/*-------------------------------------------------------------------------
 *
 * fact.c
 *		Odoo's tables, and what may be asked of a value in one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "odoo/odoo.h"
#include "text/text.h"

/*
 * Is this the number of a permit or document?  Odoo's word for a number that
 * is yet to be drawn is none.
 */
bool
wa_odoo_numbered(const char *number)
{
	return wa_odoo_filled(number) && pg_strcasecmp(number, "New") != 0 &&
		strcmp(number, "/") != 0;
}

/*
 * Lock a table for reading; see wa_app_open().  Returns false if it could not
 * be had now, which is remembered: whoever needs it comes back later.  Raises
 * an error for one that may not be read.
 */
bool
wa_odoo_open(WaOdoo *odoo, WaAppTable *table, const char *name)
{
	wa_app_open(table, odoo->schema, name);
	wa_app_require(table);
	if (table->state != WA_APP_LOCKED)
		return true;
	odoo->locked = true;
	odoo->locked_table = name;
	odoo->locked_why = table->why;
	return false;
}

/*
 * Is there a text that says something?
 */
bool
wa_odoo_filled(const char *given)
{
	return !wa_text_is_nothing(given);
}

/*
 * Is there a text, and is it this one?
 */
bool
wa_odoo_is(const char *given, const char *value)
{
	return given != NULL && strcmp(given, value) == 0;
}

/*
 * A value as it stands in what is said.
 */
const void *
wa_odoo_shown(const char *given)
{
	return given && given[0] ? (const void *) given : wa_say(WA_SAY_EMPTY);
}

/*
 * Is it the text of a boolean that is true?
 */
bool
wa_odoo_is_true(const char *given)
{
	return given && given[0] == 't';
}

/*
 * The id that a text is; 0: there is none.
 */
int64
wa_odoo_id(const char *given)
{
	return given ? strtoll(given, NULL, 10) : 0;
}

/*
 * Facts that were read, as one number: these, and a text (NULL: none) to them.
 */
uint64
wa_odoo_add_fact(uint64 facts, const char *text)
{
	return hash_combine64(facts, text ? hash_bytes_extended((const unsigned char *) text, strlen(text), 1) : 0);
}

/*
 * For qsort() and bsearch(): of rows that begin with an id, or of ids.
 */
int
wa_odoo_by_id(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left < right ? -1 : left > right ? 1 : 0;
}
