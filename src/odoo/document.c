/*-------------------------------------------------------------------------
 *
 * document.c
 *		Documents and their workflows as they are now.
 *
 * A workflow row is one request to one approver.  An Odoo may lack the column
 * requires_approval: there a document asks for approval if it has a pending
 * workflow.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "odoo/document.h"
#include "odoo/permit.h"

struct WaDocuments
{
	int			n;
	WaDocument *list;
	int			nworkflows;
	WaWorkflow *workflows;
	int			pending;		/* documents that wait now; -1: not counted */
};

#define PENDING			"pending_signature"

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

		d->id = wa_odoo_id(row[D_ID]);
		d->document_number = row[D_DOCUMENT_NUMBER];
		d->name = row[D_NAME];
		d->state = row[D_STATE];
		d->permit_number = row[D_PERMIT_NUMBER];
		d->permit_id = wa_odoo_id(row[D_PERMIT_ID]);
		d->requires_approval = wa_odoo_is_true(row[D_REQUIRES_APPROVAL]);
		d->asks_approval = asks;
	}
	qsort(documents->list, documents->n, sizeof(WaDocument), wa_odoo_by_id);
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

		w->id = wa_odoo_id(row[W_ID]);
		w->document_id = wa_odoo_id(row[W_DOCUMENT_ID]);
		w->approver_id = wa_odoo_id(row[W_APPROVER_ID]);
		w->pending = wa_odoo_is(row[W_STATE], "pending");
	}
	qsort(documents->workflows, documents->nworkflows, sizeof(WaWorkflow), wa_odoo_by_id);
}

/* Those, those that these workflows belong to, and the workflows of all of them. */
static bool
load_documents(WaOdoo *odoo, const int64 *ids, int n, const int64 *workflow_ids, int nworkflows)
{
	struct WaDocuments *documents = palloc0(sizeof(struct WaDocuments));
	int64	   *all = palloc(sizeof(int64) * Max(n + nworkflows, 1));
	int			nall = n;
	WaAppTable	table;
	WaAppTable	workflow;

	documents->pending = -1;
	odoo->documents = documents;
	if (n + nworkflows == 0)
		return true;
	if (!wa_odoo_open(odoo, &table, "sicantik_document") ||
		!wa_odoo_open(odoo, &workflow, "signature_workflow"))
		return false;
	memcpy(all, ids, sizeof(int64) * n);
	if (workflow.state == WA_APP_READY && nworkflows > 0)
	{
		WaAppRows	rows;

		wa_app_read_by_id(&rows, &workflow, workflow_columns, lengthof(workflow_columns),
						  "id", workflow_ids, nworkflows);
		for (uint64 r = 0; r < rows.n; r++)
			all[nall++] = wa_odoo_id(rows.values[r][W_DOCUMENT_ID]);
	}
	if (table.state != WA_APP_READY || nall == 0)
		return true;
	read_documents(documents, &table, all, nall);
	if (workflow.state == WA_APP_READY)
		read_workflows(documents, &workflow);
	for (int i = 0; i < documents->nworkflows; i++)
	{
		WaDocument *document = wa_odoo_document(odoo, documents->workflows[i].document_id);

		if (document && !document->asks_approval && documents->workflows[i].pending)
			document->requires_approval = true;
	}
	return true;
}

/*
 * Read these permits, these documents, those that these workflows belong to,
 * the permits of all of them, and their workflows.  Returns false if a table
 * could not be had now.
 */
bool
wa_odoo_load_records(WaOdoo *odoo, const WaRecords *records)
{
	int64	   *permits;
	int			n = records->npermits;

	if (!load_documents(odoo, records->documents, records->ndocuments, records->workflows, records->nworkflows))
		return false;
	permits = palloc(sizeof(int64) * Max(n + odoo->documents->n, 1));
	for (int i = 0; i < n; i++)
		permits[i] = records->permits[i];
	for (int i = 0; i < odoo->documents->n; i++)
		permits[n++] = odoo->documents->list[i].permit_id;
	return wa_odoo_load_permits(odoo, permits, n);
}

/*
 * The document of this id as it is now, or NULL if there is none.
 */
WaDocument *
wa_odoo_document(const WaOdoo *odoo, int64 id)
{
	if (odoo->documents == NULL || odoo->documents->n == 0)
		return NULL;
	return bsearch(&id, odoo->documents->list, odoo->documents->n, sizeof(WaDocument), wa_odoo_by_id);
}

/*
 * All their workflows, in the order of ids; returns how many.
 */
int
wa_odoo_workflows(const WaOdoo *odoo, WaWorkflow **list)
{
	*list = odoo->documents ? odoo->documents->workflows : NULL;
	return odoo->documents ? odoo->documents->nworkflows : 0;
}

/*
 * The workflow of this id as it is now, or NULL if there is none.
 */
WaWorkflow *
wa_odoo_workflow(const WaOdoo *odoo, int64 id)
{
	if (odoo->documents == NULL || odoo->documents->nworkflows == 0)
		return NULL;
	return bsearch(&id, odoo->documents->workflows, odoo->documents->nworkflows,
				   sizeof(WaWorkflow), wa_odoo_by_id);
}

/*
 * Is this the state of a document that waits for a signature?
 */
bool
wa_odoo_is_pending(const char *state)
{
	return wa_odoo_is(state, PENDING);
}

/*
 * The documents that wait for a signature now; in *ids, palloc()ed.  Returns
 * false if they could not be had now.
 */
bool
wa_odoo_pending_documents(WaOdoo *odoo, int64 **ids, int *n)
{
	static const char *const columns[] = {"id"};
	static const char *const state[] = {PENDING};
	WaAppTable	table;
	WaAppRows	rows = {0};

	*n = 0;
	if (!wa_odoo_open(odoo, &table, "sicantik_document"))
		return false;
	if (table.state == WA_APP_READY)
		wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "state", state, 1);
	*ids = palloc(sizeof(int64) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
		if (rows.values[r][0])
			(*ids)[(*n)++] = wa_odoo_id(rows.values[r][0]);
	return true;
}

/*
 * How many those are; counted once.  Their table must have been read, so that
 * it can be had.
 */
int
wa_odoo_count_pending(WaOdoo *odoo)
{
	int64	   *ids;

	if (odoo->documents->pending < 0)
		(void) wa_odoo_pending_documents(odoo, &ids, &odoo->documents->pending);
	return odoo->documents->pending;
}
