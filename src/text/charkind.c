/*-------------------------------------------------------------------------
 *
 * charkind.c
 *		What a character means in a phone field.
 *
 * Copying from messengers, PDF files and spreadsheets brings in direction
 * marks, blanks and dashes of all kinds, and full-width or Arabic digits.
 * What is not listed here ends a number: an unknown character must not
 * disappear between two numbers.
 *
 *-------------------------------------------------------------------------
 */
#include <stddef.h>

#include "text/charkind.h"
#include "text/utf8.h"

/*
 * wa_text_classify_char
 *		What does this character mean?
 *
 * cp: a code point, or WA_TEXT_UTF8_INVALID.  For a digit, *digit becomes '0' to
 * '9'; else it is left alone.
 */
WaCharKind
wa_text_classify_char(uint32_t cp, char *digit)
{
	if (cp >= '0' && cp <= '9')
	{
		*digit = (char) cp;
		return WA_CHAR_DIGIT;
	}
	if ((cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z'))
		return WA_CHAR_LETTER;
	if ((cp >= 0xff10 && cp <= 0xff19) || (cp >= 0x0660 && cp <= 0x0669) ||
		(cp >= 0x06f0 && cp <= 0x06f9))
	{
		uint32_t	zero = cp >= 0xff10 ? 0xff10 :
			cp >= 0x06f0 ? 0x06f0 : 0x0660;

		*digit = (char) ('0' + (cp - zero));
		return WA_CHAR_DIGIT;
	}
	if (cp >= 0x1d7ce && cp <= 0x1d7ff) /* mathematical, used as bold */
	{
		*digit = (char) ('0' + (cp - 0x1d7ce) % 10);
		return WA_CHAR_DIGIT;
	}
	if ((cp >= 0x2000 && cp <= 0x200a) || cp == 0x202f || cp == 0x205f)
		return WA_CHAR_SPACE;
	if ((cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
		(cp >= 0x2060 && cp <= 0x206f) || (cp >= 0xfe00 && cp <= 0xfe0f))
		return WA_CHAR_IGNORE;
	if (cp >= 0x2010 && cp <= 0x2015)
		return WA_CHAR_DASH;

	switch (cp)
	{
		case 0x00ad:			/* soft hyphen */
		case 0x034f:
		case 0x061c:
		case 0x180e:
		case 0x20e3:			/* keycap, as in keycap emoji */
		case 0xfeff:			/* byte order mark */
			return WA_CHAR_IGNORE;
		case '+':
		case 0xff0b:
		case 0xfe62:
			return WA_CHAR_PLUS;
		case ' ':
		case 0x00a0:
		case 0x1680:
		case 0x3000:
			return WA_CHAR_SPACE;
		case '.':
		case 0x00b7:
		case 0xff0e:
			return WA_CHAR_DOT;
		case '-':
		case '~':
		case 0x2212:			/* minus sign */
		case 0xfe58:
		case 0xfe63:
		case 0x30fc:
		case 0xff0d:
			return WA_CHAR_DASH;
		case '_':
			return WA_CHAR_UNDERSCORE;
		case '(':
		case '[':
		case '{':
		case 0xff08:
			return WA_CHAR_OPEN;
		case ')':
		case ']':
		case '}':
		case 0xff09:
			return WA_CHAR_CLOSE;
		case '/':
		case '\\':
		case 0xff0f:
			return WA_CHAR_SLASH;
		case ',':
		case ';':
		case '&':
		case '|':
		case '\t':
		case '\n':
		case '\v':
		case '\f':
		case '\r':
		case 0x0085:
		case 0x2028:
		case 0x2029:
		case 0xff0c:
		case 0xff1b:
			return WA_CHAR_BREAK;
		case '*':
		case 0x2022:			/* bullet */
		case 0x2026:			/* ellipsis */
			return WA_CHAR_MASK;
		case '@':
			return WA_CHAR_AT;
	}
	return WA_CHAR_OTHER;
}

/*
 * wa_text_peek_char
 *		Look ahead.
 *
 * Returns the kind of the first character at s (NUL-terminated) that is
 * neither invisible nor of kind skip; WA_CHAR_START at the end.
 */
WaCharKind
wa_text_peek_char(const char *s, WaCharKind skip)
{
	WaCharKind	kind = WA_CHAR_START;
	char		digit;
	size_t		len;
	uint32_t	cp;

	for (; (cp = wa_text_utf8_next(s, &len)) != 0; s += len)
	{
		kind = wa_text_classify_char(cp, &digit);
		if (kind != WA_CHAR_IGNORE && kind != skip)
			return kind;
	}
	return WA_CHAR_START;
}
