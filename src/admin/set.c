/*-------------------------------------------------------------------------
 *
 * set.c
 *		wa_set(): the office's settings, checked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "catalog/namespace.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "admin/admin.h"
#include "pg/call.h"
#include "pg/query.h"
#include "pg/said.h"
#include "text/text.h"

PG_FUNCTION_INFO_V1(wa_sql_set);

#define MAX_TEXT_BYTES		1024
#define MAX_LINK_BYTES		2000	/* Meta's limit for a URL */

/* What the pattern of a link may name. */
static const char *const link_fields[] = {
	"registration_id", "id", "document_number", "workflow_id", "permit_number"
};

static bool
has_control_character(const char *value)
{
	for (const char *p = value; *p; p++)
		if ((unsigned char) *p < ' ' || *p == 0x7f)
			return true;
	return false;
}

static char *
check_text(const char *value, char **problem)
{
	if (strlen(value) > MAX_TEXT_BYTES)
		*problem = psprintf("It is longer than %d bytes.", MAX_TEXT_BYTES);
	else if (has_control_character(value))
		*problem = "It contains a line end or another control character.";
	else if (strstr(value, "{{") || strstr(value, "}}"))
		*problem = "It contains double braces, which mark placeholders.";
	return pstrdup(value);
}

static char *
check_number(const char *value, char **problem)
{
	char		number[WA_NUMBER_SIZE];
	char		again[WA_NUMBER_SIZE];

	if (!wa_text_normalize_number(value, number))
	{
		*problem = "It is not a usable mobile number.";
		return NULL;
	}

	/*
	 * without its plus a foreign one reads as none, or as another: 81... as
	 * 6281...
	 */
	return psprintf("%s%s", wa_text_normalize_number(number, again) && strcmp(again, number) == 0 ? "" : "+", number);
}

static char *
check_time_zone(const char *value, char **problem)
{
	char	   *zone = wa_office_time_zone_read(value);

	if (zone == NULL)
		*problem = "It is no time zone that can be understood. Those of Indonesia are Asia/Jakarta (WIB, UTC+7), Asia/Makassar (WITA, UTC+8) and Asia/Jayapura (WIT, UTC+9).";
	return zone;
}

/* The fields in braces; false with a problem if one is not known. */
static bool
check_fields(const char *pattern, char **problem)
{
	for (const char *p = pattern; *p; p++)
	{
		bool		found = false;

		if (*p == '}')
		{
			*problem = "It has a closing brace without an opening one.";
			return false;
		}
		if (*p != '{')
			continue;
		p++;
		for (int i = 0; !found && i < lengthof(link_fields); i++)
		{
			size_t		len = strlen(link_fields[i]);

			if (strncmp(p, link_fields[i], len) == 0 && p[len] == '}')
			{
				p += len;
				found = true;
			}
		}
		if (!found)
		{
			*problem = "It may use only {registration_id}, {id}, {document_number}, {workflow_id} and {permit_number}.";
			return false;
		}
	}
	return true;
}

static char *
check_link(const char *value, char **problem)
{
	const char *why = wa_said_english(wa_text_link_problem(value));

	if (why)
		*problem = psprintf("A telephone cannot open it: %s.", why);
	else if (strlen(value) > MAX_LINK_BYTES)
		*problem = psprintf("It is longer than %d bytes.", MAX_LINK_BYTES);
	else if (has_control_character(value) || strpbrk(value, " \"<>\\^`|"))
		*problem = "It contains a character that a link must not have.";
	else
		(void) check_fields(value, problem);
	return pstrdup(value);
}

static char *
check_identifier(const char *value, char **problem)
{
	if (strlen(value) >= NAMEDATALEN)
		*problem = psprintf("It is longer than %d bytes.", NAMEDATALEN - 1);
	else if (has_control_character(value))
		*problem = "It contains a control character.";
	return pstrdup(value);
}

/* Odoo's external id of a group. */
static char *
check_group(const char *value, char **problem)
{
	static const char *const allowed =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t		module = strspn(value, allowed);
	const char *name = value + module + 1;

	if (module == 0 || value[module] != '.' || *name == '\0' ||
		name[strspn(name, allowed)] != '\0' || strlen(value) > 200)
		*problem = "It must be the external id of an Odoo group: module.name, such as base.group_user.";
	return pstrdup(value);
}

/*
 * An interval of so many days, given in the same words; months count 30 days.
 */
static char *
check_interval(const char *value, double least_days, double most_days,
			   const char *words, char **problem)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *volatile result = NULL;

	PG_TRY();
	{
		Interval   *interval = DatumGetIntervalP(DirectFunctionCall3(interval_in,
																	 CStringGetDatum(value),
																	 ObjectIdGetDatum(InvalidOid),
																	 Int32GetDatum(-1)));

		double		days = (double) interval->month * DAYS_PER_MONTH + interval->day +
			(double) interval->time / USECS_PER_DAY;

		if (days >= least_days && days <= most_days)
			result = DatumGetCString(DirectFunctionCall1(interval_out,
														 IntervalPGetDatum(interval)));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	if (result == NULL)
		*problem = psprintf("It must be an interval between %s.", words);
	return result;
}

static char *
check_switch(const char *value, char **problem)
{
	bool		on;

	if (!parse_bool(value, &on))
	{
		*problem = "It is on or off.";
		return NULL;
	}
	return pstrdup(on ? "on" : "off");
}

/* Words are separated by commas; each has a letter or a figure. */
static char *
check_words(const char *value, char **problem)
{
	char	   *words = check_text(value, problem);
	bool		any = false;

	for (const unsigned char *p = (const unsigned char *) words;; p++)
	{
		if (*p == '\0' || *p == ',')
		{
			if (!any)
				*problem = "A word between its commas is missing.";
			any = false;
			if (*p == '\0')
				return words;
		}
		else
			any = any || isalnum(*p) || *p >= 0x80;
	}
}

/*
 * Mode live is wa_arm()'s alone: it also writes down which database this is.
 */
static char *
check_mode(const char *value, char **problem)
{
	char		number[WA_NUMBER_SIZE];
	char	   *test_number;

	if (strcmp(value, "live") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mode \"live\" cannot be set with wa_set()"),
				 errhint("Use SELECT wa_arm('%s').", get_database_name(MyDatabaseId))));
	if (strcmp(value, "test") == 0)
	{
		test_number = wa_office_get("test_number");
		if (test_number == NULL || !wa_text_normalize_number(test_number, number))
			*problem = "Mode test needs the setting test_number first.";
	}
	else if (strcmp(value, "observe") != 0)
		*problem = "Modes are observe, test and live (with wa_arm).";
	return pstrdup(value);
}

/*
 * Is this a value for the setting?  Returns the value in the form in which it
 * is stored.  If it is none, *problem is a sentence, else NULL.
 */
char *
wa_admin_check_setting(const WaSetting *setting, const char *value, char **problem)
{
	*problem = NULL;
	if (wa_text_is_nothing(value))
	{
		*problem = "That is a word for nothing; NULL or an empty text resets the setting.";
		return pstrdup(value);
	}
	switch (setting->kind)
	{
		case WA_SETTING_TEXT:
			return check_text(value, problem);
		case WA_SETTING_MODE:
			return check_mode(value, problem);
		case WA_SETTING_TIME_ZONE:
			return check_time_zone(value, problem);
		case WA_SETTING_NUMBER:
			return check_number(value, problem);
		case WA_SETTING_LINK:
			return check_link(value, problem);
		case WA_SETTING_IDENTIFIER:
			return check_identifier(value, problem);
		case WA_SETTING_GROUP:
			return check_group(value, problem);
		case WA_SETTING_LANGUAGE:
			if (strcmp(value, "id") != 0 && strcmp(value, "en") != 0)
				*problem = "Languages are id (Indonesian) and en (English).";
			return pstrdup(value);
		case WA_SETTING_WAIT:
			return check_interval(value, 0, 1, "0 and 1 day, such as \"10 minutes\"", problem);
		case WA_SETTING_INTERVAL:
			/* a day at least, so that what was just sent can be explained */
			return check_interval(value, 1, WA_OFFICE_MOST_DAYS,
								  "1 day and 36525 days (100 years), such as \"90 days\"", problem);
		case WA_SETTING_SWITCH:
			return check_switch(value, problem);
		case WA_SETTING_WORDS:
			return check_words(value, problem);
		case WA_SETTING_INBOUND:
			if (strcmp(value, "keep") != 0 && strcmp(value, "notify") != 0)
				*problem = "It is keep or notify.";
			return pstrdup(value);
	}
	*problem = "It cannot be checked.";
	return NULL;
}

/*
 * Store a value that has been checked; NULL resets to the default.  With a
 * link that lies below Odoo's address that address is kept, so that a later
 * move can be told.
 */
void
wa_admin_put_setting(const char *name, const char *value)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.setting (name, value, base_url) VALUES ($1, $2, $3)"
					 " ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = now(),"
					 " base_url = excluded.base_url");
	static WaStatement reset =
		WA_STATEMENT("DELETE FROM wa.setting WHERE name = $1");
	const WaSetting *setting = wa_office_find_setting(name);
	char	   *base = value && setting->kind == WA_SETTING_LINK ? wa_admin_odoo_base_url() : NULL;
	WaArgs		args = {0};

	wa_arg_text(&args, name);
	if (value)
	{
		wa_arg_text(&args, value);
		wa_arg_text(&args, base && wa_admin_lies_below(value, base) ? base : NULL);
		wa_query(&put, &args);
	}
	else
		wa_query(&reset, &args);
}

pg_noreturn static void
unknown_setting(const char *name)
{
	StringInfoData list;

	initStringInfo(&list);
	for (const WaSetting *setting = wa_office_settings; setting->name; setting++)
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", setting->name);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("unknown setting \"%s\"", name ? name : ""),
			 errhint("Settings are: %s.", list.data)));
}

static void
check_reset(const WaSetting *setting)
{
	if (setting->kind == WA_SETTING_MODE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mode cannot be reset"),
				 errhint("Set it to observe or test, or use wa_arm().")));
}

/* The number that mode test sends to cannot be taken away meanwhile. */
static void
check_test_number(const char *name, const char *value)
{
	if (strcmp(name, "test_number") == 0 && value == NULL &&
		strcmp(wa_office_get("mode"), "test") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("test_number cannot be reset in mode test"),
				 errhint("Use SELECT wa_set('mode', 'observe') first.")));
}

/* Odoo may be restored later than the extension is set up. */
static void
warn_of_missing_schema(const char *schema)
{
	if (!OidIsValid(get_namespace_oid(schema, true)))
		ereport(WARNING,
				(errmsg("schema \"%s\" does not exist", schema),
				 errdetail("Nothing of Odoo's is read until it does."),
				 errhint("Odoo's tables are in schema public unless somebody moved them.")));
}

/*
 * wa_set(): see admin.sql.
 */
Datum
wa_sql_set(PG_FUNCTION_ARGS)
{
	char	   *name = wa_call_arg_text(fcinfo, 0);
	char	   *given = wa_call_arg_text(fcinfo, 1);
	const WaSetting *setting;
	WaCall		call;
	char	   *value = NULL;
	char	   *problem;
	Datum		result = (Datum) 0;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	setting = name ? wa_office_find_setting(name) : NULL;
	if (setting == NULL)
		unknown_setting(name);
	if (given && given[0] != '\0')
	{
		value = wa_admin_check_setting(setting, given, &problem);
		if (problem)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for setting \"%s\"", name),
					 errdetail_internal("%s", problem)));
	}
	else
		check_reset(setting);
	check_test_number(name, value);
	/* a mode without a stamp is how a restored database is recognized */
	if (setting->kind == WA_SETTING_MODE)
		(void) wa_admin_stamp_first();
	wa_admin_put_setting(name, value);
	value = wa_office_get(name);
	if (setting->kind == WA_SETTING_TIME_ZONE)
		value = psprintf("%s, where it is %s now", value, wa_office_time_zone_now(value));
	if (value && strcmp(name, "odoo_schema") == 0)
		warn_of_missing_schema(value);
	if (value)
		result = wa_call_text(&call, value);
	wa_call_end(&call);
	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}
