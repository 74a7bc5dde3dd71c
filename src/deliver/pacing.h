/*-------------------------------------------------------------------------
 *
 * pacing.h
 *		How fast a provider may be used.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PACING_H
#define SICANTIK_WA_PACING_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "route/providers.h"

/*
 * What an earlier worker has seen is read from so many attempts, those of the
 * messages with the highest numbers.  The numbers themselves are no measure: after a
 * failover they are far ahead, and of very many messages none may have been tried.
 */
#define WA_NEWEST_ATTEMPTS \
	"(SELECT * FROM wa.attempt ORDER BY message_id DESC, attempt DESC LIMIT 20000) AS newest"

/* Attempts that the share of unknown outcomes is taken of. */
#define WA_PACE_RECENT		100

/* The pace of one provider; lives as long as the worker. */
typedef struct WaPace
{
	char	   *name;
	const WaProvider *provider; /* as configured now; NULL: gone */
	int			in_flight;
	int64		next_us;		/* not before (monotonic) */
	int64		paused_us;		/* told to wait until (monotonic) */
	int64		slow_us;		/* told to be slow until (monotonic) */
	double		tokens;
	int64		refilled_us;
	int			throttles;		/* in a row */
	TimestampTz throttled_at;	/* when the last of them was counted */
	int			sent_today;
	int64		day;			/* office's day of sent_today */
	int			planned;		/* chosen in this round, not yet on the wire */
	bool		spent;			/* no budget left when this round began */
	int			most;			/* requests at one time, so that others have
								 * room */
	int64		quota_left;		/* as the provider says, less what it took
								 * since; -1: no limit */
	int64		quota_told;		/* what it said, and when */
	TimestampTz quota_at;

	/* circuit.c */
	bool		open;			/* state error when last loaded */
	bool		trial;			/* reopened: one at a time until one is taken */
	TimestampTz trial_since;
	int			against;		/* attempts in a row that speak against it */
	int			openings;		/* since a message was last accepted */
	bool		recent[WA_PACE_RECENT]; /* of unknown outcome? a ring */
	int			nrecent;
	int			next_recent;
	int			unknowns;		/* among them */
	bool		doubt_said;

	/* probe.c */
	TimestampTz probe_at;		/* 0: no probe is planned */
	int64		quota_probe_us; /* quota used up: not asked before (monotonic) */
	struct WaProbe *probe;		/* under way, or NULL */
} WaPace;

extern int64 wa_deliver_clock(void);
extern void wa_deliver_pacing_load(const WaProviders *providers, const char *time_zone);
extern WaPace *wa_deliver_pacing_find(const char *provider);
extern int	wa_deliver_pacing_slots(WaPace *pace, int64 now, int64 *again);
extern WaPace *wa_deliver_pacing_elsewhere(const WaPace *pace, int64 now, int64 *again);
extern WaSaid wa_deliver_pacing_no_budget(const WaProvider *provider);
extern WaSaid wa_deliver_pacing_no_room(const WaProvider *provider);
extern void wa_deliver_pacing_start_round(void);
extern void wa_deliver_pacing_sent(WaPace *pace, int64 now);
extern void wa_deliver_pacing_done(WaPace *pace, WaOutcome outcome);
extern void wa_deliver_pacing_throttled(WaPace *pace, TimestampTz started_at);
extern void wa_deliver_pacing_pause(WaPace *pace, int64 until);

#endif							/* SICANTIK_WA_PACING_H */
