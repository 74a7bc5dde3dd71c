/*-------------------------------------------------------------------------
 *
 * account.c
 *		What providers tell of our accounts, applied to the providers.
 *
 * Webhooks come in any order, and again: of each effect the newest one is kept
 * (wa.account_news), and what holds does not depend on which came first.  News
 * that stop an account open the provider's circuit, as the messages would that
 * it is going to refuse; good news of the same close it, unless something else
 * has gone wrong since: the time of the error tells.  News that it is to be
 * slower are read where its pace is kept (route/providers.c).  What is new of
 * this, and holds, is told to the setting alert_number as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "feedback/feedback.h"
#include "gateway/gateway.h"
#include "pg/json_text.h"
#include "pg/query.h"
#include "pg/said.h"
#include "queue/alert.h"
#include "text/text.h"

/* Without an end the connection is tested after this time. */
#define PROBE_AFTER		"1 hour"

/* One row of wa.feedback. */
typedef struct Told
{
	const char *provider;		/* who told it */
	const char *kind;
	const char *event;
	const char *sender_id;
	const char *account_id;
	TimestampTz at;
	TimestampTz received_at;
	WaAccountNews news;
	const char *about;
	TimestampTz until;			/* 0: not told */
} Told;

/* What news of no class are about: the event's field. */
static const char *
about_of(const Told *told)
{
	if (told->news.about != WA_ABOUT_ELSE)
		return wa_gateway_about_name(told->news.about);
	return told->event ? pnstrdup(told->event, strcspn(told->event, "/")) : "";
}

/*
 * Which providers it concerns.  Where one number of ours is named and cannot
 * be told from others, nobody is stopped for it.
 */
static const char **
targets_of(Told *told, const WaGateway *gateway, int *n)
{
	static WaStatement find =
		WA_STATEMENT("SELECT name, settings ->> 'own_number' FROM wa.provider"
					 " WHERE kind = $2 AND (settings ->> $5 = $4 OR name = $1 AND ($4 IS NULL OR coalesce(settings ->> $5, $4) = $4))"
					 " AND coalesce(settings ->> 'phone_number_id', $3) IS NOT DISTINCT FROM coalesce($3, settings ->> 'phone_number_id')"
					 " ORDER BY name COLLATE \"C\"");
	const char *number = told->news.number;
	const char **names;
	bool		sure = false;
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, told->provider);
	wa_arg_text(&args, told->kind);
	wa_arg_text(&args, told->sender_id);
	wa_arg_text(&args, told->account_id);
	wa_arg_text(&args, gateway->account_setting);
	rows = wa_query(&find, &args);
	names = palloc(sizeof(char *) * Max(rows.n, 1));
	*n = 0;
	for (uint64 i = 0; i < rows.n; i++)
	{
		char	   *own = wa_row_text(rows, i, 2);
		char		digits[WA_NUMBER_SIZE];
		bool		known = own && wa_text_normalize_number(own, digits);

		if (number[0] && known && strcmp(digits, number) != 0)
			continue;
		sure = sure || (number[0] && known);
		names[(*n)++] = wa_row_text(rows, i, 1);
	}
	if (number[0] && !sure && *n > 1 && told->news.effect == WA_ACCOUNT_STOP)
		told->news.effect = WA_ACCOUNT_WARN;
	return names;
}

/* Does nobody hold what is to be written? */
static bool
lock(const char **names, int n)
{
	static WaStatement take =
		WA_STATEMENT("WITH p AS MATERIALIZED (SELECT name FROM wa.provider WHERE name = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED),"
					 " w AS MATERIALIZED (SELECT provider FROM wa.account_news WHERE provider = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED)"
					 " SELECT (SELECT count(*) FROM p) = cardinality($1)"
					 " AND (SELECT count(*) FROM w) = (SELECT count(*) FROM wa.account_news WHERE provider = ANY ($1))");
	WaArgs		args = {0};

	wa_arg_text_array(&args, names, n);
	return wa_row_bool(wa_query(&take, &args), 0, 1);
}

/* False: something newer of this effect is known. */
static bool
note(const char *provider, const Told *told)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.account_news AS n (provider, about, effect, event, told_at, until, words, words_said)"
					 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
					 " ON CONFLICT (provider, about, effect) DO UPDATE SET event = excluded.event, told_at = excluded.told_at,"
					 " until = excluded.until, words = excluded.words, words_said = excluded.words_said"
					 " WHERE n.told_at < excluded.told_at");
	WaArgs		args = {0};

	wa_arg_text(&args, provider);
	wa_arg_text(&args, told->about);
	wa_arg_text(&args, wa_gateway_effect_name(told->news.effect));
	wa_arg_text(&args, told->event);
	wa_arg_timestamptz(&args, told->at);
	wa_arg_timestamptz(&args, told->until);
	wa_arg_said(&args, WA_SAID_IN(&told->news.said));
	return wa_query(&put, &args).n > 0;
}

/* Open its circuit, unless good news or a test since know better. */
static bool
stop(const char *provider, const Told *told)
{
	static WaStatement open =
		WA_STATEMENT("WITH o AS (UPDATE wa.provider AS p SET state = 'error', last_error = s.words, last_error_said = s.words_said,"
					 " last_error_at = clock_timestamp(), failed_probes = 0,"
					 " probe_at = coalesce(s.until, clock_timestamp() + interval '" PROBE_AFTER "')"
					 " FROM wa.account_news AS s WHERE p.name = $1"
					 " AND (p.state = 'configured' AND (p.tested_at IS NULL OR p.tested_at < $3 OR p.tested_at > clock_timestamp())"
					 " OR p.state = 'error' AND p.last_error_at = s.stopped_at)"
					 " AND s.provider = $1 AND s.about = $2 AND s.effect = 'stop'"
					 " AND (s.until IS NULL OR s.until > clock_timestamp())"
					 " AND NOT EXISTS (SELECT FROM wa.account_news AS r WHERE r.provider = $1 AND r.about = $2"
					 " AND r.effect = 'resume' AND r.told_at > s.told_at) RETURNING p.last_error_at)"
					 " UPDATE wa.account_news SET stopped_at = o.last_error_at FROM o"
					 " WHERE provider = $1 AND about = $2 AND effect = 'stop'");
	WaArgs		args = {0};

	wa_arg_text(&args, provider);
	wa_arg_text(&args, told->about);
	wa_arg_timestamptz(&args, told->received_at);
	return wa_query(&open, &args).n > 0;
}

/* Close what such an event has opened, unless it was told again since. */
static bool
resume(const char *provider, const Told *told)
{
	static WaStatement close =
		WA_STATEMENT("UPDATE wa.provider AS p SET state = 'configured', last_error = NULL, last_error_said = NULL, last_error_at = NULL,"
					 " probe_at = NULL, failed_probes = 0 FROM wa.account_news AS s WHERE p.name = $1 AND p.state = 'error'"
					 " AND s.provider = $1 AND s.about = $2 AND s.effect = 'stop' AND s.stopped_at = p.last_error_at"
					 " AND s.told_at < $3");
	WaArgs		args = {0};

	wa_arg_text(&args, provider);
	wa_arg_text(&args, told->about);
	wa_arg_timestamptz(&args, told->at);
	return wa_query(&close, &args).n > 0;
}

/*
 * Is there anything to tell people?  Of good news, before they are noted: does
 * what they end still hold; of others, when they are: do they.
 */
static bool
matters(const char *provider, const Told *told)
{
	static WaStatement look =
		WA_STATEMENT("SELECT FROM wa.account_news AS s JOIN wa.provider AS p ON p.name = s.provider AND p.active"
					 " WHERE s.provider = $1 AND s.about = $2"
					 " AND CASE WHEN $3 = 'resume' THEN s.effect <> 'resume' AND s.told_at < $4"
					 " ELSE s.effect = $3 AND s.told_at = $4 END"
					 " AND (s.until IS NULL OR s.until > clock_timestamp())"
					 " AND NOT EXISTS (SELECT FROM wa.account_news AS r WHERE r.provider = $1 AND r.about = $2"
					 " AND r.effect = 'resume' AND r.told_at > s.told_at)");
	WaArgs		args = {0};

	wa_arg_text(&args, provider);
	wa_arg_text(&args, told->about);
	wa_arg_text(&args, wa_gateway_effect_name(told->news.effect));
	wa_arg_timestamptz(&args, told->at);
	return wa_query(&look, &args).n > 0;
}

/*
 * What stops a provider, or makes it slower, is told each time; so is the rest,
 * but for a device that loses its link and finds it: at most hourly.
 */
static const char *
cause_of(const Told *told)
{
	const char *effect = wa_gateway_effect_name(told->news.effect);

	if (told->news.about == WA_ABOUT_LINK && told->news.effect < WA_ACCOUNT_SLOWER)
		return psprintf("account %s %s", told->about, effect);
	return psprintf("account %s %s " INT64_FORMAT, told->about, effect, told->at);
}

static void
carry_out(const char *provider, const Told *told)
{
	WaSaid		said = WA_SAID_IN(&told->news.said);
	char	   *words = wa_said_english(said);
	bool		good = told->news.effect == WA_ACCOUNT_RESUME;
	bool		ends = good && matters(provider, told);
	bool		stops;

	if (!note(provider, told))
		return;
	stops = told->news.effect == WA_ACCOUNT_STOP && stop(provider, told);
	if (good && resume(provider, told))
		ereport(LOG, (errmsg("sicantik_wa uses provider \"%s\" again: %s", provider, words)));
	else if (stops)
		ereport(WARNING,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("sicantik_wa stops using provider \"%s\": %s", provider, words),
				 errhint("When that is over: SELECT * FROM wa_test_connection('%s').", provider)));
	else if (!good)
		ereport(LOG, (errmsg("sicantik_wa was told of provider \"%s\": %s", provider, words)));
	if (stops && matters(provider, told))
		wa_queue_alert(provider, cause_of(told), said);
	else if (good ? ends : matters(provider, told))
		wa_queue_alert_news(provider, cause_of(told), said);
}

/* False: somebody holds a row. */
static bool
apply(Told *told)
{
	const WaGateway *gateway = told->kind ? wa_gateway_find(told->kind) : NULL;
	const char **names;
	int			n;

	if (gateway == NULL || gateway->judge_account == NULL)
		return true;
	names = targets_of(told, gateway, &n);
	if (n > 0 && !lock(names, n))
		return false;
	for (int i = 0; i < n; i++)
		carry_out(names[i], told);
	return true;
}

static void
read_told(Told *told, WaRows rows, uint64 i)
{
	const WaGateway *gateway;

	memset(told, 0, sizeof(*told));
	told->provider = wa_row_text(rows, i, 2);
	told->kind = wa_row_text(rows, i, 3);
	told->event = wa_row_text(rows, i, 4);
	told->sender_id = wa_row_text(rows, i, 5);
	told->account_id = wa_row_text(rows, i, 6);
	told->at = wa_row_timestamptz(rows, i, 8);
	told->received_at = wa_row_timestamptz(rows, i, 9);
	gateway = told->kind ? wa_gateway_find(told->kind) : NULL;
	if (gateway && gateway->judge_account)
	{
		const char *detail = wa_row_text(rows, i, 7);

		wa_pg_json_room(detail);
		gateway->judge_account(told->event, detail, &told->news);
	}
	told->about = about_of(told);
	if (told->news.until > 0 && told->news.until < INT64CONST(32503680000))
		told->until = time_t_to_timestamptz((pg_time_t) told->news.until);
}

/*
 * See feedback.h.
 */
void
wa_feedback_apply_account(const int64 *ids, int n)
{
	static WaStatement load =
		WA_STATEMENT("SELECT f.id, f.provider, p.kind, f.event, f.sender_id, f.account_id, f.detail::text,"
					 " least(coalesce(f.said_at, f.received_at), f.received_at) AS at, f.received_at"
					 " FROM wa.feedback AS f LEFT JOIN wa.provider AS p ON p.name = f.provider"
					 " WHERE f.id = ANY ($1) ORDER BY at, f.id");
	int64	   *sorted[3];
	int			counts[3] = {0};
	WaArgs		args = {0};
	WaRows		rows;

	for (int i = 0; i < 3; i++)
		sorted[i] = palloc(sizeof(int64) * n);
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&load, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		Told		told;
		int			end;

		read_told(&told, rows, i);
		end = told.news.effect == WA_ACCOUNT_KEPT ? 0 : apply(&told) ? 1 : 2;
		sorted[end][counts[end]++] = wa_row_int8(rows, i, 1);
	}
	wa_rows_free(rows);
	wa_feedback_keep(sorted[0], counts[0]);
	wa_feedback_done(sorted[1], counts[1]);
	wa_feedback_later(sorted[2], counts[2]);
}
