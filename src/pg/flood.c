/*-------------------------------------------------------------------------
 *
 * flood.c
 *		Of the same line of the log one, and how many more there were.
 *
 * A mass event whose every message fails would write a hundred thousand lines,
 * and who counts lines would count one trouble as so many.  The first is said
 * whole, then for a minute none; then how many there were.  What each of them
 * was stands in a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "pg/flood.h"

#define QUIET_US	USECS_PER_MINUTE

static WaFlood *floods = NULL;

/*
 * May this line be said?  If not it is counted.
 */
bool
wa_pg_flood_may_say(WaFlood *flood)
{
	TimestampTz now = GetCurrentTimestamp();

	if (flood->said_at == 0)
	{
		flood->next = floods;
		floods = flood;
	}
	else if (now >= flood->said_at && now - flood->said_at < QUIET_US)
	{
		flood->more++;
		return false;
	}
	flood->said_at = now;
	return true;
}

/*
 * Say how many were not said, where it has been quiet for long enough (all: of
 * each); lowers *next_due to when to come again.
 */
void
wa_pg_flood_tell(bool all, TimestampTz *next_due)
{
	TimestampTz now = GetCurrentTimestamp();

	for (WaFlood *flood = floods; flood; flood = flood->next)
	{
		if (flood->more == 0)
			continue;
		if (!all && now >= flood->said_at && now - flood->said_at < QUIET_US)
		{
			if (*next_due == 0 || flood->said_at + QUIET_US < *next_due)
				*next_due = flood->said_at + QUIET_US;
			continue;
		}
		ereport(WARNING,
				(errcode(flood->code),
				 errmsg("%s: " INT64_FORMAT " more", flood->line, flood->more),
				 errdetail("Since the last such line, which said what.")));
		flood->more = 0;
		flood->said_at = now;
	}
}
