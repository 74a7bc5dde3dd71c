/*-------------------------------------------------------------------------
 *
 * schedule.c
 *		Ready messages in the worker's memory, in the order they should go.
 *
 * There is one worker per database, so order needs no locks in tables: three
 * lanes by priority, each in the order of ids, and a last one, in which those
 * that were tried least come first.  Two messages to one number
 * are never on the wire at once, and a later one never overtakes an earlier
 * one of the same priority.  A message that waits for a time (retry, delay)
 * is not here but in wa.due, and holds nobody back.
 *
 * What there is no room for stays in the table: line.c.
 *
 * Everything lives in one memory context of the worker.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "deliver/schedule.h"

/* One for each priority; and those that a provider has refused like everybody. */
#define LANES	4
#define LAST_LANE	3

/* A message that another provider could not take is not offered to it so soon. */
#define ELSEWHERE_US	(15 * USECS_PER_SEC)

/*
 * Of a message in a line that stands there is nothing to be told but that, which
 * costs twice as much as to send one.  While others go, so many are looked at in a
 * second, a twentieth of it, and such a part of what is picked at a time.
 */
#define STANDING_PER_S	250
#define STANDING_SHARE	(1.0 / 16)

/*
 * Where a message goes is found out by routing it, which costs half of sending
 * it, and for nothing if there is no room.  So while others go, no more than such
 * a part of them is looked at of those that most likely go where there is none.
 */
#define GUESSED_SHARE	(1.0 / 16)

/* Where nothing has gone for so long, all of both kinds are looked at. */
#define QUIET_US	(250 * 1000)

/* And so many at a time of which nothing can be guessed yet. */
#define MOST_UNKNOWN	64

/* A number that somebody waits for, that is busy or was a moment ago. */
typedef struct Number
{
	char		number[WA_RECIPIENT_SIZE];	/* hash key */
	int			items;			/* messages to it, in memory */
	int			on_wire;
	int64		next_us;
	uint64		passed;			/* walk in which an earlier message waits */
	uint64		retried;		/* walk in which one waits for an attempt */
} Number;

static MemoryContext context = NULL;
static HTAB *items = NULL;
static HTAB *numbers = NULL;
static dlist_head lanes[LANES];
static dlist_head gone;
static dlist_head wire;
static uint64 walk = 0;
static bool behind = false;		/* see wa_deliver_schedule_behind() */
static int	napart = 0;			/* WaItem.apart */

void
wa_deliver_schedule_init(void)
{
	HASHCTL		ctl = {0};

	context = AllocSetContextCreate(TopMemoryContext, "sicantik_wa schedule",
									ALLOCSET_DEFAULT_SIZES);
	ctl.hcxt = context;
	ctl.keysize = sizeof(int64);
	ctl.entrysize = sizeof(WaItem);
	items = hash_create("sicantik_wa ready messages", 1024, &ctl,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ctl.keysize = WA_RECIPIENT_SIZE;
	ctl.entrysize = sizeof(Number);
	numbers = hash_create("sicantik_wa busy numbers", 1024, &ctl,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < LANES; i++)
		dlist_init(&lanes[i]);
	dlist_init(&gone);
	dlist_init(&wire);
}

int
wa_deliver_schedule_size(void)
{
	return (int) hash_get_num_entries(items);
}

static char *
keep(const char *text)
{
	return text ? MemoryContextStrdup(context, text) : NULL;
}

static void
forget_said(WaSaid *said)
{
	if (*said)
		pfree((void *) *said);
	*said = NULL;
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
goes_behind(const WaItem *item, const WaItem *other)
{
	if (item->lane == LAST_LANE && item->attempts != other->attempts)
		return item->attempts > other->attempts;
	return item->id > other->id;
}

/* After each change of what this hangs on. */
static void
note_apart(WaItem *item)
{
	bool		apart = !item->on_wire && (item->hint || item->fallback_when_paced || item->ntried > 0);

	napart += apart - item->apart;
	item->apart = apart;
}

/*
 * The message goes there; NULL: that is not known any more.
 */
void
wa_deliver_schedule_set_hint(WaItem *item, WaPace *hint)
{
	item->hint = hint;
	note_apart(item);
}

/* Nearly always the last one; one that was drawn earlier goes before. */
static void
put_in_lane(WaItem *item)
{
	dlist_head *lane = &lanes[item->lane];
	dlist_node *after = lane->head.prev;

	while (after != &lane->head &&
		   !goes_behind(item, dlist_container(WaItem, node, after)))
		after = after->prev;
	if (after == &lane->head)
		dlist_push_head(lane, &item->node);
	else
		dlist_insert_after(after, &item->node);
}

/* What its provider refuses like everybody's lets the others go first. */
bool
wa_deliver_schedule_is_last(const WaItem *item)
{
	return item->lane == LAST_LANE;
}

static Number *
number_of(const char *number)
{
	char		key[WA_RECIPIENT_SIZE] = {0};
	Number	   *entry;
	bool		found;

	strlcpy(key, number, WA_RECIPIENT_SIZE);
	entry = hash_search(numbers, key, HASH_ENTER, &found);
	if (!found)
		memset((char *) entry + WA_RECIPIENT_SIZE, 0, sizeof(*entry) - WA_RECIPIENT_SIZE);
	return entry;
}

/*
 * Take a ready message in; returns false if it is already here.
 */
bool
wa_deliver_schedule_add(const WaReadyRow *row)
{
	WaItem	   *item;
	bool		found;

	item = hash_search(items, &row->id, HASH_ENTER, &found);
	if (found)
		return false;
	memset((char *) item + sizeof(item->id), 0, sizeof(*item) - sizeof(item->id));
	item->lane = row->reason == WA_REASON_REFUSES_ALL ? LAST_LANE :
		row->high ? 0 : row->low ? 2 : 1;
	item->line = wa_deliver_line_of(row->only_by, row->lane);
	item->line->n++;
	item->number = keep(row->number ? row->number : "");
	item->to = number_of(item->number);
	item->to->items++;
	item->scenario = keep(row->scenario);
	item->template_key = keep(row->template_key);
	item->wanted_provider = keep(row->wanted_provider);
	item->despite_opt_out = row->despite_opt_out;
	item->dedupe_key = keep(row->dedupe_key);
	item->partner_id = row->partner_id;
	item->of_contact = row->of_contact;
	item->requires_opt_in = row->requires_opt_in;
	item->by_hand = row->by_hand;
	item->created_at = row->created_at;
	item->seen_at = GetCurrentTimestamp();
	item->expires_at = row->expires_at;
	item->attempts = row->attempts;
	item->fallback = row->fallback;
	item->fallback_when_paced = row->fallback_when_paced;
	item->last_provider = keep(row->attempts > 0 ? row->provider : NULL);
	for (int i = 0; i < row->tried.n; i++)
		if (row->tried.list[i])
			add_tried(item, row->tried.list[i]);
	item->refusal = row->tried.n > 0 ? row->reason : WA_REASON_NONE;
	item->wait_s = -1;
	item->waits = row->waits;
	item->repeats = row->repeats;

	put_in_lane(item);
	note_apart(item);
	return true;
}

WaItem *
wa_deliver_schedule_find(int64 id)
{
	return hash_search(items, &id, HASH_FIND, NULL);
}

static void
off_wire(WaItem *item)
{
	item->on_wire = false;
	dlist_delete(&item->wire_node);
	item->to->on_wire--;
	note_apart(item);
}

void
wa_deliver_schedule_remove(WaItem *item)
{
	if (item->on_wire)
		off_wire(item);
	napart -= item->apart;
	dlist_delete(&item->node);
	item->line->n--;
	item->to->items--;
	forget(&item->number);
	forget(&item->scenario);
	forget(&item->template_key);
	forget(&item->wanted_provider);
	forget(&item->dedupe_key);
	forget(&item->last_provider);
	forget_said(&item->refusal_detail);
	for (int i = 0; i < item->ntried; i++)
		pfree(item->tried[i]);
	if (item->tried)
		pfree(item->tried);
	hash_search(items, &item->id, HASH_REMOVE, NULL);
}

/* From the end of a lane on, of those of this line that are not on the wire. */
static void
trim(WaLine *line, dlist_head *lane)
{
	dlist_node *node = lane->head.prev;

	while (node != &lane->head && line->n > wa_deliver_line_room())
	{
		WaItem	   *item = dlist_container(WaItem, node, node);

		node = node->prev;
		if (item->line != line || item->on_wire)
			continue;
		wa_deliver_line_leave(line, item->id);
		wa_deliver_schedule_remove(item);
	}
}

/*
 * Of a line with more messages than it has room for in memory the last ones
 * stay in the table, to be come back for.
 */
void
wa_deliver_schedule_trim(void)
{
	int			n;
	WaLine	  **lines = wa_deliver_lines(&n);

	for (int i = 0; i < n; i++)
	{
		trim(lines[i], &lanes[lines[i]->lane]);
		trim(lines[i], &lanes[LAST_LANE]);
	}
}

/*
 * The round concludes this message: set it aside until the round has
 * committed (wa_deliver_schedule_remove_gone) or failed (wa_deliver_schedule_forget_waiting).
 */
void
wa_deliver_schedule_set_gone(WaItem *item)
{
	if (item->gone)
		return;
	item->gone = true;
	dlist_delete(&item->node);
	dlist_push_tail(&gone, &item->node);
}

void
wa_deliver_schedule_remove_gone(void)
{
	while (!dlist_is_empty(&gone))
		wa_deliver_schedule_remove(dlist_head_element(WaItem, node, &gone));
}

/*
 * The round that changed what is known of messages has not happened: forget
 * all that are not on the wire, to be read from the ledger again.
 */
void
wa_deliver_schedule_forget_waiting(void)
{
	wa_deliver_schedule_remove_gone();
	for (int lane = 0; lane < LANES; lane++)
	{
		dlist_mutable_iter iter;

		dlist_foreach_modify(iter, &lanes[lane])
		{
			WaItem	   *item = dlist_container(WaItem, node, iter.cur);

			if (!item->on_wire)
				wa_deliver_schedule_remove(item);
		}
	}
}

/*
 * Configuration has changed: nothing has to wait for a provider any more, and
 * nothing is known of where a message will go.
 */
void
wa_deliver_schedule_reconsider(void)
{
	HASH_SEQ_STATUS seq;
	WaItem	   *item;

	hash_seq_init(&seq, items);
	while ((item = hash_seq_search(&seq)) != NULL)
	{
		wa_deliver_schedule_set_hint(item, NULL);
		item->wait_us = 0;
	}
}

/* Numbers that have nothing to remember any more. */
static void
forget_quiet_numbers(int64 now)
{
	HASH_SEQ_STATUS seq;
	Number	   *number;

	/* as many again as are waited for */
	if (hash_get_num_entries(numbers) < 4096 + hash_get_num_entries(items))
		return;
	hash_seq_init(&seq, numbers);
	while ((number = hash_seq_search(&seq)) != NULL)
		if (number->items == 0 && number->next_us <= now)
			hash_search(numbers, number->number, HASH_REMOVE, NULL);
}

/*
 * Has the provider that the message went for last time room for it, or, where
 * it does not wait for that one's pacing, another one?  If so, it is planned
 * there.
 */
static bool
plan(WaItem *item, int64 now, int64 *again)
{
	if (wa_deliver_pacing_slots(item->hint, now, again) == 0)
	{
		WaPace	   *other;

		if (!item->fallback_when_paced || item->wanted_provider || item->elsewhere_us > now)
			return false;
		other = wa_deliver_pacing_elsewhere(item->hint, now, again);
		if (other == NULL)
			return false;
		item->elsewhere_us = now + ELSEWHERE_US;
		item->hint = other;
	}
	item->hint->planned++;
	return true;
}

/* One walk through the lanes, which picks messages in order. */
typedef struct Walk
{
	WaItem	  **picked;
	int			n;
	int			max;
	int64		now;
	int64	   *again;
	int			standing;		/* so many of lines that stand may be picked */
	bool		any_left;		/* of these some were left out */
	int			guessed;		/* so many may be picked for whose provider
								 * there is most likely no room */
	bool		any_guessed;	/* of these some were left out */
	int			unknown;		/* so many may be picked of which nothing can
								 * be guessed */
	int			going;			/* of those that were picked these have room,
								 * or who knows */
	int			napart;			/* of these some have been met */
	bool		over;			/* nothing behind can go */
	bool		observing;		/* in mode observe what is not by hand is told
								 * so, and needs neither room nor its turn */
} Walk;

/*
 * Has the provider that the message most likely goes by no room, so that it need
 * not be routed now?  If it has, it is planned there.
 */
static bool
has_no_room(Walk *w, const WaItem *item)
{
	WaPace	   *guess = wa_deliver_line_guess(item->line);
	bool		no_room = false;

	/* whoever does not wait for pacing, or was refused, has other ways to go */
	if (item->fallback_when_paced || item->ntried > 0 || wa_deliver_line_varies(item->line, w->now))
		no_room = false;
	else if (guess == NULL)
	{
		if (w->unknown == 0)
		{
			*w->again = w->now;
			return true;
		}
		w->unknown--;
	}
	else if (wa_deliver_pacing_slots(guess, w->now, w->again) > 0)
		guess->planned++;
	else
		no_room = true;
	if (!no_room)
	{
		w->going++;
		return false;
	}
	if (w->guessed > 0)
	{
		w->guessed--;
		return false;
	}
	w->any_guessed = true;
	/* all the others of what may be a long line, which is the only one */
	w->over = item->line->n == hash_get_num_entries(items) && w->napart == napart;
	return true;
}

/*
 * Does the message go now, as far as memory tells?  One whose provider is known
 * only while that has room; the rest is for routing to tell.
 */
static bool
goes_now(Walk *w, WaItem *item)
{
	Number	   *number = item->to;

	if (item->on_wire)
		return false;
	if (item->wait_us > w->now)
	{
		*w->again = Min(*w->again, item->wait_us);
		if (item->attempts > 0)
			number->retried = walk;
		return false;
	}
	if (w->observing && !item->by_hand)
		return true;
	if (number->on_wire > 0)
		behind = true;
	if (number->on_wire > 0 || number->passed == walk)
		return false;
	if (item->line->stands && w->standing == 0)
	{
		/* as if it had been looked at: it waits, and holds nobody back */
		w->any_left = true;
		if (item->attempts > 0)
			number->retried = walk;
		return false;
	}
	if (number->next_us > w->now)
	{
		*w->again = Min(*w->again, number->next_us);
		number->passed = walk;
		return false;
	}

	/* whatever becomes of this one, later ones wait behind it */
	number->passed = walk;
	if (item->hint && item->hint->spent)
		wa_deliver_schedule_set_hint(item, NULL);	/* another one may have
													 * budget left */
	if (item->line->stands)
		w->standing--;
	else if (item->hint == NULL && has_no_room(w, item))
		return false;
	else if (item->hint && !plan(item, w->now, w->again))
		return false;
	else if (item->hint)
		w->going++;
	item->behind = number->retried == walk;
	return true;
}

static void
walk_lanes(Walk *w)
{
	for (int lane = 0; lane < LANES; lane++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &lanes[lane])
		{
			WaItem	   *item = dlist_container(WaItem, node, iter.cur);

			if (w->n == w->max || (w->over && !w->observing))
				return;
			if (item->apart)
				w->napart++;
			if (goes_now(w, item))
				w->picked[w->n++] = item;
		}
	}
}

/*
 * Choose at most "max" messages that should go now, in order.  *again is lowered
 * to the time when a waiting one may go.
 */
int
wa_deliver_schedule_pick(WaItem **picked, int max, bool observing, int64 now, int64 *again)
{
	static double standing = 0;
	static int64 looked_us = 0;
	static double guessed = 0;
	static int64 went_us = 0;
	Walk		w = {.picked = picked,.max = max,.now = now,.again = again,.unknown = MOST_UNKNOWN,.observing = observing};
	int			before;

	forget_quiet_numbers(now);
	wa_deliver_lines_look();
	walk++;
	behind = false;
	standing += Min((now - looked_us) * (STANDING_PER_S / (double) USECS_PER_SEC), max * STANDING_SHARE);
	standing = Min(standing, Max(max * STANDING_SHARE, 1));
	looked_us = now;
	w.standing = before = (int) standing;
	w.guessed = (int) guessed;
	guessed -= w.guessed;
	walk_lanes(&w);
	standing -= before - w.standing;
	if (w.going > 0)
		went_us = now;
	guessed = Min(guessed + w.guessed + w.going * GUESSED_SHARE, Max(max * GUESSED_SHARE, 1));
	if (!w.any_guessed && !w.any_left)
		return w.n;
	*again = Min(*again, Max(went_us + QUIET_US, now));
	if (now - went_us >= QUIET_US)
	{
		/* all anew, since whom one holds back depends on it */
		walk++;
		w.n = w.napart = 0;
		w.over = false;
		w.standing = w.guessed = max;
		walk_lanes(&w);
	}
	return w.n;
}

/*
 * Did the last pick leave a message out because another one to its number was
 * on the wire?  Nothing but the end of that one will let it go.
 */
bool
wa_deliver_schedule_behind(void)
{
	return behind;
}

/*
 * A message is back from the wire, refused, and goes on at once: tried: not
 * with this provider before the next back-off wait, for this reason and
 * detail; wait_s: the back-off that was asked for, or < 0.
 */
void
wa_deliver_schedule_refused(WaItem *item, const char *provider, bool tried,
							WaReason reason, WaSaid detail, double wait_s)
{
	off_wire(item);
	item->attempts++;
	wa_deliver_schedule_set_hint(item, NULL);
	item->wait_us = 0;
	forget(&item->last_provider);
	item->last_provider = keep(provider);
	item->wait_s = Max(item->wait_s, wait_s);
	if (reason == WA_REASON_REFUSES_ALL)
	{
		dlist_delete(&item->node);
		item->lane = LAST_LANE;
		put_in_lane(item);
	}
	if (!tried)
		return;
	add_tried(item, provider);
	note_apart(item);
	item->refusal = reason;
	forget_said(&item->refusal_detail);
	item->refusal_detail = (WaSaid) keep((const char *) detail);
}

void
wa_deliver_schedule_on_wire(WaItem *item, int64 recipient_gap_us)
{
	Number	   *number = item->to;

	item->on_wire = true;
	note_apart(item);
	dlist_push_tail(&wire, &item->wire_node);
	number->on_wire++;
	if (recipient_gap_us > 0)
		number->next_us = wa_deliver_clock() + recipient_gap_us;
}

/*
 * Nothing goes to this number before "until".
 */
void
wa_deliver_schedule_hold_number(const char *number, int64 until)
{
	Number	   *entry = number_of(number);

	entry->next_us = Max(entry->next_us, until);
}

/*
 * Up to "max" messages that are not on the wire, in any order.
 */
int
wa_deliver_schedule_waiting(WaItem **list, int max)
{
	int			n = 0;

	for (int lane = 0; lane < LANES; lane++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &lanes[lane])
		{
			WaItem	   *item = dlist_container(WaItem, node, iter.cur);

			if (n == max)
				return n;
			if (!item->on_wire)
				list[n++] = item;
		}
	}
	return n;
}

/*
 * Ids of the messages on the wire, palloc()ed.
 */
int
wa_deliver_schedule_busy(int64 **ids)
{
	dlist_iter	iter;
	int			n = 0;

	dlist_foreach(iter, &wire)
		n++;
	*ids = palloc(sizeof(int64) * Max(n, 1));
	n = 0;
	dlist_foreach(iter, &wire)
		(*ids)[n++] = dlist_container(WaItem, wire_node, iter.cur)->id;
	return n;
}
