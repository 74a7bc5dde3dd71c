/*-------------------------------------------------------------------------
 *
 * worker.c
 *		The process that serves one database: its frame, not its work.
 *
 * It connects as the database's owner, so that the application, which ends
 * all sessions of a database before it copies, renames or drops it, can end
 * this one too.  It starts on demand and leaves when idle, when asked to, or
 * when ended from outside; requests on the wire get a short grace, then their
 * outcome is recorded as in doubt.
 *
 * Between two steps of work it holds no transaction and no lock except an
 * advisory one that no user can reach, so it is in nobody's way; and it comes
 * by CHECK_FOR_INTERRUPTS() at least once a minute, because DROP DATABASE of
 * any database waits for every process to do so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/sinval.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "pg/app_limit.h"
#include "pg/pg_compat.h"
#include "sicantik_wa.h"
#include "wake/slot.h"
#include "wake/stat.h"
#include "worker/clock_step.h"
#include "worker/process.h"
#include "worker/worker.h"

/* milliseconds */
#define FIRST_ERROR_WAIT	1000
#define NEXT_ERROR_WAIT		5000
#define SHORTEST_DUE_WAIT	50	/* between two runs for a passed due time */
#define OVERDUE_CHECK		500 /* how often a step looks whether it must end */
#define CHECK_EXTENSION		1000	/* at most so often between runs */
#define LONGEST_KEPT		(5 * 60 * 1000) /* by a lock, with an answer */
#define RECORD_AGAIN		100
#define LONGEST_DDL_GRACE	3000	/* the server waits 5 s for us to go */

#define SAME_SIGTERM_US		(100 * 1000)	/* no second one before */

#define ERRORS_TOLERATED	3	/* in a row, then the process ends */
#define ERRORS_WITH_RESULTS	60	/* the same, where answers would be lost */

/* The parts of the work that may raise errors. */
typedef enum Step
{
	STEP_LOOK,					/* is the extension still there? */
	STEP_OPEN,
	STEP_RUN,
	STEP_DRAIN,					/* run, but start nothing new */
	STEP_DRIVE,
	STEP_RELOAD,
	STEP_CLOSE
} Step;

static int	my_index = -1;
static WaSlot *my_slot = NULL;

/* Set by the handler of the first SIGTERM. */
static volatile sig_atomic_t terminated = false;
static volatile TimestampTz terminated_at = 0;

/* For the exit callback. */
static WaExit exit_how = WA_EXIT_FAILED;
static bool exit_visit = false;

static TimeoutId overdue_timeout;
static TimestampTz asked_at = 0;	/* when a step first saw WA_LEAVE_NOW */
static TimestampTz next_due = 0;
static bool more_work = false;	/* the last run said so, or has failed */
static int	failed_steps = 0;	/* in a row, also of the worker before */
static WaExtension extension = WA_EXTENSION_ABSENT;
static TimestampTz extension_seen_at = 0;

/* Why we could not connect, if we could not. */
static char no_start[WA_TROUBLE_BYTES] = "";
static emit_log_hook_type previous_log_hook = NULL;

static WaitEventSet *wait_set = NULL;
static pgsocket wait_fd = PGINVALID_SOCKET;

/*
 * First SIGTERM: stop sending, grace, record, leave.  Second: at once.  The
 * postmaster signals a child and then its process group, so one wish may come
 * as two signals (signal_child() in postmaster.c): what follows within a
 * moment is the same one.
 */
static void
handle_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;
	TimestampTz now = GetCurrentTimestamp();

	if (!terminated)
	{
		terminated_at = now;
		terminated = true;
		SetLatch(MyLatch);
	}
	else if (now < terminated_at || now - terminated_at > SAME_SIGTERM_US)
		wa_die();
	errno = save_errno;
}

/*
 * Runs in a signal handler, every half second while a step is at work: a
 * statement that takes long (a huge transaction to read, a standby that does
 * not confirm) must not outlive the grace, because a shutdown or somebody's
 * DROP DATABASE waits for us.
 */
static void
check_overdue(void)
{
	TimestampTz now = GetCurrentTimestamp();

	pg_atomic_write_u64(&my_slot->alive_at, (uint64) now);
	if (terminated)
	{
		if (TimestampDifferenceExceeds(terminated_at, now,
									   wa_guc_shutdown_grace + OVERDUE_CHECK))
		{
			ProcDiePending = true;
			InterruptPending = true;
		}
	}
	else if (pg_atomic_read_u32(&my_slot->leave) == WA_LEAVE_NOW)
	{
		if (asked_at == 0)
			asked_at = now;
		else if (TimestampDifferenceExceeds(asked_at, now,
											Min(wa_guc_shutdown_grace,
												LONGEST_DDL_GRACE)))
		{
			QueryCancelPending = true;
			InterruptPending = true;
		}
	}
}

/*
 * What sits in one thing for too long is ended when others wait (pool.c), so
 * a long step says when it comes forward.
 */
static void
note_progress(void)
{
	pg_atomic_write_u64(&my_slot->progress_at, (uint64) GetCurrentTimestamp());
}

/*
 * emit_log_hook until we are connected: what the server ends us with is known
 * nowhere else, and wa_check() is to say it.
 */
static void
note_no_start(ErrorData *error)
{
	if (error->elevel >= FATAL && error->message && error->sqlerrcode != ERRCODE_ADMIN_SHUTDOWN)
		strlcpy(no_start, error->message, sizeof(no_start));
	if (previous_log_hook)
		previous_log_hook(error);
}

/*
 * Whatever ends this process, its slot is given up, and the launcher told.
 */
static void
leave_slot(int code, Datum arg)
{
	if (no_start[0] != '\0')
		wa_wake_note_no_start(my_index, no_start);
	wa_wake_slot_detach(my_index, exit_how, terminated || ProcDiePending,
						exit_visit, next_due);
}

/*
 * Look for the extension, in a transaction of its own.
 */
static void
look_for_extension(void)
{
	WaBuildDifference difference;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	extension = wa_worker_session_extension(&difference);
	CommitTransactionCommand();
	extension_seen_at = GetCurrentTimestamp();
}

/*
 * A step has ended in this error; wa_check() names a worker that comes no
 * further.  To be told to leave is none.
 */
static void
note_failure(const ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		return;
	wa_wake_stat_add(WA_STAT_FAILED_ROUNDS, 1);
	wa_wake_note_trouble(WA_TROUBLE_ROUNDS, ++failed_steps, error->message);
}

/*
 * Take one step.  False if it raised an error, which then has been reported
 * and its transaction rolled back.
 */
static bool
take_step(Step step)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool done = false;

	pgstat_report_activity(STATE_RUNNING,
						   step == STEP_OPEN ? "starting" :
						   step == STEP_CLOSE ? "recording what is in doubt" :
						   step == STEP_DRIVE ? "sending" : "working");
	asked_at = 0;
	note_progress();
	enable_timeout_every(overdue_timeout,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 OVERDUE_CHECK),
						 OVERDUE_CHECK);
	PG_TRY();
	{
		switch (step)
		{
			case STEP_LOOK:
				look_for_extension();
				break;
			case STEP_OPEN:
				wa_worker_round_open();
				break;
			case STEP_RUN:
				more_work = wa_worker_round_run(true, &next_due);
				break;
			case STEP_DRAIN:
				(void) wa_worker_round_run(false, &next_due);
				break;
			case STEP_DRIVE:
				wa_worker_round_drive();
				break;
			case STEP_RELOAD:
				wa_worker_round_reload();
				break;
			case STEP_CLOSE:
				wa_worker_round_close();
				break;
		}
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		HOLD_INTERRUPTS();
		disable_timeout(overdue_timeout, false);
		EmitErrorReport();
		/* out of subtransactions, too, where one could not be ended */
		AbortOutOfAnyTransaction();
		wa_wake_progress_end_all();
		wa_wake_sending_follows(false);
		/* what was made is not sent: whoever comes after us is to look */
		more_work = true;
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		note_failure(error);
		FreeErrorData(error);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	disable_timeout(overdue_timeout, false);
	pg_atomic_write_u64(&my_slot->progress_at, 0);
	QueryCancelPending = false;
	MemoryContextSwitchTo(context);
	Assert(!IsTransactionState());
	(void) wa_wake_stat_stage(WA_STAT_OTHER_TIME);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	return done;
}

/*
 * Wait until the latch is set, the requests need attention or the time is
 * over.  True if wa_worker_round_drive() has something to do.
 */
static bool
wait_for_events(long timeout_ms)
{
	pgsocket	fd = wa_worker_round_fd();
	WaitEvent	events[3];
	bool		readable = false;
	int			count;

	if (wait_set != NULL && fd != wait_fd)
	{
		FreeWaitEventSet(wait_set);
		wait_set = NULL;
	}
	if (wait_set == NULL)
	{
		wait_set = wa_create_wait_event_set(3);
		AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch,
						  NULL);
		AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET,
						  NULL, NULL);
		if (fd != PGINVALID_SOCKET)
			AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, fd, NULL, NULL);
		wait_fd = fd;
	}

	(void) wa_wake_stat_stage(wa_worker_round_in_flight() > 0 ? WA_STAT_WAIT_TIME : WA_STAT_IDLE_TIME);
	count = WaitEventSetWait(wait_set, timeout_ms, events, lengthof(events),
							 PG_WAIT_EXTENSION);
	(void) wa_wake_stat_stage(WA_STAT_OTHER_TIME);
	for (int i = 0; i < count; i++)
	{
		if (events[i].events & WL_SOCKET_READABLE)
			readable = true;
	}
	return readable;
}

/*
 * What every pass of a loop begins with.
 */
static void
begin_pass(void)
{
	ResetLatch(MyLatch);
	pg_atomic_write_u64(&my_slot->alive_at, (uint64) GetCurrentTimestamp());
	/* pg_cancel_backend() between two steps has nothing to cancel */
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	if (catchupInterruptPending)
		ProcessCatchupInterrupt();
}

static WaLeave
leave_wanted(void)
{
	WaLeave		leave = (WaLeave) pg_atomic_read_u32(&my_slot->leave);

	if (terminated)
		return WA_LEAVE_NOW;
	if (leave == WA_LEAVE_NO && !wa_guc_enabled)
		return WA_LEAVE_DONE;
	return leave;
}

/*
 * The extension is gone, or became one that we cannot serve: there is nothing
 * to record results in, so leave as we are.
 */
static void
leave_vanished(void)
{
	exit_how = extension == WA_EXTENSION_ABSENT ?
		WA_EXIT_ABSENT : WA_EXIT_EARLY;
	proc_exit(0);
}

/*
 * One look for work, after a look whether the extension is still there.
 * False after an error.
 */
static bool
look_for_work(void)
{
	if (TimestampDifferenceExceeds(extension_seen_at, GetCurrentTimestamp(),
								   CHECK_EXTENSION))
	{
		if (!take_step(STEP_LOOK))
			return false;
		if (extension != WA_EXTENSION_PRESENT)
			leave_vanished();
	}

	/* clear first: what is committed from now on sets it again */
	pg_atomic_write_u32(&my_slot->pending, 0);
	pg_memory_barrier();
	wa_wake_retry_forget();
	if (!take_step(STEP_RUN))
		return false;
	if (failed_steps > 0 && !wa_worker_round_left_out())
		wa_wake_note_trouble(WA_TROUBLE_ROUNDS, failed_steps = 0, NULL);
	return true;
}

/*
 * Start nothing, and let what is in flight finish, and answers be recorded that
 * a lock on our tables or rows keeps out: only we know them (for the grace only, if
 * somebody waits for us to be gone; a lock that somebody has forgotten does not keep
 * us for ever).
 */
static void
finish_in_flight(void)
{
	TimestampTz deadline = 0;
	TimestampTz kept_until = 0;

	while (wa_worker_round_in_flight() > 0 || wa_worker_round_answered())
	{
		TimestampTz now = GetCurrentTimestamp();
		long		wait = WA_LONGEST_SLEEP;

		begin_pass();
		if (leave_wanted() == WA_LEAVE_NOW)
		{
			int			grace = terminated ? wa_guc_shutdown_grace :
				Min(wa_guc_shutdown_grace, LONGEST_DDL_GRACE);

			if (deadline == 0)
				deadline = TimestampTzPlusMilliseconds(now, grace);
			if (!wa_wake_time_ahead(deadline, now, grace))
				break;
			wait = TimestampDifferenceMilliseconds(now, deadline);
		}
		if (wa_worker_round_answered())
		{
			if (kept_until == 0)
				kept_until = TimestampTzPlusMilliseconds(now, LONGEST_KEPT);
			if (wa_worker_round_in_flight() == 0 && !wa_wake_time_ahead(kept_until, now, LONGEST_KEPT))
				break;
			wait = Min(wait, RECORD_AGAIN);
		}
		if (wait_for_events(wait) && !take_step(STEP_DRIVE))
			break;
		if (!take_step(STEP_DRAIN))
			break;
	}
}

/*
 * Told to leave, and with nothing in flight: may we look for work once more?
 * Not where somebody waits for us to be gone, and not where messages wait, for
 * then another process has to come anyway, and their providers may be slow.
 */
static bool
may_look_again(void)
{
	return leave_wanted() == WA_LEAVE_DONE && wa_guc_enabled &&
		pg_atomic_read_u32(&my_slot->revisit) == 0 &&
		!more_work && wa_worker_round_in_flight() == 0 && wa_worker_round_waiting() == 0;
}

/*
 * Leave in good order: finish what is in flight, record, exit.
 */
static void
leave_orderly(void)
{
	bool		unfinished = more_work || wa_worker_round_in_flight() > 0;

	if (!take_step(STEP_LOOK))
		proc_exit(1);
	if (extension != WA_EXTENSION_PRESENT)
		leave_vanished();

	finish_in_flight();

	/*
	 * What we have committed ourselves set the bit, too, and what was in
	 * flight may have been the last: one more look costs less than the start
	 * of another worker, which would find nothing.
	 */
	if ((unfinished || pg_atomic_read_u32(&my_slot->pending) != 0) && may_look_again())
	{
		unfinished = !look_for_work() || more_work || wa_worker_round_in_flight() > 0;
		finish_in_flight();
	}
	if (leave_wanted() == WA_LEAVE_NOW)
		unfinished = true;
	if (take_step(STEP_CLOSE))
	{
		exit_how = WA_EXIT_LEFT;
		exit_visit = unfinished;
		proc_exit(0);
	}
	proc_exit(1);
}

/*
 * May an idle worker leave because another database waits for its place?
 * Each waiting database is answered by one worker only.
 */
static bool
make_room(void)
{
	uint32		waiting = pg_atomic_read_u32(&wa_wake_shared->waiting);

	while (waiting > 0)
	{
		if (pg_atomic_compare_exchange_u32(&wa_wake_shared->waiting, &waiting,
										   waiting - 1))
			return true;
	}
	return false;
}

/*
 * Work until there is a reason to leave.
 */
static void
serve(void)
{
	TimestampTz idle_since = GetCurrentTimestamp();
	TimestampTz retry_at = 0;
	bool		look = true;	/* a run is wanted at the next chance */
		bool		first = true;
	bool		reload = false;
	int			errors = 0;

	(void) wa_wake_reload_take();
	for (;;)
	{
		TimestampTz now;
		bool		retrying;
		bool		ok = true;
		bool		busy;
		int			idle_timeout;
		long		wait = WA_LONGEST_SLEEP;

		begin_pass();
		if (leave_wanted() != WA_LEAVE_NO)
			return;
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			wa_worker_session_pin_commit();
			reload = true;
			continue;
		}
		if (wa_wake_reload_take())
			reload = true;

		now = GetCurrentTimestamp();
		retrying = wa_wake_time_ahead(retry_at, now, NEXT_ERROR_WAIT);
		if (!retrying)
		{
			if (reload)
			{
				ok = take_step(STEP_RELOAD);
				reload = !ok;
				look = true;
			}
			if (ok && (look || wa_worker_clock_stepped() || (next_due != 0 && next_due <= now) ||
					   pg_atomic_read_u32(&my_slot->pending) != 0))
			{
				ok = look_for_work();
				look = !ok || more_work;
				if (ok)
					errors = 0;

				/*
				 * What others grant us while they wait begins here: to get
				 * ready may take all of it on a machine with much to do.
				 */
				if (first)
					pg_atomic_write_u64(&my_slot->busy_since, (uint64) GetCurrentTimestamp());
				first = false;
			}
			now = GetCurrentTimestamp();
		}

		busy = look || wa_worker_round_in_flight() + wa_worker_round_unrecorded() > 0 || wa_worker_round_beside() ||
			pg_atomic_read_u32(&my_slot->pending) != 0;
		if (!busy)
			pg_atomic_write_u64(&my_slot->busy_since, 0);
		else
		{
			idle_since = now;
			if (pg_atomic_read_u64(&my_slot->busy_since) == 0)
				pg_atomic_write_u64(&my_slot->busy_since, (uint64) now);
		}

		if (!busy)
		{
			idle_timeout = wa_guc_worker_idle_timeout * 1000;
			if (make_room())
				return;
			if (now < idle_since)
				idle_since = now;
			wait = idle_timeout -
				TimestampDifferenceMilliseconds(idle_since, now);
			if (wait <= 0)
			{
				if (next_due == 0 ||
					TimestampDifferenceExceeds(now, next_due, idle_timeout))
					return;
				wait = WA_LONGEST_SLEEP;
			}
		}
		if (look)
			wait = 0;
		if (retrying)
			wait = TimestampDifferenceMilliseconds(now, retry_at);
		else
		{
			TimestampTz unlocked = wa_wake_retry_at();

			if (next_due != 0)
				wait = Min(wait,
						   Max(TimestampDifferenceMilliseconds(now, next_due),
							   SHORTEST_DUE_WAIT));
			if (unlocked != 0)
				wait = Min(wait, Max(TimestampDifferenceMilliseconds(now, unlocked), 1));
		}

		if (ok && wait_for_events(Min(wait, WA_LONGEST_SLEEP)))
		{
			ok = take_step(STEP_DRIVE);
			look = true;
		}
		if (!ok)
		{
			/* a dropped extension is no error */
			if (take_step(STEP_LOOK) && extension != WA_EXTENSION_PRESENT)
				leave_vanished();
			/* what was answered would be in doubt for our successor */
			if (++errors >= (wa_worker_round_in_flight() + wa_worker_round_unrecorded() > 0 ?
							 ERRORS_WITH_RESULTS : ERRORS_TOLERATED))
				proc_exit(1);
			retry_at =
				TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
											errors == 1 ? FIRST_ERROR_WAIT :
											NEXT_ERROR_WAIT);
		}
	}
}

/*
 * An extension that this library must not serve: say it once.
 */
static void
refuse_extension(const WaBuildDifference *difference)
{
	bool		said;

	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	said = my_slot->version_logged;
	my_slot->version_logged = true;
	LWLockRelease(wa_wake_lock);
	if (!said && extension == WA_EXTENSION_SUBSCRIBED)
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sicantik_wa does not serve database %u: its tables of schema wa are filled by a subscription",
						MyDatabaseId)));
	else if (!said)
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sicantik_wa does not serve database %u: %s: %s",
						MyDatabaseId, wa_said_english(difference->what), wa_said_english(difference->what_to_do)),
				 errdetail("%s", difference->detail)));
}

/*
 * Entry point.  main_arg is the index of the slot; bgw_extra has the rest.
 */
void
wa_worker_main(Datum main_arg)
{
	WaWorkerArgs args;
	WaBuildDifference difference;
	bool		alone;

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	my_index = DatumGetInt32(main_arg);

	/* until connected, SIGTERM acts at once: connecting can wait for locks */
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	if (!wa_wake_slot_attach(my_index, &args))
		proc_exit(0);
	my_slot = &wa_wake_shared->slots[my_index];
	failed_steps = my_slot->trouble.n[WA_TROUBLE_ROUNDS];
	before_shmem_exit(leave_slot, (Datum) 0);
	if (pg_atomic_read_u32(&my_slot->leave) != WA_LEAVE_NO)
	{
		exit_how = WA_EXIT_EARLY;
		proc_exit(0);
	}

	previous_log_hook = emit_log_hook;
	emit_log_hook = note_no_start;
	BackgroundWorkerInitializeConnectionByOid(args.database, args.owner, 0);
	emit_log_hook = previous_log_hook;
	pqsignal(SIGTERM, handle_sigterm);
	overdue_timeout = RegisterTimeout(USER_TIMEOUT, check_overdue);
	wa_app_has_read = note_progress;
	wa_worker_keep_memory();
	wa_worker_session_pin_settings();

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	alone = wa_worker_session_lock();
	extension = wa_worker_session_extension(&difference);
	if (extension == WA_EXTENSION_OTHER || extension == WA_EXTENSION_SUBSCRIBED)
		refuse_extension(&difference);
	CommitTransactionCommand();
	extension_seen_at = GetCurrentTimestamp();

	if (extension == WA_EXTENSION_ABSENT)
	{
		exit_how = WA_EXIT_ABSENT;
		proc_exit(0);
	}
	if (extension != WA_EXTENSION_PRESENT || !alone)
	{
		exit_how = WA_EXIT_REFUSED;
		proc_exit(0);
	}
	if (!wa_wake_slot_running(my_index))
	{
		exit_how = WA_EXIT_EARLY;
		proc_exit(0);
	}

	ereport(DEBUG1,
			(errmsg_internal("sicantik_wa worker for database %u started",
							 MyDatabaseId)));
	wa_wake_note_trouble(WA_TROUBLE_STARTS, 0, NULL);
	wa_wake_stat_begin();
	if (!take_step(STEP_OPEN))
		proc_exit(1);
	serve();
	leave_orderly();
}
