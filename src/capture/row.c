/*-------------------------------------------------------------------------
 *
 * row.c
 *		The watched columns of a row: have they changed, and what is their text?
 *
 * Called for each row that an application writes to a watched table, most of
 * which change nothing that is watched.  So two versions of a row are not taken
 * apart as the server would, every column of each into a slot: only what is
 * watched is picked out of their bytes, and as long as those are the same, one
 * walk through them is enough.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/tupmacs.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/json.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "capture/capture.h"

/*
 * Take what is needed out of a row.
 */
void
wa_capture_row_take(const WaWatch *watch, TupleTableSlot *slot, WaRowValue *row)
{
	slot_getsomeattrs(slot, watch->last_attnum);
	for (int i = 0; i < watch->last_attnum; i++)
	{
		row[i].value = slot->tts_values[i];
		row[i].isnull = slot->tts_isnull[i];
	}
}

/* One version of a row, on the way through its columns. */
typedef struct Walk
{
	HeapTupleHeader header;
	bool		has_nulls;
	char	   *data;
	int			length;			/* of the data */
	int			offset;			/* behind the columns that were passed */
} Walk;

static void
begin(Walk *walk, HeapTuple tuple)
{
	walk->header = tuple->t_data;
	walk->has_nulls = HeapTupleHasNulls(tuple);
	walk->data = (char *) tuple->t_data + tuple->t_data->t_hoff;
	walk->length = tuple->t_len - tuple->t_data->t_hoff;
	walk->offset = 0;
}

static inline bool
is_null(const Walk *walk, int i)
{
	return walk->has_nulls && att_isnull(i, walk->header->t_bits);
}

/* Which columns of the run are not NULL. */
static inline uint8
there(const Walk *walk, const WaRowRun *run)
{
	return walk->has_nulls ? walk->header->t_bits[run->first / BITS_PER_BYTE] & run->mask : run->mask;
}

/* Pass a run in which these columns are not NULL, at least one: where it stands. */
static inline char *
pass(Walk *walk, const WaRowRun *run, uint8 columns)
{
	char	   *at = walk->data + walk->offset;

	/* a short varlena is not aligned, and begins with a byte that is not 0 */
	if (run->len != -1 || !VARATT_NOT_PAD_BYTE(at))
		at = walk->data + TYPEALIGN(run->align, walk->offset);
	if (run->len > 0)
		walk->offset = at - walk->data + run->len * pg_number_of_ones[columns];
	else
		walk->offset = att_addlength_pointer(at - walk->data, run->len, at);
	return at;
}

/* Where column i of a run stands that was passed so; NULL: it is NULL. */
static inline char *
find(const WaRowRun *run, uint8 columns, char *at, int i)
{
	uint8		bit = 1 << (i % BITS_PER_BYTE);

	if (!(columns & bit))
		return NULL;
	return at + run->len * pg_number_of_ones[columns & (bit - 1)];
}

static inline void
keep(WaRowValue *to, const WaRowRun *run, char *from)
{
	to->isnull = from == NULL;
	if (from)
		to->value = fetch_att(from, run->byval, run->len);
}

/* In so many columns, from the first one on, both have the same NULLs. */
static int
same_nulls(const Walk *before, const Walk *after, int n)
{
	int			bytes = n / 8;
	int			i = 0;

	if (!before->has_nulls && !after->has_nulls)
		return n;
	if (before->has_nulls != after->has_nulls)
		return 0;
	while (i < bytes && before->header->t_bits[i] == after->header->t_bits[i])
		i++;
	for (i *= 8; i < n; i++)
		if (is_null(before, i) != is_null(after, i))
			break;
	return i;
}

/* So many bytes, from the first column on, are the same. */
static int
same_bytes(const Walk *before, const Walk *after)
{
	int			most = Min(before->length, after->length) - (int) sizeof(uint64);
	int			n = 0;

	while (n <= most && memcmp(before->data + n, after->data + n, sizeof(uint64)) == 0)
		n += sizeof(uint64);
	return n;
}

/* The bytes of a column of the run that was passed last. */
static inline int
length_of(const Walk *walk, const WaRowRun *run, const char *at)
{
	return run->len > 0 ? run->len : walk->data + walk->offset - at;
}

/*
 * The same by slots, for a row that is shorter than the table: columns that
 * were added since it was written are not in it, and the same default may have
 * other bytes in the new one.
 */
static bool
compare_slots(const WaWatch *watch, TriggerData *trigger)
{
	wa_capture_row_take(watch, trigger->tg_trigslot, watch->before);
	wa_capture_row_take(watch, trigger->tg_newslot, watch->after);
	for (int i = 0; i < watch->ncolumns; i++)
	{
		const WaWatchColumn *column = &watch->columns[i];
		const WaRowValue *before = &watch->before[column->attnum - 1];
		const WaRowValue *after = &watch->after[column->attnum - 1];

		if (column->attnum > 0 &&
			(before->isnull != after->isnull ||
			 (!before->isnull &&
			  !datum_image_eq(before->value, after->value, column->byval, column->len))))
			return true;
	}
	return false;
}

/*
 * Has a watched column changed?  Compares bytes, which an untouched value
 * keeps even where it is toasted.  If so, watch->before and watch->after have
 * what is needed of both; it points into the two rows.
 */
bool
wa_capture_row_compare(const WaWatch *watch, TriggerData *trigger)
{
	Walk		before;
	Walk		after;
	int			bytes;
	int			columns;
	int			r;
	bool		changed = false;

	begin(&before, trigger->tg_trigtuple);
	begin(&after, trigger->tg_newtuple);
	if (HeapTupleHeaderGetNatts(before.header) < watch->last_attnum ||
		HeapTupleHeaderGetNatts(after.header) < watch->last_attnum)
		return compare_slots(watch, trigger);

	/* as long as both are the same */
	bytes = same_bytes(&before, &after);
	columns = same_nulls(&before, &after, watch->last_attnum);
	for (r = 0; r < watch->nruns; r++)
	{
		const WaRowRun *run = &watch->runs[r];
		uint8		bits = there(&after, run);
		char	   *at = NULL;

		if (run->first + run->n > columns)
			break;
		if (bits)
		{
			at = pass(&after, run, bits);
			if (after.offset > bytes)
				break;
			before.offset = after.offset;
		}
		if (!run->needed)
			continue;
		for (int i = run->first; i < run->first + run->n; i++)
		{
			if (watch->need[i] == WA_NEED_NONE)
				continue;
			keep(&watch->before[i], run, find(run, bits, at, i));
			watch->after[i] = watch->before[i];
		}
	}
	after.offset = before.offset;

	for (; r < watch->nruns; r++)
	{
		const WaRowRun *run = &watch->runs[r];
		uint8		old_bits = there(&before, run);
		uint8		new_bits = there(&after, run);
		char	   *old_at = old_bits ? pass(&before, run, old_bits) : NULL;
		char	   *new_at = new_bits ? pass(&after, run, new_bits) : NULL;

		if (!run->needed)
			continue;
		for (int i = run->first; i < run->first + run->n; i++)
		{
			char	   *old;
			char	   *new;
			int			length;

			if (watch->need[i] == WA_NEED_NONE)
				continue;
			old = find(run, old_bits, old_at, i);
			new = find(run, new_bits, new_at, i);
			keep(&watch->before[i], run, old);
			keep(&watch->after[i], run, new);
			if (watch->need[i] != WA_NEED_WATCHED || (old == NULL && new == NULL))
				continue;
			if (old == NULL || new == NULL)
			{
				changed = true;
				continue;
			}
			length = length_of(&after, run, new);
			changed |= length != length_of(&before, run, old) || memcmp(old, new, length) != 0;
		}
	}
	return changed;
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
value_as_text(const WaWatchColumn *column, Datum value)
{
	const int	utc = 0;
	ValueText	text = {NULL, 0};
	const char *string = NULL;
	char	   *buffer;

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
		case WA_VALUE_INTEGER:
			string = buffer = palloc(MAXINT8LEN + 1);
			pg_lltoa(column->len == sizeof(int64) ? DatumGetInt64(value) :
					 column->len == sizeof(int32) ? DatumGetInt32(value) : DatumGetInt16(value),
					 buffer);
			break;
		case WA_VALUE_BOOLEAN:
			string = DatumGetBool(value) ? "t" : "f";
			break;
		case WA_VALUE_DATETIME:
			/* independent of DateStyle and TimeZone */
			string = buffer = palloc(MAXDATELEN + 1);
			JsonEncodeDateTime(buffer, value, column->type, &utc);
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
				string = OutputFunctionCall(unconstify(FmgrInfo *, &column->output), value);
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
 * The watched columns as text[], allocated in this context (what is made on the way,
 * in the current one): what construct_md_array() would make of a text for each,
 * without making them.
 */
Datum
wa_capture_row_array(const WaWatch *watch, const WaRowValue *row, MemoryContext context)
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
		const WaWatchColumn *column = &watch->columns[i];

		if (column->attnum > 0 && !row[column->attnum - 1].isnull)
			values[i] = value_as_text(column, row[column->attnum - 1].value);
		else
			values[i].start = NULL;
		if (values[i].start == NULL)
			hasnulls = true;
		else
			size += INTALIGN(VARHDRSZ + values[i].length);
	}

	header = hasnulls ? ARR_OVERHEAD_WITHNULLS(1, n) : ARR_OVERHEAD_NONULLS(1);
	array = MemoryContextAlloc(context, header + size);
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
		int			bytes;

		/* cppcheck-suppress uninitvar ; each has been set above */
		if (values[i].start == NULL)
			continue;
		bytes = VARHDRSZ + values[i].length;
		if (hasnulls)
			/* there is one: hasnulls */
			ARR_NULLBITMAP(array)[i / 8] |= 1 << (i % 8);	/* NOLINT(clang-analyzer-core.NullDereference) */
		/* what is behind the text to the next one */
		memset(to + INTALIGN(bytes) - sizeof(int32), 0, sizeof(int32));
		SET_VARSIZE(to, bytes);
		memcpy(VARDATA(to), values[i].start, values[i].length);
		to += INTALIGN(bytes);
	}
	return PointerGetDatum(array);
}
