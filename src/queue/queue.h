/*-------------------------------------------------------------------------
 *
 * queue.h
 *		Face of the ledger: messages from their making to their end.
 *
 * Everything here needs SPI connected and the database's owner acting, and
 * takes part in the caller's transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_QUEUE_H
#define SICANTIK_WA_QUEUE_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "queue/state.h"
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

/* SQL: the setting of the office that a detail says is not set, or NULL. */
#define WA_QUEUE_SETTING_OF(detail) \
	"substring(" detail " FROM 'the setting \"([a-z_]+)\" is not set')"

/* A message to be written; NULL or 0 where there is nothing to say. */
typedef struct WaNewMessage
{
	int64		id;				/* filled in by wa_queue_insert */
	const char *scenario;		/* NULL: by hand */
	const char *template_key;	/* NULL: free text */
	int64		partner_id;		/* 0: none */
	const char *number;
	const char *number_source;
	const char *params;			/* JSON object */
	const char *body;
	const char *res_model;
	int64		res_id;			/* 0: none */
	const char *wanted_provider;
	WaState		state;			/* queued, held or skipped */
	WaReason	reason;
	const char *detail;
	const char *priority;
	bool		requires_opt_in;
	const char *unknown_policy;
	bool		fallback;
	bool		fallback_when_paced;
	TimestampTz due_at;
	TimestampTz send_at;		/* the sender's wish; 0: none */
	TimestampTz expires_at;
	const char *created_by;
	const char *dedupe_key;
	int64		event_id;		/* 0: none */
	const char *still;			/* JSON object: what must still be so */
	const char *change;			/* JSON object: for which it was made */
	bool		in_doubt;		/* may have been sent before a failover */
	const char *avoids;			/* provider that is not to get it, as if it had
								 * refused it; or NULL */
} WaNewMessage;

/* A message that is ready, as the scheduler needs it. */
typedef struct WaReadyRow
{
	int64		id;
	bool		claimed;		/* was on the wire when its worker ended */
	char	   *claimed_provider;
	int			attempt;
	TimestampTz claimed_at;
	bool		in_doubt;		/* it is not known whether it was accepted */
	bool		over;			/* has ended otherwise, and only its row of
								 * wa.ready is left */
	bool		by_hand;
	bool		low;
	bool		high;
	char	   *number;
	char	   *scenario;		/* NULL: by hand */
	char	   *template_key;
	char	   *wanted_provider;
	int64		partner_id;
	bool		of_contact;		/* the number is that contact's */
	bool		requires_opt_in;
	TimestampTz expires_at;
	char	   *dedupe_key;
	int			attempts;
	TimestampTz created_at;
	WaReason	reason;			/* why it waited */
	char	   *provider;		/* the last one, or NULL */
	char	   *unknown_policy; /* resend, give up, hold */
	bool		fallback;
	bool		fallback_when_paced;
	char	  **tried;			/* refused it since the last back-off wait */
	int			ntried;
	int			waits;			/* back-off waits so far */
	int			repeats;		/* sent again although in doubt */
} WaReadyRow;

/* What the wire needs of a claimed message. */
typedef struct WaClaimed
{
	int64		id;
	char	   *number;
	char	   *template_key;
	char	   *params;
	char	   *body;
	int			attempt;
} WaClaimed;

/* What becomes of the list of providers that have refused a message. */
typedef enum WaTried
{
	WA_TRIED_KEEP,
	WA_TRIED_ADD,				/* the one of the last attempt */
	WA_TRIED_CLEAR
} WaTried;

/* How a message goes on; strings are read during the call only. */
typedef struct WaVerdictRow
{
	int64		id;
	WaState		state;
	WaReason	reason;
	const char *detail;
	const char *provider_message_id;
	const char *provider;		/* NULL: leave */
	const char *route;			/* NULL: leave */
	TimestampTz due_at;			/* queued: not before; 0: ready again. in
								 * doubt: when its policy is carried out */
	TimestampTz sent_at;
	WaTried		tried;
	int			waits;			/* add to the back-off waits */
	int			repeats;		/* add to the repeats */
} WaVerdictRow;

/* One HTTP attempt that is over. */
typedef struct WaAttemptRow
{
	int64		message_id;
	int			attempt;
	const char *provider;
	TimestampTz started_at;
	TimestampTz finished_at;
	int			http_status;	/* 0: none */
	const char *provider_code;
	const char *outcome;
	const char *response;
	const char *unlisted;		/* as in WaVerdict; NULL or "": none */
} WaAttemptRow;

/* What becomes of a message whose text waited for a setting. */
typedef struct WaTextRow
{
	int64		id;
	WaState		state;			/* with a text: of the one that takes its place */
	WaReason	reason;
	const char *detail;
	const char *body;			/* NULL: it has none */
	const char *params;
	const char *why;			/* it can be written now */
	const char *lacks;			/* the setting that it waits for from now on */
} WaTextRow;

/* What the ledger tells of a refusal for a reason that is in no table. */
typedef struct WaRefusals
{
	int			recipients;		/* refused so since the provider took a message */
	bool		own;			/* this one was refused so before that already */
} WaRefusals;

/* purge.c: transactions of its own */
extern int	wa_queue_purge(void);

/* insert.c */
extern PGDLLEXPORT void wa_queue_insert(WaNewMessage *messages, int n);
extern PGDLLEXPORT void wa_queue_assign_ids(WaNewMessage *messages, int n);
extern PGDLLEXPORT WaReason wa_queue_reason_of(WaNobody nobody);

/* replace.c */
extern void wa_queue_replace(const int64 *ids, const int64 *successors, const char *const *why, int n);
extern void wa_queue_supersede(const int64 *events, const int64 *records, const char *const *scenarios,
							   const int64 *told_by, int n);
extern void wa_queue_write_texts(const WaTextRow *rows, int n);

/* once.c */
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

/* Messages made ready at one time when they are due. */
#define WA_QUEUE_DUE_BATCH	1000

/* due.c */
extern PGDLLEXPORT int wa_queue_wake_due(int64 **ids, TimestampTz *next_due);
extern PGDLLEXPORT void wa_queue_wake_hours(void);
extern void wa_queue_shift(int64 by_us, int64 longest_doubt_us);

/* copy.c */
extern PGDLLEXPORT int wa_queue_hold_before(int64 id, int limit);
extern void wa_queue_settle_restored(void);

/* doubt.c */
extern int64 wa_queue_doubt_waiting(int32 timeline, TimestampTz due, TimestampTz until,
									int limit, int64 *ndoubtful);
extern int64 wa_queue_doubt_requested(TimestampTz requested, TimestampTz until);

/* work.c: for the sender, of which there is one per database */
extern PGDLLEXPORT int wa_queue_load(int64 after_id, int limit, WaReadyRow **rows);
extern PGDLLEXPORT int wa_queue_load_these(const int64 *ids, int n, WaReadyRow **rows);
extern PGDLLEXPORT void wa_queue_horizon(uint64 *oldest_running, uint64 *next);
extern PGDLLEXPORT int wa_queue_locked_rows(const int64 *ids, int n, bool *locked);
extern PGDLLEXPORT int wa_queue_behind(const int64 *ids, int n, TimestampTz *until);
extern PGDLLEXPORT void wa_queue_forget_ready(const int64 *ids, int n);
extern PGDLLEXPORT int wa_queue_claim(const int64 *ids, const char *const *providers,
									  const char *const *routes, const char *const *numbers,
									  int n, WaClaimed **claimed);
extern PGDLLEXPORT void wa_queue_record_attempts(const WaAttemptRow *attempts, int n);
extern PGDLLEXPORT void wa_queue_conclude(const WaVerdictRow *verdicts, int n);

/* refusal.c */
extern PGDLLEXPORT void wa_queue_refusals(const char *provider, const char *words, int64 message,
										  WaRefusals *refusals);
extern PGDLLEXPORT int wa_queue_revive_refused(const char *provider, const char *words, int64 **ids);

/* A contact as it is now. */
typedef enum WaContactState
{
	WA_CONTACT_NOT_READ,		/* no table of contacts, or it cannot be read */
	WA_CONTACT_GONE,
	WA_CONTACT_NO_NUMBER,
	WA_CONTACT_HAS_NUMBER
} WaContactState;

typedef struct WaContactNow
{
	int64		partner_id;		/* given; the rest is filled in */
	WaContactState state;
	const char *number;			/* NULL: none usable */
	const char *source;			/* column that it came from */
	const char *tried;			/* without a number: what was looked at */
} WaContactNow;

/*
 * Fills in what is known now of n contacts, whose partner_id is given.  False,
 * with nothing filled in, if the table of contacts is locked: nobody waits for
 * it.
 */
typedef bool (*WaLookUp) (const char *schema, WaContactNow *contacts, int n);

/* request.c */
extern PGDLLEXPORT bool wa_queue_requests(int limit, const int64 *busy, int nbusy, WaLookUp look_up,
										  int64 **forgotten, int *nforgotten,
										  int64 **revived, int *nrevived,
										  bool *unwritten, bool *left);

#endif							/* SICANTIK_WA_QUEUE_H */
