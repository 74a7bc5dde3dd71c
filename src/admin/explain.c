/*-------------------------------------------------------------------------
 *
 * explain.c
 *		wa_explain(), wa_explain_text(): what wa_send() and wa_send_text() would
 *		do now, without doing it.
 *
 * What stands in the way is told instead of raised, and the story goes on as
 * far as it can.  The last row is the verdict, and the only one: the first
 * thing that stands in the way, or that the message would go.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "compose/draft.h"
#include "compose/json_values.h"
#include "compose/record_values.h"
#include "identity/identity.h"
#include "odoo/people.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/query.h"
#include "queue/queue.h"
#include "route/route.h"
#include "text/text.h"
#include "words/story.h"

PG_FUNCTION_INFO_V1(wa_sql_explain);
PG_FUNCTION_INFO_V1(wa_sql_explain_number);
PG_FUNCTION_INFO_V1(wa_sql_explain_text);
PG_FUNCTION_INFO_V1(wa_sql_explain_text_number);

/* What the caller asks about: a template or a text, to a contact or a number. */
typedef struct Question
{
	const char *template_key;	/* NULL: free text */
	const char *body;			/* free text */
	const char *number;			/* as given; NULL: the contact's */
	int64		partner_id;
	Jsonb	   *params;
	int64		permit_id;		/* 0: none */
} Question;

/*
 * Something stands in the way: the first of these is the verdict, what comes
 * after it is told at once.
 */
static void
hinder(WaStory *story, WaSaid *obstacle, WaSaid sentence)
{
	if (*obstacle)
		wa_story_tell(story, 0, sentence);
	else
		*obstacle = sentence;
}

/* The template; NULL, with the obstacle, if there is something wrong with it. */
static WaTemplate *
explain_template(WaStory *story, const char *key, WaSaid *obstacle)
{
	static WaStatement list =
		WA_STATEMENT("SELECT coalesce(string_agg(key, ', ' ORDER BY key), '-') FROM wa.template WHERE active");
	WaTemplate *template = wa_route_load_template(key);

	if (template && template->active)
		return template;
	hinder(story, obstacle, template ?
		   wa_say(WA_SAY_TEMPLATE_INACTIVE, key) :
		   wa_say(WA_SAY_TEMPLATE_MISSING, key, wa_row_text(wa_query(&list, NULL), 0, 1)));
	return NULL;
}

/* Which windows are open. */
static WaSaid
window(const WaRoute *route, const WaProviders *providers)
{
	StringInfoData names;

	if (route->in_window)
		return wa_say(WA_SAY_WINDOW_OPEN);
	initStringInfo(&names);
	for (int i = 0; i < providers->n; i++)
		if (wa_route_in_window(route, &providers->list[i]))
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", providers->list[i].name);
	return names.len > 0 ? wa_say(WA_SAY_WINDOW_OPEN_AT, names.data) : wa_say(WA_SAY_WINDOW_CLOSED);
}

/* Which provider, and whether the person wants messages. */
static void
explain_route(WaStory *story, WaBatch *batch, WaRoute *route, WaSaid *obstacle)
{
	WaProviders providers;
	const char *locked = NULL;

	wa_route_load_providers(&providers, false);
	if (!wa_route_load_facts(route, 1, batch->odoo.schema, &locked, NULL))
		wa_call_table_locked(locked ? locked : "res_partner");
	if (route->refusal)
	{
		hinder(story, obstacle, wa_said_quote(wa_story_words(story, route->refusal)));
		return;
	}
	wa_story_tell(story, 0, window(route, &providers));
	wa_route_decide(route, &providers, batch->mappings, batch->nmappings, NULL);
	wa_story_tell(story, 0, wa_say(WA_SAY_ROUTE, wa_story_words(story, route->reason)));
	if (route->provider && route->use_window)
		wa_story_tell(story, 0, wa_say(WA_SAY_WINDOW_USED));
}

/* The parameters in the provider's own form. */
static void
explain_params(WaStory *story, const WaRoute *route, const WaTemplate *template, const WaValues *values,
			   WaSaid *obstacle)
{
	const WaMapping *mapping = route->mapping;
	char	  **names = mapping && mapping->parameters ? mapping->parameters : template->parameters;
	int			n = mapping && mapping->parameters ? mapping->nparameters : template->nparameters;
	WaPair	   *pairs = palloc(sizeof(WaPair) * Max(n, 1));
	char	   *json;

	if (route->provider == NULL)
		return;
	if (!route->as_template || mapping == NULL)
	{
		wa_story_tell(story, 0, wa_say(WA_SAY_AS_TEXT));
		return;
	}
	for (int i = 0; i < n; i++)
	{
		const WaValue *value = wa_compose_values_find(values, names[i]);

		if (value == NULL || value->value == NULL)
		{
			hinder(story, obstacle, wa_say(WA_SAY_VALUES_MISSING, names[i]));
			return;
		}
		pairs[i].name = names[i];
		pairs[i].value = wa_text_clean_value(value->value);
	}
	json = wa_gateway_params(route->provider->gateway, pairs, n, mapping->named);
	for (int i = 0; i < n; i++)
		free(unconstify(char *, pairs[i].value));
	if (json == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	wa_story_tell(story, 0, wa_say(WA_SAY_PARAMS, mapping->name, pstrdup(json)));
	free(json);
}

/* The end of the story. */
static void
tell_verdict(WaStory *story, WaSaid obstacle, const WaRoute *route)
{
	WaIdentity	identity;

	wa_identity_check(&identity);
	if (obstacle)
	{
		wa_story_tell(story, 0, wa_say(WA_SAY_NOT_SENT, obstacle));
		return;
	}
	if (route->provider == NULL && identity.mode != WA_MODE_STOPPED)
	{
		wa_story_tell(story, 0, wa_say(WA_SAY_WOULD_WAIT));
		return;
	}
	switch (identity.mode)
	{
		case WA_MODE_STOPPED:
			wa_story_tell(story, 0, wa_say(WA_SAY_MODE_STOPPED, wa_story_words(story, identity.why)));
			break;
		case WA_MODE_OBSERVE:
			wa_story_tell(story, 0, wa_say(WA_SAY_MODE_OBSERVE));
			break;
		case WA_MODE_TEST:
			wa_story_tell(story, 0, wa_say(WA_SAY_MODE_TEST, wa_story_number(story, identity.test_number)));
			break;
		case WA_MODE_LIVE:
			wa_story_tell(story, 0, wa_say(WA_SAY_MODE_LIVE));
			break;
	}
}

/*
 * Who was meant by a number or an id, in any spelling.  Has no number, and says
 * what was looked at, if it is none.
 */
static WaRecipient *
bare_recipient(const char *given)
{
	WaRecipient *recipient = palloc0(sizeof(WaRecipient));
	char		number[WA_NUMBER_SIZE];

	recipient->number_source = wa_said_quote("given");
	recipient->tried = wa_said_quote(given);
	if (wa_text_is_person_id(given))
	{
		recipient->number = wa_route_number_of(given);
		if (recipient->number)
			recipient->number_source = wa_said_quote("identity_of");
		else
			recipient->number = pstrdup(given);
	}
	else if (wa_text_normalize_number(given, number))
	{
		wa_queue_refuse_ambiguous(given, number);
		recipient->number = pstrdup(number);
	}
	return recipient;
}

/* To whom; NULL, with the obstacle, if there is no such contact. */
static WaRecipient *
explain_recipient(WaStory *story, WaBatch *batch, const Question *question, WaSaid *obstacle)
{
	WaRecipient *recipient;

	if (question->number)
		return bare_recipient(question->number);
	if (!wa_odoo_load_partners(&batch->odoo, &question->partner_id, 1))
		wa_call_table_locked(batch->odoo.locked_table ? batch->odoo.locked_table : "res_partner");
	recipient = wa_odoo_partner(&batch->odoo, question->partner_id);
	if (recipient == NULL)
		hinder(story, obstacle,
			   wa_say(WA_SAY_PARTNER_MISSING, WA_NUMBER(question->partner_id)));
	else if (recipient->note)
		wa_story_tell(story, 0, wa_say(WA_SAY_NOTE, recipient->note));
	return recipient;
}

/* How the template reads, and its parameters. */
static void
explain_template_text(WaStory *story, WaBatch *batch, const Question *question, const WaTemplate *template,
					  const WaRecipient *recipient, const WaRoute *route, WaSaid *obstacle)
{
	WaValues	values = {0};
	int64		permit_id = question->permit_id;
	WaPermit   *permit;
	char	   *missing;
	const char *setting;
	char	   *text;

	wa_compose_values_from_json(&values, question->params);
	wa_compose_values_add(&values, "timestamp", wa_compose_value_time(GetCurrentTimestamp(), batch->time_zone));
	if (permit_id != 0)
	{
		if (!wa_odoo_load_permits(&batch->odoo, &permit_id, 1))
			wa_call_table_locked(batch->odoo.locked_table ? batch->odoo.locked_table : "res_partner");
		permit = wa_odoo_permit(&batch->odoo, permit_id);
		if (permit)
			wa_compose_permit_values(batch, &values, permit, recipient);
		else
			hinder(story, obstacle,
				   wa_say(WA_SAY_PERMIT_MISSING, WA_NUMBER(permit_id)));
	}
	if (recipient->name)
		wa_compose_values_add(&values, "partner_name", recipient->name);
	wa_compose_office_values(batch, &values);
	text = wa_compose_template_render(template, &values, &missing, &setting);
	if (text)
	{
		wa_story_tell(story, 0, wa_say(WA_SAY_TEXT, text));
		explain_params(story, route, template, &values, obstacle);
	}
	else
		hinder(story, obstacle, setting ?
			   wa_say(WA_SAY_SETTING_MISSING, missing, setting) :
			   wa_say(WA_SAY_VALUES_MISSING, missing));
}

static void
explain(WaStory *story, const Question *question)
{
	WaSaid		obstacle = NULL;
	WaBatch		batch = {0};
	WaRoute		route = {0};
	WaTemplate *template = NULL;
	WaRecipient *recipient;

	if (question->template_key)
	{
		template = explain_template(story, question->template_key, &obstacle);
		if (template == NULL)
		{
			tell_verdict(story, obstacle, &route);
			return;
		}
	}
	batch.odoo.schema = wa_office_get("odoo_schema");
	batch.time_zone = wa_office_get("time_zone");
	batch.mappings = wa_route_load_mappings(&batch.nmappings);
	recipient = explain_recipient(story, &batch, question, &obstacle);
	if (recipient == NULL)
	{
		tell_verdict(story, obstacle, &route);
		return;
	}
	route.number = recipient->number;
	route.partner_id = question->number ? 0 : question->partner_id;
	route.template_key = question->template_key;
	route.requires_opt_in = true;
	if (recipient->number)
	{
		const char *source = wa_story_source(story, recipient->number_source);
		const char *number = wa_story_number(story, recipient->number);

		wa_story_tell(story, 0, question->number ?
					  wa_say(WA_SAY_NUMBER_GIVEN, number, source) :
					  wa_say(WA_SAY_NUMBER_CHOSEN, number, source));
		explain_route(story, &batch, &route, &obstacle);
	}
	else
		hinder(story, &obstacle, wa_say(WA_SAY_NO_NUMBER, recipient->tried ? recipient->tried : wa_said_quote("")));
	if (template)
		explain_template_text(story, &batch, question, template, recipient, &route, &obstacle);
	else
	{
		wa_story_tell(story, 0, wa_say(WA_SAY_TEXT, question->body));
		if (route.provider)
			wa_story_tell(story, 0, wa_say(WA_SAY_AS_TEXT));
	}
	tell_verdict(story, obstacle, &route);
}

static Datum
answer(FunctionCallInfo fcinfo, const Question *question)
{
	WaCall		call;
	WaStory		story;

	wa_call_rows_begin(fcinfo);
	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	explain(&story, question);
	wa_call_end(&call);
	return (Datum) 0;
}

/* The first two arguments are needed. */
static void
require_both(FunctionCallInfo fcinfo, const char *names, const char *example)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", names),
				 errhint("For example: %s.", example)));
}

static void
template_arguments(FunctionCallInfo fcinfo, Question *question)
{
	question->template_key = wa_call_arg_text(fcinfo, 0);
	question->params = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	question->permit_id = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT64(3);
}

/* wa_explain() to a partner: see explain.sql. */
Datum
wa_sql_explain(PG_FUNCTION_ARGS)
{
	Question	question = {0};

	require_both(fcinfo, "template_key and partner_id", "wa_explain('permit_ready', 42, permit_id => 1234)");
	template_arguments(fcinfo, &question);
	question.partner_id = PG_GETARG_INT64(1);
	return answer(fcinfo, &question);
}

/* wa_explain() to a number: see explain.sql. */
Datum
wa_sql_explain_number(PG_FUNCTION_ARGS)
{
	Question	question = {0};

	require_both(fcinfo, "template_key and number", "wa_explain('permit_ready', '0812...', permit_id => 1234)");
	template_arguments(fcinfo, &question);
	question.number = wa_call_arg_text(fcinfo, 1);
	return answer(fcinfo, &question);
}

/* wa_explain_text() to a partner: see explain.sql. */
Datum
wa_sql_explain_text(PG_FUNCTION_ARGS)
{
	Question	question = {0};

	require_both(fcinfo, "partner_id and body", "wa_explain_text(42, 'Halo')");
	question.partner_id = PG_GETARG_INT64(0);
	question.body = wa_compose_check_body(wa_call_arg_text(fcinfo, 1));
	return answer(fcinfo, &question);
}

/* wa_explain_text() to a number: see explain.sql. */
Datum
wa_sql_explain_text_number(PG_FUNCTION_ARGS)
{
	Question	question = {0};

	require_both(fcinfo, "number and body", "wa_explain_text('0812...', 'Halo')");
	question.number = wa_call_arg_text(fcinfo, 0);
	question.body = wa_compose_check_body(wa_call_arg_text(fcinfo, 1));
	return answer(fcinfo, &question);
}
