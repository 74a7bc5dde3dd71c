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
#include "compose/guards.h"
#include "compose/known.h"
#include "office/setting.h"
#include "pg/app_limit.h"
#include "pg/frame.h"
#include "pg/pg_compat.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "queue/queue.h"

#define BATCH_EVENTS	500

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
	ereport(WARNING,
			(errmsg("sicantik_wa could not compose the messages of an event"),
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

	wa_compose_guards_settle(error == NULL);
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
	if (n == 1)
	{
		write_dead_letter(&events[0], NULL, wa_said_of_error(error));
		return;
	}
	compose_or_halve(common, events, n / 2);
	if (!common->odoo.locked)
		compose_or_halve(common, events + n / 2, n - n / 2);
}

static void
move_position(const char *snapshot, int64 last_event)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.read_position (snapshot, event_id) VALUES ($1::pg_snapshot, $2)"
					 " ON CONFLICT (one) DO UPDATE SET snapshot = excluded.snapshot,"
					 " event_id = greatest(wa.read_position.event_id, excluded.event_id), moved_at = now()");
	WaArgs		args = {0};

	wa_arg_text(&args, snapshot);
	wa_arg_int8(&args, last_event);
	wa_query(&put, &args);
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

/* When this process last began to compose changes, or put messages in the place of others. */
static TimestampTz last_run = 0;

/*
 * Since when have no changes been composed?  What was made since then is as
 * its record was.
 */
TimestampTz
wa_compose_last_run(void)
{
	return last_run;
}

/*
 * What a message that was made a moment ago announces, another one may do now:
 * it is asked again, too.
 */
void
wa_compose_ask_again(void)
{
	last_run = GetCurrentTimestamp();
}

/* Is there anything new?  Asked first, since most wakes are for other work. */
static bool
anything_new(const char *position)
{
	static WaStatement exists =
		WA_STATEMENT("SELECT FROM wa.event AS e WHERE e.xact >= pg_snapshot_xmin($1::pg_snapshot)"
					 " AND NOT pg_visible_in_snapshot(e.xact, $1::pg_snapshot) LIMIT 1");
	WaArgs		args = {0};

	wa_arg_text(&args, position);
	return wa_query_snapshot(&exists, &args).n > 0;
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

/*
 * Compose everything that has been committed since the position, in a
 * transaction of its own.  Returns false if a table that is needed, or the
 * extension itself, was locked: nothing has been done then, and it is to be
 * tried again soon.
 *
 * That there is no position is believed because the snapshot was taken with
 * wa.read_position locked (wa_frame_begin): the events of a week hang on it.
 */
bool
wa_compose_run(void)
{
	static WaStatement get_position =
		WA_STATEMENT("SELECT snapshot::text FROM wa.read_position");
	static WaStatement get_snapshot =
		WA_STATEMENT("SELECT pg_current_snapshot()::text");
	WaArgs		args = {0};
	char	   *position;
	char	   *snapshot;
	bool		closed_set;
	int64		last_event = 0;
	WaIdentity	identity;
	WaBatch		common;
	WaRows		rows;
	uint64		configuration;
	Portal		portal;
	MemoryContext batch_context;
	MemoryContext outer;

	if (!wa_frame_begin("composing messages"))
		return false;
	outer = CurrentMemoryContext;
	rows = wa_query_snapshot(&get_position, NULL);
	closed_set = rows.n == 0;
	position = closed_set ? "1:1:" : wa_row_text(rows, 0, 1);
	snapshot = wa_row_text(wa_query_snapshot(&get_snapshot, NULL), 0, 1);
	if (closed_set)
		wa_queue_settle_restored();
	if (!anything_new(position))
	{
		if (closed_set)
			move_position(snapshot, 0);
		wa_frame_commit(false);
		return true;
	}
	wa_identity_check(&identity);
	if (identity.mode == WA_MODE_STOPPED && too_much_waiting())
	{
		wa_frame_commit(false);
		return true;
	}

	last_run = GetCurrentTimestamp();
	configuration = wa_compose_known_configuration();
	wa_compose_init_batch(&common, &identity);
	common.configuration = configuration;
	wa_compose_guards_start();
	wa_arg_text(&args, position);
	wa_arg_text(&args, identity.hold_snapshot);
	wa_arg_int8(&args, closed_set ? identity.hold_event_id : 0);
	wa_arg_text(&args, identity.doubt_snapshot);
	if (closed_set)
		last_event = highest_event();
	portal = wa_query_cursor(&wa_compose_event_net_changes, &args);
	batch_context = AllocSetContextCreate(CurrentMemoryContext, "sicantik_wa compose batch",
										  ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		WaEvent    *events;

		SPI_cursor_fetch(portal, true, BATCH_EVENTS);
		rows = wa_rows_of_spi();
		if (rows.n == 0)
			break;
		MemoryContextSwitchTo(batch_context);
		events = palloc(sizeof(WaEvent) * rows.n);
		for (uint64 i = 0; i < rows.n; i++)
		{
			wa_compose_event_read(&events[i], rows, i);
			last_event = Max(last_event, events[i].id);
		}
		wa_rows_free(rows);
		compose_or_halve(&common, events, (int) rows.n);
		MemoryContextSwitchTo(outer);
		if (common.odoo.locked)
		{
			ereport(DEBUG1,
					(errmsg_internal("%s, composing later", common.odoo.locked_why ? wa_said_english(common.odoo.locked_why) :
									 psprintf("table %s is locked", common.odoo.locked_table))));
			wa_frame_abort();
			return false;
		}
		MemoryContextReset(batch_context);
	}
	SPI_cursor_close(portal);
	move_position(snapshot, last_event);
	if (closed_set)
		clear_events();

	/*
	 * Not durable: if the server crashes, position and messages are gone
	 * together and are made again.  The commit of a claim, which is durable,
	 * makes durable what it claims.
	 */
	wa_frame_commit(false);
	return true;
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
