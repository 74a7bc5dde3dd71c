/*-------------------------------------------------------------------------
 *
 * said_no.h
 *		Numbers whose owners want no messages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SAID_NO_H
#define SICANTIK_WA_SAID_NO_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pg/app_table.h"

/* SPI must be connected. */
extern void wa_route_said_no_load(const WaAppTable *contacts, const WaAppTable *blacklist, TimestampTz since);
extern TimestampTz wa_route_said_no_in_odoo(const char *number);
extern TimestampTz wa_route_said_no_by_blacklist(const char *number);

extern TimestampTz wa_route_odoo_time(const char *value);
extern TimestampTz wa_route_odoo_no_at(const char *write_date, const char *date);

#endif							/* SICANTIK_WA_SAID_NO_H */
