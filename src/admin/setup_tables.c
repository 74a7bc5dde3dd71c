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

#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "admin/target.h"
#include "admin/watched.h"
#include "pg/call.h"
#include "pg/query.h"

/* A table, and what is done with it. */
typedef struct Work
{
	WaWatched  *watched;
	bool		may_alter;
	const char *action;
	char	   *detail;
} Work;

/*
 * Write or complete the row of wa.watch for a table that has our trigger.
 * attached: only since now.
 */
static void
put_watch(const WaWatched *w, bool attached)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.watch AS w (relation, owner, columns, optional) VALUES ($1, $2, $3, $4)"
					 " ON CONFLICT (relation) DO UPDATE SET owner = excluded.owner, attached_at = now(),"
					 " columns = w.columns || ARRAY(SELECT c FROM unnest(excluded.columns) AS c"
					 " WHERE c <> ALL (w.columns))"
					 " WHERE $5 OR w.owner <> excluded.owner OR NOT w.columns @> excluded.columns");
	static const char *const no_columns[] = {NULL};
	const WaBuiltInWatch *wanted = w->wanted;
	const char **optional = palloc(sizeof(char *) * (wanted ? wanted->ncolumns : 1));
	int			noptional = 0;
	WaArgs		args = {0};

	/* what not every Odoo has is not missed later, if it was not there now */
	for (int i = wanted ? wanted->nneeded : 0; wanted && i < wanted->ncolumns; i++)
		if (get_attnum(w->target.relid, wanted->columns[i]) == InvalidAttrNumber)
			optional[noptional++] = wanted->columns[i];
	wa_arg_text(&args, w->target.relation);
	wa_arg_text(&args, GetUserNameFromId(w->target.owner, false));
	wa_arg_text_array(&args, wanted ? wanted->columns : no_columns, wanted ? wanted->ncolumns : 0);
	wa_arg_text_array(&args, optional, noptional);
	wa_arg_bool(&args, attached);
	wa_query(&put, &args);
}

/*
 * What is to be done with a table?  True if it needs our trigger and may get
 * it; else action and detail are filled in.
 */
static bool
decide(Work *work, const char *caller)
{
	const WaWatched *w = work->watched;
	const WaTarget *t = &w->target;
	const WaFound *first = w->found ? linitial(w->found) : NULL;
	char	   *owner;

	if (!OidIsValid(t->relid))
	{
		work->action = "missing";
		work->detail = psprintf("table %s not found yet; you are connected to database %s",
								t->table, get_database_name(MyDatabaseId));
		return false;
	}
	work->action = "refused";
	if (first && (strcmp(first->value, "refused") == 0 || t->triggers == WA_TRIGGERS_FOREIGN))
	{
		work->detail = wa_said_english(first->what);
		return false;
	}
	if (t->triggers == WA_TRIGGERS_MISSING && work->may_alter)
		return true;

	owner = GetUserNameFromId(t->owner, false);
	if (t->triggers == WA_TRIGGERS_MISSING)
		work->detail = psprintf("role %s is not a member of %s, which owns the table; run wa_setup() as that role or as a superuser",
								caller, owner);
	else if (w->owner && strcmp(w->owner, owner) == 0)
		work->action = "present";
	else if (!work->may_alter)
		work->detail = psprintf("the table belongs to %s now, and role %s is not a member of it; run wa_setup() as that role or as a superuser",
								owner, caller);
	else
	{
		work->action = "changed";
		work->detail = psprintf("watched as a table of %s now", owner);
	}
	if (t->triggers == WA_TRIGGERS_DISABLED && strcmp(work->action, "present") == 0)
		work->action = "disabled";
	return false;
}

/*
 * Say what was done with each table, and what is found of it now.
 */
static void
report(FunctionCallInfo fcinfo, const Work *works, int n)
{
	int			nnow;
	WaWatched  *now = wa_admin_watched_look(&nnow);
	ListCell   *cell;

	for (int i = 0; i < n; i++)
	{
		const Work *work = &works[i];
		char	   *detail = work->detail;
		char	   *found = NULL;

		for (int k = 0; k < nnow; k++)
			if (strcmp(now[k].relation, work->watched->relation) == 0)
				found = wa_said_english(wa_admin_watched_sentences(now[k].found));
		if (found && (detail == NULL || strcmp(work->action, "attached") == 0 ||
					  strcmp(work->action, "changed") == 0))
			detail = detail ? psprintf("%s; %s", detail, found) : found;
		wa_call_say(fcinfo, psprintf("table %s", work->watched->relation), work->action, detail);
	}
	foreach(cell, wa_admin_watched_surroundings(now, nnow))
	{
		const WaFound *found = lfirst(cell);

		if (found->grade != WA_FOUND_NOTE)
			wa_call_say(fcinfo, "capture", "warning", wa_said_english(found->what));
	}
}

/*
 * Put the trigger on every table that is to be watched and lacks it, in
 * the name of "caller", and keep wa.watch up to date.
 */
void
wa_admin_setup_tables(FunctionCallInfo fcinfo, Oid caller)
{
	int			n;
	WaWatched  *watched = wa_admin_watched_look(&n);
	Work	   *works = palloc0(sizeof(Work) * n);
	WaTarget  **bare = palloc(sizeof(WaTarget *) * n);
	char	   *caller_name = GetUserNameFromId(caller, false);
	int			nbare = 0;

	for (int i = 0; i < n; i++)
	{
		works[i].watched = &watched[i];
		works[i].may_alter = OidIsValid(watched[i].target.relid) &&
			wa_admin_may_alter(caller, &watched[i].target);
		if (decide(&works[i], caller_name))
			bare[nbare++] = &watched[i].target;
	}
	wa_admin_lock_targets(bare, nbare, ShareRowExclusiveLock);

	for (int i = 0; i < n; i++)
	{
		Work	   *work = &works[i];
		WaWatched  *w = work->watched;
		bool		is_bare = false;

		for (int k = 0; k < nbare; k++)
			is_bare = is_bare || bare[k] == &w->target;
		if (is_bare && !w->target.locked)
		{
			work->action = "locked";
			work->detail = "the table is in use; call wa_setup() again";
		}
		else if (is_bare)
		{
			bool		ok = wa_admin_attach(&w->target, &work->detail);

			work->action = ok ? "attached" : "failed";
			if (ok)
				work->detail = psprintf("trigger on a table of %s",
										GetUserNameFromId(w->target.owner, false));
		}
		if (strcmp(work->action, "attached") == 0 || strcmp(work->action, "changed") == 0 ||
			(strcmp(work->action, "present") == 0 && w->wanted && work->may_alter))
			put_watch(w, strcmp(work->action, "attached") == 0);
	}
	report(fcinfo, works, n);
}
