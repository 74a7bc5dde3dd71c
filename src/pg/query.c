/*-------------------------------------------------------------------------
 *
 * query.c
 *		Statements with parameters, prepared once per process.
 *
 * A thin layer over SPI: values are bound as parameters, never pasted into
 * text, and a statement is planned once per process (planned again by itself
 * when a table changes, and after DISCARD ALL).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/columns.h"
#include "pg/query.h"

void
wa_arg_datum(WaArgs *args, Oid type, Datum value, bool isnull)
{
	Assert(args->n < WA_MAX_ARGS);
	args->types[args->n] = type;
	args->values[args->n] = isnull ? (Datum) 0 : value;
	args->nulls[args->n] = isnull ? 'n' : ' ';
	args->n++;
	args->nulls[args->n] = '\0';
}

void
wa_arg_text(WaArgs *args, const char *value)
{
	wa_arg_datum(args, TEXTOID,
				 value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

void
wa_arg_int8(WaArgs *args, int64 value)
{
	wa_arg_datum(args, INT8OID, Int64GetDatum(value), false);
}

void
wa_arg_int8_or_null(WaArgs *args, int64 value, bool isnull)
{
	wa_arg_datum(args, INT8OID, Int64GetDatum(value), isnull);
}

void
wa_arg_int4(WaArgs *args, int32 value)
{
	wa_arg_datum(args, INT4OID, Int32GetDatum(value), false);
}

void
wa_arg_bool(WaArgs *args, bool value)
{
	wa_arg_datum(args, BOOLOID, BoolGetDatum(value), false);
}

/* 0 binds NULL: our C code uses 0 for "no time". */
void
wa_arg_timestamptz(WaArgs *args, TimestampTz value)
{
	wa_arg_datum(args, TIMESTAMPTZOID, TimestampTzGetDatum(value), value == 0);
}

/* Elements that are NULL pointers become SQL NULLs. */
void
wa_arg_text_array(WaArgs *args, const char *const *values, int n)
{
	if (values)
		wa_arg_members(args, &wa_row_type_text, values, sizeof(*values), n);
	else
		wa_arg_datum(args, TEXTARRAYOID, (Datum) 0, true);
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/*
 * The same for an array of which only matters which values are in it; NULL is
 * none.  An index that is asked for each sorts them first, by a comparison that
 * costs several times ours, unless they are sorted.
 */
void
wa_arg_text_set(WaArgs *args, const char *const *values, int n)
{
	const char **sorted = palloc(sizeof(*sorted) * Max(n, 1));
	int			given = 0;
	int			k = 0;

	for (int i = 0; i < n; i++)
		if (values[i])
			sorted[given++] = values[i];
	qsort(sorted, given, sizeof(*sorted), by_bytes);
	for (int i = 0; i < given; i++)
		if (k == 0 || strcmp(sorted[i], sorted[k - 1]) != 0)
			sorted[k++] = sorted[i];
	wa_arg_text_array(args, sorted, k);
	pfree(sorted);
}

void
wa_arg_int8_array(WaArgs *args, const int64 *values, int n)
{
	wa_arg_members(args, &wa_row_type_int8, values, sizeof(*values), n);
}

void
wa_arg_int4_array(WaArgs *args, const int32 *values, int n)
{
	wa_arg_members(args, &wa_row_type_int4, values, sizeof(*values), n);
}

/* Elements that are 0 become SQL NULLs. */
void
wa_arg_timestamptz_array(WaArgs *args, const TimestampTz *values, int n)
{
	wa_arg_members(args, &wa_row_type_time, values, sizeof(*values), n);
}

static void
prepare(WaStatement *statement, WaArgs *args, int cursor_options)
{
	SPIPlanPtr	plan;

	if (statement->plan)
		return;
	plan = SPI_prepare_cursor(statement->row ? wa_row_statement(statement->row, statement->sql) : statement->sql,
							  args ? args->n : 0, args ? args->types : NULL, cursor_options);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare a statement: %s",
			 SPI_result_code_string(SPI_result));
	statement->plan = plan;
}

/* What SPI has come to; it leaves its own context current. */
static WaRows
come_to(int result, MemoryContext context)
{
	MemoryContextSwitchTo(context);
	if (result < 0)
		elog(ERROR, "could not run a statement: %s",
			 SPI_result_code_string(result));
	return wa_rows_of_spi();
}

static WaRows
run(WaStatement *statement, WaArgs *args, bool read_only, int cursor_options)
{
	MemoryContext context = CurrentMemoryContext;

	prepare(statement, args, cursor_options);
	return come_to(SPI_execute_plan(statement->plan, args ? args->values : NULL,
									args ? args->nulls : NULL, read_only, 0), context);
}

/*
 * Run a statement with a snapshot of its own, as SQL would.  SPI must be
 * connected.
 */
WaRows
wa_query(WaStatement *statement, WaArgs *args)
{
	return run(statement, args, false, 0);
}

/*
 * The same by one plan, whatever the values are, for a statement that each call of a
 * function runs: a session that calls it by the thousand would plan it anew each time
 * where the server takes that for cheaper, and planning takes longer than running.
 */
WaRows
wa_query_planned(WaStatement *statement, WaArgs *args)
{
	return run(statement, args, false, CURSOR_OPT_GENERIC_PLAN);
}

/*
 * Run a reading statement under the active snapshot, so that several of them
 * see the same state of the database.
 */
WaRows
wa_query_snapshot(WaStatement *statement, WaArgs *args)
{
	return run(statement, args, true, 0);
}

/*
 * Run a writing statement that sees the rows which the active snapshot shows,
 * and none that came later.
 */
WaRows
wa_query_what_was_read(WaStatement *statement, WaArgs *args)
{
	MemoryContext context = CurrentMemoryContext;

	prepare(statement, args, 0);
	return come_to(SPI_execute_snapshot(statement->plan, args ? args->values : NULL,
										args ? args->nulls : NULL, GetActiveSnapshot(),
										InvalidSnapshot, false, true, 0), context);
}

/*
 * Open a cursor on a reading statement under the active snapshot, for results
 * that may be large.  It stays open after this transaction's commit, when what
 * was not fetched is kept, on disk if it is much: SPI_cursor_close().
 */
Portal
wa_query_cursor(WaStatement *statement, WaArgs *args)
{
	MemoryContext context = CurrentMemoryContext;
	Portal		portal;

	prepare(statement, args, CURSOR_OPT_HOLD | CURSOR_OPT_NO_SCROLL);
	portal = SPI_cursor_open(NULL, statement->plan, args->values, args->nulls, true);
	MemoryContextSwitchTo(context);
	return portal;
}
