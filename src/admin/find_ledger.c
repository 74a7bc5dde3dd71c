/*-------------------------------------------------------------------------
 *
 * find_ledger.c
 *		Findings in what the ledger tells: what waits, was held, or went wrong.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/findings.h"
#include "pg/query.h"

/* A reason code, and what it means. */
static const char *
reason_in_words(const WaFindings *findings, const char *reason)
{
	const char *words = wa_story_reason(findings->story, reason);

	return words == reason ? reason : psprintf("%s (%s)", words, reason);
}

/*
 * What is held, by reason, and what ended badly within a day.  That a number
 * has no WhatsApp, or that its owner must not be written to now, happens every
 * day and is no fault, unless it happens to most of them.
 */
static void
find_messages(WaFindings *findings)
{
	static WaStatement ends =
		WA_STATEMENT("SELECT state, coalesce(reason, '-'), count(*)::text, max(id)::text,"
					 " state = 'failed' AND coalesce(reason, '') IN ('recipient', 'policy') AND (count(*) < 5 OR count(*) <"
					 " (SELECT count(*) FROM wa.message AS s WHERE s.state IN ('sent', 'delivered', 'read')"
					 " AND s.created_at > now() - interval '24 hours'))"
					 " FROM wa.message"
					 " WHERE state IN ('failed', 'unknown', 'expired') AND created_at > now() - interval '24 hours'"
					 " OR state = 'held'"
					 " GROUP BY state, reason ORDER BY state, reason");
	uint64		n = wa_query(&ends, NULL);

	for (uint64 i = 0; i < n; i++)
	{
		char	   *state = wa_row_text(i, 1);
		char	   *reason = wa_row_text(i, 2);
		bool		held = strcmp(state, "held") == 0;

		wa_find(findings, held ? WA_WARNING_HELD : wa_row_bool(i, 5) ? WA_FINE : WA_WARNING_FAILED,
				psprintf("log: messages %s", state),
				psprintf("SELECT * FROM wa_why(%s)", wa_row_text(i, 4)),
				psprintf("%s, reason %s; the latest: SELECT * FROM wa_why(%s)%s",
						 wa_row_text(i, 3), reason_in_words(findings, reason), wa_row_text(i, 4),
						 held ? "; wa_release() or wa_cancel()" : ""));
	}
	if (n == 0)
		wa_find(findings, WA_FINE, "log: messages", NULL, "nothing failed in the last 24 hours, nothing is held");
}

/* What waits and no provider takes. */
static void
find_waiting(WaFindings *findings)
{
	static WaStatement stuck =
		WA_STATEMENT("SELECT count(*)::text, min(m.detail) FROM (SELECT message_id FROM wa.ready ORDER BY message_id LIMIT 1000) AS r"
					 " JOIN wa.message AS m ON m.id = r.message_id"
					 " WHERE m.reason = 'no_provider' AND m.detail IS NOT NULL HAVING count(*) > 0");

	if (wa_query(&stuck, NULL) == 0)
		wa_find(findings, WA_FINE, "log: messages waiting", NULL, NULL);
	else
		wa_find(findings, WA_WARNING_WAITING, "log: messages waiting", NULL,
				psprintf("%s messages wait for a provider, one of them: %s", wa_row_text(0, 1), wa_row_text(0, 2)));
}

/* What waits because a table of Odoo's cannot be read. */
static void
find_unreadable(WaFindings *findings)
{
	static WaStatement stuck =
		WA_STATEMENT("SELECT count(*)::text, min(m.detail) FROM (SELECT message_id FROM wa.ready ORDER BY message_id LIMIT 1000) AS r"
					 " JOIN wa.message AS m ON m.id = r.message_id"
					 " WHERE m.state = 'queued' AND m.reason = 'facts_unreadable' HAVING count(*) > 0");

	if (wa_query(&stuck, NULL) == 0)
		wa_find(findings, WA_FINE, "log: Odoo's tables", NULL, NULL);
	else
		wa_find(findings, WA_ERROR_UNREADABLE, "log: Odoo's tables",
				psprintf("mend what messages wait for: %s", wa_row_text(0, 2)),
				psprintf("%s messages wait until a table of Odoo's can be read: %s", wa_row_text(0, 1), wa_row_text(0, 2)));
}

static void
find_events(WaFindings *findings)
{
	static WaStatement rest =
		WA_STATEMENT("SELECT (SELECT count(*) FROM wa.dead_letter)::text,"
					 " (SELECT error FROM wa.dead_letter ORDER BY id DESC LIMIT 1),"
					 " (SELECT coalesce(sum(events), 0) FROM wa.capture_gap)::text,"
					 " (SELECT count(*) FROM wa.event AS e WHERE e.at < now() - interval '10 minutes' AND NOT EXISTS"
					 " (SELECT FROM wa.position AS p WHERE pg_visible_in_snapshot(e.xact, p.snapshot)))::text");

	wa_query(&rest, NULL);
	if (strcmp(wa_row_text(0, 1), "0") == 0)
		wa_find(findings, WA_FINE, "log: dead letters", NULL, NULL);
	else
		wa_find(findings, WA_ERROR_DEAD_LETTER, "log: dead letters", "SELECT * FROM wa.dead_letter ORDER BY id",
				psprintf("%s events could not be composed, the last with: %s; mend the cause, then SELECT wa_replay(event_id) FROM wa.dead_letter",
						 wa_row_text(0, 1), wa_row_text(0, 2)));
	if (strcmp(wa_row_text(0, 3), "0") == 0)
		wa_find(findings, WA_FINE, "log: capture gaps", NULL, NULL);
	else
		wa_find(findings, WA_WARNING_GAP, "log: capture gaps", "SELECT * FROM wa.capture_gap",
				psprintf("%s events were dropped so as not to disturb Odoo: compare the times in wa.capture_gap with Odoo's changes, and send by hand what is missing; then DELETE FROM wa.capture_gap",
						 wa_row_text(0, 3)));
	if (strcmp(wa_row_text(0, 4), "0") == 0)
		wa_find(findings, WA_FINE, "log: events", NULL, NULL);
	else
		wa_find(findings, WA_WARNING_EVENTS, "log: events", NULL,
				psprintf("%s events have waited for more than 10 minutes: see worker above, and the server's log", wa_row_text(0, 4)));
}

/* Daily scenarios of which the latest run has failed. */
static void
find_calendar(WaFindings *findings)
{
	static WaStatement failed =
		WA_STATEMENT("SELECT s.key, c.day::text, c.error FROM wa.scenario AS s, LATERAL"
					 " (SELECT day, error FROM wa.calendar WHERE scenario = s.key ORDER BY day DESC LIMIT 1) AS c"
					 " WHERE s.active AND s.daily_at IS NOT NULL AND c.error IS NOT NULL ORDER BY s.key COLLATE \"C\"");
	uint64		n = wa_query(&failed, NULL);

	for (uint64 i = 0; i < n; i++)
		wa_find(findings, WA_ERROR_CALENDAR, "log: calendar",
				psprintf("SELECT wa_run_scenario('%s')", wa_row_text(i, 1)),
				psprintf("scenario %s failed on %s: %s; mend the cause, then SELECT wa_run_scenario('%s')",
						 wa_row_text(i, 1), wa_row_text(i, 2), wa_row_text(i, 3), wa_row_text(i, 1)));
	if (n == 0)
		wa_find(findings, WA_FINE, "log: calendar", NULL, NULL);
}

void
wa_find_ledger(WaFindings *findings)
{
	find_messages(findings);
	find_waiting(findings);
	find_unreadable(findings);
	find_events(findings);
	find_calendar(findings);
}
