/*-------------------------------------------------------------------------
 *
 * check.c
 *		wa_check(): the doctor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "admin/findings.h"
#include "admin/story.h"
#include "pg/call.h"

PG_FUNCTION_INFO_V1(wa_sql_check);

/*
 * wa_check(): see explain.sql.
 */
Datum
wa_sql_check(PG_FUNCTION_ARGS)
{
	WaCall		call;
	WaStory		check;
	WaFindings	findings;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&check, fcinfo, call.acting.user);
	wa_findings_look(&findings, &check);
	for (int i = 0; i < findings.n; i++)
		wa_story_advise(&check, findings.list[i].item, wa_finding_state(&findings.list[i]),
						findings.list[i].sentence);
	wa_call_end(&call);
	return (Datum) 0;
}
