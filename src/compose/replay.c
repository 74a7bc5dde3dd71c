/*-------------------------------------------------------------------------
 *
 * replay.c
 *		wa_replay(): a dead letter is composed again.
 *
 * It is done in the caller's transaction, once, and only when a person asks:
 * what fails again raises its error and stays a dead letter.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "compose/draft.h"
#include "pg/call.h"
#include "pg/pg_compat.h"
#include "pg/query.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(wa_sql_replay);

/* Columns of the statement below. */
enum
{
	D_RELATION = 1, D_TABLE, D_RECORD_ID, D_COLUMNS, D_OLD, D_NEW, D_AT, D_HOLD, D_SCENARIO
};

/*
 * Take the dead letters of an event off their table and read them: they are
 * one change, and there is one for each scenario of the DBA's own that failed
 * (*only: their keys), or one for all scenarios (*only: NIL).  Two calls at
 * the same time: the second one waits, and finds none.  Returns false if there
 * is none.
 */
static bool
take_dead_letters(int64 event_id, const WaIdentity *identity, WaEvent *event, List **only)
{
	static WaStatement take =
		WA_STATEMENT("DELETE FROM wa.dead_letter WHERE event_id = $1"
					 " RETURNING relation, (parse_ident(relation))[array_upper(parse_ident(relation), 1)],"
					 " record_id, columns, old, new, event_at, event_id <= $2, scenario");
	WaArgs		args = {0};
	WaRows		rows;
	bool		all = false;
	int			n;

	wa_arg_int8(&args, event_id);
	wa_arg_int8(&args, identity->hold_event_id);
	rows = wa_query(&take, &args);
	if (rows.n == 0)
		return false;
	*only = NIL;
	for (uint64 i = 0; i < rows.n; i++)
	{
		all = all || wa_row_isnull(rows, i, D_SCENARIO);
		*only = lappend(*only, wa_row_text(rows, i, D_SCENARIO));
	}
	if (all)
		*only = NIL;
	memset(event, 0, sizeof(*event));
	event->id = event_id;
	event->relation = wa_row_text(rows, 0, D_RELATION);
	event->table = wa_row_text(rows, 0, D_TABLE);
	event->has_record = !wa_row_isnull(rows, 0, D_RECORD_ID);
	event->record_id = wa_row_int8(rows, 0, D_RECORD_ID);
	event->columns = wa_row_text_array(rows, 0, D_COLUMNS, &event->ncolumns);
	event->old = wa_row_text_array(rows, 0, D_OLD, &n);
	if (event->old)
		event->ncolumns = Min(event->ncolumns, n);
	event->new = wa_row_text_array(rows, 0, D_NEW, &n);
	event->ncolumns = Min(event->ncolumns, n);
	event->insert = event->old == NULL;
	event->at = wa_row_timestamptz(rows, 0, D_AT);
	event->hold = wa_row_bool(rows, 0, D_HOLD);
	return true;
}

/*
 * wa_replay(): see compose.sql.
 */
Datum
wa_sql_replay(PG_FUNCTION_ARGS)
{
	int64		event_id = PG_GETARG_INT64(0);
	WaCall		call;
	WaIdentity	identity;
	WaBatch		batch;
	WaEvent		event;
	ListCell   *cell;
	int64		made = 0;

	wa_call_begin(&call, WA_LEVEL_ADMIN);
	wa_identity_check(&identity);
	wa_compose_init_batch(&batch, &identity);
	batch.strict = true;
	if (!take_dead_letters(event_id, &identity, &event, &batch.only))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("event " INT64_FORMAT " is no dead letter", event_id),
				 errhint("SELECT event_id, error FROM wa.dead_letter_view lists them.")));
	batch.events = &event;
	batch.nevents = 1;
	wa_compose_scenarios(&batch);
	if (batch.odoo.locked)
		wa_call_table_locked(batch.odoo.locked_table);
	wa_compose_write(&batch);
	/* what the worker remembers of the record may not be so any more */
	wa_wake_reload_at_commit();
	foreach(cell, batch.messages)
		if (!((WaDraft *) lfirst(cell))->dropped)
		made++;
	wa_call_end(&call);
	PG_RETURN_INT64(made);
}
