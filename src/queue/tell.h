/*-------------------------------------------------------------------------
 *
 * tell.h
 *		What providers tell of messages, into the ledger.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TELL_H
#define SICANTIK_WA_TELL_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pg/said.h"

#include "queue/state.h"

/* What was told of an attempt of a message. */
typedef struct WaTold
{
	int64		feedback_id;
	int64		message_id;
	int			attempt;
	const char *provider;
	const char *progress;		/* sent, delivered, read or failed */
	TimestampTz at;
	const char *pricing;		/* JSON, or NULL */
	const char *code;			/* of a failure */
	const char *words;
	const char *provider_message_id;	/* or NULL */
	bool		done;			/* out: nothing is left to do of it */
} WaTold;

extern void wa_queue_tell(WaTold *told, int n);

/* mark.c */
extern PGDLLEXPORT char *wa_queue_mark(const char *database, int64 message, int attempt);
extern bool wa_queue_read_mark(const char *mark, const char *database, int64 *message, int *attempt);

/* A message that its provider took and could not deliver, for the sender. */
typedef struct WaToldFailed
{
	int64		request;		/* wa.request.id */
	int64		id;
	const char *provider;
	int			attempt;
	const char *code;
	const char *words;
	TimestampTz at;				/* when it failed, by the provider */
	const char *number;
	const char *template_key;
	const char *wanted_provider;
	bool		fallback;
	bool		fallback_when_paced;
	int			waits;
	int			repeats;
	TimestampTz expires_at;
} WaToldFailed;

extern PGDLLEXPORT WaToldFailed *wa_queue_read_failed(int limit, const int64 *busy, int nbusy, int *n);

/* What was told of an attempt that its provider had taken. */
typedef struct WaToldAttempt
{
	int64		message_id;
	int32		attempt;
	const char *code;			/* the provider's, "" or NULL: none */
	WaSaid		response;
} WaToldAttempt;

extern PGDLLEXPORT void wa_queue_attempts_told(const WaToldAttempt *told, int n);
extern PGDLLEXPORT void wa_queue_failed_done(const int64 *requests, int n);

#endif							/* SICANTIK_WA_TELL_H */
