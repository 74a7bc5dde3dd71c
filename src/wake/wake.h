/*-------------------------------------------------------------------------
 *
 * wake.h
 *		Waking the worker, and what sessions and workers know of each other.
 *
 * Everything is in shared memory, and may be called in every process, also
 * where nothing is preloaded: then it does nothing, or says so.  One slot for
 * each database (slot.h): is there work, who serves it, since when, what did
 * capture drop.  None of it is more than a hint about what the tables say, for
 * a crash of any process throws it away.
 *
 * A commit that left work sets a bit and a latch and goes on (wake.c): it
 * waits for nobody.  What is done in a slot's life is drawn in
 * docs/architecture.md, "States of a slot"; the launcher and the workers in
 * src/worker do it.  Begin with wake.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_WAKE_H
#define SICANTIK_WA_WAKE_H

#include "postgres.h"

#include "datatype/timestamp.h"

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

/* What a worker does not get over. */
typedef enum WaTroubleKind
{
	WA_TROUBLE_ROUNDS,			/* in a row that ended in an error */
	WA_TROUBLE_ROWS,			/* messages whose rows cannot be written */
	WA_TROUBLE_STARTS,			/* workers in a row that could not connect */
	WA_TROUBLE_COUNT
} WaTroubleKind;

#define WA_TROUBLE_BYTES	160

typedef struct WaTrouble
{
	int			n[WA_TROUBLE_COUNT];
	TimestampTz since;			/* 0: none */
	char		why[WA_TROUBLE_BYTES];	/* the last error, perhaps shortened */
} WaTrouble;

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
	WaTrouble	trouble;
	uint64		refused_webhooks;	/* with a wrong signature, since the
									 * server's start */
	TimestampTz last_refused_webhook;	/* 0: none */
} WaSlotInfo;

/* shmem.c */
extern void wa_wake_init(void);
extern bool wa_wake_preloaded(void);
extern bool wa_wake_slot_info(Oid database, WaSlotInfo *info);
extern bool wa_wake_launcher_running(void);
extern void wa_wake_note_sender(bool loaded);
extern PGDLLEXPORT bool wa_wake_new_reason(const char *why);

/* trouble.c */
extern PGDLLEXPORT void wa_wake_note_trouble(WaTroubleKind kind, int n, const char *why);

/* drops.c */
extern bool wa_wake_count_drop(WaDropReason reason, uint64 events);
extern bool wa_wake_take_drops(uint64 dropped[WA_DROP_COUNT],
							   TimestampTz *first, TimestampTz *last);

/* refused.c */
extern bool wa_wake_count_refused(void);

/* clock.c */
extern TimestampTz wa_wake_time_of_waits(void);

/* fired.c */
extern void wa_wake_note_fired(Oid relid);
extern bool wa_wake_last_fired(Oid relid, TimestampTz *at);

/* wake.c: act at commit of the current transaction, never on abort */
extern void wa_wake_at_commit(void);
extern void wa_wake_sender_at_commit(void);
extern void wa_wake_sending_follows(bool follows);
extern void wa_wake_reload_at_commit(void);
extern void wa_wake_feedback_at_commit(void);
extern bool wa_wake_feedback_take(void);
extern bool wa_wake_reload_take(void);
extern PGDLLEXPORT bool wa_wake_reload_waits(void);

/* Something is in the way of a process for a moment, or for long: a lock. */
typedef struct WaInTheWay
{
	TimestampTz since;			/* 0: nothing is */
} WaInTheWay;

/* When to come again at the latest, while it is. */
#define WA_LOCKED_RETRY_US	(250 * 1000)

/* retry.c */
extern PGDLLEXPORT void wa_wake_retry(WaInTheWay *lock, bool locked, TimestampTz *next_due);
extern TimestampTz wa_wake_retry_at(void);
extern void wa_wake_retry_forget(void);

/* The earlier of *due and "at"; 0 is never. */
static inline void
wa_wake_sooner(TimestampTz *due, TimestampTz at)
{
	if (at != 0 && (*due == 0 || at < *due))
		*due = at;
}

#endif							/* SICANTIK_WA_WAKE_H */
