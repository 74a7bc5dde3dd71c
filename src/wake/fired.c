/*-------------------------------------------------------------------------
 *
 * fired.c
 *		When the triggers of a watched table have last fired.
 *
 * They fire for every row that an ordinary session writes, also where no
 * watched column changes.  So a row that was written later than they have last
 * fired was written by somebody for whom they do not fire.  A hint, like all
 * that is in shared memory: it is gone when the server restarts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "wake/slot.h"

/* Where this table's time is kept, or -1; a free place is taken if "take". */
static int
find_place(WaSlot *slot, Oid relid, bool take)
{
	for (int i = 0; i < WA_FIRED_TABLES; i++)
	{
		uint32		known = pg_atomic_read_u32(&slot->fired[i].relid);

		if (known == InvalidOid && take &&
			pg_atomic_compare_exchange_u32(&slot->fired[i].relid, &known, relid))
			return i;
		if (known == relid)
			return i;
	}
	return -1;
}

/*
 * The row trigger of this watched table fires.  Called for each row: takes no
 * lock, raises no error, and does something once for a statement.
 */
void
wa_wake_note_fired(Oid relid)
{
	static Oid	noted_relid = InvalidOid;
	static TimestampTz noted_at = 0;

	/* not before the write_date that Odoo gives the row */
	TimestampTz at = Max(GetCurrentStatementStartTimestamp(), GetCurrentTransactionStartTimestamp());
	int			index;
	int			place;
	WaSlot	   *slot;
	uint64		last;

	if (relid == noted_relid && at == noted_at)
		return;
	noted_relid = relid;
	noted_at = at;
	index = wa_wake_slot_find(MyDatabaseId);
	if (index < 0)
		return;
	slot = &wa_wake_shared->slots[index];
	place = find_place(slot, relid, true);
	if (place < 0)
		return;

	/* a statement that began earlier may fire later */
	last = pg_atomic_read_u64(&slot->fired[place].at);
	while ((TimestampTz) last < at &&
		   !pg_atomic_compare_exchange_u64(&slot->fired[place].at, &last, (uint64) at))
		;
}

/*
 * *at: no trigger of ours on this table has fired later.  If none has fired
 * since this server has kept account (it was started or promoted, or has first
 * seen this database), the time of that.  False: that is not known.
 */
bool
wa_wake_last_fired(Oid relid, TimestampTz *at)
{
	int			index = wa_wake_slot_find(MyDatabaseId);
	WaSlot	   *slot;
	int			place;

	if (index < 0)
		return false;
	slot = &wa_wake_shared->slots[index];
	place = find_place(slot, relid, false);
	/* all places may be in use, by other tables */
	if (place < 0 && pg_atomic_read_u32(&slot->fired[WA_FIRED_TABLES - 1].relid) != InvalidOid)
		return false;
	*at = (TimestampTz) pg_atomic_read_u64(&slot->taken_at);
	if (place >= 0)
		*at = Max(*at, (TimestampTz) pg_atomic_read_u64(&slot->fired[place].at));
	return *at != 0;
}
