/*-------------------------------------------------------------------------
 *
 * document_common.c
 *		What the scenarios about documents share.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/document_scenario.h"

/*
 * Is this the change with which a document began to wait?
 */
bool
wa_compose_became_pending(const WaEvent *event)
{
	return strcmp(event->table, "sicantik_document") == 0 &&
		wa_odoo_is_pending(wa_compose_event_new(event, "state")) &&
		!wa_odoo_is_pending(wa_compose_event_old(event, "state"));
}

/*
 * Read everybody who is to approve one of the documents that were read.
 * Returns false if a table could not be had now.
 */
bool
wa_compose_load_approvers(WaBatch *batch)
{
	WaWorkflow *list;
	int			n = wa_odoo_workflows(&batch->odoo, &list);
	int64	   *users = palloc(sizeof(int64) * Max(n, 1));

	for (int i = 0; i < n; i++)
		users[i] = list[i].approver_id;
	return n == 0 || wa_odoo_load_users(&batch->odoo, users, n);
}

/*
 * Read these documents, who is to approve them, and their permits.  Returns
 * false if a table could not be had now.
 */
bool
wa_compose_load_these_documents(WaBatch *batch, const int64 *ids, int n)
{
	const WaRecords records = {.documents = ids,.ndocuments = n};

	return wa_odoo_load_records(&batch->odoo, &records) && wa_compose_load_approvers(batch);
}

/*
 * Will this person be asked to approve this document, so that there is no need
 * to say that it waits?
 */
bool
wa_compose_is_asked_to_approve(WaBatch *batch, const WaScenario *scenario, const WaDocument *document,
							   const WaRecipient *person)
{
	WaWorkflow *list;
	int			n = wa_odoo_workflows(&batch->odoo, &list);

	if (!scenario->exclusive || !document->requires_approval ||
		wa_compose_scenario_of(batch, &wa_compose_approval_required) == NULL)
		return false;
	for (int i = 0; i < n; i++)
	{
		WaRecipient *approver;

		if (list[i].document_id != document->id || !list[i].pending)
			continue;
		approver = wa_odoo_user(&batch->odoo, list[i].approver_id);
		if (approver && (approver->partner_id == person->partner_id ||
						 wa_odoo_is(approver->number, person->number)))
			return true;
	}
	return false;
}
