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
#include "pg/columns.h"
#include "pg/query.h"
#include "pg/subtransaction.h"

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

/*
 * Write down n changes, and bring wa.contact to what holds.  One that was
 * written down already is passed over.  Where only an id is given, and it is
 * known whose it is, it counts for that number; where that is not known, it is
 * kept for the id (wa_feedback_consent_bind()).
 */
void
wa_feedback_consent_note(const WaConsentChange *changes, int n)
{
	static WaStatement write =
		WA_STATEMENT_OF(&change_row,
						"WITH k AS MATERIALIZED (SELECT coalesce(r.number, (SELECT i.number FROM wa.identity_of AS i"
						" WHERE i.user_id = r.user_id ORDER BY i.seen_at DESC NULLS LAST LIMIT 1)) AS number, r.user_id,"
						" CASE WHEN r.marketing THEN 'marketing' ELSE 'all' END AS scope,"
						" CASE WHEN r.out THEN 'opt_out' ELSE 'opt_in' END AS change,"
						" CASE WHEN r.said_at <= clock_timestamp() THEN r.said_at ELSE clock_timestamp() END AS said_at,"
						" coalesce(r.source, '') AS source, r.words, r.by FROM unnest({arrays}) AS r ({members})),"
						" w AS (INSERT INTO wa.consent (number, user_id, scope, change, said_at, source, words, by, pending)"
						" SELECT DISTINCT ON (number, CASE WHEN number IS NULL THEN user_id END, scope, change, said_at, source)"
						" number, user_id, scope, change, said_at, source, words, by, number IS NOT NULL FROM k"
						" WHERE CASE WHEN k.number IS NOT NULL THEN NOT " WRITTEN("h", "k", "k.number")
						" ELSE k.user_id IS NOT NULL AND NOT EXISTS (SELECT FROM wa.consent AS h WHERE h.number IS NULL"
						" AND h.user_id = k.user_id AND h.scope = k.scope AND h.change = k.change"
						" AND h.said_at = k.said_at AND h.source = k.source) END RETURNING number)"
						" SELECT DISTINCT number FROM w WHERE number IS NOT NULL");
	WaArgs		args = {0};
	WaRows		rows;
	const char **numbers;

	if (n == 0)
		return;
	wa_arg_rows(&args, &change_row, changes, n);
	rows = wa_query(&write, &args);
	numbers = palloc(sizeof(char *) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
		numbers[i] = wa_row_text(rows, i, 1);
	if (rows.n > 0)
		try_to_settle(numbers, (int) rows.n);
	wa_rows_free(rows);
}

/*
 * Of ids that have become known (wa.identity_of) the opt-outs count for their
 * numbers from now on, unless the same id has opted in later.  An opt-in is of
 * the id that said it.
 */
void
wa_feedback_consent_bind(void)
{
	static WaStatement bind =
		WA_STATEMENT("INSERT INTO wa.consent (number, user_id, scope, change, said_at, source, words, by, pending)"
					 " SELECT DISTINCT i.number, c.user_id, c.scope, c.change, c.said_at, c.source, c.words, c.by, true"
					 " FROM wa.consent AS c JOIN wa.identity_of AS i ON i.user_id = c.user_id"
					 " WHERE c.number IS NULL AND c.change = 'opt_out'"
					 " AND NOT EXISTS (SELECT FROM wa.consent AS l WHERE l.number IS NULL AND l.user_id = c.user_id"
					 " AND l.scope = c.scope AND l.change = 'opt_in' AND l.said_at > c.said_at)"
					 " AND NOT " WRITTEN("h", "c", "i.number"));

	if (wa_query(&bind, NULL).n > 0)
		try_to_settle(NULL, 0);
}

/*
 * Somebody has another number, or another id, or both; NULL: not known.  What
 * he does not want he does not want there either.  That he wanted messages is
 * for the number that he had: who has the new one has not said so.
 */
void
wa_feedback_consent_move(const char *old_number, const char *old_user_id,
						 const char *new_number, const char *new_user_id)
{
	/* of each scope the last "no", if it holds */
	static WaStatement holds =
		WA_STATEMENT_OF(&change_row,
						"WITH n AS (SELECT $1 AS number WHERE $1 IS NOT NULL"
						" UNION SELECT number FROM wa.identity_of WHERE user_id = $2),"
						" w AS (SELECT scope, max(said_at) FILTER (WHERE change = 'opt_out') AS out_at,"
						" max(said_at) FILTER (WHERE change = 'opt_in') AS in_at"
						" FROM wa.consent WHERE number IS NULL AND user_id = $2 GROUP BY scope),"
						" o AS (SELECT 'all' AS scope, c.opted_out_at AS said_at FROM wa.contact AS c WHERE c.number IN (SELECT number FROM n)"
						" AND c.opted_out_at >= coalesce(c.opted_in_at, '-infinity')"
						" UNION ALL SELECT 'marketing', c.marketing_out_at FROM wa.contact AS c WHERE c.number IN (SELECT number FROM n)"
						" AND c.marketing_out_at IS NOT NULL"
						" UNION ALL SELECT c.scope, c.said_at FROM wa.consent AS c WHERE c.pending AND c.number IN (SELECT number FROM n)"
						" AND c.change = 'opt_out'"
						" UNION ALL SELECT scope, out_at FROM w WHERE out_at >= coalesce(in_at, '-infinity')),"
						" c AS (SELECT $3::text AS number, $4::text AS user_id, 'opt_out'::text AS change, scope::text AS scope,"
						" max(said_at) AS said_at, '" WA_CONSENT_MOVED "'::text AS source, NULL::text AS words, NULL::text AS by"
						" FROM o GROUP BY scope)"
						" SELECT {columns} FROM c");
	WaArgs		args = {0};
	WaConsentChange *changes;
	int			n;

	if ((old_number == NULL && old_user_id == NULL) || (new_number == NULL && new_user_id == NULL))
		return;
	wa_arg_text(&args, old_number);
	wa_arg_text(&args, old_user_id);
	wa_arg_text(&args, new_number);
	wa_arg_text(&args, new_user_id);
	changes = wa_rows_read(wa_query(&holds, &args), &change_row, &n);
	wa_feedback_consent_note(changes, n);
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
					 " WHERE words IS NOT NULL AND noted_at < clock_timestamp() - $1::interval ORDER BY noted_at LIMIT 1000))");
	WaArgs		args = {0};

	wa_arg_text(&args, retention);
	return (int) wa_query(&blank, &args).n;
}
