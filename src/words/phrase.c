/*-------------------------------------------------------------------------
 *
 * phrase.c
 *		From an English sentence of ours to the same in Indonesian.
 *
 * The ledger keeps its sentences in English, whatever the setting "language"
 * says: they are written by the worker, for everybody, once.  They are
 * translated when a person reads them, which changes nothing that is stored
 * and works for old rows too.  Parts between "; " are translated each; what
 * no phrase fits is shown as it is.
 *
 * A sentence of ours may stand within another one, in front of its words or
 * behind them, and then several phrases fit the whole.  The one that leaves
 * the fewest characters to values that stay as they are is meant: "the permit
 * was issued on %s" fits "the permit was issued on 2025-10-23, more than 30
 * days ago" too, but "%s, more than %s days ago" explains more of it.
 *
 * Sentences may quote what anybody wrote (names, providers' answers, errors of
 * other people's functions), so the work is bounded: long texts and deep nests
 * are left alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "words/phrase.h"

#define BETWEEN			"; "
#define MAX_VALUES		8
#define MAX_TEXT_BYTES	4096

/* More parts than these are not one phrase. */
#define MAX_PARTS		8

/* A phrase inside a phrase inside a phrase ... */
#define MAX_DEPTH		12

typedef struct WaPhraseValue
{
	const char *text;
	size_t		len;
} WaPhraseValue;

static const WaPhrase *const tables[] = {
	wa_words_ledger_phrases, wa_words_provider_phrases, wa_words_meta_phrases
};

/*
 * How often it may be asked what a value is worth, for one text: names and
 * answers can be written so that very many phrases fit.
 */
#define MAX_ASKED		1000

static int	asked;

static void translate(StringInfo words, const char *text, size_t len, int depth);
static int	worth(const char *text, size_t len, int depth);

/* The first place of "piece" in the text, or NULL. */
static const char *
find(const char *text, const char *end, const char *piece, size_t len)
{
	for (; end - text >= (ptrdiff_t) len; text++)
		if (memcmp(text, piece, len) == 0)
			return text;
	return NULL;
}

/*
 * Does the text have the form of this sentence?  Returns how many characters
 * of its own the sentence has, so that the most telling one can be chosen, or
 * -1; the values between them are put down.
 */
static int
match(const char *form, const char *text, size_t len, WaPhraseValue *values, int *nvalues)
{
	const char *end = text + len;
	const char *value = NULL;	/* where the value in course begins */
		bool		any = false;	/* it may contain BETWEEN */
	int			own = 0;

	*nvalues = 0;
	for (;;)
	{
		const char *stop = form;
		size_t		piece;
		const char *at;

		while (*stop && !(stop[0] == '%' && (stop[1] == 's' || stop[1] == 'S')))
			stop++;
		piece = stop - form;
		if (value == NULL)
			at = len >= piece && memcmp(text, form, piece) == 0 ? text : NULL;
		else if (*stop == '\0')
			at = end - text >= (ptrdiff_t) piece &&
				memcmp(end - piece, form, piece) == 0 ? end - piece : NULL;
		else
			at = find(text, end, form, piece);
		if (at == NULL)
			return -1;
		if (value)
		{
			if ((!any && find(value, at, BETWEEN, strlen(BETWEEN))) || *nvalues == MAX_VALUES)
				return -1;
			values[*nvalues].text = value;
			values[(*nvalues)++].len = at - value;
		}
		own += piece;
		text = at + piece;
		if (*stop == '\0')
			return text == end ? own : -1;
		value = text;
		any = stop[1] == 'S';
		form = stop + 2;
	}
}

/* Write a sentence with its values. */
static void
fill(StringInfo words, const char *form, const WaPhraseValue *values, int nvalues, int depth)
{
	for (const char *p = form; *p; p++)
	{
		int			i = p[0] == '{' || p[0] == '<' ? p[1] - '1' : -1;

		if (i < 0 || i >= nvalues || p[2] != (p[0] == '{' ? '}' : '>'))
		{
			appendStringInfoChar(words, *p);
			continue;
		}
		if (p[0] == '{')
			appendBinaryStringInfo(words, values[i].text, (int) values[i].len);
		else
			translate(words, values[i].text, values[i].len, depth + 1);
		p += 2;
	}
}

/* Which values of a sentence are phrases in their turn: a bit for each. */
static int
nested(const char *form)
{
	int			bits = 0;

	for (const char *p = form; *p; p++)
		if (p[0] == '<' && p[1] >= '1' && p[1] < '1' + MAX_VALUES && p[2] == '>')
			bits |= 1 << (p[1] - '1');
	return bits;
}

/*
 * The phrase that the text is, or NULL; and how many of its characters are
 * ours then.
 */
static const WaPhrase *
choose(const char *text, size_t len, int depth, int *ours)
{
	const WaPhrase *best = NULL;
	WaPhraseValue values[MAX_VALUES];
	int			nvalues;

	*ours = -1;
	for (size_t t = 0; t < lengthof(tables); t++)
		for (const WaPhrase *phrase = tables[t]; phrase->english; phrase++)
		{
			int			count = match(phrase->english, text, len, values, &nvalues);
			int			bits = count < 0 ? 0 : nested(phrase->indonesian);
			int			possible = count;

			for (int i = 0; i < nvalues; i++)
				if (bits & (1 << i))
					possible += (int) values[i].len;
			for (int i = 0; i < nvalues && possible > *ours; i++)
				if (bits & (1 << i))
					count += worth(values[i].text, values[i].len, depth + 1);
			if (count > *ours)
			{
				best = phrase;
				*ours = count;
			}
		}
	return best;
}

/* Write the text in Indonesian if it is one phrase. */
static bool
translate_phrase(StringInfo words, const char *text, size_t len, int depth)
{
	WaPhraseValue values[MAX_VALUES];
	int			nvalues;
	int			ours;
	const WaPhrase *best = choose(text, len, depth, &ours);

	if (best == NULL)
		return false;
	(void) match(best->english, text, len, values, &nvalues);
	fill(words, best->indonesian, values, nvalues, depth);
	return true;
}

/* Where the first parts of the text end, at most MAX_PARTS; how many. */
static int
find_parts(const char *text, const char *end, const char **ends)
{
	int			n = 0;

	for (const char *p = text; p && n < MAX_PARTS; p = p ? p + strlen(BETWEEN) : NULL)
	{
		p = find(p, end, BETWEEN, strlen(BETWEEN));
		ends[n++] = p ? p : end;
	}
	return n;
}

/* How many characters of the text translate() would find to be ours. */
static int
worth(const char *text, size_t len, int depth)
{
	const char *end = text + len;
	int			sum = 0;

	if (depth > MAX_DEPTH)
		return 0;
	for (;;)
	{
		const char *ends[MAX_PARTS];
		int			i = find_parts(text, end, ends) - 1;
		int			ours = -1;

		for (; i >= 0; i--)
		{
			if (++asked > MAX_ASKED)
				return sum;
			if (choose(text, ends[i] - text, depth, &ours))
				break;
		}
		sum += Max(ours, 0);
		i = Max(i, 0);
		if (ends[i] == end)
			return sum;
		text = ends[i] + strlen(BETWEEN);
	}
}

/*
 * Write the text in Indonesian: from its beginning, the longest run of parts
 * that is a phrase, and so on.
 */
static void
translate(StringInfo words, const char *text, size_t len, int depth)
{
	const char *end = text + len;

	CHECK_FOR_INTERRUPTS();
	if (depth > MAX_DEPTH)
	{
		appendBinaryStringInfo(words, text, (int) len);
		return;
	}
	for (;;)
	{
		const char *ends[MAX_PARTS];
		int			i;

		for (i = find_parts(text, end, ends) - 1; i >= 0; i--)
			if (translate_phrase(words, text, ends[i] - text, depth))
				break;
		if (i < 0)
			appendBinaryStringInfo(words, text, (int) (ends[i = 0] - text));
		if (ends[i] == end)
			return;
		appendStringInfoString(words, BETWEEN);
		text = ends[i] + strlen(BETWEEN);
	}
}

/*
 * The text in Indonesian, palloc()ed; what we did not write stays as it is.
 */
char *
wa_words_phrase_in_indonesian(const char *english)
{
	size_t		len = strlen(english);
	StringInfoData words;

	if (len > MAX_TEXT_BYTES)
		return pstrdup(english);
	initStringInfo(&words);
	asked = 0;
	translate(&words, english, len, 0);
	return words.data;
}
