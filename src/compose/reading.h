/*-------------------------------------------------------------------------
 *
 * reading.h
 *		The set of events that is being read, and how far.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_READING_H
#define SICANTIK_WA_READING_H

#include "postgres.h"

#include "utils/portal.h"

/*
 * Events that are visible in the snapshot "target", and not in "position".
 * The rest is of the identity.
 */
typedef struct WaSet
{
	const char *position;
	const char *target;
	bool		closed;			/* they came with a backup: all there are,
								 * whatever their transaction ids say */
	bool		begun;			/* up to "done" it has been read */
	int64		done;			/* WaEvent.first_id */
	bool		only_first;		/* of WA_COMPOSE_FIRST events the records, now */
	int64		hold_event_id;
	const char *hold_snapshot;
	const char *doubt_snapshot;
} WaSet;

extern void wa_compose_set_find(WaSet *set);
extern Portal wa_compose_set_open(const WaSet *set);
extern void wa_compose_set_lose(void);
extern void wa_compose_set_close(void);
extern void wa_compose_set_leave(WaSet *set, int64 done, int64 highest);
extern void wa_compose_set_finish(const WaSet *set, int64 highest);

#endif							/* SICANTIK_WA_READING_H */
