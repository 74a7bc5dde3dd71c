/*-------------------------------------------------------------------------
 *
 * document_scenario.h
 *		What the scenarios about documents share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_DOCUMENT_SCENARIO_H
#define SICANTIK_WA_DOCUMENT_SCENARIO_H

#include "postgres.h"

#include "compose/scenario.h"
#include "odoo/document.h"
#include "odoo/people.h"

/* document_common.c */
extern bool wa_compose_became_pending(const WaEvent *event);
extern bool wa_compose_load_approvers(WaBatch *batch);
extern bool wa_compose_load_these_documents(WaBatch *batch, const int64 *ids, int n);
extern bool wa_compose_is_asked_to_approve(WaBatch *batch, const WaScenario *scenario, const WaDocument *document,
										   const WaRecipient *person);

/* document_pending.c */
extern bool wa_compose_pending_instead(const WaBatch *common, WaWaiting **list, int n);

/* approver_group.c */
extern void wa_compose_approver_wait(const WaScenario *scenario, const WaEvent *event, int64 document_id);

#endif							/* SICANTIK_WA_DOCUMENT_SCENARIO_H */
