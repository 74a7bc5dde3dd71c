/*-------------------------------------------------------------------------
 *
 * find_rights.c
 *		Findings about who gets to see and to do what.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "admin/findings.h"

static void
find_publications(WaFindings *findings)
{
	char	  **names;
	char	  **cures;
	int			n = wa_admin_publications(&names, &cures);

	for (int i = 0; i < n; i++)
		wa_find(findings, WA_WARNING_SERVER, "publication", cures[i],
				psprintf("\"%s\" publishes the tables of this extension, citizens' data among them: %s; then on each subscriber: ALTER SUBSCRIPTION ... REFRESH PUBLICATION",
						 names[i], cures[i]));
}

void
wa_find_rights(WaFindings *findings)
{
	find_publications(findings);
}
