/*-------------------------------------------------------------------------
 *
 * event.h
 *		The net change of one record in one transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_EVENT_H
#define SICANTIK_WA_EVENT_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "pg/columns.h"

/*
 * Where more has changed, so many events are composed at once, by whoever sends,
 * and the rest beside it.
 */
#define WA_COMPOSE_FIRST	200

/* The net change of one record in one transaction. */
typedef struct WaEvent
{
	int64		id;				/* of its first event */
	TimestampTz at;				/* of its last event */
	char	   *xact;
	char	   *relation;		/* as in wa.watch */
	char	   *table;			/* without schema */
	int64		record_id;
	bool		has_record;
	bool		insert;
	char	  **columns;
	int			ncolumns;
	char	  **old;			/* NULL for an INSERT */
	char	  **new;
	bool		hold;			/* was there when a copy was armed */
	bool		in_doubt;		/* was there at a failover */
	int64		first_id;		/* of the record's first change in the set */
	bool		is_last;		/* the record's last one in the set */
	bool		outdated;		/* the record's status has changed again since */
} WaEvent;

extern const WaRowType wa_compose_event_row;
extern WaStatement wa_compose_event_net_changes;
extern void wa_compose_event_read(WaEvent *event, WaRows rows, uint64 row);
extern const char *wa_compose_event_old(const WaEvent *event, const char *column);
extern const char *wa_compose_event_new(const WaEvent *event, const char *column);
extern char *wa_compose_event_table(const char *relation);

#endif							/* SICANTIK_WA_EVENT_H */
