/*-------------------------------------------------------------------------
 *
 * record_values.h
 *		The values that a permit, a document and the office give to a text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_RECORD_VALUES_H
#define SICANTIK_WA_RECORD_VALUES_H

#include "postgres.h"

#include "compose/scenario.h"
#include "odoo/document.h"
#include "odoo/permit.h"

extern void wa_compose_permit_values(WaBatch *batch, WaValues *values, const WaPermit *permit,
									 const WaRecipient *recipient);
extern void wa_compose_document_values(WaBatch *batch, WaValues *values, const WaDocument *document,
									   const WaWorkflow *workflow, const WaRecipient *recipient);
extern void wa_compose_office_values(WaBatch *batch, WaValues *values);
extern void wa_compose_supplied(const WaComposer *composer, WaValues *names);

#endif							/* SICANTIK_WA_RECORD_VALUES_H */
