/*-------------------------------------------------------------------------
 *
 * utf8.h
 *		Decoder for untrusted UTF-8.
 *
 * Any bytes may come in: a value copied from a web form, half a character
 * cut off by a varchar limit, Latin-1 from an old import.  So decoding never
 * fails and never reads past the final NUL; a byte that does not begin a
 * well-formed sequence (Unicode Standard, table 3-7) is reported as itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_UTF8_H
#define SICANTIK_WA_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* What wa_text_utf8_next() gives for a byte that is not UTF-8. */
#define WA_TEXT_UTF8_INVALID	UINT32_MAX

/*
 * Decode the character at s.  Stores its length in bytes in *len: 0 only at
 * the final NUL, 1 for an invalid byte.  Returns the code point, or
 * WA_TEXT_UTF8_INVALID.
 */
static inline uint32_t
wa_text_utf8_next(const char *s, size_t *len)
{
	const unsigned char *p = (const unsigned char *) s;
	uint32_t	cp;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t		need;
	size_t		i;

	*len = 1;
	if (p[0] < 0x80)
	{
		if (p[0] == '\0')
			*len = 0;
		return p[0];
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
	{
		need = 1;
		cp = p[0] & 0x1f;
	}
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
	{
		need = 2;
		cp = p[0] & 0x0f;
		if (p[0] == 0xe0)
			low = 0xa0;			/* shorter form exists */
		else if (p[0] == 0xed)
			high = 0x9f;		/* surrogates */
	}
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
	{
		need = 3;
		cp = p[0] & 0x07;
		if (p[0] == 0xf0)
			low = 0x90;
		else if (p[0] == 0xf4)
			high = 0x8f;		/* beyond U+10FFFF */
	}
	else
		return WA_TEXT_UTF8_INVALID;

	for (i = 1; i <= need; i++)
	{
		if (p[i] < low || p[i] > high)
			return WA_TEXT_UTF8_INVALID;	/* the NUL ends up here, too */
		cp = (cp << 6) | (p[i] & 0x3f);
		low = 0x80;
		high = 0xbf;
	}
	*len = need + 1;
	return cp;
}

#endif							/* SICANTIK_WA_UTF8_H */
