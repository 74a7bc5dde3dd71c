/*-------------------------------------------------------------------------
 *
 * attach.c
 *		Our trigger on the application's tables: look, put on, take off.
 *
 * The application is working on these tables.  So the locks are asked for in
 * short attempts: while we hold one, we never wait for another, and between
 * two attempts we hold none.  A transaction that has one table and wants the
 * next is therefore never kept waiting for longer than one attempt, and
 * cannot get into a deadlock with us.
 *
 * The statements run as the owner of the table in a security-restricted
 * context, so that nothing that hangs on the table (an event trigger, say)
 * runs with more rights than that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "admin/admin.h"
#include "admin/target.h"
#include "capture/capture.h"
#include "pg/acting.h"
#include "pg/query.h"
#include "pg/subtransaction.h"

#define LOCK_TIMEOUT		"100ms" /* one attempt to get a lock */
#define LOCK_PAUSE_MS		100 /* and between two of them */
#define LOCK_PATIENCE_MS	3000	/* all attempts together */

/* AFTER INSERT OR UPDATE, no columns, no condition */
#define OUR_TYPE	(TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE)

/* What there is of our trigger on a table. */
static void
look(WaTarget *target)
{
	static WaStatement triggers =
		WA_STATEMENT("SELECT tgname::text, tgtype::int4, tgenabled::text, tgfoid = to_regprocedure('wa.capture()'),"
					 " tgattr::text = '' AND tgqual IS NULL AND tgnargs = 0 AND NOT tgdeferrable"
					 " FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal");
	WaArgs		args = {0};
	WaRows		rows;

	target->triggers = WA_TRIGGERS_MISSING;
	target->always = target->former = false;
	wa_arg_datum(&args, OIDOID, ObjectIdGetDatum(target->relid), false);
	rows = wa_query(&triggers, &args);
	for (uint64 row = 0; row < rows.n; row++)
	{
		char	   *name = wa_row_text(rows, row, 1);
		char		enabled = wa_row_text(rows, row, 3)[0];
		bool		ours = wa_row_bool(rows, row, 4);

		if (strcmp(name, WA_CAPTURE_FORMER_TRIGGER) == 0)
			target->former = ours;
		if (strcmp(name, WA_CAPTURE_TRIGGER) != 0)
			continue;
		target->always = enabled == TRIGGER_FIRES_ALWAYS;
		if (!ours || !wa_row_bool(rows, row, 5) || wa_row_int4(rows, row, 2) != OUR_TYPE)
			target->triggers = WA_TRIGGERS_FOREIGN;
		else
			target->triggers = enabled == TRIGGER_FIRES_ON_ORIGIN || enabled == TRIGGER_FIRES_ALWAYS ?
				WA_TRIGGERS_PRESENT : WA_TRIGGERS_DISABLED;
	}
}

/*
 * What this oid is now; target->relid becomes InvalidOid if it is gone.
 */
void
wa_admin_find_target_by_oid(WaTarget *target, Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class form;

	memset(target, 0, sizeof(*target));
	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_class) GETSTRUCT(tuple);
	target->schema = get_namespace_name(form->relnamespace);
	target->table = pstrdup(NameStr(form->relname));
	target->relkind = form->relkind;
	target->owner = form->relowner;
	ReleaseSysCache(tuple);
	if (target->schema == NULL)
		return;
	target->relid = relid;
	target->relation = quote_qualified_identifier(target->schema, target->table);
	look(target);
}

/*
 * The table of this name.  Takes no lock.
 */
void
wa_admin_find_target(WaTarget *target, const char *schema, const char *table)
{
	Oid			namespace = get_namespace_oid(schema, true);
	Oid			relid = OidIsValid(namespace) ?
		get_relname_relid(table, namespace) : InvalidOid;

	memset(target, 0, sizeof(*target));
	if (OidIsValid(relid))
		wa_admin_find_target_by_oid(target, relid);
	if (!OidIsValid(target->relid))
	{
		target->schema = pstrdup(schema);
		target->table = pstrdup(table);
		target->relation = quote_qualified_identifier(schema, table);
	}
}

/*
 * May this role alter the table?  The same rule as the server's own: it has
 * the rights of the owner.
 */
bool
wa_admin_may_alter(Oid caller, const WaTarget *target)
{
	return superuser_arg(caller) || has_privs_of_role(caller, target->owner);
}

/* Wait for a lock, but only for LOCK_TIMEOUT; raises an error after that. */
static void
lock_soon(Oid relid, LOCKMODE lockmode)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	LockRelationOid(relid, lockmode);
	AtEOXact_GUC(false, level);
}

/* What one attempt to lock all works on. */
typedef struct Locking
{
	WaTarget  **targets;
	int			n;
	int			first;
	LOCKMODE	lockmode;
	int			failed;			/* -1: none */
} Locking;

static bool
lock_all(void *argument)
{
	Locking    *locking = argument;

	lock_soon(locking->targets[locking->first]->relid, locking->lockmode);
	for (int i = 0; i < locking->n && locking->failed < 0; i++)
		if (i != locking->first &&
			!ConditionalLockRelationOid(locking->targets[i]->relid, locking->lockmode))
			locking->failed = i;
	return locking->failed < 0;
}

/*
 * One attempt to lock all: wait for the one numbered "first", take the others
 * if they can be had at once.  Returns -1, or the number of the one that could
 * not be had; then none is locked.
 */
static int
try_lock_all(WaTarget **targets, int n, int first, LOCKMODE lockmode)
{
	Locking		locking = {targets, n, first, lockmode, -1};
	ErrorData  *error = wa_pg_subtransaction(lock_all, &locking);

	if (error == NULL)
		return locking.failed;
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
		error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
		ReThrowError(error);
	return first;
}

/*
 * Lock the tables until the end of the transaction; target->locked says which
 * could be had.  Waits for about LOCK_PATIENCE_MS at most.  The caller has
 * checked that the role that called may alter them.
 */
void
wa_admin_lock_targets(WaTarget **targets, int n, LOCKMODE lockmode)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   LOCK_PATIENCE_MS);
	int			first = 0;

	if (n == 0)
		return;
	for (;;)
	{
		first = try_lock_all(targets, n, first, lockmode);
		if (first < 0 || GetCurrentTimestamp() >= deadline)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LOCK_PAUSE_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	/* at the end of patience, what can be had at once is still worth having */
	for (int i = 0; i < n; i++)
		targets[i]->locked = first < 0 ||
			ConditionalLockRelationOid(targets[i]->relid, lockmode);
}

static void
run_as_owner(const WaTarget *target, const char *sql)
{
	WaActing	acting;
	int			result;

	wa_pg_act_as_role(&acting, target->owner);
	result = SPI_execute(sql, false, 0);
	wa_pg_act_end(&acting);
	if (result != SPI_OK_UTILITY)
		elog(ERROR, "could not change the trigger of %s: %s",
			 target->relation, SPI_result_code_string(result));
}

/*
 * With the table locked: is it still what was found before?
 */
static void
check_unchanged(const WaTarget *target)
{
	WaTarget	now;

	wa_admin_find_target(&now, target->schema, target->table);
	if (now.relid != target->relid || now.owner != target->owner ||
		now.relkind != target->relkind)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("table %s was replaced meanwhile", target->relation)));
}

static void
drop_trigger(const WaTarget *target, const char *name)
{
	run_as_owner(target, psprintf("DROP TRIGGER %s ON %s", quote_identifier(name), target->relation));
}

static void
attach(const WaTarget *target)
{
	WaTarget	now = *target;

	check_unchanged(target);
	look(&now);
	if (now.triggers == WA_TRIGGERS_MISSING)
		run_as_owner(target, psprintf("CREATE TRIGGER %s AFTER INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION wa.capture()",
									  quote_identifier(WA_CAPTURE_TRIGGER), target->relation));
	look(&now);
	if (now.triggers != WA_TRIGGERS_PRESENT)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the trigger is not on %s", target->relation)));
}

static void
detach(const WaTarget *target)
{
	WaTarget	now = *target;

	check_unchanged(target);
	look(&now);
	if (now.triggers != WA_TRIGGERS_MISSING)
		drop_trigger(target, WA_CAPTURE_TRIGGER);
	if (now.former)
		drop_trigger(target, WA_CAPTURE_FORMER_TRIGGER);
}

static void
run_unchanged(const WaTarget *target, const char *sql)
{
	check_unchanged(target);
	run_as_owner(target, sql);
}

typedef struct Change
{
	void		(*change) (const WaTarget *);	/* or NULL: */
	const WaTarget *target;
	const char *sql;
} Change;

static bool
do_change(void *argument)
{
	const Change *what = argument;

	if (what->change)
		what->change(what->target);
	else
		run_unchanged(what->target, what->sql);
	return true;
}

/*
 * Make a change in a subtransaction.  Returns false with the message of the
 * error if it failed; then nothing of it is left.
 */
static bool
apart(void (*change) (const WaTarget *), const WaTarget *target, const char *sql, char **problem)
{
	Change		what = {change, target, sql};
	ErrorData  *error = wa_pg_subtransaction(do_change, &what);

	*problem = NULL;
	if (error == NULL)
		return true;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
	*problem = error->message;
	return false;
}

/*
 * Put it on a table that is locked (ShareRowExclusiveLock).
 * Returns false with a problem, and changes nothing, if it cannot be done.
 */
bool
wa_admin_attach(WaTarget *target, char **problem)
{
	if (!apart(attach, target, NULL, problem))
		return false;
	target->triggers = WA_TRIGGERS_PRESENT;
	return true;
}

/*
 * Take it off a table that is locked (AccessExclusiveLock).
 */
bool
wa_admin_detach(WaTarget *target, char **problem)
{
	if (!apart(detach, target, NULL, problem))
		return false;
	target->triggers = WA_TRIGGERS_MISSING;
	return true;
}

/*
 * Run a statement on a table that is locked, as its owner.  Returns false with
 * a problem, and changes nothing, if it cannot be done.
 */
bool
wa_admin_change_target(const WaTarget *target, const char *sql, char **problem)
{
	return apart(NULL, target, sql, problem);
}
