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

typedef enum WaUnreadKind
{
	WA_UNREAD_NOT,				/* there is an answer */
	WA_UNREAD_SHORT,			/* a lock: ask again soon */
	WA_UNREAD_LONG				/* somebody must mend something */
} WaUnreadKind;

typedef struct WaUnread
{
	WaUnreadKind kind;
	const char *why;			/* or NULL: not worth telling */
} WaUnread;

/*
 * Asks about messages first to first + n - 1; may be called again for some of
 * them.  Raises whatever the application's tables raise; false: a table,
 * *locked_table, cannot be had now (*why: it only counts as locked).
 */
typedef bool (*WaFactsAsk) (void *about, int first, int n,
							const char **locked_table, const char **why);

extern void wa_facts_ask(WaFactsAsk ask, void *about, int n, WaUnread *unread);

#endif							/* SICANTIK_WA_FACTS_H */
