/*-------------------------------------------------------------------------
 *
 * alert.c
 *		A text to a person when a provider is in trouble, or has told of some.
 *
 * An alert is an ordinary message by hand, so it is routed like any other, the
 * one in trouble counting as tried.  It is worth nothing an hour later, and it
 * is not repeated: whatever becomes of it, the next one about the same provider
 * and cause comes after an hour at the earliest, so alerts about alerts end by
 * themselves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "queue/alert.h"
#include "office/setting.h"
#include "pg/said.h"
#include "queue/alert.h"
#include "queue/once.h"
#include "queue/queue.h"
#include "text/text.h"

#define AGAIN_AFTER_US	USECS_PER_HOUR

static char *
compose(WaSaid said)
{
	char	   *office = wa_office_get("office_name");

	return psprintf("%s%s%s", wa_said_words(said, wa_office_language()), office ? "\n\n" : "", office ? office : "");
}

/* refused_by: the provider that is not to carry it, or NULL. */
static void
alert(const char *provider, const char *cause, WaSaid said, const char *refused_by)
{
	char	   *setting = wa_office_get("alert_number");
	char		number[WA_NUMBER_SIZE];
	WaNewMessage message = {0};
	const char *key = psprintf("alert:%s:%s", provider, cause);
	int64		again_after = AGAIN_AFTER_US;
	bool		fresh;

	if (setting == NULL)
		return;
	if (!wa_text_normalize_number(setting, number))
	{
		ereport(WARNING,
				(errmsg("the setting alert_number is not a usable number"),
				 errhint("SELECT wa_set('alert_number', '...').")));
		return;
	}
	wa_queue_assign_ids(&message, 1);
	wa_queue_announce_many(&key, &message.id, &again_after, 1, &fresh);
	if (!fresh)
		return;
	message.number = number;
	message.number_source = wa_said_quote("alert_number");
	message.body = compose(said);
	message.state = WA_STATE_QUEUED;
	message.priority = "high";
	message.unknown_policy = "give up";
	message.fallback = true;
	message.expires_at = GetCurrentTimestamp() + AGAIN_AFTER_US;
	message.created_by = "sicantik_wa";
	message.refused_by = refused_by;
	wa_queue_insert(&message, 1);
}

/*
 * Queue one text to the setting alert_number, unless there was one for the
 * same provider and cause within the last hour, or the setting is empty.
 * In a transaction of the worker's.  provider: the one in trouble; cause: a
 * short stable word (a reason code); reason: the sentence for people, without
 * secrets.
 */
void
wa_queue_alert(const char *provider, const char *cause, WaSaid reason)
{
	/* one that leaves requests without an answer may still be in use */
	alert(provider, cause, wa_say(WA_SAY_ALERT, get_database_name(MyDatabaseId), provider, reason), provider);
}

/*
 * The same of what a provider has told that does not keep it from sending.
 */
void
wa_queue_alert_news(const char *provider, const char *cause, WaSaid news)
{
	alert(provider, cause, wa_say(WA_SAY_ALERT_NEWS, get_database_name(MyDatabaseId), provider, news), NULL);
}
