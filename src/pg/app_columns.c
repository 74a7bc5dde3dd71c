/*-------------------------------------------------------------------------
 *
 * app_columns.c
 *		What may be read of the application's tables in their owner's name.
 *
 * Where the owner of the database has no rights of the role that owns the
 * application's tables, whoever may write rows of wa.* must not be able to
 * read with them what that role keeps to itself.  So the tables and columns
 * are written here, and nowhere else: what the product reads to make, route
 * and explain the messages of its built-in scenarios.  No row can add to it.
 *
 * Credentials that Odoo keeps (wa_import_odoo()) are not among them: they are
 * taken over by somebody who may read them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/app_table.h"

typedef struct AppColumns
{
	const char *table;
	const char *const *columns;
} AppColumns;

#define COLUMNS(...)	(const char *const[]) {__VA_ARGS__, NULL}

static const AppColumns tables[] =
{
	{"sicantik_permit",
		COLUMNS("id", "registration_id", "permit_number", "applicant_name", "permit_type_id",
				"permit_type_name", "partner_id", "status", "issue_date", "expiry_date",
				"received_date", "is_renewal", "create_date", "write_date")},
	{"sicantik_document",
		COLUMNS("id", "document_number", "name", "state", "permit_number", "permit_id",
				"requires_approval", "signer_id", "uploaded_by", "create_date", "write_date")},
	{"signature_workflow", COLUMNS("id", "document_id", "approver_id", "state", "create_date", "write_date")},
	{"sicantik_permit_type", COLUMNS("id", "name")},
	{"res_partner",
		COLUMNS("id", "name", "active", "whatsapp_number", "mobile", "phone_sanitized", "phone",
				"whatsapp_opt_in", "whatsapp_opt_in_date", "write_date")},
	{"res_users", COLUMNS("id", "partner_id", "active", "share")},
	{"mail_followers", COLUMNS("res_id", "partner_id", "res_model")},
	{"ir_model_data", COLUMNS("module", "model", "res_id", "name")},
	{"res_groups_implied_rel", COLUMNS("gid", "hid")},
	{"res_groups_users_rel", COLUMNS("uid", "gid")},
	{"ir_model_fields", COLUMNS("id", "name", "model")},
	{"ir_model_fields_selection", COLUMNS("id", "value", "name", "field_id")},
	{"ir_translation", COLUMNS("res_id", "name", "lang", "type", "value")},
	{"phone_blacklist", COLUMNS("number", "active", "write_date")},
	{"whatsapp_message", COLUMNS("mobile_number_formatted", "message_type", "create_date")},
	/* of these only rows whose keys stand in our sources */
	{"ir_config_parameter", COLUMNS("key", "value")},
	{"ir_module_module", COLUMNS("name", "state")},
	{"ir_cron", COLUMNS("cron_name", "active")},
};

static const AppColumns *
find_table(const char *name)
{
	for (size_t i = 0; i < lengthof(tables); i++)
		if (strcmp(tables[i].table, name) == 0)
			return &tables[i];
	return NULL;
}

/*
 * The columns of a table of this name, ended by NULL; NULL if there are none.
 */
const char *const *
wa_app_columns(const char *table)
{
	const AppColumns *found = find_table(table);

	return found ? found->columns : NULL;
}

/*
 * Is it in such a list?
 */
bool
wa_app_is_among(const char *const *columns, const char *column)
{
	for (; *columns; columns++)
		if (strcmp(*columns, column) == 0)
			return true;
	return false;
}
