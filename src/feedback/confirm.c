/*-------------------------------------------------------------------------
 *
 * confirm.c
 *		Who has written STOP is told that he has been heard.
 *
 * The answer is a message by hand that goes although he has opted out, by the
 * provider that he wrote to and no other: what came in by Meta may be answered
 * there in free text within the day, and a number that wrote to a gateway
 * knows that one.  It is not worth repeating.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "feedback/consent.h"
#include "office/setting.h"
#include "pg/query.h"
#include "pg/said.h"
#include "queue/queue.h"
#include "route/route.h"

static char *
compose(void)
{
	char	   *text = wa_office_get("opt_out_text");
	char	   *office = wa_office_get("office_name");

	if (text == NULL)
		text = wa_said_words(wa_say(WA_SAY_YOU_HAVE_OPTED_OUT, wa_feedback_consent_word_in()), WA_INDONESIAN);
	return psprintf("%s%s%s", text, office ? "\n\n" : "", office ? office : "");
}

/*
 * Queue the answer to an opt-out that came in by this provider, unless that is
 * switched off, has been done within a day, is too late, or he has come back
 * since.  In the worker's transaction, after the opt-out was noted.
 */
void
wa_feedback_consent_confirm(const char *number, const char *provider, TimestampTz said_at)
{
	static WaStatement told =
		WA_STATEMENT("SELECT FROM wa.message WHERE number = $1 AND despite_opt_out"
					 " AND created_at > clock_timestamp() - interval '1 day'"
					 " AND created_at < clock_timestamp() + interval '1 day' LIMIT 1");
	TimestampTz now = GetCurrentTimestamp();
	WaRoute		route = {.number = number};
	WaNewMessage message = {0};
	WaArgs		args = {0};

	if (number == NULL || provider == NULL || now - said_at >= USECS_PER_DAY || !wa_office_is_on("confirm_opt_out"))
		return;
	wa_route_load_own_facts(&route, 1);
	wa_arg_text(&args, number);
	if (route.refusal == NULL || wa_query(&told, &args).n > 0)
		return;
	wa_queue_assign_ids(&message, 1);
	message.number = number;
	message.number_source = wa_said_quote("given");
	message.body = compose();
	message.state = WA_STATE_QUEUED;
	message.priority = "high";
	message.unknown_policy = "give up";
	message.wanted_provider = provider;
	message.despite_opt_out = true;
	message.expires_at = Max(said_at, now - USECS_PER_DAY) + USECS_PER_DAY;
	message.created_by = "sicantik_wa";
	wa_queue_insert(&message, 1);
}
