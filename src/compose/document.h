/*-------------------------------------------------------------------------
 *
 * document.h
 *		Documents and their workflows as they are now, and their values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_DOCUMENT_H
#define SICANTIK_WA_DOCUMENT_H

#include "postgres.h"

#include "compose/batch.h"

/* document.c: documents and their workflows as they are now, and their values */
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

extern bool wa_compose_documents_load(WaBatch *batch, const int64 *ids, int n,
									  const int64 *workflow_ids, int nworkflows);
extern WaDocument *wa_compose_document_find(WaBatch *batch, int64 id);
extern int	wa_compose_document_all(WaBatch *batch, WaDocument **list);
extern int	wa_compose_document_workflows(WaBatch *batch, WaWorkflow **list);
extern WaWorkflow *wa_compose_document_find_workflow(WaBatch *batch, int64 id);
extern int	wa_compose_documents_count_pending(WaBatch *batch);
extern void wa_compose_document_values(WaBatch *batch, WaValues *values, const WaDocument *document,
									   const WaWorkflow *workflow, const WaRecipient *recipient);

#endif							/* SICANTIK_WA_DOCUMENT_H */
