/*-------------------------------------------------------------------------
 *
 * permit.h
 *		Permits as they are now.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PERMIT_H
#define SICANTIK_WA_PERMIT_H

#include "postgres.h"

#include "odoo/odoo.h"
#include "pg/app_version.h"

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
	WaAppVersion version;		/* of its row */
} WaPermit;

extern bool wa_odoo_load_permits(WaOdoo *odoo, const int64 *ids, int n);
extern WaPermit *wa_odoo_permit(const WaOdoo *odoo, int64 id);
extern bool wa_odoo_load_permit_words(WaOdoo *odoo, const int64 *type_ids, int n);
extern uint64 wa_odoo_permit_layout(const WaOdoo *odoo);
extern bool wa_odoo_look_at_permits(WaOdoo *odoo, WaAppLook *look);
extern int64 wa_odoo_look_at_permit(WaAppLook *look, const WaAppVersion *version);
extern uint64 wa_odoo_permit_facts(const WaPermit *permit);
extern uint64 wa_odoo_permit_words_facts(const WaOdoo *odoo, int64 type_id);
extern const char *wa_odoo_status_label(const WaOdoo *odoo, const char *status);

#endif							/* SICANTIK_WA_PERMIT_H */
