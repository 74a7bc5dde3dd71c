/*-------------------------------------------------------------------------
 *
 * status.c
 *		What became of our messages: sent, delivered, read, failed.
 *
 * A status is matched by the id that the provider gave when it took the
 * message, or by our mark that it sends along, and by nothing else.  The last
 * state does not depend on the order in which they come, nor on how often:
 * read is more than delivered, that more than sent, and any of them is true
 * whatever the ledger says; a failure counts only where none of them has come.
 *
 * A message that is still to be sent, or in doubt, is the sender's: the status
 * is noted as a wish for it (wa.request), and comes again when that is done.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "feedback/feedback.h"
#include "gateway/gateway.h"
#include "pg/columns.h"
#include "pg/query.h"
#include "queue/erase.h"
#include "queue/tell.h"

#define STATUS_COLUMNS(X, row) \
	X(row, int8, id, "f.id") \
	X(row, text, provider, "f.provider") \
	X(row, text, progress, "f.progress") \
	X(row, time, at, "least(f.said_at, f.received_at)") \
	X(row, text, code, "f.code") \
	X(row, text, words, "f.words") \
	X(row, json, pricing, "f.pricing") \
	X(row, text, callback, "f.callback") \
	X(row, text, database, "(SELECT i.mark FROM wa.identity AS i)") \
	X(row, text, provider_message_id, "coalesce(f.provider_message_id, p.provider_message_id)") \
	X(row, int8, message_id, "coalesce(a.message_id, 0)") \
	X(row, int4, attempt, "coalesce(a.attempt, 0)") \
	X(row, boolean, forgotten, "EXISTS (SELECT FROM wa.forgotten AS g WHERE a.message_id IS NULL AND g.digests @> ARRAY[" \
	  WA_QUEUE_DIGEST("coalesce(f.provider_message_id, p.provider_message_id)") "])")

WA_DEFINE_ROW(Status, status_row, STATUS_COLUMNS);

/* Two ids for one message, to be remembered. */
static void
keep_pairs(const int64 *ids, int n)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.status_pair (provider, pair_id, provider_message_id)"
					 " SELECT provider, pair_id, provider_message_id FROM wa.feedback"
					 " WHERE id = ANY ($1) AND pair_id IS NOT NULL AND provider_message_id IS NOT NULL"
					 " ON CONFLICT (provider, pair_id) DO NOTHING");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, n);
	wa_query(&put, &args);
}

static Status *
read_statuses(const int64 *ids, int *n)
{
	static WaStatement look =
		WA_STATEMENT_OF(&status_row, "SELECT {columns} FROM wa.feedback AS f"
						" LEFT JOIN wa.status_pair AS p ON p.provider = f.provider AND p.pair_id = f.pair_id"
						" LEFT JOIN LATERAL (SELECT t.message_id, t.attempt FROM wa.attempt AS t"
						" WHERE t.provider_message_id = coalesce(f.provider_message_id, p.provider_message_id)"
						" AND t.provider = f.provider " WA_FEEDBACK_LAST_ATTEMPT("t") ") AS a ON true"
						" WHERE f.id = ANY ($1) ORDER BY f.id");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, *n);
	return wa_rows_read(wa_query(&look, &args), &status_row, n);
}

/*
 * Has the message that our mark names lost its data?  Then what is told of it,
 * the provider's id, would bring them back.
 */
static bool
is_blank(int64 message_id, bool by_mark)
{
	static WaStatement look =
		WA_STATEMENT("SELECT FROM wa.message WHERE id = $1 AND attempts > 0 AND number IS NULL AND body IS NULL AND params IS NULL");
	WaArgs		args = {0};

	if (!by_mark || message_id == 0)
		return false;
	wa_arg_int8(&args, message_id);
	return wa_query(&look, &args).n > 0;
}

static WaTold
told(const Status * status)
{
	return (WaTold)
	{
		.feedback_id = status->id,
			.message_id = status->message_id,
			.attempt = status->attempt,
			.provider = status->provider,
			.progress = status->progress,
			.at = status->at,
			.pricing = status->pricing,
			.code = status->code,
			.words = status->words,
			.provider_message_id = status->provider_message_id
	};
}

/*
 * See feedback.h.
 */
void
wa_feedback_apply_status(const int64 *ids, int n)
{
	Status	   *statuses;
	WaTold	   *all;
	int64	   *over = palloc(sizeof(int64) * n);
	int64	   *later = palloc(sizeof(int64) * n);
	int			nall = 0;
	int			nover = 0;
	int			nlater = 0;

	wa_feedback_bind(ids, n);
	keep_pairs(ids, n);
	statuses = read_statuses(ids, &n);
	all = palloc(sizeof(WaTold) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		Status	   *status = &statuses[i];

		bool		by_mark = status->message_id == 0;
		bool		foreign = false;

		if (status->message_id == 0)
			foreign = !wa_queue_read_mark(status->callback, status->database, &status->message_id, &status->attempt) &&
				status->callback != NULL;
		/* of somebody who was erased nothing comes back */
		if (status->forgotten || is_blank(status->message_id, by_mark))
		{
			over[nover++] = status->id;
			continue;
		}
		/* ours have our mark: this is of another program, or database */
		if (status->progress == NULL || foreign)
			over[nover++] = status->id;
		else if (status->message_id == 0)
			later[nlater++] = status->id;
		else
			all[nall++] = told(status);
	}
	wa_queue_tell(all, nall);
	for (int i = 0; i < nall; i++)
	{
		if (all[i].done)
			over[nover++] = all[i].feedback_id;
		else
			later[nlater++] = all[i].feedback_id;
	}
	wa_feedback_done(over, nover);
	wa_feedback_later(later, nlater);
}
