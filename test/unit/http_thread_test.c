/*-------------------------------------------------------------------------
 *
 * http_thread_test.c
 *		The HTTP engine in a thread of its own.
 *
 * What the engine says of a transfer is tested in http_test.c.  Here: that each
 * answer comes, once, to its request, that the thread works while its owner does
 * not, takes no signal, and leaves nothing behind.  Built with the thread
 * sanitizer it leaves out what counts threads, of which that has some.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>

#include "http_server.h"
#include "deliver/http_thread.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RACES
#endif
#endif

/*
 * What the next pthread_create() of the engine's says, if that is not 0: linked
 * with --wrap, since a sanitizer puts itself before the C library's.
 */
static int	refuse_thread = 0;

extern int	__real_pthread_create(pthread_t *thread, const pthread_attr_t * attr, void *(*start) (void *), void *arg);
extern int	__wrap_pthread_create(pthread_t *thread, const pthread_attr_t * attr, void *(*start) (void *), void *arg);

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t * attr, void *(*start) (void *), void *arg)
{
	return refuse_thread != 0 ? refuse_thread : __real_pthread_create(thread, attr, start, arg);
}

/* What the thread has read, by tag: how often, and what. */
static int	nread[MAX_TAGS];
static char first_letter[MAX_TAGS];

static void
read_it(uint64_t tag, const WaHttpAnswer *answer)
{
	nread[tag]++;
	first_letter[tag] = answer->body ? answer->body[0] : '-';
}

static WaHttpThread *
open_thread(void)
{
	WaHttpOptions options = {
		.connect_timeout_ms = 10000,.max_connections = 64,.max_host_connections = 20,
		.max_reply_bytes = MAX_REPLY
	};
	char		err[256] = "";
	WaHttpThread *http = wa_http_thread_open(&options, read_it, err, sizeof(err));

	CHECK_STR(err, "");
	if (http == NULL)
		exit(2);
	return http;
}

static void
prepare(WaHttpThread *http, Server *s, int tag, const char *path)
{
	char		url[256];
	WaRequest	req;
	WaSaidText	err = {""};

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s?tag=%d", s->port, path, tag);
	req = make_request("POST", url, "{\"message\":1}");
	CHECK(wa_http_thread_submit(http, (uint64_t) tag, &req, PATIENCE_MS, true, &err));
	CHECK(req.url == NULL && req.headers == NULL && req.body == NULL);
}

static bool
is_readable(WaHttpThread *http, int timeout_ms)
{
	struct pollfd p = {wa_http_thread_fd(http), POLLIN, 0};
	int			n;

	do
		n = poll(&p, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

/* Wait for the descriptor, and take an answer. */
static bool
next_answer(WaHttpThread *http, WaHttpAnswer *a)
{
	while (!wa_http_thread_next(http, a))
	{
		if (!CHECK(is_readable(http, PATIENCE_MS)))
			return false;
	}
	return true;
}

#ifndef RACES
/* How many threads this process has; *masks: of how many no signal is let through. */
static int
count_threads(int *masks)
{
	DIR		   *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int			n = 0;

	*masks = 0;
	while ((entry = readdir(dir)) != NULL)
	{
		char		path[300];
		char		line[256];
		FILE	   *status;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		status = fopen(path, "r");
		if (status == NULL)
			continue;			/* it has just ended */
		n++;
		while (fgets(line, sizeof(line), status) != NULL)
		{
			/*
			 * all but KILL, STOP and the two that the C library keeps for
			 * itself
			 */
			if (strncmp(line, "SigBlk:", 7) == 0 &&
				strtoull(line + 7, NULL, 16) == 0xfffffffe7ffbfeffULL)
				(*masks)++;
		}
		fclose(status);
	}
	closedir(dir);
	return n;
}
#endif

static void
test_many(void)
{
	Server	   *s = server_start(false);
	WaHttpThread *http = open_thread();
	WaHttpAnswer a;
	int			taken = 0;

	check_begin("many");
	for (int i = 0; i < 400; i++)
	{
		prepare(http, s, i, "/ok");
		if (i % 50 == 49)
			wa_http_thread_begin(http);
	}
	CHECK_INT(wa_http_thread_in_flight(http), 400);
	for (; taken < 400 && next_answer(http, &a); taken++)
	{
		char		want[32];

		snprintf(want, sizeof(want), "ok %d", (int) a.tag);
		CHECK_INT(a.result, WA_HTTP_ANSWERED);
		CHECK_STR(a.body, want);
		CHECK_INT(server_get(s, &s->seen[a.tag]), 1);
		/* what the thread has read is here with the answer */
		CHECK_INT(nread[a.tag], 1);
		CHECK_INT(first_letter[a.tag], 'o');
		wa_http_answer_free(&a);
	}
	CHECK_INT(server_get(s, &s->messages), 400);
	CHECK_INT(wa_http_thread_in_flight(http), 0);
	CHECK(!wa_http_thread_next(http, &a));
	CHECK(!is_readable(http, 0));
	wa_http_thread_close(http);
	server_stop(s);
}

/* While its owner does nothing at all, and what its owner has not shown it. */
static void
test_beside(void)
{
	Server	   *s = server_start(false);
	WaHttpThread *http = open_thread();
	WaHttpAnswer a;

	check_begin("beside");
	for (int i = 0; i < 60; i++)
		prepare(http, s, i, "/ok");
	CHECK(!is_readable(http, 20));
	CHECK_INT(server_get(s, &s->messages), 0);
	wa_http_thread_begin(http);
	CHECK(server_await(s, &s->messages, 60));
	for (int i = 0; i < 60 && next_answer(http, &a); i++)
		wa_http_answer_free(&a);
	wa_http_thread_close(http);
	server_stop(s);
}

static void
test_refused(void)
{
	WaHttpThread *http = open_thread();
	WaHttpAnswer a;
	WaRequest	req = make_request("POST", "ftp://127.0.0.1/", "{}");
	WaSaidText	err = {""};

	check_begin("refused");
	CHECK(wa_http_thread_submit(http, 7, &req, PATIENCE_MS, true, &err));
	wa_http_thread_begin(http);
	if (next_answer(http, &a))
	{
		CHECK_INT(a.tag, 7);
		CHECK_INT(a.result, WA_HTTP_NOT_SENT);
		CHECK(a.error.bytes[0] != '\0');
		CHECK_INT(first_letter[7], '-');
		CHECK(a.body == NULL);
		wa_http_answer_free(&a);
	}
	wa_http_thread_close(http);
}

static void
test_abort(void)
{
	Server	   *s = server_start(false);
	WaHttpThread *http = open_thread();
	WaHttpAnswer a;
	int			n = 0;
	int			not_sent = 0;

	check_begin("abort");
	for (int i = 0; i < 30; i++)
		prepare(http, s, i, "/hang");
	wa_http_thread_begin(http);
	CHECK(server_await(s, &s->messages, 20));
	for (int i = 30; i < 40; i++)
		prepare(http, s, i, "/ok");
	wa_http_thread_abort_all(http);
	/* at once, without waiting for anything */
	while (wa_http_thread_next(http, &a))
	{
		int			seen = server_get(s, &s->seen[a.tag]);

		n++;
		CHECK_INT(a.result, seen ? WA_HTTP_IN_DOUBT : WA_HTTP_NOT_SENT);
		not_sent += a.result == WA_HTTP_NOT_SENT;
		wa_http_answer_free(&a);
	}
	CHECK_INT(n, 40);
	CHECK_INT(not_sent, 20);
	CHECK_INT(wa_http_thread_in_flight(http), 0);
	wa_http_thread_abort_all(http);

	/* it goes on */
	prepare(http, s, 50, "/ok");
	wa_http_thread_begin(http);
	if (next_answer(http, &a))
	{
		CHECK_INT(a.result, WA_HTTP_ANSWERED);
		wa_http_answer_free(&a);
	}

	/* closed with some running, some answered, and some not begun */
	for (int i = 60; i < 70; i++)
		prepare(http, s, i, i % 2 ? "/hang" : "/ok");
	wa_http_thread_begin(http);
	CHECK(is_readable(http, PATIENCE_MS));
	prepare(http, s, 71, "/ok");
	wa_http_thread_close(http);
	wa_http_thread_close(NULL);
	server_stop(s);
}

#ifndef RACES
/* An owner who has handlers must be the only one in whom they run. */
static void
test_threads(void)
{
	WaHttpThread *http;
	WaHttpOptions options = {.max_connections = 1,.max_reply_bytes = 1};
	char		err[256] = "";
	sigset_t	before;
	sigset_t	after;
	int			masks;

	check_begin("threads");
	CHECK_INT(count_threads(&masks), 1);
	CHECK_INT(masks, 0);
	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	http = open_thread();
	/* until it has begun, the C library's own mask is there */
	wa_http_thread_abort_all(http);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int sig = 1; sig < 32; sig++)
		CHECK_INT(sigismember(&after, sig), sig == SIGUSR2);
	CHECK_INT(count_threads(&masks), 2);
	CHECK_INT(masks, 1);
	wa_http_thread_close(http);
	CHECK_INT(count_threads(&masks), 1);

	refuse_thread = EAGAIN;
	http = wa_http_thread_open(&options, read_it, err, sizeof(err));
	refuse_thread = 0;
	CHECK(http == NULL);
	CHECK(strstr(err, "thread") != NULL);
}
#endif

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
#ifndef RACES
	test_threads();
#endif
	test_many();
	test_beside();
	test_refused();
	test_abort();
	return check_finish("http_thread");
}
