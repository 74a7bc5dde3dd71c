/*-------------------------------------------------------------------------
 *
 * contact.c
 *		Numbers in wa.contact.
 *
 * A row is found by its number, digits in international form.  People and
 * imports write other spellings, and an opt-out that is not found is one that
 * is not respected; so the spelling is mended when a row is written.
 *
 * Bare digits that do not begin with Indonesia's code or a zero are left as
 * they are: they are that form already, of another country.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "text/text.h"

PG_FUNCTION_INFO_V1(wa_sql_contact_number);

static bool
is_international(const char *number)
{
	return number[0] >= '1' && number[0] <= '9' && strncmp(number, "62", 2) != 0 &&
		strspn(number, "0123456789") == strlen(number);
}

/*
 * wa._contact_number(): see feedback.sql.
 */
Datum
wa_sql_contact_number(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	HeapTuple	tuple;
	char		number[WA_NUMBER_SIZE];
	char	   *given;
	int			column;
	Datum		value;
	bool		isnull = false;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		!TRIGGER_FIRED_BEFORE(data->tg_event) || TRIGGER_FIRED_BY_DELETE(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as a row trigger before INSERT or UPDATE", "wa._contact_number")));
	desc = RelationGetDescr(data->tg_relation);
	tuple = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple;
	column = SPI_fnumber(desc, "number");
	if (column <= 0)
		PG_RETURN_POINTER(tuple);
	given = SPI_getvalue(tuple, desc, column);
	if (given == NULL || is_international(given) ||
		!wa_text_normalize_number(given, number) || strcmp(number, given) == 0)
		PG_RETURN_POINTER(tuple);
	value = CStringGetTextDatum(number);
	PG_RETURN_POINTER(heap_modify_tuple_by_cols(tuple, desc, 1, &column, &value, &isnull));
}
