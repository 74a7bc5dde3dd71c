/*-------------------------------------------------------------------------
 *
 * aside.h
 *		Messages whose rows cannot be written are set aside.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ASIDE_H
#define SICANTIK_WA_ASIDE_H

#include "postgres.h"

#include "deliver/send.h"
#include "queue/work.h"

/* What is written about something else than one message. */
typedef enum WaAsidePart
{
	WA_ASIDE_REQUESTS,
	WA_ASIDE_DUE,
	WA_ASIDE_PROVIDER,
	WA_ASIDE_MAPPING,
	WA_ASIDE_CONTACT
} WaAsidePart;

typedef void (*WaDeliverWrite) (void *about, int first, int n);

extern void wa_deliver_aside_begin(void);
extern void wa_deliver_aside_end(void);
extern void wa_deliver_aside_retry(void);
extern bool wa_deliver_is_aside(int64 id);
extern bool wa_deliver_any_aside(void);
extern int64 wa_deliver_aside_left(int64 id);
extern bool wa_deliver_aside_or_locked(const int64 *ids, int n, bool *locked);
extern void wa_deliver_aside_write(WaDeliverWrite write, void *about, const int64 *ids, int n);
extern bool wa_deliver_aside_try(WaAsidePart part, void (*work) (void *argument), void *argument);
extern void wa_deliver_aside_attempts(const WaAttemptRow *attempts, int n);
extern void wa_deliver_aside_conclude(WaConclusions *conclusions);

#endif							/* SICANTIK_WA_ASIDE_H */
