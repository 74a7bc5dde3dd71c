/*-------------------------------------------------------------------------
 *
 * findings.c
 *		What is amiss: looked for once, for wa_check() and wa_status().
 *
 * Each subject is looked at by one function, once.  It adds what wa_check()
 * prints with wa_admin_find(), and what wa_status() prints with
 * wa_admin_show(); and wa_status() ends in the most serious finding.  So the
 * two cannot disagree: there is nothing to do exactly where every row of
 * wa_check() is ok.
 *
 * Nothing is changed and no provider is called.  The application's tables are
 * locked conditionally and read with a time limit, like everywhere: this must
 * answer on a standby, without the library being preloaded, and while
 * everything else is stuck.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"

#include "admin/findings.h"
#include "pg/app_limit.h"
#include "pg/grow.h"
#include "wake/wake.h"

/*
 * Add one.  next: what to type or to do, in short (NULL: the sentence says
 * it).
 */
void
wa_admin_find(WaFindings *findings, WaRank rank, const char *item,
			  WaSaid next, WaSaid sentence)
{
	WaFinding  *finding;

	Assert(sentence || rank == WA_FINE);
	WA_ROOM_FOR(findings->list, findings->n, 1);
	finding = &findings->list[findings->n++];
	finding->rank = rank;
	finding->item = item;
	finding->next = next;
	finding->sentence = sentence;
}

/* Add a row of wa_status(); detail may be NULL. */
void
wa_admin_show(WaFindings *findings, const char *item, const char *value, WaSaid detail)
{
	WaShown    *shown = palloc(sizeof(WaShown));

	shown->item = item;
	shown->value = value;
	shown->detail = detail;
	findings->shown = lappend(findings->shown, shown);
}

/*
 * Call look(argument), which reads tables of the application and may raise
 * whatever their owners have put on them, a policy for example: then that
 * error is a finding, and nothing else is lost.  What is no fault of theirs,
 * as a statement that is canceled, is raised again.  Returns true if there was
 * no error.
 */
bool
wa_admin_find_look(WaFindings *findings, WaRank rank, const char *item,
				   WaSubtransaction look, void *argument)
{
	int			found = findings->n;
	ErrorData  *error = wa_pg_attempt(look, argument);

	if (error == NULL)
		return true;
	findings->n = found;
	wa_admin_find(findings, rank, item, NULL,
				  wa_say(WA_SAY_NOT_LOOKED_AT, error->message));
	return false;
}

/*
 * The most serious one, of equals the first; NULL: there is nothing to do.
 */
static const WaFinding *
worst_of(const WaFindings *findings)
{
	const WaFinding *worst = NULL;

	for (int i = 0; i < findings->n; i++)
		if (findings->list[i].rank != WA_FINE &&
			(worst == NULL || findings->list[i].rank < worst->rank))
			worst = &findings->list[i];
	return worst;
}

/*
 * What to type or to do next ("nothing" in all languages); *why: what for, or
 * NULL.
 */
const char *
wa_admin_findings_next(const WaFindings *found, const char **why)
{
	const WaFinding *worst = worst_of(found);

	*why = NULL;
	if (found->standby)
		return "nothing: ask the primary";
	if (worst == NULL)
		return "nothing";
	*why = psprintf("%s: %s", worst->item, wa_story_masked(found->story, wa_story_words(found->story, worst->sentence)));
	return worst->next ? wa_story_words(found->story, worst->next) : "SELECT * FROM wa_check()";
}

/* The word for wa_check(), the same in all languages. */
const char *
wa_admin_finding_state(const WaFinding *finding)
{
	return finding->rank == WA_FINE ? "ok" :
		finding->rank <= WA_LAST_ERROR ? "error" : "warning";
}

/*
 * What the worker does not come back from would hold us, too.
 */
static void
leave_alone_what_holds_the_worker(void)
{
	WaSlotInfo	slot;

	if (wa_wake_slot_info(MyDatabaseId, &slot) && slot.stuck_since != 0)
		wa_app_limit_leave_alone(wa_say(WA_SAY_WORKER_HANGS_ON_ODOO, WA_NUMBER(slot.pid)));
}

/*
 * Look at everything that a message needs, from the library to the citizen's
 * number.
 */
void
wa_admin_findings_look(WaFindings *findings, const WaStory *story)
{
	memset(findings, 0, sizeof(*findings));
	findings->story = story;
	findings->standby = RecoveryInProgress();
	leave_alone_what_holds_the_worker();
	wa_identity_check(&findings->identity);
	wa_route_load_providers(&findings->providers, false);
	findings->watched = wa_admin_watched_look(&findings->nwatched);
	wa_admin_find_server(findings);
	wa_admin_find_providers(findings);
	wa_admin_find_office(findings);
	wa_admin_find_groups(findings);
	wa_admin_find_scenarios(findings);
	wa_admin_find_templates(findings);
	wa_admin_find_watched(findings);
	wa_admin_find_recorded(findings);
	wa_admin_find_rights(findings);
	wa_admin_find_reach(findings);
	wa_admin_find_ledger(findings);
	wa_admin_find_own_tables(findings);
	wa_admin_find_feedback(findings);
	wa_admin_find_other_senders(findings);
}
