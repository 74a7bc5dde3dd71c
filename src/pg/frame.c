/*-------------------------------------------------------------------------
 *
 * frame.c
 *		The frame of a transaction in a background worker.
 *
 * One place for the order in which the pieces must come: timestamps, the
 * transaction, locks on our tables, SPI, a snapshot, what pg_stat_activity
 * shows, and statistics (without which autovacuum never hears of the worker's
 * dead rows).
 *
 * An error between begin and commit is caught at the top of the worker's loop,
 * which aborts the transaction; SPI and the snapshot go with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/acting.h"
#include "pg/build.h"
#include "pg/frame.h"
#include "pg/own_table.h"
#include "pg/pg_compat.h"

static MemoryContext context_before = NULL;
static Oid	user_before = InvalidOid;
static int	security_before = 0;
static LocalTransactionId frame_of = InvalidLocalTransactionId;

/*
 * Lock the extension against being dropped, without waiting.  DROP EXTENSION
 * locks the extension itself before any of its tables, so once we hold this
 * it cannot meet us half way through them (which would be a deadlock, and it
 * would lose); and while it holds it we stay away.
 */
static bool
lock_extension(void)
{
	Oid			extension = get_extension_oid("sicantik_wa", true);
	LOCKTAG		tag;
	WaBuildDifference difference;

	if (!OidIsValid(extension))
		return false;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, extension, 0);
	if (LockAcquire(&tag, AccessShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;

	/*
	 * It may have been dropped, or changed, before we had the lock.  (Whether
	 * its tables are there is seen when they are locked.)
	 */
	AcceptInvalidationMessages();
	return get_extension_oid("sicantik_wa", true) == extension &&
		!wa_pg_build_stamp_differs(&difference);
}

/*
 * A worker is connected as who owned the database then.  Where that is another
 * role by now it is about to leave, and has yet to write down what is on the
 * wire: our tables are the present owner's.  An abort undoes it.
 */
static void
act_as_present_owner(void)
{
	Oid			owner = wa_pg_database_owner();

	GetUserIdAndSecContext(&user_before, &security_before);
	if (owner != user_before)
		SetUserIdAndSecContext(owner, security_before | SECURITY_LOCAL_USERID_CHANGE);
}

/*
 * Start a transaction with our tables locked, SPI connected and a snapshot
 * pushed that was taken after that (own_table.c says why).  "activity" is
 * shown in pg_stat_activity: constant text, no data.  Returns false, with no
 * transaction open, if a table of ours cannot be had at once, or the extension
 * is just being dropped, is gone, or is not of this library's build: come
 * again soon.
 */
bool
wa_frame_begin(const char *activity)
{
	context_before = CurrentMemoryContext;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (!lock_extension() || !wa_pg_own_tables_lock())
	{
		AbortCurrentTransaction();
		MemoryContextSwitchTo(context_before);
		return false;
	}
	act_as_present_owner();
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
	frame_of = wa_my_local_xid();
	return true;
}

/*
 * What is read under the active snapshot from here on, the application's tables
 * among it, is as it is now: for what hangs on something that was read by a
 * statement with a snapshot of its own, and may be newer than the frame.
 */
void
wa_frame_look_anew(void)
{
	PopActiveSnapshot();
	PushActiveSnapshot(GetTransactionSnapshot());
}

/*
 * The transaction, if it is one with this frame; else InvalidLocalTransactionId.
 * It is short, and what it has read of the configuration may stay so.
 */
LocalTransactionId
wa_frame_of(void)
{
	return frame_of == wa_my_local_xid() ? frame_of : InvalidLocalTransactionId;
}

static void
report_done(void)
{
	/* CommitTransactionCommand leaves us in TopMemoryContext */
	MemoryContextSwitchTo(context_before);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * Commit.  A transaction that is not durable may be lost in a crash of the
 * server; only for work that would then simply be done again.
 */
void
wa_frame_commit(bool durable)
{
	SPI_finish();
	PopActiveSnapshot();
	if (!durable)
		(void) set_config_option("synchronous_commit", "off", PGC_SUSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	CommitTransactionCommand();
	SetUserIdAndSecContext(user_before, security_before);
	report_done();
}

/*
 * Give up what was done since wa_frame_begin().
 */
void
wa_frame_abort(void)
{
	SPI_finish();
	PopActiveSnapshot();
	AbortCurrentTransaction();
	report_done();
}
