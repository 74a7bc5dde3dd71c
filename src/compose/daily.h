/*-------------------------------------------------------------------------
 *
 * daily.h
 *		One run of a daily scenario.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_DAILY_H
#define SICANTIK_WA_DAILY_H

#include "postgres.h"

#include "compose/batch.h"

/* One run of a daily scenario; lives in the run's context. */
typedef struct WaDaily
{
	WaBatch    *common;			/* settings, scenarios and mappings */
	const WaScenario *scenario;
	TimestampTz now;
	char	   *today;			/* in the office's time zone, YYYY-MM-DD */
	int			today_julian;
	bool		by_hand;
	bool		counted;		/* it tells by itself how far it is
								 * (progress.h) */
	int			queued;
	int			held;
	int			skipped;
	int			muted;
	WaSaid		note;			/* what else is to be said, or NULL */
} WaDaily;

/* calendar.c */
extern void wa_compose_calendar_write(WaDaily *daily, WaBatch *batch);
extern bool wa_compose_calendar_muted(const WaDaily *daily);
extern WaEvent *wa_compose_calendar_event(const WaDaily *daily, const char *relation, int64 record_id);

#endif							/* SICANTIK_WA_DAILY_H */
