/*-------------------------------------------------------------------------
 *
 * outcome.c
 *		From a verdict to the message's next state.
 *
 * A refusal goes to the next provider at once, where the message may be taken
 * over; when all have refused it, it waits, each time twice as long, and the
 * chain begins anew.  That is bounded by a number of waits and by the
 * message's time-to-live; where nobody could be reached at all, by the latter
 * only.  Being told to wait, or a provider that cannot be used by anybody, is
 * no failure of the message and counts for nothing.  What concerns the
 * recipient is final, and so is a refusal of one message for a reason that we
 * do not know, until it turns out that the provider refuses everybody so.
 *
 * Of an unknown outcome nothing is repeated blindly: the provider has some
 * time to tell, then the message's policy is carried out.  A message that is
 * in doubt stays with its provider, and if its repeat comes to nothing it ends
 * as unknown, because the first attempt may have arrived.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "utils/timestamp.h"

#include "deliver/alert.h"
#include "deliver/circuit.h"
#include "deliver/outcome.h"
#include "pg/query.h"
#include "pg/said.h"

#define MAX_WAITS			7
#define FIRST_BACKOFF_S		5
#define LONGEST_BACKOFF_S	3600

/* A provider in trouble is left alone so long, whatever its row says. */
#define TROUBLE_US			(5 * USECS_PER_SEC)

/*
 * Seconds of the n-th wait, doubled each time; the first may be the
 * provider's (-1: the general one).
 */
static double
backoff(int n, long first_s)
{
	double		wait = first_s > 0 ? first_s : FIRST_BACKOFF_S;

	for (int i = 1; i < n && wait < LONGEST_BACKOFF_S; i++)
		wait *= 2;
	wait = Min(wait, LONGEST_BACKOFF_S);
	return wait * (0.8 + 0.4 * pg_prng_double(&pg_global_prng_state));
}

/*
 * Would another attempt later not help?  Anything else that may stand in the
 * ledger is no refusal of the message: a pause, or that no provider could be
 * used.
 */
static bool
is_final(WaReason reason)
{
	return reason == WA_REASON_TEMPLATE || reason == WA_REASON_POLICY ||
		reason == WA_REASON_REQUEST || reason == WA_REASON_RETRIES_EXHAUSTED;
}

/* The reason of a wait for another attempt. */
static WaReason
reason_to_wait(WaReason refusal)
{
	return refusal == WA_REASON_UNREACHABLE ? WA_REASON_UNREACHABLE : WA_REASON_RETRY;
}

/*
 * The message ends.  One that is in doubt cannot be said to have failed.
 */
static void
end(const WaItem *item, WaVerdictRow *row, WaState state, WaReason reason)
{
	row->state = state;
	row->reason = reason;
	row->due_at = 0;
	if (item->repeats > 0 && state != WA_STATE_SENT)
	{
		row->state = WA_STATE_UNKNOWN;
		row->detail = row->detail ? wa_say(WA_SAY_REPEATED_IN_VAIN_BECAUSE, row->detail) :
			wa_say(WA_SAY_REPEATED_IN_VAIN);
	}
}

/*
 * Queue again after some seconds, unless that is too late.
 */
static void
again(const WaItem *item, WaVerdictRow *row, WaReason reason, double wait_s)
{
	TimestampTz due = GetCurrentTimestamp() + (int64) (wait_s * USECS_PER_SEC);

	if (item->expires_at != 0 && due >= item->expires_at)
	{
		end(item, row, WA_STATE_EXPIRED, WA_REASON_TIME_TO_LIVE);
		return;
	}
	row->state = WA_STATE_QUEUED;
	row->reason = reason;
	row->due_at = due;
}

/*
 * A back-off wait; the chain of providers begins anew behind it.
 */
static void
back_off(const WaItem *item, WaVerdictRow *row, WaReason reason, double wait_s)
{
	if (item->waits >= MAX_WAITS && reason != WA_REASON_UNREACHABLE)
	{
		end(item, row, WA_STATE_FAILED, WA_REASON_RETRIES_EXHAUSTED);
		return;
	}
	again(item, row, reason, wait_s >= 0 ? wait_s : backoff(item->waits + 1, -1));
	row->tried = WA_TRIED_CLEAR;
	row->waits = 1;
}

/*
 * The message stays in the scheduler's memory and goes on at once.
 */
static void
go_on(WaTransfer *transfer, WaVerdictRow *row, WaReason reason, bool tried, double wait_s)
{
	row->state = WA_STATE_QUEUED;
	row->reason = reason;
	row->due_at = 0;
	row->tried = tried ? WA_TRIED_ADD : WA_TRIED_KEEP;
	transfer->goes_on = reason;
	transfer->tried = tried;
	transfer->wait_s = wait_s;
}

/*
 * This provider has refused the message: another one, or a wait, or the end.
 */
static void
refused(WaTransfer *transfer, const WaItem *item, WaVerdictRow *row,
		WaReason reason, double wait_s)
{
	if (item->fallback && item->wanted_provider == NULL && item->repeats == 0 &&
		transfer->verdict.fallback == WA_FALLBACK_YES)
	{
		/* once one of them may take it later, the chain has not failed */
		if (item->refusal != WA_REASON_NONE && !is_final(item->refusal))
			reason = reason_to_wait(item->refusal);
		go_on(transfer, row, reason, true, wait_s);
	}
	else if (is_final(reason))
		end(item, row, WA_STATE_FAILED, reason);
	else
		back_off(item, row, reason, wait_s);
}

/*
 * All providers that could take the message have refused it.  The strings of
 * *row live as long as the item.
 */
void
wa_deliver_outcome_exhausted(const WaItem *item, WaVerdictRow *row)
{
	WaReason	reason = item->refusal != WA_REASON_NONE ? item->refusal : WA_REASON_RETRY;

	row->detail = item->refusal_detail;
	if (is_final(reason))
		end(item, row, WA_STATE_FAILED, reason);
	else
		back_off(item, row, reason_to_wait(reason), item->wait_s);
}

static bool
note_mapping(const WaTransfer *transfer)
{
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
	if (wa_query(&note, &args).n == 0)
		return false;
	ereport(WARNING,
			(errmsg("sicantik_wa stops using template \"%s\" with provider \"%s\": %s",
					transfer->template_key, transfer->pace->name, wa_said_english(why)),
			 errhint("After mending it: SELECT wa_map_template('%s', '%s', '{\"status\": \"configured\"}').",
					 transfer->template_key, transfer->pace->name)));
	wa_deliver_alert(transfer->pace->name, psprintf("template %s", transfer->template_key),
					 wa_say(WA_SAY_TEMPLATE_NOT_USED_ANY_MORE, transfer->template_key, why));
	return true;
}

static void
note_opt_out(const WaItem *item)
{
	/* a row that somebody holds is left alone: the provider will say it again */
	static WaStatement note =
		WA_STATEMENT("WITH u AS (UPDATE wa.contact SET opted_out_at = clock_timestamp(), source = 'provider'"
					 " WHERE number = (SELECT number FROM wa.contact WHERE number = $1 FOR NO KEY UPDATE SKIP LOCKED))"
					 " INSERT INTO wa.contact (number, opted_out_at, source) SELECT $1, clock_timestamp(), 'provider'"
					 " WHERE NOT EXISTS (SELECT FROM wa.contact WHERE number = $1) ON CONFLICT (number) DO NOTHING");
	WaArgs		args = {0};

	wa_arg_text(&args, item->number);
	wa_query(&note, &args);
}

static void
throttled(WaTransfer *transfer, const WaItem *item, WaVerdictRow *row)
{
	const WaVerdict *verdict = &transfer->verdict;
	int64		now = wa_deliver_clock();
	double		wait = verdict->wait_s >= 0 ? Max(verdict->wait_s, 1) : -1;

	if (verdict->scope == WA_SCOPE_RECIPIENT)
	{
		/* Meta's advice for one recipient: 4^x seconds */
		if (wait < 0)
		{
			wait = 1;
			for (int i = 1; i < transfer->attempt && wait < LONGEST_BACKOFF_S; i++)
				wait *= 4;
		}
		wa_deliver_schedule_hold_number(item->number, now + (int64) (wait * USECS_PER_SEC));
	}
	else
	{
		wa_deliver_pacing_throttled(transfer->pace, transfer->started_at);
		if (wait < 0)
			wait = backoff(transfer->pace->throttles, verdict->backoff_s);
		wa_deliver_pacing_pause(transfer->pace, now + (int64) (wait * USECS_PER_SEC));
		if (item->fallback_when_paced && verdict->fallback == WA_FALLBACK_YES)
		{
			go_on(transfer, row, WA_REASON_THROTTLED, false, -1);
			return;
		}
	}
	/* being told to wait is no failure: bounded by the time-to-live only */
	again(item, row, WA_REASON_THROTTLED, Min(wait, LONGEST_BACKOFF_S));
}

static void
retry(WaTransfer *transfer, const WaItem *item, WaVerdictRow *row)
{
	const WaVerdict *verdict = &transfer->verdict;
	double		wait = verdict->wait_s >= 0 ? (double) verdict->wait_s :
		backoff(item->waits + 1, verdict->backoff_s);

	if (verdict->scope == WA_SCOPE_PROVIDER && verdict->wait_s > 0)
		wa_deliver_pacing_pause(transfer->pace, wa_deliver_clock() + verdict->wait_s * USECS_PER_SEC);
	if (verdict->max_retries >= 0 && item->waits >= verdict->max_retries)
		refused(transfer, item, row, WA_REASON_RETRIES_EXHAUSTED, -1);
	else
		refused(transfer, item, row,
				transfer->http_status == 0 || verdict->not_reached ? WA_REASON_UNREACHABLE : WA_REASON_RETRY, wait);
}

/*
 * Nobody can use this provider now.  Its open circuit keeps the next messages
 * away; this one goes on, by another one or when the circuit is closed.
 */
static void
provider_down(WaTransfer *transfer, WaVerdictRow *row)
{
	/* its row may be locked by somebody who is just mending it */
	transfer->pace->paused_us = Max(transfer->pace->paused_us, wa_deliver_clock() + TROUBLE_US);
	go_on(transfer, row, WA_REASON_PROVIDER, false, -1);
}

/*
 * It turned out that this provider refuses everybody so, and its circuit is
 * open.  Another one may take the message; if none can, it waits, and goes
 * behind those that were not refused so: if one of these is taken, the others
 * were refused for themselves after all.
 */
static void
everybody_refused(WaTransfer *transfer, WaVerdictRow *row)
{
	transfer->pace->paused_us = Max(transfer->pace->paused_us, wa_deliver_clock() + TROUBLE_US);
	go_on(transfer, row, WA_REASON_REFUSES_ALL, false, -1);
}

static bool
template_trouble(WaTransfer *transfer, const WaItem *item, WaVerdictRow *row)
{
	const WaVerdict *verdict = &transfer->verdict;

	if (verdict->wait_s >= 0)
		refused(transfer, item, row, WA_REASON_RETRY, verdict->wait_s);
	else if (transfer->as_template && verdict->scope == WA_SCOPE_PROVIDER)
	{
		bool		noted = note_mapping(transfer);

		/*
		 * not noted: somebody is editing the mapping, or another one was
		 * first
		 */
		if (noted)
			go_on(transfer, row, WA_REASON_TEMPLATE, false, -1);
		else
			refused(transfer, item, row, WA_REASON_RETRY, -1);
		return noted;
	}
	else
		refused(transfer, item, row, WA_REASON_TEMPLATE, -1);
	return false;
}

static bool
refused_by_policy(WaTransfer *transfer, const WaItem *item, WaVerdictRow *row)
{
	const WaVerdict *verdict = &transfer->verdict;

	if (verdict->scope == WA_SCOPE_PROVIDER)
		provider_down(transfer, row);
	else if (verdict->wait_s >= 0 && item->waits < verdict->max_retries)
		back_off(item, row, WA_REASON_RETRY, verdict->wait_s);
	else
		refused(transfer, item, row, WA_REASON_POLICY, -1);
	return false;
}

/*
 * It is not known whether the provider took the message.
 */
static void
in_doubt(const WaItem *item, WaVerdictRow *row, WaReason reason, int64 unknown_wait_us)
{
	if (item->repeats > 0)
	{
		end(item, row, WA_STATE_UNKNOWN, reason);
		return;
	}
	row->state = WA_STATE_DOUBT;
	row->reason = reason;
	row->due_at = GetCurrentTimestamp() + unknown_wait_us;
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
wa_deliver_outcome_apply(WaTransfer *transfer, const WaItem *item, int64 unknown_wait_us,
						 WaVerdictRow *row)
{
	const WaVerdict *verdict = &transfer->verdict;
	bool		changed = wa_deliver_circuit_count(transfer);

	memset(row, 0, sizeof(*row));
	row->id = transfer->message_id;
	row->detail = WA_SAID_IN(&verdict->said);
	transfer->goes_on = WA_REASON_NONE;
	if (verdict->opt_out && !transfer->diverted)
		note_opt_out(item);

	switch (verdict->outcome)
	{
		case WA_OUTCOME_ACCEPTED:
			end(item, row, WA_STATE_SENT, WA_REASON_NONE);
			row->sent_at = transfer->finished_at;
			row->provider_message_id = verdict->message_id[0] ? verdict->message_id : NULL;
			break;
		case WA_OUTCOME_RETRY:
			retry(transfer, item, row);
			break;
		case WA_OUTCOME_THROTTLE:
			throttled(transfer, item, row);
			break;
		case WA_OUTCOME_PROVIDER:
			provider_down(transfer, row);
			break;
		case WA_OUTCOME_TEMPLATE:
			changed = template_trouble(transfer, item, row) || changed;
			break;
		case WA_OUTCOME_RECIPIENT:
			end(item, row, WA_STATE_FAILED, WA_REASON_RECIPIENT);
			break;
		case WA_OUTCOME_POLICY:
			refused_by_policy(transfer, item, row);
			break;
		case WA_OUTCOME_CALLER:
			if (transfer->refuses_all)
				everybody_refused(transfer, row);
			else
				refused(transfer, item, row, WA_REASON_REQUEST, -1);
			break;
		case WA_OUTCOME_UNKNOWN:
			in_doubt(item, row, strcmp(verdict->code, "interrupted") == 0 ? WA_REASON_INTERRUPTED : WA_REASON_NO_ANSWER,
					 unknown_wait_us);
			break;
	}
	return changed;
}

/*
 * Nobody has told what became of a message in doubt, and the time for that is
 * over: carry out its policy.  Returns true if it is to be repeated.
 */
bool
wa_deliver_outcome_of_doubt(const WaReadyRow *message, WaVerdictRow *row)
{
	WaSaid		slow = wa_say(WA_SAY_TOO_MANY_UNKNOWN);

	if (message->repeats > 0)
	{
		row->state = WA_STATE_UNKNOWN;
		row->reason = WA_REASON_GAVE_UP;
		row->detail = wa_say(WA_SAY_DOUBT_REPEATED_ONCE_ONLY);
		return false;
	}
	if (message->provider && wa_deliver_circuit_in_doubt(message->provider))
	{
		wa_deliver_alert(message->provider, "unknown", slow);
		row->state = WA_STATE_HELD;
		row->reason = WA_REASON_MANY_UNKNOWN;
		row->detail = slow;
		return false;
	}
	if (strcmp(message->unknown_policy, "give up") == 0)
	{
		row->state = WA_STATE_UNKNOWN;
		row->reason = WA_REASON_GAVE_UP;
		row->detail = wa_say(WA_SAY_DOUBT_GIVEN_UP);
		return false;
	}
	if (strcmp(message->unknown_policy, "hold") == 0)
	{
		row->state = WA_STATE_HELD;
		row->reason = WA_REASON_UNKNOWN_OUTCOME;
		row->detail = wa_say(WA_SAY_DOUBT_HELD);
		return false;
	}
	if (message->expires_at != 0 && message->expires_at <= GetCurrentTimestamp())
	{
		row->state = WA_STATE_UNKNOWN;
		row->reason = WA_REASON_TIME_TO_LIVE;
		row->detail = wa_say(WA_SAY_DOUBT_TOO_LATE);
		return false;
	}
	row->state = WA_STATE_QUEUED;
	row->reason = WA_REASON_REPEAT;
	row->detail = wa_say(WA_SAY_DOUBT_REPEATED);
	row->tried = WA_TRIED_CLEAR;
	row->repeats = 1;
	return true;
}
