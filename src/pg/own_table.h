/*-------------------------------------------------------------------------
 *
 * own_table.h
 *		Our own tables, locked before they are looked at.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_OWN_TABLE_H
#define SICANTIK_WA_OWN_TABLE_H

#include "postgres.h"

#include "access/htup.h"

extern const char *wa_pg_own_table_missing(void);
extern bool wa_pg_own_tables_lock(void);
extern void wa_pg_own_tables_check(void);
extern bool wa_pg_changed_since_snapshot(HeapTuple tuple);

#endif							/* SICANTIK_WA_OWN_TABLE_H */
