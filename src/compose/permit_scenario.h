/*-------------------------------------------------------------------------
 *
 * permit_scenario.h
 *		What the scenarios about permits share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PERMIT_SCENARIO_H
#define SICANTIK_WA_PERMIT_SCENARIO_H

#include "postgres.h"

#include "compose/scenario.h"
#include "odoo/permit.h"

/* permit_news.c */
extern bool wa_compose_contact_came(const WaEvent *event);
extern WaSaid wa_compose_not_active(const WaEvent *event);
extern void wa_compose_announce(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
								const WaPermit *permit, bool was_true, bool is_true_now);
extern WaSaid wa_compose_permit_old_news(const WaBatch *batch, const WaDraft *draft);

/* permit_again.c */
extern bool wa_compose_permits_again(WaBatch *batch, WaWaiting **list, int n);
extern bool wa_compose_is_of_permits(const WaScenario *scenario);

#endif							/* SICANTIK_WA_PERMIT_SCENARIO_H */
