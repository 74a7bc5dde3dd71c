/*-------------------------------------------------------------------------
 *
 * store.c
 *		The updates of one webhook, into wa.feedback.
 *
 * One insert for all of them.  What cannot be stored as it is, since the
 * database has another encoding or jsonb takes less than JSON does, is stored
 * one by one, and the one that does not go in as a row that says so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "feedback/store.h"
#include "pg/columns.h"
#include "pg/query.h"
#include "pg/subtransaction.h"

#define UPDATE_COLUMNS(X, row) \
	X(row, text, provider, "provider") \
	X(row, text, kind, "kind") \
	X(row, text, event, "event") \
	X(row, text, sender_id, "sender_id") \
	X(row, text, account_id, "account_id") \
	X(row, int8, said_at, "CASE WHEN said_at > 0 THEN to_timestamp(said_at) END") \
	X(row, text, number, "number") \
	X(row, text, user_id, "user_id") \
	X(row, text, parent_user_id, "parent_user_id") \
	X(row, text, name, "name") \
	X(row, text, previous_number, "previous_number") \
	X(row, text, previous_user_id, "previous_user_id") \
	X(row, text, provider_message_id, "provider_message_id") \
	X(row, text, pair_id, "pair_id") \
	X(row, text, callback, "callback") \
	X(row, text, progress, "progress") \
	X(row, text, code, "code") \
	X(row, text, words, "words") \
	X(row, json, pricing, "pricing") \
	X(row, text, body, "body") \
	X(row, text, keyword, "keyword") \
	X(row, boolean, only_out, "only_out") \
	X(row, boolean, opens_window, "opens_window") \
	X(row, boolean, proves_number, "proves_number") \
	X(row, text, answers, "answers") \
	X(row, boolean, wants, "wants") \
	X(row, text, template_name, "template_name") \
	X(row, text, language, "language") \
	X(row, json, detail, "detail") \
	X(row, text, excerpt, "excerpt") \
	X(row, text, problem, "problem")

WA_DEFINE_ROW(Update, update_row, UPDATE_COLUMNS);

/* What is read of a body. */
typedef struct Reading
{
	const WaProviders *providers;
	const WaProvider *provider; /* whose address was called */
	MemoryContext context;
	Update	   *updates;
	int			n;
	int			room;
	WaStored   *stored;
} Reading;

static const char *
copy(const char *text)
{
	return text ? pstrdup(text) : NULL;
}

/*
 * Whose update is it?  One address serves all numbers of an app; NULL: none
 * of ours, such as the samples that Meta's dashboard sends.
 */
static const WaProvider *
provider_of(const Reading *reading, const WaUpdate *update)
{
	const WaGateway *gateway = reading->provider->gateway;

	if (update->sender_id == NULL || gateway->sender_setting == NULL)
		return reading->provider;
	for (int i = 0; i < reading->providers->n; i++)
	{
		const WaProvider *p = &reading->providers->list[i];
		const char *id = p->gateway == gateway ?
			wa_gateway_setting(p->settings, p->nsettings, gateway->sender_setting) : NULL;

		if (id && strcmp(id, update->sender_id) == 0)
			return p;
	}
	return NULL;
}

static void
take(const WaUpdate *update, void *argument)
{
	Reading    *reading = argument;
	MemoryContext old = MemoryContextSwitchTo(reading->context);
	const WaProvider *provider = provider_of(reading, update);
	WaUpdateKind kind = provider || update->kind == WA_UPDATE_UNKNOWN ? update->kind : WA_UPDATE_KEPT;
	Update	   *row;

	if (reading->n == reading->room)
	{
		reading->room = Max(16, 2 * reading->room);
		reading->updates = reading->updates ?
			repalloc_huge(reading->updates, sizeof(Update) * reading->room) :
			palloc(sizeof(Update) * reading->room);
	}
	row = &reading->updates[reading->n++];
	*row = (Update)
	{
		.provider = provider ? provider->name : reading->provider->name,
			.kind = wa_gateway_update_kind_name(kind),
			.event = copy(update->event),
			.sender_id = copy(update->sender_id),
			.account_id = copy(update->account_id),
			.said_at = update->said_at,
			.number = copy(update->number),
			.user_id = copy(update->user_id),
			.parent_user_id = copy(update->parent_user_id),
			.name = copy(update->name),
			.previous_number = copy(update->previous_number),
			.previous_user_id = copy(update->previous_user_id),
			.provider_message_id = copy(update->message_id),
			.pair_id = copy(update->pair_id),
			.callback = copy(update->callback),
			.progress = wa_gateway_progress_name(update->progress),
			.code = copy(update->code),
			.words = copy(update->words),
			.pricing = copy(update->pricing),
			.body = copy(update->text),
			.keyword = copy(update->keyword),
			.only_out = update->only_out,
			.opens_window = update->opens_window,
			.proves_number = update->proves_number,
			.answers = copy(update->answers),
			.wants = update->wants,
			.template_name = copy(update->template_name),
			.language = copy(update->language),
			.detail = copy(update->detail),
			.excerpt = copy(update->excerpt),
			.problem = provider ? NULL : "a number that is not ours"
	};
	if (kind == WA_UPDATE_KEPT)
		reading->stored->ignored++;
	else if (kind == WA_UPDATE_UNKNOWN)
		reading->stored->unknown++;
	else
		reading->stored->accepted++;
	MemoryContextSwitchTo(old);
}

/* Strings are UTF-8; the database may have another encoding. */
static void
convert(Update * update)
{
	if (GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII)
		return;
	for (int i = 0; i < update_row.n; i++)
	{
		const WaColumn *column = &update_row.columns[i];
		const char **member = (const char **) ((char *) update + column->offset);

		if ((column->type == &wa_row_type_text || column->type == &wa_row_type_json) && *member)
			*member = pg_any_to_server(*member, strlen(*member), PG_UTF8);
	}
}

/* Some of the updates, to be inserted together. */
typedef struct Part
{
	Update	   *updates;
	int			n;
} Part;

static bool
insert(void *argument)
{
	static WaStatement put =
		WA_STATEMENT_OF(&update_row, "INSERT INTO wa.feedback (due_at, {members})"
						" SELECT CASE WHEN kind NOT IN ('kept', 'unknown')"
						" OR kind = 'kept' AND problem IS NULL AND number IS NOT NULL AND coalesce(user_id, parent_user_id) IS NOT NULL"
						" THEN clock_timestamp() END, {columns}"
						" FROM {arrays} AS r({members})");
	Part	   *part = argument;
	WaArgs		args = {0};

	for (int i = 0; i < part->n; i++)
		convert(&part->updates[i]);
	wa_arg_rows(&args, &update_row, part->updates, part->n);
	wa_query(&put, &args);
	return true;
}

/* Each by itself; in the place of one that does not go in, what it was. */
static void
insert_one_by_one(Reading *reading)
{
	for (int i = 0; i < reading->n; i++)
	{
		Update		update = reading->updates[i];
		Part		part = {&update, 1};
		ErrorData  *error = wa_pg_attempt(insert, &part);

		if (error == NULL)
			continue;
		update = (Update)
		{
			.provider = reading->updates[i].provider,
				.kind = wa_gateway_update_kind_name(WA_UPDATE_UNKNOWN),
				.problem = error->message
		};
		if (strcmp(reading->updates[i].kind, update.kind) != 0)
		{
			reading->stored->unknown++;
			if (strcmp(reading->updates[i].kind, wa_gateway_update_kind_name(WA_UPDATE_KEPT)) == 0)
				reading->stored->ignored--;
			else
				reading->stored->accepted--;
		}
		(void) insert(&part);
	}
}

/*
 * Read a body and store what it says; *stored: how much of it.  SPI connected,
 * the database's owner acting.  Raises an error where there is no memory, or
 * nothing can be written at all.
 */
void
wa_feedback_store(const WaProviders *providers, const WaProvider *provider, const char *body, size_t len,
				  WaStored *stored)
{
	Reading		reading = {.providers = providers,.provider = provider,.context = CurrentMemoryContext,.stored = stored};
	Part		part;
	ErrorData  *error;
	pg_time_t	now;

	/*
	 * Not time(): its clock ticks, and is some milliseconds behind in
	 * between. What is told within them of a second that has just begun would
	 * be later than now, and get the time at which it came: a START that of
	 * after the STOP that follows in the same second.
	 */
	now = timestamptz_to_time_t(GetCurrentTimestamp());
	memset(stored, 0, sizeof(*stored));
	if (!provider->gateway->read_feedback(body, len, (int64) now, take, &reading))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	if (reading.n == 0)
		return;
	part.updates = palloc(sizeof(Update) * reading.n);
	part.n = reading.n;
	memcpy(part.updates, reading.updates, sizeof(Update) * reading.n);
	error = wa_pg_attempt(insert, &part);
	if (error)
		insert_one_by_one(&reading);
}
