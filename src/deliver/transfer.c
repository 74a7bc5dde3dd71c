/*-------------------------------------------------------------------------
 *
 * transfer.c
 *		Messages on the wire: from a built request to a verdict.
 *
 * Between the engine, which knows what is certain about a transfer, and the
 * gateway, which can read an answer.  Only a transfer of which no byte can
 * have left counts as not sent; one that was cut off in between is unknown.
 *
 * Finished transfers stay in a list until their results are committed, so an
 * error in between loses none of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "deliver/circuit.h"
#include "deliver/http.h"
#include "deliver/http_thread.h"
#include "deliver/transfer.h"
#include "sicantik_wa.h"
#include "wake/stat.h"

#define CONNECT_TIMEOUT_MS	10000
#define REPLY_BYTES			65536

/* Connections besides those of messages: a probe never waits for one. */
#define PROBE_CONNECTIONS	16

static WaHttpThread *http = NULL;

/* What the engine was opened with. */
static char *opened_ca_file = NULL;
static char *opened_proxy = NULL;
static int	opened_max_in_flight = 0;

static MemoryContext context = NULL;
static WaTransfer *finished = NULL;
static WaTransfer *finished_tail = NULL;
static int	messages_in_flight = 0;
static bool breaking_off = false;

/* In the engine's thread. */
static void
read_answer(uint64_t tag, const WaHttpAnswer *answer)
{
	WaWire	   *wire = (WaWire *) (uintptr_t) tag;

	if (wire->read && answer->result == WA_HTTP_ANSWERED)
		wire->read(wire, answer);
}

/* NULL, with a sentence, if it cannot be opened. */
static WaHttpThread *
open_engine(char *why, size_t why_size)
{
	WaHttpOptions options = {0};

	options.ca_file = wa_guc_ca_file;
	options.proxy = wa_guc_proxy;
	options.connect_timeout_ms = CONNECT_TIMEOUT_MS;
	options.max_connections = wa_guc_max_in_flight + PROBE_CONNECTIONS;
	options.max_host_connections = wa_guc_max_in_flight + PROBE_CONNECTIONS;
	options.max_reply_bytes = REPLY_BYTES;
	return wa_http_thread_open(&options, read_answer, why, why_size);
}

static void
remember(char **copy, const char *value)
{
	if (*copy)
		pfree(*copy);
	*copy = MemoryContextStrdup(context, value);
}

/* The engine's settings are those of now. */
static void
note_opened(void)
{
	remember(&opened_ca_file, wa_guc_ca_file);
	remember(&opened_proxy, wa_guc_proxy);
	opened_max_in_flight = wa_guc_max_in_flight;
}

/* However this process ends: its thread must not see the end of its libraries. */
static void
close_at_exit(int code, Datum arg)
{
	wa_deliver_transfer_close_engine();
}

/*
 * Start the engine; raises an error if it cannot be.
 */
void
wa_deliver_transfer_open(void)
{
	if (context == NULL)
	{
		context = AllocSetContextCreate(TopMemoryContext, "sicantik_wa transfers",
										ALLOCSET_DEFAULT_SIZES);
		on_proc_exit(close_at_exit, (Datum) 0);
	}
	if (http == NULL)
	{
		char		why[256] = "";

		http = open_engine(why, sizeof(why));
		if (http == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_SYSTEM_ERROR),
					 errmsg("could not start the HTTP engine: %s", why)));
		note_opened();
	}
}

/*
 * May something be put on the wire?  Where settings of the engine have changed
 * it is opened anew, as soon as what is in flight with the old ones is over;
 * until then the answer is no.
 */
bool
wa_deliver_transfer_ready(void)
{
	char		why[256] = "";
	WaHttpThread *engine;

	if (http == NULL)
		return false;
	if (strcmp(opened_ca_file, wa_guc_ca_file) == 0 &&
		strcmp(opened_proxy, wa_guc_proxy) == 0 &&
		opened_max_in_flight == wa_guc_max_in_flight)
		return true;
	if (wa_http_thread_in_flight(http) > 0)
		return false;

	/* the new one first: it must not get the number of the old descriptor */
	engine = open_engine(why, sizeof(why));
	note_opened();
	if (engine == NULL)
	{
		ereport(WARNING,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("sicantik_wa goes on with the former HTTP settings: %s", why)));
		return true;
	}
	wa_http_thread_close(http);
	http = engine;
	return true;
}

/*
 * Stop it; nothing may be in flight.
 */
void
wa_deliver_transfer_close_engine(void)
{
	wa_http_thread_close(http);
	http = NULL;
}

pgsocket
wa_deliver_transfer_fd(void)
{
	return http ? wa_http_thread_fd(http) : PGINVALID_SOCKET;
}

/*
 * Messages on the wire; probes are none.
 */
int
wa_deliver_transfer_in_flight(void)
{
	return messages_in_flight;
}

const char *
wa_deliver_transfer_library(void)
{
	return wa_http_library();
}

static void judge_answer(WaWire *wire, const WaHttpAnswer *answer);
static void message_over(WaWire *wire, const WaHttpAnswer *answer, bool interrupted);

/*
 * A transfer for one attempt; wa_deliver_transfer_free() releases it.
 */
WaTransfer *
wa_deliver_transfer_new(const WaProvider *provider, int64 message_id, int attempt)
{
	WaTransfer *transfer = MemoryContextAllocZero(context, sizeof(WaTransfer));

	transfer->wire.read = judge_answer;
	transfer->wire.over = message_over;
	transfer->message_id = message_id;
	transfer->attempt = attempt;
	transfer->pace = wa_deliver_pacing_find(provider->name);
	transfer->gateway = provider->gateway;
	transfer->started_at = GetCurrentTimestamp();
	transfer->secrets = MemoryContextAllocZero(context,
											   sizeof(WaPair) * Max(provider->nsecrets, 1));
	for (size_t i = 0; i < provider->nsecrets; i++)
	{
		transfer->secrets[i].name = provider->secrets[i].name;
		transfer->secrets[i].value = MemoryContextStrdup(context, provider->secrets[i].value);
		transfer->nsecrets++;
	}
	return transfer;
}

void
wa_deliver_transfer_free(WaTransfer *transfer)
{
	wa_gateway_request_free(&transfer->request);
	for (size_t i = 0; i < transfer->nsecrets; i++)
		pfree(unconstify(char *, transfer->secrets[i].value));
	pfree(transfer->secrets);
	if (transfer->template_key)
		pfree(transfer->template_key);
	pfree(transfer);
}

static void
finish(WaTransfer *transfer)
{
	transfer->finished_at = GetCurrentTimestamp();
	wa_deliver_pacing_done(transfer->pace, transfer->verdict.outcome);
	wa_deliver_circuit_note(transfer);
	transfer->next = NULL;
	if (finished_tail)
		finished_tail->next = transfer;
	else
		finished = transfer;
	finished_tail = transfer;
}

/* A verdict without an answer; code: what happened, in a word. */
static void
judge_silence(WaTransfer *transfer, bool not_sent, const char *code, WaSaid error)
{
	WaVerdict  *verdict = &transfer->verdict;

	memset(verdict, 0, sizeof(*verdict));
	verdict->outcome = not_sent ? WA_OUTCOME_RETRY : WA_OUTCOME_UNKNOWN;
	verdict->fallback = not_sent ? WA_FALLBACK_YES : WA_FALLBACK_NO;
	verdict->max_retries = -1;
	verdict->wait_s = -1;
	verdict->backoff_s = -1;
	strlcpy(verdict->code, code, sizeof(verdict->code));
	if (error == NULL)
		error = wa_text_say_plain(WA_SAY_CONNECTION_LOST);
	if (not_sent)
		wa_say_into(&verdict->said, WA_SAY_REQUEST_NOT_SENT, error);
	else
		wa_say_into(&verdict->said, WA_SAY_NO_ANSWER_CAME, error);
}

/* Blot out secrets in place. */
static void
redact(const WaTransfer *transfer, char *text, size_t size)
{
	char	   *shown = wa_gateway_redact(text, strlen(text), transfer->secrets,
										  transfer->nsecrets, size - 1);

	/* out of memory: rather nothing than a secret */
	strlcpy(text, shown ? shown : "", size);
	free(shown);
}

/* In the engine's thread: what is done here is pure C, as gateway/ is. */
static void
judge_answer(WaWire *wire, const WaHttpAnswer *answer)
{
	WaTransfer *transfer = (WaTransfer *) wire;
	WaReply		reply = {0};
	char	   *shown;

	reply.http_status = answer->http_status;
	reply.retry_after_s = answer->retry_after_s;
	reply.usage_header = answer->usage_header;
	reply.body = answer->body ? answer->body : "";
	reply.body_len = answer->body_len;
	reply.truncated = answer->truncated;
	transfer->http_status = answer->http_status;
	transfer->gateway->judge(&reply, &transfer->verdict);
	/* the provider may quote what we sent */
	wa_gateway_redact_said(&transfer->verdict.said, transfer->secrets, transfer->nsecrets);
	redact(transfer, transfer->verdict.code, sizeof(transfer->verdict.code));
	redact(transfer, transfer->verdict.message_id, sizeof(transfer->verdict.message_id));
	redact(transfer, transfer->verdict.unlisted, sizeof(transfer->verdict.unlisted));
	shown = wa_gateway_redact(reply.body, reply.body_len, transfer->secrets,
							  transfer->nsecrets, WA_RESPONSE_BYTES);
	if (shown)
		strlcpy(transfer->response, shown, sizeof(transfer->response));
	free(shown);
}

static void
message_over(WaWire *wire, const WaHttpAnswer *answer, bool interrupted)
{
	WaTransfer *transfer = (WaTransfer *) wire;
	bool		not_sent = answer->result == WA_HTTP_NOT_SENT;

	messages_in_flight--;
	if (answer->result != WA_HTTP_ANSWERED)
		judge_silence(transfer, not_sent,
					  interrupted ? WA_CODE_INTERRUPTED : answer->tls_error ? "tls" :
					  not_sent ? "not_sent" : "no_answer", WA_SAID_IN(&answer->error));
	finish(transfer);
}

static void
collect(void)
{
	WaHttpAnswer answer;

	while (http && wa_http_thread_next(http, &answer))
	{
		WaWire	   *wire = (WaWire *) (uintptr_t) answer.tag;

		wire->over(wire, &answer, breaking_off);
		wa_http_answer_free(&answer);
	}
}

/*
 * Put a request on the wire; it belongs to the engine then, and over() will be
 * called, but not within this call.  If that fails the request is the
 * caller's, and there is a sentence.
 */
bool
wa_deliver_transfer_put(WaWire *wire, WaRequest *request, bool plain, long timeout_ms,
						WaSaidText *why)
{
	return wa_http_thread_submit(http, (uint64) (uintptr_t) wire, request, timeout_ms, plain,
								 why);
}

/*
 * Put a transfer on the wire.  If that fails it is finished at once, as not
 * sent.
 */
void
wa_deliver_transfer_submit(WaTransfer *transfer, long timeout_ms)
{
	WaSaidText	why = {""};

	transfer->started_at = GetCurrentTimestamp();
	if (wa_deliver_transfer_put(&transfer->wire, &transfer->request, transfer->plain, timeout_ms,
								&why))
		messages_in_flight++;
	else
	{
		judge_silence(transfer, true, "not_sent", WA_SAID_IN(&why));
		finish(transfer);
	}
}

/*
 * Finish one that must not be put on the wire, as not sent; code: what
 * happened, in a word.
 */
void
wa_deliver_transfer_refuse(WaTransfer *transfer, const char *code, WaSaid why)
{
	transfer->started_at = GetCurrentTimestamp();
	judge_silence(transfer, true, code, why);
	finish(transfer);
}

/*
 * The engine's descriptor is readable.
 */
void
wa_deliver_transfer_drive(void)
{
	WaStat		before = wa_wake_stat_stage(WA_STAT_SEND_TIME);

	if (http)
		wa_http_thread_begin(http);
	collect();
	(void) wa_wake_stat_stage(before);
}

/*
 * Take the next finished transfer, or NULL.  The caller records and frees it.
 */
WaTransfer *
wa_deliver_transfer_finished(void)
{
	WaTransfer *transfer = finished;

	if (transfer)
	{
		finished = transfer->next;
		if (finished == NULL)
			finished_tail = NULL;
		transfer->next = NULL;
	}
	return transfer;
}

/*
 * Is there one?
 */
bool
wa_deliver_transfer_any_finished(void)
{
	return finished != NULL;
}

/*
 * Give up what is in flight; it is finished now, mostly as unknown.
 */
void
wa_deliver_transfer_abort_all(void)
{
	/* what has ended by itself is told apart */
	collect();
	breaking_off = true;
	if (http)
		wa_http_thread_abort_all(http);
	collect();
	breaking_off = false;
}
