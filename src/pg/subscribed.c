/*-------------------------------------------------------------------------
 *
 * subscribed.c
 *		Are our tables filled by logical replication?
 *
 * A publication of all tables publishes those of this extension, too.  Where a
 * subscription writes them, nobody else may: a row of ours would be in the way
 * of the publisher's row with the same key, and stop the whole subscription.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_subscription_rel.h"
#include "executor/tuptable.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/subscribed.h"

/*
 * Name of a subscription that writes tables or sequences of schema wa in this
 * database, palloc()ed, or NULL.  Must be called in a transaction.
 */
char *
wa_pg_subscription(void)
{
	Oid			schema = get_namespace_oid("wa", true);
	char	   *name = NULL;
	Relation	relation;
	TableScanDesc scan;
	TupleTableSlot *slot;

	if (!OidIsValid(schema))
		return NULL;
	relation = table_open(SubscriptionRelRelationId, AccessShareLock);
	slot = table_slot_create(relation, NULL);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while (name == NULL && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Oid			relid = DatumGetObjectId(slot_getattr(slot, Anum_pg_subscription_rel_srrelid, &isnull));

		if (get_rel_namespace(relid) == schema)
			name = get_subscription_name(DatumGetObjectId(slot_getattr(slot, Anum_pg_subscription_rel_srsubid, &isnull)),
										 true);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(relation, AccessShareLock);
	return name;
}
