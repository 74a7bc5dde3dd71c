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

static int
limit_of(uint64 row, int column)
{
	return wa_row_isnull(row, column) ? PG_INT32_MAX : wa_row_int4(row, column);
}

/*
 * The scenarios as configured, palloc()ed.
 */
WaScenario *
wa_compose_load_scenarios(int *n)
{
	static WaStatement load =
		WA_STATEMENT("SELECT key, watch, template_key, composer, active, on_insert, exclusive, requires_opt_in,"
					 " (extract(epoch FROM time_to_live) * 1000000)::bigint, unknown_policy, priority, fallback,"
					 " staff_group, " WA_HOURS_COLUMNS ", max_per_transaction, max_per_hour, max_per_day_and_number,"
					 " news_days, muted_until, approver_group, daily_at IS NOT NULL,"
					 " (extract(epoch FROM time_limit) * 1000)::integer, fallback_when_paced FROM wa.scenario ORDER BY key");
	uint64		rows = wa_query(&load, NULL);
	WaScenario *list = palloc0(sizeof(WaScenario) * Max(rows, 1));
	char	   *staff_group = wa_office_get("staff_group");

	for (uint64 i = 0; i < rows; i++)
	{
		WaScenario *s = &list[i];

		s->key = wa_row_text(i, 1);
		s->watch = wa_row_text(i, 2);
		s->template_key = wa_row_text(i, 3);
		s->composer_name = wa_row_text(i, 4);
		s->composer = wa_compose_composer(s->composer_name);
		if (s->composer == NULL)
			s->composer = &wa_compose_custom;
		s->active = wa_row_bool(i, 5);
		s->on_insert = wa_row_bool(i, 6);
		s->exclusive = wa_row_bool(i, 7);
		s->requires_opt_in = wa_row_bool(i, 8);
		s->time_to_live_us = wa_row_int8(i, 9);
		s->unknown_policy = wa_row_text(i, 10);
		s->priority = wa_row_text(i, 11);
		s->fallback = wa_row_bool(i, 12);
		s->staff_group = wa_row_text(i, 13);
		s->own_group = s->staff_group;
		if (s->staff_group == NULL)
			s->staff_group = staff_group;
		wa_office_hours_read(&s->hours, i, 14);
		s->max_per_transaction = limit_of(i, 17);
		s->max_per_hour = limit_of(i, 18);
		s->max_per_day_and_number = limit_of(i, 19);
		s->news_days = limit_of(i, 20);
		s->muted_until = wa_row_isnull(i, 21) ? 0 : wa_row_timestamptz(i, 21);
		s->approver_group = wa_row_text(i, 22);
		s->daily = wa_row_bool(i, 23);
		s->time_limit_ms = wa_row_int4(i, 24);
		s->fallback_when_paced = wa_row_bool(i, 25);
	}
	*n = (int) rows;
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
