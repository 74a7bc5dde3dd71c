/*-------------------------------------------------------------------------
 *
 * http_reuse_test.c
 *		Does each answer belong to the request that it is given to?
 *
 * A server that says something on an idle connection must not be able to
 * answer the next request with it, in plain text or under TLS (1.2 and 1.3,
 * by way of tls_relay.py, which must lie beside the program or where
 * TLS_RELAY says).  Every message is one of which the server has told its
 * story, so each answer is compared with the message's own number.  And
 * connections must go on being used more than once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <limits.h>

#include "http_server.h"

/* How a message gets to the server. */
typedef struct Wire
{
	Server	   *server;
	const char *tls;			/* highest version of the relay, or NULL */
	int			port;
	pid_t		relay;
	int			relay_in;		/* its end ends it */
	char		dir[64];
	char		cert[96];
	char		key[96];
} Wire;

/* Start the relay; its port, or 0. */
static int
start_relay(Wire *w)
{
	const char *script = getenv("TLS_RELAY");
	char		self[PATH_MAX];
	char		beside[PATH_MAX + 16];
	char		port[16];
	char		line[32] = "";
	ssize_t		len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int			in[2];
	int			out[2];
	FILE	   *output;

	if (len < 0 || pipe(in) < 0 || pipe(out) < 0)
		abort();
	self[len] = '\0';
	if (script == NULL)
	{
		snprintf(beside, sizeof(beside), "%.*s/tls_relay.py",
				 (int) (strrchr(self, '/') - self), self);
		script = beside;
	}
	CHECK(access(script, R_OK) == 0);
	snprintf(port, sizeof(port), "%d", w->server->port);
	w->relay = fork();
	if (w->relay == 0)
	{
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[0]);
		close(in[1]);
		close(out[0]);
		close(out[1]);
		execlp("python3", "python3", script, w->cert, w->key, port, w->tls,
			   (char *) NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	w->relay_in = in[1];
	output = fdopen(out[0], "r");
	if (output == NULL || fgets(line, sizeof(line), output) == NULL)
		line[0] = '\0';
	if (output != NULL)
		fclose(output);
	return atoi(line);
}

static void
wire_open(Wire *w, const char *tls)
{
	memset(w, 0, sizeof(*w));
	w->server = server_start(false);
	w->tls = tls;
	w->port = w->server->port;
	if (tls == NULL)
		return;
	w->server->relayed = true;
	strcpy(w->dir, "/tmp/http_reuse.XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		abort();
	snprintf(w->cert, sizeof(w->cert), "%s/cert.pem", w->dir);
	snprintf(w->key, sizeof(w->key), "%s/key.pem", w->dir);
	{
		char	   *argv[] = {"openssl", "req", "-x509", "-newkey", "ec",
			"-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
			"-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
		"-keyout", w->key, "-out", w->cert, NULL};

		CHECK(run_quietly(argv));
	}
	w->port = start_relay(w);
	CHECK(w->port > 0);
}

static void
wire_close(Wire *w)
{
	if (w->tls != NULL)
	{
		close(w->relay_in);
		waitpid(w->relay, NULL, 0);
		unlink(w->cert);
		unlink(w->key);
		rmdir(w->dir);
	}
	server_stop(w->server);
}

/* Begin a test whose name says the wire, too. */
static void
begin(const Wire *w, const char *what)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s, %s", what, w->tls ? w->tls : "plain");
	check_begin(name);
}

static WaHttp *
wire_engine(Wire *w, long max_host)
{
	return open_engine_with(max_host, w->tls ? w->cert : NULL, NULL);
}

static void
wire_submit(Wire *w, WaHttp *http, int tag, const char *path, const char *body)
{
	char		url[256];
	char		text[64];

	snprintf(url, sizeof(url), "%s://127.0.0.1:%d%s?tag=%d",
			 w->tls ? "https" : "http", w->port, path, tag);
	snprintf(text, sizeof(text), "{\"message\":%d}", tag);
	submit_url(http, tag, "POST", url, body ? body : text, PATIENCE_MS);
}

/* Is this the answer to this message, and was the message seen once? */
static void
check_own(Wire *w, const WaHttpAnswer *a)
{
	char		want[32];

	snprintf(want, sizeof(want), "ok %d", (int) a->tag);
	CHECK_INT(a->result, WA_HTTP_ANSWERED);
	CHECK(a->error.bytes[0] == 0);
	CHECK_INT(a->http_status, 200);
	CHECK_STR(a->body, want);
	CHECK_INT(server_get(w->server, &w->server->seen[a->tag]), 1);
}

/* One message on its own, and its own answer. */
static void
send_one(Wire *w, WaHttp *http, int tag, const char *path)
{
	WaHttpAnswer a;

	wire_submit(w, http, tag, path, NULL);
	if (await_answer(http, &a))
	{
		check_own(w, &a);
		wa_http_answer_free(&a);
	}
}

/*
 * Wait until "n" of this process's connections to a port have something to
 * read: what the server has said has arrived then.
 */
static bool
await_words(int port, int n)
{
	double		end = now_s() + PATIENCE_MS / 1000.0;
	int			count;

	do
	{
		DIR		   *dir = opendir("/proc/self/fd");
		struct dirent *entry;

		count = 0;
		while (dir != NULL && (entry = readdir(dir)) != NULL)
		{
			struct sockaddr_in peer;
			socklen_t	len = sizeof(peer);
			struct pollfd p = {atoi(entry->d_name), POLLIN, 0};

			if (entry->d_name[0] != '.' && p.fd > 2 &&
				getpeername(p.fd, (struct sockaddr *) &peer, &len) == 0 &&
				peer.sin_family == AF_INET && ntohs(peer.sin_port) == port &&
				poll(&p, 1, 0) == 1)
				count++;
		}
		if (dir != NULL)
			closedir(dir);
		if (count < n)
			poll(NULL, 0, 1);
	} while (count < n && now_s() < end);
	return count >= n;
}

/* Let the server say so many of its extra words. */
static void
tell(Server *s, int n)
{
	pthread_mutex_lock(&s->lock);
	s->told += n;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Words on the idle connection, and then three more messages. */
static void
test_stale(Wire *w)
{
	static const char *const paths[] = {
		"/then-answer", "/then-refusal", "/then-408", "/then-continue",
		"/then-noise"
	};
	int			tag = 1;
	size_t		i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
	{
		WaHttp	   *http = wire_engine(w, 8);
		int			before = w->server->nconnections;
		int			k;

		begin(w, paths[i]);
		send_one(w, http, tag++, paths[i]);
		tell(w->server, 1);
		CHECK(await_words(w->port, 1));
		for (k = 0; k < 3; k++)
			send_one(w, http, tag++, "/ok");
		/* the lost one, and one that serves all three */
		CHECK_INT(w->server->nconnections, before + 2);
		wa_http_close(http);
	}
}

/* More than one answer in what libcurl reads at once. */
static void
test_in_one_piece(Wire *w)
{
	static const char *const paths[] = {"/with-next", "/chunks-with-next"};
	int			tag = 100;
	size_t		i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
	{
		WaHttp	   *http = wire_engine(w, 8);
		WaHttpAnswer a;
		int			k;

		begin(w, paths[i]);
		wire_submit(w, http, tag++, paths[i], NULL);
		if (await_answer(http, &a))
		{
			CHECK_INT(a.http_status, 200);
			CHECK_STR(a.body, "first");
			wa_http_answer_free(&a);
		}
		for (k = 0; k < 3; k++)
			send_one(w, http, tag++, "/ok");
		wa_http_close(http);
	}
}

/* Only the connection with the words on it is given up. */
static void
test_some_of_many(Wire *w)
{
	WaHttp	   *http = wire_engine(w, 8);
	WaHttpAnswer a;
	int			before = w->server->nconnections;
	int			round;
	int			i;

	begin(w, "some of many");
	for (round = 0; round < 2; round++)
	{
		w->server->meet = server_get(w->server, &w->server->messages) + 8;
		for (i = 0; i < 8; i++)
			wire_submit(w, http, 200 + 8 * round + i,
						round == 0 && i % 3 == 0 ? "/then-answer" : "/meet", NULL);
		for (i = 0; i < 8 && await_answer(http, &a); i++)
		{
			check_own(w, &a);
			wa_http_answer_free(&a);
		}
		if (round == 0)
		{
			CHECK_INT(w->server->nconnections, before + 8);
			tell(w->server, 3);
			CHECK(await_words(w->port, 3));
		}
	}
	CHECK_INT(w->server->nconnections, before + 8 + 3);
	wa_http_close(http);
}

/* A server that behaves keeps its connection. */
static void
test_reuse(Wire *w)
{
	WaHttp	   *http = wire_engine(w, 8);
	int			before = w->server->nconnections;
	int			i;

	begin(w, "reuse");
	for (i = 0; i < 40; i++)
		send_one(w, http, 300 + i, "/ok");
	CHECK_INT(w->server->nconnections, before + 1);
	wa_http_close(http);
}

/* An answer that came before the message had been sent proves nothing. */
static void
test_early(Wire *w)
{
	WaHttp	   *http = wire_engine(w, 8);
	WaHttpAnswer a;
	size_t		len = (size_t) 48 << 20;	/* more than all buffers on the
											 * way */
	char	   *big = malloc(len + 1);

	if (big == NULL)
		abort();
	memset(big, 'b', len);
	big[len] = '\0';
	begin(w, "early");
	send_one(w, http, 500, "/ok");
	wire_submit(w, http, 501, "/early", big);
	if (await_answer(http, &a))
	{
		CHECK_INT(a.result, WA_HTTP_IN_DOUBT);
		CHECK(strstr(english(&a.error), "before the request") != NULL);
		wa_http_answer_free(&a);
	}
	send_one(w, http, 502, "/ok");
	free(big);
	wa_http_close(http);
}

/*
 * The same where all of it has been handed over, and lies in the kernel
 * because the server does not read.
 */
static void
test_early_unread(void)
{
	Server	   *s = server_start_with(false, 2048);
	WaHttp	   *http = open_engine();
	WaHttpAnswer a;
	size_t		len = (size_t) 24 << 10;
	char	   *body = malloc(len + 1);
	char		url[128];
	struct pollfd p = {wa_http_fd(http), POLLIN, 0};

	if (body == NULL)
		abort();
	memset(body, 'b', len);
	body[len] = '\0';
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/early-told?tag=1", s->port);
	submit_url(http, 1, "POST", url, body, PATIENCE_MS);

	/* there is nothing left to do but to wait for the answer */
	CHECK(drive_until(http, s, &s->heads[1], 1));
	while (poll(&p, 1, 0) == 1)
		wa_http_drive(http);
	tell(s, 1);
	if (await_answer(http, &a))
	{
		CHECK_INT(a.result, WA_HTTP_IN_DOUBT);
		CHECK(strstr(english(&a.error), "before the request") != NULL);
		wa_http_answer_free(&a);
	}
	free(body);
	wa_http_close(http);
	server_stop(s);
}

int
main(void)
{
	static const char *const wires[] = {NULL, "TLSv1_2", "TLSv1_3"};
	size_t		i;

	signal(SIGPIPE, SIG_IGN);	/* as PostgreSQL does */
	printf("%s\n", wa_http_library());
	fflush(stdout);
	for (i = 0; i < sizeof(wires) / sizeof(wires[0]); i++)
	{
		Wire		w;

		wire_open(&w, wires[i]);
		test_stale(&w);
		test_in_one_piece(&w);
		test_some_of_many(&w);
		test_reuse(&w);
		test_early(&w);
		wire_close(&w);
	}
	CHECK_RUN(test_early_unread);
	return check_finish("http_reuse");
}
