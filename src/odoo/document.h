/*-------------------------------------------------------------------------
 *
 * document.h
 *		Documents and their workflows as they are now.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_DOCUMENT_H
#define SICANTIK_WA_DOCUMENT_H

#include "postgres.h"

#include "odoo/odoo.h"

typedef struct WaDocument
{
	int64		id;
	char	   *document_number;
	char	   *name;
	char	   *state;
	char	   *permit_number;
	int64		permit_id;
	bool		requires_approval;	/* or, without such a column, a workflow */
	bool		asks_approval;	/* this Odoo has the column */
} WaDocument;

typedef struct WaWorkflow
{
	int64		id;
	int64		document_id;
	int64		approver_id;	/* a user; 0: none yet */
	bool		pending;
} WaWorkflow;

/* What is to be read; arrays of ids. */
typedef struct WaRecords
{
	const int64 *permits;
	int			npermits;
	const int64 *documents;
	int			ndocuments;
	const int64 *workflows;
	int			nworkflows;
} WaRecords;

extern bool wa_odoo_load_records(WaOdoo *odoo, const WaRecords *records);
extern WaDocument *wa_odoo_document(const WaOdoo *odoo, int64 id);
extern int	wa_odoo_workflows(const WaOdoo *odoo, WaWorkflow **list);
extern WaWorkflow *wa_odoo_workflow(const WaOdoo *odoo, int64 id);
extern bool wa_odoo_is_pending(const char *state);
extern bool wa_odoo_pending_documents(WaOdoo *odoo, int64 **ids, int *n);
extern int	wa_odoo_count_pending(WaOdoo *odoo);

#endif							/* SICANTIK_WA_DOCUMENT_H */
