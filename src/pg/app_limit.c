/*-------------------------------------------------------------------------
 *
 * app_limit.c
 *		How long a worker reads a table of the application.
 *
 * Whatever hangs on such a table runs when it is read: a policy that sleeps
 * would hold the worker, and with it a place in the pool that other databases
 * share, for ever.  So a read has a time limit (sicantik_wa.read_timeout), and
 * a table that runs out of it counts as locked for a minute: everybody who
 * needs it comes back later, as with a lock.
 *
 * What stays below the limit each time, and is slow each time, is the same in
 * the end: slow reads of one transaction are added up.
 *
 * A session that calls one of our functions has its own statement_timeout, and
 * a person who can cancel: this is for workers only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "pg/app_limit.h"
#include "sicantik_wa.h"

/* A read that ignores its cancellation is canceled again. */
#define CANCEL_AGAIN_MS	1000

/* So long a table counts as locked. */
#define LEFT_ALONE_US	(60 * USECS_PER_SEC)

/* This part of the limit is slow, and so many times the limit is too much. */
#define SLOW_PART		5
#define SLOW_LIMITS		4

/* Quiet for so long, and the log hears of a table anew. */
#define EPISODE_US		(10 * 60 * USECS_PER_SEC)

/* Tables that ran out of time; there are not more that we read. */
#define MAX_SLOW		32

typedef struct SlowTable
{
	Oid			relid;
	TimestampTz until;			/* counts as locked */
	TimestampTz first_at;		/* of this episode */
	TimestampTz said_at;
	int			times;			/* in this episode */
} SlowTable;

void		(*wa_app_has_read) (void) = NULL;

static SlowTable slow_tables[MAX_SLOW];
static TimeoutId timeout = MAX_TIMEOUTS;
static volatile sig_atomic_t expired = false;
static int	depth = 0;			/* a policy may call a function that reads */
static TimestampTz began_at;
static TimestampTz transaction = 0;
static int64 slow_us = 0;		/* slow reads of that transaction */

/* Runs in a signal handler, which has set the latch. */
static void
limit_passed(void)
{
	expired = true;
	QueryCancelPending = true;
	InterruptPending = true;
}

/* The entry of a table, or one that may be taken for it. */
static SlowTable *
entry_of(Oid relid)
{
	SlowTable  *oldest = &slow_tables[0];

	for (int i = 0; i < MAX_SLOW; i++)
	{
		if (slow_tables[i].relid == relid)
			return &slow_tables[i];
		if (slow_tables[i].until < oldest->until)
			oldest = &slow_tables[i];
	}
	return oldest;
}

static char *
in_words(void)
{
	return psprintf("reading it took longer than %g s (sicantik_wa.read_timeout)", wa_guc_read_timeout / 1000.0);
}

/*
 * Why this table counts as locked now, palloc()ed; NULL if it does not.
 */
char *
wa_app_limit_why(Oid relid)
{
	SlowTable  *entry = entry_of(relid);
	TimestampTz now;

	if (entry->relid != relid)
		return NULL;
	now = GetCurrentTimestamp();
	return now < entry->until && entry->until - now <= LEFT_ALONE_US ? in_words() : NULL;
}

/*
 * Something has been changed: try all of them again.
 */
void
wa_app_limit_forget(void)
{
	for (int i = 0; i < MAX_SLOW; i++)
		if (slow_tables[i].relid != InvalidOid)
			slow_tables[i].until = 0;
}

/*
 * A read begins.  Pair with wa_app_limit_end(), also where it fails.
 */
void
wa_app_limit_begin(void)
{
	if (!IsBackgroundWorker || depth++ > 0)
		return;
	if (timeout == MAX_TIMEOUTS)
		timeout = RegisterTimeout(USER_TIMEOUT, limit_passed);
	if (transaction != GetCurrentTransactionStartTimestamp())
	{
		transaction = GetCurrentTransactionStartTimestamp();
		slow_us = 0;
	}
	expired = false;
	began_at = GetCurrentTimestamp();
	enable_timeout_every(timeout, TimestampTzPlusMilliseconds(began_at, wa_guc_read_timeout),
						 CANCEL_AGAIN_MS);
}

/*
 * It has ended, or failed.  True if it ran out of time: then its result or
 * error is to be given up for wa_app_limit_passed().
 */
bool
wa_app_limit_end(void)
{
	int64		limit_us = wa_guc_read_timeout * INT64CONST(1000);
	int64		took;

	if (!IsBackgroundWorker || --depth > 0)
		return false;
	disable_timeout(timeout, false);
	/* it may have come too late to hit the read */
	if (expired)
		QueryCancelPending = false;
	took = GetCurrentTimestamp() - began_at;
	if (took > limit_us / SLOW_PART)
		slow_us += took;
	else if (wa_app_has_read)
		wa_app_has_read();
	return expired || slow_us > SLOW_LIMITS * limit_us;
}

/*
 * Reading this table has run out of time: it counts as locked for a while.
 */
void
wa_app_limit_passed(Oid relid, const char *relation)
{
	SlowTable  *entry = entry_of(relid);
	TimestampTz now = GetCurrentTimestamp();

	if (entry->relid != relid || now < entry->said_at || now - entry->said_at > 2 * EPISODE_US)
	{
		memset(entry, 0, sizeof(*entry));
		entry->relid = relid;
		entry->first_at = now;
	}
	slow_us = 0;
	entry->until = now + LEFT_ALONE_US;
	entry->times++;
	if (entry->said_at == 0 || now < entry->said_at || now - entry->said_at >= EPISODE_US)
	{
		entry->said_at = now;
		ereport(LOG,
				(errmsg("sicantik_wa could not read table %s: %s", relation, in_words()),
				 entry->times == 1 ?
				 errdetail("It counts as locked for a minute, then it is tried again.") :
				 errdetail("It counts as locked for a minute, then it is tried again; %d times since %s.",
						   entry->times, timestamptz_to_str(entry->first_at)),
				 errhint("See what hangs on it, such as a policy (row level security) whose function takes long.")));
	}
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("table %s counts as locked: %s", relation, in_words())));
}
