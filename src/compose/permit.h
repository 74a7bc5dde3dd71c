/*-------------------------------------------------------------------------
 *
 * permit.h
 *		Permits as they are now, the values that they give, and the office's own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PERMIT_H
#define SICANTIK_WA_PERMIT_H

#include "postgres.h"

#include "compose/batch.h"

/* permit.c: permits as they are now, and their values */
typedef struct WaPermit
{
	int64		id;
	char	   *registration_id;
	char	   *permit_number;
	char	   *applicant_name;
	int64		permit_type_id;
	char	   *permit_type_name;
	char	   *permit_type;	/* the linked type's name, else the above */
	int64		partner_id;
	char	   *status;
	char	   *issue_date;
	char	   *expiry_date;
	char	   *received_date;
	bool		is_renewal;
} WaPermit;

extern bool wa_compose_permits_load(WaBatch *batch, const int64 *ids, int n);
extern WaPermit *wa_compose_permit_find(WaBatch *batch, int64 id);
extern uint64 wa_compose_facts_add(uint64 facts, const char *text);
extern uint64 wa_compose_permit_facts(const WaBatch *batch, const WaPermit *permit);
extern void wa_compose_permit_values(WaBatch *batch, WaValues *values, const WaPermit *permit,
									 const WaRecipient *recipient);
extern const char *wa_compose_permit_status_label(WaBatch *batch, const char *status);
extern void wa_compose_office_values(WaBatch *batch, WaValues *values);
extern const char *wa_compose_office_setting(WaBatch *batch, const char *name);

/* translation.c: palloc()s in the current context; a table that is not there has none */
extern char **wa_compose_translations_read(const WaAppTable *translations, const char *column,
										   const int64 *ids, int n);

#endif							/* SICANTIK_WA_PERMIT_H */
