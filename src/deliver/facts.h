/*-------------------------------------------------------------------------
 *
 * facts.h
 *		Asking the application's tables before messages go.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_FACTS_H
#define SICANTIK_WA_FACTS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pg/said.h"

typedef enum WaUnreadKind
{
	WA_UNREAD_NOT,				/* there is an answer */
	WA_UNREAD_SHORT,			/* a lock and the like: ask again soon */
	WA_UNREAD_LONG				/* somebody must mend something */
} WaUnreadKind;

typedef struct WaUnread
{
	WaUnreadKind kind;
	WaSaid		why;			/* NULL: not worth telling (never if long) */
} WaUnread;

/*
 * A question about messages, first to first + n - 1; it may be asked again of
 * some of them.  Raises whatever the application's tables raise; false: a
 * table, *locked_table, cannot be had now (*why: it only counts as locked).
 */
typedef struct WaFactsQuestion
{
	bool		(*ask) (void *about, int first, int n,
						const char **locked_table, WaSaid *why);
	TimestampTz locked_since;	/* kept by wa_deliver_facts_ask() */
} WaFactsQuestion;

extern void wa_deliver_facts_ask(WaFactsQuestion *question, void *about, int n, WaUnread *unread);
extern void wa_deliver_facts_say(const WaUnread *unread, int n);

#endif							/* SICANTIK_WA_FACTS_H */
