/*-------------------------------------------------------------------------
 *
 * person.c
 *		Whom wa_forget() and wa_export() are about.
 *
 * A number is not a person: a family, or an agent, has one for several.  So a
 * contact is taken with its numbers only as far as no other contact has them,
 * and of a number that several have only what is at the number.  Who has it is
 * known from Odoo and from the ledger.  Whatever cannot be searched is an error:
 * half a person must not count as a whole one.  What is his: belongings.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "lib/stringinfo.h"

#include "admin/person.h"
#include "office/setting.h"
#include "pg/app_table.h"
#include "queue/queue.h"
#include "text/text.h"

/* Ids that lead to numbers that lead to ids: so often at most. */
#define MOST_STEPS	5

/* The end of a number that people hardly ever write with something in between. */
#define END_DIGITS	3

/* So many contacts with the same end are looked at. */
#define MOST_LOOKED_AT	100000

static const char *const number_columns[] = {"phone_sanitized", "whatsapp_number", "mobile", "phone"};

/*
 * The partners who have this number in Odoo, however it is spelled there, and
 * those who got messages at it.
 */
static void
find_partners(WaSearch *search)
{
	size_t		len = strlen(search->number);
	WaAppTable	table;

	wa_admin_history_partners(search);
	if (wa_text_is_person_id(search->number) || len < END_DIGITS || !wa_admin_history_open(search, &table, "res_partner"))
		return;
	for (size_t k = 0; k < lengthof(number_columns); k++)
	{
		const char *columns[] = {"id", number_columns[k]};
		WaAppRows	rows;

		if (!wa_app_has_column(&table, number_columns[k]))
			continue;
		wa_app_read_by_part(&rows, &table, columns, lengthof(columns), number_columns[k],
							search->number + len - END_DIGITS, MOST_LOOKED_AT);
		for (uint64 r = 0; r < rows.n; r++)
		{
			char		number[WA_NUMBER_SIZE];

			if (rows.values[r][1] && wa_text_normalize_number(rows.values[r][1], number) &&
				strcmp(number, search->number) == 0)
				wa_admin_ids_add(&search->partners, rows.values[r][0]);
		}
	}
}

/* Other partners who have this number, besides these? */
static bool
is_of_others(const WaPerson *person, const char *number)
{
	WaSearch	others = {.schema = person->search.schema,.strict = true};

	others.wanted = number;
	others.number = pstrdup(number);
	find_partners(&others);
	for (int i = 0; i < others.partners.n; i++)
	{
		bool		his = false;

		for (int j = 0; j < person->search.partners.n; j++)
			his = his || person->search.partners.list[j] == others.partners.list[i];
		if (!his)
			return true;
	}
	return false;
}

static bool
has(const WaNumbers *numbers, const char *number)
{
	for (int i = 0; i < numbers->n; i++)
		if (strcmp(numbers->list[i], number) == 0)
			return true;
	return false;
}

/* given: it is what was asked for, whoever else has it. */
static void
add_number(WaPerson *person, const char *number, bool given)
{
	if (has(&person->numbers, number) || has(&person->shared, number))
		return;
	wa_admin_numbers_add(given || !is_of_others(person, number) ? &person->numbers : &person->shared, number);
}

/* The numbers that Odoo has of these contacts, in each of its columns. */
static void
add_numbers_of_odoo(WaPerson *person)
{
	WaAppTable	table;

	if (person->search.partners.n == 0 || !wa_admin_history_open(&person->search, &table, "res_partner"))
		return;
	for (size_t k = 0; k < lengthof(number_columns); k++)
	{
		const char *const columns[] = {"id", number_columns[k]};
		WaAppRows	rows;

		if (!wa_app_has_column(&table, number_columns[k]))
			continue;
		wa_app_read_by_id(&rows, &table, columns, lengthof(columns), "id",
						  person->search.partners.list, person->search.partners.n);
		for (uint64 r = 0; r < rows.n; r++)
		{
			char		number[WA_NUMBER_SIZE];

			if (rows.values[r][1] && wa_text_normalize_number(rows.values[r][1], number))
				add_number(person, pstrdup(number), false);
		}
	}
}

/* And those of the ledger. */
static void
add_numbers_of_ledger(WaPerson *person)
{
	static WaStatement read =
		WA_STATEMENT("SELECT DISTINCT number FROM wa.message WHERE partner_id = ANY ($1) AND partner_id IS NOT NULL AND number IS NOT NULL");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_int8_array(&args, person->search.partners.list, person->search.partners.n);
	rows = wa_query(&read, &args);
	for (uint64 i = 0; i < rows.n; i++)
		add_number(person, wa_row_text(rows, i, 1), false);
}

/* The ids that providers have for his numbers, and the numbers of his ids. */
static void
add_ids(WaPerson *person)
{
	static WaStatement read =
		WA_STATEMENT("SELECT user_id FROM wa.identity_of WHERE number = ANY ($1)"
					 " UNION SELECT number FROM wa.identity_of WHERE user_id = ANY ($1)"
					 " UNION SELECT user_id FROM wa.consent WHERE number = ANY ($1) AND user_id IS NOT NULL"
					 " UNION SELECT user_id FROM wa.inbound WHERE number = ANY ($1) AND user_id IS NOT NULL");
	int			before = -1;

	for (int step = 0; step < MOST_STEPS && before != person->numbers.n; step++)
	{
		WaArgs		args = {0};
		WaRows		rows;

		before = person->numbers.n;
		wa_arg_text_array(&args, person->numbers.list, person->numbers.n);
		rows = wa_query(&read, &args);
		for (uint64 i = 0; i < rows.n; i++)
			add_number(person, wa_row_text(rows, i, 1), false);
	}
}

/*
 * A text that has one of the numbers, in whatever spelling, or one of the ids.
 * Not one that is longer: that is another person's.
 */
static const char *
pattern_of(const WaNumbers *numbers)
{
	StringInfoData pattern;

	initStringInfo(&pattern);
	for (int i = 0; i < numbers->n; i++)
	{
		const char *number = numbers->list[i];
		bool		digits = strspn(number, "0123456789") == strlen(number);

		appendStringInfoString(&pattern, i ? "|" : "");
		if (!digits)
		{
			appendStringInfoString(&pattern, "(?<![A-Za-z0-9])");
			for (const char *p = number; *p; p++)
				appendStringInfo(&pattern, isalnum((unsigned char) *p) || IS_HIGHBIT_SET(*p) ? "%c" : "\\%c", *p);
			appendStringInfoString(&pattern, "(?![A-Za-z0-9])");
			continue;
		}
		appendStringInfoString(&pattern, "(?<![0-9])");
		if (strncmp(number, "62", 2) == 0)
		{
			appendStringInfoString(&pattern, "(?:(?:00)?62[-.()/ ]*0?|0)?[-.()/ ]*");
			number += 2;
		}
		for (const char *p = number; *p; p++)
			appendStringInfo(&pattern, "%s%c", p > number ? "[-.()/ ]*" : "", *p);
		appendStringInfoString(&pattern, "(?![0-9])");
	}
	return numbers->n > 0 ? pattern.data : "a^";
}

/*
 * Find the person: given, a number or an id in any spelling; NULL: the contact
 * with this id.  Raises an error for what is no number.
 */
void
wa_admin_person_find(WaPerson *person, const char *given, int64 partner_id)
{
	memset(person, 0, sizeof(WaPerson));
	person->search.schema = wa_office_get("odoo_schema");
	person->search.strict = true;
	if (given)
	{
		char		number[WA_NUMBER_SIZE];
		WaSearch   *search = &person->search;

		given += strspn(given, " \t\r\n");
		if (wa_text_is_person_id(given))
			search->number = pstrdup(given);
		else if (wa_text_normalize_number(given, number) ||
				 wa_text_normalize_number(psprintf("+%s", given), number))
		{
			wa_queue_refuse_ambiguous(given, number);
			search->number = pstrdup(number);
		}
		else
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("this is no number of a mobile phone"),
					 errhint("A contact is given by its id in Odoo, not quoted: 42.")));
		search->wanted = search->number;
		find_partners(search);
		/* of several contacts none is meant, only their number */
		if (search->partners.n > 1)
		{
			search->partners.n = 0;
			wa_admin_numbers_add(&person->shared, search->number);
		}
		wa_admin_numbers_add(&person->numbers, search->number);
	}
	else
	{
		char	   *id = psprintf(INT64_FORMAT, partner_id);

		person->search.wanted = psprintf("partner %s", id);
		wa_admin_ids_add(&person->search.partners, id);
	}
	add_numbers_of_odoo(person);
	add_numbers_of_ledger(person);
	add_ids(person);
	person->pattern = pattern_of(&person->numbers);
	wa_admin_person_belongings(person);
}

/*
 * $1 numbers, $2 partners, $3 pattern, $4 schema of Odoo's, $5 permits,
 * $6 documents, $7 workflows, $8 and $9 records of tables of the DBA's own,
 * $10 contacts whose messages about these are not his, $11 numbers of his permits.
 */
void
wa_admin_person_bind(const WaPerson *person, WaArgs *args)
{
	const WaSearch *search = &person->search;

	memset(args, 0, sizeof(WaArgs));
	wa_arg_text_array(args, person->numbers.list, person->numbers.n);
	wa_arg_int8_array(args, search->partners.list, search->partners.n);
	wa_arg_text(args, person->pattern);
	wa_arg_text(args, search->schema);
	wa_arg_int8_array(args, search->permits.list, search->permits.n);
	wa_arg_int8_array(args, search->documents.list, search->documents.n);
	wa_arg_int8_array(args, search->workflows.list, search->workflows.n);
	wa_arg_text_array(args, (const char *const *) search->own_relations, search->own.n);
	wa_arg_int8_array(args, search->own.list, search->own.n);
	wa_arg_int8_array(args, person->others.list, person->others.n);
	wa_arg_text_array(args, person->permit_numbers.list, person->permit_numbers.n);
}
