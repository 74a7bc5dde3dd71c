/*-------------------------------------------------------------------------
 *
 * replace.c
 *		A waiting message that is out of date is replaced by a new one.
 *
 * The notification must not get lost because a permit's number was corrected,
 * its contact merged or linked anew, or because the contact has another
 * telephone.  The old message is not changed: the ledger keeps what would have
 * been sent and says which message took its place, and the sender, who routes
 * by number, finds the new one like any other.
 *
 * The new one belongs to the same event and must go out by the same time.  It
 * is the same notification, so no limit counts it again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "admin/setting.h"
#include "compose/compose.h"
#include "compose/json_values.h"
#include "compose/scenario.h"
#include "pg/query.h"

/* Columns of the statement below. */
enum
{
	M_SCENARIO = 1, M_TEMPLATE, M_PARTNER, M_PARAMS, M_BODY, M_MODEL, M_RECORD,
	M_PRIORITY, M_OPT_IN, M_POLICY, M_FALLBACK, M_WHEN_PACED, M_EXPIRES, M_EVENT,
	M_STILL, M_APPLICANT, M_PERMIT_NUMBER
};

/* The message to be replaced, and what it takes to write it again. */
typedef struct Old
{
	WaNewMessage message;
	Jsonb	   *params;
	bool		to_applicant;	/* to the contact of its permit */
	char	   *permit_number;	/* with which it announces one, or NULL */
} Old;

static bool
read_old(int64 id, Old *old)
{
	static WaStatement read =
		WA_STATEMENT("SELECT scenario, template_key, partner_id, params::text, body, res_model, res_id, priority,"
					 " requires_opt_in, unknown_policy, fallback, fallback_when_paced, expires_at, event_id, still::text,"
					 " coalesce(still ? 'partner_id', false), still->>'permit_number'"
					 " FROM wa.message WHERE id = $1 AND state = 'queued'");
	WaNewMessage *message = &old->message;
	WaArgs		args = {0};

	memset(old, 0, sizeof(*old));
	wa_arg_int8(&args, id);
	if (wa_query(&read, &args) == 0)
		return false;
	message->scenario = wa_row_text(0, M_SCENARIO);
	message->template_key = wa_row_text(0, M_TEMPLATE);
	message->partner_id = wa_row_int8(0, M_PARTNER);
	message->body = wa_row_text(0, M_BODY);
	message->res_model = wa_row_text(0, M_MODEL);
	message->res_id = wa_row_int8(0, M_RECORD);
	message->priority = wa_row_text(0, M_PRIORITY);
	message->requires_opt_in = wa_row_bool(0, M_OPT_IN);
	message->unknown_policy = wa_row_text(0, M_POLICY);
	message->fallback = wa_row_bool(0, M_FALLBACK);
	message->fallback_when_paced = wa_row_bool(0, M_WHEN_PACED);
	message->expires_at = wa_row_timestamptz(0, M_EXPIRES);
	message->event_id = wa_row_int8(0, M_EVENT);
	message->still = wa_row_text(0, M_STILL);
	old->to_applicant = wa_row_bool(0, M_APPLICANT);
	old->permit_number = wa_row_text(0, M_PERMIT_NUMBER);
	message->params = wa_row_text(0, M_PARAMS);
	if (message->params)
		old->params = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(message->params)));
	return true;
}

/*
 * The newest document that waits for a signature, or 0.
 */
int64
wa_replace_newest_pending(const char *schema)
{
	static const char *const columns[] = {"id"};
	static const char *const state[] = {"pending_signature"};
	WaAppTable	table;
	WaAppRows	rows;
	int64		newest = 0;

	wa_app_open(&table, schema, "sicantik_document");
	wa_app_require(&table);
	if (table.state != WA_APP_READY)
		return 0;
	wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "state", state, 1);
	for (uint64 r = 0; r < rows.n; r++)
		if (rows.values[r][0])
			newest = Max(newest, strtoll(rows.values[r][0], NULL, 10));
	return newest;
}

/*
 * The text and its parameters from the values as they are now; those that
 * only the event knew are taken from the old ones.  Returns why not, or NULL.
 */
static const char *
write_text(WaBatch *batch, Old *old, WaValues *values)
{
	WaTemplate *template = wa_route_load_template(old->message.template_key);
	char	   *missing;
	const char *setting;

	if (template == NULL || !template->active)
		return psprintf("template \"%s\" does not exist or is not active", old->message.template_key);
	if (old->params)
		wa_values_from_json(values, old->params);
	old->message.params = wa_template_params(template, batch->mappings, batch->nmappings, values);
	old->message.body = wa_template_render(template, values, &missing, &setting);
	if (old->message.body)
		return NULL;
	if (setting == NULL)
		return psprintf("its text cannot be written anew without %s", missing);
	old->message.state = "held";
	old->message.reason = "setting_missing";
	old->message.detail = psprintf("; the setting \"%s\" is not set", setting);
	return NULL;
}

/* Another document stands for all that wait. */
static const char *
tell_of_other_document(WaBatch *batch, Old *old, const WaRecipient *recipient, bool *locked)
{
	int64		id = wa_replace_newest_pending(batch->schema);
	WaDocument *document = NULL;
	WaValues	values = {0};

	*locked = !wa_documents_load(batch, &id, 1, NULL, 0);
	if (!*locked)
		document = wa_document_find(batch, id);
	if (document)
		*locked = !wa_permits_load(batch, &document->permit_id, 1);
	if (*locked || document == NULL)
		return "no document waits any more";
	wa_values_add(&values, "jumlah", psprintf("%d", wa_documents_count_pending(batch)));
	wa_document_values(batch, &values, document, NULL, recipient);
	old->message.res_id = id;
	return write_text(batch, old, &values);
}

/*
 * The permit as it is now, to its contact as it is now.
 */
static const char *
tell_of_permit(WaBatch *batch, Old *old, const WaPermit *permit, const WaRecipient *recipient)
{
	static WaStatement facts =
		WA_STATEMENT("SELECT ($1::jsonb || CASE WHEN $1::jsonb ? 'permit_number'"
					 " THEN jsonb_build_object('permit_number', $2) ELSE '{}' END"
					 " || jsonb_build_object('partner_id', $3))::text");
	WaNewMessage *message = &old->message;
	WaValues	values = {0};
	WaArgs		args = {0};
	const char *problem;

	wa_arg_text(&args, message->still);
	wa_arg_text(&args, permit->permit_number);
	wa_arg_text(&args, psprintf(INT64_FORMAT, permit->partner_id));
	wa_query(&facts, &args);
	message->still = wa_row_text(0, 1);
	wa_permit_values(batch, &values, permit, recipient);
	problem = write_text(batch, old, &values);
	if (problem == NULL && message->partner_id != recipient->partner_id &&
		strcmp(message->state, "queued") == 0 &&
		wa_guard_found_by_part_of_name(recipient->name, permit->applicant_name))
	{
		message->state = "held";
		message->reason = "name_mismatch";
		message->detail = psprintf("; the contact is called \"%s\", the applicant \"%s\": is it the same person?",
								   recipient->name, permit->applicant_name);
	}
	return problem;
}

/*
 * Is this the first that announces the permit with its number as it is now?
 */
static bool
is_first(Old *old, const WaPermit *permit)
{
	const char *key = wa_compose_announced_key(permit, permit->permit_number);
	int64		never_again = 0;
	bool		fresh;

	wa_queue_announce_many(&key, &old->message.id, &never_again, 1, &fresh);
	return fresh;
}

/* The old one ends; what it has announced, the new one has. */
static void
end_old(int64 id, int64 new_id, const char *why)
{
	static WaStatement end =
		WA_STATEMENT("WITH r AS (DELETE FROM wa.ready WHERE message_id = $1),"
					 " o AS (UPDATE wa.once SET message_id = $2 WHERE message_id = $1)"
					 " UPDATE wa.message SET state = 'superseded', reason = 'replaced', due_at = NULL,"
					 " detail = 'message ' || $2 || ' took its place: ' || $3, finished_at = clock_timestamp()"
					 " WHERE id = $1");
	WaArgs		args = {0};

	wa_arg_int8(&args, id);
	wa_arg_int8(&args, new_id);
	wa_arg_text(&args, why);
	wa_query(&end, &args);
}

/*
 * Write a waiting message anew, because of "why"; other_record: about another
 * document, since its own does not wait any more.  WA_STILL_ENDED: done, the
 * old one has ended.  WA_STILL_FALSE: it cannot be, *detail says why, palloc()ed
 * in the current context.  WA_STILL_LOCKED: a table cannot be had now.
 */
WaStill
wa_replace(const char *schema, int64 id, const char *why, bool other_record, const char **detail)
{
	WaBatch		batch = {0};
	Old			old;
	WaPermit   *permit = NULL;
	WaRecipient *recipient;
	WaNewMessage *message = &old.message;
	const char *problem = NULL;
	bool		locked = false;
	int64		partner;

	if (!read_old(id, &old))
		return WA_STILL_ENDED;
	message->state = "queued";
	batch.schema = schema;
	batch.time_zone = wa_setting_get("time_zone");
	batch.mappings = wa_route_load_mappings(&batch.nmappings);
	partner = message->partner_id;
	if (old.to_applicant)
	{
		if (!wa_permits_load(&batch, &message->res_id, 1))
			return WA_STILL_LOCKED;
		permit = wa_permit_find(&batch, message->res_id);
		if (permit)
			partner = permit->partner_id;
	}
	if (!wa_people_load_partners(&batch, &partner, 1))
		return WA_STILL_LOCKED;
	recipient = wa_people_partner(&batch, partner);
	if (recipient == NULL || recipient->number == NULL)
	{
		*detail = psprintf("%s; the contact %s", why, recipient ? "has no usable number" : "does not exist");
		return WA_STILL_FALSE;
	}
	if (other_record)
		problem = tell_of_other_document(&batch, &old, recipient, &locked);
	else if (permit)
		problem = tell_of_permit(&batch, &old, permit, recipient);
	if (locked)
		return WA_STILL_LOCKED;
	if (problem)
	{
		*detail = psprintf("%s; %s", why, problem);
		return WA_STILL_FALSE;
	}
	message->partner_id = recipient->partner_id;
	message->number = recipient->number;
	message->number_source = recipient->number_source;
	message->detail = psprintf("in the place of message " INT64_FORMAT ": %s%s", id, why,
							   message->detail ? message->detail : "");
	wa_queue_assign_ids(message, 1);
	end_old(id, message->id, why);
	if (permit && old.permit_number && !wa_compose_is(permit->permit_number, old.permit_number) &&
		!is_first(&old, permit))
	{
		message->state = "skipped";
		message->reason = "already_announced";
	}
	wa_queue_insert(message, 1);
	return WA_STILL_ENDED;
}
