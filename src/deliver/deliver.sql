-- src/deliver/deliver.sql: the connection test.

CREATE FUNCTION pg_catalog.wa_test_connection(provider text,
    OUT ok boolean, OUT state text, OUT detail jsonb)
RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_test_connection';
COMMENT ON FUNCTION pg_catalog.wa_test_connection(text) IS
'asks the provider for its state, sends nothing, and sets wa.provider.state to configured or error; waits at most sicantik_wa.request_timeout. detail has what the provider told, and why it cannot be used (reason). Raises an error if the provider is unknown. Needs level admin';
