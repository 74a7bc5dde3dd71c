/*-------------------------------------------------------------------------
 *
 * base_url.c
 *		Odoo's own address, its parameter web.base.url.
 *
 * Odoo writes there the address that an administrator has just logged in by,
 * each time, unless the parameter web.base.url.freeze is set.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "odoo/odoo.h"

/*
 * Odoo's own address, without a slash at its end, palloc()ed; NULL if it has
 * none, or if it cannot be read now.
 */
char *
wa_admin_odoo_base_url(void)
{
	char	   *url = wa_odoo_parameter(wa_office_get("odoo_schema"), "web.base.url");

	for (size_t len = url ? strlen(url) : 0; len > 0 && url[len - 1] == '/'; len--)
		url[len - 1] = '\0';
	return url;
}

/*
 * Does the link lie at this address, or below it?
 */
bool
wa_admin_lies_below(const char *link, const char *address)
{
	size_t		len = strlen(address);

	return strncmp(link, address, len) == 0 &&
		(link[len] == '\0' || strchr("/?#", link[len]) != NULL);
}
