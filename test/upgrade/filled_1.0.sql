-- filled_1.0.sql: a database as version 1.0 leaves it, with its objects (CREATE
-- EXTENSION sicantik_wa VERSION '1.0') and the tables of Odoo.  Run by
-- test/t/012_upgrade.pl, which names the provider's address.
--
-- Rows and columns are those that a server with version 1.0 has written: its
-- templates and scenarios, messages that have come to each state, what waits and
-- what is on the wire.

SET session_replication_role = origin;

INSERT INTO wa.template (key, name, body, parameters, active) VALUES
	('permit_ready', 'Izin Selesai Diproses', E'Yth. {{partner_name}},\n\nPermohonan {{permit_type}} Saudara telah selesai diproses dengan nomor izin {{permit_number}} dan diterbitkan pada tanggal {{issue_date}} oleh kantor kami.\n\nDokumen izin dapat diunduh melalui tautan {{download_link}} dan agar disimpan dengan baik.\n\nTerima kasih.\nDPMPTSP', '{partner_name,permit_type,permit_number,issue_date,download_link}', 't'),
	('document_pending', 'Dokumen Baru untuk Tandatangan', E'Yth. Bapak/Ibu petugas,\n\nSaat ini terdapat {{jumlah}} dokumen yang menunggu tanda tangan. Dokumen terbaru adalah {{jenis_izin}} atas nama pemohon {{nama_pemohon}} dengan nomor pendaftaran {{pendaftaran_id}} yang baru diterima.\n\nDokumen dapat dilihat melalui dasbor {{link_dashboard}} untuk ditindaklanjuti.\n\nTerima kasih.\nDPMPTSP', '{jumlah,jenis_izin,nama_pemohon,pendaftaran_id,link_dashboard}', 't'),
	('approval_required', 'Dokumen Perlu Approval', E'Yth. {{nama_pejabat}},\n\nDokumen {{jenis_izin}} atas nama pemohon {{nama_pemohon}} dengan nomor izin {{permit_number}} memerlukan persetujuan Bapak/Ibu.\n\nDokumen dapat diperiksa melalui tautan {{approval_link}} sebelum persetujuan diberikan.\n\nTerima kasih.\nDPMPTSP', '{nama_pejabat,jenis_izin,nama_pemohon,permit_number,approval_link}', 't'),
	('status_update', 'Update Status Perizinan', E'Yth. Bapak/Ibu,\n\nStatus permohonan izin dengan nomor pendaftaran {{pendaftaran_id}} telah berubah dari {{status_lama}} menjadi {{status_baru}} pada {{timestamp}} waktu setempat.\n\nRincian permohonan dapat dilihat melalui tautan {{detail_link}} setiap saat.\n\nTerima kasih.\nDPMPTSP', '{pendaftaran_id,status_lama,status_baru,timestamp,detail_link}', 't'),
	('reminder', 'Reminder Dokumen Pending', E'Yth. Bapak/Ibu petugas,\n\nMasih terdapat {{jumlah}} dokumen yang menunggu tindak lanjut Bapak/Ibu. Dokumen terlama adalah {{jenis_izin}} atas nama pemohon {{nama_pemohon}} yang telah menunggu selama {{waktu_pending}} sejak diajukan.\n\nDokumen dapat dilihat melalui dasbor {{link_dashboard}} untuk ditindaklanjuti.\n\nTerima kasih.\nDPMPTSP', '{jumlah,jenis_izin,nama_pemohon,waktu_pending,link_dashboard}', 't'),
	('permit_expiry_warning', 'Peringatan Masa Berlaku Izin', E'Yth. {{partner_name}},\n\nMasa berlaku {{permit_type}} Saudara dengan nomor {{permit_number}} berakhir pada tanggal {{expiry_date}} atau {{remaining_days}} hari lagi.\n\nPermohonan perpanjangan dapat diajukan melalui tautan {{renewal_link}} sebelum masa berlaku izin berakhir. Keterangan lebih lanjut dapat diperoleh di {{contact_dpmptsp}} pada jam pelayanan.\n\nTerima kasih.\nDPMPTSP', '{partner_name,permit_type,permit_number,expiry_date,remaining_days,renewal_link,contact_dpmptsp}', 't'),
	('permit_renewal_approved', 'Perpanjangan Izin Disetujui', E'Yth. {{partner_name}},\n\nPerpanjangan {{permit_type}} Saudara telah disetujui dengan nomor izin baru {{permit_number_new}} yang berlaku mulai tanggal {{start_date}} sampai dengan tanggal {{expiry_date}} untuk jangka waktu {{validity_period}} sejak tanggal mulai.\n\nDokumen izin dapat diunduh melalui tautan {{download_link}} dan agar disimpan dengan baik.\n\nTerima kasih.\nDPMPTSP', '{partner_name,permit_type,permit_number_new,start_date,expiry_date,validity_period,download_link}', 't'),
	('salam', 'Salam', 'Yth. {{nama}}, selamat pagi.', '{nama}', 't');

INSERT INTO wa.scenario (key, name, watch, template_key, composer, on_insert, requires_opt_in, time_to_live, unknown_policy, priority, daily_at) VALUES
	('permit_ready', 'Izin Selesai Diproses', 'sicantik_permit', 'permit_ready', 'permit_ready', 't', 't', '7 days', 'resend', 'high', NULL),
	('permit_renewal_approved', 'Perpanjangan Izin Disetujui', 'sicantik_permit', 'permit_renewal_approved', 'permit_renewal_approved', 't', 't', '7 days', 'resend', 'high', NULL),
	('status_update', 'Update Status Perizinan', 'sicantik_permit', 'status_update', 'status_update', 'f', 't', '2 days', 'resend', 'normal', NULL),
	('document_pending', 'Dokumen Baru untuk Tandatangan', 'sicantik_document', 'document_pending', 'document_pending', 't', 'f', '12:00:00', 'give up', 'low', NULL),
	('approval_required', 'Dokumen Perlu Approval', 'sicantik_document', 'approval_required', 'approval_required', 't', 'f', '2 days', 'resend', 'high', NULL),
	('reminder', 'Reminder Dokumen Pending', NULL, 'reminder', 'reminder', 'f', 'f', '08:00:00', 'give up', 'low', '10:00:00'),
	('permit_expiry_warning', 'Peringatan Masa Berlaku Izin', NULL, 'permit_expiry_warning', 'permit_expiry_warning', 'f', 't', '3 days', 'resend', 'normal', '09:00:00');

INSERT INTO wa.setting (name, value) VALUES
	('download_link', 'https://sicantik.example.go.id/download/{registration_id}'),
	('detail_link', 'https://sicantik.example.go.id/detail/{registration_id}'),
	('renewal_link', 'https://sicantik.example.go.id/renewal/{registration_id}'),
	('approval_link', 'https://sicantik.example.go.id/approval/{document_number}'),
	('link_dashboard', 'https://sicantik.example.go.id/dashboard'),
	('time_zone', 'Asia/Makassar'),
	('mode', 'live');

INSERT INTO wa.watch (relation, owner, columns) VALUES
	('public.sicantik_permit', 'odoo', '{status,permit_number,partner_id,is_renewal}'),
	('public.sicantik_document', 'odoo', '{state,requires_approval}'),
	('public.signature_workflow', 'odoo', '{state,approver_id}');

UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, max_per_transaction = NULL, max_per_hour = NULL, max_per_day_and_number = NULL;
UPDATE wa.scenario SET active = false, daily_at = '05:30', thresholds = '{14}', staff_group = 'Petugas' WHERE key = 'permit_expiry_warning';
UPDATE wa.scenario SET active = false WHERE key = 'reminder';
UPDATE wa.template SET body = replace(body, 'DPMPTSP', 'Kantor kami') WHERE key = 'permit_ready';
INSERT INTO wa.setting (name, value) VALUES ('office_name', 'Kantor Kami');
DELETE FROM wa.setting WHERE name = 'contact_dpmptsp';

-- a scenario of the office's own
INSERT INTO wa.template (key, name, body, parameters) VALUES ('catatan', 'Catatan', 'Yth. {{nama}}, ada catatan.', '{nama}');
INSERT INTO wa.scenario (key, name, watch, template_key, composer, hours_from, hours_to, muted_until)
VALUES ('catatan', 'Catatan baru', 'public.catatan', 'catatan', 'public.catatan_baru', NULL, NULL, '2020-01-01');

-- providers, one with its credential
INSERT INTO wa.provider (name, kind, base_url, sequence, is_default, state, settings, max_in_flight, min_gap, gap_jitter, tested_at, quota_left, paused_at, paused_by)
VALUES ('fonnte', 'fonnte', '@BASE_URL@', 10, false, 'configured', '{}', 1, '0', '0', now() - interval '1 day', 1000, NULL, NULL),
	('watzap', 'watzap', NULL, 20, false, 'draft', '{}', 1, '8 seconds', '4 seconds', NULL, NULL, '2026-11-20 07:00+00', 'odoo'),
	('meta', 'meta', NULL, 30, true, 'draft', '{"phone_number_id": "1098765", "access_token_file": "meta_token"}', 20, '0', '0', NULL, NULL, NULL, NULL);
INSERT INTO wa.secret (provider, name, value) VALUES ('fonnte', 'token', '@TOKEN@');
INSERT INTO wa.template_mapping (template_key, provider, mode, name, format, parameters, status)
VALUES ('permit_ready', 'meta', 'template', 'izin_selesai', 'named', '{permit_number,partner_name}', 'approved'),
	('salam', 'fonnte', 'text', NULL, 'positional', NULL, 'configured');

-- who may do what, what people have said, and which database this is
INSERT INTO wa.access (role, level) VALUES ('petugas', 'send'), ('nobody_any_more', 'admin');
INSERT INTO wa.contact (number, opted_in_at, opted_out_at, source, last_inbound_at)
VALUES ('6281200000010', now() - interval '9 days', NULL, 'loket', now() - interval '3 days'),
	('6281200000040', NULL, now() - interval '1 day', 'surat', NULL),
	('0812-0000-0041', NULL, now() - interval '1 day', 'dicatat tangan', NULL);
INSERT INTO wa.identity (system_identifier, database_oid, timeline, odoo_uuid, stamped_by)
SELECT system_identifier::text, (SELECT oid FROM pg_database WHERE datname = current_database()), timeline_id,
	(SELECT value FROM public.ir_config_parameter WHERE key = 'database.uuid'), 'odoo'
  FROM pg_control_system(), pg_control_checkpoint();
INSERT INTO wa.position (snapshot, event_id) VALUES (pg_current_snapshot(), 0);

-- the ledger: what is over
INSERT INTO wa.message (id, scenario, template_key, partner_id, number, number_source, params, body, res_model, res_id, provider,
	provider_message_id, state, reason, detail, route, priority, requires_opt_in, unknown_policy, attempts, repeats, waits, tried,
	created_at, created_by, sent_at, finished_at, expires_at, dedupe_key, event_id, still)
VALUES
	(1, 'permit_ready', 'permit_ready', 10, '6281200000010', 'res_partner.phone_sanitized', '{"permit_number": "503/2"}', 'Izin 503/2 selesai.',
	 'sicantik.permit', 2, 'fonnte', '80367170', 'sent', NULL, 'Fonnte queued the message (request 2937124).',
	 'fonnte: first usable gateway by sequence', 'high', true, 'resend', 1, 0, 0, NULL, now() - interval '2 days', NULL,
	 now() - interval '2 days', now() - interval '2 days', now() + interval '5 days', NULL, 3,
	 '{"status": "active", "partner_id": "10", "permit_number": "503/2"}'),
	(2, NULL, NULL, NULL, '6281200000031', 'given', NULL, 'gagal', NULL, NULL, 'fonnte', NULL, 'failed', 'recipient',
	 'Fonnte does not accept the form of the number (Fonnte: target input invalid).', 'fonnte: first usable gateway by sequence',
	 'high', true, 'resend', 2, 1, 1, '{watzap}', now() - interval '2 days', 'odoo', NULL, now() - interval '2 days',
	 now() - interval '1 day', 'kunci-1', NULL, NULL),
	(3, NULL, NULL, NULL, '6281200000034', 'given', NULL, 'batal', NULL, NULL, NULL, NULL, 'cancelled', 'cancelled', 'cancelled by odoo',
	 NULL, 'high', true, 'resend', 0, 0, 0, NULL, now() - interval '2 days', 'odoo', NULL, now() - interval '2 days',
	 now() - interval '1 day', NULL, NULL, NULL),
	(4, 'status_update', 'status_update', 13, NULL, NULL, NULL, NULL, 'sicantik.permit', 8, NULL, NULL, 'skipped', 'no_number',
	 'no usable number in phone, mobile', NULL, 'normal', true, 'resend', 0, 0, 0, NULL, now() - interval '2 days', NULL, NULL,
	 now() - interval '2 days', now() + interval '1 hour', NULL, 4, '{"status": "active"}'),
	(5, 'status_update', 'status_update', 13, '6281200000013', 'res_partner.phone', NULL, 'lama', 'sicantik.permit', 8, NULL, NULL, 'superseded',
	 'newer_status', 'message 4 tells a newer status', NULL, 'normal', true, 'resend', 0, 0, 0, NULL, now() - interval '3 days', NULL, NULL,
	 now() - interval '2 days', now() - interval '1 day', NULL, 4, '{"status": "draft"}'),
	(6, NULL, NULL, NULL, '6281200000036', 'given', NULL, 'terlambat', NULL, NULL, 'fonnte', NULL, 'expired', 'time_to_live',
	 'the time-to-live is over', NULL, 'high', true, 'resend', 3, 0, 3, NULL, now() - interval '2 days', 'odoo', NULL, now() - interval '1 day',
	 now() - interval '1 day', NULL, NULL, NULL),
	(7, NULL, NULL, NULL, '6281200000037', 'given', NULL, 'ragu', NULL, NULL, 'fonnte', NULL, 'unknown', 'gave_up',
	 'no answer came, the provider may have accepted it', NULL, 'high', true, 'give up', 1, 0, 0, NULL, now() - interval '2 days', 'odoo', NULL,
	 now() - interval '1 day', now() - interval '1 day', NULL, NULL, NULL);
INSERT INTO wa.attempt (message_id, attempt, provider, started_at, finished_at, http_status, provider_code, outcome, response)
VALUES (1, 1, 'fonnte', now() - interval '2 days', now() - interval '2 days', 200, NULL, 'accepted', '{"detail":"success! message in queue","status":true}'),
	(2, 1, 'watzap', now() - interval '2 days', now() - interval '2 days', 200, '1005', 'provider', '{"status":"1005"}'),
	(2, 2, 'fonnte', now() - interval '2 days', now() - interval '2 days', 200, 'target input invalid', 'recipient', '{"reason":"target input invalid","status":false}'),
	(6, 1, 'fonnte', now() - interval '2 days', now() - interval '2 days', NULL, 'timeout', 'retry', 'connection could not be made'),
	(7, 1, 'fonnte', now() - interval '2 days', now() - interval '2 days', NULL, 'no_answer', 'unknown', 'no answer came, the provider may have accepted it');
INSERT INTO wa.once (key, message_id, made_at) VALUES ('announced:sicantik.permit:2:503/2', 1, now() - interval '2 days');

-- the queue: ready, on the wire, put off by a person and by a refusal, in doubt,
-- held for three reasons, one that somebody has cancelled
INSERT INTO wa.message (id, scenario, template_key, partner_id, number, number_source, params, body, res_model, res_id, provider, state, reason,
	detail, route, priority, attempts, waits, due_at, created_by, expires_at, event_id)
VALUES
	(11, NULL, NULL, NULL, '6281200000051', 'given', NULL, 'siap', NULL, NULL, NULL, 'queued', NULL, NULL, NULL, 'high', 0, 0, NULL, 'odoo', now() + interval '1 day', NULL),
	(12, NULL, NULL, NULL, '6281200000052', 'given', NULL, 'di jalan', NULL, NULL, 'fonnte', 'sending', NULL, NULL, 'fonnte: first usable gateway by sequence', 'high', 1, 0, NULL, 'odoo', now() + interval '1 day', NULL),
	(13, NULL, NULL, NULL, '6281200000053', 'given', NULL, 'besok', NULL, NULL, NULL, 'queued', NULL, NULL, NULL, 'high', 0, 0, now() + interval '1 day', 'odoo', now() + interval '2 days', NULL),
	(14, NULL, NULL, NULL, '6281200000054', 'given', NULL, 'lambat', NULL, NULL, 'fonnte', 'queued', 'throttled', 'Fonnte asked us to slow down with HTTP status 429.', 'fonnte: first usable gateway by sequence', 'high', 1, 1, now() + interval '1 hour', 'odoo', now() + interval '1 day', NULL),
	(15, NULL, NULL, NULL, '6281200000055', 'given', NULL, 'ragu', NULL, NULL, 'fonnte', 'unknown', 'no_answer', 'no answer came, the provider may have accepted it: connection was lost before an answer came', 'fonnte: first usable gateway by sequence', 'high', 1, 0, now() + interval '1 hour', 'odoo', now() + interval '1 day', NULL),
	(16, 'catatan', 'catatan', 10, '6281200000056', 'res_partner.phone', '{"nama": "Budi"}', 'Yth. Budi, ada catatan.', 'catatan', 7, NULL, 'held', 'bulk', 'more than 25 at once', NULL, 'normal', 0, 0, NULL, NULL, now() + interval '1 day', NULL),
	(17, 'permit_expiry_warning', 'permit_expiry_warning', 10, '6281200000010', 'res_partner.phone_sanitized', '{"permit_type": "IMB", "expiry_date": "31-12-2026", "partner_name": "Budi Santoso", "renewal_link": "https://sicantik.example.go.id/renewal/REG-2026-0006", "permit_number": "503/0006/IPP/2025", "remaining_days": "7"}', NULL, 'sicantik.permit', 6, NULL, 'held', 'setting_missing', 'the setting "contact_dpmptsp" is not set', NULL, 'normal', 0, 0, NULL, NULL, now() + interval '3 days', NULL),
	(18, NULL, NULL, NULL, '6281200000058', 'given', NULL, 'dibatalkan', NULL, NULL, NULL, 'queued', NULL, NULL, NULL, 'high', 0, 0, now() + interval '1 day', 'odoo', now() + interval '2 days', NULL);
SELECT setval('wa.message_id_seq', 18);
INSERT INTO wa.ready (message_id) VALUES (11);
INSERT INTO wa.ready (message_id, claimed_at, provider, attempt) VALUES (12, now() - interval '1 minute', 'fonnte', 1);
INSERT INTO wa.due (message_id, due_at, timeline) SELECT id, due_at, 1 FROM wa.message WHERE id IN (13, 14, 15, 18);
INSERT INTO wa.request (action, message_id, requested_by) VALUES ('cancel', 18, 'odoo');

-- what came of events, and what did not
INSERT INTO wa.event_outcome (event_id, relation, record_id, scenario, outcome, detail)
VALUES (3, 'public.sicantik_permit', 2, 'status_update', 'suppressed', 'permit_ready says more to the same person');
INSERT INTO wa.dead_letter (event_id, relation, record_id, columns, old, new, event_at, error, scenario)
VALUES (2, 'public.catatan', 9, '{teks}', '{lama}', '{baru}', now() - interval '2 days', 'division by zero', 'catatan');
INSERT INTO wa.capture_gap (first_at, last_at, events, reason) VALUES (now() - interval '2 days', now() - interval '2 days', 4, 'locked');
INSERT INTO wa.calendar (scenario, day, queued, detail) VALUES ('permit_expiry_warning', current_date - 1, 0, 'baseline: 3 thresholds');
INSERT INTO wa.passed (scenario, minute, messages) VALUES ('permit_ready', date_trunc('minute', now()), 2);
INSERT INTO wa.waiting (document_id, scenario, event_id, relation, due_at)
VALUES (3, 'approval_required', 4, 'public.sicantik_document', now() + interval '1 hour');

-- the triggers, as wa_setup() of version 1.0 has put them on
SET ROLE odoo;
CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE ON public.sicantik_permit FOR EACH ROW EXECUTE FUNCTION wa.capture();
CREATE TRIGGER "00_sicantik_wa_statement" AFTER INSERT OR UPDATE ON public.sicantik_permit FOR EACH STATEMENT EXECUTE FUNCTION wa.capture();
CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE ON public.sicantik_document FOR EACH ROW EXECUTE FUNCTION wa.capture();
CREATE TRIGGER "00_sicantik_wa_statement" AFTER INSERT OR UPDATE ON public.sicantik_document FOR EACH STATEMENT EXECUTE FUNCTION wa.capture();
CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE ON public.signature_workflow FOR EACH ROW EXECUTE FUNCTION wa.capture();
CREATE TRIGGER "00_sicantik_wa_statement" AFTER INSERT OR UPDATE ON public.signature_workflow FOR EACH STATEMENT EXECUTE FUNCTION wa.capture();
RESET ROLE;
