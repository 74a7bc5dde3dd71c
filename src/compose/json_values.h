/*-------------------------------------------------------------------------
 *
 * json_values.h
 *		Values given by a caller as a JSON object.
 *
 * A header of its own because server's jsonb.h and json-c's headers are wanted
 * together only where JSON comes from SQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_JSON_VALUES_H
#define SICANTIK_WA_JSON_VALUES_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "compose/values.h"

extern void wa_compose_values_from_json(WaValues *values, Jsonb *params);

#endif							/* SICANTIK_WA_JSON_VALUES_H */
