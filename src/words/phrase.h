/*-------------------------------------------------------------------------
 *
 * phrase.h
 *		English sentences of ours, and the same in Indonesian.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PHRASE_H
#define SICANTIK_WA_PHRASE_H

#include "postgres.h"

/*
 * One sentence, or a part of one between two "; ".
 *
 * English: as in the source that writes it, with %s where a value stands,
 * whatever its type; %S for a value that may contain "; " itself, such as what
 * a provider answered.
 *
 * Indonesian: {1} is the first value as it is; <1> is the first value, which
 * is a phrase, or several, in its turn.
 */
typedef struct WaPhrase
{
	const char *english;
	const char *indonesian;
} WaPhrase;

/* Each ends with an entry whose members are NULL. */
extern const WaPhrase wa_words_ledger_phrases[];	/* phrase_ledger.c */
extern const WaPhrase wa_words_provider_phrases[];	/* phrase_provider.c */
extern const WaPhrase wa_words_meta_phrases[];	/* phrase_meta.c */

/* phrase.c */
extern PGDLLEXPORT char *wa_words_phrase_in_indonesian(const char *english);

#endif							/* SICANTIK_WA_PHRASE_H */
