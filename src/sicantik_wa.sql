\echo Use "CREATE EXTENSION sicantik_wa" to load this file. \quit

-- src/sicantik_wa.sql: ownership and schema.  Pieces follow in the order of
-- the Makefile; rights and dump marks come last (src/rights.sql).

-- Every object belongs to the bootstrap superuser, whichever superuser runs
-- this script: nobody else can alter or drop them, or hang triggers on them.
-- (Run as a trusted extension the script already is that role.)  The setting
-- ends with the script.
SELECT pg_catalog.set_config('role', a.rolname, true)
  FROM pg_catalog.pg_authid AS a
 WHERE a.oid = 10 AND a.rolname <> current_user;

-- Fails if somebody has planted a schema of this name beforehand.
CREATE SCHEMA wa;
COMMENT ON SCHEMA wa IS 'sicantik_wa: ledger, configuration and event stream of the WhatsApp notifications';

CREATE FUNCTION wa._build()
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$SELECT '@WA_SQL_BUILD@'$$;
COMMENT ON FUNCTION wa._build() IS
'stamp of the script that made these objects; a library that was built with another script does not work with them';

CREATE FUNCTION wa._needs_library(version text, stamp text)
RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_needs_library';
COMMENT ON FUNCTION wa._needs_library(text, text) IS
'raises an error if the library that is loaded is of an earlier version, or of this one with another stamp; called by the installation script and by each update, before they make what that library does not know';
SELECT wa._needs_library('@EXTVERSION@', '@WA_SQL_BUILD@');
