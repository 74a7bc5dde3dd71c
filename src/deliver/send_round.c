/*-------------------------------------------------------------------------
 *
 * send_round.c
 *		The send round, and the face of this module.
 *
 * One transaction per round: record what was answered, carry out requests,
 * load what is ready, claim what goes now; then commit, durably, and only
 * then put it on the wire.  So one commit serves many messages, and no
 * transaction is ever open while a provider takes its time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "compose/compose.h"
#include "deliver/apply.h"
#include "deliver/aside.h"
#include "deliver/circuit.h"
#include "deliver/deliver.h"
#include "deliver/send.h"
#include "deliver/template_list.h"
#include "feedback/consent.h"
#include "deliver/told.h"
#include "identity/identity.h"
#include "office/setting.h"
#include "pg/frame.h"
#include "pg/pg_compat.h"
#include "pg/query.h"
#include "queue/queue.h"
#include "sicantik_wa.h"
#include "wake/progress.h"
#include "wake/stat.h"
#include "wake/wake.h"

WA_MODULE_MAGIC("sicantik_wa_worker");

#define REQUEST_BATCH	1000
#define MAX_TRANSFERS	256
#define STOPPED_RETRY_US (120 * USECS_PER_SEC)
#define CLOSE_RETRY_MS	50
#define CLOSE_RETRIES	20

/* So many that wait are worth a row of wa.stat_progress. */
#define DRAIN			100

static WaSendConfig config;
static bool reload_wanted = true;
static WaTransfer *unrecorded = NULL;	/* finished, not yet committed */
static TimestampTz next_due_row = 0;

/* The round that is running, or that an error has ended. */
static MemoryContext round_context = NULL;
static bool round_open = false;
static bool kept_out = false;	/* the last one could not begin */
static WaInTheWay before_round; /* locks */
static WaInTheWay before_identity;
static WaInTheWay before_rows;
static bool round_committed = false;
static WaTransfer *claimed[MAX_TRANSFERS];
static int	nclaimed = 0;

/* The sending hours of all scenarios, and the holidays, in the current context. */
static void
load_hours(WaSendConfig *fresh)
{
	static const WaColumn hours_columns[] = {
		WA_COLUMN(WaScenarioHours, text, scenario, "key"),
		WA_HOURS_COLUMNS(WaScenarioHours, hours),
	};
	static const WaRowType hours_row = WA_ROW_TYPE(WaScenarioHours, hours_columns);
	static WaStatement load = WA_STATEMENT_OF(&hours_row, "SELECT {columns} FROM wa.scenario ORDER BY key");

	fresh->hours = wa_rows_read(wa_query(&load, NULL), &hours_row, &fresh->nhours);
	fresh->holidays = wa_office_holidays();
}

static bool
same_hours(const WaHours *a, const WaHours *b)
{
	return a->any_time == b->any_time && a->from_us == b->from_us && a->to_us == b->to_us && a->weekdays == b->weekdays;
}

/*
 * If hours have changed, what waits for them is to be looked at again.
 */
static void
look_at_hours_again(const WaSendConfig *fresh)
{
	bool		same = fresh->nhours == config.nhours &&
		strcmp(fresh->time_zone, config.time_zone) == 0 && wa_office_holidays_same(fresh->holidays, config.holidays);

	for (int i = 0; same && i < fresh->nhours; i++)
		same = strcmp(fresh->hours[i].scenario, config.hours[i].scenario) == 0 &&
			same_hours(&fresh->hours[i].hours, &config.hours[i].hours);
	if (!same)
		wa_queue_wake_hours();
}

static void
load_config(void)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "sicantik_wa send configuration",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	WaSendConfig fresh = {0};

	fresh.context = context;
	wa_route_load_providers(&fresh.providers, true);
	fresh.mappings = wa_route_load_mappings(&fresh.nmappings);
	fresh.schema = wa_office_get("odoo_schema");
	fresh.time_zone = wa_office_get("time_zone");
	fresh.unknown_wait_us = wa_office_get_interval("unknown_wait");
	load_hours(&fresh);
	wa_deliver_pacing_load(&fresh.providers, fresh.time_zone);
	MemoryContextSwitchTo(old);
	if (config.context)
	{
		look_at_hours_again(&fresh);
		MemoryContextDelete(config.context);
	}
	config = fresh;
	wa_deliver_schedule_reconsider();
	wa_deliver_templates_look();
	reload_wanted = false;
}

/*
 * Put off the answers to messages whose row somebody has locked at the moment.
 */
static void
postpone_locked(int n)
{
	int64	   *ids = palloc(sizeof(int64) * n);
	bool	   *locked = palloc(sizeof(bool) * n);
	int			i = 0;

	for (WaTransfer *transfer = unrecorded; transfer; transfer = transfer->next)
		ids[i++] = transfer->message_id;
	wa_deliver_aside_or_locked(ids, n, locked);
	i = 0;
	for (WaTransfer *transfer = unrecorded; transfer; transfer = transfer->next)
		transfer->postponed = locked[i++];
}

/*
 * Everything that was answered since the last commit.
 */
static int
record_finished(WaConclusions *conclusions)
{
	WaAttemptRow *attempts;
	WaTransfer *transfer;
	WaTransfer **tail = &unrecorded;
	int			n = 0;

	while (*tail)
		tail = &(*tail)->next;
	while ((transfer = wa_deliver_transfer_finished()) != NULL)
	{
		*tail = transfer;
		tail = &transfer->next;
	}
	for (transfer = unrecorded; transfer; transfer = transfer->next)
		n++;
	if (n == 0)
		return 0;
	postpone_locked(n);
	attempts = palloc0(sizeof(WaAttemptRow) * n);
	n = 0;
	for (transfer = unrecorded; transfer; transfer = transfer->next)
	{
		WaAttemptRow *row = &attempts[n];

		if (transfer->postponed)
			continue;
		n++;
		row->message_id = transfer->message_id;
		row->attempt = transfer->attempt;
		row->provider = transfer->pace->name;
		row->started_at = transfer->started_at;
		row->finished_at = transfer->finished_at;
		row->http_status = transfer->http_status;
		row->provider_code = transfer->verdict.code;
		row->outcome = wa_gateway_outcome_name(transfer->verdict.outcome);
		row->response = transfer->response[0] ? wa_said_quote(transfer->response) : WA_SAID_IN(&transfer->verdict.said);
		row->unlisted = transfer->verdict.unlisted;
		row->provider_message_id = transfer->verdict.message_id;
	}
	/* written first: what one refusal means is read from the ledger */
	wa_deliver_aside_attempts(attempts, n);
	for (transfer = unrecorded; transfer; transfer = transfer->next)
	{
		WaVerdictRow *verdict;

		transfer->postponed = transfer->postponed || wa_deliver_is_aside(transfer->message_id);
		if (transfer->postponed)
			continue;
		verdict = wa_deliver_conclude(conclusions, transfer->message_id, WA_STATE_SENT, WA_REASON_NONE, NULL);
		if (wa_deliver_apply_attempt(transfer, wa_deliver_schedule_find(transfer->message_id), config.unknown_wait_us, verdict))
			reload_wanted = true;
		if (verdict->due_at != 0 &&
			(next_due_row == 0 || verdict->due_at < next_due_row))
			next_due_row = verdict->due_at;
	}
	return n;
}

/*
 * Write what the answers have come to.  Where a provider has been found to
 * refuse everybody, those that it had refused before that was known are ready
 * again.
 */
static void
conclude_recorded(WaConclusions *conclusions)
{
	wa_deliver_aside_conclude(conclusions);
	for (WaTransfer *transfer = unrecorded; transfer; transfer = transfer->next)
	{
		int64	   *ids;
		int			n;

		transfer->postponed = transfer->postponed || wa_deliver_is_aside(transfer->message_id);
		if (transfer->postponed || !transfer->opened)
			continue;
		n = wa_queue_revive_refused(transfer->pace->name, transfer->verdict.unlisted, &ids);
		wa_deliver_put_off(ids, n);
		if (n > 0)
			ereport(LOG,
					(errmsg_plural("sicantik_wa tries %d message again that provider \"%s\" had refused like the others",
								   "sicantik_wa tries %d messages again that provider \"%s\" had refused like the others",
								   n, n, transfer->pace->name)));
	}
}

/* Its result is committed. */
static void
count_result(const WaTransfer *transfer, const WaItem *item)
{
	wa_wake_stat_add(WA_STAT_WIRE_TIME, (uint64) Max(transfer->finished_at - transfer->started_at, 0));
	if (transfer->verdict.outcome != WA_OUTCOME_ACCEPTED)
		return;
	wa_wake_stat_add(WA_STAT_ACCEPTED, 1);
	if (item)
		wa_wake_stat_latency(transfer->finished_at - item->seen_at);
}

/*
 * The results are safe: forget the transfers, and the messages with them but
 * for those that go on at once.  Returns whether there are any.
 */
static bool
forget_recorded(void)
{
	WaTransfer **link = &unrecorded;
	bool		any = false;

	while (*link)
	{
		WaTransfer *transfer = *link;
		WaItem	   *item;

		if (transfer->postponed)
		{
			link = &transfer->next;
			continue;
		}
		*link = transfer->next;
		item = wa_deliver_schedule_find(transfer->message_id);
		count_result(transfer, item);
		if (item && transfer->goes_on)
		{
			wa_deliver_schedule_refused(item, transfer->pace->name, transfer->tried, transfer->goes_on,
										WA_SAID_IN(&transfer->verdict.said),
										transfer->wait_s);
			any = true;
		}
		else if (item)
			wa_deliver_schedule_remove(item);
		wa_deliver_transfer_free(transfer);
	}
	return any;
}

/*
 * A copy must not send: what waits is held, a batch a round.
 */
static bool
hold_waiting(WaConclusions *conclusions, WaSaid why)
{
	WaItem	   *items[1000];
	int			n = wa_deliver_schedule_waiting(items, lengthof(items));

	for (int i = 0; i < n; i++)
	{
		if (wa_deliver_is_aside(items[i]->id))
			continue;
		wa_deliver_schedule_set_gone(items[i]);
		wa_deliver_conclude(conclusions, items[i]->id, WA_STATE_HELD, WA_REASON_COPY, why);
	}
	return n == lengthof(items);
}

/* One log line whenever the reason for not sending changes. */
static void
say_why_stopped(const WaIdentity *identity)
{
	const char *why = wa_said_english(identity->why);

	if (wa_wake_new_reason(why))
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sicantik_wa sends nothing from this database"),
				 errdetail("Reason: %s.", why)));
}

static long
timeout_of(const WaTransfer *transfer)
{
	const WaProvider *provider = transfer->pace->provider;
	long		slow = 0;

	if (provider && transfer->gateway->timeout_ms)
		slow = transfer->gateway->timeout_ms(provider->settings, provider->nsettings);
	return Max(wa_guc_request_timeout, slow);
}

/*
 * Put on the wire what has been claimed, once the claim is committed.
 */
static void
put_on_wire(void)
{
	bool		any = nclaimed > 0;
	bool		on_standby = any && wa_identity_standbys_have_commit();

	while (nclaimed > 0)
	{
		WaTransfer *transfer = claimed[--nclaimed];
		WaItem	   *item = wa_deliver_schedule_find(transfer->message_id);
		const WaProvider *provider = transfer->pace->provider;

		wa_deliver_schedule_on_wire(item, provider ? provider->recipient_gap_us : 0);
		wa_deliver_pacing_sent(transfer->pace, wa_deliver_clock());
		if (transfer->withheld)
			wa_deliver_transfer_refuse(transfer, WA_CODE_WITHHELD, wa_say(WA_SAY_HAS_JUST_OPTED_OUT));
		else if (on_standby)
			wa_deliver_transfer_submit(transfer, timeout_of(transfer));
		else
			wa_deliver_transfer_refuse(transfer, "not_sent", wa_say(WA_SAY_STANDBY_NOT_CONFIRMED));
	}
	if (any)
		wa_deliver_transfer_drive();
}

/*
 * Begin a round; tidy up behind one that an error has ended.  What it claimed
 * and committed goes on the wire now, what it did not commit has not happened.
 * Returns true if there was such a one.
 */
static bool
start_round(void)
{
	bool		after_error = round_open;

	if (round_context == NULL)
		round_context = AllocSetContextCreate(TopMemoryContext, "sicantik_wa send round",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(round_context);
	if (round_open)
	{
		if (round_committed)
		{
			wa_deliver_schedule_remove_gone();
			put_on_wire();
		}
		else
		{
			wa_deliver_schedule_forget_waiting();
			while (nclaimed > 0)
				wa_deliver_transfer_free(claimed[--nclaimed]);
			/* what waits for the former hours has not been woken */
			config.nhours = 0;
			reload_wanted = true;
		}
		wa_deliver_read_again();
		wa_deliver_aside_begin();
	}
	round_open = true;
	round_committed = false;
	return after_error;
}

/* The time of a monotonic instant, for the worker's sleep. */
static TimestampTz
wall_time(int64 monotonic)
{
	return GetCurrentTimestamp() + Max(monotonic - wa_deliver_clock(), 0);
}

/* What people asked for, and what has come of it. */
typedef struct Requests
{
	int64	   *forgotten;
	int			nforgotten;
	int64	   *revived;
	int			nrevived;
	int64	   *failed;			/* what was sent, and is to be sent again */
	int			nfailed;
	bool		changed;		/* of the configuration */
	bool		unwritten;
	bool		left;
	bool		more;
} Requests;

static void
carry_out_requests(void *argument)
{
	Requests   *r = argument;
	int64	   *busy;
	int			nbusy = wa_deliver_schedule_busy(&busy);
	Requests	done = {0};

	done.more = wa_queue_requests(REQUEST_BATCH, busy, nbusy, &done.forgotten, &done.nforgotten,
								  &done.revived, &done.nrevived, &done.unwritten, &done.left);
	done.nfailed = wa_deliver_told_failed(&config, busy, nbusy, &done.failed, &done.changed);
	*r = done;
}

/* Words that could not be carried over where they were said: *argument, is any left? */
static void
settle_consent(void *argument)
{
	*(bool *) argument = !wa_feedback_consent_settle();
}

/* So many results are recorded: how far is what waits? */
static void
note_drain(int nrecorded)
{
	int			left = wa_deliver_schedule_size();
	bool		beyond = wa_deliver_line_any_left();

	if (!wa_wake_progress_runs(WA_COMMAND_DRAIN) && left < DRAIN && !beyond)
		return;
	if (left == 0 && !beyond)
	{
		wa_wake_progress_end(WA_COMMAND_DRAIN);
		return;
	}
	wa_wake_progress_begin(WA_COMMAND_DRAIN, 0);
	wa_wake_progress_add(WA_COMMAND_DRAIN, nrecorded);
	wa_wake_progress_total(WA_COMMAND_DRAIN, beyond ? PG_UINT64_MAX : (uint64) left);
	wa_wake_progress_phase(WA_COMMAND_DRAIN, wa_deliver_transfer_in_flight() > 0 ? WA_PHASE_SENDING : WA_PHASE_WAITING);
}

static bool
run(bool may_send, TimestampTz *next_due)
{
	WaConclusions conclusions = {0};
	WaIdentity	identity;
	int64		again = PG_INT64_MAX;
	Requests	asked = {0};
	int			nrecorded;
	int			nsending;
	bool		more;
	bool		after_error;
	bool		holding;
	bool		unsettled = false;

	*next_due = 0;
	kept_out = !wa_frame_begin("sending messages");
	wa_wake_retry(&before_round, kept_out, next_due);
	if (kept_out)
	{
		/* a table of ours, or the extension, is locked */
		return false;
	}
	after_error = start_round();
	MemoryContextSwitchTo(round_context);
	(void) wa_wake_stat_stage(WA_STAT_RECORD_TIME);
	nrecorded = record_finished(&conclusions);
	if (after_error && nrecorded > 0)
	{
		/* whatever is wrong elsewhere, answers must not be lost over it */
		conclude_recorded(&conclusions);
		wa_frame_commit(true);
		round_committed = true;
		forget_recorded();
		round_open = false;
		return true;
	}
	if (reload_wanted)
		load_config();
	if (nrecorded > 0)
	{
		/* written first: what follows reads the rows of these messages */
		conclude_recorded(&conclusions);
	}
	(void) wa_wake_stat_stage(WA_STAT_CHOOSE_TIME);
	(void) wa_deliver_aside_try(WA_ASIDE_CONTACT, settle_consent, &unsettled);
	wa_identity_check(&identity);
	say_why_stopped(&identity);
	conclusions.copy = identity.mode == WA_MODE_STOPPED && identity.is_copy ? identity.why : NULL;
	holding = identity.hold_message_id > 0 &&
		wa_queue_hold_before(identity.hold_message_id, 1000) > 0;
	more = holding;
	if (!holding)
	{
		more = wa_deliver_aside_try(WA_ASIDE_REQUESTS, carry_out_requests, &asked) && asked.more;
		/* what was told of a provider or mapping holds for what goes now */
		if (asked.changed)
			load_config();
		if (asked.unwritten)
			wa_compose_unwritten_look();
		more = wa_deliver_take_due(&config, &conclusions, &next_due_row) || more;
		wa_deliver_take_again(&config, &conclusions, asked.revived, asked.nrevived);
		wa_deliver_take_again(&config, &conclusions, asked.failed, asked.nfailed);
		more = wa_deliver_take_ready(&config, &conclusions) || more;
	}

	for (int i = 0; i < asked.nforgotten; i++)
	{
		WaItem	   *item = wa_deliver_schedule_find(asked.forgotten[i]);

		if (item)
			wa_deliver_schedule_set_gone(item);
	}
	/* what a doubt came to, before it is claimed again */
	wa_deliver_aside_conclude(&conclusions);
	wa_wake_retry(&before_identity, identity.locked && wa_deliver_schedule_size() > 0, next_due);
	if (identity.mode == WA_MODE_STOPPED)
	{
		if (identity.is_copy)
			more = hold_waiting(&conclusions, identity.why) || more;
		else if (wa_deliver_schedule_size() > 0 && !identity.locked)
			wa_wake_sooner(next_due, GetCurrentTimestamp() + STOPPED_RETRY_US);
	}
	else if (wa_wake_reload_waits())
	{
		/*
		 * a pause that was there before a message must be known before it
		 * goes
		 */
		more = true;
	}
	else if (may_send && !holding)
	{
		bool		any_due = next_due_row != 0;
		int			room;

		/*
		 * what was answered meanwhile makes room; it is recorded by the next
		 * round
		 */
		wa_deliver_transfer_drive();
		room = Min(wa_guc_max_in_flight - wa_deliver_transfer_in_flight(), MAX_TRANSFERS);

		/* one number gets them all: one at a time */
		if (identity.mode == WA_MODE_TEST)
			room = Min(room, 1 - wa_deliver_transfer_in_flight());

		if (wa_deliver_circuit_run(&config.providers, next_due))
			reload_wanted = more = true;
		if (wa_deliver_templates_run(&config.providers, next_due))
			reload_wanted = more = true;
		if (room > 0 && wa_deliver_transfer_ready())
		{
			/* of what is taken in, what Odoo said before it counts */
			wa_frame_look_anew();
			wa_deliver_choose(&config, &identity, room, any_due, &conclusions,
							  claimed, &nclaimed, &again);
		}
		more = more || nclaimed == MAX_TRANSFERS;
	}
	wa_deliver_aside_conclude(&conclusions);
	nsending = nclaimed;
	(void) wa_wake_stat_stage(WA_STAT_COMMIT_TIME);
	wa_frame_commit(nrecorded > 0 || nsending > 0);
	round_committed = true;
	(void) wa_wake_stat_stage(WA_STAT_SEND_TIME);

	more = forget_recorded() || more;
	wa_deliver_schedule_remove_gone();
	wa_deliver_withhold(claimed, nclaimed);
	put_on_wire();
	wa_deliver_circuit_probe();
	wa_deliver_templates_ask();
	wa_deliver_aside_end();
	round_open = false;
	note_drain(nrecorded);
	(void) wa_wake_stat_stage(WA_STAT_OTHER_TIME);
	/* numbers were busy until just now */
	if (nrecorded > 0 && wa_deliver_schedule_behind())
		more = true;
	more = more || wa_deliver_line_any_wants();
	wa_wake_sooner(next_due, next_due_row);
	wa_wake_retry(&before_rows, unrecorded || wa_deliver_any_put_off(), next_due);
	if (wa_deliver_any_aside() || unsettled)
		wa_wake_sooner(next_due, GetCurrentTimestamp() + USECS_PER_SEC);
	if (again != PG_INT64_MAX)
		wa_wake_sooner(next_due, wall_time(again));
	if (asked.left)
		wa_wake_sooner(next_due, GetCurrentTimestamp() + WA_LOCKED_RETRY_US);
	/* an answer may have come at once, or a request failed to start */
	return more || wa_deliver_transfer_any_finished();
}

/* Answers that only this process knows. */
static int
count_unrecorded(void)
{
	int			n = (wa_deliver_transfer_any_finished() ? 1 : 0) + wa_deliver_circuit_probing() +
		wa_deliver_templates_reading();

	for (WaTransfer *transfer = unrecorded; transfer; transfer = transfer->next)
		n++;
	return n;
}

static bool
any_answered(void)
{
	return unrecorded != NULL || wa_deliver_transfer_any_finished();
}

/* Bare numbers of the messages that wait: their contacts will be asked for. */
static int
numbers_ahead(const char **numbers, int most)
{
	WaItem	  **items = palloc(sizeof(WaItem *) * most);
	int			n = wa_deliver_schedule_waiting(items, most);
	int			count = 0;

	for (int i = 0; i < n; i++)
		if (items[i]->partner_id == 0 && items[i]->number[0] != '\0')
			numbers[count++] = items[i]->number;
	return count;
}

static void
open_sender(void)
{
	wa_deliver_transfer_open();
	wa_deliver_schedule_init();
	wa_route_bare_ahead(numbers_ahead);
	/* of the worker before; this one will see */
	wa_wake_note_trouble(WA_TROUBLE_ROWS, 0, NULL);
}

static void
reload(void)
{
	reload_wanted = true;
	wa_deliver_aside_retry();
}

/*
 * End of the grace: what is still in flight is in doubt, and recorded so.
 * Where a table of ours is locked just now, we come back a few times: answers
 * that only we know would be in doubt for our successor.
 */
static void
close_sender(void)
{
	TimestampTz next_due;

	wa_deliver_transfer_abort_all();
	wa_deliver_aside_retry();
	(void) run(false, &next_due);
	for (int i = 0; kept_out && count_unrecorded() > 0 && i < CLOSE_RETRIES; i++)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 CLOSE_RETRY_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		(void) run(false, &next_due);
	}
	wa_deliver_transfer_close_engine();
}

static const WaDeliver deliver = {
	open_sender, run, wa_deliver_transfer_fd, wa_deliver_transfer_drive, wa_deliver_transfer_in_flight,
	count_unrecorded, any_answered, wa_deliver_schedule_size, reload, close_sender, wa_deliver_transfer_test, wa_deliver_transfer_ask, wa_deliver_transfer_library
};

extern PGDLLEXPORT const WaDeliver *wa_deliver_interface(const char *build);

/*
 * The table of functions through which this module is used, or NULL if the
 * caller was built from other headers.
 */
const WaDeliver *
wa_deliver_interface(const char *build)
{
	return strcmp(build, WA_BUILD) == 0 ? &deliver : NULL;
}
