/*-------------------------------------------------------------------------
 *
 * stat.c
 *		What the workers of a database have done, in shared memory.
 *
 * What a transaction writes counts when it commits, so that the counters say
 * what the tables do: until then it is kept in this process, by nesting level,
 * since the worker rolls back parts of its transactions where a row is refused.
 * Time belongs to the stage that the process is in; to change it costs one look
 * at a clock and one atomic addition, a few times a round, however many messages
 * that has.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "wake/slot.h"
#include "wake/stat.h"

const int	wa_wake_latency_ends[WA_LATENCY_STEPS - 1] = {
	5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 1800000
};

/* What is counted in transactions stands before this one. */
#define TRANSACTIONAL	(WA_STAT_ATTEMPTS + 1)

/* What a transaction, or one in it, has counted. */
typedef struct Pending
{
	struct Pending *above;		/* of a level further out; or NULL */
	int			level;			/* GetCurrentTransactionNestLevel() */
	uint64		n[TRANSACTIONAL];
} Pending;

/* Where this process counts; NULL: it does not. */
static WaStats *own = NULL;

/* In TopTransactionContext. */
static Pending *pending = NULL;

static WaStat stage = WA_STAT_OTHER_TIME;
static instr_time stage_since;

void
wa_wake_stat_init(WaStats *stats)
{
	for (int i = 0; i < WA_STAT_COUNT; i++)
		pg_atomic_init_u64(&stats->n[i], 0);
	pg_atomic_init_u64(&stats->reset_at, 0);
}

/*
 * Now; it happens that it has been so before.
 */
void
wa_wake_stat_add(WaStat stat, uint64 n)
{
	if (own && n > 0)
		pg_atomic_fetch_add_u64(&own->n[stat], (int64) n);
}

/*
 * A message was accepted, so long after it was taken in.
 */
void
wa_wake_stat_latency(int64 us)
{
	int			step = 0;

	us = Max(us, 0);			/* the clock was set back */
	while (step < WA_LATENCY_STEPS - 1 && us > (int64) wa_wake_latency_ends[step] * 1000)
		step++;
	wa_wake_stat_add(WA_STAT_LATENCY_TIME, (uint64) us);
	wa_wake_stat_add(WA_STAT_LATENCY + step, 1);
}

/*
 * If the current (sub)transaction commits, and all around it.
 */
void
wa_wake_stat_at_commit(WaStat stat, uint64 n)
{
	int			level;

	Assert(stat < TRANSACTIONAL);
	if (own == NULL || n == 0)
		return;
	level = GetCurrentTransactionNestLevel();
	if (pending == NULL || pending->level < level)
	{
		Pending    *deeper = MemoryContextAllocZero(TopTransactionContext, sizeof(Pending));

		deeper->above = pending;
		deeper->level = level;
		pending = deeper;
	}
	pending->n[stat] += n;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	Pending    *ended = pending;

	if (ended == NULL || ended->level < level)
		return;
	switch (event)
	{
		case SUBXACT_EVENT_ABORT_SUB:
			pending = ended->above;
			break;
		case SUBXACT_EVENT_COMMIT_SUB:
			if (ended->above && ended->above->level == level - 1)
			{
				for (int i = 0; i < TRANSACTIONAL; i++)
					ended->above->n[i] += ended->n[i];
				pending = ended->above;
			}
			else
				ended->level = level - 1;
			break;
		case SUBXACT_EVENT_START_SUB:
		case SUBXACT_EVENT_PRE_COMMIT_SUB:
			break;
	}
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
				wa_wake_stat_add(WA_STAT_COMMITS, 1);
			for (int i = 0; pending && i < TRANSACTIONAL; i++)
				wa_wake_stat_add(i, pending->n[i]);
			pending = NULL;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			pending = NULL;
			break;
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			break;
	}
}

/*
 * This process works for its database, and counts from now on.
 */
void
wa_wake_stat_begin(void)
{
	int			index = wa_wake_slot_find(MyDatabaseId);

	if (index < 0 || own)
		return;
	own = &wa_wake_shared->slots[index].stats;
	INSTR_TIME_SET_CURRENT(stage_since);
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

/*
 * From now on the time is this one's (a *_TIME).  Returns whose it was.
 */
WaStat
wa_wake_stat_stage(WaStat next)
{
	WaStat		last = stage;
	instr_time	now;
	instr_time	passed;

	if (own == NULL)
		return last;
	INSTR_TIME_SET_CURRENT(now);
	passed = now;
	INSTR_TIME_SUBTRACT(passed, stage_since);
	wa_wake_stat_add(last, (uint64) INSTR_TIME_GET_MICROSEC(passed));
	stage = next;
	stage_since = now;
	return last;
}

/*
 * What has been counted for the current database, and since when.  False: there
 * is nothing that counts.
 */
bool
wa_wake_stat_read(uint64 n[WA_STAT_COUNT], TimestampTz *since)
{
	int			index = wa_wake_slot_find(MyDatabaseId);
	WaSlot	   *slot;

	if (index < 0)
		return false;
	slot = &wa_wake_shared->slots[index];
	for (int i = 0; i < WA_STAT_COUNT; i++)
		n[i] = pg_atomic_read_u64(&slot->stats.n[i]);
	*since = (TimestampTz) pg_atomic_read_u64(&slot->stats.reset_at);
	if (*since == 0)
		*since = (TimestampTz) pg_atomic_read_u64(&slot->taken_at);
	return true;
}

/*
 * Count from zero, for the current database.  False: there is nothing that
 * counts.
 */
bool
wa_wake_stat_reset(void)
{
	int			index = wa_wake_slot_find(MyDatabaseId);
	WaStats    *stats;

	if (index < 0)
		return false;
	stats = &wa_wake_shared->slots[index].stats;
	for (int i = 0; i < WA_STAT_COUNT; i++)
		pg_atomic_write_u64(&stats->n[i], 0);
	pg_atomic_write_u64(&stats->reset_at, (uint64) GetCurrentTimestamp());
	return true;
}
