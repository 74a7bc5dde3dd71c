/*-------------------------------------------------------------------------
 *
 * state.c
 *		The table of legal changes of a message's state.
 *
 * "In doubt" stands beside "unknown" as a state of its own, though both are
 * stored as unknown: something comes of it yet (due_at is set), and other
 * changes are legal.  One that was sent again although in doubt ends as
 * unknown whatever would have ended it, unless it is sent, because the first
 * attempt may have arrived; so unknown is beside many an end below.
 *
 * Pure C: no PostgreSQL here.
 *
 *-------------------------------------------------------------------------
 */
#include "queue/state.h"

#include <string.h>

#define STATE_NAME(name) [WA_STATE_##name] = WA_STATE_NAME_##name,
#define REASON_NAME(name) [WA_REASON_##name] = WA_REASON_NAME_##name,

static const char *const state_names[WA_NSTATES] = {
	WA_STATES(STATE_NAME)
	[WA_STATE_DOUBT] = WA_STATE_NAME_UNKNOWN
};

static const char *const reason_names[WA_NREASONS] = {
	WA_REASONS(REASON_NAME)
};

const WaChangeKind wa_queue_changes[WA_NCHANGES] = {
	[WA_CHANGE_HAND] = {"by hand", "a person's UPDATE"},
	[WA_CHANGE_MAKE] = {"make", "a scenario, `wa_send()`, an alert"},
	[WA_CHANGE_CLAIM] = {"claim", "the send round, before the wire"},
	[WA_CHANGE_CONCLUDE] = {"conclude", "the send round: what an answer, or a look before the wire, has come to"},
	[WA_CHANGE_TRY_OTHERS] = {"try again", "the send round: the provider refuses everybody so"},
	[WA_CHANGE_REPLACE] = {"replace", "its scenario says something else now, or its text is written: a new message takes its place"},
	[WA_CHANGE_SUPERSEDE] = {"supersede", "the composer: the status has changed again"},
	[WA_CHANGE_WRITE] = {"write", "the composer: the setting that its text waited for has come"},
	[WA_CHANGE_LET_GO] = {"let go", "`wa_release()`, `wa_retry()`"},
	[WA_CHANGE_CANCEL] = {"cancel", "`wa_cancel()`"},
	[WA_CHANGE_SETTLE] = {"settle", "the provider, who tells later whether it took the message"},
	[WA_CHANGE_TELL] = {"tell", "the provider, who tells by a webhook what became of it"},
	[WA_CHANGE_HOLD] = {"hold", "the send round of a copy"},
	[WA_CHANGE_DOUBT] = {"doubt", "the worker, after a failover"},
	[WA_CHANGE_PURGE] = {"purge", "the worker, after the retention"},
};

#define S(name) WA_IN(WA_STATE_##name)
#define R(name) WA_FOR(WA_REASON_##name)
#define ANY_REASON UINT64_MAX

/* Wherever a message has come to: all of them. */
#define ENDS \
	(S(SENT) | S(DELIVERED) | S(READ) | S(FAILED) | S(UNKNOWN) | S(SKIPPED) | S(CANCELLED) | S(SUPERSEDED) | S(EXPIRED))
#define ANYWHERE (S(QUEUED) | S(SENDING) | S(DOUBT) | S(HELD) | ENDS)

/* Why a message ends without its turn having come, or before the wire. */
#define BEFORE_THE_WIRE \
	(R(NO_RECIPIENT) | R(NO_NUMBER) | R(OPTED_OUT) | R(BLACKLISTED) | R(DUPLICATE) | R(OBSERVE))
/* Why one that was refused fails. */
#define REFUSED (R(TEMPLATE) | R(POLICY) | R(REQUEST) | R(RETRIES_EXHAUSTED))

/* A reason without words does not compile, nor do words without a reason. */
enum
{
#define REASON(name, english, indonesian, advice, nasihat) WORDS_OF_##name = WA_REASON_##name,
#include "text/words_reasons.def"
};
#define REASON(name, english, indonesian, advice, nasihat) + 1
_Static_assert(1
#include "text/words_reasons.def"
			   == WA_NREASONS, "each reason has words in text/words_reasons.def, once");

const WaLaw wa_queue_laws[] = {
	{WA_CHANGE_MAKE, S(NONE), S(QUEUED), R(NONE) | R(OUTSIDE_HOURS)},
	{WA_CHANGE_MAKE, S(NONE), S(HELD), R(SETTING_MISSING) | R(COPY) | R(NAME_MISMATCH) | R(BULK) | R(DAILY_LIMIT)},
	{WA_CHANGE_MAKE, S(NONE), S(SKIPPED), R(NO_RECIPIENT) | R(NO_NUMBER) | R(NOT_NEWS) | R(OPTED_OUT) | R(BLACKLISTED)},
	{WA_CHANGE_MAKE, S(NONE), S(DOUBT), R(FAILOVER)},

	{WA_CHANGE_CLAIM, S(QUEUED), S(SENDING), R(NONE)},

	/* before the wire */
	{WA_CHANGE_CONCLUDE, S(QUEUED), S(QUEUED), R(NO_PROVIDER) | R(FACTS_UNREADABLE) | R(REFUSES_ALL) | R(OUTSIDE_HOURS) |
	R(RETRY) | R(UNREACHABLE)},
	{WA_CHANGE_CONCLUDE, S(QUEUED), S(SKIPPED) | S(UNKNOWN), BEFORE_THE_WIRE},
	{WA_CHANGE_CONCLUDE, S(QUEUED), S(CANCELLED) | S(UNKNOWN), R(NO_LONGER_TRUE)},
	{WA_CHANGE_CONCLUDE, S(QUEUED), S(EXPIRED) | S(UNKNOWN), R(TIME_TO_LIVE)},
	{WA_CHANGE_CONCLUDE, S(QUEUED), S(FAILED) | S(UNKNOWN), REFUSED},
	{WA_CHANGE_CONCLUDE, S(QUEUED), S(HELD), R(COPY)},
	/* behind it; sent is true whatever the ledger has said meanwhile */
	{WA_CHANGE_CONCLUDE, ANYWHERE & ~(S(SUPERSEDED) | S(DELIVERED) | S(READ)), S(SENT), R(NONE)},
	{WA_CHANGE_CONCLUDE, S(SENDING), S(QUEUED), R(RETRY) | R(UNREACHABLE) | R(THROTTLED) | R(PROVIDER) | R(REFUSES_ALL) | REFUSED},
	{WA_CHANGE_CONCLUDE, S(SENDING), S(FAILED) | S(UNKNOWN), R(RECIPIENT) | REFUSED},
	{WA_CHANGE_CONCLUDE, S(SENDING), S(EXPIRED) | S(UNKNOWN), R(TIME_TO_LIVE)},
	{WA_CHANGE_CONCLUDE, S(SENDING), S(DOUBT) | S(UNKNOWN), R(NO_ANSWER) | R(INTERRUPTED)},
	/* the time in which a provider might tell is over */
	{WA_CHANGE_CONCLUDE, S(DOUBT), S(QUEUED), R(REPEAT)},
	{WA_CHANGE_CONCLUDE, S(DOUBT), S(HELD), R(UNKNOWN_OUTCOME) | R(MANY_UNKNOWN)},
	{WA_CHANGE_CONCLUDE, S(DOUBT), S(UNKNOWN), R(GAVE_UP) | R(TIME_TO_LIVE) | R(COPY)},
	{WA_CHANGE_TRY_OTHERS, S(FAILED), S(QUEUED), R(REFUSES_ALL)},

	{WA_CHANGE_REPLACE, S(QUEUED) | S(SKIPPED) | S(HELD), S(SUPERSEDED) | S(UNKNOWN), R(REPLACED)},
	{WA_CHANGE_SUPERSEDE, S(QUEUED) | S(HELD), S(SUPERSEDED) | S(UNKNOWN), R(NEWER_STATUS)},
	{WA_CHANGE_SUPERSEDE, S(DOUBT), S(UNKNOWN), R(NEWER_STATUS)},
	{WA_CHANGE_WRITE, S(HELD), S(HELD), R(SETTING_MISSING)},
	{WA_CHANGE_WRITE, S(HELD), S(EXPIRED), R(TIME_TO_LIVE)},
	{WA_CHANGE_WRITE, S(HELD), S(CANCELLED), R(NO_LONGER_TRUE)},
	{WA_CHANGE_WRITE, S(HELD), S(FAILED), R(REQUEST)},

	/* adrift: it says that it waits, or is on the wire, and nobody has it */
	{WA_CHANGE_LET_GO, S(HELD), S(QUEUED), R(RELEASED)},
	{WA_CHANGE_LET_GO, S(HELD), S(HELD), R(SETTING_MISSING)},
	{WA_CHANGE_LET_GO, S(QUEUED) | S(SENDING) | S(DOUBT) | S(FAILED) | S(UNKNOWN) | S(SKIPPED) | S(CANCELLED) | S(EXPIRED),
	S(QUEUED), R(RETRIED)},
	{WA_CHANGE_LET_GO, S(QUEUED) | S(SENDING) | S(DOUBT) | S(FAILED) | S(UNKNOWN) | S(SKIPPED) | S(CANCELLED) | S(EXPIRED),
	S(HELD), R(SETTING_MISSING)},
	{WA_CHANGE_LET_GO, S(QUEUED) | S(SENDING) | S(DOUBT) | S(FAILED) | S(UNKNOWN) | S(SKIPPED) | S(CANCELLED) | S(EXPIRED),
	S(SKIPPED) | S(UNKNOWN), R(NO_RECIPIENT) | R(NO_NUMBER)},
	{WA_CHANGE_CANCEL, S(QUEUED) | S(HELD) | S(SENDING) | S(DOUBT), S(CANCELLED) | S(UNKNOWN), R(CANCELLED)},
	{WA_CHANGE_SETTLE, ANYWHERE & ~(S(SENT) | S(DELIVERED) | S(READ)), S(SENT), R(SETTLED)},
	{WA_CHANGE_SETTLE, S(SENDING) | S(DOUBT) | S(UNKNOWN) | S(HELD), S(FAILED), R(SETTLED)},
	/* whatever the ledger says of one that is over: it has arrived */
	{WA_CHANGE_TELL, ENDS & ~S(SUPERSEDED), S(READ), R(NONE) | R(SETTLED)},
	{WA_CHANGE_TELL, ENDS & ~(S(SUPERSEDED) | S(READ)), S(DELIVERED), R(NONE) | R(SETTLED)},
	{WA_CHANGE_TELL, ENDS & ~(S(SUPERSEDED) | S(READ) | S(DELIVERED)), S(SENT), R(NONE) | R(SETTLED)},
	/* taken, and not delivered after all */
	{WA_CHANGE_TELL, S(SENT) | S(DOUBT), S(QUEUED), R(RETRY) | R(UNREACHABLE) | R(THROTTLED) | R(PROVIDER) | R(REFUSES_ALL) | REFUSED},
	{WA_CHANGE_TELL, S(SENT) | S(DOUBT), S(FAILED) | S(UNKNOWN), R(RECIPIENT) | REFUSED},
	{WA_CHANGE_TELL, S(SENT) | S(DOUBT), S(EXPIRED) | S(UNKNOWN), R(TIME_TO_LIVE)},

	/* a copy that is armed, or a database that was restored */
	{WA_CHANGE_HOLD, S(QUEUED), S(HELD), R(COPY)},
	{WA_CHANGE_HOLD, S(SENDING) | S(DOUBT) | S(UNKNOWN), S(UNKNOWN), R(COPY)},
	{WA_CHANGE_HOLD, S(DOUBT), S(UNKNOWN), ANY_REASON},
	{WA_CHANGE_DOUBT, S(QUEUED) | S(DOUBT) | S(HELD) | S(FAILED) | S(UNKNOWN) | S(SKIPPED) | S(CANCELLED) | S(EXPIRED),
	S(DOUBT), R(FAILOVER)},
	{WA_CHANGE_PURGE, S(HELD), S(EXPIRED), R(RETENTION)},

	/* what waits, or is on the wire, only the worker can carry out */
	{WA_CHANGE_HAND, ANYWHERE, ENDS | S(HELD), ANY_REASON},
};

const size_t wa_queue_nlaws = sizeof(wa_queue_laws) / sizeof(wa_queue_laws[0]);

/*
 * As it is stored; NULL for WA_STATE_NONE.
 */
const char *
wa_queue_state_name(WaState state)
{
	return state_names[state];
}

/*
 * As it is stored; NULL for WA_REASON_NONE, and for what is none of ours.
 */
const char *
wa_queue_reason_name(WaReason reason)
{
	return reason < WA_NREASONS ? reason_names[reason] : NULL;
}

/*
 * The state of this name, of a message that has a due time or not;
 * WA_STATE_NONE if there is none (or the name is NULL).
 */
WaState
wa_queue_state_read(const char *name, bool due)
{
	for (int state = WA_STATE_NONE + 1; name && state < WA_STATE_DOUBT; state++)
		if (strcmp(state_names[state], name) == 0)
			return due && state == WA_STATE_UNKNOWN ? WA_STATE_DOUBT : state;
	return WA_STATE_NONE;
}

/*
 * The reason of this name; WA_REASON_NONE if it is NULL, WA_NREASONS if it is
 * none of ours.
 */
WaReason
wa_queue_reason_read(const char *name)
{
	if (name == NULL)
		return WA_REASON_NONE;
	for (int reason = WA_REASON_NONE + 1; reason < WA_NREASONS; reason++)
		if (strcmp(reason_names[reason], name) == 0)
			return reason;
	return WA_NREASONS;
}

/*
 * May this kind of change take a message from the one state to the other, for
 * that reason?  A reason that is none of ours is as good as any for those who
 * may give any.
 */
bool
wa_queue_is_legal(WaStateChange change, WaState from, WaState to, WaReason reason)
{
	for (size_t i = 0; i < wa_queue_nlaws; i++)
	{
		const WaLaw *law = &wa_queue_laws[i];

		if (law->change == change && (law->from & WA_IN(from)) && (law->to & WA_IN(to)) &&
			(law->reasons == ANY_REASON || (reason < WA_NREASONS && (law->reasons & WA_FOR(reason)))))
			return true;
	}
	return false;
}

/*
 * The states from which this kind of change may lead to that one, for that
 * reason: bits of WA_IN().
 */
uint32_t
wa_queue_from(WaStateChange change, WaState to, WaReason reason)
{
	uint32_t	from = 0;

	for (int state = 0; state < WA_NSTATES; state++)
		if (wa_queue_is_legal(change, state, to, reason))
			from |= WA_IN(state);
	return from;
}
