/*-------------------------------------------------------------------------
 *
 * template_sync.c
 *		When a provider's list of templates is read: once a day, and sooner
 *		where something has been told of it.
 *
 * That stands in a table, so that it survives the worker: one whose token may
 * not read the list would else be asked at each of its starts.  A row that
 * somebody has locked is left alone, and comes again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "pg/query.h"
#include "route/catalogue.h"

/* A list that could not be read: 5 minutes, doubled up to 6 hours. */
#define RETRY_SQL \
	"least(interval '5 minutes' * power(2, least(failures, 10)), interval '6 hours')"

/* Something has changed in this process. */
static bool look = true;

/*
 * When the list of this provider is to be read, or 0: it has no mapping that
 * names a template of its own.  One of which nobody knows yet is read a while
 * after, when a person may be done with configuring.
 */
TimestampTz
wa_route_templates_due(const char *provider)
{
	static WaStatement find =
		WA_STATEMENT("SELECT s.due_at FROM (SELECT FROM wa.template_mapping WHERE provider = $1 AND mode = 'template'"
					 " AND name IS NOT NULL LIMIT 1) AS m LEFT JOIN wa.template_sync AS s ON s.provider = $1");
	WaArgs		args = {0};
	WaRows		rows;
	TimestampTz due = 0;

	wa_arg_text(&args, provider);
	rows = wa_query(&find, &args);
	if (rows.n > 0 && !wa_row_isnull(rows, 0, 1))
		due = wa_row_timestamptz(rows, 0, 1);
	else if (rows.n > 0)
	{
		wa_route_templates_wanted(provider, WA_TEMPLATES_FIRST_S);
		due = GetCurrentTimestamp() + WA_TEMPLATES_FIRST_S * USECS_PER_SEC;
	}
	wa_rows_free(rows);
	return due;
}

/*
 * The list of this provider is wanted in so many seconds at the latest.
 */
void
wa_route_templates_wanted(const char *provider, int in_seconds)
{
	static WaStatement sooner =
		WA_STATEMENT("WITH u AS (UPDATE wa.template_sync SET due_at = least(due_at, clock_timestamp() + $2 * interval '1 second')"
					 " WHERE provider = (SELECT provider FROM wa.template_sync WHERE provider = $1 FOR NO KEY UPDATE SKIP LOCKED))"
					 " INSERT INTO wa.template_sync (provider, due_at) SELECT $1, clock_timestamp() + $2 * interval '1 second'"
					 " WHERE NOT EXISTS (SELECT FROM wa.template_sync WHERE provider = $1) ON CONFLICT (provider) DO NOTHING");
	WaArgs		args = {0};

	wa_arg_text(&args, provider);
	wa_arg_int4(&args, in_seconds);
	wa_query(&sooner, &args);
	look = true;
}

/*
 * The server's clock was set by so many microseconds: the lists are read after
 * the same wait as before, and within a day.
 */
void
wa_route_templates_shift(int64 by_us)
{
	static WaStatement shift =
		WA_STATEMENT("UPDATE wa.template_sync SET due_at = least(due_at + $1 * interval '1 microsecond', clock_timestamp() + interval '1 day')"
					 " WHERE provider = ANY (ARRAY (SELECT provider FROM wa.template_sync"
					 " WHERE $1 <> 0 OR due_at > clock_timestamp() + interval '1 day' FOR NO KEY UPDATE SKIP LOCKED))");
	WaArgs		args = {0};

	wa_arg_int8(&args, by_us);
	wa_query(&shift, &args);
	look = true;
}

/*
 * Has this process changed a time since this was asked last?
 */
bool
wa_route_templates_look(void)
{
	bool		changed = look;

	look = false;
	return changed;
}

/*
 * The list of a provider has been read, or could not be (problem): the next
 * time tomorrow, or after a while.  wait_s: not before, or -1.
 */
void
wa_route_templates_read(const char *provider, WaSaid problem, long wait_s)
{
	static WaStatement put =
		WA_STATEMENT("WITH u AS (UPDATE wa.template_sync SET"
					 " due_at = clock_timestamp() + CASE WHEN $2 IS NULL THEN CASE WHEN $4 < 0 THEN interval '1 day' ELSE $4 * interval '1 second' END"
					 " ELSE greatest(" RETRY_SQL ", $4 * interval '1 second') END,"
					 " synced_at = CASE WHEN $2 IS NULL THEN clock_timestamp() ELSE synced_at END,"
					 " failures = CASE WHEN $2 IS NULL THEN 0 ELSE failures + 1 END, last_error = $2, last_error_said = $3"
					 " WHERE provider = (SELECT provider FROM wa.template_sync WHERE provider = $1 FOR NO KEY UPDATE SKIP LOCKED))"
					 " INSERT INTO wa.template_sync (provider, due_at, synced_at, failures, last_error, last_error_said)"
					 " SELECT $1, clock_timestamp() + CASE WHEN $2 IS NULL THEN interval '1 day' ELSE interval '5 minutes' END,"
					 " CASE WHEN $2 IS NULL THEN clock_timestamp() END, CASE WHEN $2 IS NULL THEN 0 ELSE 1 END, $2, $3"
					 " WHERE NOT EXISTS (SELECT FROM wa.template_sync WHERE provider = $1) ON CONFLICT (provider) DO NOTHING");
	WaArgs		args = {0};

	wa_arg_text(&args, provider);
	wa_arg_said(&args, problem);
	wa_arg_int4(&args, (int32) wait_s);
	wa_query(&put, &args);
	look = true;
}
