/*-------------------------------------------------------------------------
 *
 * unreached.c
 *		Messages that were skipped because their person has no usable number.
 *
 * Nothing was announced, so it is still news when the number comes, as long as
 * the message would have lived.  No table tells that a contact has been given
 * a number, so these messages are looked at from time to time, and whenever
 * their record changes: their scenarios are asked again like those of waiting
 * ones, and what can be told by then takes their place.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "compose/waiting.h"
#include "office/setting.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "queue/queue.h"

#define LOOK_AGAIN_US	(10 * USECS_PER_MINUTE)
#define LOCKED_US		USECS_PER_MINUTE
#define BATCH			500

static TimestampTz next_look = 0;	/* 0: now */

/*
 * The configuration has changed: look now.
 */
void
wa_compose_unreached_reload(void)
{
	next_look = 0;
}

/*
 * Keep those of these new messages that have nobody's number.
 */
void
wa_compose_unreached_keep(const WaNewMessage *messages, int n)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.unreached (message_id, until) SELECT * FROM unnest($1, $2)"
					 " ON CONFLICT (message_id) DO UPDATE SET until = excluded.until");
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	TimestampTz *until = palloc(sizeof(TimestampTz) * Max(n, 1));
	int			k = 0;
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
	{
		if (messages[i].change == NULL || messages[i].state != WA_STATE_SKIPPED ||
			messages[i].reason != WA_REASON_NO_NUMBER)
			continue;
		ids[k] = messages[i].id;
		until[k++] = messages[i].expires_at;
	}
	if (k == 0)
		return;
	wa_arg_int8_array(&args, ids, k);
	wa_arg_timestamptz_array(&args, until, k);
	wa_query(&put, &args);
	if (next_look == DT_NOEND)
		next_look = GetCurrentTimestamp() + LOOK_AGAIN_US;
}

static void
forget(const int64 *ids, int n)
{
	static WaStatement done =
		WA_STATEMENT("DELETE FROM wa.unreached WHERE message_id = ANY ($1)");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_query(&done, &args);
}

/* What ask_some() asks about. */
typedef struct Asking
{
	const char *schema;
	const int64 *ids;
	int			n;
	bool		had;			/* false: a table could not be had now */
} Asking;

static bool
ask_some(void *argument)
{
	Asking	   *asking = argument;
	const int64 *ids = asking->ids;
	int			n = asking->n;
	WaStill    *results = palloc(sizeof(WaStill) * Max(n, 1));
	WaSaid	   *details = palloc(sizeof(WaSaid) * Max(n, 1));
	int64	   *over = palloc(sizeof(int64) * Max(n, 1));
	int			nover = 0;
	bool		locked = false;

	wa_compose_recheck_skipped(asking->schema, ids, n, results, details);
	for (int i = 0; i < n; i++)
	{
		locked = locked || results[i] == WA_STILL_LOCKED;
		/* told, not true any more, or not there */
		if (results[i] == WA_STILL_ENDED || results[i] == WA_STILL_FALSE)
			over[nover++] = ids[i];
	}
	forget(over, nover);
	asking->had = !locked;
	return true;
}

/*
 * Ask about these.  Returns false if a table could not be had, or read, now:
 * whatever hangs on it must not be in the way of other messages.
 */
static bool
ask(const char *schema, const int64 *ids, int n)
{
	Asking		asking = {schema, ids, n, false};
	ErrorData  *error = wa_pg_attempt(ask_some, &asking);

	return error == NULL && asking.had;
}

static int
read_ids(WaStatement *statement, WaArgs *args, int64 **ids)
{
	WaRows		rows = wa_query(statement, args);
	int			n = (int) rows.n;

	*ids = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*ids)[i] = wa_row_int8(rows, i, 1);
	wa_rows_free(rows);
	return n;
}

/*
 * These changes were composed: has one of their records somebody who was not
 * reached, and can be now?
 */
void
wa_compose_unreached_look_at(const WaBatch *batch)
{
	static WaStatement any =
		WA_STATEMENT("SELECT FROM wa.unreached LIMIT 1");
	static WaStatement find =
		WA_STATEMENT("SELECT m.id FROM wa.message AS m JOIN wa.unreached AS u ON u.message_id = m.id"
					 " WHERE m.res_id = ANY ($1) AND m.state = " WA_SQL_STATE(SKIPPED) " AND m.reason = " WA_SQL_REASON(NO_NUMBER)
					 " AND u.until > clock_timestamp() ORDER BY m.id LIMIT 500");
	int64	   *records = palloc(sizeof(int64) * Max(batch->nevents, 1));
	int64	   *ids;
	int			n = 0;
	WaArgs		args = {0};

	for (int i = 0; i < batch->nevents; i++)
		if (batch->events[i].has_record)
			records[n++] = batch->events[i].record_id;
	if (n == 0 || wa_query(&any, NULL).n == 0)
		return;
	wa_arg_int8_array(&args, records, n);
	n = read_ids(&find, &args, &ids);
	if (n > 0 && !ask(batch->odoo.schema, ids, n))
		next_look = 0;
}

/* Look at all of them, so many at once. */
static bool
look(void)
{
	static WaStatement purge =
		WA_STATEMENT("DELETE FROM wa.unreached WHERE until <= clock_timestamp()");
	static WaStatement find =
		WA_STATEMENT("SELECT message_id FROM wa.unreached WHERE message_id > $1 ORDER BY message_id LIMIT $2");
	char	   *schema = wa_office_get("odoo_schema");
	int64		last = 0;
	bool		complete = true;
	bool		any = false;

	wa_query(&purge, NULL);
	for (;;)
	{
		WaArgs		args = {0};
		int64	   *ids;
		int			n;

		wa_arg_int8(&args, last);
		wa_arg_int4(&args, BATCH);
		n = read_ids(&find, &args, &ids);
		if (n == 0)
			break;
		any = true;
		last = ids[n - 1];
		complete = ask(schema, ids, n) && complete;
	}
	next_look = !any ? DT_NOEND : GetCurrentTimestamp() + (complete ? LOOK_AGAIN_US : LOCKED_US);
	return any;
}

/*
 * Look at them if it is time, in a transaction of its own; costs nothing while
 * there are none.  *next_due: when to come again, or 0.
 */
void
wa_compose_unreached_run(TimestampTz *next_due)
{
	TimestampTz now = GetCurrentTimestamp();
	WaIdentity	identity;

	*next_due = 0;
	if (now >= next_look || (next_look != DT_NOEND && next_look > now + LOOK_AGAIN_US))
	{
		if (!wa_frame_begin("looking for people who could not be reached"))
			return;
		wa_identity_check(&identity);
		if (identity.mode == WA_MODE_STOPPED)
			next_look = now + LOOK_AGAIN_US;
		else
			(void) look();
		wa_frame_commit(false);
	}
	if (next_look != DT_NOEND)
		*next_due = next_look;
}
