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
 * Consent is not copied: it is read where Odoo keeps it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "admin/admin.h"
#include "admin/import.h"
#include "odoo/odoo.h"
#include "pg/app_table.h"
#include "pg/call.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "route/providers.h"
#include "wake/progress.h"

PG_FUNCTION_INFO_V1(wa_sql_import_odoo);

extern Datum wa_sql_configure(PG_FUNCTION_ARGS);

/* Columns of sicantik_whatsapp_provider, in the order read. */
enum
{
	P_ID, P_NAME, P_TYPE, P_ACTIVE, P_SEQUENCE, P_META_ACCOUNT, P_WATZAP_URL, P_WATZAP_KEY,
	P_WATZAP_DEVICE, P_FONNTE_URL, P_FONNTE_TOKEN, P_COLUMNS
};

/* A kind of provider that Odoo's module knows, and what it has of one. */
typedef struct OdooKind
{
	const char *kind;			/* provider_type, and ours */
	int			url;			/* 0: none; the rest is in whatsapp_account */
	struct
	{
		const char *setting;
		int			column;
	}			credentials[2];
	const char *lacking;		/* said if one of them is empty */
} OdooKind;

static const OdooKind odoo_kinds[] = {
	{"meta"},
	{"watzap", P_WATZAP_URL, {{"api_key", P_WATZAP_KEY}, {"number_key", P_WATZAP_DEVICE}},
	"its API key or device id is empty in Odoo"},
	{"fonnte", P_FONNTE_URL, {{"token", P_FONNTE_TOKEN}}, "its token is empty in Odoo"},
};

static const OdooKind *
find_odoo_kind(const char *type)
{
	for (int i = 0; type && i < lengthof(odoo_kinds); i++)
		if (strcmp(odoo_kinds[i].kind, type) == 0)
			return &odoo_kinds[i];
	return NULL;
}

/* Columns of Enterprise's whatsapp_account, in the order read. */
enum
{
	A_ID, A_NAME, A_PHONE_UID, A_ACCOUNT_UID, A_TOKEN, A_APP_SECRET, A_VERIFY_TOKEN, A_COLUMNS
};

static const char *const account_columns[A_COLUMNS] = {
	"id", "name", "phone_uid", "account_uid", "token", "app_secret", "webhook_verify_token"
};

/* Add the settings of an account of Meta's; returns what it lacks, or NULL. */
static const char *
add_account(StringInfo json, char **row)
{
	wa_admin_import_add_member(json, "phone_number_id", row[A_PHONE_UID], true);
	wa_admin_import_add_member(json, "waba_id", row[A_ACCOUNT_UID], true);
	wa_admin_import_add_member(json, "access_token", row[A_TOKEN], true);
	wa_admin_import_add_member(json, "app_secret", row[A_APP_SECRET], true);
	wa_admin_import_add_member(json, "verify_token", row[A_VERIFY_TOKEN], true);
	if (!wa_admin_import_filled(row[A_PHONE_UID]) || !wa_admin_import_filled(row[A_TOKEN]))
		return "its account has no phone_uid or no token in Odoo";
	return NULL;
}

/* The settings of a provider as JSON; *lacking: what Odoo does not have. */
static char *
provider_json(char **row, const char *schema, bool is_default, const char **lacking)
{
	const OdooKind *kind = find_odoo_kind(row[P_TYPE]);
	const char *url = kind->url ? row[kind->url] : NULL;
	StringInfoData json;

	*lacking = NULL;
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	wa_admin_import_add_member(&json, "kind", row[P_TYPE], true);
	wa_admin_import_add_member(&json, "active", row[P_ACTIVE] && row[P_ACTIVE][0] == 't' ? "true" : "false", false);
	if (is_default)
		wa_admin_import_add_member(&json, "is_default", "true", false);
	if (wa_admin_import_filled(row[P_SEQUENCE]) && strtol(row[P_SEQUENCE], NULL, 10) > 0)
		wa_admin_import_add_member(&json, "sequence", row[P_SEQUENCE], false);
	for (int i = 0; i < lengthof(kind->credentials) && kind->credentials[i].setting; i++)
	{
		const char *value = row[kind->credentials[i].column];

		wa_admin_import_add_member(&json, kind->credentials[i].setting, value, true);
		if (!wa_admin_import_filled(value))
			*lacking = kind->lacking;
	}
	if (kind->url == 0)
	{
		int64		account = wa_admin_import_filled(row[P_META_ACCOUNT]) ? strtoll(row[P_META_ACCOUNT], NULL, 10) : 0;
		WaAppTable	table;
		WaAppRows	rows = {0};

		if (account != 0 && wa_app_open(&table, schema, "whatsapp_account") == WA_APP_READY)
			wa_app_read_by_id(&rows, &table, account_columns, A_COLUMNS, "id", &account, 1);
		if (rows.n == 0)
			*lacking = "it names no account of whatsapp_account";
		else
			*lacking = add_account(&json, rows.values[0]);
	}
	if (url && wa_admin_import_filled(url))
	{
		size_t		len = strlen(url);

		while (len > 0 && url[len - 1] == '/')
			len--;
		url = pnstrdup(url, len);
		if (strcmp(url, wa_gateway_find(kind->kind)->base_url) != 0)
			wa_admin_import_add_member(&json, "base_url", url, true);
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
	if (wa_query(&changed, &args).n > 0)
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

	return wa_query(&find, NULL).n > 0;
}

static int64
odoo_default(const char *schema)
{
	return wa_odoo_id(wa_odoo_parameter(schema, "sicantik_whatsapp.default_provider_id"));
}

/* By the id in the first column: each call finds the same order and names. */
static int
by_id(const void *a, const void *b)
{
	int64		left = strtoll((*(char ***) a)[0], NULL, 10);
	int64		right = strtoll((*(char ***) b)[0], NULL, 10);

	return left < right ? -1 : left > right ? 1 : 0;
}

/*
 * Sort rows by their id, and leave out those that have none (NULL, or the
 * table lacks the column): neither their order nor their name would last.
 */
static void
sort_by_id(FunctionCallInfo fcinfo, const WaAppTable *table, WaAppRows *rows)
{
	uint64		n = 0;

	for (uint64 r = 0; r < rows->n; r++)
		if (rows->values[r][0])
			rows->values[n++] = rows->values[r];
	if (n < rows->n)
		wa_call_say(fcinfo, psprintf("table %s", table->relation), "not taken",
					psprintf(UINT64_FORMAT " rows without an id", rows->n - n));
	rows->n = n;
	if (n > 1)
		qsort(rows->values, n, sizeof(char **), by_id);
}

/* Leave out the providers of kinds that we do not take, a row for each. */
static void
leave_out_unknown_kinds(FunctionCallInfo fcinfo, WaAppRows *rows)
{
	uint64		n = 0;

	for (uint64 r = 0; r < rows->n; r++)
	{
		char	  **row = rows->values[r];

		if (find_odoo_kind(row[P_TYPE]))
			rows->values[n++] = row;
		else
			wa_call_say(fcinfo, psprintf("provider %s of Odoo", row[P_ID]), "not taken",
						psprintf("\"%s\" has %s; known are meta, watzap and fonnte",
								 row[P_NAME] ? row[P_NAME] : "-",
								 row[P_TYPE] ? psprintf("the provider_type \"%s\"", row[P_TYPE]) :
								 "no provider_type"));
	}
	rows->n = n;
}

static void
import_providers(FunctionCallInfo fcinfo, const char *schema, WaAppRows *rows)
{
	static const char *const columns[P_COLUMNS] = {
		"id", "name", "provider_type", "active", "sequence", "meta_account_id", "watzap_base_url",
		"watzap_api_key", "watzap_device_id", "fonnte_api_url", "fonnte_token"
	};
	int64		wanted_default = odoo_default(schema);
	bool		have_default = default_chosen();
	WaAppTable	table;
	List	   *taken = NIL;

	rows->n = 0;
	if (!wa_admin_import_open_table(fcinfo, &table, schema, "sicantik_whatsapp_provider"))
		return;
	wa_app_read_all(rows, &table, columns, P_COLUMNS);
	wa_admin_import_translate(&table, rows, columns, P_COLUMNS);
	sort_by_id(fcinfo, &table, rows);
	leave_out_unknown_kinds(fcinfo, rows);
	for (uint64 r = 0; r < rows->n; r++)
	{
		char	  **row = rows->values[r];
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
			wa_call_say(fcinfo, item, "kept", "it was configured here already");
			continue;
		}
		json = provider_json(row, schema, is_default && !have_default, &lacking);
		if (lacking)
		{
			wa_call_say(fcinfo, item, "not taken", lacking);
			continue;
		}
		problem = wa_admin_import_attempt(wa_sql_configure, name, NULL, json);
		wa_call_say(fcinfo, item, problem ? "not taken" : "taken",
					problem ? problem :
					psprintf("Odoo's \"%s\"%s; now SELECT * FROM wa_test_connection('%s')",
							 row[P_NAME] ? row[P_NAME] : "-",
							 is_default && !have_default ? ", the default" : "", name));
		if (is_default && have_default)
			wa_call_say(fcinfo, "default provider", "kept", "one was chosen here already");
	}
	if (rows->n == 0)
		wa_call_say(fcinfo, "providers", "not taken", "Odoo has none that could be taken");
}

/* A provider here that sends from this number of Meta's, or NULL. */
static char *
sends_from(const char *phone_uid)
{
	static WaStatement find =
		WA_STATEMENT("SELECT name FROM wa.provider WHERE settings ->> 'phone_number_id' = $1");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, phone_uid);
	rows = wa_query(&find, &args);
	return rows.n > 0 ? wa_row_text(rows, 0, 1) : NULL;
}

/*
 * Accounts of Meta's that no provider of Odoo's names become providers of
 * their own; the first is called meta where Odoo has no provider of that kind.
 */
static void
import_accounts(FunctionCallInfo fcinfo, const char *schema, const WaAppRows *providers)
{
	WaAppTable	table;
	WaAppRows	rows;
	bool		first = true;

	for (uint64 p = 0; p < providers->n; p++)
		first = first && strcmp(providers->values[p][P_TYPE], "meta") != 0;
	if (wa_app_open(&table, schema, "whatsapp_account") == WA_APP_MISSING)
		return;					/* not Enterprise */
	if (!wa_admin_import_open_table(fcinfo, &table, schema, "whatsapp_account"))
		return;
	wa_app_read_by_bool(&rows, &table, account_columns, A_COLUMNS, "active", true);
	wa_admin_import_translate(&table, &rows, account_columns, A_COLUMNS);
	sort_by_id(fcinfo, &table, &rows);
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];
		bool		named = false;
		char	   *name;
		char	   *item;
		const char *problem;
		char	   *other;
		StringInfoData json;

		for (uint64 p = 0; p < providers->n; p++)
			named = named || (providers->values[p][P_META_ACCOUNT] &&
							  strcmp(providers->values[p][P_META_ACCOUNT], row[A_ID]) == 0);
		if (named)
			continue;
		name = first ? "meta" : psprintf("meta_account_%s", row[A_ID]);
		first = false;
		item = psprintf("provider %s", name);
		other = sends_from(row[A_PHONE_UID]);
		if (other || !is_untouched(name))
		{
			wa_call_say(fcinfo, item, "kept",
						other && strcmp(other, name) != 0 ?
						psprintf("provider %s sends from the same number", other) :
						"it was configured here already");
			continue;
		}
		initStringInfo(&json);
		appendStringInfoChar(&json, '{');
		wa_admin_import_add_member(&json, "kind", "meta", true);
		problem = add_account(&json, row);
		appendStringInfoChar(&json, '}');
		if (problem == NULL)
			problem = wa_admin_import_attempt(wa_sql_configure, name, NULL, json.data);
		wa_call_say(fcinfo, item, problem ? "not taken" : "taken",
					problem ? problem :
					psprintf("Odoo's account \"%s\", which no provider of Odoo's names; now SELECT * FROM wa_test_connection('%s')",
							 row[A_NAME] ? row[A_NAME] : "-", name));
	}
}

/*
 * wa_import_odoo(): see import.sql.
 */
Datum
wa_sql_import_odoo(PG_FUNCTION_ARGS)
{
	WaCall		call;
	WaAppRows	providers;
	char	   *schema;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_ADMIN);
	schema = wa_office_get("odoo_schema");
	wa_wake_progress_begin(WA_COMMAND_IMPORT, 0);
	wa_wake_progress_phase(WA_COMMAND_IMPORT, WA_PHASE_PROVIDERS);
	import_providers(fcinfo, schema, &providers);
	wa_wake_progress_phase(WA_COMMAND_IMPORT, WA_PHASE_ACCOUNTS);
	import_accounts(fcinfo, schema, &providers);
	wa_wake_progress_phase(WA_COMMAND_IMPORT, WA_PHASE_TEMPLATES);
	wa_admin_import_templates(fcinfo, schema);
	wa_wake_progress_end(WA_COMMAND_IMPORT);
	wa_call_say(fcinfo, "consent", "read live", "whatsapp_opt_in and its date are read from res_partner whenever a message goes");
	wa_call_end(&call);
	return (Datum) 0;
}
