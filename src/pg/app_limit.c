/*-------------------------------------------------------------------------
 *
 * app_limit.c
 *		How long a table of the application may take to be read.
 *
 * Whatever hangs on such a table runs when it is read: a policy that sleeps
 * would hold a worker, and with it a place in the pool that other databases
 * share, for ever; and wa_status() would not answer just when it is asked for.
 * So a read has a time limit (sicantik_wa.read_timeout), and a table that runs
 * out of it counts as locked: everybody who needs it comes back later, as with
 * a lock.
 *
 * What stays below the limit each time, and is slow each time, comes to the
 * same: slow reads of one statement, or one transaction of a worker, are added
 * up.
 *
 * For how long it counts as locked: in a worker for a minute, since its next
 * transaction would run into it again at once; in a session to the end of the
 * statement, since whoever types the next one has perhaps mended it.
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

/* So long a table counts as locked in a worker. */
#define LEFT_ALONE_US	(60 * USECS_PER_SEC)

/* This part of the limit is slow, and so many times the limit is too much. */
#define SLOW_PART		5
#define SLOW_LIMITS		4

/* The log hears of the same table again after this time. */
#define SAY_AGAIN_US	(10 * 60 * USECS_PER_SEC)

/* Quiet for so long, and it is a new story. */
#define EPISODE_US		(2 * SAY_AGAIN_US)

/* Tables that ran out of time; we do not read more. */
#define MAX_SLOW		32

typedef struct SlowTable
{
	Oid			relid;
	TimestampTz passed_at;		/* when it last ran out of time */
	TimestampTz until;			/* a worker counts it as locked */
	TimestampTz statement;		/* a session does in this one */
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
static TimestampTz statement = 0;
static int64 slow_us = 0;		/* slow reads of that statement */

/* All tables count as locked in this statement. */
static TimestampTz all_in = 0;
static WaSaidText all_why;

/* Runs in a signal handler, which has set the latch. */
static void
limit_passed(void)
{
	expired = true;
	QueryCancelPending = true;
	InterruptPending = true;
}

/* The entry of a table, or the one that may be taken for it. */
static SlowTable *
entry_of(Oid relid)
{
	SlowTable  *oldest = &slow_tables[0];

	for (int i = 0; i < MAX_SLOW; i++)
	{
		if (slow_tables[i].relid == relid)
			return &slow_tables[i];
		if (slow_tables[i].passed_at < oldest->passed_at)
			oldest = &slow_tables[i];
	}
	return oldest;
}

static WaSaid
in_words(void)
{
	return wa_say(WA_SAY_READING_TOOK_TOO_LONG, psprintf("%g", wa_guc_read_timeout / 1000.0));
}

/*
 * Why this table counts as locked now, palloc()ed in the current context; NULL if it does not.
 */
WaSaid
wa_app_limit_why(Oid relid, const char *relation)
{
	const SlowTable *entry = entry_of(relid);
	TimestampTz now;

	if (all_in != 0 && all_in == GetCurrentStatementStartTimestamp())
		return wa_say(WA_SAY_TABLE_COUNTS_AS_LOCKED, relation, WA_SAID_IN(&all_why));
	if (entry->relid != relid)
		return NULL;
	if (MyBackendType != B_BG_WORKER)
	{
		if (entry->statement != GetCurrentStatementStartTimestamp())
			return NULL;
	}
	else
	{
		now = GetCurrentTimestamp();
		/* the clock may have been set back */
		if (now >= entry->until || entry->until - now > LEFT_ALONE_US)
			return NULL;
	}
	return wa_say(WA_SAY_TABLE_COUNTS_AS_LOCKED, relation, in_words());
}

/*
 * In the rest of this statement all of them count as locked: something is
 * known to hang on them that cannot be canceled.
 */
void
wa_app_limit_leave_alone(WaSaid why)
{
	all_in = GetCurrentStatementStartTimestamp();
	wa_text_say_copy(&all_why, why);
}

/*
 * Something has been changed: a worker tries all of them again.
 */
void
wa_app_limit_forget(void)
{
	for (int i = 0; i < MAX_SLOW; i++)
		slow_tables[i].until = 0;
}

/*
 * A read begins.  Pair with wa_app_limit_end(), also where it fails.
 */
void
wa_app_limit_begin(void)
{
	if (depth++ > 0)
		return;
	if (timeout == MAX_TIMEOUTS)
		timeout = RegisterTimeout(USER_TIMEOUT, limit_passed);
	if (statement != GetCurrentStatementStartTimestamp())
	{
		statement = GetCurrentStatementStartTimestamp();
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

	if (--depth > 0)
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

/* One line for each table; again after a while, with a count. */
static void
say(SlowTable *entry, const char *relation, TimestampTz now)
{
	if (entry->said_at != 0 && now >= entry->said_at && now - entry->said_at < SAY_AGAIN_US)
		return;
	entry->said_at = now;
	ereport(LOG,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("sicantik_wa could not read table %s: %s", relation, wa_said_english(in_words())),
			 entry->times == 1 ?
			 errdetail("It counts as locked for a minute, then it is tried again.") :
			 errdetail("It counts as locked for a minute, then it is tried again; %d times in %d minutes.",
					   entry->times, (int) ((now - entry->first_at) / USECS_PER_MINUTE)),
			 errhint("See what hangs on it, such as a policy (row level security) whose function takes long.")));
}

/*
 * Reading this table has run out of time: it counts as locked from now on.
 * Raises the error that says so.
 */
void
wa_app_limit_passed(Oid relid, const char *relation)
{
	SlowTable  *entry = entry_of(relid);
	TimestampTz now = GetCurrentTimestamp();

	if (entry->relid != relid || now < entry->passed_at || now - entry->passed_at > EPISODE_US)
	{
		memset(entry, 0, sizeof(*entry));
		entry->relid = relid;
		entry->first_at = now;
	}
	slow_us = 0;
	entry->passed_at = now;
	entry->until = now + LEFT_ALONE_US;
	entry->statement = GetCurrentStatementStartTimestamp();
	entry->times++;
	/* in a session the one who asked is told */
	if (MyBackendType == B_BG_WORKER)
		say(entry, relation, now);
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 wa_said_errmsg(wa_say(WA_SAY_TABLE_COUNTS_AS_LOCKED, relation, in_words())),
			 err_generic_string(PG_DIAG_TABLE_NAME, relation)));
}

/*
 * Is this that error?  Locks of ours that cannot be had name no table.
 */
bool
wa_app_limit_raised(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE && error->table_name != NULL;
}
