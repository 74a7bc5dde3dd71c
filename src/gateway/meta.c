/*-------------------------------------------------------------------------
 *
 * meta.c
 *		Meta's WhatsApp Cloud API.
 *
 * POST /{phone_number_id}/messages with a bearer token and JSON.  Templates
 * must have been approved by Meta and are filled in there; free text reaches
 * only a person who wrote within 24 hours, which is the router's business.
 * There is no idempotency key: what is not certainly refused may have been
 * accepted.  Our mark in biz_opaque_callback_data comes back in the status
 * webhooks and settles such a case later.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/meta.h"

/* The shortest of the limits that are documented for callback data. */
#define MAX_CALLBACK_BYTES	256

/* The business account, by its setting. */
#define META_ACCOUNT		"waba_id"

#define ID_PREFIX			"wamid."
#define ID_NUMBER_CHARS		24
#define ID_OTHER_CHARS		12

/* A wait longer than a day is not believed. */
#define MAX_REGAIN_S		86400L

static const WaGatewaySetting meta_settings[] = {
	{"phone_number_id", false, true, NULL},
	{META_ACCOUNT, false, false, NULL},
	{"api_version", false, false, "v26.0"},
	{"access_token", true, true, NULL},
	{"app_secret", true, false, NULL},
	{"verify_token", true, false, NULL},
	{WA_GATEWAY_OWN_NUMBER, false, false, NULL},
	{META_NUMBER_WITH_PLUS, false, false, "true"},
	{META_SEND_TO_IDS, false, false, "false"},
};

/* "v" digits "." digits */
static bool
version_ok(const char *version)
{
	size_t		n;

	if (*version++ != 'v')
		return false;
	n = strspn(version, "0123456789");
	if (n == 0 || n > 3 || version[n] != '.')
		return false;
	version += n + 1;
	n = strspn(version, "0123456789");
	return n > 0 && n <= 3 && version[n] == '\0';
}

/* An id of Meta's: figures. */
static bool
id_ok(const char *id)
{
	return id[strspn(id, "0123456789")] == '\0' && strlen(id) <= 32;
}

/*
 * Check the settings and put "/{version}/{id}" into path.  Both become part of
 * the URL, so nothing but their plain form is let through.
 */
static bool
put_path(const WaPair *settings, size_t nsettings, const char *id, WaBuf *path,
		 WaSaidText *err)
{
	const char *version = wa_gateway_value(&wa_gateway_meta, settings, nsettings,
										   "api_version");

	if (!version_ok(version))
	{
		wa_gateway_say(err, WA_SAY_META_SETTING_API_VERSION_MUST_LOOK);
		return false;
	}
	wa_gateway_buf_str(path, "/");
	wa_gateway_buf_str(path, version);
	wa_gateway_buf_str(path, "/");
	wa_gateway_buf_str(path, id);
	return true;
}

/* "/{version}/{phone_number_id}" */
static bool
begin_path(const WaPair *settings, size_t nsettings, WaBuf *path,
		   WaSaidText *err)
{
	const char *id;

	if (!wa_gateway_check_settings(&wa_gateway_meta, settings, nsettings,
								   err))
		return false;
	id = wa_gateway_setting(settings, nsettings, "phone_number_id");
	if (!id_ok(id))
	{
		wa_gateway_say(err, WA_SAY_META_SETTING_PHONE_NUMBER_ID_MUST);
		return false;
	}
	return put_path(settings, nsettings, id, path, err);
}

/* "/{version}/{waba_id}", which is no required setting. */
bool
wa_gateway_meta_account_path(const WaPair *settings, size_t nsettings,
							 WaBuf *path, WaSaidText *err)
{
	const char *id = wa_gateway_setting(settings, nsettings, META_ACCOUNT);

	if (!wa_gateway_check_settings(&wa_gateway_meta, settings, nsettings,
								   err))
		return false;
	if (id == NULL || *id == '\0')
	{
		wa_gateway_say(err, WA_SAY_PROVIDER_SETTING_MISSING, META_ACCOUNT);
		return false;
	}
	if (!id_ok(id))
	{
		wa_gateway_say(err, WA_SAY_META_SETTING_WABA_ID_MUST);
		return false;
	}
	return put_path(settings, nsettings, id, path, err);
}

/*
 * Finish a request with the bearer token.  path and body are consumed; body
 * may be NULL.
 */
bool
wa_gateway_meta_finish(WaRequest *req, const char *method, const char *base_url,
					   WaBuf *path, WaBuf *body, const WaPair *settings,
					   size_t nsettings, WaSaidText *err)
{
	WaBuf		bearer = {0};
	bool		ok = false;

	wa_gateway_buf_str(&bearer, "Bearer ");
	wa_gateway_buf_str(&bearer,
					   wa_gateway_setting(settings, nsettings,
										  "access_token"));
	if (path->failed || bearer.failed)
	{
		if (body != NULL)
			wa_gateway_buf_free(body);
		wa_gateway_say(err, WA_SAY_OUT_OF_MEMORY);
	}
	else
		ok = wa_gateway_request(req, method, &wa_gateway_meta, base_url,
								path->data, body,
								body != NULL ? "application/json" : NULL,
								bearer.data, err);
	wa_gateway_buf_free(&bearer);
	wa_gateway_buf_free(path);
	return ok;
}

/* See WaGateway. */
static char *
meta_write_params(const WaPair *params, size_t nparams, bool named)
{
	WaBuf		buf = {0};
	size_t		i;

	wa_gateway_buf_str(&buf, "[");
	for (i = 0; i < nparams; i++)
	{
		wa_gateway_buf_str(&buf, i > 0 ? ",{\"type\":\"text\"" : "{\"type\":\"text\"");
		if (named && (params[i].name == NULL || params[i].name[0] == '\0'))
			buf.failed = true;
		else if (named)
		{
			wa_gateway_buf_str(&buf, ",\"parameter_name\":");
			wa_gateway_buf_json(&buf, params[i].name);
		}
		wa_gateway_buf_str(&buf, ",\"text\":");
		wa_gateway_buf_value(&buf, params[i].value);
		wa_gateway_buf_str(&buf, "}");
	}
	wa_gateway_buf_str(&buf, "]");
	return wa_gateway_buf_take(&buf);
}

/*
 * Append the template object.  The conversion of parameters also makes the
 * values fit: Meta refuses empty ones (131008), line breaks, tabs and more
 * than four blanks in a row.
 */
static void
add_template(WaBuf *body, const WaOutbound *msg)
{
	const char *language = msg->language;
	char	   *params;

	if (language == NULL || *language == '\0')
		language = "id";
	wa_gateway_buf_str(body, "\"template\":{\"name\":");
	wa_gateway_buf_json(body, msg->template_name);
	wa_gateway_buf_str(body, ",\"language\":{\"code\":");
	wa_gateway_buf_json(body, language);
	wa_gateway_buf_str(body, "}");

	/* A template without variables must not get any component. */
	if (msg->nparams > 0)
	{
		params = meta_write_params(msg->params, msg->nparams,
								   msg->form == WA_FORM_NAMED);
		if (params == NULL)
			body->failed = true;
		else
		{
			wa_gateway_buf_str(body,
							   ",\"components\":[{\"type\":\"body\",\"parameters\":");
			wa_gateway_buf_str(body, params);
			wa_gateway_buf_str(body, "}]");
		}
		free(params);
	}
	wa_gateway_buf_str(body, "}");
}

/* See WaGateway. */
static bool
meta_build(const char *base_url, const WaPair *settings, size_t nsettings,
		   const WaOutbound *msg, WaRequest *req, WaSaidText *err)
{
	WaBuf		path = {0};
	WaBuf		body = {0};
	size_t		chars;

	memset(req, 0, sizeof(*req));
	if (!wa_gateway_check_message(&wa_gateway_meta, msg, err))
		return false;
	if (msg->form != WA_FORM_TEXT && msg->language != NULL &&
		(!wa_gateway_utf8_length(msg->language, &chars) || chars > 32))
	{
		wa_gateway_say(err, WA_SAY_META_LANGUAGE_CODE_TEMPLATE_NOT);
		return false;
	}
	if (msg->callback != NULL)
	{
		const char *p = msg->callback;

		while (*p >= 0x20 && *p <= 0x7e)
			p++;
		if (*p != '\0' || p - msg->callback > MAX_CALLBACK_BYTES)
		{
			wa_gateway_say(err, WA_SAY_META_CALLBACK_DATA_MUST_BE, WA_NUMBER(MAX_CALLBACK_BYTES));
			return false;
		}
	}
	if (!begin_path(settings, nsettings, &path, err))
		return false;
	wa_gateway_buf_str(&path, "/messages");

	wa_gateway_buf_str(&body,
					   "{\"messaging_product\":\"whatsapp\","
					   "\"recipient_type\":\"individual\",");
	if (!wa_gateway_meta_recipient(&body, settings, nsettings, msg->number, err))
	{
		wa_gateway_buf_free(&path);
		wa_gateway_buf_free(&body);
		return false;
	}
	wa_gateway_buf_str(&body, msg->form == WA_FORM_TEXT ?
					   ",\"type\":\"text\"," : ",\"type\":\"template\",");
	if (msg->callback != NULL && *msg->callback != '\0')
	{
		wa_gateway_buf_str(&body, "\"biz_opaque_callback_data\":");
		wa_gateway_buf_json(&body, msg->callback);
		wa_gateway_buf_str(&body, ",");
	}
	if (msg->form == WA_FORM_TEXT)
	{
		wa_gateway_buf_str(&body, "\"text\":{\"body\":");
		wa_gateway_buf_json(&body, msg->body);
		wa_gateway_buf_str(&body, ",\"preview_url\":false}");
	}
	else
		add_template(&body, msg);
	wa_gateway_buf_str(&body, "}");

	return wa_gateway_meta_finish(req, "POST", base_url, &path, &body, settings,
								  nsettings, err);
}

/*
 * Meta's error code, which is documented as a number and has been seen as a
 * string.  False if there is none.
 */
bool
wa_gateway_meta_read_code(json_object * value, long *code)
{
	char		text[WA_CODE_SIZE];
	char	   *end;

	if (!json_object_is_type(value, json_type_int) &&
		!json_object_is_type(value, json_type_string))
		return false;
	if (!wa_gateway_text(value, text, sizeof(text)))
		return false;
	if (text[strspn(text, "0123456789")] != '\0')
		return false;
	errno = 0;
	*code = strtol(text, &end, 10);
	return errno == 0 && *end == '\0';
}

/* The most telling text of an error object; "" if there is none. */
static void
read_details(json_object * error, char *dst, size_t size)
{
	json_object *data = wa_gateway_member(error, "error_data");

	if (wa_gateway_text(wa_gateway_member(data, "details"), dst, size) ||
		wa_gateway_text(data, dst, size) ||
		wa_gateway_text(wa_gateway_member(error, "message"), dst, size))
		return;
	wa_gateway_text(wa_gateway_member(error, "error_user_msg"), dst, size);
}

/*
 * The longest estimated_time_to_regain_access, in seconds, of the header
 * x-business-use-case-usage, whose unit is minutes; -1 if it tells none.
 * The header is an object: account id -> list of usages.
 */
static long
regain_wait(const char *usage_header)
{
	WaReply		header = {0};
	json_object *root;
	long		longest = -1;

	if (usage_header == NULL)
		return -1;
	header.body = usage_header;
	header.body_len = strlen(usage_header);
	root = wa_gateway_parse(&header);
	if (root == NULL)
		return -1;
	{
		json_object_object_foreach(root, account, usages)
		{
			json_object *usage;
			size_t		i;

			(void) account;
			for (i = 0; (usage = wa_gateway_element(usages, i)) != NULL; i++)
			{
				json_object *value;
				int64_t		minutes;

				value = wa_gateway_member(usage,
										  "estimated_time_to_regain_access");
				if (value == NULL)
					continue;
				minutes = json_object_get_int64(value);
				if (minutes > MAX_REGAIN_S / 60)
					minutes = MAX_REGAIN_S / 60;
				if (minutes > 0 && (long) minutes * 60 > longest)
					longest = (long) minutes * 60;
			}
		}
	}
	json_object_put(root);
	return longest;
}

/*
 * Class a code of the table.  Returns what is said of it.
 */
WaSay
wa_gateway_meta_judge_row(const WaMetaCode *row, WaVerdict *verdict)
{
	wa_gateway_verdict(verdict, row->outcome);
	verdict->scope = row->scope;
	verdict->fallback = row->fallback;
	verdict->opt_out = row->opt_out;
	verdict->max_retries = row->max_retries;
	verdict->wait_s = row->wait_s;
	verdict->backoff_s = row->backoff_s;
	return row->sentence;
}

/* Class an answer that has an error object. */
void
wa_gateway_meta_judge_error(const WaReply *reply, json_object * error,
							WaVerdict *verdict)
{
	const WaMetaCode *row;
	json_object *transient;
	char		details[400];
	char		code_text[32];
	WaSay		sentence;
	WaSaidText	more;
	long		code;
	long		wait_s;

	read_details(error, details, sizeof(details));
	if (!wa_gateway_meta_read_code(wa_gateway_member(error, "code"), &code))
	{
		wa_gateway_judge_status("Meta", reply,
								details[0] != '\0' ? details : NULL, verdict);
		return;
	}

	row = wa_gateway_meta_code(code);
	wa_gateway_sentence(code_text, sizeof(code_text), "%ld", code);
	transient = wa_gateway_member(error, "is_transient");
	if (row != NULL)
		sentence = wa_gateway_meta_judge_row(row, verdict);
	else if ((json_object_is_type(transient, json_type_boolean) &&
			  json_object_get_boolean(transient)) ||
			 (reply->http_status >= 500 && reply->http_status <= 599))
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_RETRY);
		verdict->max_retries = 2;
		sentence = WA_SAY_META_REPORTS_UNKNOWN_ERROR_MAY;
	}
	else if (reply->http_status >= 400 && reply->http_status <= 499)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_CALLER);
		sentence = WA_SAY_META_REFUSED_REQUEST_UNKNOWN_ERROR;
		memcpy(verdict->unlisted, code_text, strlen(code_text) + 1);
	}
	else
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_UNKNOWN);
		sentence = WA_SAY_META_ANSWERED_SUCCESS_AND_UNKNOWN;
	}

	memcpy(verdict->code, code_text, strlen(code_text) + 1);
	wa_gateway_say(&verdict->said, WA_SAY_META_SAYS, wa_text_say_plain(sentence), code_text,
				   wa_gateway_details(&more, details));
	wa_gateway_told_wait(reply, verdict);
	if (row != NULL && row->regain)
	{
		wait_s = regain_wait(reply->usage_header);
		if (wait_s > 0)
			verdict->wait_s = wait_s;
	}
}

/* Class an answer with a message id. */
static void
judge_message(json_object * message, const char *id, WaVerdict *verdict)
{
	json_object *member = wa_gateway_member(message, "message_status");
	char		status[WA_CODE_SIZE];

	if (member == NULL || (wa_gateway_text(member, status, sizeof(status)) &&
						   wa_gateway_same_word(status, "accepted")))
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_ACCEPTED);
		wa_gateway_say(&verdict->said, WA_SAY_PROVIDER_ACCEPTED, wa_gateway_meta.name);
	}
	else if (wa_gateway_same_word(status, "held_for_quality_assessment"))
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_ACCEPTED);
		wa_gateway_say(&verdict->said, WA_SAY_META_ACCEPTED_MESSAGE_BUT_HOLDS);
	}
	else if (wa_gateway_same_word(status, "paused"))
	{
		/*
		 * The template is paused for everybody, as with error 132015; Meta's
		 * pages know no way in which such a message is sent later.
		 */
		wa_gateway_verdict(verdict, WA_OUTCOME_TEMPLATE);
		verdict->scope = WA_SCOPE_PROVIDER;
		wa_gateway_say(&verdict->said, WA_SAY_META_TOOK_MESSAGE_BUT_DOES_NOT);
	}
	else
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_UNKNOWN);
		wa_gateway_say(&verdict->said, WA_SAY_META_GAVE_MESSAGE_UNKNOWN_STATUS, status);
	}
	if (member != NULL && verdict->outcome != WA_OUTCOME_ACCEPTED)
		memcpy(verdict->code, status, strlen(status) + 1);
	memcpy(verdict->message_id, id, strlen(id) + 1);
}

/* See WaGateway. */
static void
meta_judge(const WaReply *reply, WaVerdict *verdict)
{
	json_object *root = wa_gateway_parse(reply);
	json_object *error = wa_gateway_member(root, "error");
	json_object *message;
	char		id[WA_MESSAGE_ID_SIZE];
	bool		has_id;

	message = wa_gateway_element(wa_gateway_member(root, "messages"), 0);
	has_id = wa_gateway_id(wa_gateway_member(message, "id"), id, sizeof(id));

	if (json_object_is_type(error, json_type_object) && !has_id)
		wa_gateway_meta_judge_error(reply, error, verdict);
	else if (has_id && error == NULL && wa_gateway_is_2xx(reply))
		judge_message(message, id, verdict);
	else if (has_id)
	{
		wa_gateway_verdict(verdict, WA_OUTCOME_UNKNOWN);
		wa_gateway_say(&verdict->said, WA_SAY_META_GAVE_MESSAGE_ID_TOGETHER, WA_NUMBER(reply->http_status));
		memcpy(verdict->message_id, id, strlen(id) + 1);
	}
	else
	{
		char		details[400];

		wa_gateway_text(error, details, sizeof(details));
		wa_gateway_judge_status("Meta", reply,
								details[0] != '\0' ? details : NULL, verdict);
	}
	json_object_put(root);
}

/* See WaGateway. */
static bool
meta_build_test(const char *base_url, const WaPair *settings,
				size_t nsettings, WaRequest *req, WaSaidText *err)
{
	WaBuf		path = {0};

	memset(req, 0, sizeof(*req));
	if (!begin_path(settings, nsettings, &path, err))
		return false;
	wa_gateway_buf_str(&path,
					   "?fields=id,display_phone_number,verified_name,"
					   "quality_rating,code_verification_status,name_status");
	return wa_gateway_meta_finish(req, "GET", base_url, &path, NULL, settings,
								  nsettings, err);
}

/* See WaGateway. */
static void
meta_judge_test(const WaPair *settings, size_t nsettings,
				const WaReply *reply, WaHealth *health)
{
	static const char *const number_keys[] = {
		"id", "display_phone_number", "verified_name", "quality_rating",
		"code_verification_status", "name_status",
	};
	static const char *const error_keys[] = {
		"code", "error_subcode", "message", "fbtrace_id",
	};
	json_object *detail = wa_gateway_health_begin(reply, health);
	json_object *root = wa_gateway_parse(reply);
	json_object *error = wa_gateway_member(root, "error");
	const char *number_id;
	char		id[WA_MESSAGE_ID_SIZE];

	number_id = wa_gateway_setting(settings, nsettings, "phone_number_id");
	if (wa_gateway_is_2xx(reply) && error == NULL &&
		wa_gateway_id(wa_gateway_member(root, "id"), id, sizeof(id)))
	{
		char		quality[32];

		wa_gateway_text(wa_gateway_member(root, "quality_rating"),
						quality, sizeof(quality));
		wa_gateway_health_copy(&wa_gateway_meta, settings, nsettings, detail,
							   root, number_keys,
							   sizeof(number_keys) / sizeof(number_keys[0]));
		health->ok = (number_id != NULL && strcmp(id, number_id) == 0);
		if (health->ok)
			wa_gateway_say(&health->said, WA_SAY_META_KNOWS_TOKEN_AND_PHONE_NUMBER,
						   wa_gateway_or(quality, WA_SAY_NOT_GIVEN));
		else
			wa_gateway_say(&health->said, WA_SAY_META_ANSWERED_FOR_ANOTHER_PHONE);
	}
	else
	{
		WaVerdict	verdict;

		if (json_object_is_type(error, json_type_object))
		{
			wa_gateway_meta_judge_error(reply, error, &verdict);
			wa_gateway_health_copy(&wa_gateway_meta, settings, nsettings,
								   detail, error, error_keys,
								   sizeof(error_keys) / sizeof(error_keys[0]));
			health->said = verdict.said;
		}
		else
			wa_gateway_say(&health->said, WA_SAY_META_ANSWERED_HTTP_STATUS_AND, WA_NUMBER(reply->http_status));
	}
	json_object_put(root);
	wa_gateway_health_finish(&wa_gateway_meta, settings, nsettings, detail,
							 health);
}

/*
 * See WaGateway.  Meta's ids: this, then base64, with the recipient's number in
 * its first characters.  The last ones tell it from others.
 */
static size_t
meta_telling_id(const char *text, size_t *from, size_t *count)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=";
	size_t		prefix = sizeof(ID_PREFIX) - 1;
	size_t		len;

	if (strncmp(text, ID_PREFIX, prefix) != 0)
		return 0;
	len = strspn(text + prefix, base64);
	*from = prefix;
	*count = len >= ID_NUMBER_CHARS + ID_OTHER_CHARS ? len - ID_OTHER_CHARS : len;
	return prefix + len;
}

/* One message in 6 s to one person is Meta's pair rate. */
static const WaGatewayLimits meta_limits = {
	.max_in_flight = 20,
	.rate_per_second = 20,
	.daily_cap = -1,
	.recipient_gap_us = 6000000
};

const WaGateway wa_gateway_meta = {
	.kind = "meta",
	.name = "Meta",
	.base_url = "https://graph.facebook.com",
	.official = true,
	.has_templates = true,
	.max_param_name = WA_META_PARAM_NAME,
	.max_text_chars = WA_TEXT_MAX_CHARS,
	.sequence = 30,
	.limits = &meta_limits,
	.usage_header = "x-business-use-case-usage",
	.settings = meta_settings,
	.nsettings = sizeof(meta_settings) / sizeof(meta_settings[0]),
	.build = meta_build,
	.judge = meta_judge,
	.build_test = meta_build_test,
	.judge_test = meta_judge_test,
	.write_params = meta_write_params,
	.version = wa_gateway_meta_version,
	.refuse_name = wa_gateway_meta_refuse_name,
	.object = wa_gateway_meta_object,
	.account_setting = META_ACCOUNT,
	.template_standing = wa_gateway_meta_standing,
	.build_templates = wa_gateway_meta_build_templates,
	.read_templates = wa_gateway_meta_read_templates,
	.write_template = wa_gateway_meta_write_template,
	.build_template = wa_gateway_meta_build_template,
	.read_template = wa_gateway_meta_read_template,
	.read_template_news = wa_gateway_meta_read_template_news,
	.telling_id = meta_telling_id,
	.read_feedback = wa_gateway_meta_read_feedback,
	.judge_failure = wa_gateway_meta_judge_failure,
	.judge_account = wa_gateway_meta_judge_account,
	.feedback_secret = "app_secret",
	.signs_feedback = true,
	.verify_token = "verify_token",
	.sender_setting = "phone_number_id",
	.id_setting = META_SEND_TO_IDS,
};
