-- catalogue.sql: everything that the catalogues say of the extension in this
-- database, one line a thing, sorted.  psql -XAtq; test/t/100_upgrade.pl prints
-- it for a database that CREATE EXTENSION has made and for one that ALTER
-- EXTENSION ... UPDATE has brought to the same version, and compares.
--
-- Columns are compared by name: one that was added is the last one.  Where code
-- goes by number (heap access, without a statement) the number is said too.

\set ON_ERROR_STOP on
SET search_path = pg_catalog;
SET quote_all_identifiers = off;

-- who may do what, also as it was when the extension was made, which is what a
-- dump leaves out.  NULL: the server's default.
CREATE FUNCTION pg_temp.rights(acl aclitem[]) RETURNS text LANGUAGE sql
AS $$
    SELECT coalesce(string_agg(format('%s=%s%s by %s', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                                      privilege_type, CASE WHEN is_grantable THEN '*' ELSE '' END, grantor::regrole),
                               ', ' ORDER BY grantee, privilege_type), 'default')
      FROM aclexplode(acl)
$$;
CREATE FUNCTION pg_temp.made_with(class oid, object oid, part integer) RETURNS text LANGUAGE sql
AS $$
    SELECT coalesce(string_agg(privtype::text || ': ' || pg_temp.rights(initprivs), '; '), 'nothing')
      FROM pg_init_privs WHERE classoid = class AND objoid = object AND objsubid = part
$$;
-- lines of a definition, in an order of their own
CREATE FUNCTION pg_temp.in_order(definition text) RETURNS text LANGUAGE sql
AS $$
    SELECT string_agg(line, ' | ' ORDER BY line COLLATE "C")
      FROM (SELECT btrim(l, ' ,;') AS line FROM regexp_split_to_table(definition, '\n') AS l) AS lines
$$;

WITH us AS (
    SELECT * FROM pg_extension WHERE extname = 'sicantik_wa'
), relation AS (
    SELECT c.*, c.oid::regclass::text AS name FROM pg_class AS c WHERE c.relnamespace = 'wa'::regnamespace
), routine AS (
    SELECT p.*, p.oid::regprocedure::text AS name
      FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
      JOIN us ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = us.oid
), line (said) AS (
    SELECT format('extension: version %s, schema %s, relocatable %s, comment %L', extversion, extnamespace::regnamespace, extrelocatable,
                  obj_description(oid, 'pg_extension'))
      FROM us
    UNION ALL
    SELECT format('member: %s %s', i.type, i.identity)
      FROM us, pg_depend AS d, pg_identify_object(d.classid, d.objid, d.objsubid) AS i
     WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = us.oid AND d.deptype = 'e'
    UNION ALL
    SELECT format('dumped: %s %s', e.relation::regclass, e.condition)
      FROM us, unnest(us.extconfig, us.extcondition) AS e (relation, condition)
    UNION ALL
    SELECT format('schema %s: owner %s, rights %s, made with %s, comment %L', nspname, nspowner::regrole, pg_temp.rights(nspacl),
                  pg_temp.made_with('pg_namespace'::regclass, oid, 0), obj_description(oid, 'pg_namespace'))
      FROM pg_namespace WHERE nspname = 'wa'
    UNION ALL
    SELECT format('relation %s: kind %s, owner %s, persistence %s, method %s, replica identity %s, row security %s, options %s, toast options %s, inherits %s, rights %s, made with %s, comment %L',
                  name, relkind, relowner::regrole, relpersistence, relam::text, relreplident, relrowsecurity,
                  (SELECT array_agg(o ORDER BY o) FROM unnest(reloptions) AS o),
                  (SELECT array_agg(o ORDER BY o) FROM pg_class AS t, unnest(t.reloptions) AS o WHERE t.oid = relation.reltoastrelid),
                  (SELECT array_agg(inhparent::regclass ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = relation.oid),
                  pg_temp.rights(relacl), pg_temp.made_with('pg_class'::regclass, oid, 0), obj_description(oid, 'pg_class'))
      FROM relation
     WHERE relkind <> 'i'
    UNION ALL
    SELECT format('column %s.%s: %s%s%s, default %s, identity %L, generated %L, inherited %s, local %s, storage %s, compression %L, statistics %s, rights %s, made with %s, comment %L',
                  r.name, a.attname,
                  CASE WHEN r.name IN ('wa.event', 'wa.event_aside', 'wa.secret')
                         OR r.name IN ('wa.watch', 'wa.watch_copy') AND a.attnum <= 3 THEN 'number ' || a.attnum || ', ' ELSE '' END,
                  format_type(a.atttypid, a.atttypmod),
                  CASE WHEN a.attcollation <> 0 THEN ' collation ' || a.attcollation::regcollation ELSE '' END
                  || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END,
                  pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attinhcount, a.attislocal, a.attstorage, a.attcompression,
                  -- PostgreSQL 17 writes NULL for the default
                  coalesce(nullif(a.attstattarget, -1)::text, 'default'),
                  pg_temp.rights(a.attacl), pg_temp.made_with('pg_class'::regclass, r.oid, a.attnum), col_description(r.oid, a.attnum))
      FROM relation AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef AS d ON d.adrelid = r.oid AND d.adnum = a.attnum
     WHERE r.relkind <> 'i'
    UNION ALL
    -- NOT NULL is said of the column: from PostgreSQL 18 on it is a constraint
    -- too, whose name stays when the column gets another one
    SELECT format('constraint %s on %s: %s, valid %s, comment %L', c.conname, r.name, pg_get_constraintdef(c.oid), c.convalidated,
                  obj_description(c.oid, 'pg_constraint'))
      FROM relation AS r JOIN pg_constraint AS c ON c.conrelid = r.oid AND c.contype <> 'n'
    UNION ALL
    SELECT format('index %s: %s, valid %s, replica identity %s, clustered %s, options %s, owner %s, comment %L',
                  r.name, pg_get_indexdef(r.oid), i.indisvalid, i.indisreplident, i.indisclustered, r.reloptions, r.relowner::regrole,
                  obj_description(r.oid, 'pg_class'))
      FROM relation AS r JOIN pg_index AS i ON i.indexrelid = r.oid
    UNION ALL
    SELECT format('sequence %s: %s from %s by %s, %s to %s, cache %s, cycle %s, of %s', r.name, format_type(s.seqtypid, NULL), s.seqstart,
                  s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
                  (SELECT string_agg(format('%s.%s (%s)', d.refobjid::regclass, a.attname, d.deptype), ', ')
                     FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass))
      FROM relation AS r JOIN pg_sequence AS s ON s.seqrelid = r.oid
    UNION ALL
    SELECT format('view %s: %s', name, pg_temp.in_order(pg_get_viewdef(oid)))
      FROM relation WHERE relkind IN ('v', 'm')
    UNION ALL
    SELECT format('trigger %s on %s: %s, enabled %s, comment %L', t.tgname, r.name, pg_get_triggerdef(t.oid), t.tgenabled,
                  obj_description(t.oid, 'pg_trigger'))
      FROM relation AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT format('function %s: owner %s, rights %s, made with %s, comment %L, %s', name, proowner::regrole, pg_temp.rights(proacl),
                  pg_temp.made_with('pg_proc'::regclass, oid, 0), obj_description(oid, 'pg_proc'),
                  regexp_replace(pg_get_functiondef(oid), '\s*\n\s*', ' | ', 'g'))
      FROM routine
    UNION ALL
    SELECT format('rule %s on %s, policy or statistics of ours', rulename, ev_class::regclass)
      FROM pg_rewrite JOIN relation AS r ON r.oid = ev_class AND r.relkind = 'r'
    UNION ALL
    SELECT format('policy %s on %s', polname, r.name) FROM pg_policy JOIN relation AS r ON r.oid = polrelid
    UNION ALL
    SELECT format('statistics %s', stxname) FROM pg_statistic_ext WHERE stxnamespace = 'wa'::regnamespace
    UNION ALL
    SELECT format('type %s: %s, owner %s, rights %s, comment %L', t.oid::regtype, t.typtype, t.typowner::regrole, pg_temp.rights(t.typacl),
                  obj_description(t.oid, 'pg_type'))
      FROM pg_type AS t WHERE t.typnamespace = 'wa'::regnamespace
)
SELECT replace(said, E'\n', ' ') FROM line ORDER BY said COLLATE "C";
