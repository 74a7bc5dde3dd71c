-- src/route/pause.sql: the switch of a provider.

CREATE FUNCTION pg_catalog.wa_pause(provider text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_pause';
COMMENT ON FUNCTION pg_catalog.wa_pause(text) IS
'stops using a provider (none named, or null: every one) until wa_resume(): its messages go by others or wait, and expire at the end of their time-to-live; requests on the wire are not touched. Returns how many were paused now, and says which were before. Raises an error if the provider is unknown. Needs level admin';

CREATE FUNCTION pg_catalog.wa_resume(provider text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_resume';
COMMENT ON FUNCTION pg_catalog.wa_resume(text) IS
'takes back wa_pause() for a provider (none named, or null: for every one). Returns how many were paused, and says which were not or cannot be used for another reason. Raises an error if the provider is unknown. Needs level admin';
