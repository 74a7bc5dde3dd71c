/*-------------------------------------------------------------------------
 *
 * reader.c
 *		Reads the event stream, exactly once.
 *
 * The position is a snapshot: what was visible in it has been handled.  It
 * moves in the transaction that writes the messages, so a crash in between
 * repeats nothing and loses nothing, and an event of a slow transaction, whose
 * ids are lower than those already read, is not missed.
 *
 * The unit is the whole transaction.  Several changes of one record in one
 * transaction are one change: the old values of the lowest command, the new
 * ones of the highest.
 *
 * What is new is a set, however large, and is read a piece at a time, each in a
 * transaction of its own, so that what was made can go, and whatever else is to
 * be done gets its turn.  Until its last piece the position says which set it
 * is, and up to which event it is read (reading.c).
 *
 * A composer that fails must not stop the stream: the batch is halved down to
 * the event that it fails for, which is kept as a dead letter.  What a scenario
 * of the DBA's own fails with costs no more than its own part of the event.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compose/compose.h"
#include "compose/bulk.h"
#include "compose/known.h"
#include "compose/reading.h"
#include "compose/together.h"
#include "office/setting.h"
#include "pg/app_limit.h"
#include "pg/flood.h"
#include "pg/frame.h"
#include "pg/pg_compat.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "queue/queue.h"
#include "sicantik_wa.h"
#include "wake/progress.h"
#include "wake/stat.h"

/* A database that may not send stops composing at this many waiting. */
#define COPY_LIMIT		10000

/*
 * Keep an event with its error.  scenario: the one that failed, while the
 * others had their say; NULL: nothing was made of the event.
 */
static void
write_dead_letter(const WaEvent *event, const char *scenario, WaSaid error)
{
	static WaStatement insert =
		WA_STATEMENT("INSERT INTO wa.dead_letter (event_id, relation, record_id, columns, old, new, event_at, error, error_said, scenario)"
					 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
	static WaFlood flood = WA_FLOOD("sicantik_wa could not compose the messages of an event", ERRCODE_DATA_EXCEPTION);
	WaArgs		args = {0};

	wa_arg_int8(&args, event->id);
	wa_arg_text(&args, event->relation);
	wa_arg_int8_or_null(&args, event->record_id, !event->has_record);
	wa_arg_text_array(&args, (const char *const *) event->columns, event->ncolumns);
	if (event->old)
		wa_arg_text_array(&args, (const char *const *) event->old, event->ncolumns);
	else
		wa_arg_datum(&args, TEXTARRAYOID, (Datum) 0, true);
	wa_arg_text_array(&args, (const char *const *) event->new, event->ncolumns);
	wa_arg_timestamptz(&args, event->at);
	wa_arg_said(&args, error);
	wa_arg_text(&args, scenario);
	wa_query(&insert, &args);
	if (!wa_pg_flood_may_say(&flood))
		return;
	ereport(WARNING,
			(errcode(flood.code),
			 errmsg("%s", flood.line),
			 scenario ?
			 errdetail("Event " INT64_FORMAT " of %s, scenario \"%s\".", event->id, event->relation, scenario) :
			 errdetail("Event " INT64_FORMAT " of %s.", event->id, event->relation),
			 errhint("The event is kept with its error in wa.dead_letter.")));
}

/* What compose_events() works on. */
typedef struct Some
{
	WaBatch    *common;
	WaEvent    *events;
	int			n;
} Some;

static bool
compose_events(void *argument)
{
	const Some *some = argument;
	WaBatch		batch = *some->common;
	ListCell   *cell;

	batch.events = some->events;
	batch.nevents = some->n;
	wa_compose_scenarios(&batch);
	some->common->odoo.locked = batch.odoo.locked;
	some->common->odoo.locked_table = batch.odoo.locked_table;
	some->common->odoo.locked_why = batch.odoo.locked_why;
	if (batch.odoo.locked)
		return true;
	wa_compose_write(&batch);
	foreach(cell, batch.failures)
	{
		const WaFailure *failure = lfirst(cell);

		write_dead_letter(failure->event, failure->scenario->key, failure->error);
	}
	return true;
}

/*
 * Compose a batch inside a subtransaction; if it fails, its halves, down to
 * the one event that cannot be composed.
 */
static void
compose_or_halve(WaBatch *common, WaEvent *events, int n)
{
	Some		some = {common, events, n};
	ErrorData  *error = wa_pg_subtransaction(compose_events, &some);

	wa_compose_bulk_settle(error == NULL);
	if (error == NULL)
		return;
	/* a table that counts as locked: all of it later */
	if (wa_app_limit_raised(error))
	{
		common->odoo.locked = true;
		common->odoo.locked_why = wa_said_of_error(error);
		return;
	}
	if (wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	/* not the events' fault, and mended: all of it once more */
	if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && wa_queue_follow_numbers() > 0)
	{
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sicantik_wa has put a sequence of its own forward"),
				 errdetail("It had been set back, and gave numbers that are taken.")));
		compose_or_halve(common, events, n);
		return;
	}
	if (n == 1)
	{
		write_dead_letter(&events[0], NULL, wa_said_of_error(error));
		return;
	}
	compose_or_halve(common, events, n / 2);
	if (!common->odoo.locked)
		compose_or_halve(common, events + n / 2, n - n / 2);
}

/* The highest id of the events in the snapshot. */
static int64
highest_event(void)
{
	static WaStatement highest =
		WA_STATEMENT("SELECT max(id) FROM wa.event");

	return wa_row_int8(wa_query_snapshot(&highest, NULL), 0, 1);
}

/*
 * Events that came with a backup are handled as one set, and then deleted:
 * their transaction ids are those of another cluster and mean nothing here.
 * What was committed since the snapshot is not among them; ids would not tell,
 * since the owner may turn their sequence back.
 */
static void
clear_events(void)
{
	static WaStatement clear =
		WA_STATEMENT("DELETE FROM wa.event");

	wa_query_what_was_read(&clear, NULL);
}

static bool
too_much_waiting(void)
{
	static WaStatement count =
		WA_STATEMENT("SELECT count(*) FROM (SELECT FROM wa.message WHERE state IN " WA_SQL_STATES(WA_WAITING) " LIMIT $1) AS m");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_int4(&args, COPY_LIMIT);
	rows = wa_query(&count, &args);
	return wa_row_int8(rows, 0, 1) >= COPY_LIMIT;
}

/*
 * Since when have no changes been composed, by this process or one beside it?
 * What was made since then is as its record was.
 */
TimestampTz
wa_compose_last_run(void)
{
	WaTogether *together = wa_compose_together(false);

	return together ? (TimestampTz) pg_atomic_read_u64(&together->last_run) : 0;
}

/*
 * What a message that was made a moment ago announces, another one may do now:
 * it is asked again, too.
 */
void
wa_compose_ask_again(void)
{
	pg_atomic_write_u64(&wa_compose_together(true)->last_run, (uint64) GetCurrentTimestamp());
}

/*
 * Are there n new events, or more?  Asked first, since most wakes are for other work.
 */
static bool
anything_new(const char *position, int n)
{
	static WaStatement look =
		WA_STATEMENT("SELECT FROM wa.event AS e WHERE e.xact >= pg_snapshot_xmin($1::pg_snapshot)"
					 " AND NOT pg_visible_in_snapshot(e.xact, $1::pg_snapshot) LIMIT $2");
	WaArgs		args = {0};

	wa_arg_text(&args, position);
	wa_arg_int4(&args, n);
	return wa_query_snapshot(&look, &args).n == (uint64) n;
}

/*
 * An empty batch with what all of them need, palloc()ed in the current
 * context.
 */
void
wa_compose_init_batch(WaBatch *batch, const WaIdentity *identity)
{
	memset(batch, 0, sizeof(*batch));
	batch->odoo.schema = wa_office_get("odoo_schema");
	batch->time_zone = wa_office_get("time_zone");
	batch->scenarios = wa_compose_load_scenarios(&batch->nscenarios);
	batch->mappings = wa_route_load_mappings(&batch->nmappings);
	batch->hold_all = identity->is_copy;
	batch->observe = identity->mode == WA_MODE_OBSERVE;
}

/* Events that were read. */
typedef struct Piece
{
	WaEvent    *events;
	int			n;
} Piece;

/* Fetch up to n more; false: that were the last ones. */
static bool
fetch(Portal portal, Piece *piece, int n)
{
	MemoryContext context = CurrentMemoryContext;
	WaRows		rows;

	SPI_cursor_fetch(portal, true, n);
	MemoryContextSwitchTo(context);
	rows = wa_rows_of_spi();
	piece->events = piece->events ? repalloc(piece->events, sizeof(WaEvent) * (piece->n + rows.n + 1)) :
		palloc(sizeof(WaEvent) * (rows.n + 1));
	for (uint64 i = 0; i < rows.n; i++)
		wa_compose_event_read(&piece->events[piece->n++], rows, i);
	wa_rows_free(rows);
	return rows.n == (uint64) n;
}

/* How many records have changed since all was read. */
static uint64
count_unread(void)
{
	static WaStatement count =
		WA_STATEMENT("SELECT count(*) FROM (SELECT DISTINCT relation, record_id FROM wa.event AS e WHERE " WA_SQL_UNREAD("e") ") AS r");

	return (uint64) wa_row_int8(wa_query(&count, NULL), 0, 1);
}

/*
 * Compose the next events of the set: a piece, its first records, or all of what
 * came with a backup, which can be deleted only as a whole.  A piece has all
 * changes of a record, since only the last one may be told.  *done, *highest: see
 * reading.c.  False: a table is locked.
 */
static bool
compose_set(WaBatch *common, const WaSet *set, WaReadResult *result, int64 *done, int64 *highest)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(outer, "sicantik_wa compose batch", ALLOCSET_DEFAULT_SIZES);
	Portal		portal = wa_compose_set_open(set);
	bool		more;

	do
	{
		Piece		piece = {0};

		MemoryContextSwitchTo(context);
		more = fetch(portal, &piece, set->only_first ? PG_INT32_MAX : wa_guc_compose_batch) || set->only_first;
		while (more && !set->only_first && !piece.events[piece.n - 1].is_last)
			more = fetch(portal, &piece, 1);
		for (int i = 0; i < piece.n; i++)
		{
			*done = piece.events[i].first_id;
			*highest = Max(*highest, piece.events[i].id);
		}
		if ((more || set->begun) && !wa_wake_progress_runs(WA_COMMAND_COMPOSE))
			wa_wake_progress_begin(WA_COMMAND_COMPOSE, count_unread());
		wa_wake_stat_at_commit(WA_STAT_EVENTS, piece.n);
		if (piece.n > 0)
			compose_or_halve(common, piece.events, piece.n);
		wa_wake_progress_add(WA_COMMAND_COMPOSE, piece.n);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(context);
	} while (set->closed && more && !common->odoo.locked);
	*result = more ? WA_READ_PIECE : WA_READ_ALL;
	return !common->odoo.locked;
}

/* Nothing has been done, for a table is locked. */
static WaReadResult
give_up(const WaBatch *common)
{
	ereport(DEBUG1,
			(errmsg_internal("%s, composing later", common->odoo.locked_why ? wa_said_english(common->odoo.locked_why) :
							 psprintf("table %s is locked", common->odoo.locked_table))));
	wa_frame_abort();
	return WA_READ_LOCKED;
}

/*
 * In a copy what came from another cluster is put right before it is read,
 * though nobody has armed it: numbers that were given there, and transaction ids,
 * by which what the position says was read would count as new with the next one.
 * Whoever fills it again has no worker meanwhile, so once a process is enough.
 * False: a table is locked.
 */
static bool
make_own(void)
{
	static bool own = false;
	WaIdentity	identity;

	if (own)
		return true;
	if (!wa_frame_begin("looking where this database comes from"))
		return false;
	if (!wa_compose_alone(false))
	{
		wa_frame_abort();
		return false;
	}
	wa_identity_check(&identity);
	if (identity.is_copy)
	{
		(void) wa_queue_follow_numbers();
		wa_compose_set_forget_foreign();
	}
	wa_frame_commit(false);
	own = true;
	return true;
}

/*
 * Compose a piece of what has been committed since the position, in a
 * transaction of its own.  Where that is more than WA_COMPOSE_FIRST events and
 * much is not NULL, only their records, at once, after a call of much().
 * WA_READ_LOCKED: a table that is needed, or the extension itself, was locked, or
 * another process composes; nothing has been done then, and it is to be tried
 * again soon.
 *
 * That there is no position is believed because the snapshot was taken with
 * wa.read_position locked (wa_frame_begin): the events of a week hang on it.
 */
WaReadResult
wa_compose_run(void (*much) (void))
{
	WaReadResult result = WA_READ_ALL;
	WaIdentity	identity;
	WaBatch		common;
	WaSet		set;
	int64		done;
	int64		highest;
	uint64		configuration;

	if (!make_own() || !wa_frame_begin("composing messages"))
		return WA_READ_LOCKED;
	if (!wa_compose_alone(false))
	{
		wa_frame_abort();
		return WA_READ_LOCKED;
	}
	/* what another process has composed until now */
	wa_frame_look_anew();
	wa_compose_set_find(&set);
	if (set.closed)
		wa_queue_settle_restored();
	if (!set.begun && !anything_new(set.position, 1))
	{
		wa_compose_set_close();
		if (set.closed)
			wa_compose_set_finish(&set, 0);
		wa_frame_commit(false);
		return WA_READ_ALL;
	}
	wa_identity_check(&identity);
	if (identity.mode == WA_MODE_STOPPED && too_much_waiting())
	{
		wa_frame_commit(false);
		return WA_READ_ALL;
	}

	set.only_first = much && !set.begun && !set.closed && wa_guc_compose_batch > WA_COMPOSE_FIRST &&
		anything_new(set.position, WA_COMPOSE_FIRST + 1);
	if (set.only_first)
		much();
	wa_compose_ask_again();
	wa_compose_known_begin();
	configuration = wa_compose_known_configuration();
	wa_compose_init_batch(&common, &identity);
	common.configuration = configuration;
	set.hold_snapshot = identity.hold_snapshot;
	set.hold_event_id = set.closed ? identity.hold_event_id : 0;
	set.doubt_snapshot = identity.doubt_snapshot;
	done = set.done;
	highest = 0;
	if (!compose_set(&common, &set, &result, &done, &highest))
		return give_up(&common);
	if (result == WA_READ_PIECE)
		wa_compose_set_leave(&set, done, highest);
	else
		wa_compose_set_finish(&set, set.closed ? highest_event() : highest);
	if (set.closed)
		clear_events();

	/*
	 * Not durable: if the server crashes, position and messages are gone
	 * together and are made again.  The commit of a claim, which is durable,
	 * makes durable what it claims.
	 */
	wa_frame_commit(false);
	if (result == WA_READ_ALL)
		wa_wake_progress_end(WA_COMMAND_COMPOSE);
	return result;
}

/* What is handled and old, a small batch of each of the two tables. */
#define PURGE(table) \
	"DELETE FROM ONLY " table " WHERE ctid = ANY (ARRAY(SELECT e.ctid FROM ONLY " table " AS e, wa.read_position AS p" \
	" WHERE e.xact < pg_snapshot_xmin(p.snapshot)" \
	" AND e.at < now() - interval '" CppAsString2(WA_COMPOSE_EVENT_DAYS) " days' LIMIT 1000))"

/*
 * Delete handled events after WA_COMPOSE_EVENT_DAYS, a small batch.  Returns
 * how many.
 */
int
wa_compose_purge(void)
{
	static WaStatement purge = WA_STATEMENT(PURGE("wa.event"));
	static WaStatement purge_aside = WA_STATEMENT(PURGE("wa.event_aside"));
	int			n;

	if (!wa_frame_begin("purging events"))
		return 0;
	n = (int) wa_query(&purge, NULL).n;
	n += (int) wa_query(&purge_aside, NULL).n;
	wa_frame_commit(false);
	return n;
}
