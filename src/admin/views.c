/*-------------------------------------------------------------------------
 *
 * views.c
 *		What the views of schema wa ask: who reads, and what is masked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "pgtime.h"
#include "utils/builtins.h"

#include "office/setting.h"
#include "pg/call.h"
#include "words/story.h"

PG_FUNCTION_INFO_V1(wa_sql_level);
PG_FUNCTION_INFO_V1(wa_sql_masked);
PG_FUNCTION_INFO_V1(wa_sql_time_zone);

static const char *const levels[] = {
	[WA_LEVEL_NONE] = "none",
	[WA_LEVEL_WEBHOOK] = "webhook",
	[WA_LEVEL_VIEW] = "view",
	[WA_LEVEL_SEND] = "send",
	[WA_LEVEL_ADMIN] = "admin"
};

/*
 * wa._level(): see views.sql.
 */
Datum
wa_sql_level(PG_FUNCTION_ARGS)
{
	char	   *least = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			wanted = WA_LEVEL_ADMIN;
	WaCall		call;
	WaLevel		level;

	for (int i = WA_LEVEL_VIEW; i < WA_LEVEL_ADMIN; i++)
		if (strcmp(least, levels[i]) == 0)
			wanted = i;
	wa_call_begin_reading(&call, wanted);
	level = wa_call_level(call.acting.user);
	wa_call_end(&call);
	PG_RETURN_TEXT_P(cstring_to_text(levels[level]));
}

/*
 * wa._masked(): see views.sql.
 */
Datum
wa_sql_masked(PG_FUNCTION_ARGS)
{
	WaStory		story = {.full = false};

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1) && strcmp(text_to_cstring(PG_GETARG_TEXT_PP(1)), "admin") == 0)
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	PG_RETURN_TEXT_P(cstring_to_text(wa_story_masked(&story, text_to_cstring(PG_GETARG_TEXT_PP(0)))));
}

/*
 * wa._time_zone(): see views.sql.
 */
Datum
wa_sql_time_zone(PG_FUNCTION_ARGS)
{
	WaCall		call;
	char	   *zone;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_NONE);
	zone = wa_office_get("time_zone");
	result = wa_call_text(&call, zone && pg_tzset(zone) ? zone : "UTC");
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
