/*-------------------------------------------------------------------------
 *
 * reading.h
 *		What the readers of webhooks share; inside this folder only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_GATEWAY_READING_H
#define SICANTIK_WA_GATEWAY_READING_H

#include <json-c/json.h>

#include "gateway/answer.h"
#include "gateway/feedback.h"

/*
 * The strings of one update.  They last until they are released, whatever else
 * is kept.  An allocation that fails sets "failed", and gives NULL from then
 * on: it has to be asked once, before the update is handed over.
 */
typedef struct WaStrings
{
	struct WaString *last;
	bool		failed;
} WaStrings;

/* What stands in the place of a sender. */
typedef enum WaSender
{
	WA_SENDER_NONE,
	WA_SENDER_NUMBER,
	WA_SENDER_OPAQUE,			/* somebody, but no number */
	WA_SENDER_GROUP				/* no single person: a group, a channel */
} WaSender;

/* Read one event into an update that is all zeros. */
typedef void (*WaReadEvent) (WaStrings *strings, json_object * root, int64_t now, WaUpdate *update);

/* reading.c */
extern const char *wa_gateway_keep(WaStrings *strings, const char *bytes, size_t len);
extern const char *wa_gateway_keep_word(WaStrings *strings, json_object * value);
extern const char *wa_gateway_keep_text(WaStrings *strings, json_object * value);
extern const char *wa_gateway_keep_id(WaStrings *strings, json_object * value);
extern const char *wa_gateway_keep_json(WaStrings *strings, json_object * value);
extern const char *wa_gateway_keep_excerpt(WaStrings *strings, const char *bytes, size_t len);
extern const char *wa_gateway_keep_members(WaStrings *strings, json_object * root);
extern void wa_gateway_strings_free(WaStrings *strings);
extern bool wa_gateway_read_number(const char *text, char number[WA_NUMBER_SIZE]);
extern WaSender wa_gateway_read_sender(WaStrings *strings, const char *text,
									   const char **number, const char **user_id);
extern int64_t wa_gateway_read_time(json_object * value, int64_t now);
extern bool wa_gateway_says_true(json_object * value);
extern bool wa_gateway_read_event(const char *body, size_t len, int64_t now, WaReadEvent read,
								  WaTakeUpdate take, void *argument);

/* wash.c */
extern json_object * wa_gateway_parse_washed(const char *body, size_t len, bool *no_memory);

/* form.c */
extern json_object * wa_gateway_parse_body(const char *body, size_t len, bool *no_memory);
extern json_object * wa_gateway_object_in(WaStrings *strings, json_object * parent, const char *key);

#endif							/* SICANTIK_WA_GATEWAY_READING_H */
