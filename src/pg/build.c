/*-------------------------------------------------------------------------
 *
 * build.c
 *		Do the library and the SQL objects of this database belong together?
 *
 * A server goes on with the library that it has loaded until it is restarted,
 * and a database with the objects that it was given until ALTER EXTENSION ...
 * UPDATE; a package replaces both files at once, and a dump brings the objects
 * of yet another server.  Our statements name columns, so with objects of
 * another shape they fail one by one, or worse, do half of what they should.
 * So both carry a stamp: the library the one of the install script that it was
 * built with, the database (wa._build()) the one of the script that made its
 * objects.  Where they differ the worker stays away and each function says so;
 * capture looks at the tables themselves, and goes on as long as they fit.
 *
 * The same goes where a table of ours is not there any more, because somebody
 * has laid hands on it: what one statement cannot find is no fault of the
 * message or the change for which it ran.
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
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "pg/build.h"
#include "pg/own_table.h"

PG_FUNCTION_INFO_V1(wa_sql_needs_library);

/* The Makefile compiles this file anew whenever any source has changed. */
#if !defined(WA_SQL_BUILD) || !defined(WA_SOURCE_BUILD)
#error "the Makefile defines WA_SQL_BUILD and WA_SOURCE_BUILD"
#endif

/* Where there is no wa._build(). */
#define NO_STAMP	"unknown"

/*
 * What this library was built from, for people to compare.
 */
const char *
wa_pg_build_of_library(void)
{
	return WA_SOURCE_BUILD;
}

/* Version of the extension in this database, palloc()ed; NULL: it has none. */
static char *
extension_version(void)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	char	   *version = NULL;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum("sicantik_wa"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Datum		values[Natts_pg_extension];
		bool		isnull[Natts_pg_extension];

		/* heap_getattr() is inline, and needs what older minor releases lack */
		heap_deform_tuple(tuple, RelationGetDescr(rel), values, isnull);
		version = isnull[Anum_pg_extension_extversion - 1] ? pstrdup("") :
			TextDatumGetCString(values[Anum_pg_extension_extversion - 1]);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return version;
}

/*
 * The stamp of the SQL objects, palloc()ed: what wa._build() would return.
 * Read, not called: whoever replaced it must not have his code run here.
 */
static char *
sql_stamp(void)
{
	Oid			schema = get_namespace_oid("wa", true);
	oidvector  *no_arguments = buildoidvector(NULL, 0);
	HeapTuple	tuple;
	Datum		source;
	bool		isnull;
	char	   *stamp = NULL;

	tuple = OidIsValid(schema) ?
		SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum("_build"),
						PointerGetDatum(no_arguments), ObjectIdGetDatum(schema)) : NULL;
	if (HeapTupleIsValid(tuple))
	{
		source = SysCacheGetAttr(PROCNAMEARGSNSP, tuple, Anum_pg_proc_prosrc, &isnull);
		if (!isnull)
		{
			char	   *body = TextDatumGetCString(source);
			char	   *begin = strchr(body, '\'');
			char	   *end = begin ? strchr(begin + 1, '\'') : NULL;

			if (end)
				stamp = pnstrdup(begin + 1, end - begin - 1);
		}
		ReleaseSysCache(tuple);
	}
	return stamp ? stamp : pstrdup(NO_STAMP);
}

/* Compare versions: numbers between dots. */
static int
compare_versions(const char *a, const char *b)
{
	while (*a || *b)
	{
		char	   *a_end;
		char	   *b_end;
		long		x = strtol(a, &a_end, 10);
		long		y = strtol(b, &b_end, 10);

		if (x != y)
			return x < y ? -1 : 1;
		if (a_end == a && b_end == b)
			return strcmp(a, b);
		a = *a_end == '.' ? a_end + 1 : a_end;
		b = *b_end == '.' ? b_end + 1 : b_end;
	}
	return 0;
}

/*
 * Is this library of another build than the SQL objects of this database?
 * False as well where the extension is not there.  Must be called in a
 * transaction; needs neither SPI nor rights.  For the install script, which has
 * not made all of them yet, and for who locks our tables himself.
 */
bool
wa_pg_build_stamp_differs(WaBuildDifference *difference)
{
	char	   *version = extension_version();
	char	   *stamp;
	int			order;

	memset(difference, 0, sizeof(*difference));
	if (version == NULL)
		return false;
	stamp = sql_stamp();
	order = compare_versions(version, WA_VERSION);
	if (order == 0 && strcmp(stamp, WA_SQL_BUILD) == 0)
		return false;
	difference->detail =
		psprintf("The library is of version %s (SQL %s, build %s), the SQL objects of this database are of version %s (SQL %s).",
				 WA_VERSION, WA_SQL_BUILD, WA_SOURCE_BUILD, version, stamp);
	if (order == 0 && strcmp(stamp, NO_STAMP) == 0)
	{
		difference->what = wa_say(WA_SAY_SCHEMA_OF_OURS_MISSING);
		difference->what_to_do = wa_say(WA_SAY_UNDO_WHAT_WAS_DONE_BY_HAND);
	}
	else if (order < 0)
	{
		difference->what = wa_say(WA_SAY_LIBRARY_NEWER);
		difference->what_to_do = wa_say(WA_SAY_UPDATE_EXTENSION);
	}
	else if (order > 0)
	{
		difference->what = wa_say(WA_SAY_LIBRARY_OLDER);
		difference->what_to_do = wa_say(WA_SAY_INSTALL_NEEDED_PACKAGE);
	}
	else
	{
		difference->what = wa_say(WA_SAY_LIBRARY_OF_OTHER_BUILD);
		difference->what_to_do = wa_say(WA_SAY_RESTART_OR_INSTALL_PACKAGE);
	}
	return true;
}

/*
 * The same, or is a table of ours not there?
 */
bool
wa_pg_build_differs(WaBuildDifference *difference)
{
	const char *missing;

	if (wa_pg_build_stamp_differs(difference))
		return true;
	missing = wa_pg_own_table_missing();
	if (missing == NULL || !OidIsValid(get_extension_oid("sicantik_wa", true)))
		return false;
	difference->what = wa_say(WA_SAY_TABLE_OF_OURS_MISSING, missing);
	difference->what_to_do = wa_say(WA_SAY_UNDO_WHAT_WAS_DONE_BY_HAND);
	difference->detail = psprintf("All tables of the extension must be there: wa.%s and the others.", missing);
	return true;
}

/*
 * Raise an error if it is.
 */
void
wa_pg_build_check(void)
{
	WaBuildDifference difference;

	if (wa_pg_build_differs(&difference))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s: %s", wa_said_english(difference.what), wa_said_english(difference.what_to_do)),
				 errdetail("%s", difference.detail)));
}

/*
 * wa._needs_library(): see sicantik_wa.sql.  A library of a later version will
 * do: an update may go on to that one in a step of its own.
 */
Datum
wa_sql_needs_library(PG_FUNCTION_ARGS)
{
	char	   *version = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *stamp = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			order = compare_versions(WA_VERSION, version);

	if (order < 0 || (order == 0 && strcmp(WA_SQL_BUILD, stamp) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the library that is loaded is not the one of this script: restart the server, then try again"),
				 errdetail("The library is of version %s (SQL %s, build %s), the script makes version %s (SQL %s). Nothing has been changed.",
						   WA_VERSION, WA_SQL_BUILD, WA_SOURCE_BUILD, version, stamp)));
	PG_RETURN_VOID();
}
