/*-------------------------------------------------------------------------
 *
 * plan_large.h
 *		Statements on our tables are planned as if these were large.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PLAN_LARGE_H
#define SICANTIK_WA_PLAN_LARGE_H

extern void wa_pg_plan_large(void);

#endif							/* SICANTIK_WA_PLAN_LARGE_H */
