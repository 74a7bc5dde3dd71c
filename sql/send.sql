-- wa_send(), wa_send_text(), and what people do with messages
SET client_min_messages = warning;
CREATE EXTENSION sicantik_wa;
CREATE ROLE regress_wa_odoo;
CREATE ROLE regress_wa_send;
CREATE ROLE regress_wa_view;
CREATE ROLE regress_wa_nobody;
CREATE SCHEMA regress_wa_odoo AUTHORIZATION regress_wa_odoo;
SET ROLE regress_wa_odoo;
SET search_path = regress_wa_odoo;
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, phone varchar, phone_sanitized varchar,
    whatsapp_number varchar, whatsapp_opt_in boolean, whatsapp_opt_in_date timestamp, active boolean);
CREATE TABLE phone_blacklist (id serial PRIMARY KEY, number varchar, active boolean);
CREATE TABLE sicantik_permit_type (id serial PRIMARY KEY, name varchar);
CREATE TABLE sicantik_permit (id serial PRIMARY KEY, registration_id varchar, permit_number varchar, applicant_name varchar,
    permit_type_id integer, permit_type_name varchar, partner_id integer, status varchar, issue_date date, expiry_date date);
INSERT INTO res_partner (id, name, phone, phone_sanitized, whatsapp_number, whatsapp_opt_in, whatsapp_opt_in_date, active) VALUES
    (10, 'Budi Santoso', '0812-3456-7890', NULL, NULL, true, '2026-01-01', true),
    (11, 'Siti', '0813-1111-2222', '+6281311112222', '', NULL, NULL, true),
    (12, 'Joko', '081300000012', NULL, NULL, false, '2026-01-01', true),
    (14, 'Rina', NULL, NULL, '-', NULL, NULL, true),
    (17, 'Maria', '081300000017', NULL, NULL, true, '2026-01-01', true),
    (19, 'Bambang', '081300000019', NULL, NULL, true, '2026-01-01', true),
    (20, 'Wayan', '081300000020', NULL, NULL, NULL, NULL, true);
INSERT INTO phone_blacklist (number, active) VALUES ('+6281300000017', true), ('+6281300000019', false);
INSERT INTO sicantik_permit_type VALUES (1, 'Izin Usaha');
INSERT INTO sicantik_permit VALUES
    (42, 'REG-42', '503/42/2026', 'Budi Santoso', 1, NULL, 10, 'active', '2026-01-31', '2027-01-31');
RESET ROLE;
RESET search_path;
SELECT wa_set('odoo_schema', 'regress_wa_odoo');
SELECT wa_set('download_link', 'https://sicantik.example/download/{registration_id}');
SELECT count(*) > 20 AS set_up FROM wa_setup();
SELECT wa_set_template('greeting', '{"body": "Yth. {{partner_name}}, {{jenis}} Anda siap pada {{tanggal}}. Terima kasih."}') ->> 'parameters' AS parameters;
SELECT wa_set_template('closed', '{"body": "Yth. {{partner_name}}, kantor tutup hari ini.", "active": false}') ->> 'active' AS active;
INSERT INTO wa.contact (number, opted_in_at, opted_out_at) VALUES
    ('6281300000020', NULL, '2026-02-01'), ('6281300000021', '2026-03-01', '2026-02-01');
SELECT wa_grant('regress_wa_send', 'send'), wa_grant('regress_wa_view', 'view');

-- All that follows is rolled back, so that no worker can take it up.
-- A message to a partner: everything comes from the permit, the rest from the
-- partner and the office
BEGIN;
SELECT wa_send('permit_ready', 10, permit_id => 42) AS id \gset
SELECT template_key, partner_id, number, number_source, params, res_model, res_id, state, reason, priority, wanted_provider,
       due_at IS NULL AS at_once, round(extract(epoch FROM expires_at - created_at) / 3600) AS hours, attempts, created_by = session_user AS by_me
  FROM wa.message WHERE id = :id;
SELECT body FROM wa.message WHERE id = :id;
SELECT wa_result(:id);
SELECT count(*) FROM wa.ready WHERE message_id = :id;
-- values given win; a number is a value as well
SELECT wa_send('permit_ready', 10, '{"partner_name": "Ibu Budi", "issue_date": 17}', 42) AS id \gset
SELECT params ->> 'partner_name' AS partner_name, params ->> 'issue_date' AS issue_date, params ->> 'permit_number' AS permit_number
  FROM wa.message WHERE id = :id;
-- a bare number, later, once, by one provider
SELECT wa_send('greeting', '0812 3456 7890', '{"partner_name": "Budi", "jenis": "izin", "tanggal": "besok"}',
               provider => 'fonnte', send_at => now() + interval '3 days', dedupe_key => 'besok') AS id \gset
SELECT partner_id, number, number_source, body, wanted_provider, fallback, dedupe_key, due_at = now() + interval '3 days' AS later,
       expires_at - due_at AS time_to_live
  FROM wa.message WHERE id = :id;
SELECT count(*) FROM wa.due WHERE message_id = :id;
-- the second usable number of a partner
SELECT wa_send_text(11, 'Selamat pagi.') AS id \gset
SELECT template_key, number, number_source, params, body, state FROM wa.message WHERE id = :id;
SELECT wa_send_text('+6281300000022', E'Baris 1\nBaris 2') AS id \gset
SELECT number, body, state FROM wa.message WHERE id = :id;
-- about a permit
SELECT wa_send_text('+6281300000022', 'Berkas kurang.', permit_id => 42) AS id \gset
SELECT number, res_model, res_id, state FROM wa.message WHERE id = :id;
-- a time that is over means now
SELECT wa_send_text('0812 3456 7890', 'halo', send_at => now() - interval '1 day') AS yesterday,
       wa_send_text('0812 3456 7890', 'halo', send_at => '-infinity') AS long_ago \gset
SELECT due_at IS NULL AS at_once, expires_at > now() AS in_time FROM wa.message WHERE id IN (:yesterday, :long_ago);
-- a value that is null reads as a dash, like a fact that is empty in Odoo
SELECT wa_send('greeting', 10, '{"jenis": null, "tanggal": "besok"}') AS id \gset
SELECT body FROM wa.message WHERE id = :id;
-- the longest text, counted in characters
SELECT wa_send_text(10, repeat(U&'\00E9', 4096)) AS id \gset
SELECT length(body), octet_length(body), state FROM wa.message WHERE id = :id;
ROLLBACK;

-- who wants no messages, or cannot get any: a row, and a warning
BEGIN;
SELECT wa_send('permit_ready', 12, permit_id => 42) AS opted_out \gset
SELECT wa_send('permit_ready', 17, permit_id => 42) AS blacklisted \gset
SELECT wa_send_text('0813-0000-0017', 'halo') AS blacklisted_number \gset
SELECT wa_send_text(20, 'halo') AS contact_opted_out \gset
SELECT wa_send_text(14, 'halo') AS no_number \gset
SELECT wa_send_text(19, 'halo') AS no_longer_blacklisted \gset
SELECT wa_send_text('0813-0000-0021', 'halo') AS opted_in_again \gset
SELECT partner_id, number, state, reason, detail FROM wa.message
 WHERE id IN (:opted_out, :blacklisted, :blacklisted_number, :contact_opted_out, :no_number, :no_longer_blacklisted, :opted_in_again)
 ORDER BY id;
SELECT wa_result(:opted_out);
SELECT count(*) FROM wa.ready WHERE message_id IN (:opted_out, :blacklisted, :no_number);
ROLLBACK;

-- bad input: the culprit and a hint, and nothing is queued
SELECT wa_send('permit_redy', 10, permit_id => 42);
SELECT wa_send_text(10, 'x', permit_id => 43);
SELECT wa_send(NULL, 10, permit_id => 42);
SELECT wa_send('closed', 10);
SELECT wa_send('permit_ready', NULL::bigint);
SELECT wa_send('permit_ready', NULL::text);
SELECT wa_send('permit_ready', 999, permit_id => 42);
SELECT wa_send('permit_ready', -1, permit_id => 42);
SELECT wa_send('permit_ready', 81234567890, permit_id => 42);
SELECT wa_send('permit_ready', '10', permit_id => 42);
SELECT wa_send('permit_ready', '0628-20123', permit_id => 42);
SELECT wa_send('permit_ready', '', permit_id => 42);
SELECT wa_send('permit_ready', 10, permit_id => 43);
SELECT wa_send('permit_ready', 10, permit_id => 42, provider => 'fonte');
SELECT wa_send('permit_ready', 10);
SELECT wa_send('greeting', 10, '{"jenis": "izin"}');
SELECT wa_send('greeting', 10, '{"jenis": "izin", "tanggal": "besok", "warna": "biru"}');
SELECT wa_send('greeting', 10, '["izin", "besok"]');
SELECT wa_send('greeting', 10, '"izin"');
SELECT wa_send('greeting', 10, 'izin');
SELECT wa_send('greeting', 10, '{"jenis": {"a": 1}, "tanggal": "besok"}');
SELECT wa_send('greeting', 10, jsonb_build_object('jenis', repeat('x', 4096), 'tanggal', 'besok'));
SELECT wa_send_text(10, repeat('x', 4097));
SELECT wa_send_text(10, repeat(U&'\00E9', 4097));
SELECT wa_send_text(10, E' \n');
SELECT wa_send_text(10, '');
SELECT wa_send_text(10, NULL);
SELECT wa_send_text('bukan nomor', 'halo');
-- as much as a person would read
SELECT wa_send_text(repeat('0812x', 200000), 'halo');
SELECT wa_send(repeat('x', 1000000), 10);
SELECT wa_send_text(999, 'halo');
SELECT wa_send_text(10, 'halo', provider => '');
SELECT count(*) FROM wa.message;
SELECT count(*) FROM wa.ready;
SELECT count(*) FROM wa.due;

-- with its transaction, and with its savepoint
BEGIN;
SELECT wa_send_text(10, 'stays') IS NOT NULL AS queued;
SAVEPOINT one;
SELECT wa_send_text(10, 'goes') IS NOT NULL AS queued;
SELECT wa_send('no such template', 10);
ROLLBACK TO SAVEPOINT one;
SELECT wa_send_text(10, 'stays as well') IS NOT NULL AS queued;
SELECT body FROM wa.message ORDER BY id;
ROLLBACK;
SELECT count(*) FROM wa.message;
-- an error that was caught leaves nothing either
DO $$
BEGIN
    BEGIN
        PERFORM wa_send_text(10, 'goes');
        PERFORM wa_send_text(999, 'never was');
    EXCEPTION WHEN undefined_object THEN
        RAISE WARNING 'caught: %', sqlerrm;
    END;
    ASSERT NOT EXISTS (SELECT FROM wa.message), 'a message is half queued';
END $$;
-- the same key twice is no error here; the worker skips the second one
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT wa_send_text(10, 'halo', dedupe_key => 'k') <> wa_send_text(10, 'halo', dedupe_key => 'k') AS two;
ROLLBACK;
SELECT wa_release('permit_ready', -1);

-- a read-only transaction
BEGIN READ ONLY;
SELECT wa_send_text(10, 'halo');
ROLLBACK;

-- levels; the caller needs no right on any table
SET ROLE regress_wa_nobody;
SELECT wa_send_text(10, 'halo');
SELECT wa_send('greeting', '081234567890', '{}');
SELECT wa_cancel(1);
SELECT wa_retry(1);
SELECT wa_result(1);
SELECT wa_release(1);
SELECT wa_release('permit_ready');
RESET ROLE;
CREATE ROLE "regress_wa_it's";
SET ROLE "regress_wa_it's";
SELECT wa_send_text(10, 'halo');
RESET ROLE;
DROP ROLE "regress_wa_it's";
SELECT wa_replay(1);
SET ROLE regress_wa_view;
SELECT wa_send_text(10, 'halo');
SELECT wa_cancel(1);
SELECT wa_result(1);
SET ROLE regress_wa_send;
SELECT wa_release(1);
BEGIN;
SELECT wa_send('permit_ready', 10, permit_id => 42) IS NOT NULL AS queued;
SELECT wa_result(wa_send_text(10, 'halo')) ->> 'state' AS state;
ROLLBACK;
-- whatever the caller's settings are
BEGIN;
SET LOCAL search_path = pg_temp;
SET LOCAL DateStyle = 'SQL, DMY';
SELECT wa_result(wa_send('permit_ready', 10, permit_id => 42)) ->> 'state' AS state;
ROLLBACK;
RESET ROLE;

-- Odoo's table is locked by somebody else's upgrade: see the isolation tests;
-- it is missing
BEGIN;
ALTER TABLE regress_wa_odoo.res_partner RENAME TO elsewhere;
SELECT wa_send_text(10, 'halo');
ROLLBACK;
BEGIN;
ALTER TABLE regress_wa_odoo.res_partner RENAME TO elsewhere;
ALTER TABLE regress_wa_odoo.phone_blacklist RENAME TO elsewhere_too;
SELECT wa_result(wa_send_text('081234567890', 'halo')) ->> 'state' AS state;
ROLLBACK;
-- a column is missing
BEGIN;
ALTER TABLE regress_wa_odoo.res_partner DROP COLUMN whatsapp_number, DROP COLUMN whatsapp_opt_in;
SELECT wa_result(wa_send('permit_ready', 10, permit_id => 42)) ->> 'state' AS state;
ROLLBACK;

-- wishes: written down for the worker, in the caller's transaction
RESET client_min_messages;
BEGIN;
INSERT INTO wa.message (id, state, number, scenario, detail) OVERRIDING SYSTEM VALUE VALUES
    (1000000, 'queued', '6281300000001', 'permit_ready', NULL), (1000001, 'held', '6281300000001', 'permit_ready', 'held'),
    (1000002, 'sending', '6281300000001', NULL, NULL), (1000003, 'sent', '6281300000001', NULL, NULL),
    (1000004, 'failed', '6281300000001', NULL, 'number is not on WhatsApp'), (1000005, 'unknown', '6281300000001', NULL, NULL),
    (1000006, 'skipped', NULL, NULL, 'no usable number'), (1000007, 'expired', '6281300000001', NULL, NULL),
    (1000008, 'held', '6281300000001', 'status_update', NULL), (1000009, 'held', '6281300000001', 'permit_ready', NULL);
INSERT INTO wa.ready (message_id, claimed_at) VALUES (1000000, NULL), (1000002, now());
SELECT id, wa_result(id) FROM wa.message WHERE id BETWEEN 1000000 AND 1000009 ORDER BY id;
SELECT wa_result(999999) IS NULL AS no_such_message, wa_result(NULL) IS NULL AS none;
SELECT wa_cancel(1000000), wa_cancel(1000001);
SELECT wa_cancel(1000002);
SELECT wa_cancel(1000003);
SELECT wa_cancel(999999);
SELECT wa_retry(1000004), wa_retry(1000005), wa_retry(1000007);
SELECT wa_retry(1000003);
SELECT wa_retry(1000000);
SELECT wa_retry(1000006);
SELECT wa_retry(1000001), wa_release(1000000), wa_release(1000004), wa_release(1000001);
SELECT wa_retry(999999);
SELECT action, message_id, requested_by = session_user AS by_me FROM wa.request ORDER BY id;
DELETE FROM wa.request;
-- in doubt and to be repeated; waiting for another attempt; with a contact to look up
UPDATE wa.message SET due_at = now() + interval '10 min' WHERE id = 1000005;
UPDATE wa.message SET due_at = now() + interval '10 min', attempts = 1, provider = 'fonnte' WHERE id = 1000000;
UPDATE wa.message SET reason = 'no_number', partner_id = 14, body = 'Yth. Rina', scenario = 'permit_ready' WHERE id = 1000006;
SELECT wa_cancel(1000005), wa_retry(1000000), wa_retry(1000006);
SELECT wa_cancel('permit_ready');
SELECT wa_retry('permit_ready');
SELECT wa_cancel('permit_ready', provider => 'fonnte');
SELECT wa_cancel('permit_ready', now() + interval '1 hour');
SELECT wa_cancel('permit_ready', until => now() - interval '1 hour');
SAVEPOINT s;
SET TRANSACTION READ ONLY;
SELECT wa_cancel('permit_ready');
ROLLBACK TO s;
SET TRANSACTION READ ONLY;
SELECT wa_release(1);
ROLLBACK TO s;
-- what the provider tells later
SELECT wa._settle(1000005, 1, 'wamid.1', true, NULL), wa._settle(1000003, 1, NULL, true, NULL), wa._settle(1000003, 1, 'wamid.3', true, NULL),
    wa._settle(1000003, 1, NULL, false, 'no'), wa._settle(999999, 1, NULL, true, NULL);
SELECT action, message_id, requested_by = session_user AS by_me, detail FROM wa.request ORDER BY id;
DELETE FROM wa.request;
SELECT wa_release('permit_ready', 1);
SELECT wa_release('permit_ready', 10);
SELECT wa_release('status_update');
SELECT wa_release('status_update');
SELECT action, message_id FROM wa.request ORDER BY id;
DELETE FROM wa.request;
-- what nobody carries out is taken; a state is not written by hand
DELETE FROM wa.ready;
SELECT wa_cancel(1000002), wa_retry(1000000), wa_retry(1000002);
SAVEPOINT written;
UPDATE wa.message SET state = 'queued' WHERE id = 1000004;
ROLLBACK TO SAVEPOINT written;
UPDATE wa.message SET state = 'queued' WHERE id = 1000001;
ROLLBACK TO SAVEPOINT written;
UPDATE wa.message SET state = 'sending' WHERE id = 1000000;
ROLLBACK TO SAVEPOINT written;
UPDATE wa.message SET state = 'failed' WHERE id IN (1000000, 1000001);
ROLLBACK;
SELECT count(*) FROM wa.request;
-- no accidental everything
SELECT wa_cancel();
SELECT wa_retry(NULL, now());
SELECT wa_release();
SELECT wa_release(since => now());
SELECT wa_cancel('permit_redy');
SELECT wa_retry(provider => 'fontne');
SELECT wa_retry(reason => 'retrys_exhausted');
SELECT wa_release('permit_redy');
SELECT wa_release(reason => 'bullk');
SELECT wa_release(reason => 'name_mismatch');
SELECT wa_release(reason => 'bulk');
SELECT wa_mute('permit_redy', NULL);
SELECT wa_pause('fontne');
SELECT wa._settle(1, 0, NULL, true, NULL);
SELECT wa._settle(1, 1, NULL, NULL, NULL);
SET ROLE regress_wa_send;
SELECT wa._settle(1, 1, NULL, true, NULL);
RESET ROLE;

DROP EXTENSION sicantik_wa CASCADE;
SET client_min_messages = warning;
DROP SCHEMA regress_wa_odoo CASCADE;
DROP ROLE regress_wa_odoo, regress_wa_send, regress_wa_view, regress_wa_nobody;
