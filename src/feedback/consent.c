/*-------------------------------------------------------------------------
 *
 * consent.c
 *		Who wants messages: see consent.h.
 *
 * Every statement here comes to the same whatever the order in which it is
 * told what was said, and however often: of each kind of word the latest time
 * is kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"
#include "utils/timestamp.h"

#include "feedback/consent.h"
#include "office/setting.h"
#include "pg/columns.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "route/route.h"

/* So many are carried over at once. */
#define SETTLE_BATCH	1000

/* Longer nothing is waited for; the worker's lock_timeout is the same. */
#define LOCK_TIMEOUT_MS	"200"

/* After a wait in vain for somebody's transaction nothing is tried so long. */
#define LOCKED_US		USECS_PER_SEC

static const WaColumn change_columns[] = {
	WA_COLUMN(WaConsentChange, text, number, "number"),
	WA_COLUMN(WaConsentChange, text, user_id, "user_id"),
	WA_COLUMN(WaConsentChange, boolean, out, "change = 'opt_out'"),
	WA_COLUMN(WaConsentChange, boolean, marketing, "scope = 'marketing'"),
	WA_COLUMN(WaConsentChange, time, said_at, "said_at"),
	WA_COLUMN(WaConsentChange, text, source, "source"),
	WA_COLUMN(WaConsentChange, text, words, "words"),
	WA_COLUMN(WaConsentChange, text, by, "by"),
};
static const WaRowType change_row = WA_ROW_TYPE(WaConsentChange, change_columns);

/*
 * SQL: has this been written down already, of a number or, where none is known,
 * of an id?
 */
#define WRITTEN(h, k, number) \
	"EXISTS (SELECT FROM wa.consent AS " h " WHERE " h ".number = " number " AND " h ".scope = " k ".scope" \
	" AND " h ".change = " k ".change AND " h ".said_at = " k ".said_at AND " h ".source = " k ".source)"

/*
 * Carry over what is pending, of these numbers or, without any, of all.  Rows
 * that somebody holds are left.  Returns how many words were carried over, at
 * most SETTLE_BATCH.
 *
 * new: those too that are not in wa.contact.  Who writes one waits for a
 * session that has just done the same, and has not committed.
 */
static int
settle(const char *const *numbers, int n, bool new)
{
	static WaStatement any =
		WA_STATEMENT("SELECT FROM wa.consent WHERE pending LIMIT 1");
	static WaStatement carry =
		WA_STATEMENT("WITH p AS MATERIALIZED (SELECT id, number, scope, change, said_at, source FROM wa.consent"
					 " WHERE pending AND ($1 IS NULL OR number = ANY ($1)) ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED),"
					 " k AS MATERIALIZED (SELECT number,"
					 " max(said_at) FILTER (WHERE scope = 'all' AND change = 'opt_in') AS in_at,"
					 " max(said_at) FILTER (WHERE scope = 'all' AND change = 'opt_out') AS out_at,"
					 " max(said_at) FILTER (WHERE scope = 'marketing' AND change = 'opt_in') AS marketing_in_at,"
					 " max(said_at) FILTER (WHERE scope = 'marketing' AND change = 'opt_out') AS marketing_out_at,"
					 " max(said_at) AS said_at, (array_agg(source ORDER BY said_at DESC, id DESC))[1] AS source"
					 " FROM p GROUP BY number),"
					 " free AS MATERIALIZED (SELECT number FROM wa.contact WHERE number IN (SELECT number FROM k)"
					 " FOR NO KEY UPDATE SKIP LOCKED),"
					 " u AS (UPDATE wa.contact AS c SET opted_in_at = greatest(c.opted_in_at, k.in_at),"
					 " opted_out_at = greatest(c.opted_out_at, k.out_at),"
					 " marketing_in_at = greatest(c.marketing_in_at, k.marketing_in_at),"
					 " marketing_out_at = CASE WHEN greatest(c.marketing_out_at, k.marketing_out_at)"
					 " < greatest(c.marketing_in_at, k.marketing_in_at) THEN NULL"
					 " ELSE greatest(c.marketing_out_at, k.marketing_out_at) END,"
					 " source = CASE WHEN k.said_at < greatest(c.opted_in_at, c.opted_out_at, c.marketing_in_at, c.marketing_out_at)"
					 " THEN c.source ELSE k.source END"
					 " FROM k, free WHERE c.number = k.number AND free.number = k.number RETURNING c.number),"
					 " i AS (INSERT INTO wa.contact (number, opted_in_at, opted_out_at, source, marketing_in_at, marketing_out_at)"
					 " SELECT number, in_at, out_at, source, marketing_in_at,"
					 " CASE WHEN marketing_out_at < marketing_in_at THEN NULL ELSE marketing_out_at END FROM k"
					 " WHERE $3 AND NOT EXISTS (SELECT FROM wa.contact AS c WHERE c.number = k.number) ORDER BY number"
					 " ON CONFLICT (number) DO NOTHING RETURNING number)"
					 " UPDATE wa.consent SET pending = false WHERE id IN (SELECT p.id FROM p"
					 " WHERE p.number IN (SELECT number FROM u UNION ALL SELECT number FROM i))");
	WaArgs		args = {0};

	if (numbers == NULL && wa_query(&any, NULL).n == 0)
		return 0;
	wa_arg_text_array(&args, numbers, n);
	wa_arg_int4(&args, SETTLE_BATCH);
	wa_arg_bool(&args, new);
	return (int) wa_query(&carry, &args).n;
}

typedef struct Settling
{
	const char *const *numbers;
	int			n;
	int			settled;
} Settling;

/* In a session, too, nobody is waited for. */
static bool
settle_some(void *argument)
{
	Settling   *settling = argument;
	int			level = NewGUCNestLevel();

	(void) set_config_option("lock_timeout", LOCK_TIMEOUT_MS, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	settling->settled = settle(settling->numbers, settling->n, true);
	AtEOXact_GUC(false, level);
	return true;
}

/*
 * Carry over what is pending, all of it where there are no numbers: first of
 * those that are known, which waits for nobody.  While somebody writes a new
 * number, that of the other new ones stays pending as well.
 */
static void
try_to_settle(const char *const *numbers, int n)
{
	static TimestampTz not_before = 0;
	TimestampTz now = GetCurrentTimestamp();
	Settling	settling = {numbers, n, 0};
	ErrorData  *error;

	while (settle(numbers, n, false) == SETTLE_BATCH)
		;
	if (numbers == NULL && now < not_before && not_before - now <= LOCKED_US)
		return;
	do
	{
		error = wa_pg_subtransaction(settle_some, &settling);
		if (error && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ReThrowError(error);
	} while (error == NULL && settling.settled == SETTLE_BATCH);
	if (error)
		not_before = now + LOCKED_US;
}

/* Write them down.  Returns how many are new. */
static int
write_down(const WaConsentChange *changes, int n)
{
	static WaStatement put =
		WA_STATEMENT_OF(&change_row,
						"WITH g AS MATERIALIZED (SELECT r.number AS given, r.user_id,"
						" CASE WHEN r.marketing THEN 'marketing' ELSE 'all' END AS scope,"
						" CASE WHEN r.out THEN 'opt_out' ELSE 'opt_in' END AS change,"
						" CASE WHEN r.said_at <= clock_timestamp() THEN r.said_at ELSE clock_timestamp() END AS said_at,"
						" coalesce(r.source, '') AS source, r.words, r.by FROM {arrays} AS r ({members})),"
						" k AS MATERIALIZED (SELECT coalesce(g.given, i.number) AS number, g.* FROM g"
						" LEFT JOIN LATERAL (SELECT b.number FROM wa.identity_of AS b WHERE g.given IS NULL AND b.user_id = g.user_id"
						" ORDER BY " WA_ROUTE_LAST_SEEN("b") " LIMIT CASE g.change WHEN 'opt_in' THEN 1 END) AS i ON true),"
						" w AS (INSERT INTO wa.consent (number, user_id, scope, change, said_at, source, words, by, pending, write_at)"
						" SELECT DISTINCT ON (number, CASE WHEN number IS NULL THEN user_id END, scope, change, said_at, source)"
						" number, user_id, scope, change, said_at, source, words, by, number IS NOT NULL,"
						" CASE WHEN $9 AND number IS NOT NULL AND scope = 'all' THEN clock_timestamp() END FROM k"
						" WHERE CASE WHEN k.number IS NOT NULL THEN NOT " WRITTEN("h", "k", "k.number")
						" ELSE k.user_id IS NOT NULL AND NOT EXISTS (SELECT FROM wa.consent AS h WHERE h.number IS NULL"
						" AND h.user_id = k.user_id AND h.scope = k.scope AND h.change = k.change"
						" AND h.said_at = k.said_at AND h.source = k.source) END RETURNING number)"
						" SELECT number, count(*) FROM w GROUP BY number");
	WaArgs		args = {0};
	WaRows		rows;
	const char **numbers;
	int			nnumbers = 0;
	int			written = 0;

	if (n == 0)
		return 0;
	wa_arg_rows(&args, &change_row, changes, n);
	wa_arg_bool(&args, wa_office_is_on("write_back"));
	rows = wa_query(&put, &args);
	numbers = palloc(sizeof(char *) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
	{
		written += (int) wa_row_int8(rows, i, 2);
		if (!wa_row_isnull(rows, i, 1))
			numbers[nnumbers++] = wa_row_text(rows, i, 1);
	}
	if (nnumbers > 0)
		try_to_settle(numbers, nnumbers);
	wa_rows_free(rows);
	return written;
}

/*
 * Write down n changes, and bring wa.contact to what holds.  One that was
 * written down already is passed over.  Where only an id is given, and it is
 * known whose it is, it counts for that number; where that is not known, it is
 * kept for the id (wa_feedback_consent_bind()).
 */
void
wa_feedback_consent_note(const WaConsentChange *changes, int n)
{
	bool		out = false;

	for (int i = 0; i < n; i++)
		out = out || changes[i].out;
	if (write_down(changes, n) > 0 && out)
		wa_feedback_consent_follow();
}

/*
 * Of ids that have become known (wa.identity_of) what they said counts for
 * their numbers from now on: an opt-in for the last one, an opt-out for each,
 * also where it has counted for a number that was taken for theirs.  Their
 * messages are applied again.
 *
 * told: by the provider.  What a person has typed is good for an opt-out only,
 * which holds.
 */
void
wa_feedback_consent_bind(const char *const *user_ids, int n, bool told)
{
	static WaStatement bind =
		WA_STATEMENT("WITH f AS MATERIALIZED (SELECT c.* FROM wa.consent AS c WHERE c.user_id = ANY ($1) AND (c.number IS NULL"
					 " OR c.change = 'opt_out' AND NOT EXISTS (SELECT FROM wa.identity_of AS b WHERE b.user_id = c.user_id"
					 " AND b.number = c.number)) AND ($2 OR c.change = 'opt_out' AND NOT EXISTS (SELECT FROM wa.consent AS l WHERE l.number IS NULL"
					 " AND l.user_id = c.user_id AND l.scope = c.scope AND l.change = 'opt_in' AND l.said_at > c.said_at))"
					 " FOR UPDATE SKIP LOCKED),"
					 " k AS MATERIALIZED (SELECT f.*, i.number AS known, i.last AND f.number IS NULL AS last, row_number() OVER"
					 " (PARTITION BY i.number, f.scope, f.change, f.said_at, f.source ORDER BY f.id) = 1 AND NOT " WRITTEN("h", "f", "i.number")
					 " AS new FROM f JOIN LATERAL (SELECT b.number, row_number() OVER (ORDER BY " WA_ROUTE_LAST_SEEN("b") ") = 1 AS last"
					 " FROM wa.identity_of AS b WHERE b.user_id = f.user_id) AS i ON i.last OR f.change = 'opt_out'),"
					 " u AS (UPDATE wa.consent AS c SET number = k.known, pending = true,"
					 " write_at = CASE WHEN $3 AND c.scope = 'all' THEN clock_timestamp() END FROM k WHERE k.id = c.id AND k.last AND k.new),"
					 " d AS (DELETE FROM wa.consent AS c USING k WHERE k.id = c.id AND k.last AND NOT k.new),"
					 " i AS (INSERT INTO wa.consent (number, user_id, scope, change, said_at, source, words, by, noted_at, pending, write_at)"
					 " SELECT known, user_id, scope, change, said_at, source, words, by, noted_at, true,"
					 " CASE WHEN $3 AND scope = 'all' THEN clock_timestamp() END FROM k WHERE new AND NOT last)"
					 " SELECT FROM k LIMIT 1");
	static WaStatement again =
		WA_STATEMENT("UPDATE wa.feedback AS f SET due_at = clock_timestamp() WHERE f.kind = 'inbound' AND f.due_at IS NULL"
					 " AND f.problem IS NULL AND f.number IS NULL AND f.user_id = ANY ($1)");

	WaArgs		args = {0};

	wa_arg_text_array(&args, user_ids, n);
	if (told)
		wa_query(&again, &args);
	wa_arg_bool(&args, told);
	wa_arg_bool(&args, wa_office_is_on("write_back"));
	if (wa_query(&bind, &args).n > 0)
		try_to_settle(NULL, 0);
	wa_feedback_consent_follow();
}

/*
 * Somebody has another number, or another id, or both: of each such change that
 * is kept in wa.feedback the last "no" before it, if it held then, counts for
 * who he is now.  That he wanted messages is for the number that he had: who has
 * the new one has not said so.  What a person writes down by hand, here or in
 * wa.contact, is of who was known then.
 *
 * Whichever is heard first, the word or the change, and of several changes in a
 * row: this is to be called after each of them.
 */
void
wa_feedback_consent_follow(void)
{
	static WaStatement any =
		WA_STATEMENT("SELECT FROM wa.feedback WHERE kind = 'person' LIMIT 1");
	static WaStatement holds =
		WA_STATEMENT_OF(&change_row,
						"WITH p AS MATERIALIZED (SELECT f.id, f.previous_number, f.previous_user_id, f.number, f.user_id, f.received_at,"
						" coalesce(least(f.said_at, f.received_at), f.received_at) AS at FROM wa.feedback AS f WHERE f.kind = 'person'"
						" AND coalesce(f.previous_number, f.previous_user_id) IS NOT NULL AND coalesce(f.number, f.user_id) IS NOT NULL),"
						" n AS (SELECT id, previous_number AS number FROM p WHERE previous_number IS NOT NULL"
						" UNION SELECT p.id, i.number FROM p JOIN wa.identity_of AS i ON i.user_id = p.previous_user_id),"
						" c AS (SELECT n.id, c.scope, c.change, c.said_at, c.source FROM n JOIN wa.consent AS c ON c.number = n.number"
						" UNION ALL SELECT p.id, c.scope, c.change, c.said_at, c.source FROM p JOIN wa.consent AS c"
						" ON c.user_id = p.previous_user_id WHERE c.number IS NULL"
						" UNION ALL SELECT n.id, v.scope, v.change, v.said_at, '" WA_CONSENT_HAND "' FROM n JOIN wa.contact AS c ON c.number = n.number,"
						" LATERAL (VALUES ('all', 'opt_out', c.opted_out_at), ('all', 'opt_in', c.opted_in_at),"
						" ('marketing', 'opt_out', c.marketing_out_at), ('marketing', 'opt_in', c.marketing_in_at)) AS v (scope, change, said_at)"
						" WHERE v.said_at IS NOT NULL AND NOT EXISTS (SELECT FROM wa.consent AS h WHERE h.number = n.number"
						" AND h.scope = v.scope AND h.change = v.change AND h.said_at = v.said_at)),"
						" o AS (SELECT p.id, c.scope, max(c.said_at) FILTER (WHERE c.change = 'opt_out') AS out_at,"
						" max(c.said_at) FILTER (WHERE c.change = 'opt_in') AS in_at FROM p JOIN c USING (id)"
						" WHERE c.said_at <= CASE c.source WHEN '" WA_CONSENT_HAND "' THEN p.received_at ELSE p.at END GROUP BY p.id, c.scope),"
						" m AS (SELECT DISTINCT p.number, p.user_id, o.scope, 'opt_out'::text AS change, o.out_at AS said_at,"
						" '" WA_CONSENT_MOVED "'::text AS source, NULL::text AS words, NULL::text AS by"
						" FROM o JOIN p USING (id) WHERE o.out_at >= coalesce(o.in_at, '-infinity'))"
						" SELECT {columns} FROM m");
	int			written;

	if (wa_query(&any, NULL).n == 0)
		return;
	do
	{
		WaArgs		args = {0};
		int			n;
		WaConsentChange *changes = wa_rows_read(wa_query(&holds, &args), &change_row, &n);

		written = write_down(changes, n);
	} while (written > 0);
}

/*
 * Carry over what is pending.  False: some of it is left, come back in a
 * second.
 */
bool
wa_feedback_consent_settle(void)
{
	static WaStatement left =
		WA_STATEMENT("SELECT FROM wa.consent WHERE pending LIMIT 1");

	if (wa_query(&left, NULL).n == 0)
		return true;
	try_to_settle(NULL, 0);
	return wa_query(&left, NULL).n == 0;
}

/*
 * What was said in words goes after this time, a batch.  Returns how many.
 */
int
wa_feedback_consent_purge(const char *retention)
{
	static WaStatement blank =
		WA_STATEMENT("UPDATE wa.consent SET words = NULL WHERE id = ANY (ARRAY (SELECT id FROM wa.consent"
					 " WHERE words IS NOT NULL AND noted_at < now() - $1::interval ORDER BY noted_at LIMIT 1000))");
	WaArgs		args = {0};

	wa_arg_text(&args, retention);
	return (int) wa_query(&blank, &args).n;
}
