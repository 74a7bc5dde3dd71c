/*-------------------------------------------------------------------------
 *
 * why.c
 *		wa_why(): the story of one message.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "admin/history.h"
#include "gateway/gateway.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/columns.h"
#include "pg/said.h"
#include "queue/queue.h"
#include "words/story.h"

PG_FUNCTION_INFO_V1(wa_sql_cause);
PG_FUNCTION_INFO_V1(wa_sql_why);

typedef struct Message
{
	const char *scenario;
	const char *template_key;
	const char *partner;
	const char *number;
	WaSaid		number_source;
	const char *res_model;
	const char *res_id;
	const char *provider;
	const char *provider_message_id;
	const char *state;
	const char *reason;
	WaSaid		detail;
	WaSaid		route;
	TimestampTz due_at;
	TimestampTz expires_at;
	TimestampTz created_at;
	const char *created_by;
	TimestampTz sent_at;
	TimestampTz delivered_at;
	TimestampTz read_at;
	TimestampTz finished_at;
	const char *event_id;
	bool		purged;
	bool		unwritten;
	int32		attempts;
	int32		repeats;
	const char *unknown_policy;
	bool		adrift;
} Message;

static const WaColumn whole_columns[] = {
	WA_COLUMN(Message, text, scenario, "scenario"),
	WA_COLUMN(Message, text, template_key, "template_key"),
	WA_COLUMN(Message, text, partner, "partner_id::text"),
	WA_COLUMN(Message, text, number, "number"),
	WA_SAID_COLUMNS(Message, number_source),
	WA_COLUMN(Message, text, res_model, "res_model"),
	WA_COLUMN(Message, text, res_id, "res_id::text"),
	WA_COLUMN(Message, text, provider, "provider"),
	WA_COLUMN(Message, text, provider_message_id, "provider_message_id"),
	WA_COLUMN(Message, text, state, "state"),
	WA_COLUMN(Message, text, reason, "reason"),
	WA_SAID_COLUMNS(Message, detail),
	WA_SAID_COLUMNS(Message, route),
	WA_COLUMN(Message, time, due_at, "due_at"),
	WA_COLUMN(Message, time, expires_at, "expires_at"),
	WA_COLUMN(Message, time, created_at, "created_at"),
	WA_COLUMN(Message, text, created_by, "created_by"),
	WA_COLUMN(Message, time, sent_at, "sent_at"),
	WA_COLUMN(Message, time, delivered_at, "delivered_at"),
	WA_COLUMN(Message, time, read_at, "read_at"),
	WA_COLUMN(Message, time, finished_at, "finished_at"),
	WA_COLUMN(Message, text, event_id, "event_id::text"),
	WA_COLUMN(Message, boolean, purged, "number IS NULL AND body IS NULL"),
	WA_COLUMN(Message, boolean, unwritten, "number IS NOT NULL AND body IS NULL"),
	WA_COLUMN(Message, int4, attempts, "attempts"),
	WA_COLUMN(Message, int4, repeats, "repeats"),
	WA_COLUMN(Message, text, unknown_policy, "unknown_policy"),
	WA_COLUMN(Message, boolean, adrift, WA_QUEUE_ADRIFT),
};
static const WaRowType whole_row = WA_ROW_TYPE(Message, whole_columns);

static void
tell_origin(WaStory *story, const Message *m)
{
	TimestampTz at = m->created_at;

	if (m->scenario == NULL && m->template_key == NULL)
		wa_story_tell(story, at, wa_say(WA_SAY_TEXT_BY_HAND, m->created_by));
	else if (m->scenario == NULL)
		wa_story_tell(story, at, wa_say(WA_SAY_MADE_BY_HAND, m->created_by,
										m->template_key));
	else
		wa_story_tell(story, at, wa_say(WA_SAY_MADE_BY_SCENARIO, m->scenario,
										m->template_key, m->event_id));
	if (m->res_id)
		wa_story_tell(story, at, wa_say(WA_SAY_ABOUT, m->res_model, m->res_id));
	if (m->partner)
		wa_story_tell(story, at, wa_say(WA_SAY_TO_PARTNER, m->partner));
	if (m->number)
		wa_story_tell(story, at, wa_say(WA_SAY_TO_NUMBER, wa_story_number(story, m->number), wa_story_source(story, m->number_source)));
	else
		wa_story_tell(story, at, m->purged ?
					  wa_say(WA_SAY_NUMBER_PURGED) : wa_say(WA_SAY_TO_NOBODY));
}

/*
 * Why a provider did not take it, in our words, from what it answered; NULL if
 * the answer does not tell (any more: long ones are stored in part).
 */
static WaSaid
why_refused(const char *kind, const char *status, const char *answer, const char *outcome)
{
	const WaGateway *gateway = kind ? wa_gateway_find(kind) : NULL;
	WaReply		reply = {0};
	WaVerdict	verdict;

	if (gateway == NULL || status == NULL || answer == NULL)
		return NULL;
	reply.http_status = atoi(status);
	reply.retry_after_s = -1;
	reply.body = answer;
	reply.body_len = strlen(answer);
	gateway->judge(&reply, &verdict);
	return verdict.outcome == WA_OUTCOME_ACCEPTED || strcmp(wa_gateway_outcome_name(verdict.outcome), outcome) != 0 ?
		NULL : wa_said_copy(WA_SAID_IN(&verdict.said));
}

typedef struct Attempt
{
	const char *attempt;
	const char *provider;
	TimestampTz started_at;
	TimestampTz finished_at;
	const char *status;
	const char *code;
	const char *outcome;
	const char *answer;
	WaSaid		response;		/* the same as a sentence */
	const char *kind;
} Attempt;

static const WaColumn attempt_columns[] = {
	WA_COLUMN(Attempt, text, attempt, "a.attempt::text"),
	WA_COLUMN(Attempt, text, provider, "a.provider"),
	WA_COLUMN(Attempt, time, started_at, "a.started_at"),
	WA_COLUMN(Attempt, time, finished_at, "a.finished_at"),
	WA_COLUMN(Attempt, text, status, "a.http_status::text"),
	WA_COLUMN(Attempt, text, code, "a.provider_code"),
	WA_COLUMN(Attempt, text, outcome, "a.outcome"),
	WA_COLUMN(Attempt, text, answer, "a.response"),
	WA_SAID_COLUMNS(Attempt, response),
	WA_COLUMN(Attempt, text, kind, "(SELECT p.kind FROM wa.provider AS p WHERE p.name = a.provider)"),
};
static const WaRowType told_attempt_row = WA_ROW_TYPE(Attempt, attempt_columns);

static void
tell_attempts(WaStory *story, int64 id)
{
	static WaStatement read =
		WA_STATEMENT_OF(&told_attempt_row, "SELECT {columns} FROM wa.attempt AS a WHERE message_id = $1 ORDER BY attempt");
	WaArgs		args = {0};
	Attempt    *attempts;
	int			n;

	wa_arg_int8(&args, id);
	attempts = wa_rows_read(wa_query(&read, &args), &told_attempt_row, &n);
	for (int i = 0; i < n; i++)
	{
		const Attempt *a = &attempts[i];
		const char *response = wa_story_words(story, a->response);
		const char *why;
		char	   *what;

		/* before a failover: only that it may have happened is known */
		if (a->provider[0] == '\0')
		{
			wa_story_tell(story, a->started_at, wa_say(WA_SAY_ATTEMPT_ELSEWHERE, a->attempt, response));
			continue;
		}
		/* without an HTTP status the answer is a sentence of ours */
		why = a->status ? wa_story_words(story, why_refused(a->kind, a->status, a->answer, a->outcome)) : response;
		what = psprintf("%s%s%s%s%s%s%s", wa_story_outcome(story, a->outcome),
						a->status ? ", HTTP " : "", a->status ? a->status : "",
						a->code ? ", " : "", a->code ? a->code : "",
						why ? ": " : "", why ? why : "");

		wa_story_tell(story, a->started_at, wa_say(WA_SAY_ATTEMPT, a->attempt, a->provider, what));
		if (a->status && a->answer && a->answer[0])
			wa_story_tell(story, a->finished_at, wa_say(WA_SAY_ANSWER, response));
	}
}

static void
tell_requests(WaStory *story, int64 id)
{
	static WaStatement read =
		WA_STATEMENT("SELECT action, requested_by, requested_at FROM wa.request WHERE message_id = $1 ORDER BY id");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_int8(&args, id);
	rows = wa_query(&read, &args);
	for (uint64 i = 0; i < rows.n; i++)
		wa_story_tell(story, wa_row_timestamptz(rows, i, 3),
					  wa_say(WA_SAY_REQUESTED, wa_story_action(story, wa_row_text(rows, i, 1)), wa_row_text(rows, i, 2)));
}

/* The providers that a message which waits could have, if they were well. */
static void
tell_providers_in_trouble(WaStory *story)
{
	static WaStatement read =
		WA_STATEMENT("SELECT name, last_error, last_error_said, last_error_at, probe_at FROM wa.provider"
					 " WHERE active AND state = 'error' AND paused_at IS NULL AND last_error IS NOT NULL"
					 " ORDER BY sequence, name COLLATE \"C\"");
	WaRows		rows = wa_query(&read, NULL);

	for (uint64 i = 0; i < rows.n; i++)
	{
		char	   *name = wa_row_text(rows, i, 1);

		wa_story_tell(story, wa_row_isnull(rows, i, 4) ? 0 : wa_row_timestamptz(rows, i, 4),
					  wa_say(WA_SAY_PROVIDER_TROUBLE, name, wa_story_words(story, wa_row_said(rows, i, 2))));
		if (!wa_row_isnull(rows, i, 5))
			wa_story_tell(story, wa_row_timestamptz(rows, i, 5),
						  wa_say(WA_SAY_PROVIDER_TEST, name));
	}
}

/* The worker has not looked at it yet: what stands before it in its line? */
static void
tell_line(WaStory *story, int64 id)
{
	static WaStatement read =
		WA_STATEMENT("SELECT b.n, m.reason, m.detail, m.detail_said"
					 " FROM (SELECT CASE WHEN count(*) > 10000 THEN '10000+' ELSE count(*)::text END AS n, min(message_id) AS first"
					 " FROM (SELECT r.message_id FROM wa.ready AS w JOIN wa.ready AS r ON r.message_id < w.message_id"
					 " AND r.lane = w.lane AND r.only_by IS NOT DISTINCT FROM w.only_by AND r.claimed_at IS NULL"
					 " WHERE w.message_id = $1 ORDER BY r.message_id LIMIT 10001) AS l) AS b"
					 " JOIN wa.message AS m ON m.id = b.first");
	WaArgs		args = {0};
	WaRows		rows;
	const char *cause;

	wa_arg_int8(&args, id);
	rows = wa_query(&read, &args);
	if (rows.n == 0)
		return;
	cause = wa_row_isnull(rows, 0, 2) ? NULL :
		wa_story_cause(story, wa_row_text(rows, 0, 2), wa_story_words(story, wa_row_said(rows, 0, 3)), ": ");
	wa_story_tell(story, 0, cause ? wa_say(WA_SAY_WAITS_BEHIND_FIRST, wa_row_text(rows, 0, 1), cause) :
				  wa_say(WA_SAY_WAITS_BEHIND, wa_row_text(rows, 0, 1)));
}

/* The last "no" of whoever gets nothing. */
static void
tell_consent(WaStory *story, const char *number)
{
	WaNumbers	its = {.n = number ? 1 : 0,.list = &number};
	List	   *notes = NIL;

	wa_admin_consent_note(&notes, story, &its, true);
	wa_admin_notes_sort(notes);
	(void) wa_admin_notes_tell(story, notes, 0, DT_NOEND);
}

/* What was written in answer to it, or after it and before another one. */
static void
tell_answers(WaStory *story, int64 id, const char *number)
{
	WaNumbers	none = {0};
	WaIds		it = {.n = 1,.list = &id};
	WaNumbers	recipient = {.n = number ? 1 : 0,.list = &number};
	List	   *notes = NIL;

	wa_admin_wrote_note(&notes, story, &none, &it, &recipient);
	(void) wa_admin_notes_tell(story, notes, 0, DT_NOEND);
}

/* What is done with a message in doubt when nobody tells more. */
static WaSaid
end_of_doubt(const Message *m)
{
	if (m->repeats > 0 || strcmp(m->unknown_policy, "give up") == 0)
		return wa_say(WA_SAY_DOUBT_END);
	return strcmp(m->unknown_policy, "hold") == 0 ?
		wa_say(WA_SAY_DOUBT_HOLD) : wa_say(WA_SAY_DOUBT_RESEND);
}

/* Is it in the detail already, with the name of who did it? */
static bool
says_who(const char *reason)
{
	WaReason	code = wa_queue_reason_read(reason);

	return code == WA_REASON_CANCELLED || code == WA_REASON_RETRIED || code == WA_REASON_RELEASED;
}

/* A code with what is known beyond it, which says all where it says who did it. */
static const char *
cause(const WaStory *story, const char *reason, const char *detail)
{
	return detail && reason && says_who(reason) ? detail : wa_story_cause(story, reason, detail, ": ");
}

/*
 * wa._cause(): see views.sql.
 */
Datum
wa_sql_cause(PG_FUNCTION_ARGS)
{
	char	   *language = wa_call_arg_text(fcinfo, 3);
	char	   *reason = wa_call_arg_text(fcinfo, 0);
	WaStory		story = {.language = language && strcmp(language, "id") == 0 ? WA_INDONESIAN : WA_ENGLISH};
	WaSaid		detail;
	const char *result;

	wa_said_row_words.read(PG_GETARG_DATUM(1), PG_ARGISNULL(1), &detail);
	wa_said_row_type.read(PG_GETARG_DATUM(2), PG_ARGISNULL(2), &detail);
	result = cause(&story, reason, wa_story_words(&story, detail));
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(result));
}

/*
 * What is held does not expire: a person decides, or the retention ends it.
 * What waits for a setting is news no longer than its time-to-live.
 */
static void
tell_end_of_hold(WaStory *story, const Message *m)
{
	TimestampTz end = m->created_at + wa_office_get_interval("retention");

	if (m->unwritten && m->expires_at)
		wa_story_tell(story, m->expires_at, wa_say(WA_SAY_UNWRITTEN_UNTIL));
	wa_story_tell(story, end, wa_say(WA_SAY_HELD_UNTIL));
}

/*
 * wa_why(): see explain.sql.
 */
Datum
wa_sql_why(PG_FUNCTION_ARGS)
{
	static WaStatement read = WA_STATEMENT_OF(&whole_row, "SELECT {columns} FROM wa.message AS m WHERE id = $1");
	int64		id = PG_GETARG_INT64(0);
	WaCall		call;
	WaStory		story;
	WaArgs		args = {0};
	WaRows		rows;
	Message		m;
	const char *detail;
	const char *advice;
	WaState		is;
	bool		in_doubt;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	wa_arg_int8(&args, id);
	rows = wa_query(&read, &args);
	if (rows.n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("message " INT64_FORMAT " does not exist", id),
				 errhint("SELECT * FROM wa_history('...') finds messages by number, permit number or partner.")));
	wa_row_read(rows, 0, &whole_row, &m);
	detail = wa_story_words(&story, m.detail);
	is = wa_queue_state_read(m.state, m.due_at != 0);
	in_doubt = is == WA_STATE_DOUBT && !m.adrift;

	tell_origin(&story, &m);
	if (m.route)
		wa_story_tell(&story, 0, wa_say(WA_SAY_ROUTE, wa_story_words(&story, m.route)));
	tell_attempts(&story, id);
	if (m.number && wa_queue_reason_read(m.reason) == WA_REASON_OPTED_OUT)
		tell_consent(&story, m.number);
	if (m.sent_at)
		wa_story_tell(&story, m.sent_at,
					  m.provider_message_id == NULL ?
					  wa_say(WA_SAY_SENT_WITHOUT_ID, m.provider) :
					  wa_say(WA_SAY_SENT, m.provider, m.provider_message_id));
	if (m.delivered_at)
		wa_story_tell(&story, m.delivered_at,
					  wa_say(WA_SAY_DELIVERED));
	if (m.read_at)
		wa_story_tell(&story, m.read_at, wa_say(WA_SAY_READ));
	if (m.sent_at)
		tell_answers(&story, id, m.number);
	wa_story_tell(&story, m.finished_at,
				  wa_say(WA_SAY_STATE, wa_story_state(&story, m.state)));
	if (m.reason == NULL && detail && m.sent_at)
		wa_story_tell(&story, 0, wa_say(WA_SAY_NOTE, detail));
	else if (m.reason || detail)
		wa_story_tell(&story, 0,
					  wa_say(WA_SAY_REASON, cause(&story, m.reason, detail)));
	if (m.adrift)
		wa_story_tell(&story, 0, wa_say(WA_SAY_ADRIFT));
	else if (is == WA_STATE_HELD)
		tell_end_of_hold(&story, &m);
	else if (in_doubt)
		wa_story_tell(&story, m.due_at, end_of_doubt(&m));
	else if (is == WA_STATE_QUEUED)
	{
		if (m.due_at == 0 && m.reason == NULL)
			tell_line(&story, id);
		if (m.due_at)
			wa_story_tell(&story, m.due_at,
						  m.attempts > 0 ?
						  wa_say(WA_SAY_NEXT_ATTEMPT) : wa_say(WA_SAY_NOT_BEFORE));
		if (m.expires_at)
			wa_story_tell(&story, m.expires_at, wa_say(WA_SAY_NOT_AFTER));
	}
	tell_requests(&story, id);
	if (is == WA_STATE_QUEUED && !m.adrift)
		tell_providers_in_trouble(&story);
	advice = m.adrift ? wa_story_words(&story, wa_say(WA_SAY_ADRIFT_ADVICE, WA_NUMBER(id))) :
		in_doubt ? wa_story_words(&story, wa_say(WA_SAY_DOUBT_ADVICE, WA_NUMBER(id))) :
		wa_story_advice(&story, id, m.state, m.reason);
	if (advice)
		wa_story_tell(&story, 0, wa_say(WA_SAY_ADVICE, advice));
	wa_call_end(&call);
	return (Datum) 0;
}
