/*-------------------------------------------------------------------------
 *
 * least.c
 *		The least that a trigger can do, to stand beside ours (make bench).
 *
 * least_nothing() does nothing: what is lost is what the server takes to call a
 * trigger for each row.  least_row() adds one row of two numbers, into a table
 * "least" without an index: a change that is written down at all, by whatever
 * means, costs a durable row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(least_nothing);
PG_FUNCTION_INFO_V1(least_row);

Datum
least_nothing(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(NULL);
}

Datum
least_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Datum		values[2] = {
		Int64GetDatum((int64) GetTopTransactionId()),
		Int64GetDatum((int64) ItemPointerGetBlockNumber(&trigger->tg_newtuple->t_self))
	};
	bool		isnull[2] = {false, false};
	Relation	least = table_open(RelnameGetRelid("least"), RowExclusiveLock);

	simple_heap_insert(least, heap_form_tuple(RelationGetDescr(least), values, isnull));
	table_close(least, NoLock);
	return PointerGetDatum(NULL);
}
