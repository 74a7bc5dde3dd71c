/*-------------------------------------------------------------------------
 *
 * gateway.c
 *		The table of providers, the names of outcomes, releasing memory.
 *
 * A new provider is a new file and one line in this table.  The names of the
 * outcomes are stored in users' tables and dumps: they never change.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"

static const WaGateway *const gateways[] = {
	&wa_gateway_meta,
	&wa_gateway_watzap,
	&wa_gateway_fonnte,
};

#define GATEWAY_COUNT	(sizeof(gateways) / sizeof(gateways[0]))

/* In the order of WaOutcome. */
static const char *const outcome_names[WA_OUTCOME_COUNT] = {
	[WA_OUTCOME_ACCEPTED] = "accepted",
	[WA_OUTCOME_RETRY] = "retry",
	[WA_OUTCOME_THROTTLE] = "throttle",
	[WA_OUTCOME_PROVIDER] = "provider",
	[WA_OUTCOME_TEMPLATE] = "template",
	[WA_OUTCOME_RECIPIENT] = "recipient",
	[WA_OUTCOME_POLICY] = "policy",
	[WA_OUTCOME_CALLER] = "caller",
	[WA_OUTCOME_UNKNOWN] = "unknown",
};

/* The provider of this kind ("meta", ...), or NULL; NULL is no kind. */
const WaGateway *
wa_gateway_find(const char *kind)
{
	size_t		i;

	if (kind == NULL)
		return NULL;
	for (i = 0; i < GATEWAY_COUNT; i++)
	{
		if (strcmp(gateways[i]->kind, kind) == 0)
			return gateways[i];
	}
	return NULL;
}

/* The provider at this place of the table, counted from 0; NULL at the end. */
const WaGateway *
wa_gateway_at(size_t index)
{
	return index < GATEWAY_COUNT ? gateways[index] : NULL;
}

/*
 * The value of a setting, as given: the first pair of this name.  NULL if it
 * is not there; the provider's default is not looked at.
 */
const char *
wa_gateway_setting(const WaPair *settings, size_t nsettings, const char *name)
{
	size_t		i;

	for (i = 0; i < nsettings; i++)
	{
		if (settings[i].name != NULL && strcmp(settings[i].name, name) == 0)
			return settings[i].value;
	}
	return NULL;
}

/*
 * Read a setting that is true or false, in any of the usual spellings.  False,
 * with *result untouched, for anything else and for NULL.
 */
bool
wa_gateway_boolean(const char *value, bool *result)
{
	static const char *const yes[] = {"true", "on", "yes", "1"};
	static const char *const no[] = {"false", "off", "no", "0"};
	size_t		i;

	for (i = 0; value != NULL && i < sizeof(yes) / sizeof(yes[0]); i++)
	{
		bool		is_yes = wa_gateway_same_word(value, yes[i]);

		if (is_yes || wa_gateway_same_word(value, no[i]))
		{
			*result = is_yes;
			return true;
		}
	}
	return false;
}

/* The name under which an outcome is stored; static, never NULL. */
const char *
wa_gateway_outcome_name(WaOutcome outcome)
{
	if ((int) outcome < 0 || (int) outcome >= WA_OUTCOME_COUNT)
		outcome = WA_OUTCOME_UNKNOWN;
	return outcome_names[outcome];
}

/* The reverse of wa_gateway_outcome_name(); false, and *out untouched, if none. */
bool
wa_gateway_outcome_from_name(const char *name, WaOutcome *out)
{
	int			i;

	if (name == NULL)
		return false;
	for (i = 0; i < WA_OUTCOME_COUNT; i++)
	{
		if (strcmp(outcome_names[i], name) == 0)
		{
			*out = (WaOutcome) i;
			return true;
		}
	}
	return false;
}

/*
 * Overwrite a secret before its memory goes back to the allocator: requests
 * carry tokens, and freed memory ends up in core files.  The volatile pointer
 * keeps the compiler from dropping the stores.
 */
static void
wipe(char *bytes, size_t len)
{
	volatile char *p = bytes;

	while (len-- > 0)
		*p++ = '\0';
}

/* Release what a request holds, and empty it.  A zeroed one is fine. */
void
wa_gateway_request_free(WaRequest *req)
{
	size_t		i;

	if (req == NULL)
		return;
	for (i = 0; i < req->nheaders; i++)
	{
		if (req->headers[i] != NULL)
			wipe(req->headers[i], strlen(req->headers[i]));
		free(req->headers[i]);
	}
	free(req->headers);
	if (req->body != NULL)
		wipe(req->body, req->body_len);
	free(req->body);
	free(req->url);
	memset(req, 0, sizeof(*req));
}

/* Release what a health verdict holds, and empty it. */
void
wa_gateway_health_free(WaHealth *health)
{
	if (health == NULL)
		return;
	free(health->detail);
	memset(health, 0, sizeof(*health));
}
