/*-------------------------------------------------------------------------
 *
 * stat_progress.c
 *		How far long work of this database is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "pg/call.h"
#include "wake/progress.h"

PG_FUNCTION_INFO_V1(wa_sql_stat_progress);

#define COLUMNS	6

/*
 * wa._stat_progress(): see stat_progress.sql.
 */
Datum
wa_sql_stat_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	WaProgressInfo list[WA_PROGRESS_ROWS];
	WaCall		call;
	int			n;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_VIEW);
	n = wa_wake_progress_read(list);
	wa_call_end(&call);
	for (int i = 0; i < n; i++)
	{
		Datum		values[COLUMNS] = {0};
		bool		nulls[COLUMNS] = {false};

		values[0] = Int32GetDatum(list[i].pid);
		values[1] = CStringGetTextDatum(list[i].command);
		nulls[2] = list[i].phase == NULL;
		if (list[i].phase)
			values[2] = CStringGetTextDatum(list[i].phase);
		values[3] = Int64GetDatum((int64) list[i].done);
		nulls[4] = list[i].total == 0;
		values[4] = Int64GetDatum((int64) list[i].total);
		values[5] = TimestampTzGetDatum(list[i].started_at);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
