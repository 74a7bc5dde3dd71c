/*-------------------------------------------------------------------------
 *
 * event.c
 *		Writes gathered changes into wa.event.
 *
 * Direct heap insert: no SPI plan (a pooled application throws those away with
 * DISCARD ALL several times per request), no privilege check, nothing to
 * evaluate.  All locks are taken conditionally before the first row is
 * written.  If the table cannot be had at once, is missing, or has another
 * shape, its twin wa.event_aside takes them: VACUUM FULL, REINDEX and the like
 * go from one table to the next, and may do so between two looks, so each is
 * looked at a few times.  If neither can be had, the changes are dropped and
 * counted: the application's write must neither fail nor wait
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
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "capture/capture.h"
#include "pg/pg_compat.h"
#include "pg/subtransaction.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

/* Columns of wa.event, in order. */
enum
{
	EVENT_ID,
	EVENT_XACT,
	EVENT_COMMAND,
	EVENT_AT,
	EVENT_RELATION,
	EVENT_RECORD_ID,
	EVENT_COLUMNS,
	EVENT_OLD,
	EVENT_NEW,
	EVENT_NATTS
};

static const Oid event_types[EVENT_NATTS] = {
	INT8OID, XID8OID, INT8OID, TIMESTAMPTZOID, TEXTOID, INT8OID,
	TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID
};

#define WRITE_BATCH		64
#define MAX_INDEXES		4
#define EVENTS_PER_BLOCK 16		/* that carry a few columns */

/* wa.event or wa.event_aside and what belongs to it, locked. */
typedef struct EventTable
{
	Relation	table;
	Oid			sequence;		/* InvalidOid: cannot be had now */
	int			nindexes;
	Relation	indexes[MAX_INDEXES];
	IndexInfo  *index_infos[MAX_INDEXES];
} EventTable;

/*
 * Say that changes could not be recorded: counted in shared memory, and told
 * in the log once for an episode (not preloaded: once for a session), however
 * many sessions and rows it hits.  The worker is woken at commit to keep the
 * span of time in a table.
 */
void
wa_capture_dropped(int reason, uint64 events)
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

static void
close_events(EventTable *events)
{
	for (int i = 0; i < events->nindexes; i++)
	{
		wa_index_insert_cleanup(events->indexes[i], events->index_infos[i]);
		index_close(events->indexes[i], NoLock);
	}
	if (events->table)
		table_close(events->table, NoLock);
}

static bool
has_expected_shape(Relation table)
{
	TupleDesc	desc = RelationGetDescr(table);

	if (table->rd_rel->relkind != RELKIND_RELATION ||
		table->rd_rel->relowner != BOOTSTRAP_SUPERUSERID ||
		desc->natts < EVENT_NATTS)
		return false;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (i < EVENT_NATTS ?
			(att->attisdropped || att->atttypid != event_types[i]) :
			(att->attnotnull && !att->attisdropped && !att->atthasdef))
			return false;
	}
	return true;
}

/* Open the indexes; only such as cannot fail and need no evaluation. */
static int
open_indexes(EventTable *events)
{
	List	   *oids = RelationGetIndexList(events->table);
	ListCell   *cell;

	foreach(cell, oids)
	{
		Oid			oid = lfirst_oid(cell);
		Relation	index;
		IndexInfo  *info;

		if (!ConditionalLockRelationOid(oid, RowExclusiveLock))
			return WA_DROP_LOCKED;
		index = index_open(oid, NoLock);
		if (events->nindexes == MAX_INDEXES)
		{
			index_close(index, NoLock);
			return WA_DROP_MISSING;
		}
		info = BuildIndexInfo(index);
		if (!info->ii_ReadyForInserts)
		{
			/* CREATE INDEX or REINDEX CONCURRENTLY, at work or failed */
			index_close(index, NoLock);
			continue;
		}
		events->indexes[events->nindexes] = index;
		events->index_infos[events->nindexes++] = info;
		if (info->ii_Unique || info->ii_Expressions || info->ii_Predicate)
			return WA_DROP_MISSING;
	}
	return -1;
}

/*
 * Open one of the two tables for writing without ever waiting.  Returns -1, or
 * the reason why not; then nothing is open.
 */
static int
open_one(EventTable *events, Oid schema, const char *name)
{
	Oid			oid = get_relname_relid(name, schema);
	int			reason;

	memset(events, 0, sizeof(*events));
	if (!OidIsValid(oid))
		return WA_DROP_MISSING;
	if (!ConditionalLockRelationOid(oid, RowExclusiveLock))
		return WA_DROP_LOCKED;
	events->table = try_relation_open(oid, NoLock);
	if (events->table == NULL || !has_expected_shape(events->table))
		reason = WA_DROP_MISSING;
	else
		reason = open_indexes(events);
	if (reason >= 0)
		close_events(events);
	return reason;
}

/*
 * Open that one of the tables that can be had.  Returns -1, or the reason why
 * wa.event cannot be had, and its twin neither.
 */
static int
open_events(EventTable *events)
{
	Oid			schema = get_namespace_oid("wa", true);
	Oid			sequence;
	int			reason = WA_DROP_MISSING;

	if (!OidIsValid(schema))
		return reason;
	for (int i = 0; i < WA_CAPTURE_LOOKS && reason >= 0; i++)
	{
		int			why = open_one(events, schema, i % 2 == 0 ? "event" : "event_aside");

		if (i == 0 || why < 0)
			reason = why;
	}
	if (reason >= 0)
		return reason;
	sequence = get_relname_relid("event_id_seq", schema);
	if (OidIsValid(sequence) && get_rel_relkind(sequence) == RELKIND_SEQUENCE &&
		ConditionalLockRelationOid(sequence, RowExclusiveLock))
		events->sequence = sequence;
	return -1;
}

/* Numbers to draw from the sequence. */
typedef struct Numbers
{
	Oid			sequence;
	int64	   *ids;
	int			n;
} Numbers;

static bool
draw(void *argument)
{
	Numbers    *numbers = argument;

	for (int i = 0; i < numbers->n; i++)
		numbers->ids[i] = nextval_internal(numbers->sequence, false);
	return true;
}

/*
 * Number n events.  The owner of the database may set the sequence, also to
 * its end, and then drawing from it raises an error.  What it cannot give
 * comes from the clock; nothing relies on these numbers but the order in
 * which changes are told and what people call them.  Returns whether they are
 * the sequence's.
 */
static bool
number_events(EventTable *events, int64 *ids, int n)
{
	static bool said = false;
	static int64 last = 0;
	Numbers		numbers = {events->sequence, ids, n};

	if (OidIsValid(events->sequence))
	{
		ErrorData  *error = wa_pg_subtransaction(draw, &numbers);
		int			category = error ? ERRCODE_TO_CATEGORY(error->sqlerrcode) : 0;

		if (error == NULL)
			return true;
		/* somebody cancels the statement, or the server is out of something */
		if (category == ERRCODE_OPERATOR_INTERVENTION ||
			category == ERRCODE_INSUFFICIENT_RESOURCES)
			ReThrowError(error);
		if (!said)
			ereport(LOG,
					(errmsg("sicantik_wa numbers events by the clock, since wa.event_id_seq gives no numbers: %s",
							error->message),
					 errhidestmt(true), errhidecontext(true),
					 errhint("SELECT setval('wa.event_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM wa.event WHERE id < 100000000000000));")));
		said = true;
	}
	for (int i = 0; i < n; i++)
		ids[i] = last = Max(last + 1, GetCurrentTimestamp());
	return false;
}

/*
 * Is there room?  Only asked where nothing is preloaded: then nobody reads
 * the events, and they must not fill the disk.  next_id: 0 if the numbers of
 * the events do not count them; then the size of the table does.
 */
static bool
has_room(EventTable *events, int64 next_id)
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
fill(TupleTableSlot *slot, const WaChange *change, int64 id)
{
	Datum	   *values = slot->tts_values;
	bool	   *isnull = slot->tts_isnull;

	ExecClearTuple(slot);
	memset(isnull, true, sizeof(bool) * slot->tts_tupleDescriptor->natts);
	memset(isnull, false, sizeof(bool) * EVENT_NATTS);
	values[EVENT_ID] = Int64GetDatum(id);
	values[EVENT_XACT] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	values[EVENT_COMMAND] = Int64GetDatum((int64) change->command);
	values[EVENT_AT] = TimestampTzGetDatum(change->at);
	values[EVENT_RELATION] = change->relation;
	values[EVENT_RECORD_ID] = Int64GetDatum(change->record_id);
	isnull[EVENT_RECORD_ID] = !change->has_record;
	values[EVENT_COLUMNS] = change->column_names;
	values[EVENT_OLD] = change->old_values;
	isnull[EVENT_OLD] = change->old_values == (Datum) 0;
	values[EVENT_NEW] = change->new_values;
	ExecStoreVirtualTuple(slot);
}

static void
insert_batch(EventTable *events, TupleTableSlot **slots, int n)
{
	table_multi_insert(events->table, slots, n, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < events->nindexes; j++)
		{
			Datum		values[INDEX_MAX_KEYS];
			bool		isnull[INDEX_MAX_KEYS];

			FormIndexDatum(events->index_infos[j], slots[i], NULL, values, isnull);
			index_insert(events->indexes[j], values, isnull, &slots[i]->tts_tid,
						 events->table, UNIQUE_CHECK_NO, false,
						 events->index_infos[j]);
		}
	}
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
	EventTable	events;
	TupleTableSlot *slots[WRITE_BATCH];
	int			nslots = Min(nchanges, WRITE_BATCH);
	int			reason;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"sicantik_wa event writer",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);

	reason = open_events(&events);
	if (reason >= 0)
	{
		wa_capture_dropped(reason, nchanges);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		return;
	}

	for (int i = 0; i < nslots; i++)
		slots[i] = table_slot_create(events.table, NULL);
	for (int start = 0; start < nchanges; start += nslots)
	{
		int			n = Min(nslots, nchanges - start);
		int64		ids[WRITE_BATCH];
		bool		counted = number_events(&events, ids, n);

		for (int i = 0; i < n; i++)
			fill(slots[i], &changes[start + i], ids[i]);
		if (start == 0 && !wa_wake_preloaded() &&
			!has_room(&events, counted ? ids[0] : 0))
		{
			wa_capture_dropped(WA_DROP_FULL, nchanges);
			break;
		}
		insert_batch(&events, slots, n);
	}
	for (int i = 0; i < nslots; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	close_events(&events);
	wa_wake_at_commit();

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
