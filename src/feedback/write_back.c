/*-------------------------------------------------------------------------
 *
 * write_back.c
 *		What people said of consent is written to their contacts in Odoo.
 *
 * Where the office wants that (setting write_back): the flag and its date on
 * each contact with the number, as the last word said it.  Nobody is waited
 * for: a contact that somebody holds is tried again.  Nothing is written over
 * what somebody has written in Odoo since, by the rule in route/facts.c, and
 * write_date stays, which is the time of that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "feedback/consent.h"
#include "feedback/feedback.h"
#include "office/setting.h"
#include "pg/app_limit.h"
#include "pg/app_table.h"
#include "pg/columns.h"
#include "pg/frame.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "route/said_no.h"
#include "text/text.h"
#include "wake/wake.h"

/* So many numbers at once. */
#define BATCH			100

/* A contact that somebody holds is tried again after so long, */
#define HELD_AGAIN		"2 s"

/* and where the table cannot be written after so long. */
#define REFUSED_AGAIN	"10 min"

/* What holds of a number; is_held: it must be tried again. */
#define WORD_COLUMNS(X, row) \
	X(row, text, number, "number") \
	X(row, boolean, yes, "yes") \
	X(row, time, at, "at") \
	X(row, boolean, is_held, "is_held")
WA_DEFINE_ROW(Word, word_row, WORD_COLUMNS);

typedef struct Batch
{
	Word	   *words;
	int			n;
	WaAppConsent *contacts;		/* to be written, */
	Word	  **said;			/* by which word each */
	int			ncontacts;
	bool		locked;			/* the table cannot be had now */
} Batch;

/* When something is to be written next, as far as is known; 0: nothing is. */
static TimestampTz next = 0;

static const char *const keys[] = {"phone_sanitized", "whatsapp_number", "mobile", "phone"};
enum
{
	C_NUMBERS = 4,				/* after the keys */
	C_ID = C_NUMBERS, C_FLAG, C_DATE, C_WRITTEN
};
static const char *const columns[] = {
	"phone_sanitized", "whatsapp_number", "mobile", "phone",
	"id", "whatsapp_opt_in", "whatsapp_opt_in_date", "write_date"
};

/* What waits to be written, and holds; while it is not in wa.contact it waits. */
static Word *
read_words(int *n)
{
	static WaStatement look =
		WA_STATEMENT_OF(&word_row,
						"SELECT {columns} FROM (SELECT d.number, coalesce(c.opted_in_at > coalesce(c.opted_out_at, '-infinity'), false) AS yes,"
						" greatest(c.opted_in_at, c.opted_out_at) AS at,"
						" EXISTS (SELECT FROM wa.consent AS p WHERE p.pending AND p.number = d.number) AS is_held"
						" FROM (SELECT DISTINCT number FROM (SELECT number FROM wa.consent WHERE write_at <= clock_timestamp()"
						" ORDER BY write_at LIMIT $1) AS w) AS d LEFT JOIN wa.contact AS c ON c.number = d.number) AS k");
	WaArgs		args = {0};

	wa_arg_int4(&args, BATCH);
	return wa_rows_read(wa_query(&look, &args), &word_row, n);
}

static bool
has_number(char *const *values, const char *number)
{
	for (int i = 0; i < C_NUMBERS; i++)
	{
		char		normal[WA_NUMBER_SIZE];

		if (values[i] && wa_text_normalize_number(values[i], normal) && strcmp(normal, number) == 0)
			return true;
	}
	return false;
}

/* Is the word news to this contact, and certainly later than what it says? */
static bool
is_news(const Word * word, char *const *row)
{
	bool		flag = row[C_FLAG] && row[C_FLAG][0] == 't';

	if (flag == word->yes && (flag || row[C_DATE]))
		return false;
	if (flag)
		return word->at > wa_route_odoo_time(row[C_DATE]);
	return row[C_DATE] == NULL || word->at > wa_route_odoo_no_at(row[C_WRITTEN], row[C_DATE]);
}

/* The contacts to be written, of a table that is ready. */
static void
choose_contacts(Batch *batch, const WaAppTable *table)
{
	const char **spellings = palloc(sizeof(char *) * batch->n * 3);
	int			nspellings = 0;
	WaAppRows	rows;

	for (int i = 0; i < batch->n; i++)
	{
		const char *number = batch->words[i].number;

		spellings[nspellings++] = psprintf("+%s", number);
		spellings[nspellings++] = number;
		if (strncmp(number, "62", 2) == 0)
			spellings[nspellings++] = psprintf("0%s", number + 2);
	}
	wa_app_read_by_texts(&rows, table, columns, lengthof(columns), keys, lengthof(keys), spellings, nspellings);
	batch->contacts = palloc0(sizeof(WaAppConsent) * Max(rows.n, 1));
	batch->said = palloc(sizeof(Word *) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
	{
		WaAppConsent *contact = &batch->contacts[batch->ncontacts];
		Word	   *word = NULL;

		/* one with the numbers of several has the last word of them */
		for (int i = 0; i < batch->n; i++)
			if (batch->words[i].at != 0 && !batch->words[i].is_held &&
				has_number(rows.values[r], batch->words[i].number) &&
				(word == NULL || batch->words[i].at > word->at))
				word = &batch->words[i];
		if (word == NULL || !is_news(word, rows.values[r]))
			continue;
		contact->id = strtoll(rows.values[r][C_ID], NULL, 10);
		contact->yes = word->yes;
		contact->at = word->at - word->at % USECS_PER_SEC;
		contact->seen = rows.values[r][C_WRITTEN];
		batch->said[batch->ncontacts++] = word;
	}
}

/*
 * All that waited of these numbers is done, or, where somebody holds a contact,
 * and of all of them where "again" is given, tried again.
 */
static void
note(const Batch *batch, const char *again)
{
	static WaStatement put =
		WA_STATEMENT("UPDATE wa.consent AS c SET write_at = CASE WHEN h.again IS NOT NULL THEN clock_timestamp() + h.again::interval END"
					 " FROM unnest($1, $2) AS h (number, again) WHERE c.number = h.number AND c.write_at <= clock_timestamp()");
	const char **numbers = palloc(sizeof(char *) * Max(batch->n, 1));
	const char **times = palloc(sizeof(char *) * Max(batch->n, 1));
	WaArgs		args = {0};

	for (int i = 0; i < batch->n; i++)
	{
		numbers[i] = batch->words[i].number;
		times[i] = again ? again : batch->words[i].is_held ? HELD_AGAIN : NULL;
	}
	wa_arg_text_array(&args, numbers, batch->n);
	wa_arg_text_array(&args, times, batch->n);
	wa_query(&put, &args);
}

/* In a part of the transaction that may fail. */
static bool
write_batch(void *argument)
{
	Batch	   *batch = argument;
	WaAppTable	table;

	batch->ncontacts = 0;
	if (wa_app_open(&table, wa_office_get("odoo_schema"), "res_partner") == WA_APP_LOCKED)
	{
		batch->locked = true;
		return true;
	}
	if (table.state == WA_APP_MISSING || !wa_app_has_column(&table, "whatsapp_opt_in") ||
		!wa_app_has_column(&table, "whatsapp_opt_in_date"))
		return true;
	if (!wa_app_may_write(&table))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the owner of the database has no rights of the owner of table res_partner")));
	choose_contacts(batch, &table);
	wa_app_write_consent(&table, batch->contacts, batch->ncontacts);
	for (int i = 0; i < batch->ncontacts; i++)
		if (!batch->contacts[i].done)
			batch->said[i]->is_held = true;
	return true;
}

/*
 * Write these, and note what came of it.  Where one of several is refused they
 * are tried one by one: the others go on.
 */
static void
write_words(Word * words, int n)
{
	Batch		batch = {.words = words,.n = n};
	ErrorData  *error = wa_pg_attempt(write_batch, &batch);

	if (error && n > 1 && !wa_app_limit_raised(error))
	{
		for (int i = 0; i < n; i++)
			write_words(&words[i], 1);
		return;
	}
	if (error && !wa_app_limit_raised(error))
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("sicantik_wa could not write consent to contacts: %s", error->message),
				 errdetail("It tries again in %s.", REFUSED_AGAIN)));
	note(&batch, error ? REFUSED_AGAIN : batch.locked ? HELD_AGAIN : NULL);
}

/*
 * Something may have been said: find out when it is to be written.  In the
 * worker's transaction.
 */
void
wa_feedback_write_back_look(void)
{
	static WaStatement look =
		WA_STATEMENT("SELECT write_at FROM wa.consent WHERE write_at IS NOT NULL ORDER BY write_at LIMIT 1");
	WaRows		rows = wa_query(&look, NULL);

	next = rows.n > 0 && wa_office_is_on("write_back") ? wa_row_timestamptz(rows, 0, 1) : 0;
	wa_rows_free(rows);
}

/*
 * Write a batch, if something is to be written now; in a transaction of its
 * own.  *due: when to come again; 0: when there is news.  False: a table of
 * ours is locked.
 */
bool
wa_feedback_write_back(TimestampTz *due)
{
	Word	   *words;
	int			n;

	*due = next;
	if (next == 0 || next > GetCurrentTimestamp())
		return true;
	if (!wa_frame_begin("writing consent to Odoo"))
		return false;
	words = read_words(&n);
	write_words(words, n);
	wa_feedback_write_back_look();
	*due = next;
	wa_frame_commit(false);
	return true;
}
