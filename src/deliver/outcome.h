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

extern bool wa_outcome_apply(const WaTransfer *transfer, const WaItem *item, WaVerdictRow *row);

#endif							/* SICANTIK_WA_OUTCOME_H */
