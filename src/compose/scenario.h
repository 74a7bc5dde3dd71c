/*-------------------------------------------------------------------------
 *
 * scenario.h
 *		The built-in scenarios, and what they share.
 *
 * A scenario is asked twice.  When something has changed: what is to be said
 * about it, to whom?  And right before a message goes out, if it has waited:
 * what is to be said about that change now?  Both times by the same functions,
 * so that what is composed late says the same as what was composed at once and
 * had to wait.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SCENARIO_H
#define SICANTIK_WA_SCENARIO_H

#include "postgres.h"

#include "compose/daily.h"
#include "compose/waiting.h"

/* Of several scenarios for the same person, the lower rank goes out. */
enum
{
	WA_RANK_RENEWAL = 10,
	WA_RANK_READY = 20,
	WA_RANK_STATUS = 30,
	WA_RANK_APPROVAL = 40,
	WA_RANK_EXPIRY = 40,
	WA_RANK_REMINDER = 40,
	WA_RANK_PENDING = 50,
	WA_RANK_OWN = 60
};

/* What is built in.  One that listens to tables has "compose", one that runs
 * once a day "daily". */
typedef struct WaComposer
{
	const char *name;			/* as in wa.scenario */
	const char *table;			/* that it listens to, among others */
	const char *also;			/* a second one, or NULL */
	void		(*compose) (WaBatch *batch, const WaScenario *scenario, const WaEvent *event);
	bool		(*daily) (WaDaily *daily);

	/*
	 * Why the scenario has nothing to say of a change, by what the change
	 * says of itself: a sentence; NULL: it has something to say.  *nearly: it
	 * lacks one thing.
	 */
	const char *(*silent) (const WaScenario *scenario, const WaEvent *event, bool *nearly);

	/*
	 * What is to be said now in the place of these messages?  They are of all
	 * scenarios whose composer has the same function.  Returns false if a
	 * table could not be had now.
	 */
	bool		(*again) (WaBatch *batch, WaWaiting **list, int n);

	/* why a message is no news any more, or NULL */
	char	   *(*old_news) (const WaBatch *batch, const WaDraft *draft);
	bool		of_status;		/* a newer change of the record's status makes
								 * it pointless */
} WaComposer;

/* permit_scenarios.c */
extern void wa_compose_permit_ready(WaBatch *batch, const WaScenario *scenario,
									const WaEvent *event);
extern void wa_compose_permit_renewal_approved(WaBatch *batch, const WaScenario *scenario,
											   const WaEvent *event);
extern void wa_compose_status_update(WaBatch *batch, const WaScenario *scenario,
									 const WaEvent *event);
extern const char *wa_compose_permit_ready_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly);
extern const char *wa_compose_permit_renewal_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly);
extern const char *wa_compose_status_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly);
extern bool wa_compose_status_changed(const WaEvent *event);
extern bool wa_compose_permits_again(WaBatch *batch, WaWaiting **list, int n);
extern char *wa_compose_permit_old_news(const WaBatch *batch, const WaDraft *draft);
extern char *wa_compose_status_old_news(const WaBatch *batch, const WaDraft *draft);

/* document_scenarios.c */
extern void wa_compose_document_pending(WaBatch *batch, const WaScenario *scenario,
										const WaEvent *event);
extern const char *wa_compose_pending_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly);
extern bool wa_compose_pending_again(WaBatch *batch, WaWaiting **list, int n);

/* approval.c */
extern void wa_compose_approval_required(WaBatch *batch, const WaScenario *scenario,
										 const WaEvent *event);
extern const char *wa_compose_approval_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly);
extern void wa_compose_approvals_join(WaBatch *batch, WaDraft **drafts, int n);
extern bool wa_compose_approvals_again(WaBatch *batch, WaWaiting **list, int n);

/* expiry.c, reminder.c: false if a table could not be had now */
extern bool wa_compose_expiry(WaDaily *daily);
extern bool wa_compose_expiry_again(WaBatch *batch, WaWaiting **list, int n);
extern bool wa_compose_reminder(WaDaily *daily);
extern bool wa_compose_reminders_again(WaBatch *batch, WaWaiting **list, int n);

#endif							/* SICANTIK_WA_SCENARIO_H */
