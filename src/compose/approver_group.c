/*-------------------------------------------------------------------------
 *
 * approver_group.c
 *		Documents for which nobody is named to approve them within an hour.
 *
 * They wait in a table, written together with the outcome of their event, and
 * are looked at again when they are due.  A row is deleted in the transaction
 * that writes the messages, so the group is asked once, whatever crashes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "compose/document_scenario.h"
#include "compose/bulk.h"
#include "pg/app_limit.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "pg/subtransaction.h"

/* How long we wait for an approver. */
#define PATIENCE		USECS_PER_HOUR

/* A database that may not send looks again after this time. */
#define STOPPED_RETRY	USECS_PER_MINUTE

#define ROWS_AT_ONCE	50

/* When the next one is due as far as this process knows; 0: to be asked. */
static TimestampTz next_time = 0;

/*
 * Look again in an hour, if the scenario names a group.
 */
void
wa_compose_approver_wait(const WaScenario *scenario, const WaEvent *event, int64 document_id)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.unassigned (document_id, scenario, event_id, relation, due_at)"
					 " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (document_id, scenario)"
					 " DO UPDATE SET event_id = excluded.event_id, relation = excluded.relation,"
					 " due_at = excluded.due_at");
	WaArgs		args = {0};

	if (scenario->approver_group == NULL)
		return;
	wa_arg_int8(&args, document_id);
	wa_arg_text(&args, scenario->key);
	wa_arg_int8(&args, event->id);
	wa_arg_text(&args, event->relation);
	wa_arg_timestamptz(&args, event->at + PATIENCE);
	wa_query(&put, &args);
	next_time = 0;
}

/*
 * The configuration has changed: look at the table again.
 */
void
wa_compose_approver_reload(void)
{
	next_time = 0;
}

/* One document to ask about. */
typedef struct Asked
{
	WaBatch		batch;
	const WaScenario *scenario;
	bool		done;			/* false: a table could not be had now */
} Asked;

static bool
ask(void *argument)
{
	Asked	   *asked = argument;

	asked->done = asked->scenario->composer->ask_group(&asked->batch, asked->scenario);
	if (asked->done)
		wa_compose_write(&asked->batch);
	return asked->done;
}

/*
 * Ask about one document, in a subtransaction.  Returns false if a table could
 * not be had now.
 */
static bool
ask_about(const WaBatch *common, WaEvent *event, const WaScenario *scenario)
{
	Asked		asked = {*common, scenario, false};
	WaBatch		failed = *common;
	ErrorData  *error;

	asked.batch.events = event;
	asked.batch.nevents = 1;
	error = wa_pg_subtransaction(ask, &asked);
	wa_compose_bulk_settle(error == NULL && asked.done);
	if (error == NULL)
		return asked.done;
	/* a table that counts as locked */
	if (wa_app_limit_raised(error))
		return false;
	/* a lock or a full disk is no fault of the document: again later */
	if (wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	failed.messages = NIL;
	failed.outcomes = NIL;
	wa_compose_outcome(&failed, event, scenario, "error", wa_said_of_error(error));
	wa_compose_write(&failed);
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("sicantik_wa could not ask the group of scenario \"%s\"", scenario->key),
			 errdetail("Document " INT64_FORMAT ".", event->record_id),
			 errhint("The error is kept in wa.event_outcome.")));
	return true;
}

static void
forget(int64 document_id, const char *scenario)
{
	static WaStatement done =
		WA_STATEMENT("DELETE FROM wa.unassigned WHERE document_id = $1 AND scenario = $2");
	WaArgs		args = {0};

	wa_arg_int8(&args, document_id);
	wa_arg_text(&args, scenario);
	wa_query(&done, &args);
}

/* When the next one is due; if nothing waits, far away. */
static TimestampTz
ask_next(void)
{
	static WaStatement find =
		WA_STATEMENT("SELECT min(due_at) FROM wa.unassigned");
	WaRows		rows = wa_query_snapshot(&find, NULL);

	return wa_row_isnull(rows, 0, 1) ? DT_NOEND : wa_row_timestamptz(rows, 0, 1);
}

/* Everything that is due now, a number of rows at once. */
static bool
run_due(const WaIdentity *identity, TimestampTz now)
{
	static WaStatement find =
		WA_STATEMENT("SELECT document_id, scenario, event_id, relation, due_at FROM wa.unassigned"
					 " WHERE due_at <= $1 ORDER BY due_at, document_id LIMIT $2");
	WaBatch		common;
	WaEvent    *events;
	char	  **keys;
	WaArgs		args = {0};
	WaRows		rows;
	int			n;

	wa_compose_init_batch(&common, identity);
	wa_arg_timestamptz(&args, now);
	wa_arg_int4(&args, ROWS_AT_ONCE);
	rows = wa_query_snapshot(&find, &args);
	n = (int) rows.n;
	events = palloc0(sizeof(WaEvent) * Max(n, 1));
	keys = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		events[i].record_id = wa_row_int8(rows, i, 1);
		events[i].has_record = true;
		keys[i] = wa_row_text(rows, i, 2);
		events[i].id = wa_row_int8(rows, i, 3);
		events[i].relation = wa_row_text(rows, i, 4);
		events[i].table = "sicantik_document";
		events[i].at = now;
		events[i].hold = events[i].id <= identity->hold_event_id;
		events[i].in_doubt = wa_row_timestamptz(rows, i, 5) <= identity->doubt_until;
		events[i].xact = psprintf("approver group " INT64_FORMAT, events[i].record_id);
	}
	for (int i = 0; i < n; i++)
	{
		const WaScenario *scenario = wa_compose_find_scenario(&common, keys[i]);

		if (scenario && scenario->active && scenario->approver_group && scenario->composer->ask_group &&
			!ask_about(&common, &events[i], scenario))
			return false;
		forget(events[i].record_id, keys[i]);
	}
	return true;
}

/*
 * Ask the groups whose hour is over, in a transaction of its own; costs
 * nothing while none is.  Returns false if a table that is needed was locked,
 * and it is to be tried again soon; *next_due: when to come again, or 0.
 */
bool
wa_compose_approver_run(TimestampTz *next_due)
{
	TimestampTz now = GetCurrentTimestamp();
	WaIdentity	identity;

	*next_due = 0;
	if (next_time == 0 || now >= next_time)
	{
		if (!wa_frame_begin("asking for an approval"))
			return false;
		next_time = ask_next();
		if (now >= next_time)
		{
			wa_identity_check(&identity);
			if (identity.mode == WA_MODE_STOPPED)
				next_time = now + STOPPED_RETRY;
			else if (!run_due(&identity, now))
			{
				wa_frame_abort();
				next_time = 0;
				return false;
			}
			else
				next_time = ask_next();
		}
		wa_frame_commit(false);
	}
	if (next_time != DT_NOEND)
		*next_due = next_time;
	return true;
}
