/*-------------------------------------------------------------------------
 *
 * trigger.c
 *		The trigger on watched tables: gather per row, write per transaction.
 *
 * It compares the watched columns and keeps what changed in memory; what a
 * transaction has gathered is written before its commit, after all of its
 * triggers, deferred ones too.  So one that changes records by many statements
 * opens wa.event once, and holds its locks for a moment only.  The order of rows
 * in wa.event proves nothing (nested statements); the command id does.
 *
 * What was gathered inside a savepoint goes when the savepoint is rolled back.
 * So each change carries the subtransaction that it belongs to, and where there
 * are too many to keep, those of the present one are written in it.  (Not when it
 * ends: to number them may take a subtransaction, for which it is too late then.)
 *
 * 1.0 had a second trigger, for each statement, which wrote what the first had
 * gathered.  Where a table still has it, it does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "replication/logicalworker.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "capture/capture.h"
#include "pg/app_table.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

/* So many are kept. */
#define GATHER_LIMIT	1000

/* Most transactions change less than this. */
#define GATHER_FIRST	16

static WaChange *gathered = NULL;
static int	ngathered = 0;
static int	capacity = 0;
static bool committing = false; /* what is gathered now is written at once */
static MemoryContext gather_context = NULL; /* child of TopTransactionContext */

PG_FUNCTION_INFO_V1(wa_sql_capture);
PG_FUNCTION_INFO_V1(wa_sql_changed);

/* The first change of the current subtransaction; ngathered: there is none. */
static int
first_of_ours(void)
{
	SubTransactionId subid = GetCurrentSubTransactionId();
	int			first = ngathered;

	/* those of inner subtransactions stand behind those of outer ones */
	while (first > 0 && gathered[first - 1].subid == subid)
		first--;
	return first;
}

/* Forget this change and those behind it. */
static void
forget(int first)
{
	if (first == 0 && ngathered > 0)
	{
		MemoryContextReset(gather_context);
		gathered = NULL;
	}
	for (int i = first; first > 0 && i < ngathered; i++)
	{
		pfree(DatumGetPointer(gathered[i].new_values));
		if (gathered[i].old_values != (Datum) 0)
			pfree(DatumGetPointer(gathered[i].old_values));
	}
	ngathered = first;
}

/*
 * Write the changes of the current subtransaction and forget them.
 */
static void
write_gathered(void)
{
	int			first = first_of_ours();
	bool		pushed = !ActiveSnapshotSet();

	if (first == ngathered)
		return;
	/* what may be long is stored apart, and that asks for a snapshot */
	if (pushed)
		PushActiveSnapshot(GetTransactionSnapshot());
	wa_capture_write(&gathered[first], ngathered - first);
	if (pushed)
		PopActiveSnapshot();
	forget(first);
}

static void
at_xact_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			/* other libraries may still write, in what they do before it */
			committing = true;
			write_gathered();
			wa_capture_tell_dropped();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			/* the context goes with the transaction's */
			gathered = NULL;
			ngathered = 0;
			capacity = 0;
			gather_context = NULL;
			committing = false;
			wa_capture_forget_dropped();
			break;
		default:
			break;
	}
}

static void
at_subxact_event(SubXactEvent event, SubTransactionId subid,
				 SubTransactionId parent, void *arg)
{
	int			first = ngathered;

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (first > 0 && gathered[first - 1].subid >= subid)
			first--;
		forget(first);
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (int i = ngathered - 1; i >= 0 && gathered[i].subid == subid; i--)
			gathered[i].subid = parent;
	}
}

/*
 * Called once per process, when the library is loaded.  Before any of its
 * transactions is about to commit: the server does not call those that are added
 * while it calls the others, and what these gather would not be written.  Where
 * the library is loaded within a transaction, by its first change, nobody can
 * tell; then it writes each at once.
 */
void
wa_capture_init(void)
{
	RegisterXactCallback(at_xact_event, NULL);
	RegisterSubXactCallback(at_subxact_event, NULL);
	committing = IsTransactionState();
	wa_capture_watch_init();
	wa_capture_off_init();
}

static void
gather(TriggerData *trigger)
{
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	HeapTuple	tuple = update ? trigger->tg_newtuple : trigger->tg_trigtuple;
	WaWatch    *watch;
	WaChange   *change;

	watch = wa_capture_watch(trigger->tg_relation);
	if (watch == NULL || !watch->watched)
		return;
	wa_wake_note_fired(watch->relid);
	if (update && !wa_capture_row_compare(watch, trigger))
		return;
	/* what was said of consent, written to a contact: no news for anybody */
	if (wa_app_writing)
		return;
	if (!wa_guc_capture)
	{
		wa_capture_pass_over();
		return;
	}

	if (gather_context == NULL)
		gather_context = AllocSetContextCreate(TopTransactionContext,
											   "sicantik_wa gathered changes",
											   ALLOCSET_DEFAULT_SIZES);
	if (gathered == NULL)
	{
		capacity = Max(capacity, GATHER_FIRST);
		gathered = MemoryContextAlloc(gather_context, sizeof(WaChange) * capacity);
	}
	else if (ngathered == capacity)
	{
		capacity *= 2;
		gathered = repalloc_huge(gathered, sizeof(WaChange) * capacity);
	}
	change = &gathered[ngathered];
	memset(change, 0, sizeof(*change));
	change->subid = GetCurrentSubTransactionId();
	change->command = HeapTupleHeaderGetCmin(tuple->t_data);
	/* the rows of a statement were all changed before the first of them fires */
	change->at = ngathered > 0 && change[-1].command == change->command ?
		change[-1].at : GetCurrentTimestamp();
	change->relation = watch->relation;
	change->column_names = watch->column_names;
	if (!update)
		wa_capture_row_take(watch, trigger->tg_trigslot, watch->after);
	change->new_values = wa_capture_row_array(watch, watch->after, gather_context);
	if (update)
		change->old_values = wa_capture_row_array(watch, watch->before, gather_context);
	if (watch->id_attnum > 0)
	{
		Datum		id = watch->after[watch->id_attnum - 1].value;

		change->has_record = !watch->after[watch->id_attnum - 1].isnull;
		if (change->has_record)
			change->record_id = watch->id_type == INT8OID ? DatumGetInt64(id) :
				watch->id_type == INT4OID ? DatumGetInt32(id) : DatumGetInt16(id);
	}
	ngathered++;
	if (committing || ngathered >= GATHER_LIMIT)
		write_gathered();
	if (committing)
		wa_capture_tell_dropped();
}

/*
 * wa.capture(): see capture.sql.
 */
Datum
wa_sql_capture(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("wa.capture() can only be called as a trigger")));
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		(!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		write_gathered();
	else if (strcmp(trigger->tg_trigger->tgname, WA_CAPTURE_TRIGGER) == 0)
		gather(trigger);
	return PointerGetDatum(NULL);
}

/*
 * wa.changed(): see capture.sql.
 */
Datum
wa_sql_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("wa.changed() can only be called as a trigger")));
	/* anybody may hang this function on a table of his own */
	if (RelationGetNamespace(trigger->tg_relation) == get_namespace_oid("wa", true))
	{
		/*
		 * replication brings the rows of both tables, and must not find them
		 * there
		 */
		if (strcmp(RelationGetRelationName(trigger->tg_relation), "watch") == 0 &&
			!IsLogicalWorker())
			wa_capture_watch_copy();
		CacheInvalidateRelcache(trigger->tg_relation);
		wa_wake_reload_at_commit();
	}
	return PointerGetDatum(NULL);
}
