# What was answered by 200 is never lost: webhooks come in while the server
# crashes and the endpoint is killed, and in the end each message is read.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $program = abs_path(dirname(__FILE__) . '/../../docs/webhook/webhook.py');
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $messages = 24;
my $pid;

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub start_endpoint
{
	local %ENV = (
		%ENV,
		PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'odoo', PGUSER => 'wa_webhook',
		WEBHOOK_PORT => $port);

	$pid = fork();
	die "cannot fork: $!" unless defined $pid;
	return if $pid;
	open(STDOUT, '>', '/dev/null');
	open(STDERR, '>', '/dev/null');
	exec('python3', '-B', $program) or POSIX::_exit(1);
}

sub kill_endpoint
{
	local $?;

	kill 'KILL', $pid;
	waitpid $pid, 0;
	$pid = undef;
	return;
}

END { kill_endpoint() if $pid; }

# How many of the updates have been taken, so far, and how often one was refused.
sub taken { return scalar grep { grep { $_ == 200 } @{ $_->{answers} } } @{ $sim->control('told') }; }
sub refused { return scalar map { grep { $_ != 200 } @{ $_->{answers} } } @{ $sim->control('told') }; }

# Wait until so many have been; what comes next meets the others on their way.
sub wait_until
{
	my ($count, $n) = @_;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;

	while (time < $until)
	{
		return 1 if $count->() >= $n;
		select(undef, undef, undef, 0.05);
	}
	return 0;
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
my $settings = decode_json(provider_settings($sim, 'fonnte'));
$settings->{webhook_secret} = 'FONNTEDEMOWEBHOOK';
sql("SELECT wa_configure('fonnte', '" . encode_json($settings) . "')");
sql("SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql('CREATE ROLE wa_webhook LOGIN');
sql("SELECT wa_grant('wa_webhook', 'webhook')");

sql("SELECT wa_send_text('62812777' || n, 'Yth. Budi', provider => 'fonnte') FROM generate_series(10001, 10000 + $messages) AS n");
ok(wait_sql($node, 'odoo', "SELECT count(*) = $messages FROM wa.message WHERE state = 'sent'"), 'all messages are sent');

# Each is told as sent, delivered and read, within a second in any order,
# twice, and again every tenth of a second until it is taken

start_endpoint();
$sim->config({ fonnte => {
	webhook_url => "http://127.0.0.1:$port/fonnte/FONNTEDEMOWEBHOOK", webhook_shuffle => JSON::PP::true,
	webhook_delay_ms => 1000, webhook_copies => 2, webhook_repeats => 3000, webhook_repeat_ms => 100 } });
my @keys = split /\n/, sql('SELECT provider_message_id FROM wa.message');
foreach my $key (@keys)
{
	$sim->tell({ provider => 'fonnte', kind => 'status', message_id => $key, status => $_ }) foreach qw(sent delivered read);
}
my $told = 3 * $messages;
foreach my $round (1, 2)
{
	ok(wait_until(\&taken, $round * $told / 4), 'some are taken');
	$node->stop('immediate');
	kill_endpoint() if $round == 2;
	# however many have been taken by now: another one is told in vain
	my $refused = refused();
	$sim->tell({ provider => 'fonnte', kind => 'status', message_id => $keys[$round], status => 'read' });
	ok(wait_until(\&refused, $refused + 1), 'others meet the crash');
	$node->start;
	start_endpoint() if $round == 2;
}
is($sim->control('idle?timeout=120')->{left}, 0, 'each is told until it is taken');
is(taken(), $told + 2, 'and all are');
ok(wait_sql($node, 'odoo', "SELECT count(*) = $messages FROM wa.message WHERE state = 'read'"
	  . ' AND delivered_at IS NOT NULL AND read_at IS NOT NULL'), 'each message is delivered and read')
  or diag(sql('SELECT state, count(*) FROM wa.message GROUP BY 1') . "\n" . sql('SELECT kind, event, problem, count(*) FROM wa.feedback GROUP BY 1, 2, 3'));
is(sql('SELECT count(*) FROM wa.attempt'), $messages, 'and none was sent again');

done_testing();
