/*-------------------------------------------------------------------------
 *
 * story.h
 *		Sentences for people, in Indonesian and English.
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

typedef enum WaSentence
{
	WA_SAY_MADE_BY_SCENARIO,
	WA_SAY_MADE_BY_HAND,
	WA_SAY_TEXT_BY_HAND,
	WA_SAY_ABOUT,
	WA_SAY_TO_NUMBER,
	WA_SAY_TO_PARTNER,
	WA_SAY_TO_NOBODY,
	WA_SAY_NUMBER_PURGED,
	WA_SAY_NOT_BEFORE,
	WA_SAY_NOT_AFTER,
	WA_SAY_HELD_UNTIL,
	WA_SAY_UNWRITTEN_UNTIL,
	WA_SAY_ADRIFT,
	WA_SAY_ADRIFT_ADVICE,
	WA_SAY_NEXT_ATTEMPT,
	WA_SAY_DOUBT_RESEND,
	WA_SAY_DOUBT_HOLD,
	WA_SAY_DOUBT_END,
	WA_SAY_DOUBT_ADVICE,
	WA_SAY_PROVIDER_TROUBLE,
	WA_SAY_PROVIDER_TEST,
	WA_SAY_ROUTE,
	WA_SAY_ATTEMPT,
	WA_SAY_ATTEMPT_ELSEWHERE,
	WA_SAY_ANSWER,
	WA_SAY_SENT,
	WA_SAY_SENT_WITHOUT_ID,
	WA_SAY_DELIVERED,
	WA_SAY_READ,
	WA_SAY_REQUESTED,
	WA_SAY_STATE,
	WA_SAY_REASON,
	WA_SAY_ADVICE,
	WA_SAY_MESSAGE,
	WA_SAY_OUTCOME,
	WA_SAY_DEAD_LETTER,
	WA_SAY_UNREAD,
	WA_SAY_CONSENT_IN,
	WA_SAY_CONSENT_OUT,
	WA_SAY_INBOUND,
	WA_SAY_NUMBER_REFUSED,
	WA_SAY_PARTNER_REFUSED,
	WA_SAY_FOUND,
	WA_SAY_UNSEEN,
	WA_SAY_AS_IT_IS,
	WA_SAY_WOULD_SAY,
	WA_SAY_NAMED_CONTACT,
	WA_SAY_NAMED_APPLICANT,
	WA_SAY_NAMED_MORE,
	WA_SAY_NOTHING,
	WA_SAY_TEMPLATE_MISSING,
	WA_SAY_TEMPLATE_INACTIVE,
	WA_SAY_PARTNER_MISSING,
	WA_SAY_PERMIT_MISSING,
	WA_SAY_NUMBER_CHOSEN,
	WA_SAY_NO_NUMBER,
	WA_SAY_NOTE,
	WA_SAY_WINDOW_OPEN,
	WA_SAY_WINDOW_CLOSED,
	WA_SAY_WINDOW_USED,
	WA_SAY_TEXT,
	WA_SAY_VALUES_MISSING,
	WA_SAY_SETTING_MISSING,
	WA_SAY_PARAMS,
	WA_SAY_AS_TEXT,
	WA_SAY_NOT_SENT,
	WA_SAY_WOULD_WAIT,
	WA_SAY_MODE_STOPPED,
	WA_SAY_MODE_OBSERVE,
	WA_SAY_MODE_TEST,
	WA_SAY_MODE_LIVE,
	WA_SAY_COUNT
} WaSentence;

/*
 * A story in the making: rows (at timestamp, what text), or of advice (item,
 * state, what to do).
 */
typedef struct WaStory
{
	FunctionCallInfo fcinfo;
	bool		indonesian;
	bool		full;			/* numbers unmasked: level admin */
	char	   *time_zone;		/* of the office */
	int			rows;
} WaStory;

extern void wa_story_begin(WaStory *story, FunctionCallInfo fcinfo, Oid caller);
extern char *wa_story_words(const WaStory *story, WaSentence sentence,
							const char *first, const char *second, const char *third);
extern void wa_story_tell(WaStory *story, TimestampTz at, const char *what);
extern void wa_story_advise(const WaStory *story, const char *item, const char *state,
							const char *what_to_do);
extern char *wa_story_masked(const WaStory *story, const char *text);
extern const char *wa_story_state(const WaStory *story, const char *state);
extern const char *wa_story_outcome(const WaStory *story, const char *outcome);
extern const char *wa_story_action(const WaStory *story, const char *action);
extern const char *wa_story_phrase(const WaStory *story, const char *english);
extern bool wa_story_knows_reason(const char *reason);
extern const char *wa_story_reason(const WaStory *story, const char *reason);
extern const char *wa_story_cause(const WaStory *story, const char *reason, const char *detail,
								  const char *between);
extern const char *wa_story_advice(const WaStory *story, int64 message, const char *state,
								   const char *reason);

#endif							/* SICANTIK_WA_STORY_H */
