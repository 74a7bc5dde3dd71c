/*-------------------------------------------------------------------------
 *
 * setting.c
 *		The office's own settings, kept in wa.setting.
 *
 * They are rows and not server settings because they belong to the database
 * and must travel with its backup.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "office/setting.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "sicantik_wa.h"

const WaSetting wa_office_settings[] = {
	{"mode", WA_SETTING_MODE, "observe",
	"observe: only messages by hand go out; live: all (wa_arm sets it); test: all to test_number"},
	{"test_number", WA_SETTING_NUMBER, NULL,
	"number that gets every message in mode test"},
	{"alert_number", WA_SETTING_NUMBER, NULL,
	"number that is told when a provider is in trouble, through another provider, and when one tells of trouble with the account"},
	{"unknown_wait", WA_SETTING_WAIT, "10 min",
	"how long the provider's word is awaited when it is not known whether it took a message; then the scenario's unknown_policy is carried out"},
	{"time_zone", WA_SETTING_TIME_ZONE, "Asia/Jakarta",
	"time zone of the office, for times in messages and in what people are told, and the day of daily caps"},
	{"office_name", WA_SETTING_TEXT, NULL,
	"name of the office, the end of every message"},
	{"contact_dpmptsp", WA_SETTING_TEXT, NULL,
	"contact that citizens are told, such as a phone number"},
	{"download_link", WA_SETTING_LINK, NULL,
	"pattern of the link to a finished permit"},
	{"detail_link", WA_SETTING_LINK, NULL,
	"pattern of the link to the state of a permit"},
	{"renewal_link", WA_SETTING_LINK, NULL,
	"pattern of the link to renew a permit"},
	{"approval_link", WA_SETTING_LINK, NULL,
	"pattern of the link to approve a document"},
	{"link_dashboard", WA_SETTING_LINK, NULL,
	"link to the staff's dashboard"},
	{"staff_group", WA_SETTING_GROUP, NULL,
	"Odoo group (module.name) that gets status updates as well"},
	{"odoo_schema", WA_SETTING_IDENTIFIER, "public",
	"schema of Odoo's tables"},
	{"language", WA_SETTING_LANGUAGE, "id",
	"language of all that is told to people (wa_check, wa_status, wa_why, wa_explain, wa_report, alerts and others): id or en"},
	{"retention", WA_SETTING_INTERVAL, "90 days",
	"time after which a message loses its number and text; figures stay two years"},
	{"opt_out_words", WA_SETTING_WORDS, "STOP,BERHENTI,UNSUB,UNSUBSCRIBE",
	"words, separated by commas, of which one alone as a message means that its sender wants no messages any more"},
	{"opt_in_words", WA_SETTING_WORDS, "START,MULAI",
	"the same for one who wants messages again, or for the first time"},
	{"confirm_opt_out", WA_SETTING_SWITCH, "on",
	"on: who has written one of opt_out_words is told, the way he wrote and once a day at most, that he gets no messages any more"},
	{"opt_out_text", WA_SETTING_TEXT, NULL,
	"what he is told then; unset: a sentence in Indonesian that names the last of opt_in_words"},
	{"invite_interval", WA_SETTING_INTERVAL, "90 days",
	"time in which wa_invite() asks the same number once; beyond retention, which takes the numbers out of the ledger, it has no effect"},
	{"invite_text", WA_SETTING_TEXT, NULL,
	"what wa_invite() says above the link; unset: a sentence in Indonesian"},
	{"write_back", WA_SETTING_SWITCH, "off",
	"on: what people say from then on of messages of all kinds is written to their contacts in Odoo (whatsapp_opt_in and its date)"},
	{"opt_in_by_inbound", WA_SETTING_SWITCH, "off",
	"on: who has written to Meta's number has agreed to messages by that, unless he has opted out; off: he gets answers within 24 hours, and agrees with one of opt_in_words"},
	{"marketing_stop_stops_all", WA_SETTING_SWITCH, "off",
	"on: who wants no messages of marketing gets none at all; off: he still gets notices of his permits"},
	{"inbound", WA_SETTING_INBOUND, "keep",
	"keep: what people write to us stays in wa.inbound; notify: alert_number is told as well, once a day at most, how much has come in"},
	{"feedback_retention", WA_SETTING_INTERVAL, "30 days",
	"time after which what a provider told, and nothing came of, is deleted"},
	{NULL, WA_SETTING_TEXT, NULL, NULL}
};

/*
 * The setting of this name, or NULL.
 */
const WaSetting *
wa_office_find_setting(const char *name)
{
	for (const WaSetting *setting = wa_office_settings; setting->name; setting++)
		if (strcmp(setting->name, name) == 0)
			return setting;
	return NULL;
}

/* All rows, as a transaction of the worker's has found them. */
static MemoryContext kept_in = NULL;
static LocalTransactionId kept_for = InvalidLocalTransactionId;
static char **kept_names = NULL;
static char **kept_values = NULL;
static uint64 nkept = 0;

/*
 * A worker asks for a dozen of them in each of its short transactions: it reads
 * the table once in each.
 */
static void
keep_all(LocalTransactionId transaction)
{
	static WaStatement read =
		WA_STATEMENT("SELECT name, value FROM wa.setting");
	WaRows		rows = wa_query(&read, NULL);
	MemoryContext caller;

	kept_for = InvalidLocalTransactionId;
	if (kept_in == NULL)
		kept_in = AllocSetContextCreate(TopMemoryContext, "sicantik_wa settings", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(kept_in);
	caller = MemoryContextSwitchTo(kept_in);
	kept_names = palloc(sizeof(char *) * Max(rows.n, 1));
	kept_values = palloc(sizeof(char *) * Max(rows.n, 1));
	for (nkept = 0; nkept < rows.n; nkept++)
	{
		kept_names[nkept] = wa_row_text(rows, nkept, 1);
		kept_values[nkept] = wa_row_isnull(rows, nkept, 2) ? NULL : wa_row_text(rows, nkept, 2);
	}
	MemoryContextSwitchTo(caller);
	wa_rows_free(rows);
	kept_for = transaction;
}

/*
 * What stands in the row, palloc()ed and unchecked, or NULL.
 */
char *
wa_office_get_row(const char *name)
{
	static WaStatement get =
		WA_STATEMENT("SELECT value FROM wa.setting WHERE name = $1");
	LocalTransactionId frame = wa_frame_of();
	char	   *value = NULL;
	WaArgs		args = {0};
	WaRows		rows;

	if (LocalTransactionIdIsValid(frame))
	{
		if (kept_for != frame)
			keep_all(frame);
		for (uint64 i = 0; i < nkept; i++)
			if (strcmp(kept_names[i], name) == 0)
				return kept_values[i] ? pstrdup(kept_values[i]) : NULL;
		return NULL;
	}
	wa_arg_text(&args, name);
	rows = wa_query(&get, &args);
	if (rows.n > 0)
		value = wa_row_text(rows, 0, 1);
	wa_rows_free(rows);
	return value;
}

/*
 * A length of time that does not depend on a date: microseconds, a month being
 * 30 days.  False if it is none.
 */
bool
wa_office_interval_read(const char *text, int64 *us)
{
	char		work[MAXDATELEN * 2];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			nfields;
	int			type;
	struct pg_itm_in tm = {0};
	int64		days;

	if (strlen(text) >= MAXDATELEN)
		return false;
	if (ParseDateTime(text, work, sizeof(work), fields, types, MAXDATEFIELDS, &nfields) != 0 ||
		DecodeInterval(fields, types, nfields, INTERVAL_FULL_RANGE, &type, &tm) != 0)
	{
		/* as the server's own input does */
		strlcpy(work, text, sizeof(work));
		memset(&tm, 0, sizeof(tm));
		if (DecodeISO8601Interval(work, &type, &tm) != 0)
			return false;
	}
	if (type != DTK_DELTA)
		return false;
	days = ((int64) tm.tm_year * MONTHS_PER_YEAR + tm.tm_mon) * DAYS_PER_MONTH + tm.tm_mday;
	return !pg_mul_s64_overflow(days, USECS_PER_DAY, us) &&
		!pg_add_s64_overflow(*us, tm.tm_usec, us);
}

/* Is it as long as wa_set() lets one of this kind be? */
static bool
is_usable_interval(WaSettingKind kind, const char *text)
{
	int64		us;

	if (!wa_office_interval_read(text, &us))
		return false;
	return kind == WA_SETTING_WAIT ? us >= 0 && us <= USECS_PER_DAY :
		us >= USECS_PER_DAY && us <= (int64) (WA_OFFICE_MOST_DAYS * USECS_PER_DAY);
}

/*
 * What holds where the row of this setting says "value" (NULL: there is none):
 * it, or the default, palloc()ed, or NULL if unset.  Checked here is what is not
 * wrong in PostgreSQL's eyes: a time zone, and an interval, since '90' is one of
 * 90 seconds, after which all that was said would be erased.  What cannot be
 * meant counts as unset.
 */
char *
wa_office_in_force(const WaSetting *setting, char *value)
{
	if (value)
		switch (setting->kind)
		{
			case WA_SETTING_TIME_ZONE:
				value = wa_office_time_zone_read(value);
				break;
			case WA_SETTING_WAIT:
			case WA_SETTING_INTERVAL:
				if (!is_usable_interval(setting->kind, value))
					value = NULL;
				break;
			default:
				break;
		}
	if (value)
		return value;
	return setting->default_value ? pstrdup(setting->default_value) : NULL;
}

/*
 * The value in force, palloc()ed, or NULL if unset.  A row that is not a known
 * setting is never asked for; a wrong value in a row (anybody who may write
 * the table can put it there) is the reader's to check.
 */
char *
wa_office_get(const char *name)
{
	const WaSetting *setting = wa_office_find_setting(name);
	char	   *value = wa_office_get_row(name);

	return setting ? wa_office_in_force(setting, value) : value;
}

/* What holds where no row says anything else; "": nothing does. */
static const char *
default_of(const char *name)
{
	const WaSetting *setting = wa_office_find_setting(name);

	return setting && setting->default_value ? setting->default_value : "";
}

/*
 * Is this setting on?  A row with anything else than a boolean in it counts as
 * not there.
 */
bool
wa_office_is_on(const char *name)
{
	char	   *value = wa_office_get(name);
	bool		on;

	if ((value == NULL || !parse_bool(value, &on)) && !parse_bool(default_of(name), &on))
		elog(ERROR, "setting \"%s\" has no usable default", name);
	return on;
}

/*
 * The language of people: what this session asks for, else the office's, which
 * is Indonesian, unless it is set to English.
 */
WaLanguage
wa_office_language(void)
{
	char	   *language;

	if (wa_guc_language != WA_OFFICE_LANGUAGE)
		return (WaLanguage) wa_guc_language;
	language = wa_office_get("language");
	return language && strcmp(language, "en") == 0 ? WA_ENGLISH : WA_INDONESIAN;
}

/*
 * The value in force of an interval setting, in microseconds.  A row with
 * something else in it counts as not there: it must not stop the worker.
 */
int64
wa_office_get_interval(const char *name)
{
	char	   *value = wa_office_get(name);
	int64		us = 0;

	if (value == NULL || !wa_office_interval_read(value, &us))
		elog(ERROR, "setting \"%s\" has no usable default", name);
	return us;
}
