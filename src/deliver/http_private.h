/*-------------------------------------------------------------------------
 *
 * http_private.h
 *		What the files of the HTTP engine share among themselves.
 *
 * http.c			the engine: libcurl's multi handle behind one descriptor
 * http_transfer.c	one easy handle: its options, what it sends and receives
 * http_socket.c	our sockets: is the one that is about to be used still ours?
 * http_verdict.c	what is certain about a transfer that has ended
 *
 * Not for other files: their face is http.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_HTTP_PRIVATE_H
#define SICANTIK_WA_HTTP_PRIVATE_H

#include "deliver/http.h"

#include <sys/socket.h>

#include "pg/curl_compat.h"

/*
 * One transfer with its easy handle.  It is in exactly one list: running
 * (doubly linked), done, or idle (both singly linked through next).  The easy
 * handle keeps its options from one request to the next; submit() changes
 * only what belongs to the request.
 */
typedef struct WaHttpTransfer
{
	WaHttp	   *http;
	CURL	   *easy;
	struct WaHttpTransfer *prev;
	struct WaHttpTransfer *next;

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
	int			fd;				/* socket of its connection, or -1 */
	bool		afresh;			/* this is its second beginning */
	bool		lost_before;	/* stopped: its connection was of no use */
	bool		worn;			/* the easy handle must not be used again */
	int64_t		submitted;
	long		timeout_ms;

	/* the answer so far; its body is NUL-terminated in body_size bytes */
	WaHttpAnswer answer;
	size_t		body_size;
	bool		headers_done;
	bool		retry_after;	/* a Retry-After line came */
	bool		early;			/* the answer came before the request was over */
	bool		too_large;
	bool		no_memory;

	char		curl_error[CURL_ERROR_SIZE];
} WaHttpTransfer;

/* One socket of ours, for as long as it is open. */
typedef struct WaHttpSocket
{
	int			fd;
	int			local_port;		/* 0: not asked yet */
	bool		connected;		/* its ends are known, and stay as they are */
	struct sockaddr_storage local;
	struct sockaddr_storage remote;
	bool		used;			/* a request was written to it */
} WaHttpSocket;

/* One descriptor that libcurl asked us to watch, found by its number. */
typedef struct WaHttpWatch
{
	uint32_t	serial;			/* changes whenever watching begins or ends */
	bool		on;
} WaHttpWatch;

struct WaHttp
{
	CURLM	   *multi;			/* NULL: to be made anew, see renew() */
	bool		spoiled;		/* memory ran out in it: not to be kept */
	int			epoll_fd;
	int			timer_fd;
	int64_t		due;			/* when libcurl wants to be called */
	int64_t		armed;			/* what timer_fd is set to; never after due */

	WaHttpWatch *watches;		/* indexed by descriptor */
	size_t		nwatches;

	WaHttpSocket *sockets;
	size_t		nsockets;
	size_t		sockets_size;
	int			corked_fd;		/* see wa_http_cork(); -1: none */
	int			no_socket;		/* errno of the last one that the system
								 * refused; 0: none, or it has been said */

	WaHttpTransfer *running;
	size_t		nrunning;
	WaHttpTransfer *done;		/* oldest first */
	WaHttpTransfer **done_end;
	WaHttpTransfer *idle;

	char	   *ca_file;		/* or NULL */
	char	   *proxy;			/* "": none */
	long		connect_timeout_ms;
	long		max_connections;
	long		max_host_connections;
	size_t		max_reply_bytes;
	bool		signals_blocked;
};

/* http.c */

/* http_transfer.c */
extern WaHttpTransfer *wa_http_take(WaHttp *http);
extern void wa_http_give_back(WaHttpTransfer *t);
extern size_t wa_http_reply_bytes(const WaHttpTransfer *t);
extern void wa_http_free_transfer(WaHttpTransfer *t);
extern bool wa_http_request_valid(const WaRequest *req, bool may_be_plain,
								  WaSaidText *err);
extern bool wa_http_set_request(WaHttpTransfer *t, const WaRequest *req,
								long timeout_ms, bool may_be_plain);

/* http_socket.c */
extern CURLcode wa_http_own_sockets(WaHttpTransfer *t);
extern bool wa_http_connection_lost(WaHttpTransfer *t, const char *remote_ip,
									const char *local_ip, int local_port);
extern bool wa_http_unacknowledged(const WaHttpTransfer *t);
extern void wa_http_cork(WaHttpTransfer *t);
extern void wa_http_uncork(WaHttp *http);

/* http_verdict.c */
extern WaHttpResult wa_http_classify(const WaHttpTransfer *t);
extern bool wa_http_is_tls_error(CURLcode code);
extern void wa_http_explain(WaHttpTransfer *t, CURLcode code,
							WaSaid reason);

#endif							/* SICANTIK_WA_HTTP_PRIVATE_H */
