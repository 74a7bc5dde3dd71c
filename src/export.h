/*-------------------------------------------------------------------------
 *
 * export.h
 *		Marks what the other of our two modules uses.
 *
 * Extensions are compiled with hidden visibility since PostgreSQL 16, by the
 * server's own flags; PostgreSQL 15 shows everything, so a test looks at the
 * headers (087_symbols).  The worker's module (which carries
 * libcurl) takes everything else from the preloaded one, so these must stay
 * visible: WA_EXPORT here, and where there is PostgreSQL its PGDLLEXPORT.  The
 * pure parts use this header too: it needs nothing of PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_EXPORT_H
#define SICANTIK_WA_EXPORT_H

#define WA_EXPORT __attribute__((visibility("default")))

#endif							/* SICANTIK_WA_EXPORT_H */
