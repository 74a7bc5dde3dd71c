# No statement of ours depends on how the session reads a backslash in a string
# (standard_conforming_strings): all that users may call, and the worker, in a
# server where it is no ordinary character.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Find qw(find);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

# In the sources: no string of SQL has one.
my $top = dirname(__FILE__) . '/../..';
my @found;
find({ no_chdir => 1, wanted => sub {
	return unless /\.(?:[ch]|sql|def)$/ && !/sicantik_wa--1\.0\.sql$/;
	my $text = slurp_file($_);

	if (/\.sql$/)
	{
		$text =~ s/^\\echo .*$|--.*$//mg;
		push @found, $_ if $text =~ /\\/;
		return;
	}
	$text =~ s{/\*.*?\*/}{}gs;
	# a string of SQL has a literal in it
	foreach my $string ($text =~ /"((?:\\.|[^"\\\n])*)"/g)
	{
		push @found, "$_: $string" if $string =~ /'[^']*\\\\/;
	}
} }, "$top/src");
is(join("\n", @found), '', 'no string of SQL has a backslash in it');

# From PostgreSQL 19 on the setting cannot be switched off.
my ($major) = qx(pg_config --version) =~ /PostgreSQL (\d+)/;
if ($major >= 19)
{
	done_testing();
	exit;
}

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "standard_conforming_strings = off\nescape_string_warning = on\nlog_min_messages = warning");

load_odoo($node, 'odoo');
my $offset = -s $node->logfile;
my $called = '';

sub sql
{
	$called .= "$_[0]\n";
	return $node->safe_psql('odoo', $_[0]);
}

# What may end in an error: it is run all the same.
sub try
{
	$called .= "$_\n", $node->psql('odoo', $_) foreach @_;
	return;
}

sql('CREATE EXTENSION sicantik_wa');
sql("SELECT count(*) FROM wa_setup()");
is(sql('SHOW standard_conforming_strings'), 'off', 'a backslash is no ordinary character here');

# Odoo's templates: which lists of values are lists.
$node->safe_psql('odoo', <<'SQL', extra_params => [ '-U', 'odoo' ]);
CREATE TABLE sicantik_whatsapp_template_master (id serial PRIMARY KEY, template_key varchar NOT NULL,
	name varchar NOT NULL, body_preview text, parameter_list text, meta_template_name varchar,
	meta_status varchar, language varchar, active boolean, watzap_template_id varchar, watzap_template_name varchar,
	watzap_status varchar, fonnte_template_id varchar, fonnte_template_name varchar, fonnte_status varchar);
INSERT INTO sicantik_whatsapp_template_master (template_key, name, body_preview, parameter_list, meta_template_name, meta_status, language, active)
VALUES ('permit_ready', 'Izin', 'Kepada {{partner_name}}, {{permit_number}}', ' [ "permit_number" ,"partner_name" ] ', 'izin', 'approved', 'id', true);
SQL
sql('SELECT count(*) FROM wa_import_odoo()');
is(sql("SELECT parameters FROM wa.template_mapping WHERE template_key = 'permit_ready' AND provider = 'meta'"), '{permit_number,partner_name}',
	'wa_import_odoo() reads the list of values of an approved template');

# A setting that keeps changes from being recorded.
sql("ALTER ROLE odoo SET sicantik_wa.capture = off");
like(sql('SELECT string_agg(what_to_do, chr(10)) FROM wa_check()'), qr/RESET sicantik_wa\.capture/, 'wa_check() finds a role that records nothing');
sql("ALTER ROLE odoo RESET sicantik_wa.capture");

# Everything else.
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT count(*) FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo'); SELECT wa_set('office_name', 'Kantor'); SELECT wa_set_holidays('{\"2026-12-25\": \"Natal\"}')");
sql("CREATE ROLE viewer LOGIN; SELECT wa_grant('viewer', 'view')");
my $partner = sql("INSERT INTO res_partner (name, phone) VALUES ('Budi', '0811 0000 0011') RETURNING id");
my $id = sql("SELECT wa_send_text('6281100000010', 'Halo ' || chr(92) || 'x41')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'a message is sent');
is(sql("SELECT body FROM wa.message WHERE id = $id"), 'Halo \\x41', 'as it was written');
sql("SELECT wa_set_template('undangan', '{\"body\": \"Yth. {{nama}}\", \"active\": true}')");
my $held = sql("SELECT wa_send('undangan', '6281100000012', '{\"nama\": \"Budi\"}', send_at => now() + interval '1 day')");
try("CALL wa_try('6281100000010', 'fonnte')", "SELECT wa_send_text($partner\::bigint, 'Halo')", "SELECT wa_cancel($held)", "SELECT wa_retry($id)", "SELECT wa_release($id)", "SELECT wa_result($id)",
	"SELECT wa_cancel(scenario => 'permit_ready')", "SELECT wa_retry(scenario => 'permit_ready')", "SELECT wa_release(scenario => 'permit_ready')",
	"SELECT * FROM wa_why($id)", "SELECT * FROM wa_history('6281100000010')", "SELECT * FROM wa_history('503/1')", "SELECT * FROM wa_explain('permit_ready', 1)", "SELECT * FROM wa_explain_text('0811 0000 0011', 'Halo')",
	"SELECT * FROM wa_determine_provider($partner, 'permit_ready')", "SELECT wa_convert_params('permit_ready', 'meta', '{\"name\": \"Budi\"}')", "SELECT wa_render('permit_ready', '{\"name\": \"Budi\"}')",
	"SELECT wa_normalize_number('0811 0000 0011')", "SELECT * FROM wa_status()", 'SELECT length(wa_metrics())', 'SELECT length(wa_report())', 'SELECT wa_recount()',
	"SELECT wa_set_template('permit_ready', '{\"active\": true}')", "SELECT wa_set_scenario('permit_ready', '{\"active\": true}')", "SELECT wa_map_template('permit_ready', 'meta', '{\"name\": \"permit_ready\"}')",
	"SELECT * FROM wa_sync_templates('meta')", "SELECT * FROM wa_submit_template('permit_ready', 'meta')", "SELECT wa_template_export('permit_ready', 'meta')",
	"SELECT wa_opt_out('6281100000013')", "SELECT wa_opt_in('6281100000013')", "SELECT wa_opt_in_link('fonnte')", "SELECT wa_opt_in_qr('fonnte')", "SELECT wa_invite($partner, 'fonnte')",
	"SELECT wa_identify('US.1', '6281100000014')", "SELECT wa_webhook('fonnte', '{}')", "SELECT wa_webhook_verify('meta', 'subscribe', 'x', 'y')",
	"SELECT wa_mute('permit_ready', now() + interval '1 hour')", "SELECT wa_run_scenario('permit_expiry_warning')", 'SELECT wa_replay(1)', "SELECT wa_pause('fonnte')", "SELECT wa_resume('fonnte')",
	"SELECT wa_export('6281100000010')", "SELECT wa_export($partner\::bigint)", "SELECT * FROM wa_forget('6281100000010')", "SELECT * FROM wa_forget($partner\::bigint)",
	'SELECT wa_stat_reset()', "SELECT wa_revoke('viewer')", 'SELECT wa_disarm()');
foreach my $view (split /\n/, sql("SELECT c.oid::regclass FROM pg_class AS c WHERE relkind = 'v' AND relnamespace = 'wa'::regnamespace"))
{
	is($node->psql('odoo', "SELECT count(*) FROM $view"), 0, "$view is read");
}
try('SELECT * FROM wa_teardown()');
is(join(' ', grep { $called !~ /\b\Q$_\E\(/ } split /\n/, $node->safe_psql('odoo', "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^wa_' AND oid IN (SELECT objid FROM pg_depend WHERE classid = 'pg_proc'::regclass AND deptype = 'e') ORDER BY 1")),
	'', 'all that users may call has been called');
$node->stop;
my $log = slurp_file($node->logfile, $offset);
is(join("\n", $log =~ /^.*(?:nonstandard use of|in a string literal).*$/mg), '', 'and nothing warns of a backslash');

done_testing();
