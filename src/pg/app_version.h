/*-------------------------------------------------------------------------
 *
 * app_version.h
 *		Is a row of the application's the one that was read before?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_APP_VERSION_H
#define SICANTIK_WA_APP_VERSION_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "storage/block.h"
#include "utils/relcache.h"

#include "pg/app_table.h"

/* Versions of rows of one table that are being looked at. */
typedef struct WaAppLook
{
	Relation	rel;			/* NULL: none can be told by its version */
	TupleTableSlot *slot;
	BlockNumber blocks;
	uint64		layout;
} WaAppLook;

extern uint64 wa_app_layout(const WaAppTable *table, const char *const *columns, int ncolumns);
extern void wa_app_look_begin(WaAppLook *look, const WaAppTable *table, const char *const *columns, int ncolumns);
extern bool wa_app_look(WaAppLook *look, const WaAppVersion *version);
extern int64 wa_app_look_id(WaAppLook *look, const char *column);
extern void wa_app_look_end(WaAppLook *look);

#endif							/* SICANTIK_WA_APP_VERSION_H */
