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

/* The caller holds wa_wake_lock exclusively. */
static void
note(WaTrouble *trouble, WaTroubleKind kind, int n, const char *why)
{
	int			all = 0;

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
}

/*
 * Of this kind there are n now: rounds that have failed in a row, messages
 * that are set aside, workers that could not connect; 0: it is over.  why: the
 * last error, or NULL to leave what was noted.  For the current database.
 */
void
wa_wake_note_trouble(WaTroubleKind kind, int n, const char *why)
{
	int			index = wa_wake_slot_find(MyDatabaseId);

	if (index < 0)
		return;
	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	note(&wa_wake_shared->slots[index].trouble, kind, n, why);
	LWLockRelease(wa_wake_lock);
}

/*
 * One more worker of this slot could not connect, and exits (no errors, no
 * memory).
 */
void
wa_wake_note_no_start(int index, const char *why)
{
	WaTrouble  *trouble = &wa_wake_shared->slots[index].trouble;

	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	note(trouble, WA_TROUBLE_STARTS, trouble->n[WA_TROUBLE_STARTS] + 1, why);
	LWLockRelease(wa_wake_lock);
}
