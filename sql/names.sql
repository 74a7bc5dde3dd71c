-- Names that are frozen: they stand in dumps, in scripts of a DBA's, and in
-- people's fingers.  A difference here is a decision: one thing more is taken over
-- (results/names.out to expected/); another name, type or argument for what a
-- released version has needs a way from there (CONTRIBUTING.md, An upgrade step),
-- and a line in CHANGELOG.md.
SET client_min_messages = warning;
CREATE EXTENSION sicantik_wa;
LOAD 'sicantik_wa';
\pset format unaligned
\pset tuples_only on
-- tables, views and sequences, each with its columns by name
SELECT CASE c.relkind WHEN 'r' THEN 'table ' WHEN 'v' THEN 'view ' WHEN 'S' THEN 'sequence ' ELSE c.relkind::text || ' ' END || format('wa.%I', c.relname)
       || coalesce((SELECT string_agg(format(E'\n    %I %s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                                             CASE WHEN a.attnotnull THEN ' not null' ELSE '' END), '' ORDER BY a.attname COLLATE "C")
                      FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind <> 'S'), '')
  FROM pg_class AS c
 WHERE c.relnamespace = 'wa'::regnamespace AND c.relkind <> 'i'
 ORDER BY c.relkind, c.relname COLLATE "C";
-- functions
SELECT CASE p.prokind WHEN 'p' THEN 'procedure ' ELSE 'function ' END || n.nspname || '.' || p.proname
       || E'\n    (' || pg_get_function_arguments(p.oid) || ')' || coalesce(E'\n    ' || pg_get_function_result(p.oid), '')
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
  JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'sicantik_wa'
 ORDER BY n.nspname COLLATE "C", p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid) COLLATE "C";
-- types and triggers of our own
SELECT 'type ' || t.oid::regtype FROM pg_type AS t
 WHERE t.typnamespace = 'wa'::regnamespace AND t.typrelid = 0 AND t.typelem = 0 ORDER BY t.typname COLLATE "C";
SELECT format('trigger %s on %s', t.tgname, t.tgrelid::regclass)
  FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid AND c.relnamespace = 'wa'::regnamespace
 WHERE NOT t.tgisinternal ORDER BY c.relname COLLATE "C", t.tgname COLLATE "C";
-- settings of the server
SELECT format('setting %s %s%s, %s', name, vartype, ' in ' || unit, context) FROM pg_settings WHERE name LIKE 'sicantik\_wa.%' ORDER BY name COLLATE "C";
DROP EXTENSION sicantik_wa;
