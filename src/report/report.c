/*-------------------------------------------------------------------------
 *
 * report.c
 *		wa_report(): a period of the office on one page.
 *
 * What matters is on the first screen, in words and four figures; then how it
 * went, where, what failed and what to do about it.  Everything is read from the
 * figures by day (queue/figure.c), so it takes as long as the days are many and
 * not as the messages are, and there is nothing of a person in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "admin/findings.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/columns.h"
#include "pg/query.h"
#include "queue/state.h"
#include "report/chart.h"
#include "report/page.h"

PG_FUNCTION_INFO_V1(wa_sql_report);

/* A point of a chart is a day, a week or a month. */
#define MOST_DAYS	45
#define MOST_WEEKS	(7 * 60)
#define LONGEST		3653

/* So many rows of reasons are told. */
#define MOST_REASONS	12

#define SUM(condition)	"coalesce(sum(n) FILTER (WHERE " condition "), 0)::bigint"
#define QUANTILE(figure, part) \
	"extract(epoch FROM wa._quantile(array_agg(detail) FILTER (WHERE figure = '" figure "')," \
	" array_agg(n::bigint) FILTER (WHERE figure = '" figure "'), " part "))::float8"

/* Figures of some messages; times in seconds, below 0 where there are none. */
#define TALLY_COLUMNS(X, row) \
	X(row, text, of, "of")		/* what is told apart by name */ \
	X(row, text, name, "name") \
	X(row, int8, made, "made") \
	X(row, int8, waiting, "waiting") \
	X(row, int8, sent, "sent") \
	X(row, int8, arrived, "arrived") /* came to the phone */ \
	X(row, int8, opened, "opened")	/* was read */ \
	X(row, int8, only_sent, "only_sent") /* of which no more is told */ \
	X(row, int8, failed, "failed") \
	X(row, int8, kept_back, "kept_back") \
	X(row, int8, left_out, "left_out") \
	X(row, float8, median, "coalesce(median, -1)") \
	X(row, float8, p95, "coalesce(p95, -1)") \
	X(row, float8, arrival, "coalesce(arrival, -1)")
WA_DEFINE_ROW(Tally, tally_row, TALLY_COLUMNS);

/*
 * Of a period: of "period" the sum, of "point" a row for each point of a chart
 * (name: days since 2000), of "scenario" and "provider" one for each.  What lies
 * in a point is added up first, so that all of it costs one look.
 */
#define TALLIES \
	"WITH f AS MATERIALIZED (SELECT date_trunc($3, day::timestamp)::date AS at, scenario, provider, figure, detail, sum(n) AS n" \
	" FROM wa._figure WHERE day BETWEEN $1::date AND $2::date AND figure NOT IN ('attempt', 'attempts', 'repeats', 'pricing')" \
	" GROUP BY 1, 2, 3, 4, 5)" \
	" SELECT {columns} FROM (SELECT CASE GROUPING(at, scenario, provider) WHEN 7 THEN 'period' WHEN 3 THEN 'point' WHEN 5 THEN 'scenario' ELSE 'provider' END AS of," \
	" CASE GROUPING(at, scenario, provider) WHEN 7 THEN '' WHEN 3 THEN (at - date '2000-01-01')::text WHEN 5 THEN scenario ELSE provider END AS name," \
	SUM("figure IN (" WA_SQL_EVERY_STATE ")") " AS made," \
	SUM("figure IN " WA_SQL_STATES(WA_AT_WORK)) " AS waiting, " SUM("figure = 'was_sent'") " AS sent," \
	SUM("figure = 'was_delivered'") " AS arrived, " SUM("figure = 'was_read'") " AS opened, " SUM("figure = " WA_SQL_STATE(SENT)) " AS only_sent," \
	SUM("figure IN " WA_SQL_STATES(WA_WRONG)) " AS failed, " SUM("figure = " WA_SQL_STATE(HELD)) " AS kept_back," \
	SUM("figure IN (" WA_SQL_STATE(SKIPPED) ", " WA_SQL_STATE(CANCELLED) ", " WA_SQL_STATE(SUPERSEDED) ")") " AS left_out," \
	QUANTILE("sent_after", "0.5") " AS median, " QUANTILE("sent_after", "0.95") " AS p95, " QUANTILE("delivered_after", "0.5") " AS arrival" \
	" FROM f GROUP BY GROUPING SETS ((), (at), (scenario), (provider))) AS t WHERE made <> 0 OR of = 'period' ORDER BY made DESC, name"

typedef struct Report
{
	WaPage		page;
	DateADT		since;
	DateADT		until;
	const char *unit;			/* of a point: day, week, month */
	Tally	   *tallies;		/* of this period */
	int			ntallies;
	const		Tally *now;		/* all of it */
	const		Tally *before;	/* and of the one before */
} Report;

#define DAYS(report)	((report)->until - (report)->since + 1)
#define T(key)			wa_report_words(page, wa_say(WA_SAY_REPORT_##key))
#define N(value)		wa_report_number(page, (value), 0)

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

static Tally *
read_tallies(DateADT since, DateADT until, const char *unit, int *n)
{
	static WaStatement tallies = WA_STATEMENT_OF(&tally_row, TALLIES);

	return wa_rows_read(ask(&tallies, since, until, unit), &tally_row, n);
}

/* The sum of a period. */
static const Tally *
whole(const Tally * tallies, int n)
{
	static const Tally none = {.median = -1,.p95 = -1,.arrival = -1};

	for (int i = 0; i < n; i++)
		if (strcmp(tallies[i].of, "period") == 0)
			return &tallies[i];
	return &none;
}

static void
read_figures(Report *report)
{
	int			days = DAYS(report);
	int			n;
	Tally	   *before;

	report->unit = days <= MOST_DAYS ? "day" : days <= MOST_WEEKS ? "week" : "month";
	report->tallies = read_tallies(report->since, report->until, report->unit, &report->ntallies);
	report->now = whole(report->tallies, report->ntallies);
	/* of the period before only the sum is told: few points will do */
	before = read_tallies(report->since - days, report->since - 1, "year", &n);
	report->before = whole(before, n);
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
against(const Report *report, double now, double before, const char *shown)
{
	const WaPage *page = &report->page;

	if (report->before->made == 0 || before < 0)
		return T(NOT_BEFORE);
	return wa_report_words(page, wa_say(WA_SAY_REPORT_AGAINST, shown, wa_report_change(page, now, before)));
}

static void
put_summary(Report *report)
{
	WaPage	   *page = &report->page;
	const		Tally *now = report->now;
	const		Tally *before = report->before;

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
		wa_report_put_tag(page, "p class=\"lead\"", summary);
	}
	wa_report_put(page, "<div class=\"tiles\">");
	put_tile(page, T(SENT), N(now->sent), against(report, now->sent, before->sent, N(before->sent)));
	put_tile(page, T(DELIVERED), N(now->arrived), wa_report_words(page, wa_say(WA_SAY_REPORT_OF_SENT, wa_report_percent(page, now->arrived, now->sent))));
	put_tile(page, T(MEDIAN_TIME), wa_report_time(page, now->median),
			 against(report, now->median, before->median, wa_report_time(page, before->median)));
	put_tile(page, T(FAILED), N(now->failed), against(report, now->failed, before->failed, N(before->failed)));
	wa_report_put(page, "</div>\n");
}

/* What is amiss at this moment, as wa_check() says. */
static void
put_attention(WaPage *page)
{
	const char *heads[] = {T(ITEM), T(WHAT_TO_DO)};
	WaFindings	findings;
	bool		any = false;

	wa_admin_findings_look(&findings, page->story);
	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", T(ATTENTION));
	for (int i = 0; i < findings.n; i++)
	{
		const WaFinding *finding = &findings.list[i];
		const char *cells[2];

		if (finding->rank == WA_FINE)
			continue;
		if (!any)
			wa_report_begin_table(page, heads, "ll");
		any = true;
		cells[0] = psprintf("%s %s", finding->rank <= WA_LAST_ERROR ? "\xe2\x9c\x96" : "\xe2\x96\xb2",
							wa_story_masked(page->story, finding->item));
		cells[1] = wa_story_masked(page->story, wa_report_words(page, finding->sentence));
		wa_report_row(page, cells, "ll");
	}
	if (any)
		wa_report_end_table(page);
	else
		wa_report_put_tag(page, "p", T(ALL_WELL));
	wa_report_put(page, "</section>\n");
}

/* ---- how it went ---- */

/* A chart with a point for each day, week or month of the period. */
static WaChart *
new_chart(const char *title, int nseries, int n)
{
	WaChart    *chart = palloc0(sizeof(WaChart));

	chart->title = title;
	chart->nseries = nseries;
	chart->n = n;
	chart->labels = palloc0(sizeof(char *) * n);
	for (int s = 0; s < nseries; s++)
		chart->values[s] = palloc0(sizeof(double) * n);
	return chart;
}

/* The first days of the points. */
static int
points(const Report *report, DateADT **days)
{
	static WaStatement series =
		WA_STATEMENT("SELECT (g.at::date - date '2000-01-01') FROM generate_series(date_trunc($3, $1::date::timestamp), $2::date::timestamp,"
					 " ('1 ' || $3)::interval) AS g (at) ORDER BY g.at");
	WaRows		rows = ask(&series, report->since, report->until, report->unit);

	*days = palloc(sizeof(DateADT) * (rows.n + 1));
	for (uint64 i = 0; i < rows.n; i++)
		(*days)[i] = wa_row_int4(rows, i, 1);
	return (int) rows.n;
}

static void
put_course(Report *report)
{
	WaPage	   *page = &report->page;
	bool		months = strcmp(report->unit, "month") == 0;
	const char *title = months ? T(BY_MONTH) : strcmp(report->unit, "week") == 0 ? T(BY_WEEK) : T(BY_DAY);
	DateADT    *days;
	int			n = points(report, &days);
	WaChart    *parts = new_chart(title, 4, n);
	WaChart    *times = new_chart(T(TIME_CHART), 2, n);

	parts->series[0] = T(PART_DELIVERED);
	parts->series[1] = T(PART_SENT);
	parts->series[2] = T(PART_FAILED);
	parts->series[3] = T(PART_WAITING);
	times->series[0] = T(MEDIAN);
	times->series[1] = T(P95);
	for (int i = 0; i < n; i++)
	{
		char	   *label = wa_report_day(page, days[i], false);

		/* of a month its name, and of which year */
		if (months)
			label = psprintf("%s %s", strchr(label, ' ') + 1, strrchr(wa_report_day(page, days[i], true), ' ') + 3);
		parts->labels[i] = times->labels[i] = label;
		times->values[0][i] = times->values[1][i] = -1;
		for (int t = 0; t < report->ntallies; t++)
		{
			const		Tally *point = &report->tallies[t];

			if (strcmp(point->of, "point") != 0 || atoi(point->name) != days[i])
				continue;
			parts->values[0][i] = Max(point->made - point->waiting - point->only_sent - point->failed - point->kept_back - point->left_out, 0);
			parts->values[1][i] = point->only_sent;
			parts->values[2][i] = point->failed;
			parts->values[3][i] = point->waiting + point->kept_back;
			times->values[0][i] = point->median;
			times->values[1][i] = point->p95;
		}
	}
	wa_report_put(page, "<div class=\"pair\"><section>");
	wa_report_put_tag(page, "h2", title);
	wa_report_chart_stacked(page, parts);
	wa_report_put(page, "</section><section>");
	wa_report_put_tag(page, "h2", T(TIME_CHART));
	wa_report_chart_times(page, times);
	wa_report_put(page, "</section>\n");
}

/* How many were how quick: up to each of these, and the rest. */
static void
put_spread(Report *report)
{
	static const double limits[] = {1, 10, 60, 600, 3600, 86400};

	/* the time of a step (queue/figure.c) is taken to be the middle of it */
	static WaStatement spread =
		WA_STATEMENT("SELECT width_bucket(2 ^ ((detail::integer - 0.5) / 4) / 1000, '{1,10,60,600,3600,86400}'::float8[]), sum(n)::bigint"
					 " FROM wa._figure WHERE day BETWEEN $1::date AND $2::date AND figure = 'sent_after' GROUP BY 1");
	WaPage	   *page = &report->page;
	WaRows		rows = ask(&spread, report->since, report->until, NULL);
	WaChart    *chart = new_chart(T(SPREAD), 1, lengthof(limits) + 1);

	chart->series[0] = T(MESSAGES);
	for (size_t i = 0; i < lengthof(limits); i++)
		chart->labels[i] = wa_report_words(page, wa_say(WA_SAY_REPORT_UP_TO, wa_report_time(page, limits[i])));
	chart->labels[lengthof(limits)] = wa_report_words(page, wa_say(WA_SAY_REPORT_OVER, wa_report_time(page, limits[lengthof(limits) - 1])));
	for (uint64 i = 0; i < rows.n; i++)
		chart->values[0][wa_row_int4(rows, i, 1)] = wa_row_int8(rows, i, 2);
	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", T(SPREAD));
	wa_report_chart_bars(page, chart);
	wa_report_put(page, "</section></div>\n");
}

/* ---- where ---- */

/* A table of what is told apart by scenario, or provider; those of most messages first. */
static void
put_by(Report *report, const char *of, const char *title, const char *head, const char *unnamed)
{
	WaPage	   *page = &report->page;
	const char *heads[] = {head, T(MADE), T(SENT), T(DELIVERED), T(RATE), T(FAILED_COLUMN), T(HELD_COLUMN), T(WITHIN_COLUMN), T(P95_COLUMN)};

	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", title);
	wa_report_begin_table(page, heads, "lrrrrrrrr");
	for (int i = 0; i < report->ntallies; i++)
	{
		const		Tally *t = &report->tallies[i];
		const char *cells[] = {
			t->name[0] ? t->name : unnamed, N(t->made), N(t->sent), N(t->arrived), wa_report_percent(page, t->arrived, t->sent),
			N(t->failed), N(t->kept_back), wa_report_time(page, t->median), wa_report_time(page, t->p95)
		};

		if (strcmp(t->of, of) == 0)
			wa_report_row(page, cells, "lrrrrrrrr");
	}
	wa_report_end_table(page);
	wa_report_put(page, "</section>\n");
}

/* ---- why not ---- */

/* Messages in these states by their reason, with what to do. */
static void
put_reasons(Report *report, WaStatement *statement, const char *title)
{
	WaPage	   *page = &report->page;
	const WaStory *story = page->story;
	const char *heads[] = {T(REASON), T(MESSAGES), T(WHAT_TO_DO)};
	WaRows		rows = ask(statement, report->since, report->until, NULL);

	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", title);
	if (rows.n == 0)
		wa_report_put_tag(page, "p", T(NONE));
	else
		wa_report_begin_table(page, heads, "lrl");
	for (uint64 i = 0; i < Min(rows.n, MOST_REASONS); i++)
	{
		const char *state = wa_row_text(rows, i, 1);
		const char *reason = wa_row_text(rows, i, 2);
		const char *cells[] = {
			reason[0] ? psprintf("%s: %s", wa_story_state(story, state), wa_story_reason(story, reason)) : wa_story_state(story, state),
			N(wa_row_int8(rows, i, 3)), wa_story_advice_for_all(story, state, reason[0] ? reason : NULL)
		};

		wa_report_row(page, cells, "lrl");
	}
	if (rows.n > 0)
		wa_report_end_table(page);
	wa_report_put(page, "</section>\n");
}

static void
put_why_not(Report *report)
{
#define REASONS(states) \
	WA_STATEMENT("SELECT figure, detail, sum(n)::bigint FROM wa._figure WHERE day BETWEEN $1::date AND $2::date AND figure IN " states \
				 " GROUP BY figure, detail HAVING sum(n) <> 0 ORDER BY sum(n) DESC, figure, detail")
	static WaStatement failed = REASONS(WA_SQL_STATES(WA_WRONG));
	static WaStatement not_sent = REASONS("(" WA_SQL_STATE(HELD) ", " WA_SQL_STATE(SKIPPED) ")");
	const WaPage *page = &report->page;

	put_reasons(report, &failed, T(FAILURES));
	put_reasons(report, &not_sent, T(NOT_SENT));
}

/* What providers say of the price; nothing where none does. */
static void
put_prices(Report *report)
{
	static WaStatement prices =
		WA_STATEMENT("SELECT provider, split_part(detail, '/', 1), split_part(detail, '/', 2), split_part(detail, '/', 3), sum(n)::bigint"
					 " FROM wa._figure WHERE day BETWEEN $1::date AND $2::date AND figure = 'pricing'"
					 " GROUP BY provider, detail HAVING sum(n) <> 0 ORDER BY sum(n) DESC, provider, detail");
	WaPage	   *page = &report->page;
	const char *heads[] = {T(PROVIDER), T(CATEGORY), T(TYPE), T(BILLABLE), T(MESSAGES)};
	WaRows		rows = ask(&prices, report->since, report->until, NULL);

	if (rows.n == 0)
		return;
	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", T(PRICES));
	wa_report_begin_table(page, heads, "llllr");
	for (uint64 i = 0; i < rows.n; i++)
	{
		const char *cells[] = {
			wa_row_text(rows, i, 1), wa_row_text(rows, i, 2), wa_row_text(rows, i, 3), wa_row_text(rows, i, 4), N(wa_row_int8(rows, i, 5))
		};

		wa_report_row(page, cells, "llllr");
	}
	wa_report_end_table(page);
	wa_report_put(page, "</section>\n");
}

/* ---- against the period before ---- */

static void
put_changes(Report *report)
{
	WaPage	   *page = &report->page;
	const		Tally *now = report->now;
	const		Tally *before = report->before;
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
		{T(DELIVERY_TIME), now->arrival, before->arrival, true}
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

/* The days that are meant; an error if they are none. */
static void
choose_period(Report *report, FunctionCallInfo fcinfo, const char *time_zone)
{
	int64		today = wa_office_time_on_wall(GetCurrentTimestamp(), time_zone) / USECS_PER_DAY;

	report->until = PG_ARGISNULL(1) ? (DateADT) today - 1 : PG_GETARG_DATEADT(1);
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
	if (DATE_NOT_FINITE(report->since) || DATE_NOT_FINITE(report->until) ||
		report->since > report->until || report->until - report->since >= LONGEST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a report is of a day to ten years"),
				 errhint("For example: SELECT wa_report('2026-11-01', '2026-11-30').")));
}

/*
 * wa_report(): see report.sql.
 */
Datum
wa_sql_report(PG_FUNCTION_ARGS)
{
	WaCall		call;
	WaStory		story;
	Report		report = {0};
	WaPage	   *page = &report.page;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	/* whoever makes it, it may be handed on */
	story.full = false;
	/* to compile these statements takes longer than to run them */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	page->story = &story;
	choose_period(&report, fcinfo, story.time_zone);
	read_figures(&report);
	wa_report_begin(page, psprintf("%s, %s", T(TITLE), period(page, report.since, report.until)));
	put_summary(&report);
	if (report.now->made > 0)
	{
		put_course(&report);
		put_spread(&report);
	}
	put_attention(page);
	if (report.now->made > 0)
	{
		put_why_not(&report);
		put_by(&report, "scenario", T(BY_SCENARIO), T(SCENARIO), T(HAND));
		put_by(&report, "provider", T(BY_PROVIDER), T(PROVIDER), T(NO_PROVIDER));
		put_prices(&report);
	}
	put_changes(&report);
	wa_report_put_tag(page, "footer", wa_report_words(page, wa_say(WA_SAY_REPORT_FOOT, WA_VERSION)));
	wa_report_end(page);
	result = wa_call_text(&call, page->html.data);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
