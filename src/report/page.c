/*-------------------------------------------------------------------------
 *
 * page.c
 *		A page of HTML in the making, and figures in words.
 *
 * The page stands alone: its style is in it, it loads nothing and runs nothing,
 * so that it can be mailed, kept and printed.  Whatever comes from a table goes
 * through wa_report_put_text(): a scenario may be called anything.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/datetime.h"

#include "report/page.h"

static const char style[] =
":root{color-scheme:light dark;--ink:#1b2430;--soft:#566273;--line:#d5dbe3;--paper:#fff;--card:#f5f7fa;"
"--a:#1f6f50;--b:#6ba3d6;--c:#c2452d;--d:#b9a04a;--e:#8a8f98}"
"@media(prefers-color-scheme:dark){:root{--ink:#e7ecf2;--soft:#a3afbd;--line:#3a4552;--paper:#12171d;--card:#1c232b;"
"--a:#4fb98d;--b:#5b8fc4;--c:#ef7a5f;--d:#d3bb63;--e:#8b95a3}}"
"*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);"
"font:16px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif}"
"main{max-width:1080px;margin:0 auto;padding:20px 16px 48px}h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:34px 0 10px}"
"p{margin:.4em 0}h1,h2,p,li,footer{overflow-wrap:anywhere}.soft{color:var(--soft)}.lead{font-size:1.1rem;margin:14px 0 18px}"
".now{border:1px solid var(--line);border-left:6px solid var(--a);border-radius:8px;padding:10px 14px;margin:14px 0}"
".now.error{border-left-color:var(--c)}.now.warning{border-left-color:var(--d)}.now ul{list-style:none;margin:6px 0;padding:0}"
".now li{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden;margin:3px 0}a{color:inherit}"
".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px}"
".tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px}"
".tile b{display:block;font-size:1.75rem;line-height:1.2;margin:2px 0;font-variant-numeric:tabular-nums}"
".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:8px 28px}.pair>section{min-width:0}"
"figure{margin:0}svg{display:block;width:100%;height:auto;max-width:560px}svg text{fill:var(--ink);font-size:13px}"
"svg.bar{width:160px;height:9px;margin-top:4px}svg.key{display:inline-block;width:22px;height:14px;vertical-align:-2px}svg.defs{position:absolute;width:0;height:0}"
".legend span{display:inline-block;margin-right:14px}.untold{margin:12px 0}.cards td.l{min-width:13em}"
"svg .grid{stroke:var(--line)}svg .axis{stroke:var(--soft)}"
".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.94rem}"
"th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;font-variant-numeric:tabular-nums;white-space:nowrap}"
"th{color:var(--soft);font-weight:600;white-space:normal}th.l,td.l{text-align:left;white-space:normal;overflow-wrap:anywhere}td.l{min-width:7em}"
"details{margin:6px 0}summary{color:var(--soft);cursor:pointer;font-size:.9rem}"
"@media screen and (max-width:520px){svg text{font-size:15px}th,td{padding:5px 6px}table{font-size:.88rem}"
".cards thead{display:none}.cards tr{display:grid;grid-template-columns:repeat(4,1fr);border-bottom:1px solid var(--line);padding:6px 0}"
".cards td{border:0;padding:3px 4px;text-align:left;white-space:normal}.cards td.l{grid-column:1/-1}svg.bar{width:240px}"
".cards td[data-label]::before{content:attr(data-label);display:block;font-size:.8rem;color:var(--soft)}}"
"footer{margin-top:36px;border-top:1px solid var(--line);padding-top:10px;font-size:.88rem;color:var(--soft)}"
"@page{size:A4;margin:14mm}@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--card:#fff;"
"--a:#1f6f50;--b:#6ba3d6;--c:#c2452d;--d:#b9a04a;--e:#8a8f98}body{font-size:9.5pt}main{max-width:none;padding:0}"
"h1{font-size:15pt}h2{font-size:11.5pt;margin:14pt 0 4pt}.lead{font-size:10.5pt;margin:6pt 0 8pt}th,td{padding:3pt 6pt}.tile b{font-size:15pt}.tile{padding:6pt 9pt}"
"h2,.legend,thead,tr:first-child:not(:last-child){break-after:avoid}figure,.tile,tr,.legend,.end{break-inside:avoid}.tiles{grid-template-columns:repeat(4,1fr)}.pair{display:block}.pair>section{display:inline-block;width:48%;margin-right:1.2%;vertical-align:top}"
"details,.now a{display:none}.now li{display:list-item}.wide{overflow:visible}}";

char *
wa_report_words(const WaPage *page, WaSaid said)
{
	return wa_story_words(page->story, said);
}

/* 1234.5 is "1,234.5", in Indonesian "1.234,5". */
char *
wa_report_number(const WaPage *page, double value, int decimals)
{
	bool		english = page->story->language == WA_ENGLISH;
	char	   *digits = psprintf("%.*f", decimals, fabs(value));
	char	   *point = strchr(digits, '.');
	int			whole = point ? point - digits : strlen(digits);
	StringInfoData out;

	initStringInfo(&out);
	if (value < 0 && strspn(digits, "0.") != strlen(digits))
		appendStringInfoString(&out, "\xe2\x88\x92");
	for (int i = 0; i < whole; i++)
	{
		if (i > 0 && (whole - i) % 3 == 0)
			appendStringInfoChar(&out, english ? ',' : '.');
		appendStringInfoChar(&out, digits[i]);
	}
	if (point)
		appendStringInfo(&out, "%c%s", english ? '.' : ',', point + 1);
	return out.data;
}

/* "-" where there is no whole. */
char *
wa_report_percent(const WaPage *page, int64 part, int64 whole)
{
	if (whole <= 0)
		return "\xe2\x80\x93";
	return psprintf("%s %%", wa_report_number(page, 100.0 * part / whole, 1));
}

/* By how much in percent; "-" where there was nothing before. */
char *
wa_report_change(const WaPage *page, double now, double before)
{
	double		percent = before > 0 ? 100 * (now / before - 1) : 0;
	char	   *number;

	if (before <= 0 || now < 0)
		return "\xe2\x80\x93";
	number = wa_report_number(page, percent, fabs(percent) < 10 ? 1 : 0);
	return psprintf("%s%s %%", percent > 0 ? "+" : "", number);
}

/* In the unit that fits; "-" if it is not known (below 0). */
char *
wa_report_time(const WaPage *page, double seconds)
{
#define AMOUNT(n)	wa_report_number(page, (n), (n) < 9.95 && fabs((n) - rint(n)) > 0.049 ? 1 : 0)
	if (seconds < 0)
		return "\xe2\x80\x93";
	if (seconds < 0.9995)
		return wa_report_words(page, wa_say(WA_SAY_REPORT_MS, wa_report_number(page, seconds * 1000, 0)));
	if (seconds < 59.95)
		return wa_report_words(page, wa_say(WA_SAY_REPORT_S, AMOUNT(seconds)));
	if (seconds < 3597)
		return wa_report_words(page, wa_say(WA_SAY_REPORT_MIN, AMOUNT(seconds / 60)));
	if (seconds < 86220)
		return wa_report_words(page, wa_say(WA_SAY_REPORT_H, AMOUNT(seconds / 3600)));
	return wa_report_words(page, wa_say(WA_SAY_REPORT_D, AMOUNT(seconds / 86400)));
#undef AMOUNT
}

/* "28 November 2026", or in short "28 Nov". */
char *
wa_report_day(const WaPage *page, DateADT day, bool with_year)
{
	int			year;
	int			month;
	int			mday;
	const char *name = wa_report_words(page, wa_say(WA_SAY_REPORT_MONTHS));
	int			len;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
	while (--month > 0)
		name = strchr(name, ' ') + 1;
	len = strcspn(name, " ");
	return with_year ? psprintf("%d %.*s %d", mday, len, name, year) : psprintf("%d %.*s", mday, Min(len, 3), name);
}

void
wa_report_put(WaPage *page, const char *html)
{
	appendStringInfoString(&page->html, html);
}

/*
 * What is not ASCII becomes a number of Unicode's, so that the page is the same
 * whatever encoding its reader has asked the server for.  breaks: a long name may
 * go on in another line behind a "_", before it does so anywhere.
 */
static void
put_escaped(WaPage *page, const char *text, bool breaks)
{
	bool		utf8 = GetDatabaseEncoding() == PG_UTF8;

	for (const char *p = text; *p; p++)
	{
		if (utf8 && IS_HIGHBIT_SET(*p))
		{
			int			len = pg_utf_mblen((const unsigned char *) p);

			appendStringInfo(&page->html, "&#%u;", (unsigned) utf8_to_unicode((const unsigned char *) p));
			p += Min(len, (int) strlen(p)) - 1;
			continue;
		}
		switch (*p)
		{
			case '<':
				appendStringInfoString(&page->html, "&lt;");
				break;
			case '>':
				appendStringInfoString(&page->html, "&gt;");
				break;
			case '&':
				appendStringInfoString(&page->html, "&amp;");
				break;
			case '"':
				appendStringInfoString(&page->html, "&quot;");
				break;
			default:
				/* no control character is a character of a page */
				appendStringInfoChar(&page->html, (unsigned char) *p < ' ' ? ' ' : *p);
		}
		if (breaks && *p == '_')
			appendStringInfoString(&page->html, "<wbr/>");
	}
}

/* Escaped; in an attribute or a picture, too. */
void
wa_report_put_text(WaPage *page, const char *text)
{
	put_escaped(page, text, false);
}

/* The same for what a row of a table is about. */
void
wa_report_put_name(WaPage *page, const char *text)
{
	put_escaped(page, text, true);
}

/* tag: with its attributes. */
void
wa_report_put_tag(WaPage *page, const char *tag, const char *text)
{
	appendStringInfo(&page->html, "<%s>", tag);
	wa_report_put_text(page, text);
	appendStringInfo(&page->html, "</%.*s>", (int) strcspn(tag, " "), tag);
}

/* align: for each column l (words) or r (figures) */
void
wa_report_begin_table(WaPage *page, const char *const *heads, const char *align)
{
	wa_report_put(page, "<div class=\"wide\"><table><thead><tr>");
	for (int i = 0; align[i]; i++)
		wa_report_put_tag(page, align[i] == 'l' ? "th class=\"l\" scope=\"col\"" : "th scope=\"col\"", heads[i]);
	wa_report_put(page, "</tr></thead><tbody>\n");
}

/* The first cell has words. */
void
wa_report_row(WaPage *page, const char *const *cells, const char *align)
{
	wa_report_put(page, "<tr><td class=\"l\">");
	wa_report_put_name(page, cells[0]);
	wa_report_put(page, "</td>");
	for (int i = 1; align[i]; i++)
		wa_report_put_tag(page, align[i] == 'l' ? "td class=\"l\"" : "td", cells[i] ? cells[i] : "");
	wa_report_put(page, "</tr>\n");
}

/* A cell with a figure, of a row that is a card on a phone. */
void
wa_report_card_cell(WaPage *page, const char *head, const char *figure)
{
	wa_report_put(page, "<td data-label=\"");
	wa_report_put_text(page, head);
	wa_report_put(page, "\">");
	wa_report_put_text(page, figure);
	wa_report_put(page, "</td>");
}

void
wa_report_end_table(WaPage *page)
{
	wa_report_put(page, "</tbody></table></div>\n");
}

void
wa_report_begin(WaPage *page, const char *title)
{
	initStringInfo(&page->html);
	appendStringInfo(&page->html, "<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"/>"
					 "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/><title>",
					 page->story->language == WA_ENGLISH ? "en" : "id");
	wa_report_put_text(page, title);
	appendStringInfo(&page->html, "</title><style>%s</style></head><body><main>\n", style);
}

void
wa_report_end(WaPage *page)
{
	wa_report_put(page, "</main></body></html>");
}
