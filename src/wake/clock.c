/*-------------------------------------------------------------------------
 *
 * clock.c
 *		The time that a database's waits go by.
 *
 * It is the server's, unless that was set within this pass of the worker: the
 * waits are shifted at the beginning of the next one (worker/clock_step.c), and
 * until then none of them is over only because the clock has jumped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "wake/slot.h"

/* Less than that is how clocks are slewed. */
#define STEP_US		(3 * USECS_PER_SEC)

/*
 * Now, by the clock with which this database's waits were last looked at.
 */
TimestampTz
wa_wake_time_of_waits(void)
{
	int			index = wa_wake_slot_find(MyDatabaseId);
	int64		offset = index < 0 ? 0 : (int64) pg_atomic_read_u64(&wa_wake_shared->slots[index].clock_offset);
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz by_offset;
	struct timespec ts;

	if (offset == 0)
		return now;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	by_offset = (int64) ts.tv_sec * USECS_PER_SEC + ts.tv_nsec / 1000 + offset;
	return now - by_offset > STEP_US || by_offset - now > STEP_US ? by_offset : now;
}
