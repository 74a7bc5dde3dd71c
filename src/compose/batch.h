/*-------------------------------------------------------------------------
 *
 * batch.h
 *		What is composed at one time, and what for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_BATCH_H
#define SICANTIK_WA_BATCH_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "compose/event.h"
#include "compose/values.h"
#include "identity/identity.h"
#include "odoo/people.h"
#include "office/hours.h"
#include "route/providers.h"

/* One scenario as configured. */
typedef struct WaScenario
{
	char	   *key;
	char	   *watch;
	char	   *template_key;
	char	   *composer_name;	/* of it, or a function of the DBA's own */
	const struct WaComposer *composer;	/* see scenario.h */
	bool		active;
	bool		on_insert;
	bool		exclusive;
	bool		requires_opt_in;
	int64		time_to_live_us;
	char	   *unknown_policy;
	char	   *priority;
	bool		fallback;
	bool		fallback_when_paced;
	char	   *approver_group; /* or NULL */
	char	   *own_group;		/* staff_group of its row */
	char	   *staff_group;	/* the same, else the office's setting */
	WaHours		hours;			/* see guards.c for what follows */
	int			max_per_transaction;	/* PG_INT32_MAX: no limit */
	int			max_per_hour;
	int			max_per_day_and_number;
	int			news_days;
	TimestampTz muted_until;	/* 0: not muted */
	bool		daily;			/* runs once a day, listens to no table */
	int			time_limit_ms;	/* of a function of the DBA's own */
} WaScenario;

/* What a batch of events has in common; lives in the batch's context. */
typedef struct WaBatch
{
	WaEvent    *events;
	int			nevents;
	WaScenario *scenarios;
	int			nscenarios;
	WaOdoo		odoo;			/* what has been read of its tables */
	const char *time_zone;
	WaHolidays *holidays;		/* NULL: not read yet */
	WaValues	office;			/* settings read so far */
	WaTemplate **templates;		/* templates read so far */
	int			ntemplates;
	WaMapping  *mappings;
	int			nmappings;
	uint64		configuration;	/* of the rows that it is made by; 0: what is
								 * made is not remembered, see known.c */
	bool		hold_all;		/* this database is a copy */
	bool		doubt_all;		/* was due before a failover */
	bool		observe;		/* nothing is sent, so nothing waits for hours */
	List	   *messages;		/* of WaDraft */
	List	   *outcomes;		/* of WaOutcomeRow */
	List	   *own;			/* what own scenarios' functions said, see
								 * custom.c */
	List	   *failures;		/* of WaFailure: own scenarios' */
	bool		strict;			/* an own scenario's failure is an error */
	bool		again;			/* asked about what waits: nothing is written,
								 * muted or raised */
	List	   *only;			/* keys: no other scenario is asked; NIL: all */
} WaBatch;

/* An own scenario that failed for an event; the others go on. */
typedef struct WaFailure
{
	const WaEvent *event;
	const WaScenario *scenario;
	WaSaid		error;
} WaFailure;

/* Why an event made no message. */
typedef struct WaOutcomeRow
{
	const WaEvent *event;
	int64		event_id;		/* what is written */
	const char *relation;
	int64		record_id;
	const char *scenario;
	const char *outcome;
	WaSaid		detail;
} WaOutcomeRow;

/* reader.c */
extern void wa_compose_init_batch(WaBatch *batch, const WaIdentity *identity);
extern void wa_compose_ask_again(void);

/* scenario.c */
extern WaScenario *wa_compose_load_scenarios(int *n);
extern void wa_compose_scenarios(WaBatch *batch);
extern const WaScenario *wa_compose_find_scenario(const WaBatch *batch, const char *key);
extern bool wa_compose_is_built_in(const WaScenario *scenario);

/* outcome.c */
extern void wa_compose_outcome(WaBatch *batch, const WaEvent *event, const WaScenario *scenario,
							   const char *outcome, WaSaid detail);
extern void wa_compose_write_outcomes(WaBatch *batch);

#endif							/* SICANTIK_WA_BATCH_H */
