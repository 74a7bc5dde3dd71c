/*-------------------------------------------------------------------------
 *
 * permit_renewal_approved.c
 *		permit_renewal_approved: a permit is active, and the renewal of another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/permit_scenario.h"

/* Active and the renewal of another. */
static bool
renewed(const char *status, const char *is_renewal)
{
	return wa_odoo_is(status, "active") && wa_odoo_is(is_renewal, "t");
}

static bool
numbered_now(const WaEvent *event)
{
	return wa_odoo_numbered(wa_compose_event_new(event, "permit_number")) &&
		!wa_odoo_numbered(wa_compose_event_old(event, "permit_number"));
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

static WaSaid
silent(const WaScenario *scenario, const WaEvent *event, bool *nearly)
{
	*nearly = false;
	if (!wa_odoo_is(wa_compose_event_new(event, "is_renewal"), "t"))
		return wa_say(WA_SAY_PERMIT_NO_RENEWAL);
	if (!renewed_now(event))
		return wa_compose_not_active(event);
	if (event->insert && !scenario->on_insert)
	{
		*nearly = true;
		return wa_say(WA_SAY_CREATED_LIKE_THIS);
	}
	return renewed_before(event) && !wa_compose_contact_came(event) && !numbered_now(event) ?
		wa_say(WA_SAY_SO_BEFORE) : NULL;
}

static void
compose(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	bool		was_true = renewed_before(event);
	bool		nearly;
	WaPermit   *permit;

	if (silent(scenario, event, &nearly))
		return;
	permit = wa_odoo_permit(&batch->odoo, event->record_id);
	wa_compose_announce(batch, scenario, event, permit, was_true && wa_compose_contact_came(event),
						permit && permit->is_renewal && wa_odoo_is(permit->status, "active"));
}

const WaComposer wa_compose_permit_renewal_approved = {
	.name = "permit_renewal_approved",
	.model = "sicantik.permit",
	.rank = 10,
	.table = "sicantik_permit",
	.compose = compose,
	.silent = silent,
	.again = wa_compose_permits_again,
	.old_news = wa_compose_permit_old_news,
	.odoo_keys = {"renewal_approved", "izin_perpanjangan_disetujui"},
	.defaults = {
		.name = "Perpanjangan Izin Disetujui",
		.body = "Yth. {{partner_name}},\n\n"
		"Perpanjangan {{permit_type}} Saudara telah disetujui dengan nomor izin baru {{permit_number_new}} "
		"yang berlaku mulai tanggal {{start_date}} sampai dengan tanggal {{expiry_date}} "
		"untuk jangka waktu {{validity_period}} sejak tanggal mulai.\n\n"
		"Dokumen izin dapat diunduh melalui tautan {{download_link}} dan agar disimpan dengan baik.\n\n"
		"Terima kasih.",
		.parameters = {"partner_name", "permit_type", "permit_number_new", "start_date", "expiry_date", "validity_period", "download_link"},
		.on_insert = true,
		.requires_opt_in = true,
		.time_to_live = "7 days",
		.unknown_policy = "resend",
		.priority = "high"
	}
};
