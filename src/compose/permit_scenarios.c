/*-------------------------------------------------------------------------
 *
 * permit_scenarios.c
 *		Composers that listen to permits: ready, renewed, status changed.
 *
 * A permit is announced once, as ready or as renewed: the two share a key, in
 * which the permit's number stands.  A contact that is merged, a permit that
 * is synchronised again, or one that had expired and is active again, is no
 * news.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "compose/compose.h"
#include "compose/scenario.h"
#include "pg/query.h"

/* A permit that had to wait longer than this for a contact is no news. */
#define RECIPIENT_PATIENCE	(7 * USECS_PER_DAY)

/* Outcome of a permit that has nobody to tell; looked for later. */
#define WAITING				"waiting for recipient"

static bool
has_recipient(const char *partner_id)
{
	return wa_compose_filled(partner_id);
}

/* Active and numbered. */
static bool
ready(const char *status, const char *permit_number)
{
	return wa_compose_is(status, "active") && wa_numbered(permit_number);
}

/* Active and the renewal of another. */
static bool
renewed(const char *status, const char *is_renewal)
{
	return wa_compose_is(status, "active") && wa_compose_is(is_renewal, "t");
}

static bool
ready_now(const WaEvent *event)
{
	return ready(wa_event_new(event, "status"), wa_event_new(event, "permit_number"));
}

static bool
ready_before(const WaEvent *event)
{
	return ready(wa_event_old(event, "status"), wa_event_old(event, "permit_number"));
}

static bool
renewed_now(const WaEvent *event)
{
	return renewed(wa_event_new(event, "status"), wa_event_new(event, "is_renewal"));
}

static bool
renewed_before(const WaEvent *event)
{
	return renewed(wa_event_old(event, "status"), wa_event_old(event, "is_renewal"));
}

/*
 * What is announced once for ever; palloc()ed.
 */
const char *
wa_compose_announced_key(const WaPermit *permit, const char *number)
{
	return psprintf("announced:sicantik.permit:" INT64_FORMAT ":%s", permit->id,
					number ? number : "");
}

/* Was this renewal announced before it had a number? */
static bool
announced_without_number(const WaPermit *permit)
{
	static WaStatement find =
		WA_STATEMENT("SELECT FROM wa.once WHERE key = $1");
	WaArgs		args = {0};
	bool		found;

	wa_arg_text(&args, wa_compose_announced_key(permit, NULL));
	found = wa_query(&find, &args) > 0;
	SPI_freetuptable(SPI_tuptable);
	return found;
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
 * transaction ("held" before it, but for the contact); "holds": it still does.
 */
static void
announce(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
		 const WaPermit *permit, bool held, bool holds, int rank)
{
	WaRecipient *recipient;
	WaValues	values = {0};

	if (permit == NULL)
	{
		wa_compose_outcome(batch, event, scenario, "gone", "the permit does not exist any more");
		return;
	}
	if (!holds)
	{
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   "the permit has changed again since");
		return;
	}
	if (!has_recipient(wa_event_new(event, "partner_id")) || permit->partner_id == 0)
	{
		wa_compose_outcome(batch, event, scenario, WAITING,
						   "the permit has no contact yet; linking one within 7 days sends the message");
		return;
	}
	if (held && waited_too_long(event, scenario))
	{
		wa_compose_outcome(batch, event, scenario, "not news",
						   "the contact was linked more than 7 days after the permit was there");
		return;
	}
	if (permit->is_renewal && announced_without_number(permit))
	{
		wa_compose_outcome(batch, event, scenario, "already announced",
						   "the renewal was announced before it had a number");
		return;
	}
	recipient = wa_people_partner(batch, permit->partner_id);
	wa_permit_values(batch, &values, permit, recipient);
	wa_compose_message(batch, event, scenario, recipient, &values, "sicantik.permit",
					   wa_compose_announced_key(permit, permit->permit_number), rank);
}

void
wa_compose_permit_ready(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	bool		held = ready_before(event);
	WaPermit   *permit;

	if (!ready_now(event) || (event->insert && !scenario->on_insert) ||
		(held && (has_recipient(wa_event_old(event, "partner_id")) ||
				  !has_recipient(wa_event_new(event, "partner_id")))))
		return;
	permit = wa_permit_find(batch, event->record_id);
	announce(batch, scenario, event, permit, held,
			 permit && ready(permit->status, permit->permit_number), WA_RANK_READY);
}

void
wa_compose_permit_renewal_approved(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	bool		held = renewed_before(event);
	WaPermit   *permit;

	if (!renewed_now(event) || (event->insert && !scenario->on_insert) ||
		(held && (has_recipient(wa_event_old(event, "partner_id")) ||
				  !has_recipient(wa_event_new(event, "partner_id")))))
		return;
	permit = wa_permit_find(batch, event->record_id);
	announce(batch, scenario, event, permit, held,
			 permit && permit->is_renewal && wa_compose_is(permit->status, "active"),
			 WA_RANK_RENEWAL);
}

void
wa_compose_status_update(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	const char *before = wa_event_old(event, "status");
	const char *after = wa_event_new(event, "status");
	WaPermit   *permit;
	WaValues	common = {0};
	List	   *recipients = NIL;
	ListCell   *cell;

	if (event->insert || !wa_compose_filled(before) || !wa_compose_filled(after) || strcmp(before, after) == 0)
		return;
	permit = wa_permit_find(batch, event->record_id);
	if (permit == NULL)
	{
		wa_compose_outcome(batch, event, scenario, "gone", "the permit does not exist any more");
		return;
	}
	if (!wa_compose_is(permit->status, after))
	{
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   "the status has changed again since");
		return;
	}
	wa_values_add(&common, "status_lama", wa_permit_status_label(batch, before));
	wa_values_add(&common, "status_baru", wa_permit_status_label(batch, after));
	wa_values_add(&common, "timestamp", wa_value_time(event->at, batch->time_zone));

	if (permit->partner_id != 0)
		recipients = lappend(recipients, wa_people_partner(batch, permit->partner_id));
	recipients = list_concat(recipients,
							 wa_people_staff(batch, "sicantik.permit", permit->id, scenario->staff_group));
	if (recipients == NIL)
		wa_compose_outcome(batch, event, scenario, "no recipient",
						   scenario->staff_group == NULL || wa_people_group_known(batch, scenario->staff_group) ?
						   "the permit has no contact and no internal follower" :
						   psprintf("the permit has no contact and no internal follower; the group %s does not exist in Odoo",
									scenario->staff_group));
	foreach(cell, recipients)
	{
		WaRecipient *recipient = lfirst(cell);
		WaValues	values = {0};

		for (int i = 0; i < common.n; i++)
			wa_values_add(&values, common.list[i].name, common.list[i].value);
		wa_permit_values(batch, &values, permit, recipient);
		wa_compose_message(batch, event, scenario, recipient, &values, "sicantik.permit",
						   NULL, WA_RANK_STATUS);
	}
}
