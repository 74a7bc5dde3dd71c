/*-------------------------------------------------------------------------
 *
 * own.c
 *		Scenarios of the DBA's own: a row of wa.scenario that names a function.
 *
 * The function is called for each change on the scenario's table, as the owner
 * of the database and in a security-restricted context: a row of wa.scenario
 * is untrusted input, so the name is resolved, and the right to execute it is
 * checked, each time it is used.  An error of the function makes a dead letter
 * out of its event and of nothing else.
 *
 * All functions of a batch are called before anything is composed, since whom
 * they name decides which contacts are to be read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compose/compose.h"
#include "compose/json_values.h"
#include "compose/scenario.h"
#include "pg/acting.h"
#include "pg/query.h"
#include "text/text.h"

/* One row of what a function returned. */
typedef struct Answer
{
	const WaEvent *event;
	const WaScenario *scenario;
	int64		partner_id;		/* 0: none */
	char	   *number;			/* NULL: the contact's */
	Jsonb	   *params;			/* or NULL */
	char	   *res_model;
} Answer;

/*
 * Does this scenario listen to the table of this event?  Its table is named
 * with its schema as in wa.watch.
 */
static bool
listens(const WaScenario *scenario, const WaEvent *event)
{
	return scenario->active && event->has_record && scenario->watch != NULL &&
		strcmp(scenario->watch, event->relation) == 0 &&
		(scenario->on_insert || !event->insert);
}

/*
 * The call of a composer as a statement, palloc()ed.  Raises an error if there
 * is no such function, or the owner of the database may not execute it.
 */
static char *
call_of(const WaScenario *scenario)
{
	static WaStatement find =
		WA_STATEMENT("SELECT format('%I.%I', n.nspname, p.proname),"
					 " has_function_privilege(current_user, p.oid, 'EXECUTE')"
					 " AND has_schema_privilege(current_user, n.oid, 'USAGE')"
					 " FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace"
					 " WHERE p.oid = to_regprocedure($1 || '(bigint, jsonb, jsonb)') AND p.prokind = 'f'");
	WaArgs		args = {0};

	wa_arg_text(&args, scenario->composer);
	if (strchr(scenario->composer, '.') == NULL || wa_query(&find, &args) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("composer of scenario \"%s\" does not exist: %s(bigint, jsonb, jsonb)",
						scenario->key, scenario->composer)));
	if (!wa_row_bool(0, 2))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the owner of this database may not execute the composer of scenario \"%s\"",
						scenario->key)));
	return psprintf("SELECT r.* FROM %s($1, CASE WHEN $3 IS NOT NULL THEN pg_catalog.jsonb_object($2, $3) END,"
					" pg_catalog.jsonb_object($2, $4)) AS r", wa_row_text(0, 1));
}

/* partner_id bigint, number text, params jsonb, and perhaps res_model text. */
static void
check_columns(const WaScenario *scenario, TupleDesc desc)
{
	static const Oid types[] = {INT8OID, TEXTOID, JSONBOID, TEXTOID};
	bool		right = desc->natts == 3 || desc->natts == 4;

	for (int i = 0; right && i < desc->natts; i++)
		right = SPI_gettypeid(desc, i + 1) == types[i];
	if (!right)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("composer of scenario \"%s\" does not return (partner_id bigint, number text, params jsonb)",
						scenario->key)));
}

static Jsonb *
params_of(uint64 row)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 3, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

/* Call a function for an event; its answers are added to the batch. */
static void
call(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	const char **columns = palloc(sizeof(char *) * Max(event->ncolumns, 1));
	const char **old = palloc(sizeof(char *) * Max(event->ncolumns, 1));
	const char **new = palloc(sizeof(char *) * Max(event->ncolumns, 1));
	char	   *sql = call_of(scenario);
	WaArgs		args = {0};
	WaActing	acting;
	int			n = 0;
	int			result;

	for (int i = 0; i < event->ncolumns; i++)
		if (event->columns[i])
		{
			columns[n] = event->columns[i];
			old[n] = event->old ? event->old[i] : NULL;
			new[n++] = event->new[i];
		}
	wa_arg_int8(&args, event->record_id);
	wa_arg_text_array(&args, columns, n);
	wa_arg_text_array(&args, event->old ? old : NULL, event->old ? n : 0);
	wa_arg_text_array(&args, new, n);

	wa_pg_act_as_role(&acting, wa_pg_database_owner());
	result = SPI_execute_with_args(sql, args.n, args.types, args.values, args.nulls, false, 0);
	wa_pg_act_end(&acting);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(result));
	check_columns(scenario, SPI_tuptable->tupdesc);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Answer	   *answer = palloc0(sizeof(Answer));

		answer->event = event;
		answer->scenario = scenario;
		answer->partner_id = wa_row_isnull(row, 1) ? 0 : wa_row_int8(row, 1);
		answer->number = wa_row_isnull(row, 2) ? NULL : wa_row_text(row, 2);
		answer->params = params_of(row);
		if (SPI_tuptable->tupdesc->natts == 4 && !wa_row_isnull(row, 4))
			answer->res_model = wa_row_text(row, 4);
		else
			answer->res_model = event->relation;
		batch->own = lappend(batch->own, answer);
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Call the functions of all own scenarios for the events of the batch, and
 * read the contacts that they name.  Returns false if the table of contacts
 * could not be had now.  Raises an error if a function does.
 */
bool
wa_compose_load_own(WaBatch *batch)
{
	int64	   *partners;
	int			n = 0;
	ListCell   *cell;

	batch->own = NIL;
	for (int e = 0; e < batch->nevents; e++)
		for (int s = 0; s < batch->nscenarios; s++)
			if (!wa_compose_is_built_in(&batch->scenarios[s]) &&
				listens(&batch->scenarios[s], &batch->events[e]))
				call(batch, &batch->scenarios[s], &batch->events[e]);
	partners = palloc(sizeof(int64) * Max(list_length(batch->own), 1));
	foreach(cell, batch->own)
	{
		const Answer *answer = lfirst(cell);

		if (answer->partner_id != 0)
			partners[n++] = answer->partner_id;
	}
	return n == 0 || wa_people_load_partners(batch, partners, n);
}

/* The contact, with the number that the function gave, if it gave one. */
static WaRecipient *
recipient_of(WaBatch *batch, const Answer *answer)
{
	WaRecipient *contact = answer->partner_id != 0 ?
		wa_people_partner(batch, answer->partner_id) : NULL;
	WaRecipient *recipient;
	char		number[WA_NUMBER_SIZE];

	if (answer->number == NULL)
		return contact;
	recipient = palloc0(sizeof(WaRecipient));
	if (contact)
		*recipient = *contact;
	recipient->partner_id = answer->partner_id;
	recipient->number = NULL;
	recipient->number_source = "composer";
	recipient->tried = "what the composer gave";
	if (wa_text_normalize_number(answer->number, number))
		recipient->number = pstrdup(number);
	return recipient;
}

/*
 * The messages that an own scenario's function wants for this event: those of
 * wa_compose_load_own().  Nothing for a scenario that has none.
 */
void
wa_compose_own(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	ListCell   *cell;

	foreach(cell, batch->own)
	{
		const Answer *answer = lfirst(cell);
		WaRecipient *recipient;
		WaValues	values = {0};

		if (answer->event != event || answer->scenario != scenario)
			continue;
		recipient = recipient_of(batch, answer);
		if (answer->params)
			wa_values_from_json(&values, answer->params);
		if (recipient && recipient->name && wa_values_find(&values, "partner_name") == NULL)
			wa_values_add(&values, "partner_name", recipient->name);
		wa_office_values(batch, &values);
		wa_compose_message(batch, event, scenario, recipient, &values, answer->res_model,
						   NULL, WA_RANK_OWN);
	}
}
