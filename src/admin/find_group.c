/*-------------------------------------------------------------------------
 *
 * find_group.c
 *		Findings about the Odoo groups that the office and its scenarios name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/findings.h"
#include "odoo/people.h"
#include "office/setting.h"
#include "pg/query.h"

/*
 * What is wrong with a group (module.name) as it is in Odoo now; NULL if nothing
 * is, or if it cannot be told because a table is locked.
 */
static WaSaid
group_problem(const char *group)
{
	WaOdoo		odoo = {.schema = wa_office_get("odoo_schema")};

	if (!wa_odoo_load_group(&odoo, group))
		return NULL;
	if (!wa_odoo_group_known(&odoo, group))
		return wa_say(WA_SAY_GROUP_UNKNOWN, group);
	if (wa_odoo_group(&odoo, group) == NIL)
		return wa_say(WA_SAY_GROUP_WITHOUT_USERS, group);
	return NULL;
}

static bool
find_groups(void *argument)
{
	static WaStatement groups =
		WA_STATEMENT("SELECT value, 'SELECT wa_set(''staff_group'', ''...'')' FROM wa.setting WHERE name = 'staff_group'"
					 " UNION ALL SELECT g.name, format('UPDATE wa.scenario SET %I = ''...'' WHERE key = %L', g.which, key)"
					 " FROM wa.scenario, LATERAL (VALUES (staff_group, 'staff_group'), (approver_group, 'approver_group')) AS g (name, which)"
					 " WHERE active AND g.name IS NOT NULL ORDER BY 2, 1");
	WaFindings *findings = argument;
	int			before = findings->n;
	WaRows		rows = wa_query(&groups, NULL);

	for (uint64 i = 0; i < rows.n; i++)
	{
		WaSaid		problem = group_problem(wa_row_text(rows, i, 1));
		WaSaid		cure = wa_said_statement("%s", wa_row_text(rows, i, 2));

		if (problem)
			wa_admin_find(findings, WA_ERROR_SETTING, "groups", cure, wa_say(WA_SAY_GROUP_IS_NOT_TOLD, problem, cure));
	}
	if (findings->n == before)
		wa_admin_find(findings, WA_FINE, "groups", NULL, NULL);
	return true;
}

void
wa_admin_find_groups(WaFindings *findings)
{
	(void) wa_admin_find_look(findings, WA_ERROR_ODOO, "groups", find_groups, findings);
}
