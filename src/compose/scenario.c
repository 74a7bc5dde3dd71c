/*-------------------------------------------------------------------------
 *
 * scenario.c
 *		Scenarios and their composers: does the condition hold, and for whom?
 *
 * A composer takes the net change of a record in one transaction and judges
 * the condition on it: it is so now and was not before.  (Judged on the row as
 * it is later, two transactions would both see it.)  The row as it is now may
 * only veto, and supplies the values.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "compose/scenario.h"
#include "odoo/document.h"
#include "odoo/people.h"
#include "office/setting.h"
#include "pg/query.h"
#include "text/text.h"

#define COMPOSER_ADDRESS(name) &wa_compose_##name,

static const WaComposer *const composers[] = {
	WA_COMPOSERS(COMPOSER_ADDRESS)
};

/*
 * The built-in composers, one after the other; NULL behind the last.
 */
const WaComposer *
wa_compose_composer_at(size_t index)
{
	return index < lengthof(composers) ? composers[index] : NULL;
}

/*
 * The built-in composer of this name, or NULL.
 */
const WaComposer *
wa_compose_composer(const char *name)
{
	for (size_t c = 0; c < lengthof(composers); c++)
		if (strcmp(composers[c]->name, name) == 0)
			return composers[c];
	return NULL;
}

#define NO_LIMIT(column)	"coalesce(" column ", 2147483647)"

static const WaColumn scenario_columns[] = {
	WA_COLUMN(WaScenario, text, key, "key"),
	WA_COLUMN(WaScenario, text, watch, "watch"),
	WA_COLUMN(WaScenario, text, template_key, "template_key"),
	WA_COLUMN(WaScenario, text, composer_name, "composer"),
	WA_COLUMN(WaScenario, boolean, active, "active"),
	WA_COLUMN(WaScenario, boolean, on_insert, "on_insert"),
	WA_COLUMN(WaScenario, boolean, exclusive, "exclusive"),
	WA_COLUMN(WaScenario, boolean, requires_opt_in, "requires_opt_in"),
	WA_COLUMN(WaScenario, int8, time_to_live_us, "(extract(epoch FROM time_to_live) * 1000000)::bigint"),
	WA_COLUMN(WaScenario, text, unknown_policy, "unknown_policy"),
	WA_COLUMN(WaScenario, text, priority, "priority"),
	WA_COLUMN(WaScenario, boolean, fallback, "fallback"),
	WA_COLUMN(WaScenario, boolean, fallback_when_paced, "fallback_when_paced"),
	WA_COLUMN(WaScenario, text, approver_group, "approver_group"),
	WA_COLUMN(WaScenario, text, own_group, "staff_group"),
	WA_HOURS_COLUMNS(WaScenario, hours),
	WA_COLUMN(WaScenario, int4, max_per_transaction, NO_LIMIT("max_per_transaction")),
	WA_COLUMN(WaScenario, int4, max_per_hour, NO_LIMIT("max_per_hour")),
	WA_COLUMN(WaScenario, int4, max_per_day_and_number, NO_LIMIT("max_per_day_and_number")),
	WA_COLUMN(WaScenario, int4, news_days, NO_LIMIT("news_days")),
	WA_COLUMN(WaScenario, time, muted_until, "muted_until"),
	WA_COLUMN(WaScenario, boolean, daily, "daily_at IS NOT NULL"),
	WA_COLUMN(WaScenario, int4, time_limit_ms, "(extract(epoch FROM time_limit) * 1000)::integer"),
};
static const WaRowType scenario_row = WA_ROW_TYPE(WaScenario, scenario_columns);

/*
 * The scenarios as configured, palloc()ed.
 */
WaScenario *
wa_compose_load_scenarios(int *n)
{
	static WaStatement load = WA_STATEMENT_OF(&scenario_row, "SELECT {columns} FROM wa.scenario ORDER BY key");
	WaScenario *list = wa_rows_read(wa_query(&load, NULL), &scenario_row, n);
	char	   *staff_group = wa_office_get("staff_group");

	for (int i = 0; i < *n; i++)
	{
		WaScenario *s = &list[i];

		s->composer = wa_compose_composer(s->composer_name);
		if (s->composer == NULL)
			s->composer = &wa_compose_custom;
		s->staff_group = s->own_group ? s->own_group : staff_group;
	}
	return list;
}

/*
 * The first active scenario with this composer, or NULL.
 */
const WaScenario *
wa_compose_scenario_of(const WaBatch *batch, const WaComposer *composer)
{
	for (int i = 0; i < batch->nscenarios; i++)
		if (batch->scenarios[i].active && batch->scenarios[i].composer == composer)
			return &batch->scenarios[i];
	return NULL;
}

/*
 * The scenario of this key, or NULL.
 */
const WaScenario *
wa_compose_find_scenario(const WaBatch *batch, const char *key)
{
	for (int i = 0; key && i < batch->nscenarios; i++)
		if (strcmp(batch->scenarios[i].key, key) == 0)
			return &batch->scenarios[i];
	return NULL;
}

/*
 * Is its composer one of those above, not a function of the DBA's?
 */
bool
wa_compose_is_built_in(const WaScenario *scenario)
{
	return scenario->composer->name != NULL;
}

/*
 * Does the scenario listen to the table of this event?  One of the DBA's own
 * names it with its schema, as wa.watch does.
 */
bool
wa_compose_listens(const WaScenario *scenario, const WaEvent *event)
{
	const WaComposer *composer = scenario->composer;

	if (composer->compose == NULL || scenario->watch == NULL)
		return false;
	if (!wa_compose_is_built_in(scenario))
		return !scenario->daily && strcmp(scenario->watch, event->relation) == 0;
	return strcmp(scenario->watch, event->table) == 0 || wa_odoo_is(composer->also, event->table);
}

/*
 * The groups whose members are told of records of this table, each once;
 * palloc()ed, NULL among them: followers only.  Returns how many.  Of one that
 * is switched off too: it finishes what it has begun.
 */
int
wa_compose_staff_groups(const WaBatch *batch, const char *table, const char ***groups)
{
	int			n = 0;

	*groups = palloc(sizeof(char *) * Max(batch->nscenarios, 1));
	for (int s = 0; s < batch->nscenarios; s++)
	{
		const WaScenario *scenario = &batch->scenarios[s];
		bool		known = !scenario->composer->tells_staff || strcmp(scenario->composer->table, table) != 0;

		for (int i = 0; i < n && !known; i++)
			known = (*groups)[i] == scenario->staff_group || wa_odoo_is((*groups)[i], scenario->staff_group);
		if (!known)
			(*groups)[n++] = scenario->staff_group;
	}
	return n;
}

/*
 * Read the contacts of these permits, which have been read.  Returns false if
 * their table could not be had now.
 */
bool
wa_compose_load_contacts(WaBatch *batch, const int64 *ids, int n)
{
	int64	   *partners = palloc(sizeof(int64) * Max(n, 1));
	int			npartners = 0;

	for (int i = 0; i < n; i++)
	{
		WaPermit   *permit = wa_odoo_permit(&batch->odoo, ids[i]);

		if (permit && permit->partner_id != 0)
			partners[npartners++] = permit->partner_id;
	}
	return wa_odoo_load_partners(&batch->odoo, partners, npartners);
}

/*
 * Read the followers of these records, and the members of these groups.
 * Returns false if a table could not be had now.
 */
bool
wa_compose_load_staff(WaBatch *batch, const char *model, const int64 *ids, int n,
					  const char *const *groups, int ngroups)
{
	for (int g = 0; g < ngroups; g++)
		if (g == 0 ? !wa_odoo_load_staff(&batch->odoo, model, ids, n, groups[g]) :
			groups[g] && !wa_odoo_load_group(&batch->odoo, groups[g]))
			return false;
	return true;
}

/* The records of this table in the batch; palloc()ed.  *n: how many. */
static const int64 *
records_of(const WaBatch *batch, const char *table, int *n)
{
	int64	   *ids = palloc(sizeof(int64) * Max(batch->nevents, 1));

	*n = 0;
	for (int i = 0; i < batch->nevents; i++)
		if (batch->events[i].has_record && strcmp(batch->events[i].table, table) == 0)
			ids[(*n)++] = batch->events[i].record_id;
	return ids;
}

/* Staff who are told of these records. */
static bool
load_staff(WaBatch *batch, const char *table, const char *model, const int64 *ids, int n)
{
	const char **groups;
	int			ngroups = wa_compose_staff_groups(batch, table, &groups);

	return n == 0 || wa_compose_load_staff(batch, model, ids, n, groups, ngroups);
}

/*
 * Read the records of these events and what belongs to them, as few statements
 * as there are tables.  Returns false if a table could not be had now.
 */
static bool
load_facts(WaBatch *batch)
{
	WaRecords	records;

	records.permits = records_of(batch, "sicantik_permit", &records.npermits);
	records.documents = records_of(batch, "sicantik_document", &records.ndocuments);
	records.workflows = records_of(batch, "signature_workflow", &records.nworkflows);
	return wa_odoo_load_records(&batch->odoo, &records) &&
		wa_compose_load_contacts(batch, records.permits, records.npermits) &&
		load_staff(batch, "sicantik_permit", "sicantik.permit", records.permits, records.npermits) &&
		load_staff(batch, "sicantik_document", "sicantik.document", records.documents, records.ndocuments);
}

/*
 * Ask the scenarios about the events of the batch: each about those of which
 * is_asked() says so.  Drafts and outcomes are in the batch then.  Returns
 * false if a table could not be had now.
 */
bool
wa_compose_ask(WaBatch *batch, WaIsAsked is_asked, const void *argument)
{
	wa_compose_mark_outdated(batch);
	if (!load_facts(batch))
		return false;
	for (int s = 0; s < batch->nscenarios; s++)
	{
		const WaScenario *scenario = &batch->scenarios[s];
		bool		any = scenario->composer->load == NULL;

		for (int e = 0; e < batch->nevents && !any; e++)
			if (is_asked(batch, scenario, &batch->events[e], argument))
			{
				any = true;
				if (!scenario->composer->load(batch, scenario))
					return false;
			}
	}
	for (int e = 0; e < batch->nevents; e++)
		for (int s = 0; s < batch->nscenarios; s++)
			if (is_asked(batch, &batch->scenarios[s], &batch->events[e], argument))
				batch->scenarios[s].composer->compose(batch, &batch->scenarios[s], &batch->events[e]);
	return true;
}

/* Of a dead letter, only those that it is about are asked. */
static bool
is_asked(const WaBatch *batch, const WaScenario *scenario, const WaEvent *event, const void *argument)
{
	ListCell   *cell;
	bool		among = batch->only == NIL;

	foreach(cell, batch->only)
		among = among || strcmp(lfirst(cell), scenario->key) == 0;
	return among && scenario->active && event->has_record && wa_compose_listens(scenario, event);
}

/*
 * Let every scenario look at every event of the batch that it listens to.
 */
void
wa_compose_scenarios(WaBatch *batch)
{
	(void) wa_compose_ask(batch, is_asked, NULL);
}
