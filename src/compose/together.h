/*-------------------------------------------------------------------------
 *
 * together.h
 *		What processes that compose for one database at the same time share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TOGETHER_H
#define SICANTIK_WA_TOGETHER_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/itemptr.h"
#include "storage/lwlock.h"

/* What is known of the change of a permit that was composed last. */
typedef struct WaKnown
{
	int64		record_id;		/* 0: the place is empty */
	int64		event_id;
	TransactionId xid;			/* that inserted its messages */
	int64		announcer;		/* the message that announces it; 0: none */
	uint64		facts;			/* what stands in the rows of the permit and
								 * of its contact */
	uint64		rest;			/* and elsewhere */
	TimestampTz at;
	TransactionId permit_xmin;	/* the versions of these rows; 0: they are not
								 * known */
	TransactionId contact_xmin;
	ItemPointerData permit_at;
	ItemPointerData contact_at;
} WaKnown;

/* Plain data: it may lie in a segment that two processes map. */
typedef struct WaTogether
{
	pg_atomic_uint64 last_run;	/* TimestampTz at which one of them last began
								 * to compose; 0: not yet */
	pg_atomic_uint32 wanted;	/* the sender waits for its turn to ask */
	pg_atomic_uint32 forgotten; /* so often was "places" emptied for good
								 * reason */
	pg_atomic_uint32 stage;		/* WaBesideStage, of who composes beside the
								 * worker */

	/* guards what follows, which is known.c's */
	LWLock		lock;
	uint64		configuration;
	uint64		layout;			/* of the versions; 0: all of them are not
								 * known */
	uint32		nplaces;
	WaKnown		places[FLEXIBLE_ARRAY_MEMBER];
} WaTogether;

/* The place of a record: what takes it pushes out what is there. */
static inline WaKnown *
wa_compose_place(WaTogether *together, int64 record_id)
{
	/* there is one at least: NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
	return &together->places[(uint64) record_id % together->nplaces];
}

extern WaTogether *wa_compose_together(bool make);
extern WaTogether *wa_compose_together_grow(void);
extern bool wa_compose_alone(bool asks);
extern void wa_compose_alone_wait(void);

#endif							/* SICANTIK_WA_TOGETHER_H */
