/*-------------------------------------------------------------------------
 *
 * watzap_feedback.c
 *		What Watzap tells by its webhook: that somebody wrote.
 *
 * It knows no states of messages.  Two shapes are known.  A linked device's
 * has "chat_id" and "message_body"; where the sender's number stands in it is
 * not documented, and clients read it from "chat_id" or from "name".  An
 * official number's has "phone", and in "message_raw" the message as Meta
 * writes it.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gateway/provider.h"
#include "gateway/reading.h"

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

/* What Watzap writes in the place of a text: "[Image]". */
static const char *const placeholders[] = {
	"[image]", "[video]", "[audio]", "[voice]", "[document]", "[file]", "[sticker]",
	"[location]", "[contact]", "[contacts]", "[media]", "[reaction]", "[unsupported]"
};

/* A text of the citizen's, or NULL where Watzap fills in one of its own. */
static const char *
read_text(WaStrings *strings, json_object * value)
{
	const char *text = wa_gateway_keep_text(strings, value);

	for (size_t i = 0; text != NULL && i < LENGTH(placeholders); i++)
	{
		if (wa_gateway_same_word(placeholders[i], text))
			return NULL;
	}
	return text;
}

/*
 * Meta's message object.  Of a button counts what is behind it, and then what
 * is on it.
 */
static void
read_raw(WaStrings *strings, json_object * raw, int64_t now, WaUpdate *update)
{
	static const char *const replies[] = {"button_reply", "list_reply"};
	const char *type = wa_gateway_keep_word(strings, wa_gateway_member(raw, "type"));
	const char *id = wa_gateway_keep_id(strings, wa_gateway_member(raw, "id"));
	int64_t		said_at = wa_gateway_read_time(wa_gateway_member(raw, "timestamp"), now);
	json_object *part;
	json_object *interactive;

	if (type != NULL)
		update->event = type;
	if (id != NULL)
		update->message_id = id;
	if (said_at != 0)
		update->said_at = said_at;
	update->user_id = wa_gateway_keep_word(strings, wa_gateway_member(raw, "from_user_id"));
	update->answers = wa_gateway_keep_id(strings, wa_gateway_member(wa_gateway_member(raw, "context"), "id"));
	if (type == NULL)
		return;

	/* from here on the type decides what is a keyword */
	update->keyword = NULL;
	if (strcmp(type, "text") == 0)
	{
		update->text = wa_gateway_keep_text(strings, wa_gateway_member(wa_gateway_member(raw, "text"), "body"));
		update->keyword = update->text;
	}
	else if (strcmp(type, "button") == 0)
	{
		part = wa_gateway_member(raw, "button");
		update->text = wa_gateway_keep_text(strings, wa_gateway_member(part, "text"));
		update->keyword = wa_gateway_keep_text(strings, wa_gateway_member(part, "payload"));
		if (update->keyword == NULL)
			update->keyword = update->text;
	}
	else if (strcmp(type, "interactive") == 0)
	{
		interactive = wa_gateway_member(raw, "interactive");
		for (size_t i = 0; i < LENGTH(replies); i++)
		{
			part = wa_gateway_member(interactive, replies[i]);
			if (part == NULL)
				continue;
			update->text = wa_gateway_keep_text(strings, wa_gateway_member(part, "title"));
			update->keyword = wa_gateway_keep_text(strings, wa_gateway_member(part, "id"));
		}
	}
}

/* Of a number that Watzap sells for Meta's interface. */
static void
read_official(WaStrings *strings, json_object * data, int64_t now, WaUpdate *update)
{
	const char *phone = wa_gateway_keep_word(strings, wa_gateway_member(data, "phone"));
	const char *type = wa_gateway_keep_word(strings, wa_gateway_member(data, "message_type"));
	json_object *raw = wa_gateway_object_in(strings, data, "message_raw");
	WaSender	kind;

	update->kind = WA_UPDATE_INBOUND;
	update->event = type != NULL ? type : "text";
	update->text = read_text(strings, wa_gateway_member(data, "message_text"));
	update->name = wa_gateway_keep_word(strings, wa_gateway_member(data, "name"));
	if (type == NULL || wa_gateway_same_word(type, "text"))
		update->keyword = update->text;
	if (raw != NULL)
		read_raw(strings, raw, now, update);
	kind = wa_gateway_read_sender(strings, phone, &update->number, &update->user_id);
	if (kind == WA_SENDER_NONE)
		kind = wa_gateway_read_sender(strings, wa_gateway_keep_word(strings, wa_gateway_member(raw, "from")),
									  &update->number, &update->user_id);
	if (kind == WA_SENDER_GROUP || wa_gateway_member(raw, "group_id") != NULL)
		update->keyword = NULL;
}

/* Of a linked device. */
static void
read_linked(WaStrings *strings, json_object * data, WaUpdate *update)
{
	const char *chat = wa_gateway_keep_word(strings, wa_gateway_member(data, "chat_id"));
	const char *name = wa_gateway_keep_word(strings, wa_gateway_member(data, "name"));
	bool		media = wa_gateway_says_true(wa_gateway_member(data, "has_media"));
	WaSender	kind = wa_gateway_read_sender(strings, chat, &update->number, &update->user_id);
	char		number[WA_NUMBER_SIZE];

	update->kind = WA_UPDATE_INBOUND;
	update->event = media ? "media" : "text";
	update->name = name;
	update->text = read_text(strings, wa_gateway_member(data, "message_body"));

	/*
	 * A name that is a number stands for it where no other id does; it is no
	 * proof that an id which says nothing is the same person's for good.
	 * Beside a hidden number it is what the person calls himself.
	 */
	if ((kind == WA_SENDER_NONE || (kind == WA_SENDER_OPAQUE && strchr(chat, '@') == NULL)) &&
		name != NULL && wa_gateway_read_number(name, number))
	{
		update->number = wa_gateway_keep(strings, number, strlen(number));
		update->user_id = NULL;
		update->name = NULL;
	}
	if (kind == WA_SENDER_GROUP)
	{
		json_object *detail = json_object_new_object();

		if (detail != NULL)
			json_object_object_add(detail, "group", json_object_new_string(chat));
		update->detail = wa_gateway_keep_json(strings, detail);
		json_object_put(detail);
	}
	else if (!media)
		update->keyword = update->text;
}

/* Which of them is it? */
static void
read_event(WaStrings *strings, json_object * root, int64_t now, WaUpdate *update)
{
	const char *type = wa_gateway_keep_word(strings, wa_gateway_member(root, "type"));
	json_object *data = wa_gateway_object_in(strings, root, "data");
	bool		official = wa_gateway_member(data, "phone") != NULL ||
		wa_gateway_member(data, "message_raw") != NULL;

	if (!official && (type == NULL || !wa_gateway_same_word(type, "incoming_chat") || data == NULL))
	{
		update->kind = WA_UPDATE_UNKNOWN;
		update->event = type;
		update->excerpt = wa_gateway_keep_members(strings, root);
		return;
	}
	update->said_at = wa_gateway_read_time(wa_gateway_member(data, "timestamp"), now);
	update->message_id = wa_gateway_keep_id(strings, wa_gateway_member(data, "message_id"));
	if (wa_gateway_says_true(wa_gateway_member(data, "is_from_me")))
	{
		update->kind = WA_UPDATE_KEPT;
		update->event = "own";
		update->excerpt = wa_gateway_keep_members(strings, root);
	}
	else if (official)
		read_official(strings, data, now, update);
	else
		read_linked(strings, data, update);
}

/*
 * See WaGateway.
 */
bool
wa_gateway_watzap_read_feedback(const char *body, size_t len, int64_t now,
								WaTakeUpdate take, void *argument)
{
	return wa_gateway_read_event(body, len, now, read_event, take, argument);
}
