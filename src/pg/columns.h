/*-------------------------------------------------------------------------
 *
 * columns.h
 *		A row as a struct: one table of its columns writes the select list, reads
 *		the row, and makes the arrays of many.
 *
 * A row type is a table of {type, member, SQL}.  A statement that is given one
 * (WA_STATEMENT_OF) names its columns by these marks:
 *
 *		{columns}	the SQL of each: SELECT {columns} FROM ...
 *		{members}	the name of each: INSERT INTO t ({members})
 *		{arrays}	rows of the parameters, from $1, an array for each: FROM {arrays} AS r({members})
 *
 * That a member is of the C type of its column's is checked when this is
 * compiled, that a column is of the SQL type when the statement is run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_COLUMNS_H
#define SICANTIK_WA_COLUMNS_H

#include "postgres.h"

#include "pg/query.h"

/* How a value lies in a column and in a struct; NULL is NULL or 0 there. */
typedef struct WaType
{
	Oid			oid;
	Oid			array;
	Datum		(*make) (const void *member, bool *isnull);
	void		(*read) (Datum value, bool isnull, void *member);
	bool		(*same) (const void *member, const void *other);	/* make() makes the same
																	 * of both; NULL: not
																	 * asked, since to make
																	 * one is cheap */
} WaType;

typedef struct WaColumn
{
	const WaType *type;
	size_t		offset;			/* of the member */
	const char *name;			/* of the member */
	const char *sql;
} WaColumn;

typedef struct WaRowType
{
	size_t		size;			/* of the struct */
	int			n;
	const WaColumn *columns;
} WaRowType;

/* A text[]. */
typedef struct WaTexts
{
	int			n;
	char	  **list;
} WaTexts;

extern PGDLLEXPORT const WaType wa_row_type_text;
extern PGDLLEXPORT const WaType wa_row_type_json;
extern PGDLLEXPORT const WaType wa_row_type_int8;
extern PGDLLEXPORT const WaType wa_row_type_id;
extern PGDLLEXPORT const WaType wa_row_type_int4;
extern PGDLLEXPORT const WaType wa_row_type_boolean;
extern PGDLLEXPORT const WaType wa_row_type_float8;
extern PGDLLEXPORT const WaType wa_row_type_time;
extern PGDLLEXPORT const WaType wa_row_type_texts;

/* By the name of a type: itself, the C type, and whether a member is of it. */
#define WA_TYPE_text		wa_row_type_text
#define WA_TYPE_json		wa_row_type_json	/* jsonb, as text here */
#define WA_TYPE_int8		wa_row_type_int8
#define WA_TYPE_id			wa_row_type_id	/* bigint; 0 is bound as NULL */
#define WA_TYPE_int4		wa_row_type_int4
#define WA_TYPE_boolean		wa_row_type_boolean
#define WA_TYPE_float8		wa_row_type_float8
#define WA_TYPE_time		wa_row_type_time	/* timestamptz; 0 is bound as
												 * NULL */
#define WA_TYPE_texts		wa_row_type_texts

#define WA_C_text			const char *
#define WA_C_json			const char *
#define WA_C_int8			int64
#define WA_C_id				int64
#define WA_C_int4			int32
#define WA_C_boolean		bool
#define WA_C_float8			double
#define WA_C_time			TimestampTz
#define WA_C_texts			WaTexts

#define WA_FITS_text(x)		_Generic((x), char *: 0, const char *: 0)
#define WA_FITS_json(x)		WA_FITS_text(x)
#define WA_FITS_int8(x)		_Generic((x), int64: 0)
#define WA_FITS_id(x)		WA_FITS_int8(x)
#define WA_FITS_int4(x)		_Generic((x), int32: 0)
#define WA_FITS_boolean(x)	_Generic((x), bool: 0)
#define WA_FITS_float8(x)	_Generic((x), double: 0)
#define WA_FITS_time(x)		_Generic((x), TimestampTz: 0)
#define WA_FITS_texts(x)	_Generic((x), WaTexts: 0)

/* One line of a table. */
#define WA_COLUMN(row, type, member, sql) \
	{&WA_TYPE_##type, offsetof(row, member) + 0 * sizeof(WA_FITS_##type(((row *) 0)->member)), #member, sql}
#define WA_ROW_TYPE(row, columns)	{sizeof(row), lengthof(columns), columns}

/*
 * A row that one file uses: the struct and its row type from one list,
 *		#define COLUMNS(X, row) X(row, int8, id, "m.id") X(row, text, ...) ...
 *		WA_DEFINE_ROW(Message, message_row, COLUMNS);
 */
#define WA_DEFINE_ROW(row, row_type, LIST) \
	typedef struct row { LIST(WA_COLUMN_MEMBER, row) } row; \
	static const WaColumn row_type##_columns[] = {LIST(WA_COLUMN_LINE, row)}; \
	static const WaRowType row_type = WA_ROW_TYPE(row, row_type##_columns)
#define WA_COLUMN_MEMBER(row, type, member, sql)	WA_C_##type member;
#define WA_COLUMN_LINE(row, type, member, sql)		WA_COLUMN(row, type, member, sql),

#define WA_STATEMENT_OF(row_type, text)		{text, NULL, row_type}

extern PGDLLEXPORT void wa_arg_rows(WaArgs *args, const WaRowType *type, const void *rows, int n);
extern PGDLLEXPORT void wa_row_read(WaRows rows, uint64 row, const WaRowType *type, void *into);
extern PGDLLEXPORT void *wa_rows_read(WaRows rows, const WaRowType *type, int *n);

/* for query.c and said.c */
extern bool wa_row_same_text(const void *member, const void *other);
extern void wa_arg_members(WaArgs *args, const WaType *type, const void *first, size_t apart, int n);
extern char *wa_row_statement(const WaRowType *type, const char *text);

#endif							/* SICANTIK_WA_COLUMNS_H */
