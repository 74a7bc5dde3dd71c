/*-------------------------------------------------------------------------
 *
 * app_limit.h
 *		How long a table of the application may take to be read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_APP_LIMIT_H
#define SICANTIK_WA_APP_LIMIT_H

#include "postgres.h"

#include "pg/said.h"

/* Called after each read that took no time to speak of; set by the worker. */
extern void (*wa_app_has_read) (void);

extern WaSaid wa_app_limit_why(Oid relid, const char *relation);
extern void wa_app_limit_leave_alone(WaSaid why);
extern void wa_app_limit_forget(void);
extern void wa_app_limit_begin(void);
extern bool wa_app_limit_end(void);
extern void wa_app_limit_passed(Oid relid, const char *relation);
extern PGDLLEXPORT bool wa_app_limit_raised(const ErrorData *error);

#endif							/* SICANTIK_WA_APP_LIMIT_H */
