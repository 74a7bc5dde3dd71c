# The disk is full on which the database lies: what the worker cannot write it
# does later, what was answered meanwhile is recorded then, and nothing goes
# twice.  The disk is a small one in memory, in a name space of this test's own.
use strict;
use warnings;

use File::Temp ();

# Once more, in there.
BEGIN
{
	if (!$ENV{WA_TEST_SMALL_DISK})
	{
		my $disk = File::Temp::tempdir('disk.XXXXXX', TMPDIR => 1, CLEANUP => 1);
		my @unshare = qw(unshare --user --mount --map-current-user --keep-caps);

		if (system("@unshare sh -c 'mount -t tmpfs -o size=1m tmpfs $disk' >/dev/null 2>&1") != 0)
		{
			print "1..0 # SKIP a user may not mount anything here (unshare --user --mount)\n";
			exit 0;
		}
		$ENV{WA_TEST_SMALL_DISK} = $disk;
		system(@unshare, 'sh', '-c', 'mount -t tmpfs -o size=64m,mode=700 tmpfs "$1" && shift && exec "$@"', 'sh', $disk, $^X, (map { "-I$_" } @INC), $0);
		exit($? == -1 || $? & 127 ? 1 : $? >> 8);
	}
}

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $disk = $ENV{WA_TEST_SMALL_DISK};
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "sicantik_wa.worker_idle_timeout = 3600\nrestart_after_crash = off\nautovacuum = off");
my $messages = 400;

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub comes_true { my ($query, $name) = @_; return ok(wait_sql($node, 'odoo', "SELECT ($query)", 't'), $name); }
sub set_enabled { $node->safe_psql('postgres', "ALTER SYSTEM SET sicantik_wa.enabled = $_[0]"); return $node->reload; }

# Nothing is left: the last bytes, too.
sub fill
{
	system("dd if=/dev/zero of=$disk/ballast bs=64k >/dev/null 2>&1; dd if=/dev/zero of=$disk/more bs=512 >/dev/null 2>&1");
	return;
}

sub free_it { return unlink("$disk/ballast", "$disk/more"); }

$sim->config({ fonnte => { quota => 100_000 } });
mkdir "$disk/space" or die $!;
$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk/space'; CREATE ROLE odoo LOGIN CREATEDB");
$node->safe_psql('postgres', 'CREATE DATABASE odoo OWNER odoo TEMPLATE template0 TABLESPACE small');
load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 20; SELECT wa_set('language', 'en'); SELECT wa_arm('odoo')");
my $first = sql("SELECT wa_send_text('6281270000001', 'Halo')");
ok(wait_state($node, 'odoo', $first, 'sent'), 'everything works');

# What is on the wire when it fills up, and much that waits.
$sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => "628127100000$_" } }) foreach 1 .. 5;
my @flying = split /\n/, sql("SELECT wa_send_text('628127100000' || n, repeat('x', 2000)) FROM generate_series(1, 5) AS n");
comes_true("SELECT count(*) = 5 FROM wa.message WHERE state = 'sending'", 'messages are on the wire');
sql("SELECT count(wa_send_text('6281272' || lpad(n::text, 6, '0'), repeat('x', 1000))) FROM generate_series(1, $messages) AS n");
my $offset = -s $node->logfile;
fill();
$sim->release;
$sim->clear_faults;
ok($node->wait_for_log(qr/ERROR:  could not extend file .*: No space left on device/, $offset), 'the disk is full');
comes_true("SELECT state = 'error' AND what_to_do ~ 'No space left on device' FROM wa_check() WHERE item = 'worker'", 'wa_check() says so')
  or diag(sql("SELECT what_to_do FROM wa_check() WHERE item = 'worker'"));
my ($code, $out, $err) = $node->psql('odoo', "SELECT count(wa_send_text('6281273' || lpad(n::text, 6, '0'), repeat('x', 4000))) FROM generate_series(1, 200) AS n");
like($err, qr/No space left on device/, 'who wants to send is told, too');
free_it();
ok(wait_state($node, 'odoo', $_, 'sent'), "with room, the answer to $_ is recorded") foreach @flying[0, 4];
comes_true("SELECT count(*) = 6 + $messages FROM wa.message WHERE state = 'sent'", 'and what waited goes')
  or diag(sql("SELECT string_agg(state || ' ' || n, ', ') FROM (SELECT state, count(*) AS n FROM wa.message GROUP BY 1) AS s"));
comes_true("SELECT state = 'ok' FROM wa_check() WHERE item = 'worker'", 'all is well');

my %times;
$times{ $_->{to} }++ foreach $sim->accepted;
is(scalar(keys %times), 6 + $messages, 'everybody is told');
is_deeply([ grep { $times{$_} != 1 } sort keys %times ], [], 'nothing went twice');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'nobody has crashed');

$node->stop;
done_testing();
