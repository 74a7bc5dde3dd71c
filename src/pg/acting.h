/*-------------------------------------------------------------------------
 *
 * acting.h
 *		In whose name statements run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ACTING_H
#define SICANTIK_WA_ACTING_H

#include "postgres.h"

/* What to go back to; lives on the caller's stack. */
typedef struct WaActing
{
	Oid			user;
	int			context;
	int			guc_level;
} WaActing;

/* How far a role may go with our functions. */
typedef enum WaLevel
{
	WA_LEVEL_NONE,
	WA_LEVEL_WEBHOOK,
	WA_LEVEL_VIEW,
	WA_LEVEL_SEND,
	WA_LEVEL_ADMIN
} WaLevel;

extern PGDLLEXPORT Oid wa_pg_database_owner(void);
extern PGDLLEXPORT void wa_pg_act_as_owner(WaActing *acting);
extern PGDLLEXPORT void wa_pg_act_as_role(WaActing *acting, Oid role);
extern PGDLLEXPORT void wa_pg_act_end(WaActing *acting);
extern void wa_pg_trigger_begin(WaActing *acting);
extern void wa_pg_trigger_end(WaActing *acting);

#endif							/* SICANTIK_WA_ACTING_H */
