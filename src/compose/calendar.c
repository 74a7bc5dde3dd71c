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
 * A run that fails is noted with its error and counts as done: it would fail
 * again each time the worker looks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "pgtime.h"
#include "storage/lmgr.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "compose/compose.h"
#include "pg/call.h"
#include "pg/frame.h"
#include "pg/query.h"

PG_FUNCTION_INFO_V1(wa_sql_run_scenario);

/* somebody runs a scenario by hand and has not committed yet */
#define BUSY_RETRY_US	(5 * USECS_PER_SEC)

/* however the clock behaves, look this often */
#define LOOK_AGAIN_US	(60 * USECS_PER_SEC)

typedef bool (*DailyComposer) (WaDaily *daily);

static const struct
{
	const char *name;
	DailyComposer compose;
}			composers[] =
{
	{"permit_expiry_warning", wa_compose_expiry},
	{"reminder", wa_compose_reminder},
};

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

static DailyComposer
find_composer(const char *name)
{
	for (size_t i = 0; i < lengthof(composers); i++)
		if (strcmp(composers[i].name, name) == 0)
			return composers[i].compose;
	return NULL;
}

static const WaScenario *
find_scenario(const WaBatch *common, const char *key)
{
	for (int i = 0; i < common->nscenarios; i++)
		if (strcmp(common->scenarios[i].key, key) == 0)
			return &common->scenarios[i];
	return NULL;
}

/* An unknown zone counts as UTC, as in the values of templates. */
static const char *
zone_of(const WaBatch *common)
{
	return common->time_zone && pg_tzset(common->time_zone) ? common->time_zone : "UTC";
}

/*
 * The calendar at this moment: scenarios that are active, daily, and ours to
 * run.
 */
static Entry *
read_calendar(const WaBatch *common, TimestampTz now, int *n)
{
	static WaStatement due =
		WA_STATEMENT("SELECT s.key, d.day::text, d.due, (d.day + s.daily_at) AT TIME ZONE $2, d.next FROM wa.scenario AS s, LATERAL"
					 " wa._calendar_due($1, $2, s.daily_at, s.weekdays, s.created_at,"
					 " ARRAY(SELECT c.day FROM wa.calendar AS c WHERE c.scenario = s.key)) AS d"
					 " WHERE s.active AND s.daily_at IS NOT NULL AND s.composer = ANY ($3) ORDER BY s.key");
	const char *names[lengthof(composers)];
	WaArgs		args = {0};
	uint64		rows;
	Entry	   *list;

	for (size_t i = 0; i < lengthof(composers); i++)
		names[i] = composers[i].name;
	wa_arg_timestamptz(&args, now);
	wa_arg_text(&args, zone_of(common));
	wa_arg_text_array(&args, names, lengthof(composers));
	rows = wa_query_snapshot(&due, &args);
	list = palloc(sizeof(Entry) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		list[i].key = wa_row_text(i, 1);
		list[i].day = wa_row_text(i, 2);
		list[i].due = wa_row_bool(i, 3);
		list[i].at = wa_row_timestamptz(i, 4);
		list[i].next = wa_row_timestamptz(i, 5);
	}
	*n = (int) rows;
	return list;
}

/*
 * Lock the calendar against a second run at the same time: the worker does
 * not wait, a person who runs a scenario by hand does.
 */
static bool
lock_calendar(bool wait)
{
	Oid			relid = get_relname_relid("calendar", get_namespace_oid("wa", false));

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
wa_calendar_event(const WaDaily *daily, const char *relation, int64 record_id)
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
 * Write the messages of a batch and count what became of them.
 */
void
wa_calendar_write(WaDaily *daily, WaBatch *batch)
{
	static WaStatement count =
		WA_STATEMENT("SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'held'),"
					 " count(*) FILTER (WHERE state NOT IN ('queued', 'held'))"
					 " FROM wa.message WHERE id = ANY ($1)");
	int64	   *ids;
	int			n = 0;
	ListCell   *cell;
	WaArgs		args = {0};

	wa_compose_write(batch);
	ids = palloc(sizeof(int64) * Max(list_length(batch->messages), 1));
	foreach(cell, batch->messages)
	{
		WaDraft    *draft = lfirst(cell);

		if (!draft->dropped)
			ids[n++] = draft->message.id;
	}
	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_query(&count, &args);
	daily->queued += (int) wa_row_int8(0, 1);
	daily->held += (int) wa_row_int8(0, 2);
	daily->skipped += (int) wa_row_int8(0, 3);
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
	if (daily->note)
		words = psprintf("%s; %s", words, daily->note);
	return words;
}

static void
write_done(const char *key, const char *day, int queued, const char *detail,
		   const char *error)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.calendar (scenario, day, ran_at, queued, detail, error)"
					 " VALUES ($1, $2::date, clock_timestamp(), $3, $4, $5)");
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.calendar WHERE scenario = $1 AND day < $2::date - 400");
	WaArgs		args = {0};

	wa_arg_text(&args, key);
	wa_arg_text(&args, day);
	wa_query(&forget, &args);
	wa_arg_int4(&args, queued);
	wa_arg_text(&args, detail);
	wa_arg_text(&args, error);
	wa_query(&put, &args);
}

/*
 * Run one scenario in a subtransaction and note the day.  Returns false if a
 * table could not be had: nothing has been done then.
 */
static bool
run_entry(WaBatch *common, const WaScenario *scenario, TimestampTz now, const Entry *entry)
{
	MemoryContext old_context = CurrentMemoryContext;
	ResourceOwner old_owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old_context);
	PG_TRY();
	{
		WaDaily		daily;

		start(&daily, common, scenario, now, entry->day);
		done = find_composer(scenario->composer) (&daily);
		if (done)
		{
			write_done(entry->key, entry->day, daily.queued, in_words(&daily), NULL);
			ReleaseCurrentSubTransaction();
		}
		else
			RollbackAndReleaseCurrentSubTransaction();
		wa_guards_settle(done);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old_context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		wa_guards_settle(false);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old_context);
	CurrentResourceOwner = old_owner;

	if (error == NULL)
		return done;
	/* a lock or a full disk is no fault of the scenario: again later */
	if (wa_compose_is_passing(error->sqlerrcode))
		ReThrowError(error);
	write_done(entry->key, entry->day, 0, NULL, error->message);
	ereport(WARNING,
			(errmsg("sicantik_wa could not run the scenario \"%s\"", entry->key),
			 errdetail("The error is kept in wa.calendar."),
			 errhint("Once the cause is mended: SELECT wa_run_scenario('%s').", entry->key)));
	return true;
}

/*
 * Configuration has changed: the calendar may have, too.
 */
void
wa_calendar_reload(void)
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
wa_calendar_run(TimestampTz *next_due)
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
		return true;
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
				!run_entry(&common, find_scenario(&common, entries[i].key), now, &entries[i]))
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
		if (find_composer(common->scenarios[i].composer))
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
	const WaScenario *scenario;
	DailyComposer compose;

	wa_identity_check(&identity);
	wa_compose_init_batch(&common, &identity);
	scenario = find_scenario(&common, key);
	if (scenario == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("scenario \"%s\" does not exist", key),
				 errhint("Daily scenarios: %s.", daily_scenarios(&common))));
	compose = find_composer(scenario->composer);
	if (compose == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("scenario \"%s\" is not a daily one", key),
				 errdetail("It runs when something changes in a table."),
				 errhint("Daily scenarios: %s.", daily_scenarios(&common))));
	(void) lock_calendar(true);
	wa_arg_timestamptz(&args, now);
	wa_arg_text(&args, zone_of(&common));
	wa_query(&today, &args);
	start(&daily, &common, scenario, now, wa_row_text(0, 1));
	if (!compose(&daily))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("table \"%s\" is locked at the moment", common.locked_table),
				 errhint("Try again when the module upgrade, or whatever holds the lock, is over.")));
	ereport(NOTICE,
			(errmsg("scenario \"%s\": %s", key, in_words(&daily))));
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
