/*-------------------------------------------------------------------------
 *
 * check.c
 *		wa_check(): the doctor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"

#include "admin/findings.h"
#include "office/setting.h"
#include "pg/acting.h"
#include "pg/build.h"
#include "pg/call.h"
#include "pg/subtransaction.h"
#include "words/story.h"

PG_FUNCTION_INFO_V1(wa_sql_check);

static bool
read_language(void *argument)
{
	WaLanguage *language = argument;

	*language = wa_office_language();
	return true;
}

/*
 * The office's language, read where nothing else of our tables may be, if that
 * can be.
 */
WaLanguage
wa_admin_language_despite(void)
{
	WaLanguage	language = WA_INDONESIAN;
	WaActing	acting;

	wa_pg_act_as_owner(&acting);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	(void) wa_pg_subtransaction(read_language, &language);
	SPI_finish();
	wa_pg_act_end(&acting);
	return language;
}

/*
 * All that can be said where the library does not fit.
 */
static void
say_difference(FunctionCallInfo fcinfo, const WaBuildDifference *difference)
{
	WaStory		check = {.fcinfo = fcinfo,.language = wa_admin_language_despite(),.full = true};

	wa_story_advise(&check, "library", "error",
					wa_say(WA_SAY_WITH_WHAT_TO_DO, difference->what, difference->what_to_do));
}

/*
 * wa_check(): see explain.sql.
 */
Datum
wa_sql_check(PG_FUNCTION_ARGS)
{
	WaBuildDifference difference;
	WaCall		call;
	WaStory		check;
	WaFindings	findings;

	wa_call_rows_begin(fcinfo);
	if (wa_pg_build_differs(&difference))
	{
		say_difference(fcinfo, &difference);
		return (Datum) 0;
	}
	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&check, fcinfo, call.acting.user);
	wa_admin_findings_look(&findings, &check);
	for (int i = 0; i < findings.n; i++)
		wa_story_advise(&check, findings.list[i].item, wa_admin_finding_state(&findings.list[i]),
						findings.list[i].sentence);
	wa_call_end(&call);
	return (Datum) 0;
}
