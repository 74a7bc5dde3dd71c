/*-------------------------------------------------------------------------
 *
 * judged.c
 *		Statements that touch the object that was judged, and no other.
 *
 * SQL names its objects by text, and a name means whatever it means at the
 * moment when the statement is analysed.  Between our look at a table or a
 * function (who owns it, is it a table, may it be read in that role's name)
 * and that moment somebody may have renamed its schema and put something else
 * in its place: a view, whose function would then run with the rights that the
 * first one was judged for.  A lock on the judged object does not prevent it.
 *
 * So the analysis itself looks: it gives these statements a hook that is
 * called at each reference to a column, when everything that FROM names has
 * been resolved, and compares that with the oid that was judged.  The server
 * analyses a kept plan again when its objects change, and comes by here again.
 * From there on a plan knows its objects by oid.
 *
 * So each statement must refer to a column of its relation or function, and
 * name nothing else in FROM.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "nodes/params.h"
#include "nodes/primnodes.h"
#include "parser/parse_node.h"
#include "parser/parse_param.h"
#include "utils/lsyscache.h"

#include "pg/judged.h"

/* "args" may be NULL where there are none. */
void
wa_pg_judged_init(WaJudged *judged, Oid relation, Oid function, const WaArgs *args)
{
	memset(judged, 0, sizeof(*judged));
	judged->relation = relation;
	judged->function = function;
	judged->nargs = args ? args->n : 0;
	for (int i = 0; i < judged->nargs; i++)
		judged->types[i] = args->types[i];
}

static void
another_one(const WaJudged *judged)
{
	char	   *name = OidIsValid(judged->relation) ? get_rel_name(judged->relation) :
		get_func_name(judged->function);

	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("%s \"%s\" was replaced by another one at this moment",
					OidIsValid(judged->relation) ? "table" : "function", name ? name : "?"),
			 errhint("Try again.")));
}

/* Is this what was judged? */
static bool
is_judged(const WaJudged *judged, const RangeTblEntry *rte)
{
	const RangeTblFunction *function;

	if (rte->rtekind == RTE_RELATION)
		return OidIsValid(judged->relation) && rte->relid == judged->relation &&
			(rte->relkind == RELKIND_RELATION || rte->relkind == RELKIND_PARTITIONED_TABLE);
	if (rte->rtekind != RTE_FUNCTION || list_length(rte->functions) != 1)
		return false;
	function = linitial_node(RangeTblFunction, rte->functions);
	return OidIsValid(judged->function) && function->funcexpr && IsA(function->funcexpr, FuncExpr) &&
		((FuncExpr *) function->funcexpr)->funcid == judged->function;
}

/* Before a reference to a column is resolved; leaves that to the parser. */
static Node *
look_at_range_table(ParseState *pstate, ColumnRef *cref)
{
	WaJudged   *judged = pstate->p_ref_hook_state;
	ListCell   *cell;

	foreach(cell, pstate->p_rtable)
	{
		if (!is_judged(judged, lfirst(cell)))
			another_one(judged);
		judged->seen = true;
	}
	return NULL;
}

/* $n, as parse_param.c does it for parameters of fixed types. */
static Node *
parameter(ParseState *pstate, ParamRef *pref)
{
	const WaJudged *judged = pstate->p_ref_hook_state;
	Param	   *param;

	if (pref->number <= 0 || pref->number > judged->nargs)
		elog(ERROR, "there is no parameter $%d", pref->number);
	param = makeNode(Param);
	param->paramkind = PARAM_EXTERN;
	param->paramid = pref->number;
	param->paramtype = judged->types[pref->number - 1];
	param->paramtypmod = -1;
	param->paramcollid = get_typcollation(param->paramtype);
	param->location = pref->location;
	return (Node *) param;
}

static void
set_up_parser(ParseState *pstate, void *argument)
{
	pstate->p_ref_hook_state = argument;
	pstate->p_pre_columnref_hook = look_at_range_table;
	pstate->p_paramref_hook = parameter;
}

static ParamListInfo
parameters(const WaArgs *args)
{
	ParamListInfo params = makeParamList(args ? args->n : 0);

	for (int i = 0; args && i < args->n; i++)
	{
		params->params[i].value = args->values[i];
		params->params[i].isnull = args->nulls[i] == 'n';
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = args->types[i];
	}
	return params;
}

/*
 * A plan for a statement on what was judged, the same whatever the values are.  Like
 * SPI_prepare(): it goes with the SPI connection unless it is kept.
 */
SPIPlanPtr
wa_pg_judged_prepare(const char *sql, WaJudged *judged)
{
	SPIPlanPtr	plan = SPI_prepare_params(sql, set_up_parser, judged, CURSOR_OPT_GENERIC_PLAN);

	if (plan == NULL)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
	if (!judged->seen)
		elog(ERROR, "a statement refers to no column of what was judged: %s", sql);
	return plan;
}

/*
 * Run such a plan; the result is that of SPI_execute_plan().
 */
int
wa_pg_judged_execute_plan(SPIPlanPtr plan, const WaArgs *args, bool read_only)
{
	SPIExecuteOptions options = {0};

	options.params = parameters(args);
	options.read_only = read_only;
	return SPI_execute_plan_extended(plan, &options);
}

/*
 * Analyse, plan with the values known, and run, for this once.  At most
 * "limit" rows, 0 for all; the result is that of SPI_execute().
 */
int
wa_pg_judged_execute(const char *sql, WaJudged *judged, const WaArgs *args, bool read_only, long limit)
{
	SPIExecuteOptions options = {0};
	int			result;

	options.params = parameters(args);
	options.params->parserSetup = set_up_parser;
	options.params->parserSetupArg = judged;
	options.read_only = read_only;
	options.tcount = limit;
	result = SPI_execute_extended(sql, &options);
	if (!judged->seen)
		elog(ERROR, "a statement refers to no column of what was judged: %s", sql);
	return result;
}
