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

/*
 * Called before each pass of work, in no transaction: treats the queue once
 * after a failover.  False while that is not done; nothing may be composed or
 * sent then.  *again: it has more to do at once.
 */
extern bool wa_worker_failover_run(bool *again);

#endif							/* SICANTIK_WA_FAILOVER_H */
