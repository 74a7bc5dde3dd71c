/*-------------------------------------------------------------------------
 *
 * outcome.c
 *		Why an event made no message.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/batch.h"
#include "pg/query.h"

/*
 * Note why an event made no message.
 */
void
wa_compose_outcome(WaBatch *batch, const WaEvent *event, const WaScenario *scenario,
				   const char *outcome, const char *detail)
{
	WaOutcomeRow *row = palloc(sizeof(WaOutcomeRow));

	row->event = event;
	row->scenario = scenario ? scenario->key : NULL;
	row->outcome = outcome;
	row->detail = detail;
	batch->outcomes = lappend(batch->outcomes, row);
}

/*
 * Write down those of the batch.
 */
void
wa_compose_write_outcomes(WaBatch *batch)
{
	static WaStatement insert =
		WA_STATEMENT("INSERT INTO wa.event_outcome (event_id, relation, record_id, scenario, outcome, detail)"
					 " SELECT * FROM unnest($1, $2, $3, $4, $5, $6)");
	int			n = list_length(batch->outcomes);
	int64	   *ids[2];
	const char **texts[4];
	WaArgs		args = {0};
	ListCell   *cell;
	int			i = 0;

	if (n == 0)
		return;
	for (int k = 0; k < 2; k++)
		ids[k] = palloc(sizeof(int64) * n);
	for (int k = 0; k < 4; k++)
		texts[k] = palloc(sizeof(char *) * n);
	foreach(cell, batch->outcomes)
	{
		WaOutcomeRow *row = lfirst(cell);

		ids[0][i] = row->event->id;
		ids[1][i] = row->event->record_id;
		texts[0][i] = row->event->relation;
		texts[1][i] = row->scenario;
		texts[2][i] = row->outcome;
		texts[3][i++] = row->detail;
	}
	wa_arg_int8_array(&args, ids[0], n);
	wa_arg_text_array(&args, texts[0], n);
	wa_arg_int8_array(&args, ids[1], n);
	for (int k = 1; k < 4; k++)
		wa_arg_text_array(&args, texts[k], n);
	wa_query(&insert, &args);
}
