/*-------------------------------------------------------------------------
 *
 * bulk.h
 *		The guard against too many messages of one scenario at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_BULK_H
#define SICANTIK_WA_BULK_H

#include "postgres.h"

#include "compose/draft.h"
#include "compose/reading.h"

extern void wa_compose_bulk_start(void);
extern void wa_compose_bulk_resume(const WaSet *set);
extern void wa_compose_bulk_settle(bool written);
extern void wa_compose_bulk_limit(const WaScenario *scenario, WaDraft **drafts, int n);

#endif							/* SICANTIK_WA_BULK_H */
