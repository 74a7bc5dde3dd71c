/*-------------------------------------------------------------------------
 *
 * findings.h
 *		How things are, and what is amiss: one look for wa_check(), wa_status()
 *		and wa_setup().
 *
 * SPI connected and the database's owner acting; everything is palloc()ed in
 * the context in which wa_admin_findings_look() is called.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_FINDINGS_H
#define SICANTIK_WA_FINDINGS_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "admin/watched.h"
#include "identity/identity.h"
#include "pg/subtransaction.h"
#include "route/providers.h"
#include "words/story.h"

/*
 * How serious a finding is: the most serious first.  What loses a
 * notification, or keeps every one of them back, is an error, and so is what
 * keeps back those of one scenario; a warning is what somebody should decide
 * or mend, and it goes away when he has.  What nobody can make go away is no
 * warning, but fine, with a sentence.
 */
typedef enum WaRank
{
	/* errors */
	WA_ERROR_SETUP,				/* wa_setup() has not been run */
	WA_ERROR_LIBRARY,			/* not preloaded, switched off, another
								 * version */
	WA_ERROR_IDENTITY,			/* a copy, or for another reason stopped */
	WA_ERROR_CAPTURE,			/* changes in Odoo are not recorded */
	WA_ERROR_WORKER,			/* it cannot run, or does not come round */
	WA_ERROR_PROVIDERS,			/* none can be used */
	WA_ERROR_UNREADABLE,		/* messages wait for a table of Odoo's */
	WA_ERROR_ODOO,				/* tables of Odoo's cannot be read */
	WA_ERROR_SETTING,			/* a setting of the office is none */
	WA_ERROR_SCENARIO,			/* one scenario says nothing */
	WA_ERROR_DEAD_LETTER,
	WA_ERROR_CALENDAR,
	WA_ERROR_MAPPING,			/* a template that its provider refuses */
	WA_ERROR_PROVIDER,			/* one of those that are wanted */

	/* warnings */
	WA_WARNING_SENDER,			/* citizens get everything twice */
	WA_WARNING_EVENTS,			/* nobody reads them */
	WA_WARNING_MODE,
	WA_WARNING_PAUSED,
	WA_WARNING_CONSENT,			/* a "no" that nobody can keep to */
	WA_WARNING_WAITING,			/* messages that no provider takes */
	WA_WARNING_HELD,
	WA_WARNING_FAILED,
	WA_WARNING_GAP,				/* changes were not recorded */
	WA_WARNING_PROVIDER,
	WA_WARNING_TEMPLATE,		/* the provider sees one otherwise than we */
	WA_WARNING_WEBHOOK,			/* what providers tell is not taken */
	WA_WARNING_LINK,
	WA_WARNING_HOLIDAYS,		/* next year's are not entered */
	WA_WARNING_WORKER,
	WA_WARNING_SERVER,
	WA_WARNING_ODOO,

	WA_FINE
} WaRank;

#define WA_LAST_ERROR		WA_ERROR_PROVIDER

/* What wa_check() prints, and wa_status() of the most serious one. */
typedef struct WaFinding
{
	WaRank		rank;
	const char *item;			/* the same in all languages */
	WaSaid		next;			/* the statement or deed that mends it; NULL:
								 * the sentence says it */
	WaSaid		sentence;		/* NULL only if fine */
} WaFinding;

/* How it is: what wa_status() prints, in short. */
typedef struct WaShown
{
	const char *item;			/* the same in all languages */
	const char *value;			/* likewise */
	WaSaid		detail;			/* or NULL */
} WaShown;

typedef struct WaFindings
{
	const WaStory *story;		/* for what is stored in English */
	int			n;
	WaFinding  *list;			/* in the order of wa_check() */
	List	   *shown;			/* of WaShown, in the order of wa_status() */

	/* what several of them rest on */
	bool		standby;
	WaIdentity	identity;
	WaProviders providers;
	int			usable;			/* providers that can be used now */
	WaWatched  *watched;
	int			nwatched;
} WaFindings;

/* findings.c */
extern void wa_admin_findings_look(WaFindings *findings, const WaStory *story);
extern void wa_admin_find(WaFindings *findings, WaRank rank, const char *item,
						  WaSaid next, WaSaid sentence);
extern void wa_admin_show(WaFindings *findings, const char *item,
						  const char *value, WaSaid detail);
extern bool wa_admin_find_look(WaFindings *findings, WaRank rank, const char *item,
							   WaSubtransaction look, void *argument);
extern const char *wa_admin_findings_next(const WaFindings *findings, const char **why);
extern const char *wa_admin_finding_state(const WaFinding *finding);

/* check.c: of the office, where the library does not fit our tables */
extern WaLanguage wa_admin_language_despite(void);

/* mapped.c */
extern bool wa_admin_takes(const WaProvider *p, const WaMapping *mappings, int nmappings,
						   const char *key, bool *refused);
extern WaSaid wa_admin_what_maps(const WaProvider *p, const WaMapping *mappings, int nmappings,
								 const char *key, WaSaid *why);
extern WaSaid wa_admin_what_mends(const WaProvider *p, const WaMapping *mappings, int nmappings,
								  const char *key);

/* ready.c */
extern char *wa_admin_armed(void);

/*
 * Those who look, each once at its subject; each adds a finding for every item,
 * also where all is well, and shows how it is.
 */
extern void wa_admin_find_server(WaFindings *findings); /* find_server.c */
extern void wa_admin_find_providers(WaFindings *findings);	/* find_provider.c */
extern void wa_admin_find_scenarios(WaFindings *findings);	/* find_scenario.c */
extern void wa_admin_find_templates(WaFindings *findings);	/* find_template.c */
extern void wa_admin_find_watched(WaFindings *findings);	/* find_watched.c */
extern void wa_admin_find_recorded(WaFindings *findings);	/* find_recorded.c */
extern void wa_admin_find_rights(WaFindings *findings); /* find_rights.c */
extern void wa_admin_find_office(WaFindings *findings); /* find_office.c */
extern void wa_admin_find_groups(WaFindings *findings); /* find_group.c */
extern void wa_admin_find_reach(WaFindings *findings);	/* reach.c */
extern void wa_admin_find_ledger(WaFindings *findings); /* find_ledger.c */
extern void wa_admin_find_own_tables(WaFindings *findings); /* find_own_tables.c */
extern void wa_admin_find_feedback(WaFindings *findings);	/* find_feedback.c */
extern void wa_admin_find_other_senders(WaFindings *findings);	/* senders.c */

#endif							/* SICANTIK_WA_FINDINGS_H */
