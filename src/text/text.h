/*-------------------------------------------------------------------------
 *
 * text.h
 *		Face of the text core: phone numbers, template text, links.
 *
 * Pure C: neither PostgreSQL nor sockets.  Everything returned as char * is
 * malloc()ed and belongs to the caller (free()). NULL means "out of memory"
 * unless a function says otherwise.
 *
 * It reads what people have typed into a field, whatever it is, and never
 * fails on it: number.c finds the phone numbers in a text, template.c fills a
 * text, nothing.c knows when a value says nothing.  Begin with number.c; what
 * it must understand is test/unit/numbers.tsv.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TEXT_H
#define SICANTIK_WA_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "export.h"
#include "text/say.h"

/* Longest E.164 number is 15 digits (ITU-T E.164); plus the final NUL. */
#define WA_NUMBER_SIZE		16

/*
 * Longest text that a message may be addressed to: a country, a dot and 128
 * characters (person_id.c); plus the final NUL.
 */
#define WA_RECIPIENT_SIZE	132

/* WhatsApp's limit for one text message, in characters (not bytes). */
#define WA_TEXT_MAX_CHARS	4096

/* A named value.  Both strings are UTF-8 and NUL-terminated. */
typedef struct WaPair
{
	const char *name;
	const char *value;			/* NULL: not known */
} WaPair;

/*
 * Called for each placeholder of a template.  name has len bytes, is not
 * NUL-terminated and lives as long as the template's text.
 */
typedef void (*WaPlaceholderFn) (const char *name, size_t len, void *arg);

/* Called for each number of a field: digits in international form. */
typedef void (*WaNumberFn) (const char *number, void *arg);

/*
 * number.c.  Gives digits only, without plus.  To normalize the result again,
 * put a plus before it: bare digits are read as Indonesian.
 */
WA_EXPORT extern bool wa_text_normalize_number(const char *input,
											   char out[WA_NUMBER_SIZE]);
WA_EXPORT extern bool wa_text_each_number(const char *input, WaNumberFn each,
										  void *arg);

/* mask.c: hide the number that begins at text + at; gives how far to go on. */
extern size_t wa_text_mask_number(char *text, size_t at);

/* person_id.c: is it an id that Meta has for somebody? */
WA_EXPORT extern bool wa_text_is_person_id(const char *text);

/* nothing.c: is it empty, or a program's word for that (False, None, null)? */
WA_EXPORT extern bool wa_text_is_nothing(const char *text);

/* keyword.c: is all of it one of these words, "STOP,BERHENTI"? */
WA_EXPORT extern bool wa_text_is_keyword(const char *text, const char *words);

/* template.c; see there for what NULL from wa_text_render means. */
WA_EXPORT extern bool wa_text_placeholders(const char *body,
										   WaPlaceholderFn fn, void *arg);
WA_EXPORT extern char *wa_text_render(const char *body,
									  const WaPair *values, size_t nvalues,
									  char **missing);
WA_EXPORT extern char *wa_text_clean_value(const char *value);
WA_EXPORT extern size_t wa_text_length(const char *utf8);

/* room.c: is there memory for what json-c makes of these bytes? */
WA_EXPORT extern bool wa_text_json_room(const char *text, size_t len);

/* link.c */
WA_EXPORT extern WaSaid wa_text_link_problem(const char *link);

#endif							/* SICANTIK_WA_TEXT_H */
