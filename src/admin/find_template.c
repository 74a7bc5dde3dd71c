/*-------------------------------------------------------------------------
 *
 * find_template.c
 *		Findings about templates at their provider: can they be used, and are
 *		they there what they are here?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/findings.h"
#include "pg/query.h"
#include "route/catalogue.h"

/*
 * Mappings that their provider has refused: each notice of that template goes
 * by the next provider, which may be the one that risks a ban.
 */
static void
find_refused(WaFindings *findings, const WaMapping *mappings, int nmappings)
{
	int			before = findings->n;

	for (int m = 0; m < nmappings; m++)
	{
		const WaMapping *mapping = &mappings[m];
		const WaProvider *p = wa_route_find_provider(&findings->providers, mapping->provider);
		WaSaid		next;

		if (p == NULL || !p->active || mapping->status != WA_MAPPING_ERROR)
			continue;
		next = wa_admin_what_mends(p, mappings, nmappings, mapping->template_key);
		wa_admin_find(findings, WA_ERROR_MAPPING, "mappings", next,
					  wa_route_has_catalogue(p) && wa_route_lifts(mapping, p->gateway) ?
					  wa_say(WA_SAY_TEMPLATE_STOPPED_BY, mapping->provider, mapping->template_key,
							 mapping->last_error ? mapping->last_error : wa_say(WA_SAY_NOT_KNOWN_WHY), next) :
					  wa_say(WA_SAY_TEMPLATE_REFUSED_BY, mapping->provider, mapping->template_key,
							 mapping->last_error ? mapping->last_error : wa_say(WA_SAY_NOT_KNOWN_WHY), next));
	}
	if (findings->n == before)
		wa_admin_find(findings, WA_FINE, "mappings", NULL, NULL);
}

/* A rating that does not stay without consequences. */
static bool
is_rated_low(const char *quality)
{
	return quality && (pg_strcasecmp(quality, "RED") == 0 || pg_strcasecmp(quality, "YELLOW") == 0);
}

/* What is to be said of one mapping that can be used, or waits. */
static void
find_mapping(WaFindings *findings, const char *item, const WaProvider *p, const WaMapping *m)
{
	WaTemplate *template = wa_route_load_template(m->template_key);

	if (m->status == WA_MAPPING_DRAFT && m->provider_status)
		wa_admin_find(findings, WA_FINE, item, NULL,
					  wa_say(WA_SAY_TEMPLATE_WAITS_THERE, m->template_key, m->provider_status));
	if (template && m->provider_category && pg_strcasecmp(m->provider_category, template->category) != 0)
		wa_admin_find(findings, WA_WARNING_TEMPLATE, item, NULL,
					  wa_say(WA_SAY_TEMPLATE_OTHER_CATEGORY, m->template_key, template->category,
							 m->provider_category, p->gateway->name));
	if (m->note)
		wa_admin_find(findings, WA_WARNING_TEMPLATE, item, NULL,
					  wa_say(WA_SAY_TEMPLATE_SAID_OF, m->template_key, m->note));
	if (is_rated_low(m->quality))
		wa_admin_find(findings, WA_WARNING_TEMPLATE, item, NULL,
					  wa_say(WA_SAY_TEMPLATE_RATED, m->template_key, m->quality, p->gateway->name));
}

/* Why the list could not be read, the last time; or NULL. */
static WaSaid
read_problem(const char *provider)
{
	static WaStatement read =
		WA_STATEMENT("SELECT last_error, last_error_said FROM wa.template_sync WHERE provider = $1");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, provider);
	rows = wa_query(&read, &args);
	return rows.n > 0 ? wa_row_said(rows, 0, 1) : NULL;
}

/* The templates of one provider that has a list of them. */
static void
find_provider(WaFindings *findings, const WaProvider *p, const WaMapping *mappings, int nmappings)
{
	char	   *item = psprintf("templates of %s", p->name);
	int			before = findings->n;
	bool		any = false;
	WaSaid		problem;

	for (int m = 0; m < nmappings; m++)
		any = any || (strcmp(mappings[m].provider, p->name) == 0 && !mappings[m].is_text);
	if (!any)
		return;
	if (!wa_route_has_catalogue(p))
	{
		wa_admin_find(findings, WA_FINE, item, NULL,
					  wa_say(WA_SAY_TEMPLATES_NOT_COMPARED, p->name, p->gateway->account_setting));
		return;
	}
	problem = read_problem(p->name);
	if (problem)
		wa_admin_find(findings, WA_WARNING_TEMPLATE, item,
					  wa_said_statement("SELECT * FROM wa_sync_templates('%s')", p->name),
					  wa_say(WA_SAY_TEMPLATES_NOT_READ, p->name, problem));
	for (int m = 0; m < nmappings; m++)
		if (strcmp(mappings[m].provider, p->name) == 0 && !mappings[m].is_text)
			find_mapping(findings, item, p, &mappings[m]);
	if (findings->n == before)
		wa_admin_find(findings, WA_FINE, item, NULL, NULL);
}

void
wa_admin_find_templates(WaFindings *findings)
{
	int			nmappings;
	WaMapping  *mappings = wa_route_load_mappings(&nmappings);

	find_refused(findings, mappings, nmappings);
	for (int i = 0; i < findings->providers.n; i++)
	{
		const WaProvider *p = &findings->providers.list[i];

		if (p->active && p->gateway && p->gateway->build_templates)
			find_provider(findings, p, mappings, nmappings);
	}
}
