/*-------------------------------------------------------------------------
 *
 * breakdown.c
 *		Where, and why not: the tables of a report.
 *
 * A provider without webhooks tells of no delivery.  What it has sent counts as
 * not delivered in no rate of these pages: they are of those with reports, and
 * how many are without is said beside them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/query.h"
#include "queue/state.h"
#include "report/chart.h"
#include "report/report.h"

/* So many rows of reasons, and so many names in a sentence, are told. */
#define MOST_REASONS	12
#define MOST_NAMES		5

/* How many of those sent came to the phone, as a cell has it. */
static char *
rate(const WaPage *page, const WaTally *tally)
{
	if (tally->sent > 0 && tally->told == 0)
		return T(NOT_TOLD);
	return wa_report_percent(page, tally->arrived, tally->told);
}

/*
 * The same with its whole.
 */
char *
wa_report_rate(const WaPage *page, const WaTally *tally)
{
	if (tally->sent > 0 && tally->told == 0)
		return T(NOT_TOLD);
	if (tally->told < tally->sent)
		return wa_report_words(page, wa_say(WA_SAY_REPORT_OF_TOLD, rate(page, tally)));
	return wa_report_words(page, wa_say(WA_SAY_REPORT_OF_SENT, rate(page, tally)));
}

/*
 * How many went through providers that have told of no delivery, if any did.
 */
void
wa_report_untold(WaReport *report)
{
	WaPage	   *page = &report->page;
	const WaTally *now = report->now;
	StringInfoData names;
	int			n = 0;
	char	   *words;

	if (now->told >= now->sent)
		return;
	initStringInfo(&names);
	for (int i = 0; i < report->ntallies; i++)
	{
		const WaTally *t = &report->tallies[i];

		if (strcmp(t->of, "provider") != 0 || t->sent == 0 || t->told > 0)
			continue;
		if (n++ < MOST_NAMES)
			appendStringInfo(&names, "%s%s", n > 1 ? ", " : "", t->name[0] ? t->name : T(NO_PROVIDER));
	}
	if (n > MOST_NAMES)
		appendStringInfoString(&names, ", ...");
	words = wa_report_words(page, wa_say(WA_SAY_REPORT_UNTOLD, N(now->sent - now->told), N(now->sent), names.data));
	if (now->told > 0)
		words = psprintf("%s %s", words, wa_report_words(page, wa_say(WA_SAY_REPORT_TOLD_RATE, rate(page, now))));
	wa_report_put_tag(page, "p class=\"untold\"", words);
}

/*
 * A table of what is told apart by scenario, or provider; those of most messages
 * first, each with a bar.
 */
void
wa_report_by(WaReport *report, const char *of, const char *title, const char *head, const char *unnamed)
{
	WaPage	   *page = &report->page;
	bool		all_told = report->now->told >= report->now->sent;
	const char *heads[] = {
		head, T(MADE), T(SENT), T(DELIVERED), all_told ? T(RATE) : T(RATE_TOLD), T(FAILED_COLUMN), T(HELD_COLUMN), T(WITHIN_COLUMN), T(P95_COLUMN)
	};
	const char *const *parts = wa_report_part_names(page);
	int64		most = 0;

	for (int i = 0; i < report->ntallies; i++)
		if (strcmp(report->tallies[i].of, of) == 0)
			most = Max(most, report->tallies[i].made);
	wa_report_put(page, "<section class=\"cards\">");
	wa_report_put_tag(page, "h2", title);
	wa_report_chart_legend(page, parts, WA_PARTS, false);
	wa_report_begin_table(page, heads, "lrrrrrrrr");
	for (int i = 0; i < report->ntallies; i++)
	{
		const WaTally *t = &report->tallies[i];
		const char *figures[] = {
			N(t->made), N(t->sent), N(t->arrived), rate(page, t), N(t->failed), N(t->kept_back), wa_report_time(page, t->median), wa_report_time(page, t->p95)
		};
		double		values[WA_PARTS];

		if (strcmp(t->of, of) != 0)
			continue;
		wa_report_parts(t, values);
		wa_report_put(page, "<tr><td class=\"l\">");
		wa_report_put_name(page, t->name[0] ? t->name : unnamed);
		wa_report_chart_inline(page, parts, values, WA_PARTS, most);
		wa_report_put(page, "</td>");
		for (size_t c = 0; c < lengthof(figures); c++)
			wa_report_card_cell(page, heads[c + 1], figures[c]);
		wa_report_put(page, "</tr>\n");
	}
	wa_report_end_table(page);
	wa_report_put(page, "</section>\n");
}

/* State and reason in words, which say nothing twice. */
static const char *
why(const WaStory *story, const char *state, const char *reason)
{
	const char *words = wa_story_state_words(story, state);
	const char *more = wa_story_reason(story, reason);

	if (strncmp(more, words, strlen(words)) == 0)
		return more;
	return more[0] ? psprintf("%s: %s", words, more) : words;
}

/* Messages in these states (NULL after the last) by their reason, with what to do. */
static void
put_reasons(WaReport *report, const char *const *states, const char *title)
{
	WaPage	   *page = &report->page;
	const WaStory *story = page->story;
	const char *heads[] = {T(REASON), T(MESSAGES), T(WHAT_TO_DO)};
	int			n = 0;

	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", title);
	for (int i = 0; i < report->ntallies && n < MOST_REASONS; i++)
	{
		const WaTally *t = &report->tallies[i];

		for (const char *const *state = states; *state; state++)
		{
			const char *reason = wa_report_detail(t, *state);
			const char *cells[3];

			if (reason == NULL)
				continue;
			if (n++ == 0)
				wa_report_begin_table(page, heads, "lrl");
			cells[0] = why(story, *state, reason);
			cells[1] = N(t->made);
			cells[2] = wa_story_advice_for_all(story, *state, reason[0] ? reason : NULL);
			wa_report_row(page, cells, "lrl");
		}
	}
	if (n == 0)
		wa_report_put_tag(page, "p", T(NONE));
	else
		wa_report_end_table(page);
	wa_report_put(page, "</section>\n");
}

/*
 * Why messages did not arrive, or did not go.
 */
void
wa_report_why_not(WaReport *report)
{
#define NAME(name)		WA_STATE_NAME_##name
#define NEXT(name)		, WA_STATE_NAME_##name
	static const char *const failed[] = {WA_WRONG(NAME, NEXT), NULL};
	static const char *const not_sent[] = {NAME(HELD), NAME(SKIPPED), NULL};
	const WaPage *page = &report->page;

	put_reasons(report, failed, T(FAILURES));
	put_reasons(report, not_sent, T(NOT_SENT));
}

/*
 * What providers say of the price; nothing where none does.
 */
void
wa_report_prices(WaReport *report)
{
	static WaStatement prices =
		WA_STATEMENT("SELECT provider, split_part(detail, '/', 1), split_part(detail, '/', 2), split_part(detail, '/', 3), sum(n)::bigint"
					 " FROM wa._figure WHERE day BETWEEN $1::date AND $2::date AND figure = 'pricing'"
					 " GROUP BY provider, detail HAVING sum(n) <> 0 ORDER BY provider, sum(n) DESC, detail");
	WaPage	   *page = &report->page;
	const char *heads[] = {T(PROVIDER), T(CATEGORY), T(TYPE), T(BILLABLE), T(MESSAGES)};
	WaRows		rows = wa_report_ask(report, &prices, NULL);

	if (rows.n == 0)
		return;
	wa_report_put(page, "<section>");
	wa_report_put_tag(page, "h2", T(PRICES));
	wa_report_begin_table(page, heads, "llllr");
	for (uint64 i = 0; i < rows.n; i++)
	{
		const char *provider = wa_row_text(rows, i, 1);
		const char *billable = wa_row_text(rows, i, 4);
		const char *cells[] = {
			provider[0] ? provider : T(NO_PROVIDER), wa_row_text(rows, i, 2), wa_row_text(rows, i, 3),
			strcmp(billable, "true") == 0 ? T(YES) : strcmp(billable, "false") == 0 ? T(NO) : billable, N(wa_row_int8(rows, i, 5))
		};

		wa_report_row(page, cells, "llllr");
	}
	wa_report_end_table(page);
	wa_report_put(page, "</section>\n");
}
