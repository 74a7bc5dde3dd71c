/*-------------------------------------------------------------------------
 *
 * meta_feedback.c
 *		Meta's webhooks: the envelope, and which reader a change is for.
 *
 * Members come in any order, texts may be "", and lists of values are open:
 * what is not known is kept, and never fails the rest.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/meta_feedback.h"
#include "gateway/provider.h"

/* A value beside others is kept up to this length, as JSON. */
#define MAX_PART_BYTES		4096
#define MAX_DETAIL_BYTES	32768

#define OUR_OBJECT			"whatsapp_business_account"

/* How the value of a field is read, or one element of an array in it. */
typedef void (*ReadValue) (WaMetaReader *reader, json_object * value);

static void read_messages(WaMetaReader *reader, json_object * value);
static void read_standby(WaMetaReader *reader, json_object * value);
static void read_calls(WaMetaReader *reader, json_object * value);
static void read_preferences(WaMetaReader *reader, json_object * value);
static void read_new_ids(WaMetaReader *reader, json_object * value);
static void read_echoes(WaMetaReader *reader, json_object * value);
static void read_kept(WaMetaReader *reader, json_object * value);

static const struct
{
	const char *field;
	ReadValue	read;
}			fields[] = {
	{"messages", read_messages},
	{"standby", read_standby},
	{"calls", read_calls},
	{"user_preferences", read_preferences},
	{"user_id_update", read_new_ids},

	{"message_template_status_update", wa_gateway_meta_template},
	{"template_category_update", wa_gateway_meta_template},
	{"template_correct_category_detection", wa_gateway_meta_template},
	{"message_template_quality_update", wa_gateway_meta_template},
	{"message_template_components_update", wa_gateway_meta_template},

	{"account_update", wa_gateway_meta_account},
	{"account_review_update", wa_gateway_meta_account},
	{"account_alerts", wa_gateway_meta_account},
	{"account_settings_update", wa_gateway_meta_account},
	{"business_capability_update", wa_gateway_meta_account},
	{"business_status_update", wa_gateway_meta_account},
	{"business_username_updates", wa_gateway_meta_account},
	{"phone_number_name_update", wa_gateway_meta_account},
	{"phone_number_quality_update", wa_gateway_meta_account},
	{"security", wa_gateway_meta_account},

	{"smb_message_echoes", read_echoes},
	{"message_echoes", read_echoes},
	{"history", read_kept},
	{"smb_app_state_sync", read_kept},
	{"messaging_handovers", read_kept},
	{"automatic_events", read_kept},
	{"flows", read_kept},
	{"group_lifecycle_update", read_kept},
	{"group_participants_update", read_kept},
	{"group_settings_update", read_kept},
	{"group_status_update", read_kept},
	{"partner_solutions", read_kept},
	{"payment_configuration_update", read_kept},
	{"tracking_events", read_kept},
};

/*
 * An update of this kind about the account and number of the change, all else
 * not told.
 */
void
wa_gateway_meta_begin(WaMetaReader *reader, WaUpdate *update, WaUpdateKind kind)
{
	memset(update, 0, sizeof(*update));
	update->kind = kind;
	update->account_id = wa_gateway_keep_id(&reader->strings, reader->account);
	update->sender_id = wa_gateway_keep_id(&reader->strings,
										   wa_gateway_member(reader->metadata, "phone_number_id"));
}

/*
 * Hand it over, and release its strings.
 */
void
wa_gateway_meta_give(WaMetaReader *reader, WaUpdate *update)
{
	if (reader->strings.failed)
		reader->no_memory = true;
	if (!reader->no_memory)
		reader->take(update, reader->argument);
	wa_gateway_strings_free(&reader->strings);
	reader->given++;
}

/*
 * Hand it over as one that is only kept: with this event, and the beginning of
 * what it was read from.
 */
void
wa_gateway_meta_set_aside(WaMetaReader *reader, WaUpdate *update, WaUpdateKind kind,
						  const char *word, json_object * element)
{
	const char *json;

	update->kind = kind;
	update->progress = WA_PROGRESS_NONE;
	if (word != NULL)
		update->event = word;
	json = element == NULL ? "null" :
		json_object_to_json_string_ext(element, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (json == NULL)
		reader->no_memory = true;
	else
		update->excerpt = wa_gateway_keep_excerpt(&reader->strings, json, strlen(json));
	wa_gateway_meta_give(reader, update);
}

/*
 * The same, of an element of which nothing has been read.
 */
void
wa_gateway_meta_aside(WaMetaReader *reader, WaUpdateKind kind, const char *word,
					  json_object * element)
{
	WaUpdate	update;

	wa_gateway_meta_begin(reader, &update, kind);
	update.message_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(element, "id"));
	update.said_at = wa_gateway_read_time(wa_gateway_member(element, "timestamp"), reader->now);
	wa_gateway_meta_set_aside(reader, &update, kind, word, element);
}

/*
 * Read each element of an array.  What should be an array and is none is its
 * only element; what is not there, or null, has none.
 */
static void
each(WaMetaReader *reader, json_object * elements, ReadValue read)
{
	size_t		i;

	if (elements == NULL)
		return;
	if (!json_object_is_type(elements, json_type_array))
	{
		read(reader, elements);
		return;
	}
	for (i = 0; i < json_object_array_length(elements); i++)
		read(reader, json_object_array_get_idx(elements, i));
}

/*
 * "field/word", or the field where there is no word.  Word may be NULL.
 */
const char *
wa_gateway_meta_event(WaMetaReader *reader, const char *word)
{
	char		event[256];

	if (word == NULL)
		return reader->field;
	wa_gateway_sentence(event, sizeof(event), "%s/%s", reader->field, word);
	return wa_gateway_keep(&reader->strings, event, strlen(event));
}

/*
 * Add a member to *object, which is made if it is NULL.  What says nothing
 * (null, "", nothing at all) is left out, and what is very long.
 */
void
wa_gateway_meta_add(WaMetaReader *reader, json_object * *object, const char *name,
					json_object * value)
{
	const char *json;

	if (value == NULL ||
		(json_object_is_type(value, json_type_string) && json_object_get_string_len(value) == 0))
		return;
	json = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
	if (json != NULL && strlen(json) > MAX_PART_BYTES)
		return;
	if (*object == NULL)
		*object = json_object_new_object();
	if (json == NULL || *object == NULL)
	{
		reader->no_memory = true;
		return;
	}
	if (json_object_object_add(*object, name, json_object_get(value)) != 0)
	{
		json_object_put(value);
		reader->no_memory = true;
	}
}

/*
 * An object as JSON that lasts as the update's strings do, NULL if it is none.
 * Of one that is too long only the members that are no objects are kept.
 */
const char *
wa_gateway_meta_json(WaMetaReader *reader, json_object * object)
{
	json_object *part = NULL;
	const char *json;

	if (!json_object_is_type(object, json_type_object))
		return NULL;
	json = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (json != NULL && strlen(json) <= MAX_DETAIL_BYTES)
		return wa_gateway_keep(&reader->strings, json, strlen(json));
	if (json == NULL)
		reader->no_memory = true;
	else
	{
		int			left = MAX_DETAIL_BYTES / MAX_PART_BYTES;

		json_object_object_foreach(object, name, value)
		{
			if (left > 0 && strlen(name) < 64 &&
				!json_object_is_type(value, json_type_object) &&
				!json_object_is_type(value, json_type_array))
			{
				wa_gateway_meta_add(reader, &part, name, value);
				left--;
			}
		}
	}
	json = part == NULL ? NULL : wa_gateway_keep_json(&reader->strings, part);
	json_object_put(part);
	return json;
}

/*
 * The code and the words of the first of the errors that has a code.  Titles
 * are left to our own table of codes.
 */
void
wa_gateway_meta_error(WaMetaReader *reader, WaUpdate *update, json_object * errors)
{
	json_object *error = NULL;
	json_object *data;
	json_object *code = NULL;
	size_t		i;

	if (json_object_is_type(errors, json_type_object))
		error = errors;
	for (i = 0; code == NULL && wa_gateway_element(errors, i) != NULL; i++)
	{
		json_object *next = wa_gateway_element(errors, i);

		code = wa_gateway_member(next, "code");
		if (error == NULL || code != NULL)
			error = next;
	}
	data = wa_gateway_member(error, "error_data");
	update->code = wa_gateway_keep_word(&reader->strings, wa_gateway_member(error, "code"));
	update->words = wa_gateway_keep_word(&reader->strings, wa_gateway_member(data, "details"));
	if (update->words == NULL)
		update->words = wa_gateway_keep_word(&reader->strings, data);
	if (update->words == NULL)
		update->words = wa_gateway_keep_word(&reader->strings, wa_gateway_member(error, "message"));
	if (update->words == NULL)
		update->words = wa_gateway_keep_word(&reader->strings, wa_gateway_member(error, "title"));
}

/* It says nothing to us but whose number an id is. */
static void
read_echo(WaMetaReader *reader, json_object * echo)
{
	WaUpdate	update;

	wa_gateway_meta_begin(reader, &update, WA_UPDATE_KEPT);
	update.message_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(echo, "id"));
	update.said_at = wa_gateway_read_time(wa_gateway_member(echo, "timestamp"), reader->now);
	wa_gateway_meta_person(reader, &update, wa_gateway_member(echo, "to"), wa_gateway_member(echo, "to_user_id"),
						   wa_gateway_member(echo, "to_parent_user_id"));
	if (update.number == NULL || (update.user_id == NULL && update.parent_user_id == NULL))
		update.number = update.user_id = update.parent_user_id = update.name = NULL;
	wa_gateway_meta_set_aside(reader, &update, WA_UPDATE_KEPT,
							  reader->standby ? "standby/message_echoes" : reader->field, echo);
}

static void
read_action(WaMetaReader *reader, json_object * action)
{
	wa_gateway_meta_aside(reader, WA_UPDATE_KEPT, "user_actions", action);
}

static size_t
count(json_object * elements)
{
	return json_object_is_type(elements, json_type_array) ?
		json_object_array_length(elements) : elements != NULL;
}

/* What messages and standby have in common. */
static void
read_chats(WaMetaReader *reader, json_object * value)
{
	json_object *messages = wa_gateway_member(value, "messages");
	json_object *statuses = wa_gateway_member(value, "statuses");

	reader->single = count(messages) + count(statuses) == 1;
	wa_gateway_meta_people(reader, wa_gateway_member(value, "contacts"));
	each(reader, statuses, wa_gateway_meta_status);
	each(reader, messages, wa_gateway_meta_message);
	each(reader, wa_gateway_member(value, "message_echoes"), read_echo);
}

static void
read_messages(WaMetaReader *reader, json_object * value)
{
	read_chats(reader, value);
	each(reader, wa_gateway_member(value, "user_actions"), read_action);
	each(reader, wa_gateway_member(value, "errors"), wa_gateway_meta_value_error);
}

/* Chats that another responder owns: what people write there is for us, too. */
static void
read_standby(WaMetaReader *reader, json_object * value)
{
	json_object *chats = wa_gateway_member(value, "standby");

	if (!json_object_is_type(chats, json_type_object))
		chats = value;
	if (reader->metadata == NULL)
		reader->metadata = wa_gateway_member(chats, "metadata");
	reader->standby = true;
	read_chats(reader, chats);
}

static void
read_calls(WaMetaReader *reader, json_object * value)
{
	json_object *calls = wa_gateway_member(value, "calls");
	json_object *statuses = wa_gateway_member(value, "statuses");

	reader->single = count(calls) + count(statuses) == 1;
	wa_gateway_meta_people(reader, wa_gateway_member(value, "contacts"));
	each(reader, calls, wa_gateway_meta_call);
	each(reader, statuses, wa_gateway_meta_call_status);
	each(reader, wa_gateway_member(value, "errors"), wa_gateway_meta_value_error);
}

static void
read_preferences(WaMetaReader *reader, json_object * value)
{
	json_object *preferences = wa_gateway_member(value, "user_preferences");

	reader->single = count(preferences) == 1;
	wa_gateway_meta_people(reader, wa_gateway_member(value, "contacts"));
	each(reader, preferences, wa_gateway_meta_preference);
}

static void
read_new_ids(WaMetaReader *reader, json_object * value)
{
	json_object *changes = wa_gateway_member(value, "user_id_update");

	reader->single = count(changes) == 1;
	wa_gateway_meta_people(reader, wa_gateway_member(value, "contacts"));
	each(reader, changes, wa_gateway_meta_new_id);
}

/* What an officer wrote in WhatsApp's own program: each says nothing to us. */
static void
read_echoes(WaMetaReader *reader, json_object * value)
{
	each(reader, wa_gateway_member(value, "message_echoes"), read_echo);
}

/* Of a handover, the number of ours is told as its recipient. */
static void
read_kept(WaMetaReader *reader, json_object * value)
{
	if (reader->metadata == NULL)
		reader->metadata = wa_gateway_member(value, "recipient");
	wa_gateway_meta_aside(reader, WA_UPDATE_KEPT, reader->field, value);
}

/* One change; whatever it is, at least one update comes of it. */
static void
read_change(WaMetaReader *reader, json_object * change)
{
	json_object *value = wa_gateway_member(change, "value");
	size_t		given = reader->given;
	char		field[128];
	size_t		i;

	wa_gateway_text(wa_gateway_member(change, "field"), field, sizeof(field));
	reader->field = field;
	reader->metadata = wa_gateway_member(value, "metadata");
	reader->contacts = NULL;
	reader->standby = false;
	for (i = 0; json_object_is_type(value, json_type_object) &&
		 i < sizeof(fields) / sizeof(fields[0]); i++)
	{
		if (strcmp(field, fields[i].field) == 0)
			fields[i].read(reader, value);
	}
	if (reader->given == given)
		wa_gateway_meta_aside(reader, WA_UPDATE_UNKNOWN, field[0] != '\0' ? field : NULL, change);
	json_object_put(reader->people);
	reader->people = NULL;
	reader->metadata = NULL;
}

static void
read_entry(WaMetaReader *reader, json_object * entry)
{
	size_t		given = reader->given;

	reader->account = wa_gateway_member(entry, "id");
	reader->entry_time = wa_gateway_member(entry, "time");
	each(reader, wa_gateway_member(entry, "changes"), read_change);
	if (reader->given == given)
	{
		WaUpdate	update;

		wa_gateway_meta_begin(reader, &update, WA_UPDATE_UNKNOWN);
		wa_gateway_meta_set_aside(reader, &update, WA_UPDATE_UNKNOWN, NULL, entry);
	}
	reader->account = NULL;
	reader->entry_time = NULL;
}

/*
 * See WaGateway.
 */
bool
wa_gateway_meta_read_feedback(const char *body, size_t len, int64_t now,
							  WaTakeUpdate take, void *argument)
{
	WaMetaReader reader = {.take = take,.argument = argument,.now = now};
	json_object *root = wa_gateway_parse_washed(body, len, &reader.no_memory);
	char		object[64];

	if (root == NULL)
	{
		WaUpdate	update;

		wa_gateway_meta_begin(&reader, &update, WA_UPDATE_UNKNOWN);
		if (len > 0)
			update.excerpt = wa_gateway_keep_excerpt(&reader.strings, body, len);
		wa_gateway_meta_give(&reader, &update);
		return !reader.no_memory;
	}

	/* Other products of Meta's have a field "messages" as well. */
	if (!wa_gateway_text(wa_gateway_member(root, "object"), object, sizeof(object)) ||
		strcmp(object, OUR_OBJECT) == 0)
	{
		each(&reader, wa_gateway_member(root, "entry"), read_entry);
		/* as the dashboard shows its samples */
		if (reader.given == 0 && wa_gateway_member(root, "field") != NULL)
			read_change(&reader, root);
	}
	if (reader.given == 0)
		wa_gateway_meta_aside(&reader, WA_UPDATE_UNKNOWN, NULL, root);
	json_object_put(root);
	return !reader.no_memory;
}
