/*-------------------------------------------------------------------------
 *
 * worker.h
 *		Face of the background processes: launcher, per-database worker, and
 *		the shared memory through which sessions wake them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_WORKER_H
#define SICANTIK_WA_WORKER_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/resowner.h"

/* One database as the launcher sees it. */
typedef enum WaSlotState
{
	WA_SLOT_FREE,				/* unused */
	WA_SLOT_UNKNOWN,			/* to be visited: has it the extension? */
	WA_SLOT_ABSENT,				/* visited: the extension is not there */
	WA_SLOT_IDLE,				/* the extension is there, no worker */
	WA_SLOT_STARTING,			/* a worker is registered, not yet reported */
	WA_SLOT_RUNNING				/* a worker is connected */
} WaSlotState;

/* Why capture dropped an event instead of disturbing the application. */
typedef enum WaDropReason
{
	WA_DROP_LOCKED,				/* wa.event was locked by somebody */
	WA_DROP_MISSING,			/* wa.event or wa.watch missing or reshaped */
	WA_DROP_FULL,				/* sicantik_wa.max_unread reached */
	WA_DROP_OFF,				/* sicantik_wa.capture is off: nobody's fault */
	WA_DROP_COUNT
} WaDropReason;

/* A copy of a slot for status functions. */
typedef struct WaSlotInfo
{
	WaSlotState state;
	int			pid;			/* worker's, or 0 */
	bool		pending;
	TimestampTz next_due;		/* 0: nothing */
	TimestampTz hold_off_until; /* 0: none */
	uint64		dropped[WA_DROP_COUNT];
	TimestampTz first_drop;		/* 0: none */
	TimestampTz last_drop;
	bool		no_sender;		/* its module could not be loaded */
	int			silent_pid;		/* worker or launcher that should have given a
								 * sign of life by now; 0: none */
	TimestampTz silent_since;
	TimestampTz waiting_since;	/* for a place in the pool; 0: it does not */
	bool		no_room;		/* or rather in the server */
	TimestampTz stuck_since;	/* its worker makes no progress; 0: it does */
} WaSlotInfo;

/* shmem.c: usable in every process, also where nothing is preloaded */
extern void wa_worker_init(void);
extern bool wa_worker_preloaded(void);
extern bool wa_worker_slot_info(Oid database, WaSlotInfo *info);
extern bool wa_worker_launcher_running(void);
extern bool wa_worker_count_drop(WaDropReason reason, uint64 events);
extern bool wa_worker_take_drops(uint64 dropped[WA_DROP_COUNT],
								 TimestampTz *first, TimestampTz *last);
extern void wa_worker_note_sender(bool loaded);
extern PGDLLEXPORT bool wa_worker_new_reason(const char *why);
extern PGDLLEXPORT bool wa_worker_reload_waits(void);

/* fired.c: the same */
extern void wa_worker_note_fired(Oid relid);
extern bool wa_worker_last_fired(Oid relid, TimestampTz *at);

/* wake.c: act at commit of the current transaction, never on abort */
extern void wa_worker_wake_at_commit(void);
extern void wa_worker_reload_at_commit(void);

/*
 * The work of one worker; worker.c calls these between transactions, round.c
 * defines them.  Each may raise an error: worker.c reports it, aborts the
 * transaction, waits (1 s, then 5 s) and goes on; after the third error in a
 * row the process ends.  None may keep a transaction, a lock or a snapshot
 * when it returns, and none may sleep.
 *
 * wa_round_open		once, connected, settings pinned, before the first run
 * wa_round_run			one bounded step: read what is new, claim and start
 *						requests (only if may_send), record what has ended.
 *						Called when woken, when next_due has come, after each
 *						wa_round_drive(), and again at once while it returns
 *						true (more can be done right now), so it must be cheap
 *						where nothing is to do.  Sets *next_due to the time of
 *						the next work known, 0 if there is none.
 * wa_round_fd			becomes readable when wa_round_drive() has something to
 *						do, its time-outs included; PGINVALID_SOCKET if nothing
 *						will.  Must not be closed while it is the current one
 *						and requests are in flight.
 * wa_round_drive		moves requests forward without waiting
 * wa_round_in_flight	requests on the wire; must not raise errors
 * wa_round_unrecorded	answers that no transaction has recorded yet; likewise
 * wa_round_reload		settings or configuration have changed
 * wa_round_close		the grace is over: record what is left as in doubt
 */
extern void wa_round_open(void);
extern bool wa_round_run(bool may_send, TimestampTz *next_due);
extern pgsocket wa_round_fd(void);
extern void wa_round_drive(void);
extern int	wa_round_in_flight(void);
extern int	wa_round_unrecorded(void);
extern void wa_round_reload(void);
extern void wa_round_close(void);

/* Entry points of the background processes. */
extern PGDLLEXPORT void wa_launcher_main(Datum main_arg);
extern PGDLLEXPORT void wa_worker_main(Datum main_arg);

#endif							/* SICANTIK_WA_WORKER_H */
