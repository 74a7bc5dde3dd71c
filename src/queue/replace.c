/*-------------------------------------------------------------------------
 *
 * replace.c
 *		Messages that another one takes the place of, or that end without text.
 *
 * The one that ends keeps what would have been sent and says which message went
 * instead.  One that was sent again although in doubt ends as unknown: the first
 * attempt may have arrived.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"

#include "pg/query.h"
#include "pg/said.h"
#include "queue/law.h"
#include "queue/queue.h"

/* The state that the message m ends in, where nothing of it is to be sent any more. */
#define SUPERSEDED \
	"CASE WHEN m.state = " WA_SQL_STATE(UNKNOWN) " OR m.repeats > 0 THEN " WA_SQL_STATE(UNKNOWN) \
	" ELSE " WA_SQL_STATE(SUPERSEDED) " END"

/*
 * These messages end; successors[i] is sent instead, and why[i] says why.  One
 * that has ended otherwise in this moment stays so.
 */
void
wa_queue_replace(const int64 *ids, const int64 *successors, const WaSaid *why, int n)
{
	static WaStatement replace =
		WA_STATEMENT("WITH e AS (SELECT * FROM unnest($1, $2, $3) AS e(id, detail, said)),"
					 " r AS (DELETE FROM wa.ready WHERE message_id IN (SELECT id FROM e)),"
					 " d AS (DELETE FROM wa.due WHERE message_id IN (SELECT id FROM e))"
					 " UPDATE wa.message AS m SET state = " SUPERSEDED ", reason = " WA_SQL_REASON(REPLACED) ", due_at = NULL,"
					 " detail = e.detail, detail_said = e.said, finished_at = clock_timestamp()"
					 " FROM e WHERE m.id = e.id AND m.state IN " WA_SQL_STATES(WA_REPLACEABLE));
	WaSaid	   *details = palloc(sizeof(WaSaid) * Max(n, 1));
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
		details[i] = wa_say(WA_SAY_TOOK_ITS_PLACE, WA_NUMBER(successors[i]), why[i]);
	wa_arg_int8_array(&args, ids, n);
	wa_arg_said_array(&args, details, n);
	wa_queue_change(WA_CHANGE_REPLACE, &replace, &args);
}

/*
 * Older messages of a scenario about a record, of events before this one, end
 * where nothing has come of them yet; told_by: the message that tells the newer
 * change, 0: none does.  One in doubt is not repeated.
 */
void
wa_queue_supersede(const int64 *events, const char *const *models, const int64 *records,
				   const char *const *scenarios, const int64 *told_by, int n)
{
	static WaStatement supersede =
		WA_STATEMENT("WITH s AS (UPDATE wa.message AS m SET state = " SUPERSEDED ", reason = " WA_SQL_REASON(NEWER_STATUS) ","
					 " detail = e.detail, detail_said = e.said, due_at = NULL, finished_at = clock_timestamp()"
					 " FROM unnest($1, $2, $3, $4, $5, $6) AS e(id, model, record, scenario, detail, said)"
					 " WHERE m.res_id = e.record AND m.res_model = e.model"
					 " AND m.scenario = e.scenario AND m.event_id < e.id AND " WA_SQL_WAITS("m")
					 " RETURNING m.id),"
					 " d AS (DELETE FROM wa.due WHERE message_id IN (SELECT id FROM s))"
					 " DELETE FROM wa.ready WHERE message_id IN (SELECT id FROM s)");
	WaSaid	   *details = palloc(sizeof(WaSaid) * Max(n, 1));
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
		details[i] = told_by[i] == 0 ? wa_say(WA_SAY_STATUS_CHANGED_AGAIN) :
			wa_say(WA_SAY_TELLS_NEWER_STATUS, WA_NUMBER(told_by[i]));
	wa_arg_int8_array(&args, events, n);
	wa_arg_text_array(&args, models, n);
	wa_arg_int8_array(&args, records, n);
	wa_arg_text_array(&args, scenarios, n);
	wa_arg_said_array(&args, details, n);
	wa_queue_change(WA_CHANGE_SUPERSEDE, &supersede, &args);
}

/* A message whose text is written by now, and the one that takes its place. */
typedef struct Written
{
	int64		id;
	int64		successor;
	WaState		state;
	WaReason	reason;
	const char *body;
	const char *params;
	WaSaid		detail;			/* of the successor */
	WaSaid		ended;			/* of this one */
	int32		timeline;
} Written;

static const WaColumn written_columns[] = {
	WA_COLUMN(Written, int8, id, "id"),
	WA_COLUMN(Written, int8, successor, "successor"),
	WA_COLUMN(Written, state, state, "state"),
	WA_COLUMN(Written, reason, reason, "reason"),
	WA_COLUMN(Written, text, body, "body"),
	WA_COLUMN(Written, json, params, "params"),
	WA_SAID_COLUMNS(Written, detail),
	WA_SAID_COLUMNS(Written, ended),
	WA_COLUMN(Written, int4, timeline, "timeline"),
};
static const WaRowType written_row = WA_ROW_TYPE(Written, written_columns);

static void
write_texts(const WaTextRow *rows, int n)
{
	/* whatever columns the ledger has: all but these are as they were */
	static WaStatement write =
		WA_STATEMENT_OF(&written_row, "WITH v AS MATERIALIZED (SELECT * FROM {arrays} AS v({members})),"
						" i AS (INSERT INTO wa.message SELECT (jsonb_populate_record(m, jsonb_build_object('id', v.successor,"
						" 'state', v.state, 'reason', v.reason, 'detail', v.detail, 'detail_said', v.detail_said,"
						" 'body', v.body, 'params', v.params, 'due_at', NULL, 'finished_at', NULL))).*"
						" FROM v JOIN wa.message AS m ON m.id = v.id),"
						" e AS (UPDATE wa.message AS m SET state = " SUPERSEDED ", reason = " WA_SQL_REASON(REPLACED) ", due_at = NULL,"
						" detail = v.ended, detail_said = v.ended_said, finished_at = clock_timestamp()"
						" FROM v WHERE m.id = v.id),"
						" o AS (UPDATE wa.announced AS o SET message_id = v.successor FROM v WHERE o.message_id = v.id),"
						" u AS (DELETE FROM wa.unwritten WHERE message_id IN (SELECT id FROM v))"
						" INSERT INTO wa.ready (message_id, timeline, only_by, lane) SELECT v.successor, v.timeline, " WA_QUEUE_LINE("m")
						" FROM v JOIN wa.message AS m ON m.id = v.id WHERE v.state = " WA_SQL_STATE(QUEUED));
	WaNewMessage *successors = palloc0(sizeof(WaNewMessage) * n);
	Written    *written = palloc(sizeof(Written) * n);
	int			k = 0;
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
		k += rows[i].body != NULL;
	if (k == 0)
		return;
	wa_queue_assign_ids(successors, k);
	k = 0;
	for (int i = 0; i < n; i++)
	{
		int64		id = rows[i].id;
		int64		successor = successors[k].id;

		if (rows[i].body == NULL)
			continue;
		wa_queue_require(WA_CHANGE_MAKE, id, WA_STATE_NONE, rows[i].state, rows[i].reason);
		written[k++] = (Written)
		{
			id, successor, rows[i].state, rows[i].reason, rows[i].body, rows[i].params,
				wa_said_and(wa_say(WA_SAY_IN_PLACE_OF, WA_NUMBER(id), rows[i].why), rows[i].detail),
				wa_say(WA_SAY_TOOK_ITS_PLACE, WA_NUMBER(successor), rows[i].why),
				(int32) GetWALInsertionTimeLine()
		};
	}
	wa_arg_rows(&args, &written_row, written, k);
	wa_queue_change(WA_CHANGE_REPLACE, &write, &args);
}

/* One that has no text yet, or will have none. */
typedef struct Answer
{
	int64		id;
	WaState		state;
	WaReason	reason;
	WaSaid		detail;
	const char *lacks;
} Answer;

static const WaColumn answer_columns[] = {
	WA_COLUMN(Answer, int8, id, "id"),
	WA_COLUMN(Answer, state, state, "state"),
	WA_COLUMN(Answer, reason, reason, "reason"),
	WA_SAID_COLUMNS(Answer, detail),
	WA_COLUMN(Answer, text, lacks, "lacks"),
};
static const WaRowType answer_row = WA_ROW_TYPE(Answer, answer_columns);

static void
write_answers(const WaTextRow *rows, int n)
{
	static WaStatement write =
		WA_STATEMENT_OF(&answer_row, "WITH v AS MATERIALIZED (SELECT * FROM {arrays} AS v({members})),"
						" m AS (UPDATE wa.message AS m SET state = v.state, reason = v.reason, detail = v.detail, detail_said = v.detail_said,"
						" finished_at = CASE WHEN v.state <> " WA_SQL_STATE(HELD) " THEN clock_timestamp() END FROM v WHERE m.id = v.id),"
						" u AS (UPDATE wa.unwritten AS u SET setting = v.lacks FROM v WHERE u.message_id = v.id AND v.lacks IS NOT NULL)"
						" DELETE FROM wa.unwritten WHERE message_id IN (SELECT id FROM v WHERE lacks IS NULL)");
	Answer	   *answers = palloc(sizeof(Answer) * n);
	int			k = 0;
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
		if (rows[i].body == NULL)
			answers[k++] = (Answer)
		{
			rows[i].id, rows[i].state, rows[i].reason, rows[i].detail, rows[i].lacks
		};
	if (k == 0)
		return;
	wa_arg_rows(&args, &answer_row, answers, k);
	wa_queue_change(WA_CHANGE_WRITE, &write, &args);
}

/*
 * What becomes of held messages whose text waited for a setting: with a text a
 * new one takes the place of each, and goes or is held; without one it ends, or
 * waits for the setting that it lacks now.
 */
void
wa_queue_write_texts(const WaTextRow *rows, int n)
{
	write_texts(rows, n);
	write_answers(rows, n);
}
