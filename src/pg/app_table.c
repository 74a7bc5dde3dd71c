/*-------------------------------------------------------------------------
 *
 * app_table.c
 *		Reading the application's tables.
 *
 * They may be anything: another Odoo version's, in the middle of a module
 * upgrade, replaced by a view with a function in it.  So:
 *
 * - a table is locked conditionally and never waited for.  A module upgrade
 *	 holds ACCESS EXCLUSIVE on many tables at once and must never find itself
 *	 in a deadlock with us;
 * - it is read as its own owner in a security-restricted context, and only if
 *	 it is a table: whatever hangs on it runs with its owner's rights;
 * - a column that this Odoo lacks reads as NULL, and every value is text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attnum.h"
#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "lib/stringinfo.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/acting.h"
#include "pg/app_table.h"
#include "pg/pg_compat.h"

/*
 * Has somebody else changed this table's definition since our snapshot was
 * taken?  A table that was written anew then (ALTER TABLE ... TYPE) looks empty
 * to that snapshot, and its records as if they were gone.
 */
static bool
changed_since_snapshot(HeapTuple tuple)
{
	TransactionId xmin = HeapTupleHeaderGetXmin(tuple->t_data);

	return ActiveSnapshotSet() && TransactionIdIsNormal(xmin) &&
		!TransactionIdIsCurrentTransactionId(xmin) &&
		XidInMVCCSnapshot(xmin, GetActiveSnapshot());
}

/*
 * Find and lock a table for reading, without ever waiting.  The lock lasts to
 * the end of the transaction.  Returns (and stores) what became of it.
 */
WaAppState
wa_app_open(WaAppTable *table, const char *schema, const char *name)
{
	Oid			namespace = get_namespace_oid(schema, true);
	HeapTuple	tuple;
	Form_pg_class form;

	memset(table, 0, sizeof(*table));
	table->state = WA_APP_MISSING;
	if (!OidIsValid(namespace))
		return table->state;
	table->relid = get_relname_relid(name, namespace);
	if (!OidIsValid(table->relid))
		return table->state;
	if (!ConditionalLockRelationOid(table->relid, AccessShareLock))
		return table->state = WA_APP_LOCKED;

	/* it may have been dropped or renamed before we had the lock */
	if (get_relname_relid(name, namespace) != table->relid)
		return table->state = WA_APP_LOCKED;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table->relid));
	if (!HeapTupleIsValid(tuple))
		return table->state = WA_APP_MISSING;
	form = (Form_pg_class) GETSTRUCT(tuple);
	table->owner = form->relowner;
	table->relation = quote_qualified_identifier(schema, name);
	table->state = form->relkind == RELKIND_RELATION ||
		form->relkind == RELKIND_PARTITIONED_TABLE ? WA_APP_READY : WA_APP_REFUSED;
	if (table->state == WA_APP_READY && changed_since_snapshot(tuple))
		table->state = WA_APP_LOCKED;
	ReleaseSysCache(tuple);
	return table->state;
}

/*
 * The same for a table that is to be read as "role" instead of its owner;
 * WA_APP_REFUSED too if that role may not.
 */
WaAppState
wa_app_open_as(WaAppTable *table, const char *schema, const char *name, Oid role)
{
	if (wa_app_open(table, schema, name) != WA_APP_READY)
		return table->state;
	table->owner = role;
	if (pg_class_aclcheck(table->relid, role, ACL_SELECT) != ACLCHECK_OK ||
		wa_schema_aclcheck(get_rel_namespace(table->relid), role, ACL_USAGE) != ACLCHECK_OK)
		table->state = WA_APP_REFUSED;
	return table->state;
}

bool
wa_app_has_column(const WaAppTable *table, const char *column)
{
	return table->state == WA_APP_READY &&
		get_attnum(table->relid, column) > 0;
}

/*
 * A plan for this statement, kept for the life of the process: there are as
 * many texts as there are places that read, times the versions that a table
 * has had.  The server plans it again when a table changes.
 */
#define KEPT_PLANS		64

/* From so many values on the executor hashes them, if it knows them. */
#define HASHED_VALUES	9

#define STATEMENT_BYTES 1024

typedef struct KeptPlan
{
	char		sql[STATEMENT_BYTES];	/* hash key */
	SPIPlanPtr	plan;
} KeptPlan;

static HTAB *kept_plans = NULL;

static SPIPlanPtr
prepare(const char *sql, WaArgs *args)
{
	char		key[STATEMENT_BYTES] = {0};
	KeptPlan   *kept;
	SPIPlanPtr	plan;

	if (kept_plans == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = STATEMENT_BYTES;
		ctl.entrysize = sizeof(KeptPlan);
		kept_plans = hash_create("sicantik_wa statements on the application's tables",
								 KEPT_PLANS, &ctl, HASH_ELEM | HASH_STRINGS);
	}
	strlcpy(key, sql, sizeof(key));
	kept = strlen(sql) < STATEMENT_BYTES ? hash_search(kept_plans, key, HASH_FIND, NULL) : NULL;
	if (kept)
		return kept->plan;
	plan = SPI_prepare(sql, args->n, args->types);
	if (plan == NULL)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
	if (strlen(sql) < STATEMENT_BYTES && hash_get_num_entries(kept_plans) < KEPT_PLANS &&
		SPI_keepplan(plan) == 0)
	{
		kept = hash_search(kept_plans, key, HASH_ENTER, NULL);
		kept->plan = plan;
	}
	return plan;
}

/* SELECT the columns as text FROM the table AS t. */
static void
begin_select(StringInfo sql, const WaAppTable *table, const char *const *columns, int ncolumns)
{
	initStringInfo(sql);
	appendStringInfoString(sql, "SELECT ");
	for (int i = 0; i < ncolumns; i++)
	{
		if (i > 0)
			appendStringInfoString(sql, ", ");
		if (wa_app_has_column(table, columns[i]))
			appendStringInfo(sql, "t.%s::text", quote_identifier(columns[i]));
		else
			appendStringInfoString(sql, "NULL::text");
	}
	appendStringInfo(sql, " FROM %s AS t", table->relation);
}

/*
 * Run it.  with_values: plan with the values of the arguments known, and for
 * this once.
 */
static void
run_select(WaAppRows *rows, const WaAppTable *table, StringInfo sql, int ncolumns,
		   bool with_values, WaArgs *args)
{
	WaActing	acting;
	MemoryContext context = CurrentMemoryContext;
	int			result;

	wa_pg_act_as_role(&acting, table->owner);
	if (with_values)
		result = SPI_execute_with_args(sql->data, args->n, args->types, args->values,
									   args->nulls, true, 0);
	else
		result = SPI_execute_plan(prepare(sql->data, args), args->values, args->nulls, true, 0);
	/* SPI leaves its own context current */
	MemoryContextSwitchTo(context);
	wa_pg_act_end(&acting);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "could not read %s: %s", table->relation,
			 SPI_result_code_string(result));

	rows->n = SPI_processed;
	rows->values = palloc(sizeof(char **) * Max(rows->n, 1));
	for (uint64 row = 0; row < rows->n; row++)
	{
		rows->values[row] = palloc(sizeof(char *) * ncolumns);
		for (int i = 0; i < ncolumns; i++)
			rows->values[row][i] = wa_row_text(row, i + 1);
	}
	SPI_freetuptable(SPI_tuptable);
	pfree(sql->data);
}

/*
 * The rows of which one of the columns "keys" is in the array $1; keys that
 * this table lacks are left out.  with_values: plan with the array known, and
 * for this once.  Then a column without an index costs one look at each row,
 * in a hash of the array; a plan that is kept would compare each row with each
 * element.
 */
static void
read_rows(WaAppRows *rows, const WaAppTable *table,
		  const char *const *columns, int ncolumns,
		  const char *const *keys, int nkeys, bool with_values, WaArgs *args)
{
	StringInfoData sql;
	const char *sep = " WHERE ";

	rows->n = 0;
	rows->values = NULL;
	begin_select(&sql, table, columns, ncolumns);
	for (int i = 0; i < nkeys; i++)
	{
		if (!wa_app_has_column(table, keys[i]))
			continue;
		appendStringInfo(&sql, "%st.%s = ANY ($1)", sep, quote_identifier(keys[i]));
		sep = " OR ";
	}
	if (strcmp(sep, " OR ") == 0)
		run_select(rows, table, &sql, ncolumns, with_values, args);
}

/*
 * All rows, of a table that is known to be small; the table must be ready.
 */
void
wa_app_read_all(WaAppRows *rows, const WaAppTable *table,
				const char *const *columns, int ncolumns)
{
	WaArgs		args = {0};
	StringInfoData sql;

	begin_select(&sql, table, columns, ncolumns);
	run_select(rows, table, &sql, ncolumns, false, &args);
}

/* Is there such a column, and of a type of this category (pg_type)? */
static bool
has_column_of(const WaAppTable *table, const char *column, TYPCATEGORY wanted)
{
	TYPCATEGORY category;
	bool		preferred;

	if (!wa_app_has_column(table, column))
		return false;
	get_type_category_preferred(get_atttype(table->relid, get_attnum(table->relid, column)),
								&category, &preferred);
	return category == wanted;
}

/*
 * The rows whose integer column "key" is among "keys".  Without such a column
 * there are none.
 */
void
wa_app_read_by_id(WaAppRows *rows, const WaAppTable *table,
				  const char *const *columns, int ncolumns,
				  const char *key, const int64 *keys, int nkeys)
{
	WaArgs		args = {0};

	rows->n = 0;
	rows->values = NULL;
	if (!has_column_of(table, key, TYPCATEGORY_NUMERIC))
		return;
	wa_arg_int8_array(&args, keys, nkeys);
	read_rows(rows, table, columns, ncolumns, &key, 1, false, &args);
}

/*
 * The same for a column that compares with the elements of any array.
 */
void
wa_app_read_by_array(WaAppRows *rows, const WaAppTable *table,
					 const char *const *columns, int ncolumns,
					 const char *key, Oid array_type, Datum array)
{
	WaArgs		args = {0};

	wa_arg_datum(&args, array_type, array, false);
	read_rows(rows, table, columns, ncolumns, &key, 1, false, &args);
}

/*
 * The same for a column of text; none if it is of another type.
 */
void
wa_app_read_by_text(WaAppRows *rows, const WaAppTable *table,
					const char *const *columns, int ncolumns,
					const char *key, const char *const *keys, int nkeys)
{
	wa_app_read_by_texts(rows, table, columns, ncolumns, &key, 1, keys, nkeys);
}

/*
 * The same for several columns of text: the rows of which one of them is
 * among the values.  Columns of another type are left out.
 */
void
wa_app_read_by_texts(WaAppRows *rows, const WaAppTable *table,
					 const char *const *columns, int ncolumns,
					 const char *const *keys, int nkeys,
					 const char *const *values, int nvalues)
{
	WaArgs		args = {0};
	const char **usable = palloc(sizeof(char *) * nkeys);
	int			nusable = 0;

	for (int i = 0; i < nkeys; i++)
		if (has_column_of(table, keys[i], TYPCATEGORY_STRING))
			usable[nusable++] = keys[i];
	wa_arg_text_array(&args, values, nvalues);
	read_rows(rows, table, columns, ncolumns, usable, nusable, nvalues >= HASHED_VALUES, &args);
}

/*
 * The same for a column of booleans, for one value; none if it is of another
 * type.
 */
void
wa_app_read_by_bool(WaAppRows *rows, const WaAppTable *table,
					const char *const *columns, int ncolumns,
					const char *key, bool value)
{
	Datum		element = BoolGetDatum(value);
	WaArgs		args = {0};

	rows->n = 0;
	rows->values = NULL;
	if (!wa_app_has_column(table, key) ||
		get_atttype(table->relid, get_attnum(table->relid, key)) != BOOLOID)
		return;
	wa_arg_datum(&args, BOOLARRAYOID,
				 PointerGetDatum(construct_array(&element, 1, BOOLOID, 1, true, TYPALIGN_CHAR)),
				 false);
	read_rows(rows, table, columns, ncolumns, &key, 1, false, &args);
}

/*
 * The rows whose timestamp (without time zone, UTC as Odoo keeps it) in the
 * column "key" is later than "since", the latest first, at most so many.  None
 * if it is of another type.  Scans the table.
 */
void
wa_app_read_newer(WaAppRows *rows, const WaAppTable *table,
				  const char *const *columns, int ncolumns,
				  const char *key, TimestampTz since, int most)
{
	WaArgs		args = {0};
	StringInfoData sql;

	rows->n = 0;
	rows->values = NULL;
	if (!wa_app_has_column(table, key) ||
		get_atttype(table->relid, get_attnum(table->relid, key)) != TIMESTAMPOID)
		return;
	/* a timestamptz is kept in UTC */
	wa_arg_datum(&args, TIMESTAMPOID, TimestampGetDatum((Timestamp) since), false);
	begin_select(&sql, table, columns, ncolumns);
	appendStringInfo(&sql, " WHERE t.%s > $1 ORDER BY t.%s DESC LIMIT %d",
					 quote_identifier(key), quote_identifier(key), most);
	run_select(rows, table, &sql, ncolumns, false, &args);
}

/*
 * What such a column's text stands for; 0 for NULL.
 */
TimestampTz
wa_app_timestamp(const char *value)
{
	if (value == NULL)
		return 0;
	return (TimestampTz) DatumGetTimestamp(DirectFunctionCall3(timestamp_in, CStringGetDatum(value),
															   ObjectIdGetDatum(InvalidOid),
															   Int32GetDatum(-1)));
}
