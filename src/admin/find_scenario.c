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
		bool		has_refused;
		bool		takes;

		if (!wa_route_is_ready(p))
			continue;
		takes = wa_admin_takes(p, mappings, nmappings, key, &has_refused);
		if (has_refused)
			*refused = p->name;
		if (!takes)
			continue;
		if (p->paused == NULL)
			return true;
		if (*paused == NULL)
			*paused = p->name;
	}
	return false;
}

/*
 * None of those that can be used takes it: one is made to, best one that has
 * templates of its own.
 */
static void
find_not_mapped(WaFindings *findings, const char *item, const WaMapping *mappings, int nmappings, const char *key)
{
	const WaProvider *first = NULL;
	WaSaid		next;
	WaSaid		why;

	for (int i = 0; i < findings->providers.n; i++)
	{
		const WaProvider *p = &findings->providers.list[i];

		if (wa_route_is_usable(p) && (first == NULL || (p->gateway->account_setting && !first->gateway->account_setting)))
			first = p;
	}
	next = wa_admin_what_maps(first, mappings, nmappings, key, &why);
	wa_admin_find(findings, WA_ERROR_SCENARIO, item, next, why);
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
		wa_admin_find(findings, WA_ERROR_SCENARIO, item,
					  wa_admin_what_mends(wa_route_find_provider(&findings->providers, refused), mappings, nmappings, key),
					  wa_say(WA_SAY_WAITS_FOR_REFUSED, refused, key));
	else
		find_not_mapped(findings, item, mappings, nmappings, key);
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
