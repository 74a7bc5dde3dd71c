/*-------------------------------------------------------------------------
 *
 * capture.h
 *		Face of capture, and what its files share.
 *
 * What runs inside Odoo's transactions: a trigger on each watched table gathers
 * what changed, and before the commit that is written into wa.event.  Promises
 * the second law: it makes no write of Odoo's fail, waits for no lock, and
 * raises no error of its own; what cannot be recorded is dropped, counted and
 * said (wa.capture_gap).  Reads wa.watch (or its copy, while it is locked),
 * writes wa.event (or wa.event_aside).
 *
 * trigger.c gathers, row.c compares rows and makes them text, event.c writes
 * (table.c opens the table, number.c numbers the rows: event.h), watch.c
 * remembers what is watched, judge.c says whether a table may be, off.c is the
 * setting that switches it off.  Begin with trigger.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CAPTURE_H
#define SICANTIK_WA_CAPTURE_H

#include "postgres.h"

#include "access/attnum.h"
#include "catalog/pg_attribute.h"
#include "commands/trigger.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/relcache.h"

/*
 * Where of two tables one can be had, so many looks find it: whoever goes from
 * one to the next has left the one when he is at the other.
 */
#define WA_CAPTURE_LOOKS	10

/* The name of the trigger; digits sort first, so it fires first. */
#define WA_CAPTURE_TRIGGER				"00_sicantik_wa_row"

/* Another one that 1.0 put beside it, for each statement. */
#define WA_CAPTURE_FORMER_TRIGGER		"00_sicantik_wa_statement"

/* A longer value is cut. */
#define WA_CAPTURE_VALUE_BYTES			8192

/* A larger value of a type other than text is not looked into. */
#define WA_CAPTURE_OUTPUT_BYTES			(1024 * 1024)

/* What the built-in scenarios need of a table of this name. */
typedef struct WaBuiltInWatch
{
	const char *table;			/* without schema */
	const char *const *columns;
	int			ncolumns;
	int			nneeded;		/* the first ones are in every Odoo */
} WaBuiltInWatch;

typedef enum WaTableVerdict
{
	WA_TABLE_TAKEN,
	WA_TABLE_KIND,				/* not an ordinary table */
	WA_TABLE_OWNER				/* of another role than when it was attached */
} WaTableVerdict;

typedef enum WaColumnVerdict
{
	WA_COLUMN_TAKEN,
	WA_COLUMN_MISSING,
	WA_COLUMN_VIRTUAL,			/* computed when read: no trigger sees it */
	WA_COLUMN_TYPE,				/* of a type of somebody's own */
	WA_COLUMN_NOT_OURS			/* the database's owner has no right to it */
} WaColumnVerdict;

/* How a value becomes text. */
typedef enum WaValueKind
{
	WA_VALUE_TEXT,				/* text, varchar, bpchar: as it is */
	WA_VALUE_INTEGER,
	WA_VALUE_BOOLEAN,
	WA_VALUE_DATETIME,			/* date, timestamp, timestamptz: ISO 8601 */
	WA_VALUE_ENUM,				/* its label */
	WA_VALUE_OTHER,				/* by the output function */
	WA_VALUE_FOREIGN			/* not at all */
} WaValueKind;

/* One watched column of a table, as it is in the catalog now. */
typedef struct WaWatchColumn
{
	AttrNumber	attnum;			/* 0: not taken, or there is no such column */
	WaValueKind kind;
	Oid			type;			/* below its domains */
	bool		byval;
	int16		len;
	FmgrInfo	output;
} WaWatchColumn;

/* Why a column of a row is looked at. */
typedef enum WaNeed
{
	WA_NEED_NONE,
	WA_NEED_ID,
	WA_NEED_WATCHED
} WaNeed;

/*
 * Columns of a row, needed or not, that are passed together: they stand one
 * behind the other without a gap, as far as they are not NULL, and a byte of the
 * row's bitmap has all of them.
 */
typedef struct WaRowRun
{
	int16		first;			/* from 0 */
	int16		n;
	int16		len;			/* of each */
	uint8		align;
	uint8		mask;			/* their bits in that byte */
	bool		byval;
	bool		needed;			/* one of them is */
} WaRowRun;

/* A column that is needed, of one version of a row. */
typedef struct WaRowValue
{
	Datum		value;
	bool		isnull;
} WaRowValue;

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
	WaNeed	   *need;			/* of each column up to that */
	int			nruns;
	WaRowRun   *runs;			/* all of these columns */
	WaRowValue *before;			/* of the row at work, likewise */
	WaRowValue *after;
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

/* judge.c; the list ends with an entry whose first member is NULL */
extern const WaBuiltInWatch wa_capture_built_in[];
extern const WaBuiltInWatch *wa_capture_find_built_in(const char *table);
extern WaTableVerdict wa_capture_judge_table(char relkind, Oid owner, const char *noted);
extern bool wa_capture_takes_all(Oid owner);
extern WaColumnVerdict wa_capture_judge_column(const char *table, bool takes_all,
											   Form_pg_attribute att,
											   WaValueKind *kind, Oid *base);
extern bool wa_capture_is_id(Form_pg_attribute att);

/* trigger.c */
extern void wa_capture_init(void);

/* watch.c */
extern void wa_capture_watch_init(void);
extern WaWatch *wa_capture_watch(Relation relation);
extern void wa_capture_watch_copy(void);

/* row.c */
extern void wa_capture_row_take(const WaWatch *watch, TupleTableSlot *slot, WaRowValue *row);
extern bool wa_capture_row_compare(const WaWatch *watch, TriggerData *trigger);
extern Datum wa_capture_row_array(const WaWatch *watch, const WaRowValue *row, MemoryContext context);

/* off.c */
extern void wa_capture_off_init(void);
extern void wa_capture_assign(bool on, void *extra);
extern void wa_capture_warn_off(void);
extern void wa_capture_pass_over(void);

/* event.c */
extern void wa_capture_write(WaChange *changes, int nchanges);
extern void wa_capture_dropped(int reason, uint64 events);
extern void wa_capture_forget_dropped(void);
extern void wa_capture_tell_dropped(void);

#endif							/* SICANTIK_WA_CAPTURE_H */
