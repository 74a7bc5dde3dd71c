/*-------------------------------------------------------------------------
 *
 * pause.c
 *		wa_pause() and wa_resume(): the switch of a provider.
 *
 * A paused provider is left out by routing like one whose circuit is open, so
 * messages go by others or wait.  It is not probed either, and nothing but
 * wa_resume() switches it on again: its state and its circuit are another
 * matter and stay as they are.  Requests on the wire are not touched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "office/setting.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/providers.h"

PG_FUNCTION_INFO_V1(wa_sql_pause);
PG_FUNCTION_INFO_V1(wa_sql_resume);

static void
require_provider(const char *name)
{
	static WaStatement find =
		WA_STATEMENT("SELECT (SELECT string_agg(name, ', ' ORDER BY name COLLATE \"C\") FROM wa.provider)"
					 " WHERE NOT EXISTS (SELECT FROM wa.provider WHERE name = $1)");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, name);
	rows = wa_query(&find, &args);
	if (name == NULL || rows.n == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("provider \"%s\" does not exist", name),
			 wa_row_isnull(rows, 0, 1) ? errhint("There is none: wa_configure() creates one.") :
			 errhint("Providers: %s.", wa_row_text(rows, 0, 1))));
}

/*
 * wa_pause(): see pause.sql.
 */
Datum
wa_sql_pause(PG_FUNCTION_ARGS)
{
	static WaStatement paused =
		WA_STATEMENT("SELECT name, coalesce(paused_by, 'somebody'),"
					 " " WA_SQL_TIME("paused_at", "$2") " FROM wa.provider"
					 " WHERE name = coalesce($1, name) AND paused_at IS NOT NULL ORDER BY name COLLATE \"C\"");
	static WaStatement pause =
		WA_STATEMENT("UPDATE wa.provider SET paused_at = clock_timestamp(), paused_by = $3"
					 " WHERE name = coalesce($1, name) AND paused_at IS NULL");
	char	   *name = wa_call_arg_text(fcinfo, 0);
	char	   *role = wa_call_role();
	WaCall		call;
	WaArgs		args = {0};
	WaRows		rows;
	int64		changed;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	require_provider(name);
	wa_arg_text(&args, name);
	wa_arg_text(&args, wa_office_get("time_zone"));
	rows = wa_query(&paused, &args);
	for (uint64 i = 0; i < rows.n; i++)
		ereport(NOTICE,
				(errmsg("provider \"%s\" is paused already, by %s since %s",
						wa_row_text(rows, i, 1), wa_row_text(rows, i, 2), wa_row_text(rows, i, 3))));
	wa_arg_text(&args, role);
	changed = (int64) wa_query(&pause, &args).n;
	wa_call_end(&call);
	PG_RETURN_INT64(changed);
}

/*
 * wa_resume(): see pause.sql.
 */
Datum
wa_sql_resume(PG_FUNCTION_ARGS)
{
	static WaStatement others =
		WA_STATEMENT("SELECT name FROM wa.provider"
					 " WHERE name = coalesce($1, name) AND paused_at IS NULL ORDER BY name COLLATE \"C\"");
	static WaStatement resume =
		WA_STATEMENT("UPDATE wa.provider SET paused_at = NULL, paused_by = NULL"
					 " WHERE name = coalesce($1, name) AND paused_at IS NOT NULL"
					 " RETURNING name, state, last_error, active");
	char	   *name = wa_call_arg_text(fcinfo, 0);
	WaCall		call;
	WaArgs		args = {0};
	WaRows		rows;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	require_provider(name);
	wa_arg_text(&args, name);
	rows = wa_query(&others, &args);
	for (uint64 i = 0; i < rows.n; i++)
		ereport(NOTICE,
				(errmsg("provider \"%s\" is not paused", wa_row_text(rows, i, 1))));
	rows = wa_query(&resume, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		char	   *resumed = wa_row_text(rows, i, 1);
		WaProviderState state = wa_route_state(wa_row_text(rows, i, 2));

		if (!wa_row_bool(rows, i, 4))
			ereport(NOTICE,
					(errmsg("provider \"%s\" is not paused any more, but not active either", resumed),
					 errhint("SELECT wa_configure('%s', '{\"active\": true}').", resumed)));
		else if (state == WA_PROVIDER_ERROR)
			ereport(NOTICE,
					(errmsg("provider \"%s\" is not paused any more, but in state error: %s",
							resumed, wa_row_isnull(rows, i, 3) ? "see wa_status()" : wa_row_text(rows, i, 3)),
					 errhint("It is used when its connection test succeeds: SELECT * FROM wa_test_connection('%s').",
							 resumed)));
		else if (state != WA_PROVIDER_CONFIGURED)
			ereport(NOTICE,
					(errmsg("provider \"%s\" is not paused any more, but was not tested yet", resumed),
					 errhint("SELECT * FROM wa_test_connection('%s').", resumed)));
	}
	wa_call_end(&call);
	PG_RETURN_INT64((int64) rows.n);
}
