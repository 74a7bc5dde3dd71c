/*-------------------------------------------------------------------------
 *
 * memory_test.c
 *		The pure parts where memory runs out, at each place one after the other.
 *
 * Everything below is done once with all the memory that it wants, and then
 * again with the first thing that our code asks for refused, the second, and
 * so on, alone and with all behind it; and with so few bytes in all, and more,
 * where json-c, too, gets what is left.  Then it must come to the same, or say
 * that it has not: a message is not built, a webhook is not read.  Never is
 * something told that is not so: an answer that accepts a message may be one
 * that nobody understands, but no refusal, nor the reverse.  What crashes or
 * leaks is seen by the address sanitizer.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include <json-c/json.h>

#include "check.h"
#include "failing.h"
#include "said.h"
#include "gateway/gateway.h"
#include "text/text.h"

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

/* When webhooks arrive. */
#define ARRIVAL		INT64_C(1795800000)

/* What a run has come to, in words, and whether it said that it could not. */
typedef struct Story
{
	char		words[65536];
	size_t		len;
	bool		told;
	WaOutcome	outcome;		/* of an answer */
} Story;

/* One thing that is tried. */
typedef struct Case
{
	const char *name;
	void		(*run) (const struct Case *what, Story *story);
	/* may it come to this where it came to that with memory? */
	bool		(*may) (const Story *wanted, const Story *got);
	const WaGateway *gateway;
	int			status;
	const char *text;
	const char *more;
	bool		has_room;		/* its caller has seen to it */
} Case;

static Story wanted;
static Story got;
static long refused;
static long runs;

static void note(Story *story, const char *format,...)
			__attribute__((format(printf, 2, 3)));

/* Add to the story; nothing of this counts. */
static void
note(Story *story, const char *format,...)
{
	va_list		arguments;
	int			n;

	failing_off();
	va_start(arguments, format);
	n = vsnprintf(story->words + story->len, sizeof(story->words) - story->len, format, arguments);
	va_end(arguments);
	if (n >= 0 && (size_t) n < sizeof(story->words) - story->len)
		story->len += (size_t) n;
	else
		abort();
}

static void
begin_story(Story *story)
{
	story->words[0] = '\0';
	story->len = 0;
	story->told = false;
	story->outcome = WA_OUTCOME_COUNT;
}

/* Run it where memory runs out so; false: it did not. */
static bool
try_with(const Case *what, FailingWay way, long limit, bool all)
{
	char		where[256];

	failing_begin(way, limit, all);
	begin_story(&got);
	what->run(what, &got);
	failing_off();
	failing_way = FAILING_NOT;
	runs++;
	refused += failing_has();
	if (got.told || strcmp(got.words, wanted.words) == 0 ||
		(what->may != NULL && failing_has() && what->may(&wanted, &got)))
		check_passed++;
	else
	{
		snprintf(where, sizeof(where), "%s, %s %ld%s", what->name, way == FAILING_HEAP ? "bytes" : "request",
				 limit, all ? " and all behind it" : "");
		check_note(false, __FILE__, __LINE__, where);
		fprintf(stderr, "\tgot      %s\n\texpected %s\n", got.words, wanted.words);
	}
	return failing_has();
}

static void
try_case(const Case *what)
{
	long		n;

	begin_story(&wanted);
	what->run(what, &wanted);
	failing_off();
	CHECK(!wanted.told);
	for (n = 1; !what->has_room && try_with(what, FAILING_OURS, n, false); n++)
		;
	for (n = 1; !what->has_room && try_with(what, FAILING_OURS, n, true); n++)
		;
	for (n = 0; try_with(what, FAILING_HEAP, n, false); n += 1 + n / 64)
		;
	/* and with memory, all is well again */
	begin_story(&got);
	what->run(what, &got);
	failing_off();
	CHECK_STR(got.words, wanted.words);
}

static void
try_cases(const Case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		check_begin(cases[i].name);
		try_case(&cases[i]);
	}
}

/* ------------------------------------------------------------------ text */

static void
count_number(const char *number, void *arg)
{
	note(arg, " %s", number);
	failing_on();
}

static void
count_placeholder(const char *name, size_t len, void *arg)
{
	note(arg, " %.*s", (int) len, name);
	failing_on();
}

static void
run_text(const Case *what, Story *story)
{
	static const WaPair values[] = {
		{"nama", "Budi Santoso"}, {"izin", "SIUP"}, {"nomor", NULL}, {"long", "a\xe2\x80\x8b\tb\nc"}
	};
	char		number[WA_NUMBER_SIZE];
	char	   *text;
	char	   *missing = NULL;

	failing_on();
	text = wa_text_render(what->text, values, LENGTH(values), &missing);
	if (text == NULL && missing == NULL)
		story->told = true;
	note(story, "%s|%s|", text ? text : "none", missing ? missing : "");
	free(text);
	free(missing);

	failing_on();
	text = wa_text_clean_value(what->text);
	if (text == NULL)
		story->told = true;
	note(story, "%s|", text ? text : "");
	free(text);

	failing_on();
	if (wa_text_normalize_number(what->text, number))
		note(story, "%s|", number);
	failing_on();
	(void) wa_text_each_number(what->text, count_number, story);
	(void) wa_text_placeholders(what->text, count_placeholder, story);
	failing_off();
}

static void
test_text(void)
{
	static const Case cases[] = {
		{"a text", run_text,.text = "Yth. {{nama}}, {{ izin }}: {{long}} +62 812-3456-7890 / 0811 22 33 44"},
		{"a text without a value", run_text,.text = "Yth. {{nama}}, {{nomor}} {{tidak_ada}}"},
	};

	try_cases(cases, LENGTH(cases));
}

/* -------------------------------------------------------------- requests */

static const WaPair settings[] = {
	{"phone_number_id", "1065"},
	{"waba_id", "102"},
	{"access_token", "EAAGsecret/token"},
	{"api_key", "WATZAPsecret"},
	{"number_key", "NUMBERsecret"},
	{"token", "FONNTEsecret"},
	{"send_to_ids", "true"},
};

static void
note_request(Story *story, bool built, WaRequest *req, WaSaidText *err)
{
	failing_off();
	if (!built)
	{
		story->told = true;
		CHECK(req->url == NULL && req->body == NULL && req->headers == NULL);
		CHECK(english(err)[0] != '\0');
		return;
	}
	note(story, "%s %s", req->method, req->url);
	for (size_t i = 0; i < req->nheaders; i++)
		note(story, "|%s", req->headers[i]);
	note(story, "|%s|%zu", req->body ? req->body : "", req->body_len);
	wa_gateway_request_free(req);
}

/* status: the form; more: the number, if it is another one. */
static void
run_build(const Case *what, Story *story)
{
	const WaPair params[] = {{"nama", what->text}, {"izin", "SIUP \"x\""}};
	WaOutbound	msg = {0};
	WaRequest	req;
	WaSaidText	err = {""};
	bool		built;

	msg.number = what->more ? what->more : "6281234567890";
	msg.form = (WaForm) what->status;
	msg.body = what->text;
	msg.template_name = "izin_siap";
	msg.language = "id";
	msg.params = params;
	msg.nparams = LENGTH(params);
	msg.callback = "swa:1:42";
	failing_on();
	built = what->gateway->build(NULL, settings, LENGTH(settings), &msg, &req, &err);
	note_request(story, built, &req, &err);
}

static void
run_build_test(const Case *what, Story *story)
{
	WaRequest	req;
	WaSaidText	err = {""};
	bool		built;

	failing_on();
	built = what->gateway->build_test(NULL, settings, LENGTH(settings), &req, &err);
	note_request(story, built, &req, &err);
}

static void
run_build_templates(const Case *what, Story *story)
{
	WaRequest	req;
	WaSaidText	err = {""};
	bool		built;

	failing_on();
	built = what->gateway->build_templates(NULL, settings, LENGTH(settings), what->text, 50, &req, &err);
	note_request(story, built, &req, &err);
}

static void
run_write_template(const Case *what, Story *story)
{
	static const WaPair examples[] = {{"nama", "Budi"}, {"izin", "SIUP"}};
	const WaTemplateDraft draft = {
		.name = "izin_siap",.language = "id",.category = "UTILITY",.body = what->text,
		.named = what->status != 0,.nparameters = LENGTH(examples),.parameters = examples
	};
	WaRequest	req;
	WaSaidText	err = {""};
	char	   *json;
	bool		built;

	failing_on();
	json = what->gateway->write_template(&draft, &err);
	failing_off();
	note(story, "%s", json ? json : "");
	if (json == NULL)
	{
		story->told = true;
		CHECK(english(&err)[0] != '\0');
		return;
	}
	failing_on();
	built = what->gateway->build_template(NULL, settings, LENGTH(settings), json, &req, &err);
	note_request(story, built, &req, &err);
	free(json);
}

static void
run_params(const Case *what, Story *story)
{
	const WaPair params[] = {{"nama", what->text}, {"izin", "SIUP"}};
	char	   *json;

	failing_on();
	json = wa_gateway_params(what->gateway, params, LENGTH(params), what->status != 0);
	failing_off();
	story->told = json == NULL;
	note(story, "%s", json ? json : "");
	free(json);
}

static void
run_redact(const Case *what, Story *story)
{
	WaSaidText	said = {""};
	char	   *shown;

	wa_say_into(&said, WA_SAY_QUOTE, what->text);
	failing_on();
	shown = wa_gateway_redact(what->text, strlen(what->text), settings, LENGTH(settings), 400);
	wa_gateway_redact_said(&said, settings, LENGTH(settings));
	failing_off();
	story->told = shown == NULL;
	note(story, "%s|%s", shown ? shown : "", english(&said));
	CHECK(strstr(story->words, "EAAGsecret") == NULL);
	free(shown);
}

/* Rather nothing is said than a secret. */
static bool
may_redact(const Story *with, const Story *without)
{
	return strncmp(with->words, without->words, without->len) == 0 && without->words[without->len - 1] == '|';
}

static void
test_requests(void)
{
	const WaGateway *meta = wa_gateway_find("meta");
	const char *text = "Yth. Budi \"x\"\\,\n\xc3\xa9 {name} & + %";

	for (size_t i = 0; wa_gateway_at(i) != NULL; i++)
	{
		const WaGateway *gateway = wa_gateway_at(i);
		const Case	cases[] = {
			{"a text", run_build,.gateway = gateway,.status = WA_FORM_TEXT,.text = text},
			{"a template", run_build,.gateway = gateway,.status = WA_FORM_POSITIONAL,.text = text},
			{"a test", run_build_test,.gateway = gateway},
			{"parameters", run_params,.gateway = gateway,.text = text},
		};

		for (size_t k = 0; k < LENGTH(cases); k++)
		{
			/* one that takes no templates says so with memory, too */
			if (cases[k].run == run_build && k == 1 && !gateway->has_templates)
				continue;
			check_begin(gateway->kind);
			try_case(&cases[k]);
		}
	}
	{
		const Case	cases[] = {
			{"Meta, by name", run_build,.gateway = meta,.status = WA_FORM_NAMED,.text = text},
			{"Meta, an id", run_build,.gateway = meta,.status = WA_FORM_TEXT,.text = text,.more = "ID.1349120865530274"},
			{"Meta, a list", run_build_templates,.gateway = meta,.text = "QVF/x"},
			{"Meta, a new template", run_write_template,.gateway = meta,.text = "Yth. {{nama}}, izin {{izin}} sudah siap."},
			{"Meta, a new one by name", run_write_template,.gateway = meta,.status = 1,.text = "Yth. {{nama}}, izin {{izin}} sudah siap."},
			{"Meta, parameters by name", run_params,.gateway = meta,.status = 1,.text = text},
			{"redacted", run_redact, may_redact,.text = "a EAAGsecret/token b EAAGsecret%2Ftoken c EAAGsecret\\/token d WATZAPsecret"},
		};

		try_cases(cases, LENGTH(cases));
	}
}

/* --------------------------------------------------------------- answers */

static void
begin_reply(const Case *what, WaReply *reply)
{
	memset(reply, 0, sizeof(*reply));
	reply->http_status = what->status;
	reply->retry_after_s = -1;
	reply->usage_header = what->more;
	reply->body = what->text;
	reply->body_len = strlen(what->text);
}

static void
run_judge(const Case *what, Story *story)
{
	WaReply		reply;
	WaVerdict	verdict;

	begin_reply(what, &reply);
	memset(&verdict, 0xff, sizeof(verdict));
	failing_on();
	what->gateway->judge(&reply, &verdict);
	failing_off();
	story->outcome = verdict.outcome;
	note(story, "%s %d %d %d %ld %s %s %s %s", wa_gateway_outcome_name(verdict.outcome), verdict.scope,
		 verdict.fallback, verdict.max_retries, verdict.wait_s, verdict.code, verdict.message_id,
		 english(&verdict.said), verdict.unlisted);
}

/*
 * What was accepted, or may have been, is that, or in doubt; what was refused
 * is not accepted.
 */
static bool
may_judge(const Story *with, const Story *without)
{
	if (with->outcome == WA_OUTCOME_ACCEPTED || with->outcome == WA_OUTCOME_UNKNOWN)
		return without->outcome == WA_OUTCOME_UNKNOWN;
	return without->outcome != WA_OUTCOME_ACCEPTED;
}

static void
run_health(const Case *what, Story *story)
{
	WaReply		reply;
	WaHealth	health;

	begin_reply(what, &reply);
	memset(&health, 0xff, sizeof(health));
	failing_on();
	what->gateway->judge_test(settings, LENGTH(settings), &reply, &health);
	failing_off();
	if (health.detail != NULL)
	{
		json_object *detail = json_tokener_parse(health.detail);

		CHECK(json_object_is_type(detail, json_type_object));
		CHECK(strstr(health.detail, "secret") == NULL);
		json_object_put(detail);
	}
	story->outcome = health.ok ? WA_OUTCOME_ACCEPTED : WA_OUTCOME_UNKNOWN;
	note(story, "%d %ld %ld %s %s", health.ok, health.quota_left, health.daily_limit, english(&health.said),
		 health.detail ? health.detail : "");
	wa_gateway_health_free(&health);
}

/* It is not well where it was not. */
static bool
may_health(const Story *with, const Story *without)
{
	return with->outcome == WA_OUTCOME_ACCEPTED || without->outcome != WA_OUTCOME_ACCEPTED;
}

static void
take_template(const WaTemplateFacts *facts, void *argument)
{
	Story	   *story = argument;

	/* of whose text nothing is known, that is said */
	story->told = story->told || (!facts->counted && failing_has());
	note(story, "%s %s %s %d %d %d", facts->name ? facts->name : "", facts->language ? facts->language : "",
		 facts->status ? facts->status : "", facts->counted, facts->named, facts->nparameters);
	for (int i = 0; i < facts->nparameters; i++)
		note(story, " %s", facts->parameters[i]);
	note(story, " %s %s|", facts->lacks ? facts->lacks : "", facts->category ? facts->category : "");
	failing_on();
}

static void
run_templates(const Case *what, Story *story)
{
	WaReply		reply;
	WaTemplatePage page;
	WaTemplateMade made;

	begin_reply(what, &reply);
	memset(&page, 0xff, sizeof(page));
	failing_on();
	what->gateway->read_templates(&reply, take_template, story, &page);
	failing_off();
	story->told = story->told || (!page.ok && failing_has());
	note(story, "%d %s|", page.ok, page.ok ? page.after : english(&page.said));

	memset(&made, 0xff, sizeof(made));
	failing_on();
	what->gateway->read_template(&reply, &made);
	failing_off();
	note(story, "%d %s %s %d", made.ok, made.ok ? made.status : english(&made.said), made.category, made.there);
}

/* A list whose templates are not all there, or not as they are, is none. */
static bool
may_templates(const Story *with, const Story *without)
{
	const char *page = strrchr(with->words, '|');

	return page != NULL && strncmp(with->words, without->words, (size_t) (page - with->words)) == 0;
}

static void
test_answers(void)
{
	const WaGateway *meta = wa_gateway_find("meta");
	const WaGateway *watzap = wa_gateway_find("watzap");
	const WaGateway *fonnte = wa_gateway_find("fonnte");
	const Case	cases[] = {
		{"Meta accepts", run_judge, may_judge, meta, 200, "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":\"6281234567890\",\"wa_id\":\"6281234567890\"}],\"messages\":[{\"id\":\"wamid.HBgNNjI4MTIzNDU2Nzg5MBUCABEYEjlGRUY\",\"message_status\":\"accepted\"}]}", NULL, false},
		{"Meta holds", run_judge, may_judge, meta, 200, "{\"messages\":[{\"id\":\"wamid.HBg\",\"message_status\":\"held_for_quality_assessment\"}]}", NULL, false},
		{"Meta refuses", run_judge, may_judge, meta, 400, "{\"error\":{\"message\":\"(#132000) ...\",\"type\":\"OAuthException\",\"code\":132000,\"error_data\":{\"messaging_product\":\"whatsapp\",\"details\":\"...\"},\"error_subcode\":2494073,\"fbtrace_id\":\"A\",\"is_transient\":false,\"error_user_title\":\"t\",\"error_user_msg\":\"m\"}}", NULL, false},
		{"Meta refuses a person", run_judge, may_judge, meta, 400, "{\"error\":{\"code\":\"131050\",\"error_data\":\"plain\",\"is_transient\":true}}", NULL, false},
		{"Meta says to wait", run_judge, may_judge, meta, 429, "{\"error\":{\"code\":80007}}",.more = "{\"102\":[{\"type\":\"whatsapp\",\"estimated_time_to_regain_access\":5}]}"},
		{"Meta breaks", run_judge, may_judge, meta, 502, "<html><body>502 Bad Gateway</body></html>", NULL, false},
		{"Watzap accepts", run_judge, may_judge, watzap, 200, "{\"status\":\"200\",\"message\":\"Successfully\",\"ack\":\"successfully\"}", NULL, false},
		{"Watzap accepts with a number", run_judge, may_judge, watzap, 200, "{\"status\":200,\"message\":\"Successfully\"}", NULL, false},
		{"Watzap refuses", run_judge, may_judge, watzap, 200, "{\"status\":\"1005\",\"message\":\"text\",\"ack\":\"error\"}", NULL, false},
		{"Watzap refuses with a number", run_judge, may_judge, watzap, 200, "{\"status\":1005,\"message\":\"text\"}", NULL, false},
		{"Fonnte accepts", run_judge, may_judge, fonnte, 200, "{\"detail\":\"success! message in queue\",\"id\":[\"80367170\"],\"process\":\"pending\",\"requestid\":2937124,\"status\":true,\"target\":[\"6281234567890\"]}", NULL, false},
		{"Fonnte accepts with a number", run_judge, may_judge, fonnte, 200, "{\"id\":[80367170],\"status\":true}", NULL, false},
		{"Fonnte accepts with a long one", run_judge, may_judge, fonnte, 200, "{\"id\":[9007199254740993111],\"status\":true}", NULL, false},
		{"Fonnte refuses", run_judge, may_judge, fonnte, 200, "{\"reason\":\"token invalid\",\"requestid\":331477110,\"status\":false}", NULL, false},
		{"Fonnte refuses the target", run_judge, may_judge, fonnte, 200, "{\"Status\":false,\"detail\":\"target invalid\"}", NULL, false},
		{"Meta is well", run_health, may_health, meta, 200, "{\"id\":\"1065\",\"display_phone_number\":\"+62 21\",\"verified_name\":\"DPMPTSP\",\"quality_rating\":\"GREEN\",\"code_verification_status\":\"VERIFIED\",\"name_status\":\"APPROVED\"}", NULL, false},
		{"Meta is not", run_health, may_health, meta, 401, "{\"error\":{\"message\":\"bad EAAGsecret/token\",\"code\":190,\"error_subcode\":463}}", NULL, false},
		{"Watzap is well", run_health, may_health, watzap, 200, "{\"status\":true,\"message\":\"x\",\"data\":{\"licenses_key\":[{\"key\":\"NUMBERsecret\",\"plan\":\"Pro\",\"active_until\":\"2999-12-31 00:00:00\",\"limit_message_per_day\":400,\"wa_number\":\"62815\",\"is_connected\":true}]}}", NULL, false},
		{"Fonnte is well", run_health, may_health, fonnte, 200, "{\"device\":\"628\",\"device_status\":\"connect\",\"expired\":\"18 November 2029\",\"messages\":16785,\"name\":\"FONNTEsecret\",\"package\":\"Reguler\",\"quota\":\"78\",\"status\":true}", NULL, false},
		{"Fonnte is not", run_health, may_health, fonnte, 200, "{\"device\":\"628\",\"device_status\":\"disconnect\",\"quota\":0,\"status\":true}", NULL, false},
		{"Meta's list", run_templates, may_templates, meta, 200, "{\"data\":[{\"name\":\"a\",\"parameter_format\":\"NAMED\",\"components\":[{\"type\":\"HEADER\",\"format\":\"TEXT\",\"text\":\"x {{y}}\"},{\"type\":\"BODY\",\"text\":\"Yth. {{nama}} {{ izin }}.\"},{\"type\":\"BUTTONS\",\"buttons\":[{\"type\":\"URL\",\"url\":\"https://x/{{1}}\"}]}],\"language\":\"en-US\",\"status\":\"APPROVED\",\"category\":\"UTILITY\",\"correct_category\":\"MARKETING\",\"quality_score\":{\"score\":\"GREEN\"},\"rejected_reason\":\"NONE\"},{\"name\":\"b\",\"language\":\"id\",\"status\":\"PAUSED\",\"components\":[{\"type\":\"BODY\",\"text\":\"{{1}} {{2}}\"}]}],\"paging\":{\"cursors\":{\"after\":\"QVF\"},\"next\":\"https://g\"}}", NULL, false},
		{"Meta's new template", run_templates, may_templates, meta, 200, "{\"id\":\"1\",\"status\":\"PENDING\",\"category\":\"UTILITY\"}", NULL, false},
	};

	try_cases(cases, LENGTH(cases));
}

/* -------------------------------------------------------------- webhooks */

static void
take_update(const WaUpdate *update, void *argument)
{
	Story	   *story = argument;
	const char *const words[] = {
		wa_gateway_update_kind_name(update->kind), update->event, update->sender_id, update->account_id,
		update->number, update->user_id, update->parent_user_id, update->name, update->previous_number,
		update->previous_user_id, update->message_id, update->pair_id, update->callback, update->code,
		update->words, update->pricing, update->text, update->keyword, update->answers,
		update->template_name, update->language, update->detail, update->excerpt
	};

	failing_off();
	for (size_t i = 0; i < LENGTH(words); i++)
		note(story, "%s;", words[i] ? words[i] : "-");
	note(story, "%" PRId64 " %d %d %d %d %d\n", update->said_at, (int) update->progress, update->only_out,
		 update->opens_window, update->proves_number, update->wants);
	failing_on();
}

static void
run_feedback(const Case *what, Story *story)
{
	failing_on();
	story->told = !what->gateway->read_feedback(what->text, strlen(what->text), ARRIVAL, take_update, story);
	failing_off();
}

/* text: the detail; more: the event. */
static void
run_news(const Case *what, Story *story)
{
	WaAccountNews news;
	WaVerdict	verdict;

	memset(&news, 0xff, sizeof(news));
	memset(&verdict, 0xff, sizeof(verdict));
	failing_on();
	story->told = !wa_text_json_room(what->text, strlen(what->text));
	if (story->told)
		return;
	what->gateway->judge_account(what->more, what->text, &news);
	what->gateway->judge_failure(what->more, what->text, &verdict);
	failing_off();
	CHECK(english(&news.said)[0] != '\0' && english(&verdict.said)[0] != '\0');
	story->outcome = verdict.outcome;
	note(story, "%s %d %" PRId64 " %s %s|%s", wa_gateway_effect_name(news.effect), news.about, news.until, news.number,
		 english(&news.said), wa_gateway_outcome_name(verdict.outcome));
}

static void
run_template_news(const Case *what, Story *story)
{
	WaTemplateNews news;

	memset(&news, 0xff, sizeof(news));
	failing_on();
	story->told = !wa_text_json_room(what->text, strlen(what->text));
	if (story->told)
		return;
	(void) what->gateway->read_template_news(what->more, what->text, &news);
	failing_off();
	note(story, "%s %s %s %s %s %s %d", news.status, news.category, news.announced_category, news.quality,
		 news.reason, news.until, news.read_anew);
}

#define VALUE(field, value) \
	"{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"102\",\"time\":1790000000,\"changes\":[{\"field\":\"" field \
	"\",\"value\":" value "}]}]}"
#define OURS "\"metadata\":{\"display_phone_number\":\"62215550000\",\"phone_number_id\":\"1065\"}"
#define PEOPLE "\"contacts\":[{\"wa_id\":\"6281234567890\",\"user_id\":\"ID.13\",\"profile\":{\"name\":\"Budi\"}}]"

static void
test_webhooks(void)
{
	const WaGateway *meta = wa_gateway_find("meta");
	const WaGateway *watzap = wa_gateway_find("watzap");
	const WaGateway *fonnte = wa_gateway_find("fonnte");
	const Case	cases[] = {
		{"a status", run_feedback,.gateway = meta,.text = VALUE("messages", "{" OURS "," PEOPLE ",\"statuses\":[{\"id\":\"wamid.X\",\"status\":\"failed\",\"timestamp\":\"1790000001\",\"recipient_id\":\"6281234567890\",\"recipient_user_id\":\"ID.13\",\"biz_opaque_callback_data\":\"swa:1:42\",\"errors\":[{\"code\":131026,\"title\":\"t\",\"error_data\":{\"details\":\"d\"}}],\"pricing\":{\"billable\":true,\"pricing_model\":\"PMP\",\"category\":\"utility\"}},{\"id\":\"b\",\"status\":\"read\",\"timestamp\":1790000002}]}")},
		{"messages", run_feedback,.gateway = meta,.text = VALUE("messages", "{" OURS "," PEOPLE ",\"messages\":[{\"from\":\"6281234567890\",\"id\":\"a\",\"timestamp\":1790000001,\"type\":\"text\",\"text\":{\"body\":\"STOP\\u0000\\ud83d\\udc4d\"},\"context\":{\"id\":\"w\"}},{\"from\":\"6281234567890\",\"id\":\"c\",\"type\":\"interactive\",\"interactive\":{\"button_reply\":{\"id\":\"A\",\"title\":\"B\"}}},{\"from\":\"6281234567890\",\"id\":\"d\",\"type\":\"image\",\"image\":{\"id\":\"1\",\"caption\":\"c\"}},{\"from\":\"ID.13\",\"id\":\"b\",\"type\":\"edit\",\"edit\":{\"message\":{\"type\":\"text\",\"text\":{\"body\":\"x\"}}}}],\"errors\":[{\"code\":1}],\"user_actions\":[{\"a\":1}]}")},
		{"a changed number", run_feedback,.gateway = meta,.text = VALUE("messages", "{" OURS ",\"messages\":[{\"from\":\"6281111111111\",\"id\":\"m\",\"type\":\"system\",\"system\":{\"type\":\"user_changed_number\",\"body\":\"changed from ID.1 to ID.2\",\"wa_id\":\"6282222222222\",\"user_id\":\"ID.2\"}}]}")},
		{"a wish", run_feedback,.gateway = meta,.text = VALUE("user_preferences", "{" OURS "," PEOPLE ",\"user_preferences\":[{\"wa_id\":\"6281234567890\",\"category\":\"marketing_messages\",\"value\":\"stop\",\"signup_id\":7,\"timestamp\":1790000001}]}")},
		{"a new id", run_feedback,.gateway = meta,.text = VALUE("user_id_update", "{" OURS ",\"user_id_update\":[{\"wa_id\":\"6281234567890\",\"user_id\":{\"previous\":\"ID.1\",\"current\":\"ID.2\"},\"timestamp\":\"1790000001\"}]}")},
		{"of a template", run_feedback,.gateway = meta,.text = VALUE("message_template_status_update", "{\"event\":\"PAUSED\",\"message_template_id\":123,\"message_template_name\":\"a\",\"message_template_language\":\"en-US\",\"reason\":null,\"other_info\":{\"title\":\"UNPAUSE\"}}")},
		{"of the account", run_feedback,.gateway = meta,.text = VALUE("account_update", "{\"event\":\"PARTNER_REMOVED\",\"waba_info\":{\"waba_id\":\"105\"},\"restriction_info\":[{\"restriction_type\":\"X\",\"expiration\":1790086400}]}")},
		{"a call", run_feedback,.gateway = meta,.text = VALUE("calls", "{" OURS ",\"calls\":[{\"id\":\"c\",\"from\":\"6281234567890\",\"event\":\"connect\",\"direction\":\"USER_INITIATED\"}]}")},
		{"another responder's", run_feedback,.gateway = meta,.text = VALUE("standby", "{" OURS ",\"standby\":{" PEOPLE ",\"messages\":[{\"from\":\"6281234567890\",\"id\":\"a\",\"type\":\"contacts\",\"contacts\":[{\"origin\":\"contact_request\",\"phones\":[{\"wa_id\":\"6281234567890\"}]}]}],\"message_echoes\":[{\"id\":\"e\",\"to\":\"6281234567890\",\"to_user_id\":\"ID.13\"}]}}")},
		{"what nobody knows", run_feedback,.gateway = meta,.text = VALUE("history", "{\"x\":[[[1e9]]],\"y\":99999999999999999999}")},
		{"no JSON", run_feedback,.gateway = meta,.text = "<html>no</html>"},
		{"Fonnte, a text", run_feedback,.gateway = fonnte,.text = "{\"device\":\"6285700000001\",\"sender\":\"6281234567890\",\"message\":\"STOP\",\"text\":\"\",\"name\":\"Budi\",\"timestamp\":1700000000,\"inboxid\":7}"},
		{"Fonnte, a text without an id", run_feedback,.gateway = fonnte,.text = "{\"device\":\"6285700000001\",\"sender\":\"6281234567890\",\"message\":\"STOP\",\"timestamp\":1700000000}"},
		{"Fonnte, a group", run_feedback,.gateway = fonnte,.text = "{\"device\":\"6285700000001\",\"sender\":\"120363012345678901@g.us\",\"member\":\"123:4@lid\",\"message\":\"a\\nb\"}"},
		{"Fonnte, a status", run_feedback,.gateway = fonnte,.text = "{\"id\":80367170,\"stateid\":3,\"status\":\"expired\",\"state\":\"\",\"reason\":\"x\"}"},
		{"Fonnte, the device", run_feedback,.gateway = fonnte,.text = "{\"device\":\"6285700000001\",\"status\":\"disconnect\",\"reason\":\"logged out\",\"timestamp\":1700000000}"},
		{"Fonnte, a form", run_feedback,.gateway = fonnte,.text = "device=6285700000001&sender=%2B62+812-3456-7890&message=a%0Ab&a[b][c]=1&a[b][d]=2&timestamp=1700000000123"},
		{"Fonnte, what nobody knows", run_feedback,.gateway = fonnte,.text = "{\"x\":{\"token\":\"s\",\"n\":12},\"list\":[{\"key\":\"k\"},1.5]}"},
		{"Watzap, a chat", run_feedback,.gateway = watzap,.text = "{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"6281234567890@c.us\",\"message_id\":\"A\",\"name\":\"N\",\"timestamp\":1700000000,\"message_body\":\"Hi\",\"has_media\":false,\"is_from_me\":false}}"},
		{"Watzap, a group", run_feedback,.gateway = watzap,.text = "{\"type\":\"incoming_chat\",\"data\":{\"chat_id\":\"120363012345678901@g.us\",\"message_id\":\"A\",\"message_body\":\"Hi\",\"has_media\":1}}"},
		{"Watzap, a button", run_feedback,.gateway = watzap,.text = "{\"data\":{\"phone\":\"6281234567890\",\"message_raw\":\"{\\\"id\\\":\\\"i\\\",\\\"type\\\":\\\"button\\\",\\\"button\\\":{\\\"payload\\\":\\\"P\\\"}}\",\"message_text\":\"[Image]\"}}"},
		{"a stop", run_news,.gateway = meta,.text = "{\"event\":\"PARTNER_REMOVED\",\"waba_info\":{\"waba_id\":\"105\"}}",.more = "account_update/PARTNER_REMOVED",.has_room = true},
		{"a restriction", run_news,.gateway = meta,.text = "{\"event\":\"ACCOUNT_RESTRICTION\",\"restriction_info\":[{\"restriction_type\":\"RESTRICTED_BIZ_INITIATED_MESSAGING\",\"expiration\":1795886400}]}",.more = "account_update/ACCOUNT_RESTRICTION",.has_room = true},
		{"a lost device", run_news,.gateway = fonnte,.text = "{\"device\":\"6285700000001\",\"reason\":\"logged out\"}",.more = "disconnect",.has_room = true},
		{"a paused template", run_template_news,.gateway = meta,.text = "{\"event\":\"PAUSED\",\"other_info\":{\"title\":\"UNPAUSE\"},\"disable_info\":{\"disable_date\":\"DATE\"},\"reason\":null}",.more = "message_template_status_update/PAUSED",.has_room = true},
		{"another category", run_template_news,.gateway = meta,.text = "{\"new_category\":\"MARKETING\",\"previous_category\":\"UTILITY\"}",.more = "template_category_update",.has_room = true},
	};

	try_cases(cases, LENGTH(cases));
}

int
main(void)
{
	CHECK_RUN(test_text);
	CHECK_RUN(test_requests);
	CHECK_RUN(test_answers);
	CHECK_RUN(test_webhooks);
	/* a test in which nothing was refused has tested nothing */
	check_begin("all");
	CHECK(refused > 1000 && refused < runs);
	return check_finish("memory");
}
