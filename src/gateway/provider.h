/*-------------------------------------------------------------------------
 *
 * provider.h
 *		What the provider files share among themselves.
 *
 * Not for other folders: their face is gateway.h.  Whoever writes a new
 * provider file includes this one, fills a WaGateway wa_gateway_KIND and adds
 * its line to WA_GATEWAYS.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_GATEWAY_PROVIDER_H
#define SICANTIK_WA_GATEWAY_PROVIDER_H

#include <json-c/json.h>

#include "gateway/gateway.h"

#if defined(__GNUC__)
#define WA_PRINTF(f, a)	__attribute__((format(printf, f, a)))
#else
#define WA_PRINTF(f, a)
#endif

/* No provider has more secret settings than this; checked by the tests. */
#define WA_GATEWAY_MAX_SECRETS	8

/*
 * Bytes that grow.  An allocation that fails sets "failed" and the buffer
 * swallows everything that follows, so that only the end has to be checked.
 */
typedef struct WaBuf
{
	char	   *data;			/* NUL-terminated once something was added */
	size_t		len;
	size_t		size;
	bool		failed;
} WaBuf;

/* What one of Meta's error codes, or one range of them, comes to. */
typedef struct WaMetaCode
{
	long		first;			/* the code ... */
	long		last;			/* ... or the last one of the range */
	WaOutcome	outcome;
	WaScope		scope;
	WaFallback	fallback;
	int			max_retries;	/* as in WaVerdict */
	long		wait_s;			/* as in WaVerdict */
	long		backoff_s;		/* as in WaVerdict */
	bool		regain;			/* the usage header may tell the wait */
	bool		opt_out;
	const char *sentence;
} WaMetaCode;

/* What one of Fonnte's or Watzap's words comes to. */
typedef struct WaWord
{
	const char *word;			/* compared without regard to case */
	WaOutcome	outcome;
	WaFallback	fallback;
	int			max_retries;
	long		wait_s;
	const char *sentence;
} WaWord;

/* The providers, in the order in which people are told of them. */
#define WA_GATEWAYS(GATEWAY) \
	GATEWAY(meta) \
	GATEWAY(watzap) \
	GATEWAY(fonnte)

#define WA_GATEWAY_EXTERN(kind) extern const WaGateway wa_gateway_##kind;
WA_GATEWAYS(WA_GATEWAY_EXTERN)

/* gateway.c: limits of a linked device */
extern const WaGatewayLimits wa_gateway_device_limits;

/* meta_template.c; the longest name that the named format allows, in bytes */
#define WA_META_PARAM_NAME	20
extern const char *wa_gateway_meta_refuse_name(const char *name);
extern int	wa_gateway_meta_object(const char *body,
								   const char *objections[WA_MAX_OBJECTIONS]);

/* meta_codes.c */
extern const WaMetaCode *wa_gateway_meta_code(long code);
extern const WaMetaCode *wa_gateway_meta_code_at(size_t index);

/* fonnte_reasons.c */
extern const WaWord *wa_gateway_fonnte_reason(const char *reason);
extern const WaWord *wa_gateway_fonnte_reason_at(size_t index);

/* utf8.c */
extern size_t wa_gateway_utf8_next(const char *s, size_t len,
								   unsigned long *code_point);
extern bool wa_gateway_utf8_length(const char *s, size_t *chars);
extern bool wa_gateway_printable(unsigned long code_point);
extern void wa_gateway_clean(char *dst, size_t size,
							 const char *src, size_t len);
extern void wa_gateway_sentence(char *dst, size_t size,
								const char *format,...) WA_PRINTF(3, 4);
extern bool wa_gateway_same_word(const char *a, const char *b);

/* request.c */
extern void wa_gateway_buf_add(WaBuf *buf, const char *bytes, size_t len);
extern void wa_gateway_buf_str(WaBuf *buf, const char *text);
extern void wa_gateway_buf_json(WaBuf *buf, const char *text);
extern void wa_gateway_buf_form(WaBuf *buf, const char *text);
extern void wa_gateway_buf_value(WaBuf *buf, const char *value);
extern char *wa_gateway_buf_take(WaBuf *buf);
extern char *wa_gateway_numbered_params(const char *prefix,
										const WaPair *params, size_t nparams);
extern void wa_gateway_buf_free(WaBuf *buf);
extern const char *wa_gateway_value(const WaGateway *gateway,
									const WaPair *settings, size_t nsettings,
									const char *name);
extern bool wa_gateway_check_settings(const WaGateway *gateway,
									  const WaPair *settings,
									  size_t nsettings,
									  char *err, size_t err_size);
extern bool wa_gateway_check_message(const WaGateway *gateway,
									 const WaOutbound *msg,
									 char *err, size_t err_size);
extern bool wa_gateway_request(WaRequest *req, const char *method,
							   const WaGateway *gateway, const char *base_url,
							   const char *path, WaBuf *body,
							   const char *content_type,
							   const char *authorization,
							   char *err, size_t err_size);

/* answer.c */
extern json_object *wa_gateway_parse(const WaReply *reply);
extern json_object *wa_gateway_member(json_object *parent, const char *key);
extern json_object *wa_gateway_element(json_object *array, size_t index);
extern bool wa_gateway_text(json_object *value, char *dst, size_t size);
extern bool wa_gateway_id(json_object *value, char *dst, size_t size);
extern bool wa_gateway_is_2xx(const WaReply *reply);
extern void wa_gateway_verdict(WaVerdict *verdict, WaOutcome outcome);
extern void wa_gateway_unlisted(WaVerdict *verdict, const char *words);
extern void wa_gateway_told_wait(const WaReply *reply, WaVerdict *verdict);

/* http_status.c */
extern bool wa_gateway_status_tells(const WaReply *reply);
extern void wa_gateway_judge_status(const char *provider, const WaReply *reply,
									const char *details, WaVerdict *verdict);
extern void wa_gateway_judge_gateway_status(const char *provider,
											const WaReply *reply,
											const char *details,
											WaVerdict *verdict);

/* health.c */
extern json_object *wa_gateway_health_begin(const WaReply *reply,
											WaHealth *health);
extern void wa_gateway_health_copy(const WaGateway *gateway,
								   const WaPair *settings, size_t nsettings,
								   json_object *detail, json_object *from,
								   const char *const *keys, size_t nkeys);
extern long wa_gateway_health_count(json_object *value);
extern void wa_gateway_health_finish(const WaGateway *gateway,
									 const WaPair *settings, size_t nsettings,
									 json_object *detail, WaHealth *health);

#endif							/* SICANTIK_WA_GATEWAY_PROVIDER_H */
