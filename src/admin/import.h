/*-------------------------------------------------------------------------
 *
 * import.h
 *		What the parts of wa_import_odoo() share.
 *
 * All results are palloc()ed in the current context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_IMPORT_H
#define SICANTIK_WA_IMPORT_H

#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "pg/app_table.h"

/* import_row.c */
extern bool wa_admin_import_filled(const char *text);
extern void wa_admin_import_add_member(StringInfo json, const char *name, const char *value, bool quoted);
extern char *wa_admin_import_attempt(PGFunction function, const char *first, const char *second,
									 const char *json);
extern bool wa_admin_import_open_table(FunctionCallInfo fcinfo, WaAppTable *table,
									   const char *schema, const char *name);

extern void wa_admin_import_translate(const WaAppTable *table, WaAppRows *rows,
									  const char *const *columns, int ncolumns);

/* import_templates.c */
extern void wa_admin_import_templates(FunctionCallInfo fcinfo, const char *schema);

#endif							/* SICANTIK_WA_IMPORT_H */
