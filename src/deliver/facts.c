/*-------------------------------------------------------------------------
 *
 * facts.c
 *		Asking the application's tables before messages go.
 *
 * Anything may hang on them: a policy that raises an error, for all rows or
 * for one; a function that somebody has broken; a lock.  The messages that it
 * hits wait and say why, and all others go on: so the question is asked in a
 * subtransaction, for all messages of a round together, and where that fails,
 * for its halves, down to the messages that it fails for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/timestamp.h"

#include "deliver/facts.h"
#include "pg/subtransaction.h"

/* After so many failures in a row it is not tried for each of the others. */
#define MOST_FAILURES	8

/* A lock that lasts longer is told. */
#define LONG_LOCK_US	(10 * USECS_PER_SEC)

/* The log hears of the same reason again after this time. */
#define SAY_AGAIN_US	(10 * 60 * USECS_PER_SEC)

/* One question, to be asked of some of the messages. */
typedef struct Asking
{
	WaFactsAsk	ask;
	void	   *about;
	WaUnread   *unread;			/* of each message */
	int			failures;		/* in a row */
	const char *failed_with;
	int			first;
	int			n;
	bool		had;			/* false: a table is locked */
	const char *locked_table;
	const char *why;			/* or only counts as locked */
} Asking;

static TimestampTz locked_since = 0;

static bool
ask_some(void *argument)
{
	Asking	   *asking = argument;

	asking->had = asking->ask(asking->about, asking->first, asking->n,
							  &asking->locked_table, &asking->why);
	return asking->had;
}

static void
put_off(Asking *asking, int first, int n, WaUnreadKind kind, const char *why)
{
	for (int i = first; i < first + n; i++)
	{
		asking->unread[i].kind = kind;
		asking->unread[i].why = why;
	}
}

/* A table is locked for these messages, or counts as that. */
static void
put_off_locked(Asking *asking, int first, int n)
{
	TimestampTz now = GetCurrentTimestamp();

	if (asking->why)
	{
		put_off(asking, first, n, WA_UNREAD_LONG, asking->why);
		return;
	}
	if (locked_since == 0 || now < locked_since)
		locked_since = now;
	put_off(asking, first, n, WA_UNREAD_SHORT,
			now - locked_since < LONG_LOCK_US ? NULL :
			psprintf("table %s is locked at the moment", asking->locked_table));
}

static void
ask_or_halve(Asking *asking, int first, int n)
{
	ErrorData  *error;

	if (asking->failures >= MOST_FAILURES)
	{
		put_off(asking, first, n, WA_UNREAD_LONG, asking->failed_with);
		return;
	}
	asking->first = first;
	asking->n = n;
	asking->locked_table = asking->why = NULL;
	error = wa_pg_subtransaction(ask_some, asking);
	if (error == NULL && asking->had)
	{
		asking->failures = 0;
		locked_since = 0;
	}
	else if (error == NULL)
		put_off_locked(asking, first, n);
	else if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		put_off(asking, first, n, WA_UNREAD_SHORT, error->message);
	else if (wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	else if (n == 1)
	{
		asking->failures++;
		asking->failed_with = error->message;
		put_off(asking, first, n, WA_UNREAD_LONG, error->message);
	}
	else
	{
		ask_or_halve(asking, first, n / 2);
		ask_or_halve(asking, first + n / 2, n - n / 2);
	}
}

/* One line in the log for a reason, with what it does; again after a while. */
static void
say(const WaUnread *unread, int n)
{
	static uint32 said = 0;
	static TimestampTz said_at = 0;
	static TimestampTz since = 0;
	static int	times = 0;
	TimestampTz now = GetCurrentTimestamp();
	const char *why = NULL;
	int			waiting = 0;
	uint32		hash;

	for (int i = 0; i < n; i++)
		if (unread[i].kind == WA_UNREAD_LONG)
		{
			why = unread[i].why;
			waiting++;
		}
	if (why == NULL)
		return;
	hash = hash_bytes((const unsigned char *) why, strlen(why)) | 1;
	if (hash != said || now < said_at)
	{
		said = hash;
		said_at = 0;
		since = now;
		times = 0;
	}
	times++;
	if (said_at != 0 && now - said_at < SAY_AGAIN_US)
		return;
	said_at = now;
	ereport(WARNING,
			(errmsg("sicantik_wa cannot read what must be known before %d of its messages go", waiting),
			 times == 1 ? errdetail("Reason: %s.", why) :
			 errdetail("Reason: %s. It was tried %d times since %s.", why, times, timestamptz_to_str(since)),
			 errhint("They wait, and are tried again every minute: SELECT * FROM wa.message WHERE reason = 'facts_unreadable'.")));
}

/*
 * Ask about n messages.  unread[i].kind says for which of them there is no
 * answer, with a sentence, palloc()ed in the current context, where a person
 * should know.
 */
void
wa_facts_ask(WaFactsAsk ask, void *about, int n, WaUnread *unread)
{
	Asking		asking = {.ask = ask, .about = about, .unread = unread};

	memset(unread, 0, sizeof(WaUnread) * n);
	if (n > 0)
		ask_or_halve(&asking, 0, n);
	say(unread, n);
}
