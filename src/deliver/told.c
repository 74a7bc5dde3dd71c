/*-------------------------------------------------------------------------
 *
 * told.c
 *		Messages that a provider took, and then could not deliver.
 *
 * What it tells by a webhook is classed as an answer to the request would have
 * been, and has the same consequences: another provider, a wait, an end; and
 * for the provider, the mapping, the contact.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "deliver/apply.h"
#include "deliver/told.h"
#include "office/setting.h"
#include "pg/json_text.h"
#include "queue/tell.h"
#include "queue/work.h"
#include "utils/timestamp.h"

#define BATCH	1000

static bool
was_template(const WaSendConfig *config, const WaToldFailed *failed)
{
	for (int i = 0; failed->template_key && i < config->nmappings; i++)
		if (strcmp(config->mappings[i].template_key, failed->template_key) == 0 &&
			strcmp(config->mappings[i].provider, failed->provider) == 0)
			return !config->mappings[i].is_text;
	return false;
}

/*
 * How such a message goes on, and what its attempt tells.  False: nothing is
 * known of its provider any more, and it stays as it is.  *changed is set where
 * the provider or the mapping has been found useless.
 */
static bool
apply(const WaSendConfig *config, const WaToldFailed *failed, WaVerdictRow *row, WaToldAttempt *told,
	  bool *changed)
{
	const WaProvider *provider = wa_route_find_provider(&config->providers, failed->provider);
	WaTransfer *transfer;
	WaItem	   *item;
	WaSaid		said;

	if (provider == NULL || provider->gateway == NULL || provider->gateway->judge_failure == NULL)
		return false;
	transfer = palloc0(sizeof(WaTransfer));
	transfer->message_id = failed->id;
	transfer->attempt = failed->attempt;
	transfer->pace = wa_deliver_pacing_find(failed->provider);
	if (transfer->pace == NULL)
		return false;
	transfer->gateway = provider->gateway;
	transfer->template_key = unconstify(char *, failed->template_key);
	transfer->as_template = was_template(config, failed);
	transfer->started_at = transfer->finished_at = GetCurrentTimestamp();
	transfer->said_at = failed->at;
	transfer->http_status = 200;
	wa_pg_json_room(failed->code);
	provider->gateway->judge_failure(failed->code, failed->words, &transfer->verdict);
	wa_gateway_redact_said(&transfer->verdict.said, provider->secrets, provider->nsecrets);
	/* it has not arrived: that much is told */
	if (transfer->verdict.outcome == WA_OUTCOME_ACCEPTED || transfer->verdict.outcome == WA_OUTCOME_UNKNOWN)
		transfer->verdict.outcome = WA_OUTCOME_CALLER;
	said = WA_SAID_IN(&transfer->verdict.said);
	*told = (WaToldAttempt)
	{
		.message_id = failed->id,
			.attempt = failed->attempt,
			.code = failed->code,
			.response = wa_say(WA_SAY_TAKEN_AND_FAILED, wa_office_time_words(failed->at, wa_office_get("time_zone")),
							   said ? said : wa_said_quote(failed->words ? failed->words : "-"))
	};

	item = palloc0(sizeof(WaItem));
	item->id = failed->id;
	item->number = pstrdup(failed->number ? failed->number : "");
	item->template_key = transfer->template_key;
	item->wanted_provider = unconstify(char *, failed->wanted_provider);
	item->fallback = failed->fallback;
	item->fallback_when_paced = failed->fallback_when_paced;
	item->expires_at = failed->expires_at;
	item->wait_s = -1;
	item->waits = failed->waits;
	item->repeats = failed->repeats;
	if (wa_deliver_apply_attempt(transfer, item, 0, row))
		*changed = true;
	return true;
}

/*
 * Carry out what was told, a batch; messages among "busy" stay.  *ready, in the
 * current context: those that are to be sent again now.  *changed: the
 * configuration is another one by that, and has to be read before they go.
 * Returns how many.
 */
int
wa_deliver_told_failed(const WaSendConfig *config, const int64 *busy, int nbusy, int64 **ready, bool *changed)
{
	int			n;
	WaToldFailed *failed = wa_queue_read_failed(BATCH, busy, nbusy, &n);
	WaVerdictRow *rows;
	WaToldAttempt *told;
	int64	   *requests;
	int			nrows = 0;
	int			nready = 0;

	*changed = false;
	if (n == 0)
		return 0;
	rows = palloc0(sizeof(WaVerdictRow) * n);
	told = palloc0(sizeof(WaToldAttempt) * n);
	requests = palloc(sizeof(int64) * n);
	*ready = palloc(sizeof(int64) * n);
	for (int i = 0; i < n; i++)
	{
		requests[i] = failed[i].request;
		if (!apply(config, &failed[i], &rows[nrows], &told[nrows], changed))
			continue;
		if (rows[nrows].state == WA_STATE_QUEUED && rows[nrows].due_at == 0)
			(*ready)[nready++] = failed[i].id;
		nrows++;
	}
	if (nrows > 0)
		wa_queue_conclude_told(rows, nrows);
	wa_queue_attempts_told(told, nrows);
	wa_queue_failed_done(requests, n);
	return nready;
}
