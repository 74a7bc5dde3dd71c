/*-------------------------------------------------------------------------
 *
 * curl_compat.h
 *		What differs between the versions of libcurl that we run on.
 *
 * A distribution upgrades the shared library below a program that was built
 * earlier, and it also builds against a newer one than a later machine has.
 * So nothing here is decided by the version we were compiled with: options
 * that the oldest supported header lacks are spelled by number (their numbers
 * are part of libcurl's ABI and never change), and wa_curl_has() asks the
 * library that is really loaded.
 *
 * Knows libcurl only, nothing of PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CURL_COMPAT_H
#define SICANTIK_WA_CURL_COMPAT_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#if LIBCURL_VERSION_NUM < 0x074600
#error "sicantik_wa needs libcurl 7.70.0 or newer"
#endif

/* Versions as libcurl writes them: 8 bits each of major, minor, patch. */
#define WA_CURL_7_80	0x075000
#define WA_CURL_7_85	0x075500
#define WA_CURL_7_87	0x075700
#define WA_CURL_8_20	0x081400

/* Options by number, with the version that brought them. */
#define WA_CURLOPT_PROTOCOLS \
	((CURLoption) (CURLOPTTYPE_LONG + 181)) /* deprecated by 7.85's */
#define WA_CURLOPT_PREREQFUNCTION \
	((CURLoption) (CURLOPTTYPE_FUNCTIONPOINT + 312))	/* 7.80 */
#define WA_CURLOPT_PREREQDATA \
	((CURLoption) (CURLOPTTYPE_CBPOINT + 313))	/* 7.80 */
#define WA_CURLOPT_PROTOCOLS_STR \
	((CURLoption) (CURLOPTTYPE_STRINGPOINT + 318))	/* 7.85 */
#define WA_CURLOPT_QUICK_EXIT \
	((CURLoption) (CURLOPTTYPE_LONG + 322)) /* 7.87 */
#define WA_CURLMOPT_RESOLVE_THREADS_MAX \
	((CURLMoption) (CURLOPTTYPE_LONG + 20)) /* 8.20 */
#define WA_CURLMOPT_QUICK_EXIT \
	((CURLMoption) (CURLOPTTYPE_LONG + 21)) /* 8.20 */

/* What a CURLOPT_PREREQFUNCTION returns. */
#define WA_CURL_PREREQ_OK		0
#define WA_CURL_PREREQ_ABORT	1

/* Is the loaded library at least this version (one of WA_CURL_x)? */
static inline bool
wa_curl_has(unsigned int version)
{
	return curl_version_info(CURLVERSION_NOW)->version_num >= version;
}

/* Does the loaded library look names up without blocking its caller? */
static inline bool
wa_curl_has_async_dns(void)
{
	return (curl_version_info(CURLVERSION_NOW)->features &
			CURL_VERSION_ASYNCHDNS) != 0;
}

/*
 * The CA bundle that the loaded library uses unless told otherwise, or NULL
 * if it has none or does not say.  The string belongs to libcurl.
 */
static inline const char *
wa_curl_default_ca_file(void)
{
	curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	if (info->age < CURLVERSION_SEVENTH)
		return NULL;
	return info->cainfo;
}

/* Which protocols may a transfer use: https, or http as well? */
static inline CURLcode
wa_curl_set_protocols(CURL *easy, bool plain)
{
	if (wa_curl_has(WA_CURL_7_85))
		return curl_easy_setopt(easy, WA_CURLOPT_PROTOCOLS_STR,
								plain ? "http,https" : "https");
	return curl_easy_setopt(easy, WA_CURLOPT_PROTOCOLS,
							plain ? (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS) :
							(long) CURLPROTO_HTTPS);
}

/*
 * Never wait for a name lookup that hangs when a transfer or the whole multi
 * handle goes away: its thread is left behind instead.  Without this (before
 * 7.87) removing such a transfer blocks until the resolver gives up.
 */
static inline CURLcode
wa_curl_set_quick_exit(CURL *easy)
{
	if (!wa_curl_has(WA_CURL_7_87))
		return CURLE_OK;
	return curl_easy_setopt(easy, WA_CURLOPT_QUICK_EXIT, 1L);
}

/*
 * From 8.20 on the lookups of one multi handle share a pool of threads:
 * bound it, and do not wait for it at the end either.
 */
static inline CURLMcode
wa_curl_multi_set_resolver(CURLM *multi, long threads)
{
	CURLMcode	rc;

	if (!wa_curl_has(WA_CURL_8_20))
		return CURLM_OK;
	rc = curl_multi_setopt(multi, WA_CURLMOPT_QUICK_EXIT, 1L);
	if (rc == CURLM_OK)
		rc = curl_multi_setopt(multi, WA_CURLMOPT_RESOLVE_THREADS_MAX,
							   threads);
	return rc;
}

/*
 * Have fn called with arg each time libcurl has a connection ready and is
 * about to write a request to it.  Returns false where the loaded library
 * cannot do that (before 7.80).
 */
typedef int (*WaCurlPrereqFn) (void *arg, char *remote_ip, char *local_ip,
							   int remote_port, int local_port);

static inline bool
wa_curl_set_prereq(CURL *easy, WaCurlPrereqFn fn, void *arg)
{
	return wa_curl_has(WA_CURL_7_80) &&
		curl_easy_setopt(easy, WA_CURLOPT_PREREQFUNCTION, fn) == CURLE_OK &&
		curl_easy_setopt(easy, WA_CURLOPT_PREREQDATA, arg) == CURLE_OK;
}

#endif							/* SICANTIK_WA_CURL_COMPAT_H */
