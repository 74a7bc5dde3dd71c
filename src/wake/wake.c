/*-------------------------------------------------------------------------
 *
 * wake.c
 *		Telling worker and launcher that something was committed.
 *
 * The transaction callback is registered once per process: the server's list
 * of callbacks only grows, and one entry per transaction would slow a session
 * down without limit.  It runs after the commit is visible to others and must
 * neither raise errors nor allocate nor look at catalogs.
 *
 * COMMIT PREPARED runs in another session, which wakes in place of the one
 * that prepared (see utility_hook.c).  Rows that arrive by replication wake
 * nobody; the launcher's sweep finds those.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "pg/pg_compat.h"
#include "wake/slot.h"

/* What the current transaction wants done when it commits. */
#define WANT_WAKE		0x01	/* there is work in this database */
#define WANT_RELOAD		0x02	/* its configuration changed */
#define WANT_REVISIT	0x04	/* the extension came, went or changed */
#define WANT_SCAN		0x08	/* the list of databases changed */
#define WANT_FEEDBACK	0x10	/* a provider has told something */

static int	wanted = 0;
static bool registered = false;

/* Does this process send what it makes, before it waits for anything? */
static bool sending_follows = false;

/* Of the configuration, and of webhooks, that this worker has read. */
static uint32 generation = 0;
static uint32 feedback = 0;

/*
 * How other processes find this one: the number of its PGPROC, whose latch is
 * always valid memory, and its pid, as proof that it is still the same.
 */
uint64
wa_wake_process_self(void)
{
	return ((uint64) wa_my_proc_number() << 32) | (uint32) MyProcPid;
}

/*
 * Set the latch of a process, if it is still there.  0: nobody.
 */
static void
wake_process(uint64 process)
{
	uint32		number = (uint32) (process >> 32);
	int			pid = (int) (process & PG_UINT32_MAX);
	PGPROC	   *proc;

	if (pid == 0 || number >= ProcGlobal->allProcCount)
		return;
	proc = GetPGProcByNumber(number);
	if (proc->pid == pid)
		SetLatch(&proc->procLatch);
}

void
wa_wake_launcher(void)
{
	wake_process(pg_atomic_read_u64(&wa_wake_shared->launcher));
}

/*
 * Wake the slot's worker, or where there is none the launcher.
 */
void
wa_wake_slot_wake(WaSlot *slot)
{
	uint64		process = pg_atomic_read_u64(&slot->process);

	if (process != 0)
		wake_process(process);
	else
		wa_wake_launcher();
}

/*
 * The transaction that wanted something is committed.
 */
static void
act_on_commit(int what)
{
	int			index = wa_wake_slot_find(MyDatabaseId);

	if (what & (WANT_WAKE | WANT_RELOAD | WANT_REVISIT))
	{
		if (index >= 0)
		{
			WaSlot	   *slot = &wa_wake_shared->slots[index];
			bool		wake = false;

			if (what & WANT_FEEDBACK)
				pg_atomic_fetch_add_u32(&slot->feedback, 1);
			if (what & WANT_RELOAD)
			{
				pg_atomic_fetch_add_u32(&slot->generation, 1);
				wake = true;
			}
			if (what & WANT_REVISIT)
			{
				pg_atomic_write_u32(&slot->revisit, 1);
				wa_wake_slot_raise_leave(slot, WA_LEAVE_DONE);
				wake = true;
			}
			if ((what & WANT_WAKE) &&
				pg_atomic_exchange_u32(&slot->pending, 1) == 0)
			{
				pg_atomic_write_u64(&slot->asked_at, (uint64) GetCurrentTimestamp());
				wake = true;
			}
			pg_memory_barrier();
			if (wake)
				wa_wake_slot_wake(slot);
		}
		else
		{
			/* not seen by the launcher yet, or all slots in use */
			pg_atomic_write_u32(&wa_wake_shared->scan, 1);
			what |= WANT_SCAN;
		}
	}
	if (what & WANT_SCAN)
		wa_wake_launcher();
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	int			what = wanted;

	if (what == 0)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			wanted = 0;
			act_on_commit(what);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			wanted = 0;
			break;
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			break;
	}
}

static void
want_at_commit(int what)
{
	if (wa_wake_shared == NULL)
		return;
	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		registered = true;
	}
	wanted |= what;
}

/*
 * When the current transaction commits, let this database's worker look for
 * work.  Does nothing where the library is not preloaded.  Cheap enough to be
 * called for every row; a subtransaction that is rolled back costs one look
 * in vain.
 */
void
wa_wake_at_commit(void)
{
	want_at_commit(WANT_WAKE);
}

/*
 * The same, and let it read the configuration tables again.
 */
void
wa_wake_reload_at_commit(void)
{
	want_at_commit(WANT_WAKE | WANT_RELOAD);
}

/*
 * The same, and let it look at what providers have told.
 */
void
wa_wake_feedback_at_commit(void)
{
	want_at_commit(WANT_WAKE | WANT_FEEDBACK);
}

/*
 * wa_wake_at_commit() for messages that were made.  Where a round of sending
 * follows anyway, to be woken for them would be one round more, of nothing.
 */
void
wa_wake_sender_at_commit(void)
{
	if (!sending_follows)
		wa_wake_at_commit();
}

/*
 * For the worker: does a round of sending follow on what it makes from here on?
 */
void
wa_wake_sending_follows(bool follows)
{
	sending_follows = follows;
}

/*
 * When the current transaction commits, let the launcher compare its slots
 * with pg_database.
 */
void
wa_wake_scan_at_commit(void)
{
	want_at_commit(WANT_SCAN);
}

/*
 * When the current transaction commits, forget what is known about the
 * extension in this database: a worker leaves, and another one looks.
 */
void
wa_wake_revisit_at_commit(void)
{
	want_at_commit(WANT_REVISIT);
}

static uint32
generation_now(void)
{
	int			index = wa_wake_slot_find(MyDatabaseId);

	return index < 0 ? generation :
		pg_atomic_read_u32(&wa_wake_shared->slots[index].generation);
}

/*
 * For the worker, before it reads its configuration: has it changed since this
 * was asked last?
 */
bool
wa_wake_reload_take(void)
{
	uint32		now = generation_now();
	bool		changed = now != generation;

	generation = now;
	return changed;
}

/*
 * Has the configuration changed since it was read?  Seen from whatever is made
 * after the change.
 */
bool
wa_wake_reload_waits(void)
{
	pg_memory_barrier();
	return generation != generation_now();
}

/*
 * For the worker, before it looks at what providers have told: is there more
 * since this was asked last?
 */
bool
wa_wake_feedback_take(void)
{
	int			index = wa_wake_slot_find(MyDatabaseId);
	uint32		now = index < 0 ? feedback : pg_atomic_read_u32(&wa_wake_shared->slots[index].feedback);
	bool		more = now != feedback;

	feedback = now;
	return more;
}
