/*-------------------------------------------------------------------------
 *
 * person.c
 *		Whose number an id is, and whose number or id has changed.
 *
 * Since 2026 Meta hides numbers: a person is an id then, which belongs to one
 * business portfolio and changes with his number.  Whenever both are shown
 * together that is kept, and what was said by an id counts for the number.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "feedback/consent.h"
#include "feedback/feedback.h"
#include "pg/columns.h"
#include "pg/query.h"
#include "route/route.h"

/*
 * Somebody has shared his number when he was asked for it: whatever else was
 * told of his id before it came, or somebody has typed, is of another.
 */
static void
drop_disproved(const int64 *ids, int n)
{
	static WaStatement drop =
		WA_STATEMENT("DELETE FROM wa.identity_of AS i USING wa.feedback AS f WHERE f.id = ANY ($1) AND f.proves_number"
					 " AND f.number IS NOT NULL AND i.user_id = f.user_id AND i.number <> f.number AND i.seen_at <= f.received_at");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, n);
	wa_query(&drop, &args);
}

/*
 * Ids that these rows of wa.feedback show beside a number.
 */
void
wa_feedback_bind(const int64 *ids, int n)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.identity_of AS i (user_id, number, provider, seen_at)"
					 " SELECT DISTINCT ON (v.user_id, f.number) v.user_id, f.number, f.provider,"
					 " coalesce(least(f.said_at, f.received_at), f.received_at) AS at"
					 " FROM wa.feedback AS f, LATERAL (VALUES (f.user_id), (f.parent_user_id)) AS v (user_id)"
					 " WHERE f.id = ANY ($1) AND f.number IS NOT NULL AND v.user_id IS NOT NULL"
					 " ORDER BY v.user_id, f.number, at DESC"
					 " ON CONFLICT (user_id, number) DO UPDATE SET provider = excluded.provider, seen_at = excluded.seen_at"
					 " WHERE i.seen_at < excluded.seen_at RETURNING xmax = 0, i.user_id");
	WaArgs		args = {0};
	WaRows		rows;
	const char **user_ids;
	int			known = 0;

	drop_disproved(ids, n);
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&put, &args);
	user_ids = palloc(sizeof(char *) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
		if (wa_row_bool(rows, i, 1))
			user_ids[known++] = wa_row_text(rows, i, 2);
	wa_rows_free(rows);
	if (known > 0)
		wa_feedback_consent_bind(user_ids, known, true);
}

/*
 * Whoever hides his number is still known, where an id of his is bound, or where
 * he answers a message of ours.
 */
void
wa_feedback_recognize(const int64 *ids, int n)
{
	static WaStatement put =
		WA_STATEMENT("UPDATE wa.feedback AS f SET user_id = coalesce(f.user_id, f.parent_user_id),"
					 " number = coalesce((SELECT i.number FROM wa.identity_of AS i WHERE i.user_id IN (f.user_id, f.parent_user_id)"
					 " ORDER BY i.user_id IS DISTINCT FROM f.user_id, " WA_ROUTE_LAST_SEEN("i") " LIMIT 1),"
					 " CASE WHEN f.opens_window OR f.keyword IS NOT NULL THEN"
					 " (SELECT m.number FROM wa.attempt AS a JOIN wa.message AS m ON m.id = a.message_id"
					 " WHERE a.provider_message_id = f.answers AND a.provider = f.provider AND m.number !~ '[^0-9]' " WA_FEEDBACK_LAST_ATTEMPT("a") ") END)"
					 " WHERE f.id = ANY ($1) AND f.number IS NULL");
	WaArgs		args = {0};

	wa_feedback_bind(ids, n);
	wa_arg_int8_array(&args, ids, n);
	wa_query(&put, &args);
}

/*
 * See feedback.h.  Nothing comes of these but whose number an id is.
 */
void
wa_feedback_apply_kept(const int64 *ids, int n)
{
	wa_feedback_bind(ids, n);
	wa_feedback_keep(ids, n);
}

/*
 * See feedback.h.  A change is kept for a while (setting feedback_retention):
 * what was said before it may be heard after it.
 */
void
wa_feedback_apply_person(const int64 *ids, int n)
{
	static WaStatement remove =
		WA_STATEMENT("DELETE FROM wa.feedback AS f WHERE f.id = ANY ($1)"
					 " AND (coalesce(f.previous_number, f.previous_user_id) IS NULL OR coalesce(f.number, f.user_id) IS NULL"
					 " OR EXISTS (SELECT FROM wa.feedback AS b WHERE b.kind = 'person' AND b.id < f.id"
					 " AND ROW (b.previous_number, b.previous_user_id, b.number, b.user_id, b.said_at)"
					 " IS NOT DISTINCT FROM ROW (f.previous_number, f.previous_user_id, f.number, f.user_id, f.said_at)))");
	WaArgs		args = {0};

	wa_feedback_bind(ids, n);
	wa_arg_int8_array(&args, ids, n);
	wa_query(&remove, &args);
	wa_feedback_keep(ids, n);
	wa_feedback_consent_follow();
}

#define PREFERENCE_COLUMNS(X, row) \
	X(row, text, number, "f.number") \
	X(row, text, user_id, "f.user_id") \
	X(row, boolean, wants, "coalesce(f.wants, false)") \
	X(row, text, event, "f.event") \
	X(row, time, at, "coalesce(least(f.said_at, f.received_at), f.received_at)")

WA_DEFINE_ROW(Preference, preference_row, PREFERENCE_COLUMNS);

/*
 * See feedback.h.  What somebody wishes of marketing lifts nothing that he said
 * to the office.
 */
void
wa_feedback_apply_preference(const int64 *ids, int n)
{
	static WaStatement look =
		WA_STATEMENT_OF(&preference_row, "SELECT {columns} FROM wa.feedback AS f WHERE f.id = ANY ($1) ORDER BY f.id");
	WaConsentChange *changes = palloc0(sizeof(WaConsentChange) * n);
	Preference *wishes;
	int			nchanges = 0;
	WaArgs		args = {0};

	wa_feedback_recognize(ids, n);
	wa_arg_int8_array(&args, ids, n);
	wishes = wa_rows_read(wa_query(&look, &args), &preference_row, &n);
	for (int i = 0; i < n; i++)
	{
		if (wishes[i].number == NULL && wishes[i].user_id == NULL)
			continue;
		changes[nchanges++] = (WaConsentChange)
		{
			.number = wishes[i].number,
				.user_id = wishes[i].user_id,
				.out = !wishes[i].wants,
				.marketing = true,
				.said_at = wishes[i].at,
				.source = WA_CONSENT_PREFERENCE,
				.words = wishes[i].event
		};
	}
	wa_feedback_consent_note(changes, nchanges);
	wa_feedback_done(ids, n);
}
