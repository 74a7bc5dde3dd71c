/*-------------------------------------------------------------------------
 *
 * contact_index.c
 *		An index of those of Odoo's contacts that want no messages.
 *
 * Before a message goes, everybody who said no is looked for (route/said_no.c):
 * with this index that is a look at them, without it one at every contact.  It
 * has an entry for each that said no and costs the others nothing.  Odoo leaves
 * indexes alone that it does not know; its columns take it along when they are
 * dropped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "admin/target.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/query.h"

#define INDEX_NAME	"sicantik_wa_said_no"
#define CONDITION	"whatsapp_opt_in_date IS NOT NULL AND whatsapp_opt_in IS NOT TRUE"
#define ITEM		"contacts"

/* Has the table the columns that the index is of, a boolean and a time? */
static bool
has_columns(Oid relid)
{
	return get_atttype(relid, get_attnum(relid, "whatsapp_opt_in")) == BOOLOID &&
		get_atttype(relid, get_attnum(relid, "whatsapp_opt_in_date")) == TIMESTAMPOID &&
		get_attnum(relid, "id") != InvalidAttrNumber;
}

/* The name of an index with this condition, ours or the office's; NULL: none. */
static char *
find_index(Oid relid)
{
	static WaStatement find =
		WA_STATEMENT("SELECT c.relname::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
					 " WHERE i.indrelid = $1 AND i.indisvalid AND pg_get_expr(i.indpred, i.indrelid) ="
					 " '((whatsapp_opt_in_date IS NOT NULL) AND (whatsapp_opt_in IS NOT TRUE))'"
					 " ORDER BY c.relname <> '" INDEX_NAME "'");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_datum(&args, OIDOID, ObjectIdGetDatum(relid), false);
	rows = wa_query(&find, &args);
	return rows.n > 0 ? wa_row_text(rows, 0, 1) : NULL;
}

/*
 * Make the index where it is missing, in the name of "caller", and say so.  A
 * table without the columns has nobody who said no, and nothing is said of it.
 */
void
wa_admin_setup_contacts(FunctionCallInfo fcinfo, Oid caller)
{
	WaTarget	contacts;
	WaTarget   *list[] = {&contacts};
	char	   *statement;
	char	   *problem;

	wa_admin_find_target(&contacts, wa_office_get("odoo_schema"), "res_partner");
	if (!OidIsValid(contacts.relid) || !has_columns(contacts.relid) ||
		(contacts.relkind != RELKIND_RELATION && contacts.relkind != RELKIND_PARTITIONED_TABLE))
		return;
	if (find_index(contacts.relid))
	{
		wa_call_say(fcinfo, ITEM, "present", "an index of those who want no messages");
		return;
	}
	statement = psprintf("CREATE INDEX %s ON %s (id) WHERE %s", INDEX_NAME, contacts.relation, CONDITION);
	if (!wa_admin_may_alter(caller, &contacts))
	{
		wa_call_say(fcinfo, ITEM, "refused",
					psprintf("role %s is not a member of %s, which owns the table; without an index every contact is looked at before a message goes: run as that role: %s",
							 GetUserNameFromId(caller, false), GetUserNameFromId(contacts.owner, false), statement));
		return;
	}
	wa_admin_lock_targets(list, 1, ShareLock);
	if (!contacts.locked)
		wa_call_say(fcinfo, ITEM, "locked", "res_partner is in use; call wa_setup() again, for an index of those who want no messages");
	else if (wa_admin_change_target(&contacts, statement, &problem))
		wa_call_say(fcinfo, ITEM, "added", "an index of those who want no messages, so that not every contact is looked at before one goes");
	else
		wa_call_say(fcinfo, ITEM, "failed", problem);
}

/*
 * Drop the index, if it is ours, in the name of "caller", and say so.
 */
void
wa_admin_teardown_contacts(FunctionCallInfo fcinfo, Oid caller)
{
	WaTarget	contacts;
	WaTarget   *list[] = {&contacts};
	char	   *name;
	char	   *problem;

	wa_admin_find_target(&contacts, wa_office_get("odoo_schema"), "res_partner");
	name = OidIsValid(contacts.relid) ? find_index(contacts.relid) : NULL;
	if (name == NULL || strcmp(name, INDEX_NAME) != 0)
		return;
	if (!wa_admin_may_alter(caller, &contacts))
	{
		wa_call_say(fcinfo, ITEM, "refused",
					psprintf("role %s is not a member of %s, which owns the table",
							 GetUserNameFromId(caller, false), GetUserNameFromId(contacts.owner, false)));
		return;
	}
	wa_admin_lock_targets(list, 1, AccessExclusiveLock);
	if (!contacts.locked)
		wa_call_say(fcinfo, ITEM, "locked", "res_partner is in use; call wa_teardown() again, for its index");
	else if (wa_admin_change_target(&contacts,
									psprintf("DROP INDEX %s", quote_qualified_identifier(contacts.schema, INDEX_NAME)),
									&problem))
		wa_call_say(fcinfo, ITEM, "dropped", "the index of those who want no messages");
	else
		wa_call_say(fcinfo, ITEM, "failed", problem);
}
