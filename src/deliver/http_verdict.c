/*-------------------------------------------------------------------------
 *
 * http_verdict.c
 *		What is certain about a transfer that has ended, and in which words.
 *
 *-------------------------------------------------------------------------
 */
#include "deliver/http_private.h"

#include <stdio.h>
#include <string.h>

/*
 * What is certain about a transfer that ends now?  Must be asked while the
 * easy handle still has the figures of this transfer.
 */
WaHttpResult
wa_http_classify(const WaHttpTransfer *t)
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

bool
wa_http_is_tls_error(CURLcode code)
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
void
wa_http_explain(WaHttpTransfer *t, CURLcode code, const char *reason)
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
	else if (t->early)
		snprintf(error, size,
				 "an answer came before the request had left as a whole");
	else if (t->lost_before)
		snprintf(error, size,
				 "the connection was lost before the request could be sent");
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
