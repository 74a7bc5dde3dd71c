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
#include "pg/app_limit.h"
#include "pg/subtransaction.h"

/* After so many failures the rest is left for the next round. */
#define MOST_FAILURES	32

/* A lock that lasts longer is told. */
#define LONG_LOCK_US	(10 * USECS_PER_SEC)

/* The log hears of the same reason again after this time. */
#define SAY_AGAIN_US	(10 * USECS_PER_MINUTE)

/* And of so many different ones within it. */
#define MOST_REASONS	8

/* One question, being asked of some of the messages. */
typedef struct Asking
{
	WaFactsQuestion *question;
	void	   *about;
	WaUnread   *unread;			/* of each message */
	int			failures;
	int			first;
	int			n;
	bool		had;			/* false: a table is locked */
	const char *locked_table;
	WaSaid		why;			/* or only counts as locked */
} Asking;

static bool
ask_some(void *argument)
{
	Asking	   *asking = argument;

	asking->had = asking->question->ask(asking->about, asking->first, asking->n,
										&asking->locked_table, &asking->why);
	return asking->had;
}

static void
put_off(Asking *asking, int first, int n, WaUnreadKind kind, WaSaid why)
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
	TimestampTz *since = &asking->question->locked_since;
	TimestampTz now = GetCurrentTimestamp();

	if (asking->why)
	{
		put_off(asking, first, n, WA_UNREAD_LONG, asking->why);
		return;
	}
	if (*since == 0 || now < *since)
		*since = now;
	put_off(asking, first, n, WA_UNREAD_SHORT,
			now - *since < LONG_LOCK_US ? NULL :
			wa_say(WA_SAY_TABLE_IS_LOCKED, asking->locked_table));
}

/*
 * Ask about n messages; if that fails, about their halves.  Where it fails for
 * many, those that have not been looked at one by one have a turn soon, when
 * the others are out of their way.
 */
static void
ask_or_halve(Asking *asking, int first, int n)
{
	ErrorData  *error;

	if (asking->failures >= MOST_FAILURES)
	{
		put_off(asking, first, n, WA_UNREAD_SHORT, NULL);
		return;
	}
	asking->first = first;
	asking->n = n;
	asking->locked_table = NULL;
	asking->why = NULL;
	error = wa_pg_attempt(ask_some, asking);
	if (error == NULL && asking->had)
		asking->question->locked_since = 0;
	else if (error == NULL)
		put_off_locked(asking, first, n);
	else if (wa_app_limit_raised(error))
		put_off(asking, first, n, WA_UNREAD_LONG, wa_said_of_error(error));
	else if (n == 1)
	{
		asking->failures++;
		put_off(asking, first, n, WA_UNREAD_LONG, wa_said_of_error(error));
	}
	else
	{
		ask_or_halve(asking, first, n / 2);
		ask_or_halve(asking, first + n / 2, n - n / 2);
	}
}

/* What the log has been told. */
typedef struct Told
{
	uint32		hash;			/* of the reason; 0: none */
	TimestampTz at;
	TimestampTz since;			/* first met */
	int			times;			/* met since then */
} Told;

static uint32
hash_of(WaSaid reason)
{
	return hash_bytes((const unsigned char *) reason, strlen((const char *) reason)) | 1;
}

/*
 * Where a reason that has just been met is to be counted; NULL: there are too
 * many of them to be told.
 */
static Told *
told_of(uint32 hash, TimestampTz now)
{
	static Told told[MOST_REASONS];
	Told	   *oldest = &told[0];

	for (int i = 0; i < MOST_REASONS; i++)
	{
		if (told[i].hash == hash && now >= told[i].at)
			return &told[i];
		if (told[i].at < oldest->at)
			oldest = &told[i];
	}
	if (oldest->hash != 0 && now >= oldest->at && now - oldest->at < SAY_AGAIN_US)
		return NULL;
	memset(oldest, 0, sizeof(*oldest));
	oldest->hash = hash;
	oldest->since = now;
	return oldest;
}

/*
 * "waiting" messages wait for this reason: one line in the log, and another
 * one after a while, with a count.
 */
static void
say(const char *why, uint32 hash, int waiting)
{
	TimestampTz now = GetCurrentTimestamp();
	Told	   *told = told_of(hash, now);

	if (told == NULL)
		return;
	told->times++;
	if (told->at != 0 && now - told->at < SAY_AGAIN_US)
		return;
	told->at = now;
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("sicantik_wa cannot read what must be known before messages go, %d of them now", waiting),
			 told->times == 1 ? errdetail("Reason: %s.", why) :
			 errdetail("Reason: %s. It was met %d times in %d minutes.", why, told->times,
					   (int) ((now - told->since) / USECS_PER_MINUTE)),
			 errhint("What it concerns waits, and is tried again every minute: SELECT * FROM wa.message_view WHERE reason = 'facts_unreadable'.")));
}

/*
 * Tell the log why these messages wait.
 */
void
wa_deliver_facts_say(const WaUnread *unread, int n)
{
	uint32	   *hashes = palloc0(sizeof(uint32) * n);

	for (int i = 0; i < n; i++)
		if (unread[i].kind == WA_UNREAD_LONG)
			hashes[i] = hash_of(unread[i].why);
	for (int i = 0; i < n; i++)
	{
		uint32		hash = hashes[i];
		int			waiting = 0;

		if (hash == 0)
			continue;
		for (int j = i; j < n; j++)
			if (hashes[j] == hash)
			{
				hashes[j] = 0;
				waiting++;
			}
		say(wa_said_english(unread[i].why), hash, waiting);
	}
}

/*
 * Ask about n messages, n > 0.  unread[i] says for which of them there is no answer,
 * with a sentence, palloc()ed in the current context, where a person should
 * know.
 */
void
wa_deliver_facts_ask(WaFactsQuestion *question, void *about, int n, WaUnread *unread)
{
	Asking		asking = {.question = question,.about = about,.unread = unread};

	memset(unread, 0, sizeof(WaUnread) * n);
	ask_or_halve(&asking, 0, n);
}
