/*-------------------------------------------------------------------------
 *
 * standbys.c
 *		Would a standby that takes over know what is on the wire?
 *
 * With synchronous replication a claim is on the standby before its request
 * leaves, and a promoted standby can simply go on; otherwise what was about to
 * go is in doubt there.  The standby itself cannot tell, so it is written down
 * on the primary, in wa.identity.synchronous, which the standby gets with
 * everything else.
 *
 * "true" must never be read by a standby that has missed a claim.  So it holds
 * only while every standby that is connected is one of those that commits wait
 * for; each claim made under it is checked once more after its commit (a
 * commit can give up waiting); and when it ends, "false" has to reach the
 * standbys before the next claim goes out.  A standby that is cut off, and
 * promoted after the primary was told to go on without it, cannot know:
 * whoever switches synchronous replication off gives that standby up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "replication/slot.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#include "identity/identity.h"
#include "pg/frame.h"
#include "pg/pg_compat.h"
#include "pg/query.h"

#define LONGEST_TELLING_US	(10 * USECS_PER_SEC)

/* What wa.identity says, as far as this process knows. */
typedef enum Noted
{
	NOT_READ,
	ASYNCHRONOUS,
	SYNCHRONOUS
} Noted;

static Noted noted = NOT_READ;

/* Where "false" was committed; invalid once the standbys have it. */
static XLogRecPtr told_at = InvalidXLogRecPtr;
static TimestampTz told_since = 0;

/* One that is connected and takes WAL. */
typedef struct Standby
{
	pid_t		pid;
	XLogRecPtr	flush;
} Standby;

/*
 * Does this process stream changes of one database, not WAL?  Its slot tells:
 * WalSnd.kind is unknown to PostgreSQL 15, and says "logical" of anybody who
 * named a database, also of one who then streams WAL.
 */
static bool
is_logical(pid_t pid)
{
	bool		found = false;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	for (int i = 0; i < max_replication_slots && !found; i++)
	{
		ReplicationSlot *slot = &ReplicationSlotCtl->replication_slots[i];

		SpinLockAcquire(&slot->mutex);
		found = slot->in_use && wa_slot_is_used_by(slot, pid) &&
			slot->data.database != InvalidOid;
		SpinLockRelease(&slot->mutex);
	}
	LWLockRelease(ReplicationSlotControlLock);
	return found;
}

/*
 * Physical standbys; palloc()ed in the current context.  One that is only
 * copying the data folder, or has not begun to stream, is none.
 */
static int
connected_standbys(Standby **standbys)
{
	Standby    *list = palloc(sizeof(Standby) * Max(max_wal_senders, 1));
	int			n = 0;

	for (int i = 0; i < max_wal_senders; i++)
	{
		WalSnd	   *walsnd = &WalSndCtl->walsnds[i];
		Standby		standby;
		WalSndState state;

		SpinLockAcquire(&walsnd->mutex);
		standby.pid = walsnd->pid;
		standby.flush = walsnd->flush;
		state = walsnd->state;
		SpinLockRelease(&walsnd->mutex);
		if (standby.pid != 0 && state != WALSNDSTATE_STARTUP &&
			state != WALSNDSTATE_BACKUP && !is_logical(standby.pid))
			list[n++] = standby;
	}
	*standbys = list;
	return n;
}

/*
 * Does the commit of a claim wait for every standby there is?  With none
 * connected it waits until one comes.  (Claims are always committed with
 * synchronous_commit on or stronger, see wa_worker_session_pin_commit.)
 */
static bool
all_are_synchronous(void)
{
	SyncRepStandbyData *candidates;
	Standby    *standbys;
	int			ncandidates;
	int			n;
	bool		all = true;

	if (SyncRepConfig == NULL || max_wal_senders == 0)
		return false;
	ncandidates = SyncRepGetCandidateStandbys(&candidates);
	/* a quorum: nobody knows which of them */
	if (ncandidates > SyncRepConfig->num_sync)
		return false;
	n = connected_standbys(&standbys);
	for (int i = 0; i < n; i++)
	{
		bool		waited_for = false;

		for (int j = 0; j < ncandidates; j++)
			waited_for = waited_for || candidates[j].pid == standbys[i].pid;
		all = all && waited_for;
	}
	pfree(standbys);
	if (candidates)
		pfree(candidates);
	return all;
}

/* Have all standbys that are connected got this far? */
static bool
all_have(XLogRecPtr lsn)
{
	Standby    *standbys;
	int			n = connected_standbys(&standbys);
	bool		all = true;

	for (int i = 0; i < n; i++)
		all = all && standbys[i].flush >= lsn;
	pfree(standbys);
	return all;
}

/*
 * Write it down where it has changed; durably, because what follows relies on
 * it.  False if the extension is locked.
 */
static bool
write_down(bool synchronous)
{
	static WaStatement update =
		WA_STATEMENT("UPDATE wa.identity SET synchronous = $1 WHERE synchronous <> $1");
	WaArgs		args = {0};
	bool		changed;

	if (!wa_frame_begin("noting the standbys"))
		return false;
	wa_arg_bool(&args, synchronous);
	changed = wa_query(&update, &args).n > 0;
	wa_frame_commit(changed);
	if (changed && !synchronous)
	{
		told_at = XactLastCommitEnd;
		told_since = GetCurrentTimestamp();
	}
	noted = synchronous ? SYNCHRONOUS : ASYNCHRONOUS;
	return true;
}

/*
 * Called before messages are claimed, in no transaction: keeps
 * wa.identity.synchronous right.  False: nothing may be claimed yet, ask again
 * in a moment.  Costs nothing where nothing has changed.
 */
bool
wa_identity_standbys_note(void)
{
	bool		synchronous = all_are_synchronous();

	if (noted != (synchronous ? SYNCHRONOUS : ASYNCHRONOUS) && !write_down(synchronous))
		return false;
	if (told_at != InvalidXLogRecPtr)
	{
		TimestampTz now = GetCurrentTimestamp();

		/* one that does not answer must not stop the office for ever */
		if (synchronous || all_have(told_at) ||
			now < told_since || now > told_since + LONGEST_TELLING_US)
			told_at = InvalidXLogRecPtr;
		else
			return false;
	}
	return true;
}

/*
 * The stamp may have been written anew.
 */
void
wa_identity_standbys_reload(void)
{
	noted = NOT_READ;
}

/*
 * After the commit of claims: may they go on the wire?  Waiting for a standby
 * can be broken off (by the end of the grace at shutdown, or by a person), and
 * another standby may have connected in between.
 */
bool
wa_identity_standbys_have_commit(void)
{
	bool		confirmed;

	if (noted != SYNCHRONOUS)
		return true;
	LWLockAcquire(SyncRepLock, LW_SHARED);
	confirmed = WalSndCtl->lsn[SYNC_REP_WAIT_FLUSH] >= XactLastCommitEnd;
	LWLockRelease(SyncRepLock);
	return confirmed && all_are_synchronous();
}
