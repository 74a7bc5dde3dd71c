-- src/admin/arm.sql: which database may send.

CREATE FUNCTION pg_catalog.wa_arm(database_name text)
RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_arm';
COMMENT ON FUNCTION pg_catalog.wa_arm(text) IS
'let this database send: stamps its identity and sets mode live; the name must be that of the current database. In a copy, what was waiting before is held. Returns a sentence, and a line for each thing that is not ready: what wa_check() calls an error, links that do not fit, other senders. Needs level admin';

CREATE FUNCTION pg_catalog.wa_disarm()
RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_disarm';
COMMENT ON FUNCTION pg_catalog.wa_disarm() IS
'back to mode observe: only messages by hand go out. Automatic messages that wait are skipped, reason observe, at once or when they are due; the answer says how many wait. wa_retry(reason => ''observe'') brings them back after wa_arm(); wa_pause() stops sending without ending any before its time-to-live is over. Returns a sentence. Needs level admin';
