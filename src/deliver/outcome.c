/*-------------------------------------------------------------------------
 *
 * outcome.c
 *		From a verdict to the message's next state.
 *
 * Transient refusals are tried again with backoff and jitter, bounded by a
 * number of attempts and by the message's time-to-live; where nobody could be
 * reached at all, by the latter only.  Trouble with the provider or a template
 * mapping is noted there, and the message is routed again; trouble with the
 * recipient, the policy or our own request is final.  Of an unknown outcome
 * nothing may be repeated blindly.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "utils/timestamp.h"

#include "deliver/outcome.h"
#include "pg/query.h"

#define MAX_ATTEMPTS		8
#define FIRST_BACKOFF_S		5
#define LONGEST_BACKOFF_S	3600

/*
 * Seconds to wait before the attempt after the n-th, doubled each time; the
 * first step may be the provider's (-1: the general one).
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

static void
end(WaVerdictRow *row, const char *state, const char *reason)
{
	row->state = state;
	row->reason = reason;
	row->due_at = 0;
}

/* Queue again after some seconds, unless that is too late or too often. */
static void
again(const WaTransfer *transfer, const WaItem *item, WaVerdictRow *row,
	  const char *reason, double wait_s, int max_attempts)
{
	TimestampTz due = GetCurrentTimestamp() + (int64) (wait_s * USECS_PER_SEC);

	if (transfer->attempt >= max_attempts)
	{
		end(row, "failed", "retries_exhausted");
		return;
	}
	if (item->expires_at != 0 && due >= item->expires_at)
	{
		end(row, "expired", "time_to_live");
		return;
	}
	row->state = "queued";
	row->reason = reason;
	row->due_at = due;
}

/*
 * The provider cannot be used as it is: say so once, where people look.  The
 * change of its row makes routing think again.  A row that somebody is just
 * editing is left alone (the next refusal comes by here again): results of
 * other messages must not wait for him.
 */
static bool
note_provider(const WaTransfer *transfer)
{
	static WaStatement note =
		WA_STATEMENT("UPDATE wa.provider SET state = 'error', last_error = $2, last_error_at = clock_timestamp()"
					 " WHERE name = (SELECT name FROM wa.provider WHERE name = $1 AND state <> 'error'"
					 " FOR NO KEY UPDATE SKIP LOCKED)");
	WaArgs		args = {0};

	wa_arg_text(&args, transfer->pace->name);
	wa_arg_text(&args, transfer->verdict.reason);
	if (wa_query(&note, &args) == 0)
		return false;
	ereport(WARNING,
			(errmsg("sicantik_wa stops using provider \"%s\": %s",
					transfer->pace->name, transfer->verdict.reason),
			 errhint("After mending the cause: SELECT * FROM wa_test_connection('%s').",
					 transfer->pace->name)));
	return true;
}

static bool
note_mapping(const WaTransfer *transfer)
{
	static WaStatement note =
		WA_STATEMENT("UPDATE wa.template_mapping SET status = 'error', last_error = $3,"
					 " last_error_at = clock_timestamp()"
					 " WHERE (template_key, provider) = (SELECT template_key, provider FROM wa.template_mapping"
					 " WHERE template_key = $2 AND provider = $1 AND status <> 'error'"
					 " FOR NO KEY UPDATE SKIP LOCKED)");
	WaArgs		args = {0};

	wa_arg_text(&args, transfer->pace->name);
	wa_arg_text(&args, transfer->template_key);
	wa_arg_text(&args, transfer->verdict.reason);
	if (wa_query(&note, &args) == 0)
		return false;
	ereport(WARNING,
			(errmsg("sicantik_wa stops using template \"%s\" with provider \"%s\": %s",
					transfer->template_key, transfer->pace->name, transfer->verdict.reason),
			 errhint("After mending it: SELECT wa_map_template('%s', '%s', '{\"status\": \"configured\"}').",
					 transfer->template_key, transfer->pace->name)));
	return true;
}

static void
note_opt_out(const WaItem *item)
{
	static WaStatement note =
		WA_STATEMENT("INSERT INTO wa.contact (number, opted_out_at, source) VALUES ($1, clock_timestamp(), 'provider')"
					 " ON CONFLICT (number) DO UPDATE SET opted_out_at = excluded.opted_out_at, source = excluded.source");
	WaArgs		args = {0};

	wa_arg_text(&args, item->number);
	wa_query(&note, &args);
}

static void
throttle(const WaTransfer *transfer, const WaItem *item, WaVerdictRow *row)
{
	const WaVerdict *verdict = &transfer->verdict;
	int64		now = wa_deliver_clock();
	double		wait = verdict->wait_s;

	if (verdict->scope == WA_SCOPE_RECIPIENT)
	{
		/* Meta's advice for one recipient: 4^x seconds */
		if (wait < 0)
		{
			wait = 1;
			for (int i = 1; i < transfer->attempt && wait < LONGEST_BACKOFF_S; i++)
				wait *= 4;
		}
		wa_schedule_hold_number(item->number, now + (int64) (wait * USECS_PER_SEC));
	}
	else
	{
		if (wait < 0)
			wait = backoff(transfer->pace->throttles + 1, verdict->backoff_s);
		wa_pacing_pause(transfer->pace, now + (int64) (wait * USECS_PER_SEC));
	}
	/* being told to wait is no failure: bounded by the time-to-live only */
	again(transfer, item, row, "throttled", Min(Max(wait, 1), LONGEST_BACKOFF_S), PG_INT32_MAX);
}

/*
 * Decide how the message goes on; strings of *row point into the transfer.
 * In a transaction: trouble is noted with the provider, mapping or contact.
 * Returns true if that changed the configuration, so that nothing else is
 * given to a provider or mapping that has just been found useless.
 */
bool
wa_outcome_apply(const WaTransfer *transfer, const WaItem *item, WaVerdictRow *row)
{
	const WaVerdict *verdict = &transfer->verdict;
	int			retries = verdict->max_retries;
	int			most = retries >= 0 ? Min(retries + 1, MAX_ATTEMPTS) : MAX_ATTEMPTS;
	bool		changed = false;

	memset(row, 0, sizeof(*row));
	row->id = transfer->message_id;
	row->detail = verdict->reason[0] ? verdict->reason : NULL;
	if (verdict->opt_out)
		note_opt_out(item);

	switch (verdict->outcome)
	{
		case WA_OUTCOME_ACCEPTED:
			end(row, "sent", NULL);
			row->sent_at = transfer->finished_at;
			row->provider_message_id = verdict->message_id[0] ? verdict->message_id : NULL;
			break;
		case WA_OUTCOME_RETRY:
			again(transfer, item, row, "retry",
				  verdict->wait_s >= 0 ? (double) verdict->wait_s : backoff(transfer->attempt, verdict->backoff_s),
				  transfer->http_status == 0 ? PG_INT32_MAX : most);
			break;
		case WA_OUTCOME_THROTTLE:
			throttle(transfer, item, row);
			break;
		case WA_OUTCOME_PROVIDER:
			changed = note_provider(transfer);
			again(transfer, item, row, "provider", 1, PG_INT32_MAX);
			break;
		case WA_OUTCOME_TEMPLATE:
			if (transfer->template_key && transfer->as_template)
			{
				changed = note_mapping(transfer);
				again(transfer, item, row, "template", 1, PG_INT32_MAX);
			}
			else
				end(row, "failed", "template");
			break;
		case WA_OUTCOME_RECIPIENT:
			end(row, "failed", "recipient");
			break;
		case WA_OUTCOME_POLICY:
			end(row, "failed", "policy");
			break;
		case WA_OUTCOME_CALLER:
			end(row, "failed", "request");
			break;
		case WA_OUTCOME_UNKNOWN:
			end(row, "unknown", "no_answer");
			break;
	}
	return changed;
}
