/*-------------------------------------------------------------------------
 *
 * redact.c
 *		Taking secrets out of text that people will read.
 *
 * Tokens travel in headers (Meta, Fonnte) and in bodies (Watzap), and a
 * provider or a proxy may echo any of it: as it was, percent-encoded, or as
 * JSON writes it.  The search therefore decodes while it compares.  What logs
 * and debugging pages do to whole requests, base64 and hexadecimal, is made of
 * the secret and looked for in the same way.  Bytes covered by any occurrence
 * are marked first and replaced afterwards, so that secrets which overlap
 * leave nothing behind.  Compressed, encrypted or hashed, a secret is not
 * recognized.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"

/*
 * A body that was cut may end in the middle of a secret.  This many of its
 * bytes at the very end are taken for it.
 */
#define MIN_PARTIAL_BYTES	4

/* Fewer characters of base64 say too little about which text they stand for. */
#define MIN_BASE64_CHARS	6

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * Read n hexadecimal digits at text.  Returns false if one is none; *value
 * is set otherwise.  The caller has checked that n bytes are there.
 */
static bool
read_hex(const char *text, size_t n, unsigned long *value)
{
	*value = 0;
	while (n-- > 0)
	{
		int			digit = hex_digit(*text++);

		if (digit < 0)
			return false;
		*value = *value * 16 + (unsigned long) digit;
	}
	return true;
}

/* What match_encoded() found. */
typedef enum Encoded
{
	ENCODED_NO,					/* no encoded form of it starts here */
	ENCODED_YES,
	ENCODED_CUT					/* the text ends within an encoded form */
} Encoded;

/*
 * Does an encoded form of the secret's next byte or character stand at text?
 * If so, *text_used and *secret_used say how much of both it takes.
 */
static Encoded
match_encoded(const char *text, size_t len, const char *secret,
			  size_t *text_used, size_t *secret_used)
{
	unsigned long value;
	unsigned long low;
	unsigned long want;
	size_t		n;

	*secret_used = 1;
	if (text[0] == '+' && secret[0] == ' ')
	{
		*text_used = 1;
		return ENCODED_YES;
	}
	if (text[0] == '%')
	{
		if (len < 3)
			return ENCODED_CUT;
		if (!read_hex(text + 1, 2, &value) ||
			value != (unsigned char) secret[0])
			return ENCODED_NO;
		*text_used = 3;
		return ENCODED_YES;
	}
	if (text[0] != '\\')
		return ENCODED_NO;

	if (len < 2)
		return ENCODED_CUT;
	*text_used = 2;
	switch (text[1])
	{
		case '"':
		case '\\':
		case '/':
			return text[1] == secret[0] ? ENCODED_YES : ENCODED_NO;
		case 'n':
			return secret[0] == '\n' ? ENCODED_YES : ENCODED_NO;
		case 'r':
			return secret[0] == '\r' ? ENCODED_YES : ENCODED_NO;
		case 't':
			return secret[0] == '\t' ? ENCODED_YES : ENCODED_NO;
		case 'u':
			break;
		default:
			return ENCODED_NO;
	}

	if (len < 6)
		return ENCODED_CUT;
	if (!read_hex(text + 2, 4, &value))
		return ENCODED_NO;
	n = wa_gateway_utf8_next(secret, strlen(secret), &want);
	if (n == 0)
		return ENCODED_NO;
	*secret_used = n;
	*text_used = 6;
	if (value >= 0xd800 && value <= 0xdbff)
	{
		/* Beyond the basic plane JSON writes two surrogates. */
		if (len < 12)
			return ENCODED_CUT;
		if (text[6] != '\\' || text[7] != 'u' ||
			!read_hex(text + 8, 4, &low) || low < 0xdc00 || low > 0xdfff)
			return ENCODED_NO;
		value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
		*text_used = 12;
	}
	return value == want ? ENCODED_YES : ENCODED_NO;
}

/*
 * How many bytes at text are this secret?  0 if they are not.  A byte of the
 * secret may stand there as itself or encoded; where it could be either,
 * which only happens to '%', '+' and '\', encoded_first decides.
 */
static size_t
match_secret(const char *text, size_t len, const char *secret,
			 bool encoded_first)
{
	const char *start = secret;
	size_t		used = 0;

	while (*secret != '\0')
	{
		size_t		text_used = 1;
		size_t		secret_used = 1;
		bool		same;
		Encoded		encoded;

		if (used == len)
			break;				/* the text ends here */
		same = (text[used] == *secret);
		if (!same || encoded_first)
		{
			encoded = match_encoded(text + used, len - used, secret,
									&text_used, &secret_used);
			if (encoded == ENCODED_CUT && !same)
			{
				used = len;
				break;
			}
			if (encoded != ENCODED_YES)
			{
				if (!same)
					return 0;
				text_used = 1;
				secret_used = 1;
			}
		}
		used += text_used;
		secret += secret_used;
	}
	if (*secret != '\0' && secret - start < MIN_PARTIAL_BYTES)
		return 0;
	return used;
}

/* May an occurrence of a secret with this first byte begin so? */
static bool
may_begin(char c, char first)
{
	return c == first || c == '%' || c == '\\' || (c == '+' && first == ' ');
}

/*
 * The first place from i on where an occurrence may begin; len if there is
 * none.  escapes: the text has '%' or '\\'; most have not, and a first byte is
 * found quickly.
 */
static size_t
next_begin(const char *text, size_t len, size_t i, char first, bool escapes)
{
	if (i < len && !escapes && first != ' ')
	{
		const char *found = memchr(text + i, first, len - i);

		return found != NULL ? (size_t) (found - text) : len;
	}
	while (i < len && !may_begin(text[i], first))
		i++;
	return i;
}

/* Mark every byte of text that belongs to an occurrence of the secret. */
static void
mark_secret(const char *text, size_t len, bool escapes, const char *secret,
			unsigned char *marks)
{
	size_t		i;

	for (i = next_begin(text, len, 0, secret[0], escapes); i < len;
		 i = next_begin(text, len, i + 1, secret[0], escapes))
	{
		size_t		raw;
		size_t		encoded;

		raw = match_secret(text + i, len - i, secret, false);
		encoded = match_secret(text + i, len - i, secret, true);
		if (raw < encoded)
			raw = encoded;
		if (raw > 0)
			memset(marks + i, 1, raw);
	}
}

/* The bit of a text at this place, counted from the highest of its first byte. */
static unsigned
bit_at(const char *text, size_t place)
{
	return ((unsigned char) text[place / 8] >> (7 - place % 8)) & 1;
}

/*
 * Mark where the secret stands in base64, in the usual alphabet or the one for
 * URLs.  It may begin at any place of a longer text that was encoded: "before"
 * of its bytes (0 to 2) come first in its group of three.  Only characters
 * that are the secret's alone are compared; the one on each side shares its
 * bits with a neighbour, and goes too.  form has room for the characters.
 */
static void
mark_base64(const char *text, size_t len, bool escapes, const char *secret, size_t before,
			const char *alphabet, char *form, unsigned char *marks)
{
	size_t		bits = 8 * strlen(secret);
	size_t		skipped = (6 - 8 * before % 6) % 6; /* bits of a shared
													 * character */
	size_t		n = 0;
	size_t		i;

	while (skipped + 6 * (n + 1) <= bits)
	{
		unsigned	value = 0;

		for (i = 0; i < 6; i++)
			value = value << 1 | bit_at(secret, skipped + 6 * n + i);
		form[n++] = alphabet[value];
	}
	form[n] = '\0';
	if (n < MIN_BASE64_CHARS)
		return;

	for (i = next_begin(text, len, 0, form[0], escapes); i < len;
		 i = next_begin(text, len, i + 1, form[0], escapes))
	{
		size_t		used = match_secret(text + i, len - i, form, false);

		if (used == 0)
			continue;
		memset(marks + i, 1, used);
		if (i > 0 && strchr(alphabet, text[i - 1]) != NULL && text[i - 1] != '\0')
			marks[i - 1] = 1;
		if (i + used < len && strchr(alphabet, text[i + used]) != NULL &&
			text[i + used] != '\0')
			marks[i + used] = 1;
	}
}

/*
 * Mark where the secret stands encoded as a whole.  False if there is no
 * memory.
 */
static bool
mark_forms(const char *text, size_t len, bool escapes, const char *secret,
		   unsigned char *marks)
{
	static const char *const alphabets[] = {
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
	};
	static const char *const digits[] = {"0123456789abcdef", "0123456789ABCDEF"};
	size_t		n = strlen(secret);
	char	   *form;
	size_t		i;
	size_t		before;

	/* hexadecimal is the longest */
	if (n > ((size_t) -1 - 1) / 2)
		return false;
	form = malloc(2 * n + 1);
	if (form == NULL)
		return false;
	for (i = 0; i < sizeof(alphabets) / sizeof(alphabets[0]); i++)
	{
		for (before = 0; before < 3; before++)
			mark_base64(text, len, escapes, secret, before, alphabets[i], form, marks);
	}
	for (i = 0; n >= MIN_PARTIAL_BYTES && i < sizeof(digits) / sizeof(digits[0]); i++)
	{
		size_t		k;

		for (k = 0; k < n; k++)
		{
			form[2 * k] = digits[i][(unsigned char) secret[k] >> 4];
			form[2 * k + 1] = digits[i][(unsigned char) secret[k] & 0x0f];
		}
		form[2 * n] = '\0';
		mark_secret(text, len, escapes, form, marks);
	}

	/* what was made of the secret is as good as the secret */
	memset(form, 0, 2 * n + 1);
	free(form);
	return true;
}

/*
 * A copy of text (len bytes, anything; NULL is empty) in which every value of
 * "secrets" is replaced by "***", also where it stands percent-encoded,
 * escaped as in JSON, in base64 or hexadecimal, or is cut off by the end of
 * the text, and every byte or character that is not printable UTF-8 by '?'.  Line ends count as not
 * printable.  Pairs without a value, or with an empty one, are ignored.
 *
 * The copy has at most max_bytes bytes, cut at a character boundary, plus its
 * final NUL.  It is malloc()ed; NULL means that there is no memory.
 */
char *
wa_gateway_redact(const char *text, size_t len,
				  const WaPair *secrets, size_t nsecrets, size_t max_bytes)
{
	unsigned char *marks;
	char	   *copy;
	size_t		size;
	size_t		used = 0;
	size_t		i;
	bool		escapes;

	if (text == NULL)
		len = 0;
	escapes = len > 0 && (memchr(text, '%', len) != NULL || memchr(text, '\\', len) != NULL);

	/* The worst growth: single bytes that each become three stars. */
	if (len >= (size_t) -1 / 3)
		return NULL;
	size = 3 * len < max_bytes ? 3 * len : max_bytes;
	if (size == (size_t) -1)
		return NULL;
	copy = malloc(size + 1);
	marks = calloc(len + 1, 1);
	if (copy == NULL || marks == NULL)
	{
		free(copy);
		free(marks);
		return NULL;
	}

	/* an empty text, as most of what a provider may say is, holds none */
	for (i = 0; i < nsecrets && len > 0; i++)
	{
		if (secrets[i].value == NULL || secrets[i].value[0] == '\0')
			continue;
		mark_secret(text, len, escapes, secrets[i].value, marks);
		if (!mark_forms(text, len, escapes, secrets[i].value, marks))
		{
			free(copy);
			free(marks);
			return NULL;
		}
	}

	i = 0;
	while (i < len)
	{
		unsigned long code_point;
		const char *from = text + i;
		size_t		n;
		size_t		add;

		if (marks[i])
		{
			while (i < len && marks[i])
				i++;
			from = "***";
			add = 3;
		}
		else
		{
			n = 1;
			add = 1;
			if ((*from < 0x20 || *from > 0x7e) &&
				((add = n = wa_gateway_utf8_next(from, len - i, &code_point)) == 0 ||
				 !wa_gateway_printable(code_point)))
			{
				from = "?";
				add = 1;
				n = n > 0 ? n : 1;
			}
			i += n;
		}
		if (add > size - used)
			break;
		memcpy(copy + used, from, add);
		used += add;
	}
	copy[used] = '\0';
	free(marks);
	return copy;
}

/*
 * The same for what is said, in place: in its values, since our own words hold
 * no secret.  Without memory, or room for the stars, nothing is said.
 */
void
wa_gateway_redact_said(WaSaidText *text, const WaPair *secrets, size_t nsecrets)
{
	WaSaidText	copy = {""};
	const char *from = text->bytes;
	size_t		used = 0;

	while (*from != '\0')
	{
		size_t		len = wa_text_say_frame(from);
		char	   *shown = NULL;
		size_t		add = len;

		if (len == 0)
		{
			len = wa_text_say_value(from);
			shown = wa_gateway_redact(from, len, secrets, nsecrets, sizeof(copy.bytes));
			add = shown != NULL ? strlen(shown) : sizeof(copy.bytes);
		}
		if (add >= sizeof(copy.bytes) - used)
		{
			free(shown);
			text->bytes[0] = '\0';
			return;
		}
		memcpy(copy.bytes + used, shown != NULL ? shown : from, add);
		free(shown);
		used += add;
		from += len;
	}
	*text = copy;
}
