/*-------------------------------------------------------------------------
 *
 * catalogue.h
 *		A provider's own templates: read, made, and what it tells of them.
 *
 * Pure C and json-c, like the rest of this folder.  What is read is facts:
 * what they do to a mapping of ours is decided elsewhere.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CATALOGUE_H
#define SICANTIK_WA_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "text/say.h"
#include "text/text.h"

/* May messages be sent with a template, by the provider's word for its state? */
typedef enum WaTemplateStanding
{
	WA_TEMPLATE_UNCLEAR,		/* the word tells nothing: read it anew */
	WA_TEMPLATE_USABLE,
	WA_TEMPLATE_WARNED,			/* usable, and may soon be no more */
	WA_TEMPLATE_UNUSABLE,
	WA_TEMPLATE_PENDING,		/* not yet usable: it is being looked at */
	WA_TEMPLATE_ARCHIVED,		/* not usable, and deleted later unless
								 * somebody takes it back */
	WA_TEMPLATE_GONE			/* deleted, or about to be */
} WaTemplateStanding;

/* More parameters than any template of ours can have. */
#define WA_TEMPLATE_MAX_PARAMETERS	100

/*
 * A template in one language, as the provider has it.  Strings are valid UTF-8
 * without control characters and last for the call; NULL: not told.
 */
typedef struct WaTemplateFacts
{
	const char *name;
	const char *language;		/* with "_" */
	const char *status;			/* the provider's word */
	WaTemplateStanding standing;
	const char *category;
	const char *announced_category; /* what it is to become */
	const char *quality;
	const char *reason;			/* why it was rejected */
	bool		counted;		/* its text was told, so what follows is known */
	bool		named;
	int			nparameters;	/* different ones, of the body */
	const char *parameters[WA_TEMPLATE_MAX_PARAMETERS]; /* named: their names,
														 * as in the body */
	const char *lacks;			/* another part with a variable, which we do
								 * not fill: "HEADER", "BUTTONS"; or NULL */
} WaTemplateFacts;

typedef void (*WaTakeTemplate) (const WaTemplateFacts *template, void *argument);

/* What a page of the list has come to, or that it could not be read. */
#define WA_TEMPLATE_CURSOR_SIZE	1024

typedef struct WaTemplatePage
{
	bool		ok;
	bool		too_large;		/* ask for fewer in one page */
	char		after[WA_TEMPLATE_CURSOR_SIZE]; /* "": that was the last one */
	long		wait_s;			/* not ok: told wait, or -1 */
	WaSaidText	said;			/* not ok: why */
} WaTemplatePage;

/* A template of ours, to be made at the provider's. */
typedef struct WaTemplateDraft
{
	const char *name;
	const char *language;
	const char *category;
	const char *body;			/* with {{name}} placeholders */
	bool		named;
	size_t		nparameters;
	const WaPair *parameters;	/* in order, each with an example */
} WaTemplateDraft;

/* What became of it. */
typedef struct WaTemplateMade
{
	bool		ok;
	char		status[64];
	char		category[64];
	WaTemplateStanding standing;
	bool		there;			/* not ok: one of its name is there already,
								 * in its language */
	WaSaidText	said;			/* not ok: why */
} WaTemplateMade;

/* What an event of a webhook (WA_UPDATE_TEMPLATE) says. */
typedef struct WaTemplateNews
{
	char		status[64];		/* "": nothing of its state */
	WaTemplateStanding standing;
	char		category[64];	/* "": nothing; else the present one */
	char		announced_category[64]; /* "": none */
	bool		happened;		/* the category has changed just now */
	char		quality[32];	/* "": nothing */
	char		reason[256];
	char		until[64];		/* WARNED, GONE: when that is to happen, in
								 * the provider's words */
	bool		read_anew;		/* more has changed than the event tells */
} WaTemplateNews;

#endif							/* SICANTIK_WA_CATALOGUE_H */
