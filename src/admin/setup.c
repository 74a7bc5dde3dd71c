/*-------------------------------------------------------------------------
 *
 * setup.c
 *		wa_setup() and wa_teardown().
 *
 * Both can be run at any time and again: they look, do what is missing, and
 * say row by row what they found and did.  What concerns one table never
 * becomes an error, so that the rest is done all the same.
 *
 * Rows are put into the result only outside of subtransactions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lockdefs.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "admin/admin.h"
#include "pg/app_table.h"
#include "pg/call.h"
#include "pg/query.h"
#include "worker/identity.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(wa_sql_setup);
PG_FUNCTION_INFO_V1(wa_sql_teardown);

#define MAX_TARGETS		100

/* A table, with its row of wa.watch. */
typedef struct Watched
{
	WaTarget	target;
	const WaDefaultWatch *wanted;	/* or NULL: a row that somebody made */
	char	   *owner;			/* in wa.watch; NULL: no row */
	bool		may_alter;
	const char *action;
	char	   *detail;
} Watched;

static void
say(FunctionCallInfo fcinfo, const char *item, const char *action, const char *detail)
{
	const char *row[3];

	row[0] = item;
	row[1] = action;
	row[2] = detail;
	wa_call_row(fcinfo, row);
}

/*
 * A publication of all tables replicates ours too, and stops replicating the
 * application's where the subscriber lacks ours.
 */
static void
check_publications(FunctionCallInfo fcinfo, bool despite)
{
	static WaStatement publications =
		WA_STATEMENT("SELECT string_agg(pubname, ', ' ORDER BY pubname) FROM pg_publication WHERE puballtables");
	char	   *names;

	wa_query(&publications, NULL);
	names = wa_row_text(0, 1);
	if (names == NULL)
		return;
	if (!despite)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is a publication of all tables: %s", names),
				 errdetail("It publishes the tables of this extension as well; a subscriber without them stops replicating the other tables too."),
				 errhint("Create the extension on the subscriber, then: SELECT * FROM wa_setup(despite_publication => true).")));
	say(fcinfo, "publication", "warning",
		psprintf("%s publishes all tables; its subscribers need this extension too", names));
}

/*
 * The mode, and the stamp that says which database this is.
 */
static void
setup_mode(FunctionCallInfo fcinfo)
{
	static WaStatement find =
		WA_STATEMENT("SELECT value, EXISTS (SELECT FROM wa.identity) FROM wa.setting WHERE name = 'mode'");
	bool		stamped = wa_identity_stamp_first();

	if (wa_query(&find, NULL) > 0)
	{
		say(fcinfo, "mode", "present", wa_row_text(0, 1));
		if (!wa_row_bool(0, 2))
			say(fcinfo, "identity", "warning",
				"this database was restored from a backup and sends nothing before wa_arm()");
		return;
	}
	wa_admin_put_setting("mode", "observe");
	say(fcinfo, "mode", "added",
		stamped ? "observe: everything is composed and shown, only messages by hand go out" : "observe");
}

static void
setup_templates(FunctionCallInfo fcinfo)
{
	static WaStatement add =
		WA_STATEMENT("INSERT INTO wa.template (key, name, body, parameters) VALUES ($1, $2, $3, $4)"
					 " ON CONFLICT (key) DO NOTHING");
	static WaStatement rename =
		WA_STATEMENT("UPDATE wa.template SET body = $2 WHERE key = $1 AND body = $3 AND body <> $2");
	char	   *office = wa_setting_get("office_name");

	for (const WaDefaultTemplate *t = wa_default_templates; t->key; t++)
	{
		char	   *item = psprintf("template %s", t->key);
		char	   *body = wa_default_body(t, office);
		WaArgs		args = {0};

		wa_arg_text(&args, t->key);
		wa_arg_text(&args, t->name);
		wa_arg_text(&args, body);
		wa_arg_text_array(&args, t->parameters, t->nparameters);
		if (wa_query(&add, &args) > 0)
		{
			say(fcinfo, item, "added", t->name);
			continue;
		}
		/* a text of ours that nobody has changed gets the office's name */
		memset(&args, 0, sizeof(args));
		wa_arg_text(&args, t->key);
		wa_arg_text(&args, body);
		wa_arg_text(&args, wa_default_body(t, NULL));
		if (wa_query(&rename, &args) > 0)
			say(fcinfo, item, "changed", "it ends with the name of the office now");
		else
			say(fcinfo, item, "present", NULL);
	}
}

static void
setup_scenarios(FunctionCallInfo fcinfo)
{
	static WaStatement add =
		WA_STATEMENT("INSERT INTO wa.scenario (key, name, watch, template_key, composer, on_insert,"
					 " time_to_live, unknown_policy, priority, requires_opt_in)"
					 " VALUES ($1, $2, $3, $1, $1, $4, $5::interval, $6, $7, true)"
					 " ON CONFLICT (key) DO NOTHING");

	for (const WaDefaultScenario *s = wa_default_scenarios; s->key; s++)
	{
		WaArgs		args = {0};
		bool		added;

		wa_arg_text(&args, s->key);
		wa_arg_text(&args, s->name);
		wa_arg_text(&args, s->watch);
		wa_arg_bool(&args, s->on_insert);
		wa_arg_text(&args, s->time_to_live);
		wa_arg_text(&args, s->unknown_policy);
		wa_arg_text(&args, s->priority);
		added = wa_query(&add, &args) > 0;
		say(fcinfo, psprintf("scenario %s", s->key), added ? "added" : "present",
			added ? s->name : NULL);
	}
}

static void
setup_providers(FunctionCallInfo fcinfo)
{
	static WaStatement find =
		WA_STATEMENT("SELECT name, state FROM wa.provider WHERE name = $1 OR kind = $1 ORDER BY name <> $1, name");

	for (const WaDefaultProvider *p = wa_default_providers; p->name; p++)
	{
		WaArgs		args = {0};

		wa_arg_text(&args, p->name);
		if (wa_query(&find, &args) > 0)
		{
			say(fcinfo, psprintf("provider %s", wa_row_text(0, 1)), "present",
				psprintf("state %s", wa_row_text(0, 2)));
			continue;
		}
		wa_admin_insert_provider(p->name, wa_gateway_find(p->name), p->sequence);
		say(fcinfo, psprintf("provider %s", p->name), "added",
			"state draft: it needs wa_configure() and wa_test_connection()");
	}
}

/* Odoo's own address, without a slash at its end; NULL if it has none. */
static char *
odoo_base_url(void)
{
	static const char *const columns[] = {"value"};
	static const char *const keys[] = {"web.base.url"};
	WaAppTable	table;
	WaAppRows	rows;
	char	   *url;
	size_t		len;

	if (wa_app_open(&table, wa_setting_get("odoo_schema"),
					"ir_config_parameter") != WA_APP_READY)
		return NULL;
	wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "key",
						keys, lengthof(keys));
	if (rows.n == 0 || rows.values[0][0] == NULL || rows.values[0][0][0] == '\0')
		return NULL;
	url = rows.values[0][0];
	for (len = strlen(url); len > 0 && url[len - 1] == '/'; len--)
		url[len - 1] = '\0';
	return url;
}

static void
setup_links(FunctionCallInfo fcinfo)
{
	char	   *base = odoo_base_url();

	for (const WaDefaultLink *link = wa_default_links; link->setting; link++)
	{
		char	   *item = psprintf("setting %s", link->setting);
		char	   *value = wa_setting_get(link->setting);
		char	   *problem;

		if (value)
		{
			say(fcinfo, item, "present", value);
			continue;
		}
		if (base == NULL)
		{
			say(fcinfo, item, "not set",
				psprintf("Odoo's web.base.url is not known; SELECT wa_set('%s', 'https://...%s')",
						 link->setting, link->path));
			continue;
		}
		value = wa_admin_check_setting(wa_setting_find(link->setting),
									   psprintf("%s%s", base, link->path), &problem);
		if (problem)
			say(fcinfo, item, "not set",
				psprintf("Odoo's web.base.url makes no usable link. %s SELECT wa_set('%s', 'https://...%s')",
						 problem, link->setting, link->path));
		else
		{
			wa_admin_put_setting(link->setting, value);
			say(fcinfo, item, "added", psprintf("%s (from Odoo's web.base.url)", value));
		}
	}
}

static const char *
relkind_name(char relkind)
{
	switch (relkind)
	{
		case RELKIND_VIEW:
			return "a view";
		case RELKIND_MATVIEW:
			return "a materialized view";
		case RELKIND_FOREIGN_TABLE:
			return "a foreign table";
		case RELKIND_PARTITIONED_TABLE:
			return "a partitioned table";
		default:
			return "not a table";
	}
}

/*
 * The tables to be watched: the built-in ones, and what else wa.watch names.
 */
static int
find_watched(Watched *watched, Oid caller)
{
	static WaStatement rows =
		WA_STATEMENT("SELECT w.relation, w.owner, coalesce(c.oid, 0)::bigint FROM wa.watch AS w"
					 " LEFT JOIN (pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace)"
					 " ON format('%I.%I', n.nspname, c.relname) = w.relation ORDER BY w.relation COLLATE \"C\"");
	char	   *schema = wa_setting_get("odoo_schema");
	int			n = 0;
	uint64		nrows;
	char	  **relations;
	char	  **owners;
	Oid		   *oids;

	for (const WaDefaultWatch *w = wa_default_watches; w->table; w++)
	{
		memset(&watched[n], 0, sizeof(Watched));
		wa_admin_find_target(&watched[n].target, schema, w->table);
		watched[n++].wanted = w;
	}

	nrows = wa_query(&rows, NULL);
	relations = palloc(sizeof(char *) * Max(nrows, 1));
	owners = palloc(sizeof(char *) * Max(nrows, 1));
	oids = palloc(sizeof(Oid) * Max(nrows, 1));
	for (uint64 i = 0; i < nrows; i++)
	{
		relations[i] = wa_row_text(i, 1);
		owners[i] = wa_row_text(i, 2);
		oids[i] = (Oid) wa_row_int8(i, 3);
	}
	for (uint64 i = 0; i < nrows; i++)
	{
		int			k = 0;

		while (k < n && strcmp(watched[k].target.relation, relations[i]) != 0)
			k++;
		if (k == n)
		{
			if (n == MAX_TARGETS)
				break;
			memset(&watched[n], 0, sizeof(Watched));
			if (OidIsValid(oids[i]))
				wa_admin_find_target_by_oid(&watched[n].target, oids[i]);
			if (!OidIsValid(watched[n].target.relid))
				watched[n].target.relation = watched[n].target.table = relations[i];
			n++;
		}
		watched[k].owner = owners[i];
	}
	for (int i = 0; i < n; i++)
		watched[i].may_alter = OidIsValid(watched[i].target.relid) &&
			wa_admin_may_alter(caller, &watched[i].target);
	return n;
}

/*
 * Write or complete the row of wa.watch for a table that has our triggers.
 */
static void
put_watch(const Watched *w, const char *owner)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.watch AS w (relation, owner, columns) VALUES ($1, $2, $3)"
					 " ON CONFLICT (relation) DO UPDATE SET owner = excluded.owner, attached_at = now(),"
					 " columns = w.columns || ARRAY(SELECT c FROM unnest(excluded.columns) AS c"
					 " WHERE c <> ALL (w.columns))"
					 " WHERE w.owner <> excluded.owner OR NOT w.columns @> excluded.columns");
	static const char *const no_columns[] = {NULL};
	WaArgs		args = {0};

	wa_arg_text(&args, w->target.relation);
	wa_arg_text(&args, owner);
	wa_arg_text_array(&args, w->wanted ? w->wanted->columns : no_columns,
					  w->wanted ? w->wanted->ncolumns : 0);
	wa_query(&put, &args);
}

/*
 * What is to be done with a table?  True if it needs triggers and may get
 * them; else action and detail are filled in.
 */
static bool
judge(Watched *w, const char *caller)
{
	const WaTarget *t = &w->target;
	char	   *owner;

	if (!OidIsValid(t->relid))
	{
		w->action = "missing";
		w->detail = psprintf("table %s not found yet; you are connected to database %s",
							 t->table, get_database_name(MyDatabaseId));
		return false;
	}
	w->action = "refused";
	if (t->relkind != RELKIND_RELATION)
	{
		w->detail = psprintf("%s is %s", t->relation, relkind_name(t->relkind));
		return false;
	}
	/*
	 * A row that somebody has put into wa.watch is no consent of the table's
	 * owner, and what we capture can be read by the database's owner.
	 */
	if (w->wanted == NULL && !has_privs_of_role(wa_pg_database_owner(), t->owner))
	{
		w->detail = psprintf("wa.watch names it, but the owner of this database has no rights of role %s, which owns the table",
							 GetUserNameFromId(t->owner, false));
		return false;
	}
	if (t->triggers == WA_TRIGGERS_FOREIGN)
	{
		w->detail = "it has a trigger with the name of ours that is not ours; drop that one first";
		return false;
	}
	if (t->triggers == WA_TRIGGERS_MISSING && w->may_alter)
		return true;

	owner = GetUserNameFromId(t->owner, false);
	if (t->triggers == WA_TRIGGERS_MISSING)
		w->detail = psprintf("role %s is not a member of %s, which owns the table; run wa_setup() as that role or as a superuser",
							 caller, owner);
	else if (w->owner && strcmp(w->owner, owner) == 0)
	{
		w->action = "present";
		w->detail = NULL;
	}
	else if (!w->may_alter)
		w->detail = psprintf("the table belongs to %s now, and role %s is not a member of it; run wa_setup() as that role or as a superuser",
							 owner, caller);
	else
	{
		w->action = "changed";
		w->detail = psprintf("watched as a table of %s now", owner);
	}
	if (t->triggers == WA_TRIGGERS_DISABLED && strcmp(w->action, "refused") != 0)
	{
		w->detail = psprintf("a trigger is disabled, so changes are not seen: ALTER TABLE %s ENABLE TRIGGER \"00_sicantik_wa_row\", ENABLE TRIGGER \"00_sicantik_wa_statement\"",
							 t->relation);
		if (strcmp(w->action, "present") == 0)
			w->action = "disabled";
	}
	return false;
}

static void
setup_tables(FunctionCallInfo fcinfo, Oid caller)
{
	Watched    *watched = palloc0(sizeof(Watched) * MAX_TARGETS);
	WaTarget  **bare = palloc(sizeof(WaTarget *) * MAX_TARGETS);
	char	   *caller_name = GetUserNameFromId(caller, false);
	int			n = find_watched(watched, caller);
	int			nbare = 0;

	for (int i = 0; i < n; i++)
		if (judge(&watched[i], caller_name))
			bare[nbare++] = &watched[i].target;
	wa_admin_lock_targets(bare, nbare, ShareRowExclusiveLock);

	for (int i = 0; i < n; i++)
	{
		Watched    *w = &watched[i];
		bool		is_bare = false;

		for (int k = 0; k < nbare; k++)
			is_bare = is_bare || bare[k] == &w->target;
		if (is_bare && !w->target.locked)
		{
			w->action = "locked";
			w->detail = "the table is in use; call wa_setup() again";
		}
		else if (is_bare)
		{
			bool		ok = wa_admin_attach(&w->target, &w->detail);

			w->action = ok ? "attached" : "failed";
			if (ok)
				w->detail = psprintf("triggers on a table of %s",
									 GetUserNameFromId(w->target.owner, false));
		}
		if (strcmp(w->action, "attached") == 0 || strcmp(w->action, "changed") == 0 ||
			(strcmp(w->action, "present") == 0 && w->wanted && w->may_alter))
			put_watch(w, GetUserNameFromId(w->target.owner, false));
		say(fcinfo, psprintf("table %s", w->target.relation), w->action, w->detail);
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
	uint64		n = wa_query(&owners, NULL);

	for (uint64 i = 0; i < n; i++)
	{
		Oid			owner = (Oid) wa_row_int8(i, 1);

		if (!superuser_arg(owner) && !has_privs_of_role(owner, database_owner))
			say(fcinfo, "backup", "warning",
				psprintf("role %s owns Odoo's tables but not this database, so a backup that it makes fails at the tables in schema wa; let role %s make it, or give the database to %s",
						 GetUserNameFromId(owner, false), name,
						 GetUserNameFromId(owner, false)));
	}
	if (superuser_arg(database_owner))
		say(fcinfo, "database owner", "warning",
			psprintf("role %s is a superuser; an owner without that right would be safer", name));
	if (GetDatabaseEncoding() != PG_UTF8)
		say(fcinfo, "encoding", "warning",
			"the encoding of this database is not UTF8; messages with other than ASCII characters cannot be sent");
	if (wa_worker_preloaded())
		say(fcinfo, "library", "present", "preloaded");
	else
		say(fcinfo, "library", "warning",
			"not preloaded, so nothing is sent: add to postgresql.conf: shared_preload_libraries = 'sicantik_wa', and restart the server");
}

/* Modules of Odoo that send WhatsApp messages themselves. */
static void
report_other_senders(FunctionCallInfo fcinfo)
{
	static const char *const columns[] = {"name", "state"};
	static const char *const modules[] = {"sicantik_whatsapp", "whatsapp"};
	WaAppTable	table;
	WaAppRows	rows;

	if (wa_app_open(&table, wa_setting_get("odoo_schema"),
					"ir_module_module") != WA_APP_READY)
		return;
	wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "name",
						modules, lengthof(modules));
	for (uint64 i = 0; i < rows.n; i++)
	{
		if (rows.values[i][0] && rows.values[i][1] &&
			strcmp(rows.values[i][1], "installed") == 0)
			say(fcinfo, "other sender", "warning",
				psprintf("Odoo's module %s is installed and may send the same messages a second time; switch off its notifications and scheduled actions before wa_arm()",
						 rows.values[i][0]));
	}
}

/*
 * wa_setup(): see admin.sql.
 */
Datum
wa_sql_setup(PG_FUNCTION_ARGS)
{
	bool		despite = !PG_ARGISNULL(0) && PG_GETARG_BOOL(0);
	WaCall		call;

	PreventCommandDuringRecovery("wa_setup()");
	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_ADMIN);
	check_publications(fcinfo, despite);
	setup_mode(fcinfo);
	setup_templates(fcinfo);
	setup_scenarios(fcinfo);
	setup_providers(fcinfo);
	setup_links(fcinfo);
	setup_tables(fcinfo, call.acting.user);
	report_other_senders(fcinfo);
	report_surroundings(fcinfo);
	wa_call_end(&call);
	return (Datum) 0;
}

/*
 * Tables that carry our triggers, whatever wa.watch says of them.
 */
static int
find_carriers(WaTarget *targets)
{
	static WaStatement carriers =
		WA_STATEMENT("SELECT DISTINCT tgrelid::bigint FROM pg_trigger"
					 " WHERE tgfoid = to_regprocedure('wa.capture()') AND NOT tgisinternal"
					 " AND tgname IN ('00_sicantik_wa_row', '00_sicantik_wa_statement') ORDER BY 1");
	uint64		n = wa_query(&carriers, NULL);
	Oid		   *oids = palloc(sizeof(Oid) * Max(n, 1));
	int			found = 0;

	for (uint64 i = 0; i < n; i++)
		oids[i] = (Oid) wa_row_int8(i, 1);
	for (uint64 i = 0; i < n && found < MAX_TARGETS; i++)
	{
		wa_admin_find_target_by_oid(&targets[found], oids[i]);
		if (OidIsValid(targets[found].relid))
			found++;
	}
	return found;
}

static void
forget_watch(const char *relation)
{
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.watch WHERE relation = $1");
	WaArgs		args = {0};

	wa_arg_text(&args, relation);
	wa_query(&forget, &args);
}

/*
 * Rows of wa.watch whose tables carry no trigger (any more).
 */
static void
forget_rest(FunctionCallInfo fcinfo)
{
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.watch AS w WHERE NOT EXISTS"
					 " (SELECT FROM pg_trigger AS t, pg_class AS c, pg_namespace AS n"
					 " WHERE c.oid = t.tgrelid AND n.oid = c.relnamespace"
					 " AND t.tgfoid = to_regprocedure('wa.capture()')"
					 " AND format('%I.%I', n.nspname, c.relname) = w.relation) RETURNING relation");
	uint64		n = wa_query(&forget, NULL);

	for (uint64 i = 0; i < n; i++)
		say(fcinfo, psprintf("table %s", wa_row_text(i, 1)), "forgotten",
			"it had no triggers");
}

/*
 * wa_teardown(): see admin.sql.
 */
Datum
wa_sql_teardown(PG_FUNCTION_ARGS)
{
	WaTarget   *targets;
	WaTarget  **mine;
	WaCall		call;
	int			n;
	int			nmine = 0;

	PreventCommandDuringRecovery("wa_teardown()");
	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_ADMIN);
	targets = palloc0(sizeof(WaTarget) * MAX_TARGETS);
	mine = palloc(sizeof(WaTarget *) * MAX_TARGETS);
	n = find_carriers(targets);
	for (int i = 0; i < n; i++)
		if (wa_admin_may_alter(call.acting.user, &targets[i]))
			mine[nmine++] = &targets[i];
	wa_admin_lock_targets(mine, nmine, AccessExclusiveLock);

	for (int i = 0; i < n; i++)
	{
		WaTarget   *t = &targets[i];
		char	   *item = psprintf("table %s", t->relation);
		char	   *problem;

		if (!wa_admin_may_alter(call.acting.user, t))
			say(fcinfo, item, "refused",
				psprintf("role %s is not a member of %s, which owns the table",
						 GetUserNameFromId(call.acting.user, false),
						 GetUserNameFromId(t->owner, false)));
		else if (!t->locked)
			say(fcinfo, item, "locked", "the table is in use; call wa_teardown() again");
		else if (wa_admin_detach(t, &problem))
		{
			forget_watch(t->relation);
			say(fcinfo, item, "detached", NULL);
		}
		else
			say(fcinfo, item, "failed", problem);
	}
	forget_rest(fcinfo);
	if (n == 0)
		say(fcinfo, "triggers", "none", "no table carries triggers of this extension");
	wa_call_end(&call);
	return (Datum) 0;
}
