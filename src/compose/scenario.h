/*-------------------------------------------------------------------------
 *
 * scenario.h
 *		What a scenario is.
 *
 * A row of wa.scenario is the office's: its text, its limits, whether it is
 * active.  What the scenario says, of which changes, and to whom, is a
 * WaComposer, which the row names.  A built-in one is one file that defines
 * wa_compose_NAME and one line in WA_COMPOSERS; functions of the DBA's share
 * the last one, wa_compose_custom.  Nothing outside its file asks which
 * scenario it has before it: whatever is true of one alone is a member.
 *
 * A scenario is asked twice.  When something has changed: what is to be said
 * about it, to whom?  And right before a message goes out, if it has waited:
 * what is to be said about that change now?  Both times by the same functions,
 * so that what is composed late says the same as what was composed at once and
 * had to wait.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SCENARIO_H
#define SICANTIK_WA_SCENARIO_H

#include "postgres.h"

#include "compose/daily.h"
#include "compose/waiting.h"

/* A value that a scenario's texts may take, beside those of every permit. */
typedef struct WaOwnValue
{
	const char *name;
	const char *fact;			/* as the ledger may name it for ever; NULL:
								 * it may be a citizen's */
	bool		drifts;			/* changes by itself, so no reason for another
								 * message */
} WaOwnValue;

/*
 * What wa_setup() makes its row and its text of.  They are not rows of the
 * install script, because a dump holds the rows as the office has changed
 * them, and both would collide at the restore.
 *
 * The texts satisfy Meta's rules for UTILITY templates: no variable at the
 * beginning or the end or beside another one, at most 1024 characters, no
 * advertising.  Names of permit types begin with "Izin" or "Surat Izin"
 * themselves, so the word does not stand before them.
 */
typedef struct WaDefaults
{
	const char *name;
	const char *body;			/* without the office's name at its end */
	const char *parameters[9];	/* the order is that of the templates that
								 * exist at Meta: it is part of the interface */
	bool		on_insert;
	bool		requires_opt_in;
	const char *time_to_live;
	const char *unknown_policy;
	const char *priority;
	bool		office_hours;	/* staff are left alone when the office is
								 * closed: Monday to Friday, 07:00 to 18:00 */
	const char *daily_at;		/* NULL: listens to its table */
	bool		no_limits;		/* on messages made at once: it is no
								 * accident, however many permits expire */
} WaDefaults;

/* A scenario as built in; members that it does not need are left out. */
typedef struct WaComposer
{
	const char *name;			/* as in wa.scenario; NULL: the DBA's */
	const char *model;			/* Odoo's, of the records that it tells of */
	int			rank;			/* of several for the same person about the
								 * same, the lower goes out */

	/* One that listens to tables. */
	const char *table;
	const char *also;			/* a second one, or NULL */
	const char *state_column;	/* it tells each change of that column: a
								 * newer one makes older ones pointless */
	bool		tells_staff;	/* followers of the record, and the
								 * staff_group */

	/*
	 * Read what it needs for the events of the batch beyond their records,
	 * the contacts of permits, and the above.  Returns false if that cannot
	 * be had now.
	 */
	bool		(*load) (WaBatch *batch, const WaScenario *scenario);

	/* What is to be said about this change: drafts and outcomes. */
	void		(*compose) (WaBatch *batch, const WaScenario *scenario, const WaEvent *event);

	/*
	 * Why the scenario has nothing to say of a change, by what the change
	 * says of itself: a sentence; NULL: it has something to say.  *nearly: it
	 * lacks one thing.
	 */
	WaSaid		(*silent) (const WaScenario *scenario, const WaEvent *event, bool *nearly);

	/* One that runs once a day: false if a table could not be had now. */
	bool		(*daily) (WaDaily *daily);

	/*
	 * What is to be said now in the place of these messages?  They are of all
	 * scenarios whose composer has the same function.  Returns false if a
	 * table could not be had now.
	 */
	bool		(*again) (WaBatch *batch, WaWaiting **list, int n);

	/* why a message is no news any more, or NULL */
	WaSaid		(*old_news) (const WaBatch *batch, const WaDraft *draft);

	/*
	 * Whom it asks where nobody was named within an hour; see
	 * approver_group.c.  Returns false if a table could not be had now.
	 */
	bool		(*ask_group) (WaBatch *batch, const WaScenario *scenario);

	/*
	 * Several to one person that wait together are one message: write its
	 * text, which stands for so many records.  NULL: each goes by itself.
	 */
	void		(*join) (WaBatch *batch, WaDraft *draft, int nrecords);

	/*
	 * Add those of its values that are counted when the text is written,
	 * which may be long after: what is added first wins.
	 */
	void		(*count_now) (WaBatch *batch, WaValues *values, int64 record_id);

	WaOwnValue	values[10];
	const char *odoo_keys[3];	/* of its text in Odoo's module, see
								 * admin/import_templates.c */
	WaDefaults	defaults;
} WaComposer;

/* All that are built in: wa_compose_NAME, each in a file of its own. */
#define WA_COMPOSERS(COMPOSER) \
	COMPOSER(permit_ready) \
	COMPOSER(permit_renewal_approved) \
	COMPOSER(status_update) \
	COMPOSER(document_pending) \
	COMPOSER(approval_required) \
	COMPOSER(reminder) \
	COMPOSER(permit_expiry_warning)

#define WA_COMPOSER_EXTERN(name) extern const WaComposer wa_compose_##name;
WA_COMPOSERS(WA_COMPOSER_EXTERN)

/* custom.c */
extern const WaComposer wa_compose_custom;

/* Is this scenario to be asked about this event of the batch? */
typedef bool (*WaIsAsked) (const WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
						   const void *argument);

/* scenario.c */
extern const WaComposer *wa_compose_composer(const char *name);
extern const WaComposer *wa_compose_composer_at(size_t index);
extern bool wa_compose_listens(const WaScenario *scenario, const WaEvent *event);
extern const WaScenario *wa_compose_scenario_of(const WaBatch *batch, const WaComposer *composer);
extern bool wa_compose_ask(WaBatch *batch, WaIsAsked is_asked, const void *argument);
extern int	wa_compose_staff_groups(const WaBatch *batch, const char *table, const char ***groups);
extern bool wa_compose_load_contacts(WaBatch *batch, const int64 *ids, int n);
extern bool wa_compose_load_staff(WaBatch *batch, const char *model, const int64 *ids, int n,
								  const char *const *groups, int ngroups);

/* record_values.c */
extern const WaOwnValue *wa_compose_own_value(const WaComposer *composer, const char *name);

/* state.c */
extern bool wa_compose_state_changed(const WaComposer *composer, const WaEvent *event);
extern void wa_compose_mark_outdated(WaBatch *batch);
extern void wa_compose_supersede(const WaBatch *batch, WaDraft **drafts, int n);

#endif							/* SICANTIK_WA_SCENARIO_H */
