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
 * timeline (recovery), the name of its start from a base backup (restored.c),
 * Odoo's database.uuid (its own duplicate), and sicantik_wa.instance, which
 * lies outside the data directory (other physical copies).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "identity/identity.h"
#include "odoo/odoo.h"
#include "office/setting.h"
#include "pg/app_limit.h"
#include "pg/app_table.h"
#include "pg/columns.h"
#include "pg/subscribed.h"
#include "pg/subtransaction.h"
#include "sicantik_wa.h"
#include "text/text.h"

static bool
read_parameters(void *argument)
{
	WaOdooFacts *facts = argument;
	static const char *const keys[] = {"database.uuid", "database.is_neutralized"};
	WaAppTable	table;
	char	   *values[lengthof(keys)];

	facts->locked = wa_odoo_parameters(&table, wa_office_get("odoo_schema"), keys, lengthof(keys),
									   values) == WA_APP_LOCKED;
	facts->why = table.why;
	facts->uuid = values[0];
	if (values[1] && !parse_bool(values[1], &facts->neutralized))
		facts->neutralized = true;	/* an odd value is no permission */
	return true;
}

/*
 * What Odoo says of this database, now; strings are palloc()ed.  In a
 * subtransaction: whatever hangs on Odoo's table may fail, and the sender must
 * be able to say so.
 */
void
wa_identity_read_odoo(WaOdooFacts *facts)
{
	ErrorData  *error;

	memset(facts, 0, sizeof(*facts));
	error = wa_pg_attempt(read_parameters, facts);
	if (error == NULL)
		return;
	facts->locked = wa_app_limit_raised(error);
	facts->why = wa_said_of_error(error);
}

static void
stop(WaIdentity *identity, bool is_copy, WaSaid why)
{
	identity->mode = WA_MODE_STOPPED;
	identity->is_copy = is_copy;
	identity->why = why;
}

#define STAMP(X, row) \
	X(row, text, system_identifier, "system_identifier") \
	X(row, int8, database_oid, "database_oid") \
	X(row, int4, timeline, "timeline") \
	X(row, text, odoo_uuid, "odoo_uuid") \
	X(row, text, instance, "instance") \
	X(row, text, restoration, "restoration") \
	X(row, boolean, odoo_neutralized, "odoo_neutralized") \
	X(row, text, mark, "mark") \
	X(row, int8, hold_message_id, "hold_message_id") \
	X(row, text, hold_snapshot, "hold_snapshot::text") \
	X(row, int8, hold_event_id, "hold_event_id") \
	X(row, boolean, synchronous, "synchronous") \
	X(row, text, doubt_snapshot, "doubt_snapshot::text") \
	X(row, time, doubt_until, "doubt_until")
WA_DEFINE_ROW(Stamp, stamp_row, STAMP);

/*
 * Compare the stamp with what this database is now.  Returns NULL if it fits,
 * else the difference as a clause.
 */
static WaSaid
difference(const Stamp * stamp, const WaOdooFacts *odoo)
{
	if (strcmp(stamp->system_identifier, psprintf(UINT64_FORMAT, GetSystemIdentifier())) != 0)
		return wa_say(WA_SAY_ARMED_IN_OTHER_CLUSTER);
	if (stamp->database_oid != (int64) MyDatabaseId)
		return wa_say(WA_SAY_COPY_OF_ARMED);
	if (stamp->instance && stamp->instance[0] != '\0' && strcmp(stamp->instance, wa_guc_instance) != 0)
		return wa_say(WA_SAY_ARMED_ON_OTHER_INSTANCE, stamp->instance, wa_guc_instance);
	if (!wa_identity_same_history(stamp->timeline, GetWALInsertionTimeLine()))
		return wa_say(WA_SAY_RECOVERED_TO_THE_PAST);
	if (wa_identity_restoration()[0] != '\0' &&
		(stamp->restoration == NULL || strcmp(stamp->restoration, wa_identity_restoration()) != 0))
		return wa_say(WA_SAY_STARTED_FROM_BASE_BACKUP);
	if (stamp->odoo_uuid && odoo->uuid && strcmp(stamp->odoo_uuid, odoo->uuid) != 0)
		return wa_say(WA_SAY_OTHER_DATABASE_UUID);
	return NULL;
}

/*
 * May this database send, and in which mode?  Every check is made at the time
 * of use; rows of wa.* may have been written by anybody who may write them.
 */
void
wa_identity_check(WaIdentity *identity)
{
	static WaStatement read = WA_STATEMENT_OF(&stamp_row, "SELECT {columns} FROM wa.identity");
	static WaStatement has_mode =
		WA_STATEMENT("SELECT FROM wa.setting WHERE name = 'mode'");
	WaOdooFacts odoo;
	WaRows		rows;
	Stamp		stamp;
	char	   *subscription;
	WaSaid		why;
	char	   *mode;
	bool		switched;

	memset(identity, 0, sizeof(*identity));
	if (RecoveryInProgress())
	{
		stop(identity, false, wa_say(WA_SAY_SERVER_IS_STANDBY));
		return;
	}
	subscription = wa_pg_subscription();
	if (subscription)
	{
		stop(identity, false,
			 wa_say(WA_SAY_FILLED_BY_SUBSCRIPTION, subscription));
		return;
	}
	wa_identity_read_odoo(&odoo);
	rows = wa_query(&read, NULL);
	if (rows.n == 0)
	{
		if (wa_query(&has_mode, NULL).n > 0)
			stop(identity, true, wa_say(WA_SAY_RESTORED_FROM_BACKUP));
		else
			stop(identity, false, wa_say(WA_SAY_SETUP_NOT_RUN));
		return;
	}
	wa_row_read(rows, 0, &stamp_row, &stamp);
	identity->mark = unconstify(char *, stamp.mark);
	identity->hold_message_id = stamp.hold_message_id;
	identity->hold_snapshot = stamp.hold_snapshot;
	identity->hold_event_id = stamp.hold_event_id;
	identity->synchronous = stamp.synchronous;
	identity->doubt_snapshot = stamp.doubt_snapshot;
	identity->doubt_until = stamp.doubt_until;
	switched = stamp.timeline != (int32) GetWALInsertionTimeLine();
	why = difference(&stamp, &odoo);
	if (why)
	{
		stop(identity, true,
			 wa_say(WA_SAY_MAY_NOT_SEND, why));
		return;
	}
	if (odoo.neutralized && !stamp.odoo_neutralized)
	{
		stop(identity, true,
			 wa_say(WA_SAY_NEUTRALIZED));
		return;
	}
	if (odoo.why && !odoo.locked)
	{
		stop(identity, false, wa_say(WA_SAY_PARAMETERS_UNREADABLE, odoo.why));
		identity->unreadable = true;
		return;
	}
	if (odoo.locked)
	{
		stop(identity, false, odoo.why ?
			 wa_say(WA_SAY_PARAMETERS_UNREADABLE, odoo.why) :
			 wa_say(WA_SAY_PARAMETERS_LOCKED));
		identity->locked = true;
		return;
	}
	if (switched)
	{
		stop(identity, false, wa_say(WA_SAY_JUST_PROMOTED));
		identity->locked = true;
		identity->switched = true;
		return;
	}

	mode = wa_office_get("mode");
	if (strcmp(mode, "live") == 0)
		identity->mode = WA_MODE_LIVE;
	else if (strcmp(mode, "test") == 0)
	{
		char		number[WA_NUMBER_SIZE];
		char	   *value = wa_office_get("test_number");

		if (value && wa_text_normalize_number(value, number))
		{
			identity->mode = WA_MODE_TEST;
			identity->test_number = pstrdup(number);
		}
		else
			stop(identity, false, wa_say(WA_SAY_MODE_TEST_WITHOUT_NUMBER));
	}
	else if (strcmp(mode, "observe") == 0)
		identity->mode = WA_MODE_OBSERVE;
	else
		stop(identity, false, wa_say(WA_SAY_MODE_UNKNOWN, mode));
}
