/*-------------------------------------------------------------------------
 *
 * fonnte.c
 *		Fonnte (api.fonnte.com), a gateway on a linked WhatsApp device.
 *
 * POST /send with a form.  JSON would be taken by other calls of Fonnte, but
 * /send is reported to refuse it depending on exact types.  A refusal comes
 * with HTTP status 200 like a success, so only the body counts: "status"
 * true and an id in id[0], or it was not accepted.
 *
 * connectOnly=true makes Fonnte refuse at once while the device is offline.
 * Otherwise it would keep the message and send it hours later, when another
 * provider may long have delivered it.
 *
 * /send has no templates.  WA_FORM_POSITIONAL sends the fields "template",
 * "var1", "var2", ... all the same: this is how the office's older client
 * wrote it, and whoever has an installation that understands it can map a
 * template that way.  The usual way is text rendered here.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"

#define FORM_TYPE	"application/x-www-form-urlencoded"

static const WaGatewaySetting fonnte_settings[] = {
	{"token", true, true, NULL},
	{"webhook_secret", true, false, NULL},
	{WA_GATEWAY_OWN_NUMBER, false, false, NULL},
};

/* Append "&name=value" (or without the ampersand, as the first). */
static void
add_field(WaBuf *body, const char *name, const char *value)
{
	if (body->len > 0)
		wa_gateway_buf_str(body, "&");
	wa_gateway_buf_form(body, name);
	wa_gateway_buf_str(body, "=");
	wa_gateway_buf_form(body, value);
}

/*
 * The length of one of Fonnte's own placeholders, {name} or {var1}, at text;
 * 0 if there is none.
 */
static size_t
placeholder_length(const char *text)
{
	char		word[5];
	size_t		n;

	if (text[0] != '{' || strlen(text) < 6)
		return 0;
	memcpy(word, text + 1, 4);
	word[4] = '\0';
	if (wa_gateway_same_word(word, "name"))
		return text[5] == '}' ? 6 : 0;
	word[3] = '\0';
	if (!wa_gateway_same_word(word, "var"))
		return 0;
	n = strspn(text + 4, "0123456789");
	return n > 0 && text[4 + n] == '}' ? 5 + n : 0;
}

/*
 * Append the field "message".  Fonnte fills {name} and {varN} from values
 * behind the number; we send none, so a citizen would read a blank where the
 * text has such a word.  A zero width space behind the brace hides the word
 * from Fonnte and changes nothing for the reader.
 */
static void
add_message(WaBuf *body, const char *text)
{
	WaBuf		safe = {0};
	const char *start = text;
	const char *p;

	for (p = text; *p != '\0'; p++)
	{
		size_t		n = placeholder_length(p);

		if (n == 0)
			continue;
		wa_gateway_buf_add(&safe, start, (size_t) (p - start) + 1);
		wa_gateway_buf_str(&safe, "\xe2\x80\x8b");
		start = p + 1;
	}
	wa_gateway_buf_str(&safe, start);
	if (safe.failed)
		body->failed = true;
	else
		add_field(body, "message", safe.data);
	wa_gateway_buf_free(&safe);
}

/* See WaGateway. */
static bool
fonnte_build(const char *base_url, const WaPair *settings, size_t nsettings,
			 const WaOutbound *msg, WaRequest *req,
			 WaSaidText *err)
{
	WaBuf		body = {0};
	size_t		i;

	memset(req, 0, sizeof(*req));
	if (!wa_gateway_check_message(&wa_gateway_fonnte, msg, err) ||
		!wa_gateway_check_settings(&wa_gateway_fonnte, settings, nsettings,
								   err))
		return false;

	add_field(&body, "target", msg->number);
	if (msg->form == WA_FORM_TEXT)
		add_message(&body, msg->body);
	else
	{
		add_field(&body, "template", msg->template_name);
		for (i = 0; i < msg->nparams; i++)
		{
			char	   *value = wa_text_clean_value(msg->params[i].value);
			char		name[32];

			snprintf(name, sizeof(name), "var%zu", i + 1);
			if (value == NULL)
				body.failed = true;
			else
				add_field(&body, name, value);
			free(value);
		}
	}

	/*
	 * The country code is what Fonnte puts in place of a leading 0; numbers
	 * of other countries must not be touched, which is what "0" says.
	 */
	add_field(&body, "countryCode",
			  strncmp(msg->number, "62", 2) == 0 ? "62" : "0");
	add_field(&body, "connectOnly", "true");
	add_field(&body, "preview", "false");

	return wa_gateway_request(req, "POST", &wa_gateway_fonnte, base_url,
							  "/send", &body, FORM_TYPE,
							  wa_gateway_setting(settings, nsettings, "token"),
							  err);
}

/* See WaGateway.  The form's fields, for people to read. */
static char *
fonnte_write_params(const WaPair *params, size_t nparams, bool named)
{
	(void) named;
	return wa_gateway_numbered_params("var", params, nparams);
}

/* The member "status"; some answers write it with a capital. */
static json_object *
status_member(json_object * root)
{
	json_object *status = wa_gateway_member(root, "status");

	return status != NULL ? status : wa_gateway_member(root, "Status");
}

/* Does the status say this word ("true" or "false"), as boolean or text? */
static bool
status_says(json_object * status, const char *word)
{
	char		text[16];

	if (!json_object_is_type(status, json_type_boolean) &&
		!json_object_is_type(status, json_type_string))
		return false;
	return wa_gateway_text(status, text, sizeof(text)) &&
		wa_gateway_same_word(text, word);
}

/* The text of a refusal; "" if there is none. */
static void
read_reason(json_object * root, char *dst, size_t size)
{
	if (wa_gateway_text(wa_gateway_member(root, "reason"), dst, size) ||
		wa_gateway_text(wa_gateway_member(root, "detail"), dst, size))
		return;
	wa_gateway_text(wa_gateway_member(root, "message"), dst, size);
}

/* Class an answer that refuses; reason is its text or "". */
static void
judge_refusal(const WaReply *reply, const char *reason, WaVerdict *verdict)
{
	const WaWord *row = wa_gateway_fonnte_reason(reason);

	if (row != NULL)
	{
		wa_gateway_verdict(verdict, row->outcome);
		verdict->fallback = row->fallback;
		verdict->max_retries = row->max_retries;
		verdict->wait_s = row->wait_s;
		wa_gateway_sentence(verdict->code, sizeof(verdict->code), "%s",
							row->word);
		wa_gateway_say(&verdict->said, WA_SAY_FONNTE_SAYS, wa_text_say_plain(row->sentence), reason);
		wa_gateway_told_wait(reply, verdict);
	}
	else if (wa_gateway_status_tells(reply))
		wa_gateway_judge_gateway_status("Fonnte", reply,
										reason[0] != '\0' ? reason : NULL, verdict);
	else
	{
		/* Refused means not queued, whatever the wording. */
		wa_gateway_verdict(verdict, WA_OUTCOME_CALLER);
		wa_gateway_say(&verdict->said, WA_SAY_PROVIDER_REFUSED_UNKNOWN, wa_gateway_fonnte.name,
					   wa_gateway_or(reason, WA_SAY_NONE_GIVEN));
		wa_gateway_unlisted(verdict, reason[0] != '\0' ? reason : "none given");
	}
}

/* See WaGateway. */
static void
fonnte_judge(const WaReply *reply, WaVerdict *verdict)
{
	json_object *root = wa_gateway_parse(reply);
	json_object *status = status_member(root);
	char		reason[400];
	char		id[WA_MESSAGE_ID_SIZE];
	bool		has_id;

	read_reason(root, reason, sizeof(reason));
	has_id = wa_gateway_id(wa_gateway_element(wa_gateway_member(root, "id"),
											  0), id, sizeof(id));

	if (has_id && status_says(status, "true") && wa_gateway_is_2xx(reply))
	{
		char		request[64];

		wa_gateway_verdict(verdict, WA_OUTCOME_ACCEPTED);
		if (wa_gateway_text(wa_gateway_member(root, "requestid"),
							request, sizeof(request)))
			wa_gateway_say(&verdict->said, WA_SAY_FONNTE_QUEUED_MESSAGE_REQUEST, request);
		else
			wa_gateway_say(&verdict->said, WA_SAY_FONNTE_QUEUED_MESSAGE);
		memcpy(verdict->message_id, id, strlen(id) + 1);
	}
	else if (!has_id && (status_says(status, "false") ||
						 (status == NULL &&
						  wa_gateway_fonnte_reason(reason) != NULL)))
		judge_refusal(reply, reason, verdict);
	else if (has_id || status_says(status, "true"))
	{
		/* Half a success: whichever half is true, it may be queued. */
		wa_gateway_verdict(verdict, WA_OUTCOME_UNKNOWN);
		wa_gateway_say(&verdict->said, WA_SAY_FONNTE_PROVES_NOTHING, WA_NUMBER(reply->http_status));
		memcpy(verdict->message_id, id, strlen(id) + 1);
	}
	else
		wa_gateway_judge_gateway_status("Fonnte", reply,
										reason[0] != '\0' ? reason : NULL, verdict);
	json_object_put(root);
}

/* See WaGateway.  /device sends nothing and takes no fields. */
static bool
fonnte_build_test(const char *base_url, const WaPair *settings,
				  size_t nsettings, WaRequest *req,
				  WaSaidText *err)
{
	WaBuf		body = {0};

	memset(req, 0, sizeof(*req));
	if (!wa_gateway_check_settings(&wa_gateway_fonnte, settings, nsettings,
								   err))
		return false;
	return wa_gateway_request(req, "POST", &wa_gateway_fonnte, base_url,
							  "/device", &body, NULL,
							  wa_gateway_setting(settings, nsettings, "token"),
							  err);
}

/* See WaGateway. */
static void
fonnte_judge_test(const WaPair *settings, size_t nsettings,
				  const WaReply *reply, WaHealth *health)
{
	static const char *const keys[] = {
		"device", "device_status", "name", "package", "quota", "messages",
		"expired", "reason",
	};
	json_object *detail = wa_gateway_health_begin(reply, health);
	json_object *root = wa_gateway_parse(reply);
	char		state[32];
	char		quota[32];
	char		reason[300];
	WaSaidText	details;

	wa_gateway_health_copy(&wa_gateway_fonnte, settings, nsettings, detail,
						   root, keys, sizeof(keys) / sizeof(keys[0]));
	wa_gateway_text(wa_gateway_member(root, "device_status"),
					state, sizeof(state));
	wa_gateway_text(wa_gateway_member(root, "quota"), quota, sizeof(quota));
	read_reason(root, reason, sizeof(reason));

	if (wa_gateway_is_2xx(reply) && status_says(status_member(root), "true"))
	{
		bool		connected = wa_gateway_same_word(state, "connect");

		health->quota_left = wa_gateway_health_count(wa_gateway_member(root, "quota"));
		health->ok = connected && health->quota_left != 0;
		if (connected && !health->ok)
			wa_gateway_say(&health->said, WA_SAY_FONNTE_TEST_QUOTA_USED_UP);
		else if (health->ok)
			wa_gateway_say(&health->said, WA_SAY_FONNTE_TEST_CONNECTED, wa_gateway_or(quota, WA_SAY_NOT_GIVEN));
		else
			wa_gateway_say(&health->said, WA_SAY_FONNTE_TEST_NOT_CONNECTED,
						   wa_gateway_or(state, WA_SAY_NO_STATE_GIVEN));
	}
	else if (reply->http_status == 404)
		wa_gateway_say(&health->said, WA_SAY_PROVIDER_NOT_AT_ADDRESS, wa_gateway_fonnte.name);
	else
		wa_gateway_say(&health->said, WA_SAY_PROVIDER_TEST_NOT_CONFIRMED, wa_gateway_fonnte.name,
					   WA_NUMBER(reply->http_status),
					   wa_gateway_details(&details, reason));
	json_object_put(root);
	wa_gateway_health_finish(&wa_gateway_fonnte, settings, nsettings, detail,
							 health);
}

const WaGateway wa_gateway_fonnte = {
	.kind = "fonnte",
	.name = "Fonnte",
	.base_url = "https://api.fonnte.com",
	.max_text_chars = WA_TEXT_MAX_CHARS,
	.sequence = 10,
	.limits = &wa_gateway_device_limits,
	.settings = fonnte_settings,
	.nsettings = sizeof(fonnte_settings) / sizeof(fonnte_settings[0]),
	.build = fonnte_build,
	.judge = fonnte_judge,
	.build_test = fonnte_build_test,
	.judge_test = fonnte_judge_test,
	.write_params = fonnte_write_params,
	.read_feedback = wa_gateway_fonnte_read_feedback,
	.judge_failure = wa_gateway_fonnte_judge_failure,
	.judge_account = wa_gateway_fonnte_judge_account,
	.feedback_secret = "webhook_secret",
};
