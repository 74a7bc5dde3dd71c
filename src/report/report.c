/*-------------------------------------------------------------------------
 *
 * report.c
 *		wa_report(): a period of the office on one page.
 *
 * What matters is on the first screen, in words and four figures, and with what
 * needs attention; then how it went, where, what failed and what to do about
 * it.  Everything is read from the figures by day (queue/figure.c), so it takes
 * as long as the days are many and not as the messages are, and there is
 * nothing of a person in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "office/setting.h"
#include "pg/call.h"
#include "queue/state.h"
#include "report/chart.h"
#include "report/report.h"

PG_FUNCTION_INFO_V1(wa_sql_report);

/* A point of a chart is a day, a week or a month. */
#define MOST_DAYS	45
#define MOST_WEEKS	(7 * 60)
#define LONGEST		3653

/* kB; years of figures fit. */
#define ENOUGH_MEMORY	65536

#define SUM(condition)	"coalesce(sum(n) FILTER (WHERE " condition "), 0)::bigint"
#define QUANTILE(figure, part) \
	"extract(epoch FROM wa._quantile(array_agg(detail) FILTER (WHERE figure = '" figure "')," \
	" array_agg(n::bigint) FILTER (WHERE figure = '" figure "'), " part "))::float8"

static const WaColumn tally_columns[] = {WA_TALLY_COLUMNS(WA_COLUMN_LINE, WaTally)};
static const WaRowType tally_row = WA_ROW_TYPE(WaTally, tally_columns);

/*
 * Of a period: of "period" the sum, of "point" a row for each point of a chart
 * (name: days since 2000), of "scenario" and "provider" one for each, and of
 * "detail" one for each figure and detail (name: both, with a space between),
 * whose made is how many these are.  What lies in a point is added up first, so
 * that all of it costs one look.  A provider
 * without webhooks tells of no delivery: those that have told of any are "told".
 */
#define TALLIES \
	"WITH f AS MATERIALIZED (SELECT date_trunc($3, day::timestamp)::date AS at, scenario, provider, figure, detail, sum(n) AS n" \
	" FROM wa._figure WHERE day BETWEEN $1::date AND $2::date AND figure NOT IN ('attempt', 'attempts', 'repeats', 'pricing')" \
	" GROUP BY 1, 2, 3, 4, 5)," \
	" told AS (SELECT f.provider AS name FROM f WHERE f.figure = 'was_delivered' GROUP BY f.provider HAVING sum(f.n) > 0)" \
	" SELECT {columns} FROM (SELECT CASE GROUPING(at, scenario, provider, figure)" \
	" WHEN 15 THEN 'period' WHEN 7 THEN 'point' WHEN 11 THEN 'scenario' WHEN 13 THEN 'provider' ELSE 'detail' END AS of," \
	" CASE GROUPING(at, scenario, provider, figure) WHEN 15 THEN '' WHEN 7 THEN (at - date '2000-01-01')::text" \
	" WHEN 11 THEN scenario WHEN 13 THEN provider ELSE figure || ' ' || detail END AS name," \
	" CASE WHEN GROUPING(figure) = 0 THEN sum(n)::bigint ELSE " SUM("figure IN (" WA_SQL_EVERY_STATE ")") " END AS made," \
	SUM("figure IN " WA_SQL_STATES(WA_AT_WORK)) " AS waiting, " SUM("figure = 'was_sent'") " AS sent," \
	SUM("figure = 'was_sent' AND provider IN (SELECT told.name FROM told)") " AS told," \
	SUM("figure = 'was_delivered'") " AS arrived, " SUM("figure = 'was_read'") " AS opened, " SUM("figure = " WA_SQL_STATE(SENT)) " AS only_sent," \
	SUM("figure IN " WA_SQL_STATES(WA_WRONG)) " AS failed, " SUM("figure = " WA_SQL_STATE(HELD)) " AS kept_back," \
	SUM("figure IN (" WA_SQL_STATE(SKIPPED) ", " WA_SQL_STATE(CANCELLED) ", " WA_SQL_STATE(SUPERSEDED) ")") " AS left_out," \
	QUANTILE("sent_after", "0.5") " AS median, " QUANTILE("sent_after", "0.95") " AS p95, " QUANTILE("delivered_after", "0.5") " AS arrival," \
	QUANTILE("delivered_after", "0.95") " AS arrival_p95" \
	" FROM f GROUP BY GROUPING SETS ((), (at), (scenario), (provider), (figure, detail))) AS t WHERE made <> 0 OR of = 'period' ORDER BY made DESC, name"

#define DAYS(report)	((report)->until - (report)->since + 1)

static WaRows
ask(WaStatement *statement, DateADT since, DateADT until, const char *unit)
{
	WaArgs		args = {0};

	wa_arg_datum(&args, DATEOID, DateADTGetDatum(since), false);
	wa_arg_datum(&args, DATEOID, DateADTGetDatum(until), false);
	if (unit)
		wa_arg_text(&args, unit);
	return wa_query(statement, &args);
}

/*
 * A statement with the first and the last day of the report, and the unit if it
 * wants one.
 */
WaRows
wa_report_ask(const WaReport *report, WaStatement *statement, const char *unit)
{
	return ask(statement, report->since, report->until, unit);
}

static WaTally *
read_tallies(DateADT since, DateADT until, const char *unit, int *n)
{
	static WaStatement tallies = WA_STATEMENT_OF(&tally_row, TALLIES);

	return wa_rows_read(ask(&tallies, since, until, unit), &tally_row, n);
}

/* The sum of a period. */
static const WaTally *
whole(const WaTally *tallies, int n)
{
	static const WaTally none = {.median = -1,.p95 = -1,.arrival = -1,.arrival_p95 = -1};

	for (int i = 0; i < n; i++)
		if (strcmp(tallies[i].of, "period") == 0)
			return &tallies[i];
	return &none;
}

static void
read_figures(WaReport *report)
{
	int			days = DAYS(report);
	int			n;
	WaTally    *before;

	report->unit = days <= MOST_DAYS ? "day" : days <= MOST_WEEKS ? "week" : "month";
	report->tallies = read_tallies(report->since, report->until, report->unit, &report->ntallies);
	report->now = whole(report->tallies, report->ntallies);
	/* of the period before only the sum is told: few points will do */
	before = read_tallies(report->since - days, report->since - 1, "year", &n);
	report->before = whole(before, n);
}

/*
 * Of which detail of this figure it is; NULL: of something else.
 */
const char *
wa_report_detail(const WaTally *tally, const char *figure)
{
	size_t		len = strlen(figure);

	if (strcmp(tally->of, "detail") != 0 || strncmp(tally->name, figure, len) != 0 || tally->name[len] != ' ')
		return NULL;
	return tally->name + len + 1;
}

/*
 * WA_PARTS parts of messages, in the order of their names: all of them are in
 * one.
 */
void
wa_report_parts(const WaTally *tally, double *parts)
{
	parts[0] = Max(tally->made - tally->waiting - tally->only_sent - tally->failed - tally->kept_back - tally->left_out, 0);
	parts[1] = tally->only_sent;
	parts[2] = tally->failed;
	parts[3] = tally->waiting + tally->kept_back;
	parts[4] = tally->left_out;
}

const char *const *
wa_report_part_names(const WaPage *page)
{
	const char **names = palloc(sizeof(char *) * WA_PARTS);

	names[0] = T(PART_DELIVERED);
	names[1] = T(PART_SENT);
	names[2] = T(PART_FAILED);
	names[3] = T(PART_WAITING);
	names[4] = T(PART_LEFT_OUT);
	return names;
}

static char *
period(const WaPage *page, DateADT since, DateADT until)
{
	return since == until ? wa_report_day(page, since, true) :
		wa_report_words(page, wa_say(WA_SAY_REPORT_PERIOD, wa_report_day(page, since, true), wa_report_day(page, until, true)));
}

/* "28 November 2026 15:02" */
static char *
time_now(const WaPage *page)
{
	Timestamp	wall = wa_office_time_on_wall(GetCurrentTimestamp(), page->story->time_zone);
	int			minute = (int) (wall % USECS_PER_DAY / USECS_PER_MINUTE);

	return psprintf("%s %02d:%02d", wa_report_day(page, (DateADT) (wall / USECS_PER_DAY), true), minute / 60, minute % 60);
}

/* ---- the first screen ---- */

/* One large figure; what it was before, or of what it is a part. */
static void
put_tile(WaPage *page, const char *what, const char *figure, const char *beside)
{
	wa_report_put(page, "<div class=\"tile\"><span class=\"soft\">");
	wa_report_put_text(page, what);
	wa_report_put(page, "</span>");
	wa_report_put_tag(page, "b", figure);
	wa_report_put_tag(page, "span class=\"soft\"", beside);
	wa_report_put(page, "</div>\n");
}

static char *
against(const WaReport *report, double now, double before, const char *shown)
{
	const WaPage *page = &report->page;

	if (report->before->made == 0 || before < 0)
		return T(NOT_BEFORE);
	return wa_report_words(page, wa_say(WA_SAY_REPORT_AGAINST, shown, wa_report_change(page, now, before)));
}

static void
put_summary(WaReport *report)
{
	WaPage	   *page = &report->page;
	const WaTally *now = report->now;
	const WaTally *before = report->before;

	wa_report_put(page, "<header>");
	wa_report_put_tag(page, "h1", T(TITLE));
	wa_report_put_tag(page, "p class=\"soft\"",
					  psprintf("%s%s%s \xc2\xb7 %s", wa_office_get("office_name") ? wa_office_get("office_name") : "",
							   wa_office_get("office_name") ? " \xc2\xb7 " : "", period(page, report->since, report->until),
							   wa_report_words(page, wa_say(WA_SAY_REPORT_AS_OF,
															time_now(page)))));
	wa_report_put(page, "</header>");
	if (now->made == 0)
		wa_report_put_tag(page, "p class=\"lead\"", T(NOTHING));
	else
	{
		char	   *summary = wa_report_words(page, wa_say(WA_SAY_REPORT_SUMMARY, N(now->made), N(now->sent), N(now->arrived)));

		if (now->median >= 0)
			summary = psprintf("%s %s", summary, wa_report_words(page, wa_say(WA_SAY_REPORT_SUMMARY_TIME, wa_report_time(page, now->median))));
		if (now->arrival >= 0)
			summary = psprintf("%s %s", summary, wa_report_words(page, wa_say(WA_SAY_REPORT_SUMMARY_ARRIVAL, wa_report_time(page, now->arrival))));
		wa_report_put_tag(page, "p class=\"lead\"", summary);
	}
	wa_report_attention_short(report);
	wa_report_put(page, "<div class=\"tiles\">");
	put_tile(page, T(SENT), N(now->sent), against(report, now->sent, before->sent, N(before->sent)));
	put_tile(page, T(DELIVERED), N(now->arrived), wa_report_rate(page, now));
	put_tile(page, T(MEDIAN_TIME), wa_report_time(page, now->median),
			 against(report, now->median, before->median, wa_report_time(page, before->median)));
	put_tile(page, T(FAILED), N(now->failed), against(report, now->failed, before->failed, N(before->failed)));
	wa_report_put(page, "</div>\n");
	wa_report_untold(report);
}

/* ---- against the period before ---- */

static void
put_changes(WaReport *report)
{
	WaPage	   *page = &report->page;
	const WaTally *now = report->now;
	const WaTally *before = report->before;
	const char *heads[] = {T(FIGURE), T(NOW), T(BEFORE), T(CHANGE)};
	const struct
	{
		const char *what;
		double		now;
		double		before;
		bool		time;
	}			figures[] = {
		{T(MADE), now->made, before->made}, {T(SENT), now->sent, before->sent}, {T(DELIVERED), now->arrived, before->arrived},
		{T(READ), now->opened, before->opened}, {T(FAILED), now->failed, before->failed}, {T(HELD), now->kept_back, before->kept_back},
		{T(WAITING), now->waiting, before->waiting}, {T(LEFT_OUT), now->left_out, before->left_out},
		{T(MEDIAN_TIME), now->median, before->median, true}, {T(P95_TIME), now->p95, before->p95, true},
		{T(DELIVERY_TIME), now->arrival, before->arrival, true}, {T(DELIVERY_P95), now->arrival_p95, before->arrival_p95, true}
	};

	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", wa_report_words(page, wa_say(WA_SAY_REPORT_CHANGES,
															   wa_report_day(page, report->since - DAYS(report), true),
															   wa_report_day(page, report->since - 1, true))));
	wa_report_begin_table(page, heads, "lrrr");
	for (size_t i = 0; i < lengthof(figures); i++)
	{
		const char *cells[] = {
			figures[i].what,
			figures[i].time ? wa_report_time(page, figures[i].now) : N(figures[i].now),
			figures[i].time ? wa_report_time(page, figures[i].before) : N(figures[i].before),
			wa_report_change(page, figures[i].now, figures[i].before)
		};

		wa_report_row(page, cells, "lrrr");
	}
	wa_report_end_table(page);
	wa_report_put(page, "</section>\n");
}

static char *
iso_day(DateADT day)
{
	int			year;
	int			month;
	int			mday;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
	return psprintf("%04d-%02d-%02d", year, month, mday);
}

/*
 * The days that are meant; an error if they are none.  Without an end it is to
 * yesterday, the last whole day; of today alone to today.
 */
static void
choose_period(WaReport *report, FunctionCallInfo fcinfo, const char *time_zone)
{
	DateADT		today = (DateADT) (wa_office_time_on_wall(GetCurrentTimestamp(), time_zone) / USECS_PER_DAY);

	if (!PG_ARGISNULL(1))
		report->until = PG_GETARG_DATEADT(1);
	else
		report->until = !PG_ARGISNULL(0) && PG_GETARG_DATEADT(0) == today ? today : today - 1;
	if (!DATE_NOT_FINITE(report->until) && PG_ARGISNULL(0))
	{
		int			year;
		int			month;
		int			day;

		j2date(report->until + POSTGRES_EPOCH_JDATE, &year, &month, &day);
		report->since = report->until - day + 1;
	}
	else
		report->since = PG_ARGISNULL(0) ? DATEVAL_NOBEGIN : PG_GETARG_DATEADT(0);
	if (!DATE_NOT_FINITE(report->since) && !DATE_NOT_FINITE(report->until) && report->since > report->until)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the report's first day, %s, is after its last, %s",
						iso_day(report->since), iso_day(report->until)),
				 PG_ARGISNULL(1) ? errdetail("Without until, a report is to yesterday.") : 0,
				 errhint("For example: SELECT wa_report('2026-11-01', '2026-11-30').")));
	if (DATE_NOT_FINITE(report->since) || DATE_NOT_FINITE(report->until) || report->until - report->since >= LONGEST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a report is of a day to ten years"),
				 errhint("For example: SELECT wa_report('2026-11-01', '2026-11-30').")));
}

/* For the time of the call. */
static void
set_planning(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * wa_report(): see report.sql.
 */
Datum
wa_sql_report(PG_FUNCTION_ARGS)
{
	WaCall		call;
	WaStory		story;
	WaReport	report = {0};
	WaPage	   *page = &report.page;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	/* whoever makes it, it may be handed on */
	story.full = false;
	/* to compile these statements takes longer than to run them */
	set_planning("jit", "off");
	page->story = &story;
	choose_period(&report, fcinfo, story.time_zone);
	wa_admin_findings_look(&report.findings, page->story);

	/*
	 * Of so many figures that are added up to few a hash is twice as quick as
	 * to sort them; what wa_check() looks at is another matter.
	 */
	set_planning("enable_sort", "off");
	if (work_mem < ENOUGH_MEMORY)
		set_planning("work_mem", psprintf("%d", ENOUGH_MEMORY));
	read_figures(&report);
	wa_report_begin(page, psprintf("%s, %s", T(TITLE), period(page, report.since, report.until)));
	wa_report_chart_patterns(page);
	put_summary(&report);
	if (report.now->made > 0)
		wa_report_course(&report);
	wa_report_attention(&report);
	if (report.now->made > 0)
	{
		wa_report_why_not(&report);
		wa_report_by(&report, "scenario", T(BY_SCENARIO), T(SCENARIO), T(HAND));
		wa_report_by(&report, "provider", T(BY_PROVIDER), T(PROVIDER), T(NO_PROVIDER));
		wa_report_prices(&report);
	}
	wa_report_put(page, "<div class=\"end\">");
	put_changes(&report);
	wa_report_put_tag(page, "footer", wa_report_words(page, wa_say(WA_SAY_REPORT_FOOT, WA_VERSION)));
	wa_report_put(page, "</div>");
	wa_report_end(page);
	result = wa_call_text(&call, page->html.data);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
