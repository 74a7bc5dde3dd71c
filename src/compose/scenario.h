/*-------------------------------------------------------------------------
 *
 * scenario.h
 *		The built-in composers, and what they share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SCENARIO_H
#define SICANTIK_WA_SCENARIO_H

#include "compose/compose.h"

/* Of several scenarios for the same person, the lower rank goes out. */
enum
{
	WA_RANK_RENEWAL = 10,
	WA_RANK_READY = 20,
	WA_RANK_STATUS = 30,
	WA_RANK_APPROVAL = 40,
	WA_RANK_PENDING = 50,
	WA_RANK_OWN = 60
};

/* scenario.c */
extern bool wa_compose_filled(const char *given);
extern bool wa_compose_is(const char *given, const char *value);
extern const WaScenario *wa_compose_scenario_of(const WaBatch *batch, const char *composer);

extern bool wa_compose_is_built_in(const WaScenario *scenario);
extern bool wa_compose_is_asked(const WaBatch *batch, const WaScenario *scenario);

/* calendar.c */
extern bool wa_calendar_is_built_in(const WaScenario *scenario);

/* own.c */
extern bool wa_compose_load_own(WaBatch *batch);
extern void wa_compose_own(WaBatch *batch, const WaScenario *scenario, const WaEvent *event);

/* permit_scenarios.c */
extern const char *wa_compose_announced_key(const WaPermit *permit, const char *number);
extern void wa_compose_permit_ready(WaBatch *batch, const WaScenario *scenario,
									const WaEvent *event);
extern void wa_compose_permit_renewal_approved(WaBatch *batch, const WaScenario *scenario,
											   const WaEvent *event);
extern void wa_compose_status_update(WaBatch *batch, const WaScenario *scenario,
									 const WaEvent *event);

/* document_scenarios.c */
extern bool wa_compose_load_documents(WaBatch *batch);
extern void wa_compose_document_pending(WaBatch *batch, const WaScenario *scenario,
										const WaEvent *event);
extern void wa_compose_approval_required(WaBatch *batch, const WaScenario *scenario,
										 const WaEvent *event);

extern bool wa_compose_ask_group(WaBatch *batch, const WaScenario *scenario);

/* approver_group.c */
extern void wa_approver_wait(const WaScenario *scenario, const WaEvent *event, int64 document_id);

#endif							/* SICANTIK_WA_SCENARIO_H */
