/*-------------------------------------------------------------------------
 *
 * consent.h
 *		Who wants messages: what people have said of it, and what holds now.
 *
 * Each word is a row of wa.consent, the history, with the time at which it was
 * said.  wa.contact has what holds: the last opt-in and the last opt-out of a
 * number, of which the later one counts, and the opt-out where both are of one
 * time; whoever writes its times by hand is heard like the others, but for the
 * history.  Two things are spoken of, each by itself: all messages, and those
 * of marketing only.
 *
 * A word is never lost and waits for nobody: while somebody holds the row of
 * the contact it is marked as pending, counts where it is an opt-out, and is
 * carried over by the worker.
 *
 * What is said by an id counts for the number that is bound to it, now or later.
 * Changes of numbers and ids are kept in wa.feedback (kind person), so that a
 * "no" goes along whichever of both is heard first.
 *
 * Everything here needs SPI connected and the database's owner acting, and
 * takes part in the caller's transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CONSENT_H
#define SICANTIK_WA_CONSENT_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* What somebody has said.  One of number and user_id is there, or both. */
typedef struct WaConsentChange
{
	const char *number;			/* digits in international form; NULL: not
								 * known */
	const char *user_id;		/* the id that his provider has for him */
	bool		out;
	bool		marketing;		/* it is about marketing alone */
	TimestampTz said_at;		/* 0, or in the future: now */
	const char *source;			/* WA_CONSENT_... */
	const char *words;			/* what was said; NULL: not known */
	const char *by;				/* role that wrote it down; NULL: he himself */
} WaConsentChange;

/* Where it is known from: wa.consent.source, stored. */
#define WA_CONSENT_HAND			"hand"	/* wa_opt_out(), wa_opt_in() */
#define WA_CONSENT_KEYWORD		"keyword"	/* he wrote STOP, or START */
#define WA_CONSENT_PROVIDER		"provider"	/* its answer to a message */
#define WA_CONSENT_PREFERENCE	"preference"	/* he said it to the provider */
#define WA_CONSENT_MOVED		"moved" /* he has another number or id */

extern PGDLLEXPORT void wa_feedback_consent_note(const WaConsentChange *changes, int n);
extern void wa_feedback_consent_bind(const char *const *user_ids, int n, bool told);
extern void wa_feedback_consent_follow(void);
extern PGDLLEXPORT bool wa_feedback_consent_settle(void);
extern int	wa_feedback_consent_purge(const char *retention);

/* What a message says of it as a whole. */
typedef enum WaConsentWord
{
	WA_CONSENT_NO_WORD,
	WA_CONSENT_OUT,
	WA_CONSENT_IN
} WaConsentWord;

/* word.c */
extern WaConsentWord wa_feedback_consent_of_words(const char *keyword, bool only_out);

extern char *wa_feedback_consent_word_in(void);

/* link.c */
extern bool wa_feedback_own_number(const char *given, char *number);
extern char *wa_feedback_consent_link(const char *provider, const char *body, const char *given);

/* confirm.c */
extern void wa_feedback_consent_confirm(const char *number, const char *provider, TimestampTz said_at);

#endif							/* SICANTIK_WA_CONSENT_H */
