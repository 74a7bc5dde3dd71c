/*-------------------------------------------------------------------------
 *
 * alert.h
 *		A text to a person when a provider is in trouble.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ALERT_H
#define SICANTIK_WA_ALERT_H

#include "postgres.h"

#include "pg/said.h"

extern void wa_deliver_alert(const char *provider, const char *cause, WaSaid reason);

#endif							/* SICANTIK_WA_ALERT_H */
