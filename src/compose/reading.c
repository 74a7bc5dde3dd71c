/*-------------------------------------------------------------------------
 *
 * reading.c
 *		The set of events that is being read, and how far.
 *
 * wa.read_position says what has been read: all that is visible in a snapshot.
 * While a set is read in pieces it names the set too, by the snapshot that will
 * be the next position, and the first change of the last record that was read
 * of it, for the set is read record by record.  Both are written in the
 * transaction of the piece, so that whoever comes after a crash goes on where
 * the last commit left it.
 *
 * The set is netted and sorted once: its cursor stays open from one piece to
 * the next, and is used only by who finds the position as he left it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "compose/bulk.h"
#include "compose/compose.h"
#include "compose/event.h"
#include "compose/reading.h"
#include "pg/query.h"

/* The cursor, and the set that it stands at; "": there is none, NULL: it is lost. */
static char cursor[NAMEDATALEN] = "";
static char *stands_at = NULL;

/* A snapshot that shows nothing. */
#define NOTHING		"1:1:"

/*
 * In a database that is set up for the first time: all that comes from now on is
 * to be read.  What is there already has come from elsewhere.
 */
void
wa_compose_set_begin(void)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.read_position (snapshot, event_id) SELECT '" NOTHING "', 0"
					 " WHERE NOT EXISTS (SELECT FROM wa.event) ON CONFLICT DO NOTHING");

	wa_query(&put, NULL);
}

/*
 * Read from wa.read_position what is to be read next, under the active
 * snapshot.  palloc()ed in the current context.
 */
void
wa_compose_set_find(WaSet *set)
{
	static WaStatement find =
		WA_STATEMENT("SELECT coalesce(p.reading, n.now)::text, p.snapshot::text, p.reading IS NOT NULL, p.reading_event_id"
					 " FROM (SELECT pg_current_snapshot() AS now) AS n LEFT JOIN wa.read_position AS p ON true");
	WaRows		rows = wa_query_snapshot(&find, NULL);

	memset(set, 0, sizeof(*set));
	set->target = wa_row_text(rows, 0, 1);
	set->closed = wa_row_isnull(rows, 0, 2);
	set->position = set->closed ? NOTHING : wa_row_text(rows, 0, 2);
	set->begun = wa_row_bool(rows, 0, 3);
	set->done = set->begun ? wa_row_int8(rows, 0, 4) : 0;
	wa_rows_free(rows);
}

/*
 * In a copy: the position came from another cluster, too, where transaction ids
 * are others: if it lies in our future, changes of years to come would count as
 * read; and a change that is there, though its id is one that runs or is to come
 * (this transaction's, too), is none for the reader before that is over, and would
 * then go out by itself.  What the position says was read has been; the rest is one
 * closed set, as after a restore.  (After pg_upgrade transaction
 * ids go on, and so does the position.)
 */
void
wa_compose_set_forget_foreign(void)
{
	static WaStatement foreign =
		WA_STATEMENT("SELECT FROM wa.read_position AS p WHERE pg_snapshot_xmax(p.snapshot) > pg_snapshot_xmax(pg_current_snapshot())"
					 " OR pg_snapshot_xmax(p.reading) > pg_snapshot_xmax(pg_current_snapshot())"
					 " OR EXISTS (SELECT FROM wa.event AS e WHERE NOT pg_visible_in_snapshot(e.xact, pg_current_snapshot())"
					 " AND e.xmin IS DISTINCT FROM pg_current_xact_id_if_assigned()::xid)");
	static WaStatement events =
		WA_STATEMENT("DELETE FROM wa.event AS e USING wa.read_position AS p WHERE pg_visible_in_snapshot(e.xact, p.snapshot)"
					 " OR e.id <= p.reading_event_id AND pg_visible_in_snapshot(e.xact, p.reading)");
	static WaStatement position =
		WA_STATEMENT("DELETE FROM wa.read_position");

	if (wa_query(&foreign, NULL).n == 0)
		return;
	wa_query(&events, NULL);
	wa_query(&position, NULL);
}

static char *
name_of(const WaSet *set)
{
	return psprintf("%s %s " INT64_FORMAT " " INT64_FORMAT " %s %s", set->position, set->target, set->done,
					set->hold_event_id, set->hold_snapshot ? set->hold_snapshot : "-",
					set->doubt_snapshot ? set->doubt_snapshot : "-");
}

/*
 * Something else has been composed meanwhile: what passed is counted again, and
 * the cursor is another one.
 */
void
wa_compose_set_lose(void)
{
	if (stands_at)
		pfree(stands_at);
	stands_at = NULL;
}

/*
 * Give back what the cursor keeps, on disk where it is much: all of the set has
 * been read, by this process or by another one.
 */
void
wa_compose_set_close(void)
{
	Portal		portal = cursor[0] ? GetPortalByName(cursor) : NULL;

	if (portal)
		SPI_cursor_close(portal);
	cursor[0] = '\0';
}

/*
 * A cursor on what is left of the set, or on its first records.  From now until
 * wa_compose_set_leave() nobody else may have it: a transaction that fails has lost
 * what it fetched.
 */
Portal
wa_compose_set_open(const WaSet *set)
{
	Portal		portal = cursor[0] ? GetPortalByName(cursor) : NULL;
	bool		goes_on = portal && stands_at && strcmp(stands_at, name_of(set)) == 0;
	WaArgs		args = {0};

	wa_compose_set_lose();
	if (goes_on)
		return portal;
	wa_compose_set_close();
	wa_compose_bulk_start();
	if (set->begun)
		wa_compose_bulk_resume(set);
	wa_arg_text(&args, set->position);
	wa_arg_text(&args, set->hold_snapshot);
	wa_arg_int8(&args, set->hold_event_id);
	wa_arg_text(&args, set->doubt_snapshot);
	wa_arg_text(&args, set->closed ? NULL : set->target);
	wa_arg_int8_or_null(&args, set->done, !set->begun);
	wa_arg_bool(&args, set->only_first);
	portal = wa_query_cursor(&wa_compose_event_net_changes, &args);
	strlcpy(cursor, portal->name, sizeof(cursor));
	return portal;
}

/*
 * The set has been read up to the record whose first change this is, and there
 * is more of it; highest: of the events that were read now.
 */
void
wa_compose_set_leave(WaSet *set, int64 done, int64 highest)
{
	static WaStatement put =
		WA_STATEMENT("UPDATE wa.read_position SET reading = $1::pg_snapshot, reading_event_id = $2,"
					 " event_id = greatest(event_id, $3), moved_at = now()");
	WaArgs		args = {0};

	set->begun = true;
	set->done = done;
	wa_arg_text(&args, set->target);
	wa_arg_int8(&args, done);
	wa_arg_int8(&args, highest);
	wa_query(&put, &args);
	if (!set->only_first)
		stands_at = MemoryContextStrdup(TopMemoryContext, name_of(set));
}

/*
 * All of the set has been read; highest: of the events that were read now, 0:
 * there was none.
 */
void
wa_compose_set_finish(const WaSet *set, int64 highest)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.read_position (snapshot, event_id) VALUES ($1::pg_snapshot, $2)"
					 " ON CONFLICT (one) DO UPDATE SET snapshot = excluded.snapshot, reading = NULL, reading_event_id = 0,"
					 " event_id = greatest(wa.read_position.event_id, excluded.event_id), moved_at = now()");
	WaArgs		args = {0};

	wa_compose_set_close();
	wa_arg_text(&args, set->target);
	wa_arg_int8(&args, highest);
	wa_query(&put, &args);
}
