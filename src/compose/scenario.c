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

#include "compose/approval.h"
#include "compose/custom.h"
#include "compose/scenario.h"
#include "odoo/document.h"
#include "odoo/people.h"
#include "office/setting.h"
#include "pg/query.h"
#include "text/text.h"

static const WaComposer composers[] =
{
	{
		.name = "permit_ready",.table = "sicantik_permit",
		.compose = wa_compose_permit_ready,.silent = wa_compose_permit_ready_silent,
		.again = wa_compose_permits_again,.old_news = wa_compose_permit_old_news
	},
	{
		.name = "permit_renewal_approved",.table = "sicantik_permit",
		.compose = wa_compose_permit_renewal_approved,.silent = wa_compose_permit_renewal_silent,
		.again = wa_compose_permits_again,.old_news = wa_compose_permit_old_news
	},
	{
		.name = "status_update",.table = "sicantik_permit",
		.compose = wa_compose_status_update,.silent = wa_compose_status_silent,
		.again = wa_compose_permits_again,.old_news = wa_compose_status_old_news,.of_status = true
	},
	{
		.name = "document_pending",.table = "sicantik_document",
		.compose = wa_compose_document_pending,.silent = wa_compose_pending_silent,
		.again = wa_compose_pending_again
	},
	{
		.name = "approval_required",.table = "sicantik_document",.also = "signature_workflow",
		.compose = wa_compose_approval_required,.silent = wa_compose_approval_silent,
		.again = wa_compose_approvals_again
	},
	{.name = "permit_expiry_warning",.daily = wa_compose_expiry,.again = wa_compose_expiry_again},
	{.name = "reminder",.daily = wa_compose_reminder,.again = wa_compose_reminders_again},
};

static const WaComposer *
find_composer(const char *name)
{
	for (size_t c = 0; c < lengthof(composers); c++)
		if (strcmp(composers[c].name, name) == 0)
			return &composers[c];
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
		s->composer = wa_row_text(i, 4);
		s->built_in = find_composer(s->composer);
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
 * Is it one of those above that listen to a table, not a function of the
 * DBA's?
 */
bool
wa_compose_is_built_in(const WaScenario *scenario)
{
	return scenario->built_in && scenario->built_in->compose;
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
 * Which of these changes of a status were followed by another one?  Of the
 * batch that is known; what came later and has been read already has left a
 * message or an outcome, each with the id of its event.
 */
static void
mark_outdated(WaBatch *batch)
{
	static WaStatement followed =
		WA_STATEMENT("SELECT e.place FROM unnest($1, $2, $3) WITH ORDINALITY AS e(id, record, at, place)"
					 " WHERE EXISTS (SELECT FROM wa.message AS m WHERE m.res_id = e.record AND m.res_model = 'sicantik.permit'"
					 " AND m.scenario = ANY ($4) AND m.event_id > e.id AND m.created_at >= e.at)"
					 " OR EXISTS (SELECT FROM wa.event_outcome AS o WHERE o.record_id = e.record AND o.scenario = ANY ($4)"
					 " AND o.event_id > e.id AND o.at >= e.at)");
	WaEvent   **changed = palloc(sizeof(WaEvent *) * Max(batch->nevents, 1));
	int64	   *ids = palloc(sizeof(int64) * Max(batch->nevents, 1));
	int64	   *records = palloc(sizeof(int64) * Max(batch->nevents, 1));
	TimestampTz *times = palloc(sizeof(TimestampTz) * Max(batch->nevents, 1));
	const char **keys = palloc(sizeof(char *) * Max(batch->nscenarios, 1));
	int			n = 0;
	int			nkeys = 0;
	WaArgs		args = {0};
	uint64		rows;

	for (int s = 0; s < batch->nscenarios; s++)
		if (batch->scenarios[s].built_in && batch->scenarios[s].built_in->of_status)
			keys[nkeys++] = batch->scenarios[s].key;
	for (int e = 0; e < batch->nevents && nkeys > 0; e++)
	{
		WaEvent    *event = &batch->events[e];

		if (!event->has_record || strcmp(event->table, "sicantik_permit") != 0 ||
			!wa_compose_status_changed(event))
			continue;
		for (int i = 0; i < n; i++)
			changed[i]->outdated = changed[i]->outdated || changed[i]->record_id == event->record_id;
		changed[n] = event;
		ids[n] = event->id;
		records[n] = event->record_id;
		times[n++] = event->at;
	}
	if (n == 0)
		return;
	wa_arg_int8_array(&args, ids, n);
	wa_arg_int8_array(&args, records, n);
	wa_arg_timestamptz_array(&args, times, n);
	wa_arg_text_array(&args, keys, nkeys);
	rows = wa_query(&followed, &args);
	for (uint64 r = 0; r < rows; r++)
		changed[wa_row_int8(r, 1) - 1]->outdated = true;
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Read the contacts and the staff of these permits, which have been read.
 * Returns false if a table could not be had now.
 */
bool
wa_compose_load_permit_people(WaBatch *batch, const int64 *ids, int n, const char *staff_group)
{
	int64	   *partners = palloc(sizeof(int64) * Max(n, 1));
	int			npartners = 0;

	for (int i = 0; i < n; i++)
	{
		WaPermit   *permit = wa_odoo_permit(&batch->odoo, ids[i]);

		if (permit && permit->partner_id != 0)
			partners[npartners++] = permit->partner_id;
	}
	return wa_odoo_load_partners(&batch->odoo, partners, npartners) &&
		wa_odoo_load_staff(&batch->odoo, "sicantik.permit", ids, n, staff_group);
}

/*
 * Read what the scenarios of these events need, as few statements as there
 * are tables.  Returns false if a table could not be had now.
 */
bool
wa_compose_load_facts(WaBatch *batch)
{
	int64	   *ids = palloc(sizeof(int64) * Max(batch->nevents, 1));
	WaDocument *documents;
	int64	   *all;
	int			n = 0;
	int			nall;
	int			ndocuments;
	const WaScenario *update = wa_compose_scenario_of(batch, "status_update");

	for (int i = 0; i < batch->nevents; i++)
		if (batch->events[i].has_record && strcmp(batch->events[i].table, "sicantik_permit") == 0)
			ids[n++] = batch->events[i].record_id;

	mark_outdated(batch);
	/* the documents first: they name permits */
	if (!wa_compose_load_documents(batch))
		return false;
	ndocuments = wa_odoo_documents(&batch->odoo, &documents);
	nall = n;
	all = palloc(sizeof(int64) * Max(n + ndocuments, 1));
	memcpy(all, ids, sizeof(int64) * n);
	for (int i = 0; i < ndocuments; i++)
		all[nall++] = documents[i].permit_id;
	if (!wa_odoo_load_permits(&batch->odoo, all, nall))
		return false;

	return wa_compose_load_permit_people(batch, ids, n, update ? update->staff_group : NULL);
}

/*
 * Let every scenario look at every event of the batch that it listens to.
 */
void
wa_compose_scenarios(WaBatch *batch)
{
	if (!wa_compose_load_own(batch) || !wa_compose_load_facts(batch))
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
			if (wa_compose_is_built_in(scenario) &&
				(strcmp(scenario->watch, event->table) == 0 ||
				 wa_odoo_is(scenario->built_in->also, event->table)))
				scenario->built_in->compose(batch, scenario, event);
			wa_compose_own(batch, scenario, event);
		}
	}
}
