/*-------------------------------------------------------------------------
 *
 * copy.c
 *		What waits in a copy of a database, and in one that was restored.
 *
 * A person lets it go or not; nothing of it goes by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/query.h"
#include "pg/said.h"
#include "queue/figure.h"
#include "queue/law.h"
#include "queue/queue.h"

/* SQL: the sequence of a table goes on behind its highest number. */
#define FOLLOW(table) \
	"SELECT setval('wa." table "_id_seq', m) FROM (SELECT max(id) FROM wa." table ") AS t (m)" \
	" WHERE EXISTS (SELECT FROM wa." table "_id_seq WHERE m > last_value OR m = last_value AND NOT is_called)"
#define AND_FOLLOW(table)	" UNION ALL " FOLLOW(table)

/* SQL: the table, if what its sequence gives next is taken, or soon is. */
#define TAKEN(table) \
	"SELECT '" table "' FROM wa." table "_id_seq" \
	" WHERE EXISTS (SELECT FROM wa." table " WHERE id > last_value - CASE WHEN is_called THEN 0 ELSE 1 END AND id < last_value + 1000)"
#define AND_TAKEN(table)	" UNION ALL " TAKEN(table)

/* Of each table whose sequence gives its key: x(the first), and(the others). */
#define KEYS(x, and) \
	x("message") and("capture_gap") and("event_outcome") and("dead_letter") and("request") and("unattended") \
	and("consent") and("feedback") and("forgotten") and("inbound")

/*
 * Rows that came by logical replication left the sequences where they were,
 * and somebody may have set one back: no number may be given twice.  Returns how
 * many sequences were behind; that they are not any more is no part of the
 * transaction.
 */
int
wa_queue_follow_numbers(void)
{
	static WaStatement follow =
		WA_STATEMENT(KEYS(FOLLOW, AND_FOLLOW) AND_FOLLOW("event"));

	return (int) wa_query(&follow, NULL).n;
}

/*
 * The tables whose sequence gives numbers that are taken: somebody has set it
 * back.  Nothing can be written there.  (wa.event has no key, and takes them.)
 * One text column.
 */
WaRows
wa_queue_numbers_taken(void)
{
	static WaStatement taken =
		WA_STATEMENT(KEYS(TAKEN, AND_TAKEN));

	return wa_query(&taken, NULL);
}

/*
 * A copy has been armed: hold what was waiting before, up to this id, a batch
 * at a time; what was in doubt stays so, and is not repeated.  Returns how
 * many; with the last batch the order is forgotten, so that what a person
 * releases later is not held again.
 */
int
wa_queue_hold_before(int64 id, int limit)
{
	static WaStatement hold =
		WA_STATEMENT("WITH w AS (SELECT message_id FROM wa.ready WHERE message_id <= $1 AND claimed_at IS NULL"
					 " UNION ALL SELECT message_id FROM wa.due WHERE message_id <= $1 LIMIT $2),"
					 " r AS (DELETE FROM wa.ready WHERE message_id IN (SELECT message_id FROM w)),"
					 " d AS (DELETE FROM wa.due WHERE message_id IN (SELECT message_id FROM w)),"
					 " m AS (UPDATE wa.message SET state = CASE state WHEN " WA_SQL_STATE(QUEUED) " THEN " WA_SQL_STATE(HELD) " ELSE state END,"
					 " reason = " WA_SQL_REASON(COPY) ", detail = $3, detail_said = $4, due_at = NULL,"
					 " finished_at = CASE WHEN state = " WA_SQL_STATE(UNKNOWN) " THEN clock_timestamp() END"
					 " WHERE id IN (SELECT message_id FROM w) AND state IN " WA_SQL_STATES(WA_MAY_BE_DUE) ")"
					 " SELECT count(*) FROM w");
	static WaStatement done =
		WA_STATEMENT("UPDATE wa.identity SET hold_message_id = 0 WHERE hold_message_id <= $1");
	WaArgs		args = {0};
	int			n;

	wa_arg_int8(&args, id);
	wa_arg_int4(&args, limit);
	wa_arg_said(&args, wa_say(WA_SAY_WAITED_WHEN_COPY_ARMED));
	n = (int) wa_row_int8(wa_queue_change(WA_CHANGE_HOLD, &hold, &args), 0, 1);
	args.n = 1;
	if (n == 0)
		wa_query(&done, &args);
	return n;
}

/*
 * What came with a backup as waiting or on the wire is in nobody's queue here
 * (wa.ready and wa.due are not dumped): say so, so that a person can let it go
 * or not.  What was in doubt, and its policy to be carried out, stays in doubt.
 */
void
wa_queue_settle_restored(void)
{
	static WaStatement hold =
		WA_STATEMENT("UPDATE wa.message AS m SET state = " WA_SQL_STATE(HELD) ", reason = " WA_SQL_REASON(COPY) ", due_at = NULL,"
					 " detail = $1, detail_said = $2"
					 " WHERE state = " WA_SQL_STATE(QUEUED) " AND NOT EXISTS (SELECT FROM wa.ready AS r WHERE r.message_id = m.id)"
					 " AND NOT EXISTS (SELECT FROM wa.due AS d WHERE d.message_id = m.id)");
	static WaStatement doubt =
		WA_STATEMENT("UPDATE wa.message AS m SET state = " WA_SQL_STATE(UNKNOWN) ", reason = " WA_SQL_REASON(COPY) ", finished_at = clock_timestamp(),"
					 " detail = $1, detail_said = $2"
					 " WHERE state = " WA_SQL_STATE(SENDING) " AND NOT EXISTS (SELECT FROM wa.ready AS r WHERE r.message_id = m.id)");

	static WaStatement give_up =
		WA_STATEMENT("UPDATE wa.message AS m SET due_at = NULL, finished_at = clock_timestamp()"
					 " WHERE " WA_SQL_IN_DOUBT("m")
					 " AND NOT EXISTS (SELECT FROM wa.ready AS r WHERE r.message_id = m.id)"
					 " AND NOT EXISTS (SELECT FROM wa.due AS d WHERE d.message_id = m.id)");

	/* what comes by itself is what was made here */
	static WaStatement unwritten = WA_STATEMENT("DELETE FROM wa.unwritten");
	WaArgs		waited = {0};
	WaArgs		on_wire = {0};

	wa_query(&unwritten, NULL);
	wa_arg_said(&waited, wa_say(WA_SAY_WAITED_WHEN_BACKED_UP));
	wa_queue_change(WA_CHANGE_HOLD, &hold, &waited);
	wa_arg_said(&on_wire, wa_say(WA_SAY_ON_WIRE_WHEN_BACKED_UP));
	wa_queue_change(WA_CHANGE_HOLD, &doubt, &on_wire);
	wa_queue_change(WA_CHANGE_HOLD, &give_up, NULL);
	wa_queue_unattended_look();
	wa_queue_figures_forget();
}
