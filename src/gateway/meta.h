/*-------------------------------------------------------------------------
 *
 * meta.h
 *		What the files about Meta share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_GATEWAY_META_H
#define SICANTIK_WA_GATEWAY_META_H

#include "gateway/provider.h"

/* meta.c */
extern bool wa_gateway_meta_account_path(const WaPair *settings, size_t nsettings,
										 WaBuf *path, WaSaidText *err);
extern bool wa_gateway_meta_finish(WaRequest *req, const char *method, const char *base_url,
								   WaBuf *path, WaBuf *body, const WaPair *settings,
								   size_t nsettings, WaSaidText *err);
extern bool wa_gateway_meta_read_code(json_object * value, long *code);
extern WaSay wa_gateway_meta_judge_row(const WaMetaCode *row, WaVerdict *verdict);
extern void wa_gateway_meta_judge_error(const WaReply *reply, json_object * error,
										WaVerdict *verdict);

/* meta_template.c; the longest name that the named format allows, in bytes */
#define WA_META_PARAM_NAME	20
extern const char *wa_gateway_meta_refuse_name(const char *name);
extern int	wa_gateway_meta_object(const char *body,
								   const char *objections[WA_MAX_OBJECTIONS]);

/* meta_recipient.c */
#define META_NUMBER_WITH_PLUS	"number_with_plus"
#define META_SEND_TO_IDS		"send_to_ids"
extern bool wa_gateway_meta_recipient(WaBuf *body, const WaPair *settings, size_t nsettings,
									  const char *number, WaSaidText *err);

/* meta_status.c */
extern void wa_gateway_meta_judge_failure(const char *code, const char *words,
										  WaVerdict *verdict);

/* meta_versions.c */
extern const char *wa_gateway_meta_version_ends(const char *version);
extern void wa_gateway_meta_version(const WaPair *settings, size_t nsettings,
									WaGatewayVersion *version);

/* meta_submit.c */
extern char *wa_gateway_meta_write_template(const WaTemplateDraft *draft, WaSaidText *err);
extern bool wa_gateway_meta_build_template(const char *base_url, const WaPair *settings,
										   size_t nsettings, const char *json,
										   WaRequest *req, WaSaidText *err);
extern void wa_gateway_meta_read_template(const WaReply *reply, WaTemplateMade *made);

/* meta_catalogue.c */
extern WaTemplateStanding wa_gateway_meta_standing(const char *word);
extern bool wa_gateway_meta_build_templates(const char *base_url, const WaPair *settings,
											size_t nsettings, const char *after, int limit,
											WaRequest *req, WaSaidText *err);
extern void wa_gateway_meta_read_templates(const WaReply *reply, WaTakeTemplate take,
										   void *argument, WaTemplatePage *page);
extern bool wa_gateway_meta_read_template_news(const char *event, const char *detail,
											   WaTemplateNews *news);

#endif							/* SICANTIK_WA_GATEWAY_META_H */
