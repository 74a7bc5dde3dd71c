/*-------------------------------------------------------------------------
 *
 * schedule.h
 *		Ready messages in the worker's memory, in the order they should go.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SCHEDULE_H
#define SICANTIK_WA_SCHEDULE_H

#include "postgres.h"

#include "lib/ilist.h"

#include "deliver/line.h"
#include "deliver/pacing.h"
#include "queue/work.h"
#include "text/text.h"

/* One message that is ready or on the wire. */
typedef struct WaItem
{
	int64		id;				/* hash key */
	dlist_node	node;			/* in its lane, or among those that are gone */
	dlist_node	wire_node;		/* while it is on the wire */
	int			lane;			/* 0 high, 1 normal, 2 low, 3 last */
	WaLine	   *line;			/* whose memory it takes */
	bool		on_wire;
	bool		gone;			/* concluded, if the round commits */
	char	   *number;			/* or an id; "": none */
	struct Number *to;			/* what is known of that */
	char	   *scenario;		/* NULL: by hand */
	char	   *template_key;
	char	   *wanted_provider;
	char	   *dedupe_key;
	int64		partner_id;
	bool		of_contact;		/* the number is that contact's */
	bool		requires_opt_in;
	bool		despite_opt_out;
	bool		by_hand;
	TimestampTz created_at;
	TimestampTz seen_at;		/* taken in */
	TimestampTz expires_at;
	bool		looked_at;		/* was picked before */
	bool		asked;			/* its scenario was asked again, this round */
	bool		behind;			/* picked although an earlier one to its
								 * number waits for its next attempt */
	int			attempts;
	bool		fallback;		/* another provider may take it over */
	bool		fallback_when_paced;
	char	   *last_provider;	/* of the last attempt, or NULL */
	char	  **tried;			/* have refused it since the last back-off */
	int			ntried;
	WaReason	refusal;		/* of the last of them */
	WaSaid		refusal_detail; /* and its sentence, or NULL */
	double		wait_s;			/* back-off that was asked for; < 0: none */
	int			waits;			/* back-off waits so far */
	int			repeats;		/* is sent again although in doubt */
	bool		apart;			/* waits, and does not simply go where the
								 * others of its line do */
	WaPace	   *hint;			/* routed there last time */
	int64		wait_us;		/* not before (monotonic); 0: at once */
	int64		elsewhere_us;	/* hint has no room: no other one before */
	uint32		noted;			/* hash of the reason that the ledger shows */
} WaItem;

extern void wa_deliver_schedule_init(void);
extern int	wa_deliver_schedule_size(void);
extern bool wa_deliver_schedule_add(const WaReadyRow *row);
extern void wa_deliver_schedule_trim(void);
extern WaItem *wa_deliver_schedule_find(int64 id);
extern void wa_deliver_schedule_remove(WaItem *item);
extern void wa_deliver_schedule_set_gone(WaItem *item);
extern void wa_deliver_schedule_remove_gone(void);
extern void wa_deliver_schedule_forget_waiting(void);
extern void wa_deliver_schedule_reconsider(void);
extern void wa_deliver_schedule_set_hint(WaItem *item, WaPace *hint);
extern int	wa_deliver_schedule_pick(WaItem **items, int max, bool observing, int64 now, int64 *again);
extern bool wa_deliver_schedule_is_last(const WaItem *item);
extern bool wa_deliver_schedule_behind(void);
extern void wa_deliver_schedule_refused(WaItem *item, const char *provider, bool tried,
										WaReason reason, WaSaid detail, double wait_s);
extern void wa_deliver_schedule_on_wire(WaItem *item, int64 recipient_gap_us);
extern void wa_deliver_schedule_hold_number(const char *number, int64 until);
extern int	wa_deliver_schedule_waiting(WaItem **items, int max);
extern int	wa_deliver_schedule_busy(int64 **ids);

#endif							/* SICANTIK_WA_SCHEDULE_H */
