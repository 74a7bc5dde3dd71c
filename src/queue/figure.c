/*-------------------------------------------------------------------------
 *
 * figure.c
 *		The ledger in figures, kept by day: adding up, and counting anew.
 *
 * A month of a large ledger cannot be counted whenever somebody asks, and what
 * is counted beside the ledger is wrong after the first crash.  So triggers
 * count in the transaction that writes (count.c), and the worker adds up here
 * what they wrote.  Readers take both, so nothing depends on when it does.
 *
 * Where no zone of the days is noted (a new database, a restored one, a
 * subscriber that has been armed), or another one than the office's, the ledger
 * is counted anew.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "fmgr.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"

#include "office/setting.h"
#include "pg/call.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "queue/figure.h"
#include "queue/queue.h"
#include "wake/progress.h"

PG_FUNCTION_INFO_V1(wa_sql_recount);

/* Changes that are added up in one transaction. */
#define FOLD_BATCH		20000

/*
 * Count the ledger anew, in days of this zone.  Both tables must be locked
 * against everybody who writes them.  Returns the number of messages.
 */
static int64
recount(const char *zone)
{
	static WaStatement forget =
		WA_STATEMENT("WITH f AS (DELETE FROM wa.figure), c AS (DELETE FROM wa.figure_change) DELETE FROM wa.figure_zone");
	static WaStatement note =
		WA_STATEMENT("INSERT INTO wa.figure_zone (time_zone) VALUES ($1)");
	static WaStatement size =
		WA_STATEMENT("SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class WHERE oid IN ('wa.message'::regclass, 'wa.attempt'::regclass)");
	WaArgs		args = {0};
	int64		n;

	wa_query(&forget, NULL);
	wa_queue_count_begin();
	wa_wake_progress_begin(WA_COMMAND_RECOUNT, wa_row_int8(wa_query(&size, NULL), 0, 1));
	wa_wake_progress_phase(WA_COMMAND_RECOUNT, WA_PHASE_MESSAGES);
	n = wa_queue_count_table("message", zone);
	wa_wake_progress_phase(WA_COMMAND_RECOUNT, WA_PHASE_ATTEMPTS);
	wa_queue_count_table("attempt", zone);
	wa_queue_count_write();
	wa_wake_progress_end(WA_COMMAND_RECOUNT);
	wa_arg_text(&args, zone);
	wa_query(&note, &args);
	return n;
}

/*
 * wa_recount(): see figure.sql.
 */
Datum
wa_sql_recount(PG_FUNCTION_ARGS)
{
	WaCall		call;
	int64		n;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("the ledger cannot be counted in a transaction with one snapshot for all its statements"),
				 errhint("Call wa_recount() at isolation level READ COMMITTED.")));
	/* in the order in which the worker locks them */
	LockRelationOid(get_relname_relid("attempt", get_namespace_oid("wa", false)), ShareLock);
	LockRelationOid(get_relname_relid("message", get_namespace_oid("wa", false)), ShareLock);
	n = recount(wa_office_get("time_zone"));
	wa_queue_unattended_look();
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}

/*
 * The figures are to be counted anew: who has written the ledger has not
 * counted, or elsewhere.
 */
void
wa_queue_figures_forget(void)
{
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.figure_zone");

	wa_query(&forget, NULL);
}

/* Add up some of what has been written; returns whether there may be more. */
static bool
fold(void)
{
	static WaStatement add =
		WA_STATEMENT("WITH c AS (DELETE FROM wa.figure_change WHERE ctid = ANY (ARRAY (SELECT ctid FROM wa.figure_change LIMIT $1))"
					 " RETURNING day, scenario, provider, figure, detail, n, last),"
					 " f AS (INSERT INTO wa.figure AS f (day, scenario, provider, figure, detail, n, last)"
					 " SELECT day, scenario, provider, figure, detail, sum(n), max(last) FROM c"
					 " GROUP BY day, scenario, provider, figure, detail HAVING sum(n) <> 0"
					 " ON CONFLICT (day, scenario, provider, figure, detail) DO UPDATE SET n = f.n + EXCLUDED.n, last = greatest(f.last, EXCLUDED.last))"
					 " SELECT count(*) FROM c");
	WaArgs		args = {0};

	wa_arg_int4(&args, FOLD_BATCH);
	return wa_row_int8(wa_query(&add, &args), 0, 1) == FOLD_BATCH;
}

/*
 * Add up what has been counted, in a transaction of its own; where the days
 * are not those of the office any more, count the ledger anew.  Returns whether
 * there is more to do.
 */
bool
wa_queue_figures_run(void)
{
	Oid			namespace;
	const char *zone;
	const char *counted_in;
	bool		more = true;

	if (!wa_frame_begin("adding up figures"))
		return true;
	namespace = get_namespace_oid("wa", false);
	zone = wa_office_get("time_zone");
	counted_in = wa_queue_count_zone();
	if (counted_in && strcmp(counted_in, zone) == 0)
		more = fold();
	else if (ConditionalLockRelationOid(get_relname_relid("attempt", namespace), ShareLock) &&
			 ConditionalLockRelationOid(get_relname_relid("message", namespace), ShareLock))
		(void) recount(zone);
	wa_frame_commit(false);
	return more;
}
