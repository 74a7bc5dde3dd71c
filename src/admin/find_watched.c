/*-------------------------------------------------------------------------
 *
 * find_watched.c
 *		Findings about the watched tables: are changes recorded?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "admin/admin.h"
#include "admin/findings.h"
#include "pg/query.h"

/* Changes of records without such an id are nobody's. */
static bool
has_id(Oid relid)
{
	AttrNumber	attnum = get_attnum(relid, "id");
	Oid			type = attnum > 0 ? get_atttype(relid, attnum) : InvalidOid;

	return type == INT4OID || type == INT8OID || type == INT2OID;
}

void
wa_find_watched(WaFindings *findings)
{
	static WaStatement rows =
		WA_STATEMENT("SELECT w.relation, coalesce(c.oid, 0)::bigint FROM wa.watch AS w"
					 " LEFT JOIN (pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace)"
					 " ON format('%I.%I', n.nspname, c.relname) = w.relation"
					 " ORDER BY w.relation COLLATE \"C\"");
	uint64		n = wa_query(&rows, NULL);
	char	  **relations = palloc(sizeof(char *) * Max(n, 1));
	Oid		   *oids = palloc(sizeof(Oid) * Max(n, 1));

	for (uint64 i = 0; i < n; i++)
	{
		relations[i] = wa_row_text(i, 1);
		oids[i] = (Oid) wa_row_int8(i, 2);
	}
	if (n == 0)
		wa_find(findings, WA_ERROR_CAPTURE, "watched", "SELECT * FROM wa_setup(), when Odoo's tables are there",
				"no table is watched: SELECT * FROM wa_setup()");
	for (uint64 i = 0; i < n; i++)
	{
		char	   *item = psprintf("watched %s", relations[i]);
		WaTarget	target = {0};

		if (OidIsValid(oids[i]))
			wa_admin_find_target_by_oid(&target, oids[i]);
		if (!OidIsValid(target.relid))
			wa_find(findings, WA_ERROR_CAPTURE, item, NULL,
					"there is no such table: SELECT * FROM wa_setup() when it is there again");
		else if (target.triggers != WA_TRIGGERS_PRESENT)
			wa_find(findings, WA_ERROR_CAPTURE, item, "SELECT * FROM wa_setup()",
					"its triggers are missing, disabled or replaced, so changes are not seen: SELECT * FROM wa_setup(), then see wa_status()");
		else if (!has_id(target.relid))
			wa_find(findings, WA_ERROR_CAPTURE, item, NULL,
					"it has no column id of an integer type, so no scenario is told of its changes");
		else
			wa_find(findings, WA_FINE, item, NULL, NULL);
	}
}
