/*-------------------------------------------------------------------------
 *
 * store.h
 *		The updates of one webhook, into wa.feedback.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_STORE_H
#define SICANTIK_WA_STORE_H

#include "postgres.h"

#include "route/providers.h"

/* How many updates of a body were of which sort. */
typedef struct WaStored
{
	int			accepted;		/* something comes of them */
	int			ignored;		/* known, of no effect */
	int			unknown;
} WaStored;

extern void wa_feedback_store(const WaProviders *providers, const WaProvider *provider, const char *body, size_t len,
							  WaStored *stored);

#endif							/* SICANTIK_WA_STORE_H */
