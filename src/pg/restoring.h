/*-------------------------------------------------------------------------
 *
 * restoring.h
 *		Is this database being filled from a dump?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_RESTORING_H
#define SICANTIK_WA_RESTORING_H

#include "postgres.h"

extern bool wa_pg_restore_runs(void);

#endif							/* SICANTIK_WA_RESTORING_H */
