/*-------------------------------------------------------------------------
 *
 * meta_inbound.c
 *		Meta's webhooks: what somebody wrote to us, and calls.
 *
 * Every message is told, whatever its type; new types will come.  What may be
 * a word of consent is only what a person typed or tapped himself: not a
 * caption, not a form, not what a machine sums up beside the messages.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gateway/meta_feedback.h"
#include "gateway/provider.h"

/*
 * Take value as what may be compared with STOP, if there is anything in it.
 * What is so long that it is cut is none of those words.
 */
static void
take_keyword(WaMetaReader *reader, WaUpdate *update, json_object * value)
{
	if (update->keyword == NULL &&
		!(json_object_is_type(value, json_type_string) &&
		  json_object_get_string_len(value) > WA_UPDATE_TEXT_BYTES))
		update->keyword = wa_gateway_keep_text(&reader->strings, value);
}

static void
take_text(WaMetaReader *reader, WaUpdate *update, json_object * value)
{
	if (update->text == NULL)
		update->text = wa_gateway_keep_text(&reader->strings, value);
}

/* What a program gave the button, then what stands on it. */
static void
take_button(WaMetaReader *reader, WaUpdate *update, json_object * given, json_object * label)
{
	take_keyword(reader, update, given);
	take_keyword(reader, update, label);
	take_text(reader, update, label);
	take_text(reader, update, given);
}

static void
take_interactive(WaMetaReader *reader, WaUpdate *update, json_object * interactive)
{
	static const char *const replies[] = {"button_reply", "list_reply"};
	char		type[64];
	size_t		i;

	wa_gateway_text(wa_gateway_member(interactive, "type"), type, sizeof(type));
	for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
	{
		json_object *reply = wa_gateway_member(interactive, replies[i]);

		if (type[0] == '\0' || strcmp(type, replies[i]) == 0)
			take_button(reader, update, wa_gateway_member(reply, "id"), wa_gateway_member(reply, "title"));
	}
	/* a form that was filled in: its text is the program's */
	if (strcmp(type, "nfm_reply") == 0)
		take_text(reader, update, wa_gateway_member(wa_gateway_member(interactive, type), "body"));
}

/*
 * Cards.  One that answers our question for a number proves it: WhatsApp made
 * it, of the sender himself.  Any other is somebody's, perhaps of another.
 */
static void
take_cards(WaMetaReader *reader, WaUpdate *update, json_object * cards)
{
	json_object *card;
	size_t		i;

	for (i = 0; (card = wa_gateway_element(cards, i)) != NULL; i++)
	{
		json_object *phones = wa_gateway_member(card, "phones");
		json_object *phone;
		char		origin[64];
		size_t		p;

		if (!wa_gateway_text(wa_gateway_member(card, "origin"), origin, sizeof(origin)) ||
			strcmp(origin, "contact_request") != 0)
			continue;
		for (p = 0; (phone = wa_gateway_element(phones, p)) != NULL; p++)
		{
			const char *number = wa_gateway_meta_number(reader, wa_gateway_member(phone, "wa_id"));

			if (number == NULL || update->proves_number ||
				(update->number != NULL && strcmp(update->number, number) != 0))
				continue;
			update->number = number;
			update->proves_number = true;
		}
	}
}

/*
 * What of a message of this type is text, and what of it may be a word of
 * consent.
 */
static void
take_content(WaMetaReader *reader, WaUpdate *update, const char *type, json_object * message)
{
	json_object *content = wa_gateway_member(message, type);

	if (strcmp(type, "text") == 0)
	{
		json_object *body = json_object_is_type(content, json_type_object) ?
			wa_gateway_member(content, "body") : content;

		take_text(reader, update, body);
		take_keyword(reader, update, body);
	}
	else if (strcmp(type, "button") == 0)
		take_button(reader, update, wa_gateway_member(content, "payload"), wa_gateway_member(content, "text"));
	else if (strcmp(type, "interactive") == 0)
		take_interactive(reader, update, content);
	else if (strcmp(type, "contacts") == 0)
		take_cards(reader, update, content);
	else if (strcmp(type, "reaction") == 0)
		take_text(reader, update, wa_gateway_member(content, "emoji"));
	else if (strcmp(type, "order") == 0)
		take_text(reader, update, wa_gateway_member(content, "text"));
	else
		take_text(reader, update, wa_gateway_member(content, "caption"));
}

/* Does such a message open the 24 hours?  One that takes something back does not. */
static bool
opens_window(const WaUpdate *update, const char *type)
{
	static const char *const closed[] = {"edit", "revoke", "request_welcome"};
	size_t		i;

	for (i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
	{
		if (strcmp(type, closed[i]) == 0)
			return false;
	}
	return strcmp(type, "reaction") != 0 || update->text != NULL;
}

/* Is it from the number that it is to?  Then it is an echo. */
static bool
is_own(WaMetaReader *reader, const WaUpdate *update)
{
	char		shown[64];
	char		digits[64];
	size_t		n = 0;
	const char *p;

	if (update->number == NULL ||
		!wa_gateway_text(wa_gateway_member(reader->metadata, "display_phone_number"), shown, sizeof(shown)))
		return false;
	for (p = shown; *p != '\0'; p++)
	{
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	}
	digits[n] = '\0';
	return strcmp(digits, update->number) == 0;
}

/* What else is worth keeping, without what has been read already. */
static void
add_detail(WaMetaReader *reader, json_object * *detail, const char *type, json_object * message,
		   json_object * contact)
{
	json_object *content = wa_gateway_member(message, type);
	json_object *profile = wa_gateway_member(contact, "profile");

	wa_gateway_meta_add(reader, detail, "username", wa_gateway_member(profile, "username"));
	wa_gateway_meta_add(reader, detail, "group_id", wa_gateway_member(message, "group_id"));
	wa_gateway_meta_add(reader, detail, "errors", wa_gateway_member(message, "errors"));
	if (strcmp(type, "text") == 0 || strcmp(type, "errors") == 0)
		return;
	/* an address to fetch a file from, with a key in it */
	if (json_object_is_type(content, json_type_object))
		json_object_object_del(content, "url");
	wa_gateway_meta_add(reader, detail, type, content);
}

/*
 * An element of messages[].
 */
void
wa_gateway_meta_message(WaMetaReader *reader, json_object * message)
{
	json_object *group = wa_gateway_member(message, "group_id");
	json_object *content;
	json_object *contact;
	json_object *detail = NULL;
	WaUpdate	update;
	char		type[64];

	if (!wa_gateway_text(wa_gateway_member(message, "type"), type, sizeof(type)) &&
		wa_gateway_member(message, "text") != NULL)
		strcpy(type, "text");
	if (strcmp(type, "system") == 0)
	{
		wa_gateway_meta_system(reader, message);
		return;
	}

	wa_gateway_meta_begin(reader, &update, WA_UPDATE_INBOUND);
	update.event = type[0] != '\0' ? type : NULL;
	update.message_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(message, "id"));
	update.said_at = wa_gateway_read_time(wa_gateway_member(message, "timestamp"), reader->now);
	contact = wa_gateway_meta_person(reader, &update, wa_gateway_member(message, "from"),
									 wa_gateway_member(message, "from_user_id"),
									 wa_gateway_member(message, "from_parent_user_id"));
	if (type[0] == '\0')
	{
		wa_gateway_meta_set_aside(reader, &update, WA_UPDATE_UNKNOWN, NULL, message);
		return;
	}
	if (is_own(reader, &update))
	{
		wa_gateway_meta_set_aside(reader, &update, WA_UPDATE_KEPT, NULL, message);
		return;
	}

	content = wa_gateway_member(message, type);
	update.answers = wa_gateway_keep_id(&reader->strings,
										wa_gateway_member(wa_gateway_member(message, "context"), "id"));
	if (strcmp(type, "reaction") == 0)
		update.answers = wa_gateway_keep_id(&reader->strings, wa_gateway_member(content, "message_id"));
	if (strcmp(type, "edit") == 0)
	{
		json_object *edited = wa_gateway_member(content, "message");
		char		edited_type[64];

		wa_gateway_text(wa_gateway_member(edited, "type"), edited_type, sizeof(edited_type));
		take_content(reader, &update, edited_type[0] != '\0' ? edited_type : "text", edited);
		update.only_out = true;
	}
	else
		take_content(reader, &update, type, message);
	update.opens_window = opens_window(&update, type);

	/* Said to a group, it is no word to us. */
	if (group != NULL)
	{
		update.keyword = NULL;
		update.opens_window = false;
		update.proves_number = false;
	}
	add_detail(reader, &detail, type, message, contact);
	update.detail = wa_gateway_meta_json(reader, detail);
	wa_gateway_meta_give(reader, &update);
	json_object_put(detail);
}

/* A call, as a message without text: it opens the window. */
static void
give_call(WaMetaReader *reader, json_object * call, json_object * number, const char *prefix)
{
	WaUpdate	update;
	json_object *detail = NULL;
	char		key[64];

	wa_gateway_meta_begin(reader, &update, WA_UPDATE_INBOUND);
	update.event = "call";
	update.message_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(call, "id"));
	update.said_at = wa_gateway_read_time(wa_gateway_member(call, "timestamp"), reader->now);
	update.opens_window = true;
	wa_gateway_sentence(key, sizeof(key), "%s_user_id", prefix);
	wa_gateway_meta_person(reader, &update, number, wa_gateway_member(call, key), NULL);
	wa_gateway_meta_add(reader, &detail, "direction", wa_gateway_member(call, "direction"));
	wa_gateway_meta_add(reader, &detail, "status", wa_gateway_member(call, "status"));
	update.detail = wa_gateway_meta_json(reader, detail);
	wa_gateway_meta_give(reader, &update);
	json_object_put(detail);
}

static bool
says(json_object * element, const char *key, const char *word)
{
	char		text[64];

	return wa_gateway_text(wa_gateway_member(element, key), text, sizeof(text)) &&
		wa_gateway_same_word(text, word);
}

/*
 * An element of calls[]: somebody calls us.
 */
void
wa_gateway_meta_call(WaMetaReader *reader, json_object * call)
{
	if (says(call, "event", "connect") && says(call, "direction", "USER_INITIATED"))
		give_call(reader, call, wa_gateway_member(call, "from"), "from");
	else
		wa_gateway_meta_aside(reader, WA_UPDATE_KEPT, reader->field, call);
}

/*
 * An element of statuses[] of calls: what became of a call of ours.
 */
void
wa_gateway_meta_call_status(WaMetaReader *reader, json_object * status)
{
	if (says(status, "status", "ACCEPTED"))
		give_call(reader, status, wa_gateway_member(status, "recipient_id"), "recipient");
	else
		wa_gateway_meta_aside(reader, WA_UPDATE_KEPT, reader->field, status);
}
