/*-------------------------------------------------------------------------
 *
 * fuzz_feedback.c
 *		Fuzzing of the readers of webhooks: bodies that stay JSON.
 *
 * Bytes that are changed at random mostly make no JSON any more, and that is
 * tried in fuzz_gateway.c.  Here a valid body is taken apart, its members are
 * replaced by odd values, moved, doubled, renamed and removed, and what comes
 * of it is written again: so the oddities reach the code behind the parser.
 * For any of them these must hold: at least one update comes of each body,
 * what it says can be kept (UTF-8, no control characters, sizes, digits,
 * JSON), and a neighbour whose element was not touched is read as before.
 *
 * A program that does the same each time:
 *
 *		fuzz_feedback [iterations [seed]]
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "gateway/gateway.h"

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

#define ARRIVAL		INT64_C(1795800000)

static const char *current;		/* the body, for the report of a failure */
static unsigned long counts[WA_UPDATE_KIND_COUNT];
static unsigned long witnesses;

static void
fail(const char *what)
{
	fprintf(stderr, "fuzz feedback: %s\nbody: %s\n", what, current);
	abort();
}

#define MUST(cond) \
	do { \
		if (!(cond)) \
			fail(#cond); \
	} while (0)

/* Strict UTF-8 whose only control characters are these. */
static bool
is_clean(const char *s, const char *controls)
{
	const unsigned char *p = (const unsigned char *) s;

	while (*p != '\0')
	{
		if (*p < 0x80)
		{
			if ((*p < 0x20 || *p == 0x7f) && strchr(controls, *p) == NULL)
				return false;
			p++;
		}
		else if (*p >= 0xc2 && *p <= 0xdf && (p[1] & 0xc0) == 0x80)
		{
			if (*p == 0xc2 && p[1] < 0xa0)
				return false;
			p += 2;
		}
		else if (*p >= 0xe0 && *p <= 0xef && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80)
		{
			if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f))
				return false;
			p += 3;
		}
		else if (*p >= 0xf0 && *p <= 0xf4 && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80 &&
				 (p[3] & 0xc0) == 0x80)
		{
			if ((*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
				return false;
			p += 4;
		}
		else
			return false;
	}
	return true;
}

/* One line, told: never "". */
static bool
is_word(const char *s)
{
	return s == NULL || (s[0] != '\0' && is_clean(s, ""));
}

static bool
is_text(const char *s, size_t max)
{
	return s == NULL || (s[0] != '\0' && strlen(s) <= max && is_clean(s, "\n\t"));
}

static bool
is_number(const char *s)
{
	return s == NULL || (strlen(s) >= 8 && strlen(s) <= 15 && s[strspn(s, "0123456789")] == '\0' && *s != '0');
}

/*
 * An object that PostgreSQL takes as jsonb: strict, and without the escape
 * that it refuses.
 */
static bool
is_object(const char *s)
{
	struct json_tokener *tokener;
	json_object *root;
	bool		result;
	const char *p = s;

	if (s == NULL)
		return true;
	tokener = json_tokener_new();
	/* json-c 0.18, being strict, takes bytes from 0x80 for controls */
	json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8 |
						   (json_c_version_num() >> 8 == 0x0012 ? 0 : JSON_TOKENER_STRICT));
	root = json_tokener_parse_ex(tokener, s, (int) strlen(s) + 1);
	result = json_object_is_type(root, json_type_object) && is_clean(s, "");
	json_object_put(root);
	json_tokener_free(tokener);
	while ((p = strchr(p, '\\')) != NULL)
	{
		result = result && strncmp(p, "\\u0000", 6) != 0;
		p += 2;
	}
	return result && strstr(s, ":NaN") == NULL && strstr(s, ":Infinity") == NULL && strstr(s, ":-Infinity") == NULL;
}

typedef struct Seen
{
	const WaGateway *gateway;
	size_t		n;
	bool		witness;		/* the element that nobody touches */
} Seen;

static void
take(const WaUpdate *update, void *argument)
{
	Seen	   *seen = argument;

	seen->n++;
	MUST((int) update->kind >= 0 && update->kind < WA_UPDATE_KIND_COUNT);
	counts[update->kind]++;
	if (update->kind == WA_UPDATE_ACCOUNT && seen->gateway->judge_account != NULL)
	{
		WaAccountNews news;

		seen->gateway->judge_account(update->event, update->detail, &news);
		MUST(news.effect >= WA_ACCOUNT_KEPT && news.effect <= WA_ACCOUNT_STOP);
		MUST(news.until >= 0);
		MUST(strlen(news.number) < sizeof(news.number));
		MUST(WA_SAID_IN(&news.said) != NULL);
	}
	MUST(is_word(update->event));
	MUST(is_word(update->sender_id));
	MUST(is_word(update->account_id));
	MUST(is_number(update->number));
	MUST(is_word(update->user_id));
	MUST(is_word(update->parent_user_id));
	MUST(is_word(update->name));
	MUST(is_number(update->previous_number));
	MUST(is_word(update->previous_user_id));
	MUST(is_word(update->message_id));
	MUST(is_word(update->pair_id));
	MUST(is_word(update->callback));
	MUST(is_word(update->code));
	MUST(is_text(update->words, WA_UPDATE_TEXT_BYTES));
	MUST(is_object(update->pricing));
	MUST(is_text(update->text, WA_UPDATE_TEXT_BYTES));
	MUST(is_text(update->keyword, WA_UPDATE_TEXT_BYTES));
	MUST(is_word(update->answers));
	MUST(is_word(update->template_name));
	MUST(is_word(update->language));
	MUST(is_object(update->detail));
	MUST(is_text(update->excerpt, WA_UPDATE_EXCERPT_BYTES));

	MUST(update->said_at >= 0 && update->said_at <= ARRIVAL);
	MUST(update->kind == WA_UPDATE_STATUS || update->progress == WA_PROGRESS_NONE);
	MUST(update->kind != WA_UPDATE_STATUS || update->message_id != NULL || update->pair_id != NULL ||
		 update->callback != NULL);
	MUST(update->kind == WA_UPDATE_INBOUND ||
		 (update->keyword == NULL && !update->opens_window && !update->proves_number && !update->only_out));
	MUST(!update->proves_number || update->number != NULL);
	MUST(!update->wants || update->kind == WA_UPDATE_PREFERENCE);
	if (update->message_id != NULL && strcmp(update->message_id, "wamid.WITNESS") == 0)
	{
		MUST(update->kind == WA_UPDATE_INBOUND && strcmp(update->number, "6289999999999") == 0);
		MUST(strcmp(update->text, "STOP") == 0 && strcmp(update->keyword, "STOP") == 0);
		seen->witness = true;
	}
}

static uint64_t random_state;

/* xorshift64*: the same numbers on every machine. */
static uint32_t
random_below(uint32_t limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t) ((random_state * UINT64_C(2685821657736338717)) >> 32) % limit;
}

/* Odd values, as they stand in a body.  The last is nested too deeply. */
static const char *const odd[] = {
	"null", "true", "false", "0", "-1", "99999999999999999999999", "1e999", "-0012", "0.5", "\"\"", "\" \"", "[]",
	"{}", "[null]", "[[]]", "{\"id\":{}}", "\"\\u0000\"", "\"a\\u0000b\"", "\"\\ud800\"", "\"\xff\xfe\"", "\"\\u001b[2J\"",
	"\"6281234567890\"", "\"+6281234567890\"", "\"ID.13491208655302741918\"", "\"ID.ENT.118\"", "\"123456789012345@lid\"",
	"\"120363012345678901@g.us\"", "6281234567890", "\"text\"", "\"edit\"", "\"system\"", "\"contacts\"", "\"reaction\"",
	"\"interactive\"", "\"failed\"", "\"delivered\"", "\"stop\"", "\"STOP\"", "\"a\\nb\\tc\\r\\nd\"", "1795800001",
	"\"1790000000123\"", "NaN", "-Infinity", "\"\\u202e\\u200f\xe2\x80\xa8\"", "\"\\\\u0000\"", "\"{\\\"a\\\":1}\"",
	"{\"body\":\"STOP\"}", "{\"type\":\"text\",\"text\":{\"body\":\"START\"}}",
	"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
};

/* Names under which things are looked for. */
static const char *const names[] = {
	"id", "from", "type", "text", "body", "status", "timestamp", "wa_id", "user_id", "from_user_id", "recipient_id",
	"recipient_type", "group_id", "context", "errors", "code", "pricing", "contacts", "phones", "origin", "system", "edit",
	"message", "event", "value", "category", "message_template_name", "sender", "device", "stateid", "state", "message_body",
	"chat_id", "data", "is_from_me", "url", "caption", "profile", "name", "metadata", "phone_number_id", "detail",
};

/* A body under way: it grows as it is written. */
typedef struct Body
{
	char		bytes[65536];
	size_t		len;
	int			changes;		/* still to be made */
} Body;

static void
put(Body *body, const char *text)
{
	size_t		len = strlen(text);

	if (body->len + len >= sizeof(body->bytes))
		return;
	memcpy(body->bytes + body->len, text, len + 1);
	body->len += len;
}

static void
put_string(Body *body, const char *text)
{
	json_object *string = json_object_new_string(text);

	put(body, json_object_to_json_string(string));
	json_object_put(string);
}

static bool
is_witness(json_object * value)
{
	json_object *id;

	return json_object_is_type(value, json_type_object) && json_object_object_get_ex(value, "id", &id) &&
		strcmp(json_object_get_string(id), "wamid.WITNESS") == 0;
}

static bool
holds_witness(json_object * value)
{
	return strstr(json_object_to_json_string(value), "WITNESS") != NULL;
}

static void write_value(Body *body, json_object * value);

/* The elements of an array: some are left out, doubled, or have an odd neighbour. */
static void
write_array(Body *body, json_object * value)
{
	const char *comma = "";

	put(body, "[");
	for (size_t i = 0; i < json_object_array_length(value); i++)
	{
		json_object *element = json_object_array_get_idx(value, i);
		int			times = 1;

		if (body->changes > 0 && !holds_witness(element) && random_below(10) == 0)
		{
			body->changes--;
			times = (int) random_below(3);
		}
		if (body->changes > 0 && random_below(20) == 0)
		{
			body->changes--;
			put(body, comma);
			put(body, odd[random_below(LENGTH(odd))]);
			comma = ",";
		}
		while (times-- > 0)
		{
			put(body, comma);
			write_value(body, element);
			comma = ",";
		}
	}
	put(body, "]");
}

/*
 * The members of an object: some are left out, or have another name.  Beside
 * the witness, what decides on how it is read stays.
 */
static void
write_object(Body *body, json_object * value)
{
	static const char *const deciding[] = {"field", "object", "metadata", "contacts"};
	bool		keep = holds_witness(value);
	const char *comma = "";
	struct json_object_iterator at = json_object_iter_begin(value);
	struct json_object_iterator end = json_object_iter_end(value);

	put(body, "{");
	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
	{
		const char *name = json_object_iter_peek_name(&at);
		json_object *member = json_object_iter_peek_value(&at);
		bool		fixed = keep && holds_witness(member);
		bool		whole = false;

		for (size_t i = 0; i < LENGTH(deciding); i++)
			whole = whole || (keep && strcmp(name, deciding[i]) == 0);
		if (body->changes > 0 && !fixed && !whole && random_below(16) == 0)
		{
			body->changes--;
			if (keep || random_below(2) == 0)
				continue;
			name = names[random_below(LENGTH(names))];
		}
		put(body, comma);
		put_string(body, name);
		put(body, ":");
		if (whole)
			put(body, json_object_to_json_string(member));
		else
			write_value(body, member);
		comma = ",";
	}
	put(body, "}");
}

/*
 * Write a value, and change some of what is in it; never the witness, nor what
 * it stands in.
 */
static void
write_value(Body *body, json_object * value)
{
	if (is_witness(value))
		put(body, json_object_to_json_string(value));
	else if (!holds_witness(value) && body->changes > 0 && random_below(12) == 0)
	{
		body->changes--;
		put(body, odd[random_below(LENGTH(odd))]);
	}
	else if (json_object_is_type(value, json_type_array))
		write_array(body, value);
	else if (json_object_is_type(value, json_type_object))
		write_object(body, value);
	else
		put(body, json_object_to_json_string(value));
}

#define WITNESS "{\"from\":\"6289999999999\",\"id\":\"wamid.WITNESS\",\"type\":\"text\",\"text\":{\"body\":\"STOP\"}}"
#define CHANGE(field, value) \
	"{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"102\",\"time\":1790000000,\"changes\":[{\"field\":\"" field \
	"\",\"value\":" value "},{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"1065\"},\"messages\":[" WITNESS "]}}]}]}"
#define META "\"metadata\":{\"display_phone_number\":\"62215550000\",\"phone_number_id\":\"1065\"}"
#define CONTACTS "\"contacts\":[{\"wa_id\":\"6281234567890\",\"user_id\":\"ID.13\",\"parent_user_id\":\"ID.ENT.1\",\"profile\":{\"name\":\"Budi\",\"username\":\"budi\"}}]"

static const struct
{
	const char *kind;
	const char *body;
}			seeds[] = {
	{"meta", CHANGE("messages", "{" META "," CONTACTS ",\"statuses\":[{\"id\":\"wamid.X\",\"status\":\"sent\",\"timestamp\":\"1790000001\",\"recipient_id\":\"6281234567890\",\"recipient_user_id\":\"ID.13\",\"biz_opaque_callback_data\":\"swa:1:42\",\"pricing\":{\"billable\":true,\"pricing_model\":\"PMP\",\"type\":\"regular\",\"category\":\"utility\"}},{\"id\":\"b\",\"status\":\"failed\",\"errors\":[{\"code\":131026,\"title\":\"t\",\"message\":\"m\",\"error_data\":{\"details\":\"d\"}}]}]}")},
	{"meta", CHANGE("messages", "{" META "," CONTACTS ",\"statuses\":[{\"id\":\"g\",\"status\":\"read\",\"recipient_type\":\"group\",\"recipient_id\":\"x\",\"recipient_participant_id\":\"6281234567890\"}],\"errors\":[{\"code\":130429,\"title\":\"t\"}],\"user_actions\":[{\"a\":1}]}")},
	{"meta", CHANGE("messages", "{" META "," CONTACTS ",\"messages\":[{\"from\":\"6281234567890\",\"from_user_id\":\"ID.13\",\"id\":\"a\",\"timestamp\":\"1790000001\",\"type\":\"text\",\"text\":{\"body\":\"hai\"},\"context\":{\"from\":\"62215550000\",\"id\":\"w\"}},{\"from\":\"6281234567890\",\"id\":\"b\",\"type\":\"image\",\"image\":{\"id\":\"1\",\"caption\":\"c\",\"url\":\"u\"}},{\"from\":\"6281234567890\",\"id\":\"c\",\"type\":\"interactive\",\"interactive\":{\"type\":\"button_reply\",\"button_reply\":{\"id\":\"A\",\"title\":\"B\"}}},{\"from\":\"6281234567890\",\"id\":\"d\",\"type\":\"button\",\"button\":{\"payload\":\"P\",\"text\":\"T\"}}]}")},
	{"meta", CHANGE("messages", "{" META ",\"messages\":[{\"from\":\"6281234567890\",\"id\":\"a\",\"type\":\"edit\",\"edit\":{\"original_message_id\":\"o\",\"message\":{\"type\":\"text\",\"text\":{\"body\":\"x\"}}}},{\"from\":\"6281234567890\",\"id\":\"b\",\"type\":\"reaction\",\"reaction\":{\"message_id\":\"m\",\"emoji\":\"\xf0\x9f\x91\x8d\"}},{\"from_user_id\":\"ID.13\",\"id\":\"c\",\"type\":\"contacts\",\"contacts\":[{\"origin\":\"contact_request\",\"phones\":[{\"wa_id\":\"6281234567890\"}]}]},{\"from\":\"6281234567890\",\"id\":\"d\",\"group_id\":\"g\",\"type\":\"text\",\"text\":{\"body\":\"x\"}},{\"id\":\"e\",\"type\":\"unsupported\",\"errors\":[{\"code\":131051}]}]}")},
	{"meta", CHANGE("messages", "{" META ",\"messages\":[{\"from\":\"6281111111111\",\"from_user_id\":\"ID.1\",\"id\":\"m\",\"timestamp\":\"1790000001\",\"type\":\"system\",\"system\":{\"type\":\"user_changed_number\",\"body\":\"changed from ID.1 to ID.2\",\"wa_id\":\"6282222222222\",\"user_id\":\"ID.2\",\"previous_user_id\":\"ID.1\"}},{\"id\":\"n\",\"type\":\"system\",\"system\":{\"type\":\"user_changed_user_id\",\"user_id\":\"ID.2\",\"body\":\"changed from ID.1 to ID.2\"}}]}")},
	{"meta", CHANGE("standby", "{" META ",\"standby\":{" CONTACTS ",\"messages\":[{\"from\":\"6281234567890\",\"id\":\"a\",\"type\":\"text\",\"text\":{\"body\":\"x\"}}],\"statuses\":[{\"id\":\"b\",\"status\":\"read\"}],\"message_echoes\":[{\"id\":\"e\",\"message\":{}}]}}")},
	{"meta", CHANGE("user_preferences", "{" META "," CONTACTS ",\"user_preferences\":[{\"wa_id\":\"6281234567890\",\"user_id\":\"ID.13\",\"category\":\"marketing_messages\",\"value\":\"signup\",\"signup_id\":\"7\",\"detail\":\"d\",\"timestamp\":1790000001}]}")},
	{"meta", CHANGE("user_id_update", "{" META ",\"user_id_update\":[{\"wa_id\":\"6281234567890\",\"user_id\":{\"previous\":\"ID.1\",\"current\":\"ID.2\"},\"timestamp\":\"1790000001\"}]}")},
	{"meta", CHANGE("message_template_status_update", "{\"event\":\"PAUSED\",\"message_template_id\":123,\"message_template_name\":\"a\",\"message_template_language\":\"en-US\",\"reason\":null,\"other_info\":{\"title\":\"UNPAUSE\"}}")},
	{"meta", CHANGE("account_update", "{\"event\":\"PARTNER_REMOVED\",\"waba_info\":{\"waba_id\":\"105\"},\"restriction_info\":[{\"restriction_type\":\"X\",\"expiration\":1790086400}],\"ban_info\":{\"waba_ban_state\":[\"DISABLE\"]}}")},
	{"meta", CHANGE("calls", "{" META ",\"calls\":[{\"id\":\"c\",\"from\":\"6281234567890\",\"event\":\"connect\",\"direction\":\"USER_INITIATED\"}],\"statuses\":[{\"id\":\"d\",\"status\":\"ACCEPTED\",\"recipient_id\":\"6281234567890\"}]}")},
	{"meta", CHANGE("smb_message_echoes", "{" META ",\"message_echoes\":[{\"id\":\"e\",\"from\":\"62215550000\",\"to\":\"6281234567890\"}]}")},
	{"meta", CHANGE("messaging_handovers", "{\"type\":\"control_passed\",\"recipient\":{\"phone_number_id\":\"1066\"},\"timestamp\":1790000001}")},
	{"fonnte", "{\"device\":\"6285700000001\",\"sender\":\"6281234567890\",\"message\":\"hai\",\"text\":\"\",\"member\":\"\",\"name\":\"Budi\",\"timestamp\":1790000001,\"inboxid\":7}"},
	{"fonnte", "{\"device\":\"6285700000001\",\"sender\":\"120363012345678901@g.us\",\"member\":\"6281234567890\",\"message\":\"a\",\"name\":\"B\"}"},
	{"fonnte", "{\"device\":\"6285700000001\",\"id\":\"80367170\",\"stateid\":\"ABC\",\"status\":\"expired\",\"state\":\"read\",\"reason\":\"x\"}"},
	{"fonnte", "{\"device\":\"6285700000001\",\"status\":\"disconnect\",\"reason\":\"logged out\",\"timestamp\":1790000001}"},
	{"watzap", "{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"6281234567890@c.us\",\"message_id\":\"A\",\"name\":\"N\",\"timestamp\":1790000001,\"message_body\":\"Hi\",\"has_media\":false,\"is_from_me\":false}}"},
	{"watzap", "{\"type\":\"x\",\"data\":{\"phone\":\"6281234567890\",\"message_type\":\"text\",\"message_text\":\"a\",\"message_raw\":{\"id\":\"i\",\"type\":\"button\",\"button\":{\"payload\":\"P\",\"text\":\"T\"}},\"root_value\":{}}}"},
};

/* One body, and what it must come to. */
static void
try_body(const char *kind, const char *bytes, size_t len, bool has_witness)
{
	const WaGateway *gateway = wa_gateway_find(kind);
	Seen		seen = {.gateway = gateway};
	char	   *exact = malloc(len > 0 ? len : 1);	/* so that a byte too far
													 * is seen */

	if (exact == NULL)
		return;
	memcpy(exact, bytes, len);
	current = bytes;
	MUST(gateway->read_feedback(exact, len, ARRIVAL, take, &seen));
	MUST(seen.n > 0);
	MUST(!has_witness || seen.witness);
	witnesses += seen.witness;
	free(exact);
}

int
main(int argc, char **argv)
{
	static Body body;
	unsigned long iterations = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	unsigned long i;
	size_t		k;

	random_state = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	if (random_state == 0)
		random_state = UINT64_C(0x5ca4711c);
	for (i = 0; i < iterations + LENGTH(seeds); i++)
	{
		size_t		which = i < LENGTH(seeds) ? i : random_below(LENGTH(seeds));
		json_object *root = json_tokener_parse(seeds[which].body);
		bool		witness = strstr(seeds[which].body, "WITNESS") != NULL;

		body.len = 0;
		body.bytes[0] = '\0';
		body.changes = i < LENGTH(seeds) ? 0 : 1 + (int) random_below(6);
		write_value(&body, root);
		json_object_put(root);
		try_body(seeds[which].kind, body.bytes, body.len, witness);
		/* and cut somewhere */
		if (random_below(20) == 0)
			try_body(seeds[which].kind, body.bytes, random_below((uint32_t) body.len), false);
	}

	printf("fuzz feedback: %lu inputs, witnesses %lu", i, witnesses);
	for (k = 0; k < WA_UPDATE_KIND_COUNT; k++)
	{
		printf(", %s %lu", wa_gateway_update_kind_name((WaUpdateKind) k), counts[k]);
		if (counts[k] == 0)
		{
			fputs("\nfuzz feedback: the seeds do not reach the code\n", stderr);
			return 1;
		}
	}
	putchar('\n');
	return 0;
}
