/*-------------------------------------------------------------------------
 *
 * hours.h
 *		When the office is open for messages of a scenario.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_HOURS_H
#define SICANTIK_WA_HOURS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "office/holiday.h"
#include "pg/columns.h"
#include "text/say.h"

/* When messages of a scenario may be sent. */
typedef struct WaHours
{
	bool		any_time;		/* the others mean nothing */
	int64		from_us;		/* since midnight */
	int64		to_us;
	int			weekdays;		/* bit 1 Monday to bit 7 Sunday */
} WaHours;

/*
 * Columns of wa.scenario that are read into a member "hours" (columns.h): a day
 * has both hours or none, and without weekdays every day is one.
 */
#define WA_HOURS_DAY(day) "CASE WHEN " #day " = ANY (weekdays) THEN 1 << " #day " ELSE 0 END"
#define WA_HOURS_DAYS \
	"CASE WHEN weekdays IS NULL THEN 254 ELSE " WA_HOURS_DAY(1) " | " WA_HOURS_DAY(2) " | " WA_HOURS_DAY(3) " | " \
	WA_HOURS_DAY(4) " | " WA_HOURS_DAY(5) " | " WA_HOURS_DAY(6) " | " WA_HOURS_DAY(7) " END"
#define WA_HOURS_COLUMNS(row, hours) \
	WA_COLUMN(row, boolean, hours.any_time, "(hours_from IS NULL OR hours_to IS NULL) AND weekdays IS NULL"), \
	WA_COLUMN(row, int8, hours.from_us, "CASE WHEN hours_to IS NOT NULL THEN (extract(epoch FROM hours_from) * 1000000)::bigint END"), \
	WA_COLUMN(row, int8, hours.to_us, "coalesce(CASE WHEN hours_from IS NOT NULL" \
			  " THEN (extract(epoch FROM hours_to) * 1000000)::bigint END, 86400000000)"), \
	WA_COLUMN(row, int4, hours.weekdays, WA_HOURS_DAYS)

extern PGDLLEXPORT TimestampTz wa_office_hours_opening(const WaHours *hours, const WaHolidays *holidays,
													   const char *time_zone, TimestampTz at);
extern PGDLLEXPORT WaSaid wa_office_hours_wait(const WaHolidays *holidays, const char *time_zone,
											   TimestampTz at, TimestampTz opening);

#endif							/* SICANTIK_WA_HOURS_H */
