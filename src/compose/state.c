/*-------------------------------------------------------------------------
 *
 * state.c
 *		Of several changes of a record's state only the last one is told.
 *
 * A newer change makes an older one pointless, to whomever and whether or not
 * the newer one is told itself: what of the older one is yet to be composed
 * says nothing, and what waits ends.  Which column is the state, a scenario
 * says (state_column).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/scenario.h"
#include "pg/query.h"

/*
 * Did the state of the record really change?  One that is born has none before.
 */
bool
wa_compose_state_changed(const WaComposer *composer, const WaEvent *event)
{
	const char *before = wa_compose_event_old(event, composer->state_column);
	const char *after = wa_compose_event_new(event, composer->state_column);

	return !event->insert && wa_odoo_filled(before) && wa_odoo_filled(after) && strcmp(before, after) != 0;
}

/* Is this a change that one of this composer's scenarios tells? */
static bool
is_told(const WaComposer *composer, const WaEvent *event)
{
	return event->has_record && strcmp(event->table, composer->table) == 0 &&
		wa_compose_state_changed(composer, event);
}

/* The same for those that tell the state of one model's records. */
static void
mark_outdated(WaBatch *batch, const WaComposer *composer)
{
	/*
	 * No message or outcome is of a change above the highest that was read;
	 * most of those asked about are above it
	 */
	static WaStatement followed =
		WA_STATEMENT("SELECT e.place FROM unnest($1, $2, $3) WITH ORDINALITY AS e(id, record, at, place)"
					 " WHERE coalesce(e.id < (SELECT event_id FROM wa.read_position), true)"
					 " AND (EXISTS (SELECT FROM wa.message AS m WHERE m.res_id = e.record AND m.res_model = $5"
					 " AND m.scenario = ANY ($4) AND m.event_id > e.id AND m.created_at >= e.at)"
					 " OR EXISTS (SELECT FROM wa.event_outcome AS o WHERE o.record_id = e.record AND o.scenario = ANY ($4)"
					 " AND o.event_id > e.id AND o.at >= e.at))");
	WaEvent   **changed = palloc(sizeof(WaEvent *) * Max(batch->nevents, 1));
	int64	   *ids = palloc(sizeof(int64) * Max(batch->nevents, 1));
	int64	   *records = palloc(sizeof(int64) * Max(batch->nevents, 1));
	TimestampTz *times = palloc(sizeof(TimestampTz) * Max(batch->nevents, 1));
	const char **keys = palloc(sizeof(char *) * Max(batch->nscenarios, 1));
	int			n = 0;
	int			nkeys = 0;
	WaArgs		args = {0};
	WaRows		rows;

	for (int e = 0; e < batch->nevents; e++)
	{
		WaEvent    *event = &batch->events[e];

		if (!is_told(composer, event))
			continue;
		for (int i = 0; i < n; i++)
			changed[i]->outdated = changed[i]->outdated || changed[i]->record_id == event->record_id;
		changed[n] = event;
		ids[n] = event->id;
		records[n] = event->record_id;
		times[n++] = event->at;
	}
	if (n == 0)
		return;
	for (int s = 0; s < batch->nscenarios; s++)
	{
		const WaComposer *other = batch->scenarios[s].composer;

		if (other->state_column && strcmp(other->model, composer->model) == 0)
			keys[nkeys++] = batch->scenarios[s].key;
	}
	wa_arg_int8_array(&args, ids, n);
	wa_arg_int8_array(&args, records, n);
	wa_arg_timestamptz_array(&args, times, n);
	wa_arg_text_array(&args, keys, nkeys);
	wa_arg_text(&args, composer->model);
	rows = wa_query(&followed, &args);
	for (uint64 r = 0; r < rows.n; r++)
		changed[wa_row_int8(rows, r, 1) - 1]->outdated = true;
	wa_rows_free(rows);
}

/*
 * Which of these changes of a state were followed by another one?  Of the
 * batch that is known; what came later and has been read already has left a
 * message or an outcome, each with the id of its event.
 */
void
wa_compose_mark_outdated(WaBatch *batch)
{
	for (int s = 0; s < batch->nscenarios; s++)
	{
		const WaComposer *composer = batch->scenarios[s].composer;
		bool		done = composer->state_column == NULL;

		for (int other = 0; other < s && !done; other++)
			done = batch->scenarios[other].composer->state_column &&
				strcmp(batch->scenarios[other].composer->model, composer->model) == 0;
		if (!done)
			mark_outdated(batch, composer);
	}
}

/*
 * The first message that tells of this change; 0: none does.  *from: the
 * drafts before it are of earlier changes.
 */
static int64
told_by(const WaEvent *event, const WaScenario *scenario, WaDraft **drafts, int n, int *from)
{
	while (*from < n && drafts[*from]->event < event)
		(*from)++;
	for (int i = *from; i < n && drafts[i]->event == event; i++)
		if (!drafts[i]->dropped && drafts[i]->scenario == scenario)
			return drafts[i]->message.id;
	return 0;
}

/*
 * End what waits to be told of older changes than those of the batch; one in
 * doubt is not repeated.  Called with the new messages written, the drafts in
 * the order of their events.
 */
void
wa_compose_supersede(const WaBatch *batch, WaDraft **drafts, int n)
{
	int			size = Max(batch->nevents * batch->nscenarios, 1);
	int64	   *ids = palloc(sizeof(int64) * size);
	int64	   *records = palloc(sizeof(int64) * size);
	int64	   *messages = palloc(sizeof(int64) * size);
	const char **models = palloc(sizeof(char *) * size);
	const char **keys = palloc(sizeof(char *) * size);
	int			k = 0;

	for (int s = 0; s < batch->nscenarios; s++)
	{
		const WaScenario *scenario = &batch->scenarios[s];
		int			from = 0;

		for (int e = 0; scenario->composer->state_column && e < batch->nevents; e++)
		{
			const WaEvent *event = &batch->events[e];

			if (!is_told(scenario->composer, event) || event->outdated)
				continue;
			ids[k] = event->id;
			models[k] = scenario->composer->model;
			records[k] = event->record_id;
			messages[k] = told_by(event, scenario, drafts, n, &from);
			keys[k++] = scenario->key;
		}
	}
	if (k > 0)
		wa_queue_supersede(ids, models, records, keys, messages, k);
}
