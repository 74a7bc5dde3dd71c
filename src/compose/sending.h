/*-------------------------------------------------------------------------
 *
 * sending.h
 *		What the sender asks of a scenario before a message goes out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SENDING_H
#define SICANTIK_WA_SENDING_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* When messages of a scenario may be sent. */
typedef struct WaHours
{
	bool		any_time;		/* the others mean nothing */
	int64		from_us;		/* since midnight */
	int64		to_us;
	int			weekdays;		/* bit 1 Monday to bit 7 Sunday */
} WaHours;

/* The columns of wa.scenario that wa_hours_read() takes, three in order. */
#define WA_HOURS_COLUMNS \
	"(extract(epoch FROM hours_from) * 1000000)::bigint, (extract(epoch FROM hours_to) * 1000000)::bigint," \
	" (SELECT sum(DISTINCT 1 << d)::integer FROM unnest(weekdays) AS d)"

/* hours.c */
extern PGDLLEXPORT void wa_hours_read(WaHours *hours, uint64 row, int column);
extern PGDLLEXPORT TimestampTz wa_hours_opening(const WaHours *hours, const char *time_zone,
												TimestampTz at);

/* What became of the condition of a message. */
typedef enum WaStill
{
	WA_STILL_TRUE,
	WA_STILL_FALSE,
	WA_STILL_LOCKED,			/* its table cannot be had now */
	WA_STILL_ENDED				/* the message is not waiting any more */
} WaStill;

/* recheck.c */
extern PGDLLEXPORT void wa_recheck(const char *schema, const int64 *ids, int n,
								   WaStill *results, const char **details);

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

/* look_up.c */
extern bool wa_look_up_contacts(const char *schema, WaContactNow *contacts, int n);

#endif							/* SICANTIK_WA_SENDING_H */
