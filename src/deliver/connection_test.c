/*-------------------------------------------------------------------------
 *
 * connection_test.c
 *		The connection test: a provider's own status call, never a message.
 *
 * Runs in the session that asks (wa_test_connection), with an engine of its
 * own, and waits on the latch so that it can be canceled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "deliver/http.h"
#include "deliver/transfer.h"
#include "sicantik_wa.h"

static WaHttp *
open_engine(void)
{
	WaHttpOptions options = {0};
	char		why[256];
	WaHttp	   *http;

	options.ca_file = wa_guc_ca_file;
	options.proxy = wa_guc_proxy;
	options.connect_timeout_ms = 10000;
	options.max_connections = 1;
	options.max_host_connections = 1;
	options.max_reply_bytes = 1024 * 1024;
	http = wa_http_open(&options, why, sizeof(why));
	if (http == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not start the HTTP engine: %s", why)));
	return http;
}

static void
wait_for_answer(WaHttp *http, WaHttpAnswer *answer)
{
	while (!wa_http_next(http, answer))
	{
		int			events = WaitLatchOrSocket(MyLatch,
											   WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
											   wa_http_fd(http), 1000, PG_WAIT_EXTENSION);

		if (events & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
		wa_http_drive(http);
	}
}

/*
 * Build the status call of a provider.  False, with a sentence, if its row
 * does not allow that.
 */
bool
wa_deliver_transfer_build_test(const WaProvider *provider, WaRequest *request,
							   WaSaidText *why)
{
	return wa_gateway_url_allowed(provider->kind, provider->base_url, wa_guc_allowed_hosts,
								  why) &&
		provider->gateway->build_test(provider->base_url, provider->settings, provider->nsettings,
									  request, why);
}

/*
 * Not ok, for want of an answer.
 */
static void
no_health(WaHealth *health, WaSaid why)
{
	memset(health, 0, sizeof(*health));
	health->quota_left = -1;
	health->daily_limit = -1;
	wa_text_say_copy(&health->said, why);
}

/*
 * What came of the status call; release *health with wa_gateway_health_free().
 */
void
wa_deliver_transfer_judge_test(const WaGateway *gateway, const WaPair *settings, size_t nsettings,
							   const WaHttpAnswer *answer, WaHealth *health)
{
	WaReply		reply;

	if (answer->result != WA_HTTP_ANSWERED)
	{
		no_health(health, wa_say(WA_SAY_TEST_NO_ANSWER, WA_SAID_IN(&answer->error)));
		return;
	}
	wa_deliver_transfer_reply(answer, &reply);
	gateway->judge_test(settings, nsettings, &reply, health);
}

/*
 * Make one request of a provider's and wait for its answer, at most so long.
 * The request is consumed.  False, with a sentence, if none came; *answer, which
 * is empty at first, is to be released with wa_http_answer_free().
 */
static bool
exchange(const WaProvider *provider, WaRequest *request, long timeout_ms, WaHttpAnswer *answer,
		 WaSaidText *why)
{
	WaHttp	   *http;

	if (!wa_gateway_url_allowed(provider->kind, provider->base_url, wa_guc_allowed_hosts, why))
	{
		wa_gateway_request_free(request);
		return false;
	}
	http = open_engine();
	PG_TRY();
	{
		if (!wa_http_submit(http, 1, request, timeout_ms,
							strncmp(provider->base_url, "http://", 7) == 0, why))
			wa_gateway_request_free(request);
		else
		{
			wait_for_answer(http, answer);
			if (answer->result != WA_HTTP_ANSWERED)
				wa_say_into(why, WA_SAY_TEST_NO_ANSWER, WA_SAID_IN(&answer->error));
		}
	}
	PG_FINALLY();
	{
		wa_http_close(http);
	}
	PG_END_TRY();
	return answer->result == WA_HTTP_ANSWERED;
}

/*
 * As a gateway reads it; what it points to is the answer's.
 */
void
wa_deliver_transfer_reply(const WaHttpAnswer *answer, WaReply *reply)
{
	memset(reply, 0, sizeof(*reply));
	reply->http_status = answer->http_status;
	reply->retry_after_s = answer->retry_after_s;
	reply->usage_header = answer->usage_header;
	reply->body = answer->body ? answer->body : "";
	reply->body_len = answer->body_len;
	reply->truncated = answer->truncated;
}

/*
 * See WaDeliver.
 */
bool
wa_deliver_transfer_ask(const WaProvider *provider, WaRequest *request, long timeout_ms,
						WaReadReply read, void *argument, WaSaidText *why)
{
	WaHttpAnswer answer = {0};
	WaReply		reply;

	if (!exchange(provider, request, timeout_ms, &answer, why))
	{
		wa_http_answer_free(&answer);
		return false;
	}
	wa_deliver_transfer_reply(&answer, &reply);
	PG_TRY();
	{
		read(&reply, argument);
	}
	PG_FINALLY();
	{
		wa_http_answer_free(&answer);
	}
	PG_END_TRY();
	return true;
}

/*
 * Ask a provider how it is, and wait for the answer.  Release *health with
 * wa_gateway_health_free().
 */
void
wa_deliver_transfer_test(const WaProvider *provider, WaHealth *health)
{
	WaRequest	request = {0};
	WaHttpAnswer answer = {0};
	WaSaidText	why = {""};

	if (!wa_deliver_transfer_build_test(provider, &request, &why))
	{
		no_health(health, WA_SAID_IN(&why));
		return;
	}
	if (exchange(provider, &request, wa_guc_request_timeout, &answer, &why))
		wa_deliver_transfer_judge_test(provider->gateway, provider->settings, provider->nsettings,
									   &answer, health);
	else
		no_health(health, WA_SAID_IN(&why));
	wa_http_answer_free(&answer);
}
