/*-------------------------------------------------------------------------
 *
 * replace.c
 *		A waiting message, and what its scenario says in its place now.
 *
 * A message carries the change that it was made for (wa.message.change), so
 * that its scenario can be asked again.  Where the answer is another one (the
 * permit has another number or contact, the contact another telephone, the
 * document that stood for several is signed) a new message takes its place.
 * The old one is not changed: the ledger keeps what would have been sent and
 * says which message went instead, and the sender, who routes by number, finds
 * the new one like any other.
 *
 * The new one belongs to the same event and must go out by the same time.  It
 * is the same notification, so no limit counts it again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <json-c/json.h>

#include "compose/guards.h"
#include "compose/scenario.h"
#include "pg/json_text.h"
#include "pg/query.h"
#include "queue/once.h"

/* ---- how the answer differs ---- */

/*
 * The first parameter that the draft has and the message has not, or not so;
 * NULL: none.  *now, *then: its values.
 */
static const char *
changed_parameter(const WaComposer *composer, const char *params, const char *given,
				  const char **now, const char **then)
{
	struct json_object *fresh = wa_pg_json_read(params);
	struct json_object *old = wa_pg_json_read(given);
	const char *changed = NULL;

	if (json_object_is_type(fresh, json_type_object))
	{
		json_object_object_foreach(fresh, name, value)
		{
			const WaOwnValue *own = wa_compose_own_value(composer, name);
			struct json_object *before;

			if (!json_object_object_get_ex(old, name, &before) || !json_object_is_type(before, json_type_string))
				before = NULL;
			if (changed || (own && own->drifts) ||
				(before && strcmp(json_object_get_string(before), json_object_get_string(value)) == 0))
				continue;
			changed = pstrdup(name);
			*now = pstrdup(json_object_get_string(value));
			*then = before ? pstrdup(json_object_get_string(before)) : NULL;
		}
	}
	if (fresh)
		json_object_put(fresh);
	if (old)
		json_object_put(old);
	return changed;
}

/*
 * In what is the new message another one?  NULL: in nothing that matters.
 */
static WaSaid
difference(const WaWaiting *waiting)
{
	const WaNewMessage *now = &waiting->now->message;
	const char *parameter;
	const WaOwnValue *own;
	const char *fresh = NULL;
	const char *old = NULL;

	if (now->partner_id != waiting->partner_id)
		return wa_say(WA_SAY_VALUE_CHANGED, "partner_id", WA_NUMBER(now->partner_id), WA_NUMBER(waiting->partner_id));
	if (now->number && waiting->number == NULL)
		return wa_say(WA_SAY_NUMBER_THERE_NOW, now->number_source);
	if (now->number && !wa_odoo_is(now->number, waiting->number))
		return wa_say(WA_SAY_NUMBER_CHANGED, now->number_source);
	if (waiting->joined && waiting->now->scenario == waiting->scenario)
		return wa_say(WA_SAY_SEVERAL_ARE_ONE);
	if (now->res_id != waiting->record_id)
		return wa_say(WA_SAY_OTHER_DOCUMENTS_WAIT);
	/* before the parameters: another text has others, which were not empty */
	if (waiting->now->scenario != waiting->scenario)
		return wa_say(WA_SAY_SAID_BY_NOW, waiting->now->scenario->key);
	parameter = changed_parameter(waiting->scenario->composer, now->params, waiting->params, &fresh, &old);
	own = parameter ? wa_compose_own_value(waiting->scenario->composer, parameter) : NULL;
	if (own && own->fact)
		return wa_say(WA_SAY_VALUE_CHANGED, own->fact, wa_odoo_shown(fresh), wa_odoo_shown(old));
	if (parameter)
		return wa_say(WA_SAY_TEXT_CHANGED, parameter);
	/* the contact, or his number, was another one in between */
	if (waiting->unreached && now->number)
		return wa_say(WA_SAY_NUMBER_USABLE_AGAIN, now->number_source);
	return NULL;
}

/* ---- writing ---- */

/* A message that takes the place of another one. */
typedef struct Successor
{
	int64		old;			/* 0: that one has a successor, or ends, by
								 * itself */
	WaNewMessage message;
	WaSaid		why;
	const char *once;			/* what it announces anew, or NULL */
	int64		again_after_us;
	bool		keeps_keys;
	List	   *joined;
} Successor;

/* Is the new contact another person than the applicant, by his name? */
static void
doubt_person(WaBatch *batch, const WaWaiting *waiting, const WaRecipient *recipient,
			 WaNewMessage *message)
{
	const WaPermit *permit = wa_odoo_is(message->res_model, "sicantik.permit") ?
		wa_odoo_permit(&batch->odoo, message->res_id) : NULL;

	if (permit == NULL || recipient == NULL || !waiting->to_applicant ||
		message->partner_id == waiting->partner_id || message->state != WA_STATE_QUEUED ||
		!wa_compose_guard_found_by_part_of_name(recipient->name, permit->applicant_name))
		return;
	message->state = WA_STATE_HELD;
	message->reason = WA_REASON_NAME_MISMATCH;
	message->detail = wa_say(WA_SAY_NAMES_DIFFER, recipient->name, permit->applicant_name);
}

static void
write_successors(Successor *list, int n)
{
	WaNewMessage *messages = palloc(sizeof(WaNewMessage) * Max(n, 1));
	const char **keys = palloc(sizeof(char *) * Max(n, 1));
	int64	   *new_ids = palloc(sizeof(int64) * Max(n, 1));
	int64	   *again_after = palloc0(sizeof(int64) * Max(n, 1));
	bool	   *fresh = palloc(sizeof(bool) * Max(n, 1));
	int64	   *ended;
	int64	   *successors;
	int64	   *released;
	int64	   *handed[2];
	WaSaid	   *why;
	int			size = 0;
	int			nended = 0;
	int			nreleased = 0;
	int			nhanded = 0;

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
	{
		messages[i] = list[i].message;
		size += 1 + list_length(list[i].joined);
	}
	wa_queue_assign_ids(messages, n);
	ended = palloc(sizeof(int64) * size);
	successors = palloc(sizeof(int64) * size);
	released = palloc(sizeof(int64) * size);
	for (int k = 0; k < 2; k++)
		handed[k] = palloc(sizeof(int64) * size);
	why = palloc(sizeof(char *) * size);
	for (int i = 0; i < n; i++)
	{
		for (int j = list[i].old == 0 ? 1 : 0; j <= list_length(list[i].joined); j++)
		{
			int64		old = j == 0 ? list[i].old : ((WaJoined *) list_nth(list[i].joined, j - 1))->id;

			ended[nended] = old;
			successors[nended] = messages[i].id;
			why[nended++] = list[i].why;
			if (list[i].keeps_keys)
			{
				handed[0][nhanded] = old;
				handed[1][nhanded++] = messages[i].id;
			}
			else
				released[nreleased++] = old;
		}
		keys[i] = list[i].keeps_keys ? NULL : list[i].once;
		new_ids[i] = messages[i].id;
		again_after[i] = list[i].again_after_us;
	}
	wa_queue_replace(ended, successors, why, nended);
	wa_queue_take_back(released, nreleased);
	wa_queue_hand_over(handed[0], handed[1], nhanded);
	/* perhaps from a message that waits as well: it will say nothing */
	wa_queue_forget(keys, n);
	wa_queue_announce_many(keys, new_ids, again_after, n, fresh);
	wa_queue_insert(messages, n);
	wa_compose_unreached_keep(messages, n);
	if (n > 0)
		wa_compose_ask_again();
}

/*
 * Does another one of these say it, to somebody who cannot be told either?
 * That one may come to nothing before he can.
 */
static bool
is_said_to_nobody(const WaWaiting *waiting, WaWaiting **list, int n)
{
	if (!waiting->said_elsewhere || !waiting->to_applicant)
		return false;
	for (int i = 0; i < n; i++)
		if (list[i]->to_applicant && list[i]->record_id == waiting->record_id &&
			list[i]->now && list[i]->now->once && list[i]->now->recipient && list[i]->now->recipient->number == NULL)
			return true;
	return false;
}

/* What is to be said besides of later changes, in the place of this message. */
static int
add_besides(WaBatch *batch, const WaWaiting *waiting, Successor *successors)
{
	ListCell   *cell;
	int			n = 0;

	foreach(cell, waiting->besides)
	{
		WaDraft    *draft = lfirst(cell);
		Successor  *successor = &successors[n++];

		successor->message = draft->message;
		doubt_person(batch, waiting, draft->recipient, &successor->message);
		successor->message.detail = wa_said_and(wa_say(WA_SAY_IN_PLACE_OF, WA_NUMBER(waiting->id),
													   wa_say(WA_SAY_SAID_BY_NOW, draft->scenario->key)),
												successor->message.detail);
		/* who cannot be told announces nothing */
		successor->once = draft->message.number ? draft->once : NULL;
	}
	return n;
}

/*
 * These say yet what another message has taken over from them while they could not
 * be told: they announce it again, and that one says nothing.
 */
static void
announce_again(WaWaiting **list, int n, const WaStill *results)
{
	const char **keys = palloc0(sizeof(char *) * Max(n, 1));
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	int64	   *waits = palloc0(sizeof(int64) * Max(n, 1));
	bool	   *fresh = palloc(sizeof(bool) * Max(n, 1));
	int			nkeys = 0;

	for (int i = 0; i < n; i++)
	{
		const WaWaiting *waiting = list[i];

		if (results[waiting->place] != WA_STILL_TRUE || waiting->now == NULL || waiting->joined_to ||
			waiting->now->once == NULL || waiting->keeps_keys || waiting->nkeys > 0)
			continue;
		keys[nkeys] = waiting->now->once;
		waits[nkeys] = waiting->now->again_after_us;
		ids[nkeys++] = waiting->id;
	}
	if (nkeys == 0)
		return;
	wa_queue_forget(keys, nkeys);
	wa_queue_announce_many(keys, ids, waits, nkeys, fresh);
	wa_compose_ask_again();
}

/*
 * What is to become of these messages, whose scenarios have answered?
 * WA_STILL_TRUE: it goes as it is.  WA_STILL_FALSE: it does not, and
 * details[place] says why.  WA_STILL_ENDED: another one has taken its place.
 */
void
wa_compose_replace(WaBatch *batch, WaWaiting **list, int n, WaStill *results, WaSaid *details)
{
	Successor  *successors;
	int			nsuccessors = 0;
	int			size = n;

	for (int i = 0; i < n; i++)
		size += list_length(list[i]->besides);
	successors = palloc0(sizeof(Successor) * Max(size, 1));
	for (int i = 0; i < n; i++)
	{
		WaWaiting  *waiting = list[i];
		WaDraft    *now = waiting->now;
		Successor  *successor = &successors[nsuccessors];
		WaSaid		why;

		results[waiting->place] = WA_STILL_FALSE;
		if (waiting->joined_to)
			continue;
		if (now == NULL)
		{
			results[waiting->place] = waiting->still;
			details[waiting->place] = waiting->why;
			if (is_said_to_nobody(waiting, list, n))
			{
				results[waiting->place] = WA_STILL_UNREACHED;
				details[waiting->place] = wa_say(WA_SAY_NUMBER_GONE);
			}
			continue;
		}
		why = difference(waiting);
		if (now->recipient == NULL)
			details[waiting->place] = wa_say(WA_SAY_CONTACT_GONE);
		else if (now->recipient->number == NULL)
		{
			results[waiting->place] = WA_STILL_UNREACHED;
			details[waiting->place] = now->recipient->partner_id == waiting->partner_id ?
				wa_say(WA_SAY_NUMBER_GONE) :
				wa_said_and(why, wa_say(WA_SAY_WITHOUT_USABLE_NUMBER));
		}
		else if (why == NULL)
			results[waiting->place] = WA_STILL_TRUE;
		else if (now->problem)
			details[waiting->place] = wa_said_and(why, now->problem);
		else
		{
			successor->old = waiting->id;
			successor->message = now->message;
			if (now->scenario == waiting->scenario)
				successor->message.expires_at = waiting->expires_at;
			doubt_person(batch, waiting, now->recipient, &successor->message);
			successor->message.detail = wa_said_and(wa_say(WA_SAY_IN_PLACE_OF, WA_NUMBER(waiting->id), why),
													successor->message.detail);
			successor->why = why;
			successor->once = now->once;
			successor->again_after_us = now->again_after_us;
			successor->keeps_keys = waiting->keeps_keys;
			successor->joined = waiting->joined;
			nsuccessors++;
			results[waiting->place] = WA_STILL_ENDED;
		}
	}
	for (int i = 0; i < n; i++)
		if (list[i]->joined_to)
		{
			results[list[i]->place] = results[list[i]->joined_to->place];
			details[list[i]->place] = details[list[i]->joined_to->place];
		}
	for (int i = 0; i < n; i++)
		nsuccessors += add_besides(batch, list[i], &successors[nsuccessors]);
	write_successors(successors, nsuccessors);
	announce_again(list, n, results);
	if (batch->messages)
		wa_compose_later_keep(wa_compose_drafts_in_order(batch, &n), list_length(batch->messages));
}

/* Another message that this one is to stand for. */
static void
add_joined(WaWaiting *waiting, int64 id, int64 record_id, int64 event_id,
		   char **keys, int nkeys)
{
	WaJoined   *joined = palloc(sizeof(WaJoined));

	joined->id = id;
	joined->record_id = record_id;
	joined->event_id = event_id;
	waiting->joined = lappend(waiting->joined, joined);
	if (nkeys == 0)
		return;
	if (waiting->nkeys == 0)
		waiting->keys = palloc(sizeof(char *) * nkeys);
	else
		waiting->keys = repalloc(waiting->keys, sizeof(char *) * (waiting->nkeys + nkeys));
	memcpy(&waiting->keys[waiting->nkeys], keys, sizeof(char *) * nkeys);
	waiting->nkeys += nkeys;
}

/*
 * Several messages of one scenario that wait for one person go out as one: the
 * first of them stands for the others then, and announces what they announce.
 * Those that are not in the list are found in the ledger.
 */
void
wa_compose_waiting_join(WaWaiting **list, int n)
{
	static WaStatement find =
		WA_STATEMENT("SELECT w.place, m.id, m.res_id, m.event_id,"
					 " ARRAY(SELECT o.key FROM wa.announced AS o WHERE o.message_id = m.id ORDER BY o.key)"
					 " FROM unnest($1, $2, $3) WITH ORDINALITY AS w(number, partner_id, scenario, place)"
					 " JOIN wa.message AS m ON m.number = w.number AND m.partner_id = w.partner_id AND m.scenario = w.scenario"
					 " WHERE m.state = " WA_SQL_STATE(QUEUED) " AND m.attempts = 0 AND m.id <> ALL ($4) AND w.number IS NOT NULL"
					 " ORDER BY m.id FOR NO KEY UPDATE OF m SKIP LOCKED");
	const char **numbers = palloc(sizeof(char *) * Max(n, 1));
	const char **scenarios = palloc(sizeof(char *) * Max(n, 1));
	int64	   *partners = palloc(sizeof(int64) * Max(n, 1));
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	WaArgs		args = {0};
	WaRows		rows;

	for (int i = 0; i < n; i++)
	{
		ids[i] = list[i]->id;
		for (int j = 0; j < i && list[i]->joined_to == NULL; j++)
			if (list[j]->joined_to == NULL && list[j]->scenario == list[i]->scenario &&
				list[j]->partner_id == list[i]->partner_id && list[i]->partner_id != 0)
			{
				list[i]->joined_to = list[j];
				add_joined(list[j], list[i]->id, list[i]->record_id, list[i]->event_id,
						   list[i]->keys, list[i]->nkeys);
			}
		numbers[i] = list[i]->joined_to ? NULL : list[i]->number;
		scenarios[i] = list[i]->scenario->key;
		partners[i] = list[i]->partner_id;
	}
	wa_arg_text_array(&args, numbers, n);
	wa_arg_int8_array(&args, partners, n);
	wa_arg_text_array(&args, scenarios, n);
	wa_arg_int8_array(&args, ids, n);
	rows = wa_query(&find, &args);
	for (uint64 r = 0; r < rows.n; r++)
	{
		int			nkeys;
		char	  **keys = wa_row_text_array(rows, r, 5, &nkeys);

		add_joined(list[wa_row_int8(rows, r, 1) - 1], wa_row_int8(rows, r, 2), wa_row_int8(rows, r, 3),
				   wa_row_int8(rows, r, 4), keys, nkeys);
	}
	wa_rows_free(rows);
}

/* ---- scenarios of the DBA's own ---- */

/*
 * The same message to the number that its contact has now.  Returns false if
 * it does not wait any more.
 */
bool
wa_compose_replace_number(int64 id, const WaRecipient *contact, WaSaid why)
{
	Successor	successor = {.old = id,.why = why,.keeps_keys = true};
	WaNewMessage *message = &successor.message;

	if (!wa_queue_read_kept(id, message))
		return false;
	message->state = WA_STATE_QUEUED;
	message->number = contact->number;
	message->number_source = contact->number_source;
	message->detail = wa_say(WA_SAY_IN_PLACE_OF, WA_NUMBER(id), why);
	write_successors(&successor, 1);
	return true;
}
