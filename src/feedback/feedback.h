/*-------------------------------------------------------------------------
 *
 * feedback.h
 *		What providers tell by webhooks, taken in and applied.
 *
 * A webhook is a call of an SQL function in somebody's transaction (webhook.c):
 * it proves where it comes from, is read by its gateway (gateway/feedback.h),
 * and each update becomes a row of wa.feedback; nothing else is touched.  The
 * worker applies the rows (run.c), each kind in a file of its own: status.c
 * what became of our messages, inbound.c what people wrote, person.c whose
 * number or id has changed.  A row goes when it is applied; one that does not
 * fit yet, since it has overtaken the answer to the request, is tried again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_FEEDBACK_APPLY_H
#define SICANTIK_WA_FEEDBACK_APPLY_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* run.c */
extern bool wa_feedback_run(TimestampTz *due);
extern int	wa_feedback_purge(void);

/*
 * One kind each: apply these rows of wa.feedback, in the order of their ids,
 * and delete them, or leave them with another due_at (later.c).  In the
 * worker's transaction, or a part of it that may fail.
 */
extern void wa_feedback_apply_status(const int64 *ids, int n);
extern void wa_feedback_apply_inbound(const int64 *ids, int n);
extern void wa_feedback_apply_template(const int64 *ids, int n);
extern void wa_feedback_apply_account(const int64 *ids, int n);
extern void wa_feedback_apply_person(const int64 *ids, int n);
extern void wa_feedback_apply_preference(const int64 *ids, int n);

/*
 * SQL: of the attempts that have an id which their provider gave, the last.  The
 * order is that of wa.attempt's key, but not said in a way in which that could
 * be walked backwards to look for one id (see pg/plan_large.c).
 */
#define WA_FEEDBACK_LAST_ATTEMPT(a) "ORDER BY " a ".message_id + 0 DESC, " a ".attempt DESC LIMIT 1"

/* person.c: ids beside numbers */
extern void wa_feedback_bind(const int64 *ids, int n);
extern void wa_feedback_recognize(const int64 *ids, int n);
extern void wa_feedback_apply_kept(const int64 *ids, int n);

/* notify.c */
extern void wa_feedback_notify(TimestampTz *due);

/* write_back.c */
extern void wa_feedback_write_back_look(void);
extern bool wa_feedback_write_back(TimestampTz *due);

/* run.c: what comes of a row */
extern void wa_feedback_done(const int64 *ids, int n);
extern void wa_feedback_done_but(const int64 *ids, int n, const int64 *but, int nbut);
extern void wa_feedback_later(const int64 *ids, int n);
extern void wa_feedback_keep(const int64 *ids, int n);

#endif							/* SICANTIK_WA_FEEDBACK_APPLY_H */
