/*-------------------------------------------------------------------------
 *
 * launcher.c
 *		Decides when which database gets a worker.
 *
 * One static process, connected to no database, so that it is in nobody's
 * way.  From there it can read pg_database and pg_authid, but not whether a
 * database has the extension; only a worker inside can tell.  So each
 * database is visited once after a start of the server (and after a crash,
 * which empties shared memory); from then on a worker starts when a commit
 * set the pending bit, when the next work known is due, and in a sweep for
 * whatever reached the tables without waking anybody: a few databases each
 * minute, so that many of them cost no more than a few, and each at most once
 * in a quarter of an hour.
 *
 * States of a slot:
 *
 *	FREE -> UNKNOWN			the database was seen in pg_database
 *	UNKNOWN -> STARTING		a worker is registered
 *	STARTING -> RUNNING		it has connected and found the extension
 *	STARTING -> ABSENT		it has connected and not found it
 *	STARTING -> UNKNOWN		it died, or was asked to leave, before that
 *	RUNNING -> IDLE			it left, or died
 *	RUNNING -> ABSENT		the extension was dropped
 *	IDLE, ABSENT -> STARTING	as above; -> UNKNOWN after CREATE EXTENSION
 *	any -> FREE				the database is gone and no worker is attached
 *
 * Changes into STARTING are made by the launcher (pool.c), those out of it by
 * the worker itself as it connects and exits (shmem.c), all under one lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/transam.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/sinval.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "pg/pg_compat.h"
#include "sicantik_wa.h"
#include "wake/slot.h"
#include "worker/clock_step.h"
#include "worker/launcher.h"
#include "worker/process.h"
#include "worker/worker.h"

#define SWEEP_EVERY			60000	/* milliseconds */
#define SWEEP_AT_ONCE		4	/* databases */
#define SWEPT_FOR			(15 * 60 * 1000)	/* then a database is due
												 * again */

static MemoryContext pass_context = NULL;
static TimestampTz last_sweep = 0;
static bool was_enabled = false;
static int64 clock_offset = 0;	/* at the last pass */

/*
 * Fill in the static worker and register it; called while preloading.
 */
void
wa_worker_launcher_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	/* not on a standby; at once when it is promoted */
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 5;
	strlcpy(worker.bgw_library_name, "sicantik_wa",
			sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "wa_worker_launcher_main",
			sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "sicantik_wa launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "sicantik_wa launcher", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
}

static void
handle_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;

	if (wa_worker_roster_reading)
		wa_die();
	ShutdownRequestPending = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

static void
leave_shared(int code, Datum arg)
{
	pg_atomic_write_u64(&wa_wake_shared->launcher, 0);
}

/*
 * Mark every database for a visit.
 */
static void
visit_all(void)
{
	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	for (int i = 0; i < WA_SLOTS; i++)
	{
		WaSlot	   *slot = &wa_wake_shared->slots[i];

		if (slot->state == WA_SLOT_IDLE || slot->state == WA_SLOT_ABSENT)
			slot->visit = true;
	}
	LWLockRelease(wa_wake_lock);
}

/*
 * Mark the databases for a visit that have been longest without a worker, as
 * many as one sweep takes.
 */
static void
visit_some(TimestampTz now)
{
	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	for (int n = 0; n < SWEEP_AT_ONCE; n++)
	{
		WaSlot	   *oldest = NULL;

		for (int i = 0; i < WA_SLOTS; i++)
		{
			WaSlot	   *slot = &wa_wake_shared->slots[i];

			if ((slot->state != WA_SLOT_IDLE && slot->state != WA_SLOT_ABSENT) ||
				slot->visit || !slot->can_login ||
				wa_wake_time_ahead(TimestampTzPlusMilliseconds(slot->started_at, SWEPT_FOR),
								   now, SWEPT_FOR))
				continue;
			if (oldest == NULL || slot->started_at < oldest->started_at)
				oldest = slot;
		}
		if (oldest == NULL)
			break;
		oldest->visit = true;
	}
	LWLockRelease(wa_wake_lock);
}

/*
 * Mark what is to be visited now, if it is time.  True if that was everything.
 */
static bool
sweep(TimestampTz now)
{
	bool		all = wa_guc_enabled && !was_enabled;
	int64		offset = wa_worker_clock_offset();

	/* due times are times of day: each database's worker puts them right */
	if (clock_offset != 0 && wa_worker_clock_differs(clock_offset, offset))
		all = true;
	clock_offset = offset;
	was_enabled = wa_guc_enabled;
	if (last_sweep == 0)
		last_sweep = now;		/* all are unknown anyway */
	if (all)
		visit_all();
	else if (!wa_wake_time_ahead(TimestampTzPlusMilliseconds(last_sweep, SWEEP_EVERY),
								 now, SWEEP_EVERY))
	{
		visit_some(now);
		last_sweep = now;
	}
	return all;
}

/*
 * One pass: compare, decide, start.  Returns how long to sleep.
 */
static long
run_pass(void)
{
	TimestampTz now;
	TimestampTz compare_at;
	bool		reclaim;
	int			waiting;
	long		wait;

	pgstat_report_activity(STATE_RUNNING, "looking after workers");
	reclaim = sweep(GetCurrentTimestamp());
	if (pg_atomic_exchange_u32(&wa_wake_shared->scan, 0) != 0)
		reclaim = true;
	compare_at = wa_worker_roster_compare(reclaim);

	now = GetCurrentTimestamp();
	wa_worker_pool_check_starts(now);
	waiting = wa_worker_pool_start_workers(now);
	wa_worker_pool_ask_to_leave(waiting, now);
	wait = wa_worker_pool_sleep_time(waiting, now);
	if (compare_at > now)
		wait = Min(wait, TimestampDifferenceMilliseconds(now, compare_at));
	pgstat_report_activity(STATE_IDLE, NULL);
	return wait;
}

/*
 * Entry point of the launcher.
 */
void
wa_worker_launcher_main(Datum main_arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, handle_sigterm);
	BackgroundWorkerUnblockSignals();

	if (wa_wake_shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sicantik_wa must be loaded by shared_preload_libraries")));
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	wa_worker_pool_init();
	pass_context = AllocSetContextCreate(TopMemoryContext,
										 "sicantik_wa launcher pass",
										 ALLOCSET_DEFAULT_SIZES);
	before_shmem_exit(leave_shared, (Datum) 0);
	pg_atomic_write_u64(&wa_wake_shared->launcher_alive_at, (uint64) GetCurrentTimestamp());
	pg_atomic_write_u64(&wa_wake_shared->launcher, wa_wake_process_self());
	if (pg_atomic_read_u64(&wa_wake_shared->first_xid) == 0)
		pg_atomic_write_u64(&wa_wake_shared->first_xid,
							U64FromFullTransactionId(ReadNextFullTransactionId()));
	was_enabled = wa_guc_enabled;
	if (wa_wake_time_ahead(wa_wake_shared->start_after, GetCurrentTimestamp(),
						   WA_LONGEST_CRASH_WAIT))
		ereport(LOG,
				(errmsg("sicantik_wa launcher started; workers wait %ld ms because the server has just recovered from a crash",
						TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														wa_wake_shared->start_after))));
	else
		ereport(LOG, (errmsg("sicantik_wa launcher started")));

	for (;;)
	{
		long		wait;

		ResetLatch(MyLatch);
		pg_atomic_write_u64(&wa_wake_shared->launcher_alive_at, (uint64) GetCurrentTimestamp());
		QueryCancelPending = false;
		CHECK_FOR_INTERRUPTS();
		if (ShutdownRequestPending)
			proc_exit(1);
		if (catchupInterruptPending)
			ProcessCatchupInterrupt();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}

		MemoryContextSwitchTo(pass_context);
		wait = run_pass();
		MemoryContextSwitchTo(TopMemoryContext);
		MemoryContextReset(pass_context);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT |
						 WL_EXIT_ON_PM_DEATH, Min(wait, WA_LONGEST_SLEEP),
						 PG_WAIT_EXTENSION);
	}
}
