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

#include "pg/rows.h"

/* When messages of a scenario may be sent. */
typedef struct WaHours
{
	bool		any_time;		/* the others mean nothing */
	int64		from_us;		/* since midnight */
	int64		to_us;
	int			weekdays;		/* bit 1 Monday to bit 7 Sunday */
} WaHours;

/* The columns of wa.scenario that wa_office_hours_read() takes, three in order. */
#define WA_HOURS_COLUMNS \
	"(extract(epoch FROM hours_from) * 1000000)::bigint, (extract(epoch FROM hours_to) * 1000000)::bigint," \
	" (SELECT sum(DISTINCT 1 << d)::integer FROM unnest(weekdays) AS d)"

extern PGDLLEXPORT void wa_office_hours_read(WaHours *hours, WaRows rows, uint64 row, int column);
#ifdef WA_ROWS_OF_ALL
#define wa_office_hours_read(hours, row, column)	wa_office_hours_read(hours, wa_rows_of_spi(), row, column)
#endif
extern PGDLLEXPORT TimestampTz wa_office_hours_opening(const WaHours *hours, const char *time_zone,
													   TimestampTz at);

#endif							/* SICANTIK_WA_HOURS_H */
