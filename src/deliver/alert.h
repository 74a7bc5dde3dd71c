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

extern void wa_deliver_alert(const char *provider, const char *cause, const char *reason);

#endif							/* SICANTIK_WA_ALERT_H */
