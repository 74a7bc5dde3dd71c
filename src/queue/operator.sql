-- src/queue/operator.sql: what people do with messages.

CREATE FUNCTION pg_catalog.wa_result(message bigint)
RETURNS jsonb
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_result';
COMMENT ON FUNCTION pg_catalog.wa_result(bigint) IS
'what became of a message: success (null while it is not over), state, provider, message_id (the provider''s) and error, with numbers in these two masked below level admin (Meta''s ids contain one); NULL if there is no such message. Needs level view';

CREATE FUNCTION pg_catalog.wa_cancel(message bigint)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_cancel';
COMMENT ON FUNCTION pg_catalog.wa_cancel(bigint) IS
'cancel a message that is waiting: queued, held, or of unknown outcome and to be repeated (it stays unknown, but is not repeated). The worker carries it out; if the message has been sent by then, wa_why() tells so. Returns 1, or 0 with a notice that says why. Needs level send';

CREATE FUNCTION pg_catalog.wa_retry(message bigint)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_retry';
COMMENT ON FUNCTION pg_catalog.wa_retry(bigint) IS
'send a message again that has failed, expired, was skipped or cancelled, or has an unknown outcome, or try one at once that waits for another attempt, or that nobody carries out (wa.adrift). The worker looks the contact''s number up again, unless it was given by hand; it then has at least one day left. Returns 1, or 0 with a notice that says why. Needs level send';

CREATE FUNCTION pg_catalog.wa_cancel(scenario text DEFAULT NULL, since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL, provider text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_cancel_many';
COMMENT ON FUNCTION pg_catalog.wa_cancel(text, timestamptz, timestamptz, text, text) IS
'cancel the messages of a scenario, of a provider (the last one that had it, or that it was demanded for), with a reason, or what all of these have in common, that are waiting, those created from since on and before until; as wa_cancel(bigint). Returns how many were asked for, with a notice how many are left alone and why (of what is over those among the last 100,000 messages). Raises an error where none of the three is given, or one is unknown. Needs level send';

CREATE FUNCTION pg_catalog.wa_retry(scenario text DEFAULT NULL, since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL, provider text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_retry_many';
COMMENT ON FUNCTION pg_catalog.wa_retry(text, timestamptz, timestamptz, text, text) IS
'send again the messages of a scenario, of a provider (the last one that had it, or that it was demanded for), with a reason, or what all of these have in common, that have failed or expired, have an unknown outcome, had no number, wait for another attempt, or were skipped in mode observe and are within their time-to-live, those created from since on and before until; not those that were skipped for another reason or cancelled; as wa_retry(bigint). Returns how many were asked for, with a notice how many are left alone and why. Raises an error where none of the three is given, or one is unknown. Needs level send';

CREATE FUNCTION pg_catalog.wa_release(message bigint)
RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_release';
COMMENT ON FUNCTION pg_catalog.wa_release(bigint) IS
'let a held message go; it then has at least one day left. Returns 1, or 0 with a notice that says why. Needs level admin';

CREATE FUNCTION pg_catalog.wa_release(scenario text DEFAULT NULL, maximum integer DEFAULT NULL,
    reason text DEFAULT NULL, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_release_many';
COMMENT ON FUNCTION pg_catalog.wa_release(text, integer, text, timestamptz, timestamptz) IS
'let held messages of a scenario, with a reason, or both, go, oldest first, those created from since on and before until, at most maximum (NULL: all); as wa_release(bigint). Those held for name_mismatch only go one at a time. Returns how many, with a notice how many are left alone and why. Raises an error where neither scenario nor reason is given, or one is unknown. Needs level admin';

CREATE FUNCTION wa._settle(message bigint, attempt integer, provider_message_id text, accepted boolean, detail text)
RETURNS boolean
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_settle';
COMMENT ON FUNCTION wa._settle(bigint, integer, text, boolean, text) IS
'note what the provider told later about an attempt whose answer was lost: accepted, under provider_message_id (may be null), or not; detail: a sentence or null. The worker carries it out: accepted makes the message sent and drops a repeat; not accepted makes one of unknown outcome failed, unless a later attempt was made. Returns false if there is nothing to settle. Needs level admin';
