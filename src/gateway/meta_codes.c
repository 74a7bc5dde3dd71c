/*-------------------------------------------------------------------------
 *
 * meta_codes.c
 *		Meta's error codes and what each of them comes to.
 *
 * From Meta's page "Error codes" of the WhatsApp Business Platform and the
 * examples of its OpenAPI file.  Meta advises to branch on the code and on
 * nothing else: HTTP statuses have changed over the years, titles change at
 * will.  What to do about a code is our reading where the page gives no
 * advice.  The table is sorted and its ranges do not overlap.
 *
 * "Retry" columns: -1 as often as the general limit allows, else that often.
 * Waits are in seconds: the fixed wait where one is documented, or the first
 * step of one that grows; -1 leaves both to the general backoff.
 *
 *-------------------------------------------------------------------------
 */
#include "gateway/provider.h"

/* The usual row of each kind; rows that differ are written out. */

/* The whole provider cannot be used until a person has done something. */
#define PROVIDER_STOP(first, last, sentence) \
	{first, last, WA_OUTCOME_PROVIDER, WA_SCOPE_PROVIDER, WA_FALLBACK_YES, \
		0, -1, -1, false, false, sentence}

/* This mapping of the template cannot be used by any message. */
#define TEMPLATE_STOP(code, sentence) \
	{code, code, WA_OUTCOME_TEMPLATE, WA_SCOPE_PROVIDER, WA_FALLBACK_YES, \
		0, -1, -1, false, false, sentence}

/* The template cannot take the values of this message. */
#define TEMPLATE_VALUES(code, sentence) \
	{code, code, WA_OUTCOME_TEMPLATE, WA_SCOPE_MESSAGE, WA_FALLBACK_YES, \
		0, -1, -1, false, false, sentence}

/* Our request is wrong. */
#define CALLER_FAULT(code, sentence) \
	{code, code, WA_OUTCOME_CALLER, WA_SCOPE_MESSAGE, WA_FALLBACK_YES, \
		0, -1, -1, false, false, sentence}

/* A code of another interface, which a send must never get. */
#define OTHER_INTERFACE(first, last, sentence) \
	{first, last, WA_OUTCOME_CALLER, WA_SCOPE_MESSAGE, WA_FALLBACK_YES, \
		0, -1, -1, false, false, sentence}

/* Trouble at Meta that goes away: 30 s, 60 s, ... */
#define RETRY_LATER(code, sentence) \
	{code, code, WA_OUTCOME_RETRY, WA_SCOPE_MESSAGE, WA_FALLBACK_YES, \
		-1, -1, 30, false, false, sentence}

/* A quota of calls: 60 s, 120 s, ... unless the usage header knows better. */
#define CALL_QUOTA(code, sentence) \
	{code, code, WA_OUTCOME_THROTTLE, WA_SCOPE_PROVIDER, WA_FALLBACK_YES, \
		-1, -1, 60, true, false, sentence}

static const WaMetaCode codes[] = {
	PROVIDER_STOP(0, 0,
				  "The access token has expired, was revoked or is not valid"),
	{1, 1, WA_OUTCOME_RETRY, WA_SCOPE_MESSAGE, WA_FALLBACK_YES,
		2, 60, -1, false, false,
	"Meta reports a bad request or a fault of its own"},
	RETRY_LATER(2, "Meta is temporarily down or overloaded"),
	PROVIDER_STOP(3, 3,
				  "The app lacks a capability or permission; check the scopes of the token"),
	CALL_QUOTA(4, "The app has reached its limit of API calls"),
	PROVIDER_STOP(10, 10,
				  "A permission was not granted or was withdrawn; check the assets of the system user"),
	CALL_QUOTA(17, "The user has reached the limit of API calls"),
	PROVIDER_STOP(33, 33,
				  "The business phone number was deleted or its id is not valid"),
	CALLER_FAULT(100, "A parameter is unknown, misspelt or not valid"),
	PROVIDER_STOP(104, 104, "The request carried no access token"),
	PROVIDER_STOP(190, 190, "The access token has expired or is not valid"),
	PROVIDER_STOP(200, 299, "The token lacks an API permission"),
	PROVIDER_STOP(368, 368,
				  "The account is temporarily blocked for policy violations"),
	PROVIDER_STOP(803, 803,
				  "The phone number id or account id is unknown, or the token may not see it"),
	CALL_QUOTA(80007,
			   "The WhatsApp business account has reached its limit of API calls"),
	{130403, 130403, WA_OUTCOME_RECIPIENT, WA_SCOPE_RECIPIENT, WA_FALLBACK_NO,
		0, -1, -1, false, false,
	"The business itself has blocked this person"},
	{130429, 130429, WA_OUTCOME_THROTTLE, WA_SCOPE_PROVIDER, WA_FALLBACK_YES,
		-1, -1, 1, false, false,
	"The sending number exceeded its message throughput"},
	{130472, 130472, WA_OUTCOME_POLICY, WA_SCOPE_RECIPIENT, WA_FALLBACK_YES,
		0, -1, -1, false, false,
	"Not sent because the person is part of an experiment of Meta's"},
	{130497, 130497, WA_OUTCOME_POLICY, WA_SCOPE_RECIPIENT, WA_FALLBACK_YES,
		0, -1, -1, false, false,
	"The business may not message people in this country"},
	RETRY_LATER(131000, "Something failed inside Meta"),
	PROVIDER_STOP(131005, 131005, "Access to this operation was denied"),
	CALLER_FAULT(131008,
				 "A required parameter is missing, or a text parameter of the template is empty"),
	CALLER_FAULT(131009, "The value of a parameter is not valid"),
	RETRY_LATER(131016, "A service of Meta's is temporarily unavailable"),
	{131021, 131021, WA_OUTCOME_RECIPIENT, WA_SCOPE_RECIPIENT, WA_FALLBACK_NO,
		0, -1, -1, false, false,
	"The recipient's number is the sending number"},
	{131026, 131026, WA_OUTCOME_RECIPIENT, WA_SCOPE_RECIPIENT, WA_FALLBACK_CARE,
		0, -1, -1, false, false,
	"The message cannot be delivered: the number may not be on WhatsApp, or its app is outdated or its terms not accepted"},
	PROVIDER_STOP(131030, 131030,
				  "The sending number is a test number and the recipient is not on its list"),
	PROVIDER_STOP(131031, 131031,
				  "The business account is locked"),
	PROVIDER_STOP(131037, 131037,
				  "The sending number has no approved display name"),
	PROVIDER_STOP(131042, 131042,
				  "There is a problem with the payment method or eligibility of the business"),
	OTHER_INTERFACE(131044, 131044,
					"Meta reports a payment problem for calling"),
	PROVIDER_STOP(131045, 131045,
				  "The registration or certificate of the sending number has a problem"),
	{131047, 131047, WA_OUTCOME_POLICY, WA_SCOPE_MESSAGE, WA_FALLBACK_YES,
		0, -1, -1, false, false,
	"Free text is allowed only within 24 hours of the person's last message; a template is needed"},
	{131048, 131048, WA_OUTCOME_POLICY, WA_SCOPE_PROVIDER, WA_FALLBACK_CARE,
		0, -1, -1, false, false,
	"The sending number is restricted because earlier messages were blocked or reported as spam"},
	{131049, 131049, WA_OUTCOME_POLICY, WA_SCOPE_RECIPIENT, WA_FALLBACK_CARE,
		1, 86400, -1, false, false,
	"Meta did not deliver because this person has received enough marketing messages for now"},
	{131050, 131050, WA_OUTCOME_RECIPIENT, WA_SCOPE_RECIPIENT, WA_FALLBACK_NO,
		0, -1, -1, false, true,
	"The person stopped marketing messages from this business"},
	{131051, 131051, WA_OUTCOME_CALLER, WA_SCOPE_MESSAGE, WA_FALLBACK_NO,
		0, -1, -1, false, false,
	"The type of the message is not supported"},
	OTHER_INTERFACE(131052, 131052,
					"Meta could not download media that a person sent"),
	CALLER_FAULT(131053, "Meta could not take over the media of the message"),
	CALLER_FAULT(131055,
				 "This endpoint takes marketing templates only"),
	{131056, 131056, WA_OUTCOME_THROTTLE, WA_SCOPE_RECIPIENT, WA_FALLBACK_NO,
		-1, -1, 4, false, false,
	"Too many messages from this number to this one person in a short time"},
	{131057, 131057, WA_OUTCOME_RETRY, WA_SCOPE_PROVIDER, WA_FALLBACK_YES,
		-1, 90, -1, false, false,
	"The account is in maintenance mode"},
	CALLER_FAULT(131062,
				 "A business-scoped user id is not supported as the recipient of this message"),
	TEMPLATE_STOP(131063,
				  "Marketing templates are switched off for this account"),
	{131064, 131064, WA_OUTCOME_POLICY, WA_SCOPE_PROVIDER, WA_FALLBACK_CARE,
		0, -1, -1, false, false,
	"The account has reached a message limit because templates were put into the wrong category"},
	TEMPLATE_STOP(132000,
				  "The number of parameters differs from the approved template"),
	TEMPLATE_STOP(132001,
				  "The template does not exist in this language or is not approved"),
	TEMPLATE_VALUES(132005,
				  "The text of the template is too long with these values"),
	TEMPLATE_STOP(132007, "The content of the template breaks a policy"),
	TEMPLATE_VALUES(132008, "The value of a template parameter is not valid"),
	TEMPLATE_STOP(132012,
				  "The format of a parameter differs from the approved template"),
	TEMPLATE_STOP(132015, "The template is paused for low quality"),
	TEMPLATE_STOP(132016, "The template is disabled for good"),
	TEMPLATE_VALUES(132018,
				  "The parameters of the template did not pass validation"),
	TEMPLATE_STOP(132068, "The Flow in the template is blocked"),
	{132069, 132069, WA_OUTCOME_TEMPLATE, WA_SCOPE_MESSAGE, WA_FALLBACK_YES,
		-1, 3600, -1, false, false,
	"The Flow in the template is throttled"},
	PROVIDER_STOP(133000, 133000,
				  "An earlier deregistration of the sending number is incomplete"),
	RETRY_LATER(133004, "Meta's server is temporarily unavailable"),
	OTHER_INTERFACE(133005, 133005, "The two-step PIN is wrong"),
	PROVIDER_STOP(133006, 133006, "The sending number must be verified first"),
	OTHER_INTERFACE(133008, 133009, "The PIN was entered too often or too fast"),
	PROVIDER_STOP(133010, 133010,
				  "The sending number is not registered on the platform"),
	OTHER_INTERFACE(133015, 133015,
					"The number was just deleted and cannot be registered yet"),
	OTHER_INTERFACE(133016, 133016,
					"The number was registered or deregistered too often"),
	PROVIDER_STOP(134011, 134011,
				  "The terms of WhatsApp Payments are not accepted"),
	CALLER_FAULT(134100, "This endpoint takes marketing templates only"),
	{134101, 134101, WA_OUTCOME_RETRY, WA_SCOPE_MESSAGE, WA_FALLBACK_YES,
		-1, 600, -1, false, false,
	"The template is still being prepared for the marketing endpoint"},
	TEMPLATE_STOP(134102,
				  "The template cannot be used on the marketing endpoint"),
	CALLER_FAULT(135000, "Meta could not work with the request's parameters"),
	{137000, 137000, WA_OUTCOME_RECIPIENT, WA_SCOPE_RECIPIENT, WA_FALLBACK_YES,
		0, -1, -1, false, false,
	"The identity key of the recipient has changed"},
	OTHER_INTERFACE(138000, 138021, "Meta reports a problem of the calling API"),
	OTHER_INTERFACE(139000, 139004,
					"Meta reports a problem of the Flow or block list API"),
	OTHER_INTERFACE(139100, 139103,
					"Meta reports a problem of the Flow or block list API"),
	OTHER_INTERFACE(147001, 147005, "Meta reports a problem of user names"),
	OTHER_INTERFACE(200005, 200007,
					"Meta reports a problem of template analytics"),
	OTHER_INTERFACE(1752041, 1752041,
					"Meta reports a problem of account migration or onboarding"),
	OTHER_INTERFACE(2388012, 2388012,
					"Meta reports a problem of phone number migration"),
	OTHER_INTERFACE(2388019, 2388019,
					"The account has reached its number of templates"),
	OTHER_INTERFACE(2388040, 2388040, "A field of the template is too long"),
	OTHER_INTERFACE(2388047, 2388047,
					"The format of the template's header is wrong"),
	OTHER_INTERFACE(2388072, 2388072,
					"The format of the template's body is wrong"),
	OTHER_INTERFACE(2388073, 2388073,
					"The format of the template's footer is wrong"),
	OTHER_INTERFACE(2388091, 2388091,
					"Meta reports a problem of phone number migration"),
	OTHER_INTERFACE(2388093, 2388093,
					"Meta reports a problem of phone number migration"),
	OTHER_INTERFACE(2388103, 2388103,
					"Meta reports a problem of phone number migration"),
	OTHER_INTERFACE(2388293, 2388293,
					"The template has too many variables for its length"),
	OTHER_INTERFACE(2388299, 2388299,
					"The template has a variable at its very start or end"),
	{2494100, 2494100, WA_OUTCOME_RETRY, WA_SCOPE_PROVIDER, WA_FALLBACK_YES,
		-1, 180, -1, false, false,
	"The sending number is in maintenance mode"},
	OTHER_INTERFACE(2494164, 2494179,
					"Meta reports a problem of the in-app sign-up"),
	OTHER_INTERFACE(2593079, 2593079,
					"Meta reports a problem of account migration or onboarding"),
	OTHER_INTERFACE(2593085, 2593085,
					"Meta reports a problem of account migration or onboarding"),
	OTHER_INTERFACE(2593107, 2593108,
					"Meta reports a problem of account migration or onboarding"),
};

#define CODE_COUNT	(sizeof(codes) / sizeof(codes[0]))

/* The row for a code, or NULL if Meta's page does not have it. */
const WaMetaCode *
wa_gateway_meta_code(long code)
{
	size_t		low = 0;
	size_t		high = CODE_COUNT;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (code > codes[middle].last)
			low = middle + 1;
		else if (code < codes[middle].first)
			high = middle;
		else
			return &codes[middle];
	}
	return NULL;
}

/* The row at this place, counted from 0; NULL at the end.  For the tests. */
const WaMetaCode *
wa_gateway_meta_code_at(size_t index)
{
	return index < CODE_COUNT ? &codes[index] : NULL;
}
