/*-------------------------------------------------------------------------
 *
 * send.c
 *		Messages by hand: wa_send() and wa_send_text().
 *
 * They obey the caller's transaction and conflict with nothing under
 * REPEATABLE READ: plain inserts, no unique key.  Whatever can be known to be
 * wrong is an error that names the culprit, before anything is queued.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compose/draft.h"
#include "compose/json_values.h"
#include "compose/record_values.h"
#include "odoo/people.h"
#include "office/setting.h"
#include "pg/call.h"
#include "queue/queue.h"
#include "route/route.h"
#include "text/text.h"

PG_FUNCTION_INFO_V1(wa_sql_send_partner);
PG_FUNCTION_INFO_V1(wa_sql_send_number);
PG_FUNCTION_INFO_V1(wa_sql_send_text_partner);
PG_FUNCTION_INFO_V1(wa_sql_send_text_number);

/* a message by hand that could not be sent for a day is not sent any more */
#define TIME_TO_LIVE_US		USECS_PER_DAY

/* What the caller said. */
typedef struct Request
{
	const char *template_key;	/* NULL: free text */
	const char *body;			/* free text */
	bool		to_partner;
	int64		partner_id;
	const char *number;			/* as given */
	Jsonb	   *params;
	int64		permit_id;		/* 0: none */
	const char *provider;
	TimestampTz send_at;
	const char *dedupe_key;
} Request;

/* As much of what was given as an error repeats: it may be a megabyte. */
#define QUOTED_BYTES	80

static char *
quoted(const char *given)
{
	int			len = (int) strlen(given);

	if (len <= QUOTED_BYTES)
		return pstrdup(given);
	return psprintf("%.*s...", pg_mbcliplen(given, len, QUOTED_BYTES), given);
}

/*
 * Raise an error if there is no provider of this name; NULL is any.
 */
void
wa_compose_check_provider(const char *name)
{
	static WaStatement find =
		WA_STATEMENT("SELECT FROM wa.provider WHERE name = $1");
	WaArgs		args = {0};
	WaProviders providers;
	char	   *known = pstrdup("");

	if (name == NULL)
		return;
	wa_arg_text(&args, name);
	if (wa_query_planned(&find, &args).n > 0)
		return;
	wa_route_load_providers(&providers, false);
	for (int i = 0; i < providers.n; i++)
		known = psprintf("%s%s%s", known, i ? ", " : "", providers.list[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("provider \"%s\" does not exist", quoted(name)),
			 errhint("Configured providers: %s.", known[0] ? known : "none, see wa_configure()")));
}

/* A partner id that has the digits of a phone number. */
static bool
looks_like_number(int64 partner_id)
{
	return partner_id > INT64CONST(80000000);
}

/*
 * The contact of this id.  Raises an error if there is none.
 */
WaRecipient *
wa_compose_find_partner(WaOdoo *odoo, int64 partner_id)
{
	WaRecipient *recipient;

	if (!wa_odoo_load_partners(odoo, &partner_id, 1))
		wa_call_table_locked(odoo->locked_table);
	recipient = wa_odoo_partner(odoo, partner_id);
	if (recipient == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("partner " INT64_FORMAT " does not exist", partner_id),
				 looks_like_number(partner_id) ?
				 errhint("If this is a phone number, quote it: wa_send('...', '0812...').") :
				 errhint("It is an id of the table res_partner in schema \"%s\".", odoo->schema)));
	return recipient;
}

/*
 * Somebody known by an id: his number, where it is known, which every provider
 * can write to, and a person can read.  Else the id itself, if a provider may
 * write to it (wanted: this one).
 */
static WaRecipient *
recipient_of_id(const char *id, const char *wanted)
{
	WaRecipient *recipient = palloc0(sizeof(WaRecipient));
	char	   *number = wa_route_number_of(id);
	WaProviders providers;
	bool		takes = false;

	recipient->number = number ? number : pstrdup(id);
	recipient->number_source = wa_said_quote(number ? "identity_of" : "given");
	if (number)
		return recipient;
	wa_route_load_providers(&providers, false);
	for (int i = 0; i < providers.n; i++)
		takes = takes || (providers.list[i].active && wa_route_takes_no_ids(&providers.list[i]) == NULL &&
						  (wanted == NULL || strcmp(wanted, providers.list[i].name) == 0));
	if (!takes)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 wanted ? errmsg("provider \"%s\" does not write to somebody of whom only an id is known", wanted) :
				 errmsg("no provider writes to somebody of whom only an id is known"),
				 errdetail("The number of \"%s\" is not known.", id),
				 errhint("If you know it: SELECT wa_identify('%s', '0812...'). To let Meta write to ids: SELECT wa_configure('meta', '{\"send_to_ids\": true}').", id)));
	return recipient;
}

static WaRecipient *
bare_recipient(const char *input, const char *wanted)
{
	WaRecipient *recipient = palloc0(sizeof(WaRecipient));
	char		number[WA_NUMBER_SIZE];

	if (wa_text_is_person_id(input))
		return recipient_of_id(input, wanted);
	if (input == NULL || !wa_text_normalize_number(input, number))
	{
		bool		short_digits = input && strlen(input) > 0 && strlen(input) <= 8 &&
			strspn(input, "0123456789") == strlen(input);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" cannot be a mobile number", input ? quoted(input) : "NULL"),
				 short_digits ?
				 errhint("This looks like a partner id: give it without quotes.") :
				 errhint("Write an Indonesian mobile number (0812...), or a foreign one with +.")));
	}
	wa_queue_refuse_ambiguous(input, number);
	recipient->number = pstrdup(number);
	recipient->number_source = wa_said_quote("given");
	return recipient;
}

static WaTemplate *
find_template(const char *key)
{
	WaTemplate *template = key ? wa_route_load_template(key) : NULL;
	static WaStatement list =
		WA_STATEMENT("SELECT string_agg(key, ', ' ORDER BY key) FROM wa.template WHERE active");
	char	   *known;

	if (template && template->active)
		return template;
	known = wa_row_text(wa_query(&list, NULL), 0, 1);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 template ? errmsg("template \"%s\" is not active", key) :
			 errmsg("template \"%s\" does not exist", key ? quoted(key) : "NULL"),
			 errhint("Templates: %s.", known ? known : "none yet, see wa_setup()")));
	return NULL;				/* not reached */
}

static bool
is_offered(const WaTemplate *template, const WaMapping *mappings, int nmappings, const char *name)
{
	for (int i = 0; i < template->nparameters; i++)
		if (strcmp(template->parameters[i], name) == 0)
			return true;
	for (int m = 0; m < nmappings; m++)
		for (int i = 0; strcmp(mappings[m].template_key, template->key) == 0 &&
			 i < mappings[m].nparameters; i++)
			if (strcmp(mappings[m].parameters[i], name) == 0)
				return true;
	return strstr(template->body, psprintf("{{%s}}", name)) != NULL;
}

static char *
parameter_list(const WaTemplate *template)
{
	char	   *list = pstrdup("");

	for (int i = 0; i < template->nparameters; i++)
		list = psprintf("%s%s%s", list, i ? ", " : "", template->parameters[i]);
	return list;
}

/* The permit that was named; raises an error if there is none. */
static WaPermit *
named_permit(WaBatch *batch, const Request *request)
{
	WaPermit   *permit;

	if (!wa_odoo_load_permits(&batch->odoo, &request->permit_id, 1))
		wa_call_table_locked(batch->odoo.locked_table);
	permit = wa_odoo_permit(&batch->odoo, request->permit_id);
	if (permit == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("permit " INT64_FORMAT " does not exist", request->permit_id),
				 errhint("It is an id of the table sicantik_permit in schema \"%s\".", batch->odoo.schema)));
	return permit;
}

/*
 * All that is known for this message: what was given first, then the permit,
 * the partner, the office.
 */
static void
gather_values(WaBatch *batch, const Request *request, const WaTemplate *template,
			  const WaRecipient *recipient, WaValues *values)
{
	wa_compose_values_from_json(values, request->params);
	for (int i = 0; i < values->n; i++)
		if (!is_offered(template, batch->mappings, batch->nmappings, values->list[i].name))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("template \"%s\" has no parameter \"%s\"",
							template->key, quoted(values->list[i].name)),
					 errhint("Its parameters: %s.", parameter_list(template))));
	wa_compose_values_add(values, "timestamp", wa_compose_value_time(GetCurrentTimestamp(), batch->time_zone));
	if (request->permit_id != 0)
		wa_compose_permit_values(batch, values, named_permit(batch, request), recipient);
	if (recipient->name)
		wa_compose_values_add(values, "partner_name", recipient->name);
	wa_compose_office_values(batch, values);
}

static void
check_length(const char *text)
{
	size_t		length = wa_text_length(text);

	if (length > WA_TEXT_MAX_CHARS)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("the text is too long: %zu characters", length),
				 errdetail("WhatsApp takes at most %d.", WA_TEXT_MAX_CHARS)));
}

/*
 * A free text as it was given.  Raises an error if it is empty or too long.
 */
char *
wa_compose_check_body(char *body)
{
	if (body[strspn(body, " \t\r\n")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the text is empty"),
				 errhint("Give the text that the person is to read.")));
	check_length(body);
	return body;
}

static char *
compose_text(WaBatch *batch, const Request *request, const WaRecipient *recipient, char **params)
{
	WaTemplate *template = find_template(request->template_key);
	WaValues	values = {0};
	char	   *missing;
	const char *setting;
	char	   *text;

	gather_values(batch, request, template, recipient, &values);
	text = wa_compose_template_render(template, &values, &missing, &setting);
	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameters are missing for template \"%s\": %s", template->key, missing),
				 setting ? errhint("Give them in params, or set it for the office: SELECT wa_set('%s', '...').", setting) :
				 errhint("Give them in params%s.", request->permit_id == 0 ? ", or name a permit_id" : "")));
	*params = wa_compose_template_params(template, batch->mappings, batch->nmappings, &values);
	return text;
}

/*
 * Someone who wants nothing gets nothing; the ledger says so.  (Who else has the
 * number, and has said no, the worker finds out, for many messages at once:
 * Odoo's contacts have no index for that, and here each call would read them all.)
 */
static void
apply_refusal(WaBatch *batch, const Request *request, WaNewMessage *message)
{
	WaRoute		route = {0};
	const char *locked = NULL;

	route.number = message->number;
	route.partner_id = message->partner_id;
	route.later = true;
	if (!wa_route_load_facts(&route, 1, batch->odoo.schema, &locked, NULL))
		wa_call_table_locked(locked);
	if (route.refusal == NULL)
		return;
	message->state = WA_STATE_SKIPPED;
	message->reason = wa_queue_reason_of(route.nobody);
	message->detail = route.refusal;
	ereport(WARNING,
			(errmsg("the message is not sent: %s", wa_said_english(route.refusal))));
}

static int64
queue_message(const Request *request)
{
	WaBatch		batch = {0};
	WaNewMessage message = {0};
	WaRecipient *recipient;
	char	   *params = NULL;
	const char *text;

	batch.odoo.schema = wa_office_get("odoo_schema");
	batch.time_zone = wa_office_get("time_zone");
	batch.mappings = wa_route_load_mappings(&batch.nmappings);

	wa_compose_check_provider(request->provider);
	recipient = request->to_partner ? wa_compose_find_partner(&batch.odoo, request->partner_id) :
		bare_recipient(request->number, request->provider);
	if (request->template_key == NULL && request->permit_id != 0)
		(void) named_permit(&batch, request);
	text = request->template_key ? compose_text(&batch, request, recipient, &params) : request->body;
	check_length(text);

	message.template_key = request->template_key;
	message.partner_id = recipient->partner_id;
	message.number = recipient->number;
	message.number_source = recipient->number_source;
	message.params = params;
	message.body = text;
	if (request->permit_id != 0)
	{
		message.res_model = "sicantik.permit";
		message.res_id = request->permit_id;
	}
	message.wanted_provider = request->provider;
	message.state = WA_STATE_QUEUED;
	message.priority = "high";
	message.requires_opt_in = true;
	/* an id is good for the portfolio of one provider only */
	message.fallback = request->provider == NULL && !wa_text_is_person_id(recipient->number);
	message.send_at = request->send_at > GetCurrentTimestamp() ? request->send_at : 0;
	message.due_at = message.send_at;
	message.expires_at = Max(GetCurrentTimestamp(), request->send_at) + TIME_TO_LIVE_US;
	message.created_by = wa_call_role();
	message.dedupe_key = request->dedupe_key;
	if (recipient->number == NULL)
	{
		message.state = WA_STATE_SKIPPED;
		message.reason = WA_REASON_NO_NUMBER;
		message.detail = wa_say(WA_SAY_NO_USABLE_NUMBER, recipient->tried ? recipient->tried : wa_said_quote(""));
		ereport(WARNING,
				(errmsg("the message is not sent: partner " INT64_FORMAT " has no usable number",
						recipient->partner_id),
				 errdetail("Looked at: %s.", recipient->tried ? wa_said_english(recipient->tried) : "")));
	}
	else
		apply_refusal(&batch, request, &message);
	wa_queue_insert(&message, 1);
	return message.id;
}

/*
 * Queue a free text to a bare number; SPI connected, the owner acting.
 * Returns the message's id.
 */
int64
wa_compose_queue_text(const char *number, const char *provider, const char *body)
{
	Request		request = {0};

	request.number = number;
	request.provider = provider;
	request.body = body;
	return queue_message(&request);
}

static void
check_time(TimestampTz send_at)
{
	if (TIMESTAMP_IS_NOEND(send_at) || send_at >= END_TIMESTAMP - TIME_TO_LIVE_US)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("send_at is out of range"),
				 errhint("Leave it out to send at once.")));
}

static Datum
run(FunctionCallInfo fcinfo, Request *request)
{
	WaCall		call;
	int64		id;

	check_time(request->send_at);
	wa_call_begin(&call, WA_LEVEL_SEND);
	id = queue_message(request);
	wa_call_end(&call);
	PG_RETURN_INT64(id);
}

static void
require_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name),
				 errhint("For example: wa_send('permit_ready', 42, permit_id => 1234), wa_send_text('0812...', 'Halo').")));
}

/* An empty key is none: two callers without a key have nothing in common. */
static char *
key_argument(FunctionCallInfo fcinfo, int n)
{
	char	   *key = wa_call_arg_text(fcinfo, n);

	return key && key[0] ? key : NULL;
}

static void
template_arguments(FunctionCallInfo fcinfo, Request *request)
{
	memset(request, 0, sizeof(*request));
	require_argument(fcinfo, 0, "template_key");
	request->template_key = wa_call_arg_text(fcinfo, 0);
	request->params = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	if (request->params && !JB_ROOT_IS_OBJECT(request->params))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("params must be a JSON object"),
				 errhint("For example: '{\"permit_number\": \"503/17/2026\"}'.")));
	request->permit_id = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT64(3);
	request->provider = wa_call_arg_text(fcinfo, 4);
	request->send_at = PG_ARGISNULL(5) ? 0 : PG_GETARG_TIMESTAMPTZ(5);
	request->dedupe_key = key_argument(fcinfo, 6);
}

static void
text_arguments(FunctionCallInfo fcinfo, Request *request)
{
	memset(request, 0, sizeof(*request));
	require_argument(fcinfo, 1, "body");
	request->body = wa_compose_check_body(wa_call_arg_text(fcinfo, 1));
	request->provider = wa_call_arg_text(fcinfo, 2);
	request->send_at = PG_ARGISNULL(3) ? 0 : PG_GETARG_TIMESTAMPTZ(3);
	request->dedupe_key = key_argument(fcinfo, 4);
	request->permit_id = wa_call_arg_given(fcinfo, 5) ? PG_GETARG_INT64(5) : 0;
}

/* wa_send() to a partner: see send.sql. */
Datum
wa_sql_send_partner(PG_FUNCTION_ARGS)
{
	Request		request;

	template_arguments(fcinfo, &request);
	require_argument(fcinfo, 1, "partner_id");
	request.to_partner = true;
	request.partner_id = PG_GETARG_INT64(1);
	return run(fcinfo, &request);
}

/* wa_send() to a number: see send.sql. */
Datum
wa_sql_send_number(PG_FUNCTION_ARGS)
{
	Request		request;

	template_arguments(fcinfo, &request);
	require_argument(fcinfo, 1, "number");
	request.number = wa_call_arg_text(fcinfo, 1);
	return run(fcinfo, &request);
}

/* wa_send_text() to a partner: see send.sql. */
Datum
wa_sql_send_text_partner(PG_FUNCTION_ARGS)
{
	Request		request;

	text_arguments(fcinfo, &request);
	require_argument(fcinfo, 0, "partner_id");
	request.to_partner = true;
	request.partner_id = PG_GETARG_INT64(0);
	return run(fcinfo, &request);
}

/* wa_send_text() to a number: see send.sql. */
Datum
wa_sql_send_text_number(PG_FUNCTION_ARGS)
{
	Request		request;

	text_arguments(fcinfo, &request);
	require_argument(fcinfo, 0, "number");
	request.number = wa_call_arg_text(fcinfo, 0);
	return run(fcinfo, &request);
}
