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

#include "route/provider.h"

/* The pace of one provider; lives as long as the worker. */
typedef struct WaPace
{
	char	   *name;
	const WaProvider *provider; /* as configured now; NULL: gone */
	int			in_flight;
	int64		next_us;		/* not before (monotonic) */
	int64		paused_us;		/* told to wait until (monotonic) */
	double		tokens;
	int64		refilled_us;
	int			throttles;		/* in a row */
	int			sent_today;
	int64		day;			/* office's day of sent_today */
	int			planned;		/* chosen in this round, not yet on the wire */
	bool		spent;			/* no budget left when this round began */
} WaPace;

extern int64 wa_deliver_clock(void);
extern void wa_pacing_load(const WaProviders *providers, const char *time_zone);
extern WaPace *wa_pacing_find(const char *provider);
extern int	wa_pacing_slots(WaPace *pace, int64 now, int64 *again);
extern bool wa_pacing_has_budget(const WaProvider *provider);
extern void wa_pacing_start_round(void);
extern void wa_pacing_sent(WaPace *pace, int64 now);
extern void wa_pacing_done(WaPace *pace, bool accepted);
extern void wa_pacing_pause(WaPace *pace, int64 until);

#endif							/* SICANTIK_WA_PACING_H */
