/*-------------------------------------------------------------------------
 *
 * decide.c
 *		The choice of a provider, with its reason in words.
 *
 * The default provider comes first; then official ones (Meta), for people who
 * opted in or wrote within 24 hours; then the gateways by sequence.  The
 * window limits free text only: a template may go to somebody who opted in at
 * any time (Meta's messaging policy).  Gateways have no templates and get the
 * rendered text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

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
static const char *
unusable(const WaMapping *mapping)
{
	if (mapping->status != WA_MAPPING_ERROR)
		return "its mapping of this template is not configured";
	return mapping->last_error == NULL ? "its mapping of this template is in state error" :
		psprintf("it has refused this template: %s", mapping->last_error);
}

/*
 * Why an official provider cannot take the message, or NULL.
 */
static const char *
refuse_official(WaRoute *route, const WaMapping *mapping)
{
	if (route->template_key == NULL)
	{
		route->use_window = true;
		return route->in_window ? NULL : "free text only within 24 hours of the person's last message";
	}
	if (route->requires_opt_in && !route->opted_in && !route->in_window)
		return "no opt-in, and no message from the person within 24 hours";
	if (mapping && wa_route_mapping_is_usable(mapping) && !mapping->is_text)
	{
		route->mapping = mapping;
		route->as_template = true;
		route->use_window = route->requires_opt_in && !route->opted_in;
		return NULL;
	}
	if (route->in_window)
	{
		/* the text itself may go while the window is open */
		route->use_window = true;
		return NULL;
	}
	return mapping ? unusable(mapping) :
		"it has no mapping of this template";
}

/* In words, why no message can go by it. */
static const char *
why_unusable(const WaProvider *provider)
{
	if (!provider->active)
		return "not active";
	if (provider->paused)
		return provider->paused;
	if (provider->problem)
		return provider->problem;
	return provider->state == WA_PROVIDER_ERROR ? "in state error, see last_error" :
		"not tested yet, see wa_test_connection()";
}

/*
 * Why this provider cannot take the message, or NULL.
 */
static const char *
refuse(WaRoute *route, const WaProvider *provider,
	   const WaMapping *mappings, int nmappings, WaWhyNot why_not)
{
	const WaMapping *mapping = find_mapping(mappings, nmappings, route->template_key, provider->name);
	const char *why = NULL;

	route->mapping = NULL;
	route->as_template = false;
	route->use_window = false;
	if (!wa_route_is_usable(provider))
		return why_unusable(provider);
	if (why_not)
		why = why_not(provider);
	else if (provider->quota_left == 0)
		why = "its quota is used up";
	if (why)
		return why;
	if (provider->gateway->official)
		return refuse_official(route, mapping);
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
	StringInfoData refused;
	const char *why = NULL;

	route->provider = NULL;
	route->exhausted = false;
	route->reason = NULL;
	initStringInfo(&refused);

	/* pass 0: the default one; 1: official ones; 2: gateways */
	for (int pass = 0; pass < 3 && route->provider == NULL; pass++)
	{
		for (int i = 0; i < providers->n && route->provider == NULL; i++)
		{
			const WaProvider *p = &providers->list[i];
			bool		official = p->gateway && p->gateway->official;
			const char *refusal;

			if (route->wanted_provider || route->bound_provider)
			{
				if (pass > 0 ||
					strcmp(p->name, route->wanted_provider ? route->wanted_provider : route->bound_provider) != 0)
					continue;
				why = route->wanted_provider ? "demanded by the sender" : route->bound_why;
			}
			else if (p->is_default)
			{
				if (pass != 0)
					continue;
				why = "default provider";
			}
			else
			{
				if (pass != (official ? 1 : 2))
					continue;
				why = official ? "official provider for this person" : "first usable gateway by sequence";
			}
			refusal = refuse(route, p, mappings, nmappings, why_not);
			if (refusal == NULL && was_tried(route, p))
			{
				refusal = "has refused it just now";
				route->exhausted = true;
			}
			if (refusal)
				appendStringInfo(&refused, "; not %s: %s", p->name, refusal);
			else
				route->provider = p;
		}
	}
	if (route->provider)
		route->exhausted = false;
	if (route->provider)
		route->reason = psprintf("%s: %s%s%s", route->provider->name, why,
								 route->use_window ? ", inside the 24-hour window" : "",
								 refused.data);
	else if (refused.len > 0)
		route->reason = psprintf("no provider can be used%s", refused.data);
	else if (route->wanted_provider)
		route->reason = psprintf("provider \"%s\" does not exist", route->wanted_provider);
	else if (route->bound_provider)
		route->reason = psprintf("provider \"%s\" does not exist any more, and the message may go by no other: %s",
								 route->bound_provider, route->bound_why);
	else
		route->reason = pstrdup("no provider is configured");
}
