/*-------------------------------------------------------------------------
 *
 * find_recorded.c
 *		Findings about the watched tables' rows: were their changes recorded?
 *
 * Triggers may be in their places and well, and not have fired: a session
 * with session_replication_role = replica, a table that was copied back, a
 * trigger that was off for an hour.  So the rows that Odoo says were written
 * lately (write_date, in UTC, the time at which the writing transaction began)
 * are compared with wa.event:
 *
 * - a row must be as its last event left it, and one that was created since
 *	 must have an event: anything else was not recorded;
 * - a row that was written and has no event may have been changed in columns
 *	 that are not watched.  Many of these, at many moments, for more than a day,
 *	 with no event of any row in between, are not plausible.
 *
 * One scan of the table, of the newest rows only; rows and events are read
 * with one snapshot.  Not looked at are tables that are larger than MOST_PAGES,
 * times before the table was attached or the database armed (events do not
 * come with a backup), and times that wa.event does not reach back to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "admin/findings.h"
#include "pg/app_table.h"
#include "pg/query.h"

#define MOST_PAGES		65536	/* 512 MB */
#define MOST_ROWS		2000

/* Events are deleted after 7 days (wa_compose_purge). */
#define REACH_US		(6 * USECS_PER_DAY)

/* wa_setup() may wait for a writer that began before it. */
#define SLACK_US		USECS_PER_MINUTE

/* So many records at different moments, and so long, are not plausible. */
#define MANY_MOMENTS	20
#define LONG_US			USECS_PER_DAY

/* What the rows of one table show. */
typedef struct Recorded
{
	TimestampTz since;			/* looked at from then on */
	TimestampTz last;			/* the last event of any row; 0: none */
	int64		lost;			/* rows whose last change was not recorded */
	int64		first_lost;		/* the id of one */
	int64		silent;			/* rows written after "last" without an event */
	int64		moments;		/* at which that was */
	bool		long_silence;
} Recorded;

/* How far back can be told?  False: nothing can. */
static bool
find_reach(Recorded *recorded, const WaWatched *w)
{
	static WaStatement reach =
		WA_STATEMENT("SELECT greatest(w.attached_at, i.stamped_at), (SELECT max(at) FROM wa.event WHERE relation = $1)"
					 " FROM wa.watch AS w, wa.identity AS i WHERE w.relation = $1");
	WaArgs		args = {0};

	wa_arg_text(&args, w->relation);
	if (wa_query_snapshot(&reach, &args) == 0)
		return false;
	recorded->since = Max(wa_row_timestamptz(0, 1) + SLACK_US, GetCurrentTimestamp() - REACH_US);
	recorded->last = wa_row_timestamptz(0, 2);
	return true;
}

/* Is this column compared?  Types whose text is the same here and in events. */
static bool
is_compared(Oid relid, const char *column)
{
	AttrNumber	attnum = get_attnum(relid, column);
	Oid			type = attnum > 0 ? get_atttype(relid, attnum) : InvalidOid;

	return type == TEXTOID || type == VARCHAROID || type == INT2OID ||
		type == INT4OID || type == INT8OID || type == BOOLOID;
}

/* A row's value and an event's: output functions say t, casts say true. */
static bool
is_same(const char *value, const char *recorded)
{
	if (value == NULL || recorded == NULL)
		return value == recorded;
	if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
		return value[0] == recorded[0];
	/* events cut what is long */
	return strncmp(value, recorded, strlen(recorded)) == 0 &&
		(strlen(value) == strlen(recorded) || strlen(recorded) > 1000);
}

/* The last event of a record. */
typedef struct LastEvent
{
	int64		record_id;
	char	  **columns;
	char	  **values;
	int			ncolumns;
} LastEvent;

static LastEvent *
read_last_events(const WaWatched *w, const int64 *ids, int n, int *nevents)
{
	static WaStatement last =
		WA_STATEMENT("SELECT DISTINCT ON (record_id) record_id, columns, new FROM wa.event"
					 " WHERE relation = $1 AND record_id = ANY ($2) ORDER BY record_id, xact DESC, command DESC");
	WaArgs		args = {0};
	LastEvent  *events;

	wa_arg_text(&args, w->relation);
	wa_arg_int8_array(&args, ids, n);
	*nevents = (int) wa_query_snapshot(&last, &args);
	events = palloc(sizeof(LastEvent) * Max(*nevents, 1));
	for (int i = 0; i < *nevents; i++)
	{
		int			nvalues;

		events[i].record_id = wa_row_int8(i, 1);
		events[i].columns = wa_row_text_array(i, 2, &events[i].ncolumns);
		events[i].values = wa_row_text_array(i, 3, &nvalues);
		events[i].ncolumns = Min(events[i].ncolumns, nvalues);
	}
	return events;
}

static int
by_record(const void *a, const void *b)
{
	int64		x = ((const LastEvent *) a)->record_id;
	int64		y = ((const LastEvent *) b)->record_id;

	return x < y ? -1 : x > y;
}

/* Is the row as its last event left it? */
static bool
is_as_recorded(const LastEvent *event, const char *const *columns, char **values, int n)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k < event->ncolumns; k++)
			if (event->columns[k] && strcmp(columns[i], event->columns[k]) == 0 &&
				!is_same(values[i], event->values[k]))
				return false;
	return true;
}

/* Columns of what is read: three of Odoo's, then those that are compared. */
enum
{
	R_ID, R_CREATED, R_WRITTEN, R_COMPARED
};

static void
compare(Recorded *recorded, const WaWatched *w, const WaAppTable *table)
{
	const char **columns = palloc(sizeof(char *) * (R_COMPARED + w->ncolumns));
	int			n = R_COMPARED;
	WaAppRows	rows;
	int64	   *ids;
	LastEvent  *events;
	int			nevents;
	const char *moment = "";

	columns[R_ID] = "id";
	columns[R_CREATED] = "create_date";
	columns[R_WRITTEN] = "write_date";
	for (int i = 0; i < w->ncolumns; i++)
		if (w->columns[i] && is_compared(w->target.relid, w->columns[i]))
			columns[n++] = w->columns[i];
	/* the newest first */
	wa_app_read_newer(&rows, table, columns, n, "write_date", recorded->since, MOST_ROWS);
	ids = palloc(sizeof(int64) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
		ids[r] = rows.values[r][R_ID] ? strtoll(rows.values[r][R_ID], NULL, 10) : 0;
	events = read_last_events(w, ids, (int) rows.n, &nevents);

	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **values = rows.values[r];
		LastEvent	key = {.record_id = ids[r]};
		const LastEvent *event = bsearch(&key, events, nevents, sizeof(LastEvent), by_record);
		TimestampTz written = wa_app_timestamp(values[R_WRITTEN]);

		if (event ? !is_as_recorded(event, columns + R_COMPARED, values + R_COMPARED, n - R_COMPARED) :
			values[R_CREATED] && wa_app_timestamp(values[R_CREATED]) > recorded->since)
		{
			recorded->lost++;
			recorded->first_lost = ids[r];
		}
		else if (event == NULL && written > recorded->last + SLACK_US)
		{
			recorded->silent++;
			if (strcmp(moment, values[R_WRITTEN]) != 0)
				recorded->moments++;
			moment = values[R_WRITTEN];
			recorded->long_silence = recorded->long_silence ||
				written - Max(recorded->last, recorded->since) > LONG_US;
		}
	}
}

/* Are changes known to be missing? */
static bool
has_gap(const Recorded *recorded)
{
	static WaStatement gap =
		WA_STATEMENT("SELECT FROM wa.capture_gap WHERE last_at > $1 LIMIT 1");
	WaArgs		args = {0};

	wa_arg_timestamptz(&args, recorded->since);
	return wa_query(&gap, &args) > 0;
}

static void
report(WaFindings *findings, const char *item, const WaWatched *w, const Recorded *recorded)
{
	if (recorded->lost > 0)
		wa_find(findings, has_gap(recorded) ? WA_WARNING_GAP : WA_ERROR_CAPTURE, item, NULL,
				psprintf("changes of " INT64_FORMAT " records since %s were not recorded, such as that of id " INT64_FORMAT
						 ": whoever made them had session_replication_role = replica or the triggers switched off;"
						 " send by hand what is missing; then UPDATE wa.watch SET attached_at = now() WHERE relation = %s",
						 recorded->lost, timestamptz_to_str(recorded->since), recorded->first_lost,
						 quote_literal_cstr(w->relation)));
	else if (recorded->silent > 0)
		wa_find(findings, recorded->moments >= MANY_MOMENTS && recorded->long_silence ? WA_WARNING_GAP : WA_FINE,
				item, NULL,
				psprintf(INT64_FORMAT " records were written after the last change that was recorded (%s): changes of what is not watched, or not recorded",
						 recorded->silent, recorded->last ? timestamptz_to_str(recorded->last) : "none yet"));
	else
		wa_find(findings, WA_FINE, item, NULL, NULL);
}

/* One table; the argument of wa_find_look(). */
typedef struct Looking
{
	WaFindings *findings;
	const char *item;
	const WaWatched *w;
} Looking;

static bool
look(void *argument)
{
	const Looking *looking = argument;
	const WaWatched *w = looking->w;
	Recorded	recorded = {0};
	WaAppTable	table;

	if (!find_reach(&recorded, w) ||
		wa_app_open(&table, w->target.schema, w->target.table) != WA_APP_READY ||
		!wa_app_has_column(&table, "write_date") || !wa_app_has_column(&table, "create_date"))
		return true;
	compare(&recorded, w, &table);
	report(looking->findings, looking->item, w, &recorded);
	return true;
}

static int32
pages_of(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	int32		pages;

	if (!HeapTupleIsValid(tuple))
		return 0;
	pages = ((Form_pg_class) GETSTRUCT(tuple))->relpages;
	ReleaseSysCache(tuple);
	return pages;
}

void
wa_find_recorded(WaFindings *findings)
{
	/* a copy has rows without events */
	if (findings->identity.is_copy)
		return;
	for (int i = 0; i < findings->nwatched; i++)
	{
		const WaWatched *w = &findings->watched[i];
		const WaFound *worst = wa_watched_worst(w->found);
		Looking		looking = {findings, psprintf("recorded %s", w->relation), w};

		if (w->owner == NULL || (worst && worst->grade == WA_FOUND_ERROR))
			continue;
		if (pages_of(w->target.relid) > MOST_PAGES)
			wa_find(findings, WA_FINE, looking.item, NULL, "the table is too large to be compared with what was recorded");
		else
			(void) wa_find_look(findings, WA_ERROR_ODOO, looking.item, look, &looking);
	}
}
