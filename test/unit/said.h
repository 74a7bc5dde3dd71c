/*-------------------------------------------------------------------------
 *
 * said.h
 *		What is said, in words, for the unit tests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TEST_SAID_H
#define SICANTIK_WA_TEST_SAID_H

#include "text/say.h"

#include "check.h"

/* In English; static, and overwritten by the fourth call from here. */
static CHECK_UNUSED const char *
english(const WaSaidText *said)
{
	static char words[4][4 * WA_SAID_SIZE];
	static int	next = 0;
	char	   *text = words[next++ % 4];

	wa_text_say_words(text, sizeof(words[0]), WA_SAID_IN(said), WA_ENGLISH);
	return text;
}

#endif							/* SICANTIK_WA_TEST_SAID_H */
