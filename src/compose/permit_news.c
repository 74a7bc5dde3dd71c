/*-------------------------------------------------------------------------
 *
 * permit_news.c
 *		What ready and renewed permits have in common.
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

#include "compose/guards.h"
#include "compose/permit_scenario.h"
#include "odoo/people.h"
#include "pg/query.h"

/* A permit that had to wait longer than this for a contact is no news. */
#define RECIPIENT_PATIENCE	(7 * USECS_PER_DAY)

/* Outcome of a permit that has nobody to tell; looked for later. */
#define WAITING				"waiting for recipient"

/*
 * The permit had no contact before, and has one now.
 */
bool
wa_compose_contact_came(const WaEvent *event)
{
	return wa_odoo_filled(wa_compose_event_new(event, "partner_id")) &&
		!wa_odoo_filled(wa_compose_event_old(event, "partner_id"));
}

/*
 * Why nothing is said of a permit that is not active.
 */
WaSaid
wa_compose_not_active(const WaEvent *event)
{
	return wa_say(WA_SAY_STATUS_NOT_ACTIVE, wa_odoo_shown(wa_compose_event_new(event, "status")));
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
	WaRows		rows;
	bool		too_long;

	wa_arg_int8(&args, event->record_id);
	wa_arg_text(&args, event->relation);
	wa_arg_text(&args, scenario->key);
	wa_arg_text(&args, WAITING);
	rows = wa_query(&find, &args);
	too_long = !wa_row_isnull(rows, 0, 1) &&
		event->at - wa_row_timestamptz(rows, 0, 1) > RECIPIENT_PATIENCE;
	wa_rows_free(rows);
	return too_long;
}

/*
 * What ready and renewed have in common: the condition became true in this
 * transaction (was_true: it was before, but for the contact); is_true_now: it still is.
 * The message says the number that the permit has now; what had been announced
 * with the number of that time was no news then.
 */
void
wa_compose_announce(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
					const WaPermit *permit, bool was_true, bool is_true_now)
{
	const char *then = wa_compose_event_new(event, "permit_number");
	WaRecipient *recipient;
	WaValues	values = {0};
	WaDraft    *draft;

	if (permit == NULL)
	{
		wa_compose_outcome(batch, event, scenario, "gone", wa_say(WA_SAY_PERMIT_GONE));
		return;
	}
	if (!is_true_now)
	{
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   wa_say(WA_SAY_PERMIT_CHANGED_AGAIN));
		return;
	}
	if (!wa_odoo_filled(wa_compose_event_new(event, "partner_id")) || permit->partner_id == 0)
	{
		wa_compose_outcome(batch, event, scenario, WAITING,
						   wa_say(WA_SAY_NO_CONTACT_YET));
		return;
	}
	if (was_true && !batch->again && waited_too_long(event, scenario))
	{
		wa_compose_outcome(batch, event, scenario, "not news",
						   wa_say(WA_SAY_CONTACT_LINKED_TOO_LATE));
		return;
	}
	recipient = wa_odoo_partner(&batch->odoo, permit->partner_id);
	draft = wa_compose_message(batch, event, scenario, recipient, permit, &values,
							   announced_key(permit, permit->permit_number));
	if (!wa_odoo_is(then, permit->permit_number ? permit->permit_number : ""))
		draft->unless = announced_key(permit, then);
}

/*
 * Why a permit that was announced is no news any more, or NULL.
 */
WaSaid
wa_compose_permit_old_news(const WaBatch *batch, const WaDraft *draft)
{
	const WaPermit *permit = wa_odoo_permit(&batch->odoo, draft->message.res_id);
	int			days = draft->scenario->news_days;

	if (permit && wa_compose_guard_days_since(batch, permit->issue_date) > days)
		return wa_say(WA_SAY_PERMIT_ISSUED_ON, permit->issue_date);
	if (permit && wa_compose_guard_days_since(batch, permit->received_date) > days)
		return wa_say(WA_SAY_PERMIT_RECEIVED_ON, permit->received_date);
	return NULL;
}
