/*-------------------------------------------------------------------------
 *
 * slot.h
 *		The slots in shared memory, as src/wake and src/worker share them.
 *
 * One slot per database.  Only plain data: no pointers, no descriptors.  What
 * a committing session touches is atomic, so that a commit never waits for
 * the launcher; everything else is guarded by one LWLock.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SLOT_H
#define SICANTIK_WA_SLOT_H

#include "postgres.h"

#include "port/atomics.h"
#include "storage/lwlock.h"

#include "wake/progress.h"
#include "wake/stat.h"
#include "wake/wake.h"

#define WA_SLOTS			1024
#define WA_FIRED_TABLES		8

/* milliseconds */
#define WA_HOLD_OFF			10000	/* the server itself waits 5 s */
#define WA_LONGEST_SLEEP	60000
#define WA_LONGEST_ANSWER	10000	/* of a process that is there, to new work */
#define WA_LONGEST_BACKOFF	60000
#define WA_HEALTHY			60000	/* a run this long forgets failures */
#define WA_LONGEST_CRASH_WAIT	300000

/* How urgently a worker is asked to leave; only ever raised. */
typedef enum WaLeave
{
	WA_LEAVE_NO,
	WA_LEAVE_DONE,				/* start nothing, finish what is in flight */
	WA_LEAVE_NOW				/* somebody waits: short grace only */
} WaLeave;

/* How a worker's process ended, for wa_wake_slot_detach(). */
typedef enum WaExit
{
	WA_EXIT_FAILED,				/* an error: try again with backoff */
	WA_EXIT_EARLY,				/* asked to leave before it had looked */
	WA_EXIT_ABSENT,				/* the extension is not in this database */
	WA_EXIT_REFUSED,			/* not ours to serve now: longest backoff */
	WA_EXIT_LEFT				/* in good order */
} WaExit;

/* When our triggers on one table have last fired. */
typedef struct WaFired
{
	pg_atomic_uint32 relid;		/* 0: unused; never changes afterwards */
	pg_atomic_uint64 at;		/* TimestampTz; 0: not yet */
} WaFired;

typedef struct WaSlot
{
	/* atomics: read and set without the lock */
	pg_atomic_uint64 process;	/* worker: pgprocno << 32 | pid; 0: none */
	pg_atomic_uint64 busy_since;	/* TimestampTz; 0: worker idles */
	pg_atomic_uint64 alive_at;	/* TimestampTz of the worker's last sign of
								 * life: each pass, and every half second of a
								 * step */
	pg_atomic_uint64 asked_at;	/* TimestampTz at which "pending" was set */
	pg_atomic_uint64 progress_at;	/* TimestampTz at which the worker's step
									 * began, or last made progress; 0:
									 * between two steps */
	pg_atomic_uint64 first_drop;	/* TimestampTz; 0: none */
	pg_atomic_uint64 last_drop; /* TimestampTz; 0: none */
	pg_atomic_uint64 dropped[WA_DROP_COUNT];
	pg_atomic_uint64 drop_said[WA_DROP_COUNT];	/* TimestampTz of the last one */
	pg_atomic_uint64 refused_webhooks;
	pg_atomic_uint64 last_refused_webhook;	/* TimestampTz; 0: none */
	pg_atomic_uint64 refusal_said;	/* TimestampTz of the last line in the log */
	pg_atomic_uint64 clock_offset;	/* wa_worker_clock_offset() that the
									 * database's waits go by; 0: not known */
	pg_atomic_uint64 erase_after;	/* wa_worker_clock_keeps(): until then by
									 * the monotonic clock; 0: at any time */
	pg_atomic_uint64 taken_at;	/* TimestampTz */
	WaFired		fired[WA_FIRED_TABLES];
	WaStats		stats;
	pg_atomic_uint32 pending;	/* work was committed, no worker has looked */
	pg_atomic_uint32 leave;		/* WaLeave */
	pg_atomic_uint32 revisit;	/* extension created, dropped, updated */
	pg_atomic_uint32 feedback;	/* transactions of webhooks so far */
	pg_atomic_uint32 generation;	/* of the configuration tables */
	pg_atomic_uint32 stopped_why;	/* hash of the reason last logged, or 0 */
	pg_atomic_uint32 no_sender; /* the sender's module could not be loaded */

	/* guarded by wa_wake_lock */
	WaSlotState state;
	bool		visit;			/* start a worker even if nothing is pending */
	bool		can_login;		/* may the owner log in? */
	bool		login_logged;	/* "owner may not log in" was said */
	bool		version_logged; /* "wrong version" was said */
	int			failures;		/* workers that died in a row */
	Oid			owner;			/* of the database, as last seen */
	uint64		serial;			/* when the slot was taken */
	uint64		start_serial;	/* the start that may attach */
	TimestampTz started_at;		/* of the last start, 0: never */
	TimestampTz waiting_since;	/* for a place in the pool; 0: it does not */
	TimestampTz pressed_at;		/* when the worker, which is stuck, was told
								 * to leave at once, since others wait; 0: not */
	TimestampTz ended_at;		/* and when it was ended; 0: not */
	TimestampTz next_due;		/* 0: nothing */
	TimestampTz hold_off_until; /* 0: none */
	TimestampTz retry_at;		/* 0: any time */
	WaTrouble	trouble;
} WaSlot;

typedef struct WaShared
{
	pg_atomic_uint64 launcher;	/* pgprocno << 32 | pid; 0: none */
	pg_atomic_uint64 launcher_alive_at; /* TimestampTz of its last pass */
	pg_atomic_uint32 scan;		/* a database without slot has work */
	pg_atomic_uint32 waiting;	/* databases that wait for an idle worker to
								 * leave */
	uint64		serial;			/* last serial given out; wa_wake_lock */
	bool		no_room;		/* the server has no place for one more
								 * background worker; wa_wake_lock */
	TimestampTz start_after;	/* no workers before; set by the postmaster */
	pg_atomic_uint64 first_xid; /* next transaction id when the launcher first
								 * ran: all before it are older than the last
								 * promotion; 0: it has not run */

	/*
	 * databases[i] is the oid that slots[i] is for, 0 if free; set under
	 * wa_wake_lock, read without
	 */
	pg_atomic_uint32 databases[WA_SLOTS];
	WaSlot		slots[WA_SLOTS];
	WaProgressRow progress[WA_PROGRESS_ROWS];	/* guarded by wa_wake_lock */
} WaShared;

/* What the launcher tells a worker in bgw_extra. */
typedef struct WaWorkerArgs
{
	Oid			database;
	Oid			owner;
	uint64		serial;			/* must match start_serial */
} WaWorkerArgs;

/* NULL where the library was not preloaded */
extern WaShared *wa_wake_shared;
extern LWLock *wa_wake_lock;

/* shmem.c */
extern int	wa_wake_slot_find(Oid database);
extern int	wa_wake_slot_take(Oid database);
extern void wa_wake_slot_free(int index);
extern void wa_wake_slot_hold_off(Oid database);
extern void wa_wake_slot_raise_leave(WaSlot *slot, WaLeave leave);
extern bool wa_wake_slot_attach(int index, const WaWorkerArgs *args);
extern bool wa_wake_slot_running(int index);
extern void wa_wake_slot_detach(int index, WaExit how, bool stay_away, bool visit,
								TimestampTz next_due);
extern bool wa_wake_time_ahead(TimestampTz until, TimestampTz now, int at_most_ms);

/* trouble.c */
extern void wa_wake_note_no_start(int index, const char *why);

/* wake.c */
extern uint64 wa_wake_process_self(void);
extern void wa_wake_slot_wake(WaSlot *slot);
extern void wa_wake_launcher(void);
extern void wa_wake_scan_at_commit(void);
extern void wa_wake_revisit_at_commit(void);

#endif							/* SICANTIK_WA_SLOT_H */
