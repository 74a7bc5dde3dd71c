# Installation: who may create the extension, what it says, what works on a
# server that lacks the preload or libcurl, how it goes again, and what of it
# travels with a backup.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster(
	'main',
	simulator => $sim,
	conf => "sicantik_wa.worker_idle_timeout = 3600\nlog_statement = none");
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

# Statements as some role: exit code, output, messages.
sub as
{
	my ($role, $dbname, $sql) = @_;

	return $node->psql($dbname, $sql,
		extra_params => [ '-U', $role, '-v', 'ON_ERROR_STOP=1' ]);
}

sub log_count
{
	my ($pattern, $from) = @_;
	my $log = substr(slurp_file($node->logfile), $from);
	my @found = $log =~ /$pattern/g;

	return scalar @found;
}

sub status
{
	my ($dbname, $item) = @_;

	return $node->safe_psql($dbname,
		"SELECT concat_ws(': ', value, detail) FROM wa_status() WHERE item = '$item'");
}

sub change_setting
{
	my ($name, $value) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET $name = $value");
	$node->reload;
	return;
}

# The extension has become another one for a database: its worker looks.
sub wait_worker
{
	my ($dbname) = @_;

	return wait_sql($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = '$dbname'",
		'1');
}

# Who may create it

my ($code, $out, $err) =
  as($superuser, 'postgres', 'CREATE EXTENSION sicantik_wa');
is($code, 0, 'a superuser creates the extension');
like($err, qr/^psql:[^\n]*NOTICE:  sicantik_wa is installed; next: SELECT \* FROM wa_setup\(\)$/,
	'a notice names the next step');
like($node->safe_psql('postgres', "SELECT detail FROM wa_setup() WHERE item = 'table public.sicantik_permit'"),
	qr/^table sicantik_permit not found yet; you are connected to database postgres$/,
	'wa_setup() in the wrong database says so');
$node->safe_psql('postgres', 'DROP EXTENSION sicantik_wa');

$node->safe_psql('postgres', 'CREATE ROLE odoo LOGIN CREATEDB');
$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE odoo OWNER odoo TEMPLATE template0');
($code, $out, $err) = as('stranger', 'odoo', 'CREATE EXTENSION sicantik_wa');
like($err, qr/permission denied to create extension/, 'a stranger may not');
as('odoo', 'odoo', 'CREATE SCHEMA wa; CREATE TABLE wa.event (id int)');
($code, $out, $err) = as('odoo', 'odoo', 'CREATE EXTENSION sicantik_wa');
like($err, qr/schema "wa" already exists/, 'not into a schema that is there already');
as('odoo', 'odoo', 'DROP SCHEMA wa CASCADE');
($code, $out, $err) = as('odoo', 'odoo', 'CREATE EXTENSION sicantik_wa');
is($code, 0, 'the unprivileged owner of the database creates it');
like($err, qr/NOTICE:  sicantik_wa is installed; next: SELECT \* FROM wa_setup\(\)/,
	'and reads the notice');
is( $node->safe_psql('odoo',
		"SELECT string_agg(DISTINCT pg_get_userbyid(c.relowner), ',') FROM pg_class AS c WHERE relnamespace = 'wa'::regnamespace"),
	$superuser, 'the objects do not belong to him');

# wa_setup()

my $setup = 'SELECT item, action FROM wa_setup()';
($code, $out, $err) = as('odoo', 'odoo', $setup);
is($code, 0, 'wa_setup() before the tables of Odoo are there');
like($out, qr/^table public\.sicantik_permit\|missing$/m, 'they are missing');
like($out, qr/^template permit_ready\|added$/m, 'templates are added');
like($out, qr/^provider fonnte\|added$/m, 'draft providers are added');
like($out, qr/^setting download_link\|not set$/m, 'links are not known yet');
load_odoo($node, 'odoo');
($code, $out, $err) = as('odoo', 'odoo', $setup);
like($out, qr/^table public\.$_\|attached$/m, "$_ is attached")
  foreach ('sicantik_permit', 'sicantik_document', 'signature_workflow');
like($out, qr/^setting download_link\|added$/m, "links come from Odoo's address");
unlike($out, qr/^(template|scenario|provider) .*\|added$/m, 'nothing is added twice');
my $everything =
  "SELECT md5(string_agg(t, E'\\n' ORDER BY t)) FROM (SELECT x::text FROM wa.setting AS x"
  . ' UNION ALL SELECT x::text FROM wa.template AS x UNION ALL SELECT x::text FROM wa.scenario AS x'
  . ' UNION ALL SELECT x::text FROM wa.provider AS x UNION ALL SELECT x::text FROM wa.watch AS x'
  . ' UNION ALL SELECT x::text FROM wa.identity AS x UNION ALL SELECT oid || tgname FROM pg_trigger) AS a (t)';
my $before = $node->safe_psql('odoo', $everything);
($code, $out, $err) = as('odoo', 'odoo', $setup);
unlike($out, qr/\|(added|attached|changed|missing|refused|failed)$/m, 'again: there is nothing to do');
is($node->safe_psql('odoo', $everything), $before, 'and nothing is done');
like(status('odoo', 'library'), qr/^preloaded: build 1\.1-/, 'the library is preloaded');

# From here to a first message

my $fonnte = provider_settings($sim, 'fonnte');
as('odoo', 'odoo', "SELECT wa_configure('fonnte', '$fonnte')");
is((as('odoo', 'odoo', "SELECT ok FROM wa_test_connection('fonnte')"))[1],
	't', 'the owner configures a provider');
no_pacing($node, 'odoo');
as('odoo', 'odoo', "SELECT wa_arm('odoo'); SELECT wa_grant('stranger', 'view');"
	  . " SELECT wa_map_template('permit_ready', 'fonnte', '{\"parameters\": [\"permit_number\"]}');"
	  . " INSERT INTO wa.contact VALUES ('6281200000010', now(), NULL, 'loket')");
as('odoo', 'odoo', "UPDATE sicantik_permit SET status = 'active', permit_number = '503/1', issue_date = current_date WHERE id = 1");
ok($sim->wait_for_sends(1, to => '6281200000010'), 'a first message arrives');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state = 'sent'", '2'),
	'and is on the ledger');

# Backup and restore, as Odoo does it: by the unprivileged owner.  There are
# events that nobody has read yet, and a message that nobody has sent.

change_setting('sicantik_wa.enabled', 'off');
ok( wait_sql($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0'),
	'no worker');
as('odoo', 'odoo', "UPDATE sicantik_permit SET status = 'expired' WHERE id = 2");
as('odoo', 'odoo', "SELECT wa_send_text('0812-0000-0020', 'Yth. petugas, ini percobaan.')");

my $dir = PostgreSQL::Test::Utils::tempdir('dump');
my @connection = ('-h', $node->host, '-p', $node->port, '-U', 'odoo');
command_ok([ 'pg_dump', @connection, '--no-owner', '-f', "$dir/plain.sql", 'odoo' ],
	'pg_dump --no-owner as odoo');
command_ok([ 'pg_dump', @connection, '--no-owner', '-Fc', '-f', "$dir/custom", 'odoo' ],
	'pg_dump -Fc as odoo');
my $dump = slurp_file("$dir/plain.sql");
unlike($dump, qr/FONNTEDEMOTOKEN/, 'no token is in the dump');
unlike($dump, qr/^GRANT .* TO (?!PUBLIC|pg_database_owner)/mi, 'nor a grant that a restore could fail at');

sub dumped
{
	my ($dbname) = @_;
	my $tables = $node->safe_psql($dbname,
			"SELECT string_agg(format('SELECT %L, count(*), md5(string_agg(t::text, E''\\n'' ORDER BY t::text)) FROM %s AS t%s',"
		  . ' c.oid::regclass, c.oid::regclass, cond), \' UNION ALL \' ORDER BY c.relname)'
		  . ' FROM pg_extension AS e, unnest(extconfig, extcondition) AS u (oid, cond), pg_class AS c'
		  . " WHERE extname = 'sicantik_wa' AND c.oid = u.oid AND c.relkind = 'r' AND cond = ''");

	return $node->safe_psql($dbname, "$tables ORDER BY 1");
}

my $source = dumped('odoo');
like($source, qr/^wa\.$_\|[1-9]/m, "there is something in wa.$_")
  foreach qw(access attempt contact message announced provider scenario setting template template_mapping watch);
is($node->safe_psql('odoo', "SELECT count(*) > 0 FROM wa.secret WHERE provider <> ''"), 't', 'and in wa.secret');

as('odoo', 'postgres', 'CREATE DATABASE plain TEMPLATE template0');
as('odoo', 'postgres', 'CREATE DATABASE custom TEMPLATE template0');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @connection, '-d', 'plain', '-f', "$dir/plain.sql" ],
	'psql restores it as odoo');
command_ok([ 'pg_restore', @connection, '--no-owner', '-1', '-d', 'custom', "$dir/custom" ],
	'pg_restore -1 as odoo');
foreach my $copy ('plain', 'custom')
{
	is(dumped($copy), $source, "$copy: ledger and configuration are all there");
	is( $node->safe_psql($copy, 'SELECT (SELECT count(*) FROM wa.event), (SELECT count(*) FROM wa.secret WHERE provider <> \'\'),'
			  . ' (SELECT count(*) FROM wa.ready), (SELECT count(*) FROM wa.identity), (SELECT count(*) FROM wa.read_position)'),
		'1|0|0|0|0', "$copy: and the unread event, but no secret, no identity and no work");
	is( $node->safe_psql($copy,
			"SELECT count(*) FROM pg_trigger WHERE tgfoid = 'wa.capture'::regproc AND tgenabled = 'O'"),
		'3', "$copy: the triggers are there");
	is( $node->safe_psql($copy,
			"SELECT nextval('wa.message_id_seq') > (SELECT max(id) FROM wa.message) AND nextval('wa.event_id_seq') > (SELECT max(id) FROM wa.event)"),
		't', "$copy: the sequences go on");
}
my $sent = scalar $sim->sends;
my $log = -s $node->logfile;
change_setting('sicantik_wa.enabled', 'on');
ok($sim->wait_for_sends(1, to => '6281200000020', accepted => 1), 'the original goes on');
foreach my $copy ('plain', 'custom')
{
	ok(wait_read($node, $copy), "$copy: the unread event is read");
	as('odoo', $copy, "SELECT wa_send_text('0812-0000-0021', 'Yth. petugas, ini percobaan.')");
	as('odoo', $copy, "UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 3");
	ok( wait_sql($node, $copy,
			"SELECT count(*) FROM wa.message WHERE state IN ('queued', 'sending')", '0'),
		"$copy: nothing is left queued");
	like($node->safe_psql($copy, "SELECT string_agg(DISTINCT state || ' ' || reason, ',') FROM wa.message WHERE state <> 'sent'"),
		qr/^held copy$/, "$copy: all that waits is held");
	like(status($copy, 'mode'), qr/^stopped: basis data ini dipulihkan dari cadangan; wa_arm\(\) mengizinkannya$/,
		"$copy: wa_status() says why");
	like(status($copy, 'next'), qr/^SELECT wa_arm\('$copy'\)/, "$copy: and what to do");
}
is(log_count(qr/Reason: this database was restored from a backup/, $log), 2,
	'the log has one line for each');
ok( wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state = 'queued'", '0'),
	'the original has done its work');
is( (grep { $_->{to} eq '6281200000021' } $sim->sends), 0,
	'the copies have sent nothing, by hand neither');
($code, $out, $err) = as('odoo', 'plain', $setup);
like($out, qr/^identity\|warning$/m, 'wa_setup() in the copy warns');
like(status('plain', 'mode'), qr/^stopped/, 'and does not arm it');
is((as('odoo', 'plain', "SELECT wa_arm('plain')"))[0], 0, 'wa_arm() does');
like(status('plain', 'next'), qr/^SELECT wa_configure/, 'but its secrets are missing');

# Without libcurl: the module that needs it cannot be loaded

my $lib = $node->config_data('--pkglibdir');
foreach my $tool ('readelf', 'objdump')
{
	my ($ok, $needed) = (0, '');

	$ok = eval { IPC::Run::run([ $tool, $tool eq 'readelf' ? '-d' : '-p', "$lib/sicantik_wa.so" ], '>', \$needed, '2>', \my $ignored) };
	next unless $ok;
	like($needed, qr/NEEDED.*libjson-c/, 'the preloaded library links json-c');
	unlike($needed, qr/NEEDED.*(curl|ssl|crypto)/, 'and neither libcurl nor TLS');
	last;
}
my $without = PostgreSQL::Test::Utils::tempdir('nocurl');
append_to_file("$without/libcurl.so.4", '');
append_to_file("$without/libcurl-gnutls.so.4", '');
$log = -s $node->logfile;
{
	local $ENV{LD_LIBRARY_PATH} = $without;
	$node->stop;
	$node->start;
}
ok(wait_worker('odoo'), 'without libcurl the server starts, and the worker');
as('odoo', 'odoo', "UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 2");
ok(wait_read($node, 'odoo'), 'it composes');
is( $node->safe_psql('odoo',
		"SELECT string_agg(DISTINCT state, ',') FROM wa.message WHERE params->>'status_baru' = 'Dibatalkan'"),
	'queued', 'and the messages wait');
my $worker_pid = $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo'");
is(log_count(qr/\[$worker_pid\] WARNING:  sicantik_wa composes messages, but cannot send them: .*libcurl/, $log), 1,
	'one warning in the log');
like(status('odoo', 'sender'), qr/libcurl/, 'wa_status() says so');
($code, $out, $err) = as('odoo', 'odoo', "SELECT * FROM wa_test_connection('fonnte')");
like($err, qr/could not load library/, 'wa_test_connection() too');

# Without preload: everything installs and queues, nothing is sent

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\nsicantik_wa.max_unread = 120");
$node->restart;
($code, $out, $err) = as('odoo', 'postgres', 'CREATE DATABASE bare TEMPLATE template0');
($code, $out, $err) = as('odoo', 'bare', 'CREATE EXTENSION sicantik_wa');
is($code, 0, 'CREATE EXTENSION without preload');
like($err, qr/next: SELECT \* FROM wa_setup\(\).*HINT:  Nothing is sent before the library is preloaded: .*shared_preload_libraries/s,
	'with a hint');
($code, $out, $err) = as('odoo', 'bare', "SELECT action, detail FROM wa_setup() WHERE item = 'library'");
like($out, qr/^warning\|not preloaded, so nothing is sent: .*shared_preload_libraries = 'sicantik_wa'/,
	'wa_setup() says what to do');
like(status('odoo', 'library'), qr/^not preloaded: belum dimuat, .*shared_preload_libraries/, 'wa_status() too');
like(status('odoo', 'next'), qr/^muat pustaka lewat shared_preload_libraries/, 'as the next step');
is(log_count(qr/sicantik_wa (launcher|worker).*started/, -s $node->logfile), 0, 'there is no launcher');
$sent = scalar $sim->sends;
($code, $out, $err) = as('odoo', 'odoo', "SELECT wa_send_text('0812-0000-0020', 'Yth. petugas, ini menunggu.')");
is($code, 0, 'wa_send_text() queues');
is((as('odoo', 'odoo', "SELECT state FROM wa.message WHERE id = $out"))[1], 'queued', 'the message waits');
load_many($node, 'odoo', 100);
my $unread = 'SELECT count(*) FROM wa.event AS e, wa.read_position AS p WHERE NOT pg_visible_in_snapshot(e.xact, p.snapshot)';
as('odoo', 'odoo', "UPDATE sicantik_permit SET status = 'expired' WHERE id = 3");
my $captured = $node->safe_psql('odoo', $unread);
cmp_ok($captured, '>', 0, 'capture goes on');
$log = -s $node->logfile;
as('odoo', 'odoo', join(';', map { "UPDATE sicantik_permit SET status = 'expired' WHERE id = (SELECT min(id) + $_ FROM sicantik_permit WHERE registration_id LIKE 'MANY-%')" } 0 .. 39));
cmp_ok($node->safe_psql('odoo', $unread), '<=', 121, 'up to sicantik_wa.max_unread');
is( $node->safe_psql('odoo', "SELECT count(*) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' AND status = 'expired'"),
	'40', 'the application is not disturbed');
is(log_count(qr/Reason: too many events are unread \(sicantik_wa\.max_unread\)/, $log), 1,
	'then it stops and says so once');
like(status('odoo', 'events unread'), qr/max_unread/, 'wa_status() says so too');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'sicantik_wa'");
$node->restart;
ok($sim->wait_for_sends($sent + 1), 'with preload');
ok( wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE id = $out AND state = 'sent'", '1'),
	'what was queued goes out');
ok(wait_read($node, 'odoo'), 'and what was captured is read');

# The end of it

as('odoo', 'custom', 'DROP EXTENSION sicantik_wa');
is($node->safe_psql('custom', "SELECT count(*) FROM pg_extension WHERE extname = 'sicantik_wa'"), '1',
	'DROP EXTENSION asks for CASCADE while triggers are there');
is((as('odoo', 'custom', 'DROP EXTENSION sicantik_wa CASCADE'))[0], 0, 'DROP EXTENSION CASCADE');
is( $node->safe_psql('custom',
		"SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%sicantik_wa%'"),
	'0', 'takes the triggers along');
is((as('odoo', 'custom', "UPDATE sicantik_permit SET status = 'expired' WHERE id = 2"))[0], 0,
	'and the application goes on');
($code, $out, $err) = as('odoo', 'plain', 'SELECT item, action FROM wa_teardown() ORDER BY item COLLATE "C"');
is($out, join("\n", ('contacts|dropped') x 3, map { "table public.$_|detached" } 'sicantik_document', 'sicantik_permit', 'signature_workflow'),
	'wa_teardown() takes them off, and the indexes of the contacts')
  or diag($err);
is((as('odoo', 'plain', 'DROP EXTENSION sicantik_wa'))[0], 0, 'then DROP EXTENSION needs no CASCADE');
is((as('odoo', 'plain', 'CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()'))[0], 0, 'and it can come again');
is($node->safe_psql('plain', "SELECT count(*) FROM wa.message"), '0', 'as a new one');

$node->stop('fast');
done_testing();
