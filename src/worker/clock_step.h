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

extern int64 wa_worker_clock_offset(void);
extern bool wa_worker_clock_differs(int64 a, int64 b);
extern bool wa_worker_clock_stepped(void);
extern bool wa_worker_clock_keeps(void);
extern bool wa_worker_clock_follow(bool *stepped);

#endif							/* SICANTIK_WA_CLOCK_STEP_H */
