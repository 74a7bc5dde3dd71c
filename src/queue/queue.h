/*-------------------------------------------------------------------------
 *
 * queue.h
 *		Face of the ledger: messages from their making to their end.
 *
 * Promises that a message is in one of the states of state.h and changes only
 * as the table in state.c says (law.c: the database refuses all else, whoever
 * writes), that what is to go is in wa.ready or wa.due exactly then, and that a
 * key is announced once.  Nothing is sent here, and no table of Odoo's is read.
 * Alone writes wa.message, wa.attempt, wa.ready, wa.due, wa.announced and
 * wa.request.
 *
 * insert.c makes messages, and once.c says what was announced already; work.h
 * is what the sender does: load, claim, record.  due.c makes ready what waits
 * for a time.  operator.c takes the wishes of people, and request.c carries
 * them out.  replace.c puts one message in the place of another, settle.c notes
 * what a provider tells later, copy.c and doubt.c deal with what waits after a
 * copy, a restore or a failover, unattended.c knows what waits for a person,
 * count.c and figure.c keep the ledger in figures, erase.c forgets a person, and
 * purge.c ends it all.  Begin with state.h, then insert.c and work.c.
 *
 * Everything here needs SPI connected and the database's owner acting, and
 * takes part in the caller's transaction, but for those of purge.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_QUEUE_H
#define SICANTIK_WA_QUEUE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "queue/state.h"
#include "queue/stored.h"
#include "route/route.h"

/* SQL: a key in a form that fits into an index, however long it is. */
#define WA_QUEUE_INDEXABLE(key) \
	"CASE WHEN octet_length(" key ") > 1000 THEN 'md5:' || md5(" key ") ELSE " key " END"

/*
 * SQL: does the message m say that it waits, or is on the wire, though no work
 * table has it?  Nobody carries that out: somebody has written its state, or
 * has taken it out of wa.ready or wa.due.
 */
#define WA_QUEUE_ADRIFT \
	"((m.state = " WA_SQL_STATE(QUEUED) " OR " WA_SQL_IN_DOUBT("m") ")" \
	" AND NOT EXISTS (SELECT FROM wa.ready AS w WHERE w.message_id = m.id)" \
	" AND NOT EXISTS (SELECT FROM wa.due AS w WHERE w.message_id = m.id)" \
	" OR m.state = " WA_SQL_STATE(SENDING) " AND NOT EXISTS" \
	" (SELECT FROM wa.ready AS w WHERE w.message_id = m.id AND w.claimed_at IS NOT NULL))"

/*
 * SQL: the line of the message m in wa.ready (only_by, lane): the one provider
 * that it may go by, demanded or bound (deliver/claim.c), and its priority.
 */
#define WA_QUEUE_LINE(m) \
	"coalesce(" m ".wanted_provider, CASE WHEN " m ".attempts > 0 AND (" m ".repeats > 0 OR NOT " m ".fallback OR " \
	WA_SQL_IN_DOUBT(m) ") THEN " m ".provider END), " WA_QUEUE_LANE(m ".priority")
#define WA_QUEUE_LANE(priority) "CASE " priority " WHEN 'high' THEN 0 WHEN 'low' THEN 2 ELSE 1 END"

/* SQL: the setting of the office that a detail says is not set, or NULL. */
#define WA_QUEUE_SETTING_OF(detail_said) \
	"(jsonb_path_query_first(" detail_said ", '$[*] ? (@.say == \"setting_not_set\").of[0]') #>> '{}')"

/* A message to be written. */
#define KEPT_AS(type, name, sql)	WA_C_##type name;
#define OWN_AS(type, name, sql)		WA_C_##type name;
typedef struct WaNewMessage
{
#include "queue/message.def"
	const char *lacks;			/* held because this setting is not set */
	bool		in_doubt;		/* may have been sent before a failover */
} WaNewMessage;

/* What becomes of a message whose text waited for a setting. */
typedef struct WaTextRow
{
	int64		id;
	WaState		state;			/* with a text: of the one that takes its
								 * place */
	WaReason	reason;
	WaSaid		detail;
	const char *body;			/* NULL: it has none */
	const char *params;
	WaSaid		why;			/* it can be written now */
	const char *lacks;			/* the setting that it waits for from now on */
} WaTextRow;

/*
 * So long a row of wa.message and wa.attempt stays, without a person's data
 * after the setting "retention", whose description says it as well.
 */
#define WA_QUEUE_ROWS_STAY	"2 years"

/* meant.c */
extern void wa_queue_refuse_ambiguous(const char *given, const char *number);

/* purge.c: transactions of its own */
extern int	wa_queue_purge(void);
extern int64 wa_queue_purge_left(void);

/* insert.c */
extern PGDLLEXPORT void wa_queue_insert(WaNewMessage *messages, int n);
extern PGDLLEXPORT void wa_queue_assign_ids(WaNewMessage *messages, int n);
extern bool wa_queue_read_kept(int64 id, WaNewMessage *message);
extern PGDLLEXPORT WaReason wa_queue_reason_of(WaNobody nobody);

/* replace.c */
extern void wa_queue_replace(const int64 *ids, const int64 *successors, const WaSaid *why, int n);
extern void wa_queue_supersede(const int64 *events, const char *const *models, const int64 *records,
							   const char *const *scenarios, const int64 *told_by, int n);
extern void wa_queue_write_texts(const WaTextRow *rows, int n);

/* Messages made ready at one time when they are due. */
#define WA_QUEUE_DUE_BATCH	1000

/* due.c */
extern PGDLLEXPORT int wa_queue_wake_due(int64 **ids, TimestampTz *next_due);
extern PGDLLEXPORT void wa_queue_wake_hours(void);
extern void wa_queue_shift(int64 by_us, int64 longest_doubt_us);

/* copy.c */
extern PGDLLEXPORT int wa_queue_hold_before(int64 id, int limit);
extern void wa_queue_settle_restored(void);
extern int	wa_queue_follow_numbers(void);
extern WaRows wa_queue_numbers_taken(void);

/* unattended.c */
extern void wa_queue_unattended_look(void);

/* doubt.c */
extern int64 wa_queue_doubt_waiting(int32 timeline, TimestampTz due, TimestampTz until,
									int limit, int64 *ndoubtful);
extern int64 wa_queue_doubt_requested(TimestampTz requested, TimestampTz until);

/* request.c */
extern PGDLLEXPORT bool wa_queue_requests(int limit, const int64 *busy, int nbusy,
										  int64 **forgotten, int *nforgotten,
										  int64 **revived, int *nrevived,
										  bool *unwritten, bool *left);

#endif							/* SICANTIK_WA_QUEUE_H */
