/*-------------------------------------------------------------------------
 *
 * find_own_tables.c
 *		What somebody has done to our tables and sequences.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/findings.h"
#include "pg/query.h"
#include "queue/queue.h"

/* The owner may set the sequence, also to its end. */
static void
find_event_numbers(WaFindings *findings)
{
	static WaStatement at_end =
		WA_STATEMENT("SELECT FROM pg_sequence WHERE seqrelid = to_regclass('wa.event_id_seq')"
					 " AND pg_sequence_last_value(seqrelid) > seqmax - 1000");

	if (wa_query(&at_end, NULL).n == 0)
		wa_admin_find(findings, WA_FINE, "log: event numbers", NULL, NULL);
	else
		wa_admin_find(findings, WA_WARNING_EVENTS, "log: event numbers",
					  wa_said_statement("SELECT setval('wa.event_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM wa.event WHERE id < 100000000000000))"),
					  wa_say(WA_SAY_EVENT_NUMBERS_AT_END));
}

/* Sequences whose next numbers are taken. */
static void
find_numbers(WaFindings *findings)
{
	WaRows		rows = wa_queue_numbers_taken();

	for (uint64 i = 0; i < rows.n; i++)
	{
		char	   *table = wa_row_text(rows, i, 1);

		wa_admin_find(findings, WA_ERROR_WORKER, "own numbers",
					  wa_said_statement("SELECT setval('wa.%s_id_seq', (SELECT max(id) FROM wa.%s))", table, table),
					  wa_say(WA_SAY_OWN_NUMBERS_TAKEN, table));
	}
	if (rows.n == 0)
		wa_admin_find(findings, WA_FINE, "own numbers", NULL, NULL);
}

/* SQL: is the function of trigger t one of ours? */
#define OURS \
	"EXISTS (SELECT FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid" \
	" WHERE e.extname = 'sicantik_wa' AND d.classid = 'pg_proc'::regclass AND d.objid = t.tgfoid AND d.deptype = 'e')"

/* SQL: does trigger t keep what wa_recount() makes anew? */
#define KEEPS	"t.tgfoid IN (to_regprocedure('wa._count()'), to_regprocedure('wa._unattended()'))"

/* SQL: is trigger t of table c one that fires for replicas and restores, too? */
#define MADE_ALWAYS		"(" KEEPS " OR c.relname = 'watch')"

/*
 * What somebody has done to our tables, so that rows are not written, or not
 * seen or noted, and nobody gets an error: a trigger that forgets to return its
 * row, a rule, row security, one of our triggers that is off.  (What pg_restore
 * --disable-triggers enables again are ordinary triggers.)  What only fails is
 * told where it fails.
 */
void
wa_admin_find_own_tables(WaFindings *findings)
{
	static WaStatement hung =
		WA_STATEMENT("SELECT 't', quote_ident(c.relname), quote_ident(t.tgname), NULL AS enable FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid"
					 " WHERE c.relnamespace = 'wa'::regnamespace AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 3 = 3 AND NOT " OURS
					 " UNION ALL SELECT CASE WHEN " KEEPS " THEN 'k' ELSE 'o' END, quote_ident(c.relname), quote_ident(t.tgname),"
					 " CASE WHEN " MADE_ALWAYS " THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END"
					 " FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid WHERE c.relnamespace = 'wa'::regnamespace AND NOT t.tgisinternal"
					 " AND (t.tgenabled IN ('D', 'R') OR t.tgenabled = 'O' AND " MADE_ALWAYS ") AND " OURS
					 " UNION ALL SELECT 'r', quote_ident(c.relname), quote_ident(r.rulename), NULL FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class"
					 " WHERE c.relnamespace = 'wa'::regnamespace AND c.relkind = 'r' AND r.ev_enabled <> 'D'"
					 " UNION ALL SELECT 's', quote_ident(relname), NULL, NULL FROM pg_class"
					 " WHERE relnamespace = 'wa'::regnamespace AND relkind = 'r' AND relrowsecurity ORDER BY 2, 1, 3");
	WaRows		rows = wa_query(&hung, NULL);

	for (uint64 i = 0; i < rows.n; i++)
	{
		char		kind = wa_row_text(rows, i, 1)[0];
		char	   *table = wa_row_text(rows, i, 2);
		char	   *name = wa_row_text(rows, i, 3);
		char	   *enable = wa_row_text(rows, i, 4);

		switch (kind)
		{
			case 't':
				wa_admin_find(findings, WA_WARNING_SERVER, "own tables", NULL, wa_say(WA_SAY_OWN_TABLE_TRIGGER, table, name));
				break;
			case 'k':
			case 'o':
				wa_admin_find(findings, WA_WARNING_SERVER, "own tables",
							  wa_said_statement("ALTER TABLE wa.%s %s TRIGGER %s", table, enable, name),
							  kind == 'k' ? wa_say(WA_SAY_OWN_TABLE_KEEPER_OFF, table, name, enable) :
							  wa_say(WA_SAY_OWN_TABLE_TRIGGER_OFF, table, name, enable));
				break;
			case 'r':
				wa_admin_find(findings, WA_WARNING_SERVER, "own tables", wa_said_statement("DROP RULE %s ON wa.%s", name, table),
							  wa_say(WA_SAY_OWN_TABLE_RULE, table, name));
				break;
			default:
				wa_admin_find(findings, WA_WARNING_SERVER, "own tables", wa_said_statement("ALTER TABLE wa.%s DISABLE ROW LEVEL SECURITY", table),
							  wa_say(WA_SAY_OWN_TABLE_ROW_SECURITY, table));
				break;
		}
	}
	if (rows.n == 0)
		wa_admin_find(findings, WA_FINE, "own tables", NULL, NULL);
	find_event_numbers(findings);
	find_numbers(findings);
}
