-- src/admin/stat_progress.sql: how far long work is, in shared memory.

CREATE FUNCTION wa._stat_progress(OUT pid integer, OUT command text, OUT phase text, OUT done bigint, OUT total bigint, OUT started_at timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_stat_progress';
COMMENT ON FUNCTION wa._stat_progress() IS
'how far long work of this database is (wa.stat_progress); level view';

CREATE VIEW wa.stat_progress WITH (security_barrier = true) AS
SELECT p.pid, p.command, p.phase, p.done, p.total, p.started_at
  FROM wa._stat_progress() AS p
 WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.stat_progress IS 'how far long work is, for every level: one row per process and command, which goes when that is over, has failed, or its process has ended. None where the library is not preloaded';
COMMENT ON COLUMN wa.stat_progress.pid IS 'of the worker, of the process that composes beside it, or of the session that called the function';
COMMENT ON COLUMN wa.stat_progress.command IS 'drain: 100 messages or more wait, and go; compose: more changes than make one piece are read; requests: many of wa_cancel(), wa_retry(), wa_release() are carried out; purge; daily run; import: wa_import_odoo(); recount: wa_recount()';
COMMENT ON COLUMN wa.stat_progress.phase IS 'of a drain: sending, or waiting (for the provider''s pace, or until one can be used); of an import and a recount: what it is at; else NULL';
COMMENT ON COLUMN wa.stat_progress.done IS 'messages answered, changes read, wishes carried out, messages purged, permits looked at or messages made by a daily run, rows counted';
COMMENT ON COLUMN wa.stat_progress.total IS 'of how many: of a drain, wishes and changes as counted when that began or since, of a purge and a recount about; NULL: that is not known, as of a daily run and an import';
