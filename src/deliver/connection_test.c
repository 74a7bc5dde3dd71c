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
	WaReply		reply = {0};

	if (answer->result != WA_HTTP_ANSWERED)
	{
		no_health(health, wa_say(WA_SAY_TEST_NO_ANSWER, WA_SAID_IN(&answer->error)));
		return;
	}
	reply.http_status = answer->http_status;
	reply.retry_after_s = answer->retry_after_s;
	reply.usage_header = answer->usage_header;
	reply.body = answer->body ? answer->body : "";
	reply.body_len = answer->body_len;
	reply.truncated = answer->truncated;
	gateway->judge_test(settings, nsettings, &reply, health);
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
	WaHttp	   *http;
	WaSaidText	why = {""};

	if (!wa_deliver_transfer_build_test(provider, &request, &why))
	{
		no_health(health, WA_SAID_IN(&why));
		return;
	}
	http = open_engine();
	PG_TRY();
	{
		if (!wa_http_submit(http, 1, &request, wa_guc_request_timeout,
							strncmp(provider->base_url, "http://", 7) == 0, &why))
		{
			no_health(health, WA_SAID_IN(&why));
			wa_gateway_request_free(&request);
		}
		else
		{
			wait_for_answer(http, &answer);
			wa_deliver_transfer_judge_test(provider->gateway, provider->settings, provider->nsettings,
										   &answer, health);
		}
	}
	PG_FINALLY();
	{
		wa_http_answer_free(&answer);
		wa_http_close(http);
	}
	PG_END_TRY();
}
