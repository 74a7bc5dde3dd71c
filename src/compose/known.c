/*-------------------------------------------------------------------------
 *
 * known.c
 *		Messages about permits of which it is known what they were made from.
 *
 * In a mass drain nearly every message has waited for a moment when its turn
 * comes, and composing it again to find the same costs as much as sending it.
 * So the worker remembers, of each change of a permit that it composed, all
 * that the answer depends on.  As long as all of that is the same, the answer
 * is, and the scenario is not asked.  It depends on
 *
 * - scenarios, templates, mappings and settings: no row of those tables is
 *	 another one than before;
 * - the permit with its type, the words for its status, its contact with the
 *	 number and the name, its staff, and whether all that can be read: it is
 *	 read again, by the same functions, and compared as a whole;
 * - the message itself: its row is the very one that was inserted;
 * - what has been announced: no message of the change was dropped because
 *	 another one had said it, and the one that announces it does so still.
 *	 Who else might say it (replace.c) takes that away first;
 * - other changes of the permit: none has been composed since.  A process
 *	 beside the worker has the same memory (together.h); a session composes in
 *	 wa_replay() only, after which all is forgotten;
 * - the time: not at all, for permits.  What was said of the hour, of limits
 *	 and of what is muted when it was composed is not asked again, either.
 *
 * Messages of other scenarios depend on more (each other, the day): they are
 * always asked about, and so is whatever is not remembered: made by a session,
 * by the worker before, too long ago, or so long that its place was taken.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "storage/itemptr.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compose/compose.h"
#include "compose/known.h"
#include "compose/permit_scenario.h"
#include "compose/together.h"
#include "odoo/people.h"
#include "pg/query.h"
#include "pg/subtransaction.h"

#define LONGEST_US		(10 * USECS_PER_MINUTE)

/* How often all had been forgotten when this process began to compose. */
static uint32 forgotten = 0;

/* What all of them have in common, as this process has worked it out. */
static uint64 made_for = 0;		/* of this configuration; 0: of none */
static MemoryContext made_from = NULL;	/* holds what follows */
static char *schema = NULL;
static char **groups = NULL;	/* of the staff that is told, see
								 * wa_compose_staff_groups() */
static int	ngroups = 0;

/*
 * Forget everything, also what is being composed now: what follows is asked
 * about.
 */
void
wa_compose_known_forget(void)
{
	WaTogether *together = wa_compose_together(false);

	if (together == NULL)
		return;
	LWLockAcquire(&together->lock, LW_EXCLUSIVE);
	memset(together->places, 0, sizeof(WaKnown) * together->nplaces);
	pg_atomic_fetch_add_u32(&together->forgotten, 1);
	LWLockRelease(&together->lock);
}

/*
 * Composing begins: what is remembered of it counts if nothing is forgotten
 * meanwhile.
 */
void
wa_compose_known_begin(void)
{
	forgotten = pg_atomic_read_u32(&wa_compose_together(true)->forgotten);
}

/*
 * The version of all rows that a message is made by: not 0, and another one
 * after each change.  Taken before they are read.
 */
uint64
wa_compose_known_configuration(void)
{
	static WaStatement versions =
		WA_STATEMENT("SELECT tableoid, ctid, xmin FROM wa.scenario UNION ALL SELECT tableoid, ctid, xmin FROM wa.template"
					 " UNION ALL SELECT tableoid, ctid, xmin FROM wa.template_mapping"
					 " UNION ALL SELECT tableoid, ctid, xmin FROM wa.setting");
	WaRows		rows = wa_query(&versions, NULL);
	uint64		all = rows.n;

	for (uint64 r = 0; r < rows.n; r++)
	{
		struct
		{
			Oid			table;
			TransactionId xmin;
			BlockNumber block;
			uint32		offset;
		}			version;
		ItemPointer ctid = wa_row_tid(rows, r, 2);

		version.table = wa_row_oid(rows, r, 1);
		version.block = ItemPointerGetBlockNumber(ctid);
		version.offset = ItemPointerGetOffsetNumber(ctid);
		version.xmin = wa_row_oid(rows, r, 3);
		all += hash_bytes_extended((const unsigned char *) &version, sizeof(version), 0);
	}
	wa_rows_free(rows);
	return all | 1;
}

static uint64
add_recipient(uint64 facts, const WaRecipient *recipient)
{
	if (recipient == NULL)
		return wa_odoo_add_fact(facts, NULL);
	facts = hash_combine64(facts, (uint64) recipient->partner_id);
	facts = wa_odoo_add_fact(facts, recipient->name);
	facts = wa_odoo_add_fact(facts, recipient->number);
	facts = wa_odoo_add_fact(facts, (const char *) recipient->number_source);
	facts = wa_odoo_add_fact(facts, (const char *) recipient->tried);
	return wa_odoo_add_fact(facts, (const char *) recipient->note);
}

/* All that was read for the change of this permit; 0: it is gone. */
static uint64
facts_of(WaBatch *batch, int64 record_id)
{
	const WaPermit *permit = wa_odoo_permit(&batch->odoo, record_id);
	uint64		facts;
	ListCell   *cell;

	if (permit == NULL)
		return 0;
	facts = wa_odoo_permit_facts(&batch->odoo, permit);
	facts = add_recipient(facts, wa_odoo_partner(&batch->odoo, permit->partner_id));
	if (batch->odoo.no_contacts)
		facts = wa_odoo_add_fact(facts, "no_contacts");
	for (int g = 0; g < ngroups; g++)
	{
		foreach(cell, wa_odoo_staff(&batch->odoo, "sicantik.permit", record_id, groups[g]))
			facts = add_recipient(facts, lfirst(cell));
		if (groups[g] && wa_odoo_group_known(&batch->odoo, groups[g]))
			facts = wa_odoo_add_fact(facts, "group_known");
	}
	return facts ? facts : 1;
}

/* Has this draft been made from nothing but what is compared? */
static bool
is_plain(const WaDraft *draft)
{
	return !draft->muted && draft->said == NULL && draft->unless == NULL &&
		draft->problem == NULL && !draft->message.in_doubt;
}

/* Work out what all messages of this configuration have in common. */
static void
make_for(const WaBatch *batch, uint64 configuration)
{
	const char **now;
	int			n;

	if (made_for == configuration)
		return;
	made_for = 0;
	if (made_from)
		MemoryContextReset(made_from);
	else
		made_from = AllocSetContextCreate(TopMemoryContext, "sicantik_wa known configuration", ALLOCSET_SMALL_SIZES);
	n = wa_compose_staff_groups(batch, "sicantik_permit", &now);
	ngroups = 0;
	groups = MemoryContextAlloc(made_from, sizeof(char *) * Max(n, 1));
	schema = MemoryContextStrdup(made_from, batch->odoo.schema);
	for (int i = 0; i < n; i++)
		groups[i] = now[i] ? MemoryContextStrdup(made_from, now[i]) : NULL;
	ngroups = n;
	made_for = configuration;
}

/* What is remembered of this event, whose drafts begin at drafts[*d]. */
static WaKnown
known_of(WaBatch *batch, const WaEvent *event, WaDraft **drafts, int n, int *d)
{
	WaKnown		known = {0};
	bool		plain = true;
	bool		any = false;

	for (; *d < n && drafts[*d]->event == event; (*d)++)
	{
		const WaDraft *draft = drafts[*d];

		if (!wa_compose_is_of_permits(draft->scenario))
			continue;
		plain = plain && is_plain(draft);
		if (draft->dropped)
			continue;
		any = true;
		if (draft->once)
			known.announcer = draft->message.id;
	}
	if (!plain || !any)
		return known;
	known.record_id = event->record_id;
	known.event_id = event->id;
	known.xid = GetCurrentTransactionId();
	known.facts = facts_of(batch, event->record_id);
	known.at = GetCurrentTimestamp();
	return known;
}

/* Would one of these push out another record that may still be asked about? */
static bool
is_crowded(WaTogether *together, const int64 *records, int n)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < n; i++)
	{
		const WaKnown *place = wa_compose_place(together, records[i]);

		if (place->record_id != 0 && place->record_id != records[i] &&
			now >= place->at && now - place->at <= LONGEST_US)
			return true;
	}
	return false;
}

/* Put them into their places; empty ones empty theirs. */
static void
put(uint64 configuration, const int64 *records, const WaKnown *known, int n)
{
	WaTogether *together = wa_compose_together(true);

	while (is_crowded(together, records, n))
	{
		WaTogether *more = wa_compose_together_grow();

		if (more == NULL)
			break;
		together = more;
	}
	LWLockAcquire(&together->lock, LW_EXCLUSIVE);
	if (together->configuration != configuration)
		memset(together->places, 0, sizeof(WaKnown) * together->nplaces);
	together->configuration = configuration;
	for (int i = 0; i < n; i++)
	{
		*wa_compose_place(together, records[i]) = known[i];
		/* something has made the worker doubt all this */
		if (pg_atomic_read_u32(&together->forgotten) != forgotten)
			wa_compose_place(together, records[i])->record_id = 0;
	}
	LWLockRelease(&together->lock);
}

/*
 * These drafts have been written, in the order of their events.  Nothing is
 * remembered where batch->configuration is 0.
 */
void
wa_compose_known_remember(WaBatch *batch, WaDraft **drafts, int n)
{
	WaKnown    *known;
	int64	   *records;
	int			k = 0;
	int			d = 0;

	if (batch->configuration == 0)
		return;
	make_for(batch, batch->configuration);
	known = palloc(sizeof(WaKnown) * Max(batch->nevents, 1));
	records = palloc(sizeof(int64) * Max(batch->nevents, 1));
	for (int e = 0; e < batch->nevents; e++)
	{
		const WaEvent *event = &batch->events[e];

		while (d < n && drafts[d]->event < event)
			d++;
		if (!event->has_record || strcmp(event->table, "sicantik_permit") != 0)
			continue;
		records[k] = event->record_id;
		known[k++] = known_of(batch, event, drafts, n, &d);
	}
	put(batch->configuration, records, known, k);
}

/* A message whose facts are read again. */
typedef struct Candidate
{
	int64		id;
	WaKnown		known;
} Candidate;

/* Those of the messages that are as they were inserted. */
static int
find_candidates(WaTogether *together, uint64 configuration, const int64 *ids, int n, Candidate *candidates)
{
	static WaStatement find =
		WA_STATEMENT("SELECT m.id, m.res_id, m.event_id, m.xmin,"
					 " EXISTS (SELECT FROM wa.announced AS o WHERE o.message_id = m.id)"
					 " FROM wa.message AS m WHERE m.id = ANY ($1) AND m.state = " WA_SQL_STATE(QUEUED) " AND m.res_model = 'sicantik.permit'"
					 " AND m.change IS NOT NULL");
	TimestampTz now = GetCurrentTimestamp();
	WaArgs		args = {0};
	WaRows		rows;
	int			k = 0;

	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&find, &args);
	LWLockAcquire(&together->lock, LW_SHARED);
	for (uint64 r = 0; r < rows.n && together->configuration == configuration; r++)
	{
		int64		id = wa_row_int8(rows, r, 1);
		const WaKnown *known = wa_compose_place(together, wa_row_int8(rows, r, 2));

		if (known->record_id == 0 || known->record_id != wa_row_int8(rows, r, 2) ||
			known->event_id != wa_row_int8(rows, r, 3) ||
			known->xid != wa_row_oid(rows, r, 4) || (known->announcer == id) != wa_row_bool(rows, r, 5) ||
			now < known->at || now - known->at > LONGEST_US)
			continue;
		candidates[k].id = id;
		candidates[k++].known = *known;
	}
	LWLockRelease(&together->lock);
	wa_rows_free(rows);
	return k;
}

typedef struct Looking
{
	const char *schema;
	const int64 *ids;
	int			n;
	int64	   *still;
	int			nstill;
} Looking;

static bool
look(void *argument)
{
	Looking    *looking = argument;
	Candidate  *candidates = palloc(sizeof(Candidate) * looking->n);
	int64	   *records = palloc(sizeof(int64) * looking->n);
	uint64		configuration = wa_compose_known_configuration();
	WaBatch		batch = {0};
	int			n;

	n = find_candidates(wa_compose_together(true), configuration, looking->ids, looking->n, candidates);
	if (n == 0)
		return true;
	batch.odoo.schema = looking->schema;
	if (made_for != configuration)
	{
		/* another process has composed them */
		batch.scenarios = wa_compose_load_scenarios(&batch.nscenarios);
		make_for(&batch, configuration);
	}
	for (int i = 0; i < n; i++)
		records[i] = candidates[i].known.record_id;
	if (strcmp(looking->schema, schema) != 0 || !wa_odoo_load_permits(&batch.odoo, records, n) ||
		!wa_compose_load_contacts(&batch, records, n) ||
		!wa_compose_load_staff(&batch, "sicantik.permit", records, n, (const char *const *) groups, ngroups))
		return true;
	for (int i = 0; i < n; i++)
		if (facts_of(&batch, records[i]) == candidates[i].known.facts)
			looking->still[looking->nstill++] = candidates[i].id;
	return true;
}

/*
 * Of which of these messages is it known that their scenario would say the
 * same as when they were made?  Their ids are put into still[], which has room
 * for n; returns how many.  What cannot be read now is of none.
 */
int
wa_compose_known_still(const char *odoo_schema, const int64 *ids, int n, int64 *still)
{
	Looking		looking = {odoo_schema, ids, n, still, 0};
	ErrorData  *error;

	if (wa_compose_together(false) == NULL || n == 0)
		return 0;
	error = wa_pg_attempt(look, &looking);
	return error ? 0 : looking.nstill;
}
