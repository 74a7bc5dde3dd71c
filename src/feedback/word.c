/*-------------------------------------------------------------------------
 *
 * word.c
 *		Is a message STOP, or START?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "feedback/consent.h"
#include "office/setting.h"
#include "text/text.h"

/*
 * What a message says of consent: it is one of the words of the settings
 * opt_out_words and opt_in_words, and nothing else.  keyword: what may be
 * compared with them, or NULL; only_out: it may opt out, never in.  A word
 * that stands in both lists opts out.
 */
WaConsentWord
wa_feedback_consent_of_words(const char *keyword, bool only_out)
{
	if (keyword == NULL)
		return WA_CONSENT_NO_WORD;
	if (wa_text_is_keyword(keyword, wa_office_get("opt_out_words")))
		return WA_CONSENT_OUT;
	if (!only_out && wa_text_is_keyword(keyword, wa_office_get("opt_in_words")))
		return WA_CONSENT_IN;
	return WA_CONSENT_NO_WORD;
}

/*
 * The word that people are told by which they agree, palloc()ed: the last one
 * of opt_in_words, where the language of the country stands.
 */
char *
wa_feedback_consent_word_in(void)
{
	char	   *words = wa_office_get("opt_in_words");
	char	   *word = strrchr(words, ',');

	word = word ? word + 1 : words;
	return word + strspn(word, " ");
}
