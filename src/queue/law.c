/*-------------------------------------------------------------------------
 *
 * law.c
 *		The ledger refuses every change that is not in the table of state.c.
 *
 * A trigger on wa.message asks, so whatever statement writes a state is asked
 * about; ours say beforehand which kind of change they are.  What comes
 * otherwise is a person's: a state that ends a message may be written by
 * anybody who may write the table, and the worker respects it.  One that says
 * that the message waits, or is on the wire, is refused: what waits is a row
 * of wa.ready or wa.due, so nobody would carry it out, for ever and without a
 * word.  The functions that do what was meant are named instead.
 *
 * An INSERT is let pass, as it may be a restore.  What escapes all the same
 * (session_replication_role, rows taken out of wa.ready) is noted
 * (unattended.c), named by wa_check(), wa_why() and wa.adrift, and taken by
 * wa_retry().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "queue/law.h"

PG_FUNCTION_INFO_V1(wa_sql_law);

/* What the statement that is running is. */
static WaStateChange under_way = WA_CHANGE_HAND;

/*
 * Run a statement that changes states of messages, all by this kind of change.
 * As wa_query(); raises an error if a change is not legal.
 */
WaRows
wa_queue_change(WaStateChange change, WaStatement *statement, WaArgs *args)
{
	WaStateChange before = under_way;
	WaRows		rows;

	under_way = change;
	PG_TRY();
	{
		rows = wa_query(statement, args);
	}
	PG_FINALLY();
	{
		under_way = before;
	}
	PG_END_TRY();
	return rows;
}

/*
 * Is what is written being written by a statement of ours?
 */
bool
wa_queue_changes_now(void)
{
	return under_way != WA_CHANGE_HAND;
}

/* As the table in docs/architecture.md calls it. */
static const char *
shown(WaState state)
{
	return state == WA_STATE_DOUBT ? WA_STATE_NAME_DOUBT : state == WA_STATE_NONE ? "" : wa_queue_state_name(state);
}

/* A person's is refused with what to do instead. */
static void
refuse_by_hand(int64 id, WaState from, WaState to)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("state \"%s\" of message " INT64_FORMAT " cannot be written by hand", wa_queue_state_name(to), id),
			 errdetail("What waits to be sent is in a queue of the worker's; the state alone would wait for ever."),
			 from == WA_STATE_HELD ? errhint("SELECT wa_release(" INT64_FORMAT ") lets it go.", id) :
			 from == WA_STATE_QUEUED ? errhint("It goes by itself when its turn comes.") :
			 from == WA_STATE_SENDING ? errhint("What becomes of it is known when the provider has answered.") :
			 errhint("SELECT wa_retry(" INT64_FORMAT ") sends it again.", id)));
}

/*
 * Raise an error unless this change is legal.  id: of the message, for the
 * error.
 */
void
wa_queue_require(WaStateChange change, int64 id, WaState from, WaState to, WaReason reason)
{
	if (wa_queue_is_legal(change, from, to, reason))
		return;
	if (change == WA_CHANGE_HAND)
		refuse_by_hand(id, from, to);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg_internal("message " INT64_FORMAT " cannot go from state \"%s\" to \"%s\", reason \"%s\": no such change by \"%s\"",
							 id, shown(from), shown(to),
							 wa_queue_reason_name(reason) ? wa_queue_reason_name(reason) : "",
							 wa_queue_changes[change].name)));
}

typedef enum Column
{
	ID, STATE, REASON, DUE_AT
} Column;

/* Where a column stands: where it did for the row before, nearly always. */
static int
place_of(TupleDesc desc, Column column)
{
	static const char *const names[] = {[ID] = "id",[STATE] = "state",[REASON] = "reason",[DUE_AT] = "due_at"};
	static int	places[lengthof(names)];
	int			place = places[column];

	if (place < 1 || place > desc->natts || TupleDescAttr(desc, place - 1)->attisdropped ||
		strcmp(NameStr(TupleDescAttr(desc, place - 1)->attname), names[column]) != 0)
		places[column] = place = SPI_fnumber(desc, names[column]);
	return place;
}

static char *
column_of(const TriggerData *data, HeapTuple tuple, Column column)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	int			place = place_of(desc, column);
	bool		isnull;
	Datum		value;

	/* no type's output function is needed for text */
	if (place < 1 || TupleDescAttr(desc, place - 1)->atttypid != TEXTOID)
		return SPI_getvalue(tuple, desc, place);
	value = SPI_getbinval(tuple, desc, place, &isnull);
	return isnull ? NULL : TextDatumGetCString(value);
}

static WaState
state_of(const TriggerData *data, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	int			due_at = place_of(desc, DUE_AT);

	return wa_queue_state_read(column_of(data, tuple, STATE),
							   due_at > 0 && !heap_attisnull(tuple, due_at, desc));
}

/*
 * wa._law(): see queue.sql.
 */
Datum
wa_sql_law(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	WaState		from;
	WaState		to;
	WaReason	reason;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		!TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as a row trigger of UPDATE", "wa._law")));
	from = state_of(data, data->tg_trigtuple);
	to = state_of(data, data->tg_newtuple);
	/* a name that is none is refused by the table itself */
	if (from == WA_STATE_NONE || to == WA_STATE_NONE)
		return PointerGetDatum(data->tg_newtuple);
	/* whatever a person writes beside the state is his */
	if (under_way == WA_CHANGE_HAND && strcmp(wa_queue_state_name(from), wa_queue_state_name(to)) == 0)
		return PointerGetDatum(data->tg_newtuple);
	reason = wa_queue_reason_read(column_of(data, data->tg_newtuple, REASON));
	if ((from != to || reason != wa_queue_reason_read(column_of(data, data->tg_trigtuple, REASON))) &&
		!wa_queue_is_legal(under_way, from, to, reason))
	{
		char	   *id = column_of(data, data->tg_newtuple, ID);

		/* a table that anybody has made has none */
		wa_queue_require(under_way, id ? strtoll(id, NULL, 10) : 0, from, to, reason);
	}
	return PointerGetDatum(data->tg_newtuple);
}
