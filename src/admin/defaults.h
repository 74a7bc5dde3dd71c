/*-------------------------------------------------------------------------
 *
 * defaults.h
 *		What wa_setup() adds where it is missing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_DEFAULTS_H
#define SICANTIK_WA_DEFAULTS_H

#include "postgres.h"

/* One template that wa_setup() adds where it is missing. */
typedef struct WaDefaultTemplate
{
	const char *key;
	const char *name;
	const char *body;			/* without the office's name at its end */
	const char *const *parameters;	/* the order is that of the templates that
									 * exist at Meta: it is part of the
									 * interface */
	int			nparameters;
} WaDefaultTemplate;

typedef struct WaDefaultScenario
{
	const char *key;
	const char *name;
	const char *watch;
	bool		on_insert;
	const char *time_to_live;
	const char *unknown_policy;
	const char *priority;
	bool		requires_opt_in;
	bool		office_hours;	/* staff are left alone when the office is
								 * closed: Monday to Friday, 07:00 to 18:00 */
	const char *daily_at;		/* NULL: listens to its table */
	bool		no_limits;		/* on messages made at once: it is no
								 * accident, however many permits expire */
} WaDefaultScenario;

/* One of the links that wa_setup() proposes from the base URL of Odoo. */
typedef struct WaDefaultLink
{
	const char *setting;
	const char *path;
} WaDefaultLink;

#define WA_MAX_LINKS	16		/* entries of wa_admin_default_links[] */

/* defaults.c; each list ends with an entry whose first member is NULL */
extern const WaDefaultTemplate wa_admin_default_templates[];
extern const WaDefaultScenario wa_admin_default_scenarios[];
extern const WaDefaultLink wa_admin_default_links[];
extern char *wa_admin_default_body(const WaDefaultTemplate *template,
								   const char *office_name);

#endif							/* SICANTIK_WA_DEFAULTS_H */
