/*-------------------------------------------------------------------------
 *
 * feedback.h
 *		What a provider tells by a webhook: body -> updates.
 *
 * Pure C and json-c, like the rest of this folder.  A body holds any number of
 * updates of any kind; each stands alone.  What is read of one is facts: what
 * they do to a message, a consent or a provider is decided elsewhere, and so
 * is whether the message that it names is ours.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_FEEDBACK_H
#define SICANTIK_WA_FEEDBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/say.h"
#include "text/text.h"			/* WA_NUMBER_SIZE */

/* What an update is about.  Names in feedback.c, as they are stored. */
typedef enum WaUpdateKind
{
	WA_UPDATE_STATUS,			/* what became of a message that we sent */
	WA_UPDATE_INBOUND,			/* somebody wrote to us */
	WA_UPDATE_PERSON,			/* somebody's number or id has changed */
	WA_UPDATE_PREFERENCE,		/* somebody's wish about marketing */
	WA_UPDATE_TEMPLATE,			/* a template's state, category, quality */
	WA_UPDATE_ACCOUNT,			/* our account, or one of our numbers */
	WA_UPDATE_KEPT,				/* known, and of no effect: kept and counted */
	WA_UPDATE_UNKNOWN			/* none that we know, or not readable */
} WaUpdateKind;

#define WA_UPDATE_KIND_COUNT	(WA_UPDATE_UNKNOWN + 1)

/* How far a message has come.  The order is the rank. */
typedef enum WaProgress
{
	WA_PROGRESS_NONE,			/* the status says nothing of this kind */
	WA_PROGRESS_SENT,
	WA_PROGRESS_DELIVERED,
	WA_PROGRESS_READ,
	WA_PROGRESS_FAILED			/* no rank: any of the others wins over it */
} WaProgress;

/* Bytes of a text, of words and of an excerpt that are kept. */
#define WA_UPDATE_TEXT_BYTES	4096
#define WA_UPDATE_EXCERPT_BYTES	2000

/*
 * One update.  Strings are valid UTF-8 without control characters but for line
 * ends and tabs in text; NULL: not told (an empty string of the provider's is
 * not told).  They last for the call that the update is given to.
 */
typedef struct WaUpdate
{
	WaUpdateKind kind;
	const char *event;			/* the provider's own word for it:
								 * "delivered", "text", "user_changed_number",
								 * "message_template_status_update/PAUSED" */

	/* of whom, and when */
	const char *sender_id;		/* the number of ours that it concerns: Meta's
								 * phone_number_id, a gateway's device */
	const char *account_id;		/* Meta: the business account */
	int64_t		said_at;		/* seconds since 1970, by the provider; 0: not
								 * told, unreadable, or in the future */
	const char *number;			/* the person's, digits in international form:
								 * 8 to 15 of them, or NULL */
	const char *user_id;		/* his id, business-scoped or of a gateway
								 * ("...@lid"), where one is told */
	const char *parent_user_id;
	const char *name;			/* as he calls himself */
	const char *previous_number;	/* PERSON: what he had before */
	const char *previous_user_id;

	/* STATUS */
	const char *message_id;		/* the provider's, of our message; INBOUND: of
								 * his */
	const char *pair_id;		/* Fonnte: stateid, which stands for
								 * message_id from then on */
	const char *callback;		/* our mark, echoed */
	WaProgress	progress;
	const char *code;			/* FAILED: the provider's code or word */
	const char *words;			/* and what it says besides */
	const char *pricing;		/* JSON object */

	/* INBOUND */
	const char *text;			/* where there is text */
	const char *keyword;		/* what may be compared with STOP and START,
								 * as it came; NULL: nothing of it may.  Of a
								 * button, what it says to programs: if that
								 * is no such word, text is to be compared,
								 * which is what stands on it */
	bool		only_out;		/* an edit: it may opt out, never in */
	bool		opens_window;	/* it opens the 24 hours */
	bool		proves_number;	/* he has shared his number: it is his */
	const char *answers;		/* provider's id of our message that it
								 * answers */

	/* PREFERENCE: marketing of ours; false with event "stop" */
	bool		wants;

	/* TEMPLATE */
	const char *template_name;
	const char *language;

	const char *detail;			/* JSON object: TEMPLATE, ACCOUNT: its value;
								 * other kinds: what else is worth keeping */
	const char *excerpt;		/* KEPT, UNKNOWN: the beginning of it */
} WaUpdate;

/* What an event about our account (WA_UPDATE_ACCOUNT) comes to. */
typedef enum WaAccountEffect
{
	WA_ACCOUNT_KEPT,			/* nothing */
	WA_ACCOUNT_RESUME,			/* what was told before, about the same, is
								 * over */
	WA_ACCOUNT_WARN,			/* people should know */
	WA_ACCOUNT_SLOWER,			/* less may go; people should know */
	WA_ACCOUNT_STOP				/* nothing goes until then, or until RESUME */
} WaAccountEffect;

/* What it is about: good news is news of the same only. */
typedef enum WaAccountAbout
{
	WA_ABOUT_RULES,				/* a restriction, a violation, a ban */
	WA_ABOUT_LINK,				/* the link to the account, or the device's */
	WA_ABOUT_ELSE				/* limits, names, whatever else */
} WaAccountAbout;

typedef struct WaAccountNews
{
	WaAccountEffect effect;
	WaAccountAbout about;
	int64_t		until;			/* when it ends, in seconds since 1970; 0: not
								 * told, or in words, which are in said then */
	char		number[WA_NUMBER_SIZE]; /* only this number of ours is
										 * concerned; "": all of the account */
	WaSaidText	said;			/* for people */
} WaAccountNews;

/* Is called for each update, in the order of the body. */
typedef void (*WaTakeUpdate) (const WaUpdate *update, void *argument);

#endif							/* SICANTIK_WA_FEEDBACK_H */
