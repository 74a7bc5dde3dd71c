/*-------------------------------------------------------------------------
 *
 * purge.c
 *		Citizens' data do not stay for ever.
 *
 * After the retention (setting "retention") a message loses its number, text,
 * parameters, sentences, and the provider's id (Meta's contains the number),
 * and its attempts the provider's answer; what remains are figures, and those
 * go after WA_QUEUE_ROWS_STAY.  Small batches by id, from a position that is
 * kept, so that neither a large ledger nor a restart costs anything.
 * Work whose message is gone is cleaned up here as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "office/setting.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "queue/erase.h"
#include "queue/law.h"
#include "queue/queue.h"

#define CLEAN_BATCH		1000

/* So many messages that still wait are passed over. */
#define MOST_UNPURGED	10000

/*
 * Take work off a table whose message is gone or has been ended by hand: a
 * batch from where the last one ended.  What is on the wire stays, as long as
 * there is a message to record it in.  Returns whether there is more.
 */
static bool
clean(WaStatement *statement, int64 *position)
{
	WaArgs		args = {0};
	WaRows		rows;
	bool		more;

	wa_arg_int8(&args, *position);
	wa_arg_int4(&args, CLEAN_BATCH);
	rows = wa_query(statement, &args);
	more = wa_row_int8(rows, 0, 1) == CLEAN_BATCH;
	*position = more ? wa_row_int8(rows, 0, 2) : 0;
	return more;
}

/*
 * Notes of messages that do not wait for a person any more, and all but the
 * last of one message: those of them that are seen now, so that one that is
 * made meanwhile stays.
 */
static bool
clean_unattended(void)
{
	static WaStatement clean_notes =
		WA_STATEMENT("WITH b AS (SELECT id, message_id, max(id) OVER (PARTITION BY message_id) AS last FROM"
					 " (SELECT id, message_id FROM wa.unattended WHERE id > $1 ORDER BY id LIMIT $2) AS u),"
					 " d AS (DELETE FROM wa.unattended WHERE id = ANY (ARRAY (SELECT b.id FROM b WHERE b.id < b.last OR (SELECT m.state = " WA_SQL_STATE(HELD) " OR m.state IN " WA_SQL_STATES(WA_MAY_BE_READY) " AND " WA_QUEUE_ADRIFT
					 " FROM wa.message AS m WHERE m.id = b.message_id) IS NOT TRUE)))"
					 " SELECT count(*), max(id) FROM b");
	static int64 position = 0;

	return clean(&clean_notes, &position);
}

/*
 * Of work without a message one batch of each table.  Each message is looked up
 * by its id in a subquery of its own, which no planner can turn into a join.
 */
static bool
clean_work(void)
{
	static WaStatement ready =
		WA_STATEMENT("WITH b AS (SELECT message_id, claimed_at FROM wa.ready WHERE message_id > $1"
					 " ORDER BY message_id LIMIT $2),"
					 " d AS (DELETE FROM wa.ready WHERE message_id = ANY (ARRAY (SELECT message_id FROM b"
					 " WHERE (SELECT b.claimed_at IS NOT NULL OR m.state IN " WA_SQL_STATES(WA_MAY_BE_READY)
					 " FROM wa.message AS m WHERE m.id = b.message_id) IS NOT TRUE)))"
					 " SELECT count(*), max(message_id) FROM b");
	static WaStatement due =
		WA_STATEMENT("WITH b AS (SELECT message_id FROM wa.due WHERE message_id > $1 ORDER BY message_id LIMIT $2),"
					 " d AS (DELETE FROM wa.due WHERE message_id = ANY (ARRAY (SELECT message_id FROM b"
					 " WHERE (SELECT m.state IN " WA_SQL_STATES(WA_MAY_BE_DUE) " FROM wa.message AS m WHERE m.id = b.message_id)"
					 " IS NOT TRUE)))"
					 " SELECT count(*), max(message_id) FROM b");
	static int64 ready_position = 0;
	static int64 due_position = 0;
	bool		more;

	more = clean(&ready, &ready_position);
	more = clean(&due, &due_position) || more;
	return clean_unattended() || more;
}

/*
 * One batch, in a transaction of its own.  Returns how many messages were
 * looked at that are past the retention, or 1 where there is other work left;
 * 0: nothing to do.
 */
int
wa_queue_purge(void)
{
	/*
	 * A message that somebody holds for so long is not wanted any more.  One
	 * that still waits keeps what it needs, and must not keep the data of all
	 * that were made after it: it is noted, and loses its data when it has
	 * been over for as long.
	 */
	static WaStatement blank =
		WA_STATEMENT("WITH p AS (SELECT purged_message_id, unpurged FROM wa.read_position),"
					 " b AS (SELECT id, created_at < clock_timestamp() - $1::interval AS past,"
					 " state IN " WA_SQL_STATES(WA_AT_WORK)
					 " OR coalesce(finished_at, created_at) >= clock_timestamp() - $1::interval AS waits FROM wa.message"
					 " WHERE id > (SELECT purged_message_id FROM p) ORDER BY id LIMIT 500),"
					 " old AS (SELECT id, waits FROM b WHERE id < ALL (SELECT id FROM b WHERE NOT past"
					 " OR waits AND (SELECT cardinality(unpurged) > $2 FROM p))),"
					 " noted AS (SELECT id, state IN " WA_SQL_STATES(WA_AT_WORK)
					 " OR coalesce(finished_at, created_at) >= clock_timestamp() - $1::interval AS waits"
					 " FROM wa.message WHERE id = ANY ((SELECT unpurged FROM p)::bigint[])),"
					 " every AS (SELECT id, waits FROM old UNION ALL SELECT id, waits FROM noted),"
					 " m AS (UPDATE wa.message AS m SET " WA_QUEUE_BLANK_MESSAGE ","
					 " state = CASE WHEN m.state = " WA_SQL_STATE(HELD) " THEN " WA_SQL_STATE(EXPIRED) " ELSE m.state END,"
					 " reason = CASE WHEN m.state = " WA_SQL_STATE(HELD) " THEN " WA_SQL_REASON(RETENTION) " ELSE m.reason END,"
					 " finished_at = coalesce(m.finished_at, clock_timestamp())"
					 " FROM every WHERE m.id = every.id AND NOT every.waits AND m.state NOT IN " WA_SQL_STATES(WA_AT_WORK) "),"
					 " a AS (UPDATE wa.attempt AS a SET " WA_QUEUE_BLANK_ATTEMPT " FROM every"
					 " WHERE a.message_id = every.id AND NOT every.waits)"
					 " UPDATE wa.read_position SET purged_message_id = greatest(purged_message_id, (SELECT max(id) FROM old)),"
					 " unpurged = ARRAY (SELECT id FROM every WHERE waits ORDER BY id)"
					 " WHERE EXISTS (SELECT FROM old) OR cardinality(unpurged) <> (SELECT count(*) FROM noted WHERE waits)"
					 " RETURNING (SELECT count(*) FROM old)");
	static WaStatement remove =
		WA_STATEMENT("WITH old AS (SELECT id FROM (SELECT id, created_at, finished_at, state FROM wa.message ORDER BY id LIMIT 500) AS b"
					 " WHERE greatest(created_at, finished_at) < clock_timestamp() - interval '" WA_QUEUE_ROWS_STAY "'"
					 " AND state NOT IN " WA_SQL_STATES(WA_AT_WORK) "),"
					 " a AS (DELETE FROM wa.attempt WHERE message_id IN (SELECT id FROM old))"
					 " DELETE FROM wa.message WHERE id IN (SELECT id FROM old) AND state NOT IN " WA_SQL_STATES(WA_AT_WORK));
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.event_outcome WHERE id IN"
					 " (SELECT id FROM (SELECT id, at FROM wa.event_outcome ORDER BY id LIMIT 500) AS b"
					 " WHERE at < clock_timestamp() - $1::interval)");
	static WaStatement waited =
		WA_STATEMENT("DELETE FROM wa.figure WHERE figure IN (" WA_SQL_STATE(QUEUED) ", " WA_SQL_STATE(SENDING) ", " WA_SQL_STATE(HELD) ")"
					 " AND n = 0");
	static WaStatement figures =
		WA_STATEMENT("DELETE FROM wa.figure WHERE n = 0 AND day < (clock_timestamp() - interval '" WA_QUEUE_ROWS_STAY " 2 days')::date");
	static WaStatement gaps =
		WA_STATEMENT("DELETE FROM wa.capture_gap WHERE last_at < clock_timestamp() - $1::interval");
	static WaStatement digests =
		WA_STATEMENT("UPDATE wa.forgotten SET digests = '{}' WHERE digests <> '{}' AND at < clock_timestamp() - interval '" WA_QUEUE_DIGESTS_STAY "'");
	WaArgs		args = {0};
	WaRows		rows;
	int			n = 0;

	if (!wa_frame_begin("purging old messages"))
		return 0;

	/*
	 * A worker that has just started comes here first, maybe before
	 * autovacuum has seen what piled up.  A plan made for an empty table
	 * reads all of wa.message for each row of a batch, for half a minute with
	 * some thousand messages, and what is on the wire meanwhile ends without
	 * an answer.
	 */
	(void) set_config_option("enable_seqscan", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	wa_arg_text(&args, wa_office_get("retention"));
	wa_arg_int4(&args, MOST_UNPURGED);
	rows = wa_queue_change(WA_CHANGE_PURGE, &blank, &args);
	if (rows.n > 0)
		n = (int) wa_row_int8(rows, 0, 1);
	n += (int) wa_query(&forget, &args).n;
	wa_query(&gaps, &args);
	wa_query(&digests, NULL);
	n += (int) wa_query(&remove, NULL).n;
	wa_query(&figures, NULL);
	wa_query(&waited, NULL);
	if (clean_work() && n == 0)
		n = 1;
	wa_frame_commit(false);
	return n;
}

/*
 * About how many messages are past the retention and are not purged yet, in a
 * transaction of its own.
 */
int64
wa_queue_purge_left(void)
{
	static WaStatement left =
		WA_STATEMENT("SELECT greatest(m.id - p.purged_message_id, 0) FROM wa.read_position AS p, LATERAL (SELECT id FROM wa.message"
					 " WHERE created_at < now() - $1::interval ORDER BY created_at DESC LIMIT 1) AS m");
	WaArgs		args = {0};
	WaRows		rows;
	int64		n;

	if (!wa_frame_begin("counting what is to be purged"))
		return 0;
	wa_arg_text(&args, wa_office_get("retention"));
	rows = wa_query(&left, &args);
	n = rows.n > 0 ? wa_row_int8(rows, 0, 1) : 0;
	wa_frame_commit(false);
	return n;
}
