/*-------------------------------------------------------------------------
 *
 * together.c
 *		What processes that compose for one database at the same time share.
 *
 * Mostly the worker composes, and is alone.  While it sends, a process beside
 * it (src/worker/beside.c) may compose a set of changes that is large.  Then
 *
 * - each transaction that reads events, or asks about waiting messages and may
 *	 put others in their place, holds one lock, so that these come one after the
 *	 other as if one process did them.  The worker never waits for it, since it
 *	 may hold rows that the other one needs: it asks again soon, and the other
 *	 one lets it pass (wanted);
 * - what is known of messages (known.c), and when composing last began, is in
 *	 memory that both see.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compose/compose.h"
#include "compose/together.h"
#include "wake/slot.h"

/*
 * One lock per database, beside that of the worker (src/worker/session.c).
 * SQL's advisory lock functions set the fourth field to 1 or 2, so no user can
 * take, or hold against us, this one.
 */
#define LOCK_KEY_HIGH	0x73696361	/* "sica" */
#define LOCK_KEY_LOW	0x6e74696b	/* "ntik" */
#define LOCK_KEY_CLASS	8

/*
 * Places for what is known.  So that a mass event does not push out itself,
 * there are more when that happens: up to 18 MB.  A segment has no more than 6,
 * for it cannot grow, and lies in /dev/shm, which has 64 in a container.
 */
#define FIRST_PLACES	4096
#define MOST_PLACES		262144
#define SHARED_PLACES	90112

static WaTogether *together = NULL;
static bool shared = false;

static Size
size_for(uint32 nplaces)
{
	return add_size(offsetof(WaTogether, places), mul_size(sizeof(WaKnown), nplaces));
}

/* What is at "from", with so many places at "to", which is zeroed. */
static void
move(WaTogether *to, const WaTogether *from, uint32 nplaces)
{
	memcpy(to, from, offsetof(WaTogether, places));
	to->nplaces = nplaces;
	for (uint32 i = 0; i < from->nplaces; i++)
		if (from->places[i].record_id != 0)
			*wa_compose_place(to, from->places[i].record_id) = from->places[i];
}

/*
 * What this process shares; NULL if there is nothing yet and "make" is false.
 */
WaTogether *
wa_compose_together(bool make)
{
	if (together == NULL && make)
	{
		WaTogether *own = MemoryContextAllocZero(TopMemoryContext, size_for(FIRST_PLACES));

		own->nplaces = FIRST_PLACES;
		/* a tranche of its own would be one more for each worker that starts */
		LWLockInitialize(&own->lock, wa_wake_lock->tranche);
		together = own;
	}
	return together;
}

/*
 * Twice as many places, while nobody has the lock; NULL: there are enough, or
 * there cannot be more.
 */
WaTogether *
wa_compose_together_grow(void)
{
	WaTogether *before = together;

	if (shared || before->nplaces >= MOST_PLACES)
		return NULL;
	together = MemoryContextAllocZero(TopMemoryContext, size_for(2 * before->nplaces));
	move(together, before, 2 * before->nplaces);
	pfree(before);
	return together;
}

/*
 * How many bytes wa_compose_share() needs.
 */
Size
wa_compose_share_size(void)
{
	return size_for(SHARED_PLACES);
}

/*
 * From now on this process's share lies at "place", which others may join: what
 * there is goes along.  Called once.
 */
void
wa_compose_share(void *place)
{
	WaTogether *own = wa_compose_together(true);

	memset(place, 0, size_for(SHARED_PLACES));
	move(place, own, SHARED_PLACES);
	pfree(own);
	together = place;
	shared = true;
}

/*
 * Share what is at "place" with the process that put it there.
 */
void
wa_compose_share_join(void *place)
{
	together = place;
	shared = true;
}

/*
 * A process is to compose beside this one.
 */
void
wa_compose_share_begin(void)
{
	pg_atomic_write_u32(&together->wanted, 0);
	wa_compose_share_reach(WA_BESIDE_STARTS);
}

void
wa_compose_share_reach(WaBesideStage stage)
{
	pg_atomic_write_u32(&together->stage, stage);
}

WaBesideStage
wa_compose_share_stage(void)
{
	return (WaBesideStage) pg_atomic_read_u32(&together->stage);
}

/*
 * Does the other process wait for its turn?
 */
bool
wa_compose_share_wanted(void)
{
	return pg_atomic_read_u32(&together->wanted) != 0;
}

static LOCKTAG
lock_tag(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, LOCK_KEY_HIGH, LOCK_KEY_LOW, LOCK_KEY_CLASS);
	return tag;
}

/*
 * Let nobody else compose, or ask, to the end of this transaction, without
 * waiting.  False: another process does just now.  Snapshots taken from now on
 * see all that was composed before.  asks: it is the sender who asks, and is
 * let pass if it could not.
 */
bool
wa_compose_alone(bool asks)
{
	LOCKTAG		tag = lock_tag();
	bool		alone = LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;

	if (asks && together)
		pg_atomic_write_u32(&together->wanted, !alone);
	return alone;
}

/*
 * The same for a session, which waits for who composes just now.
 */
void
wa_compose_alone_wait(void)
{
	LOCKTAG		tag = lock_tag();

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}
