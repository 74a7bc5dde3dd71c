/*-------------------------------------------------------------------------
 *
 * number.c
 *		wa_normalize_number() for SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "text/text.h"

PG_FUNCTION_INFO_V1(wa_sql_normalize_number);

/*
 * wa_normalize_number(): see compose.sql.
 */
Datum
wa_sql_normalize_number(PG_FUNCTION_ARGS)
{
	char		number[WA_NUMBER_SIZE];

	if (!wa_text_normalize_number(text_to_cstring(PG_GETARG_TEXT_PP(0)), number))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(number));
}
