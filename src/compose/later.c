/*-------------------------------------------------------------------------
 *
 * later.c
 *		Changes of permits that made no message because one that waits says it.
 *
 * A permit is announced once, so a change that makes it a renewal says nothing
 * while "ready" is about to be sent with the same number.  But that message may
 * come to nothing yet, or say something else: the number is taken back, say.
 * So the change is kept with it (wa.message.change, "later"), and whenever the
 * message is asked about, so is the change: what is to be said of it then, and
 * is not said by another one, becomes a message of its own.  What has been sent
 * has said it, for good.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/permit_scenario.h"
#include "pg/query.h"
#include "queue/once.h"

/*
 * Keep the changes of those of these drafts that were dropped because another
 * message says it, with that message, while it waits.  Called when the messages
 * and their keys are written.
 */
void
wa_compose_later_keep(WaDraft **drafts, int n)
{
	const char **keys = palloc(sizeof(char *) * Max(n, 1));
	const char **changes = palloc(sizeof(char *) * Max(n, 1));
	int64	   *events = palloc(sizeof(int64) * Max(n, 1));
	int			k = 0;

	for (int i = 0; i < n; i++)
	{
		if (drafts[i]->said == NULL || drafts[i]->message.change == NULL ||
			!wa_compose_is_of_permits(drafts[i]->scenario))
			continue;
		keys[k] = drafts[i]->said;
		changes[k] = drafts[i]->message.change;
		events[k++] = drafts[i]->event->id;
	}
	wa_queue_keep_later(keys, events, changes, k);
}

/*
 * Is this one of the changes that are kept with the message?
 */
bool
wa_compose_later_of(const WaWaiting *waiting, const WaEvent *event)
{
	for (int i = 0; i < waiting->nlater; i++)
		if (waiting->later[i] == event)
			return true;
	return false;
}

/*
 * Leave out the later changes whose applicant has a message of their own: that
 * one is asked about itself, and here they would be in the way of others.
 */
void
wa_compose_later_leave_out_told(WaWaiting **list, int n)
{
	static WaStatement find =
		WA_STATEMENT("SELECT k.event, k.record FROM unnest($1, $2) AS k(event, record)"
					 " WHERE EXISTS (SELECT FROM wa.message AS m WHERE m.res_id = k.record AND m.res_model = 'sicantik.permit'"
					 " AND m.event_id = k.event AND m.change ->> 'to' = 'applicant' AND m.state NOT IN " WA_SQL_STATES(WA_SAYS_NOTHING)
					 " AND (m.state <> " WA_SQL_STATE(SKIPPED) " OR EXISTS (SELECT FROM wa.unreached AS u WHERE u.message_id = m.id)))");
	int			size = 0;
	int64	   *events;
	int64	   *records;
	WaRows		rows;
	WaArgs		args = {0};
	int			k = 0;

	for (int i = 0; i < n; i++)
		size += list[i]->nlater;
	if (size == 0)
		return;
	events = palloc(sizeof(int64) * size);
	records = palloc(sizeof(int64) * size);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < list[i]->nlater; j++)
		{
			events[k] = list[i]->later[j]->id;
			records[k++] = list[i]->later[j]->record_id;
		}
	wa_arg_int8_array(&args, events, size);
	wa_arg_int8_array(&args, records, size);
	rows = wa_query(&find, &args);
	for (int i = 0; i < n; i++)
	{
		int			kept = 0;

		for (int j = 0; j < list[i]->nlater; j++)
		{
			WaEvent    *event = list[i]->later[j];
			bool		told = false;

			for (uint64 r = 0; r < rows.n && !told; r++)
				told = wa_row_int8(rows, r, 1) == event->id && wa_row_int8(rows, r, 2) == event->record_id;
			if (!told)
				list[i]->later[kept++] = event;
		}
		list[i]->nlater = kept;
	}
	wa_rows_free(rows);
}

/* Does one of these say it, to somebody who has no number?  That one may come to nothing. */
static bool
is_said_to_nobody(const WaDraft *draft, WaWaiting **list, int n)
{
	if (draft->said == NULL || draft->recipient == NULL || draft->message.number)
		return false;
	for (int i = 0; i < n; i++)
		if (list[i]->now && list[i]->now->once && strcmp(list[i]->now->once, draft->said) == 0)
			return true;
	return false;
}

/* What is to be said of this change, or NULL. */
static WaDraft *
choose(const WaEvent *event, WaWaiting **list, int n, WaDraft **drafts, int ndrafts)
{
	for (int i = 0; i < ndrafts; i++)
	{
		WaDraft    *draft = drafts[i];

		if (draft->event != event || draft->is_staff || draft->once == NULL || draft->problem ||
			draft->recipient == NULL)
			continue;
		if (!draft->dropped || is_said_to_nobody(draft, list, n))
			return draft;
	}
	return NULL;
}

/*
 * What is to be said besides, of the later changes that are kept with these
 * messages: waiting->besides.  Called when waiting->now is known.
 */
void
wa_compose_later_choose(WaWaiting **list, int n, WaDraft **drafts, int ndrafts)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < list[i]->nlater; j++)
		{
			WaDraft    *draft = choose(list[i]->later[j], list, n, drafts, ndrafts);

			if (draft == NULL)
				continue;
			/* once, even if it is kept with two of them */
			draft->dropped = true;
			draft->said = NULL;
			list[i]->besides = lappend(list[i]->besides, draft);
		}
}
