/*-------------------------------------------------------------------------
 *
 * process.h
 *		Internals of src/worker: how its processes begin.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PROCESS_H
#define SICANTIK_WA_PROCESS_H

#include "postgres.h"

#include "pg/build.h"

/* launcher.c, utility_hook.c */
extern void wa_worker_launcher_register(void);
extern void wa_worker_utility_hook_install(void);

/* memory.c */
extern void wa_worker_keep_memory(void);

/* session.c: what a worker does on connecting */
typedef enum WaExtension
{
	WA_EXTENSION_ABSENT,
	WA_EXTENSION_OTHER,			/* a build that this library cannot serve */
	WA_EXTENSION_SUBSCRIBED,	/* its tables are filled by a subscription */
	WA_EXTENSION_PRESENT
} WaExtension;

extern void wa_worker_session_pin_settings(void);
extern void wa_worker_session_pin_commit(void);
extern bool wa_worker_session_lock(void);
extern WaExtension wa_worker_session_extension(WaBuildDifference *difference);

#endif							/* SICANTIK_WA_PROCESS_H */
