/*-------------------------------------------------------------------------
 *
 * audit.h
 *		A line in the server's log for whatever an administrator or sender does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_AUDIT_H
#define SICANTIK_WA_AUDIT_H

#include "postgres.h"

#include "fmgr.h"

extern void wa_pg_audit_call(FunctionCallInfo fcinfo, Oid caller);

#endif							/* SICANTIK_WA_AUDIT_H */
