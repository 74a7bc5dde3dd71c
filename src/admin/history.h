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

/* Numbers without doubles. */
typedef struct WaNumbers
{
	int			n;
	const char **list;
} WaNumbers;

/* What is told at its time, beside messages and what became of changes. */
typedef struct WaNote
{
	TimestampTz at;
	int			place;			/* of equal times, in this order */
	WaSaid		what;
} WaNote;

typedef struct WaSearch
{
	WaStory		story;
	const char *wanted;
	char	   *number;			/* or NULL */
	WaNumbers	numbers;		/* that one, and those of the partners */
	List	   *notes;			/* of WaNote */
	WaIds		partners;
	WaIds		permits;
	WaIds		documents;
	WaIds		workflows;
	WaIds		own;			/* of tables of the DBA's own scenarios */
	char	  **own_relations;	/* and which table each is of */
	const char *schema;
	bool		strict;			/* what cannot be searched is an error */
} WaSearch;

/* history.c */
extern bool wa_admin_history_open(WaSearch *search, WaAppTable *table, const char *name);
extern void wa_admin_history_look(WaSearch *search, const char *table,
								  void (*find) (WaSearch *search, const void *argument), const void *argument);

extern void wa_admin_history_partners(WaSearch *search);
extern void wa_admin_history_records(WaSearch *search);

/* notes.c */
extern void wa_admin_note(List **notes, TimestampTz at, WaSaid what);
extern void wa_admin_notes_sort(List *notes);
extern int	wa_admin_notes_tell(WaStory *story, List *notes, int next, TimestampTz until);

/* unsaid.c */
extern void wa_admin_unsaid_changes(WaSearch *search);
extern void wa_admin_unsaid_records(WaSearch *search);

/* consented.c */
extern void wa_admin_consent_note(List **notes, const WaStory *story, const WaNumbers *numbers, bool last);

/* wrote.c */
extern void wa_admin_wrote_note(List **notes, const WaStory *story, const WaNumbers *numbers,
								const WaIds *messages, const WaNumbers *recipients);

/* happened.c */
extern void wa_admin_ids_add(WaIds *ids, const char *text);
extern void wa_admin_numbers_add(WaNumbers *numbers, const char *number);
extern void wa_admin_happenings_tell(WaSearch *search);

/* named.c */
extern bool wa_admin_named_tell(WaSearch *search);

#endif							/* SICANTIK_WA_HISTORY_H */
