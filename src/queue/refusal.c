/*-------------------------------------------------------------------------
 *
 * refusal.c
 *		Refusals for a reason that is in no table: one person's, or everybody's?
 *
 * A gateway whose device was banned refuses each citizen one by one, in words
 * that nobody has documented.  The ledger knows better than any single answer:
 * how many different recipients were refused in the same words since the
 * provider last took a message.  Everything is read from wa.attempt, so a
 * restart of the worker forgets nothing.
 *
 * Whoever was refused so before the provider took other people's messages, and
 * is refused so again, is refused for himself: he counts for nothing here, or
 * a few wrong numbers would stop the provider again and again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/query.h"
#include "pg/said.h"
#include "queue/law.h"
#include "queue/queue.h"
#include "queue/work.h"

/*
 * The newest attempts by provider $1, the last one that it took, and those
 * that it has refused since in the words $2.  Only the newest messages are
 * looked at.
 */
#define REFUSED \
	"WITH recent AS MATERIALIZED (SELECT message_id, finished_at, outcome, unlisted FROM wa.attempt" \
	" WHERE provider = $1 AND message_id > (SELECT coalesce(max(message_id), 0) - 20000 FROM wa.attempt))," \
	" taken AS (SELECT coalesce(max(finished_at), '-infinity') AS last FROM recent WHERE outcome = 'accepted')," \
	" refused AS (SELECT message_id, EXISTS (SELECT FROM recent AS e, taken WHERE e.message_id = r.message_id" \
	" AND e.unlisted = $2 AND e.finished_at <= taken.last) AS own" \
	" FROM recent AS r, taken WHERE r.unlisted = $2 AND r.finished_at > taken.last)"

/*
 * What the ledger tells of a refusal of this message, whose attempt it has
 * already.
 */
void
wa_queue_refusals(const char *provider, const char *words, int64 message, WaRefusals *refusals)
{
	static WaStatement look =
		WA_STATEMENT(REFUSED " SELECT count(DISTINCT m.number) FILTER (WHERE NOT r.own)::int4,"
					 " coalesce(bool_or(r.own) FILTER (WHERE m.id = $3), false)"
					 " FROM refused AS r JOIN wa.message AS m ON m.id = r.message_id");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, provider);
	wa_arg_text(&args, words);
	wa_arg_int8(&args, message);
	rows = wa_query(&look, &args);
	refusals->recipients = wa_row_int4(rows, 0, 1);
	refusals->own = wa_row_bool(rows, 0, 2);
	wa_rows_free(rows);
}

/*
 * It was not the recipients: messages that have failed for this refusal are
 * ready again, where they still may go and no newer one about the same has
 * taken their place.  Rows that somebody holds are left as they are; they are
 * found when the provider refuses the next time.  Returns how many, and their
 * ids (palloc()ed).
 */
int
wa_queue_revive_refused(const char *provider, const char *words, int64 **ids)
{
	static WaStatement revive =
		WA_STATEMENT(REFUSED ", mine AS (SELECT m.id FROM wa.message AS m"
					 " WHERE m.id IN (SELECT message_id FROM refused WHERE NOT own)"
					 " AND m.state = " WA_SQL_STATE(FAILED) " AND m.reason = " WA_SQL_REASON(REQUEST)
					 " AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp())"
					 " AND NOT EXISTS (SELECT FROM wa.message AS n WHERE n.id > m.id AND n.res_id = m.res_id"
					 " AND n.res_model = m.res_model AND n.scenario = m.scenario AND n.number = m.number"
					 " AND n.state NOT IN " WA_SQL_STATES(WA_NEVER_SENT) ")"
					 " FOR NO KEY UPDATE SKIP LOCKED)"
					 " UPDATE wa.message AS m SET state = " WA_SQL_STATE(QUEUED) ", reason = " WA_SQL_REASON(REFUSES_ALL) ","
					 " detail = $3, detail_said = $4,"
					 " refused_by = NULL, due_at = NULL, finished_at = NULL"
					 " WHERE m.id IN (SELECT id FROM mine) RETURNING m.id");
	static WaStatement ready =
		WA_STATEMENT("INSERT INTO wa.ready (message_id, only_by, lane) SELECT m.id, " WA_QUEUE_LINE("m")
					 " FROM wa.message AS m WHERE m.id = ANY ($1) ON CONFLICT DO NOTHING");
	WaArgs		args = {0};
	WaRows		rows;
	int			n;

	wa_arg_text(&args, provider);
	wa_arg_text(&args, words);
	wa_arg_said(&args, wa_say(WA_SAY_TRIED_AGAIN_LIKE_OTHERS));
	rows = wa_queue_change(WA_CHANGE_TRY_OTHERS, &revive, &args);
	n = (int) rows.n;
	*ids = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*ids)[i] = wa_row_int8(rows, i, 1);
	wa_rows_free(rows);
	if (n == 0)
		return 0;
	memset(&args, 0, sizeof(args));
	wa_arg_int8_array(&args, *ids, n);
	wa_query(&ready, &args);
	return n;
}
