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
 * Pure C: no PostgreSQL here.  apply.c makes it so.
 *
 *-------------------------------------------------------------------------
 */
#include "deliver/outcome.h"

#include <string.h>

#define MAX_WAITS			7
#define FIRST_BACKOFF_S		5
#define LONGEST_BACKOFF_S	3600

/* A provider in trouble is left alone so long, whatever its row says. */
#define TROUBLE_S			5

#define US_PER_S			1000000

/*
 * Seconds of the n-th wait, doubled each time; the first may be the
 * provider's (-1: the general one).
 */
static double
backoff(const WaOutcomeMessage *message, int n, long first_s)
{
	double		wait = first_s > 0 ? first_s : FIRST_BACKOFF_S;

	for (int i = 1; i < n && wait < LONGEST_BACKOFF_S; i++)
		wait *= 2;
	return (wait < LONGEST_BACKOFF_S ? wait : LONGEST_BACKOFF_S) * message->jitter;
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
end(const WaOutcomeMessage *message, WaOutcomeNext *next, WaState state, WaReason reason)
{
	next->in_vain = message->repeats > 0 && state != WA_STATE_SENT;
	next->state = next->in_vain ? WA_STATE_UNKNOWN : state;
	next->reason = reason;
	next->due_at = 0;
}

/*
 * Queue again after some seconds, unless that is too late.
 */
static void
again(const WaOutcomeMessage *message, WaOutcomeNext *next, WaReason reason, double wait_s)
{
	int64_t		due = message->now + (int64_t) (wait_s * US_PER_S);

	if (message->expires_at != 0 && due >= message->expires_at)
	{
		end(message, next, WA_STATE_EXPIRED, WA_REASON_TIME_TO_LIVE);
		return;
	}
	next->state = WA_STATE_QUEUED;
	next->reason = reason;
	next->due_at = due;
}

/*
 * A back-off wait; the chain of providers begins anew behind it.
 */
static void
back_off(const WaOutcomeMessage *message, WaOutcomeNext *next, WaReason reason, double wait_s)
{
	if (message->waits >= MAX_WAITS && reason != WA_REASON_UNREACHABLE)
	{
		end(message, next, WA_STATE_FAILED, WA_REASON_RETRIES_EXHAUSTED);
		return;
	}
	again(message, next, reason, wait_s >= 0 ? wait_s : backoff(message, message->waits + 1, -1));
	next->backs_off = true;
}

/*
 * The message stays in the scheduler's memory and goes on at once.
 */
static void
go_on(WaOutcomeNext *next, WaReason reason, bool not_here, double wait_s)
{
	next->state = WA_STATE_QUEUED;
	next->reason = reason;
	next->goes_on = true;
	next->not_here = not_here;
	next->wait_s = wait_s;
}

/*
 * This provider has refused the message: another one, or a wait, or the end.
 */
static void
refused(const WaOutcomeMessage *message, const WaOutcomeAttempt *attempt, WaOutcomeNext *next,
		WaReason reason, double wait_s)
{
	if (message->fallback && !message->wants_provider && message->repeats == 0 &&
		attempt->verdict->fallback == WA_FALLBACK_YES)
	{
		/* once one of them may take it later, the chain has not failed */
		if (message->refusal != WA_REASON_NONE && !is_final(message->refusal))
			reason = reason_to_wait(message->refusal);
		go_on(next, reason, true, wait_s);
	}
	else if (is_final(reason))
		end(message, next, WA_STATE_FAILED, reason);
	else
		back_off(message, next, reason, wait_s);
}

static void
throttled(const WaOutcomeMessage *message, const WaOutcomeAttempt *attempt, WaOutcomeNext *next)
{
	const WaVerdict *verdict = attempt->verdict;
	double		wait = verdict->wait_s > 1 ? verdict->wait_s : 1;

	if (verdict->scope == WA_SCOPE_RECIPIENT)
	{
		/* Meta's advice for one recipient: 4^x seconds */
		for (int i = 1; verdict->wait_s < 0 && i < attempt->attempt && wait < LONGEST_BACKOFF_S; i++)
			wait *= 4;
		next->hold_number_s = wait;
	}
	else
	{
		if (verdict->wait_s < 0)
			wait = backoff(message, attempt->throttles, verdict->backoff_s);
		next->pause_s = wait;
		if (message->fallback_when_paced && verdict->fallback == WA_FALLBACK_YES)
		{
			go_on(next, WA_REASON_THROTTLED, false, -1);
			return;
		}
	}
	/* being told to wait is no failure: bounded by the time-to-live only */
	again(message, next, WA_REASON_THROTTLED, wait < LONGEST_BACKOFF_S ? wait : LONGEST_BACKOFF_S);
}

static void
retry(const WaOutcomeMessage *message, const WaOutcomeAttempt *attempt, WaOutcomeNext *next)
{
	const WaVerdict *verdict = attempt->verdict;

	/* "again in 0 s" is no wait: seven of them would be over in no time */
	double		wait = verdict->wait_s > 0 ? (double) verdict->wait_s :
		backoff(message, message->waits + 1, verdict->backoff_s);

	if (verdict->scope == WA_SCOPE_PROVIDER && verdict->wait_s > 0)
		next->pause_s = verdict->wait_s;
	if (verdict->max_retries >= 0 && message->waits >= verdict->max_retries)
		refused(message, attempt, next, WA_REASON_RETRIES_EXHAUSTED, -1);
	else
		refused(message, attempt, next,
				attempt->http_status == 0 || verdict->not_reached ? WA_REASON_UNREACHABLE : WA_REASON_RETRY, wait);
}

/*
 * Nobody can use this provider now, or it refuses everybody.  Its open circuit
 * keeps the next messages away; this one goes on, by another one or when the
 * circuit is closed.  (Its row may be locked by somebody who is just mending
 * it, hence the pause.)  Of those that were refused like everybody one is
 * tried behind all others: if these are taken, it was refused for itself.
 */
static void
provider_down(WaOutcomeNext *next, WaReason reason)
{
	next->pause_s = TROUBLE_S;
	go_on(next, reason, false, -1);
}

static void
template_trouble(const WaOutcomeMessage *message, const WaOutcomeAttempt *attempt, WaOutcomeNext *next)
{
	if (attempt->verdict->wait_s >= 0)
		refused(message, attempt, next, WA_REASON_RETRY, attempt->verdict->wait_s);
	else if (attempt->mapping_noted)
		go_on(next, WA_REASON_TEMPLATE, false, -1);
	else if (attempt->blames_mapping)
		/* somebody is editing the mapping, or another message was first */
		refused(message, attempt, next, WA_REASON_RETRY, -1);
	else
		refused(message, attempt, next, WA_REASON_TEMPLATE, -1);
}

static void
refused_by_policy(const WaOutcomeMessage *message, const WaOutcomeAttempt *attempt, WaOutcomeNext *next)
{
	const WaVerdict *verdict = attempt->verdict;

	if (verdict->scope == WA_SCOPE_PROVIDER)
		provider_down(next, WA_REASON_PROVIDER);
	else if (verdict->wait_s >= 0 && message->waits < verdict->max_retries)
		refused(message, attempt, next, WA_REASON_RETRY, verdict->wait_s);
	else
		refused(message, attempt, next, WA_REASON_POLICY, -1);
}

/*
 * It is not known whether the provider took the message.
 */
static void
in_doubt(const WaOutcomeMessage *message, const WaOutcomeAttempt *attempt, WaOutcomeNext *next)
{
	WaReason	reason = strcmp(attempt->verdict->code, WA_CODE_INTERRUPTED) == 0 ?
		WA_REASON_INTERRUPTED : WA_REASON_NO_ANSWER;

	if (message->repeats > 0)
	{
		end(message, next, WA_STATE_UNKNOWN, reason);
		return;
	}
	next->state = WA_STATE_DOUBT;
	next->reason = reason;
	next->due_at = message->now + attempt->unknown_wait_us;
}

/*
 * Is the mapping of the message's template to blame for this answer, so that
 * it is to be noted before anything is decided?
 */
bool
wa_deliver_outcome_blames_mapping(const WaVerdict *verdict, bool as_template)
{
	return verdict->outcome == WA_OUTCOME_TEMPLATE && as_template &&
		verdict->scope == WA_SCOPE_PROVIDER && verdict->wait_s < 0;
}

/*
 * An attempt is over: how does the message go on?
 */
void
wa_deliver_outcome_of_attempt(const WaOutcomeMessage *message, const WaOutcomeAttempt *attempt,
							  WaOutcomeNext *next)
{
	memset(next, 0, sizeof(*next));
	switch (attempt->verdict->outcome)
	{
		case WA_OUTCOME_ACCEPTED:
			end(message, next, WA_STATE_SENT, WA_REASON_NONE);
			break;
		case WA_OUTCOME_RETRY:
			retry(message, attempt, next);
			break;
		case WA_OUTCOME_THROTTLE:
			throttled(message, attempt, next);
			break;
		case WA_OUTCOME_PROVIDER:
			provider_down(next, WA_REASON_PROVIDER);
			break;
		case WA_OUTCOME_TEMPLATE:
			template_trouble(message, attempt, next);
			break;
		case WA_OUTCOME_RECIPIENT:
			end(message, next, WA_STATE_FAILED, WA_REASON_RECIPIENT);
			break;
		case WA_OUTCOME_POLICY:
			refused_by_policy(message, attempt, next);
			break;
		case WA_OUTCOME_CALLER:
			if (attempt->refuses_all)
				provider_down(next, WA_REASON_REFUSES_ALL);
			else
				refused(message, attempt, next, WA_REASON_REQUEST, -1);
			break;
		case WA_OUTCOME_UNKNOWN:
			in_doubt(message, attempt, next);
			break;
	}
}

/*
 * All providers that could take the message have refused it.
 */
void
wa_deliver_outcome_of_refusals(const WaOutcomeMessage *message, WaOutcomeNext *next)
{
	WaReason	reason = message->refusal != WA_REASON_NONE ? message->refusal : WA_REASON_RETRY;

	memset(next, 0, sizeof(*next));
	if (is_final(reason))
		end(message, next, WA_STATE_FAILED, reason);
	else
		back_off(message, next, reason_to_wait(reason), message->wait_s);
}

/*
 * Nobody has told what became of a message in doubt, and the time for that is
 * over: what its policy says.
 */
WaOutcomeDoubt
wa_deliver_outcome_of_doubt(const WaOutcomeMessage *message, bool many_in_doubt, WaOutcomeNext *next)
{
	static const struct
	{
		WaState		state;
		WaReason	reason;
	}			ends[] = {
		[WA_DOUBT_REPEAT] = {WA_STATE_QUEUED, WA_REASON_REPEAT},
		[WA_DOUBT_REPEATED_ALREADY] = {WA_STATE_UNKNOWN, WA_REASON_GAVE_UP},
		[WA_DOUBT_MANY] = {WA_STATE_HELD, WA_REASON_MANY_UNKNOWN},
		[WA_DOUBT_GIVE_UP] = {WA_STATE_UNKNOWN, WA_REASON_GAVE_UP},
		[WA_DOUBT_HOLD] = {WA_STATE_HELD, WA_REASON_UNKNOWN_OUTCOME},
		[WA_DOUBT_TOO_LATE] = {WA_STATE_UNKNOWN, WA_REASON_TIME_TO_LIVE}
	};
	WaOutcomeDoubt doubt = WA_DOUBT_REPEAT;

	if (message->repeats > 0)
		doubt = WA_DOUBT_REPEATED_ALREADY;
	else if (many_in_doubt)
		doubt = WA_DOUBT_MANY;
	else if (strcmp(message->unknown_policy, "give up") == 0)
		doubt = WA_DOUBT_GIVE_UP;
	else if (strcmp(message->unknown_policy, "hold") == 0)
		doubt = WA_DOUBT_HOLD;
	else if (message->expires_at != 0 && message->expires_at <= message->now)
		doubt = WA_DOUBT_TOO_LATE;
	memset(next, 0, sizeof(*next));
	next->state = ends[doubt].state;
	next->reason = ends[doubt].reason;
	return doubt;
}
