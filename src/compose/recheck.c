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
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <json-c/json.h>

#include "compose/sending.h"
#include "pg/app_table.h"
#include "pg/query.h"

#define MAX_COLUMNS		16

/* What one message says of its record. */
typedef struct Claim
{
	int			place;			/* in the caller's arrays */
	const char *model;
	int64		record_id;
	int			n;
	char	   *columns[MAX_COLUMNS];
	char	   *values[MAX_COLUMNS];
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

static const char *
contradiction(const Claim *claim, const WaAppTable *table, char *const *row,
			  const char *const *columns, int ncolumns)
{
	if (row == NULL)
		return "no longer true: the record does not exist any more";
	for (int i = 0; i < claim->n; i++)
		for (int c = 1; c < ncolumns; c++)
		{
			if (strcmp(columns[c], claim->columns[i]) != 0 ||
				!wa_app_has_column(table, columns[c]))
				continue;
			if (row[c] == NULL || strcmp(row[c], claim->values[i]) != 0)
				return psprintf("no longer true: %s is %s, the message says %s", columns[c],
								row[c] ? row[c] : "empty", claim->values[i]);
		}
	return NULL;
}

/* Compare the messages about records of one model. */
static void
check_model(const char *schema, const char *model, const Claim *claims, int n,
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
		if (strcmp(claims[i].model, model) != 0)
			continue;
		ids[nids++] = claims[i].record_id;
		for (int c = 0; c < claims[i].n; c++)
			ncolumns = add_column(columns, ncolumns, claims[i].columns[c]);
	}
	wa_app_open(&table, schema, table_of(model));
	if (table.state == WA_APP_READY)
		wa_app_read_by_id(&rows, &table, columns, ncolumns, "id", ids, nids);
	for (int i = 0; i < n; i++)
	{
		char	  **row = NULL;
		const char *why;

		if (strcmp(claims[i].model, model) != 0)
			continue;
		if (table.state == WA_APP_LOCKED)
			results[claims[i].place] = WA_STILL_LOCKED;
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
 * What became of the conditions of these messages: results[i], and for
 * WA_STILL_FALSE details[i], a sentence palloc()ed in the current context.
 * Locks no table but conditionally.
 */
void
wa_recheck(const char *schema, const int64 *ids, int n, WaStill *results, const char **details)
{
	static WaStatement read =
		WA_STATEMENT("SELECT id, state, res_model, res_id, still::text FROM wa.message WHERE id = ANY ($1)");
	WaArgs		args = {0};
	Claim	   *claims = palloc0(sizeof(Claim) * Max(n, 1));
	int			nclaims = 0;
	uint64		rows;

	for (int i = 0; i < n; i++)
	{
		results[i] = WA_STILL_ENDED;
		details[i] = NULL;
	}
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&read, &args);
	for (uint64 r = 0; r < rows; r++)
	{
		int64		id = wa_row_int8(r, 1);
		int			place = 0;

		while (place < n && ids[place] != id)
			place++;
		if (place == n || strcmp(wa_row_text(r, 2), "queued") != 0)
			continue;
		results[place] = WA_STILL_TRUE;
		if (wa_row_isnull(r, 3) || wa_row_isnull(r, 4) || wa_row_isnull(r, 5))
			continue;
		claims[nclaims].place = place;
		claims[nclaims].model = wa_row_text(r, 3);
		claims[nclaims].record_id = wa_row_int8(r, 4);
		read_claim(&claims[nclaims++], wa_row_text(r, 5));
	}
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < nclaims; i++)
	{
		bool		done = false;

		for (int j = 0; j < i && !done; j++)
			done = strcmp(claims[j].model, claims[i].model) == 0;
		if (!done)
			check_model(schema, claims[i].model, claims, nclaims, results, details);
	}
}
