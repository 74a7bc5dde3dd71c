/*-------------------------------------------------------------------------
 *
 * template_event.h
 *		What a provider tells of a template by a webhook.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TEMPLATE_EVENT_H
#define SICANTIK_WA_TEMPLATE_EVENT_H

extern int	wa_feedback_template_event(const char *provider, const char *event, const char *name,
									   const char *language, const char *detail);

#endif							/* SICANTIK_WA_TEMPLATE_EVENT_H */
