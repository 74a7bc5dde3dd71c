/*-------------------------------------------------------------------------
 *
 * said.c
 *		Sentences (text/say.h) where there is PostgreSQL: made, joined, stored.
 *
 * Rows are anybody's input.  What stands beside the words of a sentence counts
 * only if it says just that: not after somebody has changed the words alone,
 * and not if a newer version wrote a key that this one does not know.  Then
 * the words are shown as they are, in English.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "pg/pg_compat.h"
#include "pg/said.h"

/* See wa_say(). */
WaSaid
wa_said_make(WaSay key, int n, const void *const *values)
{
	size_t		size;

	if (n == 0)
		return wa_text_say_plain(key);
	size = wa_text_say_size(key, n, values);
	return wa_text_say_write(palloc(size), size, key, n, values);
}

/*
 * What somebody else said, in his words; NULL for NULL.
 */
WaSaid
wa_said_quote(const char *text)
{
	return text ? wa_say(WA_SAY_QUOTE, text) : NULL;
}

/*
 * A statement to type, the same in all languages.
 */
WaSaid
wa_said_statement(const char *format,...)
{
	StringInfoData statement;
	va_list		args;

	initStringInfo(&statement);
	for (;;)
	{
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&statement, format, args);
		va_end(args);
		if (needed == 0)
			return wa_said_quote(statement.data);
		enlargeStringInfo(&statement, needed);
	}
}

/*
 * One after the other, with "; " between them in words; each may be NULL.
 * palloc()ed if both are there.
 */
WaSaid
wa_said_and(WaSaid first, WaSaid second)
{
	if (first == NULL || second == NULL)
		return first ? first : second;
	return (WaSaid) (const void *) psprintf("%s%s", (const char *) first, (const char *) second);
}

/* A copy in the current context; NULL for NULL. */
WaSaid
wa_said_copy(WaSaid said)
{
	return said ? (WaSaid) pstrdup((const char *) said) : NULL;
}

/*
 * In words, palloc()ed; NULL for NULL.
 */
char *
wa_said_words(WaSaid said, WaLanguage language)
{
	char		room[512];		/* enough, nearly always */
	size_t		size;
	char	   *words;

	if (said == NULL)
		return NULL;
	size = wa_text_say_words(room, sizeof(room), said, language) + 1;
	if (size <= sizeof(room))
		return memcpy(palloc(size), room, size);
	words = palloc(size);
	(void) wa_text_say_words(words, size, said, language);
	return words;
}

/* In English, palloc()ed; NULL for NULL. */
char *
wa_said_english(WaSaid said)
{
	return wa_said_words(said, WA_ENGLISH);
}

static void
push_text(WaJsonbInState *json, JsonbIteratorToken as, const char *text, size_t len)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, text);
	value.val.string.len = (int) len;
	wa_jsonb_push(json, as, &value);
}

/* A value as JSON: a text, or what is said. */
static void
push_value(WaJsonbInState *json, JsonbIteratorToken as, const char *text, const char *end)
{
	WaSaidPart	part;
	const char *next = wa_text_say_next(text, end, &part);
	bool		several = next != NULL && next < end;

	check_stack_depth();
	if (next == NULL)
	{
		push_text(json, as, text, end - text);
		return;
	}
	if (several)
	{
		wa_jsonb_push(json, WJB_BEGIN_ARRAY, NULL);
		as = WJB_ELEM;
	}
	while (next)
	{
		if (part.key == WA_SAY_QUOTE)
			push_value(json, as, part.values[0], part.values[0] + part.lengths[0]);
		else
		{
			char	   *name = pstrdup(wa_text_say_name(part.key));

			for (char *p = name; *p; p++)
				*p = pg_tolower((unsigned char) *p);
			wa_jsonb_push(json, WJB_BEGIN_OBJECT, NULL);
			push_text(json, WJB_KEY, "say", 3);
			push_text(json, WJB_VALUE, name, strlen(name));
			if (part.n > 0)
			{
				push_text(json, WJB_KEY, "of", 2);
				wa_jsonb_push(json, WJB_BEGIN_ARRAY, NULL);
				for (int i = 0; i < part.n; i++)
					push_value(json, WJB_ELEM, part.values[i], part.values[i] + part.lengths[i]);
				wa_jsonb_push(json, WJB_END_ARRAY, NULL);
			}
			wa_jsonb_push(json, WJB_END_OBJECT, NULL);
		}
		next = next < end ? wa_text_say_next(next, end, &part) : NULL;
	}
	if (several)
		wa_jsonb_push(json, WJB_END_ARRAY, NULL);
}

/*
 * As it is stored beside its words; false if these say all: there is nothing
 * said, or what others said.
 */
static bool
as_jsonb(WaSaid said, Datum *jsonb)
{
	const char *text = (const char *) said;
	const char *end = text ? text + strlen(text) : NULL;
	WaSaidPart	part;
	WaJsonbInState json = {0};

	*jsonb = (Datum) 0;
	if (text == NULL || (wa_text_say_next(text, end, &part) == end && part.key == WA_SAY_QUOTE))
		return false;
	push_value(&json, WJB_ELEM, text, end);
	*jsonb = JsonbPGetDatum(JsonbValueToJsonb(json.result));
	return true;
}

static Datum
make_words(const void *member, bool *isnull)
{
	char	   *words = wa_said_english(*(const WaSaid *) member);

	*isnull = words == NULL;
	return words ? CStringGetTextDatum(words) : (Datum) 0;
}

static Datum
make_said(const void *member, bool *isnull)
{
	Datum		jsonb;

	*isnull = !as_jsonb(*(const WaSaid *) member, &jsonb);
	return jsonb;
}

/*
 * Bind a sentence: its words, and jsonb as the next parameter; NULL binds two
 * SQL NULLs.
 */
void
wa_arg_said(WaArgs *args, WaSaid said)
{
	Datum		jsonb;
	bool		isnull = !as_jsonb(said, &jsonb);

	wa_arg_text(args, wa_said_english(said));
	wa_arg_datum(args, JSONBOID, jsonb, isnull);
}

/*
 * The same for an array of them: two arrays.
 */
void
wa_arg_said_array(WaArgs *args, const WaSaid *said, int n)
{
	wa_arg_members(args, &wa_said_row_words, said, sizeof(*said), n);
	wa_arg_members(args, &wa_said_row_type, said, sizeof(*said), n);
}

/* Sentences of ours are not that deep. */
#define MOST_LEVELS		32

static WaSaid from_container(JsonbContainer *container, int level);

/* A value of a sentence, from JSON; NULL if it is none. */
static const void *
value_from(JsonbValue *value, int level)
{
	if (value && value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	return value && value->type == jbvBinary ? (const void *) from_container(value->val.binary.data, level + 1) : NULL;
}

/* One sentence: {"say": key, "of": [values]}. */
static WaSaid
from_object(JsonbContainer *object, int level)
{
	JsonbValue	found[2];
	JsonbValue *name = getKeyJsonValueFromContainer(object, "say", 3, &found[0]);
	JsonbValue *of = getKeyJsonValueFromContainer(object, "of", 2, &found[1]);
	const void *values[WA_SAY_MAX_VALUES];
	WaSay		key;
	int			n;

	if (name == NULL || name->type != jbvString ||
		!wa_text_say_find(name->val.string.val, name->val.string.len, &key, &n))
		return NULL;
	if (n > 0 && (of == NULL || of->type != jbvBinary ||
				  !JsonContainerIsArray(of->val.binary.data) ||
				  JsonContainerSize(of->val.binary.data) != n))
		return NULL;
	for (int i = 0; i < n; i++)
		if ((values[i] = value_from(getIthJsonbValueFromContainer(of->val.binary.data, i), level)) == NULL)
			return NULL;
	return wa_said_make(key, n, values);
}

/* What is said, from JSON; NULL if it is nothing that we know. */
static WaSaid
from_container(JsonbContainer *container, int level)
{
	WaSaid		said = NULL;

	if (level > MOST_LEVELS)
		return NULL;
	if (JsonContainerIsObject(container))
		return from_object(container, level);
	for (uint32 i = 0; i < JsonContainerSize(container); i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(container, i);
		const void *value = value_from(element, level);

		if (value == NULL)
			return NULL;
		said = wa_said_and(said, element->type == jbvString ? wa_said_quote(value) : (WaSaid) value);
	}
	return said;
}

/*
 * Read a sentence from its words and, in the next column, what they say;
 * palloc()ed; NULL if there are no words.
 */
WaSaid
wa_row_said(WaRows rows, uint64 row, int column)
{
	char	   *words = wa_row_text(rows, row, column);
	WaSaid		said = NULL;

	if (words == NULL)
		return NULL;
	/* somebody may have made another type of it */
	if (SPI_gettypeid(rows.table->tupdesc, column + 1) == JSONBOID && !wa_row_isnull(rows, row, column + 1))
		said = from_container(&DatumGetJsonbP(wa_row_datum(rows, row, column + 1))->root, 0);
	return said && strcmp(wa_said_english(said), words) == 0 ? said : wa_said_quote(words);
}

static void
read_words(Datum value, bool isnull, void *member)
{
	*(WaSaid *) member = isnull ? NULL : wa_said_quote(TextDatumGetCString(value));
}

/* Comes behind its words, and counts if it says the same. */
static void
read_said(Datum value, bool isnull, void *member)
{
	WaSaid	   *words = member;
	WaSaid		said = isnull || *words == NULL ? NULL : from_container(&DatumGetJsonbP(value)->root, 0);

	if (said && strcmp(wa_said_english(said), wa_said_english(*words)) == 0)
		*words = said;
}

const WaType wa_said_row_words = {TEXTOID, TEXTARRAYOID, make_words, read_words, wa_row_same_text};
const WaType wa_said_row_type = {JSONBOID, JSONBARRAYOID, make_said, read_said, wa_row_same_text};

/* The last error that says something, kept for whoever catches it. */
static char *raised = NULL;

/*
 * The message of an error that says this, in English as all errors are; whoever
 * catches it finds out what it says.
 */
char *
wa_said_message(WaSaid said)
{
	char	   *kept = MemoryContextStrdup(TopMemoryContext, (const char *) said);

	if (raised)
		pfree(raised);
	raised = kept;
	return wa_said_english(said);
}

/* The same for ereport(), instead of errmsg(). */
int
wa_said_errmsg(WaSaid said)
{
	return errmsg_internal("%s", wa_said_message(said));
}

/*
 * What an error that was caught says, palloc()ed.
 */
WaSaid
wa_said_of_error(const ErrorData *error)
{
	if (raised && strcmp(wa_said_english((WaSaid) raised), error->message) == 0)
		return wa_said_copy((WaSaid) raised);
	return wa_said_quote(error->message);
}
