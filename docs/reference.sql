-- reference.sql: the parts of docs/reference.md that the database knows best:
-- functions, server settings, views and tables, with their comments.  psql -XAtq
-- as a superuser, in a database with the extension; docs/reference.sh puts what
-- it prints between the marks, test/t/094_papers.pl compares it.

\set ON_ERROR_STOP on
\set QUIET on
SET search_path = pg_catalog;
LOAD 'sicantik_wa';

-- what would be markup, and names as code
CREATE FUNCTION pg_temp.marked(said text) RETURNS text LANGUAGE sql
AS $$
    SELECT regexp_replace(regexp_replace(said, '([*<|])', '\\\1', 'g'),
                          '\m(?!wa\.me\M)((?:wa|sicantik_wa)[._][a-z_]+(?:\.[a-z_]+)?(?:\([^()]*\))?)', '`\1`', 'g')
$$;
-- lines of at most 120 columns behind an indentation
CREATE FUNCTION pg_temp.filled(said text, indent text) RETURNS text LANGUAGE sql
AS $$
    SELECT rtrim(regexp_replace(said, '(.{1,' || 120 - length(indent) || '})(?: +|$)', indent || E'\\1\n', 'g'), E'\n')
$$;
-- the same of sentences
CREATE FUNCTION pg_temp.prose(said text, indent text) RETURNS text LANGUAGE sql
AS $$
    SELECT pg_temp.filled(pg_temp.marked(upper(left(said, 1)) || substr(said, 2) || rtrim('.', right(said, 1))), indent)
$$;
-- and of an item of a list, with what is said of it
CREATE FUNCTION pg_temp.item(head text, said text) RETURNS text LANGUAGE sql
AS $$
    SELECT E'\n' || overlay(pg_temp.filled(head, '  ') PLACING '-' FROM 1) || E'\n\n' || pg_temp.prose(said, '  ')
$$;
-- types and defaults in their short spelling
CREATE FUNCTION pg_temp.short(declaration text) RETURNS text LANGUAGE sql
AS $$
    SELECT regexp_replace(regexp_replace(replace(replace(declaration,
               'timestamp with time zone', 'timestamptz'), ' without time zone', ''),
               ' DEFAULT ', ' = ', 'g'), $x$ = (NULL|'[^']*')::[a-z ]+(\[\])?$x$, ' = \1', 'g')
$$;
-- a number with its unit, as SHOW gives it
CREATE FUNCTION pg_temp.amount(value text, unit text) RETURNS text LANGUAGE sql
AS $$
    SELECT CASE WHEN unit IS NULL OR s = 0 THEN value
                WHEN s >= 3600 AND s % 3600 = 0 THEN trunc(s / 3600) || 'h'
                WHEN s > 60 AND s % 60 = 0 THEN trunc(s / 60) || 'min'
                WHEN s % 1 = 0 THEN trunc(s) || 's'
                ELSE value || unit END
      FROM (SELECT value::numeric / CASE unit WHEN 'ms' THEN 1000 ELSE 1 END) AS n(s)
$$;
-- the columns of a view: each with what is said of it
CREATE FUNCTION pg_temp.named(relation oid) RETURNS text LANGUAGE sql
AS $$
    SELECT 'columns: ' || string_agg('`' || attname || '`' || coalesce(' (' || col_description(relation, attnum) || ')', ''), ', ' ORDER BY attnum)
      FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
$$;

\echo '<!-- begin functions: make reference writes this from the database -->'
SELECT CASE WHEN f.first THEN E'\n' || CASE f.level WHEN 'none' THEN '### For everybody' ELSE '### Level ' || f.level END || E'\n' ELSE '' END
       || pg_temp.item('`' || f.call || '`' || coalesce(' returns ' || f.result, ''), regexp_replace(f.comment, '[.;] Needs level \w+', ''))
  FROM (SELECT g.*, row_number() OVER (PARTITION BY g.level ORDER BY g.call) = 1 AS first
          FROM (SELECT CASE p.prokind WHEN 'p' THEN 'CALL ' ELSE '' END || p.proname
                       || '(' || pg_temp.short(regexp_replace(pg_get_function_arguments(p.oid), '(, )?\mOUT .*|\mIN ', '', 'g')) || ')' AS call,
                       CASE WHEN p.proargmodes IS NOT NULL
                            THEN CASE WHEN p.proretset THEN 'rows' ELSE 'a row' END || ' of `'
                                 || pg_temp.short(replace(substring(pg_get_function_arguments(p.oid), '\mOUT .*'), 'OUT ', '')) || '`'
                            WHEN p.prokind = 'f' THEN '`' || p.prorettype::regtype || '`'
                       END AS result,
                       obj_description(p.oid, 'pg_proc') AS comment,
                       coalesce(substring(obj_description(p.oid, 'pg_proc'), 'Needs level (\w+)'), 'none') AS level
                  FROM pg_proc AS p, pg_depend AS d, pg_extension AS e
                 WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refobjid = e.oid AND d.deptype = 'e'
                   AND e.extname = 'sicantik_wa' AND p.pronamespace = 'pg_catalog'::regnamespace) AS g) AS f
 ORDER BY array_position('{none,view,send,admin}', f.level), f.call COLLATE "C";
\echo
\echo '<!-- end functions -->'

\echo '<!-- begin settings: make reference writes this from the database -->'
SELECT pg_temp.item('`' || s.name || '` = `' || CASE s.boot_val WHEN '' THEN '''''' ELSE CASE s.vartype WHEN 'integer' THEN pg_temp.amount(s.boot_val, s.unit) ELSE s.boot_val END END || '`'
       || ' (' || CASE s.context WHEN 'sighup' THEN 'reload' WHEN 'user' THEN 'anybody' ELSE s.context END
       || CASE WHEN s.vartype = 'integer' THEN '; ' || pg_temp.amount(s.min_val, s.unit) || ' to ' || pg_temp.amount(s.max_val, s.unit) ELSE '' END || ')',
                    concat_ws(' ', s.short_desc, s.extra_desc))
  FROM pg_settings AS s
 WHERE s.name LIKE 'sicantik_wa.%'
 ORDER BY s.name COLLATE "C";
\echo
\echo '<!-- end settings -->'

\echo '<!-- begin views: make reference writes this from the database -->'
SELECT E'\n### wa.' || c.relname || E'\n\n' || pg_temp.prose(obj_description(c.oid, 'pg_class'), '')
       || E'\n\n' || pg_temp.prose(pg_temp.named(c.oid), '')
  FROM pg_class AS c
 WHERE c.relnamespace = 'wa'::regnamespace AND c.relkind = 'v' AND c.relname !~ '^_'
 ORDER BY c.relname COLLATE "C";
\echo
\echo '<!-- end views -->'

\echo '<!-- begin tables: make reference writes this from the database -->'
SELECT E'\n### wa.' || c.relname || E'\n\n' || pg_temp.prose(obj_description(c.oid, 'pg_class'), '')
       || E'\n\n| column | type | |\n|---|---|---|\n'
       || (SELECT string_agg('| `' || a.attname || '` | `'
                  || pg_temp.short(format_type(a.atttypid, a.atttypmod) || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), ''))
                  || '` |' || coalesce(' ' || pg_temp.marked(col_description(c.oid, a.attnum)), '') || ' |', E'\n' ORDER BY a.attnum)
             FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  FROM pg_class AS c
 WHERE c.relnamespace = 'wa'::regnamespace AND c.relkind = 'r'
 ORDER BY c.relname COLLATE "C";
\echo
\echo '<!-- end tables -->'
