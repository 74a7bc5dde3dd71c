/*-------------------------------------------------------------------------
 *
 * plan_large.c
 *		Statements on our tables are planned as if these were large.
 *
 * A worker plans each statement once.  At that time its table is often empty,
 * or has the few rows of which somebody has just taken statistics: then to go
 * through a whole index is the cheapest way, and stays the way when 20,000
 * messages wait.  So the planner is told of a size at which nothing but the
 * index that a statement was written for comes into question, and is not shown
 * statistics of the few.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "nodes/parsenodes.h"
#include "optimizer/pathnode.h"
#include "optimizer/plancat.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "pg/pg_compat.h"
#include "pg/plan_large.h"

#define LARGE_ROWS		10000000.0
#define LARGE_PAGES		500000
#define LARGE_INDEX_PAGES 50000
#define LARGE_INDEX_HEIGHT 2

static WaRelationInfoHook next_relation_info = NULL;
static get_relation_stats_hook_type next_relation_stats = NULL;
static get_index_stats_hook_type next_index_stats = NULL;

static bool
is_ours(Oid relid)
{
	Oid			namespace = get_namespace_oid("wa", true);

	return OidIsValid(namespace) && get_rel_namespace(relid) == namespace;
}

static void
as_large(WA_RELATION_INFO_ARGS)
{
	ListCell   *cell;

	if (next_relation_info)
		wa_relation_info_next(next_relation_info);
	if (!is_ours(wa_relation_info_oid()))
		return;
	rel->pages = LARGE_PAGES;
	rel->tuples = LARGE_ROWS;
	rel->allvisfrac = 0;
	foreach(cell, rel->indexlist)
	{
		IndexOptInfo *index = lfirst(cell);

		index->pages = LARGE_INDEX_PAGES;
		index->tuples = LARGE_ROWS;
		index->tree_height = LARGE_INDEX_HEIGHT;
	}
}

/* True: there are statistics or, as here, none. */
static bool
without_statistics(PlannerInfo * root, RangeTblEntry *rte, AttrNumber attnum, VariableStatData * data)
{
	if (rte->rtekind == RTE_RELATION && is_ours(rte->relid))
		return true;
	return next_relation_stats && next_relation_stats(root, rte, attnum, data);
}

static bool
without_index_statistics(PlannerInfo * root, Oid index, AttrNumber attnum, VariableStatData * data)
{
	if (is_ours(index))
		return true;
	return next_index_stats && next_index_stats(root, index, attnum, data);
}

/*
 * From here on, in this process.
 */
void
wa_pg_plan_large(void)
{
	next_relation_info = wa_relation_info_hook;
	wa_relation_info_hook = as_large;
	next_relation_stats = get_relation_stats_hook;
	get_relation_stats_hook = without_statistics;
	next_index_stats = get_index_stats_hook;
	get_index_stats_hook = without_index_statistics;
}
