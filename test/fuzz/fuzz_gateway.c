/*-------------------------------------------------------------------------
 *
 * fuzz_gateway.c
 *		Fuzzing of the provider gateways: answers, URLs, redaction, requests.
 *
 * What comes from a provider is bytes from outside, so for any bytes these
 * must hold: nothing is read or written out of bounds (the sanitizers see
 * to that), every text that comes out is printable UTF-8 and ends within its
 * buffer, nothing counts as accepted without proof in the answer, no secret
 * comes out, and no URL passes that does not begin with an allowed place.
 *
 * Two ways to run: as a libFuzzer target (-fsanitize=fuzzer; with -DONLY=JUDGE and
 * so on for one of the things that are tried), or with -DSTANDALONE as a
 * program that mutates the seeds itself, the same way every time, or writes
 * them into a folder:
 *
 *		fuzz_gateway [iterations [seed]]
 *		fuzz_gateway seeds FOLDER
 *
 * The first byte of an input says what is tried and with which provider, the
 * next two choose the HTTP status and the like, the rest is the answer, URL or
 * text.  A new provider needs an entry in known[], and seeds.
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

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const WaPair settings[] = {
	{"phone_number_id", "1065"},
	{"access_token", "EAAGsecret/token"},
	{"api_key", "WATZAPsecret"},
	{"number_key", "NUMBERsecret"},
	{"token", "FONNTEsecret"},
};

static const int statuses[] = {
	200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 502, 503, 0, 999
};

static const uint8_t *current;	/* the input, for the report of a failure */
static size_t current_size;

/* When webhooks arrive. */
#define ARRIVAL		INT64_C(1795800000)

static unsigned long outcome_count[WA_OUTCOME_COUNT];
static unsigned long healthy_count;
static unsigned long allowed_count;
static unsigned long built_count;
static unsigned long update_count[WA_UPDATE_KIND_COUNT];
static unsigned long written_count;

/* Report a broken promise with the input as hexadecimal, and end. */
static void
fail(const char *what)
{
	size_t		i;

	fprintf(stderr, "fuzz gateway: %s\ninput:", what);
	for (i = 0; i < current_size; i++)
		fprintf(stderr, " %02x", current[i]);
	fputc('\n', stderr);
	abort();
}

#define MUST(cond) \
	do { \
		if (!(cond)) \
			fail(#cond); \
	} while (0)

/*
 * Strict UTF-8 without control characters, written apart from the code under
 * test.
 */
static bool
is_clean(const char *s)
{
	const unsigned char *p = (const unsigned char *) s;

	while (*p != '\0')
	{
		if (*p < 0x80)
		{
			if (*p < 0x20 || *p == 0x7f)
				return false;
			p++;
		}
		else if (*p >= 0xc2 && *p <= 0xdf && (p[1] & 0xc0) == 0x80)
		{
			if (*p == 0xc2 && p[1] < 0xa0)
				return false;
			p += 2;
		}
		else if (*p >= 0xe0 && *p <= 0xef && (p[1] & 0xc0) == 0x80 &&
				 (p[2] & 0xc0) == 0x80)
		{
			if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f))
				return false;
			p += 3;
		}
		else if (*p >= 0xf0 && *p <= 0xf4 && (p[1] & 0xc0) == 0x80 &&
				 (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80)
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

static bool
fits(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL && is_clean(s);
}

/* The proofs of acceptance in an answer, looked for with json-c alone. */
static bool
meta_proves(json_object * root, const WaVerdict *verdict)
{
	json_object *value;

	return json_object_object_get_ex(root, "messages", &value) &&
		json_object_is_type(value, json_type_array) &&
		json_object_object_get_ex(json_object_array_get_idx(value, 0), "id", &value) &&
		strcmp(json_object_get_string(value), verdict->message_id) == 0 &&
		verdict->message_id[0] != '\0';
}

static bool
fonnte_proves(json_object * root, const WaVerdict *verdict)
{
	json_object *value;
	json_object *status;

	return json_object_object_get_ex(root, "id", &value) &&
		json_object_is_type(value, json_type_array) &&
		(json_object_object_get_ex(root, "status", &status) ||
		 json_object_object_get_ex(root, "Status", &status)) &&
		json_object_get_boolean(status) &&
		strcmp(json_object_get_string(json_object_array_get_idx(value, 0)),
			   verdict->message_id) == 0 &&
		verdict->message_id[0] != '\0';
}

static bool
watzap_proves(json_object * root, const WaVerdict *verdict)
{
	json_object *value;

	/* it may begin with a NUL, which is cleaned away */
	return json_object_object_get_ex(root, "status", &value) &&
		(json_object_is_type(value, json_type_string) ?
		 memmem(json_object_get_string(value), (size_t) json_object_get_string_len(value), "200", 3) != NULL :
		 strstr(json_object_get_string(value), "200") != NULL) &&
		strcmp(verdict->code, "200") == 0;
}

/* What the tests know of each provider by themselves. */
static const struct Known
{
	const char *kind;
	const char *host;
	bool		(*proves) (json_object * root, const WaVerdict *verdict);
	bool		is_form;		/* its requests are forms, not JSON */
	const char *text[2];		/* where a request carries the text */
	const char *hidden;			/* what it fills in by itself and must not */
}			known[] = {
	{"meta", "graph.facebook.com", meta_proves, false, {"text", "body"}, NULL},
	{"watzap", "api.watzap.id", watzap_proves, false, {"message"}, NULL},
	{"fonnte", "api.fonnte.com", fonnte_proves, true, {"message"}, "{name}"},
};

static const struct Known *
find_known(const char *kind)
{
	size_t		i;

	for (i = 0; i < LENGTH(known); i++)
	{
		if (strcmp(known[i].kind, kind) == 0)
			return &known[i];
	}
	fail("a provider is not in known[]");
	return NULL;
}

/* Is something said, in a form that holds, and clean in both languages? */
static bool
is_said(const WaSaidText *said)
{
	for (int language = WA_ENGLISH; language <= WA_INDONESIAN; language++)
	{
		char		words[4 * WA_SAID_SIZE];
		size_t		len = wa_text_say_words(words, sizeof(words), WA_SAID_IN(said), (WaLanguage) language);

		if (len == 0 || len >= sizeof(words) || !is_clean(words))
			return false;
	}
	return memchr(said->bytes, '\0', sizeof(said->bytes)) != NULL;
}

/* The proof of acceptance, looked for with json-c alone. */
static bool
is_proved(const char *kind, const WaReply *reply, const WaVerdict *verdict)
{
	const char *body = reply->body;
	json_object *root;
	bool		proved;

	if (reply->http_status < 200 || reply->http_status > 299 ||
		reply->truncated)
		return false;
	if (strncmp(body, "\xef\xbb\xbf", 3) == 0)
		body += 3;
	root = json_tokener_parse(body);
	proved = json_object_is_type(root, json_type_object) &&
		find_known(kind)->proves(root, verdict);
	json_object_put(root);
	return proved;
}

static void
try_judge(const WaGateway *gateway, const WaReply *reply)
{
	WaVerdict	verdict;

	memset(&verdict, 0xff, sizeof(verdict));
	gateway->judge(reply, &verdict);
	MUST((int) verdict.outcome >= 0 && (int) verdict.outcome < WA_OUTCOME_COUNT);
	MUST(verdict.scope == WA_SCOPE_MESSAGE ||
		 verdict.scope == WA_SCOPE_RECIPIENT ||
		 verdict.scope == WA_SCOPE_PROVIDER);
	MUST(verdict.fallback == WA_FALLBACK_YES ||
		 verdict.fallback == WA_FALLBACK_CARE ||
		 verdict.fallback == WA_FALLBACK_NO);
	MUST(fits(verdict.code, sizeof(verdict.code)));
	MUST(is_said(&verdict.said));
	MUST(fits(verdict.message_id, sizeof(verdict.message_id)));
	MUST(verdict.max_retries >= -1 && verdict.max_retries <= 2);
	MUST(verdict.wait_s >= -1 && verdict.wait_s <= 86400);
	MUST(verdict.backoff_s >= -1 && verdict.backoff_s <= 3600);
	MUST(verdict.outcome != WA_OUTCOME_ACCEPTED ||
		 is_proved(gateway->kind, reply, &verdict));
	MUST((verdict.outcome != WA_OUTCOME_ACCEPTED &&
		  verdict.outcome != WA_OUTCOME_UNKNOWN) ||
		 verdict.fallback == WA_FALLBACK_NO);
	MUST(!verdict.opt_out || verdict.outcome == WA_OUTCOME_RECIPIENT || verdict.outcome == WA_OUTCOME_POLICY);
	outcome_count[verdict.outcome]++;
}

static void
try_judge_test(const WaGateway *gateway, const WaReply *reply)
{
	WaHealth	health;
	json_object *detail;
	size_t		i;

	memset(&health, 0xff, sizeof(health));
	gateway->judge_test(settings, LENGTH(settings), reply, &health);
	MUST(is_said(&health.said));
	MUST(health.detail != NULL && is_clean(health.detail));
	MUST(!health.ok || (reply->http_status >= 200 &&
						reply->http_status <= 299 && !reply->truncated));
	detail = json_tokener_parse(health.detail);
	MUST(json_object_is_type(detail, json_type_object));
	json_object_put(detail);

	/* Only secrets that this kind of provider has are taken out of it. */
	for (i = 1; i < LENGTH(settings); i++)
	{
		size_t		j;

		for (j = 0; j < gateway->nsettings; j++)
		{
			if (strcmp(gateway->settings[j].name, settings[i].name) != 0)
				continue;
			MUST(strstr(health.detail, settings[i].value) == NULL);
			MUST(strstr(health.said.bytes, settings[i].value) == NULL);
		}
	}
	healthy_count += health.ok ? 1 : 0;
	wa_gateway_health_free(&health);
}

static void
take_template(const WaTemplateFacts *template, void *argument)
{
	const char *const texts[] = {
		template->name, template->language, template->status, template->category,
		template->announced_category, template->quality, template->reason
	};

	(void) argument;
	for (size_t i = 0; i < LENGTH(texts); i++)
		MUST(texts[i] == NULL || is_clean(texts[i]));
	MUST(template->nparameters >= 0 && template->nparameters <= WA_TEMPLATE_MAX_PARAMETERS);
	for (int i = 0; i < template->nparameters; i++)
		MUST(is_clean(template->parameters[i]));
}

/* The body as a list of templates, as the answer to a new one, as an event. */
static void
try_templates(const WaGateway *gateway, const WaReply *reply)
{
	static const char *const events[] = {
		"message_template_status_update/FLAGGED", "template_category_update",
		"template_correct_category_detection", "message_template_quality_update"
	};
	WaTemplatePage page;
	WaTemplateMade made;
	WaTemplateNews news;

	if (gateway->read_templates == NULL)
		return;
	memset(&page, 0xff, sizeof(page));
	gateway->read_templates(reply, take_template, NULL, &page);
	MUST(page.ok || is_said(&page.said));
	MUST(fits(page.after, sizeof(page.after)));
	memset(&made, 0xff, sizeof(made));
	gateway->read_template(reply, &made);
	MUST(made.ok || is_said(&made.said));
	for (size_t i = 0; i < LENGTH(events); i++)
	{
		memset(&news, 0xff, sizeof(news));
		MUST(gateway->read_template_news(events[i], reply->body, &news));
		MUST(fits(news.status, sizeof(news.status)) && fits(news.category, sizeof(news.category)));
		MUST(fits(news.announced_category, sizeof(news.announced_category)));
		MUST(fits(news.quality, sizeof(news.quality)) && fits(news.reason, sizeof(news.reason)));
		MUST(fits(news.until, sizeof(news.until)));
	}
}

/* What may follow an allowed place in a URL. */
static bool
begins_with(const char *url, const char *place)
{
	size_t		i;

	for (i = 0; place[i] != '\0'; i++)
	{
		char		c = url[i];

		if (i >= 7 && c >= 'A' && c <= 'Z')
			c = (char) (c - 'A' + 'a');
		if (c != place[i])
			return false;
	}
	return url[i] == '\0' || url[i] == '/';
}

/* The usual hosts, and one of our own. */
static const char *
allowed_hosts(void)
{
	static char list[1024];

	if (list[0] == '\0')
	{
		wa_gateway_usual_hosts(list, sizeof(list) - 64);
		strcat(list, ",meta=127.0.0.1:8080");
	}
	return list;
}

static void
try_url(const char *kind, const char *url)
{
	static const char *const places[] = {
		"http://127.0.0.1:8080", "https://127.0.0.1:8080",
	};
	WaSaidText	err;
	bool		begins = false;
	size_t		i;

	memset(&err, 0, sizeof(err));
	if (!wa_gateway_url_allowed(kind, url, allowed_hosts(), &err))
	{
		MUST(is_said(&err));
		return;
	}
	for (i = 0; i < LENGTH(places); i++)
		begins = begins || begins_with(url, places[i]);
	for (i = 0; i < LENGTH(known); i++)
	{
		char		place[128];

		snprintf(place, sizeof(place), "https://%s", known[i].host);
		begins = begins || begins_with(url, place);
		snprintf(place, sizeof(place), "https://%s:443", known[i].host);
		begins = begins || begins_with(url, place);
	}
	MUST(begins);
	MUST(strpbrk(url, "\\# \t\r\n") == NULL);
	allowed_count++;
}

static void
try_list(const char *list)
{
	WaSaidText	err;

	memset(&err, 0, sizeof(err));
	if (!wa_gateway_allowed_list_valid(list, &err))
		MUST(is_said(&err));

	/* Whatever the list says, these never pass. */
	MUST(!wa_gateway_url_allowed("meta", "http://evil.example/", list, &err));
	MUST(!wa_gateway_url_allowed("meta", "https://evil.example:8443/", list,
								 &err));
}

static void
try_redact(const char *text, size_t len, size_t max)
{
	char	   *shown;
	size_t		i;

	shown = wa_gateway_redact(text, len, settings, LENGTH(settings), max);
	MUST(shown != NULL);
	MUST(strlen(shown) <= max);
	MUST(is_clean(shown));
	for (i = 0; i < LENGTH(settings); i++)
		MUST(strstr(shown, settings[i].value) == NULL);
	free(shown);
}

/* Decode a form value in place; false if it is not one. */
static bool
form_decode(char *value)
{
	char	   *to = value;

	for (; *value != '\0'; value++)
	{
		unsigned int byte;

		if (*value != '%')
			*to++ = *value;
		else
		{
			if (sscanf(value + 1, "%2X", &byte) != 1)
				return false;
			*to++ = (char) byte;
			value += 2;
		}
	}
	*to = '\0';
	return true;
}

/* The text that a request carries, as its receiver will read it. */
static void
check_carried(const WaGateway *gateway, WaRequest *req, const char *text)
{
	json_object *root;
	json_object *value;
	const struct Known *what = find_known(gateway->kind);
	size_t		i;

	if (what->is_form)
	{
		char		field[64];
		char	   *begin;
		char	   *end;

		snprintf(field, sizeof(field), "&%s=", what->text[0]);
		begin = strstr(req->body, field);
		MUST(begin != NULL);
		begin += strlen(field);
		end = strchr(begin, '&');
		MUST(end != NULL);
		*end = '\0';
		MUST(strpbrk(begin, "=+ ") == NULL);
		MUST(form_decode(begin));
		MUST(what->hidden == NULL || strstr(begin, what->hidden) == NULL);
		if (what->hidden == NULL || strchr(text, what->hidden[0]) == NULL)
			MUST(strcmp(begin, text) == 0);
		return;
	}

	root = json_tokener_parse(req->body);
	MUST(json_object_is_type(root, json_type_object));
	value = root;
	for (i = 0; i < LENGTH(what->text) && what->text[i] != NULL; i++)
		MUST(json_object_object_get_ex(value, what->text[i], &value));
	MUST(strcmp(json_object_get_string(value), text) == 0);
	json_object_put(root);
}

static void
try_build(const WaGateway *gateway, const char *text, WaForm form)
{
	WaPair		params[2] = {{"one", NULL}, {NULL, "two"}};
	WaOutbound	msg = {0};
	WaRequest	req;
	WaSaidText	err;

	memset(&err, 0, sizeof(err));
	memset(&req, 0xff, sizeof(req));
	params[0].value = text;
	params[1].name = text;
	msg.number = "6281234567890";
	msg.form = form;
	msg.body = text;
	msg.template_name = "t";
	msg.language = text;
	msg.params = params;
	msg.nparams = 2;
	msg.callback = form == WA_FORM_NAMED ? text : "swa:1:42";
	if (!gateway->build(NULL, settings, LENGTH(settings), &msg, &req, &err))
	{
		MUST(is_said(&err));
		MUST(req.url == NULL && req.body == NULL && req.headers == NULL);
		return;
	}
	built_count++;
	MUST(strlen(req.body) == req.body_len);
	if (form == WA_FORM_TEXT)
		check_carried(gateway, &req, text);
	else if (!find_known(gateway->kind)->is_form)
	{
		json_object *root = json_tokener_parse(req.body);

		MUST(json_object_is_type(root, json_type_object));
		json_object_put(root);
	}
	wa_gateway_request_free(&req);
}

/* A template's parameters: what is written as JSON is read as the same. */
static void
try_params(const WaGateway *gateway, const char *value, bool named)
{
	WaPair		pairs[2] = {{"first", NULL}, {"second", NULL}};
	char	   *clean = wa_text_clean_value(value);
	char	   *json;
	struct json_tokener *tokener = json_tokener_new();
	json_object *root;
	json_object *item = NULL;

	pairs[0].value = value;
	json = wa_gateway_params(gateway, pairs, 2, named);
	MUST(json != NULL && clean != NULL && tokener != NULL);
	/* json-c 0.18, being strict, takes bytes from 0x80 for controls */
	json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8 |
						   (json_c_version_num() >> 8 == 0x0012 ?
							0 : JSON_TOKENER_STRICT));
	root = json_tokener_parse_ex(tokener, json, (int) strlen(json) + 1);
	MUST(root != NULL);
	if (json_object_is_type(root, json_type_array))
	{
		MUST(json_object_array_length(root) == 2);
		MUST(json_object_object_get_ex(json_object_array_get_idx(root, 0),
									   "text", &item));
	}
	else
	{
		MUST(json_object_object_length(root) == 2);
		MUST(json_object_object_get_ex(root, "1", &item) ||
			 json_object_object_get_ex(root, "var1", &item));
	}
	MUST(strcmp(json_object_get_string(item), clean) == 0);
	json_object_put(root);
	json_tokener_free(tokener);
	free(json);
	free(clean);
}

/* A text that may have lines: as is_clean(), but for those. */
static bool
is_clean_text(const char *s)
{
	char	   *copy = strdup(s);
	bool		result;

	MUST(copy != NULL);
	for (char *p = copy; *p != '\0'; p++)
	{
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	}
	result = is_clean(copy);
	free(copy);
	return result;
}

/* JSON that PostgreSQL takes: an object, without escaped NULs or controls. */
static bool
is_detail(const char *s)
{
	json_object *root = json_tokener_parse(s);
	bool		result = json_object_is_type(root, json_type_object) && is_clean_text(s);
	const char *p = s;

	while ((p = strchr(p, '\\')) != NULL)
	{
		result = result && strncmp(p, "\\u0000", 6) != 0;
		p += 2;
	}
	json_object_put(root);
	return result;
}

typedef struct Counted
{
	const WaGateway *gateway;
	size_t		updates;
} Counted;

/* What holds for each update, whatever the body was; argument counts them. */
static void
check_update(const WaUpdate *update, void *argument)
{
	Counted    *count = argument;
	const char *words[] = {
		update->event, update->sender_id, update->account_id, update->user_id, update->parent_user_id,
		update->name, update->previous_user_id, update->message_id, update->pair_id, update->callback,
		update->code, update->words, update->answers, update->template_name, update->language
	};
	const char *texts[] = {update->text, update->keyword, update->excerpt};
	const char *numbers[] = {update->number, update->previous_number};
	const char *objects[] = {update->pricing, update->detail};
	size_t		i;

	count->updates++;
	if (update->kind == WA_UPDATE_ACCOUNT && count->gateway->judge_account != NULL)
	{
		WaAccountNews news;

		memset(&news, 0xff, sizeof(news));
		count->gateway->judge_account(update->event, update->detail, &news);
		MUST(news.effect >= WA_ACCOUNT_KEPT && news.effect <= WA_ACCOUNT_STOP);
		MUST(news.until >= 0);
		MUST(fits(news.number, sizeof(news.number)));
		MUST(is_said(&news.said));
	}
	MUST((int) update->kind >= 0 && update->kind < WA_UPDATE_KIND_COUNT);
	update_count[update->kind]++;
	for (i = 0; i < LENGTH(words); i++)
		MUST(words[i] == NULL || (words[i][0] != '\0' && is_clean_text(words[i])));
	for (i = 0; i < LENGTH(texts); i++)
		MUST(texts[i] == NULL || (strlen(texts[i]) <= WA_UPDATE_TEXT_BYTES && is_clean_text(texts[i])));
	for (i = 0; i < LENGTH(numbers); i++)
		MUST(numbers[i] == NULL ||
			 (strlen(numbers[i]) >= 8 && strlen(numbers[i]) <= 15 &&
			  numbers[i][strspn(numbers[i], "0123456789")] == '\0'));
	for (i = 0; i < LENGTH(objects); i++)
		MUST(objects[i] == NULL || is_detail(objects[i]));
	MUST(update->said_at >= 0 && update->said_at <= ARRIVAL);
	MUST(update->excerpt == NULL || strlen(update->excerpt) <= WA_UPDATE_EXCERPT_BYTES);
	MUST(update->code == NULL || update->progress == WA_PROGRESS_FAILED || update->kind != WA_UPDATE_STATUS);
	MUST(update->progress == WA_PROGRESS_NONE || update->message_id != NULL || update->pair_id != NULL ||
		 update->callback != NULL);
	MUST(update->keyword == NULL || update->kind == WA_UPDATE_INBOUND);
}

/* Webhooks: at least one update of any body, and each can be kept. */
static void
try_feedback(const WaGateway *gateway, const char *body, size_t len)
{
	Counted		count = {.gateway = gateway};

	if (gateway->read_feedback == NULL)
		return;
	MUST(gateway->read_feedback(body, len, ARRIVAL, check_update, &count));
	MUST(count.updates > 0);
	if (gateway->judge_failure != NULL)
	{
		WaVerdict	verdict;

		memset(&verdict, 0xff, sizeof(verdict));
		gateway->judge_failure(len % 2 == 0 ? body : NULL, len % 3 == 0 ? body : NULL, &verdict);
		MUST(is_said(&verdict.said) && fits(verdict.code, sizeof(verdict.code)));
		MUST(verdict.outcome != WA_OUTCOME_ACCEPTED);
	}
}

#define MAX_PARAMETERS	4

typedef struct Parameters
{
	char		names[MAX_PARAMETERS][64];
	WaPair		pairs[MAX_PARAMETERS];
	size_t		n;
} Parameters;

/* Each placeholder is a parameter, as far as there is room. */
static void
take_parameter(const char *name, size_t len, void *argument)
{
	Parameters *parameters = argument;
	size_t		n = parameters->n;

	if (n == MAX_PARAMETERS || len >= sizeof(parameters->names[0]))
		return;
	memcpy(parameters->names[n], name, len);
	parameters->names[n][len] = '\0';
	for (size_t i = 0; i < n; i++)
		if (strcmp(parameters->names[i], parameters->names[n]) == 0)
			return;
	parameters->pairs[n] = (WaPair)
	{
		parameters->names[n], name
	};
	parameters->n++;
}

static void
count_placeholder(const char *name, size_t len, void *argument)
{
	(void) name;
	(void) len;
	(*(size_t *) argument)++;
}

/* Blanks within the braces of a placeholder do not count. */
static bool
same_but_for_blanks(const char *a, const char *b)
{
	for (;;)
	{
		a += strspn(a, " \t\r\n\v\f");
		b += strspn(b, " \t\r\n\v\f");
		if (*a != *b)
			return false;
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
}

/*
 * A template that is to be made at the provider's: with all of its
 * placeholders and nothing else, in JSON, or refused in words.
 */
static void
try_template(const WaGateway *gateway, const char *body, bool named)
{
	const char *objections[WA_MAX_OBJECTIONS];
	const char *language = wa_gateway_language(body);
	Parameters	parameters = {0};
	WaTemplateDraft draft = {.name = "a",.category = "UTILITY",.body = body,.named = named};
	WaSaidText	err;
	WaRequest	req;
	WaPair		account[] = {{"waba_id", "102"}, {"access_token", "EAAGsecret/token"}};
	size_t		before = 0;
	size_t		after = 0;
	char	   *json;
	json_object *root;
	json_object *value;
	bool		formed = wa_text_placeholders(body, take_parameter, &parameters);

	MUST(language == NULL || strcmp(wa_gateway_language(language), language) == 0);
	if (gateway->refuse_name != NULL && gateway->refuse_name(body) == NULL)
		MUST(strpbrk(body, " \"{}\n") == NULL);
	if (formed && gateway->object != NULL)
	{
		int			n = gateway->object(body, objections);

		MUST(n >= 0 && n <= WA_MAX_OBJECTIONS);
		for (int i = 0; i < n; i++)
			MUST(is_clean(objections[i]));
	}
	if (gateway->write_template == NULL)
		return;
	draft.language = language ? language : "id";
	draft.parameters = parameters.pairs;
	draft.nparameters = parameters.n;
	json = gateway->write_template(&draft, &err);
	if (json == NULL)
	{
		MUST(is_said(&err));
		return;
	}
	MUST(formed);
	written_count++;
	root = json_tokener_parse(json);
	MUST(json_object_is_type(root, json_type_object));
	MUST(json_object_object_get_ex(root, "components", &value));
	MUST(json_object_object_get_ex(json_object_array_get_idx(value, 0), "text", &value));
	MUST(wa_text_placeholders(body, count_placeholder, &before));
	MUST(wa_text_placeholders(json_object_get_string(value), count_placeholder, &after));
	MUST(before == after);
	MUST(!named || same_but_for_blanks(json_object_get_string(value), body));
	json_object_put(root);
	if (gateway->build_template(NULL, account, LENGTH(account), json, &req, &err))
	{
		MUST(strcmp(req.body, json) == 0 && strstr(req.url, "secret") == NULL);
		wa_gateway_request_free(&req);
	}
	else
		MUST(is_said(&err));
	free(json);
}

/* What is tried; the first byte of an input is this, and more by the number
 * of these for each place in the table of providers. */
enum
{
	JUDGE, HEALTH, URL, HOSTS, REDACT, BUILD, PARAMS, FEEDBACK, TEMPLATE, TRIALS
};

static size_t
count_gateways(void)
{
	size_t		n = 0;

	while (wa_gateway_at(n) != NULL)
		n++;
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const WaGateway *gateway;
	WaReply		reply = {0};
	char	   *text;
	size_t		len;

	if (size < 3)
		return 0;
	current = data;
	current_size = size;
	gateway = wa_gateway_at(data[0] / TRIALS % count_gateways());
	len = size - 3;

	/* A block of exactly this size, so that one byte too far is seen. */
	text = malloc(len + 1);
	if (text == NULL)
		return 0;
	memcpy(text, data + 3, len);
	text[len] = '\0';

	reply.http_status = statuses[data[1] % LENGTH(statuses)];
	reply.truncated = (data[1] & 0x80) != 0;
	reply.retry_after_s = (long) data[2] * 1000 - 1;
	reply.usage_header = (data[2] & 1) != 0 ? text : NULL;
	reply.body = text;
	reply.body_len = len;

#ifdef ONLY
	switch (ONLY)
#else
	switch (data[0] % TRIALS)
#endif
	{
		case JUDGE:
			try_judge(gateway, &reply);
			break;
		case HEALTH:
			try_judge_test(gateway, &reply);
			try_templates(gateway, &reply);
			break;
		case URL:
			try_url(gateway->kind, text);
			break;
		case HOSTS:
			try_list(text);
			break;
		case REDACT:
			try_redact(text, len, (size_t) data[1] * 4);
			break;
		case BUILD:
			try_build(gateway, text, (WaForm) (data[1] % 3));
			break;
		case PARAMS:
			try_params(gateway, text, (data[1] & 1) != 0);
			break;
		case FEEDBACK:
			try_feedback(gateway, text, len);
			break;
		case TEMPLATE:
			try_template(gateway, text, (data[1] & 1) != 0);
			break;
	}
	free(text);
	return 0;
}

#ifdef STANDALONE

static const struct
{
	uint8_t		what;
	const char *kind;			/* NULL: any will do */
	uint8_t		status;			/* index into statuses[] */
	const char *text;
}			seeds[] = {
	{TEMPLATE, "meta", 0, "Yth. {{partner_name}}, izin {{ permit_type }} nomor {{permit_number}} sudah terbit, {{partner_name}}. Terima kasih."},
	{TEMPLATE, "meta", 1, "Yth. {{partner_name}}, status permohonan {{pendaftaran_id}} sekarang: *{{status_baru}}*.\nTerima kasih."},
	{TEMPLATE, "meta", 1, "{{a}}{{b}} {{a_name_that_is_longer_than_twenty}}"},
	{TEMPLATE, "meta", 0, "{{a}} {{"},
	{TEMPLATE, "meta", 0, "in"},
	{TEMPLATE, "meta", 0, "en-US"},
	{TEMPLATE, "fonnte", 0, "permit_ready"},
	{JUDGE, "meta", 0, "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":\"6281234567890\",\"wa_id\":\"6281234567890\"}],\"messages\":[{\"id\":\"wamid.HBg\",\"message_status\":\"accepted\"}]}"},
	{JUDGE, "meta", 0, "{\"messages\":[{\"id\":\"wamid.HBg\",\"message_status\":\"held_for_quality_assessment\"}]}"},
	{JUDGE, "meta", 0, "{\"messages\":[{\"id\":\"wamid.HBg\",\"message_status\":\"paused\"}]}"},
	{JUDGE, "meta", 6, "{\"error\":{\"message\":\"(#132000) ...\",\"type\":\"OAuthException\",\"code\":132000,\"error_data\":{\"messaging_product\":\"whatsapp\",\"details\":\"...\"},\"error_subcode\":2494073,\"fbtrace_id\":\"A\",\"is_transient\":false,\"error_user_title\":\"t\",\"error_user_msg\":\"m\"}}"},
	{JUDGE, "meta", 6, "{\"error\":{\"code\":\"131050\",\"error_data\":\"plain\",\"is_transient\":true}}"},
	{JUDGE, "meta", 10, "{\"error\":{\"code\":80007},\"102\":[{\"type\":\"whatsapp\",\"estimated_time_to_regain_access\":5}]}"},
	{JUDGE, "meta", 12, "<html><body>502 Bad Gateway</body></html>"},
	{JUDGE, "watzap", 0, "{\"status\":\"200\",\"message\":\"Successfully\",\"ack\":\"successfully\"}"},
	{JUDGE, "watzap", 0, "{\"status\":\"1005\",\"message\":\"text\",\"ack\":\"error\"}"},
	{JUDGE, "watzap", 0, "{\"status\":true}"},
	{JUDGE, "fonnte", 0, "{\"detail\":\"success! message in queue\",\"id\":[\"80367170\"],\"process\":\"pending\",\"requestid\":2937124,\"status\":true,\"target\":[\"6281234567890\"]}"},
	{JUDGE, "fonnte", 0, "{\"reason\":\"token invalid\",\"requestid\":331477110,\"status\":false}"},
	{JUDGE, "fonnte", 0, "{\"Status\":false,\"detail\":\"target invalid\"}"},
	{HEALTH, "meta", 0, "{\"data\":[{\"name\":\"a\",\"parameter_format\":\"NAMED\",\"components\":[{\"type\":\"HEADER\",\"format\":\"TEXT\",\"text\":\"x {{y}}\"},{\"type\":\"BODY\",\"text\":\"Yth. {{nama}} {{ izin }}.\"},{\"type\":\"BUTTONS\",\"buttons\":[{\"type\":\"URL\",\"url\":\"https://x/{{1}}\"}]}],\"language\":\"en-US\",\"status\":\"APPROVED\",\"category\":\"UTILITY\",\"correct_category\":\"MARKETING\",\"quality_score\":{\"score\":\"GREEN\"},\"rejected_reason\":\"NONE\"}],\"paging\":{\"cursors\":{\"after\":\"QVF\"},\"next\":\"https://g\"}}"},
	{HEALTH, "meta", 0, "{\"id\":\"1\",\"status\":\"PENDING\",\"category\":\"UTILITY\",\"event\":\"PAUSED\",\"other_info\":{\"title\":\"UNPAUSE\"},\"disable_info\":{\"disable_date\":\"DATE\"},\"reason\":null,\"new_category\":\"MARKETING\",\"previous_category\":\"UTILITY\",\"new_quality_score\":\"RED\"}"},
	{HEALTH, "meta", 6, "{\"error\":{\"message\":\"Invalid parameter\",\"code\":100,\"error_subcode\":2388299,\"error_user_msg\":\"Variables\"}}"},
	{HEALTH, "meta", 0, "{\"id\":\"1065\",\"display_phone_number\":\"+62 21\",\"verified_name\":\"DPMPTSP\",\"quality_rating\":\"GREEN\",\"code_verification_status\":\"VERIFIED\",\"name_status\":\"APPROVED\"}"},
	{HEALTH, "meta", 7, "{\"error\":{\"message\":\"bad EAAGsecret/token\",\"code\":190,\"error_subcode\":463}}"},
	{HEALTH, "watzap", 0, "{\"status\":true,\"message\":\"WATZAPsecret\",\"data\":{\"licenses_key\":[{\"key\":\"NUMBERsecret\",\"plan\":\"Pro\",\"active_until\":\"2999-12-31 00:00:00\",\"limit_message_per_day\":0,\"wa_number\":\"62815\",\"is_connected\":true}]}}"},
	{HEALTH, "fonnte", 0, "{\"device\":\"628\",\"device_status\":\"connect\",\"expired\":\"18 November 2029\",\"messages\":16785,\"name\":\"FONNTEsecret\",\"package\":\"Reguler\",\"quota\":\"78\",\"status\":true}"},
	{URL, "meta", 0, "https://graph.facebook.com/v26.0/1065/messages"},
	{URL, "meta", 0, "http://127.0.0.1:8080/x"},
	{URL, "meta", 0, "https://graph.facebook.com:443@evil.example/\\#?"},
	{URL, "watzap", 0, "https://api.watzap.id/v1/send_message"},
	{URL, "fonnte", 0, "https://api.fonnte.com/send"},
	{HOSTS, NULL, 0, "meta=graph.facebook.com, watzap=api.watzap.id:443,fonnte=[::1]:8080,meta=127.0.0.1:1"},
	{REDACT, NULL, 255, "a EAAGsecret/token b EAAGsecret%2Ftoken c EAAGsecret\\/token d \\u0045AAGsecret WATZAPsecretNUMBERsecret FONNTEsec"},
	{BUILD, "meta", 0, "Yth. Budi \"x\"\\,\n\xc3\xa9 \xf0\x9f\x98\x80 {name} {var1} & + %"},
	{BUILD, "meta", 1, "partner_name"},
	{BUILD, "meta", 2, "id"},
	{BUILD, "watzap", 0, "Yth. Budi \"x\"\\,\n\xc3\xa9 {name}"},
	{BUILD, "watzap", 1, "SIUP \xe2\x80\x8b\t-"},
	{BUILD, "fonnte", 0, "Yth. Budi, izin\n\xc3\xa9 & = + % {name} {var12} {"},
	{BUILD, "fonnte", 1, "a|b,c"},
	{PARAMS, "meta", 0, "say \"hi\" \\ \xc3\xa9 https://x/y?a=1&b=2"},
	{PARAMS, "meta", 1, "one\n\ttwo"},
	{PARAMS, "watzap", 0, "\xff"},
	{PARAMS, "fonnte", 0, ""},
	{FEEDBACK, "meta", 0, "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"102\",\"time\":1790000000,\"changes\":[{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"1065\"},\"statuses\":[{\"id\":\"wamid.X\",\"status\":\"failed\",\"timestamp\":\"1790000001\",\"recipient_id\":\"6281234567890\",\"recipient_user_id\":\"ID.13\",\"biz_opaque_callback_data\":\"swa:1:42\",\"errors\":[{\"code\":131026,\"title\":\"t\",\"error_data\":{\"details\":\"d\"}}],\"pricing\":{\"billable\":true,\"pricing_model\":\"PMP\",\"type\":\"regular\",\"category\":\"utility\"}},{\"id\":\"b\",\"status\":\"read\"}]}}]}]}"},
	{FEEDBACK, "meta", 0, "{\"entry\":[{\"id\":\"102\",\"changes\":[{\"field\":\"messages\",\"value\":{\"contacts\":[{\"wa_id\":\"6281234567890\",\"user_id\":\"ID.13\",\"profile\":{\"name\":\"Budi\"}}],\"messages\":[{\"from\":\"6281234567890\",\"id\":\"a\",\"type\":\"text\",\"text\":{\"body\":\"STOP\\u0000\\ud83d\\udc4d\"},\"context\":{\"id\":\"w\"}},{\"from\":\"ID.13\",\"id\":\"b\",\"type\":\"edit\",\"edit\":{\"message\":{\"type\":\"text\",\"text\":{\"body\":\"x\"}}}},{\"id\":\"c\",\"type\":\"interactive\",\"interactive\":{\"button_reply\":{\"id\":\"A\",\"title\":\"B\"}}}]}}]}]}"},
	{FEEDBACK, "meta", 0, "{\"entry\":[{\"id\":\"102\",\"changes\":[{\"field\":\"messages\",\"value\":{\"messages\":[{\"from\":\"6281111111111\",\"id\":\"m\",\"type\":\"system\",\"system\":{\"type\":\"user_changed_number\",\"body\":\"changed from ID.1 to ID.2\",\"wa_id\":\"6282222222222\",\"user_id\":\"ID.2\"}}],\"errors\":[{\"code\":1}]}}]}]}"},
	{FEEDBACK, "meta", 0, "{\"entry\":[{\"id\":\"102\",\"changes\":[{\"field\":\"standby\",\"value\":{\"standby\":{\"messages\":[{\"from\":\"6281111111111\",\"id\":\"m\",\"type\":\"contacts\",\"contacts\":[{\"origin\":\"contact_request\",\"phones\":[{\"wa_id\":\"6281111111111\"}]}]}],\"message_echoes\":[{\"id\":\"e\"}]}}},{\"field\":\"user_preferences\",\"value\":{\"user_preferences\":[{\"wa_id\":\"6281234567890\",\"category\":\"marketing_messages\",\"value\":\"stop\",\"timestamp\":1790000001}]}}]}]}"},
	{FEEDBACK, "meta", 0, "{\"entry\":[{\"id\":\"102\",\"time\":1790000000,\"changes\":[{\"field\":\"message_template_status_update\",\"value\":{\"event\":\"PAUSED\",\"message_template_name\":\"a\",\"message_template_language\":\"en-US\",\"message_template_id\":99999999999999999999}},{\"field\":\"account_update\",\"value\":{\"event\":\"PARTNER_REMOVED\",\"waba_info\":{\"waba_id\":\"105\"}}},{\"field\":\"history\",\"value\":{\"x\":[[[1e9]]]}},{\"field\":\"calls\",\"value\":{\"calls\":[{\"id\":\"c\",\"from\":\"6281234567890\",\"event\":\"connect\",\"direction\":\"USER_INITIATED\"}]}}]}]}"},
	{FEEDBACK, "fonnte", 0, "{\"device\":\"6285700000001\",\"sender\":\"6281234567890\",\"message\":\"STOP\",\"text\":\"\",\"name\":\"Budi\",\"timestamp\":1700000000,\"inboxid\":0}"},
	{FEEDBACK, "fonnte", 0, "{\"device\":\"6285700000001\",\"sender\":\"120363012345678901@g.us\",\"member\":\"123:4@lid\",\"message\":\"a\\nb\"}"},
	{FEEDBACK, "fonnte", 0, "{\"id\":\"80367170\",\"stateid\":3,\"status\":\"expired\",\"state\":\"\",\"reason\":\"x\"}"},
	{FEEDBACK, "fonnte", 0, "{\"device\":\"6285700000001\",\"status\":\"disconnect\",\"reason\":\"logged out\"}"},
	{FEEDBACK, "fonnte", 0, "device=6285700000001&sender=%2B62+812-3456-7890&message=a%0Ab&a[b][c]=1&timestamp=1700000000123"},
	{FEEDBACK, "watzap", 0, "{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"6281234567890@c.us\",\"message_id\":\"A\",\"name\":\"N\",\"timestamp\":1700000000,\"message_body\":\"Hi\",\"has_media\":false,\"is_from_me\":false}}"},
	{FEEDBACK, "watzap", 0, "{\"data\":{\"phone\":\"6281234567890\",\"message_raw\":\"{\\\"type\\\":\\\"button\\\",\\\"button\\\":{\\\"payload\\\":\\\"P\\\"}}\",\"message_text\":\"[Image]\"}}"},
};

/* Pieces that make an input interesting. */
static const char *const tokens[] = {
	"{", "}", "[", "]", "\"", ":", ",", "null", "true", "false", "0", "-1",
	"200", "99999999999999999999", "1e999", "NaN", "\\u0000", "\\ud800",
	"\\", "\xff", "\xc3", "\xed\xa0\x80", "\xf0\x9f\x98\x80", "\xe2\x80\xae",
	"\x1b[2J", "\r\n", "\"code\":", "\"error\":{", "\"status\":", "\"id\":[",
	"\"messages\":[{", "@", "%2f", "%00", "[::1]", "0x7f.1", "443", "://",
	"{name}", "EAAGsecret", "/* */", "'", "\xef\xbb\xbf",
};

/* The place of a kind in the table. */
static size_t
place_of(const char *kind)
{
	size_t		place = 0;

	while (kind != NULL && wa_gateway_at(place) != wa_gateway_find(kind))
		place++;
	return place;
}

static uint64_t random_state;

/* xorshift64*: the same numbers on every machine. */
static uint32_t
random_below(uint32_t limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t) ((random_state * UINT64_C(2685821657736338717)) >> 32) %
		limit;
}

#define MAX_INPUT	8192

/* Put len bytes into the input at a place; what no longer fits is left out. */
static void
insert_bytes(uint8_t *input, size_t *size, size_t at,
			 const void *bytes, size_t len)
{
	if (*size + len > MAX_INPUT)
		return;
	memmove(input + at + len, input + at, *size - at);
	memcpy(input + at, bytes, len);
	*size += len;
}

static void
mutate(uint8_t *input, size_t *size)
{
	size_t		at = random_below((uint32_t) *size);
	size_t		len;
	uint8_t		copy[64];
	uint8_t		byte;

	switch (random_below(8))
	{
		case 0:
			input[at] ^= (uint8_t) (1u << random_below(8));
			break;
		case 1:
			input[at] = (uint8_t) random_below(256);
			break;
		case 2:
			byte = (uint8_t) random_below(256);
			insert_bytes(input, size, at, &byte, 1);
			break;
		case 3:
			len = 1 + random_below(16);
			if (len > *size - at)
				len = *size - at;
			memmove(input + at, input + at + len, *size - at - len);
			*size -= len;
			break;
		case 4:
			*size = at;
			break;
		case 5:
			len = 1 + random_below(sizeof(copy));
			if (len > *size - at)
				len = *size - at;
			memcpy(copy, input + at, len);
			insert_bytes(input, size, random_below((uint32_t) *size), copy,
						 len);
			break;
		default:
			len = random_below(LENGTH(tokens));
			insert_bytes(input, size, at, tokens[len], strlen(tokens[len]));
			break;
	}
}

/* The input that a seed makes. */
static size_t
input_of(size_t which, uint8_t *input)
{
	size_t		size = 3 + strlen(seeds[which].text);

	input[0] = (uint8_t) (seeds[which].what + TRIALS * place_of(seeds[which].kind));
	input[1] = seeds[which].status;
	input[2] = 0;
	memcpy(input + 3, seeds[which].text, size - 3);
	return size;
}

/* Each into a file of this folder. */
static int
write_seeds(const char *folder)
{
	static uint8_t input[MAX_INPUT];

	for (size_t i = 0; i < LENGTH(seeds); i++)
	{
		char		path[4096];
		size_t		size = input_of(i, input);
		FILE	   *file;

		snprintf(path, sizeof(path), "%s/seed-%zu", folder, i);
		file = fopen(path, "wb");
		if (file == NULL || fwrite(input, 1, size, file) != size || fclose(file) != 0)
		{
			perror(path);
			return 1;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static uint8_t input[MAX_INPUT];
	unsigned long iterations = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	unsigned long i;
	size_t		k;

	if (argc > 2 && strcmp(argv[1], "seeds") == 0)
		return write_seeds(argv[2]);
	random_state = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	if (random_state == 0)
		random_state = UINT64_C(0x5ca4711c);

	for (i = 0; i < iterations + LENGTH(seeds); i++)
	{
		size_t		which = i < LENGTH(seeds) ? i :
			random_below(LENGTH(seeds));
		size_t		size = input_of(which, input);

		if (i >= LENGTH(seeds))
			input[2] = (uint8_t) random_below(256);
		if (i >= LENGTH(seeds))
		{
			for (k = 1 + random_below(6); k > 0 && size > 0; k--)
				mutate(input, &size);
		}
		LLVMFuzzerTestOneInput(input, size);
	}

	printf("fuzz gateway: %lu inputs, healthy %lu, allowed %lu, built %lu, written %lu",
		   i, healthy_count, allowed_count, built_count, written_count);
	for (k = 0; k < WA_OUTCOME_COUNT; k++)
		printf(", %s %lu", wa_gateway_outcome_name((WaOutcome) k), outcome_count[k]);
	for (k = 0; k < WA_UPDATE_KIND_COUNT; k++)
		printf(", %s %lu", wa_gateway_update_kind_name((WaUpdateKind) k), update_count[k]);
	putchar('\n');

	/* A run that never got this far has tested nothing. */
	if (healthy_count == 0 || allowed_count == 0 || built_count == 0 || written_count == 0 ||
		outcome_count[WA_OUTCOME_ACCEPTED] == 0 ||
		outcome_count[WA_OUTCOME_UNKNOWN] == 0 ||
		update_count[WA_UPDATE_STATUS] == 0 || update_count[WA_UPDATE_INBOUND] == 0 ||
		update_count[WA_UPDATE_PERSON] == 0 || update_count[WA_UPDATE_PREFERENCE] == 0 ||
		update_count[WA_UPDATE_TEMPLATE] == 0 || update_count[WA_UPDATE_ACCOUNT] == 0)
	{
		fputs("fuzz gateway: the seeds do not reach the code\n", stderr);
		return 1;
	}
	return 0;
}

#endif							/* STANDALONE */
