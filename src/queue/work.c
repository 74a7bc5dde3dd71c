/*-------------------------------------------------------------------------
 *
 * work.c
 *		The sender's side of the ledger: load, claim, record.
 *
 * There is one sender per database, so nothing here has to compete; but each
 * step is a set-based statement, because the number of statements and commits
 * is what a message costs.  A claim is committed before the first byte of its
 * request leaves: whatever a crash leaves claimed has an unknown outcome.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/query.h"
#include "queue/law.h"
#include "queue/queue.h"
#include "queue/work.h"

/* Columns of a ready message, in the order that read_rows() takes them. */
#define READY_COLUMNS \
	"m.id, r.claimed_at, r.provider, r.attempt, m.scenario, m.priority," \
	" m.number, m.template_key, m.wanted_provider, m.partner_id, m.requires_opt_in," \
	" m.expires_at, m.dedupe_key, m.attempts, m.created_at, m.state, m.reason, m.provider," \
	" m.unknown_policy, m.fallback, m.fallback_when_paced, m.refused_by, m.backoffs, m.repeats," \
	" starts_with(m.number_source, 'res_partner.'), m.due_at IS NOT NULL"

static int
read_rows(WaRows rows, WaReadyRow **ready)
{
	WaReadyRow *list = palloc0(sizeof(WaReadyRow) * Max(rows.n, 1));

	for (uint64 i = 0; i < rows.n; i++)
	{
		WaReadyRow *row = &list[i];
		char	   *priority = wa_row_text(rows, i, 6);
		WaState		state = wa_queue_state_read(wa_row_text(rows, i, 16), wa_row_bool(rows, i, 26));

		row->id = wa_row_int8(rows, i, 1);
		row->claimed_at = wa_row_timestamptz(rows, i, 2);
		row->claimed = row->claimed_at != 0 && state == WA_STATE_SENDING;
		row->in_doubt = state == WA_STATE_DOUBT;
		row->over = !row->claimed && !row->in_doubt && state != WA_STATE_QUEUED;
		row->claimed_provider = wa_row_text(rows, i, 3);
		row->attempt = wa_row_int4(rows, i, 4);
		row->scenario = wa_row_text(rows, i, 5);
		row->by_hand = row->scenario == NULL;
		row->high = strcmp(priority, "high") == 0;
		row->low = strcmp(priority, "low") == 0;
		row->number = wa_row_text(rows, i, 7);
		row->template_key = wa_row_text(rows, i, 8);
		row->wanted_provider = wa_row_text(rows, i, 9);
		row->partner_id = wa_row_int8(rows, i, 10);
		row->requires_opt_in = wa_row_bool(rows, i, 11);
		row->expires_at = wa_row_timestamptz(rows, i, 12);
		row->dedupe_key = wa_row_text(rows, i, 13);
		row->attempts = wa_row_int4(rows, i, 14);
		row->created_at = wa_row_timestamptz(rows, i, 15);
		row->reason = wa_queue_reason_read(wa_row_text(rows, i, 17));
		row->provider = wa_row_text(rows, i, 18);
		row->unknown_policy = wa_row_text(rows, i, 19);
		row->fallback = wa_row_bool(rows, i, 20);
		row->fallback_when_paced = wa_row_bool(rows, i, 21);
		row->tried = wa_row_text_array(rows, i, 22, &row->ntried);
		row->waits = wa_row_int4(rows, i, 23);
		row->repeats = wa_row_int4(rows, i, 24);
		row->of_contact = wa_row_bool(rows, i, 25);
	}
	wa_rows_free(rows);
	*ready = list;
	return (int) rows.n;
}

/*
 * Ready messages with an id above "after_id", in the order of ids, at most
 * "limit".  Rows are palloc()ed in the current context.  A message that has
 * lost its row in wa.message is not returned.
 */
int
wa_queue_load(int64 after_id, int limit, WaReadyRow **rows)
{
	static WaStatement load =
		WA_STATEMENT("SELECT " READY_COLUMNS
					 " FROM (SELECT * FROM wa.ready WHERE message_id > $1 ORDER BY message_id LIMIT $2) AS r"
					 " JOIN wa.message AS m ON m.id = r.message_id ORDER BY m.id");
	WaArgs		args = {0};

	wa_arg_int8(&args, after_id);
	wa_arg_int8(&args, limit);
	return read_rows(wa_query(&load, &args), rows);
}

/*
 * The same for these ids, which may lie behind what was loaded before.
 */
int
wa_queue_load_these(const int64 *ids, int n, WaReadyRow **rows)
{
	static WaStatement load =
		WA_STATEMENT("SELECT " READY_COLUMNS
					 " FROM wa.ready AS r JOIN wa.message AS m ON m.id = r.message_id"
					 " WHERE r.message_id = ANY ($1) ORDER BY m.id");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, n);
	return read_rows(wa_query(&load, &args), rows);
}

/*
 * The oldest transaction that is still running and the next one to start, as
 * seen by a statement of its own.  Ids are drawn after a transaction has its
 * own id (wa_queue_insert): once every transaction that was running when a
 * message id was seen is over, no lower id can appear any more.  (The next one
 * is not the snapshot's xmax, which is one past the last that has *ended*:
 * transactions from there on may be running.)
 */
void
wa_queue_horizon(uint64 *oldest_running, uint64 *next)
{
	static WaStatement horizon =
		WA_STATEMENT("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::numeric::int8");
	WaRows		rows = wa_query(&horizon, NULL);

	*oldest_running = (uint64) wa_row_int8(rows, 0, 1);
	*next = U64FromFullTransactionId(ReadNextFullTransactionId());
	wa_rows_free(rows);
}

/*
 * Which rows of these messages has somebody locked at the moment (a person who
 * edits one and goes to lunch)?  The others are locked for us, without waiting,
 * so that one locked row never stops the rest.  Returns how many.
 */
int
wa_queue_locked_rows(const int64 *ids, int n, bool *locked)
{
	static WaStatement look =
		WA_STATEMENT("WITH free AS MATERIALIZED (SELECT id FROM wa.message WHERE id = ANY ($1)"
					 " FOR NO KEY UPDATE SKIP LOCKED)"
					 " SELECT id FROM wa.message WHERE id = ANY ($1) AND id NOT IN (SELECT id FROM free)");
	WaArgs		args = {0};
	WaRows		rows;

	memset(locked, 0, sizeof(bool) * n);
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&look, &args);
	for (uint64 r = 0; r < rows.n; r++)
		for (int i = 0; i < n; i++)
			locked[i] = locked[i] || ids[i] == wa_row_int8(rows, r, 1);
	wa_rows_free(rows);
	return (int) rows.n;
}

/*
 * Which of these automatic messages must not overtake an earlier one about the
 * same record to the same number, which has been on the wire and waits for its
 * next attempt or for news of the last one?  until[i]: when to look again, 0:
 * need not wait.  Returns how many wait.
 */
int
wa_queue_behind(const int64 *ids, int n, TimestampTz *until)
{
	static WaStatement look =
		WA_STATEMENT("SELECT m.id, max(coalesce(e.due_at, clock_timestamp()))"
					 " FROM wa.message AS m JOIN wa.message AS e ON e.res_id = m.res_id"
					 " AND e.res_model = m.res_model AND e.number = m.number AND e.id < m.id"
					 " WHERE m.id = ANY ($1) AND m.scenario IS NOT NULL AND e.attempts > 0"
					 " AND (e.state IN " WA_SQL_STATES(WA_AT_WORK) " OR " WA_SQL_IN_DOUBT("e") ")"
					 " GROUP BY m.id");
	WaArgs		args = {0};
	WaRows		rows;

	memset(until, 0, sizeof(TimestampTz) * n);
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&look, &args);
	for (uint64 r = 0; r < rows.n; r++)
		for (int i = 0; i < n; i++)
			if (ids[i] == wa_row_int8(rows, r, 1))
				until[i] = wa_row_timestamptz(rows, r, 2);
	wa_rows_free(rows);
	return (int) rows.n;
}

/*
 * Messages that have ended otherwise (a person has written their state) need
 * no sender any more.
 */
void
wa_queue_forget_ready(const int64 *ids, int n)
{
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.ready WHERE message_id = ANY ($1)");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_query(&forget, &args);
}

/*
 * Mark messages as on the wire and fetch what the wire needs.  Only those that
 * are still queued are claimed and returned.  numbers[i] NULL: the message's
 * own number (mode test puts another one).
 */
int
wa_queue_claim(const int64 *ids, const char *const *providers,
			   const char *const *routes, const char *const *numbers,
			   int n, WaClaimed **claimed)
{
	static WaStatement mark =
		WA_STATEMENT("UPDATE wa.ready AS r SET claimed_at = clock_timestamp(), provider = c.provider,"
					 " attempt = m.attempts + 1"
					 " FROM unnest($1, $2) AS c(id, provider), wa.message AS m"
					 " WHERE r.message_id = c.id AND m.id = c.id AND m.state = " WA_SQL_STATE(QUEUED));
	static WaStatement claim =
		WA_STATEMENT("UPDATE wa.message AS m SET state = " WA_SQL_STATE(SENDING) ", provider = c.provider, route = c.route,"
					 " reason = NULL, detail = NULL, due_at = NULL, attempts = attempts + 1"
					 " FROM unnest($1, $2, $3, $4) AS c(id, provider, route, number)"
					 " WHERE m.id = c.id AND m.state = " WA_SQL_STATE(QUEUED)
					 " RETURNING m.id, coalesce(c.number, m.number), m.template_key, m.params::text, m.body, m.attempts");
	WaArgs		args = {0};
	WaRows		rows;
	WaClaimed  *list;

	wa_arg_int8_array(&args, ids, n);
	wa_arg_text_array(&args, providers, n);
	wa_query(&mark, &args);
	wa_arg_text_array(&args, routes, n);
	wa_arg_text_array(&args, numbers, n);
	rows = wa_queue_change(WA_CHANGE_CLAIM, &claim, &args);
	list = palloc0(sizeof(WaClaimed) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
	{
		list[i].id = wa_row_int8(rows, i, 1);
		list[i].number = wa_row_text(rows, i, 2);
		list[i].template_key = wa_row_text(rows, i, 3);
		list[i].params = wa_row_text(rows, i, 4);
		list[i].body = wa_row_text(rows, i, 5);
		list[i].attempt = wa_row_int4(rows, i, 6);
	}
	wa_rows_free(rows);
	*claimed = list;
	return (int) rows.n;
}

/*
 * Write attempts that are over.
 */
void
wa_queue_record_attempts(const WaAttemptRow *attempts, int n)
{
	static WaStatement insert =
		WA_STATEMENT("INSERT INTO wa.attempt (message_id, attempt, provider, started_at, finished_at,"
					 " http_status, provider_code, outcome, response, unlisted)"
					 " SELECT id, attempt, provider, started_at, finished_at, nullif(http_status, 0),"
					 " nullif(code, ''), outcome, response, nullif(unlisted, '')"
					 " FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS a(id, attempt, provider, started_at,"
					 " finished_at, http_status, code, outcome, response, unlisted)"
					 " ON CONFLICT (message_id, attempt) DO NOTHING");
	int64	   *ids;
	int32	   *numbers;
	int32	   *statuses;
	const char **texts[5];
	TimestampTz *times[2];
	WaArgs		args = {0};

	if (n == 0)
		return;
	ids = palloc(sizeof(int64) * n);
	numbers = palloc(sizeof(int32) * n);
	statuses = palloc(sizeof(int32) * n);
	for (int t = 0; t < 5; t++)
		texts[t] = palloc(sizeof(char *) * n);
	for (int t = 0; t < 2; t++)
		times[t] = palloc(sizeof(TimestampTz) * n);
	for (int i = 0; i < n; i++)
	{
		ids[i] = attempts[i].message_id;
		numbers[i] = attempts[i].attempt;
		statuses[i] = attempts[i].http_status;
		texts[0][i] = attempts[i].provider;
		texts[1][i] = attempts[i].provider_code;
		texts[2][i] = attempts[i].outcome;
		texts[3][i] = attempts[i].response;
		texts[4][i] = attempts[i].unlisted;
		times[0][i] = attempts[i].started_at;
		times[1][i] = attempts[i].finished_at;
	}
	wa_arg_int8_array(&args, ids, n);
	wa_arg_int4_array(&args, numbers, n);
	wa_arg_text_array(&args, texts[0], n);
	wa_arg_timestamptz_array(&args, times[0], n);
	wa_arg_timestamptz_array(&args, times[1], n);
	wa_arg_int4_array(&args, statuses, n);
	wa_arg_text_array(&args, texts[1], n);
	wa_arg_text_array(&args, texts[2], n);
	wa_arg_text_array(&args, texts[3], n);
	wa_arg_text_array(&args, texts[4], n);
	wa_query(&insert, &args);
}

/*
 * Does the ledger know that the provider has taken this attempt of a message?
 * *at: when.
 */
bool
wa_queue_was_accepted(int64 id, int attempt, TimestampTz *at)
{
	static WaStatement look =
		WA_STATEMENT("SELECT finished_at FROM wa.attempt WHERE message_id = $1 AND attempt = $2 AND outcome = 'accepted'");
	WaArgs		args = {0};
	WaRows		rows;
	bool		found;

	wa_arg_int8(&args, id);
	wa_arg_int4(&args, attempt);
	rows = wa_query(&look, &args);
	found = rows.n > 0;
	if (found)
		*at = wa_row_timestamptz(rows, 0, 1);
	wa_rows_free(rows);
	return found;
}

/*
 * The states that a message may be in, for a verdict to be its next state, for
 * that reason: the text of an array.
 */
static const char *
legal_from(WaState to, WaReason reason)
{
	static char *known[WA_NSTATES][WA_NREASONS];
	StringInfoData list;
	uint32_t	from;

	if (known[to][reason])
		return known[to][reason];
	from = wa_queue_from(WA_CHANGE_CONCLUDE, to, reason);
	initStringInfo(&list);
	for (int state = 1; state < WA_NSTATES; state++)
		if (from & WA_IN(state))
			appendStringInfo(&list, "%c%s", list.len == 0 ? '{' : ',',
							 state == WA_STATE_DOUBT ? WA_STATE_NAME_DOUBT : wa_queue_state_name(state));
	appendStringInfoString(&list, list.len == 0 ? "{}" : "}");
	known[to][reason] = MemoryContextStrdup(TopMemoryContext, list.data);
	return known[to][reason];
}

/*
 * Set how messages go on: at an end, ready again (queued, due_at 0), or due
 * later (queued or in doubt, due_at set).  One from whose state that is no legal
 * change any more (a person has written it meanwhile, or made the row anew)
 * stays as it is, and those beside it go on; sent is told of all.
 */
void
wa_queue_conclude(const WaVerdictRow *verdicts, int n)
{
	static WaStatement update =
		WA_STATEMENT("UPDATE wa.message AS m SET state = v.state, reason = v.reason, detail = v.detail,"
					 " provider_message_id = coalesce(v.provider_message_id, m.provider_message_id),"
					 " provider = coalesce(v.provider, m.provider), route = coalesce(v.route, m.route),"
					 " due_at = v.due_at, sent_at = coalesce(v.sent_at, m.sent_at),"
					 " refused_by = CASE v.tried WHEN 0 THEN m.refused_by WHEN 1 THEN array_append(m.refused_by, m.provider) END,"
					 " backoffs = m.backoffs + v.waits, repeats = m.repeats + v.repeats,"
					 " finished_at = CASE WHEN v.state IN " WA_SQL_STATES(WA_WAITING) " OR v.due_at IS NOT NULL THEN NULL"
					 " ELSE clock_timestamp() END"
					 " FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS v(id, state, reason, detail,"
					 " provider_message_id, provider, route, legal_from, due_at, sent_at, tried, waits, repeats)"
					 " WHERE m.id = v.id AND " WA_SQL_STATE_OF("m") " = ANY (v.legal_from::text[])");
	static WaStatement remove =
		WA_STATEMENT("DELETE FROM wa.ready WHERE message_id = ANY ($1)");
	static WaStatement release =
		WA_STATEMENT("UPDATE wa.ready SET claimed_at = NULL, provider = NULL, attempt = NULL"
					 " WHERE message_id = ANY ($1) AND claimed_at IS NOT NULL");
	static WaStatement due =
		WA_STATEMENT("INSERT INTO wa.due (message_id, due_at) SELECT * FROM unnest($1, $2)"
					 " ON CONFLICT (message_id) DO UPDATE SET due_at = excluded.due_at");
	const char **texts[7];
	int64	   *ids;
	int64	   *removed;
	int64	   *again;
	int64	   *due_ids;
	TimestampTz *due_times;
	TimestampTz *times[2];
	int32	   *counts[3];
	int			nremoved = 0;
	int			nagain = 0;
	int			ndue = 0;
	WaArgs		args = {0};

	if (n == 0)
		return;
	ids = palloc(sizeof(int64) * n);
	removed = palloc(sizeof(int64) * n);
	again = palloc(sizeof(int64) * n);
	due_ids = palloc(sizeof(int64) * n);
	due_times = palloc(sizeof(TimestampTz) * n);
	for (int t = 0; t < 7; t++)
		texts[t] = palloc(sizeof(char *) * n);
	for (int t = 0; t < 2; t++)
		times[t] = palloc(sizeof(TimestampTz) * n);
	for (int t = 0; t < 3; t++)
		counts[t] = palloc(sizeof(int32) * n);
	for (int i = 0; i < n; i++)
	{
		const WaVerdictRow *v = &verdicts[i];

		ids[i] = v->id;
		texts[0][i] = wa_queue_state_name(v->state);
		texts[1][i] = wa_queue_reason_name(v->reason);
		texts[2][i] = v->detail;
		texts[3][i] = v->provider_message_id;
		texts[4][i] = v->provider;
		texts[5][i] = v->route;
		texts[6][i] = legal_from(v->state, v->reason);
		times[0][i] = v->due_at;
		times[1][i] = v->sent_at;
		counts[0][i] = v->tried;
		counts[1][i] = v->waits;
		counts[2][i] = v->repeats;
		if (v->state == WA_STATE_QUEUED && v->due_at == 0)
			again[nagain++] = v->id;
		else
			removed[nremoved++] = v->id;
		if (v->due_at != 0)
		{
			due_ids[ndue] = v->id;
			due_times[ndue++] = v->due_at;
		}
	}
	wa_arg_int8_array(&args, ids, n);
	for (int t = 0; t < 7; t++)
		wa_arg_text_array(&args, texts[t], n);
	wa_arg_timestamptz_array(&args, times[0], n);
	wa_arg_timestamptz_array(&args, times[1], n);
	for (int t = 0; t < 3; t++)
		wa_arg_int4_array(&args, counts[t], n);
	wa_queue_change(WA_CHANGE_CONCLUDE, &update, &args);
	if (nremoved > 0)
	{
		memset(&args, 0, sizeof(args));
		wa_arg_int8_array(&args, removed, nremoved);
		wa_query(&remove, &args);
	}
	if (nagain > 0)
	{
		memset(&args, 0, sizeof(args));
		wa_arg_int8_array(&args, again, nagain);
		wa_query(&release, &args);
	}
	if (ndue > 0)
	{
		memset(&args, 0, sizeof(args));
		wa_arg_int8_array(&args, due_ids, ndue);
		wa_arg_timestamptz_array(&args, due_times, ndue);
		wa_query(&due, &args);
	}
}
