/*-------------------------------------------------------------------------
 *
 * subtransaction.h
 *		Work that may fail without failing what surrounds it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SUBTRANSACTION_H
#define SICANTIK_WA_SUBTRANSACTION_H

#include "postgres.h"

/* Returns false to have undone what it did. */
typedef bool (*WaSubtransaction) (void *argument);

extern PGDLLEXPORT ErrorData *wa_pg_subtransaction(WaSubtransaction work, void *argument);
extern PGDLLEXPORT ErrorData *wa_pg_attempt(WaSubtransaction work, void *argument);
extern PGDLLEXPORT bool wa_pg_is_passing(int sqlerrcode);

#endif							/* SICANTIK_WA_SUBTRANSACTION_H */
