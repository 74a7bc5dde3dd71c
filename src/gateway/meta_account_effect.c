/*-------------------------------------------------------------------------
 *
 * meta_account_effect.c
 *		What Meta's events about the account come to.
 *
 * The name of an event says what Meta looked at, and not how it ended: the
 * same ACCOUNT_RESTRICTION tells of a restriction and of its end.  What
 * decides is the member that says so; the lists of values are open.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "gateway/provider.h"
#include "gateway/reading.h"

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

/* A word of Meta's; what is longer is none that we know. */
#define WORD_SIZE		128

/* What a word for a restriction comes to. */
typedef struct Restriction
{
	const char *type;
	WaAccountEffect effect;
	WaSay		sentence;
} Restriction;

static const Restriction restrictions[] = {
	{"RESTRICTED_BIZ_INITIATED_MESSAGING", WA_ACCOUNT_STOP, WA_SAY_META_NO_BUSINESS_MESSAGES},
	{"RATE_LIMITED_UTILITY_TEMPLATE_MESSAGING", WA_ACCOUNT_SLOWER, WA_SAY_META_UTILITY_IS_LIMITED},
	{"RESTRICTED_CUSTOMER_INITIATED_MESSAGING", WA_ACCOUNT_WARN, WA_SAY_META_NO_CUSTOMER_MESSAGES},
	{"RESTRICTED_UTILITY_TEMPLATES", WA_ACCOUNT_WARN, WA_SAY_META_NO_UTILITY_TEMPLATES},
};

/* Events that tell nothing that anybody must do something about. */
static const char *const harmless[] = {
	"account_update/AD_ACCOUNT_LINKED",
	"account_update/AUTH_INTL_PRICE_ELIGIBILITY_UPDATE",
	"account_update/BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE",
	"account_update/MM_LITE_TERMS_SIGNED",
	"account_update/PARTNER_ADDED",
	"account_update/PARTNER_APP_INSTALLED",
	"account_update/PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE",
	"account_update/VERIFIED_ACCOUNT",
	"account_update/VOLUME_BASED_PRICING_TIER_UPDATE",
	"phone_number_quality_update/ONBOARDING",
	"phone_number_quality_update/THROUGHPUT_UPGRADE",
};

/* ... and those that end what their field has told before. */
static const char *const good[] = {
	"account_review_update/APPROVED",
	"phone_number_name_update/APPROVED",
	"phone_number_quality_update/UNFLAGGED",
	"phone_number_quality_update/UPGRADE",
};

/* Fields whose events are kept whatever they say. */
static const char *const harmless_fields[] = {
	"account_settings_update",
	"business_capability_update",
	"business_username_updates",
};

/* The text of a member, "" if there is none. */
static const char *
word_in(json_object * parent, const char *key, char word[WORD_SIZE])
{
	if (!wa_gateway_text(wa_gateway_member(parent, key), word, WORD_SIZE))
		word[0] = '\0';
	return word;
}

/* A sentence with one value, which has come through wa_gateway_text(). */
static void
say(WaAccountNews *news, WaSay sentence, const char *words)
{
	const void *values[1];

	values[0] = words;
	wa_text_say_into(&news->said, sentence, 1, values);
}

static bool
ends_with(const char *word, const char *end)
{
	size_t		len = strlen(word);

	return len >= strlen(end) && strcmp(word + len - strlen(end), end) == 0;
}

/*
 * One restriction.  The most serious of several decides, and of two alike the
 * one that lasts longer; one without an end lasts longest.
 */
static void
judge_restriction(json_object * element, WaAccountNews *news, bool first)
{
	char		type[WORD_SIZE];
	char		end[WORD_SIZE];
	char		words[2 * WORD_SIZE + 16];
	json_object *expiration = wa_gateway_member(element, "expiration");
	int64_t		until = wa_gateway_read_time(expiration, INT64_MAX);
	WaAccountEffect effect = WA_ACCOUNT_WARN;
	WaSay		sentence = WA_SAY_META_RESTRICTS_ACCOUNT;

	word_in(element, "restriction_type", type);
	word_in(element, "expiration", end);
	for (size_t i = 0; i < LENGTH(restrictions); i++)
	{
		if (strcmp(type, restrictions[i].type) == 0)
		{
			effect = restrictions[i].effect;
			sentence = restrictions[i].sentence;
		}
	}
	if (!first && (effect < news->effect ||
				   (effect == news->effect && (news->until == 0 || (until != 0 && until <= news->until)))))
		return;
	news->effect = effect;
	news->until = until;
	snprintf(words, sizeof(words), "%s%s%s", type[0] != '\0' ? type : "-",
			 until == 0 && end[0] != '\0' ? ", " : "", until == 0 ? end : "");
	say(news, sentence, words);
}

static bool
judge_restrictions(json_object * value, WaAccountNews *news)
{
	json_object *list = wa_gateway_member(value, "restriction_info");
	json_object *element;
	size_t		i;

	if (json_object_is_type(list, json_type_object))
	{
		judge_restriction(list, news, true);
		return true;
	}
	for (i = 0; (element = wa_gateway_element(list, i)) != NULL; i++)
		judge_restriction(element, news, i == 0);
	return i > 0;
}

/*
 * The state of a ban, a word or a list of one.  A list of different ones tells
 * nothing.
 */
static bool
judge_ban(json_object * value, WaAccountNews *news)
{
	json_object *info = wa_gateway_member(value, "ban_info");
	json_object *told = wa_gateway_member(info, "waba_ban_state");
	char		state[WORD_SIZE] = "";
	char		date[WORD_SIZE];
	char		words[2 * WORD_SIZE + 16];
	WaSay		sentence = WA_SAY_META_SAYS_OF_ACCOUNT;

	if (json_object_is_type(told, json_type_array))
	{
		if (json_object_array_length(told) == 1)
			(void) wa_gateway_text(wa_gateway_element(told, 0), state, sizeof(state));
	}
	else
		word_in(info, "waba_ban_state", state);
	if (info == NULL)
		return false;
	word_in(info, "waba_ban_date", date);
	news->effect = WA_ACCOUNT_WARN;
	if (strcmp(state, "DISABLE") == 0)
	{
		news->effect = WA_ACCOUNT_STOP;
		sentence = WA_SAY_META_HAS_DISABLED_ACCOUNT;
	}
	else if (strcmp(state, "REINSTATE") == 0)
	{
		news->effect = WA_ACCOUNT_RESUME;
		sentence = WA_SAY_META_HAS_REINSTATED_ACCOUNT;
	}
	else if (strcmp(state, "SCHEDULE_FOR_DISABLE") == 0)
		sentence = WA_SAY_META_WILL_DISABLE_ACCOUNT;
	snprintf(words, sizeof(words), "%s%s%s", state[0] != '\0' ? state : "ban_info",
			 date[0] != '\0' ? ", " : "", date);
	say(news, sentence, words);
	return true;
}

static bool
judge_violation(json_object * value, WaAccountNews *news)
{
	char		type[WORD_SIZE];

	if (word_in(wa_gateway_member(value, "violation_info"), "violation_type", type)[0] == '\0')
		return false;
	news->effect = WA_ACCOUNT_WARN;
	if (ends_with(type, "_RECOVERY") || ends_with(type, "_UNBAN"))
	{
		news->effect = WA_ACCOUNT_RESUME;
		wa_gateway_say(&news->said, WA_SAY_META_HAS_FORGIVEN, type);
	}
	else if (strcmp(type, "UTILITY_TEMPLATE_ABUSE") == 0)
		wa_gateway_say(&news->said, WA_SAY_META_FOUND_UTILITY_ABUSE, type);
	else
		wa_gateway_say(&news->said, WA_SAY_META_FOUND_VIOLATION, type);
	return true;
}

/* Are we connected with the account? */
static bool
judge_link(const char *word, json_object * value, WaAccountNews *news)
{
	char		reason[WORD_SIZE];
	const char *told = word_in(wa_gateway_member(value, "disconnection_info"), "reason", reason)[0] != '\0' ?
		reason : word;

	news->about = WA_ABOUT_LINK;
	news->effect = WA_ACCOUNT_STOP;
	if (strcmp(word, "ACCOUNT_RECONNECTED") == 0)
	{
		news->effect = WA_ACCOUNT_RESUME;
		wa_gateway_say(&news->said, WA_SAY_META_ACCOUNT_IS_RECONNECTED, told);
	}
	else if (strcmp(reason, "PRIMARY_INACTIVITY") == 0)
		wa_gateway_say(&news->said, WA_SAY_META_PHONE_WAS_OFF, told);
	else if (strcmp(word, "ACCOUNT_OFFBOARDED") == 0)
		wa_gateway_say(&news->said, WA_SAY_META_ACCOUNT_IS_OFFBOARDED, told);
	else if (strcmp(word, "PARTNER_REMOVED") == 0)
		wa_gateway_say(&news->said, WA_SAY_META_ACCOUNT_LEFT_US, told);
	else
	{
		news->about = WA_ABOUT_ELSE;
		return false;
	}
	return true;
}

/* phone_number_quality_update is of the limit, in spite of its name. */
static bool
judge_limit(const char *event, const char *word, json_object * value, WaAccountNews *news)
{
	static const char field[] = "phone_number_quality_update";
	char		limit[WORD_SIZE];

	if (strncmp(event, field, strlen(field)) != 0)
		return false;
	if (word_in(value, "max_daily_conversations_per_business", limit)[0] == '\0')
		word_in(value, "current_limit", limit);
	if (limit[0] == '\0')
		return false;
	news->effect = strcmp(word, "DOWNGRADE") == 0 ? WA_ACCOUNT_SLOWER : WA_ACCOUNT_WARN;
	wa_gateway_say(&news->said, WA_SAY_META_LIMIT_OF_NUMBER, word[0] != '\0' ? word : "-", limit);
	return true;
}

static bool
is_good(const char *event)
{
	for (size_t i = 0; i < LENGTH(good); i++)
	{
		if (strcmp(event, good[i]) == 0)
			return true;
	}
	return false;
}

static bool
is_harmless(const char *event, json_object * value)
{
	size_t		len = strcspn(event, "/");
	char		severity[WORD_SIZE];

	for (size_t i = 0; i < LENGTH(harmless); i++)
	{
		if (strcmp(event, harmless[i]) == 0)
			return true;
	}
	for (size_t i = 0; i < LENGTH(harmless_fields); i++)
	{
		if (strlen(harmless_fields[i]) == len && strncmp(event, harmless_fields[i], len) == 0)
			return true;
	}
	return strncmp(event, "account_alerts", len) == 0 &&
		strcmp(word_in(value, "alert_severity", severity), "INFORMATIONAL") == 0;
}

/* In Meta's words. */
static void
say_event(const char *event, json_object * value, WaAccountNews *news)
{
	static const char *const keys[] = {"alert_description", "rejection_reason", "title", "message"};
	char		more[300] = "";
	char		words[500];

	for (size_t i = 0; i < LENGTH(keys) && more[0] == '\0'; i++)
		(void) wa_gateway_text(wa_gateway_member(value, keys[i]), more, sizeof(more));
	snprintf(words, sizeof(words), "%.150s%s%s", event, more[0] != '\0' ? ", " : "", more);
	wa_gateway_say(&news->said, WA_SAY_META_SAYS_OF_ACCOUNT, words);
}

/* Which number of ours it is of, where it says so. */
static void
read_number(json_object * value, WaAccountNews *news)
{
	static const char *const keys[] = {"phone_number", "display_phone_number"};
	char		text[64];

	for (size_t i = 0; i < LENGTH(keys) && news->number[0] == '\0'; i++)
	{
		if (wa_gateway_text(wa_gateway_member(value, keys[i]), text, sizeof(text)) &&
			!wa_gateway_read_number(text, news->number))
			news->number[0] = '\0';
	}
}

/*
 * See WaGateway.
 */
void
wa_gateway_meta_judge_account(const char *event, const char *detail, WaAccountNews *news)
{
	json_object *value = detail == NULL ? NULL : json_tokener_parse(detail);
	const char *slash = event == NULL ? NULL : strchr(event, '/');
	const char *word = slash == NULL ? "" : slash + 1;

	memset(news, 0, sizeof(*news));
	if (event == NULL)
		event = "";
	read_number(value, news);
	news->about = WA_ABOUT_RULES;
	if (!judge_restrictions(value, news) && !judge_ban(value, news) && !judge_violation(value, news))
	{
		news->about = WA_ABOUT_ELSE;
		if (!judge_link(word, value, news) && !judge_limit(event, word, value, news))
		{
			news->effect = WA_ACCOUNT_WARN;
			say_event(event, value, news);
		}
		if (is_good(event))
			news->effect = WA_ACCOUNT_RESUME;
		else if (is_harmless(event, value))
			news->effect = WA_ACCOUNT_KEPT;
	}
	json_object_put(value);
}
