/*-------------------------------------------------------------------------
 *
 * outcome_test.c
 *		Unit tests of what becomes of a message after an attempt: single rules,
 *		and what holds whatever the provider says.
 *
 *-------------------------------------------------------------------------
 */
#include "deliver/outcome.h"

#include "check.h"

#define S	((int64_t) 1000000)
#define NOW ((int64_t) 1000000000000000)

static const WaOutcomeMessage fresh = {
	.fallback = true,.wait_s = -1,.unknown_policy = "resend",.now = NOW,.jitter = 1
};

static WaVerdict
verdict_of(WaOutcome outcome)
{
	WaVerdict	verdict = {
		.outcome = outcome,.scope = WA_SCOPE_MESSAGE,.fallback = WA_FALLBACK_YES,
		.max_retries = -1,.wait_s = -1,.backoff_s = -1
	};

	return verdict;
}

static WaOutcomeNext
next_of(const WaOutcomeMessage *message, const WaVerdict *verdict, int http_status)
{
	WaOutcomeAttempt attempt = {
		.verdict = verdict,.attempt = 1,.http_status = http_status,.throttles = 1,.unknown_wait_us = 600 * S
	};
	WaOutcomeNext next;

	wa_deliver_outcome_of_attempt(message, &attempt, &next);
	return next;
}

static void
test_accepted(void)
{
	WaVerdict	verdict = verdict_of(WA_OUTCOME_ACCEPTED);
	WaOutcomeMessage message = fresh;
	WaOutcomeNext next = next_of(&message, &verdict, 200);

	CHECK_INT(next.state, WA_STATE_SENT);
	CHECK_INT(next.reason, WA_REASON_NONE);
	CHECK_INT(next.due_at, 0);
	message.repeats = 1;
	next = next_of(&message, &verdict, 200);
	CHECK_INT(next.state, WA_STATE_SENT);
	CHECK(!next.in_vain);
}

/* 5 s, each time twice as long, at most an hour; seven of them. */
static void
test_backoff(void)
{
	static const int seconds[] = {5, 10, 20, 40, 80, 160, 320};
	WaVerdict	verdict = verdict_of(WA_OUTCOME_RETRY);
	WaOutcomeMessage message = fresh;
	WaOutcomeNext next;

	message.fallback = false;
	for (int i = 0; i < 7; i++)
	{
		message.waits = i;
		next = next_of(&message, &verdict, 500);
		CHECK_INT(next.state, WA_STATE_QUEUED);
		CHECK_INT(next.reason, WA_REASON_RETRY);
		CHECK_INT(next.due_at, NOW + seconds[i] * S);
		CHECK(next.backs_off && !next.goes_on);
	}
	message.waits = 7;
	next = next_of(&message, &verdict, 500);
	CHECK_INT(next.state, WA_STATE_FAILED);
	CHECK_INT(next.reason, WA_REASON_RETRIES_EXHAUSTED);
	/* nobody was reached: until the time-to-live */
	message.waits = 40;
	next = next_of(&message, &verdict, 0);
	CHECK_INT(next.reason, WA_REASON_UNREACHABLE);
	CHECK_INT(next.due_at, NOW + 3600 * S);
	message.expires_at = NOW + 3600 * S;
	next = next_of(&message, &verdict, 0);
	CHECK_INT(next.state, WA_STATE_EXPIRED);
	CHECK_INT(next.reason, WA_REASON_TIME_TO_LIVE);
	/* the provider's own first step, its own number of them, and its own wait */
	message = fresh;
	message.fallback = false;
	message.waits = 2;
	verdict.backoff_s = 60;
	CHECK_INT(next_of(&message, &verdict, 500).due_at, NOW + 240 * S);
	verdict.wait_s = 7;
	CHECK_INT(next_of(&message, &verdict, 500).due_at, NOW + 7 * S);
	verdict.wait_s = 0;
	CHECK_INT(next_of(&message, &verdict, 500).due_at, NOW + 240 * S);
	verdict.max_retries = 2;
	CHECK_INT(next_of(&message, &verdict, 500).reason, WA_REASON_RETRIES_EXHAUSTED);
	message.jitter = 0.8;
	verdict = verdict_of(WA_OUTCOME_RETRY);
	CHECK_INT(next_of(&message, &verdict, 500).due_at, NOW + 16 * S);
}

static void
test_fallback(void)
{
	WaVerdict	verdict = verdict_of(WA_OUTCOME_CALLER);
	WaOutcomeMessage message = fresh;
	WaOutcomeNext next = next_of(&message, &verdict, 400);

	CHECK(next.goes_on && next.not_here);
	CHECK_INT(next.state, WA_STATE_QUEUED);
	CHECK_INT(next.reason, WA_REASON_REQUEST);
	CHECK_INT(next.due_at, 0);
	/* one that may take it later leaves hope for all of them */
	message.refusal = WA_REASON_UNREACHABLE;
	CHECK_INT(next_of(&message, &verdict, 400).reason, WA_REASON_UNREACHABLE);
	message.refusal = WA_REASON_THROTTLED;
	CHECK_INT(next_of(&message, &verdict, 400).reason, WA_REASON_RETRY);
	message.refusal = WA_REASON_TEMPLATE;
	CHECK_INT(next_of(&message, &verdict, 400).reason, WA_REASON_REQUEST);

	/* told to wait for long: another provider at once, else the wait */
	verdict = verdict_of(WA_OUTCOME_POLICY);
	verdict.scope = WA_SCOPE_RECIPIENT;
	verdict.max_retries = 1;
	verdict.wait_s = 86400;
	message = fresh;
	next = next_of(&message, &verdict, 429);
	CHECK(next.goes_on && next.not_here);
	CHECK_INT(next.reason, WA_REASON_RETRY);
	CHECK_INT((int) next.wait_s, 86400);
	message.fallback = false;
	next = next_of(&message, &verdict, 429);
	CHECK_INT(next.state, WA_STATE_QUEUED);
	CHECK_INT(next.due_at, NOW + 86400 * S);
	message.waits = 1;
	CHECK_INT(next_of(&message, &verdict, 429).state, WA_STATE_FAILED);
	verdict = verdict_of(WA_OUTCOME_CALLER);
	message = fresh;

	/*
	 * not where this provider is wanted, it may have arrived, or the verdict
	 * says no
	 */
	message.wants_provider = true;
	CHECK_INT(next_of(&message, &verdict, 400).state, WA_STATE_FAILED);
	message = fresh;
	message.repeats = 1;
	next = next_of(&message, &verdict, 400);
	CHECK_INT(next.state, WA_STATE_UNKNOWN);
	CHECK(next.in_vain);
	verdict.fallback = WA_FALLBACK_NO;
	CHECK_INT(next_of(&fresh, &verdict, 400).state, WA_STATE_FAILED);
	/* everybody is refused so: no failure of this one */
	{
		WaOutcomeAttempt attempt = {.verdict = &verdict,.attempt = 1,.refuses_all = true};

		wa_deliver_outcome_of_attempt(&fresh, &attempt, &next);
	}
	CHECK_INT(next.reason, WA_REASON_REFUSES_ALL);
	CHECK(next.goes_on && !next.not_here && next.pause_s == 5);
	/* all have refused it */
	message = fresh;
	message.refusal = WA_REASON_TEMPLATE;
	wa_deliver_outcome_of_refusals(&message, &next);
	CHECK_INT(next.state, WA_STATE_FAILED);
	message.refusal = WA_REASON_RETRY;
	message.wait_s = 90;
	wa_deliver_outcome_of_refusals(&message, &next);
	CHECK_INT(next.due_at, NOW + 90 * S);
	CHECK(next.backs_off);
}

static void
test_throttle(void)
{
	static const int seconds[] = {1, 4, 16, 64, 256, 1024, 4096, 4096};
	WaVerdict	verdict = verdict_of(WA_OUTCOME_THROTTLE);
	WaOutcomeAttempt attempt = {.verdict = &verdict};
	WaOutcomeMessage message = fresh;
	WaOutcomeNext next;

	verdict.scope = WA_SCOPE_RECIPIENT;
	for (int i = 0; i < 8; i++)
	{
		attempt.attempt = i + 1;
		wa_deliver_outcome_of_attempt(&message, &attempt, &next);
		CHECK_INT(next.hold_number_s, seconds[i]);
		CHECK_INT(next.due_at, NOW + (seconds[i] < 3600 ? seconds[i] : 3600) * S);
		CHECK(next.pause_s == 0 && !next.backs_off && !next.goes_on);
	}
	verdict.scope = WA_SCOPE_PROVIDER;
	attempt.throttles = 3;
	wa_deliver_outcome_of_attempt(&message, &attempt, &next);
	CHECK_INT(next.pause_s, 20);
	CHECK_INT(next.reason, WA_REASON_THROTTLED);
	message.fallback_when_paced = true;
	wa_deliver_outcome_of_attempt(&message, &attempt, &next);
	CHECK(next.goes_on && !next.not_here && next.pause_s == 20);
}

static void
test_template(void)
{
	WaVerdict	verdict = verdict_of(WA_OUTCOME_TEMPLATE);
	WaOutcomeAttempt attempt = {.verdict = &verdict,.attempt = 1,.blames_mapping = true,.mapping_noted = true};
	WaOutcomeNext next;

	verdict.fallback = WA_FALLBACK_NO;
	CHECK(!wa_deliver_outcome_blames_mapping(&verdict, true));
	verdict.scope = WA_SCOPE_PROVIDER;
	CHECK(wa_deliver_outcome_blames_mapping(&verdict, true));
	CHECK(!wa_deliver_outcome_blames_mapping(&verdict, false));
	wa_deliver_outcome_of_attempt(&fresh, &attempt, &next);
	CHECK(next.goes_on && !next.not_here);
	CHECK_INT(next.reason, WA_REASON_TEMPLATE);
	attempt.mapping_noted = false;
	wa_deliver_outcome_of_attempt(&fresh, &attempt, &next);
	CHECK_INT(next.reason, WA_REASON_RETRY);
	CHECK_INT(next.due_at, NOW + 5 * S);
	attempt.blames_mapping = false;
	wa_deliver_outcome_of_attempt(&fresh, &attempt, &next);
	CHECK_INT(next.state, WA_STATE_FAILED);
	verdict.wait_s = 30;
	CHECK(!wa_deliver_outcome_blames_mapping(&verdict, true));
}

static void
test_doubt(void)
{
	WaVerdict	verdict = verdict_of(WA_OUTCOME_UNKNOWN);
	WaOutcomeMessage message = fresh;
	WaOutcomeNext next = next_of(&message, &verdict, 0);

	CHECK_INT(next.state, WA_STATE_DOUBT);
	CHECK_INT(next.reason, WA_REASON_NO_ANSWER);
	CHECK_INT(next.due_at, NOW + 600 * S);
	strcpy(verdict.code, WA_CODE_INTERRUPTED);
	CHECK_INT(next_of(&message, &verdict, 0).reason, WA_REASON_INTERRUPTED);

	CHECK_INT(wa_deliver_outcome_of_doubt(&message, false, &next), WA_DOUBT_REPEAT);
	CHECK_INT(next.state, WA_STATE_QUEUED);
	CHECK_INT(wa_deliver_outcome_of_doubt(&message, true, &next), WA_DOUBT_MANY);
	CHECK_INT(next.state, WA_STATE_HELD);
	message.expires_at = NOW;
	CHECK_INT(wa_deliver_outcome_of_doubt(&message, false, &next), WA_DOUBT_TOO_LATE);
	CHECK_INT(next.state, WA_STATE_UNKNOWN);
	message.unknown_policy = "hold";
	CHECK_INT(wa_deliver_outcome_of_doubt(&message, false, &next), WA_DOUBT_HOLD);
	CHECK_INT(next.state, WA_STATE_HELD);
	message.unknown_policy = "give up";
	CHECK_INT(wa_deliver_outcome_of_doubt(&message, false, &next), WA_DOUBT_GIVE_UP);
	CHECK_INT(next.state, WA_STATE_UNKNOWN);
	message.repeats = 1;
	CHECK_INT(wa_deliver_outcome_of_doubt(&message, true, &next), WA_DOUBT_REPEATED_ALREADY);
	CHECK_INT(next.state, WA_STATE_UNKNOWN);
	for (int d = 0; d < 16; d++)
	{
		message = fresh;
		message.repeats = d & 1;
		message.expires_at = d & 2 ? NOW - S : 0;
		message.unknown_policy = d & 4 ? "hold" : "resend";
		(void) wa_deliver_outcome_of_doubt(&message, d & 8, &next);
		CHECK(wa_queue_is_legal(WA_CHANGE_CONCLUDE, WA_STATE_DOUBT, next.state, next.reason));
	}
}

/* What holds of every answer to every message. */
static bool
is_sound(const WaOutcomeMessage *message, const WaOutcomeAttempt *attempt, const WaOutcomeNext *next)
{
	WaOutcome	outcome = attempt->verdict->outcome;
	bool		waits = next->state == WA_STATE_QUEUED || next->state == WA_STATE_DOUBT;

	/* the ledger takes it */
	if (!wa_queue_is_legal(WA_CHANGE_CONCLUDE, WA_STATE_SENDING, next->state, next->reason))
		return false;
	/* it has a time exactly where it waits and does not go on at once */
	if ((next->due_at != 0) != (waits && !next->goes_on) || (next->goes_on && next->state != WA_STATE_QUEUED))
		return false;
	if (next->due_at != 0 && next->due_at < message->now)
		return false;
	if (next->state == WA_STATE_QUEUED && next->due_at != 0 && message->expires_at != 0 && next->due_at >= message->expires_at)
		return false;

	/*
	 * only acceptance is sent, and only what is unknown is in doubt, and
	 * never repeated blindly
	 */
	if ((next->state == WA_STATE_SENT) != (outcome == WA_OUTCOME_ACCEPTED))
		return false;
	if (outcome == WA_OUTCOME_UNKNOWN && next->state != WA_STATE_DOUBT && next->state != WA_STATE_UNKNOWN)
		return false;
	if (next->state == WA_STATE_DOUBT && outcome != WA_OUTCOME_UNKNOWN)
		return false;

	/*
	 * what may have arrived is not said to have failed, and is given to
	 * nobody else
	 */
	if (message->repeats > 0 &&
		(next->state == WA_STATE_FAILED || next->state == WA_STATE_EXPIRED || next->not_here))
		return false;
	/* what concerns the person is not tried with somebody else */
	if (outcome == WA_OUTCOME_RECIPIENT && waits)
		return false;

	/*
	 * a wait that counts is one of a bounded number, unless nobody was
	 * reached
	 */
	return !next->backs_off || message->waits < 7 || next->reason == WA_REASON_UNREACHABLE ||
		next->reason == WA_REASON_TIME_TO_LIVE;
}

static void
test_everything(void)
{
	static const int waits[] = {0, 6, 7};
	static const int statuses[] = {0, 200, 500};
	static const long wait_s[] = {-1, 0, 90};
	static const WaReason refusals[] = {WA_REASON_NONE, WA_REASON_UNREACHABLE, WA_REASON_THROTTLED, WA_REASON_TEMPLATE};
	static const int64_t expires[] = {0, NOW + 30 * S, NOW + 86400 * S};

	for (int outcome = WA_OUTCOME_ACCEPTED; outcome <= WA_OUTCOME_UNKNOWN; outcome++)
	{
		long		unsound = 0;

		for (int f = 0; f < 1 << 9; f++)
			for (int w = 0; w < 3 * 3 * 3 * 4 * 3; w++)
				for (int scope = WA_SCOPE_MESSAGE; scope <= WA_SCOPE_PROVIDER; scope++)
				{
					WaVerdict	verdict = verdict_of(outcome);
					WaOutcomeMessage message = fresh;
					WaOutcomeAttempt attempt = {.verdict = &verdict,.attempt = 2,.throttles = 2,.unknown_wait_us = S};
					WaOutcomeNext next;

					verdict.scope = scope;
					verdict.fallback = f & 1 ? WA_FALLBACK_YES : WA_FALLBACK_NO;
					verdict.not_reached = f & 2;
					verdict.max_retries = f & 4 ? 2 : -1;
					message.fallback = f & 8;
					message.fallback_when_paced = f & 16;
					message.wants_provider = f & 32;
					message.repeats = f & 64 ? 1 : 0;
					attempt.refuses_all = f & 128;
					attempt.blames_mapping = wa_deliver_outcome_blames_mapping(&verdict, f & 256);
					attempt.mapping_noted = attempt.blames_mapping && f & 128;
					message.waits = waits[w % 3];
					attempt.http_status = statuses[w / 3 % 3];
					verdict.wait_s = wait_s[w / 9 % 3];
					message.refusal = refusals[w / 27 % 4];
					message.expires_at = expires[w / 108];
					wa_deliver_outcome_of_attempt(&message, &attempt, &next);
					if (!is_sound(&message, &attempt, &next) && unsound++ < 3)
						fprintf(stderr, "outcome %d scope %d flags %x case %d: state %d reason %d due %+lld\n", outcome, scope,
								f, w, next.state, next.reason, (long long) (next.due_at - NOW));
				}
		CHECK_INT(unsound, 0);
	}
}

int
main(void)
{
	CHECK_RUN(test_accepted);
	CHECK_RUN(test_backoff);
	CHECK_RUN(test_fallback);
	CHECK_RUN(test_throttle);
	CHECK_RUN(test_template);
	CHECK_RUN(test_doubt);
	CHECK_RUN(test_everything);
	return check_finish("outcome");
}
