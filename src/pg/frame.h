/*-------------------------------------------------------------------------
 *
 * frame.h
 *		The frame of a transaction in a background worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_FRAME_H
#define SICANTIK_WA_FRAME_H

#include "postgres.h"

#include "storage/lock.h"

extern PGDLLEXPORT bool wa_frame_begin(const char *activity);
extern PGDLLEXPORT void wa_frame_look_anew(void);
extern PGDLLEXPORT void wa_frame_commit(bool durable);
extern PGDLLEXPORT void wa_frame_abort(void);
extern PGDLLEXPORT LocalTransactionId wa_frame_of(void);

#endif							/* SICANTIK_WA_FRAME_H */
