/*-------------------------------------------------------------------------
 *
 * template_rules.c
 *		What names and template texts must look like.
 *
 * A text that Meta would not approve is no error, since the other providers
 * take any text; but whoever writes it should hear now, and not weeks later
 * from Meta, which rule it breaks.  The numbers are those of Meta's page of
 * error codes for template management.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "text/text.h"

/* Meta's limit for the body of a template, in characters. */
#define META_BODY_CHARS		1024

/* Meta's limit for the name of a named parameter. */
#define META_NAME_CHARS		20

/*
 * Meta does not publish how much fixed text a variable needs; texts with more
 * than two fixed words for each have been accepted.
 */
#define FIXED_WORDS(variables)	(2 * (variables) + 1)

/* Where the placeholders of a body are. */
typedef struct Layout
{
	const char *body;
	const char *end;			/* of the placeholder before */
	int			variables;
	int			words;			/* of fixed text */
	bool		leading;
	bool		adjacent;
	bool		long_name;
} Layout;

/* Key of a template, name of a provider. */
bool
wa_admin_key_valid(const char *key)
{
	return key[0] >= 'a' && key[0] <= 'z' && strlen(key) < NAMEDATALEN &&
		key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

/* What can stand in a placeholder. */
bool
wa_admin_parameter_valid(const char *name)
{
	return name[0] != '\0' && strlen(name) < NAMEDATALEN &&
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* Meta's language codes: "id", "en_US". */
bool
wa_admin_language_valid(const char *language)
{
	size_t		n = strspn(language, "abcdefghijklmnopqrstuvwxyz");

	if (n < 2 || n > 3)
		return false;
	if (language[n] == '\0')
		return true;
	return language[n] == '_' && strlen(language + n + 1) >= 2 &&
		strlen(language + n + 1) <= 3 &&
		language[n + 1 + strspn(language + n + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Words between two places of the body. */
static int
count_words(const char *from, const char *to)
{
	int			words = 0;

	while (from < to)
	{
		while (from < to && is_blank(*from))
			from++;
		if (from < to)
			words++;
		while (from < to && !is_blank(*from))
			from++;
	}
	return words;
}

/* The name points into the body, so the braces around it can be found. */
static void
note_placeholder(const char *name, size_t len, void *arg)
{
	Layout	   *layout = arg;
	const char *begin = name;
	const char *end = strstr(name + len, "}}") + 2;
	int			words;

	while (*begin != '{')
		begin--;
	begin--;
	words = count_words(layout->end, begin);
	if (words == 0)
	{
		if (layout->variables == 0)
			layout->leading = true;
		else
			layout->adjacent = true;
	}
	if (len > META_NAME_CHARS)
		layout->long_name = true;
	layout->words += words;
	layout->variables++;
	layout->end = end;
}

/*
 * What Meta would object to in the body of a template; returns how many
 * static sentences it has put into the array.  The placeholders must be
 * well-formed.
 */
int
wa_admin_meta_objections(const char *body,
						 const char *objections[WA_MAX_OBJECTIONS])
{
	Layout		layout = {0};
	int			trailing_words;
	int			n = 0;

	layout.body = body;
	layout.end = body;
	(void) wa_text_placeholders(body, note_placeholder, &layout);
	trailing_words = count_words(layout.end, body + strlen(body));
	layout.words += trailing_words;

	if (layout.leading)
		objections[n++] = "it begins with a variable (error 2388299)";
	if (layout.variables > 0 && trailing_words == 0)
		objections[n++] = "it ends with a variable (error 2388299)";
	if (layout.adjacent)
		objections[n++] = "two variables stand side by side";
	if (layout.variables > 0 && layout.words < FIXED_WORDS(layout.variables))
		objections[n++] = "it has too many variables for the length of its text (error 2388293)";
	if (wa_text_length(body) > META_BODY_CHARS)
		objections[n++] = "it is longer than 1024 characters";
	if (layout.long_name)
		objections[n++] = "the name of a variable is longer than 20 characters, which the named format does not allow";
	return n;
}
