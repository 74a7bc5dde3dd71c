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

/*
 * Queue one text to the setting alert_number, unless there was one for the
 * same provider and cause within the last hour, or the setting is empty.
 * In a transaction.  provider: the one in trouble; cause: a short stable word
 * (a reason code); reason: the sentence for people, without secrets.
 */
extern void wa_deliver_alert(const char *provider, const char *cause, const char *reason);

#endif							/* SICANTIK_WA_ALERT_H */
