/*-------------------------------------------------------------------------
 *
 * circuit.h
 *		The circuit breaker: when a provider is not used, and how it comes back.
 *
 * An open circuit is state 'error' in wa.provider, with the error and the time
 * of the next probe.  A probe is the provider's own status call, never a
 * message.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CIRCUIT_H
#define SICANTIK_WA_CIRCUIT_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "deliver/pacing.h"
#include "deliver/transfer.h"

/*
 * Called once for each attempt that is over, in the transaction that records
 * it.  Opens the circuit where this verdict alone says so (PROVIDER, POLICY
 * for the whole provider) or where too many attempts in a row have failed for
 * reasons that speak against the provider.  Returns true if the circuit was
 * opened by this call, so that the configuration is to be loaded again.
 */
extern bool wa_circuit_count(const WaTransfer *transfer);

/*
 * Are more than 5 of the provider's last 100 answered or unanswered attempts
 * of unknown outcome?  Attempts that we broke off ourselves do not count.
 */
extern bool wa_circuit_in_doubt(const char *provider);

/*
 * In the round's transaction: note the results of probes that are over, and
 * find those that are due.  *next_due is made sooner where a probe is due
 * later.  Returns true if a circuit was closed.
 */
extern bool wa_circuit_run(const WaProviders *providers, TimestampTz *next_due);

/* After the commit: put due probes on the wire. */
extern void wa_circuit_probe(void);

#endif							/* SICANTIK_WA_CIRCUIT_H */
