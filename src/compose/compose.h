/*-------------------------------------------------------------------------
 *
 * compose.h
 *		Face of compose, and what its files share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_COMPOSE_H
#define SICANTIK_WA_COMPOSE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "datatype/timestamp.h"
#include "compose/recheck.h"
#include "identity/identity.h"
#include "office/hours.h"
#include "pg/app_table.h"
#include "queue/queue.h"
#include "route/provider.h"

/* ---- face: called by the worker ---- */

extern bool wa_compose_run(void);
extern int	wa_compose_purge(void);
extern bool wa_compose_calendar_run(TimestampTz *next_due);
extern void wa_compose_calendar_reload(void);
extern bool wa_compose_approver_run(TimestampTz *next_due);
extern void wa_compose_approver_reload(void);
extern void wa_compose_unreached_run(TimestampTz *next_due);
extern void wa_compose_unreached_reload(void);

/* ---- shared within the folder ---- */

/* A value that a template can take. */
typedef struct WaValue
{
	const char *name;
	const char *value;			/* NULL: not known */
	const char *setting;		/* the setting whose lack makes it unknown */
} WaValue;

typedef struct WaValues
{
	int			n;
	int			size;
	WaValue    *list;
} WaValues;

/* values.c: all palloc() in the current context */
extern void wa_compose_values_add(WaValues *values, const char *name, const char *value);
extern void wa_compose_values_add_setting(WaValues *values, const char *name, const char *value, const char *setting);
extern const WaValue *wa_compose_values_find(const WaValues *values, const char *name);
extern char *wa_compose_value_date(const char *iso);
extern char *wa_compose_value_time(TimestampTz at, const char *time_zone);
extern char *wa_compose_value_translated(const char *text, bool is_jsonb);
extern char *wa_compose_value_link(const char *pattern, const WaValues *fields);
extern char *wa_compose_value_span(const char *from_iso, const char *to_iso);

/* The net change of one record in one transaction. */
typedef struct WaEvent
{
	int64		id;				/* of its first event */
	TimestampTz at;				/* of its last event */
	char	   *xact;
	char	   *relation;		/* as in wa.watch */
	char	   *table;			/* without schema */
	int64		record_id;
	bool		has_record;
	bool		insert;
	char	  **columns;
	int			ncolumns;
	char	  **old;			/* NULL for an INSERT */
	char	  **new;
	bool		hold;			/* was there when a copy was armed */
	bool		in_doubt;		/* was there at a failover */
	bool		outdated;		/* the record's status has changed again since */
} WaEvent;

/* event.c */
extern WaStatement wa_compose_event_net_changes;
extern void wa_compose_event_read(WaEvent *event, uint64 row);
extern const char *wa_compose_event_old(const WaEvent *event, const char *column);
extern const char *wa_compose_event_new(const WaEvent *event, const char *column);
extern int	wa_compose_event_by_id(const void *a, const void *b);
extern char *wa_compose_event_table(const char *relation);

/* One scenario as configured. */
typedef struct WaScenario
{
	char	   *key;
	char	   *watch;
	char	   *template_key;
	char	   *composer;
	const struct WaComposer *built_in;	/* NULL: a function of the DBA's own */
	bool		active;
	bool		on_insert;
	bool		exclusive;
	bool		requires_opt_in;
	int64		time_to_live_us;
	char	   *unknown_policy;
	char	   *priority;
	bool		fallback;
	bool		fallback_when_paced;
	char	   *approver_group;	/* or NULL */
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

/* Somebody who is to get a message. */
typedef struct WaRecipient
{
	int64		partner_id;
	bool		is_staff;
	char	   *name;
	char	   *number;			/* NULL: none usable */
	char	   *number_source;
	char	   *tried;			/* columns that were looked at */
	char	   *note;			/* or NULL */
} WaRecipient;

/* What a batch of events has in common; lives in the batch's context. */
typedef struct WaBatch
{
	WaEvent    *events;
	int			nevents;
	WaScenario *scenarios;
	int			nscenarios;
	const char *schema;			/* of Odoo's tables */
	const char *time_zone;
	WaValues	office;			/* settings read so far */
	WaTemplate **templates;		/* templates read so far */
	int			ntemplates;
	WaMapping  *mappings;
	int			nmappings;
	bool		hold_all;		/* this database is a copy */
	bool		doubt_all;		/* was due before a failover */
	bool		observe;		/* nothing is sent, so nothing waits for hours */
	List	   *messages;		/* of WaDraft */
	List	   *outcomes;		/* of WaOutcomeRow */
	struct WaPermits *permits;
	struct WaDocuments *documents;
	struct WaPeople *people;
	List	   *own;			/* what own scenarios' functions said, see own.c */
	List	   *failures;		/* of WaFailure: own scenarios' */
	bool		strict;			/* an own scenario's failure is an error */
	bool		again;			/* asked about what waits: nothing is written,
								 * muted or raised */
	List	   *only;			/* keys: no other scenario is asked; NIL: all */
	bool		no_contacts;	/* there is no table res_partner */
	bool		locked;			/* a table could not be had: try later */
	const char *locked_table;
	const char *locked_why;		/* a sentence, if it only counts as locked */
} WaBatch;

/* reader.c */
extern void wa_compose_init_batch(WaBatch *batch, const WaIdentity *identity);
extern void wa_compose_ask_again(void);

/* A message in the making. */
typedef struct WaDraft
{
	WaNewMessage message;
	const WaEvent *event;
	const WaScenario *scenario;
	const char *once;			/* key in wa.announced, or NULL */
	const char *unless;			/* key that must not have been announced, or NULL */
	int64		again_after_us; /* that may come again; 0: never */
	int			rank;			/* more specific scenarios are lower */
	const WaRecipient *recipient;	/* NULL: the contact is gone */
	const WaValues *values;
	bool		is_staff;
	bool		muted;			/* goes nowhere, but less specific ones neither */
	bool		joins;			/* several to one person are one message */
	const char *problem;		/* its text cannot be written (asked again only) */
	bool		dropped;
	const char *said;			/* dropped: this key of another message says it */
} WaDraft;

/* An own scenario that failed for an event; the others go on. */
typedef struct WaFailure
{
	const WaEvent *event;
	const WaScenario *scenario;
	const char *error;
} WaFailure;

/* Why an event made no message. */
typedef struct WaOutcomeRow
{
	const WaEvent *event;
	const char *scenario;
	const char *outcome;
	const char *detail;
} WaOutcomeRow;

extern void wa_compose_outcome(WaBatch *batch, const WaEvent *event, const WaScenario *scenario,
							   const char *outcome, const char *detail);
extern void wa_compose_write_outcomes(WaBatch *batch);
extern WaDraft *wa_compose_message(WaBatch *batch, const WaEvent *event, const WaScenario *scenario,
							   const WaRecipient *recipient, const WaValues *values,
							   const char *res_model, const char *once, int rank);

/* draft.c: a draft's text, and which of several goes */
extern void wa_compose_draft_write_text(WaBatch *batch, WaDraft *draft, const WaValues *values);
extern WaDraft **wa_compose_drafts_in_order(WaBatch *batch, int *n);
extern void wa_compose_drafts_drop_less_specific(WaBatch *batch, WaDraft **drafts, int n);

/* send.c */
extern int64 wa_compose_queue_text(const char *number, const char *provider, const char *body);

/* draft.c */
extern void wa_compose_write(WaBatch *batch);

/* unreached.c */
extern void wa_compose_unreached_keep(const WaNewMessage *messages, int n);
extern void wa_compose_unreached_look_at(const WaBatch *batch);

/* guards.c */
extern bool wa_compose_guard_muted(WaBatch *batch, const WaEvent *event, const WaScenario *scenario);
extern bool wa_compose_guard_found_by_part_of_name(const char *partner, const char *applicant);
extern void wa_compose_guards_start(void);
extern void wa_compose_guards_apply(WaBatch *batch, WaDraft **drafts, int n);
extern int	wa_compose_guard_days_since(const WaBatch *batch, const char *iso);
extern void wa_compose_guards_supersede(const WaBatch *batch, WaDraft **drafts, int n);
extern void wa_compose_guards_settle(bool written);

/* unwritten.c */
extern bool wa_compose_unwritten_wanted(void);
extern bool wa_compose_unwritten_run(TimestampTz *next_due);

/* scenario.c */
extern WaScenario *wa_compose_load_scenarios(int *n);
extern void wa_compose_scenarios(WaBatch *batch);

/* permit.c: permits as they are now, and their values */
typedef struct WaPermit
{
	int64		id;
	char	   *registration_id;
	char	   *permit_number;
	char	   *applicant_name;
	int64		permit_type_id;
	char	   *permit_type_name;
	char	   *permit_type;	/* the linked type's name, else the above */
	int64		partner_id;
	char	   *status;
	char	   *issue_date;
	char	   *expiry_date;
	char	   *received_date;
	bool		is_renewal;
} WaPermit;

extern bool wa_compose_permits_load(WaBatch *batch, const int64 *ids, int n);
extern bool wa_compose_numbered(const char *number);
extern WaPermit *wa_compose_permit_find(WaBatch *batch, int64 id);
extern void wa_compose_permit_values(WaBatch *batch, WaValues *values, const WaPermit *permit,
							 const WaRecipient *recipient);
extern void wa_compose_office_values(WaBatch *batch, WaValues *values);
extern const char *wa_compose_office_setting(WaBatch *batch, const char *name);
extern const char *wa_compose_permit_status_label(WaBatch *batch, const char *status);

/* translation.c: palloc()s in the current context; a table that is not there has none */
extern char **wa_compose_translations_read(const WaAppTable *translations, const char *column,
								   const int64 *ids, int n);

/* document.c: documents and their workflows as they are now, and their values */
typedef struct WaDocument
{
	int64		id;
	char	   *document_number;
	char	   *name;
	char	   *state;
	char	   *permit_number;
	int64		permit_id;
	bool		requires_approval;	/* or, without such a column, a workflow */
	bool		asks_approval;	/* this Odoo has the column */
} WaDocument;

typedef struct WaWorkflow
{
	int64		id;
	int64		document_id;
	int64		approver_id;	/* a user; 0: none yet */
	bool		pending;
} WaWorkflow;

extern bool wa_compose_documents_load(WaBatch *batch, const int64 *ids, int n,
							  const int64 *workflow_ids, int nworkflows);
extern WaDocument *wa_compose_document_find(WaBatch *batch, int64 id);
extern int	wa_compose_document_all(WaBatch *batch, WaDocument **list);
extern int	wa_compose_document_workflows(WaBatch *batch, WaWorkflow **list);
extern WaWorkflow *wa_compose_document_find_workflow(WaBatch *batch, int64 id);
extern int	wa_compose_documents_count_pending(WaBatch *batch);
extern void wa_compose_document_values(WaBatch *batch, WaValues *values, const WaDocument *document,
							   const WaWorkflow *workflow, const WaRecipient *recipient);

/* people.c: partners, staff, numbers */
extern bool wa_compose_people_load_partners(WaBatch *batch, const int64 *ids, int n);
extern bool wa_compose_people_load_staff(WaBatch *batch, const char *model, const int64 *ids, int n,
								 const char *group);
extern bool wa_compose_people_load_group(WaBatch *batch, const char *group);
extern bool wa_compose_people_load_users(WaBatch *batch, const int64 *ids, int n);
extern WaRecipient *wa_compose_people_user(WaBatch *batch, int64 user_id);
extern List *wa_compose_people_group(WaBatch *batch, const char *group);
extern bool wa_compose_people_group_known(WaBatch *batch, const char *group);
extern WaRecipient *wa_compose_people_partner(WaBatch *batch, int64 partner_id);
extern List *wa_compose_people_staff(WaBatch *batch, const char *model, int64 id, const char *group);

/* One run of a daily scenario; lives in the run's context. */
typedef struct WaDaily
{
	WaBatch    *common;			/* settings, scenarios and mappings */
	const WaScenario *scenario;
	TimestampTz now;
	char	   *today;			/* in the office's time zone, YYYY-MM-DD */
	int			today_julian;
	bool		by_hand;
	int			queued;
	int			held;
	int			skipped;
	int			muted;
	char	   *note;			/* what else is to be said, or NULL */
} WaDaily;

/* calendar.c */
extern void wa_compose_calendar_write(WaDaily *daily, WaBatch *batch);
extern bool wa_compose_calendar_muted(const WaDaily *daily);
extern WaEvent *wa_compose_calendar_event(const WaDaily *daily, const char *relation, int64 record_id);

/* expiry.c, reminder.c, own_daily.c: false if a table could not be had now */
extern bool wa_compose_expiry(WaDaily *daily);
extern bool wa_compose_reminder(WaDaily *daily);
extern bool wa_compose_own_daily(WaDaily *daily);

/* template.c */
extern char *wa_compose_template_render(const WaTemplate *template, const WaValues *values,
								char **missing, const char **setting);
extern char *wa_compose_template_params(const WaTemplate *template, const WaMapping *mappings, int nmappings,
								const WaValues *values);
extern bool wa_compose_add_locked(WaBatch *batch, const WaAppTable *table, const char *name);

#endif							/* SICANTIK_WA_COMPOSE_H */
