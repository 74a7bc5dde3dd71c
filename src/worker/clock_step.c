/*-------------------------------------------------------------------------
 *
 * clock_step.c
 *		The server's clock is set: waits go on as if it had not been.
 *
 * wa.due holds times of day, because it must outlive the process.  Two sorts
 * of times are there.  What a person asked for, or sending hours say, is meant
 * as a time of day, and follows the clock.  A wait of ours (before another
 * attempt, or until a provider has told what became of a message) is meant as
 * a span: where the clock is set back it would freeze, where it is set forward
 * it would be over too soon, and a message in doubt would be sent again before
 * the provider had its time.
 *
 * The monotonic clock does not jump.  The difference between the two is kept
 * in shared memory, per database, so that a worker that starts later knows
 * with which clock the waits were written; when it changes by more than a
 * moment they are shifted.  After a start of the server nobody knows; then,
 * and always, a wait that is longer than any of ours can be is cut short.
 *
 * What is erased does not come back.  A clock that is suddenly years ahead is
 * wrong more often than right, and is set right again soon: for a day nothing
 * is erased then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "office/setting.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "queue/queue.h"
#include "route/catalogue.h"
#include "wake/slot.h"
#include "worker/clock_step.h"

/* Less than that is how clocks are slewed, or how long we were not running. */
#define STEP_US		(3 * USECS_PER_SEC)

/* Further than that nobody sets a clock that was right. */
#define LEAP_US		(30 * USECS_PER_DAY)
#define KEEP_US		USECS_PER_DAY

static int64
monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64) ts.tv_sec * USECS_PER_SEC + ts.tv_nsec / 1000;
}

/*
 * Wall clock minus monotonic clock, in microseconds; never 0.
 */
int64
wa_worker_clock_offset(void)
{
	int64		offset = GetCurrentTimestamp() - monotonic_us();

	return offset != 0 ? offset : 1;
}

/*
 * Is that another clock, rather than one that drifts?
 */
bool
wa_worker_clock_differs(int64 a, int64 b)
{
	return a > b ? a - b > STEP_US : b - a > STEP_US;
}

/* NULL where this database has none. */
static WaSlot *
own_slot(void)
{
	int			index = wa_wake_slot_find(MyDatabaseId);

	return index < 0 ? NULL : &wa_wake_shared->slots[index];
}

/* Where this database's is kept; NULL without a slot. */
static pg_atomic_uint64 *
kept_offset(void)
{
	WaSlot	   *slot = own_slot();

	return slot ? &slot->clock_offset : NULL;
}

/*
 * Is what is too old by this clock to be kept for now?
 */
bool
wa_worker_clock_keeps(void)
{
	WaSlot	   *slot = own_slot();

	return slot && (int64) pg_atomic_read_u64(&slot->erase_after) > monotonic_us();
}

/*
 * Has the clock been set since this database's waits were last looked at?
 */
bool
wa_worker_clock_stepped(void)
{
	pg_atomic_uint64 *kept = kept_offset();
	int64		offset = kept ? (int64) pg_atomic_read_u64(kept) : 0;

	return offset != 0 && wa_worker_clock_differs(offset, wa_worker_clock_offset());
}

/* Shift what waits by so many microseconds. */
static void
shift(int64 by)
{
	static WaStatement waiting =
		WA_STATEMENT("UPDATE wa.unassigned SET due_at = due_at + $1 * interval '1 microsecond'");

	/*
	 * a test of a provider in trouble, and the next reading of its templates;
	 * whoever edits the row meanwhile keeps his
	 */
	static WaStatement probes =
		WA_STATEMENT("UPDATE wa.provider SET probe_at = least(probe_at + $1 * interval '1 microsecond', clock_timestamp() + interval '1 day')"
					 " WHERE name = ANY (ARRAY (SELECT name FROM wa.provider WHERE probe_at IS NOT NULL"
					 " AND ($1 <> 0 OR probe_at > clock_timestamp() + interval '1 day') FOR NO KEY UPDATE SKIP LOCKED))");

	/* what a provider told is tried again at once: that does no harm */
	static WaStatement feedback =
		WA_STATEMENT("UPDATE wa.feedback SET due_at = clock_timestamp() WHERE due_at > clock_timestamp()");
	WaArgs		args = {0};

	wa_queue_shift(by, wa_office_get_interval("unknown_wait"));
	wa_query(&feedback, NULL);
	wa_arg_int8(&args, by);
	wa_query(&probes, &args);
	wa_route_templates_shift(by);
	if (by != 0)
		wa_query(&waiting, &args);
}

/*
 * Called before each pass of work, in no transaction: shifts the waits if the
 * clock was set.  False: ask again in a moment.  *stepped: it was so; times kept
 * elsewhere are void.  Costs nothing while the clock goes as it should.
 */
bool
wa_worker_clock_follow(bool *stepped)
{
	pg_atomic_uint64 *kept = kept_offset();
	int64		offset = wa_worker_clock_offset();
	int64		before;

	*stepped = false;
	if (kept == NULL)
		return true;
	before = (int64) pg_atomic_read_u64(kept);
	if (before == 0 || wa_worker_clock_differs(before, offset))
	{
		if (!wa_frame_begin("following the clock"))
			return false;
		shift(before == 0 ? 0 : offset - before);
		wa_frame_commit(true);
		*stepped = before != 0;
		if (*stepped)
		{
			bool		leap = offset > before && offset - before > LEAP_US;

			if (leap)
				pg_atomic_write_u64(&own_slot()->erase_after, (uint64) (monotonic_us() + KEEP_US));
			ereport(LOG,
					(errmsg("sicantik_wa follows the server's clock, which was set %s by %.0f seconds",
							offset > before ? "forward" : "back",
							(double) (offset > before ? offset - before : before - offset) / USECS_PER_SEC),
					 leap ? errdetail("For a day nothing is erased that is too old by this clock.") : 0));
		}
	}
	/* followed in small steps, too */
	pg_atomic_write_u64(kept, (uint64) offset);
	return true;
}
