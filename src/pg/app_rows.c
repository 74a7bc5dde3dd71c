/*-------------------------------------------------------------------------
 *
 * app_rows.c
 *		Reading rows of the application's tables, once they are open.
 *
 * What app_table.c says of the table goes on here:
 *
 * - rows are read as the role that it found, and no columns but those that it
 *	 allows;
 * - the statement that reads touches the table that was judged (judged.c);
 * - it has a time limit, since whatever hangs on the table may sleep
 *	 (app_limit.c);
 * - a column that this Odoo lacks reads as NULL, and every value is text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attnum.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "storage/bufmgr.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/acting.h"
#include "pg/app_limit.h"
#include "pg/app_table.h"
#include "pg/app_version.h"
#include "pg/judged.h"
#include "pg/subtransaction.h"

/* A column that is about to be read; false: there is none. */
static bool
may_read(const WaAppTable *table, const char *column)
{
	if (!wa_app_has_column(table, column))
		return false;
	if (table->columns && !wa_app_is_among(table->columns, column))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("column %s of table %s is none of those that are read in the name of its owner",
						quote_identifier(column), table->relation)));
	return true;
}

/*
 * A plan for this statement, kept for the life of the process: there are as
 * many texts as there are places that read, times the versions that a table
 * has had.  The server plans it again when a table changes.
 */
#define KEPT_PLANS		64

/* From so many values on the executor hashes them, if it knows them. */
#define HASHED_VALUES	9

#define STATEMENT_BYTES 1020

typedef struct PlanKey
{
	Oid			relid;
	char		sql[STATEMENT_BYTES];
} PlanKey;

typedef struct KeptPlan
{
	PlanKey		key;			/* hash key */
	WaJudged	judged;
	SPIPlanPtr	plan;			/* NULL: an error came in between */
} KeptPlan;

static HTAB *kept_plans = NULL;

static KeptPlan *
find_kept(const WaAppTable *table, const char *sql)
{
	PlanKey		key = {0};
	KeptPlan   *kept;
	bool		found;

	if (kept_plans == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(PlanKey);
		ctl.entrysize = sizeof(KeptPlan);
		kept_plans = hash_create("sicantik_wa statements on the application's tables",
								 KEPT_PLANS, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	if (strlen(sql) >= STATEMENT_BYTES)
		return NULL;
	key.relid = table->relid;
	strcpy(key.sql, sql);
	kept = hash_search(kept_plans, &key, HASH_FIND, NULL);
	if (kept || hash_get_num_entries(kept_plans) >= KEPT_PLANS)
		return kept;
	kept = hash_search(kept_plans, &key, HASH_ENTER, &found);
	kept->plan = NULL;
	return kept;
}

static SPIPlanPtr
prepare(const WaAppTable *table, const char *sql, WaArgs *args)
{
	KeptPlan   *kept = find_kept(table, sql);
	WaJudged   *judged = kept ? &kept->judged : palloc(sizeof(WaJudged));
	SPIPlanPtr	plan;

	if (kept && kept->plan)
		return kept->plan;
	wa_pg_judged_init(judged, table->relid, InvalidOid, args);
	plan = wa_pg_judged_prepare(sql, judged);
	if (kept && SPI_keepplan(plan) == 0)
		kept->plan = plan;
	return plan;
}

/*
 * A column as text.  Of a type that somebody has made, by its output function:
 * a cast may be a function of his, and would run with the rights of the one
 * who reads.
 */
static void
append_as_text(StringInfo sql, const WaAppTable *table, const char *column)
{
	Oid			type = getBaseType(get_atttype(table->relid, get_attnum(table->relid, column)));

	if (type < FirstNormalObjectId)
		appendStringInfo(sql, "t.%s::text", quote_identifier(column));
	else
		appendStringInfo(sql, "CASE WHEN t.%s IS NOT NULL THEN pg_catalog.format('%%s', t.%s) END",
						 quote_identifier(column), quote_identifier(column));
}

/* SQL: the version of a row. */
#define VERSION		", t.ctid, t.xmin"

/*
 * SELECT the columns as text, and what else there is, FROM the table AS t.
 * Returns how many of the columns the table has.
 */
static int
begin_select_with(StringInfo sql, const WaAppTable *table, const char *const *columns, int ncolumns,
				  const char *more)
{
	int			n = 0;

	initStringInfo(sql);
	appendStringInfoString(sql, "SELECT ");
	for (int i = 0; i < ncolumns; i++)
	{
		if (i > 0)
			appendStringInfoString(sql, ", ");
		if (may_read(table, columns[i]))
		{
			append_as_text(sql, table, columns[i]);
			n++;
		}
		else
			appendStringInfoString(sql, "NULL::text");
	}
	appendStringInfo(sql, "%s FROM %s AS t", more, table->relation);
	return n;
}

static int
begin_select(StringInfo sql, const WaAppTable *table, const char *const *columns, int ncolumns)
{
	return begin_select_with(sql, table, columns, ncolumns, "");
}

/*
 * What a read failed with: out of time, or an error that then names the table.
 * Errors of the moment are passed on as they are.
 */
static void
raise_again(const WaAppTable *table, ErrorData *error, bool late)
{
	if (late && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		wa_app_limit_passed(table->relid, table->relation);
	if (!wa_pg_is_passing(error->sqlerrcode))
		error->message = wa_said_message(wa_say(WA_SAY_READING_TABLE_FAILED, table->relation,
												wa_said_of_error(error)));
	ReThrowError(error);
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
	WaJudged	judged;
	MemoryContext context = CurrentMemoryContext;
	WaRows		found;
	int			result;

	wa_pg_act_as_role(&acting, table->owner);
	wa_app_limit_begin();
	PG_TRY();
	{
		if (with_values)
		{
			wa_pg_judged_init(&judged, table->relid, InvalidOid, args);
			result = wa_pg_judged_execute(sql->data, &judged, args, true, 0);
		}
		else
			result = wa_pg_judged_execute_plan(prepare(table, sql->data, args), args, true);
	}
	PG_CATCH();
	{
		bool		late = wa_app_limit_end();
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		raise_again(table, error, late);
	}
	PG_END_TRY();
	if (wa_app_limit_end())
		wa_app_limit_passed(table->relid, table->relation);
	/* SPI leaves its own context current */
	MemoryContextSwitchTo(context);
	wa_pg_act_end(&acting);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "could not read %s: %s", table->relation,
			 SPI_result_code_string(result));

	found = wa_rows_of_spi();
	rows->n = found.n;
	rows->values = palloc(sizeof(char **) * Max(rows->n, 1));
	if (rows->layout != 0)
		rows->versions = palloc(sizeof(WaAppVersion) * Max(rows->n, 1));
	for (uint64 row = 0; row < rows->n; row++)
	{
		rows->values[row] = palloc(sizeof(char *) * ncolumns);
		wa_row_texts(found, row, ncolumns, rows->values[row]);
		if (rows->layout == 0)
			continue;
		rows->versions[row].tid = *wa_row_tid(found, row, ncolumns + 1);
		rows->versions[row].xmin = (TransactionId) wa_row_oid(found, row, ncolumns + 2);
	}
	wa_rows_free(found);
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

	memset(rows, 0, sizeof(*rows));
	(void) begin_select(&sql, table, columns, ncolumns);
	for (int i = 0; i < nkeys; i++)
	{
		if (!may_read(table, keys[i]))
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

	memset(rows, 0, sizeof(*rows));
	if (begin_select(&sql, table, columns, ncolumns) > 0)
		run_select(rows, table, &sql, ncolumns, false, &args);
}

/*
 * The rows that pass all tests, of a table that is ready.  A test is left out
 * where the table lacks the column, or it is not of the type that the test is
 * made for: the caller looks himself at what he gets.  Written so that an
 * index with the same conditions is used.
 */
void
wa_app_read_where(WaAppRows *rows, const WaAppTable *table,
				  const char *const *columns, int ncolumns,
				  const WaAppTest *tests, int ntests)
{
	static const char *const words[] = {
		[WA_APP_IS_GIVEN] = "IS NOT NULL",
		[WA_APP_IS_TRUE] = "IS TRUE",
		[WA_APP_IS_NOT_TRUE] = "IS NOT TRUE"
	};
	WaArgs		args = {0};
	StringInfoData sql;
	const char *sep = " WHERE ";

	memset(rows, 0, sizeof(*rows));
	if (begin_select(&sql, table, columns, ncolumns) == 0)
		return;
	for (int i = 0; i < ntests; i++)
	{
		if (!may_read(table, tests[i].column) ||
			(tests[i].is != WA_APP_IS_GIVEN &&
			 get_atttype(table->relid, get_attnum(table->relid, tests[i].column)) != BOOLOID))
			continue;
		appendStringInfo(&sql, "%st.%s %s", sep, quote_identifier(tests[i].column), words[tests[i].is]);
		sep = " AND ";
	}
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

	memset(rows, 0, sizeof(*rows));
	if (!has_column_of(table, key, TYPCATEGORY_NUMERIC))
		return;
	wa_arg_int8_array(&args, keys, nkeys);
	read_rows(rows, table, columns, ncolumns, &key, 1, false, &args);
}

/*
 * The rows whose column "id" is among these, each with its version, if the table's rows
 * can be told by them.
 */
void
wa_app_read_versions(WaAppRows *rows, const WaAppTable *table,
					 const char *const *columns, int ncolumns,
					 const int64 *ids, int n)
{
	WaArgs		args = {0};
	StringInfoData sql;
	uint64		layout = wa_app_layout(table, columns, ncolumns);

	if (layout == 0)
	{
		wa_app_read_by_id(rows, table, columns, ncolumns, "id", ids, n);
		return;
	}
	memset(rows, 0, sizeof(*rows));
	if (!has_column_of(table, "id", TYPCATEGORY_NUMERIC) || !may_read(table, "id"))
		return;
	rows->layout = layout;
	wa_arg_int8_array(&args, ids, n);
	(void) begin_select_with(&sql, table, columns, ncolumns, VERSION);
	appendStringInfoString(&sql, " WHERE t.id = ANY ($1)");
	run_select(rows, table, &sql, ncolumns, false, &args);
}

/*
 * Of the rows whose column "key" is between two values of this type, the ends
 * with them, those whose integer column "id" is greater than "after", in its
 * order, at most "most".  Without such columns there are none.
 */
void
wa_app_read_between(WaAppRows *rows, const WaAppTable *table,
					const char *const *columns, int ncolumns,
					const char *key, Oid type, Datum from, Datum to, int64 after, int most)
{
	WaArgs		args = {0};
	StringInfoData sql;

	memset(rows, 0, sizeof(*rows));
	if (!has_column_of(table, "id", TYPCATEGORY_NUMERIC) || !may_read(table, key))
		return;
	/* a comparison of a type that somebody has made may be his as well */
	if (getBaseType(get_atttype(table->relid, get_attnum(table->relid, key))) >= FirstNormalObjectId)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column %s of table %s is of a type that cannot be compared",
						quote_identifier(key), table->relation)));
	wa_arg_datum(&args, type, from, false);
	wa_arg_datum(&args, type, to, false);
	wa_arg_int8(&args, after);
	wa_arg_int4(&args, most);
	(void) begin_select(&sql, table, columns, ncolumns);
	appendStringInfo(&sql, " WHERE t.%s BETWEEN $1 AND $2 AND t.id > $3 ORDER BY t.id LIMIT $4", quote_identifier(key));
	run_select(rows, table, &sql, ncolumns, false, &args);
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
	wa_arg_text_set(&args, values, nvalues);
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

	memset(rows, 0, sizeof(*rows));
	if (!wa_app_has_column(table, key) ||
		get_atttype(table->relid, get_attnum(table->relid, key)) != BOOLOID)
		return;
	wa_arg_datum(&args, BOOLARRAYOID,
				 PointerGetDatum(construct_array(&element, 1, BOOLOID, 1, true, TYPALIGN_CHAR)),
				 false);
	read_rows(rows, table, columns, ncolumns, &key, 1, false, &args);
}

/*
 * The rows of which a column of text has "part" in it, in any case, in the
 * order of that column, and no more than so many; none if it is of another
 * type.
 */
void
wa_app_read_by_part(WaAppRows *rows, const WaAppTable *table,
					const char *const *columns, int ncolumns,
					const char *key, const char *part, int most)
{
	WaArgs		args = {0};
	StringInfoData sql;
	StringInfoData pattern;

	memset(rows, 0, sizeof(*rows));
	if (!has_column_of(table, key, TYPCATEGORY_STRING) || !may_read(table, key))
		return;
	initStringInfo(&pattern);
	appendStringInfoChar(&pattern, '%');
	for (const char *p = part; *p; p++)
	{
		if (strchr("%_\\", *p))
			appendStringInfoChar(&pattern, '\\');
		appendStringInfoChar(&pattern, *p);
	}
	appendStringInfoChar(&pattern, '%');
	(void) begin_select(&sql, table, columns, ncolumns);
	appendStringInfoString(&sql, " WHERE ");
	append_as_text(&sql, table, key);
	/* of a collation that can compare parts */
	appendStringInfoString(&sql, " COLLATE pg_catalog.\"default\" ILIKE $1 ORDER BY ");
	append_as_text(&sql, table, key);
	appendStringInfoString(&sql, " COLLATE \"C\" LIMIT $2");
	wa_arg_text(&args, pattern.data);
	wa_arg_int4(&args, most);
	run_select(rows, table, &sql, ncolumns, false, &args);
}

static bool
is_btree(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
	bool		btree;

	if (!HeapTupleIsValid(tuple))
		return false;
	btree = ((Form_pg_class) GETSTRUCT(tuple))->relam == BTREE_AM_OID;
	ReleaseSysCache(tuple);
	return btree;
}

/*
 * Is there an index of all rows that is ordered by this column?  unique: by which
 * no two rows have the same in it, at any time.
 */
bool
wa_app_has_index(Relation rel, AttrNumber column, bool unique)
{
	List	   *oids = RelationGetIndexList(rel);
	ListCell   *cell;
	bool		found = false;

	foreach(cell, oids)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		found = found || (index->indisvalid && index->indkey.values[0] == column &&
						  is_btree(lfirst_oid(cell)) &&
						  heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
						  (!unique || (index->indisunique && index->indimmediate && index->indnkeyatts == 1)));
		ReleaseSysCache(tuple);
	}
	list_free(oids);
	return found;
}

/*
 * The rows whose timestamp without time zone in the column "key", which Odoo
 * keeps in UTC, is between "from" and "to", the latest first, at most "most".
 * None if it is of another type.  Without an index on it no more than the last
 * "pages" pages are read; *partly: there are more.
 */
void
wa_app_read_lately(WaAppRows *rows, const WaAppTable *table,
				   const char *const *columns, int ncolumns,
				   const char *key, TimestampTz from, TimestampTz to,
				   int most, BlockNumber pages, bool *partly)
{
	WaArgs		args = {0};
	StringInfoData sql;
	Relation	rel;
	BlockNumber n = 0;
	bool		indexed;
	ItemPointerData first;

	*partly = false;
	memset(rows, 0, sizeof(*rows));
	if (!may_read(table, key) ||
		get_atttype(table->relid, get_attnum(table->relid, key)) != TIMESTAMPOID)
		return;
	/* locked by wa_app_open() */
	rel = table_open(table->relid, NoLock);
	indexed = wa_app_has_index(rel, get_attnum(table->relid, key), false);
	if (rel->rd_rel->relkind == RELKIND_RELATION)
		n = RelationGetNumberOfBlocks(rel);
	table_close(rel, NoLock);

	/* a timestamp with time zone is kept in UTC */
	wa_arg_datum(&args, TIMESTAMPOID, TimestampGetDatum((Timestamp) from), false);
	wa_arg_datum(&args, TIMESTAMPOID, TimestampGetDatum((Timestamp) to), false);
	(void) begin_select(&sql, table, columns, ncolumns);
	appendStringInfo(&sql, " WHERE t.%s BETWEEN $1 AND $2", quote_identifier(key));
	if (!indexed && n > pages)
	{
		*partly = true;
		ItemPointerSet(&first, n - pages, 0);
		wa_arg_datum(&args, TIDOID, PointerGetDatum(&first), false);
		appendStringInfoString(&sql, " AND t.ctid >= $3");
	}
	appendStringInfo(&sql, " ORDER BY t.%s DESC LIMIT %d", quote_identifier(key), most);
	/* planned with the times known: the last ones of a table are few */
	run_select(rows, table, &sql, ncolumns, true, &args);
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
