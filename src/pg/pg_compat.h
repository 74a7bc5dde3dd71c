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

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 200000
#error "sicantik_wa needs PostgreSQL 15, 16, 17, 18 or 19"
#endif

#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif
#if PG_VERSION_NUM >= 190000
#include "commands/sequence_xlog.h"
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

/*
 * Which files a relation has, and the record in the WAL of what a sequence is
 * at; needs utils/rel.h and commands/sequence.h.
 */
#if PG_VERSION_NUM >= 160000
#define wa_relation_locator(rel) ((rel)->rd_locator)
#define wa_sequence_record_locator locator
#else
#define wa_relation_locator(rel) ((rel)->rd_node)
#define wa_sequence_record_locator node
#endif

/*
 * A jsonb value that is made piece by piece, which begins as {0}; needs
 * utils/jsonb.h.
 */
#if PG_VERSION_NUM >= 190000
#define WaJsonbInState JsonbInState
#define wa_jsonb_push(in, token, value) pushJsonbValue((in), (token), (value))
#else
typedef struct WaJsonbInState
{
	struct JsonbValue *result;
	struct JsonbParseState *state;
} WaJsonbInState;
#define wa_jsonb_push(in, token, value) \
	((void) ((in)->result = pushJsonbValue(&(in)->state, (token), (value))))
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

/* All rows of a table; needs access/tableam.h. */
#if PG_VERSION_NUM >= 190000
#define wa_table_beginscan(rel, snapshot) table_beginscan((rel), (snapshot), 0, NULL, 0)
#else
#define wa_table_beginscan(rel, snapshot) table_beginscan((rel), (snapshot), 0, NULL)
#endif

/*
 * How many transactions that had written something have ended, and what of
 * them was rolled back; needs access/transam.h.
 */
#if PG_VERSION_NUM >= 170000
#define wa_transactions_ended() (TransamVariables->xactCompletionCount)
#else
#define wa_transactions_ended() (ShmemVariableCache->xactCompletionCount)
#endif

/* In a handler of SIGTERM: what a backend does; needs tcop/tcopprot.h. */
#if PG_VERSION_NUM >= 190000
#define wa_die() die(postgres_signal_arg, pg_siginfo)
#else
#define wa_die() die(postgres_signal_arg)
#endif

/* Is this process the one that uses a replication slot?  Needs replication/slot.h. */
#if PG_VERSION_NUM >= 190000
#define wa_slot_is_used_by(slot, process) \
	((slot)->active_proc != INVALID_PROC_NUMBER && GetPGProcByNumber((slot)->active_proc)->pid == (process))
#else
#define wa_slot_is_used_by(slot, process) ((slot)->active_pid == (process))
#endif

/* What a process does, by its place in the list; needs utils/backend_status.h. */
#if PG_VERSION_NUM >= 160000
#define wa_local_backend_status(index) pgstat_get_local_beentry_by_index(index)
#else
#define wa_local_backend_status(index) pgstat_fetch_stat_local_beentry(index)
#endif

/*
 * A background worker that the server ends by itself where its database is
 * dropped, renamed, moved or copied.  Before 19 only our hook does.
 */
#if PG_VERSION_NUM < 190000
#define BGWORKER_INTERRUPTIBLE 0
#endif

/*
 * Called for each table of a statement that is being planned, when what the
 * planner needs to know of it has been read.
 */
#if PG_VERSION_NUM >= 190000
#define wa_relation_info_hook build_simple_rel_hook
#define WaRelationInfoHook build_simple_rel_hook_type
#define WA_RELATION_INFO_ARGS PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte
#define wa_relation_info_next(hook) (hook) (root, rel, rte)
#define wa_relation_info_oid() (rte->rtekind == RTE_RELATION ? rte->relid : InvalidOid)
#else
#define wa_relation_info_hook get_relation_info_hook
#define WaRelationInfoHook get_relation_info_hook_type
#define WA_RELATION_INFO_ARGS PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel
#define wa_relation_info_next(hook) (hook) (root, relid, inhparent, rel)
#define wa_relation_info_oid() (relid)
#endif

/*
 * pg_database.datconnlimit of a database whose DROP was interrupted; minor
 * releases before August 2023 do not know it.
 */
#ifndef DATCONNLIMIT_INVALID_DB
#define DATCONNLIMIT_INVALID_DB (-2)
#endif

#endif							/* SICANTIK_WA_PG_COMPAT_H */
