/*-------------------------------------------------------------------------
 *
 * values.h
 *		Values, and the texts that they fill.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_VALUES_H
#define SICANTIK_WA_VALUES_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "route/providers.h"

/* A value that a template can take. */
typedef struct WaValue
{
	const char *name;
	const char *value;			/* NULL: not known */
	const char *setting;		/* the setting whose lack makes it unknown */
} WaValue;

typedef struct WaValues
{
	int			n;
	WaValue    *list;
} WaValues;

/* values.c: all palloc() in the current context */
extern void wa_compose_values_add(WaValues *values, const char *name, const char *value);
extern void wa_compose_values_add_setting(WaValues *values, const char *name, const char *value, const char *setting);
extern const WaValue *wa_compose_values_find(const WaValues *values, const char *name);
extern bool wa_compose_value_read_date(const char *iso, int *year, int *month, int *day);
extern char *wa_compose_value_date(const char *iso);
extern char *wa_compose_value_time(TimestampTz at, const char *time_zone);
extern char *wa_compose_value_link(const char *pattern, const WaValues *fields);
extern char *wa_compose_value_span(const char *from_iso, const char *to_iso);

/* template.c */
extern char *wa_compose_template_render(const WaTemplate *template, const WaValues *values,
										char **missing, const char **setting);
extern char *wa_compose_template_params(const WaTemplate *template, const WaMapping *mappings, int nmappings,
										const WaValues *values);

#endif							/* SICANTIK_WA_VALUES_H */
