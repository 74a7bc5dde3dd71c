/*-------------------------------------------------------------------------
 *
 * approval_required.c
 *		approval_required: documents that wait for a person who is known.
 *
 * Who approves is known from the workflow, which may be made, or be given its
 * approver, before the document waits or long after, in one transaction or in
 * several.  So both tables are listened to, and a key makes one request out of
 * whatever they say; it is forgotten when the request is over, so that a
 * document that comes back asks again.
 *
 * The keys that a message holds in wa.announced are the requests that it stands
 * for: several that wait together for one person are one message, which says
 * how many documents there are.  Asked again, it stands for those that still
 * are requests of this person.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/document_scenario.h"
#include "compose/record_values.h"
#include "odoo/people.h"
#include "queue/once.h"

#define WORKFLOWS		"signature_workflow"

static bool
watches(const WaEvent *event, const char *column)
{
	for (int i = 0; i < event->ncolumns; i++)
		if (event->columns[i] && strcmp(event->columns[i], column) == 0)
			return true;
	return false;
}

static const char *
request_key(int64 document_id, int64 workflow_id, int64 user_id)
{
	return psprintf("asked:sicantik.document:" INT64_FORMAT ":" INT64_FORMAT ":" INT64_FORMAT,
					document_id, workflow_id, user_id);
}

/* The request to a member of the group; each event asks anew. */
static const char *
group_key(int64 document_id, int64 partner_id, int64 event_id)
{
	return psprintf("asked-group:sicantik.document:" INT64_FORMAT ":" INT64_FORMAT ":" INT64_FORMAT,
					document_id, partner_id, event_id);
}

/*
 * The change with which this document began to wait, if that was in the same
 * transaction as this one of its workflow: what is asked then is said instead
 * of that it waits.
 */
static const WaEvent *
began_with(const WaBatch *batch, const WaEvent *event, int64 document_id)
{
	for (int i = 0; i < batch->nevents; i++)
	{
		const WaEvent *other = &batch->events[i];

		if (other->has_record && other->record_id == document_id &&
			strcmp(other->xact, event->xact) == 0 && wa_compose_became_pending(other))
			return other;
	}
	return event;
}

/* The draft of a request. */
static WaDraft *
draft_request(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
			  const WaDocument *document, const WaWorkflow *workflow,
			  const WaRecipient *person, const char *key)
{
	WaValues	values = {0};
	WaDraft    *draft;

	wa_compose_values_add(&values, "jumlah", "1");
	wa_compose_document_values(batch, &values, document, workflow, person);
	draft = wa_compose_message(batch, event, scenario, person, NULL, &values, key);
	draft->message.res_id = document->id;
	return draft;
}

static void
ask(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
	const WaDocument *document, const WaWorkflow *workflow)
{
	WaRecipient *approver = wa_odoo_user(&batch->odoo, workflow->approver_id);

	if (approver == NULL)
	{
		wa_compose_approver_wait(scenario, event, document->id);
		wa_compose_outcome(batch, event, scenario, "no recipient",
						   wa_say(WA_SAY_APPROVER_NOT_INTERNAL, WA_NUMBER(workflow->approver_id)));
		return;
	}
	draft_request(batch, scenario, began_with(batch, event, document->id), document, workflow,
				  approver, request_key(document->id, workflow->id, workflow->approver_id));
}

/*
 * A document asks for no approval any more: when it does again, that is a new
 * request.  Who has not heard of this one need not.
 */
static void
take_back_all(WaBatch *batch, int64 document_id)
{
	WaWorkflow *list;
	int			n = wa_odoo_workflows(&batch->odoo, &list);
	const char **keys = palloc(sizeof(char *) * Max(n, 1));
	int			nkeys = 0;

	for (int i = 0; i < n; i++)
		if (list[i].document_id == document_id && list[i].approver_id != 0)
			keys[nkeys++] = request_key(document_id, list[i].id, list[i].approver_id);
	wa_queue_forget(keys, nkeys);
}

static WaSaid
document_silent(const WaScenario *scenario, const WaEvent *event, bool *nearly)
{
	const char *required = wa_compose_event_new(event, "requires_approval");

	if (!wa_odoo_is_pending(wa_compose_event_new(event, "state")))
		return wa_say(WA_SAY_STATE_NOT_PENDING_SIGNATURE, wa_odoo_shown(wa_compose_event_new(event, "state")));
	if (required && !wa_odoo_is(required, "t"))
		return wa_say(WA_SAY_NO_APPROVAL_REQUIRED);
	if (event->insert && !scenario->on_insert)
	{
		*nearly = true;
		return wa_say(WA_SAY_CREATED_LIKE_THIS);
	}
	return wa_odoo_is_pending(wa_compose_event_old(event, "state")) &&
		(required == NULL || wa_odoo_is(wa_compose_event_old(event, "requires_approval"), "t")) ?
		wa_say(WA_SAY_SO_BEFORE) : NULL;
}

static WaSaid
workflow_silent(const WaEvent *event, bool *nearly)
{
	const char *state = wa_compose_event_new(event, "state");
	const char *approver = wa_compose_event_new(event, "approver_id");

	if (!wa_odoo_is(state, "pending"))
		return wa_say(WA_SAY_WORKFLOW_NOT_PENDING, wa_odoo_shown(state));
	if (!wa_odoo_filled(approver))
	{
		*nearly = true;
		return wa_say(WA_SAY_NO_APPROVER_YET);
	}
	return wa_odoo_is(wa_compose_event_old(event, "state"), "pending") &&
		wa_odoo_is(wa_compose_event_old(event, "approver_id"), approver) ? wa_say(WA_SAY_SO_BEFORE) : NULL;
}

static WaSaid
silent(const WaScenario *scenario, const WaEvent *event, bool *nearly)
{
	*nearly = false;
	return strcmp(event->table, WORKFLOWS) == 0 ? workflow_silent(event, nearly) :
		document_silent(scenario, event, nearly);
}

/* The document says that it waits now, or that it does not any more. */
static void
approval_of_document(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	WaDocument *document = wa_odoo_document(&batch->odoo, event->record_id);
	bool		now = wa_odoo_is_pending(wa_compose_event_new(event, "state"));
	bool		before = wa_odoo_is_pending(wa_compose_event_old(event, "state"));
	WaWorkflow *list;
	int			n = wa_odoo_workflows(&batch->odoo, &list);
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
		wa_compose_outcome(batch, event, scenario, "gone", wa_say(WA_SAY_DOCUMENT_GONE));
		return;
	}
	if (document->asks_approval && watches(event, "requires_approval"))
	{
		now = wa_odoo_is(wa_compose_event_new(event, "requires_approval"), "t");
		before = before && wa_odoo_is(wa_compose_event_old(event, "requires_approval"), "t");
	}
	if (before && !now)
		take_back_all(batch, event->record_id);
	if (!now || before)
		return;
	if (!wa_odoo_is_pending(document->state) ||
		(document->asks_approval && !document->requires_approval))
	{
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   wa_say(WA_SAY_NO_APPROVAL_AWAITED));
		return;
	}
	for (int i = 0; i < n; i++)
	{
		if (list[i].document_id != document->id || !list[i].pending || list[i].approver_id == 0)
			continue;
		ask(batch, scenario, event, document, &list[i]);
		anybody = true;
	}
	if (anybody)
		return;
	if (!document->requires_approval)
	{
		wa_compose_outcome(batch, event, scenario, "not needed", wa_say(WA_SAY_NO_APPROVAL_REQUIRED));
		return;
	}
	wa_compose_approver_wait(scenario, event, document->id);
	wa_compose_outcome(batch, event, scenario, "waiting for recipient",
					   wa_say(WA_SAY_NO_APPROVER_YET));
}

/* The workflow says who approves, or that it is done. */
static void
approval_of_workflow(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	const char *approver = wa_compose_event_new(event, "approver_id");
	const char *former = wa_compose_event_old(event, "approver_id");
	bool		now = wa_odoo_is(wa_compose_event_new(event, "state"), "pending") &&
		wa_odoo_filled(approver);
	bool		before = wa_odoo_is(wa_compose_event_old(event, "state"), "pending") &&
		wa_odoo_filled(former);
	bool		same = now && before && strcmp(approver, former) == 0;
	bool		nearly;
	WaWorkflow *workflow = wa_odoo_workflow(&batch->odoo, event->record_id);
	WaDocument *document = workflow ? wa_odoo_document(&batch->odoo, workflow->document_id) : NULL;

	/* he may be asked again later */
	if (before && !same && workflow)
	{
		const char *key = request_key(workflow->document_id, workflow->id, strtoll(former, NULL, 10));

		wa_queue_forget(&key, 1);
	}
	if (silent(scenario, event, &nearly))
		return;
	if (document == NULL)
		wa_compose_outcome(batch, event, scenario, "gone",
						   wa_say(WA_SAY_WORKFLOW_GONE));
	else if (!workflow->pending || workflow->approver_id != strtoll(approver, NULL, 10))
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   wa_say(WA_SAY_WORKFLOW_CHANGED_AGAIN));
	else if (!wa_odoo_is_pending(document->state))
		wa_compose_outcome(batch, event, scenario, "not yet",
						   wa_say(WA_SAY_NO_SIGNATURE_AWAITED_YET));
	else if (!document->requires_approval)
		wa_compose_outcome(batch, event, scenario, "not needed",
						   wa_say(WA_SAY_NO_APPROVAL_REQUIRED));
	else
		ask(batch, scenario, event, document, workflow);
}

static bool
load(WaBatch *batch, const WaScenario *scenario)
{
	return wa_compose_load_approvers(batch);
}

static void
compose(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	if (strcmp(event->table, WORKFLOWS) == 0)
		approval_of_workflow(batch, scenario, event);
	else
		approval_of_document(batch, scenario, event);
}

/*
 * Does nobody who is known approve this document?  *unnamed: its last pending
 * workflow, or NULL.
 */
static bool
nobody_approves(WaBatch *batch, const WaDocument *document, WaWorkflow **unnamed)
{
	WaWorkflow *list;
	int			n = wa_odoo_workflows(&batch->odoo, &list);

	*unnamed = NULL;
	for (int i = 0; i < n; i++)
	{
		if (list[i].document_id != document->id || !list[i].pending)
			continue;
		if (wa_odoo_user(&batch->odoo, list[i].approver_id))
			return false;
		*unnamed = &list[i];
	}
	return true;
}

/*
 * Ask the group for which the one event of this batch has waited, if still
 * nobody else is there to approve its document.  Returns false if a table
 * could not be had now.
 */
static bool
ask_group(WaBatch *batch, const WaScenario *scenario)
{
	const WaEvent *event = &batch->events[0];
	WaDocument *document;
	WaWorkflow *unnamed;
	List	   *group;
	ListCell   *cell;

	if (!wa_compose_load_these_documents(batch, &event->record_id, 1))
		return false;
	document = wa_odoo_document(&batch->odoo, event->record_id);
	if (document == NULL || !wa_odoo_is_pending(document->state) || !document->requires_approval ||
		!nobody_approves(batch, document, &unnamed))
		return true;
	if (!wa_odoo_load_group(&batch->odoo, scenario->approver_group))
		return false;
	group = wa_odoo_group(&batch->odoo, scenario->approver_group);
	if (group == NIL)
		wa_compose_outcome(batch, event, scenario, "no recipient",
						   wa_odoo_group_known(&batch->odoo, scenario->approver_group) ?
						   wa_say(WA_SAY_GROUP_WITHOUT_USERS, scenario->approver_group) :
						   wa_say(WA_SAY_GROUP_UNKNOWN, scenario->approver_group));
	foreach(cell, group)
	{
		WaRecipient *person = lfirst(cell);

		draft_request(batch, scenario, event, document, unnamed, person,
					  group_key(document->id, person->partner_id, event->id));
	}
	return true;
}

/* ---- several requests to one person ---- */

/*
 * The text of a request that is about so many documents: it names one of them.
 * The number of the others stands with that one's number, which every
 * provider's template has.
 */
static void
join(WaBatch *batch, WaDraft *draft, int ndocuments)
{
	WaValues   *values = palloc0(sizeof(WaValues));
	const WaValue *number = wa_compose_values_find(draft->values, "permit_number");

	if (ndocuments < 2)
		return;
	wa_compose_values_add(values, "jumlah", psprintf("%d", ndocuments));
	wa_compose_values_add(values, "permit_number",
						  psprintf("%s (dan %d dokumen lain)",
								   number && number->value && number->value[0] ? number->value : "-",
								   ndocuments - 1));
	for (int i = 0; i < draft->values->n; i++)
		wa_compose_values_add_setting(values, draft->values->list[i].name, draft->values->list[i].value,
									  draft->values->list[i].setting);
	draft->values = values;
	wa_compose_draft_write_text(batch, draft);
}

/* ---- asked again ---- */

/* A request that a message stands for, as its key says. */
typedef struct Request
{
	bool		of_group;
	int64		document_id;
	int64		workflow_id;	/* or the partner of the group's member */
	int64		user_id;		/* or the event */
} Request;

static bool
read_key(const char *key, Request *request)
{
	long long	parts[3];
	char		rest;

	request->of_group = strncmp(key, "asked-group:", strlen("asked-group:")) == 0;
	if (sscanf(key, request->of_group ? "asked-group:sicantik.document:%lld:%lld:%lld%c" :
			   "asked:sicantik.document:%lld:%lld:%lld%c", &parts[0], &parts[1], &parts[2], &rest) != 3)
		return false;
	request->document_id = parts[0];
	request->workflow_id = parts[1];
	request->user_id = parts[2];
	return true;
}

/* Read all documents, and everybody who is asked.  False: a table is locked. */
static bool
load_requests(WaBatch *batch, WaWaiting **list, int n)
{
	int			size = 0;
	int64	   *documents;
	int			ndocuments = 0;

	for (int i = 0; i < n; i++)
		size += list[i]->nkeys + 1;
	documents = palloc(sizeof(int64) * Max(size, 1));
	for (int i = 0; i < n; i++)
	{
		documents[ndocuments++] = list[i]->record_id;
		for (int k = 0; k < list[i]->nkeys; k++)
		{
			Request		request;

			if (read_key(list[i]->keys[k], &request))
				documents[ndocuments++] = request.document_id;
		}
	}
	if (!wa_compose_load_these_documents(batch, documents, ndocuments))
		return false;
	for (int i = 0; i < n; i++)
		if (list[i]->scenario->approver_group &&
			!wa_odoo_load_group(&batch->odoo, list[i]->scenario->approver_group))
			return false;
	return true;
}

/* The person of whom this is still asked; NULL: of nobody. */
static WaRecipient *
asked_person(WaBatch *batch, const WaScenario *scenario, const Request *request,
			 WaDocument **document, WaWorkflow **workflow)
{
	ListCell   *cell;

	*document = wa_odoo_document(&batch->odoo, request->document_id);
	if (*document == NULL || !wa_odoo_is_pending((*document)->state) || !(*document)->requires_approval)
		return NULL;
	if (!request->of_group)
	{
		*workflow = wa_odoo_workflow(&batch->odoo, request->workflow_id);
		if (*workflow == NULL || !(*workflow)->pending || (*workflow)->document_id != (*document)->id ||
			(*workflow)->approver_id != request->user_id)
			return NULL;
		return wa_odoo_user(&batch->odoo, request->user_id);
	}
	if (scenario->approver_group == NULL || !nobody_approves(batch, *document, workflow))
		return NULL;
	foreach(cell, wa_odoo_group(&batch->odoo, scenario->approver_group))
	{
		WaRecipient *person = lfirst(cell);

		if (person->partner_id == request->workflow_id)
			return person;
	}
	return NULL;
}

/* Why nothing is asked any more. */
static WaSaid
why_not_asked(WaBatch *batch, const WaWaiting *waiting)
{
	const WaDocument *document = wa_odoo_document(&batch->odoo, waiting->record_id);

	if (document == NULL)
		return wa_say(WA_SAY_UNTRUE_RECORD_GONE);
	if (!wa_odoo_is_pending(document->state))
		return wa_say(WA_SAY_UNTRUE_VALUE, "state", wa_odoo_shown(document->state), "pending_signature");
	if (!document->requires_approval)
		return wa_say(WA_SAY_UNTRUE_NO_APPROVAL_ASKED);
	return wa_say(WA_SAY_UNTRUE_NOT_ASKED_OF_PERSON);
}

/* What one message stands for now: the document that it named, if it can. */
static void
ask_again(WaBatch *batch, WaWaiting *waiting)
{
	WaDocument *named = NULL;
	WaWorkflow *with = NULL;
	WaRecipient *person = NULL;
	int64	   *documents = palloc(sizeof(int64) * Max(waiting->nkeys, 1));
	int			ndocuments = 0;

	for (int k = 0; k < waiting->nkeys; k++)
	{
		Request		request;
		WaDocument *document;
		WaWorkflow *workflow;
		WaRecipient *asked = read_key(waiting->keys[k], &request) ?
			asked_person(batch, waiting->scenario, &request, &document, &workflow) : NULL;
		bool		known = false;

		if (asked == NULL)
			continue;
		for (int i = 0; i < ndocuments; i++)
			known = known || documents[i] == document->id;
		if (!known)
			documents[ndocuments++] = document->id;
		if (named == NULL || (document->id == waiting->record_id && named->id != waiting->record_id) ||
			(named->id != waiting->record_id && document->id < named->id))
		{
			named = document;
			with = workflow;
			person = asked;
		}
	}
	if (named == NULL)
	{
		waiting->why = why_not_asked(batch, waiting);
		return;
	}
	waiting->now = draft_request(batch, waiting->scenario, waiting->event, named, with, person, NULL);
	join(batch, waiting->now, ndocuments);
	waiting->keeps_keys = true;
}

/*
 * What is to be asked now of these people?  Who is not asked any more about a
 * document that still waits hears that it does, like the others.
 */
static bool
again(WaBatch *batch, WaWaiting **list, int n)
{
	WaWaiting **instead = palloc(sizeof(WaWaiting *) * Max(n, 1));
	int			ninstead = 0;

	wa_compose_waiting_join(list, n);
	if (!load_requests(batch, list, n))
		return false;
	for (int i = 0; i < n; i++)
	{
		if (list[i]->joined_to)
			continue;
		ask_again(batch, list[i]);
		if (list[i]->now == NULL && wa_compose_became_pending(list[i]->event))
			instead[ninstead++] = list[i];
	}
	return ninstead == 0 || wa_compose_pending_instead(batch, instead, ninstead);
}

const WaComposer wa_compose_approval_required = {
	.name = "approval_required",
	.model = "sicantik.document",
	.rank = 40,
	.table = "sicantik_document",
	.also = WORKFLOWS,
	.load = load,
	.compose = compose,
	.silent = silent,
	.again = again,
	.ask_group = ask_group,
	.join = join,
	.values = {
		{"jumlah", "jumlah"}, {"document_number"}, {"document_name"}, {"nama_pejabat"}, {"nama_petugas"},
		{"workflow_id"}, {"approval_link"}
	},
	.odoo_keys = {"izin_perlu_approval"},
	.defaults = {
		.name = "Dokumen Perlu Approval",
		.body = "Yth. {{nama_pejabat}},\n\n"
		"Dokumen {{jenis_izin}} atas nama pemohon {{nama_pemohon}} "
		"dengan nomor izin {{permit_number}} memerlukan persetujuan Bapak/Ibu.\n\n"
		"Dokumen dapat diperiksa melalui tautan {{approval_link}} sebelum persetujuan diberikan.\n\n"
		"Terima kasih.",
		.parameters = {"nama_pejabat", "jenis_izin", "nama_pemohon", "permit_number", "approval_link"},
		.on_insert = true,
		.time_to_live = "2 days",
		.unknown_policy = "resend",
		.priority = "high"
	}
};
