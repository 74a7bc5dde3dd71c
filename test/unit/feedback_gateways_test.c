/*-------------------------------------------------------------------------
 *
 * feedback_gateways_test.c
 *		Unit tests of what Fonnte's and Watzap's webhooks are read as.
 *
 * Tables of bodies, each with what must be read of it, written down as one
 * line: the kind, and every member that is set.  So a member too many fails
 * like one that is missing.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "said.h"
#include "gateway/provider.h"
#include "gateway/reading.h"

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

/* The time of arrival in all tests. */
#define NOW		INT64_C(1795800000)

static char line[16384];
static int	taken;

/* Append " name=value" to the line, if it is set. */
static void
add(const char *name, const char *value)
{
	size_t		len = strlen(line);

	if (value != NULL)
		snprintf(line + len, sizeof(line) - len, " %s=%s", name, value);
}

/* Describe an update in "line". */
static void
describe(const WaUpdate *update, void *argument)
{
	char		time[32];

	CHECK(argument == line);
	taken++;
	snprintf(line, sizeof(line), "%s", wa_gateway_update_kind_name(update->kind));
	add("event", update->event);
	add("device", update->sender_id);
	add("account", update->account_id);
	snprintf(time, sizeof(time), "%" PRId64, update->said_at);
	add("at", update->said_at == 0 ? NULL : time);
	add("number", update->number);
	add("user", update->user_id);
	add("name", update->name);
	add("id", update->message_id);
	add("pair", update->pair_id);
	add("progress", wa_gateway_progress_name(update->progress));
	add("code", update->code);
	add("words", update->words);
	add("text", update->text);
	add("keyword", update->keyword);
	add("only_out", update->only_out ? "yes" : NULL);
	add("window", update->opens_window ? "yes" : NULL);
	add("proves", update->proves_number ? "yes" : NULL);
	add("answers", update->answers);
	add("detail", update->detail);
	add("excerpt", update->excerpt);
}

/* Read a body of len bytes; what it is comes back as the line. */
static const char *
read_bytes(const char *kind, const char *body, size_t len)
{
	/* a block of exactly this size: one byte too far is seen */
	char	   *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, body, len);
	taken = 0;
	line[0] = '\0';
	CHECK(wa_gateway_find(kind)->read_feedback(copy, len, NOW, describe, line));
	CHECK_INT(taken, 1);
	free(copy);
	return line;
}

typedef struct Row
{
	const char *body;
	const char *want;
} Row;

static void
check_rows(const char *kind, const Row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		if (!CHECK_STR(read_bytes(kind, rows[i].body, strlen(rows[i].body)), rows[i].want))
			fprintf(stderr, "\tof       %s\n", rows[i].body);
	}
}

static void
test_fonnte_status(void)
{
	static const Row rows[] = {
		/* the three shapes */
		{"{\"device\":\"6285700000001\",\"id\":\"80367170\",\"stateid\":\"3EB0ABC\",\"status\":\"sent\",\"state\":\"\"}",
		"status event=sent device=6285700000001 id=80367170 pair=3EB0ABC progress=sent"},
		{"{\"device\":\"6285700000001\",\"id\":80367170,\"stateid\":\"\",\"status\":\"Sent\"}",
		"status event=Sent device=6285700000001 id=80367170 progress=sent"},
		{"{\"device\":\"6285700000001\",\"stateid\":\"3EB0ABC\",\"state\":\"delivered\",\"timestamp\":1795799990}",
		"status event=delivered device=6285700000001 at=1795799990 pair=3EB0ABC progress=delivered"},

		/* WhatsApp's word is later than the queue's */
		{"{\"id\":\"1\",\"stateid\":\"2\",\"status\":\"sent\",\"state\":\"READ\"}",
		"status event=READ id=1 pair=2 progress=read"},
		{"{\"id\":\"1\",\"stateid\":\"2\",\"status\":\"expired\",\"state\":\"delivered\"}",
		"status event=delivered id=1 pair=2 progress=delivered"},
		{"{\"id\":\"1\",\"stateid\":\"2\",\"status\":\"sent\",\"state\":\"failed\",\"reason\":\"no\\nroute\"}",
		"status event=failed id=1 pair=2 progress=failed code=failed words=no route"},

		/* waiting is no progress, and a new word neither */
		{"{\"id\":\"1\",\"status\":\"pending\"}", "status event=pending id=1"},
		{"{\"id\":\"1\",\"status\":\"waiting\"}", "status event=waiting id=1"},
		{"{\"id\":\"1\",\"status\":\"processing\"}", "status event=processing id=1"},
		{"{\"id\":\"1\",\"status\":\"sent\",\"state\":\"server\"}", "status event=sent id=1 progress=sent"},
		{"{\"stateid\":9,\"state\":\"dancing\"}", "status event=dancing pair=9"},
		{"{\"stateid\":\"9\",\"state\":\"\"}", "status pair=9"},

		/* given up */
		{"{\"id\":\"1\",\"status\":\"INVALID\"}", "status event=INVALID id=1 progress=failed code=INVALID"},
		{"{\"id\":\"1\",\"status\":\"Expired\"}", "status event=Expired id=1 progress=failed code=Expired"},
		{"{\"id\":\"1\",\"status\":\"url unreachable\",\"state\":\"\"}",
		"status event=url unreachable id=1 progress=failed code=url unreachable"},

		/*
		 * an id beyond 64 bits stays itself, and one that cannot be kept is
		 * none
		 */
		{"{\"id\":123456789012345678901234,\"status\":\"sent\"}",
		"status event=sent id=123456789012345678901234 progress=sent"},
		{"{\"id\":\"has blank\",\"stateid\":\"7\",\"status\":\"sent\"}", "status event=sent pair=7 progress=sent"},

		/* a message's id decides, even with the device's words */
		{"{\"id\":\"1\",\"status\":\"connect\"}", "status event=connect id=1"},

		/* of no message */
		{"{\"device\":\"6285700000001\",\"id\":\"\",\"stateid\":\"\",\"status\":\"sent\"}",
		"unknown event=sent device=6285700000001 excerpt={\"device\":\"6285700000001\",\"id\":\"\",\"stateid\":\"\",\"status\":\"sent\"}"},
		{"{\"id\":null,\"stateid\":null,\"state\":\"read\"}",
		"unknown event=read excerpt={\"id\":null,\"stateid\":null,\"state\":\"read\"}"},
	};

	check_rows("fonnte", rows, LENGTH(rows));
}

static void
test_fonnte_device(void)
{
	static const Row rows[] = {
		{"{\"device\":\"6285700000001\",\"status\":\"disconnect\",\"timestamp\":\"1795799000\",\"reason\":\"logged out\",\"secretkey\":\"abc\"}",
			"account event=disconnect device=6285700000001 at=1795799000 words=logged out "
		"detail={\"device\":\"6285700000001\",\"status\":\"disconnect\",\"reason\":\"logged out\",\"timestamp\":\"1795799000\"}"},
		{"{\"device\":6285700000001,\"status\":\"Connect\",\"id\":\"\",\"timestamp\":1795799000123}",
			"account event=connect device=6285700000001 at=1795799000 "
		"detail={\"device\":\"6285700000001\",\"status\":\"Connect\",\"timestamp\":\"1795799000123\"}"},
		{"{\"device\":\"085700000001\",\"status\":\"connected\"}",
		"account event=connect device=6285700000001 detail={\"device\":\"085700000001\",\"status\":\"connected\"}"},
		{"{\"device\":\"office\",\"status\":\"disconnected\"}",
		"account event=disconnect device=office detail={\"device\":\"office\",\"status\":\"disconnected\"}"},
	};

	check_rows("fonnte", rows, LENGTH(rows));
}

static void
test_fonnte_inbound(void)
{
	static const Row rows[] = {
		{"{\"device\":\"6285700000001\",\"sender\":\"6281234567890\",\"message\":\"STOP\",\"name\":\"Budi\",\"timestamp\":1795799990,\"inboxid\":4711}",
		"inbound event=text device=6285700000001 at=1795799990 number=6281234567890 name=Budi id=4711 text=STOP keyword=STOP"},

		/* form, and each scalar as text */
		{"device=6285700000001&sender=6281234567890&message=Terima+kasih%2C%0D%0Abaik&name=Budi%20S&timestamp=1795799990&inboxid=0012&url=",
			"inbound event=text device=6285700000001 at=1795799990 number=6281234567890 name=Budi S id=0012 "
		"text=Terima kasih,\nbaik keyword=Terima kasih,\nbaik"},

		/* inbox off: an id of what it is, the same for a repeat */
		{"{\"device\":\"6285700000001\",\"sender\":\"6281234567890\",\"message\":\"halo\",\"timestamp\":1795799990,\"inboxid\":0}",
		"inbound event=text device=6285700000001 at=1795799990 number=6281234567890 id=1795799990-906e69c6b633cc9a text=halo keyword=halo"},
		{"{\"device\":\"6285700000001\",\"sender\":\"6281234567890\",\"message\":\"halo\",\"timestamp\":\"1795799990\"}",
		"inbound event=text device=6285700000001 at=1795799990 number=6281234567890 id=1795799990-906e69c6b633cc9a text=halo keyword=halo"},
		{"{\"device\":\"6285700000001\",\"sender\":\"6281234567890\",\"message\":\"halo!\",\"timestamp\":1795799990}",
		"inbound event=text device=6285700000001 at=1795799990 number=6281234567890 id=1795799990-9c7821a79784172d text=halo! keyword=halo!"},
		{"{\"sender\":\"6281234567890\",\"message\":\"halo\",\"inboxid\":-1}",
		"inbound event=text number=6281234567890 text=halo keyword=halo"},

		/* buttons and what is no text */
		{"{\"sender\":\"6281234567890\",\"message\":\"non-text message\",\"text\":\"BERHENTI\",\"inboxid\":\"1\"}",
		"inbound event=button number=6281234567890 id=1 text=BERHENTI keyword=BERHENTI"},
		{"{\"sender\":\"6281234567890\",\"message\":\"STOP\",\"text\":\"\",\"inboxid\":\"1\"}",
		"inbound event=text number=6281234567890 id=1 text=STOP keyword=STOP"},
		{"{\"sender\":\"6281234567890\",\"message\":\"Non text message \",\"inboxid\":\"1\"}",
		"inbound event=media number=6281234567890 id=1"},
		{"{\"sender\":\"6281234567890\",\"message\":\"undefined\",\"text\":\"undefined\",\"inboxid\":\"1\"}",
		"inbound event=media number=6281234567890 id=1"},
		{"{\"sender\":\"6281234567890\",\"message\":\"STOP\",\"url\":\"https://x/a.jpg\",\"extension\":\"jpg\",\"inboxid\":\"1\"}",
		"inbound event=media number=6281234567890 id=1 text=STOP"},
		{"{\"sender\":\"6281234567890\",\"message\":\"\",\"location\":\"-7.25,112.75\",\"inboxid\":\"1\"}",
		"inbound event=location number=6281234567890 id=1"},
		{"{\"sender\":\"6281234567890\",\"message\":\"STOP\",\"pollname\":\"Puas?\",\"choices\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=poll number=6281234567890 id=1 text=STOP"},

		/* groups: no keyword */
		{"{\"sender\":\"120363012345678901@g.us\",\"member\":\"6281234567890\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text number=6281234567890 id=1 text=STOP detail={\"group\":\"120363012345678901@g.us\"}"},
		{"{\"sender\":120363012345678901,\"member\":\"6281234567890:3@s.whatsapp.net\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text number=6281234567890 id=1 text=STOP detail={\"group\":\"120363012345678901\"}"},
		{"{\"sender\":\"6281234567890-1612345678\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text id=1 text=STOP detail={\"group\":\"6281234567890-1612345678\"}"},
		{"{\"sender\":\"status@broadcast\",\"member\":\"7777@lid\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text user=7777@lid id=1 text=STOP detail={\"group\":\"status@broadcast\"}"},

		/* ids of WhatsApp's */
		{"{\"sender\":\"6281234567890@c.us\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text number=6281234567890 id=1 text=STOP keyword=STOP"},
		{"{\"sender\":\"6281234567890:12@S.WhatsApp.net\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text number=6281234567890 id=1 text=STOP keyword=STOP"},
		{"{\"sender\":\"123456789012345@lid\",\"name\":\"6281234567890\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text user=123456789012345@lid name=6281234567890 id=1 text=STOP keyword=STOP"},
		{"{\"sender\":\"123456789012:7@lid\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text user=123456789012@lid id=1 text=STOP keyword=STOP"},
		{"{\"sender\":\"187654321098765\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text user=187654321098765 id=1 text=STOP keyword=STOP"},
		{"{\"sender\":\"1234567\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text user=1234567 id=1 text=STOP keyword=STOP"},
		{"{\"sender\":\"6281234567890@elsewhere\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text user=6281234567890@elsewhere id=1 text=STOP keyword=STOP"},
		{"{\"sender\":\"+62 812-3456-7890\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text number=6281234567890 id=1 text=STOP keyword=STOP"},
		{"{\"sender\":\"081234567890\",\"message\":\"STOP\",\"inboxid\":\"1\"}",
		"inbound event=text number=6281234567890 id=1 text=STOP keyword=STOP"},

		/* from ourselves */
		{"{\"device\":\"6285700000001\",\"sender\":\"6285700000001\",\"message\":\"STOP\",\"token\":\"secret\",\"x\":{\"MyApiKey\":\"s\"}}",
		"kept event=own device=6285700000001 excerpt={\"device\":\"6285700000001\",\"sender\":\"6285700000001\",\"message\":\"STOP\",\"token\":null,\"x\":{\"MyApiKey\":null}}"},
		{"{\"device\":\"085700000001\",\"sender\":\"6285700000001:2@c.us\",\"message\":\"STOP\"}",
		"kept event=own device=6285700000001 excerpt={\"device\":\"085700000001\",\"sender\":\"6285700000001:2@c.us\",\"message\":\"STOP\"}"},
		{"{\"device\":\"6285700000001\",\"sender\":\"120363012345678901@g.us\",\"member\":\"6285700000001\",\"message\":\"STOP\"}",
		"kept event=own device=6285700000001 excerpt={\"device\":\"6285700000001\",\"sender\":\"120363012345678901@g.us\",\"member\":\"6285700000001\",\"message\":\"STOP\"}"},

		/* times */
		{"{\"sender\":\"6281234567890\",\"message\":\"a\",\"inboxid\":1,\"timestamp\":1795800001}",
		"inbound event=text number=6281234567890 id=1 text=a keyword=a"},
		{"{\"sender\":\"6281234567890\",\"message\":\"a\",\"inboxid\":1,\"timestamp\":1795799990.75}",
		"inbound event=text at=1795799990 number=6281234567890 id=1 text=a keyword=a"},
		{"{\"sender\":\"6281234567890\",\"message\":\"a\",\"inboxid\":1,\"timestamp\":\"yesterday\"}",
		"inbound event=text number=6281234567890 id=1 text=a keyword=a"},
		{"{\"sender\":\"6281234567890\",\"message\":\"a\",\"inboxid\":1,\"timestamp\":-5}",
		"inbound event=text number=6281234567890 id=1 text=a keyword=a"},
		{"{\"sender\":\"6281234567890\",\"message\":\"a\",\"inboxid\":1,\"timestamp\":99999999999999999999999}",
		"inbound event=text number=6281234567890 id=1 text=a keyword=a"},

		/* bytes that hurt: kept as text */
		{"{\"sender\":\"6281234567890\",\"message\":\"ST\\u0000OP \\u001b[2J\xff\",\"inboxid\":1}",
		"inbound event=text number=6281234567890 id=1 text=ST OP  [2J? keyword=ST OP  [2J?"},
		{"{\"sender\":\"6281234567890\",\"message\":\"\xe2\x80\x8bST\xe2\x80\x8eOP\",\"name\":\"Bu\xe2\x80\xae\\ndi\",\"inboxid\":1}",
		"inbound event=text number=6281234567890 name=Bu  di id=1 text=\xe2\x80\x8bST\xe2\x80\x8eOP keyword=\xe2\x80\x8bST\xe2\x80\x8eOP"},
		{"{\"sender\":\"6281234567890\",\"x\":NaN,\"y\":1e999,\"deep\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],\"message\":\"ST\001OP\tnow\",\"inboxid\":1}",
		"inbound event=text number=6281234567890 id=1 text=ST OP\tnow keyword=ST OP\tnow"},
		{"{\"sender\":{\"a\":1},\"message\":[1],\"inboxid\":1}",
		"unknown excerpt={\"sender\":{\"a\":1},\"message\":[1],\"inboxid\":1}"},
	};

	check_rows("fonnte", rows, LENGTH(rows));
}

static void
test_watzap(void)
{
	static const Row rows[] = {
		/* a linked device */
		{"{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"6281234567890\",\"message_id\":\"ABC.1\",\"name\":\"Nitami\",\"timestamp\":1795799990,"
			"\"message_body\":\"Stop\",\"has_media\":false,\"is_forwading\":false,\"is_from_me\":false}}",
		"inbound event=text at=1795799990 number=6281234567890 name=Nitami id=ABC.1 text=Stop keyword=Stop"},
		{"{\"data\":{\"chat_id\":\"6281234567890@c.us\",\"message_body\":\"Stop\",\"timestamp\":\"1795799990123\"},\"type\":\"incoming_chat\"}",
		"inbound event=text at=1795799990 number=6281234567890 text=Stop keyword=Stop"},
		{"{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"c-17\",\"name\":\"6281234567890\",\"message_body\":\"Stop\"}}",
		"inbound event=text number=6281234567890 text=Stop keyword=Stop"},
		{"{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"\",\"name\":\"+62 812-3456-7890\",\"message_body\":\"Stop\"}}",
		"inbound event=text number=6281234567890 text=Stop keyword=Stop"},
		{"{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"c-17\",\"name\":\"Budi 081234567890\",\"message_body\":\"Stop\"}}",
		"inbound event=text user=c-17 name=Budi 081234567890 text=Stop keyword=Stop"},

		/* a hidden number is none, whatever he calls himself */
		{"{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"12345678901234@lid\",\"name\":\"6281234567890\",\"message_body\":\"Stop\"}}",
		"inbound event=text user=12345678901234@lid name=6281234567890 text=Stop keyword=Stop"},

		/* groups, media, placeholders, ourselves */
		{"{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"120363012345678901@g.us\",\"name\":\"6281234567890\",\"message_body\":\"Stop\"}}",
		"inbound event=text name=6281234567890 text=Stop detail={\"group\":\"120363012345678901@g.us\"}"},
		{"{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"6281234567890\",\"message_body\":\"Stop\",\"has_media\":\"true\"}}",
		"inbound event=media number=6281234567890 text=Stop"},
		{"{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"6281234567890\",\"message_body\":\"[Image]\"}}",
		"inbound event=text number=6281234567890"},
		{"{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"6281234567890\",\"message_body\":\"Stop\",\"is_from_me\":true}}",
		"kept event=own excerpt={\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"6281234567890\",\"message_body\":\"Stop\",\"is_from_me\":true}}"},
		{"{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"6281234567890\",\"number_key\":\"geheim\",\"is_from_me\":\"True\"}}",
		"kept event=own excerpt={\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"6281234567890\",\"number_key\":null,\"is_from_me\":\"True\"}}"},

		/* a form, and JSON within one */
		{"type=incoming_chat&data[chat_id]=6281234567890&data%5Bmessage_body%5D=Stop&data[location_attached][lat]=",
		"inbound event=text number=6281234567890 text=Stop keyword=Stop"},
		{"type=incoming_chat&data=%7B%22chat_id%22%3A%226281234567890%22%2C%22message_body%22%3A%22Stop%22%7D",
		"inbound event=text number=6281234567890 text=Stop keyword=Stop"},

		/* an official number */
		{"{\"type\":\"whatever\",\"data\":{\"phone\":\"6281234567890\",\"name\":\"Nitami\",\"message_type\":\"text\",\"message_text\":\"Stop\"}}",
		"inbound event=text number=6281234567890 name=Nitami text=Stop keyword=Stop"},
		{"{\"data\":{\"phone\":\"+6281234567890\",\"message_type\":\"image\",\"message_text\":\"Stop\"}}",
		"inbound event=image number=6281234567890 text=Stop"},
		{"{\"data\":{\"phone\":\"6281234567890\",\"message_text\":\"[Image]\"}}",
		"inbound event=text number=6281234567890"},
		{"{\"data\":{\"phone\":\"6281234567890\",\"message_type\":\"text\",\"message_text\":\"STOP\",\"message_raw\":{\"from\":\"6281234567890\",\"from_user_id\":\"ID.99\","
			"\"id\":\"wamid.A\",\"timestamp\":\"1795799990\",\"type\":\"text\",\"text\":{\"body\":\"Stop\"},\"context\":{\"id\":\"wamid.B\"}}}}",
		"inbound event=text at=1795799990 number=6281234567890 user=ID.99 id=wamid.A text=Stop keyword=Stop answers=wamid.B"},
		{"{\"data\":{\"message_text\":\"[Button]\",\"message_raw\":\"{\\\"from\\\":\\\"6281234567890\\\",\\\"type\\\":\\\"button\\\",\\\"button\\\":{\\\"payload\\\":\\\"STOP\\\",\\\"text\\\":\\\"Jangan kirim\\\"}}\"}}",
		"inbound event=button number=6281234567890 text=Jangan kirim keyword=STOP"},
		{"{\"data\":{\"phone\":\"6281234567890\",\"message_raw\":{\"type\":\"interactive\",\"interactive\":{\"type\":\"button_reply\",\"button_reply\":{\"id\":\"STOP\",\"title\":\"Berhenti\"}}}}}",
		"inbound event=interactive number=6281234567890 text=Berhenti keyword=STOP"},
		{"{\"data\":{\"phone\":\"6281234567890\",\"message_text\":\"STOP\",\"message_raw\":{\"type\":\"image\",\"image\":{\"caption\":\"STOP\"}}}}",
		"inbound event=image number=6281234567890 text=STOP"},
		{"{\"data\":{\"phone\":\"6281234567890\",\"message_raw\":{\"type\":\"text\",\"group_id\":\"g\",\"text\":{\"body\":\"STOP\"}}}}",
		"inbound event=text number=6281234567890 text=STOP"},
		{"{\"data\":{\"phone\":\"\",\"message_raw\":{\"type\":\"text\",\"from_user_id\":\"ID.99\",\"text\":{\"body\":\"STOP\"}}}}",
		"inbound event=text user=ID.99 text=STOP keyword=STOP"},

		/* anything else */
		{"{\"type\":\"device_status\",\"data\":{\"x\":1}}", "unknown event=device_status excerpt={\"type\":\"device_status\",\"data\":{\"x\":1}}"},
		{"{\"type\":\"incoming_chat\",\"data\":[]}", "unknown event=incoming_chat excerpt={\"type\":\"incoming_chat\",\"data\":[]}"},
		{"{\"type\":\"incoming_chat\",\"data\":\"{\"}", "unknown event=incoming_chat excerpt={\"type\":\"incoming_chat\",\"data\":\"{\"}"},
		{"{}", "unknown excerpt={}"},
	};

	check_rows("watzap", rows, LENGTH(rows));
}

/* What nobody can read is one update that says so, with its beginning. */
static void
test_unreadable(void)
{
	static const char *const kinds[] = {"fonnte", "watzap"};
	static char large[3 * 1024 * 1024];
	char		want[WA_UPDATE_EXCERPT_BYTES + 64];

	for (size_t i = 0; i < LENGTH(kinds); i++)
	{
		const char *kind = kinds[i];

		CHECK_STR(read_bytes(kind, "", 0), "unknown");
		CHECK_STR(read_bytes(kind, " \n", 2), "unknown");
		CHECK_STR(read_bytes(kind, "{\"sender\":\"628", 14), "unknown excerpt={\"sender\":\"628");
		CHECK_STR(read_bytes(kind, "[{}]", 4), "unknown excerpt=[{}]");
		CHECK_STR(read_bytes(kind, "{\"a\":1} x", 9), "unknown excerpt={\"a\":1} x");
		CHECK_STR(read_bytes(kind, "{\"a\":\0001}", 8), "unknown excerpt={\"a\":1}");
		CHECK_STR(read_bytes(kind, "hello", 5), "unknown excerpt=hello");
		CHECK_STR(read_bytes(kind, "a=1&hello", 9), "unknown excerpt=a=1&hello");
		CHECK_STR(read_bytes(kind, "=1", 2), "unknown excerpt==1");
		CHECK_STR(read_bytes(kind, "\xff\xfe\x01", 3), "unknown excerpt=??");
		CHECK_STR(read_bytes(kind, "<html>=</html>", 14), "unknown excerpt=<html>=</html>");

		/* deep nesting, and a whole body of it */
		memset(large, '[', sizeof(large));
		memcpy(large, "{\"data\":", 8);
		memset(want, '[', sizeof(want));
		memcpy(want, "unknown excerpt={\"data\":", 24);
		want[strlen("unknown excerpt=") + WA_UPDATE_EXCERPT_BYTES] = '\0';
		CHECK_STR(read_bytes(kind, large, sizeof(large)), want);
	}
	CHECK_STR(read_bytes("fonnte", "a[b][c][d][e][f][g][h][i][j][k]=1", 33),
			  "unknown excerpt=a[b][c][d][e][f][g][h][i][j][k]=1");
	CHECK_STR(read_bytes("fonnte", "a[b=1&c]=2&[=3&%=%&%4=%zz&&d[]=5\r\n", 34),
			  "unknown excerpt={\"a[b\":\"1\",\"c]\":\"2\",\"[\":\"3\",\"%\":\"%\",\"%4\":\"%zz\",\"d\":{\"\":\"5\"}}");
	CHECK_STR(read_bytes("fonnte", "a=1&a[b]=2&a[b][c]=3", 20), "unknown excerpt={\"a\":{\"b\":{\"c\":\"3\"}}}");

	/* long texts are cut at a character */
	for (size_t start = 8; start < 10; start++)
	{
		memcpy(large, "message=x", 9);
		for (size_t i = start; i < 8192 + start; i += 2)
			memcpy(large + i, "\xc3\xa9", 2);
		memcpy(large + 8192 + start, "&sender=6281234567890&inboxid=1", 32);
		read_bytes("fonnte", large, strlen(large));
		CHECK_INT((int) strlen(strstr(line, " keyword=") + 9), WA_UPDATE_TEXT_BYTES - (start == 9));
	}
}

static void
test_numbers(void)
{
	static const struct
	{
		const char *text;
		const char *want;		/* NULL: it is none */
	}			rows[] = {
		{"6281234567890", "6281234567890"},
		{"12345678", "12345678"},
		{"1234567890123", "1234567890123"},
		{"123456789012345", NULL},	/* no number of +1 has so many */
		{"12345678901234", NULL},
		{"62812345678901", "62812345678901"},
		{"49151234567890", "49151234567890"},
		{"1234567", NULL},
		{"1234567890123456", NULL},
		{"0000000000", NULL},
		{"+6281234567890", "6281234567890"},
		{"+62 812-3456-7890", "6281234567890"},
		{"0812 3456 7890", "6281234567890"},
		{"6281234567890x", NULL},
		{"62 812 3456 7890", NULL},
		{"+6281234567890@lid", NULL},
		{"ID.1349", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		char		number[WA_NUMBER_SIZE] = "";
		bool		found = wa_gateway_read_number(rows[i].text, number);

		CHECK_STR(found ? number : NULL, rows[i].want);
	}
}

static void
test_failures(void)
{
	static const struct
	{
		const char *code;
		const char *words;
		WaOutcome	outcome;
		WaFallback	fallback;
		const char *said;
	}			rows[] = {
		{"INVALID", NULL, WA_OUTCOME_RECIPIENT, WA_FALLBACK_NO, "Fonnte does not accept the number (Fonnte: INVALID)."},
		{"expired", "offline", WA_OUTCOME_RETRY, WA_FALLBACK_YES,
		"Fonnte gave the message up because its device was offline for days (Fonnte: offline)."},
		{"Url Unreachable", NULL, WA_OUTCOME_RETRY, WA_FALLBACK_YES, "Fonnte could not fetch the attachment (Fonnte: Url Unreachable)."},
		{"failed", "target invalid", WA_OUTCOME_RECIPIENT, WA_FALLBACK_NO, "Fonnte does not accept the number (Fonnte: target invalid)."},
		{"failed", "no 628123 here", WA_OUTCOME_CALLER, WA_FALLBACK_YES,
		"Fonnte refused the message for a reason we do not know: no 628123 here."},
		{"failed", NULL, WA_OUTCOME_CALLER, WA_FALLBACK_YES, "Fonnte refused the message for a reason we do not know: failed."},
		{NULL, NULL, WA_OUTCOME_CALLER, WA_FALLBACK_YES, "Fonnte refused the message for a reason we do not know: none given."},
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		WaVerdict	verdict;

		memset(&verdict, 0xff, sizeof(verdict));
		wa_gateway_find("fonnte")->judge_failure(rows[i].code, rows[i].words, &verdict);
		CHECK_INT(verdict.outcome, rows[i].outcome);
		CHECK_INT(verdict.fallback, rows[i].fallback);
		CHECK_STR(english(&verdict.said), rows[i].said);
		CHECK_STR(verdict.message_id, "");
	}

	/* "expired" is no reason for which a send is refused */
	CHECK(wa_gateway_fonnte_reason("expired") == NULL);
	CHECK(wa_gateway_fonnte_reason("invalid") == NULL);
	CHECK(wa_gateway_fonnte_state("token invalid") == NULL);
}

int
main(void)
{
	CHECK_RUN(test_fonnte_status);
	CHECK_RUN(test_fonnte_device);
	CHECK_RUN(test_fonnte_inbound);
	CHECK_RUN(test_watzap);
	CHECK_RUN(test_unreadable);
	CHECK_RUN(test_numbers);
	CHECK_RUN(test_failures);
	return check_finish("feedback_gateways");
}
