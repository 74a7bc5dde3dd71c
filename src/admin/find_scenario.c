/*-------------------------------------------------------------------------
 *
 * find_scenario.c
 *		Findings about the scenarios: has each what it needs to be said?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "admin/findings.h"
#include "compose/custom.h"
#include "compose/daily.h"
#include "route/catalogue.h"

/*
 * Does a usable provider take this template, if only as text?  If none does,
 * but one that is paused would: *paused; that has refused it: *refused.
 */
static bool
any_takes(const WaProviders *providers, const WaMapping *mappings, int nmappings, const char *key,
		  const char **paused, const char **refused)
{
	*paused = NULL;
	*refused = NULL;
	for (int i = 0; i < providers->n; i++)
	{
		const WaProvider *p = &providers->list[i];
		const WaMapping *mapping = NULL;

		if (!wa_route_is_ready(p))
			continue;
		for (int m = 0; m < nmappings; m++)
			if (strcmp(mappings[m].template_key, key) == 0 && strcmp(mappings[m].provider, p->name) == 0)
				mapping = &mappings[m];
		if (mapping && mapping->status == WA_MAPPING_ERROR)
			*refused = p->name;
		if (mapping == NULL ? p->gateway->official : !wa_route_mapping_is_usable(mapping))
			continue;
		if (p->paused == NULL)
			return true;
		if (*paused == NULL)
			*paused = p->name;
	}
	return false;
}

/*
 * What makes this template known to a provider that has templates of its own;
 * NULL: that is not known.
 */
static WaSaid
what_maps(const WaProviders *providers, const WaMapping *mappings, int nmappings, const char *key)
{
	for (int i = 0; i < providers->n; i++)
	{
		const WaProvider *p = &providers->list[i];

		if (!wa_route_is_ready(p) || p->gateway->account_setting == NULL)
			continue;
		if (!wa_route_has_catalogue(p))
			return wa_said_statement("SELECT wa_configure('%s', '{\"%s\": \"...\"}')", p->name, p->gateway->account_setting);
		for (int m = 0; m < nmappings; m++)
			if (strcmp(mappings[m].template_key, key) == 0 && strcmp(mappings[m].provider, p->name) == 0)
				return wa_said_statement("SELECT * FROM wa_sync_templates('%s')", p->name);
		return wa_said_statement("SELECT wa_submit_template('%s', '%s')", key, p->name);
	}
	return NULL;
}

static void
find_scenario(WaFindings *findings, const WaScenario *scenario,
			  const WaMapping *mappings, int nmappings)
{
	char	   *item = psprintf("scenario %s", scenario->key);
	const char *key = scenario->template_key;
	WaTemplate *template;
	const char *setting;
	const char *paused;
	const char *refused;
	WaSaid		problem;
	WaSaid		next;
	char	   *lacking = NULL;
	bool		built_in = wa_compose_is_built_in(scenario);

	if (!scenario->active)
	{
		wa_admin_find(findings, WA_FINE, item, NULL, wa_say(WA_SAY_SCENARIO_NOT_ACTIVE));
		return;
	}
	problem = built_in ? NULL : wa_compose_custom_problem(scenario);
	if (problem == NULL)
		problem = wa_admin_watched_scenario_problem(findings->watched, findings->nwatched, scenario);
	if (problem)
	{
		wa_admin_find(findings, WA_ERROR_SCENARIO, item, NULL, problem);
		return;
	}
	template = wa_route_load_template(key);
	setting = template ? wa_admin_missing_setting(template) : NULL;
	if (template && built_in)
		lacking = wa_admin_unsupplied(scenario->composer, template);
	if (template == NULL)
		wa_admin_find(findings, WA_ERROR_SCENARIO, item, NULL,
					  wa_say(WA_SAY_TEMPLATE_UNKNOWN, key));
	else if (!template->active)
	{
		next = wa_said_statement("SELECT wa_set_template('%s', '{\"active\": true}')", key);
		wa_admin_find(findings, WA_ERROR_SCENARIO, item, next,
					  wa_say(WA_SAY_TEMPLATE_NOT_ACTIVE, key));
	}
	else if (lacking)
		wa_admin_find(findings, WA_ERROR_SCENARIO, item, NULL,
					  wa_say(WA_SAY_TEMPLATE_ASKS_TOO_MUCH, key, scenario->key, lacking));
	else if (setting)
		wa_admin_find(findings, WA_ERROR_SCENARIO, item, wa_said_statement("SELECT wa_set('%s', '...')", setting),
					  wa_say(WA_SAY_TEXT_NEEDS_SETTING, setting));
	else if (findings->usable == 0 ||
			 any_takes(&findings->providers, mappings, nmappings, key, &paused, &refused))
		wa_admin_find(findings, WA_FINE, item, NULL, NULL);
	else if (paused)
		wa_admin_find(findings, WA_WARNING_PAUSED, item, wa_said_statement("SELECT wa_resume('%s')", paused),
					  wa_say(WA_SAY_WAITS_FOR_PAUSED, paused));
	else if (refused)
		wa_admin_find(findings, WA_ERROR_SCENARIO, item, NULL,
					  wa_say(WA_SAY_WAITS_FOR_REFUSED, refused, key));
	else
		wa_admin_find(findings, WA_ERROR_SCENARIO, item, what_maps(&findings->providers, mappings, nmappings, key),
					  wa_say(WA_SAY_TEMPLATE_NOT_MAPPED, key));
}

void
wa_admin_find_scenarios(WaFindings *findings)
{
	int			n;
	int			nmappings;
	WaScenario *scenarios = wa_compose_load_scenarios(&n);
	WaMapping  *mappings = wa_route_load_mappings(&nmappings);

	if (n == 0)
		wa_admin_find(findings, WA_ERROR_SETUP, "scenarios", wa_said_statement("SELECT * FROM wa_setup()"),
					  wa_say(WA_SAY_NO_SCENARIOS));
	for (int i = 0; i < n; i++)
		find_scenario(findings, &scenarios[i], mappings, nmappings);
}
