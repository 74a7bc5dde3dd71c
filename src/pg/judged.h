/*-------------------------------------------------------------------------
 *
 * judged.h
 *		Statements that touch the object that was judged, and no other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_JUDGED_H
#define SICANTIK_WA_JUDGED_H

#include "postgres.h"

#include "pg/query.h"

/*
 * What a statement may name: one relation or one function; the other one is
 * InvalidOid.  Must live as long as the plan that was made with it.
 */
typedef struct WaJudged
{
	Oid			relation;
	Oid			function;
	int			nargs;
	Oid			types[WA_MAX_ARGS];
	bool		seen;			/* the object was found in the statement */
} WaJudged;

extern void wa_pg_judged_init(WaJudged *judged, Oid relation, Oid function, const WaArgs *args);
extern SPIPlanPtr wa_pg_judged_prepare(const char *sql, WaJudged *judged);
extern int	wa_pg_judged_execute_plan(SPIPlanPtr plan, const WaArgs *args, bool read_only);
extern int	wa_pg_judged_execute(const char *sql, WaJudged *judged, const WaArgs *args, bool read_only,
								 long limit);

#endif							/* SICANTIK_WA_JUDGED_H */
