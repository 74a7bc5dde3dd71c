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
					 " WHERE i.seen_at < excluded.seen_at RETURNING xmax = 0");
	WaArgs		args = {0};
	WaRows		rows;
	bool		any = false;

	drop_disproved(ids, n);
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&put, &args);
	for (uint64 i = 0; i < rows.n; i++)
		any = any || wa_row_bool(rows, i, 1);
	wa_rows_free(rows);
	if (any)
		wa_feedback_consent_bind();
}

#define CHANGE_COLUMNS(X, row) \
	X(row, text, previous_number, "f.previous_number") \
	X(row, text, previous_user_id, "f.previous_user_id") \
	X(row, text, number, "f.number") \
	X(row, text, user_id, "f.user_id")

WA_DEFINE_ROW(Change, person_row, CHANGE_COLUMNS);

/*
 * See feedback.h.
 */
void
wa_feedback_apply_person(const int64 *ids, int n)
{
	static WaStatement look =
		WA_STATEMENT_OF(&person_row, "SELECT {columns} FROM wa.feedback AS f WHERE f.id = ANY ($1)"
						" ORDER BY f.said_at NULLS LAST, f.id");
	Change	   *changes;
	int			nchanges;
	WaArgs		args = {0};

	wa_feedback_bind(ids, n);
	wa_arg_int8_array(&args, ids, n);
	changes = wa_rows_read(wa_query(&look, &args), &person_row, &nchanges);
	for (int i = 0; i < nchanges; i++)
		wa_feedback_consent_move(changes[i].previous_number, changes[i].previous_user_id,
								 changes[i].number, changes[i].user_id);
	wa_feedback_done(ids, n);
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

	wa_feedback_bind(ids, n);
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
