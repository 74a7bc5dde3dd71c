/*-------------------------------------------------------------------------
 *
 * failover.h
 *		What a promotion means for the queue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_FAILOVER_H
#define SICANTIK_WA_FAILOVER_H

#include "postgres.h"

extern bool wa_worker_failover_run(bool *again);

#endif							/* SICANTIK_WA_FAILOVER_H */
