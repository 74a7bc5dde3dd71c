/*-------------------------------------------------------------------------
 *
 * answer.c
 *		Reading answers: JSON from outside, and verdicts without a verdict.
 *
 * An answer may be anything: HTML of a proxy, half a body, JSON of another
 * shape, bytes meant to hurt.  So: one complete JSON object or nothing, a
 * limit on nesting (json-c frees recursively), and every text is cleaned on
 * its way out.  When an answer says nothing, only the HTTP status is left,
 * and the rule is strict: what may have been accepted is "unknown", because
 * a message sent twice annoys and one reported lost is sent again.
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>
#include <string.h>

#include "gateway/provider.h"

/* The deepest documented answer has 5 levels. */
#define MAX_JSON_DEPTH	24

/* A wait longer than a day is not believed. */
#define MAX_WAIT_S		86400L

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

	tokener = json_tokener_new_ex(MAX_JSON_DEPTH);
	if (tokener == NULL)
		return NULL;
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
	return root;
}

/* A member of an object, borrowed; NULL if parent is none, or has none. */
json_object *
wa_gateway_member(json_object *parent, const char *key)
{
	json_object *value;

	if (!json_object_is_type(parent, json_type_object) ||
		!json_object_object_get_ex(parent, key, &value))
		return NULL;
	return value;
}

/* An element of an array, borrowed; NULL if array is none, or has none. */
json_object *
wa_gateway_element(json_object *array, size_t index)
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
wa_gateway_text(json_object *value, char *dst, size_t size)
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
wa_gateway_id(json_object *value, char *dst, size_t size)
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
 * The verdict on an answer that does not say what became of the message:
 * no JSON, or JSON of an undocumented shape.  details is cleaned text from
 * the answer, or NULL.
 *
 * A status of 4xx is a refusal.  2xx and 5xx may hide an accepted message: a
 * proxy reports 502 or 504 also when the answer of the server behind it was
 * lost.  The same holds for everything else, redirects included, which some
 * servers send after they did the work.
 */
void
wa_gateway_judge_status(const char *provider, const WaReply *reply,
						const char *details, WaVerdict *verdict)
{
	const char *before = details != NULL ? ": " : "";
	int			status = reply->http_status;

	if (details == NULL)
		details = "";
	if (status == 401 || status == 403)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_PROVIDER);
		wa_gateway_sentence(verdict->reason, sizeof(verdict->reason),
							"%s refused access with HTTP status %d%s%s.",
							provider, status, before, details);
	}
	else if (status == 429)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_THROTTLE);
		wa_gateway_sentence(verdict->reason, sizeof(verdict->reason),
							"%s asked us to slow down with HTTP status 429%s%s.",
							provider, before, details);
		wa_gateway_told_wait(reply, verdict);
	}
	else if (status >= 400 && status <= 499)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_CALLER);
		wa_gateway_sentence(verdict->reason, sizeof(verdict->reason),
							"%s refused the request with HTTP status %d and no error code%s%s.",
							provider, status, before, details);
	}
	else
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_UNKNOWN);
		wa_gateway_sentence(verdict->reason, sizeof(verdict->reason),
							"%s answered with HTTP status %d and %s; the message may or may not have been accepted%s%s.",
							provider, status,
							reply->truncated ? "an incomplete or too long body" :
							"nothing that proves acceptance or refusal",
							before, details);
	}
}

/* Is the HTTP status more telling than a refusal that nobody documents? */
bool
wa_gateway_status_tells(const WaReply *reply)
{
	switch (reply->http_status)
	{
		case 401:
		case 403:
		case 404:
		case 408:
		case 429:
			return true;
		default:
			return false;
	}
}

/*
 * The same for the gateways, which have no codes for what goes wrong before a
 * request has reached their program.  What is not found there (404) is the
 * call itself: the base URL leads somewhere else, and no message can go.  A
 * request that did not arrive in time (408) was not carried out.
 */
void
wa_gateway_judge_gateway_status(const char *provider, const WaReply *reply,
								const char *details, WaVerdict *verdict)
{
	const char *before = details != NULL ? ": " : "";

	if (reply->http_status == 404)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_PROVIDER);
		wa_gateway_sentence(verdict->reason, sizeof(verdict->reason),
							"%s has no such call (HTTP status 404); check the base URL%s%s.",
							provider, before, details != NULL ? details : "");
	}
	else if (reply->http_status == 408)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_RETRY);
		wa_gateway_sentence(verdict->reason, sizeof(verdict->reason),
							"%s did not get the request in time (HTTP status 408)%s%s.",
							provider, before, details != NULL ? details : "");
		wa_gateway_told_wait(reply, verdict);
	}
	else
		wa_gateway_judge_status(provider, reply, details, verdict);
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
