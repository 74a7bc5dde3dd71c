# The differences between Odoo versions that matter here: columns that come and
# go, names and labels as varchar or jsonb, Enterprise's own tables.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
for my $kind ('fonnte', 'meta')
{
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "')");
	sql("SELECT FROM wa_test_connection('$kind')");
}
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");

my $nr = 0;

# Make permit 1 ready anew and return columns of the applicant's message.
sub announce
{
	my ($columns) = @_;
	my $number = 'V/' . ++$nr;

	sql("UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE id = 1");
	sql("UPDATE sicantik_permit SET status = 'active', permit_number = '$number', issue_date = NULL, received_date = NULL, is_renewal = NULL WHERE id = 1");
	# one that nobody could be told before may be told first, and give way to this one
	my $where = "scenario = 'permit_ready' AND params ->> 'permit_number' = '$number' AND state <> 'superseded'";
	ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE $where AND finished_at IS NOT NULL", '1'),
		"permit $number is announced");
	return sql("SELECT $columns FROM wa.message WHERE $where");
}

# Odoo 14 to 18.0: mobile beside phone.
sql('ALTER TABLE res_partner ADD COLUMN mobile character varying');
sql("UPDATE res_partner SET mobile = '0813 1111 2222', whatsapp_number = NULL, phone_sanitized = NULL, phone = '021-555' WHERE id = 10");
is(announce("state || ' ' || number || ' ' || number_source"), 'sent 6281311112222 res_partner.mobile',
	'a number in the column mobile is used');
sql('ALTER TABLE res_partner DROP COLUMN mobile CASCADE');
sql("UPDATE res_partner SET phone = '0812-0000-0010' WHERE id = 10");
is(announce('number_source'), 'res_partner.phone', 'and phone where mobile has gone');

# What Odoo makes of a telephone (libphonenumber reads a remark as digits) is
# another number, and counts only where Odoo has nothing else.
sub phone
{
	my ($phone, $sanitized) = @_;
	sql("UPDATE res_partner SET phone = $phone, phone_sanitized = '$sanitized' WHERE id = 10");
	return announce("concat_ws(' ', state, reason, number, number_source)");
}
is(phone("'0811-0001-234/5'", '+6281100012345'), 'sent 628110001234 res_partner.phone', 'a second extension behind the number');
is(phone("'0811-000-123 (Ibu)'", '+62811000123428'), 'sent 62811000123 res_partner.phone', 'a word behind the number');
is(phone("'021-5550-1234'", '+6281255550000'), 'skipped no_number', 'what we read no number in is none');
is(phone('NULL', '+6281255550001'), 'sent 6281255550001 res_partner.phone_sanitized', 'nothing else is there');
sql("UPDATE res_partner SET phone = '0812-0000-0010', phone_sanitized = NULL WHERE id = 10");

# No column of consent at all: Meta is not for this person, the gateway is.
sql('ALTER TABLE res_partner DROP COLUMN whatsapp_opt_in, DROP COLUMN whatsapp_opt_in_date, DROP COLUMN whatsapp_number');
is(announce("state || ' ' || provider"), 'sent fonnte', 'an Odoo without SICANTIK\'s columns on contacts');

# Names and labels: jsonb since 16, varchar before.
sql("UPDATE sicantik_permit SET permit_type_id = (SELECT min(id) FROM sicantik_permit_type) WHERE id = 1");
my $plain = sql('SELECT name FROM sicantik_permit_type ORDER BY id LIMIT 1');
is(announce("params ->> 'permit_type'"), $plain, 'a permit type as plain text');
sql("ALTER TABLE sicantik_permit_type ALTER COLUMN name TYPE jsonb USING jsonb_build_object('en_US', 'Building permit', 'id_ID', 'Izin Gedung')");
is(announce("params ->> 'permit_type'"), 'Izin Gedung', 'a permit type as translated jsonb');
sql("UPDATE sicantik_permit_type SET name = '{\"en_US\": \"Building permit\"}'");
is(announce("params ->> 'permit_type'"), 'Building permit', 'English where there is no Indonesian');
sql("ALTER TABLE ir_model_fields_selection ALTER COLUMN name TYPE character varying USING coalesce(name ->> 'id_ID', name ->> 'en_US')");
sql("UPDATE ir_model_fields_selection SET name = 'Sudah lewat' WHERE value = 'expired'");
sql("UPDATE sicantik_permit SET status = 'expired', expiry_date = current_date WHERE id = 1");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE scenario = 'status_update' AND res_id = 1 AND partner_id = 10 AND params ->> 'status_baru' = 'Sudah lewat'", '1'),
	'labels as varchar (Odoo 14)');
sql("UPDATE ir_model_fields_selection SET name = initcap(value)");
sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 1");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE scenario = 'status_update' AND res_id = 1 AND partner_id = 10 AND params ->> 'status_baru' = 'Dibatalkan'", '1'),
	'an English label as varchar gives way to our own');

# Before 16 the translations have a table of their own.
sql('SET ROLE odoo; CREATE TABLE ir_translation (id serial, name varchar, res_id integer, lang varchar, type varchar, value text)');
sql("INSERT INTO ir_translation (name, res_id, lang, type, value)"
	  . " SELECT 'ir.model.fields.selection,name', s.id, l.lang, 'model', l.word || s.value FROM ir_model_fields_selection AS s, (VALUES ('fr_FR', 'le '), ('id_ID', 'status ')) AS l (lang, word)"
	  . " UNION ALL SELECT n.name, t.id, 'id_ID', 'model', n.value FROM sicantik_permit_type AS t, (VALUES ('sicantik.permit.type,name', 'Izin Alih Bahasa'), ('res.country,name', 'Negara')) AS n (name, value)");
sql("UPDATE sicantik_permit SET status = 'expired', expiry_date = current_date WHERE id = 1");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE scenario = 'status_update' AND res_id = 1 AND partner_id = 10 AND params ->> 'status_baru' = 'status expired'", '1'),
	'a label translated in ir_translation (Odoo 14 and 15)');
sql("ALTER TABLE sicantik_permit_type ALTER COLUMN name TYPE varchar USING name ->> 'en_US'");
sql("UPDATE sicantik_permit SET status = 'draft' WHERE id = 1");
is(announce("params ->> 'permit_type'"), 'Izin Alih Bahasa', 'a permit type translated there');

# Enterprise: an inbound message within a day opens Meta's window.
sql('SET ROLE odoo; CREATE TABLE whatsapp_message (id serial, mobile_number_formatted varchar, message_type varchar, create_date timestamp)');
is(sql("SELECT use_24h_window FROM wa_determine_provider(10, 'permit_ready')"), 'f', 'no inbound message, no window');
sql("INSERT INTO whatsapp_message (mobile_number_formatted, message_type, create_date) VALUES"
	  . " ('6281200000010', 'inbound', now() AT TIME ZONE 'UTC' - interval '25 hours'),"
	  . " ('6281200000010', 'outbound', now() AT TIME ZONE 'UTC')");
is(sql("SELECT use_24h_window FROM wa_determine_provider(10, 'permit_ready')"), 'f', 'an old one and one of ours do not count');
sql("INSERT INTO whatsapp_message (mobile_number_formatted, message_type, create_date) VALUES"
	  . " ('6281200000010', 'inbound', now() AT TIME ZONE 'UTC' - interval '1 hour')");
is(sql("SELECT provider || ' ' || use_24h_window FROM wa_determine_provider(10, 'permit_ready')"), 'meta true',
	'a message from the person within 24 hours opens the window');
sql("UPDATE whatsapp_message SET create_date = NULL");

# The module is uninstalled and installed again.
my $worker = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'";
my $pid = sql($worker);
sql('CREATE TABLE kept AS SELECT * FROM sicantik_permit');
sql('ALTER TABLE sicantik_permit DROP COLUMN notes');
sql('DROP TABLE sicantik_permit CASCADE');
like(sql("SELECT value FROM wa_status() WHERE item = 'watched public.sicantik_permit'"), qr/missing|not found/,
	'its absence is visible');
my $text = sql("SELECT wa_send_text('0812-0000-0077', 'halo')");
ok(wait_state($node, 'odoo', $text, 'sent'), 'everything else goes on');
sql('ALTER TABLE kept RENAME TO sicantik_permit');
sql('ALTER TABLE sicantik_permit ADD PRIMARY KEY (id)');
like(sql("SELECT value FROM wa_status() WHERE item = 'watched public.sicantik_permit'"), qr/trigger missing/,
	'so is a table without triggers');
sql('SELECT FROM wa_setup()');
is(announce('state'), 'sent', 'one call attaches it again');
is(sql($worker), $pid, 'the worker has lived through all of it');

done_testing();
