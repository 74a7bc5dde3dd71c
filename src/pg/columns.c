/*-------------------------------------------------------------------------
 *
 * columns.c
 *		A row as a struct: see columns.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/columns.h"

/* ---- types ---- */

static Datum
make_text(const void *member, bool *isnull)
{
	const char *text = *(const char *const *) member;

	*isnull = text == NULL;
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

static void
read_text(Datum value, bool isnull, void *member)
{
	*(char **) member = isnull ? NULL : TextDatumGetCString(value);
}

static Datum
make_json(const void *member, bool *isnull)
{
	const char *text = *(const char *const *) member;

	*isnull = text == NULL;
	return text ? DirectFunctionCall1(jsonb_in, CStringGetDatum(text)) : (Datum) 0;
}

static void
read_json(Datum value, bool isnull, void *member)
{
	Jsonb	   *json = isnull ? NULL : DatumGetJsonbP(value);

	*(char **) member = json ? JsonbToCString(NULL, &json->root, VARSIZE(json)) : NULL;
}

static Datum
make_int8(const void *member, bool *isnull)
{
	*isnull = false;
	return Int64GetDatum(*(const int64 *) member);
}

static Datum
make_int8_but_0(const void *member, bool *isnull)
{
	*isnull = *(const int64 *) member == 0;
	return Int64GetDatum(*(const int64 *) member);
}

static void
read_int8(Datum value, bool isnull, void *member)
{
	*(int64 *) member = isnull ? 0 : DatumGetInt64(value);
}

static Datum
make_int4(const void *member, bool *isnull)
{
	*isnull = false;
	return Int32GetDatum(*(const int32 *) member);
}

static void
read_int4(Datum value, bool isnull, void *member)
{
	*(int32 *) member = isnull ? 0 : DatumGetInt32(value);
}

static Datum
make_bool(const void *member, bool *isnull)
{
	*isnull = false;
	return BoolGetDatum(*(const bool *) member);
}

static void
read_bool(Datum value, bool isnull, void *member)
{
	*(bool *) member = !isnull && DatumGetBool(value);
}

static Datum
make_float8(const void *member, bool *isnull)
{
	*isnull = false;
	return Float8GetDatum(*(const double *) member);
}

static void
read_float8(Datum value, bool isnull, void *member)
{
	*(double *) member = isnull ? 0 : DatumGetFloat8(value);
}

static void
read_texts(Datum value, bool isnull, void *member)
{
	WaTexts    *texts = member;

	texts->list = isnull ? NULL : wa_row_texts_of(value, &texts->n);
	if (isnull)
		texts->n = 0;
}

/* NULL is the same as NULL. */
bool
wa_row_same_text(const void *member, const void *other)
{
	const char *a = *(const char *const *) member;
	const char *b = *(const char *const *) other;

	return a == b || (a && b && strcmp(a, b) == 0);
}

const WaType wa_row_type_text = {TEXTOID, TEXTARRAYOID, make_text, read_text, NULL};
const WaType wa_row_type_json = {JSONBOID, JSONBARRAYOID, make_json, read_json, wa_row_same_text};
const WaType wa_row_type_int8 = {INT8OID, INT8ARRAYOID, make_int8, read_int8, NULL};
const WaType wa_row_type_id = {INT8OID, INT8ARRAYOID, make_int8_but_0, read_int8, NULL};
const WaType wa_row_type_int4 = {INT4OID, INT4ARRAYOID, make_int4, read_int4, NULL};
const WaType wa_row_type_boolean = {BOOLOID, BOOLARRAYOID, make_bool, read_bool, NULL};
const WaType wa_row_type_float8 = {FLOAT8OID, FLOAT8ARRAYOID, make_float8, read_float8, NULL};
const WaType wa_row_type_time = {TIMESTAMPTZOID, TIMESTAMPTZARRAYOID, make_int8_but_0, read_int8, NULL};
const WaType wa_row_type_texts = {TEXTARRAYOID, InvalidOid, NULL, read_texts, NULL};

/* ---- statements ---- */

#define WA_ROW_ARRAYS		"{arrays}"

/*
 * The arrays side by side, which are of one length.  unnest() in FROM would put each
 * value of each column into a tuplestore of its own first, and that costs as much
 * as to insert the row.
 */
static void
append_arrays(StringInfo sql, const WaRowType *type)
{
	for (int i = 0; i < type->n; i++)
		appendStringInfo(sql, "%sunnest($%d)", i == 0 ? "(SELECT " : ", ", i + 1);
	appendStringInfoChar(sql, ')');
}

static void
append_columns(StringInfo sql, const WaRowType *type, const char *mark, size_t len)
{
	if (strncmp(mark, WA_ROW_ARRAYS, len) == 0)
	{
		append_arrays(sql, type);
		return;
	}

	for (int i = 0; i < type->n; i++)
	{
		if (i > 0)
			appendStringInfoString(sql, ", ");
		if (strncmp(mark, "{columns}", len) == 0)
			appendStringInfoString(sql, type->columns[i].sql);
		else
			appendStringInfoString(sql, type->columns[i].name);
	}
}

/*
 * The text of a statement, its marks replaced; palloc()ed.  Other braces stay
 * as they are.
 */
char *
wa_row_statement(const WaRowType *type, const char *text)
{
	static const char *const marks[] = {"{columns}", "{members}", WA_ROW_ARRAYS};
	StringInfoData sql;

	initStringInfo(&sql);
	for (; *text; text++)
	{
		size_t		len = 0;

		for (size_t i = 0; i < lengthof(marks) && *text == '{'; i++)
			if (strncmp(text, marks[i], strlen(marks[i])) == 0)
				len = strlen(marks[i]);
		if (len == 0)
		{
			appendStringInfoChar(&sql, *text);
			continue;
		}
		append_columns(&sql, type, text, len);
		text += len - 1;
	}
	return sql.data;
}

/* ---- arrays ---- */

/*
 * Bind n values of this type, "apart" bytes from one another, as an array.  To
 * make one leaves several kB behind (jsonb_in()), hence the context.
 */
void
wa_arg_members(WaArgs *args, const WaType *type, const void *first, size_t apart, int n)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sicantik_wa array", ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	Datum	   *elements = palloc(sizeof(Datum) * Max(n, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(n, 1));
	int			dims[1] = {n};
	int			lbs[1] = {1};
	int16		len;
	bool		byval;
	char		align;

	for (int i = 0; i < n; i++)
	{
		const void *member = (const char *) first + apart * i;

		/* messages of one event have most sentences in common */
		if (i > 0 && type->same && type->same(member, (const char *) member - apart))
		{
			elements[i] = elements[i - 1];
			nulls[i] = nulls[i - 1];
		}
		else
			elements[i] = type->make(member, &nulls[i]);
	}
	get_typlenbyvalalign(type->oid, &len, &byval, &align);
	MemoryContextSwitchTo(outer);
	wa_arg_datum(args, type->array,
				 PointerGetDatum(construct_md_array(elements, nulls, 1, dims, lbs,
													type->oid, len, byval, align)), false);
	MemoryContextDelete(context);
}

/*
 * Bind n rows: an array for each column, in the order of {arrays}.
 */
void
wa_arg_rows(WaArgs *args, const WaRowType *type, const void *rows, int n)
{
	for (int c = 0; c < type->n; c++)
		wa_arg_members(args, type->columns[c].type, (const char *) rows + type->columns[c].offset,
					   type->size, n);
}

/* ---- rows ---- */

/* A column of another type than its table says would be read as rubbish. */
static void
check_types(TupleDesc desc, const WaRowType *type)
{
	if (desc->natts < type->n)
		elog(ERROR, "a statement returns %d columns, not %d", desc->natts, type->n);
	for (int c = 0; c < type->n; c++)
		if (TupleDescAttr(desc, c)->atttypid != type->columns[c].type->oid)
			elog(ERROR, "column \"%s\" of a statement is of type %u, not %u", type->columns[c].name,
				 TupleDescAttr(desc, c)->atttypid, type->columns[c].type->oid);
}

static void
read_row(HeapTuple tuple, TupleDesc desc, const WaRowType *type, void *into)
{
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);

	heap_deform_tuple(tuple, desc, values, nulls);
	for (int c = 0; c < type->n; c++)
		type->columns[c].type->read(values[c], nulls[c], (char *) into + type->columns[c].offset);
	pfree(values);
	pfree(nulls);
}

/*
 * Read the first columns of a row, which are those of its type, into a struct;
 * members without a column stay as they are.  What they point to is palloc()ed
 * in the current context.
 */
void
wa_row_read(WaRows rows, uint64 row, const WaRowType *type, void *into)
{
	check_types(rows.table->tupdesc, type);
	read_row(rows.table->vals[row], rows.table->tupdesc, type, into);
}

/*
 * All rows, as an array of such structs, members without a column 0; palloc()ed
 * in the current context, and the rows are freed.
 */
void *
wa_rows_read(WaRows rows, const WaRowType *type, int *n)
{
	char	   *list = palloc0(type->size * Max(rows.n, 1));

	check_types(rows.table->tupdesc, type);
	for (uint64 i = 0; i < rows.n; i++)
		read_row(rows.table->vals[i], rows.table->tupdesc, type, list + type->size * i);
	*n = (int) rows.n;
	wa_rows_free(rows);
	return list;
}
