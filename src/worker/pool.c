/*-------------------------------------------------------------------------
 *
 * pool.c
 *		Which databases have a worker, and which one is next.
 *
 * There may be many more databases than workers.  One in which something was
 * committed goes before those that are to be visited for another reason (all
 * of them, after a start of the server), but for each fourth start; of equals,
 * the one that has been without a worker for the longest time is served
 * first.  While others wait, an idle worker leaves at once and a busy one
 * after a second of draining.
 *
 * A worker that has been told to leave, and whose step makes no progress for
 * sicantik_wa.worker_patience, is stuck: in a function on one of the
 * application's tables, for example, that swallows its cancellation.  While
 * others wait its statement is canceled, then it is ended, and if even that
 * does not help, its place counts as free.
 *
 * A start is decided and marked in one step under the lock that a hold-off
 * takes too.  A process that hangs on its way (its database is locked by
 * somebody's DROP or copy) must not take the place of one that would work, so
 * a start that takes longer than a second does not count as a worker, nor does
 * a process that has given up its slot and is about to end; but only a few of
 * them at one time, since on a machine with too much to do all take as long,
 * and more of them would make it worse.
 *
 * Workers are never restarted by the postmaster (BGW_NEVER_RESTART): only
 * here is decided when and how often to start again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/pg_compat.h"
#include "sicantik_wa.h"
#include "wake/slot.h"
#include "worker/launcher.h"

/* milliseconds */
#define START_COUNTS		1000	/* so long a start counts as a worker, */
#define SLOW_AT_ONCE		Max(wa_guc_max_workers / 4, 2)	/* but for so many */
#define START_GIVEN_UP		60000	/* for starts of a launcher that died */
#define DRAIN_LIMIT			1000	/* then others may have the place */
#define PRESS_TIME			10000	/* so long a stuck one may take to leave */
#define END_TIME			10000	/* and so long to end */
#define REGISTER_RETRY		5000	/* doubled up to the longest backoff */
#define REGISTER_EPISODE	600000	/* quiet for so long: complain anew */

#define URGENT_IN_A_ROW		3	/* starts, while others wait, too */

static BackgroundWorkerHandle *handles[WA_SLOTS];
static uint64 handle_serials[WA_SLOTS];
static uint64 last_start_serial = 0;
static int	urgent_in_a_row = 0;

/* the server has no free background worker slot */
static TimestampTz register_failed_at = 0;
static TimestampTz register_retry_at = 0;
static int	register_wait = 0;	/* ms; 0: the last registration worked */

/*
 * Called once when the launcher starts: its starts are numbered behind those
 * of a launcher that died.
 */
void
wa_worker_pool_init(void)
{
	LWLockAcquire(wa_wake_lock, LW_SHARED);
	for (int i = 0; i < WA_SLOTS; i++)
		last_start_serial = Max(last_start_serial,
								wa_wake_shared->slots[i].start_serial);
	LWLockRelease(wa_wake_lock);
}

/*
 * A start that came to nothing before its worker attached.  The caller holds
 * wa_wake_lock exclusively.
 */
static void
start_failed(WaSlot *slot, TimestampTz now)
{
	int			wait = 1000 << Min(slot->failures, 6);

	slot->failures++;
	slot->state = WA_SLOT_UNKNOWN;
	slot->visit = true;
	slot->retry_at =
		TimestampTzPlusMilliseconds(now, Min(wait, WA_LONGEST_BACKOFF));
}

/*
 * See which of the registered workers have ended, and find the starts that
 * never became a process.
 */
void
wa_worker_pool_check_starts(TimestampTz now)
{
	for (int i = 0; i < WA_SLOTS; i++)
	{
		WaSlot	   *slot = &wa_wake_shared->slots[i];
		bool		lost = false;
		pid_t		pid;

		if (handles[i] != NULL &&
			GetBackgroundWorkerPid(handles[i], &pid) == BGWH_STOPPED)
		{
			pfree(handles[i]);
			handles[i] = NULL;
			lost = true;
			register_retry_at = 0;	/* its place in the server is free now */
		}

		LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
		if (slot->state == WA_SLOT_STARTING &&
			pg_atomic_read_u64(&slot->process) == 0)
		{
			if (handles[i] == NULL && !lost)
				lost = !wa_wake_time_ahead(TimestampTzPlusMilliseconds(slot->started_at,
																	   START_GIVEN_UP),
										   now, START_GIVEN_UP);
			else if (lost)
				lost = slot->start_serial == handle_serials[i];
			if (lost)
				start_failed(slot, now);
		}
		LWLockRelease(wa_wake_lock);
	}
}

/*
 * Would this database like a worker now?
 */
bool
wa_worker_pool_wants_worker(WaSlot *slot, TimestampTz now)
{
	if (slot->state != WA_SLOT_UNKNOWN && slot->state != WA_SLOT_ABSENT &&
		slot->state != WA_SLOT_IDLE)
		return false;
	return slot->state == WA_SLOT_UNKNOWN || slot->visit ||
		pg_atomic_read_u32(&slot->pending) != 0 ||
		(slot->next_due != 0 && slot->next_due <= now);
}

/*
 * May it have one, if there is a place in the pool?
 */
static bool
may_start(WaSlot *slot, TimestampTz now)
{
	return slot->can_login && pg_atomic_read_u64(&slot->process) == 0 &&
		!wa_wake_time_ahead(slot->hold_off_until, now, WA_HOLD_OFF) &&
		!wa_wake_time_ahead(slot->retry_at, now, WA_LONGEST_BACKOFF);
}

/* Does a time that lies so far behind this one lie in the past? */
static bool
is_over(TimestampTz since, int ms, TimestampTz now)
{
	return !wa_wake_time_ahead(TimestampTzPlusMilliseconds(since, ms), now, ms);
}

/*
 * When will this worker be stuck, or since when is it?  0 if it is not in a
 * step, or has not been asked to leave.
 */
static TimestampTz
stuck_at(WaSlot *slot)
{
	TimestampTz progress_at = (TimestampTz) pg_atomic_read_u64(&slot->progress_at);

	if (slot->state != WA_SLOT_RUNNING || progress_at == 0 ||
		pg_atomic_read_u32(&slot->leave) == WA_LEAVE_NO)
		return 0;
	return TimestampTzPlusMilliseconds(progress_at, wa_guc_worker_patience * 1000);
}

/* Has this worker been ended without effect? */
static bool
is_lost(const WaSlot *slot, TimestampTz now)
{
	return slot->state == WA_SLOT_RUNNING && slot->ended_at != 0 &&
		is_over(slot->ended_at, END_TIME, now);
}

/* What commits have told of a slot without worker since the last pass. */
static void
take_revisit(WaSlot *slot)
{
	if (pg_atomic_exchange_u32(&slot->revisit, 0) == 0)
		return;
	slot->state = WA_SLOT_UNKNOWN;
	slot->visit = true;
	slot->failures = 0;
	slot->retry_at = 0;
	slot->version_logged = false;
}

/* Of two databases, the one longer without a worker; "best" may be -1. */
static int
longer_without(int best, int index)
{
	return best < 0 || wa_wake_shared->slots[index].started_at <
		wa_wake_shared->slots[best].started_at ? index : best;
}

/*
 * Take over what commits have told since the last pass, and choose the
 * database that is to be served next.  Returns its index or -1, sets *waiting
 * to the number of those that could start and *active to the number of
 * workers that count.  The caller holds wa_wake_lock exclusively.
 */
static int
choose(TimestampTz now, int *waiting, int *active)
{
	int			urgent = -1;
	int			other = -1;
	int			slow = 0;

	*waiting = *active = 0;
	for (int i = 0; i < WA_SLOTS; i++)
	{
		WaSlot	   *slot = &wa_wake_shared->slots[i];

		if (slot->state == WA_SLOT_FREE)
			continue;
		if (slot->state == WA_SLOT_RUNNING || slot->state == WA_SLOT_STARTING)
		{
			if (slot->state == WA_SLOT_STARTING && is_over(slot->started_at, START_COUNTS, now))
				slow++;
			else if (!is_lost(slot, now))
				(*active)++;
			continue;
		}
		if (handles[i] != NULL)
			slow++;
		take_revisit(slot);
		if (!wa_worker_pool_wants_worker(slot, now) || !may_start(slot, now))
			continue;
		(*waiting)++;
		if (pg_atomic_read_u32(&slot->pending) != 0)
			urgent = longer_without(urgent, i);
		else
			other = longer_without(other, i);
	}
	*active += Max(slow - SLOW_AT_ONCE, 0);
	if (urgent < 0 || (other >= 0 && urgent_in_a_row >= URGENT_IN_A_ROW))
		return other;
	return urgent;
}

/*
 * Register a worker for the slot.  False if the server has no place for it.
 */
static bool
start_worker(int index, Oid database, Oid owner, uint64 serial)
{
	BackgroundWorker worker;
	WaWorkerArgs args;
	MemoryContext context;
	bool		registered;

	StaticAssertStmt(sizeof(WaWorkerArgs) <= BGW_EXTRALEN,
					 "arguments must fit into bgw_extra");

	memset(&args, 0, sizeof(args));
	args.database = database;
	args.owner = owner;
	args.serial = serial;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION | BGWORKER_INTERRUPTIBLE;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "sicantik_wa",
			sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "wa_worker_main",
			sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name),
			 "sicantik_wa worker for database %u", database);
	strlcpy(worker.bgw_type, "sicantik_wa worker", sizeof(worker.bgw_type));
	worker.bgw_main_arg = Int32GetDatum(index);
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, &args, sizeof(args));

	if (handles[index] != NULL)
	{
		/* the one before has given up its slot and is about to end */
		pfree(handles[index]);
		handles[index] = NULL;
	}
	handle_serials[index] = serial;
	context = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&worker, &handles[index]);
	MemoryContextSwitchTo(context);
	if (!registered)
		handles[index] = NULL;
	return registered;
}

/*
 * The server had no place for a worker: say so once, try again later and
 * later.
 */
static void
no_place(Oid database, TimestampTz now)
{
	if (!wa_wake_time_ahead(TimestampTzPlusMilliseconds(register_failed_at,
														REGISTER_EPISODE),
							now, REGISTER_EPISODE))
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not register a sicantik_wa worker for database %u: all background worker slots of the server are in use",
						database),
				 errhint("You might need to increase max_worker_processes.")));
	register_failed_at = now;
	register_wait = register_wait == 0 ? REGISTER_RETRY :
		Min(register_wait * 2, WA_LONGEST_BACKOFF);
	register_retry_at = TimestampTzPlusMilliseconds(now, register_wait);
}

/*
 * Note which databases wait for a place, and since when, for wa_status(); if
 * not, none does.  The caller holds wa_wake_lock exclusively.
 */
static void
note_waiting(TimestampTz now, bool waiting)
{
	for (int i = 0; i < WA_SLOTS; i++)
	{
		WaSlot	   *slot = &wa_wake_shared->slots[i];

		if (slot->state == WA_SLOT_FREE)
			continue;
		if (!waiting || !wa_worker_pool_wants_worker(slot, now) || !may_start(slot, now))
			slot->waiting_since = 0;
		else if (slot->waiting_since == 0)
			slot->waiting_since = now;
	}
}

/*
 * Start as many workers as the pool allows.  Returns how many databases wait
 * for a place.
 */
int
wa_worker_pool_start_workers(TimestampTz now)
{
	int			waiting;

	for (;;)
	{
		int			active;
		int			index;
		bool		no_room;
		WaSlot	   *slot;
		WaSlotState before;
		Oid			database;
		Oid			owner;
		uint64		serial;

		/*
		 * The decision and the mark are one step under the lock that a
		 * hold-off takes too.
		 */
		LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
		index = choose(now, &waiting, &active);
		if (!wa_guc_enabled ||
			wa_wake_time_ahead(wa_wake_shared->start_after, now, WA_LONGEST_CRASH_WAIT))
			waiting = 0;
		no_room = wa_wake_time_ahead(register_retry_at, now, WA_LONGEST_BACKOFF);
		if (waiting == 0 || active >= wa_guc_max_workers || no_room)
		{
			note_waiting(now, waiting > 0);
			wa_wake_shared->no_room = no_room;
			LWLockRelease(wa_wake_lock);
			return waiting;
		}
		slot = &wa_wake_shared->slots[index];
		before = slot->state;
		urgent_in_a_row = pg_atomic_read_u32(&slot->pending) != 0 ? urgent_in_a_row + 1 : 0;
		serial = slot->start_serial = ++last_start_serial;
		slot->state = WA_SLOT_STARTING;
		slot->started_at = now;
		slot->waiting_since = 0;
		pg_atomic_write_u32(&slot->leave, WA_LEAVE_NO);
		database = pg_atomic_read_u32(&wa_wake_shared->databases[index]);
		owner = slot->owner;
		LWLockRelease(wa_wake_lock);

		if (start_worker(index, database, owner, serial))
		{
			register_wait = 0;
			register_retry_at = 0;
			continue;
		}

		LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
		slot->state = before;
		LWLockRelease(wa_wake_lock);
		no_place(database, now);
	}
}

/* So long a stuck worker gets between being pressed and being ended. */
static int
press_time(void)
{
	return Min(PRESS_TIME, wa_guc_worker_patience * 1000);
}

/*
 * Others wait: if this worker is stuck, press it, so that it cancels its
 * statement (check_overdue() in worker.c); if that was done, end it.
 */
static void
press(WaSlot *slot, int index, int waiting, TimestampTz now)
{
	uint32		database = pg_atomic_read_u32(&wa_wake_shared->databases[index]);
	TimestampTz stuck;
	bool		pressed = false;
	bool		ended = false;
	int			pid;

	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	/* under the lock this is the slot's process, which gives it up under it */
	pid = (int) (pg_atomic_read_u64(&slot->process) & PG_UINT32_MAX);
	stuck = stuck_at(slot);
	if (pid != 0 && stuck != 0 && stuck <= now)
	{
		if (slot->pressed_at == 0)
		{
			pressed = true;
			slot->pressed_at = now;
			wa_wake_slot_raise_leave(slot, WA_LEAVE_NOW);
			wa_wake_slot_wake(slot);
		}
		else if (slot->ended_at == 0 && is_over(slot->pressed_at, press_time(), now))
		{
			ended = true;
			slot->ended_at = now;
			(void) kill(pid, SIGTERM);
		}
	}
	LWLockRelease(wa_wake_lock);

	if (pressed)
		ereport(LOG,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("sicantik_wa worker for database %u (PID %d) has made no progress for %d s and must leave, since other databases wait for its place: %d",
						database, pid, wa_guc_worker_patience, waiting),
				 errhint("See pg_stat_activity, and what hangs on the tables of that database, such as a policy (row level security).")));
	if (ended)
		ereport(LOG,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("sicantik_wa worker for database %u (PID %d) does not leave and is ended, since other databases wait for its place: %d",
						database, pid, waiting)));
}

/*
 * Who is to leave next, of those that have not been asked: an idle worker,
 * or else the one that has been draining for the longest time, if that is
 * long enough.  NULL: nobody.  The caller holds wa_wake_lock.
 */
static WaSlot *
next_to_leave(TimestampTz now)
{
	WaSlot	   *best = NULL;
	TimestampTz best_since = 0;

	for (int i = 0; i < WA_SLOTS; i++)
	{
		WaSlot	   *slot = &wa_wake_shared->slots[i];
		TimestampTz since =
			(TimestampTz) pg_atomic_read_u64(&slot->busy_since);

		if (slot->state != WA_SLOT_RUNNING ||
			pg_atomic_read_u32(&slot->leave) != WA_LEAVE_NO)
			continue;
		if (since == 0)
			return slot;
		if (is_over(since, DRAIN_LIMIT, now) && (best == NULL || since < best_since))
		{
			best = slot;
			best_since = since;
		}
	}
	return best;
}

/*
 * Databases wait for a place: ask as many workers to leave.  Idle ones may be
 * asleep; those that become idle look at "waiting" themselves.  What was
 * asked, now or before, and is stuck is pressed.
 */
void
wa_worker_pool_ask_to_leave(int waiting, TimestampTz now)
{
	int			all_waiting = waiting;
	WaSlot	   *slot;

	pg_atomic_write_u32(&wa_wake_shared->waiting, 0);
	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	for (int i = 0; i < WA_SLOTS && waiting > 0; i++)
		if (wa_wake_shared->slots[i].state == WA_SLOT_RUNNING &&
			pg_atomic_read_u32(&wa_wake_shared->slots[i].leave) != WA_LEAVE_NO)
			waiting--;
	while (waiting > 0 && (slot = next_to_leave(now)) != NULL)
	{
		wa_wake_slot_raise_leave(slot, WA_LEAVE_DONE);
		wa_wake_slot_wake(slot);
		waiting--;
	}
	LWLockRelease(wa_wake_lock);
	pg_atomic_write_u32(&wa_wake_shared->waiting, (uint32) waiting);
	for (int i = 0; i < WA_SLOTS && all_waiting > 0; i++)
		if (wa_wake_shared->slots[i].state == WA_SLOT_RUNNING)
			press(&wa_wake_shared->slots[i], i, all_waiting, now);
}

/*
 * The shorter of a wait and the time until something, which may have passed.
 */
static long
sooner(long wait, TimestampTz now, TimestampTz then)
{
	return then > now ? Min(wait, TimestampDifferenceMilliseconds(now, then)) :
		wait;
}

/*
 * How long nothing will be to do, in milliseconds, unless somebody wakes us.
 */
long
wa_worker_pool_sleep_time(int waiting, TimestampTz now)
{
	long		wait = WA_LONGEST_SLEEP;

	wait = sooner(wait, now, wa_wake_shared->start_after);
	if (waiting > 0)
		wait = sooner(wait, now, register_retry_at);

	LWLockAcquire(wa_wake_lock, LW_SHARED);
	for (int i = 0; i < WA_SLOTS; i++)
	{
		WaSlot	   *slot = &wa_wake_shared->slots[i];
		TimestampTz since;

		switch (slot->state)
		{
			case WA_SLOT_FREE:
				break;
			case WA_SLOT_STARTING:
				wait = sooner(wait, now,
							  TimestampTzPlusMilliseconds(slot->started_at,
														  START_COUNTS));
				wait = sooner(wait, now,
							  TimestampTzPlusMilliseconds(slot->started_at,
														  START_GIVEN_UP));
				break;
			case WA_SLOT_RUNNING:
				since = (TimestampTz) pg_atomic_read_u64(&slot->busy_since);
				if (waiting > 0)
				{
					wait = sooner(wait, now, stuck_at(slot));
					wait = sooner(wait, now, TimestampTzPlusMilliseconds(slot->pressed_at, press_time()));
					wait = sooner(wait, now, TimestampTzPlusMilliseconds(slot->ended_at, END_TIME));
				}
				if (waiting > 0 && since != 0)
					wait = sooner(wait, now,
								  TimestampTzPlusMilliseconds(since,
															  DRAIN_LIMIT));
				break;
			case WA_SLOT_UNKNOWN:
			case WA_SLOT_ABSENT:
			case WA_SLOT_IDLE:
				if (slot->can_login)
				{
					wait = sooner(wait, now, slot->next_due);
					wait = sooner(wait, now, slot->hold_off_until);
					wait = sooner(wait, now, slot->retry_at);
				}
				break;
		}
	}
	LWLockRelease(wa_wake_lock);
	return wait;
}
