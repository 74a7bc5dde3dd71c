/*-------------------------------------------------------------------------
 *
 * meta_template.c
 *		What Meta asks of a template: its name, its text.
 *
 * A text that Meta would not approve is no error, since the other providers
 * take any text; but whoever writes it should hear now, and not weeks later
 * from Meta, which rule it breaks.  The numbers are those of Meta's page of
 * error codes for template management.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gateway/meta.h"

/* Meta's limit for the body of a template, in characters. */
#define BODY_CHARS		1024

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

/* WaGateway's refuse_name. */
const char *
wa_gateway_meta_refuse_name(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0' ? NULL :
		"Such names have lower-case letters, digits and \"_\" only.";
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
	if (len > WA_META_PARAM_NAME)
		layout->long_name = true;
	layout->words += words;
	layout->variables++;
	layout->end = end;
}

/* WaGateway's object. */
int
wa_gateway_meta_object(const char *body,
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
	if (wa_text_length(body) > BODY_CHARS)
		objections[n++] = "it is longer than 1024 characters";
	if (layout.long_name)
		objections[n++] = "the name of a variable is longer than 20 characters, which the named format does not allow";
	return n;
}
