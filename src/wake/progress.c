/*-------------------------------------------------------------------------
 *
 * progress.c
 *		How far long work is, in shared memory.
 *
 * PostgreSQL's own reports of progress know its own commands only, and have one
 * row a process, where a worker may drain, purge and carry out wishes in turn.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

#include "wake/progress.h"
#include "wake/slot.h"

/* Commands before this one are more than a transaction. */
#define FIRST_TRANSACTIONAL	WA_COMMAND_DAILY

static const char *const commands[WA_COMMAND_COUNT] = {
	[WA_COMMAND_DRAIN] = "drain",
	[WA_COMMAND_COMPOSE] = "compose",
	[WA_COMMAND_REQUESTS] = "requests",
	[WA_COMMAND_PURGE] = "purge",
	[WA_COMMAND_DAILY] = "daily run",
	[WA_COMMAND_IMPORT] = "import",
	[WA_COMMAND_RECOUNT] = "recount"
};

static const char *const phases[WA_PHASE_COUNT] = {
	[WA_PHASE_SENDING] = "sending",
	[WA_PHASE_WAITING] = "waiting",
	[WA_PHASE_MESSAGES] = "messages",
	[WA_PHASE_ATTEMPTS] = "attempts",
	[WA_PHASE_PROVIDERS] = "providers",
	[WA_PHASE_ACCOUNTS] = "accounts",
	[WA_PHASE_TEMPLATES] = "templates"
};

/* The rows of this process, and the nesting level that began each. */
static WaProgressRow *own[WA_COMMAND_COUNT];
static int	level_of[WA_COMMAND_COUNT];
static bool registered = false;

void
wa_wake_progress_init(WaProgressRow *row)
{
	memset(row, 0, sizeof(*row));
	pg_atomic_init_u32(&row->phase, WA_PHASE_NONE);
	pg_atomic_init_u64(&row->done, 0);
	pg_atomic_init_u64(&row->total, 0);
}

/*
 * It is over, or was not begun.
 */
void
wa_wake_progress_end(WaCommand command)
{
	if (own[command] == NULL)
		return;
	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	own[command]->pid = 0;
	LWLockRelease(wa_wake_lock);
	own[command] = NULL;
}

/* What is left of a transaction, or of a part of it. */
static void
end_transactional(int level)
{
	for (int i = FIRST_TRANSACTIONAL; i < WA_COMMAND_COUNT; i++)
		if (own[i] && level_of[i] >= level)
			wa_wake_progress_end(i);
}

/*
 * This process has had an error: whatever it goes on with begins again.
 */
void
wa_wake_progress_end_all(void)
{
	for (int i = 0; i < WA_COMMAND_COUNT; i++)
		wa_wake_progress_end(i);
}

static void
at_exit(int code, Datum arg)
{
	wa_wake_progress_end_all();
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		end_transactional(0);
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		end_transactional(GetCurrentTransactionNestLevel());
}

static WaProgressRow *
take_row(WaCommand command, uint64 total)
{
	WaProgressRow *row = NULL;

	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	for (int i = 0; row == NULL && i < WA_PROGRESS_ROWS; i++)
		if (wa_wake_shared->progress[i].pid == 0)
			row = &wa_wake_shared->progress[i];
	if (row)
	{
		row->database = MyDatabaseId;
		row->command = command;
		row->started_at = GetCurrentTimestamp();
		pg_atomic_write_u32(&row->phase, WA_PHASE_NONE);
		pg_atomic_write_u64(&row->done, 0);
		pg_atomic_write_u64(&row->total, total);
		row->pid = MyProcPid;
	}
	LWLockRelease(wa_wake_lock);
	return row;
}

/*
 * It begins, or goes on; total: how much there is to do, 0: not known.
 */
void
wa_wake_progress_begin(WaCommand command, uint64 total)
{
	if (wa_wake_shared == NULL || own[command])
		return;
	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
		before_shmem_exit(at_exit, (Datum) 0);
		registered = true;
	}
	own[command] = take_row(command, total);
	level_of[command] = GetCurrentTransactionNestLevel();
}

bool
wa_wake_progress_runs(WaCommand command)
{
	return own[command] != NULL;
}

void
wa_wake_progress_phase(WaCommand command, WaPhase phase)
{
	if (own[command])
		pg_atomic_write_u32(&own[command]->phase, phase);
}

/*
 * So much more is done.
 */
void
wa_wake_progress_add(WaCommand command, uint64 done)
{
	if (own[command] && done > 0)
		pg_atomic_fetch_add_u64(&own[command]->done, (int64) done);
}

/*
 * So much is left to do; PG_UINT64_MAX: that is not known.
 */
void
wa_wake_progress_total(WaCommand command, uint64 left)
{
	if (own[command])
		pg_atomic_write_u64(&own[command]->total, left == PG_UINT64_MAX ? 0 : pg_atomic_read_u64(&own[command]->done) + left);
}

/*
 * What is going on in the current database; list has room for
 * WA_PROGRESS_ROWS.  Returns how many.
 */
int
wa_wake_progress_read(WaProgressInfo *list)
{
	int			n = 0;

	if (wa_wake_shared == NULL)
		return 0;
	LWLockAcquire(wa_wake_lock, LW_SHARED);
	for (int i = 0; i < WA_PROGRESS_ROWS; i++)
	{
		WaProgressRow *row = &wa_wake_shared->progress[i];

		if (row->pid == 0 || row->database != MyDatabaseId)
			continue;
		list[n].pid = row->pid;
		list[n].command = commands[row->command];
		list[n].phase = phases[pg_atomic_read_u32(&row->phase)];
		list[n].done = pg_atomic_read_u64(&row->done);
		list[n].total = pg_atomic_read_u64(&row->total);
		list[n++].started_at = row->started_at;
	}
	LWLockRelease(wa_wake_lock);
	return n;
}
