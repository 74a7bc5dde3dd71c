/*-------------------------------------------------------------------------
 *
 * told.h
 *		Messages that a provider took, and then could not deliver.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TOLD_H
#define SICANTIK_WA_TOLD_H

#include "postgres.h"

#include "deliver/send.h"

extern int	wa_deliver_told_failed(const WaSendConfig *config, const int64 *busy, int nbusy, int64 **ready,
								   bool *changed);

#endif							/* SICANTIK_WA_TOLD_H */
