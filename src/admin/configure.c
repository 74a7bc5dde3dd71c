/*-------------------------------------------------------------------------
 *
 * configure.c
 *		wa_configure(): create or change a provider.
 *
 * Credentials go from the argument to wa.secret without passing through a
 * statement, no message repeats one, and while this function runs every
 * message is logged without its statement, which could hold one.  Other
 * sessions see a masked statement from the first moment of this function.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "admin/admin.h"
#include "admin/options.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/providers.h"
#include "route/secret.h"
#include "sicantik_wa.h"

PG_FUNCTION_INFO_V1(wa_sql_configure);

/* What wa_configure() shows besides the settings; given back it says nothing. */
static const char *const shown_only[] = {
	"provider", "paused_at", "paused_by", "quota_left", "quota_at", "missing", "problem"
};

/* Settings that providers of every kind have. */
static const char *const common_settings[] = {
	"kind", "base_url", "active", "sequence", "is_default", "state",
	"max_in_flight", "min_gap", "gap_jitter", "rate_per_second", "daily_cap",
	"recipient_gap", WA_SECRET_TOKEN_FILE
};

/*
 * Called for each message raised while wa_configure() runs: the log gets
 * neither the statement nor, out of a function or DO block, that of the caller.
 */
static void
hide_statement(void *arg)
{
	errhidestmt(true);
	errhidecontext(true);
}

static char *
known_kinds(void)
{
	char		kinds[256] = "";

	wa_gateway_kinds(kinds, sizeof(kinds));
	return pstrdup(kinds);
}

/*
 * Add a provider in state draft, with the limits of its kind.  Credentials
 * that an earlier provider of this name has left behind are removed.
 */
void
wa_admin_insert_provider(const char *name, const WaGateway *gateway, int sequence)
{
	static WaStatement insert =
		WA_STATEMENT("INSERT INTO wa.provider (name, kind, sequence, max_in_flight, min_gap, gap_jitter,"
					 " rate_per_second, daily_cap, recipient_gap)"
					 " VALUES ($1, $2, $3, $4, $5 * interval '1 microsecond', $6 * interval '1 microsecond',"
					 " nullif($7, 0), nullif($8, -1), $9 * interval '1 microsecond')");
	const WaGatewayLimits *limits = gateway->limits;
	WaArgs		args = {0};

	wa_arg_text(&args, name);
	wa_arg_text(&args, gateway->kind);
	wa_arg_int4(&args, sequence);
	wa_arg_int4(&args, limits->max_in_flight);
	wa_arg_int8(&args, limits->min_gap_us);
	wa_arg_int8(&args, limits->gap_jitter_us);
	wa_arg_datum(&args, FLOAT8OID, Float8GetDatum(limits->rate_per_second), false);
	wa_arg_int4(&args, limits->daily_cap);
	wa_arg_int8(&args, limits->recipient_gap_us);
	wa_query(&insert, &args);
	wa_route_forget_secrets(name);
}

/*
 * Find out the kind of the provider: its own, or the one given for a new one.
 */
static void
find_kind(WaProviderChange *change)
{
	static WaStatement find =
		WA_STATEMENT("SELECT kind FROM wa.provider WHERE name = $1 FOR UPDATE");
	const WaOption *option = wa_admin_options_find(change->options, "kind");
	const char *given = option ? wa_admin_option_string(option) : NULL;
	WaArgs		args = {0};
	WaRows		rows;
	char	   *kind;

	wa_arg_text(&args, change->name);
	rows = wa_query(&find, &args);
	change->is_new = rows.n == 0;
	if (change->is_new && given == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("provider \"%s\" does not exist", change->name),
				 errhint("To create it, give its kind as well: %s.", known_kinds())));
	kind = change->is_new ? pstrdup(given) : wa_row_text(rows, 0, 1);
	if (given && strcmp(given, kind) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("kind of provider \"%s\" cannot be changed", change->name),
				 errdetail("It is \"%s\".", kind),
				 errhint("Create another provider for kind \"%s\".", given)));
	change->gateway = wa_gateway_find(kind);
	if (change->gateway == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown kind \"%s\" of provider \"%s\"", kind, change->name),
				 errhint("Known kinds: %s.", known_kinds())));
}

/*
 * Leave out what this function itself has added to the settings that it
 * showed, so that its answer can be edited and given back.
 */
static void
drop_shown(WaOptions *options)
{
	int			n = 0;

	for (int i = 0; i < options->n; i++)
	{
		bool		shown = false;

		for (int k = 0; !shown && k < lengthof(shown_only); k++)
			shown = strcmp(options->list[i].name, shown_only[k]) == 0;
		if (!shown)
			options->list[n++] = options->list[i];
	}
	options->n = n;
}

static void
check_known(const WaProviderChange *change)
{
	const char *known[WA_MAX_KNOWN_SETTINGS];
	int			n = 0;

	for (int i = 0; i < lengthof(common_settings); i++)
		known[n++] = common_settings[i];
	for (size_t i = 0; i < change->gateway->nsettings && n + 2 <= WA_MAX_KNOWN_SETTINGS; i++)
	{
		const WaGatewaySetting *setting = &change->gateway->settings[i];
		char	   *file = wa_admin_file_setting(setting->name);

		known[n++] = setting->name;
		if (setting->secret && strcmp(file, WA_SECRET_TOKEN_FILE) != 0)
			known[n++] = file;
	}
	wa_admin_options_check_known(change->options, known, n,
								 psprintf("a provider of kind %s", change->gateway->kind));
}

/* The base URL, checked; NULL: the one of the kind. */
static const char *
new_base_url(WaProviderChange *change, const WaOption *option)
{
	const char *url;
	WaSaidText	err;

	if (wa_admin_option_is_null(option))
		return NULL;
	url = wa_admin_option_string(option);
	if (!wa_gateway_base_url_ok(url, &err))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("base_url of provider \"%s\" cannot be used", change->name),
				 errdetail("The paths of requests are put behind it, so it must be a plain URL without \"?\" and \"#\".")));
	if (!wa_gateway_url_allowed(change->gateway->kind, url, wa_guc_allowed_hosts,
								&err))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("base_url of provider \"%s\" is not allowed", change->name),
				 errdetail_internal("%s", wa_said_english(WA_SAID_IN(&err))),
				 errhint("A superuser says in sicantik_wa.allowed_hosts which hosts each kind of provider may be reached at.")));
	return url;
}

/*
 * Bind "is it given" and its value, for one column.  JSON null stands for
 * "otherwise"; with the sequence, which has no such value, it is an error.
 */
static void
bind_sequence(WaArgs *args, const WaProviderChange *change)
{
	const WaOption *option = wa_admin_options_find(change->options, "sequence");

	wa_arg_bool(args, option != NULL);
	wa_arg_int4(args, option ? wa_admin_option_integer(option, INT_MIN, INT_MAX) : 0);
}

static void
bind_max_in_flight(WaArgs *args, const WaProviderChange *change)
{
	const WaOption *option = wa_admin_options_find(change->options, "max_in_flight");

	wa_arg_bool(args, option != NULL);
	wa_arg_int4(args, option && !wa_admin_option_is_null(option) ?
				wa_admin_option_integer(option, 1, 1000) : change->gateway->limits->max_in_flight);
}

static void
bind_daily_cap(WaArgs *args, const WaProviderChange *change)
{
	const WaOption *option = wa_admin_options_find(change->options, "daily_cap");
	bool		no_cap = option == NULL || wa_admin_option_is_null(option);

	wa_arg_bool(args, option != NULL);
	wa_arg_datum(args, INT4OID,
				 Int32GetDatum(no_cap ? 0 : wa_admin_option_integer(option, 0, INT_MAX)),
				 no_cap);
}

static void
bind_duration(WaArgs *args, const WaProviderChange *change, const char *name, int64 otherwise)
{
	const WaOption *option = wa_admin_options_find(change->options, name);

	wa_arg_bool(args, option != NULL);
	wa_arg_int8(args, option && !wa_admin_option_is_null(option) ?
				wa_admin_option_duration(option) : otherwise);
}

static void
bind_boolean(WaArgs *args, const WaProviderChange *change, const char *name)
{
	const WaOption *option = wa_admin_options_find(change->options, name);

	wa_arg_bool(args, option != NULL);
	wa_arg_bool(args, option ? wa_admin_option_boolean(option) : false);
}

/*
 * Do two base URLs, as they are stored (NULL: the one of the kind), come to
 * the same?
 */
static bool
same_url(const WaProviderChange *change, const char *one, const char *other)
{
	size_t		one_len;
	size_t		other_len;

	one = one ? one : change->gateway->base_url;
	other = other ? other : change->gateway->base_url;
	one_len = strlen(one);
	other_len = strlen(other);
	while (one_len > 0 && one[one_len - 1] == '/')
		one_len--;
	while (other_len > 0 && other[other_len - 1] == '/')
		other_len--;
	return one_len == other_len && strncmp(one, other, one_len) == 0;
}

static void
update_row(WaProviderChange *change)
{
	static WaStatement known_url =
		WA_STATEMENT("SELECT base_url FROM wa.provider WHERE name = $1");
	static WaStatement update =
		WA_STATEMENT("UPDATE wa.provider SET"
					 " base_url = CASE WHEN $2 THEN $3 ELSE base_url END,"
					 " active = CASE WHEN $4 THEN $5 ELSE active END,"
					 " is_default = CASE WHEN $6 THEN $7 ELSE is_default END,"
					 " sequence = CASE WHEN $8 THEN $9 ELSE sequence END,"
					 " max_in_flight = CASE WHEN $10 THEN $11 ELSE max_in_flight END,"
					 " daily_cap = CASE WHEN $12 THEN $13 ELSE daily_cap END,"
					 " min_gap = CASE WHEN $14 THEN $15 * interval '1 microsecond' ELSE min_gap END,"
					 " gap_jitter = CASE WHEN $16 THEN $17 * interval '1 microsecond' ELSE gap_jitter END,"
					 " recipient_gap = CASE WHEN $18 THEN $19 * interval '1 microsecond' ELSE recipient_gap END,"
					 " rate_per_second = CASE WHEN $20 THEN $21 ELSE rate_per_second END,"
					 " state = CASE WHEN $22 THEN $23 WHEN $24 THEN 'draft' ELSE state END,"
					 " tested_at = CASE WHEN $24 THEN NULL ELSE tested_at END,"
					 " last_error = CASE WHEN $22 OR $24 THEN NULL ELSE last_error END,"
					 " last_error_said = CASE WHEN $22 OR $24 THEN NULL ELSE last_error_said END,"
					 " last_error_at = CASE WHEN $22 OR $24 THEN NULL ELSE last_error_at END,"
					 " probe_at = CASE WHEN $22 OR $24 THEN NULL ELSE probe_at END,"
					 " failed_probes = CASE WHEN $22 OR $24 THEN 0 ELSE failed_probes END,"
					 " quota_left = CASE WHEN $24 THEN NULL ELSE quota_left END,"
					 " quota_at = CASE WHEN $24 THEN NULL ELSE quota_at END,"
					 " settings = (CASE WHEN jsonb_typeof(settings) = 'object' THEN settings ELSE '{}' END"
					 " - $25) || jsonb_object($26, $27)"
					 " WHERE name = $1");
	const WaOption *url = wa_admin_options_find(change->options, "base_url");
	const WaOption *rate = wa_admin_options_find(change->options, "rate_per_second");
	const WaOption *state = wa_admin_options_find(change->options, "state");
	bool		no_rate = rate == NULL || wa_admin_option_is_null(rate);
	const char *new_url = NULL;
	WaArgs		args = {0};

	if (url)
	{
		char	   *known;

		new_url = new_base_url(change, url);
		wa_arg_text(&args, change->name);
		known = wa_row_text(wa_query(&known_url, &args), 0, 1);
		if (same_url(change, known, new_url))
			new_url = known;
		else
			change->access_changed = true;
		memset(&args, 0, sizeof(args));
	}
	wa_arg_text(&args, change->name);
	wa_arg_bool(&args, url != NULL);
	wa_arg_text(&args, new_url);
	bind_boolean(&args, change, "active");
	bind_boolean(&args, change, "is_default");
	bind_sequence(&args, change);
	bind_max_in_flight(&args, change);
	bind_daily_cap(&args, change);
	bind_duration(&args, change, "min_gap", change->gateway->limits->min_gap_us);
	bind_duration(&args, change, "gap_jitter", change->gateway->limits->gap_jitter_us);
	bind_duration(&args, change, "recipient_gap", change->gateway->limits->recipient_gap_us);
	wa_arg_bool(&args, rate != NULL);
	wa_arg_datum(&args, FLOAT8OID,
				 Float8GetDatum(no_rate ? 0 : wa_admin_option_number(rate)), no_rate);
	wa_arg_bool(&args, state != NULL);
	wa_arg_text(&args, state ? wa_admin_option_word(state, wa_route_state_names, WA_PROVIDER_STATES) : NULL);
	wa_arg_bool(&args, change->access_changed);
	wa_arg_text_array(&args, change->drop_names, change->ndrop);
	wa_arg_text_array(&args, change->put_names, change->nput);
	wa_arg_text_array(&args, change->put_values, change->nput);
	wa_query(&update, &args);
}

/*
 * There is one default provider: take it from the one that has it.  All rows
 * are locked first, so that two callers cannot make one each.
 */
static void
take_default(const char *name)
{
	static WaStatement lock =
		WA_STATEMENT("SELECT FROM wa.provider ORDER BY name FOR UPDATE");
	static WaStatement take =
		WA_STATEMENT("UPDATE wa.provider SET is_default = false WHERE is_default AND name <> $1");
	WaArgs		args = {0};

	wa_query(&lock, NULL);
	wa_arg_text(&args, name);
	wa_query(&take, &args);
}

/*
 * The provider as it is now, credentials as "***".  *missing: required
 * settings without value; *unfit: why they make no request, or NULL.
 */
static Datum
describe(const WaProviderChange *change, char **missing, char **unfit)
{
	static WaStatement describe_row =
		WA_STATEMENT("SELECT jsonb_build_object('provider', name, 'kind', kind, 'base_url', $2,"
					 " 'active', active, 'sequence', sequence, 'is_default', is_default, 'state', state,"
					 " 'max_in_flight', max_in_flight, 'min_gap', min_gap::text, 'gap_jitter', gap_jitter::text,"
					 " 'rate_per_second', rate_per_second, 'daily_cap', daily_cap,"
					 " 'recipient_gap', recipient_gap::text)"
					 " || coalesce((SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(settings) AS e"
					 " WHERE e.key = ANY ($3)), '{}')"
					 " || jsonb_object($4, array_fill('***'::text, ARRAY[cardinality($4)]))"
					 " || CASE WHEN paused_at IS NOT NULL THEN"
					 " jsonb_build_object('paused_at', paused_at, 'paused_by', paused_by) ELSE '{}' END"
					 " || CASE WHEN quota_left IS NOT NULL THEN"
					 " jsonb_build_object('quota_left', quota_left, 'quota_at', quota_at) ELSE '{}' END"
					 " || CASE WHEN cardinality($5) > 0 THEN jsonb_build_object('missing', $5) ELSE '{}' END"
					 " || CASE WHEN $6 IS NOT NULL THEN jsonb_build_object('problem', $6) ELSE '{}' END"
					 " FROM wa.provider WHERE name = $1");
	WaProviders providers;
	WaProvider *provider;
	const char *open[WA_MAX_KNOWN_SETTINGS];
	const char *stored[WA_MAX_KNOWN_SETTINGS];
	int			nopen = 0;
	int			nstored = 0;
	WaArgs		args = {0};

	wa_route_load_providers(&providers, true);
	provider = wa_route_find_provider(&providers, change->name);
	open[nopen++] = WA_SECRET_TOKEN_FILE;
	for (size_t i = 0; i < change->gateway->nsettings; i++)
	{
		const WaGatewaySetting *setting = &change->gateway->settings[i];
		const char *value = wa_gateway_setting(provider->settings,
											   provider->nsettings, setting->name);

		open[nopen++] = setting->secret ? wa_admin_file_setting(setting->name) : setting->name;
		if (setting->secret && value)
			stored[nstored++] = setting->name;
	}
	*missing = provider->nmissing > 0 ?
		wa_admin_options_enumerate(provider->missing, provider->nmissing) : NULL;
	*unfit = provider->unfit ? wa_said_english(provider->problem) : NULL;

	wa_arg_text(&args, change->name);
	wa_arg_text(&args, provider->base_url);
	wa_arg_text_array(&args, open, nopen);
	wa_arg_text_array(&args, stored, nstored);
	wa_arg_text_array(&args, provider->missing, provider->nmissing);
	wa_arg_text(&args, wa_said_english(provider->problem));
	return wa_row_datum(wa_query(&describe_row, &args), 0, 1);
}

/*
 * wa_configure(): see admin.sql.
 */
Datum
wa_sql_configure(PG_FUNCTION_ARGS)
{
	char	   *name;
	Jsonb	   *settings;
	ErrorContextCallback hiding;
	WaCall		call;
	WaOptions	options;
	WaProviderChange change;
	const WaOption *is_default;
	char	   *missing;
	char	   *unfit;
	Datum		result;

	/* wa_import_odoo() calls it directly, and its statement holds nothing */
	if (fcinfo->flinfo)
		wa_call_hide_statement("SELECT wa_configure('...', '{...}')");
	name = wa_call_arg_text(fcinfo, 0);
	settings = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	hiding.callback = hide_statement;
	hiding.arg = NULL;
	hiding.previous = error_context_stack;
	error_context_stack = &hiding;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	if (name == NULL || !wa_admin_key_valid(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid name of a provider"),
				 errhint("Use lower-case letters, digits, \"_\" and \"-\", beginning with a letter.")));
	wa_admin_options_read(&options, settings);
	drop_shown(&options);
	memset(&change, 0, sizeof(change));
	change.name = name;
	change.options = &options;
	find_kind(&change);
	check_known(&change);

	if (change.is_new)
		wa_admin_insert_provider(name, change.gateway, 10);
	is_default = wa_admin_options_find(&options, "is_default");
	if (is_default && wa_admin_option_boolean(is_default))
		take_default(name);
	wa_admin_change_settings(&change);
	update_row(&change);
	result = wa_call_datum(&call, describe(&change, &missing, &unfit), false, -1);

	/* a file can be mended without another call, and the answer names it */
	if (unfit && change.access_changed && !change.names_file)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("provider \"%s\" cannot be used like this: %s", name, unfit)));

	/* from wa_import_odoo() it came out of a table of Odoo's */
	if (change.literal_secret && fcinfo->flinfo)
		ereport(NOTICE,
				(errmsg("a credential that stands in a statement can end up in logs"),
				 errhint("Put it into a file and name the file: {\"%s\": \"...\"}.",
						 change.literal_secret)));
	if (missing)
		ereport(NOTICE,
				(errmsg("provider \"%s\" still needs: %s", name, missing),
				 errhint("Give them with wa_configure(), then: SELECT * FROM wa_test_connection('%s').",
						 name)));
	else if (change.access_changed && !wa_admin_options_find(&options, "state"))
		ereport(NOTICE,
				(errmsg("provider \"%s\" is not used before its connection was tested", name),
				 errhint("Next: SELECT * FROM wa_test_connection('%s').", name)));
	wa_call_end(&call);
	error_context_stack = hiding.previous;
	PG_RETURN_DATUM(result);
}
