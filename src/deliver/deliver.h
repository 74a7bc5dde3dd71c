/*-------------------------------------------------------------------------
 *
 * deliver.h
 *		Face of the module sicantik_wa_worker, and what its files share.
 *
 * Everything that needs libcurl is here, in a module of its own, so that the
 * preloaded one loads on a server without it.  The worker (and a session that
 * tests a connection) loads this one on demand (module.h) and calls it through
 * the table below.
 *
 * Takes what is ready in the ledger into memory (intake.c, schedule.c),
 * chooses what may go now (claim.c: asked again, consent, hours, route,
 * pacing.c, circuit.c), commits the claim, and only then puts it on the wire
 * (transfer.c, and http.c, which knows nothing of messages). An answer becomes
 * the next state in outcome.c, which decides, and apply.c, which does what
 * follows.  Rows that cannot be written are set aside (aside.c).  Never is a request sent again whose earlier
 * one may have arrived, but by the policy for unknown outcomes.  Begin with
 * send_round.c, which calls the others in order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_DELIVER_H
#define SICANTIK_WA_DELIVER_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "route/providers.h"

/* Reads an answer; it is gone afterwards. */
typedef void (*WaReadReply) (const WaReply *reply, void *argument);

typedef struct WaDeliver
{
	/* once per worker, in no transaction */
	void		(*open) (void);

	/*
	 * One round in a transaction of its own: record what was answered, carry
	 * out requests, load what is new, and (may_send) put on the wire what may
	 * go now.  *next_due: when to come again at the latest, or 0.  Returns
	 * true if there is more to do at once.
	 */
	bool		(*run) (bool may_send, TimestampTz *next_due);

	/* readable when drive() is to be called */
	pgsocket	(*fd) (void);
	void		(*drive) (void);
	int			(*in_flight) (void);
	int			(*unrecorded) (void);	/* answered, not yet committed */
	bool		(*answered) (void); /* any of these is about a message */
	int			(*waiting) (void);	/* in memory, on the wire or not */
	void		(*reload) (void);

	/* give up what is in flight, and record it as in doubt */
	void		(*close) (void);

	/*
	 * the provider's status call; waits, interruptible;
	 * wa_gateway_health_free()
	 */
	void		(*test) (const WaProvider *provider, WaHealth *health);

	/*
	 * one other request of a provider's, which is consumed; waits for the
	 * answer, interruptible.  False, with a sentence: none came
	 */
	bool		(*ask) (const WaProvider *provider, WaRequest *request, long timeout_ms,
						WaReadReply read, void *argument, WaSaidText *why);

	const char *(*library) (void);
} WaDeliver;

#define WA_DELIVER_MODULE	"sicantik_wa_worker"
#define WA_DELIVER_FUNCTION "wa_deliver_interface"

/* NULL if this module was built from other headers than the caller. */
typedef const WaDeliver *(*WaDeliverInterface) (const char *build);

#endif							/* SICANTIK_WA_DELIVER_H */
