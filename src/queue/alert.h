/*-------------------------------------------------------------------------
 *
 * alert.h
 *		A text to a person when a provider is in trouble, or has told of some.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ALERT_H
#define SICANTIK_WA_ALERT_H

#include "postgres.h"

#include "pg/said.h"

extern PGDLLEXPORT void wa_queue_alert(const char *provider, const char *cause, WaSaid reason);
extern void wa_queue_alert_news(const char *provider, const char *cause, WaSaid news);

#endif							/* SICANTIK_WA_ALERT_H */
