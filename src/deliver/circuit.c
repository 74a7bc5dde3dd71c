/*-------------------------------------------------------------------------
 *
 * circuit.c
 *		The circuit breaker: when a provider is not used any more.
 *
 * What an attempt says of its provider is remembered once, when the attempt
 * ends; the circuit is opened in the transaction that records it, which may
 * have to be repeated.  Nothing is written per message: what a restart of the
 * worker must know is the row's state, or is read from the ledger.
 *
 * One refusal in words that no table has is about its message.  Several
 * recipients refused so one after the other tell of the provider: its device
 * was banned, its account ran out.
 *
 * A provider whose circuit was closed again gets one message at a time until
 * it has accepted one; if the first one fails the circuit opens again, for
 * twice as long as before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "deliver/circuit.h"
#include "pg/query.h"
#include "queue/alert.h"
#include "queue/work.h"

/* So many attempts in a row that speak against a provider open its circuit. */
#define AGAINST_IN_A_ROW	5

/* So many recipients refused in the same unknown words are not at fault. */
#define RECIPIENTS_IN_A_ROW	3

/* More unknown outcomes than these among the recent ones are too many. */
#define UNKNOWNS_ALLOWED	(WA_PACE_RECENT * 5 / 100)

#define LONGEST_PROBE_S		(15 * 60)

/* Meta lifts a restriction of the whole number after hours, if at all. */
#define POLICY_PROBE_S		(60 * 60)

/*
 * Does an attempt speak against the provider: nobody reached, no answer, out
 * of order?  A refusal of this one message shows that it works.
 */
static bool
speaks_against(WaOutcome outcome, int http_status)
{
	switch (outcome)
	{
		case WA_OUTCOME_ACCEPTED:
			return false;
		case WA_OUTCOME_RETRY:
		case WA_OUTCOME_PROVIDER:
		case WA_OUTCOME_UNKNOWN:
			return true;
		default:
			return http_status >= 500;
	}
}

/* We broke it off, or kept it back, ourselves: it says nothing. */
static bool
was_interrupted(const char *code)
{
	return strcmp(code, WA_CODE_INTERRUPTED) == 0 || strcmp(code, WA_CODE_WITHHELD) == 0;
}

static void
remember(WaPace *pace, bool unknown)
{
	if (pace->nrecent < WA_PACE_RECENT)
		pace->nrecent++;
	else if (pace->recent[pace->next_recent])
		pace->unknowns--;
	pace->recent[pace->next_recent] = unknown;
	pace->next_recent = (pace->next_recent + 1) % WA_PACE_RECENT;
	if (unknown)
		pace->unknowns++;
}

static void
note(WaPace *pace, WaOutcome outcome, int http_status)
{
	remember(pace, outcome == WA_OUTCOME_UNKNOWN);
	if (outcome == WA_OUTCOME_ACCEPTED)
	{
		pace->openings = 0;
		pace->trial = false;
	}
	if (speaks_against(outcome, http_status))
		pace->against++;
	else
		pace->against = 0;
}

/*
 * An attempt is over (transfer.c): remember what it says of the provider.
 */
void
wa_deliver_circuit_note(const WaTransfer *transfer)
{
	if (!was_interrupted(transfer->verdict.code))
		note(transfer->pace, transfer->verdict.outcome, transfer->http_status);
}

/*
 * What an earlier worker has seen of this provider.  Only the newest attempts
 * of the ledger are looked at.
 */
void
wa_deliver_circuit_read_ledger(WaPace *pace)
{
	static WaStatement history =
		WA_STATEMENT("SELECT outcome, coalesce(http_status, 0) FROM"
					 " (SELECT outcome, http_status, finished_at, message_id FROM " WA_NEWEST_ATTEMPTS " WHERE provider = $1"
					 " AND coalesce(provider_code, '') NOT IN ('" WA_CODE_INTERRUPTED "', '" WA_CODE_WITHHELD "')"
					 " ORDER BY finished_at DESC NULLS LAST, message_id DESC LIMIT $2) AS a"
					 " ORDER BY finished_at NULLS FIRST, message_id");
	WaOutcome	outcome = WA_OUTCOME_ACCEPTED;
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, pace->name);
	wa_arg_int4(&args, WA_PACE_RECENT);
	rows = wa_query(&history, &args);
	for (uint64 i = 0; i < rows.n; i++)
		if (wa_gateway_outcome_from_name(wa_row_text(rows, i, 1), &outcome))
			note(pace, outcome, wa_row_int4(rows, i, 2));
	wa_rows_free(rows);

	/* it was just tried again when the earlier worker ended, or is open still */
	if (outcome == WA_OUTCOME_PROVIDER || pace->against >= AGAINST_IN_A_ROW)
	{
		pace->openings = 1;
		pace->trial = true;
	}
	pace->against = 0;
	pace->doubt_said = pace->unknowns > UNKNOWNS_ALLOWED;
	wa_deliver_circuit_take_over(pace);
}

/*
 * The row of the provider has been loaded: what has somebody made of it?
 */
void
wa_deliver_circuit_take_over(WaPace *pace)
{
	const WaProvider *p = pace->provider;
	bool		open = p->state == WA_PROVIDER_ERROR;

	pace->probe_at = p->probe_at;
	if (p->state == WA_PROVIDER_DRAFT)
	{
		/* other credentials, another story */
		pace->against = pace->openings = 0;
		pace->trial = false;
	}
	else if (pace->open && !open)
	{
		/* one message tells more than what we were told before */
		pace->paused_us = 0;
		pace->against = 0;
		pace->trial = true;
		pace->trial_since = GetCurrentTimestamp();
	}
	pace->open = open;
}

/* The first wait, doubled so many times. */
static int
doubled(int times)
{
	int			wait = WA_FIRST_PROBE_S;

	for (int i = 0; i < times && wait < LONGEST_PROBE_S; i++)
		wait *= 2;
	return Min(wait, LONGEST_PROBE_S);
}

/*
 * Seconds until the next probe of an open circuit, of which "failed" have come
 * to nothing.  Openings without an accepted message in between count too, so
 * that a provider whose test succeeds and whose messages fail is not tried
 * twice a minute for ever.
 */
int
wa_deliver_circuit_probe_wait(const WaPace *pace, int failed)
{
	return doubled(failed + Max(pace->openings - 1, 0));
}

/*
 * In a transaction: stop using a provider whose row says configured, and tell
 * people.  started_at: what has gone wrong began then, so a test that has
 * succeeded since knows better.  first_probe_s: seconds until the first probe;
 * 0: as usual.  Returns false if that was not to be done, or somebody is just
 * editing the row.
 */
bool
wa_deliver_circuit_open(WaPace *pace, const char *cause, WaSaid reason,
						TimestampTz started_at, int first_probe_s)
{
	static WaStatement open =
		WA_STATEMENT("UPDATE wa.provider SET state = 'error', last_error = $2, last_error_said = $3,"
					 " last_error_at = clock_timestamp(), failed_probes = 0,"
					 " probe_at = clock_timestamp() + $4 * interval '1 second'"
					 " WHERE name = (SELECT name FROM wa.provider WHERE name = $1 AND state = 'configured'"
					 " AND (tested_at IS NULL OR tested_at < $5 OR tested_at > clock_timestamp())"
					 " FOR NO KEY UPDATE SKIP LOCKED)");
	WaArgs		args = {0};

	if (first_probe_s == 0)
		first_probe_s = doubled(pace->openings);
	wa_arg_text(&args, pace->name);
	wa_arg_said(&args, reason);
	wa_arg_int4(&args, first_probe_s);
	wa_arg_timestamptz(&args, started_at);
	if (wa_query(&open, &args).n == 0)
		return false;
	pace->openings++;
	ereport(WARNING,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("sicantik_wa stops using provider \"%s\": %s", pace->name, wa_said_english(reason)),
			 errdetail("Its connection is tested again in %d seconds, and it is used when that succeeds.",
					   first_probe_s),
			 errhint("After mending the cause: SELECT * FROM wa_test_connection('%s').", pace->name)));
	wa_queue_alert(pace->name, cause, reason);
	return true;
}

/*
 * Many outcomes are unknown: say it when it begins.  It is over when they have
 * become few, not when the count falls by one: around the limit it goes up and
 * down with every attempt.
 */
static void
say_doubt(WaPace *pace)
{
	WaSaid		reason;

	if (pace->unknowns <= UNKNOWNS_ALLOWED / 2)
		pace->doubt_said = false;
	if (pace->doubt_said || pace->unknowns <= UNKNOWNS_ALLOWED)
		return;
	pace->doubt_said = true;
	reason = wa_say(WA_SAY_MANY_UNKNOWN_OUTCOMES, WA_NUMBER(pace->nrecent), WA_NUMBER(pace->unknowns));
	ereport(WARNING,
			(errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
			 errmsg("sicantik_wa holds messages in doubt of provider \"%s\" instead of repeating them: %s",
					pace->name, wa_said_english(reason)),
			 errhint("Find out whether they have arrived; then wa_retry() or wa_cancel().")));
	wa_queue_alert(pace->name, "unknown", reason);
}

/*
 * Does the provider refuse everybody in these words, not only this recipient?
 */
static bool
refuses_all(const WaTransfer *transfer)
{
	WaRefusals	refusals;

	if (transfer->verdict.unlisted[0] == '\0')
		return false;
	wa_queue_refusals(transfer->pace->name, transfer->verdict.unlisted, transfer->message_id, &refusals);
	return !refusals.own && refusals.recipients >= RECIPIENTS_IN_A_ROW;
}

/*
 * Called once for each attempt that is over, in the transaction that records
 * it, when the ledger has it.  Opens the circuit where this verdict alone says
 * so (PROVIDER, POLICY for the whole provider), where too many attempts in a
 * row have failed for reasons that speak against the provider, or where it has
 * refused several recipients in a row in the same words that are in no table
 * (transfer->refuses_all, whether it was opened by this call or not).  Returns
 * true if the circuit was opened by this call, so that the configuration is to
 * be loaded again.
 */
bool
wa_deliver_circuit_count(WaTransfer *transfer)
{
	const WaVerdict *verdict = &transfer->verdict;
	WaPace	   *pace = transfer->pace;
	bool		on_trial = pace->trial && transfer->started_at >= pace->trial_since;
	WaSaid		why = WA_SAID_IN(&verdict->said);

	transfer->refuses_all = transfer->opened = false;
	if (was_interrupted(verdict->code))
		return false;
	say_doubt(pace);
	if (refuses_all(transfer))
	{
		transfer->refuses_all = true;
		transfer->opened =
			wa_deliver_circuit_open(pace, "refusals",
									wa_say(WA_SAY_REFUSES_EVERYBODY, why),
									transfer->started_at, 0);
		return transfer->opened;
	}
	if (verdict->outcome == WA_OUTCOME_PROVIDER)
		return wa_deliver_circuit_open(pace, verdict->code[0] ? verdict->code : psprintf("http %d", transfer->http_status),
									   why, transfer->started_at, 0);
	if (verdict->outcome == WA_OUTCOME_POLICY && verdict->scope == WA_SCOPE_PROVIDER)
		return wa_deliver_circuit_open(pace, verdict->code, why, transfer->started_at, POLICY_PROBE_S);
	if (pace->against >= AGAINST_IN_A_ROW)
		return wa_deliver_circuit_open(pace, "attempts",
									   wa_say(WA_SAY_ATTEMPTS_IN_A_ROW_FAILED, WA_NUMBER(pace->against), why),
									   transfer->started_at, 0);
	if (on_trial && speaks_against(verdict->outcome, transfer->http_status))
		return wa_deliver_circuit_open(pace, "attempts",
									   wa_say(WA_SAY_FIRST_MESSAGE_FAILED, why),
									   transfer->started_at, 0);
	return false;
}

/*
 * Are more than 5 of the provider's last 100 answered or unanswered attempts
 * of unknown outcome?  Attempts that we broke off ourselves do not count.
 */
bool
wa_deliver_circuit_in_doubt(const char *provider)
{
	WaPace	   *pace = wa_deliver_pacing_find(provider);

	return pace && pace->unknowns > UNKNOWNS_ALLOWED;
}
