/*-------------------------------------------------------------------------
 *
 * setting_source.h
 *		Where a setting of the server has its value from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SETTING_SOURCE_H
#define SICANTIK_WA_SETTING_SOURCE_H

#include "postgres.h"

typedef struct WaSettingSource
{
	bool		in_catalog;		/* ALTER DATABASE, ALTER ROLE ... SET */
	char	   *file;			/* or NULL */
} WaSettingSource;

extern void wa_pg_setting_source(WaSettingSource *source, const char *name);

#endif							/* SICANTIK_WA_SETTING_SOURCE_H */
