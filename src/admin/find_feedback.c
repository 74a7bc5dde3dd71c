/*-------------------------------------------------------------------------
 *
 * find_feedback.c
 *		Findings in what providers tell by webhooks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "admin/findings.h"
#include "office/setting.h"
#include "pg/query.h"
#include "route/providers.h"
#include "wake/wake.h"

#define ITEM	"webhooks"
#define UNKNOWN_ITEM	"consent"

/* Refusals older than this are over. */
#define RECENT_MS	(24 * 60 * 60 * 1000)

/*
 * Of wrong signatures the number since the server's start, while the last one
 * is of today.
 */
static bool
find_refused(WaFindings *findings)
{
	WaSlotInfo	slot;

	if (!wa_wake_slot_info(MyDatabaseId, &slot) || slot.last_refused_webhook == 0 ||
		TimestampDifferenceExceeds(slot.last_refused_webhook, GetCurrentTimestamp(), RECENT_MS))
		return false;
	wa_admin_find(findings, WA_WARNING_WEBHOOK, ITEM, NULL,
				  wa_say(WA_SAY_WEBHOOKS_REFUSED, WA_NUMBER((int64) slot.refused_webhooks),
						 wa_office_time_words(slot.last_refused_webhook, wa_office_get("time_zone"))));
	return true;
}

/*
 * What could not be applied; statuses of messages that are not ours are no
 * fault: another program may send by the same number.
 */
static bool
find_problems(WaFindings *findings)
{
	static WaStatement look =
		WA_STATEMENT("SELECT count(*)::text, max(id)::text, max(problem) FROM wa.feedback"
					 " WHERE due_at IS NULL AND problem IS NOT NULL AND kind NOT IN ('status', 'kept')"
					 " AND received_at > now() - interval '24 hours'");
	WaRows		rows = wa_query(&look, NULL);
	char	   *n = wa_row_text(rows, 0, 1);

	if (strcmp(n, "0") == 0)
		return false;
	wa_admin_find(findings, WA_WARNING_WEBHOOK, ITEM,
				  wa_said_statement("SELECT * FROM wa.feedback WHERE id = %s", wa_row_text(rows, 0, 2)),
				  wa_say(WA_SAY_WEBHOOKS_NOT_APPLIED, n, wa_row_text(rows, 0, 3)));
	return true;
}

/*
 * What providers told of our accounts, while it lasts; of what has no end, for
 * a week, or until it does not stop the provider any more.
 */
static void
find_accounts(WaFindings *findings)
{
	static WaStatement look =
		WA_STATEMENT("SELECT n.provider, n.words, n.words_said, " WA_SQL_TIME("n.told_at", "$1") ", " WA_SQL_TIME("n.until", "$1") ", n.effect"
					 " FROM wa.account_news AS n JOIN wa.provider AS p ON p.name = n.provider AND p.active"
					 " WHERE n.effect <> 'resume' AND NOT EXISTS (SELECT FROM wa.account_news AS r WHERE r.provider = n.provider"
					 " AND r.about = n.about AND r.effect = 'resume' AND r.told_at > n.told_at)"
					 " AND (n.until > clock_timestamp() OR n.until IS NULL AND n.told_at > clock_timestamp() - interval '" WA_NEWS_LAST "'"
					 " OR n.until IS NULL AND p.state = 'error' AND p.last_error_at = n.stopped_at)"
					 " ORDER BY n.provider COLLATE \"C\", n.told_at DESC, n.about");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, findings->story->time_zone);
	rows = wa_query(&look, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		WaSaid		words = wa_row_said(rows, i, 2);
		char	   *at = wa_row_text(rows, i, 4);
		char	   *until = wa_row_text(rows, i, 5);
		char	   *item = psprintf("account %s", wa_row_text(rows, i, 1));
		WaSaid		sentence = until ? wa_say(WA_SAY_ACCOUNT_TOLD_UNTIL, words, at, until) :
			wa_say(WA_SAY_ACCOUNT_TOLD_AT, words, at);

		wa_admin_show(findings, item, wa_row_text(rows, i, 6), sentence);
		wa_admin_find(findings, WA_WARNING_PROVIDER, item, NULL, sentence);
	}
}

/*
 * Somebody wants nothing, and only an id is known of him: nobody can keep to
 * it.  What was said long ago is told, and no fault: nobody knows him by now.
 */
static void
find_unknown(WaFindings *findings)
{
	static WaStatement look =
		WA_STATEMENT("SELECT count(DISTINCT c.user_id)::text, " WA_SQL_TIME("min(c.said_at)", "$1") ","
					 " (array_agg(c.user_id ORDER BY c.said_at DESC, c.id DESC))[1],"
					 " coalesce(bool_or(c.noted_at > clock_timestamp() - interval '30 days'), false)"
					 " FROM wa.consent AS c WHERE c.number IS NULL AND c.change = 'opt_out'"
					 " AND NOT EXISTS (SELECT FROM wa.identity_of AS i WHERE i.user_id = c.user_id)"
					 " AND NOT EXISTS (SELECT FROM wa.consent AS l WHERE l.number IS NULL AND l.user_id = c.user_id"
					 " AND l.scope = c.scope AND l.change = 'opt_in' AND l.said_at > c.said_at)");
	WaArgs		args = {0};
	WaRows		rows;
	WaSaid		next;

	wa_arg_text(&args, findings->story->time_zone);
	rows = wa_query(&look, &args);
	if (wa_row_isnull(rows, 0, 3))
	{
		wa_admin_find(findings, WA_FINE, UNKNOWN_ITEM, NULL, NULL);
		return;
	}
	next = wa_said_statement("SELECT wa_identify(%s, '08...')", quote_literal_cstr(wa_row_text(rows, 0, 3)));
	wa_admin_find(findings, wa_row_bool(rows, 0, 4) ? WA_WARNING_CONSENT : WA_FINE, UNKNOWN_ITEM, next,
				  wa_say(WA_SAY_STOP_OF_UNKNOWN, wa_row_text(rows, 0, 1), wa_row_text(rows, 0, 2), next));
}

void
wa_admin_find_feedback(WaFindings *findings)
{
	bool		refused = find_refused(findings);

	find_unknown(findings);
	find_accounts(findings);

	if (!find_problems(findings) && !refused)
		wa_admin_find(findings, WA_FINE, ITEM, NULL, NULL);
}
