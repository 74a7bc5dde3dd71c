/*-------------------------------------------------------------------------
 *
 * scenario.h
 *		The built-in composers, and what they share.
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

#include "compose/compose.h"

/* Of several scenarios for the same person, the lower rank goes out. */
enum
{
	WA_RANK_RENEWAL = 10,
	WA_RANK_READY = 20,
	WA_RANK_STATUS = 30,
	WA_RANK_APPROVAL = 40,
	WA_RANK_PENDING = 50,
	WA_RANK_OWN = 60
};

/* A message that waits, as its scenario is asked about it. */
typedef struct WaWaiting
{
	int64		id;
	int			place;			/* in the caller's arrays */
	const WaScenario *scenario;
	WaEvent	   *event;			/* for which it was made */
	bool		to_applicant;
	int64		partner_id;		/* 0: none */
	const char *number;
	const char *number_source;
	const char *params;			/* or NULL */
	int64		record_id;
	int64		event_id;
	TimestampTz expires_at;
	TimestampTz told_at;		/* when that began to be announced; 0: nothing is */
	bool		in_doubt;		/* may have arrived */
	bool		unreached;		/* was skipped for want of a number */
	char	  **keys;			/* in wa.announced: what it announces */
	int			nkeys;
	WaEvent   **later;			/* changes that made no message since this one waited, */
	int			nlater;			/* see later.c */
	char	  **others;			/* scenarios that have told the applicant of the
								 * same change */
	int			nothers;

	/* the answer */
	WaDraft    *now;			/* what is to be said; NULL: nothing */
	const char *why;			/* nothing, or not as it was: a sentence */
	bool		said_elsewhere; /* nothing, since another message says it */
	bool		keeps_keys;		/* what it announces, "now" does */
	List	   *besides;		/* of WaDraft: to be said of later changes */
	List	   *joined;			/* of WaJoined */
	struct WaWaiting *joined_to;	/* that one stands for this one */
} WaWaiting;

/* Another message to the same person that one stands for. */
typedef struct WaJoined
{
	int64		id;
	int64		record_id;
	int64		event_id;
} WaJoined;

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
	 * Why the scenario has nothing to say of a change, by what the change says
	 * of itself: a sentence; NULL: it has something to say.  *nearly: it lacks
	 * one thing.
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
	bool		of_status;		/* a newer change of the record's status makes it
								 * pointless */
} WaComposer;

/* scenario.c */
extern bool wa_compose_filled(const char *given);
extern bool wa_compose_is(const char *given, const char *value);
extern const char *wa_compose_shown(const char *given);
extern const WaScenario *wa_compose_scenario_of(const WaBatch *batch, const char *composer);
extern bool wa_compose_load_facts(WaBatch *batch);

extern bool wa_compose_is_built_in(const WaScenario *scenario);
extern bool wa_compose_is_asked(const WaBatch *batch, const WaScenario *scenario);

/* calendar.c */
extern bool wa_compose_calendar_is_built_in(const WaScenario *scenario);

/* own.c */
extern bool wa_compose_load_own(WaBatch *batch);
extern void wa_compose_own(WaBatch *batch, const WaScenario *scenario, const WaEvent *event);

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
extern bool wa_compose_load_documents(WaBatch *batch);
extern void wa_compose_document_pending(WaBatch *batch, const WaScenario *scenario,
										const WaEvent *event);
extern const char *wa_compose_pending_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly);
extern bool wa_compose_is_pending(const char *state);
extern bool wa_compose_became_pending(const WaEvent *event);
extern bool wa_compose_pending_again(WaBatch *batch, WaWaiting **list, int n);
extern bool wa_compose_pending_instead(const WaBatch *common, WaWaiting **list, int n);

/* approval.c */
extern void wa_compose_approval_required(WaBatch *batch, const WaScenario *scenario,
										 const WaEvent *event);
extern const char *wa_compose_approval_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly);
extern bool wa_compose_ask_group(WaBatch *batch, const WaScenario *scenario);
extern void wa_compose_approvals_join(WaBatch *batch, WaDraft **drafts, int n);
extern bool wa_compose_approvals_again(WaBatch *batch, WaWaiting **list, int n);

/* expiry.c, reminder.c */
extern bool wa_compose_expiry_again(WaBatch *batch, WaWaiting **list, int n);
extern bool wa_compose_reminders_again(WaBatch *batch, WaWaiting **list, int n);

/* later.c */
extern void wa_compose_later_keep(WaDraft **drafts, int n);
extern void wa_compose_later_end(const int64 *ids, int n);
extern void wa_compose_later_leave_out_told(WaWaiting **list, int n);
extern bool wa_compose_later_of(const WaWaiting *waiting, const WaEvent *event);
extern void wa_compose_later_choose(WaWaiting **list, int n, WaDraft **drafts, int ndrafts);

/* approver_group.c */
extern void wa_compose_approver_wait(const WaScenario *scenario, const WaEvent *event, int64 document_id);

/* replace.c */
extern char *wa_compose_change_write(const WaDraft *draft);
extern WaEvent *wa_compose_change_read(const char *text, int64 event_id, bool *to_applicant);
extern WaEvent **wa_compose_change_read_later(const char *text, int *n);
extern const char *wa_compose_waiting_difference(const WaWaiting *waiting, const WaPermit *permit);
extern void wa_compose_waiting_join(WaWaiting **list, int n);
extern void wa_compose_replace(WaBatch *batch, WaWaiting **list, int n,
					   WaStill *results, const char **details);
extern bool wa_compose_replace_number(int64 id, const WaRecipient *contact, const char *why);

#endif							/* SICANTIK_WA_SCENARIO_H */
