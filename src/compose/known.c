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
 *	 number and the name, its staff, and whether all that can be read.  The rows
 *	 of the permit and its contact are the same versions as before
 *	 (pg/app_version.c), or they are read again, by the same functions, and
 *	 compared as a whole, as is always done with the rest;
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

/* What stands in the rows of a permit and its contact; 0: it is gone. */
static uint64
facts_of(WaBatch *batch, int64 record_id)
{
	const WaPermit *permit = wa_odoo_permit(&batch->odoo, record_id);
	uint64		facts;

	if (permit == NULL)
		return 0;
	facts = add_recipient(wa_odoo_permit_facts(permit), wa_odoo_partner(&batch->odoo, permit->partner_id));
	return facts ? facts : 1;
}

/* What else was read for the change of a permit of this type. */
static uint64
rest_of(WaBatch *batch, int64 record_id, int64 type_id)
{
	uint64		facts = wa_odoo_permit_words_facts(&batch->odoo, type_id);
	ListCell   *cell;

	if (batch->odoo.no_contacts)
		facts = wa_odoo_add_fact(facts, "no_contacts");
	for (int g = 0; g < ngroups; g++)
	{
		foreach(cell, wa_odoo_staff(&batch->odoo, "sicantik.permit", record_id, groups[g]))
			facts = add_recipient(facts, lfirst(cell));
		if (groups[g] && wa_odoo_group_known(&batch->odoo, groups[g]))
			facts = wa_odoo_add_fact(facts, "group_known");
	}
	return facts;
}

/* Which versions of these two rows were read, where that is known of both. */
static void
note_versions(WaBatch *batch, WaKnown *known)
{
	const WaPermit *permit = wa_odoo_permit(&batch->odoo, known->record_id);
	const WaRecipient *contact = permit ? wa_odoo_partner(&batch->odoo, permit->partner_id) : NULL;

	if (contact == NULL)
		return;
	known->permit_xmin = permit->version.xmin;
	known->permit_at = permit->version.tid;
	known->contact_xmin = contact->version.xmin;
	known->contact_at = contact->version.tid;
}

/* What the versions of both go with; 0: there are none. */
static uint64
layout_of(uint64 permits, uint64 contacts)
{
	return permits == 0 || contacts == 0 ? 0 : hash_combine64(permits, contacts) | 1;
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
	if (known.facts != 0)
		known.rest = rest_of(batch, event->record_id, wa_odoo_permit(&batch->odoo, event->record_id)->permit_type_id);
	note_versions(batch, &known);
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
put(uint64 configuration, uint64 layout, const int64 *records, WaKnown *known, int n)
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
	if (layout != 0 && together->layout != layout)
	{
		for (uint32 i = 0; i < together->nplaces; i++)
			together->places[i].permit_xmin = InvalidTransactionId;
		together->layout = layout;
	}
	for (int i = 0; i < n; i++)
	{
		if (layout == 0)
			known[i].permit_xmin = InvalidTransactionId;
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
	put(batch->configuration, layout_of(wa_odoo_permit_layout(&batch->odoo), wa_odoo_partner_layout(&batch->odoo)),
		records, known, k);
}

/* A message whose facts are read again. */
typedef struct Candidate
{
	int64		id;
	WaKnown		known;
	int64		type_id;		/* if its rows are the same versions; -1: they
								 * are to be read */
} Candidate;

/* Those of the messages that are as they were inserted. */
static int
find_candidates(WaTogether *together, uint64 configuration, const int64 *ids, int n, Candidate *candidates,
				uint64 *layout)
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
	*layout = together->layout;
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

/*
 * Of which candidates are the rows of the permit and of its contact the versions
 * that they were?  Returns false if a table could not be had now.
 */
static bool
look_at_versions(WaOdoo *odoo, Candidate *candidates, int n, uint64 layout)
{
	WaAppLook	permits;
	WaAppLook	contacts;
	bool		same;
	int			nsame = 0;

	if (!wa_odoo_look_at_permits(odoo, &permits) || !wa_odoo_look_at_partners(odoo, &contacts))
		return false;
	same = layout != 0 && layout == layout_of(permits.layout, contacts.layout);
	for (int i = 0; i < n; i++)
	{
		const WaKnown *known = &candidates[i].known;
		const WaAppVersion permit = {known->permit_at, known->permit_xmin};
		const WaAppVersion contact = {known->contact_at, known->contact_xmin};

		candidates[i].type_id = -1;
		if (same && wa_app_look(&contacts, &contact))
			candidates[i].type_id = wa_odoo_look_at_permit(&permits, &permit);
		if (candidates[i].type_id >= 0)
			nsame++;
	}
	wa_app_look_end(&permits);
	wa_app_look_end(&contacts);
	ereport(DEBUG1,
			(errmsg_internal("of %d permits %d are of the versions that were read", n, nsame)));
	return true;
}

/* Which of these candidates are still what they were?  Those of same versions, or the others. */
static bool
compare(Looking *looking, const char *schema_now, Candidate *candidates, int n, bool by_version)
{
	int64	   *records = palloc(sizeof(int64) * Max(n, 1));
	int64	   *types = palloc(sizeof(int64) * Max(n, 1));
	WaBatch		batch = {.odoo = {.schema = schema_now}};
	int			nasked = 0;

	for (int i = 0; i < n; i++)
	{
		if ((candidates[i].type_id >= 0) != by_version)
			continue;
		types[nasked] = candidates[i].type_id;
		records[nasked++] = candidates[i].known.record_id;
	}
	if (nasked == 0)
		return true;
	if (by_version ? !wa_odoo_load_permit_words(&batch.odoo, types, nasked) || !wa_odoo_load_partners(&batch.odoo, NULL, 0) :
		!wa_odoo_load_permits(&batch.odoo, records, nasked) || !wa_compose_load_contacts(&batch, records, nasked))
		return false;
	if (!wa_compose_load_staff(&batch, "sicantik.permit", records, nasked, (const char *const *) groups, ngroups))
		return false;
	for (int i = 0; i < n; i++)
	{
		const WaKnown *known = &candidates[i].known;
		int64		type_id = candidates[i].type_id;

		if ((type_id >= 0) != by_version)
			continue;
		if (!by_version)
		{
			if (facts_of(&batch, known->record_id) != known->facts || known->facts == 0)
				continue;
			type_id = wa_odoo_permit(&batch.odoo, known->record_id)->permit_type_id;
		}
		if (rest_of(&batch, known->record_id, type_id) == known->rest)
			looking->still[looking->nstill++] = candidates[i].id;
	}
	return true;
}

static bool
look(void *argument)
{
	Looking    *looking = argument;
	Candidate  *candidates = palloc(sizeof(Candidate) * looking->n);
	uint64		configuration = wa_compose_known_configuration();
	uint64		layout;
	WaBatch		batch = {0};
	int			n;

	n = find_candidates(wa_compose_together(true), configuration, looking->ids, looking->n, candidates, &layout);
	if (n == 0)
		return true;
	batch.odoo.schema = looking->schema;
	if (made_for != configuration)
	{
		/* another process has composed them */
		batch.scenarios = wa_compose_load_scenarios(&batch.nscenarios);
		make_for(&batch, configuration);
	}
	if (strcmp(looking->schema, schema) != 0 || !look_at_versions(&batch.odoo, candidates, n, layout))
		return true;
	if (!compare(looking, looking->schema, candidates, n, true) ||
		!compare(looking, looking->schema, candidates, n, false))
		looking->nstill = 0;
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
