/*-------------------------------------------------------------------------
 *
 * event.c
 *		The net change of one record in one transaction.
 *
 * Several changes of one record in one transaction are one change: the old
 * values of the lowest command, the new ones of the highest.  Command ids
 * order them, not the ids of the rows: another trigger on the same table can
 * turn those round.  One set-based query nets any number of events, and may
 * spill to disk.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/varlena.h"

#include "compose/event.h"
#include "pg/query.h"

/* What the query below returns of an event. */
typedef struct Row
{
	WaEvent		event;
	WaTexts		old_columns;
	WaTexts		old;
	WaTexts		columns;
	WaTexts		new;
} Row;

static const WaColumn event_columns[] = {
	WA_COLUMN(Row, int8, event.id, "id"),
	WA_COLUMN(Row, time, event.at, "at"),
	WA_COLUMN(Row, text, event.xact, "xact"),
	WA_COLUMN(Row, text, event.relation, "relation"),
	WA_COLUMN(Row, boolean, event.has_record, "record_id IS NOT NULL"),
	WA_COLUMN(Row, int8, event.record_id, "record_id"),
	WA_COLUMN(Row, texts, old_columns, "old_columns"),
	WA_COLUMN(Row, texts, old, "old"),
	WA_COLUMN(Row, texts, columns, "columns"),
	WA_COLUMN(Row, texts, new, "new"),
	WA_COLUMN(Row, boolean, event.hold, "hold"),
	WA_COLUMN(Row, boolean, event.in_doubt, "in_doubt"),
	WA_COLUMN(Row, int8, event.first_id, "first_id"),
	WA_COLUMN(Row, boolean, event.is_last, "is_last"),
};
const WaRowType wa_compose_event_row = WA_ROW_TYPE(Row, event_columns);

/*
 * What is not visible in the snapshot $1, netted, in the order of the first
 * event of each record, so that all changes of a record come one after the
 * other; $2: the snapshot in which a copy was armed, or NULL; $3: the last event
 * that was there then, where transaction ids are another cluster's; $4: the
 * snapshot of a failover, or NULL; $5: only what is visible in this snapshot,
 * NULL: all; $6: only those with a higher first_id, NULL: all; $7: only those of
 * the records of the first events, which is many times quicker.
 */
WaStatement wa_compose_event_net_changes =
WA_STATEMENT_OF(&wa_compose_event_row, "SELECT {columns} FROM ("
				"SELECT n.*, first_value(id) OVER r AS first_id, lead(id) OVER r IS NULL AS is_last FROM ("
				" SELECT min(e.id) OVER w AS id, max(e.at) OVER w AS at, e.xact::text AS xact, e.relation, e.record_id,"
				" first_value(e.columns) OVER w AS old_columns, first_value(e.old) OVER w AS old,"
				" last_value(e.columns) OVER w AS columns, last_value(e.new) OVER w AS new,"
				" coalesce(pg_visible_in_snapshot(e.xact, $2::pg_snapshot), false) OR e.id <= $3 AS hold,"
				" coalesce(pg_visible_in_snapshot(e.xact, $4::pg_snapshot), false) AS in_doubt,"
				" row_number() OVER w AS place"
				" FROM wa.event AS e"
				" WHERE e.xact >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(e.xact, $1::pg_snapshot)"
				" AND coalesce(pg_visible_in_snapshot(e.xact, $5::pg_snapshot), true)"
				" AND (NOT $7 OR (e.relation, coalesce(e.record_id, -e.id)) IN"
				" (SELECT f.relation, coalesce(f.record_id, -f.id) FROM wa.event AS f"
				" WHERE f.xact >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(f.xact, $1::pg_snapshot)"
				" AND coalesce(pg_visible_in_snapshot(f.xact, $5::pg_snapshot), true) ORDER BY f.id LIMIT " CppAsString2(WA_COMPOSE_FIRST) "))"
				" WINDOW w AS (PARTITION BY e.xact, e.relation, e.record_id ORDER BY e.command, e.id"
				" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS n WHERE place = 1"
				" WINDOW r AS (PARTITION BY relation, record_id, CASE WHEN record_id IS NULL THEN id END ORDER BY id)) AS s"
				" WHERE coalesce(first_id > $6, true) ORDER BY first_id, id");

static const char *
value_of(char *const *columns, int ncolumns, char *const *values, const char *column)
{
	for (int i = 0; values && column && i < ncolumns; i++)
		if (columns[i] && strcmp(columns[i], column) == 0)
			return values[i];
	return NULL;
}

/* A value before the transaction; NULL too for an INSERT. */
const char *
wa_compose_event_old(const WaEvent *event, const char *column)
{
	return value_of(event->columns, event->ncolumns, event->old, column);
}

/* A value after the transaction. */
const char *
wa_compose_event_new(const WaEvent *event, const char *column)
{
	return value_of(event->columns, event->ncolumns, event->new, column);
}

/* The table's name without schema and quotes. */
char *
wa_compose_event_table(const char *relation)
{
	List	   *names = NIL;

	/* the row is untrusted: a malformed name must not raise an error here */
	if (!SplitIdentifierString(pstrdup(relation), '.', &names) || names == NIL)
		return pstrdup(relation);
	return pstrdup(llast(names));
}

/*
 * Read one row, of that query or of another one with its {columns}.
 */
void
wa_compose_event_read(WaEvent *event, WaRows rows, uint64 row)
{
	Row			read = {0};

	wa_row_read(rows, row, &wa_compose_event_row, &read);
	*event = read.event;
	event->table = wa_compose_event_table(event->relation);
	event->columns = read.columns.list;
	event->ncolumns = Min(read.columns.n, read.new.n);
	event->new = read.new.list;
	event->old = read.old.list;
	event->insert = event->old == NULL;

	/* what is watched may have changed within the transaction */
	if (event->old)
	{
		char	  **aligned = palloc(sizeof(char *) * Max(event->ncolumns, 1));

		for (int i = 0; i < event->ncolumns; i++)
			aligned[i] = unconstify(char *, value_of(read.old_columns.list, Min(read.old_columns.n, read.old.n),
													 event->old, event->columns[i]));
		event->old = aligned;
	}
}
