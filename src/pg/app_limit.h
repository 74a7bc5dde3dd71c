/*-------------------------------------------------------------------------
 *
 * app_limit.h
 *		How long a worker reads a table of the application.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_APP_LIMIT_H
#define SICANTIK_WA_APP_LIMIT_H

#include "postgres.h"

/* Called after each read that took no time to speak of; set by the worker. */
extern PGDLLEXPORT void (*wa_app_has_read) (void);

extern char *wa_app_limit_why(Oid relid);
extern void wa_app_limit_forget(void);
extern void wa_app_limit_begin(void);
extern bool wa_app_limit_end(void);
extern void wa_app_limit_passed(Oid relid, const char *relation);

#endif							/* SICANTIK_WA_APP_LIMIT_H */
