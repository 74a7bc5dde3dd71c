/*-------------------------------------------------------------------------
 *
 * report.h
 *		A report in the making: its figures, and its parts.
 *
 * SPI connected and the database's owner acting; everything is palloc()ed in the
 * current context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_REPORT_H
#define SICANTIK_WA_REPORT_H

#include "postgres.h"

#include "utils/date.h"

#include "admin/findings.h"
#include "pg/columns.h"
#include "report/page.h"

/* Figures of some messages; times in seconds, below 0 where there are none. */
#define WA_TALLY_COLUMNS(X, row) \
	X(row, text, of, "of")		/* what is told apart by name */ \
	X(row, text, name, "name") \
	X(row, int8, made, "made") \
	X(row, int8, waiting, "waiting") \
	X(row, int8, sent, "sent") \
	X(row, int8, told, "told")	/* of which by a provider that reports any */ \
	X(row, int8, arrived, "arrived") /* came to the phone */ \
	X(row, int8, opened, "opened")	/* was read */ \
	X(row, int8, only_sent, "only_sent") /* of which no more is told */ \
	X(row, int8, failed, "failed") \
	X(row, int8, kept_back, "kept_back") \
	X(row, int8, left_out, "left_out") \
	X(row, float8, median, "coalesce(median, -1)") \
	X(row, float8, p95, "coalesce(p95, -1)") \
	X(row, float8, arrival, "coalesce(arrival, -1)") \
	X(row, float8, arrival_p95, "coalesce(arrival_p95, -1)")
typedef struct WaTally
{
	WA_TALLY_COLUMNS(WA_COLUMN_MEMBER, WaTally)
} WaTally;

typedef struct WaReport
{
	WaPage		page;
	DateADT		since;
	DateADT		until;
	const char *unit;			/* of a point: day, week, month */
	WaTally    *tallies;		/* of this period */
	int			ntallies;
	const WaTally *now;			/* all of it */
	const WaTally *before;		/* and of the one before */
	WaFindings	findings;		/* at this moment */
} WaReport;

/* In files that have a WaPage *page. */
#define T(key)			wa_report_words(page, wa_say(WA_SAY_REPORT_##key))
#define N(value)		wa_report_number(page, (value), 0)

/* What has become of messages: the parts of a column, and of a bar. */
#define WA_PARTS		5

/* report.c */
extern WaRows wa_report_ask(const WaReport *report, WaStatement *statement, const char *unit);
extern const char *wa_report_detail(const WaTally *tally, const char *figure);
extern void wa_report_parts(const WaTally *tally, double *parts);
extern const char *const *wa_report_part_names(const WaPage *page);

/* attention.c: in short, for the first screen; and all of it */
extern void wa_report_attention_short(WaReport *report);
extern void wa_report_attention(WaReport *report);

/* course.c: how it went */
extern void wa_report_course(WaReport *report);

/* breakdown.c: where, and why not */
extern void wa_report_untold(WaReport *report);
extern char *wa_report_rate(const WaPage *page, const WaTally *tally);
extern void wa_report_by(WaReport *report, const char *of, const char *title, const char *head, const char *unnamed);
extern void wa_report_why_not(WaReport *report);
extern void wa_report_prices(WaReport *report);

#endif							/* SICANTIK_WA_REPORT_H */
