/*-------------------------------------------------------------------------
 *
 * mask.c
 *		Hide the telephone numbers in a text from who must not see them.
 *
 * The other way round than number.c, which refuses what could be read in two
 * ways: what could be somebody's number is hidden, in one run of digits or in
 * groups as people write them.  What is plainly none stays whole, because who
 * may not see numbers works with these texts: dates, times, amounts, the
 * numbers of permits, ids.
 *
 * Untrusted input, changed in place: only bytes of digits become stars.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "text/charkind.h"
#include "text/numbering.h"
#include "text/text.h"
#include "text/utf8.h"

/* Digits that are a number's for certain, with a plus before them: E.164. */
#define PLUS_MIN		7
#define PLUS_MAX		15

/* Fewer digits in one run are an id, an amount, a day ... */
#define RUN_MIN			10

/* More of them are rather a program's id than a number of another country. */
#define FOREIGN_RUN_MAX	13

/* Fewer digits in groups, behind an area code, are hours: 0730 - 1600. */
#define LANDLINE_MIN	9

/* What may stand between two groups of one number: " - ". */
#define GAP_MAX			3

/* So many digits are read at once: a number, and the one behind it. */
#define MAX_DIGITS		(2 * WA_TEXT_DIAL_MAX)

/* What is shown of a number, unless fewer than HIDDEN_MIN would be hidden. */
#define SHOWN_FIRST		4
#define SHOWN_LAST		3
#define HIDDEN_MIN		4

/* A set of kinds of characters. */
#define KIND(kind)		(1u << (kind))
#define GAP_KINDS \
	(KIND(WA_CHAR_SPACE) | KIND(WA_CHAR_DOT) | KIND(WA_CHAR_DASH) | \
	 KIND(WA_CHAR_UNDERSCORE) | KIND(WA_CHAR_OPEN) | KIND(WA_CHAR_CLOSE) | KIND(WA_CHAR_SLASH))

typedef struct Group
{
	int			start;			/* index into digits[] */
	int			len;
	unsigned	gap;			/* kinds of what stands before it */
	int			width;			/* how many characters that is */
	size_t		end;			/* offset in the text */
} Group;

/* Groups of digits from one place of the text on. */
typedef struct Groups
{
	char		digits[MAX_DIGITS];
	size_t		at[MAX_DIGITS]; /* offset in the text */
	size_t		bytes[MAX_DIGITS];
	Group		group[MAX_DIGITS];
	int			n;
	bool		plus;			/* before them */
	WaCharKind	before;			/* the character before them */
} Groups;

static WaCharKind
kind_at(const char *text, char *digit, size_t *len)
{
	return wa_text_classify_char(wa_text_utf8_next(text, len), digit);
}

/*
 * Take the run of digits at text + at as a group; false if there is no room for
 * them.  Its end is known in either case.
 */
static bool
take_group(Groups *all, const char *text, size_t at)
{
	Group	   *group = &all->group[all->n];
	bool		fits = true;
	char		digit = 0;
	size_t		len;

	group->start = all->n == 0 ? 0 : group[-1].start + group[-1].len;
	group->len = 0;
	for (; kind_at(text + at, &digit, &len) == WA_CHAR_DIGIT; at += len)
	{
		int			i = group->start + group->len;

		fits = i < MAX_DIGITS;
		if (!fits)
			continue;
		all->digits[i] = digit;
		all->at[i] = at;
		all->bytes[i] = len;
		group->len++;
	}
	group->end = at;
	return fits;
}

/* What stands before the next group; false if no number has that inside. */
static bool
take_gap(Group *next, const char *text, size_t *at)
{
	WaCharKind	kind;
	char		digit;
	size_t		len;

	next->gap = 0;
	next->width = 0;
	while ((kind = kind_at(text + *at, &digit, &len)) != WA_CHAR_DIGIT)
	{
		*at += len;
		if (kind == WA_CHAR_IGNORE)
			continue;
		if ((KIND(kind) & GAP_KINDS) == 0 || ++next->width > GAP_MAX)
			return false;
		next->gap |= KIND(kind);
	}
	return true;
}

static int
value_of(const Groups *all, int i)
{
	int			value = 0;

	for (int k = 0; k < all->group[i].len; k++)
		value = value * 10 + (all->digits[all->group[i].start + k] - '0');
	return value;
}

static bool
is_day(int day, int month)
{
	return day >= 1 && day <= 31 && month >= 1 && month <= 12;
}

/* Does a day begin at this group: 2026-11-30, 30/11/2026, 30.11.26? */
static bool
begins_date(const Groups *all, int i)
{
	const Group *g = &all->group[i];
	int			value[3];

	if (i + 2 >= all->n || g[1].width != 1 || g[2].width != 1 || g[1].gap != g[2].gap ||
		(g[1].gap & (KIND(WA_CHAR_DASH) | KIND(WA_CHAR_DOT) | KIND(WA_CHAR_SLASH))) == 0 ||
		(i + 3 < all->n && g[3].gap == g[1].gap))
		return false;
	for (int k = 0; k < 3; k++)
	{
		if (g[k].len > 4)
			return false;
		value[k] = value_of(all, i + k);
	}
	if (g[0].len == 4 && g[1].len <= 2 && g[2].len <= 2)
		return value[0] / 100 >= 19 && value[0] / 100 <= 20 && is_day(value[2], value[1]);
	return g[0].len <= 2 && g[1].len <= 2 &&
		(g[2].len == 2 || (g[2].len == 4 && value[2] / 100 >= 19 && value[2] / 100 <= 20)) &&
		(is_day(value[0], value[1]) || is_day(value[1], value[0]));
}

/* Are the groups up to this one an amount below 1.000.000.000? */
static bool
is_amount(const Groups *all, int last)
{
	for (int i = 1; i <= last; i++)
		if (all->group[i].len != 3 || all->group[i].gap != KIND(WA_CHAR_DOT))
			return false;
	return all->digits[0] != '0' && all->group[last].start + 3 < RUN_MIN;
}

/* One run of n digits. */
static bool
is_number_in_one(const Groups *all, int n, WaCharKind after)
{
	const char *s = all->digits;
	char		number[WA_NUMBER_SIZE];

	if (all->plus && n >= PLUS_MIN && n <= PLUS_MAX)
		return true;
	if (n < RUN_MIN)
		return false;

	/* how Indonesian ones begin, mistyped ones too */
	if (n <= PLUS_MAX && (s[0] == '0' || s[0] == '6' || s[0] == '8'))
		return true;
	return all->before != WA_CHAR_LETTER && after != WA_CHAR_LETTER &&
		(n <= FOREIGN_RUN_MAX || s[0] == '0') &&
		wa_text_read_number(s, n, true, number) != WA_TEXT_NOT_A_NUMBER;
}

/* Do these n digits, so written, make an Indonesian mobile number? */
static bool
is_home(const char *s, int n)
{
	char		number[WA_NUMBER_SIZE];

	return wa_text_read_number(s, n, false, number) == WA_TEXT_MOBILE && memcmp(number, "62", 2) == 0;
}

/*
 * Does an Indonesian number, with its 0 or 62, begin at this group?  Then it is
 * no part of one before it: the wrong digits would be hidden.
 */
static bool
begins_home(const Groups *all, int i)
{
	const Group *g = &all->group[i];
	const char *s = all->digits + g->start;

	if (s[0] != '0' && (g->len < 2 || memcmp(s, "62", 2) != 0))
		return false;
	for (int last = i; last < all->n; last++)
		if (is_home(s, all->group[last].start + all->group[last].len - g->start))
			return true;
	return false;
}

/* The groups up to this one.  A plus before 0 is that of a time zone. */
static bool
is_number_in_groups(const Groups *all, int last, WaCharKind after)
{
	const char *s = all->digits;
	int			n = all->group[last].start + all->group[last].len;
	int			first = all->group[0].len;
	bool		plus = all->plus && s[0] != '0';
	unsigned	gaps = 0;
	char		number[WA_NUMBER_SIZE];
	WaTextNumberKind kind = wa_text_read_number(s, n, plus, number);

	if (plus)
		return kind != WA_TEXT_NOT_A_NUMBER;
	for (int i = 1; i <= last; i++)
		gaps |= all->group[i].gap;

	/* 08.30-12.00, 85.117.200.200 */
	if (is_amount(all, last) || (first < 3 && (gaps & KIND(WA_CHAR_DOT)) != 0 && memcmp(s, "62", 2) != 0))
		return false;

	/* 0812/3456/7890, 0274/512345; otherwise it is a paper's */
	if ((gaps & KIND(WA_CHAR_SLASH)) != 0)
		return all->before != WA_CHAR_SLASH && after != WA_CHAR_SLASH &&
			(is_home(s, n) || (kind == WA_TEXT_LANDLINE && last == 1 && first >= 3 && all->group[1].len > 4));
	if (is_home(s, n))
		return true;
	if (s[0] == '0' && s[1] != '0')
		return kind == WA_TEXT_LANDLINE && first >= 3 && n >= LANDLINE_MIN;

	/* 44 7911 123456: the country stands alone, or behind 00 */
	return n >= RUN_MIN && (gaps & (KIND(WA_CHAR_DOT) | KIND(WA_CHAR_UNDERSCORE))) == 0 &&
		(s[0] == '0' || first == wa_text_country_code_length(s)) &&
		wa_text_read_number(s, n, true, number) != WA_TEXT_NOT_A_NUMBER;
}

/* Hide n digits but for the first and last ones. */
static void
hide(char *text, const Groups *all, int n)
{
	int			first = n - SHOWN_LAST - HIDDEN_MIN;

	if (first > SHOWN_FIRST)
		first = SHOWN_FIRST;
	for (int i = first < 0 ? 0 : first; i < n - SHOWN_LAST; i++)
		memset(text + all->at[i], '*', all->bytes[i]);
}

/*
 * Hide the middle of the number that begins at text + at, if one does.
 * Returns how many bytes to go on for the next place where one may, 0 at the
 * end of the text.
 */
size_t
wa_text_mask_number(char *text, size_t at)
{
	Groups		all = {.before = WA_CHAR_START};
	char		digit;
	size_t		len;
	size_t		next;
	int			skip;

	if (kind_at(text + at, &digit, &len) != WA_CHAR_DIGIT)
		return len;
	if (!take_group(&all, text, at))
		return all.group[0].end - at;
	if (at > 0)
	{
		all.before = wa_text_classify_char((unsigned char) text[at - 1], &digit);
		all.plus = text[at - ((all.before == WA_CHAR_SPACE || all.before == WA_CHAR_OPEN) && at > 1 ? 2 : 1)] == '+';
	}
	do
	{
		next = all.group[all.n++].end;
	} while (all.group[all.n - 1].start + all.group[all.n - 1].len < MAX_DIGITS &&
			 take_gap(&all.group[all.n], text, &next) && take_group(&all, text, next));

	/* a day is no part of a number, nor is another number */
	skip = !all.plus && begins_date(&all, 0) ? 2 : 0;
	for (int i = 1; i < all.n; i++)
		if (begins_date(&all, i) || begins_home(&all, i))
			all.n = i;
	for (int last = skip > 0 ? -1 : all.n - 1; last >= 0; last--)
	{
		const Group *group = &all.group[last];
		WaCharKind	after = kind_at(text + group->end, &digit, &len);

		if (last == 0 ? is_number_in_one(&all, group->len, after) : is_number_in_groups(&all, last, after))
		{
			hide(text, &all, group->start + group->len);
			return group->end - at;
		}
	}
	return all.group[skip].end - at;
}
