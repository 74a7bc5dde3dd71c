/*-------------------------------------------------------------------------
 *
 * attention.c
 *		What needs attention, as wa_check() says.
 *
 * It is of this moment, whatever the period is.  The most serious of it stands
 * on the first screen, all of it further down.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "report/report.h"

/* So many findings are on the first screen. */
#define MOST_FIRST	3

static bool
is_error(const WaFinding *finding)
{
	return finding->rank <= WA_LAST_ERROR;
}

/* A sign, a word, and what it is about. */
static char *
item(const WaPage *page, const WaFinding *finding)
{
	return psprintf("%s %s: %s", is_error(finding) ? "\xe2\x9c\x96" : "\xe2\x96\xb2", is_error(finding) ? T(ERROR) : T(WARNING),
					wa_story_masked(page->story, finding->item));
}

static char *
sentence(const WaPage *page, const WaFinding *finding)
{
	return wa_story_masked(page->story, wa_report_words(page, finding->sentence));
}

/* The most serious first. */
static int
by_rank(const void *a, const void *b)
{
	const WaFinding *const *left = a;
	const WaFinding *const *right = b;

	if ((*left)->rank != (*right)->rank)
		return (*left)->rank < (*right)->rank ? -1 : 1;
	return *left < *right ? -1 : *left > *right ? 1 : 0;
}

/* Those that are not fine. */
static const WaFinding **
amiss(const WaReport *report, int *n, int *errors)
{
	const WaFinding **found = palloc(sizeof(WaFinding *) * (report->findings.n + 1));

	*n = *errors = 0;
	for (int i = 0; i < report->findings.n; i++)
	{
		const WaFinding *finding = &report->findings.list[i];

		if (finding->rank == WA_FINE)
			continue;
		found[(*n)++] = finding;
		*errors += is_error(finding);
	}
	qsort(found, *n, sizeof(WaFinding *), by_rank);
	return found;
}

/*
 * How much is amiss, and the most serious of it.
 */
void
wa_report_attention_short(WaReport *report)
{
	WaPage	   *page = &report->page;
	int			n;
	int			errors;
	const WaFinding **found = amiss(report, &n, &errors);

	if (n == 0)
	{
		wa_report_put(page, "<aside class=\"now\">");
		wa_report_put_tag(page, "b", T(ATTENTION_NONE));
		wa_report_put(page, "</aside>\n");
		return;
	}
	wa_report_put(page, errors > 0 ? "<aside class=\"now error\">" : "<aside class=\"now warning\">");
	wa_report_put_tag(page, "b", wa_report_words(page, wa_say(WA_SAY_REPORT_ATTENTION_COUNT, N(errors), N(n - errors))));
	wa_report_put(page, "<ul>");
	for (int i = 0; i < Min(n, MOST_FIRST); i++)
	{
		wa_report_put(page, "<li>");
		wa_report_put_tag(page, "b", item(page, found[i]));
		wa_report_put(page, " ");
		wa_report_put_text(page, sentence(page, found[i]));
		wa_report_put(page, "</li>");
	}
	wa_report_put(page, "</ul>");
	wa_report_put_tag(page, "a href=\"#attention\"", wa_report_words(page, wa_say(WA_SAY_REPORT_ATTENTION_ALL, N(n))));
	wa_report_put(page, "</aside>\n");
}

/*
 * All of it, with what to do.
 */
void
wa_report_attention(WaReport *report)
{
	WaPage	   *page = &report->page;
	const char *heads[] = {T(ITEM), T(WHAT_TO_DO)};
	int			n;
	int			errors;
	const WaFinding **found = amiss(report, &n, &errors);

	wa_report_put(page, "<section id=\"attention\">");
	wa_report_put_tag(page, "h2", T(ATTENTION));
	if (n == 0)
		wa_report_put_tag(page, "p", T(ALL_WELL));
	else
	{
		wa_report_begin_table(page, heads, "ll");
		for (int i = 0; i < n; i++)
		{
			const char *cells[] = {item(page, found[i]), sentence(page, found[i])};

			wa_report_row(page, cells, "ll");
		}
		wa_report_end_table(page);
	}
	wa_report_put(page, "</section>\n");
}
