/*-------------------------------------------------------------------------
 *
 * doubt.c
 *		What the former primary of a failover may have sent already.
 *
 * It is in doubt from then on: after the time in which a provider may tell, the
 * policy for unknown outcomes is carried out.  The attempt that may have been
 * made is written down as such.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/query.h"
#include "pg/said.h"
#include "queue/law.h"
#include "queue/queue.h"
#include "wake/stat.h"

/*
 * Put a batch of what waits in doubt until then: what was written on an older
 * timeline, and is ready or was due by "due".  Rows without a message that
 * waits are left-overs.  Returns how many rows there were; *ndoubtful: so many
 * messages.
 */
int64
wa_queue_doubt_waiting(int32 timeline, TimestampTz due, TimestampTz until, int limit, int64 *ndoubtful)
{
	static WaStatement doubt =
		WA_STATEMENT("WITH w AS MATERIALIZED ("
					 "(SELECT message_id FROM wa.ready WHERE claimed_at IS NULL AND timeline < $1 LIMIT $4)"
					 " UNION ALL (SELECT message_id FROM wa.due WHERE due_at <= $2 AND timeline < $1"
					 " ORDER BY due_at LIMIT $4)), "
					 "m AS (UPDATE wa.message AS m SET state = " WA_SQL_STATE(UNKNOWN) ", reason = " WA_SQL_REASON(FAILOVER) ","
					 " detail = $5, detail_said = $6,"
					 " due_at = $3, attempts = attempts + 1, finished_at = NULL"
					 " FROM w WHERE m.id = w.message_id AND m.state IN " WA_SQL_STATES(WA_MAY_BE_DUE)
					 " RETURNING m.id, m.attempts), "
					 "a AS (INSERT INTO wa.attempt (message_id, attempt, provider, started_at, finished_at,"
					 " provider_code, outcome, response, response_said)"
					 " SELECT id, attempts, '', clock_timestamp(), clock_timestamp(), 'failover', 'unknown',"
					 " $7, $8 FROM m ON CONFLICT (message_id, attempt) DO NOTHING), "
					 "r AS (DELETE FROM wa.ready WHERE message_id IN (SELECT message_id FROM w)), "
					 "d AS (DELETE FROM wa.due WHERE message_id IN"
					 " (SELECT message_id FROM w EXCEPT SELECT id FROM m)), "
					 "i AS (INSERT INTO wa.due (message_id, due_at, timeline) SELECT id, $3, $1 FROM m"
					 " ON CONFLICT (message_id) DO UPDATE SET due_at = excluded.due_at, timeline = excluded.timeline)"
					 " SELECT (SELECT count(*) FROM w), (SELECT count(*) FROM m)");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_int4(&args, timeline);
	wa_arg_timestamptz(&args, due);
	wa_arg_timestamptz(&args, until);
	wa_arg_int4(&args, limit);
	wa_arg_said(&args, wa_say(WA_SAY_WAITED_ON_FORMER_PRIMARY));
	wa_arg_said(&args, wa_say(WA_SAY_FORMER_PRIMARY_MAY_HAVE_SENT));
	rows = wa_queue_change(WA_CHANGE_DOUBT, &doubt, &args);
	*ndoubtful = wa_row_int8(rows, 0, 2);
	wa_wake_stat_at_commit(WA_STAT_ATTEMPTS, *ndoubtful);
	return wa_row_int8(rows, 0, 1);
}

/*
 * Somebody asked by then for a message to be sent again, or let go, and the
 * former primary may have done so: these are in doubt until then, and the
 * request is done.  Returns how many.
 */
int64
wa_queue_doubt_requested(TimestampTz requested, TimestampTz until)
{
	static WaStatement doubt =
		WA_STATEMENT("WITH w AS (DELETE FROM wa.request AS r WHERE action IN ('retry', 'release') AND requested_at <= $1"
					 " AND NOT EXISTS (SELECT FROM wa.message AS m WHERE m.id = r.message_id AND m.send_at > $1)"
					 " RETURNING message_id), "
					 "m AS (UPDATE wa.message AS m SET state = " WA_SQL_STATE(UNKNOWN) ", reason = " WA_SQL_REASON(FAILOVER) ","
					 " detail = $3, detail_said = $4,"
					 " due_at = $2, attempts = attempts + 1, finished_at = NULL,"
					 " expires_at = greatest(expires_at, clock_timestamp() + '1 day')"
					 " WHERE m.id IN (SELECT message_id FROM w) AND m.number IS NOT NULL"
					 " AND (m.state = " WA_SQL_STATE(HELD) " OR m.state IN " WA_SQL_STATES(WA_REPEATABLE) ")"
					 " RETURNING m.id, m.attempts), "
					 "a AS (INSERT INTO wa.attempt (message_id, attempt, provider, started_at, finished_at,"
					 " provider_code, outcome, response, response_said)"
					 " SELECT id, attempts, '', clock_timestamp(), clock_timestamp(), 'failover', 'unknown',"
					 " $5, $6 FROM m ON CONFLICT (message_id, attempt) DO NOTHING), "
					 "i AS (INSERT INTO wa.due (message_id, due_at) SELECT id, $2 FROM m"
					 " ON CONFLICT (message_id) DO UPDATE SET due_at = excluded.due_at)"
					 " SELECT count(*) FROM m");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_timestamptz(&args, requested);
	wa_arg_timestamptz(&args, until);
	wa_arg_said(&args, wa_say(WA_SAY_TO_GO_OUT_AT_PROMOTION));
	wa_arg_said(&args, wa_say(WA_SAY_FORMER_PRIMARY_MAY_HAVE_SENT));
	rows = wa_queue_change(WA_CHANGE_DOUBT, &doubt, &args);
	wa_wake_stat_at_commit(WA_STAT_ATTEMPTS, wa_row_int8(rows, 0, 1));
	return wa_row_int8(rows, 0, 1);
}
