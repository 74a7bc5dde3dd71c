/*-------------------------------------------------------------------------
 *
 * schedule.c
 *		Ready messages in the worker's memory, in the order they should go.
 *
 * There is one worker per database, so order needs no locks in tables: three
 * lanes by priority, each in the order of ids.  Two messages to one number
 * are never on the wire at once, and a later one never overtakes an earlier
 * one of the same priority.  A message that waits for a time (retry, delay)
 * is not here but in wa.due, and holds nobody back.
 *
 * What cannot go now must not cost those who can, however many wait.  So a
 * round walks only the lanes, and these hold only what may have a way: what is
 * on the wire, waits for a time (parked) or for room at its provider (blocked)
 * is in lists of its own and comes back into its place when that is over.
 *
 * Memory is bounded.  When it is full, the last of those that wait are put out
 * of it (they stay in wa.ready), so that whoever comes behind them is looked
 * at; when one of those that were put out may have a way, wa.ready is read
 * again.  Until then later ones to the same number stay out as well.
 *
 * Everything lives in one memory context of the worker.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "deliver/circuit.h"
#include "deliver/schedule.h"

#define LANES	3

/* Looked at in one round of those that cannot go but are to be told why. */
#define ASK_AT_ONCE	64

/* A number that is busy or was a moment ago. */
typedef struct Number
{
	char		number[WA_NUMBER_SIZE]; /* hash key */
	int			on_wire;
	int64		next_us;
	uint64		passed;			/* walk in which an earlier message waits */
	int			retried;		/* parked ones that have been on the wire */
	dlist_head	blocked;		/* in order */
	int			out_lane;		/* the first that was put out of memory */
	int64		out_id;			/* 0: none */
} Number;

static MemoryContext context = NULL;
static HTAB *items = NULL;
static HTAB *numbers = NULL;
static dlist_head lanes[LANES];
static dlist_head wire;
static dlist_head parked;
static dlist_head gone;
static int	nparked = 0;
static int64 parked_until = PG_INT64_MAX;	/* none of them goes before */
static bool any_out = false;	/* messages were put out of memory */
static int64 out_until = PG_INT64_MAX;	/* parked ones among them */
static long quiet_limit = 4096; /* numbers that are kept without a look */
static uint64 walk = 0;
static bool behind = false;		/* see wa_schedule_behind() */

void
wa_schedule_init(void)
{
	HASHCTL		ctl = {0};

	context = AllocSetContextCreate(TopMemoryContext, "sicantik_wa schedule",
									ALLOCSET_DEFAULT_SIZES);
	ctl.hcxt = context;
	ctl.keysize = sizeof(int64);
	ctl.entrysize = sizeof(WaItem);
	items = hash_create("sicantik_wa ready messages", 1024, &ctl,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ctl.keysize = WA_NUMBER_SIZE;
	ctl.entrysize = sizeof(Number);
	numbers = hash_create("sicantik_wa busy numbers", 1024, &ctl,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < LANES; i++)
		dlist_init(&lanes[i]);
	dlist_init(&wire);
	dlist_init(&parked);
	dlist_init(&gone);
}

/*
 * What is kept of the reason why a message waits for a provider, so that the
 * ledger is written only when it is a new one; never 0.
 */
uint32
wa_schedule_note(const char *reason)
{
	return hash_bytes((const unsigned char *) reason, strlen(reason)) | 1;
}

int
wa_schedule_size(void)
{
	return (int) hash_get_num_entries(items);
}

static char *
keep(const char *text)
{
	return text ? MemoryContextStrdup(context, text) : NULL;
}

static void
forget(char **text)
{
	if (*text)
		pfree(*text);
	*text = NULL;
}

static void
add_tried(WaItem *item, const char *provider)
{
	if (item->tried == NULL)
		item->tried = MemoryContextAlloc(context, sizeof(char *));
	else
		item->tried = repalloc(item->tried, sizeof(char *) * (item->ntried + 1));
	item->tried[item->ntried++] = keep(provider);
}

static bool
is_after(const WaItem *item, int lane, int64 id)
{
	return item->lane > lane || (item->lane == lane && item->id > id);
}

/* Nearly always the last one; one that was drawn earlier goes before. */
static void
put_in_lane(WaItem *item)
{
	dlist_head *lane = &lanes[item->lane];
	dlist_node *after = lane->head.prev;

	while (after != &lane->head &&
		   dlist_container(WaItem, node, after)->id > item->id)
		after = after->prev;
	if (after == &lane->head)
		dlist_push_head(lane, &item->node);
	else
		dlist_insert_after(after, &item->node);
}

static int
by_order(const void *a, const void *b)
{
	const WaItem *left = *(WaItem *const *) a;
	const WaItem *right = *(WaItem *const *) b;

	return is_after(left, right->lane, right->id) ? 1 : -1;
}

/*
 * Put messages, which are in no list, back into their places: old ones, so
 * that these are near the beginning.
 */
static void
put_back(WaItem **list, int n)
{
	dlist_node *before = NULL;

	qsort(list, n, sizeof(WaItem *), by_order);
	for (int i = 0; i < n; i++)
	{
		dlist_head *lane = &lanes[list[i]->lane];

		if (i == 0 || list[i]->lane != list[i - 1]->lane)
			before = lane->head.next;
		while (before != &lane->head &&
			   dlist_container(WaItem, node, before)->id < list[i]->id)
			before = before->next;
		dlist_insert_before(before, &list[i]->node);
	}
}

static Number *
number_of(const char *number, bool create)
{
	char		key[WA_NUMBER_SIZE] = {0};
	Number	   *entry;
	bool		found;

	strlcpy(key, number, WA_NUMBER_SIZE);
	entry = hash_search(numbers, key, create ? HASH_ENTER : HASH_FIND, &found);
	if (entry && !found)
	{
		memset((char *) entry + WA_NUMBER_SIZE, 0, sizeof(*entry) - WA_NUMBER_SIZE);
		dlist_init(&entry->blocked);
	}
	return entry;
}

/* Take a message out of the list that it is in. */
static void
detach(WaItem *item)
{
	dlist_delete(&item->node);
	if (item->parked)
		nparked--;
	if (item->retried)
		number_of(item->number, true)->retried--;
	if (item->waits_for)
	{
		dlist_delete(&item->number_node);
		item->waits_for->nwaiting--;
	}
	item->parked = item->retried = false;
	item->waits_for = NULL;
}

/* It waits for a time, and holds nobody back. */
static void
park(WaItem *item)
{
	detach(item);
	item->parked = true;
	item->asked = false;
	nparked++;
	if (item->attempts > 0)
	{
		item->retried = true;
		number_of(item->number, true)->retried++;
	}
	parked_until = Min(parked_until, item->wait_us);
	dlist_push_tail(&parked, &item->node);
}

/* It waits for room at a provider, and later ones to its number behind it. */
static void
block(WaItem *item, Number *number, WaPace *pace)
{
	dlist_node *after = number->blocked.head.prev;

	detach(item);
	item->waits_for = pace;
	pace->nwaiting++;
	dlist_push_tail(&pace->waiting[item->lane], &item->node);
	while (after != &number->blocked.head)
	{
		WaItem	   *other = dlist_container(WaItem, number_node, after);

		if (!is_after(other, item->lane, item->id))
			break;
		after = after->prev;
	}
	dlist_insert_after(after, &item->number_node);
}

/* Those whose time has come go back into their places. */
static void
unpark(int64 now)
{
	WaItem	  **list;
	int			n = 0;
	dlist_mutable_iter iter;

	if (parked_until > now)
		return;
	list = palloc(sizeof(WaItem *) * Max(nparked, 1));
	parked_until = PG_INT64_MAX;
	dlist_foreach_modify(iter, &parked)
	{
		WaItem	   *item = dlist_container(WaItem, node, iter.cur);

		if (item->wait_us > now)
		{
			parked_until = Min(parked_until, item->wait_us);
			continue;
		}
		detach(item);
		list[n++] = item;
	}
	put_back(list, n);
	pfree(list);
}

static bool
is_usable(const WaPace *pace)
{
	return pace->provider && wa_circuit_usable(pace->provider);
}

/*
 * As many as there is room for go back into their places; of those that want
 * a provider which cannot be used a few, so that the ledger will say so.
 */
static void
unblock(int64 now, int64 *again)
{
	int			npaces;
	WaPace	   *paces = wa_pacing_list(&npaces);

	for (int p = 0; p < npaces; p++)
	{
		WaPace	   *pace = &paces[p];
		WaItem	  **list;
		int			max;
		int			n = 0;

		if (pace->nwaiting == 0)
			continue;
		max = pace->spent ? pace->nwaiting : wa_pacing_slots(pace, now, again);
		if (!is_usable(pace))
		{
			max = ASK_AT_ONCE;
			*again = now;
		}
		max = Min(max, pace->nwaiting);
		if (max == 0)
			continue;
		list = palloc(sizeof(WaItem *) * max);
		for (int lane = 0; lane < LANES; lane++)
			while (n < max && !dlist_is_empty(&pace->waiting[lane]))
			{
				list[n] = dlist_head_element(WaItem, node, &pace->waiting[lane]);
				list[n]->asked = !is_usable(pace);
				detach(list[n++]);
			}
		put_back(list, n);
		pfree(list);
	}
}

/*
 * Take a ready message in; returns false if it is already here, or stays out
 * because an earlier one to its number was put out.
 */
bool
wa_schedule_add(const WaReadyRow *row)
{
	WaItem	   *item;
	bool		found;
	int			lane = row->high ? 0 : row->low ? 2 : 1;

	if (any_out && row->number)
	{
		Number	   *number = number_of(row->number, false);

		if (number && number->out_id != 0 &&
			(lane > number->out_lane || (lane == number->out_lane && row->id > number->out_id)))
			return false;
	}
	item = hash_search(items, &row->id, HASH_ENTER, &found);
	if (found)
		return false;
	memset((char *) item + sizeof(item->id), 0, sizeof(*item) - sizeof(item->id));
	item->lane = lane;
	strlcpy(item->number, row->number ? row->number : "", WA_NUMBER_SIZE);
	item->scenario = keep(row->scenario);
	item->template_key = keep(row->template_key);
	item->wanted_provider = keep(row->wanted_provider);
	item->dedupe_key = keep(row->dedupe_key);
	item->partner_id = row->partner_id;
	item->requires_opt_in = row->requires_opt_in;
	item->by_hand = row->by_hand;
	item->created_at = row->created_at;
	item->expires_at = row->expires_at;
	item->attempts = row->attempts;
	item->fallback = row->fallback;
	item->fallback_when_paced = row->fallback_when_paced;
	item->last_provider = keep(row->attempts > 0 ? row->provider : NULL);
	for (int i = 0; i < row->ntried; i++)
		if (row->tried[i])
			add_tried(item, row->tried[i]);
	item->refusal = keep(row->ntried > 0 ? row->reason : NULL);
	item->wait_s = -1;
	item->waits = row->waits;
	item->repeats = row->repeats;
	item->noted = row->no_provider ? wa_schedule_note(row->no_provider) : 0;

	put_in_lane(item);
	return true;
}

WaItem *
wa_schedule_find(int64 id)
{
	return hash_search(items, &id, HASH_FIND, NULL);
}

void
wa_schedule_remove(WaItem *item)
{
	if (item->on_wire)
		number_of(item->number, true)->on_wire--;
	detach(item);
	forget(&item->scenario);
	forget(&item->template_key);
	forget(&item->wanted_provider);
	forget(&item->dedupe_key);
	forget(&item->last_provider);
	forget(&item->refusal);
	forget(&item->refusal_detail);
	for (int i = 0; i < item->ntried; i++)
		pfree(item->tried[i]);
	if (item->tried)
		pfree(item->tried);
	hash_search(items, &item->id, HASH_REMOVE, NULL);
}

/*
 * The round concludes this message: set it aside until the round has
 * committed (wa_schedule_remove_gone) or failed (wa_schedule_restore_gone).
 */
void
wa_schedule_set_gone(WaItem *item)
{
	if (item->gone)
		return;
	item->gone = true;
	detach(item);
	dlist_push_tail(&gone, &item->node);
}

void
wa_schedule_remove_gone(void)
{
	while (!dlist_is_empty(&gone))
		wa_schedule_remove(dlist_head_element(WaItem, node, &gone));
}

void
wa_schedule_restore_gone(void)
{
	while (!dlist_is_empty(&gone))
	{
		WaItem	   *item = dlist_container(WaItem, node, dlist_pop_head_node(&gone));

		item->gone = false;
		put_in_lane(item);
	}
}

/*
 * Configuration has changed: nothing has to wait for a provider any more, and
 * nothing is known of where a message will go.
 */
void
wa_schedule_reconsider(void)
{
	WaItem	  **list = palloc(sizeof(WaItem *) * Max(wa_schedule_size(), 1));
	HASH_SEQ_STATUS seq;
	WaItem	   *item;
	int			n = 0;

	hash_seq_init(&seq, items);
	while ((item = hash_seq_search(&seq)) != NULL)
	{
		item->hint = NULL;
		item->asked = false;
		item->wait_us = 0;
		if (item->parked || item->waits_for)
		{
			detach(item);
			list[n++] = item;
		}
	}
	put_back(list, n);
	pfree(list);
	parked_until = PG_INT64_MAX;
	out_until = 0;
}

/* Put a message out of memory; later ones to its number stay out behind it. */
static void
put_out(WaItem *item)
{
	Number	   *number = number_of(item->number, true);

	if (number->out_id == 0 || !is_after(item, number->out_lane, number->out_id))
	{
		number->out_lane = item->lane;
		number->out_id = item->id;
	}
	any_out = true;
	wa_schedule_remove(item);
}

/*
 * Memory is full: put at most "max" messages out of it, the last of those that
 * wait for the same, if these are a good part of all.  Returns whether there
 * is room now; if not, others will soon be gone.
 */
bool
wa_schedule_make_room(int max)
{
	int			npaces;
	WaPace	   *paces = wa_pacing_list(&npaces);
	WaPace	   *most = NULL;
	int			n = 0;

	if (wa_schedule_size() < WA_SCHEDULE_MAX)
		return true;
	for (int p = 0; p < npaces; p++)
		if (paces[p].nwaiting > (most ? most->nwaiting : nparked))
			most = &paces[p];
	if ((most ? most->nwaiting : nparked) < WA_SCHEDULE_MAX / 4)
		return false;
	if (most)
		most->put_out = true;
	for (int lane = LANES - 1; most && lane >= 0; lane--)
		for (; n < max && !dlist_is_empty(&most->waiting[lane]); n++)
			put_out(dlist_tail_element(WaItem, node, &most->waiting[lane]));
	for (; !most && n < max && !dlist_is_empty(&parked); n++)
	{
		WaItem	   *item = dlist_tail_element(WaItem, node, &parked);

		out_until = Min(out_until, item->wait_us);
		put_out(item);
	}
	return wa_schedule_size() < WA_SCHEDULE_MAX;
}

/*
 * May one of those that were put out have a way now?  If so wa.ready is to be
 * read again from its beginning.  Else *again is lowered to when to ask again.
 */
bool
wa_schedule_wants_back(int64 now, int64 *again)
{
	int			npaces;
	WaPace	   *paces = wa_pacing_list(&npaces);
	bool		wanted = out_until <= now || wa_schedule_size() < WA_SCHEDULE_MAX / 2;
	HASH_SEQ_STATUS seq;
	Number	   *number;

	if (!any_out)
	{
		out_until = PG_INT64_MAX;
		return false;
	}
	for (int p = 0; p < npaces; p++)
		wanted = wanted || (paces[p].put_out && paces[p].nwaiting == 0);
	if (!wanted)
	{
		*again = Min(*again, out_until);
		return false;
	}
	any_out = false;
	out_until = PG_INT64_MAX;
	for (int p = 0; p < npaces; p++)
		paces[p].put_out = false;
	hash_seq_init(&seq, numbers);
	while ((number = hash_seq_search(&seq)) != NULL)
		number->out_id = 0;
	return true;
}

/* Numbers that have nothing to remember any more. */
static void
forget_quiet_numbers(int64 now)
{
	HASH_SEQ_STATUS seq;
	Number	   *number;

	if (hash_get_num_entries(numbers) < quiet_limit)
		return;
	hash_seq_init(&seq, numbers);
	while ((number = hash_seq_search(&seq)) != NULL)
		if (number->on_wire == 0 && number->next_us <= now && number->retried == 0 &&
			number->out_id == 0 && dlist_is_empty(&number->blocked))
			hash_search(numbers, number->number, HASH_REMOVE, NULL);
	quiet_limit = Max(4096, 2 * hash_get_num_entries(numbers));
}

/*
 * Choose at most "max" messages that should go now, in order.  One whose
 * provider is known is chosen only while that provider has room; the rest is
 * for routing to tell.  *again is lowered to the time when a waiting one may
 * go.
 */
int
wa_schedule_pick(WaItem **picked, int max, int64 now, int64 *again)
{
	int			n = 0;

	forget_quiet_numbers(now);
	unpark(now);
	unblock(now, again);
	*again = Min(*again, parked_until);
	walk++;
	behind = false;
	for (int lane = 0; lane < LANES; lane++)
	{
		dlist_mutable_iter iter;

		dlist_foreach_modify(iter, &lanes[lane])
		{
			WaItem	   *item = dlist_container(WaItem, node, iter.cur);
			Number	   *number;

			if (n == max)
				return n;
			if (item->wait_us > now)
			{
				*again = Min(*again, item->wait_us);
				park(item);
				continue;
			}
			number = number_of(item->number, true);
			if (number->on_wire > 0)
				behind = true;
			if (number->on_wire > 0 || number->passed == walk)
				continue;
			if (!dlist_is_empty(&number->blocked))
			{
				WaItem	   *first = dlist_head_element(WaItem, number_node, &number->blocked);

				if (is_after(item, first->lane, first->id))
				{
					block(item, number, first->waits_for);
					continue;
				}
			}
			if (number->next_us > now)
			{
				*again = Min(*again, number->next_us);
				number->passed = walk;
				continue;
			}

			/* whatever becomes of this one, later ones wait behind it */
			number->passed = walk;
			if (item->hint == NULL && item->wanted_provider && !item->asked)
			{
				WaPace	   *pace = wa_pacing_find(item->wanted_provider);

				if (pace && !is_usable(pace))
				{
					block(item, number, pace);
					*again = now;
					continue;
				}
				item->hint = pace;
			}
			if (item->hint && item->hint->spent)
				item->hint = NULL;	/* another one may have budget left */
			if (item->hint)
			{
				if (wa_pacing_slots(item->hint, now, again) == 0)
				{
					block(item, number, item->hint);
					continue;
				}
				item->hint->planned++;
			}
			item->behind = number->retried > 0 || number->out_id != 0;
			picked[n++] = item;
		}
	}
	return n;
}

/*
 * Did the last pick leave a message out because another one to its number was
 * on the wire?  Nothing but the end of that one will let it go.
 */
bool
wa_schedule_behind(void)
{
	return behind;
}

/*
 * A message is back from the wire, refused, and goes on at once: tried: not
 * with this provider before the next back-off wait.  reason: the code of the
 * refusal; wait_s: the back-off that it asked for, or < 0.
 */
void
wa_schedule_refused(WaItem *item, const char *provider, bool tried,
					const char *reason, const char *detail, double wait_s)
{
	wa_schedule_off_wire(item);
	item->attempts++;
	item->hint = NULL;
	item->wait_us = 0;
	forget(&item->last_provider);
	item->last_provider = keep(provider);
	forget(&item->refusal);
	item->refusal = keep(reason);
	forget(&item->refusal_detail);
	item->refusal_detail = keep(detail);
	item->wait_s = Max(item->wait_s, wait_s);
	if (tried)
		add_tried(item, provider);
}

void
wa_schedule_on_wire(WaItem *item, int64 recipient_gap_us)
{
	Number	   *number = number_of(item->number, true);

	detach(item);
	dlist_push_tail(&wire, &item->node);
	item->on_wire = true;
	number->on_wire++;
	if (recipient_gap_us > 0)
		number->next_us = wa_deliver_clock() + recipient_gap_us;
}

void
wa_schedule_off_wire(WaItem *item)
{
	detach(item);
	item->on_wire = false;
	number_of(item->number, true)->on_wire--;
	put_back(&item, 1);
}

/*
 * Nothing goes to this number before "until".
 */
void
wa_schedule_hold_number(const char *number, int64 until)
{
	Number	   *entry = number_of(number, true);

	entry->next_us = Max(entry->next_us, until);
}

/*
 * Up to "max" messages that are not on the wire, in any order.
 */
int
wa_schedule_waiting(WaItem **list, int max)
{
	HASH_SEQ_STATUS seq;
	WaItem	   *item;
	int			n = 0;

	hash_seq_init(&seq, items);
	while ((item = hash_seq_search(&seq)) != NULL)
	{
		if (item->on_wire || item->gone)
			continue;
		if (n == max)
		{
			hash_seq_term(&seq);
			break;
		}
		list[n++] = item;
	}
	return n;
}

/*
 * Ids of the messages on the wire, palloc()ed.
 */
int
wa_schedule_busy(int64 **ids)
{
	dlist_iter	iter;
	int			size = 64;
	int			n = 0;

	*ids = palloc(sizeof(int64) * size);
	dlist_foreach(iter, &wire)
	{
		if (n == size)
			*ids = repalloc(*ids, sizeof(int64) * (size *= 2));
		(*ids)[n++] = dlist_container(WaItem, node, iter.cur)->id;
	}
	return n;
}
