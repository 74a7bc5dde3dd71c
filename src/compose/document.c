/*-------------------------------------------------------------------------
 *
 * document.c
 *		Documents and their workflows as they are now, and their values.
 *
 * A workflow row is one request to one approver.  An Odoo may lack the column
 * requires_approval: there a document asks for approval if it has a pending
 * workflow.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/document.h"
#include "compose/permit.h"


struct WaDocuments
{
	int			n;
	WaDocument *list;
	int			nworkflows;
	WaWorkflow *workflows;
	int			pending;		/* documents that wait now; -1: not counted */
};

enum
{
	D_ID, D_DOCUMENT_NUMBER, D_NAME, D_STATE, D_PERMIT_NUMBER, D_PERMIT_ID,
	D_REQUIRES_APPROVAL
};

static const char *const document_columns[] = {
	"id", "document_number", "name", "state", "permit_number", "permit_id",
	"requires_approval"
};

enum
{
	W_ID, W_DOCUMENT_ID, W_APPROVER_ID, W_STATE
};

static const char *const workflow_columns[] = {
	"id", "document_id", "approver_id", "state"
};

static int64
as_int8(const char *value)
{
	return value ? strtoll(value, NULL, 10) : 0;
}

static int
by_id(const void *a, const void *b)
{
	int64		left = ((const WaDocument *) a)->id;
	int64		right = ((const WaDocument *) b)->id;

	return left < right ? -1 : left > right ? 1 : 0;
}

static int
by_workflow_id(const void *a, const void *b)
{
	int64		left = ((const WaWorkflow *) a)->id;
	int64		right = ((const WaWorkflow *) b)->id;

	return left < right ? -1 : left > right ? 1 : 0;
}

/* The documents with these ids, without their workflows. */
static void
read_documents(struct WaDocuments *documents, const WaAppTable *table,
			   const int64 *ids, int n)
{
	bool		asks = wa_app_has_column(table, "requires_approval");
	WaAppRows	rows;

	wa_app_read_by_id(&rows, table, document_columns, lengthof(document_columns), "id", ids, n);
	documents->list = palloc0(sizeof(WaDocument) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];
		WaDocument *d = &documents->list[documents->n++];

		d->id = as_int8(row[D_ID]);
		d->document_number = row[D_DOCUMENT_NUMBER];
		d->name = row[D_NAME];
		d->state = row[D_STATE];
		d->permit_number = row[D_PERMIT_NUMBER];
		d->permit_id = as_int8(row[D_PERMIT_ID]);
		d->requires_approval = wa_compose_is(row[D_REQUIRES_APPROVAL], "true") ||
			wa_compose_is(row[D_REQUIRES_APPROVAL], "t");
		d->asks_approval = asks;
	}
	qsort(documents->list, documents->n, sizeof(WaDocument), by_id);
}

/* The workflows of the documents that were read. */
static void
read_workflows(struct WaDocuments *documents, const WaAppTable *table)
{
	int64	   *ids = palloc(sizeof(int64) * Max(documents->n, 1));
	WaAppRows	rows;

	for (int i = 0; i < documents->n; i++)
		ids[i] = documents->list[i].id;
	wa_app_read_by_id(&rows, table, workflow_columns, lengthof(workflow_columns),
					  "document_id", ids, documents->n);
	documents->workflows = palloc0(sizeof(WaWorkflow) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];
		WaWorkflow *w = &documents->workflows[documents->nworkflows++];

		w->id = as_int8(row[W_ID]);
		w->document_id = as_int8(row[W_DOCUMENT_ID]);
		w->approver_id = as_int8(row[W_APPROVER_ID]);
		w->pending = wa_compose_is(row[W_STATE], "pending");
	}
	qsort(documents->workflows, documents->nworkflows, sizeof(WaWorkflow), by_workflow_id);
}

/*
 * Read the documents with these ids, those that these workflows belong to, and
 * the workflows of all of them.  Returns false if a table could not be had
 * now.
 */
bool
wa_compose_documents_load(WaBatch *batch, const int64 *ids, int n,
						  const int64 *workflow_ids, int nworkflows)
{
	struct WaDocuments *documents = palloc0(sizeof(struct WaDocuments));
	int64	   *all = palloc(sizeof(int64) * Max(n + nworkflows, 1));
	int			nall = n;
	WaAppTable	table;
	WaAppTable	workflow;

	documents->pending = -1;
	batch->documents = documents;
	if (n + nworkflows == 0)
		return true;
	wa_app_open(&table, batch->schema, "sicantik_document");
	wa_app_open(&workflow, batch->schema, "signature_workflow");
	if (wa_compose_add_locked(batch, &table, "sicantik_document") ||
		wa_compose_add_locked(batch, &workflow, "signature_workflow"))
		return false;
	memcpy(all, ids, sizeof(int64) * n);
	if (workflow.state == WA_APP_READY && nworkflows > 0)
	{
		WaAppRows	rows;

		wa_app_read_by_id(&rows, &workflow, workflow_columns, lengthof(workflow_columns),
						  "id", workflow_ids, nworkflows);
		for (uint64 r = 0; r < rows.n; r++)
			all[nall++] = as_int8(rows.values[r][W_DOCUMENT_ID]);
	}
	if (table.state != WA_APP_READY || nall == 0)
		return true;
	read_documents(documents, &table, all, nall);
	if (workflow.state == WA_APP_READY)
		read_workflows(documents, &workflow);
	for (int i = 0; i < documents->nworkflows; i++)
	{
		WaDocument *document = wa_compose_document_find(batch, documents->workflows[i].document_id);

		if (document && !document->asks_approval && documents->workflows[i].pending)
			document->requires_approval = true;
	}
	return true;
}

/*
 * The document of this id as it is now, or NULL if there is none.
 */
WaDocument *
wa_compose_document_find(WaBatch *batch, int64 id)
{
	WaDocument	key = {.id = id};

	if (batch->documents == NULL || batch->documents->n == 0)
		return NULL;
	return bsearch(&key, batch->documents->list, batch->documents->n, sizeof(WaDocument), by_id);
}

/*
 * All documents that were read; returns how many.
 */
int
wa_compose_document_all(WaBatch *batch, WaDocument **list)
{
	*list = batch->documents ? batch->documents->list : NULL;
	return batch->documents ? batch->documents->n : 0;
}

/*
 * All their workflows, in the order of ids; returns how many.
 */
int
wa_compose_document_workflows(WaBatch *batch, WaWorkflow **list)
{
	*list = batch->documents ? batch->documents->workflows : NULL;
	return batch->documents ? batch->documents->nworkflows : 0;
}

/*
 * The workflow of this id as it is now, or NULL if there is none.
 */
WaWorkflow *
wa_compose_document_find_workflow(WaBatch *batch, int64 id)
{
	WaWorkflow	key = {.id = id};

	if (batch->documents == NULL || batch->documents->nworkflows == 0)
		return NULL;
	return bsearch(&key, batch->documents->workflows, batch->documents->nworkflows,
				   sizeof(WaWorkflow), by_workflow_id);
}

/*
 * How many documents wait for a signature now; counted once per batch.
 */
int
wa_compose_documents_count_pending(WaBatch *batch)
{
	static const char *const columns[] = {"id"};
	static const char *const state[] = {"pending_signature"};
	WaAppTable	table;
	WaAppRows	rows = {0};

	if (batch->documents->pending < 0)
	{
		/* locked by wa_compose_documents_load(), so it can be had */
		wa_app_open(&table, batch->schema, "sicantik_document");
		wa_app_require(&table);
		if (table.state == WA_APP_READY)
			wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "state", state, 1);
		batch->documents->pending = (int) rows.n;
	}
	return batch->documents->pending;
}

static const char *
number_or(const char *number, const char *otherwise)
{
	if (wa_compose_numbered(number))
		return number;
	return otherwise ? otherwise : "";
}

/*
 * Everything that a template about a document may ask for: what its permit
 * knows, and its own.  A document without a number of its own goes by its
 * permit's registration.  workflow and recipient may be NULL.
 */
void
wa_compose_document_values(WaBatch *batch, WaValues *values, const WaDocument *document,
						   const WaWorkflow *workflow, const WaRecipient *recipient)
{
	static const WaPermit none = {0};
	const WaPermit *permit = wa_compose_permit_find(batch, document->permit_id);
	WaValues	fields = {0};
	const char *number;

	if (permit == NULL)
		permit = &none;
	number = number_or(document->document_number, permit->registration_id);
	wa_compose_values_add(values, "document_number", number);
	wa_compose_values_add(values, "document_name", document->name ? document->name : "");
	wa_compose_values_add(values, "permit_number",
						  number_or(permit->permit_number, number_or(document->permit_number, NULL)));
	if (recipient)
	{
		wa_compose_values_add(values, "nama_pejabat", recipient->name ? recipient->name : "");
		wa_compose_values_add(values, "nama_petugas", recipient->name ? recipient->name : "");
	}
	if (workflow)
		wa_compose_values_add(values, "workflow_id", psprintf(INT64_FORMAT, workflow->id));

	/* in a link to a document, {id} is the document's */
	wa_compose_values_add(&fields, "id", psprintf(INT64_FORMAT, document->id));
	wa_compose_values_add(&fields, "registration_id", permit->registration_id);
	for (int i = 0; i < values->n; i++)
		wa_compose_values_add(&fields, values->list[i].name, values->list[i].value);
	wa_compose_values_add_setting(values, "approval_link",
								  wa_compose_value_link(wa_compose_office_setting(batch, "approval_link"), &fields),
								  "approval_link");
	wa_compose_permit_values(batch, values, permit, recipient);
}
