/*-------------------------------------------------------------------------
 *
 * keyword.c
 *		Is a whole message one of some words, STOP or START?
 *
 * People type it as they type: in any case, with a full stop or in quotes,
 * with blanks and what a keyboard leaves invisibly beside them.  But it must be
 * all that they say: "jangan stop kirim" wants the opposite of STOP, and no
 * message is read for a word within it.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "text/text.h"
#include "text/utf8.h"

/* A message longer than this, marks cut, is no keyword. */
#define MAX_CHARS		64

/*
 * The letter that a character stands for, in lower case: letters of ASCII, and
 * the full-width and mathematical ones that keyboards offer as bold.  Any other
 * character stands for itself.
 */
static uint32_t
plain(uint32_t cp)
{
	if (cp >= 0xff01 && cp <= 0xff5e)	/* full-width */
		cp = cp - 0xff01 + '!';
	else if (cp >= 0x1d400 && cp <= 0x1d6a3)	/* mathematical letters: 13
												 * alphabets of 52 */
	{
		cp = (cp - 0x1d400) % 52;
		return 'a' + cp % 26;
	}
	else if (cp >= 0x1d7ce && cp <= 0x1d7ff)
		return '0' + (cp - 0x1d7ce) % 10;
	if (cp >= 'A' && cp <= 'Z')
		return cp - 'A' + 'a';
	if ((cp >= 0xc0 && cp <= 0xde && cp != 0xd7) || (cp >= 0x391 && cp <= 0x3a9) ||
		(cp >= 0x410 && cp <= 0x42f))
		return cp + 0x20;
	return cp;
}

/* Is it not to be seen: a mark of direction, a joiner, a variant, a control? */
static bool
is_invisible(uint32_t cp)
{
	return (cp < 0x20 && !(cp >= '\t' && cp <= '\r')) || (cp >= 0x7f && cp < 0xa0 && cp != 0x85) ||
		cp == 0xad || cp == 0x34f || cp == 0x61c || cp == 0x180e || cp == 0xfeff ||
		(cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
		(cp >= 0x2060 && cp <= 0x206f) || (cp >= 0xfe00 && cp <= 0xfe0f) || cp == 0x20e3 ||
		(cp >= 0xe0000 && cp <= 0xe0fff) || (cp >= 0x1f3fb && cp <= 0x1f3ff);
}

static bool
is_blank(uint32_t cp)
{
	return cp == ' ' || (cp >= '\t' && cp <= '\r') || cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
		(cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f ||
		cp == 0x205f || cp == 0x3000;
}

/*
 * Is it cut at both ends: punctuation, signs and pictures, which say no word?
 * Letters and digits are not, of whatever writing, nor a byte that is no
 * character.
 */
static bool
is_edge(uint32_t cp)
{
	if (cp < 0x80)
		return !((cp >= 'a' && cp <= 'z') || (cp >= '0' && cp <= '9'));
	return is_blank(cp) || (cp >= 0xa1 && cp <= 0xbf && cp != 0xaa && cp != 0xb5 && cp != 0xba) ||
		cp == 0xd7 || cp == 0xf7 || cp == 0x60c || cp == 0x61b || cp == 0x61f || cp == 0x6d4 ||
		(cp >= 0x2010 && cp <= 0x205e) || (cp >= 0x20a0 && cp <= 0x20cf) ||
		(cp >= 0x2190 && cp <= 0x2bff) || (cp >= 0x3001 && cp <= 0x3003) ||
		(cp >= 0x3008 && cp <= 0x301f) || (cp >= 0x1f000 && cp <= 0x1faff);
}

/*
 * Read at most len bytes of text into plain characters, edges cut, blanks
 * within as one each.  Returns how many, and where they begin; 0: there are
 * none, or too many.
 */
static size_t
read_plain(const char *text, size_t len, uint32_t chars[MAX_CHARS])
{
	size_t		n = 0;
	size_t		used = 0;		/* up to the last that is no edge */
		size_t		at = 0;

	while (at < len)
	{
		size_t		bytes;
		uint32_t	cp = wa_text_utf8_next(text + at, &bytes);

		if (bytes == 0)
			break;
		at += bytes;
		if (is_invisible(cp))
			continue;
		cp = is_blank(cp) ? ' ' : plain(cp);
		if (is_edge(cp) ? n == 0 || (cp == ' ' && chars[n - 1] == ' ') : false)
			continue;
		if (n == MAX_CHARS)
		{
			/* a long row of signs may follow, a further letter may not */
			if (!is_edge(cp))
				return 0;
			continue;
		}
		chars[n++] = cp;
		if (!is_edge(cp))
			used = n;
	}
	return used;
}

/*
 * wa_text_is_keyword
 *		Is this text, as a whole, one of these words?
 *
 * words: separated by commas; each is read like the text, so that its case and
 * marks do not matter, and it may have blanks within.  A text without a letter
 * or digit is none, and neither is NULL.
 */
bool
wa_text_is_keyword(const char *text, const char *words)
{
	uint32_t	said[MAX_CHARS];
	uint32_t	word[MAX_CHARS];
	size_t		n;

	if (text == NULL || words == NULL)
		return false;
	n = read_plain(text, strlen(text), said);
	while (n > 0 && *words != '\0')
	{
		size_t		len = strcspn(words, ",");

		if (read_plain(words, len, word) == n && memcmp(said, word, n * sizeof(said[0])) == 0)
			return true;
		words += len + (words[len] == ',');
	}
	return false;
}
