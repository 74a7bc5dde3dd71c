/*-------------------------------------------------------------------------
 *
 * recheck.c
 *		Is what a message says still so?  Asked right before it goes out.
 *
 * A message carries the columns of its record that made it true, with their
 * values (wa.message.still).  One query reads them for a batch, and one more
 * per table compares: a click that was taken back in time is never told.  A
 * column or table that is not there any more cannot speak against a message;
 * a record that is gone does.
 *
 * What is told may be true and still not be as it was written: the permit has
 * another number or contact, the contact another telephone, the document that
 * stood for several is signed.  Such a message is replaced, see replace.c.
 *
 * What is cancelled here was never told, so it is forgotten that it was
 * announced: when it becomes true again, it is news.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <json-c/json.h>

#include "utils/varlena.h"

#include "compose/compose.h"
#include "compose/scenario.h"
#include "pg/acting.h"
#include "pg/app_table.h"
#include "pg/query.h"

#define MAX_COLUMNS		16

/* A waiting message: what it says of its record, and to whom. */
typedef struct Claim
{
	int64		id;				/* of the message */
	int			place;			/* in the caller's arrays */
	bool		own;			/* of a scenario of the DBA's own */
	bool		told;			/* the built-in scenarios tell of all its columns */
	const char *model;			/* NULL: nothing is to be compared */
	int64		record_id;
	int			n;
	char	   *columns[MAX_COLUMNS];
	char	   *values[MAX_COLUMNS];
	const char *scenario;
	int64		partner_id;		/* 0: the number is not a contact's */
	const char *number;
	const char *changed;		/* not as it was written; NULL: it is */
	bool		other_record;	/* another record is to be told of */
} Claim;

static void
read_claim(Claim *claim, const char *text)
{
	struct json_object *object = json_tokener_parse(text);

	if (json_object_is_type(object, json_type_object))
	{
		json_object_object_foreach(object, key, value)
		{
			if (claim->n < MAX_COLUMNS && json_object_is_type(value, json_type_string))
			{
				claim->columns[claim->n] = pstrdup(key);
				claim->values[claim->n++] = pstrdup(json_object_get_string(value));
			}
		}
	}
	if (object)
		json_object_put(object);
}

/* The table of a model, as Odoo names it. */
static char *
table_of(const char *model)
{
	char	   *name = pstrdup(model);

	for (char *c = name; *c; c++)
		if (*c == '.')
			*c = '_';
	return name;
}

static int
add_column(const char **columns, int n, const char *column)
{
	for (int i = 0; i < n; i++)
		if (strcmp(columns[i], column) == 0)
			return n;
	if (n < MAX_COLUMNS)
		columns[n++] = column;
	return n;
}

/* A change of these does not make the message wrong, only out of date. */
static bool
may_change(const char *column, const char *now)
{
	return now != NULL && now[0] != '\0' &&
		(strcmp(column, "permit_number") == 0 || strcmp(column, "partner_id") == 0);
}

/*
 * Why the message is not true any more, or NULL; claim->changed: why it is to
 * be written anew.
 */
static const char *
contradiction(Claim *claim, const WaAppTable *table, char *const *row,
			  const char *const *columns, int ncolumns)
{
	if (row == NULL)
		return "no longer true: the record does not exist any more";
	for (int i = 0; i < claim->n; i++)
		for (int c = 1; c < ncolumns; c++)
		{
			const char *now = row[c] && row[c][0] ? row[c] : "empty";
			const char *then = claim->values[i][0] ? claim->values[i] : "empty";

			if (strcmp(columns[c], claim->columns[i]) != 0 ||
				!wa_app_has_column(table, columns[c]))
				continue;
			if (strcmp(now, then) == 0)
				continue;
			if (claim->own || !may_change(columns[c], row[c]))
				return psprintf("no longer true: %s is %s, the message says %s", columns[c], now, then);
			claim->changed = psprintf("%s is %s now, it was %s", columns[c], now, then);
		}
	return NULL;
}

/*
 * A document that stood for all that wait: do others still?
 */
static bool
stands_for_others(const Claim *claim, const char *schema, const WaScenario *scenarios, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(scenarios[i].key, claim->scenario) == 0)
			return strcmp(scenarios[i].composer, "document_pending") == 0 &&
				wa_replace_newest_pending(schema) != 0;
	return false;
}

/*
 * Does the message name what the built-in scenarios themselves tell of?  A row
 * of wa.message may have been written by anybody who may write there.
 */
static bool
is_told(const Claim *claim)
{
	char	   *table = table_of(claim->model);

	for (int i = 0; i < claim->n; i++)
		if (!wa_app_is_told(table, claim->columns[i]))
			return false;
	return claim->n > 0 && !claim->own;
}

/*
 * Open the table of a claim.  What anything but the built-in scenarios names,
 * by its model or as a table with its schema, is read with the rights of the
 * database's owner, which are those of the function of his own scenario.
 */
static void
open_table(WaAppTable *table, const char *schema, const Claim *claim)
{
	List	   *names;

	if (claim->told)
		wa_app_open(table, schema, table_of(claim->model));
	else if (wa_app_open_as(table, schema, table_of(claim->model), wa_pg_database_owner()) == WA_APP_MISSING &&
			 SplitIdentifierString(pstrdup(claim->model), '.', &names) && list_length(names) == 2)
		wa_app_open_as(table, linitial(names), lsecond(names), wa_pg_database_owner());
}

static bool
same_table(const Claim *a, const Claim *b)
{
	return a->model && a->told == b->told && strcmp(a->model, b->model) == 0;
}

/* Compare the messages about records of one model, those like "first". */
static void
check_model(const char *schema, const Claim *first, Claim *claims, int n,
			WaStill *results, const char **details)
{
	const char *columns[MAX_COLUMNS] = {"id"};
	int			ncolumns = 1;
	int64	   *ids = palloc(sizeof(int64) * n);
	int			nids = 0;
	WaAppTable	table;
	WaAppRows	rows = {0};

	for (int i = 0; i < n; i++)
	{
		if (!same_table(&claims[i], first))
			continue;
		ids[nids++] = claims[i].record_id;
		for (int c = 0; c < claims[i].n; c++)
			ncolumns = add_column(columns, ncolumns, claims[i].columns[c]);
	}
	open_table(&table, schema, first);
	if (table.state == WA_APP_READY)
		wa_app_read_by_id(&rows, &table, columns, ncolumns, "id", ids, nids);
	for (int i = 0; i < n; i++)
	{
		char	  **row = NULL;
		const char *why;

		if (!same_table(&claims[i], first))
			continue;
		if (table.state == WA_APP_LOCKED || table.state == WA_APP_FORBIDDEN)
			results[claims[i].place] = WA_STILL_LOCKED;
		if (table.state == WA_APP_FORBIDDEN)
			details[claims[i].place] = table.why;
		if (table.state != WA_APP_READY || !wa_app_has_column(&table, "id"))
			continue;
		for (uint64 r = 0; r < rows.n && row == NULL; r++)
			if (rows.values[r][0] && strtoll(rows.values[r][0], NULL, 10) == claims[i].record_id)
				row = rows.values[r];
		why = contradiction(&claims[i], &table, row, columns, ncolumns);
		if (why)
		{
			results[claims[i].place] = WA_STILL_FALSE;
			details[claims[i].place] = why;
		}
	}
}

/*
 * Has the contact whose number was taken another one now?  A contact that is
 * gone cannot speak against the number that he had.
 */
static void
check_numbers(const char *schema, Claim *claims, int n, WaStill *results, const char **details)
{
	WaBatch		batch = {0};
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	int			nids = 0;
	bool		had;

	batch.schema = schema;
	for (int i = 0; i < n; i++)
		if (claims[i].partner_id != 0)
			ids[nids++] = claims[i].partner_id;
	if (nids == 0)
		return;
	had = wa_people_load_partners(&batch, ids, nids);
	for (int i = 0; i < n; i++)
	{
		Claim	   *claim = &claims[i];
		WaRecipient *contact;

		if (claim->partner_id == 0 || results[claim->place] != WA_STILL_TRUE || claim->changed)
			continue;
		contact = had ? wa_people_partner(&batch, claim->partner_id) : NULL;
		if (!had)
			results[claim->place] = WA_STILL_LOCKED;
		else if (contact && contact->number == NULL)
		{
			results[claim->place] = WA_STILL_FALSE;
			details[claim->place] = "the contact has no usable number any more";
		}
		else if (contact && strcmp(contact->number, claim->number) != 0)
			claim->changed = psprintf("the contact has another number now (%s)", contact->number_source);
	}
}

/* What these messages have announced may be announced again. */
static void
forget_announced(const int64 *ids, int n, const WaStill *results)
{
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.once WHERE message_id = ANY ($1)");
	int64	   *cancelled = palloc(sizeof(int64) * Max(n, 1));
	int			ncancelled = 0;
	WaArgs		args = {0};

	for (int i = 0; i < n; i++)
		if (results[i] == WA_STILL_FALSE)
			cancelled[ncancelled++] = ids[i];
	if (ncancelled == 0)
		return;
	wa_arg_int8_array(&args, cancelled, ncancelled);
	wa_query(&forget, &args);
}

/* The waiting ones of these messages; returns how many. */
static int
read_claims(const int64 *ids, int n, Claim *claims, WaStill *results)
{
	static WaStatement read =
		WA_STATEMENT("SELECT m.id, m.res_model, m.res_id, m.still::text, m.scenario, m.number,"
					 " CASE WHEN starts_with(m.number_source, 'res_partner.') THEN m.partner_id END,"
					 " EXISTS (SELECT FROM wa.scenario AS s WHERE s.key = m.scenario AND strpos(s.composer, '.') > 0)"
					 " FROM wa.message AS m WHERE m.id = ANY ($1) AND m.state = 'queued'");
	WaArgs		args = {0};
	int			count = 0;
	uint64		rows;

	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&read, &args);
	for (uint64 r = 0; r < rows; r++)
	{
		Claim	   *claim = &claims[count];
		int64		id = wa_row_int8(r, 1);
		int			place = 0;

		while (place < n && ids[place] != id)
			place++;
		if (place == n)
			continue;
		results[place] = WA_STILL_TRUE;
		if (wa_row_isnull(r, 5))
			continue;
		claim->id = id;
		claim->place = place;
		claim->scenario = wa_row_text(r, 5);
		claim->own = wa_row_bool(r, 8);
		if (!wa_row_isnull(r, 6) && !wa_row_isnull(r, 7))
		{
			claim->number = wa_row_text(r, 6);
			claim->partner_id = wa_row_int8(r, 7);
		}
		if (!wa_row_isnull(r, 2) && !wa_row_isnull(r, 3) && !wa_row_isnull(r, 4))
		{
			claim->model = wa_row_text(r, 2);
			claim->record_id = wa_row_int8(r, 3);
			read_claim(claim, wa_row_text(r, 4));
			claim->told = is_told(claim);
		}
		count++;
	}
	SPI_freetuptable(SPI_tuptable);
	return count;
}

/*
 * What became of the conditions of these messages: results[i], and for
 * WA_STILL_FALSE, and where something is to be mended before it can be told
 * (WA_STILL_LOCKED), details[i], a sentence palloc()ed in the current context.
 * One that has been replaced has ended.  Locks no table but conditionally.
 */
void
wa_recheck(const char *schema, const int64 *ids, int n, WaStill *results, const char **details)
{
	Claim	   *claims = palloc0(sizeof(Claim) * Max(n, 1));
	WaScenario *scenarios = NULL;
	int			nscenarios = 0;
	int			nclaims;

	for (int i = 0; i < n; i++)
	{
		results[i] = WA_STILL_ENDED;
		details[i] = NULL;
	}
	nclaims = read_claims(ids, n, claims, results);
	for (int i = 0; i < nclaims; i++)
	{
		bool		done = claims[i].model == NULL;

		for (int j = 0; j < i && !done; j++)
			done = same_table(&claims[j], &claims[i]);
		if (!done)
			check_model(schema, &claims[i], claims, nclaims, results, details);
	}
	for (int i = 0; i < nclaims; i++)
	{
		if (results[claims[i].place] != WA_STILL_FALSE || strcmp(claims[i].model, "sicantik.document") != 0)
			continue;
		if (scenarios == NULL)
			scenarios = wa_compose_load_scenarios(&nscenarios);
		if (!stands_for_others(&claims[i], schema, scenarios, nscenarios))
			continue;
		results[claims[i].place] = WA_STILL_TRUE;
		claims[i].other_record = true;
		claims[i].changed = "its document does not wait any more, others do";
	}
	check_numbers(schema, claims, nclaims, results, details);
	for (int i = 0; i < nclaims; i++)
		if (results[claims[i].place] == WA_STILL_TRUE && claims[i].changed)
			results[claims[i].place] = wa_replace(schema, claims[i].id, claims[i].changed,
												  claims[i].other_record, &details[claims[i].place]);
	forget_announced(ids, n, results);
}
