/*-------------------------------------------------------------------------
 *
 * number.c
 *		Find the mobile number in what people typed into a phone field.
 *
 * The constraint: a message about somebody's permit must not reach a
 * stranger.  A number that could be read in two ways is refused, two numbers
 * are never glued into one, and a number that somebody masked, cut off or
 * damaged is never completed.  To refuse only costs one notification, which
 * the ledger then explains.
 *
 * The field is cut at everything that ends a number (words, commas, line
 * ends, slashes ...) into segments.  What remains inside a segment are
 * groups of digits with blanks, dots, dashes or brackets between them.  The
 * groups may still be more than one number ("0628 20123 0812 3456 7890"), so
 * the segment is partitioned into as few plausible numbers as possible.
 *
 * Who said that he wants no messages is asked the other way round: there all
 * usable numbers of the field count (wa_text_each_number()).
 *
 * Untrusted input: one pass, fixed memory, no allocation, no recursion.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "text/charkind.h"
#include "text/numbering.h"
#include "text/text.h"
#include "text/utf8.h"

/* A segment with more than this is no phone number, nor a list of some. */
#define MAX_DIGITS		128
#define MAX_GROUPS		40

/* What some groups of digits can be, at their place in the segment. */
typedef enum PartKind
{
	PART_NONE,					/* not a number */
	PART_USABLE,				/* may be on WhatsApp */
	PART_OTHER					/* a number or "1.", but not usable */
} PartKind;

typedef struct Group
{
	int			start;			/* index into digits[] */
	int			len;
	bool		after_dot;		/* only one dot before it */
} Group;

typedef struct Segment
{
	char		digits[MAX_DIGITS];
	Group		group[MAX_GROUPS];
	int			ndigits;
	int			ngroups;
	int			checked;		/* ndigits when last tried, see WA_CHAR_OPEN */
	bool		plus;			/* before the first group */
	bool		doubtful;		/* damaged or masked: never usable */
	bool		slashed;		/* prefix/number, see slash_is_inside() */
	bool		bracket;		/* the last group followed a '(' */
	WaNumberFn	each;			/* called for each usable number, or NULL */
	void	   *arg;
} Segment;

/* Where we are in the field. */
typedef struct Reader
{
	Segment		seg;
	WaCharKind	prev;			/* last visible character */
	int			dots;			/* since the last digit */
	int			marks;			/* visible characters since then */
	bool		plus;			/* a plus waits for its digits */
	bool		taint;			/* the next digits are a remainder */
	bool		word_fits;		/* the last word may touch digits */
	bool		word_is_o;		/* letter O typed for zero */
	bool		phone;			/* words seen since the last number */
	bool		other;
} Reader;

/* Words that people write against the digits without a blank. */
static const char *const glued_words[] = {
	"wa", "hp", "hape", "handphone", "tel", "telp", "tlp", "tlpn", "telpon",
	"telepon", "telephone", "phone", "ph", "cell", "mobile", "mob", "no",
	"nomor", "nope", "cp", "hub", "hubungi", "call", "sms", "whatsapp",
	"whatsap", "watsap", "wasap", "dan", "atau", "and", "or"
};

/* Words that say a telephone follows, whatever else is said. */
static const char *const phone_words[] = {
	"wa", "hp", "hape", "handphone", "tel", "telp", "tlp", "tlpn", "telpon",
	"telepon", "telephone", "phone", "cell", "mobile", "whatsapp"
};

/* Words that say the digits are something else. */
static const char *const other_words[] = {
	"fax", "faks", "faksimile", "faximile", "facsimile", "rek", "norek",
	"rekening", "nik", "ktp", "npwp", "nip", "nib", "pin"
};

#define lengthof(a)		((int) (sizeof(a) / sizeof((a)[0])))

static bool
word_in(const char *word, const char *const *list, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

/*
 * Read groups first..last of the segment as one number.  Behind another
 * number only what begins like a number counts; otherwise digits too many
 * would turn a mistyped number into two.
 */
static PartKind
read_part(const Segment *seg, int first, int last, char out[WA_NUMBER_SIZE])
{
	const Group *g = &seg->group[first];
	const char *s = seg->digits + g->start;
	int			n = seg->group[last].start + seg->group[last].len - g->start;

	if (first > 0 && first != last && s[0] != '0' &&
		!(s[0] == '6' && s[1] == '2'))
		return PART_NONE;
	switch (wa_text_read_number(s, n, seg->plus && first == 0, out))
	{
		case WA_TEXT_MOBILE:
			return PART_USABLE;
		case WA_TEXT_LANDLINE:
			return PART_OTHER;
		case WA_TEXT_NOT_A_NUMBER:
			break;
	}

	/* A landline without its area code, or "1." of a list, comes first. */
	if (first == 0 && last == 0 && !seg->plus && seg->ngroups > 1)
	{
		const char *next = seg->digits + seg->group[1].start;

		if (next[0] != '0' && !(next[0] == '6' && next[1] == '2'))
			return PART_NONE;
		if (n <= 2 || (n >= 5 && n <= 8 && s[0] >= '2'))
			return PART_OTHER;
	}
	return PART_NONE;
}

/*
 * Partition the segment into the fewest possible numbers and give the first
 * usable one, or pass on all of them.  If that can be done in more than one
 * way: none.
 */
static bool
choose_number(const Segment *seg, WaNumberFn each, char out[WA_NUMBER_SIZE])
{
	int			parts[MAX_GROUPS + 1];
	int			ways[MAX_GROUPS + 1];
	int			end[MAX_GROUPS];
	char		found[WA_NUMBER_SIZE];
	int			n = seg->ngroups;
	bool		any = false;
	int			i;
	int			j;

	if (n == 0 || seg->doubtful)
		return false;

	if (n == 2 && seg->group[1].len <= 2)
	{
		const Group *tail = &seg->group[1];
		const char *s = seg->digits + tail->start;

		/* 6281234567890.0 is how a number column becomes text. */
		if (tail->after_dot && seg->group[0].len >= WA_TEXT_NSN_MIN &&
			s[0] == '0' && s[tail->len - 1] == '0')
			n = 1;

		/* 081234567890 2: its last digit, or a remark?  Nobody knows. */
		else if (seg->group[0].len > WA_TEXT_NSN_MIN + 1 &&
				 wa_text_read_number(seg->digits, seg->group[0].len,
									 seg->plus, found) == WA_TEXT_MOBILE)
			return false;
	}

	/*
	 * 0812-3456-789 2: likewise, where the rest is a whole number, and the
	 * tail is no group like the others
	 */
	else if (n > 2 && seg->group[n - 1].len <= 2 && seg->group[n - 1].len < seg->group[n - 2].len &&
			 wa_text_read_number(seg->digits, seg->group[n - 1].start, seg->plus, found) == WA_TEXT_MOBILE &&
			 strlen(found) >= strlen("62") + WA_TEXT_NSN_MIN + 1)
		return false;

	/* From the end: how many numbers are groups i .. n-1, at least? */
	parts[n] = 0;
	ways[n] = 1;
	for (i = n - 1; i >= 0; i--)
	{
		parts[i] = MAX_GROUPS + 1;
		ways[i] = 0;
		end[i] = i;
		for (j = i; j < n; j++)
		{
			const Group *last = &seg->group[j];

			if (last->start + last->len - seg->group[i].start >
				WA_TEXT_DIAL_MAX)
				break;
			if (ways[j + 1] == 0 || parts[j + 1] + 1 > parts[i] ||
				read_part(seg, i, j, found) == PART_NONE)
				continue;
			if (parts[j + 1] + 1 < parts[i])
			{
				parts[i] = parts[j + 1] + 1;
				ways[i] = 0;
				end[i] = j;
			}
			ways[i] += ways[j + 1];
			if (ways[i] > 2)
				ways[i] = 2;	/* more than one is all that matters */
		}
	}
	if (ways[0] != 1)
		return false;
	for (i = 0; i < n; i = end[i] + 1)
	{
		if (read_part(seg, i, end[i], found) != PART_USABLE)
			continue;
		any = true;
		memcpy(out, found, sizeof(found));
		if (each == NULL)
			break;
		each(found, seg->arg);
	}
	return any;
}

/* Take one digit into the segment. */
static void
add_digit(Reader *r, char digit)
{
	Segment    *seg = &r->seg;

	if (seg->ngroups == 0)
	{
		seg->plus = r->plus;
		if (r->taint)
			seg->doubtful = true;
		if (r->prev == WA_CHAR_LETTER && !r->word_fits &&
			!(r->word_is_o && digit == '8'))
			seg->doubtful = true;	/* not a word for a telephone */
		r->plus = r->taint = false;
	}
	if (seg->ndigits == MAX_DIGITS ||
		(r->prev != WA_CHAR_DIGIT && seg->ngroups == MAX_GROUPS))
	{
		seg->doubtful = true;
		return;
	}
	if (r->prev != WA_CHAR_DIGIT || seg->ngroups == 0)
	{
		Group	   *g = &seg->group[seg->ngroups++];

		g->start = seg->ndigits;
		g->len = 0;
		g->after_dot = (r->dots == 1 && r->marks == 1);
		seg->bracket = (r->prev == WA_CHAR_OPEN);
	}
	seg->digits[seg->ndigits++] = digit;
	seg->group[seg->ngroups - 1].len++;
	r->dots = r->marks = 0;
}

/*
 * "+44 (0) 7911 ...": the zero behind the country code is not dialed from
 * abroad.
 */
static void
drop_bracketed_zero(Segment *seg)
{
	if (seg->plus && seg->bracket && seg->ngroups == 2 &&
		seg->group[0].len <= 3 && seg->group[1].len == 1 &&
		seg->digits[seg->ndigits - 1] == '0')
	{
		seg->ngroups--;
		seg->ndigits--;
	}
}

/*
 * A slash separates two numbers, except in "0812/34567890" and
 * "0812/3456/7890", where an operator's prefix stands before it like an area
 * code.  rest is what follows the slash.
 */
static bool
slash_is_inside(const Segment *seg, WaCharKind prev, const char *rest)
{
	if (prev != WA_CHAR_DIGIT ||
		wa_text_peek_char(rest, WA_CHAR_IGNORE) != WA_CHAR_DIGIT)
		return false;
	if (seg->slashed)
		return seg->ndigits <= WA_TEXT_NSN_MIN;
	return seg->ngroups == 1 && seg->ndigits == 4 && rest[0] != '0' &&
		seg->digits[0] == '0' && seg->digits[1] == '8' &&
		seg->digits[2] != '0' && seg->digits[2] != '4';
}

/* Does a WhatsApp address ("62812...@c.us") go on at s, behind the '@'? */
static bool
is_whatsapp_host(const char *s)
{
	return strncmp(s, "c.us", 4) == 0 ||
		strncmp(s, "s.whatsapp.net", 14) == 0;
}

/* The segment is complete.  True: it has a usable number, now in out. */
static bool
end_segment(Reader *r, char out[WA_NUMBER_SIZE])
{
	Segment    *seg = &r->seg;
	bool		ok;

	ok = (r->phone || !r->other) && choose_number(seg, seg->each, out);
	if (seg->ndigits >= 5)
		r->phone = r->other = false;
	seg->ndigits = seg->ngroups = seg->checked = 0;
	seg->plus = seg->doubtful = seg->slashed = seg->bracket = false;
	r->dots = r->marks = 0;
	r->plus = false;
	return ok;
}

/*
 * Read the word at p, which ends the segment.  Stores the word's length.
 * Returns as end_segment().
 */
static bool
read_word(Reader *r, const char *p, size_t *len, char out[WA_NUMBER_SIZE])
{
	char		word[16];
	size_t		n = 0;
	bool		only_x = true;
	bool		touches = (r->prev == WA_CHAR_DIGIT && r->seg.ngroups > 0);
	bool		found;

	/* An overlong word is cut and matches nothing. */
	for (*len = 0;; (*len)++)
	{
		char		c = p[*len];

		if (c >= 'A' && c <= 'Z')
			c = (char) (c - 'A' + 'a');
		if (c < 'a' || c > 'z')
			break;
		if (c != 'x')
			only_x = false;
		if (n < sizeof(word) - 1)
			word[n++] = c;
	}
	word[n] = '\0';

	r->word_fits = word_in(word, glued_words, lengthof(glued_words));
	r->word_is_o = (strcmp(word, "o") == 0);
	if (only_x || (touches && !r->word_fits))
		r->seg.doubtful = true; /* "0812345678xx", "0812345678O" */
	found = end_segment(r, out);
	if (word_in(word, phone_words, lengthof(phone_words)))
		r->phone = true;
	if (word_in(word, other_words, lengthof(other_words)))
		r->other = true;
	return found;
}

/*
 * Read the field up to its first usable number, or, with "each", all of it.
 * True: there is one.
 */
static bool
read_field(const char *input, WaNumberFn each, void *arg, char out[WA_NUMBER_SIZE])
{
	Reader		r;
	Segment    *seg = &r.seg;
	const char *p = input;
	size_t		len;
	uint32_t	cp;
	bool		any = false;

	out[0] = '\0';
	if (input == NULL)
		return false;
	memset(&r, 0, sizeof(r));
	r.prev = WA_CHAR_START;
	seg->each = each;
	seg->arg = arg;

	for (; (cp = wa_text_utf8_next(p, &len)) != 0; p += len)
	{
		char		digit = '0';
		WaCharKind	kind = wa_text_classify_char(cp, &digit);
		bool		touches = (r.prev == WA_CHAR_DIGIT && seg->ngroups > 0);
		bool		taint = false;
		bool		ends = true;

		switch (kind)
		{
			case WA_CHAR_START:
			case WA_CHAR_IGNORE:
				continue;

			case WA_CHAR_DIGIT:
				add_digit(&r, digit);
				ends = false;
				break;

			case WA_CHAR_CLOSE:
				if (r.prev == WA_CHAR_DIGIT)
					drop_bracketed_zero(seg);
				__attribute__((fallthrough));
			case WA_CHAR_SPACE:
			case WA_CHAR_DASH:
				r.marks++;
				ends = false;
				break;

			case WA_CHAR_DOT:
			case WA_CHAR_UNDERSCORE:
				r.marks++;
				r.dots++;
				/* "08123456...", "081234__" */
				if (seg->ngroups > 0 && r.dots > (kind == WA_CHAR_DOT ? 2 : 1))
					seg->doubtful = true;
				ends = false;
				break;

			case WA_CHAR_OPEN:
				/* Behind a complete number a bracket begins a remark. */
				r.marks++;
				ends = false;
				if (seg->checked != seg->ndigits)
				{
					seg->checked = seg->ndigits;
					/* only a look: whether it counts is for its end to say */
					ends = choose_number(seg, NULL, out);
				}
				break;

			case WA_CHAR_SLASH:
				if (slash_is_inside(seg, r.prev, p + len))
				{
					seg->slashed = true;
					r.marks++;
					ends = false;
				}
				break;

			case WA_CHAR_PLUS:
				/* "62+812...", "8.12E+11": what follows is a remainder. */
				taint = touches || (r.prev == WA_CHAR_LETTER && !r.word_fits);
				break;

			case WA_CHAR_BREAK:
				r.taint = false;
				break;

			case WA_CHAR_MASK:
				/* A bullet may also stand between two numbers. */
				if (touches || cp != 0x2022)
					seg->doubtful = true;
				break;

			case WA_CHAR_AT:
				if (touches && !is_whatsapp_host(p + len))
					seg->doubtful = true;	/* an e-mail address */
				break;

			case WA_CHAR_LETTER:
				any |= read_word(&r, p, &len, out);
				if (any && each == NULL)
					return true;
				ends = false;	/* is done */
				break;

			case WA_CHAR_OTHER:
				/* A character inside the number was damaged on the way. */
				if (touches &&
					wa_text_peek_char(p + len, WA_CHAR_OTHER) == WA_CHAR_DIGIT)
				{
					seg->doubtful = true;
					taint = (seg->ndigits >= 4);	/* not for "HP1:0812" */
				}
				break;
		}
		if (ends)
		{
			any |= end_segment(&r, out);
			if (any && each == NULL)
				return true;
			r.plus = (kind == WA_CHAR_PLUS);
			r.taint |= taint;
		}
		r.prev = kind;
	}

	any |= end_segment(&r, out);
	if (!any)
		out[0] = '\0';
	return any;
}

/*
 * wa_text_normalize_number
 *		Find the first number in input that can be on WhatsApp.
 *
 * input: any NUL-terminated bytes, or NULL.  On success true, and out holds
 * the number in international form, digits only ("6281234567890").  Else
 * false and out is "".
 *
 * Indonesian mobile numbers may be written in any national or international
 * way; numbers of other countries need their plus sign or 00.  Therefore the
 * result for a foreign number is only understood again with a plus before
 * it.  Allocates nothing; time is linear in the input's length.
 */
bool
wa_text_normalize_number(const char *input, char out[WA_NUMBER_SIZE])
{
	return read_field(input, NULL, NULL, out);
}

/*
 * wa_text_each_number
 *		Call a function for each number in input that can be on WhatsApp.
 *
 * In the form of wa_text_normalize_number(), whose number is the first of
 * them; a number may come more than once.  True: there is one.
 */
bool
wa_text_each_number(const char *input, WaNumberFn each, void *arg)
{
	char		last[WA_NUMBER_SIZE];

	return read_field(input, each, arg, last);
}
