/*-------------------------------------------------------------------------
 *
 * template_draft.h
 *		A template of ours, to be made at a provider.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TEMPLATE_DRAFT_H
#define SICANTIK_WA_TEMPLATE_DRAFT_H

#include "postgres.h"

#include "route/catalogue.h"

/* template_examples.c */
extern const char *wa_admin_template_example(const char *parameter);

/*
 * sync_templates.c: read a provider's list to its end, SPI connected and the
 * owner acting.  NULL, or why it could not be; *wait_s: how long to wait
 * before it is tried again, or -1.
 */
extern WaSaid wa_admin_read_templates(const WaProvider *p, WaCatalogue *catalogue, long *wait_s);

#endif							/* SICANTIK_WA_TEMPLATE_DRAFT_H */
