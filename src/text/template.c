/*-------------------------------------------------------------------------
 *
 * template.c
 *		Template text: placeholders, rendering, clean values, length.
 *
 * The constraint: values are citizens' data and anybody's typing.  They are
 * inserted as they are and never looked at again, so a value that contains
 * "{{...}}" stays text.
 *
 * A placeholder is {{name}}; the name consists of a-z, 0-9 and underscore,
 * and blanks or tabs around it are tolerated.  Everything else, a single
 * brace or a stray "}}" included, is ordinary text.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/text.h"
#include "text/utf8.h"

/* What is shown for a value that is empty. */
#define STAND_IN	"-"

/* One piece of a template; see next_piece(). */
typedef struct Piece
{
	const char *text;			/* ordinary text before the placeholder */
	size_t		text_len;
	const char *name;			/* NULL: no placeholder follows, the end */
	size_t		name_len;
} Piece;

/*
 * Take the next piece of the template from *pos, and advance *pos.  Returns
 * false for a malformed placeholder.
 */
static bool
next_piece(const char **pos, Piece *piece)
{
	const char *open = strstr(*pos, "{{");
	const char *p;

	piece->text = *pos;
	piece->name = NULL;
	piece->name_len = 0;
	if (open == NULL)
	{
		piece->text_len = strlen(*pos);
		*pos += piece->text_len;
		return true;
	}
	piece->text_len = (size_t) (open - *pos);

	p = open + 2;
	while (*p == ' ' || *p == '\t')
		p++;
	piece->name = p;
	while ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_')
		p++;
	piece->name_len = (size_t) (p - piece->name);
	if (piece->name_len == 0)
		return false;
	while (*p == ' ' || *p == '\t')
		p++;
	if (p[0] != '}' || p[1] != '}')
		return false;
	*pos = p + 2;
	return true;
}

/*
 * wa_text_placeholders
 *		Call fn for each placeholder of body, in order of appearance.
 *
 * A name that appears twice is reported twice.  The name given to fn is not
 * NUL-terminated and points into body.  fn may be NULL, to check only.
 *
 * Returns false if a placeholder is malformed: not closed, or without a
 * proper name.  Those before it have then been reported.
 */
bool
wa_text_placeholders(const char *body, WaPlaceholderFn fn, void *arg)
{
	Piece		piece;

	while (*body != '\0')
	{
		if (!next_piece(&body, &piece))
			return false;
		if (piece.name != NULL && fn != NULL)
			fn(piece.name, piece.name_len, arg);
	}
	return true;
}

/* The value of a name, or NULL.  Of two pairs of one name the first counts. */
static const char *
find_value(const WaPair *values, size_t nvalues, const Piece *piece)
{
	size_t		i;

	for (i = 0; i < nvalues; i++)
	{
		const char *name = values[i].name;

		if (name != NULL &&
			strncmp(name, piece->name, piece->name_len) == 0 &&
			name[piece->name_len] == '\0')
			return values[i].value;
	}
	return NULL;
}

/* Is the name already in the list "a, b"? */
static bool
is_listed(const char *list, size_t list_len, const Piece *piece)
{
	const char *p = list;
	const char *end = list + list_len;

	while (p < end)
	{
		const char *comma = memchr(p, ',', (size_t) (end - p));
		size_t		len = (size_t) ((comma ? comma : end) - p);

		if (len == piece->name_len && memcmp(p, piece->name, len) == 0)
			return true;
		if (comma == NULL)
			break;
		p = comma + 2;			/* ", " */
	}
	return false;
}

/*
 * List the placeholders without a value: "a, b", each once, in order of
 * appearance.  malloc()ed; "" if none is missing, NULL if out of memory.
 * body is known to be well-formed.
 */
static char *
list_missing(const char *body, const WaPair *values, size_t nvalues)
{
	const char *pos = body;
	Piece		piece;
	char	   *list;
	size_t		len = 0;

	/*
	 * The list cannot get longer than the body: a name takes four braces
	 * there and two separating characters here.
	 */
	list = malloc(strlen(body) + 1);
	if (list == NULL)
		return NULL;
	while (*pos != '\0')
	{
		if (!next_piece(&pos, &piece) || piece.name == NULL)
			break;
		if (find_value(values, nvalues, &piece) != NULL ||
			is_listed(list, len, &piece))
			continue;
		if (len > 0)
		{
			list[len++] = ',';
			list[len++] = ' ';
		}
		memcpy(list + len, piece.name, piece.name_len);
		len += piece.name_len;
	}
	list[len] = '\0';
	return list;
}

/*
 * wa_text_render
 *		Replace each placeholder of body by its value, literally.
 *
 * Returns the text, malloc()ed.  NULL if it cannot be rendered; then
 *	- *missing is a malloc()ed list "a, b" of the names that have no value
 *	  (not among values, or value NULL), or
 *	- *missing is NULL and errno is EINVAL (a malformed placeholder) or ENOMEM.
 * missing itself may be NULL if the caller does not want to know.  After
 * success *missing is NULL.
 */
char *
wa_text_render(const char *body, const WaPair *values, size_t nvalues,
			   char **missing)
{
	const char *pos;
	Piece		piece;
	size_t		total = 0;
	bool		complete = true;
	char	   *result;
	char	   *to;

	if (missing != NULL)
		*missing = NULL;

	/* First measure ... */
	for (pos = body; *pos != '\0';)
	{
		const char *value = NULL;
		size_t		len;

		if (!next_piece(&pos, &piece))
		{
			errno = EINVAL;
			return NULL;
		}
		if (piece.name != NULL)
		{
			value = find_value(values, nvalues, &piece);
			if (value == NULL)
				complete = false;
		}
		len = value != NULL ? strlen(value) : 0;
		if (len > SIZE_MAX / 2 - piece.text_len ||
			total > SIZE_MAX / 2 - piece.text_len - len)
		{
			errno = ENOMEM;
			return NULL;
		}
		total += piece.text_len + len;
	}
	if (!complete)
	{
		if (missing != NULL)
		{
			*missing = list_missing(body, values, nvalues);
			if (*missing == NULL)
				errno = ENOMEM;
		}
		return NULL;
	}

	/* ... then copy. */
	result = malloc(total + 1);
	if (result == NULL)
	{
		errno = ENOMEM;
		return NULL;
	}
	to = result;
	for (pos = body; *pos != '\0';)
	{
		(void) next_piece(&pos, &piece);
		memcpy(to, piece.text, piece.text_len);
		to += piece.text_len;
		if (piece.name != NULL)
		{
			const char *value = find_value(values, nvalues, &piece);
			size_t		len = strlen(value);

			memcpy(to, value, len);
			to += len;
		}
	}
	*to = '\0';
	return result;
}

/* White space, line ends and control characters. */
static bool
is_blank(uint32_t cp)
{
	return cp <= 0x20 || (cp >= 0x7f && cp <= 0xa0) || cp == 0x1680 ||
		(cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 ||
		cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

/*
 * Characters that show nothing alone.  They are kept, because emoji and some
 * scripts are made with them, but they do not make a value.
 */
static bool
is_invisible(uint32_t cp)
{
	return cp == 0xad || cp == 0x34f || cp == 0x61c || cp == 0x180e ||
		(cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
		(cp >= 0x2060 && cp <= 0x206f) || (cp >= 0xfe00 && cp <= 0xfe0f) ||
		cp == 0x115f || cp == 0x1160 || cp == 0x2800 || cp == 0x3164 ||
		cp == 0xfeff || cp == 0xffa0;
}

/*
 * wa_text_clean_value
 *		Make a value fit for a template parameter.
 *
 * Meta refuses a parameter that is empty (error 131008) or contains a line
 * end, a tab or more than four blanks in a row.  So each run of white space
 * and control characters becomes one blank, those at the ends go, and what is
 * empty, blank, invisible or NULL becomes "-".  Bytes that are not UTF-8
 * become U+FFFD: the value goes into JSON.
 *
 * Returns a malloc()ed string of one visible character at least, or NULL if
 * out of memory.  Cleaning a clean value changes nothing.
 */
char *
wa_text_clean_value(const char *value)
{
	const char *p;
	char	   *result;
	char	   *to;
	size_t		size = sizeof(STAND_IN);
	size_t		len;
	uint32_t	cp;
	bool		visible = false;
	bool		gap = false;

	if (value == NULL)
		value = "";
	for (p = value; (cp = wa_text_utf8_next(p, &len)) != 0; p += len)
		size += cp == WA_TEXT_UTF8_INVALID ? 3 : len;

	result = malloc(size);
	if (result == NULL)
		return NULL;
	to = result;
	for (p = value; (cp = wa_text_utf8_next(p, &len)) != 0; p += len)
	{
		/* what most values are made of is neither blank nor invisible */
		if (!gap && cp > ' ' && cp < 0x7f)
		{
			*to++ = *p;
			visible = true;
			continue;
		}
		if (is_blank(cp))
		{
			gap = true;
			continue;
		}
		if (gap && to > result)
			*to++ = ' ';
		gap = false;
		if (!is_invisible(cp))
			visible = true;
		if (cp == WA_TEXT_UTF8_INVALID)
		{
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
		}
		else
		{
			memcpy(to, p, len);
			to += len;
		}
	}
	*to = '\0';
	if (!visible)
		strcpy(result, STAND_IN);
	return result;
}

/*
 * wa_text_length
 *		Length in characters (Unicode code points), as the providers count.
 *
 * A byte that is not UTF-8 counts as one.  NULL has length 0.
 */
size_t
wa_text_length(const char *utf8)
{
	size_t		count = 0;
	size_t		len;

	if (utf8 == NULL)
		return 0;
	for (; (void) wa_text_utf8_next(utf8, &len), len > 0; utf8 += len)
		count++;
	return count;
}
