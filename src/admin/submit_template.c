/*-------------------------------------------------------------------------
 *
 * submit_template.c
 *		wa_template_export() and wa_submit_template(): a template of ours as
 *		the provider takes it, and made there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "admin/template_draft.h"
#include "deliver/module.h"
#include "identity/identity.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/catalogue.h"
#include "sicantik_wa.h"

PG_FUNCTION_INFO_V1(wa_sql_template_export);
PG_FUNCTION_INFO_V1(wa_sql_submit_template);

/* After this time it may have been looked at. */
#define LOOK_AGAIN_S	900

/* What is to be made, and where. */
typedef struct Submission
{
	WaTemplate *template;
	const WaGateway *gateway;
	WaProvider *provider;		/* or NULL, where it is only shown */
	WaTemplateDraft draft;
	char	   *json;
	bool		known;			/* the mapping has been there, in the
								 * provider's words */
} Submission;

pg_noreturn static void
refuse_unknown(const char *what, const char *name, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("%s \"%s\" does not exist", what, name ? name : ""),
			 errhint("%s", hint)));
}

/*
 * The provider of this name; without one the only one that takes templates of
 * its own, NULL if there is none.
 */
static WaProvider *
choose_provider(const WaProviders *providers, const char *name)
{
	WaProvider *found = NULL;

	if (name)
	{
		found = wa_route_find_provider(providers, name);
		if (found == NULL)
			refuse_unknown("provider", name, "wa_configure() creates one.");
		if (found->gateway == NULL || found->gateway->write_template == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("provider \"%s\" has no templates of its own", name),
					 errhint("It takes the text as it is: nothing has to be submitted.")));
		return found;
	}
	for (int i = 0; i < providers->n; i++)
	{
		WaProvider *p = &providers->list[i];

		if (!p->active || p->gateway == NULL || p->gateway->write_template == NULL)
			continue;
		if (found)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("more than one provider has templates of its own"),
					 errhint("Name one: \"%s\" or \"%s\".", found->name, p->name)));
		found = p;
	}
	return found;
}

/* Can all parameters be sent by name? */
static bool
can_be_named(const WaGateway *gateway, const WaTemplate *template)
{
	for (int i = 0; i < template->nparameters; i++)
		if (strlen(template->parameters[i]) > gateway->max_param_name)
			return false;
	return gateway->max_param_name > 0;
}

static const WaMapping *
find_mapping(const char *key, const char *provider)
{
	int			n;
	WaMapping  *mappings = wa_route_load_mappings(&n);

	for (int i = 0; provider && i < n; i++)
		if (strcmp(mappings[i].template_key, key) == 0 && strcmp(mappings[i].provider, provider) == 0)
			return &mappings[i];
	return NULL;
}

static void
warn_of_objections(const Submission *s)
{
	const char *objections[WA_MAX_OBJECTIONS];
	int			n = s->gateway->object ? s->gateway->object(s->template->body, objections) : 0;

	for (int i = 0; i < n; i++)
		ereport(WARNING,
				(errmsg("%s would not approve the text of template \"%s\": %s",
						s->gateway->name, s->template->key, objections[i])));
}

/* A name that the provider can have for a key of ours. */
static char *
name_of_key(const char *key)
{
	char	   *name = pstrdup(key);

	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	return name;
}

/*
 * Make the draft.  Raises an error if there is no such template or provider, or
 * none can be made of it.
 */
static void
prepare(Submission *s, const char *key, const WaProviders *providers, const char *provider)
{
	const WaMapping *mapping;
	char	  **names;
	int			n;
	WaPair	   *pairs;
	WaSaidText	err = {""};
	char	   *json;

	memset(s, 0, sizeof(*s));
	s->template = key ? wa_route_load_template(key) : NULL;
	if (s->template == NULL)
		refuse_unknown("template", key, "wa_setup() adds the built-in ones, wa_set_template() others.");
	s->provider = choose_provider(providers, provider);
	if (s->provider)
		s->gateway = s->provider->gateway;
	for (size_t i = 0; s->gateway == NULL && wa_gateway_at(i); i++)
		if (wa_gateway_at(i)->write_template)
			s->gateway = wa_gateway_at(i);
	if (s->gateway == NULL)
		elog(ERROR, "no kind of provider takes templates");
	mapping = find_mapping(key, s->provider ? s->provider->name : NULL);
	if (mapping && mapping->is_text)
		mapping = NULL;
	s->known = mapping && (mapping->status != WA_MAPPING_DRAFT || mapping->provider_status);
	names = mapping && mapping->nparameters > 0 ? mapping->parameters : s->template->parameters;
	n = mapping && mapping->nparameters > 0 ? mapping->nparameters : s->template->nparameters;
	pairs = palloc(sizeof(WaPair) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		pairs[i].name = names[i];
		pairs[i].value = wa_admin_template_example(names[i]);
	}
	s->draft.name = mapping && mapping->name ? mapping->name : name_of_key(key);
	s->draft.language = mapping && mapping->language ? mapping->language : s->template->language;
	s->draft.category = s->template->category;
	s->draft.body = s->template->body;
	s->draft.named = mapping ? mapping->named : can_be_named(s->gateway, s->template);
	s->draft.parameters = pairs;
	s->draft.nparameters = n;
	warn_of_objections(s);
	json = s->gateway->write_template(&s->draft, &err);
	if (json == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("template \"%s\" cannot be made at %s: %s", key, s->gateway->name,
						wa_said_english(WA_SAID_IN(&err))),
				 errhint("Change it with wa_set_template(), or the mapping with wa_map_template().")));
	s->json = pstrdup(json);
	free(json);
}

/*
 * wa_template_export(): see admin.sql.
 */
Datum
wa_sql_template_export(PG_FUNCTION_ARGS)
{
	static WaStatement show = WA_STATEMENT("SELECT $1::jsonb");
	char	   *key = wa_call_arg_text(fcinfo, 0);
	char	   *provider = wa_call_arg_text(fcinfo, 1);
	WaCall		call;
	WaProviders providers;
	Submission	s;
	WaArgs		args = {0};
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_route_load_providers(&providers, false);
	prepare(&s, key, &providers, provider);
	wa_arg_text(&args, s.json);
	result = wa_call_datum(&call, wa_row_datum(wa_query(&show, &args), 0, 1), false, -1);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}

/* A copy changes nothing at the office's account. */
static void
check_not_copy(void)
{
	WaIdentity	identity;

	wa_identity_check(&identity);
	if (identity.is_copy)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database may not change anything at the provider"),
				 errdetail("%s.", wa_said_english(identity.why))));
}

typedef struct Reading
{
	const WaGateway *gateway;
	WaTemplateMade made;
} Reading;

static void
read_made(const WaReply *reply, void *argument)
{
	Reading    *reading = argument;

	reading->gateway->read_template(reply, &reading->made);
}

/*
 * Make it; an error, with the provider's reason, if it does not.  False: one of
 * its name is there already, and the mapping was no word about it yet.
 */
static bool
submit(const Submission *s, Reading *reading)
{
	const WaProvider *p = s->provider;
	WaRequest	request = {0};
	WaSaidText	why = {""};
	WaSaid		said;

	reading->gateway = s->gateway;
	if (p->problem)
		said = p->problem;
	else if (!s->gateway->build_template(p->base_url, p->settings, p->nsettings, s->json, &request, &why) ||
			 !wa_deliver_load()->ask(p, &request, wa_guc_request_timeout, read_made, reading, &why))
		said = WA_SAID_IN(&why);
	else
		said = reading->made.ok ? NULL : WA_SAID_IN(&reading->made.said);
	if (said == WA_SAID_IN(&reading->made.said))
		wa_gateway_redact_said(&reading->made.said, p->secrets, p->nsecrets);
	if (said && reading->made.there && !s->known)
		return false;
	if (said)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("provider \"%s\" did not take template \"%s\": %s", p->name, s->template->key,
						wa_said_english(said)),
				 errhint("SELECT wa_template_export('%s', '%s') shows what was sent. If it is there already: SELECT wa_map_template('%s', '%s', '{\"name\": \"%s\"}'), then SELECT * FROM wa_sync_templates('%s').",
						 s->template->key, p->name, s->template->key, p->name, s->draft.name, p->name)));
	return true;
}

/*
 * One of this name is there, with whatever text: it is noted as a draft, which
 * nothing is sent with before a person has compared the two.  What can be taken
 * over from the provider's list is.
 */
static void
warn_of_other(const Submission *s)
{
	const WaProvider *p = s->provider;
	WaCatalogue catalogue = {.context = CurrentMemoryContext};
	long		wait_s;
	WaSaid		problem = wa_admin_read_templates(p, &catalogue, &wait_s);
	int			n;
	bool		changed;

	if (problem)
		wa_route_templates_read(p->name, problem, wait_s);
	else
		(void) wa_route_catalogue_apply(p, &catalogue, true, &n, &changed);
	ereport(WARNING,
			(errmsg("template \"%s\" is at %s already, and is not used before somebody has compared it", s->draft.name,
					s->gateway->name),
			 problem ? errdetail("The list of templates could not be read: %s", wa_said_english(problem)) : 0,
			 errhint("Compare its text there with SELECT wa_template_export('%s', '%s'), then SELECT wa_map_template('%s', '%s', '{\"status\": \"configured\"}').",
					 s->template->key, p->name, s->template->key, p->name)));
}

/* A word of the provider's, without our secrets. */
static char *
shown_word(const WaProvider *p, const char *word)
{
	char	   *shown = wa_gateway_redact(word, strlen(word), p->secrets, p->nsecrets, 64);
	char	   *copy = pstrdup(shown ? shown : "");

	free(shown);
	return copy;
}

/* Note it in the mapping. */
static Datum
note(const Submission *s, const WaTemplateMade *made)
{
	static WaStatement put =
		WA_STATEMENT("INSERT INTO wa.template_mapping AS m (template_key, provider, mode, name, language, format, parameters,"
					 " status, provider_status, provider_category)"
					 " VALUES ($1, $2, 'template', $3, $4, CASE WHEN $5 THEN 'named' ELSE 'positional' END, $6, $7, $8, $9)"
					 " ON CONFLICT (template_key, provider) DO UPDATE SET mode = 'template', name = $3, language = $4,"
					 " format = excluded.format, status = $7, provider_status = $8, provider_category = $9, quality = NULL,"
					 " synced_at = NULL, told_at = NULL, last_error = NULL, last_error_said = NULL, last_error_at = NULL,"
					 " provider_note = NULL, provider_note_said = NULL"
					 " RETURNING to_jsonb(m) - 'last_error_said' - 'provider_note_said'");
	const WaTemplateDraft *d = &s->draft;
	bool		usable = made->ok && made->standing == WA_TEMPLATE_USABLE;
	WaArgs		args = {0};

	wa_arg_text(&args, s->template->key);
	wa_arg_text(&args, s->provider->name);
	wa_arg_text(&args, d->name);
	wa_arg_text(&args, d->language);
	wa_arg_bool(&args, d->named);
	wa_arg_datum(&args, TEXTARRAYOID, (Datum) 0, true);
	wa_arg_text(&args, wa_route_mapping_states[usable ? WA_MAPPING_APPROVED : WA_MAPPING_DRAFT]);
	wa_arg_text(&args, made->status[0] ? shown_word(s->provider, made->status) : NULL);
	wa_arg_text(&args, made->category[0] ? shown_word(s->provider, made->category) : NULL);
	return wa_row_datum(wa_query(&put, &args), 0, 1);
}

/*
 * wa_submit_template(): see admin.sql.
 */
Datum
wa_sql_submit_template(PG_FUNCTION_ARGS)
{
	char	   *key = wa_call_arg_text(fcinfo, 0);
	char	   *provider = wa_call_arg_text(fcinfo, 1);
	WaCall		call;
	WaProviders providers;
	Submission	s;
	Reading		reading = {0};
	Datum		result;
	bool		made;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	check_not_copy();
	wa_route_load_providers(&providers, true);
	prepare(&s, key, &providers, provider);
	if (s.provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no active provider has templates of its own"),
				 errhint("wa_configure() creates one, of kind %s.", s.gateway->kind)));
	made = submit(&s, &reading);
	result = wa_call_datum(&call, note(&s, &reading.made), false, -1);
	if (!made)
		warn_of_other(&s);
	wa_route_templates_wanted(s.provider->name, LOOK_AGAIN_S);
	if (reading.made.category[0] && pg_strcasecmp(reading.made.category, s.draft.category) != 0)
		ereport(WARNING,
				(errmsg("%s takes template \"%s\" as %s, not as %s", s.gateway->name, key,
						shown_word(s.provider, reading.made.category), s.draft.category),
				 errhint("It is charged and limited as such; a text without anything that advertises is taken as UTILITY.")));
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
