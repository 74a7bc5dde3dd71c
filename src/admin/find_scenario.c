/*-------------------------------------------------------------------------
 *
 * find_scenario.c
 *		Findings about the scenarios: has each what it needs to be said?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/findings.h"
#include "admin/setting.h"
#include "compose/compose.h"
#include "compose/own.h"
#include "compose/scenario.h"

/* What of a template's text no setting and no composer can fill. */
static const char *
missing_setting(const WaTemplate *template)
{
	static const char *const names[] = {
		"download_link", "detail_link", "renewal_link", "approval_link",
		"link_dashboard", "contact_dpmptsp"
	};

	for (size_t i = 0; i < lengthof(names); i++)
		if (strstr(template->body, psprintf("{{%s}}", names[i])) && wa_setting_get(names[i]) == NULL)
			return names[i];
	return NULL;
}

/*
 * Does a usable provider take this template, if only as text?  If none does,
 * but one that is paused would: *paused.
 */
static bool
any_takes(const WaProviders *providers, const WaMapping *mappings, int nmappings, const char *key,
		  const char **paused)
{
	*paused = NULL;
	for (int i = 0; i < providers->n; i++)
	{
		const WaProvider *p = &providers->list[i];
		const WaMapping *mapping = NULL;

		if (!p->active || p->problem || strcmp(p->state, "configured") != 0)
			continue;
		for (int m = 0; m < nmappings; m++)
			if (strcmp(mappings[m].template_key, key) == 0 && strcmp(mappings[m].provider, p->name) == 0)
				mapping = &mappings[m];
		if (mapping == NULL ? p->gateway->official :
			strcmp(mapping->status, "configured") != 0 && strcmp(mapping->status, "approved") != 0)
			continue;
		if (p->paused == NULL)
			return true;
		if (*paused == NULL)
			*paused = p->name;
	}
	return false;
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
	char	   *problem;
	char	   *next;

	if (!scenario->active)
	{
		wa_find(findings, WA_FINE, item, NULL, "not active");
		return;
	}
	problem = wa_compose_is_built_in(scenario) || wa_calendar_is_built_in(scenario) ?
		NULL : wa_own_problem(scenario);
	if (problem == NULL)
		problem = wa_watched_scenario_problem(findings->watched, findings->nwatched, scenario);
	if (problem)
	{
		wa_find(findings, WA_ERROR_SCENARIO, item, NULL, problem);
		return;
	}
	template = wa_route_load_template(key);
	setting = template ? missing_setting(template) : NULL;
	if (template == NULL)
		wa_find(findings, WA_ERROR_SCENARIO, item, NULL,
				psprintf("there is no template \"%s\": SELECT * FROM wa_setup() adds the standard ones, wa_set_template() others", key));
	else if (!template->active)
	{
		next = psprintf("SELECT wa_set_template('%s', '{\"active\": true}')", key);
		wa_find(findings, WA_ERROR_SCENARIO, item, next,
				psprintf("template \"%s\" is not active: SELECT wa_set_template('%s', '{\"active\": true}')", key, key));
	}
	else if (setting)
		wa_find(findings, WA_ERROR_SCENARIO, item, psprintf("SELECT wa_set('%s', '...')", setting),
				psprintf("its text needs the setting %s, until then its messages are held: SELECT wa_set('%s', '...')",
						 setting, setting));
	else if (findings->usable == 0 ||
			 any_takes(&findings->providers, mappings, nmappings, key, &paused))
		wa_find(findings, WA_FINE, item, NULL, NULL);
	else if (paused)
		wa_find(findings, WA_WARNING_PAUSED, item, psprintf("SELECT wa_resume('%s')", paused),
				psprintf("its messages wait, since %s is paused: SELECT wa_resume('%s') when it is to be used again",
						 paused, paused));
	else
		wa_find(findings, WA_ERROR_SCENARIO, item, NULL,
				psprintf("no usable provider knows its template \"%s\": SELECT wa_map_template('%s', '...', '{\"name\": \"...\", \"status\": \"approved\"}')",
						 key, key));
}

void
wa_find_scenarios(WaFindings *findings)
{
	int			n;
	int			nmappings;
	WaScenario *scenarios = wa_compose_load_scenarios(&n);
	WaMapping  *mappings = wa_route_load_mappings(&nmappings);

	if (n == 0)
		wa_find(findings, WA_ERROR_SETUP, "scenarios", "SELECT * FROM wa_setup()",
				"there are none: SELECT * FROM wa_setup()");
	for (int i = 0; i < n; i++)
		find_scenario(findings, &scenarios[i], mappings, nmappings);
}
