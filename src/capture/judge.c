/*-------------------------------------------------------------------------
 *
 * judge.c
 *		What of a table may be captured.
 *
 * One judge for two: capture asks when it fills its cache, and wa_setup(),
 * wa_status() and wa_check() ask the same functions, so that none of them
 * calls well what is not recorded.
 *
 * A row of wa.watch is untrusted input: whoever may write it could otherwise
 * read any column of an attached table in wa.event.  What the owner of the
 * table has agreed to by having our triggers put on it are the columns that
 * the built-in scenarios need; others are taken only where the owner of the
 * database, who reads wa.event, has all rights of the owner of the table
 * anyhow.
 *
 * Takes no lock on tables and raises no error for anything that a user can
 * cause: we may be inside somebody else's UPDATE.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

#include "capture/capture.h"
#include "pg/acting.h"
#include "pg/pg_compat.h"

#define COLUMNS(list, needed)	list, lengthof(list), needed

static const char *const permit_columns[] = {
	"status", "permit_number", "partner_id", "is_renewal"
};

static const char *const document_columns[] = {
	"state", "requires_approval"
};

static const char *const workflow_columns[] = {
	"state", "approver_id"
};

const WaBuiltInWatch wa_capture_built_in[] = {
	{"sicantik_permit", COLUMNS(permit_columns, 3)},
	{"sicantik_document", COLUMNS(document_columns, 1)},
	{"signature_workflow", COLUMNS(workflow_columns, 2)},
	{NULL}
};

/*
 * The built-in columns of a table of this name (without schema), or NULL.
 */
const WaBuiltInWatch *
wa_capture_find_built_in(const char *table)
{
	for (const WaBuiltInWatch *w = wa_capture_built_in; w->table; w++)
		if (strcmp(w->table, table) == 0)
			return w;
	return NULL;
}

/*
 * Is a table of this kind and owner captured, if "noted" is the role that
 * owned it when it was attached?
 */
WaTableVerdict
wa_capture_judge_table(char relkind, Oid owner, const char *noted)
{
	char	   *name;

	if (relkind != RELKIND_RELATION)
		return WA_TABLE_KIND;
	if (owner == wa_pg_database_owner())
		return WA_TABLE_TAKEN;
	name = GetUserNameFromId(owner, true);
	return name != NULL && noted != NULL && strcmp(name, noted) == 0 ?
		WA_TABLE_TAKEN : WA_TABLE_OWNER;
}

/*
 * May the owner of the database know any column of a table of this owner?
 */
bool
wa_capture_takes_all(Oid owner)
{
	return has_privs_of_role(wa_pg_database_owner(), owner);
}

/* Is this column among the built-in ones of a table of this name? */
static bool
is_built_in(const char *table, const char *column)
{
	const WaBuiltInWatch *w = wa_capture_find_built_in(table);

	for (int i = 0; w && i < w->ncolumns; i++)
		if (strcmp(w->columns[i], column) == 0)
			return true;
	return false;
}

/*
 * How a value of this type becomes text; *base: the type below its domains.
 * The output function of a type of somebody's own is somebody's own code: of
 * those only enums are taken, domains over what is taken, and arrays of that.
 */
static WaValueKind
judge_type(Oid type, Oid *base)
{
	Oid			element;

	*base = getBaseType(type);
	if (type_is_enum(*base))
		return WA_VALUE_ENUM;
	if (*base >= FirstNormalObjectId)
	{
		element = get_element_type(*base);
		if (!OidIsValid(element))
			return WA_VALUE_FOREIGN;
		element = getBaseType(element);
		return element < FirstNormalObjectId || type_is_enum(element) ?
			WA_VALUE_OTHER : WA_VALUE_FOREIGN;
	}
	switch (*base)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return WA_VALUE_TEXT;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return WA_VALUE_INTEGER;
		case BOOLOID:
			return WA_VALUE_BOOLEAN;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return WA_VALUE_DATETIME;
		default:
			return WA_VALUE_OTHER;
	}
}

/*
 * Is this column taken?  takes_all: see above, of the owner of the table.
 * *kind and *base are set if it is, and may be NULL.
 */
WaColumnVerdict
wa_capture_judge_column(const char *table, bool takes_all, Form_pg_attribute att,
						WaValueKind *kind, Oid *base)
{
	WaValueKind found;
	Oid			type;

	if (!takes_all && !is_built_in(table, NameStr(att->attname)))
		return WA_COLUMN_NOT_OURS;
	/* a trigger sees NULL there */
	if (att->attgenerated == WA_ATTRIBUTE_GENERATED_VIRTUAL)
		return WA_COLUMN_VIRTUAL;
	found = judge_type(att->atttypid, &type);
	if (found == WA_VALUE_FOREIGN)
		return WA_COLUMN_TYPE;
	if (kind)
		*kind = found;
	if (base)
		*base = type;
	return WA_COLUMN_TAKEN;
}

/*
 * Does this column identify records?  Changes of a table without such a
 * column concern no scenario.
 */
bool
wa_capture_is_id(Form_pg_attribute att)
{
	Oid			base = getBaseType(att->atttypid);

	return strcmp(NameStr(att->attname), "id") == 0 && !att->attisdropped &&
		att->attgenerated != WA_ATTRIBUTE_GENERATED_VIRTUAL &&
		(base == INT4OID || base == INT8OID || base == INT2OID);
}
