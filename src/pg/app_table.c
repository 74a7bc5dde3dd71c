/*-------------------------------------------------------------------------
 *
 * app_table.c
 *		Opening the application's tables, and whose rights they are read with.
 *
 * They may be anything: another Odoo version's, in the middle of a module
 * upgrade, replaced by a view with a function in it.  So:
 *
 * - a table is locked conditionally and never waited for.  A module upgrade
 *	 holds ACCESS EXCLUSIVE on many tables at once and must never find itself
 *	 in a deadlock with us;
 * - it is read as its own owner in a security-restricted context, and only if
 *	 it is a table: whatever hangs on it runs with its owner's rights;
 * - and nobody may read more through us than he could without.  What is read
 *	 ends in tables of the database's owner, so where he has no rights of the
 *	 table's owner, only what app_columns.c lists is read, and only where that
 *	 role has let us in: our trigger is on a table of its in this schema, which
 *	 wa_setup() puts there for its members only.  Of anything else is read what
 *	 the database's owner could read himself, and nothing that would run with his
 *	 rights then.
 *
 * How rows are read then is app_rows.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "pg/acting.h"
#include "pg/app_limit.h"
#include "pg/app_table.h"
#include "pg/own_table.h"
#include "pg/pg_compat.h"

/* Find and lock a table for reading; table->owner: who owns it. */
static void
find_table(WaAppTable *table, const char *schema, const char *name)
{
	Oid			namespace = get_namespace_oid(schema, true);
	HeapTuple	tuple;
	Form_pg_class form;

	memset(table, 0, sizeof(*table));
	table->state = WA_APP_MISSING;
	if (!OidIsValid(namespace))
		return;
	table->relid = get_relname_relid(name, namespace);
	if (!OidIsValid(table->relid))
		return;
	table->state = WA_APP_LOCKED;
	if (!ConditionalLockRelationOid(table->relid, AccessShareLock))
		return;

	/* it may have been dropped or renamed before we had the lock */
	if (get_relname_relid(name, namespace) != table->relid)
		return;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table->relid));
	if (!HeapTupleIsValid(tuple))
	{
		table->state = WA_APP_MISSING;
		return;
	}
	form = (Form_pg_class) GETSTRUCT(tuple);
	table->owner = form->relowner;
	table->relation = quote_qualified_identifier(schema, name);
	table->state = form->relkind == RELKIND_RELATION ||
		form->relkind == RELKIND_PARTITIONED_TABLE ? WA_APP_READY : WA_APP_REFUSED;
	if (table->state == WA_APP_READY)
		table->why = wa_app_limit_why(table->relid, table->relation);
	if (table->why || (table->state == WA_APP_READY && wa_pg_changed_since_snapshot(tuple)))
		table->state = WA_APP_LOCKED;
	ReleaseSysCache(tuple);
}

/* Is our trigger on this relation? */
static bool
has_our_trigger(Oid relid, Oid function)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = ((Form_pg_trigger) GETSTRUCT(tuple))->tgfoid == function;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * Has this role let us into this schema?  Who may put a trigger on a table can
 * have its owner run anything, so our trigger on one of his tables is his word.
 */
static bool
has_let_us_in(Oid namespace, Oid owner)
{
	static const char *const watched[] = {"sicantik_permit", "sicantik_document", "signature_workflow"};
	Oid			function = LookupFuncName(list_make2(makeString("wa"), makeString("capture")),
										  0, NULL, true);

	for (size_t i = 0; OidIsValid(function) && i < lengthof(watched); i++)
	{
		Oid			relid = get_relname_relid(watched[i], namespace);
		HeapTuple	tuple = OidIsValid(relid) ?
			SearchSysCache1(RELOID, ObjectIdGetDatum(relid)) : NULL;
		bool		is_his;

		if (!HeapTupleIsValid(tuple))
			continue;
		is_his = ((Form_pg_class) GETSTRUCT(tuple))->relowner == owner;
		ReleaseSysCache(tuple);
		if (is_his && has_our_trigger(relid, function))
			return true;
	}
	return false;
}

static void
forbid(WaAppTable *table, WaSaid why)
{
	table->state = WA_APP_FORBIDDEN;
	table->why = why;
}

/*
 * From a table that is ready, read what "reader" may read, who has no rights of
 * its owner.  Policies would tell the two apart, and run with the rights of the
 * one who reads, so with them it must be the reader.  Else the owner does it:
 * the planner computes constant parts of the expressions of indexes and
 * statistics, whose functions would run with the reader's rights as well.
 */
static void
read_as(WaAppTable *table, Oid reader, bool listed)
{
	char	   *owner = GetUserNameFromId(table->owner, false);
	char	   *name = GetUserNameFromId(reader, false);

	if (pg_class_aclcheck(table->relid, reader, ACL_SELECT) != ACLCHECK_OK ||
		wa_schema_aclcheck(get_rel_namespace(table->relid), reader, ACL_USAGE) != ACLCHECK_OK)
		forbid(table, listed ?
			   wa_say(WA_SAY_TABLE_NOT_LET_US_READ, table->relation, owner, table->relation, quote_identifier(name)) :
			   wa_say(WA_SAY_TABLE_OWNER_MAY_NOT_READ, table->relation, owner, table->relation, quote_identifier(name)));
	else if (check_enable_rls(table->relid, reader, true) != RLS_ENABLED)
		return;
	else if (!has_privs_of_role(table->owner, reader))
		forbid(table, wa_say(WA_SAY_TABLE_POLICIES_OF_OTHER_ROLE, table->relation, owner, quote_identifier(owner), quote_identifier(name)));
	table->owner = reader;
}

/*
 * Find and lock a table for reading, without ever waiting.  The lock lasts to
 * the end of the transaction.  Returns (and stores) what became of it.
 *
 * For names that stand in our sources: see app_columns.c.
 */
WaAppState
wa_app_open(WaAppTable *table, const char *schema, const char *name)
{
	Oid			reader = wa_pg_database_owner();

	find_table(table, schema, name);
	if (table->state != WA_APP_READY || has_privs_of_role(reader, table->owner))
		return table->state;
	table->columns = wa_app_columns(name);
	if (table->columns == NULL || !has_let_us_in(get_rel_namespace(table->relid), table->owner))
	{
		read_as(table, reader, table->columns != NULL);
		table->columns = NULL;
	}
	return table->state;
}

/*
 * The same for a table that a row names: nothing is read of it that "role"
 * could not read himself.
 */
WaAppState
wa_app_open_as(WaAppTable *table, const char *schema, const char *name, Oid role)
{
	find_table(table, schema, name);
	if (table->state == WA_APP_READY && !has_privs_of_role(role, table->owner))
		read_as(table, role, false);
	return table->state;
}

/*
 * Raise an error if we have no right to read it: where nothing can be decided
 * without.
 */
void
wa_app_require(const WaAppTable *table)
{
	if (table->state == WA_APP_FORBIDDEN)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 wa_said_errmsg(table->why)));
}

bool
wa_app_has_column(const WaAppTable *table, const char *column)
{
	return table->state == WA_APP_READY &&
		get_attnum(table->relid, column) > 0;
}
