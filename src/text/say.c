/*-------------------------------------------------------------------------
 *
 * say.c
 *		The catalogue of sentences, and the words that a WaSaid stands for.
 *
 * A WaSaid may hold what strangers wrote, so nothing here trusts its form: a
 * sentence that is not closed ends with its text, and one whose key nobody
 * knows has no words.  Nests are as deep as the code that made them, which the
 * limit below only bounds.
 *
 *-------------------------------------------------------------------------
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/say.h"

#define BEGIN		'\001'
#define BETWEEN		'\002'
#define END			'\003'

#define MAX_DEPTH	16

/* Between two sentences in a row. */
#define AND			"; "

/* the empty strings make sure that each is a literal */
static const struct
{
	const char *name;
	const char *plain;			/* as a WaSaid, where it has no values */
	int			nvalues;
	const char *forms[2];		/* by WaLanguage */
}			words[WA_SAY_END] = {
#define SAY(key, n, english, indonesian) {#key, "\001" #key "\003", (n), {"" english "", "" indonesian ""}},
#include "text/words.def"
#undef SAY
};

/* Where words go: as many as fit, and how many there are. */
typedef struct Sink
{
	char	   *words;
	size_t		size;
	size_t		len;
} Sink;

static void write_words(Sink *sink, const char *text, const char *end, WaLanguage language, int depth);

static void
put(Sink *sink, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++, sink->len++)
		if (sink->len < sink->size)
			sink->words[sink->len] = bytes[i];
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(words[*(const short *) a].name, words[*(const short *) b].name);
}

/* The sentences in the order of their names. */
static short sorted[WA_SAY_END];

static void
sort_names(void)
{
	for (int i = 0; i < WA_SAY_END; i++)
		sorted[i] = (short) i;
	qsort(sorted, WA_SAY_END, sizeof(short), compare_names);
}

/*
 * Find a sentence by its name, in upper or lower case.  Returns false if there
 * is none: the catalogue of a newer version had it.
 */
bool
wa_text_say_find(const char *name, size_t len, WaSay *key, int *nvalues)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int			low = 0;
	int			high = WA_SAY_END - 1;

	pthread_once(&once, sort_names);
	while (low <= high)
	{
		int			middle = (low + high) / 2;
		const char *other = words[sorted[middle]].name;
		int			order = 0;

		for (size_t i = 0; order == 0 && i < len; i++)
		{
			char		c = name[i] >= 'a' && name[i] <= 'z' ? (char) (name[i] - 'a' + 'A') : name[i];

			order = (unsigned char) c - (unsigned char) other[i];
		}
		if (order == 0 && other[len] == '\0')
		{
			*key = (WaSay) sorted[middle];
			*nvalues = words[*key].nvalues;
			return true;
		}
		if (order > 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return false;
}

/* Is a value what is said, rather than text? */
bool
wa_text_say_is(const char *value)
{
	return *value == BEGIN;
}

/*
 * For whoever changes values in place: how many bytes from this place on belong
 * to the form of what is said, and, if none, how many to a value.
 */
size_t
wa_text_say_frame(const char *at)
{
	const char *p = at;

	while (*p == BEGIN || *p == BETWEEN || *p == END)
		if (*p++ == BEGIN)
			while (*p != '\0' && *p != BETWEEN && *p != END)
				p++;
	return (size_t) (p - at);
}

size_t
wa_text_say_value(const char *at)
{
	return strcspn(at, "\001\002\003");
}

/* See WA_NUMBER(). */
const char *
wa_text_say_number(long long number, char *digits)
{
	snprintf(digits, 24, "%lld", number);
	return digits;
}

/* The name of a sentence, in upper case. */
const char *
wa_text_say_name(WaSay key)
{
	return words[key].name;
}

/* A sentence with its placeholders. */
const char *
wa_text_say_form(WaSay key, WaLanguage language)
{
	return words[key].forms[language];
}

/* A sentence without values, or with none of them known; static. */
WaSaid
wa_text_say_plain(WaSay key)
{
	return (WaSaid) (const void *) words[key].plain;
}

static const char *
value_of(const void *const *values, int i)
{
	return values[i] ? (const char *) values[i] : "-";
}

/* The bytes that wa_text_say_write() needs to cut nothing. */
size_t
wa_text_say_size(WaSay key, int n, const void *const *values)
{
	size_t		size = strlen(words[key].name) + 3;

	for (int i = 0; i < n; i++)
		size += strlen(value_of(values, i)) + 1;
	return size;
}

/* A text is no part of our form. */
static void
blank_marks(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == BEGIN || text[i] == BETWEEN || text[i] == END)
			text[i] = ' ';
}

/* Has a value the form of what is said, so that it ends where it ends? */
static bool
has_form(const char *value)
{
	int			open = 0;

	if (*value != BEGIN)
		return false;
	for (const char *p = value; *p; p++)
	{
		open += *p == BEGIN ? 1 : *p == END ? -1 : 0;
		if (open < 0 || (open == 0 && *p == BETWEEN))
			return false;
	}
	return open == 0;
}

/*
 * Write a sentence to bytes.  What does not fit is cut: of a text as much as
 * needed, a value that is a sentence as a whole.  A text is whatever anybody
 * wrote, so it loses what has a meaning here.
 */
WaSaid
wa_text_say_write(char *bytes, size_t size, WaSay key, int n, const void *const *values)
{
	size_t		used = strlen(words[key].name) + 1;
	size_t		room;

	if (size < used + (size_t) n + 2)
	{
		bytes[0] = '\0';
		return NULL;
	}
	room = size - used - (size_t) n - 2;
	bytes[0] = BEGIN;
	memcpy(bytes + 1, words[key].name, used - 1);
	for (int i = 0; i < n; i++)
	{
		const char *value = value_of(values, i);
		size_t		len = strlen(value);
		bool		said = has_form(value);

		if (len > room)
		{
			len = said ? 0 : room;
			while (len > 0 && ((unsigned char) value[len] & 0xc0) == 0x80)
				len--;
		}
		bytes[used++] = BETWEEN;
		memcpy(bytes + used, value, len);
		if (!said)
			blank_marks(bytes + used, len);
		used += len;
		room -= len;
	}
	bytes[used++] = END;
	bytes[used] = '\0';
	return (WaSaid) (const void *) bytes;
}

/* See wa_say_into(). */
void
wa_text_say_into(WaSaidText *text, WaSay key, int n, const void *const *values)
{
	wa_text_say_write(text->bytes, sizeof(text->bytes), key, n, values);
}

/* Put what is said into a WaSaidText; what does not fit there is not. */
void
wa_text_say_copy(WaSaidText *text, WaSaid said)
{
	const char *bytes = said ? (const char *) said : "";
	size_t		len = strlen(bytes);

	memcpy(text->bytes, bytes, len < sizeof(text->bytes) ? len + 1 : 0);
	if (len >= sizeof(text->bytes))
		text->bytes[0] = '\0';
}

/*
 * Read the sentence that begins at this place, or behind the "; " at it.
 * Returns where it ends; NULL if none begins here, or nobody knows it.
 */
const char *
wa_text_say_next(const char *at, const char *end, WaSaidPart *part)
{
	const char *name;
	int			depth = 1;
	int			expected;

	if ((size_t) (end - at) > strlen(AND) && memcmp(at, AND, strlen(AND)) == 0)
		at += strlen(AND);
	if (at >= end || *at != BEGIN)
		return NULL;
	name = ++at;
	while (at < end && *at != BETWEEN && *at != END)
		at++;
	if (!wa_text_say_find(name, (size_t) (at - name), &part->key, &expected))
		return NULL;
	part->n = 0;
	while (at < end && *at == BETWEEN)
	{
		const char *value = ++at;

		for (; at < end && (depth > 1 || (*at != BETWEEN && *at != END)); at++)
			depth += *at == BEGIN ? 1 : *at == END ? -1 : 0;
		if (part->n == expected)
			return NULL;
		part->values[part->n] = value;
		part->lengths[part->n++] = (size_t) (at - value);
	}
	if (part->n != expected)
		return NULL;
	return at < end ? at + 1 : at;
}

static void
write_sentence(Sink *sink, const WaSaidPart *part, WaLanguage language, int depth)
{
	for (const char *p = words[part->key].forms[language]; *p; p++)
	{
		int			i = p[0] == '{' && p[1] != '\0' && p[2] == '}' ? p[1] - '1' : -1;

		if (i < 0 || i >= part->n)
		{
			put(sink, p, 1);
			continue;
		}
		write_words(sink, part->values[i], part->values[i] + part->lengths[i], language, depth + 1);
		p += 2;
	}
}

/* Words of sentences in a row, or text as it is. */
static void
write_words(Sink *sink, const char *text, const char *end, WaLanguage language, int depth)
{
	bool		any = false;

	if (text == end || *text != BEGIN)
	{
		put(sink, text, (size_t) (end - text));
		return;
	}
	while (text < end && depth <= MAX_DEPTH)
	{
		WaSaidPart	part;

		text = wa_text_say_next(text, end, &part);
		if (text == NULL)
			return;
		if (any)
			put(sink, AND, strlen(AND));
		any = true;
		write_sentence(sink, &part, language, depth);
	}
}

/*
 * What is said, in words, into size bytes (words may be NULL if size is 0), cut
 * at a character if it is longer.  Returns the length of the whole.
 */
size_t
wa_text_say_words(char *bytes, size_t size, WaSaid said, WaLanguage language)
{
	const char *text = (const char *) said;
	Sink		sink = {bytes, size, 0};

	if (text)
		write_words(&sink, text, text + strlen(text), language, 0);
	if (size > 0)
	{
		/*
		 * the last byte is that of a longer text, until the end takes its
		 * place
		 */
		size_t		len = sink.len < size ? sink.len : size - 1;

		if (len < sink.len)
			while (len > 0 && ((unsigned char) bytes[len] & 0xc0) == 0x80)
				len--;
		bytes[len] = '\0';
	}
	return sink.len;
}
