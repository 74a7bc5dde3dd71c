/*-------------------------------------------------------------------------
 *
 * outcome.h
 *		From a verdict to the message's next state.
 *
 * Pure C: what is decided depends on what is written here, and on nothing else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_OUTCOME_H
#define SICANTIK_WA_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/gateway.h"
#include "queue/state.h"

/*
 * A message whose turn it was.  Times are microseconds of one clock, 0: none.
 */
typedef struct WaOutcomeMessage
{
	bool		fallback;		/* another provider may take it over */
	bool		fallback_when_paced;	/* also where one only asks to wait */
	bool		wants_provider; /* this one and no other */
	WaReason	refusal;		/* why another provider refused it before,
								 * since the last back-off */
	double		wait_s;			/* and the back-off that one asked for; < 0:
								 * none */
	int			waits;			/* back-off waits so far */
	int			repeats;		/* it is sent again although in doubt */
	const char *unknown_policy; /* resend, give up, hold; of one in doubt */
	int64_t		expires_at;
	int64_t		now;
	double		jitter;			/* 0.8 to 1.2: back-off waits are so long */
} WaOutcomeMessage;

/* An attempt of it that is over. */
typedef struct WaOutcomeAttempt
{
	const WaVerdict *verdict;
	int			attempt;		/* from 1 */
	int			http_status;	/* 0: none */
	bool		refuses_all;	/* the provider refuses everybody so */
	bool		blames_mapping; /* as wa_deliver_outcome_blames_mapping() says */
	bool		mapping_noted;	/* and the mapping is out of use by that */
	int			throttles;		/* times in a row that the provider said to
								 * wait, with this one */
	int64_t		unknown_wait_us;	/* how long it may tell what became of it */
} WaOutcomeAttempt;

/* How the message goes on, and what is to happen besides. */
typedef struct WaOutcomeNext
{
	WaState		state;
	WaReason	reason;
	int64_t		due_at;			/* 0: none */
	bool		in_vain;		/* it was a repeat, which came to nothing */
	bool		backs_off;		/* a wait that counts: all providers may be
								 * tried again */
	bool		goes_on;		/* at once, from the scheduler's memory */
	bool		not_here;		/* and not with this provider for now */
	double		wait_s;			/* and this back-off was asked for; < 0: none */
	double		hold_number_s;	/* nothing else to its number for so long */
	double		pause_s;		/* nothing else by its provider for so long */
} WaOutcomeNext;

/* Of a message in doubt, when the time in which a provider might tell is over. */
typedef enum WaOutcomeDoubt
{
	WA_DOUBT_REPEAT,
	WA_DOUBT_REPEATED_ALREADY,
	WA_DOUBT_MANY,				/* held: so many of its provider's are in
								 * doubt */
	WA_DOUBT_GIVE_UP,
	WA_DOUBT_HOLD,
	WA_DOUBT_TOO_LATE
} WaOutcomeDoubt;

extern bool wa_deliver_outcome_blames_mapping(const WaVerdict *verdict, bool as_template);
extern void wa_deliver_outcome_of_attempt(const WaOutcomeMessage *message, const WaOutcomeAttempt *attempt,
										  WaOutcomeNext *next);
extern void wa_deliver_outcome_of_refusals(const WaOutcomeMessage *message, WaOutcomeNext *next);
extern WaOutcomeDoubt wa_deliver_outcome_of_doubt(const WaOutcomeMessage *message, bool many_in_doubt,
												  WaOutcomeNext *next);

#endif							/* SICANTIK_WA_OUTCOME_H */
