/*-------------------------------------------------------------------------
 *
 * app_version.c
 *		Is a row of the application's the one that was read before?
 *
 * What has been read once need not be read again while it is the same version
 * of the row: at the same place, in the same file, made by the same transaction.
 * No version is ever written over, and its transaction had ended when it was
 * read, so nothing else that it has made can come to that place.  (Freezing
 * leaves xmin as it stands; and within the ten minutes for which anything is
 * remembered transaction ids do not come round.)  VACUUM FULL, CLUSTER, TRUNCATE
 * and the like give the table another file.
 *
 * That says what its columns are only if
 *
 * - the columns are the same: another one may have got the name, without any
 *	 row being written;
 * - text comes from their bytes alone: an enum's value can be renamed, and
 *	 a column can be computed when it is read;
 * - it is there for who reads as well: no policy, and his right to read is there;
 * - it is the only one with its id: by a unique index, and no table inherits;
 * - it lies in a heap.
 *
 * The first goes into a number, the layout, that is compared.  Of a table of
 * which one of the others is not so the layout is 0, and it is read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "storage/bufmgr.h"
#include "storage/itemptr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/app_version.h"
#include "pg/pg_compat.h"

/* Types whose text depends on nothing but the value, under the settings that we pin. */
static bool
is_plain(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case FLOAT4OID:
		case FLOAT8OID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case JSONOID:
		case JSONBOID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return true;
		default:
			return false;
	}
}

/* Can its rows be told by their versions, but for their columns? */
static bool
has_versions(const WaAppTable *table, Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_rel->relam == HEAP_TABLE_AM_OID &&
		!rel->rd_rel->relhassubclass && !rel->rd_rel->relrowsecurity && OidIsValid(rel->rd_rel->relfilenode) &&
		pg_class_aclcheck(table->relid, table->owner, ACL_SELECT) == ACLCHECK_OK;
}

static uint64
layout_of(const WaAppTable *table, Relation rel, const char *const *columns, int ncolumns)
{
	TupleDesc	desc = RelationGetDescr(rel);
	AttrNumber	id = get_attnum(table->relid, "id");
	uint64		layout = hash_combine64(table->relid, rel->rd_rel->relfilenode);

	if (!has_versions(table, rel) || id <= 0 || !wa_app_has_index(rel, id, true))
		return 0;
	for (int i = 0; i < ncolumns; i++)
	{
		AttrNumber	attnum = get_attnum(table->relid, columns[i]);
		Form_pg_attribute attribute = attnum > 0 ? TupleDescAttr(desc, attnum - 1) : NULL;

		if (attribute && (!is_plain(attribute->atttypid) || attribute->attgenerated == WA_ATTRIBUTE_GENERATED_VIRTUAL))
			return 0;
		layout = hash_combine64(layout, attribute ? (uint64) attnum << 32 | attribute->atttypid : 0);
	}
	return layout | 1;
}

/*
 * What the versions of this table's rows are compared with; 0: they tell nothing.
 * The table must be ready.
 */
uint64
wa_app_layout(const WaAppTable *table, const char *const *columns, int ncolumns)
{
	Relation	rel;
	uint64		layout;

	if (table->state != WA_APP_READY)
		return 0;
	/* locked by wa_app_open() */
	rel = table_open(table->relid, NoLock);
	layout = layout_of(table, rel, columns, ncolumns);
	table_close(rel, NoLock);
	return layout;
}

/*
 * Versions of rows of this table are going to be looked at, as the active
 * snapshot shows them; columns: what was read of them.
 */
void
wa_app_look_begin(WaAppLook *look, const WaAppTable *table, const char *const *columns, int ncolumns)
{
	memset(look, 0, sizeof(*look));
	if (table->state != WA_APP_READY)
		return;
	look->rel = table_open(table->relid, NoLock);
	look->layout = layout_of(table, look->rel, columns, ncolumns);
	if (look->layout == 0)
	{
		table_close(look->rel, NoLock);
		look->rel = NULL;
		return;
	}
	look->slot = table_slot_create(look->rel, NULL);

	/*
	 * VACUUM may have cut off what was at the end; it does not while we have
	 * the lock
	 */
	look->blocks = RelationGetNumberOfBlocks(look->rel);
}

/*
 * Is this version of a row there?  Then it is what wa_app_look_id() speaks of.
 */
bool
wa_app_look(WaAppLook *look, const WaAppVersion *version)
{
	ItemPointerData tid = version->tid;
	bool		isnull;

	if (look->rel == NULL || !TransactionIdIsValid(version->xmin) || !ItemPointerIsValid(&tid) ||
		ItemPointerGetBlockNumber(&tid) >= look->blocks)
		return false;
	return table_tuple_fetch_row_version(look->rel, &tid, GetActiveSnapshot(), look->slot) &&
		DatumGetTransactionId(slot_getsysattr(look->slot, MinTransactionIdAttributeNumber, &isnull)) == version->xmin;
}

/*
 * What this column of it has, as the number of another row; 0: nothing, or no
 * such column.
 */
int64
wa_app_look_id(WaAppLook *look, const char *column)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(look->rel), column);
	bool		isnull;
	Datum		value;

	if (attnum <= 0)
		return 0;
	value = slot_getattr(look->slot, attnum, &isnull);
	if (isnull)
		return 0;
	switch (TupleDescAttr(RelationGetDescr(look->rel), attnum - 1)->atttypid)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		default:
			return -1;			/* none that is a number of a row */
	}
}

void
wa_app_look_end(WaAppLook *look)
{
	if (look->rel == NULL)
		return;
	ExecDropSingleTupleTableSlot(look->slot);
	table_close(look->rel, NoLock);
	look->rel = NULL;
}
