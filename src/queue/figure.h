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

extern bool wa_queue_figures_run(void);
extern void wa_queue_figures_forget(void);

#endif							/* SICANTIK_WA_FIGURE_H */
