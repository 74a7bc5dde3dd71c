/*-------------------------------------------------------------------------
 *
 * own_table.c
 *		Our own tables, locked before they are looked at.
 *
 * A table that is written anew without its rows' transaction ids (TRUNCATE
 * and INSERT, pg_repack, pg_squeeze, REPACK (CONCURRENTLY)) looks empty to
 * every snapshot that was taken before.  Read so, it would say that nothing
 * has been announced yet, that nothing has been read, that nobody has armed
 * this database.  A lock keeps such commands away, and once we have it they
 * have committed: a snapshot that is taken then sees what they wrote.
 *
 * So a transaction of the worker's locks all our tables first, and takes its
 * snapshot after that.  It locks them as strongly as it will need them and
 * waits for none: what it cannot have at once it comes back for, while it
 * holds nothing.  So a REINDEX, which has one lock and waits for another, never
 * finds it in its way, and no lock on a table of the application's is held
 * while it waits for a table of ours.
 *
 * Functions that people call run in transactions of theirs.  At READ COMMITTED
 * each statement locks its tables before it takes its snapshot.  Where one
 * snapshot serves the whole transaction, it is too late to read again: such a
 * transaction fails as one that cannot be serialized, and is to be repeated.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/own_table.h"

/* A lock that keeps us waiting longer is told in the log. */
#define TELL_LOCKED_MS	1000

/*
 * All of them, and how a worker uses them at most.  (wa.daily_run is locked
 * against a run by hand before it is written, see calendar.c.)
 */
static const struct
{
	const char *name;
	LOCKMODE	mode;
}			own_tables[] =
{
	{"access", AccessShareLock},
	{"account_news", RowExclusiveLock},
	{"announced", RowExclusiveLock},
	{"attempt", RowExclusiveLock},
	{"capture_gap", RowExclusiveLock},
	{"consent", RowExclusiveLock},
	{"contact", RowExclusiveLock},
	{"contact_window", RowExclusiveLock},
	{"daily_run", AccessShareLock},
	{"dead_letter", RowExclusiveLock},
	{"due", RowExclusiveLock},
	{"event", RowExclusiveLock},
	{"event_aside", RowExclusiveLock},
	{"event_outcome", RowExclusiveLock},
	{"feedback", RowExclusiveLock},
	{"figure", RowExclusiveLock},
	{"figure_change", RowExclusiveLock},
	{"figure_zone", RowExclusiveLock},
	{"forgotten", RowExclusiveLock},
	{"holiday", AccessShareLock},
	{"identity", RowExclusiveLock},
	{"identity_of", RowExclusiveLock},
	{"inbound", RowExclusiveLock},
	{"message", RowExclusiveLock},
	{"provider", RowExclusiveLock},
	{"read_position", RowExclusiveLock},
	{"ready", RowExclusiveLock},
	{"request", RowExclusiveLock},
	{"scenario", AccessShareLock},
	{"scenario_rate", RowExclusiveLock},
	{"secret", AccessShareLock},
	{"setting", AccessShareLock},
	{"status_pair", RowExclusiveLock},
	{"template", AccessShareLock},
	{"template_mapping", RowExclusiveLock},
	{"template_sync", RowExclusiveLock},
	{"unassigned", RowExclusiveLock},
	{"unattended", RowExclusiveLock},
	{"unreached", RowExclusiveLock},
	{"unwritten", RowExclusiveLock},
	{"watch", AccessShareLock},
	{"watch_copy", AccessShareLock},
};

static TimestampTz locked_since = 0;
static bool locked_told = false;

/*
 * A table keeps us waiting: say so once, when it takes long.
 */
static void
tell_locked(const char *name)
{
	TimestampTz now = GetCurrentTimestamp();

	ereport(DEBUG1,
			(errmsg_internal("table wa.%s is locked, coming back", name)));
	if (locked_since == 0 || now < locked_since)
		locked_since = now;
	if (locked_told || !TimestampDifferenceExceeds(locked_since, now, TELL_LOCKED_MS))
		return;
	locked_told = true;
	ereport(LOG,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("sicantik_wa waits: table \"wa.%s\" is locked", name),
			 errdetail("Nothing is composed or sent until the lock is gone; nothing is lost."),
			 errhint("SELECT pid, query FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks WHERE relation = 'wa.%s'::regclass) shows who holds it, or waits for it.",
					 name)));
}

/*
 * Lock all our tables to the end of the transaction, waiting for none.  False
 * if one cannot be had, or is not there (of which build.c tells): give the
 * transaction up and come again.
 */
bool
wa_pg_own_tables_lock(void)
{
	Oid			namespace = get_namespace_oid("wa", true);

	if (!OidIsValid(namespace))
		return false;
	for (size_t i = 0; i < lengthof(own_tables); i++)
	{
		Oid			relid = get_relname_relid(own_tables[i].name, namespace);

		if (!OidIsValid(relid))
			return false;
		/* if another one has its name by now, the next look finds that one */
		if (!ConditionalLockRelationOid(relid, own_tables[i].mode) ||
			get_relname_relid(own_tables[i].name, namespace) != relid)
		{
			tell_locked(own_tables[i].name);
			return false;
		}
	}
	locked_since = 0;
	locked_told = false;
	return true;
}

/*
 * The first of our tables that is not there under its name, or NULL.
 */
const char *
wa_pg_own_table_missing(void)
{
	Oid			namespace = get_namespace_oid("wa", true);

	for (size_t i = 0; i < lengthof(own_tables); i++)
	{
		if (!OidIsValid(namespace) || !OidIsValid(get_relname_relid(own_tables[i].name, namespace)))
			return own_tables[i].name;
	}
	return NULL;
}

/*
 * Has somebody else changed the definition of a table (its tuple of pg_class)
 * since our snapshot was taken?  One that was written anew then looks empty to
 * that snapshot, and its rows as if they were gone.
 */
bool
wa_pg_changed_since_snapshot(HeapTuple tuple)
{
	TransactionId xmin = HeapTupleHeaderGetXmin(tuple->t_data);

	return ActiveSnapshotSet() && TransactionIdIsNormal(xmin) &&
		!TransactionIdIsCurrentTransactionId(xmin) &&
		XidInMVCCSnapshot(xmin, GetActiveSnapshot());
}

/*
 * In a transaction with one snapshot for all: raise an error if one of our
 * tables was written anew since.  Called before a function reads, and again
 * when it has read: what it has locked meanwhile stays as it is.
 */
void
wa_pg_own_tables_check(void)
{
	Oid			namespace;

	if (!IsolationUsesXactSnapshot())
		return;
	namespace = get_namespace_oid("wa", true);
	for (size_t i = 0; OidIsValid(namespace) && i < lengthof(own_tables); i++)
	{
		Oid			relid = get_relname_relid(own_tables[i].name, namespace);
		HeapTuple	tuple = OidIsValid(relid) ?
			SearchSysCache1(RELOID, ObjectIdGetDatum(relid)) : NULL;
		bool		changed;

		if (!HeapTupleIsValid(tuple))
			continue;
		changed = wa_pg_changed_since_snapshot(tuple);
		ReleaseSysCache(tuple);
		if (changed)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access because table \"wa.%s\" was rewritten or altered",
							own_tables[i].name),
					 errhint("The transaction might succeed if retried.")));
	}
}
