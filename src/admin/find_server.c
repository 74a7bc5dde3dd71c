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
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "admin/findings.h"
#include "pg/build.h"
#include "pg/query.h"
#include "pg/setting_source.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

/*
 * So long a database may wait for a worker, in seconds: others leave after two
 * seconds of work, but there may be many.
 */
#define LONG_WAIT		10

/* One error may be of the moment; one that lasts so long is not, in seconds. */
#define LONG_TROUBLE	10

static long
seconds_since(TimestampTz then)
{
	return TimestampDifferenceMilliseconds(then, GetCurrentTimestamp()) / 1000;
}

/* What is found of the worker. */
typedef struct Worker
{
	WaSaid		detail;
	WaRank		rank;
	WaSaid		next;
	WaSaid		sentence;
} Worker;

/*
 * Is it that no standby confirms its commits?  Those of Odoo stand still as well
 * then, and nothing of Odoo's is in the way.
 */
static bool
awaits_standby(int pid)
{
	static WaStatement look =
		WA_STATEMENT("SELECT FROM pg_stat_get_activity($1) WHERE wait_event = 'SyncRep'");
	WaArgs		args = {0};

	wa_arg_int4(&args, pid);
	return wa_query(&look, &args).n > 0;
}

/* Does it not come round, or come no further? */
static bool
is_in_trouble(const WaSlotInfo *slot, const WaStory *story, Worker *worker)
{
	int			failed = slot->trouble.n[WA_TROUBLE_ROUNDS];
	int			refused = slot->trouble.n[WA_TROUBLE_ROWS];
	char	   *since = wa_office_time_words(slot->trouble.since, story->time_zone);
	char	   *why = wa_story_masked(story, slot->trouble.why);

	*worker = (Worker)
	{
		.rank = WA_ERROR_WORKER,
			.next = wa_say(WA_SAY_SEE_LOG)
	};
	if (slot->silent_pid != 0)
	{
		long		silent = seconds_since(slot->silent_since);

		worker->detail = wa_say(WA_SAY_SHOWN_SILENT, WA_NUMBER(slot->silent_pid), WA_NUMBER(silent));
		worker->next = wa_said_statement("ps -o pid,stat,wchan,cmd -p %d", slot->silent_pid);
		worker->sentence = wa_say(WA_SAY_PROCESS_SILENT, WA_NUMBER(slot->silent_pid), WA_NUMBER(silent));
	}
	else if (failed > 1 || (failed > 0 && seconds_since(slot->trouble.since) > LONG_TROUBLE))
	{
		worker->detail = wa_say(WA_SAY_SHOWN_FAILS, WA_NUMBER(failed), why);
		worker->sentence = wa_say(WA_SAY_WORKER_FAILS, WA_NUMBER(failed), since, why);
	}
	else if (refused > 0)
	{
		worker->detail = wa_say(WA_SAY_SHOWN_SET_ASIDE, WA_NUMBER(refused), why);
		worker->sentence = wa_say(WA_SAY_ROWS_REFUSED, WA_NUMBER(refused), since, why);
	}
	else
		return false;
	return true;
}

/* Can it not connect to the database, or could not the last time? */
static bool
is_shut_out(const WaSlotInfo *slot, const WaStory *story, Worker *worker)
{
	static WaStatement look =
		WA_STATEMENT("SELECT quote_ident(d.datname), quote_ident(r.rolname), r.rolcanlogin,"
					 " has_database_privilege(r.oid, d.oid, 'CONNECT')"
					 " FROM pg_database AS d JOIN pg_roles AS r ON r.oid = d.datdba WHERE d.datname = current_database()");
	int			failed = slot->trouble.n[WA_TROUBLE_STARTS];
	char	   *why = wa_story_masked(story, slot->trouble.why);
	WaRows		rows = wa_query(&look, NULL);
	const char *database = wa_row_text(rows, 0, 1);
	const char *owner = wa_row_text(rows, 0, 2);

	worker->rank = WA_ERROR_WORKER;
	if (!wa_row_bool(rows, 0, 3))
	{
		worker->next = wa_said_statement("ALTER ROLE %s LOGIN", owner);
		worker->sentence = wa_say(WA_SAY_OWNER_WITHOUT_LOGIN, owner);
	}
	else if (!wa_row_bool(rows, 0, 4))
	{
		worker->next = wa_said_statement("GRANT CONNECT ON DATABASE %s TO %s", database, owner);
		worker->sentence = wa_say(WA_SAY_OWNER_WITHOUT_CONNECT, database, owner);
	}
	else if (failed > 0)
	{
		worker->next = wa_say(WA_SAY_SEE_LOG);
		worker->sentence = wa_say(WA_SAY_WORKER_NOT_CONNECTED, WA_NUMBER(failed),
								  wa_office_time_words(slot->trouble.since, story->time_zone), why);
	}
	else
		return false;
	if (failed > 0)
		worker->detail = wa_say(WA_SAY_SHOWN_NOT_CONNECTED, why);
	return true;
}

/* Is it not there, or stuck? */
static bool
is_missing(const WaSlotInfo *slot, const WaStory *story, Worker *worker)
{
	*worker = (Worker)
	{
		.rank = WA_FINE
	};
	if (slot->hold_off_until != 0)
	{
		char	   *until = wa_office_time_words(slot->hold_off_until, story->time_zone);

		worker->detail = wa_say(WA_SAY_SHOWN_AWAY, until);
		worker->rank = WA_WARNING_WORKER;
		worker->sentence = wa_say(WA_SAY_WORKER_STAYS_AWAY, until);
	}
	else if (slot->stuck_since != 0)
	{
		long		stuck = seconds_since(slot->stuck_since);

		worker->detail = wa_say(WA_SAY_SHOWN_STUCK, WA_NUMBER(slot->pid), WA_NUMBER(stuck));
		worker->rank = WA_ERROR_WORKER;
		if (awaits_standby(slot->pid))
		{
			worker->next = wa_said_statement("SELECT * FROM pg_stat_replication");
			worker->sentence = wa_say(WA_SAY_WORKER_AWAITS_STANDBY, WA_NUMBER(slot->pid), WA_NUMBER(stuck));
		}
		else
		{
			worker->next = wa_said_statement("SELECT * FROM pg_stat_activity WHERE pid = %d", slot->pid);
			worker->sentence = wa_say(WA_SAY_WORKER_STUCK, WA_NUMBER(slot->pid), WA_NUMBER(stuck));
		}
	}
	else if (slot->waiting_since != 0)
	{
		long		waiting = seconds_since(slot->waiting_since);

		worker->detail = wa_say(WA_SAY_SHOWN_WAITS_FOR_PLACE, WA_NUMBER(waiting));
		worker->rank = waiting >= Min(LONG_WAIT, wa_guc_worker_patience) ? WA_ERROR_WORKER : WA_FINE;
		if (worker->rank != WA_FINE)
			worker->sentence = slot->no_room ?
				wa_say(WA_SAY_NO_WORKER_SLOT, WA_NUMBER(waiting)) :
				wa_say(WA_SAY_NO_WORKER_FREE, WA_NUMBER(waiting), WA_NUMBER(wa_guc_max_workers));
	}
	else
		return false;
	return true;
}

/* The database's worker: what is wrong with it comes before what it does. */
static void
find_worker(WaFindings *findings)
{
	static const char *const states[] = {
		[WA_SLOT_FREE] = "none",
		[WA_SLOT_UNKNOWN] = "not looked at yet",
		[WA_SLOT_ABSENT] = "extension not seen yet",
		[WA_SLOT_IDLE] = "idle",
		[WA_SLOT_STARTING] = "starting",
		[WA_SLOT_RUNNING] = "running"
	};
	bool		launcher = wa_wake_launcher_running();
	Worker		worker = {.rank = WA_FINE};
	WaSlotInfo	slot;

	if (!wa_wake_slot_info(MyDatabaseId, &slot))
	{
		worker.detail = wa_say(WA_SAY_SHOWN_NOT_SEEN);
		worker.rank = WA_WARNING_WORKER;
		worker.sentence = wa_say(WA_SAY_DATABASE_NOT_SEEN);
	}
	else if (!is_shut_out(&slot, findings->story, &worker) && !is_in_trouble(&slot, findings->story, &worker) &&
			 !is_missing(&slot, findings->story, &worker) &&
			 slot.pending)
		worker.detail = wa_say(WA_SAY_SHOWN_WORK);
	if (!launcher)
	{
		worker.rank = WA_ERROR_WORKER;
		worker.next = NULL;
		worker.sentence = wa_say(WA_SAY_NO_LAUNCHER);
	}
	wa_admin_show(findings, "launcher", launcher ? "running" : "not running", NULL);
	wa_admin_show(findings, "worker", slot.waiting_since != 0 ? "waiting" : states[slot.state], worker.detail);
	wa_admin_find(findings, worker.rank, "worker", worker.next, worker.sentence);

	if (slot.no_sender)
	{
		wa_admin_show(findings, "sender", "not loaded", wa_say(WA_SAY_NO_SENDER));
		wa_admin_find(findings, WA_ERROR_WORKER, "sender", NULL,
					  wa_say(WA_SAY_NO_SENDER));
	}
	else
		wa_admin_find(findings, WA_FINE, "sender", NULL, NULL);
}

static void
find_library(WaFindings *findings)
{
	WaSaid		build = wa_say(WA_SAY_SHOWN_BUILD, wa_pg_build_of_library());

	wa_admin_show(findings, "extension", WA_VERSION, NULL);
	wa_admin_show(findings, "server", findings->standby ? "standby" : "primary",
				  findings->standby ? wa_say(WA_SAY_SHOWN_NOTHING_HERE) : NULL);
	if (!wa_wake_preloaded())
	{
		wa_admin_show(findings, "library", "not preloaded",
					  wa_said_and(wa_say(WA_SAY_NOT_PRELOADED), build));
		wa_admin_find(findings, WA_ERROR_LIBRARY, "library", wa_say(WA_SAY_PRELOAD_IT),
					  wa_say(WA_SAY_NOT_PRELOADED));
		return;
	}
	if (!wa_guc_enabled)
		wa_admin_find(findings, WA_ERROR_LIBRARY, "library", wa_say(WA_SAY_SWITCH_IT_ON),
					  wa_say(WA_SAY_SWITCHED_OFF));
	else
		wa_admin_find(findings, WA_FINE, "library", NULL, NULL);
	wa_admin_show(findings, "library", "preloaded",
				  wa_guc_enabled ? build : wa_said_and(wa_say(WA_SAY_SHOWN_OFF), build));
	if (findings->standby)
		wa_admin_find(findings, WA_FINE, "worker", NULL, wa_say(WA_SAY_ASK_PRIMARY));
	else
		find_worker(findings);
}

/*
 * Does sicantik_wa.instance have its value from the data directory, where a
 * snapshot has it, too?  *where: from what.
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
	static const char *const modes[] = {
		[WA_MODE_STOPPED] = "stopped",
		[WA_MODE_OBSERVE] = "observe",
		[WA_MODE_TEST] = "test",
		[WA_MODE_LIVE] = "live"
	};
	const WaIdentity *identity = &findings->identity;
	char	   *database = get_database_name(MyDatabaseId);
	WaSaid		why = identity->why;
	WaSaid		detail = why;

	switch (identity->mode)
	{
		case WA_MODE_LIVE:
			wa_admin_find(findings, WA_FINE, "mode", NULL, NULL);
			break;
		case WA_MODE_TEST:
			if (detail == NULL)
				detail = identity->test_number ? wa_say(WA_SAY_SHOWN_GOES_TO, identity->test_number) :
					wa_say(WA_SAY_SHOWN_GOES_TO, wa_say(WA_SAY_NOBODY));
			wa_admin_find(findings, WA_WARNING_MODE, "mode", wa_said_statement("SELECT wa_arm('%s')", database),
						  identity->test_number ?
						  wa_say(WA_SAY_EVERYTHING_TO_TEST_NUMBER, identity->test_number, database) :
						  wa_say(WA_SAY_EVERYTHING_TO_TEST_NUMBER, wa_say(WA_SAY_NOBODY), database));
			break;
		case WA_MODE_OBSERVE:
			if (detail == NULL)
				detail = wa_say(WA_SAY_SHOWN_BY_HAND);
			wa_admin_find(findings, WA_WARNING_MODE, "mode", wa_said_statement("SELECT wa_arm('%s')", database),
						  wa_say(WA_SAY_ONLY_BY_HAND, database));
			break;
		case WA_MODE_STOPPED:
			if (findings->standby)
				wa_admin_find(findings, WA_FINE, "mode", NULL, why);
			else if (identity->is_copy)
				wa_admin_find(findings, WA_ERROR_IDENTITY, "mode",
							  wa_say(WA_SAY_ARM_IF_REALLY_THIS, database), why);
			else if (wa_query(&has_mode, NULL).n == 0)
				wa_admin_find(findings, WA_ERROR_SETUP, "mode", wa_said_statement("SELECT * FROM wa_setup()"), why);
			else
				wa_admin_find(findings, identity->locked ? WA_WARNING_ODOO : WA_ERROR_IDENTITY, "mode", NULL,
							  why ? why : wa_say(WA_SAY_NOTHING_IS_SENT));
			break;
	}
	wa_admin_show(findings, "mode", modes[identity->mode], detail);
}

/* Can a snapshot of this server be told from it? */
static void
find_instance(WaFindings *findings)
{
	char	   *where;

	if (wa_guc_instance == NULL || wa_guc_instance[0] == '\0')
		wa_admin_find(findings, WA_WARNING_SERVER, "instance", wa_say(WA_SAY_NEXT_INSTANCE, get_database_name(MyDatabaseId)),
					  wa_say(WA_SAY_NO_INSTANCE));
	else if (instance_is_cloned(&where))
		wa_admin_find(findings, WA_WARNING_SERVER, "instance", NULL,
					  wa_say(WA_SAY_INSTANCE_IS_COPIED, where));
	else
		wa_admin_find(findings, WA_FINE, "instance", NULL, NULL);
}

void
wa_admin_find_server(WaFindings *findings)
{
	find_library(findings);
	find_mode(findings);
	find_instance(findings);
}
