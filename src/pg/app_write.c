/*-------------------------------------------------------------------------
 *
 * app_write.c
 *		Writing to one of the application's tables: consent, to contacts.
 *
 * The one exception to "the application's tables are read".  What app_table.c
 * says of a table and of whose rights it is read with holds here, too; and it
 * is not written where its owner has let us in for reading alone.  A row that
 * somebody holds, or has written since it was read, is left alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attnum.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/acting.h"
#include "pg/app_limit.h"
#include "pg/app_table.h"
#include "pg/judged.h"

/* We are at it: what capture sees then is no news. */
bool		wa_app_writing = false;

/*
 * May this table's rows be written, as far as rights of ours go?
 */
bool
wa_app_may_write(const WaAppTable *table)
{
	return table->state == WA_APP_READY && table->columns == NULL;
}

/* One statement on one row; returns whether it met it. */
static bool
run(const WaAppTable *table, const char *sql, const WaArgs *args)
{
	WaJudged	judged;

	wa_pg_judged_init(&judged, table->relid, InvalidOid, args);
	wa_pg_judged_execute(sql, &judged, args, false, 0);
	SPI_freetuptable(SPI_tuptable);
	return SPI_processed > 0;
}

static bool
write_row(const WaAppTable *table, const WaAppConsent *row)
{
	char	   *hold = psprintf("SELECT t.id FROM %s AS t WHERE t.id = $1 FOR NO KEY UPDATE SKIP LOCKED", table->relation);
	char	   *set = psprintf("UPDATE %s AS t SET whatsapp_opt_in = $2, whatsapp_opt_in_date = $3"
							   " WHERE t.id = $1 AND t.write_date::text IS NOT DISTINCT FROM $4", table->relation);
	WaArgs		args = {0};

	wa_arg_int8(&args, row->id);
	if (!run(table, hold, &args))
		return false;
	wa_arg_bool(&args, row->yes);
	wa_arg_timestamptz(&args, row->at);
	wa_arg_text(&args, row->seen);
	return run(table, set, &args);
}

/*
 * Write what these contacts want, in the name of the table's owner; done: it
 * was written.  Raises an error if that is refused.  Waits for no lock but as
 * long as lock_timeout.  SPI must be connected.
 */
void
wa_app_write_consent(const WaAppTable *table, WaAppConsent *rows, int n)
{
	MemoryContext context = CurrentMemoryContext;
	WaActing	acting;
	bool		late;

	if (!wa_app_has_column(table, "write_date") || !ConditionalLockRelationOid(table->relid, RowExclusiveLock))
		return;
	wa_pg_act_as_role(&acting, table->owner);
	wa_app_limit_begin();
	wa_app_writing = true;
	PG_TRY();
	{
		for (int i = 0; i < n; i++)
			rows[i].done = write_row(table, &rows[i]);
	}
	PG_CATCH();
	{
		wa_app_writing = false;
		late = wa_app_limit_end();
		if (late)
		{
			MemoryContextSwitchTo(context);
			FlushErrorState();
			wa_app_limit_passed(table->relid, table->relation);
		}
		PG_RE_THROW();
	}
	PG_END_TRY();
	wa_app_writing = false;
	late = wa_app_limit_end();
	MemoryContextSwitchTo(context);
	wa_pg_act_end(&acting);
	if (late)
		wa_app_limit_passed(table->relid, table->relation);
}
