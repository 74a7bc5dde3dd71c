/*-------------------------------------------------------------------------
 *
 * course.c
 *		How it went: the charts of a report.
 *
 * A point is a day, a week or a month, so that there are never more of them than
 * a phone has room for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "report/chart.h"
#include "report/report.h"

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
points(const WaReport *report, DateADT **days)
{
	static WaStatement series =
		WA_STATEMENT("SELECT (g.at::date - date '2000-01-01') FROM generate_series(date_trunc($3, $1::date::timestamp), $2::date::timestamp,"
					 " ('1 ' || $3)::interval) AS g (at) ORDER BY g.at");
	WaRows		rows = wa_report_ask(report, &series, report->unit);

	*days = palloc(sizeof(DateADT) * (rows.n + 1));
	for (uint64 i = 0; i < rows.n; i++)
		(*days)[i] = wa_row_int4(rows, i, 1);
	return (int) rows.n;
}

/* Lines of two times; nothing but a word where there is no time. */
static void
put_times(WaPage *page, const WaChart *chart, const char *none)
{
	bool		any = false;

	for (int i = 0; i < chart->n; i++)
		any = any || chart->values[0][i] >= 0;
	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", chart->title);
	if (any)
		wa_report_chart_times(page, chart);
	else
		wa_report_put_tag(page, "p", none);
	wa_report_put(page, "</section>\n");
}

static void
put_points(WaReport *report)
{
	WaPage	   *page = &report->page;
	bool		months = strcmp(report->unit, "month") == 0;
	const char *title = months ? T(BY_MONTH) : strcmp(report->unit, "week") == 0 ? T(BY_WEEK) : T(BY_DAY);
	DateADT    *days;
	int			n = points(report, &days);
	WaChart    *columns = new_chart(title, WA_PARTS, n);
	WaChart    *times = new_chart(T(TIME_CHART), 2, n);
	WaChart    *arrivals = new_chart(T(ARRIVAL_CHART), 2, n);

	memcpy(columns->series, wa_report_part_names(page), sizeof(char *) * WA_PARTS);
	times->series[0] = arrivals->series[0] = T(MEDIAN);
	times->series[1] = arrivals->series[1] = T(P95);
	for (int i = 0; i < n; i++)
	{
		char	   *label = wa_report_day(page, days[i], false);

		/* of a month its name, and of which year */
		if (months)
			label = psprintf("%s %s", strchr(label, ' ') + 1, strrchr(wa_report_day(page, days[i], true), ' ') + 3);
		columns->labels[i] = times->labels[i] = arrivals->labels[i] = label;
		for (int s = 0; s < 2; s++)
			times->values[s][i] = arrivals->values[s][i] = -1;
		for (int t = 0; t < report->ntallies; t++)
		{
			const WaTally *point = &report->tallies[t];
			double		parts[WA_PARTS];

			if (strcmp(point->of, "point") != 0 || atoi(point->name) != days[i])
				continue;
			wa_report_parts(point, parts);
			for (int s = 0; s < WA_PARTS; s++)
				columns->values[s][i] = parts[s];
			times->values[0][i] = point->median;
			times->values[1][i] = point->p95;
			arrivals->values[0][i] = point->arrival;
			arrivals->values[1][i] = point->arrival_p95;
		}
	}
	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", title);
	wa_report_put_tag(page, "p class=\"soft\"", T(COLUMN_IS_ALL));
	wa_report_chart_stacked(page, columns);
	wa_report_put(page, "</section>\n");
	put_times(page, times, T(NONE));
	put_times(page, arrivals, T(NO_ARRIVAL));
}

/* How many were how quick: up to each of these, and the rest. */
static void
put_spread(WaReport *report)
{
	static const double limits[] = {1, 10, 60, 600, 3600, 86400};
	WaPage	   *page = &report->page;
	WaChart    *chart = new_chart(T(SPREAD), 1, lengthof(limits) + 1);

	chart->series[0] = T(MESSAGES);
	for (size_t i = 0; i < lengthof(limits); i++)
		chart->labels[i] = wa_report_words(page, wa_say(WA_SAY_REPORT_UP_TO, wa_report_time(page, limits[i])));
	chart->labels[lengthof(limits)] = wa_report_words(page, wa_say(WA_SAY_REPORT_OVER, wa_report_time(page, limits[lengthof(limits) - 1])));
	for (int i = 0; i < report->ntallies; i++)
	{
		const char *step = wa_report_detail(&report->tallies[i], "sent_after");
		size_t		limit = 0;

		if (step == NULL)
			continue;
		/* of a step (queue/figure.sql) the middle counts */
		while (limit < lengthof(limits) && exp2((atoi(step) - 0.5) / 4) / 1000 >= limits[limit])
			limit++;
		chart->values[0][limit] += report->tallies[i].made;
	}
	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", T(SPREAD));
	wa_report_chart_bars(page, chart);
	wa_report_put(page, "</section>\n");
}

/*
 * Four charts, two beside each other where there is room.
 */
void
wa_report_course(WaReport *report)
{
	WaPage	   *page = &report->page;

	wa_report_put(page, "<div class=\"pair\">");
	put_points(report);
	put_spread(report);
	wa_report_put(page, "</div>\n");
}
