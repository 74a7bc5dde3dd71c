/*-------------------------------------------------------------------------
 *
 * reach.c
 *		How many citizens with an active permit can be told something.
 *
 * The same code that composes messages chooses the numbers, compares the names
 * and knows who wants none, so the figure is what will happen.  Partners are read in chunks of
 * their own memory: tens of thousands of permits take well below a second.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "admin/findings.h"
#include "compose/guards.h"
#include "odoo/people.h"
#include "office/setting.h"
#include "pg/app_table.h"
#include "route/route.h"
#include "sicantik_wa.h"

#define CHUNK	500

typedef struct Reach
{
	int64		active;			/* permits with status active */
	int64		without_partner;
	int64		without_number;
	int64		name_mismatch;
	int64		refused;		/* opted out, or on Odoo's blacklist */
	int64		reachable;
} Reach;

typedef struct Permit
{
	int64		partner_id;
	const char *applicant;
} Permit;

static int
by_partner(const void *a, const void *b)
{
	int64		left = ((const Permit *) a)->partner_id;
	int64		right = ((const Permit *) b)->partner_id;

	return left < right ? -1 : left > right;
}

/* why: NULL: it is simply locked. */
static WaSaid
not_to_be_had(const char *table, WaSaid why)
{
	return why ? why : wa_say(WA_SAY_TABLE_IS_LOCKED, table);
}

/*
 * Count the permits of one chunk of partners; false: a table is locked, with a
 * sentence in *problem.
 */
static bool
count_chunk(Reach *reach, const WaFindings *findings, const char *schema, const Permit *permits, int n,
			WaSaid *problem)
{
	WaOdoo		odoo = {.schema = schema};
	int64	   *ids = palloc(sizeof(int64) * n);
	WaRoute    *routes = palloc0(sizeof(WaRoute) * n);
	int			nids = 0;
	const char *locked;
	WaSaid		why;

	for (int i = 0; i < n; i++)
		if (nids == 0 || ids[nids - 1] != permits[i].partner_id)
			ids[nids++] = permits[i].partner_id;
	if (!wa_odoo_load_partners(&odoo, ids, nids))
	{
		*problem = not_to_be_had(odoo.locked_table, odoo.locked_why);
		return false;
	}
	for (int i = 0; i < nids; i++)
	{
		WaRecipient *recipient = wa_odoo_partner(&odoo, ids[i]);

		routes[i].partner_id = ids[i];
		routes[i].number = recipient ? recipient->number : NULL;
	}
	if (!wa_route_load_facts(routes, nids, schema, &locked, &why))
	{
		*problem = not_to_be_had(locked, why);
		return false;
	}
	for (int i = 0, r = 0; i < n; i++)
	{
		WaRecipient *recipient;

		while (routes[r].partner_id != permits[i].partner_id)
			r++;
		recipient = wa_odoo_partner(&odoo, permits[i].partner_id);
		if (recipient == NULL)
			reach->without_partner++;
		else if (recipient->number == NULL)
			reach->without_number++;
		else if (routes[r].refusal)
			reach->refused++;
		else if (wa_compose_guard_found_by_part_of_name(recipient->name, permits[i].applicant))
			reach->name_mismatch++;
		else
			reach->reachable++;
	}
	return true;
}

/*
 * Count.  Returns false if the tables are not there or locked, with a sentence
 * in *problem.
 */
static bool
count_reach(Reach *reach, const WaFindings *findings, const char *schema, WaSaid *problem)
{
	static const char *const columns[] = {"partner_id", "applicant_name"};
	static const char *const active[] = {"active"};
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "sicantik_wa reach",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext chunk = AllocSetContextCreate(CurrentMemoryContext, "sicantik_wa reach chunk",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	WaAppTable	table;
	WaAppTable	contacts;
	WaAppRows	rows;
	Permit	   *permits;
	TimestampTz began_at = GetCurrentTimestamp();
	int			n = 0;

	memset(reach, 0, sizeof(*reach));
	*problem = NULL;
	wa_app_open(&table, schema, "sicantik_permit");
	if (table.state != WA_APP_READY)
	{
		MemoryContextSwitchTo(old);
		*problem = table.state == WA_APP_LOCKED ? not_to_be_had("sicantik_permit", table.why) :
			table.state == WA_APP_FORBIDDEN ? table.why :
			wa_say(WA_SAY_NO_PERMITS);
		return false;
	}
	wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "status", active, 1);
	wa_app_open(&contacts, schema, "res_partner");
	if (contacts.state == WA_APP_MISSING || contacts.state == WA_APP_REFUSED)
	{
		MemoryContextSwitchTo(old);
		*problem = wa_say(WA_SAY_NO_PARTNERS);
		return false;
	}
	permits = palloc_extended(sizeof(Permit) * Max(rows.n, 1), MCXT_ALLOC_HUGE);
	for (uint64 r = 0; r < rows.n; r++)
	{
		reach->active++;
		if (rows.values[r][0] == NULL)
		{
			reach->without_partner++;
			continue;
		}
		permits[n].partner_id = strtoll(rows.values[r][0], NULL, 10);
		permits[n++].applicant = rows.values[r][1];
	}
	qsort(permits, n, sizeof(Permit), by_partner);
	MemoryContextSwitchTo(chunk);
	for (int start = 0; start < n; start += CHUNK)
	{
		if (!count_chunk(reach, findings, schema, permits + start, Min(CHUNK, n - start), problem))
			break;
		/* each of them may be quick enough, and all of them not */
		if (TimestampDifferenceExceeds(began_at, GetCurrentTimestamp(), wa_guc_read_timeout))
		{
			*problem = wa_say(WA_SAY_NOT_COUNTED, psprintf("%g", wa_guc_read_timeout / 1000.0));
			break;
		}
		MemoryContextReset(chunk);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(old);
	/* a problem stands in them */
	if (*problem)
		return false;
	MemoryContextDelete(chunk);
	MemoryContextDelete(work);
	return true;
}

static bool
find_reach(void *argument)
{
	WaFindings *findings = argument;
	WaSaid		problem;
	WaSaid		advice;
	Reach		reach;

	if (!count_reach(&reach, findings, wa_office_get("odoo_schema"), &problem))
	{
		wa_admin_find(findings, WA_WARNING_ODOO, "reach", NULL, problem);
		return true;
	}
	advice = reach.reachable == reach.active ? NULL :
		reach.reachable == 0 ? wa_say(WA_SAY_LINK_CONTACTS) : wa_say(WA_SAY_LINK_MORE_CONTACTS);
	/* some without a number there will always be */
	wa_admin_find(findings, reach.active > 0 && reach.reachable == 0 ? WA_WARNING_ODOO : WA_FINE, "reach", NULL,
				  wa_said_and(wa_say(WA_SAY_REACH, WA_NUMBER(reach.active), WA_NUMBER(reach.reachable),
									 WA_NUMBER(reach.without_partner), WA_NUMBER(reach.without_number),
									 WA_NUMBER(reach.name_mismatch), WA_NUMBER(reach.refused)), advice));
	return true;
}

void
wa_admin_find_reach(WaFindings *findings)
{
	(void) wa_admin_find_look(findings, WA_ERROR_ODOO, "reach", find_reach, findings);
}
