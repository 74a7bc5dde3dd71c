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

/* template_examples.c */
extern const char *wa_admin_template_example(const char *parameter);

#endif							/* SICANTIK_WA_TEMPLATE_DRAFT_H */
