/*-------------------------------------------------------------------------
 *
 * watzap.c
 *		Watzap.id (api.watzap.id), a gateway on a linked WhatsApp device.
 *
 * POST /send_message with JSON; both keys travel in the body, so the body is
 * a secret.  The answer has no message id and cannot be asked for later:
 * what is not certain stays uncertain.  Only "status":"200", compared as
 * text, is a success, whatever HTTP says.
 *
 * The real interface has no templates.  WA_FORM_POSITIONAL posts to
 * /message/sendTemplate with {"1":...,"2":...} all the same: this is the
 * form of the office's older client, for an installation that understands
 * it.  The usual way is text rendered here.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/provider.h"

#define SLOW_TIMEOUT_MS	60000L

static const WaGatewaySetting watzap_settings[] = {
	{"api_key", true, true, NULL},
	{"number_key", true, true, NULL},
	{"wait_until_send", false, false, "false"},
	{"webhook_secret", true, false, NULL},
	{WA_GATEWAY_OWN_NUMBER, false, false, NULL},
};

/* From Watzap's table of status codes; 1001 is known from reports only. */
static const WaWord statuses[] = {
	{"1001", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_WATZAP_REFUSES_ACCOUNT_OR_DEVICE},
	{"1002", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_API_KEY_NOT_VALID},
	{"1003", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_NUMBER_KEY_NOT_VALID},
	{"1004", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1,
	WA_SAY_WATZAP_DEVICE_NOT_PAIRED_OR_ACCESS},
	{"1005", WA_OUTCOME_RETRY, WA_FALLBACK_YES, 1, 60,
	WA_SAY_WATZAP_REPORTS_FATAL_ERROR},
	{"1006", WA_OUTCOME_RETRY, WA_FALLBACK_YES, 1, 60,
	WA_SAY_WATZAP_REPORTS_ERROR},
};

#define STATUS_COUNT	(sizeof(statuses) / sizeof(statuses[0]))

static const WaWord *
find_status(const char *status)
{
	size_t		i;

	for (i = 0; i < STATUS_COUNT; i++)
	{
		if (strcmp(statuses[i].word, status) == 0)
			return &statuses[i];
	}
	return NULL;
}

/* Begin a body with {"api_key":... */
static void
begin_body(WaBuf *body, const WaPair *settings, size_t nsettings)
{
	wa_gateway_buf_str(body, "{\"api_key\":");
	wa_gateway_buf_json(body,
						wa_gateway_setting(settings, nsettings, "api_key"));
}

/* Append ,"name":"value" */
static void
add_member(WaBuf *body, const char *name, const char *value)
{
	wa_gateway_buf_str(body, ",");
	wa_gateway_buf_json(body, name);
	wa_gateway_buf_str(body, ":");
	wa_gateway_buf_json(body, value);
}

/* Read the setting wait_until_send; false with err if it is no boolean. */
static bool
read_wait(const WaPair *settings, size_t nsettings, bool *wait,
		  WaSaidText *err)
{
	const char *value = wa_gateway_value(&wa_gateway_watzap, settings,
										 nsettings, "wait_until_send");

	if (wa_gateway_boolean(value, wait))
		return true;
	wa_gateway_say(err, WA_SAY_SETTING_MUST_BE_BOOLEAN, "wait_until_send");
	return false;
}

/* See WaGateway. */
static char *
watzap_write_params(const WaPair *params, size_t nparams, bool named)
{
	(void) named;
	return wa_gateway_numbered_params("", params, nparams);
}

/* See WaGateway.  Told to wait until the message has left, Watzap answers late. */
static long
watzap_timeout_ms(const WaPair *settings, size_t nsettings)
{
	bool		wait = false;

	(void) wa_gateway_boolean(wa_gateway_setting(settings, nsettings,
												 "wait_until_send"), &wait);
	return wait ? SLOW_TIMEOUT_MS : 0;
}

/* See WaGateway. */
static bool
watzap_build(const char *base_url, const WaPair *settings, size_t nsettings,
			 const WaOutbound *msg, WaRequest *req,
			 WaSaidText *err)
{
	WaBuf		body = {0};
	bool		wait;

	memset(req, 0, sizeof(*req));
	if (!wa_gateway_check_message(&wa_gateway_watzap, msg, err) ||
		!wa_gateway_check_settings(&wa_gateway_watzap, settings, nsettings,
								   err) ||
		!read_wait(settings, nsettings, &wait, err))
		return false;

	begin_body(&body, settings, nsettings);
	add_member(&body, "number_key",
			   wa_gateway_setting(settings, nsettings, "number_key"));
	add_member(&body, "phone_no", msg->number);
	if (msg->form == WA_FORM_TEXT)
	{
		add_member(&body, "message", msg->body);
		if (wait)
			add_member(&body, "wait_until_send", "1");
	}
	else
	{
		char	   *params = watzap_write_params(msg->params, msg->nparams,
												 false);

		add_member(&body, "template_id", msg->template_name);
		wa_gateway_buf_str(&body, ",\"params\":");
		if (params == NULL)
			body.failed = true;
		else
			wa_gateway_buf_str(&body, params);
		free(params);
	}
	wa_gateway_buf_str(&body, "}");

	return wa_gateway_request(req, "POST", &wa_gateway_watzap, base_url,
							  msg->form == WA_FORM_TEXT ?
							  "/send_message" : "/message/sendTemplate",
							  &body, "application/json", NULL,
							  err);
}

/*
 * The answer's status as text: it is documented as a string, and as a
 * boolean for the key check.  "" if there is none.
 */
static void
read_status(json_object * root, char *dst, size_t size)
{
	wa_gateway_text(wa_gateway_member(root, "status"), dst, size);
}

/* Does a text begin with "success", in any case? */
static bool
sounds_like_success(const char *text)
{
	char		word[8];

	if (strlen(text) < 7)
		return false;
	memcpy(word, text, 7);
	word[7] = '\0';
	return wa_gateway_same_word(word, "success");
}

/* See WaGateway. */
static void
watzap_judge(const WaReply *reply, WaVerdict *verdict)
{
	json_object *root = wa_gateway_parse(reply);
	const WaWord *row;
	char		status[WA_CODE_SIZE];
	char		message[300];
	char		ack[32];
	WaSaidText	details;

	read_status(root, status, sizeof(status));
	wa_gateway_text(wa_gateway_member(root, "message"),
					message, sizeof(message));
	wa_gateway_text(wa_gateway_member(root, "ack"), ack, sizeof(ack));
	row = find_status(status);

	if (row != NULL)
	{
		wa_gateway_verdict(verdict, row->outcome);
		verdict->fallback = row->fallback;
		verdict->max_retries = row->max_retries;
		verdict->wait_s = row->wait_s;
		wa_gateway_say(&verdict->said, WA_SAY_WATZAP_SAYS, wa_text_say_plain(row->sentence), status,
					   wa_gateway_details(&details, message));
		wa_gateway_told_wait(reply, verdict);
	}
	else if (strcmp(status, "200") == 0 && wa_gateway_is_2xx(reply))
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_ACCEPTED);
		wa_gateway_say(&verdict->said, WA_SAY_PROVIDER_ACCEPTED, wa_gateway_watzap.name);
	}
	else if (status[0] == '\0')
		wa_gateway_judge_gateway_status("Watzap", reply,
										message[0] != '\0' ? message : NULL, verdict);
	else if (strcmp(status, "200") == 0 || wa_gateway_same_word(status, "true") ||
			 sounds_like_success(status) || sounds_like_success(ack))
	{
		/* Not the documented success, but not a refusal either. */
		wa_gateway_verdict(verdict, WA_OUTCOME_UNKNOWN);
		wa_gateway_say(&verdict->said, WA_SAY_WATZAP_ANSWER_HTTP_STATUS_STATUS, WA_NUMBER(reply->http_status),
					   status);
	}
	else if (wa_gateway_status_tells(reply))
		wa_gateway_judge_gateway_status("Watzap", reply,
										message[0] != '\0' ? message : status,
										verdict);
	else
	{
		char		words[WA_REASON_SIZE];

		wa_gateway_verdict(verdict, WA_OUTCOME_CALLER);
		wa_gateway_say(&verdict->said, WA_SAY_WATZAP_REFUSED_UNKNOWN, status,
					   wa_gateway_details(&details, message));
		wa_gateway_unlisted(verdict, message);
		memcpy(words, verdict->unlisted, sizeof(verdict->unlisted));
		wa_gateway_sentence(verdict->unlisted, sizeof(verdict->unlisted),
							"%s%s%s", status, words[0] != '\0' ? ": " : "", words);
	}
	memcpy(verdict->code, status, strlen(status) + 1);
	json_object_put(root);
}

/* See WaGateway.  The key check sends nothing. */
static bool
watzap_build_test(const char *base_url, const WaPair *settings,
				  size_t nsettings, WaRequest *req,
				  WaSaidText *err)
{
	WaBuf		body = {0};

	memset(req, 0, sizeof(*req));
	if (!wa_gateway_check_settings(&wa_gateway_watzap, settings, nsettings,
								   err))
		return false;
	begin_body(&body, settings, nsettings);
	wa_gateway_buf_str(&body, "}");
	return wa_gateway_request(req, "POST", &wa_gateway_watzap, base_url,
							  "/checking_key", &body, "application/json",
							  NULL, err);
}

/*
 * Is a date "YYYY-MM-DD", with anything behind it, more than a day ago?  The
 * day is in hand because the time zone of Watzap's dates is not documented.
 * Other forms are not understood and do not count as past.
 */
static bool
is_past(const char *text, time_t now)
{
	static const int before_month[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334
	};
	int			year;
	int			month;
	int			day;
	long		days;
	int			i;

	for (i = 0; i < 10; i++)
	{
		if (i == 4 || i == 7 ? text[i] != '-' :
			text[i] < '0' || text[i] > '9')
			return false;
	}
	year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 +
		(text[2] - '0') * 10 + (text[3] - '0');
	month = (text[5] - '0') * 10 + (text[6] - '0');
	day = (text[8] - '0') * 10 + (text[9] - '0');
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
		return false;

	/* Days since 1970-01-01; the leap days of all years before this one. */
	days = 365L * (year - 1970) + before_month[month - 1] + day - 1;
	days += (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 477;
	if (month > 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		days++;
	return (days + 2) * 86400L <= (long) now;
}

/* Does a flag say yes: true, 1, "1", "true", "yes", "connected"? */
static bool
says_yes(json_object * value)
{
	char		text[16];

	return wa_gateway_text(value, text, sizeof(text)) &&
		(strcmp(text, "1") == 0 || wa_gateway_same_word(text, "true") ||
		 wa_gateway_same_word(text, "yes") ||
		 wa_gateway_same_word(text, "connect") ||
		 wa_gateway_same_word(text, "connected"));
}

/* The license with our number key, or NULL. */
static json_object *
find_license(json_object * data, const char *number_key)
{
	json_object *licenses = wa_gateway_member(data, "licenses_key");
	json_object *license;
	size_t		i;

	if (number_key == NULL || !json_object_is_type(licenses, json_type_array))
		return NULL;
	for (i = 0; i < json_object_array_length(licenses); i++)
	{
		json_object *key;

		license = wa_gateway_element(licenses, i);
		key = wa_gateway_member(license, "key");
		if (json_object_is_type(key, json_type_string) &&
			(size_t) json_object_get_string_len(key) == strlen(number_key) &&
			strcmp(json_object_get_string(key), number_key) == 0)
			return license;
	}
	return NULL;
}

/* See WaGateway.  The other licenses of the account are nobody's business. */
static void
watzap_judge_test(const WaPair *settings, size_t nsettings,
				  const WaReply *reply, WaHealth *health)
{
	static const char *const account_keys[] = {
		"status", "message",
	};
	static const char *const license_keys[] = {
		"plan", "active_from", "active_until", "expires_on",
		"limit_message_per_day", "wa_number", "is_connected",
	};
	json_object *detail = wa_gateway_health_begin(reply, health);
	json_object *root = wa_gateway_parse(reply);
	json_object *license;
	char		status[WA_CODE_SIZE];
	char		message[300];
	char		until[64];
	WaSaidText	details;
	const WaWord *row;

	read_status(root, status, sizeof(status));
	wa_gateway_text(wa_gateway_member(root, "message"),
					message, sizeof(message));
	license = find_license(wa_gateway_member(root, "data"),
						   wa_gateway_setting(settings, nsettings,
											  "number_key"));
	wa_gateway_text(wa_gateway_member(license, "active_until"),
					until, sizeof(until));
	wa_gateway_health_copy(&wa_gateway_watzap, settings, nsettings, detail,
						   root, account_keys,
						   sizeof(account_keys) / sizeof(account_keys[0]));
	wa_gateway_health_copy(&wa_gateway_watzap, settings, nsettings, detail,
						   license, license_keys,
						   sizeof(license_keys) / sizeof(license_keys[0]));

	row = find_status(status);
	if (!wa_gateway_is_2xx(reply) ||
		(!wa_gateway_same_word(status, "true") && strcmp(status, "200") != 0))
	{
		if (row != NULL)
			wa_gateway_say(&health->said, WA_SAY_WATZAP_SAYS, wa_text_say_plain(row->sentence), status, "");
		else if (reply->http_status == 404)
			wa_gateway_say(&health->said, WA_SAY_PROVIDER_NOT_AT_ADDRESS, wa_gateway_watzap.name);
		else
			wa_gateway_say(&health->said, WA_SAY_WATZAP_TEST_NOT_CONFIRMED, WA_NUMBER(reply->http_status),
						   wa_gateway_details(&details, message));
	}
	else if (license == NULL)
		wa_gateway_say(&health->said, WA_SAY_API_KEY_GOOD_BUT_NUMBER_KEY_NOT);
	else if (!says_yes(wa_gateway_member(license, "is_connected")))
		wa_gateway_say(&health->said, WA_SAY_PROVIDER_NOT_CONNECTED, wa_gateway_watzap.name);
	else if (is_past(until, time(NULL)))
		wa_gateway_say(&health->said, WA_SAY_WATZAP_LICENSE_ENDED_ON, until);
	else
	{
		health->ok = true;
		health->daily_limit = wa_gateway_health_count(wa_gateway_member(license, "limit_message_per_day"));
		if (health->daily_limit == 0)
			health->daily_limit = -1;	/* their own sample has 0, for no
										 * limit */
		wa_gateway_say(&health->said, WA_SAY_PROVIDER_CONNECTED, wa_gateway_watzap.name);
	}
	json_object_put(root);
	wa_gateway_health_finish(&wa_gateway_watzap, settings, nsettings, detail,
							 health);
}

const WaGateway wa_gateway_watzap = {
	.kind = "watzap",
	.name = "Watzap",
	.base_url = "https://api.watzap.id/v1",
	.max_text_chars = WA_TEXT_MAX_CHARS,
	.sequence = 20,
	.limits = &wa_gateway_device_limits,
	.settings = watzap_settings,
	.nsettings = sizeof(watzap_settings) / sizeof(watzap_settings[0]),
	.build = watzap_build,
	.judge = watzap_judge,
	.build_test = watzap_build_test,
	.judge_test = watzap_judge_test,
	.write_params = watzap_write_params,
	.timeout_ms = watzap_timeout_ms,
	.read_feedback = wa_gateway_watzap_read_feedback,
	.feedback_secret = "webhook_secret",
};
