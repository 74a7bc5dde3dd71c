/*-------------------------------------------------------------------------
 *
 * consented.c
 *		What was said of consent, told.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/history.h"
#include "feedback/consent.h"
#include "pg/columns.h"
#include "pg/said.h"

/*
 * What is in wa.consent, and what somebody has written to wa.contact himself;
 * words of an id that is this number's, or will be, among them.
 */
#define WORD_COLUMNS(X, row) \
	X(row, text, number, "number") \
	X(row, time, said_at, "said_at") \
	X(row, boolean, out, "change = 'opt_out'") \
	X(row, boolean, marketing, "scope = 'marketing'") \
	X(row, text, source, "source") \
	X(row, text, words, "words") \
	X(row, text, by, "by")
WA_DEFINE_ROW(Word, word_row, WORD_COLUMNS);

#define WRITTEN_BY_HAND(scope, change, column) \
	" UNION ALL SELECT c.number, c." column ", '" change "', '" scope "', c.source, NULL, NULL FROM wa.contact AS c" \
	" WHERE c.number = ANY ($1) AND c." column " IS NOT NULL AND NOT EXISTS (SELECT FROM wa.consent AS h WHERE h.number = c.number" \
	" AND h.scope = '" scope "' AND h.change = '" change "' AND h.said_at = c." column ")"

/* Where a word is known from, for people. */
static const char *
source_of(const WaStory *story, const Word * word)
{
	const char *source = word->source ? word->source : "-";
	const char *words = word->words ? psprintf(": \"%s\"", word->words) : "";

	if (strcmp(source, WA_CONSENT_HAND) == 0 && word->by)
		source = wa_story_words(story, wa_say(WA_SAY_CONSENT_FROM_HAND, word->by));
	else if (strcmp(source, WA_CONSENT_KEYWORD) == 0)
		source = wa_story_words(story, wa_say(WA_SAY_CONSENT_FROM_KEYWORD));
	else if (strcmp(source, WA_CONSENT_PROVIDER) == 0)
		source = wa_story_words(story, wa_say(WA_SAY_CONSENT_FROM_PROVIDER));
	else if (strcmp(source, WA_CONSENT_PREFERENCE) == 0)
		source = wa_story_words(story, wa_say(WA_SAY_CONSENT_FROM_PREFERENCE));
	else if (strcmp(source, WA_CONSENT_MOVED) == 0)
		source = wa_story_words(story, wa_say(WA_SAY_CONSENT_FROM_MOVED));
	return psprintf("%s%s", source, words);
}

static WaSaid
sentence(const WaStory *story, const Word * word)
{
	const char *number = wa_story_number(story, word->number);
	const char *source = source_of(story, word);

	if (word->marketing)
		return word->out ? wa_say(WA_SAY_CONSENT_MARKETING_OUT, number, source) :
			wa_say(WA_SAY_CONSENT_MARKETING_IN, number, source);
	return word->out ? wa_say(WA_SAY_CONSENT_OUT, number, source) : wa_say(WA_SAY_CONSENT_IN, number, source);
}

/*
 * Add what was said of these numbers, or ids of Meta's, to the notes; last: only
 * the last "no" of each kind.
 */
void
wa_admin_consent_note(List **notes, const WaStory *story, const WaNumbers *numbers, bool last)
{
	static WaStatement read =
		WA_STATEMENT_OF(&word_row,
						"SELECT {columns} FROM (SELECT number, said_at, change, scope, source, words, by FROM wa.consent WHERE number = ANY ($1)"
						" UNION ALL SELECT i.number, w.said_at, w.change, w.scope, w.source, w.words, w.by FROM wa.consent AS w"
						" JOIN wa.identity_of AS i ON i.user_id = w.user_id AND i.number = ANY ($1) WHERE w.number IS NULL"
						" AND NOT EXISTS (SELECT FROM wa.consent AS h WHERE h.number = i.number AND h.scope = w.scope"
						" AND h.change = w.change AND h.said_at = w.said_at)"
						" UNION ALL SELECT user_id, said_at, change, scope, source, words, by FROM wa.consent WHERE user_id = ANY ($1) AND number IS NULL"
						WRITTEN_BY_HAND("all", "opt_in", "opted_in_at")
						WRITTEN_BY_HAND("all", "opt_out", "opted_out_at")
						WRITTEN_BY_HAND("marketing", "opt_in", "marketing_in_at")
						WRITTEN_BY_HAND("marketing", "opt_out", "marketing_out_at")
						") AS w ORDER BY number, said_at, change, scope");
	WaArgs		args = {0};
	Word	   *words;
	int			n;

	wa_arg_text_array(&args, numbers->list, numbers->n);
	words = wa_rows_read(wa_query(&read, &args), &word_row, &n);
	for (int i = 0; i < n; i++)
	{
		bool		again = false;

		for (int j = i + 1; last && !again && j < n && strcmp(words[j].number, words[i].number) == 0; j++)
			again = words[j].out && words[j].marketing == words[i].marketing;
		if (last && (!words[i].out || again))
			continue;
		wa_admin_note(notes, words[i].said_at, sentence(story, &words[i]));
	}
}
