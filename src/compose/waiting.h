/*-------------------------------------------------------------------------
 *
 * waiting.h
 *		A message that waits, when its scenario is asked about it again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_WAITING_H
#define SICANTIK_WA_WAITING_H

#include "postgres.h"

#include "compose/compose.h"
#include "compose/draft.h"
#include "odoo/permit.h"

/* A message that waits, as its scenario is asked about it. */
typedef struct WaWaiting
{
	int64		id;
	int			place;			/* in the caller's arrays */
	const WaScenario *scenario; /* NULL: it has none any more */
	const struct WaComposer *composer;	/* that is asked */
	WaEvent    *event;			/* for which it was made; NULL: it is not
								 * known */
	const char *model;			/* of its record, or NULL */
	const char *precondition;	/* or NULL */
	bool		to_applicant;
	int64		partner_id;		/* 0: none */
	const char *number;
	const char *number_source;
	const char *params;			/* or NULL */
	int64		record_id;
	int64		event_id;
	TimestampTz expires_at;
	TimestampTz told_at;		/* when that began to be announced; 0: nothing
								 * is */
	bool		in_doubt;		/* may have arrived */
	bool		unreached;		/* was skipped for want of a number */
	char	  **keys;			/* in wa.announced: what it announces */
	int			nkeys;
	WaEvent   **later;			/* changes that made no message since this one
								 * waited, */
	int			nlater;			/* see later.c */
	char	  **others;			/* scenarios that have told the applicant of
								 * the same change */
	int			nothers;

	/* the answer */
	WaDraft    *now;			/* what is to be said; NULL: nothing */
	WaStill		still;			/* if it is nothing: what of the message */
	WaSaid		why;			/* nothing, or not as it was: a sentence */
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

/* recheck.c */
extern void wa_compose_recheck_skipped(const char *schema, const int64 *ids, int n,
									   WaStill *results, WaSaid *details);

/* change.c */
extern char *wa_compose_change_write(const WaDraft *draft);
extern WaEvent *wa_compose_change_read(const char *text, int64 event_id, bool *to_applicant);
extern WaEvent **wa_compose_change_read_later(const char *text, int *n);

/* replace.c */
extern void wa_compose_waiting_join(WaWaiting **list, int n);
extern void wa_compose_replace(WaBatch *batch, WaWaiting **list, int n,
							   WaStill *results, WaSaid *details);
extern bool wa_compose_replace_number(int64 id, const WaRecipient *contact, WaSaid why);

/* later.c */
extern void wa_compose_later_keep(WaDraft **drafts, int n);
extern void wa_compose_later_leave_out_told(WaWaiting **list, int n);
extern bool wa_compose_later_of(const WaWaiting *waiting, const WaEvent *event);
extern void wa_compose_later_choose(WaWaiting **list, int n, WaDraft **drafts, int ndrafts);

#endif							/* SICANTIK_WA_WAITING_H */
