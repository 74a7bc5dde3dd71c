/*-------------------------------------------------------------------------
 *
 * custom_again.c
 *		Messages of the DBA's scenarios that wait: are they still true?
 *
 * A function cannot be asked twice; it may have said which columns of the
 * record must still have which values (wa.message.precondition).  That names
 * tables and columns, in a row that anybody may have written who may write
 * there, so they are read with the rights of the database's owner, which are
 * those of the scenario's function.  Columns or tables that are not there any
 * more cannot speak against a message; a record that is gone does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <json-c/json.h>

#include "utils/varlena.h"

#include "compose/custom.h"
#include "odoo/people.h"
#include "pg/acting.h"
#include "pg/json_text.h"

#define MAX_COLUMNS		16

/* What a message of an own scenario says of its record. */
typedef struct Claim
{
	WaWaiting  *waiting;
	const char *model;			/* NULL: nothing is to be compared */
	int			n;
	char	   *columns[MAX_COLUMNS];
	char	   *values[MAX_COLUMNS];
} Claim;

static void
answer(WaWaiting *waiting, WaStill still, WaSaid why)
{
	waiting->still = still;
	waiting->why = why;
}

static void
read_claim(Claim *claim, const char *text)
{
	struct json_object *object = wa_pg_json_read(text);

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

/* Why the message is not true any more, or NULL. */
static WaSaid
contradiction(const Claim *claim, const WaAppTable *table, char *const *row,
			  const char *const *columns, int ncolumns)
{
	if (row == NULL)
		return wa_say(WA_SAY_UNTRUE_RECORD_GONE);
	for (int i = 0; i < claim->n; i++)
		for (int c = 1; c < ncolumns; c++)
		{
			const char *now = row[c] ? row[c] : "";
			const char *then = claim->values[i];

			if (strcmp(columns[c], claim->columns[i]) == 0 &&
				wa_app_has_column(table, columns[c]) && strcmp(now, then) != 0)
				return wa_say(WA_SAY_UNTRUE_VALUE, columns[c], wa_odoo_shown(now), wa_odoo_shown(then));
		}
	return NULL;
}

/*
 * Open the table of a claim: that of an Odoo model, or a table with its schema.
 */
static void
open_table(WaAppTable *table, const char *schema, const Claim *claim)
{
	List	   *names;

	if (wa_app_open_as(table, schema, table_of(claim->model), wa_pg_database_owner()) == WA_APP_MISSING &&
		SplitIdentifierString(pstrdup(claim->model), '.', &names) && list_length(names) == 2)
		wa_app_open_as(table, linitial(names), lsecond(names), wa_pg_database_owner());
}

static bool
same_table(const Claim *a, const Claim *b)
{
	return a->model && b->model && strcmp(a->model, b->model) == 0;
}

/* Compare the messages about records of one model, those like "first". */
static void
check_model(const char *schema, const Claim *first, Claim *claims, int n)
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
		ids[nids++] = claims[i].waiting->record_id;
		for (int c = 0; c < claims[i].n; c++)
			ncolumns = add_column(columns, ncolumns, claims[i].columns[c]);
	}
	open_table(&table, schema, first);
	if (table.state == WA_APP_READY)
		wa_app_read_by_id(&rows, &table, columns, ncolumns, "id", ids, nids);
	for (int i = 0; i < n; i++)
	{
		char	  **row = NULL;
		WaSaid		why;

		if (!same_table(&claims[i], first))
			continue;
		if (table.state == WA_APP_LOCKED || table.state == WA_APP_FORBIDDEN)
			answer(claims[i].waiting, WA_STILL_LOCKED, table.why);
		if (table.state != WA_APP_READY || !wa_app_has_column(&table, "id"))
			continue;
		for (uint64 r = 0; r < rows.n && row == NULL; r++)
			if (rows.values[r][0] && wa_odoo_id(rows.values[r][0]) == claims[i].waiting->record_id)
				row = rows.values[r];
		why = contradiction(&claims[i], &table, row, columns, ncolumns);
		if (why)
			answer(claims[i].waiting, WA_STILL_FALSE, why);
	}
}

/* Whose number is it?  0: no contact's. */
static int64
contact_of(const WaWaiting *waiting)
{
	return waiting->number && waiting->number_source &&
		strncmp(waiting->number_source, "res_partner.", strlen("res_partner.")) == 0 ? waiting->partner_id : 0;
}

/*
 * Has the contact whose number was taken another one now?  A contact that is
 * gone cannot be told any more.
 */
static void
check_numbers(WaBatch *batch, WaWaiting **list, int n)
{
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	int			nids = 0;
	bool		had;

	for (int i = 0; i < n; i++)
		if (contact_of(list[i]) != 0)
			ids[nids++] = contact_of(list[i]);
	if (nids == 0)
		return;
	had = wa_odoo_load_partners(&batch->odoo, ids, nids);
	for (int i = 0; i < n; i++)
	{
		WaWaiting  *waiting = list[i];
		WaRecipient *contact;

		if (contact_of(waiting) == 0 || waiting->still != WA_STILL_TRUE)
			continue;
		contact = had ? wa_odoo_partner(&batch->odoo, waiting->partner_id) : NULL;
		if (!had)
			answer(waiting, WA_STILL_LOCKED, batch->odoo.locked_why);
		else if (contact == NULL && !batch->odoo.no_contacts)
			answer(waiting, WA_STILL_FALSE, wa_say(WA_SAY_CONTACT_GONE));
		else if (contact && contact->number == NULL)
			answer(waiting, WA_STILL_UNREACHED, wa_say(WA_SAY_NUMBER_GONE));
		else if (contact && strcmp(contact->number, waiting->number) != 0 &&
				 wa_compose_replace_number(waiting->id, contact,
										   wa_say(WA_SAY_NUMBER_CHANGED, contact->number_source)))
			answer(waiting, WA_STILL_ENDED, NULL);
	}
}

/*
 * Are these messages still true, by what they say themselves?
 */
bool
wa_compose_custom_again(WaBatch *batch, WaWaiting **list, int n)
{
	Claim	   *claims = palloc0(sizeof(Claim) * Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		answer(list[i], WA_STILL_TRUE, NULL);
		claims[i].waiting = list[i];
		if (list[i]->model == NULL || list[i]->record_id == 0 || list[i]->precondition == NULL)
			continue;
		claims[i].model = list[i]->model;
		read_claim(&claims[i], list[i]->precondition);
	}
	for (int i = 0; i < n; i++)
	{
		bool		done = claims[i].model == NULL;

		for (int j = 0; j < i && !done; j++)
			done = same_table(&claims[j], &claims[i]);
		if (!done)
			check_model(batch->odoo.schema, &claims[i], claims, n);
	}
	check_numbers(batch, list, n);
	return true;
}
