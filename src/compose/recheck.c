/*-------------------------------------------------------------------------
 *
 * recheck.c
 *		What is to be said now?  Asked right before a waiting message goes out.
 *
 * A message of a built-in scenario carries the change that it was made for.
 * Its scenario is asked again about that change, with the record, the people
 * and what was said as they are now, for a whole batch by one query a table.
 * The same answer: it goes.  Another one: a new message takes its place, see
 * replace.c.  None: it is cancelled, with the reason.  What is cancelled was
 * never told, so it is news when it becomes true again.
 *
 * One of the DBA's own answers from what it said itself, see custom_again.c.
 *
 * Nothing is composed meanwhile: what is composed in another process at this
 * moment (together.h) cannot be seen yet, so who cannot be alone asks later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/known.h"
#include "compose/scenario.h"
#include "compose/together.h"
#include "office/setting.h"
#include "pg/columns.h"
#include "pg/subtransaction.h"
#include "queue/once.h"

/* What is asked about. */
typedef struct Questions
{
	WaBatch		batch;			/* scenarios and the like */
	int			nwaiting;
	WaWaiting  *waiting;
} Questions;

/* What is read of a message that waits. */
typedef struct Row
{
	WaWaiting	waiting;
	const char *scenario;
	const char *change;
	WaTexts		keys;
	WaTexts		others;
} Row;

static const WaColumn waiting_columns[] = {
	WA_COLUMN(Row, int8, waiting.id, "m.id"),
	WA_COLUMN(Row, text, waiting.model, "m.res_model"),
	WA_COLUMN(Row, int8, waiting.record_id, "m.res_id"),
	WA_COLUMN(Row, json, waiting.precondition, "m.precondition"),
	WA_COLUMN(Row, text, scenario, "m.scenario"),
	WA_COLUMN(Row, text, waiting.number, "m.number"),
	WA_COLUMN(Row, text, waiting.number_source, "m.number_source"),
	WA_COLUMN(Row, int8, waiting.partner_id, "m.partner_id"),
	WA_COLUMN(Row, json, change, "m.change"),
	WA_COLUMN(Row, json, waiting.params, "m.params"),
	WA_COLUMN(Row, time, waiting.expires_at, "m.expires_at"),
	WA_COLUMN(Row, int8, waiting.event_id, "m.event_id"),
	WA_COLUMN(Row, time, waiting.told_at,
			  "(SELECT min(o.announced_at) FROM wa.announced AS o WHERE o.message_id = m.id)"),
	WA_COLUMN(Row, boolean, waiting.in_doubt, "m.repeats > 0"),
	WA_COLUMN(Row, texts, keys,
			  "ARRAY(SELECT o.key FROM wa.announced AS o WHERE o.message_id = m.id ORDER BY o.key)"),
	WA_COLUMN(Row, texts, others, "CASE WHEN m.change ->> 'to' = 'applicant' THEN"
			  " ARRAY(SELECT o.scenario FROM wa.message AS o WHERE o.res_id = m.res_id AND o.res_model = m.res_model"
			  " AND o.event_id = m.event_id AND o.id <> m.id AND o.change ->> 'to' = 'applicant'"
			  " AND o.scenario IS NOT NULL AND o.state NOT IN " WA_SQL_STATES(WA_SAYS_NOTHING) ") END"),
};
static const WaRowType waiting_row = WA_ROW_TYPE(Row, waiting_columns);

/*
 * The waiting ones of these messages; what has nothing to be asked about is
 * still true.
 */
static void
read_questions(Questions *questions, bool skipped, const int64 *ids, int n, WaStill *results)
{
	static WaStatement read =
		WA_STATEMENT_OF(&waiting_row, "SELECT {columns}"
						" FROM wa.message AS m WHERE m.id = ANY ($1) AND (m.state = " WA_SQL_STATE(QUEUED) " AND NOT $2"
						" OR m.state = " WA_SQL_STATE(SKIPPED) " AND m.reason = " WA_SQL_REASON(NO_NUMBER) " AND $2)");
	WaArgs		args = {0};
	Row		   *rows;
	int			nrows;

	wa_arg_int8_array(&args, ids, n);
	wa_arg_bool(&args, skipped);
	rows = wa_rows_read(wa_query(&read, &args), &waiting_row, &nrows);
	for (int r = 0; r < nrows; r++)
	{
		const Row  *row = &rows[r];
		const WaScenario *scenario = wa_compose_find_scenario(&questions->batch, row->scenario);
		WaWaiting  *waiting = &questions->waiting[questions->nwaiting];
		int			place = 0;

		while (place < n && ids[place] != row->waiting.id)
			place++;
		if (place == n)
			continue;
		results[place] = WA_STILL_TRUE;
		*waiting = row->waiting;
		waiting->place = place;
		waiting->still = WA_STILL_FALSE;
		waiting->keys = row->keys.list;
		waiting->nkeys = row->keys.n;
		waiting->others = row->others.list;
		waiting->nothers = row->others.n;
		if (scenario && wa_compose_is_built_in(scenario))
			waiting->event = wa_compose_change_read(row->change, waiting->event_id, &waiting->to_applicant);
		if (waiting->event)
			waiting->later = wa_compose_change_read_later(row->change, &waiting->nlater);
		else if (row->scenario == NULL)
			continue;
		waiting->scenario = scenario;
		waiting->composer = waiting->event && scenario ? scenario->composer : &wa_compose_custom;
		waiting->unreached = skipped;
		questions->nwaiting++;
	}
}

/* One question to scenarios whose composer has the same function. */
typedef struct Asked
{
	WaBatch		batch;
	WaWaiting **list;
	int			n;
	bool		had;			/* false: a table could not be had now */
} Asked;

static bool
ask(void *argument)
{
	Asked	   *asked = argument;

	asked->had = asked->list[0]->composer->again(&asked->batch, asked->list, asked->n);
	return true;
}

/*
 * Ask the scenarios whose composer answers like that of the first one.  What
 * cannot be read at all (a table that we have no right to, a policy that
 * fails) keeps these messages, with the reason, and no others.
 */
static void
ask_like(const WaBatch *common, WaWaiting *first, WaWaiting *list, int n,
		 WaStill *results, WaSaid *details)
{
	Asked		asked = {.batch = *common,.n = 0,.had = false};
	ErrorData  *error;

	asked.list = palloc(sizeof(WaWaiting *) * n);
	for (int i = 0; i < n; i++)
		if (list[i].composer->again == first->composer->again)
			asked.list[asked.n++] = &list[i];
	error = wa_pg_attempt(ask, &asked);
	for (int i = 0; i < asked.n && (error || !asked.had); i++)
	{
		results[asked.list[i]->place] = WA_STILL_LOCKED;
		details[asked.list[i]->place] = error ? wa_said_of_error(error) : asked.batch.odoo.locked_why;
	}
	if (error == NULL && asked.had)
		wa_compose_replace(&asked.batch, asked.list, asked.n, results, details);
}

/*
 * Those of which it is known that their scenario would say the same (known.c)
 * are still true: their ids become 0, which no message has.  Returns how many.
 */
static int
leave_out_known(const char *schema, int64 *ids, int n, WaStill *results)
{
	int64	   *known = palloc(sizeof(int64) * Max(n, 1));
	int			nknown = wa_compose_known_still(schema, ids, n, known);

	ereport(DEBUG1,
			(errmsg_internal("of %d messages %d are as they were made", n, nknown)));
	qsort(known, nknown, sizeof(int64), wa_odoo_by_id);
	for (int i = 0; i < n && nknown > 0; i++)
	{
		if (bsearch(&ids[i], known, nknown, sizeof(int64), wa_odoo_by_id) == NULL)
			continue;
		results[i] = WA_STILL_TRUE;
		ids[i] = 0;
	}
	return nknown;
}

static void
recheck(const char *schema, bool skipped, const int64 *ids, int n,
		WaStill *results, WaSaid *details)
{
	Questions	questions = {0};
	WaBatch    *batch = &questions.batch;
	int64	   *asked = palloc(sizeof(int64) * Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		results[i] = WA_STILL_ENDED;
		details[i] = NULL;
	}
	memcpy(asked, ids, sizeof(int64) * n);
	if (!skipped && leave_out_known(schema, asked, n, results) == n)
		return;
	if (!wa_compose_alone(true))
	{
		for (int i = 0; i < n; i++)
			if (asked[i] != 0)
				results[i] = WA_STILL_LOCKED;
		return;
	}
	batch->odoo.schema = schema;
	batch->time_zone = wa_office_get("time_zone");
	batch->scenarios = wa_compose_load_scenarios(&batch->nscenarios);
	batch->mappings = wa_route_load_mappings(&batch->nmappings);
	batch->again = true;
	questions.waiting = palloc0(sizeof(WaWaiting) * Max(n, 1));
	read_questions(&questions, skipped, asked, n, results);
	for (int i = 0; i < questions.nwaiting; i++)
	{
		bool		done = false;

		for (int j = 0; j < i && !done; j++)
			done = questions.waiting[j].composer->again == questions.waiting[i].composer->again;
		if (!done)
			ask_like(batch, &questions.waiting[i], questions.waiting, questions.nwaiting, results, details);
	}
}

/*
 * What became of these messages: results[i], and where they are not to go, or
 * where something is to be mended before they can be asked about
 * (WA_STILL_LOCKED), details[i], a sentence palloc()ed in the current context.
 * One that has been replaced has ended.  Locks no table but conditionally.
 */
void
wa_compose_recheck(const char *schema, const int64 *ids, int n, WaStill *results, WaSaid *details)
{
	recheck(schema, false, ids, n, results, details);
}

/*
 * The same for messages that were skipped for want of a number.  One that can
 * be told now has been replaced; WA_STILL_UNREACHED: there is none yet.
 */
void
wa_compose_recheck_skipped(const char *schema, const int64 *ids, int n, WaStill *results, WaSaid *details)
{
	recheck(schema, true, ids, n, results, details);
}

/*
 * These waiting messages end for want of a number: like those that had none
 * from the beginning they are told when one comes.
 */
void
wa_compose_recheck_keep_unreached(const int64 *ids, int n)
{
	static WaStatement read =
		WA_STATEMENT("SELECT id, change::text, expires_at FROM wa.message WHERE id = ANY ($1)");
	WaNewMessage *messages = palloc0(sizeof(WaNewMessage) * Max(n, 1));
	WaArgs		args = {0};
	WaRows		rows;

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&read, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		messages[i].id = wa_row_int8(rows, i, 1);
		messages[i].change = wa_row_text(rows, i, 2);
		messages[i].expires_at = wa_row_timestamptz(rows, i, 3);
		messages[i].state = WA_STATE_SKIPPED;
		messages[i].reason = WA_REASON_NO_NUMBER;
	}
	wa_compose_unreached_keep(messages, (int) rows.n);
	/* what was to be said of later changes has become messages like these */
	wa_queue_drop_later(ids, n);
}
