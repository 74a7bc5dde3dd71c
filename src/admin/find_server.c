/*-------------------------------------------------------------------------
 *
 * find_server.c
 *		Findings about the library, its processes, and which database this is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <stdlib.h>

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "admin/findings.h"
#include "pg/query.h"
#include "pg/setting_source.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

/*
 * So long a database may wait for a worker, in seconds: others leave after two
 * seconds of work, but there may be many.
 */
#define LONG_WAIT		10

static long
seconds_since(TimestampTz then)
{
	return TimestampDifferenceMilliseconds(then, GetCurrentTimestamp()) / 1000;
}

static void
find_library(WaFindings *findings)
{
	WaSlotInfo	slot = {0};

	if (!wa_wake_preloaded())
	{
		wa_admin_find(findings, WA_ERROR_LIBRARY, "library", "preload the library and restart the server",
				"not preloaded, so nothing is composed or sent: add to postgresql.conf: shared_preload_libraries = 'sicantik_wa', and restart the server");
		return;
	}
	if (!wa_guc_enabled)
		wa_admin_find(findings, WA_ERROR_LIBRARY, "library", "set sicantik_wa.enabled to on and reload the configuration",
				"sicantik_wa.enabled is off: set it to on and reload the configuration");
	else
		wa_admin_find(findings, WA_FINE, "library", NULL, NULL);
	if (findings->standby)
	{
		wa_admin_find(findings, WA_FINE, "worker", NULL, "this is a standby: ask the primary");
		return;
	}
	if (!wa_wake_launcher_running())
		wa_admin_find(findings, WA_ERROR_WORKER, "worker", NULL,
				"the launcher does not run: see the server's log; max_worker_processes may be too low");
	else if (!wa_wake_slot_info(MyDatabaseId, &slot))
		wa_admin_find(findings, WA_WARNING_WORKER, "worker", NULL,
				"the launcher has not seen this database yet; it looks every 15 minutes and after every change");
	else if (slot.silent_pid != 0)
		wa_admin_find(findings, WA_ERROR_WORKER, "worker", psprintf("ps -o pid,stat,wchan,cmd -p %d", slot.silent_pid),
				psprintf("process %d has given no sign of life for %ld s, though it is waited for: it is stopped or hangs; look at it with ps (state T: kill -CONT %d), or end it: SELECT pg_terminate_backend(%d)",
						 slot.silent_pid, seconds_since(slot.silent_since), slot.silent_pid, slot.silent_pid));
	else if (slot.hold_off_until > GetCurrentTimestamp())
		wa_admin_find(findings, WA_WARNING_WORKER, "worker", NULL,
				psprintf("it stays away until %s, after the database was being dropped, renamed or copied, or after errors: see the server's log",
						 wa_office_time_words(slot.hold_off_until, findings->story->time_zone)));
	else if (slot.stuck_since != 0)
		wa_admin_find(findings, WA_ERROR_WORKER, "worker",
				psprintf("SELECT * FROM pg_stat_activity WHERE pid = %d", slot.pid),
				psprintf("the worker (PID %d) has made no progress for %ld s: see pg_stat_activity, and what hangs on Odoo's tables, such as a policy (row level security)",
						 slot.pid, seconds_since(slot.stuck_since)));
	else if (slot.waiting_since != 0 && seconds_since(slot.waiting_since) >= Min(LONG_WAIT, wa_guc_worker_patience))
		wa_admin_find(findings, WA_ERROR_WORKER, "worker", NULL,
				slot.no_room ?
				psprintf("this database has waited for a worker for %ld s: all background worker slots of the server are in use; increase max_worker_processes",
						 seconds_since(slot.waiting_since)) :
				psprintf("this database has waited for a worker for %ld s: all %d (sicantik_wa.max_workers) serve other databases; the server's log says if one of them makes no progress",
						 seconds_since(slot.waiting_since), wa_guc_max_workers));
	else
		wa_admin_find(findings, WA_FINE, "worker", NULL, NULL);
	if (slot.no_sender)
		wa_admin_find(findings, WA_ERROR_WORKER, "sender", NULL,
				"messages are composed, but not sent: the module sicantik_wa_worker could not be loaded; install libcurl (Debian: libcurl4) and see the server's log");
	else
		wa_admin_find(findings, WA_FINE, "sender", NULL, NULL);
}

/*
 * Does sicantik_wa.instance have its value from the data directory, where a
 * physical copy has it, too?  *where: from what.
 */
static bool
instance_is_cloned(char **where)
{
	WaSettingSource source;
	char		file[PATH_MAX];
	char		data[PATH_MAX];
	size_t		len;

	wa_pg_setting_source(&source, "sicantik_wa.instance");
	*where = "ALTER DATABASE or ALTER ROLE";
	if (source.in_catalog)
		return true;
	/* links may lead out of the data directory, and into it */
	if (source.file == NULL || realpath(source.file, file) == NULL ||
		realpath(DataDir, data) == NULL)
		return false;
	len = strlen(data);
	*where = source.file;
	return strncmp(file, data, len) == 0 && file[len] == '/';
}

static void
find_mode(WaFindings *findings)
{
	static WaStatement has_mode =
		WA_STATEMENT("SELECT FROM wa.setting WHERE name = 'mode'");
	const WaIdentity *identity = &findings->identity;
	char	   *database = get_database_name(MyDatabaseId);
	char	   *where;

	switch (identity->mode)
	{
		case WA_MODE_LIVE:
			wa_admin_find(findings, WA_FINE, "mode", NULL, NULL);
			break;
		case WA_MODE_TEST:
			wa_admin_find(findings, WA_WARNING_MODE, "mode", psprintf("look at wa.message, then SELECT wa_arm('%s')", database),
					psprintf("mode test: everything goes to %s; SELECT wa_arm('%s') when that is over",
							 identity->test_number ? identity->test_number : "nobody", database));
			break;
		case WA_MODE_OBSERVE:
			wa_admin_find(findings, WA_WARNING_MODE, "mode", psprintf("look at wa.message, then SELECT wa_arm('%s')", database),
					psprintf("mode observe: only messages by hand go out; look at wa.message, then SELECT wa_arm('%s')",
							 database));
			break;
		case WA_MODE_STOPPED:
			if (findings->standby)
				wa_admin_find(findings, WA_FINE, "mode", NULL, identity->why);
			else if (identity->is_copy)
				wa_admin_find(findings, WA_ERROR_IDENTITY, "mode",
						psprintf("SELECT wa_arm('%s'), if this database is really the one that is to send", database),
						identity->why);
			else if (wa_query(&has_mode, NULL) == 0)
				wa_admin_find(findings, WA_ERROR_SETUP, "mode", "SELECT * FROM wa_setup()", identity->why);
			else
				wa_admin_find(findings, identity->locked ? WA_ERROR_ODOO : WA_ERROR_IDENTITY, "mode", NULL,
						identity->why ? identity->why : "nothing is sent");
			break;
	}
	if (wa_guc_instance == NULL || wa_guc_instance[0] == '\0')
		wa_admin_find(findings, WA_WARNING_SERVER, "instance", NULL,
				"sicantik_wa.instance is not set, so a physical copy of this server cannot be told apart and would send too: set it in a file outside the data directory, then wa_arm() again");
	else if (instance_is_cloned(&where))
		wa_admin_find(findings, WA_WARNING_SERVER, "instance", NULL,
				psprintf("sicantik_wa.instance is set in %s, which a physical copy of this server takes along, so the copy would send too: set it in a file outside the data directory instead",
						 where));
	else
		wa_admin_find(findings, WA_FINE, "instance", NULL, NULL);
}

void
wa_admin_find_server(WaFindings *findings)
{
	find_library(findings);
	find_mode(findings);
}
