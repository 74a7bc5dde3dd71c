/*-------------------------------------------------------------------------
 *
 * meta_person.c
 *		Meta's webhooks: who it is, who has become somebody else, and who wants
 *		no marketing.
 *
 * A person has a number, or an id that is valid for one business portfolio and
 * changes with the number, or both: whatever one element shows together is the
 * same person.  Any number may be missing, "", or have an id in its place.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gateway/meta_feedback.h"
#include "gateway/provider.h"

#define DIGITS		"0123456789"
#define CAPITALS	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM		DIGITS CAPITALS "abcdefghijklmnopqrstuvwxyz"

#define LINKED		"ENT."

/*
 * A number in international form: 8 to 15 digits, which may have a plus before
 * them.  NULL: it is none.
 */
const char *
wa_gateway_meta_number(WaMetaReader *reader, json_object * value)
{
	char		text[32];
	const char *digits = text;
	size_t		len;

	if (!wa_gateway_id(value, text, sizeof(text)))
		return NULL;
	if (*digits == '+')
		digits++;
	len = strspn(digits, DIGITS);
	if (len < 8 || len > 15 || digits[len] != '\0' || *digits == '0')
		return NULL;
	return wa_gateway_keep(&reader->strings, digits, len);
}

/* Does it have the form of an id, ID.1349..., or (linked) ID.ENT.1349...? */
static bool
has_id_form(const char *text, bool *linked)
{
	size_t		len;

	*linked = false;
	if (strspn(text, CAPITALS) != 2 || text[2] != '.')
		return false;
	text += 3;
	if (strncmp(text, LINKED, strlen(LINKED)) == 0)
	{
		*linked = true;
		text += strlen(LINKED);
	}
	len = strspn(text, ALNUM);
	return len > 0 && text[len] == '\0';
}

/* What stands in the place of a number but has the form of an id. */
static void
take_id(WaMetaReader *reader, json_object * value, const char **user_id, const char **parent_user_id)
{
	const char *id = wa_gateway_keep_id(&reader->strings, value);
	const char **place;
	bool		linked;

	if (id == NULL || !has_id_form(id, &linked))
		return;
	place = linked ? parent_user_id : user_id;
	if (*place == NULL)
		*place = id;
}

/*
 * Note the contacts of a value, so that each person of it can be looked up.
 */
void
wa_gateway_meta_people(WaMetaReader *reader, json_object * contacts)
{
	static const char *const keys[] = {"wa_id", "user_id"};
	json_object *contact;
	size_t		i;
	size_t		k;

	reader->contacts = contacts;
	json_object_put(reader->people);
	reader->people = json_object_new_object();
	if (reader->people == NULL)
		reader->no_memory = true;
	for (i = 0; !reader->no_memory && (contact = wa_gateway_element(contacts, i)) != NULL; i++)
	{
		for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		{
			char		id[WA_MESSAGE_ID_SIZE];

			if (!wa_gateway_id(wa_gateway_member(contact, keys[k]), id, sizeof(id)))
				continue;
			if (json_object_object_add(reader->people, id, json_object_get(contact)) != 0)
			{
				json_object_put(contact);
				reader->no_memory = true;
			}
		}
	}
}

/* Two of them, told both, and not the same? */
static bool
differ(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) != 0;
}

/* The contact of a person, borrowed, with what is told of him; or NULL. */
static json_object *
find_contact(WaMetaReader *reader, const WaUpdate *update, json_object * number)
{
	char		id[WA_MESSAGE_ID_SIZE];
	json_object *contact = NULL;

	if (wa_gateway_id(number, id, sizeof(id)))
		contact = wa_gateway_member(reader->people, id);
	if (contact == NULL && update->user_id != NULL)
		contact = wa_gateway_member(reader->people, update->user_id);
	if (contact == NULL && update->number != NULL)
		contact = wa_gateway_member(reader->people, update->number);
	if (contact == NULL && reader->single && wa_gateway_element(reader->contacts, 1) == NULL)
		contact = wa_gateway_element(reader->contacts, 0);
	return contact;
}

/*
 * Who it is, from what the element itself tells, and the contact of the same
 * value that agrees with it.  Returns that contact, borrowed, or NULL.
 */
json_object *
wa_gateway_meta_person(WaMetaReader *reader, WaUpdate *update, json_object * number,
					   json_object * user_id, json_object * parent_user_id)
{
	json_object *contact;
	json_object *profile;
	const char *contact_number;
	const char *contact_id;
	const char *contact_parent;

	update->number = wa_gateway_meta_number(reader, number);
	update->user_id = wa_gateway_keep_id(&reader->strings, user_id);
	update->parent_user_id = wa_gateway_keep_id(&reader->strings, parent_user_id);
	take_id(reader, number, &update->user_id, &update->parent_user_id);

	contact = find_contact(reader, update, number);
	if (contact == NULL)
		return NULL;
	contact_number = wa_gateway_meta_number(reader, wa_gateway_member(contact, "wa_id"));
	contact_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(contact, "user_id"));
	contact_parent = wa_gateway_keep_id(&reader->strings, wa_gateway_member(contact, "parent_user_id"));
	take_id(reader, wa_gateway_member(contact, "wa_id"), &contact_id, &contact_parent);
	if (differ(update->number, contact_number) || differ(update->user_id, contact_id))
		return NULL;

	update->number = update->number ? update->number : contact_number;
	update->user_id = update->user_id ? update->user_id : contact_id;
	update->parent_user_id = update->parent_user_id ? update->parent_user_id : contact_parent;
	profile = wa_gateway_member(contact, "profile");
	update->name = wa_gateway_keep_word(&reader->strings, wa_gateway_member(profile, "name"));
	if (update->name == NULL)
		update->name = wa_gateway_keep_word(&reader->strings, wa_gateway_member(profile, "username"));
	return contact;
}

/*
 * The former id where only the sentence tells it: "... changed from ID.1 to
 * ID.2", with the present one at its end.
 */
static const char *
id_in_sentence(WaMetaReader *reader, const char *words, const char *present)
{
	static const char before[] = " from ";
	static const char between[] = " to ";
	char		id[WA_MESSAGE_ID_SIZE];
	const char *at = NULL;
	const char *next = words;
	size_t		len;
	bool		linked;

	if (words == NULL || present == NULL)
		return NULL;
	while ((next = strstr(next, before)) != NULL)
		at = next += strlen(before);
	if (at == NULL)
		return NULL;
	len = strcspn(at, " ");
	if (len >= sizeof(id) || strncmp(at + len, between, strlen(between)) != 0 ||
		strcmp(at + len + strlen(between), present) != 0)
		return NULL;
	memcpy(id, at, len);
	id[len] = '\0';
	if (!has_id_form(id, &linked) || linked)
		return NULL;
	return wa_gateway_keep(&reader->strings, id, len);
}

/*
 * A message of type "system": somebody's number or id has changed.  There are
 * no contacts beside it.  Its sender is who he was before, and the system
 * object says who he is now.
 */
void
wa_gateway_meta_system(WaMetaReader *reader, json_object * message)
{
	static const char *const changes[] = {
		"user_changed_number", "customer_changed_number", "user_changed_user_id"
	};
	json_object *system = wa_gateway_member(message, "system");
	WaUpdate	update;
	const char *from_id = NULL;
	const char *from_parent = NULL;
	bool		known = false;
	size_t		i;

	wa_gateway_meta_begin(reader, &update, WA_UPDATE_PERSON);
	update.event = wa_gateway_keep_word(&reader->strings, wa_gateway_member(system, "type"));
	update.message_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(message, "id"));
	update.said_at = wa_gateway_read_time(wa_gateway_member(message, "timestamp"), reader->now);
	update.words = wa_gateway_keep_word(&reader->strings, wa_gateway_member(system, "body"));
	for (i = 0; update.event != NULL && i < sizeof(changes) / sizeof(changes[0]); i++)
		known = known || strcmp(update.event, changes[i]) == 0;
	if (!known)
	{
		char		event[128];

		wa_gateway_sentence(event, sizeof(event), "system%s%s", update.event ? "/" : "",
							update.event ? update.event : "");
		wa_gateway_meta_set_aside(reader, &update, WA_UPDATE_KEPT, event, message);
		return;
	}

	update.number = wa_gateway_meta_number(reader, wa_gateway_member(system, "wa_id"));
	if (update.number == NULL)
		update.number = wa_gateway_meta_number(reader, wa_gateway_member(system, "new_wa_id"));
	update.user_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(system, "user_id"));
	update.parent_user_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(system, "parent_user_id"));
	take_id(reader, wa_gateway_member(system, "wa_id"), &update.user_id, &update.parent_user_id);

	from_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(message, "from_user_id"));
	take_id(reader, wa_gateway_member(message, "from"), &from_id, &from_parent);
	update.previous_user_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(system, "previous_user_id"));
	if (update.previous_user_id == NULL)
		update.previous_user_id = from_id;
	if (update.previous_user_id == NULL)
		update.previous_user_id = id_in_sentence(reader, update.words, update.user_id);
	update.previous_number = wa_gateway_meta_number(reader, wa_gateway_member(message, "from"));
	if (update.previous_number == NULL)
		update.previous_number = wa_gateway_meta_number(reader, wa_gateway_member(system, "customer"));

	if (update.previous_number != NULL && update.number != NULL && !differ(update.previous_number, update.number))
		update.previous_number = NULL;
	if (update.previous_user_id != NULL && update.user_id != NULL && !differ(update.previous_user_id, update.user_id))
		update.previous_user_id = NULL;
	wa_gateway_meta_give(reader, &update);
}

/*
 * An element of user_id_update, a field that was documented for some months of
 * 2026: the ids before and after stand in one object.
 */
void
wa_gateway_meta_new_id(WaMetaReader *reader, json_object * element)
{
	json_object *ids = wa_gateway_member(element, "user_id");
	json_object *parents = wa_gateway_member(element, "parent_user_id");
	WaUpdate	update;

	wa_gateway_meta_begin(reader, &update, WA_UPDATE_PERSON);
	update.event = reader->field;
	update.said_at = wa_gateway_read_time(wa_gateway_member(element, "timestamp"), reader->now);
	update.words = wa_gateway_keep_word(&reader->strings, wa_gateway_member(element, "detail"));
	wa_gateway_meta_person(reader, &update, wa_gateway_member(element, "wa_id"),
						   wa_gateway_member(ids, "current"), wa_gateway_member(parents, "current"));
	update.previous_user_id = wa_gateway_keep_id(&reader->strings, wa_gateway_member(ids, "previous"));
	if (update.user_id == NULL || update.previous_user_id == NULL)
		wa_gateway_meta_set_aside(reader, &update, WA_UPDATE_UNKNOWN, NULL, element);
	else
		wa_gateway_meta_give(reader, &update);
}

/*
 * An element of user_preferences: a wish about our marketing, and nothing
 * else.
 */
void
wa_gateway_meta_preference(WaMetaReader *reader, json_object * element)
{
	static const char *const wishes[] = {"stop", "resume", "signup"};
	WaUpdate	update;
	json_object *detail = NULL;
	const char *category;
	bool		known = false;
	size_t		i;

	wa_gateway_meta_begin(reader, &update, WA_UPDATE_PREFERENCE);
	update.event = wa_gateway_keep_word(&reader->strings, wa_gateway_member(element, "value"));
	update.said_at = wa_gateway_read_time(wa_gateway_member(element, "timestamp"), reader->now);
	update.words = wa_gateway_keep_word(&reader->strings, wa_gateway_member(element, "detail"));
	wa_gateway_meta_person(reader, &update, wa_gateway_member(element, "wa_id"),
						   wa_gateway_member(element, "user_id"),
						   wa_gateway_member(element, "parent_user_id"));

	category = wa_gateway_keep_word(&reader->strings, wa_gateway_member(element, "category"));
	for (i = 0; update.event != NULL && i < sizeof(wishes) / sizeof(wishes[0]); i++)
		known = known || strcmp(update.event, wishes[i]) == 0;
	if (!known || (category != NULL && strcmp(category, "marketing_messages") != 0))
	{
		wa_gateway_meta_set_aside(reader, &update,
								  json_object_is_type(element, json_type_object) ? WA_UPDATE_KEPT : WA_UPDATE_UNKNOWN,
								  wa_gateway_meta_event(reader, update.event), element);
		return;
	}
	update.wants = strcmp(update.event, "stop") != 0;
	wa_gateway_meta_add(reader, &detail, "signup_id", wa_gateway_member(element, "signup_id"));
	update.detail = wa_gateway_meta_json(reader, detail);
	wa_gateway_meta_give(reader, &update);
	json_object_put(detail);
}
