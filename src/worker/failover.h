/*-------------------------------------------------------------------------
 *
 * failover.h
 *		What a promotion means for the queue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_FAILOVER_H
#define SICANTIK_WA_FAILOVER_H

#include "postgres.h"

#include "access/xlogdefs.h"

/*
 * failover.c
 *
 * wa_failover_only		has this server come from one timeline to the other by
 *						failovers alone?
 * wa_failover_run		called before each pass of work, in no transaction:
 *						treats the queue once after a failover.  False while
 *						that is not done; nothing may be composed or sent then.
 *						*again: it has more to do at once.
 */
extern bool wa_failover_only(TimeLineID stamped, TimeLineID now);
extern bool wa_failover_run(bool *again);

/*
 * standbys.c
 *
 * wa_standbys_note		called before messages are claimed, in no transaction:
 *						keeps wa.identity.synchronous right.  False: nothing may
 *						be claimed yet, ask again in a moment.
 * wa_standbys_reload	the stamp may have been written anew.
 * wa_standbys_have_commit	after the commit of claims: may they go on the
 *						wire?
 */
extern bool wa_standbys_note(void);
extern void wa_standbys_reload(void);
extern PGDLLEXPORT bool wa_standbys_have_commit(void);

#endif							/* SICANTIK_WA_FAILOVER_H */
