/*-------------------------------------------------------------------------
 *
 * intake.c
 *		What has become ready: from wa.ready and wa.due to the scheduler.
 *
 * Reading must cost nothing for what lies behind, and must miss nothing that
 * is committed late.  What an earlier worker left on the wire, or in doubt, is
 * found here, too, and concluded right away.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "deliver/apply.h"
#include "deliver/aside.h"
#include "deliver/send.h"
#include "queue/queue.h"

#define LOAD_BATCH		2000
#define SWEEP_US		USECS_PER_SEC

/* How far wa.ready has been read; see wa_deliver_take_ready(). */
static int64 read_to = 0;
static int64 safe_to = 0;
static int64 checkpoint_id = 0;
static uint64 checkpoint_xid = 0;
static int64 swept_us = 0;

/* Messages to come back to in a moment, see take_in(). */
static int64 *put_off = NULL;
static int	nput_off = 0;

/* Come back to this message in a moment. */
static void
put_message_off(int64 id)
{
	if (put_off == NULL)
		put_off = MemoryContextAlloc(TopMemoryContext, sizeof(int64));
	else
		put_off = repalloc(put_off, sizeof(int64) * (nput_off + 1));
	put_off[nput_off++] = id;
}

/*
 * A message that was on the wire when its worker ended: nobody knows, unless
 * the answer could be written and what it came to could not.
 */
static void
recover(const WaSendConfig *config, WaConclusions *conclusions, const WaReadyRow *row)
{
	WaSaid		why = wa_say(WA_SAY_WORKER_ENDED_ON_WIRE);
	WaAttemptRow attempt = {0};
	TimestampTz recorded_at;
	char	   *recorded;
	WaVerdictRow *verdict;

	attempt.message_id = row->id;
	attempt.attempt = row->attempt;
	attempt.provider = row->claimed_provider ? row->claimed_provider : "";
	attempt.started_at = row->claimed_at;
	attempt.finished_at = GetCurrentTimestamp();
	attempt.provider_code = WA_CODE_INTERRUPTED;
	attempt.outcome = wa_gateway_outcome_name(WA_OUTCOME_UNKNOWN);
	attempt.response = why;
	wa_deliver_aside_attempts(&attempt, 1);
	if (wa_deliver_is_aside(row->id))
		return;
	recorded = wa_queue_attempt_outcome(row->id, row->attempt, &recorded_at);
	if (strcmp(recorded, wa_gateway_outcome_name(WA_OUTCOME_ACCEPTED)) == 0)
	{
		wa_deliver_conclude(conclusions, row->id, WA_STATE_SENT, WA_REASON_NONE, NULL)->sent_at = recorded_at;
		return;
	}
	if (strcmp(recorded, attempt.outcome) != 0 && row->repeats == 0)
	{
		wa_deliver_conclude(conclusions, row->id, WA_STATE_QUEUED, WA_REASON_RETRY, wa_say(WA_SAY_REFUSED_BEFORE_WORKER_ENDED));
		put_message_off(row->id);
		return;
	}
	verdict = wa_deliver_conclude(conclusions, row->id, WA_STATE_UNKNOWN, WA_REASON_INTERRUPTED, why);
	if (row->repeats == 0)
	{
		verdict->state = WA_STATE_DOUBT;
		verdict->due_at = attempt.finished_at + config->unknown_wait_us;
	}
}

/*
 * The time to learn what became of a message is over: the scheduler gets it
 * once more, or it ends.
 */
static bool
resolve_doubt(WaConclusions *conclusions, const WaReadyRow *row)
{
	WaVerdictRow *verdict = wa_deliver_conclude(conclusions, row->id, WA_STATE_NONE, WA_REASON_NONE, NULL);
	WaReadyRow	again = *row;

	if (!wa_deliver_apply_doubt(row, verdict))
		return false;
	again.repeats++;
	again.tried.n = 0;
	return wa_deliver_schedule_add(&again);
}

/* A row that is read twice in a round is concluded once. */
static bool
is_concluded(const WaConclusions *conclusions, int64 id)
{
	for (int i = 0; i < conclusions->n; i++)
		if (conclusions->rows[i].id == id)
			return true;
	return false;
}

/*
 * Of what is to be concluded right away, whose row has somebody locked at the
 * moment?  locked[i] for each of the rows.
 */
static void
find_locked(const WaReadyRow *rows, int n, bool *locked)
{
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	bool	   *is_locked = palloc(sizeof(bool) * Max(n, 1));
	int			nids = 0;

	memset(locked, 0, sizeof(bool) * n);
	for (int i = 0; i < n; i++)
		if (rows[i].claimed || rows[i].in_doubt)
			ids[nids++] = rows[i].id;
	if (nids == 0 || !wa_deliver_aside_or_locked(ids, nids, is_locked))
		return;
	for (int i = 0, k = 0; i < n; i++)
		if (rows[i].claimed || rows[i].in_doubt)
			locked[i] = is_locked[k++];
}

/*
 * The scheduler gets what is read from wa.ready, and what is in doubt is
 * concluded; a message of which neither can be done now is put off.  Returns
 * how many the scheduler has taken.
 */
static int
take_in(const WaSendConfig *config, WaConclusions *conclusions, WaReadyRow *rows, int n)
{
	int64	   *over = palloc(sizeof(int64) * Max(n, 1));
	bool	   *locked = palloc(sizeof(bool) * Max(n, 1));
	int			nover = 0;
	int			added = 0;

	find_locked(rows, n, locked);
	for (int i = 0; i < n; i++)
	{
		WaItem	   *item = wa_deliver_schedule_find(rows[i].id);
		bool		takes = false;

		if (is_concluded(conclusions, rows[i].id))
			continue;
		if (item)
		{
			/*
			 * just back from the wire: it is forgotten when this round
			 * commits
			 */
			if (item->on_wire && !rows[i].claimed)
				put_message_off(rows[i].id);
			continue;
		}
		if (locked[i])
			put_message_off(rows[i].id);
		else if (rows[i].claimed)
			recover(config, conclusions, &rows[i]);
		else if (rows[i].in_doubt)
			takes = resolve_doubt(conclusions, &rows[i]);
		else if (rows[i].over)
			over[nover++] = rows[i].id;
		else
			takes = wa_deliver_schedule_add(&rows[i]);
		if (takes)
			added++;
	}
	wa_queue_forget_ready(over, nover);
	return added;
}

/*
 * Read wa.ready from its beginning again: what was read has not happened.
 */
void
wa_deliver_read_again(void)
{
	nput_off = 0;
	read_to = safe_to = 0;
	checkpoint_id = 0;
	checkpoint_xid = 0;
}

/*
 * Load what has become ready.  Returns true if there may be more.
 *
 * Reading forward from the last id costs nothing for what lies behind it,
 * dead or alive.  But ids are not in the order of commits: one that was drawn
 * earlier may appear later.  So there is a second mark, up to which nothing
 * can appear any more and everything has been read.  It follows the first one
 * by way of a checkpoint: once every transaction that was running when the
 * checkpoint was set is over, one more look behind it finds the last of them.
 * (Set before this round reads on: whoever drew an id up to there has had a
 * transaction id since before.)  Until then there is such a look, a sweep,
 * when a wake brought nothing new, and once a second.
 */
bool
wa_deliver_take_ready(const WaSendConfig *config, WaConclusions *conclusions)
{
	WaReadyRow *rows;
	uint64		oldest;
	uint64		next;
	bool		settled;
	int			n;
	int			added;
	int64		now = wa_deliver_clock();

	if (wa_deliver_schedule_size() >= WA_SCHEDULE_MAX)
		return false;
	wa_queue_horizon(&oldest, &next);
	if (checkpoint_xid == 0 && safe_to < read_to)
	{
		checkpoint_id = read_to;
		checkpoint_xid = next;
	}
	settled = checkpoint_xid != 0 && oldest >= checkpoint_xid;
	n = wa_queue_load(read_to, LOAD_BATCH, &rows);
	added = take_in(config, conclusions, rows, n);
	if (n > 0)
		read_to = rows[n - 1].id;
	if (settled ||
		(n < LOAD_BATCH && safe_to < read_to && (added == 0 || now - swept_us > SWEEP_US)))
	{
		int64		from = safe_to;
		int64		to = settled ? checkpoint_id : read_to;

		swept_us = now;
		while (from < to)
		{
			int			m = wa_queue_load(from, LOAD_BATCH, &rows);

			if (m == 0)
				break;
			take_in(config, conclusions, rows, m);
			from = rows[m - 1].id;
		}
	}
	if (settled)
	{
		safe_to = checkpoint_id;
		checkpoint_xid = 0;
	}
	return n == LOAD_BATCH;
}

/*
 * Take in messages that became ready behind what was read.
 */
static void
take_these(const WaSendConfig *config, WaConclusions *conclusions, const int64 *ids, int n)
{
	WaReadyRow *rows;

	if (n == 0)
		return;
	n = wa_queue_load_these(ids, n, &rows);
	take_in(config, conclusions, rows, n);
}

/*
 * Messages that were put off because somebody had locked their row, and those that
 * have been revived; the scheduler may still have one of these as it was.
 */
void
wa_deliver_take_again(const WaSendConfig *config, WaConclusions *conclusions,
					  const int64 *revived, int nrevived)
{
	int64	   *ids = palloc(sizeof(int64) * Max(nrevived + nput_off, 1));
	int			n = 0;

	for (int i = 0; i < nrevived; i++)
	{
		WaItem	   *item = wa_deliver_schedule_find(revived[i]);

		if (item)
			wa_deliver_schedule_remove(item);
		ids[n++] = revived[i];
	}
	while (nput_off > 0)
		ids[n++] = put_off[--nput_off];
	take_these(config, conclusions, ids, n);
}

/*
 * Come back to these messages in a moment: they have been made ready, and the
 * scheduler may still have them as they were on the wire.
 */
void
wa_deliver_put_off(const int64 *ids, int n)
{
	for (int i = 0; i < n; i++)
		put_message_off(ids[i]);
}

/*
 * Is there a message that was put off, to come back to in a moment?
 */
bool
wa_deliver_any_put_off(void)
{
	return nput_off > 0;
}

typedef struct Due
{
	int64	   *ids;
	int			n;
	TimestampTz next;
} Due;

static void
wake_due(void *argument)
{
	Due		   *due = argument;
	int64	   *ids;
	TimestampTz next;
	int			n = wa_queue_wake_due(&ids, &next);

	*due = (Due)
	{
		ids, n, next
	};
}

/*
 * Messages whose time has come, unless memory is full.  *next_due: when the
 * next one is due (0: none is known); it is asked for in each round, because
 * anybody may commit one that is earlier than those known.  Returns true if
 * there may be more.
 */
bool
wa_deliver_take_due(const WaSendConfig *config, WaConclusions *conclusions, TimestampTz *next_due)
{
	Due			due = {0};

	if (wa_deliver_schedule_size() >= WA_SCHEDULE_MAX)
	{
		/* the round that makes room asks again; no use to wake for it */
		*next_due = 0;
		return false;
	}
	if (!wa_deliver_aside_try(WA_ASIDE_DUE, wake_due, &due))
		return false;
	*next_due = due.next;
	take_these(config, conclusions, due.ids, due.n);
	return due.n == WA_QUEUE_DUE_BATCH;
}
