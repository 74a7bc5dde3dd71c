/*-------------------------------------------------------------------------
 *
 * roster.c
 *		Keeps the slots in line with pg_database.
 *
 * The launcher is connected to no database; it can read the shared catalogs
 * all the same.  They are compared at each of its wakes, in one short
 * transaction: databases come, go and change owner without anybody telling
 * us (DROP OWNED, a restore, another tool).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/pg_compat.h"
#include "wake/slot.h"
#include "worker/launcher.h"

/* milliseconds */
#define RECLAIM_WANTED		60000	/* a database without slot has work */
#define RECLAIM_EVERY		300000	/* otherwise, so that each is visited */

/* A row of pg_database that we may serve. */
typedef struct Database
{
	Oid			oid;
	Oid			owner;
	bool		can_login;		/* the owner */
	bool		has_slot;
	bool		complain;		/* say that the owner may not log in */
	NameData	name;
	NameData	owner_name;
} Database;

typedef struct DatabaseList
{
	Database   *items;			/* sorted by oid */
	int			count;
	int			room;
} DatabaseList;

/* True while a lock on a catalog may have to be waited for. */
volatile sig_atomic_t wa_worker_roster_reading = false;

/* more databases than slots */
static bool overflow_logged = false;
static bool reclaim_wanted = false;
static TimestampTz last_reclaim = 0;
static Oid	last_taken = InvalidOid;

static int
compare_databases(const void *a, const void *b)
{
	Oid			left = ((const Database *) a)->oid;
	Oid			right = ((const Database *) b)->oid;

	return left < right ? -1 : left > right ? 1 : 0;
}

static Database *
find_database(DatabaseList *list, Oid oid)
{
	Database	key = {.oid = oid};

	return bsearch(&key, list->items, list->count, sizeof(Database),
				   compare_databases);
}

/*
 * Read the databases that may be connected to, in a short transaction.  The
 * list lives in the current memory context.
 */
static void
read_databases(DatabaseList *list)
{
	MemoryContext context = CurrentMemoryContext;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	list->count = 0;
	list->room = 64;
	list->items = palloc0(sizeof(Database) * list->room);

	wa_worker_roster_reading = true;
	if (ShutdownRequestPending)
		proc_exit(1);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);
		Database   *database;
		HeapTuple	role;

		if (!form->datallowconn || form->datistemplate ||
			form->datconnlimit == DATCONNLIMIT_INVALID_DB)
			continue;
		if (list->count == list->room)
		{
			list->room *= 2;
			list->items = repalloc_huge(list->items,
										sizeof(Database) * list->room);
		}
		database = &list->items[list->count++];
		memset(database, 0, sizeof(*database));
		database->oid = form->oid;
		database->owner = form->datdba;
		database->name = form->datname;
		role = SearchSysCache1(AUTHOID, ObjectIdGetDatum(form->datdba));
		if (HeapTupleIsValid(role))
		{
			database->can_login =
				((Form_pg_authid) GETSTRUCT(role))->rolcanlogin;
			database->owner_name = ((Form_pg_authid) GETSTRUCT(role))->rolname;
			ReleaseSysCache(role);
		}
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	wa_worker_roster_reading = false;
	pgstat_report_stat(false);
	MemoryContextSwitchTo(context);

	qsort(list->items, list->count, sizeof(Database), compare_databases);
}

/*
 * Make room for databases without slot, where all are in use: forget some
 * databases that were visited and have not the extension.  They come round
 * again, so with more databases than slots each is visited in turn.
 */
static void
reclaim_slots(int needed)
{
	while (needed-- > 0)
	{
		int			oldest = -1;

		for (int i = 0; i < WA_SLOTS; i++)
		{
			WaSlot	   *slot = &wa_wake_shared->slots[i];

			if (slot->state != WA_SLOT_ABSENT ||
				pg_atomic_read_u64(&slot->process) != 0 ||
				pg_atomic_read_u32(&slot->revisit) != 0)
				continue;
			if (oldest < 0 ||
				slot->started_at < wa_wake_shared->slots[oldest].started_at)
				oldest = i;
		}
		if (oldest < 0)
			return;
		wa_wake_slot_free(oldest);
	}
}

/*
 * Give slots to databases that have none, beginning behind the one that came
 * last in the previous pass.  Returns how many found no place.
 */
static int
take_slots(DatabaseList *list)
{
	int			first = 0;
	int			without = 0;
	bool		full = false;

	while (first < list->count && list->items[first].oid <= last_taken)
		first++;
	for (int i = 0; i < list->count; i++)
	{
		Database   *database = &list->items[(first + i) % list->count];
		int			index = -1;

		if (database->has_slot)
			continue;
		if (!full)
			index = wa_wake_slot_take(database->oid);
		if (index < 0)
		{
			full = true;
			without++;
			continue;
		}
		wa_wake_shared->slots[index].owner = database->owner;
		wa_wake_shared->slots[index].can_login = database->can_login;
		database->has_slot = true;
		last_taken = database->oid;
	}
	return without;
}

/*
 * When slots may be taken away again.
 */
static TimestampTz
reclaim_at(void)
{
	return TimestampTzPlusMilliseconds(last_reclaim,
									   reclaim_wanted ? RECLAIM_WANTED :
									   RECLAIM_EVERY);
}

/*
 * Bring the slots in line with pg_database.  Slots younger than "serial" may
 * be for databases that are younger than the list, and are left alone.
 */
static void
match_databases(DatabaseList *list, uint64 serial, TimestampTz now)
{
	int			without;

	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	for (int i = 0; i < WA_SLOTS; i++)
	{
		WaSlot	   *slot = &wa_wake_shared->slots[i];
		Database   *database;

		if (slot->state == WA_SLOT_FREE)
			continue;
		database = find_database(list,
								 pg_atomic_read_u32(&wa_wake_shared->databases[i]));
		if (database == NULL)
		{
			if (slot->serial > serial)
				continue;
			if (pg_atomic_read_u64(&slot->process) != 0)
			{
				/* no longer to be connected to, but somebody is inside */
				wa_wake_slot_raise_leave(slot, WA_LEAVE_NOW);
				wa_wake_slot_wake(slot);
			}
			else
				wa_wake_slot_free(i);
			continue;
		}
		database->has_slot = true;
		if (slot->owner != database->owner)
		{
			if (OidIsValid(slot->owner))
			{
				slot->failures = 0;
				slot->retry_at = 0;
				slot->login_logged = false;
				if (pg_atomic_read_u64(&slot->process) != 0)
				{
					/* it is connected as the owner that was */
					slot->visit = true;
					pg_atomic_write_u32(&slot->revisit, 1);
					wa_wake_slot_raise_leave(slot, WA_LEAVE_DONE);
					wa_wake_slot_wake(slot);
				}
			}
			slot->owner = database->owner;
		}
		slot->can_login = database->can_login;
		if (slot->can_login)
			slot->login_logged = false;
	}

	without = take_slots(list);
	if (without > 0 && now >= reclaim_at())
	{
		last_reclaim = now;
		reclaim_wanted = false;
		reclaim_slots(without);
		without = take_slots(list);
	}
	LWLockRelease(wa_wake_lock);

	if (without > 0 && !overflow_logged)
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("sicantik_wa has no slot for %d of the databases of this server",
						without),
				 errdetail("There are %d slots.  Databases without the extension give theirs up in turn.",
						   WA_SLOTS)));
	overflow_logged = without > 0;
	if (without == 0)
		reclaim_wanted = false;
}

/*
 * A database that wants a worker, but whose owner may not log in: say so
 * once.
 */
static void
complain_about_owners(DatabaseList *list, TimestampTz now)
{
	LWLockAcquire(wa_wake_lock, LW_EXCLUSIVE);
	for (int i = 0; i < WA_SLOTS; i++)
	{
		WaSlot	   *slot = &wa_wake_shared->slots[i];
		Database   *database;

		if (slot->state == WA_SLOT_FREE || slot->can_login ||
			slot->login_logged || !wa_worker_pool_wants_worker(slot, now))
			continue;
		database = find_database(list,
								 pg_atomic_read_u32(&wa_wake_shared->databases[i]));
		if (database == NULL)
			continue;
		slot->login_logged = true;
		database->complain = true;
	}
	LWLockRelease(wa_wake_lock);

	for (int i = 0; i < list->count; i++)
	{
		if (list->items[i].complain)
			ereport(LOG,
					(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
					 errmsg("sicantik_wa cannot serve database \"%s\": its owner \"%s\" is not permitted to log in",
							NameStr(list->items[i].name),
							NameStr(list->items[i].owner_name)),
					 errhint("Run ALTER ROLE ... LOGIN for the owner, or give the database another owner.")));
	}
}

/*
 * One comparison.  "reclaim": databases without slot are wanted, so make room
 * for them if there is none.  Leaves its garbage in the current memory
 * context.  Returns when it should be called again at the latest, 0 if only
 * when something happens.
 */
TimestampTz
wa_worker_roster_compare(bool reclaim)
{
	DatabaseList list;
	TimestampTz now;
	uint64		serial;

	reclaim_wanted = reclaim_wanted || reclaim;

	LWLockAcquire(wa_wake_lock, LW_SHARED);
	serial = wa_wake_shared->serial;
	LWLockRelease(wa_wake_lock);

	read_databases(&list);
	now = GetCurrentTimestamp();
	if (last_reclaim == 0 || last_reclaim > now)
		last_reclaim = now;
	match_databases(&list, serial, now);
	complain_about_owners(&list, now);

	return overflow_logged ? reclaim_at() : 0;
}
