/*-------------------------------------------------------------------------
 *
 * reading.c
 *		Reading webhooks: who, when, and text that may be kept.
 *
 * A webhook is bytes from outside like an answer, and more of it is kept: what
 * citizens wrote.  Their text keeps its lines; everything else is one line.
 * Direction marks and other invisible characters stay in a text, since whoever
 * looks for a word in it must see them to skip them.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"
#include "gateway/reading.h"

/* One line of text that is kept: a name, a word, a reason. */
#define WORD_BYTES		512

/* As many digits may be the id of somebody whose number is hidden. */
#define HIDDEN_DIGITS	14

/* A time above this is in milliseconds: as seconds it is the year 5138. */
#define MILLISECONDS	INT64_C(100000000000)

typedef struct WaString
{
	struct WaString *before;
	char		bytes[];
} WaString;

/* Room for len bytes and a NUL, or NULL with strings->failed. */
static char *
room_for(WaStrings *strings, size_t len)
{
	WaString   *string = strings->failed ? NULL : malloc(sizeof(WaString) + len + 1);

	if (string == NULL)
	{
		strings->failed = true;
		return NULL;
	}
	string->before = strings->last;
	strings->last = string;
	string->bytes[len] = '\0';
	return string->bytes;
}

/*
 * Release all strings, and empty the list.
 */
void
wa_gateway_strings_free(WaStrings *strings)
{
	while (strings->last != NULL)
	{
		WaString   *string = strings->last;

		strings->last = string->before;
		free(string);
	}
	strings->failed = false;
}

/*
 * Keep len bytes as they are: they are ours, or clean.  NULL without memory.
 */
const char *
wa_gateway_keep(WaStrings *strings, const char *bytes, size_t len)
{
	char	   *kept = room_for(strings, len);

	return kept == NULL ? NULL : memcpy(kept, bytes, len);
}

/*
 * A scalar as one line of cleaned text; NULL if there is nothing in it.
 */
const char *
wa_gateway_keep_word(WaStrings *strings, json_object * value)
{
	char		word[WORD_BYTES];

	if (!wa_gateway_text(value, word, sizeof(word)))
		return NULL;
	return wa_gateway_keep(strings, word, strlen(word));
}

/* The length of what may be kept of the character at text; 0: a byte that is none. */
static size_t
character(const char *text, size_t len, bool *control)
{
	unsigned long code_point = 0;
	size_t		n = wa_gateway_utf8_next(text, len, &code_point);

	*control = n > 0 && (code_point < 0x20 ||
						 (code_point >= 0x7f && code_point <= 0x9f));
	return n;
}

/*
 * Text with its lines, of at most max bytes, blanks at both ends cut: a byte
 * that is no character becomes '?', a control other than tab and line end a
 * blank, and the line ends of other systems are as ours.  NULL: there is none.
 */
static const char *
keep_lines(WaStrings *strings, const char *text, size_t len, size_t max)
{
	char	   *kept = room_for(strings, len < max ? len : max);
	size_t		used = 0;

	if (kept == NULL)
		return NULL;
	while (len > 0)
	{
		bool		control;
		size_t		n = character(text, len, &control);
		const char *from = n == 0 ? "?" : text;
		size_t		add = n == 0 || control ? 1 : n;

		if (control && *text == '\r')
		{
			from = "\n";
			if (len > 1 && text[1] == '\n')
				n = 2;
		}
		else if (control && *text != '\n' && *text != '\t')
			from = " ";
		text += n == 0 ? 1 : n;
		len -= n == 0 ? 1 : n;
		if (used == 0 && strchr(" \n\t", *from) != NULL)
			continue;
		if (add > max - used)
			break;
		memcpy(kept + used, from, add);
		used += add;
	}
	while (used > 0 && strchr(" \n\t", kept[used - 1]) != NULL)
		used--;
	kept[used] = '\0';
	return used > 0 ? kept : NULL;
}

/*
 * A scalar as text of several lines, of at most WA_UPDATE_TEXT_BYTES bytes;
 * NULL if there is nothing in it.
 */
const char *
wa_gateway_keep_text(WaStrings *strings, json_object * value)
{
	const char *text;

	if (value == NULL || json_object_is_type(value, json_type_object) ||
		json_object_is_type(value, json_type_array))
		return NULL;
	text = json_object_get_string(value);
	if (text == NULL)
		return NULL;
	return keep_lines(strings, text, json_object_is_type(value, json_type_string) ?
					  (size_t) json_object_get_string_len(value) : strlen(text),
					  WA_UPDATE_TEXT_BYTES);
}

/*
 * An id, as wa_gateway_id() takes it; NULL if it is none.
 */
const char *
wa_gateway_keep_id(WaStrings *strings, json_object * value)
{
	char		id[WA_MESSAGE_ID_SIZE];

	if (!wa_gateway_id(value, id, sizeof(id)))
		return NULL;
	return wa_gateway_keep(strings, id, strlen(id));
}

/*
 * A value as JSON.  Its strings are clean: it was made here.
 */
const char *
wa_gateway_keep_json(WaStrings *strings, json_object * value)
{
	const char *json = value == NULL ? NULL :
		json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (json == NULL)
	{
		strings->failed = true;
		return NULL;
	}
	return wa_gateway_keep(strings, json, strlen(json));
}

/*
 * The beginning of something, for people; NULL if there is nothing to see.
 */
const char *
wa_gateway_keep_excerpt(WaStrings *strings, const char *bytes, size_t len)
{
	return keep_lines(strings, bytes, len, WA_UPDATE_EXCERPT_BYTES);
}

/* May this member hold a secret of the provider's?  By its name. */
static bool
is_secret_name(const char *name)
{
	static const char *const parts[] = {"secret", "token", "key", "pass", "auth"};
	char		lower[64];
	size_t		n;
	size_t		i;

	for (n = 0; n < sizeof(lower) - 1 && name[n] != '\0'; n++)
		lower[n] = name[n] >= 'A' && name[n] <= 'Z' ? (char) (name[n] - 'A' + 'a') : name[n];
	lower[n] = '\0';
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
	{
		if (strstr(lower, parts[i]) != NULL)
			return true;
	}
	return false;
}

/* Overwrite what may be a secret, at any depth (the parser limits it). */
static void
hide_secrets(json_object * value)
{
	if (json_object_is_type(value, json_type_array))
	{
		for (size_t i = 0; i < json_object_array_length(value); i++)
			hide_secrets(json_object_array_get_idx(value, i));
	}
	else if (json_object_is_type(value, json_type_object))
	{
		json_object_object_foreach(value, name, member)
		{
			if (!is_secret_name(name))
				hide_secrets(member);
			else if (json_object_object_add(value, name, NULL) != 0)
				return;
		}
	}
}

/*
 * The beginning of a body that could be read, without what may be a secret in
 * it, which is overwritten in root: the gateways put one into the body, and
 * do not say under which name.
 */
const char *
wa_gateway_keep_members(WaStrings *strings, json_object * root)
{
	const char *json;

	hide_secrets(root);
	json = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (json == NULL)
	{
		strings->failed = true;
		return NULL;
	}
	return wa_gateway_keep_excerpt(strings, json, strlen(json));
}

/*
 * Is this text a number and nothing else?  Then true, and number has its
 * digits in international form.  Bare digits are read as they are, as
 * WhatsApp's ids are; what people may have written (+62 812-..., 0812...) as
 * wa_text_normalize_number() does.  The digits that stand for a hidden number
 * are 14 or 15, so that as many must fit the numbering plan of a country.
 */
bool
wa_gateway_read_number(const char *text, char number[WA_NUMBER_SIZE])
{
	size_t		len = strspn(text, "0123456789");
	const char *p;
	char		found[WA_NUMBER_SIZE];
	char		dialed[WA_NUMBER_SIZE + 1] = "+";

	if (text[len] == '\0' && len >= 8 && len <= 15 && *text != '0')
	{
		memcpy(dialed + 1, text, len + 1);
		if (len >= HIDDEN_DIGITS && !wa_text_normalize_number(dialed, found))
			return false;
		memcpy(number, text, len + 1);
		return true;
	}
	for (p = text; *p != '\0'; p++)
	{
		if ((unsigned char) *p < 0x80 && strchr(" +-().0123456789", *p) == NULL)
			return false;
	}
	if ((*text != '+' && *text != '0') || !wa_text_normalize_number(text, found) || strlen(found) < 8)
		return false;
	memcpy(number, found, sizeof(found));
	return true;
}

/* Is this the id of a group without its host: 120363..., or number-time? */
static bool
is_group_id(const char *text)
{
	size_t		len = strspn(text, "0123456789");

	if (text[len] == '\0')
		return len > 15 && strncmp(text, "120", 3) == 0;
	return len >= 8 && text[len] == '-' &&
		strspn(text + len + 1, "0123456789") == 10 && text[len + 11] == '\0';
}

/*
 * Who is it, where a gateway names a sender or a chat?  Sets *number or
 * *user_id.  The hosts of WhatsApp's ids decide: behind "@lid" stands a person
 * whose number WhatsApp hides, and the digits before it are none, however much
 * they look like one.  What follows a colon in it is the device that he used.
 */
WaSender
wa_gateway_read_sender(WaStrings *strings, const char *text,
					   const char **number, const char **user_id)
{
	static const char *const crowds[] = {"g.us", "broadcast", "newsletter"};
	const char *host = text == NULL ? NULL : strrchr(text, '@');
	char		name[WORD_BYTES];
	char		digits[WA_NUMBER_SIZE];
	size_t		len;
	size_t		i;

	if (text == NULL)
		return WA_SENDER_NONE;
	if (host == NULL ? is_group_id(text) : false)
		return WA_SENDER_GROUP;
	for (i = 0; host != NULL && i < sizeof(crowds) / sizeof(crowds[0]); i++)
	{
		if (wa_gateway_same_word(host + 1, crowds[i]))
			return WA_SENDER_GROUP;
	}

	len = host == NULL ? strlen(text) : (size_t) (host - text);
	if (len >= sizeof(name))
		len = sizeof(name) - 1;
	memcpy(name, text, len);
	name[len] = '\0';
	i = strcspn(name, ":");
	if (name[i] == ':' && name[i + 1 + strspn(name + i + 1, "0123456789")] == '\0')
		name[i] = '\0';

	if (host == NULL || wa_gateway_same_word(host, "@c.us") ||
		wa_gateway_same_word(host, "@s.whatsapp.net"))
	{
		if (wa_gateway_read_number(name, digits))
		{
			*number = wa_gateway_keep(strings, digits, strlen(digits));
			return WA_SENDER_NUMBER;
		}
	}
	if (name[0] == '\0')
		return WA_SENDER_NONE;
	if (host != NULL && wa_gateway_same_word(host, "@lid"))
	{
		len = strlen(name);
		if (len > sizeof(name) - 5)
			len = sizeof(name) - 5;
		memcpy(name + len, "@lid", 5);
		text = name;
	}
	*user_id = wa_gateway_keep(strings, text, strlen(text));
	return WA_SENDER_OPAQUE;
}

/*
 * A time in seconds since 1970, told as a number or as its digits, in seconds
 * or milliseconds.  0: not told, not readable, or later than now.
 */
int64_t
wa_gateway_read_time(json_object * value, int64_t now)
{
	char		text[32];
	int64_t		time = 0;
	const char *p;

	if (!wa_gateway_text(value, text, sizeof(text)))
		return 0;
	for (p = text; *p >= '0' && *p <= '9'; p++)
	{
		if (time > INT64_MAX / 10 - 1)
			return 0;
		time = time * 10 + (*p - '0');
	}
	if (*p == '.' && p > text)
		p += 1 + strspn(p + 1, "0123456789");
	if (*p != '\0')
		return 0;
	if (time > MILLISECONDS)
		time /= 1000;
	return time <= now ? time : 0;
}

/*
 * Is it true, as a boolean, a number or as text?
 */
bool
wa_gateway_says_true(json_object * value)
{
	char		text[16];
	bool		result = false;

	if (wa_gateway_text(value, text, sizeof(text)))
		wa_gateway_boolean(text, &result);
	return result;
}

/*
 * WaGateway's read_feedback for a provider whose bodies hold one event each:
 * an object, or a form.
 */
bool
wa_gateway_read_event(const char *body, size_t len, int64_t now, WaReadEvent read,
					  WaTakeUpdate take, void *argument)
{
	WaStrings	strings = {0};
	WaUpdate	update = {0};
	bool		no_memory;
	json_object *root = wa_gateway_parse_body(body, len, &no_memory);
	bool		good;

	if (no_memory)
		return false;
	if (root != NULL)
		read(&strings, root, now, &update);
	else
	{
		update.kind = WA_UPDATE_UNKNOWN;
		update.excerpt = wa_gateway_keep_excerpt(&strings, body, len);
	}
	good = !strings.failed;
	if (good)
		take(&update, argument);
	wa_gateway_strings_free(&strings);
	json_object_put(root);
	return good;
}
