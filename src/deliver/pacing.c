/*-------------------------------------------------------------------------
 *
 * pacing.c
 *		How fast a provider may be used.
 *
 * Requests in flight, a gap with jitter, messages per second, a daily cap: the
 * defaults protect the office's number from being banned by an unofficial
 * gateway.  Nothing is stored per message; what a restart of the worker must
 * know (the last send, how many today) is read from the ledger once.  Times
 * here are monotonic, so a step of the clock neither bursts nor freezes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "common/pg_prng.h"
#include "pgtime.h"
#include "utils/memutils.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "deliver/circuit.h"
#include "deliver/pacing.h"
#include "pg/query.h"
#include "sicantik_wa.h"

/*
 * One message in this time, and one at a time, by a provider that has told that
 * less may go.  Meta names no figure (RATE_LIMITED_UTILITY_TEMPLATE_MESSAGING);
 * this is its pair rate, and what an office has on a day goes on arriving.
 */
#define SLOW_GAP_US	(6 * USECS_PER_SEC)

/* Each one by itself: transfers in flight point at them. */
static WaPace **paces = NULL;
static int	npaces = 0;
static int	paces_size = 0;
static char *zone_name = NULL;

/*
 * Microseconds of a clock that never steps.
 */
int64
wa_deliver_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64) ts.tv_sec * USECS_PER_SEC + ts.tv_nsec / 1000;
}

/* The number of the office's present day. */
static int64
today(void)
{
	pg_tz	   *zone = zone_name ? pg_tzset(zone_name) : NULL;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	if (timestamp2tm(GetCurrentTimestamp(), &offset, &tm, &fsec, NULL,
					 zone ? zone : pg_tzset("UTC")) != 0)
		return 0;
	return date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
}

static bool
is_slow(const WaPace *pace, int64 now)
{
	return pace->slow_us > now;
}

/* Between two messages, jitter apart. */
static int64
gap_of(const WaPace *pace, int64 now)
{
	return is_slow(pace, now) ? Max(pace->provider->min_gap_us, SLOW_GAP_US) : pace->provider->min_gap_us;
}

/*
 * What an earlier worker has sent: the last attempt of each provider, and how
 * many it took, or may have taken, today and since it told its quota.  Only
 * the newest attempts are looked at, by their messages.
 */
static void
read_ledger(WaPace *pace, int64 now)
{
	static WaStatement history =
		WA_STATEMENT("SELECT count(*) FILTER (WHERE outcome IN ('accepted', 'unknown')"
					 " AND started_at >= date_trunc('day', clock_timestamp(), $2)),"
					 " (extract(epoch FROM clock_timestamp() - max(started_at)) * 1000000)::bigint,"
					 " count(*) FILTER (WHERE outcome IN ('accepted', 'unknown') AND started_at >= $3)"
					 " FROM " WA_NEWEST_ATTEMPTS " WHERE provider = $1");
	WaArgs		args = {0};
	WaRows		rows;
	int64		since;

	wa_arg_text(&args, pace->name);
	wa_arg_text(&args, zone_name && pg_tzset(zone_name) ? zone_name : "UTC");
	wa_arg_timestamptz(&args, pace->quota_at);
	rows = wa_query(&history, &args);
	pace->sent_today = (int) wa_row_int8(rows, 0, 1);
	pace->day = today();
	since = wa_row_isnull(rows, 0, 2) ? PG_INT64_MAX : wa_row_int8(rows, 0, 2);
	if (since < gap_of(pace, now))
		pace->next_us = now + gap_of(pace, now) - Max(since, 0);
	if (pace->quota_left > 0)
		pace->quota_left = Max(pace->quota_left - wa_row_int8(rows, 0, 3), 0);
	wa_rows_free(rows);
}

/* What the provider says of its quota counts from the moment it said it. */
static void
take_quota(WaPace *pace)
{
	const WaProvider *p = pace->provider;

	if (p->quota_left == pace->quota_told && p->quota_at == pace->quota_at)
		return;
	pace->quota_told = pace->quota_left = p->quota_left;
	pace->quota_at = p->quota_at;
}

static void
take_slowness(WaPace *pace, int64 now)
{
	TimestampTz until = pace->provider->slow_until;

	pace->slow_us = until == 0 ? 0 : now + Max(until - GetCurrentTimestamp(), 0);
}

/*
 * All providers share the requests at one time (sicantik_wa.max_in_flight).
 * One that does not answer would soon have them all, so each leaves some to
 * every other one that can be used: what that one may have, but not more than
 * half of its even share.
 */
static void
share_room(void)
{
	int			usable = 0;

	for (int i = 0; i < npaces; i++)
		if (paces[i]->provider && wa_route_is_usable(paces[i]->provider))
			usable++;
	for (int i = 0; i < npaces; i++)
	{
		int			left = wa_guc_max_in_flight;

		for (int j = 0; j < npaces; j++)
			if (j != i && paces[j]->provider && wa_route_is_usable(paces[j]->provider))
				left -= Min(paces[j]->provider->max_in_flight,
							Max(wa_guc_max_in_flight / (2 * usable), 1));
		paces[i]->most = Max(left, 1);
	}
}

/*
 * Take over the providers as configured now (which must live until the next
 * call); what is known of their pace stays.
 */
void
wa_deliver_pacing_load(const WaProviders *providers, const char *time_zone)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	int64		now = wa_deliver_clock();

	if (zone_name)
		pfree(zone_name);
	zone_name = time_zone ? pstrdup(time_zone) : NULL;
	for (int i = 0; i < npaces; i++)
		paces[i]->provider = NULL;
	for (int i = 0; i < providers->n; i++)
	{
		WaPace	   *pace = wa_deliver_pacing_find(providers->list[i].name);

		if (pace)
		{
			pace->provider = &providers->list[i];
			take_quota(pace);
			take_slowness(pace, now);
			wa_deliver_circuit_take_over(pace);
			continue;
		}
		/* entries are never removed: transfers in flight point at them */
		if (npaces == paces_size)
		{
			paces_size = Max(16, paces_size * 2);
			paces = paces ? repalloc(paces, sizeof(WaPace *) * paces_size) :
				palloc(sizeof(WaPace *) * paces_size);
		}
		pace = palloc0(sizeof(WaPace));
		pace->name = pstrdup(providers->list[i].name);
		paces[npaces++] = pace;
		pace->provider = &providers->list[i];
		pace->tokens = pace->provider->rate_per_second;
		pace->refilled_us = now;
		pace->quota_told = pace->quota_left = -1;
		take_quota(pace);
		take_slowness(pace, now);
		MemoryContextSwitchTo(old);
		read_ledger(pace, now);
		wa_deliver_circuit_read_ledger(pace);
		MemoryContextSwitchTo(TopMemoryContext);
	}
	share_room();
	MemoryContextSwitchTo(old);
}

/*
 * The pace of a provider, or NULL.
 */
WaPace *
wa_deliver_pacing_find(const char *provider)
{
	for (int i = 0; i < npaces; i++)
		if (strcmp(paces[i]->name, provider) == 0)
			return paces[i];
	return NULL;
}

/*
 * Why nothing more may go by it today, or NULL.
 */
WaSaid
wa_deliver_pacing_no_budget(const WaProvider *provider)
{
	WaPace	   *pace = wa_deliver_pacing_find(provider->name);

	if (pace == NULL)
		return wa_say(WA_SAY_PROVIDER_NOT_KNOWN_YET);
	if (pace->quota_left >= 0 && pace->quota_left <= pace->in_flight)
		return wa_say(WA_SAY_PROVIDER_QUOTA_USED_UP);
	if (provider->daily_cap < 0)
		return NULL;
	if (pace->day != today())
	{
		pace->day = today();
		pace->sent_today = 0;
	}
	return pace->sent_today + pace->in_flight < provider->daily_cap ? NULL :
		wa_say(WA_SAY_PROVIDER_DAILY_CAP_REACHED);
}

/*
 * Why it could not take a message at once, or NULL.
 */
WaSaid
wa_deliver_pacing_no_room(const WaProvider *provider)
{
	WaPace	   *pace = wa_deliver_pacing_find(provider->name);
	int64		again = PG_INT64_MAX;

	return pace != NULL && wa_deliver_pacing_slots(pace, wa_deliver_clock(), &again) > 0 ? NULL :
		wa_say(WA_SAY_PROVIDER_WITHOUT_ROOM);
}

/*
 * Forget what was planned but not sent in an earlier round.
 */
void
wa_deliver_pacing_start_round(void)
{
	for (int i = 0; i < npaces; i++)
	{
		paces[i]->planned = 0;
		paces[i]->spent = paces[i]->provider && wa_deliver_pacing_no_budget(paces[i]->provider) != NULL;
	}
}

/*
 * How many messages may leave now, besides those planned; if none, *again is
 * lowered to the time when that may change by itself.
 */
int
wa_deliver_pacing_slots(WaPace *pace, int64 now, int64 *again)
{
	const WaProvider *p = pace->provider;
	int			slots;
	int64		wait_until = 0;

	if (p == NULL)
		return 0;
	slots = Min(p->max_in_flight, pace->trial || is_slow(pace, now) ? 1 : pace->most) - pace->in_flight - pace->planned;
	if (pace->paused_us > now)
	{
		slots = 0;
		wait_until = pace->paused_us;
	}
	if (slots > 0 && (gap_of(pace, now) > 0 || p->gap_jitter_us > 0))
	{
		slots = Min(slots, 1 - pace->planned);
		if (pace->next_us > now)
		{
			slots = 0;
			wait_until = pace->next_us;
		}
	}
	if (slots > 0 && p->rate_per_second > 0)
	{
		double		burst = Max(p->rate_per_second, 1.0);

		pace->tokens = Min(burst, pace->tokens +
						   (now - pace->refilled_us) * p->rate_per_second / USECS_PER_SEC);
		pace->refilled_us = now;
		slots = Min(slots, (int) pace->tokens - pace->planned);
		if (slots <= 0)
			wait_until = now + (int64) (USECS_PER_SEC * (pace->planned + 1 - pace->tokens) / p->rate_per_second) + 1000;
	}
	if (slots > 0 && p->daily_cap >= 0)
	{
		(void) wa_deliver_pacing_no_budget(p);
		slots = Min(slots, p->daily_cap - pace->sent_today - pace->in_flight - pace->planned);
	}
	if (slots > 0 && pace->quota_left >= 0)
		slots = (int) Min(slots, pace->quota_left - pace->in_flight - pace->planned);
	if (slots <= 0 && wait_until > now)
		*again = Min(*again, wait_until);
	return Max(slots, 0);
}

/*
 * Another one that can be used and has room now, or NULL; *again as above.
 */
WaPace *
wa_deliver_pacing_elsewhere(const WaPace *pace, int64 now, int64 *again)
{
	for (int i = 0; i < npaces; i++)
		if (paces[i] != pace && paces[i]->provider && wa_route_is_usable(paces[i]->provider) &&
			wa_deliver_pacing_slots(paces[i], now, again) > 0)
			return paces[i];
	return NULL;
}

/*
 * A message goes on the wire.
 */
void
wa_deliver_pacing_sent(WaPace *pace, int64 now)
{
	const WaProvider *p = pace->provider;
	int64		gap = p ? gap_of(pace, now) : 0;

	pace->in_flight++;
	pace->tokens = Max(pace->tokens - 1, 0);
	if (p && p->gap_jitter_us > 0)
		gap += (int64) ((pg_prng_double(&pg_global_prng_state) * 2 - 1) * p->gap_jitter_us);
	pace->next_us = now + Max(gap, 0);
}

/*
 * Its transfer is over.  What the provider may have taken counts like what it
 * has taken: the cap is there to protect the office's number.
 */
void
wa_deliver_pacing_done(WaPace *pace, WaOutcome outcome)
{
	pace->in_flight--;
	if (outcome == WA_OUTCOME_ACCEPTED)
		pace->throttles = 0;
	if (outcome == WA_OUTCOME_ACCEPTED || outcome == WA_OUTCOME_UNKNOWN)
	{
		pace->sent_today++;
		if (pace->quota_left > 0)
			pace->quota_left--;
	}
}

/*
 * Count an attempt that the provider throttled.  Those that were on the wire
 * already when it was last counted have told the same thing once more: however
 * many of them there are, the wait does not grow by them.
 */
void
wa_deliver_pacing_throttled(WaPace *pace, TimestampTz started_at)
{
	TimestampTz now = GetCurrentTimestamp();

	/* a mark in the future was made before the clock stepped back */
	if (pace->throttles > 0 && started_at < pace->throttled_at && pace->throttled_at <= now)
		return;
	pace->throttles++;
	pace->throttled_at = now;
}

/*
 * The provider told us to wait.
 */
void
wa_deliver_pacing_pause(WaPace *pace, int64 until)
{
	pace->paused_us = Max(pace->paused_us, until);
}
