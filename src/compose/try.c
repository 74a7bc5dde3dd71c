/*-------------------------------------------------------------------------
 *
 * try.c
 *		CALL wa_try(): one test message, and its story.
 *
 * A procedure, because the message has to be committed before the worker can
 * send it, and the answer to be waited for afterwards.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compose/draft.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/query.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(wa_sql_try);

#define LOOK_MS		100

/* What the ledger says of the message now. */
typedef struct Story
{
	char	   *state;
	char	   *detail;
	char	   *provider;
	char	   *route;
	char	   *answer;
	bool		over;
} Story;

static void
read_story(int64 id, Story *story)
{
	static WaStatement read =
		WA_STATEMENT("SELECT m.state, coalesce(m.detail, m.reason), m.provider, m.route,"
					 " (SELECT 'HTTP ' || coalesce(a.http_status::text, '-') || ', ' || a.outcome || ': ' || a.response"
					 " FROM wa.attempt AS a WHERE a.message_id = m.id ORDER BY a.attempt DESC LIMIT 1),"
					 " m.state NOT IN " WA_SQL_STATES(WA_AT_WORK) " OR m.attempts > 0 AND m.state = " WA_SQL_STATE(QUEUED)
					 " OR m.reason = " WA_SQL_REASON(NO_PROVIDER)
					 " FROM wa.message AS m WHERE m.id = $1");
	WaCall		call;
	WaArgs		args = {0};
	WaRows		rows;
	MemoryContext outer = CurrentMemoryContext;

	memset(story, 0, sizeof(*story));
	/* the call itself is on the log already */
	wa_call_begin_logged(&call, NULL, WA_LEVEL_SEND, true);
	wa_arg_int8(&args, id);
	rows = wa_query(&read, &args);
	if (rows.n > 0)
	{
		char	  **fields[] = {&story->state, &story->detail, &story->provider, &story->route, &story->answer};

		for (size_t i = 0; i < lengthof(fields); i++)
		{
			char	   *text = wa_row_text(rows, 0, (int) i + 1);

			*fields[i] = text ? MemoryContextStrdup(outer, text) : NULL;
		}
		story->over = wa_row_bool(rows, 0, 6);
	}
	else
		story->over = true;
	wa_call_end(&call);
}

/*
 * wa_try(): see send.sql.
 */
Datum
wa_sql_try(PG_FUNCTION_ARGS)
{
	CallContext *context = (CallContext *) fcinfo->context;
	char	   *number = wa_call_arg_text(fcinfo, 0);
	char	   *provider = wa_call_arg_text(fcinfo, 1);
	TimestampTz end;
	Story		story;
	WaCall		call;
	int64		id;

	if (context == NULL || !IsA(context, CallContext) || context->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("wa_try() cannot run inside a transaction block"),
				 errdetail("The message must be committed before it can be sent.")));
	if (!wa_wake_preloaded())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nothing can be sent: sicantik_wa is not preloaded"),
				 errhint("Set shared_preload_libraries = 'sicantik_wa' and restart the server.")));
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");

	wa_call_begin(&call, WA_LEVEL_SEND);
	id = wa_compose_queue_text(number, provider,
							   psprintf("[UJI COBA] Pesan percobaan dari SICANTIK, %s. Tidak perlu dibalas.",
										wa_compose_value_time(GetCurrentTimestamp(), wa_office_get("time_zone"))));
	wa_call_end(&call);
	ereport(NOTICE, (errmsg("message " INT64_FORMAT " is queued", id)));
	SPI_commit();

	end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wa_guc_request_timeout + 5000);
	for (;;)
	{
		read_story(id, &story);
		if (story.over || GetCurrentTimestamp() > end)
			break;
		SPI_commit();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}

	if (story.route)
		ereport(NOTICE, (errmsg("route: %s", story.route)));
	if (story.answer)
		ereport(NOTICE, (errmsg("answer of %s: %s", story.provider ? story.provider : "the provider", story.answer)));
	if (!story.over)
		ereport(NOTICE, (errmsg("it is still %s; wa_status() tells whether the worker may send",
								story.state ? story.state : "waiting")));
	else
		ereport(NOTICE, (errmsg("result: %s%s%s", story.state ? story.state : "gone",
								story.detail ? ": " : "", story.detail ? story.detail : "")));
	SPI_finish();
	PG_RETURN_VOID();
}
