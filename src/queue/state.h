/*-------------------------------------------------------------------------
 *
 * state.h
 *		States of a message, their reasons, and which changes are legal.
 *
 * The one place where states and reasons have names: C uses the enums, a
 * statement WA_SQL_STATE() and the sets below.  What may become of a message,
 * why, and by which kind of change is a table in state.c, from which
 * docs/architecture.md is drawn and by which the ledger refuses everything
 * else (law.c).
 *
 * Pure C: no PostgreSQL here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_STATE_H
#define SICANTIK_WA_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export.h"

/* ---- names, as they are stored ---- */

#define WA_STATE_NAME_QUEUED		"queued"
#define WA_STATE_NAME_SENDING		"sending"
#define WA_STATE_NAME_SENT			"sent"
#define WA_STATE_NAME_DELIVERED		"delivered"
#define WA_STATE_NAME_READ			"read"
#define WA_STATE_NAME_FAILED		"failed"
#define WA_STATE_NAME_UNKNOWN		"unknown"
#define WA_STATE_NAME_HELD			"held"
#define WA_STATE_NAME_SKIPPED		"skipped"
#define WA_STATE_NAME_CANCELLED		"cancelled"
#define WA_STATE_NAME_SUPERSEDED	"superseded"
#define WA_STATE_NAME_EXPIRED		"expired"

/* Stored as unknown; where the two must be told apart in a statement. */
#define WA_STATE_NAME_DOUBT			"in doubt"

#define WA_STATES(X) \
	X(QUEUED) X(SENDING) X(SENT) X(DELIVERED) X(READ) X(FAILED) X(UNKNOWN) \
	X(HELD) X(SKIPPED) X(CANCELLED) X(SUPERSEDED) X(EXPIRED)

#define WA_REASON_NAME_SETTING_MISSING		"setting_missing"
#define WA_REASON_NAME_COPY					"copy"
#define WA_REASON_NAME_NAME_MISMATCH		"name_mismatch"
#define WA_REASON_NAME_BULK					"bulk"
#define WA_REASON_NAME_DAILY_LIMIT			"daily_limit"
#define WA_REASON_NAME_NO_RECIPIENT			"no_recipient"
#define WA_REASON_NAME_NO_NUMBER			"no_number"
#define WA_REASON_NAME_NOT_NEWS				"not_news"
#define WA_REASON_NAME_OPTED_OUT			"opted_out"
#define WA_REASON_NAME_BLACKLISTED			"blacklisted"
#define WA_REASON_NAME_OBSERVE				"observe"
#define WA_REASON_NAME_DUPLICATE			"duplicate"
#define WA_REASON_NAME_NO_PROVIDER			"no_provider"
#define WA_REASON_NAME_FACTS_UNREADABLE		"facts_unreadable"
#define WA_REASON_NAME_OUTSIDE_HOURS		"outside_hours"
#define WA_REASON_NAME_NO_LONGER_TRUE		"no_longer_true"
#define WA_REASON_NAME_NEWER_STATUS			"newer_status"
#define WA_REASON_NAME_REPLACED				"replaced"
#define WA_REASON_NAME_TIME_TO_LIVE			"time_to_live"
#define WA_REASON_NAME_RETENTION			"retention"
#define WA_REASON_NAME_RETRY				"retry"
#define WA_REASON_NAME_UNREACHABLE			"unreachable"
#define WA_REASON_NAME_THROTTLED			"throttled"
#define WA_REASON_NAME_PROVIDER				"provider"
#define WA_REASON_NAME_REFUSES_ALL			"refuses_all"
#define WA_REASON_NAME_TEMPLATE				"template"
#define WA_REASON_NAME_RECIPIENT			"recipient"
#define WA_REASON_NAME_POLICY				"policy"
#define WA_REASON_NAME_REQUEST				"request"
#define WA_REASON_NAME_RETRIES_EXHAUSTED	"retries_exhausted"
#define WA_REASON_NAME_NO_ANSWER			"no_answer"
#define WA_REASON_NAME_INTERRUPTED			"interrupted"
#define WA_REASON_NAME_FAILOVER				"failover"
#define WA_REASON_NAME_REPEAT				"repeat"
#define WA_REASON_NAME_GAVE_UP				"gave_up"
#define WA_REASON_NAME_UNKNOWN_OUTCOME		"unknown_outcome"
#define WA_REASON_NAME_MANY_UNKNOWN			"many_unknown"
#define WA_REASON_NAME_RELEASED				"released"
#define WA_REASON_NAME_RETRIED				"retried"
#define WA_REASON_NAME_CANCELLED			"cancelled"
#define WA_REASON_NAME_SETTLED				"settled"

#define WA_REASONS(X) \
	X(SETTING_MISSING) X(COPY) X(NAME_MISMATCH) X(BULK) X(DAILY_LIMIT) X(NO_RECIPIENT) X(NO_NUMBER) \
	X(NOT_NEWS) X(OPTED_OUT) X(BLACKLISTED) X(OBSERVE) X(DUPLICATE) X(NO_PROVIDER) X(FACTS_UNREADABLE) \
	X(OUTSIDE_HOURS) X(NO_LONGER_TRUE) X(NEWER_STATUS) X(REPLACED) X(TIME_TO_LIVE) X(RETENTION) \
	X(RETRY) X(UNREACHABLE) X(THROTTLED) X(PROVIDER) X(REFUSES_ALL) X(TEMPLATE) X(RECIPIENT) X(POLICY) \
	X(REQUEST) X(RETRIES_EXHAUSTED) X(NO_ANSWER) X(INTERRUPTED) X(FAILOVER) X(REPEAT) X(GAVE_UP) \
	X(UNKNOWN_OUTCOME) X(MANY_UNKNOWN) X(RELEASED) X(RETRIED) X(CANCELLED) X(SETTLED)

/* ---- enums ---- */

#define WA_STATE_ENUM(name) WA_STATE_##name,
#define WA_REASON_ENUM(name) WA_REASON_##name,

typedef enum WaState
{
	WA_STATE_NONE,				/* before it is made */
	WA_STATES(WA_STATE_ENUM)
	WA_STATE_DOUBT,				/* unknown, and something comes of it yet:
								 * due_at is set */
	WA_NSTATES
} WaState;

typedef enum WaReason
{
	WA_REASON_NONE,
	WA_REASONS(WA_REASON_ENUM)
	WA_NREASONS
} WaReason;

/* Kinds of change.  For each there is one statement, or one for each batch. */
typedef enum WaStateChange
{
	WA_CHANGE_HAND,				/* none of ours: somebody's UPDATE */
	WA_CHANGE_MAKE,
	WA_CHANGE_CLAIM,
	WA_CHANGE_CONCLUDE,
	WA_CHANGE_TRY_OTHERS,
	WA_CHANGE_REPLACE,
	WA_CHANGE_SUPERSEDE,
	WA_CHANGE_WRITE,
	WA_CHANGE_LET_GO,
	WA_CHANGE_CANCEL,
	WA_CHANGE_SETTLE,
	WA_CHANGE_TELL,
	WA_CHANGE_HOLD,
	WA_CHANGE_DOUBT,
	WA_CHANGE_PURGE,
	WA_NCHANGES
} WaStateChange;

/* From any of these states to any of those, for any of these reasons. */
typedef struct WaLaw
{
	WaStateChange change;
	uint32_t	from;
	uint32_t	to;
	uint64_t	reasons;
} WaLaw;

/* What a kind of change is called, and who makes it. */
typedef struct WaChangeKind
{
	const char *name;
	const char *made_by;
} WaChangeKind;

#define WA_IN(state)	((uint32_t) 1 << (state))
#define WA_FOR(reason)	((uint64_t) 1 << (reason))

extern const WaLaw wa_queue_laws[];
extern const size_t wa_queue_nlaws;
extern const WaChangeKind wa_queue_changes[WA_NCHANGES];

extern const char *wa_queue_state_name(WaState state);
extern const char *wa_queue_reason_name(WaReason reason);
extern WaState wa_queue_state_read(const char *name, bool due);
extern WA_EXPORT WaReason wa_queue_reason_read(const char *name);
extern bool wa_queue_is_legal(WaStateChange change, WaState from, WaState to, WaReason reason);
extern uint32_t wa_queue_from(WaStateChange change, WaState to, WaReason reason);

/* ---- in statements ---- */

#define WA_SQL_STATE(name)	"'" WA_STATE_NAME_##name "'"
#define WA_SQL_REASON(name)	"'" WA_REASON_NAME_##name "'"

/* figure IN (WA_SQL_EVERY_STATE): of the figures, those that count a state */
#define WA_SQL_STATE_IN_LIST(name)	WA_SQL_STATE(name) ","
#define WA_SQL_EVERY_STATE	WA_STATES(WA_SQL_STATE_IN_LIST) WA_SQL_STATE(QUEUED)

/* ---- sets, the same in statements and in C ---- */

/* A provider has taken it. */
#define WA_SENT(first, next)			first(SENT) next(DELIVERED) next(READ)
/* Goes by itself, or is on the wire. */
#define WA_AT_WORK(first, next)			first(QUEUED) next(SENDING)
/* May have a row of wa.ready. */
#define WA_MAY_BE_READY(first, next)	first(QUEUED) next(SENDING) next(UNKNOWN)
/* May have a row of wa.due. */
#define WA_MAY_BE_DUE(first, next)		first(QUEUED) next(UNKNOWN)
/* Waits for its turn, or for a person. */
#define WA_WAITING(first, next)			first(QUEUED) next(HELD)
/* What it says may yet be said by it, for the first time. */
#define WA_ABOUT_TO_SAY(first, next)	first(QUEUED) next(SENDING) next(HELD)
/* Over without having been sent, as far as is known. */
#define WA_REPEATABLE(first, next)		first(FAILED) next(UNKNOWN) next(SKIPPED) next(CANCELLED) next(EXPIRED)
/* Over, and certainly not sent. */
#define WA_NEVER_SENT(first, next)		first(FAILED) next(SKIPPED) next(CANCELLED) next(EXPIRED)
/* Each. */
#define WA_ANY(first, next) \
	first(QUEUED) next(SENDING) next(SENT) next(DELIVERED) next(READ) next(FAILED) \
	next(UNKNOWN) next(HELD) next(SKIPPED) next(CANCELLED) next(SUPERSEDED) next(EXPIRED)
/* Has ended badly. */
#define WA_WRONG(first, next)			first(FAILED) next(UNKNOWN) next(EXPIRED)
/* Another one may take its place. */
#define WA_REPLACEABLE(first, next)		first(QUEUED) next(HELD) next(SKIPPED)
/* Taken back, or another one stands for it. */
#define WA_SAYS_NOTHING(first, next)	first(CANCELLED) next(SUPERSEDED)
/* Counts for what one number gets. */
#define WA_GOES(first, next)			first(QUEUED) next(SENDING) next(SENT) next(DELIVERED) next(READ) next(UNKNOWN)

#define WA_SQL_NEXT(name)		", " WA_SQL_STATE(name)
#define WA_SET_BIT(name)		| WA_IN(WA_STATE_##name)

/* m.state IN WA_SQL_STATES(WA_SENT) */
#define WA_SQL_STATES(set)		"(" set(WA_SQL_STATE, WA_SQL_NEXT) ")"
/* WA_STATE_IS(state, WA_SENT) */
#define WA_STATE_IS(state, set)	((WA_IN(state) & (0 set(WA_SET_BIT, WA_SET_BIT))) != 0)

/* It is not known whether the message m was accepted, and something comes of it yet. */
#define WA_SQL_IN_DOUBT(m) \
	"(" m ".state = " WA_SQL_STATE(UNKNOWN) " AND " m ".due_at IS NOT NULL)"

/* The state of the message m, one in doubt told apart. */
#define WA_SQL_STATE_OF(m) \
	"CASE WHEN " WA_SQL_IN_DOUBT(m) " THEN " WA_SQL_STATE(DOUBT) " ELSE " m ".state END"

/* Nothing has come of the message m yet, and it is not on the wire. */
#define WA_SQL_WAITS(m) \
	"(" m ".state IN " WA_SQL_STATES(WA_WAITING) " OR " WA_SQL_IN_DOUBT(m) ")"

#endif							/* SICANTIK_WA_STATE_H */
