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
wa_http_explain(WaHttpTransfer *t, CURLcode code, WaSaid reason)
{
	WaSaidText *error = &t->answer.error;
	const char *text = curl_easy_strerror(code);
	const char *detail = t->curl_error;
	char		words[WA_HTTP_ERROR_SIZE] = "";
	char	   *p;

	if (reason != NULL)
		wa_text_say_copy(error, reason);
	else if (t->too_large)
		wa_say_into(error, WA_SAY_ANSWER_TOO_LARGE, WA_NUMBER(wa_http_reply_bytes(t)));
	else if (t->no_memory)
		wa_say_into(error, WA_SAY_OUT_OF_MEMORY);
	else if (code == CURLE_COULDNT_CONNECT && t->http->no_socket != 0)
	{
		/* not the provider's fault, as libcurl's words would have it */
		wa_say_into(error, WA_SAY_NO_SOCKET, strerror(t->http->no_socket));
		t->http->no_socket = 0;
	}
	else if (t->early)
		wa_say_into(error, WA_SAY_ANSWER_BEFORE_REQUEST);
	else if (t->lost_before)
		wa_say_into(error, WA_SAY_LOST_BEFORE_REQUEST);
	else if (code == CURLE_SEND_FAIL_REWIND ||
			 (code == CURLE_ABORTED_BY_CALLBACK && t->starts > 0))
		wa_say_into(error, WA_SAY_LOST_BEFORE_ANSWER);
	else if (code == CURLE_SSL_CACERT_BADFILE)
	{
		const char *path = t->http->ca_file;

		if (path == NULL)
			path = wa_curl_default_ca_file();
		snprintf(words, sizeof(words), "%s: \"%s\"", text,
				 path ? path : "(built-in default)");
	}
	else if (code == CURLE_OK && t->answer.http_status == 0)
		wa_say_into(error, WA_SAY_NO_STATUS_LINE);
	else if (code == CURLE_OK)
		wa_say_into(error, WA_SAY_LOST_IN_ANSWER);
	else if (detail[0] != '\0' && strstr(detail, "://") == NULL &&
			 strchr(detail, '@') == NULL &&
			 strstr(detail, t->req.url) == NULL &&
			 (t->http->proxy[0] == '\0' ||
			  strstr(detail, t->http->proxy) == NULL))
		snprintf(words, sizeof(words), "%s (%.160s)", text, detail);
	else
		snprintf(words, sizeof(words), "%s", text);

	for (p = words; *p != '\0'; p++)
	{
		if ((unsigned char) *p < 0x20 || (unsigned char) *p > 0x7e)
			*p = '?';
	}
	if (words[0] != '\0')
		wa_say_into(error, WA_SAY_QUOTE, words);
}
