/*-------------------------------------------------------------------------
 *
 * compose.h
 *		Face of compose: events become messages, and messages that wait are asked
 *		about again.
 *
 * Reads wa.event, wa.scenario and Odoo's tables, and makes drafts, which the
 * guards judge and src/queue writes; why an event made none is in
 * wa.event_outcome.  Composing and moving the reader's position are one
 * transaction: each event is read once and none is lost.  What cannot be done
 * now because a table of Odoo's is locked is done later; what fails is a dead
 * letter.
 *
 * The way of an event: reader.c takes the changes since its position, a piece
 * at a time, event.c makes one net change of each record, scenario.c asks each
 * scenario about it (permit_ready.c and the like, of facts that src/odoo reads),
 * draft.c chooses between several messages and writes the text, guards.c limits.
 * calendar.c does the same once a day without an event.  Before a message that
 * has waited goes out, recheck.c asks its scenario once more.  Inside, batch.h
 * is what is composed at one time, draft.h a message in the making, scenario.h
 * what a scenario is.  Begin with scenario.h, then permit_ready.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_COMPOSE_H
#define SICANTIK_WA_COMPOSE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "queue/queue.h"

/*
 * So many days a handled event stays.  A sentence of src/admin/unsaid.c says it
 * as well.
 */
#define WA_COMPOSE_EVENT_DAYS	7

/*
 * Has this change been read?  Of a set that is being read in pieces some that
 * were are said not to be: later changes of a record, whose first one counts.
 */
#define WA_SQL_READ(event) \
	"EXISTS (SELECT FROM wa.read_position AS p WHERE pg_visible_in_snapshot(" event ".xact, p.snapshot)" \
	" OR " event ".id <= p.reading_event_id AND pg_visible_in_snapshot(" event ".xact, p.reading))"

/*
 * Has it not?  What is older than all that ran at the last reading has; so no
 * more than that is read, by the index.
 */
#define WA_SQL_UNREAD(event) \
	"(" event ".xact >= coalesce((SELECT pg_snapshot_xmin(p.snapshot) FROM wa.read_position AS p), '0') AND NOT " WA_SQL_READ(event) ")"

/* What came of reading events. */
typedef enum WaReadResult
{
	WA_READ_ALL,				/* all there were */
	WA_READ_PIECE,				/* and there are more */
	WA_READ_LOCKED				/* a table cannot be had now: nothing was done */
} WaReadResult;

/* reader.c */
extern WaReadResult wa_compose_run(void (*much) (void));
extern int	wa_compose_purge(void);
extern void wa_compose_set_begin(void);
extern void wa_compose_set_forget_foreign(void);
extern PGDLLEXPORT TimestampTz wa_compose_last_run(void);

/* together.c: a process that composes beside the worker */
extern Size wa_compose_share_size(void);
extern void wa_compose_share(void *place);
extern void wa_compose_share_join(void *place);
typedef enum WaBesideStage
{
	WA_BESIDE_STARTS,			/* the worker goes on composing if that takes
								 * long */
	WA_BESIDE_COMPOSES,
	WA_BESIDE_ENDED
} WaBesideStage;

extern void wa_compose_share_begin(void);
extern void wa_compose_share_reach(WaBesideStage stage);
extern WaBesideStage wa_compose_share_stage(void);
extern bool wa_compose_share_wanted(void);

/* calendar.c */
extern bool wa_compose_calendar_run(TimestampTz *next_due);
extern void wa_compose_calendar_reload(void);

/* approver_group.c */
extern bool wa_compose_approver_run(TimestampTz *next_due);
extern void wa_compose_approver_reload(void);

/* unreached.c */
extern void wa_compose_unreached_run(TimestampTz *next_due);
extern void wa_compose_unreached_reload(void);

/* known.c */
extern void wa_compose_known_forget(void);

/* unwritten.c */
extern PGDLLEXPORT void wa_compose_unwritten_look(void);
extern bool wa_compose_unwritten_wanted(void);
extern bool wa_compose_unwritten_run(TimestampTz *next_due);

/* What became of the condition of a message. */
typedef enum WaStill
{
	WA_STILL_TRUE,
	WA_STILL_FALSE,
	WA_STILL_UNREACHED,			/* but its person has no usable number */
	WA_STILL_LOCKED,			/* its table cannot be had now */
	WA_STILL_ENDED				/* the message is not waiting any more */
} WaStill;

/* recheck.c */
extern PGDLLEXPORT void wa_compose_recheck(const char *schema, const int64 *ids, int n,
										   WaStill *results, WaSaid *details);
extern PGDLLEXPORT void wa_compose_recheck_keep_unreached(const int64 *ids, int n);

#endif							/* SICANTIK_WA_COMPOSE_H */
