/*-------------------------------------------------------------------------
 *
 * http_status.c
 *		The verdict where an answer has nothing but its HTTP status.
 *
 * The rule is strict: what may have been accepted is "unknown", because a
 * message sent twice annoys and one reported lost is sent again.  A status of
 * 4xx is a refusal.  2xx and 5xx may hide an accepted message: a proxy reports
 * 502 or 504 also when the answer of the server behind it was lost.  The same
 * holds for everything else, redirects included, which some servers send after
 * they did the work.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gateway/provider.h"

/* What a status comes to that says more than its first figure. */
typedef enum Meaning
{
	ACCESS,						/* refused to us, whatever the message */
	TOO_FAST,
	NOT_HEARD,					/* the server did not take the request up */
	NOT_REACHED,				/* nor did it get there */
	OPEN						/* it may have been carried out */
} Meaning;

/*
 * From RFC 9110, 8470 (425), 6585 (429, 511), and for 520 to 530 from
 * Cloudflare's pages "Cloudflare 5xx errors".  There, 520 is an answer of the
 * origin that makes no sense, 524 one that did not come in time, and 522 is
 * said of an origin that does not accept the connection, but also of one that
 * has not acknowledged the request: these stay open.  So does 503, which
 * proxies write, too, for a connection that broke behind the request.
 */
static const struct
{
	int			status;
	Meaning		meaning;
}			statuses[] = {
	{401, ACCESS},
	{403, ACCESS},
	{408, NOT_HEARD},			/* not complete in time; may be repeated */
	{421, NOT_HEARD},			/* not for this server; may be repeated */
	{425, NOT_HEARD},			/* not willing to process it yet */
	{429, TOO_FAST},
	{500, OPEN},
	{502, OPEN},
	{503, OPEN},
	{504, OPEN},
	{511, NOT_REACHED},			/* a network that wants a login first */
	{520, OPEN},
	{521, NOT_REACHED},			/* the origin refuses connections */
	{522, OPEN},
	{523, NOT_REACHED},			/* no route to the origin */
	{524, OPEN},
	{525, NOT_REACHED},			/* no TLS handshake with the origin */
	{526, NOT_REACHED},			/* the origin's certificate is not valid */
	{527, OPEN},				/* of a product that is gone */
	{530, NOT_REACHED},			/* the origin's name cannot be resolved */
};

#define STATUS_COUNT	(sizeof(statuses) / sizeof(statuses[0]))

/* Find a status; false if it has no row. */
static bool
find_status(int status, Meaning *meaning)
{
	size_t		i;

	for (i = 0; i < STATUS_COUNT; i++)
	{
		if (statuses[i].status == status)
		{
			*meaning = statuses[i].meaning;
			return true;
		}
	}
	return false;
}

/* Is the HTTP status more telling than a refusal that nobody documents? */
bool
wa_gateway_status_tells(const WaReply *reply)
{
	Meaning		meaning = OPEN;

	return reply->http_status == 404 ||
		(find_status(reply->http_status, &meaning) && meaning != OPEN);
}

/*
 * The verdict on an answer that does not say what became of the message:
 * no JSON, or JSON of an undocumented shape.  details is cleaned text from
 * the answer, or NULL.
 */
void
wa_gateway_judge_status(const char *provider, const WaReply *reply,
						const char *details, WaVerdict *verdict)
{
	WaSaidText	shown;
	const void *more = wa_gateway_details(&shown, details);
	int			status = reply->http_status;
	char		words[WA_REASON_SIZE];
	Meaning		meaning;

	if (details == NULL)
		details = "";
	if (!find_status(status, &meaning))
		meaning = OPEN;
	if (meaning == ACCESS)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_PROVIDER);
		wa_gateway_say(&verdict->said, WA_SAY_HTTP_REFUSED_ACCESS, provider, WA_NUMBER(status), more);
	}
	else if (meaning == TOO_FAST)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_THROTTLE);
		wa_gateway_say(&verdict->said, WA_SAY_HTTP_SLOW_DOWN, provider, more);
	}
	else if (meaning == NOT_HEARD)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_RETRY);
		wa_gateway_say(&verdict->said, WA_SAY_HTTP_NOT_HEARD, provider, WA_NUMBER(status), more);
	}
	else if (meaning == NOT_REACHED)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_RETRY);
		verdict->not_reached = true;
		wa_gateway_say(&verdict->said, WA_SAY_HTTP_NOT_REACHED, provider, WA_NUMBER(status), more);
	}
	else if (status >= 400 && status <= 499)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_CALLER);
		wa_gateway_say(&verdict->said, WA_SAY_HTTP_REFUSED, provider, WA_NUMBER(status), more);
		wa_gateway_unlisted(verdict, details);
		memcpy(words, verdict->unlisted, sizeof(verdict->unlisted));
		wa_gateway_sentence(verdict->unlisted, sizeof(verdict->unlisted),
							"HTTP %d%s%s", status, words[0] != '\0' ? ": " : "", words);
	}
	else
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_UNKNOWN);
		wa_gateway_say(&verdict->said, WA_SAY_HTTP_OPEN, provider, WA_NUMBER(status),
					   wa_text_say_plain(reply->truncated ? WA_SAY_HTTP_BODY_INCOMPLETE : WA_SAY_HTTP_NO_PROOF),
					   more);
	}
	wa_gateway_told_wait(reply, verdict);
}

/*
 * The same for the gateways, which have no codes for what goes wrong before a
 * request has reached their program.  What is not found there (404) is the
 * call itself: the base URL leads somewhere else, and no message can go.
 */
void
wa_gateway_judge_gateway_status(const char *provider, const WaReply *reply,
								const char *details, WaVerdict *verdict)
{
	WaSaidText	shown;

	if (reply->http_status != 404)
	{
		wa_gateway_judge_status(provider, reply, details, verdict);
		return;
	}
	wa_gateway_verdict(verdict, WA_OUTCOME_PROVIDER);
	wa_gateway_say(&verdict->said, WA_SAY_HTTP_NO_SUCH_CALL, provider, wa_gateway_details(&shown, details));
}
