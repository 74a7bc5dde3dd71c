/*-------------------------------------------------------------------------
 *
 * apply.c
 *		What the outcome of an attempt changes.
 *
 * outcome.c decides; here is what it must know for that, and what follows: the
 * message's next row of the ledger, pauses, and trouble that is noted with the
 * provider, the mapping or the contact.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "utils/timestamp.h"

#include "deliver/apply.h"
#include "deliver/aside.h"
#include "deliver/circuit.h"
#include "deliver/outcome.h"
#include "feedback/consent.h"
#include "pg/query.h"
#include "pg/said.h"
#include "queue/alert.h"

/* Trouble that is noted, each in a part of the round that may fail alone. */
typedef struct Noting
{
	WaTransfer *transfer;
	const WaItem *item;
	bool		changed;		/* nothing else is to be given to it */
} Noting;

static void
count(void *argument)
{
	Noting	   *noting = argument;

	noting->changed = wa_deliver_circuit_count(noting->transfer);
}

static void
note_mapping(void *argument)
{
	Noting	   *noting = argument;
	const WaTransfer *transfer = noting->transfer;
	static WaStatement note =
		WA_STATEMENT("UPDATE wa.template_mapping SET status = 'error', last_error = $3,"
					 " last_error_said = $4, last_error_at = clock_timestamp()"
					 " WHERE (template_key, provider) = (SELECT template_key, provider FROM wa.template_mapping"
					 " WHERE template_key = $2 AND provider = $1 AND status <> 'error'"
					 " FOR NO KEY UPDATE SKIP LOCKED)");
	WaSaid		why = WA_SAID_IN(&transfer->verdict.said);
	WaArgs		args = {0};

	wa_arg_text(&args, transfer->pace->name);
	wa_arg_text(&args, transfer->template_key);
	wa_arg_said(&args, why);
	noting->changed = wa_query(&note, &args).n > 0;
	if (!noting->changed)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("sicantik_wa stops using template \"%s\" with provider \"%s\": %s",
					transfer->template_key, transfer->pace->name, wa_said_english(why)),
			 errhint("After mending it: SELECT wa_map_template('%s', '%s', '{\"status\": \"configured\"}').",
					 transfer->template_key, transfer->pace->name)));
	wa_queue_alert(transfer->pace->name, psprintf("template %s", transfer->template_key),
				   wa_say(WA_SAY_TEMPLATE_NOT_USED_ANY_MORE, transfer->template_key, why));
}

/*
 * The person wants no marketing, so what was refused for that is marketing
 * there, whatever it is here: it is not given to this provider for him again.
 */
static void
note_marketing(void *argument)
{
	static WaStatement note =
		WA_STATEMENT("UPDATE wa.template_mapping SET provider_category = 'MARKETING'"
					 " WHERE (template_key, provider) = (SELECT template_key, provider FROM wa.template_mapping"
					 " WHERE template_key = $2 AND provider = $1 AND upper(provider_category) IS DISTINCT FROM 'MARKETING'"
					 " FOR NO KEY UPDATE SKIP LOCKED)");
	Noting	   *noting = argument;
	WaArgs		args = {0};

	wa_arg_text(&args, noting->transfer->pace->name);
	wa_arg_text(&args, noting->transfer->template_key);
	noting->changed = wa_query(&note, &args).n > 0;
}

/* What the person has told his provider is about marketing. */
static void
note_opt_out(void *argument)
{
	const Noting *noting = argument;
	const WaVerdict *verdict = &noting->transfer->verdict;
	bool		by_id = wa_text_is_person_id(noting->item->number);
	WaConsentChange change = {
		.number = by_id ? NULL : noting->item->number,
		.user_id = by_id ? noting->item->number : NULL,
		.out = true,
		.marketing = true,
		.said_at = noting->transfer->said_at ? noting->transfer->said_at : noting->transfer->finished_at,
		.source = WA_CONSENT_PROVIDER,
		.words = verdict->code[0] ? verdict->code : NULL
	};

	wa_feedback_consent_note(&change, 1);
}

static WaOutcomeMessage
message_of(const WaItem *item)
{
	return (WaOutcomeMessage)
	{
		.fallback = item->fallback,
			.fallback_when_paced = item->fallback_when_paced,
			.wants_provider = item->wanted_provider != NULL,
			.refusal = item->refusal,
			.wait_s = item->wait_s,
			.waits = item->waits,
			.repeats = item->repeats,
			.expires_at = item->expires_at,
			.now = GetCurrentTimestamp(),
			.jitter = 0.8 + 0.4 * pg_prng_double(&pg_global_prng_state)
	};
}

/* The next row of a message; detail: what is said of it, or NULL. */
static void
write_row(WaVerdictRow *row, const WaOutcomeNext *next, WaSaid detail)
{
	if (next->in_vain)
		detail = detail ? wa_say(WA_SAY_REPEATED_IN_VAIN_BECAUSE, detail) : wa_say(WA_SAY_REPEATED_IN_VAIN);
	row->state = next->state;
	row->reason = next->reason;
	row->detail = detail;
	row->due_at = next->due_at;
	row->tried = next->backs_off ? WA_TRIED_CLEAR : next->not_here ? WA_TRIED_ADD : WA_TRIED_KEEP;
	row->waits = next->backs_off ? 1 : 0;
}

static int64
after(double seconds)
{
	return wa_deliver_clock() + (int64) (seconds * USECS_PER_SEC);
}

/*
 * Decide how the message goes on; strings of *row point into the transfer, are
 * static, or live in the current context.  In a transaction: trouble is noted
 * with the provider, mapping or contact.  A message that goes on at once has
 * transfer->goes_on set, for the scheduler to be told after the commit.
 * Returns true if the configuration has changed, so that nothing else is given
 * to a provider or mapping that has just been found useless.
 */
bool
wa_deliver_apply_attempt(WaTransfer *transfer, const WaItem *item, int64 unknown_wait_us, WaVerdictRow *row)
{
	WaVerdict  *verdict = &transfer->verdict;
	Noting		noting = {.transfer = transfer,.item = item};
	bool		counted = wa_deliver_aside_try(WA_ASIDE_PROVIDER, count, &noting);
	bool		changed = counted && noting.changed;
	WaOutcomeMessage message = message_of(item);
	WaOutcomeAttempt attempt = {
		.verdict = verdict,
		.attempt = transfer->attempt,
		.http_status = transfer->http_status,
		.refuses_all = transfer->refuses_all,
		.unknown_wait_us = unknown_wait_us,
		.blames_mapping = wa_deliver_outcome_blames_mapping(verdict, transfer->as_template)
	};
	WaOutcomeNext next;

	if (!counted)
		transfer->opened = false;
	if (attempt.blames_mapping)
		attempt.mapping_noted = wa_deliver_aside_try(WA_ASIDE_MAPPING, note_mapping, &noting) && noting.changed;
	/* another one takes it, if the office lets it: that is asked right before */
	if (verdict->opt_out && !transfer->diverted && !wa_deliver_aside_try(WA_ASIDE_CONTACT, note_opt_out, &noting))
		verdict->fallback = WA_FALLBACK_NO;
	if (verdict->opt_out && transfer->as_template &&
		wa_deliver_aside_try(WA_ASIDE_MAPPING, note_marketing, &noting) && noting.changed)
		changed = true;
	if (verdict->outcome == WA_OUTCOME_THROTTLE && verdict->scope != WA_SCOPE_RECIPIENT)
		wa_deliver_pacing_throttled(transfer->pace, transfer->started_at);
	attempt.throttles = transfer->pace->throttles;
	wa_deliver_outcome_of_attempt(&message, &attempt, &next);

	memset(row, 0, sizeof(*row));
	row->id = transfer->message_id;
	write_row(row, &next, WA_SAID_IN(&verdict->said));
	if (next.state == WA_STATE_SENT)
	{
		row->sent_at = transfer->finished_at;
		row->provider_message_id = verdict->message_id[0] ? verdict->message_id : NULL;
	}
	transfer->goes_on = next.goes_on ? next.reason : WA_REASON_NONE;
	transfer->tried = next.not_here;
	transfer->wait_s = next.wait_s;
	if (next.hold_number_s > 0)
		wa_deliver_schedule_hold_number(item->number, after(next.hold_number_s));
	if (next.pause_s > 0)
		wa_deliver_pacing_pause(transfer->pace, after(next.pause_s));
	return changed || attempt.mapping_noted;
}

/*
 * All providers that could take the message have refused it.  The strings of
 * *row live as long as the item.
 */
void
wa_deliver_apply_refusals(const WaItem *item, WaVerdictRow *row)
{
	WaOutcomeMessage message = message_of(item);
	WaOutcomeNext next;

	wa_deliver_outcome_of_refusals(&message, &next);
	write_row(row, &next, item->refusal_detail);
}

/*
 * Nobody has told what became of a message in doubt, and the time for that is
 * over: carry out its policy.  Returns true if it is to be repeated.
 */
bool
wa_deliver_apply_doubt(const WaReadyRow *ready, WaVerdictRow *row)
{
	WaOutcomeMessage message = {
		.repeats = ready->repeats,
		.unknown_policy = ready->unknown_policy,
		.expires_at = ready->expires_at,
		.now = GetCurrentTimestamp()
	};
	WaOutcomeNext next;
	WaOutcomeDoubt doubt = wa_deliver_outcome_of_doubt(&message, ready->provider && wa_deliver_circuit_in_doubt(ready->provider),
													   &next);
	WaSaid		detail = NULL;

	switch (doubt)
	{
		case WA_DOUBT_REPEAT:
			detail = wa_say(WA_SAY_DOUBT_REPEATED);
			row->tried = WA_TRIED_CLEAR;
			row->repeats = 1;
			break;
		case WA_DOUBT_REPEATED_ALREADY:
			detail = wa_say(WA_SAY_DOUBT_REPEATED_ONCE_ONLY);
			break;
		case WA_DOUBT_MANY:
			detail = wa_say(WA_SAY_TOO_MANY_UNKNOWN);
			wa_queue_alert(ready->provider, "unknown", detail);
			break;
		case WA_DOUBT_GIVE_UP:
			detail = wa_say(WA_SAY_DOUBT_GIVEN_UP);
			break;
		case WA_DOUBT_HOLD:
			detail = wa_say(WA_SAY_DOUBT_HELD);
			break;
		case WA_DOUBT_TOO_LATE:
			detail = wa_say(WA_SAY_DOUBT_TOO_LATE);
			break;
	}
	row->state = next.state;
	row->reason = next.reason;
	row->detail = detail;
	return doubt == WA_DOUBT_REPEAT;
}
