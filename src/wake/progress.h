/*-------------------------------------------------------------------------
 *
 * progress.h
 *		How far long work is, in shared memory.
 *
 * A row for each process and command, for wa.stat_progress.  It goes with what
 * it tells of: at the end of the transaction or part of it that began it, where
 * that is one transaction, else when its process says so, has an error, or ends.
 * Where nothing is preloaded, and where all rows are taken, nothing is told.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PROGRESS_H
#define SICANTIK_WA_PROGRESS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"

/* Of the whole server. */
#define WA_PROGRESS_ROWS	128

typedef enum WaCommand
{
	/* many transactions */
	WA_COMMAND_DRAIN,			/* many messages wait, and go */
	WA_COMMAND_COMPOSE,			/* a set of changes is read in pieces */
	WA_COMMAND_REQUESTS,		/* many wishes are carried out */
	WA_COMMAND_PURGE,

	/* one transaction */
	WA_COMMAND_DAILY,
	WA_COMMAND_IMPORT,
	WA_COMMAND_RECOUNT,
	WA_COMMAND_COUNT
} WaCommand;

typedef enum WaPhase
{
	WA_PHASE_NONE,
	WA_PHASE_SENDING,
	WA_PHASE_WAITING,			/* for a provider's pace, or its circuit */
	WA_PHASE_MESSAGES,
	WA_PHASE_ATTEMPTS,
	WA_PHASE_PROVIDERS,
	WA_PHASE_ACCOUNTS,
	WA_PHASE_TEMPLATES,
	WA_PHASE_COUNT
} WaPhase;

/* One row; free if its pid is 0.  Taken and given back under wa_wake_lock. */
typedef struct WaProgressRow
{
	int			pid;
	Oid			database;
	WaCommand	command;
	TimestampTz started_at;
	pg_atomic_uint32 phase;		/* WaPhase */
	pg_atomic_uint64 done;
	pg_atomic_uint64 total;		/* 0: not known */
} WaProgressRow;

/* A copy of one. */
typedef struct WaProgressInfo
{
	int			pid;
	const char *command;
	const char *phase;			/* or NULL */
	uint64		done;
	uint64		total;			/* 0: not known */
	TimestampTz started_at;
} WaProgressInfo;

/* progress.c */
extern void wa_wake_progress_init(WaProgressRow *row);
extern PGDLLEXPORT void wa_wake_progress_begin(WaCommand command, uint64 total);
extern PGDLLEXPORT bool wa_wake_progress_runs(WaCommand command);
extern PGDLLEXPORT void wa_wake_progress_phase(WaCommand command, WaPhase phase);
extern PGDLLEXPORT void wa_wake_progress_add(WaCommand command, uint64 done);
extern PGDLLEXPORT void wa_wake_progress_total(WaCommand command, uint64 left);
extern PGDLLEXPORT void wa_wake_progress_end(WaCommand command);
extern void wa_wake_progress_end_all(void);
extern int	wa_wake_progress_read(WaProgressInfo *list);

#endif							/* SICANTIK_WA_PROGRESS_H */
