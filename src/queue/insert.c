/*-------------------------------------------------------------------------
 *
 * insert.c
 *		Writing new messages, and what has been announced once and for all.
 *
 * Plain inserts into tables without unique keys on data, so that wa_send()
 * conflicts with nothing under REPEATABLE READ, which is how Odoo runs.  Keys
 * that must be unique are the worker's (wa.announced), in its own transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "office/setting.h"
#include "pg/query.h"
#include "queue/queue.h"
#include "wake/wake.h"

/* Fill an array with one member of each message. */
#define COLLECT(type, array, member) \
	do { \
		(array) = palloc(sizeof(type) * n); \
		for (int i_ = 0; i_ < n; i_++) \
			(array)[i_] = messages[i_].member; \
	} while (0)

static void
assign_ids(WaNewMessage *messages, int n)
{
	static WaStatement next =
		WA_STATEMENT("SELECT nextval('wa.message_id_seq') FROM generate_series(1, $1)");
	WaArgs		args = {0};

	/*
	 * With a transaction id in hand before the first number is drawn, a
	 * reader that finds no older transaction running knows that no lower
	 * number can appear any more (wa_queue_horizon).
	 */
	(void) GetTopTransactionId();
	wa_arg_int4(&args, n);
	wa_query(&next, &args);
	for (int i = 0; i < n; i++)
		messages[i].id = wa_row_int8(i, 1);
	SPI_freetuptable(SPI_tuptable);
}

static void
insert_rows(WaNewMessage *messages, int n)
{
	static WaStatement insert =
		WA_STATEMENT("INSERT INTO wa.message (id, scenario, template_key, partner_id, number, number_source,"
					 " params, body, res_model, res_id, wanted_provider, state, reason, detail, priority,"
					 " requires_opt_in, unknown_policy, fallback, due_at, expires_at, created_by, dedupe_key,"
					 " event_id, still, fallback_when_paced, send_at, change, finished_at)"
					 " SELECT id, scenario, template_key, nullif(partner_id, 0), number, number_source,"
					 " params::jsonb, body, res_model, nullif(res_id, 0), wanted_provider, state, reason, detail,"
					 " coalesce(priority, 'normal'), requires_opt_in <> 0, coalesce(unknown_policy, 'resend'),"
					 " fallback <> 0, due_at, expires_at, created_by, dedupe_key, nullif(event_id, 0), still::jsonb,"
					 " fallback_when_paced <> 0, send_at, change::jsonb, CASE WHEN state = 'skipped' THEN clock_timestamp() END"
					 " FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
					 " $18, $19, $20, $21, $22, $23, $24, $25, $26, $27) AS m(id, scenario, template_key, partner_id, number,"
					 " number_source, params, body, res_model, res_id, wanted_provider, state, reason, detail,"
					 " priority, requires_opt_in, unknown_policy, fallback, due_at, expires_at, created_by,"
					 " dedupe_key, event_id, still, fallback_when_paced, send_at, change)");
	WaArgs		args = {0};
	int64	   *ids;
	int32	   *flags;
	const char **texts;
	TimestampTz *times;

	COLLECT(int64, ids, id);
	wa_arg_int8_array(&args, ids, n);
	COLLECT(const char *, texts, scenario);
	wa_arg_text_array(&args, texts, n);
	COLLECT(const char *, texts, template_key);
	wa_arg_text_array(&args, texts, n);
	COLLECT(int64, ids, partner_id);
	wa_arg_int8_array(&args, ids, n);
	COLLECT(const char *, texts, number);
	wa_arg_text_array(&args, texts, n);
	COLLECT(const char *, texts, number_source);
	wa_arg_text_array(&args, texts, n);
	COLLECT(const char *, texts, params);
	wa_arg_text_array(&args, texts, n);
	COLLECT(const char *, texts, body);
	wa_arg_text_array(&args, texts, n);
	COLLECT(const char *, texts, res_model);
	wa_arg_text_array(&args, texts, n);
	COLLECT(int64, ids, res_id);
	wa_arg_int8_array(&args, ids, n);
	COLLECT(const char *, texts, wanted_provider);
	wa_arg_text_array(&args, texts, n);
	COLLECT(const char *, texts, state);
	wa_arg_text_array(&args, texts, n);
	COLLECT(const char *, texts, reason);
	wa_arg_text_array(&args, texts, n);
	COLLECT(const char *, texts, detail);
	wa_arg_text_array(&args, texts, n);
	COLLECT(const char *, texts, priority);
	wa_arg_text_array(&args, texts, n);
	COLLECT(int32, flags, requires_opt_in);
	wa_arg_int4_array(&args, flags, n);
	COLLECT(const char *, texts, unknown_policy);
	wa_arg_text_array(&args, texts, n);
	COLLECT(int32, flags, fallback);
	wa_arg_int4_array(&args, flags, n);
	COLLECT(TimestampTz, times, due_at);
	wa_arg_timestamptz_array(&args, times, n);
	COLLECT(TimestampTz, times, expires_at);
	wa_arg_timestamptz_array(&args, times, n);
	COLLECT(const char *, texts, created_by);
	wa_arg_text_array(&args, texts, n);
	COLLECT(const char *, texts, dedupe_key);
	wa_arg_text_array(&args, texts, n);
	COLLECT(int64, ids, event_id);
	wa_arg_int8_array(&args, ids, n);
	COLLECT(const char *, texts, still);
	wa_arg_text_array(&args, texts, n);
	COLLECT(int32, flags, fallback_when_paced);
	wa_arg_int4_array(&args, flags, n);
	COLLECT(TimestampTz, times, send_at);
	wa_arg_timestamptz_array(&args, times, n);
	COLLECT(const char *, texts, change);
	wa_arg_text_array(&args, texts, n);
	wa_query(&insert, &args);
}

static void
insert_work(WaNewMessage *messages, int n)
{
	static WaStatement ready =
		WA_STATEMENT("INSERT INTO wa.ready (message_id, timeline) SELECT unnest($1), $2");
	static WaStatement due =
		WA_STATEMENT("INSERT INTO wa.due (message_id, due_at, timeline) SELECT *, $3 FROM unnest($1, $2)");
	int64	   *now_ids = palloc(sizeof(int64) * n);
	int64	   *due_ids = palloc(sizeof(int64) * n);
	TimestampTz *due_times = palloc(sizeof(TimestampTz) * n);
	int			nnow = 0;
	int			ndue = 0;
	int32		timeline = (int32) GetWALInsertionTimeLine();
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
	{
		if (strcmp(messages[i].state, "queued") != 0 && strcmp(messages[i].state, "unknown") != 0)
			continue;
		if (messages[i].due_at == 0)
			now_ids[nnow++] = messages[i].id;
		else
		{
			due_ids[ndue] = messages[i].id;
			due_times[ndue++] = messages[i].due_at;
		}
	}
	if (nnow > 0)
	{
		wa_arg_int8_array(&args, now_ids, nnow);
		wa_arg_int4(&args, timeline);
		wa_query(&ready, &args);
	}
	if (ndue > 0)
	{
		memset(&args, 0, sizeof(args));
		wa_arg_int8_array(&args, due_ids, ndue);
		wa_arg_timestamptz_array(&args, due_times, ndue);
		wa_arg_int4(&args, timeline);
		wa_query(&due, &args);
	}
}

/* What has no text for want of a setting is written when that comes. */
static void
insert_unwritten(const WaNewMessage *messages, int n)
{
	static WaStatement unwritten =
		WA_STATEMENT("INSERT INTO wa.unwritten (message_id, setting)"
					 " SELECT id, " WA_QUEUE_SETTING_OF("detail") " FROM unnest($1, $2) AS m(id, detail)"
					 " WHERE " WA_QUEUE_SETTING_OF("detail") " IS NOT NULL");
	int64	   *ids = palloc(sizeof(int64) * n);
	const char **details = palloc(sizeof(char *) * n);
	int			k = 0;
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
	{
		if (strcmp(messages[i].state, "held") != 0 || messages[i].body || messages[i].detail == NULL)
			continue;
		ids[k] = messages[i].id;
		details[k++] = messages[i].detail;
	}
	if (k == 0)
		return;
	wa_arg_int8_array(&args, ids, k);
	wa_arg_text_array(&args, details, k);
	wa_query(&unwritten, &args);
}

/*
 * What the former primary of a failover may have sent already waits like any
 * other message with an unknown outcome.
 */
static void
doubt(WaNewMessage *messages, int n)
{
	TimestampTz until = 0;

	for (int i = 0; i < n; i++)
	{
		WaNewMessage *message = &messages[i];

		if (!message->in_doubt || strcmp(message->state, "queued") != 0)
			continue;
		if (until == 0)
			until = GetCurrentTimestamp() + wa_office_get_interval("unknown_wait");
		message->state = "unknown";
		message->reason = "failover";
		message->detail = "it was due when this server was promoted; it may have gone out from the former primary";
		message->due_at = Max(message->due_at, until);
	}
}

/*
 * Write messages, ids given here, and make the queued ones ready (or due, if
 * they have a time); wakes the worker at commit.
 */
void
wa_queue_insert(WaNewMessage *messages, int n)
{
	MemoryContext context;
	MemoryContext old;

	if (n == 0)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext,
									"sicantik_wa new messages",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	if (messages[0].id == 0)
		assign_ids(messages, n);
	doubt(messages, n);
	insert_rows(messages, n);
	insert_work(messages, n);
	insert_unwritten(messages, n);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	wa_wake_at_commit();
}

/*
 * Draw ids beforehand, for callers that need them before the rows are written.
 */
void
wa_queue_assign_ids(WaNewMessage *messages, int n)
{
	if (n > 0)
		assign_ids(messages, n);
}

/*
 * Has the message m told nothing, so that what it was to announce is news?
 * One that may have arrived is unknown, not cancelled.
 */
#define TOLD_NOTHING \
	"(m.state = 'cancelled' OR (m.state = 'skipped' AND m.reason IN ('no_number', 'no_recipient')))"

/*
 * Claim keys that may be announced once for ever, or, where again_after_us[i]
 * is above 0, once in that time (microseconds); fresh[i] tells whether this
 * message is the first.  A key whose message came to nothing before it could
 * be told is free.  Of equal keys in one call the first one wins.  Only the
 * worker calls this, so nobody waits for anybody.
 */
void
wa_queue_announce_many(const char *const *keys, const int64 *ids,
					   const int64 *again_after_us, int n, bool *fresh)
{
	static WaStatement insert =
		WA_STATEMENT("WITH wanted AS (SELECT DISTINCT ON (1) " WA_QUEUE_INDEXABLE("key") " AS key, id, wait"
					 " FROM unnest($1, $2, $3) WITH ORDINALITY AS k(key, id, wait, place) WHERE key IS NOT NULL"
					 " ORDER BY 1, place)"
					 " INSERT INTO wa.announced AS o (key, message_id) SELECT key, id FROM wanted"
					 " ON CONFLICT (key) DO UPDATE SET message_id = excluded.message_id, announced_at = now()"
					 " WHERE o.announced_at <= now() - (SELECT w.wait * interval '1 microsecond' FROM wanted AS w"
					 " WHERE w.key = o.key AND w.wait > 0)"
					 " OR EXISTS (SELECT FROM wa.message AS m WHERE m.id = o.message_id AND " TOLD_NOTHING ")"
					 " RETURNING message_id");
	WaArgs		args = {0};
	uint64		inserted;

	wa_arg_text_array(&args, keys, n);
	wa_arg_int8_array(&args, ids, n);
	wa_arg_int8_array(&args, again_after_us, n);
	inserted = wa_query(&insert, &args);
	for (int i = 0; i < n; i++)
	{
		fresh[i] = keys[i] == NULL;
		for (uint64 j = 0; !fresh[i] && j < inserted; j++)
			fresh[i] = wa_row_int8(j, 1) == ids[i];
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Has another message than ids[i] announced this already, or is about to?
 * again_after_us as above.  One that waits itself gives way to a message of an
 * earlier event than its own (events[i]).  "but": messages that are asked about
 * as well, so that what they hold is not theirs yet.
 */
void
wa_queue_announced_by_others(const char *const *keys, const int64 *ids, const int64 *events,
							 const int64 *again_after_us, int n, const int64 *but, int nbut,
							 bool *taken)
{
	static WaStatement find =
		WA_STATEMENT("SELECT k.place FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS k(key, id, wait, event, place)"
					 " JOIN wa.announced AS o ON o.key = " WA_QUEUE_INDEXABLE("k.key")
					 " WHERE o.message_id <> k.id AND o.message_id <> ALL ($5)"
					 " AND NOT (k.wait > 0 AND o.announced_at <= now() - k.wait * interval '1 microsecond')"
					 " AND NOT EXISTS (SELECT FROM wa.message AS m WHERE m.id = o.message_id AND (" TOLD_NOTHING
					 " OR (m.state = 'queued' AND m.attempts = 0 AND m.event_id > k.event)))");
	WaArgs		args = {0};
	uint64		rows;

	memset(taken, 0, sizeof(bool) * n);
	if (n == 0)
		return;
	wa_arg_text_array(&args, keys, n);
	wa_arg_int8_array(&args, ids, n);
	wa_arg_int8_array(&args, again_after_us, n);
	wa_arg_int8_array(&args, events, n);
	/* none is an empty array, not NULL */
	wa_arg_int8_array(&args, but ? but : ids, nbut);
	rows = wa_query(&find, &args);
	for (uint64 r = 0; r < rows; r++)
		taken[wa_row_int8(r, 1) - 1] = true;
	SPI_freetuptable(SPI_tuptable);
}

/*
 * What these messages were to announce, the one beside it does now: both
 * arrays have n members.
 */
void
wa_queue_hand_over(const int64 *from, const int64 *to, int n)
{
	static WaStatement hand =
		WA_STATEMENT("UPDATE wa.announced AS o SET message_id = h.new FROM unnest($1, $2) AS h(old, new)"
					 " WHERE o.message_id = h.old");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, from, n);
	wa_arg_int8_array(&args, to, n);
	wa_query(&hand, &args);
}

/*
 * These messages announce nothing any more.
 */
void
wa_queue_take_back(const int64 *ids, int n)
{
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.announced WHERE message_id = ANY ($1)");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_query(&forget, &args);
}

/*
 * Forget keys, so that what they stand for may be announced again.
 */
void
wa_queue_forget(const char *const *keys, int n)
{
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.announced WHERE key IN"
					 " (SELECT " WA_QUEUE_INDEXABLE("key") " FROM unnest($1) AS k(key))");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_text_array(&args, keys, n);
	wa_query(&forget, &args);
}
