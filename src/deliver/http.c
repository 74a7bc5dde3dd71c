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
 * And we live in a PostgreSQL background worker, whose only place to wait is
 * its latch.  So libcurl's sockets and one timer are kept in an epoll set of
 * our own, whose descriptor the owner waits for; nothing here blocks.  The
 * threads in which libcurl looks up names inherit the signal mask: every call
 * that may start one runs with all signals blocked, or the server's handlers
 * would run in the wrong thread.  SIGPIPE must be ignored by the process, as
 * PostgreSQL does, because a TLS library writes with plain write().
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "deliver/http.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "pg/curl_compat.h"

/* Events taken from the kernel at once, and how often in one drive. */
#define EVENT_BATCH			128
#define MAX_ROUNDS			32

/* First size of a reply's buffer; most answers fit. */
#define FIRST_BODY_SIZE		1024

#define MAX_USAGE_HEADER	4096

/*
 * How long an idle connection may wait for its next request, in seconds.
 * Below the keep-alive time of common servers (75 s with nginx), so that we
 * rarely write to a connection that the other end is just closing.
 */
#define MAX_IDLE_CONNECTION 30L

/* Threads for name lookups, where libcurl keeps a pool of them. */
#define RESOLVER_THREADS	4L

/* libcurl's read and write chunks, in bytes. */
#define TRANSFER_BUFFER		16384L

/* "No timer", in the nanoseconds of CLOCK_MONOTONIC. */
#define NEVER				INT64_MAX

#define NS_PER_MS			INT64_C(1000000)
#define NS_PER_S			INT64_C(1000000000)

/*
 * One transfer with its easy handle.  It is in exactly one list: running
 * (doubly linked), done, or idle (both singly linked through next).  The easy
 * handle keeps its options from one request to the next; submit() changes
 * only what belongs to the request.
 */
typedef struct Transfer
{
	WaHttp	   *http;
	CURL	   *easy;
	struct Transfer *prev;
	struct Transfer *next;

	/* how the easy handle is set up now */
	bool		plain;			/* http:// allowed */
	bool		direct;			/* not through the proxy */
	bool		posting;
	bool		has_prereq;		/* before_request() will be called */

	/* the request; libcurl keeps pointers into it while running */
	WaRequest	req;
	struct curl_slist *lines;	/* array, pointing into req.headers */
	size_t		lines_size;
	size_t		body_sent;		/* bytes of req.body handed to libcurl */
	int			starts;			/* times a request was about to be written */
	bool		lost_before;	/* stopped: its connection was closed already */
	bool		worn;			/* the easy handle must not be used again */
	int64_t		submitted;
	long		timeout_ms;

	/* the answer so far; its body is NUL-terminated in body_size bytes */
	WaHttpAnswer answer;
	size_t		body_size;
	bool		headers_done;
	bool		retry_after;	/* a Retry-After line came */
	bool		too_large;
	bool		no_memory;

	char		curl_error[CURL_ERROR_SIZE];
} Transfer;

/* One descriptor that libcurl asked us to watch, found by its number. */
typedef struct Watch
{
	uint32_t	serial;			/* changes whenever watching begins or ends */
	bool		on;
} Watch;

struct WaHttp
{
	CURLM	   *multi;
	int			epoll_fd;
	int			timer_fd;
	int64_t		due;			/* when libcurl wants to be called */
	int64_t		armed;			/* what timer_fd is set to; never after due */

	Watch	   *watches;		/* indexed by descriptor */
	size_t		nwatches;

	Transfer   *running;
	size_t		nrunning;
	Transfer   *done;			/* oldest first */
	Transfer  **done_end;
	Transfer   *idle;

	char	   *ca_file;		/* or NULL */
	char	   *proxy;			/* "": none */
	long		connect_timeout_ms;
	size_t		max_reply_bytes;
};

static char expect_nothing[] = "Expect:";

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t) ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Block every signal in this thread; old keeps the mask to restore. */
static void
block_signals(sigset_t *old)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, old);
}

static void
restore_signals(const sigset_t *old)
{
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
	Watch	   *watch;
	struct epoll_event event;

	(void) easy;
	(void) fd_arg;
	if ((size_t) fd >= http->nwatches)
	{
		size_t		n = ((size_t) fd + 64) & ~(size_t) 63;
		Watch	   *grown = realloc(http->watches, n * sizeof(Watch));

		if (grown == NULL)
			return -1;
		memset(grown + http->nwatches, 0,
			   (n - http->nwatches) * sizeof(Watch));
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
 * Has the other end closed the connection that the request is about to be
 * written to?  Only asked of connections that were used before: on an idle
 * one nothing can be there to read but its end (or words that belong to no
 * request of ours).
 */
static bool
connection_is_lost(Transfer *t)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	long		made = 1;
	char		byte;
	ssize_t		n;

	if (!wa_curl_trusts_connections() ||
		curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &made) != CURLE_OK ||
		made > 0 ||
		curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
		fd == CURL_SOCKET_BAD)
		return false;
	n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n >= 0 ||
		(errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/*
 * CURLOPT_PREREQFUNCTION: libcurl is about to write the request.  The second
 * time in one transfer means that the connection of the first time was lost.
 * Going on is allowed only if the server cannot have had a whole message: none
 * of the body has left, and there is one.
 */
static int
before_request(void *arg, char *remote_ip, char *local_ip,
			   int remote_port, int local_port)
{
	Transfer   *t = arg;

	(void) remote_ip;
	(void) local_ip;
	(void) remote_port;
	(void) local_port;
	if (t->starts > 0 && t->posting &&
		(t->body_sent > 0 || t->req.body_len == 0))
		return WA_CURL_PREREQ_ABORT;
	if (t->starts == 0 && connection_is_lost(t))
	{
		t->lost_before = true;	/* start_afresh() follows */
		return WA_CURL_PREREQ_ABORT;
	}
	t->starts++;
	return WA_CURL_PREREQ_OK;
}

/* CURLOPT_READFUNCTION: hand out the next piece of the request's body. */
static size_t
on_read(char *buffer, size_t size, size_t n, void *arg)
{
	Transfer   *t = arg;
	size_t		len = size * n;

	if (len > t->req.body_len - t->body_sent)
		len = t->req.body_len - t->body_sent;
	if (len > 0)
		memcpy(buffer, t->req.body + t->body_sent, len);
	t->body_sent += len;
	return len;
}

/* CURLOPT_SEEKFUNCTION: never rewind; see the top of this file. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
	(void) arg;
	(void) offset;
	(void) origin;
	return CURL_SEEKFUNC_FAIL;
}

/*
 * If the line is the named header, find its value without white space around.
 * libcurl's comparison does not depend on the locale.
 */
static bool
header_value(const char *line, size_t len, const char *name, size_t name_len,
			 const char **value, size_t *value_len)
{
	if (len <= name_len || line[name_len] != ':' ||
		!curl_strnequal(line, name, name_len))
		return false;
	line += name_len + 1;
	len -= name_len + 1;
	while (len > 0 && (*line == ' ' || *line == '\t'))
		line++, len--;
	while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
		len--;
	*value = line;
	*value_len = len;
	return true;
}

/*
 * CURLOPT_HEADERFUNCTION: one line of the answer's head, with its line end.
 * A 1xx answer is no answer: the final one follows, or never comes.
 */
static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	static const char usage_name[] = "x-business-use-case-usage";
	static const char retry_name[] = "retry-after";
	Transfer   *t = arg;
	size_t		len = size * n;
	const char *value;
	size_t		value_len;

	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
	{
		const char *end = line + len;
		const char *p = memchr(line, ' ', len);
		int			status = 0;
		int			digits = 0;

		while (p != NULL && p < end && *p == ' ')
			p++;
		for (; p != NULL && p < end && *p >= '0' && *p <= '9'; p++)
		{
			if (digits++ < 3)
				status = status * 10 + (*p - '0');
		}
		t->answer.http_status = (digits == 3 && status >= 200) ? status : 0;
		t->headers_done = false;
		t->retry_after = false;
	}
	else if (t->answer.http_status == 0 || t->headers_done)
		;						/* 1xx, or a trailer */
	else if (line[0] == '\r' || line[0] == '\n')
		t->headers_done = true;
	else if (header_value(line, len, retry_name, sizeof(retry_name) - 1,
						  &value, &value_len))
		t->retry_after = true;
	else if (t->answer.usage_header == NULL &&
			 header_value(line, len, usage_name, sizeof(usage_name) - 1,
						  &value, &value_len))
	{
		if (value_len > MAX_USAGE_HEADER)
			value_len = MAX_USAGE_HEADER;
		t->answer.usage_header = strndup(value, value_len);
	}
	return len;
}

/* CURLOPT_WRITEFUNCTION: keep the answer's body, up to the limit. */
static size_t
on_write(char *data, size_t size, size_t n, void *arg)
{
	Transfer   *t = arg;
	size_t		len = size * n;
	size_t		room = t->http->max_reply_bytes - t->answer.body_len;
	size_t		keep = len < room ? len : room;

	if (t->answer.body_len + keep >= t->body_size)
	{
		size_t		want = t->body_size;
		char	   *grown;

		while (want <= t->answer.body_len + keep)
			want *= 2;
		grown = realloc(t->answer.body, want);
		if (grown == NULL)
		{
			t->no_memory = true;
			return 0;
		}
		t->answer.body = grown;
		t->body_size = want;
	}
	memcpy(t->answer.body + t->answer.body_len, data, keep);
	t->answer.body_len += keep;
	t->answer.body[t->answer.body_len] = '\0';
	if (keep < len)
	{
		t->too_large = true;
		return 0;				/* ends the transfer */
	}
	return len;
}

/* Free a transfer whose easy handle is in no multi handle. */
static void
free_transfer(Transfer *t)
{
	curl_easy_cleanup(t->easy);
	wa_request_free(&t->req);
	wa_http_answer_free(&t->answer);
	free(t->lines);
	free(t);
}

/* Set everything that is the same for all requests. */
static bool
set_fixed_options(Transfer *t)
{
	WaHttp	   *http = t->http;
	CURL	   *e = t->easy;
	CURLcode	rc = CURLE_OK;

#define SET(option, value) \
	(rc == CURLE_OK ? (void) (rc = curl_easy_setopt(e, option, value)) : \
	 (void) 0)

	SET(CURLOPT_PRIVATE, (void *) t);
	SET(CURLOPT_ERRORBUFFER, t->curl_error);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_NOPROGRESS, 1L);
	SET(CURLOPT_USERAGENT, "sicantik_wa");
	SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_TCP_NODELAY, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, http->connect_timeout_ms);
	SET(CURLOPT_MAXAGE_CONN, MAX_IDLE_CONNECTION);
	SET(CURLOPT_BUFFERSIZE, TRANSFER_BUFFER);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, TRANSFER_BUFFER);

	/* where a request may go, and to whom it may be shown */
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	if (http->ca_file != NULL)
	{
		/* this file only, not the built-in directory beside it */
		SET(CURLOPT_CAINFO, http->ca_file);
		SET(CURLOPT_CAPATH, NULL);
		SET(CURLOPT_PROXY_CAINFO, http->ca_file);
		SET(CURLOPT_PROXY_CAPATH, NULL);
	}

	/* both explicit, or the process's environment decides */
	SET(CURLOPT_PROXY, http->proxy);
	SET(CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

	SET(CURLOPT_READFUNCTION, on_read);
	SET(CURLOPT_READDATA, (void *) t);
	SET(CURLOPT_SEEKFUNCTION, on_seek);
	SET(CURLOPT_SEEKDATA, (void *) t);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, (void *) t);
	SET(CURLOPT_WRITEFUNCTION, on_write);
	SET(CURLOPT_WRITEDATA, (void *) t);
#undef SET

	if (rc == CURLE_OK)
		rc = wa_curl_set_protocols(e, false);
	if (rc == CURLE_OK)
		rc = wa_curl_set_quick_exit(e);
	t->has_prereq = wa_curl_set_prereq(e, before_request, t);
	return rc == CURLE_OK;
}

/* An idle transfer, or a new one.  NULL: out of memory. */
static Transfer *
take_transfer(WaHttp *http)
{
	Transfer   *t = http->idle;

	if (t != NULL)
	{
		http->idle = t->next;
		t->next = NULL;
		return t;
	}
	t = calloc(1, sizeof(Transfer));
	if (t == NULL)
		return NULL;
	t->http = http;
	t->easy = curl_easy_init();
	if (t->easy == NULL || !set_fixed_options(t))
	{
		free_transfer(t);
		return NULL;
	}
	return t;
}

static void
give_back(Transfer *t)
{
	if (t->worn)
	{
		free_transfer(t);
		return;
	}
	t->prev = NULL;
	t->next = t->http->idle;
	t->http->idle = t;
}

/* May this request be sent at all?  On false a sentence is in err. */
static bool
request_valid(const WaRequest *req, bool may_be_plain,
			  char *err, size_t err_size)
{
	size_t		i;

	if (req->method == NULL || req->url == NULL ||
		(strcmp(req->method, "GET") != 0 && strcmp(req->method, "POST") != 0))
	{
		snprintf(err, err_size, "HTTP request must be GET or POST");
		return false;
	}
	if (!curl_strnequal(req->url, "https://", 8) &&
		!(may_be_plain && curl_strnequal(req->url, "http://", 7)))
	{
		snprintf(err, err_size, "URL of the provider must begin with https://");
		return false;
	}
	for (i = 0; i < req->nheaders; i++)
	{
		/* a line end here would let a value add headers of its own */
		if (strpbrk(req->headers[i], "\r\n") != NULL)
		{
			snprintf(err, err_size, "HTTP header contains a line end");
			return false;
		}
	}
	return true;
}

/*
 * Set what belongs to this request.  Only reads *req; the header list and the
 * body are pointed to from now on.  False: out of memory.
 */
static bool
set_request(Transfer *t, const WaRequest *req, long timeout_ms,
			bool may_be_plain)
{
	CURL	   *e = t->easy;
	bool		posting = strcmp(req->method, "POST") == 0;
	bool		direct = curl_strnequal(req->url, "http://", 7);
	size_t		nlines = req->nheaders + 1;
	size_t		i;

	if (t->answer.body == NULL)
	{
		t->answer.body = malloc(FIRST_BODY_SIZE);
		if (t->answer.body == NULL)
			return false;
		t->body_size = FIRST_BODY_SIZE;
	}
	if (nlines > t->lines_size)
	{
		struct curl_slist *grown = realloc(t->lines,
										   nlines * sizeof(*t->lines));

		if (grown == NULL)
			return false;
		t->lines = grown;
		t->lines_size = nlines;
	}
	for (i = 0; i < nlines; i++)
	{
		t->lines[i].data = (i == 0) ? expect_nothing : req->headers[i - 1];
		t->lines[i].next = (i + 1 < nlines) ? &t->lines[i + 1] : NULL;
	}

	if (curl_easy_setopt(e, CURLOPT_URL, req->url) != CURLE_OK ||
		curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, timeout_ms) != CURLE_OK ||
		curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->lines) != CURLE_OK ||
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
						 (curl_off_t) req->body_len) != CURLE_OK)
		return false;
	if (posting != t->posting)
	{
		if (curl_easy_setopt(e, posting ? CURLOPT_POST : CURLOPT_HTTPGET,
							 1L) != CURLE_OK)
			return false;
		t->posting = posting;
	}
	if (curl_easy_setopt(e, CURLOPT_FRESH_CONNECT,
						 (!t->has_prereq && posting && req->body_len == 0) ?
						 1L : 0L) != CURLE_OK)
		return false;
	if (may_be_plain != t->plain)
	{
		if (wa_curl_set_protocols(e, may_be_plain) != CURLE_OK)
			return false;
		t->plain = may_be_plain;
	}
	/* what is not encrypted stays on this machine, whatever the proxy */
	if (direct != t->direct)
	{
		if (curl_easy_setopt(e, CURLOPT_PROXY,
							 direct ? "" : t->http->proxy) != CURLE_OK)
			return false;
		t->direct = direct;
	}
	return true;
}

/*
 * What is certain about a transfer that ends now?  Must be asked while the
 * easy handle still has the figures of this transfer.
 */
static WaHttpResult
classify(Transfer *t)
{
	long		request_size = 0;
	curl_off_t	pretransfer = 0;

	if (t->answer.http_status != 0)
		return WA_HTTP_ANSWERED;
	if (t->has_prereq && t->starts == 0)
		return WA_HTTP_NOT_SENT;

	/*
	 * The only writing that was begun may have failed with its first system
	 * call: then libcurl counted nothing and never reached its next state.
	 */
	if (t->starts <= 1 && t->body_sent == 0 &&
		curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE,
						  &request_size) == CURLE_OK &&
		curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T,
						  &pretransfer) == CURLE_OK &&
		request_size == 0 && pretransfer == 0)
		return WA_HTTP_NOT_SENT;
	return WA_HTTP_IN_DOUBT;
}

static bool
is_tls_error(CURLcode code)
{
	switch (code)
	{
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SSL_ENGINE_NOTFOUND:
		case CURLE_SSL_ENGINE_SETFAILED:
		case CURLE_SSL_ENGINE_INITFAILED:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_USE_SSL_FAILED:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_SHUTDOWN_FAILED:
		case CURLE_SSL_CRL_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		case CURLE_SSL_INVALIDCERTSTATUS:
			return true;
		default:
			return false;
	}
}

/*
 * Say what went wrong in t->answer.error.  libcurl's own words are added
 * unless they may hold a URL or a proxy's credentials.
 */
static void
explain(Transfer *t, CURLcode code, const char *reason)
{
	char	   *error = t->answer.error;
	size_t		size = sizeof(t->answer.error);
	const char *text = curl_easy_strerror(code);
	const char *detail = t->curl_error;
	char	   *p;

	if (reason != NULL)
		snprintf(error, size, "%s", reason);
	else if (t->too_large)
		snprintf(error, size, "answer is larger than %zu bytes",
				 t->http->max_reply_bytes);
	else if (t->no_memory)
		snprintf(error, size, "out of memory");
	else if (code == CURLE_SEND_FAIL_REWIND ||
			 (code == CURLE_ABORTED_BY_CALLBACK && t->starts > 0))
		snprintf(error, size, "connection was lost before an answer came");
	else if (code == CURLE_SSL_CACERT_BADFILE)
	{
		const char *path = t->http->ca_file;

		if (path == NULL)
			path = wa_curl_default_ca_file();
		snprintf(error, size, "%s: \"%s\"", text,
				 path ? path : "(built-in default)");
	}
	else if (code == CURLE_OK)
		snprintf(error, size, "%s", t->answer.http_status == 0 ?
				 "no HTTP status line came" :
				 "connection was lost before the end of the answer");
	else if (detail[0] != '\0' && strstr(detail, "://") == NULL &&
			 strchr(detail, '@') == NULL &&
			 strstr(detail, t->req.url) == NULL &&
			 (t->http->proxy[0] == '\0' ||
			  strstr(detail, t->http->proxy) == NULL))
		snprintf(error, size, "%s (%.160s)", text, detail);
	else
		snprintf(error, size, "%s", text);

	for (p = error; *p != '\0'; p++)
	{
		if ((unsigned char) *p < 0x20 || (unsigned char) *p > 0x7e)
			*p = '?';
	}
}

/*
 * A transfer that was stopped because its connection was lost before anything
 * was written to it: begin again, on a new connection.  Nothing has been
 * sent, so this is no repetition.  False if that cannot be done.
 */
static bool
start_afresh(Transfer *t)
{
	long		left = t->timeout_ms -
		(long) ((now_ns() - t->submitted) / NS_PER_MS);

	t->lost_before = false;
	if (left <= 0)
		return false;
	(void) curl_multi_remove_handle(t->http->multi, t->easy);
	t->curl_error[0] = '\0';
	return curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, left) == CURLE_OK &&
		curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
		curl_multi_add_handle(t->http->multi, t->easy) == CURLM_OK;
}

/*
 * A running transfer is over: take it out of libcurl, complete its answer,
 * release its request, and put it behind the others in the done list.  With
 * a reason given it was stopped by us, and code means nothing.
 */
static void
finish(Transfer *t, CURLcode code, const char *reason)
{
	WaHttp	   *http = t->http;
	WaHttpAnswer *answer = &t->answer;

	answer->result = classify(t);
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

	if (reason != NULL || code != CURLE_OK ||
		answer->result != WA_HTTP_ANSWERED || answer->truncated)
		explain(t, code, reason);
	answer->tls_error = reason == NULL && is_tls_error(code);
	answer->total_s = (double) (now_ns() - t->submitted) / NS_PER_S;
	wa_request_free(&t->req);

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
finish_all(WaHttp *http, const char *reason)
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

	while ((msg = curl_multi_info_read(http->multi, &left)) != NULL)
	{
		CURLcode	code = msg->data.result;
		char	   *private = NULL;
		Transfer   *t;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
		t = (Transfer *) (void *) private;
		if (!t->lost_before || !start_afresh(t))
			finish(t, code, NULL);
	}
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
	CURLMcode	rc = CURLM_OK;

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
	block_signals(&mask);
	/* libcurl counts these calls itself */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
	{
		restore_signals(&mask);
		snprintf(err, err_size, "could not initialize libcurl");
		free(http);
		return NULL;
	}
	http->multi = curl_multi_init();
	restore_signals(&mask);

	http->due = NEVER;
	http->armed = NEVER;
	http->done_end = &http->done;
	http->connect_timeout_ms = options->connect_timeout_ms;
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
	if (http->multi == NULL || http->proxy == NULL ||
		(http->ca_file == NULL && options->ca_file != NULL &&
		 options->ca_file[0] != '\0'))
	{
		snprintf(err, err_size, "out of memory");
		wa_http_close(http);
		return NULL;
	}

#define SET(option, value) \
	(rc == CURLM_OK ? \
	 (void) (rc = curl_multi_setopt(http->multi, option, value)) : (void) 0)

	SET(CURLMOPT_SOCKETFUNCTION, on_socket);
	SET(CURLMOPT_SOCKETDATA, (void *) http);
	SET(CURLMOPT_TIMERFUNCTION, on_timer);
	SET(CURLMOPT_TIMERDATA, (void *) http);
	SET(CURLMOPT_PIPELINING, (long) CURLPIPE_NOTHING);
	SET(CURLMOPT_MAX_TOTAL_CONNECTIONS, options->max_connections);
	SET(CURLMOPT_MAX_HOST_CONNECTIONS, options->max_host_connections);
	if (options->max_connections > 0)
		SET(CURLMOPT_MAXCONNECTS, options->max_connections);
#undef SET
	if (rc == CURLM_OK)
		rc = wa_curl_multi_set_resolver(http->multi, RESOLVER_THREADS);
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
 * Close an engine, NULL allowed.  Transfers that still run are cut off and
 * their answers, like those not taken yet, are lost: call wa_http_abort_all()
 * and wa_http_next() first where they matter.  Does not wait, not even for a
 * name lookup that hangs (with libcurl 7.87 or newer).
 */
void
wa_http_close(WaHttp *http)
{
	sigset_t	mask;
	Transfer   *t;

	if (http == NULL)
		return;
	block_signals(&mask);
	finish_all(http, "canceled");
	while ((t = http->done) != NULL)
	{
		http->done = t->next;
		free_transfer(t);
	}
	while ((t = http->idle) != NULL)
	{
		http->idle = t->next;
		free_transfer(t);
	}
	if (http->multi != NULL)
		(void) curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	restore_signals(&mask);

	if (http->timer_fd >= 0)
		close(http->timer_fd);
	if (http->epoll_fd >= 0)
		close(http->epoll_fd);
	free(http->watches);
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
 * secret is in err (err_size bytes).
 */
bool
wa_http_submit(WaHttp *http, uint64_t tag, WaRequest *req, long timeout_ms,
			   bool may_be_plain, char *err, size_t err_size)
{
	Transfer   *t;
	sigset_t	mask;
	CURLMcode	rc;

	if (!request_valid(req, may_be_plain, err, err_size))
		return false;
	t = take_transfer(http);
	if (t == NULL || !set_request(t, req, timeout_ms, may_be_plain))
	{
		if (t != NULL)
			give_back(t);
		snprintf(err, err_size, "out of memory");
		return false;
	}

	t->req = *req;
	t->body_sent = 0;
	t->starts = 0;
	t->lost_before = false;
	t->timeout_ms = timeout_ms;
	t->headers_done = false;
	t->retry_after = false;
	t->too_large = false;
	t->no_memory = false;
	t->curl_error[0] = '\0';
	t->submitted = now_ns();
	t->answer.tag = tag;
	t->answer.body[0] = '\0';

	block_signals(&mask);
	rc = curl_multi_add_handle(http->multi, t->easy);
	restore_signals(&mask);
	if (rc != CURLM_OK)
	{
		/* a refused timer callback leaves it added; ours never refuses */
		(void) curl_multi_remove_handle(http->multi, t->easy);
		memset(&t->req, 0, sizeof(t->req));
		give_back(t);
		snprintf(err, err_size, "could not start the HTTP request: %s",
				 curl_multi_strerror(rc));
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

	block_signals(&mask);
	for (round = 0; round < MAX_ROUNDS && rc == CURLM_OK; round++)
	{
		bool		worked = false;
		int			running;
		int			n;
		int			i;

		if (http->due != NEVER && http->due <= now_ns())
		{
			http->due = NEVER;
			rc = curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0,
										  &running);
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
			rc = curl_multi_socket_action(http->multi, fd, bits, &running);
			worked = true;
		}
		harvest(http);
		if (!worked)
			break;
	}
	if (rc != CURLM_OK)
		finish_all(http, curl_multi_strerror(rc));
	arm_timer(http, fired);
	restore_signals(&mask);
}

/*
 * Take the oldest answer.  Returns false if there is none.  On true the
 * strings in *answer are the caller's: wa_http_answer_free().
 */
bool
wa_http_next(WaHttp *http, WaHttpAnswer *answer)
{
	Transfer   *t = http->done;

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
	give_back(t);
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

	block_signals(&mask);
	harvest(http);
	finish_all(http, "canceled before the answer came");
	arm_timer(http, false);
	restore_signals(&mask);
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
