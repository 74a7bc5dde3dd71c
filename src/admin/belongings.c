/*-------------------------------------------------------------------------
 *
 * belongings.c
 *		What is a person's, for wa_forget() and wa_export(): his records, the
 *		numbers of his permits, and who else was told of these.
 *
 * His records are those that Odoo has of him, and those that it does not have
 * any more of which changes, dead letters or messages say that they were his.
 * What staff were told of them is about him; what somebody else was told, who
 * had them before or has them now, is that one's own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/person.h"
#include "odoo/odoo.h"
#include "pg/app_table.h"

/* The first column of what this finds. */
static WaIds
find_ids(WaStatement *statement, WaArgs *args)
{
	WaRows		rows = wa_query(statement, args);
	WaIds		ids = {0};

	for (uint64 i = 0; i < rows.n; i++)
		wa_admin_ids_add(&ids, wa_row_text(rows, i, 1));
	wa_rows_free(rows);
	return ids;
}

/* Rows of a table of Odoo's whose key is one of these; none where there is no such table. */
static WaAppRows
read_rows(WaPerson *person, const char *name, const char *const *columns, int ncolumns, const char *key, const WaIds *ids)
{
	WaAppTable	table;
	WaAppRows	rows = {0};

	if (ids->n > 0 && wa_admin_history_open(&person->search, &table, name))
		wa_app_read_by_id(&rows, &table, columns, ncolumns, key, ids->list, ids->n);
	return rows;
}

/* Is there a row whose first column is this id (and, if asked, whose second is not true)? */
static bool
has_row(WaAppRows rows, const char *id, bool untrue)
{
	for (uint64 r = 0; r < rows.n; r++)
		if (rows.values[r][0] && strcmp(rows.values[r][0], id) == 0 &&
			!(untrue && wa_odoo_is_true(rows.values[r][1])))
			return true;
	return false;
}

/* Of these records, those that Odoo's table does not have. */
static void
add_gone(WaPerson *person, const char *name, const WaIds *ids, WaIds *found)
{
	static const char *const columns[] = {"id"};
	WaAppRows	rows = read_rows(person, name, columns, lengthof(columns), "id", ids);

	for (int i = 0; i < ids->n; i++)
	{
		char	   *id = psprintf(INT64_FORMAT, ids->list[i]);

		if (!has_row(rows, id, false))
			wa_admin_ids_add(found, id);
	}
}

/* The same of those that belonged to these, as changes of them and dead letters say. */
static void
add_gone_of(WaPerson *person, const char *name, const char *key, const WaIds *of, WaIds *found)
{
	static WaStatement changed =
		WA_STATEMENT("SELECT DISTINCT c.record_id::text FROM (SELECT relation, record_id, columns, new FROM wa.event"
					 " UNION ALL SELECT relation, record_id, columns, new FROM wa.dead_letter) AS c"
					 " WHERE c.relation = format('%I.%I', $1, $2) AND c.new[array_position(c.columns, $3)] = ANY ($4::text[])");
	WaArgs		args = {0};
	WaIds		ids;

	if (of->n == 0)
		return;
	wa_arg_text(&args, person->search.schema);
	wa_arg_text(&args, name);
	wa_arg_text(&args, key);
	wa_arg_int8_array(&args, of->list, of->n);
	ids = find_ids(&changed, &args);
	add_gone(person, name, &ids, found);
}

/*
 * Permits that Odoo does not have any more, as far as changes, dead letters or
 * messages to him tell of them, and what belonged to these.
 */
static void
add_gone_records(WaPerson *person)
{
	static WaStatement told =
		WA_STATEMENT("SELECT DISTINCT res_id::text FROM wa.message WHERE partner_id = ANY ($1) AND partner_id IS NOT NULL"
					 " AND res_model = 'sicantik.permit' AND res_id IS NOT NULL");
	WaSearch   *search = &person->search;
	WaArgs		args = {0};
	WaIds		ids;

	wa_arg_int8_array(&args, search->partners.list, search->partners.n);
	ids = find_ids(&told, &args);
	add_gone(person, "sicantik_permit", &ids, &search->permits);
	add_gone_of(person, "sicantik_permit", "partner_id", &search->partners, &search->permits);
	add_gone_of(person, "sicantik_document", "permit_id", &search->permits, &search->documents);
	add_gone_of(person, "signature_workflow", "document_id", &search->documents, &search->workflows);
}

/* What has no digit in it, or is as short as "-", names no permit. */
static void
add_permit_number(WaPerson *person, const char *number)
{
	if (number && strlen(number) > 2 && strpbrk(number, "0123456789"))
		wa_admin_numbers_add(&person->permit_numbers, number);
}

/*
 * By which numbers messages name his permits: those of his messages and changes,
 * and those that Odoo has now.
 */
static void
find_permit_numbers(WaPerson *person)
{
	static const char *const columns[] = {"permit_number", "registration_id"};
	static WaStatement read =
		WA_STATEMENT("WITH " WA_ADMIN_PERSON_RECORDS
					 " SELECT unnest(ARRAY[params->>'permit_number', params->>'pendaftaran_id']) FROM wa.message WHERE id IN (" WA_ADMIN_PERSON_MESSAGES ")"
					 " UNION SELECT e.new[array_position(e.columns, 'permit_number')] FROM wa.event AS e WHERE " WA_ADMIN_PERSON_CHANGE("e")
					 " UNION SELECT d.new[array_position(d.columns, 'permit_number')] FROM wa.dead_letter AS d WHERE " WA_ADMIN_PERSON_CHANGE("d"));
	WaAppRows	permits = read_rows(person, "sicantik_permit", columns, lengthof(columns), "id", &person->search.permits);
	WaArgs		args;
	WaRows		rows;

	wa_admin_person_bind(person, &args);
	rows = wa_query(&read, &args);
	for (uint64 i = 0; i < rows.n; i++)
		add_permit_number(person, wa_row_text(rows, i, 1));
	for (uint64 r = 0; r < permits.n; r++)
		for (size_t c = 0; c < lengthof(columns); c++)
			add_permit_number(person, permits.values[r][c]);
}

/* Who was told of his records or permits, and is nobody of the office. */
static void
find_others(WaPerson *person)
{
	static const char *const columns[] = {"partner_id", "share"};
	static WaStatement read =
		WA_STATEMENT("WITH " WA_ADMIN_PERSON_RECORDS " SELECT DISTINCT m.partner_id::text FROM " WA_ADMIN_PERSON_ABOUT
					 " WHERE m.partner_id IS NOT NULL AND m.partner_id <> ALL ($2)");
	WaArgs		args;
	WaIds		told;
	WaAppRows	users;

	wa_admin_person_bind(person, &args);
	told = find_ids(&read, &args);
	users = read_rows(person, "res_users", columns, lengthof(columns), "partner_id", &told);
	for (int i = 0; i < told.n; i++)
	{
		char	   *id = psprintf(INT64_FORMAT, told.list[i]);

		if (!has_row(users, id, true))
			wa_admin_ids_add(&person->others, id);
	}
}

/*
 * Find what is his, by his numbers and partners.
 */
void
wa_admin_person_belongings(WaPerson *person)
{
	if (person->search.partners.n > 0)
	{
		wa_admin_history_records(&person->search);
		add_gone_records(person);
	}
	find_permit_numbers(person);
	find_others(person);
}
