/*-------------------------------------------------------------------------
 *
 * ready.c
 *		What is not ready when somebody arms a database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "admin/findings.h"

/* Does it keep back everything, and not just what is made from some changes? */
static bool
stops_all(WaRank rank)
{
	return rank == WA_ERROR_SETUP || rank == WA_ERROR_LIBRARY || rank == WA_ERROR_IDENTITY ||
		rank == WA_ERROR_WORKER || rank == WA_ERROR_PROVIDERS;
}

/*
 * The answer of wa_arm(): does this database send now, and if not, or not
 * everything, why.  In English, like the answers of all functions that change
 * something.  palloc()ed.
 */
char *
wa_admin_armed(void)
{
	WaStory		english = {0};
	WaFindings	findings;
	StringInfoData reasons;
	bool		sends = true;

	wa_admin_findings_look(&findings, &english);
	initStringInfo(&reasons);
	for (int i = 0; i < findings.n; i++)
	{
		const WaFinding *finding = &findings.list[i];

		sends = sends && !stops_all(finding->rank);
		if (finding->rank <= WA_LAST_ERROR || finding->rank == WA_WARNING_SENDER ||
			finding->rank == WA_WARNING_LINK)
			appendStringInfo(&reasons, "\n%s: %s", finding->item, wa_said_english(finding->sentence));
	}
	return psprintf("database %s %s%s", get_database_name(MyDatabaseId),
					sends ? "sends now (mode live)" : "is armed (mode live), but sends nothing yet",
					reasons.data);
}
