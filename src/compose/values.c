/*-------------------------------------------------------------------------
 *
 * values.c
 *		The dictionary of values that templates take, and how they are put.
 *
 * Dates DD-MM-YYYY, times DD-MM-YYYY HH:MM in the office's time zone (Odoo
 * stores UTC without a zone), spans in Indonesian words, links from patterns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "compose/values.h"
#include "pg/grow.h"
#include "text/text.h"

/*
 * Add a value; the strings are not copied.  A program's word for nothing is an
 * empty value, or, of a setting of the office, none.
 */
void
wa_compose_values_add_setting(WaValues *values, const char *name, const char *value,
							  const char *setting)
{
	WA_ROOM_FOR(values->list, values->n, 1);
	values->list[values->n].name = name;
	if (value && wa_text_is_nothing(value))
		value = setting ? NULL : "";
	values->list[values->n].value = value;
	values->list[values->n].setting = setting;
	values->n++;
}

void
wa_compose_values_add(WaValues *values, const char *name, const char *value)
{
	wa_compose_values_add_setting(values, name, value, NULL);
}

/*
 * The first value of this name, so what is added first wins; NULL if none.
 */
const WaValue *
wa_compose_values_find(const WaValues *values, const char *name)
{
	for (int i = 0; i < values->n; i++)
		if (strcmp(values->list[i].name, name) == 0)
			return &values->list[i];
	return NULL;
}

/*
 * Read the date that begins with YYYY-MM-DD; false if there is none.
 */
bool
wa_compose_value_read_date(const char *iso, int *year, int *month, int *day)
{
	static const char form[] = "0000-00-00";
	int			i = 0;

	while (form[i] && (form[i] == '0' ? iso[i] >= '0' && iso[i] <= '9' : iso[i] == form[i]))
		i++;
	/* as nearly all are written; sscanf() costs ten times that */
	if (form[i])
		return sscanf(iso, "%4d-%2d-%2d", year, month, day) == 3;
	*year = (iso[0] - '0') * 1000 + (iso[1] - '0') * 100 + (iso[2] - '0') * 10 + (iso[3] - '0');
	*month = (iso[5] - '0') * 10 + (iso[6] - '0');
	*day = (iso[8] - '0') * 10 + (iso[9] - '0');
	return true;
}

/*
 * YYYY-MM-DD as DD-MM-YYYY; anything else as it is, NULL stays NULL.
 */
char *
wa_compose_value_date(const char *iso)
{
	int			year;
	int			month;
	int			day;

	if (iso == NULL)
		return NULL;
	if (!wa_compose_value_read_date(iso, &year, &month, &day))
		return pstrdup(iso);
	return psprintf("%02d-%02d-%04d", day, month, year);
}

/*
 * A time as DD-MM-YYYY HH:MM in the zone of this name; an unknown zone counts
 * as UTC.
 */
char *
wa_compose_value_time(TimestampTz at, const char *time_zone)
{
	pg_tz	   *zone = pg_tzset(time_zone);
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	if (timestamp2tm(at, &offset, &tm, &fsec, NULL, zone ? zone : pg_tzset("UTC")) != 0)
		return NULL;
	return psprintf("%02d-%02d-%04d %02d:%02d", tm.tm_mday, tm.tm_mon, tm.tm_year,
					tm.tm_hour, tm.tm_min);
}

/*
 * Fill a link pattern: {name} becomes the value of that name, percent-encoded
 * where a URL needs it.  NULL if the pattern is NULL or a field is not known.
 */
char *
wa_compose_value_link(const char *pattern, const WaValues *fields)
{
	StringInfoData link;
	const char *p = pattern;

	if (pattern == NULL)
		return NULL;
	initStringInfo(&link);
	while (*p)
	{
		const char *end = *p == '{' ? strchr(p, '}') : NULL;
		const WaValue *field;

		if (end == NULL)
		{
			appendStringInfoChar(&link, *p++);
			continue;
		}
		field = wa_compose_values_find(fields, pnstrdup(p + 1, end - p - 1));
		if (field == NULL || field->value == NULL)
			return NULL;
		for (const unsigned char *c = (const unsigned char *) field->value; *c; c++)
		{
			/* RFC 3986: unreserved characters stand for themselves */
			if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
				(*c >= '0' && *c <= '9') || strchr("-._~", *c))
				appendStringInfoChar(&link, (char) *c);
			else
				appendStringInfo(&link, "%%%02X", *c);
		}
		p = end + 1;
	}
	return wa_pg_fitted(&link);
}

/*
 * The time between two dates in words: whole years, else whole months, else
 * days.  NULL if a date is missing or they are the wrong way round.
 */
char *
wa_compose_value_span(const char *from_iso, const char *to_iso)
{
	int			y1;
	int			m1;
	int			d1;
	int			y2;
	int			m2;
	int			d2;
	int			span;			/* months, then days */

	if (from_iso == NULL || to_iso == NULL ||
		!wa_compose_value_read_date(from_iso, &y1, &m1, &d1) ||
		!wa_compose_value_read_date(to_iso, &y2, &m2, &d2))
		return NULL;

	/* a permit from 2 January to 1 January is one for whole years */
	span = (y2 - y1) * 12 + (m2 - m1) - (d2 < d1 - 1 ? 1 : 0);
	if (span > 0 && (d2 == d1 || d2 == d1 - 1))
	{
		if (span % 12 == 0)
			return psprintf("%d tahun", span / 12);
		return psprintf("%d bulan", span);
	}
	span = date2j(y2, m2, d2) - date2j(y1, m1, d1);
	return span < 0 ? NULL : psprintf("%d hari", span);
}
