/*-------------------------------------------------------------------------
 *
 * run.c
 *		The worker applies what webhooks have brought.
 *
 * A batch by due_at, each kind together.  What one row fails with must not keep
 * the others: a kind that ends in an error is gone through row by row, and the
 * row that it fails for stays, with the error, and is not tried again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "feedback/consent.h"
#include "feedback/feedback.h"
#include "gateway/gateway.h"
#include "office/setting.h"
#include "pg/flood.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "wake/wake.h"

#define BATCH			1000

/* So long after its arrival a row that does not fit is given up. */
#define GIVE_UP			"3 days"

static void (*const appliers[WA_UPDATE_KIND_COUNT]) (const int64 *ids, int n) =
{
	[WA_UPDATE_STATUS] = wa_feedback_apply_status,
		[WA_UPDATE_INBOUND] = wa_feedback_apply_inbound,
		[WA_UPDATE_TEMPLATE] = wa_feedback_apply_template,
		[WA_UPDATE_ACCOUNT] = wa_feedback_apply_account,
		[WA_UPDATE_PERSON] = wa_feedback_apply_person,
		[WA_UPDATE_PREFERENCE] = wa_feedback_apply_preference,
		[WA_UPDATE_KEPT] = wa_feedback_apply_kept
};

/* Rows of one kind. */
typedef struct Rows
{
	WaUpdateKind kind;
	const int64 *ids;
	int			n;
} Rows;

/*
 * These rows are applied, but for some of them.
 */
void
wa_feedback_done_but(const int64 *ids, int n, const int64 *but, int nbut)
{
	static WaStatement remove =
		WA_STATEMENT("DELETE FROM wa.feedback WHERE id = ANY ($1) AND id <> ALL ($2)");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_arg_int8_array(&args, but, nbut);
	wa_query(&remove, &args);
}

/*
 * These rows are applied.
 */
void
wa_feedback_done(const int64 *ids, int n)
{
	wa_feedback_done_but(ids, n, ids, 0);
}

/*
 * These do not fit yet: they come again when they have waited half as long
 * again, for the first time after a quarter of a second, and in the end not at all.
 */
void
wa_feedback_later(const int64 *ids, int n)
{
	static WaStatement put_off =
		WA_STATEMENT("UPDATE wa.feedback SET due_at = CASE WHEN received_at > clock_timestamp() - interval '" GIVE_UP "'"
					 " THEN clock_timestamp() + greatest(interval '0.25 s', (clock_timestamp() - received_at) / 2) END,"
					 " problem = CASE WHEN received_at <= clock_timestamp() - interval '" GIVE_UP "' THEN 'nothing came of it within " GIVE_UP "' END"
					 " WHERE id = ANY ($1)");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_query(&put_off, &args);
}

/*
 * Nothing comes of these: they are kept for a while.
 */
void
wa_feedback_keep(const int64 *ids, int n)
{
	static WaStatement keep_them =
		WA_STATEMENT("UPDATE wa.feedback SET due_at = NULL WHERE id = ANY ($1)");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_query(&keep_them, &args);
}

static bool
apply(void *argument)
{
	Rows	   *rows = argument;

	if (appliers[rows->kind])
		appliers[rows->kind] (rows->ids, rows->n);
	else
		wa_feedback_keep(rows->ids, rows->n);
	return true;
}

static void
note_problem(int64 id, const char *problem)
{
	static WaStatement note =
		WA_STATEMENT("UPDATE wa.feedback SET due_at = NULL, problem = $2 WHERE id = $1");
	static WaFlood flood = WA_FLOOD("sicantik_wa could not apply what a provider told", ERRCODE_DATA_EXCEPTION);
	WaArgs		args = {0};

	wa_arg_int8(&args, id);
	wa_arg_text(&args, problem);
	wa_query(&note, &args);
	if (wa_pg_flood_may_say(&flood))
		ereport(WARNING,
				(errcode(flood.code),
				 errmsg("%s (row " INT64_FORMAT " of wa.feedback): %s", flood.line, id, problem)));
}

static void
apply_kind(Rows *rows)
{
	ErrorData  *error = wa_pg_attempt(apply, rows);

	for (int i = 0; error && i < rows->n; i++)
	{
		Rows		one = {rows->kind, &rows->ids[i], 1};
		ErrorData  *problem = wa_pg_attempt(apply, &one);

		if (problem)
			note_problem(rows->ids[i], problem->message);
	}
}

/*
 * Take a batch, by kind: *kinds, each with its ids.  Returns how many rows.
 */
static int
take(Rows kinds[WA_UPDATE_KIND_COUNT])
{
	static WaStatement look =
		WA_STATEMENT("SELECT id, kind FROM wa.feedback WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT $1"
					 " FOR UPDATE SKIP LOCKED");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_int8(&args, BATCH);
	rows = wa_query(&look, &args);
	memset(kinds, 0, sizeof(Rows) * WA_UPDATE_KIND_COUNT);
	for (int kind = 0; kind < WA_UPDATE_KIND_COUNT && rows.n > 0; kind++)
	{
		int64	   *ids = palloc(sizeof(int64) * rows.n);

		kinds[kind].kind = kind;
		kinds[kind].ids = ids;
		for (uint64 i = 0; i < rows.n; i++)
			if (strcmp(wa_row_text(rows, i, 2), wa_gateway_update_kind_name(kind)) == 0)
				ids[kinds[kind].n++] = wa_row_int8(rows, i, 1);
	}
	wa_rows_free(rows);
	return (int) rows.n;
}

static TimestampTz
next_due(void)
{
	static WaStatement look =
		WA_STATEMENT("SELECT due_at FROM wa.feedback WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1");
	WaRows		rows = wa_query(&look, NULL);
	TimestampTz due = rows.n > 0 ? wa_row_timestamptz(rows, 0, 1) : 0;

	wa_rows_free(rows);
	return due;
}

/*
 * Apply what has come, a batch.  *due: when to come again, 0: when something
 * comes.  False: a table of ours is locked.  Raises an error where the whole
 * cannot be carried out.
 */
bool
wa_feedback_run(TimestampTz *due)
{
	Rows		kinds[WA_UPDATE_KIND_COUNT];
	int			n;

	if (!wa_frame_begin("applying feedback"))
		return false;
	n = take(kinds);
	for (int kind = 0; kind < WA_UPDATE_KIND_COUNT && n > 0; kind++)
		if (kinds[kind].n > 0)
			apply_kind(&kinds[kind]);
	*due = next_due();
	wa_feedback_notify(due);
	wa_feedback_write_back_look();
	/* until this is on disk, the rows are there to be applied again */
	wa_frame_commit(false);
	return true;
}

/*
 * Delete a batch of what nothing came of, and of what people wrote, when their
 * time is over; in a transaction of its own.  Returns how many rows.
 */
int
wa_feedback_purge(void)
{
	static WaStatement remove =
		WA_STATEMENT("WITH f AS (DELETE FROM wa.feedback WHERE id = ANY (ARRAY (SELECT id FROM wa.feedback WHERE due_at IS NULL"
					 " AND received_at < now() - $1::interval ORDER BY received_at LIMIT 1000)) RETURNING 1),"
					 " p AS (DELETE FROM wa.status_pair WHERE (provider, pair_id) IN (SELECT provider, pair_id FROM wa.status_pair"
					 " WHERE seen_at < now() - $2::interval ORDER BY seen_at LIMIT 1000) RETURNING 1),"
					 " i AS (DELETE FROM wa.inbound WHERE id = ANY (ARRAY (SELECT id FROM wa.inbound"
					 " WHERE received_at < now() - $2::interval ORDER BY received_at LIMIT 1000)) RETURNING 1),"
					 " w AS (DELETE FROM wa.contact_window WHERE (number, sender_id) IN (SELECT number, sender_id FROM wa.contact_window"
					 " WHERE last_inbound_at < now() - $2::interval ORDER BY last_inbound_at LIMIT 1000) RETURNING 1)"
					 " SELECT (SELECT count(*) FROM f) + (SELECT count(*) FROM p) + (SELECT count(*) FROM i) + (SELECT count(*) FROM w)");
	WaArgs		args = {0};
	int			n;

	if (!wa_frame_begin("deleting old feedback"))
		return 0;
	wa_arg_text(&args, wa_office_get("feedback_retention"));
	wa_arg_text(&args, wa_office_get("retention"));
	n = (int) wa_row_int8(wa_query(&remove, &args), 0, 1);
	n += wa_feedback_consent_purge(wa_office_get("retention"));
	wa_frame_commit(false);
	return n;
}
