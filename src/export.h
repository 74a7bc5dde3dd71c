/*-------------------------------------------------------------------------
 *
 * export.h
 *		Marks what the other of our two modules uses.
 *
 * Extensions are compiled with hidden visibility: by the server's own flags
 * since PostgreSQL 16, by our Makefile with all versions, so that what is
 * missing here is missed everywhere.  The worker's module (which carries
 * libcurl) takes everything else from the preloaded one, so these must stay
 * visible.  The pure parts use this header too: it needs nothing of
 * PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_EXPORT_H
#define SICANTIK_WA_EXPORT_H

#define WA_EXPORT __attribute__((visibility("default")))

#endif							/* SICANTIK_WA_EXPORT_H */
