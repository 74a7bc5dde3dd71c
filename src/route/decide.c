/*-------------------------------------------------------------------------
 *
 * decide.c
 *		The choice of a provider, with its reason in words.
 *
 * The default provider comes first; then official ones (Meta), for people who
 * opted in or wrote within 24 hours; then the gateways by sequence.  The
 * window is of one number of ours and one person, and limits free text only: a template may go to somebody who opted in at
 * any time (Meta's messaging policy).  Gateways have no templates and get the
 * rendered text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "route/route.h"

static const WaMapping *
find_mapping(const WaMapping *mappings, int n, const char *template_key, const char *provider)
{
	for (int i = 0; template_key && i < n; i++)
		if (strcmp(mappings[i].template_key, template_key) == 0 &&
			strcmp(mappings[i].provider, provider) == 0)
			return &mappings[i];
	return NULL;
}

/* Why a mapping that is there cannot be used. */
static WaSaid
unusable(const WaMapping *mapping)
{
	if (mapping->status != WA_MAPPING_ERROR)
		return mapping->provider_status == NULL ? wa_say(WA_SAY_MAPPING_NOT_CONFIGURED) :
			wa_say(WA_SAY_MAPPING_WAITS_FOR_APPROVAL, mapping->provider_status);
	return mapping->last_error == NULL ? wa_say(WA_SAY_MAPPING_IN_ERROR) :
		wa_say(WA_SAY_MAPPING_REFUSED, mapping->last_error);
}

/*
 * Has the person written to this provider's number within 24 hours?
 */
bool
wa_route_in_window(const WaRoute *route, const WaProvider *provider)
{
	const char *sender = provider->gateway && provider->gateway->sender_setting ?
		wa_gateway_setting(provider->settings, provider->nsettings, provider->gateway->sender_setting) : NULL;

	for (int i = 0; sender && i < route->windows.n; i++)
		if (route->windows.list[i] && strcmp(route->windows.list[i], sender) == 0)
			return true;
	return route->in_window;
}

/*
 * Why an official provider cannot take the message, or NULL.
 */
static WaSaid
refuse_official(WaRoute *route, const WaProvider *provider, const WaMapping *mapping)
{
	bool		in_window = wa_route_in_window(route, provider);

	if (route->template_key == NULL)
	{
		route->use_window = true;
		return in_window ? NULL : wa_say(WA_SAY_FREE_TEXT_OUTSIDE_WINDOW);
	}
	if (route->requires_opt_in && !route->opted_in && !in_window)
		return wa_say(WA_SAY_NO_OPT_IN);
	if (mapping && wa_route_mapping_is_usable(mapping) && !mapping->is_text)
	{
		/* whatever we think that it is */
		if (route->no_marketing && mapping->provider_category &&
			pg_strcasecmp(mapping->provider_category, "MARKETING") == 0)
			return wa_say(WA_SAY_TEMPLATE_IS_MARKETING_THERE);
		route->mapping = mapping;
		route->as_template = true;
		route->use_window = route->requires_opt_in && !route->opted_in;
		return NULL;
	}
	if (in_window)
	{
		/* the text itself may go while the window is open */
		route->use_window = true;
		return NULL;
	}
	return mapping ? unusable(mapping) : wa_say(WA_SAY_NO_MAPPING);
}

/* In words, why no message can go by it. */
static WaSaid
why_unusable(const WaProvider *provider)
{
	if (!provider->active)
		return wa_say(WA_SAY_PROVIDER_NOT_ACTIVE);
	if (provider->paused)
		return provider->paused;
	if (provider->problem)
		return provider->problem;
	return provider->state == WA_PROVIDER_ERROR ? wa_say(WA_SAY_PROVIDER_IN_ERROR) :
		wa_say(WA_SAY_PROVIDER_NOT_TESTED);
}

/*
 * Why this provider cannot take the message, or NULL.
 */
static WaSaid
refuse(WaRoute *route, const WaProvider *provider,
	   const WaMapping *mappings, int nmappings, WaWhyNot why_not)
{
	const WaMapping *mapping = find_mapping(mappings, nmappings, route->template_key, provider->name);
	WaSaid		why = NULL;

	route->mapping = NULL;
	route->as_template = false;
	route->use_window = false;
	if (route->user_id)
		why = wa_route_takes_no_ids(provider);
	if (why)
		return why;
	if (!wa_route_is_usable(provider))
		return why_unusable(provider);
	if (why_not)
		why = why_not(provider);
	else if (provider->quota_left == 0)
		why = wa_say(WA_SAY_PROVIDER_QUOTA_USED_UP);
	if (why)
		return why;
	if (provider->gateway && provider->gateway->official)
		return refuse_official(route, provider, mapping);
	if (mapping && !wa_route_mapping_is_usable(mapping))
		return unusable(mapping);
	if (mapping && !mapping->is_text)
	{
		route->mapping = mapping;
		route->as_template = true;
	}
	return NULL;
}

/* Has it refused the message since the last back-off wait? */
static bool
was_tried(const WaRoute *route, const WaProvider *provider)
{
	for (int i = 0; i < route->ntried; i++)
		if (strcmp(route->tried[i], provider->name) == 0)
			return true;
	return false;
}

/*
 * Choose.  Providers are in the order of their sequence.  why_not may be NULL,
 * where nothing is known but the table.  Results are palloc()ed in the current
 * context.
 */
void
wa_route_decide(WaRoute *route, const WaProviders *providers,
				const WaMapping *mappings, int nmappings, WaWhyNot why_not)
{
	WaSaid		refused = NULL;
	WaSaid		why = NULL;

	route->provider = NULL;
	route->exhausted = false;
	route->reason = NULL;

	/* pass 0: the default one; 1: official ones; 2: gateways */
	for (int pass = 0; pass < 3 && route->provider == NULL; pass++)
	{
		for (int i = 0; i < providers->n && route->provider == NULL; i++)
		{
			const WaProvider *p = &providers->list[i];
			bool		official = p->gateway && p->gateway->official;
			WaSaid		refusal;

			if (route->wanted_provider || route->bound_provider)
			{
				if (pass > 0 ||
					strcmp(p->name, route->wanted_provider ? route->wanted_provider : route->bound_provider) != 0)
					continue;
				why = route->wanted_provider ? wa_say(WA_SAY_ROUTE_DEMANDED) : route->bound_why;
			}
			else if (p->is_default)
			{
				if (pass != 0)
					continue;
				why = wa_say(WA_SAY_ROUTE_DEFAULT);
			}
			else
			{
				if (pass != (official ? 1 : 2))
					continue;
				why = official ? wa_say(WA_SAY_ROUTE_OFFICIAL) : wa_say(WA_SAY_ROUTE_FIRST_GATEWAY);
			}
			refusal = refuse(route, p, mappings, nmappings, why_not);
			if (refusal == NULL && was_tried(route, p))
			{
				refusal = wa_say(WA_SAY_PROVIDER_REFUSED_JUST_NOW);
				route->exhausted = true;
			}
			if (refusal)
				refused = wa_said_and(refused, wa_say(WA_SAY_NOT_THIS_PROVIDER, p->name, refusal));
			else
				route->provider = p;
		}
	}
	if (route->provider)
		route->exhausted = false;
	if (route->provider)
		route->reason = wa_said_and(wa_say(WA_SAY_ROUTE_BY, route->provider->name, route->use_window ?
										   wa_say(WA_SAY_ROUTE_INSIDE_WINDOW, why) : why), refused);
	else if (refused)
		route->reason = wa_said_and(wa_say(WA_SAY_NO_PROVIDER_USABLE), refused);
	else if (route->wanted_provider)
		route->reason = wa_say(WA_SAY_PROVIDER_UNKNOWN, route->wanted_provider);
	else if (route->bound_provider)
		route->reason = wa_say(WA_SAY_PROVIDER_GONE_NO_OTHER, route->bound_provider, route->bound_why);
	else
		route->reason = wa_say(WA_SAY_NO_PROVIDER_CONFIGURED);
}
