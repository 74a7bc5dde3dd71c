/*-------------------------------------------------------------------------
 *
 * template_list.h
 *		Lists of templates, read by the worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TEMPLATE_LIST_H
#define SICANTIK_WA_TEMPLATE_LIST_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "route/providers.h"

extern void wa_deliver_templates_look(void);
extern bool wa_deliver_templates_run(const WaProviders *providers, TimestampTz *next_due);
extern void wa_deliver_templates_ask(void);
extern int	wa_deliver_templates_reading(void);

#endif							/* SICANTIK_WA_TEMPLATE_LIST_H */
