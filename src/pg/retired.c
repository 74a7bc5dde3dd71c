/*-------------------------------------------------------------------------
 *
 * retired.c
 *		Functions that only objects of an earlier version name.
 *
 * A library comes with the package, objects of its version with ALTER EXTENSION
 * ... UPDATE, or much later.  Until then, and in scripts of earlier versions and
 * dumps of pg_upgrade, CREATE FUNCTION and each call look for the symbol that
 * these objects name.  So a symbol of a released version never goes: here it
 * says what to do.  test/t/012_upgrade.pl names one that is missing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "pg/build.h"

#define RETIRED(name) \
	PG_FUNCTION_INFO_V1(name); \
	Datum name(PG_FUNCTION_ARGS) \
	{ \
		say_retired(#name); \
		PG_RETURN_NULL(); \
	} \
	extern Datum name(PG_FUNCTION_ARGS)

pg_attribute_unused() static void say_retired(const char *name);

static void
say_retired(const char *name)
{
	wa_pg_build_check();
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FUNCTION),
			 errmsg("this version of sicantik_wa has no function %s", name)));
}

/* RETIRED(wa_sql_name); one a line */
