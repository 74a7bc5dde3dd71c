/*-------------------------------------------------------------------------
 *
 * setup.c
 *		wa_setup(): everything that the install script must not do.
 *
 * It can be run at any time and again: it looks, does what is missing, and
 * says row by row what it found and did.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "admin/access.h"
#include "admin/admin.h"
#include "admin/defaults.h"
#include "admin/findings.h"
#include "admin/target.h"
#include "compose/scenario.h"
#include "identity/identity.h"
#include "pg/call.h"
#include "pg/query.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(wa_sql_setup);

/*
 * A publication that takes our tables along stops replicating the
 * application's where the subscriber lacks ours.
 */
static void
check_publications(FunctionCallInfo fcinfo, bool despite)
{
	char	  **names;
	char	  **cures;
	int			n = wa_admin_publications(&names, &cures);

	for (int i = 0; i < n; i++)
	{
		if (!despite)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("publication \"%s\" publishes the tables of this extension", names[i]),
					 errdetail("A subscriber without them stops replicating the other tables too, and one that has them must not send."),
					 errhint("Take them out: %s; and on each subscriber: ALTER SUBSCRIPTION ... REFRESH PUBLICATION. If they are to be replicated all the same: SELECT * FROM wa_setup(despite_publication => true).",
							 cures[i])));
		wa_call_say(fcinfo, "publication", "warning",
					psprintf("%s publishes the tables of this extension; its subscribers need it too", names[i]));
	}
}

/*
 * The mode, and the stamp that says which database this is.
 */
static void
setup_mode(FunctionCallInfo fcinfo)
{
	static WaStatement find =
		WA_STATEMENT("SELECT value, EXISTS (SELECT FROM wa.identity) FROM wa.setting WHERE name = 'mode'");
	bool		stamped = wa_admin_stamp_first();
	WaRows		rows = wa_query(&find, NULL);

	if (rows.n > 0)
	{
		wa_call_say(fcinfo, "mode", "present", wa_row_text(rows, 0, 1));
		if (!wa_row_bool(rows, 0, 2))
			wa_call_say(fcinfo, "identity", "warning",
						"this database was restored from a backup and sends nothing before wa_arm()");
		return;
	}
	wa_admin_put_setting("mode", "observe");
	wa_call_say(fcinfo, "mode", "added",
				stamped ? "observe: everything is composed and shown, only messages by hand go out" : "observe");
}

static void
setup_access(FunctionCallInfo fcinfo)
{
	char	   *roles = wa_admin_access_adopt();

	if (roles)
		wa_call_say(fcinfo, "rights", "changed",
					psprintf("granted in another cluster, to the roles of these names here now: %s", roles));
}

static void
setup_templates(FunctionCallInfo fcinfo)
{
	static WaStatement add =
		WA_STATEMENT("INSERT INTO wa.template (key, name, body, parameters) VALUES ($1, $2, $3, $4)"
					 " ON CONFLICT (key) DO NOTHING");
	static WaStatement rename =
		WA_STATEMENT("UPDATE wa.template SET body = $2 WHERE key = $1 AND body = $3 AND body <> $2");
	char	   *office = wa_office_get("office_name");
	const WaComposer *composer;

	for (size_t c = 0; (composer = wa_compose_composer_at(c)) != NULL; c++)
	{
		const WaDefaults *text = &composer->defaults;
		char	   *item = psprintf("template %s", composer->name);
		char	   *body = wa_admin_default_body(text->body, office);
		WaArgs		args = {0};
		int			n = 0;

		while (text->parameters[n])
			n++;
		wa_arg_text(&args, composer->name);
		wa_arg_text(&args, text->name);
		wa_arg_text(&args, body);
		wa_arg_text_array(&args, text->parameters, n);
		if (wa_query(&add, &args).n > 0)
		{
			wa_call_say(fcinfo, item, "added", text->name);
			continue;
		}
		/* a text of ours that nobody has changed gets the office's name */
		memset(&args, 0, sizeof(args));
		wa_arg_text(&args, composer->name);
		wa_arg_text(&args, body);
		wa_arg_text(&args, wa_admin_default_body(text->body, NULL));
		if (wa_query(&rename, &args).n > 0)
			wa_call_say(fcinfo, item, "changed", "it ends with the name of the office now");
		else
			wa_call_say(fcinfo, item, "present", NULL);
	}
}

static void
setup_scenarios(FunctionCallInfo fcinfo)
{
	static WaStatement add =
		WA_STATEMENT("INSERT INTO wa.scenario (key, name, watch, template_key, composer, on_insert,"
					 " time_to_live, unknown_policy, priority, requires_opt_in, weekdays, hours_to, daily_at)"
					 " VALUES ($1, $2, $3, $1, $1, $4, $5::interval, $6, $7, $8,"
					 " CASE WHEN $9 THEN '{1,2,3,4,5}'::integer[] END,"
					 " CASE WHEN $9 THEN time '18:00' ELSE time '20:00' END, $10::time)"
					 " ON CONFLICT (key) DO NOTHING");
	static WaStatement no_limits =
		WA_STATEMENT("UPDATE wa.scenario SET max_per_transaction = NULL, max_per_hour = NULL WHERE key = $1");
	const WaComposer *composer;

	for (size_t c = 0; (composer = wa_compose_composer_at(c)) != NULL; c++)
	{
		const WaDefaults *s = &composer->defaults;
		WaArgs		args = {0};
		bool		added;

		wa_arg_text(&args, composer->name);
		wa_arg_text(&args, s->name);
		wa_arg_text(&args, composer->table);
		wa_arg_bool(&args, s->on_insert);
		wa_arg_text(&args, s->time_to_live);
		wa_arg_text(&args, s->unknown_policy);
		wa_arg_text(&args, s->priority);
		wa_arg_bool(&args, s->requires_opt_in);
		wa_arg_bool(&args, s->office_hours);
		wa_arg_text(&args, s->daily_at);
		added = wa_query(&add, &args).n > 0;
		args.n = 1;
		if (added && s->no_limits)
			wa_query(&no_limits, &args);
		wa_call_say(fcinfo, psprintf("scenario %s", composer->name), added ? "added" : "present",
					added ? s->name : NULL);
	}
}

static void
setup_providers(FunctionCallInfo fcinfo)
{
	static WaStatement find =
		WA_STATEMENT("SELECT name, state FROM wa.provider WHERE name = $1 OR kind = $1 ORDER BY name <> $1, name");

	const WaGateway *gateway;

	for (int i = 0; (gateway = wa_gateway_proposed(i)) != NULL; i++)
	{
		WaArgs		args = {0};
		WaRows		rows;

		wa_arg_text(&args, gateway->kind);
		rows = wa_query(&find, &args);
		if (rows.n > 0)
		{
			wa_call_say(fcinfo, psprintf("provider %s", wa_row_text(rows, 0, 1)), "present",
						psprintf("state %s", wa_row_text(rows, 0, 2)));
			continue;
		}
		wa_admin_insert_provider(gateway->kind, gateway, gateway->sequence);
		wa_call_say(fcinfo, psprintf("provider %s", gateway->kind), "added",
					"state draft: it needs wa_configure() and wa_test_connection()");
	}
}

static void
setup_links(FunctionCallInfo fcinfo)
{
	char	   *base = wa_admin_odoo_base_url();

	for (const WaDefaultLink *link = wa_admin_default_links; link->setting; link++)
	{
		char	   *item = psprintf("setting %s", link->setting);
		char	   *value = wa_office_get(link->setting);
		char	   *problem;

		if (value)
		{
			(void) wa_admin_check_setting(wa_office_find_setting(link->setting), value, &problem);
			wa_call_say(fcinfo, item, problem ? "warning" : "present",
						problem ? psprintf("%s: %s SELECT wa_set('%s', 'https://...%s')",
										   value, problem, link->setting, link->path) : value);
			continue;
		}
		if (base == NULL)
		{
			wa_call_say(fcinfo, item, "not set",
						psprintf("Odoo's web.base.url is not known; SELECT wa_set('%s', 'https://...%s')",
								 link->setting, link->path));
			continue;
		}
		value = wa_admin_check_setting(wa_office_find_setting(link->setting),
									   psprintf("%s%s", base, link->path), &problem);
		if (problem)
			wa_call_say(fcinfo, item, "not set",
						psprintf("Odoo's web.base.url (%s) makes no usable link. %s SELECT wa_set('%s', 'https://...%s')",
								 base, problem, link->setting, link->path));
		else
		{
			wa_admin_put_setting(link->setting, value);
			wa_call_say(fcinfo, item, "added", psprintf("%s (from Odoo's web.base.url)", value));
		}
	}
}

/*
 * What else texts need and the office has to tell; links have had their say.
 */
static void
setup_needs(FunctionCallInfo fcinfo)
{
	WaMissingSetting *missing;
	int			n = wa_admin_missing_settings(&missing);

	for (int i = 0; i < n; i++)
	{
		bool		told = false;

		for (const WaDefaultLink *link = wa_admin_default_links; link->setting; link++)
			told = told || strcmp(link->setting, missing[i].name) == 0;
		if (!told)
			wa_call_say(fcinfo, psprintf("setting %s", missing[i].name), "not set",
						psprintf("needed by %s, whose messages are held until then: SELECT wa_set('%s', '...')",
								 missing[i].scenarios, missing[i].name));
	}
}

/*
 * What of the server and the roles stands in the way.
 */
static void
report_surroundings(FunctionCallInfo fcinfo)
{
	static WaStatement owners =
		WA_STATEMENT("SELECT DISTINCT c.relowner::bigint FROM wa.watch AS w, pg_class AS c, pg_namespace AS n"
					 " WHERE n.oid = c.relnamespace AND format('%I.%I', n.nspname, c.relname) = w.relation");
	Oid			database_owner = wa_pg_database_owner();
	char	   *name = GetUserNameFromId(database_owner, false);
	WaRows		rows = wa_query(&owners, NULL);

	for (uint64 i = 0; i < rows.n; i++)
	{
		Oid			owner = (Oid) wa_row_int8(rows, i, 1);

		if (!superuser_arg(owner) && !has_privs_of_role(owner, database_owner))
			wa_call_say(fcinfo, "backup", "warning",
						psprintf("role %s owns Odoo's tables but not this database, so a backup that it makes fails at the tables in schema wa; let role %s make it, or give the database to %s",
								 GetUserNameFromId(owner, false), name,
								 GetUserNameFromId(owner, false)));
	}
	if (superuser_arg(database_owner))
		wa_call_say(fcinfo, "database owner", "warning",
					psprintf("role %s is a superuser; an owner without that right would be safer", name));
	if (GetDatabaseEncoding() != PG_UTF8)
		wa_call_say(fcinfo, "encoding", "warning",
					"the encoding of this database is not UTF8; messages with other than ASCII characters cannot be sent");
	if (wa_wake_preloaded())
		wa_call_say(fcinfo, "library", "present", "preloaded");
	else
		wa_call_say(fcinfo, "library", "warning",
					"not preloaded, so nothing is sent: add to postgresql.conf: shared_preload_libraries = 'sicantik_wa', and restart the server");
}

/* Other modules that send the same, and how to silence them. */
static void
report_other_senders(FunctionCallInfo fcinfo)
{
	WaFindings	findings = {0};

	wa_admin_find_other_senders(&findings);
	for (int i = 0; i < findings.n; i++)
		if (findings.list[i].rank != WA_FINE)
			wa_call_say(fcinfo, findings.list[i].item, wa_admin_finding_state(&findings.list[i]),
						wa_said_english(findings.list[i].sentence));
}

/*
 * wa_setup(): see admin.sql.
 */
Datum
wa_sql_setup(PG_FUNCTION_ARGS)
{
	bool		despite = !PG_ARGISNULL(0) && PG_GETARG_BOOL(0);
	WaCall		call;
	WaStory		story;
	WaFindings	findings;
	const char *next;
	const char *why;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_ADMIN);
	check_publications(fcinfo, despite);
	/* first: our triggers are the word of the tables' owner that we may read */
	wa_admin_setup_tables(fcinfo, call.acting.user);
	setup_mode(fcinfo);
	setup_access(fcinfo);
	setup_templates(fcinfo);
	setup_scenarios(fcinfo);
	setup_providers(fcinfo);
	setup_links(fcinfo);
	setup_needs(fcinfo);
	report_other_senders(fcinfo);
	report_surroundings(fcinfo);
	/* late: until the commit nobody writes a contact */
	wa_admin_setup_contacts(fcinfo, call.acting.user);
	wa_story_begin(&story, fcinfo, call.acting.user);
	wa_admin_findings_look(&findings, &story);
	next = wa_admin_findings_next(&findings, &why);
	wa_call_say(fcinfo, "next", why ? "to do" : "nothing", why ? psprintf("%s  -- %s", next, why) : NULL);
	wa_call_end(&call);
	return (Datum) 0;
}
