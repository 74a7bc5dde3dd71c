/*-------------------------------------------------------------------------
 *
 * said_no.c
 *		Numbers whose owners want no messages.
 *
 * Who opts out means his telephone, however the number is spelled and whoever
 * else has a contact with it.  Odoo can be asked for the contacts that said
 * no, but not for a number in all its spellings: so all of them are read,
 * archived ones too, and each number that stands in one of their fields is
 * kept, as is each on the blacklist, with the time at which its row was written
 * last: at that time at the latest it was said.
 *
 * That is a look at every contact, where the index of wa_setup() is missing
 * (admin/contact_index.c): some 40 ms for 200,000 of them.  So what was read is used again while
 * another reading would take more than a part of the time, but never for a
 * message that came after it, and in a session never beyond the statement: a
 * "no" that was there when the message came is always seen.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "route/said_no.h"
#include "text/text.h"

/* Of the time, at most one part in so many goes to reading. */
#define PART_OF_TIME	20

/* A number is at most 15 digits. */
typedef struct Number
{
	uint64		number;
	TimestampTz at;				/* said by then */
} Number;

/* A sorted list. */
typedef struct Numbers
{
	int			n;
	int			size;
	Number	   *list;
	TimestampTz at;				/* of what is added */
} Numbers;

typedef struct SaidNo
{
	MemoryContext context;		/* NULL: nothing was read */
	Oid			contacts;		/* the tables, InvalidOid: not there */
	Oid			blacklist;
	Numbers		in_odoo;
	Numbers		blacklisted;
	instr_time	begun;			/* when it was read, */
	TimestampTz begun_at;		/* not later, by the clock of those times that
								 * are compared, */
	double		took;			/* for how many seconds, */
	TimestampTz statement;		/* and by what */
	CommandId	command;
} SaidNo;

static SaidNo said_no;

static void
add(const char *number, void *argument)
{
	Numbers    *numbers = argument;

	if (numbers->n == numbers->size)
	{
		numbers->size = Max(1024, 2 * numbers->size);
		numbers->list = numbers->list ?
			repalloc_huge(numbers->list, sizeof(Number) * numbers->size) :
			palloc(sizeof(Number) * numbers->size);
	}
	numbers->list[numbers->n].number = strtoull(number, NULL, 10);
	numbers->list[numbers->n++].at = numbers->at;
}

/*
 * All numbers of a field; one of another country may lack its plus.  Odoo puts
 * the country before a number of ten digits that was written with it but
 * without its plus (62811000123): "+6262811000123".  Read as it stands that is
 * a landline's; here it counts for what was meant.
 */
static void
add_field(Numbers *numbers, const char *field)
{
	if (field == NULL || wa_text_each_number(field, add, numbers))
		return;
	if (strncmp(field, "+6262", 5) == 0)
		field += 3;
	(void) wa_text_each_number(psprintf("+%s", field), add, numbers);
}

/* Of one number the last "no" comes first. */
static int
by_number(const void *a, const void *b)
{
	const Number *left = a;
	const Number *right = b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return left->at > right->at ? -1 : left->at < right->at;
}

/* When this number has said no, at the latest; 0: it has not. */
static TimestampTz
find(const Numbers *numbers, const char *number)
{
	uint64		key = strtoull(number, NULL, 10);
	int			from = 0;
	int			to = numbers->n;

	while (from < to)
	{
		int			middle = from + (to - from) / 2;

		if (numbers->list[middle].number < key)
			from = middle + 1;
		else
			to = middle;
	}
	return from < numbers->n && numbers->list[from].number == key ? numbers->list[from].at : 0;
}

/*
 * A time of Odoo's, 0 for none.  The column is Odoo's, and may be of any type:
 * what is no time must not keep messages from going.
 */
TimestampTz
wa_route_odoo_time(const char *value)
{
	if (value == NULL || strspn(value, "0123456789") != 4 || value[4] != '-')
		return 0;
	return wa_app_timestamp(value);
}

/*
 * When a row of Odoo's with a "no" was written last, and so the latest time at
 * which that can have been said, given its write_date and what it says of the
 * time itself (NULL: nothing).  What does not say when it was written may have
 * been at any time.
 */
TimestampTz
wa_route_odoo_no_at(const char *write_date, const char *date)
{
	TimestampTz written = wa_route_odoo_time(write_date);

	return written == 0 ? DT_NOEND : Max(written, wa_route_odoo_time(date));
}

static bool
is_true(const char *text)
{
	return text && text[0] == 't';
}

/* Contacts that said no: whatsapp_opt_in false with a date. */
static void
read_contacts(Numbers *numbers, const WaAppTable *table)
{
	static const WaAppTest tests[] = {
		{"whatsapp_opt_in_date", WA_APP_IS_GIVEN},
		{"whatsapp_opt_in", WA_APP_IS_NOT_TRUE}
	};
	static const char *const columns[] = {
		"whatsapp_opt_in", "whatsapp_opt_in_date", "write_date",
		"whatsapp_number", "mobile", "phone_sanitized", "phone"
	};
	WaAppRows	rows;

	if (!wa_app_has_column(table, "whatsapp_opt_in") ||
		!wa_app_has_column(table, "whatsapp_opt_in_date"))
		return;
	wa_app_read_where(&rows, table, columns, lengthof(columns), tests, lengthof(tests));
	for (uint64 r = 0; r < rows.n; r++)
	{
		if (is_true(rows.values[r][0]) || rows.values[r][1] == NULL)
			continue;
		numbers->at = wa_route_odoo_no_at(rows.values[r][2], rows.values[r][1]);
		for (size_t i = 3; i < lengthof(columns); i++)
			add_field(numbers, rows.values[r][i]);
	}
}

/* NULL is false in Odoo, but a missing column is no pardon. */
static void
read_blacklist(Numbers *numbers, const WaAppTable *table)
{
	static const WaAppTest tests[] = {{"active", WA_APP_IS_TRUE}};
	static const char *const columns[] = {"number", "active", "write_date"};
	WaAppRows	rows;

	if (!wa_app_has_column(table, "number"))
		return;
	wa_app_read_where(&rows, table, columns, lengthof(columns), tests, lengthof(tests));
	for (uint64 r = 0; r < rows.n; r++)
	{
		if (wa_app_has_column(table, "active") && !is_true(rows.values[r][1]))
			continue;
		numbers->at = wa_route_odoo_no_at(rows.values[r][2], NULL);
		add_field(numbers, rows.values[r][0]);
	}
}

static void
keep(Numbers *numbers, const Numbers *found)
{
	numbers->n = found->n;
	numbers->list = MemoryContextAllocHuge(said_no.context, sizeof(Number) * Max(found->n, 1));
	if (found->n > 0)
		memcpy(numbers->list, found->list, sizeof(Number) * found->n);
	qsort(numbers->list, numbers->n, sizeof(Number), by_number);
}

static Oid
table_of(const WaAppTable *table)
{
	return table->state == WA_APP_READY ? table->relid : InvalidOid;
}

/* May what was read be used for messages of which the last came at "since"? */
static bool
is_fresh(const WaAppTable *contacts, const WaAppTable *blacklist, TimestampTz since)
{
	instr_time	now;

	if (said_no.context == NULL || said_no.contacts != table_of(contacts) ||
		said_no.blacklist != table_of(blacklist))
		return false;
	if (since == 0 && (said_no.statement != GetCurrentStatementStartTimestamp() ||
					   said_no.command != GetCurrentCommandId(false)))
		return false;
	if (since >= said_no.begun_at)
		return false;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, said_no.begun);
	return INSTR_TIME_GET_DOUBLE(now) < said_no.took * PART_OF_TIME;
}

/*
 * Read them, if they must be.  Both tables are open; one that is not ready has
 * no numbers.  since: when the last of the messages was seen first that this
 * is for; 0: it is for no message, but for a person who asks.
 */
void
wa_route_said_no_load(const WaAppTable *contacts, const WaAppTable *blacklist, TimestampTz since)
{
	MemoryContext work;
	MemoryContext old;
	Numbers		in_odoo = {0};
	Numbers		blacklisted = {0};
	instr_time	begun;
	instr_time	took;

	if (is_fresh(contacts, blacklist, since))
		return;
	INSTR_TIME_SET_CURRENT(begun);
	work = AllocSetContextCreate(CurrentMemoryContext, "sicantik_wa contacts that said no",
								 ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(work);
	if (contacts->state == WA_APP_READY)
		read_contacts(&in_odoo, contacts);
	if (blacklist->state == WA_APP_READY)
		read_blacklist(&blacklisted, blacklist);
	MemoryContextSwitchTo(old);

	/* no error comes from here on, but of memory: then nothing was read */
	if (said_no.context)
		MemoryContextDelete(said_no.context);
	memset(&said_no, 0, sizeof(said_no));
	said_no.context = AllocSetContextCreate(TopMemoryContext, "sicantik_wa numbers that said no",
											ALLOCSET_SMALL_SIZES);
	keep(&said_no.in_odoo, &in_odoo);
	keep(&said_no.blacklisted, &blacklisted);
	MemoryContextDelete(work);
	said_no.contacts = table_of(contacts);
	said_no.blacklist = table_of(blacklist);
	said_no.statement = GetCurrentStatementStartTimestamp();
	said_no.command = GetCurrentCommandId(false);
	/* our snapshot is no older */
	said_no.begun_at = GetCurrentTransactionStartTimestamp();
	said_no.begun = begun;
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, begun);
	said_no.took = INSTR_TIME_GET_DOUBLE(took);
}

/*
 * When the owner of this number has opted out as a contact of Odoo's, at the
 * latest; 0: he has not.
 */
TimestampTz
wa_route_said_no_in_odoo(const char *number)
{
	return find(&said_no.in_odoo, number);
}

/*
 * When this number was put on the blacklist, at the latest; 0: it was not.
 */
TimestampTz
wa_route_said_no_by_blacklist(const char *number)
{
	return find(&said_no.blacklisted, number);
}
