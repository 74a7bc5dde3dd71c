/*-------------------------------------------------------------------------
 *
 * http.c
 *		The HTTP engine: libcurl's multi interface behind one descriptor.
 *
 * Two constraints shaped this file.
 *
 * A message must never go out twice unnoticed.  libcurl repeats a POST by
 * itself, and reports plain success, when a reused connection dies before the
 * first byte of the answer (Curl_retry_request in its transfer.c), although
 * the server may have read and obeyed the request.  There is no option
 * against that.  So the body comes from a read callback whose stream cannot
 * be rewound: then the repetition ends with CURLE_SEND_FAIL_REWIND.  And the
 * callback that libcurl makes before each request it writes refuses a second
 * start once any of the body was handed out.  That callback is also the proof
 * of what we tell our caller: a transfer for which it never came has sent
 * nothing.  Neither the error code proves that (a repetition may end in
 * "could not connect") nor CURLINFO_PRETRANSFER_TIME (newer libcurls set it
 * for failed connections too) nor CURLINFO_REQUEST_SIZE alone (a proxy's
 * CONNECT counts; what is written after a full socket buffer did not).
 *
 * An answer must belong to its own request: http_socket.c.
 *
 * And whoever drives it waits for other things too: a session for its latch, the
 * worker's thread (http_thread.c) for new requests.  So libcurl's sockets and one
 * timer are kept in an epoll set of our own, whose descriptor the owner waits for;
 * nothing here blocks.  The threads in which libcurl looks up names inherit the
 * signal mask: every call that may start one runs with all signals blocked, or the
 * server's handlers would run in the wrong thread.  SIGPIPE must be ignored by the
 * process, as PostgreSQL does, because a TLS library writes with plain write().
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "deliver/http_private.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/*
 * Events taken from the kernel at once, and how often in one drive: little, for
 * whoever drives wants to do something with the first answers.
 */
#define EVENT_BATCH			32
#define MAX_ROUNDS			2

/* Threads for name lookups, where libcurl keeps a pool of them. */
#define RESOLVER_THREADS	4L

/* "No timer", in the nanoseconds of CLOCK_MONOTONIC. */
#define NEVER				INT64_MAX

#define NS_PER_MS			INT64_C(1000000)
#define NS_PER_S			INT64_C(1000000000)

/* Nanoseconds of CLOCK_MONOTONIC. */
static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t) ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/*
 * Block every signal in this thread, unless its owner has done so for good; old
 * keeps the mask to restore.
 */
static void
block_signals(const WaHttp *http, sigset_t *old)
{
	sigset_t	all;

	if (http->signals_blocked)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, old);
}

static void
restore_signals(const WaHttp *http, const sigset_t *old)
{
	if (!http->signals_blocked)
		pthread_sigmask(SIG_SETMASK, old, NULL);
}

/*
 * Make timer_fd fire no later than libcurl wants.  A timer that is set too
 * early stays: a needless wake-up now and then is cheaper than a system call
 * for each change.  fired: it has expired and must be set in any case, which
 * also makes it unreadable.
 */
static void
arm_timer(WaHttp *http, bool fired)
{
	struct itimerspec when;
	int64_t		due = http->due;

	if (!fired && due >= http->armed)
		return;
	http->armed = due;
	memset(&when, 0, sizeof(when)); /* all zero: disarmed */
	if (due != NEVER)
	{
		when.it_value.tv_sec = (time_t) (due / NS_PER_S);
		when.it_value.tv_nsec = (long) (due % NS_PER_S);
	}
	timerfd_settime(http->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* CURLMOPT_TIMERFUNCTION: only remember; arm_timer() follows in each caller. */
static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	WaHttp	   *http = arg;

	(void) multi;
	if (timeout_ms < 0)
		http->due = NEVER;
	else
		http->due = now_ns() + timeout_ms * NS_PER_MS;
	return 0;
}

/*
 * CURLMOPT_SOCKETFUNCTION: watch a descriptor or stop.  libcurl may have
 * closed it already, and then opened another one under its number, so the
 * kernel's opinion on whether it is in the set counts.
 */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *fd_arg)
{
	WaHttp	   *http = arg;
	WaHttpWatch *watch;
	struct epoll_event event;

	(void) easy;
	(void) fd_arg;
	if ((size_t) fd >= http->nwatches)
	{
		size_t		n = ((size_t) fd + 64) & ~(size_t) 63;
		WaHttpWatch *grown = realloc(http->watches, n * sizeof(WaHttpWatch));

		if (grown == NULL)
			return -1;
		memset(grown + http->nwatches, 0,
			   (n - http->nwatches) * sizeof(WaHttpWatch));
		http->watches = grown;
		http->nwatches = n;
	}
	watch = &http->watches[fd];

	if (what == CURL_POLL_REMOVE)
	{
		watch->serial++;
		watch->on = false;
		(void) epoll_ctl(http->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (!watch->on)
	{
		watch->serial++;
		watch->on = true;
	}
	memset(&event, 0, sizeof(event));
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	event.data.u64 = (uint64_t) watch->serial << 32 | (uint32_t) fd;
	if (epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	if (errno == EEXIST &&
		epoll_ctl(http->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	return -1;
}

/*
 * A transfer that was stopped because its connection was lost before anything
 * was written to it: begin again, on a new connection, once.  Nothing has been
 * sent, so this is no repetition.  False if that cannot be done.
 */
static bool
start_afresh(WaHttpTransfer *t)
{
	long		left = t->timeout_ms -
		(long) ((now_ns() - t->submitted) / NS_PER_MS);

	if (t->afresh || left <= 0)
		return false;
	t->afresh = true;
	t->lost_before = false;
	(void) curl_multi_remove_handle(t->http->multi, t->easy);
	t->curl_error[0] = '\0';
	return curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, left) == CURLE_OK &&
		curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
		curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 0L) == CURLE_OK &&
		curl_multi_add_handle(t->http->multi, t->easy) == CURLM_OK;
}

/*
 * A running transfer is over: take it out of libcurl, complete its answer,
 * release its request, and put it behind the others in the done list.  With
 * a reason given it was stopped by us, and code means nothing.
 */
static void
finish(WaHttpTransfer *t, CURLcode code, WaSaid reason)
{
	WaHttp	   *http = t->http;
	WaHttpAnswer *answer = &t->answer;

	answer->result = wa_http_classify(t);
	answer->retry_after_s = -1;
	if (answer->result == WA_HTTP_ANSWERED)
	{
		curl_off_t	seconds;

		if (t->retry_after &&
			curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER,
							  &seconds) == CURLE_OK && seconds >= 0)
			answer->retry_after_s = seconds < INT_MAX ? (long) seconds : INT_MAX;
		answer->truncated = reason != NULL || code != CURLE_OK ||
			!t->headers_done;
	}
	(void) curl_multi_remove_handle(http->multi, t->easy);

	/*
	 * From libcurl 8.7 on the wish to rewind the body outlives the transfer
	 * that has failed with it, and would fail each one after it.
	 */
	t->worn = reason != NULL || code != CURLE_OK;
	if (reason == NULL && code == CURLE_OUT_OF_MEMORY)
		http->spoiled = true;

	if (reason != NULL || code != CURLE_OK ||
		answer->result != WA_HTTP_ANSWERED || answer->truncated)
		wa_http_explain(t, code, reason);
	answer->tls_error = reason == NULL && wa_http_is_tls_error(code);
	answer->total_s = (double) (now_ns() - t->submitted) / NS_PER_S;
	wa_gateway_request_free(&t->req);

	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		http->running = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	http->nrunning--;
	t->prev = NULL;
	t->next = NULL;
	*http->done_end = t;
	http->done_end = &t->next;
}

/* End all running transfers for this reason. */
static void
finish_all(WaHttp *http, WaSaid reason)
{
	while (http->running != NULL)
		finish(http->running, CURLE_OK, reason);
}

/* Take what libcurl has finished. */
static void
harvest(WaHttp *http)
{
	CURLMsg    *msg;
	int			left;

	while (http->multi != NULL && (msg = curl_multi_info_read(http->multi, &left)) != NULL)
	{
		CURLcode	code = msg->data.result;
		char	   *private = NULL;
		WaHttpTransfer *t;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
		t = (WaHttpTransfer *) (void *) private;
		if (!t->lost_before || !start_afresh(t))
			finish(t, code, NULL);
	}
}

/*
 * Make a multi handle.
 */
static CURLMcode
make_multi(WaHttp *http)
{
	CURLM	   *multi = curl_multi_init();
	CURLMcode	rc = multi == NULL ? CURLM_OUT_OF_MEMORY : CURLM_OK;

#define SET(option, value) \
	(rc == CURLM_OK ? \
	 (void) (rc = curl_multi_setopt(multi, option, value)) : (void) 0)

	SET(CURLMOPT_SOCKETFUNCTION, on_socket);
	SET(CURLMOPT_SOCKETDATA, (void *) http);
	SET(CURLMOPT_TIMERFUNCTION, on_timer);
	SET(CURLMOPT_TIMERDATA, (void *) http);
	SET(CURLMOPT_PIPELINING, (long) CURLPIPE_NOTHING);
	SET(CURLMOPT_MAX_TOTAL_CONNECTIONS, http->max_connections);
	SET(CURLMOPT_MAX_HOST_CONNECTIONS, http->max_host_connections);
	if (http->max_connections > 0)
		SET(CURLMOPT_MAXCONNECTS, http->max_connections);
#undef SET
	if (rc == CURLM_OK)
		rc = wa_curl_multi_set_resolver(multi, RESOLVER_THREADS);
	if (rc == CURLM_OK)
		http->multi = multi;
	else if (multi != NULL)
		(void) curl_multi_cleanup(multi);
	return rc;
}

/*
 * Another multi handle in the place of one in which libcurl ran out of memory.
 * It leaves that in pieces: the next transfer on a socket of the same number
 * divides by the size of a table that is gone (7.88).  Nothing may be running.
 */
static CURLMcode
renew(WaHttp *http)
{
	if (http->multi != NULL)
		(void) curl_multi_cleanup(http->multi);
	http->multi = NULL;
	http->spoiled = false;
	http->due = NEVER;
	return make_multi(http);
}

/*
 * Open an engine.  The options are copied.  Takes two descriptors now, and
 * later one for each connection (max_connections) and two for each name
 * being looked up.  Returns NULL with a sentence in err (err_size bytes) when
 * memory or descriptors are missing.  A CA file that cannot be read is not
 * noticed here: each request then fails, says so and names it.
 */
WaHttp *
wa_http_open(const WaHttpOptions *options, char *err, size_t err_size)
{
	WaHttp	   *http;
	sigset_t	mask;
	struct epoll_event event;
	CURLMcode	rc;

	http = calloc(1, sizeof(WaHttp));
	if (http == NULL)
	{
		snprintf(err, err_size, "out of memory");
		return NULL;
	}

	/*
	 * TLS libraries write the keys of each connection into the file that this
	 * variable names; whoever left it in the server's environment would read
	 * every credential off the wire.
	 */
	unsetenv("SSLKEYLOGFILE");
	http->signals_blocked = options->signals_blocked;
	block_signals(http, &mask);
	/* libcurl counts these calls itself */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
	{
		restore_signals(http, &mask);
		snprintf(err, err_size, "could not initialize libcurl");
		free(http);
		return NULL;
	}
	restore_signals(http, &mask);

	http->due = NEVER;
	http->armed = NEVER;
	http->corked_fd = -1;
	http->done_end = &http->done;
	http->connect_timeout_ms = options->connect_timeout_ms;
	http->max_connections = options->max_connections;
	http->max_host_connections = options->max_host_connections;
	http->max_reply_bytes = options->max_reply_bytes;
	http->proxy = strdup(options->proxy ? options->proxy : "");
	if (options->ca_file != NULL && options->ca_file[0] != '\0')
		http->ca_file = strdup(options->ca_file);
	http->timer_fd = -1;
	http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (http->epoll_fd >= 0)
		http->timer_fd = timerfd_create(CLOCK_MONOTONIC,
										TFD_NONBLOCK | TFD_CLOEXEC);
	if (http->timer_fd < 0)
	{
		snprintf(err, err_size, "could not open a descriptor for HTTP: %s",
				 strerror(errno));
		wa_http_close(http);
		return NULL;
	}
	memset(&event, 0, sizeof(event));
	event.events = EPOLLIN;
	event.data.u64 = (uint32_t) http->timer_fd;
	if (epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, http->timer_fd, &event) < 0)
	{
		snprintf(err, err_size, "could not watch a timer for HTTP: %s",
				 strerror(errno));
		wa_http_close(http);
		return NULL;
	}
	if (http->proxy == NULL ||
		(http->ca_file == NULL && options->ca_file != NULL &&
		 options->ca_file[0] != '\0'))
	{
		snprintf(err, err_size, "out of memory");
		wa_http_close(http);
		return NULL;
	}

	block_signals(http, &mask);
	rc = make_multi(http);
	restore_signals(http, &mask);
	if (rc != CURLM_OK)
	{
		snprintf(err, err_size, "could not set up libcurl: %s",
				 curl_multi_strerror(rc));
		wa_http_close(http);
		return NULL;
	}
	return http;
}

/*
 * Close an engine, NULL allowed.  WaHttpTransfers that still run are cut off and
 * their answers, like those not taken yet, are lost: call wa_http_abort_all()
 * and wa_http_next() first where they matter.  Does not wait, not even for a
 * name lookup that hangs (with libcurl 7.87 or newer).
 */
void
wa_http_close(WaHttp *http)
{
	sigset_t	mask;
	WaHttpTransfer *t;

	if (http == NULL)
		return;
	block_signals(http, &mask);
	finish_all(http, wa_text_say_plain(WA_SAY_CANCELED_BEFORE_ANSWER));
	while ((t = http->done) != NULL)
	{
		http->done = t->next;
		wa_http_free_transfer(t);
	}
	while ((t = http->idle) != NULL)
	{
		http->idle = t->next;
		wa_http_free_transfer(t);
	}
	if (http->multi != NULL)
		(void) curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	restore_signals(http, &mask);

	if (http->timer_fd >= 0)
		close(http->timer_fd);
	if (http->epoll_fd >= 0)
		close(http->epoll_fd);
	free(http->watches);
	free(http->sockets);
	free(http->ca_file);
	free(http->proxy);
	free(http);
}

/*
 * The descriptor to wait for.  It is readable whenever wa_http_drive() has
 * something to do; it stays the same until wa_http_close().
 */
int
wa_http_fd(const WaHttp *http)
{
	return http->epoll_fd;
}

/*
 * Begin a transfer.  tag comes back with the answer.  timeout_ms bounds the
 * whole of it, time spent waiting for a free connection included (but libcurl
 * 7.88 notices the end of that wait only when a connection becomes free: do
 * not submit much more than there are connections).  With may_be_plain an
 * http:// URL is accepted too (the caller knows that it stays on this machine;
 * no proxy is used for it); otherwise only https://.
 *
 * On success *req is emptied: its contents belong to the engine, which frees
 * them when the transfer is over.  The first step is made by the next
 * wa_http_drive(), for which wa_http_fd() is readable at once.  On failure
 * *req is untouched, nothing will be sent, and a sentence without URL or
 * secret is in err.
 */
bool
wa_http_submit(WaHttp *http, uint64_t tag, WaRequest *req, long timeout_ms,
			   bool may_be_plain, WaSaidText *err)
{
	WaHttpTransfer *t;
	sigset_t	mask;
	CURLMcode	rc = CURLM_OK;

	if (!wa_http_request_valid(req, may_be_plain, err))
		return false;
	if (http->multi == NULL || (http->spoiled && http->nrunning == 0))
	{
		block_signals(http, &mask);
		rc = renew(http);
		restore_signals(http, &mask);
	}
	t = rc == CURLM_OK ? wa_http_take(http) : NULL;
	if (t == NULL || !wa_http_set_request(t, req, timeout_ms, may_be_plain))
	{
		if (t != NULL)
			wa_http_give_back(t);
		wa_say_into(err, WA_SAY_OUT_OF_MEMORY);
		return false;
	}

	t->req = *req;
	t->body_sent = 0;
	t->starts = 0;
	t->fd = -1;
	t->afresh = false;
	t->lost_before = false;
	t->early = false;
	t->timeout_ms = timeout_ms;
	t->headers_done = false;
	t->retry_after = false;
	t->too_large = false;
	t->no_memory = false;
	t->curl_error[0] = '\0';
	t->submitted = now_ns();
	t->answer.tag = tag;
	t->answer.body[0] = '\0';

	block_signals(http, &mask);
	rc = curl_multi_add_handle(http->multi, t->easy);
	restore_signals(http, &mask);
	if (rc != CURLM_OK)
	{
		/* a refused timer callback leaves it added; ours never refuses */
		(void) curl_multi_remove_handle(http->multi, t->easy);
		memset(&t->req, 0, sizeof(t->req));
		t->worn = http->spoiled = true;
		wa_http_give_back(t);
		wa_say_into(err, WA_SAY_REQUEST_NOT_STARTED, curl_multi_strerror(rc));
		return false;
	}
	memset(req, 0, sizeof(*req));
	t->prev = NULL;
	t->next = http->running;
	if (t->next != NULL)
		t->next->prev = t;
	http->running = t;
	http->nrunning++;
	arm_timer(http, false);
	return true;
}

/* Tell libcurl what has happened, and have it do what it can. */
static CURLMcode
act(WaHttp *http, curl_socket_t fd, int bits)
{
	int			running;
	CURLMcode	rc = curl_multi_socket_action(http->multi, fd, bits, &running);

	wa_http_uncork(http);
	return rc;
}

/*
 * Let libcurl do whatever can be done now, without waiting.  Returns when
 * nothing is ready, or after a bounded number of rounds (then wa_http_fd()
 * is still readable).  Take the answers with wa_http_next() afterwards.
 */
void
wa_http_drive(WaHttp *http)
{
	struct epoll_event events[EVENT_BATCH];
	sigset_t	mask;
	CURLMcode	rc = CURLM_OK;
	bool		fired = false;
	int			round;

	block_signals(http, &mask);
	for (round = 0; round < MAX_ROUNDS && rc == CURLM_OK && http->multi != NULL; round++)
	{
		bool		worked = false;
		int			n;
		int			i;

		if (http->due != NEVER && http->due <= now_ns())
		{
			http->due = NEVER;
			rc = act(http, CURL_SOCKET_TIMEOUT, 0);
			worked = true;
		}
		n = epoll_wait(http->epoll_fd, events, EVENT_BATCH, 0);
		for (i = 0; i < n && rc == CURLM_OK; i++)
		{
			int			fd = (int) (uint32_t) events[i].data.u64;
			uint32_t	serial = (uint32_t) (events[i].data.u64 >> 32);
			int			bits = 0;

			if (fd == http->timer_fd)
			{
				fired = true;
				continue;
			}
			/* closed, and perhaps opened anew, since the kernel told us? */
			if (!http->watches[fd].on || http->watches[fd].serial != serial)
				continue;
			if (events[i].events & EPOLLIN)
				bits |= CURL_CSELECT_IN;
			if (events[i].events & EPOLLOUT)
				bits |= CURL_CSELECT_OUT;
			if (events[i].events & (EPOLLERR | EPOLLHUP))
				bits |= CURL_CSELECT_ERR;
			rc = act(http, fd, bits);
			worked = true;
		}
		harvest(http);
		if (!worked)
			break;
	}
	if (rc != CURLM_OK)
	{
		WaSaidText	words;

		wa_say_into(&words, WA_SAY_QUOTE, curl_multi_strerror(rc));
		finish_all(http, WA_SAID_IN(&words));
		(void) renew(http);
	}
	arm_timer(http, fired);
	restore_signals(http, &mask);
}

/*
 * Take the oldest answer.  Returns false if there is none.  On true the
 * strings in *answer are the caller's: wa_http_answer_free().
 */
bool
wa_http_next(WaHttp *http, WaHttpAnswer *answer)
{
	WaHttpTransfer *t = http->done;

	if (t == NULL)
		return false;
	http->done = t->next;
	if (http->done == NULL)
		http->done_end = &http->done;

	*answer = t->answer;
	if (answer->result == WA_HTTP_ANSWERED)
		memset(&t->answer, 0, sizeof(t->answer));
	else
	{
		char	   *body = t->answer.body;

		/* nobody needs the buffer: keep it for the next request */
		answer->body = NULL;
		answer->body_len = 0;
		memset(&t->answer, 0, sizeof(t->answer));
		t->answer.body = body;
	}
	wa_http_give_back(t);
	return true;
}

/* Release what an answer holds; safe to repeat. */
void
wa_http_answer_free(WaHttpAnswer *answer)
{
	free(answer->usage_header);
	free(answer->body);
	answer->usage_header = NULL;
	answer->body = NULL;
	answer->body_len = 0;
}

/*
 * How many transfers are running: submitted, and their answers neither taken
 * nor ready to be taken.
 */
size_t
wa_http_in_flight(const WaHttp *http)
{
	return http->nrunning;
}

/*
 * End every running transfer now.  Their answers wait for wa_http_next():
 * answered if a status line had come (and truncated), not sent if provably
 * nothing had left, else in doubt.
 */
void
wa_http_abort_all(WaHttp *http)
{
	sigset_t	mask;

	block_signals(http, &mask);
	harvest(http);
	finish_all(http, wa_text_say_plain(WA_SAY_CANCELED_BEFORE_ANSWER));
	arm_timer(http, false);
	restore_signals(http, &mask);
}

/*
 * One line for people: the loaded libcurl with its parts, and whether it can
 * look up names without blocking (without, a slow name server stops all
 * transfers for as long as it pleases).  The string is static.
 */
const char *
wa_http_library(void)
{
	static char text[256];

	if (text[0] == '\0')
		snprintf(text, sizeof(text), "%s; asynchronous DNS: %s",
				 curl_version(), wa_curl_has_async_dns() ? "yes" : "no");
	return text;
}
