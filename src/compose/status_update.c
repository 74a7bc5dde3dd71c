/*-------------------------------------------------------------------------
 *
 * status_update.c
 *		status_update: the status of a permit has changed.
 *
 * The applicant is whoever is linked now, if somebody was when it changed: a
 * contact that is linked later hears that the permit is ready, not how it came
 * to be.  Of several changes only the last one is told; see state.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/guards.h"
#include "compose/permit_scenario.h"
#include "odoo/people.h"

static WaSaid
silent(const WaScenario *scenario, const WaEvent *event, bool *nearly)
{
	*nearly = false;
	if (wa_compose_state_changed(scenario->composer, event))
		return NULL;
	/* a record as it is, of which no change is known, need not be new */
	if (event->id == 0)
		return wa_say(WA_SAY_NO_STATUS_CHANGE_RECORDED);
	return event->insert ? wa_say(WA_SAY_PERMIT_IS_NEW) : wa_say(WA_SAY_STATUS_UNCHANGED);
}

static void
compose(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	const char *before = wa_compose_event_old(event, "status");
	const char *after = wa_compose_event_new(event, "status");
	WaPermit   *permit;
	WaValues	common = {0};
	List	   *recipients = NIL;
	ListCell   *cell;

	if (!wa_compose_state_changed(scenario->composer, event))
		return;
	permit = wa_odoo_permit(&batch->odoo, event->record_id);
	if (permit == NULL)
	{
		wa_compose_outcome(batch, event, scenario, "gone", wa_say(WA_SAY_PERMIT_GONE));
		return;
	}
	if (event->outdated || !wa_odoo_is(permit->status, after))
	{
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   wa_say(WA_SAY_STATUS_CHANGED_AGAIN));
		return;
	}
	wa_compose_values_add(&common, "status_lama", wa_odoo_status_label(&batch->odoo, before));
	wa_compose_values_add(&common, "status_baru", wa_odoo_status_label(&batch->odoo, after));
	wa_compose_values_add(&common, "timestamp", wa_compose_value_time(event->at, batch->time_zone));

	if (permit->partner_id != 0 && wa_odoo_filled(wa_compose_event_new(event, "partner_id")))
		recipients = lappend(recipients, wa_odoo_partner(&batch->odoo, permit->partner_id));
	recipients = list_concat(recipients,
							 wa_odoo_staff(&batch->odoo, "sicantik.permit", permit->id, scenario->staff_group));
	if (recipients == NIL)
		wa_compose_outcome(batch, event, scenario, "no recipient",
						   scenario->staff_group == NULL || wa_odoo_group_known(&batch->odoo, scenario->staff_group) ?
						   wa_say(WA_SAY_NO_CONTACT_NO_FOLLOWER) :
						   wa_say(WA_SAY_NO_CONTACT_NO_FOLLOWER_NO_GROUP, scenario->staff_group));
	foreach(cell, recipients)
	{
		WaRecipient *recipient = lfirst(cell);
		WaValues	values = {0};

		for (int i = 0; i < common.n; i++)
			wa_compose_values_add(&values, common.list[i].name, common.list[i].value);
		wa_compose_message(batch, event, scenario, recipient, permit, &values, NULL);
	}
}

/* A nightly job makes what has long expired so. */
static WaSaid
old_news(const WaBatch *batch, const WaDraft *draft)
{
	const WaPermit *permit = wa_odoo_permit(&batch->odoo, draft->message.res_id);

	if (permit && wa_odoo_is(wa_compose_event_new(draft->event, "status"), "expired") &&
		wa_compose_guard_days_since(batch, permit->expiry_date) > draft->scenario->news_days)
		return wa_say(WA_SAY_PERMIT_EXPIRED_ON, permit->expiry_date);
	return NULL;
}

const WaComposer wa_compose_status_update = {
	.name = "status_update",
	.model = "sicantik.permit",
	.rank = 30,
	.table = "sicantik_permit",
	.state_column = "status",
	.tells_staff = true,
	.compose = compose,
	.silent = silent,
	.again = wa_compose_permits_again,
	.old_news = old_news,
	.values = {{"status_lama"}},
	.odoo_keys = {"izin_update_status"},
	.defaults = {
		.name = "Update Status Perizinan",
		.body = "Yth. Bapak/Ibu,\n\n"
		"Status permohonan izin dengan nomor pendaftaran {{pendaftaran_id}} telah berubah "
		"dari {{status_lama}} menjadi {{status_baru}} pada {{timestamp}} waktu setempat.\n\n"
		"Rincian permohonan dapat dilihat melalui tautan {{detail_link}} setiap saat.\n\n"
		"Terima kasih.",
		.parameters = {"pendaftaran_id", "status_lama", "status_baru", "timestamp", "detail_link"},
		.requires_opt_in = true,
		.time_to_live = "2 days",
		.unknown_policy = "resend",
		.priority = "normal"
	}
};
