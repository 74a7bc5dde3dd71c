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
 * - other changes of the permit: none has been composed since.  Another
 *	 process composes in wa_replay() only, after which all is forgotten;
 * - the time: not at all, for permits.  What was said of the hour, of limits
 *	 and of what is muted when it was composed is not asked again, either.
 *
 * Messages of other scenarios depend on more (each other, the day): they are
 * always asked about, and so is whatever is not remembered: made by another
 * process, too long ago, or so long that its place was taken.
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
#include "odoo/people.h"
#include "pg/query.h"
#include "pg/subtransaction.h"

/*
 * A record has one place; what takes it pushes out what is there.  So that a
 * mass event does not push out itself, there are more places when that
 * happens, up to 12 MB of them.
 */
#define FIRST_PLACES	4096
#define MOST_PLACES		262144

#define LONGEST_US		(10 * USECS_PER_MINUTE)

/* What is known of the change of a permit that was composed last. */
typedef struct Known
{
	int64		record_id;		/* 0: the place is empty */
	int64		event_id;
	TransactionId xid;			/* that inserted its messages */
	int64		announcer;		/* the message that announces it; 0: none */
	uint64		facts;
	TimestampTz at;
} Known;

static Known *places = NULL;
static int	nplaces = 0;

/* What all of them have in common. */
static uint64 configuration = 0;
static MemoryContext made_from = NULL;	/* holds what follows */
static char *schema = NULL;
static char **groups = NULL;	/* of the staff that is told, see
								 * wa_compose_staff_groups() */
static int	ngroups = 0;

static Known *
place_of(int64 record_id)
{
	return &places[(uint64) record_id % nplaces];
}

/* The place for what is made of this record now. */
static Known *
take_place(int64 record_id)
{
	Known	   *place = place_of(record_id);
	TimestampTz now = GetCurrentTimestamp();

	while (nplaces < MOST_PLACES && place->record_id != 0 && place->record_id != record_id &&
		   now >= place->at && now - place->at <= LONGEST_US)
	{
		Known	   *before = places;
		int			nbefore = nplaces;

		places = MemoryContextAllocZero(TopMemoryContext, sizeof(Known) * 2 * nbefore);
		nplaces = 2 * nbefore;
		for (int i = 0; i < nbefore; i++)
			if (before[i].record_id != 0)
				*place_of(before[i].record_id) = before[i];
		pfree(before);
		place = place_of(record_id);
	}
	return place;
}

/*
 * Forget everything: what follows is asked about.
 */
void
wa_compose_known_forget(void)
{
	if (places)
		memset(places, 0, sizeof(Known) * nplaces);
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

/* The same configuration as that of what is remembered; else, from now on. */
static void
set_configuration(const WaBatch *batch)
{
	const char **now;
	int			n;

	if (places == NULL)
	{
		places = MemoryContextAllocZero(TopMemoryContext, sizeof(Known) * FIRST_PLACES);
		nplaces = FIRST_PLACES;
	}
	if (configuration == batch->configuration)
		return;
	wa_compose_known_forget();
	configuration = 0;
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
	configuration = batch->configuration;
}

/*
 * These drafts have been written, in the order of their events.  Nothing is
 * remembered where batch->configuration is 0.
 */
void
wa_compose_known_remember(WaBatch *batch, WaDraft **drafts, int n)
{
	int			d = 0;

	if (batch->configuration == 0)
		return;
	set_configuration(batch);
	for (int e = 0; e < batch->nevents; e++)
	{
		const WaEvent *event = &batch->events[e];
		Known	   *place;
		bool		plain = true;
		bool		any = false;
		int64		announcer = 0;

		while (d < n && drafts[d]->event < event)
			d++;
		if (!event->has_record || strcmp(event->table, "sicantik_permit") != 0)
			continue;
		place = take_place(event->record_id);
		memset(place, 0, sizeof(*place));
		for (; d < n && drafts[d]->event == event; d++)
		{
			const WaDraft *draft = drafts[d];

			if (!wa_compose_is_of_permits(draft->scenario))
				continue;
			plain = plain && is_plain(draft);
			if (draft->dropped)
				continue;
			any = true;
			if (draft->once)
				announcer = draft->message.id;
		}
		if (!plain || !any)
			continue;
		place->record_id = event->record_id;
		place->event_id = event->id;
		place->xid = GetCurrentTransactionId();
		place->announcer = announcer;
		place->facts = facts_of(batch, event->record_id);
		place->at = GetCurrentTimestamp();
	}
}

/* A message whose facts are read again. */
typedef struct Candidate
{
	int64		id;
	const Known *known;
} Candidate;

/* Those of the messages that are as they were inserted. */
static int
find_candidates(const int64 *ids, int n, Candidate *candidates)
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
	for (uint64 r = 0; r < rows.n; r++)
	{
		int64		id = wa_row_int8(rows, r, 1);
		const Known *known = place_of(wa_row_int8(rows, r, 2));

		if (known->record_id == 0 || known->record_id != wa_row_int8(rows, r, 2) ||
			known->event_id != wa_row_int8(rows, r, 3) ||
			known->xid != wa_row_oid(rows, r, 4) || (known->announcer == id) != wa_row_bool(rows, r, 5) ||
			now < known->at || now - known->at > LONGEST_US)
			continue;
		candidates[k].id = id;
		candidates[k++].known = known;
	}
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
	WaBatch		batch = {0};
	int			n;

	if (wa_compose_known_configuration() != configuration || strcmp(looking->schema, schema) != 0)
	{
		wa_compose_known_forget();
		return true;
	}
	n = find_candidates(looking->ids, looking->n, candidates);
	batch.odoo.schema = looking->schema;
	for (int i = 0; i < n; i++)
		records[i] = candidates[i].known->record_id;
	if (n == 0 || !wa_odoo_load_permits(&batch.odoo, records, n) ||
		!wa_compose_load_contacts(&batch, records, n) ||
		!wa_compose_load_staff(&batch, "sicantik.permit", records, n, (const char *const *) groups, ngroups))
		return true;
	for (int i = 0; i < n; i++)
		if (facts_of(&batch, records[i]) == candidates[i].known->facts)
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

	if (places == NULL || configuration == 0 || n == 0)
		return 0;
	error = wa_pg_attempt(look, &looking);
	return error ? 0 : looking.nstill;
}
