/*-------------------------------------------------------------------------
 *
 * answer.c
 *		Reading answers: JSON from outside, and verdicts without a verdict.
 *
 * An answer may be anything: HTML of a proxy, half a body, JSON of another
 * shape, bytes meant to hurt.  So: one complete JSON object or nothing, a
 * limit on nesting (json-c frees recursively), and every text is cleaned on
 * its way out.  When an answer says nothing, only the HTTP status is left:
 * http_status.c.
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"

/* The deepest documented answer has 5 levels. */
#define MAX_JSON_DEPTH	24

/* A wait longer than a day is not believed. */
#define MAX_WAIT_S		86400L

/* Digits of an integer that always fits into 64 bits. */
#define SAFE_DIGITS		18

/* Is this an integer that may not fit into 64 bits? */
static bool
is_long_integer(const char *text, size_t len)
{
	size_t		i;

	if (len > 0 && *text == '-')
	{
		text++;
		len--;
	}
	for (i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return len > SAFE_DIGITS;
}

/* The end of the string, number or other character that begins at text[i]. */
static size_t
token_end(const char *text, size_t i, size_t size)
{
	size_t		start = i;

	if (text[i] == '"')
	{
		for (i++; i < size && text[i] != '"'; i++)
		{
			if (text[i] == '\\')
				i++;
		}
		return i < size ? i + 1 : size;
	}
	while (i < size && strchr("+-.eE0123456789", text[i]) != NULL)
		i++;
	return i > start ? i : start + 1;
}

/*
 * json-c reads integers into 64 bits and makes the nearest one of those that
 * do not fit, so that different ids become equal.  Put quotation marks around
 * long integers: an id is read the same way from a string.  Returns the text
 * to be read, and sets *len to its length: the body itself if there is nothing
 * to do, else *copy, malloc()ed; NULL without memory.
 */
static const char *
keep_long_integers(const char *body, size_t *len, char **copy)
{
	size_t		size = *len;
	size_t		out = 0;
	size_t		i;
	size_t		end;

	*copy = NULL;
	for (i = 0; i < size; i = end)
	{
		bool		quote;

		end = token_end(body, i, size);
		quote = is_long_integer(body + i, end - i);
		if (quote && *copy == NULL)
		{
			/* such numbers have something between them */
			*copy = malloc(size + 2 * (size / SAFE_DIGITS + 1));
			if (*copy == NULL)
				return NULL;
			memcpy(*copy, body, i);
			out = i;
		}
		if (*copy == NULL)
			continue;
		if (quote)
			(*copy)[out++] = '"';
		memcpy(*copy + out, body + i, end - i);
		out += end - i;
		if (quote)
			(*copy)[out++] = '"';
	}
	if (*copy == NULL)
		return body;
	*len = out;
	return *copy;
}

/*
 * The answer's body as a JSON object, for json_object_put(); NULL if it is
 * not exactly one.  A byte order mark in front and blanks at the end are
 * forgiven (PHP files produce both), anything else around the object is not.
 */
json_object *
wa_gateway_parse(const WaReply *reply)
{
	const char *body = reply->body;
	size_t		len = reply->body_len;
	char	   *copy;
	json_tokener *tokener;
	json_object *root;

	if (body == NULL || reply->truncated)
		return NULL;
	if (len >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0)
	{
		body += 3;
		len -= 3;
	}
	while (len > 0 && strchr(" \t\r\n", body[len - 1]) != NULL &&
		   body[len - 1] != '\0')
		len--;

	/* A NUL byte is no JSON, and would end json-c's reading early. */
	if (len == 0 || len > INT_MAX || memchr(body, '\0', len) != NULL)
		return NULL;

	body = keep_long_integers(body, &len, &copy);
	if (body == NULL)
		return NULL;
	tokener = wa_text_json_room(body, len) ? json_tokener_new_ex(MAX_JSON_DEPTH) : NULL;
	if (tokener == NULL)
	{
		free(copy);
		return NULL;
	}
	root = json_tokener_parse_ex(tokener, body, (int) len);
	if (root != NULL &&
		(json_tokener_get_error(tokener) != json_tokener_success ||
		 json_tokener_get_parse_end(tokener) != len ||
		 !json_object_is_type(root, json_type_object)))
	{
		json_object_put(root);
		root = NULL;
	}
	json_tokener_free(tokener);
	free(copy);
	return root;
}

/* A member of an object, borrowed; NULL if parent is none, or has none. */
json_object *
wa_gateway_member(json_object * parent, const char *key)
{
	json_object *value;

	if (!json_object_is_type(parent, json_type_object) ||
		!json_object_object_get_ex(parent, key, &value))
		return NULL;
	return value;
}

/* An element of an array, borrowed; NULL if array is none, or has none. */
json_object *
wa_gateway_element(json_object * array, size_t index)
{
	if (!json_object_is_type(array, json_type_array) ||
		index >= json_object_array_length(array))
		return NULL;
	return json_object_array_get_idx(array, index);
}

/*
 * A scalar as cleaned text.  False, and dst "", if value is null, an object,
 * an array, or a text with nothing in it.
 */
bool
wa_gateway_text(json_object * value, char *dst, size_t size)
{
	const char *text;
	size_t		len;

	dst[0] = '\0';
	if (value == NULL ||
		json_object_is_type(value, json_type_object) ||
		json_object_is_type(value, json_type_array))
		return false;

	text = json_object_get_string(value);
	if (text == NULL)
		return false;
	len = json_object_is_type(value, json_type_string) ?
		(size_t) json_object_get_string_len(value) : strlen(text);
	wa_gateway_clean(dst, size, text, len);
	return dst[0] != '\0';
}

/*
 * A provider's message id, unchanged.  False, and dst "", if value is not a
 * string or an integer, is empty, has other bytes than printable ASCII
 * without blanks, or does not fit: an id that we cannot keep proves nothing,
 * since no later report could be matched to it.
 */
bool
wa_gateway_id(json_object * value, char *dst, size_t size)
{
	const char *text;
	size_t		len;
	size_t		i;

	dst[0] = '\0';
	if (!json_object_is_type(value, json_type_string) &&
		!json_object_is_type(value, json_type_int))
		return false;
	text = json_object_get_string(value);
	if (text == NULL)
		return false;
	len = json_object_is_type(value, json_type_string) ?
		(size_t) json_object_get_string_len(value) : strlen(text);
	if (len == 0 || len >= size)
		return false;
	for (i = 0; i < len; i++)
	{
		if (text[i] < 0x21 || text[i] > 0x7e)
			return false;
	}
	memcpy(dst, text, len);
	dst[len] = '\0';
	return true;
}

/* Is the HTTP status one of success? */
bool
wa_gateway_is_2xx(const WaReply *reply)
{
	return reply->http_status >= 200 && reply->http_status <= 299;
}

/*
 * Fill in a verdict with what is usual for an outcome, all strings empty.
 * Whoever knows better changes fields afterwards.
 */
void
wa_gateway_verdict(WaVerdict *verdict, WaOutcome outcome)
{
	memset(verdict, 0, sizeof(*verdict));
	verdict->outcome = outcome;
	verdict->scope = WA_SCOPE_MESSAGE;
	verdict->fallback = WA_FALLBACK_YES;
	verdict->max_retries = 0;
	verdict->wait_s = -1;
	verdict->backoff_s = -1;

	switch (outcome)
	{
		case WA_OUTCOME_ACCEPTED:
		case WA_OUTCOME_UNKNOWN:
			verdict->fallback = WA_FALLBACK_NO;
			break;
		case WA_OUTCOME_RETRY:
			verdict->max_retries = -1;
			break;
		case WA_OUTCOME_THROTTLE:
			verdict->scope = WA_SCOPE_PROVIDER;
			verdict->max_retries = -1;
			break;
		case WA_OUTCOME_PROVIDER:
			verdict->scope = WA_SCOPE_PROVIDER;
			break;
		case WA_OUTCOME_RECIPIENT:
			verdict->scope = WA_SCOPE_RECIPIENT;
			verdict->fallback = WA_FALLBACK_NO;
			break;
		case WA_OUTCOME_TEMPLATE:
		case WA_OUTCOME_POLICY:
		case WA_OUTCOME_CALLER:
			break;
	}
}

/*
 * The refusal is one that no table has, in the provider's words (cleaned
 * text).  Figures become "#": they may be the recipient's.
 */
void
wa_gateway_unlisted(WaVerdict *verdict, const char *words)
{
	char		text[WA_REASON_SIZE];
	size_t		n = 0;

	for (; *words != '\0' && n < sizeof(text) - 1; words++)
	{
		bool		figure = *words >= '0' && *words <= '9';

		if (!figure || n == 0 || text[n - 1] != '#')
			text[n++] = figure ? '#' : *words;
	}
	wa_gateway_clean(verdict->unlisted, sizeof(verdict->unlisted), text, n);
}

/*
 * Honor Retry-After where a wait makes sense.  No provider documents it for
 * messages, but a proxy in front of one may send it.
 */
void
wa_gateway_told_wait(const WaReply *reply, WaVerdict *verdict)
{
	if (verdict->outcome != WA_OUTCOME_RETRY &&
		verdict->outcome != WA_OUTCOME_THROTTLE)
		return;
	if (reply->retry_after_s < 0)
		return;
	verdict->wait_s = reply->retry_after_s;
	if (verdict->wait_s > MAX_WAIT_S)
		verdict->wait_s = MAX_WAIT_S;
}
