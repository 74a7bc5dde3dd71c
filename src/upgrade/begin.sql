
-- src/upgrade/begin.sql: each update begins so.
--
-- A server goes on with the library that it has loaded, and what follows is for
-- a later one.  Said before anything is changed.
DO LANGUAGE plpgsql $$
BEGIN
    CREATE OR REPLACE FUNCTION wa._needs_library(version text, stamp text)
    RETURNS void
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME', 'wa_sql_needs_library';
EXCEPTION WHEN undefined_function THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = 'the library that is loaded is older than this update: restart the server, then ALTER EXTENSION sicantik_wa UPDATE',
        DETAIL = 'The update leads to version @EXTVERSION@ (SQL @WA_SQL_BUILD@). Nothing has been changed.';
END $$;
SELECT wa._needs_library('@EXTVERSION@', '@WA_SQL_BUILD@');

