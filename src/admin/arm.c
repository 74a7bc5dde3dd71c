/*-------------------------------------------------------------------------
 *
 * arm.c
 *		wa_arm() and wa_disarm(): this database, as it is now, is the one that
 *		may send; or it is to send nothing by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "admin/access.h"
#include "admin/findings.h"
#include "compose/compose.h"
#include "compose/together.h"
#include "identity/identity.h"
#include "pg/call.h"
#include "pg/query.h"
#include "queue/queue.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(wa_sql_arm);
PG_FUNCTION_INFO_V1(wa_sql_disarm);

/*
 * Write down that this database, as it is now, is the one that may send.
 * hold: it was a copy; what was there before is held.  mark: what it is called
 * on requests; NULL: it gets a new name.
 */
static void
stamp_identity(bool hold, const char *mark)
{
	static WaStatement clear = WA_STATEMENT("DELETE FROM wa.identity");
	static WaStatement insert =
		WA_STATEMENT("INSERT INTO wa.identity (system_identifier, database_oid, timeline, odoo_uuid,"
					 " odoo_neutralized, instance, restoration, hold_message_id, hold_snapshot, hold_event_id, stamped_by)"
					 " SELECT $1, $2, $3, $4, $5, nullif($6, ''), nullif($9, ''),"
					 " CASE WHEN $7 THEN coalesce((SELECT max(id) FROM wa.message), 0) ELSE 0 END,"
					 " CASE WHEN $7 THEN pg_current_snapshot() END,"
					 " CASE WHEN $7 THEN coalesce((SELECT max(id) FROM wa.event), 0) ELSE 0 END, $8");
	static WaStatement keep_mark = WA_STATEMENT("UPDATE wa.identity SET mark = $1");
	WaOdooFacts odoo;
	WaArgs		args = {0};

	wa_identity_read_odoo(&odoo);
	if (hold)
	{
		(void) wa_queue_follow_numbers();
		wa_compose_set_forget_foreign();
	}
	wa_query(&clear, NULL);
	wa_arg_text(&args, psprintf(UINT64_FORMAT, GetSystemIdentifier()));
	wa_arg_int8(&args, MyDatabaseId);
	wa_arg_int4(&args, (int32) GetWALInsertionTimeLine());
	wa_arg_text(&args, odoo.uuid);
	wa_arg_bool(&args, odoo.neutralized);
	wa_arg_text(&args, wa_guc_instance);
	wa_arg_bool(&args, hold);
	wa_arg_text(&args, wa_call_role());
	wa_arg_text(&args, wa_identity_restoration());
	wa_query(&insert, &args);
	if (mark)
	{
		memset(&args, 0, sizeof(args));
		wa_arg_text(&args, mark);
		wa_query(&keep_mark, &args);
	}
	if (hold)
		wa_queue_settle_restored();
	wa_wake_reload_at_commit();
}

/*
 * The first wa_setup() of a database stamps it, so that messages by hand go
 * out in mode observe, and begins with its changes.  A restored database has no
 * stamp but a mode (that one is dumped) and is left alone.
 */
bool
wa_admin_stamp_first(void)
{
	static WaStatement known =
		WA_STATEMENT("SELECT FROM wa.identity UNION ALL SELECT FROM wa.setting WHERE name = 'mode'");

	if (wa_query(&known, NULL).n > 0)
		return false;
	stamp_identity(false, NULL);
	wa_compose_set_begin();
	return true;
}

static void
set_mode(const char *mode)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.setting (name, value) VALUES ('mode', $1)"
					 " ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = now()");
	WaArgs		args = {0};

	wa_arg_text(&args, mode);
	wa_query(&put, &args);
}

/*
 * wa_arm(): see arm.sql.
 */
Datum
wa_sql_arm(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *database = get_database_name(MyDatabaseId);
	WaCall		call;
	WaIdentity	identity;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	if (strcmp(name, database) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("database name \"%s\" does not match", name),
				 errdetail("You are connected to database \"%s\".", database),
				 errhint("Give the name of the database that is to send: SELECT wa_arm('%s').",
						 database)));

	/*
	 * A worker that composes in what it took for a copy would end with a
	 * position of its own, in place of the one that we forget.
	 */
	wa_compose_alone_wait();
	wa_identity_check(&identity);
	if (identity.unreadable)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 wa_said_errmsg(identity.why)));
	/* reports of what the original has sent are for the original */
	stamp_identity(identity.is_copy, identity.is_copy ? NULL : identity.mark);
	set_mode("live");
	(void) wa_admin_access_adopt();
	if (identity.is_copy)
		ereport(WARNING,
				(errmsg("this database was a copy until now"),
				 errdetail("What was waiting here before is held.")));
	result = wa_call_text(&call, wa_admin_armed());
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}

/* Messages that would go out by themselves and have not yet. */
static int64
count_waiting(void)
{
	static WaStatement count =
		WA_STATEMENT("SELECT count(*) FROM (SELECT message_id FROM wa.ready WHERE claimed_at IS NULL"
					 " UNION ALL SELECT message_id FROM wa.due) AS w JOIN wa.message AS m ON m.id = w.message_id"
					 " WHERE m.scenario IS NOT NULL AND m.state = " WA_SQL_STATE(QUEUED));
	WaRows		rows = wa_query(&count, NULL);

	return wa_row_int8(rows, 0, 1);
}

/*
 * wa_disarm(): see arm.sql.
 */
Datum
wa_sql_disarm(PG_FUNCTION_ARGS)
{
	WaCall		call;
	Datum		result;
	int64		waiting;
	char	   *answer = "mode observe: only messages by hand go out";

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	waiting = count_waiting();
	set_mode("observe");
	if (waiting > 0)
		answer = psprintf("%s; messages that wait now: " INT64_FORMAT ". Each is skipped (reason observe), at once or when it is due."
						  " After wa_arm(), SELECT wa_retry(reason => 'observe') brings back those still within their time-to-live."
						  " To stop for a while instead: SELECT wa_pause(), then SELECT wa_resume();"
						  " what has expired meanwhile comes back by SELECT wa_retry(reason => 'time_to_live')",
						  answer, waiting);
	result = wa_call_text(&call, answer);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
