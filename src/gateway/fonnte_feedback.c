/*-------------------------------------------------------------------------
 *
 * fonnte_feedback.c
 *		What Fonnte tells by its webhooks.
 *
 * One address may get all of them, and nothing in a body says which it is, so
 * its members do: a sender is a message to us; an id, a stateid or a state is
 * what became of one of ours; "connect" or "disconnect" without an id is the
 * device.
 *
 * A status comes in three shapes: id and stateid together, which makes them a
 * pair; the id alone with Fonnte's own "status", what its queue did; the
 * stateid alone with WhatsApp's "state".  Ids are text or numbers, and ""
 * says nothing anywhere.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"
#include "gateway/reading.h"

/* What Fonnte's and WhatsApp's words for a state come to. */
static const struct
{
	const char *word;
	WaProgress	progress;
}			states[] = {
	{"sent", WA_PROGRESS_SENT},
	{"delivered", WA_PROGRESS_DELIVERED},
	{"read", WA_PROGRESS_READ},
	{"played", WA_PROGRESS_READ},
	{"invalid", WA_PROGRESS_FAILED},
	{"expired", WA_PROGRESS_FAILED},
	{"url unreachable", WA_PROGRESS_FAILED},
	{"failed", WA_PROGRESS_FAILED},

	/* pending, waiting, processing: it still waits at Fonnte's */
};

/* What Fonnte writes where a message has no text. */
static const char *const fillers[] = {"non text message", "undefined", "null"};

/* What the body's "text" and the like say of the kind of a message. */
static const struct
{
	const char *member;
	const char *event;
}			events[] = {
	{"url", "media"},
	{"location", "location"},
	{"choices", "poll"},
	{"pollname", "poll"},
};

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

static WaProgress
progress_of(const char *word)
{
	for (size_t i = 0; word != NULL && i < LENGTH(states); i++)
	{
		if (wa_gateway_same_word(states[i].word, word))
			return states[i].progress;
	}
	return WA_PROGRESS_NONE;
}

/* A text of the citizen's, or NULL where Fonnte fills in one of its own. */
static const char *
read_text(WaStrings *strings, json_object * value)
{
	const char *text = wa_gateway_keep_text(strings, value);
	char		plain[32];
	size_t		i;

	if (text == NULL || strlen(text) >= sizeof(plain))
		return text;
	for (i = 0; text[i] != '\0'; i++)
		plain[i] = text[i] == '-' || text[i] == '_' ? ' ' : text[i];
	plain[i] = '\0';
	for (i = 0; i < LENGTH(fillers); i++)
	{
		if (wa_gateway_same_word(fillers[i], plain))
			return NULL;
	}
	return text;
}

/*
 * A message's id where Fonnte has none because its inbox is off: the same for
 * each repeat of the same message, as long as that has a time (FNV-1a).
 */
static const char *
make_id(WaStrings *strings, const WaUpdate *update, const char *sender, const char *text)
{
	const char *parts[] = {update->sender_id, sender, text};
	uint64_t	hash = UINT64_C(14695981039346656037);
	char		id[48];

	if (update->said_at == 0)
		return NULL;
	for (size_t i = 0; i < LENGTH(parts); i++)
	{
		for (const char *p = parts[i] == NULL ? "" : parts[i]; *p != '\0'; p++)
			hash = (hash ^ (unsigned char) *p) * UINT64_C(1099511628211);
		hash = (hash ^ 0xff) * UINT64_C(1099511628211);
	}
	snprintf(id, sizeof(id), "%lld-%016llx", (long long) update->said_at, (unsigned long long) hash);
	return wa_gateway_keep(strings, id, strlen(id));
}

/* An inbox id above 0 is one. */
static const char *
inbox_id(WaStrings *strings, json_object * root)
{
	const char *id = wa_gateway_keep_id(strings, wa_gateway_member(root, "inboxid"));

	return id == NULL || id[strspn(id, "0")] == '\0' || *id == '-' ? NULL : id;
}

/* Somebody wrote to the device, or to a group that it is in. */
static void
read_inbound(WaStrings *strings, json_object * root, const char *sender, WaUpdate *update)
{
	const char *text = read_text(strings, wa_gateway_member(root, "message"));
	const char *button = read_text(strings, wa_gateway_member(root, "text"));
	WaSender	kind = wa_gateway_read_sender(strings, sender, &update->number, &update->user_id);

	if (kind == WA_SENDER_GROUP)
		wa_gateway_read_sender(strings, wa_gateway_keep_word(strings, wa_gateway_member(root, "member")),
							   &update->number, &update->user_id);
	if (update->number != NULL && update->sender_id != NULL &&
		strcmp(update->number, update->sender_id) == 0)
	{
		update->kind = WA_UPDATE_KEPT;
		update->event = "own";
		update->number = NULL;
		update->excerpt = wa_gateway_keep_members(strings, root);
		return;
	}

	update->kind = WA_UPDATE_INBOUND;
	update->event = button != NULL ? "button" : "text";
	for (size_t i = 0; i < LENGTH(events); i++)
	{
		if (wa_gateway_keep_word(strings, wa_gateway_member(root, events[i].member)) != NULL)
		{
			update->event = events[i].event;
			break;
		}
	}
	if (text == NULL && button == NULL && strcmp(update->event, "text") == 0)
		update->event = "media";
	update->text = text != NULL ? text : button;
	update->name = wa_gateway_keep_word(strings, wa_gateway_member(root, "name"));
	update->message_id = inbox_id(strings, root);
	if (update->message_id == NULL)
		update->message_id = make_id(strings, update, sender, update->text);

	if (kind == WA_SENDER_GROUP)
	{
		json_object *detail = json_object_new_object();

		if (detail != NULL)
			json_object_object_add(detail, "group", json_object_new_string(sender));
		update->detail = wa_gateway_keep_json(strings, detail);
		json_object_put(detail);
	}
	else if (strcmp(update->event, "text") == 0 || strcmp(update->event, "button") == 0)
		update->keyword = update->text;
}

/* What became of a message of ours. */
static void
read_status(WaStrings *strings, json_object * root, const char *status, const char *state,
			WaUpdate *update)
{
	WaProgress	by_status = progress_of(status);
	WaProgress	by_state = progress_of(state);
	const char *failure = by_state == WA_PROGRESS_FAILED ? state : status;

	update->kind = WA_UPDATE_STATUS;
	update->event = state != NULL ? state : status;

	/* what WhatsApp says is later than what the queue says */
	if (by_state != WA_PROGRESS_NONE && by_state != WA_PROGRESS_FAILED)
		update->progress = by_state;
	else if (by_status != WA_PROGRESS_NONE)
	{
		update->progress = by_state == WA_PROGRESS_FAILED ? by_state : by_status;
		if (state == NULL || by_state == WA_PROGRESS_NONE)
			update->event = status;
	}
	else
		update->progress = by_state;

	if (update->progress == WA_PROGRESS_FAILED)
	{
		update->code = failure;
		update->words = wa_gateway_keep_word(strings, wa_gateway_member(root, "reason"));
	}
}

/* The device was linked or lost its link. */
static void
read_device(WaStrings *strings, json_object * root, bool connected, WaUpdate *update)
{
	static const char *const members[] = {"device", "status", "reason", "timestamp", "name"};
	json_object *detail = json_object_new_object();

	update->kind = WA_UPDATE_ACCOUNT;
	update->event = connected ? "connect" : "disconnect";
	update->words = wa_gateway_keep_word(strings, wa_gateway_member(root, "reason"));
	for (size_t i = 0; detail != NULL && i < LENGTH(members); i++)
	{
		const char *value = wa_gateway_keep_word(strings, wa_gateway_member(root, members[i]));

		if (value != NULL)
			json_object_object_add(detail, members[i], json_object_new_string(value));
	}
	update->detail = wa_gateway_keep_json(strings, detail);
	json_object_put(detail);
}

/* Is this one of the words by which Fonnte tells of its device? */
static bool
is_device_word(const char *word, bool *connected)
{
	*connected = word != NULL &&
		(wa_gateway_same_word(word, "connect") || wa_gateway_same_word(word, "connected"));
	return *connected || (word != NULL &&
						  (wa_gateway_same_word(word, "disconnect") ||
						   wa_gateway_same_word(word, "disconnected")));
}

/* Which of them is it? */
static void
read_event(WaStrings *strings, json_object * root, int64_t now, WaUpdate *update)
{
	const char *sender = wa_gateway_keep_word(strings, wa_gateway_member(root, "sender"));
	const char *status = wa_gateway_keep_word(strings, wa_gateway_member(root, "status"));
	const char *state = wa_gateway_keep_word(strings, wa_gateway_member(root, "state"));
	const char *device = wa_gateway_keep_word(strings, wa_gateway_member(root, "device"));
	char		number[WA_NUMBER_SIZE];
	bool		connected;

	update->said_at = wa_gateway_read_time(wa_gateway_member(root, "timestamp"), now);
	if (device != NULL && wa_gateway_read_number(device, number))
		device = wa_gateway_keep(strings, number, strlen(number));
	update->sender_id = device;
	if (sender != NULL)
	{
		read_inbound(strings, root, sender, update);
		return;
	}

	update->message_id = wa_gateway_keep_id(strings, wa_gateway_member(root, "id"));
	update->pair_id = wa_gateway_keep_id(strings, wa_gateway_member(root, "stateid"));
	if (update->message_id != NULL || update->pair_id != NULL)
		read_status(strings, root, status, state, update);
	else if (state == NULL && is_device_word(status, &connected))
		read_device(strings, root, connected, update);
	else
	{
		update->kind = WA_UPDATE_UNKNOWN;
		update->event = state != NULL ? state : status;
		update->excerpt = wa_gateway_keep_members(strings, root);
	}
}

/*
 * See WaGateway.
 */
bool
wa_gateway_fonnte_read_feedback(const char *body, size_t len, int64_t now,
								WaTakeUpdate take, void *argument)
{
	return wa_gateway_read_event(body, len, now, read_event, take, argument);
}

/*
 * See WaGateway.  The word of the state is the code; what Fonnte says besides
 * may be one of the reasons for which it refuses.
 */
void
wa_gateway_fonnte_judge_failure(const char *code, const char *words, WaVerdict *verdict)
{
	char		state[WA_CODE_SIZE];
	char		reason[400];
	const WaWord *row;

	wa_gateway_clean(state, sizeof(state), code == NULL ? "" : code, code == NULL ? 0 : strlen(code));
	wa_gateway_clean(reason, sizeof(reason), words == NULL ? "" : words, words == NULL ? 0 : strlen(words));
	row = wa_gateway_fonnte_state(state);
	if (row == NULL)
		row = wa_gateway_fonnte_reason(reason);
	words = reason[0] != '\0' ? reason : state;
	if (row != NULL)
	{
		wa_gateway_verdict(verdict, row->outcome);
		verdict->fallback = row->fallback;
		verdict->max_retries = row->max_retries;
		verdict->wait_s = row->wait_s;
		wa_gateway_say(&verdict->said, WA_SAY_FONNTE_SAYS, wa_text_say_plain(row->sentence), words);
	}
	else
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_CALLER);
		wa_gateway_say(&verdict->said, WA_SAY_PROVIDER_REFUSED_UNKNOWN, wa_gateway_fonnte.name,
					   wa_gateway_or(words, WA_SAY_NONE_GIVEN));
		wa_gateway_unlisted(verdict, words[0] != '\0' ? words : "none given");
	}
	wa_gateway_sentence(verdict->code, sizeof(verdict->code), "%s",
						row != NULL ? row->word : state);
}

/*
 * See WaGateway.  A device that has lost its link may come back by itself.
 */
void
wa_gateway_fonnte_judge_account(const char *event, const char *detail, WaAccountNews *news)
{
	json_object *root = detail == NULL ? NULL : json_tokener_parse(detail);
	char		reason[200] = "";
	char		device[64];

	memset(news, 0, sizeof(*news));
	news->about = WA_ABOUT_LINK;
	if (wa_gateway_text(wa_gateway_member(root, "device"), device, sizeof(device)) &&
		!wa_gateway_read_number(device, news->number))
		news->number[0] = '\0';
	(void) wa_gateway_text(wa_gateway_member(root, "reason"), reason, sizeof(reason));
	if (event != NULL && strcmp(event, "connect") == 0)
	{
		news->effect = WA_ACCOUNT_RESUME;
		wa_gateway_say(&news->said, WA_SAY_FONNTE_DEVICE_LINKED);
	}
	else
	{
		news->effect = WA_ACCOUNT_WARN;
		wa_gateway_say(&news->said, WA_SAY_FONNTE_DEVICE_LOST, wa_gateway_or(reason, WA_SAY_NONE_GIVEN));
	}
	json_object_put(root);
}
