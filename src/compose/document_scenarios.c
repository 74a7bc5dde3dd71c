/*-------------------------------------------------------------------------
 *
 * document_scenarios.c
 *		Composers that listen to documents: to be signed, to be approved.
 *
 * Who approves is known from the workflow, which may be made, or be given its
 * approver, before the document waits or long after, in one transaction or in
 * several.  So both tables are listened to, and a key makes one request out of
 * whatever they say; it is forgotten when the waiting is over, so that a
 * document that comes back asks again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "compose/compose.h"
#include "compose/scenario.h"
#include "queue/queue.h"

/* Staff hear of new documents at most once in this time. */
#define PENDING_PAUSE	(10 * USECS_PER_MINUTE)

#define DOCUMENTS		"sicantik_document"
#define WORKFLOWS		"signature_workflow"

static bool
pending(const char *state)
{
	return wa_compose_is(state, "pending_signature");
}

static bool
watches(const WaEvent *event, const char *column)
{
	for (int i = 0; i < event->ncolumns; i++)
		if (event->columns[i] && strcmp(event->columns[i], column) == 0)
			return true;
	return false;
}

/*
 * Read the documents of the batch, their workflows and who may be told of
 * them.  Returns false if a table could not be had now.
 */
bool
wa_compose_load_documents(WaBatch *batch)
{
	int64	   *documents = palloc(sizeof(int64) * Max(batch->nevents, 1));
	int64	   *workflows = palloc(sizeof(int64) * Max(batch->nevents, 1));
	const WaScenario *scenario = wa_compose_scenario_of(batch, "document_pending");
	WaWorkflow *list;
	int64	   *users;
	int			ndocuments = 0;
	int			nworkflows = 0;
	int			n;

	for (int i = 0; i < batch->nevents; i++)
	{
		const WaEvent *event = &batch->events[i];

		if (!event->has_record)
			continue;
		if (strcmp(event->table, DOCUMENTS) == 0)
			documents[ndocuments++] = event->record_id;
		else if (strcmp(event->table, WORKFLOWS) == 0)
			workflows[nworkflows++] = event->record_id;
	}
	if (!wa_documents_load(batch, documents, ndocuments, workflows, nworkflows))
		return false;
	if (ndocuments + nworkflows == 0)
		return true;
	n = wa_document_workflows(batch, &list);
	users = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
		users[i] = list[i].approver_id;
	if (!wa_people_load_users(batch, users, n))
		return false;
	return scenario == NULL || ndocuments == 0 ||
		wa_people_load_group(batch, scenario->own_group);
}

/*
 * Will this person be asked to approve this document, so that there is no need
 * to say that it waits?
 */
static bool
is_asked(WaBatch *batch, const WaScenario *scenario, const WaDocument *document,
		 const WaRecipient *person)
{
	WaWorkflow *list;
	int			n = wa_document_workflows(batch, &list);

	if (!scenario->exclusive || !document->requires_approval ||
		wa_compose_scenario_of(batch, "approval_required") == NULL)
		return false;
	for (int i = 0; i < n; i++)
	{
		WaRecipient *approver;

		if (list[i].document_id != document->id || !list[i].pending)
			continue;
		approver = wa_people_user(batch, list[i].approver_id);
		if (approver && (approver->partner_id == person->partner_id ||
						 wa_compose_is(approver->number, person->number)))
			return true;
	}
	return false;
}

/* Tell those who have not been told yet; returns how many were. */
static int
tell_staff(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
		   const WaDocument *document, List *staff, bool *told)
{
	int			count = 0;

	for (int i = 0; i < list_length(staff); i++)
	{
		WaRecipient *person = list_nth(staff, i);
		WaValues	values = {0};
		WaDraft    *draft;

		if (told[i] || person->number == NULL ||
			is_asked(batch, scenario, document, person))
			continue;
		wa_values_add(&values, "jumlah", psprintf("%d", wa_documents_count_pending(batch)));
		wa_document_values(batch, &values, document, NULL, person);
		draft = wa_compose_message(batch, event, scenario, person, &values, "sicantik.document",
								   psprintf("told:%s:%s", scenario->key, person->number),
								   WA_RANK_PENDING);
		draft->again_after_us = PENDING_PAUSE;
		told[i] = true;
		count++;
	}
	return count;
}

/*
 * Documents that wait for a signature.  The batch is looked at as a whole,
 * when its last event of a document is due: each of the staff gets one
 * message, which names the newest document and says how many wait.
 */
void
wa_compose_document_pending(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	List	   *staff;
	bool	   *told;
	bool		anybody = false;

	for (const WaEvent *later = event + 1; later < batch->events + batch->nevents; later++)
		if (later->has_record && strcmp(later->table, event->table) == 0)
			return;
	staff = wa_people_group(batch, scenario->own_group);
	told = palloc0(sizeof(bool) * Max(list_length(staff), 1));
	for (int i = 0; i < list_length(staff); i++)
		anybody = anybody || ((WaRecipient *) list_nth(staff, i))->number != NULL;

	for (; event >= batch->events; event--)
	{
		WaDocument *document;

		if (!event->has_record || strcmp(event->table, DOCUMENTS) != 0 ||
			!pending(wa_event_new(event, "state")) || pending(wa_event_old(event, "state")) ||
			(event->insert && !scenario->on_insert))
			continue;
		document = wa_document_find(batch, event->record_id);
		if (document == NULL)
			wa_compose_outcome(batch, event, scenario, "gone", "the document does not exist any more");
		else if (!pending(document->state))
			wa_compose_outcome(batch, event, scenario, "no longer true",
							   "the document does not wait for a signature any more");
		else if (!anybody)
			wa_compose_outcome(batch, event, scenario, "no recipient",
							   scenario->own_group == NULL ? "no internal user has a number" :
							   !wa_people_group_known(batch, scenario->own_group) ?
							   psprintf("the group %s does not exist in Odoo", scenario->own_group) :
							   "no internal user of the group has a number");
		else if (tell_staff(batch, scenario, event, document, staff, told) == 0)
			wa_compose_outcome(batch, event, scenario, "suppressed",
							   "the staff hear of it with a newer document, or are asked to approve it");
	}
}

static const char *
request_key(int64 document_id, int64 workflow_id, int64 user_id)
{
	return psprintf("asked:sicantik.document:" INT64_FORMAT ":" INT64_FORMAT ":" INT64_FORMAT,
					document_id, workflow_id, user_id);
}

static void
ask(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
	const WaDocument *document, const WaWorkflow *workflow)
{
	WaRecipient *approver = wa_people_user(batch, workflow->approver_id);
	WaValues	values = {0};
	WaDraft    *draft;

	if (approver == NULL)
	{
		wa_approver_wait(scenario, event, document->id);
		wa_compose_outcome(batch, event, scenario, "no recipient",
						   psprintf("user " INT64_FORMAT ", who is to approve, is not an active internal user",
									workflow->approver_id));
		return;
	}
	wa_document_values(batch, &values, document, workflow, approver);
	draft = wa_compose_message(batch, event, scenario, approver, &values, "sicantik.document",
							   request_key(document->id, workflow->id, workflow->approver_id),
							   WA_RANK_APPROVAL);
	draft->message.res_id = document->id;
	draft->once_a_record = true;
}

/*
 * A document asks for no approval any more: when it does again, that is a new
 * request, and who has not heard of this one need not.
 */
static void
take_back_all(WaBatch *batch, int64 document_id)
{
	WaWorkflow *list;
	int			n = wa_document_workflows(batch, &list);
	const char **keys = palloc(sizeof(char *) * Max(n, 1));
	int			nkeys = 0;

	for (int i = 0; i < n; i++)
	{
		if (list[i].document_id != document_id || list[i].approver_id == 0)
			continue;
		keys[nkeys] = request_key(document_id, list[i].id, list[i].approver_id);
		wa_queue_withdraw(keys[nkeys++], "no longer true: the document asks for no approval any more");
	}
	wa_queue_forget(keys, nkeys);
}

/* The document says that it waits now, or that it does not any more. */
static void
approval_of_document(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	WaDocument *document = wa_document_find(batch, event->record_id);
	bool		now = pending(wa_event_new(event, "state"));
	bool		before = pending(wa_event_old(event, "state"));
	WaWorkflow *list;
	int			n = wa_document_workflows(batch, &list);
	bool		anybody = false;

	if (before && !now)
	{
		take_back_all(batch, event->record_id);
		return;
	}
	if (!now || (event->insert && !scenario->on_insert))
		return;
	if (document == NULL)
	{
		wa_compose_outcome(batch, event, scenario, "gone", "the document does not exist any more");
		return;
	}
	if (document->asks_approval && watches(event, "requires_approval"))
	{
		now = wa_compose_is(wa_event_new(event, "requires_approval"), "t");
		before = before && wa_compose_is(wa_event_old(event, "requires_approval"), "t");
	}
	if (before && !now)
		take_back_all(batch, event->record_id);
	if (!now || before)
		return;
	if (!pending(document->state) ||
		(document->asks_approval && !document->requires_approval))
	{
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   "the document does not wait for an approval any more");
		return;
	}
	for (int i = 0; i < n; i++)
	{
		if (list[i].document_id != document->id || !list[i].pending || list[i].approver_id == 0)
			continue;
		ask(batch, scenario, event, document, &list[i]);
		anybody = true;
	}
	if (anybody || !document->requires_approval)
		return;
	wa_approver_wait(scenario, event, document->id);
	wa_compose_outcome(batch, event, scenario, "waiting for recipient",
					   "no approver is named yet; naming one sends the message");
}

/* Does this workflow still ask this user, or another one of its document? */
static bool
asks_still(WaBatch *batch, const WaWorkflow *workflow, int64 user_id)
{
	WaWorkflow *list;
	int			n = wa_document_workflows(batch, &list);

	for (int i = 0; i < n; i++)
		if (list[i].document_id == workflow->document_id && list[i].pending &&
			list[i].approver_id == user_id)
			return true;
	return false;
}

/*
 * A workflow that asked somebody asks another, or is done: he may be asked
 * again later, and need not hear of a request that still waits to be sent.
 */
static void
take_back(WaBatch *batch, const WaWorkflow *workflow, int64 user_id)
{
	const char *key = request_key(workflow->document_id, workflow->id, user_id);

	if (!asks_still(batch, workflow, user_id))
		wa_queue_withdraw(key, "no longer true: the approval is not asked of this person any more");
	wa_queue_forget(&key, 1);
}

/* The workflow says who approves, or that it is done. */
static void
approval_of_workflow(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	const char *approver = wa_event_new(event, "approver_id");
	const char *former = wa_event_old(event, "approver_id");
	bool		now = wa_compose_is(wa_event_new(event, "state"), "pending") &&
		wa_compose_filled(approver);
	bool		before = wa_compose_is(wa_event_old(event, "state"), "pending") &&
		wa_compose_filled(former);
	bool		same = now && before && strcmp(approver, former) == 0;
	WaWorkflow *workflow = wa_document_find_workflow(batch, event->record_id);
	WaDocument *document = workflow ? wa_document_find(batch, workflow->document_id) : NULL;

	if (before && !same && workflow)
		take_back(batch, workflow, strtoll(former, NULL, 10));
	if (!now || same)
		return;
	if (document == NULL)
		wa_compose_outcome(batch, event, scenario, "gone",
						   "the workflow or its document does not exist any more");
	else if (!workflow->pending || workflow->approver_id != strtoll(approver, NULL, 10))
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   "the workflow has changed again since");
	else if (!pending(document->state))
		wa_compose_outcome(batch, event, scenario, "not yet",
						   "the document does not wait for a signature; when it does, the message is sent");
	else if (!document->requires_approval)
		wa_compose_outcome(batch, event, scenario, "not needed",
						   "the document requires no approval");
	else
		ask(batch, scenario, event, document, workflow);
}

/*
 * Documents that wait for the approval of a person who is known.
 */
void
wa_compose_approval_required(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	if (strcmp(event->table, WORKFLOWS) == 0)
		approval_of_workflow(batch, scenario, event);
	else
		approval_of_document(batch, scenario, event);
}

/*
 * Ask the group for which the one event of this batch has waited, if still
 * nobody else is there to approve its document.  Returns false if a table
 * could not be had now.
 */
bool
wa_compose_ask_group(WaBatch *batch, const WaScenario *scenario)
{
	const WaEvent *event = &batch->events[0];
	WaDocument *document;
	WaWorkflow *list;
	WaWorkflow *unnamed = NULL;
	List	   *group;
	ListCell   *cell;
	int			n;

	if (!wa_compose_load_documents(batch))
		return false;
	document = wa_document_find(batch, event->record_id);
	if (document == NULL || !pending(document->state) || !document->requires_approval)
		return true;
	n = wa_document_workflows(batch, &list);
	for (int i = 0; i < n; i++)
	{
		if (!list[i].pending)
			continue;
		if (wa_people_user(batch, list[i].approver_id))
			return true;
		unnamed = &list[i];
	}
	if (!wa_permits_load(batch, &document->permit_id, 1) ||
		!wa_people_load_group(batch, scenario->approver_group))
		return false;
	group = wa_people_group(batch, scenario->approver_group);
	if (group == NIL)
		wa_compose_outcome(batch, event, scenario, "no recipient",
						   psprintf(wa_people_group_known(batch, scenario->approver_group) ?
									"no internal user is in the group %s" :
									"the group %s does not exist in Odoo", scenario->approver_group));
	foreach(cell, group)
	{
		WaRecipient *person = lfirst(cell);
		WaValues	values = {0};

		wa_document_values(batch, &values, document, unnamed, person);
		wa_compose_message(batch, event, scenario, person, &values, "sicantik.document",
						   NULL, WA_RANK_APPROVAL);
	}
	return true;
}
