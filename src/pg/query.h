/*-------------------------------------------------------------------------
 *
 * query.h
 *		Statements with parameters, prepared once per process.
 *
 * The first of the helpers in src/pg, where everything is that must be done in
 * one way only when one works inside PostgreSQL. To read in this order:
 * query.h (statements: WaStatement, WaArgs), rows.h (what they come to), columns.h
 * (rows as structs), call.h
 * (the frame of an SQL function: whose rights, which level), frame.h (of a
 * transaction of the worker's), acting.h (being another role for a moment),
 * subtransaction.h (what may fail), app_table.h (reading Odoo's tables, which
 * may be locked, missing, changed, or somebody's trap), pg_compat.h (versions of
 * PostgreSQL, told apart here and nowhere else). Nothing here knows what a
 * message is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_QUERY_H
#define SICANTIK_WA_QUERY_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/spi.h"

#include "pg/rows.h"

#define WA_MAX_ARGS		40

/* Parameters of one statement, in order. */
typedef struct WaArgs
{
	int			n;
	Oid			types[WA_MAX_ARGS];
	Datum		values[WA_MAX_ARGS];
	char		nulls[WA_MAX_ARGS + 1];
} WaArgs;

/* A statement that is prepared at its first use and kept. */
typedef struct WaStatement
{
	const char *sql;
	SPIPlanPtr	plan;
	const struct WaRowType *row;	/* its rows are of this type: columns.h */
} WaStatement;

#define WA_STATEMENT(text)	{text, NULL, NULL}

/* Binding; a NULL pointer or array binds SQL NULL. */
extern PGDLLEXPORT void wa_arg_text(WaArgs *args, const char *value);
extern PGDLLEXPORT void wa_arg_int8(WaArgs *args, int64 value);
extern PGDLLEXPORT void wa_arg_int8_or_null(WaArgs *args, int64 value, bool isnull);
extern PGDLLEXPORT void wa_arg_int4(WaArgs *args, int32 value);
extern PGDLLEXPORT void wa_arg_bool(WaArgs *args, bool value);
extern PGDLLEXPORT void wa_arg_timestamptz(WaArgs *args, TimestampTz value);
extern PGDLLEXPORT void wa_arg_datum(WaArgs *args, Oid type, Datum value, bool isnull);
extern PGDLLEXPORT void wa_arg_text_array(WaArgs *args, const char *const *values, int n);
extern void wa_arg_text_set(WaArgs *args, const char *const *values, int n);
extern PGDLLEXPORT void wa_arg_int8_array(WaArgs *args, const int64 *values, int n);
extern PGDLLEXPORT void wa_arg_int4_array(WaArgs *args, const int32 *values, int n);
extern PGDLLEXPORT void wa_arg_timestamptz_array(WaArgs *args, const TimestampTz *values, int n);

/* Running. */
extern PGDLLEXPORT WaRows wa_query(WaStatement *statement, WaArgs *args);
extern WaRows wa_query_planned(WaStatement *statement, WaArgs *args);
extern PGDLLEXPORT WaRows wa_query_snapshot(WaStatement *statement, WaArgs *args);
extern PGDLLEXPORT WaRows wa_query_what_was_read(WaStatement *statement, WaArgs *args);
extern PGDLLEXPORT Portal wa_query_cursor(WaStatement *statement, WaArgs *args);

#endif							/* SICANTIK_WA_QUERY_H */
