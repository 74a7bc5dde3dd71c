/*-------------------------------------------------------------------------
 *
 * once.h
 *		What has been announced: keys, of which each has one message.
 *
 * As in queue.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ONCE_H
#define SICANTIK_WA_ONCE_H

#include "postgres.h"


extern PGDLLEXPORT void wa_queue_announce_many(const char *const *keys, const int64 *ids,
											   const int64 *again_after_us, int n, bool *fresh);
extern void wa_queue_announced_by_others(const char *const *keys, const int64 *ids,
										 const int64 *events, const int64 *again_after_us,
										 int n, const int64 *but, int nbut, bool *taken);
extern void wa_queue_hand_over(const int64 *from, const int64 *to, int n);
extern void wa_queue_take_back(const int64 *ids, int n);
extern void wa_queue_forget(const char *const *keys, int n);
extern void wa_queue_count_as_announced(const char *const *keys, int n);
extern void wa_queue_forget_days(const char *beginning, const char *today, int days);
extern PGDLLEXPORT bool wa_queue_claim_dedupe(const char *key, int64 message_id);
extern void wa_queue_keep_later(const char *const *keys, const int64 *events,
								const char *const *changes, int n);
extern void wa_queue_drop_later(const int64 *ids, int n);

#endif							/* SICANTIK_WA_ONCE_H */
