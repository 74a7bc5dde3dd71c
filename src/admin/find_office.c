/*-------------------------------------------------------------------------
 *
 * find_office.c
 *		Findings about the office's settings, as they stand in their rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "admin/defaults.h"
#include "admin/findings.h"
#include "pg/query.h"
#include "pg/said.h"
#include "text/text.h"

/* The time is told also where all is well: a wrong zone is seen by it. */
static void
find_time_zone(WaFindings *findings)
{
	char	   *row = wa_office_get_row("time_zone");
	char	   *zone = wa_office_get("time_zone");
	char	   *now = wa_office_time_zone_now(zone);

	if (row && wa_office_time_zone_read(row) == NULL)
		wa_admin_find(findings, WA_ERROR_SETTING, "time zone",
					  wa_said_statement("SELECT wa_set('time_zone', '%s')", zone),
					  wa_say(WA_SAY_NO_TIME_ZONE, row, zone, now));
	else
		wa_admin_find(findings, WA_FINE, "time zone", NULL, wa_say(WA_SAY_TIME_ZONE_NOW, zone, now));
}

/*
 * Links that nobody can open, and those that were made from an address that
 * Odoo has left since.  An address that no telephone could open is none that
 * Odoo has moved to: an administrator has logged in by it.
 */
static bool
find_links(void *argument)
{
	static WaStatement links =
		WA_STATEMENT("SELECT name, value, base_url FROM wa.setting WHERE name = ANY ($1) ORDER BY name");
	WaFindings *findings = argument;
	const char *names[WA_MAX_LINKS];
	int			nnames = 0;
	int			before = findings->n;
	char	   *base = wa_admin_odoo_base_url();
	bool		moved = base && wa_text_link_problem(base) == NULL;
	WaArgs		args = {0};
	WaRows		rows;

	for (const WaDefaultLink *link = wa_admin_default_links; link->setting; link++)
		names[nnames++] = link->setting;
	wa_arg_text_array(&args, names, nnames);
	rows = wa_query(&links, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		char	   *name = wa_row_text(rows, i, 1);
		char	   *value = wa_row_text(rows, i, 2);
		char	   *from = wa_row_text(rows, i, 3);
		WaSaid		why = wa_text_link_problem(value);

		if (why)
			wa_admin_find(findings, WA_ERROR_SETTING, "links",
						  wa_said_statement("SELECT wa_set('%s', 'https://...')", name),
						  wa_say(WA_SAY_LINK_CANNOT_BE_OPENED, value, name, why));
		else if (moved && from && wa_admin_lies_below(value, from) &&
				 !wa_admin_lies_below(value, base))
		{
			char	   *fresh = psprintf("%s%s", base, value + strlen(from));

			wa_admin_find(findings, WA_WARNING_LINK, "links", wa_said_statement("SELECT wa_set('%s', '%s')", name, fresh),
						  wa_say(WA_SAY_ODOO_HAS_MOVED, from, base, name, value, fresh));
		}
	}
	if (findings->n == before)
		wa_admin_find(findings, WA_FINE, "links", NULL, NULL);
	return true;
}

/*
 * The decree on the holidays of a year comes before it begins, so in December
 * whoever has scenarios with hours knows them.
 */
static void
find_holidays(WaFindings *findings)
{
	static WaStatement look =
		WA_STATEMENT("SELECT extract(month FROM t.today) = 12 AND EXISTS (SELECT FROM wa.scenario WHERE active"
					 " AND (hours_from IS NOT NULL AND hours_to IS NOT NULL OR weekdays IS NOT NULL))"
					 " AND NOT EXISTS (SELECT FROM wa.holiday AS h WHERE extract(year FROM h.day) = extract(year FROM t.today) + 1),"
					 " (extract(year FROM t.today) + 1)::text, to_char(n.day, 'DD-MM-YYYY'), n.name"
					 " FROM (SELECT (clock_timestamp() AT TIME ZONE $1)::date) AS t(today)"
					 " LEFT JOIN LATERAL (SELECT h.day, h.name FROM wa.holiday AS h WHERE h.day >= t.today AND isfinite(h.day)"
					 " ORDER BY h.day LIMIT 1) AS n ON true");
	WaArgs		args = {0};
	WaRows		rows;
	const char *year;
	WaSaid		next;

	wa_arg_text(&args, wa_office_get("time_zone"));
	rows = wa_query(&look, &args);
	year = wa_row_text(rows, 0, 2);
	next = wa_said_statement("SELECT wa_set_holidays('{\"%s-01-01\": \"Tahun Baru\"}')", year);
	if (wa_row_bool(rows, 0, 1))
		wa_admin_find(findings, WA_WARNING_HOLIDAYS, "holidays", next, wa_say(WA_SAY_NO_HOLIDAYS_OF_YEAR, year, next));
	else if (!wa_row_isnull(rows, 0, 3))
		wa_admin_find(findings, WA_FINE, "holidays", NULL,
					  wa_say(WA_SAY_NEXT_HOLIDAY, wa_row_text(rows, 0, 3), wa_row_text(rows, 0, 4)));
}

void
wa_admin_find_office(WaFindings *findings)
{
	find_time_zone(findings);
	find_holidays(findings);
	(void) wa_admin_find_look(findings, WA_ERROR_ODOO, "links", find_links, findings);
}
