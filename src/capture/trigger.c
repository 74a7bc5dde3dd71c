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

/* Where the text of a value stands; start NULL: it has none. */
typedef struct ValueText
{
	const char *start;
	int			length;
} ValueText;

/*
 * A value as text; what is made for it is allocated in the current context.
 * Longer values are cut: events are for comparing, not for keeping.
 */
static ValueText
value_as_text(WaWatchColumn *column, Datum value)
{
	const int	utc = 0;
	ValueText	text = {NULL, 0};
	char	   *string = NULL;

	switch (column->kind)
	{
		case WA_VALUE_TEXT:
			/* fetches no more than needed of a toasted value */
			if (VARATT_IS_EXTERNAL(DatumGetPointer(value)) ||
				VARATT_IS_COMPRESSED(DatumGetPointer(value)))
				value = PointerGetDatum(PG_DETOAST_DATUM_SLICE(value, 0, WA_CAPTURE_VALUE_BYTES));
			text.start = VARDATA_ANY(DatumGetPointer(value));
			text.length = VARSIZE_ANY_EXHDR(DatumGetPointer(value));
			break;
		case WA_VALUE_DATETIME:
			/* independent of DateStyle and TimeZone */
			string = palloc(MAXDATELEN + 1);
			JsonEncodeDateTime(string, value, column->type, &utc);
			break;
		case WA_VALUE_ENUM:
			string = enum_label(value);
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
			break;
	}
	if (string)
	{
		text.start = string;
		text.length = strlen(string);
	}
	if (text.length >= WA_CAPTURE_VALUE_BYTES)
		text.length = pg_mbcliplen(text.start, text.length, WA_CAPTURE_VALUE_BYTES - 1);
	return text;
}

/*
 * The watched columns as text[], allocated in the current context: what
 * construct_md_array() would make of a text for each, without making them.
 */
static Datum
row_as_array(WaWatch *watch, TupleTableSlot *slot)
{
	ValueText	values[MaxHeapAttributeNumber];
	int			n = watch->ncolumns;
	bool		hasnulls = false;
	int			header;
	int			size = 0;
	ArrayType  *array;
	char	   *to;

	for (int i = 0; i < n; i++)
	{
		WaWatchColumn *column = &watch->columns[i];
		bool		isnull = true;
		Datum		value = 0;

		if (column->attnum > 0)
			value = slot_getattr(slot, column->attnum, &isnull);
		if (isnull)
			values[i].start = NULL;
		else
			values[i] = value_as_text(column, value);
		if (values[i].start == NULL)
			hasnulls = true;
		else
			size += INTALIGN(VARHDRSZ + values[i].length);
	}

	header = hasnulls ? ARR_OVERHEAD_WITHNULLS(1, n) : ARR_OVERHEAD_NONULLS(1);
	array = palloc(header + size);
	memset(array, 0, header);
	SET_VARSIZE(array, header + size);
	array->ndim = 1;
	array->dataoffset = hasnulls ? header : 0;
	array->elemtype = TEXTOID;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	to = ARR_DATA_PTR(array);
	for (int i = 0; i < n; i++)
	{
		int			bytes = VARHDRSZ + values[i].length;

		if (values[i].start == NULL)
			continue;
		if (hasnulls)
			ARR_NULLBITMAP(array)[i / 8] |= 1 << (i % 8);
		SET_VARSIZE(to, bytes);
		memcpy(VARDATA(to), values[i].start, values[i].length);
		memset(to + bytes, 0, INTALIGN(bytes) - bytes);
		to += INTALIGN(bytes);
	}
	return PointerGetDatum(array);
}

/*
 * Do two versions of a row differ, if at all, only in columns behind all that
 * are watched?  That is told from their bytes, without taking them apart:
 * those columns have lengths that the catalog knows, so the end of the row is
 * theirs.  False where that cannot be told.
 */
static bool
differs_behind(WaWatch *watch, TupleDesc desc, HeapTuple before, HeapTuple after)
{
	HeapTupleHeader old = before->t_data;
	HeapTupleHeader new = after->t_data;
	int			natts = HeapTupleHeaderGetNatts(new);
	int			end = after->t_len;

	/* also the same columns NULL */
	if (before->t_len != after->t_len || old->t_hoff != new->t_hoff ||
		HeapTupleHeaderGetNatts(old) != natts ||
		HeapTupleHasNulls(before) != HeapTupleHasNulls(after))
		return false;
	for (int att = natts; att > watch->last_attnum; att--)
	{
		int			len = TupleDescAttr(desc, att - 1)->attlen;

		if (HeapTupleHasNulls(after) && att_isnull(att - 1, new->t_bits))
			continue;
		if (len < 0)
			break;
		end -= len;
	}
	return memcmp(old->t_bits, new->t_bits, end - offsetof(HeapTupleHeaderData, t_bits)) == 0;
}

/*
 * Has a watched column changed?  Compares bytes, which an untouched value
 * keeps even where it is toasted.
 */
static bool
has_changed(WaWatch *watch, TriggerData *trigger)
{
	TupleTableSlot *before = trigger->tg_trigslot;
	TupleTableSlot *after = trigger->tg_newslot;

	if (differs_behind(watch, RelationGetDescr(trigger->tg_relation),
					   trigger->tg_trigtuple, trigger->tg_newtuple))
		return false;
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
	if (update && !has_changed(watch, trigger))
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
