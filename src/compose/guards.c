/*-------------------------------------------------------------------------
 *
 * guards.c
 *		Guards against talking nonsense to citizens.
 *
 * Automatic messages only: what a person sends by hand is his own affair.  A
 * guard never drops a message silently: it is skipped or held, with a reason
 * that the ledger shows, or its event ends with an outcome.
 *
 * Counting is set-based, one statement per batch, so that a synchronisation of
 * 30,000 permits costs no more than one permit, 60 times over.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/formatting.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compose/bulk.h"
#include "compose/guards.h"
#include "compose/scenario.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/query.h"
#include "text/text.h"

PG_FUNCTION_INFO_V1(wa_sql_mute);

/*
 * Days from a date (YYYY-MM-DD) to today in the office; -1 if not known.
 */
int
wa_compose_guard_days_since(const WaBatch *batch, const char *iso)
{
	pg_tz	   *zone = batch->time_zone ? pg_tzset(batch->time_zone) : NULL;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	int			year;
	int			month;
	int			day;

	if (iso == NULL || !wa_compose_value_read_date(iso, &year, &month, &day) ||
		timestamp2tm(GetCurrentTimestamp(), &offset, &tm, &fsec, NULL,
					 zone ? zone : pg_tzset("UTC")) != 0)
		return -1;
	return date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - date2j(year, month, day);
}

static char *
folded(const char *text)
{
	size_t		length;

	text += strspn(text, " \t\r\n");
	length = strlen(text);
	while (length > 0 && strchr(" \t\r\n", text[length - 1]))
		length--;
	return str_tolower(text, length, DEFAULT_COLLATION_OID);
}

/*
 * The signature of a contact that was found with name ILIKE '%Budi%': the
 * contact's name contains the applicant's, and is another one.
 */
bool
wa_compose_guard_found_by_part_of_name(const char *partner, const char *applicant)
{
	char	   *whole;
	char	   *part;

	if (partner == NULL || applicant == NULL)
		return false;
	whole = folded(partner);
	part = folded(applicant);
	return part[0] != '\0' && strcmp(whole, part) != 0 && strstr(whole, part) != NULL;
}

/*
 * Is the scenario silenced for this event?  The event's outcome says so then.
 */
bool
wa_compose_guard_muted(WaBatch *batch, const WaEvent *event, const WaScenario *scenario)
{
	ListCell   *cell;

	if (scenario->muted_until == 0 || event->at >= scenario->muted_until)
		return false;
	foreach(cell, batch->outcomes)
	{
		WaOutcomeRow *row = lfirst(cell);

		if (row->event == event && row->scenario == scenario->key)
			return true;
	}
	wa_compose_outcome(batch, event, scenario, "muted",
					   wa_say(WA_SAY_SCENARIO_MUTED_UNTIL, wa_office_time_words(scenario->muted_until, batch->time_zone)));
	return true;
}

/*
 * Why this message is no news any more, or NULL.
 */
static WaSaid
old_news(const WaBatch *batch, const WaDraft *draft)
{
	const WaComposer *composer = draft->scenario->composer;

	return composer->old_news && draft->scenario->news_days != PG_INT32_MAX &&
		draft->message.state != WA_STATE_SKIPPED ? composer->old_news(batch, draft) : NULL;
}

/*
 * Does this message, which says more, take the place of others to the same person?
 * Not if it is no news: that a permit of old is valid again, after it was cancelled,
 * is one.  That an old one, a draft until now, comes from elsewhere is none.
 */
bool
wa_compose_guard_speaks_for_others(const WaBatch *batch, const WaDraft *draft)
{
	const char *before = wa_compose_event_old(draft->event, "status");

	return !wa_odoo_filled(before) || wa_odoo_is(before, "draft") || old_news(batch, draft) == NULL;
}

/*
 * Judge one message by itself: is it news, and is this the right person?
 */
static void
judge(WaBatch *batch, WaDraft *draft)
{
	WaNewMessage *message = &draft->message;
	const WaRecipient *recipient = draft->recipient;
	WaPermit   *permit = NULL;
	WaSaid		why;

	if (wa_odoo_is(message->res_model, "sicantik.permit"))
		permit = wa_odoo_permit(&batch->odoo, message->res_id);
	if (permit == NULL)
		return;
	why = old_news(batch, draft);
	if (why)
	{
		message->state = WA_STATE_SKIPPED;
		message->reason = WA_REASON_NOT_NEWS;
		message->detail = wa_say(WA_SAY_MORE_THAN_DAYS_AGO, why, WA_NUMBER(draft->scenario->news_days));
	}
	else if (recipient && !draft->is_staff && message->state == WA_STATE_QUEUED &&
			 wa_compose_guard_found_by_part_of_name(recipient->name, permit->applicant_name))
	{
		message->state = WA_STATE_HELD;
		message->reason = WA_REASON_NAME_MISMATCH;
		message->detail = wa_say(WA_SAY_NAMES_DIFFER, recipient->name, permit->applicant_name);
	}
}

/* ---- limits ---- */

/*
 * Will this draft be a message that waits to be sent?
 */
bool
wa_compose_guard_is_queued(const WaDraft *draft)
{
	return !draft->dropped && draft->message.state == WA_STATE_QUEUED;
}

/*
 * Rather hold it, for this reason.
 */
void
wa_compose_guard_hold(WaDraft *draft, WaReason reason, WaSaid detail)
{
	draft->message.state = WA_STATE_HELD;
	draft->message.reason = reason;
	draft->message.detail = detail;
}

typedef struct NumberCount
{
	char		number[WA_NUMBER_SIZE]; /* hash key */
	int64		messages;
} NumberCount;

static HTAB *
count_numbers(WaDraft **drafts, int n)
{
	static WaStatement count =
		WA_STATEMENT("SELECT m.number, count(*) FROM wa.message AS m"
					 " WHERE m.number = ANY ($1) AND m.created_at > clock_timestamp() - interval '24 hours'"
					 " AND m.created_at < clock_timestamp() + interval '24 hours'"
					 " AND m.state IN " WA_SQL_STATES(WA_GOES)
					 " GROUP BY m.number");
	HASHCTL		ctl = {0};
	HTAB	   *table;
	const char **numbers = palloc(sizeof(char *) * n);
	int			nnumbers = 0;
	WaArgs		args = {0};
	WaRows		rows;

	ctl.keysize = WA_NUMBER_SIZE;
	ctl.entrysize = sizeof(NumberCount);
	ctl.hcxt = CurrentMemoryContext;
	table = hash_create("sicantik_wa messages per number", n, &ctl,
						HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	for (int i = 0; i < n; i++)
	{
		NumberCount *entry;
		bool		found;

		if (!wa_compose_guard_is_queued(drafts[i]) || drafts[i]->scenario->max_per_day_and_number == PG_INT32_MAX)
			continue;
		entry = hash_search(table, drafts[i]->message.number, HASH_ENTER, &found);
		if (found)
			continue;
		entry->messages = 0;
		numbers[nnumbers++] = drafts[i]->message.number;
	}
	if (nnumbers == 0)
		return table;
	wa_arg_text_array(&args, numbers, nnumbers);
	rows = wa_query(&count, &args);
	for (uint64 r = 0; r < rows.n; r++)
	{
		NumberCount *entry = hash_search(table, wa_row_text(rows, r, 1), HASH_FIND, NULL);

		if (entry)
			entry->messages = wa_row_int8(rows, r, 2);
	}
	wa_rows_free(rows);
	return table;
}

/* Not more than so many messages in 24 hours to one number. */
static void
limit_per_number(WaDraft **drafts, int n)
{
	HTAB	   *table = count_numbers(drafts, n);

	for (int i = 0; i < n; i++)
	{
		int			limit = drafts[i]->scenario->max_per_day_and_number;
		NumberCount *entry;

		if (!wa_compose_guard_is_queued(drafts[i]))
			continue;
		entry = hash_search(table, drafts[i]->message.number, HASH_FIND, NULL);
		if (entry == NULL)
			continue;
		if (limit != PG_INT32_MAX && entry->messages >= limit)
			wa_compose_guard_hold(drafts[i], WA_REASON_DAILY_LIMIT,
								  wa_say(WA_SAY_TOO_MANY_TO_NUMBER, WA_NUMBER(limit)));
		else
			entry->messages++;
	}
	hash_destroy(table);
}

/* What comes outside the hours waits until they begin. */
static void
wait_for_hours(WaBatch *batch, const WaScenario *scenario, WaDraft **drafts, int n)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz opening;
	WaSaid		detail;

	if (scenario->hours.any_time)
		return;
	if (batch->holidays == NULL)
		batch->holidays = wa_office_holidays();
	opening = wa_office_hours_opening(&scenario->hours, batch->holidays, batch->time_zone, now);
	if (opening <= now)
		return;
	detail = wa_office_hours_wait(batch->holidays, batch->time_zone, now, opening);
	for (int i = 0; i < n; i++)
	{
		WaNewMessage *message = &drafts[i]->message;

		if (drafts[i]->scenario != scenario || !wa_compose_guard_is_queued(drafts[i]) || message->due_at > opening)
			continue;
		message->due_at = opening;
		message->expires_at = Max(message->expires_at, opening + scenario->time_to_live_us);
		message->reason = WA_REASON_OUTSIDE_HOURS;
		message->detail = detail;
	}
}

/*
 * Judge the messages of a batch: skip what is no news, hold what is doubtful
 * or too much, and let what comes outside the hours wait.  They must be in the
 * order in which they are to pass.
 */
void
wa_compose_guards_apply(WaBatch *batch, WaDraft **drafts, int n)
{
	for (int i = 0; i < n; i++)
	{
		drafts[i]->dropped = drafts[i]->dropped || drafts[i]->muted;
		if (!drafts[i]->dropped)
			judge(batch, drafts[i]);
	}
	limit_per_number(drafts, n);
	for (int s = 0; s < batch->nscenarios; s++)
	{
		const WaScenario *scenario = &batch->scenarios[s];

		if (scenario->max_per_transaction != PG_INT32_MAX || scenario->max_per_hour != PG_INT32_MAX)
			wa_compose_bulk_limit(scenario, drafts, n);
		if (!batch->observe)
			wait_for_hours(batch, scenario, drafts, n);
	}
}

/*
 * wa_mute(): see compose.sql.
 */
Datum
wa_sql_mute(PG_FUNCTION_ARGS)
{
	static WaStatement mute =
		WA_STATEMENT("UPDATE wa.scenario SET muted_until = $2 WHERE key = $1");
	char	   *scenario = wa_call_arg_text(fcinfo, 0);
	WaCall		call;
	WaArgs		args = {0};
	int64		n;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	wa_arg_text(&args, scenario);
	wa_arg_timestamptz(&args, PG_ARGISNULL(1) ? 0 : PG_GETARG_TIMESTAMPTZ(1));
	n = (int64) wa_query(&mute, &args).n;
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("scenario \"%s\" does not exist", scenario ? scenario : "NULL"),
				 errhint("SELECT key, name FROM wa.scenario_view lists the scenarios.")));
	wa_call_end(&call);
	PG_RETURN_INT64(n);
}
