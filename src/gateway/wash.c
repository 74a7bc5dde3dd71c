/*-------------------------------------------------------------------------
 *
 * wash.c
 *		JSON from outside, made such that one odd value costs only itself.
 *
 * A webhook of Meta's holds up to a thousand updates, and what is odd in one
 * must not lose the others.  What json-c would refuse or change, and what
 * PostgreSQL could not keep, is replaced before json-c sees the body: control
 * characters, escaped or not, bytes that are no UTF-8, numbers that do not fit
 * into 64 bits, words that are no JSON, and what is nested too deeply.  The
 * cost is linear in the body's length, in time and in memory.
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"
#include "gateway/reading.h"

/* The deepest documented body has 16 levels; what is deeper is null. */
#define MAX_DEPTH		32

/*
 * json-c needs some 700 bytes for an object and 60 for another value.  A body
 * of 3 MB that says anything has a tenth of these.
 */
#define MAX_CONTAINERS	100000
#define MAX_VALUES		500000

/* Digits of an integer that always fits into 64 bits, and of a fraction. */
#define SAFE_DIGITS		18
#define SAFE_FRACTION	40

#define DIGITS			"0123456789"
#define TOKEN_CHARS		DIGITS "+-._abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

typedef struct Wash
{
	const char *body;
	size_t		len;
	size_t		at;
	char	   *out;			/* has room for twice the body */
	size_t		used;
	size_t		depth;
	size_t		containers;
	size_t		values;
} Wash;

/* What is nested too deeply is not written. */
static void
put(Wash *wash, const char *bytes, size_t len)
{
	if (wash->depth > MAX_DEPTH)
		return;
	memcpy(wash->out + wash->used, bytes, len);
	wash->used += len;
}

static bool
is_control(unsigned long code_point)
{
	return code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f);
}

/* The value of 4 hexadecimal digits, or -1. */
static long
hex4(const char *text, size_t len)
{
	long		value = 0;
	size_t		i;

	if (len < 4)
		return -1;
	for (i = 0; i < 4; i++)
	{
		static const char digits[] = "0123456789abcdefABCDEF";
		const char *digit = text[i] == '\0' ? NULL : strchr(digits, text[i]);

		if (digit == NULL)
			return -1;
		value = value * 16 + (digit - digits < 16 ? digit - digits : digit - digits - 6);
	}
	return value;
}

/* An escape sequence in a string; one that is none is a blank. */
static void
wash_escape(Wash *wash)
{
	const char *text = wash->body + wash->at;
	size_t		left = wash->len - wash->at;
	size_t		n = 1;
	long		code_point;

	if (left > 1 && text[1] == 'u')
	{
		code_point = hex4(text + 2, left - 2);
		if (code_point >= 0)
			n = 6;
		if (code_point < 0 ||
			(is_control((unsigned long) code_point) &&
			 code_point != '\t' && code_point != '\n' && code_point != '\r'))
			put(wash, " ", 1);
		else
			put(wash, text, n);
	}
	else if (left > 1 && text[1] != '\0' && strchr("\"\\/nrt", text[1]) != NULL)
	{
		n = 2;
		put(wash, text, n);
	}
	else
	{
		if (left > 1 && (text[1] == 'b' || text[1] == 'f'))
			n = 2;
		put(wash, " ", 1);
	}
	wash->at += n;
}

/* A string, from its first quotation mark on.  False: it has no end. */
static bool
wash_string(Wash *wash)
{
	put(wash, "\"", 1);
	wash->at++;
	while (wash->at < wash->len)
	{
		const char *text = wash->body + wash->at;
		unsigned long code_point = 0;
		size_t		n;

		if (*text == '\\')
		{
			wash_escape(wash);
			continue;
		}
		n = wa_gateway_utf8_next(text, wash->len - wash->at, &code_point);
		wash->at += n == 0 ? 1 : n;
		if (n == 0)
			put(wash, "?", 1);
		else if (code_point == '\n' || code_point == '\r')
			put(wash, "\\n", 2);
		else if (code_point == '\t')
			put(wash, "\\t", 2);
		else if (is_control(code_point))
			put(wash, " ", 1);
		else
			put(wash, text, n);
		if (*text == '"')
			return true;
	}
	return false;
}

/* Is this a number that json-c reads, and writes again, as it is? */
static bool
is_plain_number(const char *text, size_t len)
{
	char		number[SAFE_DIGITS + SAFE_FRACTION + 3] = "";
	const char *p = number;
	size_t		n;

	if (len >= sizeof(number))
		return false;
	memcpy(number, text, len);
	number[len] = '\0';
	if (*p == '-')
		p++;
	n = strspn(p, DIGITS);
	if (n == 0 || n > SAFE_DIGITS || (n > 1 && *p == '0'))
		return false;
	p += n;
	if (*p == '.')
	{
		n = strspn(p + 1, DIGITS);
		if (n == 0)
			return false;
		p += n + 1;
	}
	return *p == '\0';
}

/* A number or a word; what is neither for JSON becomes a string. */
static void
wash_token(Wash *wash)
{
	static const char *const words[] = {"true", "false", "null"};
	const char *text = wash->body + wash->at;
	size_t		len = 0;
	bool		known;
	size_t		i;

	while (wash->at + len < wash->len && text[len] != '\0' && strchr(TOKEN_CHARS, text[len]) != NULL)
		len++;
	known = is_plain_number(text, len);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		known = known || (len == strlen(words[i]) && memcmp(text, words[i], len) == 0);
	if (!known)
		put(wash, "\"", 1);
	put(wash, text, len);
	if (!known)
		put(wash, "\"", 1);
	wash->at += len;
}

/* All of the body.  False: it cannot be JSON, or has too many values. */
static bool
wash_body(Wash *wash)
{
	while (wash->at < wash->len)
	{
		const char *text = wash->body + wash->at;

		switch (*text)
		{
			case '"':
				if (!wash_string(wash))
					return false;
				continue;
			case '{':
			case '[':
				if (wash->depth == MAX_DEPTH)
					put(wash, "null", 4);
				wash->depth++;
				put(wash, text, 1);
				if (wash->depth <= MAX_DEPTH)
					wash->containers++;
				break;
			case '}':
			case ']':
				if (wash->depth == 0)
					return false;
				put(wash, text, 1);
				wash->depth--;
				break;
			case ',':
			case ':':
				put(wash, text, 1);
				if (wash->depth <= MAX_DEPTH)
					wash->values++;
				break;
			case '\0':
			case ' ':
			case '\t':
			case '\r':
			case '\n':
				put(wash, " ", 1);
				break;
			default:
				if (strchr(TOKEN_CHARS, *text) == NULL)
					return false;
				wash_token(wash);
				continue;
		}
		wash->at++;
		if (wash->containers > MAX_CONTAINERS || wash->values > MAX_VALUES)
			return false;
	}
	return wash->depth == 0;
}

/*
 * A body as a JSON object, for json_object_put(): its strings are UTF-8
 * without control characters but for tabs and line ends, and PostgreSQL can
 * keep each value of it.  NULL: it is none, or *no_memory.
 */
json_object *
wa_gateway_parse_washed(const char *body, size_t len, bool *no_memory)
{
	Wash		wash = {.body = body,.len = len};
	json_tokener *tokener = NULL;
	json_object *root = NULL;

	*no_memory = false;
	if (body == NULL || len == 0 || len > INT_MAX / 2 - 8)
		return NULL;
	if (len >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0)
		wash.at = 3;
	wash.out = malloc(2 * len + 8);
	tokener = json_tokener_new_ex(MAX_DEPTH + 1);
	if (wash.out == NULL || tokener == NULL)
		*no_memory = true;
	else if (wash_body(&wash))
	{
		while (wash.used > 0 && wash.out[wash.used - 1] == ' ')
			wash.used--;
		*no_memory = !wa_text_json_room(wash.out, wash.used);
		root = *no_memory ? NULL : json_tokener_parse_ex(tokener, wash.out, (int) wash.used);
		if (root != NULL &&
			(json_tokener_get_error(tokener) != json_tokener_success ||
			 json_tokener_get_parse_end(tokener) != wash.used ||
			 !json_object_is_type(root, json_type_object)))
		{
			json_object_put(root);
			root = NULL;
		}
	}
	if (tokener != NULL)
		json_tokener_free(tokener);
	free(wash.out);
	return root;
}
