/*-------------------------------------------------------------------------
 *
 * utility_hook.c
 *		Out of the way of DROP, RENAME, copy and move of databases.
 *
 * These commands want the database for themselves: the server waits five
 * seconds for other sessions to go, then fails.  So before such a command
 * runs, our worker in that database is asked to leave, and kept out for a
 * while.  The same hook notices that the extension comes, goes or changes,
 * that databases come or change owner, that a prepared transaction is
 * committed, whose wish to wake somebody ended with its session, and that
 * capture is switched off for a whole session.
 *
 * Nothing here may turn a command that works into one that fails: whatever is
 * unclear is passed on to the server, which judges by itself.  A hold-off is
 * only set for those who own the database; anybody else would be refused by
 * the command, and must not be able to stop our worker by trying.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "capture/capture.h"
#include "sicantik_wa.h"
#include "wake/slot.h"
#include "worker/process.h"

/* What is to be done once the command has succeeded. */
typedef enum After
{
	AFTER_NOTHING,
	AFTER_SCAN,					/* the list of databases changed */
	AFTER_REVISIT,				/* our extension in this database changed */
	AFTER_SET,					/* capture may be off for the session */
	AFTER_WAKE					/* there may be events of a transaction */
} After;

static ProcessUtility_hook_type previous_hook = NULL;

/*
 * Ask our worker to leave the database of this name, if the current user may
 * do with it what he is about to do.
 */
static void
clear_database(const char *name)
{
	Oid			database;
	HeapTuple	tuple;
	bool		allowed;

	if (name == NULL)
		return;
	database = get_database_oid(name, true);
	if (!OidIsValid(database))
		return;
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	if (!HeapTupleIsValid(tuple))
		return;
	allowed = has_privs_of_role(GetUserId(),
								((Form_pg_database) GETSTRUCT(tuple))->datdba);
	ReleaseSysCache(tuple);
	if (allowed)
		wa_wake_slot_hold_off(database);
}

/*
 * The option of this name in a list of DefElem, or NULL.
 */
static DefElem *
find_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return option;
	}
	return NULL;
}

/*
 * The database that CREATE DATABASE will copy, or NULL where the option is
 * not a plain name (the command itself complains about that).
 */
static const char *
template_name(CreatedbStmt *stmt)
{
	DefElem    *option = find_option(stmt->options, "template");

	if (option == NULL || option->arg == NULL)
		return "template1";
	return IsA(option->arg, String) ? strVal(option->arg) : NULL;
}

static bool
is_our_extension(const char *name)
{
	return name != NULL && strcmp(name, "sicantik_wa") == 0;
}

/*
 * Does it give another name to our schema, to something else that becomes it, or
 * to what is in it?
 */
static bool
renames_what_is_ours(const RenameStmt *rename)
{
	static const char *const ours = "wa";

	if (rename->renameType == OBJECT_SCHEMA)
		return strcmp(rename->subname, ours) == 0 || strcmp(rename->newname, ours) == 0;
	return rename->relation && rename->relation->schemaname &&
		strcmp(rename->relation->schemaname, ours) == 0;
}

/*
 * DROP EXTENSION may name several.
 */
static bool
drops_our_extension(DropStmt *stmt)
{
	ListCell   *cell;

	foreach(cell, stmt->objects)
	{
		Node	   *object = (Node *) lfirst(cell);

		if (IsA(object, String) && is_our_extension(strVal(object)))
			return true;
	}
	return false;
}

/*
 * Before the command: clear the database that it needs for itself, and find
 * out what is to be done after it.
 */
static After
prepare(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_DropdbStmt:
			clear_database(((DropdbStmt *) stmt)->dbname);
			return AFTER_SCAN;

		case T_CreatedbStmt:
			clear_database(template_name((CreatedbStmt *) stmt));
			return AFTER_SCAN;

		case T_AlterDatabaseStmt:
			{
				AlterDatabaseStmt *alter = (AlterDatabaseStmt *) stmt;

				if (find_option(alter->options, "tablespace") != NULL)
					clear_database(alter->dbname);
				return AFTER_SCAN;
			}

		case T_RenameStmt:
			{
				RenameStmt *rename = (RenameStmt *) stmt;

				if (rename->renameType == OBJECT_DATABASE)
				{
					clear_database(rename->subname);
					return AFTER_SCAN;
				}
				if (renames_what_is_ours(rename))
					return AFTER_REVISIT;
				break;
			}

		case T_AlterOwnerStmt:
			if (((AlterOwnerStmt *) stmt)->objectType == OBJECT_DATABASE)
				return AFTER_SCAN;
			break;

		case T_AlterRoleStmt:
			/* the owner may have been allowed to log in */
			return AFTER_SCAN;

		case T_TransactionStmt:
			if (((TransactionStmt *) stmt)->kind == TRANS_STMT_COMMIT_PREPARED)
				return AFTER_WAKE;
			break;

		case T_VariableSetStmt:
			{
				VariableSetStmt *set = (VariableSetStmt *) stmt;

				if (set->name && !set->is_local &&
					pg_strcasecmp(set->name, "sicantik_wa.capture") == 0)
					return AFTER_SET;
				break;
			}

		case T_CreateExtensionStmt:
			if (is_our_extension(((CreateExtensionStmt *) stmt)->extname))
				return AFTER_REVISIT;
			break;

		case T_AlterExtensionStmt:
			if (is_our_extension(((AlterExtensionStmt *) stmt)->extname))
				return AFTER_REVISIT;
			break;

		case T_CreateSubscriptionStmt:
		case T_AlterSubscriptionStmt:
		case T_DropSubscriptionStmt:
			/* it may fill our tables, or not any more */
			return AFTER_REVISIT;

		case T_DropStmt:
			if (((DropStmt *) stmt)->removeType == OBJECT_EXTENSION &&
				drops_our_extension((DropStmt *) stmt))
				return AFTER_REVISIT;
			break;

		default:
			break;
	}
	return AFTER_NOTHING;
}

static void
watch_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
			  ProcessUtilityContext context, ParamListInfo params,
			  QueryEnvironment *queryEnv, DestReceiver *dest,
			  QueryCompletion *qc)
{
	After		after = AFTER_NOTHING;

	if (wa_wake_shared != NULL)
		after = prepare(pstmt->utilityStmt);

	if (previous_hook)
		previous_hook(pstmt, queryString, readOnlyTree, context, params,
					  queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context,
								params, queryEnv, dest, qc);

	/*
	 * Only now: SET TABLESPACE commits on its way, and the wish must belong
	 * to the transaction that ends the command.
	 */
	if (after == AFTER_SCAN)
		wa_wake_scan_at_commit();
	else if (after == AFTER_REVISIT)
		wa_wake_revisit_at_commit();
	else if (after == AFTER_WAKE)
		wa_wake_feedback_at_commit();
	else if (after == AFTER_SET && !wa_guc_capture)
		wa_capture_warn_off();
}

/*
 * Called once while the library is preloaded.
 */
void
wa_worker_utility_hook_install(void)
{
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = watch_utility;
}
