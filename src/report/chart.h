/*-------------------------------------------------------------------------
 *
 * chart.h
 *		Charts as inline SVG.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CHART_H
#define SICANTIK_WA_CHART_H

#include "report/page.h"

#define WA_CHART_MAX_SERIES	5

/* Points in the order of time, each with a value for each series. */
typedef struct WaChart
{
	const char *title;
	int			nseries;
	const char *series[WA_CHART_MAX_SERIES];
	int			n;
	const char **labels;
	double	   *values[WA_CHART_MAX_SERIES];	/* below 0: there is none */
} WaChart;

extern void wa_report_chart_patterns(WaPage *page);
extern void wa_report_chart_stacked(WaPage *page, const WaChart *chart);
extern void wa_report_chart_times(WaPage *page, const WaChart *chart);
extern void wa_report_chart_bars(WaPage *page, const WaChart *chart);
extern void wa_report_chart_inline(WaPage *page, const char *const *series, const double *values, int n, double most);
extern void wa_report_chart_legend(WaPage *page, const char *const *series, int n, bool lines);

#endif							/* SICANTIK_WA_CHART_H */
