/*-------------------------------------------------------------------------
 *
 * trouble.c
 *		What a database's worker does not get over, for wa_check().
 *
 * A worker whose transactions end in errors tries again for ever, and only the
 * server's log says so.  What it notes here stays until it, or the worker after
 * it, has got over it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "wake/slot.h"

/*
 * Of this kind there are n now: rounds that have failed in a row, or messages
 * that are set aside; 0: it is over.  why: the last error, or NULL to leave
 * what was noted.  For the current database.
 */
void
wa_wake_note_trouble(WaTroubleKind kind, int n, const char *why)
{
	int			index = wa_wake_slot_find(MyDatabaseId);
	WaTrouble  *trouble;
	int			all = 0;

	if (index < 0)
		return;
	trouble = &wa_wake_shared->slots[index].trouble;
	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	trouble->n[kind] = n;
	for (int k = 0; k < WA_TROUBLE_COUNT; k++)
		all += trouble->n[k];
	if (all == 0)
		memset(trouble, 0, sizeof(*trouble));
	else if (trouble->since == 0)
		trouble->since = GetCurrentTimestamp();
	if (all > 0 && why)
	{
		int			len = pg_mbcliplen(why, (int) strlen(why), WA_TROUBLE_BYTES - 1);

		memcpy(trouble->why, why, len);
		trouble->why[len] = '\0';
	}
	LWLockRelease(wa_wake_lock);
}
