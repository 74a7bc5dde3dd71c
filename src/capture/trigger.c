/*-------------------------------------------------------------------------
 *
 * trigger.c
 *		The two triggers on watched tables: gather per row, write per
 *		statement.
 *
 * The row trigger compares the watched columns and keeps what changed in
 * memory; the statement trigger, which fires after all row triggers of the
 * statement, writes the lot.  A nested statement (another AFTER trigger that
 * updates the same table) runs in between and writes what it finds, so the
 * order of rows in wa.event proves nothing; the command id does.
 *
 * What was gathered inside a savepoint goes when the savepoint is rolled back
 * and must not be written by a nested statement in a subtransaction that may
 * be rolled back while the outer one lives on: each change carries the
 * subtransaction that it belongs to, and is written there only.  Whatever no
 * statement trigger has written (it may be disabled) is written before commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "replication/logicalworker.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "capture/capture.h"
#include "pg/app_table.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

/* More than this is written at once, whatever statement is running. */
#define GATHER_LIMIT	1000

static WaChange *gathered = NULL;
static int	ngathered = 0;
static int	capacity = 0;
static MemoryContext gather_context = NULL; /* child of TopTransactionContext */
static bool callbacks_registered = false;

PG_FUNCTION_INFO_V1(wa_sql_capture);
PG_FUNCTION_INFO_V1(wa_sql_changed);

/*
 * Write the changes of the current subtransaction and forget them.
 */
static void
write_gathered(void)
{
	SubTransactionId subid = GetCurrentSubTransactionId();
	int			first = ngathered;

	/* those of inner subtransactions stand behind those of outer ones */
	while (first > 0 && gathered[first - 1].subid == subid)
		first--;
	if (first == ngathered)
		return;
	wa_capture_write(&gathered[first], ngathered - first);
	ngathered = first;
	if (first == 0)
	{
		MemoryContextReset(gather_context);
		gathered = NULL;
	}
}

static void
at_xact_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (ngathered > 0)
				write_gathered();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			/* the context goes with the transaction's */
			gathered = NULL;
			ngathered = 0;
			gather_context = NULL;
			break;
		default:
			break;
	}
}

static void
at_subxact_event(SubXactEvent event, SubTransactionId subid,
				 SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (ngathered > 0 && gathered[ngathered - 1].subid >= subid)
			ngathered--;
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (int i = ngathered - 1; i >= 0 && gathered[i].subid == subid; i--)
			gathered[i].subid = parent;
	}
}

/*
 * The label of a value of an enum, palloc()ed; NULL if it has none (enum_out()
 * would raise an error).
 */
static char *
enum_label(Datum value)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, value);
	char	   *label;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	label = pstrdup(NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel));
	ReleaseSysCache(tuple);
	return label;
}

/*
 * A value as text; (Datum) 0 for NULL.  Allocated in the current context.
 * Longer values are cut: events are for comparing, not for keeping.
 */
static Datum
value_as_text(WaWatchColumn *column, Datum value, bool isnull)
{
	const int	utc = 0;
	text	   *slice;
	char	   *string;
	int			length;

	if (isnull)
		return (Datum) 0;
	switch (column->kind)
	{
		case WA_VALUE_TEXT:
			/* fetches no more than needed of a toasted value */
			slice = (text *) PG_DETOAST_DATUM_SLICE(value, 0, WA_CAPTURE_VALUE_BYTES);
			string = VARDATA_ANY(slice);
			length = VARSIZE_ANY_EXHDR(slice);
			break;
		case WA_VALUE_DATETIME:
			/* independent of DateStyle and TimeZone */
			string = palloc(MAXDATELEN + 1);
			JsonEncodeDateTime(string, value, column->type, &utc);
			length = strlen(string);
			break;
		case WA_VALUE_ENUM:
			string = enum_label(value);
			if (string == NULL)
				return (Datum) 0;
			length = strlen(string);
			break;
		default:

			/*
			 * text of a huge bytea or array may be more than the server can
			 * hold
			 */
			if (column->len == -1 && toast_raw_datum_size(value) > WA_CAPTURE_OUTPUT_BYTES)
				string = "(too large)";
			else
				string = OutputFunctionCall(&column->output, value);
			length = strlen(string);
			break;
	}
	if (length >= WA_CAPTURE_VALUE_BYTES)
		length = pg_mbcliplen(string, length, WA_CAPTURE_VALUE_BYTES - 1);
	return PointerGetDatum(cstring_to_text_with_len(string, length));
}

static Datum
row_as_array(WaWatch *watch, TupleTableSlot *slot)
{
	Datum		values[MaxHeapAttributeNumber];
	bool		nulls[MaxHeapAttributeNumber];
	int			dims[1] = {watch->ncolumns};
	int			lbs[1] = {1};

	for (int i = 0; i < watch->ncolumns; i++)
	{
		WaWatchColumn *column = &watch->columns[i];

		values[i] = (Datum) 0;
		if (column->attnum > 0)
		{
			bool		isnull;
			Datum		value = slot_getattr(slot, column->attnum, &isnull);

			values[i] = value_as_text(column, value, isnull);
		}
		nulls[i] = values[i] == (Datum) 0;
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, dims, lbs,
											  TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * Has a watched column changed?  Compares bytes, which an untouched value
 * keeps even where it is toasted.
 */
static bool
has_changed(WaWatch *watch, TupleTableSlot *before, TupleTableSlot *after)
{
	slot_getsomeattrs(before, watch->last_attnum);
	slot_getsomeattrs(after, watch->last_attnum);
	for (int i = 0; i < watch->ncolumns; i++)
	{
		WaWatchColumn *column = &watch->columns[i];
		int			att = column->attnum - 1;

		if (att < 0)
			continue;
		if (before->tts_isnull[att] != after->tts_isnull[att])
			return true;
		if (!before->tts_isnull[att] &&
			!datumIsEqual(before->tts_values[att], after->tts_values[att],
						  column->byval, column->len))
			return true;
	}
	return false;
}

static void
register_callbacks(void)
{
	if (callbacks_registered)
		return;
	RegisterXactCallback(at_xact_event, NULL);
	RegisterSubXactCallback(at_subxact_event, NULL);
	callbacks_registered = true;
}

static void
gather(TriggerData *trigger)
{
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	TupleTableSlot *after = update ? trigger->tg_newslot : trigger->tg_trigslot;
	HeapTuple	tuple = update ? trigger->tg_newtuple : trigger->tg_trigtuple;
	WaWatch    *watch = wa_capture_watch(trigger->tg_relation);
	MemoryContext old;
	WaChange   *change;

	if (watch == NULL || !watch->watched)
		return;
	wa_wake_note_fired(watch->relid);
	if (update && !has_changed(watch, trigger->tg_trigslot, after))
		return;
	/* what was said of consent, written to a contact: no news for anybody */
	if (wa_app_writing)
		return;
	if (!wa_guc_capture)
	{
		wa_capture_pass_over();
		return;
	}

	register_callbacks();
	if (gather_context == NULL)
		gather_context = AllocSetContextCreate(TopTransactionContext,
											   "sicantik_wa gathered changes",
											   ALLOCSET_DEFAULT_SIZES);
	if (ngathered >= GATHER_LIMIT)
		write_gathered();
	old = MemoryContextSwitchTo(gather_context);
	if (gathered == NULL)
	{
		capacity = GATHER_LIMIT;
		gathered = palloc(sizeof(WaChange) * capacity);
	}
	else if (ngathered == capacity)
	{
		/* full of changes that belong to outer subtransactions */
		capacity *= 2;
		gathered = repalloc_huge(gathered, sizeof(WaChange) * capacity);
	}
	change = &gathered[ngathered];
	memset(change, 0, sizeof(*change));
	change->subid = GetCurrentSubTransactionId();
	change->at = GetCurrentTimestamp();
	change->command = HeapTupleHeaderGetCmin(tuple->t_data);
	change->relation = watch->relation;
	change->column_names = watch->column_names;
	change->new_values = row_as_array(watch, after);
	if (update)
		change->old_values = row_as_array(watch, trigger->tg_trigslot);
	if (watch->id_attnum > 0)
	{
		bool		isnull;
		Datum		id = slot_getattr(after, watch->id_attnum, &isnull);

		change->has_record = !isnull;
		if (!isnull)
			change->record_id = watch->id_type == INT8OID ? DatumGetInt64(id) :
				watch->id_type == INT4OID ? DatumGetInt32(id) : DatumGetInt16(id);
	}
	ngathered++;
	MemoryContextSwitchTo(old);
}

/*
 * wa.capture(): see capture.sql.
 */
Datum
wa_sql_capture(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const char *name;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("wa.capture() can only be called as a trigger")));
	name = trigger->tg_trigger->tgname;
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event))
		return PointerGetDatum(NULL);
	if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) &&
		!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(NULL);

	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
	{
		if (ngathered > 0)
			write_gathered();
	}
	else if (strcmp(name, WA_CAPTURE_ROW_TRIGGER) == 0)
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
