/*-------------------------------------------------------------------------
 *
 * due.c
 *		What waits for a time.
 *
 * wa.due holds times of day, because it must outlive the process.  The time
 * stands in wa.message too, for people; the one that counts is that of wa.due.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "pg/query.h"
#include "queue/queue.h"
#include "wake/wake.h"

/* No wait of ours is longer, but that of a message in doubt. */
#define LONGEST_WAIT	"interval '1 day'"

/*
 * SQL: the message m waits for a time.  By an array of ids, each of which is
 * looked up: a join of two large tables would read the whole ledger, at each
 * start of a worker.
 */
#define HAS_TIME	"m.id = ANY (ARRAY (SELECT message_id FROM wa.due))"

/*
 * Make messages ready whose time has come, in small batches.  Returns how
 * many, their ids (palloc()ed) and when the next one is due (0: none).
 */
int
wa_queue_wake_due(int64 **ids, TimestampTz *next_due)
{
	static WaStatement wake =
		WA_STATEMENT("WITH d AS (DELETE FROM wa.due WHERE message_id IN"
					 " (SELECT message_id FROM wa.due WHERE due_at <= $1 ORDER BY due_at LIMIT 1000)"
					 " RETURNING message_id)"
					 " INSERT INTO wa.ready (message_id, only_by, lane) SELECT d.message_id, " WA_QUEUE_LINE("m")
					 " FROM d LEFT JOIN wa.message AS m ON m.id = d.message_id ON CONFLICT DO NOTHING"
					 " RETURNING message_id");
	static WaStatement next =
		WA_STATEMENT("SELECT due_at FROM wa.due ORDER BY due_at LIMIT 1");
	TimestampTz now = wa_wake_time_of_waits();
	WaArgs		args = {0};
	WaRows		rows = wa_query(&next, NULL);
	int			n;

	*ids = NULL;
	*next_due = rows.n > 0 ? wa_row_timestamptz(rows, 0, 1) : 0;
	if (*next_due == 0 || *next_due > now)
		return 0;
	wa_arg_timestamptz(&args, now);
	rows = wa_query(&wake, &args);
	n = (int) rows.n;
	*ids = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*ids)[i] = wa_row_int8(rows, i, 1);
	rows = wa_query(&next, NULL);
	*next_due = rows.n > 0 ? wa_row_timestamptz(rows, 0, 1) : 0;
	return n;
}

/*
 * The sending hours have changed: what waits for them is to be looked at now.
 */
void
wa_queue_wake_hours(void)
{
	static WaStatement wake =
		WA_STATEMENT("UPDATE wa.due AS d SET due_at = clock_timestamp() FROM wa.message AS m"
					 " WHERE " HAS_TIME " AND m.id = d.message_id AND m.reason = " WA_SQL_REASON(OUTSIDE_HOURS)
					 " AND d.due_at > clock_timestamp()");

	wa_query(&wake, NULL);
}

/*
 * The server's clock was set by so many microseconds: waits of ours go on as if
 * it had not been; what a person asked for, or the hours say, follows the
 * clock.  A wait that is longer than any of ours can be (in doubt:
 * longest_doubt_us) is cut short.  With by_us 0 that is all.  (A person may
 * hold the message's row: the time that counts is the one in wa.due.)
 */
void
wa_queue_shift(int64 by_us, int64 longest_doubt_us)
{
	static WaStatement shift =
		WA_STATEMENT("WITH d AS (UPDATE wa.due AS d SET due_at = least(d.due_at + $1 * interval '1 microsecond',"
					 " clock_timestamp() + CASE m.state WHEN " WA_SQL_STATE(UNKNOWN)
					 " THEN $2 * interval '1 microsecond' ELSE " LONGEST_WAIT " END)"
					 " FROM wa.message AS m WHERE " HAS_TIME " AND m.id = d.message_id"
					 " AND (m.state = " WA_SQL_STATE(UNKNOWN)
					 " OR (m.attempts > 0 AND m.reason IS DISTINCT FROM " WA_SQL_REASON(OUTSIDE_HOURS) "))"
					 " AND d.due_at IS DISTINCT FROM m.send_at"
					 " AND ($1 <> 0 OR d.due_at > clock_timestamp() + CASE m.state WHEN " WA_SQL_STATE(UNKNOWN)
					 " THEN $2 * interval '1 microsecond' ELSE " LONGEST_WAIT " END)"
					 " RETURNING d.message_id, d.due_at),"
					 " m AS MATERIALIZED (SELECT id FROM wa.message WHERE id = ANY (ARRAY (SELECT message_id FROM d))"
					 " FOR NO KEY UPDATE SKIP LOCKED)"
					 " UPDATE wa.message AS w SET due_at = d.due_at FROM m JOIN d ON d.message_id = m.id"
					 " WHERE w.id = m.id AND w.id = ANY (ARRAY (SELECT id FROM m))");

	/*
	 * what was announced in what is the future now would count as new for too
	 * long
	 */
	static WaStatement once =
		WA_STATEMENT("UPDATE wa.announced SET announced_at = clock_timestamp() WHERE announced_at > clock_timestamp()");
	WaArgs		args = {0};

	wa_arg_int8(&args, by_us);
	wa_arg_int8(&args, longest_doubt_us);
	wa_query(&shift, &args);
	if (by_us != 0)
		wa_query(&once, NULL);
}
