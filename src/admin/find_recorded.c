/*-------------------------------------------------------------------------
 *
 * find_recorded.c
 *		Findings about the watched tables' rows: were their changes recorded?
 *
 * Triggers may be in their places and well, and not have fired: for a session
 * with session_replication_role = replica, while they were switched off for an
 * hour, for rows that were copied back.  So the rows that Odoo says were
 * written lately (write_date, in UTC, the time at which the writing
 * transaction began) are compared with what is known of them.
 *
 * That a row was written says little: most writes change no watched column
 * and rightly leave no event, in a quiet office for days.  Only what proves
 * that triggers did not fire is told:
 *
 * - a row is not as its last event left it;
 * - a row was created since, and has no event;
 * - a row was written later than the triggers have last fired for any row of
 *	 the table, which they do whatever column changes (wake/fired.c).
 *
 * What this does not see: a record without an event in the last days whose
 * watched columns somebody changed without the triggers while others went on
 * with them; and what was written without Odoo's ORM, so without write_date.
 *
 * Not looked at are times before the table was attached or the database was
 * armed (events do not come with a backup), times that wa.event does not reach
 * back to, and what came before the last gap in wa.capture_gap: somebody has
 * been told of that, or, reason "known", has told us.
 *
 * Rows and events are read with the same snapshot.  The cost has an end: at
 * most MOST_ROWS rows, through an index on write_date, or of the last
 * MOST_PAGES pages of the table, where new rows and new versions of old ones
 * go; and the last MOST_EVENTS events.  With 1,333,000 permits of which a
 * third was written in one go, that took 0.1 s on a busy machine (1 ms for the
 * rows where there is the index), when the rest of wa_check() took 2 s.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "admin/findings.h"
#include "compose/compose.h"
#include "office/setting.h"
#include "pg/app_table.h"
#include "pg/query.h"
#include "wake/wake.h"

#define MOST_PAGES		2048	/* 16 MB */
#define MOST_ROWS		1000
#define MOST_EVENTS		10000
#define MOST_NAMED		10

/* Older events may have been deleted already. */
#define REACH_US		((WA_COMPOSE_EVENT_DAYS - 1) * USECS_PER_DAY)

/* wa_setup() may wait for a writer that began before it. */
#define ATTACHED_US		USECS_PER_MINUTE

/* A copy's events are cleared when they are read for the first time. */
#define STAMPED_US		(10 * USECS_PER_MINUTE)

/* A client may give rows the time of a clock of its own. */
#define CLOCK_US		USECS_PER_MINUTE

/* What the rows of one table show. */
typedef struct Recorded
{
	TimestampTz now;
	TimestampTz since;			/* rows written from then on are looked at */
	TimestampTz known;			/* of losses until then somebody knows; 0:
								 * none */
	TimestampTz erased;			/* events of records created until then may
								 * have been erased by wa_forget() */
	TimestampTz fired;			/* the triggers have not fired later; 0: not
								 * known */
	bool		partly;			/* for want of an index, not the whole table
								 * was looked at */
	bool		many;			/* or not all rows */
	int			lost;			/* rows that were not recorded */
	TimestampTz first;			/* when they were written */
	TimestampTz last;
	int64		ids[MOST_NAMED];
} Recorded;

/* The last event of a record. */
typedef struct LastEvent
{
	int64		record_id;
	TimestampTz at;
	char	  **columns;
	char	  **values;
	int			ncolumns;
} LastEvent;

/* How far back can be told?  False: nothing can. */
static bool
find_reach(Recorded *recorded, const WaWatched *w, bool standby)
{
	static WaStatement reach =
		WA_STATEMENT("SELECT w.attached_at, i.stamped_at, (SELECT max(last_at) FROM wa.capture_gap),"
					 " (SELECT max(at) FROM wa.forgotten WHERE counts ->> 'wa.event' <> '0')"
					 " FROM wa.watch AS w, wa.identity AS i WHERE w.relation = $1");
	WaArgs		args = {0};
	WaRows		rows;
	WaSlotInfo	slot;

	wa_arg_text(&args, w->relation);
	rows = wa_query_snapshot(&reach, &args);
	if (rows.n == 0 || wa_row_isnull(rows, 0, 1) || wa_row_isnull(rows, 0, 2))
		return false;
	recorded->now = GetCurrentTimestamp();
	recorded->since = Max(wa_row_timestamptz(rows, 0, 1) + ATTACHED_US, wa_row_timestamptz(rows, 0, 2) + STAMPED_US);
	recorded->since = Max(recorded->since, recorded->now - REACH_US);
	recorded->known = wa_row_timestamptz(rows, 0, 3);
	recorded->erased = wa_row_timestamptz(rows, 0, 4);
	if (wa_wake_slot_info(MyDatabaseId, &slot))
		recorded->known = Max(recorded->known, slot.last_drop);
	/* on a standby none fires */
	if (standby || !wa_wake_last_fired(w->target.relid, &recorded->fired))
		recorded->fired = 0;
	return true;
}

/*
 * Is this column compared?  Those of which the text is the same in a row and
 * in an event.
 */
static bool
is_compared(const WaWatched *w, const WaAppTable *table, const char *column)
{
	Oid			type;

	if (!wa_app_has_column(table, column) ||
		(table->columns && !wa_app_is_among(table->columns, column)))
		return false;
	/* it was not there at first, and NULL in events of then */
	for (int i = 0; i < w->noptional; i++)
		if (w->optional[i] && strcmp(w->optional[i], column) == 0)
			return false;
	type = getBaseType(get_atttype(table->relid, get_attnum(table->relid, column)));
	return type == TEXTOID || type == VARCHAROID || type == INT2OID || type == INT4OID ||
		type == INT8OID || type == BOOLOID || type_is_enum(type);
}

static bool
is_needed(const WaWatched *w, const char *column)
{
	for (int i = 0; w->wanted && i < w->wanted->ncolumns; i++)
		if (strcmp(w->wanted->columns[i], column) == 0)
			return true;
	return false;
}

/* A row's value and an event's: output functions say t, casts say true. */
static bool
is_same(const char *value, const char *recorded)
{
	size_t		len;

	if (value == NULL || recorded == NULL)
		return value == recorded;
	if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
		return value[0] == recorded[0];
	len = strlen(recorded);
	/* events cut what is long, at a character */
	return strncmp(value, recorded, len) == 0 &&
		(value[len] == '\0' || len >= WA_CAPTURE_VALUE_BYTES - 8);
}

/* Is the row as its last event left it? */
static bool
is_as_recorded(const WaWatched *w, const LastEvent *event,
			   const char *const *columns, char **values, int n)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k < event->ncolumns; k++)
		{
			if (event->columns[k] == NULL || strcmp(columns[i], event->columns[k]) != 0)
				continue;
			/* or there was no such column then, or no right to it */
			if (event->values[k] == NULL && !is_needed(w, columns[i]))
				continue;
			if (!is_same(values[i], event->values[k]))
				return false;
		}
	return true;
}

/*
 * Where the last MOST_EVENTS events begin, if there are more: behind the
 * transaction "xact" (text), and a record that was created later than "at" has
 * its events there.
 */
static const char *
find_beginning(TimestampTz *at)
{
	static WaStatement beginning =
		WA_STATEMENT("SELECT e.xact::text, e.at FROM wa.event AS e ORDER BY e.xact DESC OFFSET $1 LIMIT 1");
	WaArgs		args = {0};
	WaRows		rows;

	*at = 0;
	wa_arg_int8(&args, MOST_EVENTS);
	rows = wa_query_snapshot(&beginning, &args);
	if (rows.n == 0)
		return "0";
	*at = wa_row_timestamptz(rows, 0, 2);
	return wa_row_text(rows, 0, 1);
}

/*
 * The last event of each of these records, by record: the transaction that was
 * the last to write it, and its last command.  Transaction ids do not tell the
 * former, for a record that the older transaction writes when the younger one
 * has committed.
 */
static LastEvent *
read_last_events(const WaWatched *w, const char *beginning, const int64 *ids, int n, int *nevents)
{
	static WaStatement last =
		WA_STATEMENT("SELECT DISTINCT ON (e.record_id) e.record_id, e.at, e.columns, e.new FROM"
					 " (SELECT e.*, max(e.id) OVER (PARTITION BY e.record_id, e.xact) AS last_id"
					 " FROM unnest($2) AS u (id) JOIN wa.event AS e ON e.record_id = u.id AND e.relation = $1"
					 " WHERE e.xact > $3::xid8) AS e"
					 " ORDER BY e.record_id, e.last_id DESC, e.command DESC");
	WaArgs		args = {0};
	WaRows		rows;
	LastEvent  *events;

	wa_arg_text(&args, w->relation);
	wa_arg_int8_array(&args, ids, n);
	wa_arg_text(&args, beginning);
	rows = wa_query_snapshot(&last, &args);
	*nevents = (int) rows.n;
	events = palloc0(sizeof(LastEvent) * Max(*nevents, 1));
	for (int i = 0; i < *nevents; i++)
	{
		int			nvalues;

		events[i].record_id = wa_row_int8(rows, i, 1);
		events[i].at = wa_row_timestamptz(rows, i, 2);
		events[i].columns = wa_row_text_array(rows, i, 3, &events[i].ncolumns);
		events[i].values = wa_row_text_array(rows, i, 4, &nvalues);
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

/* Columns of what is read: Odoo's own, then those that are compared. */
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
	const char *beginning;
	TimestampTz reach;

	columns[R_ID] = "id";
	columns[R_CREATED] = "create_date";
	columns[R_WRITTEN] = "write_date";
	for (int i = 0; i < w->ncolumns; i++)
		if (w->columns[i] && is_compared(w, table, w->columns[i]))
			columns[n++] = w->columns[i];
	wa_app_read_lately(&rows, table, columns, n, "write_date", recorded->since, recorded->now,
					   MOST_ROWS, MOST_PAGES, &recorded->partly);
	recorded->many = rows.n == MOST_ROWS;
	ids = palloc(sizeof(int64) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
		ids[r] = rows.values[r][R_ID] ? strtoll(rows.values[r][R_ID], NULL, 10) : 0;
	beginning = find_beginning(&reach);
	events = read_last_events(w, beginning, ids, (int) rows.n, &nevents);

	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **values = rows.values[r];
		LastEvent	key = {.record_id = ids[r]};
		const LastEvent *event = bsearch(&key, events, nevents, sizeof(LastEvent), by_record);
		TimestampTz created = wa_app_timestamp(values[R_CREATED]);
		TimestampTz written = wa_app_timestamp(values[R_WRITTEN]);
		TimestampTz unseen = 0; /* it happened after this */

		if (event && !is_as_recorded(w, event, columns + R_COMPARED, values + R_COMPARED, n - R_COMPARED))
			unseen = event->at;
		else if (event == NULL && created >= recorded->since && created <= recorded->now && created > Max(reach, recorded->erased))
			unseen = created;
		else if (recorded->fired != 0 && written > recorded->fired + CLOCK_US)
			unseen = written;
		if (unseen == 0 || unseen <= recorded->known)
			continue;
		if (recorded->lost < MOST_NAMED)
			recorded->ids[recorded->lost] = ids[r];
		recorded->lost++;
		/* the latest come first */
		recorded->first = written;
		recorded->last = Max(recorded->last, written);
	}
}

/* One table; the argument of wa_admin_find_look(). */
typedef struct Looking
{
	WaFindings *findings;
	const char *item;
	const WaWatched *w;
} Looking;

static void
report(const Looking *looking, const WaAppTable *table, const Recorded *recorded)
{
	char	   *zone = wa_office_get("time_zone");
	char	   *first;
	StringInfoData ids;
	char	   *look;
	WaSaid		what;

	if (recorded->lost == 0)
	{
		wa_admin_find(looking->findings, WA_FINE, looking->item, NULL,
					  recorded->partly ? wa_say(WA_SAY_TABLE_LARGE, table->relation) : NULL);
		return;
	}
	initStringInfo(&ids);
	for (int i = 0; i < Min(recorded->lost, MOST_NAMED); i++)
		appendStringInfo(&ids, "%s" INT64_FORMAT, i > 0 ? ", " : "", recorded->ids[i]);
	look = psprintf("SELECT * FROM %s WHERE id IN (%s)", table->relation, ids.data);
	first = wa_office_time_words(recorded->first, zone);
	what = wa_say(WA_SAY_NOT_AS_RECORDED, WA_NUMBER(recorded->lost), first, wa_office_time_words(recorded->last, zone));
	if (recorded->partly || recorded->many)
		what = wa_said_and(what, wa_say(WA_SAY_THERE_MAY_BE_MORE));
	wa_admin_find(looking->findings, WA_WARNING_GAP, looking->item, wa_said_statement("%s", look),
				  wa_said_and(what, wa_say(WA_SAY_LOOK_AND_SEND_MISSING, look, first, zone, WA_NUMBER(recorded->lost))));
}

static bool
look(void *argument)
{
	const Looking *looking = argument;
	const WaWatched *w = looking->w;
	Recorded	recorded = {0};
	WaAppTable	table;

	if (!find_reach(&recorded, w, looking->findings->standby) ||
		wa_app_open(&table, w->target.schema, w->target.table) != WA_APP_READY)
		return true;
	if (table.columns && !(wa_app_is_among(table.columns, "write_date") && wa_app_is_among(table.columns, "create_date")))
		return true;
	if (!wa_app_has_column(&table, "write_date") || get_atttype(table.relid, get_attnum(table.relid, "write_date")) != TIMESTAMPOID ||
		!wa_app_has_column(&table, "create_date") || get_atttype(table.relid, get_attnum(table.relid, "create_date")) != TIMESTAMPOID)
		return true;
	compare(&recorded, w, &table);
	report(looking, &table, &recorded);
	return true;
}

void
wa_admin_find_recorded(WaFindings *findings)
{
	/* a copy has rows without events */
	if (findings->identity.is_copy)
		return;
	for (int i = 0; i < findings->nwatched; i++)
	{
		const WaWatched *w = &findings->watched[i];
		const WaFound *worst = wa_admin_watched_worst(w->found);
		Looking		looking = {findings, psprintf("recorded %s", w->relation), w};

		/* where changes are not seen now, that is told already */
		if (w->owner && OidIsValid(w->target.relid) && (worst == NULL || worst->grade != WA_FOUND_ERROR))
			(void) wa_admin_find_look(findings, WA_ERROR_ODOO, looking.item, look, &looking);
	}
}
