/*-------------------------------------------------------------------------
 *
 * drops.c
 *		Changes that capture had to let pass are counted here, until the worker
 *		has written down that there were some.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "wake/slot.h"

#define DROP_EPISODE	60000	/* milliseconds; quiet for so long: say it
								 * anew */

/* Drops counted while the database has no slot yet. */
static uint64 uncounted[WA_DROP_COUNT];

/*
 * Capture dropped events of the current database.  Raises no error, takes no
 * lock, allocates nothing.  Before the database has a slot the numbers wait
 * in this process for the next call; without preload they are lost (the
 * server's log has them).
 *
 * True for the first one of an episode, which ends when there was none of
 * this reason for DROP_EPISODE; without a slot, for the first one of the
 * process.
 */
bool
wa_wake_count_drop(WaDropReason reason, uint64 events)
{
	static bool said[WA_DROP_COUNT];
	WaSlot	   *slot;
	TimestampTz now;
	TimestampTz before;
	uint64		none = 0;
	int			index;

	uncounted[reason] += events;
	index = wa_wake_slot_find(MyDatabaseId);
	if (index < 0)
	{
		if (said[reason])
			return false;
		said[reason] = true;
		return true;
	}
	slot = &wa_wake_shared->slots[index];

	now = GetCurrentTimestamp();
	for (int i = 0; i < WA_DROP_COUNT; i++)
	{
		if (uncounted[i] == 0)
			continue;
		pg_atomic_fetch_add_u64(&slot->dropped[i], (int64) uncounted[i]);
		uncounted[i] = 0;
	}
	pg_atomic_compare_exchange_u64(&slot->first_drop, &none, (uint64) now);
	pg_atomic_write_u64(&slot->last_drop, (uint64) now);
	before = (TimestampTz) pg_atomic_exchange_u64(&slot->drop_said[reason],
												  (uint64) now);
	return before == 0 ||
		TimestampDifferenceExceeds(before, now, DROP_EPISODE) ||
		TimestampDifferenceExceeds(now, before, DROP_EPISODE);
}

/*
 * Take over the drops counted for the current database, setting the counters
 * back to zero: the caller now owns them and must store them.  False (and
 * zeroes) if there were none.  Drops counted meanwhile show up next time.
 */
bool
wa_wake_take_drops(uint64 dropped[WA_DROP_COUNT],
				   TimestampTz *first, TimestampTz *last)
{
	WaSlot	   *slot;
	bool		any = false;
	int			index = wa_wake_slot_find(MyDatabaseId);

	memset(dropped, 0, sizeof(uint64) * WA_DROP_COUNT);
	*first = *last = 0;
	if (index < 0)
		return false;
	slot = &wa_wake_shared->slots[index];

	for (int i = 0; i < WA_DROP_COUNT; i++)
	{
		dropped[i] = pg_atomic_exchange_u64(&slot->dropped[i], 0);
		any = any || dropped[i] != 0;
	}
	if (!any)
		return false;
	*first = (TimestampTz) pg_atomic_exchange_u64(&slot->first_drop, 0);
	*last = (TimestampTz) pg_atomic_read_u64(&slot->last_drop);
	if (*first == 0)
		*first = *last;
	return true;
}
