/*-------------------------------------------------------------------------
 *
 * document_pending.c
 *		document_pending: documents that wait for a signature.
 *
 * Staff hear of them at most once in ten minutes, each person for himself: one
 * message names the newest document and says how many wait.  It stands for
 * those of which the person did not hear because of it, so that it still says
 * something when the one that it names is signed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "compose/document_scenario.h"
#include "compose/record_values.h"
#include "odoo/people.h"
#include "pg/query.h"
#include "queue/once.h"

/* Staff hear of new documents at most once in this time. */
#define PENDING_PAUSE	(10 * USECS_PER_MINUTE)

static WaSaid
silent(const WaScenario *scenario, const WaEvent *event, bool *nearly)
{
	*nearly = false;
	if (!wa_odoo_is_pending(wa_compose_event_new(event, "state")))
		return wa_say(WA_SAY_STATE_NOT_PENDING_SIGNATURE, wa_odoo_shown(wa_compose_event_new(event, "state")));
	if (!wa_compose_became_pending(event))
		return wa_say(WA_SAY_SO_BEFORE);
	if (!event->insert || scenario->on_insert)
		return NULL;
	*nearly = true;
	return wa_say(WA_SAY_CREATED_LIKE_THIS);
}

static bool
load(WaBatch *batch, const WaScenario *scenario)
{
	return wa_compose_load_approvers(batch) && wa_odoo_load_group(&batch->odoo, scenario->own_group);
}

static void
count_now(WaBatch *batch, WaValues *values, int64 record_id)
{
	wa_compose_values_add(values, "jumlah", psprintf("%d", wa_odoo_count_pending(&batch->odoo)));
}

/* The message that names this document to this person. */
static WaDraft *
tell(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
	 const WaDocument *document, const WaRecipient *person)
{
	WaValues	values = {0};
	WaDraft    *draft;

	count_now(batch, &values, document->id);
	wa_compose_document_values(batch, &values, document, NULL, person);
	draft = wa_compose_message(batch, event, scenario, person, NULL, &values,
							   psprintf("told:%s:" INT64_FORMAT, scenario->key, person->partner_id));
	draft->message.res_id = document->id;
	draft->again_after_us = PENDING_PAUSE;
	return draft;
}

/*
 * Tell those who have not been told yet; returns whether somebody was told
 * already, or nobody is to be told.
 */
static bool
tell_staff(WaBatch *batch, const WaScenario *scenario, const WaEvent *event,
		   const WaDocument *document, List *staff, bool *told)
{
	int			count = 0;
	bool		before = false;

	for (int i = 0; i < list_length(staff); i++)
	{
		WaRecipient *person = list_nth(staff, i);

		if (person->number == NULL || wa_compose_is_asked_to_approve(batch, scenario, document, person))
			continue;
		if (told[i])
			before = true;
		else
		{
			tell(batch, scenario, event, document, person);
			told[i] = true;
			count++;
		}
	}
	return before || count == 0;
}

/*
 * Documents that wait for a signature.  The batch is looked at as a whole,
 * when its last event of a document is due: each of the staff gets one
 * message, which names the newest document and says how many wait.
 */
static void
compose(WaBatch *batch, const WaScenario *scenario, const WaEvent *event)
{
	List	   *staff;
	bool	   *told;
	bool		anybody = false;

	for (const WaEvent *later = event + 1; later < batch->events + batch->nevents; later++)
		if (later->has_record && strcmp(later->table, event->table) == 0)
			return;
	staff = wa_odoo_group(&batch->odoo, scenario->own_group);
	told = palloc0(sizeof(bool) * Max(list_length(staff), 1));
	for (int i = 0; i < list_length(staff); i++)
		anybody = anybody || ((WaRecipient *) list_nth(staff, i))->number != NULL;

	for (; event >= batch->events; event--)
	{
		WaDocument *document;
		bool		nearly;

		if (!event->has_record || strcmp(event->table, "sicantik_document") != 0 ||
			silent(scenario, event, &nearly))
			continue;
		document = wa_odoo_document(&batch->odoo, event->record_id);
		if (document == NULL)
			wa_compose_outcome(batch, event, scenario, "gone", wa_say(WA_SAY_DOCUMENT_GONE));
		else if (!wa_odoo_is_pending(document->state))
			wa_compose_outcome(batch, event, scenario, "no longer true",
							   wa_say(WA_SAY_NO_SIGNATURE_AWAITED));
		else if (!anybody)
			wa_compose_outcome(batch, event, scenario, "no recipient",
							   scenario->own_group == NULL ? wa_say(WA_SAY_NO_USER_WITH_NUMBER) :
							   !wa_odoo_group_known(&batch->odoo, scenario->own_group) ?
							   wa_say(WA_SAY_GROUP_UNKNOWN, scenario->own_group) :
							   wa_say(WA_SAY_NO_USER_OF_GROUP_WITH_NUMBER));
		else if (tell_staff(batch, scenario, event, document, staff, told))
			wa_compose_outcome(batch, event, scenario, "suppressed",
							   wa_say(WA_SAY_STAFF_HEAR_OTHERWISE));
	}
}

/* ---- asked again ---- */

/* A document of which somebody did not hear because he had been told. */
typedef struct Silent
{
	int64		document_id;
	int64		event_id;
	TimestampTz at;
	const char *scenario;
} Silent;

/* Of the documents that wait, those of which somebody did not hear. */
static int
read_silent(const int64 *ids, int n, Silent **list)
{
	static WaStatement read =
		WA_STATEMENT("SELECT o.record_id, o.event_id, o.at, o.scenario FROM unnest($1) AS d(id)"
					 " JOIN wa.event_outcome AS o ON o.record_id = d.id"
					 " WHERE o.outcome = 'suppressed' AND o.scenario IS NOT NULL"
					 " AND o.at > clock_timestamp() - interval '30 days'");
	WaArgs		args = {0};
	WaRows		rows;
	int			count;

	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&read, &args);
	count = (int) rows.n;
	*list = palloc(sizeof(Silent) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		(*list)[i].document_id = wa_row_int8(rows, i, 1);
		(*list)[i].event_id = wa_row_int8(rows, i, 2);
		(*list)[i].at = wa_row_timestamptz(rows, i, 3);
		(*list)[i].scenario = wa_row_text(rows, i, 4);
	}
	wa_rows_free(rows);
	return count;
}

/* Read the documents that these messages stand for, and whom they concern. */
static bool
load_pending(WaBatch *batch, WaWaiting **list, int n, Silent **silent, int *nsilent)
{
	int64	   *documents;
	int			npending;
	int			ndocuments = 0;
	int			size = 0;

	if (!wa_odoo_pending_documents(&batch->odoo, &documents, &npending))
		return false;
	*nsilent = read_silent(documents, npending, silent);
	for (int i = 0; i < n; i++)
		size += 2 + list_length(list[i]->joined);
	documents = palloc(sizeof(int64) * (size + *nsilent));
	for (int i = 0; i < n; i++)
	{
		ListCell   *cell;

		documents[ndocuments++] = list[i]->record_id;
		documents[ndocuments++] = list[i]->event->record_id;
		foreach(cell, list[i]->joined)
			documents[ndocuments++] = ((WaJoined *) lfirst(cell))->record_id;
	}
	for (int i = 0; i < *nsilent; i++)
		documents[ndocuments++] = (*silent)[i].document_id;
	return wa_compose_load_these_documents(batch, documents, ndocuments);
}

static WaRecipient *
find_person(List *staff, int64 partner_id)
{
	ListCell   *cell;

	foreach(cell, staff)
		if (((WaRecipient *) lfirst(cell))->partner_id == partner_id)
		return lfirst(cell);
	return NULL;
}

/* The newest document so far, and when it came. */
typedef struct Newest
{
	WaDocument *document;
	int64		event_id;
} Newest;

/* Look at one more document that this person may hear of. */
static void
consider(WaBatch *batch, const WaScenario *scenario, const WaRecipient *person,
		 int64 document_id, int64 event_id, Newest *newest)
{
	WaDocument *document = wa_odoo_document(&batch->odoo, document_id);

	if (document == NULL || !wa_odoo_is_pending(document->state) ||
		wa_compose_is_asked_to_approve(batch, scenario, document, person) ||
		(newest->document && newest->event_id >= event_id))
		return;
	newest->document = document;
	newest->event_id = event_id;
}

/* The document that this message is to name now; NULL: none. */
static WaDocument *
newest_document(WaBatch *batch, const WaWaiting *waiting, const WaRecipient *person,
				const Silent *silent, int nsilent)
{
	const WaScenario *scenario = waiting->scenario;
	Newest		newest = {NULL, 0};
	ListCell   *cell;

	/* what it was made for, and what it names now, if it has taken a place */
	consider(batch, scenario, person, waiting->event->record_id, waiting->event_id, &newest);
	foreach(cell, waiting->joined)
	{
		const WaJoined *joined = lfirst(cell);

		consider(batch, scenario, person, joined->record_id, joined->event_id, &newest);
	}
	for (int i = 0; i < nsilent; i++)
		if (waiting->told_at != 0 && silent[i].at >= waiting->told_at &&
			strcmp(silent[i].scenario, scenario->key) == 0)
			consider(batch, scenario, person, silent[i].document_id, silent[i].event_id, &newest);
	return newest.document;
}

/* Why nothing is to be said to this person. */
static WaSaid
why_not(WaBatch *batch, const WaWaiting *waiting, const WaRecipient *person)
{
	const WaDocument *document = wa_odoo_document(&batch->odoo, waiting->record_id);

	if (person == NULL)
		return wa_say(WA_SAY_UNTRUE_NOT_INTERNAL);
	if (document == NULL)
		return wa_say(WA_SAY_UNTRUE_RECORD_GONE);
	if (!wa_odoo_is_pending(document->state))
		return wa_say(WA_SAY_UNTRUE_VALUE, "state", wa_odoo_shown(document->state), "pending_signature");
	return wa_say(WA_SAY_UNTRUE_ASKED_TO_APPROVE);
}

/*
 * What is to be said now of documents that wait?
 */
static bool
again(WaBatch *batch, WaWaiting **list, int n)
{
	Silent	   *silent;
	int			nsilent;

	wa_compose_waiting_join(list, n);
	if (!load_pending(batch, list, n, &silent, &nsilent))
		return false;
	for (int i = 0; i < n; i++)
	{
		WaWaiting  *waiting = list[i];
		WaRecipient *person;
		WaDocument *document;

		if (waiting->joined_to)
			continue;
		if (!wa_odoo_load_group(&batch->odoo, waiting->scenario->own_group))
			return false;
		person = find_person(wa_odoo_group(&batch->odoo, waiting->scenario->own_group), waiting->partner_id);
		document = person ? newest_document(batch, waiting, person, silent, nsilent) : NULL;
		if (document)
			waiting->now = tell(batch, waiting->scenario, waiting->event, document, person);
		else
			waiting->why = why_not(batch, waiting, person);
		waiting->keeps_keys = true;
	}
	return true;
}

/*
 * These messages asked for an approval of a document and said so instead of
 * that it waits.  They are not true any more; but perhaps it still waits.
 * Returns false if a table could not be had now.
 */
bool
wa_compose_pending_instead(const WaBatch *common, WaWaiting **list, int n)
{
	WaBatch		batch = *common;
	const WaScenario *scenario = wa_compose_scenario_of(&batch, &wa_compose_document_pending);
	Silent	   *silent;
	int			nsilent;

	if (scenario == NULL)
		return true;
	if (!load_pending(&batch, list, n, &silent, &nsilent) ||
		!wa_odoo_load_group(&batch.odoo, scenario->own_group))
		return false;
	for (int i = 0; i < n; i++)
	{
		WaWaiting  *waiting = list[i];
		WaRecipient *person = find_person(wa_odoo_group(&batch.odoo, scenario->own_group), waiting->partner_id);
		Newest		newest = {NULL, 0};
		WaDraft    *draft;
		int64		pause = PENDING_PAUSE;
		int64		never = PG_INT64_MAX;
		bool		told;

		if (person == NULL || person->number == NULL)
			continue;
		consider(&batch, scenario, person, waiting->event->record_id, waiting->event_id, &newest);
		if (newest.document == NULL)
			continue;
		draft = tell(&batch, scenario, waiting->event, newest.document, person);
		wa_queue_announced_by_others(&draft->once, &waiting->id, &never, &pause, 1, NULL, 0, &told);
		if (!told)
			waiting->now = draft;
	}
	return true;
}

const WaComposer wa_compose_document_pending = {
	.name = "document_pending",
	.model = "sicantik.document",
	.rank = 50,
	.table = "sicantik_document",
	.load = load,
	.compose = compose,
	.silent = silent,
	.again = again,
	.count_now = count_now,
	.values = {
		{"jumlah", "jumlah"}, {"document_number"}, {"document_name"}, {"nama_pejabat"}, {"nama_petugas"},
		{"approval_link"}
	},
	.odoo_keys = {"izin_dokumen_baru"},
	.defaults = {
		.name = "Dokumen Baru untuk Tandatangan",
		.body = "Yth. Bapak/Ibu petugas,\n\n"
		"Saat ini terdapat {{jumlah}} dokumen yang menunggu tanda tangan. "
		"Dokumen terbaru adalah {{jenis_izin}} atas nama pemohon {{nama_pemohon}} "
		"dengan nomor pendaftaran {{pendaftaran_id}} yang baru diterima.\n\n"
		"Dokumen dapat dilihat melalui dasbor {{link_dashboard}} untuk ditindaklanjuti.\n\n"
		"Terima kasih.",
		.parameters = {"jumlah", "jenis_izin", "nama_pemohon", "pendaftaran_id", "link_dashboard"},
		.on_insert = true,
		.time_to_live = "12 hours",
		.unknown_policy = "give up",
		.priority = "low",
		.office_hours = true
	}
};
