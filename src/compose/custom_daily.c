/*-------------------------------------------------------------------------
 *
 * custom_daily.c
 *		Daily scenarios of the DBA's own.
 *
 * The function is called once, without a record but with the day, and returns
 * whoever is to be told.  A row says with "once" what it announces: once for ever; else
 * it is announced once a day to each person about each record, however often
 * the scenario is run.
 *
 * A row that cannot be composed costs no other row; only if none can, the run
 * has failed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/custom.h"
#include "pg/subtransaction.h"
#include "queue/once.h"

/* Rows written at once. */
#define CHUNK			500

/* Keys of days past are of no use; a clock may step back by a few. */
#define FORGET_DAYS		8

/* One row in the making. */
typedef struct Row
{
	WaBatch    *batch;
	const WaScenario *scenario;
	const WaEvent *event;
	const WaCustomAnswer *answer;
	const char *once;
} Row;

/* What this row announces. */
static char *
key_of(const WaDaily *daily, const WaCustomAnswer *answer)
{
	if (answer->once)
		return psprintf("own:%s:%s", daily->scenario->key, answer->once);
	return psprintf("day:%s:%s:%s:" INT64_FORMAT ":" INT64_FORMAT ":%s", daily->scenario->key, daily->today,
					answer->res_model ? answer->res_model : "", answer->res_id, answer->partner_id,
					answer->number ? answer->number : "");
}

static bool
compose_row(void *argument)
{
	const Row  *row = argument;

	wa_compose_custom_message(row->batch, row->scenario, row->event, row->answer, row->once);
	return true;
}

/*
 * Compose and write some rows.  Counts those that failed, with the first
 * error.  Returns false if the table of contacts could not be had now.
 */
static bool
compose_chunk(WaDaily *daily, const WaCustomAnswer *const *answers, int n, int *failed, WaSaid *error)
{
	const WaScenario *scenario = daily->scenario;
	const char *relation = scenario->watch ? scenario->watch : scenario->composer_name;
	WaBatch		batch = *daily->common;

	/* their places are the order of the messages: that of the function */
	WaEvent    *events = palloc(sizeof(WaEvent) * n);

	if (!wa_compose_custom_load_partners(&batch, answers, n))
	{
		daily->common->odoo.locked_table = batch.odoo.locked_table;
		return false;
	}
	for (int i = 0; i < n; i++)
	{
		WaEvent    *event = &events[i];
		Row			row = {&batch, scenario, event, answers[i], key_of(daily, answers[i])};
		int			nmessages = list_length(batch.messages);
		int			noutcomes = list_length(batch.outcomes);
		ErrorData  *raised;

		*event = *wa_compose_calendar_event(daily, relation, answers[i]->res_id);
		raised = wa_pg_subtransaction(compose_row, &row);
		if (raised == NULL)
			continue;
		if (wa_pg_is_passing(raised->sqlerrcode))
			ReThrowError(raised);
		batch.messages = list_truncate(batch.messages, nmessages);
		batch.outcomes = list_truncate(batch.outcomes, noutcomes);
		wa_compose_outcome(&batch, event, scenario, "error", wa_said_of_error(raised));
		if ((*failed)++ == 0)
			*error = wa_said_of_error(raised);
	}
	wa_compose_calendar_write(daily, &batch);
	return true;
}

/*
 * Run a daily scenario of the DBA's own; see the top.  Returns false if a
 * table could not be had now.  Raises an error if the run fails.
 */
bool
wa_compose_custom_daily(WaDaily *daily)
{
	const WaScenario *scenario = daily->scenario;
	WaCustomAnswer *answers;
	const WaCustomAnswer **places;
	WaSaid		error = NULL;
	int			failed = 0;
	int			n;

	switch (wa_compose_custom_call(scenario, NULL, daily->today, daily->by_hand, &answers, &n, &error))
	{
		case WA_OWN_ANSWERED:
			break;
		case WA_OWN_LATER:
			daily->common->odoo.locked_table = scenario->composer_name;
			return false;
		case WA_OWN_FAILED:
			ereport(ERROR,
					(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
					 wa_said_errmsg(error)));
	}
	places = palloc(sizeof(WaCustomAnswer *) * Max(n, 1));
	for (int i = 0; i < n; i++)
		places[i] = &answers[i];
	for (int i = 0; i < n; i += CHUNK)
		if (!compose_chunk(daily, places + i, Min(CHUNK, n - i), &failed, &error))
			return false;
	if (failed > 0 && failed == n)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 wa_said_errmsg(error)));
	if (failed > 0)
		daily->note = wa_say(WA_SAY_ROWS_FAILED, WA_NUMBER(failed), WA_NUMBER(n), error);
	wa_queue_forget_days(psprintf("day:%s:", scenario->key), daily->today, FORGET_DAYS);
	return true;
}
