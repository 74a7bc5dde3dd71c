/*-------------------------------------------------------------------------
 *
 * unattended.c
 *		Which messages wait for a person, or may wait for nobody.
 *
 * wa_check() asks which messages are held, and which are adrift
 * (WA_QUEUE_ADRIFT).  An index by state would have to be written whenever a
 * message is claimed and finished, and the whole ledger is read where there is
 * none.  So a trigger notes, in the same transaction, each message that becomes
 * held, and each that somebody else than the worker may set adrift: by writing
 * a state that only the worker can carry out, or by taking work out of wa.ready
 * or wa.due.  wa.unattended has at least those; who reads it looks at the
 * messages, and the purge takes out what is over.  A note is a row of its own,
 * so that one that is made while another is taken out is not lost.
 *
 * The triggers fire for replicas and restores, too; but not for what a
 * subscription brings, for the publisher's notes come along, and a note of our
 * own would take the id of one of them, which ends the subscription's work.
 * Arming a copy looks through the ledger, and so does wa_recount().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "replication/logicalworker.h"
#include "utils/rel.h"

#include "pg/acting.h"
#include "pg/query.h"
#include "queue/law.h"
#include "queue/queue.h"

PG_FUNCTION_INFO_V1(wa_sql_by_hand);
PG_FUNCTION_INFO_V1(wa_sql_unattended);

/*
 * wa._by_hand(): see queue.sql.  Asked for each row that is written, so it is
 * quick.
 */
Datum
wa_sql_by_hand(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!wa_queue_changes_now() && !IsLogicalWorker() &&
				   (MyBgworkerEntry == NULL || strcmp(MyBgworkerEntry->bgw_library_name, "sicantik_wa") != 0));
}

static void
note(int64 id)
{
	static WaStatement insert =
		WA_STATEMENT("INSERT INTO wa.unattended (message_id) VALUES ($1)");
	WaArgs		args = {0};

	wa_arg_int8(&args, id);
	wa_rows_free(wa_query(&insert, &args));
}

/* What is about to be taken out of the table, all of it. */
static void
note_all(bool ready)
{
	static WaStatement all_ready =
		WA_STATEMENT("INSERT INTO wa.unattended (message_id) SELECT message_id FROM wa.ready");
	static WaStatement all_due =
		WA_STATEMENT("INSERT INTO wa.unattended (message_id) SELECT message_id FROM wa.due");

	wa_query(ready ? &all_ready : &all_due, NULL);
}

/*
 * wa._unattended(): see queue.sql.  Whoever may write the table need have no
 * right to wa.unattended, so it is written as the owner; for a table of
 * somebody's own that would be more than he may.
 */
Datum
wa_sql_unattended(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	const char *table;
	bool		message;
	bool		ready;
	WaActing	acting;
	bool		isnull;
	Datum		id;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!(TRIGGER_FIRED_FOR_ROW(data->tg_event) ? TRIGGER_FIRED_AFTER(data->tg_event) : TRIGGER_FIRED_BY_TRUNCATE(data->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as a row trigger after a change, or before TRUNCATE", "wa._unattended")));
	table = RelationGetRelationName(data->tg_relation);
	message = strcmp(table, "message") == 0;
	ready = strcmp(table, "ready") == 0;
	if (RelationGetNamespace(data->tg_relation) != get_namespace_oid("wa", true) ||
		!(message || ready || strcmp(table, "due") == 0))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" is for tables of sicantik_wa", "wa._unattended")));

	if (IsLogicalWorker())
		return PointerGetDatum(NULL);
	wa_pg_trigger_begin(&acting);
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		note_all(ready);
	else
	{
		/* of an update the row that was there: what it had is taken from it */
		HeapTuple	tuple = data->tg_trigtuple;

		if (message && TRIGGER_FIRED_BY_UPDATE(data->tg_event))
			tuple = data->tg_newtuple;
		id = SPI_getbinval(tuple, RelationGetDescr(data->tg_relation),
						   SPI_fnumber(RelationGetDescr(data->tg_relation), message ? "id" : "message_id"), &isnull);
		if (!isnull)
			note(DatumGetInt64(id));
	}
	wa_pg_trigger_end(&acting);
	return PointerGetDatum(NULL);
}

/*
 * Look through the whole ledger: where its triggers have not fired (a restore
 * without them) something may be missing.  For when a copy is armed, and for
 * wa_recount().  (EXCEPT: many may be held, and NOT IN of what the planner takes
 * for large looks at each for each.)
 */
void
wa_queue_unattended_look(void)
{
	static WaStatement look =
		WA_STATEMENT("INSERT INTO wa.unattended (message_id) SELECT m.id FROM wa.message AS m"
					 " WHERE m.state = " WA_SQL_STATE(HELD) " OR m.state IN " WA_SQL_STATES(WA_MAY_BE_READY) " AND " WA_QUEUE_ADRIFT
					 " EXCEPT SELECT message_id FROM wa.unattended");

	wa_query(&look, NULL);
}
