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
#define LOOK_BATCH		10000
#define SWEEP_US		(100 * 1000)

/* How far wa.ready has been read; see wa_deliver_take_ready(). */
static int64 read_to = 0;
static int64 safe_to = 0;
static int64 checkpoint_id = 0;
static uint64 checkpoint_xid = 0;
static int64 swept_us = 0;
static int64 swept_to = 0;

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
	const char *recorded;
	WaVerdictRow *verdict;

	attempt.message_id = row->id;
	attempt.attempt = row->attempt;
	attempt.provider = row->claimed_provider ? row->claimed_provider : "";
	attempt.started_at = row->claimed_at;
	attempt.finished_at = GetCurrentTimestamp();
	attempt.provider_code = WA_CODE_INTERRUPTED;
	attempt.outcome = wa_gateway_outcome_name(WA_OUTCOME_UNKNOWN);
	attempt.response = why;
	recorded = wa_queue_attempt_outcome(row->id, row->attempt, &recorded_at);
	if (recorded[0] == '\0')
	{
		wa_deliver_aside_attempts(&attempt, 1);
		if (wa_deliver_is_aside(row->id))
			return;
		recorded = attempt.outcome;
	}
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
 * The scheduler gets the message, unless those of its line before it are left
 * in the table.  Returns false if it was there already.
 */
static bool
schedule(const WaReadyRow *row)
{
	WaLine	   *line = wa_deliver_line_of(row->only_by, row->lane);

	return row->id >= line->beyond || wa_deliver_schedule_add(row);
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

	if (conclusions->copy)
	{
		/*
		 * the original may hear what became of it; it is not held with what
		 * waits
		 */
		verdict->state = WA_STATE_UNKNOWN;
		verdict->reason = WA_REASON_COPY;
		verdict->detail = conclusions->copy;
		return false;
	}
	if (!wa_deliver_apply_doubt(row, verdict))
		return false;
	again.repeats++;
	again.tried.n = 0;
	return schedule(&again);
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
			takes = schedule(&rows[i]);
		if (takes)
			added++;
	}
	wa_queue_forget_ready(over, nover);
	wa_deliver_schedule_trim();
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
	swept_to = 0;
	wa_deliver_lines_begin_again();
}

/*
 * Take in these messages, by their ids.
 */
static int
take_these(const WaSendConfig *config, WaConclusions *conclusions, const int64 *ids, int n)
{
	WaReadyRow *rows;

	if (n == 0)
		return 0;
	n = wa_queue_load_these(ids, n, &rows);
	return take_in(config, conclusions, rows, n);
}

/* Is this row to be loaded, or is the message left there, or here already? */
static bool
is_news(const WaReadyKey *key)
{
	WaItem	   *item = wa_deliver_schedule_find(key->id);

	if (item)
		return item->on_wire && !key->claimed;
	return key->claimed || key->id < wa_deliver_line_of(key->only_by, key->lane)->beyond;
}

/*
 * Read wa.ready from *position on, which goes forward, and take in what is not
 * left there.  Returns how many, or what was read if nothing is left; *more:
 * there may be more.  once_more: it was read before, and nearly all is here.
 */
static int
read_on(const WaSendConfig *config, WaConclusions *conclusions, int64 *position, bool once_more, bool *more)
{
	WaReadyRow *rows;
	WaReadyKey *keys;
	int64	   *ids;
	int			nids = 0;
	int			n;
	int			i;

	if (!once_more && !wa_deliver_line_any_left())
	{
		n = wa_queue_load(*position, LOAD_BATCH, &rows);
		*more = n == LOAD_BATCH;
		if (n > 0)
			*position = rows[n - 1].id;
		return take_in(config, conclusions, rows, n);
	}
	n = wa_queue_look(*position, LOOK_BATCH, &keys);
	ids = palloc(sizeof(int64) * LOAD_BATCH);
	for (i = 0; i < n && nids < LOAD_BATCH; i++)
	{
		if (is_news(&keys[i]))
			ids[nids++] = keys[i].id;
		*position = keys[i].id;
	}
	*more = n == LOOK_BATCH || i < n;
	return take_these(config, conclusions, ids, nids);
}

/*
 * Come back for what was left in the table of lines that have become short.
 */
static void
take_left(const WaSendConfig *config, WaConclusions *conclusions)
{
	int			n;

	(void) wa_deliver_lines(&n);
	for (int i = 0; i < n; i++)
	{
		WaLine	   *line = wa_deliver_lines(&n)[i];
		int			wants = wa_deliver_line_wants(line);
		WaReadyKey *keys;
		int64	   *ids;
		int			nkeys;

		if (wants == 0)
			continue;
		nkeys = wa_queue_look_in_line(line->only_by, line->lane, line->beyond - 1, wants, &keys);
		ids = palloc(sizeof(int64) * Max(nkeys, 1));
		for (int k = 0; k < nkeys; k++)
			ids[k] = keys[k].id;
		line->beyond = nkeys == wants ? keys[nkeys - 1].id + 1 : PG_INT64_MAX;
		(void) take_these(config, conclusions, ids, nkeys);
	}
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
 * when a wake brought nothing new, and ten times a second; where much waits, at a
 * part of it each time.
 */
bool
wa_deliver_take_ready(const WaSendConfig *config, WaConclusions *conclusions)
{
	uint64		oldest;
	uint64		next;
	bool		settled;
	bool		more;
	int			added;
	int64		now = wa_deliver_clock();

	wa_queue_horizon(&oldest, &next);
	if (checkpoint_xid == 0 && safe_to < read_to)
	{
		checkpoint_id = read_to;
		checkpoint_xid = next;
	}
	settled = checkpoint_xid != 0 && oldest >= checkpoint_xid;
	added = read_on(config, conclusions, &read_to, false, &more);
	if (settled)
	{
		bool		unswept = true;

		while (unswept && safe_to < checkpoint_id)
			(void) read_on(config, conclusions, &safe_to, true, &unswept);
		safe_to = checkpoint_id;
		checkpoint_xid = 0;
	}
	else if (!more && safe_to < read_to && (added == 0 || now - swept_us > SWEEP_US))
	{
		/* at most so much at a time */
		int			batches = wa_deliver_line_any_left() ? 1 : LOOK_BATCH / LOAD_BATCH;
		bool		unswept = true;

		swept_us = now;
		swept_to = Max(swept_to, safe_to);
		for (int i = 0; i < batches && unswept && swept_to < read_to; i++)
			(void) read_on(config, conclusions, &swept_to, true, &unswept);
		if (!unswept || swept_to >= read_to)
			swept_to = 0;
	}
	take_left(config, conclusions);
	return more;
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
	(void) take_these(config, conclusions, ids, n);
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
 * Messages whose time has come.  *next_due: when the next one is due (0: none
 * is known); it is asked for in each round, because anybody may commit one that
 * is earlier than those known.  Returns true if there may be more.
 */
bool
wa_deliver_take_due(const WaSendConfig *config, WaConclusions *conclusions, TimestampTz *next_due)
{
	Due			due = {0};

	if (!wa_deliver_aside_try(WA_ASIDE_DUE, wake_due, &due))
		return false;
	*next_due = due.next;
	(void) take_these(config, conclusions, due.ids, due.n);
	return due.n == WA_QUEUE_DUE_BATCH;
}
