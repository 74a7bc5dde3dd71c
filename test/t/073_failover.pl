# Failover: a standby takes over in the middle of a drain.  With a synchronous
# one nothing is lost and nothing is in doubt but what was on the wire; with an
# asynchronous one what waited at the switch is in doubt.  A former primary
# that comes back as a standby sends nothing.

use strict;
use warnings;

use File::Copy qw(copy);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $one = new_cluster(
	'one',
	simulator => $sim,
	init => { allows_streaming => 1 },
	conf => join("\n",
		'wal_log_hints = on', 'wal_keep_size = 1GB', 'autovacuum = off',
		'sicantik_wa.max_in_flight = 4', 'sicantik_wa.worker_idle_timeout = 3600'));

sub sql
{
	my ($node, $sql) = @_;

	return $node->safe_psql('odoo', $sql);
}

# Requests that the provider took, by number.
sub taken
{
	my %taken;

	$taken{ $_->{to} }++ foreach $sim->accepted('fonnte');
	return \%taken;
}

sub at_rest
{
	my ($node) = @_;

	return wait_sql($node, 'odoo',
		"SELECT NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending') OR (state = 'unknown' AND due_at IS NOT NULL))"
		  . " AND $ALL_READ");
}

# Every message to these numbers that is on the ledger has been sent, and
# every time that it was sent once more the ledger knows why.
sub audit
{
	my ($node, $numbers, $what) = @_;
	my $taken = taken();
	my %ledger = map { my ($number, @rest) = split /\|/; ($number => \@rest) } split /\n/,
	  sql($node,
			"SELECT number, state, repeats, (SELECT count(*) FROM wa.attempt AS a WHERE a.message_id = m.id AND a.outcome = 'unknown')"
		  . ' FROM wa.message AS m');
	my @known = grep { $ledger{$_} } @$numbers;

	is_deeply([ grep { $ledger{$_}[0] ne 'sent' } @known ], [], "$what: all that is on the ledger is sent");
	is_deeply([ grep { !$taken->{$_} } @known ], [], "$what: the provider has it");
	is_deeply(
		[ grep { $taken->{$_} && $taken->{$_} > 1 && ($taken->{$_} > 1 + $ledger{$_}[2] || $ledger{$_}[1] != 1) } @known ],
		[], "$what: each duplicate was marked unknown and then repeated");
	is(sql($node, 'SELECT count(*) FROM wa.ready'), '0', "$what: nothing is left as claimed");
	return @known;
}

sub log_has
{
	my ($node, $pattern) = @_;

	return scalar(() = slurp_file($node->logfile) =~ /$pattern/g);
}

sub follow
{
	my ($standby, $primary) = @_;

	$standby->append_conf('postgresql.conf',
			"primary_conninfo = '" . $primary->connstr . ' application_name=' . $standby->name . "'\n"
		  . "recovery_target_timeline = 'latest'\nsynchronous_standby_names = ''\n");
	$standby->set_standby_mode;
	$standby->start;
	return wait_sql($primary, 'postgres',
		"SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", '1');
}

load_odoo($one, 'odoo');
load_many($one, 'odoo', 20);
sql($one, 'CREATE EXTENSION sicantik_wa');
sql($one, 'SELECT * FROM wa_setup()');
sql($one, "SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql($one, "SELECT wa_test_connection('fonnte')");
sql($one, "SELECT wa_arm('odoo'); SELECT wa_set('unknown_wait', '1 s')");
no_pacing($one, 'odoo');
sql($one, 'UPDATE wa.provider SET max_in_flight = 4');

# A synchronous standby

is(sql($one, 'SELECT synchronous FROM wa.identity'), 'f', 'no standby: not synchronous');
$one->backup('base', backup_options => [ '--checkpoint', 'fast' ]);
my $two = SicantikWa::Node->new('two');
$two->init_from_backup($one, 'base');
ok(follow($two, $one), 'a standby');
$one->append_conf('postgresql.conf', "synchronous_standby_names = 'two'");
$one->reload;
ok( wait_sql($one, 'postgres', 'SELECT sync_state FROM pg_stat_replication', 'sync'), 'it is synchronous');
sql($one, "SELECT wa_send_text('6281377700000', 'Halo')");
ok($sim->wait_for_sends(1, to => '6281377700000', accepted => 1), 'messages go out');
is(sql($one, 'SELECT synchronous FROM wa.identity'), 't', 'and the standby is told that it misses none');
is($two->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sicantik_wa%'"),
	'0', 'on the standby nothing runs');
like(($two->psql('odoo', "\\set VERBOSITY verbose\nSELECT wa_webhook('fonnte', '{}', NULL, 'anything')"))[2], qr/ERROR:  25006: /,
	'and no webhook is taken: an endpoint that has come here answers 503');
$one->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$one->reload;
ok(wait_sql($two, 'odoo', 'SELECT NOT synchronous FROM wa.identity'), 'no longer synchronous: the standby is told');
sql($one, "SELECT wa_send_text('6281377700010', 'Halo')");
ok($sim->wait_for_sends(1, to => '6281377700010', accepted => 1), 'and messages go out');
$one->append_conf('postgresql.conf', "synchronous_standby_names = 'two'");
$one->reload;
# it is noted before the next message is claimed
ok(wait_sql($one, 'postgres', 'SELECT sync_state FROM pg_stat_replication', 'sync'), 'the standby is waited for again');
sql($one, "SELECT wa_send_text('6281377700020', 'Halo')");
ok($sim->wait_for_sends(1, to => '6281377700020', accepted => 1), 'messages go out');
is(sql($one, 'SELECT synchronous FROM wa.identity'), 't', 'synchronous again');

$sim->fault({ provider => 'fonnte', kind => 'delay', delay_ms => 30, times => undef });
# more than are committed until it is stopped, however slow the machine is
my @numbers = map { sprintf '62857%08d', $_ } 1 .. 50_000;
my $sent_before = scalar $sim->accepted;
my $dir = PostgreSQL::Test::Utils::tempdir('client');
append_to_file("$dir/messages.sql", join('', map { "SELECT wa_send_text('$_', 'Halo'), pg_sleep(0.005);\n" } @numbers));
my $client = IPC::Run::start([
		$one->installed_command('psql'), '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1',
		'-d', $one->connstr('odoo'), '-f', "$dir/messages.sql" ],
	'>', "$dir/out", '2>', "$dir/err");
ok($sim->wait_for_sends($sent_before + 60, accepted => 1), 'in mid-drain');
# from here on the client is quicker than the provider
$sim->clear_faults;
$sim->fault({ provider => 'fonnte', kind => 'delay', delay_ms => 1000, times => undef });
ok(wait_sql($one, 'odoo', 'SELECT count(*) >= 100 FROM wa.ready WHERE claimed_at IS NULL'), 'much is left to do');
ok($sim->wait_for_sends($sent_before + 70, accepted => 1), 'and it goes on');
$one->stop('immediate');
$sim->clear_faults;
$sim->fault({ provider => 'fonnte', kind => 'delay', delay_ms => 30, times => undef });
IPC::Run::finish($client);
my $committed = () = slurp_file("$dir/out") =~ /^\d+\|$/mg;
my @committed = @numbers[ 0 .. $committed - 1 ];
my $before = scalar $sim->sends;

$two->promote;
# all that was sent, and what was seen to be left; of one the client may not have heard
cmp_ok(scalar @committed, '>=', 159, 'transactions committed: ' . @committed);
cmp_ok(scalar @committed, '<', scalar @numbers, 'and others did not');
ok(at_rest($two), 'synchronous: the promoted standby goes on with the drain');
is(audit($two, \@committed, 'synchronous'), scalar @committed, 'synchronous: nothing is lost');
cmp_ok(scalar $sim->sends, '>', $before, 'synchronous: it had something to do');
is(sql($two, "SELECT count(*) FROM wa.attempt WHERE provider_code = 'failover'"),
	'0', 'synchronous: only what was on the wire is in doubt');
is(log_has($two, qr/goes on after a failover/), 1, 'synchronous: the log tells it once');
is(sql($two, 'SELECT timeline, synchronous FROM wa.identity'), '2|f', 'synchronous: the stamp is that of the new primary');

# The former primary comes back

my $conf = $one->data_dir . '/postgresql.conf';
copy($conf, "$dir/conf") or die "copy: $!";
# pg_rewind reads the timeline from the control file
$two->safe_psql('postgres', 'CHECKPOINT');
command_ok([ 'pg_rewind', '--target-pgdata', $one->data_dir, '--source-server', $two->connstr('postgres') ], 'pg_rewind');
copy("$dir/conf", $conf) or die "copy: $!";
ok(follow($one, $two), 'the former primary is a standby now');
sql($two, "SELECT wa_send_text('6281377701000', 'Halo')");
ok($sim->wait_for_sends(1, to => '6281377701000', accepted => 1), 'the new primary sends');
$two->wait_for_catchup('one');
is($one->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sicantik_wa%'"),
	'0', 'on the former primary nothing runs');
is(taken()->{'6281377701000'}, 1, 'and the message goes out once');
is($one->safe_psql('odoo', "SELECT detail FROM wa_status() WHERE item = 'mode'"), 'server ini standby', 'wa_status() says why');
foreach my $call ('wa_recount()', 'wa_stat_reset()', q{wa_set_holidays('{"2098-12-25": "Natal"}')})
{
	my ($name) = $call =~ /^(\w+)/;

	like(($one->psql('odoo', "SELECT $call"))[2], qr/ERROR: +cannot execute $name\(\) during recovery/, "$name() writes nothing on a standby, and says so");
}
is($one->safe_psql('odoo', 'SELECT wa_set_holidays()'), '{}', 'wa_set_holidays() without days is read there');

# An asynchronous standby: cut off while the primary goes on with its work

is(sql($two, 'SELECT synchronous FROM wa.identity'), 'f', 'asynchronous');
$two->safe_psql('postgres', 'ALTER SYSTEM SET sicantik_wa.enabled = off');
$two->reload;
ok(wait_sql($two, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0'), 'no worker');
@numbers = map { sprintf '62858%08d', $_ } 1 .. 120;
sql($two, "SELECT wa_send_text(n, 'Halo') FROM unnest('{" . join(',', @numbers) . "}'::text[]) AS n");
sql($two, "SELECT wa_send_text('6281377700001', 'Nanti', send_at => now() + interval '1 day')");
sql($two, "UPDATE sicantik_permit SET status = 'cancelled' WHERE registration_id = (SELECT min(registration_id)"
	  . " FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' AND status = 'draft')");
$two->wait_for_catchup('one');
$one->stop('fast');
$two->safe_psql('postgres', 'ALTER SYSTEM SET sicantik_wa.enabled = on');
$two->reload;
ok(wait_sql($two, 'odoo', "SELECT count(*) FROM wa.message WHERE scenario = 'status_update' AND state = 'sent'", '1'),
	'the message of a change goes out');
ok( wait_sql($two, 'odoo', "SELECT count(*) >= 40 FROM wa.message WHERE number LIKE '62858%' AND state = 'sent'"), 'in mid-drain');
sql($two, "SELECT wa_send_text('6281377700002', 'Halo')");
my $last = sql($two, 'SELECT max(id) FROM wa.message');
my $changed = sql($two, "SELECT number FROM wa.message WHERE scenario = 'status_update'");
$two->stop('immediate');

$one->start;
$one->promote;
my $after = sql($one, "SELECT wa_send_text('6281377700003', 'Halo')");
ok(wait_state($one, 'odoo', $after, 'sent'), 'asynchronous: what is new goes on');
is(sql($one, "SELECT attempts FROM wa.message WHERE id = $after"), '1', 'asynchronous: and is not in doubt');
ok(at_rest_but_one(), 'asynchronous: the promoted standby goes on with the drain');
is(audit($one, \@numbers, 'asynchronous'), 120, 'asynchronous: what had reached the standby is there');
my $doubtful = sql($one,
	"SELECT count(*) FROM wa.message AS m JOIN wa.attempt AS a ON a.message_id = m.id WHERE number LIKE '62858%' AND provider_code = 'failover'");
is($doubtful, '120', 'asynchronous: what was due up to the switch was in doubt');
my $taken = taken();
cmp_ok(scalar(grep { $taken->{$_} == 2 } @numbers), '>=', 40, 'asynchronous: what had gone out goes out once more, by policy');
is(scalar(grep { $taken->{$_} > 2 } @numbers), 0, 'asynchronous: and only once');
is(sql($one, "SELECT state, repeats FROM wa.message WHERE number = '$changed' AND scenario = 'status_update'"),
	'sent|1', 'asynchronous: what the former primary made of a change was in doubt, too');
is($taken->{$changed}, 2, 'asynchronous: and is sent once more');
is(sql($one, "SELECT state, attempts FROM wa.message WHERE number = '6281377700001'"),
	'queued|0', 'asynchronous: what is due later is not in doubt');
ok(!sql($one, "SELECT 1 FROM wa.message WHERE number = '6281377700002'"), 'asynchronous: what the standby did not get is lost');
cmp_ok(sql($one, 'SELECT max(id) FROM wa.message'), '>', $last + 900000, 'asynchronous: its number is not given again');
is(sql($one, 'SELECT timeline FROM wa.identity'), '3', 'asynchronous: the stamp is that of the new primary');
is(log_has($one, qr/goes on after a failover/), 1, 'asynchronous: the log tells it once');
sql($one, "SELECT wa_send_text('6281377700004', 'Halo')");
ok($sim->wait_for_sends(1, to => '6281377700004', accepted => 1), 'ids that jump stop nobody');
$one->restart;
sql($one, "SELECT wa_send_text('6281377700005', 'Halo')");
ok($sim->wait_for_sends(1, to => '6281377700005', accepted => 1), 'after a restart it goes on');
is(log_has($one, qr/goes on after a failover/), 1, 'and nothing is in doubt again');

sub at_rest_but_one
{
	return wait_sql($one, 'odoo',
		"SELECT count(*) FROM wa.message WHERE state IN ('queued', 'sending') OR (state = 'unknown' AND due_at IS NOT NULL)", '1');
}

done_testing();
