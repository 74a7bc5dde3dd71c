/*-------------------------------------------------------------------------
 *
 * app_table.h
 *		Reading the application's tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_APP_TABLE_H
#define SICANTIK_WA_APP_TABLE_H

#include "postgres.h"

#include "storage/itemptr.h"
#include "utils/relcache.h"

#include "pg/query.h"
#include "pg/said.h"

typedef enum WaAppState
{
	WA_APP_READY,				/* locked against changes, may be read */
	WA_APP_MISSING,				/* no such table */
	WA_APP_LOCKED,				/* somebody is changing it, or has since our
								 * snapshot; come back later */
	WA_APP_REFUSED,				/* not a table: a view or something else */
	WA_APP_FORBIDDEN			/* a table that we have no right to read;
								 * "why" says it */
} WaAppState;

/* One table of the application, locked until the end of the transaction. */
typedef struct WaAppTable
{
	WaAppState	state;
	Oid			relid;
	Oid			owner;			/* or who else it is read as */
	char	   *relation;		/* schema-qualified, quoted */
	const char *const *columns; /* no others may be read; NULL: all */
	WaSaid		why;			/* WA_APP_FORBIDDEN: a sentence with what to
								 * do; WA_APP_LOCKED: one if it only counts as
								 * that */
} WaAppTable;

/* Which version of a row was read; see app_version.c. */
typedef struct WaAppVersion
{
	ItemPointerData tid;
	TransactionId xmin;			/* 0: that is not known */
} WaAppVersion;

/* Rows as text; values[row][column], NULL for SQL NULL or no such column. */
typedef struct WaAppRows
{
	uint64		n;
	char	 ***values;
	WaAppVersion *versions;		/* of wa_app_read_versions(), as is the next */
	uint64		layout;			/* that they go with; 0: there are none */
} WaAppRows;

/* What a row must be like (wa_app_read_where). */
typedef enum WaAppIs
{
	WA_APP_IS_GIVEN,			/* not NULL */
	WA_APP_IS_TRUE,
	WA_APP_IS_NOT_TRUE			/* false or NULL */
} WaAppIs;

typedef struct WaAppTest
{
	const char *column;
	WaAppIs		is;
} WaAppTest;

/* What a contact wants, to be written. */
typedef struct WaAppConsent
{
	int64		id;
	bool		yes;
	TimestampTz at;
	const char *seen;			/* write_date when it was looked at, or NULL */
	bool		done;			/* out: it was written */
} WaAppConsent;

/* Results are palloc()ed in the current context.  SPI must be connected. */

/* app_table.c */
extern PGDLLEXPORT WaAppState wa_app_open(WaAppTable *table, const char *schema, const char *name);
extern PGDLLEXPORT WaAppState wa_app_open_as(WaAppTable *table, const char *schema, const char *name, Oid role);
extern PGDLLEXPORT void wa_app_require(const WaAppTable *table);
extern PGDLLEXPORT bool wa_app_has_column(const WaAppTable *table, const char *column);

/* app_rows.c */
extern bool wa_app_has_index(Relation rel, AttrNumber column, bool unique);
extern PGDLLEXPORT void wa_app_read_all(WaAppRows *rows, const WaAppTable *table,
										const char *const *columns, int ncolumns);
extern PGDLLEXPORT void wa_app_read_where(WaAppRows *rows, const WaAppTable *table,
										  const char *const *columns, int ncolumns,
										  const WaAppTest *tests, int ntests);
extern PGDLLEXPORT void wa_app_read_by_id(WaAppRows *rows, const WaAppTable *table,
										  const char *const *columns, int ncolumns,
										  const char *key, const int64 *keys, int nkeys);
extern void wa_app_read_versions(WaAppRows *rows, const WaAppTable *table,
								 const char *const *columns, int ncolumns,
								 const int64 *ids, int n);
extern PGDLLEXPORT void wa_app_read_between(WaAppRows *rows, const WaAppTable *table,
											const char *const *columns, int ncolumns,
											const char *key, Oid type, Datum from, Datum to,
											int64 after, int most);
extern PGDLLEXPORT void wa_app_read_by_text(WaAppRows *rows, const WaAppTable *table,
											const char *const *columns, int ncolumns,
											const char *key, const char *const *keys, int nkeys);
extern PGDLLEXPORT void wa_app_read_by_texts(WaAppRows *rows, const WaAppTable *table,
											 const char *const *columns, int ncolumns,
											 const char *const *keys, int nkeys,
											 const char *const *values, int nvalues);
extern PGDLLEXPORT void wa_app_read_by_bool(WaAppRows *rows, const WaAppTable *table,
											const char *const *columns, int ncolumns,
											const char *key, bool value);
extern void wa_app_read_by_part(WaAppRows *rows, const WaAppTable *table,
								const char *const *columns, int ncolumns,
								const char *key, const char *part, int most);
extern void wa_app_read_lately(WaAppRows *rows, const WaAppTable *table,
							   const char *const *columns, int ncolumns,
							   const char *key, TimestampTz from, TimestampTz to,
							   int most, BlockNumber pages, bool *partly);
extern TimestampTz wa_app_timestamp(const char *value);

/* app_write.c */
extern bool wa_app_writing;
extern bool wa_app_may_write(const WaAppTable *table);
extern void wa_app_write_consent(const WaAppTable *table, WaAppConsent *rows, int n);

/* app_columns.c */
extern const char *const *wa_app_columns(const char *table);
extern bool wa_app_is_among(const char *const *columns, const char *column);

#endif							/* SICANTIK_WA_APP_TABLE_H */
