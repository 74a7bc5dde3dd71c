/*-------------------------------------------------------------------------
 *
 * init.c
 *		The start of everything that runs in the background.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "wake/wake.h"
#include "worker/process.h"
#include "worker/worker.h"

static bool
setting_is(const char *name, const char *value)
{
	const char *now = GetConfigOption(name, true, false);

	return now && strcmp(now, value) == 0;
}

/*
 * Is pg_createsubscriber at work?  It recovers a standby up to the place where
 * replication is to begin, promotes it, and makes the subscription only then.
 * To us that is a copy, in which what was not read yet is composed and held;
 * but the same rows will come from the publisher, and the first of them that is
 * there already would end the replication of all tables.  Nothing tells of the
 * program but what it starts the server with: a target that is a place, and no
 * worker of logical replication.  Whoever has both in a recovery of his own gets
 * a launcher with the next start of the server, which is none of a standby.
 */
static bool
becomes_subscriber(void)
{
	return setting_is("max_logical_replication_workers", "0") &&
		!setting_is("recovery_target_lsn", "") &&
		access(STANDBY_SIGNAL_FILE, F_OK) == 0;
}

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
	if (IsBinaryUpgrade)
		return;
	if (becomes_subscriber())
		ereport(LOG,
				(errmsg("sicantik_wa does nothing before the next start of the server"),
				 errdetail("This standby is being made a subscriber: it recovers up to a place in the log, without workers of logical replication.")));
	else
	{
		wa_worker_utility_hook_install();
		wa_worker_launcher_register();
	}
}
