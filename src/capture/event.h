/*-------------------------------------------------------------------------
 *
 * event.h
 *		What the files share that write events.
 *
 * table.c opens the table, number.c draws numbers, event.c writes the rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CAPTURE_EVENT_H
#define SICANTIK_WA_CAPTURE_EVENT_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "utils/relcache.h"

/* Columns of wa.event, in order. */
enum
{
	WA_EVENT_ID,
	WA_EVENT_XACT,
	WA_EVENT_COMMAND,
	WA_EVENT_AT,
	WA_EVENT_RELATION,
	WA_EVENT_RECORD_ID,
	WA_EVENT_COLUMNS,
	WA_EVENT_OLD,
	WA_EVENT_NEW,
	WA_EVENT_NATTS
};

/* With more indexes than this, the table is not written. */
#define WA_EVENT_INDEXES		4

/* wa.event_id_seq, locked. */
typedef struct WaEventSequence
{
	Oid			oid;			/* InvalidOid: cannot be had now */
	int64		increment;
	int64		max;
} WaEventSequence;

/* wa.event or wa.event_aside and what belongs to it, locked. */
typedef struct WaEventTable
{
	Relation	table;
	WaEventSequence sequence;
	int			nindexes;
	Relation	indexes[WA_EVENT_INDEXES];
	IndexInfo  *index_infos[WA_EVENT_INDEXES];
} WaEventTable;

/* table.c */
extern int	wa_capture_table_open(WaEventTable *events, bool may_be_long);
extern void wa_capture_table_close(WaEventTable *events);
extern void wa_capture_table_forget(Oid relid);

/* number.c */
extern bool wa_capture_number(const WaEventSequence *sequence, int64 *ids, int n);

#endif							/* SICANTIK_WA_CAPTURE_EVENT_H */
