/*-------------------------------------------------------------------------
 *
 * history.c
 *		wa_history(): everything about a number, a permit or a partner.
 *
 * What was asked for is looked up in Odoo first: the partners who have the
 * number, their permits, the documents of these.  Then messages, what people
 * answered (wrote.c) and said of consent (consented.c), events that made no
 * message, dead letters and events not yet read are told in the order of time,
 * then records of which nothing happened (unsaid.c).  Where nothing has this
 * number, people of this name are (named.c).  Odoo's tables are read without
 * waiting for a lock; one that is locked, or raises an error (a policy may), is
 * told, and everything else is searched all the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "admin/history.h"
#include "odoo/people.h"
#include "office/setting.h"
#include "pg/acting.h"
#include "pg/app_table.h"
#include "pg/call.h"
#include "pg/grow.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "queue/queue.h"
#include "route/route.h"
#include "text/text.h"

PG_FUNCTION_INFO_V1(wa_sql_history);

/* why: a sentence, if it only counts as locked. */
static void
tell_locked(WaSearch *search, const char *name, WaSaid why)
{
	if (search->strict)
		wa_call_table_locked(name);
	wa_story_tell(&search->story, 0,
				  wa_say(WA_SAY_NOTE, why ?
						 wa_say(WA_SAY_SEARCH_FAILED, name, why) :
						 wa_say(WA_SAY_NOT_SEARCHED, name)));
}

/* A part of the search that reads a table of the application. */
typedef struct Part
{
	WaSearch   *search;
	void		(*find) (WaSearch *search, const void *argument);
	const void *argument;
} Part;

static bool
find_part(void *argument)
{
	const Part *part = argument;

	part->find(part->search, part->argument);
	return true;
}

/*
 * Read a table of the application, which may raise whatever its owner has put
 * on it; that is told.
 */
void
wa_admin_history_look(WaSearch *search, const char *table, void (*find) (WaSearch *search, const void *argument),
					  const void *argument)
{
	Part		part = {search, find, argument};
	ErrorData  *error;

	if (search->strict)
	{
		find(search, argument);
		return;
	}
	error = wa_pg_attempt(find_part, &part);
	if (error == NULL)
		return;
	wa_story_tell(&search->story, 0,
				  wa_say(WA_SAY_NOTE, wa_say(WA_SAY_SEARCH_FAILED, table,
											 wa_said_of_error(error))));
}

/*
 * Open a table of Odoo's; tells it if it is locked, raises an error if it may
 * not be read.
 */
bool
wa_admin_history_open(WaSearch *search, WaAppTable *table, const char *name)
{
	wa_app_open(table, search->schema, name);
	if (table->state == WA_APP_LOCKED)
		tell_locked(search, name, table->why);
	wa_app_require(table);
	return table->state == WA_APP_READY;
}

/* A partner named by its id: "partner 42", or a bare small number. */
static void
find_partner_id(WaSearch *search)
{
	const char *p = search->wanted;

	if (pg_strncasecmp(p, "partner", 7) == 0)
		p += 7 + strspn(p + 7, " :#");
	if (p[0] != '\0' && strlen(p) <= 9 && strspn(p, "0123456789") == strlen(p) && p[0] != '0')
		wa_admin_ids_add(&search->partners, p);
}

/* The id in "permit 12", as text; NULL: that is not what was asked for. */
static const char *
named_id(const WaSearch *search, const char *word)
{
	const char *p = search->wanted + strlen(word);

	if (pg_strncasecmp(search->wanted, word, strlen(word)) != 0)
		return NULL;
	p += strspn(p, " :#");
	return p[0] != '\0' && strlen(p) <= 18 && strspn(p, "0123456789") == strlen(p) ? p : NULL;
}

/*
 * The partners who got messages at this number, and those who have it in Odoo:
 * in its E.164 form, in the usual bare spellings, or as it was asked for.
 */
static void
find_partners_of_number(WaSearch *search, const void *argument)
{
	static WaStatement known =
		WA_STATEMENT("SELECT DISTINCT partner_id::text FROM wa.message WHERE number = $1 AND partner_id IS NOT NULL");
	static const char *const columns[] = {"id"};
	static const char *const keys[] = {"phone_sanitized", "whatsapp_number", "mobile", "phone"};
	WaArgs		args = {0};
	WaAppTable	table;
	WaRows		rows;

	wa_arg_text(&args, search->number);
	rows = wa_query(&known, &args);
	for (uint64 i = 0; i < rows.n; i++)
		wa_admin_ids_add(&search->partners, wa_row_text(rows, i, 1));
	if (!wa_admin_history_open(search, &table, "res_partner"))
		return;
	for (size_t k = 0; k < lengthof(keys); k++)
	{
		const char *spellings[5];
		int			nspellings = 0;
		WaAppRows	rows;

		spellings[nspellings++] = psprintf("+%s", search->number);
		spellings[nspellings++] = search->number;
		spellings[nspellings++] = search->wanted;
		if (strncmp(search->number, "62", 2) == 0)
		{
			spellings[nspellings++] = psprintf("0%s", search->number + 2);
			spellings[nspellings++] = search->number + 2;
		}
		wa_app_read_by_text(&rows, &table, columns, lengthof(columns), keys[k], spellings, nspellings);
		for (uint64 r = 0; r < rows.n; r++)
			wa_admin_ids_add(&search->partners, rows.values[r][0]);
	}
}

static void
found_permit(WaSearch *search, char **row)
{
	wa_admin_ids_add(&search->permits, row[0]);
	wa_story_tell(&search->story, 0,
				  wa_say(WA_SAY_FOUND,
						 psprintf("sicantik_permit %s (%s)", row[0] ? row[0] : "-", row[1] ? row[1] : "-")));
}

/*
 * The permits with this number, registration id or id, and those of the
 * partners.
 */
static void
find_permits(WaSearch *search, const void *argument)
{
	static const char *const columns[] = {"id", "registration_id"};
	static const char *const keys[] = {"permit_number", "registration_id"};
	const char *named = named_id(search, "permit");
	WaAppTable	table;
	WaAppRows	rows;

	if (!wa_admin_history_open(search, &table, "sicantik_permit"))
		return;
	for (size_t k = 0; k < lengthof(keys); k++)
	{
		wa_app_read_by_text(&rows, &table, columns, lengthof(columns), keys[k], &search->wanted, 1);
		for (uint64 r = 0; r < rows.n; r++)
			found_permit(search, rows.values[r]);
	}
	if (named)
	{
		int64		id = strtoll(named, NULL, 10);

		wa_app_read_by_id(&rows, &table, columns, lengthof(columns), "id", &id, 1);
		for (uint64 r = 0; r < rows.n; r++)
			found_permit(search, rows.values[r]);
	}
	if (search->partners.n > 0)
	{
		wa_app_read_by_id(&rows, &table, columns, lengthof(columns), "partner_id",
						  search->partners.list, search->partners.n);
		for (uint64 r = 0; r < rows.n; r++)
			wa_admin_ids_add(&search->permits, rows.values[r][0]);
	}
}

/* What belongs to records that were found, and where it is put down. */
typedef struct Belonging
{
	const char *table;
	const char *key;
	const WaIds *of;
	WaIds	   *found;
} Belonging;

static void
find_belonging(WaSearch *search, const void *argument)
{
	static const char *const columns[] = {"id"};
	const Belonging *what = argument;
	WaAppTable	table;
	WaAppRows	rows;

	if (what->of->n == 0 || !wa_admin_history_open(search, &table, what->table))
		return;
	wa_app_read_by_id(&rows, &table, columns, lengthof(columns), what->key, what->of->list, what->of->n);
	for (uint64 r = 0; r < rows.n; r++)
		wa_admin_ids_add(what->found, rows.values[r][0]);
}

/* "document 5": that document, if Odoo has it. */
static void
find_document(WaSearch *search, const void *argument)
{
	static const char *const columns[] = {"id", "name"};
	const char *named = named_id(search, "document");
	int64		id = named ? strtoll(named, NULL, 10) : 0;
	WaAppTable	table;
	WaAppRows	rows;

	if (!named || !wa_admin_history_open(search, &table, "sicantik_document"))
		return;
	wa_app_read_by_id(&rows, &table, columns, lengthof(columns), "id", &id, 1);
	for (uint64 r = 0; r < rows.n; r++)
	{
		wa_admin_ids_add(&search->documents, rows.values[r][0]);
		wa_story_tell(&search->story, 0,
					  wa_say(WA_SAY_FOUND,
							 psprintf("sicantik_document %s (%s)", rows.values[r][0] ? rows.values[r][0] : "-", rows.values[r][1] ? rows.values[r][1] : "-")));
	}
}

/* The permits, then the documents of all of them, and the workflows of these. */
static void
find_records(WaSearch *search)
{
	const Belonging documents = {"sicantik_document", "permit_id", &search->permits, &search->documents};
	const Belonging workflows = {"signature_workflow", "document_id", &search->documents, &search->workflows};

	wa_admin_history_look(search, "sicantik_permit", find_permits, NULL);
	wa_admin_history_look(search, documents.table, find_belonging, &documents);
	if (named_id(search, "document"))
		wa_admin_history_look(search, documents.table, find_document, NULL);
	wa_admin_history_look(search, workflows.table, find_belonging, &workflows);
}

/* A record of a table of the DBA's own scenarios. */
static void
add_own(WaSearch *search, char *relation, const char *text)
{
	int64		id = text ? strtoll(text, NULL, 10) : 0;

	if (id == 0)
		return;
	for (int i = 0; i < search->own.n; i++)
		if (search->own.list[i] == id && strcmp(search->own_relations[i], relation) == 0)
			return;
	WA_ROOM_FOR(search->own.list, search->own.n, 1);
	WA_ROOM_FOR(search->own_relations, search->own.n, 1);
	search->own_relations[search->own.n] = relation;
	search->own.list[search->own.n++] = id;
}

/* "account.move 5", or "account_move 5" with or without its schema: that record. */
static void
find_own_by_id(WaSearch *search, char *relation, const char *name)
{
	size_t		len = strcspn(search->wanted, " ");
	const char *rest = search->wanted + len + strspn(search->wanted + len, " ");
	char	   *asked = pnstrdup(search->wanted, len);
	char	   *model = pstrdup(name);

	for (char *c = model; *c; c++)
		if (*c == '_')
			*c = '.';
	if (rest[0] != '\0' && strlen(rest) <= 18 && strspn(rest, "0123456789") == strlen(rest) &&
		(strcmp(asked, name) == 0 || strcmp(asked, model) == 0 || strcmp(asked, relation) == 0))
		add_own(search, relation, rest);
}

/* A table of the DBA's own scenarios. */
typedef struct OwnTable
{
	char	   *relation;
	char	   *schema;
	char	   *name;
} OwnTable;

/*
 * Its records: those of the partners (by the column partner_id), and those of
 * this name or number (by the column name).  Read with the rights of the
 * functions: those of the database's owner.
 */
static void
find_in_own(WaSearch *search, const void *argument)
{
	static const char *const columns[] = {"id"};
	const OwnTable *own = argument;
	WaAppTable	table;
	WaAppRows	rows;

	if (wa_app_open_as(&table, own->schema, own->name, wa_pg_database_owner()) == WA_APP_LOCKED)
		tell_locked(search, own->relation, table.why);
	wa_app_require(&table);
	if (table.state != WA_APP_READY)
		return;
	wa_app_read_by_id(&rows, &table, columns, lengthof(columns), "partner_id",
					  search->partners.list, search->partners.n);
	for (uint64 r = 0; r < rows.n; r++)
		add_own(search, own->relation, rows.values[r][0]);
	wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "name", &search->wanted, 1);
	for (uint64 r = 0; r < rows.n; r++)
	{
		add_own(search, own->relation, rows.values[r][0]);
		wa_story_tell(&search->story, 0,
					  wa_say(WA_SAY_FOUND,
							 psprintf("%s %s (%s)", own->relation, rows.values[r][0] ? rows.values[r][0] : "-", search->wanted)));
	}
}

/* Records of the tables of the DBA's own scenarios. */
static void
find_own(WaSearch *search)
{
	static WaStatement find =
		WA_STATEMENT("SELECT DISTINCT format('%I.%I', n.nspname, c.relname), n.nspname::text, c.relname::text"
					 " FROM wa.scenario AS s, pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
					 " WHERE strpos(s.composer, '.') > 0 AND s.watch = format('%I.%I', n.nspname, c.relname)"
					 " ORDER BY 1");
	WaRows		rows = wa_query(&find, NULL);
	OwnTable   *tables = palloc(sizeof(OwnTable) * Max(rows.n, 1));

	for (uint64 i = 0; i < rows.n; i++)
	{
		tables[i].relation = wa_row_text(rows, i, 1);
		tables[i].schema = wa_row_text(rows, i, 2);
		tables[i].name = wa_row_text(rows, i, 3);
	}
	for (uint64 i = 0; i < rows.n; i++)
	{
		find_own_by_id(search, tables[i].relation, tables[i].name);
		wa_admin_history_look(search, tables[i].relation, find_in_own, &tables[i]);
	}
}

static void
tell_partners(WaSearch *search, const void *argument)
{
	static const char *const columns[] = {"id", "name"};
	WaAppTable	table;
	WaAppRows	rows;

	if (search->partners.n == 0 || !wa_admin_history_open(search, &table, "res_partner"))
		return;
	wa_app_read_by_id(&rows, &table, columns, lengthof(columns), "id",
					  search->partners.list, search->partners.n);
	for (uint64 r = 0; r < rows.n; r++)
		wa_story_tell(&search->story, 0,
					  wa_say(WA_SAY_FOUND,
							 psprintf("res_partner %s (%s)", rows.values[r][0], rows.values[r][1] ? rows.values[r][1] : "-")));
}

/* The numbers of those that were asked for, as far as our own tables know. */
static void
find_numbers(WaSearch *search)
{
	static WaStatement read =
		WA_STATEMENT("SELECT DISTINCT number FROM wa.message WHERE partner_id = ANY ($1) AND partner_id IS NOT NULL AND number IS NOT NULL");
	WaArgs		args = {0};
	WaRows		rows;

	wa_admin_numbers_add(&search->numbers, search->number);
	wa_arg_int8_array(&args, search->partners.list, search->partners.n);
	rows = wa_query(&read, &args);
	for (uint64 i = 0; i < rows.n; i++)
		wa_admin_numbers_add(&search->numbers, wa_row_text(rows, i, 1));
}

/* So many contacts of one search are asked about. */
#define MAX_ASKED	100

/*
 * Who of those that were asked for gets nothing, and why; not whose "no" it is
 * where somebody else with the number has said it.
 */
static void
tell_refusals(WaSearch *search, const void *argument)
{
	WaOdoo		odoo = {.schema = search->schema};
	WaRoute    *routes = palloc0(sizeof(WaRoute) * (MAX_ASKED + 1));
	const char *locked = NULL;
	WaSaid		why = NULL;
	int			n = 0;

	if (search->number)
		routes[n++].number = search->number;
	else if (wa_odoo_load_partners(&odoo, search->partners.list, Min(search->partners.n, MAX_ASKED)))
	{
		for (int i = 0; i < Min(search->partners.n, MAX_ASKED); i++)
		{
			WaRecipient *contact = wa_odoo_partner(&odoo, search->partners.list[i]);

			if (contact == NULL)
				continue;
			wa_admin_numbers_add(&search->numbers, contact->number);
			routes[n].number = contact->number;
			routes[n++].partner_id = contact->partner_id;
		}
	}
	else
	{
		locked = odoo.locked_table;
		why = odoo.locked_why;
	}
	if (locked || !wa_route_load_facts(routes, n, search->schema, &locked, &why))
	{
		tell_locked(search, locked, why);
		return;
	}
	for (int i = 0; i < n; i++)
		if (routes[i].refusal)
		{
			const char *refusal = wa_story_words(&search->story, routes[i].refusal);

			wa_story_tell(&search->story, 0, search->number ?
						  wa_say(WA_SAY_NUMBER_REFUSED, wa_story_number(&search->story, search->number), refusal) :
						  wa_say(WA_SAY_PARTNER_REFUSED, WA_NUMBER(routes[i].partner_id), refusal));
		}
}

/*
 * The partners of a number: those who got messages at it, and those who have it
 * in Odoo.
 */
void
wa_admin_history_partners(WaSearch *search)
{
	wa_admin_history_look(search, "res_partner", find_partners_of_number, NULL);
}

/*
 * Of the partners that were found, and of what was asked for: permits,
 * documents, workflows, records of the DBA's own scenarios.
 */
void
wa_admin_history_records(WaSearch *search)
{
	find_records(search);
	find_own(search);
}

/*
 * wa_history(): see explain.sql.
 */
Datum
wa_sql_history(PG_FUNCTION_ARGS)
{
	char	   *wanted = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char		number[WA_NUMBER_SIZE];
	size_t		len;
	WaCall		call;
	WaSearch	search;
	int			found;

	wanted += strspn(wanted, " \t\r\n");
	for (len = strlen(wanted); len > 0 && strchr(" \t\r\n", wanted[len - 1]); len--)
		wanted[len - 1] = '\0';

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_VIEW);
	memset(&search, 0, sizeof(search));
	wa_story_begin(&search.story, fcinfo, call.acting.user);
	search.wanted = wanted;
	search.schema = wa_office_get("odoo_schema");
	if (wanted[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nothing to look for"),
				 errhint("For example: wa_history('0812...'), wa_history('503/17/2026'), wa_history('partner 42'), wa_history('Budi Santoso').")));
	if (wa_text_is_person_id(wanted))
		search.number = wanted;
	else if (wa_text_normalize_number(wanted, number) ||
			 wa_text_normalize_number(psprintf("+%s", wanted), number))
	{
		wa_queue_refuse_ambiguous(wanted, number);
		search.number = pstrdup(number);
	}
	find_partner_id(&search);
	if (search.number)
		wa_admin_history_partners(&search);
	wa_admin_history_records(&search);
	wa_admin_history_look(&search, "res_partner", tell_partners, NULL);
	find_numbers(&search);
	wa_admin_history_look(&search, "res_partner", tell_refusals, NULL);
	found = search.story.rows;
	wa_admin_happenings_tell(&search);
	wa_admin_unsaid_records(&search);
	if (search.story.rows == found && search.partners.n + search.permits.n + search.documents.n + search.own.n == 0)
		wa_admin_named_tell(&search);
	if (search.story.rows == 0)
		wa_story_tell(&search.story, 0,
					  wa_say(WA_SAY_NOTHING, wanted));
	wa_call_end(&call);
	return (Datum) 0;
}
