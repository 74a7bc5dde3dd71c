/*-------------------------------------------------------------------------
 *
 * http_test.c
 *		The HTTP engine against servers that misbehave.
 *
 * What the engine says about a transfer (not sent, in doubt, answered) is
 * only worth something if it agrees with what the other end has seen.  So the
 * server is part of this program (http_server.h): it counts every message that
 * it receives completely, and each test compares the two stories.
 *
 * The test of hanging name lookups runs this program a second time with
 * slow_dns.so preloaded, which must lie beside the program (or where
 * SLOW_DNS_SO says).  The TLS tests need the program openssl.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/resource.h>

#include "http_server.h"

/* ----------------------------------------------------------------- tests */

static void
test_answers(void)
{
	Server	   *s = server_start(false);
	WaHttp	   *http = open_engine();
	WaHttpAnswer a;
	char		url[128];
	sigset_t	before;
	sigset_t	after;
	int			sig;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	a = one(http, s, 1, "/ok", 5000);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (sig = 1; sig < 32; sig++)
		CHECK_INT(sigismember(&after, sig), sig == SIGUSR2);
	CHECK_INT(a.result, WA_HTTP_ANSWERED);
	CHECK_INT(a.http_status, 200);
	CHECK_STR(a.body, "ok 1");
	CHECK_INT(a.retry_after_s, -1);
	CHECK_STR(a.usage_header, NULL);
	CHECK(a.error.bytes[0] == 0);
	CHECK(!a.truncated && !a.tls_error);
	wa_http_answer_free(&a);
	wa_http_answer_free(&a);

	/* what went over the wire */
	CHECK(strncmp(s->last_head, "POST /ok?tag=1 HTTP/1.1\r\n", 25) == 0);
	CHECK(strstr(s->last_head, "\r\nContent-Length: 13\r\n") != NULL);
	CHECK(strstr(s->last_head, "\r\nContent-Type: application/json\r\n") != NULL);
	CHECK(strstr(s->last_head, "\r\nAuthorization: Bearer s3cr3t\r\n") != NULL);
	CHECK(strcasestr(s->last_head, "Expect") == NULL);
	CHECK(strstr(s->last_head, "\r\nAccept-Encoding: identity\r\n") != NULL);
	CHECK_STR(s->last_body, "{\"message\":1}");

	/* GET between POSTs, on the same easy handle */
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok?tag=2", s->port);
	submit_url(http, 2, "GET", url, NULL, 5000);
	CHECK(await_answer(http, &a));
	CHECK_STR(a.body, "ok 2");
	CHECK(strncmp(s->last_head, "GET /ok?tag=2 ", 14) == 0);
	CHECK(strstr(s->last_head, "Content-Length") == NULL);
	wa_http_answer_free(&a);

	a = one(http, s, 3, "/no-body", 5000);
	CHECK_INT(a.http_status, 204);
	CHECK_STR(a.body, "");
	CHECK(!a.truncated);
	wa_http_answer_free(&a);

	a = one(http, s, 4, "/busy", 5000);
	CHECK_INT(a.http_status, 429);
	CHECK_INT(a.retry_after_s, 17);
	CHECK_STR(a.usage_header, "{\"1\":[]}");
	CHECK_STR(a.body, "busy");
	wa_http_answer_free(&a);

	a = one(http, s, 5, "/busy-until", 5000);
	CHECK_INT(a.http_status, 503);
	CHECK(a.retry_after_s > 3500 && a.retry_after_s <= 3600);
	CHECK_STR(a.usage_header, NULL);
	wa_http_answer_free(&a);

	a = one(http, s, 6, "/long-usage", 5000);
	CHECK(a.usage_header != NULL && strlen(a.usage_header) == 4096);
	wa_http_answer_free(&a);

	a = one(http, s, 7, "/redirect", 5000);
	CHECK_INT(a.http_status, 302);
	CHECK_INT(s->seen[999], 0);
	wa_http_answer_free(&a);

	a = one(http, s, 8, "/continue", 5000);
	CHECK_INT(a.http_status, 200);
	CHECK_STR(a.body, "ok 8");
	CHECK_INT(a.retry_after_s, -1); /* that of the 103 does not count */
	wa_http_answer_free(&a);

	CHECK_INT(s->nconnections, 1);	/* kept alive throughout */

	a = one(http, s, 9, "/to-the-end", 5000);
	CHECK_STR(a.body, "all of it");
	CHECK(!a.truncated);
	wa_http_answer_free(&a);
	CHECK(!wa_http_next(http, &a));

	wa_http_close(http);
	server_stop(s);
}

/* A status line came, but not all of the rest: answered all the same. */
static void
test_broken_answers(void)
{
	static const struct
	{
		const char *path;
		int			status;
		size_t		body_len;
	}			cases[] = {
		{"/half-head", 200, 0},
		{"/half-body", 200, 10},
		{"/bad-chunks", 200, 4},
		{"/huge", 200, MAX_REPLY},
		{"/huge-chunked", 500, MAX_REPLY},
	};
	Server	   *s = server_start(false);
	WaHttp	   *http = open_engine();
	WaHttpAnswer a;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		check_begin(cases[i].path);
		a = one(http, s, (int) i + 1, cases[i].path, 10000);
		CHECK_INT(a.result, WA_HTTP_ANSWERED);
		CHECK_INT(a.http_status, cases[i].status);
		CHECK_INT(a.body_len, cases[i].body_len);
		CHECK(a.truncated);
		CHECK(a.error.bytes[0] != '\0');
		CHECK_INT(server_get(s, &s->seen[i + 1]), 1);
		wa_http_answer_free(&a);
	}

	check_begin("/drip");
	a = one(http, s, 50, "/drip", 200);
	CHECK_INT(a.result, WA_HTTP_ANSWERED);
	CHECK(a.truncated);
	CHECK(a.total_s >= 0.19);
	wa_http_answer_free(&a);

	wa_http_close(http);
	server_stop(s);
}

/* An answer that is compressed although nobody asked for that. */
static void
test_encoded(void)
{
	Server	   *s = server_start(false);
	WaHttp	   *http = open_engine();
	WaHttpAnswer a;

	check_begin("/gzip");
	a = one(http, s, 1, "/gzip", 5000);
	CHECK_INT(a.result, WA_HTTP_ANSWERED);
	CHECK_INT(a.http_status, 200);
	CHECK_STR(a.body, "{\"id\":\"42\"}");
	CHECK(!a.truncated);
	wa_http_answer_free(&a);

	/* 32 MB in 32 kB: the limit holds for what comes out */
	check_begin("/gzip-bomb");
	a = one(http, s, 2, "/gzip-bomb", 10000);
	CHECK_INT(a.result, WA_HTTP_ANSWERED);
	CHECK_INT(a.body_len, MAX_REPLY);
	CHECK(a.truncated);
	CHECK(strstr(english(&a.error), "larger than") != NULL);
	wa_http_answer_free(&a);

	check_begin("/gzip-half");
	a = one(http, s, 3, "/gzip-half", 5000);
	CHECK_INT(a.result, WA_HTTP_ANSWERED);
	CHECK(a.truncated);
	wa_http_answer_free(&a);

	/* one that nobody knows */
	check_begin("/wrapped");
	a = one(http, s, 4, "/wrapped", 5000);
	CHECK_INT(a.result, WA_HTTP_ANSWERED);
	CHECK_INT(a.http_status, 200);
	CHECK(a.truncated && a.error.bytes[0] != '\0');
	wa_http_answer_free(&a);

	wa_http_close(http);
	server_stop(s);
}

/* The message arrived, but no answer: once each, and in doubt. */
static void
test_in_doubt(void)
{
	static const char *const paths[] = {
		"/fin", "/reset", "/half-status", "/nonsense", "/continue-only"
	};
	Server	   *s = server_start(false);
	WaHttp	   *http = open_engine();
	WaHttpAnswer a;
	int			tag = 1;
	int			reused;

	for (reused = 0; reused <= 1; reused++)
	{
		size_t		i;

		for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		{
			check_begin(paths[i]);
			if (reused)
				expect(http, s, tag++, "/ok", 5000, WA_HTTP_ANSWERED, 200);
			a = one(http, s, tag, paths[i], 5000);
			CHECK_INT(a.result, WA_HTTP_IN_DOUBT);
			CHECK(a.error.bytes[0] != '\0' && !a.tls_error);
			CHECK_INT(server_get(s, &s->heads[tag]), 1);
			CHECK_INT(server_get(s, &s->seen[tag]), 1);
			if (reused)
				CHECK_INT(s->connection_of[tag], s->connection_of[tag - 1]);
			tag++;
			wa_http_answer_free(&a);
		}
	}

	check_begin("timeouts");
	a = one(http, s, 100, "/hang", 200);
	CHECK_INT(a.result, WA_HTTP_IN_DOUBT);
	CHECK(a.total_s >= 0.19);
	CHECK_INT(server_get(s, &s->seen[100]), 1);
	wa_http_answer_free(&a);
	expect(http, s, 101, "/drip-status", 200, WA_HTTP_IN_DOUBT, 0);

	/* the same without any body: there is nothing to rewind then */
	check_begin("POST without body");
	{
		char		url[128];

		expect(http, s, 102, "/ok", 5000, WA_HTTP_ANSWERED, 200);
		snprintf(url, sizeof(url), "http://127.0.0.1:%d/fin?tag=103", s->port);
		submit_url(http, 103, "POST", url, NULL, 5000);
		CHECK(await_answer(http, &a));
		CHECK_INT(a.result, WA_HTTP_IN_DOUBT);
		CHECK_INT(server_get(s, &s->heads[103]), 1);
		CHECK_INT(s->connection_of[103], s->connection_of[102]);
		wa_http_answer_free(&a);
	}

	/* lost while the body was still being written */
	check_begin("/early-reset");
	{
		char		url[128];
		size_t		len = (size_t) 16 << 20;
		char	   *big = malloc(len + 1);

		if (big == NULL)
			abort();
		memset(big, 'b', len);
		big[len] = '\0';
		expect(http, s, 104, "/ok", 5000, WA_HTTP_ANSWERED, 200);
		snprintf(url, sizeof(url), "http://127.0.0.1:%d/early-reset?tag=105",
				 s->port);
		submit_url(http, 105, "POST", url, big, 5000);
		CHECK(await_answer(http, &a));
		CHECK_INT(a.result, WA_HTTP_IN_DOUBT);
		/* a head whose body never left may be sent again; a message not */
		CHECK(server_get(s, &s->heads[105]) <= 2);
		CHECK_INT(server_get(s, &s->seen[105]), 0);
		wa_http_answer_free(&a);
		free(big);
	}
	wa_http_close(http);
	server_stop(s);

	/*
	 * Gone before it read anything; the reset may come before the request has
	 * left, or after.
	 */
	check_begin("cut at accept");
	s = server_start(true);
	http = open_engine();
	a = one(http, s, 1, "/ok", 5000);
	CHECK(a.result == WA_HTTP_NOT_SENT || a.result == WA_HTTP_IN_DOUBT);
	CHECK_INT(a.http_status, 0);
	CHECK(a.error.bytes[0] != '\0');
	wa_http_answer_free(&a);
	wa_http_close(http);
	server_stop(s);
}

/* The server closes a connection that lies idle: nobody should notice. */
static void
test_idle_close(void)
{
	Server	   *s = server_start(false);
	WaHttp	   *http = open_engine();
	int			i;

	for (i = 0; i < 20; i++)
	{
		expect(http, s, 2 * i, (i % 2) ? "/ok-fin" : "/ok-reset", 5000,
			   WA_HTTP_ANSWERED, 200);
		CHECK(server_await(s, &s->closed, i + 1));
		CHECK_INT(server_get(s, &s->seen[2 * i]), 1);
	}
	CHECK_INT(s->nconnections, 20);
	wa_http_close(http);
	server_stop(s);
}

static void
test_not_sent(void)
{
	WaHttp	   *http = open_engine();
	WaHttpAnswer a;
	Server	   *s;
	char		url[128];
	int			port;
	int			fd = bound_socket(&port);

	/* bound, but nobody listens */
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok", port);
	submit_url(http, 1, "POST", url, "{}", 5000);
	CHECK(await_answer(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK(strstr(english(&a.error), "connect") != NULL);
	CHECK(!a.tls_error);
	wa_http_answer_free(&a);
	close(fd);

	/* no such name: RFC 6761 reserves it */
	submit_url(http, 2, "POST", "https://provider.invalid/x", "{}", 20000);
	CHECK(await_answer(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK(a.error.bytes[0] != '\0');
	wa_http_answer_free(&a);

	/* not a URL at all, and a name and password in it */
	submit_url(http, 3, "POST", "https://", "{}", 5000);
	CHECK(await_answer(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	wa_http_answer_free(&a);
	submit_url(http, 4, "POST", "https://u:s3cr3t@127.0.0.1:1/", "{}", 5000);
	CHECK(await_answer(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	wa_http_answer_free(&a);

	/* TLS spoken to a server that does not */
	s = server_start(false);
	s->plain_only = true;
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/ok", s->port);
	submit_url(http, 5, "POST", url, "{}", 5000);
	CHECK(await_answer(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK(a.tls_error);
	wa_http_answer_free(&a);
	server_stop(s);

	/*
	 * The same to one that resets the connection, before or during the
	 * handshake: which of the two libcurl sees is chance.
	 */
	s = server_start(true);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/ok", s->port);
	submit_url(http, 8, "POST", url, "{}", 5000);
	CHECK(await_answer(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK(a.error.bytes[0] != '\0');
	wa_http_answer_free(&a);
	server_stop(s);
	wa_http_close(http);

	/*
	 * A wait for a free connection that takes too long.  Some versions of
	 * libcurl notice that only when a connection becomes free.
	 */
	s = server_start(false);
	http = open_engine_with(1, NULL, NULL);
	submit(http, s, 6, "/hang", 400);
	CHECK(drive_until(http, s, &s->messages, 1));
	submit(http, s, 7, "/ok", 100);
	for (port = 0; port < 2 && await_answer(http, &a); port++)
	{
		CHECK_INT(a.result, a.tag == 7 ? WA_HTTP_NOT_SENT : WA_HTTP_IN_DOUBT);
		CHECK(a.total_s >= 0.09 && a.total_s < 5);
		wa_http_answer_free(&a);
	}
	CHECK_INT(s->seen[7], 0);
	wa_http_close(http);
	server_stop(s);
}

/* A connection by IPv6 is kept and found again as any other. */
static void
test_ipv6(void)
{
	struct sockaddr_in6 address;
	socklen_t	len = sizeof(address);
	Server	   *s;
	WaHttp	   *http;
	WaHttpAnswer a;
	char		url[128];
	int			tag;
	int			fd = socket(AF_INET6, SOCK_STREAM, 0);

	memset(&address, 0, sizeof(address));
	address.sin6_family = AF_INET6;
	address.sin6_addr = in6addr_loopback;
	if (fd < 0 || bind(fd, (struct sockaddr *) &address, len) < 0 ||
		getsockname(fd, (struct sockaddr *) &address, &len) < 0)
	{
		printf("no IPv6 here\n");
		if (fd >= 0)
			close(fd);
		return;
	}
	s = server_listen(fd, ntohs(address.sin6_port), false, 0);
	http = open_engine();
	for (tag = 1; tag <= 3; tag++)
	{
		snprintf(url, sizeof(url), "http://[::1]:%d/ok?tag=%d", s->port, tag);
		submit_url(http, tag, "POST", url, "{}", 5000);
		CHECK(await_answer(http, &a));
		CHECK_INT(a.result, WA_HTTP_ANSWERED);
		CHECK_INT(server_get(s, &s->seen[tag]), 1);
		wa_http_answer_free(&a);
	}
	CHECK_INT(s->nconnections, 1);
	wa_http_close(http);
	server_stop(s);
}

/* The lowest descriptor that is free. */
static int
next_descriptor(void)
{
	int			fd = dup(0);

	close(fd);
	return fd;
}

/* No descriptor is left: for an engine, or for a connection of one. */
static void
test_descriptors(void)
{
	Server	   *s;
	WaHttp	   *http = NULL;
	WaHttpAnswer a;
	struct rlimit before;
	struct rlimit few;
	char		err[256];
	int			first = next_descriptor();
	int			n;

	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	for (n = 0; n < 16 && http == NULL; n++)
	{
		WaHttpOptions options;

		memset(&options, 0, sizeof(options));
		options.connect_timeout_ms = 10000;
		options.max_connections = options.max_host_connections = 8;
		options.max_reply_bytes = MAX_REPLY;
		err[0] = '\0';
		few.rlim_cur = (rlim_t) (first + n);
		setrlimit(RLIMIT_NOFILE, &few);
		http = wa_http_open(&options, err, sizeof(err));
		setrlimit(RLIMIT_NOFILE, &before);
		if (http == NULL)
		{
			CHECK(err[0] != '\0');
			CHECK_INT(next_descriptor(), first);
		}
	}
	CHECK(n > 1 && http != NULL);
	if (http == NULL)
		return;

	s = server_start(false);
	few.rlim_cur = (rlim_t) next_descriptor();
	setrlimit(RLIMIT_NOFILE, &few);
	a = one(http, s, 1, "/ok", 5000);
	setrlimit(RLIMIT_NOFILE, &before);
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK(a.error.bytes[0] != '\0');
	CHECK_INT(server_get(s, &s->heads[1]), 0);
	wa_http_answer_free(&a);
	expect(http, s, 2, "/ok", 5000, WA_HTTP_ANSWERED, 200);
	wa_http_close(http);
	server_stop(s);
}

/* What must not even begin; the caller keeps the request. */
static void
test_refused(void)
{
	static const char *const urls[] = {
		"http://127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", ""
	};
	WaHttp	   *http = open_engine();
	WaRequest	req;
	WaSaidText	err = {""};
	size_t		i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
	{
		req = make_request("POST", urls[i], "{}");
		err.bytes[0] = '\0';
		CHECK(!wa_http_submit(http, 1, &req, 1000, false, &err));
		CHECK(err.bytes[0] != '\0');
		CHECK_STR(req.url, urls[i]);
		wa_gateway_request_free(&req);
	}
	req = make_request("POST", "ftp://127.0.0.1/", "{}");
	CHECK(!wa_http_submit(http, 1, &req, 1000, true, &err));
	wa_gateway_request_free(&req);
	req = make_request("DELETE", "https://127.0.0.1/", NULL);
	CHECK(!wa_http_submit(http, 1, &req, 1000, false, &err));
	wa_gateway_request_free(&req);
	req = make_request("POST", "https://127.0.0.1/", "{}");
	free(req.headers[1]);
	req.headers[1] = strdup("X: s3cr3t\r\nHost: elsewhere");
	CHECK(!wa_http_submit(http, 1, &req, 1000, false, &err));
	CHECK(strstr(english(&err), "s3cr3t") == NULL);
	wa_gateway_request_free(&req);

	CHECK_INT(wa_http_in_flight(http), 0);
	wa_http_close(http);
	wa_http_close(NULL);
}

static void
test_proxy(void)
{
	Server	   *proxy = server_start(false);
	Server	   *s = server_start(false);
	WaHttp	   *http;
	WaHttpAnswer a;
	char		url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", proxy->port);
	http = open_engine_with(8, NULL, url);

	/* the proxy has bytes from us, but the provider has none */
	submit_url(http, 1, "POST", "https://provider.invalid/x", "{}", 5000);
	CHECK(await_answer(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK_INT(server_get(proxy, &proxy->connects), 1);
	CHECK(strstr(proxy->last_head, "s3cr3t") == NULL);
	wa_http_answer_free(&a);

	/* plain text never goes to a proxy, not even for another name */
	expect(http, s, 2, "/ok", 5000, WA_HTTP_ANSWERED, 200);
	submit_url(http, 3, "POST", "http://provider.invalid/x", "{}", 20000);
	CHECK(await_answer(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	wa_http_answer_free(&a);
	CHECK_INT(proxy->nconnections, 1);

	/* and the proxy is used again after that */
	submit_url(http, 4, "POST", "https://provider.invalid/x", "{}", 5000);
	CHECK(await_answer(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK_INT(server_get(proxy, &proxy->connects), 2);
	wa_http_answer_free(&a);

	wa_http_close(http);
	server_stop(proxy);
	server_stop(s);
}

static void
test_many(void)
{
	static const char *const mixed[] = {
		"/ok", "/ok", "/ok", "/fin", "/ok", "/ok-fin", "/reset", "/ok",
		"/ok-reset", "/half-status", "/ok", "/half-body"
	};
	Server	   *s = server_start(false);
	WaHttp	   *http = open_engine_with(20, NULL, NULL);
	WaHttpAnswer a;
	int			i;
	int			answered = 0;

	check_begin("many good");
	for (i = 0; i < 500; i++)
		submit(http, s, i, "/ok", PATIENCE_MS);
	CHECK_INT(wa_http_in_flight(http), 500);
	for (i = 0; i < 500 && await_answer(http, &a); i++)
	{
		char		want[32];

		snprintf(want, sizeof(want), "ok %d", (int) a.tag);
		CHECK_STR(a.body, want);
		CHECK_INT(server_get(s, &s->seen[a.tag]), 1);
		wa_http_answer_free(&a);
	}
	CHECK_INT(s->messages, 500);
	/* head and body left together, but where this process had to stand still */
	CHECK(s->apart < 50);
	CHECK(s->nconnections <= 20);
	CHECK_INT(wa_http_in_flight(http), 0);

	/* connections die all the time: our story must fit the server's */
	check_begin("many mixed");
	for (i = 500; i < 1000; i++)
		submit(http, s, i, mixed[(size_t) i % (sizeof(mixed) / sizeof(mixed[0]))],
			   PATIENCE_MS);
	for (i = 0; i < 500 && await_answer(http, &a); i++)
	{
		int			seen = server_get(s, &s->seen[a.tag]);

		if (a.result == WA_HTTP_ANSWERED)
		{
			answered++;
			CHECK_INT(seen, 1);
		}
		else if (a.result == WA_HTTP_NOT_SENT)
			CHECK_INT(seen, 0);
		else
			CHECK(seen <= 1);
		CHECK(server_get(s, &s->heads[a.tag]) <= 2);
		wa_http_answer_free(&a);
	}
	CHECK(answered >= 250);
	wa_http_close(http);
	server_stop(s);
}

static void
test_abort(void)
{
	Server	   *s = server_start(false);
	WaHttp	   *http = open_engine_with(4, NULL, NULL);
	WaHttpAnswer a;
	int			i;
	int			in_doubt = 0;
	int			not_sent = 0;

	for (i = 0; i < 40; i++)
		submit(http, s, i, "/hang", PATIENCE_MS);
	CHECK(drive_until(http, s, &s->messages, 4));
	wa_http_abort_all(http);
	CHECK_INT(wa_http_in_flight(http), 0);
	for (i = 0; i < 40 && CHECK(wa_http_next(http, &a)); i++)
	{
		int			seen = server_get(s, &s->seen[a.tag]);

		CHECK(a.body == NULL && a.error.bytes[0] != '\0' && !a.tls_error);
		CHECK_INT(a.result, seen ? WA_HTTP_IN_DOUBT : WA_HTTP_NOT_SENT);
		in_doubt += (a.result == WA_HTTP_IN_DOUBT);
		not_sent += (a.result == WA_HTTP_NOT_SENT);
		wa_http_answer_free(&a);
	}
	CHECK(!wa_http_next(http, &a));
	CHECK_INT(in_doubt, 4);
	CHECK_INT(not_sent, 36);

	/* in the middle of an answer; drive once more for what has arrived */
	submit(http, s, 50, "/drip", PATIENCE_MS);
	CHECK(drive_until(http, s, &s->drips, 2));
	wa_http_drive(http);
	wa_http_abort_all(http);
	CHECK(wa_http_next(http, &a));
	CHECK_INT(a.tag, 50);
	CHECK_INT(a.result, WA_HTTP_ANSWERED);
	CHECK(a.truncated && a.body_len >= 2);
	wa_http_answer_free(&a);

	/* nothing begun at all, and the engine goes on working */
	submit(http, s, 51, "/ok", PATIENCE_MS);
	wa_http_abort_all(http);
	CHECK(wa_http_next(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK_INT(server_get(s, &s->heads[51]), 0);
	wa_http_answer_free(&a);
	wa_http_abort_all(http);
	expect(http, s, 52, "/ok", 5000, WA_HTTP_ANSWERED, 200);

	/* closing with transfers running and answers not taken */
	submit(http, s, 60, "/ok", 5000);
	while (wa_http_in_flight(http) > 0 && step(http))
		;
	submit(http, s, 61, "/hang", PATIENCE_MS);
	CHECK(drive_until(http, s, &s->seen[61], 1));
	wa_http_close(http);
	server_stop(s);
}

/* ------------------------------------------------------------------- TLS */

/* Start openssl's own server; its port, or 0.  The pid and pipe to wait on. */
static int
start_tls_server(const char *cert, const char *key, pid_t *pid, FILE **output)
{
	int			out[2];
	char		line[256];
	int			port = 0;

	if (pipe(out) < 0)
		return 0;
	*pid = fork();
	if (*pid == 0)
	{
		/* its input must stay open, or it stops */
		int			in[2];

		if (pipe(in) < 0)
			_exit(126);
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0",
			   "-cert", cert, "-key", key, "-www", (char *) NULL);
		_exit(127);
	}
	close(out[1]);
	*output = fdopen(out[0], "r");
	while (*output != NULL && fgets(line, sizeof(line), *output) != NULL)
	{
		if (strncmp(line, "ACCEPT ", 7) == 0)
		{
			char	   *colon = strrchr(line, ':');

			port = colon ? atoi(colon + 1) : 0;
			break;
		}
	}
	return port;
}

static WaHttpAnswer
get_tls(const char *ca_file, const char *host, int port)
{
	WaHttp	   *http = open_engine_with(8, ca_file, NULL);
	WaHttpAnswer a;
	char		url[128];

	memset(&a, 0, sizeof(a));
	snprintf(url, sizeof(url), "https://%s:%d/", host, port);
	submit_url(http, 1, "GET", url, NULL, 10000);
	CHECK(await_answer(http, &a));
	wa_http_close(http);
	return a;
}

static void
test_tls(void)
{
	char		dir[] = "/tmp/http_test.XXXXXX";
	char		cert[64];
	char		key[64];
	char		missing[64];
	pid_t		pid = -1;
	FILE	   *output = NULL;
	int			port;
	WaHttpAnswer a;

	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	snprintf(key, sizeof(key), "%s/key.pem", dir);
	snprintf(missing, sizeof(missing), "%s/missing.pem", dir);
	{
		char	   *argv[] = {"openssl", "req", "-x509", "-newkey", "ec",
			"-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
			"-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
		"-keyout", key, "-out", cert, NULL};

		CHECK(run_quietly(argv));
	}
	port = start_tls_server(cert, key, &pid, &output);
	CHECK(port > 0);

	/* nobody vouches for it */
	a = get_tls(NULL, "127.0.0.1", port);
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK(a.tls_error);
	CHECK(strstr(english(&a.error), "certificate") != NULL);
	wa_http_answer_free(&a);

	/* our CA file does */
	a = get_tls(cert, "127.0.0.1", port);
	CHECK_INT(a.result, WA_HTTP_ANSWERED);
	CHECK_INT(a.http_status, 200);
	CHECK(!a.tls_error && a.body_len > 0);
	wa_http_answer_free(&a);

	/* but not for another name */
	a = get_tls(cert, "localhost", port);
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK(a.tls_error);
	wa_http_answer_free(&a);

	/* a CA file that is not there is named */
	a = get_tls(missing, "127.0.0.1", port);
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK(a.tls_error);
	CHECK(strstr(english(&a.error), missing) != NULL);
	wa_http_answer_free(&a);

	if (pid > 0)
	{
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (output != NULL)
		fclose(output);
	unlink(cert);
	unlink(key);
	rmdir(dir);
}

/* ---------------------------------------------------------- name lookups */

/* Do all other threads of this process block what the server handles? */
static void
check_thread_masks(void)
{
	static const int used[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD,
		SIGURG, SIGPIPE
	};
	DIR		   *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int			others = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
	{
		char		name[300];
		char		line[256];
		FILE	   *file;

		if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid())
			continue;
		snprintf(name, sizeof(name), "/proc/self/task/%s/status",
				 entry->d_name);
		file = fopen(name, "r");
		while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		{
			unsigned long long mask;
			size_t		i;

			if (sscanf(line, "SigBlk: %llx", &mask) != 1)
				continue;
			others++;
			for (i = 0; i < sizeof(used) / sizeof(used[0]); i++)
				CHECK((mask >> (used[i] - 1)) & 1);
		}
		if (file != NULL)
			fclose(file);
	}
	if (dir != NULL)
		closedir(dir);
	CHECK(others > 0);			/* else nothing was looked up in a thread */
}

/* The second run of this program, under slow_dns.so. */
static void
slow_dns_main(int port)
{
	WaHttp	   *http = open_engine();
	WaHttpAnswer a;
	char		url[128];
	double		slowest = 0;
	double		start;
	int			good = 0;
	int			i;

	CHECK(strstr(wa_http_library(), "asynchronous DNS: yes") != NULL);

	submit_url(http, 1000, "POST", "https://one.slow.test/", "{}", 700);
	for (i = 0; i < 50; i++)
	{
		snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok?tag=%d", port, i);
		submit_url(http, i, "POST", url, "{}", 5000);
	}
	for (i = 0; i < 51; i++)
	{
		while (!wa_http_next(http, &a))
		{
			struct pollfd p = {wa_http_fd(http), POLLIN, 0};

			if (!CHECK(poll(&p, 1, PATIENCE_MS) == 1))
				return;
			start = now_s();
			wa_http_drive(http);
			if (now_s() - start > slowest)
				slowest = now_s() - start;
		}
		if (a.tag == 1000)
		{
			CHECK_INT(a.result, WA_HTTP_NOT_SENT);
			CHECK(a.total_s >= 0.69 && a.total_s < 3);
			CHECK_INT(good, 50);	/* it held nobody up */
		}
		else
		{
			CHECK_INT(a.http_status, 200);
			good++;
		}
		wa_http_answer_free(&a);
	}
	CHECK(slowest < 0.5);

	/* one that hangs while we stop */
	submit_url(http, 1001, "POST", "https://two.slow.test/", "{}", 60000);
	wa_http_drive(http);
	check_thread_masks();
	start = now_s();
	wa_http_abort_all(http);
	CHECK(wa_http_next(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	wa_http_answer_free(&a);
	submit_url(http, 1002, "POST", "https://three.slow.test/", "{}", 60000);
	wa_http_drive(http);
	wa_http_close(http);
	CHECK(now_s() - start < 1);
}

static void
test_slow_dns(void)
{
	Server	   *s = server_start(false);
	const char *shim = getenv("SLOW_DNS_SO");
	char		self[PATH_MAX];
	char		beside[PATH_MAX + 16];
	char		port[16];
	ssize_t		len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	pid_t		pid;
	int			status = -1;

	if (len < 0)
		abort();
	self[len] = '\0';
	if (shim == NULL)
	{
		snprintf(beside, sizeof(beside), "%.*s/slow_dns.so",
				 (int) (strrchr(self, '/') - self), self);
		shim = beside;
	}
	CHECK(access(shim, R_OK) == 0);
	snprintf(port, sizeof(port), "%d", s->port);
	pid = fork();
	if (pid == 0)
	{
		setenv("LD_PRELOAD", shim, 1);
		/* the sanitizer's library need not come first for this shim */
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
		execl(self, self, "--slow-dns", port, (char *) NULL);
		_exit(127);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
	CHECK_INT(s->messages, 50);
	server_stop(s);
}

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);	/* as PostgreSQL does */

	if (argc == 3 && strcmp(argv[1], "--slow-dns") == 0)
	{
		check_begin("slow_dns_main");
		slow_dns_main(atoi(argv[2]));
		return check_failed == 0 && check_passed > 0 ? 0 : 1;
	}

	/* all of this must not matter */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	setenv("no_proxy", "provider.invalid", 1);

	printf("%s\n", wa_http_library());
	fflush(stdout);				/* children inherit what is not written */
	CHECK_RUN(test_answers);
	CHECK_RUN(test_broken_answers);
	CHECK_RUN(test_encoded);
	CHECK_RUN(test_in_doubt);
	CHECK_RUN(test_idle_close);
	CHECK_RUN(test_not_sent);
	CHECK_RUN(test_ipv6);
	CHECK_RUN(test_descriptors);
	CHECK_RUN(test_refused);
	CHECK_RUN(test_proxy);
	CHECK_RUN(test_many);
	CHECK_RUN(test_abort);
	CHECK_RUN(test_tls);
	CHECK_RUN(test_slow_dns);
	return check_finish("http");
}
