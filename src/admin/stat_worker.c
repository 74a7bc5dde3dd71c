/*-------------------------------------------------------------------------
 *
 * stat_worker.c
 *		What the workers of this database have done.
 *
 * It is in shared memory (src/wake/stat.c): where the library is not preloaded,
 * and before the launcher has seen the database, there is nothing to tell.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "pg/call.h"
#include "wake/stat.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(wa_sql_stat_worker);
PG_FUNCTION_INFO_V1(wa_sql_stat_reset);

/* The columns of wa._stat_worker() behind the pid. */
static const struct
{
	WaStat		stat;
	bool		time;
}			columns[] = {
	{WA_STAT_ROUNDS, false},
	{WA_STAT_FAILED_ROUNDS, false},
	{WA_STAT_COMMITS, false},
	{WA_STAT_EVENTS, false},
	{WA_STAT_MESSAGES, false},
	{WA_STAT_CLAIMS, false},
	{WA_STAT_ATTEMPTS, false},
	{WA_STAT_ACCEPTED, false},
	{WA_STAT_COMPOSE_TIME, true},
	{WA_STAT_CHOOSE_TIME, true},
	{WA_STAT_SEND_TIME, true},
	{WA_STAT_RECORD_TIME, true},
	{WA_STAT_COMMIT_TIME, true},
	{WA_STAT_MAINTENANCE_TIME, true},
	{WA_STAT_OTHER_TIME, true},
	{WA_STAT_WAIT_TIME, true},
	{WA_STAT_IDLE_TIME, true},
	{WA_STAT_WIRE_TIME, true},
	{WA_STAT_LATENCY_TIME, true}
};

/*
 * wa._stat_worker(): see stat_worker.sql.
 */
Datum
wa_sql_stat_worker(PG_FUNCTION_ARGS)
{
	WaCall		call;
	WaSlotInfo	slot;
	uint64		n[WA_STAT_COUNT];
	TimestampTz since;
	Datum		values[lengthof(columns) + 4];
	bool		nulls[lengthof(columns) + 4] = {false};
	Datum		ends[WA_LATENCY_STEPS];
	Datum		steps[WA_LATENCY_STEPS];
	int			next = 0;
	bool		found;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	found = wa_wake_stat_read(n, &since);
	wa_call_end(&call);
	if (!found)
		PG_RETURN_NULL();
	nulls[next] = !wa_wake_slot_info(MyDatabaseId, &slot) || slot.pid == 0;
	values[next++] = Int32GetDatum(slot.pid);
	for (size_t i = 0; i < lengthof(columns); i++)
		values[next++] = columns[i].time ? Float8GetDatum(n[columns[i].stat] / 1000.0) : Int64GetDatum((int64) n[columns[i].stat]);
	for (int i = 0; i < WA_LATENCY_STEPS; i++)
	{
		ends[i] = Float8GetDatum(i < WA_LATENCY_STEPS - 1 ? wa_wake_latency_ends[i] : INFINITY);
		steps[i] = Int64GetDatum((int64) n[WA_STAT_LATENCY + i]);
	}
	values[next++] = PointerGetDatum(construct_array(ends, WA_LATENCY_STEPS, FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[next++] = PointerGetDatum(construct_array(steps, WA_LATENCY_STEPS, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[next++] = TimestampTzGetDatum(since);
	PG_RETURN_DATUM(wa_call_record(fcinfo, values, nulls));
}

/*
 * wa_stat_reset(): see stat_worker.sql.
 */
Datum
wa_sql_stat_reset(PG_FUNCTION_ARGS)
{
	WaCall		call;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	(void) wa_wake_stat_reset();
	wa_call_end(&call);
	PG_RETURN_VOID();
}
