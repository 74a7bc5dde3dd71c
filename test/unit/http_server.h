/*-------------------------------------------------------------------------
 *
 * http_server.h
 *		A server that misbehaves on request, and a client of the HTTP engine.
 *
 * For the test programs of the engine.  The server counts every message that
 * it receives completely; what a request asks for is its path.  As in
 * check.h everything is static, so that a test program is a single file.
 *
 * Nothing waits for time to pass: a test waits for its transfers, or for a
 * figure of the server's, and gives up after PATIENCE_MS.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_HTTP_SERVER_H
#define SICANTIK_WA_HTTP_SERVER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "said.h"
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
	bool		relayed;		/* tls_relay.py is in front */
	pthread_t	thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* all below under the lock */
	bool		stopping;
	int			fds[MAX_CONNECTIONS];	/* -1: closed */
	pthread_t	threads[MAX_CONNECTIONS];
	int			nconnections;
	int			messages;		/* complete requests */
	int			apart;			/* heads that came without any of their body */
	int			connects;		/* CONNECT requests */
	int			closed;			/* connections closed by the server */
	int			drips;
	int			meet;			/* messages for which /meet waits */
	int			told;			/* extra words that may be said */
	int			extras;			/* and that have been said */
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
static CHECK_UNUSED bool
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

static CHECK_UNUSED bool
say_text(int fd, const char *text)
{
	return say(fd, text, strlen(text));
}

/* Wait until the client goes away, reading whatever it says. */
static CHECK_UNUSED void
await_end(int fd)
{
	char		waste[4096];

	while (recv(fd, waste, sizeof(waste), 0) > 0)
		;
}

/* Close the connection, with a reset instead of a FIN if asked for. */
static CHECK_UNUSED void
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

/* Wait until the test lets one more extra word be said; false at the end. */
static CHECK_UNUSED bool
await_word(Server *s)
{
	bool		mine;

	pthread_mutex_lock(&s->lock);
	while (s->told <= s->extras && !s->stopping)
		pthread_cond_wait(&s->changed, &s->lock);
	mine = !s->stopping;
	if (mine)
		s->extras++;
	pthread_mutex_unlock(&s->lock);
	return mine;
}

/* Read one request and book it.  False: the client is gone. */
static CHECK_UNUSED bool
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
	s->apart += body_len > 0 && c->used == head_len;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);

	if (strcmp(path, "/early-reset") == 0)
	{
		hang_up(c, true);
		return false;
	}

	if (strcmp(path, "/early") == 0 || strcmp(path, "/early-told") == 0)
	{
		struct pollfd end = {c->fd, POLLRDHUP, 0};

		/* an answer, and no look at the body */
		if (strcmp(path, "/early-told") == 0)
			await_word(s);
		if (say_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"))
			(void) poll(&end, 1, PATIENCE_MS);
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
static CHECK_UNUSED bool
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
static CHECK_UNUSED void
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
static CHECK_UNUSED void
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

/* Say what a shell command prints, up to half of it, as a body of this encoding. */
static CHECK_UNUSED bool
say_encoded(Connection *c, const char *encoding, const char *command, bool half)
{
	static const size_t size = 65536;
	char	   *body = malloc(size);
	FILE	   *output = popen(command, "r");
	char		head[256];
	size_t		len;
	bool		ok;

	if (body == NULL || output == NULL)
		abort();
	len = fread(body, 1, size, output);
	pclose(output);
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n"
			 "Content-Length: %zu\r\n\r\n", encoding, len);
	ok = say_text(c->fd, head) && say(c->fd, body, half ? len / 2 : len) && !half;
	free(body);
	return ok;
}

/* Wait until one of the server's figures has reached another one. */
static CHECK_UNUSED void
wait_for(Server *s, const int *figure, const int *value)
{
	pthread_mutex_lock(&s->lock);
	while (*figure < *value && !s->stopping)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* Where the relay ends a TLS record; nothing without it. */
static CHECK_UNUSED bool
end_record(Connection *c)
{
	return !c->server->relayed || say_text(c->fd, "\x1e");
}

/*
 * A good answer, and when the test says so, words that nobody asked for.
 * Returns whether the connection stays.
 */
static CHECK_UNUSED bool
say_more(Connection *c, int tag, const char *words, bool close_it)
{
	Server	   *s = c->server;

	if (!say_ok(c, tag))
		return false;
	if (!await_word(s) || !say_text(c->fd, words))
		return false;
	if (close_it)
		hang_up(c, false);
	return !close_it;
}

/* Do what the path says.  Returns whether the connection stays. */
static CHECK_UNUSED bool
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
	if (IS("/then-answer"))
		return say_more(c, tag, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale", false);
	if (IS("/then-refusal"))
		return say_more(c, tag, "HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nstale", false);
	if (IS("/then-408"))
		return say_more(c, tag, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
						"Content-Length: 0\r\n\r\n", true);
	if (IS("/then-continue"))
		return say_more(c, tag, "HTTP/1.1 100 Continue\r\n\r\n", false);
	if (IS("/then-noise"))
		return say_more(c, tag, "\r\n", false);
	if (IS("/with-next"))
		return say_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") &&
			end_record(c) &&
			say_text(c->fd, "firstHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale") &&
			end_record(c);
	if (IS("/chunks-with-next"))
		return say_text(c->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") &&
			end_record(c) &&
			say_text(c->fd, "5\r\nfirst\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale") &&
			end_record(c);
	if (IS("/gzip"))
		return say_encoded(c, "gzip", "printf '{\"id\":\"42\"}' | gzip -c", false);
	if (IS("/gzip-bomb"))
		return say_encoded(c, "gzip", "head -c 33554432 /dev/zero | gzip -9c", false);
	if (IS("/gzip-half"))
		return say_encoded(c, "gzip", "printf '{\"id\":\"42\"}' | gzip -c", true);
	if (IS("/wrapped"))
		return say_encoded(c, "x-paper", "printf '{\"id\":\"42\"}'", false);
	if (IS("/meet"))
	{
		wait_for(c->server, &c->server->messages, &c->server->meet);
		return say_ok(c, tag);
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

static CHECK_UNUSED void *
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

static CHECK_UNUSED void *
server_main(void *arg)
{
	Server	   *s = arg;

	for (;;)
	{
		int			fd = accept(s->listen_fd, NULL, NULL);
		Connection *c;

		if (fd < 0 && errno == EMFILE)
		{
			/* a test has taken them all from its process */
			(void) poll(NULL, 0, 10);
			continue;
		}
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
static CHECK_UNUSED int
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

static CHECK_UNUSED Server *
server_listen(int listen_fd, int port, bool cut_at_accept, int receive_buffer)
{
	Server	   *s = calloc(1, sizeof(Server));

	if (s == NULL)
		abort();
	s->cut_at_accept = cut_at_accept;
	s->listen_fd = listen_fd;
	s->port = port;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (receive_buffer > 0)
		setsockopt(s->listen_fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
				   sizeof(receive_buffer));
	if (listen(s->listen_fd, 1024) < 0 ||
		pthread_create(&s->thread, NULL, server_main, s) != 0)
		abort();
	return s;
}

static CHECK_UNUSED Server *
server_start_with(bool cut_at_accept, int receive_buffer)
{
	int			port;
	int			fd = bound_socket(&port);

	return server_listen(fd, port, cut_at_accept, receive_buffer);
}

static CHECK_UNUSED Server *
server_start(bool cut_at_accept)
{
	return server_start_with(cut_at_accept, 0);
}

static CHECK_UNUSED void
server_stop(Server *s)
{
	int			i;

	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->changed);
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
static CHECK_UNUSED int
server_get(Server *s, const int *figure)
{
	int			value;

	pthread_mutex_lock(&s->lock);
	value = *figure;
	pthread_mutex_unlock(&s->lock);
	return value;
}

/* Wait until one of the server's figures has reached a value. */
static CHECK_UNUSED bool
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

static CHECK_UNUSED double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static CHECK_UNUSED WaHttp *
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

static CHECK_UNUSED WaHttp *
open_engine(void)
{
	return open_engine_with(8, NULL, NULL);
}

/* A request as the gateways make it; body NULL: none. */
static CHECK_UNUSED WaRequest
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
	req.usage_header = "x-business-use-case-usage";
	if (body != NULL)
	{
		req.body = strdup(body);
		req.body_len = strlen(body);
	}
	return req;
}

static CHECK_UNUSED bool
submit_url(WaHttp *http, int tag, const char *method, const char *url,
		   const char *body, long timeout_ms)
{
	WaRequest	req = make_request(method, url, body);
	WaSaidText	err = {""};
	bool		ok = wa_http_submit(http, (uint64_t) tag, &req, timeout_ms,
									true, &err);

	CHECK_STR(english(&err), "");
	CHECK(!ok || (req.url == NULL && req.headers == NULL && req.body == NULL));
	if (!ok)
		wa_gateway_request_free(&req);
	return ok;
}

static CHECK_UNUSED bool
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
static CHECK_UNUSED bool
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
static CHECK_UNUSED bool
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
static CHECK_UNUSED bool
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
	CHECK(strstr(english(&answer->error), "://") == NULL &&
		  strstr(english(&answer->error), "s3cr3t") == NULL);
	return true;
}

/* One request on its own. */
static CHECK_UNUSED WaHttpAnswer
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
static CHECK_UNUSED void
expect(WaHttp *http, Server *s, int tag, const char *path, long timeout_ms,
	   WaHttpResult result, int status)
{
	WaHttpAnswer answer = one(http, s, tag, path, timeout_ms);

	CHECK_INT(answer.result, result);
	CHECK_INT(answer.http_status, status);
	wa_http_answer_free(&answer);
}

/* -------------------------------------------------------------- programs */

/* Run a program to its end, quietly; returns whether it said 0. */
static CHECK_UNUSED bool
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

#endif							/* SICANTIK_WA_HTTP_SERVER_H */
