/*-------------------------------------------------------------------------
 *
 * permit_ready.c
 *		permit_ready: a permit is active and has its number.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/permit_scenario.h"

/* Active and numbered. */
static bool
ready(const char *status, const char *permit_number)
{
	return wa_odoo_is(status, "active") && wa_odoo_numbered(permit_number);
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

static WaSaid
silent(const WaScenario *scenario, const WaEvent *event, bool *nearly)
{
	*nearly = false;
	if (!wa_odoo_is(wa_compose_event_new(event, "status"), "active"))
		return wa_compose_not_active(event);
	*nearly = true;
	if (!ready_now(event))
		return wa_say(WA_SAY_PERMIT_WITHOUT_NUMBER, wa_odoo_shown(wa_compose_event_new(event, "permit_number")));
	if (event->insert && !scenario->on_insert)
		return wa_say(WA_SAY_CREATED_LIKE_THIS);
	*nearly = false;
	return ready_before(event) && !wa_compose_contact_came(event) ? wa_say(WA_SAY_SO_BEFORE) : NULL;
}

static void
compose(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	bool		was_true = ready_before(event);
	bool		nearly;
	WaPermit   *permit;

	if (silent(scenario, event, &nearly))
		return;
	permit = wa_odoo_permit(&batch->odoo, event->record_id);
	wa_compose_announce(batch, scenario, event, permit, was_true,
						permit && ready(permit->status, permit->permit_number));
}

const WaComposer wa_compose_permit_ready = {
	.name = "permit_ready",
	.model = "sicantik.permit",
	.rank = 20,
	.table = "sicantik_permit",
	.compose = compose,
	.silent = silent,
	.again = wa_compose_permits_again,
	.old_news = wa_compose_permit_old_news,
	.odoo_keys = {"izin_selesai_diproses"},
	.defaults = {
		.name = "Izin Selesai Diproses",
		.body = "Yth. {{partner_name}},\n\n"
		"Permohonan {{permit_type}} Saudara telah selesai diproses dengan nomor izin {{permit_number}} "
		"dan diterbitkan pada tanggal {{issue_date}} oleh kantor kami.\n\n"
		"Dokumen izin dapat diunduh melalui tautan {{download_link}} dan agar disimpan dengan baik.\n\n"
		"Terima kasih.",
		.parameters = {"partner_name", "permit_type", "permit_number", "issue_date", "download_link"},
		.on_insert = true,
		.requires_opt_in = true,
		.time_to_live = "7 days",
		.unknown_policy = "resend",
		.priority = "high"
	}
};
