/*-------------------------------------------------------------------------
 *
 * page.h
 *		A page of HTML in the making, and figures in words.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PAGE_H
#define SICANTIK_WA_PAGE_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/date.h"

#include "words/story.h"

typedef struct WaPage
{
	StringInfoData html;
	const WaStory *story;		/* its language */
	int			pictures;		/* drawn so far */
} WaPage;

/* In the page's language, palloc()ed and not escaped. */
extern char *wa_report_words(const WaPage *page, WaSaid said);
extern char *wa_report_number(const WaPage *page, double value, int decimals);
extern char *wa_report_percent(const WaPage *page, int64 part, int64 whole);
extern char *wa_report_change(const WaPage *page, double now, double before);
extern char *wa_report_time(const WaPage *page, double seconds);
extern char *wa_report_day(const WaPage *page, DateADT day, bool with_year);

extern void wa_report_put(WaPage *page, const char *html);
extern void wa_report_put_text(WaPage *page, const char *text);
extern void wa_report_put_name(WaPage *page, const char *text);
extern void wa_report_put_tag(WaPage *page, const char *tag, const char *text);
extern void wa_report_begin_table(WaPage *page, const char *const *heads, const char *align);
extern void wa_report_row(WaPage *page, const char *const *cells, const char *align);
extern void wa_report_card_cell(WaPage *page, const char *head, const char *figure);
extern void wa_report_end_table(WaPage *page);
extern void wa_report_begin(WaPage *page, const char *title);
extern void wa_report_end(WaPage *page);

#endif							/* SICANTIK_WA_PAGE_H */
