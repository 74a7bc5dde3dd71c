/*-------------------------------------------------------------------------
 *
 * forget.c
 *		wa_forget(): a citizen is erased.
 *
 * One transaction, so nothing is ever half done.  It locks wa.message against
 * writers before it looks: the worker begins no transaction meanwhile, each of
 * which locks all our tables first, and wa_send() waits.  So nothing that was
 * composed, or answered by a provider, can be written behind what is erased
 * here, and what lies in the worker's memory finds its message over when it
 * wants to claim it.  What is on the wire, and what the reader has yet to make
 * messages of, is waited for, holding nothing: else the worker could not end it.
 *
 * Of the ledger the rows stay, which are figures by then, and so does the
 * knowledge that something was announced: an expiry is not announced again to
 * somebody who wants to be forgotten.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/wait_event.h"

#include "admin/person.h"
#include "compose/compose.h"
#include "identity/identity.h"
#include "pg/call.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "queue/erase.h"
#include "queue/queue.h"

PG_FUNCTION_INFO_V1(wa_sql_forget_number);
PG_FUNCTION_INFO_V1(wa_sql_forget_partner);

/* So long is waited for the worker, if lock_timeout does not say less. */
#define LONGEST_WAIT_MS	60000
#define LOOK_MS			50
#define LOCK_TIMEOUT	"100ms"

/* Who writes to these writes what is erased here; the first is waited for. */
static const char *const locked_tables[] = {"message", "consent", "contact", "identity_of", "feedback"};

/* What is erased, in the order in which it is told. */
typedef struct Count
{
	const char *what;
	int64		rows;
} Count;

typedef struct Erasure
{
	const char *given;			/* NULL: partner_id */
	int64		partner_id;
	bool		is_copy;		/* no worker ends anything */
	WaPerson	person;
	int64		on_wire;
	int64		unread;
	Count		counts[24];
	int			ncounts;
} Erasure;

static void
lock_tables(void)
{
	Oid			namespace = get_namespace_oid("wa", false);

	for (size_t i = 0; i < lengthof(locked_tables); i++)
	{
		Oid			relid = get_relname_relid(locked_tables[i], namespace);
		int			level;

		if (!OidIsValid(relid))
			continue;
		level = NewGUCNestLevel();
		(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		if (i == 0)
			LockRelationOid(relid, ShareRowExclusiveLock);
		else if (!ConditionalLockRelationOid(relid, ShareRowExclusiveLock))
			wa_call_table_locked(locked_tables[i]);
		AtEOXact_GUC(false, level);
	}
}

/*
 * Lock, then look.  False: the worker has something of his in hand.
 */
static bool
get_hold(void *argument)
{
	static WaStatement busy =
		WA_STATEMENT("WITH " WA_ADMIN_PERSON_RECORDS ", m AS (" WA_ADMIN_PERSON_MESSAGES " UNION " WA_ADMIN_PERSON_RELATED ")"
					 " SELECT (SELECT count(*) FROM m JOIN wa.ready AS w ON w.message_id = m.id WHERE w.claimed_at IS NOT NULL"
					 " AND (SELECT o.state FROM wa.message AS o WHERE o.id = m.id) = " WA_SQL_STATE(SENDING) "),"
					 " (SELECT count(*) FROM wa.event AS e WHERE " WA_SQL_UNREAD("e") " AND (" WA_ADMIN_PERSON_CHANGE("e") " OR e::text ~ $3))");
	Erasure    *erasure = argument;
	WaArgs		args;
	WaRows		rows;

	lock_tables();
	wa_admin_person_find(&erasure->person, erasure->given, erasure->partner_id);
	if (erasure->is_copy)
		return true;
	wa_admin_person_bind(&erasure->person, &args);
	rows = wa_query(&busy, &args);
	erasure->on_wire = wa_row_int8(rows, 0, 1);
	erasure->unread = wa_row_int8(rows, 0, 2);
	return erasure->on_wire + erasure->unread == 0;
}

static void
wait_for_hold(Erasure *erasure)
{
	TimestampTz begun = GetCurrentTimestamp();
	int			longest = LockTimeout > 0 ? Min(LockTimeout, LONGEST_WAIT_MS) : LONGEST_WAIT_MS;

	for (;;)
	{
		ErrorData  *error;

		erasure->on_wire = erasure->unread = 0;
		error = wa_pg_subtransaction(get_hold, erasure);
		if (error && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ReThrowError(error);
		if (error == NULL && erasure->on_wire + erasure->unread == 0)
			return;
		if (TimestampDifferenceExceeds(begun, GetCurrentTimestamp(), longest))
		{
			if (error)
				ReThrowError(error);
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 erasure->on_wire > 0 ?
					 errmsg_plural(INT64_FORMAT " message of this person is on the wire", INT64_FORMAT " messages of this person are on the wire",
								   (unsigned long) erasure->on_wire, erasure->on_wire) :
					 errmsg_plural(INT64_FORMAT " change of this person's records is not read yet", INT64_FORMAT " changes of this person's records are not read yet",
								   (unsigned long) erasure->unread, erasure->unread),
					 errdetail("Nothing was erased."),
					 errhint("Try again when the worker has done with it; SELECT * FROM wa_status() shows whether it runs.")));
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* The ids of all messages that speak of him; those to him first. */
static int64 *
find_messages(const Erasure *erasure, int *n, int *nown)
{
	static WaStatement find =
		WA_STATEMENT("WITH " WA_ADMIN_PERSON_RECORDS ", own AS MATERIALIZED (" WA_ADMIN_PERSON_MESSAGES ")"
					 " SELECT id, true FROM own UNION ALL SELECT id, false FROM"
					 " (" WA_ADMIN_PERSON_RELATED " EXCEPT SELECT id FROM own) AS s ORDER BY 2 DESC, 1");
	WaArgs		args;
	WaRows		rows;
	int64	   *ids;

	wa_admin_person_bind(&erasure->person, &args);
	rows = wa_query(&find, &args);
	*n = (int) rows.n;
	*nown = 0;
	ids = palloc(sizeof(int64) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		ids[i] = wa_row_int8(rows, i, 1);
		*nown += wa_row_bool(rows, i, 2) ? 1 : 0;
	}
	return ids;
}

static void
note_count(Erasure *erasure, const char *what, int64 rows)
{
	erasure->counts[erasure->ncounts].what = what;
	erasure->counts[erasure->ncounts++].rows = rows;
}

/* Run it, and count what it says, or how many rows it wrote. */
static void
erase(Erasure *erasure, const char *what, WaStatement *statement, WaArgs *args)
{
	WaRows		rows = wa_query(statement, args);

	note_count(erasure, what, (int64) rows.n);
	wa_rows_free(rows);
}

/* What waits ends. */
static void
cancel_waiting(Erasure *erasure, const int64 *ids, int n)
{
	WaSaid	   *details = palloc(sizeof(WaSaid) * Max(n, 1));
	WaSaid	   *doubts = palloc(sizeof(WaSaid) * Max(n, 1));
	WaSaid		detail = wa_say(WA_SAY_CANCELLED_BY, wa_call_role());
	WaSaid		doubt = wa_say(WA_SAY_CANCELLED_IN_DOUBT_BY, wa_call_role());
	int64	   *ended;

	for (int i = 0; i < n; i++)
	{
		details[i] = detail;
		doubts[i] = doubt;
	}
	note_count(erasure, "cancelled", n > 0 ? wa_queue_cancel(ids, details, doubts, n, &ended) : 0);
}

/* The providers' ids of these messages. */
static WaRows
provider_ids(const int64 *ids, int n)
{
	static WaStatement read =
		WA_STATEMENT("SELECT provider_message_id FROM wa.attempt WHERE message_id = ANY ($1) AND provider_message_id IS NOT NULL"
					 " UNION SELECT provider_message_id FROM wa.message WHERE id = ANY ($1) AND provider_message_id IS NOT NULL");
	WaArgs		args = {0};

	wa_arg_int8_array(&args, ids, n);
	return wa_query(&read, &args);
}

/* Of the ledger, and of what belongs to its rows. */
static void
erase_messages(Erasure *erasure, const int64 *ids, int n, int nown, const char *const *provider_ids, int nprovider_ids)
{
	static WaStatement pairs =
		WA_STATEMENT("DELETE FROM wa.status_pair WHERE provider_message_id = ANY ($1) RETURNING 1");
	WaErased	erased = wa_queue_erase(ids, n, nown, erasure->person.pattern);
	WaArgs		args = {0};

	note_count(erasure, "wa.attempt", erased.attempts);
	note_count(erasure, "wa.request", erased.requests);
	note_count(erasure, "wa.announced", erased.keys);
	note_count(erasure, "wa.message", erased.messages);
	wa_arg_text_array(&args, provider_ids, nprovider_ids);
	erase(erasure, "wa.status_pair", &pairs, &args);
}

/* What he, and providers, have said. */
static void
erase_words(Erasure *erasure, const char *const *provider_ids, int nprovider_ids)
{
	static WaStatement feedback =
		WA_STATEMENT("DELETE FROM wa.feedback AS f WHERE f.number = ANY ($1) OR f.previous_number = ANY ($1) OR f.user_id = ANY ($1)"
					 " OR f.parent_user_id = ANY ($1) OR f.previous_user_id = ANY ($1) OR f.provider_message_id = ANY ($2)"
					 " OR f::text ~ $3 RETURNING 1");
	static WaStatement inbound =
		WA_STATEMENT("DELETE FROM wa.inbound WHERE number = ANY ($1) OR user_id = ANY ($1) RETURNING 1");
	static WaStatement consent =
		WA_STATEMENT("DELETE FROM wa.consent WHERE number = ANY ($1) OR user_id = ANY ($1) RETURNING 1");
	static WaStatement contact =
		WA_STATEMENT("DELETE FROM wa.contact WHERE number = ANY ($1) RETURNING 1");
	static WaStatement window =
		WA_STATEMENT("DELETE FROM wa.contact_window WHERE number = ANY ($1) RETURNING 1");
	static WaStatement identity =
		WA_STATEMENT("DELETE FROM wa.identity_of WHERE number = ANY ($1) OR user_id = ANY ($1) RETURNING 1");
	static WaStatement opted_out =
		WA_STATEMENT("SELECT FROM wa.contact WHERE number = ANY ($1) AND opted_out_at >= coalesce(opted_in_at, '-infinity')");
	const WaNumbers *numbers = &erasure->person.numbers;
	WaArgs		args = {0};
	WaArgs		all = {0};

	wa_arg_text_array(&args, numbers->list, numbers->n);
	wa_arg_text_array(&all, numbers->list, numbers->n);
	wa_arg_text_array(&all, provider_ids, nprovider_ids);
	wa_arg_text(&all, erasure->person.pattern);
	if (wa_query(&opted_out, &args).n > 0)
		ereport(NOTICE,
				(errmsg("this person had refused messages, which is forgotten as well"),
				 errhint("Odoo may have us write to him again when something of his changes: note his refusal there, or remove his number.")));
	erase(erasure, "wa.feedback", &feedback, &all);
	erase(erasure, "wa.inbound", &inbound, &args);
	erase(erasure, "wa.consent", &consent, &args);
	erase(erasure, "wa.contact", &contact, &args);
	erase(erasure, "wa.contact_window", &window, &args);
	erase(erasure, "wa.identity_of", &identity, &args);
}

/* Changes of his records, what became of them, and errors that name him. */
static void
erase_changes(Erasure *erasure)
{
	/* what has been recorded since the look is yet to be read */
	static WaStatement events =
		WA_STATEMENT("WITH " WA_ADMIN_PERSON_RECORDS
					 " DELETE FROM wa.event AS e WHERE (" WA_ADMIN_PERSON_CHANGE("e") " OR e::text ~ $3) AND ($12 OR NOT " WA_SQL_UNREAD("e") ") RETURNING 1");
	static WaStatement outcomes =
		WA_STATEMENT("WITH " WA_ADMIN_PERSON_RECORDS
					 " DELETE FROM wa.event_outcome AS o WHERE EXISTS (SELECT FROM records AS r WHERE r.id = o.record_id AND r.relation = o.relation)"
					 " OR o.event_id IN (SELECT e.id FROM wa.event AS e WHERE " WA_ADMIN_PERSON_CHANGE("e") ") RETURNING 1");
	static WaStatement letters =
		WA_STATEMENT("WITH " WA_ADMIN_PERSON_RECORDS
					 " DELETE FROM wa.dead_letter AS d WHERE " WA_ADMIN_PERSON_CHANGE("d") " OR d::text ~ $3 RETURNING 1");
	static WaStatement providers =
		WA_STATEMENT("UPDATE wa.provider SET last_error = regexp_replace(last_error, $1, '***', 'g'), last_error_said = NULL"
					 " WHERE last_error ~ $1 OR last_error_said::text ~ $1 RETURNING 1");
	static WaStatement mappings =
		WA_STATEMENT("UPDATE wa.template_mapping SET last_error = regexp_replace(last_error, $1, '***', 'g'), last_error_said = NULL"
					 " WHERE last_error ~ $1 OR last_error_said::text ~ $1 RETURNING 1");
	static WaStatement runs =
		WA_STATEMENT("UPDATE wa.daily_run SET error = regexp_replace(error, $1, '***', 'g'), error_said = NULL"
					 " WHERE error ~ $1 OR error_said::text ~ $1 RETURNING 1");
	WaArgs		args;
	WaArgs		of_events;
	WaArgs		pattern = {0};

	wa_admin_person_bind(&erasure->person, &args);
	of_events = args;
	wa_arg_bool(&of_events, erasure->is_copy);
	erase(erasure, "wa.event_outcome", &outcomes, &args);
	erase(erasure, "wa.event", &events, &of_events);
	erase(erasure, "wa.dead_letter", &letters, &args);
	wa_arg_text(&pattern, erasure->person.pattern);
	erase(erasure, "wa.provider", &providers, &pattern);
	erase(erasure, "wa.template_mapping", &mappings, &pattern);
	erase(erasure, "wa.daily_run", &runs, &pattern);
}

/* That it was done, without whom. */
static void
note_done(const Erasure *erasure, const char *const *provider_ids, int nprovider_ids)
{
	static WaStatement note =
		WA_STATEMENT("INSERT INTO wa.forgotten (by, counts, digests) SELECT $1, $2::jsonb,"
					 " ARRAY (SELECT " WA_QUEUE_DIGEST("p.id") " FROM unnest($3::text[]) AS p(id) ORDER BY 1)");
	StringInfoData json;
	WaArgs		args = {0};

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < erasure->ncounts; i++)
		appendStringInfo(&json, "%s\"%s\": " INT64_FORMAT, i ? ", " : "", erasure->counts[i].what, erasure->counts[i].rows);
	appendStringInfoChar(&json, '}');
	wa_arg_text(&args, wa_call_role());
	wa_arg_text(&args, json.data);
	wa_arg_text_array(&args, provider_ids, nprovider_ids);
	wa_query(&note, &args);
}

static void
tell(FunctionCallInfo fcinfo, const Erasure *erasure)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	for (int i = 0; i < erasure->ncounts; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		values[0] = CStringGetTextDatum(erasure->counts[i].what);
		values[1] = Int64GetDatum(erasure->counts[i].rows);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

static Datum
forget(FunctionCallInfo fcinfo, const char *given, int64 partner_id)
{
	Erasure    *erasure = palloc0(sizeof(Erasure));
	WaIdentity	identity = {0};
	WaCall		call;
	WaRows		of_providers;
	const char **of_provider;
	int64	   *ids;
	int			n;
	int			nown;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_ADMIN);
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("%s must be called in a transaction of isolation level READ COMMITTED", "wa_forget()"),
				 errdetail("What was written since the transaction began would stay.")));
	erasure->given = given;
	erasure->partner_id = partner_id;
	wa_identity_check(&identity);
	erasure->is_copy = identity.is_copy;
	wait_for_hold(erasure);

	ids = find_messages(erasure, &n, &nown);
	of_providers = provider_ids(ids, n);
	of_provider = palloc(sizeof(char *) * Max(of_providers.n, 1));
	for (uint64 i = 0; i < of_providers.n; i++)
		of_provider[i] = wa_row_text(of_providers, i, 1);
	cancel_waiting(erasure, ids, n);
	erase_messages(erasure, ids, n, nown, of_provider, (int) of_providers.n);
	erase_words(erasure, of_provider, (int) of_providers.n);
	erase_changes(erasure);
	if (erasure->person.shared.n > 0)
		ereport(NOTICE,
				(errmsg_plural("%d number is of more than one contact", "%d numbers are of more than one contact",
							   (unsigned long) erasure->person.shared.n, erasure->person.shared.n),
				 given ? errdetail("What is at it was erased; other numbers of these contacts, and their records, were not.") :
				 errdetail("What was sent to this contact was erased; what others have there was not.")));
	note_done(erasure, of_provider, (int) of_providers.n);
	tell(fcinfo, erasure);
	wa_call_end(&call);
	return (Datum) 0;
}

/*
 * wa_forget(): see privacy.sql.
 */
Datum
wa_sql_forget_number(PG_FUNCTION_ARGS)
{
	return forget(fcinfo, wa_call_arg_text(fcinfo, 0), 0);
}

Datum
wa_sql_forget_partner(PG_FUNCTION_ARGS)
{
	return forget(fcinfo, NULL, PG_GETARG_INT64(0));
}
