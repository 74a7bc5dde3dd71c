/*-------------------------------------------------------------------------
 *
 * inbound.c
 *		What people wrote to us.
 *
 * It goes into wa.inbound, once, however often the webhook comes; opens Meta's
 * window, by the time at which it was written; and may be a wish to get
 * nothing, or to get something again.  Nothing here sends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "feedback/consent.h"
#include "feedback/feedback.h"
#include "gateway/gateway.h"
#include "pg/columns.h"
#include "pg/query.h"
#include "route/route.h"

/*
 * New ones among these rows.  Without an id of the provider's a digest of what
 * it says stands for it.
 */
static void
write_inbound(const int64 *ids, int n)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.inbound AS i (provider, sender_id, received_at, said_at, number, user_id, name, kind, text,"
					 " message_id, provider_message_id)"
					 " SELECT f.provider, f.sender_id, f.received_at, coalesce(least(f.said_at, f.received_at), f.received_at),"
					 " f.number, f.user_id, f.name, coalesce(f.event, 'unknown'), f.body,"
					 " (SELECT a.message_id FROM wa.attempt AS a WHERE a.provider_message_id = f.answers AND a.provider = f.provider"
					 " " WA_FEEDBACK_LAST_ATTEMPT("a") "),"
					 " coalesce(f.provider_message_id, 'md5:' || md5(concat_ws('|', f.sender_id, coalesce(f.number, f.user_id),"
					 " extract(epoch FROM coalesce(f.said_at, f.received_at)), f.event, f.body)))"
					 " FROM wa.feedback AS f WHERE f.id = ANY ($1) ORDER BY f.id"
					 " ON CONFLICT (provider, provider_message_id) DO UPDATE SET number = excluded.number"
					 " WHERE i.number IS NULL AND excluded.number IS NOT NULL");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, n);
	wa_query(&put, &args);
}

/* SQL: whose number it is, of somebody who hides it by what is known of his id. */
#define NUMBER_OF(f) \
	"coalesce(" f ".number, (SELECT i.number FROM wa.identity_of AS i WHERE i.user_id = " f ".user_id" \
	" ORDER BY " WA_ROUTE_LAST_SEEN("i") " LIMIT 1))"

/*
 * The last time that somebody wrote to Meta, and to this number of ours.
 * *held, palloc()ed: rows whose contact somebody holds; they are to come again.
 */
static int
open_window(const int64 *ids, int n, int64 **held)
{
	static WaStatement look =
		WA_STATEMENT("WITH f AS (SELECT f.id, " NUMBER_OF("f") " AS number FROM wa.feedback AS f WHERE f.id = ANY ($1) AND f.opens_window),"
					 " free AS MATERIALIZED (SELECT number FROM wa.contact WHERE number IN (SELECT number FROM f)"
					 " FOR NO KEY UPDATE SKIP LOCKED)"
					 " SELECT f.id FROM f JOIN wa.contact AS c ON c.number = f.number"
					 " WHERE f.number NOT IN (SELECT number FROM free)");
	static WaStatement open =
		WA_STATEMENT("WITH v AS MATERIALIZED (SELECT " NUMBER_OF("f") " AS number, f.sender_id,"
					 " max(coalesce(least(f.said_at, f.received_at), f.received_at)) AS at FROM wa.feedback AS f"
					 " WHERE f.id = ANY ($1) AND f.id <> ALL ($2) AND f.opens_window GROUP BY 1, 2),"
					 " w AS (INSERT INTO wa.contact_window AS w (number, sender_id, last_inbound_at)"
					 " SELECT number, sender_id, at FROM v WHERE number IS NOT NULL AND sender_id IS NOT NULL ORDER BY number, sender_id"
					 " ON CONFLICT (number, sender_id) DO UPDATE SET last_inbound_at = excluded.last_inbound_at"
					 " WHERE w.last_inbound_at < excluded.last_inbound_at)"
					 " INSERT INTO wa.contact AS c (number, last_inbound_at)"
					 " SELECT number, max(at) FROM v WHERE number IS NOT NULL GROUP BY number ORDER BY number"
					 " ON CONFLICT (number) DO UPDATE SET last_inbound_at = excluded.last_inbound_at"
					 " WHERE c.last_inbound_at IS NULL OR c.last_inbound_at < excluded.last_inbound_at");
	WaArgs		args = {0};
	WaRows		rows;
	int			nheld;

	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&look, &args);
	nheld = (int) rows.n;
	*held = palloc(sizeof(int64) * Max(nheld, 1));
	for (int i = 0; i < nheld; i++)
		(*held)[i] = wa_row_int8(rows, i, 1);
	wa_rows_free(rows);
	wa_arg_int8_array(&args, *held, nheld);
	wa_query(&open, &args);
	return nheld;
}

/* A message that may say something of consent. */
#define WISH_COLUMNS(X, row) \
	X(row, text, number, "f.number") \
	X(row, text, user_id, "f.user_id") \
	X(row, text, provider, "f.provider") \
	X(row, text, keyword, "f.keyword") \
	X(row, text, body, "f.body") \
	X(row, boolean, only_out, "coalesce(f.only_out, false)") \
	X(row, time, at, "coalesce(least(f.said_at, f.received_at), f.received_at)")

WA_DEFINE_ROW(Wish, wish_row, WISH_COLUMNS);

/*
 * Is it STOP, or START?  Of a button what it stands for, or else what is
 * written on it.  (That whoever writes to Meta's number agrees by that, where
 * the office has it so, is decided when a message goes.)
 */
static bool
read_wish(const Wish *wish, WaConsentChange *change)
{
	WaConsentWord word = WA_CONSENT_NO_WORD;

	if (wish->keyword && (wish->number || wish->user_id))
		word = wa_feedback_consent_of_words(wish->keyword, wish->only_out);
	if (wish->keyword && word == WA_CONSENT_NO_WORD)
		word = wa_feedback_consent_of_words(wish->body, wish->only_out);
	*change = (WaConsentChange)
	{
		.number = wish->number,
			.user_id = wish->user_id,
			.out = word == WA_CONSENT_OUT,
			.said_at = wish->at,
			.source = WA_CONSENT_KEYWORD,
			.words = wish->keyword
	};
	return word != WA_CONSENT_NO_WORD;
}

/*
 * Note who wants nothing, or something again, and tell him that he was heard.
 */
static void
note_wishes(const int64 *ids, int n)
{
	static WaStatement look =
		WA_STATEMENT_OF(&wish_row, "SELECT {columns} FROM wa.feedback AS f WHERE f.id = ANY ($1) ORDER BY f.id");
	WaConsentChange *changes = palloc(sizeof(WaConsentChange) * n);
	const char **providers = palloc(sizeof(char *) * n);
	Wish	   *wishes;
	int			nchanges = 0;
	int			nwishes;
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, n);
	wishes = wa_rows_read(wa_query(&look, &args), &wish_row, &nwishes);
	for (int i = 0; i < nwishes; i++)
	{
		providers[nchanges] = wishes[i].provider;
		if (read_wish(&wishes[i], &changes[nchanges]))
			nchanges++;
	}
	wa_feedback_consent_note(changes, nchanges);
	for (int i = 0; i < nchanges; i++)
		if (changes[i].out)
			wa_feedback_consent_confirm(changes[i].number, providers[i], changes[i].said_at);
}

/*
 * See feedback.h.  Those of whom only an id is known stay, to be applied again
 * when it is bound (wa_feedback_consent_bind()).
 */
void
wa_feedback_apply_inbound(const int64 *ids, int n)
{
	static WaStatement keep_hidden =
		WA_STATEMENT("UPDATE wa.feedback AS f SET due_at = NULL WHERE f.id = ANY ($1) AND f.number IS NULL AND f.user_id IS NOT NULL"
					 " AND NOT EXISTS (SELECT FROM wa.feedback AS b WHERE b.kind = 'inbound' AND b.due_at IS NULL AND b.user_id = f.user_id"
					 " AND b.provider = f.provider AND b.provider_message_id = f.provider_message_id) RETURNING f.id");
	int64	   *held;
	int			nheld;
	WaArgs		args = {0};
	WaRows		hidden;

	wa_feedback_recognize(ids, n);
	write_inbound(ids, n);
	note_wishes(ids, n);
	nheld = open_window(ids, n, &held);
	/* all of it may be done again */
	wa_feedback_later(held, nheld);
	wa_arg_int8_array(&args, ids, n);
	hidden = wa_query(&keep_hidden, &args);
	held = repalloc(held, sizeof(int64) * (nheld + hidden.n + 1));
	for (uint64 i = 0; i < hidden.n; i++)
		held[nheld++] = wa_row_int8(hidden, i, 1);
	wa_rows_free(hidden);
	wa_feedback_done_but(ids, n, held, nheld);
}
