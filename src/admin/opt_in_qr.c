/*-------------------------------------------------------------------------
 *
 * opt_in_qr.c
 *		wa_opt_in_qr(): the link by which a citizen agrees, to be scanned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "admin/admin.h"
#include "feedback/consent.h"
#include "pg/call.h"

PG_FUNCTION_INFO_V1(wa_sql_opt_in_qr);

/*
 * wa_opt_in_qr(): see admin.sql.
 */
Datum
wa_sql_opt_in_qr(PG_FUNCTION_ARGS)
{
	char	   *provider = wa_call_arg_text(fcinfo, 0);
	char	   *body = wa_call_arg_text(fcinfo, 1);
	char	   *number = wa_call_arg_text(fcinfo, 2);
	WaCall		call;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	result = wa_call_text(&call, wa_admin_qr(wa_feedback_consent_link(provider, body, number)));
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
