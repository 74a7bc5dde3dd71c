/*-------------------------------------------------------------------------
 *
 * outcome.h
 *		From a verdict to the message's next state.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_OUTCOME_H
#define SICANTIK_WA_OUTCOME_H

#include "postgres.h"

#include "deliver/schedule.h"
#include "deliver/transfer.h"

extern bool wa_deliver_outcome_apply(WaTransfer *transfer, const WaItem *item, int64 unknown_wait_us,
									 WaVerdictRow *row);
extern void wa_deliver_outcome_exhausted(const WaItem *item, WaVerdictRow *row);
extern bool wa_deliver_outcome_of_doubt(const WaReadyRow *message, WaVerdictRow *row);

#endif							/* SICANTIK_WA_OUTCOME_H */
