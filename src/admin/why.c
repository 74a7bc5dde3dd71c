/*-------------------------------------------------------------------------
 *
 * why.c
 *		wa_why(): the story of one message.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "gateway/gateway.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/query.h"
#include "pg/said.h"
#include "queue/queue.h"
#include "words/story.h"

PG_FUNCTION_INFO_V1(wa_sql_why);

enum
{
	M_SCENARIO = 1, M_TEMPLATE, M_PARTNER, M_NUMBER, M_NUMBER_SOURCE, M_RES_MODEL, M_RES_ID,
	M_PROVIDER, M_PROVIDER_MESSAGE_ID, M_STATE, M_REASON, M_DETAIL, M_DETAIL_SAID, M_ROUTE, M_ROUTE_SAID, M_DUE_AT,
	M_EXPIRES_AT, M_CREATED_AT, M_CREATED_BY, M_SENT_AT, M_DELIVERED_AT, M_READ_AT,
	M_FINISHED_AT, M_EVENT_ID, M_PURGED, M_ATTEMPTS, M_REPEATS, M_UNKNOWN_POLICY,
	M_ADRIFT, M_UNWRITTEN
};

/* Where a number was taken from, in words; NULL: nobody knows. */
static const char *
source_words(const WaStory *story, const char *source)
{
	if (source && story->language == WA_ENGLISH && strcmp(source, "given") == 0)
		return "what the sender gave";
	return source ? wa_story_phrase(story, source) : NULL;
}

static void
tell_origin(WaStory *story, WaRows rows)
{
	TimestampTz at = wa_row_timestamptz(rows, 0, M_CREATED_AT);
	char	   *number = wa_row_text(rows, 0, M_NUMBER);
	char	   *partner = wa_row_text(rows, 0, M_PARTNER);
	char	   *source = wa_row_text(rows, 0, M_NUMBER_SOURCE);

	if (wa_row_isnull(rows, 0, M_SCENARIO) && wa_row_isnull(rows, 0, M_TEMPLATE))
		wa_story_tell(story, at, wa_say(WA_SAY_TEXT_BY_HAND, wa_row_text(rows, 0, M_CREATED_BY)));
	else if (wa_row_isnull(rows, 0, M_SCENARIO))
		wa_story_tell(story, at, wa_say(WA_SAY_MADE_BY_HAND, wa_row_text(rows, 0, M_CREATED_BY),
										wa_row_text(rows, 0, M_TEMPLATE)));
	else
		wa_story_tell(story, at, wa_say(WA_SAY_MADE_BY_SCENARIO, wa_row_text(rows, 0, M_SCENARIO),
										wa_row_text(rows, 0, M_TEMPLATE), wa_row_text(rows, 0, M_EVENT_ID)));
	if (!wa_row_isnull(rows, 0, M_RES_ID))
		wa_story_tell(story, at, wa_say(WA_SAY_ABOUT, wa_row_text(rows, 0, M_RES_MODEL), wa_row_text(rows, 0, M_RES_ID)));
	if (partner)
		wa_story_tell(story, at, wa_say(WA_SAY_TO_PARTNER, partner));
	if (number)
		wa_story_tell(story, at, wa_say(WA_SAY_TO_NUMBER, number, source_words(story, source)));
	else
		wa_story_tell(story, at, wa_row_bool(rows, 0, M_PURGED) ?
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

static void
tell_attempts(WaStory *story, int64 id)
{
	static WaStatement read =
		WA_STATEMENT("SELECT attempt::text, provider, started_at, finished_at, http_status::text, provider_code,"
					 " outcome, response, response_said, (SELECT p.kind FROM wa.provider AS p WHERE p.name = a.provider)"
					 " FROM wa.attempt AS a WHERE message_id = $1 ORDER BY attempt");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_int8(&args, id);
	rows = wa_query(&read, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		char	   *status = wa_row_text(rows, i, 5);
		char	   *code = wa_row_text(rows, i, 6);
		char	   *answer = wa_row_text(rows, i, 8);
		char	   *provider = wa_row_text(rows, i, 2);
		WaSaid		said;
		const char *why;
		char	   *what;

		/* before a failover: only that it may have happened is known */
		if (provider[0] == '\0')
		{
			wa_story_tell(story, wa_row_timestamptz(rows, i, 3),
						  wa_say(WA_SAY_ATTEMPT_ELSEWHERE, wa_row_text(rows, i, 1),
								 wa_story_stored(story, wa_row_said(rows, i, 8))));
			continue;
		}
		/* without an HTTP status the answer is a sentence of ours */
		said = status ? why_refused(wa_row_text(rows, i, 10), status, answer, wa_row_text(rows, i, 7)) : wa_row_said(rows, i, 8);
		why = wa_story_stored(story, said);
		what = psprintf("%s%s%s%s%s%s%s", wa_story_outcome(story, wa_row_text(rows, i, 7)),
						status ? ", HTTP " : "", status ? status : "",
						code ? ", " : "", code ? code : "",
						why ? ": " : "", why ? why : "");

		wa_story_tell(story, wa_row_timestamptz(rows, i, 3),
					  wa_say(WA_SAY_ATTEMPT, wa_row_text(rows, i, 1), provider, what));
		if (status && answer && answer[0])
			wa_story_tell(story, wa_row_isnull(rows, i, 4) ? 0 : wa_row_timestamptz(rows, i, 4),
						  wa_say(WA_SAY_ANSWER, wa_story_stored(story, wa_row_said(rows, i, 8))));
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
					  wa_say(WA_SAY_PROVIDER_TROUBLE, name, wa_story_stored(story, wa_row_said(rows, i, 2))));
		if (!wa_row_isnull(rows, i, 5))
			wa_story_tell(story, wa_row_timestamptz(rows, i, 5),
						  wa_say(WA_SAY_PROVIDER_TEST, name));
	}
}

/* What is done with a message in doubt when nobody tells more. */
static WaSaid
end_of_doubt(WaRows rows)
{
	char	   *policy = wa_row_text(rows, 0, M_UNKNOWN_POLICY);

	if (wa_row_int4(rows, 0, M_REPEATS) > 0 || strcmp(policy, "give up") == 0)
		return wa_say(WA_SAY_DOUBT_END);
	return strcmp(policy, "hold") == 0 ?
		wa_say(WA_SAY_DOUBT_HOLD) : wa_say(WA_SAY_DOUBT_RESEND);
}

/* Is it in the detail already, with the name of who did it? */
static bool
says_who(const char *reason)
{
	WaReason	code = wa_queue_reason_read(reason);

	return code == WA_REASON_CANCELLED || code == WA_REASON_RETRIED || code == WA_REASON_RELEASED;
}

/*
 * What is held does not expire: a person decides, or the retention ends it.
 * What waits for a setting is news no longer than its time-to-live.
 */
static void
tell_end_of_hold(WaStory *story, WaRows rows)
{
	TimestampTz end = wa_row_timestamptz(rows, 0, M_CREATED_AT) + wa_office_get_interval("retention");

	if (wa_row_bool(rows, 0, M_UNWRITTEN) && wa_row_timestamptz(rows, 0, M_EXPIRES_AT))
		wa_story_tell(story, wa_row_timestamptz(rows, 0, M_EXPIRES_AT), wa_say(WA_SAY_UNWRITTEN_UNTIL));
	wa_story_tell(story, end, wa_say(WA_SAY_HELD_UNTIL));
}

/*
 * wa_why(): see explain.sql.
 */
Datum
wa_sql_why(PG_FUNCTION_ARGS)
{
	static WaStatement read =
		WA_STATEMENT("SELECT scenario, template_key, partner_id::text, number, number_source, res_model, res_id::text,"
					 " provider, provider_message_id, state, reason, detail, detail_said, route, route_said, due_at, expires_at, created_at,"
					 " created_by, sent_at, delivered_at, read_at, finished_at, event_id::text,"
					 " number IS NULL AND body IS NULL, attempts, repeats, unknown_policy, " WA_QUEUE_ADRIFT ","
					 " number IS NOT NULL AND body IS NULL"
					 " FROM wa.message AS m WHERE id = $1");
	int64		id = PG_GETARG_INT64(0);
	WaCall		call;
	WaStory		story;
	WaArgs		args = {0};
	WaRows		rows;
	char	   *state;
	char	   *reason;
	const char *detail;
	const char *advice;
	bool		adrift;
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
	state = wa_row_text(rows, 0, M_STATE);
	reason = wa_row_text(rows, 0, M_REASON);
	detail = wa_story_stored(&story, wa_row_said(rows, 0, M_DETAIL));
	adrift = wa_row_bool(rows, 0, M_ADRIFT);
	is = wa_queue_state_read(state, wa_row_timestamptz(rows, 0, M_DUE_AT) != 0);
	in_doubt = is == WA_STATE_DOUBT && !adrift;

	tell_origin(&story, rows);
	if (!wa_row_isnull(rows, 0, M_ROUTE))
		wa_story_tell(&story, 0, wa_say(WA_SAY_ROUTE, wa_story_stored(&story, wa_row_said(rows, 0, M_ROUTE))));
	tell_attempts(&story, id);
	if (wa_row_timestamptz(rows, 0, M_SENT_AT))
		wa_story_tell(&story, wa_row_timestamptz(rows, 0, M_SENT_AT),
					  wa_row_isnull(rows, 0, M_PROVIDER_MESSAGE_ID) ?
					  wa_say(WA_SAY_SENT_WITHOUT_ID, wa_row_text(rows, 0, M_PROVIDER)) :
					  wa_say(WA_SAY_SENT, wa_row_text(rows, 0, M_PROVIDER), wa_row_text(rows, 0, M_PROVIDER_MESSAGE_ID)));
	if (wa_row_timestamptz(rows, 0, M_DELIVERED_AT))
		wa_story_tell(&story, wa_row_timestamptz(rows, 0, M_DELIVERED_AT),
					  wa_say(WA_SAY_DELIVERED));
	if (wa_row_timestamptz(rows, 0, M_READ_AT))
		wa_story_tell(&story, wa_row_timestamptz(rows, 0, M_READ_AT), wa_say(WA_SAY_READ));
	wa_story_tell(&story, wa_row_timestamptz(rows, 0, M_FINISHED_AT),
				  wa_say(WA_SAY_STATE, wa_story_state(&story, state)));
	if (reason == NULL && detail && wa_row_timestamptz(rows, 0, M_SENT_AT))
		wa_story_tell(&story, 0, wa_say(WA_SAY_NOTE, detail));
	else if (reason || detail)
		wa_story_tell(&story, 0,
					  wa_say(WA_SAY_REASON,
							 detail && says_who(reason) ? detail : wa_story_cause(&story, reason, detail, ": ")));
	if (adrift)
		wa_story_tell(&story, 0, wa_say(WA_SAY_ADRIFT));
	else if (is == WA_STATE_HELD)
		tell_end_of_hold(&story, rows);
	else if (in_doubt)
		wa_story_tell(&story, wa_row_timestamptz(rows, 0, M_DUE_AT), end_of_doubt(rows));
	else if (is == WA_STATE_QUEUED)
	{
		if (wa_row_timestamptz(rows, 0, M_DUE_AT))
			wa_story_tell(&story, wa_row_timestamptz(rows, 0, M_DUE_AT),
						  wa_row_int4(rows, 0, M_ATTEMPTS) > 0 ?
						  wa_say(WA_SAY_NEXT_ATTEMPT) : wa_say(WA_SAY_NOT_BEFORE));
		if (wa_row_timestamptz(rows, 0, M_EXPIRES_AT))
			wa_story_tell(&story, wa_row_timestamptz(rows, 0, M_EXPIRES_AT), wa_say(WA_SAY_NOT_AFTER));
	}
	tell_requests(&story, id);
	if (is == WA_STATE_QUEUED && !adrift)
		tell_providers_in_trouble(&story);
	advice = adrift ? wa_story_words(&story, wa_say(WA_SAY_ADRIFT_ADVICE, WA_NUMBER(id))) :
		in_doubt ? wa_story_words(&story, wa_say(WA_SAY_DOUBT_ADVICE, WA_NUMBER(id))) :
		wa_story_advice(&story, id, state, reason);
	if (advice)
		wa_story_tell(&story, 0, wa_say(WA_SAY_ADVICE, advice));
	wa_call_end(&call);
	return (Datum) 0;
}
