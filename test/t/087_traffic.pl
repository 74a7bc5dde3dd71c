# Maintenance of the whole database and of single tables while Odoo writes:
# every change is told, and none twice.
#
# VACUUM FULL, CLUSTER and REINDEX always; pg_repack, pg_squeeze and REPACK
# (CONCURRENTLY) where this server has them.  MAINTENANCE_SECONDS: how long each
# of them (make test-maintenance gives them more).

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use SicantikWa::Test;

my $seconds = $ENV{MAINTENANCE_SECONDS} || 1;
my $rate = 40;		# changes a second, half of them each in a session of its own

my $bindir = `pg_config --bindir`;
chomp $bindir;

my $sim = start_simulator();
$sim->config({ fonnte => { quota => 1000000 } });
my $node = new_cluster('main', simulator => $sim, start => 0);
$node->start;
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
my %there = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', 'SELECT name FROM pg_available_extensions');
my $repack = $there{pg_repack} && -x "$bindir/pg_repack";
my $squeeze = $there{pg_squeeze};
my $concurrently = $version >= 190000;

# what logical decoding needs
if ($squeeze || $concurrently)
{
	my @conf = ("wal_level = logical", 'max_replication_slots = 20');

	push @conf, "shared_preload_libraries = 'sicantik_wa, pg_squeeze'" if $squeeze;
	push @conf, "output_plugin_libraries = 'pgoutput, test_decoding, pg_squeeze'"
	  if $squeeze && $node->safe_psql('postgres', "SELECT count(*) FROM pg_settings WHERE name = 'output_plugin_libraries'");
	$node->append_conf('postgresql.conf', join("\n", @conf) . "\n");
	$node->restart;
}

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
load_many($node, 'odoo', 100 * $rate + 20 * $rate * $seconds);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 50");
sql("SELECT wa_arm('odoo')");
sql('CREATE EXTENSION pg_repack') if $repack;
sql('CREATE EXTENSION pg_squeeze') if $squeeze;
sql('CREATE SEQUENCE ticks; GRANT ALL ON SEQUENCE ticks TO odoo');
my $first = sql("SELECT min(id) - 1 FROM sicantik_permit WHERE registration_id LIKE 'MANY-%'");

# Each change is another permit's, and its only one: one message each, which
# nothing but the reader's position keeps from being told again.
my $script = $node->basedir . '/change.sql';
append_to_file($script,
		"UPDATE sicantik_permit SET status = 'cancelled'"
	  . " WHERE id = (SELECT $first + nextval('ticks'));\n");

my @traffic;

sub start_traffic
{
	foreach my $how ([ '-c', '4' ], [ '-c', '1', '-C' ])
	{
		my ($out, $err) = ('', '');

		push @traffic, {
			out => \$out, err => \$err,
			run => IPC::Run::start(
				[ "$bindir/pgbench", '-n', @$how, '-R', $rate / 2, '-T', 3600, '-f', $script, '-U', 'odoo',
					'-h', $node->host, '-p', $node->port, 'odoo' ],
				'<', \undef, '>', \$out, '2>', \$err) };
	}
	return;
}

sub end_traffic
{
	foreach my $one (splice @traffic)
	{
		ok($one->{run}->pumpable, 'the application has not met an error')
		  or diag(${ $one->{err} });
		# a shell may have told its background jobs to ignore SIGINT
		$one->{run}->signal('TERM');
		eval { IPC::Run::finish($one->{run}) };
		unlike(${ $one->{err} }, qr/ERROR|aborted/, 'nor said one');
	}
	# what its sessions were at is carried out all the same
	ok(wait_sql($node, 'odoo', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgbench')"), 'all of it is over');
	return;
}

# As often as it goes within the time, at least once; and under traffic.
sub maintain
{
	my ($name, @steps) = @_;
	my $before = sql('SELECT last_value FROM ticks');
	my $until = time + $seconds;
	my $rounds = 0;

	do
	{
		$_->() foreach @steps;
		$rounds++;
	} while (time < $until);
	$node->poll_query_until('odoo', "SELECT last_value > $before + 20 FROM ticks");
	note("$name: $rounds rounds");
	return;
}

sub statement { my ($text) = @_; return sub { sql($text) }; }

sub program
{
	my @command = @_;

	return sub {
		my ($out, $err);

		IPC::Run::run(\@command, '>', \$out, '2>', \$err) or fail("@command: $err");
	};
}

my @connection = ('-h', $node->host, '-p', $node->port, '-d', 'odoo');
my @wa = split /\n/, sql("SELECT relname FROM pg_class WHERE relnamespace = 'wa'::regnamespace AND relkind = 'r' ORDER BY relname");
my @keyed = grep { !/^(event|event_aside|secret)$/ } @wa;
# those of which a decision hangs first
my @some = $ENV{MAINTENANCE_SECONDS} ? @keyed : qw(read_position watch identity announced message);

start_traffic();
maintain('VACUUM FULL', statement('VACUUM (FULL)'));
maintain('REINDEX', statement("REINDEX SCHEMA wa; REINDEX TABLE sicantik_permit"));
maintain('CLUSTER', map { statement("CLUSTER wa.$_ USING ${_}_pkey") } @some);
maintain('REINDEX CONCURRENTLY', statement('REINDEX SCHEMA CONCURRENTLY wa'));
maintain('pg_repack', map { program("$bindir/pg_repack", @connection, '--no-kill-backend', '-t', $_) }
	  'public.sicantik_permit', map { "wa.$_" } @some)
  if $repack;
maintain('pg_squeeze', map { statement("SELECT squeeze.squeeze_table('wa', '$_')") } @some) if $squeeze;
maintain('REPACK (CONCURRENTLY)', map { statement("REPACK (CONCURRENTLY) wa.$_") } @some) if $concurrently;
my $changed = "SELECT count(*) FROM sicantik_permit WHERE status = 'cancelled' AND registration_id LIKE 'MANY-%'";
wait_sql($node, 'odoo', "SELECT ($changed) > 100");
end_traffic();

# Those that look empty to older snapshots when they have been written anew
# must not be touched by such a tool.
foreach my $table ('event', 'event_aside')
{
	my ($out, $err);

	if ($repack)
	{
		IPC::Run::run([ "$bindir/pg_repack", @connection, '-t', "wa.$table" ], '>', \$out, '2>', \$err);
		like($err, qr/must have a primary key or not-null unique keys/, "pg_repack refuses wa.$table");
	}
	if ($squeeze)
	{
		(undef, undef, $err) = $node->psql('odoo', "SELECT squeeze.squeeze_table('wa', '$table')");
		like($err, qr/ERROR/, "pg_squeeze refuses wa.$table");
	}
	if ($concurrently)
	{
		(undef, undef, $err) = $node->psql('odoo', "REPACK (CONCURRENTLY) wa.$table");
		like($err, qr/REPLICA IDENTITY FULL|replica identity/i, "REPACK (CONCURRENTLY) refuses wa.$table");
	}
}

my $changes = sql($changed);
cmp_ok($changes, '>', 100, "$changes changes under maintenance");
ok(wait_sql($node, 'odoo',
		'SELECT NOT EXISTS (SELECT FROM wa.event AS e WHERE NOT EXISTS'
	  . ' (SELECT FROM wa.read_position AS p WHERE pg_visible_in_snapshot(e.xact, p.snapshot)))'), 'all of them are read');
is(sql('SELECT coalesce(sum(events), 0) FROM wa.capture_gap'), '0', 'none was dropped');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'none is a dead letter');
is(sql("SELECT count(*) || ' ' || count(DISTINCT res_id) FROM wa.message WHERE scenario = 'status_update'"),
	"$changes $changes", 'one message for each');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state = 'sent'", $changes), 'each is sent');
my %numbers;
$numbers{ $_->{to} }++ foreach $sim->accepted;
is(scalar keys %numbers, $changes, 'the provider got one for each');
is((grep { $_ > 1 } values %numbers), 0, 'and none twice');

$node->stop('fast');
done_testing();
