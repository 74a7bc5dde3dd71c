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
	WA_SAY_FONNTE_TOKEN_UNKNOWN},
	{"unknown user", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_FONNTE_ACCOUNT_TOKEN},
	{"invalid device", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_FONNTE_DEVICE_TOKEN},
	{"request invalid on disconnected device", WA_OUTCOME_PROVIDER,
		WA_FALLBACK_YES, 0, -1,
	WA_SAY_FONNTE_NOT_CONNECTED},
	{"insufficient quota", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_FONNTE_QUOTA_USED_UP},

	/* The number. */
	{"target invalid", WA_OUTCOME_RECIPIENT, WA_FALLBACK_NO, 0, -1,
	WA_SAY_FONNTE_DOES_NOT_ACCEPT_NUMBER},
	{"target input invalid", WA_OUTCOME_RECIPIENT, WA_FALLBACK_NO, 0, -1,
	WA_SAY_FONNTE_DOES_NOT_ACCEPT_FORM_NUMBER},

	/* Our request. */
	{"target required", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_REQUEST_NAMES_NO_NUMBER},
	{"input invalid", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_FIELD_REQUEST_NOT_VALID},
	{"invalid/empty body value", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_FONNTE_COULD_NOT_READ_REQUEST_OR},
	{"JSON format invalid", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_DATA_REQUEST_NOT_VALID_JSON},
	{"url invalid", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_ADDRESS_ATTACHMENT_NOT_VALID},
	{"url unreachable", WA_OUTCOME_RETRY, WA_FALLBACK_YES, 2, 300,
	WA_SAY_FONNTE_COULD_NOT_FETCH_ATTACHMENT},
	{"file format not supported", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_FONNTE_DOES_NOT_TAKE_ATTACHMENTS},
	{"file size must under 4MB", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_ATTACHMENT_LARGER_THAN_4_MB},

	/* Answers of other calls, which a send must never get. */
	{"id required", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_REQUEST_NAMES_NO_MESSAGE_ID},
	{"this API is deprecated, use webhook update message status instead",
		WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_FONNTE_HAS_SWITCHED_CALL_OFF},
};

/*
 * The states in which Fonnte gives a message up that it had taken, from its
 * page on the webhook.  It was not sent.
 */
static const WaWord states[] = {
	{"invalid", WA_OUTCOME_RECIPIENT, WA_FALLBACK_NO, 0, -1,
	WA_SAY_FONNTE_DOES_NOT_ACCEPT_NUMBER},
	{"expired", WA_OUTCOME_RETRY, WA_FALLBACK_YES, 0, -1,
	WA_SAY_FONNTE_EXPIRED},
	{"url unreachable", WA_OUTCOME_RETRY, WA_FALLBACK_YES, 2, 300,
	WA_SAY_FONNTE_COULD_NOT_FETCH_ATTACHMENT},
};

#define REASON_COUNT	(sizeof(reasons) / sizeof(reasons[0]))
#define STATE_COUNT		(sizeof(states) / sizeof(states[0]))

/* The row of a word, whatever its case and with or without a final period. */
static const WaWord *
find_word(const WaWord *rows, size_t nrows, const char *reason)
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
	for (i = 0; i < nrows; i++)
	{
		if (wa_gateway_same_word(rows[i].word, word))
			return &rows[i];
	}
	return NULL;
}

/*
 * The row for a reason; NULL if the wording is new.
 */
const WaWord *
wa_gateway_fonnte_reason(const char *reason)
{
	return find_word(reasons, REASON_COUNT, reason);
}

/*
 * The row for a state in which a message has failed; NULL for another one.
 */
const WaWord *
wa_gateway_fonnte_state(const char *state)
{
	return find_word(states, STATE_COUNT, state);
}

/* The row at this place, counted from 0; NULL at the end.  For the tests. */
const WaWord *
wa_gateway_fonnte_reason_at(size_t index)
{
	return index < REASON_COUNT ? &reasons[index] : NULL;
}
