/*-------------------------------------------------------------------------
 *
 * insert.c
 *		Writing new messages.
 *
 * Plain inserts into tables without unique keys on data, so that wa_send()
 * conflicts with nothing under REPEATABLE READ, which is how Odoo runs.  Keys
 * that must be unique are the worker's (once.c), in its own transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "office/setting.h"
#include "pg/columns.h"
#include "pg/said.h"
#include "queue/law.h"
#include "queue/queue.h"
#include "wake/stat.h"
#include "wake/wake.h"

static const WaColumn message_columns[] = {
#define KEPT_AS(type, name, sql)	WA_COLUMN_LINE(WaNewMessage, type, name, sql)
#define OWN_AS(type, name, sql)		WA_COLUMN_LINE(WaNewMessage, type, name, sql)
#include "queue/message.def"
};
static const WaRowType message_row = WA_ROW_TYPE(WaNewMessage, message_columns);

static const WaColumn kept_columns[] = {
#define KEPT_AS(type, name, sql)	WA_COLUMN_LINE(WaNewMessage, type, name, #name)
#define OWN_AS(type, name, sql)
#include "queue/message.def"
};
static const WaRowType kept_row = WA_ROW_TYPE(WaNewMessage, kept_columns);

/*
 * Draw ids; callers that need them before the rows are written call this first.
 */
void
wa_queue_assign_ids(WaNewMessage *messages, int n)
{
	Oid			sequence;

	if (n == 0)
		return;
	sequence = get_relname_relid("message_id_seq", get_namespace_oid("wa", false));
	if (!OidIsValid(sequence))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" does not exist", "wa.message_id_seq")));

	/*
	 * With a transaction id in hand before the first number is drawn, a
	 * reader that finds no older transaction running knows that no lower
	 * number can appear any more (wa_queue_horizon).
	 */
	(void) GetTopTransactionId();
	for (int i = 0; i < n; i++)
		messages[i].id = nextval_internal(sequence, true);
}

static void
insert_rows(WaNewMessage *messages, int n)
{
	static WaStatement insert =
		WA_STATEMENT_OF(&message_row, "INSERT INTO wa.message ({members}, finished_at)"
						" SELECT {columns}, CASE WHEN state = " WA_SQL_STATE(SKIPPED) " THEN clock_timestamp() END"
						" FROM {arrays} AS m({members})");
	WaArgs		args = {0};

	wa_arg_rows(&args, &message_row, messages, n);
	wa_queue_change(WA_CHANGE_MAKE, &insert, &args);
}

static void
insert_work(WaNewMessage *messages, int n)
{
	static WaStatement ready =
		WA_STATEMENT("INSERT INTO wa.ready (message_id, timeline, only_by, lane)"
					 " SELECT id, $2, wanted_provider, " WA_QUEUE_LANE("priority")
					 " FROM unnest($1, $3, $4) AS r(id, wanted_provider, priority)");
	static WaStatement due =
		WA_STATEMENT("INSERT INTO wa.due (message_id, due_at, timeline) SELECT *, $3 FROM unnest($1, $2)");
	int64	   *now_ids = palloc(sizeof(int64) * n);
	const char **wanted = palloc(sizeof(char *) * n);
	const char **priorities = palloc(sizeof(char *) * n);
	int64	   *due_ids = palloc(sizeof(int64) * n);
	TimestampTz *due_times = palloc(sizeof(TimestampTz) * n);
	int			nnow = 0;
	int			ndue = 0;
	int32		timeline = (int32) GetWALInsertionTimeLine();
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
	{
		if (messages[i].state != WA_STATE_QUEUED && messages[i].state != WA_STATE_DOUBT)
			continue;
		if (messages[i].due_at == 0)
		{
			wanted[nnow] = messages[i].wanted_provider;
			priorities[nnow] = messages[i].priority;
			now_ids[nnow++] = messages[i].id;
		}
		else
		{
			due_ids[ndue] = messages[i].id;
			due_times[ndue++] = messages[i].due_at;
		}
	}
	if (nnow > 0)
	{
		wa_arg_int8_array(&args, now_ids, nnow);
		wa_arg_int4(&args, timeline);
		wa_arg_text_array(&args, wanted, nnow);
		wa_arg_text_array(&args, priorities, nnow);
		wa_query(&ready, &args);
	}
	if (ndue > 0)
	{
		memset(&args, 0, sizeof(args));
		wa_arg_int8_array(&args, due_ids, ndue);
		wa_arg_timestamptz_array(&args, due_times, ndue);
		wa_arg_int4(&args, timeline);
		wa_query(&due, &args);
	}
}

/* What has no text for want of a setting is written when that comes. */
static void
insert_unwritten(const WaNewMessage *messages, int n)
{
	static WaStatement unwritten =
		WA_STATEMENT("INSERT INTO wa.unwritten (message_id, setting) SELECT * FROM unnest($1, $2)");
	int64	   *ids = palloc(sizeof(int64) * n);
	const char **settings = palloc(sizeof(char *) * n);
	int			k = 0;
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
	{
		if (messages[i].state != WA_STATE_HELD || messages[i].body ||
			messages[i].reason != WA_REASON_SETTING_MISSING || messages[i].lacks == NULL)
			continue;
		ids[k] = messages[i].id;
		settings[k++] = messages[i].lacks;
	}
	if (k == 0)
		return;
	wa_arg_int8_array(&args, ids, k);
	wa_arg_text_array(&args, settings, k);
	wa_query(&unwritten, &args);
}

/*
 * The reason of a message to a person who gets nothing.
 */
WaReason
wa_queue_reason_of(WaNobody nobody)
{
	switch (nobody)
	{
		case WA_SOMEBODY:
			break;
		case WA_OPTED_OUT:
			return WA_REASON_OPTED_OUT;
		case WA_BLACKLISTED:
			return WA_REASON_BLACKLISTED;
		case WA_CONTACT_IS_GONE:
			return WA_REASON_NO_RECIPIENT;
	}
	return WA_REASON_NONE;
}

/*
 * What the former primary of a failover may have sent already waits like any
 * other message with an unknown outcome.
 */
static void
doubt(WaNewMessage *messages, int n)
{
	TimestampTz until = 0;

	for (int i = 0; i < n; i++)
	{
		WaNewMessage *message = &messages[i];

		if (!message->in_doubt || message->state != WA_STATE_QUEUED)
			continue;
		if (until == 0)
			until = GetCurrentTimestamp() + wa_office_get_interval("unknown_wait");
		message->state = WA_STATE_DOUBT;
		message->reason = WA_REASON_FAILOVER;
		message->detail = wa_say(WA_SAY_DUE_AT_PROMOTION);
		message->due_at = Max(message->due_at, until);
	}
}

/*
 * Write messages, ids given here, and make the queued ones ready (or due, if
 * they have a time); wakes the worker at commit.
 */
void
wa_queue_insert(WaNewMessage *messages, int n)
{
	MemoryContext context;
	MemoryContext old;

	if (n == 0)
		return;
	doubt(messages, n);
	for (int i = 0; i < n; i++)
	{
		messages[i].detail_said = messages[i].detail;
		messages[i].number_source_said = messages[i].number_source;
	}
	context = AllocSetContextCreate(CurrentMemoryContext,
									"sicantik_wa new messages",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	if (messages[0].id == 0)
		wa_queue_assign_ids(messages, n);
	for (int i = 0; i < n; i++)
		wa_queue_require(WA_CHANGE_MAKE, messages[i].id, WA_STATE_NONE, messages[i].state, messages[i].reason);
	insert_rows(messages, n);
	insert_work(messages, n);
	insert_unwritten(messages, n);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	wa_wake_stat_at_commit(WA_STAT_MESSAGES, n);
	wa_wake_sender_at_commit();
}

/*
 * What a message that waits hands on to the one that takes its place: the
 * columns that message.def calls KEPT.  False if it does not wait any more.
 */
bool
wa_queue_read_kept(int64 id, WaNewMessage *message)
{
	static WaStatement read =
		WA_STATEMENT_OF(&kept_row, "SELECT {columns} FROM wa.message WHERE id = $1 AND state = " WA_SQL_STATE(QUEUED));
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_int8(&args, id);
	rows = wa_query(&read, &args);
	if (rows.n > 0)
		wa_row_read(rows, 0, &kept_row, message);
	return rows.n > 0;
}
