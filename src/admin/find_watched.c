/*-------------------------------------------------------------------------
 *
 * find_watched.c
 *		Findings about the watched tables: are changes recorded?
 *
 * What is amiss with them is found in watched.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/findings.h"
#include "pg/subscribed.h"

static void
find_list(WaFindings *findings, const char *item, const List *found)
{
	const WaFound *worst = wa_admin_watched_worst(found);
	WaRank		rank = worst == NULL || worst->grade == WA_FOUND_NOTE ? WA_FINE :
		worst->grade == WA_FOUND_WARNING ? WA_WARNING_GAP : WA_ERROR_CAPTURE;

	wa_admin_find(findings, rank, item, worst ? worst->next : NULL, wa_admin_watched_sentences(found));
}

static void
show(WaFindings *findings, const WaWatched *w)
{
	const WaFound *worst = wa_admin_watched_worst(w->found);

	wa_admin_show(findings, psprintf("watched %s", w->relation),
				  worst ? worst->value : "present", wa_admin_watched_sentences(w->found));
}

void
wa_admin_find_watched(WaFindings *findings)
{
	char	   *subscription = wa_pg_subscription();
	List	   *surroundings;
	ListCell   *cell;
	bool		any = false;

	/* the publisher records; triggers here would do it a second time */
	if (subscription)
	{
		wa_admin_show(findings, "watched", "elsewhere",
					  wa_say(WA_SAY_SHOWN_SUBSCRIPTION, subscription));
		return;
	}
	for (int i = 0; i < findings->nwatched; i++)
		any = any || findings->watched[i].owner;
	if (!any)
		wa_admin_show(findings, "watched", "none", NULL);
	if (!any)
		wa_admin_find(findings, WA_ERROR_CAPTURE, "watched", wa_say(WA_SAY_SETUP_WHEN_TABLES_ARE_THERE),
					  wa_say(WA_SAY_NO_TABLE_WATCHED));
	for (int i = 0; any && i < findings->nwatched; i++)
	{
		const WaWatched *w = &findings->watched[i];

		/* of a module that this Odoo does not have */
		if (w->owner == NULL && !OidIsValid(w->target.relid))
			continue;
		find_list(findings, psprintf("watched %s", w->relation), w->found);
		if (w->owner)
			show(findings, w);
	}
	surroundings = wa_admin_watched_surroundings(findings->watched, findings->nwatched);
	find_list(findings, "capture", surroundings);
	foreach(cell, surroundings)
		wa_admin_show(findings, "capture", ((const WaFound *) lfirst(cell))->value,
					  ((const WaFound *) lfirst(cell))->what);
}
