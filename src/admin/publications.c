/*-------------------------------------------------------------------------
 *
 * publications.c
 *		Publications that take our tables along.
 *
 * Nobody means to replicate them, but a publication of all tables does.  The
 * subscriber then needs this extension, too, or stops replicating everything
 * else; and citizens' data, and what the first copy by a superuser reads of
 * wa.secret, is on one more server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "pg/query.h"

/*
 * Publications of tables in schema wa: their number, and for each its name and
 * the statement after which it has none of them any more.  *names and *cures
 * are palloc()ed.
 */
int
wa_admin_publications(char ***names, char ***cures)
{
	/*
	 * FOR ALL TABLES can have exceptions where the catalog has a column for
	 * them.  Elsewhere the publication has to be made anew; in one
	 * transaction its subscribers do not notice.
	 */
	static WaStatement find =
		WA_STATEMENT("SELECT p.pubname::text, CASE"
					 " WHEN p.puballtables AND to_jsonb(p) ? 'puballsequences' THEN"
					 " format('ALTER PUBLICATION %I SET ALL TABLES EXCEPT (TABLE %s)%s', p.pubname,"
					 " (SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY n.nspname <> 'wa', c.relname)"
					 " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
					 " WHERE n.nspname = 'wa' AND c.relkind IN ('r', 'p') OR c.oid IN"
					 " (SELECT r.prrelid FROM pg_publication_rel AS r"
					 " WHERE r.prpubid = p.oid AND (to_jsonb(r) ->> 'prexcept')::boolean)),"
					 " CASE WHEN (to_jsonb(p) ->> 'puballsequences')::boolean THEN ', ALL SEQUENCES' ELSE '' END)"
					 " WHEN p.puballtables THEN"
					 " format('BEGIN; DROP PUBLICATION %I; CREATE PUBLICATION %I FOR TABLES IN SCHEMA %s WITH (publish = %L%s); COMMIT',"
					 " p.pubname, p.pubname,"
					 " coalesce((SELECT string_agg(DISTINCT quote_ident(t.schemaname), ', ') FROM pg_publication_tables AS t"
					 " WHERE t.pubname = p.pubname AND t.schemaname <> 'wa'), 'public'),"
					 " concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,"
					 " CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),"
					 " CASE WHEN p.pubviaroot THEN ', publish_via_partition_root = true' ELSE '' END)"
					 " ELSE concat_ws('; ', (SELECT format('ALTER PUBLICATION %I DROP TABLES IN SCHEMA wa', p.pubname)"
					 " FROM pg_publication_namespace AS s JOIN pg_namespace AS n ON n.oid = s.pnnspid"
					 " WHERE s.pnpubid = p.oid AND n.nspname = 'wa'),"
					 " (SELECT format('ALTER PUBLICATION %I DROP TABLE %s', p.pubname,"
					 " string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY c.relname))"
					 " FROM pg_publication_rel AS r JOIN pg_class AS c ON c.oid = r.prrelid"
					 " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
					 " WHERE r.prpubid = p.oid AND n.nspname = 'wa' HAVING count(*) > 0)) END"
					 " FROM pg_publication AS p WHERE EXISTS (SELECT FROM pg_publication_tables AS t"
					 " WHERE t.pubname = p.pubname AND t.schemaname = 'wa') ORDER BY p.pubname");
	WaRows		rows = wa_query(&find, NULL);
	int			n = (int) rows.n;

	*names = palloc(sizeof(char *) * Max(n, 1));
	*cures = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		(*names)[i] = wa_row_text(rows, i, 1);
		(*cures)[i] = wa_row_text(rows, i, 2);
	}
	return n;
}
