/*-------------------------------------------------------------------------
 *
 * approval.h
 *		Documents that wait for somebody's approval.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_APPROVAL_H
#define SICANTIK_WA_APPROVAL_H

#include "postgres.h"

#include "compose/waiting.h"

/* document_scenarios.c */
extern bool wa_compose_load_documents(WaBatch *batch);
extern bool wa_compose_became_pending(const WaEvent *event);
extern bool wa_compose_pending_instead(const WaBatch *common, WaWaiting **list, int n);

/* approval.c */
extern bool wa_compose_ask_group(WaBatch *batch, const WaScenario *scenario);

/* approver_group.c */
extern void wa_compose_approver_wait(const WaScenario *scenario, const WaEvent *event, int64 document_id);

#endif							/* SICANTIK_WA_APPROVAL_H */
