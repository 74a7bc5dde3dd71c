/*-------------------------------------------------------------------------
 *
 * probe.c
 *		Connection tests of providers that are not used at the moment.
 *
 * A probe is the provider's own status call, as wa_test_connection() makes it,
 * on the same engine as the messages and without waiting for it.  It sends no
 * message.  A provider in state error is probed until that succeeds, less and
 * less often; one that can be used but has told a quota that is used up is
 * asked for a new figure.
 *
 * When a probe is due stands in the provider's row, so it survives the worker,
 * and a person can set it to now.  A result that could not be written is
 * nothing lost: the probe is still due.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "deliver/circuit.h"
#include "deliver/http.h"
#include "pg/query.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

/* Where the row was locked, or the engine is not ready. */
#define SOON_US			(250 * 1000)

/* A used up quota is asked for again after this time. */
#define QUOTA_PROBE_US	(15 * 60 * USECS_PER_SEC)

typedef enum ProbeState
{
	PROBE_READY,				/* built, goes on the wire after the commit */
	PROBE_ON_WIRE,
	PROBE_OVER					/* health is filled in */
} ProbeState;

typedef struct WaProbe
{
	WaWire		wire;
	struct WaProbe *next;
	MemoryContext context;		/* holds all of it */
	ProbeState	state;
	WaPace	   *pace;
	const WaGateway *gateway;
	WaPair	   *settings;		/* as sent */
	size_t		nsettings;
	WaRequest	request;		/* until it is on the wire */
	bool		plain;
	TimestampTz started_at;
	WaHealth	health;
} WaProbe;

static WaProbe *probes = NULL;

static TimestampTz
in_us(int64 us)
{
	return GetCurrentTimestamp() + us;
}

/* Take a probe off the list and release it. */
static void
forget(WaProbe *probe)
{
	WaProbe   **link = &probes;

	while (*link != probe)
		link = &(*link)->next;
	*link = probe->next;
	probe->pace->probe = NULL;
	wa_gateway_request_free(&probe->request);
	wa_gateway_health_free(&probe->health);
	for (size_t i = 0; i < probe->nsettings; i++)
		explicit_bzero(unconstify(char *, probe->settings[i].value),
					   strlen(probe->settings[i].value));
	MemoryContextDelete(probe->context);
}

/* See WaWire. */
static void
probe_over(WaWire *wire, const WaHttpAnswer *answer, bool interrupted)
{
	WaProbe    *probe = (WaProbe *) wire;

	if (interrupted)
	{
		forget(probe);
		return;
	}
	wa_deliver_transfer_judge_test(probe->gateway, probe->settings, probe->nsettings,
								   answer, &probe->health);
	probe->state = PROBE_OVER;
}

/*
 * Get a probe ready.  A provider for which none can be built gets the result
 * at once.
 */
static void
prepare(WaPace *pace)
{
	const WaProvider *p = pace->provider;
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "sicantik_wa probe",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	WaProbe    *probe = palloc0(sizeof(WaProbe));

	probe->wire.over = probe_over;
	probe->context = context;
	probe->pace = pace;
	probe->gateway = p->gateway;
	probe->settings = palloc0(sizeof(WaPair) * Max(p->nsettings, 1));
	for (size_t i = 0; i < p->nsettings; i++)
	{
		probe->settings[i].name = p->settings[i].name;	/* the gateway's */
		probe->settings[i].value = pstrdup(p->settings[i].value);
		probe->nsettings++;
	}
	probe->plain = strncmp(p->base_url, "http://", 7) == 0;
	probe->health.quota_left = probe->health.daily_limit = -1;
	probe->started_at = GetCurrentTimestamp();
	MemoryContextSwitchTo(old);
	if (!wa_deliver_transfer_build_test(p, &probe->request, &probe->health.said))
		probe->state = PROBE_OVER;
	probe->next = probes;
	probes = probe;
	pace->probe = probe;
}

/*
 * The provider answers as it should: it is used again.
 */
static bool
close_circuit(const WaProbe *probe)
{
	static WaStatement close =
		WA_STATEMENT("UPDATE wa.provider SET state = 'configured', last_error = NULL, last_error_said = NULL, last_error_at = NULL,"
					 " tested_at = clock_timestamp(), probe_at = NULL, failed_probes = 0"
					 " WHERE name = (SELECT name FROM wa.provider WHERE name = $1 AND state = 'error'"
					 " FOR NO KEY UPDATE SKIP LOCKED)");
	WaArgs		args = {0};

	wa_arg_text(&args, probe->pace->name);
	if (wa_query(&close, &args).n == 0)
		return false;
	ereport(LOG,
			(errmsg("sicantik_wa uses provider \"%s\" again: its connection test succeeded",
					probe->pace->name)));
	return true;
}

/* What went wrong at first, without what a test has said since. */
static WaSaid
cause_of(WaSaid error)
{
	const char *begin = (const char *) error;
	const char *end = begin ? begin + strlen(begin) : NULL;
	WaSaidPart	part;

	for (const char *at = begin, *next; at && at < end; at = next)
	{
		next = wa_text_say_next(at, end, &part);
		if (next && part.key == WA_SAY_CONNECTION_TEST)
			return at == begin ? NULL : (WaSaid) pnstrdup(begin, at - begin);
	}
	return error;
}

/*
 * Not yet: the next probe later.  What went wrong at first stays, with what
 * the test says behind it.
 */
static bool
postpone(const WaProbe *probe)
{
	static WaStatement read =
		WA_STATEMENT("SELECT last_error, last_error_said FROM wa.provider"
					 " WHERE name = $1 AND state = 'error' FOR NO KEY UPDATE SKIP LOCKED");
	static WaStatement later =
		WA_STATEMENT("UPDATE wa.provider SET failed_probes = failed_probes + 1, tested_at = clock_timestamp(),"
					 " probe_at = clock_timestamp() + $2 * interval '1 second', last_error = $3, last_error_said = $4,"
					 " last_error_at = coalesce(last_error_at, clock_timestamp()) WHERE name = $1");
	WaPace	   *pace = probe->pace;
	int			failed = pace->provider ? pace->provider->failed_probes + 1 : 1;
	WaSaid		why = WA_SAID_IN(&probe->health.said);
	WaSaid		cause;
	char	   *words;
	WaRows		rows;
	WaArgs		args = {0};

	wa_arg_text(&args, pace->name);
	rows = wa_query(&read, &args);
	if (rows.n == 0)
		return false;
	cause = cause_of(wa_row_said(rows, 0, 1));
	wa_rows_free(rows);
	words = wa_said_english(cause);
	if (words && words[0] && strcmp(words, wa_said_english(why)) != 0)
		cause = wa_said_and(cause, wa_say(WA_SAY_CONNECTION_TEST, why));
	else
		cause = why;
	wa_arg_int4(&args, wa_deliver_circuit_probe_wait(pace, failed));
	wa_arg_said(&args, cause);
	ereport(DEBUG1,
			(errmsg_internal("connection test of provider \"%s\" failed: %s", pace->name, wa_said_english(why))));
	return wa_query(&later, &args).n > 0;
}

/*
 * Note what a probe has come to; true if the provider's row has changed.
 */
static bool
note(const WaProbe *probe)
{
	WaPace	   *pace = probe->pace;
	const WaProvider *p = pace->provider;
	bool		changed;

	if (p == NULL || p->gateway != probe->gateway)
		return false;
	if (p->state == WA_PROVIDER_ERROR)
	{
		changed = probe->health.ok ? close_circuit(probe) : postpone(probe);
		if (!changed)
			pace->probe_at = in_us(SOON_US);
	}
	else if (!probe->health.ok && probe->health.detail)
		changed = wa_deliver_circuit_open(pace, "test", WA_SAID_IN(&probe->health.said),
										  probe->started_at, 0);
	else
		changed = probe->health.ok;
	if (changed)
		wa_route_note_quota(pace->name, &probe->health);
	return changed;
}

/*
 * A provider in state error without a time for its probe was put there by
 * hand; one that is used and has one was put back by hand.
 */
static bool
plan(WaPace *pace)
{
	static WaStatement put =
		WA_STATEMENT("UPDATE wa.provider SET failed_probes = 0, probe_at ="
					 " CASE WHEN state = 'error' THEN clock_timestamp() + $2 * interval '1 second' END"
					 " WHERE name = (SELECT name FROM wa.provider WHERE name = $1"
					 " AND (state = 'error') = (probe_at IS NULL) FOR NO KEY UPDATE SKIP LOCKED)");
	WaArgs		args = {0};

	if ((pace->provider->state == WA_PROVIDER_ERROR) == (pace->probe_at != 0))
		return false;
	wa_arg_text(&args, pace->name);
	wa_arg_int4(&args, WA_FIRST_PROBE_S);
	return wa_query(&put, &args).n > 0;
}

/* Is a probe due?  If not yet, *next_due is made sooner. */
static bool
is_due(WaPace *pace, TimestampTz *next_due)
{
	const WaProvider *p = pace->provider;

	if (wa_route_is_usable(p))
	{
		int64		now = wa_deliver_clock();

		if (pace->quota_left != 0)
			return false;
		if (pace->quota_probe_us <= now)
		{
			pace->quota_probe_us = now + QUOTA_PROBE_US;
			return true;
		}
		wa_wake_sooner(next_due, in_us(pace->quota_probe_us - now));
		return false;
	}
	if (!p->active || p->paused || p->problem || p->state != WA_PROVIDER_ERROR || pace->probe_at == 0)
		return false;
	if (pace->probe_at <= GetCurrentTimestamp())
		return true;
	wa_wake_sooner(next_due, pace->probe_at);
	return false;
}

/*
 * In the round's transaction: note the results of probes that are over, and
 * find those that are due.  *next_due is made sooner where a probe is due
 * later.  Returns true if the configuration is to be loaded again.  Not to be
 * called where nothing may be sent from.
 */
bool
wa_deliver_circuit_run(const WaProviders *providers, TimestampTz *next_due)
{
	bool		changed = false;
	WaProbe    *next;

	for (WaProbe *probe = probes; probe; probe = next)
	{
		next = probe->next;
		if (probe->state != PROBE_OVER)
			continue;
		changed = note(probe) || changed;
		forget(probe);
	}
	if (changed)
	{
		/* what is due is to be seen in the rows as they are now */
		wa_wake_sooner(next_due, GetCurrentTimestamp());
		return true;
	}
	for (int i = 0; i < providers->n; i++)
	{
		WaPace	   *pace = wa_deliver_pacing_find(providers->list[i].name);

		if (pace == NULL || pace->provider == NULL || pace->probe)
			continue;
		changed = plan(pace) || changed;
		if (is_due(pace, next_due))
			prepare(pace);
	}
	for (WaProbe *probe = probes; probe; probe = probe->next)
	{
		if (probe->state != PROBE_ON_WIRE)
			wa_wake_sooner(next_due, in_us(SOON_US));
		else
			wa_wake_sooner(next_due, in_us(wa_guc_request_timeout * INT64CONST(1000)));
	}
	return changed;
}

/*
 * After the commit: put due probes on the wire.
 */
void
wa_deliver_circuit_probe(void)
{
	bool		any = false;

	if (probes == NULL || !wa_deliver_transfer_ready())
		return;
	for (WaProbe *probe = probes; probe; probe = probe->next)
	{
		WaSaidText	why = {""};

		if (probe->state != PROBE_READY)
			continue;
		probe->started_at = GetCurrentTimestamp();
		any = true;
		if (wa_deliver_transfer_put(&probe->wire, &probe->request, probe->plain, wa_guc_request_timeout,
									&why))
			probe->state = PROBE_ON_WIRE;
		else
		{
			probe->health.said = why;
			probe->state = PROBE_OVER;
		}
	}
	if (any)
		wa_deliver_transfer_drive();
}

/*
 * Returns how many probes there are of which the result is not recorded yet.
 */
int
wa_deliver_circuit_probing(void)
{
	int			n = 0;

	for (WaProbe *probe = probes; probe; probe = probe->next)
		n++;
	return n;
}
