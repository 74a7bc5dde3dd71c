/*-------------------------------------------------------------------------
 *
 * reminder.c
 *		reminder: documents that have been waiting for longer than a day.
 *
 * Each person who is responsible for some of them gets one message with the
 * number of his documents and the oldest of them.  Odoo's times are UTC
 * without saying so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compose/record_values.h"
#include "compose/scenario.h"
#include "odoo/people.h"
#include "pg/query.h"

#define MODEL			"sicantik.document"
#define PENDING			"pending_signature"
#define WAITED_US		USECS_PER_DAY

/* of all internal users, if nobody is responsible */
#define ANYBODY			3

typedef struct Waiting
{
	int64		id;
	int64		permit_id;
	int64		signer_id;
	int64		uploader_id;
	List	   *approvers;		/* of int64 *, users */
	TimestampTz requested_at;	/* by a pending workflow, or 0 */
	TimestampTz seen_at;		/* by us, or 0 */
	TimestampTz written_at;		/* by Odoo, or 0 */
	TimestampTz since;			/* the first of these that is known */
} Waiting;

typedef struct Person
{
	WaRecipient *recipient;
	int			count;
	const Waiting *oldest;
	const Waiting *last;		/* document that was counted last */
} Person;

/* UTC without zone; 0 if unknown. */
static TimestampTz
as_time(const char *text)
{
	if (text == NULL)
		return 0;
	/* both count from the same instant in UTC */
	return (TimestampTz) DatumGetTimestamp(DirectFunctionCall3(timestamp_in,
															   CStringGetDatum(text),
															   ObjectIdGetDatum(InvalidOid),
															   Int32GetDatum(-1)));
}

static Waiting *
find(Waiting *list, int n, int64 id)
{
	return n > 0 ? bsearch(&id, list, n, sizeof(Waiting), wa_odoo_by_id) : NULL;
}

static int
read_documents(const WaAppTable *table, Waiting **list)
{
	static const char *const columns[] = {
		"id", "permit_id", "signer_id", "uploaded_by", "write_date"
	};
	static const char *const state[] = {PENDING};
	WaAppRows	rows;

	wa_app_read_by_text(&rows, table, columns, lengthof(columns), "state", state, 1);
	*list = palloc0(sizeof(Waiting) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
	{
		(*list)[r].id = wa_odoo_id(rows.values[r][0]);
		(*list)[r].permit_id = wa_odoo_id(rows.values[r][1]);
		(*list)[r].signer_id = wa_odoo_id(rows.values[r][2]);
		(*list)[r].uploader_id = wa_odoo_id(rows.values[r][3]);
		(*list)[r].written_at = as_time(rows.values[r][4]);
	}
	qsort(*list, rows.n, sizeof(Waiting), wa_odoo_by_id);
	return (int) rows.n;
}

static void
read_workflows(const WaAppTable *table, Waiting *list, int n)
{
	static const char *const columns[] = {
		"document_id", "approver_id", "state", "create_date"
	};
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	WaAppRows	rows;

	if (table->state != WA_APP_READY)
		return;
	for (int i = 0; i < n; i++)
		ids[i] = list[i].id;
	wa_app_read_by_id(&rows, table, columns, lengthof(columns), "document_id", ids, n);
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];
		Waiting    *document = find(list, n, wa_odoo_id(row[0]));
		TimestampTz at = as_time(row[3]);

		if (document == NULL || row[2] == NULL || strcmp(row[2], "pending") != 0)
			continue;
		if (at != 0 && (document->requested_at == 0 || at < document->requested_at))
			document->requested_at = at;
		if (row[1])
		{
			int64	   *user = palloc(sizeof(int64));

			*user = wa_odoo_id(row[1]);
			document->approvers = lappend(document->approvers, user);
		}
	}
}

/* When we saw the documents begin to wait. */
static void
read_events(const WaAppTable *table, Waiting *list, int n)
{
	static WaStatement seen =
		WA_STATEMENT("SELECT record_id, max(at) FROM wa.event WHERE relation = $1 AND record_id = ANY ($2)"
					 " AND new[array_position(columns, 'state')] = '" PENDING "'"
					 " AND (old IS NULL OR old[array_position(columns, 'state')] IS DISTINCT FROM '" PENDING "')"
					 " GROUP BY record_id");
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	int			nids = 0;
	WaArgs		args = {0};
	WaRows		rows;

	for (int i = 0; i < n; i++)
		if (list[i].requested_at == 0)
			ids[nids++] = list[i].id;
	if (nids == 0)
		return;
	wa_arg_text(&args, table->relation);
	wa_arg_int8_array(&args, ids, nids);
	rows = wa_query(&seen, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		Waiting    *document = find(list, n, wa_row_int8(rows, i, 1));

		if (document)
			document->seen_at = wa_row_timestamptz(rows, i, 2);
	}
}

/* Leave those that have waited for long.  Returns how many. */
static int
keep_old(Waiting *list, int n, TimestampTz now)
{
	int			kept = 0;

	for (int i = 0; i < n; i++)
	{
		Waiting    *w = &list[i];

		w->since = w->requested_at ? w->requested_at : w->seen_at ? w->seen_at : w->written_at;
		if (w->since != 0 && now - w->since > WAITED_US)
			list[kept++] = *w;
	}
	return kept;
}

/* Everybody who may turn out to be responsible.  False: a table is locked. */
static bool
load_people(WaBatch *batch, const WaScenario *scenario, const Waiting *list, int n)
{
	int			size = 0;
	int64	   *users;
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	int			nusers = 0;
	ListCell   *cell;

	for (int i = 0; i < n; i++)
		size += list_length(list[i].approvers) + 2;
	users = palloc(sizeof(int64) * Max(size, 1));
	for (int i = 0; i < n; i++)
	{
		ids[i] = list[i].id;
		foreach(cell, list[i].approvers)
			users[nusers++] = *(int64 *) lfirst(cell);
		users[nusers++] = list[i].signer_id;
		users[nusers++] = list[i].uploader_id;
	}
	return wa_odoo_load_users(&batch->odoo, users, nusers) &&
		wa_odoo_load_staff(&batch->odoo, MODEL, ids, n, scenario->staff_group);
}

/* Up to three internal users, of those with a number if there are any. */
static List *
anybody(WaBatch *batch)
{
	List	   *all = wa_odoo_group(&batch->odoo, NULL);
	List	   *some = NIL;
	ListCell   *cell;

	for (int with_number = 1; with_number >= 0 && some == NIL; with_number--)
		foreach(cell, all)
	{
		WaRecipient *recipient = lfirst(cell);

		if (list_length(some) < ANYBODY && (!with_number || recipient->number))
			some = lappend(some, recipient);
	}
	return some;
}

/*
 * Who is to act on a document: its approvers, else the signer, else who
 * uploaded it, else its followers, else the group of the staff, else anybody;
 * internal users only.  Sets *locked if that cannot be told now.
 */
static List *
responsible(WaBatch *batch, const WaScenario *scenario, const Waiting *document, bool *locked)
{
	const char *group = scenario->staff_group;
	const int64 others[] = {document->signer_id, document->uploader_id};
	List	   *list = NIL;
	ListCell   *cell;

	foreach(cell, document->approvers)
	{
		WaRecipient *recipient = wa_odoo_user(&batch->odoo, *(int64 *) lfirst(cell));

		if (recipient)
			list = lappend(list, recipient);
	}
	for (size_t i = 0; list == NIL && i < lengthof(others); i++)
	{
		WaRecipient *recipient = others[i] ? wa_odoo_user(&batch->odoo, others[i]) : NULL;

		if (recipient)
			list = lappend(list, recipient);
	}
	if (list == NIL)
		list = wa_odoo_staff(&batch->odoo, MODEL, document->id, NULL);
	if (list == NIL && group)
		list = wa_odoo_group(&batch->odoo, group);
	if (list == NIL)
	{
		*locked = !wa_odoo_load_group(&batch->odoo, NULL);
		if (!*locked)
			list = anybody(batch);
	}
	return list;
}

/* One entry a person, and a number: two contacts may be one telephone. */
static void
count_for(List **people, WaRecipient *recipient, const Waiting *document)
{
	Person	   *person = NULL;
	ListCell   *cell;

	foreach(cell, *people)
	{
		Person	   *p = lfirst(cell);

		if (p->recipient->partner_id == recipient->partner_id ||
			(p->recipient->number && recipient->number &&
			 strcmp(p->recipient->number, recipient->number) == 0))
			person = p;
	}
	if (person == NULL)
	{
		person = palloc0(sizeof(Person));
		person->recipient = recipient;
		*people = lappend(*people, person);
	}
	/* two approvers who are one person */
	if (person->last == document)
		return;
	person->last = document;
	person->count++;
	if (person->oldest == NULL || document->since < person->oldest->since)
		person->oldest = document;
}

/* How long, in words: hours up to two days, then days. */
static char *
waited(TimestampTz since, TimestampTz now)
{
	int64		hours = (now - since) / USECS_PER_HOUR;

	if (hours < 48)
		return psprintf(INT64_FORMAT " jam", hours);
	return psprintf(INT64_FORMAT " hari", hours / 24);
}

static WaDraft *
remind(WaBatch *batch, const WaScenario *scenario, const WaEvent *event, const Person *person,
	   TimestampTz now)
{
	WaPermit   *permit = wa_odoo_permit(&batch->odoo, person->oldest->permit_id);
	WaValues	values = {0};
	WaDraft    *draft;

	wa_compose_values_add(&values, "jumlah", psprintf("%d", person->count));
	wa_compose_values_add(&values, "waktu_pending", waited(person->oldest->since, now));
	if (permit == NULL)
	{
		wa_compose_values_add(&values, "jenis_izin", "");
		wa_compose_values_add(&values, "nama_pemohon", "");
		wa_compose_office_values(batch, &values);
	}
	draft = wa_compose_message(batch, event, scenario, person->recipient, permit, &values, NULL);
	draft->message.res_id = person->oldest->id;
	return draft;
}

/* Who is to be reminded, of what. */
typedef struct Reminders
{
	const char *relation;
	bool		has_state;		/* there is a table of documents with states */
	int			ndocuments;		/* that have waited for long */
	List	   *people;			/* of Person */
	List	   *unattended;		/* of Waiting: there is nobody */
} Reminders;

/* Returns false if a table could not be had now. */
static bool
find_people(WaBatch *batch, const WaScenario *scenario, TimestampTz now, Reminders *reminders)
{
	WaAppTable	documents;
	WaAppTable	workflows;
	Waiting    *list;
	int			n;
	ListCell   *cell;
	int64	   *permits;
	int			npermits = 0;
	bool		locked;

	memset(reminders, 0, sizeof(*reminders));
	if (!wa_odoo_open(&batch->odoo, &documents, "sicantik_document") ||
		!wa_odoo_open(&batch->odoo, &workflows, "signature_workflow"))
		return false;
	reminders->has_state = wa_app_has_column(&documents, "state");
	if (!reminders->has_state)
		return true;
	reminders->relation = documents.relation;
	n = read_documents(&documents, &list);
	read_workflows(&workflows, list, n);
	read_events(&documents, list, n);
	n = keep_old(list, n, now);
	reminders->ndocuments = n;
	if (n == 0)
		return true;

	locked = !load_people(batch, scenario, list, n);
	for (int i = 0; !locked && i < n; i++)
	{
		List	   *who = responsible(batch, scenario, &list[i], &locked);

		if (who == NIL && !locked)
			reminders->unattended = lappend(reminders->unattended, &list[i]);
		foreach(cell, who)
			count_for(&reminders->people, lfirst(cell), &list[i]);
	}
	permits = palloc(sizeof(int64) * Max(list_length(reminders->people), 1));
	foreach(cell, reminders->people)
		permits[npermits++] = ((Person *) lfirst(cell))->oldest->permit_id;
	return !locked && wa_odoo_load_permits(&batch->odoo, permits, npermits);
}

static bool
run(WaDaily *daily)
{
	WaBatch		batch = *daily->common;
	Reminders	reminders;
	ListCell   *cell;

	if (!find_people(&batch, daily->scenario, daily->now, &reminders))
	{
		daily->common->odoo.locked_table = batch.odoo.locked_table;
		return false;
	}
	if (!reminders.has_state)
	{
		daily->note = wa_say(WA_SAY_NO_TABLE_DOCUMENT);
		return true;
	}
	if (reminders.ndocuments == 0)
		return true;
	foreach(cell, reminders.unattended)
		wa_compose_outcome(&batch, wa_compose_calendar_event(daily, reminders.relation, ((Waiting *) lfirst(cell))->id),
						   daily->scenario, "no recipient", wa_say(WA_SAY_NO_INTERNAL_USER));
	foreach(cell, reminders.people)
	{
		const Person *person = lfirst(cell);

		(void) remind(&batch, daily->scenario, wa_compose_calendar_event(daily, reminders.relation, person->oldest->id),
					  person, daily->now);
	}
	daily->note = wa_say(WA_SAY_DOCUMENTS_WAITING, WA_NUMBER(reminders.ndocuments));
	wa_compose_calendar_write(daily, &batch);
	return true;
}

/*
 * Of what are these people to be reminded now?
 */
static bool
again(WaBatch *batch, WaWaiting **list, int n)
{
	TimestampTz now = GetCurrentTimestamp();
	const WaScenario *scenario = NULL;
	Reminders	reminders = {0};

	for (int i = 0; i < n; i++)
	{
		WaWaiting  *waiting = list[i];
		ListCell   *cell;

		if (waiting->scenario != scenario && !find_people(batch, waiting->scenario, now, &reminders))
			return false;
		scenario = waiting->scenario;
		waiting->why = wa_say(WA_SAY_UNTRUE_NO_DOCUMENT_WAITS);
		foreach(cell, reminders.people)
		{
			const Person *person = lfirst(cell);

			if (person->recipient->partner_id == waiting->partner_id)
				waiting->now = remind(batch, scenario, waiting->event, person, now);
		}
	}
	return true;
}

const WaComposer wa_compose_reminder = {
	.name = "reminder",
	.model = MODEL,
	.rank = 40,
	.daily = run,
	.again = again,
	.values = {{"jumlah", "jumlah"}, {"waktu_pending",.drifts = true}},
	.odoo_keys = {"izin_reminder"},
	.defaults = {
		.name = "Reminder Dokumen Pending",
		.body = "Yth. Bapak/Ibu petugas,\n\n"
		"Masih terdapat {{jumlah}} dokumen yang menunggu tindak lanjut Bapak/Ibu. "
		"Dokumen terlama adalah {{jenis_izin}} atas nama pemohon {{nama_pemohon}} "
		"yang telah menunggu selama {{waktu_pending}} sejak diajukan.\n\n"
		"Dokumen dapat dilihat melalui dasbor {{link_dashboard}} untuk ditindaklanjuti.\n\n"
		"Terima kasih.",
		.parameters = {"jumlah", "jenis_izin", "nama_pemohon", "waktu_pending", "link_dashboard"},
		.time_to_live = "8 hours",
		.unknown_policy = "give up",
		.priority = "low",
		.office_hours = true,
		.daily_at = "10:00",
		.no_limits = true
	}
};
