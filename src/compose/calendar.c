/*-------------------------------------------------------------------------
 *
 * calendar.c
 *		Scenarios that run once a day.
 *
 * The row that says that a day is done is written in the transaction that
 * writes the messages, so a crash in between repeats nothing and loses
 * nothing.  It names the day in the office's time zone: a clock that steps
 * back finds the day done, one that steps forward and back again leaves no day
 * out but those that it jumped over.
 *
 * A run that fails is noted with its error and tried again twice, later the
 * same day: what a person mends meanwhile is made up for, and what nobody mends
 * is not tried for ever.
 *
 * A run by hand is the run of its day: staff who were reminded at nine are not
 * reminded again at ten.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "pgtime.h"
#include "storage/lmgr.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "compose/bulk.h"
#include "compose/scenario.h"
#include "office/setting.h"
#include "pg/app_limit.h"
#include "pg/call.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "wake/progress.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(wa_sql_run_scenario);

/* somebody runs a scenario by hand and has not committed yet */
#define BUSY_RETRY_US	(5 * USECS_PER_SEC)

/* however the clock behaves, look this often */
#define LOOK_AGAIN_US	(60 * USECS_PER_SEC)

/* One line of the calendar. */
typedef struct Entry
{
	char	   *key;
	char	   *day;
	bool		due;
	TimestampTz at;				/* of that day */
	TimestampTz next;			/* 0: never */
} Entry;

static TimestampTz looked_at = 0;	/* 0: look now */
static TimestampTz next_time = 0;	/* 0: none */

/* Does it run once a day? */
static bool
is_daily(const WaScenario *scenario)
{
	return scenario->composer->daily && (wa_compose_is_built_in(scenario) || scenario->daily);
}

/* An unknown zone counts as UTC, as in the values of templates. */
static const char *
zone_of(const WaBatch *common)
{
	return common->time_zone && pg_tzset(common->time_zone) ? common->time_zone : "UTC";
}

/*
 * The calendar at this moment, with a snapshot of its own: scenarios that are
 * active and daily.  A failed run that is to be repeated is not done, from its
 * time on.
 */
static Entry *
read_calendar(const WaBatch *common, TimestampTz now, int *n)
{
	static WaStatement due =
		WA_STATEMENT("SELECT s.key, d.day::text, d.due, (d.day + s.daily_at) AT TIME ZONE $2,"
					 " least(d.next, (SELECT min(c.retry_at) FROM wa.daily_run AS c"
					 " WHERE c.scenario = s.key AND c.day = d.day AND c.retry_at > $1))"
					 " FROM wa.scenario AS s, LATERAL"
					 " wa._daily_run_due($1, $2, s.daily_at, s.weekdays, s.created_at,"
					 " ARRAY(SELECT c.day FROM wa.daily_run AS c WHERE c.scenario = s.key"
					 " AND (c.retry_at IS NULL OR c.retry_at > $1))) AS d"
					 " WHERE s.active AND s.daily_at IS NOT NULL ORDER BY s.key");
	WaArgs		args = {0};
	WaRows		rows;
	Entry	   *list;

	wa_arg_timestamptz(&args, now);
	wa_arg_text(&args, zone_of(common));
	rows = wa_query(&due, &args);
	list = palloc(sizeof(Entry) * Max(rows.n, 1));
	*n = 0;
	for (uint64 i = 0; i < rows.n; i++)
	{
		Entry	   *entry = &list[*n];
		const WaScenario *scenario;

		entry->key = wa_row_text(rows, i, 1);
		entry->day = wa_row_text(rows, i, 2);
		entry->due = wa_row_bool(rows, i, 3);
		entry->at = wa_row_timestamptz(rows, i, 4);
		entry->next = wa_row_timestamptz(rows, i, 5);
		scenario = wa_compose_find_scenario(common, entry->key);
		if (scenario && is_daily(scenario))
			(*n)++;
	}
	return list;
}

/*
 * Lock the calendar against a second run at the same time: the worker does
 * not wait, a person who runs a scenario by hand does.
 */
static bool
lock_calendar(bool wait)
{
	Oid			relid = get_relname_relid("daily_run", get_namespace_oid("wa", false));

	if (!OidIsValid(relid))
		return false;
	if (!wait)
		return ConditionalLockRelationOid(relid, ShareRowExclusiveLock);
	LockRelationOid(relid, ShareRowExclusiveLock);
	return true;
}

/*
 * A change that never was, for messages that are made by the calendar.
 */
WaEvent *
wa_compose_calendar_event(const WaDaily *daily, const char *relation, int64 record_id)
{
	WaEvent    *event = palloc0(sizeof(WaEvent));

	event->at = daily->now;
	event->xact = psprintf("%s %s", daily->scenario->key, daily->today);
	event->relation = unconstify(char *, relation);
	event->table = event->relation;
	event->record_id = record_id;
	event->has_record = record_id != 0;
	return event;
}

/*
 * Is the scenario silenced for this run?
 */
bool
wa_compose_calendar_muted(const WaDaily *daily)
{
	return daily->now < daily->scenario->muted_until;
}

/*
 * Write the messages of a batch and count what became of them.
 */
void
wa_compose_calendar_write(WaDaily *daily, WaBatch *batch)
{
	static WaStatement count =
		WA_STATEMENT("SELECT count(*) FILTER (WHERE state = " WA_SQL_STATE(QUEUED) "),"
					 " count(*) FILTER (WHERE state = " WA_SQL_STATE(HELD) "),"
					 " count(*) FILTER (WHERE state NOT IN " WA_SQL_STATES(WA_WAITING) ")"
					 " FROM wa.message WHERE id = ANY ($1)");
	int64	   *ids;
	int			n = 0;
	ListCell   *cell;
	WaArgs		args = {0};
	WaRows		rows;

	wa_compose_write(batch);
	if (!daily->counted)
		wa_wake_progress_add(WA_COMMAND_DAILY, list_length(batch->messages));
	ids = palloc(sizeof(int64) * Max(list_length(batch->messages), 1));
	foreach(cell, batch->messages)
	{
		WaDraft    *draft = lfirst(cell);

		if (!draft->dropped)
			ids[n++] = draft->message.id;
		else if (draft->muted)
			daily->muted++;
	}
	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&count, &args);
	daily->queued += (int) wa_row_int8(rows, 0, 1);
	daily->held += (int) wa_row_int8(rows, 0, 2);
	daily->skipped += (int) wa_row_int8(rows, 0, 3);
}

static void
start(WaDaily *daily, WaBatch *common, const WaScenario *scenario, TimestampTz now,
	  const char *day)
{
	int			year;
	int			month;
	int			mday;

	memset(daily, 0, sizeof(*daily));
	daily->common = common;
	daily->scenario = scenario;
	daily->now = now;
	daily->today = pstrdup(day);
	if (sscanf(day, "%d-%d-%d", &year, &month, &mday) != 3)
		elog(ERROR, "unexpected date \"%s\"", day);
	daily->today_julian = date2j(year, month, mday);

	/*
	 * a run counts for itself, by hand (this session may have run it before)
	 * as by the worker
	 */
	wa_wake_progress_begin(WA_COMMAND_DAILY, 0);
	wa_compose_set_lose();
	wa_compose_bulk_start();
}

/* The run in words. */
static char *
in_words(const WaDaily *daily)
{
	char	   *words = psprintf("%d queued", daily->queued);

	if (daily->held > 0)
		words = psprintf("%s, %d held", words, daily->held);
	if (daily->skipped > 0)
		words = psprintf("%s, %d skipped", words, daily->skipped);
	if (daily->muted > 0)
		words = psprintf("%s, %d not made: muted until %s", words, daily->muted,
						 wa_office_time_words(daily->scenario->muted_until, daily->common->time_zone));
	if (daily->note)
		words = psprintf("%s; %s", words, wa_said_english(daily->note));
	return words;
}

/*
 * Note the day.  After an error it is to be run again in ten minutes, then in
 * an hour, and not any more.
 */
static void
write_done(const char *key, const char *day, int queued, const char *detail,
		   WaSaid error)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.daily_run AS c (scenario, day, ran_at, queued, detail, error, error_said, retry_at)"
					 " VALUES ($1, $2::date, clock_timestamp(), $3, $4, $5, $6,"
					 " CASE WHEN $5 IS NOT NULL THEN clock_timestamp() + interval '10 minutes' END)"
					 " ON CONFLICT (scenario, day) DO UPDATE SET ran_at = excluded.ran_at, queued = excluded.queued,"
					 " detail = excluded.detail, error = excluded.error, error_said = excluded.error_said, attempts = c.attempts + 1,"
					 " retry_at = CASE WHEN $5 IS NOT NULL AND c.attempts = 1 THEN clock_timestamp() + interval '1 hour' END");
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.daily_run WHERE scenario = $1 AND day < $2::date - 400");
	WaArgs		args = {0};

	wa_arg_text(&args, key);
	wa_arg_text(&args, day);
	wa_query(&forget, &args);
	wa_arg_int4(&args, queued);
	wa_arg_text(&args, detail);
	wa_arg_said(&args, error);
	wa_query(&put, &args);
}

/* One run of the worker's. */
typedef struct Run
{
	WaDaily		daily;
	const Entry *entry;
	bool		done;			/* false: a table could not be had now */
} Run;

static bool
run_and_note(void *argument)
{
	Run		   *run = argument;
	WaDaily    *daily = &run->daily;

	run->done = daily->scenario->composer->daily(daily);
	if (run->done)
		write_done(run->entry->key, run->entry->day, daily->queued, in_words(daily), NULL);
	return run->done;
}

/*
 * Run one scenario in a subtransaction and note the day.  Returns false if a
 * table could not be had: nothing has been done then.
 */
static bool
run_entry(WaBatch *common, const WaScenario *scenario, TimestampTz now, const Entry *entry)
{
	Run			run = {.entry = entry,.done = false};
	ErrorData  *error;

	start(&run.daily, common, scenario, now, entry->day);
	error = wa_pg_subtransaction(run_and_note, &run);
	wa_wake_progress_end(WA_COMMAND_DAILY);
	wa_compose_bulk_settle(error == NULL && run.done);
	if (error == NULL)
		return run.done;
	/* a table that counts as locked */
	if (wa_app_limit_raised(error))
		return false;
	/* a lock or a full disk is no fault of the scenario: again later */
	if (wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	write_done(entry->key, entry->day, 0, NULL, wa_said_of_error(error));
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("sicantik_wa could not run the scenario \"%s\"", entry->key),
			 errdetail("The error is kept in wa.daily_run."),
			 errhint("It is tried again twice today. Once the cause is mended: SELECT wa_run_scenario('%s').", entry->key)));
	return true;
}

/*
 * Configuration has changed: the calendar may have, too.
 */
void
wa_compose_calendar_reload(void)
{
	looked_at = 0;
}

/* How the calendar stands: for the worker's sleep, and to look again. */
static void
note_next(const Entry *entries, int n, TimestampTz now)
{
	looked_at = now;
	next_time = 0;
	for (int i = 0; i < n; i++)
		if (entries[i].next != 0 && (next_time == 0 || entries[i].next < next_time))
			next_time = entries[i].next;
}

/*
 * Run what is due, in a transaction of its own; costs nothing while nothing
 * is.  Returns false if a table that is needed was locked, and it is to be
 * tried again soon; *next_due: when to come again, or 0.
 */
bool
wa_compose_calendar_run(TimestampTz *next_due)
{
	TimestampTz now = GetCurrentTimestamp();
	WaIdentity	identity;
	WaBatch		common;
	Entry	   *entries;
	int			n;
	bool		any_due = false;
	bool		complete = true;

	*next_due = next_time;
	if (looked_at != 0 && now >= looked_at && now < looked_at + LOOK_AGAIN_US &&
		(next_time == 0 || now < next_time))
		return true;
	if (!wa_frame_begin("looking at the calendar"))
	{
		*next_due = 0;
		return false;
	}
	wa_identity_check(&identity);
	wa_compose_init_batch(&common, &identity);
	entries = read_calendar(&common, now, &n);
	for (int i = 0; i < n; i++)
		any_due = any_due || entries[i].due;

	/* a copy makes no messages of its own; being armed makes it look again */
	if (any_due && identity.mode != WA_MODE_STOPPED)
	{
		if (!lock_calendar(false))
		{
			wa_frame_abort();
			*next_due = now + BUSY_RETRY_US;
			return true;
		}
		/* somebody may have run it before the lock was ours */
		entries = read_calendar(&common, now, &n);
		for (int i = 0; i < n; i++)
		{
			/* the former primary may have run it */
			common.doubt_all = entries[i].at <= identity.doubt_until;
			if (entries[i].due &&
				!run_entry(&common, wa_compose_find_scenario(&common, entries[i].key), now, &entries[i]))
				complete = false;
		}
		if (complete)
			entries = read_calendar(&common, now, &n);
	}
	note_next(entries, n, now);
	*next_due = next_time;
	if (!complete || identity.locked)
		looked_at = 0;

	/* not durable: what a crash loses is made again */
	wa_frame_commit(false);
	return complete && !identity.locked;
}

static char *
daily_scenarios(const WaBatch *common)
{
	char	   *list = pstrdup("");

	for (int i = 0; i < common->nscenarios; i++)
		if (is_daily(&common->scenarios[i]))
			list = psprintf("%s%s%s", list, list[0] ? ", " : "", common->scenarios[i].key);
	return list[0] ? list : "none yet, see wa_setup()";
}

static int64
run_by_hand(const char *key)
{
	static WaStatement today =
		WA_STATEMENT("SELECT ($1::timestamptz AT TIME ZONE $2)::date::text");
	TimestampTz now = GetCurrentTimestamp();
	WaIdentity	identity;
	WaBatch		common;
	WaDaily		daily;
	WaArgs		args = {0};
	WaRows		rows;
	const WaScenario *scenario;

	wa_identity_check(&identity);
	wa_compose_init_batch(&common, &identity);
	scenario = wa_compose_find_scenario(&common, key);
	if (scenario == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("scenario \"%s\" does not exist", key),
				 errhint("Daily scenarios: %s.", daily_scenarios(&common))));
	if (!is_daily(scenario))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("scenario \"%s\" is not a daily one", key),
				 errdetail("It runs when something changes in a table."),
				 errhint("Daily scenarios: %s.", daily_scenarios(&common))));
	(void) lock_calendar(true);
	wa_arg_timestamptz(&args, now);
	wa_arg_text(&args, zone_of(&common));
	rows = wa_query(&today, &args);
	start(&daily, &common, scenario, now, wa_row_text(rows, 0, 1));
	daily.by_hand = true;
	if (!scenario->composer->daily(&daily))
		wa_call_table_locked(common.odoo.locked_table);
	/* it is the run of this day, also where one has failed before */
	write_done(key, daily.today, daily.queued, psprintf("by hand: %s", in_words(&daily)), NULL);
	wa_wake_at_commit();
	ereport(NOTICE,
			(errmsg("scenario \"%s\": %s", key, in_words(&daily))));
	wa_wake_progress_end(WA_COMMAND_DAILY);
	return daily.queued;
}

/* wa_run_scenario(): see calendar.sql. */
Datum
wa_sql_run_scenario(PG_FUNCTION_ARGS)
{
	char	   *key = wa_call_arg_text(fcinfo, 0);
	WaCall		call;
	int64		queued;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	queued = run_by_hand(key);
	wa_call_end(&call);
	PG_RETURN_INT64(queued);
}
