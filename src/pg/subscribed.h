/*-------------------------------------------------------------------------
 *
 * subscribed.h
 *		Are our tables filled by logical replication?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SUBSCRIBED_H
#define SICANTIK_WA_SUBSCRIBED_H

#include "postgres.h"

extern char *wa_pg_subscription(void);

#endif							/* SICANTIK_WA_SUBSCRIBED_H */
