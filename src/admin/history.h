/*-------------------------------------------------------------------------
 *
 * history.h
 *		What the files of wa_history() share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_HISTORY_H
#define SICANTIK_WA_HISTORY_H

#include "postgres.h"

#include "words/story.h"
#include "nodes/pg_list.h"
#include "pg/app_table.h"

/* Ids without doubles. */
typedef struct WaIds
{
	int			n;
	int64	   *list;
} WaIds;

typedef struct WaSearch
{
	WaStory		story;
	const char *wanted;
	char	   *number;			/* or NULL */
	WaIds		partners;
	WaIds		permits;
	WaIds		documents;
	WaIds		workflows;
	WaIds		own;			/* of tables of the DBA's own scenarios */
	char	  **own_relations;	/* and which table each is of */
	const char *schema;
} WaSearch;

/* history.c */
extern bool wa_admin_history_open(WaSearch *search, WaAppTable *table, const char *name);
extern void wa_admin_history_look(WaSearch *search, const char *table,
								  void (*find) (WaSearch *search, const void *argument), const void *argument);

/* What one change did not say, in the order of time. */
typedef struct WaUnsaid
{
	TimestampTz at;
	WaSaid		what;
} WaUnsaid;

/* unsaid.c */
extern List *wa_admin_unsaid_changes(WaSearch *search);
extern void wa_admin_unsaid_records(WaSearch *search);

/* consented.c */
extern void wa_admin_consent_tell(WaStory *story, const char *number, bool last);

/* named.c */
extern bool wa_admin_named_tell(WaSearch *search);

#endif							/* SICANTIK_WA_HISTORY_H */
