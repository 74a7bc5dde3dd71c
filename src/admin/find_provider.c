/*-------------------------------------------------------------------------
 *
 * find_provider.c
 *		Findings about the providers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "admin/admin.h"
#include "admin/findings.h"
#include "compose/batch.h"
#include "office/setting.h"
#include "pg/query.h"
#include "route/secret.h"

/* Days in which the end of a version of an API is told before it comes. */
#define VERSION_ENDS_DAYS	90

/* What would make one usable, if none is. */
typedef struct Candidates
{
	const char *paused;
	const WaProvider *draft;	/* complete, not tested, or the test failed */
	WaSaid		next;			/* of that one */
	WaSaid		error;			/* of that one, or NULL */
	const WaProvider *incomplete;
} Candidates;

/* The setting by which a credential is given best: the name of its file. */
static char *
file_setting(const WaGateway *gateway, const char *secret)
{
	const char *primary = wa_route_primary_secret(gateway);

	return primary && strcmp(secret, primary) == 0 ? pstrdup(WA_SECRET_TOKEN_FILE) : wa_admin_file_setting(secret);
}

/*
 * The wa_configure() that gives a provider of this kind what is wrong with it
 * or lacking, so that one that was typed leads on.  p NULL: of which nothing is
 * there yet.  What reading the templates needs is asked for with the rest.
 */
static WaSaid
what_configures(const WaGateway *gateway, const char *name, const WaProvider *p)
{
	StringInfoData settings;
	bool		named = false;

	/* wa_configure() knows no such kind */
	if (gateway == NULL)
		return wa_said_statement("UPDATE wa.provider SET active = false WHERE name = %s", quote_literal_cstr(name));
	initStringInfo(&settings);
	if (p && p->wrong)
		appendStringInfo(&settings, strcmp(p->wrong, "rate_per_second") == 0 ? "\"%s\": null" : "\"%s\": \"...\"", p->wrong);
	for (size_t i = 0; i < gateway->nsettings; i++)
	{
		const WaGatewaySetting *setting = &gateway->settings[i];
		bool		lacking = p == NULL && setting->required && setting->default_value == NULL;

		for (int m = 0; p && m < p->nmissing; m++)
			lacking = lacking || strcmp(p->missing[m], setting->name) == 0;
		named = named || lacking;
		if (gateway->account_setting && strcmp(setting->name, gateway->account_setting) == 0)
			lacking = named && !(p && wa_gateway_setting(p->settings, p->nsettings, setting->name));
		/* a request cannot be made of what was given */
		if (p && p->unfit && !setting->secret && wa_gateway_setting(p->settings, p->nsettings, setting->name) &&
			!(setting->default_value &&
			  strcmp(setting->default_value, wa_gateway_setting(p->settings, p->nsettings, setting->name)) == 0))
			lacking = true;
		if (lacking)
			appendStringInfo(&settings, "%s\"%s\": \"...\"", settings.len > 0 ? ", " : "",
							 setting->secret ? file_setting(gateway, setting->name) : setting->name);
	}
	if (settings.len == 0)
		appendStringInfoString(&settings, "\"active\": false");
	return wa_said_statement("SELECT wa_configure('%s', '{%s}')", name, settings.data);
}

/* What the row says went wrong, in the office's time. */
typedef struct Trouble
{
	WaSaid		remarks;		/* all that is worth a word, or NULL */
	WaSaid		error;			/* what was wrong last, or NULL */
	char	   *again_at;		/* when it is tested again; NULL: soon */
} Trouble;

static void
read_trouble(Trouble *trouble, const WaProvider *p, const char *time_zone)
{
	static WaStatement read =
		WA_STATEMENT("SELECT last_error, last_error_said, CASE WHEN probe_at > now() THEN " WA_SQL_TIME("probe_at", "$2") " END,"
					 " coalesce(" WA_SQL_TIME("last_error_at", "$2") ", '-'), state = 'error', nullif(greatest(failed_probes, 0), 0)::text,"
					 " quota_left::text, " WA_SQL_TIME("quota_at", "$2")
					 " FROM wa.provider WHERE name = $1");
	WaArgs		args = {0};
	WaRows		rows;
	WaSaid		all = NULL;

	wa_arg_text(&args, p->name);
	wa_arg_text(&args, time_zone);
	rows = wa_query(&read, &args);
	if (rows.n == 0)
		return;
	trouble->error = wa_row_said(rows, 0, 1);
	trouble->again_at = wa_row_text(rows, 0, 3);
	if (trouble->error)
		all = wa_say(WA_SAY_SHOWN_ERROR_AT, trouble->error, wa_row_text(rows, 0, 4));
	if (wa_row_bool(rows, 0, 5))
		all = wa_said_and(all, trouble->again_at ? wa_say(WA_SAY_SHOWN_TESTED_AT, trouble->again_at) :
						  wa_say(WA_SAY_SHOWN_TESTED_SOON));
	if (!wa_row_isnull(rows, 0, 6))
		all = wa_said_and(all, wa_say(WA_SAY_SHOWN_TESTS_FAILED, wa_row_text(rows, 0, 6)));
	if (!wa_row_isnull(rows, 0, 7) && !wa_row_isnull(rows, 0, 8))
		all = wa_said_and(all, wa_say(WA_SAY_SHOWN_QUOTA, wa_row_text(rows, 0, 7), wa_row_text(rows, 0, 8)));
	trouble->remarks = all;
}

static void
show_provider(WaFindings *findings, const char *item, const WaProvider *p, const Trouble *trouble)
{
	WaSaid		detail = p->problem ? p->problem : trouble->remarks;

	if (p->paused)
		detail = wa_said_and(wa_say(WA_SAY_WITH_WHAT_TO_DO, p->paused, wa_said_statement("SELECT wa_resume('%s')", p->name)),
							 detail);
	wa_admin_show(findings, item,
				  psprintf("%s%s%s%s", wa_route_state_names[p->state],
						   p->active ? "" : ", not active",
						   p->paused ? ", paused" : "",
						   p->is_default ? ", default" : ""),
				  detail);
}

/*
 * The version of the API that is asked for.  Of a younger one than we know
 * there is nothing to mend.
 */
static void
find_version(WaFindings *findings, const char *item, const WaProvider *p)
{
	WaGatewayVersion version = {0};
	DateADT		today = (DateADT) (GetCurrentTimestamp() / USECS_PER_DAY);
	DateADT		last;
	WaSaid		next;

	if (p->gateway->version == NULL)
		return;
	p->gateway->version(p->settings, p->nsettings, &version);
	if (version.ends == NULL)
	{
		wa_admin_find(findings, WA_FINE, item, NULL,
					  wa_say(WA_SAY_API_VERSION_UNKNOWN, version.version, p->gateway->name));
		return;
	}
	if (version.ends[0] == '\0')
		return;
	last = DatumGetDateADT(DirectFunctionCall1(date_in, CStringGetDatum(version.ends)));
	if (last > today + VERSION_ENDS_DAYS)
		return;
	next = wa_said_statement("SELECT wa_configure('%s', '{\"%s\": \"%s\"}')",
							 p->name, version.setting, version.proposed);
	if (last > today)
		wa_admin_find(findings, WA_WARNING_PROVIDER, item, next,
					  wa_say(WA_SAY_API_VERSION_ENDS, version.version, p->gateway->name, version.ends));
	else
		wa_admin_find(findings, WA_WARNING_PROVIDER, item, next,
					  wa_say(WA_SAY_API_VERSION_ENDED, version.version, p->gateway->name, version.ends));
}

/* Is it its address that is wrong?  Then no test helps. */
static bool
is_elsewhere(const WaProvider *p, WaSaid error)
{
	return error && p->state == WA_PROVIDER_ERROR &&
		strcmp(wa_said_english(error), wa_said_english(wa_say(WA_SAY_PROVIDER_NOT_AT_ADDRESS, p->gateway->name))) == 0;
}

static void
find_provider(WaFindings *findings, const WaProvider *p, Candidates *candidates)
{
	char	   *item = psprintf("provider %s", p->name);
	WaSaid		test = wa_said_statement("SELECT * FROM wa_test_connection('%s')", p->name);
	Trouble		trouble = {0};

	read_trouble(&trouble, p, findings->story->time_zone);
	show_provider(findings, item, p, &trouble);
	if (!p->active)
		wa_admin_find(findings, WA_FINE, item, NULL, wa_say(WA_SAY_PROVIDER_NOT_ACTIVE));
	else if (p->untouched)
		wa_admin_find(findings, WA_FINE, item, NULL, wa_say(WA_SAY_PROVIDER_UNTOUCHED));
	else if (p->paused)
	{
		candidates->paused = p->name;
		wa_admin_find(findings, WA_WARNING_PAUSED, item, wa_said_statement("SELECT wa_resume('%s')", p->name),
					  wa_said_and(p->paused,
								  wa_say(WA_SAY_RESUME_WHEN_USED_AGAIN, p->name)));
	}
	else if (p->problem)
	{
		WaSaid		configure = what_configures(p->gateway, p->name, p);

		if (candidates->incomplete == NULL)
			candidates->incomplete = p;
		wa_admin_find(findings, WA_ERROR_PROVIDER, item, configure,
					  wa_said_and(p->problem, p->gateway == NULL ? configure :
								  wa_say(WA_SAY_CONFIGURE_OR_SWITCH_OFF, p->name, configure)));
	}
	else
	{
		if (p->exposed)
			wa_admin_find(findings, WA_WARNING_PROVIDER, item, NULL,
						  wa_say(WA_SAY_CREDENTIAL_EXPOSED, p->exposed));
		find_version(findings, item, p);
		if (is_elsewhere(p, trouble.error))
			test = wa_said_statement("SELECT wa_configure('%s', '{\"base_url\": \"...\"}')", p->name);
		if (!wa_route_is_usable(p) && candidates->draft == NULL)
		{
			candidates->draft = p;
			candidates->next = test;
			candidates->error = p->state == WA_PROVIDER_ERROR ? trouble.error : NULL;
		}
		if (wa_route_is_usable(p) && p->quota_left == 0)
			wa_admin_find(findings, WA_WARNING_PROVIDER, item, NULL,
						  wa_say(WA_SAY_QUOTA_IS_USED_UP));
		else if (wa_route_is_usable(p))
		{
			findings->usable++;
			wa_admin_find(findings, WA_FINE, item, NULL, NULL);
		}
		else if (p->state == WA_PROVIDER_ERROR)
			wa_admin_find(findings, WA_ERROR_PROVIDER, item, test,
						  wa_said_and(trouble.error ? trouble.error :
									  wa_say(WA_SAY_IN_STATE_ERROR),
									  trouble.again_at ? wa_say(WA_SAY_TESTED_AGAIN_AT, trouble.again_at, p->name) :
									  wa_say(WA_SAY_TESTED_AGAIN_SOON, p->name)));
		else
			wa_admin_find(findings, WA_WARNING_PROVIDER, item, test,
						  wa_say(WA_SAY_NOT_TESTED_YET, p->name));
	}
}

/* What of active scenarios a provider does not take. */
static bool
find_default_mapping(WaFindings *findings, const WaProvider *p)
{
	int			nscenarios;
	int			nmappings;
	WaScenario *scenarios = wa_compose_load_scenarios(&nscenarios);
	WaMapping  *mappings = wa_route_load_mappings(&nmappings);
	StringInfoData keys;
	const char *first = NULL;
	WaSaid		next;
	WaSaid		why;

	initStringInfo(&keys);
	for (int i = 0; i < nscenarios; i++)
	{
		const char *key = scenarios[i].template_key;
		bool		refused;

		if (!scenarios[i].active || key == NULL || wa_admin_takes(p, mappings, nmappings, key, &refused))
			continue;
		/* one that is refused has a row of its own */
		if (first == NULL && !refused)
			first = key;
		if (!refused)
			appendStringInfo(&keys, "%s%s", keys.len > 0 ? ", " : "", key);
	}
	if (first == NULL)
		return false;
	next = wa_admin_what_maps(p, mappings, nmappings, first, &why);
	wa_admin_find(findings, WA_WARNING_PROVIDER, "default provider", next,
				  wa_say(WA_SAY_DEFAULT_NOT_MAPPED, p->name, keys.data, why));
	return true;
}

/*
 * Without a default, consent chooses: Meta for whoever gave it, then the
 * gateways.  That is how it should be; a gateway as the default takes the
 * place of that choice.  One that takes nothing, or not all, is not what
 * somebody meant who made it the default.
 */
static void
find_default(WaFindings *findings)
{
	const WaProvider *first = NULL;
	const WaProvider *official = NULL;
	WaSaid		no_default;

	for (int i = 0; i < findings->providers.n; i++)
	{
		const WaProvider *p = &findings->providers.list[i];

		if (p->is_default)
			first = p;
		if (!p->active || p->gateway == NULL)
			continue;
		if (p->gateway->official && !p->untouched && official == NULL)
			official = p;
	}
	if (first == NULL)
	{
		wa_admin_find(findings, WA_FINE, "default provider", NULL, NULL);
		return;
	}
	no_default = wa_said_statement("SELECT wa_configure('%s', '{\"is_default\": false}')", first->name);
	if (!first->active)
		wa_admin_find(findings, WA_WARNING_PROVIDER, "default provider", no_default,
					  wa_say(WA_SAY_DEFAULT_SWITCHED_OFF, first->name));
	else if (!wa_route_is_usable(first))
	{
		WaSaid		next;

		if (first->problem)
			next = what_configures(first->gateway, first->name, first);
		else if (first->paused)
			next = wa_said_statement("SELECT wa_resume('%s')", first->name);
		else
			next = wa_said_statement("SELECT * FROM wa_test_connection('%s')", first->name);
		wa_admin_find(findings, WA_WARNING_PROVIDER, "default provider", next,
					  wa_say(WA_SAY_DEFAULT_NOT_USABLE, first->name, next));
	}
	else if (official && !first->gateway->official)
		wa_admin_find(findings, WA_WARNING_PROVIDER, "default provider", no_default,
					  wa_say(WA_SAY_DEFAULT_TAKES_ALL, first->name, official->name));
	else if (!find_default_mapping(findings, first))
		wa_admin_find(findings, WA_FINE, "default provider", NULL, NULL);
}

void
wa_admin_find_providers(WaFindings *findings)
{
	Candidates	candidates = {0};
	WaSaid		next;
	WaSaid		why;

	for (int i = 0; i < findings->providers.n; i++)
		find_provider(findings, &findings->providers.list[i], &candidates);
	if (findings->providers.n == 0)
		wa_admin_show(findings, "providers", "none", NULL);
	if (findings->usable > 0)
	{
		find_default(findings);
		return;
	}
	why = wa_say(WA_SAY_CONFIGURE_A_PROVIDER);
	if (candidates.paused)
	{
		next = wa_said_statement("SELECT wa_resume('%s')", candidates.paused);
		why = wa_said_and(wa_say(WA_SAY_ALL_PAUSED), wa_say(WA_SAY_RESUME_WHEN_USED_AGAIN, candidates.paused));
	}
	else if (candidates.draft)
	{
		next = candidates.next;
		if (candidates.error)
			why = wa_say(WA_SAY_COMPLETE_A_PROVIDER, candidates.draft->name, candidates.error);
	}
	else if (candidates.incomplete)
	{
		next = what_configures(candidates.incomplete->gateway, candidates.incomplete->name, candidates.incomplete);
		why = wa_say(WA_SAY_COMPLETE_A_PROVIDER, candidates.incomplete->name, candidates.incomplete->problem);
	}
	else
	{
		const WaGateway *gateway = wa_gateway_proposed(0);

		next = what_configures(gateway, gateway->kind, NULL);
	}
	wa_admin_find(findings, WA_ERROR_PROVIDERS, "providers", next, why);
}
