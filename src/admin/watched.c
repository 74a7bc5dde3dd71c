/*-------------------------------------------------------------------------
 *
 * watched.c
 *		Is what happens to the watched tables seen?
 *
 * Looks once and finds everything that keeps changes from being recorded
 * while the triggers may well be in their places.  wa_setup(), wa_status()
 * and wa_check() only say what was found here, so they cannot disagree; and
 * what can be captured at all is capture's own judgement (capture/judge.c).
 *
 * Reads catalogs only, and takes no lock on the application's tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "admin/target.h"
#include "admin/watched.h"
#include "compose/batch.h"
#include "office/setting.h"
#include "pg/acting.h"
#include "pg/query.h"
#include "wake/wake.h"

static void
find(List **found, WaFoundGrade grade, const char *value, WaSaid next, WaSaid what)
{
	WaFound    *one = palloc(sizeof(WaFound));

	one->grade = grade;
	one->value = value;
	one->next = next;
	one->what = what;
	*found = lappend(*found, one);
}

static WaSaid
relkind_name(char relkind)
{
	switch (relkind)
	{
		case RELKIND_VIEW:
			return wa_say(WA_SAY_KIND_VIEW);
		case RELKIND_MATVIEW:
			return wa_say(WA_SAY_KIND_MATERIALIZED_VIEW);
		case RELKIND_FOREIGN_TABLE:
			return wa_say(WA_SAY_KIND_FOREIGN_TABLE);
		case RELKIND_PARTITIONED_TABLE:
			return wa_say(WA_SAY_KIND_PARTITIONED_TABLE);
		default:
			return wa_say(WA_SAY_KIND_NO_TABLE);
	}
}

static bool
is_among(const char *name, char **names, int n)
{
	for (int i = 0; i < n; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* What to type where the owner of the database lacks a role's rights. */
static WaSaid
grant_rights(Oid role)
{
	return wa_said_statement("GRANT %s TO %s", quote_identifier(GetUserNameFromId(role, false)),
							 quote_identifier(GetUserNameFromId(wa_pg_database_owner(), false)));
}

/* What to type to have our trigger fire again. */
static WaSaid
enable_trigger(const WaTarget *t, const char *how)
{
	return wa_said_statement("ALTER TABLE %s ENABLE %sTRIGGER \"%s\"", t->relation, how, WA_CAPTURE_TRIGGER);
}

static void
judge_column(WaWatched *w, bool takes_all, const char *column)
{
	const WaTarget *t = &w->target;
	HeapTuple	tuple = SearchSysCacheAttName(t->relid, column);
	Form_pg_attribute att;
	WaColumnVerdict verdict = WA_COLUMN_MISSING;
	Oid			type = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		att = (Form_pg_attribute) GETSTRUCT(tuple);
		type = att->atttypid;
		verdict = wa_capture_judge_column(t->table, takes_all, att, NULL, NULL);
		ReleaseSysCache(tuple);
	}
	switch (verdict)
	{
		case WA_COLUMN_TAKEN:
			break;
		case WA_COLUMN_MISSING:
			if (is_among(column, w->optional, w->noptional))
				find(&w->found, WA_FOUND_NOTE, "present", NULL,
					 wa_say(WA_SAY_COLUMN_NOT_THERE, column));
			else
				find(&w->found, WA_FOUND_ERROR, "column missing", NULL,
					 wa_say(WA_SAY_COLUMN_MISSING, column, quote_literal_cstr(w->relation)));
			break;
		case WA_COLUMN_VIRTUAL:
			find(&w->found, WA_FOUND_ERROR, "column virtual", NULL,
				 wa_say(WA_SAY_COLUMN_VIRTUAL, column));
			break;
		case WA_COLUMN_TYPE:
			find(&w->found, WA_FOUND_ERROR, "column of a foreign type", NULL,
				 wa_say(WA_SAY_COLUMN_OF_FOREIGN_TYPE, column, format_type_be_qualified(type)));
			break;
		case WA_COLUMN_NOT_OURS:
			find(&w->found, WA_FOUND_ERROR, "column refused", grant_rights(t->owner),
				 wa_say(WA_SAY_COLUMN_REFUSED, column, GetUserNameFromId(t->owner, false), grant_rights(t->owner)));
			break;
	}
}

static void
judge_columns(WaWatched *w)
{
	bool		takes_all = wa_capture_takes_all(w->target.owner);
	HeapTuple	tuple;
	bool		has_id = false;

	if (w->ncolumns == 0)
		find(&w->found, WA_FOUND_ERROR, "no column", NULL,
			 wa_say(WA_SAY_NO_COLUMN_WATCHED, quote_literal_cstr(w->relation)));
	for (int i = 0; i < w->ncolumns; i++)
		if (w->columns[i] && !is_among(w->columns[i], w->columns, i))
			judge_column(w, takes_all, w->columns[i]);
	for (int i = 0; w->wanted && i < w->wanted->ncolumns; i++)
		if (!is_among(w->wanted->columns[i], w->columns, w->ncolumns))
			find(&w->found, WA_FOUND_ERROR, "column not watched", wa_said_statement("SELECT * FROM wa_setup()"),
				 wa_say(WA_SAY_COLUMN_NOT_WATCHED, w->wanted->columns[i]));

	tuple = SearchSysCacheAttName(w->target.relid, "id");
	if (HeapTupleIsValid(tuple))
	{
		has_id = wa_capture_is_id((Form_pg_attribute) GETSTRUCT(tuple));
		ReleaseSysCache(tuple);
	}
	if (!has_id)
		find(&w->found, WA_FOUND_ERROR, "no id", NULL,
			 wa_say(WA_SAY_NO_COLUMN_ID));
}

/*
 * Rows that belong to it and fire no trigger of it, and writers that fire
 * none.
 */
static void
judge_rows(WaWatched *w)
{
	static WaStatement children =
		WA_STATEMENT("SELECT format('%I.%I', n.nspname, c.relname) FROM pg_inherits AS i"
					 " JOIN pg_class AS c ON c.oid = i.inhrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace"
					 " WHERE i.inhparent = $1 ORDER BY 1 LIMIT 1");
	static WaStatement subscriptions =
		WA_STATEMENT("SELECT s.subname::text FROM pg_subscription_rel AS r JOIN pg_subscription AS s ON s.oid = r.srsubid"
					 " WHERE r.srrelid = $1 ORDER BY 1 LIMIT 1");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_datum(&args, OIDOID, ObjectIdGetDatum(w->target.relid), false);
	rows = wa_query(&children, &args);
	if (rows.n > 0)
	{
		char	   *child = wa_row_text(rows, 0, 1);

		find(&w->found, WA_FOUND_ERROR, "inherited", NULL,
			 wa_say(WA_SAY_TABLE_HAS_CHILD, child, w->relation));
	}
	rows = wa_query(&subscriptions, &args);
	if (!w->target.always && rows.n > 0)
		find(&w->found, WA_FOUND_ERROR, "replicated", enable_trigger(&w->target, "ALWAYS "),
			 wa_say(WA_SAY_TABLE_HAS_SUBSCRIPTION, wa_row_text(rows, 0, 1), enable_trigger(&w->target, "ALWAYS ")));
}

static void
judge(WaWatched *w)
{
	const WaTarget *t = &w->target;
	WaTableVerdict verdict;

	if (!OidIsValid(t->relid))
	{
		find(&w->found, WA_FOUND_ERROR, "missing", NULL,
			 wa_say(WA_SAY_TABLE_MISSING, quote_literal_cstr(w->relation)));
		return;
	}
	verdict = wa_capture_judge_table(t->relkind, t->owner, w->owner);
	if (verdict == WA_TABLE_KIND)
	{
		find(&w->found, WA_FOUND_ERROR, "refused", NULL,
			 wa_say(WA_SAY_TABLE_OF_OTHER_KIND, relkind_name(t->relkind)));
		return;
	}

	/*
	 * A row that somebody has put into wa.watch is no consent of the table's
	 * owner, and what we capture can be read by the database's owner.
	 */
	if (w->wanted == NULL && !wa_capture_takes_all(t->owner))
	{
		find(&w->found, WA_FOUND_ERROR, "refused", NULL,
			 wa_say(WA_SAY_TABLE_OWNER_WITHOUT_RIGHTS, GetUserNameFromId(t->owner, false), grant_rights(t->owner)));
		return;
	}
	if (t->triggers == WA_TRIGGERS_FOREIGN)
		find(&w->found, WA_FOUND_ERROR, "trigger replaced", NULL,
			 wa_say(WA_SAY_TRIGGER_REPLACED, WA_CAPTURE_TRIGGER, w->relation));
	else if (t->triggers == WA_TRIGGERS_MISSING)
		find(&w->found, WA_FOUND_ERROR, "trigger missing", wa_said_statement("SELECT * FROM wa_setup()"),
			 wa_say(WA_SAY_TRIGGER_MISSING));
	else if (t->triggers == WA_TRIGGERS_DISABLED)
		find(&w->found, WA_FOUND_ERROR, "trigger disabled", enable_trigger(t, ""),
			 wa_say(WA_SAY_TRIGGER_DISABLED, enable_trigger(t, "")));
	if (w->owner == NULL)
	{
		find(&w->found, WA_FOUND_ERROR, "not watched", wa_said_statement("SELECT * FROM wa_setup()"),
			 wa_say(WA_SAY_TABLE_NOT_WATCHED));
		return;
	}
	if (verdict == WA_TABLE_OWNER)
		find(&w->found, WA_FOUND_ERROR, "owner changed", wa_said_statement("SELECT * FROM wa_setup()"),
			 wa_say(WA_SAY_TABLE_OWNER_CHANGED, GetUserNameFromId(t->owner, false), w->owner));
	judge_columns(w);
	judge_rows(w);
}

/*
 * The tables that are watched or should be, the built-in ones first, with
 * what was found; palloc()ed.
 */
WaWatched *
wa_admin_watched_look(int *n)
{
	static WaStatement read =
		WA_STATEMENT("SELECT w.relation, w.owner, w.columns, w.optional, coalesce(c.oid, 0)::bigint FROM wa.watch AS w"
					 " LEFT JOIN (pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace)"
					 " ON format('%I.%I', n.nspname, c.relname) = w.relation ORDER BY w.relation COLLATE \"C\"");
	char	   *schema = wa_office_get("odoo_schema");
	int			nbuilt_in = 0;
	WaRows		rows = wa_query(&read, NULL);
	WaWatched  *watched;
	Oid		   *oids = palloc(sizeof(Oid) * Max(rows.n, 1));
	int			built_in = 0;

	while (wa_capture_built_in[nbuilt_in].table)
		nbuilt_in++;
	watched = palloc0(sizeof(WaWatched) * (nbuilt_in + rows.n));
	for (uint64 row = 0; row < rows.n; row++)
	{
		WaWatched  *w = &watched[nbuilt_in + row];

		w->relation = wa_row_text(rows, row, 1);
		w->owner = wa_row_text(rows, row, 2);
		w->columns = wa_row_text_array(rows, row, 3, &w->ncolumns);
		w->optional = wa_row_text_array(rows, row, 4, &w->noptional);
		oids[row] = (Oid) wa_row_int8(rows, row, 5);
	}

	/* the row of a built-in one moves to its place, the others close up */
	for (; built_in < nbuilt_in; built_in++)
	{
		WaWatched  *w = &watched[built_in];

		wa_admin_find_target(&w->target, schema, wa_capture_built_in[built_in].table);
		w->wanted = &wa_capture_built_in[built_in];
		w->relation = w->target.relation;
	}
	*n = nbuilt_in;
	for (uint64 row = 0; row < rows.n; row++)
	{
		WaWatched	found = watched[nbuilt_in + row];
		int			k = 0;

		while (k < nbuilt_in && strcmp(watched[k].relation, found.relation) != 0)
			k++;
		if (k < nbuilt_in)
		{
			found.target = watched[k].target;
			found.wanted = watched[k].wanted;
			watched[k] = found;
			continue;
		}
		if (OidIsValid(oids[row]))
			wa_admin_find_target_by_oid(&found.target, oids[row]);
		if (!OidIsValid(found.target.relid))
			found.target.relation = found.target.table = pstrdup(found.relation);
		watched[(*n)++] = found;
	}
	for (int i = 0; i < *n; i++)
		judge(&watched[i]);
	return watched;
}

/*
 * Changes that were not recorded because their sessions did not want it.
 */
static void
find_passed_over(List **found)
{
	static WaStatement passed_over =
		WA_STATEMENT("SELECT coalesce(sum(g.events)::bigint, 0) + $1,"
					 " " WA_SQL_TIME("least(min(g.first_at), $2)", "$4") ","
					 " " WA_SQL_TIME("greatest(max(g.last_at), $3)", "$4") ","
					 " greatest(max(g.last_at), $3) > now() - interval '24 hours'"
					 " FROM wa.capture_gap AS g WHERE g.reason IN ('off')");
	WaSlotInfo	slot;
	WaArgs		args = {0};
	WaRows		rows;
	uint64		fresh = wa_wake_slot_info(MyDatabaseId, &slot) ? slot.dropped[WA_DROP_OFF] : 0;

	wa_arg_int8(&args, (int64) fresh);
	wa_arg_timestamptz(&args, fresh > 0 ? slot.first_drop : 0);
	wa_arg_timestamptz(&args, fresh > 0 ? slot.last_drop : 0);
	wa_arg_text(&args, wa_office_get("time_zone"));
	rows = wa_query(&passed_over, &args);
	if (wa_row_int8(rows, 0, 1) == 0)
		return;
	find(found, wa_row_bool(rows, 0, 4) ? WA_FOUND_WARNING : WA_FOUND_NOTE, "was off", NULL,
		 wa_say(WA_SAY_CAPTURE_WAS_OFF, WA_NUMBER(wa_row_int8(rows, 0, 1)), wa_row_text(rows, 0, 2), wa_row_text(rows, 0, 3)));
}

/* A setting (name=value) that keeps changes from being recorded; $1: the
 * triggers fire for replicas, too. */
#define IS_OFF(setting) \
	"lower(" setting ") ~ '^sicantik_wa[.]capture=(off|of|false|fals|fal|fa|f|no|n|0)$'" \
	" OR NOT $1 AND lower(" setting ") = 'session_replication_role=replica'"

/*
 * Settings of the server, of roles and of databases, and whatever else keeps
 * all tables from being captured.  A role that may not write to any of these
 * tables is left out.
 */
List *
wa_admin_watched_surroundings(const WaWatched *watched, int n)
{
	/* whom, statement that ends it, does it concern everybody that matters? */
	static WaStatement settings =
		WA_STATEMENT("WITH bad AS (SELECT s.setdatabase, s.setrole, split_part(c, '=', 1) AS name, c"
					 " FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c"
					 " WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))"
					 " AND (" IS_OFF("c") "))"
					 " SELECT r.rolname::text, b.setrole = 0, b.setdatabase = 0, b.c,"
					 " CASE WHEN b.setrole = 0 AND b.setdatabase = 0 THEN format('ALTER ROLE ALL RESET %s', b.name)"
					 " WHEN b.setrole = 0 THEN format('ALTER DATABASE %I RESET %s', current_database(), b.name)"
					 " WHEN b.setdatabase = 0 THEN format('ALTER ROLE %I RESET %s', r.rolname, b.name)"
					 " ELSE format('ALTER ROLE %I IN DATABASE %I RESET %s', r.rolname, current_database(), b.name) END"
					 " FROM bad AS b LEFT JOIN pg_roles AS r ON r.oid = b.setrole"
					 " WHERE b.setrole = 0 OR EXISTS (SELECT FROM unnest($2::bigint[]) AS t (relid)"
					 " WHERE has_table_privilege(b.setrole, t.relid::oid, 'INSERT, UPDATE')"
					 " OR has_any_column_privilege(b.setrole, t.relid::oid, 'UPDATE'))"
					 " ORDER BY b.setrole, b.setdatabase, b.name");
	static WaStatement server =
		WA_STATEMENT("SELECT name || ' = ' || setting FROM pg_settings"
					 " WHERE source IN ('configuration file', 'command line', 'environment variable')"
					 " AND (name = 'sicantik_wa.capture' AND setting = 'off'"
					 " OR NOT $1 AND name = 'session_replication_role' AND setting = 'replica')");
	static WaStatement function =
		WA_STATEMENT("SELECT FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang"
					 " WHERE p.oid = to_regprocedure('wa.capture()') AND l.lanname = 'c'"
					 " AND p.prosrc = 'wa_sql_capture' AND p.probin = '$libdir/sicantik_wa' AND p.proconfig IS NULL");

	/* their authors mean it, so these are worth a word */
	static WaStatement functions =
		WA_STATEMENT("SELECT p.oid::regprocedure::text, c FROM pg_proc AS p, unnest(p.proconfig) AS c"
					 " WHERE p.pronamespace <> 'wa'::regnamespace AND (" IS_OFF("c") ") ORDER BY 1 LIMIT 3");
	List	   *found = NIL;
	WaArgs		args = {0};
	int64	   *oids = palloc(sizeof(int64) * Max(n, 1));
	int			noids = 0;
	bool		always = true;
	WaRows		rows;

	for (int i = 0; i < n; i++)
		if (OidIsValid(watched[i].target.relid) && watched[i].owner)
		{
			oids[noids++] = watched[i].target.relid;
			always = always && watched[i].target.always;
		}
	if (noids == 0)
		return NIL;

	wa_arg_bool(&args, always);
	rows = wa_query(&server, &args);
	if (rows.n > 0)
		find(&found, WA_FOUND_ERROR, "off", NULL,
			 wa_say(WA_SAY_SERVER_IS_OFF, wa_row_text(rows, 0, 1)));
	rows = wa_query(&functions, &args);
	for (uint64 i = 0; i < rows.n; i++)
		find(&found, WA_FOUND_NOTE, "function", NULL,
			 wa_say(WA_SAY_FUNCTION_IS_OFF, wa_row_text(rows, i, 1), wa_row_text(rows, i, 2)));
	wa_arg_int8_array(&args, oids, noids);
	rows = wa_query(&settings, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		WaSaid		next = wa_said_statement("%s", wa_row_text(rows, i, 5));
		WaSaid		whose = !wa_row_bool(rows, i, 2) ? wa_say(WA_SAY_ROLE, wa_row_text(rows, i, 1)) :
			wa_row_bool(rows, i, 3) ? wa_say(WA_SAY_EVERY_ROLE) : wa_say(WA_SAY_THIS_DATABASE);

		find(&found, WA_FOUND_ERROR, "off", next, wa_say(WA_SAY_SETTING_IS_OFF, whose, wa_row_text(rows, i, 4), next));
	}
	if (wa_query(&function, NULL).n == 0)
		find(&found, WA_FOUND_ERROR, "replaced", NULL,
			 wa_say(WA_SAY_CAPTURE_REPLACED));
	find_passed_over(&found);
	return found;
}

/*
 * What is wrong with the table that a scenario listens to; NULL if it is
 * watched (whether it is seen, the row of the table tells).
 */
WaSaid
wa_admin_watched_scenario_problem(const WaWatched *watched, int n, const WaScenario *scenario)
{
	bool		built_in = wa_compose_is_built_in(scenario);
	char	   *relation;

	if (scenario->daily)
		return NULL;
	if (scenario->watch == NULL)
		return wa_say(WA_SAY_LISTENS_TO_NO_TABLE, quote_literal_cstr(scenario->key));
	relation = built_in ?
		quote_qualified_identifier(wa_office_get("odoo_schema"), scenario->watch) : scenario->watch;
	for (int i = 0; i < n; i++)
		if (watched[i].owner && strcmp(watched[i].relation, relation) == 0)
			return NULL;
	if (built_in)
		return wa_say(WA_SAY_BUILT_IN_TABLE_NOT_WATCHED, relation, quote_literal_cstr(scenario->key));
	return wa_say(WA_SAY_OWN_TABLE_NOT_WATCHED, relation, quote_literal_cstr(relation));
}

/*
 * The first of the worst, or NULL if nothing was found.
 */
const WaFound *
wa_admin_watched_worst(const List *found)
{
	const WaFound *worst = NULL;
	ListCell   *cell;

	foreach(cell, found)
	{
		const WaFound *one = lfirst(cell);

		if (worst == NULL || one->grade > worst->grade)
			worst = one;
	}
	return worst;
}

/*
 * Everything found, one after the other; NULL if there is nothing.
 */
WaSaid
wa_admin_watched_sentences(const List *found)
{
	WaSaid		all = NULL;
	ListCell   *cell;

	foreach(cell, found)
		all = wa_said_and(all, ((const WaFound *) lfirst(cell))->what);
	return all;
}
