/*-------------------------------------------------------------------------
 *
 * identity.c
 *		Is this the database that may send?
 *
 * A backup is restored beside the original, a database is duplicated for a
 * test, a server is cloned from a snapshot: every copy has the same queue and
 * the same credentials, and none of them may send to citizens.  wa_arm()
 * writes down which database this is; where that no longer fits, nothing
 * leaves until a person arms it again.
 *
 * The stamp holds what a copy cannot have in common with its original: the
 * cluster's system identifier and the database's oid (logical copies), the
 * timeline (recovery), Odoo's database.uuid (its own duplicate), and
 * sicantik_wa.instance, which lies outside the data directory (physical
 * copies).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "admin/access.h"
#include "admin/findings.h"
#include "admin/setting.h"
#include "pg/app_limit.h"
#include "pg/app_table.h"
#include "pg/call.h"
#include "pg/query.h"
#include "pg/subscribed.h"
#include "pg/subtransaction.h"
#include "queue/queue.h"
#include "sicantik_wa.h"
#include "text/text.h"
#include "worker/failover.h"
#include "worker/identity.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(wa_sql_arm);
PG_FUNCTION_INFO_V1(wa_sql_disarm);

/* What Odoo says of this database. */
typedef struct OdooFacts
{
	bool		locked;			/* could not be read now */
	char	   *why;			/* it may not be read; or NULL */
	char	   *uuid;			/* or NULL */
	bool		neutralized;
} OdooFacts;

static bool
read_parameters(void *argument)
{
	OdooFacts  *facts = argument;
	static const char *const columns[] = {"key", "value"};
	static const char *const keys[] = {"database.uuid", "database.is_neutralized"};
	WaAppTable	table;
	WaAppRows	rows;

	if (wa_app_open(&table, wa_setting_get("odoo_schema"),
					"ir_config_parameter") == WA_APP_LOCKED)
		facts->locked = true;
	facts->why = table.why;
	if (table.state != WA_APP_READY)
		return true;
	wa_app_read_by_text(&rows, &table, columns, lengthof(columns),
						"key", keys, lengthof(keys));
	for (uint64 i = 0; i < rows.n; i++)
	{
		const char *key = rows.values[i][0];
		char	   *value = rows.values[i][1];

		if (key == NULL || value == NULL)
			continue;
		if (strcmp(key, "database.uuid") == 0)
			facts->uuid = value;
		else if (!parse_bool(value, &facts->neutralized))
			facts->neutralized = true;	/* an odd value is no permission */
	}
	return true;
}

/*
 * In a subtransaction: whatever hangs on Odoo's table may fail, and the sender
 * must be able to say so.
 */
static void
read_odoo(OdooFacts *facts)
{
	ErrorData  *error;

	memset(facts, 0, sizeof(*facts));
	error = wa_pg_subtransaction(read_parameters, facts);
	if (error == NULL)
		return;
	facts->locked = wa_app_limit_raised(error);
	if (!facts->locked && wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	facts->why = error->message;
}

static void
stop(WaIdentity *identity, bool is_copy, char *why)
{
	identity->mode = WA_MODE_STOPPED;
	identity->is_copy = is_copy;
	identity->why = why;
}

/*
 * Compare the stamp with what this database is now.  Returns NULL if it fits,
 * else the difference as a clause.
 */
static char *
difference(const OdooFacts *odoo)
{
	char	   *system_identifier = wa_row_text(0, 1);
	int64		database_oid = wa_row_int8(0, 2);
	int32		timeline = wa_row_int4(0, 3);
	char	   *uuid = wa_row_text(0, 4);
	char	   *instance = wa_row_text(0, 5);

	if (strcmp(system_identifier, psprintf(UINT64_FORMAT, GetSystemIdentifier())) != 0)
		return "it was armed in another cluster (or before pg_upgrade)";
	if (database_oid != (int64) MyDatabaseId)
		return "it is a copy of the database that was armed";
	if (instance && instance[0] != '\0' && strcmp(instance, wa_guc_instance) != 0)
		return psprintf("it was armed on instance \"%s\", and this is instance \"%s\"",
						instance, wa_guc_instance);
	if (!wa_failover_only(timeline, GetWALInsertionTimeLine()))
		return "it was recovered to a point in the past after it was armed";
	if (uuid && odoo->uuid && strcmp(uuid, odoo->uuid) != 0)
		return "Odoo gave it another database.uuid after it was armed";
	return NULL;
}

/*
 * May this database send, and in which mode?  Every check is made at the time
 * of use; rows of wa.* may have been written by anybody who may write them.
 */
void
wa_identity_check(WaIdentity *identity)
{
	static WaStatement stamp =
		WA_STATEMENT("SELECT system_identifier, database_oid, timeline, odoo_uuid, instance,"
					 " odoo_neutralized, hold_message_id, hold_snapshot::text, hold_event_id,"
					 " synchronous, doubt_snapshot::text, doubt_until FROM wa.identity");
	static WaStatement has_mode =
		WA_STATEMENT("SELECT FROM wa.setting WHERE name = 'mode'");
	OdooFacts	odoo;
	char	   *subscription;
	char	   *why;
	char	   *mode;
	bool		switched;

	memset(identity, 0, sizeof(*identity));
	if (RecoveryInProgress())
	{
		stop(identity, false, "this server is a standby");
		return;
	}
	subscription = wa_pg_subscription();
	if (subscription)
	{
		stop(identity, false,
			 psprintf("the tables of schema wa are filled by subscription \"%s\", so this database sends nothing",
					  subscription));
		return;
	}
	read_odoo(&odoo);
	if (wa_query(&stamp, NULL) == 0)
	{
		if (wa_query(&has_mode, NULL) > 0)
			stop(identity, true, "this database was restored from a backup; wa_arm() lets it send");
		else
			stop(identity, false, "wa_setup() has not been run in this database");
		return;
	}
	identity->hold_message_id = wa_row_int8(0, 7);
	identity->hold_snapshot = wa_row_text(0, 8);
	identity->hold_event_id = wa_row_int8(0, 9);
	identity->synchronous = wa_row_bool(0, 10);
	identity->doubt_snapshot = wa_row_text(0, 11);
	identity->doubt_until = wa_row_timestamptz(0, 12);
	switched = wa_row_int4(0, 3) != (int32) GetWALInsertionTimeLine();
	why = difference(&odoo);
	if (why)
	{
		stop(identity, true,
			 psprintf("this database may not send: %s; wa_arm() lets it send", why));
		return;
	}
	if (odoo.neutralized && !wa_row_bool(0, 6))
	{
		stop(identity, true,
			 "Odoo has neutralized this database (database.is_neutralized); wa_arm() lets it send all the same");
		return;
	}
	if (odoo.why && !odoo.locked)
	{
		stop(identity, false, psprintf("Odoo's table ir_config_parameter cannot be read: %s", odoo.why));
		identity->unreadable = true;
		return;
	}
	if (odoo.locked)
	{
		stop(identity, false, odoo.why ?
			 psprintf("Odoo's table ir_config_parameter cannot be read: %s", odoo.why) :
			 "Odoo's table ir_config_parameter is locked at the moment");
		identity->locked = true;
		return;
	}
	if (switched)
	{
		stop(identity, false, "this server has just been promoted, and what was waiting is being looked at");
		identity->locked = true;
		identity->switched = true;
		return;
	}

	mode = wa_setting_get("mode");
	if (strcmp(mode, "live") == 0)
		identity->mode = WA_MODE_LIVE;
	else if (strcmp(mode, "test") == 0)
	{
		char		number[WA_NUMBER_SIZE];
		char	   *value = wa_setting_get("test_number");

		if (value && wa_text_normalize_number(value, number))
		{
			identity->mode = WA_MODE_TEST;
			identity->test_number = pstrdup(number);
		}
		else
			stop(identity, false, "mode is test, and the setting test_number is not a usable number");
	}
	else if (strcmp(mode, "observe") == 0)
		identity->mode = WA_MODE_OBSERVE;
	else
		stop(identity, false, psprintf("mode \"%s\" is not one of observe, test, live", mode));
}

/*
 * Rows that came by logical replication left the sequences where they were:
 * no number may be given twice.
 */
static void
follow_numbers(void)
{
	static WaStatement follow =
		WA_STATEMENT("SELECT setval('wa.message_id_seq', m) FROM (SELECT max(id) FROM wa.message) AS t (m)"
					 " WHERE m >= (SELECT last_value FROM wa.message_id_seq)"
					 " UNION ALL SELECT setval('wa.event_id_seq', m) FROM (SELECT max(id) FROM wa.event) AS t (m)"
					 " WHERE m >= (SELECT last_value FROM wa.event_id_seq)"
					 " UNION ALL SELECT setval('wa.capture_gap_id_seq', m) FROM (SELECT max(id) FROM wa.capture_gap) AS t (m)"
					 " WHERE m >= (SELECT last_value FROM wa.capture_gap_id_seq)"
					 " UNION ALL SELECT setval('wa.event_outcome_id_seq', m) FROM (SELECT max(id) FROM wa.event_outcome) AS t (m)"
					 " WHERE m >= (SELECT last_value FROM wa.event_outcome_id_seq)"
					 " UNION ALL SELECT setval('wa.dead_letter_id_seq', m) FROM (SELECT max(id) FROM wa.dead_letter) AS t (m)"
					 " WHERE m >= (SELECT last_value FROM wa.dead_letter_id_seq)"
					 " UNION ALL SELECT setval('wa.request_id_seq', m) FROM (SELECT max(id) FROM wa.request) AS t (m)"
					 " WHERE m >= (SELECT last_value FROM wa.request_id_seq)");

	wa_query(&follow, NULL);
}

/*
 * The reader's position came from another cluster, too, where transaction ids
 * are others: if it lies in our future, changes of years to come would count as
 * read.  What it says was read has been; the rest is one closed set, as after a
 * restore.  (After pg_upgrade transaction ids go on, and so does the position.)
 */
static void
forget_foreign_position(void)
{
	static WaStatement events =
		WA_STATEMENT("DELETE FROM wa.event AS e USING wa.position AS p"
					 " WHERE pg_snapshot_xmax(p.snapshot) > pg_snapshot_xmax(pg_current_snapshot())"
					 " AND pg_visible_in_snapshot(e.xact, p.snapshot)");
	static WaStatement position =
		WA_STATEMENT("DELETE FROM wa.position AS p"
					 " WHERE pg_snapshot_xmax(p.snapshot) > pg_snapshot_xmax(pg_current_snapshot())");

	wa_query(&events, NULL);
	wa_query(&position, NULL);
}

/*
 * Write down that this database, as it is now, is the one that may send.
 * hold: it was a copy; what was there before is held.
 */
void
wa_identity_stamp(bool hold)
{
	static WaStatement clear = WA_STATEMENT("DELETE FROM wa.identity");
	static WaStatement insert =
		WA_STATEMENT("INSERT INTO wa.identity (system_identifier, database_oid, timeline, odoo_uuid,"
					 " odoo_neutralized, instance, hold_message_id, hold_snapshot, hold_event_id, stamped_by)"
					 " SELECT $1, $2, $3, $4, $5, nullif($6, ''),"
					 " CASE WHEN $7 THEN coalesce((SELECT max(id) FROM wa.message), 0) ELSE 0 END,"
					 " CASE WHEN $7 THEN pg_current_snapshot() END,"
					 " CASE WHEN $7 THEN coalesce((SELECT max(id) FROM wa.event), 0) ELSE 0 END, $8");
	OdooFacts	odoo;
	WaArgs		args = {0};

	read_odoo(&odoo);
	if (hold)
	{
		follow_numbers();
		forget_foreign_position();
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
	wa_query(&insert, &args);
	if (hold)
		wa_queue_settle_restored();
	wa_worker_reload_at_commit();
}

/*
 * The first wa_setup() of a database stamps it, so that messages by hand go
 * out in mode observe.  A restored database has no stamp but a mode (that one
 * is dumped) and is left alone.
 */
bool
wa_identity_stamp_first(void)
{
	static WaStatement known =
		WA_STATEMENT("SELECT FROM wa.identity UNION ALL SELECT FROM wa.setting WHERE name = 'mode'");

	if (wa_query(&known, NULL) > 0)
		return false;
	wa_identity_stamp(false);
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
 * wa_arm(): see worker.sql.
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
	wa_identity_check(&identity);
	if (identity.unreadable)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s", identity.why)));
	wa_identity_stamp(identity.is_copy);
	set_mode("live");
	(void) wa_access_adopt();
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
					 " WHERE m.scenario IS NOT NULL AND m.state = 'queued'");

	wa_query(&count, NULL);
	return wa_row_int8(0, 1);
}

/*
 * wa_disarm(): see worker.sql.
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
		answer = psprintf("%s; messages that wait now: " INT64_FORMAT ". Each is skipped (reason observe) when its turn comes."
						  " After wa_arm(), SELECT wa_retry(reason => 'observe') brings back those still within their time-to-live."
						  " To stop for a while and lose nothing: SELECT wa_pause(), then SELECT wa_resume()",
						  answer, waiting);
	result = wa_call_text(&call, answer);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
