# A fast shutdown with five hundred requests in flight: it takes a few seconds,
# what is answered in that time is recorded, the rest is unknown at once.

use strict;
use warnings;

use IPC::Run;
use Time::HiRes qw(time usleep);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster(
	'main',
	simulator => $sim,
	# time enough for 250 answers, whatever else the machine does
	conf => "sicantik_wa.shutdown_grace = 5s\nsicantik_wa.max_in_flight = 500\nsicantik_wa.request_timeout = 60s\nsicantik_wa.worker_idle_timeout = 3600");

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
foreach my $kind (qw(fonnte watzap))
{
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "')");
	sql("SELECT wa_test_connection('$kind')");
}
sql("SELECT wa_set('unknown_wait', '1 day')");
no_pacing($node, 'odoo');
sql('UPDATE wa.provider SET max_in_flight = 500');

# Half of them will be answered while the server shuts down.
my $answered = $sim->fault({ kind => 'hold', provider => 'fonnte', times => undef });
$sim->fault({ kind => 'hold', provider => 'watzap', times => undef });
sql("SELECT wa_send_text('62857' || to_char(n, 'FM00000000'), 'Halo', CASE WHEN n % 2 = 0 THEN 'fonnte' ELSE 'watzap' END)"
	  . ' FROM generate_series(1, 600) AS n');
ok($sim->wait_for_sends(500), 'five hundred are on the wire');
is(sql("SELECT count(*) FROM wa.ready WHERE claimed_at IS NOT NULL"), '500', 'all are claimed');

my $log = -s $node->logfile;
my $begun = time;
my $stop = IPC::Run::start([ 'pg_ctl', '-D', $node->data_dir, '-m', 'fast', 'stop' ], '>', \my $out);
ok($node->wait_for_log(qr/received fast shutdown request/, $log), 'a fast shutdown');
$sim->release($answered);
IPC::Run::finish($stop);
# (the requests would be over after a minute)
cmp_ok(time - $begun, '<', 30, 'ends before all of them are over');
$node->_update_pid(0);

my @taken = $sim->accepted('fonnte');
$sim->clear_faults;
$node->append_conf('postgresql.conf', 'sicantik_wa.enabled = off');
$node->start;
is( sql("SELECT count(*) FROM wa.message WHERE state = 'sent' AND provider = 'fonnte'"),
	scalar @taken, 'what was answered in that time is recorded: ' . @taken);
cmp_ok(scalar @taken, '>=', 200, 'which is about half of them');
is(sql("SELECT state, reason, provider, count(*) FROM wa.message WHERE state NOT IN ('sent', 'queued') GROUP BY 1, 2, 3"),
	'unknown|interrupted|watzap|' . (500 - @taken), 'the rest is unknown, and waits for its policy');
is(sql("SELECT outcome, provider_code, count(*) FROM wa.attempt WHERE provider = 'watzap' GROUP BY 1, 2"),
	'unknown|interrupted|' . (500 - @taken), 'each with an attempt that says why');
is(sql("SELECT count(*) FROM wa.message WHERE state = 'queued'"), '100', 'what was not claimed waits');
is(sql('SELECT count(*) FROM wa.ready WHERE claimed_at IS NOT NULL'), '0', 'nothing is left as claimed');

$node->safe_psql('postgres', 'ALTER SYSTEM SET sicantik_wa.enabled = on');
$node->reload;
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state = 'queued'", '0'), 'it goes on after a start');
is(scalar $sim->sends, 600, 'nothing was sent twice');

# The postmaster signals a child and its process group: the same wish, twice.
# Where the machine was elsewhere in between, they were two: once more.
my $took = 1;
foreach my $try (10 .. 30)
{
	my $number = "62857999900$try";
	my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => $number } });
	my $last = sql("SELECT wa_send_text('$number', 'Halo', 'fonnte')");
	$sim->wait_for_sends(1, to => $number);
	my $worker = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
	my $first = time;

	kill 'TERM', $worker;
	usleep(2000);    # so that the first is not pending any more
	kill 'TERM', $worker;
	$took = time - $first;
	$sim->release($hold);
	next if $took > 0.05;
	ok(wait_state($node, 'odoo', $last, 'sent'), 'two signals in a moment are one: the answer is recorded');
	last;
}
cmp_ok($took, '<=', 0.05, 'there was such a moment');

done_testing();
