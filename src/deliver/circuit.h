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

/* pacing.c: a provider is new here; its row was loaded again. */
extern void wa_deliver_circuit_read_ledger(WaPace *pace);
extern void wa_deliver_circuit_take_over(WaPace *pace);

/* transfer.c: an attempt is over; remembers what it says of the provider. */
extern void wa_deliver_circuit_note(const WaTransfer *transfer);

/*
 * Called once for each attempt that is over, in the transaction that records
 * it, when the ledger has it.  Opens the circuit where this verdict alone says
 * so (PROVIDER, POLICY for the whole provider), where too many attempts in a
 * row have failed for reasons that speak against the provider, or where it has
 * refused several recipients in a row in the same words that are in no table
 * (transfer->refuses_all, whether it was opened by this call or not).  Returns
 * true if the circuit was opened by this call, so that the configuration is to
 * be loaded again.
 */
extern bool wa_deliver_circuit_count(WaTransfer *transfer);

/*
 * In a transaction: stop using a provider whose row says configured, and tell
 * people.  started_at: what has gone wrong began then, so a test that has
 * succeeded since knows better.  first_probe_s: seconds until the first probe; 0: as usual.
 * False if that was not to be done, or somebody is just editing the row.
 */
extern bool wa_deliver_circuit_open(WaPace *pace, const char *cause, const char *reason,
							TimestampTz started_at, int first_probe_s);

/*
 * Are more than 5 of the provider's last 100 answered or unanswered attempts
 * of unknown outcome?  Attempts that we broke off ourselves do not count.
 */
extern bool wa_deliver_circuit_in_doubt(const char *provider);

/*
 * In the round's transaction: note the results of probes that are over, and
 * find those that are due.  *next_due is made sooner where a probe is due
 * later.  Returns true if the configuration is to be loaded again.  Not to be
 * called where nothing may be sent from.
 */
extern bool wa_deliver_circuit_run(const WaProviders *providers, TimestampTz *next_due);

/* After the commit: put due probes on the wire. */
extern void wa_deliver_circuit_probe(void);

/* Probes of which the result is not recorded yet. */
extern int	wa_deliver_circuit_probing(void);

/* Seconds until the next probe of an open circuit, behind "failed" ones. */
extern int	wa_deliver_circuit_probe_wait(const WaPace *pace, int failed);

#endif							/* SICANTIK_WA_CIRCUIT_H */
