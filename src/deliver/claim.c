/*-------------------------------------------------------------------------
 *
 * claim.c
 *		Which messages go now: pick, route, claim.
 *
 * Routing is decided when a message is about to go, and stored with its
 * reason.  Only what goes on the wire at once is claimed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compose/compose.h"
#include "deliver/apply.h"
#include "deliver/aside.h"
#include "deliver/facts.h"
#include "deliver/send.h"
#include "office/setting.h"
#include "pg/grow.h"
#include "queue/once.h"

#define BATCH			256

/* When to look again at a row that somebody holds. */
#define LOCKED_ROW_US		USECS_PER_SEC

/*
 * A message that goes at once was made from its record a moment ago: its
 * scenario is not asked again within this time, if no change has been composed
 * since.  Whether its contact is there, has this number and consents is looked
 * at for every message.
 */
#define FRESH_US		(250 * 1000)

/* A message whose condition cannot be read now waits so long. */
#define LOCKED_US		(250 * 1000)

/*
 * A message waits so long at least, and at most, for an earlier one about its
 * record before it looks again.
 */
#define BEHIND_US		(250 * 1000)
#define LONGEST_BEHIND_US (60 * USECS_PER_SEC)

/* The same where a person must mend something first. */
#define UNREADABLE_US	(60 * USECS_PER_SEC)

/*
 * How long a message without a usable provider waits for the next look; a
 * change of configuration makes all of them look again at once.
 */
#define NO_PROVIDER_US	(120 * USECS_PER_SEC)

/*
 * Add a conclusion; the strings must live until it is written.
 */
WaVerdictRow *
wa_deliver_conclude(WaConclusions *conclusions, int64 id,
					WaState state, WaReason reason, WaSaid detail)
{
	WaVerdictRow *row;

	WA_ROOM_FOR(conclusions->rows, conclusions->n, 1);
	row = &conclusions->rows[conclusions->n++];
	memset(row, 0, sizeof(*row));
	row->id = id;
	row->state = state;
	row->reason = reason;
	row->detail = detail;
	return row;
}

/*
 * The message leaves the scheduler without having been sent.  One that was on
 * the wire before, and may have been accepted, ends as unknown.
 */
static WaVerdictRow *
drop(WaConclusions *conclusions, WaItem *item,
	 WaState state, WaReason reason, WaSaid detail)
{
	wa_deliver_schedule_set_gone(item);
	if (item->repeats > 0 && state != WA_STATE_QUEUED)
	{
		state = WA_STATE_UNKNOWN;
		detail = detail ? wa_say(WA_SAY_NOT_REPEATED_BECAUSE, detail) : wa_say(WA_SAY_NOT_REPEATED);
	}
	return wa_deliver_conclude(conclusions, item->id, state, reason, detail);
}

static bool
is_expired(const WaItem *item, TimestampTz now)
{
	return item->expires_at != 0 && item->expires_at <= now;
}

static void
drop_expired(WaConclusions *conclusions, WaItem *item)
{
	drop(conclusions, item, WA_STATE_EXPIRED, WA_REASON_TIME_TO_LIVE,
		 wa_say(WA_SAY_TIME_TO_LIVE_ENDED));
}

/* Never 0. */
static uint32
hash_of(WaSaid said)
{
	return hash_bytes((const unsigned char *) said, strlen((const char *) said)) | 1;
}

/*
 * What must be asked before it goes cannot be read: say so in the ledger when
 * the reason is a new one.
 */
static void
wait_for_facts(WaConclusions *conclusions, WaItem *item, WaUnreadKind kind, WaSaid why,
			   int64 now, int64 *again)
{
	uint32		hash;

	if (is_expired(item, GetCurrentTimestamp()))
	{
		drop_expired(conclusions, item);
		return;
	}
	item->wait_us = now + (kind == WA_UNREAD_LONG ? UNREADABLE_US : LOCKED_US);
	*again = Min(*again, item->wait_us);
	if (why == NULL)
		return;
	hash = hash_of(why);
	if (item->noted == hash)
		return;
	item->noted = hash;
	wa_deliver_conclude(conclusions, item->id, WA_STATE_QUEUED, WA_REASON_FACTS_UNREADABLE, why);
}

/* No provider now: say so in the ledger when the reason is a new one. */
static void
wait_for_provider(WaConclusions *conclusions, WaItem *item, WaSaid reason, int64 now)
{
	uint32		hash = hash_of(reason);

	wa_deliver_schedule_set_hint(item, NULL);
	item->wait_us = now + NO_PROVIDER_US;
	if (item->expires_at != 0)
		item->wait_us = Min(item->wait_us, now + Max(item->expires_at - GetCurrentTimestamp(), 0));
	if (item->noted == hash)
		return;
	item->noted = hash;
	/* whose turn it is must not be forgotten with this process */
	if (wa_deliver_schedule_is_last(item))
		wa_deliver_conclude(conclusions, item->id, WA_STATE_QUEUED, WA_REASON_REFUSES_ALL, reason);
	else
		wa_deliver_conclude(conclusions, item->id, WA_STATE_QUEUED, WA_REASON_NO_PROVIDER, reason);
}

/*
 * What has ended without routing: out of time, or a key that was used before.
 */
static bool
is_over(WaConclusions *conclusions, WaItem *item, TimestampTz now)
{
	if (is_expired(item, now))
	{
		drop_expired(conclusions, item);
		return true;
	}
	if (item->number[0] == '\0')
	{
		drop(conclusions, item, WA_STATE_SKIPPED, WA_REASON_NO_NUMBER, wa_say(WA_SAY_MESSAGE_HAS_NO_NUMBER));
		return true;
	}
	if (item->dedupe_key && !wa_queue_claim_dedupe(item->dedupe_key, item->id))
	{
		drop(conclusions, item, WA_STATE_SKIPPED, WA_REASON_DUPLICATE,
			 wa_say(WA_SAY_DEDUPE_KEY_TAKEN));
		return true;
	}
	return false;
}

/*
 * Outside its sending hours a message waits for the next opening; what a
 * person sends goes at any time.
 */
static bool
must_wait_for_hours(const WaSendConfig *config, WaConclusions *conclusions, WaItem *item,
					TimestampTz now)
{
	for (int i = 0; item->scenario && i < config->nhours; i++)
	{
		TimestampTz opening;

		if (strcmp(config->hours[i].scenario, item->scenario) != 0)
			continue;
		opening = wa_office_hours_opening(&config->hours[i].hours, config->holidays, config->time_zone, now);
		if (opening <= now)
			return false;
		drop(conclusions, item, WA_STATE_QUEUED, WA_REASON_OUTSIDE_HOURS,
			 wa_office_hours_wait(config->holidays, config->time_zone, now, opening))->due_at = opening;
		return true;
	}
	return false;
}

/* Are the conditions of these messages still so? */
typedef struct Rechecking
{
	const char *schema;
	int64	   *ids;
	WaStill    *results;
	WaSaid	   *details;
} Rechecking;

static bool
ask_still(void *about, int first, int n, const char **locked_table, WaSaid *why)
{
	const Rechecking *r = about;

	wa_compose_recheck(r->schema, r->ids + first, n, r->results + first, r->details + first);
	return true;
}

static WaFactsQuestion still_so = {ask_still, 0};

/*
 * Look at the picked messages once more, right before they go: what is not
 * true any more is cancelled, what has been ended meanwhile is forgotten.
 * Returns how many are left at the head of the array.
 */
static int
recheck(const WaSendConfig *config, WaConclusions *conclusions, WaItem **items, int n,
		TimestampTz wall, int64 now, int64 *again)
{
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	WaItem	  **asked = palloc(sizeof(WaItem *) * Max(n, 1));
	WaStill    *results = palloc(sizeof(WaStill) * Max(n, 1));
	WaSaid	   *details = palloc(sizeof(WaSaid) * Max(n, 1));
	int64	   *unreached = palloc(sizeof(int64) * Max(n, 1));
	WaUnread   *unread = palloc(sizeof(WaUnread) * Max(n, 1));
	Rechecking	rechecking = {config->schema, ids, results, details};
	int			nasked = 0;
	int			nunreached = 0;
	int			left = 0;

	for (int i = 0; i < n; i++)
	{
		bool		fresh = !items[i]->looked_at && wall >= items[i]->created_at &&
			wall - items[i]->created_at < FRESH_US && items[i]->created_at >= wa_compose_last_run();

		items[i]->looked_at = true;
		items[i]->asked = !items[i]->by_hand && !fresh;
		if (items[i]->asked)
		{
			asked[nasked] = items[i];
			ids[nasked++] = items[i]->id;
		}
	}
	if (nasked == 0)
		return n;
	wa_deliver_facts_ask(&still_so, &rechecking, nasked, unread);
	for (int k = 0; k < nasked; k++)
	{
		if (unread[k].kind != WA_UNREAD_NOT || results[k] != WA_STILL_LOCKED)
			continue;
		unread[k].kind = details[k] ? WA_UNREAD_LONG : WA_UNREAD_SHORT;
		unread[k].why = details[k];
	}
	wa_deliver_facts_say(unread, nasked);
	for (int i = 0, k = 0; i < n; i++)
	{
		WaItem	   *item = items[i];

		if (k < nasked && asked[k] == item)
		{
			const WaUnread *no_answer = &unread[k];
			WaStill		result = results[k];
			WaSaid		detail = details[k++];

			if (no_answer->kind != WA_UNREAD_NOT)
			{
				wait_for_facts(conclusions, item, no_answer->kind, no_answer->why, now, again);
				continue;
			}
			if (result == WA_STILL_FALSE)
				drop(conclusions, item, WA_STATE_CANCELLED, WA_REASON_NO_LONGER_TRUE, detail);
			else if (result == WA_STILL_UNREACHED)
			{
				drop(conclusions, item, WA_STATE_SKIPPED, WA_REASON_NO_NUMBER, detail);
				unreached[nunreached++] = item->id;
			}
			else if (result == WA_STILL_ENDED)
				wa_deliver_schedule_set_gone(item);
			if (result != WA_STILL_TRUE)
				continue;
		}
		items[left++] = item;
	}
	wa_compose_recheck_keep_unreached(unreached, nunreached);
	return left;
}

/*
 * Leave out messages whose row somebody has locked; they are looked at again soon.
 * The rows of the others are ours until the end of the transaction.
 */
static int
leave_out_locked(WaItem **items, int n, int64 now, int64 *again)
{
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	bool	   *locked = palloc(sizeof(bool) * Max(n, 1));
	int			left = 0;

	if (n == 0)
		return 0;
	for (int i = 0; i < n; i++)
		ids[i] = items[i]->id;
	if (!wa_deliver_aside_or_locked(ids, n, locked))
		return n;
	for (int i = 0; i < n; i++)
	{
		if (locked[i])
		{
			/* its provider is free for others */
			wa_deliver_schedule_set_hint(items[i], NULL);
			items[i]->wait_us = now + Max(wa_deliver_aside_left(ids[i]), LOCKED_ROW_US);
			*again = Min(*again, items[i]->wait_us);
		}
		else
			items[left++] = items[i];
	}
	return left;
}

/*
 * Leave out messages that would overtake an earlier one about the same record.
 * Nearly always nothing waits for an attempt, and nothing is asked.
 */
static int
leave_out_behind(WaItem **items, int n, bool any_due, TimestampTz wall, int64 now, int64 *again)
{
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	WaItem	  **asked = palloc(sizeof(WaItem *) * Max(n, 1));
	TimestampTz *until = palloc(sizeof(TimestampTz) * Max(n, 1));
	int			nasked = 0;
	int			left = 0;

	for (int i = 0; i < n; i++)
	{
		if (items[i]->by_hand || !(any_due || items[i]->behind))
			continue;
		asked[nasked] = items[i];
		ids[nasked++] = items[i]->id;
	}
	if (nasked == 0 || wa_queue_behind(ids, nasked, until) == 0)
		return n;
	for (int i = 0, k = 0; i < n; i++)
	{
		if (k < nasked && asked[k] == items[i] && until[k++] != 0)
		{
			items[i]->wait_us = now + Min(Max(until[k - 1] - wall, BEHIND_US), LONGEST_BEHIND_US);
			*again = Min(*again, items[i]->wait_us);
		}
		else
			items[left++] = items[i];
	}
	return left;
}

static void
ask(WaRoute *route, const WaItem *item)
{
	memset(route, 0, sizeof(*route));
	route->number = item->number;
	route->partner_id = item->partner_id;
	route->of_contact = item->of_contact;
	route->seen_at = item->seen_at;
	route->template_key = item->template_key;
	route->wanted_provider = item->wanted_provider;
	route->despite_opt_out = item->despite_opt_out;
	route->requires_opt_in = item->requires_opt_in;
	route->tried = item->tried;
	route->ntried = item->ntried;
	if (item->last_provider && item->repeats > 0)
	{
		route->bound_provider = item->last_provider;
		route->bound_why = wa_say(WA_SAY_ROUTE_REPEATED);
	}
	else if (item->last_provider && !item->fallback)
	{
		route->bound_provider = item->last_provider;
		route->bound_why = wa_say(WA_SAY_ROUTE_NO_OTHER);
	}
}

/* What is known of the people that these messages go to? */
typedef struct Routing
{
	const char *schema;
	WaItem	  **items;
	WaRoute    *routes;
	WaRoute    *stand_in;		/* who gets them in their place; NULL: nobody */
	const char *stand_in_number;
} Routing;

static bool
ask_facts(void *about, int first, int n, const char **locked_table, WaSaid *why)
{
	const Routing *r = about;

	for (int i = first; i < first + n; i++)
		ask(&r->routes[i], r->items[i]);
	if (r->stand_in)
	{
		memset(r->stand_in, 0, sizeof(*r->stand_in));
		r->stand_in->number = r->stand_in_number;
		r->stand_in->seen_at = r->routes[first].seen_at;
		if (!wa_route_load_facts(r->stand_in, 1, r->schema, locked_table, why))
			return false;
	}
	return wa_route_load_facts(r->routes + first, n, r->schema, locked_table, why);
}

static WaFactsQuestion what_is_known = {ask_facts, 0};

/*
 * Route a message; one that does not wait for pacing goes where there is room
 * now, and only if there is none anywhere to the provider it would wait for.
 */
static void
decide(const WaSendConfig *config, WaRoute *route, const WaItem *item)
{
	if (item->fallback_when_paced)
	{
		wa_route_decide(route, &config->providers, config->mappings, config->nmappings,
						wa_deliver_pacing_no_room);
		if (route->provider)
			return;
	}
	wa_route_decide(route, &config->providers, config->mappings, config->nmappings,
					wa_deliver_pacing_no_budget);
}

/* Messages that are being claimed. */
typedef struct Claiming
{
	const int64 *ids;
	const char **providers;
	const WaSaid *reasons;
	const char **numbers;
	WaClaimed  *claimed;		/* of as many places, in each part those that
								 * were claimed; id 0: none */
} Claiming;

/* It may be asked again for a part of these, when all it did was undone. */
static void
claim_some(void *about, int first, int n)
{
	Claiming   *c = about;
	WaClaimed  *some;
	int			nsome;

	memset(c->claimed + first, 0, sizeof(WaClaimed) * n);
	nsome = wa_queue_claim(c->ids + first, c->providers + first, c->reasons + first, c->numbers + first, n, &some);
	memcpy(c->claimed + first, some, sizeof(WaClaimed) * nsome);
}

/*
 * Claim what was chosen and build the requests.  A message that cannot be
 * built has failed; one that is not queued any more is forgotten.  Transfers
 * are counted as they are made: after an error they are to be freed.
 */
static void
claim(WaSendConfig *config, const WaIdentity *identity, WaItem **items, WaRoute **routes, int n,
	  WaConclusions *conclusions, WaTransfer **transfers, int *ntransfers)
{
	int64	   *ids = palloc(sizeof(int64) * n);
	const char **providers = palloc(sizeof(char *) * n);
	WaSaid	   *reasons = palloc(sizeof(WaSaid) * n);
	const char **numbers = palloc(sizeof(char *) * n);
	WaClaimed  *claimed = palloc0(sizeof(WaClaimed) * n);
	Claiming	claiming = {ids, providers, reasons, numbers, claimed};

	for (int i = 0; i < n; i++)
	{
		ids[i] = items[i]->id;
		providers[i] = routes[i]->provider->name;
		reasons[i] = identity->mode == WA_MODE_TEST ?
			wa_said_and(routes[i]->reason, wa_say(WA_SAY_SENT_TO_TEST_NUMBER)) : routes[i]->reason;
		numbers[i] = identity->mode == WA_MODE_TEST ? identity->test_number : NULL;
	}
	wa_deliver_aside_write(claim_some, &claiming, ids, n);
	for (int i = 0; i < n; i++)
	{
		WaClaimed  *c = NULL;
		WaTransfer *transfer;
		WaSaidText	why = {""};

		/* one that is set aside is picked again, and left out */
		if (wa_deliver_is_aside(ids[i]))
			continue;
		for (int j = 0; j < n && c == NULL; j++)
			if (claimed[j].id == ids[i])
				c = &claimed[j];
		if (c == NULL)
		{
			wa_deliver_schedule_set_gone(items[i]);
			continue;
		}
		transfer = wa_deliver_transfer_new(routes[i]->provider, c->id, c->attempt);
		transfer->diverted = numbers[i] != NULL;
		if (c->template_key)
			transfer->template_key = MemoryContextStrdup(GetMemoryChunkContext(transfer), c->template_key);
		if (!wa_deliver_build(config, identity, routes[i], c, transfer, &why))
		{
			wa_deliver_transfer_free(transfer);
			drop(conclusions, items[i], WA_STATE_FAILED, WA_REASON_REQUEST, wa_said_copy(WA_SAID_IN(&why)));
			continue;
		}
		transfers[(*ntransfers)++] = transfer;
	}
}

/*
 * Choose at most "room" messages, claim them and build their requests; what
 * ends or waits on the way is added to the conclusions.  any_due: messages
 * wait for a time.  *again is lowered to the time when something may change by
 * itself.
 */
void
wa_deliver_choose(WaSendConfig *config, const WaIdentity *identity, int room, bool any_due,
				  WaConclusions *conclusions, WaTransfer **transfers, int *ntransfers,
				  int64 *again)
{
	int64		now = wa_deliver_clock();
	TimestampTz wall = GetCurrentTimestamp();
	WaItem	   *items[BATCH];
	WaItem	   *chosen[BATCH];
	WaRoute    *chosen_routes[BATCH];
	WaRoute    *routes;
	WaRoute    *stand_in = NULL;
	Routing		routing;
	WaUnread   *unread;
	bool		locked = false;
	int			n;
	bool		full;
	int			nwaiting;
	int			left = 0;
	int			npaced = 0;
	int			nchosen = 0;

	*ntransfers = 0;
	wa_deliver_pacing_start_round();
	n = wa_deliver_schedule_pick(items, Min(room, BATCH), identity->mode == WA_MODE_OBSERVE, now, again);

	/* those behind may have another way to go than what is picked here */
	if (n == Min(room, BATCH))
		*again = Min(*again, now);
	full = n == Min(room, BATCH);
	n = leave_out_locked(items, n, now, again);
	n = leave_out_behind(items, n, any_due, wall, now, again);
	n = wa_deliver_line_leave_out(items, n, now, again);
	nwaiting = recheck(config, conclusions, items, n, wall, now, again);
	for (int i = 0; i < nwaiting; i++)
		if (!is_over(conclusions, items[i], wall) &&
			(identity->mode == WA_MODE_OBSERVE ||
			 !must_wait_for_hours(config, conclusions, items[i], wall)))
			items[left++] = items[i];
	if (left == 0)
	{
		if (n > 0)
			*again = now;
		return;
	}
	routes = palloc(sizeof(WaRoute) * left);
	/* who gets them all may have said no, too */
	if (identity->mode == WA_MODE_TEST)
		stand_in = palloc(sizeof(WaRoute));
	unread = palloc(sizeof(WaUnread) * left);
	routing = (Routing)
	{
		config->schema, items, routes, stand_in, identity->test_number
	};
	wa_deliver_withhold_begin();
	wa_deliver_facts_ask(&what_is_known, &routing, left, unread);
	wa_deliver_facts_say(unread, left);

	/* what was planned from hints is decided anew here */
	wa_deliver_pacing_start_round();
	for (int i = 0; i < left; i++)
	{
		WaItem	   *item = items[i];
		WaRoute    *route = &routes[i];
		WaPace	   *pace;

		if (unread[i].kind != WA_UNREAD_NOT)
		{
			locked = locked || unread[i].kind == WA_UNREAD_SHORT;
			wait_for_facts(conclusions, item, unread[i].kind, unread[i].why, now, again);
			continue;
		}
		/* perhaps merged, or given another telephone: whom is it for now? */
		if (!item->asked && !item->by_hand && (route->other_number || route->nobody == WA_CONTACT_IS_GONE))
		{
			*again = now;
			continue;
		}
		if (route->refusal)
		{
			drop(conclusions, item, WA_STATE_SKIPPED, wa_queue_reason_of(route->nobody), route->refusal);
			continue;
		}
		if (stand_in && stand_in->refusal)
		{
			drop(conclusions, item, WA_STATE_SKIPPED, wa_queue_reason_of(stand_in->nobody),
				 wa_say(WA_SAY_OF_TEST_NUMBER, stand_in->refusal));
			continue;
		}
		decide(config, route, item);
		if (identity->mode == WA_MODE_OBSERVE && !item->by_hand)
		{
			WaVerdictRow *row = drop(conclusions, item, WA_STATE_SKIPPED, WA_REASON_OBSERVE,
									 wa_say(WA_SAY_MODE_OBSERVE_NOT_SENT));

			row->route = route->reason;
			row->provider = route->provider ? route->provider->name : NULL;
			continue;
		}
		if (route->exhausted)
		{
			WaVerdictRow *row = drop(conclusions, item, WA_STATE_QUEUED, WA_REASON_NONE, NULL);

			wa_deliver_apply_refusals(item, row);
			row->route = route->reason;
			continue;
		}
		if (route->provider == NULL)
		{
			wait_for_provider(conclusions, item, route->reason, now);
			*again = Min(*again, item->wait_us);
			continue;
		}
		pace = wa_deliver_pacing_find(route->provider->name);
		wa_deliver_schedule_set_hint(item, pace);
		wa_deliver_line_went(item->line, pace, now);
		if (wa_deliver_pacing_slots(pace, now, again) == 0)
		{
			npaced++;
			continue;
		}
		pace->planned++;
		chosen[nchosen] = item;
		chosen_routes[nchosen++] = route;
	}
	if (nchosen > 0)
		claim(config, identity, chosen, chosen_routes, nchosen,
			  conclusions, transfers, ntransfers);

	/*
	 * What is not sent takes no room, and its number is free for the next;
	 * but a lock would be in their way as well.
	 */
	if (!locked && ((full && *ntransfers < n) || *ntransfers + npaced < n))
		*again = now;
}
