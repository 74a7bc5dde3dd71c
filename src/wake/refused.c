/*-------------------------------------------------------------------------
 *
 * refused.c
 *		Webhooks that were refused for their signature, counted.
 *
 * The call ends in an error, so that nothing of it is in a table; wa_check()
 * tells the number.  Anybody who knows the address can make such calls: they
 * must not fill the log.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "wake/slot.h"

#define SAY_AGAIN_MS	60000

/*
 * One more, for the current database.  True if it is to be logged: once a
 * minute, and always where nothing is preloaded.
 */
bool
wa_wake_count_refused(void)
{
	int			index = wa_wake_slot_find(MyDatabaseId);
	TimestampTz now = GetCurrentTimestamp();
	WaSlot	   *slot;
	uint64		before;

	if (index < 0)
		return true;
	slot = &wa_wake_shared->slots[index];
	pg_atomic_fetch_add_u64(&slot->refused_webhooks, 1);
	pg_atomic_write_u64(&slot->last_refused_webhook, (uint64) now);
	before = pg_atomic_read_u64(&slot->refusal_said);
	return (before == 0 || TimestampDifferenceExceeds((TimestampTz) before, now, SAY_AGAIN_MS)) &&
		pg_atomic_compare_exchange_u64(&slot->refusal_said, &before, (uint64) now);
}
