/*-------------------------------------------------------------------------
 *
 * rows.h
 *		What a statement has come to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ROWS_H
#define SICANTIK_WA_ROWS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "storage/itemptr.h"

/*
 * A value, which the caller owns: whatever runs after it leaves its rows as they
 * are.  They go with wa_rows_free(), or with the frame in which they were asked
 * for (its SPI_finish(); also a subtransaction that fails).  Who does not free
 * them keeps memory of the frame, and loses nothing else.  What was read out of
 * them, a text or an array, is the reader's own, in his memory context.
 */
typedef struct WaRows
{
	uint64		n;				/* rows, returned or changed */
	SPITupleTable *table;		/* NULL: it returns none */
} WaRows;

extern PGDLLEXPORT WaRows wa_rows_of_spi(void);
extern PGDLLEXPORT void wa_rows_free(WaRows rows);

/* Reading row "row", column "column" (from 1). */
extern PGDLLEXPORT char *wa_row_text(WaRows rows, uint64 row, int column);
extern void wa_row_texts(WaRows rows, uint64 row, int n, char **texts);
extern PGDLLEXPORT int64 wa_row_int8(WaRows rows, uint64 row, int column);
extern PGDLLEXPORT int32 wa_row_int4(WaRows rows, uint64 row, int column);
extern PGDLLEXPORT bool wa_row_bool(WaRows rows, uint64 row, int column);
extern PGDLLEXPORT double wa_row_float8(WaRows rows, uint64 row, int column);
extern PGDLLEXPORT TimestampTz wa_row_timestamptz(WaRows rows, uint64 row, int column);
extern Oid	wa_row_oid(WaRows rows, uint64 row, int column);
extern ItemPointer wa_row_tid(WaRows rows, uint64 row, int column);
extern PGDLLEXPORT bool wa_row_isnull(WaRows rows, uint64 row, int column);
extern PGDLLEXPORT char **wa_row_text_array(WaRows rows, uint64 row, int column, int *n);
extern char **wa_row_texts_of(Datum array, int *n);
extern Datum wa_row_datum(WaRows rows, uint64 row, int column);

#endif							/* SICANTIK_WA_ROWS_H */
