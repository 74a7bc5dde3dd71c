/*-------------------------------------------------------------------------
 *
 * access.h
 *		Grants, for those who set a database up, arm it, or look after it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ACCESS_H
#define SICANTIK_WA_ACCESS_H

#include "postgres.h"

#include "pg/said.h"

/* Both need SPI connected, acting as the database's owner. */
extern char *wa_admin_access_adopt(void);
extern int	wa_admin_access_idle(char ***roles, WaSaid **why);

#endif							/* SICANTIK_WA_ACCESS_H */
