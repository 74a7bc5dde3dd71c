/*-------------------------------------------------------------------------
 *
 * beside.c
 *		A process that composes beside the worker.
 *
 * Where more has changed than makes one piece (src/compose/reader.c), the worker
 * starts this process, which composes piece after piece while the worker sends
 * what is ready; when all is read it ends.  Meanwhile the worker composes
 * nothing, so that still only one process does; what both need is in
 * src/compose/together.c.  It is a convenience: if the server has no place for
 * it, if it fails, or is ended by anybody at any time, the worker goes on from
 * the last commit.
 *
 * It lives no longer than its worker, which ends it before it leaves the
 * database itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compose/compose.h"
#include "pg/flood.h"
#include "pg/pg_compat.h"
#include "wake/slot.h"
#include "wake/stat.h"
#include "worker/beside.h"
#include "worker/process.h"

/* After one that could not be started, or has failed. */
#define START_AGAIN_US		(60 * USECS_PER_SEC)

/* What the worker does by the clock must not wait for ever. */
#define LONGEST_US			(60 * USECS_PER_SEC)

/* The sender wants to ask about messages: it comes again within this time. */
#define TURN_MS				300

/* A row or table is locked for a moment. */
#define LOCKED_MS			5
#define LOCKED_TIMES		200

/* What the worker tells in bgw_extra. */
typedef struct BesideArgs
{
	Oid			database;
	Oid			owner;
	dsm_handle	share;
	uint64		worker;			/* its WaSlot.process */
} BesideArgs;

/* The worker's side. */
static BackgroundWorkerHandle *handle = NULL;
static dsm_segment * segment = NULL;
static TimestampTz start_after = 0;

/* The other's. */
static WaSlot *slot = NULL;
static bool all_read = false;

/* False: there is no room for it, in /dev/shm for example. */
static bool
make_share(void)
{
	MemoryContext context = CurrentMemoryContext;

	if (segment)
		return true;
	PG_TRY();
	{
		segment = dsm_create(wa_compose_share_size(), DSM_CREATE_NULL_IF_MAXSEGMENTS);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		EmitErrorReport();
		FlushErrorState();
	}
	PG_END_TRY();
	if (segment == NULL)
		return false;
	dsm_pin_mapping(segment);
	wa_compose_share(dsm_segment_address(segment));
	return true;
}

/*
 * Start one.  False: not now, the worker has to compose by itself.
 */
bool
wa_worker_beside_start(void)
{
	BackgroundWorker worker = {0};
	BesideArgs	args = {0};
	TimestampTz now = GetCurrentTimestamp();
	int			index = wa_wake_slot_find(MyDatabaseId);
	MemoryContext context;

	StaticAssertStmt(sizeof(BesideArgs) <= BGW_EXTRALEN, "arguments must fit into bgw_extra");

	if (index < 0 || wa_wake_time_ahead(start_after, now, START_AGAIN_US / 1000))
		return false;
	start_after = now + START_AGAIN_US;
	if (!make_share())
		return false;
	args.database = MyDatabaseId;
	args.owner = GetUserId();
	args.share = dsm_segment_handle(segment);
	args.worker = wa_wake_process_self();
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION | BGWORKER_INTERRUPTIBLE;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "sicantik_wa", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "wa_worker_beside_main", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "sicantik_wa composer for database %u", MyDatabaseId);
	strlcpy(worker.bgw_type, "sicantik_wa composer", sizeof(worker.bgw_type));
	worker.bgw_main_arg = Int32GetDatum(index);
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, &args, sizeof(args));

	wa_compose_share_begin();
	context = MemoryContextSwitchTo(TopMemoryContext);
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		handle = NULL;
	MemoryContextSwitchTo(context);
	if (handle == NULL)
		return false;
	start_after = 0;
	return true;
}

static void
forget_it(void)
{
	pfree(handle);
	handle = NULL;
}

/*
 * Does it compose, or is about to?  Once it does not any more, the worker does.
 */
WaBesideStage
wa_worker_beside_stage(void)
{
	pid_t		pid;

	if (handle == NULL)
		return WA_BESIDE_ENDED;
	if (wa_compose_share_stage() != WA_BESIDE_ENDED)
	{
		if (GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED)
			return wa_compose_share_stage();
		/* it has failed, or could not even begin: the log says why */
		start_after = GetCurrentTimestamp() + START_AGAIN_US;
	}
	forget_it();
	return WA_BESIDE_ENDED;
}

/*
 * End it, and wait until it is gone.  What it was about to do is undone.
 */
void
wa_worker_beside_stop(void)
{
	if (handle == NULL)
		return;
	TerminateBackgroundWorker(handle);
	(void) WaitForBackgroundWorkerShutdown(handle);
	forget_it();
}

/* Tell the worker, which looks what is left to do. */
static void
tell_worker(int code, Datum arg)
{
	if (all_read)
		wa_compose_share_reach(WA_BESIDE_ENDED);
	pg_atomic_write_u32(&slot->pending, 1);
	pg_memory_barrier();
	wa_wake_slot_wake(slot);
}

/* The sender may ask now; it comes soon. */
static void
let_pass(void)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TURN_MS);

	while (wa_compose_share_wanted() && GetCurrentTimestamp() < until)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 5, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * One piece.  What is in the way for a moment is no failure: WA_READ_LOCKED.
 */
static WaReadResult
compose_piece(void)
{
	MemoryContext context = CurrentMemoryContext;
	volatile WaReadResult result = WA_READ_LOCKED;

	PG_TRY();
	{
		result = wa_compose_run(NULL);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			PG_RE_THROW();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		MemoryContextSwitchTo(context);
		FreeErrorData(error);
	}
	PG_END_TRY();
	return result;
}

static void
compose_all(uint64 worker)
{
	TimestampTz until = GetCurrentTimestamp() + LONGEST_US;
	int			locked = 0;
	WaReadResult result = WA_READ_PIECE;

	while (result != WA_READ_ALL && locked < LOCKED_TIMES && GetCurrentTimestamp() < until)
	{
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			wa_worker_session_pin_commit();
		}
		/* another worker would not know of us */
		if (pg_atomic_read_u64(&slot->process) != worker)
			return;
		let_pass();
		(void) wa_wake_stat_stage(WA_STAT_COMPOSE_TIME);
		result = compose_piece();
		(void) wa_wake_stat_stage(WA_STAT_OTHER_TIME);
		if (result != WA_READ_LOCKED)
		{
			locked = 0;
			continue;
		}
		locked++;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOCKED_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	all_read = true;
}

/*
 * Entry point.  main_arg is the index of the slot; bgw_extra has the rest.
 */
void
wa_worker_beside_main(Datum main_arg)
{
	BesideArgs	args;
	dsm_segment *share;
	TimestampTz never = 0;

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	share = dsm_attach(args.share);
	if (share == NULL)
		proc_exit(0);
	dsm_pin_mapping(share);
	wa_compose_share_join(dsm_segment_address(share));
	slot = &wa_wake_shared->slots[DatumGetInt32(main_arg)];
	before_shmem_exit(tell_worker, (Datum) 0);
	BackgroundWorkerInitializeConnectionByOid(args.database, args.owner, 0);
	wa_worker_keep_memory();
	wa_worker_session_pin_settings();
	wa_wake_stat_begin();
	wa_compose_share_reach(WA_BESIDE_COMPOSES);
	compose_all(args.worker);
	wa_pg_flood_tell(true, &never);
}
