/*-------------------------------------------------------------------------
 *
 * custom.h
 *		Scenarios of the DBA's own: what its files share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CUSTOM_H
#define SICANTIK_WA_CUSTOM_H

#include "utils/jsonb.h"

#include "compose/daily.h"
#include "compose/waiting.h"

/* One row of what a function returned; strings are NULL for SQL NULL. */
typedef struct WaCustomAnswer
{
	int64		partner_id;		/* 0: none */
	char	   *number;			/* NULL: the contact's */
	Jsonb	   *params;			/* or NULL */
	char	   *res_model;
	int64		res_id;			/* 0: not given */
	char	   *once;
	char	   *still;			/* text of an object of strings */
} WaCustomAnswer;

typedef enum WaCustomResult
{
	WA_OWN_ANSWERED,
	WA_OWN_LATER,				/* a lock or the like: not now */
	WA_OWN_FAILED
} WaCustomResult;

/* custom_call.c */
extern WaSaid wa_compose_custom_problem(const WaScenario *scenario);
extern WaCustomResult wa_compose_custom_call(const WaScenario *scenario, const WaEvent *event, const char *day,
											 bool strict, WaCustomAnswer **answers, int *n, WaSaid *error);

/* custom.c */
extern bool wa_compose_custom_load_partners(WaBatch *batch, const WaCustomAnswer *const *answers, int n);
extern void wa_compose_custom_message(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
									  const WaCustomAnswer *answer, const char *once);

/* custom_again.c */
extern bool wa_compose_custom_again(WaBatch *batch, WaWaiting **list, int n);

/* custom_daily.c */
extern bool wa_compose_custom_daily(WaDaily *daily);

#endif							/* SICANTIK_WA_CUSTOM_H */
