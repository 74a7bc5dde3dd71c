/*-------------------------------------------------------------------------
 *
 * session.c
 *		What a worker makes sure of on connecting to its database.
 *
 * ALTER DATABASE and ALTER ROLE ... SET apply to background workers too: a
 * worker can wake up in a session that is read only, serializable, in another
 * role, with a foreign search_path.  Whatever our statements rely on is set
 * here, in a way that a reload of the configuration does not undo.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/guc.h"

#include "pg/plan_large.h"
#include "pg/subscribed.h"
#include "wake/slot.h"
#include "worker/process.h"

/*
 * Our lock, one per database.  SQL's advisory lock functions set the fourth
 * field to 1 or 2, so no user can take, or hold against us, this one.
 */
#define LOCK_KEY_HIGH	0x73696361	/* "sica" */
#define LOCK_KEY_LOW	0x6e74696b	/* "ntik" */
#define LOCK_KEY_CLASS	7

/*
 * What a worker's session has, for its whole life.  More than what is set for a
 * function in a session of somebody's (pg/acting.c), which must leave alone how
 * that session plans, locks and ends.
 */
static const struct
{
	const char *name;
	const char *value;
}			pinned[] =
{
	{"role", "none"},
	{"search_path", "pg_catalog, pg_temp"},
	{"session_replication_role", "origin"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	{"statement_timeout", "0"},
	/* below the server's deadlock_timeout: it is us who give way */
	{"lock_timeout", "200ms"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"transaction_timeout", "0"},
	{"TimeZone", "UTC"},
	{"DateStyle", "ISO, YMD"},
	{"IntervalStyle", "postgres"},
	{"bytea_output", "hex"},
	{"extra_float_digits", "1"},
	{"xmloption", "content"},
	{"quote_all_identifiers", "off"},
	{"standard_conforming_strings", "on"},
	{"transform_null_equals", "off"},
	{"array_nulls", "on"},
	{"row_security", "on"},
	{"client_min_messages", "warning"},
	{"sicantik_wa.level", "admin"},
	{"sicantik_wa.language", "office"},

	/*
	 * Our tables are usually empty when a statement is planned and large when
	 * it runs: every one of them is written for one index (see plan_large.c).
	 * Planned once, it costs a third of what it costs when planned each time.
	 */
	{"plan_cache_mode", "force_generic_plan"},
	{"enable_seqscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"jit", "off"},
	{"max_parallel_workers_per_gather", "0"},

	/*
	 * Modules that log statements: the worker's are always the same few, and
	 * their parameters, also those in a plan, are citizens' numbers and
	 * texts.
	 */
	{"pgaudit.log", "none"},
	{"pgaudit.log_parameter", "off"},
	{"pgaudit.role", ""},
	{"auto_explain.log_min_duration", "-1"}
};

/*
 * A claim must be on disk before its request leaves: commits of this process
 * wait at least for the local disk.  Stronger choices (remote_apply) are
 * kept.  To be called again after each reload of the configuration.
 */
void
wa_worker_session_pin_commit(void)
{
	if (synchronous_commit < SYNCHRONOUS_COMMIT_ON)
		SetConfigOption("synchronous_commit", "on",
						PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * Set what our statements rely on, for the life of this process.  Settings
 * that this server version does not know are passed over.
 */
void
wa_worker_session_pin_settings(void)
{
	for (size_t i = 0; i < lengthof(pinned); i++)
	{
		if (GetConfigOption(pinned[i].name, true, false) != NULL)
			SetConfigOption(pinned[i].name, pinned[i].value,
							PGC_SUSET, PGC_S_OVERRIDE);
	}
	wa_worker_session_pin_commit();
	wa_pg_plan_large();
}

/*
 * Become the only worker of this database, until the process ends.  False if
 * another one is still there.  The slot should make that impossible; this
 * holds even where the slot was rebuilt.
 */
bool
wa_worker_session_lock(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, LOCK_KEY_HIGH, LOCK_KEY_LOW,
						 LOCK_KEY_CLASS);
	return LockAcquire(&tag, ExclusiveLock, true, true) !=
		LOCKACQUIRE_NOT_AVAIL;
}

/*
 * Is the extension in this database, and can this library serve it?  Must be
 * called in a transaction.  *difference: why not (WA_EXTENSION_OTHER).
 */
WaExtension
wa_worker_session_extension(WaBuildDifference *difference)
{
	if (wa_pg_build_differs(difference))
		return WA_EXTENSION_OTHER;
	if (!OidIsValid(get_extension_oid("sicantik_wa", true)))
		return WA_EXTENSION_ABSENT;
	return wa_pg_subscription() != NULL ? WA_EXTENSION_SUBSCRIBED : WA_EXTENSION_PRESENT;
}
