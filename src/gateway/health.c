/*-------------------------------------------------------------------------
 *
 * health.c
 *		The verdict on a connection test: what of an answer may be shown.
 *
 * The answers of the status calls contain more than a person should see:
 * Watzap's lists every license key of the account, Fonnte's the device.  So
 * the detail is not the answer with something taken out, but a new object
 * with the named members only, each of them searched for our own secrets.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"

/* Longest text of one member that is shown. */
#define MAX_MEMBER_BYTES	256

/* Collect the values of the secret settings; returns how many. */
static size_t
collect_secrets(const WaGateway *gateway,
				const WaPair *settings, size_t nsettings,
				WaPair secrets[WA_GATEWAY_MAX_SECRETS])
{
	size_t		count = 0;
	size_t		i;

	for (i = 0; i < gateway->nsettings && count < WA_GATEWAY_MAX_SECRETS; i++)
	{
		const char *name = gateway->settings[i].name;
		const char *value;

		if (!gateway->settings[i].secret)
			continue;
		value = wa_gateway_setting(settings, nsettings, name);
		if (value == NULL || *value == '\0')
			continue;
		secrets[count].name = name;
		secrets[count].value = value;
		count++;
	}
	return count;
}

/*
 * Begin a verdict: not ok, no reason yet.  Returns the detail object, with
 * the HTTP status in it; NULL if there is no memory, which every function
 * here accepts.
 */
json_object *
wa_gateway_health_begin(const WaReply *reply, WaHealth *health)
{
	json_object *detail = wa_text_json_room(reply->body, reply->body_len) ? json_object_new_object() : NULL;
	json_object *status;

	memset(health, 0, sizeof(*health));
	health->quota_left = -1;
	health->daily_limit = -1;
	if (detail == NULL)
		return NULL;
	status = json_object_new_int(reply->http_status);
	if (status != NULL &&
		json_object_object_add(detail, "http_status", status) != 0)
		json_object_put(status);
	return detail;
}

/*
 * Copy the named scalar members of "from" into detail, cleaned and without
 * our secrets.  Members that are missing or no scalars are left out.
 */
void
wa_gateway_health_copy(const WaGateway *gateway,
					   const WaPair *settings, size_t nsettings,
					   json_object * detail, json_object * from,
					   const char *const *keys, size_t nkeys)
{
	WaPair		secrets[WA_GATEWAY_MAX_SECRETS];
	size_t		nsecrets;
	size_t		i;

	if (detail == NULL || from == NULL)
		return;
	nsecrets = collect_secrets(gateway, settings, nsettings, secrets);
	for (i = 0; i < nkeys; i++)
	{
		json_object *value = wa_gateway_member(from, keys[i]);
		json_object *copy = NULL;
		char		text[4 * MAX_MEMBER_BYTES];

		if (json_object_is_type(value, json_type_boolean))
			copy = json_object_new_boolean(json_object_get_boolean(value));
		else if (wa_gateway_text(value, text, sizeof(text)))
		{
			char	   *shown = wa_gateway_redact(text, strlen(text),
												  secrets, nsecrets,
												  MAX_MEMBER_BYTES);

			/* A number stays one, unless there was a secret in it. */
			if (shown == NULL)
				continue;
			if (json_object_is_type(value, json_type_int) &&
				strcmp(shown, text) == 0)
				copy = json_object_new_int64(json_object_get_int64(value));
			else
				copy = json_object_new_string(shown);
			free(shown);
		}
		if (copy != NULL &&
			json_object_object_add(detail, keys[i], copy) != 0)
			json_object_put(copy);
	}
}

/*
 * A number of messages, which is given as a number or as its digits; -1 for
 * anything else, such as the word "unlimited".
 */
long
wa_gateway_health_count(json_object * value)
{
	char		text[16];

	if (!wa_gateway_text(value, text, sizeof(text)) ||
		strlen(text) > 9 || text[strspn(text, "0123456789")] != '\0')
		return -1;
	return strtol(text, NULL, 10);
}

/*
 * Finish a verdict: the detail becomes text (NULL only without memory) and is
 * released, and our secrets disappear from what is said.
 */
void
wa_gateway_health_finish(const WaGateway *gateway,
						 const WaPair *settings, size_t nsettings,
						 json_object * detail, WaHealth *health)
{
	WaPair		secrets[WA_GATEWAY_MAX_SECRETS];
	size_t		nsecrets;
	const char *json;

	nsecrets = collect_secrets(gateway, settings, nsettings, secrets);
	wa_gateway_redact_said(&health->said, secrets, nsecrets);

	if (detail == NULL)
		return;
	json = json_object_to_json_string_ext(detail,
										  JSON_C_TO_STRING_PLAIN |
										  JSON_C_TO_STRING_NOSLASHESCAPE);
	if (json != NULL)
	{
		size_t		len = strlen(json);

		health->detail = malloc(len + 1);
		if (health->detail != NULL)
			memcpy(health->detail, json, len + 1);
	}
	json_object_put(detail);
}
