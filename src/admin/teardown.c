/*-------------------------------------------------------------------------
 *
 * teardown.c
 *		wa_teardown(): take the triggers off, before DROP EXTENSION.
 *
 * DROP EXTENSION ... CASCADE would do it too, but it waits for an exclusive
 * lock on each table while it holds those it has got, and so stops the
 * application.
 *
 * wa.watch stays as it is: wa_setup() puts the triggers on the same tables
 * again, those of a DBA's own scenarios included, which nobody else knows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "admin/admin.h"
#include "admin/target.h"
#include "capture/capture.h"
#include "pg/call.h"
#include "pg/query.h"

PG_FUNCTION_INFO_V1(wa_sql_teardown);

/*
 * Tables that carry a trigger of ours, whatever wa.watch says of them.
 */
static int
find_carriers(WaTarget *targets)
{
	static WaStatement carriers =
		WA_STATEMENT("SELECT DISTINCT tgrelid::bigint FROM pg_trigger"
					 " WHERE tgfoid = to_regprocedure('wa.capture()') AND NOT tgisinternal"
					 " AND tgname IN ('" WA_CAPTURE_TRIGGER "', '" WA_CAPTURE_FORMER_TRIGGER "') ORDER BY 1");
	WaRows		rows = wa_query(&carriers, NULL);
	Oid		   *oids = palloc(sizeof(Oid) * Max(rows.n, 1));
	int			found = 0;

	for (uint64 i = 0; i < rows.n; i++)
		oids[i] = (Oid) wa_row_int8(rows, i, 1);
	for (uint64 i = 0; i < rows.n && found < WA_MAX_TARGETS; i++)
	{
		wa_admin_find_target_by_oid(&targets[found], oids[i]);
		if (OidIsValid(targets[found].relid))
			found++;
	}
	return found;
}

/*
 * wa_teardown(): see admin.sql.
 */
Datum
wa_sql_teardown(PG_FUNCTION_ARGS)
{
	WaTarget   *targets;
	WaTarget  **mine;
	WaCall		call;
	int			n;
	int			nmine = 0;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_ADMIN);
	targets = palloc0(sizeof(WaTarget) * WA_MAX_TARGETS);
	mine = palloc(sizeof(WaTarget *) * WA_MAX_TARGETS);
	n = find_carriers(targets);
	for (int i = 0; i < n; i++)
		if (wa_admin_may_alter(call.acting.user, &targets[i]))
			mine[nmine++] = &targets[i];
	wa_admin_lock_targets(mine, nmine, AccessExclusiveLock);

	for (int i = 0; i < n; i++)
	{
		WaTarget   *t = &targets[i];
		char	   *item = psprintf("table %s", t->relation);
		char	   *problem;

		if (!wa_admin_may_alter(call.acting.user, t))
			wa_call_say(fcinfo, item, "refused",
						psprintf("role %s is not a member of %s, which owns the table",
								 GetUserNameFromId(call.acting.user, false),
								 GetUserNameFromId(t->owner, false)));
		else if (!t->locked)
			wa_call_say(fcinfo, item, "locked", "the table is in use; call wa_teardown() again");
		else if (wa_admin_detach(t, &problem))
			wa_call_say(fcinfo, item, "detached", NULL);
		else
			wa_call_say(fcinfo, item, "failed", problem);
	}
	wa_admin_teardown_contacts(fcinfo, call.acting.user);
	if (n == 0)
		wa_call_say(fcinfo, "triggers", "none", "no table carries a trigger of this extension");
	wa_call_end(&call);
	return (Datum) 0;
}
