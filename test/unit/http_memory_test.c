/*-------------------------------------------------------------------------
 *
 * http_memory_test.c
 *		The HTTP engine where memory, or descriptors, run out on its way.
 *
 * A message goes to a server of this program again and again, and each time
 * one more allocation succeeds before one is refused, ours or libcurl's, from
 * opening the engine to reading the answer.  What the engine then says of it
 * must agree with what the server has seen: it was not sent, or nobody knows,
 * or the server's own answer; never is it there twice.  And the same engine
 * sends the next one when there is memory again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <curl/curl.h>
#include <sys/resource.h>

#include "http_server.h"
#include "failing.h"

/* Long enough for any answer here, and short where libcurl forgets one. */
#define PATIENCE_FAILING	2000

static long refused;

/* As open_engine(), or NULL and the reason. */
static WaHttp *
try_open(char *err, size_t err_size)
{
	WaHttpOptions options;

	memset(&options, 0, sizeof(options));
	options.connect_timeout_ms = PATIENCE_FAILING;
	options.max_connections = 64;
	options.max_host_connections = 8;
	options.max_reply_bytes = MAX_REPLY;
	options.ca_file = "/nowhere/ca.pem";
	return wa_http_open(&options, err, err_size);
}

/* Drive until there is an answer; false: there is none to come. */
static bool
try_await(WaHttp *http, WaHttpAnswer *answer)
{
	while (!wa_http_next(http, answer))
	{
		struct pollfd p = {wa_http_fd(http), POLLIN, 0};

		if (wa_http_in_flight(http) == 0)
			return false;
		failing_off();
		(void) poll(&p, 1, PATIENCE_FAILING);
		failing_on();
		wa_http_drive(http);
	}
	return true;
}

/* What is said of a message, and what the server saw of it. */
static void
compare(Server *s, int tag, const WaHttpAnswer *a)
{
	/* without memory libcurl may leave out what is behind the "?" (7.88) */
	int			seen = server_get(s, &s->seen[tag]) + server_get(s, &s->seen[0]);
	char		body[32];

	snprintf(body, sizeof(body), "ok %d", server_get(s, &s->seen[0]) > 0 ? 0 : tag);
	switch (a->result)
	{
		case WA_HTTP_NOT_SENT:
			CHECK_INT(seen, 0);
			CHECK(english(&a->error)[0] != '\0');
			break;
		case WA_HTTP_IN_DOUBT:
			CHECK(seen <= 1);
			CHECK(english(&a->error)[0] != '\0');
			break;
		case WA_HTTP_ANSWERED:
			CHECK_INT(seen, 1);
			CHECK_INT(a->http_status, 200);
			CHECK(a->truncated || strcmp(a->body, body) == 0);
			break;
	}
}

/* One message, on the engine given or on one of its own; false: all went well. */
static bool
try_message(WaHttp *given, Server *s, int tag, long n, bool all)
{
	WaHttp	   *http = given;
	WaHttpAnswer a;
	WaSaidText	said = {""};
	char		err[256] = "";
	char		url[128];
	char		text[64];
	WaRequest	req;
	bool		submitted = false;
	bool		failed;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok?tag=%d", s->port, tag);
	snprintf(text, sizeof(text), "{\"message\":%d}", tag);
	req = make_request("POST", url, text);
	memset(&a, 0, sizeof(a));
	failing_begin(FAILING_ANY, n, all);
	failing_on();
	if (http == NULL)
		http = try_open(err, sizeof(err));
	if (http != NULL)
		submitted = wa_http_submit(http, (uint64_t) tag, &req, PATIENCE_FAILING, true, &said);
	if (submitted && !try_await(http, &a))
		CHECK(!"an answer");
	failing_off();
	failed = failing_has();
	failing_way = FAILING_NOT;
	refused += failed;

	CHECK(http != NULL || err[0] != '\0');
	if (!submitted)
	{
		CHECK(http == NULL || english(&said)[0] != '\0');
		CHECK(req.url != NULL && strcmp(req.body, text) == 0);
		CHECK_INT(server_get(s, &s->seen[tag]), 0);
		wa_gateway_request_free(&req);
	}
	else
		compare(s, tag, &a);
	wa_http_answer_free(&a);
	if (http != NULL)
	{
		CHECK_INT(wa_http_in_flight(http), 0);
		/* the next one has memory again */
		s->seen[0] = 0;
		a = one(http, s, tag + 1, "/ok", PATIENCE_FAILING);
		CHECK_INT(a.result, WA_HTTP_ANSWERED);
		compare(s, tag + 1, &a);
		wa_http_answer_free(&a);
	}
	if (given == NULL)
		wa_http_close(http);
	return failed;
}

/* From the beginning: the library, the engine, its first message. */
static void
test_from_the_start(void)
{
	for (int all = 0; all < 2; all++)
	{
		bool		failed = true;

		for (long n = 1; failed; n++)
		{
			Server	   *s = server_start(false);

			failed = try_message(NULL, s, 1, n, all != 0);
			server_stop(s);
		}
	}
}

/* An engine that has been at work: its connection is used again. */
static void
test_under_way(void)
{
	for (int all = 0; all < 2; all++)
	{
		bool		failed = true;

		for (long n = 1; failed; n++)
		{
			Server	   *s = server_start(false);
			WaHttp	   *http = open_engine();

			expect(http, s, 1, "/ok", 5000, WA_HTTP_ANSWERED, 200);
			failed = try_message(http, s, 2, n, all != 0);
			wa_http_close(http);
			server_stop(s);
		}
	}
}

/* As many descriptors as are open, and some more. */
static void
limit_descriptors(int more, struct rlimit *before)
{
	int			fd = dup(0);
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, before);
	limit = *before;
	limit.rlim_cur = (rlim_t) (fd + more);
	close(fd);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* What a process with few descriptors sees of it; the server's is another one. */
static void
run_short(Server *s)
{
	struct rlimit before;
	char		err[256];
	WaHttp	   *http;

	for (int more = 0; more < 2; more++)
	{
		limit_descriptors(more, &before);
		err[0] = '\0';
		http = try_open(err, sizeof(err));
		setrlimit(RLIMIT_NOFILE, &before);
		CHECK(http == NULL);
		CHECK(strstr(err, "Too many open files") != NULL);
		wa_http_close(http);
	}
	http = open_engine();
	limit_descriptors(0, &before);
	for (int tag = 1; tag <= 3; tag++)
	{
		WaHttpAnswer a = one(http, s, tag, "/ok", 5000);

		CHECK_INT(a.result, WA_HTTP_NOT_SENT);
		CHECK_STR(english(&a.error), "this server could open no connection (Too many open files): "
				  "raise its limit of open files (ulimit -n, LimitNOFILE)");
		wa_http_answer_free(&a);
	}
	setrlimit(RLIMIT_NOFILE, &before);
	expect(http, s, 4, "/ok", 5000, WA_HTTP_ANSWERED, 200);
	limit_descriptors(0, &before);
	expect(http, s, 5, "/ok", 5000, WA_HTTP_ANSWERED, 200);
	setrlimit(RLIMIT_NOFILE, &before);
	wa_http_close(http);
}

/*
 * No descriptor for the engine is a reason, none for a connection is a message
 * that was not sent; one that goes by a connection that is there needs none.
 */
static void
test_descriptors(void)
{
	Server	   *s = server_start(false);
	pid_t		pid = fork();
	int			status;

	if (pid == 0)
	{
		check_passed = check_failed = 0;
		run_short(s);
		_exit(check_failed == 0 && check_passed > 0 ? 0 : 1);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	for (int tag = 1; tag <= 5; tag++)
		CHECK_INT(server_get(s, &s->seen[tag]), tag > 3);
	CHECK_INT(server_get(s, &s->nconnections), 1);
	server_stop(s);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);

	/*
	 * OpenSSL has begun before, as in a server before its workers do: when it
	 * is refused memory in the middle of that, it waits for itself (3.6.5).
	 */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl_global_cleanup();
	CHECK_RUN(test_from_the_start);
	CHECK_RUN(test_under_way);
	CHECK_RUN(test_descriptors);
	check_begin("all");
	CHECK(refused > 100);
	return check_finish("http memory");
}
