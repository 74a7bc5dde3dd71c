/*-------------------------------------------------------------------------
 *
 * say.h
 *		Sentences for people, as values: a key and what stands in it.
 *
 * Pure C.  A sentence travels through C as a WaSaid, a key and its values, and
 * not as its words, of which there are two languages.  So nobody can put words
 * of his own where one is expected:
 *
 *		wa_say(WA_SAY_TEMPLATE_GONE, key)
 *
 * The catalogue, words.def, has for each key the English and the Indonesian
 * form, with {1}, {2} and so on for the values, so that each language has an
 * order of its own.  A key without both does not compile, nor does a call with
 * another number of values; unit/text_test.c compares the placeholders.
 *
 * A value is text as it is (a name, a figure, a time, what a provider wrote),
 * or a WaSaid in its turn.  What others said stands as WA_SAY_QUOTE.  Several
 * sentences in a row are joined by "; ".
 *
 * A WaSaid is a string: each sentence is \001, its key, a \002 before each
 * value, \003.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TEXT_SAY_H
#define SICANTIK_WA_TEXT_SAY_H

#include <stdbool.h>
#include <stddef.h>

#include "export.h"

typedef enum WaSay
{
#define SAY(key, n, english, indonesian) WA_SAY_##key,
#include "text/words.def"
#undef SAY
	WA_SAY_END
} WaSay;

/* How many values each has. */
enum
{
#define SAY(key, n, english, indonesian) WA_SAY_##key##_VALUES = (n),
#include "text/words.def"
#undef SAY
};

#define WA_SAY_MAX_VALUES	9

/* What is said; NULL: nothing. */
typedef const struct WaSaidString *WaSaid;

/* One that lives in a struct, of limited length; "" if nothing is said. */
#define WA_SAID_SIZE	640

typedef struct WaSaidText
{
	char		bytes[WA_SAID_SIZE];
} WaSaidText;

#define WA_SAID_IN(text)	((text)->bytes[0] ? (WaSaid) (const void *) (text)->bytes : NULL)

/*
 * For functions that take a key, a number of values and the values (strings or
 * WaSaid; NULL is shown as "-"): from a key and its values, counted at compile
 * time.
 */
#define WA_SAY_ARGUMENTS(key, ...) \
	(WaSay) ((key) + 0 * sizeof(char[WA_SAY_GIVEN(__VA_ARGS__) == key##_VALUES ? 1 : -1])), \
	key##_VALUES, WA_SAY_LIST(__VA_ARGS__) + 1
#define WA_SAY_LIST(...)	(const void *const []) {NULL, ##__VA_ARGS__}
#define WA_SAY_GIVEN(...)	(int) (sizeof(WA_SAY_LIST(__VA_ARGS__)) / sizeof(void *) - 1)

/*
 * Put a sentence into a WaSaidText.  What is too long is cut in its values.
 */
#define wa_say_into(text, ...)	wa_text_say_into((text), WA_SAY_ARGUMENTS(__VA_ARGS__))

/* A number as a value; it lives as long as the block that it stands in. */
#define WA_NUMBER(number)	wa_text_say_number((number), (char[24]) {0})

typedef enum WaLanguage
{
	WA_ENGLISH,
	WA_INDONESIAN
} WaLanguage;

/* say.c */
WA_EXPORT extern void wa_text_say_into(WaSaidText *text, WaSay key, int n, const void *const *values);
WA_EXPORT extern void wa_text_say_copy(WaSaidText *text, WaSaid said);
WA_EXPORT extern size_t wa_text_say_size(WaSay key, int n, const void *const *values);
WA_EXPORT extern WaSaid wa_text_say_write(char *bytes, size_t size, WaSay key, int n,
										  const void *const *values);
WA_EXPORT extern WaSaid wa_text_say_plain(WaSay key);
WA_EXPORT extern size_t wa_text_say_words(char *words, size_t size, WaSaid said, WaLanguage language);
WA_EXPORT extern bool wa_text_say_is(const char *value);
WA_EXPORT extern size_t wa_text_say_frame(const char *at);
WA_EXPORT extern size_t wa_text_say_value(const char *at);
WA_EXPORT extern const char *wa_text_say_number(long long number, char *digits);
WA_EXPORT extern const char *wa_text_say_name(WaSay key);
WA_EXPORT extern const char *wa_text_say_form(WaSay key, WaLanguage language);
WA_EXPORT extern bool wa_text_say_find(const char *name, size_t len, WaSay *key, int *nvalues);

/*
 * Reading a WaSaid from its beginning: the next sentence, and its values.
 */
typedef struct WaSaidPart
{
	WaSay		key;
	int			n;
	const char *values[WA_SAY_MAX_VALUES];	/* WaSaid, or text, not terminated */
	size_t		lengths[WA_SAY_MAX_VALUES];
} WaSaidPart;

WA_EXPORT extern const char *wa_text_say_next(const char *at, const char *end, WaSaidPart *part);

#endif							/* SICANTIK_WA_TEXT_SAY_H */
