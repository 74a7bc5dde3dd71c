/*-------------------------------------------------------------------------
 *
 * sicantik_wa.h
 *		The server's settings (sicantik_wa.*), defined in sicantik_wa.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_H
#define SICANTIK_WA_H

#include "export.h"

/* superuser or configuration file */
extern WA_EXPORT char *wa_guc_allowed_hosts;	/* kind=host[:port], ... */
extern WA_EXPORT char *wa_guc_ca_file;
extern WA_EXPORT char *wa_guc_proxy;
extern char *wa_guc_secrets_directory;
extern char *wa_guc_instance;

/* configuration file, reloadable */
extern bool wa_guc_enabled;
extern int	wa_guc_max_workers;
extern int	wa_guc_worker_idle_timeout; /* seconds */
extern WA_EXPORT int wa_guc_request_timeout;	/* milliseconds */
extern WA_EXPORT int wa_guc_max_in_flight;
extern int	wa_guc_shutdown_grace;	/* milliseconds */
extern int	wa_guc_read_timeout;	/* milliseconds */
extern int	wa_guc_worker_patience; /* seconds */
extern int	wa_guc_compose_batch;	/* events */
extern int	wa_guc_max_unread;

/* session */
extern bool wa_guc_capture;
extern int	wa_guc_level;		/* WaLevel */
extern int	wa_guc_language;	/* WaLanguage, or WA_OFFICE_LANGUAGE */

#define WA_OFFICE_LANGUAGE (-1)

#endif							/* SICANTIK_WA_H */
