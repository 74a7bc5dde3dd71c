/*-------------------------------------------------------------------------
 *
 * fuzz_office.c
 *		Fuzz what an office sets: its settings, intervals, time zone and hours.
 *
 * They are read with the server's own functions, so libFuzzer runs in a server:
 * run.sh builds the library with this file in it, instrumented, and calls
 * wa_fuzz_office() in a server for a single user.  Its argument is libFuzzer's
 * command line, a word a line, of which the first is what is tried: settings,
 * intervals or hours.
 *
 * A broken promise is a crash of that server: libFuzzer then keeps the input.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "admin/admin.h"
#include "office/hours.h"
#include "office/setting.h"

PG_FUNCTION_INFO_V1(wa_fuzz_office);

extern int	LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback) (const uint8_t *data, size_t size));

#define MAX_WORDS	32

static MemoryContext fuzz_context;
static void (*attempt) (const uint8_t *data, size_t size);

#define MUST(cond) \
	do { \
		if (!(cond)) \
		{ \
			fprintf(stderr, "fuzz_office.c:%d: broken promise: %s\n", __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

/* Text as a function of SQL is given it, or NULL. */
static char *
text_of(const uint8_t *data, size_t size)
{
	if (memchr(data, '\0', size) || !pg_verify_mbstr(PG_UTF8, (const char *) data, (int) size, true))
		return NULL;
	return pnstrdup((const char *) data, size);
}

static bool
is_line(const char *words)
{
	return words[0] != '\0' && strpbrk(words, "\n\r") == NULL;
}

/* Setting that this byte chooses; mode, which asks tables, is left out. */
static const WaSetting *
setting_of(uint8_t byte)
{
	int			n = 0;

	while (wa_office_settings[n].name)
		n++;
	n = byte % n;
	return wa_office_settings[n].kind == WA_SETTING_MODE ? NULL : &wa_office_settings[n];
}

/*
 * A value is refused with a sentence, or stored in a form that is taken for the
 * same when it is given again, and is what holds then.
 */
static void
try_setting(const uint8_t *data, size_t size)
{
	const WaSetting *setting = size > 1 ? setting_of(data[0]) : NULL;
	char	   *given = setting ? text_of(data + 1, size - 1) : NULL;
	char	   *problem;
	char	   *stored;
	char	   *again;

	if (given == NULL)
		return;
	/* a row may hold it all the same */
	again = wa_office_in_force(setting, pstrdup(given));
	MUST(again == NULL || wa_office_in_force(setting, pstrdup(again)));

	stored = wa_admin_check_setting(setting, given, &problem);
	if (problem)
	{
		MUST(is_line(problem));
		return;
	}
	MUST(stored != NULL && stored[0] != '\0' && is_line(stored));
	MUST(strlen(stored) <= 2000);
	again = wa_admin_check_setting(setting, stored, &problem);
	MUST(problem == NULL && strcmp(again, stored) == 0);
	again = wa_office_in_force(setting, pstrdup(stored));
	MUST(again != NULL && strcmp(again, stored) == 0);
}

/*
 * An interval is of the length that it has in the server's eyes, whatever its
 * styles are when it is written and when it is read.
 */
static void
try_interval(const uint8_t *data, size_t size)
{
	const WaSetting *setting = size > 2 ? wa_office_find_setting(data[0] % 2 ? "unknown_wait" : "retention") : NULL;
	char	   *given = setting ? text_of(data + 2, size - 2) : NULL;
	char	   *problem;
	char	   *stored;
	Interval   *interval;
	int64		us;
	double		days;

	if (given == NULL)
		return;
	IntervalStyle = data[1] % 4;
	(void) wa_office_interval_read(given, &us);
	stored = wa_admin_check_setting(setting, given, &problem);
	if (problem)
	{
		MUST(is_line(problem));
		return;
	}
	interval = DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(stored), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	IntervalStyle = data[1] / 4 % 4;
	MUST(wa_office_interval_read(stored, &us));
	days = (double) interval->month * DAYS_PER_MONTH + interval->day + (double) interval->time / USECS_PER_DAY;
	MUST(fabs(days * USECS_PER_DAY - (double) us) < 1000);
	MUST(us >= (setting->kind == WA_SETTING_WAIT ? 0 : USECS_PER_DAY));
	MUST(strcmp(wa_office_in_force(setting, pstrdup(stored)), stored) == 0);
}

/* Written apart from what is tried. */
static bool
is_open(const WaHours *hours, const WaHolidays *holidays, const char *zone, TimestampTz at)
{
	Timestamp	wall = wa_office_time_on_wall(at, zone);
	int64		day = wall / USECS_PER_DAY - (wall % USECS_PER_DAY < 0 ? 1 : 0);
	int64		since_midnight = wall - day * USECS_PER_DAY;
	int64		weekday = ((day + 5) % 7 + 7) % 7 + 1;	/* 2000-01-01 was a
														 * Saturday */

	for (int i = 0; i < holidays->n; i++)
		if (holidays->list[i].day == day)
			return false;
	/* the clock on the wall is without fractions */
	return (hours->weekdays & (1 << weekday)) != 0 && since_midnight + at % USECS_PER_SEC >= hours->from_us &&
		since_midnight < hours->to_us;
}

/*
 * A time zone is one that the server has, under its name and without a number.
 * From any moment the office opens at that moment or later, not while it is
 * closed, and, in Indonesia's zones, at the first moment.
 */
static void
try_hours(const uint8_t *data, size_t size)
{
	static const char *const indonesian[] = {"Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"};
	uint16		minutes[2];
	uint32		seconds;
	WaHours		hours = {0};
	WaHolidays	holidays;
	WaHoliday	list[8];
	char	   *given;
	char	   *zone;
	bool		steady;
	TimestampTz at;
	TimestampTz opening;

	if (size < 20)
		return;
	memcpy(&seconds, data, sizeof(seconds));
	memcpy(minutes, data + 4, sizeof(minutes));
	hours.from_us = minutes[0] % 1440 * USECS_PER_MINUTE;
	hours.to_us = hours.from_us + (1 + minutes[1] % (1440 - minutes[0] % 1440)) * USECS_PER_MINUTE;
	hours.weekdays = (data[8] & 254) ? data[8] & 254 : 254;
	/* the years from 2000 to 2136, to the second; and what no calendar has */
	at = seconds * USECS_PER_SEC;
	if (data[9] == 255)
		memcpy(&at, data, sizeof(at));
	holidays.n = 0;
	holidays.list = list;
	for (int32 day = (int32) (at / USECS_PER_DAY) - 1; holidays.n < data[9] % 8; day += 1 + data[10 + holidays.n] % 3)
		list[holidays.n++] = (WaHoliday)
	{
		day, "x"
	};
	given = text_of(data + 19, size - 19);
	zone = given ? wa_office_time_zone_read(given) : NULL;
	if (zone)
	{
		MUST(is_line(zone) && strpbrk(zone, "0123456789+") == NULL);
		MUST(pg_tzset(zone) && strcmp(wa_office_time_zone_read(zone), zone) == 0);
	}
	steady = zone == NULL;
	if (steady)
		zone = pstrdup(indonesian[data[18] % lengthof(indonesian)]);

	opening = wa_office_hours_opening(&hours, &holidays, zone, at);
	(void) wa_office_time_words(opening, zone);
	MUST(opening >= at);
	if (data[9] == 255)
		return;
	if (steady)
	{
		MUST(is_open(&hours, &holidays, zone, opening));
		for (int i = 0; opening > at && i < 64; i++)
			MUST(!is_open(&hours, &holidays, zone, at + (opening - at) / 64 * i));
		return;
	}

	/*
	 * summer time may swallow an opening: then it is the next one, not for
	 * ever
	 */
	for (int i = 0; i < 100 && !is_open(&hours, &holidays, zone, opening); i++)
	{
		at = opening;
		opening = wa_office_hours_opening(&hours, &holidays, zone, at);
		MUST(opening > at);
	}
	MUST(is_open(&hours, &holidays, zone, opening));
}

/* libFuzzer's entry: no error may come out of these. */
static int
try_input(const uint8_t *data, size_t size)
{
	MemoryContext caller = MemoryContextSwitchTo(fuzz_context);

	PG_TRY();
	{
		attempt(data, size);
	}
	PG_CATCH();
	{
		EmitErrorReport();
		abort();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextReset(fuzz_context);
	return 0;
}

/*
 * wa_fuzz_office(words text): does not return, libFuzzer ends the process.
 */
Datum
wa_fuzz_office(PG_FUNCTION_ARGS)
{
	static char *words[MAX_WORDS + 1];
	char	  **argv = words;
	int			argc = 0;
	char	   *rest = MemoryContextStrdup(TopMemoryContext, text_to_cstring(PG_GETARG_TEXT_PP(0)));

	for (char *word = strtok(rest, "\n"); word && argc < MAX_WORDS; word = strtok(NULL, "\n"))
		words[argc++] = word;
	if (argc > 0 && strcmp(words[0], "settings") == 0)
		attempt = try_setting;
	else if (argc > 0 && strcmp(words[0], "intervals") == 0)
		attempt = try_interval;
	else if (argc > 0 && strcmp(words[0], "hours") == 0)
		attempt = try_hours;
	else
		elog(ERROR, "what is to be tried?");
	fuzz_context = AllocSetContextCreate(TopMemoryContext, "fuzz", ALLOCSET_DEFAULT_SIZES);
	PG_RETURN_INT32(LLVMFuzzerRunDriver(&argc, &argv, try_input));
}
