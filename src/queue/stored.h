/*-------------------------------------------------------------------------
 *
 * stored.h
 *		States and reasons in columns (columns.h): by name.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_STORED_H
#define SICANTIK_WA_STORED_H

#include "postgres.h"

#include "pg/columns.h"
#include "queue/state.h"

extern const WaType wa_queue_type_state;
extern const WaType wa_queue_type_reason;

#define WA_TYPE_state		wa_queue_type_state
#define WA_TYPE_reason		wa_queue_type_reason
#define WA_C_state			WaState
#define WA_C_reason			WaReason
#define WA_FITS_state(x)	_Generic((x), WaState: 0)
#define WA_FITS_reason(x)	_Generic((x), WaReason: 0)

#endif							/* SICANTIK_WA_STORED_H */
