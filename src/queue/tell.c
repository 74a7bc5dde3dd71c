/*-------------------------------------------------------------------------
 *
 * tell.c
 *		What providers tell of messages, into the ledger.
 *
 * Of a message that is over, for us, the row is written here: how far it has
 * come, when, and what it costs.  One that waits or is in doubt has a place in
 * the sender's memory, so that what was told of it is noted as a wish
 * (wa.request), and so is a failure, which may send it on to another provider.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/columns.h"
#include "pg/query.h"
#include "queue/law.h"
#include "queue/queue.h"
#include "queue/stored.h"
#include "queue/tell.h"
#include "wake/wake.h"

/* A message that something was told of. */
#define ADDRESSED_COLUMNS(X, row) \
	X(row, int8, id, "m.id") \
	X(row, state, state, WA_SQL_STATE_OF("m")) \
	X(row, int4, attempts, "m.attempts") \
	X(row, boolean, free, "f.id IS NOT NULL")

WA_DEFINE_ROW(Addressed, addressed_row, ADDRESSED_COLUMNS);

/* What is done with what was told. */
typedef enum Way
{
	WAY_OVER,					/* nothing */
	WAY_LATER,					/* the message is busy */
	WAY_WRITE,
	WAY_SETTLE,
	WAY_FAIL
} Way;

static Addressed *
read_messages(const WaTold *told, int n, int *nmessages)
{
	static WaStatement look =
		WA_STATEMENT_OF(&addressed_row, "WITH f AS MATERIALIZED (SELECT id FROM wa.message WHERE id = ANY ($1)"
						" FOR NO KEY UPDATE SKIP LOCKED)"
						" SELECT {columns} FROM wa.message AS m LEFT JOIN f ON f.id = m.id WHERE m.id = ANY ($1)");
	int64	   *ids = palloc(sizeof(int64) * n);
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
		ids[i] = told[i].message_id;
	wa_arg_int8_array(&args, ids, n);
	return wa_rows_read(wa_query(&look, &args), &addressed_row, nmessages);
}

static int
by_id(const void *a, const void *b)
{
	int64		left = ((const Addressed *) a)->id;
	int64		right = ((const Addressed *) b)->id;

	return left < right ? -1 : left > right;
}

static bool
is_failure(const WaTold *told)
{
	return strcmp(told->progress, WA_STATE_NAME_FAILED) == 0;
}

/* message: NULL: it is not there, or not any more. */
static Way
way_of(const WaTold *told, const Addressed * message)
{
	bool		last;

	if (message == NULL || told->attempt > message->attempts)
		return WAY_OVER;
	if (!message->free)
		return WAY_LATER;
	last = told->attempt == message->attempts;
	if (is_failure(told))
	{
		if (!last)
			return WAY_OVER;
		if (message->state == WA_STATE_SENDING)
			return WAY_LATER;
		return message->state == WA_STATE_SENT || message->state == WA_STATE_DOUBT ? WAY_FAIL : WAY_OVER;
	}
	switch (message->state)
	{
		case WA_STATE_SENDING:
			return WAY_LATER;
		case WA_STATE_QUEUED:
		case WA_STATE_HELD:
		case WA_STATE_DOUBT:
			return WAY_SETTLE;
		case WA_STATE_SUPERSEDED:
			return WAY_OVER;
		default:
			return WAY_WRITE;
	}
}

/* All of one way, as arrays. */
static int
gather(const WaTold *told, const Way *ways, int n, Way way, WaArgs *args)
{
	int64	   *ids = palloc(sizeof(int64) * n);
	int32	   *attempts = palloc(sizeof(int32) * n);
	TimestampTz *times = palloc(sizeof(TimestampTz) * n);
	const char **progress = palloc(sizeof(char *) * n);
	const char **pricing = palloc(sizeof(char *) * n);
	const char **codes = palloc(sizeof(char *) * n);
	const char **words = palloc(sizeof(char *) * n);
	const char **provider_ids = palloc(sizeof(char *) * n);
	int			k = 0;

	for (int i = 0; i < n; i++)
	{
		if (ways[i] != way)
			continue;
		ids[k] = told[i].message_id;
		attempts[k] = told[i].attempt;
		times[k] = told[i].at;
		progress[k] = told[i].progress;
		pricing[k] = told[i].pricing;
		codes[k] = told[i].code;
		words[k] = told[i].words;
		provider_ids[k++] = told[i].provider_message_id;
	}
	memset(args, 0, sizeof(*args));
	wa_arg_int8_array(args, ids, k);
	wa_arg_int4_array(args, attempts, k);
	wa_arg_timestamptz_array(args, times, k);
	wa_arg_text_array(args, progress, k);
	wa_arg_text_array(args, pricing, k);
	wa_arg_text_array(args, codes, k);
	wa_arg_text_array(args, words, k);
	wa_arg_text_array(args, provider_ids, k);
	return k;
}

#define TOLD "unnest($1, $2, $3, $4, $5, $6, $7, $8) AS t(id, attempt, at, progress, pricing, code, words, provider_message_id)"

/* A failure that was told stands, whatever of the message was told besides. */
#define STILL_FAILED \
	"(m.failed_at IS NOT NULL AND m.state = " WA_SQL_STATE(FAILED) " AND v.delivered_at IS NULL AND v.read_at IS NULL)"

/*
 * The state is the highest that was ever told, each time the earliest, the
 * price the same one of several, so that their order does not matter.  Nor does
 * it with a failure: delivered and read disprove one, "sent" says what was known
 * before.
 */
static void
write_progress(WaArgs *args)
{
	static WaStatement update =
		WA_STATEMENT("UPDATE wa.message AS m SET"
					 " state = CASE WHEN m.state = " WA_SQL_STATE(READ) " OR v.read_at IS NOT NULL THEN " WA_SQL_STATE(READ)
					 " WHEN m.state = " WA_SQL_STATE(DELIVERED) " OR v.delivered_at IS NOT NULL THEN " WA_SQL_STATE(DELIVERED)
					 " WHEN " STILL_FAILED " THEN m.state ELSE " WA_SQL_STATE(SENT) " END,"
					 " reason = CASE WHEN m.state IN " WA_SQL_STATES(WA_SENT) " OR " STILL_FAILED " THEN m.reason END,"
					 " detail = CASE WHEN m.state IN " WA_SQL_STATES(WA_SENT) " OR " STILL_FAILED " THEN m.detail END,"
					 " detail_said = CASE WHEN m.state IN " WA_SQL_STATES(WA_SENT) " OR " STILL_FAILED " THEN m.detail_said END,"
					 " provider_message_id = coalesce(m.provider_message_id, v.provider_message_id),"
					 " sent_at = coalesce(m.sent_at, v.first_at),"
					 " delivered_at = least(m.delivered_at, CASE WHEN v.delivered_at IS NOT NULL THEN greatest(v.delivered_at, m.sent_at) END),"
					 " read_at = least(m.read_at, CASE WHEN v.read_at IS NOT NULL THEN greatest(v.read_at, m.sent_at) END),"
					 " failed_at = CASE WHEN " STILL_FAILED " THEN m.failed_at END,"
					 " pricing = greatest(m.pricing, v.pricing), finished_at = coalesce(m.finished_at, clock_timestamp())"
					 " FROM (SELECT id, min(at) AS first_at, min(at) FILTER (WHERE progress = " WA_SQL_STATE(DELIVERED) ") AS delivered_at,"
					 " min(at) FILTER (WHERE progress = " WA_SQL_STATE(READ) ") AS read_at,"
					 " max(provider_message_id) AS provider_message_id,"
					 " (array_agg(pricing::jsonb ORDER BY pricing::jsonb DESC NULLS LAST))[1] AS pricing"
					 " FROM " TOLD " GROUP BY id) AS v WHERE m.id = v.id");

	wa_queue_change(WA_CHANGE_TELL, &update, args);
}

static void
ask_to_settle(WaArgs *args)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.request (action, message_id, requested_by, detail)"
					 " SELECT DISTINCT ON (t.id) 'settle', t.id, 'provider', jsonb_strip_nulls(jsonb_build_object("
					 "'attempt', t.attempt, 'accepted', true, 'provider_message_id', t.provider_message_id)) FROM " TOLD
					 " WHERE NOT EXISTS (SELECT FROM wa.request AS r WHERE r.message_id = t.id AND r.action = 'settle'"
					 " AND r.detail -> 'accepted' = 'true') ORDER BY t.id");

	wa_query(&put, args);
}

static void
ask_to_fail(WaArgs *args)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.request (action, message_id, requested_by, detail)"
					 " SELECT DISTINCT ON (t.id) 'fail', t.id, 'provider', jsonb_strip_nulls(jsonb_build_object("
					 "'attempt', t.attempt, 'at', t.at, 'code', t.code, 'words', t.words)) FROM " TOLD
					 " WHERE NOT EXISTS (SELECT FROM wa.request AS r WHERE r.message_id = t.id AND r.action = 'fail') ORDER BY t.id");

	wa_query(&put, args);
}

/*
 * Write down what was told of messages, or note it for the sender.  told[i].done:
 * nothing is left to do of it; else it is to come again.  Takes part in the
 * caller's transaction; waits for no lock.
 */
void
wa_queue_tell(WaTold *told, int n)
{
	Way		   *ways;
	Addressed  *messages;
	int			nmessages;
	WaArgs		args;

	if (n == 0)
		return;
	messages = read_messages(told, n, &nmessages);
	qsort(messages, nmessages, sizeof(Addressed), by_id);
	ways = palloc(sizeof(Way) * n);
	for (int i = 0; i < n; i++)
	{
		Addressed	key = {.id = told[i].message_id};

		ways[i] = way_of(&told[i], bsearch(&key, messages, nmessages, sizeof(Addressed), by_id));
		/* what was settled is written when it comes again */
		told[i].done = ways[i] != WAY_LATER && ways[i] != WAY_SETTLE;
	}
	if (gather(told, ways, n, WAY_WRITE, &args) > 0)
		write_progress(&args);
	if (gather(told, ways, n, WAY_SETTLE, &args) > 0)
		ask_to_settle(&args);
	if (gather(told, ways, n, WAY_FAIL, &args) > 0)
		ask_to_fail(&args);
}

#define FAILED_COLUMNS(X, row) \
	X(row, int8, request, "r.id") \
	X(row, int8, id, "m.id") \
	X(row, text, provider, "coalesce(a.provider, m.provider)") \
	X(row, int4, attempt, "m.attempts") \
	X(row, text, code, "r.detail ->> 'code'") \
	X(row, text, words, "r.detail ->> 'words'") \
	X(row, time, at, "least(coalesce((r.detail ->> 'at')::timestamptz, r.requested_at), r.requested_at)") \
	X(row, text, number, "m.number") \
	X(row, text, template_key, "m.template_key") \
	X(row, text, wanted_provider, "m.wanted_provider") \
	X(row, boolean, fallback, "m.fallback") \
	X(row, boolean, fallback_when_paced, "m.fallback_when_paced") \
	X(row, int4, waits, "m.backoffs") \
	X(row, int4, repeats, "m.repeats") \
	X(row, time, expires_at, "m.expires_at")
#define FAILED_LINE(row, type, member, sql)	WA_COLUMN(WaToldFailed, type, member, sql),

static const WaColumn failed_columns[] = {FAILED_COLUMNS(FAILED_LINE, WaToldFailed)};
static const WaRowType failed_row = WA_ROW_TYPE(WaToldFailed, failed_columns);

/*
 * Messages of which a provider has told that they failed after it had taken
 * them, at most "limit", locked; not those among "busy".  Wishes about others,
 * which have arrived meanwhile or gone on, are dropped, and so is what is told of
 * any but the last attempt.
 */
WaToldFailed *
wa_queue_read_failed(int limit, const int64 *busy, int nbusy, int *n)
{
	static WaStatement drop =
		WA_STATEMENT("DELETE FROM wa.request AS r USING wa.message AS m WHERE r.action = 'fail' AND m.id = r.message_id"
					 " AND m.state <> " WA_SQL_STATE(SENDING) " AND (NOT (m.state = " WA_SQL_STATE(SENT) " OR " WA_SQL_IN_DOUBT("m") ")"
					 " OR r.detail ->> 'attempt' IS DISTINCT FROM m.attempts::text)");
	static WaStatement look =
		WA_STATEMENT_OF(&failed_row, "SELECT {columns} FROM wa.request AS r JOIN wa.message AS m ON m.id = r.message_id"
						" LEFT JOIN wa.attempt AS a ON a.message_id = m.id AND a.attempt = m.attempts"
						" WHERE r.action = 'fail' AND (m.state = " WA_SQL_STATE(SENT) " OR " WA_SQL_IN_DOUBT("m") ")"
						" AND m.id <> ALL ($2) ORDER BY r.id LIMIT $1 FOR NO KEY UPDATE OF m SKIP LOCKED");
	static WaStatement any =
		WA_STATEMENT("SELECT FROM wa.request WHERE action = 'fail' ORDER BY id LIMIT 1");
	WaArgs		args = {0};

	*n = 0;
	if (wa_query(&any, NULL).n == 0)
		return NULL;
	wa_query(&drop, NULL);
	wa_arg_int8(&args, limit);
	wa_arg_int8_array(&args, busy, nbusy);
	return wa_rows_read(wa_query(&look, &args), &failed_row, n);
}

static const WaColumn told_columns[] = {
	WA_COLUMN(WaToldAttempt, int8, message_id, "v.message_id"),
	WA_COLUMN(WaToldAttempt, int4, attempt, "v.attempt"),
	WA_COLUMN(WaToldAttempt, text, code, "v.code"),
	WA_SAID_COLUMNS(WaToldAttempt, response),
};
static const WaRowType told_row = WA_ROW_TYPE(WaToldAttempt, told_columns);

/*
 * Attempts tell what was told of them.  They were accepted: what an attempt has
 * come to (outcome) stays, because limits and the health of a provider are
 * counted by it.
 */
void
wa_queue_attempts_told(const WaToldAttempt *told, int n)
{
	static WaStatement write =
		WA_STATEMENT_OF(&told_row, "UPDATE wa.attempt AS a SET provider_code = coalesce(nullif(v.code, ''), a.provider_code),"
						" response = v.response, response_said = v.response_said FROM {arrays} AS v ({members})"
						" WHERE a.message_id = v.message_id AND a.attempt = v.attempt");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_rows(&args, &told_row, told, n);
	wa_query(&write, &args);
}

/*
 * These wishes are carried out: the messages have failed then.
 */
void
wa_queue_failed_done(const int64 *requests, int n)
{
	static WaStatement remove =
		WA_STATEMENT("WITH r AS (DELETE FROM wa.request WHERE id = ANY ($1) RETURNING message_id, requested_at, detail)"
					 " UPDATE wa.message AS m SET failed_at = greatest(coalesce((r.detail ->> 'at')::timestamptz, r.requested_at), m.sent_at)"
					 " FROM r WHERE m.id = r.message_id");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, requests, n);
	wa_query(&remove, &args);
}
