/*-------------------------------------------------------------------------
 *
 * sync_templates.c
 *		wa_sync_templates(): read a provider's list of templates, now.
 *
 * All pages first, then the comparison: no row of ours is locked while the
 * provider takes its time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/timestamp.h"

#include "admin/template_draft.h"
#include "deliver/module.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/catalogue.h"
#include "sicantik_wa.h"

PG_FUNCTION_INFO_V1(wa_sql_sync_templates);

/* The whole list takes this long at most, and this many calls. */
#define LIST_MS			60000
#define MAX_PAGES		200
#define PAGE_ROWS		100

typedef struct Reading
{
	const WaGateway *gateway;
	WaCatalogue *catalogue;
	WaTemplatePage page;
} Reading;

static void
read_page(const WaReply *reply, void *argument)
{
	Reading    *reading = argument;

	reading->gateway->read_templates(reply, wa_route_catalogue_add, reading->catalogue, &reading->page);
}

/* See template_draft.h. */
WaSaid
wa_admin_read_templates(const WaProvider *p, WaCatalogue *catalogue, long *wait_s)
{
	const WaDeliver *deliver = wa_deliver_load();
	TimestampTz deadline = GetCurrentTimestamp() + LIST_MS * INT64CONST(1000);
	Reading		reading = {.gateway = p->gateway,.catalogue = catalogue};
	int			rows = PAGE_ROWS;
	char		after[WA_TEMPLATE_CURSOR_SIZE] = "";

	*wait_s = -1;
	if (p->problem)
		return p->problem;
	for (int i = 0; i < MAX_PAGES; i++)
	{
		WaRequest	request = {0};
		WaSaidText	why = {""};
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

		if (left <= 0)
			break;
		if (!p->gateway->build_templates(p->base_url, p->settings, p->nsettings, after, rows, &request, &why) ||
			!deliver->ask(p, &request, Min(left, wa_guc_request_timeout), read_page, &reading, &why))
			return wa_said_copy(WA_SAID_IN(&why));
		if (reading.page.too_large && rows > 1)
		{
			rows /= 2;
			continue;
		}
		*wait_s = reading.page.wait_s;
		/* it may quote the answer */
		wa_gateway_redact_said(&reading.page.said, p->secrets, p->nsecrets);
		if (!reading.page.ok)
			return wa_said_copy(WA_SAID_IN(&reading.page.said));
		if (reading.page.after[0] == '\0')
			return NULL;
		/* the same place again would go on for ever */
		if (strcmp(after, reading.page.after) == 0)
			break;
		strlcpy(after, reading.page.after, sizeof(after));
	}
	return wa_say(WA_SAY_TEMPLATES_NOT_IN_TIME);
}

static void
put(FunctionCallInfo fcinfo, const char *provider, const char *key, const char *name,
	const char *language, const char *status, const char *provider_status, const char *detail)
{
	const char *const row[] = {provider, key, name, language, status, provider_status, detail};

	wa_call_row(fcinfo, row);
}

static void
sync_provider(FunctionCallInfo fcinfo, const WaProvider *p)
{
	WaLanguage	words = wa_office_language();
	WaCatalogue catalogue = {.context = CurrentMemoryContext};
	WaMappingNews *news;
	WaSaid		problem;
	long		wait_s;
	int			n;
	bool		changed;

	problem = wa_admin_read_templates(p, &catalogue, &wait_s);
	if (problem)
	{
		wa_route_templates_read(p->name, problem, wait_s);
		put(fcinfo, p->name, NULL, NULL, NULL, "error", NULL, wa_said_words(problem, words));
		ereport(WARNING,
				(errmsg("the templates of provider \"%s\" could not be read: %s", p->name, wa_said_english(problem))));
		return;
	}
	news = wa_route_catalogue_apply(p, &catalogue, true, &n, &changed);
	for (int i = 0; i < n; i++)
		put(fcinfo, p->name, news[i].template_key, news[i].name, news[i].language,
			wa_route_mapping_states[news[i].status], news[i].provider_status,
			news[i].said ? wa_said_words(news[i].said, words) : NULL);
	for (int i = 0; i < catalogue.n; i++)
	{
		const WaListed *listed = &catalogue.list[i];

		if (!listed->mapped)
			put(fcinfo, p->name, NULL, listed->name, listed->language, NULL, listed->status, NULL);
	}
}

static void
require_templates(const WaProvider *provider, const char *name)
{
	if (provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("provider \"%s\" does not exist", name),
				 errhint("wa_configure() creates one.")));
	if (provider->gateway == NULL || provider->gateway->account_setting == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("provider \"%s\" has no templates of its own", name),
				 errhint("It takes the text as it is: there is no list to read.")));
}

/*
 * wa_sync_templates(): see admin.sql.
 */
Datum
wa_sql_sync_templates(PG_FUNCTION_ARGS)
{
	char	   *name = wa_call_arg_text(fcinfo, 0);
	WaCall		call;
	WaProviders providers;
	int			done = 0;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_ADMIN);
	wa_route_load_providers(&providers, true);
	if (name)
		require_templates(wa_route_find_provider(&providers, name), name);
	for (int i = 0; i < providers.n; i++)
	{
		const WaProvider *p = &providers.list[i];

		if (!wa_route_has_catalogue(p) || (name ? strcmp(p->name, name) != 0 : !p->active))
			continue;
		sync_provider(fcinfo, p);
		done++;
	}
	if (done == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 name ? errmsg("provider \"%s\" has no list of templates that can be read", name) :
				 errmsg("no active provider has a list of templates that can be read"),
				 errhint("Of Meta's the id of the business account is needed: SELECT wa_configure('%s', '{\"waba_id\": \"...\"}').",
						 name ? name : "meta")));
	wa_call_end(&call);
	return (Datum) 0;
}
