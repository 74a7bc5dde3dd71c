/*-------------------------------------------------------------------------
 *
 * http_test.c
 *		The HTTP engine against servers that misbehave.
 *
 * What the engine says about a transfer (not sent, in doubt, answered) is
 * only worth something if it agrees with what the other end has seen.  So the
 * server is part of this program: it counts every message that it receives
 * completely, and each test compares the two stories.
 *
 * Nothing waits for time to pass: a test waits for its transfers, or for a
 * figure of the server's, and gives up after PATIENCE_MS.
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

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "deliver/http.h"

#define PATIENCE_MS		30000
#define MAX_TAGS		1024
#define MAX_CONNECTIONS 2048
#define HEAD_SIZE		16384
#define MAX_REPLY		((size_t) 65536)

/* ---------------------------------------------------------------- server */

typedef struct Server
{
	int			listen_fd;
	int			port;
	bool		cut_at_accept;	/* reset each connection before reading */
	bool		plain_only;		/* answer whatever comes in plain text */
	pthread_t	thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* all below under the lock */
	bool		stopping;
	int			fds[MAX_CONNECTIONS];	/* -1: closed */
	pthread_t	threads[MAX_CONNECTIONS];
	int			nconnections;
	int			messages;		/* complete requests */
	int			connects;		/* CONNECT requests */
	int			closed;			/* connections closed by the server */
	int			drips;
	int			heads[MAX_TAGS];	/* request heads seen, by tag */
	int			seen[MAX_TAGS]; /* complete requests seen, by tag */
	int			connection_of[MAX_TAGS];
	char		last_head[HEAD_SIZE];
	char		last_body[256];
} Server;

typedef struct Connection
{
	Server	   *server;
	int			index;
	int			fd;
	char		buffer[HEAD_SIZE];
	size_t		used;
} Connection;

/* Write everything; false when the client is gone. */
static bool
say(int fd, const char *data, size_t len)
{
	while (len > 0)
	{
		ssize_t		n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t) n;
	}
	return true;
}

static bool
say_text(int fd, const char *text)
{
	return say(fd, text, strlen(text));
}

/* Wait until the client goes away, reading whatever it says. */
static void
await_end(int fd)
{
	char		waste[4096];

	while (recv(fd, waste, sizeof(waste), 0) > 0)
		;
}

/* Close the connection, with a reset instead of a FIN if asked for. */
static void
hang_up(Connection *c, bool reset)
{
	Server	   *s = c->server;

	if (reset)
	{
		struct linger linger = {1, 0};

		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	pthread_mutex_lock(&s->lock);
	close(c->fd);
	s->fds[c->index] = -1;
	s->closed++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	c->fd = -1;
}

/* Fill the buffer until it holds a whole head; returns its length or 0. */
static size_t
read_head(Connection *c)
{
	for (;;)
	{
		char	   *end;
		ssize_t		n;

		c->buffer[c->used] = '\0';
		end = strstr(c->buffer, "\r\n\r\n");
		if (end != NULL)
			return (size_t) (end - c->buffer) + 4;
		if (c->used >= sizeof(c->buffer) - 1)
			return 0;
		n = recv(c->fd, c->buffer + c->used, sizeof(c->buffer) - 1 - c->used, 0);
		if (n <= 0)
			return 0;
		c->used += (size_t) n;
	}
}

/* Read one request and book it.  False: the client is gone. */
static bool
read_request(Connection *c, char *path, size_t path_size, int *tag)
{
	Server	   *s = c->server;
	size_t		head_len = read_head(c);
	size_t		body_len = 0;
	size_t		have;
	size_t		kept = 0;
	char		body[256];
	char	   *p;
	bool		is_connect;

	if (head_len == 0)
		return false;
	is_connect = strncmp(c->buffer, "CONNECT ", 8) == 0;
	p = strcasestr(c->buffer, "\r\nContent-Length:");
	if (p != NULL && p < c->buffer + head_len)
		body_len = strtoul(p + 17, NULL, 10);
	p = strchr(c->buffer, ' ');
	snprintf(path, path_size, "%.*s",
			 (int) (p ? strcspn(p + 1, " ?") : 0), p ? p + 1 : "");
	p = strstr(c->buffer, "?tag=");
	*tag = p ? atoi(p + 5) % MAX_TAGS : 0;

	pthread_mutex_lock(&s->lock);
	memcpy(s->last_head, c->buffer, head_len);
	s->last_head[head_len] = '\0';
	s->heads[*tag]++;
	pthread_mutex_unlock(&s->lock);

	if (strcmp(path, "/early-reset") == 0)
	{
		hang_up(c, true);
		return false;
	}

	/* the body: what came with the head, then the rest */
	have = c->used - head_len;
	memmove(c->buffer, c->buffer + head_len, have);
	c->used = have;
	while (body_len > 0)
	{
		size_t		part = c->used < body_len ? c->used : body_len;
		size_t		keep = part;
		ssize_t		n;

		if (keep > sizeof(body) - 1 - kept)
			keep = sizeof(body) - 1 - kept;
		memcpy(body + kept, c->buffer, keep);
		kept += keep;
		memmove(c->buffer, c->buffer + part, c->used - part);
		c->used -= part;
		body_len -= part;
		if (body_len == 0)
			break;
		n = recv(c->fd, c->buffer, sizeof(c->buffer) - 1, 0);
		if (n <= 0)
			return false;
		c->used = (size_t) n;
	}
	body[kept] = '\0';

	pthread_mutex_lock(&s->lock);
	memcpy(s->last_body, body, kept + 1);
	if (is_connect)
		s->connects++;
	else
	{
		s->messages++;
		s->seen[*tag]++;
		s->connection_of[*tag] = c->index;
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* A plain good answer. */
static bool
say_ok(Connection *c, int tag)
{
	char		body[64];
	char		text[256];

	snprintf(body, sizeof(body), "ok %d", tag);
	snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
			 strlen(body), body);
	return say_text(c->fd, text);
}

/* Send forever, one byte in 5 ms, until the client is gone. */
static void
drip(Connection *c)
{
	struct pollfd p = {c->fd, POLLIN, 0};

	while (poll(&p, 1, 5) == 0 && say(c->fd, "0", 1))
	{
		pthread_mutex_lock(&c->server->lock);
		c->server->drips++;
		pthread_cond_broadcast(&c->server->changed);
		pthread_mutex_unlock(&c->server->lock);
	}
}

/* Send far more than anybody wants, until the client is gone. */
static void
flood(Connection *c, bool chunked)
{
	static const char block[8192] = {'x'};
	size_t		i;

	for (i = 0; i < 4096; i++)
	{
		if (chunked && !say_text(c->fd, "2000\r\n"))
			return;
		if (!say(c->fd, block, sizeof(block)))
			return;
		if (chunked && !say_text(c->fd, "\r\n"))
			return;
	}
}

/* Do what the path says.  Returns whether the connection stays. */
static bool
serve(Connection *c, const char *path, int tag)
{
#define IS(name) (strcmp(path, name) == 0)
	if (IS("/ok"))
		return say_ok(c, tag);
	if (IS("/ok-fin") || IS("/ok-reset"))
	{
		/* a good answer, and then the idle connection goes */
		say_ok(c, tag);
		hang_up(c, false);
		return false;
	}
	if (IS("/fin") || IS("/reset"))
	{
		hang_up(c, IS("/reset"));
		return false;
	}
	if (IS("/hang"))
		await_end(c->fd);
	else if (IS("/half-status"))
		say_text(c->fd, "HTTP/1.1 2");
	else if (IS("/nonsense"))
		say_text(c->fd, "SSH-2.0-OpenSSH_9.2\r\n");
	else if (IS("/half-head"))
		say_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Len");
	else if (IS("/half-body"))
		say_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
	else if (IS("/to-the-end"))
		say_text(c->fd, "HTTP/1.1 200 OK\r\n\r\nall of it");
	else if (IS("/bad-chunks"))
		say_text(c->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				 "4\r\ngood\r\nzzz\r\nbad");
	else if (IS("/drip"))
	{
		if (say_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"))
			drip(c);
	}
	else if (IS("/drip-status"))
	{
		if (say_text(c->fd, "HTTP/1."))
			drip(c);
	}
	else if (IS("/huge"))
	{
		if (say_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n"))
			flood(c, false);
	}
	else if (IS("/huge-chunked"))
	{
		if (say_text(c->fd, "HTTP/1.1 500 Oops\r\n"
					 "Transfer-Encoding: chunked\r\n\r\n"))
			flood(c, true);
	}
	else if (IS("/no-body"))
		return say_text(c->fd, "HTTP/1.1 204 No Content\r\n\r\n");
	else if (IS("/continue"))
		return say_text(c->fd, "HTTP/1.1 100 Continue\r\n\r\n") &&
			say_text(c->fd, "HTTP/1.1 103 Early Hints\r\nRetry-After: 5\r\n\r\n") &&
			say_ok(c, tag);
	else if (IS("/continue-only"))
		say_text(c->fd, "HTTP/1.1 100 Continue\r\n\r\n");
	else if (IS("/redirect"))
		return say_text(c->fd, "HTTP/1.1 302 Found\r\nLocation: /ok?tag=999\r\n"
						"Content-Length: 0\r\n\r\n");
	else if (IS("/busy"))
		return say_text(c->fd, "HTTP/1.1 429 Too Many Requests\r\n"
						"rETRY-aFTER: 17\r\n"
						"X-Business-Use-Case-Usage:  {\"1\":[]} \r\n"
						"Content-Length: 4\r\n\r\nbusy");
	else if (IS("/busy-until"))
	{
		char		date[64];
		char		text[256];
		time_t		then = time(NULL) + 3600;
		struct tm	tm;

		gmtime_r(&then, &tm);
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		snprintf(text, sizeof(text), "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\n"
				 "Content-Length: 0\r\n\r\n", date);
		return say_text(c->fd, text);
	}
	else if (IS("/long-usage"))
	{
		char		many[6000];

		memset(many, 'u', sizeof(many) - 1);
		many[sizeof(many) - 1] = '\0';
		return say_text(c->fd, "HTTP/1.1 200 OK\r\n"
						"x-business-use-case-usage: ") &&
			say_text(c->fd, many) &&
			say_text(c->fd, "\r\nContent-Length: 0\r\n\r\n");
	}
	else
		return say_text(c->fd, "HTTP/1.1 403 Forbidden\r\n"
						"Content-Length: 0\r\n\r\n");
#undef IS
	return false;
}

static void *
connection_main(void *arg)
{
	Connection *c = arg;
	char		path[256];
	int			tag;

	if (c->server->cut_at_accept)
		hang_up(c, true);
	else if (c->server->plain_only)
	{
		if (recv(c->fd, c->buffer, sizeof(c->buffer) - 1, 0) > 0 &&
			say_text(c->fd, "HTTP/1.1 400 Bad Request\r\n\r\n"))
			await_end(c->fd);
		hang_up(c, false);
	}
	else
	{
		while (read_request(c, path, sizeof(path), &tag) &&
			   serve(c, path, tag))
			;
		if (c->fd >= 0)
			hang_up(c, false);
	}
	free(c);
	return NULL;
}

static void *
server_main(void *arg)
{
	Server	   *s = arg;

	for (;;)
	{
		int			fd = accept(s->listen_fd, NULL, NULL);
		Connection *c;

		pthread_mutex_lock(&s->lock);
		if (fd < 0 || s->stopping || s->nconnections == MAX_CONNECTIONS ||
			(c = calloc(1, sizeof(Connection))) == NULL)
		{
			pthread_mutex_unlock(&s->lock);
			if (fd >= 0)
				close(fd);
			return NULL;
		}
		c->server = s;
		c->fd = fd;
		c->index = s->nconnections++;
		s->fds[c->index] = fd;
		if (pthread_create(&s->threads[c->index], NULL, connection_main, c) != 0)
			abort();
		pthread_mutex_unlock(&s->lock);
	}
}

/* A socket bound to a free port of 127.0.0.1. */
static int
bound_socket(int *port)
{
	struct sockaddr_in addr;
	socklen_t	len = sizeof(addr);
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(&addr, 0, sizeof(addr));
	addr.sin_family = AF_INET;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *) &addr, sizeof(addr)) < 0 ||
		getsockname(fd, (struct sockaddr *) &addr, &len) < 0)
	{
		perror("http_test: could not bind a socket");
		exit(2);
	}
	*port = ntohs(addr.sin_port);
	return fd;
}

static Server *
server_start(bool cut_at_accept)
{
	Server	   *s = calloc(1, sizeof(Server));

	if (s == NULL)
		abort();
	s->cut_at_accept = cut_at_accept;
	s->listen_fd = bound_socket(&s->port);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (listen(s->listen_fd, 1024) < 0 ||
		pthread_create(&s->thread, NULL, server_main, s) != 0)
		abort();
	return s;
}

static void
server_stop(Server *s)
{
	int			i;

	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	for (i = 0; i < s->nconnections; i++)
	{
		if (s->fds[i] >= 0)
			shutdown(s->fds[i], SHUT_RDWR);
	}
	pthread_mutex_unlock(&s->lock);
	shutdown(s->listen_fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	for (i = 0; i < s->nconnections; i++)
		pthread_join(s->threads[i], NULL);
	close(s->listen_fd);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Read one of the server's figures. */
static int
server_get(Server *s, const int *figure)
{
	int			value;

	pthread_mutex_lock(&s->lock);
	value = *figure;
	pthread_mutex_unlock(&s->lock);
	return value;
}

/* Wait until one of the server's figures has reached a value. */
static bool
server_await(Server *s, const int *figure, int value)
{
	struct timespec until;
	bool		reached;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	pthread_mutex_lock(&s->lock);
	while (*figure < value)
	{
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) != 0)
			break;
	}
	reached = *figure >= value;
	pthread_mutex_unlock(&s->lock);
	return reached;
}

/* ---------------------------------------------------------------- client */

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static WaHttp *
open_engine_with(long max_host, const char *ca_file, const char *proxy)
{
	WaHttpOptions options;
	WaHttp	   *http;
	char		err[256] = "";

	memset(&options, 0, sizeof(options));
	options.ca_file = ca_file;
	options.proxy = proxy;
	options.connect_timeout_ms = 10000;
	options.max_connections = 64;
	options.max_host_connections = max_host;
	options.max_reply_bytes = MAX_REPLY;
	http = wa_http_open(&options, err, sizeof(err));
	CHECK_STR(err, "");
	if (http == NULL)
		exit(2);
	return http;
}

static WaHttp *
open_engine(void)
{
	return open_engine_with(8, NULL, NULL);
}

/* A request as the gateways make it; body NULL: none. */
static WaRequest
make_request(const char *method, const char *url, const char *body)
{
	WaRequest	req;

	memset(&req, 0, sizeof(req));
	req.method = method;
	req.url = strdup(url);
	req.headers = calloc(2, sizeof(char *));
	if (req.url == NULL || req.headers == NULL)
		abort();
	req.headers[0] = strdup("Content-Type: application/json");
	req.headers[1] = strdup("Authorization: Bearer s3cr3t");
	req.nheaders = 2;
	if (body != NULL)
	{
		req.body = strdup(body);
		req.body_len = strlen(body);
	}
	return req;
}

static bool
submit_url(WaHttp *http, int tag, const char *method, const char *url,
		   const char *body, long timeout_ms)
{
	WaRequest	req = make_request(method, url, body);
	char		err[256] = "";
	bool		ok = wa_http_submit(http, (uint64_t) tag, &req, timeout_ms,
									true, err, sizeof(err));

	CHECK_STR(err, "");
	CHECK(!ok || (req.url == NULL && req.headers == NULL && req.body == NULL));
	if (!ok)
		wa_request_free(&req);
	return ok;
}

static bool
submit(WaHttp *http, Server *s, int tag, const char *path, long timeout_ms)
{
	char		url[256];
	char		body[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s?tag=%d", s->port, path,
			 tag);
	snprintf(body, sizeof(body), "{\"message\":%d}", tag);
	return submit_url(http, tag, "POST", url, body, timeout_ms);
}

/* Wait for the engine's descriptor and drive once; false: nothing came. */
static bool
step(WaHttp *http)
{
	struct pollfd p = {wa_http_fd(http), POLLIN, 0};
	int			n;

	do
		n = poll(&p, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	if (!CHECK(n == 1))
		return false;
	wa_http_drive(http);
	return true;
}

/*
 * Drive until one of the server's figures has reached a value.  The server
 * says nothing to us about that, so look again every few milliseconds.
 */
static bool
drive_until(WaHttp *http, Server *s, const int *figure, int value)
{
	struct pollfd p = {wa_http_fd(http), POLLIN, 0};
	double		end = now_s() + PATIENCE_MS / 1000.0;

	while (server_get(s, figure) < value && now_s() < end)
	{
		(void) poll(&p, 1, 2);
		wa_http_drive(http);
	}
	return server_get(s, figure) >= value;
}

/* Drive until there is an answer, and take it. */
static bool
await_answer(WaHttp *http, WaHttpAnswer *answer)
{
	memset(answer, 0, sizeof(*answer));
	while (!wa_http_next(http, answer))
	{
		if (!CHECK(wa_http_in_flight(http) > 0) || !step(http))
			return false;
	}
	CHECK((answer->result == WA_HTTP_ANSWERED) == (answer->body != NULL));
	CHECK((answer->result == WA_HTTP_ANSWERED) == (answer->http_status != 0));
	CHECK(answer->body == NULL ||
		  (answer->body[answer->body_len] == '\0' &&
		   answer->body_len <= MAX_REPLY));
	CHECK(answer->total_s >= 0 && answer->total_s < PATIENCE_MS / 1000.0);
	CHECK(strstr(answer->error, "://") == NULL &&
		  strstr(answer->error, "s3cr3t") == NULL);
	return true;
}

/* One request on its own. */
static WaHttpAnswer
one(WaHttp *http, Server *s, int tag, const char *path, long timeout_ms)
{
	WaHttpAnswer answer;

	memset(&answer, 0, sizeof(answer));
	if (submit(http, s, tag, path, timeout_ms) && await_answer(http, &answer))
		CHECK_INT(answer.tag, tag);
	CHECK_INT(wa_http_in_flight(http), 0);
	return answer;
}

/* The same, when only the class and the status matter. */
static void
expect(WaHttp *http, Server *s, int tag, const char *path, long timeout_ms,
	   WaHttpResult result, int status)
{
	WaHttpAnswer answer = one(http, s, tag, path, timeout_ms);

	CHECK_INT(answer.result, result);
	CHECK_INT(answer.http_status, status);
	wa_http_answer_free(&answer);
}

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
	CHECK_STR(a.error, "");
	CHECK(!a.truncated && !a.tls_error);
	wa_http_answer_free(&a);
	wa_http_answer_free(&a);

	/* what went over the wire */
	CHECK(strncmp(s->last_head, "POST /ok?tag=1 HTTP/1.1\r\n", 25) == 0);
	CHECK(strstr(s->last_head, "\r\nContent-Length: 13\r\n") != NULL);
	CHECK(strstr(s->last_head, "\r\nContent-Type: application/json\r\n") != NULL);
	CHECK(strstr(s->last_head, "\r\nAuthorization: Bearer s3cr3t\r\n") != NULL);
	CHECK(strcasestr(s->last_head, "Expect") == NULL);
	CHECK(strcasestr(s->last_head, "Accept-Encoding") == NULL);
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
		CHECK(a.error[0] != '\0');
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
			CHECK(a.error[0] != '\0' && !a.tls_error);
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
	CHECK(a.error[0] != '\0');
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
	CHECK(strstr(a.error, "connect") != NULL);
	CHECK(!a.tls_error);
	wa_http_answer_free(&a);
	close(fd);

	/* no such name: RFC 6761 reserves it */
	submit_url(http, 2, "POST", "https://provider.invalid/x", "{}", 20000);
	CHECK(await_answer(http, &a));
	CHECK_INT(a.result, WA_HTTP_NOT_SENT);
	CHECK(a.error[0] != '\0');
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
	CHECK(a.error[0] != '\0');
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

/* What must not even begin; the caller keeps the request. */
static void
test_refused(void)
{
	static const char *const urls[] = {
		"http://127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", ""
	};
	WaHttp	   *http = open_engine();
	WaRequest	req;
	char		err[256];
	size_t		i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
	{
		req = make_request("POST", urls[i], "{}");
		err[0] = '\0';
		CHECK(!wa_http_submit(http, 1, &req, 1000, false, err, sizeof(err)));
		CHECK(err[0] != '\0');
		CHECK_STR(req.url, urls[i]);
		wa_request_free(&req);
	}
	req = make_request("POST", "ftp://127.0.0.1/", "{}");
	CHECK(!wa_http_submit(http, 1, &req, 1000, true, err, sizeof(err)));
	wa_request_free(&req);
	req = make_request("DELETE", "https://127.0.0.1/", NULL);
	CHECK(!wa_http_submit(http, 1, &req, 1000, false, err, sizeof(err)));
	wa_request_free(&req);
	req = make_request("POST", "https://127.0.0.1/", "{}");
	free(req.headers[1]);
	req.headers[1] = strdup("X: s3cr3t\r\nHost: elsewhere");
	CHECK(!wa_http_submit(http, 1, &req, 1000, false, err, sizeof(err)));
	CHECK(strstr(err, "s3cr3t") == NULL);
	wa_request_free(&req);

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

		CHECK(a.body == NULL && a.error[0] != '\0' && !a.tls_error);
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

/* Run a program to its end, quietly; returns whether it said 0. */
static bool
run_quietly(char *const argv[])
{
	pid_t		pid = fork();
	int			status;

	if (pid == 0)
	{
		if (freopen("/dev/null", "r", stdin) == NULL ||
			freopen("/dev/null", "w", stdout) == NULL ||
			freopen("/dev/null", "w", stderr) == NULL)
			_exit(126);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

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
	CHECK(strstr(a.error, "certificate") != NULL);
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
	CHECK(strstr(a.error, missing) != NULL);
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
	CHECK_RUN(test_in_doubt);
	CHECK_RUN(test_idle_close);
	CHECK_RUN(test_not_sent);
	CHECK_RUN(test_refused);
	CHECK_RUN(test_proxy);
	CHECK_RUN(test_many);
	CHECK_RUN(test_abort);
	CHECK_RUN(test_tls);
	CHECK_RUN(test_slow_dns);
	return check_finish("http");
}
