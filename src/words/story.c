/*-------------------------------------------------------------------------
 *
 * story.c
 *		Stories for people, in the language of the office.
 *
 * What is said is a WaSaid (text/say.h) until it is told here, in the language
 * that the setting "language" chooses.  Names that are stored (states, reasons,
 * outcomes) have words of their own, in the same catalogue.
 *
 * Citizens' numbers are masked except for the level admin, wherever they stand
 * in a sentence: a provider's answer may repeat them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "funcapi.h"
#include "utils/tuplestore.h"
#include "gateway/gateway.h"
#include "office/setting.h"
#include "pg/call.h"
#include "text/text.h"
#include "words/story.h"

/* A name that is stored, in words and with what one can do, by language. */
typedef struct StoredName
{
	const char *name;			/* stored in lower case */
	const char *words[2];
	const char *advice[2];		/* NULL: none of its own */
} StoredName;

static const StoredName states[] = {
#define STATE(name, english, indonesian, advice, nasihat) {#name, {english, indonesian}, {advice, nasihat}},
#include "text/words_reasons.def"
};

static const StoredName reasons[] = {
#define REASON(name, english, indonesian, advice, nasihat) {#name, {english, indonesian}, {advice, nasihat}},
#include "text/words_reasons.def"
};

/* What became of one attempt. */
static const StoredName outcomes[] = {
#define OUTCOME(name, english, indonesian) {#name, {english, indonesian}, {NULL, NULL}},
#include "text/words_reasons.def"
};

static const StoredName actions[] = {
#define ACTION(name, english, indonesian) {#name, {english, indonesian}, {NULL, NULL}},
#include "text/words_reasons.def"
};

/* What became of an event that made no message. */
static const StoredName became[] = {
#define BECAME(name, english, indonesian) {#name, {english, indonesian}, {NULL, NULL}},
#include "text/words_reasons.def"
};

/* Where a number was taken from, but for columns. */
static const StoredName sources[] = {
#define SOURCE(name, english, indonesian) {#name, {english, indonesian}, {NULL, NULL}},
#include "text/words_reasons.def"
};

/* Is this the name, which is stored in lower case, with blanks? */
static bool
is_name(const char *upper, const char *name)
{
	while (*upper && (pg_ascii_tolower((unsigned char) *upper) == (unsigned char) *name || (*upper == '_' && *name == ' ')))
	{
		upper++;
		name++;
	}
	return *upper == *name;
}

static const StoredName *
find(const StoredName *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (is_name(names[i].name, name))
			return &names[i];
	return NULL;
}

#define FIND(names, name)	find(names, lengthof(names), name)

/* In words, or as it is if it is not known. */
static const char *
in_words(const WaStory *story, const StoredName *found, const char *name)
{
	return found ? found->words[story->language] : name;
}

/* In words, with its own name where they differ. */
static const char *
with_name(const WaStory *story, const StoredName *found, const char *name)
{
	const char *words = in_words(story, found, name);

	return strcmp(words, name) == 0 ? name : psprintf("%s (%s)", words, name);
}

/*
 * Begin; caller: the role whose level decides whether numbers are masked.
 */
void
wa_story_begin(WaStory *story, FunctionCallInfo fcinfo, Oid caller)
{
	story->fcinfo = fcinfo;
	story->language = wa_office_language();
	story->full = wa_call_level(caller) >= WA_LEVEL_ADMIN;
	story->time_zone = wa_office_get("time_zone");
	story->rows = 0;
}

/*
 * What is said, in the language of the story, palloc()ed; NULL for NULL.
 */
char *
wa_story_words(const WaStory *story, WaSaid said)
{
	return wa_said_words(said, story->language);
}

/*
 * The text with the middle of every phone number masked, unless the caller may
 * see them: what could be one (text/mask.c), or stands in a provider's message
 * id.
 */
char *
wa_story_masked(const WaStory *story, const char *text)
{
	char	   *masked = pstrdup(text);
	size_t		at = 0;

	while (!story->full && masked[at])
	{
		size_t		from;
		size_t		count;
		size_t		id_len = wa_gateway_telling_id(masked + at, &from, &count);

		if (id_len > 0)
			memset(masked + at + from, '*', count);
		at += id_len > 0 ? id_len : wa_text_mask_number(masked, at);
	}
	return masked;
}

/*
 * The same of what is known to be a number, of any country; NULL for NULL.
 */
const char *
wa_story_number(const WaStory *story, const char *number)
{
	return number ? wa_story_masked(story, psprintf("+%s", number)) + 1 : NULL;
}

/*
 * Add a row; at 0: no time.  It is told as the office's clock shows it.
 */
void
wa_story_tell(WaStory *story, TimestampTz at, WaSaid what)
{
	ReturnSetInfo *rsinfo;
	Datum		values[2];
	bool		nulls[2] = {at == 0, false};

	/* somebody looks, and tells nobody */
	if (story->fcinfo == NULL)
		return;
	rsinfo = (ReturnSetInfo *) story->fcinfo->resultinfo;
	values[0] = TimestampGetDatum(wa_office_time_on_wall(at, story->time_zone));
	values[1] = CStringGetTextDatum(wa_story_masked(story, wa_story_words(story, what)));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	story->rows++;
}

/*
 * Add a row of advice.  Item and state are for programs too and always the
 * same.  what_to_do: NULL if there is nothing.
 */
void
wa_story_advise(const WaStory *story, const char *item, const char *state, WaSaid what_to_do)
{
	wa_call_say(story->fcinfo, item, state, what_to_do == NULL ? NULL :
				wa_story_masked(story, wa_story_words(story, what_to_do)));
}

/* A state in words, with its own name. */
const char *
wa_story_state(const WaStory *story, const char *state)
{
	const StoredName *found = FIND(states, state);

	return found ? psprintf("%s (%s)", in_words(story, found, state), state) : state;
}

/* A state in words alone, for who has no use for its name. */
const char *
wa_story_state_words(const WaStory *story, const char *state)
{
	return in_words(story, FIND(states, state), state);
}

/* The outcome of an attempt in words, with its own name. */
const char *
wa_story_outcome(const WaStory *story, const char *outcome)
{
	return with_name(story, FIND(outcomes, outcome), outcome);
}

/* What somebody asked the worker to do, in words, with its own name. */
const char *
wa_story_action(const WaStory *story, const char *action)
{
	return with_name(story, FIND(actions, action), action);
}

/* What became of an event, in words. */
const char *
wa_story_became(const WaStory *story, const char *outcome)
{
	return in_words(story, FIND(became, outcome), outcome);
}

/* Where a number was taken from, in words; NULL: nobody knows. */
const char *
wa_story_source(const WaStory *story, WaSaid source)
{
	char	   *name = wa_said_english(source);
	const StoredName *found = name ? FIND(sources, name) : NULL;

	return found ? in_words(story, found, name) : wa_story_words(story, source);
}

/*
 * Is this a reason code of the ledger's?
 */
bool
wa_story_knows_reason(const char *reason)
{
	return FIND(reasons, reason) != NULL;
}

/* A reason code in words; one that is not known as it is. */
const char *
wa_story_reason(const WaStory *story, const char *reason)
{
	return in_words(story, FIND(reasons, reason), reason);
}

/* Does the sentence begin with these words? */
static bool
begins_with(const char *sentence, const char *words)
{
	return strncmp(sentence, words, strlen(words)) == 0;
}

/* Up to its first colon, what the sentence is about: "mode observe". */
static bool
same_subject(const char *a, const char *b)
{
	const char *colon = strchr(a, ':');

	return colon && strncmp(a, b, colon - a + 1) == 0;
}

/*
 * A reason code and what is known beyond it (each may be NULL, the detail is
 * in the language of the story) as one sentence that says nothing twice.
 */
const char *
wa_story_cause(const WaStory *story, const char *reason, const char *detail, const char *between)
{
	const char *words = reason ? wa_story_reason(story, reason) : NULL;

	if (words == NULL || detail == NULL)
		return words ? words : detail;
	if (begins_with(words, detail))
		return words;
	if (begins_with(detail, words) || same_subject(detail, words))
		return detail;
	return psprintf("%s%s%s", words, between, detail);
}

/* The catalogue's advice, in which {1} stands for a message; NULL: none. */
static const char *
advice_of(const WaStory *story, const char *state, const char *reason)
{
	const StoredName *found = reason ? FIND(reasons, reason) : NULL;

	if (found == NULL || found->advice[story->language] == NULL)
		found = FIND(states, state);
	return found ? found->advice[story->language] : NULL;
}

static char *
filled_in(const char *advice, const char *message)
{
	StringInfoData words;

	if (advice == NULL)
		return NULL;
	initStringInfo(&words);
	for (const char *p = advice; *p; p++)
	{
		if (strncmp(p, "{1}", 3) != 0)
		{
			appendStringInfoChar(&words, *p);
			continue;
		}
		appendStringInfoString(&words, message);
		p += 2;
	}
	return words.data;
}

/* What one can do about this message; NULL: nothing. */
const char *
wa_story_advice(const WaStory *story, int64 message, const char *state, const char *reason)
{
	return filled_in(advice_of(story, state, reason), psprintf(INT64_FORMAT, message));
}

/* The same of whichever message has this state and reason. */
const char *
wa_story_advice_for_all(const WaStory *story, const char *state, const char *reason)
{
	return filled_in(advice_of(story, state, reason), "id");
}
