/*-------------------------------------------------------------------------
 *
 * bulk.c
 *		The guard against too many messages of one scenario at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compose/bulk.h"
#include "compose/guards.h"
#include "compose/scenario.h"
#include "pg/query.h"

/*
 * Messages that passed, by scenario and transaction.  A batch that fails is
 * composed again in halves: what it counted is taken back then.
 */
typedef struct PassKey
{
	char		scenario[NAMEDATALEN];
	char		xact[NAMEDATALEN];
} PassKey;

typedef struct Passed
{
	PassKey		key;
	int			messages;
	int			of_batch;		/* of these, not yet known to stay */
} Passed;

static HTAB *passed = NULL;

/*
 * The reader begins with a set of events, or a daily scenario.  Between two
 * pieces of a set no other one may.
 */
void
wa_compose_bulk_start(void)
{
	HASHCTL		ctl = {0};

	if (passed)
		hash_destroy(passed);
	ctl.keysize = sizeof(PassKey);
	ctl.entrysize = sizeof(Passed);
	ctl.hcxt = TopMemoryContext;
	passed = hash_create("sicantik_wa messages per transaction", 64, &ctl,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * The batch is written, or was undone.
 */
void
wa_compose_bulk_settle(bool written)
{
	HASH_SEQ_STATUS scan;
	Passed	   *entry;

	if (passed == NULL)
		return;
	hash_seq_init(&scan, passed);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (!written)
			entry->messages -= entry->of_batch;
		entry->of_batch = 0;
	}
}

static Passed *
enter(const char *scenario, const char *xact)
{
	PassKey		key;
	Passed	   *entry;
	bool		found;

	memset(&key, 0, sizeof(key));
	strlcpy(key.scenario, scenario, sizeof(key.scenario));
	strlcpy(key.xact, xact, sizeof(key.xact));
	if (passed == NULL)
		wa_compose_bulk_start();
	entry = hash_search(passed, &key, HASH_ENTER, &found);
	if (!found)
		entry->messages = entry->of_batch = 0;
	return entry;
}

/* NULL: an event of its own, of no transaction (a replayed one). */
static Passed *
passed_of(const WaDraft *draft)
{
	if (draft->event->xact == NULL || strcmp(draft->event->xact, "0") == 0)
		return NULL;
	return enter(draft->scenario->key, draft->event->xact);
}

/*
 * Another process, or this one before an error, has read a part of the set:
 * count from the ledger what passed of it.
 */
void
wa_compose_bulk_resume(const WaSet *set)
{
	static WaStatement count =
		WA_STATEMENT("SELECT m.scenario, e.xact::text, count(*) FROM wa.event AS e JOIN wa.message AS m"
					 " ON m.res_id = e.record_id AND m.event_id = e.id"
					 " WHERE e.xact >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(e.xact, $1::pg_snapshot)"
					 " AND pg_visible_in_snapshot(e.xact, $2::pg_snapshot) AND m.scenario IS NOT NULL"
					 " AND e.id <= (SELECT event_id FROM wa.read_position)"
					 " AND m.state NOT IN (" WA_SQL_STATE(HELD) ", " WA_SQL_STATE(SKIPPED) ") GROUP BY 1, 2");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, set->position);
	wa_arg_text(&args, set->target);
	rows = wa_query(&count, &args);
	for (uint64 i = 0; i < rows.n; i++)
		enter(wa_row_text(rows, i, 1), wa_row_text(rows, i, 2))->messages = (int) wa_row_int8(rows, i, 3);
	wa_rows_free(rows);
}

/* One warning per scenario and hour, however many batches there are. */
static void
warn_once(const WaScenario *scenario, int nheld, WaSaid detail)
{
	static HTAB *warned = NULL;
	typedef struct Warned
	{
		char		scenario[NAMEDATALEN];
		TimestampTz at;
	}			Warned;
	Warned	   *entry;
	TimestampTz now = GetCurrentTimestamp();
	bool		found;
	char		key[NAMEDATALEN];

	if (warned == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = NAMEDATALEN;
		ctl.entrysize = sizeof(Warned);
		warned = hash_create("sicantik_wa bulk warnings", 16, &ctl, HASH_ELEM | HASH_STRINGS);
	}
	strlcpy(key, scenario->key, sizeof(key));
	entry = hash_search(warned, key, HASH_ENTER, &found);
	if (found && now >= entry->at && now - entry->at < USECS_PER_HOUR)
		return;
	entry->at = now;
	ereport(WARNING,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("sicantik_wa holds messages of scenario \"%s\": too many at once", scenario->key),
			 errdetail("%s; %d messages of this batch are held, and those that follow.", wa_said_english(detail), nheld),
			 errhint("Look at them in wa.message_view (state held, reason bulk), then wa_release('%s') or wa_cancel('%s').",
					 scenario->key, scenario->key)));
}

/*
 * Messages of a scenario that passed in the last hour.  Of a clock that was set
 * back nobody knows which hour that was; but what it counted in a later one was
 * not now.
 */
static int64
passed_in_hour(const char *scenario)
{
	static WaStatement count =
		WA_STATEMENT("SELECT coalesce(sum(messages), 0)::bigint FROM wa.scenario_rate"
					 " WHERE scenario = $1 AND minute > clock_timestamp() - interval '1 hour'"
					 " AND minute < clock_timestamp() + interval '1 hour'");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, scenario);
	rows = wa_query(&count, &args);
	return wa_row_int8(rows, 0, 1);
}

static void
note_passed(const char *scenario, int messages)
{
	static WaStatement add =
		WA_STATEMENT("INSERT INTO wa.scenario_rate AS p (scenario, minute, messages)"
					 " VALUES ($1, date_trunc('minute', clock_timestamp()), $2)"
					 " ON CONFLICT (scenario, minute) DO UPDATE SET messages = p.messages + excluded.messages");
	static WaStatement purge =
		WA_STATEMENT("DELETE FROM wa.scenario_rate WHERE minute < clock_timestamp() - interval '2 hours'"
					 " OR minute > clock_timestamp() + interval '2 hours'");
	WaArgs		args = {0};

	wa_arg_text(&args, scenario);
	wa_arg_int4(&args, messages);
	wa_query(&add, &args);
	wa_query(&purge, NULL);
}

/*
 * Hold those of these drafts that are more of this scenario than it may make
 * from one transaction, or in an hour.
 */
void
wa_compose_bulk_limit(const WaScenario *scenario, WaDraft **drafts, int n)
{
	bool		hourly = scenario->max_per_hour != PG_INT32_MAX;
	int64		in_hour = -1;
	int			npassed = 0;
	int			nheld = 0;
	WaSaid		why = NULL;

	for (int i = 0; i < n; i++)
	{
		Passed	   *entry;

		if (drafts[i]->scenario != scenario || !wa_compose_guard_is_queued(drafts[i]))
			continue;
		if (hourly && in_hour < 0)
			in_hour = passed_in_hour(scenario->key);
		entry = passed_of(drafts[i]);
		if (entry && entry->messages >= scenario->max_per_transaction)
			why = wa_say(WA_SAY_TOO_MANY_IN_TRANSACTION, WA_NUMBER(scenario->max_per_transaction));
		else if (hourly && in_hour >= scenario->max_per_hour)
			why = wa_say(WA_SAY_TOO_MANY_IN_HOUR, WA_NUMBER(scenario->max_per_hour));
		else
		{
			if (entry)
			{
				entry->messages++;
				entry->of_batch++;
			}
			in_hour++;
			npassed++;
			continue;
		}
		wa_compose_guard_hold(drafts[i], WA_REASON_BULK, why);
		nheld++;
	}
	if (hourly && npassed > 0)
		note_passed(scenario->key, npassed);
	if (nheld > 0)
		warn_once(scenario, nheld, why);
}
