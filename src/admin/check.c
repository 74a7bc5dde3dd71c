/*-------------------------------------------------------------------------
 *
 * check.c
 *		wa_check(): the doctor.
 *
 * Goes through everything that a message needs, from the library to the
 * citizen's number, and says for each thing whether it is well and, where it
 * is not, what to do.  It looks and changes nothing; no provider is called.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "admin/admin.h"
#include "admin/story.h"
#include "compose/compose.h"
#include "compose/own.h"
#include "compose/scenario.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/provider.h"
#include "sicantik_wa.h"
#include "worker/identity.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(wa_sql_check);

static void
check_library(WaStory *check)
{
	WaSlotInfo	slot = {0};

	if (!wa_worker_preloaded())
	{
		wa_story_advise(check, "library", "error",
						"not preloaded, so nothing is composed or sent: add to postgresql.conf: shared_preload_libraries = 'sicantik_wa', and restart the server");
		return;
	}
	if (!wa_guc_enabled)
		wa_story_advise(check, "library", "error",
						"sicantik_wa.enabled is off: set it to on and reload the configuration");
	else
		wa_story_advise(check, "library", "ok", NULL);
	if (RecoveryInProgress())
	{
		wa_story_advise(check, "worker", "ok", "this is a standby: ask the primary");
		return;
	}
	if (!wa_worker_launcher_running())
		wa_story_advise(check, "worker", "error",
						"the launcher does not run: see the server's log; max_worker_processes may be too low");
	else if (!wa_worker_slot_info(MyDatabaseId, &slot))
		wa_story_advise(check, "worker", "warning",
						"the launcher has not seen this database yet; it looks every 15 minutes and after every change");
	else if (slot.hold_off_until > GetCurrentTimestamp())
		wa_story_advise(check, "worker", "warning",
						psprintf("it stays away until %s, after the database was being dropped, renamed or copied, or after errors: see the server's log",
								 timestamptz_to_str(slot.hold_off_until)));
	else
		wa_story_advise(check, "worker", "ok", NULL);
	if (slot.no_sender)
		wa_story_advise(check, "sender", "error",
						"messages are composed, but not sent: the module sicantik_wa_worker could not be loaded; install libcurl (Debian: libcurl4) and see the server's log");
	else
		wa_story_advise(check, "sender", "ok", NULL);
}

static void
check_mode(WaStory *check)
{
	WaIdentity	identity;

	wa_identity_check(&identity);
	switch (identity.mode)
	{
		case WA_MODE_LIVE:
			wa_story_advise(check, "mode", "ok", NULL);
			break;
		case WA_MODE_TEST:
			wa_story_advise(check, "mode", "warning",
							psprintf("mode test: everything goes to %s; SELECT wa_arm('%s') when that is over",
									 identity.test_number ? identity.test_number : "nobody",
									 get_database_name(MyDatabaseId)));
			break;
		case WA_MODE_OBSERVE:
			wa_story_advise(check, "mode", "warning",
							psprintf("mode observe: only messages by hand go out; look at wa.message, then SELECT wa_arm('%s')",
									 get_database_name(MyDatabaseId)));
			break;
		case WA_MODE_STOPPED:
			wa_story_advise(check, "mode", RecoveryInProgress() ? "ok" : "error",
							identity.why ? identity.why : "nothing is sent");
			break;
	}
	if (wa_guc_instance == NULL || wa_guc_instance[0] == '\0')
		wa_story_advise(check, "instance", "warning",
						"sicantik_wa.instance is not set, so a physical copy of this server cannot be told apart and would send too: set it in a file outside the data directory, then wa_arm() again");
	else
		wa_story_advise(check, "instance", "ok", NULL);
}

/* Returns the number of providers that can be used. */
static int
check_providers(WaStory *check, const WaProviders *providers)
{
	static WaStatement errors =
		WA_STATEMENT("SELECT coalesce(last_error, 'in state error'), CASE WHEN state = 'error' THEN"
					 " CASE WHEN probe_at > now() THEN 'at ' || to_char(probe_at, 'HH24:MI:SS TZ') ELSE 'soon' END END"
					 " FROM wa.provider WHERE name = $1");
	int			usable = 0;
	bool		has_default = false;

	for (int i = 0; i < providers->n; i++)
	{
		const WaProvider *p = &providers->list[i];
		char	   *item = psprintf("provider %s", p->name);
		WaArgs		args = {0};

		has_default = has_default || (p->is_default && p->active);
		if (!p->active)
			wa_story_advise(check, item, "ok", "not active");
		else if (p->paused)
			wa_story_advise(check, item, "warning",
							psprintf("%s; SELECT wa_resume('%s') when it is to be used again", p->paused, p->name));
		else if (p->problem)
			wa_story_advise(check, item, "error",
							psprintf("%s; SELECT wa_configure('%s', '...'), or '{\"active\": false}' if it is not wanted",
									 p->problem, p->name));
		else if (strcmp(p->state, "configured") == 0 && p->quota_left == 0)
			wa_story_advise(check, item, "warning",
							"its quota is used up: buy more, or wait; it is asked again every 15 minutes");
		else if (strcmp(p->state, "configured") == 0)
		{
			usable++;
			wa_story_advise(check, item, "ok", NULL);
		}
		else if (strcmp(p->state, "error") == 0)
		{
			wa_arg_text(&args, p->name);
			wa_query(&errors, &args);
			wa_story_advise(check, item, "error",
							psprintf("%s; mend it: it is tested again %s, or now by SELECT * FROM wa_test_connection('%s')",
									 wa_row_text(0, 1), wa_row_isnull(0, 2) ? "soon" : wa_row_text(0, 2), p->name));
		}
		else
			wa_story_advise(check, item, "warning",
							psprintf("not tested yet: SELECT * FROM wa_test_connection('%s')", p->name));
	}
	if (usable == 0)
		wa_story_advise(check, "providers", "error",
						"no provider can be used: configure one with wa_configure() and test it with wa_test_connection()");
	else if (!has_default)
		wa_story_advise(check, "default provider", "warning",
						"none is set, so the first usable one by sequence is taken: SELECT wa_configure('...', '{\"is_default\": true}')");
	else
		wa_story_advise(check, "default provider", "ok", NULL);
	return usable;
}

/* What of a template's text no setting and no composer can fill. */
static const char *
missing_setting(const WaTemplate *template)
{
	static const char *const names[] = {
		"download_link", "detail_link", "renewal_link", "approval_link",
		"link_dashboard", "contact_dpmptsp"
	};

	for (size_t i = 0; i < lengthof(names); i++)
		if (strstr(template->body, psprintf("{{%s}}", names[i])) && wa_setting_get(names[i]) == NULL)
			return names[i];
	return NULL;
}

/* A usable provider takes this template, if only as text. */
static bool
any_takes(const WaProviders *providers, const WaMapping *mappings, int nmappings, const char *key)
{
	for (int i = 0; i < providers->n; i++)
	{
		const WaProvider *p = &providers->list[i];
		const WaMapping *mapping = NULL;

		if (!p->active || p->paused || p->problem || strcmp(p->state, "configured") != 0)
			continue;
		for (int m = 0; m < nmappings; m++)
			if (strcmp(mappings[m].template_key, key) == 0 && strcmp(mappings[m].provider, p->name) == 0)
				mapping = &mappings[m];
		if (mapping == NULL ? !p->gateway->official :
			strcmp(mapping->status, "configured") == 0 || strcmp(mapping->status, "approved") == 0)
			return true;
	}
	return false;
}

static void
check_templates(WaStory *check, const WaProviders *providers, bool any_usable)
{
	int			n;
	int			nmappings;
	WaScenario *scenarios = wa_compose_load_scenarios(&n);
	WaMapping  *mappings = wa_route_load_mappings(&nmappings);

	if (n == 0)
		wa_story_advise(check, "scenarios", "error", "there are none: SELECT * FROM wa_setup()");
	for (int i = 0; i < n; i++)
	{
		char	   *item = psprintf("scenario %s", scenarios[i].key);
		const char *key = scenarios[i].template_key;
		WaTemplate *template;
		const char *setting;
		char	   *problem;

		if (!scenarios[i].active)
		{
			wa_story_advise(check, item, "ok", "not active");
			continue;
		}
		problem = wa_compose_is_built_in(&scenarios[i]) || wa_calendar_is_built_in(&scenarios[i]) ?
			NULL : wa_own_problem(&scenarios[i]);
		if (problem)
		{
			wa_story_advise(check, item, "error", problem);
			continue;
		}
		template = wa_route_load_template(key);
		setting = template ? missing_setting(template) : NULL;
		if (template == NULL)
			wa_story_advise(check, item, "error",
							psprintf("there is no template \"%s\": SELECT * FROM wa_setup() adds the standard ones, wa_set_template() others", key));
		else if (!template->active)
			wa_story_advise(check, item, "error",
							psprintf("template \"%s\" is not active: SELECT wa_set_template('%s', '{\"active\": true}')", key, key));
		else if (setting)
			wa_story_advise(check, item, "error",
							psprintf("its text needs the setting %s, until then its messages are held: SELECT wa_set('%s', '...')",
									 setting, setting));
		else if (any_usable && !any_takes(providers, mappings, nmappings, key))
			wa_story_advise(check, item, "error",
							psprintf("no usable provider knows its template \"%s\": SELECT wa_map_template('%s', '...', '{\"name\": \"...\", \"status\": \"approved\"}')",
									 key, key));
		else
			wa_story_advise(check, item, "ok", NULL);
	}
}

/* Changes of records without such an id are nobody's. */
static bool
has_id(Oid relid)
{
	AttrNumber	attnum = get_attnum(relid, "id");
	Oid			type = attnum > 0 ? get_atttype(relid, attnum) : InvalidOid;

	return type == INT4OID || type == INT8OID || type == INT2OID;
}

static void
check_watched(WaStory *check)
{
	static WaStatement rows =
		WA_STATEMENT("SELECT w.relation, coalesce(c.oid, 0)::bigint FROM wa.watch AS w"
					 " LEFT JOIN (pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace)"
					 " ON format('%I.%I', n.nspname, c.relname) = w.relation"
					 " ORDER BY w.relation COLLATE \"C\"");
	uint64		n = wa_query(&rows, NULL);
	char	  **relations = palloc(sizeof(char *) * Max(n, 1));
	Oid		   *oids = palloc(sizeof(Oid) * Max(n, 1));

	for (uint64 i = 0; i < n; i++)
	{
		relations[i] = wa_row_text(i, 1);
		oids[i] = (Oid) wa_row_int8(i, 2);
	}
	if (n == 0)
		wa_story_advise(check, "watched", "error", "no table is watched: SELECT * FROM wa_setup()");
	for (uint64 i = 0; i < n; i++)
	{
		WaTarget	target = {0};
		bool		well;

		if (OidIsValid(oids[i]))
			wa_admin_find_target_by_oid(&target, oids[i]);
		well = OidIsValid(target.relid) && target.triggers == WA_TRIGGERS_PRESENT;
		if (well && !has_id(target.relid))
		{
			wa_story_advise(check, psprintf("watched %s", relations[i]), "error",
							"it has no column id of an integer type, so no scenario is told of its changes");
			continue;
		}
		wa_story_advise(check, psprintf("watched %s", relations[i]), well ? "ok" : "error",
						well ? NULL : OidIsValid(target.relid) ?
						"its triggers are missing, disabled or replaced, so changes are not seen: SELECT * FROM wa_setup(), then see wa_status()" :
						"there is no such table: SELECT * FROM wa_setup() when it is there again");
	}
}

static bool
check_reach(void *argument)
{
	const WaStory *check = argument;
	const char *problem;
	WaReach		reach;

	if (!wa_admin_count_reach(&reach, wa_setting_get("odoo_schema"), &problem))
	{
		wa_story_advise(check, "reach", "warning", problem);
		return true;
	}
	wa_story_advise(check, "reach", reach.reachable == reach.active ? "ok" : "warning",
					psprintf("of " INT64_FORMAT " active permits " INT64_FORMAT " can be notified: "
							 INT64_FORMAT " without partner, " INT64_FORMAT " without number, "
							 INT64_FORMAT " name mismatch, " INT64_FORMAT " opted out or blacklisted%s",
							 reach.active, reach.reachable, reach.without_partner,
							 reach.without_number, reach.name_mismatch, reach.refused,
							 reach.reachable == reach.active ? "" :
							 "; link contacts and correct their numbers in Odoo"));
	return true;
}

/* A reason code, and what it means. */
static const char *
reason_in_words(const WaStory *check, const char *reason)
{
	const char *words = wa_story_reason(check, reason);

	return words == reason ? reason : psprintf("%s (%s)", words, reason);
}

static void
check_ledger(WaStory *check)
{
	static WaStatement ends =
		WA_STATEMENT("SELECT state, coalesce(reason, '-'), count(*)::text, max(id)::text FROM wa.message"
					 " WHERE state IN ('failed', 'unknown', 'expired') AND created_at > now() - interval '24 hours'"
					 " OR state = 'held'"
					 " GROUP BY state, reason ORDER BY state, reason");
	static WaStatement rest =
		WA_STATEMENT("SELECT (SELECT count(*) FROM wa.dead_letter)::text,"
					 " (SELECT min(event_id) FROM wa.dead_letter)::text,"
					 " (SELECT error FROM wa.dead_letter ORDER BY id DESC LIMIT 1),"
					 " (SELECT coalesce(sum(events), 0) FROM wa.capture_gap)::text,"
					 " (SELECT count(*) FROM wa.event AS e WHERE e.at < now() - interval '10 minutes' AND NOT EXISTS"
					 " (SELECT FROM wa.position AS p WHERE pg_visible_in_snapshot(e.xact, p.snapshot)))::text");
	uint64		n = wa_query(&ends, NULL);

	for (uint64 i = 0; i < n; i++)
	{
		char	   *state = wa_row_text(i, 1);

		wa_story_advise(check, psprintf("log: messages %s", state), "warning",
						psprintf("%s, reason %s; the latest: SELECT * FROM wa_why(%s)%s",
								 wa_row_text(i, 3),
								 reason_in_words(check, wa_row_text(i, 2)), wa_row_text(i, 4),
								 strcmp(state, "held") == 0 ? "; wa_release() or wa_cancel()" : ""));
	}
	if (n == 0)
		wa_story_advise(check, "log: messages", "ok", "nothing failed in the last 24 hours, nothing is held");
	wa_query(&rest, NULL);
	if (strcmp(wa_row_text(0, 1), "0") == 0)
		wa_story_advise(check, "log: dead letters", "ok", NULL);
	else
		wa_story_advise(check, "log: dead letters", "error",
						psprintf("%s events could not be composed, the last with: %s; mend the cause, then SELECT wa_replay(event_id) FROM wa.dead_letter",
								 wa_row_text(0, 1), wa_row_text(0, 3)));
	if (strcmp(wa_row_text(0, 4), "0") == 0)
		wa_story_advise(check, "log: capture gaps", "ok", NULL);
	else
		wa_story_advise(check, "log: capture gaps", "warning",
						psprintf("%s events were dropped so as not to disturb Odoo: compare the times in wa.capture_gap with Odoo's changes, and send by hand what is missing; then DELETE FROM wa.capture_gap",
								 wa_row_text(0, 4)));
	if (strcmp(wa_row_text(0, 5), "0") == 0)
		wa_story_advise(check, "log: events", "ok", NULL);
	else
		wa_story_advise(check, "log: events", "warning",
						psprintf("%s events have waited for more than 10 minutes: see worker above, and the server's log", wa_row_text(0, 5)));
}

/* Daily scenarios of which the latest run has failed. */
static void
check_calendar(WaStory *check)
{
	static WaStatement failed =
		WA_STATEMENT("SELECT s.key, c.day::text, c.error FROM wa.scenario AS s, LATERAL"
					 " (SELECT day, error FROM wa.calendar WHERE scenario = s.key ORDER BY day DESC LIMIT 1) AS c"
					 " WHERE s.active AND s.daily_at IS NOT NULL AND c.error IS NOT NULL ORDER BY s.key COLLATE \"C\"");
	uint64		n = wa_query(&failed, NULL);

	for (uint64 i = 0; i < n; i++)
		wa_story_advise(check, "log: calendar", "error",
						psprintf("scenario %s failed on %s: %s; mend the cause, then SELECT wa_run_scenario('%s')",
								 wa_row_text(i, 1), wa_row_text(i, 2), wa_row_text(i, 3), wa_row_text(i, 1)));
	if (n == 0)
		wa_story_advise(check, "log: calendar", "ok", NULL);
}

/*
 * wa_check(): see explain.sql.
 */
Datum
wa_sql_check(PG_FUNCTION_ARGS)
{
	WaCall		call;
	WaStory		check;
	WaProviders providers;
	int			usable;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&check, fcinfo, call.acting.user);
	check_library(&check);
	check_mode(&check);
	wa_route_load_providers(&providers, false);
	usable = check_providers(&check, &providers);
	check_templates(&check, &providers, usable > 0);
	check_watched(&check);
	(void) wa_story_look(&check, "reach", check_reach, &check);
	check_ledger(&check);
	check_calendar(&check);
	if (wa_admin_say_other_senders(&check) == 0)
		wa_story_advise(&check, "other sender", "ok", NULL);
	wa_call_end(&call);
	return (Datum) 0;
}
