/*-------------------------------------------------------------------------
 *
 * permit_scenarios.c
 *		Composers that listen to permits: ready, renewed, status changed.
 *
 * A permit is announced once, as ready or as renewed: the two share a key, in
 * which the permit's number stands.  A contact that is merged, a permit that
 * is synchronised again, or one that had expired and is active again, is no
 * news.  A renewal that was announced before it had a number is followed by
 * its number, once, as whatever the permit is by then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "compose/guards.h"
#include "compose/record_values.h"
#include "compose/scenario.h"
#include "odoo/people.h"
#include "pg/query.h"
#include "queue/once.h"

/* A permit that had to wait longer than this for a contact is no news. */
#define RECIPIENT_PATIENCE	(7 * USECS_PER_DAY)

/* Outcome of a permit that has nobody to tell; looked for later. */
#define WAITING				"waiting for recipient"

static bool
has_recipient(const char *partner_id)
{
	return wa_odoo_filled(partner_id);
}

/* Active and numbered. */
static bool
ready(const char *status, const char *permit_number)
{
	return wa_odoo_is(status, "active") && wa_odoo_numbered(permit_number);
}

/* Active and the renewal of another. */
static bool
renewed(const char *status, const char *is_renewal)
{
	return wa_odoo_is(status, "active") && wa_odoo_is(is_renewal, "t");
}

static bool
ready_now(const WaEvent *event)
{
	return ready(wa_compose_event_new(event, "status"), wa_compose_event_new(event, "permit_number"));
}

static bool
ready_before(const WaEvent *event)
{
	return ready(wa_compose_event_old(event, "status"), wa_compose_event_old(event, "permit_number"));
}

static bool
numbered_now(const WaEvent *event)
{
	return wa_odoo_numbered(wa_compose_event_new(event, "permit_number")) &&
		!wa_odoo_numbered(wa_compose_event_old(event, "permit_number"));
}

/* The permit had no contact before, and has one now. */
static bool
contact_came(const WaEvent *event)
{
	return has_recipient(wa_compose_event_new(event, "partner_id")) &&
		!has_recipient(wa_compose_event_old(event, "partner_id"));
}

static bool
renewed_now(const WaEvent *event)
{
	return renewed(wa_compose_event_new(event, "status"), wa_compose_event_new(event, "is_renewal"));
}

static bool
renewed_before(const WaEvent *event)
{
	return renewed(wa_compose_event_old(event, "status"), wa_compose_event_old(event, "is_renewal"));
}

static const char *
not_active(const WaEvent *event)
{
	return psprintf("the status is %s, not active", wa_odoo_shown(wa_compose_event_new(event, "status")));
}

/*
 * See WaComposer.
 */
const char *
wa_compose_permit_ready_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly)
{
	*nearly = false;
	if (!wa_odoo_is(wa_compose_event_new(event, "status"), "active"))
		return not_active(event);
	*nearly = true;
	if (!ready_now(event))
		return psprintf("the permit has no number yet (permit_number is %s); with one, the message is made",
						wa_odoo_shown(wa_compose_event_new(event, "permit_number")));
	if (event->insert && !scenario->on_insert)
		return "the record was created like this, and on_insert of the scenario is off";
	*nearly = false;
	return ready_before(event) && !contact_came(event) ? "it was so before this change" : NULL;
}

/*
 * See WaComposer.
 */
const char *
wa_compose_permit_renewal_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly)
{
	*nearly = false;
	if (!wa_odoo_is(wa_compose_event_new(event, "is_renewal"), "t"))
		return "the permit is no renewal";
	if (!renewed_now(event))
		return not_active(event);
	if (event->insert && !scenario->on_insert)
	{
		*nearly = true;
		return "the record was created like this, and on_insert of the scenario is off";
	}
	return renewed_before(event) && !contact_came(event) && !numbered_now(event) ?
		"it was so before this change" : NULL;
}

/* What is announced once for ever; palloc()ed. */
static const char *
announced_key(const WaPermit *permit, const char *number)
{
	return psprintf("announced:sicantik.permit:" INT64_FORMAT ":%s", permit->id,
					wa_odoo_numbered(number) ? number : "");
}

/* Has the permit been waiting for a contact longer than we wait? */
static bool
waited_too_long(const WaEvent *event, const WaScenario *scenario)
{
	static WaStatement find =
		WA_STATEMENT("SELECT max(at) FROM wa.event_outcome"
					 " WHERE record_id = $1 AND relation = $2 AND scenario = $3 AND outcome = $4");
	WaArgs		args = {0};
	bool		too_long;

	wa_arg_int8(&args, event->record_id);
	wa_arg_text(&args, event->relation);
	wa_arg_text(&args, scenario->key);
	wa_arg_text(&args, WAITING);
	wa_query(&find, &args);
	too_long = !wa_row_isnull(0, 1) &&
		event->at - wa_row_timestamptz(0, 1) > RECIPIENT_PATIENCE;
	SPI_freetuptable(SPI_tuptable);
	return too_long;
}

/*
 * What ready and renewed have in common: the condition became true in this
 * transaction (was_true: it was before, but for the contact); is_true_now: it still is.
 * The message says the number that the permit has now; what had been announced
 * with the number of that time was no news then.
 */
static void
announce(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
		 const WaPermit *permit, bool was_true, bool is_true_now, int rank)
{
	const char *then = wa_compose_event_new(event, "permit_number");
	WaRecipient *recipient;
	WaValues	values = {0};
	WaDraft    *draft;

	if (permit == NULL)
	{
		wa_compose_outcome(batch, event, scenario, "gone", "the permit does not exist any more");
		return;
	}
	if (!is_true_now)
	{
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   "the permit has changed again since");
		return;
	}
	if (!has_recipient(wa_compose_event_new(event, "partner_id")) || permit->partner_id == 0)
	{
		wa_compose_outcome(batch, event, scenario, WAITING,
						   "the permit has no contact yet; linking one within 7 days sends the message");
		return;
	}
	if (was_true && !batch->again && waited_too_long(event, scenario))
	{
		wa_compose_outcome(batch, event, scenario, "not news",
						   "the contact was linked more than 7 days after the permit was there");
		return;
	}
	recipient = wa_odoo_partner(&batch->odoo, permit->partner_id);
	wa_compose_permit_values(batch, &values, permit, recipient);
	draft = wa_compose_message(batch, event, scenario, recipient, &values, "sicantik.permit",
							   announced_key(permit, permit->permit_number), rank);
	if (!wa_odoo_is(then, permit->permit_number ? permit->permit_number : ""))
		draft->unless = announced_key(permit, then);
}

void
wa_compose_permit_ready(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	bool		was_true = ready_before(event);
	bool		nearly;
	WaPermit   *permit;

	if (wa_compose_permit_ready_silent(scenario, event, &nearly))
		return;
	permit = wa_odoo_permit(&batch->odoo, event->record_id);
	announce(batch, scenario, event, permit, was_true,
			 permit && ready(permit->status, permit->permit_number), WA_RANK_READY);
}

void
wa_compose_permit_renewal_approved(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	bool		was_true = renewed_before(event);
	bool		nearly;
	WaPermit   *permit;

	if (wa_compose_permit_renewal_silent(scenario, event, &nearly))
		return;
	permit = wa_odoo_permit(&batch->odoo, event->record_id);
	announce(batch, scenario, event, permit, was_true && contact_came(event),
			 permit && permit->is_renewal && wa_odoo_is(permit->status, "active"),
			 WA_RANK_RENEWAL);
}

/*
 * Did the status really change?  A permit that is born has none before.
 */
bool
wa_compose_status_changed(const WaEvent *event)
{
	const char *before = wa_compose_event_old(event, "status");
	const char *after = wa_compose_event_new(event, "status");

	return !event->insert && wa_odoo_filled(before) && wa_odoo_filled(after) &&
		strcmp(before, after) != 0;
}

/*
 * See WaComposer.
 */
const char *
wa_compose_status_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly)
{
	*nearly = false;
	if (wa_compose_status_changed(event))
		return NULL;
	/* a record as it is, of which no change is known, need not be new */
	if (event->id == 0)
		return "it tells changes of the status, and none is recorded";
	return event->insert ? "the permit is new, so its status has not changed" : "the status has not changed";
}

/*
 * Of several changes of the status only the last one is told.  The applicant
 * is whoever is linked now, if somebody was when it changed: a contact that is
 * linked later hears that the permit is ready, not how it came to be.
 */
void
wa_compose_status_update(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	const char *before = wa_compose_event_old(event, "status");
	const char *after = wa_compose_event_new(event, "status");
	WaPermit   *permit;
	WaValues	common = {0};
	List	   *recipients = NIL;
	ListCell   *cell;

	if (!wa_compose_status_changed(event))
		return;
	permit = wa_odoo_permit(&batch->odoo, event->record_id);
	if (permit == NULL)
	{
		wa_compose_outcome(batch, event, scenario, "gone", "the permit does not exist any more");
		return;
	}
	if (event->outdated || !wa_odoo_is(permit->status, after))
	{
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   "the status has changed again since");
		return;
	}
	wa_compose_values_add(&common, "status_lama", wa_odoo_status_label(&batch->odoo, before));
	wa_compose_values_add(&common, "status_baru", wa_odoo_status_label(&batch->odoo, after));
	wa_compose_values_add(&common, "timestamp", wa_compose_value_time(event->at, batch->time_zone));

	if (permit->partner_id != 0 && has_recipient(wa_compose_event_new(event, "partner_id")))
		recipients = lappend(recipients, wa_odoo_partner(&batch->odoo, permit->partner_id));
	recipients = list_concat(recipients,
							 wa_odoo_staff(&batch->odoo, "sicantik.permit", permit->id, scenario->staff_group));
	if (recipients == NIL)
		wa_compose_outcome(batch, event, scenario, "no recipient",
						   scenario->staff_group == NULL || wa_odoo_group_known(&batch->odoo, scenario->staff_group) ?
						   "the permit has no contact and no internal follower" :
						   psprintf("the permit has no contact and no internal follower; the group %s does not exist in Odoo",
									scenario->staff_group));
	foreach(cell, recipients)
	{
		WaRecipient *recipient = lfirst(cell);
		WaValues	values = {0};

		for (int i = 0; i < common.n; i++)
			wa_compose_values_add(&values, common.list[i].name, common.list[i].value);
		wa_compose_permit_values(batch, &values, permit, recipient);
		wa_compose_message(batch, event, scenario, recipient, &values, "sicantik.permit",
						   NULL, WA_RANK_STATUS);
	}
}

/*
 * Why a permit that was announced is no news any more, or NULL.
 */
char *
wa_compose_permit_old_news(const WaBatch *batch, const WaDraft *draft)
{
	const WaPermit *permit = wa_odoo_permit(&batch->odoo, draft->message.res_id);
	int			days = draft->scenario->news_days;

	if (permit && wa_compose_guard_days_since(batch, permit->issue_date) > days)
		return psprintf("the permit was issued on %s", permit->issue_date);
	if (permit && wa_compose_guard_days_since(batch, permit->received_date) > days)
		return psprintf("the permit was received on %s", permit->received_date);
	return NULL;
}

/*
 * The same for its status: a nightly job makes what has long expired so.
 */
char *
wa_compose_status_old_news(const WaBatch *batch, const WaDraft *draft)
{
	const WaPermit *permit = wa_odoo_permit(&batch->odoo, draft->message.res_id);

	if (permit && wa_odoo_is(wa_compose_event_new(draft->event, "status"), "expired") &&
		wa_compose_guard_days_since(batch, permit->expiry_date) > draft->scenario->news_days)
		return psprintf("the permit expired on %s", permit->expiry_date);
	return NULL;
}

/* ---- asked again ---- */

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
	qsort(batch->events, batch->nevents, sizeof(WaEvent), wa_compose_event_by_id);
	for (int i = 0; i < n; i++)
	{
		list[i]->event = collected(batch, list[i]->event);
		for (int j = 0; j < list[i]->nlater; j++)
			list[i]->later[j] = collected(batch, list[i]->later[j]);
	}
}

/* Is it to be asked about this change?  One that is switched off finishes what it has begun. */
static bool
is_asked(const WaScenario *scenario, const WaEvent *event, WaWaiting **list, int n)
{
	if (scenario->built_in == NULL || scenario->built_in->again != wa_compose_permits_again)
		return false;
	if (scenario->active)
		return true;
	for (int i = 0; i < n; i++)
		if (list[i]->event == event && list[i]->scenario == scenario)
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
 * What is to be said now about these changes of permits?
 */
bool
wa_compose_permits_again(WaBatch *batch, WaWaiting **list, int n)
{
	WaDraft   **drafts;
	int			ndrafts;

	wa_compose_later_leave_out_told(list, n);
	collect_events(batch, list, n);
	if (!wa_compose_load_facts(batch))
		return false;
	for (int e = 0; e < batch->nevents; e++)
		for (int s = 0; s < batch->nscenarios; s++)
			if (is_asked(&batch->scenarios[s], &batch->events[e], list, n))
				batch->scenarios[s].built_in->compose(batch, &batch->scenarios[s], &batch->events[e]);
	drafts = wa_compose_drafts_in_order(batch, &ndrafts);
	drop_announced_by_others(drafts, ndrafts, list, n);
	wa_compose_drafts_drop_less_specific(batch, drafts, ndrafts);
	for (int i = 0; i < n; i++)
	{
		list[i]->now = choose(list[i], drafts, ndrafts);
		if (list[i]->now == NULL)
		{
			list[i]->why = wa_compose_waiting_difference(list[i], wa_odoo_permit(&batch->odoo, list[i]->record_id));
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
