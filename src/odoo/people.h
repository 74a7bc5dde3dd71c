/*-------------------------------------------------------------------------
 *
 * people.h
 *		Partners, staff, and their numbers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PEOPLE_H
#define SICANTIK_WA_PEOPLE_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "odoo/odoo.h"
#include "pg/app_version.h"

/* Somebody who is to get a message. */
typedef struct WaRecipient
{
	int64		partner_id;
	bool		is_staff;
	char	   *name;
	char	   *number;			/* NULL: none usable */
	WaSaid		number_source;
	WaSaid		tried;			/* columns that were looked at; or NULL */
	WaSaid		note;			/* or NULL */
	WaAppVersion version;		/* of the contact's row */
} WaRecipient;

/* people.c */
extern bool wa_odoo_load_partners(WaOdoo *odoo, const int64 *ids, int n);
extern uint64 wa_odoo_partner_layout(const WaOdoo *odoo);
extern bool wa_odoo_look_at_partners(WaOdoo *odoo, WaAppLook *look);
extern WaRecipient *wa_odoo_partner(WaOdoo *odoo, int64 partner_id);
extern bool wa_odoo_load_staff(WaOdoo *odoo, const char *model, const int64 *ids, int n,
							   const char *group);
extern bool wa_odoo_load_group(WaOdoo *odoo, const char *group);
extern bool wa_odoo_load_users(WaOdoo *odoo, const int64 *ids, int n);
extern WaRecipient *wa_odoo_user(WaOdoo *odoo, int64 user_id);
extern List *wa_odoo_group(WaOdoo *odoo, const char *group);
extern bool wa_odoo_group_known(WaOdoo *odoo, const char *group);
extern List *wa_odoo_staff(WaOdoo *odoo, const char *model, int64 id, const char *group);

/* A contact as it is now. */
typedef enum WaContactState
{
	WA_CONTACT_NOT_READ,		/* no table of contacts, or it cannot be read */
	WA_CONTACT_GONE,
	WA_CONTACT_NO_NUMBER,
	WA_CONTACT_HAS_NUMBER
} WaContactState;

typedef struct WaContactNow
{
	int64		partner_id;		/* given; the rest is filled in */
	WaContactState state;
	const char *number;			/* NULL: none usable */
	WaSaid		source;			/* column that it came from */
	WaSaid		tried;			/* without a number: what was looked at */
} WaContactNow;

/* contact_now.c */
extern bool wa_odoo_contacts_now(const char *schema, WaContactNow *contacts, int n);

#endif							/* SICANTIK_WA_PEOPLE_H */
