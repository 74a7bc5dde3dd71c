/*-------------------------------------------------------------------------
 *
 * acting.c
 *		In whose name statements run.
 *
 * Our own tables are read and written as the owner of the database, whoever
 * calls; the application's tables are read as the owner of each table, in a
 * security-restricted context.  So a view, policy or trigger planted by one
 * of them never runs with the rights of the other, nor of a superuser who
 * happens to call.
 *
 * Everything is undone by wa_pg_act_end(), or by the abort of the surrounding
 * (sub)transaction, which restores both the user and the settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_database.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/syscache.h"

#include "pg/acting.h"

/*
 * Settings that our statements rely on in a session of somebody's, for as long
 * as one of our functions runs.  The session may have changed any of them; a
 * function must not depend on its caller's choice.  (A worker's session is ours
 * for its whole life: what is set there is in worker/session.c.)
 */
static const struct
{
	const char *name;
	const char *value;
}			pinned[] =
{
	{"search_path", "pg_catalog, pg_temp"},
	{"DateStyle", "ISO, YMD"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"quote_all_identifiers", "off"},
	{"array_nulls", "on"},
	{"jit", "off"},
	{"max_parallel_workers_per_gather", "0"}
};

/*
 * Settings of modules that log statements with their parameters, which are
 * citizens' numbers and texts here.  The statements may be logged: what is read
 * and written belongs to the trail of the session that called.  Plans may not:
 * they have such values in their conditions.
 */
static const struct
{
	const char *name;
	const char *value;
}			kept_out[] =
{
	{"pgaudit.log_parameter", "off"},
	{"auto_explain.log_min_duration", "-1"}
};

/*
 * The owner of the current database.  Raises an error if the database is gone.
 */
Oid
wa_pg_database_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID,
										ObjectIdGetDatum(MyDatabaseId));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for database %u", MyDatabaseId);
	owner = ((Form_pg_database) GETSTRUCT(tuple))->datdba;
	ReleaseSysCache(tuple);
	return owner;
}

static void
act_as(WaActing *acting, Oid role, int flags)
{
	GetUserIdAndSecContext(&acting->user, &acting->context);
	SetUserIdAndSecContext(role, acting->context | flags);
	acting->guc_level = NewGUCNestLevel();
	for (size_t i = 0; i < lengthof(pinned); i++)
		(void) set_config_option(pinned[i].name, pinned[i].value,
								 PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	for (size_t i = 0; i < lengthof(kept_out); i++)
	{
		/* they are a superuser's, and unknown where the module is not loaded */
		if (GetConfigOption(kept_out[i].name, true, false) != NULL)
			(void) set_config_option(kept_out[i].name, kept_out[i].value,
									 PGC_SUSET, PGC_S_SESSION,
									 GUC_ACTION_SAVE, true, 0, false);
	}
}

/*
 * From here on act as the owner of the database, with pinned settings: for
 * statements on our own tables.
 */
void
wa_pg_act_as_owner(WaActing *acting)
{
	act_as(acting, wa_pg_database_owner(), SECURITY_LOCAL_USERID_CHANGE);
}

/*
 * From here on act as "role" in a security-restricted context, with pinned
 * settings: for statements on tables that belong to that role.
 */
void
wa_pg_act_as_role(WaActing *acting, Oid role)
{
	act_as(acting, role,
		   SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

/*
 * For statements of ours in a trigger: SPI connected, and the owner of the
 * database acting, whoever writes the table.  Who is that already pays nothing
 * for it.
 */
void
wa_pg_trigger_begin(WaActing *acting)
{
	acting->user = InvalidOid;
	if (GetUserId() != wa_pg_database_owner())
		wa_pg_act_as_owner(acting);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

void
wa_pg_trigger_end(WaActing *acting)
{
	SPI_finish();
	if (OidIsValid(acting->user))
		wa_pg_act_end(acting);
}

/*
 * Back to what was before.
 */
void
wa_pg_act_end(WaActing *acting)
{
	AtEOXact_GUC(false, acting->guc_level);
	SetUserIdAndSecContext(acting->user, acting->context);
}
