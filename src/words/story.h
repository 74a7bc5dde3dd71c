/*-------------------------------------------------------------------------
 *
 * story.h
 *		Stories for people, in the language of the office.
 *
 * Face of src/words.  Reads the settings language and time_zone, writes
 * nothing but the rows of a function's result.  Numbers are masked below the
 * level admin.
 *
 * SPI connected, the database's owner acting; strings are palloc()ed in the
 * current context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_STORY_H
#define SICANTIK_WA_STORY_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "pg/said.h"

/*
 * A story in the making: rows (at timestamp, what text), or of advice (item,
 * state, what to do).
 */
typedef struct WaStory
{
	FunctionCallInfo fcinfo;
	WaLanguage	language;
	bool		full;			/* numbers unmasked: level admin */
	char	   *time_zone;		/* of the office */
	int			rows;
} WaStory;

extern void wa_story_begin(WaStory *story, FunctionCallInfo fcinfo, Oid caller);
extern void wa_story_tell(WaStory *story, TimestampTz at, WaSaid what);
extern void wa_story_advise(const WaStory *story, const char *item, const char *state,
							WaSaid what_to_do);
extern char *wa_story_words(const WaStory *story, WaSaid said);
extern char *wa_story_masked(const WaStory *story, const char *text);
extern const char *wa_story_number(const WaStory *story, const char *number);
extern const char *wa_story_state(const WaStory *story, const char *state);
extern const char *wa_story_state_words(const WaStory *story, const char *state);
extern const char *wa_story_outcome(const WaStory *story, const char *outcome);
extern const char *wa_story_action(const WaStory *story, const char *action);
extern const char *wa_story_became(const WaStory *story, const char *outcome);
extern const char *wa_story_source(const WaStory *story, WaSaid source);
extern bool wa_story_knows_reason(const char *reason);
extern const char *wa_story_reason(const WaStory *story, const char *reason);
extern const char *wa_story_cause(const WaStory *story, const char *reason, const char *detail,
								  const char *between);
extern const char *wa_story_advice(const WaStory *story, int64 message, const char *state,
								   const char *reason);
extern const char *wa_story_advice_for_all(const WaStory *story, const char *state, const char *reason);

#endif							/* SICANTIK_WA_STORY_H */
