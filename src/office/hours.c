/*-------------------------------------------------------------------------
 *
 * hours.c
 *		Sending hours of a scenario, in the office's time zone.
 *
 * Knows the clock of the wall only: an office opens at a time of day, whatever
 * the time zone does in between.  On a holiday it does not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "office/hours.h"
#include "office/setting.h"
#include "pg/said.h"

/* Whoever enters more holidays one after the other than this means something else. */
#define MOST_CLOSED_DAYS	400

static pg_tz *
zone_of(const char *time_zone)
{
	pg_tz	   *zone = time_zone ? pg_tzset(time_zone) : NULL;

	return zone ? zone : pg_tzset("UTC");
}

/*
 * "at" if it lies within the hours, else the next time they begin, which is
 * always later than "at".  An unknown zone counts as UTC.
 */
TimestampTz
wa_office_hours_opening(const WaHours *hours, const WaHolidays *holidays, const char *time_zone, TimestampTz at)
{
	pg_tz	   *zone = zone_of(time_zone);
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	int64		since_midnight;
	int			today;

	if (hours->any_time)
		return at;
	if (timestamp2tm(at, &offset, &tm, &fsec, NULL, zone) != 0)
		return at;
	since_midnight = ((tm.tm_hour * MINS_PER_HOUR + tm.tm_min) * SECS_PER_MINUTE + tm.tm_sec) *
		USECS_PER_SEC + fsec;
	today = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
	for (int day = 0; day <= MOST_CLOSED_DAYS; day++)
	{
		int			weekday = j2day(today + day);	/* 0 Sunday */
			TimestampTz opening;

		if ((hours->weekdays & (1 << (weekday == 0 ? 7 : weekday))) == 0 ||
			wa_office_holiday_on(holidays, today + day - POSTGRES_EPOCH_JDATE))
			continue;
		if (day == 0 && since_midnight >= hours->to_us)
			continue;
		if (day == 0 && since_midnight >= hours->from_us)
			return at;
		memset(&tm, 0, sizeof(tm));
		j2date(today + day, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		tm.tm_hour = (int) (hours->from_us / USECS_PER_HOUR);
		tm.tm_min = (int) (hours->from_us / USECS_PER_MINUTE % MINS_PER_HOUR);
		tm.tm_sec = (int) (hours->from_us / USECS_PER_SEC % SECS_PER_MINUTE);
		offset = DetermineTimeZoneOffset(&tm, zone);
		if (tm2timestamp(&tm, (fsec_t) (hours->from_us % USECS_PER_SEC), &offset, &opening) != 0)
			return at;

		/* where a time zone's change has swallowed the opening: soon after */
		return opening > at ? opening : at + USECS_PER_MINUTE;
	}
	return at;
}

/*
 * What is said of a message that waits from "at" for the opening.
 */
WaSaid
wa_office_hours_wait(const WaHolidays *holidays, const char *time_zone, TimestampTz at, TimestampTz opening)
{
	const char *until = wa_office_time_words(opening, time_zone);
	const WaHoliday *holiday = NULL;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	if (timestamp2tm(at, &offset, &tm, &fsec, NULL, zone_of(time_zone)) == 0)
		holiday = wa_office_holiday_on(holidays, date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE);
	if (holiday)
		return wa_say(WA_SAY_WAITS_FOR_END_OF_HOLIDAY, holiday->name, until);
	return wa_say(WA_SAY_WAITS_FOR_SENDING_HOURS_UNTIL, until);
}
