-- src/admin/views.sql: what the levels may read.
--
-- The tables are for the database's owner.  Each view here is readable by
-- everybody who has a level: it raises an error for everybody else, and masks
-- the middle of phone numbers below level admin.  The grants are made by this
-- script and therefore not dumped, so that a restore depends on no role; the
-- level is asked for when a view is read, and before anything else: what a
-- query asks of a column must not tell a stranger whether there is such a row.
--
-- Behind a plus, which is taken off again, digits are a number whatever the
-- country: so the columns that hold a number.
--
-- What grows with the years is in the order of its key, the latest first: behind a
-- security barrier the server does not see that a query wants the last few rows, and
-- would read and sort the whole ledger for them.

CREATE FUNCTION wa._level(needed text)
RETURNS text
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'wa_sql_level';
COMMENT ON FUNCTION wa._level(text) IS
'the level of the current role, as the views of schema wa ask it: view, send or admin; raises an error if it is below the one that is needed';

CREATE FUNCTION wa._masked(value text, level text)
RETURNS text
LANGUAGE c IMMUTABLE
AS 'MODULE_PATHNAME', 'wa_sql_masked';
COMMENT ON FUNCTION wa._masked(text, text) IS
'the text with the middle of every phone number in it masked, below level admin';

CREATE FUNCTION wa._cause(reason text, detail text, said jsonb, language text)
RETURNS text
LANGUAGE c IMMUTABLE
AS 'MODULE_PATHNAME', 'wa_sql_cause';
COMMENT ON FUNCTION wa._cause(text, text, jsonb, text) IS
'why a message has its state, as wa_why() says it: of the columns reason, detail and detail_said, in a language (id, else English)';

CREATE FUNCTION wa._time_zone()
RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'wa_sql_time_zone';
COMMENT ON FUNCTION wa._time_zone() IS
'the time zone of the office; UTC where the setting is none';

CREATE VIEW wa.message_view WITH (security_barrier = true) AS
SELECT m.id, m.scenario, m.template_key, m.partner_id,
       substr(wa._masked('+' || m.number, l.level), 2) AS number, m.number_source,
       wa._masked(m.body, l.level) AS body,
       m.res_model, m.res_id, m.wanted_provider, m.provider,
       wa._masked(m.provider_message_id, l.level) AS provider_message_id, m.state, m.reason,
       wa._masked(m.detail, l.level) AS detail, wa._masked(m.route, l.level) AS route,
       m.priority, m.attempts, m.repeats, m.due_at, m.send_at, m.expires_at, m.created_at, m.created_by,
       m.sent_at, m.delivered_at, m.read_at, m.failed_at, m.pricing, m.finished_at,
       wa._masked(m.dedupe_key, l.level) AS dedupe_key, m.event_id
  FROM wa.message AS m, (SELECT wa._level('view') AS level OFFSET 0) AS l
 WHERE (SELECT wa._level('view')) IS NOT NULL
 ORDER BY m.id DESC;
COMMENT ON VIEW wa.message_view IS 'the ledger, for every level: wa.message, the latest first, with numbers masked below level admin';

CREATE VIEW wa.attempt_view WITH (security_barrier = true) AS
SELECT a.message_id, a.attempt, a.provider, a.started_at, a.finished_at, a.http_status, a.provider_code, a.outcome,
       wa._masked(a.response, l.level) AS response
  FROM wa.attempt AS a, (SELECT wa._level('view') AS level OFFSET 0) AS l
 WHERE (SELECT wa._level('view')) IS NOT NULL
 ORDER BY a.message_id DESC, a.attempt DESC;
COMMENT ON VIEW wa.attempt_view IS 'attempts, for every level: wa.attempt, those of the latest message first, with numbers masked below level admin';

CREATE VIEW wa.scenario_view WITH (security_barrier = true) AS
SELECT s.* FROM wa.scenario AS s WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.scenario_view IS 'scenarios and their policy, for every level; wa_set_scenario() changes it';

CREATE VIEW wa.template_view WITH (security_barrier = true) AS
SELECT t.* FROM wa.template AS t WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.template_view IS 'templates, for every level';

CREATE VIEW wa.template_mapping_view WITH (security_barrier = true) AS
SELECT t.template_key, t.provider, t.mode, t.name, t.language, t.format, t.parameters, t.status, t.last_error, t.last_error_at,
       t.provider_status, t.provider_category, t.quality, t.synced_at, t.told_at, t.provider_note
  FROM wa.template_mapping AS t WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.template_mapping_view IS 'how providers know the templates, for every level';

CREATE VIEW wa.provider_view WITH (security_barrier = true) AS
SELECT p.name, p.kind, p.base_url, p.active, p.sequence, p.is_default, p.state, p.max_in_flight, p.min_gap, p.gap_jitter,
       p.rate_per_second, p.daily_cap, p.recipient_gap, wa._masked(p.last_error, l.level) AS last_error, p.last_error_at,
       p.tested_at, p.paused_at, p.paused_by, p.probe_at, p.failed_probes, p.quota_left, p.quota_at
  FROM wa.provider AS p, (SELECT wa._level('view') AS level OFFSET 0) AS l
 WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.provider_view IS 'providers and their state, without the settings of their kind, for every level';

CREATE VIEW wa.setting_view WITH (security_barrier = true) AS
SELECT s.name, wa._masked(s.value, l.level) AS value, s.changed_at
  FROM wa.setting AS s, (SELECT wa._level('view') AS level OFFSET 0) AS l
 WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.setting_view IS 'the office''s settings, for every level, with numbers masked below level admin';

CREATE VIEW wa.holiday_view WITH (security_barrier = true) AS
SELECT h.day, h.name FROM wa.holiday AS h WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.holiday_view IS 'days on which the office is closed, those that have passed too, for every level; wa_set_holidays() enters them';

CREATE VIEW wa.daily_run_view WITH (security_barrier = true) AS
SELECT c.scenario, c.day, c.ran_at, c.queued, c.detail, c.error, c.attempts, c.retry_at
  FROM wa.daily_run AS c WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.daily_run_view IS 'days on which daily scenarios have run, for every level';

CREATE VIEW wa.event_outcome_view WITH (security_barrier = true) AS
SELECT e.id, e.event_id, e.relation, e.record_id, e.scenario, e.outcome, wa._masked(e.detail, l.level) AS detail, e.at
  FROM wa.event_outcome AS e, (SELECT wa._level('view') AS level OFFSET 0) AS l
 WHERE (SELECT wa._level('view')) IS NOT NULL
 ORDER BY e.id DESC;
COMMENT ON VIEW wa.event_outcome_view IS 'why events made no message, for every level, the latest first, with numbers masked below level admin';

CREATE VIEW wa.dead_letter_view WITH (security_barrier = true) AS
SELECT d.id, d.event_id, d.relation, d.record_id, d.scenario, wa._masked(d.error, l.level) AS error, d.event_at, d.at
  FROM wa.dead_letter AS d, (SELECT wa._level('view') AS level OFFSET 0) AS l
 WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.dead_letter_view IS 'events whose messages could not be composed, for every level; wa_replay(event_id) composes one again';

CREATE VIEW wa.contact_view WITH (security_barrier = true) AS
SELECT substr(wa._masked('+' || c.number, l.level), 2) AS number, c.opted_in_at, c.opted_out_at, c.marketing_in_at, c.marketing_out_at,
       wa._masked(c.source, l.level) AS source, c.last_inbound_at,
       (SELECT jsonb_object_agg(w.sender_id, w.last_inbound_at) FROM wa.contact_window AS w WHERE w.number = c.number) AS windows
  FROM wa.contact AS c, (SELECT wa._level('view') AS level OFFSET 0) AS l
 WHERE (SELECT wa._level('view')) IS NOT NULL;
COMMENT ON VIEW wa.contact_view IS 'what holds of numbers (wa.contact), for every level, with numbers masked below level admin';
COMMENT ON COLUMN wa.contact_view.windows IS 'last message to each of our numbers at Meta, by its phone_number_id (wa.contact_window)';

CREATE VIEW wa.consent_view WITH (security_barrier = true) AS
SELECT c.id, substr(wa._masked('+' || c.number, l.level), 2) AS number, c.user_id, c.scope, c.change, c.said_at, c.source,
       wa._masked(c.words, l.level) AS words, c.by, c.noted_at, c.pending
  FROM wa.consent AS c, (SELECT wa._level('view') AS level OFFSET 0) AS l
 WHERE (SELECT wa._level('view')) IS NOT NULL
 ORDER BY c.id DESC;
COMMENT ON VIEW wa.consent_view IS 'what people have said about getting messages (wa.consent), for every level, the latest first, with numbers masked below level admin';

CREATE VIEW wa.inbound_view WITH (security_barrier = true) AS
SELECT i.id, i.provider, i.sender_id, i.received_at, i.said_at, substr(wa._masked('+' || i.number, l.level), 2) AS number, i.user_id,
       wa._masked(i.name, l.level) AS name, i.kind, wa._masked(i.text, l.level) AS text, i.message_id,
       wa._masked(i.provider_message_id, l.level) AS provider_message_id
  FROM wa.inbound AS i, (SELECT wa._level('view') AS level OFFSET 0) AS l
 WHERE (SELECT wa._level('view')) IS NOT NULL
 ORDER BY i.id DESC;
COMMENT ON VIEW wa.inbound_view IS 'what people wrote to us (wa.inbound), for every level, the latest first, with numbers masked below level admin';
