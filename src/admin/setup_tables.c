/*-------------------------------------------------------------------------
 *
 * setup_tables.c
 *		The part of wa_setup() that deals with the application's tables.
 *
 * What concerns one table never becomes an error, so that the others are
 * attached all the same.  Rows are put into the result only outside of
 * subtransactions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "admin/admin.h"
#include "pg/acting.h"
#include "pg/call.h"
#include "pg/query.h"

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

/*
 * Add a row to the result of wa_setup(), wa_teardown() or wa_status().
 */
void
wa_admin_say(FunctionCallInfo fcinfo, const char *item, const char *action, const char *detail)
{
	const char *row[3];

	row[0] = item;
	row[1] = action;
	row[2] = detail;
	wa_call_row(fcinfo, row);
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
			if (n == WA_MAX_TARGETS)
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

/*
 * Put the triggers on every table that is to be watched and lacks them, in
 * the name of "caller", and keep wa.watch up to date.
 */
void
wa_admin_setup_tables(FunctionCallInfo fcinfo, Oid caller)
{
	Watched    *watched = palloc0(sizeof(Watched) * WA_MAX_TARGETS);
	WaTarget  **bare = palloc(sizeof(WaTarget *) * WA_MAX_TARGETS);
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
		wa_admin_say(fcinfo, psprintf("table %s", w->target.relation), w->action, w->detail);
	}
}
