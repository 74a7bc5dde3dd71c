-- src/rights.sql: rights and dump marks, the last piece.
--
-- The database's owner reads and writes the tables, nobody else does.  PUBLIC
-- gets what a restored CREATE TRIGGER needs: pg_dump writes no grants that
-- were made later, and a restore as an unprivileged role checks them when the
-- trigger is created.

GRANT USAGE ON SCHEMA wa TO PUBLIC;

-- These ask for the level of whoever reads them.
GRANT SELECT ON
    wa.message_view, wa.attempt_view, wa.figures, wa.stat_delivery, wa.stat_failure, wa.stat_queue, wa.stat_provider, wa.stat_cost, wa.stat_worker, wa.stat_worker_latency, wa.stat_progress, wa.adrift, wa.scenario_view, wa.template_view, wa.template_mapping_view,
    wa.provider_view, wa.setting_view, wa.holiday_view, wa.daily_run_view, wa.event_outcome_view, wa.dead_letter_view,
    wa.contact_view, wa.consent_view, wa.inbound_view
    TO PUBLIC;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    wa.setting, wa.holiday, wa.access, wa.identity,
    wa.watch, wa.watch_copy, wa.event, wa.event_aside, wa.capture_gap,
    wa.template, wa.template_mapping, wa.template_sync, wa.scenario, wa.daily_run, wa.read_position, wa.event_outcome, wa.dead_letter, wa.scenario_rate, wa.unassigned, wa.unreached,
    wa.message, wa.attempt, wa.figure, wa.figure_change, wa.figure_zone, wa.ready, wa.due, wa.unwritten, wa.unattended, wa.announced, wa.request, wa.forgotten,
    wa.provider, wa.contact, wa.contact_window, wa.consent, wa.identity_of, wa.feedback, wa.status_pair, wa.inbound, wa.account_news
    TO pg_database_owner;
GRANT USAGE, SELECT, UPDATE ON
    wa.event_id_seq, wa.capture_gap_id_seq, wa.event_outcome_id_seq, wa.dead_letter_id_seq,
    wa.message_id_seq, wa.unattended_id_seq, wa.request_id_seq, wa.forgotten_id_seq, wa.consent_id_seq, wa.feedback_id_seq, wa.inbound_id_seq
    TO pg_database_owner;

GRANT SELECT ON wa._figure TO pg_database_owner;

-- Configuration, ledger and unread events travel with a backup.  Credentials,
-- identity, position and what is ready to be sent do not: a restored database
-- must not be able to send.
SELECT pg_catalog.pg_extension_config_dump('wa.setting', '');
SELECT pg_catalog.pg_extension_config_dump('wa.holiday', '');
SELECT pg_catalog.pg_extension_config_dump('wa.access', '');
SELECT pg_catalog.pg_extension_config_dump('wa.watch', '');
SELECT pg_catalog.pg_extension_config_dump('wa.template', '');
SELECT pg_catalog.pg_extension_config_dump('wa.template_mapping', '');
SELECT pg_catalog.pg_extension_config_dump('wa.scenario', '');
SELECT pg_catalog.pg_extension_config_dump('wa.daily_run', '');
SELECT pg_catalog.pg_extension_config_dump('wa.event_outcome', '');
SELECT pg_catalog.pg_extension_config_dump('wa.dead_letter', '');
SELECT pg_catalog.pg_extension_config_dump('wa.unassigned', '');
SELECT pg_catalog.pg_extension_config_dump('wa.capture_gap', '');
SELECT pg_catalog.pg_extension_config_dump('wa.message', '');
SELECT pg_catalog.pg_extension_config_dump('wa.attempt', '');
SELECT pg_catalog.pg_extension_config_dump('wa.announced', '');
SELECT pg_catalog.pg_extension_config_dump('wa.forgotten', '');
SELECT pg_catalog.pg_extension_config_dump('wa.provider', '');
SELECT pg_catalog.pg_extension_config_dump('wa.contact', '');
SELECT pg_catalog.pg_extension_config_dump('wa.contact_window', '');
SELECT pg_catalog.pg_extension_config_dump('wa.consent', '');
SELECT pg_catalog.pg_extension_config_dump('wa.identity_of', '');
SELECT pg_catalog.pg_extension_config_dump('wa.feedback', '');
SELECT pg_catalog.pg_extension_config_dump('wa.status_pair', '');
SELECT pg_catalog.pg_extension_config_dump('wa.inbound', '');
SELECT pg_catalog.pg_extension_config_dump('wa.account_news', '');
SELECT pg_catalog.pg_extension_config_dump('wa.event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.capture_gap_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.event_outcome_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.dead_letter_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.message_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.consent_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.feedback_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.forgotten_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wa.inbound_id_seq', '');
-- each table its own rows: pg_dump reads with or without ONLY
SELECT pg_catalog.pg_extension_config_dump('wa.event',
    'WHERE event.tableoid = ''wa.event''::pg_catalog.regclass'
    ' AND NOT EXISTS (SELECT FROM wa.read_position AS p WHERE pg_catalog.pg_visible_in_snapshot(event.xact, p.snapshot)'
    ' OR event.id <= p.reading_event_id AND pg_catalog.pg_visible_in_snapshot(event.xact, p.reading))');
SELECT pg_catalog.pg_extension_config_dump('wa.event_aside',
    'WHERE NOT EXISTS (SELECT FROM wa.read_position AS p WHERE pg_catalog.pg_visible_in_snapshot(event_aside.xact, p.snapshot)'
    ' OR event_aside.id <= p.reading_event_id AND pg_catalog.pg_visible_in_snapshot(event_aside.xact, p.reading))');
