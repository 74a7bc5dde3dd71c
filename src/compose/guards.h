/*-------------------------------------------------------------------------
 *
 * guards.h
 *		Limits: what is held or skipped instead of being sent.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_GUARDS_H
#define SICANTIK_WA_GUARDS_H

#include "postgres.h"

#include "compose/draft.h"

extern bool wa_compose_guard_muted(WaBatch *batch, const WaEvent *event, const WaScenario *scenario);
extern bool wa_compose_guard_speaks_for_others(const WaBatch *batch, const WaDraft *draft);
extern bool wa_compose_guard_found_by_part_of_name(const char *partner, const char *applicant);
extern void wa_compose_guards_apply(WaBatch *batch, WaDraft **drafts, int n);
extern int	wa_compose_guard_days_since(const WaBatch *batch, const char *iso);
extern bool wa_compose_guard_is_queued(const WaDraft *draft);
extern void wa_compose_guard_hold(WaDraft *draft, WaReason reason, WaSaid detail);

#endif							/* SICANTIK_WA_GUARDS_H */
