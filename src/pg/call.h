/*-------------------------------------------------------------------------
 *
 * call.h
 *		The frame of every public SQL function.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CALL_H
#define SICANTIK_WA_CALL_H

#include "postgres.h"

#include "fmgr.h"
#include "pg/acting.h"
#include "pg/pg_compat.h"

/* One call; lives on the function's stack. */
typedef struct WaCall
{
	WaActing	acting;
	MemoryContext caller;		/* results must be allocated here */
} WaCall;

extern WaLevel wa_call_level(Oid role);
extern void wa_call_begin_logged(WaCall *call, FunctionCallInfo fcinfo,
								 WaLevel level, bool reads);
extern void wa_call_writes(FunctionCallInfo fcinfo);
extern void wa_call_hide_statement(const char *shown);
extern void wa_call_end(WaCall *call);
extern char *wa_call_role(void);

/*
 * For the SQL function itself: like the PG_GETARG macros, this takes fcinfo
 * from where it stands.
 */
#define wa_call_begin(call, level) wa_call_begin_logged((call), fcinfo, (level), false)
#define wa_call_begin_reading(call, level) wa_call_begin_logged((call), fcinfo, (level), true)

/* Results, allocated for the caller. */
extern Datum wa_call_text(WaCall *call, const char *value);
extern Datum wa_call_datum(WaCall *call, Datum value, bool byval, int16 len);
pg_noreturn extern void wa_call_table_locked(const char *table);
extern Datum wa_call_record(FunctionCallInfo fcinfo, Datum *values, bool *nulls);

/* Arguments; NULL pointer for SQL NULL. */
extern bool wa_call_arg_given(FunctionCallInfo fcinfo, int n);
extern char *wa_call_arg_text(FunctionCallInfo fcinfo, int n);

/* Functions that return rows of text (any number of columns). */
extern void wa_call_rows_begin(FunctionCallInfo fcinfo);
extern void wa_call_row(FunctionCallInfo fcinfo, const char *const *strings);
extern void wa_call_say(FunctionCallInfo fcinfo, const char *item,
						const char *action, const char *detail);

#endif							/* SICANTIK_WA_CALL_H */
