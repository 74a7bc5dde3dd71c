/*-------------------------------------------------------------------------
 *
 * aside.c
 *		Messages whose rows cannot be written are set aside.
 *
 * A trigger that the DBA has hung on a table of ours may refuse one row, an
 * index may be damaged at it.  All that a round writes is one transaction, so
 * one such row would stop the sending and the recording of a whole database.
 * After a round that has ended in an error the rows are therefore written in a
 * subtransaction, and where that fails, in halves, down to the rows that it
 * fails for.  These are treated as if somebody had them locked: nobody waits
 * for them, answers to them stay in memory, and they are tried again every
 * minute, when a setting changes, and before the worker leaves.  wa_check()
 * names them, and the server's log.  What is written about something else than
 * one message (WaAsidePart) is set aside as a whole in the same way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "deliver/aside.h"
#include "deliver/schedule.h"
#include "deliver/send.h"
#include "pg/query.h"
#include "pg/subtransaction.h"
#include "queue/work.h"
#include "wake/wake.h"

#define AGAIN_US		(60 * USECS_PER_SEC)
#define NOT_TRIED_US	(5 * USECS_PER_SEC) /* what is due is tried every
											 * second */

/* So many at most; should there be more, no message is the reason. */
#define MOST_ASIDE	100

typedef struct Aside
{
	int64		id;
	TimestampTz until;
} Aside;

static Aside aside[MOST_ASIDE];
static int	naside = 0;
static bool careful = false;

/* What is being written. */
typedef struct Writing
{
	WaDeliverWrite write;
	void	   *about;
	const int64 *ids;
	int			first;
	int			n;
} Writing;

/* Parts have ids, too, below those of messages. */
#define PART_ID(part)	(-1 - (int64) (part))

static const char *const part_names[] = {
	[WA_ASIDE_REQUESTS] = "what is asked for in wa.request",
	[WA_ASIDE_DUE] = "messages whose time has come",
	[WA_ASIDE_PROVIDER] = "trouble with a provider",
	[WA_ASIDE_MAPPING] = "trouble with a template",
	[WA_ASIDE_CONTACT] = "that a contact wants nothing"
};

static Aside *
find(int64 id)
{
	for (int i = 0; i < naside; i++)
		if (aside[i].id == id)
			return &aside[i];
	return NULL;
}

/*
 * The last round has ended in an error: until nothing is set aside any more,
 * rows are written so that one does not stop the others.
 */
void
wa_deliver_aside_begin(void)
{
	careful = true;
}

/*
 * A round has come to its end.
 */
void
wa_deliver_aside_end(void)
{
	TimestampTz now = careful ? GetCurrentTimestamp() : 0;

	if (!careful)
		return;
	/* what is not tried any more has been deleted, or has ended otherwise */
	for (int i = naside - 1; i >= 0; i--)
		if (now - aside[i].until > NOT_TRIED_US)
			aside[i] = aside[--naside];
	wa_wake_note_trouble(WA_TROUBLE_ROWS, naside, NULL);
	careful = naside > 0;
}

/*
 * Is anything set aside?
 */
bool
wa_deliver_any_aside(void)
{
	return naside > 0;
}

/*
 * Something may have been mended: all are tried again at once.
 */
void
wa_deliver_aside_retry(void)
{
	TimestampTz now = naside > 0 ? GetCurrentTimestamp() : 0;

	for (int i = 0; i < naside; i++)
		aside[i].until = now;
}

/*
 * Is this message set aside, until the next try?
 */
bool
wa_deliver_is_aside(int64 id)
{
	const Aside *a = find(id);
	TimestampTz now = a ? GetCurrentTimestamp() : 0;

	return a && a->until > now && a->until - now <= AGAIN_US;
}

/*
 * How long a message is still set aside, in microseconds; 0: it is not.
 */
int64
wa_deliver_aside_left(int64 id)
{
	return wa_deliver_is_aside(id) ? find(id)->until - GetCurrentTimestamp() : 0;
}

/*
 * Which of these messages can have nothing written to them now, because
 * somebody has locked their row or they are set aside?  The rows of the others
 * are ours until the end of the transaction.  False: none.
 */
bool
wa_deliver_aside_or_locked(const int64 *ids, int n, bool *locked)
{
	bool		any = wa_queue_locked_rows(ids, n, locked) > 0;

	for (int i = 0; naside > 0 && i < n; i++)
		if (wa_deliver_is_aside(ids[i]))
			any = locked[i] = true;
	return any;
}

static void
set_aside(int64 id, ErrorData *error)
{
	Aside	   *a = find(id);
	const char *what = id >= 0 ? psprintf("message " INT64_FORMAT, id) : part_names[-1 - id];

	if (a == NULL && naside == MOST_ASIDE)
		ReThrowError(error);
	if (a == NULL)
	{
		a = &aside[naside++];
		a->id = id;
	}
	a->until = GetCurrentTimestamp() + AGAIN_US;
	if (id >= 0)
	{
		WaItem	   *item = wa_deliver_schedule_find(id);

		/* read again from the ledger, which may say something else of it */
		if (item && !item->on_wire)
			wa_deliver_schedule_set_gone(item);
		wa_deliver_put_off(&id, 1);
	}
	wa_wake_note_trouble(WA_TROUBLE_ROWS, naside, psprintf("%s: %s", what, error->message));
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("sicantik_wa cannot write %s: %s", what, error->message),
			 error->context ? errdetail("It was raised in: %s.", error->context) : 0,
			 errhint("It is set aside, and tried again every minute; the others go on.")));
}

/* It could be written: what it was set aside for is over. */
static void
take_back(int64 id)
{
	Aside	   *a = find(id);

	if (a)
		*a = aside[--naside];
}

/* What would be raised at the commit, for all of them, is raised here. */
static void
check_constraints(void)
{
	static WaStatement now = WA_STATEMENT("SET CONSTRAINTS ALL IMMEDIATE");

	(void) wa_query(&now, NULL);
}

static bool
write_some(void *argument)
{
	const Writing *writing = argument;

	writing->write(writing->about, writing->first, writing->n);
	check_constraints();
	return true;
}

static void
write_or_halve(Writing *writing, int first, int n)
{
	ErrorData  *error;

	writing->first = first;
	writing->n = n;
	error = wa_pg_subtransaction(write_some, writing);
	if (error && wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	if (error && n == 1)
		set_aside(writing->ids[first], error);
	else if (error)
	{
		write_or_halve(writing, first, n / 2);
		write_or_halve(writing, first + n / 2, n - n / 2);
	}
	else
		for (int i = first; i < first + n; i++)
			take_back(writing->ids[i]);
}

/*
 * Call write(about, 0, n) to write rows of these n messages, or, after a round
 * that failed, for parts of them; write() may be called again for some of them
 * when it has raised an error.  Those that it fails for are set aside:
 * wa_deliver_is_aside().
 */
void
wa_deliver_aside_write(WaDeliverWrite write, void *about, const int64 *ids, int n)
{
	Writing		writing = {.write = write,.about = about,.ids = ids};

	if (n == 0)
		return;
	if (!careful)
		write(about, 0, n);
	else
		write_or_halve(&writing, 0, n);
}

/* A part that is being tried. */
typedef struct Trying
{
	void		(*work) (void *argument);
	void	   *argument;
} Trying;

static bool
try_part(void *argument)
{
	const Trying *trying = argument;

	trying->work(trying->argument);
	check_constraints();
	return true;
}

/*
 * Call work(argument), which writes about something else than one message.
 * After a round that failed it is set aside if it raises an error: false, and
 * nothing of it has been written, nor is it while that lasts.
 */
bool
wa_deliver_aside_try(WaAsidePart part, void (*work) (void *argument), void *argument)
{
	Trying		trying = {work, argument};
	ErrorData  *error;

	if (!careful)
	{
		work(argument);
		return true;
	}
	if (wa_deliver_is_aside(PART_ID(part)))
		return false;
	error = wa_pg_subtransaction(try_part, &trying);
	if (error && wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	if (error)
		set_aside(PART_ID(part), error);
	else
		take_back(PART_ID(part));
	return error == NULL;
}

static void
write_attempts(void *about, int first, int n)
{
	wa_queue_record_attempts((const WaAttemptRow *) about + first, n, careful);
}

/*
 * Write attempts that are over.
 */
void
wa_deliver_aside_attempts(const WaAttemptRow *attempts, int n)
{
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));

	for (int i = 0; i < n; i++)
		ids[i] = attempts[i].message_id;
	wa_deliver_aside_write(write_attempts, unconstify(WaAttemptRow *, attempts), ids, n);
}

static void
write_conclusions(void *about, int first, int n)
{
	wa_queue_conclude((WaVerdictRow *) about + first, n);
}

/*
 * Write these conclusions; there are none then.
 */
void
wa_deliver_aside_conclude(WaConclusions *conclusions)
{
	int64	   *ids = palloc(sizeof(int64) * Max(conclusions->n, 1));

	for (int i = 0; i < conclusions->n; i++)
		ids[i] = conclusions->rows[i].id;
	wa_deliver_aside_write(write_conclusions, conclusions->rows, ids, conclusions->n);
	conclusions->n = 0;
}
