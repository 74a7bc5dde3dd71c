/*-------------------------------------------------------------------------
 *
 * restoring.c
 *		Is this database being filled from a dump?
 *
 * A dump restores one table after the other, each in a transaction of its own,
 * and with pg_restore --jobs in any order, so that what is there at a moment
 * need not be what was there together.  Nothing in a database tells that more
 * is to come, but who is connected to it does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/progress.h"
#include "miscadmin.h"
#include "utils/backend_status.h"

#include "pg/pg_compat.h"
#include "pg/restoring.h"

/*
 * Is pg_restore connected to this database, or does anybody fill a table of it
 * by COPY?  Whoever may read pg_stat_activity sees as much; this does not
 * depend on the rights of the role in whose name we are here.
 */
bool
wa_pg_restore_runs(void)
{
	int			n;

	/* as it is now, not as this transaction may have seen it before */
	pgstat_clear_backend_activity_snapshot();
	n = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= n; i++)
	{
		LocalPgBackendStatus *local = wa_local_backend_status(i);
		const PgBackendStatus *backend;

		if (local == NULL)
			continue;
		backend = &local->backendStatus;
		if (backend->st_databaseid != MyDatabaseId || backend->st_backendType != B_BACKEND)
			continue;
		if (strcmp(backend->st_appname, "pg_restore") == 0)
			return true;
		if (backend->st_progress_command == PROGRESS_COMMAND_COPY &&
			backend->st_progress_param[PROGRESS_COPY_COMMAND] == PROGRESS_COPY_COMMAND_FROM)
			return true;
	}
	return false;
}
