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
#include "queue/queue.h"
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
 * Called before each pass of work, in no transaction: treats the queue once
 * after a failover.  False while that is not done; nothing may be composed or
 * sent then.  *again: it has more to do at once.
 */
bool
wa_worker_failover_run(bool *again)
{
	static WaStatement stamped =
		WA_STATEMENT("SELECT timeline FROM wa.identity");
	static bool fits = false;
	WaIdentity	identity;
	WaRows		rows;
	TimeLineID	now;
	TimestampTz switched;
	TimestampTz until;
	int64		nwaiting;
	int64		nmessages;

	*again = false;
	if (fits)
		return true;
	if (!wa_frame_begin("looking for a failover"))
		return false;
	now = GetWALInsertionTimeLine();
	rows = wa_query(&stamped, NULL);
	if (rows.n == 0 || wa_row_int4(rows, 0, 1) == (int32) now)
	{
		fits = rows.n > 0;
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
		nwaiting = wa_queue_doubt_waiting((int32) now, switched + CLOCK_MARGIN_US, until, DOUBT_BATCH, &nmessages);
		ndoubtful += nmessages;
		if (nwaiting > 0)
		{
			wa_frame_commit(false);
			*again = true;
			return false;
		}
		ndoubtful += wa_queue_doubt_requested(switched, until);
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
