/*-------------------------------------------------------------------------
 *
 * work.h
 *		The ledger as the sender sees it, of which there is one per database.
 *
 * As in queue.h.  A message is loaded when it is ready, claimed before the wire,
 * and concluded behind it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_WORK_H
#define SICANTIK_WA_WORK_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "pg/said.h"
#include "queue/state.h"

/* A message that is ready, as the scheduler needs it. */
typedef struct WaReadyRow
{
	int64		id;
	WaState		state;
	bool		claimed;		/* was on the wire when its worker ended */
	char	   *claimed_provider;
	int			attempt;
	TimestampTz claimed_at;
	bool		in_doubt;		/* it is not known whether it was accepted */
	bool		over;			/* has ended otherwise, and only its row of
								 * wa.ready is left */
	char	   *only_by;		/* its line: the one provider, or NULL */
	int			lane;			/* 0 high, 1 normal, 2 low */
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
	bool		despite_opt_out;	/* it tells him that he has opted out */
	TimestampTz expires_at;
	char	   *dedupe_key;
	int			attempts;
	TimestampTz created_at;
	WaReason	reason;			/* why it waited */
	char	   *provider;		/* the last one, or NULL */
	char	   *unknown_policy; /* resend, give up, hold */
	bool		fallback;
	bool		fallback_when_paced;
	WaTexts		tried;			/* refused it since the last back-off wait */
	int			waits;			/* back-off waits so far */
	int			repeats;		/* sent again although in doubt */
} WaReadyRow;

/* A row of wa.ready. */
typedef struct WaReadyKey
{
	int64		id;
	bool		claimed;
	char	   *only_by;
	int			lane;
} WaReadyKey;

/* What the wire needs of a claimed message. */
typedef struct WaClaimed
{
	int64		id;
	char	   *number;
	char	   *template_key;
	char	   *params;
	char	   *body;
	int			attempt;
	char	   *provider;
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
	WaSaid		detail;
	const char *provider_message_id;
	const char *provider;		/* NULL: leave */
	WaSaid		route;			/* NULL: leave */
	TimestampTz due_at;			/* queued: not before; 0: ready again. in
								 * doubt: when its policy is carried out */
	TimestampTz sent_at;
	WaTried		tried;
	int			waits;			/* add to the back-off waits */
	int			repeats;		/* add to the repeats */
	const char *legal_from;		/* filled in by wa_queue_conclude() */
} WaVerdictRow;

#define WA_TYPE_tried		wa_row_type_int4
#define WA_FITS_tried(x)	_Generic((x), WaTried: 0)

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
	WaSaid		response;
	const char *unlisted;		/* as in WaVerdict; NULL or "": none */
	const char *provider_message_id;	/* likewise */
} WaAttemptRow;

/* What the ledger tells of a refusal for a reason that is in no table. */
typedef struct WaRefusals
{
	int			recipients;		/* refused so since the provider took a
								 * message */
	bool		own;			/* this one was refused so before that already */
} WaRefusals;

/* work.c: for the sender, of which there is one per database */
extern PGDLLEXPORT int wa_queue_load(int64 after_id, int limit, WaReadyRow **rows);
extern PGDLLEXPORT int wa_queue_look(int64 after_id, int limit, WaReadyKey **keys);
extern PGDLLEXPORT int wa_queue_look_in_line(const char *only_by, int lane, int64 after_id, int limit,
											 WaReadyKey **keys);
extern PGDLLEXPORT int wa_queue_overtake(const int64 *ids, int n, const char *const *only_by, const int32 *lanes,
										 const int64 *from, int nlines, bool *overtakes);
extern PGDLLEXPORT int wa_queue_load_these(const int64 *ids, int n, WaReadyRow **rows);
extern PGDLLEXPORT void wa_queue_horizon(uint64 *oldest_running, uint64 *next);
extern PGDLLEXPORT int wa_queue_locked_rows(const int64 *ids, int n, bool *locked);
extern PGDLLEXPORT int wa_queue_behind(const int64 *ids, int n, TimestampTz *until);
extern PGDLLEXPORT void wa_queue_forget_ready(const int64 *ids, int n);
extern PGDLLEXPORT int wa_queue_claim(const int64 *ids, const char *const *providers,
									  const WaSaid *routes, const char *const *numbers,
									  int n, WaClaimed **claimed);
extern PGDLLEXPORT void wa_queue_record_attempts(const WaAttemptRow *attempts, int n, bool some_may_be_there);
extern PGDLLEXPORT char *wa_queue_attempt_outcome(int64 id, int attempt, TimestampTz *at);
extern PGDLLEXPORT void wa_queue_conclude(WaVerdictRow *verdicts, int n);
extern PGDLLEXPORT void wa_queue_conclude_told(WaVerdictRow *verdicts, int n);

/* refusal.c */
extern PGDLLEXPORT void wa_queue_refusals(const char *provider, const char *words, int64 message,
										  WaRefusals *refusals);
extern PGDLLEXPORT int wa_queue_revive_refused(const char *provider, const char *words, int64 **ids);

#endif							/* SICANTIK_WA_WORK_H */
