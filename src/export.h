/*-------------------------------------------------------------------------
 *
 * export.h
 *		Marks a function that the other of our two modules calls.
 *
 * Since PostgreSQL 16 extensions are compiled with hidden visibility.  The
 * worker's module (which carries libcurl) takes everything else from the
 * preloaded one, so these functions must stay visible.  The pure parts use
 * this header too: it needs nothing of PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_EXPORT_H
#define SICANTIK_WA_EXPORT_H

#define WA_EXPORT __attribute__((visibility("default")))

#endif							/* SICANTIK_WA_EXPORT_H */
