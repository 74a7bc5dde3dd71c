/*-------------------------------------------------------------------------
 *
 * find_rights.c
 *		Findings about who gets to see and to do what.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/access.h"
#include "admin/admin.h"
#include "admin/findings.h"

static void
find_publications(WaFindings *findings)
{
	char	  **names;
	char	  **cures;
	int			n = wa_admin_publications(&names, &cures);

	for (int i = 0; i < n; i++)
		wa_admin_find(findings, WA_WARNING_SERVER, "publication", wa_said_statement("%s", cures[i]),
					  wa_say(WA_SAY_PUBLISHED, names[i], cures[i]));
}

static void
find_idle_grants(WaFindings *findings)
{
	char	  **roles;
	WaSaid	   *why;
	int			n = wa_admin_access_idle(&roles, &why);

	for (int i = 0; i < n; i++)
		wa_admin_find(findings, WA_WARNING_SERVER, psprintf("grant %s", roles[i]), NULL, why[i]);
}

void
wa_admin_find_rights(WaFindings *findings)
{
	find_idle_grants(findings);
	find_publications(findings);
}
