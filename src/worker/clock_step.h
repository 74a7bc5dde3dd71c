/*-------------------------------------------------------------------------
 *
 * clock_step.h
 *		The server's clock is set: waits go on as if it had not been.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CLOCK_STEP_H
#define SICANTIK_WA_CLOCK_STEP_H

#include "postgres.h"

/*----------
 * wa_worker_clock_offset
 *		wall clock minus monotonic clock, microseconds; never 0
 * wa_worker_clock_differs
 *		is that another clock, rather than one that drifts?
 * wa_worker_clock_stepped
 *		has the clock been set since this database's waits were last looked
 *		at?
 * wa_worker_clock_follow
 *		called before each pass of work, in no transaction: shifts the waits
 *		if so.  False: ask again in a moment.  *stepped: it was so; times kept
 *		elsewhere are void.
 *----------
 */
extern int64 wa_worker_clock_offset(void);
extern bool wa_worker_clock_differs(int64 a, int64 b);
extern bool wa_worker_clock_stepped(void);
extern bool wa_worker_clock_follow(bool *stepped);

#endif							/* SICANTIK_WA_CLOCK_STEP_H */
