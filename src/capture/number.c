/*-------------------------------------------------------------------------
 *
 * number.c
 *		Numbers for events, from wa.event_id_seq.
 *
 * nextval() is not for us.  It raises an error where the sequence is at its end,
 * to which its owner may set it at any moment, so it would need a subtransaction,
 * which costs as much as writing the event does.  It gives one number at a time.
 * And the session's lastval() would be ours from then on, where the application
 * asks for its own.  So numbers are taken from the page of the sequence as
 * nextval() takes them, under the same lock and with the same record in the WAL,
 * but any number of them at once.
 *
 * What may raise an error is to read a page that is in no buffer yet; that alone
 * is done in a subtransaction.  What the sequence cannot give comes from the
 * clock: nothing relies on these numbers but the order in which changes are told
 * and what people call them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/rmgr.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "capture/event.h"
#include "pg/pg_compat.h"
#include "pg/subtransaction.h"

/* What the server says of its sequences in sequence.c alone. */
#define SEQUENCE_MAGIC	0x1717
#define NUMBERS_LOGGED_AHEAD	32

#define LOOKS_FOR_PAGE	10

/* A page of a sequence in a buffer. */
typedef struct SequencePage
{
	Relation	relation;
	Buffer		buffer;
} SequencePage;

static bool
read_page(void *argument)
{
	SequencePage *page = argument;

	page->buffer = ReadBuffer(page->relation, 0);
	ReleaseBuffer(page->buffer);
	return true;
}

/*
 * The page of the sequence, pinned.  InvalidBuffer: it cannot be read; *why says
 * why not.
 */
static Buffer
find_page(Relation relation, const char **why)
{
	static Buffer latest = InvalidBuffer;

	for (int i = 0; i < LOOKS_FOR_PAGE; i++)
	{
		SequencePage page = {relation, InvalidBuffer};
		ErrorData  *error;

		if (BufferIsValid(latest) &&
			ReadRecentBuffer(wa_relation_locator(relation), MAIN_FORKNUM, 0, latest))
			return latest;
		error = wa_pg_subtransaction(read_page, &page);
		if (error)
		{
			int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

			/*
			 * somebody cancels the statement, or the server is out of
			 * something
			 */
			if (category == ERRCODE_OPERATOR_INTERVENTION ||
				category == ERRCODE_INSUFFICIENT_RESOURCES)
				ReThrowError(error);
			*why = error->message;
			return InvalidBuffer;
		}
		latest = page.buffer;
	}
	*why = "its page does not stay in a buffer";
	return InvalidBuffer;
}

/* The only row of a sequence; NULL: this is no page of one. */
static HeapTupleHeader
find_row(Page page, int *length)
{
	PageHeader	header = (PageHeader) page;
	ItemId		item;
	HeapTupleHeader row;

	if (PageIsNew(page) || header->pd_special > BLCKSZ - sizeof(uint32) ||
		header->pd_special != MAXALIGN(header->pd_special) ||
		*(uint32 *) ((char *) page + header->pd_special) != SEQUENCE_MAGIC ||
		PageGetMaxOffsetNumber(page) < FirstOffsetNumber)
		return NULL;
	item = PageGetItemId(page, FirstOffsetNumber);
	if (!ItemIdIsNormal(item) || ItemIdGetOffset(item) + ItemIdGetLength(item) > BLCKSZ)
		return NULL;
	row = (HeapTupleHeader) PageGetItem(page, item);
	*length = ItemIdGetLength(item);
	if (*length < SizeofHeapTupleHeader ||
		*length < row->t_hoff + offsetof(FormData_pg_sequence_data, is_called) + sizeof(bool))
		return NULL;
	return row;
}

/*
 * Write down in the WAL that the sequence is at this row.
 */
static XLogRecPtr
log_row(Relation relation, Buffer buffer, HeapTupleHeader row, int length)
{
	xl_seq_rec	record;

	XLogBeginInsert();
	XLogRegisterBuffer(0, buffer, REGBUF_WILL_INIT);
	record.wa_sequence_record_locator = wa_relation_locator(relation);
	XLogRegisterData((char *) &record, sizeof(record));
	XLogRegisterData((char *) row, length);
	return XLogInsert(RM_SEQ_ID, XLOG_SEQ_LOG);
}

/*
 * Take n numbers from the page, which is locked.  Returns NULL, or why it
 * cannot give them; then nothing has changed.
 */
static const char *
take(const WaEventSequence *sequence, Relation relation, Buffer buffer, int64 *ids, int n)
{
	Page		page = BufferGetPage(buffer);
	int			length;
	HeapTupleHeader row = find_row(page, &length);
	Form_pg_sequence_data data;
	int64		first;
	uint64		steps;
	uint64		left;
	uint64		ahead;

	if (row == NULL)
		return "its page is damaged";
	data = (Form_pg_sequence_data) ((char *) row + row->t_hoff);
	first = data->last_value;
	if (sequence->increment <= 0 || first > sequence->max)
		return "it does not ascend";
	steps = data->is_called ? n : n - 1;
	left = ((uint64) sequence->max - (uint64) first) / sequence->increment;
	if (steps > left)
		return "it is at its end";
	if (data->is_called)
		first += sequence->increment;
	for (int i = 0; i < n; i++)
		ids[i] = first + i * sequence->increment;

	/*
	 * The WAL is some numbers ahead of the row, so that it is not written
	 * each time.  After a checkpoint it is, since replay begins there.
	 */
	if (data->is_called && data->log_cnt >= (int64) steps && PageGetLSN(page) > GetRedoRecPtr())
		ahead = data->log_cnt;
	else
		ahead = 0;

	START_CRIT_SECTION();
	MarkBufferDirty(buffer);
	if (ahead == 0)
	{
		ahead = Min(left, steps + NUMBERS_LOGGED_AHEAD);
		if (RelationNeedsWAL(relation))
		{
			int64		last = data->last_value;

			data->last_value = last + ahead * sequence->increment;
			data->is_called = true;
			data->log_cnt = 0;
			PageSetLSN(page, log_row(relation, buffer, row, length));
			data->last_value = last;
		}
	}
	data->last_value = ids[n - 1];
	data->is_called = true;
	data->log_cnt = ahead - steps;
	END_CRIT_SECTION();
	return NULL;
}

/*
 * Number n events.  Returns whether the numbers are the sequence's.
 */
bool
wa_capture_number(const WaEventSequence *sequence, int64 *ids, int n)
{
	static bool said = false;
	static int64 last = 0;

	if (OidIsValid(sequence->oid))
	{
		const char *why = NULL;
		Relation	relation = relation_open(sequence->oid, NoLock);
		Buffer		buffer = find_page(relation, &why);

		if (BufferIsValid(buffer))
		{
			/* what is written to the WAL belongs to a transaction */
			GetTopTransactionId();
			LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
			why = take(sequence, relation, buffer, ids, n);
			UnlockReleaseBuffer(buffer);
		}
		relation_close(relation, NoLock);
		if (why == NULL)
			return true;
		if (!said)
			ereport(LOG,
					(errmsg("sicantik_wa numbers events by the clock, since wa.event_id_seq gives no numbers: %s",
							why),
					 errhidestmt(true), errhidecontext(true),
					 errhint("SELECT setval('wa.event_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM wa.event WHERE id < 100000000000000));")));
		said = true;
	}
	for (int i = 0; i < n; i++)
		ids[i] = last = Max(last + 1, GetCurrentTimestamp());
	return false;
}
