-- src/admin/explain.sql: what would happen, and why.

CREATE FUNCTION pg_catalog.wa_determine_provider(partner_id bigint, template_key text,
    OUT provider text, OUT kind text, OUT reason text, OUT use_24h_window boolean)
RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_determine_provider';
COMMENT ON FUNCTION pg_catalog.wa_determine_provider(bigint, text) IS
'the routing decision as it would be now, with its reason and the candidates refused; provider is NULL if none can be used. Needs level view';

CREATE FUNCTION pg_catalog.wa_why(message bigint, OUT at timestamp, OUT what text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_why';
COMMENT ON FUNCTION pg_catalog.wa_why(bigint) IS
'the story of a message in words: who made it, the number and where it came from, the route, each attempt with why it came to nothing and the provider''s answer, the state with its reason, what comes next and when (also when a provider in trouble is tested again), and what one can do. In the office''s language and time (settings language and time_zone). Raises an error if there is no such message. Needs level view; below admin the middle of phone numbers is masked';

CREATE FUNCTION pg_catalog.wa_history(about text, OUT at timestamp, OUT what text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_history';
COMMENT ON FUNCTION pg_catalog.wa_history(text) IS
'everything about a phone number (in any spelling), a permit number, a registration id, or ''partner 42'', ''permit 12'', ''document 5'': messages, changes of the last seven days that made none and why (scenario by scenario), dead letters, events not yet read, what people wrote and what they said of consent; of a record of which no change was recorded, what may have kept it from being recorded, and what the scenarios say of it as it is. For a name, or at least three letters of one, the contacts and applicants to choose from, each with the statement to type next. A table of Odoo''s that is locked or raises an error (a policy, for example) is named, and the rest is told. In the office''s language and time (settings language and time_zone). Raises an error (42P08) for digits that may be either of two numbers, as wa_send_text() does. Needs level view; below admin the middle of phone numbers is masked';

CREATE FUNCTION pg_catalog.wa_check(OUT item text, OUT state text, OUT what_to_do text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_check';
COMMENT ON FUNCTION pg_catalog.wa_check() IS
'the doctor: library, worker, mode, providers, templates, watched tables, how many citizens with an active permit can be told, whether rows that Odoo wrote lately are as they were recorded, what went wrong lately (messages, events, daily runs), and other senders in this Odoo; a row for each with state ok, warning or error and what to do, in the office''s language (setting language); items and states are the same in all. Changes nothing and calls no provider. Needs level view';

CREATE FUNCTION pg_catalog.wa_explain(template_key text, partner_id bigint, params jsonb DEFAULT NULL,
    permit_id bigint DEFAULT NULL, OUT at timestamp, OUT what text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_explain';
COMMENT ON FUNCTION pg_catalog.wa_explain(text, bigint, jsonb, bigint) IS
'what wa_send() would do now, in words: the number and where it comes from, consent and 24-hour window, the route with its reason, the text, the parameters in the provider''s form, the mode. Sends and writes nothing; what is missing is told, not raised. In the office''s language. Needs level view; below admin the middle of phone numbers is masked';

CREATE FUNCTION pg_catalog.wa_explain(template_key text, number text, params jsonb DEFAULT NULL,
    permit_id bigint DEFAULT NULL, OUT at timestamp, OUT what text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_explain_number';
COMMENT ON FUNCTION pg_catalog.wa_explain(text, text, jsonb, bigint) IS
'what wa_send() to a phone number, or an id as in wa_send(), would do now; otherwise like wa_explain of a partner. Needs level view';

CREATE FUNCTION pg_catalog.wa_explain_text(partner_id bigint, body text, OUT at timestamp, OUT what text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_explain_text';
COMMENT ON FUNCTION pg_catalog.wa_explain_text(bigint, text) IS
'what wa_send_text() would do now, in words, as wa_explain() tells it of a template. Raises an error for a text that is empty or has over 4096 characters. Needs level view';

CREATE FUNCTION pg_catalog.wa_explain_text(number text, body text, OUT at timestamp, OUT what text)
RETURNS SETOF record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'wa_sql_explain_text_number';
COMMENT ON FUNCTION pg_catalog.wa_explain_text(text, text) IS
'the same for a phone number, or an id as in wa_send(). Needs level view';
