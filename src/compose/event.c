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

/* Columns of the query below. */
enum
{
	E_ID = 1, E_AT, E_XACT, E_RELATION, E_RECORD_ID, E_OLD_COLUMNS, E_OLD,
	E_NEW_COLUMNS, E_NEW, E_HOLD, E_IN_DOUBT
};

/*
 * What is not visible in the snapshot $1, netted, in the order of the first
 * event of each; $2: the snapshot in which a copy was armed, or NULL; $3: the
 * last event that was there then, where transaction ids are another cluster's;
 * $4: the snapshot of a failover, or NULL.
 */
WaStatement wa_compose_event_net_changes = WA_STATEMENT(
														"SELECT id, at, xact, relation, record_id, old_columns, old, columns, new, hold, in_doubt FROM ("
														" SELECT min(e.id) OVER w AS id, max(e.at) OVER w AS at, e.xact::text AS xact, e.relation, e.record_id,"
														" first_value(e.columns) OVER w AS old_columns, first_value(e.old) OVER w AS old,"
														" last_value(e.columns) OVER w AS columns, last_value(e.new) OVER w AS new,"
														" coalesce(pg_visible_in_snapshot(e.xact, $2::pg_snapshot), false) OR e.id <= $3 AS hold,"
														" coalesce(pg_visible_in_snapshot(e.xact, $4::pg_snapshot), false) AS in_doubt,"
														" row_number() OVER w AS place"
														" FROM wa.event AS e"
														" WHERE e.xact >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(e.xact, $1::pg_snapshot)"
														" WINDOW w AS (PARTITION BY e.xact, e.relation, e.record_id ORDER BY e.command, e.id"
														" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS n"
														" WHERE place = 1 ORDER BY id");

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
 * Read one row of that query.
 */
void
wa_compose_event_read(WaEvent *event, uint64 row)
{
	char	  **old_columns;
	int			nold_columns;
	int			nold;
	int			nnew;

	memset(event, 0, sizeof(*event));
	event->id = wa_row_int8(row, E_ID);
	event->at = wa_row_timestamptz(row, E_AT);
	event->xact = wa_row_text(row, E_XACT);
	event->relation = wa_row_text(row, E_RELATION);
	event->table = wa_compose_event_table(event->relation);
	event->has_record = !wa_row_isnull(row, E_RECORD_ID);
	event->record_id = wa_row_int8(row, E_RECORD_ID);
	event->hold = wa_row_bool(row, E_HOLD);
	event->in_doubt = wa_row_bool(row, E_IN_DOUBT);
	event->columns = wa_row_text_array(row, E_NEW_COLUMNS, &event->ncolumns);
	event->new = wa_row_text_array(row, E_NEW, &nnew);
	old_columns = wa_row_text_array(row, E_OLD_COLUMNS, &nold_columns);
	event->old = wa_row_text_array(row, E_OLD, &nold);
	event->insert = event->old == NULL;
	event->ncolumns = Min(event->ncolumns, nnew);

	/* what is watched may have changed within the transaction */
	if (event->old)
	{
		char	  **aligned = palloc(sizeof(char *) * Max(event->ncolumns, 1));

		for (int i = 0; i < event->ncolumns; i++)
			aligned[i] = unconstify(char *, value_of(old_columns, Min(nold_columns, nold),
													 event->old, event->columns[i]));
		event->old = aligned;
	}
}
