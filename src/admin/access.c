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

#include "fmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "pg/call.h"
#include "pg/query.h"

PG_FUNCTION_INFO_V1(wa_sql_grant);
PG_FUNCTION_INFO_V1(wa_sql_revoke);

static const char *const levels[] = {"view", "send", "admin"};

/*
 * wa_grant(): see admin.sql.
 */
Datum
wa_sql_grant(PG_FUNCTION_ARGS)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.access (role, level) VALUES ($1, $2)"
					 " ON CONFLICT (role) DO UPDATE SET level = excluded.level");
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
				 errhint("Levels are view, send (and view), admin (everything).")));
	(void) get_role_oid(role, false);
	wa_arg_text(&args, role);
	wa_arg_text(&args, level);
	wa_query(&put, &args);
	result = wa_call_text(&call, psprintf("role %s has level %s", role, level));
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
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
	if (wa_query(&drop, &args) > 0)
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
