/*-------------------------------------------------------------------------
 *
 * build.c
 *		From a claimed message to the request of its provider.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <json-c/json.h>

#include "deliver/send.h"
#include "gateway/gateway.h"
#include "pg/grow.h"
#include "pg/json_text.h"
#include "queue/tell.h"
#include "sicantik_wa.h"

static WaTemplate *
template_of(WaSendConfig *config, const char *key)
{
	MemoryContext old;
	WaTemplate *template;

	for (int i = 0; i < config->ntemplates; i++)
		if (strcmp(config->templates[i]->key, key) == 0)
			return config->templates[i];
	old = MemoryContextSwitchTo(config->context);
	template = wa_route_load_template(key);
	if (template)
	{
		WA_ROOM_FOR(config->templates, config->ntemplates, 1);
		config->templates[config->ntemplates++] = template;
	}
	MemoryContextSwitchTo(old);
	return template;
}

/*
 * The parameters in the order of the mapping; false with a sentence if the
 * message has no value for one.
 */
static bool
order_params(const WaMapping *mapping, const WaTemplate *template, struct json_object *values,
			 WaPair **params, int *nparams, WaSaidText *err)
{
	char	  **names = mapping->parameters ? mapping->parameters : template->parameters;
	int			n = mapping->parameters ? mapping->nparameters : template->nparameters;

	*params = palloc0(sizeof(WaPair) * Max(n, 1));
	*nparams = n;
	for (int i = 0; i < n; i++)
	{
		struct json_object *value;

		if (!json_object_object_get_ex(values, names[i], &value) ||
			json_object_is_type(value, json_type_null))
		{
			wa_say_into(err, WA_SAY_MAPPING_VALUE_MISSING, names[i]);
			return false;
		}
		(*params)[i].name = names[i];
		(*params)[i].value = pstrdup(json_object_get_string(value));
	}
	return true;
}

/* http is for loopback hosts, which the allowed list must name with a port */
static bool
may_be_plain(const WaProvider *provider)
{
	return strncmp(provider->base_url, "http://", 7) == 0;
}

/*
 * Build the request of "transfer".  Returns false with a sentence if it cannot
 * be: the message is at fault then, not the provider.
 */
bool
wa_deliver_build(WaSendConfig *config, const WaIdentity *identity, const WaRoute *route,
				 const WaClaimed *claimed, WaTransfer *transfer, WaSaidText *err)
{
	const WaProvider *provider = route->provider;
	WaOutbound	out = {0};
	WaPair	   *params = NULL;
	int			nparams = 0;

	/*
	 * A token leaves here.  What has no problem was judged when it was
	 * loaded; it is judged again where the list is another one by now.
	 */
	if ((provider->problem || strcmp(config->providers.allowed_hosts, wa_guc_allowed_hosts) != 0) &&
		!wa_gateway_url_allowed(provider->kind, provider->base_url, wa_guc_allowed_hosts, err))
		return false;
	transfer->plain = may_be_plain(provider);
	transfer->as_template = route->as_template;
	transfer->odoo_yes_at = route->odoo_yes_at;
	out.number = claimed->number;
	out.callback = wa_queue_mark(identity->mark, claimed->id, claimed->attempt);
	out.body = claimed->body;
	if (route->as_template)
	{
		WaTemplate *template = template_of(config, claimed->template_key);
		struct json_object *values = wa_pg_json_read(claimed->params);
		bool		complete = false;

		if (template == NULL)
			wa_say_into(err, WA_SAY_TEMPLATE_GONE, claimed->template_key);
		else
			complete = order_params(route->mapping, template, values, &params, &nparams, err);
		if (values)
			json_object_put(values);
		if (!complete)
			return false;
		out.form = route->mapping->named ? WA_FORM_NAMED : WA_FORM_POSITIONAL;
		out.template_name = route->mapping->name;
		out.language = route->mapping->language ? route->mapping->language : template->language;
		out.params = params;
		out.nparams = nparams;
	}
	else if (claimed->body == NULL)
	{
		wa_say_into(err, WA_SAY_NO_TEXT);
		return false;
	}
	return provider->gateway->build(provider->base_url, provider->settings, provider->nsettings,
									&out, &transfer->request, err);
}
