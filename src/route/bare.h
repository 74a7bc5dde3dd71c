/*-------------------------------------------------------------------------
 *
 * bare.h
 *		What Odoo's contacts say of bare numbers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_BARE_H
#define SICANTIK_WA_BARE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pg/app_table.h"
#include "text/text.h"

/* What one contact says of a number of his. */
typedef struct WaBareWord
{
	char		number[WA_NUMBER_SIZE];
	bool		agrees;			/* else he has refused */
	TimestampTz at;				/* see wa_route_odoo_time(), _no_at() */
} WaBareWord;

/* SPI must be connected. */
extern void wa_route_bare_load(const WaAppTable *contacts, const char *const *numbers, int n, TimestampTz since);
extern const WaBareWord *wa_route_bare_words(const char *number, int *n);

#endif							/* SICANTIK_WA_BARE_H */
