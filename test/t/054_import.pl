# wa_import_odoo() takes over what Odoo's own module has configured, says row
# by row what it took, and overwrites nothing.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $node = new_cluster('main');

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub imported
{
	my ($item) = @_;

	return sql("SELECT concat_ws(': ', action, detail) FROM wa_import_odoo() WHERE item = '$item'");
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()');
is(imported('table sicantik_whatsapp_provider'), 'not taken: there is no such table', 'an Odoo without the module');

# The tables as the module makes them, with the columns that matter.
$node->safe_psql('odoo', <<'SQL', extra_params => [ '-U', 'odoo' ]);
CREATE TABLE whatsapp_account (id serial PRIMARY KEY, name varchar, app_uid varchar, app_secret varchar,
	account_uid varchar, phone_uid varchar, token varchar, webhook_verify_token varchar, active boolean);
INSERT INTO whatsapp_account (name, app_uid, app_secret, account_uid, phone_uid, token, webhook_verify_token, active)
VALUES ('DPMPTSP', '9', 'meta-app-secret', '2002', '1001', 'meta-secret-token', 'verify-secret', true),
	   ('Dinas', '9', 'meta-app-secret', '2002', '1002', 'meta-secret-token', 'verify-secret', true),
	   ('Lama', '9', 'meta-app-secret', '2002', '1003', 'meta-secret-token', 'verify-secret', false),
	   ('Kosong', '9', 'meta-app-secret', '2002', '1004', NULL, 'verify-secret', true);
CREATE TABLE sicantik_whatsapp_provider (id serial PRIMARY KEY, sequence integer, meta_account_id integer,
	name varchar NOT NULL, provider_type varchar NOT NULL, watzap_base_url varchar, watzap_api_key varchar,
	watzap_device_id varchar, fonnte_api_url varchar, fonnte_token varchar, fonnte_device varchar,
	credential_state varchar, description text, active boolean, is_default boolean);
INSERT INTO sicantik_whatsapp_provider (sequence, meta_account_id, name, provider_type, watzap_base_url,
	watzap_api_key, watzap_device_id, fonnte_api_url, fonnte_token, active)
VALUES (7, NULL, 'Fonnte Kantor', 'fonnte', NULL, NULL, NULL, 'https://api.fonnte.com/', 'fonnte-secret', true),
	   (8, NULL, 'Watzap', 'watzap', 'https://api.watzap.id/v1', 'watzap-secret', NULL, NULL, NULL, true),
	   (9, 1, 'Meta', 'meta', NULL, NULL, NULL, NULL, NULL, false),
	   (10, NULL, 'Jahat', 'fonnte', NULL, NULL, NULL, 'https://evil.example', 'other-secret', true);
INSERT INTO ir_config_parameter (key, value) VALUES ('sicantik_whatsapp.default_provider_id', '1');
CREATE TABLE sicantik_whatsapp_template_master (id serial PRIMARY KEY, template_key varchar NOT NULL,
	name varchar NOT NULL, body_preview text, parameter_list text, meta_template_name varchar,
	meta_status varchar, language varchar, active boolean, watzap_template_id varchar, watzap_template_name varchar,
	watzap_status varchar, fonnte_template_id varchar, fonnte_template_name varchar, fonnte_status varchar);
INSERT INTO sicantik_whatsapp_template_master (template_key, name, body_preview, parameter_list,
	meta_template_name, meta_status, language, active)
VALUES ('izin_selesai_diproses', 'Izin Selesai', 'Kepada {{partner_name}}', '["partner_name", "permit_number", "completion_date"]',
		'izin_selesai_diproses', 'approved', 'id', true),
	   ('permit_ready', 'Izin', 'x', '["partner_name"]', 'lain', 'approved', 'id', true),
	   ('izin_peringatan_berlaku', 'Peringatan', 'x', '["partner_name", "days_remaining", "contact_info"]',
		'izin_peringatan_berlaku', 'configured', 'id_ID', true),
	   ('status_update', 'Status', 'x', '["new_status"]', 'update_status', 'not_configured', 'id', true),
	   ('undangan', 'Undangan', 'Kepada {{partner_name}}, kami mengundang {{jumlah}} orang.', '["partner_name", "jumlah"]',
		NULL, 'not_configured', 'id', true),
	   ('rusak', 'Rusak', 'Kepada {{partner_name', '[]', NULL, NULL, 'id', true),
	   ('permit_reminder', 'Peringatan', 'Yth. {{partner_name}}, izin Anda berakhir dalam {{days_remaining}} hari.',
		'["partner_name", "days_remaining"]', 'lain', 'not_configured', 'id', true);
-- heap order is not the order of ids
UPDATE sicantik_whatsapp_template_master SET fonnte_template_id = 'FT-1', fonnte_template_name = 'peringatan_masa_berlaku',
	fonnte_status = 'configured', watzap_template_name = 'peringatan', watzap_status = 'not_configured'
 WHERE template_key IN ('permit_reminder', 'izin_peringatan_berlaku');
UPDATE sicantik_whatsapp_provider SET sequence = sequence WHERE id = 1;
SQL
is(sql(q{SELECT string_agg(concat_ws(': ', item, action), E'\n' ORDER BY item, action) FROM wa_import_odoo()}),
	join("\n", 'consent: read live',
		'mapping permit_expiry_warning of fonnte: kept', 'mapping permit_expiry_warning of fonnte: taken',
		'mapping permit_expiry_warning of meta: not taken', 'mapping permit_expiry_warning of meta: taken',
		'mapping permit_ready of meta: kept',
		'mapping permit_ready of meta: taken', 'mapping status_update of meta: not taken',
		'provider fonnte: taken', 'provider fonnte_4: not taken', 'provider meta: taken',
		'provider meta_account_2: taken', 'provider meta_account_4: not taken',
		'provider watzap: not taken', 'template izin_peringatan_berlaku: taken',
		'template izin_selesai_diproses: taken', 'template permit_ready: taken',
		'template permit_reminder: taken', 'template rusak: not taken',
		'template status_update: taken', 'template undangan: taken'),
	'row by row, what was taken and what not');
is(sql("SELECT concat_ws(' ', active, is_default, sequence, state) FROM wa.provider WHERE name = 'fonnte'"),
	't t 7 draft', 'a provider, the default one, still to be tested');
is(sql("SELECT concat_ws(' ', active, settings->>'phone_number_id', settings->>'waba_id') FROM wa.provider WHERE name = 'meta'"),
	'f 1001 2002', q{Meta's account from Enterprise});
like(sql(q{SELECT wa_configure('meta', '{}')}), qr/"access_token": "\*\*\*"/, 'with its token');
is(sql("SELECT count(*) FROM wa.provider WHERE name = 'fonnte_4'"), '0', 'nothing is left of a refused one');
is(sql("SELECT concat_ws(' ', name, status, parameters) FROM wa.template_mapping WHERE template_key = 'permit_ready'"),
	'izin_selesai_diproses approved {partner_name,permit_number,completion_date}', q{the approved template's own order});
is(sql("SELECT concat_ws(' ', language, parameters) FROM wa.template_mapping WHERE template_key = 'permit_expiry_warning' AND provider = 'meta'"),
	'id {partner_name,remaining_days,contact_dpmptsp}', q{with our names of Odoo's values});
is(sql("SELECT concat_ws(' ', mode, name, parameters) FROM wa.template_mapping WHERE template_key = 'permit_expiry_warning' AND provider = 'fonnte'"),
	'text FT-1 {partner_name,remaining_days}', q{a gateway's mapping, of the record that Odoo uses for gateways});
is(sql("SELECT concat_ws(' ', active, is_default, state, settings->>'phone_number_id') FROM wa.provider WHERE name = 'meta_account_2'"),
	't f draft 1002', 'an account of Meta\'s that no provider names is a provider of its own');
is(sql("SELECT active || ' ' || body FROM wa.template WHERE key = 'permit_reminder'"),
	'false Yth. {{partner_name}}, izin Anda berakhir dalam {{remaining_days}} hari.',
	q{Odoo's text of a standard notification, beside ours, inactive, with our names of values});
is(sql("SELECT active || ' ' || body FROM wa.template WHERE key = 'odoo_permit_ready'"), 'false x', 'under a key of its own');
like(sql("SELECT body FROM wa.template WHERE key = 'permit_ready'"), qr/^Yth\./, 'ours stays');
is(sql(q{SELECT wa_render('undangan', '{"partner_name": "Budi", "jumlah": "2"}')}),
	'Kepada Budi, kami mengundang 2 orang.', q{a template of the office's own});
is(sql("SELECT string_agg(DISTINCT action, ' ') FROM wa_import_odoo() WHERE item ~ '^(template|mapping|provider meta)'"),
	'kept not taken', 'a second call takes nothing more');
is(imported('provider fonnte'), 'kept: it was configured here already', 'a second call keeps what is there');
is(imported('template undangan'), 'kept: it was set here already', 'templates too');
unlike(sql('SELECT string_agg(i::text, E\'\n\') FROM wa_import_odoo() AS i'), qr/secret/, 'no credential in the result');
unlike(slurp_file($node->logfile), qr/fonnte-secret[^']|meta-secret-token[^']/, 'nor in the log');

# What cannot be taken has a row that says why; names come in Indonesian.
my (undef, undef, $notices) = $node->psql('odoo', 'SELECT * FROM wa_import_odoo()');
unlike($notices, qr/stands in a statement/, 'no credential stood in a statement');
$node->safe_psql('odoo', <<'SQL', extra_params => [ '-U', 'odoo' ]);
ALTER TABLE sicantik_whatsapp_provider ALTER COLUMN provider_type DROP NOT NULL;
INSERT INTO sicantik_whatsapp_provider (id, name, provider_type, fonnte_token, active)
VALUES (20, 'Lain', 'twilio', NULL, true), (21, 'Tanpa', NULL, NULL, true), (22, 'Cadangan', 'fonnte', 'third-secret', true);
ALTER TABLE sicantik_whatsapp_template_master ALTER COLUMN name TYPE jsonb
	USING jsonb_build_object('en_US', 'Invitation', 'id_ID', name);
INSERT INTO sicantik_whatsapp_template_master (template_key, name, body_preview, parameter_list, meta_template_name, meta_status, language, active)
VALUES ('izin_perlu_approval', '{"en_US": "Approval"}', 'x', '["official_name", "catatan"]', 'izin_perlu_approval', 'approved', 'en_US', true),
	   ('lama', '{"en_US": "Old"}', 'x', '[]', NULL, NULL, 'id', false);
SQL
sql("DELETE FROM wa.template WHERE key = 'undangan'");
(undef, my $rows, $notices) = $node->psql('odoo', "SELECT concat_ws(': ', item, action, detail) FROM wa_import_odoo()");
is(sql("SELECT language FROM wa.template_mapping WHERE template_key = 'approval_required' AND provider = 'meta'"), 'en_US',
	'a template in another language keeps it, region and all');
like($rows, qr/^provider 20 of Odoo: not taken: "Lain" has the provider_type "twilio"; known are meta, watzap and fonnte$/m, 'a provider of another kind');
like($rows, qr/^provider 21 of Odoo: not taken: "Tanpa" has no provider_type; /m, 'and of none');
like($rows, qr/^provider fonnte_22: taken: /m, 'a provider with its credential');
unlike($notices, qr/stands in a statement/, '  which stood in a table');
like($notices, qr/NOTICE:  provider "fonnte_22" is not used before/, '  and is to be tested');
like($rows, qr/^template lama: not taken: it is not active in Odoo$/m, 'a template that Odoo does not use');
like($rows, qr/^mapping approval_required of meta: taken: as izin_perlu_approval, parameters \["nama_pejabat", "catatan"\]; but nobody supplies catatan, so/m,
	'a mapping that cannot be filled is taken, and that is said');
is(sql("SELECT name FROM wa.template WHERE key = 'undangan'"), 'Undangan', 'a name in several languages');
is(sql("SELECT name FROM wa.template WHERE key = 'izin_perlu_approval'"), 'Approval', '  else in English');

# Tables of another shape: nothing is taken, and the server lives.
sql("ALTER TABLE sicantik_whatsapp_provider DROP COLUMN id CASCADE; ALTER TABLE whatsapp_account DROP COLUMN id CASCADE;
	 ALTER TABLE sicantik_whatsapp_template_master DROP COLUMN active");
like(imported('table public.sicantik_whatsapp_provider'), qr/^not taken: \d+ rows without an id$/, 'providers without an id');
like(imported('table public.whatsapp_account'), qr/^not taken: \d+ rows without an id$/, 'accounts without an id');
is(imported('templates'), 'not taken: Odoo has none that is active', 'templates without the column that says which count');

$node->stop;
done_testing();
