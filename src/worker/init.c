/*-------------------------------------------------------------------------
 *
 * init.c
 *		The start of everything that runs in the background.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "wake/wake.h"
#include "worker/process.h"
#include "worker/worker.h"

/*
 * Called once from _PG_init: hooks, memory and the launcher, where the
 * library is preloaded; nothing elsewhere.  pg_upgrade's server runs no
 * launcher: it must not find anybody connected.
 */
void
wa_worker_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	wa_wake_init();
	if (!IsBinaryUpgrade)
	{
		wa_worker_utility_hook_install();
		wa_worker_launcher_register();
	}
}
