/*-------------------------------------------------------------------------
 *
 * welcome.c
 *		The notice after CREATE EXTENSION that names the next step.
 *
 * While an installation script runs, the server lets nothing below WARNING
 * through to the client.  So the script only leaves word here, and the notice
 * is given when the transaction commits, under the client's own settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/memutils.h"

#include "pg/build.h"
#include "route/secret.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(wa_sql_welcome);

static const char *next_step = NULL;	/* NULL: nothing to say */

static void
at_transaction_end(XactEvent event, void *arg)
{
	const char *next = next_step;

	next_step = NULL;
	if (next == NULL || event != XACT_EVENT_PRE_COMMIT)
		return;
	if (wa_wake_preloaded())
		ereport(NOTICE,
				(errmsg("sicantik_wa is installed; next: %s", next)));
	else
		ereport(NOTICE,
				(errmsg("sicantik_wa is installed; next: %s", next),
				 errhint("Nothing is sent before the library is preloaded: add to postgresql.conf: shared_preload_libraries = 'sicantik_wa', and restart the server.")));
}

/*
 * wa._welcome(): called by the installation script and by updates.  Also makes
 * the key by which this database knows its folder of credentials; objects of an
 * earlier version get it when they are updated.
 */
Datum
wa_sql_welcome(PG_FUNCTION_ARGS)
{
	static bool registered = false;
	WaBuildDifference difference;

	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		registered = true;
	}
	if (wa_pg_build_stamp_differs(&difference))
		next_step = MemoryContextStrdup(TopTransactionContext, wa_said_english(difference.what_to_do));
	else
	{
		next_step = "SELECT * FROM wa_setup()";
		wa_route_make_folder_key();
	}
	PG_RETURN_VOID();
}
