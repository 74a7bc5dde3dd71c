/*-------------------------------------------------------------------------
 *
 * http_transfer.c
 *		One easy handle: its options, what it sends and what it receives.
 *
 * See the top of http.c for why the body comes from a callback that cannot be
 * rewound.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "deliver/http_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* First size of a reply's buffer; most answers fit. */
#define FIRST_BODY_SIZE		1024

#define MAX_USAGE_HEADER	4096

/*
 * How long an idle connection may wait for its next request, in seconds.
 * Below the keep-alive time of common servers (75 s with nginx), so that we
 * rarely write to a connection that the other end is just closing.
 */
#define MAX_IDLE_CONNECTION 30L

/* libcurl's read and write chunks, in bytes. */
#define TRANSFER_BUFFER		16384L

/*
 * The lines that every request has.  A server may compress as it likes unless
 * it is told not to (RFC 9110, 12.5.3); one that does it all the same is
 * understood, see CURLOPT_ACCEPT_ENCODING below.
 */
static char fixed_lines[][32] = {"Expect:", "Accept-Encoding: identity"};

#define FIXED_LINES		(sizeof(fixed_lines) / sizeof(fixed_lines[0]))

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
	WaHttpTransfer *t = arg;

	(void) remote_port;
	if (t->starts > 0 && t->posting &&
		(t->body_sent > 0 || t->req.body_len == 0))
		return WA_CURL_PREREQ_ABORT;
	if (wa_http_connection_lost(t, remote_ip, local_ip, local_port))
	{
		/* nobody else may get it either; the engine begins afresh */
		t->lost_before = true;
		(void) curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
		return WA_CURL_PREREQ_ABORT;
	}
	t->starts++;
	if (t->posting)
		wa_http_cork(t);
	return WA_CURL_PREREQ_OK;
}

/* CURLOPT_READFUNCTION: hand out the next piece of the request's body. */
static size_t
on_read(char *buffer, size_t size, size_t n, void *arg)
{
	WaHttpTransfer *t = arg;
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
 * A 1xx answer is no answer: the final one follows, or never comes.  One that
 * came before the server had the whole request is not ours, or an early
 * refusal; it proves nothing.
 */
static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	static const char retry_name[] = "retry-after";
	WaHttpTransfer *t = arg;
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
		if (digits != 3 || status < 200)
			status = 0;
		if (status != 0 && (t->body_sent < t->req.body_len ||
							wa_http_unacknowledged(t)))
		{
			t->early = true;
			return 0;			/* ends the transfer */
		}
		t->answer.http_status = status;
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
	else if (t->req.usage_header != NULL && t->answer.usage_header == NULL &&
			 header_value(line, len, t->req.usage_header,
						  strlen(t->req.usage_header), &value, &value_len))
	{
		if (value_len > MAX_USAGE_HEADER)
			value_len = MAX_USAGE_HEADER;
		t->answer.usage_header = strndup(value, value_len);
	}
	return len;
}

/* How much of the answer's body is kept. */
size_t
wa_http_reply_bytes(const WaHttpTransfer *t)
{
	return t->req.reply_bytes > 0 ? t->req.reply_bytes : t->http->max_reply_bytes;
}

/* CURLOPT_WRITEFUNCTION: keep the answer's decoded body, up to the limit. */
static size_t
on_write(char *data, size_t size, size_t n, void *arg)
{
	WaHttpTransfer *t = arg;
	size_t		len = size * n;
	size_t		room = wa_http_reply_bytes(t) - t->answer.body_len;
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
void
wa_http_free_transfer(WaHttpTransfer *t)
{
	curl_easy_cleanup(t->easy);
	wa_gateway_request_free(&t->req);
	wa_http_answer_free(&t->answer);
	free(t->lines);
	free(t);
}

/* Set everything that is the same for all requests. */
static bool
set_fixed_options(WaHttpTransfer *t)
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

	/* decode whatever the library can; on_write() counts what comes out */
	SET(CURLOPT_ACCEPT_ENCODING, "");

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
	if (rc == CURLE_OK)
		rc = wa_http_own_sockets(t);
	t->has_prereq = wa_curl_set_prereq(e, before_request, t);
	return rc == CURLE_OK;
}

/* An idle transfer, or a new one.  NULL: out of memory. */
WaHttpTransfer *
wa_http_take(WaHttp *http)
{
	WaHttpTransfer *t = http->idle;

	if (t != NULL)
	{
		http->idle = t->next;
		t->next = NULL;
		return t;
	}
	t = calloc(1, sizeof(WaHttpTransfer));
	if (t == NULL)
		return NULL;
	t->http = http;
	t->easy = curl_easy_init();
	if (t->easy == NULL || !set_fixed_options(t))
	{
		wa_http_free_transfer(t);
		return NULL;
	}
	return t;
}

void
wa_http_give_back(WaHttpTransfer *t)
{
	if (t->worn)
	{
		wa_http_free_transfer(t);
		return;
	}
	t->prev = NULL;
	t->next = t->http->idle;
	t->http->idle = t;
}

/* May this request be sent at all?  On false a sentence is in err. */
bool
wa_http_request_valid(const WaRequest *req, bool may_be_plain, WaSaidText *err)
{
	size_t		i;

	if (req->method == NULL || req->url == NULL ||
		(strcmp(req->method, "GET") != 0 && strcmp(req->method, "POST") != 0))
	{
		wa_say_into(err, WA_SAY_METHOD_NOT_GET_OR_POST);
		return false;
	}
	if (!curl_strnequal(req->url, "https://", 8) &&
		!(may_be_plain && curl_strnequal(req->url, "http://", 7)))
	{
		wa_say_into(err, WA_SAY_URL_NOT_HTTPS);
		return false;
	}
	for (i = 0; i < req->nheaders; i++)
	{
		/* a line end here would let a value add headers of its own */
		if (strpbrk(req->headers[i], "\r\n") != NULL)
		{
			wa_say_into(err, WA_SAY_HEADER_WITH_LINE_END);
			return false;
		}
	}
	return true;
}

/*
 * Set what belongs to this request.  Only reads *req; the header list and the
 * body are pointed to from now on.  False: out of memory.
 */
bool
wa_http_set_request(WaHttpTransfer *t, const WaRequest *req, long timeout_ms,
					bool may_be_plain)
{
	CURL	   *e = t->easy;
	bool		posting = strcmp(req->method, "POST") == 0;
	bool		direct = curl_strnequal(req->url, "http://", 7);
	size_t		nlines = req->nheaders + FIXED_LINES;
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
		t->lines[i].data = i < FIXED_LINES ? fixed_lines[i] :
			req->headers[i - FIXED_LINES];
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
	/* where no connection can be looked at, none is used twice */
	if (curl_easy_setopt(e, CURLOPT_FRESH_CONNECT,
						 t->has_prereq ? 0L : 1L) != CURLE_OK ||
		curl_easy_setopt(e, CURLOPT_FORBID_REUSE,
						 t->has_prereq ? 0L : 1L) != CURLE_OK)
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
