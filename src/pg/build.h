/*-------------------------------------------------------------------------
 *
 * build.h
 *		Do the library and the SQL objects of this database belong together?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_BUILD_H
#define SICANTIK_WA_BUILD_H

#include "postgres.h"

#include "pg/said.h"

/* Why they do not; the detail in English, palloc()ed. */
typedef struct WaBuildDifference
{
	WaSaid		what;
	const char *detail;			/* a whole sentence */
	WaSaid		what_to_do;
} WaBuildDifference;

extern const char *wa_pg_build_of_library(void);
extern bool wa_pg_build_stamp_differs(WaBuildDifference *difference);
extern bool wa_pg_build_differs(WaBuildDifference *difference);
extern void wa_pg_build_check(void);

#endif							/* SICANTIK_WA_BUILD_H */
