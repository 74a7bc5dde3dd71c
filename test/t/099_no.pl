# A "no" belongs to the number: however it is spelled, whoever else has a
# contact with it, and by whichever way the message was made.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => 'sicantik_wa.worker_idle_timeout = 3600');
my $session;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0]); }


# What became of everything since the last look: "number state reason", one a line.
my $last = 0;
sub became
{
	wait_for("$ALL_READ AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))");
	my $became = sql("SELECT string_agg(concat_ws(' ', right(number, 4), state, reason), E'\\n' ORDER BY number, id) FROM wa.message WHERE id > $last");
	$last = sql('SELECT coalesce(max(id), 0) FROM wa.message');
	return $became;
}

sub lines { return join("\n", @_); }

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
my $odoo = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL; SELECT wa_set('language', 'en'); SELECT wa_arm('odoo')");
sql('ALTER TABLE res_partner ADD COLUMN IF NOT EXISTS mobile varchar');

# Each of these said no, with his number in another spelling and another field;
# contact 3NN of a "Warga" has the same number and has said nothing.
my @spelled = (
	"whatsapp_number = '+62 812-5550-0001'",
	"mobile = '0812 5550 0002'",
	"phone_sanitized = '+6281255500003'",
	"phone = '62812.5550.0004 (rumah)'",
	"phone = '0812-5550-9999 / 0812-5550-0005', active = false",
	"phone = 'WA 081255500006 atau 081255508888'",
	"phone = '(021) 555-1234, HP 81255500007'",
	"whatsapp_number = '0812-5550-9998', phone = '0062 812 5550 0008'");
# and these did not: never asked, agreed, asked for nothing but a date is lacking
my @fine = ('whatsapp_opt_in_date = NULL', 'whatsapp_opt_in = true', 'whatsapp_opt_in = NULL, whatsapp_opt_in_date = NULL');
my $n = 0;
my $make = '';
foreach my $fields (@spelled, map { "whatsapp_number = '0812-5550-00%02d', $_" } @fine)
{
	$n++;
	$make .= "INSERT INTO res_partner (id, name, type, active, whatsapp_opt_in, whatsapp_opt_in_date)"
	  . " VALUES (200 + $n, 'Lain', 'contact', true, false, '2026-01-02');"
	  . sprintf("UPDATE res_partner SET $fields WHERE id = 200 + $n;", $n)
	  . sprintf("INSERT INTO res_partner (id, name, type, active, phone) VALUES (300 + $n, 'Warga', 'contact', true, '08125550%04d');", $n);
}
sql($make);
my $refused = @spelled;

# by hand
sql("SELECT wa_send_text(300 + n, 'x') FROM generate_series(1, $n) AS n");
is(became(), lines(map { sprintf('%04d %s', $_, $_ <= $refused ? 'skipped opted_out' : 'sent') } 1 .. $n),
	'a contact does not get what another one with the number has refused, in any spelling of it');
is(sql("SELECT string_agg(action || ' ' || detail, E'\\n') FROM wa_setup() WHERE item = 'contacts'"),
	lines('present an index of those who want no messages', 'present an index of phone_sanitized', 'present an index of whatsapp_number'),
	'wa_setup() has made an index for this, and for whose a number is');
like(sql('SET enable_seqscan = off; EXPLAIN SELECT FROM res_partner AS t WHERE t.whatsapp_opt_in_date IS NOT NULL AND t.whatsapp_opt_in IS NOT TRUE; '),
	qr/sicantik_wa_said_no/, 'by which the reading finds them');
sql('RESET enable_seqscan');
is(sql("SELECT string_agg(DISTINCT detail, '|') FROM wa.message WHERE reason = 'opted_out'"),
	'another contact with this number has opted out in Odoo', 'the ledger says so, and not who');
sql("SELECT wa_send_text('0812555000' || right('0' || n, 2), 'x') FROM generate_series(1, $n) AS n");
is(became(), lines(map { sprintf('%04d %s', $_, $_ <= $refused ? 'skipped opted_out' : 'sent') } 1 .. $n),
	'nor does the number');

# by a scenario, and with a template
sql("SET sicantik_wa.capture = off; INSERT INTO sicantik_permit (id, registration_id, applicant_name, status, partner_id)"
	  . " SELECT 300 + n, 'NO-' || n, 'Warga', 'draft', 300 + n FROM generate_series(1, $n, 5) AS n; RESET sicantik_wa.capture");
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'N' || id, issue_date = current_date WHERE registration_id LIKE 'NO-%'");
is(became(), lines('0001 skipped opted_out', '0006 skipped opted_out', '0011 sent'), 'by a scenario');
sql("SELECT wa_send('permit_ready', 300 + n, permit_id => 300 + n) FROM generate_series(1, $n, 5) AS n");
is(became(), lines('0001 skipped opted_out', '0006 skipped opted_out', '0011 sent'), 'by hand with a template');
sql("SELECT wa_set('alert_number', '0812-5550-0002'); SELECT wa_set('test_number', '0812 5550 0003'); SELECT wa_set('mode', 'test');"
	. "SELECT wa_send_text(311, 'x')");
is(became(), '0011 skipped opted_out', 'nor in mode test, to a test_number that said no');
like(sql("SELECT detail FROM wa.message WHERE id = $last"), qr/^of the setting test_number: a contact with this number/, 'which is said');
sql("SELECT wa_arm('odoo')");

# the blacklist
sql("INSERT INTO phone_blacklist (number, active) VALUES ('0812 5551 0001', true), ('62812-5551-0002', true), ('081255510003', false),"
	  . " ('6281255510004', NULL), ('+6281255510005', true)");
sql("SELECT wa_send_text('628125551000' || n, 'x') FROM generate_series(1, 5) AS n");
is(became(), lines('0001 skipped blacklisted', '0002 skipped blacklisted', '0003 sent', '0004 sent', '0005 skipped blacklisted'),
	'the blacklist counts in any spelling; what was taken off it does not');
# Odoo's reading of 62811000123, which was written with the country and without a plus
sql("INSERT INTO phone_blacklist (number, active) VALUES ('+6262811000123', true); SELECT wa_send_text('62811000123', 'x')");
is(became(), '0123 skipped blacklisted', 'also with the country before it twice');

# wa.contact
sql("INSERT INTO wa.contact (number, opted_out_at) VALUES ('0812-5552-0001', now()), ('+62 812 5552 0002', now()), ('81255520003', now()), ('819012345678', now())");
is(sql("SELECT string_agg(number, ' ' ORDER BY number) FROM wa.contact WHERE number LIKE '62%'"), '6281255520001 6281255520002',
	'wa.contact: a number is brought into international form');
is(sql("SELECT count(*) FROM wa.contact WHERE number = '819012345678'"), '1', 'where it is not that already, of another country');
sql("INSERT INTO wa.contact (number, opted_in_at) VALUES ('081255520002', now() + interval '1 second')"
	  . ' ON CONFLICT (number) DO UPDATE SET opted_in_at = excluded.opted_in_at');
sql("SELECT wa_send_text('628125552000' || n, 'x') FROM generate_series(1, 3) AS n");
is(became(), lines('0001 skipped opted_out', '0002 sent', '0003 skipped opted_out'), 'and counts');

# what waits; the same transaction; another number now; agreed again; gone
sql('SELECT wa_pause()');
$last = sql('SELECT max(id) FROM wa.message');
sql("SELECT wa_send_text(310, 'x')");
wait_for("reason = 'no_provider' FROM wa.message WHERE id > $last");
sql("UPDATE res_partner SET whatsapp_opt_in = false WHERE id = 210; SELECT wa_resume(NULL)");
is(became(), '0010 skipped opted_out', 'a "no" that comes while the message waits');
sql("BEGIN; UPDATE res_partner SET whatsapp_opt_in_date = '2026-01-02' WHERE id = 211; SELECT wa_send_text(311, 'x'); COMMIT");
is(became(), '0011 skipped opted_out', 'or in its own transaction');
$odoo->do('BEGIN; LOCK TABLE res_partner');
$odoo->do("UPDATE res_partner SET whatsapp_opt_in_date = '2026-01-02' WHERE id = 209");
$session->do("SELECT wa_send_text('081255500009', 'x')");
like($session->err, qr/locked at the moment/, 'where Odoo changes its table, a call is refused');
$odoo->do('COMMIT');
sql("SELECT wa_send_text('081255500009', 'x')");
is(became(), '0009 skipped opted_out', 'and sees the "no" afterwards');
sql("UPDATE res_partner SET whatsapp_number = '0812-5550-7777' WHERE id = 201; SELECT wa_send_text(301, 'x'), wa_send_text('081255507777', 'x')");
is(became(), lines('0001 sent', '7777 skipped opted_out'), 'who has another number now has said no for that one');
sql("UPDATE res_partner SET whatsapp_opt_in = true WHERE id = 202; DELETE FROM res_partner WHERE id = 203;"
	. " SELECT wa_send_text(302, 'x'), wa_send_text(303, 'x')");
is(became(), lines('0002 sent', '0003 sent'), 'who agrees again, or is gone, has not');

# a policy that fails keeps the message, and tells nobody
sql('SELECT wa_pause()');
my $kept = sql("SELECT wa_send_text(301, 'x')");
wait_for("reason = 'no_provider' FROM wa.message WHERE id = $kept");
$odoo->do("CREATE FUNCTION fails() RETURNS boolean LANGUAGE plpgsql AS \$\$BEGIN RAISE 'not now'; END\$\$;"
	. ' ALTER TABLE phone_blacklist ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON phone_blacklist USING (public.fails())');
my $logged = -s $node->logfile;
sql('SELECT wa_resume(NULL)');
ok($node->wait_for_log(qr/^(?!.*statement:).*not now/m, $logged), 'a blacklist that cannot be read');
is(sql("SELECT state FROM wa.message WHERE id = $kept"), 'queued', 'keeps the message');
sql("UPDATE res_partner SET whatsapp_number = '0812-5550-0001' WHERE id = 201");
$odoo->do('DROP POLICY p ON phone_blacklist; ALTER TABLE phone_blacklist DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY');
# (it is asked again every minute; a worker that starts asks at once)
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
is(became(), '0001 skipped opted_out', 'until it can be');

# A "yes" is that of the number that was written: Odoo's reading of a remark
# behind it has agreed to nothing.
sql("SELECT wa_configure('meta', '" . provider_settings($sim, 'meta') . "'); SELECT FROM wa_test_connection('meta');"
	. " SELECT wa_map_template('permit_ready', 'meta', '{\"name\": \"izin_selesai_diproses\", \"parameters\": [\"partner_name\", \"permit_number\", \"download_link\"]}'); UPDATE wa.provider SET recipient_gap = '0', is_default = false");
sql("INSERT INTO res_partner (id, name, type, active, phone, phone_sanitized, whatsapp_opt_in) VALUES"
	. " (390, 'Warga', 'contact', true, '0811-0001-234/5', '+6281100012345', true), (391, 'Warga', 'contact', true, '0811-0001-2346', '+6281100012346', true)");
sql("SELECT wa_send('permit_ready', number, '{\"partner_name\": \"a\", \"permit_type\": \"b\", \"permit_number\": \"c\", \"issue_date\": \"d\", \"download_link\": \"https://e.id\"}')"
	. " FROM unnest('{6281100012345,6281100012346}'::text[]) AS number");
wait_for("count(*) = 2 FROM wa.message WHERE id > $last AND state = 'sent'");
is(sql("SELECT string_agg(right(number, 4) || ' ' || provider, ', ' ORDER BY number) FROM wa.message WHERE id > $last"), '2345 fonnte, 2346 meta',
	'who agreed is told through Meta; who did not, by the gateway');

# One look at the contacts is for all bare numbers that wait, and is used again
# for a while (here they are slow, and counted); but not for what comes later.
$odoo->do("CREATE SEQUENCE looks; ALTER TABLE res_partner ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
	. " CREATE POLICY p ON res_partner USING ((SELECT pg_sleep(0.1)) IS NOT NULL AND (SELECT nextval('public.looks')) > 0)");
sql('UPDATE wa.provider SET max_in_flight = 10');
$last = sql('SELECT max(id) FROM wa.message');
sql("SELECT wa_send_text('08119000' || to_char(n, 'FM0000'), 'x') FROM generate_series(1, 300) AS n");
wait_for("count(*) = 300 FROM wa.message WHERE id > $last AND state = 'sent'");
cmp_ok($odoo->sql('SELECT last_value FROM looks'), '<', 12, 'a look at the contacts is for many bare numbers');
$last = sql('SELECT max(id) FROM wa.message');
my $once_more = "SELECT wa_send('permit_ready', '6281100023456', '{\"partner_name\": \"a\", \"permit_type\": \"b\", \"permit_number\": \"c\", \"issue_date\": \"d\", \"download_link\": \"https://e.id\"}')";
foreach my $change ("SELECT", "INSERT INTO res_partner (id, name, type, active, phone, phone_sanitized, whatsapp_opt_in) VALUES (392, 'Warga', 'contact', true, '0811-0002-3456', '+6281100023456', true)",
	"UPDATE res_partner SET whatsapp_opt_in = false, whatsapp_opt_in_date = now() WHERE id = 392")
{
	sql("$change; $once_more");
	wait_for("NOT EXISTS (SELECT FROM wa.message WHERE id > $last AND state IN ('queued', 'sending'))");
}
is(sql("SELECT string_agg(coalesce(provider, state), ', ' ORDER BY id) FROM wa.message WHERE id > $last"), 'fonnte, meta, skipped',
	'and what a contact says by the time that a message comes is seen');
$odoo->do('DROP POLICY p ON res_partner; ALTER TABLE res_partner DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY; DELETE FROM res_partner WHERE id = 392');

# words
sub told { return sql("SELECT string_agg(what, E'\\n') FROM $_[0]"); }
like(told("wa_explain('permit_ready', 304)"), qr/^nothing: another contact with this number has opted out in Odoo$/m, 'wa_explain()');
like(sql("SELECT reason FROM wa_determine_provider(304, 'permit_ready')"), qr/another contact with this number/, 'wa_determine_provider()');
like(told("wa_why($kept)"), qr/another contact with this number has opted out in Odoo/, 'wa_why()');
like(told("wa_history('partner 304')"), qr/^contact 304 gets nothing: another contact with this number has opted out/m, 'wa_history() of a contact');
like(told("wa_history('0812-5550-0004')"), qr/^number 6281255500004 gets nothing: a contact with this number has opted out/m, 'of a number');
sql("CREATE ROLE clerk; SELECT wa_grant('clerk', 'view'); SET ROLE clerk");
like(told("wa_history('0812-5550-0004')"), qr/^number 6281\*+004 gets nothing: a contact/m, 'level view sees no number');
sql("RESET ROLE; SELECT wa_set('language', 'id')");
like(told("wa_explain('permit_ready', 304)") . "\n" . told("wa_history('partner 304')"),
	qr/kontak lain dengan nomor ini menolak pesan menurut Odoo\n.*kontak 304 tidak menerima apa pun: kontak lain/s, 'in Indonesian');
like(told("wa_why((SELECT max(id) FROM wa.message WHERE detail LIKE '%test_number%'))"), qr/dari pengaturan test_number: kontak dengan nomor ini/,
	'also of the test number');

is(scalar(grep { $_->{accepted} && $_->{to} =~ /^628125550000[1-8]$/ } $sim->sends), 3, 'three of these numbers got something, when it was right');
sql('RESET ROLE');
my $ours = "SELECT coalesce(string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text), '') FROM pg_index WHERE indrelid = 'res_partner'::regclass AND indexrelid::regclass::text ~ '^(sicantik|office)'";
is(sql($ours), 'sicantik_wa_phone_sanitized sicantik_wa_said_no sicantik_wa_whatsapp_number', 'three indexes are ours');
# an index of the office's own does as well, and stays
sql('DROP INDEX sicantik_wa_whatsapp_number; CREATE INDEX office_number ON res_partner (whatsapp_number, id); DROP INDEX sicantik_wa_phone_sanitized;'
	  . " CREATE INDEX office_some ON res_partner (phone_sanitized) WHERE active; UPDATE res_partner SET phone_sanitized = repeat('0812 ', 1000) WHERE id = 301");
is(sql("SELECT string_agg(action, ' ') FROM wa_setup() WHERE item = 'contacts'"), 'present added present', 'but one of some rows does not');
sql("UPDATE res_partner SET phone_sanitized = repeat('0813 ', 2000), whatsapp_number = '0' WHERE id = 302");
is(sql("SELECT length(phone_sanitized) FROM res_partner WHERE id = 302"), '10000', 'and any length of what a person writes is taken');
is(sql("SELECT string_agg(action, ' ') FROM wa_teardown() WHERE item = 'contacts'"), 'dropped dropped', 'wa_teardown() takes ours along');
is(sql($ours), 'office_number office_some', 'and no others');
$session->close;
$odoo->close;
$node->stop;
done_testing();
