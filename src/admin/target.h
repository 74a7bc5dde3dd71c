/*-------------------------------------------------------------------------
 *
 * target.h
 *		Tables that carry our trigger, or are to carry it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TARGET_H
#define SICANTIK_WA_TARGET_H

#include "postgres.h"

#include "fmgr.h"
#include "storage/lockdefs.h"

/* What is there of our trigger. */
typedef enum WaTriggerState
{
	WA_TRIGGERS_MISSING,
	WA_TRIGGERS_PRESENT,
	WA_TRIGGERS_DISABLED,
	WA_TRIGGERS_FOREIGN			/* somebody else's trigger has our name */
} WaTriggerState;

/* One table that carries it, or is to carry it. */
typedef struct WaTarget
{
	Oid			relid;			/* InvalidOid: there is no such table */
	char	   *schema;
	char	   *table;
	char	   *relation;		/* schema-qualified, quoted */
	char		relkind;
	Oid			owner;
	WaTriggerState triggers;
	bool		always;			/* ours fires in every session */
	bool		former;			/* it has the second one of 1.0, too */
	bool		locked;			/* by us, until the end of the transaction */
} WaTarget;

/* More tables than these are not dealt with. */
#define WA_MAX_TARGETS	100

/* attach.c */
extern void wa_admin_find_target(WaTarget *target, const char *schema,
								 const char *table);
extern void wa_admin_find_target_by_oid(WaTarget *target, Oid relid);
extern bool wa_admin_may_alter(Oid caller, const WaTarget *target);
extern void wa_admin_lock_targets(WaTarget **targets, int n, LOCKMODE lockmode);
extern bool wa_admin_attach(WaTarget *target, char **problem);
extern bool wa_admin_detach(WaTarget *target, char **problem);
extern bool wa_admin_change_target(const WaTarget *target, const char *sql, char **problem);

/* contact_index.c */
extern void wa_admin_setup_contacts(FunctionCallInfo fcinfo, Oid caller);
extern void wa_admin_teardown_contacts(FunctionCallInfo fcinfo, Oid caller);

#endif							/* SICANTIK_WA_TARGET_H */
