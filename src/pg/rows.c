/*-------------------------------------------------------------------------
 *
 * rows.c
 *		What a statement has come to.
 *
 * SPI leaves it in global variables, which the next statement sets anew; here
 * it is a value.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/rows.h"

/*
 * The rows of what has just been run by SPI itself.
 */
WaRows
wa_rows_of_spi(void)
{
	return (WaRows)
	{
		SPI_processed, SPI_tuptable
	};
}

/*
 * Give back the memory of rows before the frame ends, for those who ask again
 * and again in one; in the frame that asked.
 */
void
wa_rows_free(WaRows rows)
{
	SPI_freetuptable(rows.table);
}

static Datum
value(WaRows rows, uint64 row, int column, bool *isnull)
{
	Assert(rows.table != NULL && row < rows.table->numvals);
	return SPI_getbinval(rows.table->vals[row], rows.table->tupdesc, column, isnull);
}

/*
 * As it lies there, for types that have no function below; not NULL.
 */
Datum
wa_row_datum(WaRows rows, uint64 row, int column)
{
	bool		isnull;

	return value(rows, row, column, &isnull);
}

bool
wa_row_isnull(WaRows rows, uint64 row, int column)
{
	bool		isnull;

	(void) value(rows, row, column, &isnull);
	return isnull;
}

/* palloc()ed in the current context; NULL for SQL NULL. */
char *
wa_row_text(WaRows rows, uint64 row, int column)
{
	bool		isnull;
	Datum		datum = value(rows, row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(datum);
}

/* The first n columns, all of text, in one go: to find one goes through those before it. */
void
wa_row_texts(WaRows rows, uint64 row, int n, char **texts)
{
	TupleDesc	desc = rows.table->tupdesc;
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);

	Assert(row < rows.table->numvals && n <= desc->natts);
	heap_deform_tuple(rows.table->vals[row], desc, values, nulls);
	for (int i = 0; i < n; i++)
		texts[i] = nulls[i] ? NULL : TextDatumGetCString(values[i]);
	pfree(values);
	pfree(nulls);
}

/* 0 for SQL NULL, like the following ones */
int64
wa_row_int8(WaRows rows, uint64 row, int column)
{
	bool		isnull;
	Datum		datum = value(rows, row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(datum);
}

int32
wa_row_int4(WaRows rows, uint64 row, int column)
{
	bool		isnull;
	Datum		datum = value(rows, row, column, &isnull);

	return isnull ? 0 : DatumGetInt32(datum);
}

bool
wa_row_bool(WaRows rows, uint64 row, int column)
{
	bool		isnull;
	Datum		datum = value(rows, row, column, &isnull);

	return isnull ? false : DatumGetBool(datum);
}

double
wa_row_float8(WaRows rows, uint64 row, int column)
{
	bool		isnull;
	Datum		datum = value(rows, row, column, &isnull);

	return isnull ? 0 : DatumGetFloat8(datum);
}

TimestampTz
wa_row_timestamptz(WaRows rows, uint64 row, int column)
{
	bool		isnull;
	Datum		datum = value(rows, row, column, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(datum);
}

/* An oid, or the id of a transaction. */
Oid
wa_row_oid(WaRows rows, uint64 row, int column)
{
	bool		isnull;
	Datum		datum = value(rows, row, column, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(datum);
}

/* Where a row lies; not NULL. */
ItemPointer
wa_row_tid(WaRows rows, uint64 row, int column)
{
	bool		isnull;

	return (ItemPointer) DatumGetPointer(value(rows, row, column, &isnull));
}

/*
 * A text[] as palloc()ed array of strings, elements NULL for SQL NULLs.
 */
char	  **
wa_row_texts_of(Datum array, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	char	  **strings;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, n);
	strings = palloc(sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		strings[i] = nulls[i] ? NULL : TextDatumGetCString(elements[i]);
	return strings;
}

/*
 * The same of a column.  SQL NULL gives NULL and *n = 0.
 */
char	  **
wa_row_text_array(WaRows rows, uint64 row, int column, int *n)
{
	bool		isnull;
	Datum		datum = value(rows, row, column, &isnull);

	*n = 0;
	return isnull ? NULL : wa_row_texts_of(datum, n);
}
