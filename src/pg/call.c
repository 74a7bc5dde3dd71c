/*-------------------------------------------------------------------------
 *
 * call.c
 *		The frame of every public SQL function.
 *
 * EXECUTE is everybody's: real grants made after the installation would not
 * survive a restore in one transaction.  Instead wa_grant() keeps (role,
 * level) in wa.access, and each function asks here, then goes on as the owner
 * of the database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

#include "pg/audit.h"
#include "pg/build.h"
#include "pg/call.h"
#include "pg/own_table.h"
#include "pg/query.h"
#include "pg/subscribed.h"
#include "sicantik_wa.h"

static const char *const level_names[] = {"none", "webhook", "view", "send", "admin"};

/*
 * How far "role" may go: superusers and members of the database's owner may
 * do everything, others what wa_grant() gave to them or to a role whose
 * rights they have.  A grant is to the role of this name that was there then,
 * not to another one that got the name later.
 */
static WaLevel
level_of_role(Oid role)
{
	static WaStatement grants =
		WA_STATEMENT("SELECT role, level, role_oid FROM wa.access WHERE system_identifier = $1");
	WaLevel		level = WA_LEVEL_NONE;
	WaArgs		args = {0};
	WaRows		rows;

	if (superuser_arg(role) || has_privs_of_role(role, wa_pg_database_owner()))
		return WA_LEVEL_ADMIN;
	wa_arg_text(&args, psprintf(UINT64_FORMAT, GetSystemIdentifier()));
	rows = wa_query(&grants, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		Oid			granted = get_role_oid(wa_row_text(rows, i, 1), true);
		char	   *name = wa_row_text(rows, i, 2);

		if (!OidIsValid(granted) || wa_row_int8(rows, i, 3) != (int64) granted ||
			!has_privs_of_role(role, granted))
			continue;
		for (int l = WA_LEVEL_WEBHOOK; l <= WA_LEVEL_ADMIN; l++)
			if (strcmp(name, level_names[l]) == 0 && l > (int) level)
				level = l;
	}
	return level;
}

/*
 * How far "role" may go in this session, which may have asked for less.  SPI
 * must be connected, acting as the owner.
 */
WaLevel
wa_call_level(Oid role)
{
	return Min(level_of_role(role), (WaLevel) wa_guc_level);
}

/*
 * Nothing may be written where a subscription writes: see subscribed.c.
 */
static void
refuse_subscribed(void)
{
	char	   *subscription = wa_pg_subscription();

	if (subscription)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the tables of schema wa are filled by subscription \"%s\"", subscription),
				 errdetail("A row written here would be in the way of the publisher's."),
				 errhint("Do this on the publisher; or drop the subscription first; or take these tables out of the publication with the statement that wa_check() has on the publisher, then: ALTER SUBSCRIPTION %s REFRESH PUBLICATION.",
						 quote_identifier(subscription))));
}

/*
 * The call writes: on a standby, and in a read-only transaction, it is refused
 * by its own name, before one of our statements fails by another.  A function
 * that another one of ours calls has no name, and needs none.
 */
void
wa_call_writes(FunctionCallInfo fcinfo)
{
	if (XactReadOnly && fcinfo && fcinfo->flinfo && OidIsValid(fcinfo->flinfo->fn_oid))
	{
		char	   *name = psprintf("%s()", get_func_name(fcinfo->flinfo->fn_oid));

		PreventCommandDuringRecovery(name);
		PreventCommandIfReadOnly(name);
	}
}

/*
 * Connect to SPI and act as the owner of the database, after checking that
 * the library fits and that the caller has at least this level.  Levels that
 * may change something are for functions that do, unless it "reads": then it
 * says itself when it writes.  The call is logged: fcinfo, NULL if that was
 * done before.  Pair with wa_call_end(); an error in between is cleaned up by
 * the abort.
 */
void
wa_call_begin_logged(WaCall *call, FunctionCallInfo fcinfo, WaLevel level, bool reads)
{
	Oid			role = GetUserId();

	call->caller = CurrentMemoryContext;
	wa_pg_build_check();
	wa_pg_act_as_owner(&call->acting);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	wa_pg_own_tables_check();

	/* (each level has a name, whatever cppcheck says) */
	if (level > WA_LEVEL_NONE && wa_call_level(role) < level)
		/* cppcheck-suppress arrayIndexOutOfBoundsCond */
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for sicantik_wa"),
				 errdetail("This function needs the level \"%s\".",
						   level_names[level]),
				 level_of_role(role) >= level ?
				 errhint("This session has asked for less: RESET sicantik_wa.level.") :
				 errhint("The owner of the database gives it: SELECT wa_grant(%s, '%s').",
						 quote_literal_cstr(GetUserNameFromId(role, false)), level_names[level])));
	if (level >= WA_LEVEL_SEND || level == WA_LEVEL_WEBHOOK)
	{
		if (!reads)
			wa_call_writes(fcinfo);
		refuse_subscribed();
	}
	if (level >= WA_LEVEL_SEND)
		wa_pg_audit_call(fcinfo, role);
}

/*
 * The statement that is running holds a credential: from here on, show "shown"
 * (static) in its place.  In pg_stat_activity that holds for the session until
 * its next statement, and other sessions read it there for their reports of a
 * deadlock; in the server's log for errors of what comes after us in the same
 * statement.
 */
void
wa_call_hide_statement(const char *shown)
{
	debug_query_string = shown;
	pgstat_report_activity(STATE_RUNNING, shown);
}

void
wa_call_end(WaCall *call)
{
	wa_pg_own_tables_check();
	SPI_finish();
	wa_pg_act_end(&call->acting);
	MemoryContextSwitchTo(call->caller);
}

/*
 * Name of the role that called, for the ledger; palloc()ed.
 */
char *
wa_call_role(void)
{
	return GetUserNameFromId(GetSessionUserId(), false);
}

Datum
wa_call_text(WaCall *call, const char *value)
{
	MemoryContext old = MemoryContextSwitchTo(call->caller);
	Datum		result = CStringGetTextDatum(value);

	MemoryContextSwitchTo(old);
	return result;
}

Datum
wa_call_datum(WaCall *call, Datum value, bool byval, int16 len)
{
	MemoryContext old = MemoryContextSwitchTo(call->caller);
	Datum		result = datumCopy(value, byval, len);

	MemoryContextSwitchTo(old);
	return result;
}

/*
 * Is this argument there, and not NULL?  SQL objects of an earlier version may
 * call with fewer arguments: then the error says so.
 */
bool
wa_call_arg_given(FunctionCallInfo fcinfo, int n)
{
	if (n >= PG_NARGS())
	{
		wa_pg_build_check();
		return false;
	}
	return !PG_ARGISNULL(n);
}

/*
 * A text argument, palloc()ed; NULL for SQL NULL.
 */
char *
wa_call_arg_text(FunctionCallInfo fcinfo, int n)
{
	return wa_call_arg_given(fcinfo, n) ? text_to_cstring(PG_GETARG_TEXT_PP(n)) : NULL;
}

/*
 * Prepare a result of many rows; call before wa_call_begin().
 */
void
wa_call_rows_begin(FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
}

/*
 * Add a row; as many strings as the function has columns, NULL for SQL NULL.
 */
void
wa_call_row(FunctionCallInfo fcinfo, const char *const *strings)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			natts = rsinfo->setDesc->natts;
	Datum	   *values = palloc(sizeof(Datum) * natts);
	bool	   *nulls = palloc(sizeof(bool) * natts);

	for (int i = 0; i < natts; i++)
	{
		/* the caller has one for each column */
		nulls[i] = strings[i] == NULL;	/* NOLINT(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(strings[i]);
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * Add a row to the result of wa_setup(), wa_teardown() or wa_status().
 */
void
wa_call_say(FunctionCallInfo fcinfo, const char *item, const char *action, const char *detail)
{
	const char *row[3];

	row[0] = item;
	row[1] = action;
	row[2] = detail;
	wa_call_row(fcinfo, row);
}

/*
 * The result of a function that returns one row; its values are allocated for
 * the caller.
 */
Datum
wa_call_record(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * A table that the call needs is locked: raises the error that says so.
 */
void
wa_call_table_locked(const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("table \"%s\" is locked at the moment", table),
			 errhint("Try again when the module upgrade, or whatever holds the lock, is over.")));
}
