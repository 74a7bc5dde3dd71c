/*-------------------------------------------------------------------------
 *
 * http.h
 *		Face of the HTTP engine: many requests at once, one file descriptor.
 *
 * The engine knows libcurl and nothing of PostgreSQL: it never raises errors,
 * never palloc()s, and never waits.  Its owner puts wa_http_fd() into its wait
 * set and calls wa_http_drive() whenever the descriptor is readable.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_HTTP_H
#define SICANTIK_WA_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/gateway.h"	/* WaRequest */

typedef struct WaHttp WaHttp;	/* opaque: holds the curl multi handle */

typedef struct WaHttpOptions
{
	const char *ca_file;		/* PEM bundle; NULL or "": libcurl's default */
	const char *proxy;			/* NULL or "": none, whatever the environment */
	long		connect_timeout_ms;
	long		max_connections;	/* all hosts together */
	long		max_host_connections;
	size_t		max_reply_bytes;	/* body kept at most; more ends the
									 * transfer */
	bool		signals_blocked;	/* its owner's thread takes no signals,
									 * ever */
} WaHttpOptions;

/* What is certain about a transfer that is over. */
typedef enum WaHttpResult
{
	WA_HTTP_NOT_SENT,			/* provably no byte of the request has left */
	WA_HTTP_IN_DOUBT,			/* it may have arrived, and we have no answer */
	WA_HTTP_ANSWERED			/* a final status line (not 1xx) came */
} WaHttpResult;

#define WA_HTTP_ERROR_SIZE	256

/* A finished transfer.  Release with wa_http_answer_free(). */
typedef struct WaHttpAnswer
{
	uint64_t	tag;			/* as given to wa_http_submit */
	WaHttpResult result;
	int			http_status;	/* 0 unless answered */
	long		retry_after_s;	/* as the server said, not capped; -1: none */
	char	   *usage_header;	/* value of the one that the request names, or
								 * NULL; 4 kB at most */
	char	   *body;			/* NUL-terminated; NULL unless answered */
	size_t		body_len;
	bool		truncated;		/* answered, but not all of it is here */
	bool		tls_error;		/* certificate or handshake */
	double		total_s;		/* from submit to end */
	WaSaidText	error;			/* no URL, no secret; "" if none */
} WaHttpAnswer;

/*
 * All functions are for one thread, in a process that ignores SIGPIPE.
 * NULL / false: see err.
 */
extern WaHttp *wa_http_open(const WaHttpOptions *options,
							char *err, size_t err_size);
extern void wa_http_close(WaHttp *http);
extern int	wa_http_fd(const WaHttp *http);
extern bool wa_http_submit(WaHttp *http, uint64_t tag, WaRequest *req,
						   long timeout_ms, bool may_be_plain, WaSaidText *err);
extern void wa_http_drive(WaHttp *http);
extern bool wa_http_next(WaHttp *http, WaHttpAnswer *answer);
extern void wa_http_answer_free(WaHttpAnswer *answer);
extern size_t wa_http_in_flight(const WaHttp *http);
extern void wa_http_abort_all(WaHttp *http);
extern const char *wa_http_library(void);

#endif							/* SICANTIK_WA_HTTP_H */
