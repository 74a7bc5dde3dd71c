/*-------------------------------------------------------------------------
 *
 * apply.h
 *		What the outcome of an attempt changes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_APPLY_H
#define SICANTIK_WA_APPLY_H

#include "postgres.h"

#include "deliver/schedule.h"
#include "deliver/transfer.h"

extern bool wa_deliver_apply_attempt(WaTransfer *transfer, const WaItem *item, int64 unknown_wait_us,
									 WaVerdictRow *row);
extern void wa_deliver_apply_refusals(const WaItem *item, WaVerdictRow *row);
extern bool wa_deliver_apply_doubt(const WaReadyRow *message, WaVerdictRow *row);

#endif							/* SICANTIK_WA_APPLY_H */
