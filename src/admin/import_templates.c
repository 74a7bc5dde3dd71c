/*-------------------------------------------------------------------------
 *
 * import_templates.c
 *		wa_import_odoo(): templates of Odoo's own module, and their mappings.
 *
 * Odoo may have two records for one notification: one under the key that its
 * code uses, and one named izin_* with the text that Meta approved.  Its
 * dispatcher prefers the latter for Meta and the former for the gateways; so
 * does the import.
 *
 * The texts of the seven notifications stay ours, which are within Meta's
 * rules and ask for nothing that the scenarios cannot fill.  Odoo's come in
 * beside them, inactive, for an office that prefers its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/json.h"

#include "admin/admin.h"
#include "admin/import.h"
#include "compose/record_values.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/providers.h"

extern Datum wa_sql_set_template(PG_FUNCTION_ARGS);
extern Datum wa_sql_map_template(PG_FUNCTION_ARGS);

#define OWN_TEXT_PREFIX		"izin_"

/* Odoo's names of values, as far as ours differ. */
static const char *const value_aliases[][2] = {
	{"new_status", "status_baru"},
	{"old_status", "status_lama"},
	{"update_date", "timestamp"},
	{"contact_info", "contact_dpmptsp"},
	{"days_remaining", "remaining_days"},
	{"new_expiry_date", "expiry_date"},
	{"staff_name", "nama_petugas"},
	{"official_name", "nama_pejabat"},
	{"pending_duration", "waktu_pending"},
};

static const char *
alias_of(const char *const(*aliases)[2], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(aliases[i][0], name) == 0)
			return aliases[i][1];
	return name;
}

/* Columns of sicantik_whatsapp_template_master, in the order read. */
enum
{
	T_KEY, T_NAME, T_BODY, T_PARAMETERS, T_LANGUAGE, T_META_NAME, T_META_STATUS,
	T_WATZAP_NAME, T_WATZAP_ID, T_WATZAP_STATUS, T_FONNTE_NAME, T_FONNTE_ID, T_FONNTE_STATUS,
	T_ACTIVE, T_COLUMNS
};

static const char *const master_columns[T_COLUMNS] = {
	"template_key", "name", "body_preview", "parameter_list", "language",
	"meta_template_name", "meta_status",
	"watzap_template_name", "watzap_template_id", "watzap_status",
	"fonnte_template_name", "fonnte_template_id", "fonnte_status", "active"
};

/* Where a provider's mapping is; Odoo prefers the id to the name. */
typedef struct MappingColumns
{
	const char *provider;
	int			name;
	int			id;				/* or -1 */
	int			status;
} MappingColumns;

static const MappingColumns meta_columns = {"meta", T_META_NAME, -1, T_META_STATUS};
static const MappingColumns gateway_columns[] = {
	{"watzap", T_WATZAP_NAME, T_WATZAP_ID, T_WATZAP_STATUS},
	{"fonnte", T_FONNTE_NAME, T_FONNTE_ID, T_FONNTE_STATUS},
};

static bool
exists(const char *key, const char *provider)
{
	static WaStatement template =
		WA_STATEMENT("SELECT FROM wa.template WHERE key = $1");
	static WaStatement mapping =
		WA_STATEMENT("SELECT FROM wa.template_mapping WHERE template_key = $1 AND provider = $2");
	WaArgs		args = {0};

	wa_arg_text(&args, key);
	if (provider == NULL)
		return wa_query(&template, &args).n > 0;
	wa_arg_text(&args, provider);
	return wa_query(&mapping, &args).n > 0;
}

/* Odoo's list of parameters, with our names if translate; NULL if it is none. */
static char **
parameter_names(const char *list, bool translate, int *n)
{
	static WaStatement split =
		WA_STATEMENT("SELECT CASE WHEN jsonb_typeof(j) = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(j)) END"
					 " FROM (SELECT CASE WHEN $1 ~ '^[[:space:]]*[[][[:space:]]*(\"[A-Za-z0-9_]+\"[[:space:]]*(,[[:space:]]*\"[A-Za-z0-9_]+\"[[:space:]]*)*)?[]][[:space:]]*$'"
					 " THEN $1::jsonb END AS j) AS t");
	WaArgs		args = {0};
	WaRows		rows;
	char	  **names;

	wa_arg_text(&args, list);
	rows = wa_query(&split, &args);
	if (rows.n == 0 || wa_row_isnull(rows, 0, 1))
		return NULL;
	names = wa_row_text_array(rows, 0, 1, n);
	for (int i = 0; translate && i < *n; i++)
		names[i] = pstrdup(alias_of(value_aliases, lengthof(value_aliases), names[i]));
	return names;
}

/* The same as the text of a JSON array. */
static char *
parameter_array(const char *list, bool translate)
{
	StringInfoData json;
	int			n;
	char	  **names = parameter_names(list, translate, &n);

	if (names == NULL)
		return NULL;
	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoString(&json, ", ");
		escape_json(&json, names[i]);
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

/* Odoo's text with our names of values. */
static char *
translated_body(const char *body)
{
	StringInfoData text;
	const char *p = body ? body : "";

	initStringInfo(&text);
	while (*p)
	{
		bool		found = false;

		for (size_t i = 0; i < lengthof(value_aliases) && !found; i++)
		{
			char	   *field = psprintf("{{%s}}", value_aliases[i][0]);

			if (strncmp(p, field, strlen(field)) == 0)
			{
				appendStringInfo(&text, "{{%s}}", value_aliases[i][1]);
				p += strlen(field);
				found = true;
			}
		}
		if (!found)
			appendStringInfoChar(&text, *p++);
	}
	return text.data;
}

static bool
is_standard(const char *key)
{
	return wa_compose_composer(key) != NULL;
}

static const char *
our_key(char **row)
{
	const WaComposer *composer;

	for (size_t c = 0; (composer = wa_compose_composer_at(c)) != NULL; c++)
		for (int i = 0; i < lengthof(composer->odoo_keys); i++)
			if (wa_odoo_is(composer->odoo_keys[i], row[T_KEY]))
				return composer->name;
	return row[T_KEY];
}

/* The parameters that a message by this template has no value for; NULL: none. */
static char *
unsupplied(const char *key, const char *list)
{
	int			n = 0;
	char	  **names = parameter_names(list, is_standard(key), &n);

	return names ? wa_admin_unsupplied_names(key, (const char *const *) names, n) : NULL;
}

/* One provider's mapping of one record. */
static void
import_mapping(FunctionCallInfo fcinfo, char **row, const MappingColumns *columns)
{
	const char *key = our_key(row);
	const char *provider = columns->provider;
	char	   *item = psprintf("mapping %s of %s", key, provider);
	const char *status = row[columns->status];
	char	   *parameters = parameter_array(row[T_PARAMETERS], is_standard(key));
	const char *name = row[columns->name];
	StringInfoData json;
	char	   *problem;
	char	   *lacking;

	if (columns->id >= 0 && wa_admin_import_filled(row[columns->id]))
		name = row[columns->id];
	if (!wa_admin_import_filled(name) || !exists(key, NULL))
		return;
	if (status == NULL || (strcmp(status, "approved") != 0 && strcmp(status, "configured") != 0))
	{
		/* a gateway sends the text and needs none */
		if (columns == &meta_columns)
			wa_call_say(fcinfo, item, "not taken",
						psprintf("Odoo's \"%s\" is not configured or approved at Meta", row[T_KEY]));
		return;
	}
	if (exists(key, provider))
	{
		wa_call_say(fcinfo, item, "kept", psprintf("it was set before, so not Odoo's \"%s\"", row[T_KEY]));
		return;
	}
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	wa_admin_import_add_member(&json, "name", name, true);
	wa_admin_import_add_member(&json, "status", status, true);
	wa_admin_import_add_member(&json, "language",
							   wa_admin_import_filled(row[T_LANGUAGE]) ? row[T_LANGUAGE] : NULL, true);
	if (parameters)
		wa_admin_import_add_member(&json, "parameters", parameters, false);
	appendStringInfoChar(&json, '}');
	problem = wa_admin_import_attempt(wa_sql_map_template, key, provider, json.data);
	lacking = columns == &meta_columns ? unsupplied(key, row[T_PARAMETERS]) : NULL;
	wa_call_say(fcinfo, item, problem ? "not taken" : "taken",
				problem ? problem :
				columns == &meta_columns ?
				psprintf("as %s, parameters %s%s%s%s", name, parameters ? parameters : "as in the template",
						 lacking ? "; but nobody supplies " : "", lacking ? lacking : "",
						 lacking ? ", so Meta's template cannot be filled: give the values in params, or another order with wa_map_template()" : "") :
				psprintf("%s is noted; a gateway is sent the text, which needs no template there", name));
}

/*
 * The text of one record: under its key, or, if it is about one of the seven
 * notifications, beside ours and inactive.
 */
static void
import_text(FunctionCallInfo fcinfo, char **row)
{
	const char *ours = our_key(row);
	bool		standard = is_standard(ours);
	const char *key = strcmp(ours, row[T_KEY]) == 0 && standard ?
		psprintf("odoo_%s", row[T_KEY]) : row[T_KEY];
	char	   *item = psprintf("template %s", row[T_KEY]);
	char	   *parameters = parameter_array(row[T_PARAMETERS], standard);
	char	   *problem;
	StringInfoData json;

	if (standard && !exists(ours, NULL))
	{
		wa_call_say(fcinfo, item, "not taken", "SELECT * FROM wa_setup() first");
		return;
	}
	if (exists(key, NULL))
	{
		wa_call_say(fcinfo, item, "kept", "it was set here already");
		return;
	}
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	wa_admin_import_add_member(&json, "name", row[T_NAME], true);
	wa_admin_import_add_member(&json, "body", standard ? translated_body(row[T_BODY]) : row[T_BODY], true);
	if (parameters)
		wa_admin_import_add_member(&json, "parameters", parameters, false);
	if (standard)
		wa_admin_import_add_member(&json, "active", "false", false);
	appendStringInfoChar(&json, '}');
	problem = wa_admin_import_attempt(wa_sql_set_template, key, NULL, json.data);
	wa_call_say(fcinfo, item, problem ? "not taken" : "taken",
				problem ? problem : !standard ? NULL :
				psprintf("as %s, inactive: the text of %s here stays, wa_set_template() changes it", key, ours));
}

/* Does Odoo's dispatcher take this record first for Meta? */
static bool
is_for_meta(char **row)
{
	return strncmp(row[T_KEY], OWN_TEXT_PREFIX, strlen(OWN_TEXT_PREFIX)) == 0;
}

/* Leave out what Odoo does not use either, a row for each. */
static void
leave_out_inactive(FunctionCallInfo fcinfo, WaAppRows *rows)
{
	uint64		n = 0;

	for (uint64 r = 0; r < rows->n; r++)
	{
		char	  **row = rows->values[r];

		if (row[T_ACTIVE] && row[T_ACTIVE][0] == 't')
			rows->values[n++] = row;
		else
			wa_call_say(fcinfo, psprintf("template %s", row[T_KEY] ? row[T_KEY] : "-"), "not taken",
						"it is not active in Odoo");
	}
	rows->n = n;
}

/*
 * Take over texts and mappings, a row of the result for each.
 */
void
wa_admin_import_templates(FunctionCallInfo fcinfo, const char *schema)
{
	WaAppTable	table;
	WaAppRows	rows;

	if (!wa_admin_import_open_table(fcinfo, &table, schema, "sicantik_whatsapp_template_master"))
		return;
	wa_app_read_all(&rows, &table, master_columns, T_COLUMNS);
	wa_admin_import_translate(&table, &rows, master_columns, T_COLUMNS);
	leave_out_inactive(fcinfo, &rows);
	if (rows.n == 0)
		wa_call_say(fcinfo, "templates", "not taken", "Odoo has none that is active");
	for (uint64 r = 0; r < rows.n; r++)
		if (rows.values[r][T_KEY])
			import_text(fcinfo, rows.values[r]);
	for (int preferred = 1; preferred >= 0; preferred--)
		for (uint64 r = 0; r < rows.n; r++)
		{
			char	  **row = rows.values[r];

			if (row[T_KEY] == NULL)
				continue;
			if (is_for_meta(row) == (preferred == 1))
				import_mapping(fcinfo, row, &meta_columns);
			else
				for (size_t g = 0; g < lengthof(gateway_columns); g++)
					import_mapping(fcinfo, row, &gateway_columns[g]);
		}
}
