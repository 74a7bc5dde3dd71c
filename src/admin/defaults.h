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

/* One of the links that wa_setup() proposes from the base URL of Odoo. */
typedef struct WaDefaultLink
{
	const char *setting;
	const char *path;
} WaDefaultLink;

#define WA_MAX_LINKS	16		/* entries of wa_admin_default_links[] */

/* defaults.c; the list ends with an entry whose first member is NULL */
extern const WaDefaultLink wa_admin_default_links[];
extern char *wa_admin_default_body(const char *body, const char *office_name);

#endif							/* SICANTIK_WA_DEFAULTS_H */
