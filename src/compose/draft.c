/*-------------------------------------------------------------------------
 *
 * draft.c
 *		Messages in the making: text, parameters, who gives way to whom.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "compose/guards.h"
#include "compose/known.h"
#include "compose/record_values.h"
#include "compose/scenario.h"
#include "pg/grow.h"
#include "pg/query.h"
#include "queue/once.h"
#include "queue/queue.h"

/* A template, read once per batch; NULL if it is not there, or not active. */
static WaTemplate *
template_of(WaBatch *batch, const WaScenario *scenario)
{
	WaTemplate *template;

	for (int i = 0; i < batch->ntemplates; i++)
		if (strcmp(batch->templates[i]->key, scenario->template_key) == 0)
			return batch->templates[i];
	template = wa_route_load_template(scenario->template_key);
	if (template == NULL || !template->active)
		return NULL;
	WA_ROOM_FOR(batch->templates, batch->ntemplates, 1);
	batch->templates[batch->ntemplates++] = template;
	return template;
}

/*
 * Write the text of a draft, and its parameters, from its values.  Whom it is
 * for must be set.  What cannot be written is an error; asked again, it is the
 * draft's problem.
 */
void
wa_compose_draft_write_text(WaBatch *batch, WaDraft *draft)
{
	const WaValues *values = draft->values;
	const WaScenario *scenario = draft->scenario;
	WaTemplate *template = template_of(batch, scenario);
	WaNewMessage *message = &draft->message;
	char	   *missing;
	const char *setting;

	if (template == NULL && batch->again)
	{
		draft->problem = wa_say(WA_SAY_TEMPLATE_UNUSABLE, scenario->template_key);
		return;
	}
	if (template == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 wa_said_errmsg(wa_say(WA_SAY_TEMPLATE_OF_SCENARIO_UNUSABLE, scenario->template_key, scenario->key))));
	message->params = wa_compose_template_params(template, batch->mappings, batch->nmappings, values);
	message->body = wa_compose_template_render(template, values, &missing, &setting);
	if (message->body || message->number == NULL)
		return;
	if (setting)
	{
		message->state = WA_STATE_HELD;
		message->reason = WA_REASON_SETTING_MISSING;
		message->detail = wa_say(WA_SAY_SETTING_NOT_SET, setting);
		message->lacks = setting;
	}
	else if (batch->again)
		draft->problem = wa_say(WA_SAY_NOT_WRITTEN_ANEW, missing);
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 wa_said_errmsg(wa_say(WA_SAY_TEMPLATE_ASKS_TOO_MUCH, template->key, scenario->key, missing))));
}

/*
 * Complete a draft: the change that it is made for, and its text, with the time
 * of the change, which any text may tell.
 */
static void
write_draft(WaBatch *batch, WaDraft *draft)
{
	WaValues   *values = draft->values;

	if (draft->permit)
		wa_compose_permit_values(batch, values, draft->permit, draft->recipient);
	if (wa_compose_values_find(values, "timestamp") == NULL)
		wa_compose_values_add(values, "timestamp", wa_compose_value_time(draft->event->at, batch->time_zone));
	if (wa_compose_is_built_in(draft->scenario))
		draft->message.change = wa_compose_change_write(draft);
	wa_compose_draft_write_text(batch, draft);
}

/*
 * Half of what is drafted after a mass event goes nowhere, because another
 * message says more: it is not written at all.  What a function of the DBA's
 * own answered is written at once, so that its error is its own.
 */
static bool
is_written_later(const WaBatch *batch, const WaScenario *scenario)
{
	return !batch->again && wa_compose_is_built_in(scenario);
}

static void
write_later(WaBatch *batch, WaDraft **drafts, int n)
{
	for (int i = 0; i < n; i++)
		/* a change that another message announces is kept with that one */
		if ((!drafts[i]->dropped || drafts[i]->said) && is_written_later(batch, drafts[i]->scenario))
			write_draft(batch, drafts[i]);
}

/*
 * Draft a message to one recipient (NULL: the contact is gone).  once: key
 * that may be announced only once for ever, or NULL.  values: the draft takes
 * them over; of a permit that is named they go without saying.  Returns the
 * draft, whose message the caller may point at another record than the event's.
 */
WaDraft *
wa_compose_message(WaBatch *batch, const WaEvent *event, const WaScenario *scenario,
				   const WaRecipient *recipient, const WaPermit *permit, const WaValues *values,
				   const char *once)
{
	WaDraft    *draft = palloc0(sizeof(WaDraft));
	WaNewMessage *message = &draft->message;

	draft->recipient = recipient;
	draft->muted = !batch->again && wa_compose_guard_muted(batch, event, scenario);
	draft->event = event;
	draft->scenario = scenario;
	draft->once = draft->muted ? NULL : once;
	draft->rank = scenario->composer->rank;
	draft->is_staff = recipient && recipient->is_staff;
	message->scenario = scenario->key;
	message->template_key = scenario->template_key;
	message->res_model = scenario->composer->model;
	message->res_id = event->record_id;
	message->priority = scenario->priority;
	message->requires_opt_in = scenario->requires_opt_in && !draft->is_staff;
	message->unknown_policy = scenario->unknown_policy;
	message->fallback = scenario->fallback;
	message->fallback_when_paced = scenario->fallback_when_paced;
	message->expires_at = event->at + scenario->time_to_live_us;
	message->event_id = event->id;
	message->event_at = event->id != 0 && IS_VALID_TIMESTAMP(event->at) ? event->at : 0;
	message->state = WA_STATE_QUEUED;
	message->in_doubt = batch->doubt_all || event->in_doubt;
	if (recipient)
	{
		message->partner_id = recipient->partner_id;
		message->number = recipient->number;
		message->number_source = recipient->number_source;
		message->detail = recipient->note;
	}
	draft->permit = permit;
	draft->values = palloc(sizeof(WaValues));
	*draft->values = *values;
	if (!is_written_later(batch, scenario))
		write_draft(batch, draft);

	if (recipient == NULL)
	{
		message->state = WA_STATE_SKIPPED;
		message->reason = WA_REASON_NO_RECIPIENT;
		message->detail = batch->odoo.no_contacts ? wa_say(WA_SAY_NO_TABLE_RES_PARTNER) :
			wa_say(WA_SAY_CONTACT_GONE);
	}
	else if (recipient->number == NULL)
	{
		message->state = WA_STATE_SKIPPED;
		message->reason = WA_REASON_NO_NUMBER;
		message->detail = wa_say(WA_SAY_NO_USABLE_NUMBER, recipient->tried ? recipient->tried : wa_say(WA_SAY_ANY_COLUMN));
	}
	else if (message->state == WA_STATE_QUEUED && (batch->hold_all || event->hold))
	{
		message->state = WA_STATE_HELD;
		message->reason = WA_REASON_COPY;
		message->detail = batch->hold_all ?
			wa_say(WA_SAY_MADE_IN_COPY) :
			wa_say(WA_SAY_MADE_BEFORE_COPY_ARMED);
	}
	batch->messages = lappend(batch->messages, draft);
	return draft;
}

static int
by_event_and_rank(const ListCell *a, const ListCell *b)
{
	const WaDraft *left = lfirst(a);
	const WaDraft *right = lfirst(b);

	if (left->event != right->event)
		return left->event < right->event ? -1 : 1;
	return left->rank - right->rank;
}

static bool
one_person(const WaNewMessage *a, const WaNewMessage *b)
{
	if (a->number && b->number)
		return strcmp(a->number, b->number) == 0;
	return a->partner_id != 0 && a->partner_id == b->partner_id;
}

static bool
same_person(const WaDraft *a, const WaDraft *b)
{
	return a->event == b->event && one_person(&a->message, &b->message);
}

/*
 * Of several messages to one person about one record and transaction only the
 * most specific goes; the same notification never goes twice.
 */
void
wa_compose_drafts_drop_less_specific(WaBatch *batch, WaDraft **drafts, int n)
{
	for (int i = 0; i < n; i++)
	{
		for (int j = i - 1; j >= 0 && drafts[j]->event == drafts[i]->event; j--)
		{
			WaDraft    *better = drafts[j];

			if (better->dropped || drafts[i]->dropped || !same_person(better, drafts[i]))
				continue;
			if (better->scenario == drafts[i]->scenario)
				drafts[i]->dropped = drafts[i]->scenario->composer->join == NULL;
			else if (drafts[i]->scenario->exclusive && better->rank < drafts[i]->rank &&
					 wa_compose_guard_speaks_for_others(batch, better))
			{
				drafts[i]->dropped = true;
				wa_compose_outcome(batch, drafts[i]->event, drafts[i]->scenario, "suppressed",
								   wa_say(WA_SAY_SAID_MORE_BY, better->scenario->key));
			}
		}
	}
}

/* Say that somebody has heard of it, or is about to. */
static void
drop_as_announced(WaBatch *batch, WaDraft *draft, const char *key)
{
	draft->dropped = true;
	draft->said = key;
	draft->once = NULL;
	if (draft->again_after_us > 0)
		wa_compose_outcome(batch, draft->event, draft->scenario, "suppressed",
						   wa_say(WA_SAY_GOT_ONE_JUST_NOW, draft->message.number ? (const void *) draft->message.number : wa_say(WA_SAY_THE_PERSON), WA_NUMBER(draft->again_after_us / USECS_PER_MINUTE)));
	else
		wa_compose_outcome(batch, draft->event, draft->scenario, "already announced",
						   wa_say(WA_SAY_ANNOUNCED_BEFORE));
}

/* Who cannot be told announces nothing, though he may have its key: a later change may say it as well. */
static bool
announces(const WaDraft *draft)
{
	return draft->message.reason != WA_REASON_NO_NUMBER;
}

/*
 * Those that were announced already under the key of another time, or under
 * their own if they announce nothing themselves.
 */
static void
drop_announced_before(WaBatch *batch, WaDraft **drafts, int n)
{
	const char **keys = palloc(sizeof(char *) * n);
	int64	   *ids = palloc(sizeof(int64) * n);
	int64	   *events = palloc(sizeof(int64) * n);
	int64	   *again_after = palloc0(sizeof(int64) * n);
	bool	   *taken = palloc(sizeof(bool) * n);
	bool		any = false;

	for (int i = 0; i < n; i++)
	{
		keys[i] = drafts[i]->unless;
		ids[i] = drafts[i]->message.id;
		events[i] = drafts[i]->event->id;
		any = any || keys[i] || !announces(drafts[i]);
	}
	if (!any)
		return;
	wa_queue_announced_by_others(keys, ids, events, again_after, n, NULL, 0, taken);
	for (int i = 0; i < n; i++)
	{
		if (taken[i])
			drop_as_announced(batch, drafts[i], keys[i]);
		keys[i] = announces(drafts[i]) ? NULL : drafts[i]->once;
		again_after[i] = drafts[i]->again_after_us;
	}
	wa_queue_announced_by_others(keys, ids, events, again_after, n, NULL, 0, taken);
	for (int i = 0; i < n; i++)
		if (taken[i])
			drop_as_announced(batch, drafts[i], keys[i]);
}

static void
drop_announced(WaBatch *batch, WaDraft **drafts, int n)
{
	const char **keys = palloc(sizeof(char *) * n);
	int64	   *ids = palloc(sizeof(int64) * n);
	int64	   *waits = palloc(sizeof(int64) * n);
	bool	   *fresh = palloc(sizeof(bool) * n);
	bool		any = false;

	drop_announced_before(batch, drafts, n);
	for (int i = 0; i < n; i++)
	{
		keys[i] = announces(drafts[i]) ? drafts[i]->once : NULL;
		ids[i] = drafts[i]->message.id;
		waits[i] = drafts[i]->again_after_us;
	}
	wa_queue_announce_many(keys, ids, waits, n, fresh);
	for (int i = 0; i < n; i++)
		if (!fresh[i])
			drop_as_announced(batch, drafts[i], keys[i]);

	/*
	 * Who cannot be told has the key for himself, until somebody takes it who
	 * can be: by it his scenario knows what it was about, and when he is told
	 * after all, it is announced.
	 */
	for (int i = 0; i < n; i++)
	{
		keys[i] = announces(drafts[i]) || drafts[i]->dropped ? NULL : drafts[i]->once;
		any = any || keys[i];
	}
	if (any)
		wa_queue_announce_many(keys, ids, waits, n, fresh);
}

static bool
joins(const WaDraft *first, const WaDraft *draft)
{
	return first->scenario->composer->join && !first->dropped && !first->muted && first->scenario == draft->scenario &&
		first->message.partner_id != 0 && first->message.partner_id == draft->message.partner_id &&
		first->message.state == draft->message.state;
}

/*
 * Where several to one person are one message, the first of this batch is
 * sent, and stands for the others.  Their ids must have been given.
 */
static void
join(WaBatch *batch, WaDraft **drafts, int n)
{
	int64	   *from = palloc(sizeof(int64) * Max(n, 1));
	int64	   *to = palloc(sizeof(int64) * Max(n, 1));
	int			njoined = 0;

	for (int i = 0; i < n; i++)
	{
		int			nrecords = 1;

		if (drafts[i]->scenario->composer->join == NULL || drafts[i]->dropped || drafts[i]->muted)
			continue;
		for (int j = i + 1; j < n; j++)
		{
			bool		same = false;

			if (!joins(drafts[j], drafts[i]))
				continue;
			for (int k = i; k < j && !same; k++)
				same = (k == i || (drafts[k]->dropped && drafts[k]->scenario->composer->join &&
								   drafts[k]->message.partner_id == drafts[i]->message.partner_id)) &&
					drafts[k]->message.res_id == drafts[j]->message.res_id;
			nrecords += same ? 0 : 1;
			drafts[j]->dropped = true;
			from[njoined] = drafts[j]->message.id;
			to[njoined++] = drafts[i]->message.id;
			wa_compose_outcome(batch, drafts[j]->event, drafts[j]->scenario, "suppressed",
							   same ? wa_say(WA_SAY_TOLD_OF_RECORD_ALREADY) :
							   wa_say(WA_SAY_ASKED_ABOUT_SEVERAL));
		}
		drafts[i]->scenario->composer->join(batch, drafts[i], nrecords);
	}
	wa_queue_hand_over(from, to, njoined);
}

/*
 * The drafts of the batch in the order in which they are judged; palloc()ed.
 */
WaDraft   **
wa_compose_drafts_in_order(WaBatch *batch, int *n)
{
	WaDraft   **drafts = palloc(sizeof(WaDraft *) * Max(list_length(batch->messages), 1));
	ListCell   *cell;

	*n = 0;
	list_sort(batch->messages, by_event_and_rank);
	foreach(cell, batch->messages)
		drafts[(*n)++] = lfirst(cell);
	return drafts;
}

/*
 * Write the messages of the batch, and the outcomes of events without one.
 */
void
wa_compose_write(WaBatch *batch)
{
	int			n;
	WaDraft   **drafts = wa_compose_drafts_in_order(batch, &n);
	WaNewMessage *messages = palloc(sizeof(WaNewMessage) * Max(n, 1));
	int			nmessages = 0;

	if (n > 0)
	{
		for (int i = 0; i < n; i++)
			messages[i] = drafts[i]->message;
		wa_queue_assign_ids(messages, n);
		for (int i = 0; i < n; i++)
			drafts[i]->message.id = messages[i].id;
		drop_announced(batch, drafts, n);
		wa_compose_drafts_drop_less_specific(batch, drafts, n);
		write_later(batch, drafts, n);
		join(batch, drafts, n);
		wa_compose_guards_apply(batch, drafts, n);
		for (int i = 0; i < n; i++)
			if (!drafts[i]->dropped)
				messages[nmessages++] = drafts[i]->message;
		wa_queue_insert(messages, nmessages);
		wa_compose_unreached_keep(messages, nmessages);
		wa_compose_later_keep(drafts, n);
	}
	wa_compose_known_remember(batch, drafts, n);
	wa_compose_supersede(batch, drafts, n);
	wa_compose_write_outcomes(batch);
	wa_compose_unreached_look_at(batch);
}
