/*-------------------------------------------------------------------------
 *
 * chart.c
 *		Charts as inline SVG: stacked columns, lines of times, bars.
 *
 * Each is drawn for the width of a phone, where its letters are still letters,
 * and has two of them side by side on a larger screen.  What colour says, a
 * pattern or a mark says as well, for paper and for who sees no colours; what
 * the picture says, a table below it says, for who sees no picture.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "report/chart.h"

#define WIDTH	480
#define HEIGHT	250
#define LEFT	62
#define RIGHT	12
#define TOP		10
#define BOTTOM	34
#define PLOT_W	(WIDTH - LEFT - RIGHT)
#define PLOT_H	(HEIGHT - TOP - BOTTOM)
#define MOST_LABELS	7

#define PUT(...)	appendStringInfo(&page->html, __VA_ARGS__)

/*
 * Patterns of the series, which all pictures of the page refer to: once, before
 * the first of them.
 */
void
wa_report_chart_patterns(WaPage *page)
{
	PUT("<svg class=\"defs\" aria-hidden=\"true\"><defs>"
		"<pattern id=\"p1\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
		"<rect width=\"6\" height=\"6\" style=\"fill:var(--b);opacity:.35\"/><rect width=\"2.4\" height=\"6\" style=\"fill:var(--b)\"/></pattern>"
		"<pattern id=\"p2\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
		"<rect width=\"5\" height=\"5\" style=\"fill:var(--c);opacity:.3\"/><path d=\"M0 0L5 5M5 0L0 5\" style=\"stroke:var(--c)\" stroke-width=\"1.3\"/></pattern>"
		"<pattern id=\"p3\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
		"<rect width=\"5\" height=\"5\" style=\"fill:var(--d);opacity:.2\"/><circle cx=\"2.5\" cy=\"2.5\" r=\"1.2\" style=\"fill:var(--d)\"/></pattern>"
		"<pattern id=\"p4\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\">"
		"<rect width=\"4\" height=\"4\" style=\"fill:var(--e);opacity:.15\"/><rect width=\"4\" height=\"1.2\" style=\"fill:var(--e)\"/></pattern>"
		"</defs></svg>\n");
}

/* The fill of a series. */
static char *
fill(int series)
{
	return series == 0 ? "style=\"fill:var(--a)\"" : psprintf("fill=\"url(#p%d)\"", series);
}

static void
begin_picture(WaPage *page, const char *title, int height)
{
	int			picture = ++page->pictures;

	PUT("<figure><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"t%d\"><title id=\"t%d\">", WIDTH, height, picture, picture);
	wa_report_put_text(page, title);
	PUT("</title>");
}

static void
end_picture(WaPage *page)
{
	PUT("</svg>");
}

/* The same figures as a table. */
static void
put_table(WaPage *page, const WaChart *chart, bool times)
{
	const char *cells[WA_CHART_MAX_SERIES + 1];
	char	   *align = pnstrdup("lrrrrr", chart->nseries + 1);

	PUT("<details><summary>");
	wa_report_put_text(page, wa_report_words(page, wa_say(WA_SAY_REPORT_AS_TABLE)));
	PUT("</summary>");
	cells[0] = "";
	for (int s = 0; s < chart->nseries; s++)
		cells[s + 1] = chart->series[s];
	wa_report_begin_table(page, cells, align);
	for (int i = 0; i < chart->n; i++)
	{
		cells[0] = chart->labels[i];
		for (int s = 0; s < chart->nseries; s++)
			cells[s + 1] = times ? wa_report_time(page, chart->values[s][i]) : wa_report_number(page, chart->values[s][i], 0);
		wa_report_row(page, cells, align);
	}
	wa_report_end_table(page);
	PUT("</details></figure>\n");
}

static void
put_text(WaPage *page, double x, double y, const char *anchor, const char *text)
{
	PUT("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	wa_report_put_text(page, text);
	PUT("</text>");
}

/* Names below the axis, as many as there is room for. */
static void
put_labels(WaPage *page, const WaChart *chart)
{
	double		step = (double) PLOT_W / Max(chart->n, 1);
	int			every = (chart->n + MOST_LABELS - 1) / MOST_LABELS;

	for (int i = 0; i < chart->n; i += every)
		put_text(page, LEFT + step * (i + 0.5), HEIGHT - BOTTOM + 18, "middle", chart->labels[i]);
	PUT("<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>", LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM);
}

/* A line of the grid, with what it stands for. */
static void
put_grid(WaPage *page, double y, const char *text)
{
	PUT("<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>", LEFT, y, WIDTH - RIGHT, y);
	put_text(page, LEFT - 6, y + 4, "end", text);
}

/*
 * What the series look like; those of lines by their marks.
 */
void
wa_report_chart_legend(WaPage *page, const char *const *series, int n, bool lines)
{
	PUT("<p class=\"soft legend\">");
	for (int s = 0; s < n; s++)
	{
		PUT("<span><svg viewBox=\"0 0 22 14\" class=\"key\" aria-hidden=\"true\">");
		if (!lines)
			PUT("<rect x=\"1\" y=\"1\" width=\"20\" height=\"12\" %s/>", fill(s));
		else if (s == 0)
			PUT("<path d=\"M1 7H21\" style=\"stroke:var(--a)\" stroke-width=\"2.5\"/><circle cx=\"11\" cy=\"7\" r=\"4\" style=\"fill:var(--a)\"/>");
		else
			PUT("<path d=\"M1 7H21\" style=\"stroke:var(--c)\" stroke-width=\"2\" stroke-dasharray=\"5 3\"/><path d=\"M7 11L11 3L15 11Z\" style=\"fill:var(--c)\"/>");
		PUT("</svg> ");
		wa_report_put_text(page, series[s]);
		PUT("</span> ");
	}
	PUT("</p>");
}

/* The next of 1, 2, 5, 10, 20 ... that is not smaller. */
static double
round_up(double value)
{
	double		power = pow(10, floor(log10(value)));

	return value <= power ? power : value <= 2 * power ? 2 * power : value <= 5 * power ? 5 * power : 10 * power;
}

/*
 * Columns, one for each point, of which the series are the parts.
 */
void
wa_report_chart_stacked(WaPage *page, const WaChart *chart)
{
	double		most = 0;
	double		tick;
	double		top;
	double		step = (double) PLOT_W / Max(chart->n, 1);
	double		width = Min(step * 0.76, 46);

	begin_picture(page, chart->title, HEIGHT);
	for (int i = 0; i < chart->n; i++)
	{
		double		sum = 0;

		for (int s = 0; s < chart->nseries; s++)
			sum += chart->values[s][i];
		most = Max(most, sum);
	}
	tick = Max(round_up(Max(most, 1) / 4), 1);
	top = tick * Max(ceil(most / tick), 1);
	for (int i = 0; i * tick <= top; i++)
		put_grid(page, HEIGHT - BOTTOM - PLOT_H * i * tick / top, wa_report_number(page, i * tick, 0));
	for (int i = 0; i < chart->n; i++)
	{
		double		y = HEIGHT - BOTTOM;

		for (int s = 0; s < chart->nseries; s++)
		{
			double		height = PLOT_H * chart->values[s][i] / top;

			if (height <= 0)
				continue;
			y -= height;
			PUT("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" %s><title>", LEFT + step * (i + 0.5) - width / 2, y,
				width, height, fill(s));
			wa_report_put_text(page, psprintf("%s, %s: %s", chart->labels[i], chart->series[s], wa_report_number(page, chart->values[s][i], 0)));
			PUT("</title></rect>");
		}
	}
	put_labels(page, chart);
	end_picture(page);
	wa_report_chart_legend(page, chart->series, chart->nseries, false);
	put_table(page, chart, false);
}

/* Seconds as they stand on an axis of times. */
static const double time_ticks[] = {
	0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600,
	86400, 3 * 86400, 10 * 86400, 30 * 86400, 100 * 86400, 300 * 86400, 1000 * 86400
};

/*
 * Lines of times, on a scale on which each step is a multiple.
 */
void
wa_report_chart_times(WaPage *page, const WaChart *chart)
{
	double		least = -1;
	double		most = -1;
	int			from = 0;
	int			to = lengthof(time_ticks) - 1;
	double		low;
	double		span;
	double		step = (double) PLOT_W / Max(chart->n, 1);

	begin_picture(page, chart->title, HEIGHT);
	for (int s = 0; s < chart->nseries; s++)
		for (int i = 0; i < chart->n; i++)
			if (chart->values[s][i] >= 0)
			{
				least = least < 0 ? chart->values[s][i] : Min(least, chart->values[s][i]);
				most = Max(most, chart->values[s][i]);
			}
	least = Max(least, time_ticks[0]);
	most = Max(most, least);
	while (from + 2 < (int) lengthof(time_ticks) && time_ticks[from + 1] <= least)
		from++;
	while (to - 1 > from && time_ticks[to - 1] >= most)
		to--;
	low = log(time_ticks[from]);
	span = log(time_ticks[to]) - low;
#define AT(seconds)	(HEIGHT - BOTTOM - PLOT_H * Max(Min((log(Max(seconds, time_ticks[0])) - low) / span, 1), 0))
	for (int t = from; t <= to; t += (to - from) / MOST_LABELS + 1)
		put_grid(page, AT(time_ticks[t]), wa_report_time(page, time_ticks[t]));
	for (int s = 0; s < chart->nseries; s++)
	{
		bool		drawing = false;

		PUT("<path fill=\"none\" style=\"stroke:var(--%c)\" stroke-width=\"%s\"%s d=\"", s == 0 ? 'a' : 'c', s == 0 ? "2.5" : "2",
			s == 0 ? "" : " stroke-dasharray=\"5 3\"");
		for (int i = 0; i < chart->n; i++)
		{
			if (chart->values[s][i] >= 0)
				PUT("%c%.1f %.1f", drawing ? 'L' : 'M', LEFT + step * (i + 0.5), AT(chart->values[s][i]));
			drawing = chart->values[s][i] >= 0;
		}
		PUT("\"/>");
		for (int i = 0; i < chart->n; i++)
		{
			double		x = LEFT + step * (i + 0.5);
			double		y;

			if (chart->values[s][i] < 0)
				continue;
			y = AT(chart->values[s][i]);
			if (s == 0)
				PUT("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" style=\"fill:var(--a)\"><title>", x, y);
			else
				PUT("<path d=\"M%.1f %.1fl3.5 -6.5l3.5 6.5z\" style=\"fill:var(--c)\"><title>", x - 3.5, y + 3);
			wa_report_put_text(page, psprintf("%s, %s %s", chart->labels[i], chart->series[s], wa_report_time(page, chart->values[s][i])));
			PUT("</title></%s>", s == 0 ? "circle" : "path");
		}
	}
#undef AT
	put_labels(page, chart);
	end_picture(page);
	wa_report_chart_legend(page, chart->series, chart->nseries, true);
	put_table(page, chart, true);
}

/*
 * One bar for each point, across, with its figure and its part of all.
 */
void
wa_report_chart_bars(WaPage *page, const WaChart *chart)
{
	const double *values = chart->values[0];
	double		most = 1;
	double		all = 0;
	int			height = TOP + 28 * chart->n + 6;

	for (int i = 0; i < chart->n; i++)
	{
		most = Max(most, values[i]);
		all += values[i];
	}
	begin_picture(page, chart->title, height);
	for (int i = 0; i < chart->n; i++)
	{
		double		y = TOP + 28 * i;
		double		width = (WIDTH - 150 - 160) * values[i] / most;

		put_text(page, 140, y + 15, "end", chart->labels[i]);
		if (values[i] > 0)
			PUT("<rect x=\"150\" y=\"%.1f\" width=\"%.1f\" height=\"20\" style=\"fill:var(--a)\"/>", y, Max(width, 1));
		put_text(page, 156 + width, y + 15, "start",
				 psprintf("%s (%s)", wa_report_number(page, values[i], 0), wa_report_percent(page, (int64) values[i], (int64) all)));
	}
	end_picture(page);
	put_table(page, chart, false);
}

/*
 * A bar of these parts inside a cell of a table, as long as they are of the most
 * that a bar of the table has.
 */
void
wa_report_chart_inline(WaPage *page, const char *const *series, const double *values, int n, double most)
{
	double		x = 0;

	PUT("<svg class=\"bar\" viewBox=\"0 0 160 9\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"");
	for (int s = 0; s < n; s++)
		wa_report_put_text(page, psprintf("%s%s: %s", s ? ", " : "", series[s], wa_report_number(page, values[s], 0)));
	PUT("\">");
	for (int s = 0; s < n; s++)
	{
		double		width = 160 * values[s] / Max(most, 1);

		if (values[s] <= 0)
			continue;
		PUT("<rect x=\"%.1f\" y=\"0\" width=\"%.1f\" height=\"9\" %s/>", x, Max(width, 0.4), fill(s));
		x += width;
	}
	PUT("</svg>");
}
