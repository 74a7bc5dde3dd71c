/*-------------------------------------------------------------------------
 *
 * utf8.c
 *		Characters: what is valid UTF-8, what may be shown, cutting at a
 *		character boundary.
 *
 * A provider's answer is bytes from outside.  PostgreSQL refuses text that is
 * not valid in the server's encoding and cannot store a NUL at all, and a log
 * line with control characters can be forged; so whatever leaves this folder
 * as text has passed through here.  Nothing depends on the locale.
 *
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gateway/provider.h"
#include "text/utf8.h"

/*
 * The length in bytes of the valid UTF-8 sequence at s (len bytes, at least
 * one), its code point in *code_point; 0 if there is none.  A NUL is one, too.
 */
size_t
wa_gateway_utf8_next(const char *s, size_t len, unsigned long *code_point)
{
	char		bytes[5] = {0};
	size_t		n;
	uint32_t	decoded;

	/* most text is */
	if ((unsigned char) s[0] < 0x80)
	{
		*code_point = (unsigned char) s[0];
		return 1;
	}
	memcpy(bytes, s, len < 4 ? len : 4);
	decoded = wa_text_utf8_next(bytes, &n);
	if (decoded == WA_TEXT_UTF8_INVALID)
		return 0;
	*code_point = decoded;
	return n > 0 ? n : 1;
}

/*
 * Whether s is valid UTF-8 from beginning to end; its length in characters
 * (code points, which is how WhatsApp counts) goes to *chars.
 */
bool
wa_gateway_utf8_length(const char *s, size_t *chars)
{
	size_t		left = strlen(s);

	*chars = 0;
	while (left > 0)
	{
		unsigned long code_point;
		size_t		n = (unsigned char) *s < 0x80 ? 1 : wa_gateway_utf8_next(s, left, &code_point);

		if (n == 0)
			return false;
		s += n;
		left -= n;
		(*chars)++;
	}
	return true;
}

/*
 * May this character be shown as it is?  Not the controls of ASCII and
 * Latin-1, not the line and paragraph separators, and not the marks that turn
 * the direction of writing: with those a provider could make a log line read
 * differently from what it says.
 */
bool
wa_gateway_printable(unsigned long code_point)
{
	if (code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f))
		return false;
	if (code_point == 0x200e || code_point == 0x200f ||
		(code_point >= 0x2028 && code_point <= 0x202e) ||
		(code_point >= 0x2066 && code_point <= 0x2069) ||
		code_point == 0xfeff)
		return false;
	return true;
}

/*
 * Copy len bytes of src, which may be anything, to dst as printable UTF-8:
 * a byte that belongs to no valid sequence becomes '?', a character that must
 * not be shown becomes a blank, blanks at both ends go.  The result fits size
 * bytes with its final NUL and ends at a character boundary.
 */
void
wa_gateway_clean(char *dst, size_t size, const char *src, size_t len)
{
	size_t		used = 0;

	if (size == 0)
		return;
	while (len > 0)
	{
		unsigned long code_point;
		size_t		n = wa_gateway_utf8_next(src, len, &code_point);
		const char *from = src;
		size_t		add = n;

		if (n == 0)
		{
			n = 1;
			add = 1;
			from = "?";
		}
		else if (!wa_gateway_printable(code_point))
		{
			add = 1;
			from = " ";
		}
		src += n;
		len -= n;
		if (used == 0 && *from == ' ')
			continue;
		if (add >= size - used)
			break;
		memcpy(dst + used, from, add);
		used += add;
	}
	while (used > 0 && dst[used - 1] == ' ')
		used--;
	dst[used] = '\0';
}

/*
 * printf into dst with the promises of wa_gateway_clean().  Longer than about
 * a thousand bytes is cut.
 */
void
wa_gateway_sentence(char *dst, size_t size, const char *format,...)
{
	char		text[1024];
	va_list		args;
	int			n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t) n >= sizeof(text))
	{
		unsigned long ignored;
		size_t		start = sizeof(text) - 1;

		/* The cut may have gone through a character: drop what is left. */
		n = (int) start;
		while (start > sizeof(text) - 5 &&
			   ((unsigned char) text[start - 1] & 0xc0) == 0x80)
			start--;
		if ((unsigned char) text[start - 1] >= 0xc0 &&
			wa_gateway_utf8_next(text + start - 1, (size_t) n - start + 1,
								 &ignored) == 0)
			n = (int) start - 1;
	}
	wa_gateway_clean(dst, size, text, (size_t) n);
}

/* See wa_gateway_say(). */
void
wa_gateway_say_cleaned(WaSaidText *text, WaSay key, int n, const void *const *values)
{
	char		cleaned[WA_SAY_MAX_VALUES][WA_REASON_SIZE];
	const void *shown[WA_SAY_MAX_VALUES];

	for (int i = 0; i < n; i++)
	{
		const char *value = values[i];

		shown[i] = value;
		if (value == NULL || wa_text_say_is(value))
			continue;
		wa_gateway_clean(cleaned[i], sizeof(cleaned[i]), value, strlen(value));
		shown[i] = cleaned[i];
	}
	wa_text_say_into(text, key, n, shown);
}

/*
 * What else an answer says (cleaned text, or NULL), as the last value of a
 * sentence; made in *text.
 */
const void *
wa_gateway_details(WaSaidText *text, const char *details)
{
	if (details == NULL || *details == '\0')
		return "";
	wa_gateway_say(text, WA_SAY_WITH_DETAILS, details);
	return text->bytes;
}

/* The value, or what is said where it is empty. */
const void *
wa_gateway_or(const char *value, WaSay otherwise)
{
	return *value != '\0' ? (const void *) value : (const void *) wa_text_say_plain(otherwise);
}

/* Are two words the same, apart from the case of ASCII letters? */
bool
wa_gateway_same_word(const char *a, const char *b)
{
	for (;; a++, b++)
	{
		char		x = *a;
		char		y = *b;

		if (x >= 'A' && x <= 'Z')
			x = (char) (x - 'A' + 'a');
		if (y >= 'A' && y <= 'Z')
			y = (char) (y - 'A' + 'a');
		if (x != y)
			return false;
		if (x == '\0')
			return true;
	}
}
