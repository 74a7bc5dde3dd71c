/*-------------------------------------------------------------------------
 *
 * meta_status.c
 *		Meta's webhooks: what became of a message of ours.
 *
 * Only the message's id is sure: our mark is echoed "if set", and of a message
 * that failed the person may be missing altogether.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gateway/meta.h"
#include "gateway/meta_feedback.h"
#include "gateway/provider.h"

static const struct
{
	const char *status;
	WaProgress	progress;
}			statuses[] = {
	{"sent", WA_PROGRESS_SENT},
	{"delivered", WA_PROGRESS_DELIVERED},
	{"read", WA_PROGRESS_READ},
	{"played", WA_PROGRESS_READ},	/* a voice message */
	{"failed", WA_PROGRESS_FAILED},
};

static WaProgress
progress_of(const char *status)
{
	size_t		i;

	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
	{
		if (wa_gateway_same_word(status, statuses[i].status))
			return statuses[i].progress;
	}
	return WA_PROGRESS_NONE;
}

/*
 * To a group, recipient_id is the group: the person stands elsewhere, if at
 * all, and nobody of the contacts is taken for him.
 */
static void
read_recipient(WaMetaReader *reader, WaUpdate *update, json_object * status)
{
	json_object *participant = wa_gateway_member(status, "recipient_participant_id");
	json_object *participant_user = wa_gateway_member(status, "recipient_participant_user_id");
	json_object *parent;
	char		type[32];

	if (participant != NULL || participant_user != NULL ||
		(wa_gateway_text(wa_gateway_member(status, "recipient_type"), type, sizeof(type)) &&
		 wa_gateway_same_word(type, "group")))
	{
		update->number = wa_gateway_meta_number(reader, participant);
		update->user_id = wa_gateway_keep_id(&reader->strings, participant_user);
		parent = wa_gateway_member(status, "recipient_participant_parent_user_id");
		update->parent_user_id = wa_gateway_keep_id(&reader->strings, parent);
		return;
	}
	parent = wa_gateway_member(status, "recipient_parent_user_id");
	if (parent == NULL)
		parent = wa_gateway_member(status, "parent_recipient_user_id");
	wa_gateway_meta_person(reader, update, wa_gateway_member(status, "recipient_id"),
						   wa_gateway_member(status, "recipient_user_id"), parent);
}

/* What it costs, in the names that we give it; NULL: it says nothing of that. */
static const char *
read_pricing(WaMetaReader *reader, json_object * pricing)
{
	static const char *const names[][2] = {
		{"category", "category"},
		{"type", "type"},
		{"billable", "billable"},
		{"pricing_model", "model"},
		{"subtype", "subtype"},
	};
	json_object *told = NULL;
	const char *json;
	size_t		i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		json_object *value = wa_gateway_member(pricing, names[i][0]);

		if (!json_object_is_type(value, json_type_object) && !json_object_is_type(value, json_type_array))
			wa_gateway_meta_add(reader, &told, names[i][1], value);
	}
	json = wa_gateway_meta_json(reader, told);
	json_object_put(told);
	return json;
}

/*
 * An element of statuses[].
 */
void
wa_gateway_meta_status(WaMetaReader *reader, json_object * status)
{
	WaUpdate	update;

	wa_gateway_meta_begin(reader, &update, WA_UPDATE_STATUS);
	update.event = wa_gateway_keep_word(&reader->strings, wa_gateway_member(status, "status"));
	update.message_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(status, "id"));
	update.said_at = wa_gateway_read_time(wa_gateway_member(status, "timestamp"), reader->now);

	/* In a chat of somebody else's, the mark may be his. */
	if (!reader->standby)
		update.callback = wa_gateway_keep_word(&reader->strings,
											   wa_gateway_member(status, "biz_opaque_callback_data"));
	read_recipient(reader, &update, status);
	update.pricing = read_pricing(reader, wa_gateway_member(status, "pricing"));
	if (update.event != NULL)
		update.progress = progress_of(update.event);
	if (update.progress == WA_PROGRESS_FAILED)
		wa_gateway_meta_error(reader, &update, wa_gateway_member(status, "errors"));

	if (update.event == NULL || (update.message_id == NULL && update.callback == NULL))
		wa_gateway_meta_set_aside(reader, &update, WA_UPDATE_UNKNOWN, NULL, status);
	else if (update.progress == WA_PROGRESS_NONE)
		wa_gateway_meta_set_aside(reader, &update, WA_UPDATE_KEPT, NULL, status);
	else
		wa_gateway_meta_give(reader, &update);
}

/*
 * See WaGateway.  There is no HTTP status that would tell whose fault a code
 * is that is in no table: like one that an answer of 4xx has.
 */
void
wa_gateway_meta_judge_failure(const char *code, const char *words, WaVerdict *verdict)
{
	json_object *value = json_object_new_string(code != NULL ? code : "");
	const WaMetaCode *row = NULL;
	char		details[400];
	char		code_text[WA_CODE_SIZE];
	WaSay		sentence;
	WaSaidText	more;
	long		number;

	wa_gateway_clean(details, sizeof(details), words != NULL ? words : "", words != NULL ? strlen(words) : 0);
	wa_gateway_text(value, code_text, sizeof(code_text));
	if (wa_gateway_meta_read_code(value, &number))
		row = wa_gateway_meta_code_later(number);
	json_object_put(value);
	if (row != NULL)
		sentence = wa_gateway_meta_judge_row(row, verdict);
	else
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_CALLER);
		sentence = WA_SAY_META_REFUSED_REQUEST_UNKNOWN_ERROR;
		if (code_text[0] != '\0')
			memcpy(verdict->unlisted, code_text, strlen(code_text) + 1);
		else
			wa_gateway_unlisted(verdict, details[0] != '\0' ? details : "failed");
	}
	memcpy(verdict->code, code_text, strlen(code_text) + 1);
	if (code_text[0] != '\0')
		wa_gateway_say(&verdict->said, WA_SAY_META_SAYS, wa_text_say_plain(sentence), code_text,
					   wa_gateway_details(&more, details));
	else
		wa_gateway_say(&verdict->said, WA_SAY_META_FAILED_WITHOUT_CODE, wa_gateway_details(&more, details));
}
