/*-------------------------------------------------------------------------
 *
 * launcher.h
 *		Internals of src/worker: the parts of the launcher's process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_LAUNCHER_H
#define SICANTIK_WA_LAUNCHER_H

#include "postgres.h"

#include <signal.h>

#include "datatype/timestamp.h"

#include "wake/slot.h"

/* roster.c: slots and pg_database */
extern volatile sig_atomic_t wa_worker_roster_reading;
extern TimestampTz wa_worker_roster_compare(bool reclaim);

/* pool.c: slots and workers */
extern void wa_worker_pool_init(void);
extern void wa_worker_pool_check_starts(TimestampTz now);
extern bool wa_worker_pool_wants_worker(WaSlot *slot, TimestampTz now);
extern int	wa_worker_pool_start_workers(TimestampTz now);
extern void wa_worker_pool_ask_to_leave(int waiting, TimestampTz now);
extern long wa_worker_pool_sleep_time(int waiting, TimestampTz now);

#endif							/* SICANTIK_WA_LAUNCHER_H */
