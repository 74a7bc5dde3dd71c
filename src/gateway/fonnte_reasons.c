/*-------------------------------------------------------------------------
 *
 * fonnte_reasons.c
 *		The reasons for which Fonnte refuses, and what each comes to.
 *
 * Fonnte has no codes: it refuses with a sentence in "reason", usually with
 * HTTP status 200.  From docs.fonnte.com and from reports of its users.  A
 * refused message was not queued, so another provider may always take it,
 * unless the number itself is the reason.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gateway/provider.h"

/* A reason longer than this is none of ours. */
#define MAX_REASON_BYTES	128

static const WaWord reasons[] = {
	/* The token or the device: nothing goes through until a person acts. */
	{"token invalid", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	"The token is unknown to Fonnte or is not a device token"},
	{"unknown user", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	"The account token is not valid"},
	{"invalid device", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	"The device token is not valid"},
	{"request invalid on disconnected device", WA_OUTCOME_PROVIDER,
		WA_FALLBACK_YES, 0, -1,
	"The Fonnte device is not connected to WhatsApp"},
	{"insufficient quota", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	"The quota of the Fonnte device is used up"},

	/* The number. */
	{"target invalid", WA_OUTCOME_RECIPIENT, WA_FALLBACK_NO, 0, -1,
	"Fonnte does not accept the number"},
	{"target input invalid", WA_OUTCOME_RECIPIENT, WA_FALLBACK_NO, 0, -1,
	"Fonnte does not accept the form of the number"},

	/* Our request. */
	{"target required", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	"The request names no number"},
	{"input invalid", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	"A field of the request is not valid"},
	{"invalid/empty body value", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	"Fonnte could not read the request, or a required field is empty"},
	{"JSON format invalid", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	"The data of the request is not valid JSON"},
	{"url invalid", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	"The address of the attachment is not valid"},
	{"url unreachable", WA_OUTCOME_RETRY, WA_FALLBACK_YES, 2, 300,
	"Fonnte could not fetch the attachment"},
	{"file format not supported", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	"Fonnte does not take attachments of this type"},
	{"file size must under 4MB", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	"The attachment is larger than 4 MB"},

	/* Answers of other calls, which a send must never get. */
	{"id required", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	"The request names no message id"},
	{"this API is deprecated, use webhook update message status instead",
		WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	"Fonnte has switched this call off"},
};

#define REASON_COUNT	(sizeof(reasons) / sizeof(reasons[0]))

/*
 * The row for a reason, whatever its case and with or without a final period;
 * NULL if the wording is new.
 */
const WaWord *
wa_gateway_fonnte_reason(const char *reason)
{
	char		word[MAX_REASON_BYTES];
	size_t		len = strlen(reason);
	size_t		i;

	while (len > 0 && (reason[len - 1] == '.' || reason[len - 1] == ' '))
		len--;
	if (len >= sizeof(word))
		return NULL;
	memcpy(word, reason, len);
	word[len] = '\0';
	for (i = 0; i < REASON_COUNT; i++)
	{
		if (wa_gateway_same_word(reasons[i].word, word))
			return &reasons[i];
	}
	return NULL;
}

/* The row at this place, counted from 0; NULL at the end.  For the tests. */
const WaWord *
wa_gateway_fonnte_reason_at(size_t index)
{
	return index < REASON_COUNT ? &reasons[index] : NULL;
}
