/*-------------------------------------------------------------------------
 *
 * mapped.c
 *		Does a provider take a template, and what makes it take it?
 *
 * What is said to be next must lead on: whoever types it comes to another
 * statement, or to none.  So it follows from what the mapping is now.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/findings.h"
#include "route/catalogue.h"

/* How this provider knows the template, or NULL. */
static const WaMapping *
find_mapping(const WaProvider *p, const WaMapping *mappings, int nmappings, const char *key)
{
	for (int m = 0; m < nmappings; m++)
		if (strcmp(mappings[m].template_key, key) == 0 && strcmp(mappings[m].provider, p->name) == 0)
			return &mappings[m];
	return NULL;
}

/*
 * Does this provider take this template, if only as text?  *refused: it has
 * refused it.
 */
bool
wa_admin_takes(const WaProvider *p, const WaMapping *mappings, int nmappings, const char *key, bool *refused)
{
	const WaMapping *mapping = find_mapping(p, mappings, nmappings, key);

	*refused = mapping && mapping->status == WA_MAPPING_ERROR;
	return mapping == NULL ? !p->gateway->official : wa_route_mapping_is_usable(mapping);
}

/*
 * What makes a provider take a template that it does not take; *why: how that
 * is.
 */
WaSaid
wa_admin_what_maps(const WaProvider *p, const WaMapping *mappings, int nmappings, const char *key, WaSaid *why)
{
	const WaMapping *mapping = find_mapping(p, mappings, nmappings, key);
	WaSaid		next;

	if (mapping && (mapping->is_text || p->gateway->account_setting == NULL))
		next = wa_said_statement("SELECT wa_map_template('%s', '%s', '{\"status\": \"configured\"}')", key, p->name);
	else if (p->gateway->account_setting == NULL)
		next = wa_said_statement("SELECT wa_map_template('%s', '%s', '{\"name\": \"...\", \"status\": \"approved\"}')", key, p->name);
	else if (!wa_route_has_catalogue(p))
		next = wa_said_statement("SELECT wa_configure('%s', '{\"%s\": \"...\"}')", p->name, p->gateway->account_setting);
	else if (mapping == NULL || mapping->provider_status == NULL)
		next = wa_said_statement("SELECT wa_submit_template('%s', '%s')", key, p->name);
	else if (p->gateway->template_standing(mapping->provider_status) > WA_TEMPLATE_WARNED)
	{
		*why = wa_say(WA_SAY_TEMPLATE_WAITS_THERE, key, mapping->provider_status);
		return wa_said_statement("SELECT * FROM wa_sync_templates('%s')", p->name);
	}
	else
	{
		next = wa_said_statement("SELECT wa_map_template('%s', '%s', '{\"status\": \"configured\"}')", key, p->name);
		*why = wa_say(WA_SAY_TEMPLATE_IS_THERE, key, p->name, next);
		return next;
	}
	*why = wa_say(WA_SAY_TEMPLATE_NOT_MAPPED, p->name, key, next);
	return next;
}

/* What mends a mapping that its provider has refused. */
WaSaid
wa_admin_what_mends(const WaProvider *p, const WaMapping *mappings, int nmappings, const char *key)
{
	const WaMapping *mapping = find_mapping(p, mappings, nmappings, key);
	bool		catalogue = wa_route_has_catalogue(p);

	switch (wa_route_misfit(mapping))
	{
		case WA_MAPPING_NOT_THERE:
			if (catalogue)
				return wa_said_statement("SELECT wa_submit_template('%s', '%s')", key, p->name);
			break;
		case WA_MAPPING_BY_POSITION:
			return wa_said_statement("SELECT wa_map_template('%s', '%s', '{\"format\": \"positional\"}')", key, p->name);
		case WA_MAPPING_OTHER_PARAMETERS:
			return wa_said_statement("SELECT wa_map_template('%s', '%s', '{\"parameters\": [\"...\"]}')", key, p->name);
		case WA_MAPPING_OTHERWISE:
			break;
	}
	return catalogue && wa_route_lifts(mapping, p->gateway) ?
		wa_said_statement("SELECT * FROM wa_sync_templates('%s')", p->name) :
		wa_said_statement("SELECT wa_map_template('%s', '%s', '{\"status\": \"configured\"}')", key, p->name);
}
