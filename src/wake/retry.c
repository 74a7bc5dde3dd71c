/*-------------------------------------------------------------------------
 *
 * retry.c
 *		When to come again, after a lock was in the way.
 *
 * Most locks on our tables last some milliseconds: VACUUM takes one to give
 * pages back, and does so more often the more is sent.  Some last an hour.  So
 * who waits comes again soon at first, and then after as long as it has been
 * in the way already.  That is a matter of time, not of tries: whoever works at
 * something else meanwhile meets the same lock many times in a millisecond.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "wake/wake.h"

#define FIRST_RETRY_US	(5 * 1000)

/* Of the round of this process. */
static TimestampTz retry_at = 0;

/*
 * Is it in the way now?  Then *next_due is lowered to when to try again.
 */
void
wa_wake_retry(WaInTheWay *lock, bool locked, TimestampTz *next_due)
{
	TimestampTz now;
	TimestampTz at;

	if (!locked)
	{
		lock->since = 0;
		return;
	}
	now = GetCurrentTimestamp();
	if (lock->since == 0 || now < lock->since)
		lock->since = now;
	at = now + Min(Max(now - lock->since, FIRST_RETRY_US), WA_LOCKED_RETRY_US);
	wa_wake_sooner(next_due, at);
	wa_wake_sooner(&retry_at, at);
}

/*
 * When the worker is to come again for a lock, or 0.  It is not to wait longer,
 * as it may where something has become due.
 */
TimestampTz
wa_wake_retry_at(void)
{
	return retry_at;
}

/*
 * A new round begins, which will see.
 */
void
wa_wake_retry_forget(void)
{
	retry_at = 0;
}
