/*-------------------------------------------------------------------------
 *
 * gateway_test.c
 *		Unit tests of the provider gateways.
 *
 * Tables, mostly: every code of Meta's page, every reason of Fonnte's and
 * every status of Watzap's with what it must come to; every request byte by
 * byte; answers that no provider should ever give; URLs that try to get past
 * the list of hosts.  The expected outcome of a code is written down here a
 * second time, in the words of the providers' pages, on purpose.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "said.h"
#include "gateway/meta.h"
#include "gateway/provider.h"

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

/* Report a failing table row by its content. */
#define ROW(what, cond) \
	check_note((cond) ? true : false, __FILE__, __LINE__, what)

static const WaPair meta_settings[] = {
	{"phone_number_id", "1065"},
	{"waba_id", NULL},
	{"access_token", "EAAG.secret-meta/token"},
	{"app_secret", "with blanks, which never enters a request"},
};

static const WaPair fonnte_settings[] = {
	{"token", "fonnte-secret!"},
};

static const WaPair watzap_settings[] = {
	{"api_key", "WATZAPKEY"},
	{"number_key", "NUMBER\"KEY"},
};

static const struct
{
	const char *kind;
	const WaPair *settings;
	size_t		count;
}			kinds[] = {
	{"meta", meta_settings, LENGTH(meta_settings)},
	{"fonnte", fonnte_settings, LENGTH(fonnte_settings)},
	{"watzap", watzap_settings, LENGTH(watzap_settings)},
};

/* Judge one answer.  body may hold a NUL byte if len says so. */
static void
judge_bytes(const char *kind, int http_status, const char *body, size_t len,
			WaVerdict *verdict)
{
	WaReply		reply = {0};

	reply.http_status = http_status;
	reply.retry_after_s = -1;
	reply.body = body;
	reply.body_len = len;
	memset(verdict, 0xff, sizeof(*verdict));
	wa_gateway_find(kind)->judge(&reply, verdict);
}

static void
judge(const char *kind, int http_status, const char *body, WaVerdict *verdict)
{
	judge_bytes(kind, http_status, body, strlen(body), verdict);
}

/* A sentence: begins with a capital or digit, ends with a period. */
static bool
is_sentence(const char *text)
{
	size_t		len = strlen(text);

	return len > 10 && text[0] >= 'A' && text[0] <= 'Z' &&
		text[len - 1] == '.';
}

/*
 * The table of providers
 */

static void
test_table(void)
{
	static const char *const names[] = {
		"accepted", "retry", "throttle", "provider", "template", "recipient",
		"policy", "caller", "unknown"
	};
	static const WaPair twice[] = {{"a", "1"}, {NULL, "x"}, {"a", "2"}};
	const WaGateway *gateway;
	WaOutcome	outcome = WA_OUTCOME_POLICY;
	WaRequest	empty = {0};
	WaHealth	health = {0};
	size_t		i;
	size_t		j;

	CHECK_INT(LENGTH(names), WA_OUTCOME_COUNT);
	for (i = 0; i < LENGTH(names); i++)
	{
		CHECK_STR(wa_gateway_outcome_name((WaOutcome) i), names[i]);
		CHECK(wa_gateway_outcome_from_name(names[i], &outcome));
		CHECK_INT(outcome, i);
	}
	outcome = WA_OUTCOME_POLICY;
	CHECK(!wa_gateway_outcome_from_name("Accepted", &outcome));
	CHECK(!wa_gateway_outcome_from_name(NULL, &outcome));
	CHECK_INT(outcome, WA_OUTCOME_POLICY);
	CHECK_STR(wa_gateway_outcome_name((WaOutcome) 77), "unknown");

	for (i = 0; (gateway = wa_gateway_at(i)) != NULL; i++)
	{
		size_t		nsecrets = 0;

		ROW(gateway->kind, wa_gateway_find(gateway->kind) == gateway);
		ROW(gateway->kind, gateway->max_text_chars == WA_TEXT_MAX_CHARS);
		ROW(gateway->kind, strncmp(gateway->base_url, "https://", 8) == 0);
		ROW(gateway->kind,
			gateway->base_url[strlen(gateway->base_url) - 1] != '/');
		ROW(gateway->kind, gateway->build && gateway->judge &&
			gateway->build_test && gateway->judge_test);
		for (j = 0; j < gateway->nsettings; j++)
		{
			size_t		other;
			size_t		k;

			if (!gateway->settings[j].secret)
				continue;
			nsecrets++;

			/*
			 * A row whose kind was changed must not find another's secret,
			 * and send it somewhere; what webhooks bring is only compared.
			 */
			if (gateway->feedback_secret != NULL &&
				strcmp(gateway->settings[j].name, gateway->feedback_secret) == 0)
				continue;
			for (other = 0; other < i; other++)
				for (k = 0; k < wa_gateway_at(other)->nsettings; k++)
					ROW(gateway->settings[j].name,
						strcmp(gateway->settings[j].name,
							   wa_gateway_at(other)->settings[k].name) != 0);
		}
		ROW(gateway->kind, nsecrets >= 1 &&
			nsecrets <= WA_GATEWAY_MAX_SECRETS);
	}
	CHECK_INT(i, LENGTH(kinds));
	CHECK(wa_gateway_at((size_t) -1) == NULL);
	CHECK(wa_gateway_find("") == NULL);
	CHECK(wa_gateway_find(NULL) == NULL);
	CHECK(wa_gateway_find("Meta") == NULL);
	CHECK(wa_gateway_find("meta")->official);
	CHECK(wa_gateway_find("meta")->has_templates);
	CHECK(!wa_gateway_find("fonnte")->official);
	CHECK(!wa_gateway_find("watzap")->has_templates);

	CHECK_STR(wa_gateway_setting(twice, 3, "a"), "1");
	CHECK_STR(wa_gateway_setting(twice, 3, "b"), NULL);
	CHECK_STR(wa_gateway_setting(NULL, 0, "a"), NULL);

	wa_gateway_request_free(&empty);
	wa_gateway_request_free(NULL);
	wa_gateway_health_free(&health);
	wa_gateway_health_free(NULL);
}

/*
 * Meta's codes
 */

typedef struct ExpectedCode
{
	long		first;
	long		last;
	const char *class;			/* see outcome_of_class */
	WaFallback	fallback;
	int			max_retries;
	long		wait_s;
	long		backoff_s;
	bool		regain;
} ExpectedCode;

static const ExpectedCode expected_codes[] = {
	{0, 0, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{1, 1, "RETRY", WA_FALLBACK_YES, 2, 60, -1, false},
	{2, 2, "RETRY", WA_FALLBACK_YES, -1, -1, 30, false},
	{3, 3, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{4, 4, "THROTTLE", WA_FALLBACK_YES, -1, -1, 60, true},
	{10, 10, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{17, 17, "THROTTLE", WA_FALLBACK_YES, -1, -1, 60, true},
	{33, 33, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{100, 100, "CALLER", WA_FALLBACK_YES, 0, -1, -1, false},
	{104, 104, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{190, 190, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{200, 200, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{201, 299, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{368, 368, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{803, 803, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{80007, 80007, "THROTTLE", WA_FALLBACK_YES, -1, -1, 60, true},
	{80008, 80008, "THROTTLE", WA_FALLBACK_YES, -1, -1, 60, true},
	{130403, 130403, "RECIPIENT", WA_FALLBACK_NO, 0, -1, -1, false},
	{130429, 130429, "THROTTLE", WA_FALLBACK_YES, -1, -1, 1, false},
	{130472, 130472, "POLICY", WA_FALLBACK_YES, 0, -1, -1, false},
	{130497, 130497, "POLICY", WA_FALLBACK_YES, 0, -1, -1, false},
	{131000, 131000, "RETRY", WA_FALLBACK_YES, -1, -1, 30, false},
	{131005, 131005, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{131008, 131008, "CALLER", WA_FALLBACK_YES, 0, -1, -1, false},
	{131009, 131009, "CALLER", WA_FALLBACK_YES, 0, -1, -1, false},
	{131016, 131016, "RETRY", WA_FALLBACK_YES, -1, -1, 30, false},
	{131021, 131021, "RECIPIENT", WA_FALLBACK_NO, 0, -1, -1, false},
	{131026, 131026, "RECIPIENT", WA_FALLBACK_CARE, 0, -1, -1, false},
	{131030, 131030, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{131031, 131031, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{131037, 131037, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{131042, 131042, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{131044, 131044, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{131045, 131045, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{131047, 131047, "POLICY", WA_FALLBACK_YES, 0, -1, -1, false},
	{131048, 131048, "POLICY", WA_FALLBACK_CARE, 0, -1, -1, false},
	{131049, 131049, "POLICY", WA_FALLBACK_YES, 1, 86400, -1, false},
	{131050, 131050, "POLICY", WA_FALLBACK_YES, 0, -1, -1, false},
	{131051, 131051, "CALLER", WA_FALLBACK_NO, 0, -1, -1, false},
	{131052, 131052, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{131053, 131053, "CALLER", WA_FALLBACK_YES, 0, -1, -1, false},
	{131055, 131055, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{131056, 131056, "THROTTLE", WA_FALLBACK_NO, -1, -1, 4, false},
	{131057, 131057, "RETRY", WA_FALLBACK_YES, -1, 90, -1, false},
	{131062, 131062, "RECIPIENT", WA_FALLBACK_YES, 0, -1, -1, false},
	{131063, 131063, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{131064, 131064, "POLICY", WA_FALLBACK_CARE, 0, -1, -1, false},
	{131070, 131070, "POLICY", WA_FALLBACK_YES, 0, -1, -1, false},
	{132000, 132000, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{132001, 132001, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{132005, 132005, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{132007, 132007, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{132008, 132008, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{132012, 132012, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{132015, 132015, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{132016, 132016, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{132018, 132018, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{132068, 132068, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{132069, 132069, "TEMPLATE", WA_FALLBACK_YES, -1, 3600, -1, false},
	{133000, 133000, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{133004, 133004, "RETRY", WA_FALLBACK_YES, -1, -1, 30, false},
	{133005, 133005, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{133006, 133006, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{133008, 133008, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{133009, 133009, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{133010, 133010, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{133015, 133015, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{133016, 133016, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{134011, 134011, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{134100, 134100, "CONFIG_STOP", WA_FALLBACK_YES, 0, -1, -1, false},
	{134101, 134101, "RETRY", WA_FALLBACK_YES, -1, 600, -1, false},
	{134102, 134102, "TEMPLATE", WA_FALLBACK_YES, 0, -1, -1, false},
	{135000, 135000, "CALLER", WA_FALLBACK_YES, 0, -1, -1, false},
	{137000, 137000, "RECIPIENT", WA_FALLBACK_YES, 0, -1, -1, false},
	{138000, 138021, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{139000, 139004, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{139100, 139103, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{147001, 147005, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{200005, 200007, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{1752041, 1752041, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388012, 2388012, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388019, 2388019, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388040, 2388040, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388047, 2388047, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388072, 2388072, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388073, 2388073, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388091, 2388091, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388093, 2388093, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388103, 2388103, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388293, 2388293, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2388299, 2388299, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2494100, 2494100, "RETRY", WA_FALLBACK_YES, -1, 180, -1, false},
	{2494164, 2494179, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2593079, 2593079, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2593085, 2593085, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2593107, 2593107, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
	{2593108, 2593108, "SCOPE", WA_FALLBACK_YES, 0, -1, -1, false},
};

static WaOutcome
outcome_of_class(const char *class)
{
	static const struct
	{
		const char *class;
		WaOutcome	outcome;
	}			classes[] = {
		{"RETRY", WA_OUTCOME_RETRY},
		{"THROTTLE", WA_OUTCOME_THROTTLE},
		{"CONFIG_STOP", WA_OUTCOME_PROVIDER},
		{"TEMPLATE", WA_OUTCOME_TEMPLATE},
		{"CALLER", WA_OUTCOME_CALLER},
		{"RECIPIENT", WA_OUTCOME_RECIPIENT},
		{"POLICY", WA_OUTCOME_POLICY},
		{"SCOPE", WA_OUTCOME_CALLER},
	};
	size_t		i;

	for (i = 0; i < LENGTH(classes); i++)
	{
		if (strcmp(classes[i].class, class) == 0)
			return classes[i].outcome;
	}
	return WA_OUTCOME_ACCEPTED;
}

/* Check one code in several dresses; HTTP status and type must not matter. */
static void
check_code(const ExpectedCode *want, long code)
{
	static const char *const dresses[] = {
		"{\"error\":{\"message\":\"(#%ld) m\",\"type\":\"OAuthException\",\"code\":%ld,\"error_data\":{\"messaging_product\":\"whatsapp\",\"details\":\"the details\"},\"fbtrace_id\":\"A\"}}",
		"{\"error\":{\"message\":\"(#%ld) the details\",\"code\":\"%ld\"}}",
		"{\"error\":{\"message\":\"(#%ld) m\",\"code\":%ld,\"error_data\":\"the details\",\"is_transient\":false}}\r\n",
	};
	static const int statuses[] = {200, 400, 401, 404, 429, 500, 503};
	char		body[512];
	char		text[32];
	size_t		i;
	size_t		j;

	snprintf(text, sizeof(text), "%ld", code);
	for (i = 0; i < LENGTH(dresses); i++)
	{
		for (j = 0; j < LENGTH(statuses); j++)
		{
			WaVerdict	got;

			snprintf(body, sizeof(body), dresses[i], code, code);
			judge("meta", statuses[j], body, &got);
			ROW(text, got.outcome == outcome_of_class(want->class));
			ROW(text, got.fallback == want->fallback);
			ROW(text, got.max_retries == want->max_retries);
			ROW(text, got.wait_s == want->wait_s);
			ROW(text, got.backoff_s == want->backoff_s);
			ROW(text, got.opt_out == (code == 131050));
			ROW(text, strcmp(got.code, text) == 0);
			ROW(text, is_sentence(english(&got.said)));
			ROW(text, strstr(english(&got.said), "the details") != NULL);
			ROW(text, got.message_id[0] == '\0');
			if (got.outcome == WA_OUTCOME_THROTTLE)
				ROW(text, got.scope == (code == 131056 ?
										WA_SCOPE_RECIPIENT :
										WA_SCOPE_PROVIDER));
			if (got.outcome == WA_OUTCOME_PROVIDER)
				ROW(text, got.scope == WA_SCOPE_PROVIDER);
			if (got.outcome == WA_OUTCOME_RECIPIENT)
				ROW(text, got.scope == WA_SCOPE_RECIPIENT);
		}
	}
}

static void
test_meta_every_code(void)
{
	size_t		i;

	for (i = 0; i < LENGTH(expected_codes); i++)
	{
		const ExpectedCode *want = &expected_codes[i];
		const WaMetaCode *row = wa_gateway_meta_code(want->first);
		char		text[32];

		snprintf(text, sizeof(text), "%ld", want->first);
		if (!ROW(text, row != NULL))
			continue;
		ROW(text, wa_gateway_meta_code(want->last) != NULL);
		ROW(text, row->regain == want->regain);
		check_code(want, want->first);
		if (want->last != want->first)
		{
			check_code(want, want->last);
			check_code(want, want->first + (want->last - want->first) / 2);
		}
	}
}

/* Sorted, no overlap, and nothing in it that is not expected above. */
static void
test_meta_code_table(void)
{
	const WaMetaCode *row;
	long		before = -1;
	size_t		i;
	size_t		j;

	for (i = 0; (row = wa_gateway_meta_code_at(i)) != NULL; i++)
	{
		char		text[32];
		long		code;

		snprintf(text, sizeof(text), "%ld", row->first);
		ROW(text, row->first > before);
		ROW(text, row->last >= row->first);
		before = row->last;
		ROW(text, wa_text_say_form(row->sentence, WA_ENGLISH)[strlen(wa_text_say_form(row->sentence, WA_ENGLISH)) - 1] != '.');
		for (code = row->first; code <= row->last; code++)
		{
			bool		found = false;

			for (j = 0; j < LENGTH(expected_codes) && !found; j++)
				found = code >= expected_codes[j].first &&
					code <= expected_codes[j].last;
			ROW(text, found);
			ROW(text, wa_gateway_meta_code(code) == row);
		}
	}
	CHECK(i > 80);
	CHECK(wa_gateway_meta_code(-1) == NULL);
	CHECK(wa_gateway_meta_code(5) == NULL);
	CHECK(wa_gateway_meta_code(199) == NULL);
	CHECK(wa_gateway_meta_code(300) == NULL);
	CHECK(wa_gateway_meta_code(138022) == NULL);
	CHECK(wa_gateway_meta_code(2494180) == NULL);
	CHECK(wa_gateway_meta_code(999999999) == NULL);
}

/*
 * Answers of every shape
 */

typedef struct AnswerCase
{
	const char *kind;
	int			http_status;
	const char *body;
	WaOutcome	outcome;
	const char *code;
	const char *message_id;
	const char *reason_part;	/* must occur in the reason; NULL: any */
} AnswerCase;

#define META_OK(rest) \
	"{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":\"6281234567890\",\"wa_id\":\"6281234567890\"}],\"messages\":[{\"id\":\"wamid.HBg=\"" rest "}]}"
#define FONNTE_OK \
	"{\"detail\":\"success! message in queue\",\"id\":[\"80367170\"],\"process\":\"pending\",\"requestid\":2937124,\"status\":true,\"target\":[\"6281234567890\"]}"

static const AnswerCase answers[] = {
	/* Meta accepts */
	{"meta", 200, META_OK(",\"message_status\":\"accepted\""),
	WA_OUTCOME_ACCEPTED, "", "wamid.HBg=", "Meta accepted the message."},
	{"meta", 200, META_OK(""), WA_OUTCOME_ACCEPTED, "", "wamid.HBg=", NULL},
	{"meta", 201, META_OK(""), WA_OUTCOME_ACCEPTED, "", "wamid.HBg=", NULL},
	{"meta", 200, "\xef\xbb\xbf \n" META_OK(",\"message_status\":null") "\r\n \t",
	WA_OUTCOME_ACCEPTED, "", "wamid.HBg=", NULL},
	{"meta", 200, META_OK(",\"message_status\":\"held_for_quality_assessment\""),
	WA_OUTCOME_ACCEPTED, "", "wamid.HBg=", "holds it"},
	{"meta", 200, META_OK(",\"message_status\":\"paused\""),
	WA_OUTCOME_TEMPLATE, "paused", "wamid.HBg=", "paused"},
	{"meta", 200, META_OK(",\"message_status\":\"dropped\""),
	WA_OUTCOME_UNKNOWN, "dropped", "wamid.HBg=", "dropped"},
	{"meta", 200, META_OK(",\"message_status\":[1]"),
	WA_OUTCOME_UNKNOWN, "", "wamid.HBg=", NULL},

	/* Meta: success without proof */
	{"meta", 200, "{}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "{\"messages\":[]}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "{\"messages\":{\"id\":\"x\"}}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "{\"messages\":[{\"id\":\"\"}]}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "{\"messages\":[{\"id\":null}]}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "{\"messages\":[{\"id\":\"a b\"}]}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "{\"messages\":[{\"id\":\"a\\u0000b\"}]}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "{\"messages\":[{\"id\":true}]}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "{\"messages\":[[\"id\"]]}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "[{\"messages\":[{\"id\":\"x\"}]}]", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "null", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "   \n", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, META_OK("") "x", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, META_OK("") META_OK(""), WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "{\"messages\":[{\"id\":\"wamid.x\"}]", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 500, META_OK(""), WA_OUTCOME_UNKNOWN, "", "wamid.HBg=", "500"},
	{"meta", 400, META_OK(""), WA_OUTCOME_UNKNOWN, "", "wamid.HBg=", "400"},
	{"meta", 200, "{\"error\":{\"code\":190},\"messages\":[{\"id\":\"wamid.x\"}]}",
	WA_OUTCOME_UNKNOWN, "", "wamid.x", NULL},
	{"meta", 200, "{\"error\":null,\"messages\":[{\"id\":\"wamid.x\"}]}",
	WA_OUTCOME_ACCEPTED, "", "wamid.x", NULL},

	/* Meta: codes that nobody knows */
	{"meta", 400, "{\"error\":{\"code\":777777,\"message\":\"new\"}}",
	WA_OUTCOME_CALLER, "777777", "", "new"},
	{"meta", 403, "{\"error\":{\"code\":777777}}", WA_OUTCOME_CALLER, "777777", "", NULL},
	{"meta", 500, "{\"error\":{\"code\":777777}}", WA_OUTCOME_RETRY, "777777", "", NULL},
	{"meta", 400, "{\"error\":{\"code\":777777,\"is_transient\":true}}",
	WA_OUTCOME_RETRY, "777777", "", NULL},
	{"meta", 400, "{\"error\":{\"code\":777777,\"is_transient\":\"true\"}}",
	WA_OUTCOME_CALLER, "777777", "", NULL},
	{"meta", 200, "{\"error\":{\"code\":777777}}", WA_OUTCOME_UNKNOWN, "777777", "", NULL},

	/* Meta: an error without a usable code */
	{"meta", 400, "{\"error\":{\"message\":\"bad\"}}", WA_OUTCOME_CALLER, "", "", "bad"},
	{"meta", 401, "{\"error\":{\"message\":\"bad\"}}", WA_OUTCOME_PROVIDER, "", "", "bad"},
	{"meta", 403, "{\"error\":{\"code\":null}}", WA_OUTCOME_PROVIDER, "", "", NULL},
	{"meta", 429, "{\"error\":{\"code\":\"\"}}", WA_OUTCOME_THROTTLE, "", "", NULL},
	{"meta", 500, "{\"error\":{\"code\":\"12x\"}}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 400, "{\"error\":{\"code\":-1}}", WA_OUTCOME_CALLER, "", "", NULL},
	{"meta", 400, "{\"error\":{\"code\":190.5}}", WA_OUTCOME_CALLER, "", "", NULL},
	{"meta", 400, "{\"error\":{\"code\":[190]}}", WA_OUTCOME_CALLER, "", "", NULL},
	{"meta", 400, "{\"error\":{\"code\":\"99999999999999999999999999\"}}",
	WA_OUTCOME_CALLER, "", "", NULL},
	{"meta", 400, "{\"error\":{\"code\":\" 131050 \"}}", WA_OUTCOME_POLICY, "131050", "", NULL},
	{"meta", 400, "{\"error\":\"invalid_request\"}", WA_OUTCOME_CALLER, "", "", "invalid_request"},
	{"meta", 200, "{\"error\":\"invalid_request\"}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 400, "{\"error\":{\"code\":100,\"error_data\":{\"details\":\"\"},\"error_user_msg\":\"user text\"}}",
	WA_OUTCOME_CALLER, "100", "", "user text"},

	/* Meta: no JSON */
	{"meta", 200, "<html>ok</html>", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 204, "", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 302, "", WA_OUTCOME_UNKNOWN, "", "", "302"},
	{"meta", 400, "<html>", WA_OUTCOME_CALLER, "", "", "400"},
	{"meta", 401, "<html>", WA_OUTCOME_PROVIDER, "", "", NULL},
	{"meta", 403, "<html>", WA_OUTCOME_PROVIDER, "", "", NULL},
	{"meta", 404, "<html>", WA_OUTCOME_CALLER, "", "", NULL},
	{"meta", 429, "<html>", WA_OUTCOME_THROTTLE, "", "", NULL},
	{"meta", 502, "<html>", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 504, "", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 0, "", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 999, "x", WA_OUTCOME_UNKNOWN, "", "", NULL},

	/* Fonnte accepts: status and id, both */
	{"fonnte", 200, FONNTE_OK, WA_OUTCOME_ACCEPTED, "", "80367170",
	"Fonnte queued the message (request 2937124)."},
	{"fonnte", 200, "{\"Status\":true,\"id\":[\"7\"]}", WA_OUTCOME_ACCEPTED, "", "7",
	"Fonnte queued the message."},
	{"fonnte", 200, "{\"status\":true,\"id\":[80367170]}", WA_OUTCOME_ACCEPTED, "", "80367170", NULL},
	{"fonnte", 200, "{\"status\":\"true\",\"id\":[\"7\"]}", WA_OUTCOME_ACCEPTED, "", "7", NULL},
	{"fonnte", 200, "{\"status\":true}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"fonnte", 200, "{\"status\":true,\"id\":[]}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"fonnte", 200, "{\"status\":true,\"id\":\"7\"}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"fonnte", 200, "{\"status\":true,\"id\":[\"\"]}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"fonnte", 200, "{\"status\":1,\"id\":[\"7\"]}", WA_OUTCOME_UNKNOWN, "", "7", NULL},
	{"fonnte", 200, "{\"id\":[\"7\"]}", WA_OUTCOME_UNKNOWN, "", "7", NULL},
	{"fonnte", 200, "{\"status\":false,\"id\":[\"7\"]}", WA_OUTCOME_UNKNOWN, "", "7", NULL},
	{"fonnte", 500, FONNTE_OK, WA_OUTCOME_UNKNOWN, "", "80367170", NULL},
	{"fonnte", 400, FONNTE_OK, WA_OUTCOME_UNKNOWN, "", "80367170", NULL},

	/* ids that do not fit into 64 bits are not made equal */
	{"fonnte", 200, "{\"status\":true,\"id\":[98765432109876543210]}",
	WA_OUTCOME_ACCEPTED, "", "98765432109876543210", NULL},
	{"fonnte", 200, "{\"a\":\"\\\"1234567890123456789012\",\"status\":true,\"id\":[98765432109876543211],\"requestid\":29371242937124293712429371}",
	WA_OUTCOME_ACCEPTED, "", "98765432109876543211", "(request 29371242937124293712429371)"},
	{"fonnte", 200, "{\"status\":true,\"id\":[9223372036854775807]}",
	WA_OUTCOME_ACCEPTED, "", "9223372036854775807", NULL},
	{"fonnte", 200, "{\"status\":true,\"id\":[9223372036854775808]}",
	WA_OUTCOME_ACCEPTED, "", "9223372036854775808", NULL},
	{"fonnte", 200, "{\"status\":true,\"id\":[-9223372036854775809]}",
	WA_OUTCOME_ACCEPTED, "", "-9223372036854775809", NULL},
	{"fonnte", 200, "{\"status\":true,\"id\":[12345678901234567890.5]}",
	WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"meta", 200, "{\"messages\":[{\"id\":18446744073709551616}]}",
	WA_OUTCOME_ACCEPTED, "", "18446744073709551616", NULL},
	{"meta", 400, "{\"error\":{\"code\":99999999999999999999}}",
	WA_OUTCOME_CALLER, "", "", NULL},
	{"watzap", 200, "{\"status\":18446744073709551615}", WA_OUTCOME_CALLER, "18446744073709551615", "", NULL},
	{"watzap", 200, "{\"status\":18446744073709551616}", WA_OUTCOME_CALLER, "18446744073709551616", "", NULL},

	/* Fonnte refuses */
	{"fonnte", 200, "{\"reason\":\"token invalid\",\"requestid\":331477110,\"status\":false}",
	WA_OUTCOME_PROVIDER, "token invalid", "", "Fonnte: token invalid"},
	{"fonnte", 401, "{\"Status\":false,\"reason\":\"Token Invalid.\"}",
	WA_OUTCOME_PROVIDER, "token invalid", "", NULL},
	{"fonnte", 200, "{\"status\":\"false\",\"reason\":\" TARGET INVALID \"}",
	WA_OUTCOME_RECIPIENT, "target invalid", "", NULL},
	{"fonnte", 200, "{\"status\":false,\"detail\":\"insufficient quota\"}",
	WA_OUTCOME_PROVIDER, "insufficient quota", "", NULL},
	{"fonnte", 200, "{\"reason\":\"insufficient quota\"}",
	WA_OUTCOME_PROVIDER, "insufficient quota", "", NULL},
	{"fonnte", 200, "{\"status\":false,\"reason\":\"something new\"}",
	WA_OUTCOME_CALLER, "", "", "something new"},
	{"fonnte", 500, "{\"status\":false,\"reason\":\"something new\"}",
	WA_OUTCOME_CALLER, "", "", "something new"},
	{"fonnte", 200, "{\"status\":false}", WA_OUTCOME_CALLER, "", "", "none given"},
	{"fonnte", 200, "{\"status\":false,\"reason\":[1]}", WA_OUTCOME_CALLER, "", "", NULL},
	{"fonnte", 401, "{\"status\":false,\"reason\":\"something new\"}",
	WA_OUTCOME_PROVIDER, "", "", NULL},
	{"fonnte", 429, "{\"status\":false}", WA_OUTCOME_THROTTLE, "", "", NULL},

	/* Fonnte: neither */
	{"fonnte", 200, "{}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"fonnte", 200, "{\"reason\":\"something new\"}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"fonnte", 200, "{\"status\":null,\"id\":null}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"fonnte", 200, "{\"status\":[],\"id\":{}}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"fonnte", 401, "{\"message\":\"Unauthenticated\"}", WA_OUTCOME_PROVIDER, "", "", "Unauthenticated"},
	{"fonnte", 200, "<!DOCTYPE html>", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"fonnte", 502, "<html>", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"fonnte", 404, "<html>", WA_OUTCOME_PROVIDER, "", "", "check the base URL"},
	{"fonnte", 404, "{\"message\":\"no such route\"}", WA_OUTCOME_PROVIDER, "", "", "no such route"},
	{"fonnte", 404, "{\"status\":false,\"reason\":\"what?\"}", WA_OUTCOME_PROVIDER, "", "", "what?"},
	{"fonnte", 404, "{\"status\":false,\"reason\":\"target invalid\"}", WA_OUTCOME_RECIPIENT, "target invalid", "", NULL},
	{"fonnte", 408, "", WA_OUTCOME_RETRY, "", "", "did not take the request up"},
	{"fonnte", 410, "", WA_OUTCOME_CALLER, "", "", NULL},
	{"fonnte", 403, "<html>", WA_OUTCOME_PROVIDER, "", "", NULL},
	{"fonnte", 429, "<html>", WA_OUTCOME_THROTTLE, "", "", NULL},
	{"fonnte", 200, "{\"status\":true,\"id\":[\"7\"", WA_OUTCOME_UNKNOWN, "", "", NULL},

	/* Watzap accepts: "200" as text */
	{"watzap", 200, "{\"status\":\"200\",\"message\":\"Successfully\",\"ack\":\"successfully\"}",
	WA_OUTCOME_ACCEPTED, "200", "", "Watzap accepted the message."},
	{"watzap", 200, "{\"status\":\" 200 \"}", WA_OUTCOME_ACCEPTED, "200", "", NULL},
	{"watzap", 200, "{\"status\":200}", WA_OUTCOME_ACCEPTED, "200", "", NULL},
	{"watzap", 500, "{\"status\":\"200\"}", WA_OUTCOME_UNKNOWN, "200", "", NULL},
	{"watzap", 200, "{\"status\":true,\"message\":\"Successfully\"}",
	WA_OUTCOME_UNKNOWN, "true", "", NULL},
	{"watzap", 200, "{\"status\":\"success\"}", WA_OUTCOME_UNKNOWN, "success", "", NULL},
	{"watzap", 200, "{\"status\":\"201\",\"ack\":\"Successfully\"}",
	WA_OUTCOME_UNKNOWN, "201", "", NULL},

	/* Watzap refuses */
	{"watzap", 200, "{\"status\":\"2000\",\"message\":\"odd\",\"ack\":\"error\"}",
	WA_OUTCOME_CALLER, "2000", "", "odd"},
	{"watzap", 200, "{\"status\":false,\"message\":\"odd\"}", WA_OUTCOME_CALLER, "false", "", NULL},
	{"watzap", 200, "{\"status\":200.5}", WA_OUTCOME_CALLER, "200.5", "", NULL},
	{"watzap", 401, "{\"status\":\"x\"}", WA_OUTCOME_PROVIDER, "x", "", NULL},
	{"watzap", 429, "{\"status\":\"x\"}", WA_OUTCOME_THROTTLE, "x", "", NULL},

	/* Watzap: neither */
	{"watzap", 200, "{\"ack\":\"successfully\"}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"watzap", 200, "{\"status\":null}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"watzap", 200, "{\"status\":[\"200\"]}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"watzap", 200, "{\"status\":\"\"}", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"watzap", 404, "<html>404 Not Found</html>", WA_OUTCOME_PROVIDER, "", "", "check the base URL"},
	{"watzap", 404, "{\"status\":\"404\",\"message\":\"not found\"}", WA_OUTCOME_PROVIDER, "404", "", "not found"},
	{"watzap", 404, "{\"status\":\"1005\"}", WA_OUTCOME_RETRY, "1005", "", NULL},
	{"watzap", 408, "<html>", WA_OUTCOME_RETRY, "", "", "did not take the request up"},
	{"watzap", 503, "<html>", WA_OUTCOME_UNKNOWN, "", "", NULL},
	{"watzap", 401, "{\"message\":\"no\"}", WA_OUTCOME_PROVIDER, "", "", "no"},
};

/* What is left when an answer has nothing but its status, for each kind. */
static void
test_statuses(void)
{
	static const struct
	{
		int			status;
		WaOutcome	outcome;
		bool		not_reached;
		const char *unlisted;
	}			cases[] = {
		{400, WA_OUTCOME_CALLER, false, "HTTP 400"},
		{402, WA_OUTCOME_CALLER, false, "HTTP 402"},
		{405, WA_OUTCOME_CALLER, false, "HTTP 405"},
		{408, WA_OUTCOME_RETRY, false, ""},
		{421, WA_OUTCOME_RETRY, false, ""},
		{425, WA_OUTCOME_RETRY, false, ""},
		{429, WA_OUTCOME_THROTTLE, false, ""},
		{451, WA_OUTCOME_CALLER, false, "HTTP 451"},
		{500, WA_OUTCOME_UNKNOWN, false, ""},
		{502, WA_OUTCOME_UNKNOWN, false, ""},
		{503, WA_OUTCOME_UNKNOWN, false, ""},
		{504, WA_OUTCOME_UNKNOWN, false, ""},
		{511, WA_OUTCOME_RETRY, true, ""},
		{520, WA_OUTCOME_UNKNOWN, false, ""},
		{521, WA_OUTCOME_RETRY, true, ""},
		{522, WA_OUTCOME_UNKNOWN, false, ""},
		{523, WA_OUTCOME_RETRY, true, ""},
		{524, WA_OUTCOME_UNKNOWN, false, ""},
		{525, WA_OUTCOME_RETRY, true, ""},
		{526, WA_OUTCOME_RETRY, true, ""},
		{527, WA_OUTCOME_UNKNOWN, false, ""},
		{530, WA_OUTCOME_RETRY, true, ""},
		{531, WA_OUTCOME_UNKNOWN, false, ""},
		{599, WA_OUTCOME_UNKNOWN, false, ""},
	};
	static const char *const bodies[] = {"", "<html>error</html>", "{}"};
	const WaGateway *gateway;
	size_t		g;
	size_t		i;
	size_t		b;

	for (g = 0; (gateway = wa_gateway_at(g)) != NULL; g++)
	{
		for (i = 0; i < LENGTH(cases); i++)
		{
			for (b = 0; b < LENGTH(bodies); b++)
			{
				WaVerdict	got;
				char		where[64];

				snprintf(where, sizeof(where), "%s %d %s", gateway->kind,
						 cases[i].status, bodies[b]);
				judge(gateway->kind, cases[i].status, bodies[b], &got);
				ROW(where, got.outcome == cases[i].outcome);
				ROW(where, got.not_reached == cases[i].not_reached);
				check_strings(got.unlisted, cases[i].unlisted, __FILE__,
							  __LINE__, where);
				ROW(where, got.outcome != WA_OUTCOME_RETRY ||
					got.fallback == WA_FALLBACK_YES);
			}
		}
	}
}

/* Refusals that no table has keep the words, but not the recipient's figures. */
static void
test_unlisted(void)
{
	static const struct
	{
		const char *kind;
		int			status;
		const char *body;
		const char *words;
	}			cases[] = {
		{"fonnte", 200, "{\"status\":false,\"reason\":\"device banned\"}", "device banned"},
		{"fonnte", 200, "{\"status\":false,\"reason\":\"6281234567890 is not on WhatsApp (12)\"}",
		"# is not on WhatsApp (#)"},
		{"fonnte", 200, "{\"status\":false}", "none given"},
		{"fonnte", 200, "{\"status\":false,\"reason\":\"input invalid\"}", ""},
		{"fonnte", 200, "{\"status\":false,\"reason\":\"target invalid\"}", ""},
		{"fonnte", 402, "{\"message\":\"pay 5 USD\"}", "HTTP 402: pay # USD"},
		{"watzap", 200, "{\"status\":\"1010\",\"message\":\"blocked 62812\"}", "1010: blocked #"},
		{"watzap", 200, "{\"status\":false}", "false"},
		{"watzap", 200, "{\"status\":\"1002\"}", ""},
		{"meta", 400, "{\"error\":{\"code\":777777,\"message\":\"(#777777) to 62812\"}}", "777777"},
		{"meta", 400, "{\"error\":{\"code\":100}}", ""},
		{"meta", 400, "{\"error\":{\"message\":\"bad 7\"}}", "HTTP 400: bad #"},
		{"meta", 200, "{\"messages\":[{\"id\":\"wamid.x\"}]}", ""},
	};
	size_t		i;

	for (i = 0; i < LENGTH(cases); i++)
	{
		WaVerdict	got;

		judge(cases[i].kind, cases[i].status, cases[i].body, &got);
		check_strings(got.unlisted, cases[i].words, __FILE__, __LINE__,
					  cases[i].body);
		ROW(cases[i].body, got.unlisted[0] == '\0' ||
			got.outcome == WA_OUTCOME_CALLER);
	}
}

/* The language of a template is one that Meta lists. */
static void
test_languages(void)
{
	static const char *const pairs[][2] = {
		{"id", "id"}, {"id_ID", "id"}, {"in", "id"}, {"in_ID", "id"},
		{"en", "en"}, {"en_US", "en_US"}, {"en_GB", "en_GB"}, {"en_ID", NULL},
		{"ms", "ms"}, {"ms_MY", "ms"}, {"iw_IL", "he"}, {"no_NO", "nb"},
		{"fil", "fil"}, {"tl_PH", "fil"}, {"pt", NULL}, {"pt_BR", "pt_BR"},
		{"zh", NULL}, {"zh_CN", "zh_CN"}, {"jv", NULL}, {"su", NULL},
		{"xx_XX", NULL}, {"", NULL}, {"_", NULL},
	};
	size_t		i;

	for (i = 0; i < LENGTH(pairs); i++)
		check_strings(wa_gateway_language(pairs[i][0]), pairs[i][1],
					  __FILE__, __LINE__, pairs[i][0]);
}

static void
test_params(void)
{
	static const WaPair spec[] = {
		{"partner_name", "John Doe"}, {"permit_type", "SIUP"},
		{"permit_number", "503.517-0186-IX-SIUP-DPM-PPTSP-2018"}
	};
	static const WaPair awkward[] = {
		{"q", "say \"hi\" \\ \xc3\xa9 https://x/y?a=1&b=2"},
		{"lines", "one\n\ttwo"}, {"empty", ""}, {"null", NULL},
		{"bad", "\xff"}
	};
	static const struct
	{
		const WaGateway *gateway;
		bool		named;
		const WaPair *values;
		size_t		n;
		const char *json;
	}			table[] = {
		{&wa_gateway_meta, false, spec, 3,
			"[{\"type\":\"text\",\"text\":\"John Doe\"},"
			"{\"type\":\"text\",\"text\":\"SIUP\"},"
			"{\"type\":\"text\","
		"\"text\":\"503.517-0186-IX-SIUP-DPM-PPTSP-2018\"}]"},
		{&wa_gateway_meta, true, spec, 2,
			"[{\"type\":\"text\",\"parameter_name\":\"partner_name\","
			"\"text\":\"John Doe\"},"
			"{\"type\":\"text\",\"parameter_name\":\"permit_type\","
		"\"text\":\"SIUP\"}]"},
		{&wa_gateway_watzap, false, spec, 3,
			"{\"1\":\"John Doe\",\"2\":\"SIUP\","
		"\"3\":\"503.517-0186-IX-SIUP-DPM-PPTSP-2018\"}"},
		{&wa_gateway_fonnte, false, spec, 3,
			"{\"var1\":\"John Doe\",\"var2\":\"SIUP\","
		"\"var3\":\"503.517-0186-IX-SIUP-DPM-PPTSP-2018\"}"},
		{&wa_gateway_meta, false, spec, 0, "[]"},
		{&wa_gateway_meta, true, NULL, 0, "[]"},
		{&wa_gateway_watzap, false, NULL, 0, "{}"},
		{&wa_gateway_fonnte, false, NULL, 0, "{}"},
		{&wa_gateway_watzap, false, awkward, 5,
			"{\"1\":\"say \\\"hi\\\" \\\\ \xc3\xa9 https://x/y?a=1&b=2\","
			"\"2\":\"one two\",\"3\":\"-\",\"4\":\"-\","
		"\"5\":\"\xef\xbf\xbd\"}"},
	};
	static const WaPair nameless[] = {{"a", "x"}, {NULL, "y"}};
	size_t		i;
	char	   *json;

	for (i = 0; i < LENGTH(table); i++)
	{
		json = wa_gateway_params(table[i].gateway, table[i].values, table[i].n,
								 table[i].named);
		CHECK_STR(json, table[i].json);
		free(json);
	}

	CHECK(wa_gateway_params(&wa_gateway_meta, nameless, 2, true) == NULL);
	/* who takes them by position only needs no names, whatever is asked for */
	json = wa_gateway_params(&wa_gateway_fonnte, nameless, 2, true);
	CHECK_STR(json, "{\"var1\":\"x\",\"var2\":\"y\"}");
	free(json);
}

/* Each provider has what the rest of the code relies on. */
static void
test_members(void)
{
	const WaGateway *gateway;
	char		text[1024] = "";
	WaSaidText	err;
	size_t		i;
	size_t		k;

	for (i = 0; (gateway = wa_gateway_at(i)) != NULL; i++)
	{
		ROW(gateway->kind, wa_gateway_find(gateway->kind) == gateway);
		ROW(gateway->kind, gateway->name != NULL && gateway->limits != NULL);
		ROW(gateway->kind, gateway->build != NULL && gateway->judge != NULL);
		ROW(gateway->kind, gateway->build_test != NULL && gateway->judge_test != NULL);
		ROW(gateway->kind, gateway->limits->max_in_flight > 0);
		ROW(gateway->kind, gateway->max_text_chars > 0);
		ROW(gateway->kind, wa_gateway_base_url_ok(gateway->base_url, &err));
		for (k = 0; k < gateway->nsettings; k++)
			ROW(gateway->settings[k].name,
				wa_gateway_open_setting(gateway->settings[k].name) != gateway->settings[k].secret);
		wa_gateway_usual_hosts(text, sizeof(text));
		ROW(gateway->kind, wa_gateway_url_allowed(gateway->kind, gateway->base_url, text, &err));
	}
	CHECK(wa_gateway_allowed_list_valid(text, &err));
	CHECK(!wa_gateway_open_setting("kind"));

	wa_gateway_kinds(text, sizeof(text));
	CHECK(strncmp(text, "meta, watzap, fonnte", 20) == 0);
	CHECK_STR(wa_gateway_proposed(0)->kind, "fonnte");
	CHECK_STR(wa_gateway_proposed(1)->kind, "watzap");
	CHECK_STR(wa_gateway_proposed(2)->kind, "meta");
	CHECK(wa_gateway_proposed(i) == NULL);

	CHECK_INT(wa_gateway_watzap.timeout_ms(NULL, 0), 0);
	{
		static const WaPair wait[] = {{"wait_until_send", "on"}};

		CHECK_INT(wa_gateway_watzap.timeout_ms(wait, 1), 60000);
	}
}

/* In which message ids the recipient's number can be read, and where. */
static void
test_telling_ids(void)
{
	size_t		from = 0;
	size_t		count = 0;

	CHECK_INT(wa_gateway_telling_id("wamid.HBgNNjI4MTIzNDU2Nzg5MBUCABEYEjE1RkQ4OUI0Q0Q5QzY4QkQ1AA== is it",
									&from, &count), 62);
	CHECK_INT(from, 6);
	CHECK_INT(count, 44);		/* all but the last 12 characters */
	CHECK_INT(wa_gateway_telling_id("wamid.short", &from, &count), 11);
	CHECK_INT(from, 6);
	CHECK_INT(count, 5);
	CHECK_INT(wa_gateway_telling_id("80367170", &from, &count), 0);
	CHECK_INT(wa_gateway_telling_id("", &from, &count), 0);
}

/* What Meta asks of a template. */
static void
test_template_rules(void)
{
	static const struct
	{
		const char *body;
		int			objections;
	}			bodies[] = {
		{"Yth. {{a}}, izin Saudara dengan nomor {{b}} sudah terbit.", 0},
		{"tanpa variabel", 0},
		{"{{a}} di depan kalimat ini.", 1},
		{"Pada akhir kalimat ini {{a}}", 1},
		{"Dua variabel berdampingan di sini {{a}} {{b}} lalu beberapa kata lagi.", 1},
		{"Izin {{a}} terbit", 1},
		{"Nama {{a_name_of_21_character}} terlalu panjang sekali.", 1},
		{"{{a}}{{b}}", 4},
	};
	const char *objections[WA_MAX_OBJECTIONS];
	size_t		i;

	for (i = 0; i < LENGTH(bodies); i++)
		ROW(bodies[i].body,
			wa_gateway_meta.object(bodies[i].body, objections) == bodies[i].objections);
	CHECK(wa_gateway_meta.refuse_name("izin_selesai_2") == NULL);
	CHECK(wa_gateway_meta.refuse_name("Izin selesai") != NULL);
}

/* Meta's word for a template that is paused is about everybody's messages. */
static void
test_paused(void)
{
	WaVerdict	got;

	judge("meta", 200, META_OK(",\"message_status\":\"paused\""), &got);
	CHECK_INT(got.outcome, WA_OUTCOME_TEMPLATE);
	CHECK_INT(got.scope, WA_SCOPE_PROVIDER);
	CHECK_INT(got.fallback, WA_FALLBACK_YES);
}

static void
test_answers(void)
{
	size_t		i;

	for (i = 0; i < LENGTH(answers); i++)
	{
		const AnswerCase *want = &answers[i];
		WaVerdict	got;
		char		where[256];

		snprintf(where, sizeof(where), "%s %d %.200s", want->kind,
				 want->http_status, want->body);
		judge(want->kind, want->http_status, want->body, &got);
		ROW(where, got.outcome == want->outcome);
		check_strings(got.code, want->code, __FILE__, __LINE__, where);
		check_strings(got.message_id, want->message_id, __FILE__, __LINE__,
					  where);
		ROW(where, is_sentence(english(&got.said)));
		if (want->reason_part != NULL)
			ROW(where, strstr(english(&got.said), want->reason_part) != NULL);
		ROW(where, !got.opt_out || strcmp(got.code, "131050") == 0);

		/* What is accepted or in doubt must never go to another provider. */
		if (got.outcome == WA_OUTCOME_ACCEPTED ||
			got.outcome == WA_OUTCOME_UNKNOWN)
			ROW(where, got.fallback == WA_FALLBACK_NO);

		/* The same body, cut by our own limit, proves nothing. */
		if (want->http_status == 200)
		{
			WaReply		reply = {0};

			reply.http_status = 200;
			reply.retry_after_s = -1;
			reply.body = want->body;
			reply.body_len = strlen(want->body);
			reply.truncated = true;
			wa_gateway_find(want->kind)->judge(&reply, &got);
			ROW(where, got.outcome == WA_OUTCOME_UNKNOWN);
		}
	}
}

static void
test_answers_unlike_text(void)
{
	static const char nul[] = "{\"messages\":[{\"id\":\"wamid.x\"}]}\0{}";
	static const char hostile[] =
		"{\"error\":{\"code\":100,\"message\":\"a\xff\xc3(\\u0000b\\u001b[2J\\nc\\u202ed\\ud800 \xc3\xa9\"}}";
	WaVerdict	verdict;
	WaReply		reply = {0};
	char	   *deep;
	char	   *big;
	size_t		i;

	judge_bytes("meta", 200, nul, sizeof(nul) - 1, &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_UNKNOWN);

	judge("meta", 400, hostile, &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_CALLER);
	CHECK(strstr(english(&verdict.said), "a?\?( b [2J c d") != NULL);
	CHECK(strstr(english(&verdict.said), "\xc3\xa9") != NULL);

	judge_bytes("meta", 200, "{\"messages\":[{\"id\":\"a\0b\"}]}", 27,
				&verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_UNKNOWN);
	CHECK_STR(verdict.message_id, "");

	/* Nesting beyond the limit is not followed, complete or not. */
	deep = malloc(200001);
	for (i = 10; i <= 100; i += 90)
	{
		static const char start[] =
			"{\"messages\":[{\"id\":\"wamid.x\"}],\"x\":";

		strcpy(deep, start);
		memset(deep + sizeof(start) - 1, '[', i);
		memset(deep + sizeof(start) - 1 + i, ']', i);
		strcpy(deep + sizeof(start) - 1 + 2 * i, "}");
		judge("meta", 200, deep, &verdict);
		CHECK_INT(verdict.outcome, i == 10 ? WA_OUTCOME_ACCEPTED :
				  WA_OUTCOME_UNKNOWN);
	}
	memset(deep, '[', 200000);
	deep[200000] = '\0';
	memcpy(deep, "{\"error\":", 9);
	judge("meta", 200, deep, &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_UNKNOWN);
	judge("fonnte", 200, deep, &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_UNKNOWN);
	free(deep);

	/* A long text is cut at a character boundary. */
	big = malloc(100100);
	strcpy(big, "{\"error\":{\"code\":190,\"message\":\"");
	for (i = strlen(big); i < 100000; i += 2)
		memcpy(big + i, "\xc3\xa9", 2);
	strcpy(big + i, "\"}}");
	judge("meta", 400, big, &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_PROVIDER);
	CHECK(wa_gateway_utf8_length(english(&verdict.said), &i));
	CHECK(strlen(english(&verdict.said)) > 300);
	free(big);

	/* An id too long to keep is no proof. */
	big = malloc(400);
	strcpy(big, "{\"messages\":[{\"id\":\"");
	memset(big + strlen(big), 'x', 300);
	strcpy(big + 20 + 300, "\"}]}");
	judge("meta", 200, big, &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_UNKNOWN);
	free(big);

	/* An unknown code is tried again twice, not more. */
	judge("meta", 500, "{\"error\":{\"code\":777777}}", &verdict);
	CHECK_INT(verdict.max_retries, 2);
	judge("meta", 400, "{\"error\":{\"code\":777777,\"is_transient\":true}}",
		  &verdict);
	CHECK_INT(verdict.max_retries, 2);
	judge("meta", 400, "{\"error\":{\"code\":777777}}", &verdict);
	CHECK_INT(verdict.max_retries, 0);

	/* No body at all. */
	reply.http_status = 200;
	reply.retry_after_s = -1;
	for (i = 0; wa_gateway_at(i) != NULL; i++)
	{
		wa_gateway_at(i)->judge(&reply, &verdict);
		CHECK_INT(verdict.outcome, WA_OUTCOME_UNKNOWN);
	}
}

static void
test_waits(void)
{
	static const struct
	{
		int			code;
		long		retry_after_s;
		const char *usage;
		long		wait_s;
	}			cases[] = {
		{4, -1, NULL, -1},
		{4, 7, NULL, 7},
		{4, 0, NULL, 0},
		{4, 999999999, NULL, 86400},
		{4, 7, "{\"102\":[{\"type\":\"whatsapp\",\"call_count\":100,\"estimated_time_to_regain_access\":5}]}", 300},
		{17, -1, "{\"102\":[{\"type\":\"a\",\"estimated_time_to_regain_access\":1},{\"estimated_time_to_regain_access\":9}],\"103\":[{\"estimated_time_to_regain_access\":2}]}", 540},
		{80007, -1, "{\"102\":[{\"estimated_time_to_regain_access\":99999999999}]}", 86400},
		{80007, -1, "{\"102\":[{\"estimated_time_to_regain_access\":0}]}", -1},
		{80007, 3, "{\"102\":[{\"estimated_time_to_regain_access\":-5}]}", 3},
		{80007, 3, "{\"102\":[{\"estimated_time_to_regain_access\":{}}]}", 3},
		{80007, 3, "{\"102\":7,\"103\":[7]}", 3},
		{80007, 3, "not json", 3},
		{80007, 3, "", 3},
		{130429, 2, "{\"102\":[{\"estimated_time_to_regain_access\":5}]}", 2},
		{130429, -1, "{\"102\":[{\"estimated_time_to_regain_access\":5}]}", -1},
		{131056, 6, NULL, 6},
		{2, 30, NULL, 30},
		{131057, -1, NULL, 90},
		{190, 30, NULL, -1},
		{131049, 30, NULL, 86400},
	};
	WaVerdict	verdict;
	WaReply		reply = {0};
	char		body[64];
	size_t		i;

	for (i = 0; i < LENGTH(cases); i++)
	{
		snprintf(body, sizeof(body), "{\"error\":{\"code\":%d}}",
				 cases[i].code);
		reply.http_status = 429;
		reply.body = body;
		reply.body_len = strlen(body);
		reply.retry_after_s = cases[i].retry_after_s;
		reply.usage_header = cases[i].usage;
		wa_gateway_find("meta")->judge(&reply, &verdict);
		CHECK_INT(verdict.wait_s, cases[i].wait_s);
	}

	/* Without a code, Retry-After is all there is. */
	reply.body = "<html>";
	reply.body_len = 6;
	reply.retry_after_s = 12;
	reply.usage_header = NULL;
	wa_gateway_find("fonnte")->judge(&reply, &verdict);
	CHECK_INT(verdict.outcome, WA_OUTCOME_THROTTLE);
	CHECK_INT(verdict.wait_s, 12);
	reply.http_status = 401;
	wa_gateway_find("fonnte")->judge(&reply, &verdict);
	CHECK_INT(verdict.wait_s, -1);
}

/*
 * The words of Fonnte and Watzap
 */

typedef struct ExpectedWord
{
	const char *word;
	WaOutcome	outcome;
	WaFallback	fallback;
	int			max_retries;
	long		wait_s;
} ExpectedWord;

static const ExpectedWord fonnte_words[] = {
	{"token invalid", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1},
	{"unknown user", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1},
	{"invalid device", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1},
	{"request invalid on disconnected device", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1},
	{"insufficient quota", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1},
	{"target required", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1},
	{"target invalid", WA_OUTCOME_RECIPIENT, WA_FALLBACK_NO, 0, -1},
	{"target input invalid", WA_OUTCOME_RECIPIENT, WA_FALLBACK_NO, 0, -1},
	{"input invalid", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1},
	{"invalid/empty body value", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1},
	{"JSON format invalid", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1},
	{"url invalid", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1},
	{"url unreachable", WA_OUTCOME_RETRY, WA_FALLBACK_YES, 2, 300},
	{"file format not supported", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1},
	{"file size must under 4MB", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1},
	{"id required", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1},
	{"this API is deprecated, use webhook update message status instead", WA_OUTCOME_CALLER, WA_FALLBACK_YES, 0, -1},
};

static const ExpectedWord watzap_words[] = {
	{"1001", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1},
	{"1002", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1},
	{"1003", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1},
	{"1004", WA_OUTCOME_PROVIDER, WA_FALLBACK_YES, 0, -1},
	{"1005", WA_OUTCOME_RETRY, WA_FALLBACK_YES, 1, 60},
	{"1006", WA_OUTCOME_RETRY, WA_FALLBACK_YES, 1, 60},
};

static void
check_word(const char *kind, const ExpectedWord *want, int http_status,
		   const char *format, const char *word)
{
	WaVerdict	got;
	char		body[256];

	snprintf(body, sizeof(body), format, word);
	judge(kind, http_status, body, &got);
	ROW(body, got.outcome == want->outcome);
	ROW(body, got.fallback == want->fallback);
	ROW(body, got.max_retries == want->max_retries);
	ROW(body, got.wait_s == want->wait_s);
	ROW(body, strncmp(got.code, want->word, sizeof(got.code) - 1) == 0);
	ROW(body, is_sentence(english(&got.said)));
	if (got.outcome == WA_OUTCOME_PROVIDER)
		ROW(body, got.scope == WA_SCOPE_PROVIDER);
	if (got.outcome == WA_OUTCOME_RECIPIENT)
		ROW(body, got.scope == WA_SCOPE_RECIPIENT);
}

static void
test_fonnte_every_reason(void)
{
	static const int statuses[] = {200, 400, 401, 500};
	size_t		i;
	size_t		j;

	for (i = 0; i < LENGTH(fonnte_words); i++)
	{
		char		upper[128];

		for (j = 0; fonnte_words[i].word[j] != '\0'; j++)
		{
			upper[j] = fonnte_words[i].word[j];
			if (upper[j] >= 'a' && upper[j] <= 'z')
				upper[j] = (char) (upper[j] - 'a' + 'A');
		}
		upper[j] = '\0';
		for (j = 0; j < LENGTH(statuses); j++)
		{
			check_word("fonnte", &fonnte_words[i], statuses[j],
					   "{\"reason\":\"%s\",\"requestid\":1,\"status\":false}",
					   fonnte_words[i].word);
			check_word("fonnte", &fonnte_words[i], statuses[j],
					   "{\"detail\":\" %s.\",\"Status\":false}", upper);
		}
	}
	CHECK(wa_gateway_fonnte_reason_at(LENGTH(fonnte_words) - 1) != NULL);
	CHECK(wa_gateway_fonnte_reason_at(LENGTH(fonnte_words)) == NULL);
	CHECK(wa_gateway_fonnte_reason("") == NULL);
	CHECK(wa_gateway_fonnte_reason("token") == NULL);
}

static void
test_watzap_every_status(void)
{
	size_t		i;

	for (i = 0; i < LENGTH(watzap_words); i++)
	{
		const ExpectedWord *want = &watzap_words[i];

		check_word("watzap", want, 200,
				   "{\"status\":\"%s\",\"message\":\"text\",\"ack\":\"error\"}",
				   want->word);
		check_word("watzap", want, 200, "{\"status\":%s}", want->word);
		check_word("watzap", want, 500, "{\"status\":\" %s\\n\"}",
				   want->word);
		check_word("watzap", want, 200,
				   "{\"status\":\"%s\",\"ack\":\"successfully\"}",
				   want->word);
	}
}

/*
 * Requests
 */

/* A request as one text: line, headers, empty line, body. */
static void
flatten(const WaRequest *req, char *dst, size_t size)
{
	size_t		i;
	int			n;

	n = snprintf(dst, size, "%s %s\n", req->method, req->url);
	for (i = 0; i < req->nheaders; i++)
		n += snprintf(dst + n, size - (size_t) n, "%s\n", req->headers[i]);
	if (req->body != NULL)
	{
		CHECK_INT(strlen(req->body), req->body_len);
		snprintf(dst + n, size - (size_t) n, "\n%s", req->body);
	}
}

static const WaPair three[] = {
	{"partner_name", "Budi \"Santoso\""},
	{"permit_type", "SIUP\n/ A"},
	{"permit_number", ""},
};

typedef struct RequestCase
{
	const char *kind;
	const char *base_url;
	WaOutbound	msg;
	const char *want;
} RequestCase;

#define META_HEAD(base) \
	"POST " base "/v26.0/1065/messages\n" \
	"Content-Type: application/json\n" \
	"Accept: application/json\n" \
	"Authorization: Bearer EAAG.secret-meta/token\n\n"
#define FONNTE_HEAD \
	"POST https://api.fonnte.com/send\n" \
	"Content-Type: application/x-www-form-urlencoded\n" \
	"Accept: application/json\n" \
	"Authorization: fonnte-secret!\n\n"
#define WATZAP_HEAD(path) \
	"POST https://api.watzap.id/v1/" path "\n" \
	"Content-Type: application/json\n" \
	"Accept: application/json\n\n"
#define WATZAP_KEYS \
	"{\"api_key\":\"WATZAPKEY\",\"number_key\":\"NUMBER\\\"KEY\","

static const RequestCase requests[] = {
	{"meta", NULL,
		{.number = "6281234567890",.form = WA_FORM_POSITIONAL,
			.template_name = "izin_selesai_diproses",.params = three,
		.nparams = 3,.callback = "swa:1:42"},
		META_HEAD("https://graph.facebook.com")
	"{\"messaging_product\":\"whatsapp\",\"recipient_type\":\"individual\",\"to\":\"+6281234567890\",\"type\":\"template\",\"biz_opaque_callback_data\":\"swa:1:42\",\"template\":{\"name\":\"izin_selesai_diproses\",\"language\":{\"code\":\"id\"},\"components\":[{\"type\":\"body\",\"parameters\":[{\"type\":\"text\",\"text\":\"Budi \\\"Santoso\\\"\"},{\"type\":\"text\",\"text\":\"SIUP / A\"},{\"type\":\"text\",\"text\":\"-\"}]}]}}"},
	{"meta", "",
		{.number = "6281234567890",.form = WA_FORM_NAMED,
			.template_name = "izin_selesai_bernama",.language = "en_US",
		.params = three,.nparams = 1},
		META_HEAD("https://graph.facebook.com")
	"{\"messaging_product\":\"whatsapp\",\"recipient_type\":\"individual\",\"to\":\"+6281234567890\",\"type\":\"template\",\"template\":{\"name\":\"izin_selesai_bernama\",\"language\":{\"code\":\"en_US\"},\"components\":[{\"type\":\"body\",\"parameters\":[{\"type\":\"text\",\"parameter_name\":\"partner_name\",\"text\":\"Budi \\\"Santoso\\\"\"}]}]}}"},
	{"meta", "http://127.0.0.1:8080/",
		{.number = "6281234567890",.form = WA_FORM_POSITIONAL,
		.template_name = "hello_world",.language = "",.callback = ""},
		META_HEAD("http://127.0.0.1:8080")
	"{\"messaging_product\":\"whatsapp\",\"recipient_type\":\"individual\",\"to\":\"+6281234567890\",\"type\":\"template\",\"template\":{\"name\":\"hello_world\",\"language\":{\"code\":\"id\"}}}"},
	{"meta", NULL,
		{.number = "6281234567890",.form = WA_FORM_TEXT,
		.body = "Yth. \"Budi\"\\,\r\n\tizin \xc3\xa9 \xf0\x9f\x98\x80 </b> \x01\x7f",.callback = "swa:1:42"},
		META_HEAD("https://graph.facebook.com")
	"{\"messaging_product\":\"whatsapp\",\"recipient_type\":\"individual\",\"to\":\"+6281234567890\",\"type\":\"text\",\"biz_opaque_callback_data\":\"swa:1:42\",\"text\":{\"body\":\"Yth. \\\"Budi\\\"\\\\,\\r\\n\\tizin \xc3\xa9 \xf0\x9f\x98\x80 </b> \\u0001\\u007f\",\"preview_url\":false}}"},
	{"fonnte", NULL,
		{.number = "6281234567890",.form = WA_FORM_TEXT,
		.body = "Yth. Budi, izin SIUP Anda selesai."},
		FONNTE_HEAD
	"target=6281234567890&message=Yth.%20Budi%2C%20izin%20SIUP%20Anda%20selesai.&countryCode=62&connectOnly=true&preview=false"},
	{"fonnte", NULL,
		{.number = "12025550123",.form = WA_FORM_TEXT,
		.body = "a&b=c+d%~-_.\n\xc3\xa9|,"},
		FONNTE_HEAD
	"target=12025550123&message=a%26b%3Dc%2Bd%25~-_.%0A%C3%A9%7C%2C&countryCode=0&connectOnly=true&preview=false"},
	{"fonnte", NULL,
		{.number = "6281",.form = WA_FORM_TEXT,
		.body = "{name}{VAR12} {{Name}} {var} {names} {nam {var1 {var1} {"},
		FONNTE_HEAD
	"target=6281&message=%7B%E2%80%8Bname%7D%7B%E2%80%8BVAR12%7D%20%7B%7B%E2%80%8BName%7D%7D%20%7Bvar%7D%20%7Bnames%7D%20%7Bnam%20%7Bvar1%20%7B%E2%80%8Bvar1%7D%20%7B&countryCode=62&connectOnly=true&preview=false"},
	{"fonnte", NULL,
		{.number = "6281234567890",.form = WA_FORM_POSITIONAL,
		.template_name = "template_fonnte_001",.params = three,.nparams = 3},
		FONNTE_HEAD
	"target=6281234567890&template=template_fonnte_001&var1=Budi%20%22Santoso%22&var2=SIUP%20%2F%20A&var3=-&countryCode=62&connectOnly=true&preview=false"},
	{"watzap", NULL,
		{.number = "6281234567890",.form = WA_FORM_TEXT,
		.body = "Yth. Budi,\nizin \"SIUP\""},
		WATZAP_HEAD("send_message")
	WATZAP_KEYS "\"phone_no\":\"6281234567890\",\"message\":\"Yth. Budi,\\nizin \\\"SIUP\\\"\"}"},
	{"watzap", NULL,
		{.number = "6281234567890",.form = WA_FORM_POSITIONAL,
		.template_name = "template_watzap_001",.params = three,.nparams = 3},
		WATZAP_HEAD("message/sendTemplate")
	WATZAP_KEYS "\"phone_no\":\"6281234567890\",\"template_id\":\"template_watzap_001\",\"params\":{\"1\":\"Budi \\\"Santoso\\\"\",\"2\":\"SIUP / A\",\"3\":\"-\"}}"},
	{"watzap", NULL,
		{.number = "6281234567890",.form = WA_FORM_POSITIONAL,
		.template_name = "t"},
		WATZAP_HEAD("message/sendTemplate")
	WATZAP_KEYS "\"phone_no\":\"6281234567890\",\"template_id\":\"t\",\"params\":{}}"},
};

/* The settings that the tests use for a kind. */
static const WaPair *
settings_of(const char *kind, size_t *count)
{
	size_t		i;

	for (i = 0; i < LENGTH(kinds); i++)
	{
		if (strcmp(kinds[i].kind, kind) == 0)
		{
			*count = kinds[i].count;
			return kinds[i].settings;
		}
	}
	ROW("a provider has no settings here", false);
	*count = 0;
	return NULL;
}

static void
test_requests(void)
{
	size_t		i;

	for (i = 0; i < LENGTH(requests); i++)
	{
		const RequestCase *want = &requests[i];
		const WaPair *settings;
		size_t		nsettings;
		WaRequest	req;
		WaSaidText	err = {""};
		char		flat[4096];

		memset(&req, 0xff, sizeof(req));
		settings = settings_of(want->kind, &nsettings);
		if (!check_note(wa_gateway_find(want->kind)->build(want->base_url,
														   settings, nsettings,
														   &want->msg, &req,
														   &err),
						__FILE__, __LINE__, want->want))
		{
			fprintf(stderr, "\t%s\n", english(&err));
			continue;
		}
		flatten(&req, flat, sizeof(flat));
		CHECK_STR(flat, want->want);
		wa_gateway_request_free(&req);
		CHECK(req.url == NULL && req.headers == NULL && req.body == NULL);
	}
}

/* Settings that change a request. */
static void
test_request_settings(void)
{
	static const WaPair version[] = {
		{"phone_number_id", "1"}, {"access_token", "t"}, {"api_version", "v24.0"},
	};
	static const WaPair secret[] = {{"token", "T"}};
	static const WaPair keys[] = {{"api_key", "A"}, {"number_key", "N"}};
	static const struct
	{
		const char *value;
		int			want;		/* 1: waits, 0: does not, -1: refused */
	}			waits[] = {
		{NULL, 0}, {"", 0}, {"false", 0}, {"off", 0}, {"0", 0}, {"no", 0},
		{"true", 1}, {"TRUE", 1}, {"1", 1}, {"on", 1}, {"yes", 1},
		{"maybe", -1}, {"2", -1},
	};
	WaOutbound	msg = {.number = "62811",.form = WA_FORM_TEXT,.body = "x"};
	WaRequest	req;
	WaSaidText	err = {""};
	size_t		i;

	CHECK(wa_gateway_find("meta")->build(NULL, version, 3, &msg, &req, &err));
	CHECK_STR(req.url, "https://graph.facebook.com/v24.0/1/messages");
	wa_gateway_request_free(&req);

	for (i = 0; i < LENGTH(waits); i++)
	{
		WaPair		settings[3] = {{"phone_number_id", "1"}, {"access_token", "T"}, {"number_with_plus", NULL}};
		bool		is_default = waits[i].value == NULL || waits[i].value[0] == '\0';
		bool		built;

		settings[2].value = waits[i].value;
		built = wa_gateway_find("meta")->build(NULL, settings, 3, &msg, &req,
											   &err);
		CHECK_INT(built, waits[i].want >= 0);
		if (built)
			CHECK(strstr(req.body, is_default || waits[i].want ?
						 "\"to\":\"+62811\"" : "\"to\":\"62811\"") != NULL);
		wa_gateway_request_free(&req);
	}

	msg.number = "ID.1349xyz";
	for (i = 0; i < LENGTH(waits); i++)
	{
		WaPair		settings[3] = {{"phone_number_id", "1"}, {"access_token", "T"}, {"send_to_ids", NULL}};
		bool		built;

		settings[2].value = waits[i].value;
		built = wa_gateway_find("meta")->build(NULL, settings, 3, &msg, &req, &err);
		CHECK_INT(built, waits[i].want == 1);
		if (built)
			CHECK(strstr(req.body, "\"recipient_type\":\"individual\",\"recipient\":\"ID.1349xyz\",\"type\":") != NULL &&
				  strstr(req.body, "\"to\"") == NULL);
		wa_gateway_request_free(&req);
	}
	CHECK(!wa_gateway_find("fonnte")->build(NULL, secret, 1, &msg, &req, &err));
	CHECK(strstr(english(&err), "only an id is known") != NULL);
	CHECK(!wa_gateway_find("watzap")->build(NULL, keys, 2, &msg, &req, &err));
	CHECK(strstr(english(&err), "only an id is known") != NULL);
	msg.number = "62811";

	for (i = 0; i < LENGTH(waits); i++)
	{
		WaPair		settings[3] = {{"api_key", "A"}, {"number_key", "N"}, {"wait_until_send", NULL}};
		bool		built;

		settings[2].value = waits[i].value;
		built = wa_gateway_find("watzap")->build(NULL, settings, 3, &msg, &req,
												 &err);
		CHECK_INT(built, waits[i].want >= 0);
		if (built)
			CHECK_STR(req.body, waits[i].want ?
					  "{\"api_key\":\"A\",\"number_key\":\"N\",\"phone_no\":\"62811\",\"message\":\"x\",\"wait_until_send\":\"1\"}" :
					  "{\"api_key\":\"A\",\"number_key\":\"N\",\"phone_no\":\"62811\",\"message\":\"x\"}");
		wa_gateway_request_free(&req);
	}
}

/* Build with one thing wrong; err must name it and show no secret. */
static void
check_refused(const char *kind, const char *base_url,
			  const WaPair *settings, size_t nsettings,
			  const WaOutbound *msg, const char *part)
{
	WaRequest	req;
	WaSaidText	err = {""};
	bool		built;

	memset(&req, 0xff, sizeof(req));
	if (msg != NULL)
		built = wa_gateway_find(kind)->build(base_url, settings, nsettings,
											 msg, &req, &err);
	else
		built = wa_gateway_find(kind)->build_test(base_url, settings,
												  nsettings, &req, &err);
	ROW(part, !built);
	if (!ROW(part, strstr(english(&err), part) != NULL))
		fprintf(stderr, "\t%s: %s\n", kind, english(&err));
	ROW(part, strstr(english(&err), "SECRET") == NULL);
	ROW(part, req.url == NULL && req.headers == NULL && req.body == NULL &&
		req.nheaders == 0);
	wa_gateway_request_free(&req);
}

static void
test_requests_refused(void)
{
	static const char *const bad_secrets[] = {
		"SECRET\r\nX: y", "SECRET\n", " SECRET", "SECRET\t", "SECR\x7fSECRET",
		"SECRET\xc3\xa9", "SECRET\x01",
	};
	static const char *const bad_numbers[] = {
		NULL, "", "+62811", "62 811", "0811", "6281a", "1234567890123456",
		"62811|x", "62811,62812",
	};
	static const char *const bad_urls[] = {
		"ftp://x", "api.fonnte.com", "https://x?y=", "https://x#", "https://x y",
		"https://x\r\n", "HTTPS://x", "https://x\\y", "https://\xc3\xa9",
	};
	static const char *const bad_versions[] = {
		"26.0", "v26", "v26.", "v.0", "v26.0/../x", "v26.0?", "v1234.0", "v2 6.0",
	};
	static const char *const bad_ids[] = {"12/..", "1065?x=", "a", "1065 ", "-1", "123456789012345678901234567890123"};
	static const WaPair nothing[] = {{"x", "y"}};
	static const WaPair unknown_value[] = {{"permit_type", NULL}};
	static const WaPair bad_value[] = {{"permit_type", "\xff"}};
	static const WaPair no_name[] = {{NULL, "v"}};
	static const WaPair empty_name[] = {{"", "v"}};
	const WaOutbound good = {.number = "62811",.form = WA_FORM_TEXT,.body = "x"};
	WaOutbound	msg;
	const WaGateway *gateway;
	char	   *text;
	size_t		i;
	size_t		j;
	size_t		k;

	text = malloc(4 * 4097 + 1);
	for (i = 0; (gateway = wa_gateway_at(i)) != NULL; i++)
	{
		const WaPair *settings;
		size_t		nsettings;
		WaRequest	req;
		WaSaidText	err = {""};
		WaPair		own[8];
		char		name[64];

		settings = settings_of(gateway->kind, &nsettings);
		memcpy(own, settings, nsettings * sizeof(own[0]));

		/* Every required setting: missing, empty, NULL, unfit. */
		for (j = 0; j < gateway->nsettings; j++)
		{
			if (!gateway->settings[j].required)
				continue;
			snprintf(name, sizeof(name), "\"%s\"", gateway->settings[j].name);
			for (k = 0; k < nsettings; k++)
			{
				size_t		b;

				if (strcmp(own[k].name, gateway->settings[j].name) != 0)
					continue;
				own[k].value = NULL;
				check_refused(gateway->kind, NULL, own, nsettings, &good, name);
				check_refused(gateway->kind, NULL, own, nsettings, NULL, name);
				own[k].value = "";
				check_refused(gateway->kind, NULL, own, nsettings, &good, name);
				check_refused(gateway->kind, NULL, own, nsettings, NULL, name);
				for (b = 0; b < LENGTH(bad_secrets); b++)
				{
					own[k].value = bad_secrets[b];
					check_refused(gateway->kind, NULL, own, nsettings, &good,
								  name);
					check_refused(gateway->kind, NULL, own, nsettings, NULL,
								  name);
				}
				memset(text, 'x', 4097);
				text[4097] = '\0';
				own[k].value = text;
				check_refused(gateway->kind, NULL, own, nsettings, &good, name);
				own[k].value = settings[k].value;
			}
		}
		check_refused(gateway->kind, NULL, nothing, 1, &good, "is missing");
		check_refused(gateway->kind, NULL, NULL, 0, NULL, "is missing");

		for (j = 0; j < LENGTH(bad_urls); j++)
		{
			check_refused(gateway->kind, bad_urls[j], settings, nsettings,
						  &good, "base URL");
			check_refused(gateway->kind, bad_urls[j], settings, nsettings,
						  NULL, "base URL");
		}

		msg = good;
		for (j = 0; j < LENGTH(bad_numbers); j++)
		{
			msg.number = bad_numbers[j];
			check_refused(gateway->kind, NULL, settings, nsettings, &msg,
						  "number must be");
		}

		msg = good;
		msg.body = NULL;
		check_refused(gateway->kind, NULL, settings, nsettings, &msg, "no text");
		msg.body = "";
		check_refused(gateway->kind, NULL, settings, nsettings, &msg, "no text");
		msg.body = "a\xc3";
		check_refused(gateway->kind, NULL, settings, nsettings, &msg, "UTF-8");
		msg.body = "\xed\xa0\x80";
		check_refused(gateway->kind, NULL, settings, nsettings, &msg, "UTF-8");

		/* The limit counts characters. */
		for (j = 0; j < 4097; j++)
			memcpy(text + 4 * j, "\xf0\x9f\x98\x80", 4);
		text[4 * 4097] = '\0';
		msg.body = text;
		check_refused(gateway->kind, NULL, settings, nsettings, &msg,
					  "4097 characters");
		text[4 * 4096] = '\0';
		CHECK(gateway->build(NULL, settings, nsettings, &msg, &req, &err));
		wa_gateway_request_free(&req);

		msg = good;
		msg.form = WA_FORM_POSITIONAL;
		check_refused(gateway->kind, NULL, settings, nsettings, &msg,
					  "template has no name");
		msg.template_name = "";
		check_refused(gateway->kind, NULL, settings, nsettings, &msg,
					  "template has no name");
		msg.template_name = "\xff";
		check_refused(gateway->kind, NULL, settings, nsettings, &msg, "UTF-8");
		memset(text, 'x', 513);
		text[513] = '\0';
		msg.template_name = text;
		check_refused(gateway->kind, NULL, settings, nsettings, &msg, "512");
		msg.template_name = "t";
		msg.nparams = 1;
		msg.params = unknown_value;
		check_refused(gateway->kind, NULL, settings, nsettings, &msg,
					  "\"permit_type\" has no value");
		msg.params = bad_value;
		check_refused(gateway->kind, NULL, settings, nsettings, &msg,
					  "\"permit_type\" is not valid");
		msg.params = no_name;
		check_refused(gateway->kind, NULL, settings, nsettings, &msg,
					  "parameter 1");
		msg.params = empty_name;
		check_refused(gateway->kind, NULL, settings, nsettings, &msg,
					  "parameter 1");
		if (strcmp(gateway->kind, "meta") != 0)
		{
			msg.params = three;
			msg.form = WA_FORM_NAMED;
			check_refused(gateway->kind, NULL, settings, nsettings, &msg,
						  "by position only");
		}
	}

	/* Meta's own */
	for (i = 0; i < LENGTH(bad_versions); i++)
	{
		WaPair		own[] = {{"phone_number_id", "1"}, {"access_token", "SECRET"}, {"api_version", NULL}};

		own[2].value = bad_versions[i];
		check_refused("meta", NULL, own, 3, &good, "api_version");
		check_refused("meta", NULL, own, 3, NULL, "api_version");
	}
	for (i = 0; i < LENGTH(bad_ids); i++)
	{
		WaPair		own[] = {{"phone_number_id", NULL}, {"access_token", "SECRET"}};

		own[0].value = bad_ids[i];
		check_refused("meta", NULL, own, 2, &good, "phone_number_id");
	}
	msg = good;
	msg.callback = "a\n";
	check_refused("meta", NULL, meta_settings, LENGTH(meta_settings), &msg,
				  "callback");
	msg.callback = "\xc3\xa9";
	check_refused("meta", NULL, meta_settings, LENGTH(meta_settings), &msg,
				  "callback");
	memset(text, 'x', 257);
	text[257] = '\0';
	msg.callback = text;
	check_refused("meta", NULL, meta_settings, LENGTH(meta_settings), &msg,
				  "callback");
	msg = good;
	msg.form = WA_FORM_POSITIONAL;
	msg.template_name = "t";
	msg.language = "\xff";
	check_refused("meta", NULL, meta_settings, LENGTH(meta_settings), &msg,
				  "language");
	free(text);
}

/*
 * Connection tests
 */

static void
test_test_requests(void)
{
	static const struct
	{
		const char *kind;
		const char *want;
	}			cases[] = {
		{"meta", "GET https://graph.facebook.com/v26.0/1065?fields=id,display_phone_number,verified_name,quality_rating,code_verification_status,name_status\n"
			"Accept: application/json\n"
		"Authorization: Bearer EAAG.secret-meta/token\n"},
		{"fonnte", "POST https://api.fonnte.com/device\n"
			"Accept: application/json\n"
		"Authorization: fonnte-secret!\n\n"},
		{"watzap", "POST https://api.watzap.id/v1/checking_key\n"
			"Content-Type: application/json\n"
		"Accept: application/json\n\n{\"api_key\":\"WATZAPKEY\"}"},
	};
	size_t		i;

	for (i = 0; i < LENGTH(cases); i++)
	{
		const WaPair *settings;
		size_t		nsettings;
		WaRequest	req;
		WaSaidText	err = {""};
		char		flat[1024];

		settings = settings_of(cases[i].kind, &nsettings);
		CHECK(wa_gateway_find(cases[i].kind)->build_test(NULL, settings,
														 nsettings, &req, &err));
		flatten(&req, flat, sizeof(flat));
		CHECK_STR(flat, cases[i].want);
		CHECK((req.body == NULL) == (strcmp(req.method, "GET") == 0));
		wa_gateway_request_free(&req);
	}
}

typedef struct HealthCase
{
	const char *kind;
	int			http_status;
	const char *body;
	bool		ok;
	const char *reason_part;
	const char *detail;			/* NULL: not compared */
} HealthCase;

#define LICENSE(key, connected, until) \
	"{\"id\":\"1\",\"key\":\"" key "\",\"plan\":\"Pro\",\"active_from\":\"2024-11-18 00:00:00\",\"active_until\":\"" until "\",\"limit_message_per_day\":0,\"wa_number\":\"62815\",\"is_connected\":" connected "}"
#define LICENSES(status, list) \
	"{\"status\":" status ",\"message\":\"Successfully\",\"data\":{\"id\":\"815\",\"name\":\"D\",\"email\":\"a@example.com\",\"licenses_key\":[" list "]}}"
#define OURS	"NUMBER\\\"KEY"

static const HealthCase healths[] = {
	{"meta", 200, "{\"id\":\"1065\",\"display_phone_number\":\"+62 21\",\"verified_name\":\"DPMPTSP\",\"quality_rating\":\"GREEN\",\"code_verification_status\":\"VERIFIED\",\"name_status\":\"APPROVED\",\"other\":1}",
		true, "quality rating is GREEN",
	"{\"http_status\":200,\"id\":\"1065\",\"display_phone_number\":\"+62 21\",\"verified_name\":\"DPMPTSP\",\"quality_rating\":\"GREEN\",\"code_verification_status\":\"VERIFIED\",\"name_status\":\"APPROVED\"}"},
	{"meta", 200, "{\"id\":1065}", true, "not given", "{\"http_status\":200,\"id\":1065}"},
	{"meta", 200, "{\"id\":\"1066\"}", false, "another phone number id", NULL},
	{"meta", 200, "{}", false, "without the phone number's data", "{\"http_status\":200}"},
	{"meta", 200, "{\"id\":\"1065\",\"error\":{}}", false, "Meta answered", NULL},
	{"meta", 500, "{\"id\":\"1065\"}", false, "500", NULL},
	{"meta", 401, "{\"error\":{\"message\":\"Error validating EAAG.secret-meta/token and EAAG.secret-meta\\/token\",\"type\":\"OAuthException\",\"code\":190,\"error_subcode\":463,\"fbtrace_id\":\"A\"}}",
		false, "Meta's error 190: Error validating *** and ***",
	"{\"http_status\":401,\"code\":190,\"error_subcode\":463,\"message\":\"Error validating *** and ***\",\"fbtrace_id\":\"A\"}"},
	{"meta", 502, "<html>", false, "502", "{\"http_status\":502}"},

	{"fonnte", 200, "{\"device\":\"628\",\"device_status\":\"connect\",\"expired\":\"18 November 2029\",\"messages\":16785,\"name\":\"n\",\"package\":\"Reguler\",\"quota\":\"78\",\"status\":true,\"token\":\"fonnte-secret!\"}",
		true, "quota is 78",
	"{\"http_status\":200,\"device\":\"628\",\"device_status\":\"connect\",\"name\":\"n\",\"package\":\"Reguler\",\"quota\":\"78\",\"messages\":16785,\"expired\":\"18 November 2029\"}"},
	{"fonnte", 200, "{\"device_status\":\"Connect\",\"Status\":true,\"name\":\"a fonnte-secret! b\"}",
	true, "not given", "{\"http_status\":200,\"device_status\":\"Connect\",\"name\":\"a *** b\"}"},
	{"fonnte", 200, "{\"device_status\":\"disconnect\",\"status\":true}", false, "not connected", NULL},
	{"fonnte", 200, "{\"status\":true}", false, "no state given", NULL},
	{"fonnte", 200, "{\"device_status\":\"connect\",\"status\":false}", false, "did not confirm", NULL},
	{"fonnte", 500, "{\"device_status\":\"connect\",\"status\":true}", false, "500", NULL},
	{"fonnte", 200, "{\"status\":false,\"reason\":\"token invalid\"}", false, "token invalid",
	"{\"http_status\":200,\"reason\":\"token invalid\"}"},
	{"fonnte", 200, "<html>", false, "did not confirm", "{\"http_status\":200}"},
	{"fonnte", 404, "<html>", false, "not there at this address", "{\"http_status\":404}"},

	{"watzap", 200, LICENSES("true", LICENSE("OTHERKEY", "false", "2001-01-01") "," LICENSE(OURS, "true", "2999-12-31 00:00:00")),
		true, "connected",
	"{\"http_status\":200,\"status\":true,\"message\":\"Successfully\",\"plan\":\"Pro\",\"active_from\":\"2024-11-18 00:00:00\",\"active_until\":\"2999-12-31 00:00:00\",\"limit_message_per_day\":0,\"wa_number\":\"62815\",\"is_connected\":true}"},
	{"watzap", 200, LICENSES("\"200\"", LICENSE(OURS, "1", "someday")), true, "connected", NULL},
	{"watzap", 200, LICENSES("200", LICENSE(OURS, "\"1\"", "")), true, "connected", NULL},
	{"watzap", 200, LICENSES("true", LICENSE(OURS, "true", "2020-02-29 10:00:00")), false, "ended on 2020-02-29", NULL},
	{"watzap", 200, LICENSES("true", LICENSE(OURS, "false", "2999-12-31")), false, "not connected", NULL},
	{"watzap", 200, LICENSES("true", LICENSE(OURS, "null", "2999-12-31")), false, "not connected", NULL},
	{"watzap", 200, LICENSES("true", LICENSE("OTHERKEY", "true", "2999-12-31")), false, "not among", "{\"http_status\":200,\"status\":true,\"message\":\"Successfully\"}"},
	{"watzap", 200, LICENSES("true", LICENSE(OURS "\\u0000", "true", "2999-12-31")), false, "not among", NULL},
	{"watzap", 200, LICENSES("false", LICENSE(OURS, "true", "2999-12-31")), false, "did not confirm", NULL},
	{"watzap", 500, LICENSES("true", LICENSE(OURS, "true", "2999-12-31")), false, "500", NULL},
	{"watzap", 200, "{\"status\":true,\"data\":[]}", false, "not among", NULL},
	{"watzap", 200, "{\"status\":\"1002\",\"message\":\"Invalid WATZAPKEY\"}", false, "API key is not valid",
	"{\"http_status\":200,\"status\":\"1002\",\"message\":\"Invalid ***\"}"},
	{"watzap", 200, "<html>", false, "did not confirm", NULL},
	{"watzap", 404, "<html>", false, "not there at this address", NULL},
};

static void
test_quota(void)
{
	static const struct
	{
		const char *kind;
		const char *body;
		bool		ok;
		long		quota_left;
		long		daily_limit;
	}			cases[] = {
		{"meta", "{\"id\":\"1065\",\"quota\":5}", true, -1, -1},
		{"fonnte", "{\"status\":true,\"device_status\":\"connect\",\"quota\":\"78\"}", true, 78, -1},
		{"fonnte", "{\"status\":true,\"device_status\":\"connect\",\"quota\":78}", true, 78, -1},
		{"fonnte", "{\"status\":true,\"device_status\":\"connect\",\"quota\":\"0\"}", false, 0, -1},
		{"fonnte", "{\"status\":true,\"device_status\":\"connect\",\"quota\":\"unlimited\"}", true, -1, -1},
		{"fonnte", "{\"status\":true,\"device_status\":\"connect\",\"quota\":\"\"}", true, -1, -1},
		{"fonnte", "{\"status\":true,\"device_status\":\"connect\",\"quota\":-3}", true, -1, -1},
		{"fonnte", "{\"status\":true,\"device_status\":\"connect\",\"quota\":99999999999999999999}", true, -1, -1},
		{"fonnte", "{\"status\":true,\"device_status\":\"connect\"}", true, -1, -1},
		{"fonnte", "{\"status\":true,\"device_status\":\"disconnect\",\"quota\":\"0\"}", false, 0, -1},
		{"fonnte", "<html>", false, -1, -1},
		{"watzap", LICENSES("true", LICENSE(OURS, "true", "2999-12-31")), true, -1, -1},
		{"watzap", LICENSES("true", "{\"key\":\"" OURS "\",\"is_connected\":true,\"limit_message_per_day\":300}"), true, -1, 300},
		{"watzap", LICENSES("true", "{\"key\":\"" OURS "\",\"is_connected\":true,\"limit_message_per_day\":\"300\"}"), true, -1, 300},
	};
	size_t		i;

	for (i = 0; i < LENGTH(cases); i++)
	{
		size_t		nsettings;
		const WaPair *settings = settings_of(cases[i].kind, &nsettings);
		WaReply		reply = {0};
		WaHealth	got;

		reply.http_status = 200;
		reply.retry_after_s = -1;
		reply.body = cases[i].body;
		reply.body_len = strlen(cases[i].body);
		memset(&got, 0xff, sizeof(got));
		wa_gateway_find(cases[i].kind)->judge_test(settings, nsettings, &reply, &got);
		ROW(cases[i].body, got.ok == cases[i].ok);
		ROW(cases[i].body, got.quota_left == cases[i].quota_left);
		ROW(cases[i].body, got.daily_limit == cases[i].daily_limit);
		wa_gateway_health_free(&got);
	}
}

static void
test_boolean(void)
{
	static const char *const yes[] = {"true", "TRUE", "on", "Yes", "1"};
	static const char *const no[] = {"false", "off", "NO", "0"};
	static const char *const neither[] = {NULL, "", "2", "maybe", "truee"};
	bool		result;
	size_t		i;

	for (i = 0; i < LENGTH(yes); i++)
	{
		result = false;
		ROW(yes[i], wa_gateway_boolean(yes[i], &result) && result);
	}
	for (i = 0; i < LENGTH(no); i++)
	{
		result = true;
		ROW(no[i], wa_gateway_boolean(no[i], &result) && !result);
	}
	for (i = 0; i < LENGTH(neither); i++)
	{
		result = true;
		ROW(neither[i] != NULL ? neither[i] : "NULL",
			!wa_gateway_boolean(neither[i], &result) && result);
	}
}

static void
test_health(void)
{
	size_t		i;

	for (i = 0; i < LENGTH(healths); i++)
	{
		const HealthCase *want = &healths[i];
		const WaPair *settings;
		size_t		nsettings;
		WaReply		reply = {0};
		WaHealth	got;

		settings = settings_of(want->kind, &nsettings);
		reply.http_status = want->http_status;
		reply.retry_after_s = -1;
		reply.body = want->body;
		reply.body_len = strlen(want->body);
		memset(&got, 0xff, sizeof(got));
		wa_gateway_find(want->kind)->judge_test(settings, nsettings, &reply,
												&got);
		ROW(want->body, got.ok == want->ok);
		ROW(want->body, is_sentence(english(&got.said)));
		if (!ROW(want->body, strstr(english(&got.said), want->reason_part) != NULL))
			fprintf(stderr, "\t%s\n", english(&got.said));
		CHECK(got.detail != NULL);
		if (want->detail != NULL)
			CHECK_STR(got.detail, want->detail);
		ROW(want->body, strstr(got.detail, "secret") == NULL &&
			strstr(got.detail, "OTHERKEY") == NULL &&
			strstr(got.detail, "WATZAPKEY") == NULL &&
			strstr(got.detail, "NUMBER") == NULL);
		wa_gateway_health_free(&got);
	}
}

/*
 * A license ends a day after its last day, since the time zone of the date is
 * not known.  Asked around today, whatever day that is.
 */
static void
test_license_end(void)
{
	int			ago;

	for (ago = -2; ago <= 5; ago++)
	{
		WaReply		reply = {0};
		WaHealth	health;
		char		body[512];
		char		date[16];
		time_t		now;
		bool		ok;

		do
		{
			time_t		then;

			now = time(NULL);
			then = now - ago * 86400L;
			strftime(date, sizeof(date), "%Y-%m-%d", gmtime(&then));
			snprintf(body, sizeof(body), LICENSES("true", LICENSE(OURS, "true", "%s 23:59:59")), date);
			reply.http_status = 200;
			reply.body = body;
			reply.body_len = strlen(body);
			wa_gateway_find("watzap")->judge_test(watzap_settings,
												  LENGTH(watzap_settings),
												  &reply, &health);
			ok = health.ok;
			wa_gateway_health_free(&health);
		} while (now / 86400 != time(NULL) / 86400);	/* midnight passed */
		CHECK_INT(ok, ago < 2);
	}
}

/*
 * Hosts
 */

#define LIST \
	"meta=graph.facebook.com, watzap = api.watzap.id:443 ,fonnte=api.fonnte.com,\tmeta=127.0.0.1:8080,meta=[::1]:8081,meta=localhost:8082,fonnte=localhost,watzap=10.0.0.5,watzap=127.9.9.9:443"

static void
test_hosts(void)
{
	static const struct
	{
		const char *kind;
		const char *url;
		bool		allowed;
	}			cases[] = {
		{"meta", "https://graph.facebook.com", true},
		{"meta", "https://graph.facebook.com/", true},
		{"meta", "https://graph.facebook.com/v26.0/1?fields=a,b&c=%20@:", true},
		{"meta", "https://Graph.FaceBook.COM/x", true},
		{"meta", "https://graph.facebook.com:443/x", true},
		{"watzap", "https://api.watzap.id/v1/send_message", true},
		{"fonnte", "https://api.fonnte.com/send", true},
		{"fonnte", "https://localhost/send", true},
		{"fonnte", "https://localhost:443/send", true},
		{"watzap", "https://10.0.0.5/", true},
		{"meta", "http://127.0.0.1:8080/x", true},
		{"meta", "https://127.0.0.1:8080/x", true},
		{"meta", "http://[::1]:8081/x", true},
		{"meta", "http://localhost:8082/x", true},
		{"meta", "http://LOCALHOST:8082", true},
		{"watzap", "http://127.9.9.9:443/", true},

		/* another kind's host, another port, another scheme */
		{"fonnte", "https://graph.facebook.com/", false},
		{"meta", "https://api.fonnte.com/", false},
		{"meta", "https://graph.facebook.com:444/", false},
		{"meta", "https://graph.facebook.com:80/", false},
		{"meta", "http://graph.facebook.com/", false},
		{"meta", "http://graph.facebook.com:443/", false},
		{"meta", "https://127.0.0.1/", false},
		{"meta", "http://127.0.0.1/", false},
		{"meta", "http://127.0.0.1:8081/", false},
		{"meta", "http://127.0.0.2:8080/", false},
		{"fonnte", "http://localhost/send", false},
		{"fonnte", "http://localhost:443/send", false},
		{"watzap", "http://10.0.0.5/", false},
		{"telegram", "https://graph.facebook.com/", false},
		{"", "https://graph.facebook.com/", false},
		{NULL, "https://graph.facebook.com/", false},

		/* other hosts that look alike */
		{"meta", "https://graph.facebook.com.evil.example/", false},
		{"meta", "https://evil-graph.facebook.com/", false},
		{"meta", "https://xgraph.facebook.com/", false},
		{"meta", "https://facebook.com/", false},
		{"meta", "https://graph.facebook.com./", false},
		{"meta", "https://graph.facebook.com../", false},
		{"meta", "https://.graph.facebook.com/", false},
		{"meta", "https://graph..facebook.com/", false},
		{"meta", "https://graph.facebook.com-/", false},
		{"meta", "https://graph_facebook.com/", false},
		{"meta", "https://gr\xc3\xa4ph.facebook.com/", false},

		/* user names, backslashes, escapes, blanks */
		{"meta", "https://graph.facebook.com@evil.example/", false},
		{"meta", "https://evil.example@graph.facebook.com/", false},
		{"meta", "https://user:pw@graph.facebook.com/", false},
		{"meta", "https://graph.facebook.com:443@evil.example/", false},
		{"meta", "https://evil.example\\@graph.facebook.com/", false},
		{"meta", "https://graph.facebook.com\\.evil.example/", false},
		{"meta", "https:\\\\graph.facebook.com/", false},
		{"meta", "https://graph%2efacebook.com/", false},
		{"meta", "https://graph.facebook.com%2f/", false},
		{"meta", "https://graph.facebook.com%00.evil.example/", false},
		{"meta", "https://graph.facebook.com#@evil.example/", false},
		{"meta", "https://graph.facebook.com?@evil.example/", false},
		{"meta", "https://graph.facebook.com/#x", false},
		{"meta", "https://graph.facebook.com;x/", false},
		{"meta", "https://graph.facebook.com,evil.example/", false},
		{"meta", " https://graph.facebook.com/", false},
		{"meta", "https://graph.facebook.com/ ", false},
		{"meta", "https:// graph.facebook.com/", false},
		{"meta", "https://graph.facebook.com\t/", false},
		{"meta", "https://graph.facebook.com\r\n/", false},
		{"meta", "https://graph.facebook.com/\x01", false},
		{"meta", "https://graph.facebook.com/\x7f", false},
		{"meta", "https://graph.facebook.com/{a,b}", false},

		/* shapes */
		{"meta", NULL, false},
		{"meta", "", false},
		{"meta", "https://", false},
		{"meta", "https:///graph.facebook.com/", false},
		{"meta", "https:/graph.facebook.com/", false},
		{"meta", "https:graph.facebook.com/", false},
		{"meta", "//graph.facebook.com/", false},
		{"meta", "graph.facebook.com", false},
		{"meta", "HTTPS://graph.facebook.com/", false},
		{"meta", "ftp://graph.facebook.com/", false},
		{"meta", "file:///etc/passwd", false},
		{"meta", "javascript:https://graph.facebook.com/", false},
		{"meta", "https://graph.facebook.com:/", false},
		{"meta", "https://graph.facebook.com:0443/", false},
		{"meta", "https://graph.facebook.com:443x/", false},
		{"meta", "https://graph.facebook.com:+443/", false},
		{"meta", "https://graph.facebook.com:65979/", false},
		{"meta", "https://graph.facebook.com:4294967739/", false},
		{"meta", "https://graph.facebook.com:99999999999999999999443/", false},
		{"meta", "https://graph.facebook.com:443:443/", false},
		{"meta", "https://:443/", false},
		{"meta", "http://127.0.0.1:0/", false},

		/* other spellings of an address */
		{"meta", "http://127.1:8080/", false},
		{"meta", "http://2130706433:8080/", false},
		{"meta", "http://0x7f000001:8080/", false},
		{"meta", "http://0x7f.0.0.1:8080/", false},
		{"meta", "http://0177.0.0.1:8080/", false},
		{"meta", "http://127.0.0.01:8080/", false},
		{"meta", "http://127.0.0.1.:8080/", false},
		{"meta", "http://127.0.0.256:8080/", false},
		{"meta", "http://127.0.0.1.1:8080/", false},
		{"meta", "http://127.0.0.0x1:8080/", false},
		{"meta", "http://[::ffff:127.0.0.1]:8080/", false},
		{"meta", "http://[0:0:0:0:0:0:0:1]:8081/", false},
		{"meta", "http://[::1%25lo]:8081/", false},
		{"meta", "http://[::1:8081/", false},
		{"meta", "http://::1:8081/", false},
		{"meta", "http://[::1]x:8081/", false},
		{"meta", "http://[::1]8081/", false},
		{"meta", "http://[]:8081/", false},
	};
	char		url[2100];
	WaSaidText	err = {""};
	size_t		i;

	for (i = 0; i < LENGTH(cases); i++)
	{
		bool		allowed;

		err.bytes[0] = '\0';
		allowed = wa_gateway_url_allowed(cases[i].kind, cases[i].url, LIST,
										 &err);
		ROW(cases[i].url != NULL ? cases[i].url : "(null)",
			allowed == cases[i].allowed);
		ROW("err", allowed == (err.bytes[0] == '\0'));
		CHECK(!wa_gateway_url_allowed(cases[i].kind, cases[i].url, "", &err));
		CHECK(!wa_gateway_url_allowed(cases[i].kind, cases[i].url, NULL, &err));
		CHECK(!wa_gateway_url_allowed(cases[i].kind, cases[i].url,
									  LIST ",bad", &err));
	}

	/* Overlong */
	strcpy(url, "https://graph.facebook.com/");
	memset(url + strlen(url), 'x', sizeof(url) - strlen(url));
	url[2049] = '\0';
	CHECK(!wa_gateway_url_allowed("meta", url, LIST, &err));
	url[2048] = '\0';
	CHECK(wa_gateway_url_allowed("meta", url, LIST, &err));
	strcpy(url, "https://");
	memset(url + 8, 'a', 300);
	strcpy(url + 308, ".com/");
	CHECK(!wa_gateway_url_allowed("meta", url, LIST, &err));
}

static void
test_host_lists(void)
{
	static const struct
	{
		const char *list;
		bool		valid;
	}			cases[] = {
		{NULL, true},
		{"", true},
		{" \t ", true},
		{LIST, true},
		{"meta=graph.facebook.com", true},
		{"meta=GRAPH.facebook.com:443", true},
		{"meta=127.0.0.1:1", true},
		{"meta=127.255.0.1:65535", true},
		{"meta=[::1]", true},
		{"meta=x", true},
		{"meta", false},
		{"=graph.facebook.com", false},
		{"meta=", false},
		{"meta= ", false},
		{"meta==x", false},
		{"Meta=x", false},
		{"telegram=x", false},
		{"metametametametametametametametameta=x", false},
		{",", false},
		{"meta=x,", false},
		{",meta=x", false},
		{"meta=x,,meta=y", false},
		{"meta=x meta=y", false},
		{"meta=x;meta=y", false},
		{"meta=x:80", false},
		{"meta=x:8443", false},
		{"meta=10.0.0.1:8080", false},
		{"meta=128.0.0.1:8080", false},
		{"meta=localhost.example:8080", false},
		{"meta=x:", false},
		{"meta=127.0.0.1:0", false},
		{"meta=127.0.0.1:65536", false},
		{"meta=127.0.0.1:080", false},
		{"meta=127.1:80", false},
		{"meta=0x7f000001", false},
		{"meta=2130706433", false},
		{"meta=0177.0.0.1", false},
		{"meta=[::2]", false},
		{"meta=::1", false},
		{"meta=https://x", false},
		{"meta=x/y", false},
		{"meta=*", false},
		{"meta=*.facebook.com", false},
		{"meta=x.", false},
		{"meta=u@x", false},
		{"meta=\xc3\xa9", false},
		{"meta=-x", false},
		{"meta=x\n", false},
	};
	char		long_label[80] = "meta=";
	WaSaidText	err = {""};
	size_t		i;

	for (i = 0; i < LENGTH(cases); i++)
	{
		err.bytes[0] = '\0';
		ROW(cases[i].list != NULL ? cases[i].list : "(null)",
			wa_gateway_allowed_list_valid(cases[i].list, &err) ==
			cases[i].valid);
		ROW("err", cases[i].valid == (err.bytes[0] == '\0'));
	}
	memset(long_label + 5, 'a', 64);
	CHECK(!wa_gateway_allowed_list_valid(long_label, &err));
	long_label[5 + 63] = '\0';
	CHECK(wa_gateway_allowed_list_valid(long_label, &err));
}

/*
 * Redaction and cleaning
 */

static void
test_redact(void)
{
	static const WaPair secrets[] = {
		{"a", "abc/def g+\"h"}, {"b", "defghi"}, {"c", NULL}, {"d", ""},
		{"e", "p%q\\r"}, {"f", "k\xc3\xa9y\xf0\x9f\x98\x80z"},
	};
	static const struct
	{
		const char *text;
		const char *want;
	}			cases[] = {
		{"", ""},
		{"nothing here", "nothing here"},
		{"abc/def g+\"h", "***"},
		{"<abc/def g+\"h>abc/def g+\"h", "<***>***"},
		{"abc/def g+\"habc/def g+\"h", "***"},
		{"x=abc%2Fdef%20g%2B%22h&y", "x=***&y"},
		{"x=abc%2fdef+g%2b%22h&y", "x=***&y"},
		{"{\"t\":\"abc\\/def g+\\\"h\"}", "{\"t\":\"***\"}"},
		{"\\u0061\\u0062c\\u002fdef\\u0020g\\u002B\\u0022h!", "***!"},
		{"ABC/def g+\"h", "ABC/def g+\"h"},
		{"xdefghix", "x***x"},
		{"abc/def g+\"hi", "***i"},
		{"p%q\\r p%25q%5Cr p%q\\\\r", "*** *** ***"},
		{"k\xc3\xa9y\xf0\x9f\x98\x80z", "***"},
		{"k\\u00e9y\\ud83d\\uDE00z.", "***."},
		{"k%C3%A9y%f0%9f%98%80z.", "***."},
		/* cut off by the end of the text */
		{"token abc/", "token ***"},
		{"token abc", "token abc"},
		{"token abc%2", "token abc%2"},
		{"token abc/d%", "token ***"},
		{"token abc/def\\u00", "token ***"},
		{"defg", "***"},
		/* not printable */
		{"a\nb\tc\x7f" "d\xc2\x85" "e\xff" "f\xe2\x80\xae" "g\xc3", "a?b?c?d?e?f?g?"},
		{"a\xef\xbb\xbf" "b\xe2\x80\xa8" "c\xe2\x80\x8e" "d\xe2\x81\xa6", "a?b?c?d?"},
		{"\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac"},
		{"\xc0\xaf\xed\xa0\x80", "?????"},
	};
	static const struct
	{
		const char *text;
		const char *want;
	}			forms[] = {
		{"x Rk9OTlRFPz5+VE9LRU4tNDIhZW5k y", "x ***hZW5k y"},
		{"x Rk9OTlRFPz5-VE9LRU4tNDIhZW5k y", "x ***hZW5k y"},
		{"x dUZPTk5URT8+flRPS0VOLTQyIWVuZA== y", "x d***WVuZA== y"},
		{"x dUZPTk5URT8-flRPS0VOLTQyIWVuZA== y", "x d***WVuZA== y"},
		{"x dXNGT05OVEU/Pn5UT0tFTi00MiFlbmQ= y", "x dX***FlbmQ= y"},
		{"x dXNGT05OVEU_Pn5UT0tFTi00MiFlbmQ= y", "x dX***FlbmQ= y"},
		{"x QmVhcmVyIEZPTk5URT8+flRPS0VOLTQyIWVuZA== y", "x QmVhcmVyI***WVuZA== y"},
		{"x QmVhcmVyIEZPTk5URT8-flRPS0VOLTQyIWVuZA== y", "x QmVhcmVyI***WVuZA== y"},
		{"x dXNlcjpGT05OVEU/Pn5UT0tFTi00MiFlbmQ= y", "x dXNlcj***FlbmQ= y"},
		{"x dXNlcjpGT05OVEU_Pn5UT0tFTi00MiFlbmQ= y", "x dXNlcj***FlbmQ= y"},
		{"464f4e4e54453f3e7e544f4b454e2d3432", "***"},
		{"<464F4E4E54453F3E7E544F4B454E2D3432>", "<***>"},
	};
	static const WaPair overlap[] = {{"a", "abcdef"}, {"b", "defghi"}};
	static const WaPair one[] = {{"a", "x"}};
	char	   *got;
	size_t		max;
	size_t		i;

	for (i = 0; i < LENGTH(cases); i++)
	{
		got = wa_gateway_redact(cases[i].text, strlen(cases[i].text), secrets,
								LENGTH(secrets), 1000);
		CHECK_STR(got, cases[i].want);
		free(got);
	}
	/* encoded as a whole: base64, beginning anywhere, and hexadecimal */
	for (i = 0; i < LENGTH(forms); i++)
	{
		static const WaPair token[] = {{"token", "FONNTE?>~TOKEN-42"}};

		got = wa_gateway_redact(forms[i].text, strlen(forms[i].text), token, 1, 1000);
		CHECK_STR(got, forms[i].want);
		free(got);
	}
	got = wa_gateway_redact("1abcdefghi2", 11, overlap, 2, 1000);
	CHECK_STR(got, "1***2");
	free(got);
	got = wa_gateway_redact("axbxxc", 6, one, 1, 1000);
	CHECK_STR(got, "a***b***c");
	free(got);
	got = wa_gateway_redact("a\0b", 3, NULL, 0, 1000);
	CHECK_STR(got, "a?b");
	free(got);
	got = wa_gateway_redact(NULL, 0, NULL, 0, 10);
	CHECK_STR(got, "");
	free(got);
	got = wa_gateway_redact(NULL, 5, one, 1, 10);
	CHECK_STR(got, "");
	free(got);

	/* Every length ends at a character, and shows nothing of a secret. */
	for (max = 0; max < 20; max++)
	{
		size_t		chars;

		got = wa_gateway_redact("\xc3\xa9xx\xf0\x9f\x98\x80" "abcdef.", 15,
								overlap, 2, max);
		CHECK(strlen(got) <= max);
		CHECK(wa_gateway_utf8_length(got, &chars));
		CHECK(strchr(got, 'a') == NULL);
		free(got);
	}
}

static void
test_clean(void)
{
	static const char text[] = "  \n\xc3\xa9\xf0\x9f\x98\x80" "ab\0c\xff  ";
	char		dst[40];
	char		longer[1100];
	size_t		size;
	size_t		chars;

	wa_gateway_clean(dst, sizeof(dst), text, sizeof(text) - 1);
	CHECK_STR(dst, "\xc3\xa9\xf0\x9f\x98\x80" "ab c?");
	for (size = 1; size < 14; size++)
	{
		memset(dst, 'Z', sizeof(dst));
		wa_gateway_clean(dst, size, text, sizeof(text) - 1);
		CHECK(strlen(dst) < size);
		CHECK(dst[size] == 'Z');
		CHECK(wa_gateway_utf8_length(dst, &chars));
	}
	dst[0] = 'Z';
	wa_gateway_clean(dst, 0, "a", 1);
	CHECK(dst[0] == 'Z');

	/* A sentence that is too long is cut between characters, wherever. */
	for (size = 0; size < 8; size++)
	{
		char		out[1200];
		size_t		i;

		memset(longer, 'x', size);
		for (i = size; i + 4 < sizeof(longer); i += 4)
			memcpy(longer + i, "\xf0\x9f\x98\x80", 4);
		longer[i] = '\0';
		wa_gateway_sentence(out, sizeof(out), "%s", longer);
		CHECK(strlen(out) >= 1020 && strlen(out) <= 1023);
		CHECK(strchr(out, '?') == NULL);
	}

	CHECK(wa_gateway_same_word("aBc", "AbC"));
	CHECK(!wa_gateway_same_word("abc", "abcd"));
	CHECK(!wa_gateway_same_word("[", "{"));
}

/* Each version that a setting may have, and the day of its end. */
static void
test_versions(void)
{
	static const struct
	{
		const char *version;
		const char *ends;
	}			rows[] = {
		{"v21.0", "2027-01-21"}, {"v22.0", "2027-05-20"}, {"v23.0", "2027-10-08"}, {"v24.0", "2028-02-18"},
		{"v25.0", "2028-07-29"}, {"v26.0", ""}, {"v27.0", ""}, {"v20.0", "2026-09-24"}, {"v19.0", "2026-05-21"},
		{"v18.0", "2026-01-26"}, {"v17.0", "2026-01-26"}, {"v3.3", "2026-01-26"}, {"v1.0", "2026-01-26"},
		{"v28.0", NULL}, {"v999.999", NULL}, {"v25.1", NULL}, {"v0.1", "2026-01-26"}, {"v-3.0", NULL}, {"25.0", NULL},
		{"v 25.0", NULL}, {"v25", NULL}, {"v25.0 ", NULL}, {"v25.0x", NULL}, {"", NULL}, {NULL, NULL},
		{"v99999999999999999999999.0", NULL}
	};
	WaPair		set[] = {{"api_version", "v21.0"}};
	WaGatewayVersion version;
	size_t		i;

	for (i = 0; i < LENGTH(rows); i++)
		CHECK_STR(wa_gateway_meta_version_ends(rows[i].version), rows[i].ends);
	wa_gateway_find("meta")->version(set, 1, &version);
	CHECK_STR(version.setting, "api_version");
	CHECK_STR(version.version, "v21.0");
	CHECK_STR(version.proposed, "v26.0");
	CHECK_STR(version.ends, "2027-01-21");
	wa_gateway_find("meta")->version(NULL, 0, &version);
	CHECK_STR(version.version, "v26.0");
	CHECK(version.ends != NULL);
}

int
main(void)
{
	CHECK_RUN(test_table);
	CHECK_RUN(test_meta_every_code);
	CHECK_RUN(test_meta_code_table);
	CHECK_RUN(test_answers);
	CHECK_RUN(test_statuses);
	CHECK_RUN(test_unlisted);
	CHECK_RUN(test_paused);
	CHECK_RUN(test_languages);
	CHECK_RUN(test_params);
	CHECK_RUN(test_members);
	CHECK_RUN(test_telling_ids);
	CHECK_RUN(test_template_rules);
	CHECK_RUN(test_answers_unlike_text);
	CHECK_RUN(test_waits);
	CHECK_RUN(test_fonnte_every_reason);
	CHECK_RUN(test_watzap_every_status);
	CHECK_RUN(test_requests);
	CHECK_RUN(test_request_settings);
	CHECK_RUN(test_requests_refused);
	CHECK_RUN(test_test_requests);
	CHECK_RUN(test_health);
	CHECK_RUN(test_quota);
	CHECK_RUN(test_boolean);
	CHECK_RUN(test_license_end);
	CHECK_RUN(test_hosts);
	CHECK_RUN(test_host_lists);
	CHECK_RUN(test_redact);
	CHECK_RUN(test_clean);
	CHECK_RUN(test_versions);
	return check_finish("gateway");
}
