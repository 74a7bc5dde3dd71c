/*-------------------------------------------------------------------------
 *
 * table.c
 *		Opens wa.event, or its twin, for writing.
 *
 * All locks are taken conditionally before the first row is written.  If the
 * table cannot be had at once, is missing, or has another shape, its twin
 * wa.event_aside takes the changes: VACUUM FULL, REINDEX and the like go from
 * one table to the next, and may do so between two looks, so each is looked at
 * a few times.
 *
 * To find it by its name, to look at its shape, and to find out how its indexes
 * are filled costs more than to insert a row.  So a session remembers what it
 * has found of wa.event until the server says that any of it has changed.  It
 * says so to whoever takes a lock, so what is still known when all locks are
 * held is good while they are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_sequence.h"
#include "catalog/pg_type.h"
#include "nodes/execnodes.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "capture/capture.h"
#include "capture/event.h"
#include "pg/pg_compat.h"
#include "wake/wake.h"

static const Oid event_types[WA_EVENT_NATTS] = {
	INT8OID, XID8OID, INT8OID, TIMESTAMPTZOID, TEXTOID, INT8OID,
	TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID
};

/* What this session knows of wa.event. */
typedef struct RememberedTable
{
	bool		valid;
	bool		stale;			/* something has changed while it was looked
								 * up */
	MemoryContext context;		/* holds the index_infos */
	Oid			table;
	int			nindexes;
	Oid			indexes[WA_EVENT_INDEXES];
	IndexInfo  *index_infos[WA_EVENT_INDEXES];
	WaEventSequence sequence;
} RememberedTable;

static RememberedTable remembered;

/*
 * A relation has changed; InvalidOid: any may have.  May be called at any
 * catalog access.
 */
void
wa_capture_table_forget(Oid relid)
{
	bool		ours = relid == InvalidOid || relid == remembered.table || relid == remembered.sequence.oid;

	for (int i = 0; i < remembered.nindexes; i++)
		ours |= relid == remembered.indexes[i];

	if (ours)
		remembered.valid = false;
	remembered.stale = true;
}

/*
 * The opposite of wa_capture_table_open().  Locks stay until the end of the
 * transaction.
 */
void
wa_capture_table_close(WaEventTable *events)
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
		desc->natts < WA_EVENT_NATTS)
		return false;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (i < WA_EVENT_NATTS ?
			(att->attisdropped || att->atttypid != event_types[i]) :
			(att->attnotnull && !att->attisdropped && !att->atthasdef))
			return false;
	}
	return true;
}

/* Has an index of wa.event only columns of a few bytes, so that a long row fits, too? */
static bool
always_fits(const IndexInfo *info)
{
	for (int i = 0; i < info->ii_NumIndexAttrs; i++)
	{
		switch (info->ii_IndexAttrNumbers[i] - 1)
		{
			case WA_EVENT_ID:
			case WA_EVENT_XACT:
			case WA_EVENT_COMMAND:
			case WA_EVENT_AT:
			case WA_EVENT_RECORD_ID:
				break;
			default:
				return false;
		}
	}
	return true;
}

/* Open the indexes; only such as cannot fail and need no evaluation. */
static int
open_indexes(WaEventTable *events, bool may_be_long)
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
		if (events->nindexes == WA_EVENT_INDEXES)
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
		if (info->ii_Unique || info->ii_Expressions || info->ii_Predicate ||
			(may_be_long && !always_fits(info)))
			return WA_DROP_MISSING;
	}
	return -1;
}

/*
 * Lock what keeps the long values of a table, which the server would wait for.
 * Somebody may rebuild it alone.
 */
static bool
lock_toast(Relation table)
{
	Oid			oid = table->rd_rel->reltoastrelid;
	Relation	toast;
	ListCell   *cell;
	bool		locked = true;

	if (!OidIsValid(oid))
		return true;
	if (!ConditionalLockRelationOid(oid, RowExclusiveLock))
		return false;
	toast = try_relation_open(oid, NoLock);
	if (toast == NULL)
		return false;
	foreach(cell, RelationGetIndexList(toast))
		locked = locked && ConditionalLockRelationOid(lfirst_oid(cell), RowExclusiveLock);
	relation_close(toast, NoLock);
	return locked;
}

/*
 * Open one of the two tables for writing without ever waiting.  Returns -1, or
 * the reason why not; then nothing is open.
 */
static int
open_one(WaEventTable *events, Oid schema, const char *name, bool may_be_long)
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
	else if (may_be_long && !lock_toast(events->table))
		reason = WA_DROP_LOCKED;
	else
		reason = open_indexes(events, may_be_long);
	if (reason >= 0)
		wa_capture_table_close(events);
	return reason;
}

/* The sequence, if it can be had now. */
static void
find_sequence(WaEventSequence *sequence, Oid schema)
{
	Oid			oid = get_relname_relid("event_id_seq", schema);
	HeapTuple	tuple;

	if (!OidIsValid(oid) || get_rel_relkind(oid) != RELKIND_SEQUENCE ||
		!ConditionalLockRelationOid(oid, RowExclusiveLock))
		return;
	tuple = SearchSysCache1(SEQRELID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(tuple))
		return;
	sequence->oid = oid;
	sequence->increment = ((Form_pg_sequence) GETSTRUCT(tuple))->seqincrement;
	sequence->max = ((Form_pg_sequence) GETSTRUCT(tuple))->seqmax;
	ReleaseSysCache(tuple);
}

/*
 * Open wa.event as it is remembered.  False: it is not known any more, or something
 * of it is locked.
 */
static bool
open_known(WaEventTable *events, bool may_be_long)
{
	if (!remembered.valid || !ConditionalLockRelationOid(remembered.table, RowExclusiveLock))
		return false;
	for (int i = 0; i < remembered.nindexes; i++)
		if (!ConditionalLockRelationOid(remembered.indexes[i], RowExclusiveLock))
			return false;
	if (!ConditionalLockRelationOid(remembered.sequence.oid, RowExclusiveLock) || !remembered.valid)
		return false;

	memset(events, 0, sizeof(*events));
	events->table = relation_open(remembered.table, NoLock);
	if (may_be_long && !lock_toast(events->table))
	{
		relation_close(events->table, NoLock);
		return false;
	}
	for (int i = 0; i < remembered.nindexes; i++)
	{
		events->indexes[i] = index_open(remembered.indexes[i], NoLock);
		events->index_infos[i] = remembered.index_infos[i];

		events->nindexes++;
	}
	events->sequence = remembered.sequence;

	return true;
}

/* Keep what has been found of wa.event. */
static void
remember(const WaEventTable *events)
{
	MemoryContext old;

	/* other kinds of index keep something in the IndexInfo */
	for (int i = 0; i < events->nindexes; i++)
		if (events->indexes[i]->rd_rel->relam != BTREE_AM_OID || !always_fits(events->index_infos[i]))
			return;
	if (remembered.context == NULL)
		remembered.context = AllocSetContextCreate(TopMemoryContext, "sicantik_wa table of events",
												   ALLOCSET_SMALL_SIZES);

	MemoryContextReset(remembered.context);
	old = MemoryContextSwitchTo(remembered.context);
	remembered.table = RelationGetRelid(events->table);
	remembered.nindexes = 0;

	for (int i = 0; i < events->nindexes; i++)
	{
		remembered.index_infos[i] = BuildIndexInfo(events->indexes[i]);
		remembered.indexes[i] = RelationGetRelid(events->indexes[i]);
		remembered.nindexes++;
	}
	remembered.sequence = events->sequence;

	MemoryContextSwitchTo(old);
	remembered.valid = !remembered.stale;
}

/*
 * Open that one of the tables that can be had.  may_be_long: rows may have values
 * that are stored apart.  Returns -1, or the reason why wa.event cannot be had, and
 * its twin neither; then nothing is open.  What it keeps is allocated in the
 * current context.
 */
int
wa_capture_table_open(WaEventTable *events, bool may_be_long)
{
	Oid			schema;
	int			reason = WA_DROP_MISSING;

	if (open_known(events, may_be_long))
		return -1;
	remembered.valid = remembered.stale = false;

	schema = get_namespace_oid("wa", true);
	if (!OidIsValid(schema))
		return reason;
	for (int i = 0; i < WA_CAPTURE_LOOKS; i++)
	{
		int			why = open_one(events, schema, i % 2 == 0 ? "event" : "event_aside", may_be_long);

		if (i == 0 || why < 0)
			reason = why;
		if (why >= 0)
			continue;
		find_sequence(&events->sequence, schema);
		if (i % 2 == 0 && OidIsValid(events->sequence.oid))
			remember(events);
		break;
	}
	return reason;
}
