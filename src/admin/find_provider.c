/*-------------------------------------------------------------------------
 *
 * find_provider.c
 *		Findings about the providers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "admin/findings.h"
#include "office/setting.h"
#include "pg/query.h"

/* Days in which the end of a version of an API is told before it comes. */
#define VERSION_ENDS_DAYS	90

/* What would make one usable, if none is. */
typedef struct Candidates
{
	const char *paused;
	const char *draft;			/* complete, not tested */
	const char *incomplete;
} Candidates;

/* What the row says went wrong, in the office's time. */
typedef struct Trouble
{
	char	   *remarks;		/* all that is worth a word, or NULL */
	WaSaid		error;			/* what was wrong last, or NULL */
	char	   *again_at;		/* when it is tested again; NULL: soon */
} Trouble;

static void
read_trouble(Trouble *trouble, const WaProvider *p, const char *time_zone)
{
	static WaStatement read =
		WA_STATEMENT("SELECT nullif(concat_ws('; ',"
					 " last_error || ' (' || coalesce(" WA_SQL_TIME("last_error_at", "$2") ", '-') || ')',"
					 " CASE WHEN state = 'error' THEN 'tested again ' || coalesce("
					 "CASE WHEN probe_at > now() THEN " WA_SQL_TIME("probe_at", "$2") " END, 'soon') END,"
					 " CASE WHEN failed_probes > 0 THEN failed_probes || ' tests have failed' END,"
					 " 'quota ' || quota_left || ' as of ' || " WA_SQL_TIME("quota_at", "$2") "), ''),"
					 " last_error, last_error_said, CASE WHEN probe_at > now() THEN " WA_SQL_TIME("probe_at", "$2") " END"
					 " FROM wa.provider WHERE name = $1");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, p->name);
	wa_arg_text(&args, time_zone);
	rows = wa_query(&read, &args);
	if (rows.n == 0)
		return;
	trouble->remarks = wa_row_text(rows, 0, 1);
	trouble->error = wa_row_said(rows, 0, 2);
	trouble->again_at = wa_row_text(rows, 0, 4);
}

static void
show_provider(WaFindings *findings, const char *item, const WaProvider *p, const Trouble *trouble)
{
	const char *detail = p->problem ? wa_said_english(p->problem) : trouble->remarks;

	if (p->paused)
		detail = psprintf("%s: SELECT wa_resume('%s')%s%s", wa_said_english(p->paused), p->name,
						  detail ? "; " : "", detail ? detail : "");
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
		if (candidates->incomplete == NULL)
			candidates->incomplete = p->name;
		wa_admin_find(findings, WA_ERROR_PROVIDER, item,
					  wa_said_statement("SELECT wa_configure('%s', '...')", p->name),
					  wa_said_and(p->problem,
								  wa_say(WA_SAY_CONFIGURE_OR_SWITCH_OFF, p->name)));
	}
	else
	{
		if (p->exposed)
			wa_admin_find(findings, WA_WARNING_PROVIDER, item, NULL,
						  wa_say(WA_SAY_CREDENTIAL_EXPOSED, p->exposed));
		find_version(findings, item, p);
		if (!wa_route_is_usable(p) && candidates->draft == NULL)
			candidates->draft = p->name;
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

/*
 * Without a default, consent chooses: Meta for whoever gave it, then the
 * gateways.  That is how it should be; a gateway as the default takes the
 * place of that choice.
 */
static void
find_default(WaFindings *findings)
{
	const WaProvider *first = NULL;
	const WaProvider *official = NULL;

	for (int i = 0; i < findings->providers.n; i++)
	{
		const WaProvider *p = &findings->providers.list[i];

		if (!p->active || p->gateway == NULL)
			continue;
		if (p->is_default)
			first = p;
		if (p->gateway->official && !p->untouched && official == NULL)
			official = p;
	}
	if (first && official && !first->gateway->official)
		wa_admin_find(findings, WA_WARNING_PROVIDER, "default provider",
					  wa_said_statement("SELECT wa_configure('%s', '{\"is_default\": false}')", first->name),
					  wa_say(WA_SAY_DEFAULT_TAKES_ALL, first->name, official->name));
	else
		wa_admin_find(findings, WA_FINE, "default provider", NULL, NULL);
}

void
wa_admin_find_providers(WaFindings *findings)
{
	Candidates	candidates = {0};
	WaSaid		next;

	for (int i = 0; i < findings->providers.n; i++)
		find_provider(findings, &findings->providers.list[i], &candidates);
	if (findings->providers.n == 0)
		wa_admin_show(findings, "providers", "none", NULL);
	if (findings->usable > 0)
	{
		find_default(findings);
		return;
	}
	if (candidates.paused)
		next = wa_say(WA_SAY_RESUME_WHEN_USED_AGAIN, candidates.paused);
	else if (candidates.draft)
		next = wa_said_statement("SELECT * FROM wa_test_connection('%s')", candidates.draft);
	else
		next = wa_said_statement("SELECT wa_configure('%s', '{\"token_file\": \"...\"}')",
								 candidates.incomplete ? candidates.incomplete : wa_gateway_proposed(0)->kind);
	wa_admin_find(findings, WA_ERROR_PROVIDERS, "providers", next,
				  candidates.paused ? wa_say(WA_SAY_ALL_PAUSED) : wa_say(WA_SAY_CONFIGURE_A_PROVIDER));
}
