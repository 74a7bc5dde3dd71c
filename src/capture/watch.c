/*-------------------------------------------------------------------------
 *
 * watch.c
 *		What a session knows of the tables that carry our trigger.
 *
 * EXECUTE on the trigger function is everybody's (a restored CREATE TRIGGER
 * needs it), so anybody can hang it on a table of his own.  What counts is
 * wa.watch: it names the table, the role that owned it when it was attached,
 * and the columns.  The answer is kept per session and looked up again when the
 * server says that the table or wa.watch has changed.
 *
 * A table that is being rewritten cannot be read just then, and a lock on it
 * may be waited for a long time (behind a pg_dump).  So there is a copy, which
 * holds the same after every commit; and where neither can be had, a session
 * goes on with what it knows.  What comes from elsewhere than wa.watch is good
 * for one transaction.
 *
 * Nothing here waits for a lock or raises an error for anything that a user
 * can cause: we are inside somebody else's UPDATE.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupmacs.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "capture/capture.h"
#include "capture/event.h"
#include "pg/acting.h"
#include "pg/pg_compat.h"
#include "pg/query.h"
#include "wake/wake.h"

static HTAB *watches = NULL;
static Oid	watch_relid = InvalidOid;	/* wa.watch, while known */

/*
 * Relcache invalidation: a table has changed; InvalidOid means all of them.
 * May run at any catalog access: only sets flags.
 */
static void
forget_relation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS seq;
	WaWatch    *watch;
	bool		all = relid == InvalidOid || relid == watch_relid;

	wa_capture_table_forget(relid);
	if (watches == NULL)
		return;
	if (!all)
	{
		watch = hash_search(watches, &relid, HASH_FIND, NULL);
		if (watch)
		{
			watch->valid = false;
			watch->stale = true;
		}
		return;
	}
	hash_seq_init(&seq, watches);
	while ((watch = hash_seq_search(&seq)) != NULL)
	{
		watch->valid = false;
		watch->stale = true;
	}
}

/* The database's owner, or what he has rights to, may have changed. */
static void
forget_all(Datum arg, int cacheid, uint32 hashvalue)
{
	forget_relation(arg, InvalidOid);
}

/* The schema may have another name now, or the sequence other limits. */
static void
forget_events(Datum arg, int cacheid, uint32 hashvalue)
{
	wa_capture_table_forget(InvalidOid);
}

/*
 * Called once per process, when the library is loaded.
 */
void
wa_capture_watch_init(void)
{
	CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
	CacheRegisterSyscacheCallback(DATABASEOID, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, forget_events, (Datum) 0);
	CacheRegisterSyscacheCallback(SEQRELID, forget_events, (Datum) 0);
}

/* A column that is there, or NULL. */
static Form_pg_attribute
find_column(Relation relation, const char *name)
{
	TupleDesc	desc = RelationGetDescr(relation);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att;
	}
	return NULL;
}

static void
prepare_column(Relation relation, bool takes_all, const char *name,
			   WaWatchColumn *column, MemoryContext context)
{
	Form_pg_attribute att = find_column(relation, name);
	Oid			output;
	bool		varlena;

	if (att == NULL ||
		wa_capture_judge_column(RelationGetRelationName(relation), takes_all, att,
								&column->kind, &column->type) != WA_COLUMN_TAKEN)
		return;
	column->attnum = att->attnum;
	column->byval = att->attbyval;
	column->len = att->attlen;
	getTypeOutputInfo(column->type, &output, &varlena);
	fmgr_info_cxt(output, &column->output, context);
}

/*
 * What the bytes of a row are looked through with.
 */
static void
prepare_row(WaWatch *watch, TupleDesc desc)
{
	int			n = watch->last_attnum;
	WaRowRun   *run = NULL;

	watch->need = palloc0(sizeof(WaNeed) * (n + 1));
	watch->runs = palloc0(sizeof(WaRowRun) * (n + 1));
	watch->before = palloc0(sizeof(WaRowValue) * (n + 1));
	watch->after = palloc0(sizeof(WaRowValue) * (n + 1));
	if (watch->id_attnum > 0)
		watch->need[watch->id_attnum - 1] = WA_NEED_ID;
	for (int i = 0; i < watch->ncolumns; i++)
		if (watch->columns[i].attnum > 0)
			watch->need[watch->columns[i].attnum - 1] = WA_NEED_WATCHED;
	for (int i = 0; i < n; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		uint8		align = att_align_nominal(1, att->attalign);

		if (i % BITS_PER_BYTE == 0 || run->len != att->attlen || run->align != align ||
			run->byval != att->attbyval || att->attlen <= 0 || att->attlen % align != 0)
		{
			run = &watch->runs[watch->nruns++];
			run->first = i;
			run->len = att->attlen;
			run->align = align;
			run->byval = att->attbyval;
		}
		run->n++;
		run->mask |= 1 << (i % BITS_PER_BYTE);
		run->needed |= watch->need[i] != WA_NEED_NONE;
	}
}

/*
 * Resolve the column names of wa.watch against the table as it is now.
 */
static void
prepare(WaWatch *watch, Relation relation)
{
	MemoryContext old = MemoryContextSwitchTo(watch->context);
	bool		takes_all = wa_capture_takes_all(relation->rd_rel->relowner);
	Datum	   *names;
	bool	   *nulls;
	Form_pg_attribute id = find_column(relation, "id");

	deconstruct_array(DatumGetArrayTypeP(watch->column_names), TEXTOID, -1, false,
					  TYPALIGN_INT, &names, &nulls, &watch->ncolumns);
	watch->columns = palloc0(sizeof(WaWatchColumn) * Max(watch->ncolumns, 1));
	for (int i = 0; i < watch->ncolumns; i++)
	{
		if (nulls[i])
			continue;
		prepare_column(relation, takes_all, TextDatumGetCString(names[i]),
					   &watch->columns[i], watch->context);
		watch->last_attnum = Max(watch->last_attnum, watch->columns[i].attnum);
	}
	if (id != NULL && wa_capture_is_id(id))
	{
		watch->id_attnum = id->attnum;
		watch->id_type = getBaseType(id->atttypid);
		watch->last_attnum = Max(watch->last_attnum, id->attnum);
	}
	prepare_row(watch, RelationGetDescr(relation));
	/* more than a table can have: nothing that wa_setup() has written */
	watch->watched = watch->ncolumns > 0 &&
		watch->ncolumns <= MaxHeapAttributeNumber &&
		(takes_all || wa_capture_find_built_in(RelationGetRelationName(relation)));
	MemoryContextSwitchTo(old);
}

static bool
has_expected_shape(Relation watch)
{
	TupleDesc	desc = RelationGetDescr(watch);

	return watch->rd_rel->relkind == RELKIND_RELATION &&
		watch->rd_rel->relowner == BOOTSTRAP_SUPERUSERID &&
		desc->natts >= 3 &&
		TupleDescAttr(desc, 0)->atttypid == TEXTOID &&
		TupleDescAttr(desc, 1)->atttypid == TEXTOID &&
		TupleDescAttr(desc, 2)->atttypid == TEXTARRAYOID;
}

/*
 * Open wa.watch, or its copy where that cannot be read now.  *reason says why
 * not wa.watch, else it is -1.  NULL: neither.
 */
static Relation
open_watches(Oid schema, int *reason)
{
	static const char *const names[] = {"watch", "watch_copy"};

	*reason = -1;
	for (int i = 0; i < WA_CAPTURE_LOOKS; i++)
	{
		Oid			relid = get_relname_relid(names[i % lengthof(names)], schema);
		int			why = WA_DROP_MISSING;
		Relation	table;

		if (!OidIsValid(relid))
			;
		else if (!ConditionalLockRelationOid(relid, AccessShareLock))
			why = WA_DROP_LOCKED;
		else
		{
			table = try_relation_open(relid, NoLock);
			if (table && has_expected_shape(table))
			{
				if (i % lengthof(names) == 0)
					*reason = -1;
				return table;
			}
			if (table)
				table_close(table, NoLock);
			UnlockRelationOid(relid, AccessShareLock);
		}
		if (i == 0)
			*reason = why;
	}
	return NULL;
}

/* A row of wa.watch for this table. */
static void
take_row(WaWatch *watch, Relation relation, const char *owner, ArrayType *columns)
{
	MemoryContext old = MemoryContextSwitchTo(watch->context);

	/* kept also if the table is not taken: see "known" below */
	watch->owner = pstrdup(owner);
	watch->column_names = PointerGetDatum(DatumGetArrayTypePCopy(PointerGetDatum(columns)));
	MemoryContextSwitchTo(old);
	if (wa_capture_judge_table(relation->rd_rel->relkind, relation->rd_rel->relowner,
							   owner) == WA_TABLE_TAKEN)
		prepare(watch, relation);
}

/*
 * The table's name as wa.watch has it, palloc()ed, whatever this session wants
 * to have quoted.
 */
static char *
watched_name(Relation relation)
{
	bool		quote_all = quote_all_identifiers;
	char	   *name = NULL;

	quote_all_identifiers = false;
	PG_TRY();
	{
		name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
										  RelationGetRelationName(relation));
	}
	PG_FINALLY();
	{
		quote_all_identifiers = quote_all;
	}
	PG_END_TRY();
	return name;
}

/*
 * Find the row of wa.watch for this table; "known" is what was found last time,
 * if anything was.  Returns false if it cannot be told now; the change that
 * asked has been counted as dropped then.
 */
static bool
load(WaWatch *watch, Relation relation, const WaWatch *known)
{
	Oid			schema = get_namespace_oid("wa", true);
	int			reason = WA_DROP_MISSING;
	Relation	table = NULL;
	TableScanDesc scan;
	TupleTableSlot *slot;
	Snapshot	snapshot;
	MemoryContext old;
	char	   *name;

	if (OidIsValid(schema))
	{
		watch_relid = get_relname_relid("watch", schema);
		table = open_watches(schema, &reason);
	}
	if (reason >= 0)
		watch->borrowed = GetCurrentTransactionStartTimestamp();
	name = watched_name(relation);
	old = MemoryContextSwitchTo(watch->context);
	watch->relation = CStringGetTextDatum(name);
	MemoryContextSwitchTo(old);
	if (table == NULL)
	{
		if (reason != WA_DROP_LOCKED || !known->known ||
			strcmp(TextDatumGetCString(known->relation), name) != 0)
		{
			wa_capture_dropped(reason, 1);
			return false;
		}
		if (known->owner)
			take_row(watch, relation, known->owner, DatumGetArrayTypeP(known->column_names));
		watch->known = true;
		return true;
	}

	/* The transaction's own snapshot may be older than wa_setup(). */
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = wa_table_beginscan(table, snapshot);
	slot = table_slot_create(table, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull[3];
		Datum		values[3];

		for (int i = 0; i < 3; i++)
			values[i] = slot_getattr(slot, i + 1, &isnull[i]);
		if (isnull[0] || isnull[1] || isnull[2] ||
			strcmp(TextDatumGetCString(values[0]), name) != 0)
			continue;
		take_row(watch, relation, TextDatumGetCString(values[1]), DatumGetArrayTypeP(values[2]));
		break;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(table, AccessShareLock);
	watch->known = true;
	return true;
}

/*
 * What is watched on this table; NULL if that cannot be told now (the caller
 * records nothing; that has been counted).  The result stays valid at least
 * until the end of the transaction, though the table may change meanwhile.
 */
WaWatch *
wa_capture_watch(Relation relation)
{
	static WaWatch *latest = NULL;	/* no entry is ever taken out */
		Oid			relid = RelationGetRelid(relation);
	WaWatch    *watch = latest;
	WaWatch		known = {0};
	bool		found;

	if (watch && watch->relid == relid && watch->valid && watch->borrowed == 0)
		return watch;
	if (watches == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(Oid);
		ctl.entrysize = sizeof(WaWatch);
		ctl.hcxt = CacheMemoryContext;
		watches = hash_create("sicantik_wa watched tables", 16, &ctl,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	latest = watch = hash_search(watches, &relid, HASH_ENTER, &found);
	if (found && watch->valid &&
		(watch->borrowed == 0 || watch->borrowed == GetCurrentTransactionStartTimestamp()))
		return watch;

	/* gathered changes point into the old context: it goes with them */
	if (found)
		known = *watch;
	if (known.context)
		MemoryContextSetParent(known.context, TopTransactionContext);
	memset(watch, 0, sizeof(WaWatch));
	watch->relid = relid;
	watch->context = AllocSetContextCreate(CacheMemoryContext,
										   "sicantik_wa watched table",
										   ALLOCSET_SMALL_SIZES);

	/*
	 * Valid only when all of it has been read (a statement may be canceled
	 * meanwhile), and nothing has changed since we began.
	 */
	if (!load(watch, relation, &known))
	{
		MemoryContextDelete(watch->context);
		watch->context = NULL;
		return NULL;
	}
	watch->valid = !watch->stale;
	return watch;
}

/*
 * wa.watch has changed: write its copy anew, in the same transaction.  (Objects
 * of version 1.0, into which a dump is restored, have none.)
 */
void
wa_capture_watch_copy(void)
{
	static WaStatement clear =
		WA_STATEMENT("DELETE FROM wa.watch_copy");
	static WaStatement fill =
		WA_STATEMENT("INSERT INTO wa.watch_copy (relation, owner, columns)"
					 " SELECT relation, owner, columns FROM wa.watch");
	WaActing	acting;

	if (!OidIsValid(get_relname_relid("watch_copy", get_namespace_oid("wa", false))))
		return;
	wa_pg_act_as_owner(&acting);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	wa_query(&clear, NULL);
	wa_query(&fill, NULL);
	SPI_finish();
	wa_pg_act_end(&acting);
}
