/*-------------------------------------------------------------------------
 *
 * failover.c
 *		The queue after a standby was promoted.
 *
 * What the former primary did last may not have reached this server: a
 * message that waits here may have gone out there.  If the former primary
 * waited for its standbys (see standbys.c) that cannot be, and sending goes
 * on.  Otherwise everything that waited at the switch, or was due by then, is
 * in doubt: its state becomes unknown, and after the time in which a provider
 * may tell, the policy for unknown outcomes is carried out.  The same goes for
 * messages that are yet to be made from changes, or by a daily scenario, of
 * the time before the switch.
 *
 * What was made after it is told apart by the timeline that work carries
 * (wa.ready, wa.due), not by clocks, which may differ between two servers.
 *
 * Until all this is done nothing is composed or sent; it is done in batches,
 * and with the last one the stamp gets the new timeline, so that it happens
 * once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "utils/timestamp.h"

#include "identity/identity.h"
#include "office/setting.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "wake/slot.h"
#include "worker/failover.h"

#define DOUBT_BATCH		5000
/* the former primary's clock may have been ahead of ours */
#define CLOCK_MARGIN_US	(5 * USECS_PER_SEC)

/* What has been put in doubt so far, for the log. */
static int64 ndoubtful = 0;

/*
 * When this server was promoted: it wrote the history file then.
 */
static TimestampTz
promoted_at(TimeLineID timeline)
{
	char		path[MAXPGPATH];
	struct stat file;

	TLHistoryFilePath(path, timeline);
	if (stat(path, &file) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat file \"%s\": %m", path)));
	return time_t_to_timestamptz(file.st_mtime);
}

/*
 * Put a batch of what waits in doubt.  The attempt that the former primary may
 * have made is written down as such.  Rows without a message that waits are
 * left-overs.  Returns how many rows there were.
 */
static int64
doubt_batch(TimeLineID timeline, TimestampTz switched, TimestampTz until)
{
	static WaStatement doubt =
		WA_STATEMENT("WITH w AS MATERIALIZED ("
					 "(SELECT message_id FROM wa.ready WHERE claimed_at IS NULL AND timeline < $1 LIMIT $4)"
					 " UNION ALL (SELECT message_id FROM wa.due WHERE due_at <= $2 AND timeline < $1"
					 " ORDER BY due_at LIMIT $4)), "
					 "m AS (UPDATE wa.message AS m SET state = 'unknown', reason = 'failover',"
					 " detail = 'it waited on the former primary when this server was promoted; it may have gone out there',"
					 " due_at = $3, attempts = attempts + 1, finished_at = NULL"
					 " FROM w WHERE m.id = w.message_id AND m.state IN ('queued', 'unknown')"
					 " RETURNING m.id, m.attempts), "
					 "a AS (INSERT INTO wa.attempt (message_id, attempt, provider, started_at, finished_at,"
					 " provider_code, outcome, response)"
					 " SELECT id, attempts, '', clock_timestamp(), clock_timestamp(), 'failover', 'unknown',"
					 " 'the former primary may have sent it' FROM m ON CONFLICT (message_id, attempt) DO NOTHING), "
					 "r AS (DELETE FROM wa.ready WHERE message_id IN (SELECT message_id FROM w)), "
					 "d AS (DELETE FROM wa.due WHERE message_id IN"
					 " (SELECT message_id FROM w EXCEPT SELECT id FROM m)), "
					 "i AS (INSERT INTO wa.due (message_id, due_at, timeline) SELECT id, $3, $1 FROM m"
					 " ON CONFLICT (message_id) DO UPDATE SET due_at = excluded.due_at, timeline = excluded.timeline)"
					 " SELECT (SELECT count(*) FROM w), (SELECT count(*) FROM m)");
	WaArgs		args = {0};
	int64		n;

	wa_arg_int4(&args, (int32) timeline);
	wa_arg_timestamptz(&args, switched + CLOCK_MARGIN_US);
	wa_arg_timestamptz(&args, until);
	wa_arg_int4(&args, DOUBT_BATCH);
	wa_query(&doubt, &args);
	n = wa_row_int8(0, 1);
	ndoubtful += wa_row_int8(0, 2);
	return n;
}

/*
 * Somebody asked for a message to be sent again, or let go, and the former
 * primary may have done so.
 */
static void
doubt_requests(TimestampTz switched, TimestampTz until)
{
	static WaStatement doubt =
		WA_STATEMENT("WITH w AS (DELETE FROM wa.request AS r WHERE action IN ('retry', 'release') AND requested_at <= $1"
					 " AND NOT EXISTS (SELECT FROM wa.message AS m WHERE m.id = r.message_id AND m.send_at > $1)"
					 " RETURNING message_id), "
					 "m AS (UPDATE wa.message AS m SET state = 'unknown', reason = 'failover',"
					 " detail = 'it was to go out when this server was promoted; it may have gone out from the former primary',"
					 " due_at = $2, attempts = attempts + 1, finished_at = NULL,"
					 " expires_at = greatest(expires_at, clock_timestamp() + '1 day')"
					 " WHERE m.id IN (SELECT message_id FROM w) AND m.number IS NOT NULL"
					 " AND m.state IN ('held', 'failed', 'unknown', 'skipped', 'expired', 'cancelled')"
					 " RETURNING m.id, m.attempts), "
					 "a AS (INSERT INTO wa.attempt (message_id, attempt, provider, started_at, finished_at,"
					 " provider_code, outcome, response)"
					 " SELECT id, attempts, '', clock_timestamp(), clock_timestamp(), 'failover', 'unknown',"
					 " 'the former primary may have sent it' FROM m ON CONFLICT (message_id, attempt) DO NOTHING), "
					 "i AS (INSERT INTO wa.due (message_id, due_at) SELECT id, $2 FROM m"
					 " ON CONFLICT (message_id) DO UPDATE SET due_at = excluded.due_at)"
					 " SELECT count(*) FROM m");
	WaArgs		args = {0};

	wa_arg_timestamptz(&args, switched);
	wa_arg_timestamptz(&args, until);
	wa_query(&doubt, &args);
	ndoubtful += wa_row_int8(0, 1);
}

/*
 * The former primary may have given away numbers that this server has never
 * seen, and a provider's report about such a message may still come: they are
 * not given again.
 */
static void
skip_lost_ids(void)
{
	static WaStatement skip =
		WA_STATEMENT("SELECT setval('wa.message_id_seq', nextval('wa.message_id_seq') + 1000000)");

	wa_query(&skip, NULL);
}

/*
 * The queue is as it should be: from now on this is the timeline.  What is
 * composed from events of before is in doubt, if "switched" is set.
 */
static void
stamp(TimeLineID timeline, TimestampTz switched)
{
	static WaStatement update =
		WA_STATEMENT("UPDATE wa.identity SET timeline = $1, synchronous = false,"
					 " doubt_snapshot = $2::pg_snapshot, doubt_until = $3");
	uint64		first_xid = pg_atomic_read_u64(&wa_wake_shared->first_xid);
	WaArgs		args = {0};

	wa_arg_int4(&args, (int32) timeline);
	wa_arg_text(&args, switched == 0 ? NULL :
				psprintf(UINT64_FORMAT ":" UINT64_FORMAT ":", first_xid, first_xid));
	wa_arg_timestamptz(&args, switched);
	wa_query(&update, &args);
}

/*
 * See failover.h.
 */
bool
wa_worker_failover_run(bool *again)
{
	static WaStatement stamped =
		WA_STATEMENT("SELECT timeline FROM wa.identity");
	static bool fits = false;
	WaIdentity	identity;
	TimeLineID	now;
	TimestampTz switched;
	TimestampTz until;

	*again = false;
	if (fits)
		return true;
	if (!wa_frame_begin("looking for a failover"))
		return false;
	now = GetWALInsertionTimeLine();
	if (wa_query(&stamped, NULL) == 0 || wa_row_int4(0, 1) == (int32) now)
	{
		fits = SPI_processed > 0;
		wa_frame_commit(false);
		return true;
	}
	wa_identity_check(&identity);
	if (!identity.switched)
	{
		/* a copy holds everything anyway */
		wa_frame_commit(false);
		return !identity.locked;
	}

	if (identity.synchronous)
		stamp(now, 0);
	else
	{
		switched = promoted_at(now);
		until = GetCurrentTimestamp() + wa_office_get_interval("unknown_wait");
		if (doubt_batch(now, switched, until) > 0)
		{
			wa_frame_commit(false);
			*again = true;
			return false;
		}
		doubt_requests(switched, until);
		skip_lost_ids();
		stamp(now, switched);
	}
	wa_frame_commit(true);
	fits = true;
	if (identity.synchronous)
		ereport(LOG,
				(errmsg("sicantik_wa goes on after a failover"),
				 errdetail("The former primary waited for its standbys: nothing is in doubt but what was on the wire.")));
	else
		ereport(LOG,
				(errmsg("sicantik_wa goes on after a failover"),
				 errdetail(INT64_FORMAT " messages were waiting; they are in doubt and treated by the policy for unknown outcomes.",
						   ndoubtful)));
	return true;
}
