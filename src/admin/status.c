/*-------------------------------------------------------------------------
 *
 * status.c
 *		wa_status(): the state at a glance.
 *
 * Reads only, and what it reads of the application's tables does not hold it
 * (findings.c): it must work on a standby, without the library being
 * preloaded, and while everything else is stuck.  What to do next is the most serious finding of wa_check().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "admin/admin.h"
#include "admin/findings.h"
#include "office/setting.h"
#include "pg/build.h"
#include "pg/call.h"
#include "pg/query.h"
#include "sicantik_wa.h"
#include "wake/wake.h"
#include "words/story.h"

PG_FUNCTION_INFO_V1(wa_sql_status);

/* What can be said of the worker; NULL: nothing. */
static char *
worker_detail(const WaSlotInfo *slot, const char *time_zone)
{
	TimestampTz now = GetCurrentTimestamp();

	if (slot->silent_pid != 0)
		return psprintf("process %d has given no sign of life for %ld s", slot->silent_pid,
						TimestampDifferenceMilliseconds(slot->silent_since, now) / 1000);
	if (slot->stuck_since != 0)
		return psprintf("PID %d has made no progress for %ld s", slot->pid,
						TimestampDifferenceMilliseconds(slot->stuck_since, now) / 1000);
	if (slot->waiting_since != 0)
		return psprintf("waits for a place for %ld s",
						TimestampDifferenceMilliseconds(slot->waiting_since, now) / 1000);
	if (slot->hold_off_until != 0)
		return psprintf("stays away until %s", wa_office_time_words(slot->hold_off_until, time_zone));
	return slot->pending ? "there is work to look at" : NULL;
}

static void
report_library(FunctionCallInfo fcinfo, const WaFindings *found)
{
	static const char *const states[] = {
		[WA_SLOT_FREE] = "none",
		[WA_SLOT_UNKNOWN] = "not looked at yet",
		[WA_SLOT_ABSENT] = "extension not seen yet",
		[WA_SLOT_IDLE] = "idle",
		[WA_SLOT_STARTING] = "starting",
		[WA_SLOT_RUNNING] = "running"
	};
	const char *build = psprintf("build %s", wa_pg_build_of_library());
	WaSlotInfo	slot;

	wa_call_say(fcinfo, "extension", WA_VERSION, NULL);
	wa_call_say(fcinfo, "server", found->standby ? "standby" : "primary",
		found->standby ? "nothing is composed or sent here" : NULL);
	if (!wa_wake_preloaded())
	{
		wa_call_say(fcinfo, "library", "not preloaded",
			psprintf("nothing is composed or sent: add to postgresql.conf: shared_preload_libraries = 'sicantik_wa', and restart the server; %s", build));
		return;
	}
	wa_call_say(fcinfo, "library", "preloaded",
		wa_guc_enabled ? build : psprintf("sicantik_wa.enabled is off: nothing is composed or sent; %s", build));
	if (found->standby)
		return;
	wa_call_say(fcinfo, "launcher", wa_wake_launcher_running() ? "running" : "not running", NULL);
	if (wa_wake_slot_info(MyDatabaseId, &slot))
		wa_call_say(fcinfo, "worker", slot.waiting_since != 0 ? "waiting" : states[slot.state],
					 worker_detail(&slot, found->story->time_zone));
	else
		wa_call_say(fcinfo, "worker", "none", "the launcher has not seen this database yet");
	if (slot.no_sender)
		wa_call_say(fcinfo, "sender", "not loaded",
			"messages are composed, but not sent: the module sicantik_wa_worker could not be loaded, probably for want of libcurl; see the server's log");
}

static void
report_mode(FunctionCallInfo fcinfo, const WaFindings *found)
{
	static const char *const modes[] = {
		[WA_MODE_STOPPED] = "stopped",
		[WA_MODE_OBSERVE] = "observe",
		[WA_MODE_TEST] = "test",
		[WA_MODE_LIVE] = "live"
	};
	const WaIdentity *identity = &found->identity;
	const char *detail = identity->why;

	if (detail == NULL && identity->mode == WA_MODE_OBSERVE)
		detail = "only messages by hand go out";
	if (detail == NULL && identity->mode == WA_MODE_TEST)
		detail = psprintf("everything goes to %s", identity->test_number);
	wa_call_say(fcinfo, "mode", modes[identity->mode], detail);
}

static void
report_providers(FunctionCallInfo fcinfo, const WaFindings *found)
{
	static WaStatement errors =
		WA_STATEMENT("SELECT concat_ws('; ',"
					 " last_error || ' (' || coalesce(" WA_SQL_TIME("last_error_at", "$2") ", '-') || ')',"
					 " CASE WHEN state = 'error' THEN 'tested again ' || coalesce("
					 "CASE WHEN probe_at > now() THEN " WA_SQL_TIME("probe_at", "$2") " END, 'soon') END,"
					 " CASE WHEN failed_probes > 0 THEN failed_probes || ' tests have failed' END,"
					 " 'quota ' || quota_left || ' as of ' || " WA_SQL_TIME("quota_at", "$2") ")"
					 " FROM wa.provider WHERE name = $1");

	for (int i = 0; i < found->providers.n; i++)
	{
		const WaProvider *p = &found->providers.list[i];
		char	   *item = psprintf("provider %s", p->name);
		char	   *value = psprintf("%s%s%s%s", wa_route_state_names[p->state],
									 p->active ? "" : ", not active",
									 p->paused ? ", paused" : "",
									 p->is_default ? ", default" : "");
		char	   *detail = p->problem;
		WaArgs		args = {0};

		wa_arg_text(&args, p->name);
		wa_arg_text(&args, found->story->time_zone);
		if (detail == NULL && wa_query(&errors, &args) > 0 && strlen(wa_row_text(0, 1)) > 0)
			detail = wa_row_text(0, 1);
		if (p->paused)
			detail = psprintf("%s: SELECT wa_resume('%s')%s%s", p->paused, p->name,
							  detail ? "; " : "", detail ? detail : "");
		wa_call_say(fcinfo, item, value, detail);
	}
	if (found->providers.n == 0)
		wa_call_say(fcinfo, "providers", "none", NULL);
}

static void
report_messages(FunctionCallInfo fcinfo, const WaFindings *found)
{
	static WaStatement recent =
		WA_STATEMENT("SELECT state, count(*)::text FROM wa.message"
					 " WHERE created_at > now() - interval '24 hours' GROUP BY state ORDER BY state");
	static WaStatement waiting =
		WA_STATEMENT("SELECT (SELECT count(*) FROM wa.ready WHERE claimed_at IS NULL)::text,"
					 " (SELECT 'the oldest since ' || " WA_SQL_TIME("created_at", "$1")
					 " || ' (' || date_trunc('second', now() - created_at) || ')' FROM wa.message"
					 " WHERE id = (SELECT min(message_id) FROM wa.ready WHERE claimed_at IS NULL)),"
					 " (SELECT count(*) FROM wa.ready WHERE claimed_at IS NOT NULL)::text,"
					 " (SELECT count(*) FROM wa.due)::text,"
					 " (SELECT " WA_SQL_TIME("min(due_at)", "$1") " FROM wa.due)");
	WaArgs		args = {0};
	uint64		n = wa_query(&recent, NULL);

	for (uint64 i = 0; i < n; i++)
		wa_call_say(fcinfo, psprintf("messages %s", wa_row_text(i, 1)), wa_row_text(i, 2),
			"of the last 24 hours");
	if (n == 0)
		wa_call_say(fcinfo, "messages", "0", "of the last 24 hours");
	wa_arg_text(&args, found->story->time_zone);
	wa_query(&waiting, &args);
	wa_call_say(fcinfo, "waiting now", wa_row_text(0, 1), wa_row_text(0, 2));
	wa_call_say(fcinfo, "on the wire", wa_row_text(0, 3), NULL);
	wa_call_say(fcinfo, "waiting for a time", wa_row_text(0, 4),
		wa_row_isnull(0, 5) ? NULL : psprintf("next %s", wa_row_text(0, 5)));
}

static void
report_capture(FunctionCallInfo fcinfo, const WaFindings *found)
{
	static WaStatement unread =
		WA_STATEMENT("SELECT count(*)::text, " WA_SQL_TIME("min(e.at)", "$1") " FROM wa.event AS e"
					 " WHERE NOT EXISTS (SELECT FROM wa.read_position AS p"
					 " WHERE pg_visible_in_snapshot(e.xact, p.snapshot))");
	static WaStatement gaps =
		WA_STATEMENT("SELECT coalesce(sum(events), 0)::bigint, count(*)::bigint,"
					 " " WA_SQL_TIME("min(first_at)", "$1") ","
					 " " WA_SQL_TIME("max(last_at)", "$1") " FROM wa.capture_gap WHERE reason <> ALL ('{off,known}')");
	static WaStatement dead =
		WA_STATEMENT("SELECT count(*)::text FROM wa.dead_letter");
	WaArgs		args = {0};
	WaSlotInfo	slot;
	int64		lost;
	int64		spans;
	uint64		fresh = 0;

	wa_arg_text(&args, found->story->time_zone);
	wa_query(&unread, &args);
	wa_call_say(fcinfo, "events unread", wa_row_text(0, 1),
		!wa_wake_preloaded() && strtoll(wa_row_text(0, 1), NULL, 10) >= wa_guc_max_unread ?
		psprintf("the oldest of %s; no more are recorded (sicantik_wa.max_unread), until the library is preloaded",
				 wa_row_isnull(0, 2) ? "-" : wa_row_text(0, 2)) :
		wa_row_isnull(0, 2) ? NULL : psprintf("the oldest of %s", wa_row_text(0, 2)));

	wa_query(&gaps, &args);
	lost = wa_row_int8(0, 1);
	spans = wa_row_int8(0, 2);
	if (wa_wake_slot_info(MyDatabaseId, &slot))
		for (int i = 0; i < WA_DROP_COUNT; i++)
			fresh += i == WA_DROP_OFF ? 0 : slot.dropped[i];
	if (spans == 0 && fresh == 0)
		wa_call_say(fcinfo, "capture gaps", "0", NULL);
	else if (spans == 0)
		wa_call_say(fcinfo, "capture gaps", psprintf(UINT64_FORMAT, fresh),
			psprintf("events were dropped since %s; see the server's log",
					 wa_office_time_words(slot.first_drop, found->story->time_zone)));
	else
		wa_call_say(fcinfo, "capture gaps", psprintf(INT64_FORMAT, lost + (int64) fresh),
			psprintf("events were dropped between %s and %s: scan the tables for this time again (table wa.capture_gap)",
					 wa_row_text(0, 3), wa_row_text(0, 4)));

	wa_query(&dead, NULL);
	wa_call_say(fcinfo, "dead letters", wa_row_text(0, 1),
		strcmp(wa_row_text(0, 1), "0") == 0 ? NULL :
		"events that could not be composed, with the error: table wa.dead_letter");
}

static void
report_watched(FunctionCallInfo fcinfo, const WaFindings *findings)
{
	bool		any = false;
	ListCell   *cell;

	for (int i = 0; i < findings->nwatched; i++)
	{
		const WaWatched *w = &findings->watched[i];
		const WaFound *worst = wa_admin_watched_worst(w->found);

		if (w->owner == NULL)
			continue;
		any = true;
		wa_call_say(fcinfo, psprintf("watched %s", w->relation),
					 worst ? worst->value : "present", wa_admin_watched_sentences(w->found));
	}
	if (!any)
		wa_call_say(fcinfo, "watched", "none", NULL);
	foreach(cell, wa_admin_watched_surroundings(findings->watched, findings->nwatched))
		wa_call_say(fcinfo, "capture", ((const WaFound *) lfirst(cell))->value,
					 ((const WaFound *) lfirst(cell))->what);
}

/*
 * value: what to type or to do ("nothing" in all languages); detail: why.
 */
static void
report_next(FunctionCallInfo fcinfo, const WaFindings *found)
{
	const WaFinding *worst = wa_admin_findings_worst(found);

	if (found->standby)
		wa_call_say(fcinfo, "next", "nothing: ask the primary", NULL);
	else if (worst == NULL)
		wa_call_say(fcinfo, "next", "nothing", NULL);
	else
		wa_call_say(fcinfo, "next", worst->next ? wa_story_phrase(found->story, worst->next) : "SELECT * FROM wa_check()",
			psprintf("%s: %s", worst->item,
					 wa_story_masked(found->story, wa_story_phrase(found->story, worst->sentence))));
}

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

	wa_call_rows_begin(fcinfo);
	/* then nothing else can be looked at, but this can be said to anybody */
	if (wa_pg_build_differs(&difference))
	{
		wa_call_say(fcinfo, "library", "other build", difference.detail);
		wa_call_say(fcinfo, "next", difference.what_to_do, difference.what);
		return (Datum) 0;
	}
	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	wa_admin_findings_look(&found, &story);
	report_library(fcinfo, &found);
	report_mode(fcinfo, &found);
	report_providers(fcinfo, &found);
	report_watched(fcinfo, &found);
	report_messages(fcinfo, &found);
	report_capture(fcinfo, &found);
	report_next(fcinfo, &found);
	wa_call_end(&call);
	return (Datum) 0;
}
