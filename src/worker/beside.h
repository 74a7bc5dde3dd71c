/*-------------------------------------------------------------------------
 *
 * beside.h
 *		A process that composes beside the worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_BESIDE_H
#define SICANTIK_WA_BESIDE_H

#include "postgres.h"

#include "compose/compose.h"

extern bool wa_worker_beside_start(void);
extern WaBesideStage wa_worker_beside_stage(void);
extern void wa_worker_beside_stop(void);

extern PGDLLEXPORT void wa_worker_beside_main(Datum main_arg);

#endif							/* SICANTIK_WA_BESIDE_H */
