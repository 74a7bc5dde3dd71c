/*-------------------------------------------------------------------------
 *
 * known.h
 *		What messages about permits were made from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_KNOWN_H
#define SICANTIK_WA_KNOWN_H

#include "postgres.h"

#include "compose/draft.h"

extern void wa_compose_known_begin(void);
extern uint64 wa_compose_known_configuration(void);
extern void wa_compose_known_remember(WaBatch *batch, WaDraft **drafts, int n);
extern int	wa_compose_known_still(const char *odoo_schema, const int64 *ids, int n, int64 *still);

#endif							/* SICANTIK_WA_KNOWN_H */
