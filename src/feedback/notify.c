/*-------------------------------------------------------------------------
 *
 * notify.c
 *		The office is told that citizens have written, where it wants that.
 *
 * One text a day at most, and none is forgotten: what comes in within the day
 * is counted in the next one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "feedback/feedback.h"
#include "office/setting.h"
#include "pg/query.h"
#include "pg/said.h"
#include "queue/once.h"
#include "queue/queue.h"
#include "text/text.h"
#include "wake/wake.h"

#define KEY "inbound:waiting"

/*
 * How many have come since the last text; *told_at: when that was, or 0.
 */
static int64
count(TimestampTz *told_at)
{
	static WaStatement look =
		WA_STATEMENT("SELECT (SELECT count(*) FROM wa.inbound AS i WHERE i.received_at > coalesce(t.at, '-infinity')), t.at"
					 " FROM (SELECT max(announced_at) AS at FROM wa.announced WHERE key = '" KEY "') AS t");
	WaRows		rows = wa_query(&look, NULL);
	int64		n = wa_row_int8(rows, 0, 1);

	*told_at = wa_row_isnull(rows, 0, 2) ? 0 : wa_row_timestamptz(rows, 0, 2);
	wa_rows_free(rows);
	return n;
}

/*
 * Queue a text to alert_number, if the setting "inbound" wants it, somebody has
 * written since the last one, and that was not within a day; then *due is
 * lowered to when it is.  In the worker's transaction.
 */
void
wa_feedback_notify(TimestampTz *due)
{
	char	   *setting = wa_office_get("alert_number");
	char	   *office = wa_office_get("office_name");
	char		number[WA_NUMBER_SIZE];
	const char *key = KEY;
	int64		again_after = USECS_PER_DAY;
	WaNewMessage message = {0};
	TimestampTz told_at;
	int64		n;
	bool		fresh;

	if (strcmp(wa_office_get("inbound"), "notify") != 0 || setting == NULL ||
		!wa_text_normalize_number(setting, number) || (n = count(&told_at)) == 0)
		return;
	if (told_at != 0 && told_at + USECS_PER_DAY > GetCurrentTimestamp())
	{
		wa_wake_sooner(due, told_at + USECS_PER_DAY);
		return;
	}
	wa_queue_assign_ids(&message, 1);
	wa_queue_announce_many(&key, &message.id, &again_after, 1, &fresh);
	if (!fresh)
		return;
	message.number = number;
	message.number_source = wa_said_quote("alert_number");
	message.body = psprintf("%s%s%s",
							wa_said_words(wa_say(WA_SAY_INBOUND_HAS_COME, get_database_name(MyDatabaseId), WA_NUMBER(n)),
										  wa_office_language()),
							office ? "\n\n" : "", office ? office : "");
	message.state = WA_STATE_QUEUED;
	message.priority = "normal";
	message.unknown_policy = "give up";
	message.fallback = true;
	message.expires_at = GetCurrentTimestamp() + USECS_PER_DAY;
	message.created_by = "sicantik_wa";
	wa_queue_insert(&message, 1);
}
