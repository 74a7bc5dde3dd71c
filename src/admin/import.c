/*-------------------------------------------------------------------------
 *
 * import.c
 *		wa_import_odoo(): takes over the configuration of Odoo's own module.
 *
 * Reads the tables of sicantik_whatsapp and, for Meta, Enterprise's
 * whatsapp_account.  It writes through the same functions that a person would
 * use, each in a subtransaction, so that one refused row stops no other.  What
 * was set here is never overwritten; credentials go from table to wa.secret
 * and appear in no row of the result.
 *
 * Consent is not copied: it is read where Odoo keeps it.  Texts of the
 * standard templates are not taken, ours are within Meta's rules; templates of
 * other names are.  A gateway has no templates of its own and sends the text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/resowner.h"

#include "admin/admin.h"
#include "pg/app_table.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/provider.h"

PG_FUNCTION_INFO_V1(wa_sql_import_odoo);

extern Datum wa_sql_configure(PG_FUNCTION_ARGS);
extern Datum wa_sql_set_template(PG_FUNCTION_ARGS);
extern Datum wa_sql_map_template(PG_FUNCTION_ARGS);

/* Odoo's keys of the seven notifications. */
static const char *const key_aliases[][2] = {
	{"izin_selesai_diproses", "permit_ready"},
	{"permit_reminder", "permit_expiry_warning"},
	{"izin_peringatan_berlaku", "permit_expiry_warning"},
	{"izin_update_status", "status_update"},
	{"renewal_approved", "permit_renewal_approved"},
	{"izin_perpanjangan_disetujui", "permit_renewal_approved"},
	{"izin_dokumen_baru", "document_pending"},
	{"izin_perlu_approval", "approval_required"},
	{"izin_reminder", "reminder"},
};

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
alias_of(const char *const (*aliases)[2], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(aliases[i][0], name) == 0)
			return aliases[i][1];
	return name;
}

static bool
filled(const char *text)
{
	/* Odoo's False may have become a word */
	return text && text[0] != '\0' && strcmp(text, "False") != 0 && strcmp(text, "false") != 0;
}

/* Add a member to the text of an object; value NULL: leave it out. */
static void
add_member(StringInfo json, const char *name, const char *value, bool quoted)
{
	if (!filled(value) && quoted)
		return;
	appendStringInfoString(json, json->len > 1 ? ", " : "");
	escape_json(json, name);
	appendStringInfoString(json, ": ");
	if (quoted)
		escape_json(json, value);
	else
		appendStringInfoString(json, value);
}

/*
 * Call one of our functions as a person would.  Returns NULL, or what it
 * objected, with everything that it did undone.
 */
static char *
attempt(PGFunction function, const char *first, const char *second, const char *json)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		Datum		object = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));

		if (second)
			(void) DirectFunctionCall3(function, CStringGetTextDatum(first),
									   CStringGetTextDatum(second), object);
		else
			(void) DirectFunctionCall2(function, CStringGetTextDatum(first), object);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error == NULL)
		return NULL;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
		error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
		ReThrowError(error);
	return error->detail ? psprintf("%s: %s", error->message, error->detail) : error->message;
}

/* Columns of sicantik_whatsapp_provider, in the order read. */
enum
{
	P_ID, P_NAME, P_TYPE, P_ACTIVE, P_SEQUENCE, P_META_ACCOUNT, P_WATZAP_URL, P_WATZAP_KEY,
	P_WATZAP_DEVICE, P_FONNTE_URL, P_FONNTE_TOKEN, P_COLUMNS
};

/* The settings of a provider as JSON; *lacking: what Odoo does not have. */
static char *
provider_json(char **row, const char *schema, bool is_default, const char **lacking)
{
	static const char *const columns[] = {
		"phone_uid", "account_uid", "token", "app_secret", "webhook_verify_token"
	};
	static const char *const names[] = {
		"phone_number_id", "waba_id", "access_token", "app_secret", "verify_token"
	};
	const WaGateway *gateway = wa_gateway_find(row[P_TYPE]);
	const char *url = NULL;
	StringInfoData json;

	*lacking = NULL;
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	add_member(&json, "kind", row[P_TYPE], true);
	add_member(&json, "active", row[P_ACTIVE] && row[P_ACTIVE][0] == 't' ? "true" : "false", false);
	if (is_default)
		add_member(&json, "is_default", "true", false);
	if (filled(row[P_SEQUENCE]) && strtol(row[P_SEQUENCE], NULL, 10) > 0)
		add_member(&json, "sequence", row[P_SEQUENCE], false);
	if (strcmp(row[P_TYPE], "fonnte") == 0)
	{
		url = row[P_FONNTE_URL];
		add_member(&json, "token", row[P_FONNTE_TOKEN], true);
		if (!filled(row[P_FONNTE_TOKEN]))
			*lacking = "its token is empty in Odoo";
	}
	else if (strcmp(row[P_TYPE], "watzap") == 0)
	{
		url = row[P_WATZAP_URL];
		add_member(&json, "api_key", row[P_WATZAP_KEY], true);
		add_member(&json, "number_key", row[P_WATZAP_DEVICE], true);
		if (!filled(row[P_WATZAP_KEY]) || !filled(row[P_WATZAP_DEVICE]))
			*lacking = "its API key or device id is empty in Odoo";
	}
	else
	{
		int64		account = filled(row[P_META_ACCOUNT]) ? strtoll(row[P_META_ACCOUNT], NULL, 10) : 0;
		WaAppTable	table;
		WaAppRows	rows = {0};

		if (account != 0 && wa_app_open(&table, schema, "whatsapp_account") == WA_APP_READY)
			wa_app_read_by_id(&rows, &table, columns, lengthof(columns), "id", &account, 1);
		if (rows.n == 0)
			*lacking = "it names no account of whatsapp_account";
		else
			for (size_t i = 0; i < lengthof(columns); i++)
				add_member(&json, names[i], rows.values[0][i], true);
		if (rows.n > 0 && (!filled(rows.values[0][0]) || !filled(rows.values[0][2])))
			*lacking = "its account has no phone_uid or no token in Odoo";
	}
	if (filled(url))
	{
		size_t		len = strlen(url);

		while (len > 0 && url[len - 1] == '/')
			len--;
		url = pnstrdup(url, len);
		if (strcmp(url, gateway->base_url) != 0)
			add_member(&json, "base_url", url, true);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* Is this provider as wa_setup() made it, or not there at all? */
static bool
is_untouched(const char *name)
{
	static WaStatement changed =
		WA_STATEMENT("SELECT FROM wa.provider WHERE name = $1"
					 " AND (settings <> '{}' OR base_url IS NOT NULL OR state <> 'draft' OR tested_at IS NOT NULL)");
	WaProviders providers;
	WaProvider *provider;
	WaArgs		args = {0};

	wa_arg_text(&args, name);
	if (wa_query(&changed, &args) > 0)
		return false;
	wa_route_load_providers(&providers, true);
	provider = wa_route_find_provider(&providers, name);
	return provider == NULL || provider->nsecrets == 0;
}

static bool
default_chosen(void)
{
	static WaStatement find =
		WA_STATEMENT("SELECT FROM wa.provider WHERE is_default");

	return wa_query(&find, NULL) > 0;
}

static int64
odoo_default(const char *schema)
{
	static const char *const columns[] = {"value"};
	static const char *const keys[] = {"sicantik_whatsapp.default_provider_id"};
	WaAppTable	table;
	WaAppRows	rows;

	if (wa_app_open(&table, schema, "ir_config_parameter") != WA_APP_READY)
		return 0;
	wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "key", keys, lengthof(keys));
	return rows.n > 0 && filled(rows.values[0][0]) ? strtoll(rows.values[0][0], NULL, 10) : 0;
}

/* Open a table of the module's; says why it cannot be read. */
static bool
open_table(FunctionCallInfo fcinfo, WaAppTable *table, const char *schema, const char *name)
{
	wa_app_open(table, schema, name);
	if (table->state == WA_APP_READY)
		return true;
	wa_admin_say(fcinfo, psprintf("table %s", name), "not taken",
				 table->state == WA_APP_LOCKED ? "it is locked at the moment; call again" :
				 table->state == WA_APP_MISSING ? "there is no such table" : "it is not a table");
	return false;
}

static void
import_providers(FunctionCallInfo fcinfo, const char *schema)
{
	static const char *const columns[P_COLUMNS] = {
		"id", "name", "provider_type", "active", "sequence", "meta_account_id", "watzap_base_url",
		"watzap_api_key", "watzap_device_id", "fonnte_api_url", "fonnte_token"
	};
	static const char *const kinds[] = {"meta", "watzap", "fonnte"};
	int64		wanted_default = odoo_default(schema);
	bool		have_default = default_chosen();
	WaAppTable	table;
	WaAppRows	rows;
	List	   *taken = NIL;

	if (!open_table(fcinfo, &table, schema, "sicantik_whatsapp_provider"))
		return;
	wa_app_read_by_text(&rows, &table, columns, P_COLUMNS, "provider_type", kinds, lengthof(kinds));
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];
		bool		is_default = strtoll(row[P_ID], NULL, 10) == wanted_default;
		char	   *name = row[P_TYPE];
		char	   *item;
		const char *lacking;
		char	   *json;
		char	   *problem;
		ListCell   *cell;

		/* the first of a kind has the name of the kind */
		foreach(cell, taken)
			if (strcmp(lfirst(cell), row[P_TYPE]) == 0)
				name = psprintf("%s_%s", row[P_TYPE], row[P_ID]);
		taken = lappend(taken, row[P_TYPE]);
		item = psprintf("provider %s", name);
		if (!is_untouched(name))
		{
			wa_admin_say(fcinfo, item, "kept", "it was configured here already");
			continue;
		}
		json = provider_json(row, schema, is_default && !have_default, &lacking);
		if (lacking)
		{
			wa_admin_say(fcinfo, item, "not taken", lacking);
			continue;
		}
		problem = attempt(wa_sql_configure, name, NULL, json);
		wa_admin_say(fcinfo, item, problem ? "not taken" : "taken",
					 problem ? problem :
					 psprintf("Odoo's \"%s\"%s; now SELECT * FROM wa_test_connection('%s')",
							  row[P_NAME] ? row[P_NAME] : "-",
							  is_default && !have_default ? ", the default" : "", name));
		if (is_default && have_default)
			wa_admin_say(fcinfo, "default provider", "kept", "one was chosen here already");
	}
	if (rows.n == 0)
		wa_admin_say(fcinfo, "providers", "not taken", "Odoo has none");
}

/* Columns of sicantik_whatsapp_template_master, in the order read. */
enum
{
	T_KEY, T_NAME, T_BODY, T_PARAMETERS, T_META_NAME, T_META_STATUS, T_LANGUAGE, T_COLUMNS
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
		return wa_query(&template, &args) > 0;
	wa_arg_text(&args, provider);
	return wa_query(&mapping, &args) > 0;
}

/*
 * Odoo's list of parameters, with our names if translate, as the text of a
 * JSON array; NULL if it is none.
 */
static char *
parameter_array(const char *list, bool translate)
{
	static WaStatement split =
		WA_STATEMENT("SELECT CASE WHEN jsonb_typeof(j) = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(j)) END"
					 " FROM (SELECT CASE WHEN $1 ~ '^\\s*\\[\\s*(\"[A-Za-z0-9_]+\"\\s*(,\\s*\"[A-Za-z0-9_]+\"\\s*)*)?\\]\\s*$'"
					 " THEN $1::jsonb END AS j) AS t");
	StringInfoData json;
	WaArgs		args = {0};
	char	  **names;
	int			n;

	wa_arg_text(&args, list);
	if (wa_query(&split, &args) == 0 || wa_row_isnull(0, 1))
		return NULL;
	names = wa_row_text_array(0, 1, &n);
	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoString(&json, ", ");
		escape_json(&json, translate ? alias_of(value_aliases, lengthof(value_aliases), names[i]) : names[i]);
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

static void
import_mapping(FunctionCallInfo fcinfo, char **row, const char *key, bool standard)
{
	char	   *item = psprintf("mapping %s of meta", key);
	char	   *parameters = parameter_array(row[T_PARAMETERS], standard);
	StringInfoData json;
	char	   *problem;

	if (!filled(row[T_META_NAME]))
		return;
	if (row[T_META_STATUS] == NULL ||
		(strcmp(row[T_META_STATUS], "approved") != 0 && strcmp(row[T_META_STATUS], "configured") != 0))
	{
		wa_admin_say(fcinfo, item, "not taken",
					 psprintf("Odoo's \"%s\" is not configured or approved at Meta", row[T_KEY]));
		return;
	}
	if (exists(key, "meta"))
	{
		wa_admin_say(fcinfo, item, "kept", psprintf("it was set before, so not Odoo's \"%s\"", row[T_KEY]));
		return;
	}
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	add_member(&json, "name", row[T_META_NAME], true);
	add_member(&json, "status", row[T_META_STATUS], true);
	add_member(&json, "language", filled(row[T_LANGUAGE]) ? pnstrdup(row[T_LANGUAGE], 2) : NULL, true);
	if (parameters)
		add_member(&json, "parameters", parameters, false);
	appendStringInfoChar(&json, '}');
	problem = attempt(wa_sql_map_template, key, "meta", json.data);
	wa_admin_say(fcinfo, item, problem ? "not taken" : "taken",
				 problem ? problem : psprintf("as %s, parameters %s", row[T_META_NAME],
											  parameters ? parameters : "as in the template"));
}

static void
import_templates(FunctionCallInfo fcinfo, const char *schema)
{
	static const char *const columns[T_COLUMNS] = {
		"template_key", "name", "body_preview", "parameter_list", "meta_template_name", "meta_status", "language"
	};
	WaAppTable	table;
	WaAppRows	rows;

	if (!open_table(fcinfo, &table, schema, "sicantik_whatsapp_template_master"))
		return;
	wa_app_read_by_bool(&rows, &table, columns, T_COLUMNS, "active", true);
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];
		const char *key = row[T_KEY] ? alias_of(key_aliases, lengthof(key_aliases), row[T_KEY]) : NULL;
		bool		standard = false;
		char	   *item;
		char	   *problem = NULL;

		if (key == NULL)
			continue;
		item = psprintf("template %s", row[T_KEY]);
		for (const WaDefaultTemplate *t = wa_default_templates; t->key; t++)
			standard = standard || strcmp(t->key, key) == 0;
		if (standard && !exists(key, NULL))
		{
			wa_admin_say(fcinfo, item, "not taken", "SELECT * FROM wa_setup() first");
			continue;
		}
		if (standard)
			wa_admin_say(fcinfo, item, "kept",
						 psprintf("the text of %s here stays; wa_set_template() changes it", key));
		else if (exists(key, NULL))
			wa_admin_say(fcinfo, item, "kept", "it was set here already");
		else
		{
			char	   *parameters = parameter_array(row[T_PARAMETERS], false);
			StringInfoData json;

			initStringInfo(&json);
			appendStringInfoChar(&json, '{');
			add_member(&json, "name", row[T_NAME], true);
			add_member(&json, "body", row[T_BODY], true);
			if (parameters)
				add_member(&json, "parameters", parameters, false);
			appendStringInfoChar(&json, '}');
			problem = attempt(wa_sql_set_template, key, NULL, json.data);
			wa_admin_say(fcinfo, item, problem ? "not taken" : "taken", problem);
		}
		if (problem == NULL)
			import_mapping(fcinfo, row, key, standard);
	}
}

/*
 * wa_import_odoo(): see explain.sql.
 */
Datum
wa_sql_import_odoo(PG_FUNCTION_ARGS)
{
	WaCall		call;
	char	   *schema;

	PreventCommandDuringRecovery("wa_import_odoo()");
	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_ADMIN);
	schema = wa_setting_get("odoo_schema");
	import_providers(fcinfo, schema);
	import_templates(fcinfo, schema);
	wa_admin_say(fcinfo, "consent", "read live", "whatsapp_opt_in and its date are read from res_partner whenever a message goes");
	wa_call_end(&call);
	return (Datum) 0;
}
