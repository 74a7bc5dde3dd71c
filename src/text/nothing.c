/*-------------------------------------------------------------------------
 *
 * nothing.c
 *		The words by which programs say that there is nothing.
 *
 * Odoo gives False for an empty field of any type, and what passes it on as
 * text (an import, a synchronisation, an f-string) writes it down.  Other
 * programs have words of their own; a citizen must read none of them as his
 * name or the number of his permit.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>
#include <strings.h>

#include "text/text.h"

/*
 * As Python, JavaScript, SQL, Java, Ruby, pandas and the spreadsheets write
 * them, the latter in Indonesian too, and as people fill in a form that must
 * not stay empty.  Compared without case.
 */
static const char words[][sizeof("undefined")] =
{
	"false", "none", "null", "nil", "undefined", "nan", "nat", "n/a", "#n/a", "n.a.",
		"<na>", "<null>", "(null)", "(none)", "[null]", "#null!", "#value!", "#ref!", "#name?",
		"salah", "kosong", "nihil", "tidak ada", "belum ada"
};

/* What these begin with, in lower case; '{' is what '[' comes to.  The unit test has all of them. */
static const char *const first_letters = "fnu#<({sktb";

/* Blanks, and the quotes and dashes that may stand around nothing. */
static bool
is_around(char c)
{
	switch (c)
	{
		case ' ':
		case '\t':
		case '\r':
		case '\n':
		case '\v':
		case '\f':
		case '"':
		case '\'':
		case '`':
		case '-':
		case '_':
		case '.':
			return true;
		default:
			return false;
	}
}

/* Is this one of the words?  Most texts are longer than any of them. */
static bool
is_word(const char *text, size_t length)
{
	if (length >= sizeof(words[0]) || !strchr(first_letters, text[0] | 0x20))
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		/* most texts differ in the first letter already */
		if ((text[0] | 0x20) == (words[i][0] | 0x20) && words[i][length] == '\0' &&
			strncasecmp(text, words[i], length) == 0)
			return true;
	return false;
}

/*
 * wa_text_is_nothing
 *		Does this text say that there is no value?
 *
 * True for NULL, for a text of blanks, quotes and dashes only, and for one
 * that is, between those, one of the words above and nothing else: a name or
 * number that contains such a word is one.
 */
bool
wa_text_is_nothing(const char *text)
{
	size_t		length;
	size_t		whole;

	if (text == NULL)
		return true;
	length = strlen(text);
	if (is_word(text, length))
		return true;
	whole = length;
	for (; is_around(*text); text++)
		length--;
	while (length > 0 && is_around(text[length - 1]))
		length--;
	return length == 0 || (length < whole && is_word(text, length));
}
