/*-------------------------------------------------------------------------
 *
 * answer.h
 *		Reading what a provider answered.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_GATEWAY_ANSWER_H
#define SICANTIK_WA_GATEWAY_ANSWER_H

#include <json-c/json.h>

#include "gateway/gateway.h"

/* answer.c */
extern json_object * wa_gateway_parse(const WaReply *reply);
extern json_object * wa_gateway_member(json_object * parent, const char *key);
extern json_object * wa_gateway_element(json_object * array, size_t index);
extern bool wa_gateway_text(json_object * value, char *dst, size_t size);
extern bool wa_gateway_id(json_object * value, char *dst, size_t size);
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

#endif							/* SICANTIK_WA_GATEWAY_ANSWER_H */
