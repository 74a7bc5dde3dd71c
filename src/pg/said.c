/*-------------------------------------------------------------------------
 *
 * said.c
 *		Sentences (text/say.h) where there is PostgreSQL: made, and in words.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "pg/said.h"

/* See wa_say(). */
WaSaid
wa_said_make(WaSay key, int n, const void *const *values)
{
	size_t		size;

	if (n == 0)
		return wa_text_say_plain(key);
	size = wa_text_say_size(key, n, values);
	return wa_text_say_write(palloc(size), size, key, n, values);
}

/*
 * What somebody else said, in his words; NULL for NULL.
 */
WaSaid
wa_said_quote(const char *text)
{
	return text ? wa_say(WA_SAY_QUOTE, text) : NULL;
}

/*
 * A statement to type, the same in all languages.
 */
WaSaid
wa_said_statement(const char *format,...)
{
	StringInfoData statement;
	va_list		args;

	initStringInfo(&statement);
	for (;;)
	{
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&statement, format, args);
		va_end(args);
		if (needed == 0)
			return wa_said_quote(statement.data);
		enlargeStringInfo(&statement, needed);
	}
}

/*
 * One after the other, with "; " between them in words; each may be NULL.
 * palloc()ed if both are there.
 */
WaSaid
wa_said_and(WaSaid first, WaSaid second)
{
	if (first == NULL || second == NULL)
		return first ? first : second;
	return (WaSaid) (const void *) psprintf("%s%s", (const char *) first, (const char *) second);
}

/*
 * In words, palloc()ed; NULL for NULL.
 */
char *
wa_said_words(WaSaid said, WaLanguage language)
{
	size_t		size;
	char	   *words;

	if (said == NULL)
		return NULL;
	size = wa_text_say_words(NULL, 0, said, language) + 1;
	words = palloc(size);
	(void) wa_text_say_words(words, size, said, language);
	return words;
}

/* In English, palloc()ed; NULL for NULL. */
char *
wa_said_english(WaSaid said)
{
	return wa_said_words(said, WA_ENGLISH);
}
