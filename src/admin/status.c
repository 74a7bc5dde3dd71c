/*-------------------------------------------------------------------------
 *
 * status.c
 *		wa_status(): the state at a glance.
 *
 * Reads only, and what it reads of the application's tables does not hold it
 * (findings.c): it must work on a standby, without the library being
 * preloaded, and while everything else is stuck.  What it shows is found by
 * those who find what wa_check() says, and what to do next is the most serious
 * of that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "admin/findings.h"
#include "pg/build.h"
#include "pg/call.h"
#include "words/story.h"

PG_FUNCTION_INFO_V1(wa_sql_status);

/*
 * wa_status(): see admin.sql.
 */
Datum
wa_sql_status(PG_FUNCTION_ARGS)
{
	WaFindings	found;
	WaBuildDifference difference;
	WaStory		story;
	WaCall		call;
	ListCell   *cell;
	const char *next;
	const char *why;

	wa_call_rows_begin(fcinfo);
	/* then nothing else can be looked at, but this can be said to anybody */
	if (wa_pg_build_differs(&difference))
	{
		WaLanguage	language = wa_admin_language_despite();

		wa_call_say(fcinfo, "library", "other build", difference.detail);
		wa_call_say(fcinfo, "next", wa_said_words(difference.what_to_do, language), wa_said_words(difference.what, language));
		return (Datum) 0;
	}
	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	wa_admin_findings_look(&found, &story);
	foreach(cell, found.shown)
	{
		const WaShown *shown = lfirst(cell);

		wa_call_say(fcinfo, shown->item, shown->value,
					shown->detail ? wa_story_masked(&story, wa_story_words(&story, shown->detail)) : NULL);
	}
	next = wa_admin_findings_next(&found, &why);
	wa_call_say(fcinfo, "next", next, why);
	wa_call_end(&call);
	return (Datum) 0;
}
