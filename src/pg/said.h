/*-------------------------------------------------------------------------
 *
 * said.h
 *		Sentences (text/say.h) where there is PostgreSQL: made, joined, stored.
 *
 * A sentence takes two columns of a table, or two parameters of a statement:
 * its words in English, for people who read the table, and jsonb, from which
 * it is made in another language.  The second is named like the first, with
 * "_said" behind it, and follows it wherever both are read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PG_SAID_H
#define SICANTIK_WA_PG_SAID_H

#include "postgres.h"

#include "pg/columns.h"
#include "text/say.h"

/*
 * A sentence with its values, each a string or a WaSaid.  palloc()ed, but for
 * one without values.
 */
#define wa_say(...)		wa_said_make(WA_SAY_ARGUMENTS(__VA_ARGS__))

extern PGDLLEXPORT WaSaid wa_said_make(WaSay key, int n, const void *const *values);
extern PGDLLEXPORT WaSaid wa_said_quote(const char *text);
extern PGDLLEXPORT WaSaid wa_said_statement(const char *format,...) pg_attribute_printf(1, 2);
extern PGDLLEXPORT WaSaid wa_said_and(WaSaid first, WaSaid second);
extern PGDLLEXPORT WaSaid wa_said_copy(WaSaid said);

extern PGDLLEXPORT char *wa_said_words(WaSaid said, WaLanguage language);
extern PGDLLEXPORT char *wa_said_english(WaSaid said);

extern PGDLLEXPORT void wa_arg_said(WaArgs *args, WaSaid said);
extern PGDLLEXPORT void wa_arg_said_array(WaArgs *args, const WaSaid *said, int n);
extern PGDLLEXPORT WaSaid wa_row_said(WaRows rows, uint64 row, int column);

/* In a row type: both columns of a member. */
extern PGDLLEXPORT const WaType wa_said_row_words;
extern PGDLLEXPORT const WaType wa_said_row_type;
#define WA_TYPE_words		wa_said_row_words
#define WA_TYPE_said		wa_said_row_type
#define WA_C_words			WaSaid
#define WA_C_said			WaSaid
#define WA_FITS_words(x)	WA_FITS_said(x)
#define WA_FITS_said(x)		_Generic((x), WaSaid: 0)
#define WA_SAID_COLUMNS(row, member) \
	{&wa_said_row_words, offsetof(row, member) + 0 * sizeof(WA_FITS_said(((row *) 0)->member)), #member, #member}, \
	{&wa_said_row_type, offsetof(row, member), #member "_said", #member "_said"}

/*
 * SQL: what is said, as a list to which something can be added, given the
 * columns with its words and with the rest.
 */
#define WA_SQL_SAID_LIST(words, said) \
	"CASE WHEN " words " IS NULL THEN '[]' WHEN " said " IS NULL THEN jsonb_build_array(" words ")" \
	" WHEN jsonb_typeof(" said ") = 'array' THEN " said " ELSE jsonb_build_array(" said ") END"

/* In ereport(), instead of errmsg(); and what a caught error says. */
extern PGDLLEXPORT int wa_said_errmsg(WaSaid said);
extern PGDLLEXPORT char *wa_said_message(WaSaid said);
extern PGDLLEXPORT WaSaid wa_said_of_error(const ErrorData *error);

#endif							/* SICANTIK_WA_PG_SAID_H */
