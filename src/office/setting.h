/*-------------------------------------------------------------------------
 *
 * setting.h
 *		The office's own settings, kept in wa.setting.
 *
 * Face of src/office: what an office says of itself, rows because it belongs
 * to the database and travels with its backup.  Beside the settings: its time
 * zone (time_zone.c), in which people are told all times, and hours in which
 * it wants messages to go (hours.h). Reads wa.setting; who writes and checks
 * it is wa_set() in src/admin.  A row may hold anything: whoever asks checks,
 * and a wrong interval or time zone counts as not set.  Begin with the list in
 * setting.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SETTING_H
#define SICANTIK_WA_SETTING_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "text/say.h"

/* What a value must look like. */
typedef enum WaSettingKind
{
	WA_SETTING_TEXT,
	WA_SETTING_MODE,
	WA_SETTING_TIME_ZONE,
	WA_SETTING_NUMBER,			/* phone number */
	WA_SETTING_LINK,			/* https pattern with {field}s */
	WA_SETTING_IDENTIFIER,		/* SQL name */
	WA_SETTING_GROUP,			/* Odoo's module.name */
	WA_SETTING_LANGUAGE,		/* of people: id or en */
	WA_SETTING_WAIT,			/* interval of at most a day */
	WA_SETTING_INTERVAL,		/* of at least a day */
	WA_SETTING_SWITCH,			/* on or off */
	WA_SETTING_WORDS,			/* separated by commas */
	WA_SETTING_INBOUND			/* keep or notify */
} WaSettingKind;

/*
 * A longer interval is none that an office means.  wa_set() and
 * docs/reference.md say how many days these are: "101 years" are less, since a
 * month counts 30.
 */
#define WA_OFFICE_MOST_DAYS (100 * DAYS_PER_YEAR)

typedef struct WaSetting
{
	const char *name;
	WaSettingKind kind;
	const char *default_value;	/* NULL: unset */
	const char *description;
} WaSetting;

extern PGDLLEXPORT const WaSetting wa_office_settings[];	/* ends with name NULL */
extern PGDLLEXPORT const WaSetting *wa_office_find_setting(const char *name);

/* SPI connected, acting as the database's owner; palloc()ed, NULL: unset. */
extern PGDLLEXPORT char *wa_office_get(const char *name);
extern char *wa_office_get_row(const char *name);
extern PGDLLEXPORT WaLanguage wa_office_language(void);
extern PGDLLEXPORT int64 wa_office_get_interval(const char *name);
extern PGDLLEXPORT bool wa_office_is_on(const char *name);

/* no SPI needed */
extern char *wa_office_in_force(const WaSetting *setting, char *value);
extern bool wa_office_interval_read(const char *text, int64 *us);

/* time_zone.c: nor here */
extern PGDLLEXPORT char *wa_office_time_zone_read(const char *text);
extern char *wa_office_time_zone_now(const char *name);
extern PGDLLEXPORT Timestamp wa_office_time_on_wall(TimestampTz at, const char *zone_name);
extern PGDLLEXPORT char *wa_office_time_words(TimestampTz at, const char *zone_name);

/* wa_office_time_words() within a statement; both are expressions of SQL. */
#define WA_SQL_TIME(at, zone_name) \
	"to_char(" at " AT TIME ZONE " zone_name ", 'YYYY-MM-DD HH24:MI:SS')"

#endif							/* SICANTIK_WA_SETTING_H */
