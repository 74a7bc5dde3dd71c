/*-------------------------------------------------------------------------
 *
 * count.c
 *		What a row of the ledger is in figures, and what a statement changes.
 *
 * A trigger on wa.message and wa.attempt takes what each row was out of the
 * figures and puts in what it is; after the statement what is left of that goes
 * into wa.figure_change, rows of a table without any index, for which no
 * transaction waits (figure.c adds them up).
 *
 * A day is one of the office, in the zone of wa.figure_zone, which changes only
 * together with all figures, while nobody writes the ledger.
 *
 * The triggers fire for replicas and restores, too.  For a subscription they do
 * not: the figures come along.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "office/setting.h"
#include "pg/acting.h"
#include "pg/pg_compat.h"
#include "pg/query.h"
#include "queue/figure.h"
#include "queue/state.h"
#include "wake/progress.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(wa_sql_count);

/* Of a name so many bytes are counted by. */
#define MAX_NAME		80
/* So long are "category/type/billable", together and each. */
#define MAX_BILLABLE	6
#define MAX_PRICE_NAME	((MAX_NAME - MAX_BILLABLE - 2) / 2)
#define MAX_KEY			(4 * MAX_NAME + 40)

/* So many rows of changes are added up soon. */
#define MANY_ROWS		1000

/* day, scenario, provider, figure, detail: each but the last ends with a tab */
typedef struct Cell
{
	char		key[MAX_KEY];
	int64		n;
	int64		last;			/* of those that came; 0: none, or it is no
								 * state */
} Cell;

/* Columns by which a row is counted. */
enum
{
	ID, CREATED_AT, EVENT_AT, SEND_AT, SCENARIO, PROVIDER, STATE, REASON, ATTEMPTS, REPEATS,
	SENT_AT, DELIVERED_AT, READ_AT, PRICING, MESSAGE_COLUMNS
};
enum
{
	STARTED_AT, BY, OUTCOME, ATTEMPT_COLUMNS
};

typedef struct Counted
{
	const char *table;
	int			ncolumns;
	const char *columns[MESSAGE_COLUMNS];
	Oid			relid;			/* for which attnum is */
	int			natts;
	AttrNumber	attnum[MESSAGE_COLUMNS];
} Counted;

static Counted counted[] = {
	{"message", MESSAGE_COLUMNS, {
			"id", "created_at", "event_at", "send_at", "scenario", "provider", "state", "reason", "attempts", "repeats",
			"sent_at", "delivered_at", "read_at", "pricing"
	}},
	{"attempt", ATTEMPT_COLUMNS, {"started_at", "provider", "outcome"}}
};

#define IS_MESSAGE(what)	((what) == &counted[0])

/*
 * What the statement that is running has changed, by key; in the memory of its
 * subtransaction, so that it goes when that fails.
 */
static HTAB *cells = NULL;
static LocalTransactionId cells_of = InvalidLocalTransactionId;
static SubTransactionId cells_in = InvalidSubTransactionId;

/* The zone in which it counts days. */
static char days_in[TZ_STRLEN_MAX + 1];

/* Where a key is being written. */
typedef struct Key
{
	char		text[MAX_KEY];
	int			len;
} Key;

/* A name of anybody's: cut, and without what would end it. */
static void
add_name(Key *key, const char *name, int len)
{
	if (len > MAX_NAME)
		len = pg_mbcliplen(name, len, MAX_NAME);
	for (int i = 0; i < len; i++)
		key->text[key->len++] = name[i] == '\t' ? ' ' : name[i];
	key->text[key->len++] = '\t';
}

static void
add_datum(Key *key, Datum datum, bool isnull)
{
	text	   *value = isnull ? NULL : DatumGetTextPP(datum);

	add_name(key, value ? VARDATA_ANY(value) : "", value ? VARSIZE_ANY_EXHDR(value) : 0);
}

/* n more of this figure; the key has a day, a scenario and a provider.  NULL: nothing. */
static Cell *
count(Key *key, const char *figure, const char *detail, int64 n)
{
	int			len = key->len;
	Cell	   *cell;
	bool		found;

	if (n == 0)
		return NULL;
	add_name(key, figure, strlen(figure));
	add_name(key, detail, strlen(detail));
	key->text[key->len - 1] = '\0';
	cell = hash_search(cells, key->text, HASH_ENTER, &found);
	if (!found)
		cell->n = cell->last = 0;
	cell->n += n;
	key->len = len;
	return cell;
}

/* Which step on a scale of four to the octave, from a millisecond on. */
static void
count_time(Key *key, const char *figure, TimestampTz from, TimestampTz to, int n)
{
	char		step[12];
	double		ms = (double) (to - from) / 1000;

	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(to))
		return;
	pg_ltoa(ms < 1 ? 0 : (int) floor(4 * log2(ms)) + 1, step);
	count(key, figure, step, n);
}

/* What a member says, cut so that all fit, and without what stands between them. */
static char *
json_member(Jsonb *object, const char *name, int most)
{
	JsonbValue	space;
	JsonbValue *value = getKeyJsonValueFromContainer(&object->root, name, strlen(name), &space);
	char	   *text;

	if (value == NULL)
		return "";
	if (value->type != jbvString)
		return value->type == jbvBool ? (value->val.boolean ? "true" : "false") : "";
	text = pnstrdup(value->val.string.val, pg_mbcliplen(value->val.string.val, value->val.string.len, most));
	for (char *p = strchr(text, '/'); p; p = strchr(p, '/'))
		*p = '-';
	return text;
}

static void
count_pricing(Key *key, Datum datum, int n)
{
	Jsonb	   *pricing = DatumGetJsonbP(datum);

	if (JB_ROOT_IS_OBJECT(pricing))
		count(key, "pricing", psprintf("%s/%s/%s", json_member(pricing, "category", MAX_PRICE_NAME),
									   json_member(pricing, "type", MAX_PRICE_NAME),
									   json_member(pricing, "billable", MAX_BILLABLE)), n);
}

/* The day that it is in the zone at that moment. */
static void
begin_key(Key *key, TimestampTz at, const char *zone)
{
	Timestamp	wall = wa_office_time_on_wall(at, zone);
	int64		day = TIMESTAMP_NOT_FINITE(wall) ? 0 : wall / USECS_PER_DAY - (wall % USECS_PER_DAY < 0);

	pg_ltoa((int32) day, key->text);
	key->len = strlen(key->text);
	key->text[key->len++] = '\t';
}

static void
count_message(const Datum *values, const bool *nulls, const char *zone, int n)
{
	TimestampTz created = DatumGetTimestampTz(values[CREATED_AT]);
	TimestampTz from = nulls[EVENT_AT] ? created : DatumGetTimestampTz(values[EVENT_AT]);
	char	   *state = TextDatumGetCString(values[STATE]);
	WaState		is = wa_queue_state_read(state, false);
	bool		read = !nulls[READ_AT] || is == WA_STATE_READ;
	bool		delivered = read || !nulls[DELIVERED_AT] || is == WA_STATE_DELIVERED;
	bool		sent = delivered || !nulls[SENT_AT] || is == WA_STATE_SENT;
	Key			key;
	Cell	   *cell;
	char	   *reason = nulls[REASON] ? "" : TextDatumGetCString(values[REASON]);

	if (!nulls[SEND_AT])
		from = Max(from, DatumGetTimestampTz(values[SEND_AT]));
	begin_key(&key, created, zone);
	add_datum(&key, values[SCENARIO], nulls[SCENARIO]);
	add_datum(&key, values[PROVIDER], nulls[PROVIDER]);
	cell = count(&key, state, reason, n);
	if (n > 0)
		cell->last = Max(cell->last, DatumGetInt64(values[ID]));
	count(&key, "attempts", "", (int64) n * DatumGetInt32(values[ATTEMPTS]));
	count(&key, "repeats", "", (int64) n * DatumGetInt32(values[REPEATS]));

	/*
	 * who has it on the phone was sent it; and where a time is not known, its
	 * state is
	 */
	if (sent)
		count(&key, "was_sent", "", n);
	if (!nulls[SENT_AT])
		count_time(&key, "sent_after", from, DatumGetTimestampTz(values[SENT_AT]), n);
	if (delivered)
		count(&key, "was_delivered", "", n);
	if (!nulls[DELIVERED_AT] || !nulls[READ_AT])
		count_time(&key, "delivered_after", from,
				   DatumGetTimestampTz(values[nulls[DELIVERED_AT] ? READ_AT : DELIVERED_AT]), n);
	if (read)
		count(&key, "was_read", "", n);
	if (!nulls[PRICING])
		count_pricing(&key, values[PRICING], n);
}

static void
count_attempt(const Datum *values, const bool *nulls, const char *zone, int n)
{
	Key			key;

	begin_key(&key, DatumGetTimestampTz(values[STARTED_AT]), zone);
	add_name(&key, "", 0);
	add_datum(&key, values[BY], nulls[BY]);
	count(&key, "attempt", TextDatumGetCString(values[OUTCOME]), n);
}

/*
 * Which of the two tables it is; NULL: none of ours.  Where its columns stand
 * is looked up once for a definition.
 */
static Counted *
counted_of(Relation table)
{
	TupleDesc	desc = RelationGetDescr(table);

	if (RelationGetNamespace(table) != get_namespace_oid("wa", true))
		return NULL;
	for (size_t i = 0; i < lengthof(counted); i++)
	{
		Counted    *what = &counted[i];

		if (strcmp(RelationGetRelationName(table), what->table) != 0)
			continue;
		if (what->relid == RelationGetRelid(table) && what->natts == desc->natts)
			return what;
		what->relid = InvalidOid;
		for (int c = 0; c < what->ncolumns; c++)
		{
			what->attnum[c] = SPI_fnumber(desc, what->columns[c]);
			if (what->attnum[c] <= 0)
				elog(ERROR, "table wa.%s has no column \"%s\"", what->table, what->columns[c]);
		}
		what->relid = RelationGetRelid(table);
		what->natts = desc->natts;
		return what;
	}
	return NULL;
}

static void
read_columns(const Counted *what, TupleDesc desc, HeapTuple tuple, Datum *values, bool *nulls)
{
	Datum		all[MaxHeapAttributeNumber];
	bool		missing[MaxHeapAttributeNumber];

	heap_deform_tuple(tuple, desc, all, missing);
	for (int c = 0; c < what->ncolumns; c++)
	{
		values[c] = all[what->attnum[c] - 1];
		nulls[c] = missing[what->attnum[c] - 1];
	}
}

static bool
same_columns(const Counted *what, TupleDesc desc, const Datum *a, const bool *a_null, const Datum *b, const bool *b_null)
{
	for (int c = 0; c < what->ncolumns; c++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, what->attnum[c] - 1);

		if (a_null[c] != b_null[c] || (!a_null[c] && !datum_image_eq(a[c], b[c], att->attbyval, att->attlen)))
			return false;
	}
	return true;
}

static void
count_row(const Counted *what, const Datum *values, const bool *nulls, const char *zone, int n)
{
	if (IS_MESSAGE(what))
		count_message(values, nulls, zone, n);
	else
		count_attempt(values, nulls, zone, n);
}

/* The zone in which the figures have their days, palloc()ed; NULL: none yet. */
char *
wa_queue_count_zone(void)
{
	Oid			relid = get_relname_relid("figure_zone", get_namespace_oid("wa", false));
	Relation	table = table_open(relid, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = wa_table_beginscan(table, snapshot);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	char	   *zone = NULL;
	bool		isnull;

	if (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		zone = TextDatumGetCString(slot_getattr(slot, 1, &isnull));
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(table, AccessShareLock);
	return zone;
}

static char *
setting_zone(void)
{
	WaActing	acting;
	MemoryContext caller = CurrentMemoryContext;
	char	   *zone;

	wa_pg_trigger_begin(&acting);
	zone = MemoryContextStrdup(caller, wa_office_get("time_zone"));
	wa_pg_trigger_end(&acting);
	return zone;
}

static void
new_cells(void)
{
	HASHCTL		ctl = {.keysize = MAX_KEY,.entrysize = sizeof(Cell),.hcxt = CurTransactionContext};

	cells_of = wa_my_local_xid();
	cells_in = GetCurrentSubTransactionId();
	cells = hash_create("sicantik_wa figures", 64, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/*
 * Before a row of a statement is counted.  The zone is read for each statement: it
 * cannot change while that has the ledger locked, and after a savepoint that was
 * rolled back nothing has.
 */
static void
begin_counting(void)
{
	char	   *zone;

	if (cells && cells_of == wa_my_local_xid() && cells_in == GetCurrentSubTransactionId())
		return;
	zone = wa_queue_count_zone();
	strlcpy(days_in, zone ? zone : setting_zone(), sizeof(days_in));
	new_cells();
}

static int
by_key(const void *a, const void *b)
{
	return strcmp((*(Cell *const *) a)->key, (*(Cell *const *) b)->key);
}

/*
 * What was counted, as rows of wa.figure_change; those of a day side by side.
 */
void
wa_queue_count_write(void)
{
	HASH_SEQ_STATUS status;
	Cell	   *cell;
	Cell	  **all;
	long		n = 0;
	Relation	table;

	if (cells == NULL || cells_of != wa_my_local_xid() || cells_in != GetCurrentSubTransactionId())
	{
		cells = NULL;
		return;
	}
	table = table_open(get_relname_relid("figure_change", get_namespace_oid("wa", false)), RowExclusiveLock);
	all = palloc(sizeof(Cell *) * hash_get_num_entries(cells));
	hash_seq_init(&status, cells);
	while ((cell = hash_seq_search(&status)) != NULL)
		if (cell->n != 0)
			all[n++] = cell;
	qsort(all, n, sizeof(Cell *), by_key);
	for (long c = 0; c < n; c++)
	{
		Datum		values[7];
		bool		nulls[7] = {0};
		char	   *field = all[c]->key;
		HeapTuple	tuple;

		values[0] = DateADTGetDatum(strtol(field, NULL, 10));
		field = strchr(field, '\t') + 1;
		for (int i = 1; i < 5; i++)
		{
			char	   *end = strchrnul(field, '\t');

			values[i] = PointerGetDatum(cstring_to_text_with_len(field, end - field));
			field = end + 1;
		}
		values[5] = Int64GetDatum(all[c]->n);
		values[6] = Int64GetDatum(all[c]->last);
		nulls[6] = all[c]->last == 0;
		tuple = heap_form_tuple(RelationGetDescr(table), values, nulls);
		simple_heap_insert(table, tuple);
		heap_freetuple(tuple);
		for (int i = 1; i < 5; i++)
			pfree(DatumGetPointer(values[i]));
	}
	table_close(table, NoLock);
	pfree(all);
	if (n >= MANY_ROWS)
		wa_wake_at_commit();
	hash_destroy(cells);
	cells = NULL;
}

/* Before TRUNCATE: of what the table has nothing is left. */
static void
forget_all(bool messages)
{
	static WaStatement forget =
		WA_STATEMENT("WITH c AS (DELETE FROM wa.figure_change WHERE (figure <> 'attempt') = $1)"
					 " DELETE FROM wa.figure WHERE (figure <> 'attempt') = $1");
	WaActing	acting;
	WaArgs		args = {0};

	wa_pg_trigger_begin(&acting);
	wa_arg_bool(&args, messages);
	wa_query(&forget, &args);
	wa_pg_trigger_end(&acting);
}

/*
 * wa._count(): see figure.sql.
 */
Datum
wa_sql_count(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	Counted    *what;
	Datum		values[2][MESSAGE_COLUMNS];
	bool		nulls[2][MESSAGE_COLUMNS];
	bool		update;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!(TRIGGER_FIRED_AFTER(data->tg_event) || TRIGGER_FIRED_BY_TRUNCATE(data->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as a trigger after a change, or before TRUNCATE", "wa._count")));
	what = counted_of(data->tg_relation);
	if (what == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" is for tables of sicantik_wa", "wa._count")));
	if (IsLogicalWorker())
		return PointerGetDatum(NULL);
	if (!TRIGGER_FIRED_FOR_ROW(data->tg_event))
	{
		if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
			forget_all(IS_MESSAGE(what));
		else
			wa_queue_count_write();
		return PointerGetDatum(NULL);
	}
	desc = RelationGetDescr(data->tg_relation);
	update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
	read_columns(what, desc, data->tg_trigtuple, values[0], nulls[0]);
	if (update)
	{
		read_columns(what, desc, data->tg_newtuple, values[1], nulls[1]);
		if (same_columns(what, desc, values[0], nulls[0], values[1], nulls[1]))
			return PointerGetDatum(NULL);
	}
	begin_counting();
	count_row(what, values[0], nulls[0], days_in, TRIGGER_FIRED_BY_INSERT(data->tg_event) ? 1 : -1);
	if (update)
		count_row(what, values[1], nulls[1], days_in, 1);
	return PointerGetDatum(NULL);
}

/*
 * Begin to count anew, in this transaction.
 */
void
wa_queue_count_begin(void)
{
	new_cells();
}

/*
 * Count all rows of a table, as somebody sees them who comes now, in days of
 * this zone.  Returns how many there are.
 */
int64
wa_queue_count_table(const char *name, const char *zone)
{
	Relation	table = table_open(get_relname_relid(name, get_namespace_oid("wa", false)), AccessShareLock);
	Counted    *what = counted_of(table);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = wa_table_beginscan(table, snapshot);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sicantik_wa counted row", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	HeapTuple	tuple;
	int64		n = 0;

	if (what == NULL)
		elog(ERROR, "table wa.%s is not counted", name);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Datum		values[MESSAGE_COLUMNS] = {0};
		bool		nulls[MESSAGE_COLUMNS] = {0};

		CHECK_FOR_INTERRUPTS();
		read_columns(what, RelationGetDescr(table), tuple, values, nulls);
		count_row(what, values, nulls, zone, 1);
		MemoryContextReset(context);
		if (++n % 1000 == 0)
			wa_wake_progress_add(WA_COMMAND_RECOUNT, 1000);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(table, NoLock);
	return n;
}
