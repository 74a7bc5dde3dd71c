/*-------------------------------------------------------------------------
 *
 * find_server.c
 *		Findings about the library, its processes, and which database this is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "admin/findings.h"
#include "pg/query.h"
#include "sicantik_wa.h"
#include "worker/worker.h"

#define LONG_WAIT_S		10		/* of a database for its worker */

/* Longer ago than so many seconds? */
static bool
is_long(TimestampTz since, int seconds)
{
	return TimestampDifferenceExceeds(since, GetCurrentTimestamp(), seconds * 1000);
}

static void
find_library(WaFindings *findings)
{
	WaSlotInfo	slot = {0};

	if (!wa_worker_preloaded())
	{
		wa_find(findings, WA_ERROR_LIBRARY, "library", "preload the library and restart the server",
				"not preloaded, so nothing is composed or sent: add to postgresql.conf: shared_preload_libraries = 'sicantik_wa', and restart the server");
		return;
	}
	if (!wa_guc_enabled)
		wa_find(findings, WA_ERROR_LIBRARY, "library", "set sicantik_wa.enabled to on and reload the configuration",
				"sicantik_wa.enabled is off: set it to on and reload the configuration");
	else
		wa_find(findings, WA_FINE, "library", NULL, NULL);
	if (findings->standby)
	{
		wa_find(findings, WA_FINE, "worker", NULL, "this is a standby: ask the primary");
		return;
	}
	if (!wa_worker_launcher_running())
		wa_find(findings, WA_ERROR_WORKER, "worker", NULL,
				"the launcher does not run: see the server's log; max_worker_processes may be too low");
	else if (!wa_worker_slot_info(MyDatabaseId, &slot))
		wa_find(findings, WA_WARNING_WORKER, "worker", NULL,
				"the launcher has not seen this database yet; it looks every 15 minutes and after every change");
	else if (slot.hold_off_until > GetCurrentTimestamp())
		wa_find(findings, WA_WARNING_WORKER, "worker", NULL,
				psprintf("it stays away until %s, after the database was being dropped, renamed or copied, or after errors: see the server's log",
						 timestamptz_to_str(slot.hold_off_until)));
	else if (slot.waiting_since != 0)
		wa_find(findings, is_long(slot.waiting_since, LONG_WAIT_S) ? WA_ERROR_WORKER : WA_WARNING_WORKER, "worker", NULL,
				psprintf("this database has waited for a worker since %s: all %d (sicantik_wa.max_workers) serve other databases; the server's log says if one of them makes no progress",
						 timestamptz_to_str(slot.waiting_since), wa_guc_max_workers));
	else if (slot.came_by != 0 && is_long(slot.came_by, wa_guc_worker_patience))
		wa_find(findings, WA_ERROR_WORKER, "worker", NULL,
				psprintf("the worker (PID %d) has made no progress since %s: see pg_stat_activity, and what hangs on the tables that it reads",
						 slot.pid, timestamptz_to_str(slot.came_by)));
	else
		wa_find(findings, WA_FINE, "worker", NULL, NULL);
	if (slot.no_sender)
		wa_find(findings, WA_ERROR_WORKER, "sender", NULL,
				"messages are composed, but not sent: the module sicantik_wa_worker could not be loaded; install libcurl (Debian: libcurl4) and see the server's log");
	else
		wa_find(findings, WA_FINE, "sender", NULL, NULL);
}

static void
find_mode(WaFindings *findings)
{
	static WaStatement has_mode =
		WA_STATEMENT("SELECT FROM wa.setting WHERE name = 'mode'");
	const WaIdentity *identity = &findings->identity;
	char	   *database = get_database_name(MyDatabaseId);

	switch (identity->mode)
	{
		case WA_MODE_LIVE:
			wa_find(findings, WA_FINE, "mode", NULL, NULL);
			break;
		case WA_MODE_TEST:
			wa_find(findings, WA_WARNING_MODE, "mode", psprintf("look at wa.message, then SELECT wa_arm('%s')", database),
					psprintf("mode test: everything goes to %s; SELECT wa_arm('%s') when that is over",
							 identity->test_number ? identity->test_number : "nobody", database));
			break;
		case WA_MODE_OBSERVE:
			wa_find(findings, WA_WARNING_MODE, "mode", psprintf("look at wa.message, then SELECT wa_arm('%s')", database),
					psprintf("mode observe: only messages by hand go out; look at wa.message, then SELECT wa_arm('%s')",
							 database));
			break;
		case WA_MODE_STOPPED:
			if (findings->standby)
				wa_find(findings, WA_FINE, "mode", NULL, identity->why);
			else if (identity->is_copy)
				wa_find(findings, WA_ERROR_IDENTITY, "mode",
						psprintf("SELECT wa_arm('%s'), if this database is really the one that is to send", database),
						identity->why);
			else if (wa_query(&has_mode, NULL) == 0)
				wa_find(findings, WA_ERROR_SETUP, "mode", "SELECT * FROM wa_setup()", identity->why);
			else
				wa_find(findings, WA_ERROR_IDENTITY, "mode", NULL,
						identity->why ? identity->why : "nothing is sent");
			break;
	}
	if (wa_guc_instance == NULL || wa_guc_instance[0] == '\0')
		wa_find(findings, WA_WARNING_SERVER, "instance", NULL,
				"sicantik_wa.instance is not set, so a physical copy of this server cannot be told apart and would send too: set it in a file outside the data directory, then wa_arm() again");
	else
		wa_find(findings, WA_FINE, "instance", NULL, NULL);
}

void
wa_find_server(WaFindings *findings)
{
	find_library(findings);
	find_mode(findings);
}
