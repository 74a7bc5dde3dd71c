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
#include "pg/app_table.h"

/*
 * Odoo's own address, without a slash at its end, palloc()ed; NULL if it has
 * none, or if it cannot be read now.
 */
char *
wa_admin_odoo_base_url(void)
{
	static const char *const columns[] = {"value"};
	static const char *const keys[] = {"web.base.url"};
	WaAppTable	table;
	WaAppRows	rows;
	char	   *url;
	size_t		len;

	if (wa_app_open(&table, wa_office_get("odoo_schema"),
					"ir_config_parameter") != WA_APP_READY)
		return NULL;
	wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "key",
						keys, lengthof(keys));
	if (rows.n == 0 || rows.values[0][0] == NULL || rows.values[0][0][0] == '\0')
		return NULL;
	url = rows.values[0][0];
	for (len = strlen(url); len > 0 && url[len - 1] == '/'; len--)
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
