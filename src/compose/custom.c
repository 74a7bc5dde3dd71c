/*-------------------------------------------------------------------------
 *
 * custom.c
 *		Scenarios of the DBA's own: a row of wa.scenario that names a function.
 *
 * The function is called for each change on the scenario's table, see
 * custom_call.c.  What fails, in the function or in composing what it wants, makes
 * a dead letter of this scenario's part of its event and of nothing else: the
 * built-in scenarios, and others of the DBA's, still have their say.
 *
 * All functions of a batch are called before anything is composed, since whom
 * they name decides which contacts are to be read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/custom.h"
#include "compose/json_values.h"
#include "compose/record_values.h"
#include "compose/scenario.h"
#include "odoo/people.h"
#include "pg/subtransaction.h"
#include "text/text.h"

/* One answer of a function, and to what. */
typedef struct Answer
{
	const WaEvent *event;
	const WaScenario *scenario;
	const WaCustomAnswer *said;
} Answer;

/* A scenario and an event to compose for. */
typedef struct Part
{
	WaBatch    *batch;
	const WaScenario *scenario;
	const WaEvent *event;
} Part;

static void
note_failure(WaBatch *batch, const WaScenario *scenario, const WaEvent *event, WaSaid error)
{
	WaFailure  *failure = palloc(sizeof(WaFailure));

	failure->event = event;
	failure->scenario = scenario;
	failure->error = error;
	batch->failures = lappend(batch->failures, failure);
}

/* Call a function for an event.  Returns false if that is to be tried later. */
static bool
call(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	WaCustomAnswer *said;
	WaSaid		error;
	int			n;

	switch (wa_compose_custom_call(scenario, event, NULL, batch->strict, &said, &n, &error))
	{
		case WA_OWN_ANSWERED:
			for (int i = 0; i < n; i++)
			{
				Answer	   *answer = palloc(sizeof(Answer));

				answer->event = event;
				answer->scenario = scenario;
				answer->said = &said[i];
				batch->own = lappend(batch->own, answer);
			}
			break;
		case WA_OWN_LATER:
			batch->odoo.locked = true;
			batch->odoo.locked_table = scenario->composer_name;
			return false;
		case WA_OWN_FAILED:
			note_failure(batch, scenario, event, error);
			break;
	}
	return true;
}

/*
 * Read the contacts that these answers name.  Returns false if their table
 * could not be had now.
 */
bool
wa_compose_custom_load_partners(WaBatch *batch, const WaCustomAnswer *const *answers, int n)
{
	int64	   *partners = palloc(sizeof(int64) * Max(n, 1));
	int			npartners = 0;

	for (int i = 0; i < n; i++)
		if (answers[i]->partner_id != 0)
			partners[npartners++] = answers[i]->partner_id;
	return npartners == 0 || wa_odoo_load_partners(&batch->odoo, partners, npartners);
}

/*
 * Call the function for the events of the batch, and read the contacts that it
 * names.  What it fails with is noted in the batch (strict: raised).
 */
static bool
load(WaBatch *batch, const WaScenario *scenario)
{
	const WaCustomAnswer **said;
	int			n = 0;
	ListCell   *cell;

	for (int e = 0; e < batch->nevents; e++)
	{
		const WaEvent *event = &batch->events[e];

		if (event->has_record && wa_compose_listens(scenario, event) &&
			(scenario->on_insert || !event->insert) && !call(batch, scenario, event))
			return false;
	}
	said = palloc(sizeof(WaCustomAnswer *) * Max(list_length(batch->own), 1));
	foreach(cell, batch->own)
		if (((Answer *) lfirst(cell))->scenario == scenario)
		said[n++] = ((Answer *) lfirst(cell))->said;
	return wa_compose_custom_load_partners(batch, said, n);
}

/* The contact, with the number that the function gave, if it gave one. */
static WaRecipient *
recipient_of(WaBatch *batch, const WaCustomAnswer *answer)
{
	WaRecipient *contact = answer->partner_id != 0 ?
		wa_odoo_partner(&batch->odoo, answer->partner_id) : NULL;
	WaRecipient *recipient;
	char		number[WA_NUMBER_SIZE];

	if (answer->number == NULL)
		return contact;
	recipient = palloc0(sizeof(WaRecipient));
	if (contact)
		*recipient = *contact;
	recipient->partner_id = answer->partner_id;
	recipient->number = NULL;
	recipient->number_source = wa_said_quote("composer");
	recipient->tried = wa_say(WA_SAY_WHAT_COMPOSER_GAVE);
	if (wa_text_normalize_number(answer->number, number))
		recipient->number = pstrdup(number);
	return recipient;
}

/*
 * The message that an answer asks for; once: what it announces, and no second
 * time, or NULL.
 */
void
wa_compose_custom_message(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
						  const WaCustomAnswer *answer, const char *once)
{
	WaRecipient *recipient = recipient_of(batch, answer);
	WaValues	values = {0};
	WaDraft    *draft;

	if (answer->params)
		wa_compose_values_from_json(&values, answer->params);
	if (recipient && recipient->name && wa_compose_values_find(&values, "partner_name") == NULL)
		wa_compose_values_add(&values, "partner_name", recipient->name);
	wa_compose_office_values(batch, &values);
	draft = wa_compose_message(batch, event, scenario, recipient, NULL, &values, once);
	draft->message.res_model = answer->res_model ? answer->res_model : scenario->watch;
	if (answer->res_id != 0)
		draft->message.res_id = answer->res_id;
	draft->message.precondition = answer->still;
}

static bool
compose_part(void *argument)
{
	const Part *part = argument;
	ListCell   *cell;

	foreach(cell, part->batch->own)
	{
		const Answer *answer = lfirst(cell);

		if (answer->event == part->event && answer->scenario == part->scenario)
			wa_compose_custom_message(part->batch, part->scenario, part->event, answer->said,
									  answer->said->once ?
									  psprintf("own:%s:%s", part->scenario->key, answer->said->once) : NULL);
	}
	return true;
}

static bool
has_answer(const WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	ListCell   *cell;

	foreach(cell, batch->own)
	{
		const Answer *answer = lfirst(cell);

		if (answer->event == event && answer->scenario == scenario)
			return true;
	}
	return false;
}

static void
compose(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	Part		part = {batch, scenario, event};
	int			nmessages = list_length(batch->messages);
	int			noutcomes = list_length(batch->outcomes);
	ErrorData  *error;

	if (!has_answer(batch, scenario, event))
		return;
	error = wa_pg_subtransaction(compose_part, &part);
	if (error == NULL)
		return;
	if (batch->strict || wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	batch->messages = list_truncate(batch->messages, nmessages);
	batch->outcomes = list_truncate(batch->outcomes, noutcomes);
	note_failure(batch, scenario, event, wa_said_of_error(error));
}

const WaComposer wa_compose_custom = {
	.rank = 60,
	.load = load,
	.compose = compose,
	.daily = wa_compose_custom_daily,
	.again = wa_compose_custom_again
};
