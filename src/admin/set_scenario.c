/*-------------------------------------------------------------------------
 *
 * set_scenario.c
 *		wa_set_scenario(): the policy of a scenario, checked.
 *
 * What a scenario listens to and what composes it are not among its settings:
 * a composer may be a function that runs with the rights of the database's
 * owner, so naming it is his affair (UPDATE wa.scenario).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "admin/admin.h"
#include "admin/options.h"
#include "pg/call.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "route/providers.h"

PG_FUNCTION_INFO_V1(wa_sql_set_scenario);

#define MAX_NAME_BYTES	200

typedef enum SettingKind
{
	S_NAME, S_TEMPLATE, S_BOOLEAN, S_TIME_TO_LIVE, S_TIME_LIMIT, S_POLICY, S_PRIORITY,
	S_GROUP, S_TIME, S_DAILY, S_WEEKDAYS, S_THRESHOLDS, S_LIMIT, S_LIMIT_OF_NUMBER, S_MUTED
} SettingKind;

/* Columns of wa.scenario that are policy. */
static const struct
{
	const char *name;
	SettingKind kind;
	bool		removable;		/* JSON null is a value */
}			known[] =
{
	{"name", S_NAME, false},
	{"template_key", S_TEMPLATE, false},
	{"active", S_BOOLEAN, false},
	{"on_insert", S_BOOLEAN, false},
	{"exclusive", S_BOOLEAN, false},
	{"requires_opt_in", S_BOOLEAN, false},
	{"time_to_live", S_TIME_TO_LIVE, false},
	{"unknown_policy", S_POLICY, false},
	{"priority", S_PRIORITY, false},
	{"fallback", S_BOOLEAN, false},
	{"fallback_when_paced", S_BOOLEAN, false},
	{"staff_group", S_GROUP, true},
	{"approver_group", S_GROUP, true},
	{"hours_from", S_TIME, true},
	{"hours_to", S_TIME, true},
	{"weekdays", S_WEEKDAYS, true},
	{"max_per_transaction", S_LIMIT, true},
	{"max_per_hour", S_LIMIT, true},
	{"max_per_day_and_number", S_LIMIT_OF_NUMBER, true},
	{"news_days", S_LIMIT, true},
	{"muted_until", S_MUTED, true},
	{"daily_at", S_DAILY, false},
	{"thresholds", S_THRESHOLDS, false},
	{"time_limit", S_TIME_LIMIT, false},
};

/* The value of this type that a text stands for; false if it is none. */
static bool
parse(PGFunction input, const char *text, Datum *value)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool ok = false;

	PG_TRY();
	{
		*value = DirectFunctionCall3(input, CStringGetDatum(text),
									 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
		ok = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	return ok;
}

/* From here on times are the office's, as it reads and writes them. */
static void
use_time_zone_of_office(void)
{
	char	   *zone = wa_office_get("time_zone");

	if (zone && pg_tzset(zone))
		(void) set_config_option("TimeZone", zone, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

static char *
check_interval(const WaOption *option, double least_us, double most_us, const char *expected)
{
	const char *text = option->type == WA_OPTION_STRING ? option->text : NULL;
	Datum		value = (Datum) 0;
	Interval   *interval;
	double		us;

	if (text == NULL || !parse(interval_in, text, &value))
		wa_admin_option_refuse(option, expected, "Write an interval, such as \"12 hours\".");
	interval = DatumGetIntervalP(value);
	us = (double) interval->time + ((double) interval->day + 30.0 * interval->month) * USECS_PER_DAY;
	if (us < least_us || us > most_us)
		wa_admin_option_refuse(option, expected, NULL);
	return DatumGetCString(DirectFunctionCall1(interval_out, value));
}

static char *
check_time(const WaOption *option)
{
	Datum		value = (Datum) 0;

	if (option->type != WA_OPTION_STRING || !parse(time_in, option->text, &value))
		wa_admin_option_refuse(option, "a time of day", "Write it as \"HH:MM\", such as \"07:30\".");
	return DatumGetCString(DirectFunctionCall1(time_out, value));
}

/* A daily scenario has a time; one that listens to a table has none. */
static char *
check_daily(const WaOption *option, const char *key)
{
	static WaStatement daily =
		WA_STATEMENT("SELECT FROM wa.scenario WHERE key = $1 AND daily_at IS NOT NULL");
	WaArgs		args = {0};
	char	   *time;

	wa_arg_text(&args, key);
	if (wa_query(&daily, &args).n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("scenario \"%s\" is not a daily one", key),
				 errdetail("It runs when something changes in a table.")));
	time = check_time(option);
	if (strncmp(time, "24", 2) == 0)
		wa_admin_option_refuse(option, "a time of day before 24:00", "The day of a run begins with \"00:00\".");
	return time;
}

static char *
check_template(const WaOption *option)
{
	const char *key = wa_admin_option_string(option);
	WaTemplate *template = wa_route_load_template(key);

	if (template == NULL || !template->active)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 template ? errmsg("template \"%s\" is not active", key) :
				 errmsg("template \"%s\" does not exist", key),
				 template ? errhint("SELECT wa_set_template('%s', '{\"active\": true}') makes it so.", key) :
				 errhint("SELECT key FROM wa.template_view lists the templates; wa_set_template() makes one.")));
	return pstrdup(key);
}

static char *
check_group(const WaOption *option)
{
	char	   *problem;
	char	   *value = wa_admin_check_setting(wa_office_find_setting("staff_group"), wa_admin_option_string(option), &problem);

	if (problem)
		wa_admin_option_refuse(option, "the external id of an Odoo group", "Write it as module.name, such as base.group_user.");
	return value;
}

static char *
check_muted(const WaOption *option)
{
	Datum		value = (Datum) 0;

	if (option->type != WA_OPTION_STRING || !parse(timestamptz_in, option->text, &value))
		wa_admin_option_refuse(option, "a time", "Write it as \"YYYY-MM-DD HH:MM\", in the time zone of the office.");
	return DatumGetCString(DirectFunctionCall1(timestamptz_out, value));
}

static char *
check_name(const WaOption *option)
{
	const char *name = wa_admin_option_string(option);

	if (name[strspn(name, " \t\r\n")] == '\0' || strlen(name) > MAX_NAME_BYTES)
		wa_admin_option_refuse(option, psprintf("a name of at most %d bytes", MAX_NAME_BYTES), NULL);
	return pstrdup(name);
}

static void
add_integers(StringInfo json, const WaOption *option, int low, int high, int least, int most)
{
	int		   *values;
	int			n = wa_admin_option_integers(option, low, high, &values);

	if (n < least || n > most)
		wa_admin_option_refuse(option, psprintf("a list of %d to %d integers between %d and %d", least, most, low, high), NULL);
	appendStringInfoChar(json, '[');
	for (int i = 0; i < n; i++)
		appendStringInfo(json, "%s%d", i > 0 ? ", " : "", values[i]);
	appendStringInfoChar(json, ']');
}

/* Append the value of a setting, in the form in which the column takes it. */
static void
add_value(StringInfo json, const WaOption *option, int setting, const char *key)
{
	static const char *const policies[] = {"resend", "give up", "hold"};
	static const char *const priorities[] = {"high", "normal", "low"};
	const char *text = NULL;

	if (wa_admin_option_is_null(option))
	{
		if (!known[setting].removable)
			wa_admin_option_refuse(option, "set", "It cannot be removed.");
		appendStringInfoString(json, "null");
		return;
	}
	switch (known[setting].kind)
	{
		case S_BOOLEAN:
			appendStringInfoString(json, wa_admin_option_boolean(option) ? "true" : "false");
			return;
		case S_LIMIT:
			appendStringInfo(json, "%d", wa_admin_option_integer(option, 0, PG_INT32_MAX));
			return;
		case S_LIMIT_OF_NUMBER:
			appendStringInfo(json, "%d", wa_admin_option_integer(option, 1, PG_INT32_MAX));
			return;
		case S_WEEKDAYS:
			add_integers(json, option, 1, 7, 1, 7);
			return;
		case S_THRESHOLDS:
			add_integers(json, option, 0, 3650, 0, 20);
			return;
		case S_NAME:
			text = check_name(option);
			break;
		case S_TEMPLATE:
			text = check_template(option);
			break;
		case S_TIME_TO_LIVE:
			text = check_interval(option, 1, 30.0 * USECS_PER_DAY, "an interval of more than 0 and at most 30 days");
			break;
		case S_TIME_LIMIT:
			text = check_interval(option, 10000, USECS_PER_MINUTE, "an interval between 10 milliseconds and 1 minute");
			break;
		case S_POLICY:
			text = wa_admin_option_word(option, policies, lengthof(policies));
			break;
		case S_PRIORITY:
			text = wa_admin_option_word(option, priorities, lengthof(priorities));
			break;
		case S_GROUP:
			text = check_group(option);
			break;
		case S_TIME:
			text = check_time(option);
			break;
		case S_DAILY:
			text = check_daily(option, key);
			break;
		case S_MUTED:
			text = check_muted(option);
			break;
	}
	escape_json(json, text);
}

static void
require_scenario(const char *key)
{
	static WaStatement find =
		WA_STATEMENT("SELECT (SELECT string_agg(key, ', ' ORDER BY key COLLATE \"C\") FROM wa.scenario)"
					 " WHERE NOT EXISTS (SELECT FROM wa.scenario WHERE key = $1)");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, key);
	rows = wa_query(&find, &args);
	if (rows.n > 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("scenario \"%s\" does not exist", key ? key : "NULL"),
				 wa_row_isnull(rows, 0, 1) ? errhint("There is none yet: SELECT * FROM wa_setup().") :
				 errhint("Scenarios: %s.", wa_row_text(rows, 0, 1))));
}

/* What an administrator must not name is the owner's. */
static void
check_names(const WaOptions *options)
{
	const char *names[lengthof(known)];

	for (size_t i = 0; i < lengthof(known); i++)
		names[i] = known[i].name;
	for (int i = 0; i < options->n; i++)
		if (strcmp(options->list[i].name, "composer") == 0 || strcmp(options->list[i].name, "watch") == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("\"%s\" is not a setting of a scenario", options->list[i].name),
					 errdetail("It decides which function runs, with the rights of the database's owner."),
					 errhint("The owner changes it with UPDATE wa.scenario.")));
	wa_admin_options_check_known(options, names, lengthof(names), "a scenario");
}

/* The change, and whose. */
typedef struct Change
{
	const char *key;
	const char *json;
} Change;

static bool
change(void *argument)
{
	static WaStatement update =
		WA_STATEMENT("UPDATE wa.scenario AS s SET (name, template_key, active, on_insert, exclusive, requires_opt_in,"
					 " time_to_live, unknown_policy, priority, fallback, fallback_when_paced, staff_group, approver_group,"
					 " hours_from, hours_to, weekdays, max_per_transaction, max_per_hour, max_per_day_and_number,"
					 " news_days, muted_until, daily_at, thresholds, time_limit) ="
					 " (SELECT name, template_key, active, on_insert, exclusive, requires_opt_in,"
					 " time_to_live, unknown_policy, priority, fallback, fallback_when_paced, staff_group, approver_group,"
					 " hours_from, hours_to, weekdays, max_per_transaction, max_per_hour, max_per_day_and_number,"
					 " news_days, muted_until, daily_at, thresholds, time_limit"
					 " FROM jsonb_populate_record(s, $2::jsonb)) WHERE key = $1");
	const Change *c = argument;
	WaArgs		args = {0};

	wa_arg_text(&args, c->key);
	wa_arg_text(&args, c->json);
	wa_query(&update, &args);
	return true;
}

/* What two settings must have in common only the table knows. */
static void
explain(const ErrorData *error)
{
	if (error->constraint_name && strcmp(error->constraint_name, "scenario_hours_check") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("hours_from and hours_to must be set both or neither, and hours_from be the earlier one")));
}

/*
 * wa_set_scenario(): see admin.sql.
 */
Datum
wa_sql_set_scenario(PG_FUNCTION_ARGS)
{
	static WaStatement read =
		WA_STATEMENT("SELECT to_jsonb(s) - 'created_at' FROM wa.scenario AS s WHERE key = $1");
	char	   *key = wa_call_arg_text(fcinfo, 0);
	WaCall		call;
	WaOptions	options;
	StringInfoData json;
	Change		wanted;
	ErrorData  *error = NULL;
	WaArgs		args = {0};
	Datum		result;

	wa_call_begin_reading(&call, WA_LEVEL_ADMIN);
	wa_admin_options_read(&options, PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1));
	/* without settings it reads */
	if (options.n > 0)
		wa_call_writes(fcinfo);
	require_scenario(key);
	check_names(&options);
	use_time_zone_of_office();
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < options.n; i++)
		for (int k = 0; k < (int) lengthof(known); k++)
		{
			if (strcmp(options.list[i].name, known[k].name) != 0)
				continue;
			appendStringInfo(&json, "%s\"%s\": ", i > 0 ? ", " : "", known[k].name);
			add_value(&json, &options.list[i], k, key);
		}
	appendStringInfoChar(&json, '}');
	wanted.key = key;
	wanted.json = json.data;
	if (options.n > 0)
		error = wa_pg_subtransaction(change, &wanted);
	if (error)
	{
		explain(error);
		ReThrowError(error);
	}
	wa_arg_text(&args, key);
	result = wa_call_datum(&call, wa_row_datum(wa_query(&read, &args), 0, 1), false, -1);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
