/*-------------------------------------------------------------------------
 *
 * state_test.c
 *		Unit tests of the table of legal changes, and its drawing.
 *
 * Usage: state_test FILE	checks the table, and that FILE (the page
 *							docs/architecture.md) shows it as it is
 *		  state_test --draw	prints what is to stand there (docs/states.sh)
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdlib.h>

#include "queue/state.h"

#include "check.h"

#define lengthof(a)		(sizeof(a) / sizeof((a)[0]))

static const char *page = "docs/architecture.md";

/* ---- the drawing ---- */

static const char *
label(int state)
{
	return state == WA_STATE_NONE ? "(new)" : state == WA_STATE_DOUBT ? "in doubt" : wa_queue_state_name(state);
}

/* The diagram knows no blanks in names, and has a sign of its own for the beginning. */
static const char *
node(int state)
{
	return state == WA_STATE_NONE ? "[*]" : state == WA_STATE_DOUBT ? "in_doubt" : wa_queue_state_name(state);
}

static void
list_states(FILE *to, uint32_t states)
{
	const uint32_t all = WA_IN(WA_NSTATES) - 2;
	const char *between = "";
	int			n = 0;

	for (uint32_t rest = states; rest; rest &= rest - 1)
		n++;
	if (n > 7)
	{
		fprintf(to, "any%s", states == all ? "" : " but ");
		states ^= all;
	}
	for (int state = 0; state < WA_NSTATES; state++)
		if (states & WA_IN(state))
		{
			fprintf(to, "%s%s", between, label(state));
			between = ", ";
		}
}

static void
list_reasons(FILE *to, uint64_t reasons)
{
	const char *between = "";

	if (reasons == UINT64_MAX)
	{
		fputs("any", to);
		return;
	}
	for (int reason = 1; reason < WA_NREASONS; reason++)
		if (reasons & WA_FOR(reason))
		{
			fprintf(to, "%s%s", between, wa_queue_reason_name(reason));
			between = ", ";
		}
	if (reasons & WA_FOR(WA_REASON_NONE))
		fprintf(to, "%s", between[0] ? ", or none" : "none");
}

/*
 * The way of a message that nobody interferes with; what people do, and a copy
 * or a failover, would hide it.
 */
static bool
is_drawn(int change, int from, int to)
{
	if (change == WA_CHANGE_CONCLUDE && to == WA_STATE_SENT)
		return from == WA_STATE_SENDING;
	if (to == WA_STATE_UNKNOWN)
		return change == WA_CHANGE_CONCLUDE && from == WA_STATE_DOUBT;
	if (change == WA_CHANGE_LET_GO)
		return from == WA_STATE_HELD && to == WA_STATE_QUEUED;
	return change == WA_CHANGE_MAKE || change == WA_CHANGE_CLAIM || change == WA_CHANGE_CONCLUDE ||
		change == WA_CHANGE_TRY_OTHERS || change == WA_CHANGE_REPLACE || change == WA_CHANGE_SUPERSEDE;
}

static bool
is_possible(int change, int from, int to)
{
	for (int reason = 0; reason < WA_NREASONS; reason++)
		if (wa_queue_is_legal(change, from, to, reason))
			return true;
	return false;
}

static void
draw(FILE *to)
{
	fputs("<!-- begin states: docs/states.sh writes this from src/queue/state.c -->\n\n```mermaid\nstateDiagram-v2\n", to);
	for (int before = 0; before < WA_NSTATES; before++)
		for (int after = 1; after < WA_NSTATES; after++)
		{
			const char *between = " : ";

			for (int change = 1; change < WA_NCHANGES; change++)
			{
				if (!is_possible(change, before, after) || !is_drawn(change, before, after))
					continue;
				if (between[1] == ':')
					fprintf(to, "    %s --> %s", node(before), node(after));
				fprintf(to, "%s%s", between, wa_queue_changes[change].name);
				between = ", ";
			}
			if (between[1] != ':')
				fputc('\n', to);
		}
	fputs("```\n\n| from | to | reason | change |\n|---|---|---|---|\n", to);
	for (size_t i = 0; i < wa_queue_nlaws; i++)
	{
		fputs("| ", to);
		list_states(to, wa_queue_laws[i].from);
		fputs(" | ", to);
		list_states(to, wa_queue_laws[i].to);
		fputs(" | ", to);
		list_reasons(to, wa_queue_laws[i].reasons);
		fprintf(to, " | %s |\n", wa_queue_changes[wa_queue_laws[i].change].name);
	}
	fputs("\n| change | made by |\n|---|---|\n", to);
	for (int change = 0; change < WA_NCHANGES; change++)
		fprintf(to, "| %s | %s |\n", wa_queue_changes[change].name, wa_queue_changes[change].made_by);
	fputs("\n<!-- end states -->\n", to);
}

static char *
contents(FILE *file)
{
	size_t		size = 0;
	char	   *text = NULL;
	size_t		n;

	rewind(file);
	do
	{
		text = realloc(text, size + 65537);
		if (text == NULL)
			abort();
		n = fread(text + size, 1, 65536, file);
		size += n;
	} while (n > 0);
	text[size] = '\0';
	return text;
}

static void
test_page(void)
{
	FILE	   *file = fopen(page, "r");
	FILE	   *drawn = tmpfile();
	char	   *is;
	char	   *ought;

	CHECK(file != NULL && drawn != NULL);
	if (file == NULL || drawn == NULL)
		return;
	draw(drawn);
	is = contents(file);
	ought = contents(drawn);
	/* else: make reference */
	CHECK(strstr(is, ought) != NULL);
	free(is);
	free(ought);
	fclose(file);
	fclose(drawn);
}

/* ---- the table ---- */

/*
 * Which kinds of change lead from one state to another: M make, C claim,
 * O conclude, T try again, R replace, S supersede, W write, L let go, X cancel,
 * P provider tells (settle), N news by a webhook (tell), H hold, F failover (doubt), A age (purge),
 * U by hand.
 */
static const char letters[WA_NCHANGES + 1] = "UMCOTRSWLXPNHFA";

static const char *const columns[] = {
	"queued", "sending", "sent", "delivered", "read", "failed", "unknown", "held",
	"skipped", "cancelled", "superseded", "expired", "in doubt"
};

static const struct
{
	const char *from;
	const char *to[lengthof(columns)];
}			grid[] = {
	{"(new)", {"M", "", "", "", "", "", "", "M", "M", "", "", "", "M"}},
	{"queued", {"OL", "C", "UOP", "U", "U", "UO", "UORSLX", "UOLH", "UOL", "UOX", "URS", "UO", "F"}},
	{"sending", {"OL", "", "UOP", "U", "U", "UOP", "UOLXH", "UL", "UL", "UX", "U", "UO", "O"}},
	{"sent", {"N", "", "UON", "UN", "UN", "UN", "UN", "U", "U", "U", "U", "UN", ""}},
	{"delivered", {"", "", "U", "UN", "UN", "U", "U", "U", "U", "U", "U", "U", ""}},
	{"read", {"", "", "U", "U", "UN", "U", "U", "U", "U", "U", "U", "U", ""}},
	{"failed", {"TL", "", "UOPN", "UN", "UN", "U", "UL", "UL", "UL", "U", "U", "U", "F"}},
	{"unknown", {"L", "", "UOPN", "UN", "UN", "UP", "ULH", "UL", "UL", "U", "U", "U", "F"}},
	{"held", {"L", "", "UOP", "U", "U", "UWP", "URSX", "UWL", "U", "UWX", "URS", "UWA", "F"}},
	{"skipped", {"L", "", "UOPN", "UN", "UN", "U", "URL", "UL", "UL", "U", "UR", "U", "F"}},
	{"cancelled", {"L", "", "UOPN", "UN", "UN", "U", "UL", "UL", "UL", "U", "U", "U", "F"}},
	{"superseded", {"", "", "UP", "U", "U", "U", "U", "U", "U", "U", "U", "U", ""}},
	{"expired", {"L", "", "UOPN", "UN", "UN", "U", "UL", "UL", "UL", "U", "U", "U", "F"}},
	{"in doubt", {"OLN", "", "UOP", "U", "U", "UPN", "UOSLXNH", "UOL", "UL", "UX", "U", "UN", "F"}},
};

/* Every pair of states, every kind of change. */
static void
test_grid(void)
{
	CHECK_INT(lengthof(grid), WA_NSTATES);
	CHECK_INT(lengthof(columns), WA_NSTATES - 1);
	for (int from = 0; from < WA_NSTATES; from++)
	{
		int			row = 0;

		while (row < (int) lengthof(grid) - 1 && strcmp(grid[row].from, label(from)) != 0)
			row++;
		CHECK_STR(grid[row].from, label(from));
		for (int to = 1; to < WA_NSTATES; to++)
		{
			int			column = 0;
			char		found[WA_NCHANGES + 1] = "";
			int			n = 0;

			while (column < (int) lengthof(columns) - 1 && strcmp(columns[column], label(to)) != 0)
				column++;
			for (int change = 0; change < WA_NCHANGES; change++)
				if (is_possible(change, from, to))
					found[n++] = letters[change];
			if (strcmp(found, grid[row].to[column]) != 0)
				fprintf(stderr, "%s -> %s\n", label(from), label(to));
			CHECK_STR(found, grid[row].to[column]);
		}
		/* nothing is unmade */
		for (int change = 0; change < WA_NCHANGES; change++)
			CHECK(!is_possible(change, from, WA_STATE_NONE));
	}
}

/* The states from which a change may lead to that one, for whatever reason. */
static uint32_t
from_any(WaStateChange change, WaState to)
{
	uint32_t	from = 0;

	for (int reason = 0; reason <= WA_NREASONS; reason++)
		from |= wa_queue_from(change, to, reason);
	return from;
}

/* Why a message comes to a state, by each kind of change. */
static const struct
{
	WaStateChange change;
	const char *to;
	const char *reasons;
}			why[] = {
	{WA_CHANGE_MAKE, "queued", "- outside_hours"},
	{WA_CHANGE_MAKE, "held", "setting_missing copy name_mismatch bulk daily_limit"},
	{WA_CHANGE_MAKE, "skipped", "no_recipient no_number not_news opted_out blacklisted"},
	{WA_CHANGE_MAKE, "in doubt", "failover"},
	{WA_CHANGE_CLAIM, "sending", "-"},
	{WA_CHANGE_CONCLUDE, "queued", "no_provider facts_unreadable outside_hours retry unreachable throttled provider"
	" refuses_all template policy request retries_exhausted repeat"},
	{WA_CHANGE_CONCLUDE, "sent", "-"},
	{WA_CHANGE_CONCLUDE, "failed", "template recipient policy request retries_exhausted"},
	{WA_CHANGE_CONCLUDE, "unknown", "no_recipient no_number opted_out blacklisted observe duplicate no_longer_true"
	" time_to_live template recipient policy request retries_exhausted no_answer interrupted gave_up copy"},
	{WA_CHANGE_CONCLUDE, "held", "copy unknown_outcome many_unknown"},
	{WA_CHANGE_CONCLUDE, "skipped", "no_recipient no_number opted_out blacklisted observe duplicate"},
	{WA_CHANGE_CONCLUDE, "cancelled", "no_longer_true"},
	{WA_CHANGE_CONCLUDE, "expired", "time_to_live"},
	{WA_CHANGE_CONCLUDE, "in doubt", "no_answer interrupted"},
	{WA_CHANGE_TRY_OTHERS, "queued", "refuses_all"},
	{WA_CHANGE_REPLACE, "unknown", "replaced"},
	{WA_CHANGE_REPLACE, "superseded", "replaced"},
	{WA_CHANGE_SUPERSEDE, "unknown", "newer_status"},
	{WA_CHANGE_SUPERSEDE, "superseded", "newer_status"},
	{WA_CHANGE_WRITE, "failed", "request"},
	{WA_CHANGE_WRITE, "held", "setting_missing"},
	{WA_CHANGE_WRITE, "cancelled", "no_longer_true"},
	{WA_CHANGE_WRITE, "expired", "time_to_live"},
	{WA_CHANGE_LET_GO, "queued", "released retried"},
	{WA_CHANGE_LET_GO, "unknown", "no_recipient no_number"},
	{WA_CHANGE_LET_GO, "held", "setting_missing"},
	{WA_CHANGE_LET_GO, "skipped", "no_recipient no_number"},
	{WA_CHANGE_CANCEL, "unknown", "cancelled"},
	{WA_CHANGE_CANCEL, "cancelled", "cancelled"},
	{WA_CHANGE_SETTLE, "sent", "settled"},
	{WA_CHANGE_SETTLE, "failed", "settled"},
	{WA_CHANGE_TELL, "queued", "retry unreachable throttled provider refuses_all template policy request retries_exhausted"},
	{WA_CHANGE_TELL, "sent", "- settled"},
	{WA_CHANGE_TELL, "delivered", "- settled"},
	{WA_CHANGE_TELL, "read", "- settled"},
	{WA_CHANGE_TELL, "failed", "template recipient policy request retries_exhausted"},
	{WA_CHANGE_TELL, "unknown", "time_to_live template recipient policy request retries_exhausted"},
	{WA_CHANGE_TELL, "expired", "time_to_live"},
	{WA_CHANGE_HOLD, "held", "copy"},
	{WA_CHANGE_DOUBT, "in doubt", "failover"},
	{WA_CHANGE_PURGE, "expired", "retention"},
};

static bool
says(const char *list, const char *name)
{
	size_t		length = strlen(name);

	for (const char *at = list; (at = strstr(at, name)) != NULL; at++)
		if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	return false;
}

static void
test_reasons(void)
{
	bool		used[WA_NREASONS] = {false};

	for (int change = 0; change < WA_NCHANGES; change++)
		for (int to = 1; to < WA_NSTATES; to++)
		{
			const char *expected = "";
			bool		any = change == WA_CHANGE_HAND || (change == WA_CHANGE_HOLD && to == WA_STATE_UNKNOWN);

			for (size_t i = 0; i < lengthof(why); i++)
				if (why[i].change == (WaStateChange) change && strcmp(why[i].to, label(to)) == 0)
					expected = why[i].reasons;
			for (int reason = 0; reason < WA_NREASONS; reason++)
			{
				const char *name = reason == WA_REASON_NONE ? "-" : wa_queue_reason_name(reason);
				bool		legal = false;
				bool		ought = any ? from_any(change, to) != 0 : says(expected, name);

				for (int from = 0; from < WA_NSTATES; from++)
					legal = legal || wa_queue_is_legal(change, from, to, reason);
				if (legal != ought)
					fprintf(stderr, "%s -> %s: %s\n", wa_queue_changes[change].name, label(to), name);
				CHECK_INT(legal, ought);
				used[reason] = used[reason] || (legal && !any);
			}
			/* what is none of ours only people give */
			CHECK_INT(wa_queue_is_legal(change, WA_STATE_DOUBT, to, WA_NREASONS),
					  any && (from_any(change, to) & WA_IN(WA_STATE_DOUBT)) != 0);
		}
	for (int reason = 0; reason < WA_NREASONS; reason++)
		CHECK(used[reason]);
}

/* What must be so however the table grows. */
static void
test_promises(void)
{
	for (int change = 0; change < WA_NCHANGES; change++)
		for (int to = 1; to < WA_NSTATES; to++)
		{
			uint32_t	from = from_any(change, to);

			/*
			 * nothing is on the wire but what was claimed, and a claim is of
			 * what waits
			 */
			if (to == WA_STATE_SENDING)
				CHECK_INT(from, change == WA_CHANGE_CLAIM ? WA_IN(WA_STATE_QUEUED) : 0);
			/* only a person takes back that it was sent, or its provider */
			if (change != WA_CHANGE_HAND && change != WA_CHANGE_TELL && to != WA_STATE_SENT)
				CHECK(!(from & (WA_IN(WA_STATE_SENT) | WA_IN(WA_STATE_DELIVERED) | WA_IN(WA_STATE_READ))));
			/* and he not that it has arrived */
			if (change == WA_CHANGE_TELL && to != WA_STATE_READ)
				CHECK(!(from & (WA_IN(WA_STATE_READ) | (to == WA_STATE_DELIVERED ? 0 : WA_IN(WA_STATE_DELIVERED)))));
			/* what another one stands for never goes */
			if (change != WA_CHANGE_HAND && to != WA_STATE_SENT)
				CHECK(!(from & WA_IN(WA_STATE_SUPERSEDED)));
			/* a person writes nothing that only the worker can carry out */
			if (change == WA_CHANGE_HAND)
				CHECK_INT(from == 0, to == WA_STATE_QUEUED || to == WA_STATE_SENDING || to == WA_STATE_DOUBT);
			/* what was made is not made again */
			CHECK_INT((from & WA_IN(WA_STATE_NONE)) != 0, change == WA_CHANGE_MAKE && from != 0);
		}
}

static void
test_names(void)
{
	for (int state = 1; state < WA_NSTATES; state++)
	{
		CHECK_INT(wa_queue_state_read(wa_queue_state_name(state), state == WA_STATE_DOUBT), state);
		if (state != WA_STATE_UNKNOWN && state != WA_STATE_DOUBT)
			CHECK_INT(wa_queue_state_read(wa_queue_state_name(state), true), state);
	}
	CHECK_INT(wa_queue_state_read("nonsense", false), WA_STATE_NONE);
	CHECK_INT(wa_queue_state_read(NULL, true), WA_STATE_NONE);
	CHECK(wa_queue_state_name(WA_STATE_NONE) == NULL);
	for (int reason = 1; reason < WA_NREASONS; reason++)
		CHECK_INT(wa_queue_reason_read(wa_queue_reason_name(reason)), reason);
	CHECK_INT(wa_queue_reason_read(NULL), WA_REASON_NONE);
	CHECK_INT(wa_queue_reason_read("nonsense"), WA_NREASONS);
	CHECK(WA_NREASONS <= 64 && WA_NSTATES <= 32);
	for (int change = 0; change < WA_NCHANGES; change++)
		CHECK(wa_queue_changes[change].name && wa_queue_changes[change].made_by);
}

static void
test_sets(void)
{
	CHECK_STR(WA_SQL_STATES(WA_SENT), "('sent', 'delivered', 'read')");
	CHECK_STR(WA_SQL_WAITS("m"), "(m.state IN ('queued', 'held') OR (m.state = 'unknown' AND m.due_at IS NOT NULL))");
	CHECK(WA_STATE_IS(WA_STATE_READ, WA_SENT));
	CHECK(!WA_STATE_IS(WA_STATE_SENDING, WA_SENT));
	CHECK(!WA_STATE_IS(WA_STATE_NONE, WA_GOES));
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--draw") == 0)
	{
		draw(stdout);
		return 0;
	}
	if (argc > 1)
		page = argv[1];
	CHECK_RUN(test_names);
	CHECK_RUN(test_sets);
	CHECK_RUN(test_grid);
	CHECK_RUN(test_reasons);
	CHECK_RUN(test_promises);
	CHECK_RUN(test_page);
	return check_finish("state");
}
