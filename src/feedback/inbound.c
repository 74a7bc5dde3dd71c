/*-------------------------------------------------------------------------
 *
 * inbound.c
 *		What people wrote to us.
 *
 * It goes into wa.inbound, once, however often the webhook comes; opens Meta's
 * window, by the time at which it was written; binds a hidden number's id; and
 * may be a wish to get nothing, or to get something again.  Nothing here sends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "feedback/feedback.h"
#include "gateway/gateway.h"
#include "pg/columns.h"
#include "pg/query.h"

/*
 * New ones among these rows.  Without an id of the provider's a digest of what
 * it says stands for it.
 */
static void
write_inbound(const int64 *ids, int n)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.inbound (provider, sender_id, received_at, said_at, number, user_id, name, kind, text,"
					 " message_id, provider_message_id)"
					 " SELECT f.provider, f.sender_id, f.received_at, coalesce(least(f.said_at, f.received_at), f.received_at),"
					 " f.number, f.user_id, f.name, coalesce(f.event, 'unknown'), f.body,"
					 " (SELECT a.message_id FROM wa.attempt AS a WHERE a.provider_message_id = f.answers AND a.provider = f.provider"
					 " ORDER BY a.message_id DESC LIMIT 1),"
					 " coalesce(f.provider_message_id, 'md5:' || md5(concat_ws('|', f.sender_id, coalesce(f.number, f.user_id),"
					 " extract(epoch FROM coalesce(f.said_at, f.received_at)), f.event, f.body)))"
					 " FROM wa.feedback AS f WHERE f.id = ANY ($1) ORDER BY f.id"
					 " ON CONFLICT (provider, provider_message_id) DO NOTHING");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, n);
	wa_query(&put, &args);
}

/*
 * The last time that somebody wrote to Meta's number; a row that somebody
 * holds is not waited for.
 */
static void
open_window(const int64 *ids, int n)
{
	static WaStatement open =
		WA_STATEMENT("WITH v AS (SELECT number, max(coalesce(least(said_at, received_at), received_at)) AS at FROM wa.feedback"
					 " WHERE id = ANY ($1) AND opens_window AND number IS NOT NULL GROUP BY number)"
					 " INSERT INTO wa.contact AS c (number, last_inbound_at) SELECT number, at FROM v"
					 " ON CONFLICT (number) DO UPDATE SET last_inbound_at = excluded.last_inbound_at"
					 " WHERE c.last_inbound_at IS NULL OR c.last_inbound_at < excluded.last_inbound_at");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, n);
	wa_query(&open, &args);
}

/*
 * See feedback.h.
 */
void
wa_feedback_apply_inbound(const int64 *ids, int n)
{
	write_inbound(ids, n);
	open_window(ids, n);
	wa_feedback_done(ids, n);
}
