# Traffic while everything is killed: the worker, the server, the provider, the
# connections, at moments that nobody has chosen.  Then three lists are
# compared: transactions that committed, the ledger, what the providers took.
#
# CHAOS_ROUNDS: how many times something is killed (10; make test-chaos: 100).
# CHAOS_SEED: to do the same again.

use strict;
use warnings;

use Time::HiRes qw(usleep);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Audit;
use SicantikWa::Test;

my $rounds = $ENV{CHAOS_ROUNDS} || 10;
my $seed = $ENV{CHAOS_SEED} || (time ^ $$);
my $sim = start_simulator();
my $node = new_cluster(
	'main',
	simulator => $sim,
	conf => join("\n",
		'restart_after_crash = on',
		'log_statement = none',
		# so that sets of changes are read in pieces, beside the worker
		'sicantik_wa.compose_batch = 1',
		'sicantik_wa.request_timeout = 2s',
		'sicantik_wa.shutdown_grace = 300ms'));
my $traffic = PostgreSQL::Test::Utils::tempdir('traffic');

diag("chaos: $rounds rounds, CHAOS_SEED=$seed");

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
load_many($node, 'odoo', $rounds * 200);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
foreach my $kind (qw(fonnte watzap))
{
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "')");
	sql("SELECT FROM wa_test_connection('$kind')");
}
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 20");
sql("SELECT wa_set('unknown_wait', '100 ms')");
sql("SELECT wa_set('download_link', 'https://contoh.go.id/{registration_id}')");
sql("SELECT wa_set('detail_link', 'https://contoh.go.id/{registration_id}')");
sql("SELECT wa_set('office_name', 'DPMPTSP')");
sql("SELECT wa_arm('odoo')");
sql('CREATE TABLE committed (number text PRIMARY KEY); GRANT ALL ON committed TO odoo');

# The traffic: scripts of small transactions, one in four rolled back, half of
# them changes of permits, half calls of wa_send_text().  A transaction that
# commits writes its number beside; what was rolled back is in the script.
my $writer = fork();
die "fork: $!" unless defined $writer;
if ($writer == 0)
{
	my $stop = 0;
	my $sequence = 0;
	my $permit = 0;

	$SIG{TERM} = sub { $stop = 1; };
	srand($seed);
	until ($stop)
	{
		my $script = "$traffic/" . sprintf('%05d.sql', $sequence++);
		my $text = '';
		my @dropped;

		foreach (1 .. 5)
		{
			my $end = rand() < 0.25 ? 'ROLLBACK' : 'COMMIT';
			my $number = sprintf('62853%08d', $sequence * 100 + $_);

			if (rand() < 0.5)
			{
				$text .= "BEGIN;\nSELECT wa_send_text('$number', 'Yth. $number');\n";
			}
			else
			{
				$number = sprintf('62852%08d', ++$permit);
				$text .= "BEGIN;\nUPDATE sicantik_permit SET status = 'active',"
				  . " permit_number = 'CHAOS/' || id WHERE status = 'draft' AND partner_id ="
				  . " (SELECT id FROM res_partner WHERE phone_sanitized = '+$number');\n";
			}
			$text .= "INSERT INTO committed VALUES ('$number');\n$end;\n";
			push @dropped, $number if $end eq 'ROLLBACK';
		}
		append_to_file($script, $text);
		append_to_file("$traffic/rolled_back", join('', map { "$_\n" } @dropped));
		system('psql', '-X', '-q', '-o', '/dev/null', '-f', $script,
			'-d', $node->connstr('odoo') . ' user=odoo connect_timeout=5');
	}
	require POSIX;
	POSIX::_exit(0);
}

END
{
	my $status = $?;

	if ($writer) { kill 'TERM', $writer; waitpid $writer, 0; }
	$? = $status;
}

# The worker's process, or nothing while it is not there.
sub worker
{
	my ($code, $pid) = $node->psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
	return defined $pid && $pid =~ /^(\d+)/ ? $1 : undef;
}

sub kill_worker
{
	my ($signal) = @_;
	my $pid = worker();

	kill $signal, $pid if $pid;
	return;
}

my %chaos = (
	'kill -9 worker' => sub { kill_worker('KILL'); },
	'SIGTERM worker' => sub { kill_worker('TERM'); },
	'pg_terminate_backend' => sub {
		$node->psql('postgres',
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
	},
	'immediate shutdown' => sub { $node->stop('immediate'); $node->start; },
	'fast shutdown' => sub { $node->stop('fast'); $node->start; },
	'provider killed' => sub { $sim->crash; usleep(int(rand(200_000))); $sim->restart; },
	'answers lost' => sub {
		$sim->fault({ kind => 'cut_after_read', times => 1 + int(rand(2)) });
	},
	'connections lost' => sub {
		$sim->fault({ kind => 'cut_before_read', times => 1 + int(rand(5)) });
	},
	'half an answer' => sub { $sim->fault({ kind => 'truncated', times => 1 }); },
	'slow, then killed' => sub {
		$sim->fault({ kind => 'delay', ms => 300, times => 20 });
		usleep(int(rand(300_000)));
		kill_worker('KILL');
	},
);

# An operator as there must be one: mended providers are tested at once, what
# is held because too many answers were lost is let go.
sub operate
{
	$node->psql('odoo', "UPDATE wa.provider SET probe_at = now() WHERE state = 'error' AND probe_at > now()");
	$node->psql('odoo', "SELECT wa_release(id) FROM wa.message WHERE state = 'held'");
	return;
}

srand($seed + 1);
my @kinds = sort keys %chaos;
foreach my $round (1 .. $rounds)
{
	# every kind once before the dice
	my $kind = $round <= @kinds ? $kinds[ $round - 1 ] : $kinds[ int(rand(@kinds)) ];

	# half the time many requests are on their way
	$sim->fault({ kind => 'delay', ms => 50 + int(rand(200)), times => 20 }) if rand() < 0.5;
	usleep(int(rand(400_000)));
	$chaos{$kind}->();
	$node->poll_query_until('postgres', 'SELECT true')
	  or BAIL_OUT("the server did not come back after: $kind");
	note("round $round: $kind");
	operate();
}
$sim->clear_faults;
wait_sql($node, 'odoo', "SELECT count(*) > $rounds FROM committed");
kill 'TERM', $writer;
waitpid $writer, 0;
$writer = undef;

my $over = "SELECT $ALL_READ" . q(
	AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending', 'held') OR due_at IS NOT NULL)
	AND NOT EXISTS (SELECT FROM wa.request));
my $settled = 0;
my $until = time + $PostgreSQL::Test::Utils::timeout_default;
while (time < $until)
{
	operate();
	last if $settled = sql($over) eq 't';
	usleep(100_000);
}
ok($settled, 'everything comes to an end')
  or diag(sql('SELECT state, reason, provider, count(*) FROM wa.message GROUP BY 1, 2, 3'),
	sql('SELECT name, state, last_error FROM wa.provider'));

my @committed = split /\n/, sql('SELECT number FROM committed');
my @rolled_back = split /\n/, slurp_file("$traffic/rolled_back");
my $audit = audit($node, 'odoo', $sim, \@committed, \@rolled_back);

diag(sprintf('chaos: %d committed, %d rolled back, %d sent, %d taken, %d repeated, %d unknown',
		scalar @committed, scalar @rolled_back,
		@$audit{qw(sent accepted repeated unknown)}));
cmp_ok(scalar @committed, '>', $rounds, 'there was traffic');
is_deeply($audit->{lost}, [], 'nothing that was committed is lost');
is_deeply($audit->{phantom}, [], 'nothing is sent for work that was rolled back');
is_deeply($audit->{duplicate}, [], 'each repetition is one that the ledger shows as such');
is_deeply($audit->{untrue}, [], 'the ledger says what happened');
is_deeply($audit->{unrecorded}, [], 'each request is an attempt in the ledger');
is_deeply($audit->{miscounted}, [], 'the figures are those of the ledger');
is(sql('SELECT count(*) FROM wa.ready'), '0', 'no row is left in wa.ready');
is(sql('SELECT count(*) FROM wa.due'), '0', 'none in wa.due');

done_testing();
