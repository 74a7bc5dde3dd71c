/*-------------------------------------------------------------------------
 *
 * gateway.c
 *		The table of providers, the names of outcomes, releasing memory.
 *
 * A new provider is a new file and one line in WA_GATEWAYS (provider.h).  The
 * names of the outcomes are stored in users' tables and dumps: they never
 * change.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"

#define GATEWAY_ENTRY(kind) &wa_gateway_##kind,

static const WaGateway *const gateways[] = {
	WA_GATEWAYS(GATEWAY_ENTRY)
};

#define GATEWAY_COUNT	(sizeof(gateways) / sizeof(gateways[0]))

/*
 * A gateway sends from the office's own number, and WhatsApp bans numbers that
 * send like a machine.
 */
const WaGatewayLimits wa_gateway_device_limits = {
	.max_in_flight = 1,
	.min_gap_us = 8000000,
	.gap_jitter_us = 4000000,
	.daily_cap = 400
};

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
 * The providers of which wa_setup() adds a row each, by their sequence: the
 * one at this place, counted from 0; NULL at the end.
 */
const WaGateway *
wa_gateway_proposed(size_t index)
{
	const WaGateway *found = NULL;
	size_t		i;
	size_t		k;

	for (i = 0; i < GATEWAY_COUNT; i++)
	{
		size_t		before = 0;

		for (k = 0; k < GATEWAY_COUNT; k++)
		{
			if (gateways[k]->sequence > 0 &&
				(gateways[k]->sequence < gateways[i]->sequence ||
				 (k < i && gateways[k]->sequence == gateways[i]->sequence)))
				before++;
		}
		if (gateways[i]->sequence > 0 && before == index)
			found = gateways[i];
	}
	return found;
}

/* All kinds for a sentence: "meta, watzap, fonnte". */
void
wa_gateway_kinds(char *dst, size_t size)
{
	size_t		len = 0;
	size_t		i;

	for (i = 0; i < GATEWAY_COUNT && len < size; i++)
		len += (size_t) snprintf(dst + len, size - len, "%s%s",
								 i > 0 ? ", " : "", gateways[i]->kind);
}

/*
 * The hosts of the providers themselves, as wa_gateway_url_allowed() takes
 * them.
 */
void
wa_gateway_usual_hosts(char *dst, size_t size)
{
	size_t		len = 0;
	size_t		i;

	for (i = 0; i < GATEWAY_COUNT && len < size; i++)
	{
		const char *host = strstr(gateways[i]->base_url, "://") + 3;

		len += (size_t) snprintf(dst + len, size - len, "%s%s=%.*s",
								 i > 0 ? ", " : "", gateways[i]->kind,
								 (int) strcspn(host, "/"), host);
	}
}

/*
 * What a template's parameters look like to this provider, WaGateway's
 * write_params; one that has no templates, and so no form of its own, is shown
 * the usual one.
 */
char *
wa_gateway_params(const WaGateway *gateway, const WaPair *params,
				  size_t nparams, bool named)
{
	if (gateway->write_params == NULL)
		return wa_gateway_numbered_params("", params, nparams);
	return gateway->write_params(params, nparams,
								 named && gateway->max_param_name > 0);
}

/* Is this a setting of some kind, and a secret of none? */
bool
wa_gateway_open_setting(const char *name)
{
	bool		known = false;
	size_t		i;
	size_t		k;

	for (i = 0; i < GATEWAY_COUNT; i++)
	{
		for (k = 0; k < gateways[i]->nsettings; k++)
		{
			if (strcmp(gateways[i]->settings[k].name, name) != 0)
				continue;
			if (gateways[i]->settings[k].secret)
				return false;
			known = true;
		}
	}
	return known;
}

/* WaGateway's telling_id, for the ids of all providers. */
size_t
wa_gateway_telling_id(const char *text, size_t *from, size_t *count)
{
	size_t		i;

	for (i = 0; i < GATEWAY_COUNT; i++)
	{
		size_t		len = gateways[i]->telling_id == NULL ? 0 :
			gateways[i]->telling_id(text, from, count);

		if (len > 0)
			return len;
	}
	return 0;
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
