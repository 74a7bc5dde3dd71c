/*-------------------------------------------------------------------------
 *
 * stat.h
 *		What the workers of a database have done, in shared memory.
 *
 * Counters that only grow, since the server was started, the database was first
 * seen, or wa_stat_reset() was called.  They outlive a worker, and are lost when
 * the server restarts or discards its shared memory after a crash, as all that
 * is there.  The worker and the process that composes beside it add to the same
 * ones, which are atomic; nobody else's call does anything.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_STAT_H
#define SICANTIK_WA_STAT_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"

/* Steps of the latency; the last one is for what takes longer. */
#define WA_LATENCY_STEPS	16

typedef enum WaStat
{
	/* counts */
	WA_STAT_ROUNDS,				/* passes of the worker */
	WA_STAT_FAILED_ROUNDS,		/* steps that ended in an error */
	WA_STAT_COMMITS,			/* transactions that wrote something */
	WA_STAT_EVENTS,				/* net changes of records that were read */
	WA_STAT_MESSAGES,			/* rows of wa.message that were made */
	WA_STAT_CLAIMS,				/* messages that were claimed */
	WA_STAT_ATTEMPTS,			/* rows of wa.attempt that were made */
	WA_STAT_ACCEPTED,			/* of those: the provider took the message */

	/* microseconds: where the time of the processes goes */
	WA_STAT_COMPOSE_TIME,
	WA_STAT_CHOOSE_TIME,
	WA_STAT_SEND_TIME,
	WA_STAT_RECORD_TIME,
	WA_STAT_COMMIT_TIME,
	WA_STAT_MAINTENANCE_TIME,
	WA_STAT_OTHER_TIME,
	WA_STAT_WAIT_TIME,			/* for answers */
	WA_STAT_IDLE_TIME,

	/* microseconds, of all requests together */
	WA_STAT_WIRE_TIME,

	/* of accepted messages, from being taken in to the answer */
	WA_STAT_LATENCY_TIME,
	WA_STAT_LATENCY,			/* the first of WA_LATENCY_STEPS counts */

	WA_STAT_COUNT = WA_STAT_LATENCY + WA_LATENCY_STEPS
} WaStat;

/* Of one database. */
typedef struct WaStats
{
	pg_atomic_uint64 n[WA_STAT_COUNT];
	pg_atomic_uint64 reset_at;	/* TimestampTz; 0: not since it was first seen */
} WaStats;

/* Milliseconds that the steps of the latency end with, but for the last. */
extern const int wa_wake_latency_ends[WA_LATENCY_STEPS - 1];

/* stat.c */
extern void wa_wake_stat_init(WaStats *stats);
extern void wa_wake_stat_begin(void);
extern PGDLLEXPORT void wa_wake_stat_add(WaStat stat, uint64 n);
extern PGDLLEXPORT void wa_wake_stat_latency(int64 us);
extern void wa_wake_stat_at_commit(WaStat stat, uint64 n);
extern PGDLLEXPORT WaStat wa_wake_stat_stage(WaStat stage);
extern bool wa_wake_stat_read(uint64 n[WA_STAT_COUNT], TimestampTz *since);
extern bool wa_wake_stat_reset(void);

#endif							/* SICANTIK_WA_STAT_H */
