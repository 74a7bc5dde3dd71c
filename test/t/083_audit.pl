# What an administrator does is in the server's log, whatever the server logs
# otherwise: who and what, without credentials and citizens' numbers.  And
# modules that log statements do not get citizens' numbers from ours.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $pkglibdir = `pg_config --pkglibdir`;
chomp $pkglibdir;
my $pgaudit = -e "$pkglibdir/pgaudit.so";
my $explain = -e "$pkglibdir/auto_explain.so";

my $sim = start_simulator();
my $node = new_cluster(
	'main',
	simulator => $sim,
	preload => 'sicantik_wa' . ($pgaudit ? ',pgaudit' : '') . ($explain ? ',auto_explain' : ''),
	conf => "log_statement = none\nlog_min_duration_statement = -1\ndeadlock_timeout = 100ms"
	  . ($pgaudit ? "\npgaudit.log = 'all'\npgaudit.log_parameter = on\npgaudit.log_catalog = on" : ''));
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

sub as
{
	my ($role, $sql) = @_;

	return $node->psql('odoo', $sql, extra_params => [ '-U', $role, '-v', 'ON_ERROR_STOP=1' ]);
}

# The audit lines since the last call.
my $read = 0;
sub audit
{
	my $log = slurp_file($node->logfile);
	my $new = substr($log, $read);

	$read = length $log;
	return join("\n", map { /LOG:  sicantik_wa audit: (.*)/ ? $1 : () } split /\n/, $new);
}

load_odoo($node, 'odoo');
as('odoo', 'CREATE EXTENSION sicantik_wa');
$node->safe_psql('postgres', 'CREATE ROLE dba LOGIN; CREATE ROLE loket LOGIN');
as('odoo', "SELECT * FROM wa_setup(); SELECT wa_grant('dba', 'admin'); SELECT wa_grant('loket', 'send')");
like(audit(), qr/^role "odoo" calls wa_setup\(.*\)\nrole "odoo" calls wa_grant\(role => 'dba', level => 'admin'\)\nrole "odoo" calls wa_grant\(role => 'loket', level => 'send'\)$/,
	'wa_setup() and wa_grant()');

my $settings = provider_settings($sim, 'fonnte');
as('dba', "SELECT wa_configure('fonnte', '$settings')");
my $line = audit();
like($line, qr/^role "dba" calls wa_configure\(provider => 'fonnte', settings => '\{.*"token": "\*\*\*".*"base_url": "http:.*\}'\)$/,
	'wa_configure(): the settings, without the credential');
unlike($line, qr/FONNTE/, 'which is not there');
as('dba', q(SELECT wa_configure('fonnte', '{"tokn": "FONNTEhushhush", "daily_cap": 7, "base_url": "http://u:FONNTEhushhush@127.0.0.1/", "token": 5550123, "list": ["FONNTEhushhush"]}')));
$line = audit();
like($line, qr/"daily_cap": 7/, 'a call that fails is there as well');
unlike($line, qr/hushhush|5550123/, 'with what stands in a wrong place masked, too');
foreach my $call (
	"wa_test_connection('fonnte')", "wa_arm('odoo')", "wa_set('alert_number', '081234567890')", "wa_set('office_name', 'DPMPTSP')",
	"wa_pause('fonnte')", "wa_resume('fonnte')", "wa_mute('status_update', NULL)",
	"wa_map_template('permit_ready', 'fonnte', '{\"parameters\": [\"permit_number\"]}')",
	"wa_set_template('x', '{\"name\": \"X\", \"body\": \"Halo\"}')", "wa_import_odoo()", "wa_teardown()", "wa_setup()", "wa_disarm()",
	"wa_revoke('loket')", "wa_grant('loket', 'send')")
{
	my ($name) = $call =~ /^(\w+)/;
	my ($code, $out, $err) = as('dba', "SELECT * FROM $call");

	like(audit(), qr/^role "dba" calls \Q$name\E\([^\n]*\)$/, $name);
}
as('dba', "SELECT wa_set('alert_number', '0812-3456-7890')");
like(audit(), qr/wa_set\(name => 'alert_number', value => '0812-\*{4}-\*890'\)/, "a person's number is masked");
as('dba', "SELECT wa_pause('fonnte')");
audit();
as('dba', "SELECT wa_opt_in('447911123456')");
like(audit(), qr/wa_opt_in\(number => '4479\*{5}456'/, '  of any country');
my ($code, $id, $err) = as('loket', "SELECT wa_send_text('081234567890', 'Rahasia keluarga Budi', dedupe_key => 'Budi')");
$line = audit();
like($line, qr/^role "loket" calls wa_send_text\(number => '0812\*\*\*\*\*890', body => \.\.\., dedupe_key => \.\.\.\)$/,
	'a message by hand: to whom, masked, and without its text');
as('loket', "SELECT wa_send('permit_ready', 18, '{\"partner_name\": \"Budi\"}')");
like(audit(), qr/^role "loket" calls wa_send\(template_key => 'permit_ready', partner_id => '18', params => \.\.\.\)$/, 'by template');
as('loket', "SELECT wa_cancel($id)");
like(audit(), qr/^role "loket" calls wa_cancel\(message => '$id'\)$/, 'wa_cancel()');
as('loket', 'SELECT count(*) FROM wa_status(); SELECT count(*) FROM wa_history(\'081234567890\')');
is(audit(), '', 'who only looks leaves no line');
as('loket', 'SELECT wa_arm(\'odoo\')');
is(audit(), '', 'nor does a call that is refused, which is an error in the log');

# many rows: a few lines and a count
as('loket', "SELECT wa_send_text('0812000000' || lpad(n::text, 2, '0'), 'Halo') FROM generate_series(1, 25) AS n");
my @lines = split /\n/, audit();
is(scalar @lines, 11, 'a statement that calls for each row');
is($lines[-1], 'role "loket" made 15 more calls in the same statement', 'is counted');
as($superuser, 'SET ROLE dba; SELECT wa_disarm()');
is(audit(), "role \"dba\" (session of \"$superuser\") calls wa_disarm()", 'who it really is');
as('dba', 'SET log_min_messages = panic; SELECT wa_disarm()');
as('dba', "DO \$\$ BEGIN PERFORM wa_disarm(); EXCEPTION WHEN OTHERS THEN NULL; END \$\$");
is(audit(), 'role "dba" calls wa_disarm()', 'also out of a block');

# A level is a role's, not a name's

$node->safe_psql('postgres', 'DROP ROLE loket');
$node->safe_psql('postgres', 'CREATE ROLE loket LOGIN');
($code, my $out, $err) = as('loket', "SELECT wa_send_text('081234567890', 'Halo')");
like($err, qr/permission denied for sicantik_wa/, 'another role that gets the name has not the level');
as('odoo', "SELECT wa_set('language', 'en')");
my $idle = "SELECT string_agg(item || ': ' || what_to_do, ' ') FROM wa_check() WHERE item LIKE 'grant %'";
like((as('odoo', $idle))[1], qr/^grant loket: another role has this name now: SELECT wa_grant\('loket', 'send'\), if/, 'wa_check() names it');
as('odoo', "SELECT wa_grant('loket', 'send')");
is((as('odoo', $idle))[1], '', 'until it is granted anew');
($code, $out, $err) = as('loket', "SELECT wa_send_text('081234567890', 'Halo')");
is($code, 0, 'then it has it');
# a dump in another cluster, or pg_upgrade: by name, once somebody sets it up
as('odoo', "UPDATE wa.access SET system_identifier = '1', role_oid = 1");
($code, $out, $err) = as('dba', 'SELECT wa_disarm()');
like($err, qr/permission denied for sicantik_wa/, 'grants of another cluster are not in force');
like((as('odoo', $idle))[1], qr/grant dba: it was granted in another cluster: SELECT \* FROM wa_setup\(\)/, 'and are named');
like((as('odoo', "SELECT * FROM wa_setup() WHERE item = 'rights'"))[1], qr/^rights\|changed\|.*dba \(admin\), loket \(send\)$/, 'until wa_setup() takes the roles of these names');
is((as('dba', 'SELECT wa_disarm()'))[0], 0, 'and they are');
as('odoo', "UPDATE wa.access SET system_identifier = NULL, role_oid = NULL; SELECT wa_arm('odoo'); SELECT wa_disarm()");
is((as('dba', 'SELECT wa_disarm()'))[0], 0, 'or wa_arm()');

# The name of the instance, in a place that a copy of the server takes along

my $instance = "SELECT state || ': ' || coalesce(what_to_do, '') FROM wa_check() WHERE item = 'instance'";
sub set_instance
{
	my ($set) = @_;

	$set->();
	$node->reload;
	return wait_sql($node, 'odoo', "SELECT count(*) FROM pg_settings WHERE name = 'sicantik_wa.instance' AND setting = 'here'", '1');
}
$node->safe_psql('postgres', "ALTER SYSTEM SET sicantik_wa.instance = 'here'");
set_instance(sub { });
like($node->safe_psql('odoo', $instance), qr/^warning: .*postgresql\.auto\.conf, which a snapshot of this server's disk takes along/, 'instance set by ALTER SYSTEM');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET sicantik_wa.instance');
my $outside = PostgreSQL::Test::Utils::tempdir('outside');
append_to_file("$outside/instance.conf", "sicantik_wa.instance = 'here'\n");
symlink "$outside/instance.conf", $node->data_dir . '/linked.conf' or die $!;
set_instance(sub { append_to_file($node->data_dir . '/postgresql.conf', "include 'linked.conf'\n") });
is($node->safe_psql('odoo', $instance), 'ok: ', 'a file outside the data directory, by a link');
symlink $node->data_dir, "$outside/data" or die $!;
append_to_file($node->data_dir . '/inner.conf', "sicantik_wa.instance = 'here'\n");
set_instance(sub { append_to_file($node->data_dir . '/postgresql.conf', "include '$outside/data/inner.conf'\n") });
like($node->safe_psql('odoo', $instance), qr/^warning: .*inner\.conf/, 'a file inside it, by another way');
$node->safe_psql('postgres', "ALTER DATABASE odoo SET sicantik_wa.instance = 'here'");
like($node->safe_psql('odoo', $instance), qr/^warning: .*ALTER DATABASE/, 'a setting of the database');
$node->safe_psql('postgres', 'ALTER DATABASE odoo RESET sicantik_wa.instance');
as('odoo', "SELECT wa_arm('odoo'); SELECT wa_pause('fonnte')");
audit();

# A credential given as a value is not to be seen by others

my $one = SicantikWa::Session->new($node, 'odoo');
$one->do("SELECT wa_configure('watzap', '{\"kind\": \"watzap\", \"api_key\": \"FONNTEhushhush1\", \"number_key\": \"n\"}')");
my $activity = "SELECT string_agg(query, ' ') FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
my $seen = $node->safe_psql('odoo', $activity);
like($seen, qr/SELECT wa_configure\('\.\.\.', '\{\.\.\.\}'\)/, 'an idle session shows what it did');
unlike($seen, qr/hushhush/, 'without the credential');

# ... nor while it waits, nor in the report of a deadlock
my $two = SicantikWa::Session->new($node, 'odoo');
$one->do("BEGIN; SELECT FROM wa.provider WHERE name = 'meta' FOR UPDATE");
$two->do("BEGIN; SELECT FROM wa.provider WHERE name = 'watzap' FOR UPDATE");
$one->begin("SELECT wa_configure('watzap', '{\"api_key\": \"FONNTEhushhush2\"}')");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", '1'), 'it waits');
unlike($node->safe_psql('odoo', $activity), qr/hushhush/, 'and is masked');
$two->do("SELECT wa_configure('meta', '{\"access_token\": \"METAhushhush3\"}')");
$one->do('ROLLBACK');
$two->do('ROLLBACK');
my $log = slurp_file($node->logfile);
like($log, qr/deadlock detected.*Process \d+: SELECT wa_configure\('\.\.\.', '\{\.\.\.\}'\)/s, 'a deadlock is reported');
$one->do("SELECT wa_configure('watzap', '{\"api_key\": \"FONNTEhushhush4\"}'); SELECT 1/0");
$one->do("DO \$\$ BEGIN PERFORM wa_configure('watzap', '{\"api_key\": \"FONNTEhushhush5\", \"min_gap\": \"long\"}'); END \$\$");
$one->do("SELECT wa_configure('watzap', '{\"api_key_file\": \"WATZAPhushhush6\"}')");
$one->close;
$two->close;
$log = slurp_file($node->logfile);
# pgaudit logs statements before they run, like log_statement
my $ours = join("\n", grep { !/AUDIT:/ } split /\n/, $log);
unlike($ours, qr/hushhush/, 'nothing in the log, also of an error in the same statement or a block');

# Modules that log statements

SKIP:
{
	skip 'pgaudit is not installed', 4 unless $pgaudit;
	as('dba', "SELECT wa_resume('fonnte')");
	as('dba', "SELECT wa_configure('fonnte', '{\"state\": \"configured\"}')");
	as('dba', "SELECT wa_arm('odoo')");
	no_pacing($node, 'odoo');
	if ($explain)
	{
		$node->append_conf('postgresql.conf', "auto_explain.log_min_duration = 0\nauto_explain.log_nested_statements = on\n");
		$node->reload;
		wait_sql($node, 'odoo', 'SHOW auto_explain.log_min_duration', '0');
	}
	my $from = length slurp_file($node->logfile);
	as('odoo', "PREPARE to_person AS SELECT wa_send_text('0812' || '55500001', 'Halo'); EXECUTE to_person");
	ok(wait_sql($node, 'odoo', "SELECT state FROM wa.message WHERE number LIKE '%55500001'", 'sent'), 'with pgaudit: a message');
	as('dba', 'SELECT count(*) FROM wa_history(\'0812\' || \'55500001\')');
	$log = substr(slurp_file($node->logfile), $from);
	like($log, qr/AUDIT: .*PREPARE to_person/, 'statements are audited');
	unlike($log, qr/81255500001/, 'numbers do not come into the log by our statements');
	unlike($log, qr/AUDIT:[^\n]*(?:UPDATE wa\.message|DELETE FROM wa\.ready|INSERT INTO wa\.attempt)/, "the worker's are not audited");
}

$node->stop;
done_testing();
