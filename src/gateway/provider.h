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

#include "gateway/answer.h"
#include "gateway/buf.h"
#include "gateway/gateway.h"
#include "gateway/utf8.h"

/* wa_say_into(), with values cleaned as by wa_gateway_clean(). */
#define wa_gateway_say(text, ...)	wa_gateway_say_cleaned((text), WA_SAY_ARGUMENTS(__VA_ARGS__))

/* No provider has more secret settings than this; checked by the tests. */
#define WA_GATEWAY_MAX_SECRETS	8

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
	WaSay		sentence;
} WaMetaCode;

/* What one of Fonnte's or Watzap's words comes to. */
typedef struct WaWord
{
	const char *word;			/* compared without regard to case */
	WaOutcome	outcome;
	WaFallback	fallback;
	int			max_retries;
	long		wait_s;
	WaSay		sentence;
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

/* meta_codes.c */
extern const WaMetaCode *wa_gateway_meta_code(long code);
extern const WaMetaCode *wa_gateway_meta_code_later(long code);
extern const WaMetaCode *wa_gateway_meta_code_at(size_t index);

/* meta_feedback.c */
extern bool wa_gateway_meta_read_feedback(const char *body, size_t len, int64_t now,
										  WaTakeUpdate take, void *argument);

/* meta_account_effect.c: see WaGateway */
extern void wa_gateway_meta_judge_account(const char *event, const char *detail,
										  WaAccountNews *news);

/* fonnte_reasons.c */
extern const WaWord *wa_gateway_fonnte_reason(const char *reason);
extern const WaWord *wa_gateway_fonnte_reason_at(size_t index);
extern const WaWord *wa_gateway_fonnte_state(const char *state);

/* fonnte_feedback.c, watzap_feedback.c: see WaGateway */
extern bool wa_gateway_fonnte_read_feedback(const char *body, size_t len, int64_t now,
											WaTakeUpdate take, void *argument);
extern void wa_gateway_fonnte_judge_failure(const char *code, const char *words,
											WaVerdict *verdict);
extern void wa_gateway_fonnte_judge_account(const char *event, const char *detail,
											WaAccountNews *news);
extern bool wa_gateway_watzap_read_feedback(const char *body, size_t len, int64_t now,
											WaTakeUpdate take, void *argument);

/* request.c */
extern const char *wa_gateway_value(const WaGateway *gateway,
									const WaPair *settings, size_t nsettings,
									const char *name);
extern bool wa_gateway_check_settings(const WaGateway *gateway,
									  const WaPair *settings,
									  size_t nsettings,
									  WaSaidText *err);
extern bool wa_gateway_check_message(const WaGateway *gateway,
									 const WaOutbound *msg,
									 WaSaidText *err);
extern bool wa_gateway_request(WaRequest *req, const char *method,
							   const WaGateway *gateway, const char *base_url,
							   const char *path, WaBuf *body,
							   const char *content_type,
							   const char *authorization,
							   WaSaidText *err);

/* health.c */
extern json_object * wa_gateway_health_begin(const WaReply *reply,
											 WaHealth *health);
extern void wa_gateway_health_copy(const WaGateway *gateway,
								   const WaPair *settings, size_t nsettings,
								   json_object * detail, json_object * from,
								   const char *const *keys, size_t nkeys);
extern long wa_gateway_health_count(json_object * value);
extern void wa_gateway_health_finish(const WaGateway *gateway,
									 const WaPair *settings, size_t nsettings,
									 json_object * detail, WaHealth *health);

#endif							/* SICANTIK_WA_GATEWAY_PROVIDER_H */
