/*-------------------------------------------------------------------------
 *
 * quota.c
 *		How many messages a provider still takes, as it told itself.
 *
 * Fonnte tells what is left, Watzap how many it takes a day, Meta neither.
 * The figure is kept when a connection test or a probe tells it; in between
 * the worker counts down in memory, so no message costs a write here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pgtime.h"

#include "office/setting.h"
#include "pg/query.h"
#include "route/providers.h"

/*
 * Keep it in wa.provider; what it does not tell is not limited.  Of a limit
 * per day the messages of the office's day are taken off, of which only the
 * newest of the ledger are looked at.  A row that somebody is just editing is
 * left alone: the next test tells it again.
 */
void
wa_route_note_quota(const char *provider, const WaHealth *health)
{
	static WaStatement note =
		WA_STATEMENT("UPDATE wa.provider SET quota_at = CASE WHEN $2 >= 0 OR $3 >= 0 THEN clock_timestamp() END,"
					 " quota_left = CASE WHEN $2 >= 0 THEN $2 WHEN $3 >= 0 THEN greatest($3 -"
					 " (SELECT count(*) FROM wa.attempt WHERE provider = $1 AND outcome IN ('accepted', 'unknown')"
					 " AND started_at >= date_trunc('day', clock_timestamp(), $4)"
					 " AND message_id > (SELECT coalesce(max(message_id), 0) - 20000 FROM wa.attempt)), 0) END"
					 " WHERE name = (SELECT name FROM wa.provider WHERE name = $1"
					 " AND ($2 >= 0 OR $3 >= 0 OR quota_left IS NOT NULL) FOR NO KEY UPDATE SKIP LOCKED)");
	char	   *zone = wa_office_get("time_zone");
	WaArgs		args = {0};

	wa_arg_text(&args, provider);
	wa_arg_int8(&args, health->quota_left);
	wa_arg_int8(&args, health->daily_limit);
	wa_arg_text(&args, zone && pg_tzset(zone) ? zone : "UTC");
	wa_query(&note, &args);
}
