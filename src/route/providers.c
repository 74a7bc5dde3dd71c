/*-------------------------------------------------------------------------
 *
 * providers.c
 *		Providers as they are configured.
 *
 * The rows are untrusted input: whoever may write the tables can put anything
 * there, past wa_configure() and its checks.  So each row is checked here,
 * when it is used, and what is wrong with it becomes its "problem" instead of
 * an error, which would stop every other provider too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"

#include "office/setting.h"
#include "pg/query.h"
#include "route/providers.h"
#include "route/secret.h"
#include "sicantik_wa.h"

/* Columns of the statement in wa_route_load_providers(). */
enum
{
	COL_NAME = 1,
	COL_KIND,
	COL_BASE_URL,
	COL_ACTIVE,
	COL_SEQUENCE,
	COL_IS_DEFAULT,
	COL_STATE,
	COL_MAX_IN_FLIGHT,
	COL_MIN_GAP,
	COL_GAP_JITTER,
	COL_RATE_PER_SECOND,
	COL_DAILY_CAP,
	COL_RECIPIENT_GAP,
	COL_PAUSED_BY,
	COL_PAUSED_AT,
	COL_PROBE_AT,
	COL_FAILED_PROBES,
	COL_QUOTA_LEFT,
	COL_QUOTA_AT,
	COL_SLOW_UNTIL,
	COL_SETTING_NAMES,
	COL_SETTING_VALUES
};

/* The settings of a row "p" as they stand there, names and values. */
#define RAW_SETTINGS \
	"LATERAL (SELECT array_agg(e.key ORDER BY e.key) AS names," \
	" array_agg(e.value ORDER BY e.key) AS vals" \
	" FROM jsonb_each_text(CASE WHEN jsonb_typeof(p.settings) = 'object'" \
	" THEN p.settings ELSE '{}' END) AS e" \
	" WHERE octet_length(e.value) <= 8192) AS s"

/* The same, before any check. */
typedef struct RawSettings
{
	WaPair	   *pairs;
	size_t		n;
} RawSettings;

static const char *
raw_setting(const RawSettings *raw, const char *name)
{
	return wa_gateway_setting(raw->pairs, raw->n, name);
}

static void
read_raw(WaRows rows, uint64 row, int names_column, int values_column, RawSettings *raw)
{
	int			nnames;
	int			nvalues;
	char	  **names = wa_row_text_array(rows, row, names_column, &nnames);
	char	  **values = wa_row_text_array(rows, row, values_column, &nvalues);

	raw->pairs = palloc(sizeof(WaPair) * Max(nnames, 1));
	raw->n = 0;
	for (int i = 0; i < Min(nnames, nvalues); i++)
	{
		if (names[i] && values[i])
			raw->pairs[raw->n++] = (WaPair)
		{
			names[i], values[i]
		};
	}
}

/*
 * The setting that names the file of a credential: the short name, where the
 * row has that one.
 */
static const char *
file_setting(const WaProvider *provider, const RawSettings *raw, const char *name)
{
	const char *own = psprintf("%s%s", name, WA_SECRET_FILE_SUFFIX);
	const char *primary = wa_route_primary_secret(provider->gateway);

	return raw_setting(raw, own) == NULL && primary && strcmp(name, primary) == 0 ?
		WA_SECRET_TOKEN_FILE : own;
}

/*
 * A credential of the provider, from its file if the row names one, else from
 * wa.secret.  NULL if there is none; *why is set if a file is named and cannot
 * be read.
 */
static char *
load_secret(WaProvider *provider, const RawSettings *raw,
			const char *name, WaSaid *why)
{
	const char *file = raw_setting(raw, file_setting(provider, raw, name));
	bool		exposed;
	char	   *value;

	*why = NULL;
	if (file)
	{
		value = wa_route_try_secret_file(file, provider->kind, wa_route_secret_several(provider->gateway, name),
										 why, &exposed);
		if (exposed && provider->exposed == NULL)
			provider->exposed = pstrdup(file);
		return value;
	}
	return wa_route_read_secret(provider->name, name);
}

/* The first problem is the one that is told; wrong: its setting, or NULL. */
static void
add_problem(WaProvider *provider, const char *wrong, WaSaid problem)
{
	if (provider->problem)
		return;
	provider->problem = wa_said_copy(problem);
	provider->wrong = wrong;
}

/*
 * Nothing that has been accepted as configuration may turn out, message by
 * message, to be no request: the same code that will build one builds one now,
 * from the settings as they are.
 */
static void
try_request(WaProvider *provider)
{
	static const WaOutbound sample = {
		.number = "628110000000",.form = WA_FORM_TEXT,.body = "-"
	};
	WaRequest	request = {0};
	WaSaidText	err = {""};

	if (!provider->gateway->build(provider->base_url, provider->settings,
								  provider->nsettings, &sample, &request,
								  &err))
	{
		provider->unfit = true;
		add_problem(provider, NULL, WA_SAID_IN(&err));
	}
	wa_gateway_request_free(&request);
}

/*
 * Leave the credentials out of the settings, and wipe them.
 */
static void
drop_secrets(WaProvider *provider)
{
	size_t		n = 0;

	for (size_t i = 0; i < provider->nsettings; i++)
	{
		WaPair	   *pair = &provider->settings[i];
		bool		secret = wa_gateway_setting(provider->secrets, provider->nsecrets,
												pair->name) != NULL;

		if (!secret)
			provider->settings[n++] = *pair;
	}
	provider->nsettings = n;
	for (size_t i = 0; i < provider->nsecrets; i++)
		explicit_bzero(unconstify(char *, provider->secrets[i].value),
					   strlen(provider->secrets[i].value));
	provider->nsecrets = 0;
}

/*
 * Fill in settings and credentials of a provider of known kind, and find out
 * which required ones are missing, or unfit for a request.
 */
static void
load_settings(WaProvider *provider, const RawSettings *raw, bool with_secrets)
{
	const WaGateway *gateway = provider->gateway;

	provider->missing = palloc(sizeof(char *) * Max(gateway->nsettings, 1));
	provider->settings = palloc0(sizeof(WaPair) * Max(gateway->nsettings, 1));
	provider->secrets = palloc0(sizeof(WaPair) * Max(gateway->nsettings, 1));
	for (size_t i = 0; i < gateway->nsettings; i++)
	{
		const WaGatewaySetting *setting = &gateway->settings[i];
		char	   *value = NULL;
		WaSaid		why = NULL;

		if (setting->secret)
		{
			value = load_secret(provider, raw, setting->name, &why);
			if (value)
				provider->untouched = false;
		}
		else if (raw_setting(raw, setting->name))
			value = pstrdup(raw_setting(raw, setting->name));
		else if (setting->default_value)
			value = pstrdup(setting->default_value);

		if (why)
			add_problem(provider, file_setting(provider, raw, setting->name), why);
		else if (setting->required && (value == NULL || value[0] == '\0'))
			provider->missing[provider->nmissing++] = setting->name;
		if (value == NULL)
			continue;
		provider->settings[provider->nsettings].name = setting->name;
		provider->settings[provider->nsettings++].value = value;
		if (setting->secret)
		{
			provider->secrets[provider->nsecrets].name = setting->name;
			provider->secrets[provider->nsecrets++].value = value;
		}
	}
	if (provider->nmissing > 0)
	{
		StringInfoData names;

		initStringInfo(&names);
		for (int i = 0; i < provider->nmissing; i++)
			appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", provider->missing[i]);
		add_problem(provider, NULL, wa_say(WA_SAY_SETTINGS_MISSING, names.data));
	}
	if (provider->problem == NULL)
		try_request(provider);
	if (!with_secrets)
		drop_secrets(provider);
}

/* The base URL in force, without slashes at its end. */
static char *
base_url(const char *own, const WaGateway *gateway)
{
	char	   *url = pstrdup(own ? own : gateway->base_url);
	size_t		len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		url[--len] = '\0';
	return url;
}

/* In the order of WaProviderState. */
const char *const wa_route_state_names[WA_PROVIDER_STATES] = {
	[WA_PROVIDER_DRAFT] = "draft",
	[WA_PROVIDER_CONFIGURED] = "configured",
	[WA_PROVIDER_ERROR] = "error",
};

/* The reverse; the table's owner can put anything there. */
WaProviderState
wa_route_state(const char *name)
{
	for (int i = 0; i < WA_PROVIDER_STATES; i++)
		if (strcmp(wa_route_state_names[i], name) == 0)
			return (WaProviderState) i;
	return WA_PROVIDER_DRAFT;
}

static void
load_row(WaProvider *provider, WaRows rows, uint64 row, RawSettings *raw)
{
	memset(provider, 0, sizeof(*provider));
	provider->name = wa_row_text(rows, row, COL_NAME);
	provider->kind = wa_row_text(rows, row, COL_KIND);
	provider->gateway = wa_gateway_find(provider->kind);
	provider->base_url = wa_row_text(rows, row, COL_BASE_URL);
	provider->active = wa_row_bool(rows, row, COL_ACTIVE);
	provider->sequence = wa_row_int4(rows, row, COL_SEQUENCE);
	provider->is_default = wa_row_bool(rows, row, COL_IS_DEFAULT);
	provider->state = wa_route_state(wa_row_text(rows, row, COL_STATE));
	provider->max_in_flight = Min(Max(wa_row_int4(rows, row, COL_MAX_IN_FLIGHT), 1), 1000);
	provider->min_gap_us = Max(wa_row_int8(rows, row, COL_MIN_GAP), 0);
	provider->gap_jitter_us = Max(wa_row_int8(rows, row, COL_GAP_JITTER), 0);
	provider->recipient_gap_us = Max(wa_row_int8(rows, row, COL_RECIPIENT_GAP), 0);
	provider->rate_per_second = wa_row_float8(rows, row, COL_RATE_PER_SECOND);
	if (isnan(provider->rate_per_second))
		add_problem(provider, "rate_per_second", wa_say(WA_SAY_RATE_NOT_A_NUMBER));
	if (!(provider->rate_per_second > 0) || isinf(provider->rate_per_second))
		provider->rate_per_second = 0;
	provider->daily_cap = wa_row_isnull(rows, row, COL_DAILY_CAP) ? -1 :
		Max(wa_row_int4(rows, row, COL_DAILY_CAP), 0);
	if (!wa_row_isnull(rows, row, COL_PAUSED_AT))
	{
		char	   *since = wa_office_time_words(wa_row_timestamptz(rows, row, COL_PAUSED_AT), wa_office_get("time_zone"));
		char	   *by = wa_row_text(rows, row, COL_PAUSED_BY);

		provider->paused = by ? wa_say(WA_SAY_PAUSED_BY_SINCE, by, since) :
			wa_say(WA_SAY_PAUSED_BY_SOMEBODY, since);
	}
	provider->probe_at = wa_row_timestamptz(rows, row, COL_PROBE_AT);
	provider->failed_probes = Max(wa_row_int4(rows, row, COL_FAILED_PROBES), 0);
	provider->quota_left = wa_row_isnull(rows, row, COL_QUOTA_LEFT) ? -1 :
		Max(wa_row_int8(rows, row, COL_QUOTA_LEFT), 0);
	provider->quota_at = wa_row_timestamptz(rows, row, COL_QUOTA_AT);
	provider->slow_until = wa_row_timestamptz(rows, row, COL_SLOW_UNTIL);
	read_raw(rows, row, COL_SETTING_NAMES, COL_SETTING_VALUES, raw);
	provider->untouched = raw->n == 0 && provider->base_url == NULL &&
		provider->state == WA_PROVIDER_DRAFT;
}

/*
 * All providers, active or not, by sequence and name.  Credentials are left
 * out unless with_secrets, but whether they are there is looked at always.
 */
void
wa_route_load_providers(WaProviders *providers, bool with_secrets)
{
	static WaStatement load =
		WA_STATEMENT("SELECT name, kind, base_url, active, sequence, is_default, state, max_in_flight,"
					 " (extract(epoch FROM min_gap) * 1000000)::bigint,"
					 " (extract(epoch FROM gap_jitter) * 1000000)::bigint,"
					 " rate_per_second, daily_cap,"
					 " (extract(epoch FROM recipient_gap) * 1000000)::bigint,"
					 " paused_by, paused_at, probe_at, failed_probes, quota_left, quota_at,"
					 " (SELECT max(coalesce(n.until, n.told_at + interval '" WA_NEWS_LAST "')) FROM wa.account_news AS n"
					 " WHERE n.provider = p.name AND n.effect = 'slower' AND NOT EXISTS (SELECT FROM wa.account_news AS r"
					 " WHERE r.provider = p.name AND r.about = n.about AND r.effect = 'resume' AND r.told_at > n.told_at)),"
					 " s.names, s.vals"
					 " FROM wa.provider AS p, " RAW_SETTINGS
					 " ORDER BY sequence, name COLLATE \"C\"");
	WaRows		rows = wa_query(&load, NULL);
	RawSettings *raw = palloc0(sizeof(RawSettings) * Max(rows.n, 1));

	providers->n = (int) rows.n;
	providers->allowed_hosts = pstrdup(wa_guc_allowed_hosts);
	providers->list = palloc0(sizeof(WaProvider) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
		load_row(&providers->list[i], rows, i, &raw[i]);
	wa_rows_free(rows);

	for (uint64 i = 0; i < rows.n; i++)
	{
		WaProvider *provider = &providers->list[i];
		WaSaidText	err;

		if (provider->gateway == NULL)
		{
			add_problem(provider, NULL, wa_say(WA_SAY_KIND_UNKNOWN, provider->kind));
			continue;
		}
		provider->base_url = base_url(provider->base_url, provider->gateway);
		if (!wa_gateway_base_url_ok(provider->base_url, &err))
			add_problem(provider, "base_url", WA_SAID_IN(&err));
		else if (!wa_gateway_url_allowed(provider->kind, provider->base_url,
										 wa_guc_allowed_hosts, &err))
			add_problem(provider, "base_url", wa_say(WA_SAY_BASE_URL_NOT_ALLOWED, WA_SAID_IN(&err)));
		load_settings(provider, &raw[i], with_secrets);
	}
}

/*
 * What a webhook needs, which may come a thousand times a second: the providers
 * of the kind that this one is of, and of their rows no more than name, kind
 * and settings.  Nothing is checked, tried or read from a file, and no
 * credential is among them (wa_route_load_proof()).  Returns the one of this
 * name, or NULL.
 */
WaProvider *
wa_route_load_kind_of(WaProviders *providers, const char *name)
{
	static WaStatement load =
		WA_STATEMENT("SELECT p.name, p.kind, s.names, s.vals FROM wa.provider AS p, " RAW_SETTINGS
					 " WHERE p.kind = (SELECT kind FROM wa.provider WHERE name = $1)"
					 " ORDER BY p.sequence, p.name COLLATE \"C\"");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, name);
	rows = wa_query(&load, &args);
	providers->n = (int) rows.n;
	providers->list = palloc0(sizeof(WaProvider) * Max(rows.n, 1));
	for (uint64 i = 0; i < rows.n; i++)
	{
		WaProvider *provider = &providers->list[i];
		RawSettings raw;

		provider->name = wa_row_text(rows, i, 1);
		provider->kind = wa_row_text(rows, i, 2);
		provider->gateway = wa_gateway_find(provider->kind);
		read_raw(rows, i, 3, 4, &raw);
		provider->settings = raw.pairs;
		provider->nsettings = raw.n;
	}
	wa_rows_free(rows);
	return wa_route_find_provider(providers, name);
}

/*
 * A credential of a provider that was loaded so, palloc()ed; NULL: it has none,
 * or none that can be read.
 */
char *
wa_route_load_proof(WaProvider *provider, const char *secret)
{
	RawSettings raw = {provider->settings, provider->nsettings};
	WaSaid		why;

	return load_secret(provider, &raw, secret, &why);
}

/*
 * Why no message goes by it to somebody of whom only an id is known, or NULL.
 */
WaSaid
wa_route_takes_no_ids(const WaProvider *provider)
{
	const char *name = provider->gateway ? provider->gateway->id_setting : NULL;
	bool		takes = false;

	if (name == NULL)
		return wa_say(WA_SAY_PROVIDER_TAKES_NO_IDS);
	if (wa_gateway_boolean(wa_gateway_setting(provider->settings, provider->nsettings, name), &takes) && takes)
		return NULL;
	return wa_say(WA_SAY_PROVIDER_SETTING_IS_OFF, name);
}

/*
 * The provider of this name, or NULL; NULL is no name.
 */
WaProvider *
wa_route_find_provider(const WaProviders *providers, const char *name)
{
	if (name == NULL)
		return NULL;
	for (int i = 0; i < providers->n; i++)
		if (strcmp(providers->list[i].name, name) == 0)
			return &providers->list[i];
	return NULL;
}
