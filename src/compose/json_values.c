/*-------------------------------------------------------------------------
 *
 * json_values.c
 *		Values given by a caller as a JSON object.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "compose/json_values.h"

/*
 * Add the members of a JSON object: strings, numbers and booleans; null means
 * an empty value.  Raises an error for anything that is not an object, or for
 * a member that is an array or an object.
 */
void
wa_compose_values_from_json(WaValues *values, Jsonb *params)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	item;
	char	   *name = NULL;

	if (params == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(params))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 wa_said_errmsg(wa_say(WA_SAY_PARAMS_NOT_AN_OBJECT)),
				 errhint("For example: '{\"permit_number\": \"503/17/2026\"}'.")));
	iterator = JsonbIteratorInit(&params->root);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		char	   *text = NULL;

		if (token == WJB_KEY)
			name = pnstrdup(item.val.string.val, item.val.string.len);
		if (token != WJB_VALUE || name == NULL)
			continue;
		switch (item.type)
		{
			case jbvNull:
				text = pstrdup("");
				break;
			case jbvString:
				text = pnstrdup(item.val.string.val, item.val.string.len);
				break;
			case jbvNumeric:
				text = DatumGetCString(DirectFunctionCall1(numeric_out,
														   NumericGetDatum(item.val.numeric)));
				break;
			case jbvBool:
				text = pstrdup(item.val.boolean ? "true" : "false");
				break;
			default:
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 wa_said_errmsg(wa_say(WA_SAY_PARAMETER_NOT_A_VALUE, name))));
		}
		wa_compose_values_add(values, name, text);
	}
}
