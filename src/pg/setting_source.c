/*-------------------------------------------------------------------------
 *
 * setting_source.c
 *		Where a setting of the server has its value from.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"

#include "pg/acting.h"
#include "pg/query.h"
#include "pg/setting_source.h"

/*
 * Fill in *source, palloc()ed.  Needs SPI connected.  pg_settings shows the
 * names of files to few roles only, so a statement on nothing but that view is
 * run as the bootstrap superuser.
 */
void
wa_pg_setting_source(WaSettingSource *source, const char *name)
{
	static WaStatement find =
		WA_STATEMENT("SELECT source IN ('database', 'user', 'database user', 'global'), sourcefile"
					 " FROM pg_catalog.pg_settings WHERE name = $1");
	WaActing	acting;
	WaArgs		args = {0};
	WaRows		rows;

	memset(source, 0, sizeof(*source));
	wa_arg_text(&args, name);
	wa_pg_act_as_role(&acting, BOOTSTRAP_SUPERUSERID);
	rows = wa_query(&find, &args);
	if (rows.n > 0)
	{
		source->in_catalog = wa_row_bool(rows, 0, 1);
		source->file = wa_row_text(rows, 0, 2);
	}
	wa_pg_act_end(&acting);
}
