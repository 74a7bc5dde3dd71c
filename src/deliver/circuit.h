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

/* circuit.c */
extern void wa_deliver_circuit_read_ledger(WaPace *pace);
extern void wa_deliver_circuit_take_over(WaPace *pace);
extern void wa_deliver_circuit_note(const WaTransfer *transfer);
extern bool wa_deliver_circuit_count(WaTransfer *transfer);
extern bool wa_deliver_circuit_open(WaPace *pace, const char *cause, WaSaid reason,
									TimestampTz started_at, int first_probe_s);
extern bool wa_deliver_circuit_in_doubt(const char *provider);
extern int	wa_deliver_circuit_probe_wait(const WaPace *pace, int failed);

/* probe.c */
extern bool wa_deliver_circuit_run(const WaProviders *providers, TimestampTz *next_due);
extern void wa_deliver_circuit_probe(void);
extern int	wa_deliver_circuit_probing(void);

#endif							/* SICANTIK_WA_CIRCUIT_H */
