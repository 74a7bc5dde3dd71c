/*-------------------------------------------------------------------------
 *
 * shmem.c
 *		The slots in shared memory.
 *
 * The library must also load where it was not preloaded (a restored database
 * on a plain server, pg_dump): then there is no shared memory, wa_wake_shared is
 * NULL, and every function that others may call does nothing or says so.
 *
 * A crash of any process makes the server discard shared memory.  So nothing
 * here is more than a hint about what the tables say; the launcher visits
 * every database once after such a restart.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "sicantik_wa.h"
#include "wake/slot.h"

WaShared   *wa_wake_shared = NULL;
LWLock	   *wa_wake_lock = NULL;

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

/* Where this process found its database last time. */
static int	own_slot = -1;

/*
 * Only the postmaster sets these; they outlive shared memory.
 */
static TimestampTz last_startup = 0;
static int	crashes = 0;

/*
 * Ask for the memory and the lock.
 */
static void
request_memory(void)
{
	if (previous_request)
		previous_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(WaShared)));
	RequestNamedLWLockTranche("sicantik_wa", 1);
}

static void
init_slot(WaSlot *slot)
{
	memset(slot, 0, sizeof(*slot));
	pg_atomic_init_u64(&slot->process, 0);
	pg_atomic_init_u64(&slot->busy_since, 0);
	pg_atomic_init_u64(&slot->alive_at, 0);
	pg_atomic_init_u64(&slot->asked_at, 0);
	pg_atomic_init_u64(&slot->progress_at, 0);
	pg_atomic_init_u64(&slot->first_drop, 0);
	pg_atomic_init_u64(&slot->last_drop, 0);
	for (int i = 0; i < WA_DROP_COUNT; i++)
	{
		pg_atomic_init_u64(&slot->dropped[i], 0);
		pg_atomic_init_u64(&slot->drop_said[i], 0);
	}
	pg_atomic_init_u64(&slot->refused_webhooks, 0);
	pg_atomic_init_u32(&slot->feedback, 0);
	pg_atomic_init_u64(&slot->last_refused_webhook, 0);
	pg_atomic_init_u64(&slot->refusal_said, 0);
	pg_atomic_init_u64(&slot->clock_offset, 0);
	pg_atomic_init_u64(&slot->erase_after, 0);
	pg_atomic_init_u64(&slot->taken_at, 0);
	for (int i = 0; i < WA_FIRED_TABLES; i++)
	{
		pg_atomic_init_u32(&slot->fired[i].relid, InvalidOid);
		pg_atomic_init_u64(&slot->fired[i].at, 0);
	}
	wa_wake_stat_init(&slot->stats);
	pg_atomic_init_u32(&slot->pending, 0);
	pg_atomic_init_u32(&slot->leave, WA_LEAVE_NO);
	pg_atomic_init_u32(&slot->revisit, 0);
	pg_atomic_init_u32(&slot->generation, 0);
	pg_atomic_init_u32(&slot->stopped_why, 0);
	pg_atomic_init_u32(&slot->no_sender, 0);
	memset(&slot->trouble, 0, sizeof(slot->trouble));
	slot->state = WA_SLOT_FREE;
}

/*
 * How long to wait before workers start, in milliseconds.  If it was one of
 * them that crashes (and takes all sessions with it), it will do so again at
 * the same row, so after each crash soon after the last one the server gets
 * longer without them: 1, 2, 4, ... seconds.  A minute in which they were
 * allowed to work ends the row.
 */
static int
wait_after_crash(TimestampTz now)
{
	static int	wait = 0;

	if (last_startup != 0)
		crashes = TimestampDifferenceExceeds(last_startup, now, wait + WA_HEALTHY) ?
			1 : crashes + 1;
	last_startup = now;
	if (crashes > 0)
		wait = Min(1000 << Min(crashes - 1, 9), WA_LONGEST_CRASH_WAIT);
	return wait;
}

static void
startup_memory(void)
{
	bool		found;

	if (previous_startup)
		previous_startup();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	wa_wake_shared = ShmemInitStruct("sicantik_wa", sizeof(WaShared), &found);
	wa_wake_lock = &GetNamedLWLockTranche("sicantik_wa")->lock;
	if (!found)
	{
		TimestampTz now = GetCurrentTimestamp();

		pg_atomic_init_u64(&wa_wake_shared->launcher, 0);
		pg_atomic_init_u64(&wa_wake_shared->launcher_alive_at, 0);
		pg_atomic_init_u32(&wa_wake_shared->scan, 0);
		pg_atomic_init_u32(&wa_wake_shared->waiting, 0);
		pg_atomic_init_u64(&wa_wake_shared->first_xid, 0);
		wa_wake_shared->serial = 0;
		wa_wake_shared->no_room = false;
		wa_wake_shared->start_after =
			TimestampTzPlusMilliseconds(now, wait_after_crash(now));
		for (int i = 0; i < WA_PROGRESS_ROWS; i++)
			wa_wake_progress_init(&wa_wake_shared->progress[i]);
		for (int i = 0; i < WA_SLOTS; i++)
		{
			pg_atomic_init_u32(&wa_wake_shared->databases[i], InvalidOid);
			init_slot(&wa_wake_shared->slots[i]);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * Called once from _PG_init, while the library is being preloaded: asks for the
 * memory.
 */
void
wa_wake_init(void)
{
	previous_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup_memory;
}

/*
 * Is there shared memory, and so a launcher to be woken?
 */
bool
wa_wake_preloaded(void)
{
	return wa_wake_shared != NULL;
}

/*
 * Is the launcher's process there?  False on a standby.
 */
bool
wa_wake_launcher_running(void)
{
	return wa_wake_shared != NULL && pg_atomic_read_u64(&wa_wake_shared->launcher) != 0;
}

/*
 * The slot of a database, or -1.  Takes no lock: the answer holds as long as
 * the database exists, because only the launcher frees slots, and only those
 * of databases that are gone or were visited without finding the extension.
 */
int
wa_wake_slot_find(Oid database)
{
	if (wa_wake_shared == NULL || !OidIsValid(database))
		return -1;
	if (database == MyDatabaseId && own_slot >= 0 &&
		pg_atomic_read_u32(&wa_wake_shared->databases[own_slot]) == database)
		return own_slot;
	for (int i = 0; i < WA_SLOTS; i++)
	{
		if (pg_atomic_read_u32(&wa_wake_shared->databases[i]) == database)
		{
			if (database == MyDatabaseId)
				own_slot = i;
			return i;
		}
	}
	return -1;
}

/*
 * Take a free slot for a database that has none; -1 if all are in use.
 * The caller holds wa_wake_lock exclusively and has looked with wa_wake_slot_find().
 */
int
wa_wake_slot_take(Oid database)
{
	Assert(LWLockHeldByMeInMode(wa_wake_lock, LW_EXCLUSIVE));
	for (int i = 0; i < WA_SLOTS; i++)
	{
		WaSlot	   *slot = &wa_wake_shared->slots[i];

		if (slot->state != WA_SLOT_FREE)
			continue;
		init_slot(slot);
		slot->state = WA_SLOT_UNKNOWN;
		slot->serial = ++wa_wake_shared->serial;
		pg_atomic_write_u64(&slot->taken_at, GetCurrentTimestamp());
		pg_write_barrier();
		pg_atomic_write_u32(&wa_wake_shared->databases[i], database);
		return i;
	}
	return -1;
}

/*
 * Give a slot back.  The caller holds wa_wake_lock exclusively; no worker may be
 * attached.
 */
void
wa_wake_slot_free(int index)
{
	Assert(LWLockHeldByMeInMode(wa_wake_lock, LW_EXCLUSIVE));
	Assert(pg_atomic_read_u64(&wa_wake_shared->slots[index].process) == 0);
	pg_atomic_write_u32(&wa_wake_shared->databases[index], InvalidOid);
	wa_wake_shared->slots[index].state = WA_SLOT_FREE;
}

/*
 * Does a time set with at most "at_most_ms" ahead still lie in the future?
 * Where the clock was set back, waiting longer than that would be a freeze:
 * the time then counts as passed.
 */
bool
wa_wake_time_ahead(TimestampTz until, TimestampTz now, int at_most_ms)
{
	return until > now &&
		until <= TimestampTzPlusMilliseconds(now, at_most_ms);
}

/*
 * Ask the slot's worker to leave, at least as urgently as this.  Does not
 * wake it.
 */
void
wa_wake_slot_raise_leave(WaSlot *slot, WaLeave leave)
{
	uint32		old = pg_atomic_read_u32(&slot->leave);

	while (old < (uint32) leave &&
		   !pg_atomic_compare_exchange_u32(&slot->leave, &old, leave))
		;
}

/*
 * Keep workers out of a database for the next seconds, the one that is there
 * or is just starting included.  A start is decided under the same lock, so
 * each start comes either before (and its worker finds the request when it
 * attaches or connects) or sees the hold-off.
 */
void
wa_wake_slot_hold_off(Oid database)
{
	int			index;

	if (wa_wake_shared == NULL)
		return;

	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	index = wa_wake_slot_find(database);
	if (index < 0)
		index = wa_wake_slot_take(database);
	if (index >= 0)
	{
		WaSlot	   *slot = &wa_wake_shared->slots[index];

		slot->hold_off_until =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(), WA_HOLD_OFF);
		wa_wake_slot_raise_leave(slot, WA_LEAVE_NOW);
	}
	LWLockRelease(wa_wake_lock);

	/* its worker, or the launcher, whose sleep must end with the hold-off */
	if (index >= 0)
		wa_wake_slot_wake(&wa_wake_shared->slots[index]);
}

/*
 * Called by a worker before it connects.  False if this start is no longer
 * wanted: the slot went to another database, or the launcher gave up on this
 * start.  The process must then end without another word.
 */
bool
wa_wake_slot_attach(int index, const WaWorkerArgs *args)
{
	WaSlot	   *slot;
	bool		wanted;

	if (wa_wake_shared == NULL || index < 0 || index >= WA_SLOTS)
		return false;
	slot = &wa_wake_shared->slots[index];

	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	wanted = pg_atomic_read_u32(&wa_wake_shared->databases[index]) == args->database &&
		slot->state == WA_SLOT_STARTING &&
		slot->start_serial == args->serial &&
		pg_atomic_read_u64(&slot->process) == 0;
	if (wanted)
	{
		pg_atomic_write_u64(&slot->busy_since, GetCurrentTimestamp());
		pg_atomic_write_u64(&slot->alive_at, GetCurrentTimestamp());
		pg_atomic_write_u64(&slot->process, wa_wake_process_self());
	}
	LWLockRelease(wa_wake_lock);
	return wanted;
}

/*
 * The worker has connected and found the extension.  False if it was asked
 * to leave meanwhile.
 */
bool
wa_wake_slot_running(int index)
{
	WaSlot	   *slot = &wa_wake_shared->slots[index];
	bool		stay;

	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	slot->state = WA_SLOT_RUNNING;
	slot->visit = false;
	slot->version_logged = false;
	pg_atomic_write_u64(&slot->busy_since, GetCurrentTimestamp());
	stay = pg_atomic_read_u32(&slot->leave) == WA_LEAVE_NO;
	LWLockRelease(wa_wake_lock);
	return stay;
}

/*
 * The worker's process ends (called while it exits: no errors, no memory).
 *
 * how: see WaExit; stay_away: ended from outside, so keep out for a while;
 * visit: there is more to do, start again as soon as allowed; next_due: the
 * next work known, 0 for none, used only with WA_EXIT_LEFT.
 *
 * The launcher looks again whenever a worker leaves, so a bit that was set
 * between our last look and now is not lost.
 */
void
wa_wake_slot_detach(int index, WaExit how, bool stay_away, bool visit,
					TimestampTz next_due)
{
	WaSlot	   *slot = &wa_wake_shared->slots[index];
	TimestampTz now = GetCurrentTimestamp();
	bool		was_running;

	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	was_running = (slot->state == WA_SLOT_RUNNING);
	if (was_running &&
		TimestampDifferenceExceeds(slot->started_at, now, WA_HEALTHY))
		slot->failures = 0;
	slot->retry_at = 0;
	switch (how)
	{
		case WA_EXIT_LEFT:
			slot->state = WA_SLOT_IDLE;
			slot->next_due = next_due;
			slot->visit = slot->visit || visit;
			slot->failures = 0;
			break;
		case WA_EXIT_ABSENT:
			slot->state = WA_SLOT_ABSENT;
			slot->next_due = 0;
			slot->visit = false;
			slot->failures = 0;
			pg_atomic_write_u32(&slot->pending, 0);
			break;
		case WA_EXIT_REFUSED:
			slot->state = WA_SLOT_UNKNOWN;
			slot->visit = true;
			slot->retry_at = TimestampTzPlusMilliseconds(now,
														 WA_LONGEST_BACKOFF);
			break;
		case WA_EXIT_EARLY:
			slot->state = WA_SLOT_UNKNOWN;
			slot->visit = true;
			break;
		case WA_EXIT_FAILED:
			slot->state = was_running ? WA_SLOT_IDLE : WA_SLOT_UNKNOWN;
			slot->visit = true;
			if (!stay_away)
			{
				int			wait = 1000 << Min(slot->failures, 6);

				slot->failures++;
				slot->retry_at =
					TimestampTzPlusMilliseconds(now,
												Min(wait, WA_LONGEST_BACKOFF));
			}
			break;
	}
	if (stay_away)
	{
		slot->hold_off_until = TimestampTzPlusMilliseconds(now, WA_HOLD_OFF);
		slot->visit = true;
	}
	slot->pressed_at = slot->ended_at = 0;
	pg_atomic_write_u64(&slot->progress_at, 0);
	pg_atomic_write_u64(&slot->busy_since, 0);
	pg_atomic_write_u64(&slot->process, 0);
	LWLockRelease(wa_wake_lock);
	wa_wake_launcher();
}

/*
 * Should this process have given a sign of life by now?  It comes round once a
 * minute at least, and at once when there is work.
 */
static bool
is_silent(TimestampTz alive_at, TimestampTz asked_at, TimestampTz now)
{
	if (alive_at == 0)
		return false;
	if (asked_at > alive_at && TimestampDifferenceExceeds(asked_at, now, WA_LONGEST_ANSWER))
		return true;
	return TimestampDifferenceExceeds(alive_at, now, WA_LONGEST_SLEEP + WA_LONGEST_ANSWER);
}

/*
 * Which process that the database's work waits for is silent, if any: its
 * worker, or without one the launcher.
 */
static void
find_silent(WaSlot *slot, WaSlotInfo *info)
{
	uint64		process = pg_atomic_read_u64(&slot->process);
	TimestampTz alive_at = (TimestampTz)
		pg_atomic_read_u64(process != 0 ? &slot->alive_at : &wa_wake_shared->launcher_alive_at);
	TimestampTz asked_at = info->pending ?
		(TimestampTz) pg_atomic_read_u64(&slot->asked_at) : 0;

	if (process == 0)
		process = pg_atomic_read_u64(&wa_wake_shared->launcher);
	if (process == 0 || !is_silent(alive_at, asked_at, GetCurrentTimestamp()))
		return;
	info->silent_pid = (int) (process & PG_UINT32_MAX);
	info->silent_since = alive_at;
}

/*
 * A copy of a database's slot.  False if there is none: not preloaded, or the
 * launcher has not seen the database yet.
 */
bool
wa_wake_slot_info(Oid database, WaSlotInfo *info)
{
	WaSlot	   *slot;
	int			index;

	memset(info, 0, sizeof(*info));
	if (wa_wake_shared == NULL)
		return false;

	LWLockAcquire(wa_wake_lock, LW_SHARED);
	index = wa_wake_slot_find(database);
	if (index < 0)
	{
		LWLockRelease(wa_wake_lock);
		return false;
	}
	slot = &wa_wake_shared->slots[index];
	info->state = slot->state;
	info->pid = (int) (pg_atomic_read_u64(&slot->process) & PG_UINT32_MAX);
	info->pending = pg_atomic_read_u32(&slot->pending) != 0;
	info->next_due = slot->next_due;
	info->hold_off_until =
		wa_wake_time_ahead(slot->hold_off_until, GetCurrentTimestamp(),
						   WA_HOLD_OFF) ? slot->hold_off_until : 0;
	for (int i = 0; i < WA_DROP_COUNT; i++)
		info->dropped[i] = pg_atomic_read_u64(&slot->dropped[i]);
	info->first_drop = (TimestampTz) pg_atomic_read_u64(&slot->first_drop);
	info->last_drop = (TimestampTz) pg_atomic_read_u64(&slot->last_drop);
	info->waiting_since = slot->waiting_since;
	info->no_room = wa_wake_shared->no_room;
	info->stuck_since = (TimestampTz) pg_atomic_read_u64(&slot->progress_at);
	if (info->stuck_since != 0 &&
		!TimestampDifferenceExceeds(info->stuck_since, GetCurrentTimestamp(),
									wa_guc_worker_patience * 1000))
		info->stuck_since = 0;
	info->no_sender = pg_atomic_read_u32(&slot->no_sender) != 0;
	info->trouble = slot->trouble;
	info->refused_webhooks = pg_atomic_read_u64(&slot->refused_webhooks);
	info->last_refused_webhook = (TimestampTz) pg_atomic_read_u64(&slot->last_refused_webhook);
	find_silent(slot, info);
	LWLockRelease(wa_wake_lock);
	return true;
}

/*
 * The worker of the current database could load the sender's module, or not:
 * for wa_status().
 */
void
wa_wake_note_sender(bool loaded)
{
	int			index = wa_wake_slot_find(MyDatabaseId);

	if (index >= 0)
		pg_atomic_write_u32(&wa_wake_shared->slots[index].no_sender, !loaded);
}

/*
 * Why the current database may not send; NULL: it may.  True if this is
 * another reason than last time, also if that was another process: then it
 * is to be said.
 */
bool
wa_wake_new_reason(const char *why)
{
	uint32		hash = why ? hash_bytes((const unsigned char *) why, strlen(why)) | 1 : 0;
	int			index = wa_wake_slot_find(MyDatabaseId);

	if (index < 0)
		return why != NULL;
	return pg_atomic_exchange_u32(&wa_wake_shared->slots[index].stopped_why, hash) != hash &&
		why != NULL;
}
