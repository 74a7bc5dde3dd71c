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
#include "pg/query.h"

/* Of several scenarios for the same person, the lower rank goes out. */
enum
{
	RANK_READY = 20,
	RANK_STATUS = 30
};

typedef void (*Composer) (WaBatch *batch, const WaScenario *scenario, const WaEvent *event);

static void compose_permit_ready(WaBatch *batch, const WaScenario *scenario, const WaEvent *event);
static void compose_status_update(WaBatch *batch, const WaScenario *scenario, const WaEvent *event);

static const struct
{
	const char *name;
	Composer	compose;
}			composers[] =
{
	{"permit_ready", compose_permit_ready},
	{"status_update", compose_status_update},
};

/*
 * The scenarios as configured, palloc()ed.
 */
WaScenario *
wa_compose_load_scenarios(int *n)
{
	static WaStatement load =
		WA_STATEMENT("SELECT key, watch, template_key, composer, active, on_insert, exclusive, requires_opt_in,"
					 " (extract(epoch FROM time_to_live) * 1000000)::bigint, unknown_policy, priority, fallback,"
					 " staff_group FROM wa.scenario ORDER BY key");
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
		if (s->staff_group == NULL)
			s->staff_group = wa_setting_get("staff_group");
	}
	*n = (int) rows;
	return list;
}

static bool
filled(const char *text)
{
	return text != NULL && text[strspn(text, " \t\r\n")] != '\0';
}

static bool
is(const char *text, const char *value)
{
	return text != NULL && strcmp(text, value) == 0;
}

/* Ready: active, numbered, and somebody to tell. */
static bool
was_ready(const WaEvent *event)
{
	return event->old &&
		is(wa_event_old(event, "status"), "active") &&
		filled(wa_event_old(event, "permit_number")) &&
		filled(wa_event_old(event, "partner_id"));
}

static bool
is_ready(const WaEvent *event)
{
	return is(wa_event_new(event, "status"), "active") &&
		filled(wa_event_new(event, "permit_number"));
}

static void
compose_permit_ready(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	WaPermit   *permit;
	WaRecipient *recipient;
	WaValues	values = {0};

	if (!is_ready(event) || was_ready(event) || (event->insert && !scenario->on_insert))
		return;
	permit = wa_permit_find(batch, event->record_id);
	if (permit == NULL)
	{
		wa_compose_outcome(batch, event, scenario, "gone", "the permit does not exist any more");
		return;
	}
	if (!is(permit->status, "active") || !filled(permit->permit_number))
	{
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   "the permit is not active with a number any more");
		return;
	}
	if (!filled(wa_event_new(event, "partner_id")))
	{
		wa_compose_outcome(batch, event, scenario, "waiting for recipient",
						   "the permit has no contact yet; linking one sends the message");
		return;
	}
	recipient = wa_people_partner(batch, permit->partner_id);
	wa_permit_values(batch, &values, permit, recipient);
	wa_compose_message(batch, event, scenario, recipient, &values, "sicantik.permit",
					   psprintf("announced:sicantik.permit:" INT64_FORMAT ":%s",
								permit->id, permit->permit_number),
					   RANK_READY);
}

static void
compose_status_update(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	const char *before = wa_event_old(event, "status");
	const char *after = wa_event_new(event, "status");
	WaPermit   *permit;
	WaValues	common = {0};
	List	   *recipients = NIL;
	ListCell   *cell;

	if (event->insert || !filled(before) || !filled(after) || strcmp(before, after) == 0)
		return;
	permit = wa_permit_find(batch, event->record_id);
	if (permit == NULL)
	{
		wa_compose_outcome(batch, event, scenario, "gone", "the permit does not exist any more");
		return;
	}
	if (!is(permit->status, after))
	{
		wa_compose_outcome(batch, event, scenario, "no longer true",
						   "the status has changed again since");
		return;
	}
	wa_values_add(&common, "status_lama", wa_permit_status_label(batch, before));
	wa_values_add(&common, "status_baru", wa_permit_status_label(batch, after));
	wa_values_add(&common, "timestamp", wa_value_time(event->at, batch->time_zone));

	if (permit->partner_id != 0)
		recipients = lappend(recipients, wa_people_partner(batch, permit->partner_id));
	recipients = list_concat(recipients,
							 wa_people_staff(batch, "sicantik.permit", permit->id, scenario->staff_group));
	if (recipients == NIL)
		wa_compose_outcome(batch, event, scenario, "no recipient",
						   "the permit has no contact and no internal follower");
	foreach(cell, recipients)
	{
		WaRecipient *recipient = lfirst(cell);
		WaValues	values = {0};

		for (int i = 0; i < common.n; i++)
			wa_values_add(&values, common.list[i].name, common.list[i].value);
		wa_permit_values(batch, &values, permit, recipient);
		wa_compose_message(batch, event, scenario, recipient, &values, "sicantik.permit",
						   NULL, RANK_STATUS);
	}
}

/*
 * Read what the scenarios of these events need, as few statements as there
 * are tables.  Returns false if a table could not be had now.
 */
static bool
load_facts(WaBatch *batch)
{
	int64	   *ids = palloc(sizeof(int64) * Max(batch->nevents, 1));
	int64	   *partners;
	int			n = 0;
	int			npartners = 0;
	const char *group = NULL;

	for (int i = 0; i < batch->nevents; i++)
		if (batch->events[i].has_record && strcmp(batch->events[i].table, "sicantik_permit") == 0)
			ids[n++] = batch->events[i].record_id;
	if (!wa_permits_load(batch, ids, n))
		return false;
	partners = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		WaPermit   *permit = wa_permit_find(batch, ids[i]);

		if (permit && permit->partner_id != 0)
			partners[npartners++] = permit->partner_id;
	}
	if (!wa_people_load_partners(batch, partners, npartners))
		return false;
	for (int i = 0; i < batch->nscenarios; i++)
		if (strcmp(batch->scenarios[i].composer, "status_update") == 0)
			group = batch->scenarios[i].staff_group;
	return wa_people_load_staff(batch, "sicantik.permit", ids, n, group);
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

			if (!scenario->active || !event->has_record ||
				scenario->watch == NULL || strcmp(scenario->watch, event->table) != 0)
				continue;
			for (size_t c = 0; c < lengthof(composers); c++)
				if (strcmp(composers[c].name, scenario->composer) == 0)
					composers[c].compose(batch, scenario, event);
		}
	}
}
