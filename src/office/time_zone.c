/*-------------------------------------------------------------------------
 *
 * time_zone.c
 *		What a person writes for the time zone of his office, and times there.
 *
 * PostgreSQL takes "UTC+7" as POSIX does: seven hours west of Greenwich, where
 * whoever writes it means seven hours east; "Etc/GMT+7" has that sign too, and
 * any word with a number behind it ("Jakarta7") is such a zone.  So nothing
 * with a number in it is handed on: an offset is understood as people mean it,
 * if one of Indonesia's zones has it, and refused otherwise.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <time.h>

#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "office/setting.h"

/* Indonesia's zones, which have no summer time. */
static const struct
{
	const char *name;
	const char *letters;
	int			hours;			/* east of Greenwich */
}			zones[] = {
	{"Asia/Jakarta", "WIB", 7},
	{"Asia/Makassar", "WITA", 8},
	{"Asia/Jayapura", "WIT", 9},
};

/* Digits of at most two places; their value, or -1. */
static int
read_digits(const char **p)
{
	int			value = -1;

	for (int i = 0; i < 2 && isdigit((unsigned char) **p); i++)
		value = Max(value, 0) * 10 + *(*p)++ - '0';
	return value;
}

/*
 * Is it an offset to the east, as "UTC+7", "gmt +07:00" or "+8"?  Then its
 * hours, else -1.
 */
static int
read_offset(const char *text)
{
	const char *p = text;
	int			hours;

	if (pg_strncasecmp(p, "UTC", 3) == 0 || pg_strncasecmp(p, "GMT", 3) == 0)
		p += 3;
	while (*p == ' ')
		p++;
	if (*p++ != '+')
		return -1;
	while (*p == ' ')
		p++;
	hours = read_digits(&p);
	if (*p == ':' || *p == '.')
		p++;
	while (*p == '0')
		p++;
	return *p == '\0' ? hours : -1;
}

/* Letters, and what stands between them in names of zones; no numbers. */
static bool
is_name(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isalpha((unsigned char) *p) && strchr("/_-", *p) == NULL)
			return false;
	return true;
}

/*
 * The name of the time zone that is meant, palloc()ed, or NULL.
 */
char *
wa_office_time_zone_read(const char *text)
{
	char		trimmed[TZ_STRLEN_MAX + 1];
	int			hours;
	pg_tz	   *zone;
	size_t		len;

	while (isspace((unsigned char) *text))
		text++;
	for (len = strlen(text); len > 0 && isspace((unsigned char) text[len - 1]); len--)
		 /* skip */ ;
	if (len == 0 || len > TZ_STRLEN_MAX)
		return NULL;
	memcpy(trimmed, text, len);
	trimmed[len] = '\0';

	hours = read_offset(trimmed);
	for (size_t i = 0; i < lengthof(zones); i++)
		if (hours == zones[i].hours || pg_strcasecmp(trimmed, zones[i].letters) == 0 ||
			pg_strcasecmp(trimmed, strchr(zones[i].name, '/') + 1) == 0)
			return pstrdup(zones[i].name);
	if (!is_name(trimmed))
		return NULL;
	zone = pg_tzset(trimmed);
	return zone && pg_tz_acceptable(zone) ? pstrdup(pg_get_timezone_name(zone)) : NULL;
}

/*
 * The time that it is there now, palloc()ed: "2026-11-20 09:20".
 */
char *
wa_office_time_zone_now(const char *name)
{
	pg_time_t	now = (pg_time_t) time(NULL);
	pg_tz	   *zone = pg_tzset(name);
	char		words[64];

	if (zone == NULL)
		zone = pg_tzset("UTC");
	pg_strftime(words, sizeof(words), "%Y-%m-%d %H:%M", pg_localtime(&now, zone));
	return pstrdup(words);
}

/*
 * What the clock on the wall shows at that moment in the zone of this name, to
 * the second; an unknown zone counts as UTC.
 */
Timestamp
wa_office_time_on_wall(TimestampTz at, const char *zone_name)
{
	pg_tz	   *zone = zone_name ? pg_tzset(zone_name) : NULL;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	Timestamp	wall;

	if (TIMESTAMP_NOT_FINITE(at) ||
		timestamp2tm(at, &offset, &tm, &fsec, NULL, zone ? zone : pg_tzset("UTC")) != 0 ||
		tm2timestamp(&tm, 0, NULL, &wall) != 0)
		return at;
	return wall;
}

/*
 * The same in words, palloc()ed: "2026-11-20 09:20:05".  This is how every
 * sentence of ours names a time.
 */
char *
wa_office_time_words(TimestampTz at, const char *zone_name)
{
	Timestamp	wall = wa_office_time_on_wall(at, zone_name);
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_IS_NOBEGIN(at))
		return pstrdup("-infinity");
	if (TIMESTAMP_IS_NOEND(at) || timestamp2tm(wall, NULL, &tm, &fsec, NULL, NULL) != 0)
		return pstrdup("infinity");
	return psprintf("%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec);
}
