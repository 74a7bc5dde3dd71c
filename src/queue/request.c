/*-------------------------------------------------------------------------
 *
 * request.c
 *		The worker carries out what people, and providers, have asked for.
 *
 * Nobody but the worker changes a message that may be on the wire, and only
 * the worker knows whether it is.  So a wish is a row of wa.request, and this
 * is where it meets the message as it is by then.
 *
 * A request about a message that is on the wire stays until that is over, and
 * so does one about a row that somebody holds: whoever edits a row must not
 * stop everybody's messages.  Cancels go before retries, whichever came first,
 * and take earlier retries of the same message with them; what was cancelled
 * here is revived in a later round, when the scheduler has forgotten it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "odoo/people.h"
#include "office/setting.h"
#include "pg/grow.h"
#include "pg/query.h"
#include "pg/said.h"
#include "queue/erase.h"
#include "queue/law.h"
#include "queue/queue.h"
#include "wake/progress.h"

/*
 * The rows of wa.request that may be carried out now, locked with their
 * messages.  One that says to be on the wire though nobody has claimed it
 * would keep its requests for ever.
 */
#define FETCH(columns, condition) \
	"SELECT r.id, r.message_id, r.requested_by, " columns \
	" FROM wa.request AS r JOIN wa.message AS m ON m.id = r.message_id" \
	" WHERE " condition " AND m.id <> ALL ($2)" \
	" AND (m.state <> " WA_SQL_STATE(SENDING) " OR " WA_QUEUE_ADRIFT ")" \
	" ORDER BY r.id LIMIT $1 FOR NO KEY UPDATE OF m SKIP LOCKED"

/* Has the last attempt of the message m perhaps been accepted? */
#define LAST_IN_DOUBT \
	"(m.state IN (" WA_SQL_STATE(UNKNOWN) ", " WA_SQL_STATE(SENDING) ") OR (m.state = " WA_SQL_STATE(HELD) \
	" AND m.reason IN (" WA_SQL_REASON(UNKNOWN_OUTCOME) ", " WA_SQL_REASON(MANY_UNKNOWN) ")))"

/* Or an earlier one? */
#define IN_DOUBT \
	"(" LAST_IN_DOUBT " OR (m.repeats > 0 AND m.reason IS DISTINCT FROM " WA_SQL_REASON(SETTLED) "))"

/* Requests of one kind. */
typedef struct Requests
{
	int			n;
	int64	   *ids;			/* of the requests */
	int64	   *messages;
	const char **roles;
} Requests;

static void
add(int64 **list, int *n, const int64 *more, int nmore)
{
	if (nmore == 0)
		return;
	WA_ROOM_FOR(*list, *n, nmore);
	memcpy(*list + *n, more, sizeof(int64) * nmore);
	*n += nmore;
}

static bool
contains(const int64 *list, int n, int64 id)
{
	for (int i = 0; i < n; i++)
		if (list[i] == id)
			return true;
	return false;
}

/* Read what FETCH selects; returned are the rows, for the rest. */
static WaRows
fetch(WaStatement *statement, int limit, const int64 *busy, int nbusy, Requests *requests)
{
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_int8(&args, limit);
	wa_arg_int8_array(&args, busy, nbusy);
	rows = wa_query(statement, &args);
	requests->n = (int) rows.n;
	requests->ids = palloc(sizeof(int64) * Max(requests->n, 1));
	requests->messages = palloc(sizeof(int64) * Max(requests->n, 1));
	requests->roles = palloc(sizeof(char *) * Max(requests->n, 1));
	for (int i = 0; i < requests->n; i++)
	{
		requests->ids[i] = wa_row_int8(rows, i, 1);
		requests->messages[i] = wa_row_int8(rows, i, 2);
		requests->roles[i] = wa_row_text(rows, i, 3);
	}
	return rows;
}

static void
done(const int64 *ids, int n)
{
	static WaStatement remove =
		WA_STATEMENT("DELETE FROM wa.request WHERE id = ANY ($1)");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_query(&remove, &args);
	wa_wake_progress_add(WA_COMMAND_REQUESTS, n);
}

/* Run a statement that changes messages and returns their ids; palloc()ed. */
static int
returned_ids(WaStateChange change, WaStatement *statement, WaArgs *args, int64 **ids)
{
	WaRows		rows = wa_queue_change(change, statement, args);
	int			n = (int) rows.n;

	*ids = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*ids)[i] = wa_row_int8(rows, i, 1);
	wa_rows_free(rows);
	return n;
}

/* These messages wait for nothing any more. */
static void
forget_work(const int64 *ids, int n)
{
	static WaStatement forget =
		WA_STATEMENT("WITH d AS (DELETE FROM wa.due WHERE message_id = ANY ($1))"
					 " DELETE FROM wa.ready WHERE message_id = ANY ($1)");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_query(&forget, &args);
}

/* Nobody can carry out a wish about a message that is not there any more. */
static void
drop_orphans(void)
{
	static WaStatement drop =
		WA_STATEMENT("DELETE FROM wa.request AS r WHERE NOT EXISTS"
					 " (SELECT FROM wa.message AS m WHERE m.id = r.message_id)");

	wa_query(&drop, NULL);
}

/* saying: in the provider's words, or NULL. */
static WaSaid
reported(bool accepted, int attempt, const char *saying)
{
	if (accepted)
		return saying ? wa_say(WA_SAY_REPORTED_ACCEPTED_SAYING, WA_NUMBER(attempt), saying) :
			wa_say(WA_SAY_REPORTED_ACCEPTED, WA_NUMBER(attempt));
	return saying ? wa_say(WA_SAY_REPORTED_NOT_ACCEPTED_SAYING, WA_NUMBER(attempt), saying) :
		wa_say(WA_SAY_REPORTED_NOT_ACCEPTED, WA_NUMBER(attempt));
}

/*
 * What a provider told later about an attempt.  That it was accepted is true
 * whatever the ledger says by now, and ends every further attempt; that it was
 * refused ends a message only where nothing came after that attempt.
 */
static bool
settle(int limit, const int64 *busy, int nbusy, int64 **forgotten, int *nforgotten)
{
	/* the details of a request may have been written by anybody */
	static WaStatement read =
		WA_STATEMENT(FETCH("CASE WHEN jsonb_typeof(r.detail -> 'attempt') = 'number'"
						   " THEN CASE WHEN (r.detail -> 'attempt')::numeric BETWEEN 1 AND 1000000"
						   " THEN (r.detail -> 'attempt')::integer END END,"
						   " r.detail ->> 'provider_message_id', r.detail -> 'accepted' = 'true', r.detail ->> 'detail'",
						   "r.action = 'settle'"));
	static WaStatement accepted =
		WA_STATEMENT("UPDATE wa.message AS m SET"
					 " state = CASE WHEN v.known THEN m.state ELSE " WA_SQL_STATE(SENT) " END,"
					 " reason = CASE WHEN v.known THEN m.reason ELSE " WA_SQL_REASON(SETTLED) " END,"
					 " detail = CASE WHEN v.known THEN m.detail ELSE v.detail END,"
					 " detail_said = CASE WHEN v.known THEN m.detail_said ELSE v.said END,"
					 " provider = CASE WHEN v.known THEN m.provider ELSE coalesce(v.provider, m.provider) END,"
					 " provider_message_id = CASE WHEN NOT v.known THEN coalesce(v.provider_message_id, m.provider_message_id)"
					 " WHEN v.provider = m.provider OR v.provider IS NULL"
					 " THEN coalesce(m.provider_message_id, v.provider_message_id) ELSE m.provider_message_id END,"
					 " due_at = NULL, sent_at = coalesce(m.sent_at, v.finished_at, clock_timestamp()),"
					 " finished_at = coalesce(m.finished_at, clock_timestamp())"
					 " FROM (SELECT DISTINCT ON (s.id) s.*, a.provider, a.finished_at,"
					 " o.state IN " WA_SQL_STATES(WA_SENT) " AS known"
					 " FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY AS s(id, attempt, provider_message_id, detail, said, place)"
					 " JOIN wa.message AS o ON o.id = s.id"
					 " LEFT JOIN wa.attempt AS a ON a.message_id = s.id AND a.attempt = s.attempt"
					 " ORDER BY s.id, s.place) AS v"
					 " WHERE m.id = v.id RETURNING m.id");
	static WaStatement refused =
		WA_STATEMENT("UPDATE wa.message AS m SET state = " WA_SQL_STATE(FAILED) ", reason = " WA_SQL_REASON(SETTLED) ","
					 " detail = v.detail, detail_said = v.said, due_at = NULL, finished_at = clock_timestamp()"
					 " FROM (SELECT DISTINCT ON (id) * FROM unnest($1, $2, $3, $4, $5)"
					 " AS s(id, attempt, provider_message_id, detail, said) ORDER BY id, attempt DESC) AS v"
					 " WHERE m.id = v.id AND v.attempt >= m.attempts"
					 " AND " LAST_IN_DOUBT " RETURNING m.id");
	WaStatement *statements[] = {&accepted, &refused};
	Requests	requests;
	WaRows		rows;

	rows = fetch(&read, limit, busy, nbusy, &requests);
	for (size_t kind = 0; kind < lengthof(statements) && requests.n > 0; kind++)
	{
		int64	   *messages = palloc(sizeof(int64) * requests.n);
		int32	   *attempts = palloc(sizeof(int32) * requests.n);
		const char **ids = palloc(sizeof(char *) * requests.n);
		WaSaid	   *details = palloc(sizeof(WaSaid) * requests.n);
		WaArgs		args = {0};
		int64	   *ended;
		int			n = 0;
		int			nended;

		for (int i = 0; i < requests.n; i++)
		{
			if (wa_row_isnull(rows, i, 4) || wa_row_isnull(rows, i, 6) || wa_row_bool(rows, i, 6) != (kind == 0))
				continue;
			messages[n] = requests.messages[i];
			attempts[n] = wa_row_int4(rows, i, 4);
			ids[n] = wa_row_text(rows, i, 5);
			details[n] = reported(kind == 0, attempts[n], wa_row_text(rows, i, 7));
			n++;
		}
		if (n == 0)
			continue;
		wa_arg_int8_array(&args, messages, n);
		wa_arg_int4_array(&args, attempts, n);
		wa_arg_text_array(&args, ids, n);
		wa_arg_said_array(&args, details, n);
		nended = returned_ids(WA_CHANGE_SETTLE, statements[kind], &args, &ended);
		forget_work(ended, nended);
		add(forgotten, nforgotten, ended, nended);
	}
	done(requests.ids, requests.n);
	return requests.n == limit;
}

/*
 * Of what was to be cancelled this is sent already.  The caller was told that
 * it would be cancelled, so say it where he looks, and in the log.
 */
static void
tell_too_late(const Requests *requests)
{
	static WaStatement note =
		WA_STATEMENT("UPDATE wa.message AS m SET detail = concat_ws('; ', m.detail, v.note),"
					 " detail_said = " WA_SQL_SAID_LIST("m.detail", "m.detail_said") " || jsonb_build_array(v.said)"
					 " FROM (SELECT DISTINCT ON (id) * FROM unnest($1, $2, $3) AS c(id, note, said) ORDER BY id) AS v"
					 " WHERE m.id = v.id AND m.state IN " WA_SQL_STATES(WA_SENT)
					 " AND NOT " WA_SQL_SAID_LIST("m.detail", "m.detail_said") " @> jsonb_build_array(v.said) RETURNING m.id");
	WaArgs		args = {0};
	WaSaid	   *notes = palloc(sizeof(WaSaid) * requests->n);
	int64	   *late;
	int			n;

	for (int i = 0; i < requests->n; i++)
		notes[i] = wa_say(WA_SAY_CANCEL_TOO_LATE, requests->roles[i]);
	wa_arg_int8_array(&args, requests->messages, requests->n);
	wa_arg_said_array(&args, notes, requests->n);
	n = returned_ids(WA_CHANGE_CANCEL, &note, &args, &late);
	if (n > 0)
		ereport(LOG,
				(errmsg_plural("sicantik_wa could not cancel %d message: it had been sent",
							   "sicantik_wa could not cancel %d messages: they had been sent",
							   n, n),
				 errdetail("The first of them is message " INT64_FORMAT ".", late[0])));
}

/*
 * End these messages, which wait, for good: one that may have arrived is not
 * cancelled, only not repeated.  details, doubts: what is said of the one and
 * of the other.  Returns those that waited; palloc()ed.
 */
int
wa_queue_cancel(const int64 *ids, const WaSaid *details, const WaSaid *doubts, int n, int64 **ended)
{
	static WaStatement cancel =
		WA_STATEMENT("UPDATE wa.message AS m SET state = CASE WHEN " IN_DOUBT " THEN " WA_SQL_STATE(UNKNOWN)
					 " ELSE " WA_SQL_STATE(CANCELLED) " END, reason = " WA_SQL_REASON(CANCELLED) ", due_at = NULL, finished_at = clock_timestamp(),"
					 " detail = CASE WHEN " IN_DOUBT " THEN c.doubt ELSE c.detail END,"
					 " detail_said = CASE WHEN " IN_DOUBT " THEN c.doubt_said ELSE c.said END"
					 " FROM (SELECT DISTINCT ON (id) * FROM unnest($1, $2, $3, $4, $5) AS c(id, detail, said, doubt, doubt_said)"
					 " ORDER BY id) AS c"
					 " WHERE m.id = c.id AND (" WA_SQL_WAITS("m") " OR m.state = " WA_SQL_STATE(SENDING) ") RETURNING m.id");
	WaArgs		args = {0};
	int			nended;

	wa_arg_int8_array(&args, ids, n);
	wa_arg_said_array(&args, details, n);
	wa_arg_said_array(&args, doubts, n);
	nended = returned_ids(WA_CHANGE_CANCEL, &cancel, &args, ended);
	forget_work(*ended, nended);
	return nended;
}

static bool
cancel(int limit, const int64 *busy, int nbusy, int64 **forgotten, int *nforgotten)
{
	static WaStatement read = WA_STATEMENT(FETCH("NULL", "r.action = 'cancel'"));
	static WaStatement take_back =
		WA_STATEMENT("DELETE FROM wa.request AS r WHERE r.action IN ('retry', 'release') AND r.message_id = ANY ($2)"
					 " AND r.id < (SELECT max(c.id) FROM unnest($1, $2) AS c(id, message_id)"
					 " WHERE c.message_id = r.message_id)");
	Requests	requests;
	WaSaid	   *details;
	WaSaid	   *doubts;
	WaArgs		args = {0};
	int64	   *ended;
	int			n;

	(void) fetch(&read, limit, busy, nbusy, &requests);
	if (requests.n == 0)
		return false;
	details = palloc(sizeof(WaSaid) * requests.n);
	doubts = palloc(sizeof(WaSaid) * requests.n);
	for (int i = 0; i < requests.n; i++)
	{
		details[i] = wa_say(WA_SAY_CANCELLED_BY, requests.roles[i]);
		doubts[i] = wa_say(WA_SAY_CANCELLED_IN_DOUBT_BY, requests.roles[i]);
	}
	n = wa_queue_cancel(requests.messages, details, doubts, requests.n, &ended);
	add(forgotten, nforgotten, ended, n);
	if (n < requests.n)
		tell_too_late(&requests);
	wa_arg_int8_array(&args, requests.ids, requests.n);
	wa_arg_int8_array(&args, requests.messages, requests.n);
	wa_query(&take_back, &args);
	done(requests.ids, requests.n);
	return requests.n == limit;
}

/* How a message goes on after a release or a retry. */
typedef struct Revival
{
	int64		id;
	WaState		state;			/* queued or skipped */
	WaReason	reason;
	WaSaid		detail;
	const char *number;			/* NULL: as it is */
	WaSaid		source;
} Revival;

static const WaColumn revival_columns[] = {
	WA_COLUMN(Revival, int8, id, "id"),
	WA_COLUMN(Revival, state, state, "state"),
	WA_COLUMN(Revival, reason, reason, "reason"),
	WA_SAID_COLUMNS(Revival, detail),
	WA_COLUMN(Revival, text, number, "number"),
	WA_SAID_COLUMNS(Revival, source),
};
static const WaRowType revival_row = WA_ROW_TYPE(Revival, revival_columns);

/*
 * Write them, "let" being their ids; those that are queued then are in
 * *revived.  A message that may have been accepted already stays in doubt, or is
 * counted as repeated.  Until
 * the time that its sender asked for it waits, whatever has been meanwhile.
 */
static void
write_revivals(const Revival *revivals, const int64 *let, int n, int64 **revived, int *nrevived)
{
	static WaStatement update =
		WA_STATEMENT_OF(&revival_row, "UPDATE wa.message AS m SET"
						" state = CASE WHEN v.state <> " WA_SQL_STATE(QUEUED) " AND " IN_DOUBT " THEN " WA_SQL_STATE(UNKNOWN) " ELSE v.state END,"
						" reason = v.reason, detail = v.detail, detail_said = v.detail_said, number = coalesce(v.number, m.number),"
						" number_source = coalesce(v.source, m.number_source),"
						" number_source_said = CASE WHEN v.source IS NULL THEN m.number_source_said ELSE v.source_said END,"
						" due_at = CASE WHEN v.state = " WA_SQL_STATE(QUEUED) " AND m.send_at > clock_timestamp() THEN m.send_at END,"
						" finished_at = CASE WHEN v.state <> " WA_SQL_STATE(QUEUED) " THEN clock_timestamp() END,"
						" refused_by = NULL, backoffs = 0, repeats = m.repeats"
						" + CASE WHEN v.state = " WA_SQL_STATE(QUEUED) " AND " LAST_IN_DOUBT " THEN 1 ELSE 0 END,"
						" expires_at = CASE WHEN v.state = " WA_SQL_STATE(QUEUED) " THEN greatest(m.expires_at, clock_timestamp() + '1 day',"
						" m.send_at + '1 day') ELSE m.expires_at END"
						" FROM {arrays} AS v({members})"
						" WHERE m.id = v.id RETURNING CASE WHEN m.state = " WA_SQL_STATE(QUEUED) " THEN m.id ELSE -m.id END");
	static WaStatement ready =
		WA_STATEMENT("INSERT INTO wa.ready (message_id, only_by, lane) SELECT m.id, " WA_QUEUE_LINE("m")
					 " FROM wa.message AS m WHERE m.id = ANY ($1) AND m.due_at IS NULL"
					 " ON CONFLICT DO NOTHING");
	static WaStatement due =
		WA_STATEMENT("INSERT INTO wa.due (message_id, due_at) SELECT id, due_at FROM wa.message"
					 " WHERE id = ANY ($1) AND due_at IS NOT NULL ON CONFLICT DO NOTHING");
	WaArgs		args = {0};
	int64	   *ids;
	int			nids;
	int			nqueued = 0;

	if (n == 0)
		return;
	wa_arg_rows(&args, &revival_row, revivals, n);
	nids = returned_ids(WA_CHANGE_LET_GO, &update, &args, &ids);
	forget_work(let, n);
	for (int i = 0; i < nids; i++)
		if (ids[i] > 0)
			ids[nqueued++] = ids[i];
	memset(&args, 0, sizeof(args));
	wa_arg_int8_array(&args, ids, nqueued);
	wa_query(&ready, &args);
	wa_query(&due, &args);
	add(revived, nrevived, ids, nqueued);
}

/*
 * These have no text yet: the composer writes it, and they go on from there.
 */
static void
have_written(const int64 *ids, const WaSaid *details, int n)
{
	static WaStatement hold =
		WA_STATEMENT("UPDATE wa.message AS m SET state = " WA_SQL_STATE(HELD) ", reason = " WA_SQL_REASON(SETTING_MISSING) ","
					 " detail = v.detail, detail_said = v.said, due_at = NULL, finished_at = NULL, expires_at = greatest(m.expires_at, clock_timestamp() + '1 day')"
					 " FROM unnest($1, $2, $3) AS v(id, detail, said) WHERE m.id = v.id");
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.unwritten (message_id) SELECT unnest($1)"
					 " ON CONFLICT (message_id) DO UPDATE SET setting = ''");
	WaArgs		args = {0};

	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_arg_said_array(&args, details, n);
	wa_queue_change(WA_CHANGE_LET_GO, &hold, &args);
	args.n = 1;
	wa_query(&put, &args);
}

static WaSaid
why_no_number(const WaContactNow *contact)
{
	return wa_say(WA_SAY_NO_USABLE_NUMBER, contact->tried ? contact->tried : wa_say(WA_SAY_ANY_COLUMN));
}

static WaSaid
asked_by(bool retry, const char *role)
{
	return retry ? wa_say(WA_SAY_RETRIED_BY, role) : wa_say(WA_SAY_RELEASED_BY, role);
}

/*
 * Releases and retries.  A retry looks the number up again, unless a person or
 * a composer gave it; while the table of contacts is locked, it stays.
 */
static bool
let_go(int limit, const int64 *busy, int nbusy,
	   const int64 *forgotten, int nforgotten,
	   int64 **revived, int *nrevived, bool *to_be_written)
{
	static WaStatement read =
		WA_STATEMENT(FETCH("r.action = 'retry',"
						   " CASE WHEN r.action = 'release' THEN m.state = " WA_SQL_STATE(HELD) " AND m.number IS NOT NULL"
						   " WHEN m.number IS NULL AND (m.partner_id IS NULL OR m.body IS NULL) THEN false"
						   " WHEN m.state IN " WA_SQL_STATES(WA_AT_WORK) " THEN EXISTS (SELECT FROM wa.due AS d WHERE d.message_id = m.id)"
						   " OR " WA_QUEUE_ADRIFT
						   " ELSE m.state IN " WA_SQL_STATES(WA_REPEATABLE) " END,"
						   " CASE WHEN m.number IS NULL OR coalesce(m.number_source, '') NOT IN ('given', 'composer')"
						   " THEN m.partner_id END, m.body IS NULL AND m.scenario IS NOT NULL AND m.number IS NOT NULL",
						   "r.action IN ('release', 'retry')"));
	Requests	requests;
	WaRows		rows;
	WaContactNow *contacts;
	int		   *contact_of;
	int64	   *finished;
	bool	   *retry;
	bool	   *wanted;
	bool	   *unwritten;
	int64	   *to_write;
	WaSaid	   *why_written;
	Revival    *revivals;
	int64	   *let;
	int			nlet = 0;
	int			ncontacts = 0;
	int			nfinished = 0;
	int			nto_write = 0;
	bool		read_contacts;

	rows = fetch(&read, limit, busy, nbusy, &requests);
	if (requests.n == 0)
		return false;
	contacts = palloc0(sizeof(WaContactNow) * requests.n);
	contact_of = palloc(sizeof(int) * requests.n);
	finished = palloc(sizeof(int64) * requests.n);
	retry = palloc(sizeof(bool) * requests.n);
	wanted = palloc(sizeof(bool) * requests.n);
	unwritten = palloc(sizeof(bool) * requests.n);
	to_write = palloc(sizeof(int64) * requests.n);
	why_written = palloc(sizeof(WaSaid) * requests.n);
	for (int i = 0; i < requests.n; i++)
	{
		retry[i] = wa_row_bool(rows, i, 4);
		wanted[i] = wa_row_bool(rows, i, 5);
		unwritten[i] = wa_row_bool(rows, i, 7);
		contact_of[i] = -1;
		if (retry[i] && wanted[i] && !wa_row_isnull(rows, i, 6))
		{
			contact_of[i] = ncontacts;
			contacts[ncontacts++].partner_id = wa_row_int8(rows, i, 6);
		}
	}
	read_contacts = ncontacts == 0 ||
		wa_odoo_contacts_now(wa_office_get("odoo_schema"), contacts, ncontacts);

	revivals = palloc(sizeof(Revival) * requests.n);
	let = palloc(sizeof(int64) * requests.n);
	for (int i = 0; i < requests.n; i++)
	{
		const WaContactNow *contact = contact_of[i] >= 0 ? &contacts[contact_of[i]] : NULL;
		int64		message = requests.messages[i];
		Revival    *revival = &revivals[nlet];

		/* these stay: the scheduler still has it, or the number is not known */
		if (contains(forgotten, nforgotten, message) || (contact && !read_contacts))
			continue;
		finished[nfinished++] = requests.ids[i];
		if (!wanted[i] || contains(let, nlet, message) || contains(to_write, nto_write, message))
			continue;
		if (unwritten[i])
		{
			to_write[nto_write] = message;
			why_written[nto_write++] = asked_by(retry[i], requests.roles[i]);
			continue;
		}
		let[nlet++] = message;
		memset(revival, 0, sizeof(*revival));
		revival->id = message;
		revival->state = WA_STATE_SKIPPED;
		if (contact && contact->state == WA_CONTACT_GONE)
		{
			revival->reason = WA_REASON_NO_RECIPIENT;
			revival->detail = wa_say(WA_SAY_CONTACT_GONE);
		}
		else if (contact && contact->state == WA_CONTACT_NO_NUMBER)
		{
			revival->reason = WA_REASON_NO_NUMBER;
			revival->detail = why_no_number(contact);
		}
		else
		{
			revival->state = WA_STATE_QUEUED;
			revival->reason = retry[i] ? WA_REASON_RETRIED : WA_REASON_RELEASED;
			revival->detail = asked_by(retry[i], requests.roles[i]);
			revival->number = contact ? contact->number : NULL;
			revival->source = contact ? contact->source : NULL;
		}
	}
	write_revivals(revivals, let, nlet, revived, nrevived);
	have_written(to_write, why_written, nto_write);
	*to_be_written = nto_write > 0;
	done(finished, nfinished);
	return nfinished == limit;
}

/*
 * Are there more than are carried out at once?  Their numbers tell, some of which
 * may be missing; to count them would be to read them once more.
 */
static void
note_many(int limit)
{
	static WaStatement span =
		WA_STATEMENT("SELECT coalesce((SELECT max(id) FROM wa.request) - (SELECT min(id) FROM wa.request) + 1, 0)");
	int64		n;

	if (wa_wake_progress_runs(WA_COMMAND_REQUESTS))
		return;
	n = wa_row_int8(wa_query(&span, NULL), 0, 1);
	if (n > limit)
		wa_wake_progress_begin(WA_COMMAND_REQUESTS, (uint64) n);
}

/*
 * Carry out what was asked for, at most "limit" of a kind.  Messages among
 * "busy" are on the wire, or were until this round: requests about them stay.
 * Messages that the scheduler must forget are in *forgotten, those that are
 * ready again in *revived (palloc()ed).  Returns whether there is more to do
 * at once; *unwritten: the texts of some are to be written (wa.unwritten);
 * *left: some stay, come again soon.
 *
 * Takes part in the caller's transaction; waits for no lock.
 */
bool
wa_queue_requests(int limit, const int64 *busy, int nbusy,
				  int64 **forgotten, int *nforgotten,
				  int64 **revived, int *nrevived,
				  bool *unwritten, bool *left)
{
	static WaStatement any =
		WA_STATEMENT("SELECT FROM wa.request LIMIT 1");
	bool		more;

	*forgotten = NULL;
	*nforgotten = 0;
	*revived = NULL;
	*nrevived = 0;
	*unwritten = false;
	*left = false;
	if (wa_query(&any, NULL).n == 0)
	{
		wa_wake_progress_end(WA_COMMAND_REQUESTS);
		return false;
	}
	note_many(limit);
	more = settle(limit, busy, nbusy, forgotten, nforgotten);
	more = cancel(limit, busy, nbusy, forgotten, nforgotten) || more;
	more = let_go(limit, busy, nbusy, *forgotten, *nforgotten,
				  revived, nrevived, unwritten) || more;
	/* a look at all of them, when few are left */
	if (!more)
		drop_orphans();
	*left = wa_query(&any, NULL).n > 0;
	/* nothing may bring us here again soon */
	if (!*left)
		wa_wake_progress_end(WA_COMMAND_REQUESTS);
	return more;
}
