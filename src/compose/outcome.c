/*-------------------------------------------------------------------------
 *
 * outcome.c
 *		Why an event made no message.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/batch.h"
#include "pg/columns.h"

/*
 * Note why an event made no message.
 */
void
wa_compose_outcome(WaBatch *batch, const WaEvent *event, const WaScenario *scenario,
				   const char *outcome, WaSaid detail)
{
	WaOutcomeRow *row = palloc(sizeof(WaOutcomeRow));

	row->event = event;
	row->event_id = event->id;
	row->relation = event->relation;
	row->record_id = event->record_id;
	row->scenario = scenario ? scenario->key : NULL;
	row->outcome = outcome;
	row->detail = detail;
	batch->outcomes = lappend(batch->outcomes, row);
}

static const WaColumn outcome_columns[] = {
	WA_COLUMN(WaOutcomeRow, int8, event_id, "event_id"),
	WA_COLUMN(WaOutcomeRow, text, relation, "relation"),
	WA_COLUMN(WaOutcomeRow, int8, record_id, "record_id"),
	WA_COLUMN(WaOutcomeRow, text, scenario, "scenario"),
	WA_COLUMN(WaOutcomeRow, text, outcome, "outcome"),
	WA_SAID_COLUMNS(WaOutcomeRow, detail),
};
static const WaRowType outcome_row = WA_ROW_TYPE(WaOutcomeRow, outcome_columns);

/*
 * Write down those of the batch.
 */
void
wa_compose_write_outcomes(WaBatch *batch)
{
	static WaStatement insert =
		WA_STATEMENT_OF(&outcome_row, "INSERT INTO wa.event_outcome ({members}) SELECT * FROM {arrays} AS o");
	int			n = list_length(batch->outcomes);
	WaOutcomeRow *rows = palloc(sizeof(WaOutcomeRow) * Max(n, 1));
	WaArgs		args = {0};

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
		rows[i] = *(WaOutcomeRow *) list_nth(batch->outcomes, i);
	wa_arg_rows(&args, &outcome_row, rows, n);
	wa_query(&insert, &args);
}
