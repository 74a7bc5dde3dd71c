/*-------------------------------------------------------------------------
 *
 * by_hand.c
 *		States that a person writes into the ledger.
 *
 * A state that ends a message may be written by anybody who may write the
 * table: the worker respects it.  One that says that the message waits, or is
 * on the wire, is refused here: what waits is a row of wa.ready or wa.due, so
 * nobody would carry it out, for ever and without a word.  The functions that
 * do what was meant are named instead.
 *
 * An INSERT is let pass, as it may be a restore.  What escapes all the same
 * (session_replication_role, rows taken out of wa.ready) is named by
 * wa_check(), wa_why() and wa.adrift, and taken by wa_retry().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/builtins.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(wa_sql_by_hand);

/*
 * Is it a statement of ours?  Our functions act as the owner of the database,
 * and the worker is a process of its own.
 */
static bool
is_ours(void)
{
	return InLocalUserIdChange() ||
		(MyBgworkerEntry && strcmp(MyBgworkerEntry->bgw_library_name, "sicantik_wa") == 0);
}

static char *
column_of(const TriggerData *data, HeapTuple tuple, const char *name)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	char	   *value = SPI_getvalue(tuple, desc, SPI_fnumber(desc, name));

	return value ? value : pstrdup("");
}

/*
 * wa._by_hand(): see queue.sql.
 */
Datum
wa_sql_by_hand(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	char	   *id;
	char	   *before;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		!TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as a row trigger of UPDATE", "wa._by_hand")));
	if (is_ours())
		return PointerGetDatum(data->tg_newtuple);
	id = column_of(data, data->tg_trigtuple, "id");
	before = column_of(data, data->tg_trigtuple, "state");
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("state \"%s\" of message %s cannot be written by hand",
					column_of(data, data->tg_newtuple, "state"), id),
			 errdetail("What waits to be sent is in a queue of the worker's; the state alone would wait for ever."),
			 strcmp(before, "held") == 0 ? errhint("SELECT wa_release(%s) lets it go.", id) :
			 strcmp(before, "queued") == 0 ? errhint("It goes by itself when its turn comes.") :
			 strcmp(before, "sending") == 0 ? errhint("What becomes of it is known when the provider has answered.") :
			 errhint("SELECT wa_retry(%s) sends it again.", id)));
	return (Datum) 0;			/* not reached */
}
