/*-------------------------------------------------------------------------
 *
 * law.h
 *		Changes of states, as the files of this folder make them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_LAW_H
#define SICANTIK_WA_LAW_H

#include "postgres.h"

#include "pg/query.h"
#include "queue/state.h"

extern WaRows wa_queue_change(WaStateChange change, WaStatement *statement, WaArgs *args);
extern bool wa_queue_changes_now(void);
extern void wa_queue_require(WaStateChange change, int64 id, WaState from, WaState to, WaReason reason);

#endif							/* SICANTIK_WA_LAW_H */
