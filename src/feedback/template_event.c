/*-------------------------------------------------------------------------
 *
 * template_event.c
 *		What a provider tells of a template by a webhook.
 *
 * It holds at once for the mapping: what is not approved any more would be
 * refused message by message.  What the event means is the gateway's to read;
 * after it the list is read once more, since that knows parameters and
 * category too.  A mapping that somebody has locked is left to that.
 *
 * Webhooks come in any order, and again for a week: what had happened before
 * the list was read, or before what was told last, is no news.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "feedback/feedback.h"
#include "pg/json_text.h"
#include "pg/query.h"
#include "route/catalogue.h"

/* Several events of one change come together. */
#define READ_ANEW_S		2

/* Mappings that an event is about. */
typedef struct Told
{
	const char *provider;
	const WaGateway *gateway;
	const WaTemplateNews *news;
	TimestampTz said_at;
} Told;

static const WaGateway *
gateway_of(const char *provider)
{
	static WaStatement find =
		WA_STATEMENT("SELECT kind FROM wa.provider WHERE name = $1");
	WaArgs		args = {0};
	WaRows		rows;
	const WaGateway *gateway = NULL;

	wa_arg_text(&args, provider);
	rows = wa_query(&find, &args);
	if (rows.n > 0)
		gateway = wa_gateway_find(wa_row_text(rows, 0, 1));
	wa_rows_free(rows);
	return gateway;
}

/* What the mapping is after news of the template's state. */
static WaMappingState
state_after(const Told *told, const WaMapping *m)
{
	switch (told->news->standing)
	{
		case WA_TEMPLATE_USABLE:
		case WA_TEMPLATE_WARNED:
			/* a draft was waiting for it, or is nobody's promise */
			if (m->status == WA_MAPPING_DRAFT &&
				(m->provider_status == NULL ||
				 told->gateway->template_standing(m->provider_status) <= WA_TEMPLATE_WARNED))
				return WA_MAPPING_DRAFT;
			return WA_MAPPING_APPROVED;
		case WA_TEMPLATE_PENDING:
			return m->status == WA_MAPPING_DRAFT ? WA_MAPPING_DRAFT : WA_MAPPING_ERROR;
		case WA_TEMPLATE_UNUSABLE:
		case WA_TEMPLATE_ARCHIVED:
		case WA_TEMPLATE_GONE:
			return m->status == WA_MAPPING_DRAFT && m->provider_status == NULL ?
				WA_MAPPING_DRAFT : WA_MAPPING_ERROR;
		case WA_TEMPLATE_UNCLEAR:
			break;
	}
	return m->status;
}

/* What is announced of it. */
static WaSaid
note_after(const Told *told, const WaMapping *m)
{
	const WaTemplateNews *news = told->news;
	const char *name = told->gateway->name;

	if (news->announced_category[0])
		return wa_say(WA_SAY_TEMPLATE_CATEGORY_ANNOUNCED, name, news->announced_category);
	if (news->standing == WA_TEMPLATE_WARNED)
		return news->until[0] ? wa_say(WA_SAY_TEMPLATE_FLAGGED_UNTIL, name, news->until) :
			wa_say(WA_SAY_TEMPLATE_FLAGGED, name);
	/* another state, or the announced category: that is over */
	return news->status[0] || news->happened ? NULL : m->note;
}

static void
put(const Told *told, const WaMapping *m)
{
	static WaStatement store =
		WA_STATEMENT("UPDATE wa.template_mapping SET status = $3, last_error = $4, last_error_said = $5,"
					 " last_error_at = CASE WHEN $4 IS NULL THEN NULL WHEN $4 IS NOT DISTINCT FROM last_error THEN last_error_at"
					 " ELSE clock_timestamp() END,"
					 " provider_status = coalesce($6, provider_status), provider_category = coalesce($7, provider_category),"
					 " quality = coalesce($8, quality), provider_note = $9, provider_note_said = $10, synced_at = NULL,"
					 " told_at = greatest(told_at, $11)"
					 " WHERE provider = $1 AND template_key = $2");
	const WaTemplateNews *news = told->news;
	WaMappingState status = news->status[0] ? state_after(told, m) : m->status;
	WaSaid		error = status == WA_MAPPING_ERROR ? m->last_error : NULL;
	WaArgs		args = {0};

	if (status == WA_MAPPING_ERROR && news->standing > WA_TEMPLATE_WARNED)
		error = wa_route_standing_said(told->gateway, news->standing, news->status,
									   news->reason[0] ? news->reason : NULL);
	wa_arg_text(&args, told->provider);
	wa_arg_text(&args, m->template_key);
	wa_arg_text(&args, wa_route_mapping_states[status]);
	wa_arg_said(&args, error);
	wa_arg_text(&args, news->status[0] ? news->status : NULL);
	wa_arg_text(&args, news->category[0] ? news->category : NULL);
	wa_arg_text(&args, news->quality[0] ? news->quality : NULL);
	wa_arg_said(&args, note_after(told, m));
	wa_arg_timestamptz(&args, told->said_at);
	wa_query(&store, &args);
	if (status == m->status)
		return;
	if (status == WA_MAPPING_ERROR)
		ereport(WARNING,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("sicantik_wa stops using template \"%s\" with provider \"%s\": %s", m->template_key,
						told->provider, wa_said_english(error))));
	else
		ereport(LOG,
				(errmsg("sicantik_wa uses template \"%s\" with provider \"%s\": it is approved", m->template_key,
						told->provider)));
}

/*
 * Apply one event about a template to the mappings of a provider that name it:
 * event and detail (a JSON object) as WaUpdate has them, language with "-" or
 * "_", NULL: in every language.  Rows that somebody has locked are left to the
 * list, which is read soon.
 */
static void
apply(const char *provider, const char *event, const char *name, const char *language,
	  const char *detail, TimestampTz said_at)
{
	static WaStatement load =
		WA_STATEMENT("SELECT m.template_key, m.status, m.last_error, m.last_error_said, m.provider_status,"
					 " m.provider_note, m.provider_note_said"
					 " FROM wa.template_mapping AS m JOIN wa.template AS t ON t.key = m.template_key"
					 " WHERE m.provider = $1 AND m.mode = 'template' AND m.name = $2"
					 " AND coalesce(m.language, t.language) = coalesce(replace($3, '-', '_'), m.language, t.language)"
					 " AND $4 >= coalesce(greatest(date_trunc('second', m.synced_at), m.told_at), $4)"
					 " ORDER BY m.template_key COLLATE \"C\" FOR NO KEY UPDATE OF m SKIP LOCKED");
	const WaGateway *gateway = gateway_of(provider);
	WaTemplateNews news;
	Told		told = {provider, gateway, &news, said_at};
	WaArgs		args = {0};
	WaRows		rows;

	wa_pg_json_room(detail);
	if (gateway == NULL || gateway->read_template_news == NULL || event == NULL || name == NULL ||
		!gateway->read_template_news(event, detail, &news))
		return;
	wa_arg_text(&args, provider);
	wa_arg_text(&args, name);
	wa_arg_text(&args, language);
	wa_arg_timestamptz(&args, said_at);
	rows = wa_query(&load, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		WaMapping	m = {0};

		m.template_key = wa_row_text(rows, i, 1);
		m.status = wa_route_mapping_state(wa_row_text(rows, i, 2));
		m.last_error = wa_row_said(rows, i, 3);
		m.provider_status = wa_row_text(rows, i, 5);
		m.note = wa_row_said(rows, i, 6);
		put(&told, &m);
	}
	wa_rows_free(rows);
	wa_route_templates_wanted(provider, READ_ANEW_S);
}

/*
 * Which providers it concerns: one address serves all accounts of an app, and an
 * account may have several numbers.  Those of the account that is named, or if it
 * is nobody's the one that was told.
 */
static WaRows
targets_of(const char *provider, const char *account)
{
	static WaStatement find =
		WA_STATEMENT("WITH p AS (SELECT p.name FROM wa.provider AS t JOIN wa.provider AS p ON p.kind = t.kind"
					 " WHERE t.name = $1 AND p.settings ->> $2 = $3)"
					 " SELECT name FROM p UNION ALL SELECT $1 WHERE NOT EXISTS (SELECT FROM p) ORDER BY 1");
	const WaGateway *gateway = gateway_of(provider);
	WaArgs		args = {0};

	wa_arg_text(&args, provider);
	wa_arg_text(&args, gateway ? gateway->account_setting : NULL);
	wa_arg_text(&args, account);
	return wa_query(&find, &args);
}

/*
 * See feedback.h.
 */
void
wa_feedback_apply_template(const int64 *ids, int n)
{
	static WaStatement load =
		WA_STATEMENT("SELECT provider, event, template_name, language, detail::text,"
					 " least(coalesce(said_at, received_at), received_at) AS at, account_id FROM wa.feedback"
					 " WHERE id = ANY ($1) ORDER BY at, id");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&load, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		WaRows		targets = targets_of(wa_row_text(rows, i, 1), wa_row_text(rows, i, 7));

		for (uint64 k = 0; k < targets.n; k++)
			apply(wa_row_text(targets, k, 1), wa_row_text(rows, i, 2), wa_row_text(rows, i, 3), wa_row_text(rows, i, 4),
				  wa_row_text(rows, i, 5), wa_row_timestamptz(rows, i, 6));
		wa_rows_free(targets);
	}
	wa_rows_free(rows);
	wa_feedback_done(ids, n);
}
