/*-------------------------------------------------------------------------
 *
 * draft.h
 *		A message in the making.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_DRAFT_H
#define SICANTIK_WA_DRAFT_H

#include "postgres.h"

#include "compose/batch.h"
#include "odoo/permit.h"
#include "queue/queue.h"

/* A message in the making. */
typedef struct WaDraft
{
	WaNewMessage message;
	const WaEvent *event;
	const WaScenario *scenario;
	const char *once;			/* key in wa.announced, or NULL */
	const char *unless;			/* key that must not have been announced, or
								 * NULL */
	int64		again_after_us; /* that may come again; 0: never */
	int			rank;			/* more specific scenarios are lower */
	const WaRecipient *recipient;	/* NULL: the contact is gone */
	const WaPermit *permit;		/* whose values its text may take beside
								 * these; NULL: of none */
	WaValues   *values;
	bool		is_staff;
	bool		muted;			/* goes nowhere, but less specific ones
								 * neither */
	WaSaid		problem;		/* its text cannot be written (asked again
								 * only) */
	bool		dropped;
	const char *said;			/* dropped: this key of another message says
								 * it */
} WaDraft;

/* draft.c */
extern WaDraft *wa_compose_message(WaBatch *batch, const WaEvent *event, const WaScenario *scenario,
								   const WaRecipient *recipient, const WaPermit *permit, const WaValues *values,
								   const char *once);
extern void wa_compose_draft_write_text(WaBatch *batch, WaDraft *draft);
extern WaDraft **wa_compose_drafts_in_order(WaBatch *batch, int *n);
extern void wa_compose_drafts_drop_less_specific(WaBatch *batch, WaDraft **drafts, int n);
extern void wa_compose_write(WaBatch *batch);

/* send.c */
extern void wa_compose_check_provider(const char *name);
extern char *wa_compose_check_body(char *body);
extern WaRecipient *wa_compose_find_partner(WaOdoo *odoo, int64 partner_id);
extern int64 wa_compose_queue_text(const char *number, const char *provider, const char *body);

/* unreached.c */
extern void wa_compose_unreached_keep(const WaNewMessage *messages, int n);
extern void wa_compose_unreached_look_at(const WaBatch *batch);

#endif							/* SICANTIK_WA_DRAFT_H */
