-- wa_determine_provider(): which provider, and why
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION sicantik_wa;
SET sicantik_wa.allowed_hosts = 'meta=graph.facebook.com, fonnte=api.fonnte.com, watzap=api.watzap.id';
SET sicantik_wa.secrets_directory = '';
CREATE ROLE regress_wa_view;
CREATE SCHEMA regress_wa_odoo;
CREATE TABLE regress_wa_odoo.res_partner (id serial PRIMARY KEY, name varchar, phone varchar, whatsapp_number varchar,
    whatsapp_opt_in boolean, whatsapp_opt_in_date timestamp, active boolean);
CREATE TABLE regress_wa_odoo.phone_blacklist (id serial PRIMARY KEY, number varchar, active boolean);
CREATE TABLE regress_wa_odoo.whatsapp_message (id serial PRIMARY KEY, mobile_number_formatted varchar, message_type varchar, create_date timestamp);
INSERT INTO regress_wa_odoo.res_partner (id, name, phone, whatsapp_opt_in, whatsapp_opt_in_date) VALUES
    (1, 'opted in', '081300000001', true, '2026-01-01'), (2, 'never asked', '081300000002', NULL, NULL),
    (3, 'opted out', '081300000003', false, '2026-01-01'), (4, 'wrote an hour ago', '081300000004', NULL, NULL),
    (5, 'wrote two days ago', '081300000005', NULL, NULL), (6, 'blacklisted', '081300000006', true, '2026-01-01'),
    (7, 'no number', '0628-20123', true, '2026-01-01'), (8, 'wrote in Odoo', '081300000008', NULL, NULL),
    (9, 'opted in by contact', '081300000009', NULL, NULL), (10, 'opted out by contact', '081300000010', true, '2026-01-01');
INSERT INTO regress_wa_odoo.phone_blacklist (number, active) VALUES ('+6281300000006', true);
INSERT INTO regress_wa_odoo.whatsapp_message (mobile_number_formatted, message_type, create_date) VALUES
    ('6281300000008', 'inbound', now() AT TIME ZONE 'UTC' - interval '1 hour'),
    ('6281300000005', 'inbound', now() AT TIME ZONE 'UTC' - interval '25 hours'),
    ('6281300000002', 'outbound', now() AT TIME ZONE 'UTC' - interval '1 hour');
SELECT wa_set('odoo_schema', 'regress_wa_odoo');
SELECT count(*) > 20 AS set_up FROM wa_setup();
INSERT INTO wa.contact (number, last_inbound_at) VALUES
    ('6281300000004', now() - interval '1 hour'), ('6281300000005', now() - interval '2 days');
INSERT INTO wa.contact (number, opted_in_at, opted_out_at) VALUES
    ('6281300000009', '2026-02-01', '2026-01-01'), ('6281300000010', '2026-01-01', '2026-02-01');
CREATE VIEW pg_temp.decision AS
    SELECT p.name AS person, d.*
      FROM regress_wa_odoo.res_partner AS p, wa_determine_provider(p.id, 'permit_ready') AS d ORDER BY p.id;

-- the drafts of wa_setup() cannot be used
SELECT * FROM wa_determine_provider(1, 'permit_ready');
-- credentials, but not tested; tested, but without credentials
SELECT wa_configure('fonnte', '{"token": "secret"}') -> 'missing' AS missing,
       wa_configure('meta', '{"phone_number_id": "1065", "waba_id": "1", "access_token": "secret"}') -> 'missing' AS missing;
SELECT * FROM wa_determine_provider(1, 'permit_ready');
UPDATE wa.provider SET state = 'configured';
SELECT * FROM wa_determine_provider(1, 'permit_ready');
SELECT wa_configure('watzap', '{"api_key": "secret", "number_key": "1"}') -> 'missing' AS missing;
UPDATE wa.provider SET state = 'configured';

-- Meta has the template: who opted in, or wrote within 24 hours
SELECT wa_map_template('permit_ready', 'meta', '{"name": "permit_ready", "status": "approved"}') ->> 'status' AS status;
SELECT * FROM pg_temp.decision;
-- who has written at any time has agreed, if the office says so, but for who has opted out
SELECT wa_set('opt_in_by_inbound', 'on');
UPDATE wa.contact SET last_inbound_at = now() - interval '2 days' WHERE number = '6281300000010';
SELECT * FROM pg_temp.decision WHERE person IN ('wrote two days ago', 'opted out by contact', 'never asked');
SELECT wa_set('opt_in_by_inbound', NULL);
-- who wants no marketing gets what is none, if the office does not say otherwise, and he has not come back since
SELECT wa_opt_out('081300000001', 'marketing'), wa_opt_out('081300000009', 'marketing', said_at => '2026-01-03');
SELECT * FROM pg_temp.decision WHERE person IN ('opted in', 'opted in by contact');
SELECT wa_set('marketing_stop_stops_all', 'on');
SELECT * FROM pg_temp.decision WHERE person IN ('opted in', 'opted in by contact');
SELECT wa_set('marketing_stop_stops_all', NULL);
UPDATE wa.template SET category = 'MARKETING' WHERE key = 'permit_ready';
SELECT * FROM pg_temp.decision WHERE person IN ('opted in', 'opted in by contact', 'never asked');
UPDATE wa.template SET category = 'UTILITY' WHERE key = 'permit_ready';
DELETE FROM wa.contact WHERE number = '6281300000001';
-- Meta has it not, or not yet: the text itself inside the window
UPDATE wa.template_mapping SET status = 'draft';
SELECT * FROM pg_temp.decision WHERE person IN ('opted in', 'never asked', 'wrote an hour ago');
DELETE FROM wa.template_mapping;
SELECT * FROM pg_temp.decision WHERE person IN ('opted in', 'never asked', 'wrote an hour ago');
SELECT wa_map_template('permit_ready', 'meta', '{"name": "permit_ready", "status": "configured"}') ->> 'status' AS status;

-- gateways by their sequence
UPDATE wa.provider SET sequence = 5 WHERE name = 'watzap';
SELECT provider, reason FROM pg_temp.decision WHERE person = 'never asked';
UPDATE wa.provider SET active = false WHERE name = 'watzap';
SELECT provider, reason FROM pg_temp.decision WHERE person = 'never asked';
UPDATE wa.provider SET state = 'error' WHERE name = 'fonnte';
SELECT provider, reason FROM pg_temp.decision WHERE person = 'never asked';
-- Meta does for who opted in
SELECT provider, reason FROM pg_temp.decision WHERE person = 'opted in';
UPDATE wa.provider SET active = true, state = 'configured';

-- the default provider goes first, a gateway as well as Meta ...
UPDATE wa.provider SET is_default = (name = 'fonnte');
SELECT provider, use_24h_window, reason FROM pg_temp.decision WHERE person IN ('opted in', 'never asked');
UPDATE wa.provider SET is_default = (name = 'meta');
SELECT provider, use_24h_window, reason FROM pg_temp.decision WHERE person IN ('opted in', 'never asked', 'wrote an hour ago');
-- ... if it can be used
UPDATE wa.provider SET is_default = (name = 'fonnte'), state = CASE WHEN name = 'fonnte' THEN 'draft' ELSE 'configured' END;
SELECT provider, use_24h_window, reason FROM pg_temp.decision WHERE person IN ('opted in', 'never asked');
-- wa_configure takes it from the other one
SELECT wa_configure('watzap', '{"is_default": true}') ->> 'is_default' AS is_default;
SELECT name FROM wa.provider WHERE is_default;
UPDATE wa.provider SET is_default = false, state = 'configured';

-- a gateway's mapping that is not ready keeps it out
SELECT wa_map_template('permit_ready', 'watzap', '{"mode": "text", "status": "draft"}') ->> 'mode' AS mode;
SELECT provider, reason FROM pg_temp.decision WHERE person = 'never asked';
UPDATE wa.template_mapping SET status = 'configured' WHERE provider = 'watzap';
SELECT provider, reason FROM pg_temp.decision WHERE person = 'never asked';

-- rows that somebody has written past wa_configure()
UPDATE wa.provider SET base_url = 'https://evil.example' WHERE name = 'watzap';
SELECT provider, reason FROM pg_temp.decision WHERE person = 'never asked';
UPDATE wa.provider SET base_url = 'https://graph.facebook.com' WHERE name = 'watzap';
SELECT provider, reason FROM pg_temp.decision WHERE person = 'never asked';
UPDATE wa.provider SET base_url = NULL, kind = 'telegram' WHERE name = 'watzap';
SELECT provider, reason FROM pg_temp.decision WHERE person = 'never asked';
UPDATE wa.provider SET settings = '[1]' WHERE name = 'meta';
SELECT provider, reason FROM pg_temp.decision WHERE person = 'opted in';
DELETE FROM wa.provider;
SELECT provider, reason FROM pg_temp.decision WHERE person = 'opted in';

-- bad input
SELECT * FROM wa_determine_provider(999, 'permit_ready');
SELECT * FROM wa_determine_provider(1, 'nothing');
SELECT * FROM wa_determine_provider(NULL, 'permit_ready');
-- level view
SET ROLE regress_wa_view;
SELECT * FROM wa_determine_provider(1, 'permit_ready');
RESET ROLE;
SELECT wa_grant('regress_wa_view', 'view');
SET ROLE regress_wa_view;
SELECT * FROM wa_determine_provider(1, 'permit_ready');
RESET ROLE;

DROP VIEW pg_temp.decision;
DROP EXTENSION sicantik_wa CASCADE;
DROP SCHEMA regress_wa_odoo CASCADE;
DROP ROLE regress_wa_view;
