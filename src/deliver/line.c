/*-------------------------------------------------------------------------
 *
 * line.c
 *		How much of what waits is in the worker's memory.
 *
 * A million messages may wait for a provider that is slow or cannot be used,
 * and must not be in the way of the others'.  So what waits stands in lines: by
 * the one provider that a message may go by, demanded or bound, or none, and by
 * its priority.  Of each line the first ones are in memory, as many as it
 * has room for; the rest is left in wa.ready and come back for, in order, when
 * the line has become short.  A row of wa.ready says its line, so that reading
 * on costs little for what is left.
 *
 * What is in memory of a line has lower ids than what is left of it, but for
 * what is on the wire or was there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "deliver/line.h"
#include "deliver/schedule.h"
#include "pg/grow.h"
#include "route/route.h"
#include "sicantik_wa.h"

/*
 * Enough that one number with many messages of its own does not stop those
 * behind it, and that each provider has always what it can take.
 */
#define ROOM			5000
#define ROOM_PER_REQUEST	25

#define COME_BACK_FOR	2000

/* A message waits so long for one of another line before it looks again. */
#define BEHIND_LEFT_US	(2 * USECS_PER_SEC)

/* A line of which some went elsewhere is not guessed about for so long. */
#define VARIED_US		(10 * USECS_PER_SEC)

/* None of a line had a provider for so long: it holds nobody back. */
#define STANDS_US		(10 * 60 * USECS_PER_SEC)

static WaLine **lines = NULL;
static int	nlines = 0;

/*
 * The line of a row of wa.ready, as it says itself.
 */
WaLine *
wa_deliver_line_of(const char *only_by, int lane)
{
	MemoryContext old;
	WaLine	   *line;

	lane = Max(0, Min(lane, 2));
	for (int i = 0; i < nlines; i++)
		if (lines[i]->lane == lane &&
			(only_by == NULL ? lines[i]->only_by == NULL :
			 lines[i]->only_by != NULL && strcmp(lines[i]->only_by, only_by) == 0))
			return lines[i];
	old = MemoryContextSwitchTo(TopMemoryContext);
	WA_ROOM_FOR(lines, nlines, 1);
	line = palloc0(sizeof(WaLine));
	line->only_by = only_by ? pstrdup(only_by) : NULL;
	line->lane = lane;
	line->beyond = PG_INT64_MAX;
	lines[nlines++] = line;
	MemoryContextSwitchTo(old);
	return line;
}

/*
 * All lines that there have been; the array is valid until the next new one.
 */
WaLine	  **
wa_deliver_lines(int *n)
{
	*n = nlines;
	return lines;
}

/*
 * So many messages of a line are in memory at most.
 */
int
wa_deliver_line_room(void)
{
	return Min(wa_guc_max_in_flight * ROOM_PER_REQUEST, ROOM);
}

/*
 * This message, and all behind it, are left in the table.
 */
void
wa_deliver_line_leave(WaLine *line, int64 id)
{
	line->beyond = Min(line->beyond, id);
}

/*
 * One of the line goes by this provider.
 */
void
wa_deliver_line_went(WaLine *line, struct WaPace *pace, int64 now)
{
	if (line->usual && line->usual != pace)
		line->varied_us = now;
	line->usual = pace;
	line->moved_us = now;
}

/*
 * Have messages of the line gone by several providers just now?
 */
bool
wa_deliver_line_varies(const WaLine *line, int64 now)
{
	return line->varied_us != 0 && now - line->varied_us < VARIED_US;
}

/*
 * By which provider will the next one go, most likely?  NULL: who knows.
 */
struct WaPace *
wa_deliver_line_guess(const WaLine *line)
{
	WaPace	   *pace = line->usual;

	return pace && !pace->spent && pace->provider && wa_route_is_usable(pace->provider) ? pace : NULL;
}

/*
 * Is anything left in the table that was seen there?
 */
bool
wa_deliver_line_any_left(void)
{
	for (int i = 0; i < nlines; i++)
		if (lines[i]->beyond != PG_INT64_MAX)
			return true;
	return false;
}

/*
 * How many messages that are left in the table the line has room for now; 0:
 * none are, or so few that they are not come back for yet.
 */
int
wa_deliver_line_wants(const WaLine *line)
{
	int			batch = Min(COME_BACK_FOR, (wa_deliver_line_room() + 1) / 2);

	return line->beyond != PG_INT64_MAX && line->n + batch <= wa_deliver_line_room() ? batch : 0;
}

/*
 * All is read from the table again.
 */
void
wa_deliver_lines_begin_again(void)
{
	for (int i = 0; i < nlines; i++)
		lines[i]->beyond = PG_INT64_MAX;
}

/*
 * Is there a line to come back for?
 */
bool
wa_deliver_line_any_wants(void)
{
	for (int i = 0; i < nlines; i++)
		if (wa_deliver_line_wants(lines[i]) > 0)
			return true;
	return false;
}

/*
 * Note of each line whether its only provider can be used now.
 */
void
wa_deliver_lines_look(void)
{
	for (int i = 0; i < nlines; i++)
	{
		WaPace	   *pace = lines[i]->only_by ? wa_deliver_pacing_find(lines[i]->only_by) : NULL;

		lines[i]->stands = lines[i]->only_by &&
			!(pace && pace->provider && wa_route_is_usable(pace->provider));
	}
}

/*
 * Is some of the line left in the table that only waits for its turn?  As in
 * memory, what waits for a provider that cannot be used holds nobody back.
 */
static bool
waits_for_its_turn(const WaLine *line, int64 now)
{
	if (line->beyond == PG_INT64_MAX || line->stands)
		return false;
	return line->only_by || (line->moved_us != 0 && now - line->moved_us < STANDS_US);
}

/*
 * Leave out messages that would overtake an earlier one of the same priority to
 * the same number, which stands in another line and is left in the table.
 * Nearly always no line is that long, and nothing is asked.
 */
int
wa_deliver_line_leave_out(WaItem **items, int n, int64 now, int64 *again)
{
	const char **only_by = palloc(sizeof(char *) * Max(nlines, 1));
	int32	   *lanes = palloc(sizeof(int32) * Max(nlines, 1));
	int64	   *from = palloc(sizeof(int64) * Max(nlines, 1));
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	WaItem	  **asked = palloc(sizeof(WaItem *) * Max(n, 1));
	bool	   *overtakes = palloc(sizeof(bool) * Max(n, 1));
	int			nfrom = 0;
	int			nasked = 0;
	int			left = 0;

	for (int l = 0; l < nlines; l++)
	{
		if (!waits_for_its_turn(lines[l], now))
			continue;
		only_by[nfrom] = lines[l]->only_by;
		lanes[nfrom] = lines[l]->lane;
		from[nfrom++] = lines[l]->beyond;
	}
	for (int i = 0; i < n; i++)
	{
		bool		is_behind = false;

		for (int l = 0; l < nlines && !is_behind; l++)
			is_behind = lines[l] != items[i]->line && lines[l]->lane == items[i]->line->lane &&
				lines[l]->beyond < items[i]->id && waits_for_its_turn(lines[l], now);
		if (!is_behind)
			continue;
		asked[nasked] = items[i];
		ids[nasked++] = items[i]->id;
	}
	if (nasked == 0 || wa_queue_overtake(ids, nasked, only_by, lanes, from, nfrom, overtakes) == 0)
		return n;
	for (int i = 0, k = 0; i < n; i++)
	{
		if (k < nasked && asked[k] == items[i] && overtakes[k++])
		{
			items[i]->wait_us = now + BEHIND_LEFT_US;
			*again = Min(*again, items[i]->wait_us);
		}
		else
			items[left++] = items[i];
	}
	return left;
}
