/*-------------------------------------------------------------------------
 *
 * bare.c
 *		What Odoo's contacts say of bare numbers.
 *
 * A message to a bare number may go to a contact all the same, with an opt-in
 * or an opt-out on it: found by Odoo's E.164 form, and by the usual spellings
 * of whatsapp_number.  wa_setup() makes an index on each (admin/contact_index.c);
 * without, and for many numbers, that is a look at every contact: some 60 ms for
 * 200,000 of them, as long as a hundred messages take to go.  So one look is for
 * all numbers that will be asked for next (wa_route_bare_ahead()), and what it
 * found is used again while another look would take more than a part of the
 * time.  Never for a message that came after it, and never for a person who
 * asks.  Who refuses meanwhile is seen by said_no.c.
 *
 * How many numbers are looked for ahead follows from how many of the last ones
 * were asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "route/bare.h"
#include "route/route.h"
#include "route/said_no.h"

/* Of the time, at most one part in so many goes to looking. */
#define PART_OF_TIME	20

/* So many numbers are looked for ahead at least, at first, and at most. */
#define LEAST_AHEAD		64
#define FIRST_AHEAD		2048
#define MOST_AHEAD		16384

typedef char Number[WA_NUMBER_SIZE];

typedef struct Bare
{
	MemoryContext context;		/* NULL: nothing was read */
	Oid			contacts;		/* the table */
	Number	   *numbers;		/* looked for, sorted */
	int			nnumbers;
	WaBareWord *words;			/* found, sorted by number */
	int			nwords;
	TimestampTz begun_at;		/* what was taken in by then had been
								 * committed when it was read */
	instr_time	begun;
	double		took;			/* seconds */
	int			used;			/* numbers that were asked for */
} Bare;

static Bare bare;
static int	room = FIRST_AHEAD; /* numbers to look for ahead */
static int	(*ahead) (const char **numbers, int most) = NULL;

/*
 * This function tells which numbers will be asked for next, at most "most" of
 * them: it puts them into numbers[], to be read at once, and returns how many.
 */
void
wa_route_bare_ahead(int (*tells) (const char **numbers, int most))
{
	ahead = tells;
}

static int
by_number(const void *a, const void *b)
{
	/* both begin with one */
	return strcmp(a, b);
}

/* Does the number stand in one of these fields as well, or is there nothing in them? */
static bool
is_as_written(const char *number, char *const *fields, int n)
{
	bool		given = false;

	for (int i = 0; i < n; i++)
	{
		char		normal[WA_NUMBER_SIZE];

		given = given || !wa_text_is_nothing(fields[i]);
		if (fields[i] && wa_text_normalize_number(fields[i], normal) && strcmp(normal, number) == 0)
			return true;
	}
	return !given;
}

/* The spellings of these numbers in which a contact may have them; palloc()ed. */
static const char **
spellings_of(Number *numbers, int n, int *nspellings)
{
	const char **spellings = palloc(sizeof(char *) * Max(n, 1) * 3);

	*nspellings = 0;
	for (int i = 0; i < n; i++)
	{
		spellings[(*nspellings)++] = psprintf("+%s", numbers[i]);
		spellings[(*nspellings)++] = numbers[i];
		if (strncmp(numbers[i], "62", 2) == 0)
			spellings[(*nspellings)++] = psprintf("0%s", numbers[i] + 2);
	}
	return spellings;
}

/*
 * Look for these numbers.  What Odoo made of a contact's telephone agrees to
 * nothing unless it stands there as well: its reading of a remark behind the
 * number is another number.
 */
static int
read_words(const WaAppTable *table, Number *numbers, int n, WaBareWord **words)
{
	static const char *const keys[] = {"phone_sanitized", "whatsapp_number"};
	static const char *const columns[] = {
		"phone_sanitized", "whatsapp_number", "whatsapp_opt_in", "whatsapp_opt_in_date", "mobile", "phone", "write_date"
	};
	int			nspellings;
	const char **spellings = spellings_of(numbers, n, &nspellings);
	WaAppRows	rows;
	int			nwords = 0;

	wa_app_read_by_texts(&rows, table, columns, lengthof(columns), keys, lengthof(keys),
						 spellings, nspellings);
	*words = palloc(sizeof(WaBareWord) * Max(rows.n * lengthof(keys), 1));
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];
		bool		yes = row[2] && row[2][0] == 't';
		char		first[WA_NUMBER_SIZE] = "";

		for (size_t k = 0; k < lengthof(keys); k++)
		{
			WaBareWord *word = &(*words)[nwords];

			if (row[k] == NULL || !wa_text_normalize_number(row[k], word->number) ||
				(k > 0 && strcmp(word->number, first) == 0))
				continue;
			if (k == 0)
				strcpy(first, word->number);
			if (yes ? k == 0 && !is_as_written(word->number, &row[4], 2) : row[3] == NULL)
				continue;
			word->agrees = yes;
			word->at = yes ? wa_route_odoo_time(row[3]) : wa_route_odoo_no_at(row[6], row[3]);
			nwords++;
		}
	}
	qsort(*words, nwords, sizeof(WaBareWord), by_number);
	return nwords;
}

static bool
was_looked_for(const char *number)
{
	return bsearch(number, bare.numbers, bare.nnumbers, sizeof(Number), by_number) != NULL;
}

/* May what was read be used for these, the last of which was taken in at "since"? */
static bool
is_fresh(const WaAppTable *contacts, const char *const *numbers, int n, TimestampTz since)
{
	instr_time	now;

	if (bare.context == NULL || bare.contacts != contacts->relid || since == 0 || since > bare.begun_at)
		return false;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, bare.begun);
	if (INSTR_TIME_GET_DOUBLE(now) >= bare.took * PART_OF_TIME)
		return false;
	for (int i = 0; i < n; i++)
		if (!was_looked_for(numbers[i]))
			return false;
	return true;
}

/* One that is too long is no contact's. */
static void
add(Number *list, int *n, const char *number)
{
	if (strlen(number) < WA_NUMBER_SIZE)
		strcpy(list[(*n)++], number);
}

/* These numbers and those that are asked for next, sorted, each once; palloc()ed. */
static int
collect(const char *const *numbers, int n, int nahead, Number **list)
{
	const char **next = palloc(sizeof(char *) * Max(nahead, 1));
	int			nnext = nahead > 0 ? ahead(next, nahead) : 0;
	int			count = 0;
	int			kept = 0;

	*list = palloc(sizeof(Number) * (n + nnext + 1));
	for (int i = 0; i < n; i++)
		add(*list, &count, numbers[i]);
	for (int i = 0; i < nnext; i++)
		add(*list, &count, next[i]);
	qsort(*list, count, sizeof(Number), by_number);
	for (int i = 0; i < count; i++)
		if (kept == 0 || strcmp((*list)[kept - 1], (*list)[i]) != 0)
			memmove((*list)[kept++], (*list)[i], sizeof(Number));
	return kept;
}

static void *
kept_copy(const void *from, size_t bytes)
{
	void	   *to = MemoryContextAlloc(bare.context, Max(bytes, 1));

	memcpy(to, from, bytes);
	return to;
}

/* Read them all, and keep what was found. */
static void
look(const WaAppTable *contacts, const char *const *numbers, int n, bool for_messages)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "sicantik_wa bare numbers looked for",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Bare		found = {.contacts = contacts->relid};
	instr_time	took;

	if (bare.context)
		room = Min(Max(2 * bare.used, LEAST_AHEAD), MOST_AHEAD);
	INSTR_TIME_SET_CURRENT(found.begun);
	found.begun_at = for_messages ? GetCurrentTimestamp() : 0;
	old = MemoryContextSwitchTo(work);
	found.nnumbers = collect(numbers, n, for_messages && ahead ? room : 0, &found.numbers);
	found.nwords = read_words(contacts, found.numbers, found.nnumbers, &found.words);
	MemoryContextSwitchTo(old);

	/* no error comes from here on, but of memory: then nothing was read */
	if (bare.context)
		MemoryContextDelete(bare.context);
	memset(&bare, 0, sizeof(bare));
	found.context = AllocSetContextCreate(TopMemoryContext, "sicantik_wa bare numbers", ALLOCSET_SMALL_SIZES);
	bare.context = found.context;
	found.numbers = kept_copy(found.numbers, sizeof(Number) * found.nnumbers);
	found.words = kept_copy(found.words, sizeof(WaBareWord) * found.nwords);
	MemoryContextDelete(work);
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, found.begun);
	found.took = INSTR_TIME_GET_DOUBLE(took);
	bare = found;
}

/*
 * Read what contacts say of these numbers, unless it is known.  The table is
 * ready.  since: when the last of the messages was seen first that this is
 * for; 0: it is for no message, but for a person who asks.
 */
void
wa_route_bare_load(const WaAppTable *contacts, const char *const *numbers, int n, TimestampTz since)
{
	if (!is_fresh(contacts, numbers, n, since))
		look(contacts, numbers, n, since != 0);
	bare.used += n;
}

/*
 * What the contacts with this number say, the number being one of those that
 * were loaded last; *n: how many.
 */
const WaBareWord *
wa_route_bare_words(const char *number, int *n)
{
	int			from = 0;
	int			to = bare.nwords;

	*n = 0;
	while (from < to)
	{
		int			middle = from + (to - from) / 2;

		if (strcmp(bare.words[middle].number, number) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	while (from + *n < bare.nwords && strcmp(bare.words[from + *n].number, number) == 0)
		(*n)++;
	return &bare.words[from];
}
