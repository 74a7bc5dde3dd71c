/*-------------------------------------------------------------------------
 *
 * access.c
 *		wa_grant() and wa_revoke(): who may use the functions.
 *
 * Rows and not GRANTs: a grant on a member of the extension that was made
 * after the installation names a role, and makes a restore fail where that
 * role does not exist.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "admin/access.h"
#include "pg/call.h"
#include "pg/query.h"

PG_FUNCTION_INFO_V1(wa_sql_grant);
PG_FUNCTION_INFO_V1(wa_sql_revoke);

static const char *const levels[] = {"webhook", "view", "send", "admin"};

/*
 * wa_grant(): see admin.sql.
 */
Datum
wa_sql_grant(PG_FUNCTION_ARGS)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.access (role, level, role_oid, system_identifier) VALUES ($1, $2, $3, $4)"
					 " ON CONFLICT (role) DO UPDATE SET level = excluded.level, role_oid = excluded.role_oid,"
					 " system_identifier = excluded.system_identifier");
	char	   *role = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *level = text_to_cstring(PG_GETARG_TEXT_PP(1));
	WaArgs		args = {0};
	WaCall		call;
	bool		known = false;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	for (int i = 0; i < lengthof(levels); i++)
		known = known || strcmp(level, levels[i]) == 0;
	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown level \"%s\"", level),
				 errhint("Levels are webhook (hand over what providers tell, and nothing else), view, send (and view), admin (everything).")));
	wa_arg_text(&args, role);
	wa_arg_text(&args, level);
	wa_arg_int8(&args, get_role_oid(role, false));
	wa_arg_text(&args, psprintf(UINT64_FORMAT, GetSystemIdentifier()));
	wa_query(&put, &args);
	result = wa_call_text(&call, psprintf("role %s has level %s", role, level));
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}

/*
 * Grants that came from another cluster, with a restored dump or pg_upgrade:
 * an administrator who sets this database up, or arms it, means the roles that
 * have these names here.  Returns their names, or NULL if there are none.
 */
char *
wa_admin_access_adopt(void)
{
	static WaStatement adopt =
		WA_STATEMENT("WITH taken AS (UPDATE wa.access AS a SET role_oid = r.oid::bigint, system_identifier = $1"
					 " FROM pg_roles AS r WHERE r.rolname = a.role AND a.system_identifier IS DISTINCT FROM $1"
					 " RETURNING a.role || ' (' || a.level || ')' AS what)"
					 " SELECT string_agg(what, ', ' ORDER BY what) FROM taken");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, psprintf(UINT64_FORMAT, GetSystemIdentifier()));
	rows = wa_query(&adopt, &args);
	return wa_row_text(rows, 0, 1);
}

/*
 * Grants that are not in force, one row each: *roles and *why, palloc()ed.
 */
int
wa_admin_access_idle(char ***roles, WaSaid **why)
{
	static WaStatement idle =
		WA_STATEMENT("SELECT a.role, quote_literal(a.role), quote_literal(a.level),"
					 " r.oid IS NULL, coalesce(a.system_identifier = $1, false)"
					 " FROM wa.access AS a LEFT JOIN pg_roles AS r ON r.rolname = a.role"
					 " WHERE r.oid IS NULL OR a.system_identifier IS DISTINCT FROM $1 OR a.role_oid IS DISTINCT FROM r.oid::bigint"
					 " ORDER BY a.role");
	WaArgs		args = {0};
	WaRows		rows;
	int			n;

	wa_arg_text(&args, psprintf(UINT64_FORMAT, GetSystemIdentifier()));
	rows = wa_query(&idle, &args);
	n = (int) rows.n;
	*roles = palloc(sizeof(char *) * Max(n, 1));
	*why = palloc(sizeof(WaSaid) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		(*roles)[i] = wa_row_text(rows, i, 1);
		(*why)[i] = wa_row_bool(rows, i, 4) ? wa_say(WA_SAY_GRANT_WITHOUT_ROLE, wa_row_text(rows, i, 2)) :
			wa_row_bool(rows, i, 5) ? wa_say(WA_SAY_GRANT_OF_OTHER_ROLE, wa_row_text(rows, i, 2), wa_row_text(rows, i, 3)) :
			wa_say(WA_SAY_GRANT_OF_OTHER_CLUSTER);
	}
	return n;
}

/*
 * wa_revoke(): see admin.sql.
 */
Datum
wa_sql_revoke(PG_FUNCTION_ARGS)
{
	static WaStatement drop =
		WA_STATEMENT("DELETE FROM wa.access WHERE role = $1");
	char	   *role = text_to_cstring(PG_GETARG_TEXT_PP(0));
	WaArgs		args = {0};
	WaCall		call;
	char	   *said;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	wa_arg_text(&args, role);
	if (wa_query(&drop, &args).n > 0)
		said = psprintf("role %s has no level any more", role);
	else
	{
		/* a role that was dropped may still have a row; any other is a slip */
		(void) get_role_oid(role, false);
		said = psprintf("role %s had no level", role);
	}
	result = wa_call_text(&call, said);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
