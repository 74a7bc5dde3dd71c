/*-------------------------------------------------------------------------
 *
 * said.h
 *		Sentences (text/say.h) where there is PostgreSQL: made, and in words.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PG_SAID_H
#define SICANTIK_WA_PG_SAID_H

#include "postgres.h"

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
extern PGDLLEXPORT char *wa_said_words(WaSaid said, WaLanguage language);
extern PGDLLEXPORT char *wa_said_english(WaSaid said);

#endif							/* SICANTIK_WA_PG_SAID_H */
