/*-------------------------------------------------------------------------
 *
 * round.c
 *		What the worker does each time it is woken: compose, then deliver.
 *
 * The sender is in a module of its own, because it needs libcurl.  Where that
 * cannot be loaded, composing goes on and messages wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compose/compose.h"
#include "deliver/module.h"
#include "feedback/feedback.h"
#include "identity/identity.h"
#include "pg/app_limit.h"
#include "pg/flood.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "pg/restoring.h"
#include "queue/figure.h"
#include "queue/queue.h"
#include "wake/progress.h"
#include "wake/stat.h"
#include "wake/wake.h"
#include "worker/beside.h"
#include "worker/clock_step.h"
#include "worker/failover.h"
#include "worker/worker.h"

#define STANDBYS_RETRY_US (50 * 1000)
#define PURGE_US		(10 * 60 * USECS_PER_SEC)
#define LEFT_OUT_US		(5 * USECS_PER_SEC)
#define FEEDBACK_US		(60 * USECS_PER_SEC)
#define FIGURES_US		(10 * USECS_PER_SEC)
#define BESIDE_US		(1 * USECS_PER_SEC)
#define RESTORING_US	(1 * USECS_PER_SEC)
#define BESIDE_STARTS_MS 200

static const WaDeliver *deliver = NULL;
static TimestampTz next_purge = 0;
static TimestampTz next_figures = 0;
static TimestampTz next_feedback = 0;	/* 0: at the next pass */
static bool left_out = false;	/* a part of the last pass that had failed */
static bool purging = false;	/* or an error has ended that */
static bool unread = false;		/* there is more of the set of events */
static bool beside = false;		/* which is read by a process beside this one */
static TimestampTz beside_since = 0;
static WaInTheWay before_round; /* locks */
static WaInTheWay before_composing;

/*
 * Get ready; called once, in no transaction.
 */
void
wa_worker_round_open(void)
{
	MemoryContext old = CurrentMemoryContext;

	PG_TRY();
	{
		deliver = wa_deliver_load();
		deliver->open();
		wa_wake_note_sender(true);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		deliver = NULL;
		wa_wake_note_sender(false);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("sicantik_wa composes messages, but cannot send them: %s", error->message),
				 errhint("Install libcurl (Debian: libcurl4) if it is missing, and restart the server.")));
	}
	PG_END_TRY();
}

static void
give_back(const uint64 *dropped)
{
	for (int i = 0; i < WA_DROP_COUNT; i++)
		if (dropped[i] > 0)
			(void) wa_wake_count_drop(i, dropped[i]);
}

/*
 * Changes that capture had to let pass: keep the span, so that a person can
 * scan the tables again.
 */
static void
keep_drops(void)
{
	/* one row for what follows soon: it may be each of many transactions */
	static WaStatement insert =
		WA_STATEMENT("WITH same AS (UPDATE wa.capture_gap SET last_at = greatest(last_at, $2), events = events + $3"
					 " WHERE id = (SELECT id FROM wa.capture_gap WHERE reason = $4 ORDER BY id DESC LIMIT 1)"
					 " AND $1 BETWEEN first_at AND last_at + interval '10 minutes' RETURNING id)"
					 " INSERT INTO wa.capture_gap (first_at, last_at, events, reason)"
					 " SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM same)");
	static const char *const reasons[WA_DROP_COUNT] = {
		[WA_DROP_LOCKED] = "locked",
		[WA_DROP_MISSING] = "missing",
		[WA_DROP_FULL] = "full",
		[WA_DROP_OFF] = "off"
	};
	uint64		dropped[WA_DROP_COUNT];
	TimestampTz first;
	TimestampTz last;
	volatile bool kept = false;

	if (!wa_wake_take_drops(dropped, &first, &last))
		return;
	PG_TRY();
	{
		kept = wa_frame_begin("noting dropped events");
		for (int i = 0; kept && i < WA_DROP_COUNT; i++)
		{
			WaArgs		args = {0};

			if (dropped[i] == 0)
				continue;
			wa_arg_timestamptz(&args, first);
			wa_arg_timestamptz(&args, last);
			wa_arg_int8(&args, (int64) dropped[i]);
			wa_arg_text(&args, reasons[i]);
			wa_query(&insert, &args);
		}
		if (kept)
			wa_frame_commit(true);
	}
	PG_CATCH();
	{
		give_back(dropped);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (!kept)
		give_back(dropped);
}

/*
 * Has a database that was restored all that was in its dump?  Before that it
 * would compose what was not read yet with half of the configuration, or none of
 * the ledger, or find nothing to read where the events are still to come, whose
 * transactions count as read then.  The triggers come last, but with pg_restore
 * --jobs not behind the largest table.
 */
static bool
is_whole(bool in_use)
{
	static WaStatement has_triggers =
		WA_STATEMENT("SELECT FROM wa.watch HAVING count(*) > 0 AND coalesce(bool_and(EXISTS (SELECT FROM pg_trigger"
					 " WHERE tgrelid = to_regclass(relation) AND tgfoid = to_regprocedure('wa.capture()')))"
					 " FILTER (WHERE to_regclass(relation) IS NOT NULL), true)");
	static bool told = false;
	bool		whole = !wa_pg_restore_runs() && (in_use || wa_query(&has_triggers, NULL).n > 0);

	if (!whole && !told)
	{
		ereport(LOG,
				(errmsg("sicantik_wa does nothing in this database before it is restored"),
				 errdetail("pg_restore is connected, a table is filled by COPY, or a watched table has no triggers yet."),
				 errhint("If it is restored: SELECT * FROM wa_setup();")));
		told = true;
	}
	return whole;
}

/*
 * Was wa_setup() ever run here, or where this database comes from?  Before
 * that there is nothing to do, and nothing may be written: rows of ours would
 * be in the way where the tables are to be filled by logical replication, or
 * by the rest of a dump.  Lowers *next_due to when it may be told.
 */
static bool
is_set_up(TimestampTz *next_due)
{
	static WaStatement look =
		WA_STATEMENT("SELECT EXISTS (SELECT FROM wa.read_position), EXISTS (SELECT FROM wa.identity)"
					 " FROM wa.setting WHERE name = 'mode'");
	static bool set_up = false;
	WaRows		rows;

	if (set_up)
		return true;
	if (!wa_frame_begin("looking for a setup"))
	{
		wa_wake_retry(&before_round, true, next_due);
		return false;
	}
	rows = wa_query(&look, NULL);
	set_up = rows.n > 0 && (wa_row_bool(rows, 0, 1) || is_whole(wa_row_bool(rows, 0, 2)));
	if (rows.n > 0 && !set_up)
		wa_wake_sooner(next_due, GetCurrentTimestamp() + RESTORING_US);
	wa_frame_commit(false);
	return set_up;
}

/*
 * What providers have told; looked at when there is news of it, when some of
 * it is due again, and once a minute, where the news may have been lost.
 */
static bool
run_feedback(TimestampTz *due)
{
	static TimestampTz left_due = 0;
	bool		news = wa_wake_feedback_take();
	TimestampTz now = GetCurrentTimestamp();

	*due = left_due;
	if (!news && now < next_feedback)
		return true;
	next_feedback = 0;
	if (!wa_feedback_run(&left_due))
		return false;
	*due = left_due;
	next_feedback = now + FEEDBACK_US;
	wa_wake_sooner(&next_feedback, left_due);
	return true;
}

static bool
run_unreached(TimestampTz *due)
{
	wa_compose_unreached_run(due);
	return true;
}

/* What it composed may have left work to the other parts. */
static void
end_beside(void)
{
	beside = unread = false;
	wa_compose_approver_reload();
	wa_compose_unreached_reload();
	wa_compose_unwritten_look();
}

/* A process that does not start soon may not start at all. */
static bool
composes_here(void)
{
	return !beside || (wa_compose_share_stage() == WA_BESIDE_STARTS &&
					   TimestampDifferenceExceeds(beside_since, GetCurrentTimestamp(), BESIDE_STARTS_MS));
}

/* More has changed than this process composes at once. */
static void
start_beside(void)
{
	if (beside)
		return;
	beside = wa_worker_beside_start();
	beside_since = GetCurrentTimestamp();
}

/*
 * A piece of what is new; if there is more, the rest beside this process.
 */
static bool
run_events(TimestampTz *due)
{
	WaReadResult result;

	keep_drops();
	if (beside && wa_worker_beside_stage() == WA_BESIDE_ENDED)
		end_beside();
	if (unread)
		start_beside();
	if (!composes_here())
	{
		*due = GetCurrentTimestamp() + BESIDE_US;
		/* the other process tells how far it is */
		wa_wake_progress_end(WA_COMMAND_COMPOSE);
		return true;
	}
	result = wa_compose_run(unread ? NULL : start_beside);
	/* if it fails it cannot tell */
	if (beside)
		*due = GetCurrentTimestamp() + BESIDE_US;
	if (result != WA_READ_LOCKED)
		unread = result == WA_READ_PIECE;
	/* also where the other process has read the rest */
	if (result == WA_READ_ALL)
		wa_wake_progress_end(WA_COMMAND_COMPOSE);
	/* locked by the other process, if that has just begun */
	return result != WA_READ_LOCKED || !composes_here();
}

/*
 * All that makes messages, and what providers told of those that were made, but
 * for the part that has ended in an error the last time.  While a set of events
 * is being read, nothing else is composed, unless that comes no further.
 * Lowers *next_due to when to come again at the latest; false: a table was
 * locked.
 */
static bool
compose(TimestampTz *next_due)
{
	static bool (*const parts[]) (TimestampTz *due) = {
		run_feedback, wa_feedback_write_back, run_events, wa_compose_calendar_run,
		wa_compose_approver_run, run_unreached, wa_compose_unwritten_run
	};
	const size_t events = 2;
	static size_t failed = lengthof(parts);
	size_t		skipped = failed;
	bool		composed = true;
	bool		reading = beside;

	left_out = skipped < lengthof(parts);
	for (size_t i = 0; i < lengthof(parts); i++)
	{
		TimestampTz due = 0;
		bool		done;

		if (i == skipped)
			continue;
		if (i > events && reading)
			break;
		failed = i;
		done = parts[i] (&due);
		composed = composed && done;
		if (i == events)
			reading = beside || (done && unread);
		wa_wake_sooner(next_due, due);
	}
	failed = lengthof(parts);
	if (left_out)
		wa_wake_sooner(next_due, GetCurrentTimestamp() + LEFT_OUT_US);
	return composed;
}

/*
 * Delete a batch of what is old.  Returns how much there was.
 */
static int
purge(void)
{
	int			n = wa_compose_purge() + wa_queue_purge() + wa_feedback_purge();

	if (n > 0)
	{
		if (!wa_wake_progress_runs(WA_COMMAND_PURGE))
			wa_wake_progress_begin(WA_COMMAND_PURGE, n + wa_queue_purge_left());
		wa_wake_progress_add(WA_COMMAND_PURGE, n);
	}
	else
		wa_wake_progress_end(WA_COMMAND_PURGE);
	return n;
}

/*
 * One pass.  Where a part of composing has ended in an error the next pass does
 * without it, so that the rest goes on.  Returns true if there is more to do at
 * once; *next_due: when to come again at the latest, or 0.
 */
bool
wa_worker_round_run(bool may_send, TimestampTz *next_due)
{
	bool		more = false;
	bool		composed = true;
	bool		stepped;
	bool		kept_out;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz due = 0;

	wa_wake_stat_add(WA_STAT_ROUNDS, 1);
	*next_due = 0;
	if (!is_set_up(next_due))
		return false;
	kept_out = !wa_worker_failover_run(&more) || !wa_worker_clock_follow(&stepped);
	wa_wake_retry(&before_round, kept_out, next_due);
	if (kept_out)
		return more && may_send;
	if (stepped)
	{
		wa_compose_calendar_reload();
		wa_compose_approver_reload();
		wa_compose_unreached_reload();
		next_purge = next_figures = next_feedback = 0;
	}
	if (may_send)
	{
		(void) wa_wake_stat_stage(WA_STAT_COMPOSE_TIME);
		wa_wake_sending_follows(deliver != NULL);
		composed = compose(next_due);
		wa_wake_sending_follows(false);
		(void) wa_wake_stat_stage(WA_STAT_OTHER_TIME);
	}
	else
		wa_worker_beside_stop();
	if (deliver)
	{
		bool		claim = may_send && wa_identity_standbys_note();

		more = deliver->run(claim, &due);
		if (may_send && !claim)
			wa_wake_sooner(next_due, now + STANDBYS_RETRY_US);
	}
	wa_wake_sooner(next_due, due);
	/* of the set that this process reads */
	if (may_send && composed && unread && composes_here())
		more = true;
	/* somebody has just asked for it */
	if (may_send && composed && !unread && !left_out && wa_compose_unwritten_wanted())
		more = true;
	wa_wake_retry(&before_composing, !composed, next_due);
	wa_pg_flood_tell(false, next_due);
	(void) wa_wake_stat_stage(WA_STAT_MAINTENANCE_TIME);
	/* once more after the last work; not again for what that leaves */
	if (may_send && now < next_figures)
		wa_wake_sooner(next_due, next_figures);
	else if (may_send)
	{
		next_figures = now + FIGURES_US;
		if (wa_queue_figures_run())
		{
			next_figures = now;
			wa_wake_sooner(next_due, now + WA_LOCKED_RETRY_US);
		}
	}
	if (may_send && !more && now >= next_purge && !wa_worker_clock_keeps())
	{
		/*
		 * set first: a wrong retention in wa.setting raises an error each
		 * time
		 */
		next_purge = now + PURGE_US;
		purging = true;
		more = purge() > 0;
		purging = false;
		if (more)
			next_purge = now;
	}
	(void) wa_wake_stat_stage(WA_STAT_OTHER_TIME);
	return more;
}

/*
 * Does something wait for its next try, that has failed before the last pass?
 */
bool
wa_worker_round_left_out(void)
{
	return left_out || purging;
}

pgsocket
wa_worker_round_fd(void)
{
	return deliver ? deliver->fd() : PGINVALID_SOCKET;
}

void
wa_worker_round_drive(void)
{
	if (deliver)
		deliver->drive();
}

/*
 * Is more composed than this process knows of?  Then it must not leave.
 */
bool
wa_worker_round_beside(void)
{
	return beside;
}

int
wa_worker_round_in_flight(void)
{
	return deliver ? deliver->in_flight() : 0;
}

int
wa_worker_round_unrecorded(void)
{
	return deliver ? deliver->unrecorded() : 0;
}

bool
wa_worker_round_answered(void)
{
	return deliver && deliver->answered();
}

int
wa_worker_round_waiting(void)
{
	return deliver ? deliver->waiting() : 0;
}

void
wa_worker_round_reload(void)
{
	next_feedback = next_figures = 0;
	wa_app_limit_forget();
	wa_compose_calendar_reload();
	wa_compose_approver_reload();
	wa_compose_unwritten_look();
	wa_compose_unreached_reload();
	wa_compose_known_forget();
	wa_identity_standbys_reload();
	if (deliver)
		deliver->reload();
}

void
wa_worker_round_close(void)
{
	TimestampTz never = 0;

	wa_worker_beside_stop();
	if (deliver)
		deliver->close();
	wa_pg_flood_tell(true, &never);
}
