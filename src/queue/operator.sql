-- src/queue/operator.sql: what people do with messages.

CREATE FUNCTION pg_catalog.wa_result(message bigint)
RETURNS jsonb
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_result';
COMMENT ON FUNCTION pg_catalog.wa_result(bigint) IS
'what became of a message: success (null while it is not over), state, provider, message_id (the provider''s) and error; NULL if there is no such message. Needs level view';

CREATE FUNCTION pg_catalog.wa_cancel(message bigint)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_cancel';
COMMENT ON FUNCTION pg_catalog.wa_cancel(bigint) IS
'cancel a message that is waiting (queued or held); the worker carries it out. Returns 1, or 0 with a notice if it is not waiting. Needs level send';

CREATE FUNCTION pg_catalog.wa_retry(message bigint)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_retry';
COMMENT ON FUNCTION pg_catalog.wa_retry(bigint) IS
'send a message again that has failed, expired, was skipped or cancelled, or has an unknown outcome; it then has at least one day left. Returns 1, or 0 with a notice. Needs level send';

CREATE FUNCTION pg_catalog.wa_cancel(scenario text, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_cancel_many';
COMMENT ON FUNCTION pg_catalog.wa_cancel(text, timestamptz, timestamptz) IS
'cancel the messages of a scenario that are waiting (queued or held), those created from since on and before until; the worker carries it out. Returns how many, with a notice about those left alone. Needs level send';

CREATE FUNCTION pg_catalog.wa_retry(scenario text, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_retry_many';
COMMENT ON FUNCTION pg_catalog.wa_retry(text, timestamptz, timestamptz) IS
'send again the messages of a scenario that have failed or expired, or have an unknown outcome, those created from since on and before until; not those that were skipped or cancelled. Returns how many, with a notice about those left alone. Needs level send';

CREATE FUNCTION pg_catalog.wa_release(scenario text DEFAULT NULL, maximum integer DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_release';
COMMENT ON FUNCTION pg_catalog.wa_release(text, integer) IS
'let held messages go, oldest first: of one scenario or of all (NULL), at most maximum (NULL: all). Returns how many. Needs level admin';
