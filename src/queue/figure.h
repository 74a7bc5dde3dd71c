/*-------------------------------------------------------------------------
 *
 * figure.h
 *		The ledger in figures, kept by day.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_FIGURE_H
#define SICANTIK_WA_FIGURE_H

#include "postgres.h"

/* count.c: SPI connected; the tables must be locked against who writes them */
extern char *wa_queue_count_zone(void);
extern void wa_queue_count_begin(void);
extern int64 wa_queue_count_table(const char *name, const char *zone);
extern void wa_queue_count_write(void);

/* figure.c */
extern bool wa_queue_figures_run(void);
extern void wa_queue_figures_forget(void);

#endif							/* SICANTIK_WA_FIGURE_H */
