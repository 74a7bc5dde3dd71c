/*-------------------------------------------------------------------------
 *
 * contact_index.c
 *		Indexes of Odoo's contacts: who wants no messages, and whose a number is.
 *
 * Before a message goes, everybody who said no is looked for (route/said_no.c),
 * and where it goes to a bare number, the contacts with that number
 * (route/bare.c).  Without an index each of these is a look at every contact.
 * The first one has an entry for each contact that said no and costs the others
 * nothing.  The others are hashes: what stands in a field may be longer than
 * any other index takes, which would be an error where Odoo writes it.
 *
 * Odoo leaves indexes alone that it does not know; its columns take them along
 * when they are dropped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "admin/target.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/query.h"

#define ITEM		"contacts"

typedef struct ContactIndex
{
	const char *name;
	const char *what;			/* for people */
	const char *column;			/* of a type of this category (pg_type) */
	TYPCATEGORY category;
	const char *second;			/* another one, or NULL */
	TYPCATEGORY second_category;
	const char *definition;
	const char *predicate;		/* the same index has this one, as
								 * pg_get_expr() writes it; NULL: an index of
								 * all rows that begins with the column does */
	const char *without;		/* what is done where it is missing */
} ContactIndex;

static const ContactIndex indexes[] = {
	{
		"sicantik_wa_said_no", "an index of those who want no messages",
		"whatsapp_opt_in", TYPCATEGORY_BOOLEAN, "whatsapp_opt_in_date", TYPCATEGORY_DATETIME,
		"(id) WHERE whatsapp_opt_in_date IS NOT NULL AND whatsapp_opt_in IS NOT TRUE",
		"((whatsapp_opt_in_date IS NOT NULL) AND (whatsapp_opt_in IS NOT TRUE))",
		"every contact is looked at before a message goes"
	},
	{
		"sicantik_wa_phone_sanitized", "an index of phone_sanitized",
		"phone_sanitized", TYPCATEGORY_STRING, NULL, 0,
		"USING hash (phone_sanitized)", NULL,
		"every contact is looked at before a message to a bare number goes"
	},
	{
		"sicantik_wa_whatsapp_number", "an index of whatsapp_number",
		"whatsapp_number", TYPCATEGORY_STRING, NULL, 0,
		"USING hash (whatsapp_number)", NULL,
		"every contact is looked at before a message to a bare number goes"
	}
};

/* Has the table this column, of a type of this category (pg_type)? */
static bool
has_column(Oid relid, const char *column, TYPCATEGORY wanted)
{
	AttrNumber	number = get_attnum(relid, column);
	TYPCATEGORY category;
	bool		preferred;

	if (number == InvalidAttrNumber)
		return false;
	get_type_category_preferred(get_atttype(relid, number), &category, &preferred);
	return category == wanted;
}

/* Could there be such an index?  A table without the columns needs none. */
static bool
is_possible(const ContactIndex *index, const WaTarget *contacts)
{
	return OidIsValid(contacts->relid) &&
		(contacts->relkind == RELKIND_RELATION || contacts->relkind == RELKIND_PARTITIONED_TABLE) &&
		has_column(contacts->relid, index->column, index->category) &&
		(index->second == NULL || has_column(contacts->relid, index->second, index->second_category)) &&
		get_attnum(contacts->relid, "id") != InvalidAttrNumber;
}

/* The name of such an index, ours or the office's; NULL: none. */
static char *
find_index(const ContactIndex *index, Oid relid)
{
	static WaStatement find =
		WA_STATEMENT("SELECT c.relname::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
					 " JOIN pg_am AS a ON a.oid = c.relam WHERE i.indrelid = $1 AND i.indisvalid AND CASE WHEN $2 IS NOT NULL"
					 " THEN pg_get_expr(i.indpred, i.indrelid) = $2"
					 " ELSE i.indpred IS NULL AND i.indkey[0] = $3 AND a.amname IN ('btree', 'hash') END"
					 " ORDER BY c.relname <> $4");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_datum(&args, OIDOID, ObjectIdGetDatum(relid), false);
	wa_arg_text(&args, index->predicate);
	wa_arg_int4(&args, get_attnum(relid, index->column));
	wa_arg_text(&args, index->name);
	rows = wa_query(&find, &args);
	return rows.n > 0 ? wa_row_text(rows, 0, 1) : NULL;
}

/* Who must do it, where the caller may not. */
static char *
owner_needed(Oid caller, const WaTarget *contacts)
{
	return psprintf("role %s is not a member of %s, which owns the table",
					GetUserNameFromId(caller, false), GetUserNameFromId(contacts->owner, false));
}

static void
make_index(FunctionCallInfo fcinfo, Oid caller, const ContactIndex *index, WaTarget *contacts)
{
	WaTarget   *list[] = {contacts};
	char	   *statement = psprintf("CREATE INDEX %s ON %s %s", index->name, contacts->relation, index->definition);
	char	   *problem;

	if (!wa_admin_may_alter(caller, contacts))
	{
		wa_call_say(fcinfo, ITEM, "refused", psprintf("%s; without %s %s: run as that role: %s",
													  owner_needed(caller, contacts), index->what, index->without, statement));
		return;
	}
	wa_admin_lock_targets(list, 1, ShareLock);
	if (!contacts->locked)
		wa_call_say(fcinfo, ITEM, "locked", psprintf("res_partner is in use; call wa_setup() again, for %s", index->what));
	else if (wa_admin_change_target(contacts, statement, &problem))
		wa_call_say(fcinfo, ITEM, "added", psprintf("%s; without it %s", index->what, index->without));
	else
		wa_call_say(fcinfo, ITEM, "failed", problem);
}

/*
 * Make the indexes that are missing, in the name of "caller", and say so.  A
 * table without the columns has nothing that is looked for, and nothing is said
 * of it.
 */
void
wa_admin_setup_contacts(FunctionCallInfo fcinfo, Oid caller)
{
	WaTarget	contacts;

	wa_admin_find_target(&contacts, wa_office_get("odoo_schema"), "res_partner");
	for (size_t i = 0; i < lengthof(indexes); i++)
	{
		if (!is_possible(&indexes[i], &contacts))
			continue;
		if (find_index(&indexes[i], contacts.relid))
			wa_call_say(fcinfo, ITEM, "present", indexes[i].what);
		else
			make_index(fcinfo, caller, &indexes[i], &contacts);
	}
}

static void
drop_index(FunctionCallInfo fcinfo, Oid caller, const ContactIndex *index, WaTarget *contacts)
{
	WaTarget   *list[] = {contacts};
	char	   *problem;

	if (!wa_admin_may_alter(caller, contacts))
	{
		wa_call_say(fcinfo, ITEM, "refused", owner_needed(caller, contacts));
		return;
	}
	wa_admin_lock_targets(list, 1, AccessExclusiveLock);
	if (!contacts->locked)
		wa_call_say(fcinfo, ITEM, "locked", psprintf("res_partner is in use; call wa_teardown() again, for %s", index->what));
	else if (wa_admin_change_target(contacts,
									psprintf("DROP INDEX %s", quote_qualified_identifier(contacts->schema, index->name)),
									&problem))
		wa_call_say(fcinfo, ITEM, "dropped", index->what);
	else
		wa_call_say(fcinfo, ITEM, "failed", problem);
}

/*
 * Drop those that are ours, in the name of "caller", and say so.
 */
void
wa_admin_teardown_contacts(FunctionCallInfo fcinfo, Oid caller)
{
	WaTarget	contacts;

	wa_admin_find_target(&contacts, wa_office_get("odoo_schema"), "res_partner");
	for (size_t i = 0; i < lengthof(indexes) && OidIsValid(contacts.relid); i++)
	{
		char	   *name = find_index(&indexes[i], contacts.relid);

		if (name && strcmp(name, indexes[i].name) == 0)
			drop_index(fcinfo, caller, &indexes[i], &contacts);
	}
}
