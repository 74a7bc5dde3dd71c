/*-------------------------------------------------------------------------
 *
 * holiday.h
 *		Days on which the office is closed, whatever day of the week it is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_HOLIDAY_H
#define SICANTIK_WA_HOLIDAY_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef struct WaHoliday
{
	int32		day;			/* since 2000-01-01 */
	const char *name;
} WaHoliday;

/* Those of the next years, and of yesterday (a zone may lie to the west). */
typedef struct WaHolidays
{
	int			n;
	WaHoliday  *list;			/* by day */
} WaHolidays;

/* SPI connected, acting as the database's owner; palloc()ed */
extern PGDLLEXPORT WaHolidays *wa_office_holidays(void);

extern PGDLLEXPORT const WaHoliday *wa_office_holiday_on(const WaHolidays *holidays, int32 day);
extern PGDLLEXPORT bool wa_office_holidays_same(const WaHolidays *a, const WaHolidays *b);

#endif							/* SICANTIK_WA_HOLIDAY_H */
