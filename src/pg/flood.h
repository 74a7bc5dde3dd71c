/*-------------------------------------------------------------------------
 *
 * flood.h
 *		Of the same line of the log one, and how many more there were.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_FLOOD_H
#define SICANTIK_WA_FLOOD_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* A line that many things may want to say; static, where it is said. */
typedef struct WaFlood
{
	const char *line;			/* how it begins */
	int			code;			/* its SQLSTATE */
	TimestampTz said_at;
	int64		more;			/* not said since */
	struct WaFlood *next;
} WaFlood;

#define WA_FLOOD(line, code)	{line, code, 0, 0, NULL}

extern PGDLLEXPORT bool wa_pg_flood_may_say(WaFlood *flood);
extern void wa_pg_flood_tell(bool all, TimestampTz *next_due);

#endif							/* SICANTIK_WA_FLOOD_H */
