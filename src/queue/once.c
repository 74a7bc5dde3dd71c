/*-------------------------------------------------------------------------
 *
 * once.c
 *		What has been announced once and for all, or for a while.
 *
 * A key of wa.announced names what a message announces.  Only the worker writes it,
 * in its own transaction, so nobody waits for anybody.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/query.h"
#include "queue/once.h"
#include "queue/queue.h"

/*
 * Has the message m told nothing, so that what it was to announce is news?
 * One that may have arrived is unknown, not cancelled.
 */
#define TOLD_NOTHING \
	"(m.state = " WA_SQL_STATE(CANCELLED) " OR (m.state = " WA_SQL_STATE(SKIPPED) \
	" AND m.reason IN (" WA_SQL_REASON(NO_NUMBER) ", " WA_SQL_REASON(NO_RECIPIENT) ")))"

static int
by_value(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left < right ? -1 : left > right ? 1 : 0;
}

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
	WaRows		rows;
	int64	   *firsts;

	wa_arg_text_array(&args, keys, n);
	wa_arg_int8_array(&args, ids, n);
	wa_arg_int8_array(&args, again_after_us, n);
	rows = wa_query(&insert, &args);
	firsts = palloc(sizeof(int64) * Max(rows.n, 1));
	for (uint64 j = 0; j < rows.n; j++)
		firsts[j] = wa_row_int8(rows, j, 1);
	wa_rows_free(rows);
	qsort(firsts, rows.n, sizeof(int64), by_value);
	for (int i = 0; i < n; i++)
		fresh[i] = keys[i] == NULL ||
			bsearch(&ids[i], firsts, rows.n, sizeof(int64), by_value) != NULL;
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
					 " OR (m.state = " WA_SQL_STATE(QUEUED) " AND m.attempts = 0 AND m.event_id > k.event)))");
	WaArgs		args = {0};
	WaRows		rows;

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
	for (uint64 r = 0; r < rows.n; r++)
		taken[wa_row_int8(rows, r, 1) - 1] = true;
	wa_rows_free(rows);
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

/*
 * These keys count as announced, though by no message.
 */
void
wa_queue_count_as_announced(const char *const *keys, int n)
{
	static WaStatement mark =
		WA_STATEMENT("INSERT INTO wa.announced (key, message_id) SELECT key, 0 FROM unnest($1) AS k(key)"
					 " ON CONFLICT (key) DO NOTHING");
	WaArgs		args = {0};

	wa_arg_text_array(&args, keys, n);
	wa_query(&mark, &args);
}

/*
 * Forget the keys with this beginning whose rest is a day before "days" days
 * ago, seen from "today".  Reads all of wa.announced, which has no index in this
 * order: once a day.
 */
void
wa_queue_forget_days(const char *beginning, const char *today, int days)
{
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.announced WHERE starts_with(key, $1)"
					 " AND key COLLATE \"C\" < $1 || ($2::date - $3)");
	WaArgs		args = {0};

	wa_arg_text(&args, beginning);
	wa_arg_text(&args, today);
	wa_arg_int4(&args, days);
	wa_query(&forget, &args);
}

/*
 * A message with a dedupe key is about to go: is it the first with this key?
 * Asked again for the same message, the answer stays the same.
 */
bool
wa_queue_claim_dedupe(const char *key, int64 message_id)
{
	static WaStatement claim =
		WA_STATEMENT("INSERT INTO wa.announced (key, message_id) VALUES (" WA_QUEUE_INDEXABLE("'dedupe:' || $1") ", $2)"
					 " ON CONFLICT (key) DO NOTHING");
	static WaStatement whose =
		WA_STATEMENT("SELECT message_id FROM wa.announced WHERE key = " WA_QUEUE_INDEXABLE("'dedupe:' || $1"));
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, key);
	wa_arg_int8(&args, message_id);
	if (wa_query(&claim, &args).n > 0)
		return true;
	args.n = 1;
	rows = wa_query(&whose, &args);
	return rows.n > 0 && wa_row_int8(rows, 0, 1) == message_id;
}

/*
 * Keep changes that make no message with the message that is about to say what
 * their key stands for, while it waits (wa.message.change, "later"): changes[i],
 * the text of a JSON object, of events[i].
 */
void
wa_queue_keep_later(const char *const *keys, const int64 *events, const char *const *changes, int n)
{
	/*
	 * a permit that is changed all day long is not to make a row that has no
	 * end
	 */
	static WaStatement keep =
		WA_STATEMENT("WITH k AS MATERIALIZED (SELECT o.message_id AS id, k.event, k.place,"
					 " k.change::jsonb || jsonb_build_object('event', k.event::text) AS change"
					 " FROM unnest($1, $2, $3) WITH ORDINALITY AS k(key, event, change, place)"
					 " JOIN wa.announced AS o ON o.key = " WA_QUEUE_INDEXABLE("k.key") "),"
					 " m AS MATERIALIZED (SELECT m.id, m.event_id, CASE WHEN jsonb_typeof(m.change -> 'later') = 'array'"
					 " THEN m.change -> 'later' ELSE '[]' END AS later FROM wa.message AS m WHERE m.id IN (SELECT id FROM k)"
					 " AND m.state IN " WA_SQL_STATES(WA_ABOUT_TO_SAY) " AND m.repeats = 0"
					 " AND jsonb_typeof(m.change) = 'object' FOR NO KEY UPDATE SKIP LOCKED),"
					 " l AS (SELECT m.id, m.later || jsonb_agg(k.change ORDER BY k.place) AS later"
					 " FROM m JOIN k ON k.id = m.id WHERE k.event <> m.event_id AND jsonb_array_length(m.later) < 50"
					 " AND NOT m.later @> jsonb_build_array(jsonb_build_object('event', k.event::text))"
					 " GROUP BY m.id, m.later)"
					 " UPDATE wa.message AS m SET change = jsonb_set(m.change, '{later}', l.later) FROM l WHERE m.id = l.id");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_text_array(&args, keys, n);
	wa_arg_int8_array(&args, events, n);
	wa_arg_text_array(&args, changes, n);
	wa_query(&keep, &args);
}

/*
 * These messages keep no later changes any more.
 */
void
wa_queue_drop_later(const int64 *ids, int n)
{
	static WaStatement drop =
		WA_STATEMENT("UPDATE wa.message SET change = change - 'later'"
					 " WHERE id = ANY ($1) AND jsonb_typeof(change) = 'object' AND change ? 'later'");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, n);
	wa_query(&drop, &args);
}
