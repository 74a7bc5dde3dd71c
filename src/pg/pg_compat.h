/*-------------------------------------------------------------------------
 *
 * pg_compat.h
 *		Differences between the PostgreSQL versions that we support.
 *
 * The only place that tests PG_VERSION_NUM; everything else is written for
 * the newest version and uses the names defined here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PG_COMPAT_H
#define SICANTIK_WA_PG_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "sicantik_wa needs PostgreSQL 15, 16, 17 or 18"
#endif

#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif

/* Stands in front of a function that does not return. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/*
 * A wait event set that lives as long as the process, the number of our
 * PGPROC, and that of our transaction, which each one has.
 */
#if PG_VERSION_NUM >= 170000
#define wa_create_wait_event_set(nevents) CreateWaitEventSet(NULL, (nevents))
#define wa_my_proc_number() ((uint32) MyProcNumber)
#define wa_my_local_xid() (MyProc->vxid.lxid)
#else
#define wa_create_wait_event_set(nevents) \
	CreateWaitEventSet(TopMemoryContext, (nevents))
#define wa_my_proc_number() ((uint32) MyProc->pgprocno)
#define wa_my_local_xid() (MyProc->lxid)
#endif

/*
 * After the last index_insert() into an index: what an access method keeps
 * between two calls (BRIN: pinned buffers) is released.
 */
#if PG_VERSION_NUM >= 170000
#define wa_index_insert_cleanup(index, info) index_insert_cleanup((index), (info))
#else
#define wa_index_insert_cleanup(index, info) ((void) 0)
#endif

/* The rights of a role on a schema; needs utils/acl.h. */
#if PG_VERSION_NUM >= 160000
#define wa_schema_aclcheck(oid, role, mode) object_aclcheck(NamespaceRelationId, (oid), (role), (mode))
#else
#define wa_schema_aclcheck(oid, role, mode) pg_namespace_aclcheck((oid), (role), (mode))
#endif

/*
 * What a module says of itself; from 18 on also its name and version, which
 * pg_get_loaded_modules() shows.
 */
#if PG_VERSION_NUM >= 180000
#define WA_MODULE_MAGIC(module) \
	PG_MODULE_MAGIC_EXT(.name = module, .version = WA_VERSION)
#else
#define WA_MODULE_MAGIC(module) PG_MODULE_MAGIC
#endif

/*
 * pg_attribute.attgenerated of a column that is computed when it is read,
 * which 18 brings.
 */
#define WA_ATTRIBUTE_GENERATED_VIRTUAL	'v'

/*
 * pg_database.datconnlimit of a database whose DROP was interrupted; minor
 * releases before August 2023 do not know it.
 */
#ifndef DATCONNLIMIT_INVALID_DB
#define DATCONNLIMIT_INVALID_DB (-2)
#endif

#endif							/* SICANTIK_WA_PG_COMPAT_H */
