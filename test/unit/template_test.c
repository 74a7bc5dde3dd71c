/*-------------------------------------------------------------------------
 *
 * template_test.c
 *		Unit tests of what is read of a provider's own templates, and made there.
 *
 * Lists in the shapes of Meta's page and of clients' test data; each word for
 * a template's state with what it must mean, written down a second time on
 * purpose; each kind of event of a webhook.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "check.h"
#include "said.h"
#include "gateway/gateway.h"

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

#define ROW(what, cond) \
	check_note((cond) ? true : false, __FILE__, __LINE__, what)

static const WaPair settings[] = {
	{"phone_number_id", "1065"},
	{"waba_id", "1022"},
	{"api_version", "v25.0"},
	{"access_token", "EAAG.secret-meta/token"},
};

static const WaGateway *meta;

/* What was taken, in words: "name/language STATUS n ..." one a line. */
static char taken[4096];

static void
take(const WaTemplateFacts *t, void *argument)
{
	char		line[512];
	int			i;

	(*(int *) argument)++;
	snprintf(line, sizeof(line), "%s/%s %s %d %s>%s %s %s %s%d:", t->name, t->language, t->status,
			 (int) t->standing, t->category ? t->category : "-",
			 t->announced_category ? t->announced_category : "-", t->quality ? t->quality : "-",
			 t->reason ? t->reason : "-", t->counted ? (t->named ? "named" : "positional") : "unknown",
			 t->nparameters);
	strncat(taken, line, sizeof(taken) - strlen(taken) - 1);
	for (i = 0; i < t->nparameters; i++)
	{
		snprintf(line, sizeof(line), "%s%s", i > 0 ? "," : "", t->parameters[i]);
		strncat(taken, line, sizeof(taken) - strlen(taken) - 1);
	}
	snprintf(line, sizeof(line), "%s%s\n", t->lacks ? " lacks " : "", t->lacks ? t->lacks : "");
	strncat(taken, line, sizeof(taken) - strlen(taken) - 1);
}

/* Read an answer; returns how many templates. */
static int
read_list(int http_status, const char *body, WaTemplatePage *page)
{
	WaReply		reply = {0};
	int			n = 0;

	reply.http_status = http_status;
	reply.retry_after_s = -1;
	reply.body = body;
	reply.body_len = strlen(body);
	taken[0] = '\0';
	memset(page, 0xff, sizeof(*page));
	meta->read_templates(&reply, take, &n, page);
	return n;
}

static void
test_request(void)
{
	static const WaPair without[] = {
		{"phone_number_id", "1065"},
		{"access_token", "EAAG"},
	};
	static const WaPair wrong[] = {
		{"phone_number_id", "1065"},
		{"waba_id", "1/2"},
		{"access_token", "EAAG"},
	};
	WaRequest	req;
	WaSaidText	err = {""};

	CHECK(meta->build_templates("http://h", settings, LENGTH(settings), NULL, 100, &req, &err));
	CHECK_STR(req.method, "GET");
	CHECK_STR(req.url, "http://h/v25.0/1022/message_templates?fields=name,language,status,category,"
			  "correct_category,parameter_format,components,quality_score,rejected_reason&limit=100");
	CHECK(req.body == NULL);
	CHECK(req.reply_bytes >= 1024 * 1024);
	wa_gateway_request_free(&req);

	/* a cursor is the provider's: nothing of it gets into the URL as it is */
	CHECK(meta->build_templates("http://h", settings, LENGTH(settings), "Q&x=1 /#", 25, &req, &err));
	CHECK(strstr(req.url, "&limit=25&after=Q%26x%3D1%20%2F%23") != NULL);
	wa_gateway_request_free(&req);

	CHECK(!meta->build_templates("", without, LENGTH(without), NULL, 100, &req, &err));
	CHECK_STR(english(&err), "setting \"waba_id\" is missing");
	CHECK(!meta->build_templates("", wrong, LENGTH(wrong), NULL, 100, &req, &err));
	CHECK_STR(english(&err), "setting \"waba_id\" must consist of digits");
}

static void
test_list(void)
{
	WaTemplatePage page;

	CHECK_INT(read_list(200,
						"{\"data\":[{\"name\":\"permit_ready\",\"parameter_format\":\"POSITIONAL\",\"components\":"
						"[{\"type\":\"BODY\",\"text\":\"Yth. {{1}}, izin {{2}} selesai; {{1}}, unduh di {{3}}. Terima kasih.\","
						"\"example\":{\"body_text\":[[\"a\",\"b\",\"c\"]]}}],\"language\":\"id\",\"status\":\"APPROVED\","
						"\"category\":\"UTILITY\",\"quality_score\":{\"score\":\"GREEN\",\"date\":1},\"id\":\"594425479261596\"},"
						"{\"name\":\"permit_ready\",\"language\":\"en-US\",\"status\":\"rejected\",\"rejected_reason\":\"TAG_CONTENT_MISMATCH\","
						"\"category\":\"MARKETING\",\"quality_score\":\"UNKNOWN\",\"components\":[]},"
						"{\"name\":\"bernama\",\"parameter_format\":\"NAMED\",\"language\":\"id\",\"status\":\"APPROVED\",\"rejected_reason\":\"NONE\","
						"\"correct_category\":\"MARKETING\",\"category\":\"UTILITY\",\"components\":[{\"type\":\"HEADER\",\"format\":\"TEXT\","
						"\"text\":\"Izin {{permit}}\"},{\"type\":\"BODY\",\"text\":\"A {{partner_name}} b {{ permit_type }} c\"}]},"
						"{\"name\":\"dok\",\"language\":\"id\",\"status\":\"PAUSED\",\"category\":\"UTILITY\",\"correct_category\":\"UTILITY\","
						"\"components\":[{\"type\":\"HEADER\",\"format\":\"DOCUMENT\"},{\"type\":\"BODY\",\"text\":\"tanpa\"}]},"
						"{\"name\":\"tombol\",\"language\":\"id\",\"status\":\"ARCHIVED\",\"components\":[{\"type\":\"BODY\",\"text\":\"x {{1}} y\"},"
						"{\"type\":\"BUTTONS\",\"buttons\":[{\"type\":\"QUICK_REPLY\",\"text\":\"Ya\"},{\"type\":\"URL\",\"text\":\"Buka\",\"url\":\"https://x/{{1}}\"}]}]},"
						"{\"no\":\"name\"}, 7],"
						"\"paging\":{\"cursors\":{\"before\":\"MAZ\",\"after\":\"MjQZD\"}}}", &page), 5);
	CHECK(page.ok);
	CHECK_STR(page.after, "");
	CHECK_STR(taken,
			  "permit_ready/id APPROVED 1 UTILITY>- GREEN - positional3:1,2,3\n"
			  "permit_ready/en_US rejected 3 MARKETING>- UNKNOWN TAG_CONTENT_MISMATCH unknown0:\n"
			  "bernama/id APPROVED 1 UTILITY>MARKETING - - named2:partner_name,permit_type lacks HEADER\n"
			  "dok/id PAUSED 3 UTILITY>- - - positional0: lacks HEADER\n"
			  "tombol/id ARCHIVED 5 ->- - - positional1:1 lacks BUTTONS\n");
}

static void
test_pages(void)
{
	WaTemplatePage page;
	WaReply		reply = {0};
	int			n = 0;

	CHECK_INT(read_list(200, "{\"data\":[{\"name\":\"a\"}],\"paging\":{\"cursors\":{\"after\":\"QVFIU\"},\"next\":\"https://graph/...\"}}", &page), 1);
	CHECK(page.ok);
	CHECK_STR(page.after, "QVFIU");

	/* half a list would make templates look deleted: it is none */
	CHECK_INT(read_list(200, "{\"data\":[{\"name\":\"a\"}],\"paging\":{\"next\":\"https://graph/...\"}}", &page), 0);
	CHECK(!page.ok);
	CHECK_INT(read_list(200, "{\"data\":[{\"name\":\"a\"", &page), 0);
	CHECK(!page.ok && !page.too_large);
	CHECK_INT(read_list(200, "{\"success\":true}", &page), 0);
	CHECK(!page.ok);
	CHECK_INT(read_list(200, "{\"data\":{\"name\":\"a\"}}", &page), 0);
	CHECK(!page.ok);
	CHECK_INT(read_list(200, "{\"data\":[]}", &page), 0);
	CHECK(page.ok);
	CHECK_INT(read_list(502, "<html>", &page), 0);
	CHECK(!page.ok);
	CHECK(page.said.bytes[0] != '\0');

	reply.http_status = 200;
	reply.truncated = true;
	reply.body = "{\"data\":[";
	reply.body_len = strlen(reply.body);
	meta->read_templates(&reply, take, &n, &page);
	CHECK(!page.ok && page.too_large);

	/* rate limit of an account's template calls, with and without a wait */
	CHECK_INT(read_list(400, "{\"error\":{\"message\":\"(#80008) There have been too many calls to this WhatsApp Business account.\",\"code\":80008}}", &page), 0);
	CHECK(!page.ok);
	CHECK(strstr(english(&page.said), "80008") != NULL);
	CHECK(strstr(english(&page.said), "too many calls about the account's templates") != NULL);
	CHECK_INT(page.wait_s, -1);
	reply.http_status = 400;
	reply.truncated = false;
	reply.retry_after_s = -1;
	reply.usage_header = "{\"1022\":[{\"estimated_time_to_regain_access\":7}]}";
	reply.body = "{\"error\":{\"code\":80008}}";
	reply.body_len = strlen(reply.body);
	meta->read_templates(&reply, take, &n, &page);
	CHECK_INT(page.wait_s, 420);
}

static void
test_states(void)
{
	static const struct
	{
		const char *word;
		WaTemplateStanding standing;
	}			words[] = {
		{"APPROVED", WA_TEMPLATE_USABLE}, {"REINSTATED", WA_TEMPLATE_USABLE},
		{"PENDING", WA_TEMPLATE_PENDING}, {"REJECTED", WA_TEMPLATE_UNUSABLE},
		{"PAUSED", WA_TEMPLATE_UNUSABLE}, {"DISABLED", WA_TEMPLATE_UNUSABLE},
		{"IN_APPEAL", WA_TEMPLATE_PENDING}, {"LOCKED", WA_TEMPLATE_UNUSABLE},
		{"LIMIT_EXCEEDED", WA_TEMPLATE_UNUSABLE}, {"ARCHIVED", WA_TEMPLATE_ARCHIVED},
		{"PENDING_DELETION", WA_TEMPLATE_GONE}, {"DELETED", WA_TEMPLATE_GONE},
		{"FLAGGED", WA_TEMPLATE_WARNED}, {"UNARCHIVED", WA_TEMPLATE_UNCLEAR},
		{"UNPAUSED", WA_TEMPLATE_UNCLEAR}, {"", WA_TEMPLATE_UNCLEAR},
		{"approved", WA_TEMPLATE_USABLE},
	};

	for (size_t i = 0; i < LENGTH(words); i++)
	{
		WaTemplateNews news;
		char		event[128];

		ROW(words[i].word, meta->template_standing(words[i].word) == words[i].standing);
		snprintf(event, sizeof(event), "message_template_status_update/%s", words[i].word);
		ROW(words[i].word, meta->read_template_news(event, "{\"reason\":null}", &news));
		ROW(words[i].word, news.standing == words[i].standing);
		ROW(words[i].word, news.read_anew == (words[i].standing == WA_TEMPLATE_UNCLEAR));
	}
}

static void
test_news(void)
{
	WaTemplateNews news;

	/* the end of a pause has no word of its own */
	CHECK(meta->read_template_news("message_template_status_update/PAUSED", "{\"other_info\":{\"title\":\"UNPAUSE\"},\"reason\":\"NONE\"}", &news));
	CHECK_INT(news.standing, WA_TEMPLATE_USABLE);
	CHECK(news.read_anew);
	CHECK(meta->read_template_news("message_template_status_update/PAUSED", "{\"other_info\":{\"title\":\"FIRST_PAUSE\"},\"reason\":\"NONE\"}", &news));
	CHECK_INT(news.standing, WA_TEMPLATE_UNUSABLE);
	CHECK_STR(news.reason, "");
	CHECK(meta->read_template_news("message_template_status_update/REJECTED", "{\"reason\":\"INVALID_FORMAT\"}", &news));
	CHECK_STR(news.reason, "INVALID_FORMAT");
	CHECK(meta->read_template_news("message_template_status_update/FLAGGED", "{\"disable_info\":{\"disable_date\":\"DATE\"}}", &news));
	CHECK_INT(news.standing, WA_TEMPLATE_WARNED);
	CHECK_STR(news.until, "DATE");
	/* the word may stand in the detail alone */
	CHECK(meta->read_template_news("message_template_status_update", "{\"event\":\"DISABLED\"}", &news));
	CHECK_STR(news.status, "DISABLED");
	CHECK_INT(news.standing, WA_TEMPLATE_UNUSABLE);

	CHECK(meta->read_template_news("template_category_update", "{\"correct_category\":\"MARKETING\",\"new_category\":\"UTILITY\"}", &news));
	CHECK_STR(news.category, "UTILITY");
	CHECK_STR(news.announced_category, "MARKETING");
	CHECK(!news.happened);
	CHECK(meta->read_template_news("template_category_update", "{\"previous_category\":\"UTILITY\",\"new_category\":\"MARKETING\"}", &news));
	CHECK_STR(news.category, "MARKETING");
	CHECK_STR(news.announced_category, "");
	CHECK(news.happened);
	CHECK(meta->read_template_news("template_category_update", "{\"new_category\":\"MARKETING\"}", &news));
	CHECK(news.happened);
	CHECK(meta->read_template_news("template_category_update", "{}", &news));
	CHECK(news.read_anew && !news.happened);
	CHECK(meta->read_template_news("template_correct_category_detection", "{\"category\":\"UTILITY\",\"correct_category\":\"MARKETING\"}", &news));
	CHECK_STR(news.category, "");
	CHECK_STR(news.announced_category, "MARKETING");
	CHECK(!news.happened);

	CHECK(meta->read_template_news("message_template_quality_update", "{\"previous_quality_score\":\"GREEN\",\"new_quality_score\":\"RED\"}", &news));
	CHECK_STR(news.quality, "RED");
	CHECK_INT(news.standing, WA_TEMPLATE_UNCLEAR);
	CHECK_STR(news.status, "");
	CHECK(meta->read_template_news("message_template_components_update", "{\"message_template_element\":\"x\"}", &news));
	CHECK(news.read_anew);

	CHECK(!meta->read_template_news("message_template_something_new", "{}", &news));
	CHECK(!meta->read_template_news("", "", &news));
	CHECK(meta->read_template_news("message_template_status_update/PAUSED", NULL, &news));
	CHECK(meta->read_template_news("message_template_status_update/PAUSED", "{\"other_info\":7", &news));
	CHECK_INT(news.standing, WA_TEMPLATE_UNUSABLE);
}

static void
test_draft(void)
{
	static const WaPair two[] = {{"b_two", "SIUP\n\"1\""}, {"a", "Budi"}};
	WaTemplateDraft draft = {.name = "permit_ready",.language = "id",.category = "UTILITY",
		.body = "Yth. {{a}}, izin {{ b_two }} \"selesai\".\nTerima kasih, {{a}}.",
		.nparameters = 2,.parameters = two
	};
	WaSaidText	err;
	char	   *json;
	json_object *parsed;

	json = meta->write_template(&draft, &err);
	CHECK_STR(json, "{\"name\":\"permit_ready\",\"language\":\"id\",\"category\":\"UTILITY\",\"components\":"
			  "[{\"type\":\"BODY\",\"text\":\"Yth. {{2}}, izin {{1}} \\\"selesai\\\".\\nTerima kasih, {{2}}.\","
			  "\"example\":{\"body_text\":[[\"SIUP \\\"1\\\"\",\"Budi\"]]}}]}");
	parsed = json_tokener_parse(json);
	CHECK(parsed != NULL);
	json_object_put(parsed);
	free(json);

	draft.named = true;
	json = meta->write_template(&draft, &err);
	CHECK_STR(json, "{\"name\":\"permit_ready\",\"language\":\"id\",\"category\":\"UTILITY\",\"parameter_format\":\"NAMED\",\"components\":"
			  "[{\"type\":\"BODY\",\"text\":\"Yth. {{a}}, izin {{b_two}} \\\"selesai\\\".\\nTerima kasih, {{a}}.\","
			  "\"example\":{\"body_text_named_params\":[{\"param_name\":\"b_two\",\"example\":\"SIUP \\\"1\\\"\"},"
			  "{\"param_name\":\"a\",\"example\":\"Budi\"}]}}]}");
	free(json);

	draft.body = "Tanpa.";
	draft.nparameters = 0;
	json = meta->write_template(&draft, &err);
	CHECK_STR(json, "{\"name\":\"permit_ready\",\"language\":\"id\",\"category\":\"UTILITY\",\"components\":[{\"type\":\"BODY\",\"text\":\"Tanpa.\"}]}");
	free(json);

	/* by position there may be no gap */
	draft.body = "Yth. {{a}}.";
	draft.nparameters = 2;
	CHECK(meta->write_template(&draft, &err) == NULL);
	CHECK_STR(english(&err), "parameter \"b_two\" does not stand in the body");
	draft.body = "Yth. {{a}} {{c}}.";
	CHECK(meta->write_template(&draft, &err) == NULL);
	draft.body = "Yth. {{a.";
	CHECK(meta->write_template(&draft, &err) == NULL);
	{
		static const WaPair longer[] = {{"a_name_that_is_too_long", "x"}};

		draft.body = "Yth. {{a_name_that_is_too_long}} ya.";
		draft.parameters = longer;
		draft.nparameters = 1;
		CHECK(meta->write_template(&draft, &err) == NULL);
		CHECK(strstr(english(&err), "20 characters") != NULL);
		draft.named = false;
		json = meta->write_template(&draft, &err);
		CHECK(json != NULL);
		free(json);
	}
}

static void
read_made(int http_status, const char *body, WaTemplateMade *made)
{
	WaReply		reply = {0};

	reply.http_status = http_status;
	reply.retry_after_s = -1;
	reply.body = body;
	reply.body_len = strlen(body);
	memset(made, 0xff, sizeof(*made));
	meta->read_template(&reply, made);
}

static void
test_made(void)
{
	WaTemplateMade made;
	WaRequest	req;
	WaSaidText	err = {""};

	CHECK(meta->build_template("http://h", settings, LENGTH(settings), "{\"name\":\"x\"}", &req, &err));
	CHECK_STR(req.method, "POST");
	CHECK_STR(req.url, "http://h/v25.0/1022/message_templates");
	CHECK_STR(req.body, "{\"name\":\"x\"}");
	wa_gateway_request_free(&req);

	read_made(200, "{\"id\":\"572279198452421\",\"status\":\"PENDING\",\"category\":\"UTILITY\"}", &made);
	CHECK(made.ok);
	CHECK_STR(made.status, "PENDING");
	CHECK_STR(made.category, "UTILITY");
	CHECK_INT(made.standing, WA_TEMPLATE_PENDING);

	read_made(400, "{\"error\":{\"message\":\"Invalid parameter\",\"code\":100,\"error_subcode\":2388299,\"is_transient\":false,"
			  "\"error_user_title\":\"Leading params\",\"error_user_msg\":\"Variables can't be at the start or end of the template.\"}}", &made);
	CHECK(!made.ok);
	CHECK(strstr(english(&made.said), "has a variable at its very start or end") != NULL);
	CHECK(strstr(english(&made.said), "100/2388299") != NULL);
	CHECK(strstr(english(&made.said), "Variables can't be at the start or end") != NULL);
	CHECK(!made.there);
	read_made(400, "{\"error\":{\"message\":\"Invalid parameter\",\"code\":100,\"error_subcode\":2388024}}", &made);
	CHECK(!made.ok && made.there);
	read_made(400, "{\"error\":{\"code\":190}}", &made);
	CHECK(!made.there);
	CHECK(!made.ok && strstr(english(&made.said), "190") != NULL);
	read_made(200, "{\"id\":\"1\"}", &made);
	CHECK(!made.ok);
	read_made(500, "", &made);
	CHECK(!made.ok && made.said.bytes[0] != '\0');
	read_made(200, "[]", &made);
	CHECK(!made.ok);
}

/* Whoever has one member has them all. */
static void
test_members(void)
{
	const WaGateway *g;

	for (size_t i = 0; (g = wa_gateway_at(i)) != NULL; i++)
	{
		bool		has = g->build_templates != NULL;

		ROW(g->kind, has == (g->read_templates != NULL));
		ROW(g->kind, has == (g->template_standing != NULL));
		ROW(g->kind, has == (g->write_template != NULL));
		ROW(g->kind, has == (g->build_template != NULL));
		ROW(g->kind, has == (g->read_template != NULL));
		ROW(g->kind, has == (g->read_template_news != NULL));
		ROW(g->kind, !has || g->has_templates);
	}
}

int
main(void)
{
	meta = wa_gateway_find("meta");
	CHECK_RUN(test_request);
	CHECK_RUN(test_list);
	CHECK_RUN(test_pages);
	CHECK_RUN(test_states);
	CHECK_RUN(test_news);
	CHECK_RUN(test_draft);
	CHECK_RUN(test_made);
	CHECK_RUN(test_members);
	return check_finish("template");
}
