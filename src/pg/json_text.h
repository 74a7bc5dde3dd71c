/*-------------------------------------------------------------------------
 *
 * json_text.h
 *		JSON of our tables, read by json-c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_JSON_TEXT_H
#define SICANTIK_WA_JSON_TEXT_H

#include "postgres.h"

#include <json-c/json.h>

extern PGDLLEXPORT void wa_pg_json_room(const char *text);
extern PGDLLEXPORT struct json_object *wa_pg_json_read(const char *text);

#endif							/* SICANTIK_WA_JSON_TEXT_H */
