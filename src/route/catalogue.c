/*-------------------------------------------------------------------------
 *
 * catalogue.c
 *		The mappings of a provider, compared with its own list of templates.
 *
 * What a message would be refused for is found here before one is: a template
 * that is not approved, not in this language, or wants other parameters.  Such
 * a mapping is in error, and well again by itself as soon as the list fits.  An
 * error that a message has met and the list does not explain stays, until a
 * person asks.  A draft is nobody's promise, and becomes usable only when the
 * provider has approved what it was waiting with.
 *
 * Names of parameters can be taken over from the list: what has the same name
 * means the same.  Positions cannot: another order would tell a citizen wrong
 * things.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "pg/grow.h"
#include "pg/query.h"
#include "route/catalogue.h"

/* A row of ours, and what it is to be. */
typedef struct Compared
{
	WaMapping	mapping;		/* as it is; its own or the template's
								 * language and parameters */
	WaMappingState status;
	const WaListed *listed;		/* or NULL */
	WaSaid		error;
	WaSaid		note;
	bool		takes_names;	/* format and parameters follow the list */
	bool		takes_places;	/* the format follows the list, in the order
								 * of our parameters */
	bool		unread;			/* not compared since an event, or ever */
} Compared;

static char *
keep(MemoryContext context, const char *text)
{
	return text ? MemoryContextStrdup(context, text) : NULL;
}

/* WaTakeTemplate, with a WaCatalogue. */
void
wa_route_catalogue_add(const WaTemplateFacts *facts, void *catalogue)
{
	WaCatalogue *c = catalogue;
	MemoryContext old = MemoryContextSwitchTo(c->context);
	WaListed   *listed;

	WA_ROOM_FOR(c->list, c->n, 1);
	listed = &c->list[c->n++];
	memset(listed, 0, sizeof(*listed));
	listed->name = keep(c->context, facts->name);
	listed->language = keep(c->context, facts->language);
	listed->status = keep(c->context, facts->status);
	listed->standing = facts->standing;
	listed->category = keep(c->context, facts->category);
	listed->announced_category = keep(c->context, facts->announced_category);
	listed->quality = keep(c->context, facts->quality);
	listed->reason = keep(c->context, facts->reason);
	listed->counted = facts->counted;
	listed->named = facts->named;
	listed->lacks = facts->lacks;	/* static */
	listed->nparameters = facts->nparameters;
	listed->parameters = palloc(sizeof(char *) * Max(facts->nparameters, 1));
	for (int i = 0; i < facts->nparameters; i++)
		listed->parameters[i] = keep(c->context, facts->parameters[i]);
	MemoryContextSwitchTo(old);
}

/*
 * The template of this name and language.  One that was deleted may still be
 * listed beside the new one of its name.
 */
static WaListed *
find_listed(const WaCatalogue *catalogue, const char *name, const char *language)
{
	WaListed   *found = NULL;

	for (int i = 0; i < catalogue->n; i++)
	{
		WaListed   *listed = &catalogue->list[i];

		if (strcmp(listed->name, name) == 0 && strcmp(listed->language, language) == 0 &&
			(found == NULL || found->standing == WA_TEMPLATE_GONE))
			found = listed;
	}
	return found;
}

/* What a provider wrote, without our secrets. */
static void
blot(const WaProvider *provider, char **text)
{
	char	   *shown;

	if (*text == NULL)
		return;
	shown = wa_gateway_redact(*text, strlen(*text), provider->secrets, provider->nsecrets, strlen(*text) + 3);
	*text = pstrdup(shown ? shown : "");
	free(shown);
}

/* Why there is none: no such name, or only in other languages. */
static WaSaid
not_there(const WaGateway *gateway, const WaCatalogue *catalogue, const WaMapping *m)
{
	StringInfoData languages;

	initStringInfo(&languages);
	for (int i = 0; i < catalogue->n; i++)
		if (strcmp(catalogue->list[i].name, m->name) == 0)
			appendStringInfo(&languages, "%s%s", languages.len > 0 ? ", " : "",
							 catalogue->list[i].language);
	return languages.len == 0 ? wa_say(WA_SAY_TEMPLATE_NOT_THERE, gateway->name, m->name) :
		wa_say(WA_SAY_TEMPLATE_OTHER_LANGUAGE, gateway->name, m->name, m->language, languages.data);
}

static bool
is_among(const char *name, char **names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/*
 * Do the parameters fit that a message would be sent with?  If not, why.  Where
 * the names are to be taken over, c->takes_names is set.  A draft of which the
 * provider has told nothing yet takes over that there are no names: somebody
 * compares it before it is used.
 */
static WaSaid
compare_parameters(const WaGateway *gateway, const WaListed *listed, Compared *c)
{
	const WaMapping *m = &c->mapping;
	bool		same = m->nparameters == listed->nparameters;

	if (!listed->counted)
		return NULL;
	if (listed->lacks)
		return wa_say(WA_SAY_TEMPLATE_NEEDS_MORE, gateway->name, listed->lacks);
	if (listed->nparameters == 0)
		return m->nparameters == 0 ? NULL :
			wa_say(WA_SAY_TEMPLATE_OTHER_COUNT, gateway->name, WA_NUMBER(0), WA_NUMBER(m->nparameters));
	if (!listed->named)
	{
		if (!same)
			return wa_say(WA_SAY_TEMPLATE_OTHER_COUNT, gateway->name, WA_NUMBER(listed->nparameters),
						  WA_NUMBER(m->nparameters));
		c->takes_places = m->named && m->status == WA_MAPPING_DRAFT && m->provider_status == NULL;
		return m->named && !c->takes_places ? wa_say(WA_SAY_TEMPLATE_BY_POSITION, gateway->name) : NULL;
	}
	for (int i = 0; i < listed->nparameters; i++)
		if (!is_among(listed->parameters[i], m->parameters, m->nparameters))
			return wa_say(WA_SAY_TEMPLATE_OTHER_NAME, gateway->name, listed->parameters[i]);
	c->takes_names = !m->named || !same;
	return NULL;
}

/* What is announced, or unclear, of one that may be used. */
static WaSaid
note_of(const WaGateway *gateway, const WaListed *listed, const WaMapping *m)
{
	WaSaid		note = NULL;

	if (listed->announced_category)
		note = wa_say(WA_SAY_TEMPLATE_CATEGORY_ANNOUNCED, gateway->name, listed->announced_category);
	if (listed->standing == WA_TEMPLATE_UNCLEAR)
		note = wa_said_and(note, wa_say(WA_SAY_TEMPLATE_STATE_UNKNOWN, gateway->name, listed->status));

	/* lists do not say so: what an event has told stays while it is rated low */
	if (listed->standing == WA_TEMPLATE_USABLE && m->provider_status && m->note &&
		gateway->template_standing(m->provider_status) == WA_TEMPLATE_WARNED &&
		listed->quality && pg_strcasecmp(listed->quality, "GREEN") != 0)
		note = m->note;
	return note;
}

/* What a mapping is, given what the provider has. */
static void
compare(const WaGateway *gateway, const WaCatalogue *catalogue, bool asked, Compared *c)
{
	const WaMapping *m = &c->mapping;
	WaListed   *listed = find_listed(catalogue, m->name, m->language);
	WaTemplateStanding standing = listed ? listed->standing : WA_TEMPLATE_GONE;
	bool		draft = m->status == WA_MAPPING_DRAFT;
	bool		usable = standing == WA_TEMPLATE_USABLE || standing == WA_TEMPLATE_WARNED;

	c->listed = listed;
	c->status = m->status;
	if (listed)
	{
		listed->mapped = true;
		c->note = note_of(gateway, listed, m);
	}
	if (listed == NULL)
		c->error = not_there(gateway, catalogue, m);
	else if (usable)
		c->error = compare_parameters(gateway, listed, c);
	else if (standing != WA_TEMPLATE_UNCLEAR)
		c->error = wa_route_standing_said(gateway, standing, listed->status, listed->reason);

	if (c->error)
	{
		/* a draft is told of once it was with the provider */
		if (!draft || (m->provider_status && standing != WA_TEMPLATE_PENDING))
			c->status = WA_MAPPING_ERROR;
	}
	else if (!usable)
		c->error = m->last_error;
	else if (draft ? m->provider_status != NULL && gateway->template_standing(m->provider_status) > WA_TEMPLATE_WARNED :
			 m->status != WA_MAPPING_ERROR || asked || wa_route_lifts(m, gateway))
		c->status = WA_MAPPING_APPROVED;
	else
		c->error = m->last_error;
	if (c->status != WA_MAPPING_ERROR && !draft)
		c->error = NULL;
}

/*
 * The mappings of a provider that name a template of its own, locked; those
 * that somebody else has locked are left out, and *all is false.
 */
static Compared *
load_mappings(const char *provider, int *n, bool *all)
{
	static WaStatement count =
		WA_STATEMENT("SELECT count(*) FROM wa.template_mapping AS m JOIN wa.template AS t ON t.key = m.template_key"
					 " WHERE m.provider = $1 AND m.mode = 'template' AND m.name IS NOT NULL");
	static WaStatement load =
		WA_STATEMENT("SELECT m.template_key, m.name, coalesce(m.language, t.language), m.format = 'named',"
					 " coalesce(m.parameters, t.parameters), m.status, m.last_error, m.last_error_said,"
					 " m.provider_status, m.provider_note, m.provider_note_said, m.synced_at IS NULL"
					 " FROM wa.template_mapping AS m JOIN wa.template AS t ON t.key = m.template_key"
					 " WHERE m.provider = $1 AND m.mode = 'template' AND m.name IS NOT NULL"
					 " ORDER BY m.template_key COLLATE \"C\" FOR NO KEY UPDATE OF m SKIP LOCKED");
	WaArgs		args = {0};
	WaRows		rows;
	Compared   *list;

	wa_arg_text(&args, provider);
	rows = wa_query(&load, &args);
	*n = (int) rows.n;
	list = palloc0(sizeof(Compared) * Max(rows.n, 1));
	for (int i = 0; i < *n; i++)
	{
		WaMapping  *m = &list[i].mapping;
		int			names;
		char	  **parameters = wa_row_text_array(rows, i, 5, &names);

		m->template_key = wa_row_text(rows, i, 1);
		m->name = wa_row_text(rows, i, 2);
		m->language = wa_row_text(rows, i, 3);
		m->named = wa_row_bool(rows, i, 4);
		m->parameters = palloc(sizeof(char *) * Max(names, 1));
		for (int p = 0; p < names; p++)
			if (parameters[p])
				m->parameters[m->nparameters++] = parameters[p];
		m->status = wa_route_mapping_state(wa_row_text(rows, i, 6));
		m->last_error = wa_row_said(rows, i, 7);
		m->provider_status = wa_row_text(rows, i, 9);
		m->note = wa_row_said(rows, i, 10);
		list[i].unread = wa_row_bool(rows, i, 12);
	}
	wa_rows_free(rows);
	rows = wa_query(&count, &args);
	*all = wa_row_int8(rows, 0, 1) == *n;
	wa_rows_free(rows);
	return list;
}

static void
store(const char *provider, const Compared *c)
{
	static WaStatement put =
		WA_STATEMENT("UPDATE wa.template_mapping SET status = $3, last_error = $4, last_error_said = $5,"
					 " last_error_at = CASE WHEN $4 IS NULL THEN NULL WHEN $4 IS NOT DISTINCT FROM last_error THEN last_error_at"
					 " ELSE clock_timestamp() END,"
					 " provider_status = $6, provider_category = $7, quality = $8, provider_note = $9, provider_note_said = $10,"
					 " format = CASE WHEN $11 IS NOT NULL THEN 'named' WHEN $12 THEN 'positional' ELSE format END, parameters = coalesce($11, parameters),"
					 " synced_at = clock_timestamp() WHERE provider = $1 AND template_key = $2");
	const WaListed *listed = c->listed;
	const char *status = listed ? listed->status : NULL;
	WaArgs		args = {0};

	/* what an event has told, and lists do not say */
	if (c->note && c->note == c->mapping.note)
		status = c->mapping.provider_status;
	wa_arg_text(&args, provider);
	wa_arg_text(&args, c->mapping.template_key);
	wa_arg_text(&args, wa_route_mapping_states[c->status]);
	wa_arg_said(&args, c->status == WA_MAPPING_ERROR ? c->error : NULL);
	wa_arg_text(&args, status);
	wa_arg_text(&args, listed ? listed->category : NULL);
	wa_arg_text(&args, listed ? listed->quality : NULL);
	wa_arg_said(&args, c->note);
	wa_arg_text_array(&args, c->takes_names && listed ? (const char *const *) listed->parameters : NULL,
					  c->takes_names && listed ? listed->nparameters : 0);
	wa_arg_bool(&args, c->takes_places);
	wa_query(&put, &args);
}

/* The log hears of each that can be used no more, or again. */
static void
tell(const WaProvider *provider, const Compared *c)
{
	bool		was = wa_route_mapping_is_usable(&c->mapping);

	if (was && c->status == WA_MAPPING_ERROR)
		ereport(WARNING,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("sicantik_wa stops using template \"%s\" with provider \"%s\": %s",
						c->mapping.template_key, provider->name, wa_said_english(c->error))));
	else if (!was && c->status == WA_MAPPING_APPROVED)
		ereport(LOG,
				(errmsg("sicantik_wa uses template \"%s\" with provider \"%s\" again: it is approved and fits",
						c->mapping.template_key, provider->name)));
}

/*
 * Compare the mappings of a provider with its list, which is read to its end,
 * and write what each of them is then.  asked: a person has asked for it, who
 * has mended what messages met.  Returns *n mappings with what is to be said of
 * them; *changed: one can be used that could not, or the reverse, or is called
 * otherwise.  Where somebody has locked some, they are left out, and the list
 * is read once more soon.
 */
WaMappingNews *
wa_route_catalogue_apply(const WaProvider *provider, WaCatalogue *catalogue, bool asked,
						 int *n, bool *changed)
{
	bool		all;
	Compared   *list = load_mappings(provider->name, n, &all);
	WaMappingNews *news = palloc0(sizeof(WaMappingNews) * Max(*n, 1));

	*changed = false;
	for (int i = 0; i < catalogue->n; i++)
	{
		WaListed   *listed = &catalogue->list[i];

		blot(provider, &listed->status);
		blot(provider, &listed->category);
		blot(provider, &listed->announced_category);
		blot(provider, &listed->quality);
		blot(provider, &listed->reason);
	}
	for (int i = 0; i < *n; i++)
	{
		Compared   *c = &list[i];

		compare(provider->gateway, catalogue, asked, c);
		store(provider->name, c);
		tell(provider, c);
		*changed = *changed || c->takes_names || c->takes_places || c->status != c->mapping.status;
		news[i].template_key = c->mapping.template_key;
		news[i].name = c->mapping.name;
		news[i].language = c->mapping.language;
		news[i].status = c->status;
		news[i].provider_status = c->listed ? c->listed->status : NULL;
		news[i].said = wa_said_and(c->error, c->note);
		/* what an event has stopped is told with the list that follows it */
		news[i].stopped = c->status == WA_MAPPING_ERROR &&
			(wa_route_mapping_is_usable(&c->mapping) || (c->unread && c->mapping.status == WA_MAPPING_ERROR));
	}
	wa_route_templates_read(provider->name, NULL, all ? -1 : 60);
	return news;
}
