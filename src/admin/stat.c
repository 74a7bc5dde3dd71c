/*-------------------------------------------------------------------------
 *
 * stat.c
 *		What the views of figures compute.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/call.h"
#include "words/story.h"

PG_FUNCTION_INFO_V1(wa_sql_advice);
PG_FUNCTION_INFO_V1(wa_sql_quantile);

/* Steps of a time (queue/figure.c); the last stands for more than a century. */
#define STEPS	168

/*
 * wa._advice(): see queue/stat.sql.
 */
Datum
wa_sql_advice(PG_FUNCTION_ARGS)
{
	WaCall		call;
	WaStory		story;
	const char *advice;
	Datum		result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	advice = wa_story_advice_for_all(&story, text_to_cstring(PG_GETARG_TEXT_PP(0)),
									 PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)));
	result = advice ? wa_call_text(&call, advice) : (Datum) 0;
	wa_call_end(&call);
	if (advice == NULL)
		PG_RETURN_NULL();
	return result;
}

/* The middle of a step, in milliseconds: its ends are 2^(1/4) apart. */
static double
middle(int step)
{
	return step == 0 ? 0.5 : exp2((step - 0.5) / 4);
}

/*
 * wa._quantile(): see queue/stat.sql.  Of the message in whose turn it is, the
 * step is known, and the time is taken to be its middle: never further off than
 * 2^(1/8), and the same for all ranks that fall into the step.
 */
Datum
wa_sql_quantile(PG_FUNCTION_ARGS)
{
	int64		by_step[STEPS] = {0};
	int64		total = 0;
	int64		below = 0;
	double		rank;
	Datum	   *steps;
	Datum	   *numbers;
	bool	   *no_step;
	bool	   *no_number;
	int			nsteps;
	int			nnumbers;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &steps, &no_step, &nsteps);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &numbers, &no_number, &nnumbers);
	for (int i = 0; i < Min(nsteps, nnumbers); i++)
	{
		if (no_step[i] || no_number[i])
			continue;
		by_step[Max(Min(atoi(TextDatumGetCString(steps[i])), STEPS - 1), 0)] += DatumGetInt64(numbers[i]);
		total += DatumGetInt64(numbers[i]);
	}
	if (total <= 0)
		PG_RETURN_NULL();
	rank = PG_GETARG_FLOAT8(2) * total;
	for (int step = 0; step < STEPS; step++)
	{
		Interval   *result;

		below += Max(by_step[step], 0);
		if (by_step[step] <= 0 || below < rank)
			continue;
		result = palloc0(sizeof(Interval));
		result->time = (TimeOffset) rint(1000 * middle(step));
		PG_RETURN_INTERVAL_P(result);
	}
	PG_RETURN_NULL();
}
