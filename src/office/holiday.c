/*-------------------------------------------------------------------------
 *
 * holiday.c
 *		Days on which the office is closed, whatever day of the week it is.
 *
 * Indonesia's public holidays and days of collective leave are decreed for each
 * year anew, and a regency may have its own, so they are rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "office/holiday.h"
#include "pg/columns.h"

/*
 * The days to come, as the table has them.
 */
WaHolidays *
wa_office_holidays(void)
{
	static const WaColumn columns[] = {
		WA_COLUMN(WaHoliday, int4, day, "day - date '2000-01-01'"),
		WA_COLUMN(WaHoliday, text, name, "name"),
	};
	static const WaRowType row = WA_ROW_TYPE(WaHoliday, columns);
	static WaStatement read =
		WA_STATEMENT_OF(&row, "SELECT {columns} FROM wa.holiday WHERE day >= (clock_timestamp() AT TIME ZONE 'UTC')::date - 1"
						" AND isfinite(day) ORDER BY day");
	WaHolidays *holidays = palloc(sizeof(WaHolidays));

	holidays->list = wa_rows_read(wa_query(&read, NULL), &row, &holidays->n);
	return holidays;
}

static int
by_day(const void *a, const void *b)
{
	const WaHoliday *left = a;
	const WaHoliday *right = b;

	return left->day < right->day ? -1 : left->day > right->day;
}

/*
 * The holiday on this day (since 2000-01-01), or NULL.
 */
const WaHoliday *
wa_office_holiday_on(const WaHolidays *holidays, int32 day)
{
	WaHoliday	wanted = {day, NULL};

	return bsearch(&wanted, holidays->list, holidays->n, sizeof(WaHoliday), by_day);
}

/*
 * Are they the same days, of the same names?
 */
bool
wa_office_holidays_same(const WaHolidays *a, const WaHolidays *b)
{
	if (a->n != b->n)
		return false;
	for (int i = 0; i < a->n; i++)
		if (a->list[i].day != b->list[i].day || strcmp(a->list[i].name, b->list[i].name) != 0)
			return false;
	return true;
}
