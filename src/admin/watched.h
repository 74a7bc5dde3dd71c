/*-------------------------------------------------------------------------
 *
 * watched.h
 *		Is what happens to the watched tables seen?  One look for wa_setup(),
 *		wa_status() and wa_check().
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_WATCHED_H
#define SICANTIK_WA_WATCHED_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "admin/admin.h"
#include "admin/target.h"
#include "capture/capture.h"
#include "compose/batch.h"
#include "pg/said.h"

typedef enum WaFoundGrade
{
	WA_FOUND_NOTE,				/* worth a word, all is well */
	WA_FOUND_WARNING,
	WA_FOUND_ERROR				/* changes are not seen */
} WaFoundGrade;

typedef struct WaFound
{
	WaFoundGrade grade;
	const char *value;			/* in two words, for wa_status() */
	WaSaid		next;			/* what to type, or NULL: the sentence says it */
	WaSaid		what;			/* in a sentence, with what to do */
} WaFound;

/* A table that is watched or should be. */
typedef struct WaWatched
{
	WaTarget	target;			/* relid InvalidOid: there is no such table */
	const char *relation;		/* as wa.watch names it, or will */
	const WaBuiltInWatch *wanted;	/* or NULL: a row that somebody made */
	char	   *owner;			/* in wa.watch; NULL: it has no row there */
	char	  **columns;		/* in wa.watch */
	int			ncolumns;
	char	  **optional;		/* likewise */
	int			noptional;
	List	   *found;			/* of WaFound; empty: all is well */
} WaWatched;

extern WaWatched *wa_admin_watched_look(int *n);
extern List *wa_admin_watched_surroundings(const WaWatched *watched, int n);
extern WaSaid wa_admin_watched_scenario_problem(const WaWatched *watched, int n,
												const WaScenario *scenario);
extern const WaFound *wa_admin_watched_worst(const List *found);
extern WaSaid wa_admin_watched_sentences(const List *found);

#endif							/* SICANTIK_WA_WATCHED_H */
