/*-------------------------------------------------------------------------
 *
 * needs.c
 *		Settings of the office that the texts of its scenarios need.
 *
 * A text with a link or a contact that the office has not set cannot be
 * written, and its messages are held.  So what is lacking is said before the
 * office goes live, and by everything that looks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "compose/batch.h"

/* What no permit, contact or composer can give. */
static const char *const names[] = {
	"download_link", "detail_link", "renewal_link", "approval_link",
	"link_dashboard", "contact_dpmptsp", "office_name"
};

static bool
needs(const WaTemplate *template, const char *name)
{
	return strstr(template->body, psprintf("{{%s}}", name)) != NULL;
}

/*
 * The first setting that the text of this template needs and the office has
 * not set; NULL: none.
 */
const char *
wa_admin_missing_setting(const WaTemplate *template)
{
	for (size_t i = 0; i < lengthof(names); i++)
		if (needs(template, names[i]) && wa_office_get(names[i]) == NULL)
			return names[i];
	return NULL;
}

/*
 * All settings that texts of active scenarios need and the office has not set,
 * each with the scenarios that need it; returns how many, palloc()ed.
 */
int
wa_admin_missing_settings(WaMissingSetting **list)
{
	int			nscenarios;
	WaScenario *scenarios = wa_compose_load_scenarios(&nscenarios);
	int			n = 0;

	*list = palloc0(sizeof(WaMissingSetting) * lengthof(names));
	for (size_t i = 0; i < lengthof(names); i++)
	{
		char	   *who = NULL;

		if (wa_office_get(names[i]) != NULL)
			continue;
		for (int s = 0; s < nscenarios; s++)
		{
			WaTemplate *template = scenarios[s].active ?
				wa_route_load_template(scenarios[s].template_key) : NULL;

			if (template && template->active && needs(template, names[i]))
				who = who ? psprintf("%s, %s", who, scenarios[s].key) : scenarios[s].key;
		}
		if (who == NULL)
			continue;
		(*list)[n].name = names[i];
		(*list)[n++].scenarios = who;
	}
	return n;
}
