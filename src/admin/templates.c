/*-------------------------------------------------------------------------
 *
 * templates.c
 *		wa_set_template() and wa_map_template().
 *
 * A template is ours: a text with named placeholders.  A mapping says how one
 * provider knows it.  Both are checked when they are written, so that a
 * person sees the mistake; the rows are checked again when they are used.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "admin/admin.h"
#include "admin/options.h"
#include "gateway/gateway.h"
#include "pg/call.h"
#include "pg/query.h"
#include "route/catalogue.h"
#include "route/providers.h"
#include "text/text.h"

PG_FUNCTION_INFO_V1(wa_sql_set_template);
PG_FUNCTION_INFO_V1(wa_sql_map_template);

#define MAX_PARAMETERS		100

/* Names in order of first appearance. */
typedef struct Names
{
	int			n;
	const char *names[MAX_PARAMETERS];
} Names;

static bool
contains(const Names *list, const char *name)
{
	for (int i = 0; i < list->n; i++)
		if (strcmp(list->names[i], name) == 0)
			return true;
	return false;
}

static void
collect(const char *name, size_t len, void *arg)
{
	Names	   *list = arg;
	char	   *copy = pnstrdup(name, len);

	if (!contains(list, copy) && list->n < MAX_PARAMETERS)
		list->names[list->n++] = copy;
}

static void
refuse(const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message),
			 hint ? errhint("%s", hint) : 0));
}

/*
 * A short text without control characters.
 */
static const char *
checked_name(const WaOption *option)
{
	const char *name = wa_admin_option_string(option);

	if (name[0] == '\0' || strlen(name) > 512)
		refuse(psprintf("setting \"%s\" must have between 1 and 512 bytes", option->name), NULL);
	for (const char *p = name; *p; p++)
		if ((unsigned char) *p < ' ' || *p == 0x7f)
			refuse(psprintf("setting \"%s\" contains a control character", option->name), NULL);
	return name;
}

/* The language as WhatsApp knows it: "id" where "id_ID" or "in" was given. */
static const char *
checked_language(const WaOption *option)
{
	const char *language = wa_admin_option_string(option);
	const char *code;

	if (!wa_admin_language_valid(language))
		refuse(psprintf("\"%s\" is not a language code", language),
			   "Write it like Meta does: \"id\", \"en_US\".");
	code = wa_gateway_language(language);
	if (code == NULL)
		refuse(psprintf("Meta has no templates in language \"%s\"", language),
			   "Write the code that WhatsApp Manager shows for the template, such as \"id\" or \"en_US\".");
	return code;
}

/*
 * A list of names of parameters, each once.
 */
static void
read_parameters(const WaOption *option, Names *list)
{
	if (option->type != WA_OPTION_LIST)
		refuse(psprintf("setting \"%s\" must be a JSON array of strings", option->name),
			   "For example: [\"partner_name\", \"permit_number\"].");
	if (option->nlist > MAX_PARAMETERS)
		refuse(psprintf("setting \"%s\" has more than %d elements",
						option->name, MAX_PARAMETERS), NULL);
	list->n = 0;
	for (int i = 0; i < option->nlist; i++)
	{
		const char *name = option->list[i];

		if (!wa_admin_parameter_valid(name))
			refuse(psprintf("\"%s\" cannot be the name of a parameter", name),
				   "Use lower-case letters, digits and \"_\".");
		if (contains(list, name))
			refuse(psprintf("parameter \"%s\" is named twice", name), NULL);
		list->names[list->n++] = name;
	}
}

/*
 * Check the body.  used: its placeholders.
 */
static void
check_body(const char *body, Names *used)
{
	used->n = 0;
	if (body[strspn(body, " \t\r\n")] == '\0')
		refuse("body of a template must not be empty", NULL);
	if (!wa_text_placeholders(body, collect, used))
		refuse("body has a malformed placeholder",
			   "Write placeholders as {{name}}, with lower-case letters, digits and \"_\".");
	if (used->n >= MAX_PARAMETERS)
		refuse("body has too many placeholders", NULL);
	if (wa_text_length(body) > WA_TEXT_MAX_CHARS)
		refuse(psprintf("body is longer than %d characters", WA_TEXT_MAX_CHARS),
			   "That is the longest text message of WhatsApp.");
}

/*
 * Each placeholder must be a parameter.
 */
static void
check_used(const Names *used, const Names *parameters)
{
	for (int i = 0; i < used->n; i++)
		if (!contains(parameters, used->names[i]))
			refuse(psprintf("placeholder {{%s}} of the body is not among the parameters",
							used->names[i]),
				   "Name it in \"parameters\", or leave \"parameters\" out to take the order of the body.");
	for (int i = 0; i < parameters->n; i++)
		if (!contains(used, parameters->names[i]))
			ereport(WARNING,
					(errmsg("parameter \"%s\" does not appear in the body",
							parameters->names[i])));
}

static void
warn_of_objections(const char *key, const char *body)
{
	const WaGateway *gateway;

	for (int g = 0; (gateway = wa_gateway_at(g)) != NULL; g++)
	{
		const char *objections[WA_MAX_OBJECTIONS];
		int			n = gateway->object ? gateway->object(body, objections) : 0;

		for (int i = 0; i < n; i++)
			ereport(WARNING,
					(errmsg("%s would not approve the text of template \"%s\": %s",
							gateway->name, key, objections[i]),
					 errhint("Providers that take plain text can use it all the same.")));
	}
}

static bool
same_names(const Names *a, const Names *b)
{
	if (a->n != b->n)
		return false;
	for (int i = 0; i < a->n; i++)
		if (!contains(b, a->names[i]))
			return false;
	return true;
}

/*
 * The order of parameters: as given; else as it was, if the body still has the
 * same; else as in the body.
 */
static void
choose_parameters(const WaOptions *options, const Names *used,
				  const WaTemplate *before, Names *parameters)
{
	const WaOption *option = wa_admin_options_find(options, "parameters");

	if (option && !wa_admin_option_is_null(option))
	{
		read_parameters(option, parameters);
		return;
	}
	parameters->n = 0;
	if (before && option == NULL)
		for (int i = 0; i < before->nparameters && i < MAX_PARAMETERS; i++)
			parameters->names[parameters->n++] = before->parameters[i];
	if (!same_names(parameters, used))
		*parameters = *used;
}

/*
 * wa_set_template(): see admin.sql.
 */
Datum
wa_sql_set_template(PG_FUNCTION_ARGS)
{
	static const char *const known[] = {
		"name", "body", "parameters", "category", "language", "active"
	};
	static const char *const categories[] = {"UTILITY", "MARKETING", "AUTHENTICATION"};
	static WaStatement store =
		WA_STATEMENT("INSERT INTO wa.template AS t (key, name, body, parameters, category, language, active)"
					 " VALUES ($1, coalesce($2, $1), $3, $4, coalesce($5, 'UTILITY'), coalesce($6, 'id'), coalesce($7, true))"
					 " ON CONFLICT (key) DO UPDATE SET name = coalesce($2, t.name), body = excluded.body,"
					 " parameters = excluded.parameters, category = coalesce($5, t.category),"
					 " language = coalesce($6, t.language), active = coalesce($7, t.active)"
					 " RETURNING to_jsonb(t)");
	char	   *key = wa_call_arg_text(fcinfo, 0);
	Jsonb	   *settings = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	WaCall		call;
	WaOptions	options;
	const WaOption *name;
	const WaOption *body;
	const WaOption *category;
	const WaOption *language;
	const WaOption *active;
	WaTemplate *before;
	const char *new_body;
	Names	   *used = palloc0(sizeof(Names));
	Names	   *parameters = palloc0(sizeof(Names));
	WaArgs		args = {0};
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	if (key == NULL || !wa_admin_key_valid(key))
		refuse("invalid key of a template",
			   "Use lower-case letters, digits, \"_\" and \"-\", beginning with a letter.");
	wa_admin_options_read(&options, settings);
	wa_admin_options_check_known(&options, known, lengthof(known), "a template");
	name = wa_admin_options_find(&options, "name");
	body = wa_admin_options_find(&options, "body");
	category = wa_admin_options_find(&options, "category");
	language = wa_admin_options_find(&options, "language");
	active = wa_admin_options_find(&options, "active");

	before = wa_route_load_template(key);
	if (before == NULL && body == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("template \"%s\" does not exist", key),
				 errhint("To create it, give its body; wa_setup() adds the built-in ones.")));
	new_body = body ? wa_admin_option_string(body) : before->body;
	check_body(new_body, used);
	choose_parameters(&options, used, before, parameters);
	check_used(used, parameters);

	wa_arg_text(&args, key);
	wa_arg_text(&args, name ? checked_name(name) : NULL);
	wa_arg_text(&args, new_body);
	wa_arg_text_array(&args, parameters->names, parameters->n);
	wa_arg_text(&args, category ?
				wa_admin_option_word(category, categories, lengthof(categories)) : NULL);
	wa_arg_text(&args, language ? checked_language(language) : NULL);
	wa_arg_datum(&args, BOOLOID,
				 BoolGetDatum(active ? wa_admin_option_boolean(active) : false), active == NULL);
	result = wa_call_datum(&call, wa_row_datum(wa_query(&store, &args), 0, 1), false, -1);
	if (active == NULL || wa_admin_option_boolean(active))
		warn_of_objections(key, new_body);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}

/*
 * The kind of the provider; an error that names the known ones if there is no
 * such provider.
 */
static const WaGateway *
provider_gateway(const char *provider)
{
	static WaStatement find =
		WA_STATEMENT("SELECT kind FROM wa.provider WHERE name = $1");
	static WaStatement list =
		WA_STATEMENT("SELECT string_agg(name, ', ' ORDER BY name COLLATE \"C\") FROM wa.provider");
	const WaGateway *gateway;
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, provider);
	rows = wa_query(&find, &args);
	if (rows.n == 0)
	{
		char	   *names = wa_row_text(wa_query(&list, NULL), 0, 1);

		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("provider \"%s\" does not exist", provider ? provider : ""),
				 names ? errhint("Known providers: %s.", names) :
				 errhint("There are none yet: run wa_setup() or wa_configure().")));
	}
	gateway = wa_gateway_find(wa_row_text(rows, 0, 1));
	if (gateway == NULL)
		refuse(psprintf("provider \"%s\" is of unknown kind \"%s\"", provider,
						wa_row_text(rows, 0, 1)), NULL);
	return gateway;
}

static void
check_template_exists(const char *key)
{
	static WaStatement list =
		WA_STATEMENT("SELECT string_agg(key, ', ' ORDER BY key COLLATE \"C\") FROM wa.template");
	WaRows		rows;
	char	   *keys;

	if (key && wa_route_load_template(key))
		return;
	rows = wa_query(&list, NULL);
	keys = wa_row_text(rows, 0, 1);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("template \"%s\" does not exist", key ? key : ""),
			 keys ? errhint("Known templates: %s.", keys) :
			 errhint("There are none yet: run wa_setup() or wa_set_template().")));
}

/*
 * The name under which the provider knows the template: "name", or "id",
 * which is the same.
 */
static const WaOption *
name_option(const WaOptions *options)
{
	const WaOption *name = wa_admin_options_find(options, "name");
	const WaOption *id = wa_admin_options_find(options, "id");

	if (name && id)
		refuse("settings \"name\" and \"id\" exclude each other", NULL);
	return name ? name : id;
}

static void
check_name(const WaGateway *gateway, const char *name)
{
	const char *why = gateway->refuse_name ? gateway->refuse_name(name) : NULL;

	if (why)
		refuse(psprintf("\"%s\" cannot be the name of a template at %s", name, gateway->name), why);
}

/*
 * Say what the mapping, as it is stored now, means for this kind of provider.
 */
static void
warn_of_mapping(WaRows rows, const char *key, const char *provider, const WaGateway *gateway)
{
	bool		is_text = strcmp(wa_row_text(rows, 0, 2), "text") == 0;

	if (is_text && gateway->official)
		ereport(WARNING,
				(errmsg("provider \"%s\" takes plain text only within 24 hours of a message from the recipient",
						provider),
				 errhint("Use mode \"template\" with the name of an approved template.")));
	if (!is_text && !gateway->has_templates)
		ereport(WARNING,
				(errmsg("the interface of provider \"%s\" has no templates", provider),
				 errdetail("The template's name and parameters are sent as they are; what the recipient sees is uncertain."),
				 errhint("Use mode \"text\".")));
	if (!is_text && wa_row_isnull(rows, 0, 3))
		ereport(WARNING,
				(errmsg("the mapping of template \"%s\" for provider \"%s\" has no name",
						key, provider),
				 errhint("Give the name or id that the provider knows the template by.")));
}

/* Each message by the template would fail at this provider. */
static void
warn_of_unsupplied(const char *key, const Names *parameters)
{
	char	   *lacking = wa_admin_unsupplied_names(key, parameters->names, parameters->n);

	if (lacking)
		ereport(WARNING,
				(errmsg("messages by template \"%s\" have no value for: %s", key, lacking),
				 errdetail("A message that is not given one fails."),
				 errhint("wa_explain('%s', NULL) shows the values that there are.", key)));
}

static void
check_named_lengths(const WaGateway *gateway, const Names *parameters)
{
	for (int i = 0; i < parameters->n; i++)
		if (strlen(parameters->names[i]) > gateway->max_param_name)
			ereport(WARNING,
					(errmsg("parameter \"%s\" is longer than %d characters, which %s's named format does not allow",
							parameters->names[i], (int) gateway->max_param_name, gateway->name)));
}

/* The named format, of which most kinds know nothing. */
static void
check_takes_names(const WaGateway *gateway)
{
	StringInfoData kinds;
	const WaGateway *other;

	if (gateway->max_param_name > 0)
		return;
	initStringInfo(&kinds);
	for (int i = 0; (other = wa_gateway_at(i)) != NULL; i++)
		if (other->max_param_name > 0)
			appendStringInfo(&kinds, "%s%s", kinds.len > 0 ? ", " : "", other->kind);
	refuse(psprintf("format \"named\" is for providers of kind %s only", kinds.data), NULL);
}

/* Kept while the mapping names the same template. */
#define SAME(column) \
	"CASE WHEN NOT ($4 AND $5 IS DISTINCT FROM m.name OR $6 AND $7 IS DISTINCT FROM m.language) THEN m." column " END"

/*
 * wa_map_template(): see admin.sql.
 */
Datum
wa_sql_map_template(PG_FUNCTION_ARGS)
{
	static const char *const known[] = {
		"name", "id", "language", "mode", "format", "parameters", "status"
	};
	static const char *const modes[] = {"template", "text"};
	static const char *const formats[] = {"positional", "named"};
	static WaStatement store =
		WA_STATEMENT("INSERT INTO wa.template_mapping AS m"
					 " (template_key, provider, mode, name, language, format, parameters, status)"
					 " VALUES ($1, $2, coalesce($3, $12), $5, $7, coalesce($8, 'positional'), $10, coalesce($11, 'configured'))"
					 " ON CONFLICT (template_key, provider) DO UPDATE SET"
					 " mode = coalesce($3, m.mode), name = CASE WHEN $4 THEN $5 ELSE m.name END,"
					 " language = CASE WHEN $6 THEN $7 ELSE m.language END, format = coalesce($8, m.format),"
					 " parameters = CASE WHEN $9 THEN $10 ELSE m.parameters END,"
					 " status = coalesce($11, CASE m.status WHEN 'error' THEN 'configured' ELSE m.status END),"
					 " last_error = NULL, last_error_said = NULL, last_error_at = NULL,"
					 " provider_status = " SAME("provider_status") ", provider_category = " SAME("provider_category") ","
					 " quality = " SAME("quality") ", synced_at = " SAME("synced_at") ", told_at = " SAME("told_at") ","
					 " provider_note = " SAME("provider_note") ", provider_note_said = " SAME("provider_note_said")
					 " RETURNING to_jsonb(m) - 'last_error_said' - 'provider_note_said', m.mode, m.name");
	char	   *key = wa_call_arg_text(fcinfo, 0);
	char	   *provider = wa_call_arg_text(fcinfo, 1);
	Jsonb	   *settings = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	WaCall		call;
	WaOptions	options;
	const WaGateway *gateway;
	const WaOption *name;
	const WaOption *language;
	const WaOption *mode;
	const WaOption *format;
	const WaOption *list;
	const WaOption *status;
	const char *form;
	Names	   *parameters = palloc0(sizeof(Names));
	WaArgs		args = {0};
	WaRows		rows;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	wa_admin_options_read(&options, settings);
	wa_admin_options_check_known(&options, known, lengthof(known), "a template mapping");
	check_template_exists(key);
	gateway = provider_gateway(provider);
	name = name_option(&options);
	language = wa_admin_options_find(&options, "language");
	mode = wa_admin_options_find(&options, "mode");
	format = wa_admin_options_find(&options, "format");
	list = wa_admin_options_find(&options, "parameters");
	status = wa_admin_options_find(&options, "status");

	if (name && !wa_admin_option_is_null(name))
		check_name(gateway, checked_name(name));
	form = format ? wa_admin_option_word(format, formats, lengthof(formats)) : NULL;
	if (form && strcmp(form, "named") == 0)
		check_takes_names(gateway);
	if (list && !wa_admin_option_is_null(list))
		read_parameters(list, parameters);
	if (form && strcmp(form, "named") == 0)
		check_named_lengths(gateway, parameters);

	wa_arg_text(&args, key);
	wa_arg_text(&args, provider);
	wa_arg_text(&args, mode ? wa_admin_option_word(mode, modes, lengthof(modes)) : NULL);
	wa_arg_bool(&args, name != NULL);
	wa_arg_text(&args, name ? name->text : NULL);
	wa_arg_bool(&args, language != NULL);
	wa_arg_text(&args, language && !wa_admin_option_is_null(language) ?
				checked_language(language) : NULL);
	wa_arg_text(&args, form);
	wa_arg_bool(&args, list != NULL);
	wa_arg_text_array(&args, list && !wa_admin_option_is_null(list) ? parameters->names : NULL,
					  parameters->n);
	wa_arg_text(&args, status ? wa_admin_option_word(status, wa_route_mapping_states, WA_MAPPING_STATES) : NULL);
	wa_arg_text(&args, gateway->has_templates ? "template" : "text");
	rows = wa_query(&store, &args);
	result = wa_call_datum(&call, wa_row_datum(rows, 0, 1), false, -1);
	if (gateway->build_templates)
		wa_route_templates_wanted(provider, WA_TEMPLATES_FIRST_S);
	warn_of_mapping(rows, key, provider, gateway);
	/* wa_import_odoo() says it in its own way */
	if (fcinfo->flinfo)
		warn_of_unsupplied(key, parameters);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}
