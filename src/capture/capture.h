/*-------------------------------------------------------------------------
 *
 * capture.h
 *		Face of capture, and what its files share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CAPTURE_H
#define SICANTIK_WA_CAPTURE_H

#include "postgres.h"

#include "access/attnum.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/relcache.h"

/* Names of the two triggers; digits sort first, so ours fire first. */
#define WA_CAPTURE_ROW_TRIGGER			"00_sicantik_wa_row"
#define WA_CAPTURE_STATEMENT_TRIGGER	"00_sicantik_wa_statement"

/* A longer value is cut. */
#define WA_CAPTURE_VALUE_BYTES			8192

/* A larger value of a type other than text is not looked into. */
#define WA_CAPTURE_OUTPUT_BYTES			(1024 * 1024)

/* One watched column of a table, as it is in the catalog now. */
typedef struct WaWatchColumn
{
	AttrNumber	attnum;			/* 0: this table has no such column, or it is
								 * of a type we do not take */
	bool		is_text;		/* text, varchar, bpchar: taken as it is */
	bool		is_datetime;	/* date, timestamp, timestamptz: as ISO 8601 */
	Oid			type;
	bool		byval;
	int16		len;
	FmgrInfo	output;
} WaWatchColumn;

/* What the session knows of one table that carries our trigger. */
typedef struct WaWatch
{
	Oid			relid;			/* hash key */
	bool		valid;			/* false: look again */
	bool		stale;			/* has changed while it was being looked up */
	bool		known;			/* the rest has been found out */
	bool		watched;		/* false: record nothing */
	TimestampTz borrowed;		/* start of the transaction that it is good
								 * for; 0: until something changes */
	MemoryContext context;		/* holds everything below */
	char	   *owner;			/* as in wa.watch; NULL: it has no such row */
	Datum		relation;		/* text */
	Datum		column_names;	/* text[] */
	int			ncolumns;
	WaWatchColumn *columns;
	AttrNumber	last_attnum;	/* highest needed */
	AttrNumber	id_attnum;		/* column "id", or 0 */
	Oid			id_type;
} WaWatch;

/* One change, gathered by the row trigger. */
typedef struct WaChange
{
	SubTransactionId subid;		/* goes when this one is rolled back */
	TimestampTz at;
	CommandId	command;
	bool		has_record;
	int64		record_id;
	Datum		relation;		/* text */
	Datum		column_names;	/* text[] */
	Datum		old_values;		/* text[], or 0 for an INSERT */
	Datum		new_values;		/* text[] */
} WaChange;

/* watch.c */
extern void wa_capture_watch_init(void);
extern WaWatch *wa_capture_watch(Relation relation);
extern void wa_capture_watch_copy(void);

/* event.c */
extern void wa_capture_write(WaChange *changes, int nchanges);
extern void wa_capture_dropped(int reason, uint64 events);

#endif							/* SICANTIK_WA_CAPTURE_H */
