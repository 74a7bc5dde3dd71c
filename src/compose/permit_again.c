/*-------------------------------------------------------------------------
 *
 * permit_again.c
 *		What is to be said now about changes of permits?
 *
 * All scenarios about permits are asked together, since one may say what
 * another one would, and what gave way to a message that is not true any more
 * is news again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/permit_scenario.h"
#include "odoo/people.h"
#include "queue/once.h"

/*
 * Is the scenario one of those that are asked together?
 */
bool
wa_compose_is_of_permits(const WaScenario *scenario)
{
	return scenario->composer->again == wa_compose_permits_again;
}

static WaEvent *
collected(WaBatch *batch, const WaEvent *event)
{
	for (int e = 0; e < batch->nevents; e++)
		if (batch->events[e].id == event->id && batch->events[e].record_id == event->record_id)
			return &batch->events[e];
	return NULL;
}

static void
collect_event(WaBatch *batch, const WaEvent *event)
{
	if (collected(batch, event) == NULL)
		batch->events[batch->nevents++] = *event;
}

/*
 * The changes that these messages are about, and the later ones that are kept
 * with them, each once, in the order of ids.
 */
static void
collect_events(WaBatch *batch, WaWaiting **list, int n)
{
	int			size = n;

	for (int i = 0; i < n; i++)
		size += list[i]->nlater;
	batch->events = palloc(sizeof(WaEvent) * Max(size, 1));
	batch->nevents = 0;
	for (int i = 0; i < n; i++)
		for (int j = -1; j < list[i]->nlater; j++)
			collect_event(batch, j < 0 ? list[i]->event : list[i]->later[j]);
	qsort(batch->events, batch->nevents, sizeof(WaEvent), wa_odoo_by_id);
	for (int i = 0; i < n; i++)
	{
		list[i]->event = collected(batch, list[i]->event);
		for (int j = 0; j < list[i]->nlater; j++)
			list[i]->later[j] = collected(batch, list[i]->later[j]);
	}
}

/* What is asked about. */
typedef struct Asked
{
	WaWaiting **list;
	int			n;
} Asked;

/* One that is switched off finishes what it has begun. */
static bool
is_asked(const WaBatch *batch, const WaScenario *scenario, const WaEvent *event, const void *argument)
{
	const Asked *asked = argument;

	if (!wa_compose_is_of_permits(scenario))
		return false;
	if (scenario->active)
		return true;
	for (int i = 0; i < asked->n; i++)
		if (asked->list[i]->event == event && asked->list[i]->scenario == scenario)
			return true;
	return false;
}

/* The message in whose place this would go; NULL: none. */
static WaWaiting *
place_of(const WaDraft *draft, WaWaiting **list, int n)
{
	WaWaiting  *any = NULL;

	for (int i = 0; i < n; i++)
	{
		if (list[i]->event != draft->event || list[i]->to_applicant == draft->is_staff)
			continue;
		if (draft->is_staff && list[i]->partner_id != draft->message.partner_id)
			continue;
		if (list[i]->scenario == draft->scenario)
			return list[i];
		if (any == NULL)
			any = list[i];
	}
	return any;
}

/* Is this to be said of a later change, which may have no message? */
static bool
is_of_later(const WaDraft *draft, WaWaiting **list, int n)
{
	for (int i = 0; i < n; i++)
		if (!draft->is_staff && wa_compose_later_of(list[i], draft->event))
			return true;
	return false;
}

/*
 * Of what was announced already, nothing is said again.  What these messages
 * hold is theirs if they say it yet.  What would take nobody's place keeps
 * nobody else from saying it.
 */
static void
drop_announced_by_others(WaDraft **drafts, int ndrafts, WaWaiting **list, int n)
{
	const char **keys = palloc(sizeof(char *) * Max(ndrafts, 1));
	int64	   *ids = palloc0(sizeof(int64) * Max(ndrafts, 1));
	int64	   *events = palloc(sizeof(int64) * Max(ndrafts, 1));
	int64	   *never_again = palloc0(sizeof(int64) * Max(ndrafts, 1));
	bool	   *taken = palloc(sizeof(bool) * Max(ndrafts, 1));
	bool	   *before = palloc(sizeof(bool) * Max(ndrafts, 1));
	int64	   *asked = palloc(sizeof(int64) * Max(n, 1));
	int			nasked = 0;

	/* one in doubt may have said it */
	for (int i = 0; i < n; i++)
		if (!list[i]->in_doubt)
			asked[nasked++] = list[i]->id;
	for (int i = 0; i < ndrafts; i++)
	{
		const WaWaiting *place = place_of(drafts[i], list, n);

		keys[i] = drafts[i]->unless;
		ids[i] = place ? place->id : 0;
		events[i] = drafts[i]->event->id;
		drafts[i]->dropped = drafts[i]->dropped || (place == NULL && !is_of_later(drafts[i], list, n));
	}
	wa_queue_announced_by_others(keys, ids, events, never_again, ndrafts, asked, nasked, before);
	for (int i = 0; i < ndrafts; i++)
		keys[i] = drafts[i]->once;
	wa_queue_announced_by_others(keys, ids, events, never_again, ndrafts, asked, nasked, taken);
	for (int i = 0; i < ndrafts; i++)
	{
		if (drafts[i]->dropped)
			continue;
		if (before[i])
			drafts[i]->said = drafts[i]->unless;
		else if (taken[i])
			drafts[i]->said = keys[i];
		for (int j = 0; j < i && keys[i] && drafts[i]->said == NULL; j++)
			if (keys[j] && strcmp(keys[i], keys[j]) == 0 && !drafts[j]->dropped)
				drafts[i]->said = keys[i];
		drafts[i]->dropped = drafts[i]->said != NULL;
	}
}

/* Has this been said to the applicant by another message about the same change? */
static bool
said_by_other(const WaWaiting *waiting, const WaScenario *scenario)
{
	for (int i = 0; i < waiting->nothers; i++)
		if (strcmp(waiting->others[i], scenario->key) == 0)
			return true;
	return false;
}

/* What goes in the place of this message. */
static WaDraft *
choose(const WaWaiting *waiting, WaDraft **drafts, int ndrafts)
{
	WaDraft    *other = NULL;

	for (int i = 0; i < ndrafts; i++)
	{
		WaDraft    *draft = drafts[i];

		if (draft->dropped || draft->event != waiting->event ||
			draft->is_staff == waiting->to_applicant ||
			(draft->is_staff && draft->message.partner_id != waiting->partner_id))
			continue;
		if (draft->scenario == waiting->scenario)
			return draft;
		/* what gave way to a message that is not true any more is news again */
		if (other == NULL && waiting->to_applicant && !said_by_other(waiting, draft->scenario))
			other = draft;
	}
	return other;
}

/*
 * Why nothing is to be said of this permit (NULL: it is gone), in a sentence
 * that names the column in which it is not as it was.
 */
static WaSaid
difference(const WaWaiting *waiting, const WaPermit *permit)
{
	static const char *const columns[] = {"status", "is_renewal", "permit_number"};
	const WaEvent *event = waiting->event;
	const char *then[3];
	const char *now[3];

	if (permit == NULL)
		return wa_say(WA_SAY_UNTRUE_RECORD_GONE);
	for (int i = 0; i < 3; i++)
		then[i] = wa_compose_event_new(event, columns[i]);
	now[0] = permit->status;
	now[1] = permit->is_renewal ? "t" : "f";
	now[2] = permit->permit_number;
	if (!wa_odoo_numbered(then[2]))
		then[2] = NULL;
	for (int i = 0; i < 3; i++)
		if (then[i] && (now[i] == NULL || strcmp(now[i], then[i]) != 0))
			return wa_say(WA_SAY_UNTRUE_VALUE, columns[i], wa_odoo_shown(now[i]), then[i]);
	if (permit->partner_id == 0)
		return wa_say(WA_SAY_UNTRUE_NO_CONTACT);
	if (event->outdated)
		return wa_say(WA_SAY_UNTRUE_STATUS_CHANGED);
	return wa_say(WA_SAY_UNTRUE_SAID_BY_OTHER);
}

/*
 * What is to be said now about these changes of permits?
 */
bool
wa_compose_permits_again(WaBatch *batch, WaWaiting **list, int n)
{
	Asked		asked = {list, n};
	WaDraft   **drafts;
	int			ndrafts;

	wa_compose_later_leave_out_told(list, n);
	collect_events(batch, list, n);
	if (!wa_compose_ask(batch, is_asked, &asked))
		return false;
	drafts = wa_compose_drafts_in_order(batch, &ndrafts);
	drop_announced_by_others(drafts, ndrafts, list, n);
	wa_compose_drafts_drop_less_specific(batch, drafts, ndrafts);
	for (int i = 0; i < n; i++)
	{
		list[i]->now = choose(list[i], drafts, ndrafts);
		if (list[i]->now == NULL)
		{
			list[i]->why = difference(list[i], wa_odoo_permit(&batch->odoo, list[i]->record_id));
			for (int j = 0; j < ndrafts; j++)
				if (drafts[j]->dropped && drafts[j]->event == list[i]->event &&
					drafts[j]->is_staff != list[i]->to_applicant)
					list[i]->said_elsewhere = true;
		}
		else
			/* two messages are not to become the same one */
			list[i]->now->dropped = true;
	}
	wa_compose_later_choose(list, n, drafts, ndrafts);
	return true;
}
