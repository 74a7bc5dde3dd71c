/*-------------------------------------------------------------------------
 *
 * set_holidays.c
 *		wa_set_holidays(): days on which the office is closed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/datetime.h"

#include "admin/options.h"
#include "pg/call.h"
#include "pg/query.h"
#include "text/text.h"

PG_FUNCTION_INFO_V1(wa_sql_set_holidays);

#define MAX_NAME_CHARS		100
#define FIRST_YEAR			2000
#define LAST_YEAR			2199

/* Raises an error unless it is a day that there is, written as 2027-01-31. */
static void
check_day(const char *day)
{
	int			year;
	int			month;
	int			date;
	int			length = 0;
	int			found[3] = {0};

	if (strlen(day) == 10 && strspn(day, "0123456789-") == 10 &&
		sscanf(day, "%4d-%2d-%2d%n", &year, &month, &date, &length) == 3 && length == 10 &&
		year >= FIRST_YEAR && year <= LAST_YEAR && month >= 1 && month <= MONTHS_PER_YEAR)
		j2date(date2j(year, month, date), &found[0], &found[1], &found[2]);
	if (found[0] == 0 || found[0] != year || found[1] != month || found[2] != date)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("\"%s\" is no day", day),
				 errhint("Write year, month and day, such as \"2027-12-25\".")));
}

/* The name of a day; NULL: the day is removed. */
static const char *
name_of(const WaOption *option)
{
	const char *name;

	if (wa_admin_option_is_null(option))
		return NULL;
	name = wa_admin_option_string(option);
	if (wa_text_is_nothing(name) || wa_text_length(name) > MAX_NAME_CHARS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("holiday %s has no usable name", option->name),
				 errdetail("It must have 1 to %d characters.", MAX_NAME_CHARS),
				 errhint("Give the name that people know the day by, or null to remove the day.")));
	return name;
}

/*
 * wa_set_holidays(): see admin.sql.
 */
Datum
wa_sql_set_holidays(PG_FUNCTION_ARGS)
{
	static WaStatement remove =
		WA_STATEMENT("DELETE FROM wa.holiday AS h USING unnest($1, $2) AS g(day, name) WHERE h.day = g.day::date AND g.name IS NULL");
	static WaStatement enter =
		WA_STATEMENT("INSERT INTO wa.holiday (day, name) SELECT g.day::date, g.name FROM unnest($1, $2) AS g(day, name)"
					 " WHERE g.name IS NOT NULL ON CONFLICT (day) DO UPDATE SET name = excluded.name");
	static WaStatement read =
		WA_STATEMENT("SELECT coalesce(jsonb_object_agg(to_char(day, 'YYYY-MM-DD'), name), '{}') FROM wa.holiday"
					 " WHERE day >= (clock_timestamp() AT TIME ZONE 'UTC')::date - 1 AND isfinite(day)");
	WaCall		call;
	WaOptions	options;
	WaArgs		args = {0};
	const char **days;
	const char **names;
	Datum		result;

	wa_call_begin_reading(&call, WA_LEVEL_ADMIN);
	if (!PG_ARGISNULL(0) && !JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(0)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("days must be a JSON object"),
				 errhint("For example: {\"2027-12-25\": \"Natal\"}")));
	wa_admin_options_read(&options, PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0));
	/* without days it reads */
	if (options.n > 0)
		wa_call_writes(fcinfo);
	days = palloc(sizeof(char *) * Max(options.n, 1));
	names = palloc(sizeof(char *) * Max(options.n, 1));
	for (int i = 0; i < options.n; i++)
	{
		check_day(options.list[i].name);
		days[i] = options.list[i].name;
		names[i] = name_of(&options.list[i]);
	}
	if (options.n > 0)
	{
		wa_arg_text_array(&args, days, options.n);
		wa_arg_text_array(&args, names, options.n);
		wa_query(&remove, &args);
		wa_query(&enter, &args);
	}
	result = wa_call_datum(&call, wa_row_datum(wa_query(&read, NULL), 0, 1), false, -1);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
