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

#include "admin/setting.h"
#include "compose/compose.h"
#include "compose/scenario.h"
#include "pg/query.h"
#include "text/text.h"

typedef void (*Composer) (WaBatch *batch, const WaScenario *scenario, const WaEvent *event);

static const struct
{
	const char *name;
	Composer	compose;
	const char *also;			/* a second table that it listens to */
}			composers[] =
{
	{"permit_ready", wa_compose_permit_ready, NULL},
	{"permit_renewal_approved", wa_compose_permit_renewal_approved, NULL},
	{"status_update", wa_compose_status_update, NULL},
	{"document_pending", wa_compose_document_pending, NULL},
	{"approval_required", wa_compose_approval_required, "signature_workflow"},
};

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

	for (uint64 i = 0; i < rows; i++)
	{
		WaScenario *s = &list[i];

		s->key = wa_row_text(i, 1);
		s->watch = wa_row_text(i, 2);
		s->template_key = wa_row_text(i, 3);
		s->composer = wa_row_text(i, 4);
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
			s->staff_group = wa_setting_get("staff_group");
		wa_hours_read(&s->hours, i, 14);
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
 * Is there a text that says something?
 */
bool
wa_compose_filled(const char *given)
{
	return !wa_text_is_nothing(given);
}

/*
 * Is there a text, and is it this one?
 */
bool
wa_compose_is(const char *given, const char *value)
{
	return given != NULL && strcmp(given, value) == 0;
}

/*
 * The first active scenario with this built-in composer, or NULL.
 */
const WaScenario *
wa_compose_scenario_of(const WaBatch *batch, const char *composer)
{
	for (int i = 0; i < batch->nscenarios; i++)
		if (batch->scenarios[i].active && strcmp(batch->scenarios[i].composer, composer) == 0)
			return &batch->scenarios[i];
	return NULL;
}

/*
 * Is its composer one of those above, not a function of the DBA's?  (The
 * built-in daily ones are the calendar's, see there.)
 */
bool
wa_compose_is_built_in(const WaScenario *scenario)
{
	for (size_t c = 0; c < lengthof(composers); c++)
		if (strcmp(composers[c].name, scenario->composer) == 0)
			return true;
	return false;
}

/*
 * Is this scenario to look at the events of the batch?  Of a dead letter, only
 * those that it is about.
 */
bool
wa_compose_is_asked(const WaBatch *batch, const WaScenario *scenario)
{
	ListCell   *cell;

	foreach(cell, batch->only)
		if (strcmp(lfirst(cell), scenario->key) == 0)
			return true;
	return batch->only == NIL;
}

/*
 * Read what the scenarios of these events need, as few statements as there
 * are tables.  Returns false if a table could not be had now.
 */
static bool
load_facts(WaBatch *batch)
{
	int64	   *ids = palloc(sizeof(int64) * Max(batch->nevents, 1));
	WaDocument *documents;
	int64	   *all;
	int64	   *partners;
	int			n = 0;
	int			nall;
	int			ndocuments;
	int			npartners = 0;
	const WaScenario *update = wa_compose_scenario_of(batch, "status_update");

	for (int i = 0; i < batch->nevents; i++)
		if (batch->events[i].has_record && strcmp(batch->events[i].table, "sicantik_permit") == 0)
			ids[n++] = batch->events[i].record_id;

	if (!wa_compose_load_own(batch))
		return false;
	/* the documents first: they name permits */
	if (!wa_compose_load_documents(batch))
		return false;
	ndocuments = wa_document_all(batch, &documents);
	nall = n;
	all = palloc(sizeof(int64) * Max(n + ndocuments, 1));
	memcpy(all, ids, sizeof(int64) * n);
	for (int i = 0; i < ndocuments; i++)
		all[nall++] = documents[i].permit_id;
	if (!wa_permits_load(batch, all, nall))
		return false;

	partners = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		WaPermit   *permit = wa_permit_find(batch, ids[i]);

		if (permit && permit->partner_id != 0)
			partners[npartners++] = permit->partner_id;
	}
	return wa_people_load_partners(batch, partners, npartners) &&
		wa_people_load_staff(batch, "sicantik.permit", ids, n, update ? update->staff_group : NULL);
}

/*
 * Let every scenario look at every event of the batch that it listens to.
 */
void
wa_compose_scenarios(WaBatch *batch)
{
	if (!load_facts(batch))
		return;
	for (int e = 0; e < batch->nevents; e++)
	{
		const WaEvent *event = &batch->events[e];

		for (int s = 0; s < batch->nscenarios; s++)
		{
			const WaScenario *scenario = &batch->scenarios[s];

			if (!scenario->active || !event->has_record || scenario->watch == NULL ||
				!wa_compose_is_asked(batch, scenario))
				continue;
			for (size_t c = 0; c < lengthof(composers); c++)
				if (strcmp(composers[c].name, scenario->composer) == 0 &&
					(strcmp(scenario->watch, event->table) == 0 ||
					 wa_compose_is(composers[c].also, event->table)))
					composers[c].compose(batch, scenario, event);
			wa_compose_own(batch, scenario, event);
		}
	}
}
