/*-------------------------------------------------------------------------
 *
 * late_writer.c
 *		A library that writes when a transaction is about to commit, as
 *		others may: it runs the SQL of late_writer.statement then.
 *
 * Loaded before sicantik_wa, its callback comes behind ours.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

static char *statement = NULL;

static void
at_xact_event(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_COMMIT || statement == NULL || statement[0] == '\0')
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(statement, false, 0) < 0)
		elog(ERROR, "late_writer failed");
	SPI_finish();
	PopActiveSnapshot();
}

void
_PG_init(void)
{
	DefineCustomStringVariable("late_writer.statement", "Run before each COMMIT.", NULL,
							   &statement, "", PGC_USERSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(at_xact_event, NULL);
}
