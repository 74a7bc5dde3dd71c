/*-------------------------------------------------------------------------
 *
 * worker.h
 *		Face of the background processes: launcher, and one worker a database.
 *
 * The launcher (launcher.c, pool.c, roster.c) compares its slots with the
 * databases there are and starts a worker where there is work; a worker
 * (worker.c) connects as the database's owner, works until it is idle, and
 * leaves at once when somebody wants the database for himself
 * (utility_hook.c).  What it composes of a large set of changes is done by one
 * more process beside it (beside.c). What it does in a pass is in round.c, which calls every
 * stage.  Before a pass: has the server been promoted (failover.c), was its
 * clock set (clock_step.c)? Begin with the head of launcher.c, then round.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_WORKER_H
#define SICANTIK_WA_WORKER_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* init.c */
extern void wa_worker_init(void);

/*----------
 * The work of one worker; worker.c calls these between transactions, round.c
 * defines them.  Each may raise an error: worker.c reports it, aborts the
 * transaction, waits (1 s, then 5 s) and goes on; after the third error in a
 * row the process ends.  None may keep a transaction, a lock or a snapshot
 * when it returns, and none may sleep.
 *
 * wa_worker_round_open
 *		once, connected, settings pinned, before the first run
 * wa_worker_round_run
 *		one bounded step: read what is new, claim and start requests (only if
 *		may_send), record what has ended.  Called when woken, when next_due
 *		has come, after each wa_worker_round_drive(), and again at once while
 *		it returns true (more can be done right now), so it must be cheap
 *		where nothing is to do.  Sets *next_due to the time of the next work
 *		known, 0 if there is none.
 * wa_worker_round_fd
 *		becomes readable when wa_worker_round_drive() has something to do, its
 *		time-outs included; PGINVALID_SOCKET if nothing will.  Must not be
 *		closed while it is the current one and requests are in flight.
 * wa_worker_round_drive
 *		moves requests forward without waiting
 * wa_worker_round_beside
 *		a process beside this one composes: the worker stays
 * wa_worker_round_in_flight
 *		requests on the wire; must not raise errors
 * wa_worker_round_unrecorded
 *		answers that no transaction has recorded yet; likewise
 * wa_worker_round_answered
 *		one of them is to a message; likewise
 * wa_worker_round_waiting
 *		messages in memory, on the wire or not; likewise
 * wa_worker_round_reload
 *		settings or configuration have changed
 * wa_worker_round_close
 *		the grace is over: record what is left as in doubt
 *----------
 */
extern void wa_worker_round_open(void);
extern bool wa_worker_round_run(bool may_send, TimestampTz *next_due);
extern bool wa_worker_round_left_out(void);
extern bool wa_worker_round_beside(void);
extern pgsocket wa_worker_round_fd(void);
extern void wa_worker_round_drive(void);
extern int	wa_worker_round_in_flight(void);
extern int	wa_worker_round_unrecorded(void);
extern bool wa_worker_round_answered(void);
extern int	wa_worker_round_waiting(void);
extern void wa_worker_round_reload(void);
extern void wa_worker_round_close(void);

/* Entry points of the background processes. */
extern PGDLLEXPORT void wa_worker_launcher_main(Datum main_arg);
extern PGDLLEXPORT void wa_worker_main(Datum main_arg);

#endif							/* SICANTIK_WA_WORKER_H */
