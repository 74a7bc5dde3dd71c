/*-------------------------------------------------------------------------
 *
 * why.c
 *		wa_why(): the story of one message.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "admin/story.h"
#include "pg/call.h"
#include "pg/query.h"

PG_FUNCTION_INFO_V1(wa_sql_why);

enum
{
	M_SCENARIO = 1, M_TEMPLATE, M_PARTNER, M_NUMBER, M_NUMBER_SOURCE, M_RES_MODEL, M_RES_ID,
	M_PROVIDER, M_PROVIDER_MESSAGE_ID, M_STATE, M_REASON, M_DETAIL, M_ROUTE, M_DUE_AT,
	M_EXPIRES_AT, M_CREATED_AT, M_CREATED_BY, M_SENT_AT, M_DELIVERED_AT, M_READ_AT,
	M_FINISHED_AT, M_EVENT_ID, M_PURGED
};

static void
tell_origin(WaStory *story)
{
	TimestampTz at = wa_row_timestamptz(0, M_CREATED_AT);
	char	   *number = wa_row_text(0, M_NUMBER);
	char	   *partner = wa_row_text(0, M_PARTNER);

	if (wa_row_isnull(0, M_SCENARIO))
		wa_story_tell(story, at, wa_story_words(story, WA_SAY_MADE_BY_HAND,
												wa_row_text(0, M_CREATED_BY), wa_row_text(0, M_TEMPLATE), NULL));
	else
		wa_story_tell(story, at, wa_story_words(story, WA_SAY_MADE_BY_SCENARIO,
												wa_row_text(0, M_SCENARIO), wa_row_text(0, M_TEMPLATE),
												wa_row_text(0, M_EVENT_ID)));
	if (!wa_row_isnull(0, M_RES_ID))
		wa_story_tell(story, at, wa_story_words(story, WA_SAY_ABOUT, wa_row_text(0, M_RES_MODEL),
												wa_row_text(0, M_RES_ID), NULL));
	if (partner)
		wa_story_tell(story, at, wa_story_words(story, WA_SAY_TO_PARTNER, partner, NULL, NULL));
	if (number)
		wa_story_tell(story, at, wa_story_words(story, WA_SAY_TO_NUMBER, number,
												wa_row_text(0, M_NUMBER_SOURCE), NULL));
	else
		wa_story_tell(story, at, wa_story_words(story, wa_row_bool(0, M_PURGED) ?
												WA_SAY_NUMBER_PURGED : WA_SAY_TO_NOBODY, NULL, NULL, NULL));
}

static void
tell_attempts(WaStory *story, int64 id)
{
	static WaStatement read =
		WA_STATEMENT("SELECT attempt::text, provider, started_at, finished_at, http_status::text, provider_code,"
					 " outcome, response FROM wa.attempt WHERE message_id = $1 ORDER BY attempt");
	WaArgs		args = {0};
	uint64		n;

	wa_arg_int8(&args, id);
	n = wa_query(&read, &args);
	for (uint64 i = 0; i < n; i++)
	{
		char	   *status = wa_row_text(i, 5);
		char	   *code = wa_row_text(i, 6);
		char	   *answer = wa_row_text(i, 8);
		char	   *what = psprintf("%s%s%s%s%s", wa_story_outcome(story, wa_row_text(i, 7)),
									status ? ", HTTP " : "", status ? status : "",
									code ? ", " : "", code ? code : "");

		wa_story_tell(story, wa_row_timestamptz(i, 3),
					  wa_story_words(story, WA_SAY_ATTEMPT, wa_row_text(i, 1), wa_row_text(i, 2), what));
		if (answer && answer[0])
			wa_story_tell(story, wa_row_isnull(i, 4) ? 0 : wa_row_timestamptz(i, 4),
						  wa_story_words(story, WA_SAY_ANSWER, answer, NULL, NULL));
	}
}

static void
tell_requests(WaStory *story, int64 id)
{
	static WaStatement read =
		WA_STATEMENT("SELECT action, requested_by, requested_at FROM wa.request WHERE message_id = $1 ORDER BY id");
	WaArgs		args = {0};
	uint64		n;

	wa_arg_int8(&args, id);
	n = wa_query(&read, &args);
	for (uint64 i = 0; i < n; i++)
		wa_story_tell(story, wa_row_timestamptz(i, 3),
					  wa_story_words(story, WA_SAY_REQUESTED,
									 wa_story_action(story, wa_row_text(i, 1)), wa_row_text(i, 2), NULL));
}

/* A time of the row, 0 where it is NULL. */
static TimestampTz
time_of(int column)
{
	return wa_row_isnull(0, column) ? 0 : wa_row_timestamptz(0, column);
}

/*
 * wa_why(): see explain.sql.
 */
Datum
wa_sql_why(PG_FUNCTION_ARGS)
{
	static WaStatement read =
		WA_STATEMENT("SELECT scenario, template_key, partner_id::text, number, number_source, res_model, res_id::text,"
					 " provider, provider_message_id, state, reason, detail, route, due_at, expires_at, created_at,"
					 " created_by, sent_at, delivered_at, read_at, finished_at, event_id::text,"
					 " number IS NULL AND body IS NULL"
					 " FROM wa.message WHERE id = $1");
	int64		id = PG_GETARG_INT64(0);
	WaCall		call;
	WaStory		story;
	WaArgs		args = {0};
	SPITupleTable *message;
	char	   *state;
	char	   *reason;
	const char *detail;
	const char *advice;
	bool		waits;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	wa_arg_int8(&args, id);
	if (wa_query(&read, &args) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("message " INT64_FORMAT " does not exist", id),
				 errhint("SELECT * FROM wa_history('...') finds messages by number, permit number or partner.")));
	message = SPI_tuptable;
	state = wa_row_text(0, M_STATE);
	reason = wa_row_text(0, M_REASON);
	detail = wa_row_text(0, M_DETAIL);
	if (detail)
		detail = wa_story_phrase(&story, detail);
	waits = strcmp(state, "queued") == 0 || strcmp(state, "held") == 0;

	tell_origin(&story);
	if (!wa_row_isnull(0, M_ROUTE))
		wa_story_tell(&story, 0, wa_story_words(&story, WA_SAY_ROUTE, wa_row_text(0, M_ROUTE), NULL, NULL));
	tell_attempts(&story, id);
	SPI_tuptable = message;
	if (time_of(M_SENT_AT))
		wa_story_tell(&story, time_of(M_SENT_AT),
					  wa_story_words(&story, WA_SAY_SENT, wa_row_text(0, M_PROVIDER),
									 wa_row_text(0, M_PROVIDER_MESSAGE_ID), NULL));
	if (time_of(M_DELIVERED_AT))
		wa_story_tell(&story, time_of(M_DELIVERED_AT),
					  wa_story_words(&story, WA_SAY_DELIVERED, NULL, NULL, NULL));
	if (time_of(M_READ_AT))
		wa_story_tell(&story, time_of(M_READ_AT), wa_story_words(&story, WA_SAY_READ, NULL, NULL, NULL));
	wa_story_tell(&story, time_of(M_FINISHED_AT),
				  wa_story_words(&story, WA_SAY_STATE, wa_story_state(&story, state), NULL, NULL));
	if (reason || detail)
		wa_story_tell(&story, 0,
					  wa_story_words(&story, WA_SAY_REASON,
									 reason && detail ? psprintf("%s: %s", wa_story_reason(&story, reason), detail) :
									 reason ? wa_story_reason(&story, reason) : detail, NULL, NULL));
	if (waits && time_of(M_DUE_AT))
		wa_story_tell(&story, time_of(M_DUE_AT), wa_story_words(&story, WA_SAY_NOT_BEFORE, NULL, NULL, NULL));
	if (waits && time_of(M_EXPIRES_AT))
		wa_story_tell(&story, time_of(M_EXPIRES_AT), wa_story_words(&story, WA_SAY_NOT_AFTER, NULL, NULL, NULL));
	tell_requests(&story, id);
	advice = wa_story_advice(&story, state, reason);
	if (advice)
		wa_story_tell(&story, 0, wa_story_words(&story, WA_SAY_ADVICE, advice, NULL, NULL));
	wa_call_end(&call);
	return (Datum) 0;
}
