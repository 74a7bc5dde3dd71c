/*-------------------------------------------------------------------------
 *
 * event.c
 *		Writes gathered changes into wa.event.
 *
 * Direct heap insert: no SPI plan (a pooled application throws those away with
 * DISCARD ALL several times per request), no privilege check, nothing to
 * evaluate.  If neither wa.event nor its twin can be had (table.c), the changes
 * are dropped and counted: the application's write must neither fail nor wait
 * because of us.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "capture/capture.h"
#include "capture/event.h"
#include "pg/pg_compat.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

#define WRITE_BATCH		64

/* Far below what makes a row too long for its page (TOAST_TUPLE_THRESHOLD). */
#define LONG_ROW		1000

#define EVENTS_PER_BLOCK 16		/* that carry a few columns */

/* Changes of this transaction that could not be recorded. */
static uint64 dropped[WA_DROP_COUNT];

/*
 * Changes cannot be recorded.  What a savepoint that is rolled back had changed
 * counts, too.
 */
void
wa_capture_dropped(int reason, uint64 events)
{
	dropped[reason] += events;
}

/* The transaction has ended, or it has been told. */
void
wa_capture_forget_dropped(void)
{
	memset(dropped, 0, sizeof(dropped));
}

/*
 * Count them in shared memory, and tell the log, once for an episode (not
 * preloaded: once for a session), however many sessions and rows it hits.  The
 * worker is woken at commit to keep the span of time in a table.
 */
static void
tell(int reason, uint64 events)
{
	static const char *const why[WA_DROP_COUNT] = {
		[WA_DROP_LOCKED] = "tables of schema wa were locked",
		[WA_DROP_MISSING] = "a table of schema wa is missing or has another shape",
		[WA_DROP_FULL] = "too many events are unread (sicantik_wa.max_unread)"
	};
	static const int codes[WA_DROP_COUNT] = {
		[WA_DROP_LOCKED] = ERRCODE_LOCK_NOT_AVAILABLE,
		[WA_DROP_MISSING] = ERRCODE_UNDEFINED_TABLE,
		[WA_DROP_FULL] = ERRCODE_PROGRAM_LIMIT_EXCEEDED
	};

	wa_wake_at_commit();
	if (!wa_wake_count_drop(reason, events))
		return;
	ereport(LOG,
			(errcode(codes[reason]),
			 errmsg("sicantik_wa could not record changes of a watched table"),
			 errdetail("Reason: %s.", why[reason]),
	/* the statement at work is the application's, with citizens' data */
			 errhidestmt(true), errhidecontext(true),
			 errhint("The application was not disturbed; wa_status() shows the time span to scan again.")));
}

/*
 * The transaction is about to commit: say what of it could not be recorded.
 */
void
wa_capture_tell_dropped(void)
{
	for (int reason = 0; reason < WA_DROP_COUNT; reason++)
		if (dropped[reason] > 0)
			tell(reason, dropped[reason]);
	wa_capture_forget_dropped();
}

/*
 * Is there room?  Only asked where nothing is preloaded: then nobody reads
 * the events, and they must not fill the disk.  next_id: 0 if the numbers of
 * the events do not count them; then the size of the table does.
 */
static bool
has_room(WaEventTable *events, int64 next_id)
{
	Oid			schema = RelationGetNamespace(events->table);
	Oid			oid = get_relname_relid("read_position", schema);
	Relation	table;
	TableScanDesc scan;
	TupleTableSlot *slot;
	Snapshot	snapshot;
	int64		read = 0;

	if (next_id == 0)
		return (int64) RelationGetNumberOfBlocks(events->table) * EVENTS_PER_BLOCK <= wa_guc_max_unread;
	if (!OidIsValid(oid) || !ConditionalLockRelationOid(oid, AccessShareLock))
		return true;
	table = try_relation_open(oid, NoLock);
	if (table == NULL)
		return true;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = wa_table_beginscan(table, snapshot);
	slot = table_slot_create(table, NULL);
	if (RelationGetDescr(table)->natts >= 3 &&
		TupleDescAttr(RelationGetDescr(table), 2)->atttypid == INT8OID &&
		table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		datum = slot_getattr(slot, 3, &isnull);

		read = isnull ? 0 : DatumGetInt64(datum);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(table, AccessShareLock);
	return next_id - read <= wa_guc_max_unread;
}

static void
fill(TupleTableSlot *slot, const WaChange *change, int64 id, Datum xact)
{
	Datum	   *values = slot->tts_values;
	bool	   *isnull = slot->tts_isnull;

	ExecClearTuple(slot);
	memset(isnull, true, sizeof(bool) * slot->tts_tupleDescriptor->natts);
	memset(isnull, false, sizeof(bool) * WA_EVENT_NATTS);
	values[WA_EVENT_ID] = Int64GetDatum(id);
	values[WA_EVENT_XACT] = xact;
	values[WA_EVENT_COMMAND] = Int64GetDatum((int64) change->command);
	values[WA_EVENT_AT] = TimestampTzGetDatum(change->at);
	values[WA_EVENT_RELATION] = change->relation;
	values[WA_EVENT_RECORD_ID] = Int64GetDatum(change->record_id);
	isnull[WA_EVENT_RECORD_ID] = !change->has_record;
	values[WA_EVENT_COLUMNS] = change->column_names;
	values[WA_EVENT_OLD] = change->old_values;
	isnull[WA_EVENT_OLD] = change->old_values == (Datum) 0;
	values[WA_EVENT_NEW] = change->new_values;
	ExecStoreVirtualTuple(slot);
}

static void
insert_batch(WaEventTable *events, TupleTableSlot **slots, int n, Datum xact)
{
	table_multi_insert(events->table, slots, n, GetCurrentCommandId(true), 0, NULL);
	for (int j = 0; j < events->nindexes; j++)
	{
		IndexInfo  *info = events->index_infos[j];
		bool		by_xact = info->ii_NumIndexAttrs == 1 &&
			info->ii_IndexAttrNumbers[0] == WA_EVENT_XACT + 1;
		Datum		values[INDEX_MAX_KEYS] = {xact};
		bool		isnull[INDEX_MAX_KEYS] = {false};

		for (int i = 0; i < n; i++)
		{
			/* that of ours: no need to take the row apart again */
			if (!by_xact)
				FormIndexDatum(info, slots[i], NULL, values, isnull);
			index_insert(events->indexes[j], values, isnull, &slots[i]->tts_tid,
						 events->table, UNIQUE_CHECK_NO, false, info);
		}
	}
}

static bool
may_be_long(const WaChange *change)
{
	return VARSIZE(DatumGetPointer(change->column_names)) + VARSIZE(DatumGetPointer(change->relation)) +
		VARSIZE(DatumGetPointer(change->new_values)) +
		(change->old_values == (Datum) 0 ? 0 : VARSIZE(DatumGetPointer(change->old_values))) > LONG_ROW;
}

/*
 * Write the changes as rows of wa.event or its twin in the current
 * (sub)transaction, or drop and count all of them.
 */
void
wa_capture_write(WaChange *changes, int nchanges)
{
	MemoryContext context;
	MemoryContext old;
	WaEventTable events;
	TupleTableSlot *slots[WRITE_BATCH];
	int			nslots = Min(nchanges, WRITE_BATCH);
	Datum		xact;
	int			reason;
	bool		any_long = false;

	for (int i = 0; i < nchanges; i++)
		any_long = any_long || may_be_long(&changes[i]);
	context = AllocSetContextCreate(CurrentMemoryContext,
									"sicantik_wa event writer",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);

	reason = wa_capture_table_open(&events, any_long);
	if (reason >= 0)
	{
		wa_capture_dropped(reason, nchanges);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		return;
	}

	xact = FullTransactionIdGetDatum(GetTopFullTransactionId());
	for (int i = 0; i < nslots; i++)
		slots[i] = table_slot_create(events.table, NULL);
	for (int start = 0; start < nchanges; start += nslots)
	{
		int			n = Min(nslots, nchanges - start);
		int64		ids[WRITE_BATCH];
		bool		counted = wa_capture_number(&events.sequence, ids, n);

		for (int i = 0; i < n; i++)
			fill(slots[i], &changes[start + i], ids[i], xact);
		if (start == 0 && !wa_wake_preloaded() &&
			!has_room(&events, counted ? ids[0] : 0))
		{
			wa_capture_dropped(WA_DROP_FULL, nchanges);
			break;
		}
		insert_batch(&events, slots, n, xact);
	}
	for (int i = 0; i < nslots; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	wa_capture_table_close(&events);
	wa_wake_at_commit();

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
